#!/usr/bin/perl

# tools/matrix without its trees: the table of its parts is sound, and it says
# what is wrong before it changes anything.

use warnings;
use strict;

use FindBin;
use Test::More;

my $top = "$FindBin::Bin/..";
my $matrix = "$top/tools/matrix";

sub text {
    my ($name) = @_;

    open my $file, '<', $name or die "cannot read $name: $!";
    local $/;
    return scalar <$file>;
}

# The status and the output, as root or, if we are root, as nobody

sub matrix {
    my ($as, @names) = @_;

    my @drop = $as eq 'root' ? ()
        : ('perl', '-e', '$( = $) = "65534 65534"; $< = $> = 65534; '
                         . 'exec @ARGV or exit 127');
    my $command = join ' ', map { "'$_'" } @drop, $matrix, @names;
    my $text = `$command 2>&1`;

    return ($? >> 8, $text);
}

my ($status, $list) = matrix('root', 'list');
my @names = split /\n/, $list;

is($status, 0, 'parts are listed');
cmp_ok(scalar @names, '>', 5, 'there are some');

my @parts = map { [ split ] } `'$matrix' lines`;
my %named = map { $_->[0] => 1 } @parts;

is_deeply([ sort keys %named ], [ sort @names ], 'each is in the table');

for (@parts) {
    my ($part, $suite, $arch, $tree, $command) = @$_;

    like($part, qr/^[a-z0-9.]+(?:-[a-z0-9.]+)*$/, "the name $part");
    like($suite, qr/^[a-z]+$/, "$part: its Debian");
    like($arch, qr/^[a-z0-9]+$/, "$part: its architecture");
    like($tree, qr/^(?:kept|clean)$/, "$part: its tree");
    ok(-x "$top/tools/matrix.d/$command", "$part: $command is there");
}

my $names = join ' ', @names;

($status, my $error) = matrix('root', 'sid-cobol');
is($status, 1, 'a part that is none');
is($error, qq(tools/matrix: "sid-cobol" is no part, there are $names\n),
   'and what there is');

SKIP: {
    skip('nobody cannot read the tree', 2)
        if $> == 0 && system("perl -e '\$( = \$) = \"65534 65534\"; "
                             . "\$< = \$> = 65534; exit !-r \$ARGV[0]' "
                             . "'$matrix'");

    ($status, $error) = matrix($> == 0 ? 'nobody' : 'root', 'sid-gcc');
    is($status, 1, 'somebody who is not root');
    is($error, 'tools/matrix: root is needed, to make trees and namespaces'
               . "\n", 'is told so');
}

done_testing();
