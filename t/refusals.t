#!/usr/bin/perl

# Who refuses an event: only what ilert itself says makes a dead letter.  A 4xx
# of anybody else on the way parks the source, and the event waits.  And what
# is refused: if it is everything of a source, for events of five alerts in
# a row, the source is parked, and none of them is a dead letter.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $HTML = '<html><head><title>400 Bad Request</title></head></html>';
my $LONG = 'x' x 5000;

# Errors of ilert's own, and what is not

my @OWN = (
    [ 400, '{"message":"no"}', 'no' ],
    [ 422, qq( \r\n{"status":422,"message":"white","code":"X"}\n), 'white' ],
    [ 418, '{"code":"NO_OPEN_INCIDENT_WITH_KEY"}', '' ],
    [ 415, '{"message":null,"code":"NULL"}', '' ],
    [ 400, qq({"code":"C","message":"$LONG"}), '' ],
    [ 400, qq({"message":"first","details":"$LONG"}), 'first' ],
    [ 400, qq({"status":400,"message":"$LONG"}), '' ],
    [ 413, '{"message":""}', '' ],
    [ 400, '{"message":"html","page":"<html>"}', 'html',
      [ 'Content-Type' => 'text/html' ] ],
);

my @FOREIGN = (
    [ 400, $HTML ],
    [ 400, '' ],
    [ 413, 'Request Entity Too Large' ],
    [ 400, '{"error":"not of ilert"}' ],
    [ 405, '{"message":5,"code":400}' ],
    [ 400, '{"message":{"message":"within"}}' ],
    [ 400, '[{"message":"in a list"}]' ],
    [ 400, '"message"' ],
    [ 400, '{"message":"cut"' ],
    [ 400, '{"message":"more"} and more' ],
    [ 431, '{}', [ 'Content-Type' => 'application/json' ] ],
    [ 499, $LONG ],
);

my (%sources, %keys);
my $n = 10;

for my $kind (qw(own foreign)) {
    my $list = $kind eq 'own' ? \@OWN : \@FOREIGN;
    for my $i (0 .. $#$list) {
        my $key = 'il1api5ec4e7c' . ++$n;
        $sources{"$kind$i"} = "integration_key $key; retry 50ms 200ms;";
        $keys{$key} = 'api';
    }
}

for my $source (qw(all few turns later restart resume metric), 'one', 'two') {
    my $key = 'il1api5ec4e7d' . ($source =~ /one|two/ ? 10 : ++$n);
    $sources{$source} = "integration_key $key; retry 50ms 200ms; "
                        . 'concurrency 2;';
    $keys{$key} = 'api';
}

$sources{later} .= ' coalesce latest;';
$sources{turns} =~ s/retry 50ms 200ms/retry 10s 5m/;

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(shim => $shim, sources => \%sources,
                         keys => \%keys, log_level => 'notice');
my ($t, $fake) = ($q->test, $q->fake);
$q->start;

sub source { $q->status->{sources}{$_[0]} }

sub answers {
    my ($id, $case) = @_;
    my ($status, $body, @rest) = @$case;
    my ($headers) = grep { ref } @rest;

    return $fake->rule(match => qr/"$id \d/, status => $status,
                       body => $body, headers => $headers || []);
}

subtest 'ilert' => sub {
    $q->forget;
    answers("own$_", $OWN[$_]) for 0 .. $#OWN;
    $q->post("own$_", 'CRITICAL', source => "own$_") for 0 .. $#OWN;
    ok($q->drained, 'nothing waits');

    my %dead = map { $_->{source} => $_ } $q->dead;

    for my $i (0 .. $#OWN) {
        my ($status, $body, $reason) = @{$OWN[$i]};
        my $what = substr $body, 0, 40;
        my $error = "ilert answered $status";
        $error .= ": $reason" if length $reason;
        is($dead{"own$i"}{error}, $error, "$status $what: a dead letter");
        is(source("own$i")->{state}, 'ok', 'the source is well');
    }
};

subtest 'somebody else' => sub {
    my $mark = $t->mark;
    $q->forget;
    answers("foreign$_", $FOREIGN[$_]) for 0 .. $#FOREIGN;
    $q->post("foreign$_", 'CRITICAL', source => "foreign$_")
        for 0 .. $#FOREIGN;
    ok($fake->wait_requests(scalar @FOREIGN), 'each is tried');
    ok($q->calm(0.5), 'once');
    is($q->waiting, @FOREIGN, 'all wait');
    is(scalar(grep { $_->{source} =~ /foreign/ } $q->dead), 0, 'none is dead');

    for my $i (0 .. $#FOREIGN) {
        my ($status, $body) = @{$FOREIGN[$i]};
        my $what = substr $body, 0, 40;
        my $s = source("foreign$i");
        is($s->{state}, 'parked', "$status $what: is parked");
        like($s->{reason}, qr/answered $status, without an error of its own/,
             'with that reason');
        my $line = qr/"foreign$i": event \d+ not delivered: .* $status,/;
        is(scalar(() = $t->grep_log($line, $mark)), 1, 'in the log');
    }

    $q->pass(6);
    ok($fake->wait_requests(2 * @FOREIGN), 'tried again after 5 s');
    ok($q->calm(0.4), 'once');

    $fake->clear_rules;
    $q->pass(11);
    ok($q->drained, 'delivered when the way is free');
    is(source("foreign$_")->{state}, 'ok', "$_ is well") for 0 .. $#FOREIGN;
    is_deeply([ $q->faults(once => 0, parallel => 0) ], [], 'all have come');
};

# "all" is refused: events of five alerts.

sub letters { grep { $_->{source} eq $_[0] } $q->dead }

sub refuse {
    my ($source, %opt) = @_;
    my ($key) = $sources{$source} =~ /integration_key (\w+)/;
    return $fake->rule(match => qr/$key/, status => 422,
                       body => '{"message":"no such policy"}', %opt);
}

sub counter {
    my ($name, $source) = @_;
    my ($value) = $q->metrics->{body}
                  =~ /^ilert_events_${name}_total\{source="$source"\} (\d+)$/m;
    return $value;
}

sub parks {
    my ($source, $what) = @_;
    return $q->becomes(sub { $_->{sources}{$source}{state} eq 'parked' },
                       $what // 'parked');
}

# Until nothing waits, or there have been so many probes

sub probes {
    my ($n) = @_;

    for (1 .. $n) {
        last if $q->waiting == 0;
        $q->pass(301);
        $q->calm(0.2);
    }
}

subtest 'everything' => sub {
    $q->forget;
    my $mark = $t->mark;
    my $rule = refuse('all');

    $q->post("e$_", 'CRITICAL', source => 'all') for 1 .. 4;
    ok(wait_until(sub { 4 == letters('all') }, 5), 'four are dead letters');
    is(source('all')->{state}, 'ok', 'as if they were at fault');
    $q->post('e5', 'CRITICAL', source => 'all');
    my $s = parks('all', 'the fifth one parks');

    is(scalar letters('all'), 0, 'none is a dead letter');
    $q->becomes(sub { $_->{sources}{all}{pending} == 5 }, 'all wait');
    like($s->{sources}{all}{reason},
         qr/^refuses everything: ilert answered 422: no such policy; next try/,
         'the reason');
    is(counter(dead => 'all'), 0, 'none was one for good');
    is(scalar(() = $t->grep_log(qr/"all":\ is\ parked,\ as\ ilert\ refuses
               \ everything,\ and\ 4\ dead\ letters\ wait\ again:
               \ ilert\ answered\ 422/x, $mark)), 1, 'a line says so');

    # what comes waits, and one event tries from time to time

    $q->post("e$_", 'WARNING', source => 'all') for 6 .. 8;
    ok($q->calm(0.5), 'what comes waits');
    my $all = $fake->counts->{requests};
    my %tried;

    for my $pause (6, 11, 21, 41, 81, 161, 301, 301) {
        $q->pass($pause);
        ok($fake->wait_requests(++$all), "one tries after $pause s");
        ok($q->calm(0.3), 'and no other');
        $tried{$fake->request(-1)->{event}{summary}}++;
    }

    is(keys %tried, 8, 'each of another alert');
    is(scalar letters('all'), 0, 'none is a dead letter');
    my $alert = $q->alert('all', 'e1');
    like($alert->{reason}, qr/refuses everything/, 'why one of them waits');

    # once one is taken all go

    $fake->drop_rule($rule);
    $q->pass(301);
    ok($q->drained(5), 'it heals by itself');
    is_deeply([ $q->faults(parallel => 0) ], [], 'all have come');
    is(source('all')->{state}, 'ok', 'the source is well');
    is(scalar(() = $t->grep_log(qr/"all": delivering again/, $mark)), 1,
       'a line says that');
    is(counter(dead => 'all'), 0, 'none is dead');
    is(counter(delivered => 'all'), 8, 'all are delivered');
};

subtest 'some' => sub {
    $q->forget;
    my $rule = $fake->rule(match => qr/"bad\d+ /, status => 400,
                           body => '{"message":"bad"}');

    # one alert at a time, and others that are taken in between

    for my $n (1 .. 8) {
        $q->post('bad1', $n % 2 ? 'CRITICAL' : 'WARNING', source => 'few');
        ok(wait_until(sub { $n == letters('few') }, 3), "dead letter $n");
    }

    for my $n (2 .. 9) {
        $q->post("bad$n", 'CRITICAL', source => 'few');
        ok(wait_until(sub { 7 + $n == letters('few') }, 3), 'dead');
        next if $n % 4;
        $q->post("good$n", 'CRITICAL', source => 'few');
        ok($q->drained, 'and one is taken');
    }

    is(source('few')->{state}, 'ok', 'the source is well');

    # those that are at fault for themselves, though they were five in a row

    for my $n (10 .. 13) {
        $q->post("bad$n", 'CRITICAL', source => 'few');
    }

    parks('few', 'five in a row');
    my $left = letters('few');
    $q->post('good', 'CRITICAL', source => 'few');
    probes(10);
    ok($q->drained(5), 'one is taken');
    is(letters('few'), $left + 5, 'what has been refused twice is dead');
    is(source('few')->{state}, 'ok', 'and the source is well');
    is(counter(dead => 'few'), 8 + 12, 'each counts once');
};

subtest 'a later event' => sub {
    $q->forget;
    my $rule = refuse('later');

    $q->post("l$_", 'CRITICAL', source => 'later') for 1 .. 2;
    ok(wait_until(sub { 2 == letters('later') }, 3), 'two are refused');
    $q->post('l1', 'OK', source => 'later');
    ok(wait_until(sub { 3 == letters('later') }, 3), 'and an OK');
    $q->post("l$_", 'CRITICAL', source => 'later') for 3 .. 5;
    parks('later');
    my @letters = letters('later');
    is("@{[map { $_->{alert_key} } @letters]}", 'l1',
       'an ALERT before its OK is one still');

    # a new event takes the place of one that was refused

    $fake->drop_rule($rule);
    $rule = $fake->rule(match => qr/"l\d 1"/, status => 400,
                        body => '{"message":"the first ones"}');
    $q->post("l$_", 'OK', source => 'later') for 2 .. 5;
    $q->pass(6);
    ok($q->drained(5), 'and finds out that it is over');
    is(scalar letters('later'), 1, 'no other dead letter');
    $fake->drop_rule($rule);
};

subtest 'a restart, and resume' => sub {
    $q->forget;
    my $rule = refuse('restart');
    $q->post("r$_", 'CRITICAL', source => 'restart') for 1 .. 3;
    ok(wait_until(sub { 3 == letters('restart') }, 3), 'three are refused');
    $q->stop;
    $q->start;
    $q->post("r$_", 'CRITICAL', source => 'restart') for 4 .. 5;
    parks('restart', 'five with those of before');
    is(scalar letters('restart'), 0, 'none is dead');

    my $all = $fake->counts->{requests};
    $q->reload;
    ok($fake->wait_requests($all + 1, 3), 'a reload tries at once');
    $q->calm(0.4);
    parks('restart', 'still refused');
    is(scalar letters('restart'), 0, 'and kept');

    $q->crash;
    $q->start;
    parks('restart', 'after a crash, too');
    is(scalar letters('restart'), 0, 'and kept');

    $fake->drop_rule($rule);
    ok($q->calm(0.4), 'not before its time');
    $q->does('sources/restart/resume', 1);
    ok($q->drained(3), 'but when somebody says so');
    is_deeply([ $q->faults(parallel => 0) ], [], 'all have come');
};

# The key is not at fault: the other source goes on.

subtest 'two sources of a key' => sub {
    $q->forget;
    my $rule = $fake->rule(match => qr/"one\d/, status => 400,
                           body => '{"message":"one"}');
    $q->post("one$_", 'CRITICAL', source => 'one') for 1 .. 5;
    parks('one');
    is(source('two')->{state}, 'ok', 'the other one is well');
    $q->post("two$_", 'CRITICAL', source => 'two') for 1 .. 10;
    ok(wait_until(sub { 10 == scalar(() = $q->requests_of('two')) }, 3),
       'and delivers');
    is(source('one')->{state}, 'parked', 'this one is parked still');
    is(source('one')->{pending}, 5, 'its events wait');
    $fake->drop_rule($rule);
    $q->pass(6);
    ok($q->drained(3), 'until one is taken');
};

# An event that a firewall does not let pass stands in nobody's way for long.

subtest 'a foreign refusal of one event' => sub {
    $q->forget;
    my $rule = $fake->rule(match => qr/"fire 1/, status => 400,
                           body => $HTML);
    $q->post('fire', 'CRITICAL', source => 'turns');
    parks('turns');
    $q->post("t$_", 'WARNING', source => 'turns') for 1 .. 5;
    $q->pass(6);
    ok(wait_until(sub { 5 == grep { $_->{taken} } $fake->requests }, 3),
       'the others are delivered');
    is(scalar letters('turns'), 0, 'it is no dead letter');
    is($q->waiting, 1, 'it waits');
    $fake->drop_rule($rule);
    $q->pass(11);
    ok($q->drained(3), 'until it is let pass');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

done();
