#!/usr/bin/perl

# The stand-in for Kapacitor: its webhooks and the answers of its API are, byte
# for byte, what real ones have sent for the same states; and its faults are
# there when they are wanted.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Uncompress::Gunzip ();
use JSON::PP ();
use Test::More;
use Time::Local qw(timegm);
use Time::HiRes qw(time);

use IlertClient;
use IlertKapacitor;
use IlertKapacitorTopics;
use IlertTest;

my $REAL = "$FindBin::Bin/data/kapacitor-api";
my $BASE = '/kapacitor/v1/alerts/topics';
my $json = JSON::PP->new->utf8;

sub real { return IlertTest::slurp("$REAL/$_[0].json") }

# Nanoseconds since 1970

sub ns {
    my ($year, $month, $day, $h, $m, $s, $rest) = $_[0]
        =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)(?:\.(\d+))?Z$/ or die;
    return timegm($s, $m, $h, $day, $month - 1, $year) * 1_000_000_000
           + substr(($rest // '') . '0' x 9, 0, 9);
}

# The default details, read

sub dumped {
    my ($text) = @_;
    my %entity = (34 => '"', 39 => "'", 43 => '+');

    return {} if $text !~ /^\{&#34;Name/;
    $text =~ s/&#(\d\d);/$entity{$1}/g;
    return JSON::PP->new->decode($text);
}

# An event of a real Kapacitor, which is put into the stand-in as it is: with
# its default details, if it has these, made anew.

sub put {
    my ($topics, $topic, $event, %opt) = @_;
    my $state = $event->{state};
    my $dump = dumped($state->{details});
    my ($m, $s) = $state->{duration} =~ /^(?:(\d+)m)?(\d+)s$/ or die;

    $topics->collect($topic, $event->{id}, $state->{level},
        ns => ns($state->{time}), message => $state->{message},
        duration => (60 * ($m // 0) + $s) * 1_000_000_000,
        $dump->{Name} ? (name => $dump->{Name}, task => $dump->{TaskName},
                         tags => $dump->{Tags} // {},
                         group => $dump->{Group}, fields => $dump->{Fields})
                      : (details => $state->{details}), %opt);
}

sub as_sets {
    my ($text) = @_;
    my ($head, $events) = split /"events": \[\n/, $text;
    return [ $head, sort split /,?\n(?=        \{\n|    \]\n\})/, $events ];
}


subtest 'events' => sub {
    for my $file (qw(chrono deadman norec ops threshold)) {
        my $real = real("api-events-$file");
        my $data = $json->decode($real);
        my $topics = IlertKapacitorTopics->new;

        put($topics, $data->{topic}, $_) for @{$data->{events}};
        is_deeply(as_sets($topics->events($data->{topic})), as_sets($real),
                  $file);
    }
};

# The level of a topic is right or wrong by chance.

subtest 'topics' => sub {
    my $real = real('api-topics');
    my $topics = IlertKapacitorTopics->new;

    for (@{$json->decode($real)->{topics}}) {
        my $topic = $_;
        $topics->collect($topic->{id}, 'x', $topic->{level})
            for 1 .. $topic->{collected};
    }

    is($topics->list, $real, 'the list');

    $topics->topic('ops')->{collected} = 7;
    is($topics->object('ops'), real('api-topic'), 'one');
    is($topics->event('ops', 'disk web01/var/lib'), real('api-event-slash'),
       'an id with a slash');
    is($topics->handlers('main:threshold:alert2'), real('api-handlers-anon'),
       'handlers of a task');
    is(IlertKapacitorTopics::error_body('failed to get topic events: '
        . 'unknown topic "main:threshold:alert2"'),
       real('api-events-disabled'), 'an error');

    my $data = $json->decode(real('api-events-threshold'));
    put($topics, $data->{topic}, $_) for @{$data->{events}};
    is($topics->event($data->{topic}, 'threshold:host=web01'),
       real('api-event-one'), 'an event');
};

# A webhook is put together from its parts, and must come out as it was.

subtest 'webhooks' => sub {
    my @names = webhooks(qr/^(?:01-levels|02|05-uni|06-details|11-dead|12-chron
                            |15-topic-post-0|26-norec|29-nogroup)/x);
    cmp_ok(scalar @names, '>', 30, 'captured ones');

    for my $name (@names) {
        my $body = webhook($name);
        my $data = $json->decode($body);
        my $series = $data->{data}{series}[0];
        my ($time, @values) = @{$series->{values}[0]};
        my (undef, @columns) = @{$series->{columns}};
        my %fields;
        @fields{@columns} = @values;

        my $topics = IlertKapacitorTopics->new;
        my $dump = dumped($data->{details});
        my %opt = (ns => ns($data->{time}), message => $data->{message},
            duration => $data->{duration}, name => $series->{name},
            tags => $series->{tags} // {}, fields => \%fields,
            recoverable => $data->{recoverable});

        $dump->{TaskName}
            ? @opt{qw(task group server)}
              = @$dump{qw(TaskName Group ServerInfo)}
            : ($opt{details} = $data->{details});
        $topics->collect('t', $data->{id}, $data->{previousLevel}, %opt);

        my $event = $topics->collect('t', $data->{id}, $data->{level}, %opt);
        is($event->{body} =~ s/\n+\z//r, $body =~ s/\n+\z//r, $name);
    }
};

subtest 'durations' => sub {
    my %text = (0 => '0s', 1 => '1ns', 1500 => "1.5\x{b5}s",
        2_500_000 => '2.5ms', 1_000_000_000 => '1s',
        1_500_000_000 => '1.5s', 60_000_000_000 => '1m0s',
        63_000_000_000 => '1m3s', 3_600_000_000_000 => '1h0m0s',
        90_061_250_000_000 => '25h1m1.25s');

    is(IlertKapacitorTopics::duration($_), $text{$_}, $text{$_})
        for sort { $a <=> $b } keys %text;
};


# Over HTTP ---------------------------------------------------------------

my $k = IlertKapacitor->start(timeout => 0.4);
my $sink = IlertTest->new(workers => 1, conf => <<'CONF')->start;
    server {
        listen 127.0.0.1:%%PORT_0%%;
        location /taken { return 202 '{}'; }
        location /refused { return 503; }
    }
CONF
my $url = 'http://127.0.0.1:' . $sink->port . '/taken';

sub get {
    my ($uri, %opt) = @_;
    my $h = IlertClient->begin('GET', "$BASE$uri", port => $k->port, %opt);
    IlertClient::drive(sub { $h->{done} });
    return $h->answer;
}

sub outcomes { join ' ', map { $_->{outcome} } $k->webhooks }

subtest 'answers' => sub {
    $k->topic('main:a:alert2');
    $k->set('main:a:alert2', 'w1', 'CRITICAL');

    my $r = get('');
    is($r->{status}, 200);
    ok($r->{whole} && $r->{closed}, 'whole, and closed');
    is($r->{header}{connection}, 'close');
    is($r->{header}{'transfer-encoding'}, 'chunked');
    is($r->{json}{topics}[0]{collected}, 1);

    my $plain = get('/main:a:alert2/events');
    my $gzip = get('/main%3Aa%3Aalert2/events',
                   headers => ['Accept-Encoding' => 'gzip']);
    is($gzip->{header}{'content-encoding'}, 'gzip', 'compressed');
    IO::Uncompress::Gunzip::gunzip(\$gzip->{body}, \my $text);
    is($text, $plain->{body}, 'the same');

    $r = get('/main:b:alert2/events');
    is($r->{status}, 500, 'an unknown topic');
    like($r->{json}{error}, qr/^failed to get .* unknown topic "main:b:al/);
    is(get('/x')->{status}, 404);
    is(scalar $k->requests, 5, 'all are known');
};

subtest 'webhooks that are posted' => sub {
    my @urls = ($url, $url =~ s/taken/refused/r, 'http://127.0.0.1:9/');
    $k->topic('ops', post => [ @urls ], publish => ['pub']);
    $k->topic('pub', post => $url, match => ['OK']);

    $k->set('ops', 'w1', 'CRITICAL');
    ok($k->idle, 'are over');
    is(outcomes(), 'answered answered refused');
    is(join(' ', map { $_->{status} // '-' } $k->webhooks), '202 503 -');
    $k->set('ops', 'w1', 'OK');
    ok($k->idle);
    is(join(' ', map { "$_->{topic} $_->{level}" } ($k->webhooks)[3 .. 6]),
       'ops OK ops OK ops OK pub OK', 'published, and matched');

    my @hold = map { $k->hold('ops'); $k->set('ops', $_, 'WARNING') } 1 .. 3;
    is(scalar(grep { $_->{outcome} eq 'waiting' } $k->webhooks), 9, 'held');
    $k->release('ops');
    ok($k->idle);
    my @begun = map { $_->{begun} } grep { $_->{url} eq $url
        && $_->{level} eq 'WARNING' } $k->webhooks;
    is("@begun", join(' ', sort { $a <=> $b } @begun), 'first in, first out');
    is_deeply([ $k->open ], [ 'main:a:alert2/w1 CRITICAL',
        map({ "ops/$_ WARNING" } 1 .. 3), map { "pub/$_ WARNING" } 1 .. 3 ]);

    my $n = $k->webhooks;
    $k->set('pub', 'w2', 'OK', lose => 1);
    $k->set('pub', 'w3', 'OK', cut => 40);
    ok($k->idle);
    is(join(' ', map { $_->{outcome} } ($k->webhooks)[$n, $n + 1]),
       'lost cut');

    kill 'STOP', $sink->workers;
    $k->set('pub', 'w4', 'OK');
    ok($k->idle);
    is(($k->webhooks)[-1]{outcome}, 'timeout', 'nobody answers');
    kill 'CONT', $sink->workers;
};

sub collected {
    my ($topic) = grep { $_->{id} eq $_[0] } @{get('')->{json}{topics}};
    return $topic && $topic->{collected};
}

sub ids { join ' ', sort keys %{$k->states->{$_[0]} // {}} }

subtest 'restarts' => sub {
    $k->topic('main:r:alert2');
    $k->set('main:r:alert2', $_, $_) for qw(OK INFO);
    is(collected('main:r:alert2'), 2);

    $k->restart;
    is(collected('main:r:alert2'), 0, 'counted anew');
    is(ids('main:r:alert2'), 'INFO', 'an OK is forgotten');
    $k->disable('main:r:alert2');
    is(collected('main:r:alert2'), undef, 'a disabled task');
    is(get('/main:r:alert2/events')->{status}, 500);
    $k->restart;
    is(collected('main:r:alert2'), 0, 'is listed again');
    $k->restart(wipe => 1);
    is(ids('main:r:alert2'), '', 'without states');

    $k->down;
    is(get('')->{status}, 0, 'down');
    $k->up;
    is(get('')->{status}, 200, 'up');

    my $old = IlertKapacitorTopics->new(version => '1.5.9');
    $old->collect('t', $_, $_) for qw(OK INFO);
    $old->restart;
    is(join(' ', sort keys %{$old->states->{t}}), 'INFO OK',
       'before 1.7 an OK is kept');
};

subtest 'faults' => sub {
    $k->fault(match => qr/events/, times => 1, cut => 30);
    my $r = get('/main:a:alert2/events');
    is(length $r->{body}, 30, 'cut');
    ok(!$r->{whole}, 'without an end');
    ok(get('/main:a:alert2/events')->{whole}, 'once');

    $k->fault(status => 401);
    $r = get('');
    is($r->{status}, 401);
    is($r->{json}{error}, 'unable to parse authentication credentials');
    $k->clear_faults;

    $k->fault(body => '<html>');
    is(get('')->{body}, '<html>', 'garbage');
    $k->clear_faults;

    $k->fault(reset => 1, times => 1);
    ok(get('')->{reset}, 'reset');
    $k->fault(hang => 1, times => 1);
    ok(get('', timeout => 0.1)->{timeout}, 'hangs');

    $k->topic('huge');
    $k->fill('huge', 1000, 'CRITICAL');
    $k->fault(match => qr/huge/, drip => 0.001);
    my $begun = time();
    $r = get('/huge/events');
    is(scalar @{$r->{json}{events}}, 1000, 'huge');
    cmp_ok(time() - $begun, '>', 0.2, 'slow');

    my $auth = IlertKapacitor->start(auth => 'u:p', port => 0);
    my $h = IlertClient->begin('GET', $BASE, port => $auth->port);
    IlertClient::drive(sub { $h->{done} });
    is($h->answer->{status}, 401, 'asked for a password');
};

# All are CRITICAL, and some are not in the answer.

subtest 'min-level' => sub {
    $k->topic('min');
    $k->set('min', $_, 'CRITICAL') for 1 .. 20;
    my @n = map { scalar @{get('/min/events?min-level=CRITICAL')
                           ->{json}{events}} } 1 .. 5;
    ok((grep { $_ < 20 } @n), 'is broken') or diag("@n");
};

done();
