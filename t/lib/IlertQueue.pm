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
#                         with a location /NAME each, and with the first key
#                         unless there is one among the members
#     keys => { .. }      of the fake, default { $IlertQueue::KEY => 'api' }
#     timeout => '2s'     proxy_read_timeout and proxy_connect_timeout
#     http, server, endpoint => more directives there
#     fake => IlertFake or its options
#     and all options of IlertTest->new but conf
#   test, fake, dir (of the queue)
#   start, stop, reload, crash, .. : those of IlertTest
#   change(%opt)          of the first seven, for the next start or reload
#
# post($id, $level, %opt)       one webhook of the alert $id; returns the
#     answer of IlertTest's post with {result}, $ilert_result.
#     source => 'ops', size => bytes in its details, and options of post
#   start_post(..), finish(@handles): several at once
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
# The fake's list is told by the summary of an event, "ID N".
# arrivals              { "source/id" => [n, ..] } in order of arrival
# faults(%opt)          what is wrong with it:
#     each event that was answered 202 was answered 202 by ilert; what arrived
#     was sent; of an alert none came before an older one; never two requests
#     of an alert at a time; ilert shows what the last webhook of each alert
#     says
#     once => 1           nothing was sent twice
#     parallel => 0       two at a time are none (a killed worker's request
#                         may be read after its successor's)
#     shows => 0          what ilert shows is not looked at
#     lost => [events]    ids that need not arrive
# repeats               requests more than events that arrived
#
# sql($query)           rows of queue.db by the program sqlite3
# value($query)         the first column of the first row
# waiting               number of events in it
# dead                  list of { id, source, alert_key, status, error, .. }
# marks                 number of alerts that are marked as under way
# drained($seconds)     true when nothing waits (default 10 s)
# lines($level, $text[, $mark])   number of lines of the error log
# told_once($most)      two tests: there are at most so many lines about
#     trouble with the disk, and as many, soon, about its end
# recovers($seconds)    a test: webhooks are committed again (default 5 s)
# ends_well(%opt)       three tests: when each alert has had one more webhook
#     the queue gets empty, faults(%opt) finds none, the database is whole; and
#     stop
# courier               pid of the process that holds courier.lock, or ''
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
use Test::More ();
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertTest ();

our $KEY = 'il1api5ec4e7a01';
our $KAP = 'il1kap5ec4e7b01';

my @OURS = qw(queue sources timeout http server endpoint fake keys);
my %TYPE = (OK => 'RESOLVE', map { $_ => 'ALERT' } qw(INFO WARNING CRITICAL));


sub need {
    my $found = grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};

    Test::More::plan(skip_all => 'no program sqlite3') unless $found;
    Test::More::plan(skip_all => 'an nginx without threads')
        unless IlertTest::_version_text() =~ /--with-threads/;
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
        queue => 'queue', timeout => '2s', http => '', server => '',
        endpoint => '', sources => { ops => 'retry 50ms 400ms;' },
        n => {}, ledger => [],
    }, $class;

    my $keys = delete $opt{keys} || { $KEY => 'api' };
    my $fake = delete $opt{fake} || {};
    $self->{fake} = ref $fake eq 'HASH'
                    ? IlertFake->start(keys => $keys, bodies => 0, %$fake)
                    : $fake;

    $self->set(\%opt);
    $self->{test} = IlertTest->new(workers => 2, fake => $self->{fake},
        conf => $self->conf, %opt);

    return $self;
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
        $self->{test}->$name(@arguments);
        return $self;
    };
}

sub conf {
    my ($self) = @_;
    my ($sources, $locations) = ('', '');

    for my $name (sort keys %{$self->{sources}}) {
        my $members = $self->{sources}{$name};
        $members = "integration_key $KEY; $members"
            unless $members =~ /integration_key|webhook_url/;
        $sources .= "ilert_source $name { $members }\n";
        $locations .= "location = /$name { ilert_kapacitor $name;\n"
            . "add_header X-Result \$ilert_result always; }\n";
    }

    my $queue = defined $self->{queue} ? "ilert_queue $self->{queue};" : '';

    return <<"CONF";
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
        proxy_set_header X-Attempt \$ilert_attempt;
        proxy_read_timeout $self->{timeout};
        proxy_connect_timeout $self->{timeout};
        $self->{endpoint}
    }

    $self->{server}
}
CONF
}


# Kapacitor ---------------------------------------------------------------

sub webhook {
    my ($id, $n, $level, $size) = @_;

    my $details = $size ? 'x' x $size : '';
    return qq({"id":"$id","message":"$id $n","details":"$details",)
         . qq("time":"2026-03-01T08:15:30Z","duration":0,"level":"$level"}\n);
}

sub start_post {
    my ($self, $id, $level, %opt) = @_;

    my ($source, $size) = delete @opt{qw(source size)};
    $source ||= 'ops';

    my $n = ++$self->{n}{"$source/" . IlertFake::fold($id)};
    my $entry = { source => $source, id => $id, n => $n, level => $level,
                  begun => time() };
    push @{$self->{ledger}}, $entry;

    my $handle = $self->{test}->start_post("/$source",
        webhook($id, $n, $level, $size), %opt);

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
    $self->{fake}->reset;
}


# The audit ---------------------------------------------------------------

# One webhook of each alert, so that the last one is known to be safe.

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

# The source of a request is told by its key.

sub source_of {
    my ($self, $request) = @_;

    if (!$self->{key_of}) {
        for my $name (sort keys %{$self->{sources}}) {
            my ($key) = $self->{sources}{$name}
                =~ m{(?:integration_key\s+|kapacitor/)(\w+)};
            $self->{key_of}{$key // $KEY} //= $name;
        }
    }

    return $self->{key_of}{$request->{key}} // $request->{key};
}

sub arrived {
    my ($self) = @_;
    delete $self->{key_of};

    my @arrived;

    for my $r (grep { defined $_->{type} } $self->{fake}->requests) {
        my ($id, $n) = ($r->{event}{summary} // '') =~ /^\s*(.*?)\s* (\d+)$/s
            or croak "unexpected event: $r->{n} $r->{uri}";
        my $name = $self->source_of($r) . '/' . IlertFake::fold($id);
        push @arrived, { %$r, name => $name, number => $n };
    }

    return @arrived;
}

sub arrivals {
    my ($self) = @_;
    my %arrivals;
    push @{$arrivals{$_->{name}}}, $_->{number} for $self->arrived;
    return \%arrivals;
}

sub repeats {
    my ($self) = @_;
    my %seen;
    return scalar grep { $seen{"$_->{name} $_->{number}"}++ } $self->arrived;
}

sub faults {
    my ($self, %opt) = @_;

    my (@faults, %sent, %last, %taken, %times, %newest);
    my %lost = map { $_ => 1 } @{$opt{lost} || []};

    for ($self->ledger) {
        my $name = "$_->{source}/" . IlertFake::fold($_->{id});
        $sent{"$name $_->{n}"} = $_;
        $last{$name} = $_ if !$last{$name} || $last{$name}{n} < $_->{n};
    }

    for my $r ($self->arrived) {
        my ($name, $n) = @$r{qw(name number)};
        my $what = "$name $n (request $r->{n})";
        my $entry = $sent{"$name $n"};

        push @faults, "$what: $r->{fault}" if defined $r->{fault};
        push @faults, "$what was never sent" if !$entry;
        push @faults, "$what is $r->{type} for $entry->{level}"
            if $entry && $TYPE{$entry->{level}} ne $r->{type};
        push @faults, "$what came after $newest{$name}"
            if ($newest{$name} // 0) > $n;
        push @faults, "$what: $r->{parallel} at a time"
            if ($opt{parallel} // 1) && $r->{parallel} > 1;
        push @faults, "$what was sent again"
            if $times{"$name $n"}++ && $opt{once};

        $newest{$name} = $n;
        $taken{"$name $n"}++ if $r->{status} =~ /^2/;
    }

    for my $what (sort keys %sent) {
        my $entry = $sent{$what};
        next if ($entry->{status} // 0) != 202 || $taken{$what};
        next if defined $entry->{event} && $lost{$entry->{event}};
        push @faults, "$what: answered 202 $entry->{result}, event "
                      . ($entry->{event} // '-') . ', but did not arrive';
    }

    push @faults, $self->shown(\%last) if $opt{shows} // 1;
    return @faults;
}

sub shown {
    my ($self, $last) = @_;
    my ($alerts, @faults) = $self->{fake}->alerts;
    my %shown;

    for my $key (keys %$alerts) {
        my $source = $self->source_of({ key => $key });
        $shown{"$source/$_"} = $alerts->{$key}{$_}{state}
            for keys %{$alerts->{$key}};
    }

    for my $name (sort keys %$last) {
        my $open = $last->{$name}{level} ne 'OK';
        my $state = $shown{$name} // 'none';
        push @faults, "$name is $state after $last->{$name}{level}"
            if ($state eq 'open') != $open;
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
    return IlertTest::wait_until(sub { !$self->waiting }, $seconds,
                                 'an empty queue');
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

    IlertTest::wait_until(sub {
        $begun = $self->lines('crit|error', '; events are relayed');
        $over = $self->lines('notice', ': committing again');
        return $begun && $begun == $over;
    }, 8);

    Test::More::cmp_ok($begun, '<=', $most, 'lines of trouble in the log');
    Test::More::is($over, $begun, 'lines of its end');
}

sub recovers {
    my ($self, $seconds) = @_;
    my $r;

    my $accepted = IlertTest::wait_until(sub {
        $r = $self->post('again', 'CRITICAL', timeout => 20);
        return $r->{result} eq 'ACCEPTED';
    }, $seconds // 5);

    Test::More::ok($accepted, 'it recovers by itself')
        or Test::More::diag($r->{body});
}

sub ends_well {
    my ($self, %opt) = @_;

    $self->last_words;
    Test::More::ok($self->drained(15), 'all is delivered');
    Test::More::is_deeply([ $self->faults(%opt) ], [], 'the audit');
    Test::More::is($self->value('pragma integrity_check'), 'ok', 'is whole');
    $self->stop;
}


# The folder --------------------------------------------------------------

sub courier {
    my ($self) = @_;
    my $inode = (stat $self->dir . '/courier.lock')[1] or return '';

    # a list that changes meanwhile may tell of one twice
    open my $locks, '<', '/proc/locks' or die "/proc/locks: $!";
    my %pids = map { /FLOCK\s+\S+\s+WRITE\s+(-?\d+)\s+\w+:\w+:$inode\s/
                     && $_ !~ /->/ ? ($1 => 1) : () } <$locks>;
    my @pids = sort keys %pids;
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

sub have_key {
    my ($self) = @_;
    my @keys = map { quotemeta } keys %{$self->{fake}->keys};
    my $pattern = join '|', @keys;
    my @found;

    for my $path (grep { -f } glob '"' . $self->dir . '"/*') {
        open my $file, '<:raw', $path or next;
        local $/;
        my $text = <$file> // '';
        push @found, $path if $text =~ /$pattern/i;
    }

    return @found;
}

1;
