#!/usr/bin/perl

# "resolve_delay": what flaps is one alert at ilert, and one page; what is held
# survives reloads, restarts, and crashes; operators, and another
# configuration, let it go; and nothing is lost.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(ENOSPC);
use Test::More;

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";
my $DELAY = 'retry 50ms 200ms; resolve_delay 2m;';

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    shim => $shim, workers => 2, timeout => '5s',
    keys => { $KEY => 'api', $KAP => 'kapacitor' },
    sources => { ops => "coalesce latest; $DELAY",
                 every => "coalesce off; $DELAY",
                 native => "webhook_url $URL; coalesce repeats; $DELAY" },
    server => 'location = /try { ilert_kapacitor ops; ilert_dry_run on; }');
my ($t, $fake) = ($q->test, $q->fake);

$q->start;
$shim->folder($q->dir);
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

# What ilert has taken of an alert, in short.

sub got {
    my ($id, $source) = @_;
    my $alert = $fake->alerts->{($source // 'ops') eq 'native' ? $KAP : $KEY}
                              {$id};
    return join '', map { substr $_, 0, 1 } @{$alert->{log} || []};
}

sub becomes {
    my ($id, $what, $source) = @_;
    ok(wait_until(sub { got($id, $source) eq $what }, 10),
       "$id becomes $what") or diag(got($id, $source));
}

# What comes while an ALERT is under way is held when that has its verdict.

sub held {
    my ($n, $what) = @_;
    $q->becomes(sub { ($_->{sources}{ops}{held} // -1) == $n
                      && !$_->{queue}{pending} }, $what);
}

# so that each event is seen by the courier before the next one comes

sub flap {
    my ($id, $n, $source) = @_;
    my $every = ($source // '') eq 'every';

    for (1 .. $n) {
        $q->post($id, 'CRITICAL', source => $source);
        becomes($id, $every ? 'A' x $_ : 'A', $source)
            if $every || $_ == 1;
        $q->post($id, 'OK', source => $source);
        $q->pass(2);
    }
}


subtest 'ten flaps' => sub {
    flap('flaps', 10);

    is(got('flaps'), 'A', 'one alert');
    held(1, 'the last OK is held, and is not pending');

    $q->run(110);
    $q->settled;
    is(got('flaps'), 'A', 'for two minutes');

    $q->run(10);
    becomes('flaps', 'AR');
    is($fake->alerts->{$KEY}{flaps}{pages}, 1, 'one page');
    held(0, 'nothing is held');

    # a change is an update

    $q->post('update', 'WARNING');
    becomes('update', 'A');
    $q->post('update', $_) for qw(OK CRITICAL);
    becomes('update', 'AA');
    is($fake->alerts->{$KEY}{update}{opened}, 1, 'of the same alert');
    $q->post('update', 'OK');
    $q->run(122);
    becomes('update', 'AAR');

    # all that comes while the ALERT is under way

    my $rule = $fake->rule(match => qr/under/, delay => 1, times => 1);
    $q->post('under', $_) for qw(CRITICAL OK CRITICAL OK);
    becomes('under', 'A');
    held(1, 'it is held');
    $q->run(122);
    becomes('under', 'AR');
    is($fake->alerts->{$KEY}{under}{pages}, 1, 'one page');

    # nobody hears of what was over before it could be sent

    $q->does('sources/ops/pause', 1);
    $q->post('flaps', $_) for qw(CRITICAL OK);
    is($q->status->{sources}{ops}{pending}, 0, 'they cancel out');
    $q->does('sources/ops/resume', 1);

    for my $source (qw(every native)) {
        flap($source, 2, $source);
        $q->settled;
        is(got($source, $source), $source eq 'every' ? 'AA' : 'A',
           "$source: no alert ends");
        $q->run(122);
        becomes($source, $source eq 'every' ? 'AAR' : 'AR', $source);
        is($fake->alerts->{$source eq 'every' ? $KEY : $KAP}{$source}{pages},
           1, 'one page');
    }
};


subtest 'over restarts' => sub {
    my @how = ([ reload => sub { $q->reload } ],
               [ restart => sub { $q->stop; $q->start } ],
               [ crash => sub { $q->crash; $q->start } ],
               [ worker => sub { my $pid = $q->courier;
                                 kill 'KILL', $pid;
                                 ok(wait_until(sub {
                                     ($q->courier || $pid) != $pid
                                 }, 10), 'another courier') } ]);

    for (@how) {
        my ($name) = @$_;
        $q->post($name, 'CRITICAL');
        becomes($name, 'A');
        $q->post($name, 'OK');
    }

    held(4, 'held');
    $q->pass(60);

    for (@how) {
        my ($name, $sub) = @$_;
        $sub->();
        held(4, "$name: held");
    }

    $q->settled;
    is(got($_->[0]), 'A', "$_->[0]: still") for @how;

    # the time has gone on

    $q->run(62);
    becomes($_->[0], 'AR') for @how;
};


subtest 'it is let go' => sub {
    $q->post($_, 'CRITICAL') for qw(order resume conf stuck);
    becomes($_, 'A') for qw(order resume conf stuck);
    $q->post($_, 'OK') for qw(order resume);
    held(2, 'held');

    my $alert = $q->alert('ops', 'order');
    is($alert->{events}[0]{class}, 'held', 'of one alert')
        or diag(explain($alert));
    ok($alert->{next_try}, 'when it goes') or diag(explain($alert));

    $q->does('alert/resolve?source=ops&alert_key=ORDER', 1);
    becomes('order', 'AR');
    is($fake->request(-1)->{event}{summary},
       'order: resolved by an operator', 'why');
    is(got('resume'), 'A', 'another one is held');

    $q->does('sources/ops/resume', 1);
    becomes('resume', 'AR');
    $q->does('sources/ops/resume', 0);

    # whatever is known

    $q->does("alert/resolve?source=$_->[0]&alert_key=$_->[1]", 1)
        for [ ops => 'order' ], [ ops => 'stuck' ], [ ops => 'never%20seen' ],
            [ native => 'never' ];
    becomes('order', 'ARR');
    becomes('stuck', 'AR');
    ok(wait_until(sub { grep { $_->{key} eq $KAP && $_->{alert_key} eq 'never'
                               && $_->{type} eq 'RESOLVE' } $fake->events },
                  10), 'in the form of Kapacitor');
    ok(wait_until(sub { grep { $_->{alert_key} eq 'never seen' }
                        $fake->events }, 10), 'of what was never heard of');

    # it is opened again

    $q->post('stuck', 'CRITICAL');
    becomes('stuck', 'ARA');
    $q->post('stuck', 'OK');

    $q->post('conf', 'OK');
    held(2, 'held');
    $q->change(sources => { ops => 'coalesce latest; retry 50ms 200ms;' });
    $q->reload;
    becomes('conf', 'AR');
    becomes('stuck', 'ARAR');
    held(0, 'not by another configuration');

    $q->change(sources => { ops => "coalesce latest; $DELAY" });
    $q->reload;
};


# A test of the source is at an end at once; a dry run knows.

subtest 'what is not held' => sub {
    is($q->control('sources/ops/test')->{status}, 200, 'a test');

    $q->post('dry', 'CRITICAL');
    becomes('dry', 'A');
    held(0, 'nothing is held');
    my $r = $t->post('/try', IlertQueue::webhook('dry', 100_000, 'OK'));
    is($r->{json}{becomes}, 'held', 'a dry run') or diag($r->{raw});

    # what could not be committed must not go before what is held

    $q->post('dry', 'OK');
    $shim->write_error(ENOSPC);
    $shim->sync_error(ENOSPC);
    ok(wait_until(sub {
        $q->post('other', 'CRITICAL')->{result} eq 'DELIVERED'
    }, 10), 'relayed');
    is($q->post('dry', 'CRITICAL')->{status}, 503, 'not before what is held');
    $shim->write_error(0);
    $shim->sync_error(0);
    ok(wait_until(sub {
        $q->post('other', 'WARNING')->{result} eq 'ACCEPTED'
    }, 10), 'committed again');

    $q->run(122);
    becomes('dry', 'AR');
};

$q->stop;
done();
