#!/usr/bin/perl

# The oracle of t/chaos.t, given histories that were made by hand: it finds
# each kind of fault, and is silent on what the promises allow.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertChaosOracle;

# Webhooks: "2 OK 202", the second one of the alert, sent at 20 s and answered
# a second later; "-" is no answer, "x" no connection; "202r": was relayed;
# "202i": was ignored.
# Requests: "2" was read by ilert a second after the answer, "2@50" at 50 s,
# and taken; "2?" likewise, but the answer was lost; "2!" was answered 400.

sub history {
    my ($webhooks, $requests, $shown, %more) = @_;
    my (@webhooks, @requests);

    for (split /, */, $webhooks) {
        my ($n, $level, $status) = split;
        my $number = $status =~ /(\d+)/ ? $1 : 0;
        push @webhooks, { source => 'ops', id => 'K', n => $n,
            level => $level, type => $status =~ /i/ ? 'off'
                                     : $level eq 'OK' ? 'RESOLVE' : 'ALERT',
            begun => 10 * $n, ended => 10 * $n + 1, status => $number,
            refused => $status eq 'x' ? 1 : 0,
            result => $status =~ /r/ ? 'DELIVERED' : 'ACCEPTED' };
    }

    for (split ' ', $requests) {
        my ($n, $mark, $time) = /^(\d+)([?!]?)(?:\@(\d+))?$/ or die $_;
        push @requests, { alert => 'ops/k', n => $n,
            time => $time // 10 * $n + 2, unsure => $mark eq '?',
            taken => $mark eq '!' ? 0 : 1,
            status => $mark eq '!' ? 400 : 202 };
    }

    return (webhooks => \@webhooks, requests => \@requests,
            shown => { 'ops/k' => $shown }, modes => { ops => 'latest' },
            %more);
}

sub is_found {
    my ($expected, $name, @history) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @findings = IlertChaosOracle::judge(history(@history));
    is(join(' ', sort map { $_->{kind} } @findings), $expected,
       ($expected || 'silent') . ": $name")
        or diag(explain(\@findings));
}

my @OFF = (modes => { ops => 'off' });
my @REPEATS = (modes => { ops => 'repeats' });

subtest 'lost' => sub {
    is_found('', 'all is well', '1 CRITICAL 202, 2 OK 202', '1 2', 'OK');
    is_found('lost', 'the alert', '1 CRITICAL 202', '', 'OK');
    is_found('lost', 'a change of level', '1 INFO 202, 2 CRITICAL 202',
             '1', 'INFO');
    is_found('', 'an alert that was not accepted', '1 CRITICAL 503', '',
             'OK');
    is_found('', 'one that was, and then perhaps resolved',
             '1 CRITICAL 202, 2 OK 503', '', 'OK');
    is_found('lost', 'and then resolved, but nobody can have heard of it',
             '1 CRITICAL 202, 2 OK x', '', 'OK');
    is_found('', 'both waited, and cancel out', '1 CRITICAL 202, 2 OK 202',
             '', 'OK');
    is_found('', 'one that is ignored', '1 CRITICAL 202, 2 WARNING 202i',
             '1', 'CRITICAL');
    is_found('', 'one of which all but the end is ignored',
             '1 CRITICAL 202i, 2 OK 202', '', 'OK');
    is_found('lost', 'each has to arrive without coalescing',
             '1 CRITICAL 202, 2 CRITICAL 202', '1', 'CRITICAL', @OFF);
    is_found('lost', 'with "repeats", an alert of which only the end came',
             '1 CRITICAL 202, 2 OK 202', '2', 'OK', @REPEATS);
    is_found('', 'with "repeats", a repeat',
             '1 CRITICAL 202, 2 CRITICAL 202', '1', 'CRITICAL', @REPEATS);
    is_found('', 'the repeat of one without an answer',
             '1 CRITICAL -, 2 CRITICAL 202', '1', 'CRITICAL', @REPEATS);
    is_found('lost', 'one that was relayed, it was said',
             '1 CRITICAL 202r, 2 OK 202', '2', 'OK');
    is_found('', 'a dead letter', '1 CRITICAL 202', '1!', 'OK');
    is_found('', 'a dead letter, without coalescing',
             '1 CRITICAL 202, 2 OK 202', '1! 2', 'OK', @OFF);
    is_found('', 'a dead letter, with which a repeat went',
             '1 INFO 202, 2 INFO 202, 3 OK 202', '2! 3', 'OK', @REPEATS);
    is_found('', 'a repeat of what is shown after a dead letter',
             '1 INFO 202, 2 CRITICAL 202, 3 INFO 202', '1 2!', 'INFO',
             @REPEATS);
};

subtest 'phantom' => sub {
    is_found('phantom', 'the end did not arrive',
             '1 CRITICAL 202, 2 OK 202', '1', 'CRITICAL');
    is_found('', 'the end was not accepted',
             '1 CRITICAL 202, 2 OK 503', '1', 'CRITICAL');
    is_found('', 'a later one may have been accepted',
             '1 CRITICAL 202, 2 OK 202, 3 INFO -', '1 2 3', 'INFO');
    is_found('inverted phantom', 'the end came too early',
             '1 CRITICAL 202, 2 OK 202', '2 1@30', 'CRITICAL');
    is_found('inverted phantom', 'after an answer of any kind',
             '1 CRITICAL 503, 2 OK 202', '2 1@30', 'CRITICAL');
};

subtest 'inverted' => sub {
    is_found('inverted', 'and made good again',
             '1 INFO 202, 2 CRITICAL 202, 3 OK 202', '2 1@30 3', 'OK');
    is_found('', 'there was no answer, so the next was not later',
             '1 CRITICAL -, 2 OK 202', '2 1@30', 'CRITICAL');
    is_found('inverted phantom', 'but in calm it was',
             '1 CRITICAL -, 2 OK 202', '2 1@30', 'CRITICAL', calm => 15);
    is_found('inverted', 'sent again, but after what is newer',
             '1 INFO 202, 2 CRITICAL 202, 3 OK 202', '1? 2 1@31 3', 'OK',
             troubles => [ [ 13, 13 ] ]);
    is_found('inverted', 'the same, without an answer',
             '1 INFO -, 2 CRITICAL 202, 3 OK 202', '1? 2 1@31 3', 'OK');
};

subtest 'duplicate' => sub {
    is_found('duplicate', 'without reason', '1 CRITICAL 202', '1 1@13',
             'CRITICAL');
    is_found('', 'its answer was lost', '1 CRITICAL 202', '1? 1@13',
             'CRITICAL');
    is_found('', 'a worker died', '1 CRITICAL 202', '1 1@15', 'CRITICAL',
             troubles => [ [ 14, 14 ] ]);
    is_found('duplicate', 'once more than that', '1 CRITICAL 202',
             '1? 1@13 1@14', 'CRITICAL');
    is_found('duplicate', 'a worker died long before', '1 CRITICAL 202',
             '1 1@15', 'CRITICAL', troubles => [ [ 2, 3 ] ]);
};

subtest 'late' => sub {
    my @how = (patience => 20);
    is_found('', 'in time', '1 CRITICAL 202', '1@30', 'CRITICAL', @how);
    is_found('late', 'without reason', '1 CRITICAL 202', '1@50', 'CRITICAL',
             @how);
    is_found('', 'ilert was down', '1 CRITICAL 202', '1@50', 'CRITICAL', @how,
             excused => [ [ 5, 20 ], [ 18, 35 ] ]);
    is_found('late', 'ilert was down, but not for so long', '1 CRITICAL 202',
             '1@50', 'CRITICAL', @how, excused => [ [ 5, 20 ], [ 18, 25 ] ]);
    is_found('', 'it is a repeat', '1 CRITICAL 202, 2 CRITICAL 202',
             '1 2@90', 'CRITICAL', @how);
    is_found('late', 'others were told in its place',
             '1 INFO 202, 2 OK 202, 3 CRITICAL 202, 4 WARNING 202',
             '1 4@45', 'WARNING', @how);
    is_found('', 'meanwhile it was as it had been',
             '1 INFO 202, 2 OK 202, 3 INFO 202, 4 WARNING 202',
             '1 4@45', 'WARNING', @how);
    is_found('', 'it is sent again', '1 CRITICAL 202', '1? 1@90', 'CRITICAL',
             @how);
};

# What nginx did not hear of, it asks for.

subtest 'asked' => sub {
    my @asked = (asked => 1);

    is_found('invented', 'what did not come to nginx', '1 CRITICAL x', '1',
             'CRITICAL');
    is_found('', 'unless it is asked for', '1 CRITICAL x', '1', 'CRITICAL',
             @asked);
    is_found('invented', 'but not what nobody has said', '1 CRITICAL x',
             '1 2', 'CRITICAL', @asked);
    is_found('lost', 'an alert that was not accepted',
             '1 INFO 202, 2 CRITICAL 503', '1', 'INFO', @asked);
    is_found('phantom', 'an end that was not accepted',
             '1 CRITICAL 202, 2 OK x', '1', 'CRITICAL', @asked);
    is_found('', 'or was repaired', '1 CRITICAL 202, 2 OK x', '1 2', 'OK',
             @asked);
    is_found('inverted phantom', 'an old one was repaired',
             '1 CRITICAL 503, 2 OK 202', '2 1@30', 'CRITICAL', @asked);
    is_found('', 'one came late, and then the last one again',
             '1 CRITICAL -, 2 OK 202', '2 1@40 2@50', 'OK', @asked);
    is_found('duplicate', 'without a reason', '1 CRITICAL 202, 2 OK 202',
             '1 2 2@50', 'OK', @asked);
};

subtest 'refused, stuck, invented' => sub {
    is_found('', 'before calm', '1 CRITICAL 503', '', 'OK', calm => 15);
    is_found('refused', 'in calm', '1 CRITICAL 503', '', 'OK', calm => 5);
    is_found('stuck', 'something waits', '1 CRITICAL 202', '1', 'CRITICAL',
             end => { pending => 1 });
    is_found('invented', 'by nobody', '1 CRITICAL 202', '1 2', 'CRITICAL');
    is_found('invented', 'there was no connection',
             '1 CRITICAL 202, 2 INFO x', '1 2', 'CRITICAL');
};

done_testing();
