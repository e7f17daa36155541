#!/usr/bin/perl

# Nothing is done as long as there is nothing to do, whatever the state: each
# queue below is brought into a state in which it waits, and then jobs of its
# workers are counted, by how often their threads had to wait for something.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest qw(:DEFAULT process_cpu process_waits);

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";

use constant { HOUR => 3600, SECONDS => 2,

    # in a second, of two workers: a loop has thousands, and what is tried
    # twice a second, or is looked at then, some ten
    MOST => 100 };

my $HELD = 'coalesce repeats; repeat 24h;';


# Each gets a queue that runs, and brings it into its state.

my @states = (
    [ 'ok' => sub {
        my ($q) = @_;
        $q->say('a CRITICAL', 'b CRITICAL', 'b OK');
        ok($q->drained);
        state($q, 'ops', 'ok');
    } ],

    [ 'a held repeat' => sub {
        my ($q) = @_;
        hold($q);
    }, sources => { ops => "$HELD resolve_after 2h;" } ],

    [ 'paused' => sub {
        my ($q) = @_;
        $q->does('sources/ops/pause', 1);
        $q->say('a CRITICAL', 'b CRITICAL', 'b OK');
        state($q, 'ops', 'paused');
    } ],

    [ 'parked' => sub {
        my ($q) = @_;
        $q->fake->rule(status => 401);
        $q->say('a CRITICAL', 'b CRITICAL');
        state($q, 'ops', 'parked');
    } ],

    [ 'limited' => sub {
        my ($q) = @_;
        $q->say('a CRITICAL', 'b CRITICAL', 'c CRITICAL');
        state($q, 'ops', 'limited');
    }, sources => { ops => 'rate 1r/m;' } ],

    [ 'repeats that are limited' => sub {
        my ($q) = @_;
        $q->say('a CRITICAL', 'b CRITICAL');
        ok(wait_until(sub {
            $q->value('select count(*) from alert where told > 0') == 2 }),
           'ilert knows');

        # until then they are no repeats

        $q->say('a CRITICAL', 'b CRITICAL');
        ok(wait_until(sub {
            $q->value('select count(*) from alert where state = 0'
                      . ' and head > 0 and urgency = 4') == 2 }), 'wait');
    }, sources => { ops => 'rate 3r/m; coalesce repeats; repeat 1s;' } ],

    [ 'retrying' => sub {
        my ($q) = @_;
        $q->fake->rule(status => 500);
        $q->say('a CRITICAL');
        state($q, 'ops', 'retrying');
    }, sources => { ops => 'retry 10s 1m;' } ],

    [ 'an endpoint that is down' => sub {
        my ($q) = @_;
        $q->fake->refuse(all => 1);
        $q->say(map { "a$_ CRITICAL" } 1 .. 10);
        $q->becomes(sub { $_->{endpoints}{default}{state} eq 'down' },
                    'it is down');
    }, sources => { ops => 'retry 1s 10s;' } ],

    [ 'full' => sub {
        my ($q) = @_;
        $q->does('sources/ops/pause', 1);
        ok(wait_until(sub {
            $q->post('a' . rand, 'CRITICAL', size => 50_000)->{result}
            ne 'ACCEPTED' }), 'no room is left');
        $q->becomes(sub { $_->{queue}{state} eq 'full' }, 'full');
    }, queue => 'queue max_size=1m' ],

    [ 'error' => sub {
        my ($q, $shim) = @_;
        $q->fake->rule(status => 500);
        $q->say('a CRITICAL');
        $shim->write_error(EIO);
        $q->becomes(sub { $q->ready; $_->{queue}{state} eq 'error' },
                    'error');
    }, sources => { ops => 'retry 1s 10s;' } ],

    [ 'a source that is removed, and its held repeat' => sub {
        my ($q) = @_;
        hold($q);
        $q->change(sources => { dev => '' })->reload;
        state($q, 'dev', 'ok');
    }, sources => { ops => $HELD } ],

    [ 'a source that is removed, and its waiting events' => sub {
        my ($q) = @_;
        $q->fake->rule(status => 500);
        $q->say(map { "a$_ CRITICAL" } 1 .. 3);
        $q->change(sources => { dev => 'coalesce repeats;' })->reload;
        $q->say({ source => 'dev' }, 'b CRITICAL');
        state($q, 'dev', 'retrying');
    }, sources => { ops => 'retry 1h 2h;' } ],

    [ 'a source of the other kind' => sub {
        my ($q) = @_;
        $q->does('sources/ops/pause', 1);
        $q->say(map { "a$_ CRITICAL" } 1 .. 3);
        $q->change(sources => { ops => "webhook_url $URL;" })->reload;
        $q->does('sources/ops/resume', 1);
        ok($q->test->wait_log(qr/events wait that are of the other kind/),
           'it is said');
    }, keys => { $KEY => 'api', $KAP => 'kapacitor' } ],

    [ 'the clock is set back' => sub {
        my ($q, $shim) = @_;
        hold($q);
        $q->fake->rule(status => 500);
        $q->say('b CRITICAL');
        state($q, 'ops', 'retrying');
        $shim->clock(-3 * HOUR);
        $q->say('c CRITICAL');
    }, sources => { ops => 'coalesce repeats; repeat 20m; resolve_after 20m;'
                           . 'retry 10s 1m;' } ],

    [ 'the clock is set back, a source is removed' => sub {
        my ($q, $shim) = @_;
        hold($q);
        $q->change(sources => { dev => 'resolve_after 1h;' })->reload;
        $q->say({ source => 'dev' }, 'b CRITICAL');
        ok(wait_until(sub { $q->fake->alerts->{$KEY}{b} }), 'delivered');
        $shim->clock(-30 * HOUR);
        $q->say({ source => 'dev' }, 'c CRITICAL');
    }, sources => { ops => $HELD } ],
);

# An alert that is open, and what would say the same.

sub hold {
    my ($q) = @_;
    $q->say('a CRITICAL');
    ok($q->drained);
    $q->say('a CRITICAL');
    is($q->value('select urgency from alert where state = 2'), 4,
       'a repeat is held');
}

sub state {
    my ($q, $source, $state) = @_;
    $q->becomes(sub { $_->{sources}{$source}{state} eq $state }, $state);
}


my @queues;

for my $state (@states) {
    my ($name, $sub, %opt) = @$state;

    subtest "$name: waits" => sub {
        my $shim = IlertShim->new;
        plan(skip_all => 'no compiler')
            if !$shim && $name =~ /clock|^error$/;

        my $q = IlertStatus->new(workers => 2, timeout => '1s',
            sources => { ops => '' }, $shim ? (shim => $shim) : (), %opt);
        $shim->folder($q->dir) if $shim;
        $q->start;
        $sub->($q, $shim);
        push @queues, [ $name, $q ];
    };
}

# What was said last may still be under way.

sleep(1);

my $begun = time();
my %before = map { $_->[0] => [ work($_->[1]) ] } @queues;

sleep(SECONDS);

my %after = map { $_->[0] => [ work($_->[1]) ] } @queues;
my $seconds = time() - $begun;

for (@queues) {
    my ($name, $q) = @$_;
    my ($waits, $cpu) = map { ($after{$name}[$_] - $before{$name}[$_])
                              / $seconds } 0, 1;

    cmp_ok($waits, '<', MOST, sprintf '%s: %.0f waits, %.0f ms of CPU in'
           . ' a second', $name, $waits, $cpu * 1000);
    $q->stop;
}

done();


# How often the threads of all workers have waited, and their CPU time.

sub work {
    my ($q) = @_;
    my ($waits, $cpu) = (0, 0);

    for my $pid ($q->test->workers) {
        $cpu += process_cpu($pid);
        $waits += process_waits($pid);
    }

    return ($waits, $cpu);
}
