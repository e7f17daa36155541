#!/usr/bin/perl

# What is shown of a Kapacitor that is asked: its states, what was compared,
# what differs, and what was repaired, in the JSON and in the metrics; what was
# repaired after a time in which nginx did not run; and the heartbeat, which
# rests while Kapacitor is down.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep);

use IlertKapacitor;
use IlertMetrics;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $BEAT = 'il1hbt5ec4e7a0b';
my $NAME = '/kapacitor-api/';
my $TOPIC = 'main:cpu:alert2';

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $k = IlertKapacitor->start(auth => 'us:er');
my $to = 'http://' . $k->address . '/kapacitor/v1/';

sub server {
    my ($mode) = @_;
    return <<CONF;
        location $NAME {
            ilert_reconcile /ops interval=5s $mode;
            proxy_pass $to;
            proxy_set_header Authorization "Basic dXM6ZXI=";
        }
        location /beat/ {
            internal;
            ilert_endpoint heartbeat;
            proxy_pass http://%%FAKE%%/api/pings/\$ilert_path;
        }
CONF
}

my $q = IlertStatus->new(
    shim => $shim, workers => 2, log_level => 'notice', timeout => '2s',
    keys => { $KEY => 'api', $BEAT => 'heartbeat' },
    files => { 'beat.key' => "$BEAT\n" },
    http => 'ilert_heartbeat %%DIR%%/beat.key interval=12s kapacitor=on;',
    server => server(''));
my ($t, $fake) = ($q->test, $q->fake);

$t->expect_log(qr/exited on signal 9/);
$k->topic($TOPIC, post => 'http://127.0.0.1:' . $t->port . '/ops',
          task => 'cpu');

# Time goes by until it is so.

sub goes {
    my ($what, $sub) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $of;

    my $is = wait_until(sub {
        $q->pass(1);
        sleep(0.02);
        $of = $q->status->{kapacitor}{$NAME};
        local $_ = $of;
        return $sub->($of);
    }, 15, $what);

    ok($is, $what) or diag(explain($of));
    return $of;
}

sub becomes { my ($state) = @_; goes($state, sub { $_->{state} eq $state }) }

sub pings { scalar grep { $_->{uri} =~ m{/pings/} } $fake->requests }

sub pinged {
    my ($seconds) = @_;
    my $n = pings();
    for (1 .. $seconds) {
        $q->pass(1);
        sleep(0.02);
    }
    sleep(0.1);
    return pings() - $n;
}

sub lines { scalar(() = $t->grep_log(qr/ilert heartbeat: $_[0]/)) }

$q->start;

subtest 'one that is up' => sub {
    becomes('up');
    $k->set($TOPIC, $_, 'CRITICAL') for qw(a b);
    ok($k->idle && $q->drained, 'webhooks come');
    my $of = goes('compared', sub { $_->{alerts} == 2 });
    is_deeply([ @$of{qw(topics listed differences watched error)} ],
              [ 1, 1, 0, 0, undef ], 'nothing differs');
    is_deeply($of->{repaired}, { map { $_ => 0 }
              qw(alert resolve update ignored) }, 'nothing is repaired');
    cmp_ok(pinged(26), '>', 0, 'pings');
};

subtest 'what is lost' => sub {
    $k->set($TOPIC, 'c', 'CRITICAL', lose => 1);
    $k->set($TOPIC, 'a', 'OK', lose => 1);
    goes('differs', sub { $_->{differences} == 2 });
    my $of = goes('repaired', sub {
        my $r = $_->{repaired};
        return $r->{alert} == 1 && $r->{resolve} == 1 && !$_->{differences};
    });
    ok($q->drained);

    my $m = IlertMetrics->read($q->metrics->{body});
    is($m->value('ilert_kapacitor_up', kapacitor => $NAME), 1, 'metrics: up');
    is($m->value('ilert_kapacitor_differences', kapacitor => $NAME), 0,
       'differences');
    is($m->value('ilert_reconciled_total', kapacitor => $NAME, action => $_),
       $of->{repaired}{$_}, $_) for sort keys %{$of->{repaired}};
};

# A state, and what brings it about

for my $case (
    [ down => 'it is down', sub { $k->down(api => 1) }, sub { $k->up } ],
    [ down => 'something else answers',
      sub { $k->fault(body => '<html></html>') } ],
    [ refused => 'another password', sub { $k->fault(status => 401) } ])
{
    my ($state, $what, $begin, $end) = @$case;

    subtest $what => sub {
        my ($silent, $again) = (lines('no pings'), lines('pings again'));
        my $told = $q->status->{kapacitor}{$NAME};
        $begin->();
        my $of = becomes($state);
        like($of->{error}, qr/\w/, "why: $of->{error}");
        cmp_ok(IlertStatus::seconds($of->{since}), '>',
               IlertStatus::seconds($told->{since}), 'since when');
        is_deeply($of->{repaired}, $told->{repaired}, 'what was repaired');
        is(IlertMetrics->read($q->metrics->{body})
           ->value('ilert_kapacitor_up', kapacitor => $NAME), 0, 'metrics');
        is(pinged(26), 0, 'no ping');
        is(lines('no pings'), $silent + 1, 'which is said once');
        is_deeply([ $q->ready ], [ 200, undef ], 'nginx is ready');

        $end ? $end->() : $k->clear_faults;
        becomes('up');
        cmp_ok(pinged(26), '>', 0, 'pings again');
        is(lines('pings again'), $again + 1, 'which is said once');
    };
}

subtest 'after a time in which nginx did not run' => sub {
    $q->crash;
    $k->set($TOPIC, $_, 'CRITICAL') for qw(d e);
    $k->set($TOPIC, 'b', 'OK');
    ok($k->idle, 'webhooks are lost');
    $q->pass(40);
    $q->start;
    my $away = $q->becomes(sub { $_->{away} }, 'is known')->{away};
    is($away->{repaired}, 0, 'nothing is repaired yet');
    is($q->lines('notice', 'Kapacitor is asked for what was lost'), 1, 'said');
    goes('repaired', sub { $q->status->{away}{repaired} == 3 });
    ok($q->drained);
};

subtest 'one that is watched' => sub {
    $q->change(server => server('mode=watch')
               . 'location = /status { ilert_status; }')->reload;
    my $before = $q->status->{kapacitor}{$NAME}{repaired};
    $k->set($TOPIC, 'w', 'CRITICAL', lose => 1);
    my $of = goes('differs', sub { $_->{watched} == 1 });
    is($of->{differences}, 1, 'the difference counts');
    pinged(20);
    is_deeply($q->status->{kapacitor}{$NAME}{repaired}, $before,
              'and is not repaired');
};

subtest 'two tasks with one alert key' => sub {
    my $other = 'main:other:alert2';
    is_deeply($q->status->{setup}, [], 'nothing to mend');
    $k->topic($other, post => 'http://127.0.0.1:' . $t->port . '/ops',
              task => 'other');

    for ($TOPIC, $other) {
        $k->set($_, 'both', 'CRITICAL');
        ok($k->idle && $q->drained);
    }

    my $s = $q->becomes(sub { @{$_->{setup}} }, 'is shown');
    is($s->{setup}[0]{check}, 'alert_key', 'by its name');
    like($s->{setup}[0]{text}, qr/"both" .*"ops" .*"cpu" and "other"/,
         'and says which');
};

$q->stop;
$k->stop;

done_testing();
