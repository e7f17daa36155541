#!/usr/bin/perl

# TLS: to ilert, with verification of its certificate, and from clients.

use warnings;
use strict;

use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertTest;

plan(skip_all => 'no IO::Socket::SSL') unless IlertFake::have_tls;

my $KEY = 'il1api5ec4e7a01';
my $KAP = 'il1kap5ec4e7b01';
my %KEYS = ($KEY => 'api', $KAP => 'kapacitor');

my $files = IlertTest->new(conf => '');
my $other_ca = IlertTest->new(conf => '');
my $dir = $files->dir;

my %certificate = (
    good => IlertFake::certificates($dir, name => 'good'),
    name => IlertFake::certificates($dir, name => 'name',
                                    hosts => [ 'api.example.com' ]),
    expired => IlertFake::certificates($dir, name => 'expired', days => -1),
    self => IlertFake::certificates($dir, name => 'self', self => 1),
    untrusted => IlertFake::certificates($other_ca->dir, name => 'untrusted'),
);

my %fake = map {
    $_ => IlertFake->start(keys => \%KEYS, tls => $certificate{$_})
} sort keys %certificate;

my $plain = IlertFake->start(keys => \%KEYS);
my $ca = $certificate{good}{ca_file};

# takes connections, and says nothing

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128,
    ReuseAddr => 1, LocalPort => IlertFake::free_port()) or die "listen: $@\n";

# renewed is the one whose certificate becomes a good one

$fake{renewed} = IlertFake->start(keys => \%KEYS,
                                  tls => $certificate{expired});

my $locations = '';
my $sources = '';

for my $name (sort keys %fake, 'plain', 'unverified', 'kept',
              'old_version', 'named', 'next', 'mute', 'patient')
{
    my $to = $name eq 'plain' ? $plain
             : $fake{$name}
               || $fake{$name eq 'unverified' ? 'self' : 'good'};
    my $address = $name eq 'mute' ? '127.0.0.1:' . $mute->sockport
                  : $to->address;
    my $pass = "https://$address/api/\$ilert_path";
    my $more = 'proxy_ssl_verify on; proxy_ssl_server_name on;
                proxy_ssl_name api.ilert.test;';

    $more = '' if $name eq 'unverified';
    $more .= 'proxy_ssl_protocols TLSv1; proxy_ssl_ciphers ALL;'
        if $name eq 'old_version';

    # an upstream's name is what is verified, unless another is set

    if ($name eq 'named') {
        $pass = 'https://api.ilert.test/api/$ilert_path';
        $more = 'proxy_ssl_verify on; proxy_ssl_server_name on;';
    }

    if ($name eq 'next') {
        $pass = 'https://next/api/$ilert_path';
        $more .= 'proxy_set_header Host $host;';
    }

    if ($name eq 'kept') {
        $pass = 'https://kept/api/$ilert_path';
        $more .= 'proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_set_header Host $host;';
    }

    # each handshake costs the fake some 30 ms of CPU: many at once take
    # seconds on a busy machine

    my $time = $name =~ /^(?:patient|name)$/ ? '30s' : '2s';

    $sources .= "ilert_source $name { integration_key $KEY; endpoint $name; }
        ilert_source native_$name { endpoint $name; webhook_url
            https://api.ilert.com/api/v1/events/kapacitor/$KAP; }\n";
    $locations .= "location /e_$name/ {
        internal;
        ilert_endpoint $name;
        proxy_pass $pass;
        proxy_connect_timeout $time;
        proxy_read_timeout $time;
        $more
    }\n";
}

my $kept = $fake{good}->address;
my $expired = $fake{expired}->address;

my $t = IlertTest->new(workers => 1, secrets => [ $KEY, $KAP ],
    conf => <<"CONF")->start;
    $sources

    upstream kept { server $kept; keepalive 2; }
    upstream api.ilert.test { server $kept; }
    upstream next { server $expired; server $kept; }
    map \$uri \$chosen { ~^/to/(?<name>.*)\$ \$name; }
    proxy_ssl_trusted_certificate $ca;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        listen 127.0.0.1:%%PORT_1%% ssl;
        ssl_certificate $certificate{good}{cert_file};
        ssl_certificate_key $certificate{good}{key_file};

        location /to/ { ilert_kapacitor \$chosen; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        $locations
    }
CONF

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $BATCH = webhook('30-big-batch-01-CRITICAL');

subtest 'a good certificate' => sub {
    for my $body ($CRITICAL, $BATCH) {
        for my $source ('good', 'native_good') {
            $fake{good}->reset;
            my $r = $t->post("/to/$source", $body);
            is($r->{status}, 202, $source);

            my $request = $fake{good}->request(0);
            ok($request->{taken}, 'taken');
            is($request->{sni}, 'api.ilert.test', 'SNI');
            is($request->{body}, $body, 'the body') if $source =~ /native/;
        }
    }
};

# Whoever it is, is not told the key.

subtest 'bad certificates' => sub {
    my %error = (
        name => 'does not have the name: "api.ilert.test"',
        expired => qr/is not trusted: \(10:certificate has expired\)/,
        self => qr/is not trusted: \(18:self.signed certificate\)/,
        untrusted => qr/is not trusted: \(2[01]:unable to .*\)/,
    );

    for my $name (qw(name expired self untrusted)) {
        for my $source ($name, "native_$name") {
            my $mark = $t->mark;
            my $r = $t->post("/to/$source", $CRITICAL);

            is($r->{status}, 502, "$source: 502");
            like($r->{json}{error}, qr/^ilert's certificate $error{$name}$/,
                 'the error');
            is($fake{$name}->counts->{requests}, 0, 'nothing is sent');
            ok($t->grep_log($name eq 'name'
                ? qr/\[error\] .*SSL certificate does not match "api\.ilert/
                : qr/\[error\] .*upstream SSL certificate verify error/,
                $mark), 'the log says why');
        }
    }
};

subtest 'no TLS at all' => sub {
    for my $source ('plain', 'native_plain') {
        my $r = $t->post("/to/$source", $CRITICAL);
        like($r->{status}, qr/^50[24]$/, "$source: $r->{status}");
        is($plain->counts->{events}, 0, 'nothing is sent');
    }

    my $mark = $t->mark;
    my $r = $t->post('/to/old_version', $CRITICAL);
    is($r->{status}, 502, 'no version in common');
    ok($t->grep_log(qr/SSL_do_handshake\(\) failed/, $mark));
};

subtest 'no handshake' => sub {
    my $r = $t->post('/to/mute', $CRITICAL);
    is($r->{status}, 504, 'too late');
    is($r->{json}{error}, 'no connection to ilert in time');
    cmp_ok($r->{time}, '>', 1.5, 'after proxy_connect_timeout');
    cmp_ok($r->{time}, '<', 5, 'and not later');
};

subtest 'by the name of an upstream' => sub {
    $fake{good}->reset;
    is($t->post('/to/named', $CRITICAL)->{status}, 202);
    is($fake{good}->request(0)->{sni}, 'api.ilert.test', 'SNI');
};

# A server with a bad certificate is one that does not work.

subtest 'several servers' => sub {
    my $before = $fake{expired}->counts->{connections};

    for my $n (1 .. 4) {
        $fake{good}->reset;
        is($t->post('/to/next', $CRITICAL)->{status}, 202, "webhook $n");
        is($fake{good}->counts->{requests}, 1, 'sent once');
    }

    cmp_ok($fake{expired}->counts->{connections}, '>', $before,
           'the bad one was tried');
    is($fake{expired}->counts->{requests}, 0, 'but sent nothing');
};

subtest 'many at once' => sub {
    $_->reset for $fake{good}, $fake{name};
    $fake{good}->rule(delay => 0.2);

    my @handles = map { $t->start_post($_ % 2 ? '/to/patient' : '/to/name',
                                       $CRITICAL) } 1 .. 20;
    is_deeply([ map { $_->{status} } $t->finish(@handles) ],
              [ (202, 502) x 10 ], 'each as its certificate is');
    is($fake{good}->counts->{requests}, 10, 'delivered');
    is($fake{name}->counts->{requests}, 0, 'not sent');
};

subtest 'a certificate that is renewed' => sub {
    my $port = $fake{renewed}->port;
    my $mark = $t->mark;

    is($t->post('/to/renewed', $CRITICAL)->{status}, 502, 'expired')
        for 1 .. 3;
    is($fake{renewed}->counts->{requests}, 0, 'nothing is sent');
    is(scalar(() = $t->grep_log(qr/ilert source "renewed": event/, $mark)),
       1, 'which is said once');

    $fake{renewed}->stop;
    $fake{renewed} = IlertFake->start(keys => \%KEYS, port => $port,
                                      tls => $certificate{good});

    is($t->post('/to/renewed', $CRITICAL)->{status}, 202, 'a good one');
    is($fake{renewed}->counts->{events}, 1, 'delivered');
    ok($t->wait_log(qr/ilert source "renewed": delivering again/, 3, $mark),
       'which is said, too');
};

subtest 'without verification' => sub {
    is($t->post('/to/unverified', $CRITICAL)->{status}, 202,
       'nginx does not verify unless it is told to');
};

subtest 'kept connections' => sub {
    $fake{good}->reset;
    my $before = $fake{good}->counts->{connections};
    is($t->post('/to/kept', $CRITICAL)->{status}, 202) for 1 .. 10;
    is($fake{good}->counts->{connections} - $before, 1, 'one handshake');
};

subtest 'answers' => sub {
    my $good = $fake{good};
    my $gone = qr/^the connection to ilert was (?:reset|closed .* answer)$/;

    for (
        [ { status => 400, body => '{"message":"why"}' }, 502,
          'ilert answered 400: why' ],
        [ { status => 429 }, 503, 'ilert answered 429' ],
        [ { reset => 'after' }, 502, $gone ],
        [ { reset => 'accept' }, 502,
          qr/^the (?:TLS handshake .* failed: peer closed .*|.* reset)$/ ],
        [ { reset => 'mid' }, 502, $gone ],
        [ { close => 'after' }, 502, $gone ],
        [ { hang => 1 }, 504, 'ilert did not answer in time' ],
        [ { status => 202, huge => 3_000_000 }, 202, undef ],
        [ { status => 202, endless => 1 }, 202, undef ],
    ) {
        my ($rule, $status, $error) = @$_;

        for my $source ('good', 'kept') {
            $good->reset;
            $good->rule(%$rule);
            my $r = $t->post("/to/$source", $CRITICAL);
            is($r->{status}, $status, "$source: @{[%$rule]}");
            ref $error ? like($r->{json}{error}, $error)
                       : is($r->{json}{error}, $error);
        }
    }

    $good->reset;
    ok(wait_until(sub { $good->counts->{open} <= 2 }, 3), 'are closed');
};

subtest 'clients' => sub {
    my $good = $fake{good};
    my @tls = (port => $t->port(1), tls => 1);
    my $sent;

    for my $body ($CRITICAL, $BATCH) {
        for my $opt ([], [ chunked => 500 ], [ pieces => 1000 ],
                     [ http => '1.0' ])
        {
            $good->reset;
            my $r = $t->post('/to/good', $body, @tls, @$opt);
            is($r->{status}, 202, "@$opt");
            ok($good->request(0)->{taken}, 'taken');
        }
    }

    is($t->post('/to/good', '{}', @tls)->{status}, 400, 'a bad body');
    is($t->get('/to/good', @tls)->{status}, 405, 'GET');
    is($t->post('/to/good', $CRITICAL, port => $t->port(1))->{status}, 400,
       'http to the port of https');

    # one that verifies as Kapacitor does

    my $r = $t->post('/to/good', $CRITICAL, port => $t->port(1), tls => {
        SSL_ca_file => $ca, SSL_verify_mode => 1,
        SSL_hostname => 'api.ilert.test', SSL_verifycn_scheme => 'http',
        SSL_verifycn_name => 'api.ilert.test',
    });
    is($r->{status}, 202, 'verified');
    ok($r->{whole} && $r->{closed}, 'a whole answer, closed');

    # those that go

    $good->reset;
    $good->rule(delay => 0.2);
    $t->finish(map { $t->start_post('/to/patient', $CRITICAL, @tls,
                                    abort => -1) } 1 .. 20);
    ok($good->wait_requests(20, 15), 'and are gone');
    ok(wait_until(sub { $good->counts->{events} == 20 }, 5), 'all delivered');

    $t->post('/to/good', $CRITICAL, @tls, abort => 300);
    is($t->post('/to/good', $CRITICAL, @tls)->{status}, 202, 'then another');
    is($good->counts->{requests}, 21, 'half a webhook is none');
};

is_deeply([ map { $_->errors } values %fake ], [], 'no fault of a request');

done();
