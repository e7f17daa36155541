#!/usr/bin/perl

# "?history": what was accepted, delivered, refused, and what waited, by the
# minute for a day: of all workers, over reloads, whatever the clock does.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my @ROWS = qw(accepted delivered refused waiting);

sub history {
    my ($q, $uri) = @_;
    my $answer = $q->get(($uri // '/status') . '?history');
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($answer->{status}, 200, 'the history') or return {};
    my $history = decode_json($answer->{body});

    is_deeply([ sort keys %$history ], [ qw(from minutes time) ], 'members');
    is_deeply([ sort keys %{$history->{minutes}} ], \@ROWS, 'rows');

    my ($from, $time) = map { IlertStatus::seconds($history->{$_}) }
                        qw(from time);
    is($from % 60, 0, 'it begins with a minute');
    is(scalar @{$history->{minutes}{$_}}, int($time / 60) - $from / 60 + 1,
       "a number for each minute: $_") for @ROWS;
    return $history->{minutes};
}

sub sum {
    my $sum = 0;
    $sum += $_ // 0 for @{$_[0]};
    return $sum;
}

# rejected with 400

sub reject { $_[0]->test->post('/ops', '[]') for 1 .. $_[1] }

# The clock stands at the 5th second of a minute, or soon after it.

sub start_at {
    my ($q) = @_;
    my $clock = 65 - time() % 60;
    $shim->set(clock => $clock, passed => 0, held => 0, stood => 0,
               folder => $q->dir);
    $q->start;
    wait_until(sub { $q->courier }) if $q->{queue};
    $q->hold;
}


subtest 'a day' => sub {
    my $q = IlertStatus->new(workers => 2, shim => $shim, all => 1);
    start_at($q);

    $q->status;
    is_deeply(history($q), { map { $_ => [ 0 ] } @ROWS }, 'the first minute');

    $q->say('a CRITICAL', 'b CRITICAL', 'c WARNING');
    reject($q, 2);
    ok($q->drained);
    my $h = history($q);
    is_deeply([ map { $h->{$_}[0] } @ROWS[0 .. 2] ], [ 3, 3, 2 ],
              'one minute');

    $q->pass(60);
    $q->fake->rule(status => 503);
    $q->say('a OK', 'b OK');
    $q->becomes(sub { $_->{queue}{pending} == 2 }, 'two wait');
    $h = history($q);
    is_deeply([ map { $h->{$_}[0] } @ROWS[0 .. 2] ], [ 3, 3, 2 ], 'it stays');
    is_deeply([ map { $h->{$_}[1] } @ROWS ], [ 2, 0, 0, 2 ], 'the next one');

    $q->go;
    $q->reload;
    $q->pass(60);
    $q->fake->clear_rules;
    ok($q->drained, 'delivered by new workers');
    $q->hold;
    $q->say(map { "w$_ CRITICAL" } 1 .. 20);
    ok($q->drained);
    $h = history($q);
    is_deeply([ map { $h->{$_}[1] } @ROWS ], [ 2, 0, 0, 2 ],
              'it outlives a reload');
    is_deeply([ map { sum($h->{$_}) } @ROWS[0 .. 2] ], [ 25, 25, 2 ],
              'nothing is lost');

    # each minute is looked at, though nothing comes in

    $q->go;
    $q->run(180);
    ok(wait_until(sub {
        my $history = decode_json($q->get('/status?history')->{body});
        return defined $history->{minutes}{waiting}[-1];
    }, 5), 'what waits is looked at in each minute');

    # a day later

    $shim->pass(86400 - 60);
    kill 'ALRM', $q->test->workers;
    $q->say('z CRITICAL');
    ok($q->drained);
    $h = history($q);
    is(scalar @{$h->{accepted}}, 1440, 'a day');
    is($h->{accepted}[-1], 1, 'its last minute');
    is(sum($h->{refused}), 0, 'what is older is forgotten');
    $q->go;
    $q->ends_well;
};


for my $step (-60, -3600, -100000, 3600) {
    subtest "the clock is set by $step s" => sub {
        my $q = IlertStatus->new(workers => 2, shim => $shim);
        start_at($q);
        my $clock = $shim->{clock};

        for my $minute (1 .. 3) {
            reject($q, $minute);
            $q->pass(60);
        }

        is(sum(history($q)->{refused}), 6, 'before');

        $shim->clock($clock + $step);
        kill 'ALRM', $q->test->workers;
        reject($q, 10);
        my $h = history($q);
        is($h->{refused}[-1], $step == -60 ? 13 : 10, 'the present minute');

        # the same minutes once more: nothing adds up

        if ($step < -60) {
            $shim->clock($clock);
            kill 'ALRM', $q->test->workers;
            reject($q, 1);
            is(history($q)->{refused}[-1], 1, 'a minute of before');
        }

        $q->stop;
    };
}


subtest 'without a queue' => sub {
    my $q = IlertStatus->new(workers => 2, shim => $shim, queue => undef);
    start_at($q);
    $q->say('a CRITICAL');
    reject($q, 1);
    my $h = history($q);
    is_deeply([ map { $h->{$_}[-1] } @ROWS ], [ 1, 1, 1, 0 ], 'is counted');
    is($q->get('/metrics?history')->{status}, 200, 'metrics');
    like($q->get('/metrics?history')->{body}, qr/^ilert_info/m, 'are metrics');
    is($q->test->request('POST', '/status?history')->{status}, 405, 'a POST');
    $q->stop;
};

done();
