#!/usr/bin/perl

# "ilert_control": dead letters are replayed or discarded, sources are paused,
# resumed, and emptied; what is refused, and why; nothing is done for a page of
# another site; and ilert never shows what is not true.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(ENOSPC);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

use constant { HOUR => 3600, DAY => 86400 };

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $THREE = 'il1api5ec4e7a03';
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";
my $RETRY = 'retry 50ms 200ms;';

# name, and how it is written in a configuration

my $ODD = "a b/c%25\xc3\xbc?#&+\"";
my $ODD_CONF = q('a b/c%25ü?#&+"');
my $SLASHES = 'x//y';

my %SOURCES = (
    ops => $RETRY,
    two => "integration_key $TWO; $RETRY",
    repeats => "integration_key $TWO; coalesce repeats; $RETRY",
    old => "integration_key $TWO; max_age 1h; $RETRY",
    slow => "integration_key $THREE; concurrency 2; retry 40s 5m;",
    native => "webhook_url $URL; $RETRY",
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    shim => $shim, workers => 2, sources => { %SOURCES }, timeout => '20s',
    keys => { (map { $_ => 'api' } $KEY, $TWO, $THREE),
              $KAP => 'kapacitor' },
    http => 'server { listen 127.0.0.1:%%PORT_1%%; '
        . 'location / { ilert_control; location /a/ { return 404; '
        . 'location /a/b/ { ilert_control; } } } } '
        . join("\n", map { "ilert_source $_ { integration_key $KEY; "
                             . "rate off; coalesce off; $RETRY }" }
                       $ODD_CONF, $SLASHES),
    server => "server_name nginx.example.com; "
              . "location = /odd { ilert_kapacitor $ODD_CONF; } "
              . "location = /slashes { ilert_kapacitor $SLASHES; }");
my ($t, $fake) = ($q->test, $q->fake);
$q->start;
$shim->folder($q->dir);

sub source { $q->status->{sources}{$_[0]} }
sub state_of { source($_[0])->{state} }
sub letters { grep { $_->{source} eq $_[0] } @{$q->status->{dead}} }
sub idle { $q->becomes(sub { !$_->{queue}{pending} }, $_[0] // 'delivered') }

# Makes dead letters: of each webhook "ID LEVEL".  Returns their ids.

sub kill_off {
    my ($source, @webhooks) = @_;
    my $rule = $fake->rule(match => qr/"/, status => 400,
                           body => '{"message":"not like that"}');
    my @ids;

    for (@webhooks) {
        my ($id, $level) = split;
        push @ids, $q->post($id, $level, source => $source)->{json}{event};
    }

    my %ids = map { $_ => 1 } @ids;
    ok(wait_until(sub {
        @ids == grep { $ids{$_->{id}} } @{$q->status->{dead}};
    }), "dead: @webhooks");
    $fake->drop_rule($rule);
    return @ids;
}

sub arrived { scalar(() = $q->came($_[0])) }

# Lines of the log about this

sub log_of {
    my ($path, $count, $mark) = @_;
    return scalar(() = $t->grep_log(qr/\[notice\]\ .*:\ ilert\ control:
        \ \Q$path\E\ by\ 127\.0\.0\.1,\ count:\ $count$/x, $mark));
}


# Who may, and what there is ----------------------------------------------

subtest 'methods and paths' => sub {
    my $mark = $t->mark;

    for my $method (qw(GET HEAD PUT DELETE OPTIONS)) {
        for my $path ('sources/ops/pause', '') {
            my $r = $t->request($method, "/control/$path");
            is("$r->{status} " . ($r->{header}{allow} // ''), '405 POST',
               "$method $path");
        }
    }

    $q->refused($_, 404, qr/\S/) for '', 'dead', 'dead/', 'sources',
        'sources/', 'dead/1', 'dead/abc/replay', 'dead/0/replay',
        'dead/-1/discard', 'dead/1x/discard', 'dead/1/revive',
        'dead/99999999999999999999999/replay', 'dead/123456789/discard',
        'sources/none/pause', 'sources/none/resume', 'sources/none/discard',
        'sources//pause', 'sources/ops', 'sources/ops/', 'sources/ops/stop',
        'sources/ops/pause/', 'sources/OPS/pause', 'dead/replay?source=none',
        'dead/discard?source=none', 'nonsense', 'status',
        'dead/1%0a2026%20[warn]%20forged/replay';
    is($q->control($_)->{status}, 400, $_)
        for 'sources/%00/pause', 'sources/ops%00/pause';

    # whether an alert is known does not matter, see resolve_delay.t

    $q->refused("alert/resolve$_->[0]", $_->[1], $_->[2]) for
        [ '', 400, qr/^source: / ],
        [ '?alert_key=a', 400, qr/^source: / ],
        [ '?source=&alert_key=a', 400, qr/^source: / ],
        [ '?source=ops', 400, qr/^alert_key: / ],
        [ '?source=ops&alert_key=', 400, qr/^alert_key: / ],
        [ '?source=ops&alert_key=%20%09', 400, qr/^alert_key: / ],
        [ '?source=none&alert_key=a', 404, qr/no such source/ ],
        [ '/?source=ops&alert_key=a', 404, qr/^path: / ],
        [ 's?source=ops&alert_key=a', 404, qr/^path: / ],
        [ '/a/resolve?source=ops&alert_key=a', 404, qr/^path: / ];

    for ('dead/replay', 'dead/discard', 'dead/replay?source=') {
        my $r = $q->control($_);
        like($r->{status}, qr/^40[04]$/, "$_: of which source");
        is($r->{json}{status}, 'rejected', 'is refused');
    }

    is(state_of('ops'), 'ok', 'nothing is done');
    is(scalar(() = $t->grep_log(qr/^2026 \[warn\] forged/, $mark)), 0,
       'a line of the log is one');
    $q->does('sources/ops/resume', 0, headers => [
        'Content-Type' => 'application/x-www-form-urlencoded' ]);
    my $r = $t->post('/control/sources/ops/resume', 'x' x 300_000);
    is($r->{status}, 200, 'a body is nothing');
};

subtest 'other places' => sub {
    for my $prefix ('', 'a/b/') {
        my $uri = "/${prefix}sources/ops";
        my @other = (port => $t->port(1));
        is($t->post("$uri/pause", '', @other)->{body} =~ s/\n//r,
           '{"status":"ok","count":1}', "/$prefix");
        is(state_of('ops'), 'paused', 'is the same');
        is($t->post("$uri/resume", '', @other)->{json}{count}, 1, 'as this');
    }

    is($t->post('/a/sources/ops/pause', '', port => $t->port(1))->{status},
       404, 'no place');
};

subtest 'pages of other sites' => sub {
    my $host = 'nginx.example.com:8080';
    my @host = (Host => $host);

    for my $case (
        [ 'no Origin' ],
        [ 'the same', Origin => "http://$host" ],
        [ 'behind TLS', Origin => "https://$host" ],
        [ 'in capitals', Origin => 'http://NGINX.Example.com:8080' ],
        [ 'the same, as browsers say', Origin => "http://$host",
          'Sec-Fetch-Site' => 'same-origin' ],
        [ 'by hand', 'Sec-Fetch-Site' => 'none' ])
    {
        my ($what, @headers) = @$case;
        $q->does('sources/ops/pause', 1, headers => [ @host, @headers ]);
        is(state_of('ops'), 'paused', $what);
        $q->does('sources/ops/resume', 1, headers => [ @host, @headers ]);
    }

    for my $case (
        [ 'another host', Origin => 'http://evil.example' ],
        [ 'another port', Origin => 'http://nginx.example.com:8081' ],
        [ 'no port', Origin => 'http://nginx.example.com' ],
        [ 'none', Origin => 'null' ],
        [ 'empty', Origin => '' ],
        [ 'no URL', Origin => $host ],
        [ 'longer', Origin => "http://$host.evil.example" ],
        [ 'longer port', Origin => "http://${host}0" ],
        [ 'at the end', Origin => "http://evil.example/$host" ],
        [ 'at the end, too', Origin => "http://evil.$host" ],
        [ 'user', Origin => "http://$host\@evil.example" ],
        [ 'another site', 'Sec-Fetch-Site' => 'cross-site' ],
        [ 'the same site', 'Sec-Fetch-Site' => 'same-site' ],
        [ 'as browsers say', Origin => 'http://evil.example',
          'Sec-Fetch-Site' => 'cross-site' ],
        [ 'Origin is right', Origin => "http://$host",
          'Sec-Fetch-Site' => 'cross-site' ])
    {
        my ($what, @headers) = @$case;
        $q->refused('sources/ops/pause', 403, qr/\S/,
                    headers => [ @host, @headers ]);
        is(state_of('ops'), 'ok', $what);
    }

    my ($id) = kill_off('ops', 'site CRITICAL');
    $q->refused("dead/$id/$_", 403, qr/\S/,
                headers => [ @host, Origin => 'http://evil.example' ])
        for qw(replay discard);
    is(scalar(letters('ops')), 1, 'the letter is still there');
    $q->does("dead/$id/discard", 1);
};


# Dead letters ------------------------------------------------------------

subtest 'replay' => sub {
    for my $source (qw(ops native)) {
        my $mark = $t->mark;
        my ($id) = kill_off($source, 'again CRITICAL');
        my $before = source($source);
        my $from = $fake->counts->{requests};
        my ($letter) = letters($source);
        is("$letter->{id} $letter->{status}", "$id 400", 'a letter');

        $q->does("dead/$id/replay", 1);
        ok(wait_until(sub { arrived($from) }), 'arrives');
        $q->settled(0.2);
        my @requests = ($fake->requests)[$from - 1 .. $from];
        is(scalar @requests, 2, 'once');
        is($requests[1]{body}, $requests[0]{body}, 'as it was')
            if defined $requests[0]{body};
        is($requests[1]{alert_key}, $requests[0]{alert_key}, 'of the alert');

        my $after = idle()->{sources}{$source};
        is($after->{delivered}, $before->{delivered} + 1, 'is delivered');
        is($after->{accepted}, $before->{accepted}, 'not accepted again');
        is($after->{dead}, 0, 'is no letter any more');
        is($after->{open_alerts}, $before->{open_alerts} + 1, 'is open');
        like($t->wait_log(qr/ilert event $id delivered/, 5, $mark),
             qr/source "$source", alert key "again", ALERT/, 'keeps its id');
        is(log_of("dead/$id/replay", 1, $mark), 1, 'a line of the log');
        $q->refused("dead/$id/replay", 404, qr/\S/);
        $q->post('again', 'OK', source => $source);
        idle();
    }
};

subtest 'replay of a RESOLVE' => sub {
    $q->say('ends CRITICAL');
    idle();
    my $rule = $fake->rule(match => qr/"ends 2"/, status => 400);
    my $id = $q->post('ends', 'OK')->{json}{event};
    my ($letter) = @{$q->becomes(sub { $_->{sources}{ops}{dead} }, 'dead')
                     ->{dead}};
    is($letter->{type}, 'RESOLVE', 'what it is');
    is($q->alert('ops', 'ends')->{shows}, 'unknown', 'what ilert shows');
    $fake->drop_rule($rule);

    $q->does('sources/ops/pause', 1);
    $q->does("dead/$id/replay", 1);
    is(source('ops')->{pending}, 1, 'waits while its source is paused');
    ok($q->calm(0.3), 'is not sent');
    $q->does('sources/ops/resume', 1);
    idle();
    is($fake->alerts->{$KEY}{ends}{state}, 'resolved', 'then it is');
    is($q->alert('ops', 'ends')->{shows}, 'resolved', 'which is known');
};

subtest 'replay, and it fails again' => sub {
    my ($id) = kill_off('ops', 'twice CRITICAL');
    my $rule = $fake->rule(match => qr/"twice 1"/, status => 422);
    $q->does("dead/$id/replay", 1);
    ok(wait_until(sub { my ($letter) = letters('ops');
                        $letter && $letter->{status} == 422 }),
       'is a letter again');
    is((letters('ops'))[0]{id}, $id, 'with its id');
    $fake->drop_rule($rule);
    $q->does("dead/$id/replay", 1);
    idle();
    is(scalar(letters('ops')), 0, 'delivered at last');
};

subtest 'replay by many at once' => sub {
    my ($id) = kill_off('ops', 'race CRITICAL');
    my $from = $fake->counts->{requests};
    my @answers = $t->finish(map { $t->start_post("/control/dead/$id/replay",
                                                  '') } 1 .. 12);
    my %codes;
    $codes{$_->{status}}++ for @answers;
    is_deeply(\%codes, { 200 => 1, 404 => 11 }, 'one does it');
    idle();
    is(arrived($from), 1, 'it arrives once');
};

# The age of what is replayed begins anew.

subtest 'replay of what was too old' => sub {
    my $rule = $fake->rule(match => qr/"aged 1"/, status => 500);
    my $id = $q->post('aged', 'CRITICAL', source => 'old')->{json}{event};
    $shim->clock(2 * HOUR);
    my $s = $q->becomes(sub { $_->{sources}{old}{dead} }, 'is dead',
                        15);
    is($s->{dead}[0]{status}, undef, 'without a status');
    like($s->{dead}[0]{error}, qr/max_age/, 'for its age');
    $fake->drop_rule($rule);
    my $from = $fake->counts->{requests};
    $q->does("dead/$id/replay", 1);
    ok(wait_until(sub { arrived($from) }), 'is sent');
    idle();
    is(source('old')->{dead}, 0, 'and not dead again');
    $shim->clock(0);
};


# Never after something newer of its alert

sub not_any_more {
    my ($id, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $n = $fake->counts->{requests};
    my $r = $q->refused("dead/$id/replay", 409, qr/\S/);
    ok($q->calm(0.15), "$what: nothing is sent");
    ok(scalar(grep { $_->{id} eq $id } @{$q->status->{dead}}),
       'the letter stays');
}

subtest 'replay after a later event' => sub {
    my ($id) = kill_off('two', 'l1 CRITICAL');
    $q->say({ source => 'two' }, 'l1 OK');
    idle();
    not_any_more($id, 'delivered');
    is($fake->alerts->{$TWO}{l1}{state} // 'resolved', 'resolved',
       'no phantom');

    $q->stop->start;
    not_any_more($id, 'after a restart');

    ($id) = kill_off('two', 'L2 CRITICAL');
    $q->does('sources/two/pause', 1);
    $q->say({ source => 'two' }, ' l2  WARNING');
    not_any_more($id, 'waiting');
    $q->does('sources/two/resume', 1);
    idle();
    not_any_more($id, 'then delivered');

    my @ids = kill_off('two', 'l3 CRITICAL', 'l3 WARNING');
    not_any_more($ids[0], 'dead as well');
    $q->does("dead/$ids[1]/discard", 1);
    not_any_more($ids[0], 'and discarded');

    # of a letter's alert nothing is known: what comes is no repeat
    $q->say({ source => 'repeats' }, 'l4 CRITICAL');
    idle();
    ($id) = kill_off('repeats', 'l4 WARNING');
    my $n = source('repeats')->{coalesced};
    $q->say({ source => 'repeats' }, 'l4 CRITICAL');
    idle();
    is(source('repeats')->{coalesced}, $n, 'no repeat');
    not_any_more($id, 'the same as before, delivered');

    $q->say({ source => 'repeats' }, 'l5 CRITICAL', 'l5 OK');
    idle();
    ($id) = kill_off('repeats', 'l5 CRITICAL');
    $q->say({ source => 'repeats' }, 'l5 OK');
    idle();
    is(source('repeats')->{coalesced}, $n, 'nor is its end');
    $q->say({ source => 'repeats' }, 'l5 OK');
    is(source('repeats')->{coalesced}, $n + 1, 'but the next one');
    not_any_more($id, 'dropped');

    # the disk refuses it, and it is relayed
    ($id) = kill_off('two', 'l6 CRITICAL');
    $shim->write_error(ENOSPC);
    is($q->post('l6', 'OK', source => 'two', timeout => 20)->{result},
       'DELIVERED', 'relayed');
    $shim->write_error(0);
    ok(wait_until(sub { ($q->ready)[0] == 200 }), 'recovers');
    not_any_more($id, 'relayed');

    is($q->control('dead/discard?source=two')->{status}, 200, 'discarded');
    is($q->control('dead/discard?source=repeats')->{status}, 200, 'all');
};

# What is known of an alert is forgotten before its letters are.

subtest 'replay after a week' => sub {
    my ($id) = kill_off('two', 'week CRITICAL');
    $q->say({ source => 'two' }, 'week OK');
    idle();
    $shim->clock(8 * DAY);
    sleep(0.6);
    $q->stop->start;
    $q->say('day CRITICAL');
    idle();
    $q->calm(0.7);

    my $from = $fake->counts->{requests};
    my $r = $q->control("dead/$id/replay");
    like($r->{status}, qr/^40[49]$/, 'is refused')
        or diag("$r->{status} $r->{body}");
    ok($q->calm(0.3), 'nothing is sent');
    $shim->clock(0);
    $q->control('dead/discard?source=two');
};

subtest 'all of a source' => sub {
    $q->does("dead/$_?source=native", 0) for qw(replay discard);

    my $mark = $t->mark;
    my @ids = kill_off('two', map { "all$_ CRITICAL" } 1 .. 4);
    $q->say({ source => 'two' }, 'all6 CRITICAL');
    idle();
    my ($older) = kill_off('two', 'all5 CRITICAL');
    my ($newer) = kill_off('two', 'all5 WARNING');
    my ($other) = kill_off('ops', 'other CRITICAL');
    $q->say({ source => 'two' }, 'all4 OK');
    idle();

    my $from = $fake->counts->{requests};
    $q->does('dead/replay?source=two', 4);
    idle();
    is_deeply([ sort $q->came($from) ],
              [ map({ "all$_ 1" } 1 .. 3), 'all5 2' ], 'those that can');
    is(log_of('dead/replay of source "two"', 4, $mark), 1,
       'a line of the log');
    is_deeply([ sort { $a <=> $b } map { $_->{id} } letters('two') ],
              [ sort { $a <=> $b } $ids[3], $older ], 'the others stay');
    $q->refused('dead/replay?source=two', 409, qr/\S/);

    $q->does('dead/discard?source=two', 2);
    $q->does('dead/discard?source=two', 0);
    $q->does('dead/replay?source=two', 0);
    is((letters('ops'))[0]{id}, $other, 'those of another stay');
    $q->does("dead/$other/discard", 1);
    is(log_of("dead/$other/discard", 1, $mark), 1, 'a line of the log');
    $q->refused("dead/$other/discard", 404, qr/\S/);

    # more than one commit may take
    $q->does('sources/old/pause', 1);
    $q->at_once('old', map { "many$_" } 1 .. 250);
    $q->pass(3601);
    $q->does('sources/old/resume', 1);
    $q->becomes(sub { $_->{sources}{old}{dead} == 250 }, '250 letters');
    $from = $fake->counts->{requests};
    $q->does('dead/replay?source=old', 250);
    idle();
    is(arrived($from), 250, 'all arrive');
    is(source('old')->{open_alerts} >= 250, 1, 'and are open');
};


# Sources -----------------------------------------------------------------

subtest 'pause and resume' => sub {
    $q->forget;
    my $mark = $t->mark;
    $fake->rule(match => qr/$THREE/, delay => 0.3);
    $q->at_once('slow', map { "p$_" } 1 .. 12);
    ok($fake->wait_requests(2), 'some are under way');
    $q->does('sources/slow/pause', 1);
    my $paused = time();
    is(state_of('slow'), 'paused', 'paused');
    $q->does('sources/slow/pause', 0);

    $q->say({ source => 'slow' }, 'p1 OK', 'p12 OK', 'q1 WARNING');
    $q->becomes(sub { !$_->{sources}{slow}{inflight} }, 'those come back');
    ok($q->calm(0.7), 'no more');
    my @late = grep { $_->{time} > $paused + 0.02 } $fake->requests;
    is(scalar @late, 0, 'no request after the answer');
    my $gone = $fake->counts->{requests};
    is(source('slow')->{pending}, 15 - $gone, 'all others wait');
    is_deeply([ map { $_->{result} } grep { $_->{result} ne 'ACCEPTED' }
                $q->ledger ], [], 'which were accepted');
    $q->say('meanwhile CRITICAL');
    ok($fake->wait_requests($gone + 1), 'another source goes on');
    $gone++;

    for my $what (qw(reload restart crash worker)) {
        $q->reload if $what eq 'reload';
        $q->stop->start if $what eq 'restart';
        $q->crash->start if $what eq 'crash';
        $t->kill_worker if $what eq 'worker';
        $t->expect_log(qr/shared memory zone .* was locked/);
        ok($q->calm(0.5), "$what: nothing is sent");
        is(state_of('slow'), 'paused', 'still paused');
    }

    is($fake->counts->{requests}, $gone, 'nothing at all');
    $fake->clear_rules;
    $q->does('sources/slow/resume', 1);
    idle('all is delivered');
    is_deeply([ $q->faults ], [], 'in order');
    is(state_of('slow'), 'ok', 'ok');
    $q->does('sources/slow/resume', 0);
    is(log_of('sources/slow/pause', 1, $mark), 1, 'a line of the log');
    is(log_of('sources/slow/resume', 1, $mark), 1, 'and another');
};

subtest 'resume tries at once' => sub {
    my $rule = $fake->rule(match => qr/$THREE/, status => 500, times => 2);
    $q->say({ source => 'slow' }, 'r1 CRITICAL', 'r2 CRITICAL');
    $q->becomes(sub { $_->{sources}{slow}{retried} >= 2
                      && !$_->{sources}{slow}{inflight} }, 'retrying');
    ok($q->calm(0.3), 'they wait for 20 s at least');
    $q->does('sources/slow/resume', 0);
    idle('what waits for its next try');

    $rule = $fake->rule(match => qr/$THREE/, status => 404);
    $q->say({ source => 'slow' }, 'r3 CRITICAL', 'r4 CRITICAL');
    $q->becomes(sub { $_->{sources}{slow}{state} eq 'parked' }, 'parked');
    my $n = $fake->counts->{requests};
    $q->does('sources/slow/resume', 1);
    ok($fake->wait_requests($n + 1), 'a parked one tries at once');
    $q->becomes(sub { $_->{sources}{slow}{state} eq 'parked'
                      && !$_->{sources}{slow}{inflight} }, 'parked again');
    $fake->drop_rule($rule);
    $q->does('sources/slow/resume', 1);
    idle('and heals');
    is(state_of('slow'), 'ok', 'ok');

    # paused, and its key parked by another: both end
    $rule = $fake->rule(match => qr/$TWO/, status => 403, times => 1);
    $q->does('sources/repeats/pause', 1);
    $q->say({ source => 'repeats' }, 'r5 CRITICAL');
    $q->say({ source => 'two' }, 'r6 CRITICAL');
    $q->becomes(sub { $_->{sources}{repeats}{state} eq 'parked' }, 'both');
    $q->does('sources/repeats/resume', 1);
    idle('both are over');
};

subtest 'discard what waits' => sub {
    my $mark = $t->mark;
    $q->forget;
    $q->say({ source => 'slow' }, 'open CRITICAL', 'shut CRITICAL', 'shut OK');
    idle();
    $fake->rule(match => qr/"flight 1"/, hang => 1);
    $q->say({ source => 'slow' }, 'flight CRITICAL');
    ok($fake->wait_requests(4), 'one is under way');
    $q->does('sources/slow/pause', 1);
    $q->say({ source => 'slow' }, 'flight WARNING', 'new CRITICAL',
            'new WARNING', 'open WARNING', 'open OK', 'shut CRITICAL',
            'shut OK', 'other CRITICAL COMMENT');
    $q->say('else CRITICAL');
    is(source('slow')->{pending}, 9, 'nine wait');

    # all but the one under way and the end of what is open
    $q->does('sources/slow/discard', 7);
    my $slow = source('slow');
    is("$slow->{pending} $slow->{inflight} $slow->{dead}", '2 1 0',
       'two are left');
    is($q->alert('slow', 'flight')->{waiting}, 1, 'what is under way');
    my $alert = $q->alert('slow', 'open');
    is_deeply([ map { $_->{type} } @{$alert->{events}} ], [ 'RESOLVE' ],
              'and a RESOLVE');
    $q->does('sources/slow/discard', 0);
    is(log_of('sources/slow/discard', 7, $mark), 1, 'a line of the log');

    $fake->clear_rules;
    $fake->refuse(all => 1);
    $q->becomes(sub { !$_->{sources}{slow}{inflight} }, 'it fails');
    $fake->accept;
    $q->does('sources/slow/resume', 1);
    idle();
    my %shown = map { $_->{folded} => $_ } grep { $_->{key} eq $THREE }
                $fake->events;
    is_deeply([ sort keys %shown ], [ qw(flight open shut) ], 'what came');
    is($fake->alerts->{$THREE}{open}{state}, 'resolved', 'is resolved');
    is($fake->alerts->{$THREE}{flight}{state}, 'open', 'is open');
    is($fake->alerts->{$THREE}{shut}{state}, 'resolved', 'as it was');
};

# An ALERT whose verdict is not known may have opened what it says.

subtest 'discard after an unknown verdict' => sub {
    $q->forget;
    $fake->rule(match => qr/"maybe 1"/, reset => 'after', take => 1);
    $q->say({ source => 'slow' }, 'maybe CRITICAL');
    ok($fake->wait_requests(1), 'sent');
    $q->becomes(sub { !$_->{sources}{slow}{inflight} }, 'no answer');
    $q->does('sources/slow/pause', 1);
    $q->say({ source => 'slow' }, 'maybe OK');
    $q->does('sources/slow/discard', 1);
    is_deeply([ map { $_->{type} } @{$q->alert('slow', 'maybe')->{events}} ],
              [ 'RESOLVE' ], 'its RESOLVE is left');
    $fake->clear_rules;
    $q->does('sources/slow/resume', 1);
    idle();
    is($fake->alerts->{$THREE}{maybe}{state}, 'resolved', 'no phantom');
};

subtest 'names' => sub {
    my %uri = (odd => $ODD, slashes => $SLASHES);

    for my $uri (sort keys %uri) {
        my $name = IlertStatus::escape($uri{$uri});
        my $shown = $uri{$uri};
        utf8::decode($shown);           # in JSON

        $q->does("sources/$name/pause", 1);
        is(state_of($shown), 'paused', "$uri: paused");
        $t->post("/$uri", IlertQueue::webhook($uri, 1, 'CRITICAL'));
        is($q->status("source=$name")->{sources}{$shown}{pending}, 1, 'waits');
        is($q->alert($uri{$uri}, $uri)->{source}, $shown, 'its alert');
        $q->does("sources/$name/discard", 1);
        $q->does("sources/$name/resume", 1);

        $fake->rule(match => qr/"$uri 2"/, status => 400);
        $t->post("/$uri", IlertQueue::webhook($uri, 2, 'CRITICAL'));
        $q->becomes(sub { $_->{sources}{$shown}{dead} }, 'a dead letter');
        $fake->clear_rules;
        $q->does("dead/replay?source=$name", 1);
        idle();
        $q->does("dead/discard?source=$name", 0);
    }
};

subtest 'a source that is not configured' => sub {
    my @ids = kill_off('native', 'gone1 CRITICAL', 'gone2 CRITICAL');
    $q->does('sources/native/pause', 1);
    $q->say({ source => 'native' }, 'gone3 CRITICAL', 'gone4 WARNING');
    my %less = %SOURCES;
    delete $less{native};
    $q->change(sources => \%less)->reload;

    my $s = $q->becomes(sub { ($_->{sources}{native}{state} // '')
                              eq 'parked' }, 'is parked');
    $q->refused("sources/native/$_", 404, qr/\S/) for qw(pause resume);
    $q->refused("dead/$ids[0]/replay", 409, qr/configured/);
    $q->refused('dead/replay?source=native', 409, qr/\S/);
    $q->does("dead/$ids[0]/discard", 1);
    $q->does('dead/discard?source=native', 1);
    $q->does('sources/native/discard', 2);
    $q->becomes(sub { !$_->{sources}{native} }, 'nothing is left of it');
    $q->refused('sources/native/discard', 404, qr/\S/);
    is_deeply([ map { $_->{result} } grep { $_->{source} eq 'native'
                && $_->{result} ne 'ACCEPTED' } $q->ledger ], [], 'accepted');
};

$q->stop;

subtest 'without a queue' => sub {
    my $r = IlertStatus->new(queue => undef)->start;
    $r->refused($_, 409, qr/queue/) for 'sources/ops/pause',
        'sources/ops/resume', 'sources/ops/discard', 'dead/1/replay',
        'dead/1/discard', 'dead/replay?source=ops';
    is($r->test->get('/control/sources/ops/pause')->{status}, 405, 'GET');
    $r->refused('sources/ops/pause', 403, qr/\S/,
                headers => [ Origin => 'http://evil.example' ]);
    $r->stop;
};

done();
