#!/usr/bin/perl

# "ilert_reconcile": what Kapacitor knows is asked, and what was lost on its
# way is repaired: by an event as if the webhook had come.  Nothing else is
# ever sent.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertReconcile;
use IlertTest;

IlertQueue::need();

my %KEY = (ops => $IlertQueue::KEY, dba => 'il1api5ec4e7a21',
           native => $IlertQueue::KAP);
my $retry = 'rate off; coalesce off; retry 50ms 300ms;';

# One Kapacitor for each, since all are asked at the same time

my $loop = IlertReconcile->new(
    workers => 2,
    keys => { map { $KEY{$_} => $_ eq 'native' ? 'kapacitor' : 'api' }
              keys %KEY },
    sources => {
        ops => "integration_key $KEY{ops}; $retry",
        dba => "integration_key $KEY{dba}; $retry",
        native => 'webhook_url https://api.ilert.com/api/v1/events/'
                  . "kapacitor/$KEY{native}; $retry",
    },
    http => 'map $kapacitor_level $ignored { INFO off; }',
    server => <<'CONF',
        location = /var {
            ilert_kapacitor $arg_source;
            ilert_alert_key $arg_source-$kapacitor_id;
        }
        location = /ignores {
            ilert_kapacitor ops;
            ilert_event_type $ignored;
        }
        location = /elsewhere { return 202 '{}'; }
CONF
    ask => {
        main => '',
        mixed => '',
        queued => '',
        held => '',
        named => 'topics=main:n:alert2,ops',
        narrow => 'topics=main:a*',
        native => '/native',
        var => '/var',
        args => '/var?source=dba',
        ignores => '/ignores',
        watch => 'mode=watch',
    },
    kapacitor => { queued => { timeout => 20 } });

my ($q, $fake) = ($loop->queue, $loop->fake);
my %k = map { $_ => $loop->kapacitor($_) }
        qw(main mixed queued held named narrow native var args ignores
           watch);
my $url = 'http://127.0.0.1:' . $q->test->port;

# A case has up to three parts: before, when all webhooks come; then, when some
# are lost; and after, when it is looked at, which is a subtest.

my @cases;

sub case { my ($what, %part) = @_; push @cases, { %part, what => $what } }

sub repaired {
    my ($id, $key) = @_;
    return grep { $_->{alert_key} eq $id && (!$key || $_->{key} eq $key) }
           $loop->repairs;
}

sub types { join ' ', map { $_->{type} } @_ }


my $cpu = 'main:cpu:alert2';

case 'what is lost' => (
    before => sub {
        $loop->topic('main', $cpu, task => 'cpu');
        $k{main}->set($cpu, $_, 'CRITICAL') for qw(over less stays);
        $k{main}->set($cpu, 'raised', 'WARNING');
    },
    then => sub {
        $k{main}->set($cpu, 'new', 'CRITICAL', lose => 1);
        $k{main}->set($cpu, 'over', 'OK', lose => 1);
        $k{main}->set($cpu, 'less', 'WARNING', lose => 1);
        $k{main}->set($cpu, 'raised', 'CRITICAL', lose => 1);
        $k{main}->set($cpu, 'never', $_, lose => 1) for qw(CRITICAL OK);
        $k{main}->set($cpu, 'disk w1/var/lib', 'WARNING', lose => 1);
    },
    after => sub {
        is_deeply([ $loop->faults('main') ], [], 'ilert shows it');
        is(types(repaired($_)), 'ALERT', $_)
            for qw(new less raised), 'disk w1/var/lib';
        is(types(repaired('over')), 'RESOLVE', 'over');
        is(types(repaired($_)), '', $_) for qw(never stays);
    });

case 'what a repair says' => (
    before => sub {
        $loop->topic('main', 'main:ev:alert2');
        $k{main}->set('main:ev:alert2', 'ordinary', 'CRITICAL');
    },
    then => sub {
        $k{main}->set('main:ev:alert2', 'repair', 'CRITICAL', lose => 1);
        $k{main}->set('main:ev:alert2', 'html', 'CRITICAL', lose => 1,
                      details => '<b>disk</b> is full');
    },
    after => sub {
        my ($ordinary) = grep { $_->{alert_key} eq 'ordinary' } $fake->events;
        my ($repair) = repaired('repair');
        my @json = map { $_->{json} } $ordinary, $repair;
        my @custom = map { { %{$_->{customDetails}} } } @json;

        is($json[1]{summary}, 'repair is CRITICAL', 'the summary');

        # what Kapacitor's answer does not have

        delete @{$custom[0]}{qw(previousLevel recoverable)};
        is(delete $custom[1]{reconciled}, 1, 'it says that it is one');
        is_deeply([ sort keys %{$custom[1]} ], [ sort keys %{$custom[0]} ],
                  'the same details as an ordinary event');
        is_deeply($custom[1]{tags}, { host => 'repair' }, 'tags');
        is_deeply($custom[1]{fields}, { usage => 93 }, 'fields');
        is($custom[1]{$_}, $custom[0]{$_}, $_)
            for qw(task level server measurement);
        is($custom[1]{group}, 'host=repair', 'group');

        my ($html) = repaired('html');
        is($html->{json}{details}, 'disk is full', 'details of a task');
    });

# Published to a topic that posts here, too: a copy

case 'an alert in two topics' => (
    before => sub {
        $loop->topic('main', 'ops');
        $loop->topic('main', 'main:pub:alert2', publish => ['ops']);
        $k{main}->set('main:pub:alert2', 'twice', 'CRITICAL');
    },
    then => sub {
        $k{main}->set('main:pub:alert2', 'twice', 'OK', lose => 1);
        $k{main}->set('main:pub:alert2', 'twice2', 'CRITICAL', lose => 1);
    },
    after => sub {
        my @came = grep { $_->{alert_key} eq 'twice' } $fake->events;
        is(types(@came), 'ALERT RESOLVE', 'is told once');
        is(types(repaired('twice2')), 'ALERT');
    });

# Its two topics do not agree, whatever is sent.

case 'two tasks with one id' => (
    before => sub {
        $loop->topic('mixed', "main:two$_:alert2") for 1, 2;
        $k{mixed}->set('main:two1:alert2', 'shared', 'CRITICAL');
        $k{mixed}->set('main:two1:alert2', 'first', 'CRITICAL');
        $k{mixed}->set('main:two2:alert2', 'second', 'CRITICAL');
        $k{mixed}->idle;
        $k{mixed}->set('main:two2:alert2', 'shared', 'OK');
    },
    after => sub {
        is(types(repaired('shared')), '', 'the last webhook says what it is');
    });

case 'a task that posts to somebody else' => (
    before => sub {
        $k{mixed}->topic('main:else:alert2', post => "$url/elsewhere");
        $k{mixed}->topic('main:nobody:alert2');
        $k{mixed}->set("main:$_:alert2", $_, 'CRITICAL') for qw(else nobody);
    },
    after => sub {
        is($loop->shown($_), 'OK', "$_ is no alert") for qw(else nobody);
    });

case 'a level that the mapping ignores' => (
    before => sub {
        $loop->topic('ignores', $cpu);
        $k{ignores}->set($cpu, 'i1', 'CRITICAL');
        $k{ignores}->set($cpu, 'i2', 'INFO');
    },
    then => sub {
        $k{ignores}->set($cpu, $_, 'INFO', lose => 1) for qw(i2 i3);
        $k{ignores}->set($cpu, 'i4', 'WARNING', lose => 1);
    },
    after => sub {
        is($loop->shown($_), 'OK', "$_ stays ignored") for qw(i2 i3);
        is($loop->shown('i4'), 'WARNING', 'another level');
        my $status = $loop->status('ignores');
        is($status->{differences}, 0, 'no difference is left');
        cmp_ok($status->{repaired}{ignored}, '<=', 2, 'and tried once');
    });

case 'mode=watch' => (
    before => sub {
        $loop->topic('watch', $cpu);
        $k{watch}->set($cpu, 'seen1', 'CRITICAL');
    },
    then => sub {
        $k{watch}->set($cpu, 'seen1', 'OK', lose => 1);
        $k{watch}->set($cpu, 'seen2', 'CRITICAL', lose => 1);
    },
    after => sub {
        is($loop->shown('seen1'), 'CRITICAL', 'nothing is ended');
        is($loop->shown('seen2'), 'OK', 'nothing is opened');
        my $status = $loop->status('watch');
        is($status->{differences}, 2, 'two differences are shown');
        is_deeply($status->{repaired},
                  { map { $_ => 0 } qw(alert resolve update ignored) });
    });

case 'topics with a pattern' => (
    before => sub {
        for (qw(main:abc:alert2 main:xyz:alert2)) {
            $loop->topic('narrow', $_);
            $k{narrow}->set($_, "1 $_", 'CRITICAL');
        }
    },
    then => sub {
        $k{narrow}->set($_, "2 $_", 'CRITICAL', lose => 1)
            for qw(main:abc:alert2 main:xyz:alert2 main:add:alert2);
        $k{narrow}->set('main:add:alert2', '1 main:xyz:alert2', 'WARNING');
    },
    after => sub {
        is($loop->shown('2 main:abc:alert2'), 'CRITICAL', 'one that fits');
        is($loop->shown('2 main:xyz:alert2'), 'OK', 'one that does not');
        is($loop->shown('2 main:add:alert2'), 'OK',
           'one that fits, but posts nothing here');
        is($loop->shown('1 main:xyz:alert2'), 'CRITICAL',
           'nor of an id that is ours');
    });

# Named without a "*": nothing has to be learned.

case 'topics with a name' => (
    before => sub {
        $loop->topic('named', 'main:n:alert2');
        $loop->topic('named', 'main:m:alert2');
        $k{named}->topic('ops', post => "$url/named", match => ['CRITICAL']);
    },
    then => sub {
        $k{named}->set("main:$_:alert2", $_, 'CRITICAL', lose => 1)
            for qw(n m);
        $k{named}->set('ops', 'matched', 'CRITICAL');
        $k{named}->idle;
        $k{named}->set('ops', 'matched', 'WARNING');
        $k{named}->set('ops', 'unmatched', 'WARNING');
    },
    after => sub {
        is($loop->shown('n'), 'CRITICAL', 'takes part');
        is($loop->shown('m'), 'OK', 'another does not');
        is($loop->shown('matched'), 'CRITICAL', 'with "match": watched');
        is($loop->shown('unmatched'), 'OK', 'likewise');
        cmp_ok($loop->status('named')->{watched}, '>=', 1, 'shown');
    });

case 'to a webhook URL' => (
    before => sub {
        $loop->topic('native', $cpu);
        $k{native}->set($cpu, 'p1', 'CRITICAL');
    },
    then => sub {
        $k{native}->set($cpu, 'p1', 'OK', lose => 1);
        $k{native}->set($cpu, 'p2', 'WARNING', lose => 1);
    },
    after => sub {
        is_deeply([ $loop->faults('native') ], [], 'ilert shows it');
        my ($r) = grep { ($_->{alert_key} // '') eq 'p2' } $fake->events;
        is($r->{key}, $KEY{native});
        is($r->{json}{$_->[0]}, $_->[1], $_->[0])
            for [ id => 'p2' ], [ level => 'WARNING' ],
                [ message => 'p2 is WARNING' ];
    });

case 'a source that is chosen by an argument' => (
    before => sub {
        $loop->topic('var', $cpu, to => '/var?source=dba');
        $k{var}->set($cpu, 'v1', 'CRITICAL');
        $loop->topic('args', $cpu, to => '/var?source=dba');
        $k{args}->set($cpu, 'a1', 'CRITICAL');
    },
    then => sub {
        $k{var}->set($cpu, 'v1', 'OK', lose => 1);
        $k{var}->set($cpu, 'v2', 'CRITICAL', lose => 1);
        $k{args}->set($cpu, 'a2', 'CRITICAL', lose => 1);
    },
    after => sub {
        is(types(repaired('dba-v1', $KEY{dba})), 'RESOLVE',
           'a known alert keeps its source and its key');
        is($loop->shown('-v2'), 'OK', 'of another one nothing is known');
        is($loop->shown('dba-v2'), 'OK');
        is($loop->shown('dba-a2'), 'CRITICAL', 'arguments of the target');
    });

# Kapacitor posts the webhooks of a topic one after the other, and here it
# waits before each; one is lost, and is repaired while others wait.

my $lag = 'main:lag:alert2';

case 'a queue in Kapacitor' => (
    before => sub {
        $loop->topic('queued', $lag);
        $k{queued}->set($lag, 'q0', 'CRITICAL');
    },
    then => sub {
        $k{queued}->lag(0.12);
        $k{queued}->set($lag, 'lost', 'CRITICAL', lose => 1);
        $k{queued}->set($lag, "q$_", 'CRITICAL') for 1 .. 40;
    },
    after => sub {
        my ($r) = repaired('lost');
        ok($r, 'a webhook that is lost');
        my ($last) = grep { $_->{id} eq 'q40' } $k{queued}->webhooks;
        ok(!$last->{begun} || $r && $r->{time} < $last->{begun},
           'is repaired while others wait');
        $k{queued}->lag(0);
        ok($k{queued}->idle, 'all others come');
        ok($q->drained);
        is_deeply([ $loop->early ], [], 'none of them was repaired');
        is_deeply([ $loop->faults('queued') ], []);
    });

# Kapacitor stands still: nothing tells its webhooks from lost ones.

case 'a queue that stands still' => (
    before => sub {
        $loop->topic('held', 'main:held:alert2');
        $k{held}->set('main:held:alert2', $_, 'CRITICAL') for qw(h0 h2);
    },
    then => sub {
        $k{held}->hold('main:held:alert2');
        $k{held}->set('main:held:alert2', 'h1', 'CRITICAL');
        $k{held}->set('main:held:alert2', 'h0', 'OK');
        $k{held}->set('main:held:alert2', 'h2', $_) for qw(OK WARNING);
        $k{held}->set('main:held:alert2', 'h2', 'INFO', lose => 1);
    },
    after => sub {
        is(types(repaired('h1')), 'ALERT', 'is repaired');
        is(types(repaired('h0')), 'RESOLVE');
        is($loop->shown('h2'), 'INFO');
    });


$q->start;
$_->{before} && $_->{before}->() for @cases;
$loop->settled;
$loop->polled(1);

is_deeply([ $loop->repairs ], [], 'nothing is lost, nothing is repaired');

$loop->slow(1);
$_->{then} && $_->{then}->() for @cases;
$loop->polled(3);
$q->drained;

subtest $_->{what} => $_->{after} for @cases;
$loop->slow(0);

subtest 'what Kapacitor is asked' => sub {
    my @asked = map { $_->requests } values %k;
    is_deeply([ grep { $_->{method} ne 'GET' } @asked ], []);
    is_deeply([ grep { $_->{uri} !~ m{^/kapacitor/v1/alerts/topics
                           (?:/[^/?]+/(?:events|handlers))?$}x } @asked ],
              [], 'no minimum of levels, no single alert');
    is_deeply([ grep { $_->{status} != 200 } @asked ], []);
};

# For two more polls a topic is read that does not move.  If the machine is so
# slow that they are over before the webhook comes, another topic is tried.

subtest 'a topic that is read while its webhook is on its way' => sub {
    my $topics;

    for my $id (map { "late$_" } 1 .. 20) {
        my $topic = "main:$id:alert2";
        $topics = $loop->status('mixed')->{topics};
        my $polls = $k{mixed}->lists;

        $loop->topic('mixed', $topic);
        $k{mixed}->hold($topic);
        $k{mixed}->set($topic, $id, 'CRITICAL');
        $loop->polled(1, 'mixed');
        is($loop->status('mixed')->{topics}, $topics,
           'it is not known whether a topic takes part');
        $k{mixed}->release($topic);
        $k{mixed}->idle;
        last if $k{mixed}->lists <= $polls + 1;
        $loop->polled(2, 'mixed');
    }

    ok(wait_until(sub { $loop->status('mixed')->{topics} == $topics + 1 }),
       'until its webhook has come');
};

# What was on its way comes after its repair, and much later.  One webhook is
# a copy, and another is older than what ilert shows, but newer by its coming:
# Kapacitor's API is right, and is asked.

sub reads { scalar grep { $_->{uri} =~ /events/ } $k{held}->requests }

subtest 'webhooks that come after their repairs' => sub {
    ok(wait_until(sub {
        my $n = reads();
        return $loop->polled(1, 'held') && reads() == $n;
    }, 20), 'a topic that does not move is not read');

    $k{held}->release('main:held:alert2');
    ok($k{held}->idle && $q->drained, 'they come');

    is(scalar(grep { $_->{alert_key} eq 'h1' } $fake->events), 1,
       'a copy is not sent again');
    is($loop->shown('h0'), 'OK');
    ok(wait_until(sub { $loop->shown('h2') eq 'INFO' }, 8),
       'what is older is made good');
};


# Webhooks are lost while nginx is down.  Another Kapacitor is killed: what
# waited in it is lost, too.

subtest 'nginx is down, and Kapacitor is restarted' => sub {
    my @ids = map { "d$_" } 1 .. 20;
    my $k = $k{main};

    $k->set($cpu, $_, 'CRITICAL') for @ids;
    ok($k->idle && $q->drained, 'open');
    $loop->polled(1, 'main');

    my $from = $fake->counts->{requests};
    $k{native}->hold($cpu);
    $k{native}->set($cpu, "k$_", 'CRITICAL') for 1 .. 5;
    $q->stop;
    $k->set($cpu, $_, 'OK') for @ids[0 .. 9];
    $k->set($cpu, $_, 'WARNING') for @ids[10 .. 14];
    $k->set($cpu, "new$_", 'CRITICAL') for 1 .. 15;
    ok($k->idle);
    is(scalar(grep { $_->{outcome} eq 'refused' } $k->webhooks), 30,
       'webhooks are lost');

    $k{native}->restart(lose => 1);
    $k{native}->release($cpu);
    $q->start;
    ok(wait_until(sub { !$loop->faults('main', 'native') }, 15),
       'ilert shows it') or diag(join "\n", $loop->faults('main', 'native'));
    is(scalar($loop->said($from)), 35, 'by as many events');
};

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
