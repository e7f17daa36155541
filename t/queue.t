#!/usr/bin/perl

# The durable queue when all is well: what is answered, what is stored and
# what is not, what ilert gets and how soon, how many requests at a time, and
# that nothing is left behind.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertMap;
use IlertQueue;
use IlertRandom;
use IlertShim;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $FEW = 'il1api5ec4e7a02';

my $q = IlertQueue->new(
    keys => { $KEY => 'api', $FEW => 'api', $KAP => 'kapacitor' },
    fake => { bodies => 1 },
    connections => 4096, timeout => '20s',
    sources => {
        ops => 'retry 50ms 400ms;',
        few => "integration_key $FEW; concurrency 2; retry 50ms 400ms;",
        native => 'webhook_url https://api.ilert.com/api/v1/events/kapacitor/'
                  . "$KAP; retry 50ms 400ms;",
    },
    http => <<'CONF',
        log_format ilert escape=json '$status "$ilert_result" '
            '"$ilert_source" "$ilert_event_id" "$ilert_event_type" '
            '"$ilert_alert_key" "$ilert_attempt" "$ilert_path"';
        access_log %%DIR%%/access.log ilert;
CONF
    server => <<'CONF',
        location = /off { ilert_kapacitor off; }
        location = /typed {
            ilert_kapacitor ops;
            ilert_event_type $arg_type;
            ilert_alert_key $arg_key;
        }
CONF
);

$q->start;

my ($t, $fake) = ($q->test, $q->fake);


subtest 'answers and logs' => sub {
    $fake->refuse(all => 1);

    my $r = $q->post('a', 'CRITICAL');
    is($r->{status}, 202, 'answered while ilert cannot be reached');
    like($r->{body}, qr/^\{"status":"accepted","event":"[1-9]\d*"\}\n?$/);
    is($r->{header}{'content-type'}, 'application/json', 'its type');
    ok($r->{closed}, 'and closed');
    is($r->{result}, 'ACCEPTED', '$ilert_result');

    my $event = $r->{json}{event};
    is_deeply([ $q->sql('select id, attempts < 9 from event') ],
              [ [ $event, 1 ] ], 'a row of the database');
    ok(wait_until(sub { $t->access_log =~ /\n/ }, 2));
    is($t->access_log, qq(202 "ACCEPTED" "ops" "$event" "ALERT" "a" "" ""\n),
       'access log');

    $fake->accept;
    ok($q->drained, 'delivered when it is back');
    is_deeply([ $q->faults ], []);
    is($fake->alerts->{$KEY}{a}{state}, 'open', 'ilert shows it');

    is($q->post('a', 'OK')->{result}, 'ACCEPTED');
    ok($q->drained);
    is($fake->alerts->{$KEY}{a}{state}, 'resolved', 'and its end');

    my %ids = map { $q->post('a', 'INFO')->{json}{event} => 1 } 1 .. 20;
    is(keys %ids, 20, 'ids are different');
    ok($q->drained);
};

subtest 'what is not stored' => sub {
    $q->forget;
    $fake->refuse(all => 1);

    my $body = webhook('01-levels-04-CRITICAL');
    is($t->post('/off', $body)->{json}{status}, 'ignored', 'off');
    is($t->post('/typed?type=off', $body)->{json}{status}, 'ignored', 'type');
    is($t->post('/ops', webhook('37-service-test-01-OK'))->{json}{status},
       'test', 'a test');
    is($t->post('/ops', '{}')->{status}, 400, 'a bad one');
    is($t->post('/ops', '')->{status}, 400, 'an empty one');
    is($t->get('/ops')->{status}, 405, 'GET');

    is($q->waiting, 0, 'nothing is in the queue');
    $fake->accept;
    sleep(0.1);
    is($fake->counts->{requests}, 0, 'nor sent');
};

subtest 'what ilert gets' => sub {
    $q->forget;

    my (%expected, %path);
    for my $name (webhooks()) {
        my $body = IlertTest::later(webhook($name));
        my $expect = IlertMap::expect($body);
        my $r = $t->post('/ops', $body, timeout => 20);

        if ($r->{status} != $expect->{status}) {
            fail("$name: $r->{status} $r->{body}");
            next;
        }

        next if !$expect->{event};
        push @{$expected{IlertFake::fold($expect->{key})}},
            [ $name, $expect->{event} ];
    }

    ok($q->drained(20), 'all is delivered');
    is_deeply([ $fake->errors ], [], 'and valid');

    my @wrong;
    for my $request ($fake->requests) {
        my ($key, $json) = IlertMap::split_key($request->{body});
        my $event = IlertMap::decode($json);
        my $next = shift @{$expected{IlertFake::fold($event->get('alertKey'))}
                           || []};

        push @wrong, "key $key" if $key ne $KEY;
        push @wrong, "$request->{n}: unexpected" if !$next;
        next if !$next;

        my $custom = $event->get('customDetails');
        my @diff = ref $custom && $custom->has('truncated')
                   ? IlertMap::capped($json, $next->[1], 65536)
                   : IlertMap::diff($event, $next->[1]);
        push @wrong, map { "$next->[0]: $_" } @diff;
    }

    is_deeply(\@wrong, [], 'as without a queue, in order of each alert');
    is_deeply([ grep { @{$expected{$_}} } sort keys %expected ], [],
              'each of them');
    is_deeply([ $q->have_key ], [], 'keys are not in the folder');

    my $headers = join ' ', sort map { lc $_->[0] }
                  @{$fake->request(0)->{headers}};
    is($headers, 'content-length content-type host user-agent x-attempt '
       . 'x-source', 'headers');
    is($fake->request(0)->{header}{'x-attempt'}, 1, '$ilert_attempt');
};

# Webhooks made by chance, several at once: each arrives as IlertMap says.

subtest 'random webhooks' => sub {
    $q->forget;
    IlertRandom::seed();
    my (%expected, @h, $n);

    for (1 .. 300) {
        my $body = IlertRandom::webhook(short => 1);
        my $expect = IlertMap::expect($body);
        push @h, $t->start_post('/ops', $body, timeout => 30);
        $t->finish(splice @h) if @h == 15;
        next if !$expect->{event};
        push @{$expected{IlertMap::encode($expect->{event})}}, $expect;
        $n++;
    }

    $t->finish(@h);
    ok($q->drained(20), 'all is delivered');
    is_deeply([ $fake->errors ], [], 'and valid');
    is($fake->counts->{events}, $n, "$n events");

    my @wrong;
    for my $request ($fake->requests) {
        my (undef, $json) = IlertMap::split_key($request->{body});
        my $event = IlertMap::decode($json);
        my $custom = $event->get('customDetails');
        next if ref $custom && $custom->has('truncated');
        my $same = shift @{$expected{IlertMap::encode($event)} || []};
        push @wrong, $json if !$same;
    }

    is_deeply(\@wrong, [], 'as without a queue');
};

subtest 'types' => sub {
    $q->forget;
    $fake->refuse(all => 1);

    # one webhook, but for the last one

    my %n;
    for my $type (qw(ALERT ACCEPT COMMENT RESOLVE ALERT)) {
        my $body = IlertQueue::webhook('x', ++$n{$type}, 'CRITICAL');
        my $r = $t->post("/typed?type=$type&key=shared", $body);
        is($r->{json}{status}, 'accepted', $type);
    }

    $fake->accept;
    ok($q->drained);
    is_deeply([ map { $_->{type} } $fake->events ],
              [ qw(ALERT ACCEPT COMMENT RESOLVE ALERT) ], 'in order');
    is($fake->request(0)->{alert_key}, 'shared');
    is($fake->alerts->{$KEY}{shared}{opened}, 2);
};

subtest 'a native source' => sub {
    $q->forget;
    $fake->refuse(all => 1);

    my (%bodies, %order);
    for my $name (webhooks(qr/^(?:0[1-9]|3)/)) {
        my $body = webhook($name);
        my $expect = IlertMap::expect($body);
        my $r = $t->post('/native', $body);
        next if $r->{status} != 202 || $r->{json}{status} ne 'accepted';
        push @{$bodies{IlertFake::fold($expect->{key})}}, $body;
    }

    cmp_ok(scalar(keys %bodies), '>', 3, 'some alerts');
    $fake->accept;
    ok($q->drained(20));

    my @wrong;
    for my $r ($fake->requests) {
        my $key = IlertFake::fold(IlertMap::expect($r->{body})->{key});
        my $next = shift @{$bodies{$key} || []} // '';
        push @wrong, "$key: $r->{body}" if $next ne $r->{body};
        push @wrong, $r->{uri}
            if $r->{uri} ne "/api/v1/events/kapacitor/$KAP";
    }

    is_deeply(\@wrong, [], 'byte for byte, in order');
    is_deeply([ map { @$_ } values %bodies ], [], 'each of them');
    is_deeply([ $q->have_key ], [], 'keys are not in the folder');
};

subtest 'clients that do not wait' => sub {
    $q->forget;
    my $body = sub { IlertQueue::webhook("gone$_[0]", $_[0], 'CRITICAL',
                                          size => 1000) };

    for my $reset (0, 1) {
        $t->finish(map { $t->start_post('/ops', $body->($_), abort => -1,
            abort_reset => $reset) } map { $_ + 100 * $reset } 1 .. 50);
    }

    # a reset may overtake the request, a FIN cannot

    ok(wait_until(sub {
        my $seen = $q->arrivals;
        return 50 == grep { $seen->{"ops/gone$_"} } 1 .. 50;
    }, 5), 'those that have left after a whole request are committed');

    $t->finish(map { $t->start_post('/ops', $body->($_), abort => 900) }
               1000 .. 1010);
    ok($q->drained);
    ok(!(grep { /gone10\d\d/ } keys %{$q->arrivals}), 'not half a request');

    my @r = $t->finish(map { $t->start_post('/ops', $body->($_), pieces => 40,
        half_close => 1) } 2000 .. 2019);
    is(scalar(grep { $_->{status} == 202 } @r), 20, 'shut down for sending');
    ok($q->drained);
};

subtest 'many at once' => sub {
    $q->forget;
    my @h = map { $q->start_post("many$_", 'CRITICAL') } 1 .. 150;
    my @r = $q->finish(@h);
    is(scalar(grep { $_->{status} == 202 } @r), 150, 'all are accepted');
    is(scalar(keys %{{ map { $_->{json}{event} => 1 } @r }}), 150, 'ids');
    ok($q->drained);
    is_deeply([ $q->faults(once => 1) ], []);
};

subtest 'how soon' => sub {
    $q->forget;
    my @took;

    for (1 .. 40) {
        my $r = $q->post('soon', 'CRITICAL');
        push @took, ($q->ledger)[-1]{ended};
        sleep(0.03);
    }

    ok($q->drained);
    my @requests = $fake->requests;
    is(@requests, 40, 'all came');
    my @late = sort { $a <=> $b } map { $requests[$_]{time} - $took[$_] }
               0 .. $#requests;
    note(sprintf 'after the 202: median %.1f ms, worst %.1f ms',
         map { $_ * 1000 } @late[20, -1]);
    is_deeply([ $q->faults(once => 1) ], []);
};

# Where no timer ends, a wake-up that was lost would leave its event behind.

subtest 'no event is forgotten' => sub {
    my $shim = IlertShim->new or plan(skip_all => 'no compiler');
    my $n = IlertQueue->new(shim => $shim, workers => 4)->start;

    $n->post('first', 'CRITICAL');
    ok($n->drained, 'a courier');
    $shim->hold;

    for (1 .. 300) {
        $n->post('w' . $_ % 7, 'CRITICAL');
        sleep(rand 0.012);
    }

    ok($n->drained, 'all are sent');
    $shim->go;
    is_deeply([ $n->faults(once => 1) ], []);

    my %ended = map { ("$_->{source}/$_->{id} $_->{n}" => $_->{ended}) }
                $n->ledger;
    my @late = sort { $b <=> $a }
               map { $_->{time} - $ended{"$_->{name} $_->{number}"} }
               $n->arrived;
    note(sprintf 'worst %.0f ms', $late[0] * 1000);
    $n->stop;
};

subtest 'one at a time of an alert' => sub {
    $q->forget;
    $fake->rule(delay => 0.02);

    my @ids = ('Key', ' key', "key\t", 'KEY ', " \n\rkEy\x0b\x0c");
    for my $n (0 .. 39) {
        my $id = $ids[$n % @ids];
        my %escape = ("\t" => '\t', "\n" => '\n', "\r" => '\r',
                      "\x0b" => '\u000b', "\x0c" => '\f');
        $id =~ s/([\t\n\r\x0b\x0c])/$escape{$1}/g;
        my $r = $t->post('/ops',
            qq({"id":"$id","message":"key $n","level":"CRITICAL"}));
        is($r->{status}, 202) if $r->{status} != 202;
    }

    ok($q->drained);
    is_deeply($q->arrivals, { 'ops/key' => [ 0 .. 39 ] },
              'trimmed and without case, in order');
    is(scalar(grep { $_->{parallel} > 1 } $fake->requests), 0, 'one by one');
    is($q->value("select count(*) from alert where key = 'key'"), 1,
       'one row');
};

# Source "few" has a limit of 2, source "ops" of 8.

subtest 'concurrency' => sub {
    $q->forget;
    $fake->rule(hold => 1);
    for my $n (1 .. 24) {
        $q->post("c$n", 'CRITICAL', source => $_) for qw(ops few);
    }

    ok($fake->wait_requests(10), 'each has its own');
    ok($q->calm(0.5), 'and no more');
    my %key;
    $key{$_->{key}}++ for $fake->requests;
    is($key{$KEY}, 8, 'eight by default');
    is($key{$FEW}, 2, 'as many as is said');

    $fake->clear_rules;
    ok($q->drained);
    is_deeply([ $q->faults ], []);
    cmp_ok((sort { $b <=> $a } map { $_->{inflight} } $fake->requests)[0],
           '<=', 10, 'never more');
};

subtest 'a thousand' => sub {
    $q->forget;
    $fake->refuse(all => 1);

    my @h;
    for my $n (1 .. 1000) {
        push @h, $q->start_post('t' . $n % 700, $n % 3 ? 'CRITICAL' : 'OK',
                                source => $n % 2 ? 'ops' : 'few');
        $q->finish(splice @h) if @h == 50;
    }
    is($q->waiting, 1000, 'wait');
    my $rss = (sort { $b <=> $a }
               map { IlertTest::process_rss($_) } $t->workers)[0];

    my $begun = time();
    $fake->accept;
    ok($q->drained(30), 'and are delivered');
    note(sprintf '%.1f s, %.1f MB', time() - $begun, $rss / (1 << 20));
    is_deeply([ $q->faults ], []);
    is_deeply([ $q->dead ], [], 'no dead letter');
    is($q->marks, 0, 'no mark is left');
};

# What is taken at a time is bounded by its size, too.

subtest 'large bodies' => sub {
    my $n = IlertQueue->new(
        workers => 1, timeout => '20s', keys => { $KAP => 'kapacitor' },
        sources => { ops => 'webhook_url https://api.ilert.com/api/v1/events/'
                            . "kapacitor/$KAP; retry 50ms 400ms;" },
        server => 'client_body_buffer_size 4m;');

    $n->start;
    $n->fake->refuse(all => 1);
    for my $i (1 .. 50) {
        my $r = $n->post("l$i", 'CRITICAL', size => 3_000_000, timeout => 20);
        is($r->{result}, 'ACCEPTED') if $r->{result} ne 'ACCEPTED';
    }

    $n->stop->start;
    my ($pid) = $n->test->workers;
    my ($before, $most) = (IlertTest::process_rss($pid), 0);
    $n->fake->accept;

    ok(wait_until(sub {
        my $rss = IlertTest::process_rss($pid);
        $most = $rss if $rss > $most;
        return $n->fake->counts->{events} == 50;
    }, 30), 'are delivered');

    ok($n->drained);
    is_deeply([ $n->faults ], []);
    note(sprintf '%.1f to %.1f MB', map { $_ / (1 << 20) } $before, $most);

    SKIP: {
        skip 'memory under a sanitizer', 1
            if defined $ENV{ILERT_MODULE} && $ENV{ILERT_MODULE} eq '';
        cmp_ok($most, '<', 75 << 20, 'half of them are not in memory');
    }

    $n->stop;
};

subtest 'people may look' => sub {
    $q->forget;
    is($q->post('first', 'CRITICAL')->{status}, 202, 'there is a database');
    ok($q->drained);
    my ($reader, $in);
    my $pid = open2_sqlite(\$reader, \$in, $q->db);

    print $in "begin;\nselect count(*) from alert;\n";
    ok(defined readline $reader, 'a reader that stays');
    $q->load(seconds => 1.5, alerts => 10);
    is(scalar(grep { $_->{result} ne 'ACCEPTED' } $q->ledger), 0,
       'does not disturb');
    ok($q->drained);

    # a writer, for a second
    print $in "rollback;\nbegin immediate;\nselect 1;\n";
    readline $reader;
    my $h = $q->start_post('w', 'CRITICAL');
    $t->poll(1);
    print $in "commit;\nselect 2;\n";
    readline $reader;
    is($q->finish($h)->{result}, 'ACCEPTED', 'a writer is waited for');

    close $in;
    waitpid $pid, 0;
    ok($q->drained);
    is_deeply([ $q->faults(once => 1) ], []);

    # what a person discards is gone
    $fake->rule(status => 500, match => qr/"by hand /);
    is($q->post('by hand', 'CRITICAL')->{status}, 202) for 1 .. 3;
    $q->sql("delete from event where alert ="
            . " (select id from alert where key = 'by hand')");
    $fake->clear_rules;
    $q->post('another', 'CRITICAL');
    ok($q->drained);
    is($q->post('by hand', 'OK')->{status}, 202, 'and later ones');
    ok($q->drained, 'go on');
    is($q->arrivals->{'ops/by hand'}[-1], 4);
    is(scalar(grep { /by hand \d: .* did not arrive/ } $q->faults), 3,
       'the audit misses the others');
};

sub open2_sqlite {
    my ($reader, $in, $db) = @_;
    require IPC::Open2;
    local $ENV{HOME} = $t->dir;
    my $pid = IPC::Open2::open2($$reader, $$in, 'sqlite3', '-batch', '-cmd',
                                '.timeout 10000', $db);
    $$in->autoflush(1);
    return $pid;
}

subtest 'idle' => sub {
    ok($q->drained);

    my $switches = sub {
        return sum0(map { IlertTest::process_waits($_) } $t->workers);
    };

    # what has gone before may take a while to settle

    ok(wait_until(sub {
        my ($begun, $before) = (time(), $switches->());
        sleep(3);
        my $n = $switches->() - $before;
        note("$n wake-ups of two workers in 3 s");
        return $n <= 2 * 2 * (time() - $begun) + 4;
    }), 'wakes up twice a second at most');
};

done();
