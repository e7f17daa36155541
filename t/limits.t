#!/usr/bin/perl

# Answers of 429: they pause a key, and no other, for as long as ilert says or
# ever longer, over reloads and restarts; then one request tries.  They are no
# fault of an event.  With a foreign sender on the key all arrives in the end.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertRandom;
use IlertShim;
use IlertTest;

IlertQueue::need();
IlertRandom::seed();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';

my $retry = 'retry 50ms 200ms;';
my $minute = "rate 50r/m; $retry";
my @common = (workers => 2, log_level => 'notice',
              keys => { $KEY => 'api', $TWO => 'api' });

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(@common, shim => $shim,
    sources => { ops => $minute, same => $minute,
                 two => "integration_key $TWO; $minute" });
my $fake = $q->fake;
$q->start;

sub limits {
    my ($what, $sub) = @_;

    subtest $what => sub {
        $q->pass(61);
        $q->forget;
        $q->hold;
        $sub->();
        $q->go;
        $fake->clear_rules;
        $q->pass(61);
        ok($q->drained(5), 'all is delivered');
        is_deeply([ $q->faults ], []);
    };
}

sub limit { $fake->rule(match => qr/$KEY/, status => 429, @_) }
sub after { (headers => [ 'Retry-After' => $_[0] ]) }

# No request until the pause of so many seconds is over; then so many.  No time
# goes by but what is passed.

sub pauses_for {
    my ($seconds, $n, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $from = $fake->counts->{requests};
    $q->pass($seconds - 0.1);
    ok($q->calm(0.3), "$what: none for $seconds s");
    $q->pass(0.2);
    ok($fake->wait_requests($from + $n), 'then there is');
    $q->calm(0.2);
    is($fake->counts->{requests} - $from, $n, 'as many as may');
}


# Eight at once are refused, which is one refusal.

limits 'growing pauses' => sub {
    my $rule = limit(hold => 1);
    limit();
    $q->at_once('ops', map { "a$_" } 1 .. 12);
    ok($fake->wait_requests(8));
    $fake->drop_rule($rule);
    $q->calm(0.4);
    is($fake->counts->{requests}, 8, 'those under way');

    pauses_for($_, 1, 'ever longer') for 10, 20, 30, 30;
    is_deeply([ grep { $_->{header}{'x-attempt'} != 1 } $fake->requests ],
              [], 'no attempt is counted');

    $fake->clear_rules;
    $fake->rule(hold => 1, times => 1);
    my $from = $fake->counts->{requests};
    $q->pass(31);
    ok($fake->wait_requests($from + 1));
    $q->calm(0.4);
    is($fake->counts->{requests}, $from + 1, 'one tries');
    $fake->clear_rules;
    ok($q->drained, 'when it was taken the others follow');
    is($fake->counts->{requests}, $from + 12, 'each once');
    my @later = ($fake->requests)[$from .. $from + 11];
    is(scalar(grep { $_->{inflight} > 1 } @later), 0, 'one by one');
};

limits 'from the beginning again' => sub {
    limit(times => 1);
    $q->at_once('ops', 'b1');
    ok($fake->wait_requests(1));
    pauses_for(10, 1, 'the first');
    ok($q->drained(3), 'taken');
    limit(times => 1);
    $q->at_once('ops', 'b2');
    ok($fake->wait_requests(3));
    pauses_for(10, 1, 'the first of another time');
};

limits 'Retry-After' => sub {
    limit(times => 1, after(47));
    $q->at_once('ops', map { "c$_" } 1 .. 3);
    ok($fake->wait_requests(1));
    $q->calm(0.3);
    $q->pass(44);
    ok($q->calm(0.45), 'none before it');
    $q->pass(4);
    ok($q->drained, 'then all');
};

# A key is paused, not a source.

limits 'one key' => sub {
    limit(after(40));
    $q->at_once('ops', 'd1');
    ok($fake->wait_requests(1));
    $q->calm(0.2);
    $q->at_once('same', map { "e$_" } 1 .. 5);
    $q->at_once('ops', map { "d$_" } 2 .. 5);
    $q->at_once('two', map { "f$_" } 1 .. 30);
    ok(wait_until(sub { 30 == scalar(() = $q->requests_of('two')) }),
       'another goes on, and at once');
    ok($q->calm(0.3), 'both sources of the one wait');
    is($fake->counts->{requests}, 31);
};

limits 'reload and restarts' => sub {
    $q->go;
    limit(after(35));
    $q->at_once('ops', map { "g$_" } 1 .. 4);
    ok($fake->wait_requests(1));
    $q->calm(0.5);

    my $courier = sub {
        my $pid = $q->courier;
        $q->test->expect_log(qr/process $pid exited/,
                             qr/shared memory zone .* was locked/);
        kill 'KILL', $pid;
    };

    for my $what ([ reload => sub { $q->reload } ],
                  [ courier => $courier ],
                  [ restart => sub { $q->stop->start } ],
                  [ crash => sub { $q->crash; $q->start } ])
    {
        $what->[1]->();
        ok($q->calm(0.45), "$what->[0]: none");
    }

    $fake->clear_rules;
    $q->pass(36);
    ok($q->drained(3), 'when it is over');
};

limits 'attempts' => sub {
    $q->go;
    my @rules = (limit(times => 1, after(1)),
                 $fake->rule(match => qr/$KEY/, status => 500, times => 1),
                 limit(times => 2, after(1)),
                 $fake->rule(match => qr/$KEY/, status => 503, times => 1));
    $q->at_once('ops', 'h1');
    ok($q->drained(8));
    is(join(' ', map { "$_->{status}/$_->{header}{'x-attempt'}" }
                 $fake->requests),
       '429/1 500/1 429/2 429/2 503/2 202/3', 'only faults count');
};

limits 'another clock' => sub {
    $q->go;
    limit(times => 1);
    $q->at_once('ops', 'i1');
    ok($fake->wait_requests(1));
    $q->calm(0.2);
    $shim->clock(-7200);
    ok($q->calm(0.7), 'set back: none');
    for (1 .. 2) {                      # it begins when it is looked at
        $q->pass(11);
        $q->calm(0.3);
    }
    ok($q->drained(3), 'but not for two hours');
    $shim->clock(0);
};

$q->stop;


# Half of each window is eaten by somebody else.

for my $case ([ 'ilert says nothing' ], [ 'ilert says when', 1 ]) {
    my ($what, $after) = @$case;

    subtest "a foreign sender: $what" => sub {
        my $f = IlertQueue->new(@common,
            sources => { ops => "rate 12r/s; coalesce latest; $retry" },
            fake => { rate => 12, window => 1, phase => rand,
                      foreign => { $KEY => 6 }, retry_after => $after });
        $f->start;
        my $mark = $f->test->mark;
        $f->load(seconds => 2, alerts => 16, rate => 60);
        $f->last_words;
        my $ended = time();
        ok($f->settled(1.5), 'it comes to an end');

        is_deeply([ $f->faults(mode => 'latest') ], [], 'ilert shows it');
        my %counts = %{$f->fake->counts};
        is($counts{phantoms}, 0, 'no phantom');
        cmp_ok($counts{limited}, '>', 0, 'there were refusals');

        my $windows = $counts{foreign} / 6;
        cmp_ok($counts{limited} / $windows, '<=', 9, sprintf
            '%.1f of 429 a window, %d requests, %d taken, %.1f s after',
            $counts{limited} / $windows, $counts{requests}, $counts{events},
            time() - $ended);
        $f->stop;
    };
}

done();
