package IlertStatus;

# An IlertQueue with "ilert_status" and "ilert_control", whose answers are
# checked: the JSON must have the members that the reference names, and no
# others, each of its type, and its numbers must agree.
#
#     my $q = IlertStatus->new(sources => { .. })->start;
#     is($q->status->{queue}{pending}, 0);
#     $q->becomes(sub { $_->{sources}{ops}{state} eq 'parked' }, 'parked');
#
# new(%opt)             options of IlertQueue->new; the locations are /status,
#                       /metrics and /control/
#     all => 1          a second server, on %%PORT_1%%, whose connections are
#                       spread over the workers; it has /status, /metrics,
#                       /NAME for each source, and the header X-Worker
# status([$arguments])  the JSON of /status?ARGUMENTS as perl data; a failed
#                       test if the answer is not 200 or anything is wrong
# becomes(sub, $what [, $seconds [, $arguments]])   a test: polled until the
#                       sub is true, which has the status in $_, and that is
#                       wanted; returns that status
# alert($source, $key)  what is known of one alert, or the status if not 200
# get($uri), metrics($arguments, [$accept])   answers
# ready                 (status, error) of /status?ready; a failed test if its
#                       body is not as it should be
# workers_say           { pid => status } of all workers, with all => 1
# control($path, %opt)  the answer to POST /control/PATH
# does($path, $count)   a test: control carries out the order, and answers with
#                       this count
# refused($path, $status, $like)   a test: control does not, and answers with
#                       this status and an error like this
#
# IlertStatus::escape($name)       percent-encoded
# IlertStatus::wrong($bytes, %opt)   what is wrong with a status
#     narrowed => 1     not all sources are listed, so that their sums are not
#                       the queue's numbers
# IlertStatus::seconds($time)      of such a time, since 1970

use warnings;
use strict;

use Scalar::Util qw(blessed);
use Test::More ();
use Time::HiRes qw(time);
use Time::Local qw(timegm);

use IlertQueue;
use IlertSchema;
use IlertTest ();

our @ISA = ('IlertQueue');

# Each description says what a value may be: a type, or several; a pattern that
# a text has to match; a list of values; or an object with exactly these
# members, or, with "*", with any.

my $SOURCE_STATE = qr/^(?:ok|paused|parked|limited|retrying)$/;
my $KAPACITOR_STATE = qr/^(?:unasked|up|down|refused|behind)$/;
my $CLASS = qr/^(?:critical|resolve|open|update|repeat|held|silenced|listed)$/;
my $FOR = qr/^(?:turn|verdict|retry|release|resume|delay|silence|digest)$/;
my $EVENT_TYPE = qr/^(?:ALERT|RESOLVE|ACCEPT|COMMENT)$/;
my %AGE = (count => 'count', oldest_seconds => 'seconds');
my %BUDGET = (rate => 'count|null', reserve => 'count|null',
              used => 'count|null');

my %DEAD = (id => 'id', source => 'text', alert_key => 'text',
    type => $EVENT_TYPE, received => 'time', status => 'count|null',
    error => 'text');

my %STATUS = (
    version => qr/^\d+\.\d+\.\d+$/,
    nginx => qr/^\d+\.\d+\.\d+$/,
    time => 'time',
    queue => {
        path => 'text|null', state => qr/^(?:ok|full|error|off)$/,
        pending => 'count', bytes => 'count|null', oldest_seconds => 'seconds',
        error => 'text|null',
        waiting => { map { $_ => { %AGE } }
                     qw(critical resolve open update) },
    },
    endpoints => {
        '*' => { state => qr/^(?:ok|down)$/, since => 'time|null',
                 budget => \%BUDGET },
    },
    sources => {
        '*' => {
            state => $SOURCE_STATE, reason => 'text|null',
            (map { $_ => 'count' } qw(pending inflight held silenced listed
                                      accepted ignored coalesced delivered
                                      retried dead)),
            digest => [ 'null', { since => 'time', told => 'time|null',
                calm => 'time|null',
                bad => { map { $_ => 'count' }
                         qw(CRITICAL WARNING INFO) } } ],
            open_alerts => 'count|null', oldest_seconds => 'seconds',
            budget => \%BUDGET, last_success => 'time|null',
            last_error => [ 'null', { time => 'time', status => 'count|null',
                                      text => 'text' } ],
        },
    },
    refused => {
        rejected => 'count', unavailable => 'count',
        last => [ 'null', { time => 'time', from => 'text',
                            location => 'text|null', status => 'count',
                            error => 'text', id => 'text|null',
                            level => 'text|null' } ],
        kept_total => 'count',
        kept => { list => { id => 'id', time => 'time', from => 'text',
                            location => 'text', status => 'count',
                            error => 'text', size => 'count' } },
    },
    kapacitor => {
        '*' => {
            state => $KAPACITOR_STATE, since => 'time',
            last_poll => 'time|null',
            (map { $_ => 'count' } qw(topics listed alerts differences
                                      watched)),
            repaired => { map { $_ => 'count' }
                          qw(alert resolve update ignored) },
            error => 'text|null',
        },
    },
    fallback => { state => qr/^(?:off|ok|late|told|failing)$/,
        since => 'time|null', waiting => 'count', last => 'time|null',
        error => 'text|null' },
    away => [ 'null', { from => 'time', to => 'time',
                        repaired => 'count|null' } ],
    open => { list => { source => 'text', alert_key => 'text',
        level => qr/^(?:CRITICAL|WARNING|INFO|OK)$/, since => 'time',
        last_event => 'time', silence => 'count|null' } },
    silences => { list => { id => 'count', source => 'text',
        alert_key => 'text', from => 'time', until => 'time',
        comment => 'text|null', held => 'count' } },
    waiting_list => { list => { source => 'text', alert_key => 'text',
        level => qr/^(?:CRITICAL|WARNING|INFO|OK)$/, type => $EVENT_TYPE,
        since => 'time', for => $FOR, next => 'time|null' } },
    dead => { list => \%DEAD },
    setup => { list => { check => qr/^[a-z_]+$/, text => 'text' } },
);

my %ALERT = (
    source => 'text', alert_key => 'text',
    shows => qr/^(?:open|resolved|unknown)$/,
    level => [ 'null', qr/^(?:CRITICAL|WARNING|INFO|OK)$/ ],
    (map { $_ => 'time|null' } qw(since last_accepted last_delivered
                                  next_try)),
    silence => 'count|null',
    waiting => 'count', attempts => 'count', reason => 'text|null',
    events => { list => { id => 'id', type => $EVENT_TYPE,
        level => qr/^(?:CRITICAL|WARNING|INFO|OK)$/, class => $CLASS,
        received => 'time', state => qr/^(?:waiting|in flight)$/ } },
    dead => { list => \%DEAD },
);

my $TIME = qr/^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{3})Z$/;

my %TYPE = (
    null => sub { !defined $_[0] },
    text => sub { is_text($_[0]) && length $_[0] },
    time => sub { is_text($_[0]) && $_[0] =~ $TIME },
    id => sub { is_text($_[0]) && $_[0] =~ /^[1-9]\d*$/ },
    count => sub { is_number($_[0]) && $_[0]->text =~ /^(?:0|[1-9]\d*)$/ },
    seconds => sub { is_number($_[0])
                     && $_[0]->text =~ /^(?:0|(?:0|[1-9]\d*)\.\d{3})$/ },
);

sub is_text { defined $_[0] && !ref $_[0] }
sub is_number { blessed $_[0] && $_[0]->isa('IlertSchema::Number') }

sub as_text {
    my ($value) = @_;
    return !defined $value ? 'null' : is_number($value) ? $value->text
           : ref $value ? ref $value : qq("$value");
}

# Returns what is wrong with the value at a path.

sub misfits {
    my ($value, $is, $at) = @_;

    if (ref $is eq 'ARRAY') {
        my @all = map { [ misfits($value, $_, $at) ] } @$is;
        return (grep { !@$_ } @all) ? () : @{$all[-1]};
    }

    if (ref $is eq 'Regexp') {
        return if is_text($value) && $value =~ $is;
        return "$at: " . as_text($value);
    }

    if (!ref $is) {
        return if grep { $TYPE{$_}->($value) } split /\|/, $is;
        return "$at: " . as_text($value) . " is no $is";
    }

    if ($is->{list}) {
        return "$at is no list" if ref $value ne 'ARRAY';
        return map { misfits($value->[$_], $is->{list}, "$at\[$_]") }
               0 .. $#$value;
    }

    return "$at is no object" if ref $value ne 'HASH';
    return map { misfits($value->{$_}, $is->{'*'}, "$at.$_") }
           sort keys %$value if $is->{'*'};

    my %all = (%$is, %$value);
    return map { !exists $value->{$_} ? "$at.$_ is missing"
                 : !exists $is->{$_} ? "$at.$_ is not known"
                 : misfits($value->{$_}, $is->{$_}, "$at.$_") }
           sort keys %all;
}

sub wrong {
    my ($bytes, %opt) = @_;

    my ($typed, $error) = IlertSchema::decode($bytes, numbers => 'object');
    return $error if defined $error;

    my $is = $opt{alert} ? \%ALERT : \%STATUS;
    my @faults = misfits($typed, $is, 'status');
    return @faults if @faults;

    my ($status) = IlertSchema::decode($bytes);
    return $opt{alert} ? alert_disagrees($status)
                       : disagrees($status, $opt{narrowed});
}

sub sum { my $sum = 0; $sum += $_ // 0 for @_; return $sum }

sub most {
    my ($most) = sort { $b <=> $a } @_, 0;
    return $most;
}

# Returns texts about numbers of the status that contradict each other.

sub disagrees {
    my ($s, $narrowed) = @_;
    my ($queue, $sources) = @$s{qw(queue sources)};
    my @sources = values %$sources;
    my @classes = values %{$queue->{waiting}};
    my @faults;

    my $same = sub {
        my ($what, $got, $expected, $near) = @_;
        push @faults, "$what: $got, not $expected"
            if abs($got - $expected) > ($near // 0);
    };

    $same->('waiting', sum(map { $_->{count} } @classes), $queue->{pending});
    $same->('oldest of the classes', most(map { $_->{oldest_seconds} }
            @classes), $queue->{oldest_seconds}, 0.011);

    if (!$narrowed) {
        $same->('pending', sum(map { $_->{pending} } @sources),
                $queue->{pending});
        $same->('oldest of the sources', most(map { $_->{oldest_seconds} }
                @sources), $queue->{oldest_seconds}, 0.011);
    }

    for my $list ([ open => 'open_alerts' ], [ dead => 'dead' ]) {
        my ($name, $member) = @$list;
        my $n = sum(map { $_->{$member} } @sources);

        # lists are only known if the store has answered, unlike numbers
        $same->("length of $name", scalar @{$s->{$name}}, $n > 100 ? 100 : $n)
            if @{$s->{$name}} || $queue->{state} eq 'ok';
        push @faults, "$name: source \"$_->{source}\""
            for grep { !$sources->{$_->{source}} } @{$s->{$name}};
    }

    my @waits = grep { $_->{for} !~ /^(?:delay|silence|digest)$/ }
                @{$s->{waiting_list}};
    my $pending = sum(map { $_->{pending} } @sources);
    push @faults, @waits . " alerts are listed, $pending events wait"
        if @waits > $pending
           || !@waits && $pending && $queue->{state} eq 'ok';
    push @faults, "waiting_list: source \"$_->{source}\""
        for grep { !$sources->{$_->{source}} } @{$s->{waiting_list}};

    my @since = map { seconds($_->{since}) } @{$s->{open}};
    push @faults, 'open is not sorted'
        if grep { $since[$_] > $since[$_ - 1] } 1 .. $#since;

    for my $name (sort keys %$sources) {
        my $of = $sources->{$name};
        push @faults, "$name: more in flight than there is"
            if $of->{inflight} > $of->{pending};
        push @faults, "$name: oldest, but none waits"
            if !$of->{pending} && $of->{oldest_seconds} != 0;
        push @faults, "$name: $of->{state}, reason " . as_text($of->{reason})
            if ($of->{state} eq 'ok') != !defined $of->{reason};
    }

    for my $name (sort keys %{$s->{endpoints}}) {
        my $of = $s->{endpoints}{$name};
        push @faults, "$name: down, but not since when"
            if $of->{state} eq 'down' && !defined $of->{since};
    }

    push @faults, kapacitors($s->{kapacitor}, $s->{away});

    push @faults, "queue: $queue->{state}, error " . as_text($queue->{error})
        if ($queue->{state} =~ /^(?:ok|off)$/) != !defined $queue->{error};

    push @faults, $queue->{state} eq 'off' ? off($s) : on($s);
    return @faults;
}

# Returns what is wrong with what is known of Kapacitors.

sub kapacitors {
    my ($kapacitors, $away) = @_;
    my @faults;

    for my $name (sort keys %$kapacitors) {
        my $of = $kapacitors->{$name};
        push @faults, "$name: $of->{state}, last poll "
                      . as_text($of->{last_poll})
            if ($of->{state} eq 'unasked') != !defined $of->{last_poll};
        push @faults, "$name: $of->{state}, error " . as_text($of->{error})
            if ($of->{state} =~ /^(?:down|refused)$/) && !defined $of->{error};
        push @faults, "$name: more is watched than differs"
            if $of->{watched} > $of->{differences};
        push @faults, "$name: more topics take part than there are"
            if $of->{topics} > $of->{listed};
    }

    if ($away) {
        push @faults, 'away for no time'
            if seconds($away->{from}) >= seconds($away->{to});
        push @faults, 'repaired while away: ' . as_text($away->{repaired})
            if defined $away->{repaired} != !!%$kapacitors;
    }

    return @faults;
}

sub on {
    my ($s) = @_;
    return map { "$_ is null with a queue" }
           grep { !defined $s->{queue}{$_} } qw(path);
}

# Returns what is wrong with a status without a queue.

sub off {
    my ($s) = @_;
    my @sources = values %{$s->{sources}};

    return ((map { "$_ without a queue" }
             grep { defined $s->{queue}{$_} } qw(path bytes error)),
            (map { "$_ without a queue" }
             grep { my $name = $_; sum(map { $_->{$name} } @sources) }
             qw(pending inflight held silenced listed dead retried
                coalesced)),
            (map { "a budget without a queue" }
             grep { defined $_->{budget}{used} }
             @sources, values %{$s->{endpoints}}),
            (map { "webhooks are kept without a queue" }
             @{$s->{refused}{kept}}),
            (map { "open_alerts without a queue" }
             grep { defined $_->{open_alerts} } @sources));
}

sub alert_disagrees {
    my ($a) = @_;
    my @faults;

    my $events = @{$a->{events}};
    my $expected = $a->{waiting} > 100 ? 100 : $a->{waiting};
    push @faults, "$events events, not $expected" if $events != $expected;
    push @faults, "$a->{shows} since " . as_text($a->{since}) . ' at level '
                  . as_text($a->{level})
        if defined $a->{since} != defined $a->{level}
           || $a->{shows} eq 'open' && !defined $a->{since}
           || $a->{shows} eq 'resolved' && defined $a->{since};
    push @faults, "a next try of nothing"
        if !$a->{waiting} && defined $a->{next_try};
    push @faults, 'several in flight'
        if 1 < grep { $_->{state} eq 'in flight' } @{$a->{events}};

    my @ids = map { $_->{id} } @{$a->{events}};
    push @faults, 'an event twice' if @ids != keys %{{ map { $_ => 1 } @ids }};
    return @faults;
}

sub seconds {
    my ($time) = @_;
    my ($year, $month, $day, $hour, $minute, $second, $part) = $time =~ $TIME
        or die "no time: $time\n";
    return timegm($second, $minute, $hour, $day, $month - 1, $year) + $part;
}

sub escape {
    my ($name) = @_;
    utf8::encode($name) if utf8::is_utf8($name);
    return $name =~ s/([^A-Za-z0-9._~-])/sprintf '%%%02X', ord $1/ger;
}


# The nginx ---------------------------------------------------------------

sub new {
    my ($class, %opt) = @_;

    my $all = delete $opt{all};
    my $status = 'location = /status { ilert_status; } '
                 . 'location = /metrics { ilert_status prometheus; }';

    $opt{server} = join "\n", $opt{server} // '', $status,
                              'location /control/ { ilert_control; }';

    if ($all) {
        my $sources = $opt{sources} || { ops => 1 };
        my $posts = join "\n", map { "location = /$_ { ilert_kapacitor $_; }" }
                               sort keys %$sources;
        $opt{http} = join "\n", $opt{http} // '',
            'server { listen 127.0.0.1:%%PORT_1%% reuseport;',
            'add_header X-Worker $pid always; keepalive_timeout 0;',
            $status, $posts, '}';
    }

    return $class->SUPER::new(%opt);
}

sub get {
    my ($self, $uri, %opt) = @_;
    return $self->test->get($uri, %opt);
}

sub uri {
    my ($path, $arguments) = @_;
    return defined $arguments ? "$path?$arguments" : $path;
}

sub judged {
    my ($self, $answer, $uri, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 2;

    my @faults = "answered $answer->{status} "
                 . ($answer->{body} // $answer->{error} // '');
    @faults = wrong($answer->{body}, %opt) if $answer->{status} == 200;

    # a status that is polled would have the same fault many times
    if (@faults && $self->{judged}{$faults[0]}++ < 2) {
        Test::More::fail("GET $uri");
        Test::More::diag(substr $_, 0, 2000)
            for @faults, $answer->{body} // '';
    }

    return (IlertSchema::decode($answer->{body} // ''))[0] || {};
}

sub status {
    my ($self, $arguments) = @_;

    my $uri = uri('/status', $arguments);
    return $self->judged($self->get($uri), $uri,
                         narrowed => defined $arguments);
}

sub becomes {
    my ($self, $sub, $what, $seconds, $arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $status;

    my $is = IlertTest::wait_until(sub {
        $status = $self->status($arguments);
        local $_ = $status;
        return $sub->($status);
    }, $seconds // 8, $what);

    Test::More::ok($is, $what)
        or Test::More::diag(Test::More::explain($status));
    return $status;
}

sub alert {
    my ($self, $source, $key) = @_;

    my $uri = '/status?source=' . escape($source) . '&alert_key='
              . escape($key);
    my $answer = $self->get($uri);
    return $answer->{status} if $answer->{status} != 200;
    return $self->judged($answer, $uri, alert => 1);
}

sub metrics {
    my ($self, $arguments, $accept) = @_;
    return $self->get(uri('/metrics', $arguments),
                      headers => [ Accept => $accept ]);
}

sub ready {
    my ($self) = @_;

    my $answer = $self->get('/status?ready');
    my $json = $answer->{json} || {};
    my $expected = $answer->{status} == 200 ? 'ready' : 'unavailable';
    my $names = $answer->{status} == 200 ? 'status' : 'error status';

    if (($json->{status} // '') ne $expected
        || join(' ', sort keys %$json) ne $names)
    {
        Test::More::fail('GET /status?ready');
        Test::More::diag("$answer->{status} " . ($answer->{body} // ''));
    }

    return ($answer->{status}, $json->{error});
}

sub workers_say {
    my ($self, $arguments) = @_;
    my %workers = map { $_ => 1 } $self->test->workers;
    my %said;

    IlertTest::wait_until(sub {
        my $answer = $self->get(uri('/status', $arguments),
                                port => $self->test->port(1));
        my $pid = $answer->{header}{'x-worker'} // '';
        $said{$pid} ||= $self->judged($answer, 'status of a worker',
                                      narrowed => defined $arguments);
        return !grep { !$said{$_} } keys %workers;
    }, 10, 'an answer of each worker');

    return \%said;
}


# Control -----------------------------------------------------------------

sub control {
    my ($self, $path, %opt) = @_;
    return $self->test->post("/control/$path", '', %opt);
}

sub does {
    my ($self, $path, $count, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $answer = $self->control($path, %opt);
    my $type = $answer->{header}{'content-type'} // '';
    my $text = ($answer->{body} // '') =~ s/\n$//r;
    Test::More::is("$answer->{status} $type $text",
        qq(200 application/json {"status":"ok","count":$count}),
        "$path: $count");
    return $answer;
}

sub refused {
    my ($self, $path, $status, $like, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $answer = $self->control($path, %opt);
    my $json = $answer->{json} || {};
    my $fine = $answer->{status} == $status
               && join(' ', sort keys %$json) eq 'error status'
               && $json->{status} eq 'rejected' && $json->{error} =~ $like
               && $answer->{header}{'content-type'} eq 'application/json';

    Test::More::ok($fine, "$path: $status")
        or Test::More::diag("$answer->{status} " . ($answer->{body} // ''));
    return $answer;
}

1;
