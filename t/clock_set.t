#!/usr/bin/perl

# The clock is set while something waits for its time: trouble with the disk is
# over when the disk is well again, and a repeat that is held goes, whatever
# time it is.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO);
use Test::More;

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

for my $step (-3600, 3600) {
    subtest "in trouble, by $step s" => sub {
        my $q = IlertStatus->new(workers => 2, shim => $shim,
                                 log_level => 'notice');
        $shim->set(clock => 0, folder => $q->dir);
        $q->start;
        $q->post('before', 'CRITICAL');
        ok($q->drained, 'a queue that works');

        $shim->write_error(EIO);
        ok(wait_until(sub {
            $q->post('during', 'CRITICAL', timeout => 20);
            return $q->lines('crit|error', '; events are relayed');
        }, 20), 'trouble');

        $shim->set(clock => $step, write => 0);
        $q->recovers(15);
        ok(wait_until(sub { ($q->ready)[0] == 200 }, 20), 'it is ready');
        $q->becomes(sub { $_->{queue}{state} eq 'ok' }, 'and says so', 20);
        $q->told_once(1);
        $q->ends_well(mode => 'repeats');
    };
}

for my $step (-7200, -1370, 3600) {
    subtest "a repeat is held, by $step s" => sub {
        my $q = IlertStatus->new(workers => 2, shim => $shim, sources => {
            ops => 'coalesce latest; repeat 2s; retry 50ms 1s;' });
        $shim->set(clock => 0, folder => $q->dir);
        $q->start;
        $q->post('a', 'CRITICAL');
        ok($q->drained);
        $q->post('a', 'CRITICAL');
        is($q->waiting, 1, 'it is held');

        $shim->clock($step);
        ok($q->drained(30), 'it goes');
        is_deeply([ $q->came ], [ 'a 1', 'a 2' ]);
        $q->post('a', 'CRITICAL');
        is($q->waiting, 1, 'the next one is held');
        ok($q->drained(30), 'and goes, too');
        $q->stop;
    };
}

done();
