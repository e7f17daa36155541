package IlertFakeServer;

# The process of IlertFake: one select loop, no blocking call but on the
# control socket.  A connection is a hash; its state is tls (handshake), head,
# body (being read), work (read, answer not begun), write (answer under way),
# hang (nothing more is done) or drain (our side is shut down).

use warnings;
use strict;

use Errno qw(EAGAIN EINTR EWOULDBLOCK);
use Carp qw(croak);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use File::Basename qw(dirname);
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(
    IPPROTO_TCP PF_INET SHUT_WR SOCK_STREAM SOL_SOCKET SO_LINGER
    SO_REUSEADDR TCP_NODELAY inet_aton pack_sockaddr_in
);
use Time::HiRes qw(time);

use IlertSchema;
use IlertServer;

my $HERE = dirname(__FILE__);

my %REASON = (
    100 => 'Continue', 103 => 'Early Hints',
    200 => 'OK', 201 => 'Created', 202 => 'Accepted', 204 => 'No Content',
    301 => 'Moved Permanently', 302 => 'Found', 304 => 'Not Modified',
    307 => 'Temporary Redirect', 400 => 'Bad Request', 401 => 'Unauthorized',
    402 => 'Payment Required', 403 => 'Forbidden', 404 => 'Not Found',
    405 => 'Method Not Allowed', 407 => 'Proxy Authentication Required',
    408 => 'Request Timeout', 409 => 'Conflict', 411 => 'Length Required',
    413 => 'Payload Too Large', 415 => 'Unsupported Media Type',
    429 => 'Too Many Requests', 500 => 'Internal Server Error',
    502 => 'Bad Gateway', 503 => 'Service Unavailable',
    504 => 'Gateway Timeout',
);

my %CODE = (
    400 => 'BAD_REQUEST', 404 => 'NOT_FOUND', 405 => 'METHOD_NOT_ALLOWED',
    411 => 'LENGTH_REQUIRED', 415 => 'UNSUPPORTED_MEDIA_TYPE',
    429 => 'TOO_MANY_REQUESTS',
);

our @LIMITS = qw(rate rate_total window phase foreign retry_after);

use constant {
    HEAD_MAX => 65536,
    PIECE => 16384,
    SLICE => 4 << 20,               # bytes of requests in one control frame
    TCP_ESTABLISHED => 1,           # first byte of Linux's struct tcp_info
    TCP_INFO => 11,
};

sub new {
    my ($class, $fake, %opt) = @_;

    my $schema = $opt{schema} || "$HERE/../data/ilert-event.schema.json";

    if ($opt{tls} && !IlertFake::have_tls()) {
        croak('IO::Socket::SSL is missing');
    }

    my $self = bless {
        ip => $fake->{ip},
        port => $fake->{port},
        keys => { %{$fake->{keys}} },
        tls => $opt{tls},
        print => $opt{print},
        limit => { map { $_ => $opt{$_} } @LIMITS },
        no_bodies => defined $opt{bodies} && !$opt{bodies},
        hosts => { map { lc $_ => 1 } "$fake->{ip}:$fake->{port}",
                   "localhost:$fake->{port}", @{$opt{hosts} || []} },
        schema => IlertSchema->load($schema),
        conn => {},                 # by file descriptor
        rbits => '',
        wbits => '',
        timers => [],               # [time, sub], sorted
        connections => 0,
        rules => [],
        rule_number => 0,
        tls_errors => [],
    }, $class;

    $self->forget();
    $self->open_listener();
    return $self;
}

sub forget {
    my ($self) = @_;

    $self->{generation}++;
    $self->{requests} = [];
    $self->{count} = { events => 0, errors => 0, limited => 0, foreign => 0,
                       phantoms => 0 };
    $self->{alerts} = {};
    $self->{ended} = {};
    $self->{window} = {};
    $self->{inflight} = 0;
    $self->{parallel} = {};
}

sub open_listener {
    my ($self) = @_;
    return if $self->{listener};

    socket(my $listener, PF_INET, SOCK_STREAM, 0)
        or die "socket: $!\n";
    setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($listener, pack_sockaddr_in($self->{port}, inet_aton($self->{ip})))
        or die "fake ilert: bind $self->{ip}:$self->{port}: $!\n";
    listen($listener, 4096) or die "listen: $!\n";
    _nonblocking($listener);

    $self->{listener} = $listener;
    vec($self->{rbits}, fileno $listener, 1) = 1;
}

sub close_listener {
    my ($self) = @_;
    my $listener = delete $self->{listener} or return;
    vec($self->{rbits}, fileno $listener, 1) = 0;
    close $listener;
}

sub _nonblocking {
    my ($socket) = @_;
    my $flags = fcntl($socket, F_GETFL, 0) or die "fcntl: $!";
    fcntl($socket, F_SETFL, $flags | O_NONBLOCK) or die "fcntl: $!";
}


# The loop ----------------------------------------------------------------

sub run {
    my ($self, $control, $owner) = @_;

    IlertServer::quiet("fake ilert $self->{ip}:$self->{port}");
    binmode STDOUT, ':raw';
    STDOUT->autoflush(1);

    vec($self->{rbits}, fileno $control, 1) = 1;

    while (getppid() == $owner) {
        my $timeout = 1;

        if (@{$self->{timers}}) {
            my $left = $self->{timers}[0][0] - time();
            $timeout = $left < 0 ? 0 : $left if $left < $timeout;
        }

        my ($r, $w) = ($self->{rbits}, $self->{wbits});
        my $n = select($r, $w, undef, $timeout);
        next if $n < 0;

        if ($n > 0) {
            if (vec($r, fileno $control, 1)) {
                my $command = IlertServer::read_frame($control, 30) or return;
                IlertServer::write_frame($control,
                                         [ $self->command(@$command) ]);
            }

            $self->accept_all()
                if $self->{listener} && vec($r, fileno $self->{listener}, 1);

            # in the order of their age: an end that came before a request
            # is seen before it
            for my $c (sort { $a->{number} <=> $b->{number} }
                       values %{$self->{conn}})
            {
                my $fd = $c->{fd};
                next if !$c->{sock};
                $self->on_write($c) if vec($w, $fd, 1) && $c->{sock};
                $self->on_read($c) if vec($r, $fd, 1) && $c->{sock};
            }
        }

        $self->fire();
    }
}

sub fire {
    my ($self) = @_;
    my $timers = $self->{timers};
    my $now = time();

    while (@$timers && $timers->[0][0] <= $now) {
        (shift @$timers)->[1]->();
    }
}

# The sub is not called if the connection was closed meanwhile.

sub later {
    my ($self, $c, $seconds, $sub) = @_;

    my $timers = $self->{timers};
    my $entry = [ time() + $seconds, sub { $sub->() if $c->{sock} } ];
    my $i = @$timers;
    $i-- while $i > 0 && $timers->[$i - 1][0] > $entry->[0];
    splice @$timers, $i, 0, $entry;
}

sub accept_all {
    my ($self) = @_;

    for (1 .. 64) {
        CORE::accept(my $socket, $self->{listener}) or return;
        $self->{connections}++;
        _nonblocking($socket);
        setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);

        my $c = {
            sock => $socket, fd => fileno $socket,
            number => $self->{connections}, in => '', out => '',
            state => 'head',
        };

        if (my $rule = $self->find_rule('accept')) {
            $self->disconnect($c, defined $rule->{reset});
            next;
        }

        $self->{conn}{$c->{fd}} = $c;
        $self->want_read($c, 1);
        $self->start_tls($c) if $self->{tls};
    }
}

sub want_read {
    my ($self, $c, $on) = @_;
    vec($self->{rbits}, $c->{fd}, 1) = $on;
}

sub want_write {
    my ($self, $c, $on) = @_;
    vec($self->{wbits}, $c->{fd}, 1) = $on;
}

sub start_tls {
    my ($self, $c) = @_;

    bless $c->{sock}, 'IO::Socket::INET';
    my $tls = IO::Socket::SSL->start_SSL($c->{sock},
        SSL_server => 1, SSL_startHandshake => 0, Blocking => 0,
        SSL_cert_file => $self->{tls}{cert_file},
        SSL_key_file => $self->{tls}{key_file});

    if (!$tls) {
        push @{$self->{tls_errors}}, "$IO::Socket::SSL::SSL_ERROR";
        $self->disconnect($c, 1);
        return;
    }

    $c->{tls} = 1;
    $c->{state} = 'tls';
}

sub handshake {
    my ($self, $c) = @_;

    if ($c->{sock}->accept_SSL()) {
        $c->{state} = 'head';
        $c->{sni} = $c->{sock}->get_servername();
        $self->want_write($c, 0);
        return $self->on_read($c);
    }

    my $error = $IO::Socket::SSL::SSL_ERROR;

    if ($error == IO::Socket::SSL::SSL_WANT_READ()) {
        $self->want_write($c, 0);

    } elsif ($error == IO::Socket::SSL::SSL_WANT_WRITE()) {
        $self->want_write($c, 1);

    } else {
        push @{$self->{tls_errors}}, "$error";
        $self->disconnect($c);
    }
}

# Closes a connection, with $reset by RST.  Its request is no longer in work.

sub disconnect {
    my ($self, $c, $reset) = @_;
    my $socket = delete $c->{sock} or return;

    vec($self->{rbits}, $c->{fd}, 1) = 0;
    vec($self->{wbits}, $c->{fd}, 1) = 0;
    delete $self->{conn}{$c->{fd}};
    $self->finish_work($c);

    setsockopt($socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $reset;

    # after a failed handshake it is a plain socket again

    if ($c->{tls} && $socket->isa('IO::Socket::SSL')) {
        $socket->close(SSL_no_shutdown => $reset ? 1 : 0);
        return;
    }

    close $socket;
}

# Sends FIN.  What the client still sends is read and thrown away, otherwise
# the kernel would send RST when the socket is closed.

sub shut {
    my ($self, $c) = @_;

    $c->{state} = 'drain';
    $c->{out} = '';
    $self->finish_work($c);
    $self->want_write($c, 0);
    $self->want_read($c, 1);
    $c->{sock}->stop_SSL(SSL_fast_shutdown => 1, SSL_ctx_free => 1)
        if $c->{tls};
    delete $c->{tls};
    shutdown($c->{sock}, SHUT_WR);
    $self->later($c, 5, sub { $self->disconnect($c) });
}

sub on_read {
    my ($self, $c) = @_;

    return $self->handshake($c) if $c->{state} eq 'tls';

    # TLS may hold bytes that select does not see: read until there are none
    while ($c->{sock}) {
        my $n = sysread($c->{sock}, $c->{in}, 65536, length $c->{in});

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
            return $self->disconnect($c);
        }

        return $self->disconnect($c) if $n == 0;

        $c->{in} = '' if $c->{state} eq 'drain' || $c->{state} eq 'hang';
        $self->parse($c);
        return unless $c->{tls};
    }
}

sub on_write {
    my ($self, $c) = @_;

    return $self->handshake($c) if $c->{state} eq 'tls';

    if (length $c->{out}) {
        my $n = syswrite($c->{sock}, $c->{out},
                         $c->{tls} ? PIECE : length $c->{out});

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
            return $self->disconnect($c);
        }

        substr($c->{out}, 0, $n, '');
        return if length $c->{out};
    }

    $self->want_write($c, 0);
    my $next = delete $c->{flushed};
    $next->() if $next;
}

# Calls $next when the bytes are with the kernel.

sub send_bytes {
    my ($self, $c, $bytes, $next) = @_;
    $c->{out} .= $bytes;
    $c->{flushed} = $next;
    $self->want_write($c, 1);
}


# Reading a request -------------------------------------------------------

sub parse {
    my ($self, $c) = @_;

    $self->parse_head($c) if $c->{state} eq 'head';
    $self->parse_body($c) if $c->{state} eq 'body';
}

sub parse_head {
    my ($self, $c) = @_;

    my $end = index $c->{in}, "\r\n\r\n";

    if ($end < 0) {
        $self->disconnect($c, 1) if length $c->{in} > HEAD_MAX;
        return;
    }

    my $head = substr $c->{in}, 0, $end + 4, '';
    my $r = { headers => [], body => '', connection => $c->{number},
              sni => $c->{sni}, status => 0, taken => 0 };
    $c->{request} = $r;

    my ($line, @fields) = split /\r\n/, $head;

    if ($line =~ m{^([A-Z]+) (\S+) HTTP/(1\.[01])$}) {
        ($r->{method}, $r->{uri}, $r->{http}) = ($1, $2, $3);

    } else {
        ($r->{method}, $r->{uri}, $r->{http}) = ('', $line, '1.0');
        $r->{bad} = 'bad request line';
    }

    my %header;
    for (@fields) {
        if (/^([!#\$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/) {
            push @{$r->{headers}}, [ $1, $2 ];
            my $name = lc $1;
            $r->{bad} = "header $1 twice"
                if exists $header{$name} && $name =~ /^(?:host|content-|tran)/;
            $header{$name} = $2;

        } else {
            $r->{bad} = 'bad header line';
        }
    }

    $r->{lc} = \%header;
    $self->body_size($c, $r);

    if (my $rule = $self->find_rule('before', "$r->{method} $r->{uri}\n")) {
        $r->{rule} = $rule->{number};
        return $self->begin_nothing($c, $rule, 'before');
    }

    $c->{state} = 'body';
}

sub body_size {
    my ($self, $c, $r) = @_;
    my $header = $r->{lc};

    @$c{qw(chunked left)} = (0, 0);

    if (defined $header->{'transfer-encoding'}) {
        $c->{chunked} = lc $header->{'transfer-encoding'} eq 'chunked';
        $r->{bad} = 'bad Transfer-Encoding' unless $c->{chunked};
        $r->{bad} = 'Transfer-Encoding in HTTP/1.0' if $r->{http} eq '1.0';
        $r->{bad} = 'Content-Length with Transfer-Encoding'
            if defined $header->{'content-length'};

    } elsif (defined $header->{'content-length'}) {
        if ($header->{'content-length'} =~ /^[0-9]{1,12}$/) {
            $c->{left} = $header->{'content-length'};

        } else {
            $r->{bad} = 'bad Content-Length';
        }

    } elsif ($r->{method} eq 'POST') {
        $r->{no_length} = 1;
    }
}

sub parse_body {
    my ($self, $c) = @_;
    my $r = $c->{request};

    if ($c->{chunked}) {
        return unless $self->parse_chunks($c, $r);

    } elsif ($c->{left}) {
        my $piece = substr $c->{in}, 0, $c->{left}, '';
        $r->{body} .= $piece;
        $c->{left} -= length $piece;
        return if $c->{left};
    }

    $c->{state} = 'work';
    $self->begin_work($c, $r);
}

# True when the last chunk and the trailer are read.

sub parse_chunks {
    my ($self, $c, $r) = @_;

    while (1) {
        if ($c->{left}) {
            my $piece = substr $c->{in}, 0, $c->{left}, '';
            $r->{body} .= $piece;
            $c->{left} -= length $piece;
            return if $c->{left};
            $c->{chunk_end} = 1;
        }

        if ($c->{chunk_end}) {
            return if length $c->{in} < 2;
            $r->{bad} = 'bad chunk' if substr($c->{in}, 0, 2, '') ne "\r\n";
            $c->{chunk_end} = 0;
        }

        if ($c->{trailer}) {
            $c->{in} =~ s/^([^\r\n]*)\r\n// or return;
            next if length $1;
            $c->{trailer} = 0;
            return 1;
        }

        if ($c->{in} =~ s/^([0-9a-fA-F]{1,8})\r\n//) {
            $c->{left} = hex $1;
            $c->{trailer} = 1 unless $c->{left};
            next;
        }

        return if $c->{in} =~ /^[0-9a-fA-F]{0,8}\r?$/;

        $r->{bad} = 'bad chunk';
        $c->{close_after} = 1;
        return 1;
    }
}


# Judging -----------------------------------------------------------------

sub begin_work {
    my ($self, $c, $r) = @_;

    $r->{time} = time();
    my $rule = $self->find_rule('request',
                                "$r->{method} $r->{uri}\n$r->{body}");
    $r->{rule} = $rule->{number} if $rule;

    my ($status, $message) = $self->judge($r);
    my $good = $status == 202;

    if ($good && !($rule && defined $rule->{status})
        && defined $r->{type} && $self->over_rate($r))
    {
        $good = 0;
        $r->{limited} = 1;
        $self->{count}{limited}++;
        ($status, $message) = (429, 'rate limit exceeded');
    }

    $r->{fault} = $message
        if $r->{page} || $status =~ /^(?:400|405|411|415)$/;

    if ($rule && defined $rule->{status}) {
        ($status, $message) = ($rule->{status}, undef);
        delete $r->{page};
    }

    my $lost = $rule && ($rule->{hang} || defined $rule->{raw}
                         || _place($rule) =~ /^(?:after|mid)$/);
    $r->{status} = $lost ? 0 : $status;
    $r->{message} = $message if defined $message;

    my $take = $rule && defined $rule->{take}
               ? $rule->{take} : !$lost && $status =~ /^2/;

    $self->note($c, $r);
    $self->take($r) if $good && $take && defined $r->{type};
    $self->answer($c, $r, $rule || {}, $status, $message);
}

sub _place {
    my ($rule) = @_;
    my $place = $rule->{reset} || $rule->{close};
    return defined $place ? $place : '';
}

# Adds the record to the list and counts it as in work.

sub note {
    my ($self, $c, $r) = @_;

    delete @$r{qw(lc bad no_length)};
    $r->{body} = '' if $self->{no_bodies};
    $r->{n} = @{$self->{requests}};
    push @{$self->{requests}}, $r;
    $self->{count}{errors}++ if defined $r->{fault};

    $c->{work} = { generation => $self->{generation} };
    $r->{inflight} = ++$self->{inflight};

    if (defined $r->{key}) {
        my $folded = defined $r->{folded} ? $r->{folded} : '';
        my $name = $c->{work}{name} = "$r->{key}\n$folded";
        $r->{parallel} = ++$self->{parallel}{$name};
    }

    $self->tell('error', $r) if defined $r->{fault};
}

sub finish_work {
    my ($self, $c) = @_;
    my $work = delete $c->{work} or return;

    return if $work->{generation} != $self->{generation};
    $self->{inflight}--;
    return unless defined $work->{name};
    delete $self->{parallel}{$work->{name}}
        if --$self->{parallel}{$work->{name}} == 0;
}

# Returns status and, unless it is 202, what is wrong.  Notes the key, type and
# alert key in the record.

sub judge {
    my ($self, $r) = @_;

    return (400, $r->{bad}) if defined $r->{bad};

    if (my ($status, $message) = $self->check_host($r->{lc}{host})) {
        $r->{page} = 1;
        return ($status, $message);
    }

    my ($path) = $r->{uri} =~ m{^([^?]*)$};
    return (404, 'unexpected query') unless defined $path;

    if ($path =~ m{/pings/([^/]+)$}) {
        my $key = $1;
        return (405, 'method') unless $r->{method} =~ /^(?:GET|HEAD)$/;
        return $self->check_key($r, $key, 'heartbeat');
    }

    if ($path =~ m{/v1/events/kapacitor/([^/]+)$}) {
        my $key = $1;
        my ($status, $message) = $self->check_post($r);
        return ($status, $message) if $status;
        ($status, $message) = $self->check_key($r, $key, 'kapacitor');
        return ($status, $message) if $status != 202;
        return $self->judge_native($r);
    }

    if ($path =~ m{/events$}) {
        my ($status, $message) = $self->check_post($r);
        return ($status, $message) if $status;
        return $self->judge_event($r);
    }

    return (404, 'no such path');
}

# A front end of ilert chooses by Host which server gets a request, and answers
# with a page of its own if there is none.

sub check_host {
    my ($self, $host) = @_;

    return (400, 'Host: missing') unless defined $host && length $host;

    my ($name) = $host =~ /^([\w.-]+|\[[\da-f:.]+\])(?::\d+)?$/ai
        or return (400, 'Host: malformed');

    return if $self->{hosts}{lc $host}
              || $name =~ /^(?:(?:api|beat)\.)?ilert\.(?:com|test)$/i;
    return (404, "Host: nobody has the name $host");
}

sub check_post {
    my ($self, $r) = @_;

    return (405, 'method') if $r->{method} ne 'POST';
    return (411, 'Content-Length: missing') if $r->{no_length};

    my $type = $r->{lc}{'content-type'};
    return (415, 'Content-Type: missing') unless defined $type;
    return (415, 'Content-Type: expected application/json')
        if $type ne 'application/json';
    return (400, 'Content-Encoding: unexpected')
        if defined $r->{lc}{'content-encoding'};
    return;
}

sub check_key {
    my ($self, $r, $key, $kind) = @_;

    $r->{key} = $key;
    my $is = $self->{keys}{$key};

    return (404, 'unknown key') unless defined $is;
    return (404, "key of an alert source of type $is") if $is ne $kind;
    return 202;
}

sub judge_event {
    my ($self, $r) = @_;

    my ($event, @errors) = $self->{schema}->check_event($r->{body});
    return (400, join '; ', @errors) if @errors;

    my $custom = $event->{customDetails} || {};
    $r->{event} = {
        summary => $event->{summary},
        (map { defined $event->{$_} ? ($_ => "$event->{$_}") : () }
            qw(details priority severity)),
        (map { defined $custom->{$_} ? ($_ => "$custom->{$_}") : () }
            qw(level time)),
    };
    $r->{event}{comments} = $event->{comments} if $event->{comments};
    $self->name_alert($r, $event->{eventType}, $event->{alertKey});

    return $self->check_key($r, $event->{integrationKey}, 'api');
}

sub judge_native {
    my ($self, $r) = @_;

    my ($hook, $error) = IlertSchema::decode($r->{body}, lenient => 1);
    return (400, $error) if defined $error;
    return (400, 'expected an object') if ref $hook ne 'HASH';

    my $level = $hook->{level};
    return (400, 'level: missing') unless defined $level && !ref $level;

    my $id = $hook->{id};
    $id = undef if defined $id && (ref $id || $id !~ /\S/);

    my $message = $hook->{message};
    $r->{event} = { level => $level, time => $hook->{time},
                    summary => defined $message && !ref $message
                               ? $message : $level };
    $self->name_alert($r, $level eq 'OK' ? 'RESOLVE' : 'ALERT', $id);
    return 202;
}

sub name_alert {
    my ($self, $r, $type, $alert_key) = @_;

    $r->{type} = $type;
    return unless defined $alert_key;
    $r->{alert_key} = $alert_key;
    $r->{folded} = IlertFake::fold($alert_key);
}

sub over_rate {
    my ($self, $r) = @_;

    my $limit = $self->{limit};
    my $used = $self->window();
    my $key = $r->{key};
    $r->{window} = $used->{number};

    my $rate = $limit->{rate};
    $rate = $rate->{$key} if ref $rate;

    return 1 if defined $rate && ($used->{keys}{$key} || 0) >= $rate;
    return 1 if defined $limit->{rate_total}
                && $used->{total} >= $limit->{rate_total};

    $used->{keys}{$key}++;
    $used->{total}++;
    return 0;
}

# Returns what has been used of the present window.  A foreign sender uses its
# part at the beginning of each window.

sub window {
    my ($self) = @_;

    my ($limit, $used) = @$self{qw(limit window)};
    my $number = int((time() - ($limit->{phase} || 0))
                     / ($limit->{window} || 60));

    return $used if defined $used->{number} && $used->{number} == $number;

    my %foreign = %{$limit->{foreign} || {}};
    my $total = 0;
    $total += $_ for values %foreign;
    $self->{count}{foreign} += $total;
    %$used = (number => $number, total => $total, keys => \%foreign);
    return $used;
}


# What ilert shows --------------------------------------------------------

sub take {
    my ($self, $r) = @_;

    $r->{taken} = 1;
    $self->{count}{events}++;
    $self->tell('event', $r);

    my $name = defined $r->{folded} ? $r->{folded} : '';
    my $shown = $self->{alerts}{$r->{key}} ||= {};
    my $alert = $shown->{$name};
    my $change = $self->change($r, $alert, $name eq '');
    my $phantom = $self->is_phantom($r, "$r->{key}\n$name", $change);

    if (!$alert) {
        if ($change eq 'unchanged') {
            $self->tell('alert', { key => $r->{key}, state => 'none',
                                   alert_key => $r->{alert_key},
                                   change => $change });
            return;
        }

        $alert = $shown->{$name} = { key => $r->{key}, opened => 0,
                                     pages => 0, log => [], comments => 0,
                                     phantoms => 0 };
    }

    $alert->{phantoms} += $phantom;
    $self->{count}{phantoms} += $phantom;
    $self->update($alert, $r, $change);
    $self->tell('alert', { %$alert, change => $change });
}

# True if the event opens an alert, and is older by Kapacitor's time than
# a RESOLVE that came before it: nobody will resolve the alert.

sub is_phantom {
    my ($self, $r, $name, $change) = @_;
    my $ended = $self->{ended};
    my $time = $r->{event}{time};

    return 0 if !defined $time;

    if ($r->{type} eq 'RESOLVE') {
        $ended->{$name} = $time
            if !defined $ended->{$name} || $ended->{$name} lt $time;
        return 0;
    }

    return $change eq 'opened' && defined $ended->{$name}
           && $time lt $ended->{$name} ? 1 : 0;
}

sub change {
    my ($self, $r, $alert, $unnamed) = @_;
    my $open = $alert && $alert->{state} ne 'resolved' && !$unnamed;

    if ($r->{type} eq 'ALERT') {
        return $open ? 'appended' : 'opened';
    }

    return 'unchanged' unless $open;
    return { RESOLVE => 'resolved', ACCEPT => 'accepted',
             COMMENT => 'commented' }->{$r->{type}};
}

sub update {
    my ($self, $alert, $r, $change) = @_;

    push @{$alert->{log}}, $r->{type};
    $alert->{comments} += @{$r->{event}{comments} || []};

    if ($change eq 'opened') {
        $alert->{opened}++;
        $alert->{pages} += ($r->{event}{priority} // '') ne 'LOW';
        $alert->{state} = 'open';
        $alert->{alert_key} = $r->{alert_key};
        $alert->{$_} = $r->{event}{$_}
            for qw(summary details priority severity);
        $alert->{level} = $r->{event}{level};

    } elsif ($change eq 'appended') {
        $alert->{level} = $r->{event}{level};

    } elsif ($change eq 'resolved' || $change eq 'accepted') {
        $alert->{state} = $change;
    }
}

sub tell {
    my ($self, $kind, $record) = @_;
    my $print = $self->{print} or return;

    return $print->($kind, $record) if ref $print eq 'CODE';

    my $line;

    if ($kind eq 'event') {
        $line = sprintf "event  %-9s %s  \"%s\"", $record->{type},
            defined $record->{alert_key} ? $record->{alert_key} : '-',
            $record->{event}{summary};

    } elsif ($kind eq 'alert') {
        $line = sprintf "shows  %-9s %s (%s)", $record->{state},
            defined $record->{alert_key} ? $record->{alert_key} : '-',
            $record->{change};

    } else {
        $line = "error  $record->{method} $record->{uri}: $record->{fault}";
    }

    utf8::encode($line);
    print STDOUT "$line\n";
}


# Answering ---------------------------------------------------------------

sub answer {
    my ($self, $c, $r, $rule, $status, $message) = @_;

    if ($rule->{hold} && !$c->{work}{held}++) {
        push @{$self->{held}{$rule->{number}}}, sub {
            $self->answer($c, $r, $rule, $status, $message) if $c->{sock};
        };
        return;
    }

    return $self->begin_nothing($c, $rule, 'after')
        if $rule->{hang} || _place($rule) eq 'after';

    $c->{close_after} = 1
        if $r->{http} eq '1.0' || defined $r->{fault} || _place($rule) eq '1';
    for (@{$r->{headers}}) {
        $c->{close_after} = 1
            if lc $_->[0] eq 'connection' && $_->[1] =~ /\bclose\b/i;
    }

    my $begin = sub {
        $c->{state} = 'write';
        $self->begin_answer($c, $r, $rule, $status, $message);
    };

    return $self->later($c, $rule->{delay}, $begin) if $rule->{delay};
    $begin->();
}

# No answer: RST, FIN, or silence until the client goes.

sub begin_nothing {
    my ($self, $c, $rule) = @_;

    return $self->disconnect($c, 1) if $rule->{reset};
    return $self->shut($c) if $rule->{close};

    $c->{state} = 'hang';
    if ($rule->{hang} eq 'before') {
        $self->want_read($c, 0);
        $self->watch($c);
    }
}

# As long as we do not read, we cannot see the client's FIN.  So the kernel is
# asked for the state of the connection.

sub watch {
    my ($self, $c) = @_;

    my $state = unpack 'C', getsockopt($c->{sock}, IPPROTO_TCP, TCP_INFO);
    return $self->disconnect($c) if $state != TCP_ESTABLISHED;
    $self->later($c, 0.2, sub { $self->watch($c) });
}

sub begin_answer {
    my ($self, $c, $r, $rule, $status, $message) = @_;

    if (defined $rule->{raw}) {
        return $self->send_bytes($c, $rule->{raw}, sub { $self->shut($c) });
    }

    my $body = $self->answer_body($rule, $status, $message, $r->{page});
    my $head = $self->answer_head($c, $r, $rule, $status, $message, $body);
    my $place = _place($rule);

    $head = join '', (map { interim_head($_) } @{$rule->{interim} || []}),
                     $head;

    if ($place eq 'mid') {
        return $self->send_part($c, $rule, substr $head, 0, length($head) / 2);
    }

    if ($place eq 'midbody') {
        $body = substr $body, 0, length($body) / 2;
        return $self->send_part($c, $rule, $head . $body);
    }

    return $self->drip($c, $rule, $head . $body) if $rule->{drip};

    if ($rule->{endless}) {
        return $self->send_bytes($c, $head, sub { $self->endless($c) });
    }

    $body = '' if $r->{method} eq 'HEAD' || $status =~ /^(?:204|304)$/;
    $self->send_bytes($c, $head . $body, sub { $self->answered($c) });
}

sub answer_body {
    my ($self, $rule, $status, $message, $page) = @_;

    return 'x' x $rule->{huge} if $rule->{huge};
    return $rule->{body} if defined $rule->{body};
    return 'half a body' if _place($rule) eq 'midbody';
    return "<html><body><h1>$status $REASON{$status}</h1></body></html>\n"
        if $page;

    my $own = $status =~ /^4/ && $rule->{status};
    return '' unless $own || defined $message;

    return JSON::PP->new->utf8->canonical->encode({
        status => 0 + $status, code => $CODE{$status} || 'ERROR',
        defined $message ? (message => $message) : (),
    });
}

sub answer_head {
    my ($self, $c, $r, $rule, $status, $message, $body) = @_;

    my $reason = defined $rule->{reason} ? $rule->{reason}
                                         : $REASON{$status} || 'Unknown';
    my @lines = "HTTP/1.1 $status $reason";

    push @lines, 'content-type: '
                 . ($r->{page} ? 'text/html' : 'application/json')
        if defined $message && !defined $rule->{body};

    if ($rule->{endless}) {
        $c->{close_after} = 1;
        push @lines, 'transfer-encoding: chunked' if $r->{http} ne '1.0';
        $c->{endless_chunked} = $r->{http} ne '1.0';

    } elsif ($status !~ /^(?:1..|204|304)$/) {
        push @lines, 'content-length: ' . length $body;
    }

    push @lines, 'correlation-id: fake-' . ($r->{n} + 1) unless $r->{page};
    push @lines, "retry-after: $self->{limit}{retry_after}"
        if $r->{limited} && defined $self->{limit}{retry_after};

    my @headers = @{$rule->{headers} || []};
    while (my ($name, $value) = splice @headers, 0, 2) {
        push @lines, "$name: $value";
    }

    push @lines, 'connection: ' . ($c->{close_after} ? 'close' : 'keep-alive');
    return join("\r\n", @lines) . "\r\n\r\n";
}

sub interim_head {
    my ($status) = @_;
    my $fields = $status == 103 ? "link: </style.css>; rel=preload\r\n" : '';
    my $reason = $REASON{$status} || 'Processing';

    return "HTTP/1.1 $status $reason\r\n$fields\r\n";
}

# The bytes get 50 ms to arrive before the RST.

sub send_part {
    my ($self, $c, $rule, $bytes) = @_;

    $self->send_bytes($c, $bytes, sub {
        $self->later($c, 0.05, sub {
            $rule->{reset} ? $self->disconnect($c, 1) : $self->shut($c);
        });
    });
}

sub drip {
    my ($self, $c, $rule, $bytes) = @_;

    return $self->answered($c) if $bytes eq '';

    $self->send_bytes($c, substr($bytes, 0, 1, ''), sub {
        $self->later($c, $rule->{drip}, sub {
            $self->drip($c, $rule, $bytes);
        });
    });
}

# Sends about 16 MB a second, so that other processes get their turn.

sub endless {
    my ($self, $c) = @_;

    my $bytes = 'x' x PIECE;
    $bytes = sprintf("%x\r\n", PIECE) . $bytes . "\r\n"
        if $c->{endless_chunked};

    $self->send_bytes($c, $bytes, sub {
        $self->later($c, 0.001, sub { $self->endless($c) });
    });
}

sub answered {
    my ($self, $c) = @_;

    $self->finish_work($c);
    return $self->shut($c) if $c->{close_after};

    $c->{state} = 'head';
    $self->parse($c) if length $c->{in};
}


# Rules and control -------------------------------------------------------

sub find_rule {
    my ($self, $when, $text) = @_;

    for my $rule (@{$self->{rules}}) {
        my $place = _place($rule);
        my $at = $place eq 'accept' ? 'accept'
               : $place eq 'before' || ($rule->{hang} || '') eq 'before'
                 ? 'before'
               : 'request';

        next if $at ne $when;
        next if defined $rule->{times} && $rule->{used} >= $rule->{times};
        next if defined $rule->{match} && defined $text
                && $text !~ /$rule->{match}/;

        $rule->{used}++;
        return $rule;
    }

    return;
}

sub command {
    my ($self, $name, @arguments) = @_;
    my $method = "command_$name";
    return scalar $self->$method(@arguments);
}

sub command_keys { my ($self, $keys) = @_; $self->{keys} = $keys; 1 }
sub command_rules { $_[0]{rules} }
sub command_alerts { $_[0]{alerts} }
sub command_tls_errors { $_[0]{tls_errors} }
sub command_accept { my ($self) = @_; $self->open_listener(); 1 }

sub command_limit {
    my ($self, $limit) = @_;
    %{$self->{limit}} = (%{$self->{limit}}, %$limit);
    $self->{window} = {};
    return 1;
}

sub command_rule {
    my ($self, $rule) = @_;
    $rule->{used} = 0;
    $rule->{number} = ++$self->{rule_number};
    push @{$self->{rules}}, $rule;
    return $rule->{number};
}

sub command_drop_rule {
    my ($self, $number) = @_;
    @{$self->{rules}} = grep { $_->{number} != $number } @{$self->{rules}};
    $_->() for @{delete $self->{held}{$number} || []};
    return 1;
}

sub command_clear_rules {
    my ($self) = @_;
    my @numbers = map { $_->{number} } @{$self->{rules}};
    $self->command_drop_rule($_) for @numbers;
    return 1;
}

sub command_refuse {
    my ($self, $all) = @_;
    $self->close_listener();
    if ($all) {
        $self->disconnect($_, 1) for values %{$self->{conn}};
    }
    return 1;
}

sub command_reset {
    my ($self) = @_;
    $self->forget();
    $self->command_clear_rules();
    $self->{tls_errors} = [];
    return 1;
}

sub command_requests {
    my ($self, $from) = @_;
    my ($all, $size, @slice) = ($self->{requests}, 0);

    while ($from < @$all && $size < SLICE) {
        my $r = $all->[$from++];
        $size += 1000 + length $r->{body};
        push @slice, $r;
    }

    return \@slice;
}

sub command_counts {
    my ($self) = @_;
    return {
        requests => scalar @{$self->{requests}},
        %{$self->{count}},
        connections => $self->{connections},
        open => scalar(CORE::keys %{$self->{conn}}),
        inflight => $self->{inflight},
    };
}

1;
