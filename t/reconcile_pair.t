#!/usr/bin/perl

# "ilert_reconcile" with two Kapacitors that watch the same, and post to one
# location: when one of them loses its states, or stands still, nothing is
# ended that the other one has open, and nothing is opened again.

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
    server => 'location = /pair { ilert_kapacitor ops; }',
    ask => { one => '/pair', two => '/pair' });

my ($q, $fake) = ($loop->queue, $loop->fake);
my %k = map { $_ => $loop->kapacitor($_) } qw(one two);
my $topic = 'main:cpu:alert2';
my $ns = 1_780_000_000_000_000_000;

# Both make the same event at the same time; the second webhook is a copy.

sub both {
    my ($id, $level, %opt) = @_;
    my $names = delete $opt{of} // [qw(one two)];

    $ns += 1_000_000_000;
    $k{$_}->set($topic, $id, $level, ns => $ns, %opt) for @$names;
}

sub said_since {
    my ($from) = @_;
    $loop->settled;
    return join ', ', sort $loop->said($from);
}

sub minute {
    my (@names) = @_;
    $q->pass(61);
    $loop->polled(4, @names);
}

# The ids belong to the Kapacitor whose answer has them first.

$q->start;
$loop->topic('one', $topic);
both($_, 'CRITICAL', of => ['one']) for qw(stays over lost later);
$loop->settled;
$loop->polled(2);

$ns -= 4_000_000_000;
$loop->topic('two', $topic);
both($_, 'CRITICAL', of => ['two']) for qw(stays over lost later);
$loop->settled;
$loop->polled(2);
is(said_since(0), join(', ', map { "ALERT $_ CRITICAL" }
                             qw(later lost over stays)), 'each is told once');

# The first one has none of them any more; the other one has no "over".

my $from = $fake->counts->{requests};

both('over', 'OK', lose => 1, of => ['two']);
$k{one}->restart(wipe => 1);
$k{two}->down;
$loop->polled(1, 'one');
minute('one');
is(said_since($from), '', 'nothing is ended while the other one is down');

$k{two}->up;
minute();
is(said_since($from), 'RESOLVE over OK*',
   'nothing is ended that the other one has open');
is($loop->status($_)->{differences}, 0, "$_: no difference is left")
    for qw(one two);

# What is open belongs to the other one now.

$from = $fake->counts->{requests};
both('lost', 'OK', lose => 1, of => ['two']);
both('later', 'WARNING', of => ['one']);
$loop->settled;
$loop->polled(4);
is(said_since($from), 'ALERT later WARNING, RESOLVE lost OK*',
   'and is repaired by what it says');
is($loop->shown('stays'), 'CRITICAL');

# Both lose them.

$from = $fake->counts->{requests};
$_->restart(wipe => 1) for values %k;
$loop->polled(1);
minute();
is(said_since($from), 'RESOLVE later OK*, RESOLVE stays OK*',
   'what both have no more is over, and is ended once');
is($loop->status($_)->{differences}, 0, "$_: no difference is left")
    for qw(one two);

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
