#!/usr/bin/perl

# "resolve_after" with "ilert_reconcile": what Kapacitor has as open is not
# ended for its silence, and nothing is ended while it cannot be asked.  And
# a new queue: what is open, and what is not, is learned from Kapacitor.

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
my $retry = 'rate off; coalesce off; retry 50ms 300ms;';

my $loop = IlertReconcile->new(
    workers => 2, shim => $shim,
    sources => { ops => "$retry resolve_after 10m;" },
    ask => { main => 'topics=main:*', named => 'topics=ops,main:n:alert2',
             watch => 'mode=watch' },
    server => 'location = /unasked { ilert_kapacitor ops; }');

my ($q, $fake) = ($loop->queue, $loop->fake);
my %k = map { $_ => $loop->kapacitor($_) } qw(main named watch);

sub open_at_ilert {
    return join ' ', grep { $loop->shown($_) ne 'OK' } @_;
}

# Time goes by while everything is asked.

sub minutes {
    my ($n, @names) = @_;
    $q->run(60 * $n);
    $loop->polled(1, @names);
    $q->drained;
}

$q->start;

$loop->topic('main', "main:$_:alert2") for qw(cpu gone);
$loop->topic('main', 'main:unasked:alert2', to => '/unasked');
$loop->topic('watch', 'main:w:alert2');
$k{main}->set("main:$_:alert2", $_, 'CRITICAL') for qw(cpu gone unasked);
$k{watch}->set('main:w:alert2', $_, 'CRITICAL') for qw(w1 w2);
my @ALL = qw(cpu gone unasked w1 w2);

ok($loop->settled, 'open');
$loop->polled(1);
is(open_at_ilert(@ALL), "@ALL", 'at ilert');

$k{main}->disable('main:gone:alert2');
$loop->polled(1);
$_->down for @k{qw(main watch)};
minutes(11, 'named');
is(open_at_ilert(@ALL), 'cpu gone w1 w2',
   'nothing is ended while Kapacitor is down, if it is asked of it');

$_->up for @k{qw(main watch)};
$k{watch}->set('main:w:alert2', 'w1', 'OK', lose => 1);
$k{watch}->restart;
$loop->polled(2);
minutes(22);
ok(wait_until(sub { open_at_ilert(@ALL) eq 'cpu w2' }, 10),
   'what is open in Kapacitor stays, what it does not have is ended')
    or diag(open_at_ilert(@ALL));

is_deeply([ $loop->repairs ], [], 'no repairs were needed');


# A new queue ---------------------------------------------------------------

my $n = 'main:n:alert2';

subtest 'a new queue' => sub {
    $loop->topic('named', $_) for $n, 'ops';
    $k{named}->set($n, "n$_", 'CRITICAL') for 1 .. 4;
    $k{named}->set('ops', 'o1', 'WARNING');
    ok($loop->settled, 'open');

    my @ids = (map({ "n$_" } 1 .. 6), 'o1');
    is(open_at_ilert(@ids), 'n1 n2 n3 n4 o1', 'at ilert');

    $q->stop;
    unlink glob $q->dir . '/queue.db*';
    my $from = $fake->counts->{requests};
    $k{named}->set($n, $_, 'OK') for qw(n3 n4);
    $k{named}->set($n, 'n4', 'CRITICAL');
    $k{named}->set($n, 'n5', 'CRITICAL');
    $k{named}->idle;
    $q->start;

    ok(wait_until(sub { open_at_ilert(@ids) eq 'n1 n2 n4 n5 o1' }, 12),
       'ilert shows it') or diag(open_at_ilert(@ids));
    $loop->polled(2, 'named');
    my @said = $loop->said($from);
    is_deeply([ sort @said ], [ sort map({ "ALERT n$_ CRITICAL*" } 1, 2, 4, 5),
        'ALERT o1 WARNING*', 'RESOLVE n3 OK*' ], 'each is told once');
};

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
