#!/usr/bin/perl

# The endpoint of the README: a name that is resolved at run time, since there
# is a variable in proxy_pass.  nginx starts without a name server, waits for
# it no longer than resolver_timeout, and follows a changed address.

use warnings;
use strict;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use IlertDNS;
use IlertFake;
use IlertTest;

my $KEY = 'il1api5ec4e7e01';
my $KAP = 'il1kap5ec4e7e02';
my %KEYS = ($KEY => 'api', $KAP => 'kapacitor');
my $NAME = 'api.ilert.test';

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $OK = webhook('01-levels-08-OK');

# The same port on two addresses of this machine, as two of ilert's.

my $fake = IlertFake->start(keys => \%KEYS);
my $PORT = $fake->port;
my $moved = IlertFake->start(keys => \%KEYS, address => '127.0.0.2',
                             port => $PORT);

my $dns = IlertDNS->start(names => { $NAME => '127.0.0.1' });
$dns->mode('down');
my $RESOLVER = $dns->address;

sub conf {
    my ($valid) = @_;

    return <<"CONF";
    ilert_source ops { integration_key $KEY; }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }
    ilert_source none { integration_key $KEY; endpoint none; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /kapacitor { ilert_kapacitor ops; }
        location = /native { ilert_kapacitor native; }
        location = /none { ilert_kapacitor none; }

        location /ilert/ {
            internal;
            ilert_endpoint;

            resolver $RESOLVER $valid;
            resolver_timeout 500ms;

            proxy_pass http://$NAME:$PORT/api/\$ilert_path;
            proxy_http_version 1.1;
            proxy_connect_timeout 1s;
            proxy_read_timeout 5s;
        }

        location /none/ {
            internal;
            ilert_endpoint none;
            proxy_pass http://$NAME:$PORT/api/\$ilert_path;
        }
    }
CONF
}

# one worker: each has a cache of its own

my $t = IlertTest->new(fake => [ $fake, $moved ], workers => 1,
                       conf => conf(''))->start;

sub sent { map { $_->counts->{requests} } $fake, $moved }
sub reset_fakes { $_->reset for $fake, $moved }

# Posts until the answer is that; the time to live is a second.

sub becomes {
    my ($status, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r;
    ok(wait_until(sub { $r = $t->post('/kapacitor', $CRITICAL);
                        $r->{status} == $status }, 6), $what);
    return $r;
}

# The name server answers with the first address, or with the given ones.  An
# answer lives a second, and nginx may have looked up another just now.

sub answers {
    my (@addresses) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $dns->mode('answer');
    $dns->set($NAME, @addresses ? @addresses : '127.0.0.1');
    becomes(202, 'the name is known');
    sleep(2.1);
}

# what nginx says if there is no answer of a name server

my $LATE = '110: Operation timed out';

# Nothing was sent, and Kapacitor is told within the time.

sub unavailable {
    my ($what, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r = $t->post($opt{uri} || '/kapacitor', $CRITICAL);

    is($r->{status}, 502, "$what: 502");
    is($r->{json}{status}, 'rejected', 'rejected');
    is($r->{json}{error}, $opt{error} || 'no address of ilert was found: '
       . "$NAME could not be resolved ($opt{why})", 'the error');
    ok($r->{closed}, 'closed');
    cmp_ok($r->{time}, '>', $opt{least}, 'it waited') if $opt{least};
    cmp_ok($r->{time}, '<', 3, 'but not for long');

    return $r;
}


subtest 'nginx starts while the name server is down' => sub {
    my $mark = $t->mark;

    unavailable('down', why => $LATE);
    unavailable('down, a webhook URL', uri => '/native', why => $LATE);

    is_deeply([ sent() ], [ 0, 0 ], 'nothing was sent');
    ok($t->grep_log(qr/$NAME could not be resolved/, $mark), 'nginx says why');
    is(scalar(() = $t->grep_log(qr/ilert source "ops": event \d+ not deliv/,
                                $mark)), 1, 'the source\'s fault is said');
};

subtest 'the name server comes up' => sub {
    my $mark = $t->mark;

    unavailable('before', why => $LATE);
    reset_fakes();
    $dns->mode('answer');
    becomes(202, 'delivered');

    is($fake->alerts->{$KEY}{'cpu:host=web01'}{state}, 'open', 'open');
    is($t->post('/kapacitor', $OK)->{status}, 202, 'OK');
    is($fake->alerts->{$KEY}{'cpu:host=web01'}{state}, 'resolved',
       'resolved');
    is($t->post('/native', $CRITICAL)->{status}, 202, 'a webhook URL');

    is_deeply([ map { $_->{uri} } $fake->requests ],
              [ '/api/events', '/api/events',
                "/api/v1/events/kapacitor/$KAP" ], 'paths');
    is($fake->request(0)->{header}{host}, "$NAME:$PORT", 'Host');
    is_deeply([ sent() ], [ 3, 0 ], 'each was sent once');
    ok($t->wait_log(qr/ilert source "ops": delivering again/, 3, $mark),
       'the end of the fault is said');

    my ($query) = grep { $_->{type} eq 'A' } $dns->queries;
    is($query->{name}, $NAME, 'what was asked');
};

subtest 'a changed address' => sub {
    answers();
    reset_fakes();
    is($t->post('/kapacitor', $CRITICAL)->{status}, 202, 'the first');
    $dns->set($NAME, '127.0.0.2');

    # while the old one still serves, too: no webhook fails

    my @bad;
    ok(wait_until(sub {
        my $r = $t->post('/kapacitor', $CRITICAL);
        push @bad, $r->{status} if $r->{status} != 202;
        sleep(0.05);
        return (sent())[1];
    }, 8), 'the second');
    is("@bad", '', 'none was refused on the way');

    my ($before) = sent();
    is($t->post('/kapacitor', $OK)->{status}, 202, 'OK') for 1 .. 3;
    is((sent())[0], $before, 'nothing more to the first');
    is($moved->alerts->{$KEY}{'cpu:host=web01'}{state}, 'resolved',
       'resolved');
};

subtest 'several addresses' => sub {
    answers('127.0.0.3', '127.0.0.2');
    reset_fakes();
    my $mark = $t->mark;

    is($t->post('/kapacitor', $CRITICAL)->{status}, 202, 'webhook')
        for 1 .. 6;
    is_deeply([ sent() ], [ 0, 6 ], 'each was sent once');
    ok($t->grep_log(qr/connect\(\) failed.*127\.0\.0\.3:$PORT/, $mark),
       'the one that refuses was tried');
};

subtest 'troubles' => sub {
    answers('127.0.0.2');
    reset_fakes();

    $dns->mode('silent');
    my $n = $dns->queries;
    unavailable('silent', least => 0.4, why => $LATE);
    cmp_ok(scalar $dns->queries, '>', $n, 'it was asked');

    # all of them wait at once

    my @handles = map { $t->start_post('/kapacitor', $CRITICAL) } 1 .. 10;
    my @answers = $t->finish(@handles);
    is_deeply([ map { $_->{status} } @answers ], [ (502) x 10 ], 'ten of it');
    is(scalar(grep { $_->{time} > 3 } @answers), 0, 'in time');

    # a client that goes meanwhile

    my $mark = $t->mark;
    $t->post('/kapacitor', $CRITICAL, abort => -1);
    $t->post('/native', $CRITICAL, abort => -1, abort_reset => 1);
    sleep(1);
    is_deeply([ sent() ], [ 0, 0 ], 'nothing was sent');

    $dns->mode('answer');
    becomes(202, 'back');
    is_deeply([ sent() ], [ 0, 1 ], 'what was refused is not sent later');

    my %why = (servfail => '2: Server failure', down => $LATE);

    for my $mode ('servfail', 'down') {
        $dns->mode($mode);
        sleep(1.1);
        becomes(502, $mode);
        reset_fakes();
        unavailable($mode, why => $why{$mode});
        is_deeply([ sent() ], [ 0, 0 ], 'nothing was sent');
    }

    $dns->mode('answer');
    $dns->set($NAME);
    becomes(502, 'no such name');
    $mark = $t->mark;
    unavailable('no such name', why => '3: Host not found');
    ok($t->grep_log(qr/$NAME could not be resolved \(3: Host not found\)/,
                    $mark), 'nginx says why');

    unavailable('no resolver', uri => '/none',
                error => 'no "resolver" is set to look up the name of ilert: '
                . "no resolver defined to resolve $NAME");
    ok($t->grep_log(qr/no resolver defined to resolve $NAME/), 'nginx, too');

    $dns->set($NAME, '127.0.0.1');
    becomes(202, 'there it is again');
};

subtest 'valid=' => sub {
    $dns->mode('answer');
    $dns->set($NAME, '127.0.0.1');
    $t->set_conf(conf('valid=30s'));
    $t->reload;
    reset_fakes();

    is($t->post('/kapacitor', $CRITICAL)->{status}, 202, 'resolved');
    my $n = $dns->queries;
    $dns->mode('down');
    sleep(1.5);
    is($t->post('/kapacitor', $OK)->{status}, 202, 'without a name server')
        for 1 .. 3;
    is(scalar $dns->queries, $n, 'it was not asked');
    is_deeply([ sent() ], [ 4, 0 ], 'each was sent once');
};

subtest 'a worker quits while a name is looked up' => sub {
    $dns->mode('silent');
    $t->set_conf(conf(''));
    $t->reload;
    reset_fakes();

    my $n = $dns->queries;
    my $handle = $t->start_post('/kapacitor', $CRITICAL);
    ok(wait_until(sub { $t->poll(0.05); $dns->queries > $n }, 3), 'asked');
    $t->reload;

    my ($r) = $t->finish($handle);
    is($r->{status}, 502, 'the webhook is answered');
    ok(wait_until(sub { !$t->old_workers }, 5), 'and the worker gone');
};

subtest 'verified by the name' => sub {
    plan skip_all => 'no IO::Socket::SSL' unless IlertFake::have_tls();

    my $dir = tempdir(CLEANUP => 1);
    my $files = IlertFake::certificates($dir, hosts => [ $NAME ]);
    my $other = IlertFake::certificates($dir, name => 'other',
                                        hosts => [ 'other.test' ]);

    my $right = IlertFake->start(keys => \%KEYS, tls => $files);
    my $port = $right->port;
    my $wrong = IlertFake->start(keys => \%KEYS, tls => $other,
                                 address => '127.0.0.2', port => $port);

    $dns->mode('answer');
    $dns->set($NAME, '127.0.0.1');

    # as it is in the README

    my $n = IlertTest->new(fake => $right, workers => 1,
        conf => <<"CONF")->start;
    ilert_source ops { integration_key $KEY; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /kapacitor { ilert_kapacitor ops; }

        location /ilert/ {
            internal;
            ilert_endpoint;
            resolver $RESOLVER;
            resolver_timeout 5s;
            proxy_pass https://$NAME:$port/api/\$ilert_path;
            proxy_http_version 1.1;
            proxy_connect_timeout 5s;
            proxy_read_timeout 15s;
            proxy_ssl_server_name on;
            proxy_ssl_verify on;
            proxy_ssl_verify_depth 3;
            proxy_ssl_trusted_certificate $files->{ca_file};
        }
    }
CONF

    is($n->post('/kapacitor', $CRITICAL)->{status}, 202, 'delivered');
    is($right->request(0)->{sni}, $NAME, 'server name');

    # whoever has the address by now has not the certificate

    $dns->set($NAME, '127.0.0.2');
    my $r;
    ok(wait_until(sub { $r = $n->post('/kapacitor', $OK);
                        $r->{status} == 502 }, 6), 'another server');
    is($r->{json}{error},
       qq(ilert's certificate does not have the name: "$NAME"), 'the error');
    is($wrong->counts->{requests}, 0, 'nothing was sent');
    cmp_ok($wrong->counts->{connections}, '>', 0, 'but it was tried');
    ok($n->grep_log(qr/certificate does not match "$NAME"/),
       'nginx says why');
};

is_deeply([ map { $_->errors } $fake, $moved ], [], 'no fault of a request');

done();
