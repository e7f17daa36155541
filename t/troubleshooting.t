#!/usr/bin/perl

# docs/troubleshooting.md: each symptom in its tables is brought about, as
# a newcomer might do it with the configuration of the quick start, and what
# nginx, the module, or curl says is what the table quotes.

use warnings;
use strict;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertDNS;
use IlertFake;
use IlertQueue;
use IlertTest qw(done nginx_version slurp wait_until);

plan(skip_all => 'no IO::Socket::SSL') unless IlertFake::have_tls;
plan(skip_all => 'an nginx without threads') unless IlertTest::has_threads();

my $TOP = IlertTest::top();
my $MODULE = $ENV{ILERT_MODULE} // "$TOP/build/ngx_http_ilert_module.so";
my $KEY = 'il1api5ec4e7d001';
my $OTHER_KIND = 'il1kap5ec4e7d099';
my $WEBHOOK = '{"id":"try","level":"CRITICAL","message":"This is a test"}';


# The tables --------------------------------------------------------------

# The first cell of each line that quotes something, and whether that has been
# brought about

my %row = map { $_ => 0 }
          grep { /`/ && !/^`nginx -t` says$/ }
          slurp("$TOP/docs/troubleshooting.md") =~ /^\| (.*?) \| /gm;

# These need what is not here: SELinux, a machine without the library, another
# nginx; and what else is found to be missing is added.

my @elsewhere = (
    'bind() to ADDRESS failed (13: Permission denied)',
    'connect() to ADDRESS failed (13: Permission denied)',
    'dlopen() "FILE" failed (libsqlite3',
    'needs an nginx built with threads',
    'requires the SQLite library',
    'the installed nginx does not load',
);

sub rows { return grep { /^`?\Q$_[0]\E/ } sort keys %row }

# Has the text all that is quoted in the row that begins like this?  The
# capital words of it stand for anything.

sub shows {
    my ($start, $text) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @cells = rows($start);
    is(scalar @cells, 1, "is in the table: $start") or return;

    for ($cells[0] =~ /`([^`]+)`/g) {
        my $pattern = quotemeta =~ s/\b(?:FILE|ADDRESS|NAME|NUMBER)\b/.+?/gr;
        like($text, qr/$pattern/, "is shown: $_");
    }

    $row{$cells[0]} = 1;
}


# The configuration -------------------------------------------------------

my $certificates = tempdir(CLEANUP => 1);
my %ilert = (hosts => [ 'api.ilert.com' ]);
my $good = IlertFake::certificates($certificates, %ilert);
my $expired = IlertFake::certificates($certificates, %ilert,
                                      name => 'expired', days => -1);
my $other = IlertFake::certificates($certificates, name => 'other',
                                    hosts => [ 'www.example.com' ]);

my $dns = IlertDNS->start(names => { 'api.ilert.com' => '127.0.0.1' });
my $silent = IlertDNS->start(mode => 'silent');
my $down = IlertDNS->start;
$down->mode('down');
my $nobody = IlertFake::free_port();

my ($minimal) = slurp("$TOP/docs/examples/minimal.conf");

# The file of the quick start, for this test, after a change of it

sub conf {
    my ($change) = @_;

    local $_ = $minimal;

    s{/var/lib/nginx}{%%DIR%%}g;
    s{/etc/nginx}{%%DIR%%}g;
    s{/etc/ssl/certs/ca-certificates\.crt}{$good->{ca_file}};
    s/127\.0\.0\.1:8080/127.0.0.1:%%PORT_0%%/g;
    s/127\.0\.0\.53;/${\$dns->address};/;
    $change->() if $change;

    return $_;
}

# What nginx -t says of it; %opt: file => what is in ops.key, and those of
# IlertTest

sub said {
    my ($change, %opt) = @_;

    my $file = delete $opt{file} // $KEY;
    my $t = IlertTest->new(conf => '', secrets => [ $KEY, $OTHER_KIND ],
                           files => { 'ilert/ops.key' => "$file\n" });
    return ($t->test_conf(conf($change), disk => 1, %opt))[1];
}


# make --------------------------------------------------------------------

# tools/build in a folder in which it finds only what we put there; nginx is
# a script that says what it is asked for

subtest 'make fails' => sub {
    my $dir = tempdir(CLEANUP => 1);
    my $build = slurp("$TOP/tools/build");

    $build =~ s{^PATH=.*}{PATH=$dir/bin:/usr/bin:/bin}m or die 'no PATH';
    $build =~ s{^(nginx_dev)=.*}{$1=$dir/dev}m or die 'no nginx_dev';

    my $file = sub {
        my ($name, $text) = @_;
        make_path(dirname("$dir/$name"));
        open my $out, '>', "$dir/$name" or die "$name: $!\n";
        print $out $text;
        close $out or die "$name: $!\n";
        chmod 0755, "$dir/$name";
    };

    my $made = sub { return scalar `'$dir/tools/build' module 2>&1` };
    my $nginx = sub {
        $file->('bin/nginx', "#!/bin/sh\necho 'nginx version: nginx/1.0.0' "
                             . "'configure arguments: $_[0] ' >&2\n");
    };

    $file->('tools/build', $build);
    local $ENV{NGINX_SRC} = '';

    if (!-e '/usr/bin/nginx' && !-e '/bin/nginx') {
        shows('nginx is not installed', $made->());

    } else {
        push @elsewhere, 'nginx is not installed';
    }

    $nginx->('--prefix=/etc/nginx');
    shows('the installed nginx is not', $made->());
    $nginx->('--prefix=/usr/share/nginx');
    shows('nginx-dev is not', $made->());

    $file->('dev/conf_flags', '');
    $file->('dev/src/core/nginx.h', qq{#define NGINX_VERSION "1.0.1"\n});
    shows('nginx is NUMBER', $made->());

    $ENV{NGINX_SRC} = "$dir/none";
    shows('NGINX_SRC=FILE', $made->());

    mkdir "$dir/a b";
    shows('nginx cannot be built',
          scalar `make -f '$TOP/Makefile' -C '$dir/a b' 2>&1`);
};


# nginx -t ----------------------------------------------------------------

subtest 'nginx does not start' => sub {
    shows('"integration_key_file" directive: open() "FILE" failed (2:',
          said(sub { s/ops\.key/no.key/ }));
    shows('what is in "FILE" is empty', said(undef, file => ''));
    shows('what is in "FILE" is a URL', said(undef, file =>
          "https://api.ilert.com/api/v1/events/kapacitor/$OTHER_KIND"));
    shows('what is in "FILE" is no webhook URL',
          said(sub { s/integration_key_file/webhook_url_file/ }));
    shows('what is in "FILE" is no integration key',
          said(undef, file => "key: '$KEY'"));
    shows('unknown source', said(sub { s/(ilert_kapacitor) ops/$1 web/ }));
    shows('no "ilert_endpoint"', said(sub { s/ilert_endpoint;// }));
    shows('invalid number of arguments in "resolver"',
          said(sub { s/resolver \S+;/resolver ;/ }));
    shows('host not found in upstream',
          said(sub { s{https://\S+}{https://ilert.invalid/api/;} }));
    shows('no proxy_ssl_trusted_certificate',
          said(sub { s/proxy_ssl_trusted_certificate \S+;// }));
    shows('"ilert_queue" directive is duplicate', said(sub { $_ .= $_ }));
    shows('"ilert_queue" directive is not allowed',
          said(sub { s/(server \{)/$1\nilert_queue %%DIR%%\/other;/ }));
};

# Someone who can read everything but the key

subtest 'who is not root may not read the key' => sub {
    my $start = '"integration_key_file" directive: open() "FILE" failed (13:';
    my ($user, $uid) = IlertQueue::nobody();

    if ($> == 0 && !$user) {
        push @elsewhere, $start;
        plan(skip_all => 'there is nobody else');
    }

    my $t = IlertTest->new(conf => '',
                           files => { 'ilert/ops.key' => "$KEY\n" });
    chmod 0, $t->path('ilert/ops.key');
    chmod 0777, $t->dir if $user;

    shows($start, ($t->test_conf(conf(), $user ? (command => [ $^X, '-MPOSIX',
        '-e', "POSIX::setuid($uid); exec \@ARGV or die \$!" ]) : ()))[1]);
};

subtest 'the module does not fit' => sub {
    if ($MODULE eq '') {
        push @elsewhere, 'unknown directive', '"load_module" directive is n',
            '"load_module" directive is s', 'dlopen() "FILE" failed (F',
            'module "ngx_http_ilert_module" is already',
            'module "FILE" version', 'module "FILE" is not binary';
        plan(skip_all => 'this nginx has it inside');
    }

    my $empty = "http {\n}\n";
    my $spoilt = tempdir(CLEANUP => 1) . '/spoilt.so';

    my $loading = sub {
        my ($main, %opt) = @_;
        return said(sub { $_ = $empty }, main => $main, full => 1, %opt);
    };

    my $changed = sub {
        my ($from, $to) = @_;

        (my $bytes = slurp($MODULE)) =~ s/$from/$to/g or die "no $from\n";
        open my $file, '>:raw', $spoilt or die "$spoilt: $!\n";
        print $file $bytes;
        close $file or die "$spoilt: $!\n";
        return $loading->("load_module $spoilt;", module => 0);
    };

    # the version is a number of nginx's ngx_uint_t

    my $version = sprintf '%d%03d%03d', split /\./, nginx_version();
    my @numbers = map { pack 'L!', $_ } $version, $version - 1;

    shows('unknown directive', said(undef, module => 0));
    shows('"load_module" directive is not allowed',
          said(sub { $_ = "load_module /etc/other.so;\n$_" }));
    shows('"load_module" directive is specified too late',
          said(sub { $_ = "${empty}load_module /etc/other.so;\n" },
               full => 1));
    shows('module "ngx_http_ilert_module" is already',
          $loading->("load_module $MODULE;"));
    shows('dlopen() "FILE" failed (FILE',
          $loading->('load_module modules/no.so;'));
    shows('module "FILE" version',
          $changed->(quotemeta $numbers[0], $numbers[1]));
    shows('module "FILE" is not binary',
          $changed->(qr/\d,\d,\d,(?=[01]{30})/, '9,9,9,'));
};

subtest 'nginx warns' => sub {
    my $memory = "/dev/shm/ilert-$$";

    if ((slurp('/proc/mounts') // '') =~ m{ /dev/shm tmpfs }) {
        shows('"FILE" of "ilert_queue" is on tmpfs',
              said(sub { s/(ilert_queue) \S+;/$1 $memory;/ }));
        rmdir $memory;

    } else {
        push @elsewhere, '"FILE" of "ilert_queue" is on tmpfs';
    }

    shows('mkdir()', said(sub { s{(ilert_queue) \S+;}{$1 %%DIR%%/no/q;} }));
    shows('cannot find', said(sub { s/resolver\S* .*;//g }));
    shows('no webhook reaches',
          said(sub { s/(listen .*)/$1\nreturn 301 https:\/\/\$host;/ }));
    shows('is in location', said(sub { s{= /kapacitor}{/kapacitor/} }));
    shows('is open to clients', said(sub { s/internal;// }));
    shows('does not check', said(sub { s/proxy_ssl_verify on;// }));
    shows('does not tell its server',
          said(sub { s/proxy_ssl_server_name on;// }));
    shows('sends keys', said(sub { s{https://\S+}{http://192.0.2.1/api/;} }));
};


# Answers -----------------------------------------------------------------

# One nginx has them all.  %%PORT_1%% is a server with a "return".

my $t = IlertTest->new(conf => conf(sub {
    s{(location = /dashboard .*?)allow 127\.0\.0\.1;}{$1}s;
    s{^ilert_source}{ilert_max_body_size 64k;\n\nilert_source}m;
    $_ .= "server {\nlisten 127.0.0.1:%%PORT_1%%;\n"
          . "return 301 https://\$host\$request_uri;\n"
          . "location = /kapacitor {\nilert_kapacitor ops;\n}\n}\n";
}), files => { 'ilert/ops.key' => "$KEY\n" }, secrets => [ $KEY ]);

# The answer to a request, and what it has brought to the error log

sub answered {
    my ($method, $uri, $body, %opt) = @_;

    my $mark = $t->mark;
    my $answer = $t->request($method, $uri, body => $body, %opt);
    my ($path) = $uri =~ m{^(/[^/?]+)};

    # the log's line is written before the answer, or just after it

    wait_until(sub {
        $t->log_since($mark) =~ /"$method \Q$path\E/
    }, 10, "a line about $uri") if $opt{port} || $answer->{status} >= 400
                                   && $uri !~ m{^/ilert/};

    return "$answer->{raw}\n" . $t->log_since($mark);
}

subtest 'the answer is not 202' => sub {
    $t->start;

    if (system('command -v curl >/dev/null') == 0) {
        shows('curl: (7)',
              scalar `curl -sS http://127.0.0.1:$nobody/ 2>&1`);

    } else {
        push @elsewhere, 'curl: (7)';
    }

    my $post = sub { answered('POST', @_) };
    my $slash = '404 Not Found`, and in the error log `html/kapacitor';

    shows($slash, $post->('/kapacitor/', $WEBHOOK));
    shows('404 Not Found`, and in the error log `html/NAME',
          $post->('/webhook', $WEBHOOK));

    my $text = $post->('/ilert/events', $WEBHOOK);
    shows('404 Not Found`, and no line', $text);
    unlike($text, qr/\[error\]/, 'no line of it');

    shows('301', $post->('/kapacitor', $WEBHOOK, port => $t->port(1)));
    shows('403', answered('GET', '/dashboard', ''));
    shows('{"status":"rejected","error":"method',
          answered('GET', '/kapacitor', ''));
    shows('{"status":"rejected","error":"level',
          $post->('/kapacitor', '{"id":"try"}'));
    shows('{"status":"rejected","error":"not JSON',
          $post->('/kapacitor', 'level=CRITICAL'));
    shows('413', $post->('/kapacitor', 'x' x 70_000));
    shows('{"status":"test"',
          $post->('/kapacitor', '{"id":"","level":"OK","message":""}'));

    my $copy = $WEBHOOK =~ s/\}$/,"time":"2026-03-01T20:00:00Z"}/r;
    $t->post('/kapacitor', $copy);
    shows('{"status":"ignored"', $post->('/kapacitor', $copy));
};

subtest 'nothing has changed' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "socket: $!\n";
    my $port = $taken->sockport;

    $t->set_conf(conf(sub { s/(listen) \S+;/$1 127.0.0.1:$port;/ }));
    $t->expect_log(qr/still could not bind/);
    shows('bind() to ADDRESS failed (98',
          join '', $t->reload(fail => 1));
    $t->stop;
};


# Delivery ----------------------------------------------------------------

# One nginx has a source, an endpoint, and a key for each of these, and tries
# to deliver an event of each at the same time.

my %key = (refused => 'il1wrong5ec4e7d1', kind => $OTHER_KIND);
my $n = 10;
my (@sources, @servers, @expected);

sub out {
    my ($name, $row, $change) = @_;

    local $_ = conf($change);
    $key{$name} //= 'il1api5ec4e7d0' . $n++;

    my ($endpoint) = m{^( {4}location /ilert/ \{.*?^ {4}\})$}ms or die;
    $endpoint =~ s{location /ilert/}{location /out/$name/};
    $endpoint =~ s/ilert_endpoint;/ilert_endpoint $name;/;

    push @sources, "ilert_source $name {\nintegration_key $key{$name};\n"
                   . "endpoint $name;\n}\n";
    push @servers, "location = /$name {\nilert_kapacitor $name;\n}\n"
                   . "$endpoint\n";
    push @expected, [ $name, $row ];
}

my $fake = IlertFake->start(tls => $good, keys => {});
my %elsewhere = (name => IlertFake->start(tls => $other, keys => {}),
                 expired => IlertFake->start(tls => $expired, keys => {}),
                 plain => IlertFake->start(keys => {}));

# ilert is at that port of this machine.

sub at {
    my ($port) = @_;
    s{//api\.ilert\.com/}{//api.ilert.com:$port/};
}

sub at_ilert { at($fake->port) }

out('resolver', 'send() failed (111: Connection refused) while resolving',
    sub { at_ilert(); s/resolver \S+;/resolver ${\$down->address};/;
          s/resolver_timeout 5s/resolver_timeout 1s/ });
out('dns', 'NAME could not be resolved (110',
    sub { at_ilert(); s/resolver \S+;/resolver ${\$silent->address};/;
          s/resolver_timeout 5s/resolver_timeout 1s/ });
out('host', 'NAME could not be resolved (3',
    sub { s{//api\.ilert\.com/}{//api.ilert.example/} });
out('name', 'upstream SSL certificate does not match',
    sub { at($elsewhere{name}->port) });
out('expired', 'upstream SSL certificate verify error: (10',
    sub { at($elsewhere{expired}->port) });
out('unknown', 'upstream SSL certificate verify error: (NUMBER',
    sub { at_ilert(); s/(trusted_certificate) \S+;/$1 $other->{cert_file};/ });
out('nobody', 'connect() failed (111', sub { at($nobody) });
out('plain', 'upstream timed out (110',
    sub { at($elsewhere{plain}->port);
          s/proxy_connect_timeout 5s/proxy_connect_timeout 1s/ });
out('connect', 'not delivered: no connection to ilert in time',
    sub { at($elsewhere{plain}->port);
          s/proxy_connect_timeout 5s/proxy_connect_timeout 1s/ });
out('silent', 'not delivered: ilert did not answer',
    sub { at_ilert(); s/proxy_read_timeout 15s/proxy_read_timeout 1s/ });
out('refused', 'not delivered: ilert answered 404: unknown key', \&at_ilert);
out('kind', 'not delivered: ilert answered 404: key of an', \&at_ilert);
out('many', 'not delivered: ilert answered 429', \&at_ilert);
out('bad', 'is a dead letter: ilert answered 400', \&at_ilert);
out('own', 'not delivered: nginx answered 404 itself',
    sub { at_ilert(); s/(ilert_endpoint;)/$1\nreturn 404;/ });

subtest '202, and ilert has nothing' => sub {
    $fake->keys({ map { $key{$_} => $_ eq 'kind' ? 'kapacitor' : 'api' }
                  grep { $_ ne 'refused' } keys %key });
    $fake->rule(match => qr/$key{many}/, status => 429);
    $fake->rule(match => qr/$key{bad}/, status => 400);
    $fake->rule(match => qr/$key{silent}/, hang => 1);

    my $nginx = IlertTest->new(fake => $fake, workers => 1,
        secrets => [ values %key ], conf =>
        join "\n", 'ilert_queue %%DIR%%/queue;', @sources,
                   "server {\nlisten %%PORT_0%%;", @servers, '}')->start;

    for (@expected) {
        my ($name) = @$_;
        is($nginx->post("/$name", $WEBHOOK)->{status}, 202, "$name: 202");
    }

    for (@expected) {
        my ($name, $row) = @$_;
        my $about = qr/ilert source "$name": event \d+ (?:not|is)/;

        # "own" is the endpoint's name in the line, not "default"

        my $line = $nginx->wait_log($about, 60);
        my $log = join "\n", grep { /source:? "$name"|while resolving/ }
                             split /\n/, $nginx->error_log;
        shows($row, $log =~ s/endpoint "own"/endpoint "default"/r);
    }
};

# Workers must be somebody whom rights can stop.

subtest 'the queue cannot be used' => sub {
    my ($user) = IlertQueue::nobody();
    my $nginx = IlertTest->new(workers => 1, $user ? (user => $user) : (),
        files => { 'ilert/ops.key' => "$KEY\n" }, secrets => [ $KEY ],
        conf => conf(sub { at($nobody);
                           s{(ilert_queue) \S+;}{$1 %%DIR%%/no/queue;} }));

    $nginx->start;
    my $answer = $nginx->post('/kapacitor', $WEBHOOK);
    shows('{"status":"rejected","error":"the connection', $answer->{raw});
    shows('the folder', $nginx->wait_log(qr/\[crit\]/, 30));
    $nginx->stop;

    # what has the name of the courier's file is none

    my $queue = $nginx->path('no/queue');
    mkdir $_ for $nginx->path('no'), $queue, "$queue/courier.lock";

    $nginx->start;
    shows('FILE" failed, nothing', $nginx->wait_log(qr/nothing that/, 30));
    $nginx->stop;

    if ($> || $user) {
        rmdir "$queue/courier.lock";
        chmod 0, "$queue/queue.db" or die "queue.db: $!\n";

        $nginx->start;
        $nginx->post('/kapacitor', $WEBHOOK);
        shows('"FILE" cannot be written (',
              $nginx->wait_log(qr/cannot be written/, 30));
        $nginx->stop;

    } else {
        push @elsewhere, '"FILE" cannot be written (';
    }
};


# What is left ------------------------------------------------------------

subtest 'all rows' => sub {
    plan(skip_all => 'only a part was run') if $ENV{TEST_ONLY};

    for my $start (@elsewhere) {
        my @cells = rows($start);
        is(scalar @cells, 1, "is in the table: $start");
        $row{$_} = 1 for @cells;
    }

    is_deeply([ sort grep { !$row{$_} } keys %row ], [],
              'each was brought about');
};

done();
