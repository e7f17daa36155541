#!/usr/bin/perl

# The audit that other tests believe (t/lib/IlertQueue.pm), given ledgers that
# were made by hand: it finds what is missing, and is silent on what may be.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;

my %TYPE = (OK => 'RESOLVE');

# "5 CRITICAL 202": the fifth webhook of the alert, and its answer, which is 0
# if there was none; of those with a "+" ilert has taken the event.

sub missing {
    my ($mode, @webhooks) = @_;
    my (@ledger, %taken);

    for (@webhooks) {
        my ($n, $level, $status, $taken) = split;
        push @ledger, { source => 'ops', id => 'k', n => $n, level => $level,
                        type => $TYPE{$level} // 'ALERT', priority => '',
                        status => $status, result => 'ACCEPTED',
                        event => $n };
        $taken{"ops/k $n"} = 1 if $taken;
    }

    return join ' ', map { m{^ops/k (\d+):} }
                     IlertQueue::missing($mode, \%taken, @ledger);
}

my @cases = (
    [ 'each is there', '', 'off', '1 CRITICAL 202 +', '2 OK 202 +' ],
    [ 'one is not', '2', 'off', '1 CRITICAL 202 +', '2 CRITICAL 202' ],
    [ 'what was refused need not be', '', 'off', '1 CRITICAL 503' ],
    [ 'one that came unanswered is no other', '2', 'off',
      '1 CRITICAL 0 +', '2 CRITICAL 202' ],
    [ 'a repeat need not come', '', 'repeats',
      '1 CRITICAL 202 +', '2 CRITICAL 202' ],
    [ 'a change has to', '2', 'repeats', '1 CRITICAL 202 +', '2 OK 202' ],
    [ 'nor need a repeat of what came unanswered', '', 'repeats',
      '1 CRITICAL 202 +', '2 OK 0 +', '3 OK 202' ],
    [ 'a repeat of what did not come', '3', 'repeats',
      '1 CRITICAL 202 +', '2 OK 0', '3 OK 202' ],
    [ 'what came unanswered ends a run', '3', 'repeats',
      '1 CRITICAL 202 +', '2 OK 0 +', '3 CRITICAL 202' ],
    [ 'only the end counts', '', 'latest', '1 CRITICAL 202', '2 OK 202' ],
);

for (@cases) {
    my ($name, $expected, @given) = @$_;
    is(missing(@given), $expected, "$given[0]: $name");
}

done_testing();
