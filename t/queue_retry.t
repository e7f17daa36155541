#!/usr/bin/perl

# Verdicts: what is delivered, dead, tried again and when, and what holds back
# a whole source or endpoint; max_age; what the log says.  On a slow machine
# all is later: so nothing here says how soon something comes.  But a request
# that follows an answer is never sooner than a pause after the one that was
# answered, and how long a pause will be is in the database.

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

my @PARK = (300 .. 303, 307, 308, 401, 402, 403, 404, 407);
my @DEAD = (400, 405, 406, 409, 410 .. 418, 421 .. 428, 431, 451, 499);
my @AGAIN = (408, 500 .. 505, 507, 508, 520, 599);
my @DONE = (200 .. 204, 206, 299);

my (%key, %source);

for my $name (qw(ops pauses attempts age known gone limited after broken logs
                 dead elsewhere), map { "park$_" } @PARK)
{
    $key{$name} = sprintf 'il1api5ec4e7c%02d', scalar keys %key;
    $source{$name} = "integration_key $key{$name}; retry 50ms 200ms;";
}

$source{pauses} =~ s/retry .*/retry 200ms 800ms;/;
$source{$_} .= ' max_age 1m;' for qw(age known gone);
$source{broken} .= ' endpoint broken;';
$source{elsewhere} .= ' endpoint second;';

my $q = IlertQueue->new(
    workers => 2,
    sources => { map { $_ => $source{$_} } grep { $_ ne 'elsewhere' }
                 keys %source },
    keys => { map { $_ => 'api' } values %key },
    server => <<'CONF',
        location /broken/ {
            internal;
            ilert_endpoint broken;
            proxy_pass http://%%FAKE%%/api/$ilert_path;
            return 403;
        }
CONF
);

$q->start;

my ($t, $fake) = ($q->test, $q->fake);
my $begun = time();

sub match { my ($id) = @_; return qr/"\Q$id\E \d+"/ }
sub of { my ($name) = @_; grep { $_->{key} eq $key{$name} } $fake->requests }

sub rows {
    my ($name) = @_;
    return $q->value('select count(*) from event where alert in (select id'
        . " from alert where source = (select id from source where"
        . " name = '$name'))");
}

sub empty {
    my ($name, $seconds) = @_;
    return wait_until(sub { !rows($name) }, $seconds || 60, "an empty $name");
}


# These take a while: how they went on is looked at in the end.

$fake->rule(match => qr/$key{"park$_"}/, status => $_,
            headers => [ Location => $fake->url . '/api/events' ]) for @PARK;
my $limit = $fake->rule(match => qr/$key{limited}/, status => 429);

for my $name ('limited', map { "park$_" } @PARK) {
    $q->post("$name.$_", 'CRITICAL', source => $name) for 1 .. 12;
}

subtest 'delivered' => sub {
    for my $status (@DONE) {
        my $rule = $fake->rule(match => qr/$key{ops}/, status => $status);
        $q->post("done$status", 'CRITICAL');
        ok(empty('ops'), "after a $status");
        $fake->drop_rule($rule);
    }

    is(scalar(() = of('ops')), @DONE, 'each once');
};

subtest 'dead letters' => sub {
    my $mark = $t->mark;
    my (%id, @rules);

    # one that is taken after each, or the source would be parked

    for my $status (@DEAD) {
        push @rules, $fake->rule(match => match("dead$status"), status =>
            $status, body => qq({"message":"no $status, so there"}));
        $id{$status} = $q->post("dead$status", 'CRITICAL',
                                source => 'dead')->{json}{event};
        empty('dead') or fail("$status leaves the queue");
        $q->post("taken$status", 'CRITICAL', source => 'dead');
        empty('dead') or fail('what is taken does');
    }

    is(scalar(() = of('dead')), 2 * @DEAD, 'each after one request');

    my %dead = map { $_->{alert_key} => $_ } $q->dead;
    is(keys %dead, @DEAD, 'for another table');

    for my $status (@DEAD) {
        my $row = $dead{"dead$status"};
        is($row->{id}, $id{$status}, "$status: id");
        is($row->{status}, $status, 'status');
        is($row->{source}, 'dead', 'source');
        like($row->{error}, qr/no $status, so there$/, 'error');
        cmp_ok($row->{died}, '>=', $row->{received}, 'times');
        cmp_ok(abs($row->{received} / 1000 - time()), '<', 600, 'times');

        is($q->lines('error', qq(ilert source "dead": event $id{$status} is )
                 . "a dead letter: ilert answered $status: no $status, so "
                 . 'there', $mark), 1, 'one line of the log');
    }

    $fake->drop_rule($_) for @rules;
    $q->post("dead$_", 'OK', source => 'dead') for @DEAD;
    ok(empty('dead'), 'later events of the alert are delivered');
    is(scalar(() = $q->dead), @DEAD, 'the letters stay');
};

subtest 'again' => sub {
    my @rules = map { $fake->rule(match => match("again$_"), status => $_,
                                  times => 2) } @AGAIN;
    $q->post("again$_", 'CRITICAL') for @AGAIN;
    ok(empty('ops'), 'all are delivered');

    my %times;
    $times{$_->{event}{summary}}++ for of('ops');
    is($times{"again$_ 1"}, 3, "$_: at the third try") for @AGAIN;
    $fake->drop_rule($_) for @rules;
};

# Of the attempts that have been made: how many, and for how long it waits

sub pause_of {
    my ($id) = @_;
    my ($row) = $q->sql('select e.attempts, a.next - a.changed from event e'
        . " join alert a on a.id = e.alert where a.state = 2 and a.alert_key"
        . " = '$id'");
    return $row ? @$row : (0, 0);
}

subtest 'pauses' => sub {
    my @expected = ([ 0, 0 ], [ 150, 200 ], [ 300, 400 ], ([ 600, 800 ]) x 99);
    my ($rule, %pause) = $fake->rule(match => match('pause'), status => 500);

    $q->post('pause', 'CRITICAL', source => 'pauses');
    ok(wait_until(sub {
        my ($attempts, $pause) = pause_of('pause');
        $pause{$attempts} = $pause if $attempts;
        6 <= (() = of('pauses')) && $attempts >= 5;
    }, 60), 'six tries');

    is_deeply([ grep { $pause{$_} > $expected[$_][1] } sort keys %pause ], [],
              'no pause is too long') or note explain \%pause;

    my @times = map { $_->{time} } of('pauses');
    my @gaps = map { ($times[$_] - $times[$_ - 1]) * 1000 } 1 .. $#times;
    is_deeply([ grep { $gaps[$_ - 1] < $expected[$_][0] - 5 } 1 .. @gaps ], [],
              'or too short') or note "@gaps";

    $fake->drop_rule($rule);
    ok(empty('pauses'), 'it is delivered');
    my @attempts = map { $_->{header}{'x-attempt'} } of('pauses');
    is_deeply(\@attempts, [ 1 .. @attempts ], '$ilert_attempt');
};

subtest 'Retry-After' => sub {
    my $rule = $fake->rule(match => qr/$key{after}/, status => 429,
        times => 1, headers => [ 'Retry-After' => 2 ]);
    $q->post('after', 'CRITICAL', source => 'after');
    ok(wait_until(sub { of('after') }, 60), 'a request is refused');
    $q->post("after$_", 'CRITICAL', source => 'after') for 1 .. 10;
    $q->post('meanwhile', 'CRITICAL');
    ok(empty('ops'), 'other sources go on');
    ok(empty('after'), 'the source does, too');

    my ($first, @later) = map { $_->{time} } of('after');
    is(scalar(grep { $_ < $first + 1.99 } @later), 0,
       'but waits for as long as ilert says');
    $fake->drop_rule($rule);

    my %times;
    $times{$_->{event}{summary}}++ for of('after');
    is(delete $times{'after 1'}, 2, 'the refused one is sent again');
    is(scalar(grep { $_ != 1 } values %times), 0, 'the others once');
};

subtest 'answers of nginx' => sub {
    my $mark = $t->mark;
    $q->post("broken$_", 'CRITICAL', source => 'broken') for 1 .. 3;
    sleep(1);
    is(rows('broken'), 3, 'the events wait');
    is($q->lines('error', 'nginx answered 403 itself, check the location of '
             . 'ilert_endpoint "broken"', $mark), 1, 'one line');
    is(scalar(grep { /broken/ } map { $_->{alert_key} } $q->dead), 0,
       'none is dead');
};

subtest 'lines of trouble' => sub {
    my $mark = $t->mark;
    my $rule = $fake->rule(match => qr/$key{logs}/, status => 500,
                           body => '{"message":"oh no"}');
    my %ids = map { $q->post("log$_", 'CRITICAL', source => 'logs')
                    ->{json}{event} => 1 } 1 .. 20;
    sleep(1.2);
    $fake->drop_rule($rule);
    ok(empty('logs'));

    ok($t->wait_log(qr/\[notice\].*ilert source "logs": delivering again/, 60,
                    $mark), 'a line when it is over');
    my @lines = $t->grep_log(qr/source "logs": (?:event|deliv)/, $mark);
    is(@lines, 2, 'and one when it begins, however many events and tries')
        or diag join "\n", @lines[0 .. ($#lines > 9 ? 9 : $#lines)];
    my ($id) = $lines[0] =~ /\[error\] .*: event (\d+) not delivered: (.*)/;
    is($2, 'ilert answered 500: oh no', 'which tells why');
    ok($ids{$id}, 'and names one');
};

# The first pause of a 429 is ten seconds.

subtest 'a source is limited' => sub {
    my ($first) = map { $_->{time} } of('limited');
    sleep(0.1) while time() < $first + 9.5;
    my $n = grep { $_->{time} < $first + 9.5 } of('limited');
    cmp_ok($n, '<=', 8, "$n requests in the first seconds");

    $fake->drop_rule($limit);
    ok(empty('limited', 120), 'all are delivered in the end');
    note(sprintf 'after %.1f s', time() - $begun);

    my %times;
    $times{$_->{event}{summary}}++ for grep { $_->{status} == 202 }
                                       of('limited');
    is(keys %times, 12, 'each');
    is(scalar(grep { $_ != 1 } values %times), 0, 'once');
};


# An endpoint that does not answer

my $second = IlertFake->start(keys => { $key{elsewhere} => 'api' });

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

my $e = IlertQueue->new(
    workers => 2, timeout => '250ms', shim => $shim,
    server => 'location /second/ { internal; ilert_endpoint second; '
        . "proxy_pass http://${\$second->address}/api/\$ilert_path; }",
    sources => { ops => 'retry 100ms 5m;', map { $_ => $source{$_} }
                 qw(attempts age known gone elsewhere) },
    keys => { $IlertQueue::KEY => 'api', map { $_ => 'api' } values %key });
$e->start;

subtest 'attempts over restarts' => sub {
    my $rule = $e->fake->rule(status => 500);
    $e->post('attempt', 'CRITICAL', source => 'attempts');
    ok($e->fake->wait_requests(3, 60));
    $e->stop->start;
    ok($e->fake->wait_requests(6, 60), 'QUIT');
    $e->crash;
    $e->start;
    my $n = $e->fake->counts->{requests};
    ok($e->fake->wait_requests($n + 3, 60), 'KILL');

    my @attempts = map { $_->{header}{'x-attempt'} } $e->fake->requests;
    my $wrong = grep { my $step = $attempts[$_] - $attempts[$_ - 1];
                       $step < 0 || $step > 1 } 1 .. $#attempts;
    is($wrong, 0, "attempts: @attempts");
    cmp_ok($attempts[-1], '>=', $n + 1, 'they are counted on');
    $e->fake->drop_rule($rule);
    ok($e->drained(60));
};

# Source "known": ilert is known to show its alert resolved, and a 429 changes
# nothing of that.

subtest 'max_age' => sub {
    $e->forget;
    $e->post('known', $_, source => 'known') for qw(CRITICAL OK);
    ok($e->drained(60));

    my $mark = $e->test->mark;
    my @rules = map { $e->fake->rule(match => qr/$key{$_}/, status => 429,
                                     headers => [ 'Retry-After' => 100 ]) }
                qw(age known gone);

    $e->post('age1', 'CRITICAL', source => 'age');
    $e->post('age2', $_, source => 'age') for qw(CRITICAL OK);
    $e->post('age3', 'OK', source => 'age');
    $e->post('known', 'OK', source => 'known');
    $e->post('gone', $_, source => 'gone') for qw(CRITICAL WARNING);

    ok(wait_until(sub { my %key = map { $_->{key} => 1 } grep {
        $_->{status} == 429 } $e->fake->requests; 3 == keys %key }, 30),
       'all keys are refused');
    ok(wait_until(sub { !$e->marks }), 'and wait');
    $e->pass(70);
    $e->post('age4', 'CRITICAL', source => 'age');
    $e->post('gone', 'CRITICAL', source => 'gone');
    $e->fake->drop_rule($_) for @rules;
    $e->pass(35);
    ok($e->drained(60), 'none is left');

    my %open = %{$e->fake->alerts->{$key{age}} || {}};
    is_deeply([ sort keys %open ], [ 'age4' ], 'ilert shows the young one');

    my @sent = map { "$_->{type} $_->{event}{summary}" }
               grep { $_->{status} == 202 } $e->fake->requests;
    is_deeply([ sort @sent ], [ 'ALERT age4 1', 'ALERT gone 3',
        'ALERT known 1', 'RESOLVE age2 2', 'RESOLVE age3 1',
        'RESOLVE known 2' ], 'and got what ends alerts');

    my @dead = $e->dead;
    is_deeply([ sort map { $_->{alert_key} } @dead ],
              [ qw(age1 age2 gone gone known) ], 'the old ones are dead');
    is_deeply([ grep { $_->{status} != 0
                       || $_->{error} ne 'older than max_age' } @dead ], [],
              'for their age');
    ok($e->lines('warn', 'max_age', $mark), 'a line of the log');
};

for my $rule ({ hang => 1 }, { reset => 'after' }, undef) {
    my $what = $rule ? join ' ', %$rule : 'refused';

    subtest "endpoint is down: $what" => sub {
        $e->forget;
        my $mark = $e->test->mark;
        my $connections = $e->fake->counts->{connections};

        $rule ? $e->fake->rule(%$rule) : $e->fake->refuse(all => 1);
        $e->post("e$_", 'CRITICAL') for 1 .. 40;

        sleep(1);
        $e->post('elsewhere', 'CRITICAL', source => 'elsewhere');
        ok($second->wait_events(1, 60), 'another one goes on');
        $second->reset;
        sleep(1);

        # those that were under way when it was found to be down come first

        if ($rule) {
            my @times = map { $_->{time} } $e->fake->requests;
            is(scalar(grep { $times[$_] - $times[$_ - 1] < 0.07 }
                           17 .. $#times), 0, 'one request at a time');
            cmp_ok(scalar(@times), '<=', 40, 'few in the end');
        }

        $rule ? $e->fake->clear_rules : $e->fake->accept;

        # if the first success did not end all pauses it would take minutes

        ok($e->drained(60), 'then all are delivered');

        is_deeply([ grep { !/elsewhere/ } $e->faults ], []);
        my $n = $e->lines('error', ' not delivered: ', $mark);
        cmp_ok($n, '<=', 1, 'one line for 40 events');
        is($e->lines('notice', 'delivering again', $mark), $n,
           'and one at its end');
    };
}

$e->stop;


# Those under way at first, and a probe after 5 seconds, 10, 20 and so on

subtest 'a source is parked' => sub {
    for my $status (@PARK) {
        my $n = () = of("park$status");
        cmp_ok($n, '<=', 8 + 8, "$status: $n requests");
        is(rows("park$status"), 12, 'all events wait');
        is(scalar(() = $t->grep_log(
            qr/\[error\].*ilert source "park$status".*not delivered/)), 1,
            'one line');
    }
};

done();
