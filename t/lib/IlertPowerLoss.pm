package IlertPowerLoss;

# The queue after a loss of power.  An image has the files of the queue as they
# may be if the power is lost at some point of a record.  A real nginx opens
# the image.  Webhooks that were answered 202 before that point, and were not
# taken by ilert, must be delivered, events of an alert must come in their
# order, and the database must be whole.
#
#     IlertPowerLoss::record($dir) or plan(skip_all => 'no compiler');
#     my $loss = IlertPowerLoss->new($dir);
#     $loss->images(12, $seed, sub { print $loss->open($_[0]) });
#
# record($dir, %opt)    makes the record in $dir (IlertRecord) of load, kills,
#                       a reload, stops, starts, a full disk, a damaged file,
#                       and losses of power; false without a compiler
#     pace => 1             longer parts of each
# new($dir, %opt)       reads it
#     leave_out => qr//     of IlertDisk: what ought to be found
# images($n, $seed, sub { }[, %only])   calls it with as many images, in the
#     order of their points, the same for the same seed, until it returns
#     "enough"; those of these numbers only.  An image:
#     { number, point (entry of the record), step, class, text (what is left),
#       files, owed => { name n => 1 }, .. }
# open($image)          nginx opens it; returns a list of what is wrong
# points                number of points of the record
# acked                 number of answers of 202
# naked                 texts about answers of 202 at which a power loss could
#                       have taken away a name of the database's
#
# Marks of the record: "sent NAME N", "taken NAME N", NAME being SOURCE/ID;
# "event ID NAME N"; "damaged"; "step TEXT", without text what the test itself
# does to the files; "sums JSON"; "shm BYTES".

use warnings;
use strict;

use Cwd qw(abs_path);
use Digest::MD5 qw(md5_hex);
use Errno qw(ENOSPC);
use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use IlertDisk;
use IlertFake;
use IlertQueue;
use IlertRandom qw(chance pick);
use IlertRecord;
use IlertTest qw(wait_until);

my $TWO = 'il1api5ec4e7a02';
my %KEYS = ($IlertQueue::KEY => 'api', $TWO => 'api');
my %SOURCES = (ops => 'retry 50ms 300ms;',
               two => "integration_key $TWO; retry 20ms 100ms;");

my $json = JSON::PP->new->canonical;


# The record --------------------------------------------------------------

{
    package IlertPowerLoss::Queue;
    our @ISA = ('IlertQueue');

    sub start_post {
        my ($self, $id, $level, %opt) = @_;
        my $name = ($opt{source} || 'ops') . "/$id";
        my $n = 1 + ($self->{n}{$name} // 0);
        $self->{shim}->mark("sent $name $n");
        return $self->SUPER::start_post($id, $level, %opt);
    }
}

sub record {
    my ($dir, %opt) = @_;

    my $record = IlertRecord->new($dir) or return;
    my $self = bless { dir => $dir, record => $record,
                       pace => $opt{pace} // 1 }, __PACKAGE__;

    # what the fake has taken is marked before it answers
    my $taken = sub {
        my ($kind, $r) = @_;
        my ($source) = map { $_->[1] } grep { lc $_->[0] eq 'x-source' }
                       @{$r->{headers}};
        $record->mark("taken $source/$r->{event}{summary}")
            if $kind eq 'event';
    };

    $self->{fake} = IlertFake->start(keys => \%KEYS, bodies => 0,
                                     print => $taken);
    $self->{q} = IlertPowerLoss::Queue->new(
        fake => $self->{fake}, sources => \%SOURCES, shim => $record,
        queue => $record->folder . ' max_size=8m', log_level => 'notice');

    $self->scenario;

    for ($self->{q}->ledger) {
        $record->mark("event $_->{event} $_->{source}/$_->{id} $_->{n}")
            if defined $_->{event};
    }

    return 1;
}

sub scenario {
    my ($self) = @_;
    my ($q, $fake, $record) = @$self{qw(q fake record)};
    my $t = $q->test;

    $t->expect_log(qr/exited on signal 9/,
                   qr/shared memory zone .* was locked/);

    $self->begin('the first start');
    $self->load(0.8);

    $self->step('ilert is down');
    $fake->refuse(all => 1);
    $self->load(0.6);
    $self->crash;
    $self->begin('all was killed');
    $self->load(0.4, sub { $fake->accept });

    $self->step('workers are killed');
    $fake->rule(delay => 0.05);
    $self->load(0.8, map { sub { $self->kill_one } } 1 .. 3);

    $self->step('reload');
    $self->load(0.6, sub { $q->reload });
    $fake->clear_rules;
    $self->quit;
    $self->begin('a start after a stop');
    $self->load(0.4);

    $self->step('the disk is full');
    $fake->refuse(all => 1);
    $self->load(0.6, sub { $record->write_error(ENOSPC) });
    $fake->accept;
    $self->load(0.4, sub { $record->write_error(0) });
    $self->lose_power;
    $self->begin('power was lost');
    $self->load(0.4);

    $fake->refuse(all => 1);
    $self->load(0.3);
    $self->lose_power;
    $self->begin('power was lost with events');
    $self->load(0.3, sub { $fake->accept });

    $self->crash;
    $self->spoil;
    $self->begin('the database was damaged');
    $self->load(0.4);
    $self->crash;
    $self->begin('all was killed after damage');
    $self->load(0.3);
    $self->quit;
}

# Sends webhooks for $seconds, times the pace, and calls the subs of @then
# meanwhile, at equal distances.

sub load {
    my ($self, $seconds, @then) = @_;
    my $begun = time();
    my $pause = $self->{pace} * $seconds / (1 + @then);
    my $n = 0;

    $self->{q}->load(alerts => 12, source => [qw(ops two)], rate => 120,
        size => int rand 3000, until => sub {
            return 0 if time() < $begun + $pause * (1 + $n);
            return 1 if $n == @then;
            $then[$n++]->();
            return 0;
        });
}

sub step {
    my ($self, $text) = @_;
    $self->{record}->mark("step $text");
}

sub begin {
    my ($self, $text) = @_;
    $self->step($text);
    $self->{q}->start;
}

sub quit {
    my ($self) = @_;
    $self->step('a stop');
    $self->{q}->stop;
    $self->look;
}

sub crash {
    my ($self) = @_;
    $self->{record}->safely(sub { $self->{q}->crash });
    $self->look;
}

sub kill_one {
    my ($self) = @_;
    my $t = $self->{q}->test;
    my $pid = $self->{q}->courier;
    $pid = pick($t->workers) if !$pid || chance(0.3);

    $self->{record}->safely(sub {
        kill 'KILL', $pid;
        wait_until(sub { !grep { $_ == $pid } $t->_processes }, 10, 'its end');
    });
}

# No process uses the files now, so the record must agree with them.

sub look {
    my ($self) = @_;
    my $folder = $self->{record}->folder;
    my %sums;

    for my $path (grep { -f } glob "$folder/*") {
        my ($name) = $path =~ m{([^/]+)$};
        my $bytes = IlertTest::slurp($path) // die "$path: $!";
        $name =~ /-shm$/ ? $self->{record}->mark("shm $bytes")
                         : ($sums{$name} = md5_hex($bytes));
    }

    $self->{record}->mark('sums ' . $json->encode(\%sums));
}

sub lose_power {
    my ($self) = @_;

    $self->crash;
    my $disk = IlertDisk->new(folder => $self->{record}->folder);
    IlertRecord::entries("$self->{dir}/record", sub { $disk->apply($_[0]) });
    $self->step('');
    $self->{record}->replace($disk->image->{files});
}

# The database is damaged, but its log is good: the log must not be taken for
# that of the new database.

sub spoil {
    my ($self) = @_;
    $self->{record}->mark('damaged');
    $self->{record}->damage('queue.db', 0,
                            IlertDisk::noise(-s $self->{q}->db));
}


# The images --------------------------------------------------------------

sub new {
    my ($class, $dir, %opt) = @_;

    my $self = bless { %opt, file => "$dir/record", acked => 0, entries => 0,
                       folder => abs_path($dir) . '/disk/queue',
                       naked => [], events => {}, chosen => {} }, $class;
    $self->survey;
    return $self;
}

sub acked { $_[0]{acked} }
sub naked { @{$_[0]{naked}} }
sub points { $_[0]{entries} }

# The classes of points at which the power is lost.  Most mistakes would show
# where names come and go, after each step, around a sync, and when a webhook
# is answered.

my %CLASS = ((map { $_ => 'name' } qw(c u r k d)), a => 'answer',
             b => 'sync', e => 'sync', w => 'write', t => 'write');
my $NEAR = 80;

sub survey {
    my ($self) = @_;
    my $disk = IlertDisk->new(folder => $self->{folder});
    my ($i, $since, $step, %points) = (0, 0, '');

    IlertRecord::entries($self->{file}, sub {
        my ($type, $data) = @{$_[0]}{qw(type data)};
        $i++;
        $disk->apply($_[0]);

        if ($type eq 'm') {
            $self->{events}{$1} = $2 if $data =~ /^event (\S+) (.+)/s;
            ($step, $since) = ($1, $i) if $data =~ /^step (.*)/s;
            $self->compare($disk, $1) if $data =~ /^sums (.+)/s;

        } elsif ($type eq 'a') {
            $self->{acked}++;
            push @{$self->{naked}}, map { "$_ ($step)" }
                grep { /^(?:\.\.|queue\.db|queue\.db-wal)$/ } $disk->unsynced;
        }

        my $class = $CLASS{$type};
        return if !$class || $step eq '';
        $self->{entries}++;
        push @{$points{$class}}, [ $i, $step, $class ];
        push @{$points{step}}, [ $i, $step, 'step' ] if $i < $since + $NEAR;
    });

    $self->{points} = \%points;
}

sub compare {
    my ($self, $disk, $sums) = @_;
    my $now = $json->encode($disk->sums);
    die "the record is not complete: $now, but $sums\n" if $now ne $sums;
}

# Chooses points, so that each of them has two images on average.

sub choose {
    my ($self, $n) = @_;
    my @classes = sort keys %{$self->{points}};
    my (%chosen, %seeds);

    for my $i (0 .. $n - 1) {
        my $class = $classes[$i / 2 % @classes];
        my @points = sort { $a <=> $b } keys %chosen;
        my $point = $i % 2 ? $chosen{pick(@points)}
                           : pick(@{$self->{points}{$class}});

        $chosen{$point->[0]} = $point;
        push @{$seeds{$point->[0]}}, int rand 2 ** 31;
    }

    $self->{chosen} = \%chosen;
    return \%seeds;
}

sub images {
    my ($self, $n, $seed, $sub, %only) = @_;

    srand($seed);
    my $seeds = $self->choose($n);
    my $state = { owed => {}, taken => {}, sent => {}, newest => {},
                  damaged => 0, acked => 0, disk => IlertDisk->new(
                      folder => $self->{folder},
                      leave_out => $self->{leave_out}) };
    my ($i, $number) = (0, 0);

    IlertRecord::entries($self->{file}, sub {
        $self->follow($state, $_[0]);

        for my $seed (@{$seeds->{++$i} || []}) {
            next if !$only{++$number} && %only;
            my $answer = $sub->($self->image($state, $number, $i, $seed));
            return $answer if ($answer // '') eq 'enough';
        }

        return;
    });
}

# Follows what Kapacitor and ilert know after an entry of the record.

sub follow {
    my ($self, $state, $entry) = @_;

    if ($entry->{type} eq 'a') {
        my ($event) = $entry->{data} =~ /"event":"(\d+)"/
            or die "an answer without an event: $entry->{data}\n";
        my $what = $self->{events}{$event};
        $state->{owed}{$what} = 1 if defined $what && !$state->{taken}{$what};
        $state->{acked}++;

    } elsif ($entry->{type} eq 'm') {
        $self->follow_mark($state, $entry->{data});

    } else {
        $state->{disk}->apply($entry);
    }
}

sub follow_mark {
    my ($self, $state, $mark) = @_;

    if ($mark =~ /^sent (.+)/s) {
        $state->{sent}{$1} = 1;

    } elsif ($mark =~ /^taken ((.+) (\d+))$/s) {
        delete $state->{owed}{$1};
        $state->{taken}{$1} = 1;
        $state->{newest}{$2} = $3;

    } elsif ($mark =~ /^shm (.*)/s) {
        $state->{disk}->old_shm($1);

    } elsif ($mark eq 'damaged') {
        $state->{owed} = {};
        $state->{acked} = 0;
        $state->{damaged} = $state->{disk}->number('queue.db');
    }
}

# nginx may find a file damaged if it is the one that we have damaged, or if no
# webhook has been answered whose event could be in it.

sub image {
    my ($self, $state, $number, $point, $seed) = @_;

    srand($seed);
    my $image = $state->{disk}->image;
    my $db = $image->{objects} && $image->{objects}{'queue.db'};
    my (undef, $step, $class) = @{$self->{chosen}{$point}};

    return {
        %$image, number => $number, point => $point, seed => $seed,
        step => $step, class => $class,
        owed => { %{$state->{owed}} }, sent => { %{$state->{sent}} },
        newest => { %{$state->{newest}} },
        may_be_damaged => $state->{acked} == 0
                          || defined $db && $db == $state->{damaged},
    };
}


# An nginx opens it -------------------------------------------------------

sub open {
    my ($self, $image) = @_;

    # the timeout is long: no event is sent again that was just not answered
    my $q = $self->{q} ||= IlertQueue->new(
        fake => IlertFake->start(keys => \%KEYS, bodies => 0),
        timeout => '20s', sources => \%SOURCES, queue => 'queue max_size=8m',
        log_level => 'notice');
    my $t = $q->test;
    my $mark = $t->mark;
    my @faults;

    srand($image->{seed});
    $q->forget;
    $t->{opt}{workers} = pick(1, 1, 2);
    fill($q->dir, $image->{files});

    if (!eval { $q->start; 1 }) {
        @faults = ("nginx does not start: $@");

    } else {
        @faults = delivers($q);
        $q->stop;
        my $whole = eval { $q->value('pragma integrity_check') } // $@;
        push @faults, "integrity_check: $whole" if $whole ne 'ok';
    }

    return (@faults, judge($q, $image),
            grep { /\[(?:alert|emerg|crit|error)\]|exited on signal/ }
            grep { !/is damaged/ || !$image->{may_be_damaged} }
            split /\n/, $t->log_since($mark));
}

sub fill {
    my ($dir, $files) = @_;

    remove_tree($dir);
    return if !$files;
    mkdir $dir, 0700 or die "$dir: $!";

    for my $name (keys %$files) {
        CORE::open my $file, '>:raw', "$dir/$name" or die "$dir/$name: $!";
        chmod 0600, $file;
        print $file $files->{$name};
        close $file or die "$dir/$name: $!";
    }

    POSIX::mkfifo("$dir/wakeup", 0600) if chance(0.5);
}

# Waits until one more webhook has been delivered, and nothing waits.

sub delivers {
    my ($q) = @_;

    my $r = $q->post('after', 'CRITICAL');
    my @faults = "$r->{status} $r->{result}" eq '202 ACCEPTED' ? ()
                 : "a webhook is answered $r->{status} $r->{result}";

    push @faults, 'not all is delivered'
        if !wait_until(sub { !$q->waiting && $q->taken->{'ops/after'} }, 20,
                       'an empty queue');
    return @faults;
}

sub judge {
    my ($q, $image) = @_;
    my %owed = %{$image->{owed}};
    my $arrivals = $q->taken;
    my @faults = map { $_->{fault} // () } $q->arrived;

    delete $arrivals->{'ops/after'};

    for my $name (sort keys %$arrivals) {
        my $last = ($image->{newest}{$name} // 0) - 1;

        for my $n (@{$arrivals->{$name}}) {
            push @faults, "$name $n was never sent"
                if !$image->{sent}{"$name $n"};
            push @faults, "$name $n came after $last" if $n <= $last;
            delete $owed{"$name $n"};
            $last = $n;
        }
    }

    push @faults, map { "$_ is lost" } sort keys %owed;
    push @faults, map { "$_: was moved aside" }
                  grep { /damaged/ && !exists $image->{files}{$_} }
                  keys %{$q->files}
        if !$image->{may_be_damaged};

    return @faults;
}

1;
