#!/usr/bin/perl

# A courier that is not told of something that may go finds it by itself, with
# the housekeeping of each minute: whoever has committed it may have been
# killed before it could tell.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(workers => 1, shim => $shim, sources => { ops => '' });

$q->start;
$q->at_once('ops', 'first');
ok($q->drained, 'a courier');

# A pause that begins, and ends, behind its back

$q->sql('update source set paused = 1');
$q->post('a', 'CRITICAL');
ok($q->calm(0.5), 'nothing is sent');
is($q->waiting, 1, 'it waits');

$q->sql('update source set paused = 0');
ok(wait_until(sub { $q->pass(61); $q->drained(1) }, 30), 'it is found');
is_deeply([ $q->faults ], [], 'the audit');

done();
