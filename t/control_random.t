#!/usr/bin/perl

# "ilert_control" by chance, under load: sources are paused, resumed, and
# emptied, alerts resolved and silenced, dead letters replayed and discarded,
# while ilert, the disk, and workers come and go.  No event goes before an
# older one of its alert, no alert is opened after its end, what ilert shows in
# the end is what Kapacitor said last, and the status agrees at any time.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO ENOSPC);
use Test::More;
use Time::HiRes qw(time);

use IlertQueue;
use IlertRandom qw(chance pick);
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $SECONDS = $ENV{QUEUE_CRASH_SECONDS} // 4;
my @NAMES = qw(every repeats latest);
my %MODE = (every => 'off', repeats => 'repeats', latest => 'latest');
my %KEY = (every => 'il1api5ec4e7d01', repeats => 'il1api5ec4e7d02',
           latest => 'il1api5ec4e7d03');
my $seed = IlertRandom::seed();
my $shim = IlertShim->new or plan(skip_all => 'no compiler');

sub open_at_ilert {
    my ($q, $name) = @_;
    my $alerts = $q->fake->alerts->{$KEY{$name}} || {};
    return scalar grep { $_->{state} ne 'resolved' } values %$alerts;
}

# Answers that any of these may have

my %MAY = map { $_ => 1 } 200, 404, 409, 503;

sub ends {
    my ($q, $silence) = @_;
    return $q->test->request('DELETE', "/control/silence/$silence->{id}",
                             timeout => 20);
}

sub steer {
    my ($q, $answers) = @_;
    my $name = pick(@NAMES);
    my $status = $q->status;
    my @ids = map { $_->{id} } @{$status->{dead}};

    # those that last end by chance, too

    if (@{$status->{silences}} && chance(0.2)) {
        my $answer = ends($q, pick(@{$status->{silences}}));
        $answers->{"the end of a silence $answer->{status}"}++;
        return $MAY{$answer->{status}};
    }

    my $path = pick("sources/$name/pause", "sources/$name/resume",
        "sources/$name/resume", "sources/$name/discard",
        "dead/replay?source=$name", "dead/replay?source=$name",
        "silence?source=$name&alert_key=" . pick('*', 'k1', 'k?') . '&for='
            . pick('1s', '1h'),
        "dead/discard?source=$name",
        "alert/resolve?source=$name&alert_key=k" . int(rand 8),
        @ids ? 'dead/' . pick(@ids) . '/replay' : ());
    my $answer = $q->control($path, timeout => 20);
    $answers->{$path =~ s/\d{4,}/ID/r =~ s/every|repeats|latest/NAME/r
               . " $answer->{status}"}++;
    return $MAY{$answer->{status}};
}

for my $hard (0, 1) {
    subtest($hard ? 'with all that may fail' : 'by chance', \&by_chance,
            $hard);
}

sub by_chance {
    my ($hard) = @_;
    my $q = IlertStatus->new(
        workers => $hard ? 3 : 2, shim => $shim, timeout => '500ms',
        log_level => 'notice', keys => { map { $_ => 'api' } values %KEY },
        sources => { map { $_ => "integration_key $KEY{$_}; "
            . "coalesce $MODE{$_}; repeat 5s; retry 30ms 200ms; "
            . ($_ eq 'every' ? '' : 'resolve_delay 500ms;') } @NAMES });
    my ($t, $fake) = ($q->test, $q->fake);
    $q->start;
    $shim->folder($q->dir);
    $t->expect_log(qr/exited on signal 9/,
                   qr/shared memory zone .* was locked/);

    my @ilert = (sub { }, sub { }, sub { $fake->rule(status => 400) },
        sub { $fake->rule(status => 422, match => qr/[13579]"/) },
        sub { $fake->rule(status => 500) },
        sub { $fake->rule(reset => 'after', take => pick(0, 1)) },
        sub { $fake->rule(delay => 0.1) });
    my ($end, $next, %answers, @odd) = (time() + $SECONDS, 0);

    my $sent = $q->load(alerts => 8, clients => 6, rate => 150,
        source => [ @NAMES ], until => sub {
            return time() > $end if time() < $next;
            $next = time() + 0.03 + rand 0.1;

            push @odd, 'an odd answer' if !steer($q, \%answers);
            if (chance(0.3)) {
                $fake->clear_rules;
                pick(@ilert)->();
            }

            $q->reload if chance(0.02);
            return 0 if !$hard;

            $shim->write_error(pick(EIO, ENOSPC)) if chance(0.08);
            $shim->write_error(0) if chance(0.3);
            my @workers = $t->workers;
            kill 'KILL', pick(@workers) if @workers && chance(0.05);
            return 0;
        });

    $shim->write_error(0);
    $fake->clear_rules;
    ok(wait_until(sub { $t->_ready && ($q->ready)[0] == 200 }, 15), 'well');
    is_deeply(\@odd, [], 'control answers') or diag(explain(\%answers));
    note("$sent events; ", join ', ', map { "$answers{$_} $_" }
                                      sort keys %answers);

    is($q->control("sources/$_/resume")->{status}, 200, "$_ is resumed")
        for @NAMES;

    # some may be over by now

    like(ends($q, $_)->{status}, qr/^(?:200|404)$/, "silence $_->{id} ends")
        for @{$q->status->{silences}};
    ok($q->last_words, 'a last word of each alert');
    $q->becomes(sub { !$_->{queue}{pending}
                      && !grep { $_->{held} } values %{$_->{sources}} },
                'all is delivered', 20);

    is_deeply([ $q->faults(mode => 'latest', parallel => !$hard) ], [],
              'the audit');
    is($fake->counts->{phantoms}, 0, 'no phantom');

    my $s = $q->status;
    is($s->{sources}{$_}{open_alerts}, open_at_ilert($q, $_),
       "$_: open alerts") for @NAMES;
    is(scalar(() = $q->dead), IlertStatus::sum(map { $_->{dead} }
       values %{$s->{sources}}), 'dead letters');
    is($q->value('pragma integrity_check'), 'ok', 'is whole');
    $q->stop;
    diag("TEST_SEED=$seed") if !Test::More->builder->is_passing;
}

done();
