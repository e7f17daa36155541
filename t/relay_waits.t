#!/usr/bin/perl

# An event is relayed only if nothing of its alert waits, whatever the queue
# can do and whatever other workers are at: else an ALERT that waits would
# come after its RESOLVE, when the queue can be used again.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest qw(:DEFAULT mount unmount fill);

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);
my ($nobody, $uid, $gid) = (IlertQueue::nobody(), 0);
$gid = (getpwnam 'nobody')[3] if $nobody;

my $RELAYED = 'events are relayed unless earlier ones of their alert wait';
my $REFUSED = 'events are refused';
my $WAITS = 'the queue cannot be written to, and earlier events of the alert '
            . 'wait in it';
my $UNKNOWN = 'the queue can be neither written to nor asked for earlier '
              . 'events of the alert';

sub queue { IlertQueue->anew($fake, @_) }

# "gone" has been delivered, and a CRITICAL of "k" waits.

sub fill_queue {
    my ($q) = @_;
    $fake->accept;
    $q->start;
    $q->say('gone CRITICAL');
    ok($q->drained, 'one is delivered');
    $fake->refuse(all => 1);
    $q->say('k CRITICAL');
}

sub answer {
    my ($r) = @_;
    return "$r->{status} " . ($r->{json}{error} // $r->{result});
}

# What is answered while the queue cannot be used, by any worker.

sub holds {
    my ($q, $asked) = @_;

    for my $try (1 .. 4) {
        is(answer($q->post('k', 'OK', timeout => 20)),
           '503 ' . ($asked ? $WAITS : $UNKNOWN), 'what waits is not passed');
        my $wanted = $asked ? '202 DELIVERED' : "503 $UNKNOWN";
        is(answer($q->post('gone', 'OK', timeout => 20)), $wanted, 'another');
        is(answer($q->post('new', 'CRITICAL', timeout => 20)), $wanted);
        sleep(0.2);
    }

    is($q->lines('crit', '; ' . ($asked ? $RELAYED : $REFUSED)), 1,
       'the log says so');
    is($q->lines('crit', '; ' . ($asked ? $REFUSED : $RELAYED)), 0);
}

sub cured {
    my ($q) = @_;
    $q->start if !$q->test->running;
    $q->recovers(8);
    $q->ends_well(parallel => 0);
}

# broken(%opt, break => sub, cure => sub, asked => 0 | 1): nginx does not run
# meanwhile, and is killed before if there is to be a log.

sub broken {
    my ($what, %opt) = @_;

    subtest $what => sub {
        my $q = $opt{queue} || queue(%{$opt{with} || {}});
        fill_queue($q);

        $opt{log} ? $q->crash : $q->stop;
        is(-s $q->db . '-wal' ? 1 : 0, $opt{log} // 0, 'a log');
        $fake->accept;
        $opt{break}->($q);
        $q->start;
        holds($q, $opt{asked});

        $q->stop;
        is($fake->alerts->{$KEY}{k}, undef, 'nothing of it was sent');
        $opt{cure}->($q);
        cured($q);
    };
}


my $schema;

broken('a newer schema', asked => 1,
    break => sub { $schema = $_[0]->value('pragma user_version');
                   $_[0]->sql('pragma user_version = 99') },
    cure => sub { $_[0]->sql("pragma user_version = $schema") });

# Workers that have it open go on; those that come later cannot.

for my $how ('reload', 'a worker dies') {
    subtest "a newer schema, $how" => sub {
        my $q = queue(workers => 1);
        my $t = $q->test;
        fill_queue($q);

        my $version = $q->value('pragma user_version');
        $q->sql('pragma user_version = 99');
        is(answer($q->post('k', 'WARNING')), '202 ACCEPTED', 'it is open');

        if ($how eq 'reload') {
            $q->reload;

        } else {
            $t->expect_log(qr/exited on signal 9/);
            my ($pid) = $t->workers;
            $t->kill_worker(KILL => $pid);
            ok(wait_until(sub { my ($new) = $t->workers;
                                $new && $new != $pid && $t->_ready }),
               'another worker');
        }

        $fake->accept;
        holds($q, 1);
        $q->sql("pragma user_version = $version");
        cured($q);
    };
}

# One that never could open it, and has ended.

subtest 'relays of an nginx before' => sub {
    my $q = queue(workers => 1,
                  sources => { ops => 'retry 50ms 400ms; coalesce repeats;' });
    $fake->accept;
    $q->start;

    is(answer($q->post('k', $_)), '202 ACCEPTED') for qw(CRITICAL OK);
    ok($q->drained);

    my $version = $q->value('pragma user_version');
    $q->stop;
    $q->sql('pragma user_version = 99');
    $q->test->expect_log(qr/newer release/);
    $q->start;
    is(answer($q->post('k', 'CRITICAL')), '202 DELIVERED', 'is relayed');
    $q->stop;

    ok(-e $q->dir . '/relayed', 'it is noted');
    $q->sql("pragma user_version = $version");
    my $n = $fake->counts->{requests};
    $q->start;
    is(answer($q->post('k', 'OK')), '202 ACCEPTED');
    ok($fake->wait_requests($n + 1), 'the end of what was relayed');
    is($fake->request(-1)->{type}, 'RESOLVE', 'is sent');
    ok(!-e $q->dir . '/relayed', 'and the note is removed');
};

# Of another owner.

SKIP: {
    skip('rights do not stop us', 1) if $> == 0 && !$nobody;

    my %with = $nobody ? (user => $nobody) : ();
    my $own = sub {
        my ($owner, $group, $mode) = @_;
        return sub {
            my ($q) = @_;
            for (glob $q->db . '*') {
                chown $owner, $group, $_ if $nobody;
                chmod $mode, $_;
            }
        };
    };

    for my $log (0, 1) {
        my $what = $log ? 'with a log' : 'without one';
        broken("another owner's, $what", log => $log, asked => 1,
            with => \%with, break => $own->(0, 0, 0444),
            cure => $own->($uid, $gid, 0600));
        broken("unreadable, $what", log => $log, asked => 0,
            with => \%with, break => $own->(0, 0, 0),
            cure => $own->($uid, $gid, 0600));
    }
}

sub remount {
    my ($disk, $how) = @_;
    system("mount -o remount,$how '$disk'") == 0 or die "remount: $?";
}

sub disk {
    my ($q) = @_;
    my $disk = $q->test->path('disk');
    return mount($disk, 'size=16m,mode=0755') ? $disk : undef;
}

for my $log (0, 1) {
    my $what = $log ? 'with a log' : 'without one';
    my $q = queue(queue => 'disk/queue');
    my $disk = disk($q);

    if (!$disk) {
        note('no file system can be mounted');
        last;
    }

    # what is left by a worker that was killed, or not

    broken("a read-only file system, $what", queue => $q, log => $log,
        asked => 1,
        break => sub { unlink $q->db . '-shm'; remount($disk, 'ro') },
        cure => sub { remount($disk, 'rw') });
    unmount($disk);

    # the ballast is gone, since it was full before

    $q = queue(queue => 'disk/queue');
    $disk = disk($q);
    broken("a full file system at the start, $what", queue => $q,
        log => $log, asked => 1,
        break => sub {
            unlink $q->db . '-shm', $q->dir . '/ballast';
            fill("$disk/filler");
        },
        cure => sub { unlink "$disk/filler" });
    unmount($disk);
}


# Two workers, and a disk that is slow for one of them.

sub slow {
    my ($what, $sub) = @_;

    subtest $what => sub {
        my $shim = IlertShim->new or plan(skip_all => 'no compiler');
        my $q = queue(shim => $shim);
        $shim->folder($q->dir);
        $fake->accept;
        $q->start;
        $q->say('k CRITICAL', 'k OK', 'x OK');
        ok($q->drained);
        my @workers = $q->test->workers;
        is(scalar(@workers), 2);
        $sub->($q, $shim, @workers);
        $shim->stuck(0);
        cured($q);
    };
}

# One that the other worker cannot take, as it is stopped.

sub post_to {
    my ($q, $other, @arguments) = @_;

    kill 'STOP', $other;
    wait_until(sub { is_stopped($other) }, 10, 'a stopped worker');
    my $h = $q->start_post(@arguments, timeout => 60);
    $q->test->poll(0.05);
    wait_until(sub { !backlog($q->test->port) }, 10, 'an accept');
    kill 'CONT', $other;
    return $h;
}

# all of its threads

sub is_stopped { _all_are('T', @_) }
sub is_waiting { _all_are('S', @_) && _all_are('S', @_) }

sub _all_are {
    my ($state, $pid) = @_;

    for my $path (glob "/proc/$pid/task/*/stat") {
        open my $file, '<', $path or next;
        return 0 if (<$file> // '') !~ /\) $state /;
    }

    return 1;
}

# connections that nobody has accepted yet

sub backlog {
    my ($port) = @_;
    my $hex = sprintf ':%04X', $port;

    open my $file, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    my @queues = map { /^\s*\d+: \w+$hex \w+:\w+ 0A \w+:(\w+)/
                       ? hex $1 : () } <$file>;
    die "nobody listens at $port\n" if !@queues;
    return $queues[0];
}

# The third event of the alert

sub never {
    my ($q) = @_;
    ok($q->drained);
    ok(!(grep { $_->{name} eq 'ops/k' && $_->{number} == 3 } $q->arrived),
       'and never committed');
}

slow('a commit that takes long' => sub {
    my ($q, $shim, $one, $two) = @_;

    $shim->stuck($one);
    my $h = post_to($q, $two, 'k', 'CRITICAL');
    $q->pass(21);
    is(answer($q->finish($h)), '503 the event could not be committed in time',
       'is given up');

    # the other worker cannot know that it will wait

    for (1 .. 2) {
        $h = post_to($q, $one, 'k', 'OK');
        is(answer($q->finish($h)), "503 $UNKNOWN", 'what comes next waits');
    }

    is($q->lines('crit', "is locked by another process; $REFUSED"), 1,
       'the log says so');

    $shim->stuck(0);
    ok(wait_until(sub { ($fake->alerts->{$KEY}{k}{state} // '') ne 'resolved'
                      }), 'it was committed, and is delivered');
});

slow('one that has not begun' => sub {
    my ($q, $shim, $one, $two) = @_;

    $shim->stuck($one);
    my $first = post_to($q, $two, 'x', 'CRITICAL');
    my $second = post_to($q, $two, 'k', 'CRITICAL');
    $q->pass(21);
    is(answer($q->finish($second)),
       '503 the event could not be committed in time', 'is given up');
    $q->finish($first);

    $shim->stuck(0);
    $q->recovers(8);
    is(answer($q->post('k', 'OK')), '202 ACCEPTED');
    never($q);
});

slow('one that waits for the lock' => sub {
    my ($q, $shim, $one, $two) = @_;

    $shim->stuck($one);
    my $first = post_to($q, $two, 'x', 'CRITICAL');
    my $second = post_to($q, $one, 'k', 'CRITICAL');
    $q->pass(21);
    is(answer($q->finish($second)),
       '503 the event could not be committed in time', 'is given up');
    $shim->stuck(0);
    $q->finish($first);

    $q->recovers(8);
    is(answer($q->post('k', 'OK')), '202 ACCEPTED');
    never($q);
});

# A worker that stands still until Kapacitor does not wait any longer.

slow('a worker that stands still' => sub {
    my ($q, $shim, $one, $two) = @_;

    $shim->stuck($two);
    my $first = post_to($q, $one, 'x', 'CRITICAL');
    my $second = post_to($q, $two, 'k', 'CRITICAL');

    # it must not have a lock that the other one needs

    wait_until(sub { is_waiting($one) }, 10, 'a worker that waits');
    kill 'STOP', $one;
    $shim->pass(31);
    $shim->stuck(0);
    $q->finish($first);
    is(answer($q->post('k', 'OK')), '202 ACCEPTED',
       'the other takes the next');
    kill 'CONT', $one;
    is(answer($q->finish($second)),
       '503 the event could not be committed in time', 'is given up');
    $q->recovers(8);
    never($q);
});

done();
