#!/usr/bin/perl

# Rules of the courier without nginx: the tables in t/courier/, of pauses and
# probes, and of differences from what Kapacitor knows.  They are built with
# the module's files and, where there are any, the sanitizers.

use warnings;
use strict;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $dir = tempdir(CLEANUP => 1);

sub build {
    my ($name, @flags) = @_;
    my $build = "$FindBin::Bin/courier/build";
    my $errors = `'$build' '$dir/$name' $name @flags 2>&1`;
    return ($? >> 8, $errors);
}

for my $name (qw(pause differ)) {
    my ($status, $errors) = build($name, '-fsanitize=address,undefined');

    plan skip_all => $errors if $status == 3;

    if ($status) {
        diag('without sanitizers');
        ($status, $errors) = build($name);
    }

    is($status, 0, "the program \"$name\" is built")
        or do { diag($errors); next };

    my ($tests, $why) = (0, '');

    open my $pipe, '-|', "$dir/$name" or die "cannot run $name: $!\n";

    while (my $line = <$pipe>) {
        chomp $line;

        if ($line =~ /^(not )?ok (.+)/) {
            ok(!$1, $2) or diag($why);
            ($tests, $why) = ($tests + 1, '');

        } else {
            $why .= "$line\n";
        }
    }

    ok(close($pipe), "$name ends well");

    cmp_ok($tests, '>', 5, 'stories');
}

done_testing();
