#!/usr/bin/perl

# The clock is set back and forth, and time goes by: events are ordered by
# sequence, no pause gets longer than it was, an outage may last for days, dead
# letters and what is known of alerts go when their time has come.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertRandom qw(pick);
use IlertShim;
use IlertTest;

IlertQueue::need();
IlertRandom::seed();

use constant { HOUR => 3600, DAY => 86400 };

my $KEY = $IlertQueue::KEY;
my $AGE = 'il1api5ec4e7a02';

my %SOURCES = (ops => 'retry 200ms 1s;',
               age => "integration_key $AGE; retry 200ms 1s; max_age 1h;");
my %KEYS = (keys => { $KEY => 'api', $AGE => 'api' });


# Without a clock of our own: the rows of a queue that is stopped

subtest 'by hand' => sub {
    my $q = IlertQueue->new(sources => \%SOURCES, %KEYS);
    $q->start;
    $q->fake->rule(status => 500);
    $q->post($_, 'CRITICAL', source => 'age') for qw(a b);
    $q->post('b', 'OK', source => 'age');
    $q->post($_, 'CRITICAL') for qw(c d);
    ok($q->fake->wait_requests(8), 'tried');
    $q->stop;

    $q->sql('update event set received = received - 3 * 86400000');
    $q->sql('update alert set next = next + 30 * 86400000 where state = 2');
    $q->fake->clear_rules;
    $q->start;
    ok($q->drained(5), 'times are no obstacle');

    is_deeply([ sort map { $_->{alert_key} } $q->dead ], [ qw(a b) ],
              'what is old is dead');
    my @got = map { "$_->{type} $_->{event}{summary}" }
              grep { $_->{status} == 202 } $q->fake->requests;
    is_deeply([ sort @got ], [ 'ALERT c 1', 'ALERT d 1', 'RESOLVE b 2' ],
              'but what ends an alert');

    # events of the future
    $q->fake->reset;
    $q->fake->rule(status => 500);
    $q->post('e', 'CRITICAL', source => 'age');
    $q->stop;
    $q->sql('update event set received = received + 3 * 86400000');
    $q->fake->clear_rules;
    $q->start;
    ok($q->drained(5), 'the future is no obstacle either');
    is($q->fake->counts->{events}, 1);
    $q->stop;
};

my $shim = IlertShim->new;
my $q;

if ($shim) {
    $q = IlertQueue->new(sources => \%SOURCES, %KEYS, env => $shim->env,
                         timeout => '20s', log_level => 'notice');
    $q->start;
}

sub clock {
    my ($what, $sub) = @_;

    subtest $what => sub {
        plan(skip_all => 'no compiler') if !$shim;
        $shim->clock(0);
        $q->forget;
        $sub->();
    };
}

clock 'it works' => sub {
    $shim->clock(-400 * DAY);
    sleep(1.2);
    $q->post('x', 'CRITICAL');
    my ($year) = (localtime(time() - 400 * DAY))[5];
    $year += 1900;
    ok(wait_until(sub { $q->test->access_log =~ m{/$year:.*POST /ops} }),
       'the clock of nginx');
    ok($q->drained);
};

clock 'back and forth' => sub {
    my @steps = (0, 300, -300, HOUR, -HOUR, 7 * DAY, -7 * DAY, 200 * DAY);
    my $next = time();
    my $sent = $q->load(seconds => 4, rate => 120, until => sub {
        return 0 if time() < $next;
        $shim->clock(pick(@steps));
        $next = time() + 0.25;
        return 0;
    });

    $q->last_words;
    ok($q->drained(10), 'all is delivered');
    is_deeply([ $q->faults(once => 1) ], [], "$sent events, once, in order");
    is(scalar(grep { $_->{result} ne 'ACCEPTED' } $q->ledger), 0,
       'all were accepted');

    my %ids = map { $_->{event} => 1 } $q->ledger;
    is(keys %ids, scalar(() = $q->ledger), 'ids are different');
};

for my $step (-DAY, DAY, -HOUR) {
    clock "set by $step s in the pause of an event" => sub {
        $q->fake->rule(status => 500, times => 3);
        $q->post('p', 'CRITICAL');
        ok($q->fake->wait_requests(1), 'tried');
        $shim->clock($step);
        $q->post('q', 'CRITICAL');
        ok($q->drained, 'tried again');
        is_deeply([ $q->faults ], []);
    };

    clock "set by $step s in the pause of a source" => sub {
        $q->fake->rule(status => 429, times => 1,
                       headers => [ 'Retry-After' => 1 ]);
        $q->post('p', 'CRITICAL');
        ok($q->fake->wait_requests(1), 'tried');
        $shim->clock($step);
        ok($q->drained(6), 'tried again');
        is_deeply([ $q->faults ], []);
    };

    clock "set by $step s while ilert cannot be reached" => sub {
        $q->fake->refuse(all => 1);
        $q->post("r$_", 'CRITICAL') for 1 .. 20;
        sleep(0.5);
        $shim->clock($step);
        sleep(0.3);
        $q->post("r$_", 'OK') for 1 .. 20;
        $q->fake->accept;
        ok($q->drained(8), 'all is delivered');
        is_deeply([ $q->faults ], []);
    };
}

clock 'an outage of days' => sub {
    $q->fake->refuse(all => 1);
    $q->post("d$_", 'CRITICAL') for 1 .. 30;
    $q->post("e$_", 'CRITICAL', source => 'age') for 1 .. 10;

    for my $day (1 .. 4) {
        $shim->clock($day * DAY);
        sleep(0.4);
        $q->post("d$_", $day % 2 ? 'OK' : 'WARNING') for 1 .. 10;
        $q->post("e$_", 'OK', source => 'age') for $day;
    }

    $q->post('young', 'CRITICAL', source => 'age');
    my $mark = $q->test->mark;
    $q->fake->accept;
    ok($q->drained(12), 'ends');

    my @dead = $q->dead;
    is_deeply([ sort map { $_->{alert_key} } @dead ],
              [ sort map { "e$_" } 1 .. 10 ], 'what is too old is dead');
    is_deeply([ $q->faults(lost => [ map { $_->{id} } @dead ], shows => 0) ],
              [], 'all else has arrived, in order');
    is(scalar(() = $q->test->grep_log(qr/\[crit\]/, $mark)), 0);
    $q->sql('delete from dead');
};

clock 'what was received in the future' => sub {
    $shim->clock(DAY);
    $q->fake->refuse(all => 1);
    sleep(0.6);
    $q->post('f', 'CRITICAL', source => 'age');
    $shim->clock(0);
    sleep(0.6);
    $q->fake->accept;
    ok($q->drained(6));
    is($q->fake->counts->{events}, 1, 'is not old');
    is_deeply([ $q->dead ], []);
};

clock 'what is kept for a time' => sub {
    $q->fake->rule(match => qr/"bad\d \d+"/, status => 400);
    $q->post("bad$_", 'CRITICAL') for 1 .. 3;
    $q->post('open', 'CRITICAL');
    $q->post('over', $_) for qw(CRITICAL OK);
    ok($q->drained);
    is(scalar(() = $q->dead), 3, 'dead letters');

    my $known = sub {
        my ($key) = @_;
        return $q->value("select count(*) from alert where key = '$key'");
    };

    for my $days (6, 8, 29, 31) {
        $shim->clock($days * DAY);
        sleep(0.6);
        $q->stop->start;
        $q->post("day$days", 'CRITICAL');
        ok($q->drained);

        my $dead = $days < 30 ? 3 : 0;
        my $over = $days < 7 ? 1 : 0;
        ok(wait_until(sub { $known->('over') == $over }, 5),
           "day $days: a resolved one is " . ($over ? 'known' : 'forgotten'));
        is($known->('open'), 1, 'an open one is known');
        ok(wait_until(sub { $dead == scalar(() = $q->dead) }, 5),
           "$dead dead letters");
    }

    $q->post('open', 'OK');
    ok($q->drained);
    is($q->fake->alerts->{$KEY}{open}{state}, 'resolved', 'and can be ended');
};

done();
