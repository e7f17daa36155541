#!/usr/bin/perl

# Set-ups that nginx takes, and that lose alerts: each check finds what is
# wrong, is silent where nothing is, and keeps nginx from nothing.  What is
# found is in the status, and on the page.

use warnings;
use strict;

use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertStatus;
use IlertTest;

my $KEY = $IlertQueue::KEY;
my $certificates = IlertFake::have_tls()
                   ? IlertFake::certificates(File::Temp::tempdir(CLEANUP => 1))
                   : undef;

my $SOURCE = "ilert_source ops { integration_key $KEY; }\n"
           . "ilert_source dba { integration_key ${KEY}2; }\n";

my $t = IlertTest->new(conf => '', secrets => [ $KEY ],
    common => qr/\Q$SOURCE\E|ilert_endpoint; |internal; |[\n]/);

# The body of http with one server, which is on the third line

sub http {
    my ($locations, $http, $endpoint) = @_;

    $endpoint //= 'internal; ilert_endpoint; '
                  . 'proxy_pass http://127.0.0.1:9/$ilert_path;';

    $http //= '';
    $http =~ s/\n/ /g;

    return "$SOURCE$http server { listen 127.0.0.1:%%PORT_0%%; "
           . "$locations location /ilert/ { $endpoint } }\n";
}


# The endpoint ------------------------------------------------------------

my $open = '"ilert_endpoint" "default"';

my $VERIFY = "$open does not check the certificate of its server, anybody can "
    . 'take its place and read the keys, use "proxy_ssl_verify on" in F:3';
my $SNI = "$open does not tell its server the name that it wants, which may "
    . 'then have the certificate of another one, use "proxy_ssl_server_name '
    . 'on" in F:3';

sub unresolved {
    my ($name) = @_;
    return "$open cannot find \"$name\": as its URL has variables, "
           . '"resolver" with the address of a name server is needed in F:3';
}

sub slow {
    my ($seconds) = @_;
    return "$open waits $seconds seconds for an answer, and Kapacitor for 30 "
           . 'seconds if an event has to be sent while it waits, use '
           . '"proxy_read_timeout 25s" or less in F:3';
}

my $CA = $certificates ? "proxy_ssl_trusted_certificate "
                         . "$certificates->{ca_file};" : '';
my $TLS = "proxy_ssl_server_name on; proxy_ssl_verify on; $CA";
my $IN = 'internal; ilert_endpoint;';
my $GROUP = "upstream group { server 127.0.0.1:9; }\n";

sub endpoint {
    my ($endpoint, $http, @warnings) = @_;
    $t->conf_accepted(http('', $http, $endpoint), @warnings);
}

subtest 'TLS of the endpoint' => sub {
    plan(skip_all => 'no IO::Socket::SSL') unless $certificates;

    for my $url ('https://127.0.0.1/', 'https://127.0.0.1/$ilert_path',
                 'https://127.0.0.1:8443/api/$ilert_path',
                 'https://group/$ilert_path', 'https://group',
                 'https://$ilert_way/$ilert_path')
    {
        my $http = "$GROUP map 1 \$ilert_way { default group; }";
        my $pass = "$IN proxy_pass $url;";

        endpoint($pass, $http, $VERIFY, $SNI);
        endpoint("$pass proxy_ssl_verify off; proxy_ssl_server_name off;",
                 $http, $VERIFY, $SNI);
        endpoint("$pass proxy_ssl_verify on; $CA", $http, $SNI);
        endpoint("$pass proxy_ssl_server_name on;", $http, $VERIFY);
        endpoint("$pass $TLS", $http);
    }

    # inherited

    endpoint("$IN proxy_pass https://127.0.0.1/;", "$GROUP $TLS");

    # there is none

    endpoint("$IN proxy_pass $_;", $GROUP)
        for 'http://127.0.0.1/', 'http://127.0.0.1/$ilert_path',
            'http://group', 'http://group/$ilert_path';
};

subtest 'https to other machines' => sub {
    my $plain = "$open sends keys and alerts over the network as they are, "
                . 'use "https://" in its "proxy_pass" in F:3';
    my $http = "$GROUP resolver 127.0.0.1; "
        . 'upstream far { server 127.0.0.1:1; server 192.0.2.1:2; } '
        . 'upstream near { server 127.0.0.2; server [::1]; server unix:/x; } '
        . 'map 1 $ilert_way { default api.example.com; } ';

    endpoint("$IN proxy_pass $_;", $http, $plain)
        for 'http://192.0.2.1/', 'http://192.0.2.1:8080/$ilert_path',
            'http://[2001:db8::1]/$ilert_path', 'http://far',
            'http://far/$ilert_path', 'http://api.example.com/$ilert_path',
            'http://$ilert_way/$ilert_path';

    endpoint("$IN proxy_pass $_;", $http)
        for 'http://127.0.0.3:8080/', 'http://127.0.0.1/$ilert_path',
            'http://localhost/', 'http://localhost/$ilert_path',
            'http://LOCALHOST:81/$ilert_path', 'http://[::1]/$ilert_path',
            'http://unix:/x:/', 'http://group', 'http://near/$ilert_path';
};

subtest 'names of the endpoint' => sub {
    plan(skip_all => 'no IO::Socket::SSL') unless $certificates;
    my $resolver = 'resolver 127.0.0.1;';

    for (['https://api.example.com/$ilert_path', 'api.example.com'],
         ['https://api.example.com:8080/$ilert_path', 'api.example.com'],
         ['https://group:81/$ilert_path', 'group'],
         ['https://$ilert_way/$ilert_path', 'api.example.com'])
    {
        my ($url, $name) = @$_;
        my $http = "$GROUP map 1 \$ilert_way { default api.example.com; }";

        endpoint("$IN proxy_pass $url; $TLS", $http, unresolved($name));
        endpoint("$IN proxy_pass $url; $TLS $resolver", $http);
        endpoint("$IN proxy_pass $url; $TLS", "$http $resolver");
    }

    # nothing has to be found

    endpoint("$IN proxy_pass $_;", $GROUP)
        for 'http://localhost/', 'http://127.0.0.1/$ilert_path',
            'http://[::1]:8080/$ilert_path', 'http://GROUP/$ilert_path';

    # what cannot be known

    endpoint("$IN set \$way api.example.com; proxy_pass http://\$way;", '');
    endpoint("$IN proxy_pass \$arg_x;", '');
};

subtest 'time-out of the endpoint' => sub {
    my $pass = "$IN proxy_pass http://127.0.0.1/;";

    endpoint("$pass proxy_read_timeout 25s;", '');
    endpoint("$pass proxy_read_timeout 26s;", '', slow(26));
    endpoint("$pass proxy_read_timeout 2m;", '', slow(120));
    endpoint("$pass", "proxy_read_timeout 60s;\n", slow(60));

    # nobody waits for it

    $t->conf_accepted($SOURCE . "server { listen 127.0.0.1:%%PORT_0%%; "
        . "location /a/ { $pass proxy_read_timeout 5s; } location /b/ { "
        . 'internal; ilert_endpoint heartbeat; proxy_pass http://127.0.0.1/; '
        . "proxy_read_timeout 60s; } }\n");
};

subtest 'an open endpoint' => sub {
    my $pass = 'ilert_endpoint; proxy_pass http://127.0.0.1/;';

    endpoint("internal; $pass", '');
    endpoint($pass, '', "the location of $open is open to clients, use "
                        . '"internal" in it in F:3');
};


# Locations ---------------------------------------------------------------

sub location {
    my ($locations, $http, @warnings) = @_;
    $t->conf_accepted(http($locations, $http), @warnings);
}

sub no_default {
    my ($value) = @_;
    return "\"ilert_kapacitor $value\" in F:3 refuses webhooks of which its "
           . '"map" does not know the source, use "default" with the name of '
           . 'a source, or with "off", in that "map"';
}

sub no_source {
    my ($value, $source) = @_;
    return "\"ilert_kapacitor $value\" in F:3 refuses webhooks of which its "
           . '"map" does not know the source, as there is no "ilert_source" '
           . "\"$source\"";
}

subtest 'the default of a map' => sub {
    my $location = 'location = /k { ilert_kapacitor $source; }';

    my $map = sub { "map $_[0] \$source { $_[1] } " };
    my $team = '$kapacitor_tag_team';

    # no regular expression of a map matches an empty value

    for ('web ops; db dba;', '', '~web ops;', '"" ops; web dba;',
         '"" off; web dba;', 'default "";', 'default $kapacitor_tag_other;',
         '~.* ops;')
    {
        location($location, $map->($team, $_), no_default('$source'));
    }

    location($location, $map->($team, $_), no_source('$source', 'opz'))
        for 'default opz;', 'web ops; default opz;', '"" ops; ~.* opz;';

    location($location, $map->($team, $_))
        for 'default ops;', 'default off; web ops;', '"" ops; ~.* ops;',
            'web dba; default ops;', '"" dba; default ops; hostnames;';

    # arguments of URLs, headers, several values, maps of maps

    location($location, $map->('$arg_source', 'web ops;'),
             no_default('$source'));
    location($location, $map->('"$arg_a $http_b"', 'web ops;'),
             no_default('$source'));
    location($location, $map->('"$arg_a $http_b"', 'default ops;'));

    my $known = 'map $kapacitor_tag_x $group { default a; b b; } ';
    location($location, $known . $map->('$group', 'a ops; b dba;'));
    location($location, $known . $map->('$group', 'b dba;'),
             no_default('$source'));

    location('location = /k { ilert_kapacitor ${source}a; }',
             $map->($team, 'default db; x op;'));
    location('location = /k { ilert_kapacitor d$source; }',
             $map->($team, 'default x; x ba;'), no_source('d$source', 'dx'));

    # what is the same in all requests has one value, and a prefix has many

    location($location, $map->($_->[0], "$_->[1] ops; else dba;"))
        for [ '$uri', '/k' ], [ '$document_uri', '/k' ],
            [ '$server_name', '""' ];
    location($location, $map->('$uri', '/else ops;'), no_default('$source'));
    location($location, $map->('"$uri $arg_a"', '"/k " ops;'),
             no_default('$source'));
    location('location /k { ilert_kapacitor $source; }',
             $map->('$uri', '/k ops;'), no_default('$source'));

    # no map, or what is set when there is a request

    location($_, '')
        for 'location = /k { ilert_kapacitor $arg_source; }',
            'location = /k { ilert_kapacitor $kapacitor_tag_team; }',
            'location = /k { set $way ops; ilert_kapacitor $way; }',
            'location ~ ^/k/(?<way>\w+)$ { ilert_kapacitor $way; }',
            'location ~ ^/k/(\w+)$ { ilert_kapacitor $1; }',
            'location = /k { ilert_kapacitor ops; }',
            'location = /k { ilert_kapacitor off; }';

    # "if" has what its location has, and is not told of twice

    location('location = /k { ilert_kapacitor $source; if ($arg_x) { '
             . 'set $y 1; } }', $map->($team, 'web ops;'),
             no_default('$source'));
};

sub slash {
    my ($name) = @_;
    my $path = $name =~ s{/$}{}r;

    return "\"ilert_kapacitor\" in F:3 is in location \"$name\", which "
           . "does not take webhooks to \"$path\", use "
           . "\"location = $path\" if they are posted there";
}

subtest 'a slash at the end' => sub {
    my $k = '{ ilert_kapacitor ops; }';

    location("location $_ $k", '', slash('/kapacitor/'))
        for '/kapacitor/', '= /kapacitor/', '^~ /kapacitor/';
    location("location /a/b/ $k", '', slash('/a/b/'));

    location("location $_ $k", '')
        for '/', '= /', '= /kapacitor', '/kapacitor', '~ ^/kapacitor/$',
            '~* /$';

    location("location = /kapacitor/ $k location $_ $k", '')
        for '= /kapacitor', '/kapacitor', '/', '/kap', '~ ^/kapacitor$';

    location("location = /kapacitor/ $k location $_ $k", '',
             slash('/kapacitor/'))
        for '= /', '= /kap', '/kapacitors';

    # of another server

    $t->conf_accepted(http("location = /kapacitor/ $k")
        . "server { listen 127.0.0.1:%%PORT_1%%; location = /kapacitor $k }\n",
        slash('/kapacitor/'));
};


# The queue ---------------------------------------------------------------

sub setup {
    return map { "$_->{check}: $_->{text}" } @{$_[0]->status->{setup}};
}

subtest 'the disk of the queue' => sub {
    plan(skip_all => 'an nginx without threads')
        unless IlertTest::has_threads();

    my $disk = $t->path('disk');
    plan(skip_all => 'no file system can be mounted')
        unless IlertTest::mount($disk, 'size=16m,mode=0755');

    my $advice = 'use a directory on a disk, or a volume';
    my $tmpfs = 'is on tmpfs, which is empty after the machine has been '
                . "restarted, $advice";

    my ($code, $text) = $t->conf_lines(http('', "ilert_queue $disk/queue;\n"),
                                       disk => 1);
    is($text, "[warn] \"disk/queue\" of \"ilert_queue\" $tmpfs", 'tmpfs');
    is($code, 0, 'is accepted');

    my $q = IlertStatus->new(queue => "$disk/queue");
    $q->start;
    is_deeply([ setup($q) ],
              [ "queue_disk: \"$disk/queue\" of \"ilert_queue\" $tmpfs" ],
              'the status');
    $q->stop;

    # what a container writes to

    make_path(map { "$disk/$_" } qw(lower upper work merged));

    SKIP: {
        skip('no overlay can be mounted', 1)
            if system("mount -t overlay overlay -o lowerdir=$disk/lower,"
                      . "upperdir=$disk/upper,workdir=$disk/work "
                      . "$disk/merged 2>/dev/null");

        ($code, $text) = $t->conf_lines(
            http('', "ilert_queue $disk/merged/queue;\n"), disk => 1);
        is($text, '[warn] "disk/merged/queue" of "ilert_queue" is on overlay, '
                  . "which goes with its container, $advice", 'overlay');
        system('umount', "$disk/merged");
    }

    IlertTest::unmount($disk);

    ($code, $text) = $t->conf_lines(http('', "ilert_queue queue;\n"),
                                    disk => IlertTest::on_disk());
    is($text, '', 'a disk');
};

subtest 'the owner of files' => sub {
    my ($nobody, $uid) = IlertQueue::nobody();
    plan(skip_all => 'needs root, a user nobody, and threads')
        unless $nobody && IlertTest::has_threads();

    my $q = IlertStatus->new(user => $nobody);
    my $dir = $q->dir;
    my $as = [ 'perl', '-e', '$( = $) = "65534 65534"; $< = $> = shift; '
                             . 'exec @ARGV', $uid ];

    $q->start;
    $q->post('a', 'CRITICAL');
    ok($q->drained, 'it runs');
    $q->stop;

    # as after a start by another user, and a copy by root

    my $elsewhere = $q->test->path('elsewhere');
    my ($link, $symlink) = map { "queue.db.damaged-$_" } 1, 2;
    $q->test->write_file('elsewhere', '');
    $q->test->write_file('queue/ops.key', '');
    $q->test->write_file('queue/queue.db.damaged-3', '');
    chown 0, -1, $dir, glob("$dir/*") or die "chown: $!";
    symlink $elsewhere, "$dir/$symlink" or die "symlink: $!";
    link $elsewhere, "$dir/$link" or die "link: $!";

    my ($code, $text) = $q->test->conf_lines($q->conf);
    is($text, '', 'nginx -t says nothing of what will be mended');
    is((stat "$dir/queue.db")[4], 0, 'and mends nothing');

    $q->start;

    my %owner = map { s{.*/}{}r => (lstat)[4] } glob("$dir/*");
    is_deeply([ grep { $owner{$_} != $uid } sort keys %owner ],
              [ 'ops.key', $link, $symlink ],
              'files of the queue are given, and nothing else');
    is((stat $elsewhere)[4], 0, 'nor what has another name, too');

    $q->post('a', 'OK');
    ok($q->drained, 'it goes on');
    like(join('; ', setup($q)), qr{^queue_owner:\ "\Q$dir/$link\E"\ of
        \ "ilert_queue"\ belongs\ to\ user\ 0,\ and\ worker\ processes\ are
        \ of\ user\ $uid,\ "chown\ -R\ $uid\ \Q$dir\E"\ gives\ it\ to\ them$}x,
        'what was not given is told of');

    unlink "$dir/$link", "$dir/$symlink";
    $q->reload;
    is_deeply([ setup($q) ], [], 'no more, as another file may be in it');
    $q->stop;

    # a master that is not root can give nothing away

    system('chown', '-R', $uid, $q->test->dir) == 0 or die 'chown';
    chown 0, -1, "$dir/queue.db" or die "chown: $!";

    SKIP: {
        skip('nobody cannot be become', 2) if system(@$as, 'true');

        ($code, $text) = $q->test->conf_lines($q->conf, command => $as);
        my $line = '[warn] "queue/queue.db" of "ilert_queue" belongs to user '
            . "0, and worker processes are of user $uid, \"chown -R $uid "
            . 'queue" gives it to them';
        like($text, qr/^\Q$line\E$/m, 'a master that is not root');

        chown $uid, -1, "$dir/queue.db" or die "chown: $!";
        ($code, $text) = $q->test->conf_lines($q->conf, command => $as);
        unlike($text, qr/belongs to user/, 'all is its own');
    }
};

# A file that was named by mistake is left alone.

subtest 'a queue that others may write to' => sub {
    plan(skip_all => 'needs threads') unless IlertTest::has_threads();

    my $q = IlertStatus->new;
    my $text = '"%s" of "ilert_queue" can be written to by other users than '
               . 'that of worker processes, use "chmod go-w %1$s"';

    mkdir $q->dir or die "mkdir: $!";

    for my $mode (0777, 0770, 01733) {
        chmod $mode, $q->dir;
        is(($q->test->conf_lines($q->conf))[1],
           '[warn] ' . sprintf($text, 'queue'), sprintf 'mode %04o', $mode);
    }

    $q->test->expect_log(qr/can be written to by other users/);
    $q->start;
    is_deeply([ setup($q) ], [ 'queue_mode: ' . sprintf $text, $q->dir ],
              'is in the status');

    chmod 0755, $q->dir;
    $q->reload;
    is_deeply([ setup($q) ], [], 'nothing is said of one that they may read');
    $q->stop;
};

subtest 'a queue that is no directory' => sub {
    plan(skip_all => 'needs threads') unless IlertTest::has_threads();

    my $q = IlertStatus->new(queue => '%%DIR%%/a.file');
    my $path = $q->test->path('a.file');
    $q->test->write_file('a.file', 'something');
    chmod 0440, $path or die "chmod: $!";
    my @before = (stat $path)[2, 4, 5, 7];

    my ($code, $text) = $q->test->test_conf($q->conf);
    like($text, qr/\Q"$path" of "ilert_queue" is not a directory/,
         'nginx -t says so');
    is($code, 0, 'but nginx would start');

    $q->start;
    is($q->status->{queue}{state}, 'error', 'and has no queue');
    is_deeply([ (stat $path)[2, 4, 5, 7] ], \@before, 'the file is as before');
    $q->stop;
};

subtest 'two masters' => sub {
    plan(skip_all => 'an nginx without threads')
        unless IlertTest::has_threads();

    my $q = IlertStatus->new(daemon => 1, workers => 2);
    my $dir = $q->dir;
    my $r = IlertStatus->new(queue => $dir, workers => 1);
    my $shared = qr{"\Q$dir\E" of "ilert_queue" is used by another }
        . qr{nginx, too, by its process (\d+), each nginx needs a }
        . qr{directory of its own};

    my $said = sub {
        my ($of, %opt) = @_;
        my ($code, $text) = $of->test->test_conf($of->conf, %opt);
        is($code, 0, 'nginx -t');
        return $text =~ /^nginx: \[warn\] $shared$/m ? $1 : 0;
    };

    is($said->($q), 0, 'nobody is there');

    $q->start;
    is($said->($q), 0, 'the nginx itself');
    is_deeply([ setup($q) ], [], 'and its status');

    my %worker = map { $_ => 1 } $q->test->workers;
    ok($worker{$said->($r)}, 'another one');

    # while nginx is upgraded

    $q->test->upgrade(sub {
        ok($q->courier, 'both serve');
        is_deeply([ setup($q) ], [], 'of an upgrade nothing is said')
            for 1 .. 8;
        is($said->($q), 0, 'nor by nginx -t');
    });
    is(scalar(() = $q->test->grep_log($shared)), 0, 'nor in the log');
    is_deeply([ setup($q) ], [], 'nor when it is over');

    # another nginx is started

    $r->start;

    my ($second) = $r->test->workers;

    my $line = IlertTest::slurp($r->test->path('stderr.log'))
               . $r->test->error_log;
    like($line, qr/\[warn\] (?:\d+#\d+: )?$shared$/m, 'it says so');

    my ($found) = setup($q);
    like($found, qr/^queue_shared: $shared$/, 'the status of the first one');
    is($found =~ $shared && $1, $second, 'names the other one');
    like((setup($r))[0], qr/^queue_shared: $shared$/, 'and the second one');

    my $mark = $q->test->mark;
    $q->reload;
    like((setup($q))[0], qr/^queue_shared: $shared$/, 'after a reload');
    is(scalar(() = $q->test->grep_log(qr/\[warn\] .*?$shared/, $mark)), 1,
       'which has a line of it');

    $r->stop;
    ok(wait_until(sub { !setup($q) }, 10), 'until the other one ends');

    # the folder is moved away, and made anew

    rename $dir, "$dir.away" or die "rename: $!";
    mkdir $dir, 0700 or die "mkdir: $!";
    setup($q) for 1 .. 16;
    my $again = $said->($r);
    ok($again, 'it is seen in a new folder');

    # processes of other containers have no numbers here

    SKIP: {
        my @apart = qw(unshare --pid --fork --mount-proc);
        skip('no pid namespaces', 2) if system("@apart true 2>/dev/null");

        my ($code, $text) = $r->test->test_conf($r->conf,
                                                command => \@apart);
        is($code, 0, 'nginx -t in a container');
        like($text, qr/too, in another container, each nginx needs/,
             'tells of the one outside');
    }

    $q->stop;
};


# The status --------------------------------------------------------------

subtest 'the status' => sub {
    my $s = IlertStatus->new(queue => undef,
        endpoint => 'proxy_send_timeout 5s;', timeout => '26s',
        http => 'server { listen 127.0.0.1:%%PORT_1%%; location /slash/ { '
                . 'ilert_kapacitor ops; } }');
    $s->start;

    my @names = map { $_->{check} } @{$s->status->{setup}};
    is_deeply(\@names, [ 'endpoint_timeout', 'location_slash' ],
              'what was found');
    is($s->post('a', 'CRITICAL')->{status}, 202, 'webhooks are taken');

    my $mark = $s->test->mark;
    $s->change(timeout => '5s', http => '')->reload;
    is_deeply($s->status->{setup}, [], 'nothing after a reload');

    $s->change(timeout => '27s')->reload;
    is_deeply([ map { $_->{check} } @{$s->status->{setup}} ],
              [ 'endpoint_timeout' ], 'something after another one');
    is(scalar(() = $s->test->grep_log(qr/\[warn\].*waits 27 seconds/, $mark)),
       1, 'and a line in the log');
};

done();
