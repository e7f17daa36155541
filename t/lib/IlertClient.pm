package IlertClient;

# One request of the test client.  All requests under way are driven by one
# select loop, whichever of them is waited for.

use warnings;
use strict;

use Carp qw(croak);
use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use Scalar::Util qw(refaddr);
use Time::HiRes qw(time);

use IlertSchema;
use IlertWait qw(patience);

my %ACTIVE;

my %OPTION = map { $_ => 1 } qw(
    body headers timeout port address http chunked no_length length pieces
    pause abort abort_reset half_close raw connection tls
);

sub begin {
    my ($class, $method, $uri, %opt) = @_;

    for (keys %opt) {
        croak "unknown option $_ of a request" unless $OPTION{$_};
    }

    my $now = time();
    my $self = bless {
        method => $method, uri => $uri, opt => \%opt,
        in => '', out => '', sent => 0, wait => 0,
        begun => $now, deadline => $now + ($opt{timeout} || patience()),
        kept => $opt{connection} ? 1 : 0,
    }, $class;

    my $request = defined $opt{raw} ? $opt{raw} : $self->_request();
    $self->{queue} = [ _pieces($request, $opt{pieces}) ];

    my $connection = $opt{connection} || IlertClient::Connection->open(%opt);
    $self->{connection} = $connection;

    if (!$connection->{socket}) {
        $self->{error} = $connection->{error} || 'closed';
        $self->{time} = time() - $now;
        $self->{done} = 1;
        return $self;
    }

    $ACTIVE{refaddr $self} = $self;
    $self->_write();
    return $self;
}

sub _pieces {
    my ($request, $pieces) = @_;

    return @$pieces if ref $pieces;
    return $request unless $pieces;
    return unpack "(a$pieces)*", $request;
}

sub _request {
    my ($self) = @_;
    my %opt = %{$self->{opt}};

    my $body = $opt{body};
    my @headers = $self->_headers($body);
    my $version = $opt{http} || '1.1';
    my $head = join "\r\n", "$self->{method} $self->{uri} HTTP/$version",
               map({ "$_->[0]: $_->[1]" } @headers), '', '';

    return $head unless defined $body;
    return $head . _chunks($body, $opt{chunked}) if $opt{chunked};
    return $head . $body;
}

sub _chunks {
    my ($body, $size) = @_;
    return join '', map({ sprintf("%x\r\n", length $_) . "$_\r\n" }
                        unpack "(a$size)*", $body), "0\r\n\r\n";
}

sub _headers {
    my ($self, $body) = @_;
    my %opt = %{$self->{opt}};

    my @headers = ([ Host => ($opt{address} || '127.0.0.1')
                             . ":$opt{port}" ]);

    if (defined $body) {
        push @headers, [ 'User-Agent' => 'Go-http-client/1.1' ];

        if ($opt{chunked}) {
            push @headers, [ 'Transfer-Encoding' => 'chunked' ];

        } elsif (!$opt{no_length}) {
            push @headers, [ 'Content-Length' => defined $opt{length}
                                       ? $opt{length} : length $body ];
        }

        push @headers, [ 'Content-Type' => 'application/json' ],
                       [ 'Accept-Encoding' => 'gzip' ];
    }

    my @more = @{$opt{headers} || []};
    my %replaced;

    while (my ($name, $value) = splice @more, 0, 2) {
        @headers = grep { lc $_->[0] ne lc $name } @headers
            unless $replaced{lc $name}++;
        push @headers, [ $name, $value ] if defined $value;
    }

    return @headers;
}

sub drive {
    my ($finished, $until) = @_;
    local $SIG{PIPE} = 'IGNORE';

    while (!$finished->()) {
        my @active = values %ACTIVE;
        last if !@active && !$until;

        my ($r, $w, $now) = ('', '', time());
        my $timeout = $until ? $until - $now : 1;

        for my $h (@active) {
            my $fd = fileno $h->{connection}{socket};
            my $left = $h->{deadline} - $now;
            vec($r, $fd, 1) = 1;

            if ($h->_writing) {
                my $wait = $h->{wait} - $now;
                vec($w, $fd, 1) = 1 if $wait <= 0;
                $left = $wait if $wait > 0 && $wait < $left;
            }

            $timeout = $left if $left < $timeout;
        }

        $timeout = 0.001 if $timeout < 0.001;
        $timeout = 0 if grep { $_->{connection}{tls}
                               && $_->{connection}{socket}->pending } @active;
        my $n = select($r, $w, undef, $timeout);
        next if $n < 0 && $! == EINTR;

        for my $h (@active) {
            my $fd = fileno $h->{connection}{socket};
            $h->_write() if $n > 0 && vec($w, $fd, 1);
            $h->_read() if !$h->{done}
                && ($n > 0 && vec($r, $fd, 1)
                    || $h->{connection}{tls}
                       && $h->{connection}{socket}->pending);
            $h->_expire() if !$h->{done} && time() >= $h->{deadline};
        }
    }
}

sub _writing {
    my ($self) = @_;
    return length $self->{out} || @{$self->{queue}};
}

sub _write {
    my ($self) = @_;
    my $opt = $self->{opt};
    my $abort = $opt->{abort};
    local $SIG{PIPE} = 'IGNORE';

    $self->{out} = shift @{$self->{queue}}
        if !length $self->{out} && @{$self->{queue}};

    my $size = length $self->{out};
    if (defined $abort && $abort >= 0 && $self->{sent} + $size > $abort) {
        $size = $abort - $self->{sent};
    }

    if ($size > 0) {
        my $n = syswrite $self->{connection}{socket}, $self->{out}, $size;

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
            # the server may have answered before it closed
            @$self{qw(out queue)} = ('', []);
            return;
        }

        substr $self->{out}, 0, $n, '';
        $self->{sent} += $n;
    }

    my $all = !$self->_writing;

    if (defined $abort && ($abort < 0 ? $all : $self->{sent} >= $abort)) {
        $self->{error} = 'aborted';
        return $self->_end($opt->{abort_reset});
    }

    shutdown $self->{connection}{socket}, 1 if $all && $opt->{half_close};
    $self->{wait} = time() + $opt->{pause}
        if $opt->{pause} && !length $self->{out};
}

sub _read {
    my ($self) = @_;

    my $n = sysread $self->{connection}{socket}, $self->{in}, 65536,
                    length $self->{in};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        $self->{reset} = 1 if $!{ECONNRESET};
        $self->{error} = "$!";
        $self->{closed} = 1;
        return $self->_end();
    }

    if ($n == 0) {
        $self->{closed} = 1;
        return $self->_end();
    }

    return if $self->{complete};
    $self->_parse() or return;

    # if the server has said that it will close, it gets some time for that
    $self->{complete} = time() - $self->{begun};
    return $self->_end() unless $self->{closing};
    my $until = time() + 20;
    $self->{deadline} = $until if $until < $self->{deadline};
}

sub _expire {
    my ($self) = @_;

    if (!$self->{complete}) {
        $self->{timeout} = 1;
        $self->{error} = 'timeout';
    }

    $self->_end();
}

sub _end {
    my ($self, $reset) = @_;

    $self->{done} = 1;
    $self->{time} = $self->{complete} || time() - $self->{begun};
    $self->{ended_by_close} = 1 if $self->{closed};
    $self->_parse() unless $self->{complete};
    delete $ACTIVE{refaddr $self};

    $self->{connection}->close($reset)
        unless $self->{kept} && !$self->{closed} && $self->{complete};
}

# True when the answer is whole; leaves its parts in the object.

sub _parse {
    my ($self) = @_;

    my $in = $self->{in};
    1 while $in =~ s{^HTTP/1\.1 1\d\d .*?\r\n\r\n}{}s;

    my ($head, $rest) = split /\r\n\r\n/, $in, 2;
    return unless defined $rest;

    my ($line, @fields) = split /\r\n/, $head;
    return unless $line =~ m{^HTTP/1\.[01] (\d{3}) ?(.*)$};
    @$self{qw(status reason)} = ($1, $2);

    my @headers = map { /^([^:]*):\s*(.*?)\s*$/ ? [ $1, $2 ] : () } @fields;
    $self->{headers} = \@headers;
    my %header = map { lc $_->[0] => $_->[1] } reverse @headers;
    $self->{header} = \%header;
    $self->{closing} = $line =~ m{^HTTP/1\.0}
        || ($header{connection} || '') =~ /close/i;

    return $self->_body($rest);
}

sub _body {
    my ($self, $rest) = @_;
    my $header = $self->{header};

    if ($self->{method} eq 'HEAD' || $self->{status} =~ /^(?:204|304)$/) {
        $self->{body} = $rest;
        return 1;
    }

    if (($header->{'transfer-encoding'} || '') =~ /chunked/i) {
        return $self->_unchunk($rest);
    }

    if (defined $header->{'content-length'}) {
        my $size = $header->{'content-length'};
        $self->{body} = substr $rest, 0, $size;
        return length $rest >= $size;
    }

    $self->{body} = $rest;
    $self->{closing} = 1;
    return $self->{ended_by_close};
}

sub _unchunk {
    my ($self, $rest) = @_;

    $self->{body} = '';
    while ($rest =~ s/^([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;
        return 1 if $size == 0;
        $self->{body} .= substr $rest, 0, $size;
        return if length $rest < $size + 2;
        substr $rest, 0, $size + 2, '';
    }

    return;
}

sub answer {
    my ($self) = @_;

    my $body = $self->{body};
    my $json;
    ($json) = IlertSchema::decode($body)
        if defined $body && $body =~ /^\s*[\{\[]/;

    return {
        status => $self->{status} || 0,
        reason => $self->{reason},
        headers => $self->{headers} || [],
        header => $self->{header} || {},
        body => $body,
        json => $json,
        whole => $self->{complete} ? 1 : 0,
        closed => $self->{closed} ? 1 : 0,
        reset => $self->{reset} ? 1 : 0,
        timeout => $self->{timeout} ? 1 : 0,
        error => $self->{error},
        time => $self->{time},
        raw => $self->{in},
    };
}


package IlertClient::Connection;

# A kept connection of the test client.

use warnings;
use strict;

use IO::Socket::INET;

sub open {
    my ($class, %opt) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => $opt{address} || '127.0.0.1',
        PeerPort => $opt{port}, Proto => 'tcp',
        Timeout => IlertWait::patience());
    my $self = bless { socket => $socket, error => "$!" }, $class;
    return $self unless $socket;

    $socket->sockopt(Socket::TCP_NODELAY(), 1);
    $socket->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);

    if ($opt{tls}) {
        require IO::Socket::SSL;
        my %arguments = ref $opt{tls} ? %{$opt{tls}}
            : (SSL_verify_mode => IO::Socket::SSL::SSL_VERIFY_NONE());

        if (!IO::Socket::SSL->start_SSL($socket,
                Timeout => IlertWait::patience(), %arguments)) {
            $self->{error} = IO::Socket::SSL::errstr();
            delete $self->{socket};
            return $self;
        }

        $self->{tls} = 1;
    }

    $socket->blocking(0);
    return $self;
}

sub close {
    my ($self, $reset) = @_;
    my $socket = delete $self->{socket} or return;

    $socket->setsockopt(Socket::SOL_SOCKET(), Socket::SO_LINGER(),
                        pack('ii', 1, 0)) if $reset;
    $self->{tls} ? $socket->close(SSL_no_shutdown => $reset ? 1 : 0)
                 : CORE::close($socket);
}

1;
