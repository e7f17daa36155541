#!/usr/bin/perl

# Budgets: never more requests than "rate" in any second, by key and by
# endpoint, whatever becomes of the workers; and no fewer than it allows.
# Those in minutes: t/budget_minutes.t

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";

my $retry = 'retry 50ms 200ms;';
my @common = (workers => 2, log_level => 'notice',
              keys => { $KEY => 'api', $TWO => 'api', $KAP => 'kapacitor' });

# A request is seen here some time after it was counted.

my $SLACK = 0.02;
my $q = IlertQueue->new(@common, sources => {
    ops => "rate 10r/s; concurrency 20; $retry",
    nine => "integration_key $TWO; rate 9r/s; concurrency 20; $retry",
    native => "webhook_url $URL; rate 4r/s; $retry" });
$q->start;

for my $delay (0, 0.4) {
    subtest "any second, ilert takes $delay s" => sub {
        $q->forget;
        $q->fake->rule(delay => $delay) if $delay;
        $q->at_once('ops', map { "ops$_" } 1 .. 25);
        $q->at_once('native', map { "native$_" } 1 .. 9);
        ok($q->drained(12), 'all is delivered');

        my $second = 1 + $delay - $SLACK;
        my @ops = $q->requests_of('ops');
        cmp_ok($q->burst($second, @ops), '<=', 10, 'of one key');
        cmp_ok($q->burst($second, $q->requests_of('native')), '<=', 4,
               'of another');

        my @times = map { $_->{time} } @ops;
        my $took = $times[-1] - $times[0];
        cmp_ok($took, '<', 2 * (1 + $delay) + 1.5,
               sprintf 'the budget is used: %.1f s', $took);
        is_deeply([ $q->faults(once => 1) ], []);
    };
}

subtest 'an endpoint' => sub {
    $q->forget;
    $q->change(rate => '12r/s')->reload;
    $q->at_once('ops', map { "ops$_" } 1 .. 20);
    $q->at_once('nine', map { "nine$_" } 1 .. 16);
    ok($q->drained(8), 'all is delivered');

    cmp_ok($q->burst(1 - $SLACK, $q->fake->requests), '<=', 12, 'both keys');
    cmp_ok($q->burst(1 - $SLACK, $q->requests_of('ops')), '<=', 10, 'one');
    cmp_ok($q->burst(1 - $SLACK, $q->requests_of('nine')), '<=', 9,
           'the other');
    is_deeply([ $q->faults(once => 1) ], []);
    $q->change(rate => 'off');
};

# The default counts only where none is given, and the lower one of two.

for my $case ([ 'rate 6r/s;', '', 6 ], [ 'rate 9r/s;', 'rate 6r/s;', 6 ],
              [ 'rate off;', 'rate 6r/s;', 6 ])
{
    my ($one, $other, $rate) = @$case;

    subtest "sources of one key: $one $other" => sub {
        $q->forget;
        $q->change(defaults => 1, sources => { one => $one . $retry,
                                               other => $other . $retry });
        $q->reload;
        my $id = "$one$other" =~ s/\W+//gr;
        for my $source (qw(one other)) {
            $q->at_once($source, map { "$id$source$_" } 1 .. 8);
        }
        ok($q->drained(6), 'all is delivered');
        cmp_ok($q->burst(1 - $SLACK, $q->fake->requests), '<=', $rate,
               "have $rate a second");
        is_deeply([ $q->faults(once => 1) ], []);
    };
}

subtest 'off' => sub {
    $q->forget;
    $q->change(defaults => 0, sources => { ops => $retry });
    $q->reload;
    $q->at_once('ops', map { "ops$_" } 1 .. 120);
    ok($q->drained(3), 'no pause');
    is_deeply([ $q->faults(once => 1) ], []);
};

# What was counted is on disk before it is sent.

subtest 'reloads and crashes' => sub {
    $q->forget;
    $q->change(sources => { ops => "rate 10r/s; concurrency 4; $retry" });
    $q->reload;
    $q->test->expect_log(qr/exited on signal 9/,
                         qr/shared memory zone .* was locked/);
    $q->fake->rule(delay => 0.03);
    $q->at_once('ops', map { "ops$_" } 1 .. 45);

    my @trouble = ('reload', 'courier', 'crash', 'courier', 'reload', 'stop',
                   'courier', 'crash');
    for my $what (@trouble) {
        sleep(0.3);
        if ($what eq 'courier') {
            my $pid = $q->courier;
            kill 'KILL', $pid if $pid;
        } else {
            $q->$what;
            $q->start if $what ne 'reload';
        }
    }

    ok($q->drained(15), 'all is delivered');
    is_deeply([ $q->faults(parallel => 0) ], []);
    cmp_ok($q->burst(1 - $SLACK, $q->fake->requests), '<=', 10,
           'never too many, with ' . $q->repeats . ' sent again');
};

$q->stop;

done();
