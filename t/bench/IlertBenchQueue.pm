package IlertBenchQueue;

# The parts of the benchmark that are about the durable queue: accept,
# latency, drain, memory, status, and idle.
#
# queue($upstream, \%parts)     runs those of them that are named

use warnings;
use strict;

use Exporter 'import';
use File::Path ();
use HTTP::Tiny ();
use IO::Handle ();
use IO::Select ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(sleep time);

use IlertBench;

our @EXPORT = qw(queue);

my $many = $ENV{BENCH_FILL} // 1_000_000;
my $some = int($many / 10);

# alerts that the webhooks of a load are of, in turn
my $keys = 2000;

# of the machine, before any of ours
my ($load) = (read_file('/proc/loadavg') // '?') =~ /(\S+)/;

my $webhook = body('01-levels-04-CRITICAL');
my $upstream;


sub queue {
    my $part;

    ($upstream, $part) = @_;

    grep { $part->{$_} } qw(accept latency drain memory status idle)
        or return;
    $many >= 100_000 or die "BENCH_FILL: 100000 at least\n";

    disk();
    accepts() if $part->{accept};
    latency() if $part->{latency};
    waiting($part) if $part->{drain} || $part->{memory} || $part->{status};
    idle() if $part->{idle};

    File::Path::remove_tree("$dir/queue");
}


# An nginx with a queue, which is outside the folder that a start removes.
#
#     workers => 1, concurrency => 8
#     port => that of ilert, undef: nothing listens there
#     keep => 1       the queue stays as it is
#     listen => more parameters
#     coalesce => 'off'

sub with_queue {
    my (%opt) = @_;

    my $queue = "$dir/queue";
    my $port = $opt{port} // nobody();
    my $concurrency = $opt{concurrency} // 8;
    my $listen = $opt{listen} // '';
    my $coalesce = $opt{coalesce} // 'off';

    File::Path::remove_tree($queue) if !$opt{keep};

    my $c = start('ilert', <<"CONF", workers => $opt{workers} // 1,
    ilert_queue $queue max_size=16g;

    ilert_source ops {
        integration_key il1api0be9c4;
        concurrency $concurrency;
        rate off;
        coalesce $coalesce;
    }

    upstream upstream {
        server 127.0.0.1:$port;
        keepalive 64;
        keepalive_requests 100000000;
    }

    server {
        listen 127.0.0.1:%%PORT%% backlog=4096 $listen;
        client_body_buffer_size 64k;
        location = /kapacitor { ilert_kapacitor ops; }
        location = /status { ilert_status; }
        location = /metrics { ilert_status prometheus; }

        location /ilert/ {
            internal;
            ilert_endpoint rate=off;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://upstream/api/\$ilert_path;
        }
    }
CONF
        modules => [$module eq '' ? () : $module]);

    $c->{queue} = $queue;

    # until there is a courier, and all are past their beginning
    $c->{courier} = wait_for(sub { courier($c) }, 'courier');

    return $c;
}


# A port where connections are refused, and that is nobody else's.

my $nobody;

sub nobody {
    $nobody //= IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'tcp') // die "socket: $!\n";

    return $nobody->sockport;
}


sub wait_for {
    my ($condition, $what, $time) = @_;

    my $end = time() + ($time // 10);

    while (time() < $end) {
        my $value = $condition->();
        return $value if $value;
        sleep(0.01);
    }

    die "no $what\n";
}


# The worker that delivers.

sub courier {
    my ($c) = @_;

    my $inode = (stat "$c->{queue}/courier.lock")[1] or return;

    return (read_file('/proc/locks')
        =~ /FLOCK\s+\S+\s+WRITE\s+(\d+)\s+\w+:\w+:$inode\s/)[0];
}


# Requests that ilert has had, but for those that ask for that.

my $asked = 0;

sub requests {
    my $socket = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$upstream->{port}") or die "connect: $!\n";

    print $socket "GET /requests HTTP/1.0\r\n\r\n";
    my $status = do { local $/; <$socket> } // '';

    # "accepts handled requests", on a line of their own
    my ($n) = $status =~ /^ \d+ \d+ (\d+)/m
        or die "the nginx has no stub_status: $status\n";

    return $n - ++$asked;
}


# Transactions so far, of all processes: iChange of the log's index.  It may
# be opened and closed here, for the locks of other processes are not ours.

sub commits {
    my ($c) = @_;

    open my $file, '<:raw', "$c->{queue}/queue.db-shm" or return 0;
    sysread $file, my $header, 48 or return 0;

    return unpack 'x8 L', $header;
}


sub sql {
    my ($queue, $sql) = @_;

    write_file("$dir/sql", $sql);

    my $command = 'sqlite3 -init /dev/null -batch -bail'
        . ' -cmd ".timeout 10000"';
    my $out = `$command "$queue/queue.db" <"$dir/sql" 2>&1`;
    $? == 0 or die "sqlite3: $out\n";

    return $out =~ s/\n\z//r;
}


# What a commit costs at least: a log of as many bytes is written and synced.

sub disk {
    my ($call) = { x86_64 => 75, aarch64 => 83 }->{(POSIX::uname())[4]};
    my ($name, $size) = ("$dir/disk", 32_768);

    write_file($name, "\1" x 4_194_304);
    open my $file, '+<:raw', $name or die "$name: $!\n";
    $file->sync or die "$name: $!\n";

    my @times;

    for my $n (1 .. 500) {
        sysseek $file, $size * ($n % 128), 0;

        my $begun = time();
        syswrite $file, chr($n % 256) x $size;
        my $failed = $call ? syscall($call, fileno $file) : !$file->sync;
        push @times, 1000 * (time() - $begun);

        die "$name: $!\n" if $failed;
    }

    close $file;
    unlink $name;

    my ($system) = `df --output=source,fstype "$dir"` =~ /\n(.*)/;

    printf "\ndisk %s: %d kB and %s take %.2f ms (median), p99 %.2f ms\n",
        $system =~ s/\s+/ /gr, $size / 1024, $call ? 'fdatasync' : 'fsync',
        median(@times), quantile(0.99, @times);
    printf "%d processors, load %s before we began\n", scalar(() = glob
        '/sys/devices/system/cpu/cpu[0-9]*'), $load;
}


# Accept

# "held": ilert is down, nothing but accepting is done.  "coalesced": as by
# default, most of the webhooks are repeats and need no request.

sub accepts {
    my $open = 2 * $clients;
    my @names = map { ("bare $_", "ilert $_", "held $_", "coalesced $_") }
        1, 2;
    my %got;

    for my $round (1 .. $rounds) {
        progress("accept: round $round of $rounds");

        for (0 .. $#names) {
            my $name = $names[($_ + $round) % @names];
            push @{$got{$name}}, accept_turn(split(/ /, $name), $open);
        }
    }

    progress('');

    printf "\naccept, %d clients, %d alerts, median of %d rounds of %s s\n",
        $open, $keys, $rounds, $seconds;
    printf "  %-20s %10s %5s %7s %8s %5s %6s %6s %6s %10s %13s %15s\n", '',
        'webhooks/s', 'ratio', 'target', 'CPU', 'ratio', 'p50', 'p99',
        'p99.9', 'commit', 'p99 / commit', 'delivered/s';

    report_accept($_, \%got) for 1, 2;
}


sub accept_turn {
    my ($name, $workers, $open) = @_;

    my $c = $name eq 'bare' ? bare($workers)
        : with_queue(workers => $workers,
                     port => $name eq 'held' ? undef : $upstream->{port},
                     coalesce => $name eq 'coalesced' ? 'repeats' : 'off');

    my ($commits, $requests, $begun) = $name eq 'bare' ? (0, 0, time())
        : (commits($c), requests(), time());

    my $load = load($c, $webhook, clients => $open, keys => $keys);

    if ($name ne 'bare') {
        my $time = time() - $begun;

        $load->{delivered} = (requests() - $requests) / $time;
        $load->{commit} = 1000 * $time / (commits($c) - $commits);
        $load->{batch} = $load->{rate} * $load->{commit} / 1000;
        $load->{p99_commits} = $load->{p99} / $load->{commit};
    }

    stop($c);
    all_committed($c, $load) if $name eq 'ilert' || $name eq 'held';

    return $load;
}


sub bare {
    my ($workers) = @_;

    return start('bare', <<'CONF', workers => $workers);
    server {
        listen 127.0.0.1:%%PORT%% backlog=4096;
        client_body_buffer_size 64k;
        location = /kapacitor { return 202; }
    }
CONF
}


sub all_committed {
    my ($c, $load) = @_;

    my $n = sql($c->{queue},
                "SELECT seq FROM sqlite_sequence WHERE name = 'event'");

    die "$n of $load->{requests} events were committed\n"
        . read_file("$c->{prefix}/logs/error.log") if $n < $load->{requests};
}


sub report_accept {
    my ($workers, $got) = @_;

    my @bare = @{$got->{"bare $workers"}};
    my %text = (bare => 'return 202', ilert => 'ilert', held => 'ilert down',
                coalesced => 'repeats');

    for my $name (qw(bare ilert held coalesced)) {
        my @rounds = @{$got->{"$name $workers"}};

        my %figure = map {
            my $figure = $_;
            $figure => median(map { $_->{$figure} // 0 } @rounds);
        } qw(rate cpu p50 p99 p999 commit batch p99_commits delivered);

        my %ratio = map {
            my $figure = $_;
            $figure => median(map { $rounds[$_]{$figure}
                                    / $bare[$_]{$figure} } 0 .. $#rounds);
        } qw(rate cpu);

        printf "  %-20s %10.0f %5.2f %7s %5.1f us %5.2f %6.2f %6.2f %6.2f",
            "$text{$name}, $workers worker" . ($workers > 1 ? 's' : ''),
            $figure{rate}, $ratio{rate},
            $name eq 'bare' ? '' : target('>=', 0.55), $figure{cpu},
            $ratio{cpu}, @figure{qw(p50 p99 p999)};

        printf " %4.2f (%3.1f) %6.1f %s %15.0f",
            @figure{qw(commit batch p99_commits)}, target('<', 10),
            $figure{delivered} if $name ne 'bare';

        print "\n";
    }
}


# Latency

# We are both Kapacitor and ilert, which takes the first byte of a request
# for the request: how long that comes after the first byte of the answer.

sub latency {
    my $n = 1000;

    print "\nlatency, from the 202 to the request at ilert, in ms\n";

    for my $workers (1, 2) {
        my $server = IO::Socket::INET->new(Listen => 64,
            LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!\n";
        my $c = with_queue(workers => $workers, port => $server->sockport,
            listen => $workers > 1 ? 'reuseport' : '');
        my $ilert = { server => $server, select => IO::Select->new($server) };
        my %times;

        for (1 .. $n) {
            progress("latency: $_ of $n") if $_ % 100 == 0;

            my ($event, $time, $answer) = one($c, $ilert, $_);

            # the event's id says which worker has taken it
            my $other = ($event & 0x3fffff) != $c->{courier};
            push @{$times{$other ? 'another' : 'the courier'}}, $time;
            push @{$times{answer}}, $answer;
        }

        progress('');
        report_latency($workers, \%times);
        stop($c);
    }
}


sub report_latency {
    my ($workers, $times) = @_;

    for my $who (grep { $times->{$_} } 'the courier', 'another', 'answer') {
        my @sorted = @{$times->{$who}};
        my $answer = $who eq 'answer';

        printf "  %-42s median %5.2f  p99 %5.2f  max %6.2f  %s\n",
            "$workers worker" . ($workers > 1 ? 's, ' : ', ')
            . ($answer ? 'the answer itself'
               : scalar(@sorted) . " taken by $who"), median(@sorted),
            quantile(0.99, @sorted), quantile(1, @sorted),
            $answer ? '' : target('median <', 1);
    }
}


# The webhook at another time, since else it would be a copy.

my $later = 0;

sub later { return $webhook =~ s/\.\d{9}Z/sprintf '.%09dZ', ++$later/ger }


# One webhook; the event's id, the latency, and how long the answer took.

sub one {
    my ($c, $ilert, $n) = @_;

    my $body = later() =~ s/("id":"[^"]*)/"$1 " . $n % $keys/er;

    # not at the time of the last one's verdict
    sleep(0.001 + rand 0.004);

    my $begun = time();
    my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$c->{port}")
        or die "connect: $!\n";

    syswrite $client, "POST /kapacitor HTTP/1.1\r\nHost: bench\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n" . $body;

    $ilert->{select}->add($client);
    $ilert->{text} = '';

    my ($answer, $answered, $arrived) = ('');
    my $end = time() + 10;

    until ($answered && $arrived && $ilert->{done}) {
        my @ready = $ilert->{select}->can_read($end - time())
            or die 'no ' . ($answered ? 'request' : 'answer') . "\n";
        my $now = time();

        for my $socket (@ready) {
            if ($socket == $client) {
                $answered //= $now;
                sysread($client, $answer, 4096, length $answer) and next;
                $ilert->{select}->remove($client);

            } elsif (serve($ilert, $socket)) {
                $arrived //= $now;
            }
        }
    }

    $ilert->{select}->remove($client);
    $ilert->{done} = 0;

    my ($event) = $answer =~ /^HTTP.* 202 .*"accepted","event":"(\d+)"/s
        or die "answer: $answer\n";

    return ($event, 1000 * ($arrived - $answered),
            1000 * ($answered - $begun));
}


# True if there is something of a request.

sub serve {
    my ($ilert, $socket) = @_;

    if ($socket == $ilert->{server}) {
        $ilert->{select}->add(scalar $socket->accept);
        return;
    }

    if (!sysread $socket, $ilert->{text}, 65536, length $ilert->{text}) {
        $ilert->{select}->remove($socket);
        return;
    }

    if ($ilert->{text} =~ /^Content-Length: (\d+).*?\r\n\r\n(.*)/ims
        && length $2 >= $1)
    {
        syswrite $socket,
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
        $ilert->{done} = 1;
    }

    return 1;
}


# Drain, memory and status

sub waiting {
    my ($part) = @_;

    if ($part->{drain}) {
        print "\n";

        for my $concurrency (8, 32) {
            fill($some, 0);
            drain('distinct alerts', $concurrency, 10_000);
        }
    }

    fill($many, 1);
    waiting_memory() if $part->{memory};
    status() if $part->{status};

    for my $concurrency ($part->{drain} ? (8, 32) : ()) {
        fill($many, 1) if left("$dir/queue") < $many / 2;
        drain('alerts in another order', $concurrency, 5_000);
    }
}


# Events that wait; this takes its time.

sub left {
    my ($queue) = @_;

    return sql($queue, 'SELECT count(*) FROM event');
}


# Fills the queue as so many webhooks would have done that were of alerts one
# after the other or, shuffled, of known alerts in an order far from theirs.
# The rows are copies of one webhook's.

sub fill {
    my ($n, $shuffled) = @_;

    progress("filling the queue with $n events");

    my $c = with_queue();
    post($c, $webhook);
    wait_for(sub { left($c->{queue}) == 1 }, 'event');
    stop($c);

    # event number i is of alert i * step modulo n, which has an inverse
    my $step = $shuffled ? int(0.618034 * $n) : 1;
    $step++ while gcd($step, $n) != 1;
    my $back = inverse($step, $n);

    sql($c->{queue}, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
        PRAGMA cache_size = -500000;
        CREATE TEMP TABLE a AS SELECT * FROM alert;
        CREATE TEMP TABLE e AS SELECT * FROM event;
        BEGIN; DELETE FROM alert; DELETE FROM event;"
        . copies($c, 'alert', 'a', $n, id => 'i', state => 0, next => 0,
                 key => "a.key || printf(' %07d', i)",
                 alert_key => "a.alert_key || printf(' %07d', i)",
                 head => "(i - 1) * $back % $n + 1")
        . copies($c, 'event', 'e', $n, seq => 'i', attempts => 0,
                 alert => "(i - 1) * $step % $n + 1", id => 'e.id + i')
        . join('', map { "UPDATE source SET $_ = $_ * $n;" }
                   qw(critical resolves opens updates repeats))
        . 'COMMIT;');

    # what waits to be written would make others wait later
    open my $file, '+<', "$c->{queue}/queue.db" or die "queue.db: $!\n";
    $file->sync;
    close $file;

    progress('');
}


sub copies {
    my ($c, $table, $from, $n, %value) = @_;

    my @columns = split /\n/, sql($c->{queue},
        "SELECT name FROM pragma_table_info('$table')");
    my $values = join ', ', map { $value{$_} // "$from.$_" } @columns;

    return "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
        WHERE i < $n) INSERT INTO $table (@{[join ', ', @columns]})
        SELECT $values FROM n, $from;";
}


sub gcd {
    my ($a, $b) = @_;
    ($a, $b) = ($b, $a % $b) while $b;
    return $a;
}


sub inverse {
    my ($a, $n) = @_;
    my ($r, $next_r, $t, $next_t) = ($n, $a % $n, 0, 1);

    while ($next_r) {
        my $q = int($r / $next_r);
        ($r, $next_r) = ($next_r, $r - $q * $next_r);
        ($t, $next_t) = ($next_t, $t - $q * $next_t);
    }

    return $t % $n;
}


# A fresh worker delivers what waits, for a while.

sub drain {
    my ($of, $concurrency, $target) = @_;

    my $n = left("$dir/queue");
    my $before = requests();

    progress("draining $n events");

    my $c = with_queue(keep => 1, port => $upstream->{port},
                       concurrency => $concurrency);
    wait_for(sub { requests() > $before }, 'request', 60);

    my $got = watch($c, $before + $n);

    stop($c);
    all_sent($c, $n, requests() - $before);
    progress('');

    printf "drain of %d events of %s, concurrency %d\n"
        . "  %.0f/s   target %s   CPU %.1f us an event   %.0f a commit   "
        . "worker %.1f MB at most\n", $n, $of, $concurrency,
        $got->{rate}, target('>=', $target), $got->{cpu}, $got->{batch},
        $got->{peak} / 1024;
}


# Until ilert has had so many requests, or for a while.

sub watch {
    my ($c, $all) = @_;

    my $first = requests();
    my ($begun, $cpu, $commits) = (time(), cpu($c->{worker}), commits($c));
    my ($last, $ended) = ($first, $begun);

    while ($ended - $begun < 5 * $seconds && $last < $all) {
        sleep(0.02);
        ($last, $ended) = (requests(), time());
    }

    my $n = $last - $first;

    return {
        rate => $n / ($ended - $begun),
        cpu => 1e6 * (cpu($c->{worker}) - $cpu) / $n,
        batch => $n / (commits($c) - $commits),
        peak => memory_of($c->{worker}, 'VmHWM'),
    };
}


# What is gone was sent, and what was sent is gone, but for a few that had no
# verdict yet when nginx was stopped.

sub all_sent {
    my ($c, $n, $sent) = @_;

    my $gone = $n - left($c->{queue});

    die "$sent requests, but $gone events are gone\n"
        . read_file("$c->{prefix}/logs/error.log")
        if $gone > $sent || $gone < $sent - 1000;
}


sub waiting_memory {
    my $c = with_queue(keep => 1);

    load($c, $webhook, keys => $keys);
    sleep(1);

    printf "memory of the worker, %d events waiting: %.1f MB   target %s\n",
        $many, memory_of($c->{worker}, 'VmRSS') / 1024, target('<', 16);

    stop($c);
}


# What a status costs while many events wait, and others come: the worker's own
# thread is what answers requests, the other one is the store's.

sub status {
    my $c = with_queue(keep => 1);
    my $http = HTTP::Tiny->new(timeout => 10);

    post($c, later()) for 1 .. 20;
    progress('status');

    my (%took, %cpu, %all);

    for (1 .. $rounds) {
        for my $name (qw(status metrics)) {
            my ($cpu, $all) = (thread_cpu($c->{worker}), cpu($c->{worker}));

            for (1 .. 100) {
                my $begun = time();
                my $answer = $http->get("http://127.0.0.1:$c->{port}/$name");
                push @{$took{$name}}, time() - $begun;

                $answer->{status} == 200
                    && $answer->{content} =~ /pending\D+(\d+)/ && $1 >= $many
                    or die "$name: $answer->{status} $answer->{content}\n";
            }

            push @{$cpu{$name}}, (thread_cpu($c->{worker}) - $cpu) / 100;
            push @{$all{$name}}, (cpu($c->{worker}) - $all) / 100;
        }
    }

    stop($c);
    progress('');
    print "\nstatus, $many events waiting\n";

    for my $name (qw(status metrics)) {
        printf "  %-8s %.2f ms of the worker   target %s   "
            . "%.2f ms with the store's thread   answered in %.2f ms\n",
            $name, 1e3 * median(@{$cpu{$name}}), target('<', 5),
            1e3 * median(@{$all{$name}}), 1e3 * median(@{$took{$name}});
    }
}


# of the thread with the event loop

sub thread_cpu {
    my ($pid) = @_;

    return (split ' ', read_file("/proc/$pid/task/$pid/schedstat"))[0] / 1e9;
}


# Idle

sub idle {
    my $c = with_queue(workers => 2, port => $upstream->{port});
    my $time = 5;

    progress('idle');

    # once with something to do, and past their beginning
    post($c, later()) for 1 .. 20;
    sleep(2);

    my %before = map { $_ => switches($_) } @{$c->{workers}};
    sleep($time);

    progress('');
    print "\nidle, wake-ups a second\n";

    for my $pid (@{$c->{workers}}) {
        printf "  %-20s %.1f   target <= 2\n",
            $pid == $c->{courier} ? 'the courier' : 'another worker',
            (switches($pid) - $before{$pid}) / $time;
    }

    stop($c);
}


sub switches {
    my ($pid) = @_;

    my $n = 0;

    for my $file (glob "/proc/$pid/task/*/status") {
        $n += $_ for read_file($file) =~ /voluntary_ctxt_switches:\s+(\d+)/g;
    }

    return $n;
}

1;
