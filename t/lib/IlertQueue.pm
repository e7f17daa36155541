package IlertQueue;

# An nginx with a durable queue, a fake ilert, and a ledger of what Kapacitor
# was told, by which the fake's list is audited.
#
#     my $q = IlertQueue->new(queue => 'queue max_size=1m', workers => 4);
#     $q->start;
#     $q->post('cpu', 'CRITICAL');
#     $q->drained;
#     is_deeply([ $q->faults(once => 1) ], []);
#     done();
#
# new(%opt): makes both, does not start nginx.
#     queue => arguments of ilert_queue (default 'queue'; undef: none)
#     sources => { name => members }   default { ops => 'retry 50ms 400ms;' };
#                         with a location /NAME each, with the first key
#                         unless there is one among the members, and with
#                         "rate off; coalesce off;" where they say nothing of
#                         it, so that each event is sent, and at once
#     rate => '700r/m'    of the endpoint (default 'off')
#     defaults => 1       no rates, unless "rate" is given, and no "coalesce",
#                         are written
#     timeout => '2s'     proxy_read_timeout and proxy_connect_timeout; '3h'
#                         with a shim, as a request sees how time is moved
#     http, server, endpoint => more directives there
#     now => 1            webhooks are of the time when they are sent
#     keys => { .. }      of the fake, default { $IlertQueue::KEY => 'api' }
#     fake => IlertFake or its options
#     shim => IlertShim   for pass
#     and all options of IlertTest->new but conf
# anew($fake, %opt)     the same with a fake that has run before and is reset
#     and accepts connections; sources and log_level have other defaults
#   test, fake, dir (of the queue)
#   pass($seconds)        as if so much more time went by while nginx slept
#   run($seconds)         the same, while it ran
#   hold, go              of the shim; what goes on meanwhile needs no time
#   start, stop, reload, crash, .. : those of IlertTest
#   change(%opt)          of the above but keys, for the next start or reload
#
# post($id, $level, %opt)       one webhook of the alert $id; returns the
#     answer of IlertTest's post with {result}, $ilert_result.
#     source => 'ops', size => bytes in its details, previous => its
#     previousLevel, recoverable => 'false', message => text, time => seconds
#     since 1970 (default: a time long ago), duration => ns,
#     type => 'COMMENT', priority => 'HIGH', and options of post
#   start_post(..), finish(@handles): several at once
# say(@webhooks)        posts "ID LEVEL", one after the other; a type, or a
#                       priority, may follow; say({ source => "a" }, ..)
# at_once($source, @ids)   posts a CRITICAL of each
# load(%opt)            keeps webhooks under way, one at a time of an alert
#     until => sub        ends it; called every 4 ms
#     seconds => N        ends it
#     alerts => 20, prefix => 'k', clients => 8, rate => 200 a second,
#     source => 'ops' or [..], size => N
# last_words            one more webhook of each alert, until it is answered
#     202; true if all are
# ledger                list of { source, id, n, level, status, result, event,
#                       begun, ended }: n counts the webhooks of an alert
# forget                a new ledger; and reset of the fake
#
# The fake's list is told by the summary of an event, "ID N".  RESOLVEs by an
# operator, and those that open an alert again, are not in it.
# arrivals              { "source/id" => [n, ..] } in order of arrival; taken:
#                       the same of those that ilert took
# faults(%opt)          what is wrong with it:
#     each event that was answered 202 was answered 202 by ilert; what arrived
#     was sent; of an alert none came before an older one; never two requests
#     of an alert at a time; ilert shows what the last webhook of each alert
#     says, and no phantom
#         mode => 'repeats' | 'latest'   "coalesce" of the sources, which says
#                         what need not have arrived; default 'off'
#     once => 1           nothing was sent twice, unless ilert said 429
#     parallel => 0       two at a time are none (a killed worker's request
#                         may be read after its successor's)
#     shows => 0          what ilert shows is not looked at
#     lost => [events]    ids that need not arrive
#     source => name      only of this one
# repeats               requests more than events that arrived
# came($from)           "ID N" of each event that was taken, in order; from the
#                       request $from on
# requests_of(@sources)   those that came from them
# burst($seconds, @requests)   the most that came within any such time
# calm($seconds)        true if no request comes meanwhile
#
# sql($query)           rows of queue.db by the program sqlite3
# value($query)         the first column of the first row
# waiting               number of events in it
# dead                  list of { id, source, alert_key, status, error, .. }
# marks                 number of alerts that are marked as under way
# drained($seconds)     true when nothing waits
# settled($seconds)     true when no request has come for so long (default
#                       0.3 s), and none is under way: repeats may wait
# lines($level, $text[, $mark])   number of lines of the error log
# told_once($most)      two tests: there are at most so many lines about
#     trouble with the disk, and as many, soon, about its end
# recovers($seconds)    a test: webhooks are committed again
# ends_well(%opt)       three tests: when each alert has had one more webhook
#     the queue gets empty, faults(%opt) finds none, the database is whole; and
#     stop
# courier               pid of the process that holds courier.lock, or ''
# lose_folder           removes the queue's folder
# have_key              names of the queue's files with an integration key
# files                 { name => [mode, uid, size] } of the queue's folder
#
# IlertQueue::need()    skips the whole file without sqlite3 or threads
# IlertQueue::nobody()  (name, uid) of the unprivileged user if we are root
#                       and others may enter our directory

use warnings;
use strict;

use Carp qw(croak);
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use POSIX qw(strftime);
use Test::More ();
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertTest ();
use IlertWait;

our $KEY = 'il1api5ec4e7a01';
our $KAP = 'il1kap5ec4e7b01';

my @BODY = qw(size previous message recoverable time duration);
my @OURS = qw(queue sources rate defaults timeout http server endpoint now);
my $STATE = qr/^(?:ALERT|RESOLVE)$/;
my $OWN = qr/: (?:resolved by an operator|opened again so .* called)$/;
my %TYPE = (OK => 'RESOLVE', map { $_ => 'ALERT' } qw(INFO WARNING CRITICAL));


sub need {
    my $found = grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};

    Test::More::plan(skip_all => 'no program sqlite3') unless $found;
    Test::More::plan(skip_all => 'an nginx without threads')
        unless IlertTest::has_threads();
}


sub nobody {
    my @user = getpwnam 'nobody';
    return () if $> != 0 || !@user;

    for (my $dir = abs_path(__FILE__); $dir ne '/'; ) {
        $dir = dirname($dir);
        return () if !((stat $dir)[2] & 1);
    }

    return @user[0, 2];
}


sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        queue => 'queue', timeout => $opt{shim} ? '3h' : '2s', http => '',
        server => '',
        rate => $opt{defaults} ? '' : 'off', defaults => 0,
        endpoint => '', now => 0, sources => { ops => 'retry 50ms 400ms;' },
        n => {}, ledger => [],
    }, $class;

    my $keys = delete $opt{keys} || { $KEY => 'api' };
    my $fake = delete $opt{fake} || {};
    $self->{fake} = ref $fake eq 'HASH'
                    ? IlertFake->start(keys => $keys, bodies => 0, %$fake)
                    : $fake;

    $self->set(\%opt);
    $self->{shim} = delete $opt{shim};
    $opt{env} = $self->{shim}->env if $self->{shim};
    $self->{test} = IlertTest->new(workers => 2, fake => $self->{fake},
        conf => $self->conf, %opt);

    return $self;
}

sub anew {
    my ($class, $fake, %opt) = @_;

    $fake->reset;
    $fake->accept;
    return $class->new(fake => $fake, log_level => 'notice',
                       sources => { ops => 'retry 50ms 300ms;' }, %opt);
}

sub test { $_[0]{test} }
sub fake { $_[0]{fake} }
sub ledger { @{$_[0]{ledger}} }

sub dir {
    my ($self) = @_;
    my ($name) = ($self->{queue} // 'queue') =~ /^(\S+)/;
    $name =~ s/%%DIR%%/$self->{test}->dir/ge;
    return $name =~ m{^/} ? $name : $self->{test}->path($name);
}

# A signal ends the sleep of a worker, which then looks at its timers.

sub pass {
    my ($self, $seconds) = @_;
    $self->{shim}->pass($seconds);
    kill 'ALRM', $self->{test}->workers if $self->{test}->running;
}

sub hold { my ($self) = @_; $self->{shim}->hold; return $self }

sub go {
    my ($self) = @_;

    if ($self->{shim}{held}) {
        $self->{shim}->go;
        $self->pass(0);
    }

    return $self;
}

sub run {
    my ($self, $seconds) = @_;

    while ($seconds > 0) {
        $self->pass($seconds > 50 ? 50 : $seconds);
        $seconds -= 50;
        sleep(0.03);
        IlertWait::wait_quietly(sub { $self->keeps_up }, 5);
    }
}

# A courier has a job in each minute.  Without one for three minutes nginx has
# slept, so the next step is made when it has had the one that is due.

sub keeps_up {
    my ($self) = @_;
    return 1 if !$self->{test}->running || !$self->courier;

    my $seen = eval { $self->value('select seen from total') } // 0;
    return $self->{shim}->now - $seen / 1000 < 70;
}

sub set {
    my ($self, $opt) = @_;

    for (@OURS) {
        $self->{$_} = delete $opt->{$_} if exists $opt->{$_};
    }
}

sub change {
    my ($self, %opt) = @_;

    $self->set(\%opt);
    croak "unknown option @{[%opt]}" if %opt;
    $self->{test}->set_conf($self->conf);
    return $self;
}

for my $name (qw(start stop reload crash upgrade)) {
    no strict 'refs';
    *$name = sub {
        my ($self, @arguments) = @_;
        $self->go if $name eq 'stop' && $self->{shim};
        $self->{test}->$name(@arguments);
        return $self;
    };
}

sub conf {
    my ($self) = @_;
    my ($sources, $locations) = ('', '');

    for my $name (sort keys %{$self->{sources}}) {
        my $members = $self->members($name);
        $sources .= "ilert_source $name { $members }\n";
        my $mapping = $members =~ /webhook_url/ ? ''
            : 'ilert_event_type $http_x_type; '
              . 'ilert_priority $http_x_priority;';
        $locations .= "location = /$name { ilert_kapacitor $name; $mapping\n"
            . "add_header X-Result \$ilert_result always; }\n";
    }

    my $queue = defined $self->{queue} ? "ilert_queue $self->{queue};" : '';

    my $conf = <<"CONF";
$queue
$sources
$self->{http}

upstream ilert { server %%FAKE%%; keepalive 32; }

server {
    listen 127.0.0.1:%%PORT_0%%;

    $locations

    location /ilert/ {
        internal;
        ilert_endpoint;
        proxy_pass http://ilert/api/\$ilert_path;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host \$host;
        proxy_set_header X-Attempt \$ilert_attempt;
        proxy_set_header X-Source \$ilert_source;
        proxy_read_timeout $self->{timeout};
        proxy_connect_timeout $self->{timeout};
        $self->{endpoint}
    }

    $self->{server}
}
CONF

    $conf =~ s/(ilert_endpoint\b[^;]*)/$1 =~ m{rate=} ? $1
                                         : "$1 rate=$self->{rate}"/ge
        if $self->{rate};
    return $conf;
}

sub members {
    my ($self, $name) = @_;
    my $members = $self->{sources}{$name};

    $members = "integration_key $KEY; $members"
        unless $members =~ /integration_key|webhook_url/;

    if (!$self->{defaults}) {
        $members .= " $_ off;"
            for grep { $members !~ /\b$_\s/ } qw(rate coalesce);
    }

    return $members;
}


# Kapacitor ---------------------------------------------------------------

# The webhooks of an alert are a second apart by their own time.  Those of
# a new ledger are a day later, since else they would be copies.

my $EPOCH = 1772352930;

sub webhook {
    my ($id, $n, $level, %opt) = @_;

    my $details = 'x' x ($opt{size} // 0);
    my $message = $opt{message} // "$id $n";
    my $time = $opt{time} // $EPOCH + $n;
    my $duration = $opt{duration} // 0;
    my $stamp = strftime('%Y-%m-%dT%H:%M:%S', gmtime($time))
                . ($time =~ /(\.\d+)$/ ? $1 : '') . 'Z';
    my $more = join '', map { qq(,"$_":$opt{$_}) }
                        grep { defined $opt{$_} } qw(recoverable);
    $more .= qq(,"previousLevel":"$opt{previous}") if defined $opt{previous};

    return qq({"id":"$id","message":"$message","details":"$details",)
         . qq("time":"$stamp","duration":$duration,"level":"$level"$more}\n);
}

sub start_post {
    my ($self, $id, $level, %opt) = @_;

    my ($source, $type, $priority) = delete @opt{qw(source type priority)};
    $source ||= 'ops';
    my %body = map { $_ => delete $opt{$_} } @BODY;
    $body{time} //= sprintf '%.3f', time() if $self->{now};
    $opt{headers} = [ @{$opt{headers} || []}, 'X-Type' => $type,
                      'X-Priority' => $priority ];

    my $n = ++$self->{n}{"$source/" . IlertFake::fold($id)};
    my $entry = { source => $source, id => $id, n => $n, level => $level,
                  type => $type // $TYPE{$level},
                  priority => $priority // '', begun => time() };
    push @{$self->{ledger}}, $entry;

    my $handle = $self->{test}->start_post("/$source",
        webhook($id, $n, $level, %body), %opt);

    return { http => $handle, entry => $entry };
}

sub finish {
    my ($self, @handles) = @_;

    my @answers = $self->{test}->finish(map { $_->{http} } @handles);

    for my $i (0 .. $#handles) {
        my ($answer, $entry) = ($answers[$i], $handles[$i]{entry});
        $answer->{result} = $answer->{header}{'x-result'} // '';
        $answer->{n} = $entry->{n};
        $entry->{status} = $answer->{status};
        $entry->{result} = $answer->{result};
        $entry->{event} = $answer->{json}{event} if $answer->{json};
        $entry->{ended} = $entry->{begun} + $answer->{time};
    }

    return wantarray ? @answers : $answers[0];
}

sub post {
    my ($self, @arguments) = @_;
    return scalar $self->finish($self->start_post(@arguments));
}

sub say {
    my ($self, @webhooks) = @_;
    my %opt = ref $webhooks[0] ? %{shift @webhooks} : ();

    for (@webhooks) {
        my ($id, $level, @more) = split;
        my %more = map { (/^(?:HIGH|LOW)$/ ? 'priority' : 'type') => $_ }
                   @more;
        my $r = $self->post($id, $level, %opt, %more);
        croak "$_: $r->{status} $r->{body}" if $r->{status} != 202;
    }
}

sub at_once {
    my ($self, $source, @ids) = @_;

    my @h = map { $self->start_post($_, 'CRITICAL', source => $source) } @ids;
    for ($self->finish(@h)) {
        croak "$source: $_->{status} $_->{body}" if $_->{status} != 202;
    }
}

sub level {
    return (qw(CRITICAL CRITICAL WARNING OK OK INFO))[rand 6];
}

sub load {
    my ($self, %opt) = @_;

    my $end = time() + ($opt{seconds} // 3600);
    my $until = $opt{until} || sub { 0 };
    my $prefix = $opt{prefix} // 'k';
    my $rate = $opt{rate} || 200;
    my @sources = ref $opt{source} ? @{$opt{source}} : $opt{source} || 'ops';
    my @free = map { my $k = $_; map { [ $_, "$prefix$k" ] } @sources }
               1 .. $opt{alerts} || 20;
    my ($begun, $sent, @under_way) = (time(), 0);

    while (1) {
        my @done = grep { $_->{http}{done} } @under_way;
        @under_way = grep { !$_->{http}{done} } @under_way;
        $self->finish(@done) if @done;
        push @free, map { [ @{$_->{entry}}{qw(source id)} ] } @done;

        last if time() > $end || $until->();

        while (@under_way < ($opt{clients} || 8) && @free
               && $sent < (time() - $begun) * $rate
               && $self->{test}->running)
        {
            my ($source, $id) = @{splice @free, rand @free, 1};
            push @under_way, $self->start_post($id, level(),
                source => $source, size => $opt{size}, timeout => 30);
            $sent++;
        }

        $self->{test}->poll(0.004);
    }

    $self->finish(@under_way);
    return $sent;
}

sub forget {
    my ($self) = @_;
    $self->{ledger} = [];
    $self->{n} = {};
    $EPOCH += 86400;
    $self->{fake}->reset;
}


# The audit ---------------------------------------------------------------

# Sends one more webhook of each alert, until it is answered 202: then it is
# known that the last one is on disk.

sub last_words {
    my ($self) = @_;
    my %last;
    $last{"$_->{source}/" . IlertFake::fold($_->{id})} = $_ for $self->ledger;

    for my $try (1 .. 20) {
        my @names = sort keys %last;

        while (my @some = splice @names, 0, 20) {
            my @handles = map { $self->start_post($last{$_}{id}, level(),
                source => $last{$_}{source}, timeout => 30) } @some;
            my @answers = $self->finish(@handles);
            $answers[$_]{status} == 202 && delete $last{$some[$_]}
                for 0 .. $#some;
        }

        return 1 if !%last;
        sleep(0.2);
    }

    return 0;
}

sub arrived {
    my ($self) = @_;
    my @arrived;

    for my $r (grep { defined $_->{type} } $self->{fake}->requests) {
        next if $r->{type} eq 'RESOLVE' && $r->{event}{summary} =~ $OWN;
        my ($id, $n) = ($r->{event}{summary} // '') =~ /^\s*(.*?)\s* (\d+)$/s
            or croak "unexpected event: $r->{n} $r->{uri}";
        my $name = "$r->{header}{'x-source'}/" . IlertFake::fold($id);
        push @arrived, { %$r, name => $name, number => $n };
    }

    return @arrived;
}

sub by_name {
    my %numbers;
    push @{$numbers{$_->{name}}}, $_->{number} for @_;
    return \%numbers;
}

sub arrivals { by_name($_[0]->arrived) }
sub taken { by_name(grep { $_->{taken} } $_[0]->arrived) }

sub repeats {
    my ($self) = @_;
    my %seen;
    return scalar grep { $seen{"$_->{name} $_->{number}"}++ } $self->arrived;
}

sub came {
    my ($self, $from) = @_;
    my @requests = $self->{fake}->requests;

    return map { $_->{event}{summary} }
           grep { $_->{taken} } @requests[($from // 0) .. $#requests];
}

sub requests_of {
    my ($self, @sources) = @_;
    my %sources = map { $_ => 1 } @sources;
    return grep { $sources{$_->{header}{'x-source'}} }
           $self->{fake}->requests;
}

sub burst {
    my ($self, $seconds, @requests) = @_;
    my @times = sort { $a <=> $b } map { $_->{time} } @requests;
    my ($most, $first) = (0, 0);

    for my $last (0 .. $#times) {
        $first++ while $times[$last] - $times[$first] >= $seconds;
        $most = $last - $first + 1 if $most < $last - $first + 1;
    }

    return $most;
}

sub calm {
    my ($self, $seconds) = @_;
    my $n = $self->{fake}->counts->{requests};
    sleep($seconds);
    return $self->{fake}->counts->{requests} == $n;
}

sub faults {
    my ($self, %opt) = @_;

    my (@faults, %sent, %last, %taken, %times, %newest);

    my $source = $opt{source};
    my @ledger = grep { ($source // $_->{source}) eq $_->{source}
                        && $_->{type} ne 'off' } $self->ledger;

    for (@ledger) {
        my $name = "$_->{source}/" . IlertFake::fold($_->{id});
        $sent{"$name $_->{n}"} = $_;
        $last{$name} = $_ if $_->{type} =~ $STATE
                             && (!$last{$name} || $last{$name}{n} < $_->{n});
    }

    for my $r ($self->arrived) {
        my ($name, $n) = @$r{qw(name number)};
        next if defined $source && $name !~ m{^\Q$source\E/};
        my $what = "$name $n (request $r->{n})";
        my $entry = $sent{"$name $n"};

        push @faults, "$what: $r->{fault}" if defined $r->{fault};
        push @faults, "$what was never sent" if !$entry;
        push @faults, "$what is $r->{type} for $entry->{level}"
            if $entry && $entry->{type} ne $r->{type};
        push @faults, "$what came after $newest{$name}"
            if ($newest{$name} // 0) > $n;
        push @faults, "$what: $r->{parallel} at a time"
            if ($opt{parallel} // 1) && $r->{parallel} > 1;
        push @faults, "$what was sent again"
            if $opt{once} && $r->{status} != 429 && $times{"$name $n"}++;

        $newest{$name} = $n;
        $taken{"$name $n"}++ if $r->{status} =~ /^2/;
    }

    my %lost = map { $_ => 1 } @{$opt{lost} || []};
    push @faults, missing($opt{mode} // 'off', \%taken,
                          grep { !$lost{$_->{event} // ''} } @ledger);
    push @faults, $self->shown(\%last) if $opt{shows} // 1;
    return @faults;
}

# Accepted events that should have arrived.  With "repeats", one of those that
# say the same is enough; with "latest", nothing is looked at but what ilert
# shows in the end.  If a webhook was not answered 202, but its event came to
# ilert, a repeat of it need not arrive either.

sub missing {
    my ($mode, $taken, @ledger) = @_;
    my (@missing, %run);

    return if $mode eq 'latest';

    for my $entry (@ledger) {
        my $name = "$entry->{source}/" . IlertFake::fold($entry->{id});
        my $times = $taken->{"$name $entry->{n}"} // 0;
        my $accepted = ($entry->{status} // 0) == 202;
        next if !$accepted && ($mode eq 'off' || !$times);

        my $kind = $entry->{type} =~ $STATE ? 'state' : 'other';
        my $run = $run{"$name $kind"};

        if ($mode eq 'off' || !$run || !same($run, $entry)) {
            push @missing, $run if $run && !$run->{taken};
            $run = $run{"$name $kind"} = { %$entry, taken => 0 };
        }

        $run->{taken} += $times;
    }

    push @missing, grep { !$_->{taken} } values %run;
    return map { "$_->{source}/$_->{id} $_->{n}: answered 202 $_->{result}, "
                 . "event $_->{event}, but did not arrive" }
           sort { $a->{event} <=> $b->{event} } @missing;
}

sub same {
    my ($x, $y) = @_;
    return $x->{type} =~ $STATE
           && !grep { $x->{$_} ne $y->{$_} } qw(type level priority);
}

sub shown {
    my ($self, $last) = @_;
    my $alerts = $self->{fake}->alerts;
    my (%shown, @faults);

    $shown{$_->{name}} = $alerts->{$_->{key}}{$_->{folded}}
        for grep { defined $_->{key} } $self->arrived;

    for my $name (sort keys %$last) {
        my $level = $last->{$name}{level};
        my $alert = $shown{$name} || {};
        my $open = ($alert->{state} // 'resolved') ne 'resolved';
        my $shown = $open ? $alert->{level} : 'OK';

        push @faults, "$name is $shown after $level" if $shown ne $level;
        push @faults, "$name was a phantom" if $alert->{phantoms};
    }

    return @faults;
}


# The database ------------------------------------------------------------

sub db { my ($self) = @_; return $self->dir . '/queue.db' }

sub sql {
    my ($self, $query) = @_;

    local $ENV{HOME} = $self->{test}->dir;
    my @command = ('sqlite3', '-batch', '-bail', '-cmd', '.timeout 10000',
        '-separator', "\x1f", '-newline', "\x1e", $self->db, $query);
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh',
        @command or die "sqlite3: $!";
    local $/;
    my $text = <$out> // '';
    local ($!, $?);
    close $out or croak "sqlite3: $query: $text";

    return map { [ split /\x1f/, $_, -1 ] } split /\x1e/, $text;
}

sub value { my ($self, $query) = @_; return ($self->sql($query))[0][0] }
sub waiting { $_[0]->value('select count(*) from event') }
sub marks { $_[0]->value('select count(*) from alert where state = 1') }

sub dead {
    my ($self) = @_;
    my @columns = map { $_->[1] } $self->sql('pragma table_info(dead)');
    my %name = map { $_->[0] => $_->[1] }
               $self->sql('select id, name from source');
    my @dead;

    for ($self->sql('select * from dead order by seq')) {
        my %row;
        @row{@columns} = @$_;
        $row{source} = $name{$row{source}} // $row{source};
        push @dead, \%row;
    }

    return @dead;
}

sub drained {
    my ($self, $seconds) = @_;
    return IlertWait::wait_until(sub { !$self->waiting }, $seconds,
                                 sub { $self->waiting . ' waiting events to'
                                       . ' leave the queue' });
}

sub settled {
    my ($self, $seconds) = @_;
    my ($n, $since) = (-1, 0);

    return IlertWait::wait_until(sub {
        my $counts = $self->{fake}->counts;
        if ($counts->{requests} != $n || $counts->{inflight}) {
            ($n, $since) = ($counts->{requests}, time());
        }
        return time() > $since + ($seconds // 0.3);
    }, undef, 'no more requests');
}


# Trouble -----------------------------------------------------------------

sub lines {
    my ($self, $level, $text, $mark) = @_;
    return scalar(() = $self->{test}->grep_log(
        qr/\[(?:$level)\] .*\Q$text\E/, $mark));
}

sub told_once {
    my ($self, $most) = @_;
    my ($begun, $over);

    IlertWait::wait_until(sub {
        $begun = $self->lines('crit|error', '; events are ');
        $over = $self->lines('notice', ': committing again');
        return $begun && $begun == $over;
    }, undef, 'lines about trouble, and as many about its end');

    Test::More::cmp_ok($begun, '<=', $most, 'lines of trouble in the log');
    Test::More::is($over, $begun, 'lines of its end');
}

# Each worker finds out for itself that it is over.

sub recovers {
    my ($self, $seconds) = @_;
    my $r;

    my $accepted = IlertWait::wait_until(sub {
        for (1 .. 8) {
            $r = $self->post('again', 'CRITICAL');
            return 0 if $r->{result} ne 'ACCEPTED';
        }
        return 1;
    }, $seconds, 'webhooks that are committed');

    Test::More::ok($accepted, 'it recovers by itself')
        or Test::More::diag($r->{body});
}

sub ends_well {
    my ($self, %opt) = @_;

    $self->last_words;
    Test::More::ok($self->drained, 'all is delivered');
    Test::More::is_deeply([ $self->faults(%opt) ], [], 'the audit');
    Test::More::is($self->value('pragma integrity_check'), 'ok', 'is whole');
    $self->stop;
}


# The folder --------------------------------------------------------------

sub courier {
    my ($self) = @_;
    my $inode = (stat $self->dir . '/courier.lock')[1] or return '';

    # a file of another file system may have the same inode number
    my @pids = grep { $self->{test}->has_process($_) }
               IlertTest::lock_holders('FLOCK', $inode);
    croak "several couriers: @pids" if @pids > 1;
    return $pids[0] // '';
}

sub files {
    my ($self) = @_;
    my %files;

    for my $path (glob '"' . $self->dir . '"/*') {
        my @stat = stat $path or next;
        my ($name) = $path =~ m{([^/]+)$};
        $files{$name} = [ sprintf('%04o', $stat[2] & 07777), @stat[4, 7] ];
    }

    return \%files;
}

# nginx may make files in it meanwhile.

sub lose_folder {
    my ($self) = @_;
    my $dir = $self->dir;

    rename $dir, "$dir.gone" or croak "$dir: $!";
    remove_tree("$dir.gone");
}

sub have_key {
    my ($self) = @_;
    my @keys = map { quotemeta } keys %{$self->{fake}->keys};
    my $pattern = join '|', @keys;
    my @found;

    for my $path (grep { -f } glob '"' . $self->dir . '"/*') {
        my $text = IlertTest::slurp($path) // next;
        push @found, $path if $text =~ /$pattern/i;
    }

    return @found;
}

1;
