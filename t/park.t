#!/usr/bin/perl

# Answers that mean a fault of the configuration park a source, and all that
# have its key: one event tries from time to time, a reload or a new key heals
# at once, other sources go on.

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

my @PARK = (401, 402, 403, 404, 407, 301);
my $retry = 'retry 50ms 200ms;';

my %key = map { $_ => sprintf 'il1api5ec4e7e%02d', $_ % 97 } @PARK;
$key{$_} = "il1api5ec4e7f$_" for qw(a1 b2 c3);

my %sources = (
    (map { +"park$_" => "integration_key $key{$_}; $retry" } @PARK),
    fine => "integration_key $key{a1}; $retry",
    file => "integration_key_file %%DIR%%/the.key; $retry",
    one => "integration_key $key{c3}; rate 10r/m; $retry",
    two => "integration_key $key{c3}; rate 10r/m; $retry",
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', shim => $shim, sources => \%sources,
    keys => { map { $_ => 'api' } values %key },
    files => { 'the.key' => "$key{b2}\n" });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;

sub counts {
    my (@sources) = @_;
    my %n = map { $_ => 0 } @sources;
    $n{$_->{header}{'x-source'}}++ for $fake->requests;
    return { map { $_ => $n{$_} } @sources };
}

sub log_lines {
    my ($source, $text, $mark) = @_;
    return scalar(() = $t->grep_log(
        qr/\[\w+\] .*ilert source "\Q$source\E": .*$text/, $mark));
}


# All at once, by one clock

subtest 'each status' => sub {
    my $mark = $t->mark;
    my @names = map { "park$_" } @PARK;

    $fake->rule(match => qr/$key{$_}/, status => $_,
                headers => [ Location => $fake->url . '/api/events' ],
                body => qq({"message":"because of $_"})) for @PARK;
    $q->at_once($_, map { "x$_" } 1 .. 12) for @names;
    ok(wait_until(sub { my $n = counts(@names);
                        !grep { !$n->{$_} } @names }, 3), 'tried');
    $q->calm(0.3);

    my $first = counts(@names);
    for (@PARK) {
        cmp_ok($first->{"park$_"}, '<=', 8, "$_: those under way");
        is(log_lines("park$_", "answered $_: because of $_", $mark), 1,
           'one line, with the reason');
    }

    # the first pauses are short: what is said of them is park_probe.t's

    my $all = $fake->counts->{requests};
    for my $pause (5, 10) {
        $q->pass($pause + 1);
        ok($fake->wait_requests($all += @names), "one each after $pause s");
        $q->calm(0.2);
    }

    $first = counts(@names);
    $q->at_once('fine', map { "fine.$_" } 1 .. 20);
    ok(wait_until(sub { 20 == scalar(() = $q->requests_of('fine')) }, 10),
       'another source goes on');
    is_deeply(counts(@names), $first, 'no request of those that are parked');

    my $n = 0;
    for my $pause (20, 40, 80, 160, 300, 300) {
        $q->pass($pause - 10);
        ok($q->calm(0.5), "none for $pause s");
        $q->pass(11);
        $n++;
        $fake->wait_requests($all + 20 + @names * $n);
        $q->calm(0.2);
        is_deeply(counts(@names), { map { $_ => $first->{$_} + $n } @names },
                  'then one event tries');
    }

    is(log_lines("park$_", '', $mark), 1, "$_: no other line") for @PARK;
    is_deeply([ $q->dead ], [], 'none is dead');

    $fake->clear_rules;
    $q->pass(301);
    ok($q->drained(5), 'it heals by itself');
    is(log_lines("park$_", 'delivering again', $mark), 1,
       "$_: one line at its end") for @PARK;
    is(log_lines("park$_", '', $mark), 2, 'no other') for @PARK;
    is(log_lines('fine', '', $mark), 0, 'none of the one that is fine');

    # again, from the beginning
    $fake->rule(match => qr/$key{'403'}/, status => 403, times => 1);
    $mark = $t->mark;
    $q->at_once('park403', 'x13');
    ok($t->wait_log(qr/park403/, 3, $mark), 'parked again');
    $q->pass(6);
    ok($q->drained, 'it is delivered after 5 s');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

subtest 'a reload' => sub {
    $q->forget;
    my $rule = $fake->rule(match => qr/$key{'401'}/, status => 401);
    $q->at_once('park401', map { "park401.$_" } 21 .. 25);
    ok($fake->wait_requests(1));
    $q->calm(0.3);
    my $n = $fake->counts->{requests};

    for (5, 10, 20, 40, 80) {
        $q->pass($_ + 1);
        ok($fake->wait_requests(++$n), "tries after $_ s");
        $q->calm(0.2);
    }

    $q->reload;
    ok($fake->wait_requests($n + 1), 'and at once, not after 160 s');
    ok(wait_until(sub { !$t->old_workers }));
    $q->calm(0.5);
    cmp_ok($fake->counts->{requests}, '<=', $n + 8, 'and is parked again');

    $fake->drop_rule($rule);
    $q->reload;
    ok($q->drained, 'heals it');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

subtest 'a new key file' => sub {
    $q->forget;
    my $mark = $t->mark;
    my $new = 'il1api5ec4e7fd4';
    $t->secret($new);
    my %keys = map { $_ => 'api' } $new, values %key;
    delete $keys{$key{b2}};
    $fake->keys(\%keys);
    $q->at_once('file', map { "file.$_" } 1 .. 10);
    ok($t->wait_log(qr/"file": .*answered 404/, 3, $mark), 'an old one');
    $q->calm(0.3);
    ok($q->calm(0.5), 'is parked');
    is($q->waiting, 10, 'all wait');

    $t->write_file('the.key', "$new\n");
    $q->reload;
    ok($q->drained(3), 'the new one heals it');
    is(scalar(grep { $_->{taken} && $_->{key} eq $new } $fake->requests), 10);
    cmp_ok(log_lines('file', 'delivering again', $mark), '<=', 1);
    is_deeply([ $q->faults(parallel => 0) ], []);
    is_deeply([ $q->have_key ], []);
};

# The key is parked, and its budget is not spent meanwhile.

subtest 'two sources of one key' => sub {
    $q->forget;
    my $mark = $t->mark;
    my $rule = $fake->rule(match => qr/"one.1 1"/, status => 403);
    $q->at_once('one', 'one.1');
    ok($t->wait_log(qr/"one": .*answered 403/, 3, $mark), 'one is parked');
    $q->calm(0.2);
    $q->at_once('two', map { "two.$_" } 1 .. 6);
    $q->at_once('one', map { "one.$_" } 2 .. 4);
    ok($q->calm(0.6), 'so is the other');
    is(scalar(() = $q->requests_of('two')), 0, 'no request of it');
    $q->pass(6);
    ok($fake->wait_requests(2), 'one event tries');
    $q->calm(0.4);
    my @again = $fake->requests;
    is(scalar(@again), 2, 'of both') if $again[1]{status} != 202;

    $fake->drop_rule($rule);
    $q->pass(61);
    ok($q->drained(3), 'healed together');
    is(scalar(grep { log_lines($_, 'delivering again', $mark) > 1 }
              qw(one two)), 0, 'no more than a line of each');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

# What was parked is still after a crash of its courier, or asks once.

subtest 'a crash' => sub {
    $q->forget;
    $t->expect_log(qr/exited on signal 9/,
                   qr/shared memory zone .* was locked/);
    my $rule = $fake->rule(match => qr/$key{'402'}/, status => 402);
    $q->at_once('park402', map { "park402.$_" } 21 .. 40);
    ok($fake->wait_requests(1));
    $q->calm(0.4);
    my $n = $fake->counts->{requests};
    $q->crash;
    $q->start;
    $q->calm(1);
    cmp_ok($fake->counts->{requests}, '<=', $n + 8, 'no storm');
    $fake->drop_rule($rule);
    $q->reload;
    ok($q->drained(3), 'healed');
    is_deeply([ $q->faults(parallel => 0) ], []);
};

done();
