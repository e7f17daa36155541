#!/usr/bin/perl

# A minute of chaos (t/lib/IlertChaos.pm): all that can happen to nginx, its
# disk, its clock, and ilert happens at once, under load, and in the end ilert
# shows what Kapacitor was answered.  "make chaos" makes longer runs.
#
# CHAOS_SEED, CHAOS_TIME (seconds of faults), CHAOS_FAULTS, CHAOS_WITHOUT
# (kinds) make another one; CHAOS_STORY names a file for its story.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use JSON::PP ();
use Test::More;

use IlertChaos;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $seed = $ENV{CHAOS_SEED} || 1;
my $chaos = IlertChaos->new(seed => $seed, seconds => $ENV{CHAOS_TIME} || 40,
    faults => $ENV{CHAOS_FAULTS}, without => $ENV{CHAOS_WITHOUT});
my @findings = $chaos->run;
my $summary = $chaos->summary;

note("$summary->{webhooks} webhooks, $summary->{accepted} accepted, "
     . "$summary->{repaired} repaired, "
     . "$summary->{events} events, $summary->{again} of them again");
note("without @{$summary->{skipped}}") if @{$summary->{skipped}};
cmp_ok($summary->{accepted}, '>', 0, 'there were webhooks');
ok(!@findings, "seed $seed: nothing was found");

my $name = $ENV{CHAOS_STORY};
if (@findings && !defined $name) {
    make_path(IlertTest::top() . '/build/chaos');
    $name = IlertTest::top() . "/build/chaos/$seed.story";
}

if (defined $name) {
    open my $file, '>', $name or die "$name: $!";
    print $file $chaos->story,
        "\n", JSON::PP->new->canonical->encode($summary), "\n";
    close $file;
}

if (@findings) {
    diag("$_->{kind}: $_->{alert} $_->{text}")
        for @findings[0 .. ($#findings > 30 ? 30 : $#findings)];
    diag("the story is in $name");
    diag("CHAOS_SEED=$seed CHAOS_TIME=$chaos->{plan}{seconds}");
}

done();
