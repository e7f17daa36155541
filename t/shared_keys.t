#!/usr/bin/perl

# An alert is an integration key and an alert key, as at ilert: whichever
# source its events come by.  And what is known of ilert outlives nginx only if
# nothing was relayed that the queue does not know of.

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
my $TWO = 'il1api5ec4e7a02';
my $LATER = 'il1api5ec4e7a03';
my $RETRY = 'retry 50ms 200ms; coalesce repeats;';

my %SOURCES = (
    crit => "integration_key $KEY; $RETRY",
    ok => "integration_key $KEY; $RETRY",
    warn => "integration_key $KEY; $RETRY",
    other => "integration_key $TWO; $RETRY",
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    shim => $shim, workers => 2, sources => { %SOURCES },
    keys => { map { $_ => 'api' } $KEY, $TWO, $LATER },
    http => 'map $kapacitor_level $by_level { CRITICAL crit; WARNING warn; '
        . 'OK ok; }',
    server => 'location = /by { ilert_kapacitor $by_level; '
        . 'add_header X-Result $ilert_result always; }');
my ($t, $fake) = ($q->test, $q->fake);
$q->start;
$shim->folder($q->dir);

sub by { $q->say({ source => 'by' }, @_) }
sub shown { $fake->alerts->{$_[1] // $KEY}{$_[0]}{state} // 'none' }
sub idle { $q->becomes(sub { !$_->{queue}{pending} }, 'delivered') }

# What came of an alert since then, "SOURCE NUMBER"

sub came {
    my ($id, $from) = @_;
    my @requests = $fake->requests;

    return join ' ', map { "$_->{header}{'x-source'} "
                           . ($_->{event}{summary} =~ /(\d+)$/)[0] }
                     grep { $_->{taken} && $_->{event}{summary} =~ /^$id / }
                     @requests[($from // 0) .. $#requests];
}

sub accepts_again { ok(wait_until(sub { ($q->ready)[0] == 200 }), 'recovers') }


subtest 'in order, whichever source' => sub {
    $fake->refuse(all => 1);
    by('a CRITICAL', 'a WARNING', 'a OK', 'b OK', 'b CRITICAL');
    $q->say({ source => 'other' }, 'a CRITICAL');
    $fake->accept;
    idle();

    is(came('a', 0) =~ s/ ?\bother 1//r =~ s/^ //r, 'crit 1 warn 2 ok 3',
       'in order');
    is(came('b', 0), 'ok 1 crit 2', 'of another one, too');
    is(shown('a'), 'resolved', 'no phantom');
    is(shown('b'), 'open');
    is(shown('a', $TWO), 'open', 'another key, another alert');
};

subtest 'what one source has told' => sub {
    my $n = $fake->counts->{requests};
    by('c CRITICAL');
    idle();
    by('c OK');
    idle();
    by('c CRITICAL');
    idle();
    is(came('c', $n), 'crit 1 ok 2 crit 3', 'a new incident is no repeat');

    $q->say({ source => 'warn' }, 'c CRITICAL');
    idle();
    is($q->alert('ok', 'c')->{shows}, 'open', 'each source knows of it');
    is($q->alert('warn', 'c')->{waiting}, 1, 'and another source repeats it');
    is(came('c', $n), 'crit 1 ok 2 crit 3', 'which is not sent');
    by('c OK');
    idle();
    is(shown('c'), 'resolved');
};

subtest 'shown under the source of its last event' => sub {
    by('d CRITICAL', 'd WARNING');
    idle();
    my ($open) = grep { $_->{alert_key} eq 'd' } @{$q->status->{open}};
    is("$open->{source} $open->{level}", 'warn WARNING', 'open');
    my $s = $q->status->{sources};
    my @open = grep { $_->{alert_key} ne 'b' } @{$q->status->{open}};
    is($s->{warn}{open_alerts}, 1, 'counted');
    is($s->{crit}{open_alerts}, 1, 'the other one not any more');
    by('d OK');
    idle();
};

subtest 'a paused source holds its alerts' => sub {
    my $n = $fake->counts->{requests};
    $q->does('sources/crit/pause', 1);
    by('e CRITICAL', 'e OK', 'f OK');
    ok(wait_until(sub { came('f', $n) }), 'another alert goes');
    ok($q->calm(0.3), 'no more');
    is(came('e', $n), '', 'not past what is paused');
    $q->does('sources/crit/resume', 1);
    idle();
    is(came('e', $n), 'crit 1 ok 2', 'in order');
};

subtest 'a source gets another key' => sub {
    by('g CRITICAL', 'h CRITICAL');
    idle();
    $fake->refuse(all => 1);
    by('h WARNING', 'i CRITICAL');
    $q->change(sources => { %SOURCES,
        crit => "integration_key $LATER; $RETRY" });
    $q->reload;
    $q->say({ source => 'crit' }, 'g CRITICAL', 'i OK');
    $fake->accept;
    idle();

    is(shown('g', $LATER), 'open', 'told to the new key, no repeat');
    is(shown('i', $LATER), 'resolved', 'what waited moved, and in order');
    is(shown('i'), 'none', 'nothing of it went to the old one');
    is($fake->alerts->{$KEY}{h}{level}, 'WARNING', 'the others stay');

    $q->change(sources => { %SOURCES });
    $q->reload;
    $q->say({ source => 'crit' }, 'g OK', 'i CRITICAL');
    idle();
    is(shown('g'), 'resolved', 'and back');
    is(shown('i'), 'open');
};


# k is resolved, which the queue knows; the disk breaks, k is opened beside the
# queue, and nginx ends before the queue has heard of it.

sub relay_and_end {
    my ($id, $end) = @_;

    $q->say({ source => 'crit' }, "$id CRITICAL", "$id OK");
    idle();
    $shim->write_error(ENOSPC);
    is($q->post($id, 'CRITICAL', source => 'crit', timeout => 20)->{result},
       'DELIVERED', 'relayed');
    $end->();
    $shim->write_error(0);
    $q->start;
    accepts_again();
    is(shown($id), 'open');
    $q->say({ source => 'crit' }, "$id OK");
    ok(wait_until(sub { shown($id) eq 'resolved' }), 'it is ended');
}

subtest 'a relay, and a stop' => sub {
    relay_and_end('r1', sub { $q->stop });
    relay_and_end('r2', sub { $q->stop('TERM') });
};

subtest 'a relay, and a crash' => sub {
    relay_and_end('r3', sub { $q->crash });
};

subtest 'a new database' => sub {
    $q->say({ source => 'crit' }, 'v CRITICAL');
    idle();
    $q->stop;
    rename $q->dir . "/queue.db$_", $q->dir . "/old$_" for '-wal', '';
    $q->change(sources => { %SOURCES,
        crit => "integration_key $KEY; retry 50ms 200ms; coalesce latest;" });
    $fake->refuse(all => 1);
    $q->start;
    $q->say({ source => 'crit' }, 'v CRITICAL', 'v OK');
    $fake->accept;
    ok(wait_until(sub { shown('v') eq 'resolved' }),
       'ilert may have shown it before');
};

subtest 'a damaged row' => sub {
    $fake->refuse(all => 1);
    $q->say({ source => 'crit' }, 'w CRITICAL', 'w WARNING', 'x CRITICAL');
    $q->stop;
    $q->sql("update event set type = 99 where seq ="
            . " (select max(seq) - 1 from event)");
    $fake->accept;
    my $mark = $t->mark;
    $q->start;
    idle();
    is(shown('x'), 'open', 'others go');
    my ($letter) = grep { $_->{alert_key} eq 'w' } @{$q->status->{dead}};
    like($letter->{error}, qr/damaged/, 'it is set aside');
    is($q->lines('error', 'rows of events were damaged', $mark), 1, 'said');
    $q->does("dead/$letter->{id}/discard", 1);
};

$q->stop;
done();
