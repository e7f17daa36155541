#!/usr/bin/perl

# The queue's database without nginx: t/store/*.c, which are built with the
# module's store.c, nginx's headers and, where there are any, the sanitizers.
# What is random is by TEST_SEED.

use warnings;
use strict;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $top = "$FindBin::Bin/..";

# Where "make" has configured nginx there is its ngx_auto_config.h.

my @trees = (
    ['/usr/share/nginx/src/src', "$top/build/installed/objs"],
    ["$top/build/source/src/src", "$top/build/source/objs"],
    ["$top/build/asan/src/src", "$top/build/asan/objs"],
);

push @trees, shift @trees if $ENV{NGINX_SRC};

my ($tree) = grep { -e "$_->[0]/core/nginx.h"
                    && -e "$_->[1]/ngx_auto_config.h" } @trees;

plan skip_all => 'no configured nginx: type make' unless $tree;

mkdir "$top/build";
mkdir "$top/build/t";

my $dir = tempdir('store-XXXXXX', DIR => "$top/build/t",
                  CLEANUP => !$ENV{TEST_NGINX_LEAVE});
my $program = "$dir/store_test";

# also for nobody, who is one of the test

chmod 0755, $dir;

my @sanitizers = ('-fsanitize=address,undefined',
                  '-fno-sanitize=nonnull-attribute,alignment');

my $errors = build(@sanitizers);

if ($errors) {
    diag('without sanitizers');
    $errors = build();
}

is($errors, '', 'the program is built') or BAIL_OUT('no store_test');

# Much of it waits for others, so that two go at a time.

my @runs = map { start(@$_) } ['rules', 'trouble'], ['processes', 'faults'];

for my $run (@runs) {
    my ($pipe, @groups) = @$run;

    while (my $line = <$pipe>) {
        chomp $line;

        if ($line =~ /^(not )?ok (.+)/) {
            ok(!$1, $2);

        } else {
            $line =~ s/^# //;
            note($line);
        }
    }

    ok(close $pipe, "@groups");
}

done_testing();


sub build {
    my @flags = @_;

    my ($src, $objs) = @$tree;
    my $cc = $ENV{CC} || 'cc';

    my @include = map { "-I$_" } "$top/t/store",
                  "$top/ngx_http_ilert_module", $objs,
                  map { "$src/$_" } qw(core event event/modules os/unix);

    my @command = ($cc, qw(-g -O1 -W -Wall -Wpointer-arith
                   -Wno-unused-parameter -Werror), @flags, @include,
                   '-o', $program, glob("$top/t/store/*.c"),
                   "$top/ngx_http_ilert_module/ngx_http_ilert_store.c",
                   qw(-lsqlite3 -lpthread));

    open my $pipe, '-|', "@command 2>&1" or die "cannot run $cc: $!";
    my $output = do { local $/; <$pipe> } // '';

    return close $pipe ? '' : $output || 'failed';
}

sub start {
    my @groups = @_;

    my $below = "$dir/$groups[0]";
    mkdir $below or die "cannot make $below: $!";

    open my $pipe, '-|', "$program $below @groups 2>&1"
        or die "cannot run $program: $!";

    return [$pipe, @groups];
}
