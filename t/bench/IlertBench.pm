package IlertBench;

# What the parts of the benchmark have in common: nginx, load, and figures.
#
# $dir, $rounds, $seconds, $clients     where, how often, how long, how many
# $module                               the module's file
#
# start($name, $http, %opt)     an nginx with this in http{}, %%PORT%% being
#     its port, in $dir/$name; { name, port, pid, worker, workers, prefix }
#     modules => [files], workers => 1
# stop($c)
# load($c, $body, %opt)         wrk for a while, its clients close each
#     connection; dies if a webhook fails; { requests, seconds, rate, errors,
#     p50, p99, p999 in ms, cpu of the workers in us a webhook }
#     seconds => $seconds, clients => $clients, keys => number of alerts
# post($c, $body)               one webhook; the body of the answer
# body($webhook)                of t/data/webhooks/$webhook.http
# median(..), quantile($q, ..)
# cpu($pid)                     seconds that it has had of a CPU
# memory_of($pid, $name)        kB, by a name as VmRSS
# target($sign, $figure)        its text
# progress($text)               on a terminal
# read_file, write_file

use warnings;
use strict;

use Cwd ();
use Exporter 'import';
use File::Path ();
use IO::Socket::INET;
use Time::HiRes ();

our @EXPORT = qw($bench $top $dir $rounds $seconds $clients $keepalive $nginx
    $module start stop load post body median quantile cpu memory_of target
    progress read_file write_file);

our $bench = Cwd::abs_path(__FILE__) =~ s{/[^/]*\z}{}r;
our $top = Cwd::abs_path("$bench/../..");
our $dir = "$top/build/bench";

our $rounds = $ENV{BENCH_ROUNDS} // 5;
our $seconds = $ENV{BENCH_SECONDS} // 2;
our $clients = $ENV{BENCH_CLIENTS} // 16;
our $keepalive = $ENV{BENCH_KEEPALIVE} // 1;
our $nginx = $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx';
our $module = $ENV{ILERT_MODULE} // "$top/build/ngx_http_ilert_module.so";

my $cpus = () = read_file('/proc/cpuinfo') =~ /^processor/gm;
my $other = $ENV{BENCH_PIN} && $cpus > 1 ? '1-' . ($cpus - 1) : '';

my %started;            # pid of a master => name

$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
END { my $status = $?; stop({ pid => $_ }) for keys %started; $? = $status }

File::Path::make_path($dir);
chdir $dir or die "$dir: $!\n";


# Running an nginx

sub start {
    my ($name, $http, %opt) = @_;

    my $port = free_port();
    my $prefix = "$dir/$name";
    my $load = join '', map { "load_module $_;\n" } @{$opt{modules} // []};
    my $user = $> == 0 ? 'user root;' : '';
    my $workers = $opt{workers} // 1;
    my $cpu = $other eq '' ? '' : 'worker_cpu_affinity '
        . ($name eq 'upstream' ? '10' : '01') . ';';

    $http =~ s/%%PORT%%/$port/g;

    File::Path::remove_tree($prefix);
    File::Path::make_path("$prefix/logs");

    write_file("$prefix/nginx.conf", <<"CONF");
$load$user
$cpu
worker_processes $workers;
daemon off;
pid $prefix/nginx.pid;
error_log $prefix/logs/error.log warn;

events {
    worker_connections 8192;
}

http {
    access_log off;
    client_body_temp_path $prefix/client_body;
    proxy_temp_path $prefix/proxy;
    fastcgi_temp_path $prefix/fastcgi;
    uwsgi_temp_path $prefix/uwsgi;
    scgi_temp_path $prefix/scgi;

$http
}
CONF

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        %started = ();
        open STDERR, '>', "$prefix/logs/stderr";
        exec $nginx, '-p', $prefix, '-c', "$prefix/nginx.conf",
             '-e', "$prefix/logs/error.log";
        die "$nginx: $!\n";
    }

    $started{$pid} = $name;

    for (1 .. 500) {
        my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        my @children = children($pid);

        return { name => $name, port => $port, pid => $pid,
                 worker => $children[0], workers => \@children,
                 prefix => $prefix } if $socket && @children == $workers;

        waitpid($pid, 1) and last;
        Time::HiRes::sleep(0.01);
    }

    die "nginx ($name) does not start:\n"
        . (read_file("$prefix/logs/stderr") || '')
        . (read_file("$prefix/logs/error.log") || '');
}


sub stop {
    my ($c) = @_;

    delete $started{$c->{pid}} or return;

    kill 'TERM', $c->{pid};
    waitpid $c->{pid}, 0;
}


sub children {
    my ($pid) = @_;

    return split ' ', read_file("/proc/$pid/task/$pid/children") // '';
}


sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1,
        LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!\n";

    return $socket->sockport;
}


sub read_file {
    my ($name) = @_;

    local $/;
    open my $file, '<:raw', $name or return;

    return scalar <$file>;
}


sub write_file {
    my ($name, $text) = @_;

    open my $file, '>:raw', $name or die "$name: $!\n";
    print $file $text;
    close $file or die "$name: $!\n";
}


sub body {
    my ($webhook) = @_;

    my $request = read_file("$top/t/data/webhooks/$webhook.http")
        // die "$webhook: $!\n";

    return $request =~ s/\A.*?\r\n\r\n//sr;
}


# Seconds that a process has had of a CPU, its threads included.

sub cpu {
    my ($pid) = @_;

    my $ns = 0;
    $ns += (split ' ', read_file($_) // '0')[0]
        for glob "/proc/$pid/task/*/schedstat";
    return $ns / 1e9 if $ns;

    my @stat = split ' ', read_file("/proc/$pid/stat") =~ s/.*\)//sr;

    return ($stat[11] + $stat[12]) / 100;
}


sub memory_of {
    my ($pid, $name) = @_;

    my ($kb) = read_file("/proc/$pid/status") =~ /^$name:\s+(\d+) kB/m;

    return $kb;
}


# Load

# With keys, each webhook is of another alert than those before.

my $script = <<'LUA';
local keys = tonumber(os.getenv("BENCH_KEYS"))
local requests, i = {}, 0
local time = os.time() % 1000 * 1000000

wrk.method = "POST"
wrk.body = io.open(os.getenv("BENCH_BODY"), "rb"):read("*a")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Connection"] = "close"

local function next_request()
    i = i % keys + 1

    if not requests[i] then
        requests[i] = wrk.format(nil, nil, nil,
            (string.gsub(wrk.body, '"id":"[^"]*', "%0 " .. i, 1)))
    end

    -- a webhook with the time of another one would be a copy

    time = time + 1

    return (string.gsub(requests[i], "%.%d%d%d%d%d%d%d%d%dZ",
                        string.format(".%09dZ", time)))
end

if keys > 0 then
    request = next_request
end

function done(summary, latency)
    local e = summary.errors

    print(string.format("DONE %d %d %d %d %d %d", summary.requests,
                        summary.duration, latency:percentile(50),
                        latency:percentile(99), latency:percentile(99.9),
                        e.connect + e.read + e.write + e.status + e.timeout))
end
LUA

sub load {
    my ($c, $body, %opt) = @_;

    write_file("$dir/post.lua", $script);
    write_file("$dir/body", $body);

    local $ENV{BENCH_BODY} = "$dir/body";
    local $ENV{BENCH_KEYS} = $opt{keys} // 0;

    my $time = $opt{seconds} // $seconds;
    my $open = $opt{clients} // $clients;
    my $pin = $other eq '' ? '' : "taskset -c $other";
    my $url = "http://127.0.0.1:$c->{port}/kapacitor";

    my $before = total_cpu($c);
    my $out = `$pin wrk -t1 -c$open -d${time}s -s $dir/post.lua $url 2>&1`;
    my $cpu = total_cpu($c) - $before;

    my ($requests, $us, $p50, $p99, $p999, $errors) =
        $out =~ /^DONE (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)/m
        or die "wrk: $out\n";

    die "$c->{name}: $errors of $requests failed\n"
        . (read_file("$c->{prefix}/logs/error.log") || '')
        if $errors || !$requests;

    return { requests => $requests, seconds => $us / 1e6,
             rate => $requests / $us * 1e6, cpu => $cpu / $requests * 1e6,
             p50 => $p50 / 1000, p99 => $p99 / 1000, p999 => $p999 / 1000 };
}


sub total_cpu {
    my ($c) = @_;

    my $cpu = 0;
    $cpu += cpu($_) for @{$c->{workers}};

    return $cpu;
}


sub post {
    my ($c, $body) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$c->{port}")
        or die "connect: $!\n";

    print $socket "POST /kapacitor HTTP/1.1\r\nHost: bench\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n" . $body;
    $socket->flush;

    my $answer = do { local $/; <$socket> } // '';

    $answer =~ m{^HTTP/1.1 202 } or die "answer: $answer\n";

    return $answer =~ s/\A.*?\r\n\r\n//sr;
}


# Figures

sub median { return quantile(0.5, @_) }


# Between two figures, what lies between them.

sub quantile {
    my ($q, @figures) = @_;

    my @sorted = sort { $a <=> $b } @figures;
    my $at = $q * $#sorted;
    my $next = $sorted[int($at) + 1] // $sorted[-1];

    return $sorted[$at] + ($at - int $at) * ($next - $sorted[$at]);
}


sub target {
    my ($sign, $figure) = @_;

    return defined $figure ? "$sign $figure" : '';
}


sub progress {
    my ($text) = @_;

    return if !-t STDERR;

    local $| = 1;
    printf STDERR "\r%-70s\r%s", '', $text;
}

1;
