#!/usr/bin/perl

# The queue's store without nginx: t/store/*.c, which are built with the
# module's store and its backends, nginx's headers and, where there are any,
# the sanitizers.  What is random is by TEST_SEED.

use warnings;
use strict;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $top = "$FindBin::Bin/..";

mkdir "$top/build";
mkdir "$top/build/t";

my $dir = tempdir('store-XXXXXX', DIR => "$top/build/t",
                  CLEANUP => !$ENV{TEST_NGINX_LEAVE});
my $program = "$dir/store_test";

# also for nobody, who is one of the test

chmod 0755, $dir;

my @flags = ('-fsanitize=address,undefined',
             '-fno-sanitize=nonnull-attribute,alignment');

# "make cov" counts instead, and keeps the counts

if ($ENV{ILERT_COV}) {
    $program = "$ENV{ILERT_COV}/store/store_test";
    @flags = ('--coverage', '-O0', '-fprofile-update=atomic',
              '-include', "$top/tools/cov.h");
}

my ($status, $errors) = build(@flags);

plan skip_all => $errors if $status == 3;

# there may be no sanitizers, or none that run where a processor is emulated

if (!$ENV{ILERT_COV} && ($status || !runs(@flags))) {
    diag('without sanitizers');
    ($status, $errors) = build();
}

is($status, 0, 'the program is built')
    or do { diag($errors); done_testing(); exit };

# Much of it waits for others, so that two go at a time.  What any backend has
# to pass is run with each of them.  "failing" is SQLite whose calls fail, each
# path to them once, before a job is run.

my @any = qw(events coalesce budgets waits forget homes status control
             refused silence silences couriers letters heard held digests);

my @runs = map { start(@$_) }
    [sqlite => qw(rules events sqlite versions coalesce budgets waits forget
                  trouble)],
    [sqlite => qw(homes status control refused silence silences ask processes
                  couriers letters heard held digests faults damage)],
    [null => @any, 'storm'],
    [failing => @any];

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

    my $errors = `"$top/t/store/build" "$program" @flags 2>&1`;

    return ($? >> 8, $errors);
}

# whether a program that is built with these flags runs at all

sub runs {
    my @flags = @_;

    my $probe = "$dir/probe";
    open my $file, '>', "$probe.c" or die "cannot write $probe.c: $!";
    print $file "int main(void) { return 0; }\n";
    close $file or die "cannot write $probe.c: $!";

    my $cc = $ENV{CC} || 'cc';
    return !system("$cc @flags -o '$probe' '$probe.c' && '$probe'");
}

sub start {
    my ($backend, @groups) = @_;

    my $below = "$dir/$backend-$groups[0]";
    mkdir $below or die "cannot make $below: $!";

    local $ENV{TEST_BACKEND} = $backend;
    local $ENV{TEST_FAILING} = $backend eq 'failing' ? 1 : 0;

    open my $pipe, '-|', "$program $below @groups 2>&1"
        or die "cannot run $program: $!";

    return [$pipe, @groups];
}
