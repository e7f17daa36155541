#!/usr/bin/perl

# An event at which workers die again and again, here when its delivery is
# logged, is set aside after three deaths: it must not cost the others theirs.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(shim => $shim, workers => 2, log_level => 'info',
                         timeout => '2s',
                         sources => { ops => 'retry 50ms 200ms;' });
my ($t, $fake) = ($q->test, $q->fake);
my $WHY = 'a worker has died three times while it was handled';

$t->expect_log(qr/exited on signal 9/,
               qr/shared memory zone .* was locked/);

sub deaths { scalar(() = $t->grep_log(qr/exited on signal/, $_[0] // 0)) }

sub sent { scalar grep { ($_->{event}{summary} // '') =~ /^$_[0] / }
                   $fake->requests }

$q->start;

subtest 'three deaths' => sub {
    my $mark = $t->mark;
    $shim->deadly('alert key "poison"');
    $q->at_once('ops', 'poison');
    ok(wait_until(sub { $q->dead }, 20), 'there is a dead letter');

    my ($letter) = $q->dead;
    is($letter->{alert_key}, 'poison', 'of that event');
    is($letter->{error}, $WHY, 'and why');
    is($letter->{status}, 0, 'it has no status of ilert');
    is(deaths($mark), 3, 'deaths');
    is(sent('poison'), 3, 'times it was sent');
    is($q->lines('error', $WHY, $mark), 1, 'a line');

    $q->at_once('ops', map { "good$_" } 1 .. 10);
    ok($q->drained, 'others go on');
    is(deaths($mark), 3, 'and no more die');
    is($q->status->{sources}{ops}{dead}, 1, 'it is shown');
    like($q->metrics->{body}, qr/^ilert_events_dead_total\{source="ops"\} 1$/m,
         'and counted');
};

# What is behind it of its alert goes, once the event itself is out of the way.

subtest 'what is behind it' => sub {
    my $mark = $t->mark;
    $shim->deadly('alert key "mixed", ALERT');
    $q->at_once('ops', 'mixed');
    wait_until(sub { $q->post('mixed', 'OK', timeout => 3)->{status} == 202 },
               10);
    ok($q->drained(20), 'it goes');
    is(deaths($mark), 3, 'deaths');
    is(scalar(() = $q->dead), 2, 'dead letters');
    is($fake->alerts->{$IlertQueue::KEY}{mixed}{state}, 'resolved',
       'ilert shows the end');
};

# Two deaths are none: the third time it is delivered.

subtest 'two deaths' => sub {
    my $mark = $t->mark;
    $shim->deadly('alert key "twice"');
    $fake->rule(match => qr/"twice 1"/, times => 2);
    $fake->rule(match => qr/"twice 1"/, hang => 1);
    $q->at_once('ops', 'twice');
    ok(wait_until(sub { sent('twice') >= 3 }, 20), 'it is sent again');
    is(deaths($mark), 2, 'deaths');
    $shim->deadly('');
    $fake->clear_rules;
    ok($q->drained(10), 'it is delivered');
    is(scalar(() = $q->dead), 2, 'no new dead letter');
};

done();
