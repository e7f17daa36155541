#!/usr/bin/perl

# "ilert_status" with several workers: the numbers are the same whichever of
# them answers, and are kept over reloads and when a worker dies; a restart
# keeps what the queue holds.  The states of a source, and what ends them.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertMetrics;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $NEW = 'il1api5ec4e7a03';
my $RETRY = 'retry 50ms 200ms;';
my %SOURCES = (
    ops => "coalesce repeats; $RETRY",
    two => "integration_key_file %%DIR%%/two.key; $RETRY",
    same => "integration_key_file %%DIR%%/two.key; $RETRY",
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    all => 1, workers => 4, shim => $shim, log_level => 'notice',
    sources => \%SOURCES, files => { 'two.key' => "$TWO\n" },
    keys => { map { $_ => 'api' } $KEY, $TWO, $NEW });
my ($t, $fake) = ($q->test, $q->fake);
my @COUNTERS = qw(accepted ignored coalesced delivered retried);
my @STORED = qw(pending inflight held silenced listed dead open_alerts);

$q->start;
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

# A status without what is different each time

sub still {
    my ($status) = @_;
    my %still = (%$status, time => 0);

    $still{queue}{bytes} = 0;
    $_->{reason} = 0 for values %{$still{sources}};
    $_->{oldest_seconds} = 0 for values %{$still{sources}}, $still{queue},
                                 values %{$still{queue}{waiting}};
    return \%still;
}

sub all_say {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $said = $q->workers_say;
    my ($first, @others) = sort { $a <=> $b } keys %$said;
    my $expected = still($said->{$first});

    is(@others + 1, 4, "$what: four workers");
    is_deeply(still($said->{$_}), $expected, 'say the same') for @others;
    return $expected;
}

sub numbers {
    my ($status, @names) = @_;
    my $sources = $status->{sources};
    return { map { my $name = $_;
                   $name => { map { $_ => $sources->{$name}{$_} } @names } }
             keys %$sources };
}

# Webhooks to all workers.

my %posted;

sub spread {
    my ($source, $level, @ids) = @_;
    my @answers = $t->finish(map { $t->start_post("/$source",
        IlertQueue::webhook($_, ++$posted{$_}, $level),
        port => $t->port(1)) } @ids);
    my %workers = map { $_->{header}{'x-worker'} => 1 } @answers;
    is(scalar(grep { $_->{status} != 202 } @answers), 0, 'all are accepted');
    return scalar keys %workers;
}

my $workers = 0;

subtest 'from each worker' => sub {
    my $bad = $fake->rule(match => qr/"bad\d/, status => 400);
    $fake->rule(match => qr/"k1 1"/, status => 500, times => 2);

    $workers = spread('ops', 'CRITICAL', map { "k$_" } 1 .. 60);
    is($workers, 4, 'posts to all workers');
    spread('two', 'WARNING', map { "bad$_" } 1 .. 4);
    ok($q->drained);
    spread('ops', 'CRITICAL', map { "k$_" } 1 .. 30);
    spread('ops', 'OK', map { "k$_" } 51 .. 60);
    ok(wait_until(sub { $q->status->{queue}{pending} == 0 }, 5));

    my $s = all_say('all delivered');
    is_deeply(numbers($s, @COUNTERS, @STORED)->{ops},
        { accepted => 100, ignored => 0, coalesced => 30, delivered => 70,
          retried => 2, pending => 0, inflight => 0, held => 0,
          silenced => 0, listed => 0, dead => 0,
          open_alerts => 50 }, 'what was posted');
    is($s->{sources}{two}{dead}, 4, 'dead letters');
    $fake->drop_rule($bad);

    $fake->refuse(all => 1);
    spread('two', 'CRITICAL', map { "w$_" } 1 .. 20);
    $s = $q->becomes(sub { $_->{sources}{two}{state} eq 'retrying'
                           && $_->{endpoints}{default}{state} eq 'down' },
                     'refused');
    is($s->{sources}{two}{pending}, 20, 'they wait');
};

# While ilert refuses: what was there before is there afterwards.

my $before = $q->status;

sub kept {
    my ($what, @names) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $said = $q->workers_say;
    is(scalar keys %$said, 4, "$what: four workers");
    is_deeply(numbers($said->{$_}, @names), numbers($before, @names), 'kept')
        for sort keys %$said;
    return (values %$said)[0];
}

my @KEPT = ((grep { $_ ne 'retried' } @COUNTERS), qw(pending dead
                                                       open_alerts));

subtest 'a reload' => sub {
    $q->reload;
    my $s = kept('after it', @KEPT);
    is($s->{sources}{ops}{$_}, $before->{sources}{ops}{$_}, $_)
        for qw(last_success retried);
    ok($s->{sources}{two}{last_error}, 'last_error');
    cmp_ok($s->{sources}{two}{retried}, '>=',
           $before->{sources}{two}{retried}, 'retried');
    is($s->{endpoints}{default}{since}, $before->{endpoints}{default}{since},
       'down all the time');

    $q->reload for 1 .. 3;
    kept('after more of them', @KEPT);
};

subtest 'a dead worker' => sub {
    for my $pid ($q->courier, ($t->workers)[0], ($t->workers)[-1]) {
        next if !kill 0, $pid;
        $t->kill_worker(KILL => $pid);
        kept('after it', @KEPT);
    }

    ok(wait_until(sub { $q->courier }, 3), 'there is a courier');
};

subtest 'a dead worker while much happens' => sub {
    my $end = time() + 1.5;
    my $next = 0;
    $q->forget;
    $fake->accept;
    my $sent = $q->load(rate => 300, alerts => 40, source => 'ops',
        clients => 8, until => sub {
            return time() > $end if time() < $next;
            my @workers = $t->workers;
            kill 'KILL', $workers[rand @workers] if @workers > 3;
            $next = time() + 0.25;
            return 0;
        });

    ok(wait_until(sub { $t->_ready }, 10), 'workers are back');
    my $accepted = grep { $_->{result} eq 'ACCEPTED' } $q->ledger;
    ok(wait_until(sub { $q->status->{queue}{pending} == 0 }, 15), 'delivered');
    my $s = all_say('afterwards');
    my $got = $s->{sources}{ops}{accepted}
              - $before->{sources}{ops}{accepted};

    # one that was killed may have told nobody, or not counted
    cmp_ok($got, '>=', $accepted - 8, "accepted: $got, $accepted answered");
    cmp_ok($got, '<=', $sent, "of $sent");
};

# Nothing is sent twice in a calm reload: all numbers are exact.

subtest 'reloads while much happens' => sub {
    $q->becomes(sub { !$_->{queue}{pending} }, 'idle');
    my $before = $q->status->{sources}{two};
    my $m = IlertMetrics->read($q->metrics->{body});
    my ($reloads, $next, $polls, @faults) = (4, time() + 0.2, 0);

    $q->forget;
    $q->load(rate => 200, alerts => 30, source => 'two', until => sub {
        $polls++;
        $q->status;
        push @faults, IlertMetrics->read($q->metrics->{body})->faults;
        return 0 if time() < $next;
        return 1 if !$reloads--;
        kill 'HUP', $t->master;
        $next = time() + 0.4;
        return 0;
    });

    ok(wait_until(sub { !$t->old_workers && $t->_ready }), 'calm again');
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');
    my $after = all_say("after $polls answers")->{sources}{two};
    is_deeply(\@faults, [], 'metrics are well-formed');
    my $accepted = grep { $_->{status} == 202 } $q->ledger;
    my $delivered = grep { $_->{status} == 202 } $fake->requests;

    is($after->{accepted} - $before->{accepted}, $accepted, 'accepted');
    is($after->{delivered} - $before->{delivered}, $delivered, 'delivered');
    is($after->{$_}, $before->{$_}, "no more $_")
        for qw(retried coalesced dead ignored);

    my $now = IlertMetrics->read($q->metrics->{body});
    for my $case ([ commit => $accepted ], [ delivery => $delivered ]) {
        my $name = "ilert_$case->[0]_seconds_count";
        is($now->value($name) - $m->value($name), $case->[1], $name);
    }
};

# Numbers belong to a name, not to a place in the configuration.

subtest 'other sources' => sub {
    my $before = numbers($q->status, @COUNTERS, @STORED);
    my $new = { map { $_ => 0 } @COUNTERS, @STORED };

    $q->change(sources => { %SOURCES, aaa => $RETRY, pqr => $RETRY },
        server => 'location /aaa_way/ { internal; ilert_endpoint aaa; '
                  . 'proxy_pass http://%%FAKE%%/api/$ilert_path; } '
                  . $q->{server})->reload;
    my $s = all_say('two more');
    is_deeply(numbers($s, @COUNTERS, @STORED),
              { %$before, aaa => $new, pqr => $new }, 'begin at 0');
    is_deeply([ sort keys %{$s->{endpoints}} ], [ qw(aaa default) ],
              'an endpoint');

    $q->say({ source => 'aaa' }, 'x CRITICAL', 'x OK');
    $q->becomes(sub { $_->{sources}{aaa}{delivered} == 2 }, 'counted');

    $q->change(sources => { %SOURCES }, server => $q->{server}
               =~ s/^location \/aaa_way.*?\} //r)->reload;
    is_deeply(numbers(all_say('as before'), @COUNTERS, @STORED), $before,
              'numbers are kept');
};

# What is in a queue is not what is in another one.

subtest 'another queue' => sub {
    my $n = IlertStatus->new(all => 1, sources => { ops => $RETRY });
    $n->start;
    my $is = sub {
        my ($queue, $what, %expected) = @_;
        $n->change(queue => $queue)->reload if !$expected{stays};
        my $s = $n->becomes(sub {
            $_->{queue}{state} eq ($queue ? 'ok' : 'off')
                && join(' ', map { $_->{alert_key} } @{$_->{open}})
                   eq $expected{open};
        }, $what);
        is($s->{sources}{ops}{open_alerts}, $expected{open_alerts}, 'open');
        is($s->{sources}{ops}{accepted}, $expected{accepted}, 'accepted');
        is($s->{queue}{path}, $queue && $n->dir, 'the path');
        $n->workers_say;
    };

    $n->say('a CRITICAL');
    ok($n->drained);
    my @one = (open => 'a', open_alerts => 1);
    $is->('queue', 'one', @one, accepted => 1, stays => 1);
    $is->(undef, 'none', open => '', open_alerts => undef, accepted => 1);
    $n->say('b CRITICAL');
    $is->('queue', 'the same', @one, accepted => 2);
    $is->('other', 'another', open => '', open_alerts => 0, accepted => 2);
    $n->say('c CRITICAL');
    ok($n->drained);
    $is->('other', 'in use', open => 'c', open_alerts => 1, accepted => 3,
          stays => 1);
    $is->('queue', 'the first', @one, accepted => 3);
    $n->stop;
};

subtest 'a restart' => sub {
    $fake->refuse(all => 1);
    $q->say({ source => 'same' }, map { "s$_ CRITICAL" } 1 .. 7);
    $q->say({ source => 'same' }, map { "s$_ OK" } 1 .. 3);
    $before = $q->becomes(sub { $_->{sources}{same}{retried} }, 'refused');

    for my $how (sub { $q->stop }, sub { $q->crash }) {
        $how->();
        $q->start;
        my $s = kept('what the queue holds', qw(pending dead open_alerts));
        is($s->{sources}{$_}{accepted}, 0, "$_: counters begin anew")
            for qw(ops two same);
        is($s->{sources}{ops}{delivered}, 0, 'also delivered');
        is_deeply($s->{open}, $before->{open}, 'the list of open alerts');
        is_deeply($s->{dead}, $before->{dead}, 'that of dead letters');
    }

    $fake->accept;
    $q->becomes(sub { $_->{endpoints}{default}{state} eq 'ok'
                      && $_->{queue}{pending} == 0 }, 'up', 15);
};


# States ------------------------------------------------------------------

sub park {
    my ($status) = @_;
    return $fake->rule(match => qr/$TWO/, status => $status,
                       body => '{"message":"integration key unknown"}');
}

sub healed { scalar(() = $t->grep_log(qr/"(?:two|same)": delivering again/,
                                      $_[0])) }

subtest 'parked, until it heals' => sub {
    my $mark = $t->mark;
    my $rule = park(404);
    $q->say({ source => 'two' }, 'p1 CRITICAL', 'p1 OK', 'p2 CRITICAL');
    my $s = $q->becomes(sub { $_->{sources}{two}{state} eq 'parked' },
                        'parked');
    like($s->{sources}{two}{reason},
         qr/ilert answered 404.*integration key unknown.*next try in /,
         $s->{sources}{two}{reason});
    is($s->{sources}{two}{last_error}{status}, 404, 'last_error');
    is($s->{sources}{two}{pending}, 3, 'its events wait');
    is($s->{sources}{same}{state}, 'parked', 'so is another of its key');
    is($s->{sources}{ops}{state}, 'ok', 'one of another key is not');

    my $alert = $q->alert('two', 'p1');
    is($alert->{waiting}, 2, 'an alert waits');
    like($alert->{reason}, qr/404/, "why: $alert->{reason}");
    my $next = IlertStatus::seconds($alert->{next_try} // $s->{time})
               - IlertStatus::seconds($s->{time});
    ok($next >= 0 && $next <= 21, 'its next try')
        or diag(explain($alert));

    # all the time, while the new workers try, and fail
    my $n = $fake->counts->{requests};
    kill 'HUP', $t->master;
    my ($polls, @other) = (0);
    ok(wait_until(sub {
        my $state = $q->status->{sources}{two}{state};
        $polls++;
        push @other, $state if $state ne 'parked';
        return $fake->counts->{requests} > $n && !$t->old_workers;
    }, 10), 'a reload tries');
    sleep(0.2);
    all_say('parked');
    is_deeply(\@other, [], "parked in each of $polls answers");
    is(healed($mark), 0, 'nothing is delivered');

    $t->kill_worker(KILL => $q->courier);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'parked' },
                'still, when the courier has died');

    $fake->drop_rule($rule);
    $q->run(310);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'ok'
                      && $_->{sources}{two}{pending} == 0 }, 'it heals');
    is($q->status->{sources}{same}{state}, 'ok', 'the other, too');
    sleep(0.3);
    is(healed($mark), 1, 'one line');
};

# What comes and goes within ten seconds is not told of each time.

for my $how (qw(resume reload key)) {
    subtest "parked, until $how" => sub {
        $q->pass(11);
        my $mark = $t->mark;
        my $rule = park(403);
        $q->say({ source => 'two' }, map { "$how$_ CRITICAL" } 1 .. 3);
        $q->becomes(sub { $_->{sources}{two}{state} eq 'parked' }, 'parked');
        $q->calm(0.2);
        my $n = $fake->counts->{requests};

        $fake->drop_rule($rule) if $how ne 'key';
        $q->does('sources/two/resume', 1) if $how eq 'resume';
        $t->write_file('two.key', "$NEW\n") if $how eq 'key';
        $q->reload if $how ne 'resume';

        ok($fake->wait_requests($n + 1, 3), 'tries at once');
        $q->becomes(sub { $_->{sources}{two}{state} eq 'ok'
                          && !$_->{sources}{two}{pending} }, 'it is well');
        is(healed($mark), 1, 'one line');
    };
}

# The key is $NEW now.

subtest 'limited and retrying' => sub {
    my $rule = $fake->rule(match => qr/$NEW/, status => 429, times => 1,
                           headers => [ 'Retry-After' => 40 ]);
    $q->say({ source => 'two' }, map { "l$_ CRITICAL" } 1 .. 3);
    my $s = $q->becomes(sub { $_->{sources}{two}{state} eq 'limited' },
                        'limited by a 429');
    like($s->{sources}{two}{reason}, qr/429/, $s->{sources}{two}{reason});
    is($s->{sources}{same}{state}, 'ok', 'one without events is not');
    all_say('limited');
    $q->reload;
    is($q->status->{sources}{two}{state}, 'limited', 'after a reload, too');

    $q->does('sources/two/resume', 0);
    $q->pass(41);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'ok'
                      && !$_->{sources}{two}{pending} }, 'until it is over');

    $rule = $fake->rule(match => qr/r1/, status => 500);
    $q->say({ source => 'two' }, 'r1 CRITICAL', 'r2 CRITICAL');
    $s = $q->becomes(sub { $_->{sources}{two}{state} eq 'retrying'
                           && $_->{sources}{two}{pending} == 1 }, 'retrying');
    like($s->{sources}{two}{reason}, qr/500/, $s->{sources}{two}{reason});
    my $alert;
    ok(wait_until(sub { $alert = $q->alert('two', 'r1');
                        $alert->{reason} =~ /500/ }), 'why an alert waits');
    ok($alert->{next_try}, 'its next try');
    $fake->drop_rule($rule);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'ok' }, 'until it is well');
};

subtest 'paused' => sub {
    $q->does('sources/two/pause', 1);
    my $s = all_say('paused');
    is($s->{sources}{two}{state}, 'paused', 'paused, with nothing to send');
    is($q->status->{sources}{two}{reason}, 'paused by control', 'the reason');
    is($s->{sources}{same}{state}, 'ok', 'the other one of its key is not');
    $q->say({ source => 'two' }, 'q1 CRITICAL');
    like($q->alert('two', 'q1')->{reason}, qr/paused/, 'an alert of it');
    is($q->alert('two', 'q1')->{next_try}, undef, 'has no next try');

    $q->reload;
    is($q->status->{sources}{two}{state}, 'paused', 'over a reload');
    $q->stop->start;
    is($q->status->{sources}{two}{state}, 'paused', 'and a restart');

    # parked comes first
    my $rule = $fake->rule(match => qr/$NEW/, status => 401);
    $q->say({ source => 'same' }, 'q2 CRITICAL');
    $q->becomes(sub { $_->{sources}{same}{state} eq 'parked' }, 'same parks');
    is($q->status->{sources}{two}{state}, 'parked', 'and two, though paused');
    $fake->drop_rule($rule);
    $q->does('sources/same/resume', 1);
    $q->becomes(sub { $_->{sources}{same}{state} eq 'ok' }, 'it heals');
    is($q->status->{sources}{two}{state}, 'paused', 'two is still paused');

    $q->does('sources/two/resume', 1);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'ok'
                      && !$_->{sources}{two}{pending} }, 'until it resumes');
};

done();
