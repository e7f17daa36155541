#!/usr/bin/perl

# Host: a request to ilert is for the endpoint's host, whatever the server is
# called and at which level the headers of a proxy are set, as with Debian's
# proxy_params.  There is a front end, that knows its names.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertTest;

my $KEY = 'il1api5ec4e7c01';
my $KAP = 'il1kap5ec4e7c02';
my $BEAT = 'il1hbt5ec4e7c03';

my %KEYS = ($KEY => 'api', $KAP => 'kapacitor', $BEAT => 'heartbeat');
my $CRITICAL = webhook('01-levels-04-CRITICAL');

# /etc/nginx/proxy_params, as Debian had it for years, and has it now

my %PARAMS = map { $_ => <<"PARAMS" } qw(http_host host);
proxy_set_header Host \$$_;
proxy_set_header X-Real-IP \$remote_addr;
proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto \$scheme;
PARAMS

# endpoint => its parameters, and Host, and $host

my %ENDPOINT = (
    default => [ 'default', 'api.ilert.com' ],
    heartbeat => [ 'heartbeat', 'beat.ilert.com' ],
    given => [ 'given host=Ilert.Test', 'Ilert.Test', 'ilert.test' ],
    port => [ 'port rate=off host=api.ilert.test:8443',
              'api.ilert.test:8443', 'api.ilert.test' ],
    address => [ 'address host=192.0.2.1:81 rate=off', '192.0.2.1:81',
                 '192.0.2.1' ],
    six => [ 'six host=[2001:DB8::1]:81', '[2001:DB8::1]:81',
             '[2001:db8::1]' ],
);

my @HOSTS = map { ($_->[1], $_->[2] // ()) } values %ENDPOINT;

sub sources {
    return join "\n", map {
        "ilert_source $_ { integration_key $KEY; endpoint $_; }
         ilert_source native_$_ { endpoint $_; webhook_url
             https://api.ilert.com/api/v1/events/kapacitor/$KAP; }"
    } sort keys %ENDPOINT;
}

sub locations {
    my ($more) = @_;

    return join "\n", map {
        "location /to-$_/ { internal; ilert_endpoint $ENDPOINT{$_}[0];
             proxy_pass http://%%FAKE%%/api/\$ilert_path; $more }"
    } sort keys %ENDPOINT;
}

# Each source, and what the front end thinks of it.

for my $variable ('http_host', 'host') {
    for my $level ('http', 'server', 'location') {
        subtest "\$$variable, at the level of $level" => sub {
            my $fake = IlertFake->start(keys => \%KEYS, hosts => \@HOSTS);
            my %at = ($level => 'include %%DIR%%/proxy_params;');
            $_ //= '' for @at{qw(http server location)};

            my $t = IlertTest->new(fake => $fake, workers => 1,
                files => { proxy_params => $PARAMS{$variable} },
                conf => <<"CONF")->start;
    @{[sources()]}
    $at{http}
    map \$uri \$chosen { ~^/to/(?<name>.*)\$ \$name; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        server_name kapacitor.test;
        location /to/ { ilert_kapacitor \$chosen; }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        server_name own.test;
        $at{server}
        if (\$host = own.test) { return 404; }
        @{[locations($at{location})]}
    }
CONF
            for my $endpoint (sort keys %ENDPOINT) {
                my (undef, $host, $name) = @{$ENDPOINT{$endpoint}};
                my $wanted = $variable eq 'host' ? $name // $host : $host;

                for my $source ($endpoint, "native_$endpoint") {
                    $fake->reset;
                    my $r = $t->post("/to/$source", $CRITICAL,
                                     headers => [ Host => 'kapacitor.test' ]);
                    is($r->{status}, 202, $source);

                    my $request = $fake->request(0);
                    my @sent = map { lc $_->[0] eq 'host' ? $_->[1] : () }
                                   @{$request->{headers}};
                    is_deeply(\@sent, [ $wanted ], 'Host');
                    is($request->{header}{'x-forwarded-for'}, '127.0.0.1');
                    ok($request->{taken}, 'taken');
                }
            }
        };
    }
}

# If no header is set, Host is that of the URL in "proxy_pass".

subtest 'Host of the URL' => sub {
    my $fake = IlertFake->start(keys => \%KEYS);
    my $t = IlertTest->new(fake => $fake, workers => 1,
                           conf => <<"CONF")->start;
    ilert_source ops { integration_key $KEY; }
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location /kapacitor { ilert_kapacitor ops; }
        %%ENDPOINT%%
    }
CONF
    is($t->post('/kapacitor', $CRITICAL)->{status}, 202);
    is($fake->request(0)->{header}{host}, $fake->address);
};

# The same with a queue, and for the heartbeat: here no client waits for the
# answer, so nobody would see a wrong Host.

subtest 'a queue, and the heartbeat' => sub {
    plan(skip_all => 'needs threads') unless IlertTest::has_threads();

    my $q = IlertQueue->new(workers => 1, keys => \%KEYS,
        sources => { ops => "integration_key $KEY;" },
        files => { 'beat.key' => "$BEAT\n",
                   proxy_params => $PARAMS{http_host} },
        http => 'ilert_heartbeat %%DIR%%/beat.key;',
        server => 'location /beat/ { internal; ilert_endpoint heartbeat; '
            . 'include %%DIR%%/proxy_params; '
            . 'proxy_pass http://%%FAKE%%/api/pings/$ilert_path; }');

    $q->start;
    $q->at_once('ops', 'one');
    ok($q->drained, 'delivered');

    my $fake = $q->fake;
    ok($fake->wait_requests(2, 10), 'an event and a ping');

    my %host = map { $_->{method} => $_->{header}{host} } $fake->requests;
    is_deeply(\%host, { GET => 'beat.ilert.com', POST => 'api.ilert.com' });
    is_deeply([ $fake->errors ], [], 'no fault of a request');
};

done();
