#!/usr/bin/perl

# Workers, or everything, killed at any moment, again and again, while ilert
# is up, down, silent, or breaks connections.  What was answered 202 arrives,
# in the order of each alert, and ilert shows in the end what the webhooks say.
# TEST_SEED makes other runs, QUEUE_CRASH_SECONDS=600 a longer one.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertRandom qw(chance pick);
use IlertTest;

IlertQueue::need();

my $seed = IlertRandom::seed();
my $end = time() + ($ENV{QUEUE_CRASH_SECONDS} // 18);
my $ROUND = 6;

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $KAP = $IlertQueue::KAP;

my $q = IlertQueue->new(
    workers => 2, timeout => '400ms', log_level => 'notice',
    keys => { $KEY => 'api', $TWO => 'api', $KAP => 'kapacitor' },
    sources => {
        ops => 'retry 50ms 300ms;',
        two => "integration_key $TWO; retry 20ms 100ms; concurrency 3;",
        native => 'webhook_url https://api.ilert.com/api/v1/events/kapacitor/'
                  . "$KAP; retry 50ms 300ms;",
    });

my ($t, $fake) = ($q->test, $q->fake);
my %done;

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);


# What ilert does from now on

sub up { $fake->accept; $fake->clear_rules }

my %ILERT = (
    up => sub { },
    slow => sub { $fake->rule(delay => 0.02 + rand 0.2) },
    down => sub { $fake->refuse(all => chance(0.5)) },
    silent => sub { $fake->rule(hang => 1, take => chance(0.5) ? 1 : 0) },
    reset => sub { $fake->rule(reset => 'after',
                               take => chance(0.5) ? 1 : 0) },
    half => sub { $fake->rule(reset => pick('before', 'mid', 'accept')) },
    error => sub { $fake->rule(status => pick(500, 502, 503, 408)) },
    flaky => sub { $fake->rule(match => qr/[02468]"/,
                               reset => pick('after', 'mid')) },
);

# What happens to nginx.  A killed worker is not waited for.

my %NGINX = (
    nothing => sub { },
    worker => sub { kill_some(1) },
    workers => sub { kill_some(9) },
    courier => sub { my $pid = $q->courier; kill 'KILL', $pid if $pid },
    reload => sub { kill 'HUP', $t->master },
    all => sub { restart(sub { $t->crash }) },
    term => sub { restart(\&term) },
    quit => sub { restart(sub { $t->stop }) },
);

sub kill_some {
    my ($n) = @_;
    my @workers = ($t->workers, $t->old_workers);
    return if !@workers;
    kill 'KILL', pick(@workers) for 1 .. $n;
}

sub restart {
    my ($stop) = @_;

    $stop->();
    sleep(rand 0.3) if chance(0.3);
    $t->{opt}{workers} = pick(1, 2, 2, 4);
    $q->start;
}

# A worker that was about to quit complains of what it leaves.

sub term {
    my @pids = ($t->workers, $t->old_workers);
    $t->expect_log(qr/ $_#$_: (?:\*\d+ open socket|aborting)/) for @pids;
    $t->stop('TERM');
}

sub chaos {
    my ($until) = @_;
    my ($next, $ilert) = (time() + rand 0.4, time() + rand 0.8);

    return sub {
        my $now = time();
        return 1 if $now > $until;

        if ($now > $ilert) {
            my $way = chance(0.3) ? 'up' : pick(sort keys %ILERT);
            up();
            $ILERT{$way}->();
            $done{$way}++;
            $ilert = $now + 0.2 + rand 1;
        }

        if ($now > $next && $t->running) {
            my $what = pick(sort(keys %NGINX), 'worker', 'courier');
            $NGINX{$what}->();
            $done{$what}++;
            $next = time() + 0.02 + rand 0.5;
        }

        return 0;
    };
}

sub respawned {
    return wait_until(sub { $t->_ready && !$t->old_workers }, 15, 'workers');
}


$q->start;

my ($round, $sent, $repeats, $acked) = (0, 0, 0, 0);

while (time() < $end) {
    $round++;

    subtest "round $round" => sub {
        $sent += $q->load(clients => 12, alerts => 14, rate => 150,
            source => [qw(ops two native)],
            until => chaos(time() + $ROUND * 0.7));

        up();
        ok(respawned(), 'workers are back');
        $q->last_words;
        ok($q->drained(20), 'the queue gets empty');

        is_deeply([ $q->faults(parallel => 0) ], [], 'the audit');
        is($q->marks, 0, 'no mark is left');
        is($q->value('pragma integrity_check'), 'ok', 'the database is whole');
        is_deeply([ $q->dead ], [], 'no dead letter');
        is_deeply([ $q->have_key ], [], 'no key in the folder');

        $acked += grep { ($_->{status} // 0) == 202 } $q->ledger;
        $repeats += $q->repeats;
        $q->forget;
    };

    last if !Test::More->builder->is_passing;
}

diag("TEST_SEED=$seed") if !Test::More->builder->is_passing;
note("$round rounds, $sent webhooks, $acked answered 202, $repeats repeats: ",
     join ', ', map { "$done{$_} $_" } sort keys %done);

# One kill each, so that it is seen how soon another delivers

subtest 'the courier is killed' => sub {
    $t->{opt}{workers} = 3;
    $q->stop->start;
    my @took;

    for my $n (1 .. 5) {
        ok(wait_until(sub { $q->courier }, 5), 'there is one');
        my $old = $q->courier;
        kill 'KILL', $old;
        my $begun = time();

        # the successor of the process may need its time
        my $r;
        for (1 .. 5) {
            $r = $q->post("x$n", 'CRITICAL', timeout => 2);
            last if $r->{status} == 202;
        }
        is($r->{status}, 202);

        ok($q->fake->wait_events($n, 2), 'another delivers');
        push @took, sprintf '%.0f ms', (time() - $begun) * 1000;
        isnt($q->courier, $old);
        respawned();
    }

    note("after @took");
};

# An event under way when all is killed comes again, first of its alert.  None
# may have timed out by then, however slow the machine is.

subtest 'all is killed with events under way' => sub {
    $q->change(timeout => '10s');
    $q->reload;
    $q->forget;
    $fake->rule(hang => 1, take => 1);
    $q->post("y$_", 'CRITICAL') for 1 .. 6;
    ok($fake->wait_requests(6), 'under way');
    $q->post("y$_", 'OK') for 1 .. 6;
    $q->crash;
    cmp_ok($q->marks, '>=', 6, 'their marks are on disk');

    $fake->clear_rules;
    $q->start;
    ok($q->drained, 'delivered after the start');
    is_deeply([ $q->faults(parallel => 0) ], []);
    my $seen = $q->arrivals;
    is_deeply([ grep { join(' ', @{$seen->{"ops/y$_"}}) !~ /^1 1 (?:1 )*2$/ }
                1 .. 6 ], [], 'once more each, then what ends it');
    is($fake->alerts->{$KEY}{y1}{opened}, 1, 'no phantom');
};

done();
