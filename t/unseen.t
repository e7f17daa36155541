#!/usr/bin/perl

# Webhooks that nginx itself answers, before their handler is asked or while
# it waits for the body: each is counted as refused, once, with the source and
# the code; requests that are no webhooks are not.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertMetrics;
use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;

my $SERVER = <<'CONF';
    location = /chosen { ilert_kapacitor $kapacitor_tag_team; }
    location = /given { ilert_kapacitor $arg_source; deny all; }
    location = /return { ilert_kapacitor ops; if ($arg_x) { return 418; } }
    location = /fine { ilert_kapacitor ops; if ($arg_x) { return 200; } }
    location = /closed { ilert_kapacitor ops; if ($arg_x) { return 444; } }
    location = /redirect {
        ilert_kapacitor ops;
        if ($arg_x) { return 301 https://example.com/; }
    }
    location = /denied { ilert_kapacitor ops; deny all; }
    location = /auth {
        ilert_kapacitor ops;
        auth_basic "who are you?";
        auth_basic_user_file %%DIR%%/users;
    }
    location = /asked { ilert_kapacitor ops; auth_request /no; }
    location = /no { internal; return 401; }
    location = /limited { ilert_kapacitor ops; limit_req zone=one; }
    location = /limited429 {
        ilert_kapacitor ops;
        limit_req zone=two;
        limit_req_status 429;
    }
    location = /large { ilert_kapacitor ops; ilert_max_body_size 200; }
    location = /slow {
        ilert_kapacitor ops;
        client_body_timeout 300ms;
        lingering_time 0;
    }
    location = /only { ilert_kapacitor ops; limit_except POST { deny all; } }
    location = /inside { internal; ilert_kapacitor ops; }
    location = /rewritten { rewrite ^ /ops last; }
    location = /away { ilert_kapacitor ops; rewrite ^ /ok last; }

    location = /page {
        ilert_kapacitor ops;
        ilert_max_body_size 200;
        error_page 413 403 /page.html;
        if ($arg_x) { return 403; }
    }
    location = /hidden {
        ilert_kapacitor ops;
        ilert_max_body_size 200;
        error_page 413 =200 /ok;
    }
    location = /named {
        ilert_kapacitor ops;
        ilert_max_body_size 200;
        error_page 413 @elsewhere;
    }
    location = /other {
        ilert_kapacitor ops;
        ilert_max_body_size 200;
        error_page 413 = /ops;
    }
    location @elsewhere { return 503; }
    location = /ok { return 200 fine; }
    location = /page.html { internal; return 413 sorry; }

    location /prefix/ {
        ilert_kapacitor ops;
        location /prefix/others/ { return 204; }
        location ~ /third$ { return 204; }
    }
    location ~ ^/re(x+)$ { ilert_kapacitor ops; }
    location /proxied { return 204; }

    if ($arg_server) { return 302 /elsewhere; }
    if ($arg_teapot) { return 418; }
    rewrite ^/moved$ /ok last;
    location = /moved { ilert_kapacitor ops; }
CONF

# more codes than there is room for

my @CODES = (430 .. 450, 560, 561);
$SERVER .= "location = /$_ { ilert_kapacitor many; "
         . "if (\$arg_x) { return $_; } }\n" for @CODES;

my $q = IlertStatus->new(
    sources => { ops => '', two => '', many => '' },
    files => { users => "a:{PLAIN}b\n" },
    server => $SERVER, http => <<'CONF');
    limit_req_zone $server_port zone=one:64k rate=1r/m;
    limit_req_zone $server_port zone=two:64k rate=1r/m;

    server {
        listen 127.0.0.1:%%PORT_1%%;
        location / { return 200 fine; }
    }

    # webhooks are for a name other than the default one

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location / { return 200 fine; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        server_name webhooks;
        location = /kapacitor { ilert_kapacitor two; }
        location / { return 200 fine; }
    }
CONF
my $t = $q->test;
$q->start;

sub counted {
    my $m = IlertMetrics->read($q->metrics->{body});
    my %n;

    for my $kind (qw(rejected unavailable)) {
        $n{"$_->{labels}{source} $_->{labels}{code}"} += $_->{value}
            for $m->samples("ilert_webhooks_${kind}_total");
    }

    return \%n;
}

# What has been added to the counters since that; nginx logs a request after it
# has answered it.

my $before = counted();

sub added {
    my ($expected, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %added;
    my $last = join ' ', map { "$_=$expected->{$_}" } sort keys %$expected;

    wait_until(sub {
        my $now = counted();
        %added = map { $_ => $now->{$_} - ($before->{$_} // 0) } keys %$now;
        delete @added{grep { !$added{$_} } keys %added};
        $last eq join ' ', map { "$_=$added{$_}" } sort keys %added;
    }, 5, $what);

    is_deeply(\%added, $expected, $what);
    $before = counted();
}

sub last_one { $q->status->{refused}{last} }

my $GOOD = IlertQueue::webhook('a', 1, 'CRITICAL');
my $LARGE = IlertQueue::webhook('a', 1, 'CRITICAL', size => 1000);

sub refused {
    my ($uri, $body, $status, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is($t->post($uri, $body)->{status}, $status, "$uri: the answer");
    added({ ($opt{source} // 'ops') . " $status" => 1 }, "$uri: is counted");

    my ($location) = $uri =~ /^([^?]*)/;
    is(last_one()->{location}, $opt{location} // $location,
       "$uri: the location");
    like(last_one()->{error}, qr/^nginx answered itself: \w/, 'the reason');
}

subtest 'before the handler is asked' => sub {
    refused('/return?x=1', $GOOD, 418);
    refused('/fine?x=1', $GOOD, 200);
    refused('/redirect?x=1', $GOOD, 301);
    refused('/denied', $GOOD, 403);
    refused('/given', $GOOD, 403, source => '');
    refused('/auth', $GOOD, 401);
    refused('/asked', $GOOD, 401);
    refused('/large', $LARGE, 413);
    refused('/inside', $GOOD, 404);

    is($t->post('/given?source=two', $GOOD)->{status}, 403, 'a source');
    added({ 'two 403' => 1 }, 'that is known');

    $t->post('/limited', $GOOD) for 1 .. 2;
    added({ 'ops 503' => 1 }, 'a limit');
    $t->post('/limited429', $GOOD) for 1 .. 3;
    added({ 'ops 429' => 2 }, 'another limit');

    is($t->post('/closed?x=1', $GOOD)->{status}, 0, 'no answer');
    added({ 'ops 444' => 1 }, 'is counted');

    is($t->get('/only')->{status}, 403, 'limit_except');
    added({ 'ops 403' => 1 }, 'is counted');
    is($t->get('/ops')->{status}, 405, 'GET');
    added({ 'ops 405' => 1 }, 'is counted');
};

subtest 'sent elsewhere' => sub {
    refused('/page?x=1', $GOOD, 403);
    refused('/page', $LARGE, 413);
    refused('/hidden', $LARGE, 200);
    refused('/named', $LARGE, 503);
    refused('/away', $GOOD, 200);
    refused('/moved', $GOOD, 200);
    refused('/moved?%3F', $GOOD, 200);
    is($t->post('/m%6fved', $GOOD)->{status}, 200, 'an escaped URI');
    added({ 'ops 200' => 1 }, 'is counted');
};

subtest 'by the server' => sub {
    refused('/ops?server=1', $GOOD, 302);
    refused('/two?server=1', $GOOD, 302, source => 'two');
    refused('/prefix/?server=1', $GOOD, 302);
    refused('/prefix/x?server=1', $GOOD, 302, location => '/prefix/');
    refused('/rexx?server=1', $GOOD, 302, location => '^/re(x+)$');
    $t->post("/$_?server=1", $GOOD)
        for qw(ok prefix/others/x prefix/third proxied none ops/ rexy);
    added({}, 'other locations');
};

subtest 'while the body comes' => sub {
    is($t->post('/large', $LARGE, chunked => 300)->{status}, 413, 'chunks');
    added({ 'ops 413' => 1 }, 'too large');

    is($t->post('/slow', $GOOD, length => 999)->{status}, 0, 'a slow client');
    added({ 'ops 408' => 1 }, 'is counted');

    $t->post('/ops', $LARGE, abort => 600);
    added({ 'ops 400' => 1 }, 'a client that goes');
    is(last_one()->{location}, '/ops', 'to a location');
    like(last_one()->{error}, qr/the client went away/, 'and why');
};

subtest 'once each' => sub {
    is($t->post('/ops', $GOOD)->{status}, 202, 'good');
    is($t->post('/rewritten', $GOOD)->{status}, 202, 'sent to a webhook');
    is($t->post('/prefix/a', $GOOD)->{status}, 202, 'a prefix');
    is($t->post('/page', $GOOD)->{status}, 202, 'with an error page');
    added({}, 'what is taken is not counted');

    is($t->post('/ops', '[]')->{status}, 400, 'refused by us');
    is($t->post('/chosen', $GOOD)->{status}, 422, 'no source');
    added({ 'ops 400' => 1, ' 422' => 1 }, 'is counted once');

    is($t->post('/other', $LARGE)->{status}, 405, 'sent to a webhook as GET');
    added({ 'ops 405' => 1 }, 'is counted once');
};

subtest 'no location' => sub {
    my %header = (line => "POST /ops\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        header => "POST /ops HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        host => "POST /ops HTTP/1.1\r\n\r\n",
        space => "POST /ops?id=a b HTTP/1.1\r\nHost: a\r\n\r\n");

    for my $what (sort keys %header) {
        my ($raw) = $header{$what};
        is($t->request('POST', '/ops', raw => $raw)->{status}, 400, $what);
        added({ ' 400' => 1 }, 'is counted');
        is(last_one()->{location}, undef, 'without a location');
        like(last_one()->{error}, qr/is no HTTP/, 'and why');
    }

    my @other = ([ 405, 'TRACE /ops HTTP/1.1', qr/the method/ ],
        [ 414, 'POST /' . 'x' x 33_000 . ' HTTP/1.1', qr/too long/ ],
        [ 501, "POST /ops HTTP/1.1\r\nTransfer-Encoding: x", qr/a header/ ]);

    for (@other) {
        my ($code, $raw, $why) = @$_;
        is($t->request('POST', '/ops', raw => "$raw\r\nHost: a\r\n\r\n")
           ->{status}, $code, "a $code");
        added({ " $code" => 1 }, 'is counted');
        like(last_one()->{error}, $why, 'and why');
    }

    $t->request('GET', '/', raw => "nonsense\r\n\r\n", port => $t->port(1));
    added({}, 'a server without webhooks');
    $t->request('GET', '/', raw => "nonsense\r\n\r\n", port => $t->port(2));
    added({ ' 400' => 1 }, 'a server beside one with webhooks');
};

subtest 'no webhooks' => sub {
    $t->get('/ok');
    $t->get('/nowhere');
    $t->get('/ops/more');
    $t->get('/ok?teapot=1');
    $t->get('/page.html');
    $t->get('/status?ready');
    $t->get('/kapacitor', port => $t->port($_)) for 1, 2;
    added({}, 'are not counted');

    $t->get('/kapacitor', port => $t->port(2),
            headers => [ Host => 'webhooks' ]);
    added({ 'two 405' => 1 }, 'another server');
};

subtest 'clients that go while the event is under way' => sub {
    my $r = IlertStatus->new(queue => undef, sources => { ops => '' });
    $r->start;
    my $number = sub { my %n = %{$r->status->{refused}};
                       "$n{rejected} $n{unavailable}" };

    my $rule = $r->fake->rule(delay => 0.3);
    $r->test->post('/ops', $GOOD, abort => -1);
    ok($r->fake->wait_events(1, 5), 'delivered');
    ok(wait_until(sub { $r->status->{sources}{ops}{accepted} == 1 }, 5),
       'accepted');
    is($number->(), '0 0', 'it was kept');

    $r->fake->drop_rule($rule);
    $r->fake->rule(delay => 0.3, status => 500);
    $r->test->post('/ops', $GOOD, abort => -1);
    ok(wait_until(sub { $number->() ne '0 0' }, 5), 'not delivered');
    $r->test->get('/status') for 1 .. 4;
    is($number->(), '0 1', 'is counted once');
    is($r->status->{refused}{last}{status}, 502, 'by what became of it');
};

subtest 'many codes' => sub {
    $t->post("/$_?x=1", $GOOD) for @CODES, @CODES;
    my %first = map { +"many $_" => 2 } @CODES[0 .. 15];
    added({ %first, 'many other' => 2 * (@CODES - 16) },
          'the last are others');

    my $m = IlertMetrics->read($q->metrics->{body});
    is_deeply([ $m->faults ], [], 'well-formed');
    my %labels = (source => 'many', code => 'other');
    is($m->value('ilert_webhooks_rejected_total', %labels), 10, '4xx');
    is($m->value('ilert_webhooks_unavailable_total', %labels), 4, '5xx');
};

subtest 'the log' => sub {
    my $mark = $t->mark;
    $t->post('/denied', $GOOD);
    $q->reload;
    $t->post('/denied', $GOOD) for 1 .. 3;
    $t->wait_log(qr/webhook refused/, 5, $mark);
    added({ 'ops 403' => 4 }, 'four');
    is_deeply([ map { s/.*refused: //r =~ s/ while .*//r }
                $t->grep_log(qr/webhook refused/, $mark) ],
              [ '403 to 127.0.0.1, nginx answered itself: access is denied' ],
              'one line, by the new workers');
};

done();
