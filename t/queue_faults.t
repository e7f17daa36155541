#!/usr/bin/perl

# A disk that fails, is slow, or is stuck, made by a library that stands before
# libc (tools/shim.c): events are relayed or refused, none is lost, webhooks
# that wait for the disk are answered, whatever becomes of the workers
# meanwhile.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO ENOSPC EROFS);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertHttp2;
use IlertQueue;
use IlertRandom qw(chance pick);
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

sub queue {
    my ($shim, %opt) = @_;
    my $q = IlertQueue->anew($fake, env => $shim->env, %opt);
    $shim->folder($q->dir);
    return $q->start;
}


# A client of its own, that measures the time.

sub background {
    my ($q) = @_;
    my $t = $q->test;

    pipe my $reader, my $writer or die "pipe: $!";
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $r = $t->post('/ops', IlertQueue::webhook('slow', 1, 'CRITICAL'),
                         timeout => 40);
        syswrite $writer, "$r->{status} $r->{time} $r->{raw}";
        POSIX::_exit(0);
    }

    close $writer;
    return $reader;
}

# The disk that is stuck: 20 s until Kapacitor is answered.  This goes on while
# the other tests run.

my $own = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);
my $stuck = queue($shim, fake => $own);
$stuck->post('before', 'CRITICAL');
$stuck->drained;
$shim->stuck(1);
my $answers = background($stuck);

# Webhooks that wait for the disk are not forgotten when the workers leave, and
# may be given up by their clients.

subtest 'a slow disk' => sub {
    my $shim = IlertShim->new;
    my $q = queue($shim);
    $q->post('first', 'CRITICAL');
    ok($q->drained);

    for my $what ('nothing', 'clients go', 'reload', 'QUIT') {
        $shim->stuck(1);
        my @h = map { $q->start_post("s$_", 'CRITICAL') } 1 .. 10;
        $q->test->poll(0.2);

        if ($what eq 'clients go') {
            $q->test->finish(map { $q->test->start_post('/ops',
                IlertQueue::webhook("gone$_", 1, 'CRITICAL'), abort => -1) }
                1 .. 10);
        }

        $q->reload if $what eq 'reload';
        kill 'QUIT', $q->test->master if $what eq 'QUIT';
        $q->test->poll(0.8);
        is(scalar(grep { $_->{http}{done} } @h), 0, "$what: they wait");

        $shim->stuck(0);
        my @r = $q->finish(@h);
        is(join(' ', map { $_->{result} } @r),
           join(' ', ('ACCEPTED') x 10), 'then all are accepted');

        next if $what ne 'QUIT';
        ok(wait_until(sub { !$q->test->running }, 5), 'and it ends');
        $q->start;
    }

    ok($q->drained);
    my $seen = $q->arrivals;
    is(scalar(grep { $seen->{"ops/gone$_"} } 1 .. 10), 10,
       'also those whose clients have gone');
    is_deeply([ grep { !/gone\d+ 1 .* was never sent/ } $q->faults ], []);
    $q->stop;
};

# Over HTTP/2 a client that goes away is noticed at once.

subtest 'a slow disk and HTTP/2' => sub {
    plan(skip_all => 'an nginx without HTTP/2')
        unless IlertTest::has_http2();

    my $shim = IlertShim->new;
    my $q = queue($shim, workers => 1,
        http => 'server { listen 127.0.0.1:%%PORT_1%% http2; '
                . 'location = /ops { ilert_kapacitor ops; } }');
    $q->post('first', 'CRITICAL');
    ok($q->drained);
    my @workers = $q->test->workers;
    my $n = 1;

    for my $case ('waits', 'resets', 'closes') {
        $shim->stuck(1);
        my $client = IlertHttp2->post($q->test->port(1), '/ops',
            IlertQueue::webhook("h-$case", 1, 'CRITICAL'));
        $q->test->poll(0.2);
        $client->cancel if $case eq 'resets';
        $client->close if $case eq 'closes';
        $q->test->poll(0.2);
        $shim->stuck(0);

        ok($fake->wait_events(++$n, 5), "$case: delivered");
        like($client->answer, qr/"status":"accepted"/, 'answered')
            if $case eq 'waits';
        is_deeply($q->arrivals->{"ops/h-$case"}, [ 1 ]);
    }

    is_deeply([ $q->test->workers ], \@workers, 'the worker lives');
    $q->stop;
};

subtest 'a failing disk' => sub {
    my $shim = IlertShim->new;
    my $q = queue($shim);
    $q->post('first', 'CRITICAL');
    ok($q->drained);

    for my $error ([ write_error => ENOSPC ], [ write_error => EIO ],
                   [ sync_error => EIO ], [ write_error => EROFS ])
    {
        my ($call, $errno) = @$error;
        local $! = $errno;
        my $what = "$call $!";

        # another worker may need a while to see that it is over
        $q->recovers;
        $fake->rule(match => qr/"wait \d+"/, status => 500);
        is($q->post('wait', 'CRITICAL')->{result}, 'ACCEPTED', 'one waits');
        $shim->$call($errno);

        my %how;
        for my $n (1 .. 6) {
            my $r = $q->post("x$n", 'CRITICAL', timeout => 20);
            $how{"$r->{status} $r->{result}"}++;
            sleep(0.2);
        }
        is(join(' ', keys %how), '202 DELIVERED', "$what: events are relayed");
        is($q->post('wait', 'OK', timeout => 20)->{status}, 503,
           'but not what has earlier ones');

        $shim->$call(0);
        $q->recovers;
        $fake->clear_rules;
        ok($q->drained(10), 'all is delivered');
    }

    $q->told_once(4);

    # nothing can be written from the start
    $q->stop;
    $shim->write_error(EIO);
    $q->start;
    my $r = $q->post('x1', 'OK', timeout => 20);
    like("$r->{status} $r->{result}", qr/^(?:202 DELIVERED|503 UNAVAIL)/,
         'from the start: ' . $r->{result});
    $shim->write_error(0);
    $q->recovers;
    $fake->clear_rules;
    $q->ends_well;
};

# By chance, with ilert that comes and goes as well, and workers that die.

subtest 'a disk that comes and goes' => sub {
    my $seed = IlertRandom::seed();
    my $shim = IlertShim->new;
    my $q = queue($shim, workers => 4, timeout => '400ms');
    my $t = $q->test;
    my ($next, $end) = (0, time() + ($ENV{QUEUE_CRASH_SECONDS} // 4));

    $t->expect_log(qr/exited on signal 9/,
                   qr/shared memory zone .* was locked/);

    my @ilert = (sub { }, sub { $fake->rule(status => 500) },
                 sub { $fake->rule(reset => 'after', take => pick(0, 1)) },
                 sub { $fake->rule(delay => 0.1) },
                 sub { $fake->refuse(all => 1) });

    my $sent = $q->load(alerts => 12, clients => 10, until => sub {
        return time() > $end if time() < $next;
        $next = time() + 0.05 + rand 0.5;

        $shim->write_error(chance(0.4) ? pick(EIO, ENOSPC, EROFS) : 0);
        $shim->sync_error(chance(0.25) ? EIO : 0);

        if (chance(0.4)) {
            $fake->clear_rules;
            $fake->accept;
            pick(@ilert)->();
        }

        my @workers = $t->workers;
        kill 'KILL', pick(@workers) if @workers && chance(0.2);
        $q->crash->start if chance(0.05);
        return 0;
    });

    $shim->write_error(0)->sync_error(0);
    $fake->accept;
    $fake->clear_rules;
    ok(wait_until(sub { $t->_ready }, 15), 'workers are back');
    sleep(0.7);

    my %how;
    $how{$_->{result} || 'no answer'}++ for $q->ledger;
    note("$sent events: ", join ', ', map { "$how{$_} $_" } sort keys %how);
    $q->ends_well(parallel => 0);
    diag("TEST_SEED=$seed") if !Test::More->builder->is_passing;
};

subtest 'a stuck disk' => sub {
    my ($status, $took, $raw) = do { local $/; split / /, <$answers>, 3 };
    is($status, 503, 'Kapacitor is told');
    like($raw, qr/"the event could not be committed in time"/);
    like($raw, qr/X-Result: UNAVAILABLE/);
    cmp_ok($took, '>', 18);

    my $r = $stuck->post('other', 'CRITICAL', timeout => 3);
    note("meanwhile: $r->{status} $r->{result}");

    $shim->stuck(0);
    ok(wait_until(sub {
        $stuck->post('again', 'CRITICAL')->{result} eq 'ACCEPTED' }, 8),
        'it recovers by itself');
    $stuck->last_words;
    ok($stuck->drained(10));
    is_deeply([ grep { !/slow 1 .* was never sent/ } $stuck->faults ], []);
    $stuck->stop;
};

done();
