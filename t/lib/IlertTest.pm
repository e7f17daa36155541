package IlertTest;

# A real nginx under test.  One object is one nginx with its own directory
# below build/t/, its own free loopback ports and its own logs.
#
#     use lib 't/lib';
#     use IlertTest;           # exports done, webhook, webhooks, wait_until
#     use IlertFake;           #     and nginx_t
#     my $fake = IlertFake->start(keys => { il1api0123 => 'api' });
#     my $t = IlertTest->new(fake => $fake, conf => <<'CONF')->start;
#         server {
#             listen 127.0.0.1:%%PORT_0%%;
#             location / { proxy_pass http://%%FAKE%%/api/; }
#         }
#     CONF
#     my $r = $t->post('/kapacitor', webhook('01-levels-04-CRITICAL'));
#     is($r->{status}, 202);
#     done();                          # instead of done_testing
#
# new(%opt): makes the directory, does not start.
#     conf => text          body of http { }, to which proxy_read_timeout is
#                           added; with full => 1 a whole file: what it lacks
#                           of load_module (ours), daemon, pid, user,
#                           error_log, worker_processes, access_log and
#                           temporary paths is put in
#     example => 'levels'   docs/examples/levels.conf as a whole file; its
#                           load_module line of our module is adapted
#     replace => { text => text }   literal replacements in the file, longest
#                           first; a text that does not occur is an error
#     fake => $fake | [..]  for %%FAKE%% (= %%FAKE_0%%), %%FAKE_1%%, ..; the
#                           keys that they know become secrets (see secret)
#     files => { name => text }     written into the directory
#     main => text, events => text  more directives at these levels
#     workers => 2, connections => 1024, log_level => 'info'
#     module => 0           without load_module
#     user => 'nobody'      when root; default: root
#     env => { name => value }
#     command => [..]       runs nginx, its arguments being added: ['sh', '-c',
#                           'ulimit -f 999; exec "$@"', 'sh']
#     daemon => 1           as upgrades need; how it ends is not known then
#     secrets => [..]       see secret
#     common => qr//        what all configurations of the script have: see
#                           conf_refused
#     leaks => 1            keys in logs and answers are not looked for
#   Placeholders in conf, replace and main: %%PORT_0%%..%%PORT_9%%, %%DIR%%,
#   %%FAKE%%, %%FAKE_N%%, and %%ENDPOINT%%: a location that is the endpoint
#   "default" and passes to %%FAKE%%.
#
# Life.  Each dies with the reason and the end of the log if it fails.
#     start                 returns the object when all workers are ready
#     stop                  QUIT; waits for the end; none is a fault
#     stop('TERM')          another signal
#     reload                HUP; returns when the new workers serve and the old
#                           ones take no more connections (they may live on)
#     reload(fail => 1)     the configuration must be refused: returns the
#                           [emerg] lines, which are then expected
#     set_conf($text)       a new configuration for the next start or reload
#     upgrade               with daemon => 1: USR2, and QUIT for the old
#                           master when the workers of the new one serve;
#                           upgrade(sub { .. }) calls it before that, while
#                           both serve
#     kill_worker([$signal [, $pid]])   KILL by default; waits for the
#                           successor; the log line about it is expected.
#                           Returns the pid
#     crash                 KILLs master and workers at once
#     workers               pids of the workers in service
#     old_workers           pids of those that are shutting down
#     master                pid; running: true if it lives
#     dir, port($n), path($name), read_file($name), write_file($name, $text)
#     (bytes; returns the path)
#
# HTTP.  The port is %%PORT_0%% unless port => N.
#     post($uri, $body, %opt)   get($uri, %opt)   head($uri, %opt)
#     request($method, $uri, %opt)
#       return { status (0: no answer), reason, headers => [[name, value]..],
#                header => { lower-case name => value }, body, json (decoded,
#                if the body is JSON), whole (the answer is complete), closed
#                (the server closed), reset (by RST), timeout, error, time
#                (seconds), raw (all bytes) }
#       headers => [name => value, ..]   replaces a default of that name or is
#                           added; undef removes it.  The defaults are
#                           Kapacitor's: Host, User-Agent, Content-Length,
#                           Content-Type, Accept-Encoding (GET: Host only)
#       body => bytes, timeout => 60, port => N, address => '127.0.0.1',
#       http => '1.0', chunked => bytes in a chunk, no_length => 1, length => N
#       pieces => bytes in a write | [strings] (instead of the whole request)
#       pause => seconds between writes
#       abort => N            closes after N bytes of the request; -1: after
#                             all of it
#       abort_reset => 1      aborts by RST
#       half_close => 1       shuts down the sending side after the request
#       raw => bytes          the whole request as it is
#       connection => $c      over a kept connection:
#                             $c = $t->connection(%opt); $c->close
#       tls => 1 | { IO::Socket::SSL arguments }
#     start_post, start_get, start_request (same arguments) return a handle at
#       once, the request being sent as far as the kernel takes it;
#       finish(@handles) returns the answers in that order; handle->{done};
#       poll($seconds) goes on with all handles meanwhile.
#     webhook($name)        body of t/data/webhooks/NAME.http (function or
#                           method)
#     later($body)          the same webhook, at another time than those before
#     webhook_request($name)  the whole captured request
#     webhooks([qr//])      all names, sorted
#
# Logs.
#     error_log, access_log         text
#     access_mark                   the access log's length, when the line of
#                                   each request that was answered is there
#     mark                          a place in the error log
#     log_since($mark)              text after it
#     grep_log(qr//[, $mark])       lines of the error log that match
#     wait_log(qr//[, seconds[, $mark]])   first such line, waited for; or ''
#     expect_log(qr//)              lines that match do not fail the test
#     secret('il1api0123', ..)      must be in no log (but [debug] lines) and
#                                   in no answer
#     check                         list of faults so far: what done tests
#
# Functions:
#     wait_until(sub { }, seconds, what)   true value of sub; '' and a diag
#                                   when the time is over (see IlertWait)
#     nginx_t($conf, %opt)          (exit code, output) of nginx -t with the
#                                   options of new; lines as nginx writes them
#                                   to a terminal: "nginx: [emerg] .. in F:N".
#                                   $t->test_conf($conf, %opt): the same in the
#                                   object's directory and with its ports;
#                                   disk => 1 says what on_disk is about, too;
#                                   "command" is that of this call alone
#     $t->conf_lines($conf, %opt)   the same, but lines have their level and
#                                   not what nginx says of itself, the object's
#                                   directory is cut off, the file reads F, and
#                                   the first line of $conf is its line 1
#     $t->conf_refused($conf, $expected, %opt)   two tests: these lines are an
#                                   error's, "[emerg] $expected" or like the
#                                   regexp, and nginx -t fails.  The name is
#                                   the configuration without what is common
#     $t->conf_accepted($conf, @warnings)   two tests: there are these
#                                   warnings and no others, and nginx -t does
#                                   not fail
#     done                          stops everything, adds four tests: no
#                                   [alert] or [emerg] in a log, no sanitizer's
#                                   report, no process died or was left over,
#                                   no key in logs and answers; done_testing
#     bad_log_lines($text, @expected)   lines of a log that fail a test
#     IlertFake::free_port
#     process_rss($pid), process_cpu($pid)   bytes; seconds
#     process_waits($pid)           how often its threads have begun to wait
#     lock_holders($kind, $inode [, $first])   pids that have locked that file
#                                   for writing, from its byte $first on;
#                                   $kind: 'FLOCK' or 'POSIX', as /proc/locks
#                                   says
#     slurp($path)                  bytes of a file; undef if it cannot be read
#     nginx_version, has_threads    '1.22.1'; true if nginx has threads
#     mount($path, $options), unmount($path), fill($path)   a file system of
#                                   its own; a file as large as there is room
#     on_disk()                     true if objects' directories are on a disk;
#                                   if not, "queue_disk" warns of it
#   Without done the END block does the same and sets the exit status.
#   A directory is removed unless there was a fault or TEST_NGINX_LEAVE is set.
#
# Environment: TEST_NGINX_BINARY, ILERT_MODULE (path of the .so; set but empty:
# static), TEST_NGINX_GLOBALS, TEST_NGINX_LEAVE, TEST_NGINX_VERBOSE.
#     TEST_ONLY=REGEXP      skips the subtests of a script whose names do not
#                           match: TEST_ONLY='^budgets$' prove t/status.t runs
#                           one of them.  A subtest therefore relies on what
#                           stands outside of subtests only, never on another
#                           subtest.  What is in a subtest that runs is not
#                           skipped.

use warnings;
use strict;

use Carp qw(croak);
use Config ();
use Cwd qw(abs_path);
use Errno qw(EAGAIN EINTR EINPROGRESS EWOULDBLOCK);
use Exporter qw(import);
use File::Basename qw(basename dirname);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Handle;
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Scalar::Util qw(refaddr weaken);
use Test::More ();
use Time::HiRes qw(sleep time);

use IlertClient;
use IlertFake;
use IlertWait qw(patience wait_quietly wait_until);

our @EXPORT = qw(done webhook webhooks wait_until nginx_t);
our @EXPORT_OK = qw(
    bad_log_lines on_disk process_rss process_cpu process_waits lock_holders
    nginx_version has_threads webhook_request slurp top mount unmount fill
);

my $ENDPOINT = <<'CONF';
location /ilert/ {
    internal;
    ilert_endpoint;
    proxy_pass http://%%FAKE%%/api/$ilert_path;
}
CONF

my $TOP = abs_path(dirname(__FILE__) . '/../..');
my $OWNER = $$;
my @MOUNTED;
my %LIVE;                       # objects, weak
my @FAULTS;                     # [kind, text] of objects that are gone
my $DONE;

$SIG{$_} ||= sub { exit 130 } for qw(INT TERM HUP);

_only($ENV{TEST_ONLY}) if ($ENV{TEST_ONLY} // '') ne '';

# See TEST_ONLY.  Test::More's subtest() calls the method that is replaced.

sub _only {
    my ($pattern) = @_;
    my $subtest = \&Test::Builder::subtest;

    no warnings 'redefine';
    *Test::Builder::subtest = sub {
        my ($self, $name) = @_;
        my $nested = Test2::API::test2_stack()->top->is_subtest;

        goto &$subtest if $nested || $name =~ /$pattern/;
        $self->skip("$name: not in TEST_ONLY");
    };
}


# The object --------------------------------------------------------------

my %OPTION = map { $_ => 1 } qw(
    conf full example replace fake files main events workers connections
    log_level module user env command daemon leaks secrets common
);

sub new {
    my ($class, %opt) = @_;

    for (keys %opt) {
        croak "IlertTest: unknown option $_" unless $OPTION{$_};
    }

    my $self = bless {
        opt => \%opt,
        fakes => [ ref $opt{fake} eq 'ARRAY' ? @{$opt{fake}}
                   : grep { defined } $opt{fake} ],
        ports => [],
        expected => [],
        secrets => {},
        faults => [],
    }, $class;

    $self->_make_dir();
    $LIVE{refaddr $self} = $self;
    weaken($LIVE{refaddr $self});

    $self->write_file($_, $opt{files}{$_}) for keys %{$opt{files} || {}};
    $self->secret(@{$opt{secrets} || []});
    $self->secret(keys %{$_->keys}) for @{$self->{fakes}};

    return $self;
}

sub top { $TOP }

sub _make_dir {
    my ($self) = @_;

    my $name = basename($0);
    $name =~ s/\.t$//;
    $name =~ s/[^A-Za-z0-9_-]//g;
    make_path("$TOP/build/t");

    $self->{dir} = tempdir("$name-XXXXXX", DIR => "$TOP/build/t");
    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/logs";
}

sub dir { $_[0]{dir} }
sub master { $_[0]{pid} }
sub path { my ($self, $name) = @_; return "$self->{dir}/$name" }

sub port {
    my ($self, $n) = @_;
    return $self->{ports}[$n || 0] ||= IlertFake::free_port();
}

sub write_file {
    my ($self, $name, $text) = @_;

    my $path = $self->path($name);
    make_path(dirname($path));
    open my $file, '>:raw', $path or croak "cannot write $path: $!";
    print $file $text;
    close $file or croak "cannot write $path: $!";
    return $path;
}

sub read_file {
    my ($self, $name) = @_;
    my $text = slurp($self->path($name));
    croak "cannot read $name: $!" unless defined $text;
    return $text;
}

sub slurp {
    my ($path, $from) = @_;

    open my $file, '<:raw', $path or return;
    seek $file, $from, 0 if $from;
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub secret {
    my ($self, @keys) = @_;
    $self->{secrets}{$_} = 1 for @keys;
}

sub expect_log {
    my ($self, @patterns) = @_;
    push @{$self->{expected}}, @patterns;
}

sub set_conf {
    my ($self, $text) = @_;
    $self->{opt}{conf} = $text;
    delete $self->{opt}{example};
}

sub _fault {
    my ($self, $kind, $text) = @_;
    push @{$self->{faults}}, [ $kind, $text ];
}


# The configuration -------------------------------------------------------

sub _expand {
    my ($self, $text) = @_;
    my $fakes = $self->{fakes};

    $text =~ s/%%ENDPOINT%%/$ENDPOINT/g;
    $text =~ s/%%PORT_([0-9])%%/$self->port($1)/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $text =~ s/%%FAKE(?:_([0-9]+))?%%/
        my $fake = $fakes->[$1 || 0] or croak "$&: no such fake";
        $fake->address/gex;
    return $text;
}

sub _configuration {
    my ($self, %opt) = @_;

    my $text = defined $opt{example} ? $self->_example($opt{example})
             : $opt{full} ? $opt{conf}
             : $self->_skeleton($opt{conf});

    $text = _replace($text, $opt{replace}) if $opt{replace};
    $text = $self->_complete($self->_expand($text), %opt);
    return $text;
}

sub _example {
    my ($self, $name) = @_;

    my $path = "$TOP/docs/examples/$name.conf";
    my $text = slurp($path);
    croak "cannot read $path: $!" unless defined $text;
    return $text;
}

sub _replace {
    my ($text, $replace) = @_;

    my @from = sort { length $b <=> length $a || $a cmp $b } keys %$replace;
    my $pattern = join '|', map { quotemeta } @from;
    my %found;

    $text =~ s/($pattern)/$found{$1}++; $replace->{$1}/ge if @from;

    for (@from) {
        croak "replace: \"$_\" does not occur" unless $found{$_};
    }

    return $text;
}

sub _skeleton {
    my ($self, $http) = @_;

    croak 'IlertTest: no conf' unless defined $http;

    # nginx would warn of the default, which is 60 s

    my $timeout = _without_blocks($http) =~ /^\s*proxy_read_timeout\s/m
                  ? '' : "proxy_read_timeout 20s;\n";
    return "http {\n$timeout$http\n}\n";
}

# Adds what a file lacks to run in our directory.

sub _complete {
    my ($self, $text, %opt) = @_;
    my $dir = $self->{dir};

    my $main = '';
    my $module = _module($opt{module});

    if ($text =~ s{^([ \t]*load_module\s+\S*ngx_http_ilert_module\.so\s*;)}
                  {$module}m)
    {
        $module = '';
    }

    $main .= "$module\n" if $module ne '';

    my $level = $opt{log_level} || 'info';
    my %main = (
        daemon => $opt{daemon} ? 'on' : 'off',
        pid => "$dir/nginx.pid",
        error_log => "$dir/error.log $level",
        worker_processes => $opt{workers} || 2,
        $> == 0 ? (user => _user_and_group($opt{user} || 'root')) : (),
    );

    my $top = _without_blocks($text);
    for (sort keys %main) {
        $main .= "$_ $main{$_};\n" unless $top =~ /^\s*$_\s/m;
    }

    $main .= ($ENV{TEST_NGINX_GLOBALS} || '') . "\n";
    $main .= $self->_expand($opt{main}) . "\n" if defined $opt{main};

    if ($text !~ /^\s*events\s*\{/m) {
        my $n = $opt{connections} || 1024;
        my $events = defined $opt{events} ? $opt{events} : '';
        $main .= "events { worker_connections $n; $events }\n";
    }

    my $http = $self->_http_defaults($text);
    $text =~ s/^([ \t]*http\s*\{)/$1\n$http/m;

    return $main . $text;
}

sub _user_and_group {
    my ($user) = @_;

    my $gid = (getpwnam $user)[3];
    croak "no user $user" unless defined $gid;
    return "$user " . getgrgid($gid);
}

sub _without_blocks {
    my ($text) = @_;

    $text =~ s/#.*//g;
    1 while $text =~ s/\{[^{}]*\}/;/;
    return $text;
}

sub _http_defaults {
    my ($self, $text) = @_;
    my $dir = $self->{dir};
    my ($level) = $text =~ /^[ \t]*http\s*\{(.*)\}/ms;
    $level = _without_blocks(defined $level ? $level : '');

    my $http = '';
    $http .= "access_log $dir/access.log;\n"
        unless $level =~ /^\s*access_log\s/m;

    my %path = (client_body => 'client_body_temp_path');
    $path{$_} = "${_}_temp_path" for _proxies();

    for (sort keys %path) {
        $http .= "$path{$_} $dir/$_;\n" unless $level =~ /^\s*$path{$_}\s/m;
    }

    return $http;
}


# The program -------------------------------------------------------------

my ($BINARY, $VERSION_TEXT);

sub binary {
    return $BINARY if defined $BINARY;

    my ($found) = grep { -x } map { "$_/nginx" } split /:/, $ENV{PATH};
    $BINARY = $ENV{TEST_NGINX_BINARY} || $found || '/usr/sbin/nginx';
    die "no nginx: $BINARY\n" unless -x $BINARY;
    return $BINARY = abs_path($BINARY);
}

sub _version_text {
    return $VERSION_TEXT if defined $VERSION_TEXT;
    my $binary = binary();
    return $VERSION_TEXT = `'$binary' -V 2>&1`;
}

sub nginx_version {
    my ($version) = _version_text() =~ m{version: \S+?/([\d.]+)};
    return $version;
}

sub has_threads { _version_text() =~ /--with-threads/ }
sub has_http2 { _version_text() =~ /--with-http_v2_module/ }

# True if nginx has the option -e.

sub _has_e {
    return sprintf('%d%03d%03d', split /\./, nginx_version()) >= 1_019_005;
}

sub _proxies {
    my $text = _version_text();
    return grep { $text !~ /--without-http_${_}_module/ }
        qw(proxy fastcgi uwsgi scgi);
}

sub _module {
    my ($wanted) = @_;

    return '' if defined $wanted && !$wanted;
    my $path = defined $ENV{ILERT_MODULE}
               ? $ENV{ILERT_MODULE} : "$TOP/build/ngx_http_ilert_module.so";
    return '' if $path eq '';
    die "no $path: run make first\n" unless -e $path;
    return 'load_module ' . abs_path($path) . ';';
}

sub _arguments {
    my ($self, $conf) = @_;
    my $dir = $self->{dir};
    return (binary(), '-p', $dir, '-c', "$dir/$conf",
            _has_e() ? ('-e', "$dir/start.log") : ());
}

sub start {
    my ($self) = @_;

    croak 'already running' if $self->{pid};
    $self->write_file('nginx.conf', $self->_configuration(%{$self->{opt}}));

    my @command = (@{$self->{opt}{command} || []},
                   $self->_arguments('nginx.conf'));

    # one that was killed has left its file

    unlink $self->path('nginx.pid');

    STDOUT->flush();
    STDERR->flush();
    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        eval { $self->_become(@command) };
        print STDERR $@;
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $self->_find_daemon() if $self->{opt}{daemon};
    my $ready = wait_quietly(sub { $self->_reap || $self->_ready });

    if (!$self->{pid} || !$ready) {
        my $log = $self->_all_logs();
        $self->stop('TERM') if $self->{pid};
        die "nginx did not start:\n" . _tail($log) . "\n";
    }

    return $self;
}

sub _find_daemon {
    my ($self) = @_;

    wait_quietly(sub { waitpid($self->{pid}, WNOHANG) });
    if ($?) {
        delete $self->{pid};
        return;
    }

    wait_quietly(sub { -s $self->path('nginx.pid') });
    my $text = slurp($self->path('nginx.pid'));
    ($self->{pid}) = defined $text ? $text =~ /^(\d+)/ : ();
    $self->{adopted} = 1;
}

# nginx gets a process group of its own, so that Ctrl-C does not reach it: we
# stop it ourselves.  If we are killed, the kernel stops it (on Linux).

sub _become {
    my ($self, @command) = @_;
    my $dir = $self->{dir};

    POSIX::setpgid(0, 0);
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    _die_with_parent();
    chdir $dir or die "$dir: $!\n";

    open STDIN, '<', '/dev/null' or die "/dev/null: $!\n";
    open STDOUT, '>>', "$dir/stderr.log" or die "$dir/stderr.log: $!\n";
    open STDERR, '>&', \*STDOUT or die "stderr: $!\n";

    $ENV{$_} = $self->{opt}{env}{$_} for keys %{$self->{opt}{env} || {}};
    exec { $command[0] } @command or die "$command[0]: $!\n";
}

sub _die_with_parent {
    my %prctl = (x86_64 => 157, aarch64 => 167, i386 => 172, i686 => 172,
                 s390x => 172);

    # that of perl: a kernel of 64 bits may run one of 32

    my ($arch) = $Config::Config{archname} =~ /^(\w+)/;
    my $number = $prctl{$arch};

    # prctl(PR_SET_PDEATHSIG, SIGTERM)
    syscall($number, 1, POSIX::SIGTERM(), 0, 0, 0)
        if $^O eq 'linux' && defined $number;
}

# True if the master has ended; what it ended with is a fault if not 0.

sub _reap {
    my ($self) = @_;
    my $pid = $self->{pid} or return 1;

    if ($self->{adopted}) {
        return 0 if kill(0, $pid) && !_zombie($pid);
        delete @$self{qw(pid adopted)};
        return 1;
    }

    return 0 if waitpid($pid, WNOHANG) == 0;

    my $status = $?;
    delete $self->{pid};

    if ($status & 127) {
        my $signal = $status & 127;
        $self->_fault(process => "nginx ended on signal $signal")
            unless $self->{killed};

    } elsif ($status) {
        $self->_fault(process => 'nginx ended with code ' . ($status >> 8));
    }

    return 1;
}

sub running {
    my ($self) = @_;
    return $self->{pid} && !$self->_reap;
}

# A worker is ready when it has set its title.

sub _ready {
    my ($self) = @_;

    my $text = $self->read_file('nginx.conf');
    return -s $self->path('nginx.pid') if $text =~ /^\s*master_process\s+off/m;

    my ($n) = $text =~ /^\s*worker_processes\s+(\d+)/m;
    return $self->workers >= ($n || 1);
}

# The title of a process that qemu emulates is not to be seen: all children of
# the master are taken for workers then.

sub workers {
    $_[0]->_children(qr/^nginx: worker process$|^\S*-binfmt-P \S*nginx /);
}

sub old_workers {
    $_[0]->_children(qr/^nginx: worker process is shutting down/);
}

sub _children {
    my ($self, $title) = @_;
    my $master = $self->{pid} or return;
    my @pids;

    for my $pid (_process_ids()) {
        my $parent = _parent($pid);
        next unless defined $parent && $parent == $master;
        push @pids, $pid if _command_line($pid) =~ $title;
    }

    @pids = sort { $a <=> $b } @pids;
    return @pids;
}

sub _process_ids {
    opendir my $proc, '/proc' or die "/proc: $!";
    return grep { /^[0-9]+$/ } readdir $proc;
}

sub _parent {
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat");
    return unless defined $stat && $stat =~ /^.*\) \S (\d+)/s;
    return $1;
}

sub _command_line {
    my ($pid) = @_;
    my $line = slurp("/proc/$pid/cmdline");
    return '' unless defined $line;
    $line =~ s/\0+$//;
    $line =~ s/\0/ /g;
    $line =~ s/ +$//;
    return $line;
}

sub reload {
    my ($self, %opt) = @_;

    croak 'not running' unless $self->running;
    $self->write_file('nginx.conf', $self->_configuration(%{$self->{opt}}));

    my %before = map { $_ => 1 } $self->workers;
    my $mark = $self->mark;
    kill 'HUP', $self->{pid};

    my @emerg;
    my $ready = wait_quietly(sub {
        $self->_reap and return 1;
        @emerg = $self->grep_log(qr/\[emerg\]/, $mark) and return 1;
        return if grep { $before{$_} } $self->workers;
        return $self->_ready;
    });

    if ($opt{fail}) {
        die "reload: the configuration was not refused\n" unless @emerg;
        $self->expect_log(map { qr/\Q$_\E/ } @emerg);
        return @emerg;
    }

    if (!$ready || @emerg || !$self->{pid}) {
        die "reload failed:\n" . _tail($self->log_since($mark)) . "\n";
    }

    return $self;
}

sub upgrade {
    my ($self, $meanwhile) = @_;
    my $old = $self->{pid} or croak 'not running';
    my $new;

    kill 'USR2', $old;
    wait_quietly(sub {
        my $text = slurp($self->path('nginx.pid'));
        ($new) = defined $text ? $text =~ /^(\d+)\n/ : ();
        return $new && $new != $old;
    }) or die "no new master:\n" . _tail($self->_all_logs) . "\n";

    {
        local $self->{pid} = $new;
        wait_quietly(sub { $self->_ready }) or die "no new workers\n";
    }

    $meanwhile->() if $meanwhile;

    kill 'QUIT', $old;
    if (!wait_quietly(sub { $self->_reap })) {
        $self->_fault(process => 'the old master does not end');
        kill 'KILL', $old;
        waitpid $old, 0;
    }

    @$self{qw(pid adopted)} = ($new, 1);
    return $self;
}

sub kill_worker {
    my ($self, $signal, $pid) = @_;

    my @before = $self->workers;
    $pid ||= $before[0] or croak 'no worker';
    $signal ||= 'KILL';
    $self->expect_log(qr/process $pid exited/);

    kill $signal, $pid or croak "kill $pid: $!";
    wait_quietly(sub {
        my @now = $self->workers;
        return @now >= @before && !grep { $_ == $pid } @now;
    }) or die "no successor of worker $pid\n";

    return $pid;
}

sub crash {
    my ($self) = @_;
    my $pid = $self->{pid} or return;

    $self->{killed} = 1;
    kill 'STOP', $pid;
    my @pids = $self->_processes;
    kill 'KILL', @pids, $pid;
    waitpid $pid, 0;
    delete @$self{qw(pid killed adopted)};

    # new processes may have begun meanwhile, and threads may have sockets yet
    wait_quietly(sub {
        my @born = $self->_processes;
        kill 'KILL', @born;
        return !@born && !grep { _threads($_) } @pids;
    }) or die "processes survived KILL\n";
}

# Returns the threads of a process that are not dead.

sub _threads {
    my ($pid) = @_;
    return grep {
        my $stat = slurp("$_/stat");
        defined $stat && $stat !~ /^.*\) [ZX] /s;
    } glob "/proc/$pid/task/*";
}

sub stop {
    my ($self, $signal) = @_;

    my $pid = $self->{pid};
    return if !$pid || $OWNER != $$;

    local $?;
    $signal ||= 'QUIT';
    $self->{killed} = $signal eq 'KILL';
    kill $signal, $pid;

    if (!wait_quietly(sub { $self->_reap })) {
        $self->_fault(process => "nginx does not end after $signal");
        $self->{killed} = 1;
        kill 'TERM', $pid;
        wait_quietly(sub { $self->_reap }, 3) || kill 'KILL', $pid;
        wait_quietly(sub { $self->_reap });
    }

    $self->_stop_left_over();
    delete $self->{killed};
}

# A process belongs to this nginx, whatever its parent is, if our directory is
# its working directory.

sub has_process {
    my ($self, $pid) = @_;
    my $cwd = readlink "/proc/$pid/cwd";
    return defined $cwd && $cwd eq $self->{dir} && $pid != $$
           && !_zombie($pid);
}

sub _processes {
    my ($self) = @_;
    return grep { $self->has_process($_) } _process_ids();
}

sub _zombie {
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat");
    return !defined $stat || $stat =~ /^.*\) Z /s;
}

sub _stop_left_over {
    my ($self) = @_;

    return if wait_quietly(sub { !$self->_processes });

    my @left = $self->_processes or return;
    $self->_fault(process => "left over: $_ " . _command_line($_)) for @left;
    kill 'KILL', @left;
    wait_quietly(sub { !$self->_processes });
}


# Logs --------------------------------------------------------------------

sub error_log {
    my ($self) = @_;
    my $text = slurp($self->path('error.log'));
    return defined $text ? $text : '';
}

sub access_log {
    my ($self) = @_;
    my $text = slurp($self->path('access.log'));
    return defined $text ? $text : '';
}

# Returns the length of the access log when all requests that were answered
# have their lines there: a line is written after the answer, but before the
# connection is closed.  Of several workers only one is asked.

sub access_mark {
    my ($self) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->port,
        Timeout => patience()) or die "cannot connect: $!";
    print $socket "OPTIONS /access-mark HTTP/1.0\r\n\r\n";
    1 while sysread $socket, my $answer, 4096;

    return length $self->access_log;
}

sub mark { -s $_[0]->path('error.log') || 0 }

sub log_since {
    my ($self, $mark) = @_;
    my $text = slurp($self->path('error.log'), $mark);
    return defined $text ? $text : '';
}

sub grep_log {
    my ($self, $pattern, $mark) = @_;
    return grep { $_ =~ $pattern } split /\n/, $self->log_since($mark || 0);
}

sub wait_log {
    my ($self, $pattern, $seconds, $mark) = @_;

    return wait_until(sub {
        my ($line) = $self->grep_log($pattern, $mark);
        return $line;
    }, $seconds, "log line $pattern");
}

# Returns the names and texts of all logs, as a list for a hash.

sub _logs {
    my ($self) = @_;
    my $dir = $self->{dir};
    return map { substr($_, 1 + length $dir) => slurp($_) }
        grep { -f } glob "\Q$dir\E/*.log \Q$dir\E/logs/*";
}

sub _all_logs {
    my ($self) = @_;
    my %logs = $self->_logs;
    return join '', map { $logs{$_} } grep { !/access/ } sort keys %logs;
}

sub _tail {
    my ($text, $most) = (@_, 30);
    my @lines = split /\n/, $text;
    splice @lines, 0, @lines - $most if @lines > $most;
    return join "\n", @lines;
}

my $LOG_FAULT = qr/\[(?:alert|emerg)\]/;
my $SANITIZER_FAULT = qr/Sanitizer|runtime\ error:/x;
my $PROCESS_FAULT = qr/exited\ on\ signal | exited\ with\ code\ [1-9]
                       | exited\ with\ fatal\ code/x;

sub bad_log_lines {
    my ($text, @expected) = @_;

    return grep {
        my $line = $_;
        $line =~ /$LOG_FAULT|$SANITIZER_FAULT|$PROCESS_FAULT/
            && !grep { $line =~ $_ } @expected;
    } split /\n/, $text;
}

# The faults of this nginx so far: [kind, text], kind being log, sanitizer,
# process or leak.

sub check {
    my ($self) = @_;
    my @faults = @{$self->{faults}};
    my %logs = $self->_logs;

    for my $name (sort keys %logs) {
        if ($name !~ /access/) {
            push @faults, map { [ _kind($_), "$name: $_" ] }
                bad_log_lines($logs{$name}, @{$self->{expected}});
        }

        push @faults, map { [ 'leak', "$name: $_" ] }
            $self->_leaks($logs{$name});
    }

    return @faults;
}

sub _kind {
    my ($line) = @_;
    return 'sanitizer' if $line =~ $SANITIZER_FAULT;
    return 'process' if $line =~ $PROCESS_FAULT;
    return 'log';
}

sub _leaks {
    my ($self, $text) = @_;

    my @keys = keys %{$self->{secrets}};
    return if $self->{opt}{leaks} || !@keys;

    my $pattern = join '|', map { quotemeta } @keys;
    return unless $text =~ /$pattern/;
    return grep { /$pattern/ && !/ \[debug\] / } split /\n/, $text;
}


# The end -----------------------------------------------------------------

my %TEST = (
    log => 'no [alert] or [emerg] in a log',
    sanitizer => 'no report of a sanitizer',
    process => 'no process died or was left over',
    leak => 'no key in a log or an answer',
);

sub done {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %faults = _finish_all();

    for my $kind (qw(log sanitizer process leak)) {
        my @texts = @{$faults{$kind} || []};
        Test::More::ok(!@texts, $TEST{$kind});
        _show(@texts);
    }

    $DONE = 1;
    Test::More::done_testing();
}

# A test that fails shows how the error logs end, and what of them it has not
# shown before; the first three times.

my $shown = 0;

sub _show_logs {
    my ($hub, $event) = @_;
    return if !$event->causes_fail || !$event->facet_data->{assert}
              || $OWNER != $$ || $shown >= 3;

    for my $self (grep { defined } values %LIVE) {
        my $log = $self->log_since($self->{shown} // 0);
        $log =~ s/^.*(?:signal 14 |\(4: Interrupted system call\)).*\n//mg;
        my $lines = _tail($log, 15);
        $self->{shown} = $self->mark;
        next if $lines eq '';
        $shown++;
        Test::More::diag("the end of $self->{dir}/error.log:");
        Test::More::diag($lines);
    }
}

Test2::API::test2_stack()->top->listen(\&_show_logs, inherit => 1);

sub _show {
    my (@texts) = @_;
    my $more = @texts - 20;
    splice @texts, 20 if $more > 0;
    Test::More::diag($_) for @texts;
    Test::More::diag("and $more more") if $more > 0;
}

sub _finish_all {
    my %faults;

    $_->_finish() for grep { defined } values %LIVE;
    push @{$faults{$_->[0]}}, $_->[1] for splice @FAULTS;
    return %faults;
}

sub _finish {
    my ($self) = @_;
    return if $self->{finished}++ || $OWNER != $$;

    $self->stop;
    my @faults = $self->check;
    push @FAULTS, @faults;
    delete $LIVE{refaddr $self};

    if ($ENV{TEST_NGINX_VERBOSE}) {
        Test::More::diag($self->_all_logs);
    }

    if ($ENV{TEST_NGINX_LEAVE} || @faults
        || !Test::More->builder->is_passing)
    {
        Test::More::diag("left: $self->{dir}");
        return;
    }

    remove_tree($self->{dir});
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    $self->_finish;
}

END {
    if ($OWNER == $$) {
        my $status = $?;
        system('umount', '-l', $_) for @MOUNTED;
        local $@;
        my %faults = eval { _finish_all() };
        my @texts = map { @$_ } values %faults;
        push @texts, $@ if $@;
        _show(@texts);
        $? = $status || (@texts ? 1 : 0);
    }
}


# nginx -t ----------------------------------------------------------------

sub nginx_t {
    my ($conf, %opt) = @_;

    my $self = __PACKAGE__->new(%opt, conf => $conf);
    return $self->test_conf($conf);
}

sub test_conf {
    my ($self, $conf, %opt) = @_;

    my %all = (%{$self->{opt}}, %opt, conf => $conf);
    delete $all{example} unless $opt{example};
    $self->write_file('test.conf', $self->_configuration(%all));

    my @command = (@{$opt{command} || []}, $self->_arguments('test.conf'),
                   '-t');
    open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh',
        @command or die "cannot run nginx: $!";
    local $/;
    my $text = <$out>;
    local ($!, $?);
    close $out;
    my $code = $? & 127 ? 256 + ($? & 127) : $? >> 8;

    $text =~ s/^nginx: \[warn\] ".*" of "ilert_queue" is on .*\n//mg
        if !on_disk() && !$opt{disk};

    unlink $self->path('start.log');
    unlink $self->path('error.log') unless $self->{pid};
    $self->_fault(process => "nginx -t ended on signal: $text") if $code > 255;
    $self->_fault(sanitizer => "nginx -t: $text") if $text =~ $SANITIZER_FAULT;
    $self->_fault(leak => "nginx -t: $text") if $self->_leaks($text);

    return ($code, $text);
}


sub conf_lines {
    my ($self, $conf, %opt) = @_;

    my ($code, $text) = $self->test_conf("# begin\n$conf", %opt);
    my ($before) = $self->read_file('test.conf') =~ /\A(.*?)^# begin$/ms;
    my $first = 1 + ($before =~ tr/\n//);
    my $dir = $self->dir;

    $text =~ s/^nginx: (?:the )?configuration file .*\n//mg;
    $text =~ s/^nginx: //mg;
    $text =~ s{\Q$dir\E/test\.conf:(\d+)}{'F:' . ($1 - $first)}ge;
    $text =~ s{\Q$dir\E/}{}g;
    chomp $text;

    return ($code, $text);
}


sub conf_refused {
    my ($self, $conf, $expected, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($code, $text) = $self->conf_lines($conf, %opt);
    my $name = $self->_conf_name($conf);

    ref $expected ? Test::More::like($text, $expected, $name)
                  : Test::More::is($text, "[emerg] $expected", $name);
    Test::More::is($code, 1, 'is refused');
}


sub conf_accepted {
    my ($self, $conf, @warnings) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($code, $text) = $self->conf_lines($conf);

    Test::More::is($text, join("\n", map { "[warn] $_" } @warnings),
                   $self->_conf_name($conf));
    Test::More::is($code, 0, 'is accepted');
}


sub _conf_name {
    my ($self, $conf) = @_;
    my $common = $self->{opt}{common};

    $conf =~ s/$common//g if $common;
    $conf =~ s/\s+/ /g;

    return length $conf > 200 ? substr($conf, 0, 200) . '..' : $conf;
}


# Functions ---------------------------------------------------------------

# A file system of its own; false if we may not make one.

sub mount {
    my ($path, $options) = @_;
    mkdir $path;
    return 0 if $> || system("mount -t tmpfs -o $options tmpfs '$path' "
                             . '>/dev/null 2>&1');
    push @MOUNTED, $path;
    return 1;
}

sub on_disk {
    my $type = `stat -f -c %T '$TOP/build/t'`;
    return $type !~ /^(?:tmpfs|ramfs|overlayfs|aufs|nfs|cifs|smb2?)$/;
}

sub unmount {
    my ($path) = @_;
    system('umount', $path) == 0 or system('umount', '-l', $path);
    @MOUNTED = grep { $_ ne $path } @MOUNTED;
}

sub fill {
    my ($path) = @_;
    open my $file, '>:raw', $path or return;
    for my $size (1 << 16, 4096, 512) {
        1 while syswrite $file, 'x' x $size;
    }
    close $file;
}

sub process_rss {
    my ($pid) = @_;
    my $text = slurp("/proc/$pid/statm");
    return defined $text
           ? (split / /, $text)[1] * POSIX::sysconf(POSIX::_SC_PAGESIZE()) : 0;
}

sub process_cpu {
    my ($pid) = @_;
    my $text = slurp("/proc/$pid/stat");
    return 0 unless defined $text;
    $text =~ s/^.*\) //s;
    my ($user, $system) = (split / /, $text)[11, 12];
    return ($user + $system) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

sub process_waits {
    my ($pid) = @_;
    my $waits = 0;

    for my $path (glob "/proc/$pid/task/*/status") {
        my ($n) = (slurp($path) // '') =~ /^voluntary_ctxt_switches:\s*(\d+)/m;
        $waits += $n // 0;
    }

    return $waits;
}

# If /proc/locks changes while it is read, a lock may be in it twice.  Lines
# with "->" are of processes that wait for a lock.

sub lock_holders {
    my ($kind, $inode, $first) = @_;

    my $place = defined $first ? "$first\\s" : '';
    my $locks = slurp('/proc/locks') // die "/proc/locks: $!";
    my %pids = map { !/->/ && /$kind\s+\S+\s+WRITE\s+(-?\d+)\s+
                                \w+:\w+:$inode\s+$place/x ? ($1 => 1) : () }
               split /\n/, $locks;
    return sort keys %pids;
}

sub webhook_request {
    my $name = pop;
    my $path = "$TOP/t/data/webhooks/$name.http";
    my $text = slurp($path);
    croak "cannot read $path: $!" unless defined $text;
    return $text;
}

sub webhook {
    my $name = pop;
    my (undef, $body) = split /\r?\n\r?\n/, webhook_request($name), 2;
    return $body;
}

# A queue ignores a copy of a webhook that it has taken.

my $later = 0;

sub later {
    my $body = pop;
    my ($time) = $body =~ /"time":"([^"]+)"/ or return $body;
    my $new = $time =~ s/(?:\.\d+)?Z$/sprintf '.%09dZ', ++$later/er;
    return $body =~ s/\Q$time\E/$new/gr;
}

sub webhooks {
    my $pattern = pop;
    my @names = map { basename($_, '.http') }
                sort glob "\Q$TOP\E/t/data/webhooks/*.http";
    return grep { !ref $pattern || ref $pattern ne 'Regexp'
                  || $_ =~ $pattern } @names;
}


# HTTP --------------------------------------------------------------------

sub post {
    my ($self, $uri, $body, %opt) = @_;
    return $self->request('POST', $uri, body => $body, %opt);
}

sub get { my ($self, $uri, @opt) = @_; $self->request('GET', $uri, @opt) }
sub head { my ($self, $uri, @opt) = @_; $self->request('HEAD', $uri, @opt) }

sub request {
    my ($self, @arguments) = @_;
    my ($answer) = $self->finish($self->start_request(@arguments));
    return $answer;
}

sub start_post {
    my ($self, $uri, $body, %opt) = @_;
    return $self->start_request('POST', $uri, body => $body, %opt);
}

sub start_get {
    my ($self, $uri, @opt) = @_;
    return $self->start_request('GET', $uri, @opt);
}

sub start_request {
    my ($self, $method, $uri, %opt) = @_;
    $opt{port} ||= $self->port(0);
    return IlertClient->begin($method, $uri, %opt);
}

sub finish {
    my ($self, @handles) = @_;

    IlertClient::drive(sub { !grep { !$_->{done} } @handles });
    my @answers = map { $_->answer } @handles;

    for my $i (0 .. $#answers) {
        $self->_fault(leak => "answer to $handles[$i]{uri}")
            if $self->_leaks($answers[$i]{raw});
    }

    return @answers;
}

sub poll {
    my ($self, $seconds) = @_;
    my $deadline = time() + $seconds;
    IlertClient::drive(sub { time() >= $deadline }, $deadline);
}

sub connection {
    my ($self, %opt) = @_;
    $opt{port} ||= $self->port(0);
    return IlertClient::Connection->open(%opt);
}

1;
