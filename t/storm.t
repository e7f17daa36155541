#!/usr/bin/perl

# A small storm: hosts fail at once, a third of them by way of WARNING, some
# flap, all recover; each is told of again and again.  ilert limits as it does,
# in fixed windows whose phase is not known.  It is never told too much, shows
# nothing that is over, and in the end what Kapacitor knows; a source with
# "repeats" and one with "latest" get the same webhooks.
# TEST_SEED makes other runs.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertRandom qw(chance);
use IlertTest;

IlertQueue::need();
my $seed = IlertRandom::seed();

use constant {
    HOSTS => 45,
    RATE => 15,                     # a second
    EACH => 0.5,                    # seconds from one webhook to the next
    UP => 5,                        # when hosts begin to recover
};

my %KEY = (repeats => 'il1api5ec4e7b11', latest => 'il1api5ec4e7b12');

my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', timeout => '1s',
    keys => { map { $_ => 'api' } values %KEY },
    fake => { rate => RATE, window => 1, phase => rand },
    sources => { map { $_ => "integration_key $KEY{$_}; coalesce $_; "
        . 'rate ' . RATE . 'r/s; retry 50ms 200ms; repeat 1m;' } keys %KEY });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;


# [time, host, level] in the order of their times

sub storm {
    my @storm;

    for my $host (1 .. HOSTS) {
        my $fails = rand 0.5;
        my $worse = chance(1 / 3) ? $fails + 1.2 : 0;
        my $over = UP + rand 1;
        my $flaps = chance(0.1);

        for (my $time = $fails; $time < $over; $time += EACH) {
            my $flap = $flaps && $time > 2 && chance(0.3);
            push @storm, [ $time, $host, $flap ? 'OK'
                           : $time < $worse ? 'WARNING' : 'CRITICAL' ];
        }

        push @storm, [ $over, $host, 'OK' ];
    }

    return sort { $a->[0] <=> $b->[0] } @storm;
}

# Webhooks of a host go one after the other.

sub blow {
    my ($storm, $prefix, $meanwhile) = @_;
    my @left = @$storm;
    my $begun = time();
    my %last;

    while (@left) {
        while (@left && $left[0][0] <= time() - $begun) {
            my ($time, $host, $level) = @{shift @left};

            for my $source (sort keys %KEY) {
                my $name = "$source $host";
                $q->finish($last{$name}) if $last{$name};
                $last{$name} = $q->start_post("$prefix$host", $level,
                    source => $source, timeout => 3);
            }
        }

        $meanwhile->(time() - $begun);
        $t->poll(0.004);
    }

    $q->finish(values %last);
    return $begun;
}

# Levels of a host, and how often they change

sub changes {
    my ($source) = @_;
    my ($n, %level) = (0);

    for (grep { $_->{source} eq $source } $q->ledger) {
        $n++ if ($level{$_->{id}} // 'OK') ne $_->{level};
        $level{$_->{id}} = $_->{level};
    }

    return $n;
}

sub audit {
    my ($source, $begun) = @_;
    my @requests = $q->requests_of($source);
    my $webhooks = grep { $_->{source} eq $source } $q->ledger;

    is(scalar(grep { $_->{limited} } @requests), 0, "$source: no 429");
    cmp_ok($q->burst(0.98, @requests), '<=', RATE, 'nor more than may be');
    my @alerts = values %{$fake->alerts->{$KEY{$source}}};
    is(scalar(grep { $_->{phantoms} } @alerts), 0, 'no phantom');

    cmp_ok(@requests, '<=', changes($source), sprintf
        '%d requests for %d webhooks, %d changes', scalar @requests, $webhooks,
        changes($source));

    my %critical;
    $critical{$_->{folded}} //= $_->{time}
        for grep { $_->{taken} && ($_->{event}{level} // '') eq 'CRITICAL' }
        @requests;
    is(scalar(keys %critical), HOSTS, 'each was shown as CRITICAL');
    my ($last) = sort { $b <=> $a } values %critical;

    # the last host gets worse after 1.7 s
    my $windows = $last - $begun - 1.7;
    cmp_ok($windows, '<=', HOSTS / RATE + 2, sprintf
        'the last one after %.1f s', $last - $begun);

    is_deeply([ $q->faults(mode => $source, source => $source) ], [],
              'ilert shows what Kapacitor knows');
    is(scalar(grep { $_->{state} ne 'resolved' } @alerts), 0, 'all is over');
}


subtest 'a storm' => sub {
    $fake->rule(delay => 0.02);
    my $begun = blow([ storm() ], 'h', sub { });
    ok($q->settled(1.5), 'it ends');
    note(sprintf '%.1f s', time() - $begun);
    audit($_, $begun) for sort keys %KEY;
    cmp_ok(scalar(() = $q->requests_of('latest')), '<=',
           scalar(() = $q->requests_of('repeats')), 'latest costs less');
    is($q->waiting, 0);
};

# All is killed in the middle of it, twice.

subtest 'crashes' => sub {
    $q->forget;
    $t->expect_log(qr/shared memory zone .* was locked/);
    $fake->limit(phase => rand);
    $fake->rule(delay => 0.02);

    my @crashes = (1.5, 3.7);
    blow([ storm() ], 'c', sub {
        my ($time) = @_;
        return if !@crashes || $time < $crashes[0];
        shift @crashes;
        $q->crash;
        $q->start;
    });

    ok($q->last_words, 'a last webhook of each');
    ok($q->settled(1.5), 'it ends');
    is($fake->counts->{limited}, 0, 'no 429');
    is($fake->counts->{phantoms}, 0, 'no phantom');
    is_deeply([ $q->faults(mode => $_, source => $_, parallel => 0) ], [],
              "$_: ilert shows what Kapacitor knows") for sort keys %KEY;
    cmp_ok($q->burst(0.98, $q->requests_of($_)), '<=', RATE,
           "$_: never too many") for sort keys %KEY;
};

diag("TEST_SEED=$seed") if !Test::More->builder->is_passing;
done();
