#!/usr/bin/perl

# The courier's worker stands still, as by a signal, a debugger, or a disk that
# another location reads from: that is seen and told, another worker takes its
# place, and when it wakes up it delivers nothing any more.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $KEY = $IlertQueue::KEY;
my $q = IlertStatus->new(all => 1, daemon => 1, shim => $shim, workers => 2,
    log_level => 'info', timeout => '60s',
    sources => { ops => 'retry 50ms 200ms;' });
my ($t, $fake) = ($q->test, $q->fake);
my @stopped;

END { kill 'CONT', @stopped if @stopped }

$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);

sub stop {
    my ($pid) = @_;
    push @stopped, $pid;
    kill 'STOP', $pid;
    wait_until(sub { state($pid) eq 'T' }, 5, 'it stands still');
    return $pid;
}

sub go_on {
    kill 'CONT', @stopped;
    @stopped = ();
}

sub state {
    my ($pid) = @_;
    return (IlertTest::slurp("/proc/$pid/stat") // '') =~ /\) (\S)/ ? $1 : '';
}

# The kernel gives it a part of all connections, which nobody answers.

sub answered {
    my ($get) = @_;
    my $answer;

    wait_until(sub {
        $answer = $get->();
        return $answer->{status};
    }, 30) or diag('no answer');

    return $answer;
}

sub status { answered(sub { $q->get('/status', timeout => 3) })->{json} }
sub ready { answered(sub { $q->get('/status?ready', timeout => 3) }) }

sub accepted {
    my ($id, $level) = @_;
    wait_until(sub {
        $q->post($id, $level, timeout => 3)->{status} == 202 }, 30, $id);
}

sub taken_over {
    my ($old, $seconds) = @_;
    my $begun = time();
    ok(wait_until(sub { my $pid = $q->courier; $pid && $pid != $old }, 30),
       'another one takes its place');
    note(sprintf 'after %.1f s', time() - $begun);
}

sub at_ilert { $fake->alerts->{$KEY}{$_[0]} || {} }


$q->start;
$q->at_once('ops', 'first');
ok($q->drained, 'a courier');

subtest 'it stands still, and wakes up' => sub {
    my $mark = $t->mark;

    # one that is answered, and one that waits for the answer, meanwhile
    $fake->rule(match => qr/"slow 1"/, delay => 3, times => 1);
    $q->at_once('ops', 'slow');
    ok($fake->wait_requests(2), 'under way');
    my $old = stop($q->courier);
    my $begun = time();

    accepted("k$_", 'CRITICAL') for 1 .. 10;
    accepted('slow', 'OK');
    ok(wait_until(sub { ready()->{status} == 503 }, 30), 'it is not ready');
    note(sprintf 'after %.1f s', time() - $begun);
    is(ready()->{json}{error},
       "the courier, process $old, gives no sign of life", 'and why');
    my $s = status();
    is($s->{queue}{state}, 'error', 'the state of the queue');
    is($s->{queue}{error},
       "the courier, process $old, gives no sign of life", 'its error');
    like(answered(sub { $q->metrics })->{body}, qr/^ilert_queue_up 0$/m,
         'the metric');

    taken_over($old);
    my $all = wait_until(sub { !$q->waiting }, 30);
    ok($all, 'all is delivered');
    note(sprintf 'after %.1f s', time() - $begun);
    ok(wait_until(sub { ready()->{status} == 200 }, 10), 'it is ready');
    is(status()->{queue}{state}, 'ok', 'the state of the queue');
    is($q->lines('crit', "the courier, process $old, gives no sign of life",
                 $mark), 1, 'a line');
    is($q->lines('error', "process $old has given no sign of life for 10 "
                 . 'seconds, another worker takes its place', $mark), 1,
       'another one');

    my $n = $fake->counts->{requests};
    my $courier = $q->courier;
    go_on();
    ok($t->wait_log(qr/\[notice\] $old#.* does not deliver any longer/, 10,
                    $mark), 'when it wakes up it sees that');
    ok($q->calm(0.5), 'and sends nothing');
    is($q->courier, $courier, 'there is one courier');
    is(at_ilert('slow')->{state}, 'resolved', 'what was sent twice is over');
    is_deeply([ $q->faults(parallel => 0) ], [], 'the audit');

    # as any other worker
    accepted('later', 'CRITICAL');
    $t->kill_worker(KILL => $courier);
    ok(wait_until(sub { $q->courier }, 5), 'later it may be it again');
    accepted('later', 'OK');
    ok($q->drained, 'delivered');
};

# Less than ten seconds: it is told, and it goes on.

subtest 'for a short while' => sub {
    my $mark = $t->mark;
    my $old = stop($q->courier);
    accepted('short', 'CRITICAL');
    ok($t->wait_log(qr/\[crit\] .*process $old, gives no sign of life/, 30,
                    $mark), 'it is told');
    is(ready()->{status}, 503, 'it is not ready');
    go_on();
    ok(wait_until(sub { ready()->{status} == 200 }, 10), 'it is again');
    ok($t->wait_log(qr/\[notice\][ ]$old\#.*:[ ]this[ ]worker[ ]stood[ ]still,
                       [ ]and[ ]delivers/x, 5, $mark), 'a line');
    is($q->courier, $old, 'the courier is the same');
    ok($q->drained, 'it delivers');
    is($q->lines('crit', 'gives no sign of life', $mark), 1, 'a line');
    is($q->lines('error', 'takes its place', $mark), 0, 'and no other');
};

# It has the lock of the database, in which the others cannot write then.

subtest 'with the lock of the database' => sub {
    my $mark = $t->mark;
    $shim->folder($q->dir);
    $shim->stuck(1);

    my @h = map { $q->start_post("d$_", 'CRITICAL', timeout => 40) } 1 .. 4;
    my $holder;
    ok(wait_until(sub { $t->poll(0.01); $holder = holder() }, 5),
       'somebody commits');
    stop($holder);
    $shim->stuck(0);

    my $text = "process $holder held the lock of the queue's database, has "
               . 'given no sign of life for 10 seconds, and was killed';
    ok($t->wait_log(qr/\[crit\] .*\Q$text\E/, 30, $mark), 'it is killed');
    is(scalar(() = $t->grep_log(qr/ and was killed/, $mark)), 1, 'a line');
    ok(wait_until(sub { !kill 0, $holder }, 5), 'it is gone');
    @stopped = ();

    $q->finish(@h);
    ok(wait_until(sub { ready()->{status} == 200 }, 20), 'it is ready');
    $q->last_words;
    ok($q->drained(20), 'all is delivered');
    is_deeply([ $q->faults(parallel => 0) ], [], 'the audit');
};

# It has that lock, and has been told to quit: it does not stand still, and the
# disk may make it wait.

subtest 'with the lock of the database, and it quits' => sub {
    my $mark = $t->mark;
    my ($worker) = grep { $_ != $q->courier } $t->workers;
    $shim->stuck($worker);

    my (@h, $n);
    ok(wait_until(sub {
        push @h, $q->start_post('q' . ++$n, 'CRITICAL', timeout => 40)
            if @h < 100;
        $t->poll(0.05);
        return (holder() // 0) == $worker;
    }, 15), 'it commits');
    kill 'QUIT', $worker;
    ok($t->wait_log(qr/\[notice\] $worker#.*gracefully shutting down/, 10,
                    $mark), 'it quits');

    ok(!IlertWait::wait_quietly(sub {
        $t->poll(0.1);
        return $t->grep_log(qr/ and was killed/, $mark);
    }, 14), 'nobody kills it');
    $shim->stuck(0);

    is(scalar(grep { $_->{status} != 202 } $q->finish(@h)), 0,
       'all webhooks are accepted');
    ok(wait_until(sub { !kill 0, $worker }, 10), 'it is gone');
    ok($q->drained(20), 'all is delivered');
    is_deeply([ $q->faults(parallel => 0) ], [], 'the audit');
};

# By who has the lock of SQLite for writing

sub holder {
    my $inode = (stat $q->dir . '/queue.db-shm')[1] or return;
    return (IlertTest::lock_holders('POSIX', $inode, 120))[0];
}

# Connections to a port whose bytes nobody has read

sub unread {
    my ($port) = @_;
    my $address = sprintf ':%04X', $port;
    open my $sockets, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    return scalar grep { my @f = split; $f[1] =~ /$address$/ && $f[3] eq '01'
                         && $f[4] !~ /:0+$/ } <$sockets>;
}

# It waits in a system call, as for a disk.  When it goes on, nginx handles
# what has come over sockets before its timers: the ends of TLS handshakes,
# after which the requests would be written.  With TLS 1.3 that is one answer.

subtest 'while it connects' => sub {
    plan(skip_all => 'no IO::Socket::SSL') unless IlertFake::have_tls();

    my $certificate = IlertFake::certificates($t->dir, name => 'fake');
    my $tls = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0,
                               tls => $certificate);
    my $n = IlertStatus->new(shim => $shim, workers => 2, timeout => '60s',
        log_level => 'info',
        sources => { ops => 'retry 50ms 200ms;',
                     tls => 'endpoint tls; retry 50ms 200ms;' },
        server => 'location /tls/ { internal; ilert_endpoint tls; proxy_pass '
            . 'https://' . $tls->address . '/api/$ilert_path; '
            . 'proxy_ssl_protocols TLSv1.3; proxy_read_timeout 60s; }');

    $n->start;
    $n->at_once('ops', 'first');
    ok($n->drained, 'a courier');
    my $old = $n->courier;

    kill 'STOP', $tls->pid;
    $n->at_once('tls', map { "c$_" } 1 .. 8);
    ok(wait_until(sub { unread($tls->port) >= 8 }, 10), 'handshakes');

    # a line about a client, which is not the courier's business
    $shim->still("[info] $old#$old: *");
    ok(wait_until(sub {
        $n->test->finish(map {
            $n->test->start_get('/status', timeout => 1) } 1 .. 8);
        return $n->lines('crit', "process $old, gives no sign of life");
    }, 30), 'it writes to its log');
    kill 'CONT', $tls->pid;

    for my $id (map { "c$_" } 1 .. 8) {
        wait_until(sub {
            $n->post($id, 'OK', source => 'tls', timeout => 3)->{status}
                == 202 }, 30, $id);
    }
    ok(wait_until(sub { !$n->waiting }, 40), 'all is delivered');
    isnt($n->courier, $old, 'by another one');

    my $requests = $tls->counts->{requests};
    $shim->still('');
    ok($n->test->wait_log(qr/ $old#.* does not deliver any longer/, 10),
       'it goes on');
    $n->calm(1);
    is($tls->counts->{requests}, $requests, 'and sends nothing');
    my $alerts = $tls->alerts->{$KEY};
    is_deeply([ grep { $alerts->{$_}{state} ne 'resolved'
                       || $alerts->{$_}{phantoms} } keys %$alerts ], [],
              'no phantom');
    is_deeply([ $n->faults(source => 'ops') ], [], 'the audit');
    $n->stop;
};

# A machine that stands still with all its processes is no reason for anything.

subtest 'all stand still' => sub {
    my $mark = $t->mark;
    my $courier = $q->courier;
    stop($_) for $t->workers;
    $shim->pass(60);
    go_on();
    $q->calm(1.5);
    is(ready()->{status}, 200, 'it is ready');
    is($q->courier, $courier, 'the courier is the same');
    is($q->lines('crit|error', 'no sign of life', $mark), 0, 'no line');
};

# During an upgrade there are two masters, whose workers share the folder only.
# The new one is without the shim.

subtest 'two masters' => sub {
    my $mark = $t->mark;
    my $old = $q->courier;
    accepted('two', 'CRITICAL');
    ok($q->drained, 'delivered');

    $q->upgrade(sub {
        $fake->rule(match => qr/"two 2"/, delay => 3, times => 1);
        accepted('two', 'WARNING');
        wait_until(sub { $q->marks }, 5, 'under way');
        stop($old);
        accepted('two', 'OK');
        taken_over($old);
        ok(wait_until(sub { !$q->waiting }, 30), 'all is delivered');
        my $courier = $q->courier;
        go_on();
        ok($t->wait_log(qr/\[notice\] $old#.* does not deliver any longer/,
                        10, $mark), 'it wakes up');
        ok($q->calm(0.5), 'and sends nothing');
        is($q->courier, $courier, 'there is one courier');
    });

    accepted('two', 'CRITICAL');
    ok($q->drained, 'after the upgrade');
    is_deeply([ $q->faults(parallel => 0) ], [], 'the audit');
};

done();
