#!/usr/bin/perl

# What answers all webhooks before their location can is found by "nginx -t":
# a "return", or a "rewrite" that is a redirect, in the location or its server;
# and what may let some of them pass is not complained of.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertTest;

my $COMMON = <<'CONF' =~ s/\n/ /gr;
ilert_source ops { integration_key il1api5ec4e7a01; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    location /ilert/ { internal; ilert_endpoint;
                       proxy_read_timeout 20s;
                       proxy_pass http://127.0.0.1:9; }
}
server {
    listen 127.0.0.1:%%PORT_0%%;
CONF

my $t = IlertTest->new(conf => '', secrets => [ 'il1api5ec4e7a01' ],
                       common => qr/\Q$COMMON\E/);

sub conf {
    my ($server, $name, $location) = @_;
    return "$COMMON $server location $name { ilert_kapacitor ops; $location } "
           . 'location @else { return 418; } location = /else { return 418; } '
           . 'location /elsewhere/ { return 418; } }';
}

sub found {
    my ($where, $status, @conf) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->conf_accepted(conf(@conf), 'no webhook reaches "ilert_kapacitor" in '
        . "F:1, a \"return\" or \"rewrite\" in its $where answers all of them "
        . "with $status");
}

sub passed { $t->conf_accepted(conf(@_)) }

subtest 'answers to all' => sub {
    found('location', 503, '', '= /k', 'return 503;');
    found('location', 301, '', '/k', 'return 301 https://$host$request_uri;');
    found('location', 302, '', '~ ^/k', 'return https://example.com/;');
    found('location', 200, '', '/', 'set $a 1; return 200 fine;');
    found('location', 418, '', '@k', 'error_page 418 @else; return 418;');
    found('server', 301, 'return 301 https://$host$request_uri;', '= /k', '');
    found('server', 444, 'set $a b; return 444;', '/k', '');
    found('server', 400, 'return 400;', '= /k', 'return 401;');

    found('location', 301, '', '= /k', 'rewrite ^ https://a/ permanent;');
    found('server', 302, 'rewrite ^(.*)$ https://a$1;', '= /k', '');
    found('server', 301, 'rewrite ^/other /else last; return 301 /else;',
          '= /k', '');
};

subtest 'answers to some, and what is not judged' => sub {
    passed('', '= /k', '');
    passed('', '= /k', 'if ($arg_x) { return 503; }');
    passed('', '= /k', 'if ($request_method = POST) { break; } return 405;');
    passed('if ($scheme = http) { return 301 https://$host/; }', '= /k', '');
    passed('if ($http_x) { set $a 1; } return 301 /;', '= /k', '');
    passed('', '= /k', 'rewrite ^ /else last; return 503;');
    passed('', '= /k', 'break; return 503;');
    passed('', '= /k', 'rewrite ^/x https://a/ permanent;');
    passed('', '/k', 'rewrite ^ https://a/ permanent;');
    passed('', '= /k', 'set $a $arg_a; set $b 1;');
    passed('return 418; error_page 418 @k;', '@k', '');
    passed('location = /before { return 503; }', '= /k', '');
};

done();
