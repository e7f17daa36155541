#!/usr/bin/perl

# Budgets: never more requests than "rate" in any minute, whatever becomes of
# the workers and of the clock; and no fewer than it allows.

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

my $retry = 'retry 50ms 200ms;';

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $m = IlertQueue->new(workers => 2, log_level => 'notice', shim => $shim,
    sources => { ops => $retry }, keys => { $KEY => 'api', $TWO => 'api' });
$m->start;

# Alerts of a case have a prefix of their own: all of them are urgent.

my $case = 0;

sub at_once {
    my ($source, @ids) = @_;
    $m->at_once($source, map { "$case.$_" } @ids);
}

sub minutes {
    my ($what, $sources, $sub) = @_;

    $case++;

    subtest $what => sub {
        $m->pass(61);
        $m->forget;
        $m->change(sources => $sources, defaults => 0);
        $m->reload;
        $sub->();
        ok($m->drained(3), 'all is delivered');
        is_deeply([ $m->faults(once => 1) ], []);
    };
}

# So many have come, and no more do.

sub stands_at {
    my ($n, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $m->fake->wait_requests($n, 3);
    $m->calm(0.4);
    is($m->fake->counts->{requests}, $n, $what);
}

my %twelve = (ops => "rate 12r/m; concurrency 5; $retry");

minutes 'any minute' => \%twelve, sub {
    at_once('ops', map { "ops$_" } 1 .. 40);
    stands_at(12, 'the first');
    $m->pass(56);
    stands_at(12, 'no more in the same minute');
    $m->pass(5);
    stands_at(24, 'as many in the next');
    $m->pass(61);
    stands_at(36, 'and in the next');
    $m->pass(61);
};

minutes 'a sliding one' => \%twelve, sub {
    at_once('ops', map { "ops$_" } 1 .. 5);
    stands_at(5, 'a few');
    $m->pass(30);
    at_once('ops', map { "ops$_" } 6 .. 25);
    stands_at(12, 'the rest of the minute');
    $m->pass(31);
    stands_at(17, 'the first are a minute old');
    $m->pass(31);
    stands_at(24, 'the others are');
    $m->pass(61);
};

minutes 'restarts' => \%twelve, sub {
    at_once('ops', map { "ops$_" } 1 .. 26);
    stands_at(12, 'the first');

    $m->reload;
    stands_at(12, 'reload');
    my $pid = $m->courier;
    $m->test->expect_log(qr/process $pid exited/,
                         qr/shared memory zone .* was locked/);
    kill 'KILL', $pid;
    stands_at(12, 'kill -9 of the courier');
    $m->stop->start;
    stands_at(12, 'stop and start');
    $m->crash;
    $m->start;
    stands_at(12, 'kill -9 of all');

    $m->pass(61);
    stands_at(24, 'a minute later');
    $m->pass(61);
};

minutes 'the clock is set back' => \%twelve, sub {
    at_once('ops', map { "ops$_" } 1 .. 30);
    stands_at(12, 'the first');
    $shim->clock(-3600);
    at_once('ops', 'ops31');
    stands_at(12, 'by an hour');
    $m->pass(61);
    stands_at(24, 'a minute later');
    $m->stop;
    $shim->clock(-90000);
    $m->start;
    stands_at(24, 'by a day, while it is stopped');
    $m->pass(61);
};

minutes 'to and fro' => \%twelve, sub {
    my $clock = $shim->{clock};
    at_once('ops', map { "ops$_" } 1 .. 20);
    stands_at(12, 'the first');
    for my $step (10, -3600, -3580, -3590, -5000, -4990, -5500) {
        $shim->clock($clock + $step);
        at_once('ops', "ops$step");
        sleep(0.1);
    }
    stands_at(12, 'less than a minute in all');
    $shim->clock(0);
    $m->pass(61);
    stands_at(24, 'a minute later');
    $m->pass(61);
};

minutes 'one spent, another not' => {
    ops => "rate 3r/m; $retry", two => "integration_key $TWO; $retry"
}, sub {
    at_once('ops', map { "ops$_" } 1 .. 6);
    stands_at(3, 'one has no more requests');
    my $begun = time();
    at_once('two', map { "two$_" } 1 .. 60);
    ok(wait_until(sub { 60 == scalar(() = $m->requests_of('two')) }, 3),
       'the other goes on');
    my @two = $m->requests_of('two');
    cmp_ok($two[-1]{time} - $begun, '<', 1.5, 'at once');
    is($m->fake->counts->{requests}, 63);
    $m->pass(61);
};

# No request was made where there was no connection.

minutes 'nobody there' => { ops => "rate 5r/m; retry 20ms 60ms;" }, sub {
    $m->fake->refuse(all => 1);
    at_once('ops', map { "ops$_" } 1 .. 5);
    sleep(1.2);
    $m->fake->accept;
    ok($m->fake->wait_events(5, 3), 'costs nothing');
};

minutes 'another rate' => { ops => "rate 5r/m; $retry" }, sub {
    at_once('ops', map { "ops$_" } 1 .. 25);
    stands_at(5, 'a low one');
    $m->change(sources => { ops => "rate 9r/m; $retry" });
    $m->reload;
    stands_at(9, 'raised by a reload');
    $m->change(sources => { ops => "rate 4r/m; $retry" });
    $m->reload;
    stands_at(9, 'a lower one again');
    $m->pass(61);
    stands_at(13, 'a minute later');
    $m->change(sources => { ops => $retry });
    $m->reload;
};

# Those of the documentation: 50 a minute and key, 700 an endpoint; and what
# ilert shows is not told again.

subtest 'defaults' => sub {
    $m->pass(700);
    $m->forget;
    $m->change(sources => { ops => $retry, two => "integration_key $TWO;" },
               defaults => 1);
    $m->reload;

    $m->at_once('ops', map { "ops$_" } 101 .. 160);
    $m->at_once('two', map { "two$_" } 101 .. 120);
    stands_at(70, 'fifty, and the twenty of another key');
    $m->at_once('ops', map { "ops$_" } 101 .. 160);
    $m->at_once('two', map { "two$_" } 101 .. 120);
    stands_at(70, 'no repeats');
    $m->pass(61);
    stands_at(80, 'the other ten');
    $m->pass(245);
    stands_at(125, 'after five minutes repeats, by half of a budget');
    $m->pass(61);
    stands_at(150, 'and the others');
    ok($m->drained(3));
    is_deeply([ $m->faults(once => 1, mode => 'repeats') ], []);
};

done();
