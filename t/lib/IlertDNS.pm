package IlertDNS;

# A small name server (UDP, A records) in a process of its own.
#
#     my $dns = IlertDNS->start(names => { 'api.ilert.test' => '127.0.0.1' });
#     ... resolver $dns->address; ...         # 127.0.0.1:PORT
#
# start(%opt)   names => { name => address | [addresses] }, ttl => 1 (seconds),
#               port => N (0 or left out: a free one), mode => 'answer'
# set($name, @addresses)    another answer from now on; none: NXDOMAIN
# ttl($seconds)
# mode('answer')            as usual
# mode('silent')            reads queries, does not answer
# mode('servfail')          answers SERVFAIL
# mode('down')              the socket is closed: port unreachable
# queries                   list of { name, type ("A", "AAAA", ..), time }
# wait_queries($n, $seconds)
# address, port, pid, stop
#
# Names are compared without case; AAAA of a known name is an empty answer, an
# unknown name is NXDOMAIN.

use warnings;
use strict;

use Carp qw(croak);
use Socket qw(PF_INET SOCK_DGRAM inet_aton pack_sockaddr_in);
use Time::HiRes qw(time);

use parent qw(IlertServer);

my %TYPE = (1 => 'A', 5 => 'CNAME', 28 => 'AAAA', 33 => 'SRV');

sub start {
    my ($class, %opt) = @_;

    my $names = $opt{names} || {};
    my $self = bless {}, $class;

    my $server = {
        names => { map { lc $_ => _list($names->{$_}) } keys %$names },
        ttl => defined $opt{ttl} ? $opt{ttl} : 1,
        mode => $opt{mode} || 'answer',
        queries => [],
    };

    $self->{port} = _bind($server, $opt{port} || 0);
    close delete $server->{socket} if $server->{mode} eq 'down';

    $self->begin('name server', sub {
        _run($server, $_[0], $self->{owner}, $self->{port});
    });

    close delete $server->{socket};
    return $self;
}

sub _list { ref $_[0] ? [ @{$_[0]} ] : [ $_[0] ] }

sub _bind {
    my ($server, $port) = @_;

    # The port is one that IlertFake::free_port never returns, so nobody gets
    # it while our socket is closed.
    for (1 .. 2000) {
        my $try = $port || 12000 + int rand 20000;
        socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";

        if (!bind $socket, pack_sockaddr_in($try, inet_aton('127.0.0.1'))) {
            die "name server: bind port $port: $!\n" if $port;
            next;
        }

        $server->{socket} = $socket;
        return $try;
    }

    die "no free port\n";
}

sub port { $_[0]{port} }
sub address { "127.0.0.1:$_[0]{port}" }
sub ttl { my ($self, $ttl) = @_; $self->call('ttl', $ttl) }
sub queries { @{$_[0]->call('queries')} }

sub set {
    my ($self, $name, @addresses) = @_;
    $self->call('set', lc $name, @addresses);
}

sub mode {
    my ($self, $mode) = @_;
    croak "IlertDNS: unknown mode $mode"
        unless $mode =~ /^(?:answer|silent|servfail|down)$/;
    $self->call('mode', $mode);
}

sub wait_queries {
    my ($self, $n, $seconds) = @_;
    return $self->wait_for(sub { $self->queries >= $n }, $seconds,
                           "$n queries");
}


# The process -------------------------------------------------------------

sub _run {
    my ($server, $control, $owner, $port) = @_;

    IlertServer::quiet("test name server 127.0.0.1:$port");

    while (getppid() == $owner) {
        my $r = '';
        vec($r, fileno $control, 1) = 1;
        vec($r, fileno $server->{socket}, 1) = 1 if $server->{socket};
        next if select($r, undef, undef, 1) <= 0;

        if (vec $r, fileno $control, 1) {
            my $command = IlertServer::read_frame($control, 30) or return;
            IlertServer::write_frame($control,
                                     [ _command($server, $port, @$command) ]);
            next;
        }

        _query($server);
    }
}

sub _command {
    my ($server, $port, $name, @arguments) = @_;

    return $server->{queries} if $name eq 'queries';

    if ($name eq 'set') {
        my ($host, @addresses) = @arguments;
        $server->{names}{$host} = \@addresses;
        delete $server->{names}{$host} unless @addresses;

    } elsif ($name eq 'ttl') {
        $server->{ttl} = $arguments[0];

    } elsif ($name eq 'mode') {
        $server->{mode} = $arguments[0];
        close delete $server->{socket}
            if $server->{mode} eq 'down' && $server->{socket};
        _bind($server, $port)
            if $server->{mode} ne 'down' && !$server->{socket};
    }

    return 1;
}

sub _query {
    my ($server) = @_;

    my $peer = recv $server->{socket}, my $packet, 4096, 0;
    return unless defined $peer && length $packet > 12;

    my ($id, $flags, $questions) = unpack 'nnn', $packet;
    return if $questions != 1 || $flags & 0x8000;

    my ($name, $end) = ('', 12);
    while (my $size = unpack "x$end C", $packet) {
        $name .= '.' if length $name;
        $name .= substr $packet, $end + 1, $size;
        $end += 1 + $size;
        return if $end >= length $packet;
    }

    my $question = substr $packet, 12, $end + 5 - 12;
    my $type = unpack 'n', substr $question, -4;

    push @{$server->{queries}}, {
        name => $name, type => $TYPE{$type} || $type, time => time(),
    };

    return if $server->{mode} eq 'silent';
    my ($code, @addresses) = _lookup($server, lc $name, $type);

    # flags: QR, AA, RD as in the query, and RA
    my $answer = pack 'nnnnnn', $id, 0x8480 | ($flags & 0x100) | $code, 1,
                      scalar @addresses, 0, 0;
    $answer .= $question;
    $answer .= pack 'nnnNn a4', 0xc00c, 1, 1, $server->{ttl}, 4, inet_aton($_)
        for @addresses;
    send $server->{socket}, $answer, 0, $peer;
}

sub _lookup {
    my ($server, $name, $type) = @_;

    return 2 if $server->{mode} eq 'servfail';
    my $addresses = $server->{names}{$name} or return 3;
    return (0, $type == 1 ? @$addresses : ());
}

1;
