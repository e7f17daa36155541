#!/usr/bin/perl

# A queue that has room for fewer alerts than there are: those that wait for
# nothing give way, so that webhooks are committed still, and what waits, or
# may be replayed, is not lost.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

use constant { ALERTS => 8000, AT_ONCE => 100 };

my $LONG = 'x' x 100;

my $q = IlertStatus->new(workers => 2, queue => 'queue max_size=2m',
    log_level => 'notice', sources => {
        ops => 'concurrency 100; retry 50ms 400ms;',
        lab => 'retry 50ms 400ms;',
    });
$q->start;

# What waits, and what did not arrive.

$q->say({ source => 'lab' }, 'first CRITICAL');
ok($q->drained, 'the first one is delivered');
$q->does('sources/lab/pause', 1);
$q->say({ source => 'lab' }, map { "waits$_ CRITICAL" } 1 .. 20);
$q->fake->rule(match => qr/"letter \d/, status => 400);
$q->say('letter CRITICAL');
$q->becomes(sub { $_->{sources}{ops}{dead} == 1 }, 'a dead letter');
$q->fake->clear_rules;

# Alerts that are never resolved

my %how;

for (my $n = 0; $n < ALERTS; $n += AT_ONCE) {
    my @r = $q->finish(map { $q->start_post("$LONG$_", 'CRITICAL') }
                       $n .. $n + AT_ONCE - 1);
    $how{"$_->{status} $_->{result}"}++ for @r;

    # alerts are to be what takes the room, not a backlog
    last if keys %how > 1 || !wait_until(sub { $q->waiting < AT_ONCE });
}

is_deeply(\%how, { '202 ACCEPTED' => ALERTS }, 'all are committed');

my $s = $q->becomes(sub { $_->{sources}{ops}{pending} == 0 },
                    'all are delivered', 20);
is($s->{queue}{state}, 'ok', 'the state is ok');
is(scalar(@{$s->{open}}), 100, 'open alerts are known')
    if ref $s->{open} eq 'ARRAY';
cmp_ok($s->{sources}{ops}{open_alerts}, '<', ALERTS, 'not all are known');
is($s->{sources}{ops}{open_alerts},
   $q->value("select count(*) from alert where opened > 0 and source ="
             . " (select id from source where name = 'ops')"),
   'and their number is');
is($q->alert('ops', $LONG . (ALERTS - 1))->{shows}, 'open',
   'the newest one is known');
is($q->alert('ops', $LONG . '0'), 404, 'the oldest one is not');

is($q->lines('warn', 'alerts that wait for nothing were forgotten to make'
             . ' room within "max_size"') > 0, 1, 'it is said');
cmp_ok($q->lines('warn', 'alerts that wait for nothing'), '<=', 2,
       'once by each worker');
is($q->lines('crit', ''), 0, 'no trouble');

# The rest is as it was.

is($q->waiting, 20, 'what waits is there');
$q->does('sources/lab/resume', 1);
ok($q->drained, 'and is delivered');
$q->does('dead/replay?source=ops', 1);
ok($q->drained, 'so is the letter');

is_deeply([ $q->faults ], [], 'the audit');
is($q->value('pragma integrity_check'), 'ok', 'is whole');
cmp_ok(-s $q->db, '<=', 2 * 1024 * 1024, 'the size');

done();
