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
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";

my $retry = 'retry 50ms 200ms;';
my @common = (workers => 2, log_level => 'notice',
              keys => { $KEY => 'api', $TWO => 'api', $KAP => 'kapacitor' });

# No time goes by but what is passed.

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(@common, shim => $shim, timeout => '20s', sources => {
    ops => "rate 10r/s; concurrency 20; $retry",
    nine => "integration_key $TWO; rate 9r/s; concurrency 20; $retry",
    native => "webhook_url $URL; rate 4r/s; $retry" });
$q->start;

# A subtest in which there is a courier, and time stands still.  All alerts are
# new, since what ilert shows already may not have the whole of a budget.

sub budgets {
    my ($what, $sub) = @_;

    subtest $what => sub {
        ok(wait_until(sub { $q->courier }), 'a courier');
        $q->pass(2);
        $q->forget;
        $q->hold;
        $sub->();
        $q->go;
        ok($q->drained, 'all is delivered');
        is_deeply([ $q->faults(once => 1) ], []);
    };
}

# So many requests have come, and no more; of which sources.

sub sent {
    my ($n, $what, %of) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($q->fake->wait_requests($n), $what);
    $q->calm(0.2);
    is($q->fake->counts->{requests}, $n, 'and no more');
    is(scalar(() = $q->requests_of($_)), $of{$_}, "of $_") for sort keys %of;
}

budgets 'any second' => sub {
    $q->at_once('ops', map { "ops$_" } 1 .. 25);
    $q->at_once('native', map { "native$_" } 1 .. 9);
    sent(14, 'in no time', ops => 10, native => 4);
    $q->pass(0.9);
    sent(14, 'for almost a second');
    $q->pass(0.2);
    sent(28, 'after one', ops => 20, native => 8);
    $q->pass(1.1);
    sent(34, 'and another', ops => 25, native => 9);
};

# It is the answer from which on a second is counted.

budgets 'any second, and ilert takes its time' => sub {
    $q->fake->rule(hold => 1);
    $q->at_once('ops', map { "slow$_" } 1 .. 25);
    sent(10, 'in no time');
    $q->pass(5);
    sent(10, 'while they are under way');
    $q->fake->clear_rules;
    ok(wait_until(sub { $q->waiting == 15 }), 'they are answered');
    $q->pass(0.9);
    sent(10, 'for almost a second');
    $q->pass(0.2);
    sent(20, 'after one');
    $q->pass(1.1);
    sent(25, 'and another');
};

$q->change(rate => '12r/s')->reload;

budgets 'an endpoint' => sub {
    $q->at_once('ops', map { "both$_" } 1 .. 20);
    $q->at_once('nine', map { "nine$_" } 1 .. 16);

    sent(12, 'both keys');
    $q->pass(1.1);
    sent(24, 'after a second');

    my @requests = $q->fake->requests;
    for my $first (0, 12) {
        my %n;
        $n{$_->{header}{'x-source'}}++ for @requests[$first .. $first + 11];
        cmp_ok($n{ops} // 0, '<=', 10, 'one');
        cmp_ok($n{nine} // 0, '<=', 9, 'the other');
    }
};

$q->change(rate => 'off');

# The default counts only where none is given, and the lower one of two.

for my $case ([ 'rate 6r/s;', '', 6 ], [ 'rate 9r/s;', 'rate 6r/s;', 6 ],
              [ 'rate off;', 'rate 6r/s;', 6 ])
{
    my ($one, $other, $rate) = @$case;
    my $id = "$one$other" =~ s/\W+//gr;

    $q->change(defaults => 1, sources => { one => $one . $retry,
                                           other => $other . $retry });
    $q->reload;

    budgets "sources of one key: $one $other" => sub {
        for my $source (qw(one other)) {
            $q->at_once($source, map { "$id$source$_" } 1 .. 8);
        }

        for my $n ($rate, 2 * $rate, 16) {
            sent($n, "have $rate a second");
            $q->pass(1.1);
        }
    };
}

$q->change(defaults => 0, sources => { ops => $retry });
$q->reload;

budgets 'off' => sub {
    $q->at_once('ops', map { "off$_" } 1 .. 120);
    sent(120, 'no pause');
};

# What was counted is on disk before it is sent.

subtest 'reloads and crashes' => sub {
    $q->pass(61);
    $q->forget;
    $q->change(sources => { ops => "rate 20r/m; concurrency 4; $retry" });
    $q->reload;
    $q->test->expect_log(qr/exited on signal 9/,
                         qr/shared memory zone .* was locked/);
    $q->fake->rule(delay => 0.1);
    $q->at_once('ops', map { "ops$_" } 1 .. 45);

    my $begun = time();
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

    $q->settled(1);
    cmp_ok($q->fake->counts->{requests}, '<=',
           20 * (1 + int((time() - $begun) / 60)),
           'never too many, with ' . $q->repeats . ' sent again');
    ok(wait_until(sub { $q->pass(61); $q->settled; !$q->waiting }),
       'all is delivered');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

$q->stop;

done();
