#!/usr/bin/perl

# The test library itself, without the module: the strict fake ilert behind a
# plain proxy_pass, the checks at the end, the client.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use IlertDNS;
use IlertFake;
use IlertSchema;
use IlertTest;

my $KEY = 'il1api0123';
my $NATIVE = 'il1kap0123';

my $CONF = <<'CONF';
    proxy_read_timeout 20s;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { proxy_pass http://%%FAKE%%/api/; }
        location /hang/ {
            proxy_read_timeout 1s;
            proxy_pass http://%%FAKE%%/api/;
        }
        location /small { client_max_body_size 10; return 200; }
        location /kept {
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://kept/api/events;
        }
    }
    upstream kept { server %%FAKE%%; keepalive 4; }
CONF

my $fake = IlertFake->start(hosts => [ 'kept' ],
    keys => { $KEY => 'api', il1api0456 => 'api', $NATIVE => 'kapacitor',
              il1hbt0789 => 'heartbeat' });

# one worker: kept connections belong to a worker
my $t = IlertTest->new(conf => $CONF, fake => $fake, module => 0,
                       workers => 1, leaks => 1)->start;

sub event {
    my (%event) = @_;
    return JSON::PP->new->utf8->canonical->encode({
        integrationKey => $KEY, eventType => 'ALERT', summary => 'a summary',
        alertKey => 'cpu', %event });
}

sub post_event { $t->post('/events', event(@_)) }

subtest 'strict JSON' => sub {
    for my $good ('{}', '[]', '1', '-0', '1e5', '1.5E-3', '"\u00e4"', 'null',
        ' [ 1 , { "a" : true } ] ', '"\ud83d\ude00"', "\"\xc3\xa4\"",
        "\"\xef\xbf\xbe\"", '{"a":{"b":[null,false]}}',
        '"' . ('\u0026' x 70000) . '"', '"' . ("\xc3\xa4" x 70000) . '"',
        ('[' x 40) . (']' x 40))
    {
        my ($value, $error) = IlertSchema::decode($good);
        is($error, undef, 'good: ' . substr $good, 0, 40);

        my $same = eval {
            is_deeply($value, JSON::PP->new->utf8->allow_nonref
                                  ->decode($good), 'same');
        };
        ok($same, $@);
    }

    for my $bad ('', ' ', '{', '[1,]', '{"a":1,}', '01', '1.', '.5', '+1',
        '- 1', '0x1', 'NaN', 'Infinity', 'nul', "'a'", '{a:1}', '[1 2]',
        '[] []', "\"\t\"", "\"\n\"", "\"\\x\"", '"\u12g4"', '"', '"\\',
        '"\ud800"', '"\udc00"', '"\ud800\u0041"', '"a\u0000"',
        "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"", "\"\xc3\"", "\xef\xbb\xbf{}",
        '{"a":1,"a":2}', '{"a":1,"\u0061":2}', '[1] // x', '/* */ 1',
        ('[' x 513) . (']' x 513))
    {
        my ($value, $error) = IlertSchema::decode($bad);
        like($error, qr/^not JSON: .* at byte \d+$/, 'bad: ' . substr $bad,
             0, 40);
    }

    my $deep = ('[' x 512) . (']' x 512);
    is((IlertSchema::decode($deep))[1], undef, 'depth');
    my ($value) = IlertSchema::decode('[1, 9223372036854775807, 1e+21, -0]',
                                      numbers => 'object');
    is(join(' ', map { $_->text } @$value), '1 9223372036854775807 1e+21 -0',
       'digits');
    ($value) = IlertSchema::decode('[9223372036854775808, 0.5]');
    is("@$value", '9223372036854775808 0.5', 'large integer');
    ($value) = IlertSchema::decode("[\"\\ud800x\\u0000\xff\"]", lenient => 1);
    is($value->[0], "\x{fffd}x\0\x{fffd}", 'lenient');
};

subtest 'captures: two readers agree' => sub {
    my @names = webhooks(qr/^(?!.*raw$)/);
    ok(@names > 100, 'captures are there');

    my $json = JSON::PP->new->utf8;
    my @differ = grep {
        my ($value, $error) = IlertSchema::decode(webhook($_), lenient => 1);
        defined $error || $json->canonical->encode($value)
            ne $json->canonical->encode($json->decode(webhook($_)));
    } @names;
    is("@differ", '', 'same values');
};

subtest 'bad events' => sub {
    my $mark = $fake->requests;

    my @bad = (
        [ event(eventType => 'ALARM'), qr/^eventType: expected one of/ ],
        [ event(eventType => undef), qr/^eventType: expected a string/ ],
        [ event(summary => 5), qr/^summary: expected a string/ ],
        [ event(summary => ''), qr/^summary: empty/ ],
        [ event(alertKey => " \t"), qr/^alertKey: empty/ ],
        [ event(severity => 6), qr/^severity: more than 5/ ],
        [ event(severity => 0), qr/^severity: less than 1/ ],
        [ event(severity => '1'), qr/^severity: expected an integer/ ],
        [ event(severity => 1.5), qr/^severity: expected an integer/ ],
        [ event(priority => 'MEDIUM'), qr/^priority: expected one of/ ],
        [ event(details => []), qr/^details: expected a string/ ],
        [ event(customDetails => []), qr/^customDetails: expected an obj/ ],
        [ event(labels => { a => 1 }), qr/^labels\.a: expected a string/ ],
        [ event(links => {}), qr/^links: expected an array/ ],
        [ event(links => [ { href => 1 } ]), qr/^links\[0\]\.href: expect/ ],
        [ event(links => [ { url => '' } ]), qr/^links\[0\]\.url: unknown/ ],
        [ event(comments => [ 'x' ]), qr/^comments\[0\]: expected an object/ ],
        [ event(services => [ { id => 'x' } ]), qr/^services\[0\]\.id: / ],
        [ event(extra => 1), qr/^extra: unknown member/ ],
        [ '{"eventType":"ALERT","summary":"a"}', qr/^integrationKey: miss/ ],
        [ '[]', qr/^event: expected an object/ ],
        [ '', qr/^not JSON/ ],
        [ event() . 'x', qr/^not JSON: trailing/ ],
        [ '{"summary":"a",' . substr(event(), 1), qr/duplicate name/ ],
        [ event(summary => 'CUT') =~ s/CUT/\xff/r, qr/invalid UTF-8/ ],
        [ event(summary => 'CUT') =~ s/CUT/\\ud800/r, qr/lone surrogate/ ],
        [ event(summary => 'CUT') =~ s/CUT/\\u0000/r, qr/U\+0000/ ],
        [ event(eventType => 'RESOLVE') =~ s/"alertKey":"cpu",//r,
          qr/^alertKey: missing/ ],
    );

    for (@bad) {
        my ($body, $pattern) = @$_;
        my $r = $t->post('/events', $body);
        is($r->{status}, 400, "400: $pattern");
        like($r->{json}{message}, $pattern, 'the reason');
        is($r->{json}{code}, 'BAD_REQUEST');
    }

    is(scalar(() = $fake->errors), @bad, 'each is an error');
    is($fake->counts->{events}, 0, 'none is an event');
    is_deeply($fake->alerts, {}, 'nothing is shown');
    is($fake->request(-1)->{status}, 400, 'recorded');
    like($fake->request(-1)->{fault}, qr/alertKey/);

    my $good = event();
    for my $case (
        [ 415, [ 'Content-Type' => 'application/json; charset=utf-8' ] ],
        [ 415, [ 'Content-Type' => undef ] ],
        [ 400, [ 'Content-Encoding' => 'gzip' ] ],
    ) {
        my ($status, $headers) = @$case;
        is($t->post('/events', $good, headers => $headers)->{status}, $status,
           "headers: $headers->[0]");
    }

    my %direct = (port => $fake->port);

    for (
        [ undef, 400 ], [ '', 400 ], [ 'api.ilert.com:', 400 ],
        [ 'api ilert com', 400 ], [ 'x', 404 ], [ '127.0.0.1', 404 ],
        [ 'xapi.ilert.com', 404 ], [ 'kept', 202 ], [ 'Api.ilert.com', 202 ],
        [ 'beat.ilert.test:9', 202 ], [ $fake->address, 202 ],
        [ 'localhost:' . $fake->port, 202 ],
    ) {
        my ($host, $status) = @$_;
        my $r = $t->post('/api/events', $good, %direct,
                         headers => [ Host => $host ]);
        my $what = defined $host ? "Host: $host" : 'no Host';

        is($r->{status}, $status, $what);
        is(defined $fake->request(-1)->{fault}, $status != 202, 'a fault');
        $status == 202 or like($r->{body}, qr/^<html>/, 'of a front end');
    }

    is($t->post('/api/events', $good, %direct, no_length => 1)->{status}, 411,
       'no length');
    is($t->post('/api/events', $good, %direct, raw => "BAD\r\n\r\n")->{status},
       400, 'no request line');
    is($t->get('/events')->{status}, 405, 'GET');
    is($t->post('/other', $good)->{status}, 404, 'another path');
    is($t->post('/events?x=1', $good)->{status}, 404, 'a query');
    is($t->post("/v1/events/kapacitor/$NATIVE", '[]')->{status}, 400,
       'native: no object');
    is($t->post("/v1/events/kapacitor/$NATIVE", '{}')->{status}, 400,
       'native: no level');
};

subtest 'keys' => sub {
    $fake->reset;

    for (
        [ '/events', event(integrationKey => 'il1api9999') ],
        [ '/events', event(integrationKey => $NATIVE) ],
        [ '/v1/events/kapacitor/il1kap9999', '{"level":"OK"}' ],
        [ "/v1/events/kapacitor/$KEY", '{"level":"OK"}' ],
    ) {
        my $r = $t->post(@$_);
        is($r->{status}, 404, $_->[0]);
        is($r->{json}{status}, 404);
        is($r->{json}{code}, 'NOT_FOUND');
        like($r->{json}{message}, qr/key/);
    }

    is(scalar(() = $fake->errors), 0, 'not the event\'s fault');
    $fake->keys({ il1api9999 => 'api' });
    is($t->post('/events', event(integrationKey => 'il1api9999'))->{status},
       202, 'a new key');
    is(post_event()->{status}, 404, 'the old one is gone');
    $fake->keys({ $KEY => 'api', il1api0456 => 'api', $NATIVE => 'kapacitor',
                  il1hbt0789 => 'heartbeat' });
    is($t->get('/pings/il1hbt0789')->{status}, 202, 'heartbeat');
    is($t->get("/pings/$KEY")->{status}, 404, 'no heartbeat key');
};

subtest 'alerts' => sub {
    $fake->reset;

    my $r = post_event(alertKey => " CPU:host=\x{c4} ", summary => 'one',
                       details => 'more', severity => 2, priority => 'LOW');
    is($r->{status}, 202, 'taken');
    is($r->{body}, '', 'no body');
    like($r->{header}{'correlation-id'}, qr/^fake-\d+$/, 'correlation-id');

    my $name = "cpu:host=\x{e4}";
    my $shown = sub { $fake->alerts->{$KEY}{$name} };
    is($shown->()->{state}, 'open', 'ALERT opens');
    is($shown->()->{summary}, 'one');
    is($shown->()->{details}, 'more');
    is($shown->()->{severity}, 2);
    is($shown->()->{priority}, 'LOW');

    post_event(alertKey => "cpu:host=\x{c4}", summary => 'two');
    is($shown->()->{opened}, 1, 'a second ALERT is appended');
    is($shown->()->{summary}, 'one', 'and does not change the alert');

    post_event(eventType => 'COMMENT', alertKey => $name,
               comments => [ { creator => 'me', content => 'x' } ]);
    is($shown->()->{comments}, 1, 'COMMENT');
    post_event(eventType => 'ACCEPT', alertKey => $name);
    is($shown->()->{state}, 'accepted', 'ACCEPT');
    post_event(alertKey => $name);
    is($shown->()->{state}, 'accepted', 'stays accepted');

    post_event(eventType => 'RESOLVE', alertKey => "$name\n");
    is($shown->()->{state}, 'resolved', 'RESOLVE');
    post_event(eventType => 'RESOLVE', alertKey => $name);
    is($shown->()->{state}, 'resolved', 'RESOLVE again is harmless');
    post_event(eventType => 'ACCEPT', alertKey => $name);
    is($shown->()->{state}, 'resolved', 'ACCEPT of none, too');
    post_event(alertKey => $name);
    is($shown->()->{opened}, 2, 'ALERT after that opens another');
    is(join(' ', @{$shown->()->{log}}),
       'ALERT ALERT COMMENT ACCEPT ALERT RESOLVE RESOLVE ACCEPT ALERT',
       'the log');

    post_event(eventType => 'RESOLVE', alertKey => 'never');
    ok(!$fake->alerts->{$KEY}{never}, 'RESOLVE of none shows nothing');

    $t->post('/events', event(integrationKey => 'il1api0456',
                              alertKey => $name));
    is($fake->alerts->{il1api0456}{$name}{opened}, 1, 'sources are separate');

    my $body = event() =~ s/"alertKey":"cpu",//r;
    $t->post('/events', $body) for 1 .. 2;
    is($fake->alerts->{$KEY}{''}{opened}, 2, 'no alertKey: always a new one');

    is_deeply([ $fake->errors ], [], 'no errors');
    is(scalar(() = $fake->events), 13, 'all were taken');
    is(($fake->events)[0]{alert_key}, " CPU:host=\x{c4} ", 'as received');
};

subtest 'native' => sub {
    $fake->reset;
    my $uri = "/v1/events/kapacitor/$NATIVE";
    my $body = webhook('01-levels-04-CRITICAL');

    is($t->post($uri, $body)->{status}, 202);
    my $alert = $fake->alerts->{$NATIVE}{'cpu:host=web01'};
    is($alert->{state}, 'open');
    is($alert->{summary}, 'cpu:host=web01 is CRITICAL');
    is($fake->request(0)->{body}, $body, 'byte for byte');
    is($fake->request(0)->{uri}, "/api$uri");
    is($fake->request(0)->{json}{level}, 'CRITICAL');

    $t->post($uri, webhook('01-levels-08-OK'));
    is($fake->alerts->{$NATIVE}{'cpu:host=web01'}{state}, 'resolved');
    is($t->post($uri, '{"id":"\ud800","level":"INFO","id":"x"}')->{status},
       202, 'what JSON readers take');
};

subtest 'records' => sub {
    $fake->reset;
    $t->post('/kept', event(alertKey => $_),
             headers => [ 'X-A' => 1, 'X-A' => 2 ]) for 'a', 'b';
    my @r = $fake->requests;

    is(@r, 2);
    is($r[0]{connection}, $r[1]{connection}, 'a kept connection');
    is($r[0]{http}, '1.1');
    is($r[0]{method}, 'POST');
    is($r[0]{header}{'x-a'}, '1, 2', 'header');
    is(scalar(grep { $_->[0] eq 'X-A' } @{$r[0]{headers}}), 2, 'headers');
    ok(abs($r[0]{time} - time()) < 30, 'time');
    is($r[1]{n}, 1);
    is("@$_{qw(type alert_key folded key status taken)}",
       'ALERT ' . join ' ', $_->{alert_key}, $_->{alert_key}, $KEY, 202, 1)
        for @r;

    my $big = event(details => 'x' x 300_000);
    $t->post('/events', $big) for 1 .. 3;
    is(($fake->requests)[4]{body}, $big, 'large bodies');
    is($fake->counts->{requests}, 5);

    $fake->reset;
    is(scalar(() = $fake->requests), 0, 'reset');
    {
        local $IlertWait::PATIENCE = 0.05;
        local *Test::More::diag = sub { };
        no warnings 'redefine';
        ok(!$fake->wait_requests(1), 'wait in vain');
    }
    post_event();
    ok($fake->wait_events(1, 1), 'wait');
};

subtest 'many' => sub {
    $fake->reset;
    my $begun = time();

    for my $round (1 .. 10) {
        my @h = map { $t->start_post('/kept', event(alertKey => "k$_")) }
                1 .. 50;
        my @bad = grep { $_->{status} != 202 } $t->finish(@h);
        is(scalar @bad, 0, "round $round");
        is(scalar(() = $fake->requests), $round * 50);
    }

    note(sprintf '500 requests in %.2f s', time() - $begun);
    is(keys %{$fake->alerts->{$KEY}}, 50);
};

subtest 'rules: statuses' => sub {
    $fake->reset;

    my $n = $fake->rule(match => qr/alertKey":"x/, times => 2, status => 503,
                        body => 'no', headers => [ 'Retry-After' => 7 ]);
    is(post_event(alertKey => 'y')->{status}, 202, 'does not match');
    my $r = post_event(alertKey => 'x');
    is($r->{status}, 503);
    is($r->{body}, 'no');
    is($r->{header}{'retry-after'}, 7);
    is(post_event(alertKey => 'x')->{status}, 503);
    is(post_event(alertKey => 'x')->{status}, 202, 'twice only');
    is((grep { $_->{number} == $n } $fake->rules)[0]{used}, 2);
    is($fake->counts->{events}, 2, 'refused ones are not taken');
    is($fake->request(1)->{rule}, $n);
    is($fake->request(1)->{status}, 503);

    $fake->clear_rules;
    $fake->rule(status => 500, take => 1, times => 1);
    is(post_event(alertKey => 'z')->{status}, 500);
    is($fake->alerts->{$KEY}{z}{state}, 'open', 'taken all the same');

    $fake->rule(status => 200, body => '{}', times => 1, take => 0);
    is(post_event(alertKey => 'n')->{status}, 200);
    ok(!$fake->alerts->{$KEY}{n}, 'answered, not taken');

    $fake->rule(status => 204, times => 1);
    is(post_event()->{status}, 204);

    my $drop = $fake->rule(status => 302, headers => [ Location => '/x' ]);
    is(post_event()->{header}{location}, '/x');
    $fake->drop_rule($drop);
    is(post_event()->{status}, 202, 'dropped');

    $fake->rule(status => 500);
    $t->post('/events', '{}');
    is(scalar(() = $fake->errors), 1, 'faults are seen under a rule, too');
};

subtest 'rules: broken answers' => sub {
    my $mark = $t->mark;

    for my $rule ([ reset => 'after' ], [ reset => 'before' ],
        [ reset => 'mid' ], [ close => 'after' ], [ close => 'before' ],
        [ close => 'mid' ], [ hang => 1 ], [ hang => 'before' ],
        [ raw => 'nonsense' ], [ raw => '' ])
    {
        $fake->reset;
        $fake->rule(@$rule);
        my $uri = $rule->[0] eq 'hang' ? '/hang/events' : '/events';
        # what is no answer has no end either
        my %timeout = $rule->[0] eq 'raw' ? (timeout => 3) : ();
        my $r = $t->post($uri, event(), %timeout);
        # what is no HTTP/1.x nginx passes on as HTTP/0.9
        my $status = $rule->[0] eq 'hang' ? 504
                   : $rule->[1] eq 'nonsense' ? 0 : 502;
        is($r->{status}, $status, "@$rule");
        is($fake->counts->{events}, 0, 'not taken');

        next if $rule->[1] eq 'before';
        is($fake->request(0)->{status}, 0, 'no answer');

        $fake->clear_rules;
        $fake->rule(@$rule, take => 1);
        $t->post($uri, event(), %timeout);
        is($fake->counts->{events}, 1, 'taken');
    }

    $fake->reset;
    $fake->rule(reset => 'accept', times => 1);
    is(post_event()->{status}, 502, 'reset accept');
    is(post_event()->{status}, 202, 'once');

    for my $how ('reset', 'close') {
        $fake->reset;
        $fake->rule($how => 'midbody');
        my $r = post_event();
        is($r->{status}, 202, "$how midbody: the head comes");
        ok(!$r->{whole}, 'the body does not');
        is($fake->counts->{events}, 1, 'taken');
    }

    $fake->reset;
    $fake->rule(close => 1);
    is(post_event()->{status}, 202, 'close after the answer');

    $fake->reset;
    $fake->rule(delay => 0.3);
    my $r = post_event();
    is($r->{status}, 202, 'delay');
    cmp_ok($r->{time}, '>=', 0.3);

    $fake->reset;
    $fake->rule(huge => 3_000_000, status => 500);
    is(length post_event()->{body}, 3_000_000, 'huge');

    $fake->reset;
    $fake->rule(endless => 1);
    $r = $t->post('/events', event(), timeout => 3);
    is($r->{status}, 202, 'endless');
    ok($r->{timeout}, 'has no end');
    cmp_ok(length $r->{body}, '>', 100_000, 'and is large');

    $fake->reset;
    $fake->rule(drip => 0.002);
    $r = post_event();
    is($r->{status}, 202, 'drip');
    cmp_ok($r->{time}, '>', 0.1);
    ok(wait_until(sub { $fake->counts->{inflight} == 0 }, 5), 'none in work');
    ok(wait_until(sub { $fake->counts->{open} <= 4 }, 5),
       'connections are closed');
};

subtest 'parallel' => sub {
    $fake->reset;
    $fake->rule(delay => 2);
    my @h = map { $t->start_post('/events', event(alertKey => $_)) }
            qw(a A b);
    ok(wait_until(sub { $t->poll(0.01); $fake->counts->{inflight} == 3 }),
       'in work');
    is(join(' ', map { $_->{status} } $t->finish(@h)), '202 202 202');
    my @r = $fake->requests;
    is(join(' ', sort map { $_->{parallel} } @r), '1 1 2', 'of one key');
    is(join(' ', map { $_->{inflight} } @r), '1 2 3', 'of all');
};

subtest 'refuse and accept' => sub {
    $fake->reset;
    $fake->refuse(all => 1);
    is(post_event()->{status}, 502, 'refused');
    ok($t->grep_log(qr/Connection refused/), 'by the kernel');
    $fake->accept;
    is(post_event()->{status}, 202, 'again');
};

subtest 'rate' => sub {
    my $limited = IlertFake->start(keys => { a1 => 'api', b1 => 'api' },
                                   rate => { a1 => 2 }, rate_total => 3,
                                   window => 3600, phase => time());
    my $post = sub {
        my ($key) = @_;
        return $t->post('/api/events', event(integrationKey => $key),
                        port => $limited->port);
    };
    is(join(' ', map { $post->($_)->{status} } qw(a1 a1 a1 b1 b1)),
       '202 202 429 202 429', 'limits');
    my $r = $post->('a1');
    is($r->{json}{code}, 'TOO_MANY_REQUESTS');
    ok(!$r->{header}{'retry-after'}, 'no Retry-After');
    $limited->limit(window => 0.5);
    is($post->('a1')->{status}, 202, 'another window');
    ok(wait_until(sub { $post->('a1')->{status} == 429 }), 'has its limit');
    ok(wait_until(sub { $post->('a1')->{status} == 202 }), 'and its end');
    is(scalar(() = $limited->errors), 0);
    $limited->stop;
    is($post->('a1')->{status}, 0, 'stopped');
};

subtest 'limits' => sub {
    my $limited = IlertFake->start(keys => { a1 => 'api', b1 => 'api' },
                                   rate => 4, foreign => { a1 => 3 },
                                   retry_after => 7, window => 3600,
                                   phase => time());
    my $post = sub {
        my ($key) = @_;
        return $t->post('/api/events', event(integrationKey => $key),
                        port => $limited->port);
    };
    is(join(' ', map { $post->($_)->{status} } qw(a1 a1 b1 b1 b1 b1 b1)),
       '202 429 202 202 202 202 429', 'a foreign sender');
    is($post->('a1')->{header}{'retry-after'}, 7, 'Retry-After');

    my @limited = map { $_->{limited} ? 1 : 0 } $limited->requests;
    is("@limited", '0 1 0 0 0 0 1 1', 'records');
    my %counts = %{$limited->counts};
    is($counts{limited}, 3, 'counts');
    is($counts{foreign}, 3);

    $limited->limit(rate => { b1 => 1 }, foreign => undef, window => 0.2,
                    retry_after => undef);
    is(join(' ', map { $post->('a1')->{status} } 1 .. 6),
       '202 202 202 202 202 202', 'other limits');

    my $r;
    my $taken = sub { grep { $_->{taken} && $_->{key} eq 'b1' }
                      $limited->requests };
    my $before = $taken->();
    $limited->limit(window => 0.2, phase => 0);
    ok(wait_until(sub { $r = $post->('b1'); $taken->() >= $before + 5 }),
       'windows');
    my %windows = map { $_->{window} => 1 }
                      ($taken->())[$before .. $before + 4];
    is(scalar keys %windows, 5, 'one in each');
    ok(!defined $r->{header}{'retry-after'});
    $limited->stop;
};

# What is shown of an alert, and what nobody will end

subtest 'levels and phantoms' => sub {
    $fake->reset;
    my $told = sub {
        my ($type, $n, $level) = @_;
        $t->post('/api/events', event(
            eventType => $type, alertKey => 'p', customDetails => {
                level => $level, time => "2026-03-01T00:00:0${n}Z" }));
        my $alert = $fake->alerts->{$KEY}{p};
        return join ' ', map { $_ // '-' }
                         @{$alert || {}}{qw(state level opened phantoms)};
    };

    is($told->('ALERT', 1, 'WARNING'), 'open WARNING 1 0');
    is($told->('ALERT', 2, 'CRITICAL'), 'open CRITICAL 1 0');
    is($told->('RESOLVE', 4, 'OK'), 'resolved CRITICAL 1 0');
    is($told->('RESOLVE', 3, 'OK'), 'resolved CRITICAL 1 0');
    is($told->('ALERT', 5, 'INFO'), 'open INFO 2 0');
    is($told->('RESOLVE', 6, 'OK'), 'resolved INFO 2 0');
    is($told->('ALERT', 5, 'CRITICAL'), 'open CRITICAL 3 1', 'a phantom');
    is($fake->counts->{phantoms}, 1);

    my $native = sub {
        my ($level, $n) = @_;
        $t->post("/api/v1/events/kapacitor/$NATIVE",
            qq({"id":"p","level":"$level","time":"2026-03-01T00:00:0${n}Z"}));
    };

    $native->('OK', 3);
    $native->('CRITICAL', 2);
    is($fake->alerts->{$NATIVE}{p}{phantoms}, 1,
       'though it was never shown');
};

subtest 'client' => sub {
    $fake->reset;
    my $body = event();
    my $status = sub { $t->post('/events', $body, @_)->{status} };

    is($status->(pieces => 7), 202, 'pieces');
    is($status->(pieces => 1), 202, 'single bytes');
    is($status->(pieces => 50, pause => 0.01), 202, 'with pauses');
    is($status->(chunked => 10), 202, 'chunked');
    is($status->(chunked => 1), 202, 'chunks of one byte');
    is($status->(http => '1.0'), 202, 'HTTP/1.0');
    is($fake->request($_)->{body}, $body, "body $_") for 0 .. 5;
    is($t->get('/small', half_close => 1)->{status}, 200, 'half-closed');

    is($status->(no_length => 1), 411, 'no Content-Length');
    is($status->(headers => [ 'Content-Length' => 'x' ]), 400, 'bad header');
    is($status->(raw => "GET / HTTP/1.1\r\n\r\n"), 400, 'raw');
    is($status->(length => 1000, timeout => 0.2), 0, 'too long a length');
    is($status->(abort => 100), 0, 'abort');

    my $hold = $fake->rule(hold => 1);
    is($status->(abort => -1), 0, 'abort after the request');
    ok(wait_until(sub { $t->access_log =~ / 499 / }, 5), 'nginx noticed');
    is($status->(abort => -1, abort_reset => 1), 0, 'by RST');
    $fake->drop_rule($hold);

    my $r = $t->head('/pings/il1hbt0789');
    is($r->{status}, 202, 'HEAD');
    $r = $t->post('/small', 'x' x 5_000_000);
    is($r->{status}, 413, 'an answer before the body is sent');
    ok($r->{closed}, 'and closed');

    $r = $t->get('/pings/il1hbt0789', headers => [ Connection => 'close' ]);
    ok($r->{closed}, 'closed');
    ok(!$t->get('/pings/il1hbt0789')->{closed}, 'not closed');

    my $c = $t->connection;
    is($t->post('/events', $body, connection => $c)->{status}, 202,
       'kept connection') for 1 .. 3;
    $c->close;
    is($t->post('/events', $body, connection => $c)->{error}, 'closed');
};

subtest 'TLS' => sub {
    plan skip_all => 'no IO::Socket::SSL' unless IlertFake::have_tls();

    my $good = IlertFake::certificates($t->dir, name => 'good');
    my $other = IlertFake::certificates($t->dir, name => 'other',
                                        hosts => [ 'other.test' ]);
    my $old = IlertFake::certificates($t->dir, name => 'old', days => -1);
    my $self = IlertFake::certificates($t->dir, name => 'self', self => 1);

    for (
        [ 'good' => $good, 202 ], [ 'of another name' => $other, 502 ],
        [ 'expired' => $old, 502 ], [ 'signed by itself' => $self, 502 ],
    ) {
        my ($name, $files, $status) = @$_;
        my $tls = IlertFake->start(keys => { $KEY => 'api' }, tls => $files);
        like($tls->url, qr/^https:/);

        my $n = IlertTest->new(module => 0, fake => $tls, workers => 1,
            conf => <<"CONF")->start;
            server {
                listen 127.0.0.1:%%PORT_0%%;
                proxy_ssl_verify on;
                proxy_ssl_trusted_certificate $good->{ca_file};
                proxy_ssl_server_name on;
                proxy_ssl_name api.ilert.test;
                location / { proxy_pass https://%%FAKE%%/; }
            }
CONF
        is($n->post('/events', event(details => 'x' x 100_000))->{status},
           $status, $name);
        is($tls->counts->{requests}, $status == 202 ? 1 : 0, 'requests');
        next if $status != 202;

        is($tls->request(0)->{sni}, 'api.ilert.test', 'server name');
        $tls->rule(reset => 'mid', times => 1);
        is($n->post('/events', event())->{status}, 502, 'RST');
        $tls->rule(huge => 1_000_000, times => 1);
        is(length $n->post('/events', event())->{body}, 1_000_000, 'huge');

        my $r = $t->post('/events', event(), port => $tls->port, tls => 1);
        is($r->{status}, 202, 'the client speaks it, too');
    }
};

subtest 'name server' => sub {
    my $dns = IlertDNS->start(names => { 'api.ilert.test' => '127.0.0.1' });
    my $address = $dns->address;

    my $n = IlertTest->new(module => 0, fake => $fake, workers => 1,
        conf => <<"CONF")->start;
        server {
            listen 127.0.0.1:%%PORT_0%%;
            resolver $address ipv6=off;
            resolver_timeout 1s;
            set \$host_name api.ilert.test;
            location / {
                proxy_connect_timeout 1s;
                proxy_pass http://\$host_name:${\$fake->port}/api/events;
            }
        }
CONF
    $fake->reset;
    is($n->post('/', event())->{status}, 202, 'resolved');
    is(($dns->queries)[0]{name}, 'api.ilert.test');
    is(($dns->queries)[0]{type}, 'A');
    is($fake->request(0)->{header}{host}, 'api.ilert.test:' . $fake->port);

    # what nginx has cached is over after the TTL
    $dns->set('api.ilert.test', '127.0.0.2');
    ok(wait_until(sub { $n->post('/', event())->{status} == 502 }, 8),
       'another address');
    my $second = IlertFake->start(keys => { $KEY => 'api' },
                                  address => '127.0.0.2',
                                  port => $fake->port);
    is($n->post('/', event())->{status}, 202, 'is in use');
    is($second->counts->{events}, 1);

    for my $mode (qw(silent servfail down)) {
        $dns->mode($mode);
        ok(wait_until(sub { $n->post('/', event())->{status} == 502 }, 8),
           $mode);
    }

    $dns->mode('answer');
    ok(wait_until(sub { $n->post('/', event())->{status} == 202 }, 8),
       'back');
    $dns->set('api.ilert.test');
    ok(wait_until(sub { $n->post('/', event())->{status} == 502 }, 8),
       'no such name');
    ok($n->grep_log(qr/Host not found/), 'says nginx');
};

subtest 'life of an nginx' => sub {
    my $n = IlertTest->new(module => 0, workers => 2, conf => <<'CONF');
        server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 one; } }
CONF
    ok(!-e $n->path('nginx.pid'), 'not started');
    $n->start;
    is(scalar(() = $n->workers), 2, 'two workers');
    is($n->get('/')->{body}, 'one');

    my @before = $n->workers;
    $n->set_conf(<<'CONF');
        server { listen 127.0.0.1:%%PORT_0%%; location / { return 200 two; } }
CONF
    $n->reload;
    isnt("@{[$n->workers]}", "@before", 'new workers');
    is($n->get('/')->{body}, 'two', 'the new configuration') for 1 .. 5;

    $n->set_conf('nonsense;');
    like(($n->reload(fail => 1))[0], qr/unknown directive "nonsense"/);
    is($n->get('/')->{body}, 'two', 'still the old one');
    $n->expect_log(qr/unknown directive "nonsense"/);
    ok(!eval { $n->reload; 1 }, 'reload dies');
    like($@, qr/nonsense/);

    my $pid = $n->kill_worker;
    ok(!grep({ $_ == $pid } $n->workers), 'a successor');
    is_deeply([ $n->check ], [], 'no fault, all was expected');

    my $mark = $n->mark;
    $n->stop;
    ok(!$n->running, 'stopped');
    like($n->log_since($mark), qr/gracefully shutting down/);

    $n->set_conf('server { listen 127.0.0.1:%%PORT_0%%; }');
    $n->start;
    $n->crash;
    ok(!$n->running, 'crashed');
    is_deeply([ $n->check ], [], 'as was asked for');

    my $full = IlertTest->new(module => 0, full => 1,
        replace => { '/etc/x.html' => '%%DIR%%/x.html', 8080 => '%%PORT_0%%' },
        files => { 'x.html' => 'a file' }, conf => <<'CONF')->start;
worker_processes 1;    # pid here;
load_module modules/ngx_http_ilert_module.so;
events { }
http {
    server {
        listen 127.0.0.1:8080;
        location = /x { alias /etc/x.html; }
    }
}
CONF
    is($full->get('/x')->{body}, 'a file', 'a whole file');
    is(scalar(() = $full->workers), 1, 'what it says holds');
    like($full->access_log, qr{GET /x HTTP/1.1" 200}, 'what it lacks, too');

    ok(!eval { IlertTest->new(module => 0, full => 1, conf => '',
                              replace => { a => 'b' })->start }, 'replace');
    like($@, qr/"a" does not occur/);

    my @ports = map { IlertFake::free_port() } 1 .. 20;
    is(keys %{{ map { $_ => 1 } @ports }}, 20, 'ports differ');
    ok(!grep({ $_ < 10000 } @ports), 'and are high');
};

subtest 'nginx -t' => sub {
    my ($code, $text) = nginx_t('server { listen 127.0.0.1:%%PORT_0%%; }',
                                module => 0);
    is($code, 0, 'good');
    like($text, qr/test is successful/);

    ($code, $text) = nginx_t("\n\nnonsense;", module => 0);
    is($code, 1, 'bad');
    like($text, qr/^nginx: \[emerg\] unknown directive "nonsense" in \S+:\d+/);

    my $n = IlertTest->new(module => 0, secrets => [ 'il1api5555' ],
                           conf => '');
    $n->test_conf('il1api5555;');
    is(join(' ', map { $_->[0] } $n->check), 'leak', 'a key in the output');
    @{$n->{faults}} = ();

    ($code, $text) = $t->test_conf('server { listen 127.0.0.1:%%PORT_0%%; }');
    is($code, 0, 'beside a running one');
    is(post_event()->{status}, 202, 'which goes on');
};

subtest 'another user' => sub {
    plan skip_all => 'not root' if $> != 0;

    my $n = IlertTest->new(module => 0, fake => $fake, user => 'nobody',
        conf => 'server { listen 127.0.0.1:%%PORT_0%%;
                 location / { proxy_pass http://%%FAKE%%/; } }')->start;
    my ($pid) = $n->workers;
    my @stat = stat "/proc/$pid";
    is($stat[4], scalar getpwnam('nobody'), 'a worker of nobody');

    $fake->reset;
    is($n->post('/events', event())->{status}, 202, 'serves');
};

# An nginx that has the fault of a log, and what check says of it.

sub faults {
    my ($lines, %opt) = @_;

    my $n = IlertTest->new(module => 0, conf => '');
    $n->secret('il1api5555');
    $n->expect_log($opt{expect}) if $opt{expect};
    $n->write_file($opt{file} || 'error.log', $lines);
    my $faults = join ' ', map { $_->[0] } $n->check;
    $n->write_file($opt{file} || 'error.log', '');
    return $faults;
}

subtest 'faults in logs' => sub {
    my $p = '2026/11/22 19:25:01';

    is(faults("$p [alert] 1#1: http request count is zero\n"), 'log');
    is(faults("$p [emerg] 1#1: bind() failed\n"), 'log');
    is(faults("$p [crit] 1#1: x\n$p [error] 1#1: y\n"), '');
    is(faults("$p [notice] 1#1: worker process 5 exited with code 0\n"), '');
    is(faults("$p [notice] 1#1: worker process 5 exited with code 1\n"),
       'process');
    is(faults("$p [alert] 1#1: worker process 5 exited on signal 11\n"),
       'process');
    is(faults("$p [alert] 1#1: worker process 5 exited with fatal code 2 and"
              . " cannot be respawned\n"), 'process');
    is(faults("==5==ERROR: AddressSanitizer: heap-use-after-free\n"),
       'sanitizer');
    is(faults("src/x.c:5:3: runtime error: left shift\n",
              file => 'stderr.log'), 'sanitizer');
    is(faults("$p [alert] 1#1: one\n$p [alert] 1#1: two\n",
              expect => qr/one/), 'log', 'expected ones are none');
    is(faults("$p [error] 1#1: upstream: \"http://x/il1api5555\"\n"), 'leak');
    is(faults("$p [debug] 1#1: il1api5555\n"), '', 'but in debug lines');
    is(faults("GET /il1api5555\n", file => 'access.log'), 'leak');
    is(faults("x il1api5555\n", file => 'logs/other.log'), 'leak');

    is_deeply([ IlertTest::bad_log_lines("a\nb [alert] c\nd", qr/x/) ],
              [ 'b [alert] c' ], 'bad_log_lines');
};

# A test script of its own: exit status and output.

# One that has ended, and that nobody has waited for, does not run.

sub running {
    my ($pid) = @_;
    my $stat = IlertTest::slurp("/proc/$pid/stat") // '';

    return $stat =~ /\) [^ZX] /;
}

sub script {
    my ($text, $sub) = @_;

    my $lib = "$FindBin::Bin/lib";
    my $path = $t->write_file('script.t', <<"SCRIPT");
use warnings; use strict; use lib '$lib';
use Test::More; use IlertTest; use IlertFake; use IlertDNS;
\$| = 1;
my \$fake = IlertFake->start(keys => { il1api7777 => 'api' });
my \$dns = IlertDNS->start;
my \$t = IlertTest->new(module => 0, fake => \$fake, conf => <<'CONF')->start;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location / { return 200 \$arg_x; }
    }
CONF
print '# ', join(' ', \$\$, \$t->dir, \$fake->pid, \$dns->pid, \$t->master,
                 \$t->workers), "\n";
$text
SCRIPT

    # In a group of its own, as a terminal's foreground job; a shell without
    # job control starts its background jobs with SIGINT ignored.
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    if ($pid == 0) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        open STDERR, '>&', \*STDOUT;
        exec $^X, $path or die;
    }

    my $first = <$out>;
    my (undef, undef, $dir, @pids) = split ' ', $first;
    $sub->($pid) if $sub;
    my @rest = <$out>;
    close $out;
    my $status = $?;

    my @left;
    my $gone = wait_until(sub {
        @left = grep { running($_) } @pids;
        return !@left;
    }, 10, 'the end of all processes');
    ok($gone, 'no process is left')
        or diag(map { IlertTest::slurp("/proc/$_/stat") } @left);
    File::Path::remove_tree($dir);
    return ($status, join('', @rest), $dir);
}

subtest 'the end of a test' => sub {
    my ($status, $text) = script(q{ ok(1); done(); });
    is($status, 0, 'good');
    like($text, qr/^ok 5 - no key/m);
    like($text, qr/^1\.\.5$/m);

    ($status, $text) = script(q{ ok(1); done_testing(); });
    is($status, 0, 'good without done');

    ($status, $text) = script(q{ ok(1); die "oh\n"; });
    isnt($status, 0, 'die');
    like($text, qr/^oh$/m);

    ($status, $text) = script(q{ sleep 20; }, sub { kill 'INT', -$_[0] });
    isnt($status, 0, 'Ctrl-C');

    ($status, $text) = script(q{ sleep 20; }, sub { kill 'TERM', $_[0] });
    isnt($status, 0, 'TERM');

    ($status, $text) = script(q{ sleep 20; }, sub { kill 'KILL', $_[0] });
    isnt($status, 0, 'KILL');

    my $alert = q{
        open my $log, '>>', $t->path('error.log');
        print $log "2026 [alert] 1#1: x\n";
        close $log;
        ok(1);
    };
    ($status, $text) = script("$alert done();");
    isnt($status, 0, 'an [alert] fails the test');
    like($text, qr/^not ok 2 - no \[alert\]/m);
    ($status, $text) = script("$alert done_testing();");
    isnt($status, 0, 'also without done');

    ($status, $text) = script(q{
        kill 'KILL', ($t->workers)[0];
        $t->wait_log(qr/exited on signal/);
        done();
    });
    isnt($status, 0, 'a dead worker fails the test');
    like($text, qr/^not ok 3 - no process died/m);

    ($status, $text) = script(q{
        kill 'KILL', $t->master;
        $IlertWait::PATIENCE = 2;
        done();
    });
    isnt($status, 0, 'a dead master fails the test');
    like($text, qr/nginx ended on signal 9/);

    ($status, $text) = script(q{
        if (fork() == 0) {
            chdir $t->dir;
            close STDOUT; close STDERR;
            exec 'sleep', 20;
        }
        sleep 1;
        $IlertWait::PATIENCE = 2;
        done();
    });
    isnt($status, 0, 'a left-over process fails the test');
    like($text, qr/left over: \d+ sleep 20/);

    ($status, $text) = script(q{
        is($t->get('/?x=il1api7777')->{body}, 'il1api7777');
        done();
    });
    isnt($status, 0, 'a key fails the test');
    like($text, qr/^not ok 5 - no key/m);
    like($text, qr/access\.log: .*il1api7777/);
    like($text, qr/answer to/);
};

# What a test that fails says

subtest 'failures' => sub {
    my ($status, $text) = script(q{
        $IlertWait::PATIENCE = 0.1;
        ok($fake->wait_requests(3), 'three');
        ok(0, 'again');
        done();
    });

    isnt($status, 0, 'a wait in vain');
    like($text, qr/^# waited 0\.1 s in vain for 3 requests at ilert, not 0, /m,
         'says for what');
    like($text, qr{^# the end of \S+/error\.log:\n(?:# .*\n)*
                   #\ .*\ start\ worker\ process\ \d+\n}mx,
         'with the end of the log');
    is(scalar(() = $text =~ /the end of/g), 1, 'once');
};

subtest 'held answers' => sub {
    $fake->reset;
    my $held = $fake->rule(match => qr/held/, hold => 1);
    my $lost = $fake->rule(match => qr/lost/, hold => 1, reset => 'after',
                           take => 1);
    my @h = map { $t->start_post('/events', event(alertKey => $_)) }
            qw(held lost);
    ok(wait_until(sub { $t->poll(0.01); $fake->counts->{inflight} == 2 }),
       'in work');
    is(post_event()->{status}, 202, 'others are answered');
    $fake->drop_rule($held);
    is(($t->finish($h[0]))[0]{status}, 202, 'when the rule is dropped');
    is($fake->counts->{inflight}, 1, 'the other one is still in work');
    $fake->clear_rules;
    is(($t->finish($h[1]))[0]{status}, 502, 'and has its end');
    is($fake->counts->{events}, 3, 'all are taken');
};

subtest 'processes' => sub {
    my ($pid) = $t->workers;
    cmp_ok(IlertTest::process_rss($pid), '>', 100_000, 'rss');
    cmp_ok(IlertTest::process_cpu($pid), '>=', 0, 'cpu');
    cmp_ok(IlertTest::process_cpu($$), '>', 0, 'own cpu');
};

# Which subtests of a script run is up to TEST_ONLY.

subtest 'TEST_ONLY' => sub {
    my $path = $t->write_file('only.t', <<'SCRIPT');
use Test::More;
use IlertTest;
subtest 'one' => sub { subtest 'nested' => sub { ok(1) } };
subtest 'two' => sub { ok(0) };
done_testing();
SCRIPT

    my $run = sub {
        local $ENV{TEST_ONLY} = $_[0];
        my $text = `'$^X' -It/lib '$path' 2>/dev/null`;
        return ($? >> 8, $text);
    };

    my ($code, $text) = $run->('^one$');
    is($code, 0, 'what does not match is skipped');
    like($text, qr/^ok 1 - one$/m, 'what matches runs');
    like($text, qr/^    ok 1 - nested$/m, 'with what is in it');
    like($text, qr/^ok 2 # skip two: /m, 'the other is named');

    is(($run->('two'))[0], 1, 'one that fails');
    is(($run->(''))[0], 1, 'an empty pattern is none');
};

done();
