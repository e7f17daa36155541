#!/usr/bin/perl

# "ilert_reconcile" when Kapacitor cannot be asked, or does not say all:
# nothing is concluded from that, it is said, and what was lost is repaired
# when it can be.  And what it has forgotten: that is over, after a minute.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertReconcile;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

# name => [what is wrong, the state, what the status says]

my @LIST = (match => qr{/topics$});
my @EVENTS = (match => qr{/events$});

my %FAULT = (
    unauthorized => [ { status => 401 }, 'refused', qr/401/ ],
    forbidden => [ { @EVENTS, status => 403 }, 'refused', qr/403/ ],
    unknown => [ { @LIST, status => 404 }, 'refused', qr/404/ ],
    error => [ { @LIST, status => 500 }, 'down', qr/500/ ],
    unavailable => [ { @EVENTS, status => 503 }, 'down', qr/503/ ],
    halflist => [ { @LIST, cut => 700 }, 'down', qr/./ ],
    half => [ { @EVENTS, cut => -1200 }, 'down', qr/./ ],
    almost => [ { @EVENTS, cut => -1 }, 'down', qr/./ ],
    page => [ { body => "<html>\n" }, 'down', qr/./ ],
    empty => [ { @EVENTS, body => '' }, 'down', qr/./ ],
    other => [ { @EVENTS, body => '{"events":{}}' }, 'down', qr/./ ],
    nothing => [ { @LIST, body => '{}' }, 'down', qr/./ ],
    reset => [ { @EVENTS, reset => 1 }, 'down', qr/./ ],
    hang => [ { @LIST, hang => 1 }, 'down', qr/./ ],
    down => [ undef, 'down', qr/refused/ ],
);

# others, of which something can be said

my @OTHERS = qw(disabled vanished wiped restarted kept slow one two);
my $retry = 'rate off; coalesce off; retry 50ms 300ms;';

my $loop = IlertReconcile->new(
    workers => 2, shim => $shim, sources => { ops => $retry },
    ask => { (map { $_ => '' } keys %FAULT, grep { $_ ne 'two' } @OTHERS),
             two => '/one' },
    kapacitor => { kept => { version => '1.5.9' } });

my ($q, $fake) = ($loop->queue, $loop->fake);
my %k = map { $_ => $loop->kapacitor($_) } keys %FAULT, @OTHERS;
my $TOPIC = 'main:cpu:alert2';

sub open_at_ilert {
    return join ' ', grep { $loop->shown($_) ne 'OK' } @_;
}

# When the webhooks of the beginning are taken, the clock is wrong.

$q->start;
$shim->clock(3600);

for my $name (sort keys %k) {
    my $topic = $name eq 'two' ? 'main:two:alert2' : $TOPIC;
    $loop->topic($name, $topic);
    $k{$name}->set($topic, "$name-$_", 'CRITICAL') for 1 .. 3;
}

$k{slow}->fill($TOPIC, 1500, 'OK');
$loop->settled;
$loop->polled(1);

is(scalar(grep { $loop->shown("$_-1") eq 'CRITICAL' } sort keys %k),
   scalar(keys %k), 'all is open');
is_deeply([ grep { $loop->status($_)->{state} ne 'up' } sort keys %k ], [],
          'and asked');


# The clock is set back, and a minute of uptime is behind each.

$shim->clock(0);
$q->pass(61);
$loop->polled(1);
my $mark = $q->test->mark;

for (sort keys %FAULT) {
    my $fault = $FAULT{$_}[0];
    $fault ? $k{$_}->fault(%$fault) : $k{$_}->down(api => 1);
}

$k{slow}->fault(@EVENTS, drip => 0.001);
$k{disabled}->disable($TOPIC);
$k{vanished}->fault(@EVENTS, status => 500,
    body => '{"error": "failed to get topic events: unknown topic \"x\""}');

for (sort(keys %FAULT), qw(vanished slow)) {
    $k{$_}->set($TOPIC, "$_-1", 'OK', lose => 1);
    $k{$_}->set($TOPIC, "$_-4", 'CRITICAL', lose => 1);
}

# Absent, since the OK was lost and is forgotten; all are; or none is

for (qw(restarted kept)) {
    $k{$_}->set($TOPIC, "$_-1", 'OK', lose => 1);
    $k{$_}->set($TOPIC, "$_-4", 'CRITICAL', lose => 1);
    $k{$_}->restart;
}

$k{wiped}->restart(wipe => 1);

# Another Kapacitor has the topic, too, but not the alerts of it.

$k{two}->topic($TOPIC);
$k{two}->set($TOPIC, 'its own', 'OK');

$loop->polled(3, @OTHERS);
ok(wait_until(sub {
    !grep { $loop->status($_)->{state} ne $FAULT{$_}[1] } keys %FAULT
}), 'each fault is found');

subtest $_ => sub {
    my $name = $_;
    my (undef, $state, $text) = @{$FAULT{$name}};

    is(open_at_ilert(map { "$name-$_" } 1 .. 4),
       join(' ', map { "$name-$_" } 1 .. 3), 'nothing is concluded');

    my $status = $loop->status($name);
    is($status->{state}, $state, 'the state');
    like($status->{error}, $text, 'the reason');
    is(scalar $q->test->grep_log(qr/\[(?:warn|error)\].*\Q$name-api\E/,
                                 $mark), 1, 'one line in the log');
} for sort keys %FAULT;

subtest 'a topic that is not listed' => sub {
    is(open_at_ilert(map { "disabled-$_" } 1 .. 3),
       'disabled-1 disabled-2 disabled-3', 'nothing is concluded');
    is($loop->status('disabled')->{state}, 'up');
};

subtest 'a topic that vanishes' => sub {
    is(open_at_ilert(map { "vanished-$_" } 1 .. 4),
       'vanished-1 vanished-2 vanished-3', 'nothing is concluded');
};

subtest 'a slow one' => sub {
    is(open_at_ilert(map { "slow-$_" } 1 .. 4), 'slow-2 slow-3 slow-4',
       'is waited for');
    is($loop->status('slow')->{state}, 'up');
};

subtest 'a restart' => sub {
    is(open_at_ilert(map { "restarted-$_" } 1 .. 4),
       'restarted-1 restarted-2 restarted-3 restarted-4',
       'what is absent is not over at once');
    is(open_at_ilert(map { "kept-$_" } 1 .. 4), 'kept-2 kept-3 kept-4',
       'an old Kapacitor has the OK');
    is(open_at_ilert(map { "wiped-$_" } 1 .. 3), 'wiped-1 wiped-2 wiped-3',
       'no state at all is no sign either');
};

# A minute later what Kapacitor does not have is over, and only that.

my $other = 'main:other:alert2';
$loop->topic('wiped', $other);
$k{wiped}->set($other, 'wiped-5', 'CRITICAL');
wait_until(sub { open_at_ilert('wiped-5') eq 'wiped-5' }, 20,
           'a webhook of a topic that is new');
$q->pass(61);
$loop->polled(2, @OTHERS);

subtest 'a minute later' => sub {
    is(open_at_ilert(map { "restarted-$_" } 1 .. 4),
       'restarted-2 restarted-3 restarted-4', 'what is absent is over');
    ok(wait_until(sub { open_at_ilert(map { "wiped-$_" } 1 .. 5)
                        eq 'wiped-5' }, 20), 'all that is absent')
        or diag(open_at_ilert(map { "wiped-$_" } 1 .. 5));
    is(open_at_ilert(map { "disabled-$_" } 1 .. 3),
       'disabled-1 disabled-2 disabled-3', 'not what is not listed');
    is(open_at_ilert(map { "one-$_" } 1 .. 3), 'one-1 one-2 one-3',
       'not what another Kapacitor does not have');
    is(open_at_ilert(map { "$_-3" } sort keys %FAULT),
       join(' ', map { "$_-3" } sort keys %FAULT), 'not of one that fails');
};

$_->clear_faults for values %k;
$k{down}->up;
$k{disabled}->enable($TOPIC);

subtest 'when it is well again' => sub {
    my @names = (sort(keys %FAULT), 'vanished');
    my $expected = join ' ', map { my $n = $_; map { "$n-$_" } 2 .. 4 } @names;

    ok(wait_until(sub {
        open_at_ilert(map { my $n = $_; map { "$n-$_" } 1 .. 4 } @names)
            eq $expected
    }, 12), 'what was lost is repaired');
    is_deeply([ grep { $loop->status($_)->{state} ne 'up' } @names ], [],
              'the state');
    is_deeply([ $loop->faults(@names) ], []);
};

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
