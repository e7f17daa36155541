#!/usr/bin/perl

# When nginx did not run, this is logged, and shown until it is started again.
# A restart that takes no time, a reload, an upgrade, and a worker that dies
# are no such time.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $GONE = 40;

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(workers => 2, shim => $shim, log_level => 'notice',
                         daemon => 1);
my $t = $q->test;
my $clock = 0;

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

sub told {
    return map { [ /\[(\w+)\]/, /did not run from (\S+) to (\S+): (.*)/ ] }
           $t->grep_log(qr/nginx did not run/);
}

sub goes_on {
    my ($seconds) = @_;
    $shim->clock($clock += $seconds);
    $q->start;
    return $q->drained && $q->post('one', 'CRITICAL')->{status} == 202
           && $q->drained;
}

$q->start;

subtest 'the first start' => sub {
    ok($q->post('one', 'CRITICAL') && $q->drained);
    is($q->status->{away}, undef, 'nothing is known of a time before');
};

subtest 'a restart' => sub {
    $q->stop;
    ok(goes_on(0));
    is($q->status->{away}, undef, 'takes no time');
    is_deeply([ told() ], [], 'of which nothing is said');
};

subtest 'killed, and gone for a while' => sub {
    my $end = time + $clock;
    $q->crash;
    ok(goes_on($GONE));

    my $away = $q->becomes(sub { $_->{away} }, 'is shown')->{away};
    is($away->{repaired}, undef, 'nothing is repaired, as nobody asks');
    my ($from, $to) = map { IlertStatus::seconds($away->{$_}) } qw(from to);
    cmp_ok(abs($from - $end), '<', 5, 'from the last event');
    cmp_ok(abs($to - time - $clock), '<', 8, 'to the start');
    cmp_ok($to - $from, '>', $GONE - 2, 'all the time');

    my @told = told();
    is(scalar @told, 1, 'one line');
    is($told[0][0], 'warn', 'a warning');
    like($away->{from}, qr/^\Q@{[ $told[0][1] =~ s{Z$}{}r ]}\E\./, 'from');
    like($away->{to}, qr/^\Q@{[ $told[0][2] =~ s{Z$}{}r ]}\E\./, 'to');
    like($told[0][3], qr/^webhooks of that time are lost.*"ilert_reconcile"/,
         'what that means');
};

subtest 'it stays' => sub {
    my $away = $q->status->{away};
    $q->reload;
    $t->kill_worker(KILL => $q->courier || ($t->workers)[0]);
    ok($q->post('one', 'OK')->{status} == 202 && $q->drained);
    is_deeply($q->status->{away}, $away, 'over a reload, and a death');
    is(scalar(() = told()), 1, 'and is said once');
};

subtest 'an upgrade' => sub {
    $q->upgrade;
    ok($q->post('two', 'CRITICAL')->{status} == 202 && $q->drained);
    is($q->status->{away}, undef, 'is another start, and takes no time');
};

subtest 'a clock that was set back' => sub {
    $q->stop;
    ok(goes_on(-3600));
    is($q->status->{away}, undef, 'it did not run for less than no time');
    is(scalar(() = told()), 1, 'nothing is said');
};

done_testing();
