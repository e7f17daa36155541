package IlertReadme;

# The quick start of README.md, to be run word for word.
#
#     use lib 't/lib';
#     use IlertReadme;
#     my @steps = IlertReadme::steps('make');
#     perl -It/lib -MIlertReadme -e 'print IlertReadme::script("make")' | sh
#
# README.md has a comment of HTML before each block of commands that belongs to
# it, "<!-- quick start: VARIANT -->", where VARIANT is a way to install, or
# "both", and "<!-- undo: VARIANT -->".
#
#     variants()            the ways to install, sorted: "make", "package"
#     steps($variant)       the commands of the quick start, in their order,
#                           one text for each block.  That with ops.key reads
#                           the key from its standard input, up to its end
#     undo($variant)        the command that undoes it
#     script($variant)      all steps and no undo, as a script for sh that
#                           ends with the first command that fails

use warnings;
use strict;

use File::Basename qw(dirname);

sub _blocks {
    my ($kind) = @_;

    my $path = dirname(__FILE__) . '/../../README.md';
    open my $file, '<', $path or die "$path: $!\n";
    my $text = do { local $/; <$file> };

    my @blocks;
    push @blocks, [ $1, $2 ]
        while $text =~ /^<!-- \Q$kind\E: (\w+) -->\n```sh\n(.*?)^```$/gms;

    die "README.md has no \"$kind\"\n" unless @blocks;
    return @blocks;
}

sub variants {
    my %variants = map { $_->[0] => 1 } _blocks('quick start');
    return sort grep { $_ ne 'both' } keys %variants;
}

sub steps {
    my ($variant) = @_;

    die "README.md has no variant \"$variant\"\n"
        unless grep { $_ eq $variant } variants();

    return map { $_->[1] } grep { $_->[0] eq $variant || $_->[0] eq 'both' }
           _blocks('quick start');
}

sub undo {
    my ($variant) = @_;
    my ($undo) = grep { $_->[0] eq $variant } _blocks('undo');
    return $undo->[1];
}

sub script {
    my ($variant) = @_;
    return join "\n", "set -eu\n", steps($variant);
}

1;
