#!/usr/bin/perl

# "ilert_reconcile" when an id is not any longer in the topic to which it
# belonged: a node has another number since its task was changed, or two tasks
# have the same id.  An alert that any topic has open is not over.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertReconcile;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

my $loop = IlertReconcile->new(
    shim => $shim,
    sources => { ops => 'rate off; coalesce off; retry 50ms 300ms;' },
    http => 'map $kapacitor_level $ignored { WARNING off; }',
    server => <<'CONF',
        location = /ignores {
            ilert_kapacitor ops;
            ilert_event_type $ignored;
        }
CONF
    ask => { main => '', ignores => '/ignores' });

my ($q, $fake) = ($loop->queue, $loop->fake);
my %k = map { $_ => $loop->kapacitor($_) } qw(main ignores);
my ($old, $new, $newer) = map { "main:cpu:alert$_" } 2 .. 4;

$q->start;
$loop->topic('main', $_) for $old, $new, $newer;
$loop->topic('ignores', $old);

$k{main}->set($old, $_, 'CRITICAL') for qw(moved alone stays over);
$k{main}->set($new, 'other', 'CRITICAL');
$k{ignores}->set($old, $_, 'CRITICAL') for qw(half whole);
$loop->settled;
$loop->polled(1);

# The old topic stays, since another id of it is open.

$k{main}->set($old, $_, 'OK') for qw(moved alone);
$k{ignores}->set($old, 'half', 'WARNING');
$loop->settled;
$loop->polled(1);

$k{main}->set($new, 'moved', 'CRITICAL');
$k{main}->set($newer, 'alone', 'CRITICAL');
$loop->settled;
$loop->polled(3);

$k{main}->set($old, 'over', 'OK', lose => 1);
$k{ignores}->set($old, 'half', 'OK', lose => 1);
$_->restart for values %k;

for (1, 2) {
    $q->pass(61);
    $loop->polled(3);
}

is($loop->shown('moved'), 'CRITICAL', 'an alert that another topic has open');
is($loop->shown('alone'), 'CRITICAL', 'one that a new topic has open');
is($loop->shown('stays'), 'CRITICAL', 'one that has stayed');
is($loop->shown('over'), 'OK', 'one that no topic has any more');
is($loop->shown('half'), 'OK', 'one whose last webhook was ignored');
is($loop->shown('whole'), 'CRITICAL');
is($loop->status('main')->{differences}, 0, 'no difference is left');

# They belong to the other topics now.

$k{main}->set($new, 'moved', 'OK', lose => 1);
$k{main}->set($newer, 'alone', 'OK', lose => 1);
$loop->polled(3);
$q->drained;

is($loop->shown($_), 'OK', "$_ is repaired") for qw(moved alone);
is_deeply([ $loop->faults('main') ], []);

# Nothing is read in calm.

my $reads = sub { scalar grep { $_->{uri} =~ /events/ } $k{main}->requests };
my $n = 0;

ok(wait_until(sub {
    my $before = $n;
    $n = $reads->();
    $loop->polled(1, 'main');
    return $n == $before;
}, 12), 'then no topic is read any more');

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
