#!/usr/bin/perl

# Interim answers, 100 Continue or 103 Early Hints, say nothing of what becomes
# of an event: they are skipped, and the answer is the one that follows.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $OTHER = 'il1api5ec4e7a02';

my $fake = IlertFake->start(keys => { $KEY => 'api', $OTHER => 'api' });

# How a location talks to its upstream

my %ENDPOINTS = (
    old => 'proxy_http_version 1.0;',
    new => 'proxy_http_version 1.1; proxy_set_header Connection close;',
    kept => 'proxy_http_version 1.1; proxy_set_header Connection "";',
    unbuffered => 'proxy_http_version 1.1; proxy_set_header Connection ""; '
                  . 'proxy_buffering off;',
    small => 'proxy_http_version 1.1; proxy_buffer_size 512; '
             . 'proxy_buffers 4 512; proxy_busy_buffers_size 512;',
    hidden => 'proxy_http_version 1.1; proxy_intercept_errors on; '
              . 'error_page 400 429 500 =200 @nowhere;',
    next => 'proxy_next_upstream http_503 non_idempotent; '
            . 'proxy_http_version 1.1; proxy_set_header Connection "";',
);

my @NAMES = sort keys %ENDPOINTS;

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    @{[map { "ilert_source $_ { integration_key $KEY; endpoint $_; }" }
       @NAMES]}

    upstream kept { server %%FAKE%%; keepalive 4; }
    upstream two { server %%FAKE%% max_fails=0; server %%FAKE%% max_fails=0;
                   keepalive 4; }
    proxy_read_timeout 5s;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location \@nowhere { return 200; }
        @{[map {
            my $to = $_ eq 'kept' ? 'kept' : $_ eq 'next' ? 'two' : '%%FAKE%%';
            "location = /$_ { ilert_kapacitor $_; } location /to-$_/ { "
            . "internal; ilert_endpoint $_; $ENDPOINTS{$_} "
            . "proxy_pass http://$to/api/\$ilert_path; "
            . 'proxy_set_header Host $host; }' } @NAMES]}
    }
CONF

my $CRITICAL = webhook('01-levels-04-CRITICAL');
my $HUNDRED = [ (103) x 12 ];

sub relayed {
    my ($what, $rule, $status, $error) = @_;

    subtest $what => sub {
        $fake->reset;
        $fake->rule(%$rule);
        my @answers = $t->finish(map {
            $t->start_post("/$_", $CRITICAL, timeout => 30) } @NAMES);

        for my $i (0 .. $#NAMES) {
            my $json = $answers[$i]{json} || {};
            my $text = $json->{error} // $json->{status};
            $text .= ': not so' if $NAMES[$i] eq 'hidden' && $text =~ / 400$/;
            is("$answers[$i]{status} $text", "$status $error", $NAMES[$i]);
        }

        is($fake->counts->{requests}, @NAMES, 'one request of each');
    };
}

for my $interim ([ 100 ], [ 103 ], [ 102 ], [ 100, 103, 103 ], $HUNDRED) {
    my $n = @$interim > 3 ? scalar(@$interim) . ' times 103' : "@$interim";

    relayed("$n, then 202", { interim => $interim }, 202, 'accepted');
    relayed("$n, then 400", { interim => $interim, status => 400,
            body => '{"message":"not so"}' },
            502, 'ilert answered 400: not so');
}

relayed('byte by byte', { interim => [ 100, 103 ], drip => 0.001 },
        202, 'accepted');
relayed('nothing after it', { raw => "HTTP/1.1 103 Early Hints\r\n\r\n" },
        502, 'the connection to ilert was closed before the answer');
relayed('half of a head after it', { interim => [ 103 ], reset => 'mid' },
        502, 'the connection to ilert was reset');
relayed('silence after it', { interim => [ 103 ], drip => 10 },
        504, 'ilert did not answer in time');
relayed('a status that is none', { raw => "HTTP/1.1 199 Own\r\nA: b\r\n\r\n"
        . "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n\r\n" },
        503, 'ilert answered 429');
relayed('another protocol', { raw => "HTTP/1.1 101 Switching\r\n\r\n"
        . "HTTP/1.1 202 Accepted\r\n\r\n" }, 502,
        'ilert answered 101: HTTP/1.1 202 Accepted');

# newer releases of nginx skip 103, and only that, before we see it

relayed('no end of them', { interim => [ (102) x 100 ] }, 502,
        'what answered does not speak HTTP: upstream sent too many interim '
        . 'answers');

subtest 'the next server' => sub {
    $fake->reset;
    $fake->rule(interim => [ 103 ], status => 503, times => 1);
    $fake->rule(interim => [ 100, 103 ]);
    my $r = $t->post('/next', $CRITICAL);
    is($r->{status}, 202, 'is asked');
    is($fake->counts->{requests}, 2, 'within the same attempt');
};

subtest 'connections' => sub {
    $fake->reset;
    my $from = $fake->counts->{connections};
    $fake->rule(interim => [ 103 ]);
    is($t->post('/kept', $CRITICAL)->{status}, 202, 'taken') for 1 .. 5;
    cmp_ok($fake->counts->{connections} - $from, '<=', 1, 'are kept');
};

$t->stop;

subtest 'from a queue' => sub {
    my $q = IlertQueue->new;
    $q->start;
    $q->fake->rule(interim => [ 100, 103 ]);
    $q->say('a CRITICAL', 'b CRITICAL', 'a OK');
    ok($q->drained, 'all are delivered');
    is_deeply([ $q->faults(once => 1) ], [], 'once, in order');
    is_deeply([ map { $_->{header}{'x-attempt'} } $q->fake->requests ],
              [ 1, 1, 1 ], 'at the first attempt');

    $q->fake->clear_rules;
    $q->fake->rule(interim => [ 103 ], status => 400, times => 1);
    $q->post('c', 'CRITICAL');
    ok(wait_until(sub { () = $q->dead }), 'a dead letter is one');
    is(($q->dead)[0]{status}, 400, 'of the answer');
    $q->stop;
};

done();
