#!/usr/bin/perl

# "ilert_heartbeat": one ping in each interval, whatever the number of workers
# and however often nginx is reloaded, while events can be committed and
# delivered; none while they cannot.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(EIO ENOSPC);
use Fcntl qw(LOCK_EX LOCK_NB);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $BEAT = 'il1hbt5ec4e7a0b';
my $NEW = 'il1hbt5ec4e7a0c';
my $INTERVAL = 12;

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    shim => $shim, workers => 4, timeout => '2s', log_level => 'info',
    keys => { $KEY => 'api', $BEAT => 'heartbeat' }, secrets => [ $NEW ],
    files => { 'beat.key' => " $BEAT\n" },
    http => "ilert_heartbeat %%DIR%%/beat.key interval=${INTERVAL}s;",
    server => 'location /beat/ { internal; ilert_endpoint heartbeat; '
        . 'proxy_pass http://%%FAKE%%/api/pings/$ilert_path; '
        . 'proxy_set_header X-Time $msec; proxy_read_timeout 2s; }');
my ($t, $fake) = ($q->test, $q->fake);

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

sub pings { grep { $_->{uri} =~ m{/pings/} } $fake->requests }
sub count { scalar(() = pings()) }

# No time goes by but so many steps of a second.  Returns when pings came
# meanwhile, by the clock of nginx.

sub seconds {
    my ($seconds) = @_;
    my $n = count();

    $q->hold;

    for (1 .. $seconds) {
        $q->pass(1);
        sleep(0.02);
    }

    sleep(0.1);
    $q->go;
    return map { $_->{header}{'x-time'} } (pings())[$n .. count() - 1];
}

sub gaps { map { $_[$_] - $_[$_ - 1] } 1 .. $#_ }

# Some ping comes within two intervals.

sub comes {
    my ($what, $seconds) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $n = count();
    my $left = $seconds // 2 * $INTERVAL;
    ok(wait_until(sub {
        return 1 if count() > $n;
        $q->pass(1) if $left-- > 0;
        return 0;
    }, 5), $what);
}

sub none {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $q->settled;
    my $n = count();
    seconds(4 * $INTERVAL);
    sleep(0.2);
    is(count(), $n, $what);
}


$q->start;

subtest 'a ping' => sub {
    comes('comes');
    my ($ping) = pings();
    is("$ping->{method} $ping->{uri}", "GET /api/pings/$BEAT", 'what it is');
    is($ping->{status}, 202, 'is taken');
    is($ping->{fault}, undef, 'without a fault');
    is($ping->{body} // '', '', 'has no body');
    is($ping->{header}{$_}, undef, "no $_")
        for qw(content-length content-type transfer-encoding);
    like($ping->{header}{'user-agent'}, qr/^ngx_http_ilert_module\//, 'by us');
    is($q->status->{endpoints}{heartbeat}{state}, 'ok', 'its endpoint');
};

subtest 'an interval' => sub {
    my @at = seconds(10 * $INTERVAL);
    cmp_ok(scalar @at, '>=', 5, 'pings: ' . @at);
    cmp_ok(scalar @at, '<=', 11, 'of four workers together');

    # one that is sent late is no reason for the next one to be late
    my @gaps = sort { $a <=> $b } map { sprintf '%.1f', $_ } gaps(@at);
    cmp_ok($gaps[0], '>=', $INTERVAL / 2, "never sooner: @gaps");
    is_deeply([ grep { $_->{fault} } pings() ], [], 'all are right');
};

subtest 'events go on' => sub {
    my $from = $fake->counts->{requests};
    $q->say(map { "e$_ CRITICAL" } 1 .. 5);
    ok($q->drained);
    my $s = $q->status;
    is($s->{sources}{ops}{delivered}, 5, 'are delivered');
    is_deeply([ sort keys %{$s->{endpoints}} ], [ qw(default heartbeat) ],
              'both endpoints');
};

# However often the pinger changes

subtest 'reloads' => sub {
    comes('a ping');
    my $n = count();

    for my $turn (1 .. 10) {
        $turn % 3 ? $q->reload : $t->kill_worker(KILL => $q->courier
                                                 || ($t->workers)[0]);
        sleep(0.15);
        seconds(5);
    }

    $q->settled;
    my @at = map { $_->{header}{'x-time'} } (pings())[$n .. count() - 1];
    my ($most) = sort { $b <=> $a } map { my $from = $_;
        scalar grep { $_ >= $from && $_ < $from + 59 } @at } @at;
    cmp_ok($most, '<=', 5, "at most five in a minute: @at");
    cmp_ok(scalar @at, '>=', 3, 'but some');
};

subtest 'trouble of the queue' => sub {
    $shim->folder($q->dir);

    for my $case ([ write_error => ENOSPC ], [ sync_error => EIO ]) {
        my ($call, $errno) = @$case;
        local $! = $errno;
        $shim->$call($errno);
        ok(wait_until(sub { ($q->ready)[0] == 503 }, 5), "$!");
        none('no ping');
        $shim->$call(0);
        ok(wait_until(sub { ($q->ready)[0] == 200 }, 5), 'it is over');
        comes('pings again');
    }

    # nobody has asked anything meanwhile
    $shim->write_error(ENOSPC);
    seconds(2 * $INTERVAL);
    none('no ping when idle');
    $shim->write_error(0);
    comes('pings again', 6 * $INTERVAL);

    my $dir = $q->dir;
    $q->lose_folder;
    ok(wait_until(sub { ($q->ready)[0] == 503 }, 5), 'no folder');
    none('no ping');
    mkdir $dir, 0700;
    ok(wait_until(sub { ($q->ready)[0] == 200 }, 8), 'it is back');
    comes('pings again');
};

subtest 'trouble of ilert' => sub {
    my $rule = $fake->rule(match => qr{/pings/}, status => 500);
    seconds(5);
    my @at = seconds(5 * $INTERVAL);
    cmp_ok(scalar @at, '<=', 6, 'a ping that fails is not repeated');
    cmp_ok(scalar @at, '>=', 1, 'the next one comes');
    $fake->drop_rule($rule);

    # those of events are another matter
    $fake->keys({ $KEY => 'api', $NEW => 'heartbeat' });
    seconds(2 * $INTERVAL);
    $q->say('f1 CRITICAL');
    ok($q->drained, 'an unknown key does not stop events');
    my $s = $q->status;
    is($s->{sources}{ops}{state}, 'ok', 'nor parks their source');
    is($s->{endpoints}{default}{state}, 'ok', 'nor is their endpoint down');
    is_deeply([ $q->ready ], [ 200, undef ], 'nginx is ready');

    $t->write_file('beat.key', "$NEW\n");
    $q->reload;
    comes('a new one', 6 * $INTERVAL);
    is(($fake->requests)[-1]{key}, $NEW, 'is used');

    # one that is not answered
    $fake->rule(match => qr{/pings/}, hang => 1);
    seconds(2 * $INTERVAL);
    $q->say('f2 CRITICAL');
    ok($q->drained, 'nor does one that is not answered');
    $fake->clear_rules;

    $fake->refuse(all => 1);
    seconds(2 * $INTERVAL);
    $fake->accept;
    comes('pings again', 6 * $INTERVAL);
};

subtest 'no courier' => sub {
    $q->stop;
    open my $lock, '+<', $q->dir . '/courier.lock' or die $!;
    flock($lock, LOCK_EX | LOCK_NB) or die "flock: $!";
    $q->start;
    ok(wait_until(sub { ($q->ready)[0] == 503 }, 5), 'is not ready');
    none('no ping');
    close $lock;
    comes('then there is one', 6 * $INTERVAL);
};

subtest 'it is switched off' => sub {
    $q->change(http => '')->reload;
    ok(wait_until(sub { !$t->old_workers }, 8));
    none('no ping');
    $q->change(http => "ilert_heartbeat %%DIR%%/beat.key;")->reload;
    comes('by default', 70);
    my @at = seconds(75);
    ok(@at >= 2 && @at <= 3, 'every 30 seconds') or diag("@at");
};

done();
