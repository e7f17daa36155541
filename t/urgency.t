#!/usr/bin/perl

# What goes first when events have to wait: by class, and in a class by
# arrival, over all sources that wait for the same; and nothing starves.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';

my $retry = 'retry 50ms 200ms;';
my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', shim => $shim,
    keys => { $KEY => 'api', $TWO => 'api' },
    sources => { ops => "$retry raise update;" });
my $fake = $q->fake;
$q->start;

# Alerts of a case have a prefix of their own.

my $case = 0;

sub own { map { "$case.$_" } @_ }
sub names { map { s/^\d+\.(\S+) \d+$/$1/r } @_ }

# Posts them in a pause that ilert wants, after which one goes after the other,
# and returns the order in which they come.

sub order {
    my (@webhooks) = @_;

    $fake->rule(status => 429, times => 1, headers => [ 'Retry-After' => 9 ]);
    my $from = $fake->counts->{requests} + 1;
    $q->say(own('pause CRITICAL'));
    $fake->wait_requests($from, 3);
    $q->calm(0.1);
    $q->say(own(@webhooks));
    $q->pass(10);
    $q->drained;
    return join ' ', grep { $_ ne 'pause' } names($q->came($from));
}

sub case {
    my ($what, $sub) = @_;

    subtest $what => sub {
        $case++;
        $q->forget;
        $sub->();
        is_deeply([ $q->faults(once => 1) ], []);
    };
}

sub shown {
    my (@webhooks) = @_;
    $q->say(own(@webhooks));
    ok($q->drained, 'what is shown');
}


case 'classes' => sub {
    shown('o1 CRITICAL', 'o2 WARNING', 'o3 WARNING', 'o4 CRITICAL', 'o5 INFO',
          'o6 CRITICAL', 'o6 OK');

    is(order('o1 CRITICAL',             # a repeat
             'w1 WARNING',              # opens
             'o4 WARNING',              # sinks
             'o5 WARNING',              # rises, but not so high
             'o2 OK',
             'unknown OK',
             'c1 CRITICAL',             # opens
             'i1 INFO',                 # opens
             'o6 WARNING',              # opens again
             'o3 CRITICAL'),            # rises
       'c1 o3 o2 unknown w1 i1 o6 o1 o4 o5');
};

case 'priorities' => sub {
    shown('s1 CRITICAL', 's2 WARNING', 's3 WARNING LOW', 's4 CRITICAL LOW',
          's5 WARNING HIGH', 's6 CRITICAL HIGH', 's7 WARNING HIGH');

    is(order('s3 CRITICAL LOW',         # LOW is never urgent
             's6 CRITICAL HIGH',        # a repeat
             's7 WARNING',              # sinks
             'p1 CRITICAL LOW',         # opens, LOW
             'p2 WARNING HIGH',         # opens, HIGH
             'p3 INFO HIGH',
             's1 CRITICAL HIGH',        # raised to HIGH
             's2 WARNING HIGH',
             's4 CRITICAL',             # raised from LOW
             's5 CRITICAL HIGH',        # raised to CRITICAL
             'p4 WARNING'),
       'p2 p3 s1 s2 s4 s5 p1 p4 s3 s6 s7');
};

case 'ties' => sub {
    my @ids = (7, 3, 9, 1, 8, 2);
    shown(map { "r$_ WARNING" } 1 .. 9);
    is(order((map { "r$_ OK" } @ids), (map { "w$_ WARNING" } @ids),
             (map { "c$_ CRITICAL" } @ids)),
       join(' ', map { my $type = $_; map { "$type$_" } @ids } qw(c r w)),
       'by arrival');
};

case 'ACCEPT and COMMENT' => sub {
    shown('a CRITICAL', 'b CRITICAL', 'c CRITICAL');
    is(order('a CRITICAL ACCEPT', 'b CRITICAL COMMENT', 'c CRITICAL',
             'd INFO', 'e OK', 'f CRITICAL'),
       'f e d a b c', 'are updates');
    is($fake->alerts->{$KEY}{"$case.a"}{state}, 'accepted');
};

# The class of an alert is that of the most urgent of its events; the first
# one goes first all the same, and the next has to take its turn.

case 'the most urgent one' => sub {
    shown('z WARNING');
    is(order('y WARNING', 'z OK', 'x WARNING', 'x CRITICAL'),
       'x x z y', 'takes those before it along');
    is(order('v INFO', 'u CRITICAL', 'u OK', 't CRITICAL', 's OK'),
       'u t u s v', 'what comes after it waits for its turn');
    is(order('a WARNING', 'b CRITICAL', 'a CRITICAL'),
       'a b a', 'alerts are by their first event');
};

# An event is as urgent as it will be in its turn, not as it was when it came.

case 'what is shown when its turn comes' => sub {
    shown('a CRITICAL', 'b CRITICAL', 'e WARNING');
    is(order('b OK', 'c WARNING', 'a OK', 'a CRITICAL', 'e CRITICAL',
             'e CRITICAL', 'd CRITICAL'),
       'a a e d b c e', 'an alert that will be opened again is urgent');
};

# An outage: one event tries from time to time, the others go when it was
# taken, one by one.

case 'an outage' => sub {
    shown('r1 WARNING', 'r2 WARNING');
    $q->change(sources => { ops => "concurrency 1; $retry" })->reload;
    $fake->refuse(all => 1);
    $q->say(own('first WARNING'));
    sleep(0.3);
    $q->say(own('w1 WARNING', 'r1 OK', 'w2 WARNING', 'c1 CRITICAL', 'r2 OK',
                'c2 CRITICAL'));
    sleep(0.3);
    $fake->rule(delay => 0.1);
    my $from = $fake->counts->{requests};
    $fake->accept;
    ok($q->drained, 'all is delivered');

    # which one tried last is a matter of chance
    my ($first, @came) = names($q->came($from));
    is(join(' ', @came), join(' ', grep { $_ ne $first }
                              qw(c1 c2 r1 r2 first w1 w2)),
       "$first, then by class");
};

# Two sources of a key: what the budget allows is for the most urgent of both.

case 'two sources' => sub {
    $q->change(sources => { one => "rate 4r/s; $retry",
                            two => "rate 4r/s; $retry",
                            far => "integration_key $TWO; $retry" });
    $q->reload;
    my $say = sub { my ($source, @what) = @_;
                    $q->say({ source => $source }, own(@what)) };
    $say->('one', map { "f$_ CRITICAL" } 1 .. 4);
    ok($fake->wait_events(4), 'the budget is spent');

    $say->('one', 'w1 WARNING');
    $say->('two', 'w2 WARNING', 'r2 OK');
    $say->('one', 'c1 CRITICAL', 'r1 OK');
    $say->('two', 'c2 CRITICAL', 'w3 WARNING', 'c3 CRITICAL');
    $say->('one', 'c4 CRITICAL');
    $say->('far', 'w9 WARNING');
    ok($q->drained);

    # of those that go at once any may be the first to arrive
    my @came = grep { $_ ne 'w9' } names($q->came(4));
    is(join(' ', sort @came[0 .. 3]), 'c1 c2 c3 c4', 'CRITICAL first');
    is(join(' ', sort @came[4 .. 7]), 'r1 r2 w1 w2', 'then the others');
    is($came[8], 'w3', 'by arrival');
    my ($far) = grep { $_->{event}{summary} =~ /w9/ } $fake->requests;
    cmp_ok($far->{n}, '<', 8, 'another key need not wait');
};

# Recoveries and WARNINGs, as many as the budget would take: what they leave is
# for CRITICALs, which do not wait for them.

case 'room for what is urgent' => sub {
    $q->change(sources => { ops => "rate 20r/m; concurrency 20; $retry" });
    $q->reload;
    $q->pass(61);
    shown(map { "r$_ CRITICAL" } 1 .. 20);
    $q->pass(61);
    my $from = $fake->counts->{requests};

    $q->say(own(map { "r$_ OK" } 1 .. 20));
    ok($fake->wait_requests($from + 10, 3), 'half of it goes at once');
    $q->say(own('c1 CRITICAL'));
    ok($fake->wait_requests($from + 11, 3), 'what is urgent does');
    $q->calm(0.2);
    is($fake->counts->{requests}, $from + 11, 'and nothing else');

    for (1 .. 9) {
        $q->pass(6);
        $q->settled(0.1);
    }
    my $lesser = grep { /r\d/ } names($q->came($from));
    cmp_ok($lesser, '>=', 12, "then they are spread: $lesser");
    cmp_ok($lesser, '<=', 17, 'and leave two');
    $q->say(own('w1 WARNING', 'c2 CRITICAL', 'c3 CRITICAL'));
    ok(wait_until(sub { 3 == grep { /c\d/ } names($q->came($from)) }, 3),
       'those are for what is urgent');

    for (1 .. 20) {
        last if !$q->waiting;
        $q->pass(12);
        $q->settled(0.1);
    }
    is(join(' ', grep { !/[rc]/ } names($q->came($from))), 'w1', 'all arrive');
};

# One that has waited for five windows of its rate goes before all that is not
# urgent from then on.

case 'age' => sub {
    $q->change(sources => { ops => "rate 30r/m; concurrency 1; $retry" });
    $q->reload;
    $q->pass(61);

    for my $seconds (280, 330) {
        $fake->rule(status => 429, times => 1,
                    headers => [ 'Retry-After' => $seconds + 1 ]);
        my $from = $fake->counts->{requests} + 1;
        my $say = sub { $q->say(own(map { "$seconds$_" } @_)) };
        $q->say(own('pause CRITICAL'));
        $fake->wait_requests($from, 3);
        $say->('w WARNING', 'l CRITICAL LOW');
        $q->pass(100);
        $say->('c CRITICAL');
        $q->pass($seconds - 100);
        $say->('r OK', 'd CRITICAL');
        $q->pass(2);
        ok($q->drained);
        is(join(' ', map { s/^\d+//r } grep { $_ ne 'pause' }
                     names($q->came($from))),
           $seconds < 300 ? 'c d r w l' : 'c d w l r',
           "after $seconds seconds");
    }
};

done();
