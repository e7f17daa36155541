#!/usr/bin/perl

# A delivery has a deadline of its own, whatever nginx does within it: the sum
# of the location's timeouts.  So it is for relays, for the queue, whose next
# event of the alert waits for it, and for heartbeats.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $BEAT = 'il1hbt5ec4e7b77';
my $LATE = 'ilert did not answer in time';

# Each server of the upstream is silent for a second, and then the next one is
# asked: as many as there are would take a minute.  Three timeouts of a second
# have room for three, and for the beginning of a fourth.

my $SERVERS = 60;
my $MOST = 4;

my $many = "upstream many { @{['server %%FAKE%% max_fails=0;' x $SERVERS]} }";
my $slow = 'proxy_next_upstream error timeout non_idempotent; '
         . 'proxy_connect_timeout 1s; proxy_send_timeout 1s; '
         . 'proxy_read_timeout 1s; proxy_set_header X-Attempt $ilert_attempt; '
         . 'proxy_set_header X-Source $ilert_source; '
         . 'proxy_set_header Host $host;';

sub location {
    my ($endpoint, $path) = @_;
    return "location /$endpoint/ { internal; ilert_endpoint $endpoint; "
         . "proxy_pass http://many/api/$path\$ilert_path; $slow }";
}

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 1, shim => $shim, timeout => '1s', log_level => 'info',
    keys => { $KEY => 'api', $BEAT => 'heartbeat' },
    files => { 'beat.key' => "$BEAT\n" },
    sources => { ops => 'retry 50ms 100ms;',
                 many => 'endpoint many; retry 50ms 100ms;' },
    endpoint => 'proxy_send_timeout 1s;',
    http => "$many ilert_heartbeat %%DIR%%/beat.key interval=12s;",
    server => location('many', '') . location('heartbeat', 'pings/'),
);
my ($t, $fake) = ($q->test, $q->fake);

sub attempts {
    my ($n) = @_;
    return scalar(grep { ($_->{event}{summary} // '') eq 'a 1'
                         && $_->{header}{'x-attempt'} == $n }
                       $fake->requests);
}

# All go on at once: each takes three seconds and more.

$fake->rule(match => qr/pings/, hang => 1);
$fake->rule(match => qr/"a 1"/, hang => 1);
$fake->rule(match => qr/"b 1"/, drip => 0.3, times => 1);
$q->start;
$q->post('b', 'CRITICAL');
$q->post('a', 'CRITICAL', source => 'many');

subtest 'a head that drips' => sub {
    ok($t->wait_log(qr/"ops": event \d+ not delivered: $LATE/, 60),
       'is no answer');
    ok(wait_until(sub { grep { ($_->{event}{summary} // '') eq 'b 1'
                               && $_->{header}{'x-attempt'} == 2
                               && $_->{status} == 202 } $fake->requests }, 60),
       'the event is sent again');
};

subtest 'servers that are silent' => sub {
    ok(wait_until(sub { attempts(3) }, 60), 'the event is sent again');
    cmp_ok(attempts(1), '<=', $MOST, 'the first attempt had its deadline');
    cmp_ok(attempts(2), '<=', $MOST, 'so had the second');
    is(scalar(() = $t->grep_log(qr/"many": event \d+ not delivered: $LATE/)),
       1, 'it is said');
    cmp_ok($q->waiting, '>', 0, 'it still waits');
};

subtest 'a heartbeat' => sub {
    ok($t->wait_log(qr/ilert heartbeat: not delivered: $LATE/, 60),
       'is not waited for');
    my $pings = grep { $_->{uri} =~ /pings/ } $fake->requests;
    cmp_ok($pings, '<=', 2 * $MOST, 'nor asked of all servers');
};

subtest 'the next event' => sub {
    $fake->clear_rules;
    $q->post('a', 'OK', source => 'many');
    ok($q->drained(60), 'all are delivered');
    is_deeply([ $q->faults(parallel => 0) ], [], 'in their order');
    $q->stop;
};

subtest 'a relay' => sub {
    $q->change(queue => undef, http => $many,
               sources => { many => 'endpoint many;' },
               server => location('many', ''));
    $fake->reset;
    $fake->rule(hang => 1);
    $q->start;
    my $r = $q->post('c', 'CRITICAL', source => 'many', timeout => 60);
    is($r->{status}, 504, 'has an answer');
    is($r->{json}{error}, $LATE, 'which says why');
    cmp_ok($fake->counts->{requests}, '<=', $MOST, 'not all were asked');
    $q->stop;
};

# One event a minute: the third one would have to wait for two.

subtest 'what is before the upstream' => sub {
    $q->change(queue => undef, http => 'limit_req_zone $uri zone=a:1m '
               . 'rate=1r/m;', server => '', sources => { ops => '' },
               endpoint => 'limit_req zone=a burst=100;');
    $fake->reset;
    $q->start;
    is($q->post('d', 'CRITICAL')->{status}, 202, 'the first one passes');
    my ($second) = $q->start_post('e', 'CRITICAL', timeout => 60);
    ok($t->wait_log(qr/delaying request/, 10), 'the second one is delayed');
    my ($third) = $q->start_post('f', 'CRITICAL', timeout => 60);
    ok(wait_until(sub { 2 == $t->grep_log(qr/delaying request/) }),
       'so is the third');
    $q->pass(65);
    my ($r) = $q->finish($third);
    is($r->{status}, 502, 'it is given up');
    like($r->{json}{error}, qr/^nginx answered 504 itself/, 'as by nginx');
    $q->finish($second);
    $q->stop;
};

done();
