#!/usr/bin/perl

# Pauses and probes without nginx: the table in t/courier/pause_test.c, which
# is built with the module's pause.c and, where there are any, the sanitizers.

use warnings;
use strict;

use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $program = "$dir/pause_test";

sub build {
    my $errors = `'$FindBin::Bin/courier/build' '$program' @_ 2>&1`;
    return ($? >> 8, $errors);
}

my ($status, $errors) = build('-fsanitize=address,undefined');

plan skip_all => $errors if $status == 3;

if ($status) {
    diag('without sanitizers');
    ($status, $errors) = build();
}

is($status, 0, 'the program is built')
    or BAIL_OUT("no pause_test: $errors");

my ($tests, $why) = (0, '');

open my $pipe, '-|', $program or die "cannot run $program: $!\n";

while (my $line = <$pipe>) {
    chomp $line;

    if ($line =~ /^(not )?ok (.+)/) {
        ok(!$1, $2) or diag($why);
        ($tests, $why) = ($tests + 1, '');

    } else {
        $why .= "$line\n";
    }
}

close $pipe;

cmp_ok($tests, '>', 5, 'stories');

done_testing();
