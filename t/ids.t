#!/usr/bin/perl

# Event ids: positive numbers of 63 bits in any year, by which an event is
# found again in answers, logs, status, database, and control.

use warnings;
use strict;

use Config;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);
use Time::Local qw(timegm);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

plan(skip_all => 'a time of 32 bits ends in 2038') if $Config{longsize} < 8;

# The clock has 41 bits of milliseconds: they are used up in 2039.

my @TIMES = (
    [ 'the last seconds', (1 << 41) / 1000 - 2 ],
    [ 'the year 2040', timegm(0, 0, 0, 1, 6, 2040) ],
    [ 'the year 2109', timegm(0, 0, 0, 1, 6, 2109) ],
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(shim => $shim, workers => 2);
my ($t, $fake) = ($q->test, $q->fake);

for (@TIMES) {
    my ($name, $time) = @$_;

    subtest $name => sub {
        $shim->clock(int($time - time()));
        $q->start;
        $q->forget;
        my $mark = $t->mark;

        my @ids = map { $q->post("$name.$_", 'CRITICAL')->{json}{event} }
                      1 .. 40;
        my %ids = map { $_ => 1 } @ids;
        is(keys %ids, 40, 'each has its own');
        is_deeply([ grep { !/^[1-9][0-9]{0,18}$/
                           || $_ > 9223372036854775807 } @ids ], [],
                  'positive numbers');
        ok($q->drained, 'all are delivered');
        is_deeply([ $q->faults(once => 1) ], [], 'once');
        is(scalar(() = $t->grep_log(qr/ilert event \Q$ids[0]\E delivered/,
                                    $mark)), 1, 'it is said of this id');

        my $rule = $fake->rule(status => 400, times => 1);
        my $id = $q->post("$name.dead", 'CRITICAL')->{json}{event};
        ok(wait_until(sub { () = $q->dead }), 'a dead letter');
        is(($q->dead)[0]{id}, $id, 'in the database');
        is($q->status->{dead}[0]{id}, $id, 'in the status');

        my $r = $t->post("/control/dead/$id/replay", '');
        is_deeply([ $r->{status}, $r->{json} ],
                  [ 200, { status => 'ok', count => 1 } ], 'is replayed');
        ok($q->drained, 'and delivered');
        is_deeply([ $q->dead ], [], 'no letter is left');
        is_deeply([ $q->faults(lost => [ $id ]) ], [], 'all are there');
        $q->stop;
    };
}

done();
