#!/usr/bin/perl

# "ilert_status" while the queue is in trouble: it is answered from memory, and
# soon, when the disk is full, broken or stuck or the database is locked; and
# "?ready", by which a load balancer chooses: also when no webhook comes.

use warnings;
use strict;

use Config;
use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO ENOSPC EROFS);
use Fcntl qw(F_SETLK F_WRLCK LOCK_EX LOCK_NB SEEK_SET);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest qw(:DEFAULT mount unmount fill);

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);

sub queue {
    return IlertStatus->anew($fake, timeout => '1s',
                             sources => { ops => 'retry 50ms 200ms;' }, @_);
}

# A client that gives up after so long is a test that fails.

sub soon { (timeout => 5) }

# One event that waits, one open alert, one dead letter.

sub prepare {
    my ($q) = @_;
    $fake->rule(match => qr/"bad 1"/, status => 400);
    $fake->rule(match => qr/"stuck 1"/, status => 500);
    $q->say('open CRITICAL', 'bad CRITICAL', 'stuck WARNING');
    return $q->becomes(sub { $_->{queue}{pending} == 1
        && $_->{sources}{ops}{open_alerts} == 1
        && $_->{sources}{ops}{dead} == 1 }, 'something is known');
}

# What it says while it is in trouble.

sub troubled {
    my ($q, $what, $state, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $s = $q->becomes(sub { $_->{queue}{state} =~ /^(?:$state)$/ },
                        "$what: $state");
    like($s->{queue}{error}, $opt{error} // qr/\S/,
         'why: ' . ($s->{queue}{error} // ''));
    is($s->{sources}{ops}{$_->[0]}, $_->[1], "the last known $_->[0]")
        for [ open_alerts => 1 ], [ dead => 1 ];
    cmp_ok($s->{queue}{pending}, '>=', 1, 'what waits is known');
    not_ready($q, $what);
    return $s;
}

sub not_ready {
    my ($q, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $error;

    ok(wait_until(sub { my $status; ($status, $error) = $q->ready;
                        $status == 503 }, 5), "$what: it is not ready");
    like($error // '', qr/^[^\n]+$/, 'why: ' . ($error // ''));
    return $error;
}

sub is_over {
    my ($q, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(wait_until(sub { ($q->ready)[0] == 200 }, 8), "$what: ready again");
    $q->becomes(sub { $_->{queue}{state} eq 'ok' }, 'the state is ok');
}


subtest 'a disk that fails' => sub {
    my $shim = IlertShim->new or plan(skip_all => 'no compiler');
    my $q = queue(shim => $shim);
    $shim->folder($q->dir);
    $q->start;
    my $before = prepare($q);

    # no webhook comes: only ?ready looks
    is_deeply([ $q->ready ], [ 200, undef ], 'ready');
    for my $case ([ write_error => ENOSPC, 'full' ],
                  [ write_error => EROFS, 'error' ],
                  [ sync_error => EIO, 'error' ])
    {
        my ($call, $errno, $state) = @$case;
        local $! = $errno;
        my $what = "$!";
        $shim->$call($errno);
        not_ready($q, "idle, $what");
        troubled($q, $what, $state);
        $shim->$call(0);
        is_over($q, $what);
    }

    # webhooks do, and are relayed: the numbers go on
    $shim->write_error(ENOSPC);
    my $r = $q->post('other', 'CRITICAL', timeout => 20);
    is($r->{result}, 'DELIVERED', 'one is relayed');
    my $s = troubled($q, 'relaying', 'full');
    is($s->{sources}{ops}{accepted}, $before->{sources}{ops}{accepted} + 1,
       'is accepted');
    is($s->{sources}{ops}{delivered}, $before->{sources}{ops}{delivered} + 1,
       'and delivered');
    is($q->get('/metrics', soon())->{status}, 200, 'metrics');
    my $alert = $q->alert('ops', 'stuck');
    is(ref $alert ? $alert->{waiting} : $alert, 1, 'one alert');

    $r = $q->control('sources/ops/pause', timeout => 10);
    is("$r->{status} $r->{json}{status}", '503 rejected', 'no control');
    like($r->{json}{error}, qr/\S/, "why: $r->{json}{error}");

    $shim->write_error(0);
    $fake->clear_rules;
    is_over($q, 'relaying');
    is($q->status->{sources}{ops}{state}, 'ok', 'it was not paused');
    ok($q->drained, 'all is delivered');
    $q->stop;
};

# A sync that does not return holds a thread, and no status.

subtest 'a disk that is stuck' => sub {
    my $shim = IlertShim->new or plan(skip_all => 'no compiler');
    my $q = queue(shim => $shim);
    $shim->folder($q->dir);
    $q->start;
    prepare($q);

    $shim->stuck(1);
    my $h = $q->start_post('slow', 'CRITICAL', timeout => 40);
    $q->test->poll(0.3);
    for (1 .. 2) {
        my $r = $q->get('/status', soon());
        is($r->{status}, 200, 'is answered');
        is_deeply([ IlertStatus::wrong($r->{body} // '') ], [], 'well');
    }
    not_ready($q, 'stuck');
    is($q->get('/metrics', soon())->{status}, 200, 'metrics');
    ok(!$h->{http}{done}, 'the webhook waits');

    $shim->stuck(0);
    is($q->finish($h)->{status}, 202, 'then it is accepted');
    is_over($q, 'stuck');
    $fake->clear_rules;
    ok($q->drained);
    $q->stop;
};

# A lock on the shared index of its log stops readers as well as writers.  In
# a struct flock of i386 numbers of 64 bits follow without a gap.

sub lock_index {
    my ($q, $type) = @_;
    my ($fh, $path) = (undef, $q->db . '-shm');
    open $fh, '+<', $path or die "$path: $!";
    my $gap = $Config{archname} =~ /^i[3-6]86\b/ ? '' : 'x4';
    my $lock = pack "s s $gap q q l x4", $type, SEEK_SET, 120, 8, 0;
    wait_until(sub { fcntl $fh, F_SETLK, $lock }, 5, 'a lock')
        or die "fcntl: $!";
    return $fh;
}

subtest 'a database that is locked' => sub {
    my $q = queue();
    $q->start;
    my $before = prepare($q);

    local $ENV{HOME} = $q->test->dir;
    open my $in, '|-', 'sqlite3', '-batch', '-cmd', '.timeout 5000', $q->db
        or die;
    $in->autoflush(1);
    print $in "begin exclusive;\n";
    sleep(0.3);
    not_ready($q, 'no writing');
    my $r = $q->get('/status', soon());
    is($r->{status}, 200, 'the status can be had');
    is_deeply([ IlertStatus::wrong($r->{body} // '') ], [], 'and is right');
    $q->post('more', 'CRITICAL', timeout => 20);
    troubled($q, 'for writing', 'error');
    print $in "commit;\n";
    close $in;
    is_over($q, 'unlocked');

    SKIP: {
        skip('a struct flock that we do not know', 1)
            if $^O ne 'linux' || length(pack 'q', 0) != 8
               || length(pack 'j', 0) != 8;

        my $lock = lock_index($q, F_WRLCK);
        my $begun = time();
        $r = $q->get('/status', soon());
        is($r->{status}, 200, 'nor can it be read: answered')
            or diag(sprintf 'after %.1f s', time() - $begun);
        troubled($q, 'for reading', 'error');
        $r = $q->get('/metrics', soon());
        is($r->{status}, 200, 'metrics');
        like($r->{body}, qr/^ilert_queue_up 0$/m, 'say so');
        $r = $q->get('/status?source=ops&alert_key=stuck', soon());
        is($r->{status}, 503, 'an alert cannot be asked for');
        is($r->{json}{status}, 'rejected', 'which is said');
        $r = $q->get('/status?source=none', soon());
        is($r->{status}, 404, 'nor a source that is none');
        close $lock;
        is_over($q, 'unlocked');
    }

    $fake->clear_rules;
    ok($q->drained(15));
    $q->becomes(sub { $_->{queue}{pending} == 0
        && $_->{sources}{ops}{open_alerts} == 2 }, 'numbers are right');
    $q->stop;
};


# Posts until it takes no more.

sub exhaust {
    my ($q, $size) = @_;
    my $n = 0;

    $fake->rule(match => qr/"grow\d+ \d+"/, status => 500);
    return wait_until(sub {
        $q->post('grow' . ++$n, 'CRITICAL', size => $size,
                 timeout => 20)->{result} ne 'ACCEPTED';
    }, 30, 'a full queue');
}

subtest 'a full disk' => sub {
    my $q = queue(queue => 'disk/queue');
    my $disk = $q->test->path('disk');

    if (!mount($disk, 'size=16m,mode=0755')) {
        plan(skip_all => 'no file system can be mounted');
    }

    $q->start;
    prepare($q);
    fill("$disk/filler");
    ok(exhaust($q, 30_000), 'takes no more');
    troubled($q, 'no space', 'full');
    unlink "$disk/filler";
    is_over($q, 'space again');

    # full when nginx starts, and nobody posts
    $q->stop;
    fill("$disk/filler");
    $q->start;
    my $r = $q->get('/status', soon());
    is($r->{status}, 200, 'at the start');
    is_deeply([ IlertStatus::wrong($r->{body} // '') ], [], 'and right');
    like($q->get('/status?ready', soon())->{status}, qr/^(?:200|503)$/,
         'ready or not');
    unlink "$disk/filler";
    is_over($q, 'space again');
    $fake->clear_rules;
    ok($q->drained(15), 'all is delivered');
    $q->stop;
    unmount($disk);
};

subtest 'max_size' => sub {
    my $q = queue(queue => 'queue max_size=1m');
    $q->start;
    prepare($q);
    ok(exhaust($q, 30_000), 'takes no more');
    $q->post('more', 'CRITICAL', size => 30_000, timeout => 20);
    my $s = $q->becomes(sub { $_->{queue}{state} eq 'full' }, 'full');
    like($s->{queue}{error}, qr/max_size|full/, "$s->{queue}{error}");
    cmp_ok($s->{queue}{bytes}, '<=', 1 << 20, 'its size');
    cmp_ok($s->{queue}{bytes}, '>', 1 << 19, 'is near to it');
    not_ready($q, 'no room for an event');

    $fake->clear_rules;
    ok($q->drained(10), 'delivered');
    $q->recovers;
    is_over($q, 'room again');
    $q->stop;
};

subtest 'a folder that is not as it was' => sub {
    my $q = queue();
    $q->start;
    $q->say('open CRITICAL');
    ok($q->drained);

    my $dir = $q->dir;
    $q->lose_folder;
    not_ready($q, 'without its folder');
    my $s = $q->becomes(sub { $_->{queue}{state} eq 'error' }, 'an error');
    like($s->{queue}{error}, qr/\S/, 'why: ' . ($s->{queue}{error} // ''));
    mkdir $dir, 0700;
    is_over($q, 'with a new one');
    is($q->status->{sources}{ops}{accepted}, 1, 'counters are kept');
    $q->stop;

    # of a newer release
    my $version = $q->value('pragma user_version');
    $q->sql('pragma user_version = 99');
    $q->start;
    not_ready($q, 'another schema');
    $s = $q->becomes(sub { $_->{queue}{state} eq 'error' }, 'an error');
    like($s->{queue}{error}, qr/newer release/, $s->{queue}{error});
    is($s->{queue}{path}, $dir, 'the path is known');
    $q->sql("pragma user_version = $version");
    is_over($q, 'the right one');
    $q->stop;
};

subtest 'no courier' => sub {
    my $q = queue();
    $q->start;
    ok(wait_until(sub { $q->courier }, 3));
    $q->stop;

    open my $lock, '+<', $q->dir . '/courier.lock' or die $!;
    flock($lock, LOCK_EX | LOCK_NB) or die "flock: $!";
    $q->start;
    like(not_ready($q, 'somebody else has its lock'), qr/delivers/,
         'the reason');
    my $r = $q->post('a', 'CRITICAL');
    is($r->{result}, 'ACCEPTED', 'events are accepted');
    close $lock;
    is_over($q, 'it is ours');
    ok($q->drained);

    $q->test->kill_worker(KILL => $q->courier);
    $q->test->expect_log(qr/shared memory zone .* was locked/);
    is_over($q, 'another worker has it');
    $q->stop;
};

subtest 'without a queue' => sub {
    my $q = queue(queue => undef);
    $q->start;
    is_deeply([ $q->ready ], [ 200, undef ], 'ready');
    $fake->refuse(all => 1);
    is($q->post('a', 'CRITICAL')->{status}, 502, 'ilert cannot be reached');
    is_deeply([ $q->ready ], [ 200, undef ], 'ready all the same');
    $fake->accept;
    $q->stop;
};

# Many that ask at once make it look once a second.

subtest 'many' => sub {
    my $q = queue();
    $q->start;
    $q->say('a CRITICAL');
    ok($q->drained);
    my @h = map { $q->test->start_get('/status?ready') } 1 .. 60;
    my %codes = map { $_->{status} => 1 } $q->test->finish(@h);
    is_deeply([ keys %codes ], [ 200 ], 'at once');
    is_deeply([ map { ($q->ready)[0] } 1 .. 20 ], [ (200) x 20 ],
              'one after the other');
    $q->stop;
};

done();
