#!/usr/bin/perl

# "raise": an alert that was opened as LOW is opened again when it is to call
# people: in order, over crashes, and whatever ilert says to it.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';

my $q = IlertStatus->new(
    workers => 2, timeout => '5s', keys => { $KEY => 'api', $TWO => 'api' },
    sources => { ops => 'coalesce latest; retry 50ms 200ms;',
                 update => "integration_key $TWO; raise update; "
                           . 'retry 50ms 200ms;' },
    endpoint => 'proxy_set_header X-Event $ilert_event_id; '
                . 'proxy_set_header X-Event-Type $ilert_event_type;');
my ($t, $fake) = ($q->test, $q->fake);

$q->start;
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/,
               qr/the RESOLVE before event \d+ was refused, the ALERT goes/);

sub alert { $fake->alerts->{$_[1] // $KEY}{$_[0]} || {} }

sub log_of { join ' ', @{alert(@_)->{log} || []} }

sub becomes {
    my ($id, $what, $key) = @_;
    ok(wait_until(sub { log_of($id, $key) eq $what }, 10), "$id: $what")
        or diag(log_of($id, $key));
}

sub warn_of {
    my ($id, $source) = @_;
    $q->post($id, 'WARNING', priority => 'LOW', source => $source);
    becomes($id, 'ALERT', $source && $TWO);
}

# A repeat that is held is not pending.

sub idle { $q->becomes(sub { !$_->{queue}{pending} }, $_[0]) }

sub raise {
    my ($id, $source) = @_;
    $q->post($id, 'CRITICAL', priority => 'HIGH', source => $source);
}


subtest 'it calls people' => sub {
    warn_of('cpu');
    is(alert('cpu')->{pages}, 0, 'WARNING calls nobody');

    raise('cpu');
    becomes('cpu', 'ALERT RESOLVE ALERT');
    is(alert('cpu')->{pages}, 1, 'CRITICAL does');
    is(alert('cpu')->{priority}, 'HIGH', 'with its priority');

    my ($resolve, $open) = map { $fake->request($_) } -2, -1;
    is($resolve->{event}{summary}, 'cpu is CRITICAL now: opened again so that '
       . 'people are called', 'the RESOLVE says why');
    is($resolve->{header}{'x-event'}, $open->{header}{'x-event'}, 'one id');
    is($_->{header}{'x-event-type'}, $_->{type}, "its type, $_->{type}")
        for $resolve, $open;
    is($_->{header}{'x-attempt'}, 1, 'the first attempt')
        for $resolve, $open;

    is($q->status->{sources}{ops}{budget}{used} // 3, 3, 'three requests');
    is($q->status->{sources}{ops}{delivered}, 3, 'all delivered');

    # but once, however it changes

    for (1 .. 2) {
        $q->post('cpu', 'WARNING', priority => 'LOW');
        $q->drained;
        raise('cpu');
        $q->drained;
    }

    is(alert('cpu')->{pages}, 1, 'and no more');
    $q->post('cpu', 'OK');
    becomes('cpu', 'ALERT RESOLVE' . ' ALERT' x 5 . ' RESOLVE');

    warn_of('mem', 'update');
    raise('mem', 'update');
    becomes('mem', 'ALERT ALERT', $TWO);
    is(alert('mem', $TWO)->{pages}, 0, 'as an update it calls nobody');
};


# Whether the first or the second request was under way, both are at ilert in
# the end, and the ALERT last.

subtest 'crashes' => sub {
    for my $under (qw(RESOLVE ALERT)) {
        my $id = lc $under;
        warn_of($id);
        my $n = $fake->requests;
        my $rule = $fake->rule(match => qr/"$under".*"$id"/, hang => 1,
                               take => 1);
        raise($id);
        ok($fake->wait_requests($n + ($under eq 'RESOLVE' ? 1 : 2), 10),
           "$under is under way");

        $q->crash;
        $fake->drop_rule($rule);
        $q->start;

        idle("$under: all is delivered");
        like(log_of($id), qr/^ALERT RESOLVE( RESOLVE)*( ALERT)+$/,
             "$under: in order");
        is(alert($id)->{state}, 'open', 'it is open');
        is(alert($id)->{pages}, 1, 'one page');
    }

    # not once more, now that nobody knows what ilert shows

    raise('alert');
    $q->settled;
    is(alert('alert')->{pages}, 1, 'one page still');
};


subtest 'what ilert says' => sub {
    my @cases = (
        [ refused => [ status => 400, body => '{"message":"no"}' ], 0 ],
        [ failed => [ status => 500, take => 0 ], 1 ],
        [ lost => [ reset => 'after', take => 1 ], 1 ],
    );

    for (@cases) {
        my ($id, $how, $pages) = @$_;
        warn_of($id);
        my $rule = $fake->rule(match => qr/"RESOLVE".*"$id"/, times => 1,
                               @$how);
        raise($id);
        idle("$id: all is delivered");
        $fake->drop_rule($rule);

        is(alert($id)->{state}, 'open', 'it is open');
        is((alert($id)->{log})->[-1], 'ALERT', 'the ALERT is last');
        is(alert($id)->{pages}, $pages, "pages: $pages");
    }

    is($q->lines('error', 'the RESOLVE before event '), 1, 'a line says so');
    is_deeply([ $q->dead ], [], 'no dead letter');
    is($q->status->{sources}{ops}{dead}, 0, 'nor is one counted');

    # what is over meanwhile stays over

    warn_of('over');
    my $rule = $fake->rule(match => qr/"RESOLVE".*"over"/, delay => 0.5,
                           times => 1);
    my $n = $fake->requests;
    raise('over');
    $fake->wait_requests($n + 1);
    $q->post('over', 'OK');
    idle('over: nothing waits');
    is(log_of('over'), 'ALERT RESOLVE', 'it is not opened again');
};

$q->stop;
done();
