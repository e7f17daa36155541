#!/usr/bin/perl

# The Debian package: what it says fits the module, and its scripts do what
# they should with the queue, the keys, and an nginx that runs.  That it can be
# built and installed is seen by "make matrix".

use warnings;
use strict;

use DynaLoader ();
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use POSIX ();

use Test::More;

my $TOP = dirname($FindBin::Bin);
my $NAME = 'libnginx-mod-http-ilert';

sub text {
    my ($name) = @_;

    open my $file, '<', "$TOP/$name" or die "cannot read $name: $!\n";
    local $/;
    return scalar <$file>;
}

sub write_file {
    my ($name, $text, $mode) = @_;

    make_path(dirname($name));
    open my $file, '>', $name or die "cannot write $name: $!";
    print $file $text;
    close $file or die "cannot write $name: $!";
    chmod $mode, $name if defined $mode;
}


# What is said -------------------------------------------------------------

my ($version) = text('ngx_http_ilert_module/core/ngx_http_ilert_conf.h')
                =~ /NGX_HTTP_ILERT_VERSION\s+"([\d.]+)"/;
my @packages = text('debian/changelog') =~ /^(\S+ \(.*?\)) /mg;
my @releases = text('CHANGES')
               =~ /^Changes with ngx_http_ilert_module (\d.*)$/mg;
my $minimal = text('docs/examples/minimal.conf');

like($packages[0], qr/^$NAME \(\Q$version\E-\d+\)$/,
     'the version of the package is that of the module');
is_deeply([ grep { !/^\d+\.\d+\.\d+ {12}\d\d \w{3} 20\d\d$/ }
            @releases[1 .. $#releases] ], [],
          'releases have a date');

my ($address) = text('debian/control') =~ /^Maintainer: (.*)$/m;
is_deeply([ grep { $_ ne $address }
            text('debian/changelog') =~ /^ -- (.*>)  /mg ], [],
          'one address');

for my $list (glob "$TOP/debian/$NAME.{docs,examples,install}") {
    my ($kind) = $list =~ /(\w+)$/;

    for (grep { /\S/ } split /\n/, text("debian/$NAME.$kind")) {
        my ($pattern) = split ' ';
        my @found = glob "$TOP/$pattern";
        ok(@found && -e $found[0], "$kind: $pattern");
    }
}

like($minimal, qr{^ilert_queue /var/lib/nginx/ilert;$}m,
     'the queue of the examples is that of the package');
like($minimal, qr{ /etc/nginx/ilert/\w+\.key;$}m, 'and the keys are');


# The version of a build ---------------------------------------------------

# tools/deb in a small tree, with a dpkg-buildpackage that only says what it
# was given

sub built {
    my ($tree, $what, %env) = @_;

    local @ENV{keys %env} = values %env;
    local $ENV{V} = 1;
    local $ENV{PATH} = "$tree/../bin:$ENV{PATH}";

    my $output = `"$tree/tools/deb" 2>&1`;
    is($?, 0, $what) or diag($output);

    return $output;
}

subtest 'the version of a build' => sub {
    plan(skip_all => 'no git, or no dpkg-dev')
        if system('git --version >/dev/null 2>&1')
           || system('dpkg-parsechangelog --version >/dev/null 2>&1');

    my $dir = tempdir(CLEANUP => 1);
    my $tree = "$dir/tree";
    my $commit = "git -C '$tree' -c user.name=a -c user.email=a\@x.example "
                 . "-c commit.gpgsign=false";

    for ([ 'bin/dpkg-buildpackage',
           "#!/bin/sh\nhead -6 debian/changelog; ls; touch ../a.deb\n" ],
         [ 'tree/tools/deb', text('tools/deb') ],
         [ 'tree/debian/changelog', text('debian/changelog') ],
         [ 'tree/README', "text\n" ], [ 'tree/build/x', "text\n" ])
    {
        write_file("$dir/$_->[0]", $_->[1], 0755);
    }

    my $release = qr/^$NAME \(\Q$version\E-\d+(?:~\w[\w.]*)?\) /m;
    my $before = qr/^$NAME \(\Q$version\E~git(\d+\.\d+)-\d+(?:~\S+)?\) /m;

    my $archive = built($tree, 'an archive');
    my ($date) = text('debian/changelog') =~ /^ -- .*  (.*)$/m;
    like($archive, $release, 'is a release');

    # unstable has no number, so nothing is added to what the changelog says

    if ($archive =~ /^$NAME \(\Q$version\E-\d+\) /m) {
        like($archive, qr/^ -- .*  \Q$date\E$/m, 'has the date of it');
    } else {
        unlike($archive, qr/^ -- .*  \Q$date\E$/m, 'has a date of its own');
    }

    system("$commit init -q && $commit add README debian tools "
           . "&& $commit commit -q -m a") == 0 or die 'no commit';
    write_file("$tree/notes", "text\n");

    my $output = built($tree, 'a commit', DEBEMAIL => 'ops@x.example');
    my ($time) = $output =~ $before;
    ok($time, 'is before the release') or diag($output);
    like($output, qr/^README\ndebian\ntools\nbuild/m,
         'what git knows is in it');
    like($output, qr/^ -- \S+ <ops\@x\.example>  /m, 'and who has built it');

    write_file("$tree/README", "another text\n");
    ($output) = built($tree, 'a change') =~ $before;
    cmp_ok($output // '', 'ge', $time, 'is newer');

    system("$commit commit -q -a -m b && $commit tag v$version") == 0
        or die 'no tag';
    like(built($tree, 'a tag'), $release, 'is a release');
    like(built($tree, 'another version', DEB_VERSION => '9.0'),
         qr/^$NAME \(9\.0-1/m, 'as is said');
    is_deeply([ map { s{.*/}{}r } sort glob "$dir/tree/build/deb/*" ],
              [ 'a.deb', "${NAME}_9.0.orig.tar.xz" ], 'what is left');
};


# What is done -------------------------------------------------------------

# The scripts of the package, with another folder instead of /, and with an
# nginx and an invoke-rc.d that only tell what they were called for.

my $root = tempdir(CLEANUP => 1);
my ($queue, $keys) = ("$root/var/lib/nginx/ilert", "$root/etc/nginx/ilert");

sub stand_in {
    my ($name, $text) = @_;
    write_file("$root/bin/$name", "#!/bin/sh\n$text\n", 0755);
}

sub run {
    my ($script, @arguments) = @_;
    my $text = text("debian/$NAME.$script");

    $text =~ s{(?<=[ =])(?=/(?:run|var|etc)/)}{$root}g;
    write_file("$root/$script", $text);

    unlink "$root/calls";
    local $ENV{PATH} = "$root/bin:$ENV{PATH}";
    my $output = `sh "$root/$script" @arguments 2>&1`;
    is($?, 0, "$script @arguments") or diag($output);

    return $output =~ s/\Q$root\E//gr;
}

sub calls {
    open my $file, '<', "$root/calls" or return '';
    local $/;
    return scalar(<$file>) =~ tr/\n/;/r;
}

my $called = "echo \"\${0##*/} \$*\" >>'$root/calls'";

stand_in('nginx', $called);
stand_in('invoke-rc.d', $called);

SKIP: {
    skip('only root makes folders for others', 3)
        if $> || !getpwnam('www-data');

    make_path(dirname($queue));
    run('postinst', 'configure', "''");
    my @folder = stat $queue;
    is(sprintf('%o', $folder[2] & 07777), '700', 'the folder of the queue');
    is($folder[4], getpwnam('www-data'), 'and its owner');

    # nginx, or somebody else, has given it to another user

    chown 1, 1, $queue or die "chown: $!";
    run('postinst', 'configure', '1.0-1');
    is((stat $queue)[4], 1, 'is not changed later');
}

make_path($queue);

# A process that has the module, which is any library here.

sub with_module {
    my ($module) = grep { -e } map { "$_/auto/POSIX/POSIX.so" } @INC;
    copy($module, "$root/ngx_http_ilert_module.so") or die "copy: $!";

    pipe my $ready, my $loaded or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        DynaLoader::dl_load_file("$root/ngx_http_ilert_module.so")
            or POSIX::_exit(1);
        syswrite $loaded, '1';
        sleep 600;
        POSIX::_exit(0);
    }

    close $loaded;
    sysread $ready, my $one, 1 or die 'no library was loaded';
    write_file("$root/run/nginx.pid", "$pid\n");

    return $pid;
}

subtest 'an upgrade' => sub {
    run('postinst', 'configure', '1.0-1');
    is(calls(), '', 'no nginx runs');

    my $pid = with_module();

    run('postinst', 'configure', '1.0-1');
    is(calls(), '', 'nginx has this version');

    write_file("$root/ngx_http_ilert_module.so.new", 'new');
    rename "$root/ngx_http_ilert_module.so.new",
           "$root/ngx_http_ilert_module.so" or die "rename: $!";

    run('postinst', 'abort-upgrade', '1.0-1');
    is(calls(), '', 'an upgrade that came to nothing');

    like(run('postinst', 'configure', '1.0-1'),
         qr/^$NAME: nginx goes on with .* until it is restarted$/m,
         'it may not be exchanged');

    # an upgrade, or a restart, ends that process

    my $ended = "rm '$root/run/nginx.pid'";
    stand_in('invoke-rc.d', "$called; $ended");

    for ('1.0-1', "''") {
        write_file("$root/run/nginx.pid", "$pid\n");
        is(run('postinst', 'configure', $_), '', 'nothing is said');
        is(calls(), 'nginx -t -q;invoke-rc.d nginx upgrade;',
           "nginx has another version, from $_ or by hand");
    }

    write_file("$root/run/nginx.pid", "$pid\n");
    stand_in('invoke-rc.d', "$called; [ \$2 != upgrade ] && $ended");
    is(run('postinst', 'configure', '1.0-1'), '', 'nothing is said');
    is(calls(), 'nginx -t -q;invoke-rc.d nginx upgrade;'
                . 'invoke-rc.d nginx restart;', 'one that must be restarted');

    write_file("$root/run/nginx.pid", "$pid\n");
    stand_in('invoke-rc.d', "$called; false");
    like(run('postinst', 'configure', '1.0-1'),
         qr/^$NAME: nginx could not be restarted /, 'and cannot be');

    stand_in('nginx', "$called; echo 'emerg' >&2; false");
    like(run('postinst', 'configure', '1.0-1'),
         qr/^emerg\n$NAME: nginx goes on with the previous version /,
         'an error in its configuration');
    is(calls(), 'nginx -t -q;', 'leaves it alone');

    kill 'KILL', $pid;
    waitpid $pid, 0;
    run('postinst', 'configure', '1.0-1');
    is(calls(), '', 'the number of a process that is no more');
};

subtest 'removed' => sub {
    write_file("$queue/queue.db", 'events');
    write_file("$keys/ops.key", 'key');

    stand_in('nginx', $called);
    is(run('postrm', 'remove'), '', 'the configuration is another one');

    my $error = 'unknown directive "ilert_queue" in F:5';
    stand_in('nginx', "echo '12:00:00 [emerg] 1#1: $error' >&2; false");
    is(run('postrm', 'remove'), "$NAME: nginx cannot be started without the "
                                . "module: $error\n", 'the configuration');

    stand_in('nginx', 'exit 127');
    is(run('postrm', 'remove'), '', 'nginx has been removed, too');

    run('postrm', $_) for 'upgrade', 'failed-upgrade', 'abort-install';
    ok(-e "$queue/queue.db" && -e "$keys/ops.key", 'queue and keys stay');
};

subtest 'purged' => sub {
    open my $held, '<', "$queue/queue.db" or die "open: $!";
    write_file("$keys/old/dba.key", 'key');

    is(run('postrm', 'purge'),
       "$NAME: /var/lib/nginx/ilert is kept, as nginx still uses it; when it "
       . "no longer does, type rm -r /var/lib/nginx/ilert\n"
       . "$NAME: removed /etc/nginx/ilert/old/dba.key\n"
       . "$NAME: removed /etc/nginx/ilert/ops.key\n", 'while it is used');
    ok(-e "$queue/queue.db", 'the queue is kept');
    ok(!-e $keys, 'the keys are not');

    close $held;
    is(run('postrm', 'purge'),
       "$NAME: removed the queue, /var/lib/nginx/ilert, with all that waited "
       . "in it\n", 'afterwards');
    ok(!-e $queue, 'the queue is removed');
    is(run('postrm', 'purge'), '', 'nothing is left');
};

done_testing();
