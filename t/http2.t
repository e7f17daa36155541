#!/usr/bin/perl

# Clients of HTTP/2, cleartext: here a client that goes away, or takes its
# request back, is noticed at once, while the delivery is under way.

use warnings;
use strict;

use lib 't/lib';

use Test::More;

use IlertFake;
use IlertHttp2;
use IlertTest;

plan(skip_all => 'an nginx without HTTP/2') unless IlertTest::has_http2();

my $fake = IlertFake->start(keys => { il1api5ec4e7c01 => 'api' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<'EOC');
ilert_source ops { integration_key il1api5ec4e7c01; }
server {
    listen 127.0.0.1:%%PORT_0%% http2;
    location = /kapacitor { ilert_kapacitor ops; }
    %%ENDPOINT%%
}
EOC

$t->start;

my $body = webhook('01-levels-04-CRITICAL');

for my $case ('reset', 'closed', 'waits') {
    subtest $case => sub {
        $fake->reset;
        $fake->rule(delay => 1);

        my $client = IlertHttp2->post($t->port(0), '/kapacitor', $body);
        ok($fake->wait_requests(1), 'under way');

        if ($case eq 'waits') {
            like($client->answer, qr/"status":"accepted"/, 'answered');

        } else {
            $client->cancel if $case eq 'reset';
            $client->close if $case eq 'closed';
        }

        ok($fake->wait_events(1, 5), 'delivered');
        is(scalar(@{[ $t->workers ]}), 1, 'the worker lives');
    };
}

done();
