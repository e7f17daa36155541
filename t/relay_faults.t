#!/usr/bin/perl

# Relaying to an ilert in trouble: refused, reset, silent, slow, endless, not
# HTTP.  Kapacitor is told in time, nothing is sent twice, a worker can leave.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use IlertFake;
use IlertTest;

my $KEY = 'il1api5ec4e7a01';
my $KAP = 'il1kap5ec4e7b01';

my $fake = IlertFake->start(keys => { $KEY => 'api', $KAP => 'kapacitor' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    ilert_source ops { integration_key $KEY; }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }
    ilert_source kept { integration_key $KEY; endpoint kept; }
    ilert_source unbuffered { integration_key $KEY; endpoint unbuffered; }

    upstream kept { server %%FAKE%%; keepalive 2; }
    proxy_read_timeout 3s;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /ops { ilert_kapacitor ops; }
        location = /native { ilert_kapacitor native; }
        location = /kept { ilert_kapacitor kept; }
        location = /unbuffered { ilert_kapacitor unbuffered; }

        %%ENDPOINT%%

        location /kept/ {
            internal;
            ilert_endpoint kept;
            proxy_pass http://kept/api/\$ilert_path;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host \$host;
        }

        location /unbuffered/ {
            internal;
            ilert_endpoint unbuffered;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_set_header Connection close;
        }
    }
CONF

my @URIS = qw(/ops /native /kept /unbuffered);
my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $REFUSED = 'the connection to ilert was refused';
my $RESET = 'the connection to ilert was reset';
my $CLOSED = 'the connection to ilert was closed before the answer';
my $GONE = qr/^(?:\Q$RESET\E|\Q$CLOSED\E)$/;     # as soon as it is noticed
my $LATE = 'ilert did not answer in time';


# A webhook to each source, at once, under that rule of the fake: the status,
# the error (text, pattern, or undef: accepted), requests of each (that the
# fake has read), taken (those that count).

sub under {
    my ($what, $rule, $status, $error, %opt) = @_;

    subtest $what => sub {
        my @uris = @{$opt{uris} || \@URIS};
        $fake->reset;
        $fake->rule(%$rule);

        my @answers = $t->finish(map {
            $t->start_post($_, $CRITICAL) } @uris);

        for my $i (0 .. $#uris) {
            my $r = $answers[$i];
            is($r->{status}, $status, "$uris[$i]: status");
            ok($r->{closed}, 'closed');

            my %json = %{$r->{json} || {}};
            is($json{status}, $status == 202 ? 'accepted' : 'rejected');
            ref $error ? like($json{error}, $error)
                       : is($json{error}, $error, 'error');
        }

        my $counts = $fake->counts;
        is($counts->{requests}, ($opt{requests} // 1) * @uris, 'requests');
        is($counts->{events}, $opt{taken} * @uris, 'events taken')
            if defined $opt{taken};

        # two may be kept
        ok(wait_until(sub { $fake->counts->{open} <= 2 }, 2),
           'connections are closed');
    };
}

under('no trouble', { match => qr/never/ }, 202, undef, taken => 1);

$fake->refuse(all => 1);

subtest 'refused' => sub {
    for my $uri (@URIS) {
        my $r = $t->post($uri, $CRITICAL);
        is($r->{status}, 502, $uri);
        is($r->{json}{error}, $REFUSED);
    }

    is(scalar(() = $t->grep_log(qr/connect\(\) failed \(111/)), 4,
       'what nginx says of it');
};

$fake->accept;

# An upstream connection that turns out to be closed is no reason to send an
# event again: a POST is not idempotent.  Only a kept connection that is found
# closed when the request is sent gets another try, by nginx's own rules.

under("reset $_", { reset => $_ }, 502, $RESET, requests => 0)
    for 'accept', 'before';
under("closed $_", { close => $_ }, 502, $GONE, requests => 0)
    for 'accept', 'before';
under("reset $_", { reset => $_ }, 502, $RESET) for 'after', 'mid';
under("closed $_", { close => $_ }, 502, $CLOSED) for 'after', 'mid';

# The head is there: that is an answer.

for my $end ('reset', 'close') {
    under("$end within the body of 202",
          { $end => 'midbody', body => 'x' x 9, status => 202 }, 202, undef);
    under("$end within the body of 400",
          { $end => 'midbody', body => 'x' x 9, status => 400 }, 502,
          qr/^ilert answered 400(?:: x+)?$/);
    under("$end within the body of 429",
          { $end => 'midbody', body => 'x' x 9, status => 429 }, 503,
          qr/^ilert answered 429(?:: x+)?$/);
}

under('no answer', { hang => 1 }, 504, $LATE);
under('not even read', { hang => 'before' }, 504, $LATE,
      requests => 0);
under('slow', { delay => 0.7 }, 202, undef, taken => 1);
under('slow 400', { delay => 0.7, status => 400 }, 502,
      'ilert answered 400');
under('byte by byte', { drip => 0.002 }, 202, undef);
under('slow 429', { delay => 0.7, status => 429 }, 503,
      'ilert answered 429');

# What is no HTTP.

my $SPEAKS = 'what answered does not speak HTTP: upstream sent';
my $NO_HEADER = "$SPEAKS no valid HTTP/1.0 header";

under('not HTTP', { raw => "hello\r\n\r\n" }, 502, $NO_HEADER);
under('an empty line', { raw => "\r\n" }, 502, $NO_HEADER);
under('no status', { raw => "HTTP/1.1 \r\n\r\n" }, 502, $NO_HEADER);
under('a strange status', { raw => "HTTP/1.1 2022 x\r\n\r\n" }, 502,
      $NO_HEADER);
under('half a status line', { raw => 'HTTP/1.1 202' }, 502, $CLOSED);
under('half a head', { raw => "HTTP/1.1 202 Accepted\r\nX-A: b\r\n" }, 502,
      $CLOSED);
under('a bad header', { raw => "HTTP/1.1 202 Accepted\r\nA\0: b\r\n\r\n" },
      502, qr/^$SPEAKS invalid header: /);
under('a head that is too large', { status => 202,
      headers => [ map { ("X-$_" => 'x' x 1000) } 1 .. 20 ] }, 502,
      "$SPEAKS too big header");
under('no reason phrase', { raw => "HTTP/1.0 202\r\n\r\n" }, 202, undef);
under('HTTP/1.0', { raw => "HTTP/1.0 400 no\r\n\r\nbecause" }, 502,
      'ilert answered 400: because');
under('chunked', { raw => "HTTP/1.1 400 no\r\nTransfer-Encoding: chunked\r\n"
      . "\r\n3\r\nbec\r\n4\r\nause\r\n0\r\n\r\n" }, 502,
      'ilert answered 400: because', uris => [qw(/kept /unbuffered)]);
under('Content-Length too large',
      { raw => "HTTP/1.1 202 x\r\nContent-Length: 9\r\n\r\n" }, 202, undef);
under('bytes beyond Content-Length',
      { raw => "HTTP/1.1 202 x\r\nContent-Length: 1\r\n\r\nab" }, 202, undef);
under('an interim answer', { raw => "HTTP/1.1 100 Continue\r\n\r\n"
      . "HTTP/1.1 500 x\r\n\r\n" }, 502, 'ilert answered 500');

# Answers that go on and on.

under("huge $_->[0]", { status => $_->[0], huge => 8_000_000 }, $_->[1],
      $_->[2])
    for [ 202, 202, undef ], [ 500, 502, qr/^ilert answered 500/ ];
under("endless $_->[0]", { status => $_->[0], endless => 1 }, $_->[1],
      $_->[2])
    for [ 202, 202, undef ], [ 429, 503, qr/^ilert answered 429/ ];

# A byte now and then: read for five seconds, together to save time.

subtest 'chatty' => sub {
    $fake->reset;
    my $open = $fake->counts->{open};
    $fake->rule(status => 202, body => 'x' x 90_000, drip => 0.003);

    my @r = $t->finish(map { $t->start_post($_, $CRITICAL) } @URIS, @URIS);
    is("@{[map { $_->{status} } @r]}", "@{[(202) x 8]}",
       'accepted, minutes before its end');
    ok(wait_until(sub { $fake->counts->{open} <= $open }, 2),
       'nothing stays open');
};

# The worker has served all of this.

subtest 'the end' => sub {
    $fake->reset;
    is($t->post($_, $CRITICAL)->{status}, 202, $_) for @URIS;
    is(scalar(() = $t->grep_log(qr/exited/)), 0, 'no worker has died');

    $fake->rule(status => 202, endless => 1);
    is($t->post($_, $CRITICAL)->{status}, 202, "$_ endless") for @URIS;

    $t->stop;
    ok(!$t->running, 'the worker leaves');
};

done();
