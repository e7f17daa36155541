#!/usr/bin/perl

# "ilert_unreadable alert": a webhook that was refused opens an alert of the
# location's source, which says what, from where, and why, and which ends by
# itself when no other one is refused.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my %KEY = (ops => 'il1api5ec4e7a21', kap => 'il1kap5ec4e7b22',
           off => 'il1api5ec4e7a23');
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KEY{kap}";
my $FAST = 'retry 50ms 200ms;';

# The sources' own locations, with the default, are there, too.

my $SERVER = <<'CONF';
    server_name nginx.example.com;
    ilert_unreadable alert;
    location = /a { ilert_kapacitor ops; }
    location = /b { ilert_kapacitor ops; }
    location = /c { ilert_kapacitor ops; }
    location = /d { ilert_kapacitor ops; }
    location = /native { ilert_kapacitor kap; }
    location = /each { ilert_kapacitor none; }
    location = /given { ilert_kapacitor $arg_source; }
    location ~ ^/(?:expression|`)$ { ilert_kapacitor ops; }
    location = /quiet { ilert_kapacitor ops; ilert_unreadable reject; }
    location = /small { ilert_kapacitor ops; ilert_max_body_size 1k; }
    location = /denied { ilert_kapacitor ops; deny all; }
CONF

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, shim => $shim, server => $SERVER, fake => { bodies => 1 },
    sources => {
        ops => "integration_key $KEY{ops}; coalesce latest; $FAST",
        kap => "webhook_url $URL; coalesce latest; $FAST",
        none => "integration_key $KEY{off}; $FAST",
    },
    keys => { $KEY{ops} => 'api', $KEY{kap} => 'kapacitor',
              $KEY{off} => 'api' });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;
ok(wait_until(sub { $q->courier }, 5), 'somebody delivers');

# In seconds: after TIME without another event an alert is resolved, and a
# location opens no other one within ten seconds, so PERIOD is a bit more.

use constant { TIME => 15 * 60, PERIOD => 11 };

sub key { "ilert-unreadable:nginx.example.com$_[0]" }

# Posts a body that is refused, and returns the request that comes of it

sub alerts {
    my ($uri, $body, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $fake->counts->{events};

    $q->run(PERIOD);
    like($t->post($uri, $body)->{status}, qr/^4/, 'is refused');
    ok($fake->wait_events($n + 1, 5), $what) or return {};
    $q->drained;
    is($fake->counts->{events}, $n + 1, 'one event');
    return ($fake->requests)[-1];
}

sub silent {
    my ($what, $post) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $fake->counts->{requests};

    $q->run(PERIOD);
    $post->();
    $q->drained;
    ok($q->calm(0.3), $what);
    is($fake->counts->{requests}, $n, 'no request');
}

sub state_of {
    my ($source, $uri) = @_;
    my $alert = $fake->alerts->{$KEY{$source}}{IlertFake::fold(key($uri))};
    return $alert ? $alert->{state} : 'none';
}

sub good {
    is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
              'nothing is wrong with the requests');
}


subtest 'what is sent' => sub {
    my $r = alerts('/a', "no `JSON`\r\n\0\x01 <b>\n```\nx", 'an alert');
    my $json = $r->{json};
    my $details = delete $json->{details};

    is_deeply($json, { integrationKey => $KEY{ops}, eventType => 'ALERT',
        alertKey => key('/a'), summary => 'Webhook refused, an alert may be '
            . 'lost: ' . $t->post('/quiet', 'no')->{json}{error} },
        'the event');
    is($details, "````\nfrom: 127.0.0.1\nto: /a\nanswer: 400\nwhy: "
        . $t->post('/quiet', 'no')->{json}{error}
        . "\nbody: 23 bytes\n\nno `JSON` \n\x{fffd}  <b>\n```\nx\n````",
        'the details');
    is(state_of('ops', '/a'), 'open', 'is shown');
    good();
};

subtest 'a body that Kapacitor could have sent' => sub {
    my $r = alerts('/native', 'a <b> & "c"', 'an alert');
    my $json = $r->{json};

    is($json->{id}, key('/native'), 'its key');
    is($json->{level}, 'CRITICAL', 'its level');
    like($json->{message}, qr/^Webhook refused, an alert may be lost: not /,
         'its text');
    like($json->{details}, qr{^<pre>from: 127\.0\.0\.1\nto: /native\n},
         'from where');
    like($json->{details},
         qr{\n\na &lt;b&gt; &amp; &quot;c&quot;</pre>\z}, 'what');
    is(state_of('kap', '/native'), 'open', 'is shown');
    good();
};

subtest 'a key for each location' => sub {
    my $r = alerts('/b', '{', 'another one');
    is($r->{json}{alertKey}, key('/b'), 'its own');
    $r = alerts('/expression', '{', 'an expression');
    is($r->{json}{alertKey}, key('/^/(?:expression|`)$'), 'with a slash');
    good();
};

subtest 'which source' => sub {
    my $good = IlertQueue::webhook('x', 1, 'CRITICAL');
    my $r = alerts('/given?source=ops', '[]', 'one that is chosen');
    is($r->{json}{alertKey}, key('/given'), 'its key');
    silent('one that is not known', sub {
        is($t->post('/given?source=nobody', $good)->{status}, 422, 'is 422');
    });
    silent('"off"', sub {
        is($t->post('/given?source=off', '[]')->{status}, 400, 'is 400');
    });
};

subtest 'what opens none' => sub {
    silent('"reject"', sub { $t->post('/quiet', '{') });
    silent('GET', sub { is($t->get('/a')->{status}, 405, 'is 405') });
    silent('PUT', sub { $t->request('PUT', '/a', body => '{') });
    silent('an empty body', sub { $t->post('/a', '') });
    silent('one that was not read', sub {
        is($t->post('/small', 'x' x 2000)->{status}, 413, 'is 413');
        is($t->post('/denied', '{')->{status}, 403, 'is 403');
    });
};

subtest 'a large one' => sub {
    my $details = alerts('/c', "\xff" x 5000, 'an alert')->{json}{details};

    like($details, qr/\nbody: 5000 bytes, of which these are the first\n/,
         'is cut');
    like($details, qr/\n\n\x{fffd}{4096}\n```\z/, 'at 4 kB');
    good();
};

subtest 'it ends by itself' => sub {
    alerts('/d', '{', 'an alert');
    my $n = $fake->counts->{events};

    $q->run(600);
    is(state_of('ops', '/d'), 'open', 'not before its time');
    $t->post('/d', 'again');
    ok($fake->wait_events($n + 1, 5), 'another one');

    $q->run(330);
    ok(wait_until(sub { state_of('ops', '/c') eq 'resolved' }, 5),
       'when there was no other one');
    ok(wait_until(sub { state_of('kap', '/native') eq 'resolved' }, 5),
       'of either kind');
    is(state_of('ops', '/d'), 'open', 'not where there was one');

    my ($last) = grep { ($_->{json}{alertKey} // '') eq key('/c')
                        && $_->{json}{eventType} eq 'RESOLVE' }
                 $fake->requests;
    is($last->{json}{summary},
       key('/c') . ': no event for 15m, resolved by nginx', 'says so');

    $q->run(TIME - 300);
    ok(wait_until(sub { state_of('ops', '/d') eq 'resolved' }, 5), 'then');

    my $r = alerts('/d', '{', 'the next one');
    is($r->{json}{eventType}, 'ALERT', 'opens it again');
    good();
};

subtest 'many' => sub {
    my $n = $fake->counts->{events};

    $q->run(PERIOD);
    my @posts = map { $t->start_post('/each', "$_") } 1 .. 60;
    is(scalar(grep { $_->{status} == 400 } $t->finish(@posts)), 60,
       'are refused');
    ok($fake->wait_events($n + 1, 5), 'an event');
    $q->drained;
    cmp_ok($fake->counts->{events} - $n, '<=', 2,
           'not one for each, though "coalesce" is off');
    $q->run(PERIOD);
    $t->post('/each', 'again');
    ok($fake->wait_events($n + 2, 5), 'and another one later');
};

subtest 'it is remembered' => sub {
    alerts('/b', '{', 'an alert');
    $t->stop;
    $q->start;
    $q->run(TIME + 240);
    ok(wait_until(sub { state_of('ops', '/b') eq 'resolved' }, 8),
       'over a restart');
    $t->stop;
};

subtest 'without a queue' => sub {
    my $off = IlertQueue->new(queue => undef, fake => { bodies => 1 },
        server => 'location = /a { ilert_kapacitor ops; '
                  . 'ilert_unreadable alert; }',
        sources => { ops => "integration_key $KEY{ops};" },
        keys => { $KEY{ops} => 'api' });
    $off->start;
    is($off->test->post('/ops', '{')->{status}, 400, 'is refused');
    is($off->test->post('/a', '{')->{status}, 400, 'is refused');
    ok($off->fake->wait_events(1, 5), 'is relayed');
    like(($off->fake->requests)[-1]{json}{alertKey},
         qr{^ilert-unreadable:.+/a\z}, 'with a key of its location');
    ok($off->calm(0.3), 'the default is none');
    is($off->fake->counts->{events}, 1, 'one event');
    $off->test->stop;
};

subtest 'nginx -t' => sub {
    my $conf = IlertTest->new;

    for my $level ([ 'ilert_unreadable alert;', '', 'ops' ],
                   [ '', 'ilert_unreadable alert;', 'ops' ],
                   [ '', '', 'ops; ilert_unreadable alert' ],
                   [ '', '', '$arg_x; ilert_unreadable alert' ],
                   [ '', 'ilert_unreadable alert;', 'off' ],
                   [ '', '', 'off; ilert_unreadable reject' ],
                   [ '', '', 'off; ilert_unreadable alert' ])
    {
        my ($http, $server, $location) = @$level;
        my ($code, $text) = $conf->test_conf("$http "
            . "ilert_source ops { integration_key $KEY{ops}; } "
            . "server { listen 127.0.0.1:%%PORT_0%%; $server "
            . "location /k { ilert_kapacitor $location; } "
            . "location /ilert/ { internal; ilert_endpoint; "
            . "proxy_pass http://127.0.0.1:%%PORT_1%%/; } }");
        my $wanted = $location =~ /off; ilert_unreadable alert/ ? 1 : '';

        is($code, 0, "@$level") or diag($text);
        is(index($text, '"ilert_unreadable alert" has no effect in location '
                 . '"/k": "ilert_kapacitor off" has no source') >= 0,
           $wanted, $wanted ? 'is said' : 'nothing is wrong');
    }

    for my $value ('on', '', 'alert reject') {
        my ($code, $text) = $conf->test_conf("ilert_unreadable $value;");
        is($code, 1, "\"$value\" is refused");
        like($text, qr/\[emerg\]/, 'and said to be wrong');
    }
};

done();
