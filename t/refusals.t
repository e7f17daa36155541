#!/usr/bin/perl

# Who refuses an event: only what ilert itself says makes a dead letter.  A 4xx
# of anybody else on the way parks the source, and the event waits.

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

done();
