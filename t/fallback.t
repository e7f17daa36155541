#!/usr/bin/perl

# "ilert_fallback": a chat is told, by a location of nginx, when something
# urgent has waited for ilert for too long, whatever the reason; again at
# times, and when it is over.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP qw(decode_json);
use Test::More;
use Time::HiRes qw(sleep);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

# the chat answers 200, and has a secret in its URL

my $SECRET = 'T0123/B4567/s3cr3tf0rch4t';
my $chat = IlertFake->start(keys => { unused => 'api' });
my $chats = $chat->rule(status => 200);

my $BODY = 'ilert_fallback_body \'{"content": "$ilert_fallback_text",'
    . ' "at": "$ilert_source$hostname"}\';';

my $q = IlertStatus->new(
    shim => $shim, workers => 2, secrets => [ $SECRET ],
    sources => { ops => 'retry 50ms 1s;',
                 slow => 'retry 50ms 1s; rate 1r/m;'
                     . ' integration_key il1api5ec4e7a02;',
                 held => 'retry 50ms 1s; integration_key il1api5ec4e7a03;' },
    keys => { $IlertQueue::KEY => 'api', il1api5ec4e7a02 => 'api',
              il1api5ec4e7a03 => 'api' },
    server => 'location = /chat { ilert_fallback after=1m every=10m;'
        . ' proxy_pass http://' . $chat->address . "/hook/$SECRET;"
        . ' proxy_read_timeout 2s; }');
my ($t, $fake) = ($q->test, $q->fake);

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

my $seen = 0;

# What the chat was told since the last time.

sub told {
    my @posts = $chat->requests;
    my @new = @posts[$seen .. $#posts];
    $seen = @posts;

    return map { decode_json($_->{body})->{text} } @new;
}

# Time goes by, in steps of ten seconds, in which workers have time to act.

sub goes_by {
    my ($seconds) = @_;

    for (my $gone = 0; $gone < $seconds; $gone += 10) {
        $q->pass(10);
        sleep(0.02);
    }
}

# Whether more than so many posts have come, a moment after time went by.

sub posted {
    my ($n) = @_;

    for (1 .. 3) {
        return 1 if $chat->counts->{requests} > $n;
        sleep(0.01);
    }

    return 0;
}

# So much time goes by until the chat is told something; 0: it is not told.

sub told_within {
    my ($seconds, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $chat->counts->{requests};

    for (my $gone = 0; $gone <= $seconds; $gone += 10) {
        if (posted($n)) {
            my @told = told();
            is(scalar @told, 1, "$what: told once");
            return $told[0];
        }

        $q->pass(10);
    }

    fail("$what: it is told");
    return '';
}

sub not_told {
    my ($seconds, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    goes_by($seconds);
    is_deeply([ told() ], [], $what);
}

sub over {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ok($q->drained(20), 'all is delivered');
    like(told_within(120, $what), qr/^nginx on \S+: over: no urgent alert /,
         'over');
    state('ok', 0, $what);
}

sub state {
    my ($state, $waiting, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $s = $q->becomes(sub { $_->{fallback}{state} eq $state
                              && $_->{fallback}{waiting} == $waiting },
                        "$what: $state, $waiting");
    is(defined $s->{fallback}{since}, !!$waiting, 'since');
    return $s->{fallback};
}

sub metric {
    my ($name) = @_;
    my ($value) = $q->get('/metrics')->{body} =~ /^\Q$name\E (\S+)$/m;
    return $value;
}


$q->start;

subtest 'nothing' => sub {
    $q->say('a CRITICAL', 'b WARNING');
    ok($q->drained);
    not_told(120, 'nothing to tell');
    state('ok', 0, 'nothing');
    is($q->get('/chat')->{status}, 404, 'clients cannot use it');
    is(metric('ilert_fallback_late'), 0, 'metric');
};

subtest 'an outage' => sub {
    $fake->rule(status => 503);
    $q->say('c WARNING', 'd CRITICAL LOW');
    not_told(120, 'nothing urgent');

    $q->say('e CRITICAL');
    not_told(40, 'not yet');
    state('ok', 0, 'not yet');
    my $text = told_within(60, 'an outage');
    like($text, qr/\Anginx on \S+: 1 alert has waited for ilert for more (?#
        )than 60 s, so nobody may have been called\n(?#
        )- CRITICAL, ops: e, for \d+ s: ilert answered 503\z/, 'the text');
    my ($post) = $chat->request(-1);
    is("$post->{method} $post->{uri}", "POST /hook/$SECRET", 'a POST');
    like($post->{header}{'content-type'}, qr{^application/json}, 'its type');
    like($post->{header}{'user-agent'}, qr/^ngx_http_ilert_module\//, 'by us');
    my $s = state('told', 1, 'told');
    ok(defined $s->{last}, 'when');
    is(metric('ilert_fallback_late'), 1, 'metric');
    is(metric('ilert_fallback_posts_total{result="taken"}'), 1, 'taken');

    # the same in the hands of another courier

    not_told(50, 'it rests');
    $q->reload;
    not_told(20, 'a reload says nothing');
    $t->kill_worker(KILL => $q->courier || ($t->workers)[0]);
    ok(wait_until(sub { $q->courier }, 10), 'another courier');
    not_told(20, 'nor does it');

    # what is new, and what is not

    $q->say('f CRITICAL', 'g WARNING HIGH');
    $text = told_within(180, 'new ones');
    like($text, qr/: 3 alerts have waited .*\n(?#
        )- CRITICAL, ops: e, for \d+ (?:s|min): .*\n(?#
        )- CRITICAL, ops: f, for .*\n- WARNING \(HIGH\), ops: g, for /,
         'the oldest first');
    not_told(400, 'until it is time');
    like(told_within(240, 'again'), qr/: 3 alerts have waited /, 'again');

    $fake->clear_rules;
    over('an outage');
    not_told(200, 'and no more');
};

subtest 'a parked key' => sub {
    my $rule = $fake->rule(status => 401);
    $q->post('quote\\"d \\u00e4\\t', 'CRITICAL');
    my $text = told_within(90, 'a parked key');
    like($text, qr/ops: quote"d \xe4 *, for \d+ s: ilert answered 401/,
         'the text');
    $fake->clear_rules;
    $q->control('sources/ops/resume');
    over('a parked key');
};

subtest 'a dead letter' => sub {
    $fake->rule(status => 400, times => 1);
    $q->post('dead', 'CRITICAL');
    $q->becomes(sub { @{$_->{dead}} }, 'it is dead');
    my $text = told_within(90, 'a dead letter');
    like($text, qr/ops: dead, for \d+ s: a dead letter, ilert answered 400/,
         'the text');
    $q->does('dead/discard?source=ops', 1);
    over('a dead letter');

    # an OK that comes later is news of the alert

    $fake->rule(status => 400, times => 1);
    $q->post('later', 'CRITICAL');
    $q->becomes(sub { @{$_->{dead}} }, 'it is dead');
    $q->post('later', 'OK');
    ok($q->drained);
    not_told(100, 'which is over');
};

subtest 'a spent budget' => sub {
    $q->say({ source => 'slow' }, 's1 CRITICAL');
    $q->pass(30);
    $q->say({ source => 'slow' }, 's2 CRITICAL', 's3 CRITICAL');

    # s2 has the next minute, in which s3 is told of

    $q->pass(31);
    $q->becomes(sub { $_->{sources}{slow}{pending} == 1 }, 'one waits');
    my $text = told_within(90, 'a spent budget');
    like($text, qr/slow: s3, for \d+ s: the "rate" of requests is spent/,
         'the text');
    ok(wait_until(sub { $q->pass(10); !$q->waiting }, 10), 'they go');
    told();
    $q->becomes(sub { $q->pass(10); $_->{fallback}{state} eq 'ok' }, 'over');
    told();
};

subtest 'a pause is no outage' => sub {
    $q->does('sources/held/pause', 1);
    $q->say({ source => 'held' }, 'p CRITICAL');
    not_told(120, 'not told');
    state('ok', 0, 'paused');

    # but if it comes in an outage, it is not over either

    $fake->rule(status => 503);
    $q->say('o CRITICAL');
    told_within(90, 'an outage');
    $fake->clear_rules;
    like(told_within(120, 'over'), qr/: over, but for 1 urgent alert of (?#
        )sources that are paused: /, 'over');
    $q->does('sources/held/resume', 1);
    ok($q->drained);
    not_told(30, 'and all is well');
};

subtest 'the chat is down' => sub {
    $chat->drop_rule($chats);
    $chats = $chat->rule(status => 500);
    $fake->rule(status => 503);
    my $mark = $t->mark;
    $q->say('x CRITICAL');

    my @at;

    for my $second (map { 10 * $_ } 1 .. 60) {
        my $n = $chat->counts->{requests};
        $q->pass(10);
        push @at, $second if posted($n);
    }

    told();
    cmp_ok(scalar @at, '>=', 3, "tries: @at");
    cmp_ok(scalar @at, '<=', 5, 'fewer and fewer');
    cmp_ok($at[$_ + 1] - $at[$_], '>=', 50 * 2 ** $_, "a pause: $_")
        for 0 .. $#at - 1;

    my $s = state('failing', 1, 'failing');
    is($s->{error}, 'it answered 500', 'why');
    is(metric('ilert_fallback_up'), 0, 'metric');
    is(scalar(() = $t->log_since($mark)
              =~ m{\[error\].*ilert fallback: location "/chat" has not }g),
       1, 'one line');

    # nor is its secret in any other line

    $chat->refuse;
    $q->becomes(sub { $q->pass(50); $_->{fallback}{error} !~ /^it answered/ },
                'it is gone');
    like($q->status->{fallback}{error}, qr/refused/, 'why');
    $chat->accept;

    $chat->drop_rule($chats);
    $chats = $chat->rule(status => 204);
    told_within(600, 'it heals');
    state('told', 1, 'it heals');
    is(metric('ilert_fallback_up'), 1, 'metric');
    $fake->clear_rules;
    over('the chat was down');
};

subtest 'another body' => sub {
    my $server = $q->{server};
    $q->change(server => $server . $BODY);
    $q->reload;
    $fake->rule(status => 503);
    $q->say(map { "many$_ CRITICAL" } 1 .. 30);
    goes_by(80);
    ok(wait_until(sub { $chat->counts->{requests} > $seen }, 5), 'told');
    my $post = decode_json($chat->request(-1)->{body});
    is_deeply([ sort keys %$post ], [ qw(at content) ], 'the body');
    like($post->{content}, qr/: 30 alerts .*and 10 more\z/s, 'the text');
    like($post->{at}, qr/^\S+$/, 'another variable');
    cmp_ok(length $post->{content}, '<', 3072, 'its size');
    $seen++;

    # taken out, it forgets what it was about to say

    $q->change(server => $server =~ s/ilert_fallback [^;]*;//r);
    $q->reload;
    is($q->status->{fallback}{state}, 'off', 'without it');
    is(metric('ilert_fallback_late'), undef, 'no metric');
    $fake->clear_rules;
    ok($q->drained(20));
    goes_by(100);
    is($chat->counts->{requests}, $seen, 'no more');
};

$q->stop;


# nginx -t

my $PASS = 'proxy_pass http://127.0.0.1:9;';
my $HEAD = "ilert_queue queue; ilert_source ops { integration_key"
    . " $IlertQueue::KEY; }";
my $WAY = "location /ilert/ { internal; ilert_endpoint; $PASS }";
my $c = IlertTest->new(conf => '', secrets => [ $IlertQueue::KEY ],
                       common => qr/\Q$WAY\E|\Q$HEAD\E/);

sub conf {
    my ($locations, $head) = @_;
    return +($head // $HEAD) . "\nserver { $WAY\n$locations }";
}

sub chat { conf("location = /chat { $PASS\nilert_fallback $_[0]; }", $_[1]) }
sub bad { @_ = ($c, @_); goto &IlertTest::conf_refused }
sub good { @_ = ($c, @_); goto &IlertTest::conf_accepted }

subtest 'configuration' => sub {
    good(chat($_)) for '', 'after=10s every=1m host=hooks.example.com',
        'after=1d every=1d', 'every=2h';
    good(conf("location /chat/ { $PASS ilert_fallback; }"));

    bad(chat($_), qr/^\[emerg\] invalid parameter "\Q$_\E" of (?#
        )"ilert_fallback", a time from 10s to 1d is allowed/)
        for 'after=9s', 'after=2d', 'after=', 'after=x';
    bad(chat($_), qr/^\[emerg\] invalid parameter "\Q$_\E" of (?#
        )"ilert_fallback", a time from 1m to 1d is allowed/)
        for 'every=59s', 'every=25h';
    bad(chat($_), qr/^\[emerg\] invalid parameter "\Q$_\E" in (?#
        )"ilert_fallback", "after=", "every=" and "host=" are allowed/)
        for '5m', 'until=3';
    bad(chat('host=a..b'), qr/^\[emerg\] invalid parameter "host=a\.\.b" of (?#
        )"ilert_fallback"/);
    bad(chat('after=1m after=2m'), qr/^\[emerg\] duplicate parameter /);
    bad(conf("location = /a { $PASS ilert_fallback; }\n"
             . "location = /b { $PASS ilert_fallback; }"),
        qr/^\[emerg\] duplicate "ilert_fallback" \(first in F:3\), one /);
    bad(conf("location = /a { $PASS ilert_fallback; ilert_fallback; }"),
        qr/"ilert_fallback" directive is duplicate/);
    bad(conf("location \@a { $PASS ilert_fallback; }"),
        qr/^\[emerg\] "ilert_fallback" is in location "\@a", only a path /);
    bad(conf("location ~ /a { $PASS ilert_fallback; }"),
        qr/^\[emerg\] "ilert_fallback" is in location "\/a", only a path /);
    bad(conf('location = /a { ilert_fallback; }'),
        qr/^\[emerg\] "ilert_fallback" in F:3 can tell nobody, /);
    bad(conf("location /a { $PASS ilert_fallback; }\n"
             . "location = /a { return 404; }"),
        qr/^\[emerg\] "ilert_fallback" in F:3 is not reached, as nginx leads/);
    bad(conf("location /ilert/ { internal; $PASS ilert_endpoint e;"
             . " ilert_fallback; }", $HEAD),
        qr/duplicate location/);
    bad(conf("location /x/ { $PASS ilert_endpoint e; ilert_fallback; }"),
        qr/^\[emerg\] "ilert_fallback" in F:3 and "ilert_endpoint" are in /);
    bad(chat('', "ilert_source ops { integration_key $IlertQueue::KEY; }"),
        qr/^\[emerg\] "ilert_fallback" in F:4 has nothing to tell, /);
    bad(conf("location = /a { $PASS ilert_fallback;"
             . " ilert_fallback_body ''; }"),
        qr/^\[emerg\] "ilert_fallback_body" of "ilert_fallback" in F:3 is (?#
        )empty, /);
};

done();
