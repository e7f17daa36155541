#!/usr/bin/perl

# The clock is set while there is trouble with the disk: when the disk is well
# again the trouble is over, whatever time it is.

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
    subtest "by $step s" => sub {
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

done();
