#!/usr/bin/perl

# A loss of power: images of what a disk may hold after points of a record are
# opened by nginx.  Nothing that was answered 202 is lost, and no database is
# damaged.  TEST_SEED makes others; "make powerloss" opens some hundreds.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;

use IlertPowerLoss;
use IlertQueue;
use IlertRandom;
use IlertTest;

IlertQueue::need();

my $seed = IlertRandom::seed();
my $dir = File::Temp->newdir('powerloss-XXXXXX',
                             DIR => IlertTest::top() . '/build',
                             CLEANUP => !$ENV{TEST_NGINX_LEAVE});

IlertPowerLoss::record("$dir", pace => 0.4)
    or plan(skip_all => 'no compiler');


# The names of database and log, and of their folder, are on disk before
# anything in them is promised.

subtest 'the record' => sub {
    my $loss = IlertPowerLoss->new("$dir");
    my %naked = map { $_ => 1 } $loss->naked;

    note($loss->acked, ' answers of 202, ', $loss->points, ' points');
    cmp_ok($loss->acked, '>', 50, 'webhooks were answered');
    is_deeply([ sort keys %naked ], [], 'no name is to come when one is');
};


subtest 'images' => sub {
    my $loss = IlertPowerLoss->new("$dir");
    my $owed = 0;

    $loss->images(12, $seed, sub {
        my ($image) = @_;
        my @faults = $loss->open($image);

        is_deeply(\@faults, [], "at $image->{point}: $image->{step}")
            or diag("image $image->{number}: $image->{text}");
        $owed += keys %{$image->{owed}};
    });

    note("$owed webhooks that were answered were to be delivered");
};


# With syncs left out, something is lost: else the test would see nothing.

my %LEFT_OUT = (
    'of the log' => qr/^queue\.db-wal$/,
    'of the database' => qr/^queue\.db$/,
    'of what the folder is in' => qr/^\.\.$/,
);

for my $what (sort keys %LEFT_OUT) {
    subtest "without syncs $what" => sub {
        my $loss = IlertPowerLoss->new("$dir", leave_out => $LEFT_OUT{$what});
        my ($n, @faults) = (0);

        $loss->images(60, $seed, sub {
            $n++;
            @faults = $loss->open($_[0]);
            return @faults && 'enough';
        });

        ok(scalar @faults, 'something is found');
        note("image $n: $_") for @faults;
    };
}

if (!Test::More->builder->is_passing) {
    $dir->unlink_on_destroy(0);
    diag("TEST_SEED=$seed, the record is in $dir");
}

done();
