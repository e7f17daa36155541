#!/usr/bin/perl

# How a webhook's body comes: at once or byte by byte, chunked, in memory, in
# several buffers or in a file, too large, not at all; clients that are slow
# or that go.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use IlertFake;
use IlertTest;

my $KEY = 'il1api5ec4e7a01';
my $fake = IlertFake->start(keys => { $KEY => 'api' });
my $old = IlertFake->start(keys => { $KEY => 'api' });

my $t = IlertTest->new(fake => [ $fake, $old ], workers => 1,
    conf => <<"CONF")->start;
    log_format ilert '\$request_method \$uri \$status \$ilert_result';
    access_log %%DIR%%/access.log ilert;

    ilert_source ops { integration_key $KEY; }
    client_max_body_size 2m;

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location = /plain { ilert_kapacitor ops; }

        location = /in_file {
            ilert_kapacitor ops;
            client_body_in_file_only on;
        }

        location = /clean {
            ilert_kapacitor ops;
            client_body_in_file_only clean;
        }

        location = /small {
            ilert_kapacitor ops;
            client_body_buffer_size 1k;
        }

        location = /tiny {
            ilert_kapacitor ops;
            client_body_buffer_size 1;
        }

        location = /large {
            ilert_kapacitor ops;
            client_body_buffer_size 2m;
        }

        location = /single {
            ilert_kapacitor ops;
            client_body_in_single_buffer on;
        }

        location = /limited {
            ilert_kapacitor ops;
            client_max_body_size 1g;
            ilert_max_body_size 2000;
        }

        location = /impatient {
            ilert_kapacitor ops;
            client_body_timeout 2s;
            lingering_time 0;
        }

        location = /auth {
            ilert_kapacitor ops;
            auth_request /check;
        }

        location = /mirrored {
            ilert_kapacitor ops;
            mirror /mirror;
        }

        location = /rewritten { rewrite ^ /plain last; }
        location = /tried { try_files /none /plain; }
        location = /named { error_page 418 = \@named; return 418; }
        location \@named { ilert_kapacitor ops; }

        # an older receiver stays in place for a while

        location = /old {
            mirror /from_mirror;
            client_max_body_size 1m;
            proxy_pass http://%%FAKE_1%%/api/v1/events/kapacitor/$KEY;
        }

        location = /from_mirror { internal; ilert_kapacitor ops; }
        location = /check { internal; return 204; }
        location = /mirror { internal; return 204; }
        location = /other { return 200 other; }

        %%ENDPOINT%%
    }
CONF

my @URIS = qw(/plain /in_file /clean /small /tiny /large /single /auth
              /mirrored /rewritten /tried /named);

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $BATCH = webhook('30-big-batch-01-CRITICAL');

my $ROW = '["2026-03-01T08:16:10.123456789Z",%d,"some text"]';
my $HUGE = '{"id":"huge","message":"m","level":"CRITICAL","data":{"series":[{'
    . '"name":"cpu","columns":["time","value","text"],"values":['
    . join(',', map { sprintf $ROW, $_ } 1 .. 27_500) . ']}]}}';

cmp_ok(length $HUGE, '>', 1_400_000, 'a body of 1.4 MB');

# what ilert gets of them

my %EVENT;

for ($CRITICAL, $BATCH, $HUGE) {
    $fake->reset;
    is($t->post('/large', $_)->{status}, 202, 'in one piece');
    $EVENT{$_} = $fake->request(0)->{body};
}

sub same {
    my ($uri, $body, $what, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $fake->reset;
    my $r = $t->post($uri, $body, %opt);
    is($r->{status}, 202, "$uri, $what: 202") or diag $r->{body};
    is($fake->counts->{requests}, 1, 'sent once');
    my $got = ($fake->requests)[0];
    ok($got && $got->{body} eq $EVENT{$body}, 'the same event');
}

subtest 'buffers and files' => sub {
    for my $uri (@URIS) {
        same($uri, $CRITICAL, 'small');
        same($uri, $BATCH, '32 kB');
        same($uri, $HUGE, '1.4 MB');
    }
};

subtest 'pieces' => sub {
    for my $uri (@URIS) {
        same($uri, $CRITICAL, 'bytes', pieces => 1);
        same($uri, $CRITICAL, 'in two',
             pieces => 700, pause => 0.003);
        same($uri, $BATCH, 'several', pieces => 8000, pause => 0.003);
    }

    same('/plain', $HUGE, 'several', pieces => 200_000, pause => 0.003);
};

subtest 'chunks' => sub {
    for my $uri (@URIS) {
        same($uri, $CRITICAL, "chunks of $_", chunked => $_)
            for 1, 7, length $CRITICAL, 100_000;
        same($uri, $BATCH, 'chunks of 1000', chunked => 1000);
        same($uri, $HUGE, 'chunks of 60000', chunked => 60_000);
    }

    same('/plain', $CRITICAL, 'bytes', chunked => 3, pieces => 1);
};

subtest 'versions and headers' => sub {
    same('/plain', $CRITICAL, 'HTTP/1.0', http => '1.0');
    same('/plain', $CRITICAL, 'HTTP/1.0, keep-alive', http => '1.0',
         headers => [ Connection => 'keep-alive' ]);
    same('/plain', $CRITICAL, 'no Content-Type',
         headers => [ 'Content-Type' => undef ]);
    same('/plain', $CRITICAL, 'another one',
         headers => [ 'Content-Type' => 'text/plain; charset=latin1' ]);
    same('/plain', $CRITICAL, 'few headers', headers => [
         'Content-Type' => undef, 'User-Agent' => undef,
         'Accept-Encoding' => undef ]);
    same('/plain', $CRITICAL, 'Expect',
         headers => [ Expect => '100-continue' ]);
    same('/plain?a=b', $CRITICAL, 'arguments');
};

subtest 'no body' => sub {
    $fake->reset;

    for my $uri (@URIS) {
        for my $opt ([], [ no_length => 1 ], [ chunked => 5 ],
                     [ http => '1.0', no_length => 1 ])
        {
            my $r = $t->post($uri, '', @$opt);
            is($r->{status}, 400, "$uri @$opt");
            like($r->{json}{error}, qr/^not JSON: /);
            is($r->{json}{status}, 'rejected');
        }
    }

    my $r = $t->post('/plain', $CRITICAL, no_length => 1);
    is($r->{status}, 400, 'no length');
    is($t->post('/plain', ' ' x 100)->{status}, 400, 'blanks');
    is($t->post('/plain', $CRITICAL, length => 1267 - 100)->{status}, 400,
       'shorter than it is');
    is($fake->counts->{requests}, 0, 'nothing was sent');
};

subtest 'too large' => sub {
    $fake->reset;
    my $body = $CRITICAL . ' ' x (2000 - length $CRITICAL);

    is($t->post('/limited', $body)->{status}, 202, 'as large as may be');
    is($t->post('/limited', $body, chunked => 100)->{status}, 202, 'chunked');

    my $r = $t->post('/limited', "$body ");
    is($r->{status}, 413, 'a byte more');
    is($r->{header}{connection}, 'close');
    is($t->post('/limited', "$body ", chunked => 100)->{status}, 413,
       'chunked');
    is($t->post('/limited', $HUGE)->{status}, 413, 'much more');
    is($t->post('/limited', $HUGE, chunked => 50_000)->{status}, 413,
       'chunked');
    is($fake->counts->{requests}, 2, 'two were sent');
};

subtest 'temporary files' => sub {
    my $files = sub { scalar(() = glob $t->path('client_body') . '/*') };

    $fake->reset;
    my $before = $files->();
    $t->post('/clean', $HUGE);
    $t->post('/small', $HUGE);
    ok(wait_until(sub { $files->() == $before }, 2), 'are removed');
    $t->post('/in_file', $CRITICAL);
    is($files->(), $before + 1, 'but with client_body_in_file_only on');
};

subtest 'connections' => sub {
    $fake->reset;

    # a kept connection may end with a webhook
    my $c = $t->connection;
    is($t->get('/other', connection => $c)->{body}, 'other', 'GET');
    my $r = $t->post('/plain', $CRITICAL, connection => $c);
    is($r->{status}, 202, 'then a webhook');
    ok($r->{closed}, 'the connection is closed');
    is($fake->counts->{requests}, 1);

    # what comes after it is not read
    my $one = "POST /plain HTTP/1.1\r\nHost: x\r\nContent-Length: "
              . length($CRITICAL) . "\r\n\r\n$CRITICAL";
    $fake->reset;
    $r = $t->request('POST', '/plain', raw => $one x 3);
    is($r->{status}, 202, 'pipelined');
    is(scalar(() = $r->{raw} =~ m{HTTP/1\.1 }g), 1, 'one answer');
    is($fake->counts->{requests}, 1, 'one event');

    $fake->reset;
    my $get = "GET /other HTTP/1.1\r\nHost: x\r\n\r\n";
    $r = $t->request('GET', '/other', raw => "$get$get$one");
    ok(wait_until(sub { $fake->counts->{requests} == 1 }, 2),
       'pipelined behind others');

    $fake->reset;
    my @r = $t->finish(map { $t->start_post('/plain', $CRITICAL) } 1 .. 100);
    is(scalar(grep { $_->{status} == 202 } @r), 100, 'a hundred at once');
    is($fake->counts->{events}, 100);
    is(keys %{{ map { $_->{json}{event} => 1 } @r }}, 100, 'their ids');
};

subtest 'beside others' => sub {
    $_->reset for $fake, $old;
    my $r = $t->post('/old', $CRITICAL);
    is($old->counts->{requests}, 1, 'the older receiver got it');
    is($r->{status}, 404, 'and answered');
    ok($fake->wait_events(1), 'so did ilert, by a mirror');
    is($fake->request(0)->{body}, $EVENT{$CRITICAL}, 'the same event');

    $fake->reset;
    $fake->rule(status => 500);
    is($t->post('/old', $CRITICAL)->{status}, 404, 'its troubles are its own');
    $fake->clear_rules;
    $fake->rule(delay => 0.5);
    $r = $t->post('/old', $HUGE, chunked => 60_000);
    is($r->{status}, 413, 'and its limits');
    is($t->post('/old', '{}')->{status}, 404);
    $fake->clear_rules;
};

# Half of a webhook is none.

subtest 'clients that go too early' => sub {
    $fake->reset;
    my $head = 150;

    for my $uri (qw(/plain /in_file /tiny /auth /mirrored)) {
        for my $opt ([ abort => 10 ], [ abort => $head ], [ abort => 900 ],
            [ abort => 900, abort_reset => 1 ],
            [ abort => 1200, chunked => 9 ],
            [ length => 1269, half_close => 1 ],
            [ length => 5000, half_close => 1 ])
        {
            my $r = $t->post($uri, $CRITICAL, @$opt);
            ok($r->{status} =~ /^(?:0|400)$/, "$uri @$opt: $r->{status}");
        }
    }

    my $r = $t->post('/impatient', $CRITICAL, length => 3000);
    ok($r->{status} =~ /^(?:0|408)$/, "too slow: $r->{status}");
    ok(!$r->{timeout}, 'is not waited for');

    $r = $t->post('/impatient', $CRITICAL, pieces => 80, pause => 0.15);
    is($r->{status}, 202, 'slow, but on its way');
    is($fake->counts->{requests}, 1, 'one event');
};

# The whole webhook is there: that the client goes does not matter.

subtest 'clients that go too late' => sub {
    for my $uri (qw(/plain /in_file /tiny /auth /mirrored)) {
        for my $opt ([], [ abort_reset => 1 ], [ chunked => 100 ]) {
            $fake->reset;
            $fake->rule(delay => 0.2);
            $t->post($uri, $CRITICAL, abort => -1, @$opt);
            ok($fake->wait_requests(1, 3), "$uri @$opt: is sent");
            is($fake->request(0)->{body}, $EVENT{$CRITICAL}, 'the event');
        }
    }

    ok(wait_until(sub { $fake->counts->{open} == 0 }, 3), 'all ended');

    # many at a time, some of them in vain

    for my $rule ({ delay => 0.3 }, { delay => 0.3, status => 500 },
                  { reset => 'after' }, { status => 202, endless => 1 })
    {
        $fake->reset;
        $fake->rule(%$rule);
        my $before = $t->access_mark;
        $t->finish(map { $t->start_post('/plain', $CRITICAL, abort => -1,
            abort_reset => $_ % 2) } 1 .. 200);
        ok($fake->wait_requests(200, 5), "@{[%$rule]}: all are sent");

        my $lines = sub { substr($t->access_log, $before) =~ tr/\n// };
        ok(wait_until(sub { $lines->() == 200 }, 10), 'and logged');

        my %logged;
        $logged{$_}++ for split /\n/, substr $t->access_log, $before;
        my $verdict = $rule->{status} && $rule->{status} == 500
                      || $rule->{reset} ? 'UNAVAILABLE' : 'DELIVERED';
        my @other = grep { !m{^POST /plain \d{3} $verdict$} } keys %logged;
        is("@other", '', 'with the verdict');
        is($fake->counts->{requests}, 200, 'none twice');
    }

    $fake->reset;
    is($t->post('/plain', $CRITICAL)->{status}, 202, 'still serves');

    $t->stop;
    ok(!$t->running, 'nothing holds the worker');
};

done();
