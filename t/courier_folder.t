#!/usr/bin/perl

# The queue's folder is moved away, or what is in it removed, while nginx runs:
# there is one courier all the same, of the folder and the database that are
# there, and it is woken up.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;

use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $q = IlertStatus->new(all => 1, workers => 3, log_level => 'info',
                         sources => { ops => 'retry 50ms 200ms;' });
my ($t, $fake) = ($q->test, $q->fake);

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

# The courier's lock is that of flock(), which stays with the file.

sub locks { IlertTest::lock_holders('FLOCK', $_[0]) }
sub inode { (stat "$_[0]/courier.lock")[1] }

sub couriers { $t->grep_log(qr/this worker delivers/, $_[0]) }

# Webhooks by all workers

sub spread {
    my ($prefix, $level) = @_;
    my %workers;

    for (1 .. 6) {
        my @answers = $q->finish(map { $q->start_post("$prefix$_", $level,
            port => $t->port(1)) } 1 .. 8);
        is(scalar(grep { $_->{status} != 202 } @answers), 0,
           "$prefix $level: accepted");
        $workers{$_->{header}{'x-worker'}} = 1 for @answers;
        last if keys %workers == 3;
    }

    return scalar keys %workers;
}

# There is one, and it has the lock of the folder that is there.

sub one_courier {
    my ($old) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $courier;
    ok(wait_until(sub { $courier = $q->courier }, 10), 'there is a courier');
    ok(wait_until(sub { !locks($old) }, 10), 'nobody has the old lock');

    # whoever died, and whoever came
    for my $pid ($t->workers) {
        next if $pid == $courier;
        $t->kill_worker(KILL => $pid);
        last;
    }

    ok(wait_until(sub { $t->_ready && ($t->workers) == 3 }, 10), 'workers');
    $q->calm(1.2);
    is_deeply([ locks(inode($q->dir)) ], [ $courier ], 'one has the lock');
    is_deeply([ locks($old) ], [], 'and nobody the old one');
    return $courier;
}

sub quiet_audit {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($q->drained, "$what: delivered");
    is_deeply([ $q->faults(once => 1) ], [], "$what: once each");
}


$q->start;
spread('a', 'CRITICAL');
ok($q->drained, 'delivered');

subtest 'the folder is moved away' => sub {
    my $dir = $q->dir;
    my $inode = inode($dir);
    my $mark = $t->mark;

    # something waits in it
    my $rule = $fake->rule(match => qr/"waits 1"/, status => 500);
    $q->at_once('ops', 'waits');
    ok($fake->wait_requests(9), 'tried');

    rename $dir, "$dir.old" or die "$dir: $!";
    ok(wait_until(sub { ($q->ready)[0] == 503 }, 10), 'it is not ready');
    mkdir $dir, 0700 or die "$dir: $!";
    chown +(stat "$dir.old")[4, 5], $dir;
    ok(wait_until(sub { ($q->ready)[0] == 200 }, 10), 'a new one');
    one_courier($inode);

    spread('b', 'CRITICAL');
    ok($q->drained, 'delivered');
    spread('b', 'OK');
    ok($q->drained, 'and what follows');
    is(scalar(() = couriers($mark)), 1, 'one has begun');
    $fake->drop_rule($rule);
    is($fake->alerts->{$IlertQueue::KEY}{waits}{state} // '', '',
       'what waits in the old one waits');

    # and back, over the new one
    $inode = inode($dir);
    rename $dir, "$dir.new" or die "$dir: $!";
    rename "$dir.old", $dir or die "$dir: $!";
    one_courier($inode);
    ok($q->drained, 'what waited is delivered');
    spread('c', 'CRITICAL');
    spread('c', 'OK');
    ok($q->drained, 'and what comes');
    is_deeply([ $q->faults ], [], 'the audit');
};

subtest 'its lock is removed' => sub {
    my $lock = $q->dir . '/courier.lock';

    $q->forget;
    unlink $lock or die "$lock: $!";
    ok(wait_until(sub { -e $lock && $q->courier }, 10), 'it is made anew');
    $q->calm(1.2);
    is_deeply([ locks(inode($q->dir)) ], [ $q->courier ], 'one courier');
    spread('lock ', 'CRITICAL');
    quiet_audit('the lock');
};

# Something else is in the lock's place: nobody can be the courier.

subtest 'no courier' => sub {
    my $lock = $q->dir . '/courier.lock';
    my $error = 'no worker delivers what is in the queue';
    my $mark = $t->mark;

    $q->forget;

    # a worker may make it anew in between

    ok(wait_until(sub { unlink $lock; mkdir $lock }, 10), 'a directory')
        or return;

    # the one that had the lock is the last one that sees it

    ok($t->wait_log(qr/this worker does not deliver any longer/, 30, $mark),
       'the courier ends');
    ok(wait_until(sub { ($q->ready)[0] == 503 }, 30), 'it is not ready');
    ok(wait_until(sub { ($q->status->{queue}{error} // '') eq $error }, 30),
       'the state says why');
    is($q->status->{queue}{state}, 'error', 'it is an error');
    spread('idle ', 'CRITICAL');
    ok($t->wait_log(qr/\[crit\].*"\Q$lock\E" failed, nothing that waits is/,
                    10, $mark), 'a line');

    rmdir $lock or die "$lock: $!";
    ok(wait_until(sub { ($q->ready)[0] == 200 }, 30), 'it is ready');
    quiet_audit('a directory');
    is($q->status->{queue}{state}, 'ok', 'the state is as it was');
};

# Releases before 0.2.0 had a FIFO in the folder.  A policy of SELinux, for
# example, allows nginx files there, and nothing else.

subtest 'what is in the place of the former FIFO' => sub {
    my $path = $q->dir . '/wakeup';

    POSIX::mkfifo($path, 0600) or die "$path: $!";
    $q->reload;
    ok(wait_until(sub { !-e $path }, 10), 'the FIFO is removed');

    $q->forget;
    $t->write_file('queue/wakeup', "not a FIFO\n");
    $q->reload;
    spread('file ', 'CRITICAL');
    quiet_audit('a file');
    is(-s $path, 11, 'which is left alone');
    unlink $path;
    is_deeply([ grep { !-f } glob($q->dir . '/*') ], [],
              'all that is there is a file');
};

subtest 'a new database' => sub {
    my $courier = $q->courier;
    my $mark = $t->mark;
    $q->forget;
    unlink map { $q->db . $_ } '', '-wal', '-shm';
    spread('new ', 'CRITICAL');
    spread('new ', 'OK');
    quiet_audit('removed');
    is($q->courier, $courier, 'the courier goes on');
    is(scalar(() = couriers($mark)), 0, 'none has begun');
};

done();
