#!/usr/bin/perl

# How soon a parked key is found to be good again: after 5 seconds at first,
# then after twice as long each time, up to 5 minutes; and something CRITICAL
# that comes meanwhile is a reason to try at once, every 10 seconds at most.
# By the clock of the test, which does not go on while nginx sleeps.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $OTHER = 'il1api5ec4e7a02';

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, shim => $shim, keys => { $KEY => 'api', $OTHER => 'api' },
    sources => { ops => 'retry 50ms 200ms;', same => 'retry 50ms 200ms;',
                 repeats => "coalesce repeats; retry 50ms 200ms;",
                 other => "integration_key $OTHER; retry 50ms 200ms;" });
my ($t, $fake) = ($q->test, $q->fake);
$q->start;

sub n { $fake->counts->{requests} }

# Time goes by for a key that has just been refused: there is no request in the
# first $seconds, and one in the two that follow.  If the machine is so slow
# that this time is over by its own clock nothing is known of the former.

sub waits {
    my ($seconds, $what) = @_;
    my $n = n();
    my $since = $fake->request(-1)->{time};

    $q->pass($seconds - 2);
    ok($q->calm(0.4) || time() - $since > 1.8, "$what: none for $seconds s");
    $q->pass(4);
    ok($fake->wait_requests($n + 1), 'then one');
    ok($q->calm(0.4), 'and no more');
    is(n(), $n + 1, 'not one');
}

sub park {
    my ($id, $level, %opt) = @_;
    $q->forget;
    $fake->rule(match => qr/$KEY/, status => 403);
    $q->post($id, $level, %opt);
    ok($fake->wait_requests(1), 'a request');
    ok($q->calm(0.4), 'is refused');
}

sub heals {
    $fake->clear_rules;
    $q->pass(301);
    ok($q->drained(30), 'it heals');
    is_deeply([ $q->faults(shows => 0) ], [], 'each is there');
}

subtest 'pauses' => sub {
    park('a', 'WARNING');
    waits($_, 'of events') for 5, 10, 20, 40, 80, 160, 300, 300;
    heals();

    park('b', 'WARNING');
    waits(5, 'the next time');
    heals();
};

subtest 'something CRITICAL comes' => sub {
    park('c', 'WARNING');
    waits($_, 'before it') for 5, 10, 20, 40;

    $q->pass(12);
    ok($q->calm(0.4), 'none yet');
    my $n = n();
    $q->post('d', 'CRITICAL');
    ok($fake->wait_requests($n + 1), 'it is tried at once');
    is($fake->request(-1)->{event}{summary}, 'd 1', 'it, and no other event');
    ok($q->calm(0.4), 'once');

    $q->pass(4);
    $q->post('e', 'CRITICAL');
    ok($q->calm(0.4), 'the next one has to wait');
    is(n(), $n + 1, 'as it is too soon');
    $q->pass(7);
    ok($fake->wait_requests($n + 2), 'for ten seconds');
    ok($q->calm(0.4), 'once');

    $q->pass(12);
    $q->post($_, 'WARNING') for qw(f g);
    $q->post('c', 'OK');
    ok($q->calm(0.4), 'what is not CRITICAL waits');
    is(n(), $n + 2, 'with the CRITICAL ones that are known');

    $q->post('h', 'CRITICAL', source => 'other');
    ok($fake->wait_requests($n + 3), 'another key');
    ok($q->calm(0.4), 'is none of its business');
    is(n(), $n + 3, 'and its events are sent');

    # the pauses go on as if nothing had been

    $q->pass(60);
    ok($fake->wait_requests($n + 4), 'the end of 80 s');
    ok($q->calm(0.4), 'once');
    waits(160, 'afterwards');
    heals();
};

subtest 'what is CRITICAL' => sub {
    park('i', 'WARNING');
    waits($_, 'before it') for 5, 10, 20, 40, 80;
    my $n = n();

    for (['i', 'CRITICAL', 'an alert that gets worse'],
         ['j', 'WARNING', 'one of high priority', priority => 'HIGH'],
         ['k', 'CRITICAL', 'one of another source', source => 'same'])
    {
        my ($id, $level, $what, %opt) = @$_;
        $q->pass(11);
        $q->post($id, $level, %opt);
        ok($fake->wait_requests(++$n), $what);
        ok($q->calm(0.4), 'is tried');
        is(n(), $n, 'once');
    }

    $q->pass(11);
    $n = n();
    $q->post('l', 'CRITICAL', priority => 'LOW');
    ok($q->calm(0.4), 'one of low priority is not');
    is(n(), $n, 'and waits');
    heals();
};

# It heals while nothing but the CRITICAL one asks.

subtest 'a short trouble' => sub {
    park('m', 'WARNING');
    waits($_, 'in trouble') for 5, 10, 20, 40;
    $fake->clear_rules;
    $q->pass(11);
    $q->post('n', 'CRITICAL', source => 'same');
    ok($q->drained(30), 'all go when it is over');
    is_deeply([ $q->faults(shows => 0) ], [], 'each is there');
};

# A budget that is used up is no fault of the key's.

subtest 'a limit' => sub {
    $q->forget;
    $fake->rule(match => qr/$KEY/, status => 429,
                headers => [ 'Retry-After' => 100 ]);
    $q->post('o', 'WARNING');
    ok($fake->wait_requests(1), 'a request');
    ok($q->calm(0.4), 'is too many');
    $q->pass(15);
    $q->post('p', 'CRITICAL');
    ok($q->calm(0.6), 'something CRITICAL waits for it');
    is(n(), 1, 'like all');
    heals();
};

done();
