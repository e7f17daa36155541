#!/usr/bin/perl

# Reloads, graceful and other ends, binary upgrades: nothing is lost, nothing
# is sent twice in a calm reload, old workers leave even while ilert hangs;
# sources that vanish, change, or get another key.

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
my $NEW = 'il1api5ec4e7a03';
my $KAP = $IlertQueue::KAP;
my $KIND = qr/\[error\].*: ilert source "two": (?!event \d)/;

my %TWO = (two => "integration_key $TWO; retry 50ms 200ms;");
my %OPS = (ops => 'retry 50ms 200ms;');

my $q = IlertQueue->new(
    workers => 2, timeout => '20s', log_level => 'notice', sources => \%OPS,
    keys => { $KEY => 'api', $TWO => 'api', $KAP => 'kapacitor' });

$q->start;

my ($t, $fake) = ($q->test, $q->fake);

# A sub that calls another one each so many seconds, so many times, and is true
# a while after.

sub each_time {
    my ($seconds, $times, $sub) = @_;
    my $next = time() + 0.2;

    return sub {
        return 0 if time() < $next;
        return 1 if $times-- == 0;
        $sub->();
        $next = time() + $seconds;
        return 0;
    };
}

sub hup { kill 'HUP', $t->master }

sub settled {
    my ($seconds) = @_;
    return wait_until(sub { !$t->old_workers && $t->_ready }, $seconds // 5,
                      'old workers to leave');
}

# It is the module that ends what is under way, not the time of nginx.

sub given_up {
    my ($mark, $what, $nginx) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(scalar(() = ($nginx // $t)->grep_log(qr/timed out/, $mark)), 0, $what);
}

sub all_accepted {
    my %status;
    $status{"$_->{status} $_->{result}"}++ for $q->ledger;
    is_deeply([ keys %status ], [ '202 ACCEPTED' ], 'all were accepted')
        or diag explain \%status;
}


for my $delay (0, 0.1, 0.4) {
    subtest "calm reloads, ilert takes $delay s" => sub {
        $q->forget;
        $fake->rule(delay => $delay) if $delay;

        my $sent = $q->load(clients => 8, rate => $delay ? 40 : 150,
                            alerts => 30, until => each_time(0.5, 4, \&hup));
        $q->last_words;
        ok($q->drained(20), 'all is delivered');
        is_deeply([ $q->faults(once => 1) ], [], "$sent events, once each");
        all_accepted();
        ok(settled(), 'the old workers have left');
        is($q->marks, 0);
    };
}

subtest 'a storm of reloads' => sub {
    $q->forget;
    my $sent = $q->load(clients => 8, rate => 200,
                        until => each_time(0.05, 40, \&hup));
    $q->last_words;
    ok($q->drained(20), 'all is delivered');
    is_deeply([ $q->faults(once => 1) ], [], "$sent events, once each");
    ok(settled(15));

    my %status;
    $status{$_->{status}}++ for $q->ledger;
    is_deeply([ keys %status ], [ 202 ], 'all were accepted')
        or diag explain \%status;
    ok(wait_until(sub { $q->courier }, 10), 'there is a courier');
};

subtest 'reload while ilert hangs' => sub {
    $q->forget;
    $fake->rule(hang => 1);
    $q->post("h$_", 'CRITICAL') for 1 .. 12;
    ok($fake->wait_requests(8), 'under way');

    my %old = map { $_ => 1 } $t->workers;
    my $mark = $t->mark;
    $t->reload;
    $q->post("h$_", 'OK') for 1 .. 12;
    ok(settled(), 'the old workers leave');
    given_up($mark, 'ilert is not waited for');
    ok(wait_until(sub { my $pid = $q->courier; $pid && !$old{$pid} }, 2),
       'another courier');
    is($q->waiting, 24, 'nothing is lost');

    $fake->clear_rules;
    $t->reload;
    ok($q->drained(15), 'all is delivered');
    is_deeply([ $q->faults ], []);
    all_accepted();
};

subtest 'QUIT while ilert hangs' => sub {
    $q->forget;
    $fake->rule(hang => 1);
    $q->post("h$_", 'CRITICAL') for 1 .. 12;
    ok($fake->wait_requests(8), 'under way');

    my $mark = $t->mark;
    $q->stop;
    given_up($mark, 'ilert is not waited for');
    is($q->waiting, 12, 'nothing is lost');
    is($q->marks, 0, 'nothing is under way');

    $fake->clear_rules;
    $q->start;
    ok($q->drained(15), 'all is delivered');
    is_deeply([ $q->faults ], []);
};

subtest 'QUIT with answers under way' => sub {
    $q->forget;
    $fake->rule(delay => 0.5);
    $q->post("q$_", 'CRITICAL') for 1 .. 8;
    ok($fake->wait_requests(8), 'under way');
    $q->stop;
    is($q->waiting, 0, 'what is answered within a second is done');

    # a webhook that is being read is waited for
    $q->start;
    $fake->clear_rules;
    my $h = $q->start_post('slow', 'CRITICAL', size => 5000, pieces => 1000,
                           pause => 0.15);
    $t->poll(0.3);
    kill 'QUIT', $t->master;
    is($q->finish($h)->{result}, 'ACCEPTED', 'a slow webhook is committed');
    ok(wait_until(sub { !$t->running }, 10), 'then it ends');
    $q->start;
    ok($q->drained);
    is_deeply([ $q->faults(once => 1) ], []);
};

subtest 'TERM' => sub {
    $q->forget;
    $fake->rule(hang => 1);
    $q->post("h$_", 'CRITICAL') for 1 .. 8;
    ok($fake->wait_requests(8), 'under way');

    my $mark = $t->mark;
    $q->stop('TERM');
    given_up($mark, 'ends at once');
    is($q->waiting, 8, 'nothing is lost');

    $fake->clear_rules;
    $q->start;
    ok($q->drained(15), 'all is sent again');
    is_deeply([ $q->faults ], []);
    is($q->repeats, 8);
};

subtest 'worker_shutdown_timeout' => sub {
    my $n = IlertQueue->new(fake => $fake, sources => \%OPS,
        timeout => '20s', main => 'worker_shutdown_timeout 300ms;');
    $fake->reset;
    $fake->rule(hang => 1);
    $n->start;
    $n->post("w$_", 'CRITICAL') for 1 .. 8;
    ok($fake->wait_requests(8), 'under way');

    $n->stop;
    given_up(0, 'ends', $n->test);
    is($n->waiting, 8);
    $fake->clear_rules;
    $n->start;
    ok($n->drained(15));
    is_deeply([ $n->faults ], []);
    $n->stop;
};

subtest 'another worker delivers' => sub {
    $q->forget;

    for my $signal ('KILL', 'TERM', 'QUIT') {
        ok(wait_until(sub { $q->courier }, 3), 'a courier');
        my $old = $q->courier;
        $t->expect_log(qr/process $old exited/);
        $fake->reset;
        kill $signal, $old;

        my $begun = time();
        my $r;
        for (1 .. 10) {
            $r = $q->post("c$signal", 'CRITICAL');
            last if $r->{status} == 202;
        }
        ok($fake->wait_events(1), "$signal: delivered");
        note(sprintf '%.0f ms', (time() - $begun) * 1000);
        isnt($q->courier, $old);
        settled();

        # a worker that was told to quit has no successor
        $q->stop->start if $signal ne 'KILL';
    }
};

subtest 'a binary upgrade' => sub {
    my $n = IlertQueue->new(daemon => 1, workers => 2, timeout => '20s',
                            log_level => 'notice');
    $n->start;

    my $upgraded = 0;
    my $begun = time();
    my $sent = $n->load(clients => 8, rate => 100, until => sub {
        return time() > $begun + 1.5 if $upgraded || time() < $begun + 0.3;

        $n->test->upgrade(sub {
            ok($n->courier, 'both serve');
            $n->load(clients => 8, rate => 100, seconds => 0.7);

            # some of these come to workers of the other master

            for my $i (1 .. 10) {
                ok($n->drained(30), 'nothing waits');
                $n->post("lone $i", 'CRITICAL');
            }

            ok($n->drained(30), 'the courier finds what the others took');
        });
        $upgraded = time();
        return 0;
    });

    $n->last_words;
    ok($n->drained(15), 'all is delivered');
    is_deeply([ $n->faults(once => 1) ], [], "$sent events, once each");

    my %status;
    $status{"$_->{status} $_->{result}"}++ for $n->ledger;
    is_deeply([ keys %status ], [ '202 ACCEPTED' ], 'all were accepted')
        or diag explain \%status;

    # while ilert hangs
    $n->forget;
    $n->fake->rule(hang => 1);
    $n->post("h$_", 'CRITICAL') for 1 .. 8;
    ok($n->fake->wait_requests(8), 'under way');
    my $mark = $n->test->mark;
    $n->upgrade;
    given_up($mark, 'the old one leaves', $n->test);
    $n->fake->clear_rules;
    $n->post("h$_", 'OK') for 1 .. 8;
    $n->reload;
    ok($n->drained(15), 'all is delivered');
    is_deeply([ $n->faults ], []);
    $n->stop;
};

subtest 'a source vanishes and returns' => sub {
    $q->change(sources => { %OPS, %TWO });
    $t->reload;
    $q->forget;
    $fake->rule(match => qr/$TWO/, status => 500);
    $q->post("v$_", 'CRITICAL', source => 'two') for 1 .. 5;
    $q->post("v$_", 'OK', source => 'two') for 1 .. 5;

    my $warning = qr/\[warn\].*ilert\ queue\ ".*queue":\ events\ of\ source
                     \ "two"\ wait,\ but\ it\ is\ not\ configured/x;

    for my $how ('reload', 'start') {
        # while all workers end, one more may have become the courier

        $q->stop if $how eq 'start';
        my $mark = $t->mark;
        $q->change(sources => { %OPS });
        $how eq 'reload' ? $t->reload : $q->start;
        $fake->clear_rules;

        ok($t->wait_log($warning, 3, $mark), "$how: a line");
        $q->post('meanwhile', 'CRITICAL');
        ok(wait_until(sub { $q->waiting == 10 }, 3), 'the other goes on');
        settled();
        sleep(1.2);
        is(scalar(() = $t->grep_log($warning, $mark)), 1, 'one line');
        is($q->waiting, 10, 'its events wait');
    }

    $q->change(sources => { %OPS, %TWO });
    my $mark = $t->mark;
    $t->reload;
    ok($q->drained(5), 'it returns: they are delivered');
    is_deeply([ $q->faults ], []);
    is(scalar(() = $t->grep_log($warning, $mark)), 0, 'no line');

    $q->change(sources => { %OPS });
    $t->reload;
    sleep(0.7);
    is(scalar(() = $t->grep_log($warning, $mark)), 0,
       'nor when it vanishes with nothing in the queue');
};

subtest 'a key is rotated' => sub {
    $q->change(sources => { %OPS, %TWO });
    $t->reload;
    $q->forget;
    $fake->keys({ $KEY => 'api', $NEW => 'api', $KAP => 'kapacitor' });
    $t->secret($NEW);

    $q->post("r$_", 'CRITICAL', source => 'two') for 1 .. 12;
    ok($fake->wait_requests(1), 'the old one is unknown');
    sleep(0.5);
    my $n = $fake->counts->{requests};
    sleep(0.7);
    is($fake->counts->{requests}, $n, 'the source is parked');
    is($q->waiting, 12, 'its events wait');

    $q->change(sources => { %OPS,
                            two => "integration_key $NEW; retry 50ms 1s;" });
    $t->reload;
    ok($q->drained, 'a new one heals it');

    my @new = grep { $_->{status} == 202 } $fake->requests;
    is(scalar(grep { $_->{key} ne $NEW } @new), 0, 'with the new one');
    is(@new, 12, 'each event');
    is_deeply([ $q->dead ], [], 'none is dead');
    is_deeply([ $q->have_key ], []);
    $fake->keys({ $KEY => 'api', $TWO => 'api', $NEW => 'api',
                  $KAP => 'kapacitor' });
};

subtest 'a source changes its kind' => sub {
    my $root = 'https://api.ilert.com/api/v1/events/kapacitor';
    my %native = (two => "webhook_url $root/$KAP; retry 50ms 200ms;");

    for my $turn ([ { %TWO }, { %native }, $TWO ],
                  [ { %native }, { %TWO }, $KAP ])
    {
        my ($before, $after, $key) = @$turn;
        $q->change(sources => { %OPS, %$before });
        $t->reload;
        $q->forget;
        $fake->refuse(all => 1);
        $q->post("n$_", 'CRITICAL', source => 'two') for 1 .. 3;

        my $mark = $t->mark;
        $q->change(sources => { %OPS, %$after });
        $t->reload;
        $fake->accept;
        ok($t->wait_log($KIND, 3, $mark), 'a line');
        $q->post('ops', 'CRITICAL');
        sleep(1);
        is($q->waiting, 3, 'older events wait');
        is($fake->counts->{events}, 1, 'nothing of them is sent');
        settled();
        is(scalar(() = $t->grep_log($KIND, $mark)), 1,
           'one line');

        $q->change(sources => { %OPS, %$before });
        $t->reload;
        ok($q->drained(8), 'until it is as it was');
        is(scalar(grep { $_->{key} eq $key } $fake->events), 3);
        is_deeply([ $q->dead ], [], 'none is dead');
    }
};

done();
