#!/usr/bin/perl

# "resolve_after": an alert of which nothing has been heard for so long is
# ended by a RESOLVE of ours, which says so; the next event opens it again.

use warnings;
use strict;

use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my %KEY = (hours => 'il1api5ec4e7a11', native => 'il1kap5ec4e7a12',
           never => 'il1api5ec4e7a13', latest => 'il1api5ec4e7a14');
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KEY{native}";

my $retry = 'rate off; retry 50ms 200ms;';
my %sources = (
    hours => "integration_key $KEY{hours}; coalesce repeats; repeat 25m; "
             . "resolve_after 10m; $retry",
    latest => "integration_key $KEY{latest}; coalesce latest; repeat 10m; "
              . "resolve_after 45s; $retry",
    native => "webhook_url $URL; resolve_after 10m; $retry",
    never => "integration_key $KEY{never}; coalesce repeats; $retry",
);

# In half minutes, and of the sources

use constant { HALF => 30, TIME => 20 * 30 };

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', shim => $shim, sources => \%sources,
    fake => { bodies => 1 },
    keys => { map { $KEY{$_} => $_ eq 'native' ? 'kapacitor' : 'api' }
              keys %KEY });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;

sub case {
    my ($what, $sub) = @_;

    subtest $what => sub {
        $q->forget;
        $sub->();
        is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
                  'nothing is wrong with the requests');
    };
}

sub say { my ($source, @what) = @_; $q->say({ source => $source }, @what) }

sub open_alert {
    my ($source, @ids) = @_;
    my $n = $fake->counts->{events} + @ids;
    say($source, map { "$_ CRITICAL" } @ids);
    ok($fake->wait_events($n, 3) && $q->drained, 'open');
}

sub state {
    my ($source, $id) = @_;
    my $alert = $fake->alerts->{$KEY{$source}}{IlertFake::fold($id)};
    return $alert && $alert->{state};
}

# A courier that has begun

sub delivers {
    return wait_until(sub { $q->courier }, 3) && $q->calm(0.3);
}

sub comes {
    my ($seconds, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $fake->counts->{requests};
    $q->run($seconds);
    ok($fake->wait_requests($n + 1, 3), $what);
    return $fake->request(-1);
}

sub none_comes {
    my ($seconds, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $fake->counts->{requests};
    $q->run($seconds);
    ok($q->calm(0.35), $what);
}


case 'what is sent' => sub {
    open_alert('hours', 'cpu');
    none_comes(TIME - 20, 'not before the time');
    my $r = comes(21, 'then');

    is_deeply($r->{json}, {
        integrationKey => $KEY{hours}, eventType => 'RESOLVE',
        summary => 'cpu: no event for 10m, resolved by nginx',
        alertKey => 'cpu',
    }, 'the event');
    is($r->{header}{'content-type'}, 'application/json');
    like($r->{body}, qr/^\{"integrationKey":"$KEY{hours}"/);
    like($r->{header}{'x-attempt'}, qr/^1$/);
    is(state('hours', 'cpu'), 'resolved', 'ilert shows it');
    none_comes(60 * HALF, 'once');

    open_alert('hours', 'cpu');
    is($fake->alerts->{$KEY{hours}}{cpu}{opened}, 2,
       'a later event opens it again');
    say('hours', 'cpu OK');
    ok($q->drained);
    is(state('hours', 'cpu'), 'resolved');
    none_comes(25 * HALF, 'nothing to end');
};

case 'to a webhook URL' => sub {
    open_alert('native', 'disk');
    my $r = comes(TIME + 1, 'its time');
    is($r->{uri}, "/api/v1/events/kapacitor/$KEY{native}");
    my %body = %{$r->{json}};
    is_deeply([ @body{qw(id level message)} ], [ 'disk', 'OK',
        'disk: no event for 10m, resolved by nginx' ], 'the body');
    like($body{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'the time');
    is(state('native', 'disk'), 'resolved', 'ilert shows it');
    open_alert('native', 'disk');
    is($fake->alerts->{$KEY{native}}{disk}{opened}, 2, 'and opens it again');
    say('native', 'disk OK');
    ok($q->drained);
};

case 'times' => sub {
    $q->change(sources => { %sources, odd => "integration_key $KEY{never}; "
                                      . "resolve_after 1500ms; $retry" });
    $q->reload;
    $q->say({ source => 'odd' }, 'odd CRITICAL');
    ok($fake->wait_events(2, 4), 'without a clock of ours');
    is($fake->request(1)->{event}{summary},
       'odd: no event for 1s500ms, resolved by nginx');
    my ($opened, $ended) = map { $_->{time} } $fake->requests;
    cmp_ok($ended - $opened, '>', 1.48);
    cmp_ok($ended - $opened, '<', 3);
    $q->change(sources => \%sources)->reload;
};

# While nobody was there events may have been lost, which is no silence.

case 'an nginx that was stopped' => sub {
    open_alert('hours', 'stopped');
    $q->stop;
    $q->run(60 * HALF);
    $q->start;
    ok(delivers(), 'and is back');
    none_comes(TIME - 20, 'the time begins when it is back');
    comes(21, 'and ends');
};

# The key as it was sent, in a valid JSON text

case 'keys' => sub {
    my @ids = ('a\"quote', 'back\\\\slash', 'tab\tbed', 'ü€😀', 'MiXed Case',
               '<b>&amp;</b>', '%s%n$x', 'x' x 3000);
    my $n = 2 * @ids;

    for my $source (qw(hours native)) {
        $t->post("/$source", Encode::encode('UTF-8', qq({"id":"$_",)
            . '"message":"m","level":"CRITICAL",'
            . '"time":"2026-03-01T08:15:30Z"}'))
            for @ids;
    }

    ok($fake->wait_events($n, 5) && $q->drained);
    my @opened = map { $_->{alert_key} } $fake->requests;
    $q->run(TIME + 1);
    ok($fake->wait_events(2 * $n, 5), 'each is ended');
    my @ended = ($fake->requests)[$n .. 2 * $n - 1];
    is_deeply([ sort map { $_->{alert_key} } @ended ], [ sort @opened ],
              'by its key');
    is_deeply([ grep { $_->{type} ne 'RESOLVE' } @ended ], []);
    is(scalar(grep { $_->{state} ne 'resolved' }
              map { values %{$fake->alerts->{$KEY{$_}}} } qw(hours native)),
       0);
    is_deeply([ grep { $_->{event}{summary} !~ /no event for 10m/ } @ended ],
              [], 'the summary');
};

case 'while events come' => sub {
    open_alert('hours', 'busy');
    for (1 .. 4) {
        none_comes(12 * HALF, 'events come');
        say('hours', 'busy CRITICAL');
    }

    # when "repeat" is over: what was held
    my $r = comes(2 * HALF, 'the repeat');
    is($r->{type}, 'ALERT');
    none_comes(15 * HALF, 'there was one');
    $r = comes(6 * HALF, 'then there was none');
    is($r->{type}, 'RESOLVE');
};

case 'a repeat that is held' => sub {
    open_alert('hours', 'held');
    say('hours', 'held CRITICAL');
    is($q->waiting, 1, 'waits');
    my $r = comes(TIME + 1, 'its time');
    is($r->{type}, 'RESOLVE', 'goes with the alert');
    ok($q->drained);
    none_comes(50 * HALF, 'nothing more');
    is($fake->alerts->{$KEY{hours}}{held}{opened}, 1, 'is not opened again');
};

# Nothing else is to be ended.

case 'others' => sub {
    open_alert('never', 'forever');
    open_alert('hours', 'over');
    say('hours', 'over OK', 'unknown OK');
    ok($q->drained);

    $fake->rule(match => qr/"wait(?:ing)? \d/, status => 503);
    say('hours', 'waiting CRITICAL');
    ok($fake->wait_requests(5));
    my $n = $fake->counts->{events};
    $q->run(40 * HALF);
    $q->calm(0.8);
    is($fake->counts->{events}, $n, 'what is over, or waits, or has no end');
    $fake->clear_rules;
    ok($q->drained, 'what waited is sent');
    is(state('hours', 'waiting'), 'open');
    is(state('never', 'forever'), 'open');
    my $r = comes(TIME + 10, 'and has its time');
    is($r->{alert_key}, 'waiting');
};

case 'restarts' => sub {
    open_alert('hours', 'r1', 'r2');
    none_comes(10 * HALF, 'half the time');
    $q->reload;
    $q->stop->start;
    $q->crash;
    $t->expect_log(qr/shared memory zone .* was locked/);
    $q->start;
    ok(delivers(), 'a courier');
    none_comes(9 * HALF, 'almost all of it');
    comes(61, 'its time, over restarts');
    ok($q->drained);
    is(state('hours', $_), 'resolved', $_) for qw(r1 r2);
};

case 'a reload' => sub {
    open_alert('never', 'then');
    none_comes(30 * HALF, 'off');
    $q->change(sources => { %sources, never => "$sources{never} "
                                               . 'resolve_after 5m;' });
    my $n = $fake->counts->{requests};
    $q->reload;
    $q->run(10 * HALF + 1)
        if !IlertWait::wait_quietly(sub { $fake->counts->{requests} > $n }, 2);
    ok($fake->wait_requests($n + 1), 'one is sent');
    is($fake->request(-1)->{event}{summary},
       'then: no event for 5m, resolved by nginx', 'turns it on');
    $q->change(sources => \%sources)->reload;
};

# Our RESOLVE waits while ilert is down: what comes takes its place.

case 'an event comes first' => sub {
    for my $source (qw(hours latest)) {
        open_alert($source, 'late', 'gone');
        $fake->refuse(all => 1);
        $q->run(TIME + 1);
        ok(wait_until(sub { $q->waiting >= 2 }, 4), "$source: both are to go");
        say($source, 'late WARNING');
        $fake->accept;
        $q->run(10);
        ok($q->drained, 'the queue gets empty');
        is(state($source, 'late'), 'open', 'one is still open');
        my @types = map { $_->{type} }
                    grep { $_->{key} eq $KEY{$source}
                           && ($_->{alert_key} // '') eq 'late' }
                    $fake->requests;
        is("@types", 'ALERT ALERT', 'and was not ended');
        is(state($source, 'gone'), 'resolved', 'the other is over');
        say($source, 'late OK');
        ok($q->drained);
    }
};

# Latest: our RESOLVE is known, and the real one need not be sent.

case 'the real one' => sub {
    open_alert('latest', 'real');
    comes(46, 'ours');
    my $n = $fake->counts->{requests};
    say('latest', 'real OK');
    ok($q->drained);
    $q->calm(0.3);
    is($fake->counts->{requests}, $n, 'costs nothing');
};

case 'refused' => sub {
    my $rule = $fake->rule(match => qr/no event for/, status => 400);
    open_alert('latest', 'bad');
    comes(46, 'tried');
    ok($q->drained, 'a dead letter');
    $q->calm(0.5);
    my $n = $fake->counts->{requests};
    cmp_ok($n, '<=', 3, 'not again and again');
    $fake->drop_rule($rule);
    say('latest', 'bad OK');
    ok($q->drained);
};

done();
