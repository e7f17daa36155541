package IlertKapacitorServer;

# The process of IlertKapacitor: one select loop, no blocking call but on the
# control socket.  It serves the API, and posts the webhooks of the topics'
# handlers.

use warnings;
use strict;

use Errno qw(EAGAIN EINPROGRESS EINTR EWOULDBLOCK);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use IO::Compress::Gzip ();
use MIME::Base64 qw(encode_base64);
use POSIX qw(strftime);
use Socket qw(
    IPPROTO_TCP PF_INET SOCK_STREAM SOL_SOCKET SO_ERROR SO_LINGER SO_REUSEADDR
    TCP_NODELAY inet_aton pack_sockaddr_in
);
use Time::HiRes qw(time);

use IlertKapacitorTopics;
use IlertServer;

use constant { CHUNK => 2048, PIECE => 4096 };

my %REASON = (200 => 'OK', 204 => 'No Content', 401 => 'Unauthorized',
              403 => 'Forbidden', 404 => 'Not Found',
              405 => 'Method Not Allowed', 500 => 'Internal Server Error',
              502 => 'Bad Gateway', 503 => 'Service Unavailable');

sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        port => $opt{port},
        version => $opt{version} // '1.8.3',
        timeout => $opt{timeout} // 5,
        auth => $opt{auth},
        topics => IlertKapacitorTopics->new(version => $opt{version}),
        conn => {},                 # clients, by file descriptor
        queues => {},               # by topic and URL
        held => {},                 # topics
        lag => 0,
        faults => [],
        requests => [],
        webhooks => [],
    }, $class;

    $self->open_listener();
    return $self;
}

sub open_listener {
    my ($self) = @_;
    return if $self->{listener};

    socket(my $listener, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($listener, pack_sockaddr_in($self->{port}, inet_aton('127.0.0.1')))
        or die "Kapacitor: bind port $self->{port}: $!\n";
    listen($listener, 128) or die "listen: $!\n";
    _nonblocking($listener);
    $self->{listener} = $listener;
}

sub close_listener {
    my ($self) = @_;
    my $listener = delete $self->{listener} or return;
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

    IlertServer::quiet("test Kapacitor 127.0.0.1:$self->{port}");

    while (getppid() == $owner) {
        my ($r, $w) = ('', '');
        vec($r, fileno $control, 1) = 1;
        vec($r, fileno $self->{listener}, 1) = 1 if $self->{listener};

        for my $c (values %{$self->{conn}}, $self->under_way) {
            vec($r, fileno $c->{sock}, 1) = 1;
            vec($w, fileno $c->{sock}, 1) = 1
                if (length $c->{out} || $c->{cut})
                   && ($c->{wait} // 0) <= time();
        }

        my $n = select($r, $w, undef, $self->timers);

        if ($n > 0) {
            if (vec $r, fileno $control, 1) {
                my $command = IlertServer::read_frame($control, 30) or return;
                IlertServer::write_frame($control,
                                         [ $self->command(@$command) ]);
            }

            $self->accept_all()
                if $self->{listener} && vec $r, fileno $self->{listener}, 1;
            $self->serve($_, $r, $w) for values %{$self->{conn}};
            $self->go_on($_, $r, $w) for $self->under_way;
        }

        $self->expire();
        $self->begin_webhooks();
    }
}

# Seconds until something has to be done

sub timers {
    my ($self) = @_;
    my ($now, $left) = (time(), 1);

    my @times = (map({ $_->{wait} // () } values %{$self->{conn}}),
                 map({ $_->{deadline} } $self->under_way),
                 map({ $_->{next} && @{$_->{events}} ? $_->{next} : () }
                     values %{$self->{queues}}));

    for (@times) {
        $left = $_ - $now if $_ > $now && $_ - $now < $left;
    }

    return $left > 0.001 ? $left : 0.001;
}

sub command {
    my ($self, $name, @arguments) = @_;
    my $method = "on_$name";
    return $self->$method(@arguments);
}


# Commands ----------------------------------------------------------------

sub on_topic {
    my ($self, $name, %opt) = @_;
    $self->{topics}->topic($name, %opt);
    return 1;
}

sub on_set {
    my ($self, $name, $id, $level, %opt) = @_;

    my %how = map { $_ => delete $opt{$_} } qw(lose cut);
    my $event = $self->{topics}->collect($name, $id, $level, %opt);
    my $topic = $self->{topics}->topic($name);

    $self->hand_over($topic, $event, \%how);

    for (@{$topic->{publish} || []}) {
        my %same = map { $_ => $event->{$_} }
            qw(ns message details duration task name tags fields group);
        my $published = $self->{topics}->collect($_, $id, $level, %same);
        $self->hand_over($self->{topics}->topic($_), $published, \%how);
    }

    return { map { $_ => $event->{$_} } grep { !/^(?:json|link)$/ }
             keys %$event };
}

sub hand_over {
    my ($self, $topic, $event, $how) = @_;

    for my $handler (@{$topic->{post} || []}) {
        next if $handler->{match}
                && !grep { $_ eq $event->{level} } @{$handler->{match}};

        my $record = {
            (map { $_ => $event->{$_} } qw(topic id level ns time)),
            n => scalar @{$self->{webhooks}}, url => $handler->{url},
            outcome => $how->{lose} ? 'lost' : 'waiting', set => time(),
        };
        push @{$self->{webhooks}}, $record;
        next if $how->{lose};

        my $queue = $self->{queues}{"$topic->{name} $handler->{url}"}
            ||= { topic => $topic->{name}, events => [] };
        push @{$queue->{events}}, { record => $record, cut => $how->{cut},
                                    body => $event->{body} };
    }
}

sub on_fill {
    my ($self, $name, $n, $level, %opt) = @_;
    $self->on_set($name, "$name-$_", $level, lose => 1, %opt) for 1 .. $n;
    return 1;
}

sub on_hold { my ($self, $topic) = @_; $self->{held}{$topic} = 1 }
sub on_release { my ($self, $topic) = @_; delete $self->{held}{$topic}; 1 }
sub on_lag { my ($self, $seconds) = @_; $self->{lag} = $seconds; 1 }

sub on_down {
    my ($self, %opt) = @_;

    $self->{stopped} = !$opt{api};
    $self->close_listener();
    $self->disconnect($_) for values %{$self->{conn}};
    return 1;
}

sub on_up {
    my ($self) = @_;
    $self->{stopped} = 0;
    $self->open_listener();
    return 1;
}

sub on_restart {
    my ($self, %opt) = @_;

    $self->on_down();

    if ($opt{lose}) {
        for my $queue (values %{$self->{queues}}) {
            $self->over($queue, 'lost') if $queue->{call};
            $_->{record}{outcome} = 'lost' for splice @{$queue->{events}};
        }
    }

    $self->{topics}->wipe() if $opt{wipe};
    $self->{topics}->restart();
    return $self->on_up();
}

sub on_wipe { my ($self) = @_; $self->{topics}->wipe(); 1 }
sub on_disable { my ($self, $name) = @_; $self->{topics}->disable($name); 1 }
sub on_enable { my ($self, $name) = @_; $self->{topics}->enable($name); 1 }
sub on_forget { my ($self, $name) = @_; $self->{topics}->forget($name); 1 }
sub on_clear_faults { my ($self) = @_; $self->{faults} = []; 1 }
sub on_requests { $_[0]{requests} }
sub on_lists { $_[0]{lists} // 0 }
sub on_webhooks { $_[0]{webhooks} }

sub on_fault {
    my ($self, %rule) = @_;
    $rule{match} = qr/$rule{match}/ if defined $rule{match};
    push @{$self->{faults}}, \%rule;
    return 1;
}

sub on_states {
    my ($self) = @_;
    my $states = $self->{topics}->states;

    return { map {
        my $state = $states->{$_};
        $_ => { map {
            my $event = $state->{$_};
            $_ => { map { $_ => $event->{$_} } qw(level ns time message) };
        } keys %$state };
    } keys %$states };
}

sub on_busy {
    my ($self) = @_;
    return scalar grep { $_->{call} || @{$_->{events}} }
                  values %{$self->{queues}};
}


# Webhooks ----------------------------------------------------------------

sub under_way {
    my ($self) = @_;
    return map { $_->{call} // () } values %{$self->{queues}};
}

sub begin_webhooks {
    my ($self) = @_;
    return if $self->{stopped};
    my $now = time();

    for my $queue (values %{$self->{queues}}) {
        next if $queue->{call} || !@{$queue->{events}}
                || $self->{held}{$queue->{topic}};

        $queue->{next} //= $now + $self->{lag};
        next if $queue->{next} > $now;
        delete $queue->{next};
        $self->begin_webhook($queue, shift @{$queue->{events}});
    }
}

sub begin_webhook {
    my ($self, $queue, $event) = @_;

    my $record = $event->{record};
    my ($host, $port, $uri)
        = $record->{url} =~ m{^http://([\d.]+):(\d+)(/.*)$}
        or die "Kapacitor: bad URL $record->{url}\n";

    my $request = join "\r\n", "POST $uri HTTP/1.1", "Host: $host:$port",
        'User-Agent: Go-http-client/1.1',
        'Content-Length: ' . length $event->{body},
        'Content-Type: application/json', 'Accept-Encoding: gzip', '',
        $event->{body};

    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    _nonblocking($socket);
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);

    @$record{qw(outcome begun)} = ('under way', time());
    $queue->{call} = { sock => $socket, queue => $queue, in => '',
        out => defined $event->{cut} ? substr $request, 0, $event->{cut}
                                     : $request,
        cut => defined $event->{cut}, record => $record,
        deadline => time() + $self->{timeout} };

    $self->over($queue, 'refused')
        if !connect($socket, pack_sockaddr_in($port, inet_aton($host)))
           && $! != EINPROGRESS;
}

# Kapacitor reads the head of the answer, and closes.

sub go_on {
    my ($self, $call, $r, $w) = @_;
    my $queue = $call->{queue};

    if (vec $w, fileno $call->{sock}, 1) {
        my $error = unpack 'i',
                    getsockopt($call->{sock}, SOL_SOCKET, SO_ERROR);
        return $self->over($queue, 'refused') if $error;

        my $n = syswrite $call->{sock}, $call->{out};

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
            return $self->over($queue, 'reset');
        }

        substr $call->{out}, 0, $n, '';
        return $self->over($queue, 'cut')
            if $call->{cut} && !length $call->{out};
    }

    if (vec $r, fileno $call->{sock}, 1) {
        my $n = sysread $call->{sock}, $call->{in}, 65536, length $call->{in};

        if (!defined $n) {
            return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
            return $self->over($queue, $!{ECONNREFUSED} ? 'refused'
                                                        : 'reset');
        }

        if ($call->{in} =~ m{^HTTP/1\.1 (\d\d\d) .*?\r\n\r\n}s) {
            $call->{record}{status} = $1;
            return $self->over($queue, 'answered');
        }

        return $self->over($queue, 'reset') if $n == 0;
    }
}

sub over {
    my ($self, $queue, $outcome) = @_;
    my $call = delete $queue->{call};

    close $call->{sock};
    @{$call->{record}}{qw(outcome ended)} = ($outcome, time());
}

sub expire {
    my ($self) = @_;
    my $now = time();

    for (values %{$self->{queues}}) {
        $self->over($_, 'timeout')
            if $_->{call} && $_->{call}{deadline} <= $now;
    }
}


# The API -----------------------------------------------------------------

sub accept_all {
    my ($self) = @_;

    while (accept my $socket, $self->{listener}) {
        _nonblocking($socket);
        setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
        $self->{conn}{fileno $socket}
            = { sock => $socket, in => '', out => '', state => 'head' };
    }
}

sub disconnect {
    my ($self, $c, $reset) = @_;

    delete $self->{conn}{fileno $c->{sock}};
    setsockopt($c->{sock}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)) if $reset;
    close $c->{sock};
}

sub serve {
    my ($self, $c, $r, $w) = @_;
    my $fd = fileno $c->{sock} // return;

    $self->send_more($c) if vec $w, $fd, 1;
    return if !$self->{conn}{$fd} || !vec $r, $fd, 1;

    my $n = sysread $c->{sock}, $c->{in}, 65536, length $c->{in};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        return $self->disconnect($c);
    }

    return $self->disconnect($c) if $n == 0;
    $self->answer($c)
        if $c->{state} eq 'head' && $c->{in} =~ /\r\n\r\n/;
}

sub send_more {
    my ($self, $c) = @_;

    my $n = syswrite $c->{sock}, $c->{out},
                     $c->{drip} ? PIECE : length $c->{out};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
        return $self->disconnect($c);
    }

    substr $c->{out}, 0, $n, '';
    $c->{wait} = time() + $c->{drip} if $c->{drip};
    $self->disconnect($c) if !length $c->{out};
}

sub find_fault {
    my ($self, $what) = @_;

    for my $rule (@{$self->{faults}}) {
        next if defined $rule->{match} && $what !~ $rule->{match};
        next if defined $rule->{times} && $rule->{times}-- <= 0;
        return $rule;
    }

    return {};
}

sub answer {
    my ($self, $c) = @_;

    my ($line, @fields) = split /\r\n/, $c->{in};
    my ($method, $uri) = $line =~ m{^([A-Z]+) (\S+) HTTP/1\.[01]$}
        or return $self->disconnect($c);
    my %header = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @fields;
    my $rule = $self->find_fault("$method $uri");

    $c->{state} = 'answer';
    my $record = {
        n => scalar @{$self->{requests}}, method => $method, uri => $uri,
        gzip => ($header{'accept-encoding'} // '') =~ /\bgzip\b/ ? 1 : 0,
        header => \%header, status => 0, size => 0, time => time(),
    };
    push @{$self->{requests}}, $record;
    $self->{lists}++ if $uri =~ m{^\Q$IlertKapacitorTopics::BASE\E(?:\?|$)};

    return $self->disconnect($c, 1) if $rule->{reset};
    return if $rule->{hang};

    my ($status, $body) = $self->judge($rule, $method, $uri, \%header);
    @$record{qw(status size)} = ($status, length $body);

    $c->{out} = $self->render($status, $body, $record->{gzip}, $rule->{cut});
    $c->{drip} = $rule->{drip};
    $c->{wait} = time() + $rule->{delay} if $rule->{delay};
}

sub judge {
    my ($self, $rule, $method, $uri, $header) = @_;

    if ($rule->{status} || defined $rule->{body}) {
        my $status = $rule->{status} || 200;
        return ($status, $rule->{body} // _error($status));
    }

    return (401, _error(401))
        if defined $self->{auth}
           && ($header->{authorization} // '')
              ne 'Basic ' . encode_base64($self->{auth}, '');

    return (405, IlertKapacitorTopics::error_body('method not allowed'))
        if $method ne 'GET';
    return $self->route($uri);
}

my %ERROR = (
    401 => 'unable to parse authentication credentials',
    403 => 'user is not authorized to perform this request',
);

sub _error {
    my ($status) = @_;
    return IlertKapacitorTopics::error_body($ERROR{$status}
        // lc($REASON{$status} // 'error'));
}

sub route {
    my ($self, $uri) = @_;
    my $topics = $self->{topics};

    my ($path, $args) = split /\?/, $uri, 2;
    $path =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
    utf8::decode($path);
    my ($min) = ($args // '') =~ /(?:^|&)min-level=(\w+)/;

    return (204, '') if $path eq '/kapacitor/v1/ping';
    return (200, $topics->list($min)) if $path eq $IlertKapacitorTopics::BASE;

    if (my ($topic, $what, $id) = $path =~ m{
            ^\Q$IlertKapacitorTopics::BASE\E/([^/]+)
            (?:/(events|handlers)(?:/(.*))?)?$}xs)
    {
        my $body = !defined $what ? $topics->object($topic)
                 : $what eq 'handlers' ? $topics->handlers($topic)
                 : defined $id ? $topics->event($topic, $id)
                 : $topics->events($topic, $min);
        return (200, $body) if defined $body;

        my $unknown = qq(unknown topic "$topic");
        return (500, IlertKapacitorTopics::error_body(
                         "failed to get topic events: $unknown"))
            if defined $what && !defined $id;
        return (404, IlertKapacitorTopics::error_body($unknown));
    }

    return (404, IlertKapacitorTopics::error_body('not found'));
}

sub render {
    my ($self, $status, $body, $gzip, $cut) = @_;

    my @head = ("HTTP/1.1 $status " . ($REASON{$status} // 'Error'),
        'Connection: close', 'Content-Type: application/json; charset=utf-8',
        "X-Kapacitor-Version: $self->{version}",
        strftime('Date: %a, %d %b %Y %H:%M:%S GMT', gmtime));

    return join "\r\n", @head, '', '' if $status == 204;

    if ($gzip) {
        my $plain = $body;
        IO::Compress::Gzip::gzip(\$plain, \$body, -Level => 1, Minimal => 1);
        push @head, 'Content-Encoding: gzip', 'Vary: Accept-Encoding';
    }

    my $end = "0\r\n\r\n";

    if (defined $cut) {
        $body = substr $body, 0, $cut;
        $end = '';
    }

    my $chunks = join '', map { sprintf("%x\r\n", length) . "$_\r\n" }
                          unpack '(a' . CHUNK . ')*', $body;
    return join("\r\n", @head, 'Transfer-Encoding: chunked', '', '')
           . $chunks . $end;
}

1;
