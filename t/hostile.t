#!/usr/bin/perl

# Bodies that want as much memory as they can get: whatever is in them, they
# get less than twenty times their size, and the worker lives.  Too many values
# are refused; the rows of a large batch are not too many.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertHostile;
use IlertTest;

my $KEY = 'il1api5ec4e7a01';
my $NATIVE = 'il1kap5ec4e7a02';

# what a webhook takes besides, however small it is, in bytes

my $LITTLE = 2 << 20;

my $TOO_MANY = 'body: more than 1000000 values besides those in rows of '
               . 'a series';

my $fake = IlertFake->start(keys => { $KEY => 'api', $NATIVE => 'kapacitor' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    # the fake ilert needs seconds for the largest ones
    proxy_read_timeout 50s;

    ilert_source ops { integration_key $KEY; }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$NATIVE;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location = /kapacitor { ilert_kapacitor ops; }
        location = /native { ilert_kapacitor native; }

        location = /memory {
            ilert_kapacitor ops;
            client_body_buffer_size 16m;
        }

        %%ENDPOINT%%
    }
CONF

my $sanitized = defined $ENV{ILERT_MODULE} && $ENV{ILERT_MODULE} eq '';

# The most memory that the worker has had so far.

sub memory {
    my ($pid) = $t->workers;

    my $status = IlertTest::slurp("/proc/$pid/status")
        // die "worker $pid: $!";
    my ($kb) = $status =~ /^VmHWM:\s+(\d+) kB$/m;
    return $kb * 1024;
}

# What a worker that has done nothing else needs for a body.

sub bounded {
    my ($what, $uri, $body) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $t->reload;
    my ($worker) = $t->workers;
    my $before = memory();

    my $answer = $t->post($uri, $body);
    like($answer->{status}, qr/^(?:202|400)$/, "$what is answered");

    my $times = (memory() - $before - $LITTLE) / length $body;
    my $size = sprintf '%.1f MB, %.1f times', length($body) / 1e6, $times;

    SKIP: {
        skip 'memory under a sanitizer', 1 if $sanitized;
        cmp_ok($times, '<', 20, "$what: $size");
    }

    is(($t->workers)[0], $worker, 'the worker lives');
    return $answer;
}

for my $kind (IlertHostile::kinds()) {
    $fake->reset;
    bounded($kind, '/kapacitor', IlertHostile::many($kind, 8_000_000));
}

for my $kind (IlertHostile::kinds()) {
    my $answer = bounded("small: $kind", '/kapacitor',
                         IlertHostile::body($kind, 240_000));
    unlike($answer->{json}{error} // '', qr/more than/, 'but not that');
}

bounded("in memory: $_", '/memory', IlertHostile::many($_, 8_000_000))
    for 'empty columns', 'empty tags', 'an id that is no UTF-8';

# All values are counted, in whatever they are, and whether they are read or
# not: those of the webhook itself, and those that are too many.

subtest 'too many values' => sub {
    my %own = (
        'scalars' => 5, 'strings' => 5, 'empty arrays' => 5,
        'empty objects' => 5, 'members' => 4, 'members of data' => 5,
        'empty series' => 6, 'empty tags' => 9, 'empty columns' => 9,
        'empty rows' => 10, 'rows of a digit' => 11,
        'values before columns' => 11,
    );

    for my $kind (sort keys %own) {
        my $n = 1_000_000 - $own{$kind};
        my @r = map { $t->post('/kapacitor', IlertHostile::values($kind, $_),
                               timeout => 60) } $n, $n + 1;

        is($r[0]{status}, 202, "$kind: a million values");
        is($r[1]{status}, 400, 'one more');
        is_deeply($r[1]{json}, { status => 'rejected', error => $TOO_MANY });
    }

    for my $kind (sort keys %own) {
        my $r = $t->post('/kapacitor', IlertHostile::body($kind, 15_000_000),
                         timeout => 60);
        is($r->{json}{error}, $TOO_MANY, "$kind: many more");
    }
};

subtest 'a large batch' => sub {
    my $small = IlertHostile::batch(200_000);
    my $large = IlertHostile::batch(15_900_000);

    my $cells = () = $large =~ /,/g;
    cmp_ok($cells, '>', 1_000_000, "$cells values");
    cmp_ok(length $large, '<', 16 << 20, 'no more than may be sent');

    my @events;

    for ($small, $large) {
        $fake->reset;
        is($t->post('/kapacitor', $_)->{status}, 202);
        push @events, $fake->request(0)->{body};
    }

    ok($events[0] eq $events[1], 'the event is that of its first rows');
    like($events[0], qr/"fields":\{"value":0\.5,"text":"the last","a":4,"b"/);
    like($events[0], qr/"rows":\[\{"time":"2026[^{]*\{[^{]*\{"value":1\.5,/);
    like($events[0], qr/,"truncated":true\}\}\z/);

    $fake->reset;
    is($t->post('/native', $large)->{status}, 202);
    ok($fake->request(0)->{body} eq $large, 'a native source gets it whole');

    my $answer = bounded('a large batch', '/kapacitor', $large);
    is($answer->{status}, 202);
};

is_deeply([ $fake->errors ], [], 'ilert got nothing invalid');

done();
