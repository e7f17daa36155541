#!/usr/bin/perl

# Relaying: what ilert is sent, what Kapacitor is answered for each answer of
# ilert's, what the logs say.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertTest;

my $KEY = 'il1api5ec4e7a01';
my $OTHER = 'il1api5ec4e7a02';
my $KAP = 'il1kap5ec4e7b01';

my $fake = IlertFake->start(keys => { $KEY => 'api', $OTHER => 'api',
                                      $KAP => 'kapacitor' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    log_format ilert escape=json '"\$request" \$status \$body_bytes_sent '
        '"\$ilert_result" "\$ilert_source" "\$ilert_event_id" '
        '"\$ilert_event_type" "\$ilert_alert_key"';
    access_log %%DIR%%/access.log ilert;
    log_subrequest on;

    ilert_source ops { integration_key $KEY; }
    ilert_source other { integration_key $OTHER; endpoint other; }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }
    ilert_source set { integration_key $KEY; endpoint set; }
    ilert_source plain { integration_key $KEY; endpoint plain; }

    proxy_http_version 1.1;
    proxy_set_header Connection close;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /kapacitor { ilert_kapacitor ops; }
        location = /other { ilert_kapacitor other; }
        location = /native { ilert_kapacitor native; }
        location = /set { ilert_kapacitor set; }
        location = /plain { ilert_kapacitor plain; }
        location = /off { ilert_kapacitor off; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        server_name endpoint.test;

        %%ENDPOINT%%

        # without a variable: the URI below the location goes there

        location /other/ {
            internal;
            ilert_endpoint other;
            proxy_pass http://%%FAKE%%/deep/er/;
        }

        # The endpoint passes the URI as it is.

        location /plain/ {
            internal;
            ilert_endpoint plain;
            proxy_pass http://%%FAKE%%;
        }

        location /set/ {
            internal;
            ilert_endpoint set;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
            proxy_set_header Host api.ilert.com;
            proxy_set_header User-Agent mine/1;
            proxy_set_header Authorization "Bearer x";
            proxy_set_header X-Host \$host;
            proxy_set_header X-Addr \$remote_addr;
            proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
            proxy_set_header X-Length \$content_length;
            proxy_set_header X-Type \$content_type;
            proxy_set_header X-Agent \$http_user_agent;
            proxy_set_header X-Cookie \$http_cookie;
            proxy_set_header X-Request "\$request_method \$uri";
            proxy_set_header Connection close;
        }
    }
CONF

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $OK = webhook('01-levels-08-OK');

my @CLIENT = (
    Host => 'client.test', Authorization => 'Basic a2FwOnNlY3JldA==',
    Cookie => 'session=1', 'User-Agent' => 'Kapacitor/9',
    'Content-Type' => 'text/plain', 'X-Forwarded-For' => '192.0.2.1',
    'X-Real-IP' => '192.0.2.2', 'X-Team' => 'blue', Accept => '*/*',
    'Accept-Encoding' => 'gzip', Range => 'bytes=0-1',
    'If-None-Match' => '"x"', Expect => '', Referer => 'http://x/',
    'Proxy-Authorization' => 'Basic x', Via => '1.1 x', 'Keep-Alive' => 5,
    'Content-Encoding' => 'identity', Upgrade => 'x', TE => 'trailers',
);

my ($VERSION) = IlertTest::slurp(IlertTest::top()
    . '/ngx_http_ilert_module/core/ngx_http_ilert_conf.h')
    =~ /NGX_HTTP_ILERT_VERSION\s+"([^"]+)"/;


# name: value, of a request that the fake got, but for its length

sub head {
    my ($request) = @_;

    my @lines = map { "$_->[0]: $_->[1]" } @{$request->{headers}};
    my $length = length $request->{body};

    is(scalar(grep { $_ eq "Content-Length: $length" } @lines), 1,
       'one right Content-Length');

    return [ sort grep { !/^Content-Length: $length$/ } @lines ];
}

subtest 'what is sent' => sub {
    my @base = ('Connection: close', 'Content-Type: application/json',
                "User-Agent: ngx_http_ilert_module/$VERSION");
    my $host = 'Host: ' . $fake->address;

    my %uri = ('/kapacitor' => '/api/events', '/other' => '/deep/er/events',
               '/native' => "/api/v1/events/kapacitor/$KAP",
               '/plain' => '/plain/events');

    for my $uri (sort keys %uri) {
        for my $headers ([], \@CLIENT) {
            $fake->reset;
            my $r = $t->post($uri, $CRITICAL, headers => $headers);
            is($r->{status}, 202, $uri . (@$headers ? ' many headers' : ''));

            is($fake->counts->{requests}, 1, 'one request');
            my $request = $fake->request(0);
            is("@$request{qw(method uri http)}", "POST $uri{$uri} 1.1",
               'its line');
            is_deeply(head($request), [ sort $host, @base ], 'its header');
            is_deeply([ $fake->errors ], [], 'no fault');

            next if $uri eq '/native';
            my $key = $uri eq '/other' ? $OTHER : $KEY;
            like($request->{body},
                 qr/^\{"integrationKey":"$key","eventType":"ALERT",/,
                 'the key comes first');
        }
    }
};

subtest 'proxy_set_header' => sub {
    for my $headers ([], \@CLIENT) {
        $fake->reset;
        my $r = $t->post('/set', $CRITICAL, headers => $headers);
        is($r->{status}, 202);

        my $request = $fake->request(0);
        my $length = length $request->{body};
        is_deeply(head($request), [ sort
            'Host: api.ilert.com', 'User-Agent: mine/1', 'Connection: close',
            'Authorization: Bearer x', 'X-Addr: 127.0.0.1',
            'X-Forwarded-For: 127.0.0.1', 'X-Type: application/json',
            "X-Agent: ngx_http_ilert_module/$VERSION",
            'X-Request: POST /set/events', 'Content-Type: application/json',
            "X-Length: $length", 'X-Host: api.ilert.com' ],
            'what the location sets is sent once, nothing of the client\'s');
    }
};

sub answer {
    my ($r, $status, $expected) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($r->{status}, $status, 'status');
    is($r->{header}{'content-type'}, 'application/json', 'Content-Type');
    is($r->{header}{connection}, 'close', 'Connection');
    is($r->{header}{'content-length'}, length $r->{body}, 'Content-Length');
    ok($r->{closed}, 'closed');
    unlike($r->{body}, qr/\n./, 'one line');

    my %json = %{$r->{json} || {}};
    if (($json{status} || '') ne 'rejected' && !exists $expected->{event}) {
        like(delete $json{event}, qr/^[1-9]\d{0,18}$/, 'event id');
    }

    is_deeply(\%json, $expected, 'body') or diag $r->{body};
}

subtest 'verdicts' => sub {
    my %code = (202 => [ 200 .. 206, 226, 299 ], 503 => [ 429 ],
                502 => [ 300 .. 305, 307, 308, 400 .. 418, 421 .. 426, 428,
                         431, 451, 444, 494, 499, 500 .. 508, 510, 511, 520,
                         599, 600, 999 ]);

    for my $code (sort keys %code) {
        for my $status (@{$code{$code}}) {
            $fake->reset;
            $fake->rule(status => $status, $status =~ /^3/
                ? (headers => [ Location => $fake->url . '/api/events' ])
                : ());

            my $r = $t->post('/kapacitor', $CRITICAL);
            is($r->{status}, $code, "$status: $code");
            is($fake->counts->{requests}, 1, 'one request');

            is_deeply($r->{json}, { status => 'rejected',
                                    error => "ilert answered $status" })
                if $code != 202;
        }
    }
};

subtest 'answers' => sub {
    $fake->reset;
    answer($t->post('/kapacitor', $CRITICAL), 202, { status => 'accepted' });
    answer($t->post('/native', $CRITICAL), 202, { status => 'accepted' });
    answer($t->post('/off', $CRITICAL), 202, { status => 'ignored' });
    answer($t->post('/kapacitor', webhook('37-service-test-01-OK')), 202,
           { status => 'test' });
    is($fake->counts->{requests}, 2, 'two of them were sent');

    answer($t->post('/kapacitor', '{}'), 400,
           { status => 'rejected', error => 'level: missing' });

    my %event = map { $t->post('/kapacitor', $CRITICAL)->{json}{event} => 1 }
                1 .. 20;
    is(keys %event, 20, 'ids are different');

    for (
        [ 429, 503, '' ], [ 400, 502, '' ], [ 500, 502, 'text' ],
        [ 401, 502, '{"status":401,"message":"who is it?","code":"NO"}' ],
    ) {
        my ($status, $code, $body) = @$_;
        $fake->reset;
        $fake->rule(status => $status, body => $body);
        my $reason = $body eq '' ? '' : $body eq 'text' ? ': text'
                     : ': who is it?';
        answer($t->post('/kapacitor', $CRITICAL), $code,
            { status => 'rejected',
              error => "ilert answered $status$reason" });
    }

    # A connection that the client would keep is closed.

    $fake->reset;
    answer($t->post('/kapacitor', $CRITICAL,
                    headers => [ Connection => 'keep-alive' ]), 202,
           { status => 'accepted' });
    $fake->rule(status => 400);
    answer($t->post('/kapacitor', $CRITICAL,
                    headers => [ Connection => 'keep-alive' ]), 502,
           { status => 'rejected', error => 'ilert answered 400' });
};

subtest 'other methods' => sub {
    $fake->reset;
    my $expected = { status => 'rejected', error => 'method: expected POST' };

    for my $method (qw(GET PUT DELETE OPTIONS PATCH PROPFIND FOO)) {
        my @body = $method eq 'GET' ? () : (body => $CRITICAL);

        for my $uri ('/kapacitor', '/native', '/off') {
            my $r = $t->request($method, $uri, @body);
            answer($r, 405, $expected);
            is($r->{header}{allow}, 'POST', "Allow, $method");
        }
    }

    my $r = $t->head('/kapacitor');
    is($r->{status}, 405, 'HEAD');
    is($r->{header}{allow}, 'POST', 'Allow');
    is($r->{header}{'content-type'}, 'application/json', 'Content-Type');
    is($r->{header}{connection}, 'close', 'Connection');
    is($r->{body}, '', 'no body');

    $r = $t->request('PUT', '/kapacitor', body => $CRITICAL . ' ' x 3_000_000);
    answer($r, 405, $expected);
    $r = $t->request('PUT', '/kapacitor', body => $CRITICAL, chunked => 100);
    answer($r, 405, $expected);

    is($fake->counts->{requests}, 0, 'nothing was sent');
};

# The error of a 502 with ilert's answer being so.

sub error {
    my ($body, %rule) = @_;

    $fake->reset;
    $fake->rule(status => 400, body => $body, %rule);
    my $r = $t->post('/kapacitor', $CRITICAL);
    is($r->{status}, 502);
    return $r->{json}{error};
}

sub message { my ($text) = @_; return qq({"message":"$text"}) }

subtest 'reasons' => sub {
    my $none = 'ilert answered 400';

    my %error = (
        message('one two') => "$none: one two",
        '{"code":"X","message":"m","status":400}' => "$none: m",
        " \n" . message('white space') => "$none: white space",
        message('a \"b\" \\\\ c') => "$none: a \"b\" \\ c",
        message('first\nsecond') => "$none: first",
        message('first\r\nsecond') => "$none: first",
        message('tab\there') => "$none: tab?here",
        message('nul\u0000here') => qr/^$none: nul/,
        message('gr\u00f6\u00dfe') => qr/^$none: gr\?+e$/,
        message("gr\xc3\xb6\xc3\x9fe") => qr/^$none: gr\?+e$/,
        message("\xff\x1b[31m") => qr/^$none(?:: [ -~]*)?$/,
        message('') => qr/^$none(?:: )?$/,
        '{"message":5}' => $none, '{"message":null}' => $none,
        '{"message":{"a":1}}' => $none, '{"error":"x"}' => $none,
        '{' => $none, '{}' => $none, '[]' => qr/^$none/, '' => $none,
        '<html><body>no</body></html>' => $none,
        'just text' => "$none: just text",
        "line one\nline two" => "$none: line one",
        "line one\r\nline two" => "$none: line one",
        message('x' x 300) => qr/^$none: x{200,300}$/,
        'x' x 5000 => qr/^$none: x{200,300}$/,
        message('x' x 50_000) => qr/^$none(?:: x{200,300})?$/,
    );

    for my $body (sort keys %error) {
        my $what = substr($body, 0, 60) =~ s/[^ -~]/?/gr;
        my $got = error($body);
        ref $error{$body} ? like($got, $error{$body}, $what)
                          : is($got, $error{$body}, $what);
    }

    is(error(message('slow'), drip => 0.001), "$none: slow", 'byte by byte');
    is(error(message('chunks'), headers => [ 'X-A' => 'b' ]),
       "$none: chunks");
};

# ilert says the key: however it is cut, less than half of it may be seen.

subtest 'keys in reasons' => sub {
    my $half = substr $KEY, 0, 8;
    my $mark = $t->mark;

    for my $text ($KEY, "key $KEY is unknown", uc $KEY, "$KEY$KEY",
                  "il1api$KEY", "x$KEY,$KEY", map({ 'x' x $_ . $KEY }
                  230 .. 270))
    {
        my $got = error(message($text));
        unlike($got, qr/\Q$half\E/i, "JSON, $text");
    }

    for my $n (230 .. 270, 1000 .. 1040) {
        my $got = error('x' x $n . $KEY);
        unlike($got, qr/\Q$half\E/i, "text, after $n");
    }

    unlike(error(message($KEY =~ s/(.)/sprintf '\\u%04x', ord $1/ger)),
           qr/\Q$half\E/i, 'escaped');
    is(scalar(() = $t->grep_log(qr/\Q$half\E/i, $mark)), 0, 'nor in the log');
};

subtest 'correlation-id' => sub {
    $fake->reset;
    my $mark = $t->mark;

    my $id = $t->post('/kapacitor', $CRITICAL)->{json}{event};
    my $expected = $fake->request(0);
    my @lines = $t->grep_log(qr/correlation-id/, $mark);
    is(@lines, 1, 'one line');
    like($lines[0], qr/\[info\]\ .*ilert\ event\ $id\ delivered:
        \ source\ "ops",\ alert\ key\ "[^"]+",\ ALERT,\ attempt\ 1,
        \ age\ \d+\.\d{3}s,\ correlation-id\ "fake-\d+"$/x, 'at info');

    for (
        [ "CORRELATION-ID: a\tb\xff\r\n", 'a?b?', 'any case, cleaned' ],
        [ "X-A: b\r\nCorrelation-Id: $KEY x\r\n", '*' x 15 . ' x', 'masked' ],
        [ "Correlation-Id:\r\n", '', 'empty' ], [ '', '-', 'none' ],
        [ join('', map { "X-$_: x\r\n" } 1 .. 200) . "correlation-id: y\r\n",
          'y', 'behind many others' ],
    ) {
        my ($headers, $expected, $what) = @$_;

        for my $status (204, 503) {
            $fake->reset;
            $fake->rule(raw => "HTTP/1.1 $status x\r\n$headers"
                               . "Content-Length: 0\r\n\r\n");
            $mark = $t->mark;
            $t->post('/kapacitor', $CRITICAL);
            ($lines[0]) = $t->grep_log(qr/correlation-id/, $mark);
            like($lines[0],
                 $status == 204 ? qr/correlation-id "\Q$expected\E"$/
                 : qr/answered $status, correlation-id: "\Q$expected\E"/,
                 "$status, $what");
        }
    }
};

subtest 'access log' => sub {
    $fake->reset;
    my $before = $t->access_mark;

    my $one = $t->post('/kapacitor', $CRITICAL)->{json}{event};
    my $two = $t->post('/kapacitor', $OK)->{json}{event};
    my $three = $t->post('/native', $CRITICAL)->{json}{event};
    my $off = $t->post('/off', $CRITICAL)->{json}{event};
    my $test = $t->post('/kapacitor', webhook('37-service-test-01-OK'))
               ->{json}{event};
    $t->post('/kapacitor', '{}');
    $t->get('/kapacitor');
    $fake->rule(status => 500);
    $t->post('/kapacitor', $CRITICAL);
    $fake->clear_rules;
    $fake->rule(status => 429);
    $t->post('/kapacitor', $CRITICAL);

    wait_until(sub { 9 <= (() = substr($t->access_log, $before) =~ /\n/g) });
    my @lines = split /\n/, substr $t->access_log, $before;
    s/(\d{3}) \d+ /$1 / for @lines;

    my $key = 'cpu:host=web01';
    is(scalar @lines, 9, 'one line of each webhook');
    is($lines[0], '"POST /kapacitor HTTP/1.1" 202 "DELIVERED" "ops" '
       . "\"$one\" \"ALERT\" \"$key\"", 'ALERT');
    is($lines[1], '"POST /kapacitor HTTP/1.1" 202 "DELIVERED" "ops" '
       . "\"$two\" \"RESOLVE\" \"$key\"", 'RESOLVE');
    is($lines[2], '"POST /native HTTP/1.1" 202 "DELIVERED" "native" '
       . "\"$three\" \"ALERT\" \"$key\"", 'native');
    is($lines[3], '"POST /off HTTP/1.1" 202 "IGNORED" "" '
       . "\"$off\" \"ALERT\" \"$key\"", 'off');
    is($lines[4], '"POST /kapacitor HTTP/1.1" 202 "TEST" "" '
       . "\"$test\" \"\" \"\"", 'test');
    is($lines[5], '"POST /kapacitor HTTP/1.1" 400 "REJECTED" "" "" "" ""',
       'status 400');
    is($lines[6], '"GET /kapacitor HTTP/1.1" 405 "REJECTED" "" "" "" ""',
       'status 405');

    for ([ 7, 502 ], [ 8, 503 ]) {
        my ($n, $status) = @$_;
        my $begin = "\"POST /kapacitor HTTP/1.1\" $status \"UNAVAILABLE\"";
        like($lines[$n], qr/^\Q$begin\E "ops" "\d+" "ALERT" "$key"$/,
             "status $status");
    }
};

# One line when a source gets into trouble, one when it is out of it, of each
# source.

subtest 'faults of a source' => sub {
    my $f = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF");
        ilert_source ops { integration_key $KEY; }
        ilert_source two { integration_key $OTHER; }
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location = /ops { ilert_kapacitor ops; }
            location = /two { ilert_kapacitor two; }
            %%ENDPOINT%%
        }
CONF
    $f->start;
    $fake->reset;

    my $count = sub {
        my ($source) = @_;
        return join ' ', map { scalar(() = $f->grep_log($_)) }
            qr/\[error\] .*ilert source "$source": .*not delivered/,
            qr/\[notice\] .*ilert source "$source": delivering again/;
    };

    $f->post('/ops', $CRITICAL) for 1 .. 3;
    is($count->('ops'), '0 0', 'no trouble, no line');

    $fake->rule(status => 500, match => qr/$KEY/, body => message('sorry'));

    for (1 .. 5) {
        $f->post('/ops', $CRITICAL);
        is($f->post('/two', $CRITICAL)->{status}, 202, 'the other one works');
    }

    is($count->('ops'), '1 0', 'five failures, one line');
    like(($f->grep_log(qr/not delivered/))[0], qr/ilert\ source\ "ops":
         \ event\ \d+\ not\ delivered:\ ilert\ answered\ 500:\ sorry/x,
         'says why');

    $fake->clear_rules;
    $f->post('/ops', $CRITICAL) for 1 .. 3;
    is($count->('ops'), '1 1', 'works again, one line');

    $fake->refuse;
    is($f->post('/two', $CRITICAL)->{status}, 502) for 1 .. 3;
    $fake->accept;
    is($f->post('/two', $CRITICAL)->{status}, 202) for 1 .. 3;
    is($count->('two'), '1 1', 'another source has lines of its own');
    is($count->('ops'), '1 1');
};

done();
