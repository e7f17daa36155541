#!/usr/bin/perl

# "ilert_reconcile" and odd names: of topics, which become a part of a URI, and
# of alerts.  And one topic that cannot be read does not keep the others from
# being read.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertReconcile;
use IlertTest;

IlertQueue::need();

my $loop = IlertReconcile->new(
    sources => { ops => 'rate off; coalesce off; retry 50ms 300ms;' },
    server => "client_max_body_size 1m;\n",
    ask => { odd => '', stuck => '', many => '' });

my ($q, $fake) = ($loop->queue, $loop->fake);
my ($odd, $stuck) = map { $loop->kapacitor($_) } qw(odd stuck);

my @names = ('a b', 'a%2Fb', 'q?x=1&y', 'h#x', '<&>', '..',
             '.', '"q"', "new\nline", 'a+b', '%', 'back\\slash', ' ', ';');

$q->start;

for (@names) {
    $loop->topic('odd', $_);
    $odd->set($_, "first $_", 'CRITICAL');
    $odd->set($_, "over $_", 'CRITICAL');
}

$loop->topic('stuck', $_) for qw(a z);
$stuck->set($_, $_, 'CRITICAL') for qw(a z);
$loop->settled;
$loop->polled(2);

my $huge = 'x' x 70_000;
$stuck->set('z', $_, 'CRITICAL', lose => 1) for 'lost', $huge;
$loop->slow(1);
$loop->polled(1, 'stuck');
$stuck->fault(match => qr{topics/a/events}, status => 503);
$loop->slow(0);
$stuck->set('a', 'unread', 'CRITICAL', lose => 1);

for (@names) {
    $odd->set($_, "over $_", 'OK', lose => 1);
    $odd->set($_, "lost \"'\\ \n$_", 'CRITICAL', lose => 1);
}

$loop->polled(6);
$q->drained;

for (@names) {
    is($loop->shown("over $_"), 'OK', "over: $_");
    is($loop->shown("lost \"'\\ \n$_"), 'CRITICAL', "lost: $_");
}

is($loop->status('odd')->{differences}, 0, 'no difference is left');

is($loop->shown('lost'), 'CRITICAL', 'beside a topic that cannot be read');
is($loop->shown('unread'), 'OK');
is($loop->status('stuck')->{state}, 'down', 'which is said');
is($loop->status('stuck')->{differences}, 0, 'the others are repaired');
is(scalar(grep { length $_->{alert_key} > 60 } $fake->events), 0,
   'an id that cannot be remembered is no difference');

# All topics begin anew.

my $mark = $q->test->mark;
$odd->restart;
$loop->polled(1, 'odd');
is(scalar $q->test->grep_log(qr/topics have begun anew/, $mark), 1,
   'one line about all of them');

# As many topics as there may be, twice

sub list {
    my ($name, $n) = @_;
    return '{"topics":[' . join(',', map { qq({"id":"$name$_","collected":1}) }
                                     1 .. $n) . ']}';
}

my $many = $loop->kapacitor('many');

for (['a', 10_000, qr/^status 503/], ['b', 10_000, qr/^status 503/],
     ['c', 10_001, qr/10000 topics/])
{
    my ($name, $n, $error) = @$_;

    $many->clear_faults;
    $many->fault(match => qr{/events}, status => 503);
    $many->fault(match => qr{/topics$}, body => list($name, $n));
    $loop->polled(1, 'many');
    like($loop->status('many')->{error}, $error, "topics $name");
}

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
