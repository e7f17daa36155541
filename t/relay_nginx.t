#!/usr/bin/perl

# Relaying through an endpoint location together with what else nginx can do
# there: error pages, redirects, answers of nginx's own, limits, several
# upstream servers, kept connections, caches.  2xx is only what ilert said.

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
my $second = IlertFake->start(keys => { $KEY => 'api' });
my $refused = '127.0.0.1:' . IlertFake::free_port();

my $PASS = 'proxy_pass http://%%FAKE%%/api/$ilert_path;';

# directives of a module that is not in every nginx

my $BUILD = do { my $binary = IlertTest::binary(); `'$binary' -V 2>&1` };

sub of {
    my ($module, $directives) = @_;
    return $BUILD =~ /--with-http_${module}_module/ ? $directives : '';
}

# endpoint => what is in its location

my %ENDPOINT = (
    plain => $PASS,

    error_page => "$PASS error_page 400 404 429 500 502 503 504 =200 /made;",
    intercept => "$PASS proxy_intercept_errors on;
        error_page 301 400 404 429 500 502 503 504 =200 /made;",
    intercept_named => "$PASS proxy_intercept_errors on;
        error_page 400 429 500 502 =202 \@made;",
    intercept_proxied => "$PASS proxy_intercept_errors on;
        error_page 400 429 500 502 =202 \@second;",
    recursive => "$PASS proxy_intercept_errors on; error_page 500 /loop/;
        recursive_error_pages on;",

    returns => "return 202; $PASS",
    returns_text => "return 200 '{\"a\":1}'; $PASS",
    returns_redirect => "return 301 http://127.0.0.1/; $PASS",
    returns_if => "if (\$ilert_path) { return 204; } $PASS",
    shadowed => $PASS,
    try_files => "try_files /none =404; $PASS",
    try_made => "try_files /none /made; $PASS",
    denied => "limit_except GET { deny all; } $PASS",
    dead => "proxy_pass http://$refused;",
    empty_variable => 'proxy_pass http://$arg_none/;',
    loop => 'rewrite ^ /loop_endpoint/x last; ' . $PASS,
    static => "rewrite ^ /static/x last; $PASS",

    rewrite => "rewrite ^ /rewritten/x last; $PASS",
    rewrite_break => 'rewrite ^/[^/]*/(.*)$ /api/$1 break;
        proxy_pass http://%%FAKE%%;',
    if_set => "set \$x 1; if (\$x) { set \$x 2; } $PASS
        proxy_set_header X-Set \$x;",

    auth => $PASS . of(auth_request => 'auth_request /auth;'),
    basic => "$PASS auth_basic x; auth_basic_user_file %%DIR%%/none;",
    mirror => "$PASS mirror /mirror;",
    limited => "$PASS limit_req zone=limited;",
    delayed => "$PASS limit_req zone=delayed burst=20;",
    limit_conn => "$PASS limit_conn conn 1;",
    addition => $PASS . of(addition => 'add_before_body /made;
        add_after_body /made; addition_types *;'),
    filters => "$PASS gzip on; gzip_types *; gzip_min_length 1;
        expires 1h; add_header X-A b always; charset utf-8;
        etag on; chunked_transfer_encoding on; postpone_output 10000;"
        . of(gunzip => 'gunzip on;')
        . of(sub => 'sub_filter a b; sub_filter_types *;'),
    rate => "$PASS limit_rate 100;",
    stored => "$PASS proxy_store %%DIR%%/stored;",
    cached => "$PASS proxy_cache c; proxy_cache_methods GET HEAD POST;
        proxy_cache_valid any 10m; proxy_cache_key x;
        proxy_ignore_headers Cache-Control Expires;",
    logged => "$PASS log_subrequest on; access_log %%DIR%%/endpoint.log;",
    no_log => "$PASS error_log %%DIR%%/endpoint.error.log info;",
    slice => $PASS . of(slice => 'slice 1k;'),
    buffers => "$PASS proxy_buffering off; proxy_request_buffering off;",
    body_file => "$PASS client_body_in_file_only on;",
    small => "$PASS client_max_body_size 1; client_body_buffer_size 1;",
    pass_off => "$PASS proxy_pass_request_headers off;
        proxy_set_header Content-Type application/json;
        proxy_set_header User-Agent x;",

    next => 'proxy_pass http://next/api/$ilert_path;
        proxy_next_upstream error timeout http_503 non_idempotent;',
    next_refused => 'proxy_pass http://next_refused/api/$ilert_path;',
    next_default => 'proxy_pass http://next/api/$ilert_path;',
    next_429 => 'proxy_pass http://next/api/$ilert_path;
        proxy_next_upstream error timeout http_429 http_503 http_404
            http_500 non_idempotent;',
    gone => 'proxy_pass http://gone/api/$ilert_path;
        proxy_next_upstream error timeout http_503 non_idempotent;',
    kept => 'proxy_pass http://kept/api/$ilert_path; proxy_http_version 1.1;
        proxy_set_header Connection "";',
);

my ($sources, $locations) = ('', '');

for my $name (sort keys %ENDPOINT) {
    $sources .= "ilert_source $name { integration_key $KEY;"
                . " endpoint $name; }\n";
    $locations .= "location /e_$name/ { internal; ilert_endpoint $name; "
                  . "proxy_read_timeout 1s; $ENDPOINT{$name} "
                  . 'proxy_set_header Host $host; }' . "\n";
}

my $t = IlertTest->new(fake => [ $fake, $second ], workers => 1,
    files => { 'stored/x' => '' }, conf => <<"CONF")->start;
    log_subrequest on;
    $sources

    map \$uri \$chosen { ~^/to/(?<name>.*)\$ \$name; }

    upstream next { server %%FAKE%% max_fails=0; server %%FAKE_1%% backup; }
    upstream next_refused { server $refused; server %%FAKE_1%%; }
    upstream gone { server %%FAKE%% max_fails=0; server $refused backup; }
    upstream kept { server %%FAKE%%; keepalive 4; }

    limit_req_zone \$binary_remote_addr zone=limited:1m rate=1r/m;
    limit_req_zone \$binary_remote_addr zone=delayed:1m rate=10r/s;
    limit_conn_zone \$binary_remote_addr zone=conn:1m;
    proxy_cache_path %%DIR%%/cache keys_zone=c:1m;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location /to/ { ilert_kapacitor \$chosen; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        $locations

        location = /made { return 200 made; }
        location \@made { return 202 made; }
        location \@second { proxy_pass http://%%FAKE_1%%; }
        location /second/ { proxy_pass http://%%FAKE_1%%/api/; }
        location /loop/ { error_page 404 /loop/; return 404; }
        location /loop_endpoint/ { rewrite ^ /e_loop/x last; }
        location = /e_shadowed/events { return 200; }
        location /rewritten/ {
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
        }
        location = /auth { return 403; }
        location = /mirror { proxy_pass http://%%FAKE_1%%/mirrored; }
        location /static/ { root %%DIR%%; }
    }
CONF

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $REFUSED = 'the connection to ilert was refused';
my $RESET = 'the connection to ilert was reset';


# The webhook to that source; its status and error, and how many requests the
# two fakes got.

sub to {
    my ($name, $status, $error, $first, $other) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = $fake->counts->{requests};
    my $second_before = $second->counts->{requests};
    my $r = $t->post("/to/$name", $CRITICAL);

    is($r->{status}, $status, "$name: status");
    ref $error ? like($r->{json}{error}, $error)
               : is($r->{json}{error}, $error, 'error');
    is($r->{json}{status}, $status == 202 ? 'accepted' : 'rejected');
    is($fake->counts->{requests} - $before, $first // 1, 'requests');
    is($second->counts->{requests} - $second_before, $other // 0,
       'requests to the other one') if defined $other;

    return $r;
}

sub rule { my (%rule) = @_; $fake->clear_rules; $fake->rule(%rule) }

sub made {
    my ($status, $name) = @_;
    return "nginx answered $status itself, check the location of "
           . "ilert_endpoint \"$name\"";
}

subtest 'delivered all the same' => sub {
    # access rules are for clients: nginx does not ask them of a subrequest

    to($_, 202, undef) for qw(auth basic denied);

    to($_, 202, undef) for qw(plain error_page intercept intercept_named
        intercept_proxied recursive rewrite rewrite_break if_set
        mirror addition filters rate stored cached logged no_log slice buffers
        body_file small limited limit_conn kept pass_off next next_default
        gone);

    is($fake->counts->{events}, $fake->counts->{requests}, 'all were good');
    is($second->counts->{requests}, 0, 'the other one got none');

    my ($set) = grep { $_->{header}{'x-set'} } $fake->requests;
    is($set && $set->{header}{'x-set'}, 2, 'if and set');
};

subtest 'errors of ilert' => sub {
    for my $name (qw(plain error_page intercept intercept_named
        intercept_proxied recursive rewrite addition filters stored rate
        buffers kept next_default))
    {
        for ([ 500, 502 ], [ 404, 502 ], [ 400, 502 ], [ 429, 503 ],
             [ 301, 502 ])
        {
            my ($status, $code) = @$_;
            rule(status => $status, body => 'oh',
                 headers => [ Location => $fake->url . '/api/events' ]);
            to($name, $code, qr/^ilert answered $status(?:: oh)?$/, 1, 0);
        }

        rule(reset => 'after');
        to($name, 502, $RESET, 1, 0);
    }

    rule(hang => 1);
    to($_, 504, 'ilert did not answer in time', 1, 0)
        for qw(plain error_page intercept);
    rule(match => qr/none/);
    to('dead', 502, $REFUSED, 0, 0);
};

subtest 'answers of nginx' => sub {
    my %status = (returns => 202, returns_text => 200, returns_redirect => 301,
                  returns_if => 204, shadowed => 200, try_files => 404,
                  try_made => 200, static => 404);

    for my $name (sort keys %status) {
        to($name, 502, made($status{$name}, $name), 0, 0);
    }

    for (qw(loop empty_variable)) {
        to($_, 502, qr/./, 0, 0);
    }

    # one delivery may pass
    $t->post('/to/limited', $CRITICAL);
    to('limited', 502, made(503, 'limited'), 0, 0);
};

subtest 'limits' => sub {
    my $begun = time();
    to('delayed', 202, undef) for 1 .. 4;
    cmp_ok(time() - $begun, '>=', 0.25, 'limit_req delays');

    rule(hold => 1);
    my @h = map { $t->start_post('/to/limit_conn', $CRITICAL) } 1, 2;
    ok(wait_until(sub { $t->poll(0.01); grep { $_->{done} } @h }), 'one');
    $fake->clear_rules;
    my @r = $t->finish(@h);
    is(join(' ', sort map { $_->{status} } @r), '202 502', 'limit_conn');
    rule(match => qr/none/);
    to('limit_conn', 202, undef);
};

# ilert's answer names another place: it is an answer.

subtest 'X-Accel' => sub {
    for my $to (qw(/made @made @second /second/x /loop/ /e_plain/x /none
                   /static/x @none), '', '/../x', 'http://x/', "/a%00b")
    {
        note("X-Accel-Redirect: $to");

        for ([ 202, 202 ], [ 500, 502 ], [ 429, 503 ]) {
            my ($status, $code) = @$_;
            my $error = $code == 202 ? undef : "ilert answered $status";

            for my $name (qw(plain intercept kept buffers)) {
                rule(status => $status,
                     headers => [ 'X-Accel-Redirect' => $to ]);
                to($name, $code, $error, 1, 0);
            }
        }
    }

    for my $header (qw(X-Accel-Limit-Rate X-Accel-Expires X-Accel-Buffering
                       X-Accel-Charset Refresh Set-Cookie Upgrade Trailer))
    {
        rule(status => 202, headers => [ $header => 1 ]);
        to('plain', 202, undef);
    }

    rule(match => qr/none/);
    to('plain', 202, undef);
};

# Another server may be asked only as far as nginx's own directives allow.

subtest 'several upstream servers' => sub {
    rule(match => qr/none/);
    to('next_refused', 202, undef, 0, 1) for 1 .. 3;

    rule(status => 503);
    to('next', 202, undef, 1, 1);
    to('next_default', 502, 'ilert answered 503', 1, 0);
    to('gone', 502, $REFUSED, 1, 0);

    rule(reset => 'after');
    to('next', 202, undef, 1, 1);
    to('next_default', 502, $RESET, 1, 0);

    rule(status => 429);
    to('next_429', 202, undef, 1, 1);
    to('next', 503, 'ilert answered 429', 1, 0);

    $second->rule(status => 500, body => 'second');
    to('next_429', 502, 'ilert answered 500: second', 1, 1);
    $second->clear_rules;
    $second->rule(status => 429);
    rule(status => 503);
    to('next', 503, 'ilert answered 429', 1, 1);

    rule(hang => 1);
    $second->clear_rules;
    to('next', 202, undef, 1, 1);
    $second->rule(hang => 1);
    to('next', 504, 'ilert did not answer in time', 1, 1);
    $second->clear_rules;
    rule(match => qr/none/);
};

subtest 'kept connections' => sub {
    $fake->reset;
    my $before = $fake->counts->{connections};

    for my $round (1 .. 10) {
        is($t->post('/to/kept', $CRITICAL)->{status}, 202);
        rule(status => 400, body => 'why', times => 1);
        is($t->post('/to/kept', $CRITICAL)->{json}{error},
           'ilert answered 400: why');
    }

    cmp_ok($fake->counts->{connections} - $before, '<=', 1, 'one connection');

    my @r = $t->finish(map { $t->start_post('/to/kept', $CRITICAL) } 1 .. 40);
    is(scalar(grep { $_->{status} == 202 } @r), 40, 'many at once');
    ok(wait_until(sub { $fake->counts->{open} <= 4 }, 2), 'four are kept');

    # the other side closes them
    $fake->refuse(all => 1);
    $fake->accept;
    is($t->post('/to/kept', $CRITICAL)->{status}, 202, 'then a new one');
};

# Each event is sent: an answer out of a cache is none of ilert's.

subtest 'cache' => sub {
    $fake->reset;

    for my $n (1 .. 3) {
        my $r = $t->post('/to/cached', $CRITICAL);
        my $sent = $fake->counts->{requests};
        ok($r->{status} != 202 || $sent == $n,
           "status $r->{status}, requests $sent");
    }
};

subtest 'logs' => sub {
    $fake->reset;
    my $before = $t->access_mark;
    is($t->post("/to/$_", $CRITICAL)->{status}, 202)
        for qw(plain logged error_page rewrite);

    ok(wait_until(sub {
        4 == (() = substr($t->access_log, $before) =~ /\n/g) }, 2),
       'one line of each webhook') or diag substr $t->access_log, $before;
    is(-s $t->path('endpoint.log') || 0, 0, 'none of a delivery');

    is($t->post('/to/no_log', $CRITICAL)->{status}, 202);
    like($t->read_file('endpoint.error.log'),
         qr/ilert event \d+ delivered: source "no_log",/,
         'error_log of the endpoint');
};

done();
