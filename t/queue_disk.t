#!/usr/bin/perl

# Trouble with the disk: full, at max_size, read-only.  Events are relayed or
# refused, never lost, verdicts are recorded, and the queue recovers by itself.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertTest qw(:DEFAULT mount unmount fill);

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);

my $REFUSED = 'the queue cannot be written to, and earlier events of the '
              . 'alert wait in it';

sub queue { IlertQueue->anew($fake, @_) }

# Posts until the queue takes no more, and goes on for a while.  "stuck" waits
# in it.

sub exhaust {
    my ($q, $size, $seconds) = @_;
    my ($n, $accepted, $end) = (0, 0, 0);

    while (!$end || time() < $end) {
        my $r = $q->post('grow' . ++$n, 'CRITICAL', size => $size,
                         timeout => 20);
        $accepted++ if $r->{result} eq 'ACCEPTED';
        $end ||= time() + $seconds if $r->{result} ne 'ACCEPTED';
        last if $n == 1000;
        sleep(0.01);
    }

    cmp_ok($n, '<', 1000, "full after $accepted events of $n");
}

sub stuck {
    my ($q) = @_;
    $fake->rule(match => qr/"(?:stuck|grow\d+) \d+"/, status => 500);
    is($q->post('stuck', 'CRITICAL')->{result}, 'ACCEPTED', 'one waits');
}

# What holds while it takes no more.

sub full {
    my ($q, $size) = @_;
    my %how = (size => $size, timeout => 20);

    my $r = $q->post('other', 'CRITICAL', %how);
    is("$r->{status} $r->{result}", '202 DELIVERED', 'an event is relayed');
    like($r->{body}, qr/^\{"status":"accepted","event":"\d+"\}\n?$/);

    $r = $q->post('stuck', 'OK', %how);
    is("$r->{status} $r->{result}", '503 UNAVAILABLE',
       'one whose alert waits is not');
    is($r->{body} =~ s/\n//r, qq({"status":"rejected","error":"$REFUSED"}));

    my $rule = $fake->rule(match => qr/"other 2"/, status => 400);
    $r = $q->post('other', 'WARNING', %how);
    is("$r->{status} $r->{result}", '502 UNAVAILABLE',
       'a relayed one gets the verdict');
    $r = $q->post('other', 'OK', %how);
    is("$r->{status} $r->{result}", '202 DELIVERED');
    is($fake->alerts->{$KEY}{other}{state}, 'resolved');
}

subtest 'max_size' => sub {
    my $q = queue(queue => 'queue max_size=1m');
    $q->start;
    stuck($q);
    exhaust($q, 30_000, 1.5);
    full($q, 30_000);
    cmp_ok($q->value('pragma page_count') * $q->value('pragma page_size'),
           '<=', 1 << 20, 'it is kept');

    $fake->clear_rules;
    ok($q->drained(10), 'verdicts are recorded all the same');
    $q->recovers;
    $q->told_once(1);

    # the space is used again; another worker needs half a second to see it
    sleep(0.7);
    $fake->rule(status => 500);
    my @r = map { $q->post("second$_", 'CRITICAL', size => 30_000) } 1 .. 12;
    is(scalar(grep { $_->{result} eq 'ACCEPTED' } @r), 12, 'room again');
    $fake->clear_rules;
    $q->ends_well;
};

# They may have a quarter of it.

subtest 'dead letters at max_size' => sub {
    my $q = queue(queue => 'queue max_size=1m');
    $q->start;
    $fake->rule(status => 400, match => qr/"bad\d+ \d+"/);

    for my $n (1 .. 60) {
        $q->post("bad$n", 'CRITICAL', size => 30_000);
        $q->post('well', 'CRITICAL') if $n % 3 == 0;
        sleep(0.02);
    }

    ok(wait_until(sub {
        my $r = $q->post('good', 'CRITICAL', size => 30_000);
        return $r->{result} eq 'ACCEPTED';
    }, 3), 'do not stop the queue');
    ok($q->drained);
    ok(wait_until(sub {
        $q->value('select total(length(body)) from dead') <= 1 << 18;
    }, 3), 'have their quarter');
    ok(!(grep { $_->{alert_key} eq 'bad1' } $q->dead), 'the oldest are out');
    $q->stop;
};

for my $workers (1, 4) {
    subtest "a full file system, workers: $workers" => sub {
        my $q = queue(queue => 'disk/queue', workers => $workers);
        my $disk = $q->test->path('disk');

        if (!mount($disk, 'size=16m,mode=0755')) {
            plan(skip_all => 'no file system can be mounted');
        }

        $q->start;
        $q->post("first$_", 'CRITICAL') for 1 .. 10;
        ok($q->drained);
        stuck($q);
        fill("$disk/filler");
        exhaust($q, 30_000, 3);
        full($q, 30_000);

        $fake->clear_rules;
        ok($q->drained(8), 'verdicts are recorded all the same');

        unlink "$disk/filler";
        $q->recovers;
        $q->told_once(1);

        # full when nginx starts
        stuck($q);
        $q->crash;
        fill("$disk/filler");
        $q->start;
        my $r = $q->post('new', 'CRITICAL', size => 30_000, timeout => 20);
        like("$r->{status} $r->{result}",
             qr/^(?:202 (?:DELIVERED|ACCEPTED)|503 UNAVAILABLE)$/,
             "full at the start: $r->{status} $r->{result}");
        unlink "$disk/filler";
        $q->recovers;
        $fake->clear_rules;
    $q->ends_well;
        unmount($disk);
    };
}

# The same by a limit, which anyone may set.

subtest 'a limit of the size of files' => sub {
    my $q = queue(command => [ 'sh', '-c', 'trap "" XFSZ; ulimit -f 12000; '
                               . 'exec "$@"', 'sh' ]);
    $q->start;
    stuck($q);
    exhaust($q, 60_000, 1);
    full($q, 60_000);

    # neither the database nor its log can grow: here the ballast is no help
    $q->stop;
    delete $q->test->{opt}{command};
    $q->start;
    $fake->clear_rules;
    ok($q->drained(20), 'without it all is delivered');
    $fake->clear_rules;
    $q->ends_well;
};

subtest 'a read-only file system' => sub {
    my $q = queue(queue => 'disk/queue');
    my $disk = $q->test->path('disk');

    if (!mount($disk, 'size=16m,mode=0755')) {
        plan(skip_all => 'no file system can be mounted');
    }

    mkdir "$disk/queue", 0700;
    system("mount -o remount,ro '$disk'") == 0 or die 'remount';
    $q->start;

    for my $n (1 .. 3) {
        my $r = $q->post('a', 'CRITICAL');
        is("$r->{status} $r->{result}", '202 DELIVERED', 'is relayed');
        sleep(0.3);
    }
    is($q->lines('crit|error', '; events are relayed unless'), 1, 'one line');

    system("mount -o remount,rw '$disk'") == 0 or die 'remount';
    $q->recovers;
    $q->told_once(1);
    $fake->clear_rules;
    $q->ends_well;
    unmount($disk);
};

done();
