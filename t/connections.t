#!/usr/bin/perl

# Clients take all connections of a worker, and hold them: what waits is
# delivered all the same, for a few are kept.  Where there are none at all,
# what could not be sent is no attempt, and costs neither time nor budget.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use IlertDNS;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $OTHER = 'il1api5ec4e7a02';

# Without connections to ilert that are kept open

my $PLAIN = 'location /plain/ { internal; ilert_endpoint plain; '
    . 'proxy_pass http://%%FAKE%%/api/$ilert_path; '
    . 'proxy_set_header X-Attempt $ilert_attempt; '
    . 'proxy_set_header X-Source $ilert_source; }';

my $FULL = qr/worker_connections are not enough/;


# Slow clients, who come again as soon as they are turned away: each sends the
# beginning of a request and no more.

my (%clients, $port);

sub crowd {
    for (my $left = 200; $left; $left--) {
        leave_closed();
        last if crowded();
        my $client = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $port, Timeout => 5) or next;
        $client->blocking(0);
        syswrite $client, "POST /ops HTTP/1.1\r\nHost: x\r\n";
        $clients{$client} = { socket => $client, since => time() };
    }
}

# A client that nginx had no connection for is closed at once.

sub leave_closed {
    for (keys %clients) {
        my $n = sysread $clients{$_}{socket}, my $bytes, 1024;
        delete $clients{$_} if defined $n;
    }
}

# All are taken if some have just been turned away.

sub crowded {
    my @test = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                         PeerPort => $port, Timeout => 5) || () } 1 .. 6;
    syswrite $_, "POST /ops HTTP/1.1\r\n" for @test;
    sleep(0.05);
    my $closed = 0;

    for (@test) {
        $_->blocking(0);
        my $n = sysread $_, my $bytes, 1024;
        defined $n || $!{ECONNRESET} ? $closed++
            : ($clients{$_} = { socket => $_, since => time() });
    }

    return $closed == @test;
}

sub go_home { %clients = () }

sub crowded_until {
    my ($sub, $seconds) = @_;
    return wait_until(sub { crowd(); $sub->() }, $seconds);
}


for my $workers (1, 2) {
    subtest "$workers of 32 connections" => sub {
        my $q = IlertQueue->new(workers => $workers, connections => 32,
            keys => { $KEY => 'api', $OTHER => 'api' }, timeout => '30s',
            sources => { ops => 'endpoint plain; retry 50ms 100ms;',
                         other => "integration_key $OTHER; retry 50ms 100ms;"
                       }, server => $PLAIN);
        my ($t, $fake) = ($q->test, $q->fake);
        $t->expect_log($FULL, qr/exited on signal 9/,
                       qr/shared memory zone .* was locked/);
        $q->start;
        $port = $t->port(0);

        $fake->rule(status => 500);
        for my $source (qw(ops other)) {
            $q->post("$source.$_", 'CRITICAL', source => $source) for 1 .. 20;
        }
        crowd();
        note(scalar(keys %clients) . ' slow clients');

        my $n = () = $q->requests_of('ops');
        ok(crowded_until(sub { $n + 4 < (() = $q->requests_of('ops')) }, 30),
           'requests go on');
        $fake->clear_rules;
        ok(crowded_until(sub { !$q->waiting }, 60), 'all are delivered');
        ok(scalar(keys %clients) > 10 * $workers, 'beside the slow clients');

        if ($workers > 1) {
            go_home();
            $fake->rule(status => 500);
            $q->post("more.$_", 'CRITICAL') for 1 .. 10;
            crowd();
            kill 'KILL', $q->courier;
            $fake->clear_rules;
            ok(crowded_until(sub { !$q->waiting }, 60),
               'so they are by another courier');
        }

        is_deeply([ $q->faults(parallel => 0) ], [], 'each is there');
        go_home();
        $q->stop;
    };
}

subtest 'a name is looked up' => sub {
    my $dns = IlertDNS->start(names => { 'ilert.test' => '127.0.0.1' });
    my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);
    my $q = IlertQueue->new(workers => 1, connections => 32, fake => $fake,
        sources => { ops => 'retry 50ms 100ms; endpoint named;' },
        server => 'location /named/ { internal; ilert_endpoint named; '
            . 'resolver ' . $dns->address . ' valid=1s ipv6=off; '
            . 'resolver_timeout 1s; proxy_pass http://ilert.test:'
            . $fake->port . '/api/$ilert_path; '
            . 'proxy_set_header X-Source $ilert_source; }');
    my $t = $q->test;
    $t->expect_log($FULL);

    # nginx closes its socket then, and needs another one

    $dns->mode('down');
    $q->start;
    $port = $t->port(0);
    $q->post("a.$_", 'CRITICAL') for 1 .. 10;
    crowd();
    ok(crowded_until(sub { $t->grep_log(
        qr/"ops": event \d+ not delivered: nginx had no connection/) }, 40),
       'it is said why');
    $dns->mode('answer');
    ok(crowded_until(sub { !$q->waiting }, 60), 'all are delivered');
    is_deeply([ $q->faults ], [], 'each is there');
    go_home();
    $q->stop;
};

# So few connections that none can be kept, and a budget that is enough for
# two requests of each event.

subtest 'nothing is kept' => sub {
    my $shim = IlertShim->new or plan(skip_all => 'no compiler');
    my $q = IlertQueue->new(workers => 1, connections => 8, shim => $shim,
        sources => { ops => 'endpoint plain; rate 6r/m; retry 10s 5m;' },
        server => $PLAIN);
    my ($t, $fake) = ($q->test, $q->fake);
    $t->expect_log($FULL);
    $q->start;
    $port = $t->port(0);

    $fake->rule(status => 500, times => 3);
    $q->post($_, 'CRITICAL') for qw(a b c);
    ok($fake->wait_requests(3), 'each is tried once');
    crowd();
    my $mark = $t->mark;
    $q->pass(14);
    ok(crowded_until(sub { 8 <= $t->grep_log(
        qr/$FULL while .*ilert source: "ops"/, $mark) }, 60),
       'then there is no connection, again and again');
    is($fake->counts->{requests}, 3, 'nothing is sent');
    ok($t->wait_log(qr/"ops": event \d+ not delivered: nginx had no /, 10,
                    $mark), 'it is said why') ;

    go_home();
    ok($q->drained(60), 'all are delivered when there is one');
    is_deeply([ map { $_->{header}{'x-attempt'} } $fake->requests ],
              [ (1) x 3, (2) x 3 ], 'at the second attempt');
    is_deeply([ $q->faults ], [], 'each is there');
    $q->stop;
};

done();
