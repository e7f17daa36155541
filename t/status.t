#!/usr/bin/perl

# "ilert_status", the JSON: each number of it against what was posted and what
# the fake ilert counted, the states of sources and endpoints, what is known of
# one alert, what may be in a name; and what a request for it may be.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use IlertMetrics;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $THREE = 'il1api5ec4e7a03';
my %KEYS = map { $_ => 'api' } $KEY, $TWO, $THREE;
my $RETRY = 'retry 50ms 200ms;';

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

sub near {
    my ($got, $expected, $what, $by) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok(defined $got && abs($got - $expected) <= ($by // 3), $what)
        or diag(($got // 'null') . ", not $expected");
}

# The time as nginx sees it

sub now { time() + $shim->{clock} + $shim->{passed} }

sub since { defined $_[0] ? IlertStatus::seconds($_[0]) : undef }

# What is known without asking nginx: of a source that has not been forgotten.

my %tests;

sub counted {
    my ($q, $name) = @_;
    my @ledger = grep { $_->{source} eq $name } $q->ledger;
    my @answers = map { $_->{status} } $q->requests_of($name);

    return { accepted => scalar(grep { $_->{result} eq 'ACCEPTED' } @ledger),
             ignored => ($tests{$name} // 0)
                        + grep({ $_->{result} eq 'IGNORED' } @ledger),
             delivered => scalar(grep { /^2/ } @answers),
             retried => scalar(grep { /^(?:0|408|429|5..)$/ } @answers),
             dead => scalar(grep { /^4/ && !/408|429/ } @answers) };
}

sub agrees {
    my ($q, $what, %more) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $status = $q->status;

    for my $name (sort keys %{$status->{sources}}) {
        my $got = $status->{sources}{$name};
        my %expected = (%{counted($q, $name)}, %{$more{$name} || {}});
        is_deeply({ map { $_ => $got->{$_} } keys %expected }, \%expected,
                  "$what: the counters of $name");
    }

    return $status;
}


# One that is fresh, and what is posted to it one after the other.

my $q = IlertStatus->new(
    shim => $shim, keys => \%KEYS, timeout => '20s',
    sources => {
        ops => "coalesce repeats; repeat 5m; $RETRY",
        two => "integration_key $TWO; coalesce latest; $RETRY",
        brief => "integration_key $TWO; resolve_after 1500ms; $RETRY",
        three => "integration_key $THREE; concurrency 3; $RETRY",
    },
    server => 'location = /nothing { ilert_kapacitor off; }');
my ($t, $fake) = ($q->test, $q->fake);
$q->start;

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

subtest 'in the beginning' => sub {
    my $s = $q->status;

    is($s->{nginx}, IlertTest::nginx_version(), 'the version of nginx');
    near(since($s->{time}), now(), 'the time');
    is($s->{queue}{path}, $q->dir, 'the path');
    is($s->{queue}{state}, 'ok', 'the state');
    my $size = IlertStatus::sum(map { $_->[2] } values %{$q->files});
    ok($s->{queue}{bytes} > 0 && $s->{queue}{bytes} <= $size, 'the size')
        or diag("$s->{queue}{bytes} of $size");
    is_deeply([ sort keys %{$s->{endpoints}} ], [ 'default' ], 'endpoints');
    is($s->{endpoints}{default}{state}, 'ok', 'which are up');
    is($s->{endpoints}{default}{since}, undef, 'and have not been down');
    is_deeply([ sort keys %{$s->{sources}} ], [ qw(brief ops three two) ],
              'sources');

    my %new = (state => 'ok', last_success => undef, last_error => undef,
               open_alerts => 0, coalesced => 0);
    agrees($q, 'new', map { $_ => \%new } qw(ops two three));
};

subtest 'accepted, delivered and coalesced' => sub {
    my $k = 7;
    my $begun = now();
    $q->say(map { 'same CRITICAL' } 1 .. $k);
    $q->settled(0.2);
    my $s = agrees($q, "$k of a kind", ops => { accepted => $k,
        delivered => 1, coalesced => $k - 1, pending => 0, open_alerts => 1,
        state => 'ok' });
    near(since($s->{sources}{ops}{last_success}), $begun, 'last_success');
    is($s->{sources}{ops}{last_error}, undef, 'no last_error');
    is($q->waiting, 1, 'a repeat waits for its time');
    is($s->{queue}{oldest_seconds}, 0, 'which counts for nothing');

    my ($alert) = @{$s->{open}};
    is("$alert->{source} $alert->{alert_key} $alert->{level}",
       'ops same CRITICAL', 'is open');
    near(since($alert->{since}), $begun, 'since then');
    near(since($alert->{last_event}), $begun, 'its last event');

    my $one = $q->alert('ops', 'same');
    is("$one->{shows} $one->{waiting} $one->{events}[0]{class}",
       'open 1 repeat', 'asked for');
    near(since($one->{next_try}), $begun + 300, 'when it will be sent');
    like($one->{reason}, qr/repeat/, "why not now: $one->{reason}");

    $q->pass(301);
    ok($q->drained, 'the time has come');
    agrees($q, 'the repeat', ops => { delivered => 2, coalesced => $k - 1 });

    $q->say('same WARNING');
    ok($q->drained);
    my ($changed) = @{$q->status->{open}};
    is("$changed->{level} $changed->{since}", "WARNING $alert->{since}",
       'another level, since then');
    $q->say('same OK');
    ok($q->drained);
    $q->say('same OK', 'same OK');
    ok($q->drained);
    agrees($q, 'its end', ops => { accepted => $k + 4, delivered => 4,
        coalesced => $k + 1, open_alerts => 0 });
};

subtest 'latest' => sub {
    my $rule = $fake->rule(match => qr/$TWO/, status => 429, times => 1,
                           headers => [ 'Retry-After' => 60 ]);
    $q->say({ source => 'two' }, 'first CRITICAL');
    $q->becomes(sub { $_->{sources}{two}{state} eq 'limited' }, 'is limited');
    $q->say({ source => 'two' }, 'a CRITICAL', 'a OK', 'b WARNING',
            'b CRITICAL', 'b WARNING', 'c CRITICAL', 'c CRITICAL COMMENT');

    my $s = agrees($q, 'what waits', two => { pending => 5, retried => 1,
                   coalesced => 3, inflight => 0, state => 'limited' });
    like($s->{sources}{two}{reason}, qr/429/, 'the reason');
    is($s->{sources}{two}{last_error}{status}, 429, 'the last error');

    $q->pass(61);
    ok($q->drained, 'all is delivered');
    agrees($q, 'in the end', two => { pending => 0, delivered => 5,
           coalesced => 3, open_alerts => 3, state => 'ok' });
};

subtest 'RESOLVEs of our own' => sub {
    $q->say({ source => 'brief' }, 'x CRITICAL', 'y WARNING');
    $q->becomes(sub { $_->{sources}{brief}{open_alerts} == 2 }, 'two open');
    my $s = $q->becomes(sub { !$_->{sources}{brief}{open_alerts} },
                        'resolved');
    is($s->{sources}{brief}{delivered}, 4, 'delivered');
    is($s->{sources}{brief}{accepted}, 2, 'not accepted');
    is_deeply([ grep { $_->{source} eq 'brief' } @{$s->{open}} ], [],
              'nothing is open');
};

subtest 'ignored' => sub {
    my $before = $q->status;
    $q->post('no', 'CRITICAL', type => 'off') for 1 .. 3;
    $q->post('no', 'CRITICAL', type => 'off', source => 'two');
    is($t->post('/ops', webhook('37-service-test-01-OK'))->{json}{status},
       'test', 'a test of Chronograf');
    $tests{ops}++;
    is($t->post('/nothing', webhook('01-levels-04-CRITICAL'))->{json}{status},
       'ignored', 'of no source');
    is($t->post('/ops', '{')->{status}, 400, 'no webhook');

    my $s = agrees($q, 'ignored', ops => { ignored => 4 },
                   two => { ignored => 1 }, three => { ignored => 0 });
    is($s->{sources}{$_}{accepted}, $before->{sources}{$_}{accepted},
       "$_ accepts no more") for qw(ops two three);
};

# A line of the log for each, by which an alert is followed.

subtest 'the log' => sub {
    my $mark = $t->mark;
    my $rule = $fake->rule(match => qr/"told 1"/, status => 500, times => 1);
    my $line = qr/\[info\] .*ilert event (\d+) delivered: (.*)/;
    my %id;

    $id{$_} = $q->post('told', $_)->{json}{event} for qw(CRITICAL OK);
    ok($q->drained);
    $id{key} = $q->post('a\"b\n2026 [warn] c', 'INFO')->{json}{event};
    ok($q->drained);

    my %told = map { $_ =~ $line ? ($1 => $2) : () }
               $t->grep_log($line, $mark);
    is(keys %told, 3, 'three lines');
    my $how = qr/age \d+\.\d{3}s, correlation-id "[\w-]+"/;
    like($told{$id{CRITICAL}},
         qr/^source "ops", alert key "told", ALERT, attempt 2, $how/, 'one');
    like($told{$id{OK}},
         qr/^source "ops", alert key "told", RESOLVE, attempt 1, $how/, 'two');
    like($told{$id{key}}, qr/^source "ops", alert key "a.+ c", ALERT, /,
         'a strange key');
    is(scalar(() = $t->grep_log(qr/^2026 \[warn\]/, $mark)), 0,
       'makes no line of its own');
};

subtest 'retried' => sub {
    my $rule = $fake->rule(match => qr/again/, status => 503, times => 3,
                           body => '{"message":"not now"}');
    my $before = $q->status->{sources}{ops};
    my $begun = now();
    $q->say('again CRITICAL');
    my $s = $q->becomes(sub { $_->{sources}{ops}{last_error}{status} == 503 },
                        'an error');
    my $error = $s->{sources}{ops}{last_error};
    like($error->{text}, qr/not now/, 'its text');
    near(since($error->{time}), $begun, 'its time');
    ok($q->drained, 'is taken');
    $s = agrees($q, 'retried', ops => { state => 'ok',
                                        retried => $before->{retried} + 3 });
    is($s->{sources}{ops}{last_error}{status}, 503, 'the error is kept');
    cmp_ok(since($s->{sources}{ops}{last_success}), '>=',
           since($s->{sources}{ops}{last_error}{time}), 'a success is later');
};

subtest 'dead' => sub {
    my $rule = $fake->rule(match => qr/bad\d/, status => 400,
        body => '{"message":"<b>\"no\"\u0001</b>"}');
    my %id = map { $_ => $q->post("bad$_", 'CRITICAL')->{json}{event} } 1 .. 3;
    ok($q->drained);
    my $s = agrees($q, 'dead', ops => { dead => 3, pending => 0 });
    is($s->{sources}{ops}{last_error}{status}, 400, 'the last error');

    my %dead = map { $_->{alert_key} => $_ } @{$s->{dead}};
    for my $n (1 .. 3) {
        my $letter = $dead{"bad$n"};
        is($letter->{id}, $id{$n}, "letter $n");
        is("$letter->{source} $letter->{type} $letter->{status}",
           'ops ALERT 400', 'what it is');
        like($letter->{error}, qr/<b>"no".*<\/b>/, 'its error');
    }

    my $alert = $q->alert('ops', 'bad2');
    is($alert->{shows}, 'unknown', 'one of them: what ilert shows');
    is_deeply($alert->{dead}, [ $dead{bad2} ], 'its letter');
    is($alert->{last_delivered}, undef, 'was not delivered');
    is($alert->{waiting}, 0, 'does not wait');
    $fake->drop_rule($rule);

    $rule = $fake->rule(match => qr/bad4/, status => 418,
                        body => '{"message":"'
                                . (join '', map { chr } 0x7f .. 0xff) . '"}');
    $q->say('bad4 CRITICAL');
    ok($q->drained);
    agrees($q, 'for a strange reason', ops => { dead => 4 });
    $fake->drop_rule($rule);
};

# "three" has three requests under way, which ilert does not answer.

subtest 'waiting' => sub {
    my $counted = $q->status->{sources}{three};
    my $from = $fake->counts->{requests};
    $fake->rule(match => qr/$THREE/, hang => 1);

    my $begun = now();
    my @say = ({ source => 'three' });
    $q->say(@say, 'a CRITICAL', 'b WARNING', 'c CRITICAL');
    ok($fake->wait_requests($from + 3), 'under way');
    $shim->clock(100);
    $q->say(@say, 'd CRITICAL', 'e OK', 'f WARNING', 'a OK',
            'g CRITICAL COMMENT');
    $shim->clock(160);

    my $s = $q->becomes(sub { $_->{sources}{three}{inflight} == 3
                              && $_->{queue}{oldest_seconds} > 150 },
                        'three are in flight');
    my $three = $s->{sources}{three};
    is($three->{pending}, 8, 'pending');
    is($s->{queue}{pending}, 8, 'of the queue, too');
    is($three->{accepted}, $counted->{accepted} + 8, 'accepted');
    near($three->{oldest_seconds}, 160, 'the oldest');

    my $waiting = $s->{queue}{waiting};
    my %expected = (critical => [ 3, 160 ], open => [ 2, 160 ],
                    resolve => [ 2, 60 ], update => [ 1, 60 ]);
    for (sort keys %expected) {
        is($waiting->{$_}{count}, $expected{$_}[0], "$_: how many");
        near($waiting->{$_}{oldest_seconds}, $expected{$_}[1], 'how old');
    }

    my ($first, $second) = grep { $_->{source} eq 'three' && $_->{id} eq 'a' }
                           $q->ledger;
    my $alert = $q->alert('three', 'a');
    is($alert->{shows}, 'unknown', 'an alert that waits');
    is($alert->{waiting}, 2, 'two events');
    is($alert->{last_delivered}, undef, 'was not delivered');
    near(since($alert->{last_accepted}), $begun + 100, 'the last came in');

    my @events = @{$alert->{events}};
    is_deeply([ map { [ @$_{qw(id type level class state)} ] } @events ],
              [ [ $first->{event}, 'ALERT', 'CRITICAL', 'critical',
                  'in flight' ],
                [ $second->{event}, 'RESOLVE', 'OK', 'resolve', 'waiting' ] ],
              'each of them');
    near(since($events[0]{received}), $begun, 'when the first came');
    near(since($events[1]{received}), $begun + 100, 'and the second');

    # A clock that is set back does not make an age negative.
    $shim->clock(-5000);
    $q->becomes(sub { since($_->{time}) < $begun - 4000
                      && $_->{queue}{oldest_seconds} < 5 }, 'set back');
    is(ref $q->alert('three', 'a'), 'HASH', 'an alert');
    $shim->clock(160);

    # The requests under way fail, and are sent again.
    $fake->clear_rules;
    $fake->refuse(all => 1);
    $q->becomes(sub { $_->{sources}{three}{retried}
                      >= $counted->{retried} + 3 }, 'they are retried');
    $fake->accept;
    ok($q->drained(15), 'and delivered');
    $s = $q->becomes(sub { $_->{sources}{three}{state} eq 'ok' }, 'all well');
    $three = $s->{sources}{three};
    is($three->{pending}, 0, 'nothing waits');
    is($three->{inflight}, 0, 'nor is under way');
    is($three->{delivered}, $counted->{delivered} + 8, 'delivered');
    is($three->{last_error}{status}, undef, 'an error without a status');
    is_deeply($s->{queue}{waiting}, { map { $_ => { count => 0,
        oldest_seconds => 0 } } keys %expected }, 'by class');

    my %open = map { $_->{alert_key} => $_ }
               grep { $_->{source} eq 'three' } @{$s->{open}};
    is_deeply({ map { $_ => $open{$_}{level} } keys %open },
              { b => 'WARNING', c => 'CRITICAL', d => 'CRITICAL',
                f => 'WARNING' }, 'what is open');

    $alert = $q->alert('three', 'a');
    is("$alert->{shows} $alert->{waiting}", 'resolved 0', 'one that ended');
    ok($alert->{last_delivered}, 'was delivered');

    $alert = $q->alert('three', 'd');
    is("$alert->{shows} $alert->{level}", 'open CRITICAL', 'one that is open');
    is($alert->{since}, $open{d}{since}, 'since then');
    cmp_ok(since($alert->{last_accepted}), '<=',
           since($alert->{last_delivered}), 'accepted before it is delivered');
    near(since($alert->{last_delivered}), now(), 'not long ago');
    $shim->clock(0);
};

subtest 'narrowed' => sub {
    my $s = $q->status;
    my $one = $q->status('source=three');

    is_deeply([ keys %{$one->{sources}} ], [ 'three' ], 'one source');
    is_deeply({ map { $_ => $one->{sources}{three}{$_} }
                    qw(accepted delivered coalesced dead open_alerts) },
              { map { $_ => $s->{sources}{three}{$_} }
                    qw(accepted delivered coalesced dead open_alerts) },
              'its numbers');
    for my $list (qw(open dead)) {
        is_deeply($one->{$list},
                  [ grep { $_->{source} eq 'three' } @{$s->{$list}} ],
                  "its $list");
    }
    is_deeply($q->status('source=ops')->{dead},
              [ grep { $_->{source} eq 'ops' } @{$s->{dead}} ],
              'dead letters of another');
    is_deeply([ sort keys %{$one->{endpoints}} ], [ 'default' ], 'endpoints');
    is($one->{queue}{path}, $s->{queue}{path}, 'the queue');

    for ('source=none', 'source=OPS', 'source=none&alert_key=a') {
        my $r = $q->get("/status?$_");
        is("$r->{status} $r->{json}{status}", '404 rejected', $_);
        like($r->{json}{error}, qr/\S/, 'why');
    }

    my $r = $q->get('/status?alert_key=a');
    is("$r->{status} $r->{json}{status}", '400 rejected', 'without a source');
    $r = $q->get('/status?source=ops&alert_key=nobody');
    is("$r->{status} $r->{json}{status}", '404 rejected', 'an unknown alert');
    is($q->alert('two', 'd'), 404, 'one of another source');
};

# White space around a key, and its case, are nothing to ilert.

subtest 'keys of alerts' => sub {
    $q->say({ source => 'two' }, 'CPU:Host=A CRITICAL');
    ok($q->drained);
    my $as_is = $q->alert('two', 'CPU:Host=A');
    is($as_is->{alert_key}, 'CPU:Host=A', 'as it came');
    is_deeply($q->alert('two', $_), $as_is, "as \"$_\"")
        for 'cpu:host=a', " \tcpu:HOST=a\n ", 'CPU:HOST=A';
    is($q->alert('two', 'cpu:host'), 404, 'not a part of it');
    is($q->alert('two', 'cpu:host=%'), 404, 'not a pattern');
};

my @HOSTILE = (
    'quo\"te', 'back\\\\slash', 'line\nfeed\tand\r', 'ctl\u0001\u001f\u007f',
    "\xe2\x80\xa8\\u2029", "\xf0\x9f\x94\xa5", '\ud83d\udd25 escaped',
    '</script><img src=x onerror=alert(1)>', '&amp;&#x27;', '%41%00',
    q('; DROP TABLE alert; --), '{{7*7}}', '../../etc', '\ufeffbom',
    "\xcc\x81combining", 'a,b=c d', '#', '?a=b&c=d', '+', 'x' x 300,
);

subtest 'hostile names' => sub {
    my $from = $fake->requests;
    my $rule = $fake->rule(match => qr/"alertKey":"dead/, status => 400);

    for my $n (0 .. $#HOSTILE) {
        for my $key ("$n$HOSTILE[$n]", "dead$n$HOSTILE[$n]") {
            my $r = $t->post('/two', qq({"id":"$key","level":"INFO"}));
            is($r->{status}, 202, $key) if $r->{status} != 202;
        }
    }

    ok($q->drained);
    my @came = map { $_->{alert_key} } ($fake->requests)[$from .. $from
               + 2 * @HOSTILE - 1];
    is(scalar @came, 2 * @HOSTILE, 'all came');
    my ($one, $dead) = (join("\n", sort grep { !/^dead/ } @came),
                        join("\n", sort grep { /^dead/ } @came));

    my $s = $q->status('source=two');
    is(join("\n", sort map { $_->{alert_key} }
                  grep { $_->{level} eq 'INFO' } @{$s->{open}}), $one,
       'open, as ilert got them');
    is(join("\n", sort map { $_->{alert_key} } @{$s->{dead}}), $dead,
       'dead letters');

    for my $key (@came) {
        my $alert = $q->alert('two', $key);
        my $name = $key =~ s/[^ -~]/?/gr;
        is(ref $alert && $alert->{alert_key}, $key,
           'found: ' . substr $name, 0, 60);
    }
};

subtest 'requests' => sub {
    my $r = $q->get('/status');
    is($r->{header}{'content-type'}, 'application/json', 'the type');
    is($r->{header}{'cache-control'}, 'no-store', 'is not stored');
    is($r->{header}{'content-length'} // length $r->{body},
       length $r->{body}, 'the length');

    my $head = $t->head('/status');
    is($head->{status}, 200, 'HEAD');
    is($head->{body}, '', 'has no body');
    is($head->{header}{$_}, $r->{header}{$_}, $_)
        for qw(content-type cache-control);

    for my $method (qw(POST PUT DELETE PATCH OPTIONS)) {
        for my $uri ('/status', '/status?ready', '/status?source=none') {
            my $no = $t->request($method, $uri, body => '{}');
            is($no->{status}, 405, "$method $uri");
            is($no->{header}{allow}, 'GET, HEAD', 'what is allowed');
        }
    }

    is($t->head('/status?source=none')->{status}, 404, 'HEAD of none');
    $head = $t->head('/status?ready');
    is("$head->{status} $head->{body}", '200 ', 'HEAD of ready');
    is_deeply([ $q->ready ], [ 200, undef ], 'ready');

    # several over one connection, by HTTP/1.0, with other arguments
    my $c = $t->connection;
    is($t->get('/status', connection => $c)->{status}, 200, "kept: $_")
        for 1 .. 3;
    $c->close;
    is($q->get('/status', http => '1.0')->{status}, 200, 'HTTP/1.0');
    $q->status('nonsense=1&source=two&x');
    is($q->get('/status?source=%74wo')->{status}, 200, 'an escaped name');
    is($q->get('/status?source=%zz')->{status}, 404, 'a bad escape');

    # many at once, and some that do not wait
    my @h = map { $t->start_get('/status') } 1 .. 40;
    $t->finish(map { $t->start_get('/status', abort => -1) } 1 .. 20);
    my %codes = map { $_->{status} => 1 } $t->finish(@h);
    is_deeply([ keys %codes ], [ 200 ], 'forty at once');
};

subtest 'states of an endpoint' => sub {
    my $before = $q->status->{sources}{ops};
    $fake->refuse(all => 1);
    my $begun = now();
    $q->say(map { "down$_ CRITICAL" } 1 .. 12);
    my $s = $q->becomes(sub { $_->{endpoints}{default}{state} eq 'down' },
                        'down');
    near(since($s->{endpoints}{default}{since}), $begun, 'since then');
    my $ops = $s->{sources}{ops};
    is("$ops->{state} $ops->{pending}", 'retrying 12', 'its source');
    like($ops->{reason}, qr/\S/, "why: $ops->{reason}");
    is($ops->{last_error}{status}, undef, 'no status of the error');
    like($ops->{last_error}{text}, qr/\S/, $ops->{last_error}{text});
    cmp_ok($ops->{retried}, '>', $before->{retried}, 'retried');

    is_deeply([ $q->ready ], [ 200, undef ], 'which is no fault of nginx');

    my $alert = $q->alert('ops', 'down1');
    is($alert->{waiting}, 1, 'an alert waits');
    like($alert->{reason}, qr/\S/, "why: $alert->{reason}");

    my $back = now();
    $fake->accept;
    ok($q->drained(15));
    $s = $q->becomes(sub { $_->{endpoints}{default}{state} eq 'ok' }, 'up');
    cmp_ok(since($s->{endpoints}{default}{since}), '>', $back - 0.1,
           'since a moment');
    is($s->{sources}{ops}{state}, 'ok', 'its source');
    is($s->{sources}{ops}{delivered}, $before->{delivered} + 12, 'delivered');

    # ilert answers later than proxy_read_timeout.
    $q->change(timeout => '300ms')->reload;
    $fake->rule(match => qr/slow 1/, hang => 1);
    $q->say('slow CRITICAL');
    $s = $q->becomes(sub { ($_->{sources}{ops}{last_error}{text} // '')
                           =~ /time/i }, 'no answer in time');
    is($s->{sources}{ops}{last_error}{status}, undef, 'has no status');
    $alert = $q->alert('ops', 'slow');
    cmp_ok($alert->{attempts}, '>', 0, 'attempts');
    $fake->clear_rules;
    ok($q->drained(15));
    $q->change(timeout => '20s')->reload;
};

subtest 'budgets' => sub {
    $q->change(sources => {
        ops => "rate 5r/m; $RETRY",
        two => "integration_key $TWO; rate 10r/s; concurrency 3; $RETRY",
        three => "integration_key $THREE; $RETRY" }, rate => '700r/m');
    $q->reload;
    $q->run(70);
    my $s = $q->becomes(sub { !$_->{sources}{two}{budget}{used}
                              && !$_->{endpoints}{default}{budget}{used} },
                        'nothing is used');
    is($s->{sources}{ops}{budget}{rate}, 5, 'requests in a minute');
    is($s->{sources}{two}{budget}{rate}, 600, 'of a rate by the second');
    is_deeply([ map { $s->{sources}{$_}{budget}{reserve} } qw(ops two three) ],
              [ 1, 60, undef ], 'a tenth of them');
    is($s->{endpoints}{default}{budget}{reserve}, 70, 'of the endpoint');
    is($s->{sources}{three}{budget}{rate}, undef, 'off');
    is($s->{endpoints}{default}{budget}{rate}, 700, 'of the endpoint');
    is($s->{sources}{ops}{budget}{used}, 0, 'none is used');

    $q->say(map { "spent$_ CRITICAL" } 1 .. 7);
    $s = $q->becomes(sub { $_->{sources}{ops}{pending} == 2 }, 'five are');
    is($s->{sources}{ops}{budget}{used}, 5, 'used');
    is($s->{endpoints}{default}{budget}{used}, 5, 'of the endpoint as well');
    is($s->{sources}{ops}{state}, 'limited', 'the state');
    like($s->{sources}{ops}{reason}, qr/rate|budget/, 'the reason');
    is($s->{sources}{$_}{state}, 'ok', "$_ goes on") for qw(two three);

    # four of five are for what is not urgent, and two of these are spread
    $q->run(70);
    ok($q->drained, 'a minute later');
    $q->run(70);
    $q->say(map { "lesser$_ WARNING" } 1 .. 6);
    $s = $q->becomes(sub { $_->{sources}{ops}{budget}{used} == 3 },
                     'half of it');
    is($s->{sources}{ops}{state}, 'limited', 'what is spread waits');
    like($s->{sources}{ops}{reason}, qr/spread/, $s->{sources}{ops}{reason});
    $q->run(50);
    $s = $q->becomes(sub { $_->{sources}{ops}{budget}{used} == 4 },
                     'the rest');
    is($s->{sources}{ops}{state}, 'limited', 'one is left');
    like($s->{sources}{ops}{reason}, qr/\A4 requests.*not urgent\z/,
         $s->{sources}{ops}{reason});
    $q->say(map { "urgent$_ CRITICAL" } 1 .. 2);
    $s = $q->becomes(sub { $_->{sources}{ops}{budget}{used} == 5 },
                     'it is for what is urgent');
    like($s->{sources}{ops}{reason}, qr/\A5 requests.*allows\z/,
         $s->{sources}{ops}{reason});

    my $alert = $q->alert('ops', 'urgent2');
    is($alert->{waiting}, 1, 'the last one waits');
    like($alert->{reason}, qr/rate|budget/, "why: $alert->{reason}");

    # a slot is held until the verdict: three of ten in a second
    $fake->rule(match => qr/$TWO/, hang => 1);
    $q->say({ source => 'two' }, map { "held$_ CRITICAL" } 1 .. 4);
    $s = $q->becomes(sub { $_->{sources}{two}{inflight} == 3 }, 'three held');
    is($s->{sources}{two}{budget}{used}, 180, 'in proportion');
    is($s->{endpoints}{default}{budget}{used}, 8, 'of the endpoint');

    $fake->clear_rules;
    $q->reload;
    $q->run(70);
    ok($q->drained, 'all is delivered');
    $q->becomes(sub { $_->{sources}{ops}{state} eq 'ok' }, 'is ok');

    # The endpoint has a budget of its own.
    $q->change(sources => { ops => $RETRY,
                            two => "integration_key $TWO; $RETRY" },
               rate => '4r/m')->reload;
    $q->run(70);
    $q->say(map { "end$_ CRITICAL" } 1 .. 6);
    $s = $q->becomes(sub { $_->{queue}{pending} == 2 }, 'four are gone');
    is($s->{endpoints}{default}{budget}{used}, 4, 'its budget is spent');
    is($s->{sources}{ops}{state}, 'limited', 'which limits the source');
    $q->change(rate => 'off')->reload;
    ok($q->drained);
};

subtest 'a source that is gone' => sub {
    $q->change(sources => { two => "integration_key $TWO; $RETRY",
                            ops => $RETRY })->reload;
    $fake->rule(match => qr/bad/, status => 400);
    $q->say({ source => 'two' }, 'bad CRITICAL');
    ok($q->drained);
    my $letters = $q->status->{sources}{two}{dead};
    $fake->refuse(all => 1);
    $q->say({ source => 'two' }, 'left CRITICAL', 'left OK');
    $q->change(sources => { ops => $RETRY })->reload;
    $fake->accept;

    my $s = $q->becomes(sub { ($_->{sources}{two}{reason} // '')
                              =~ /not configured/ }, 'is shown');
    my $two = $s->{sources}{two};
    is("$two->{state} $two->{pending} $two->{dead}", "parked 2 $letters",
       'what waits and is dead');
    is($s->{queue}{pending}, 2, 'counts');
    is(scalar(grep { $_->{source} eq 'two' } @{$s->{dead}}), $letters,
       'its letters');
    is_deeply([ keys %{$q->status('source=two')->{sources}} ], [ 'two' ],
              'is found');
    my $alert = $q->alert('two', 'left');
    is($alert->{waiting}, 2, 'so is its alert');
    like($alert->{reason}, qr/not configured/, 'why it waits');

    $q->change(sources => { two => "integration_key $TWO; $RETRY",
                            ops => $RETRY })->reload;
    ok($q->drained, 'it comes back');
    is($q->status->{sources}{two}{state}, 'ok', 'and is well');
};

subtest 'more than a hundred' => sub {
    $q->change(sources => { ops => "concurrency 1; $RETRY" })->reload;
    $q->forget;
    my $before = $q->status;
    $fake->rule(match => qr/"dead\d+ /, status => 400);
    $q->say(map { ("open$_ CRITICAL", "dead$_ CRITICAL") } 1 .. 120);
    ok($q->drained(20));

    my $s = $q->becomes(sub { $_->{sources}{ops}{open_alerts}
        == $before->{sources}{ops}{open_alerts} + 120 }, 'all are counted');
    is($s->{sources}{ops}{dead}, $before->{sources}{ops}{dead} + 120, 'dead');

    # Events are delivered one at a time, but several may be committed at once.
    my @came = map { $_->{alert_key} } $fake->requests;
    my %at = map { $came[$_] => $_ } 0 .. $#came;

    for my $list (qw(open dead)) {
        my @places = map { $at{$_->{alert_key}} // -1 } @{$s->{$list}};
        is(scalar @places, 100, "$list: a hundred");
        cmp_ok($places[-1], '>=', 0, 'of the last ones');
        is(scalar(grep { $places[$_] > $places[$_ - 1] + 20 } 1 .. 99), 0,
           'the last first') or diag("@places");
        cmp_ok($places[0], '>', $places[99] + 100, 'not the other way round');
    }

    $fake->refuse(all => 1);
    $q->say(map { $_ % 2 ? 'long WARNING' : 'long CRITICAL' } 1 .. 130);
    my $alert = $q->alert('ops', 'long');
    is($alert->{waiting}, 130, 'events of an alert');
    my @ids = map { $_->{event} } grep { $_->{id} eq 'long' } $q->ledger;
    is_deeply([ map { $_->{id} } @{$alert->{events}} ], [ @ids[0 .. 99] ],
              'the first hundred');
    cmp_ok($alert->{attempts}, '>', 0, 'attempts of the first');
    $fake->accept;
    ok($q->drained(20));
};

# Many names, and long ones, each byte of which takes six

subtest 'a long answer' => sub {
    my $name = sub { '"' . '\\"' x 60 . "$_[0]\"" };
    my $http = join '', map { "ilert_source ${\$name->($_)} { integration_key "
                              . "$TWO; rate 30r/m; }\n" } 1 .. 150;
    my $server = join '', map {
        "location /e$_/ { internal; ilert_endpoint ${\$name->(\"e$_\")}; "
        . "proxy_pass http://%%FAKE%%/; }\n" } 1 .. 20;
    $q->change(http => $http, server => $q->{server} . $server)->reload;

    my $s = $q->status;
    is(scalar(grep { /"/ } keys %{$s->{sources}}), 150, 'many sources');
    is(keys %{$s->{endpoints}}, 21, 'and endpoints');
    my $long = ('"' x 60) . 77;
    is_deeply([ keys %{$q->status('source=' . IlertStatus::escape($long))
                       ->{sources}} ], [ $long ], 'one of them');

    $fake->rule(match => qr/"alertKey":"dead/, status => 400,
                body => '{"message":"' . '\\u0001' x 2000 . '"}');
    my $key = '\u0001' x 400;
    for my $n (1 .. 100) {
        for my $id ("open$n$key", "dead$n$key") {
            my $r = $t->post('/ops', qq({"id":"$id","level":"CRITICAL"}));
            is($r->{status}, 202, 'accepted') if $r->{status} != 202;
        }
    }

    ok($q->drained(20));
    my $r = $q->get('/status');
    is_deeply([ IlertStatus::wrong($r->{body}) ], [], 'long lists');
    cmp_ok(length $r->{body}, '>', 100_000, length($r->{body}) . ' bytes');
    is($t->head('/status')->{status}, 200, 'HEAD');
    $fake->clear_rules;
    $q->change(http => '', server => $q->{server} =~ s/^location \/e.*\n//gmr);
};

$q->stop;


subtest 'no growth' => sub {
    my $n = IlertStatus->new(workers => 1, log_level => 'error',
                             server => 'keepalive_requests 10000;');
    $n->start;
    $n->say(map { ("g$_ CRITICAL", "h$_ WARNING") } 1 .. 30);
    ok($n->drained);

    my ($pid) = $n->test->workers;
    my @uris = ('/status', '/metrics', '/status?ready', '/status?source=ops',
                '/status?source=ops&alert_key=g1', '/status?source=none');
    my $c = $n->test->connection;
    my $round = sub { $n->get($_, connection => $c) for (@uris) x $_[0] };

    $round->(50);
    my $files = () = glob "/proc/$pid/fd/*";
    my $rss = IlertTest::process_rss($pid);
    $round->(150);

    is($n->get('/status', connection => $c)->{status}, 200, 'still serves');
    is(scalar(() = glob "/proc/$pid/fd/*"), $files, 'files');
    SKIP: {
        skip 'memory under a sanitizer', 1
            if defined $ENV{ILERT_MODULE} && $ENV{ILERT_MODULE} eq '';
        cmp_ok(IlertTest::process_rss($pid) - $rss, '<', 1 << 20, 'memory');
    }
    $n->stop;
};

# What people may do with sqlite3 is counted when a courier begins.

subtest 'by hand' => sub {
    my $n = IlertStatus->new(sources => { ops => $RETRY, two => $RETRY });
    $n->start;
    $n->fake->rule(match => qr/"bad\d/, status => 400);
    $n->say('bad1 CRITICAL', 'bad2 CRITICAL', 'a CRITICAL', 'b CRITICAL');
    $n->say({ source => 'two' }, 'c CRITICAL');
    ok($n->drained);
    $n->does("sources/$_/pause", 1) for qw(ops two);
    $n->say('w1 CRITICAL', 'w2 WARNING', 'w2 OK');
    $n->say({ source => 'two' }, 'w3 CRITICAL', 'w4 CRITICAL');
    is($n->status->{queue}{pending}, 5, 'what waits');

    $n->sql("DELETE FROM dead WHERE alert_key = 'bad1'");
    $n->sql('DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)');
    $n->sql('DELETE FROM alert WHERE source = '
            . "(SELECT id FROM source WHERE name = 'ops')");
    kill 'HUP', $n->test->master;
    ok(wait_until(sub {
        my $r = $n->get('/status');
        return $r->{json}{queue}{pending} == 1
               && !IlertStatus::wrong($r->{body});
    }), 'is counted');

    my $s = $n->status->{sources};
    is_deeply([ map { @{$s->{$_}}{qw(pending open_alerts dead)} }
                    qw(ops two) ], [ 0, 0, 1, 1, 1, 0 ], 'what is left');
    $n->does("sources/$_/resume", 1) for qw(ops two);
    $n->becomes(sub { !$_->{queue}{pending} }, 'which is delivered');
    $n->stop;
};

subtest 'one process' => sub {
    my $n = IlertStatus->new(main => 'master_process off;');
    $n->start;
    $n->say('a CRITICAL');
    $n->becomes(sub { $_->{sources}{ops}{open_alerts} == 1 }, 'counts');
    is_deeply([ $n->ready ], [ 200, undef ], 'ready');
    $n->stop;
};

subtest 'with nothing to tell' => sub {
    my $n = IlertTest->new(conf => <<'CONF')->start;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location /status { ilert_status; }
            location /metrics { ilert_status prometheus; }
            location /control/ { ilert_control; }
        }
CONF
    my $r = $n->get('/status');
    is_deeply([ IlertStatus::wrong($r->{body}) ], [], 'well-formed');
    is_deeply($r->{json}{sources}, {}, 'no sources');
    is_deeply($r->{json}{endpoints}, {}, 'no endpoints');
    is_deeply([ IlertMetrics->read($n->get('/metrics')->{body})->faults ], [],
              'metrics');
    is($n->get('/status?ready')->{status}, 200, 'ready');
    like($n->post('/control/sources/ops/pause', '')->{status}, qr/^40[49]$/,
         'nothing to steer');
    $n->stop;
};

subtest 'without a queue' => sub {
    my $r = IlertStatus->new(queue => undef, timeout => '300ms',
        keys => \%KEYS, rate => '700r/m', sources => {
            ops => '', two => "integration_key $TWO;" });
    my $fake = $r->fake;
    $r->start;

    my $s = $r->status;
    is($s->{queue}{state}, 'off', 'off');
    is($s->{queue}{pending}, 0, 'nothing waits');
    is($s->{sources}{ops}{state}, 'ok', 'ok');
    is_deeply([ @$s{qw(open dead)} ], [ [], [] ], 'no lists');
    is_deeply([ $r->ready ], [ 200, undef ], 'ready');

    $r->say('a CRITICAL', 'a CRITICAL', 'a OK');
    $r->post('a', 'OK', type => 'off');
    $s = $r->status;
    is_deeply({ map { $_ => $s->{sources}{ops}{$_} } qw(accepted delivered
                    coalesced ignored state) },
              { accepted => 3, delivered => 3, coalesced => 0, ignored => 1,
                state => 'ok' }, 'what is relayed');
    ok($s->{sources}{ops}{last_success}, 'last_success');

    for my $case ([ 500, 502, 'retrying' ], [ 429, 503, 'retrying|limited' ],
                  [ 404, 502, 'parked' ], [ 400, 502, '\w+' ])
    {
        my ($status, $answer, $state) = @$case;
        my $rule = $fake->rule(status => $status,
                               body => '{"message":"no way"}');
        is($r->post('a', 'CRITICAL')->{status}, $answer, "ilert: $status");
        $s = $r->status->{sources}{ops};
        like($s->{state}, qr/^(?:$state)$/, 'the state');
        is($s->{last_error}{status}, $status, 'the last error');
        like($s->{last_error}{text}, qr/no way/, 'its text');
        is($s->{accepted}, 3, 'not accepted');
        $fake->drop_rule($rule);
    }

    $fake->rule(hang => 1, times => 1);
    is($r->post('a', 'CRITICAL')->{status}, 504, 'no answer');
    $s = $r->status->{sources}{ops};
    is("$s->{state} " . ($s->{last_error}{status} // 'null'),
       'retrying null', 'the state');

    $r->say('a CRITICAL');
    is($r->status->{sources}{ops}{state}, 'ok', 'a success ends it');
    is($r->status->{sources}{two}{state}, 'ok', 'another is well all along');

    is($r->alert('ops', 'a'), 404, 'nothing is known of an alert');
    is($r->get('/status?source=none')->{status}, 404, 'nor of another source');
    is($r->status('source=two')->{sources}{two}{accepted}, 0, 'narrowed');
    $r->stop;
};

done();
