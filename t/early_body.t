#!/usr/bin/perl

# Bodies that nginx reads before it looks for a location, by the directive
# "client_body_early_read" of nginx 1.31.5 and later: "nginx -t" warns if the
# server's limit is less than ours, what the server refuses is counted, and
# what it has read is taken as any other webhook.

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

my $SOURCE = 'ilert_source ops { integration_key il1api5ec4e7a01; } ';
my $ENDPOINT = 'location /ilert/ { internal; ilert_endpoint; '
               . 'proxy_read_timeout 20s; proxy_pass http://127.0.0.1:9; } ';

my $t = IlertTest->new(conf => '', secrets => [ 'il1api5ec4e7a01' ],
                       common => qr/\Q$SOURCE\E|\Q$ENDPOINT\E/);

my (undef, $text) = $t->conf_lines('client_body_early_read 0;');
plan(skip_all => 'no client_body_early_read')
    if $text =~ /unknown directive "client_body_early_read"/;


# nginx -t ----------------------------------------------------------------

sub conf {
    my ($server, $location, $http) = @_;
    $http //= '';
    return "$SOURCE$http server { listen 127.0.0.1:%%PORT_0%%; $server "
           . "$ENDPOINT location = /k { ilert_kapacitor ops; $location } }";
}

sub warned {
    my ($size, $max, @conf) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->conf_accepted(conf(@conf), 'webhooks to "ilert_kapacitor" in F:1 are '
        . "refused if they are larger than $size bytes, as "
        . '"client_body_early_read" reads them by the limit of the server, '
        . "use \"client_max_body_size $max\" in that server");
}

sub passed {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $t->conf_accepted(conf(@_));
}

my $M = 1024 * 1024;
my $ON = 'client_body_early_read 1;';

subtest 'the limit of the server is less' => sub {
    warned($M, 16 * $M, $ON, '');
    warned($M, 16 * $M, 'client_body_early_read $http_x;', '');
    warned($M, 16 * $M, 'client_body_early_read 0 "" $http_x;', '');
    warned($M, 16 * $M, '', '', $ON);
    warned($M, 0, $ON, 'ilert_max_body_size 0;');
    warned(2000, 3000, "$ON client_max_body_size 2000;",
           'ilert_max_body_size 3000;');
    warned($M, 16 * $M, $ON, 'client_max_body_size 16m;');
};

subtest 'it is not, or nothing is read early' => sub {
    passed('', '');
    passed('client_body_early_read 0;', '');
    passed('client_body_early_read "" 0;', '');
    passed('client_body_early_read 0;', '', $ON);
    passed("$ON client_max_body_size 16m;", '');
    passed("$ON client_max_body_size 17m;", '');
    passed("$ON client_max_body_size 0;", 'ilert_max_body_size 0;');
    passed($ON, '', 'client_max_body_size 16m;');
    passed($ON, 'ilert_max_body_size 1m;');

    # another server

    passed('', '', "server { listen 127.0.0.1:%%PORT_1%%; $ON }");
};


# Requests ----------------------------------------------------------------

my $q = IlertStatus->new(sources => { ops => '' }, server => <<'CONF');
    client_body_early_read 1;
    client_max_body_size 4000;
    client_body_timeout 300ms;
    lingering_time 0;

    location = /small { ilert_kapacitor ops; ilert_max_body_size 2000; }
    location = /buffer { ilert_kapacitor ops; client_body_buffer_size 1; }
    location = /other { return 200 fine; }
    location = /page {
        ilert_kapacitor ops;
        error_page 413 /other;
    }
CONF
$q->start;

sub sized { IlertQueue::webhook('a', $_[0], 'CRITICAL', size => $_[1]) }

sub refused { $q->status->{refused} }

# nginx logs a request after it has answered it

sub counted {
    my ($n, $status, $location, $why, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    wait_until(sub { refused()->{rejected} == $n }, 10, "$n refused");
    is(refused()->{rejected}, $n, "$what: is counted");

    my $last = refused()->{last};
    is("$last->{status} $last->{location}", "$status $location",
       "$what: where");
    like($last->{error}, $why, "$what: why");
}

my $EARLY = qr/"client_max_body_size" of the server, by which "client_body_e/;

subtest 'what is read is taken' => sub {
    my $n = 0;

    for my $uri (qw(/ops /small /buffer /page)) {
        for my $opt ([], [ chunked => 300 ]) {
            is($q->test->post($uri, sized(++$n, 1000), @$opt)->{status},
               202, "$uri @$opt: 202");
        }
    }

    ok($q->fake->wait_events(1, 10), 'and delivered');
    is(refused()->{rejected}, 0, 'none is refused');
};

subtest 'what is not is counted' => sub {
    my $n = 0;

    for my $opt ([], [ chunked => 300 ]) {
        my $what = "@$opt" || 'a length';

        is($q->test->post('/ops', sized(99, 5000), @$opt)->{status}, 413,
           "$what: too large for the server");
        counted(++$n, 413, '/ops', $EARLY, $what);

        is($q->test->post('/small', sized(99, 3000), @$opt)->{status}, 413,
           "$what: for the location");
        counted(++$n, 413, '/small', qr/than "ilert_max_body_size"/, $what);
    }

    is($q->test->post('/ops', sized(99, 1000), length => 2000)->{status}, 0,
       'a slow client');
    counted(++$n, 408, '/ops', qr/did not come in time/, 'a slow client');

    is($q->test->post('/other', sized(99, 5000))->{status}, 413,
       'no webhook');
    is($q->test->get('/other')->{status}, 200, 'another one');
    is(refused()->{rejected}, $n, 'is not counted');
};

done();
