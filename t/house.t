#!/usr/bin/perl

# The house: what uses what.  The code of the module is read, its includes and
# the functions that it calls, and there must be no circle of files, no arrow
# from a folder to one above it, and none that docs/design.md, "Parts", says
# there is not.  That each of these would be found is seen in a copy.

use warnings;
use strict;

use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;

use Test::More;

my $TOP = dirname($FindBin::Bin);

# folders, from the top down: each uses only those that come after it

my @ROOMS = qw(conf status courier webhook queue send core store event);

# names of arguments and members that are anything, or a type of nginx's, and
# so may be "void *" in a header

my %ANYTHING = map { $_ => 1 } qw(data directives output_ctx);

my %rank = map { $ROOMS[$_] => $_ } 0 .. $#ROOMS;


# Reading the code --------------------------------------------------------

sub text {
    my ($name) = @_;

    open my $file, '<', $name or die "cannot read $name: $!\n";
    local $/;
    return scalar <$file>;
}

# without comments, and without strings unless they are needed

sub bare {
    my ($code) = @_;

    $code =~ s{/\*.*?\*/}{ }gs;
    return $code;
}

# A part here is a .c file with its header, or one of the two alone.  Returns
# two hashes: of parts, with folder and what they use and why; and of files.

sub house {
    my ($top) = @_;

    my (%part, %code, %calls, %defines, %file);

    for my $file (glob("$top/ngx_http_ilert_module/{*,*/*}/*.[ch]")) {
        my ($folder, $name, $kind)
            = $file =~ m{.*_module/(.+)/ngx_http_ilert_(\w+)\.([ch])\z}
            or next;
        my $code = bare(text($file));

        $part{$name}{folder} = $folder;
        $part{$name}{headers} .= $code if $kind eq 'h';
        $code{$name} .= "$code\n";
        $calls{$name} = $code if $kind eq "c";

        # in the graph of files a header uses headers, and a .c file headers
        # and .c files whose functions it calls

        $file{"$name.$kind"}{folder} = $folder;
        $file{"$name.$kind"}{uses} = {
            map { ("$_.h" => 1) } grep { "$_.$kind" ne "$name.h" }
                $code =~ /^#include "ngx_http_ilert_(\w+)\.h"/gm };

        # a function at the beginning of a line, of a type that is not static

        next if $kind ne 'c';

        while ($code
               =~ /^(?!static\b)\w[\w \t*]*\n(ngx_http_ilert_\w+)\(/gm)
        {
            $defines{$1} = $name;
        }
    }

    for my $name (keys %part) {
        my %uses;

        while ($code{$name} =~ /^#include "ngx_http_ilert_(\w+)\.h"/gm) {
            $uses{$1} = "it includes ngx_http_ilert_$1.h"
                if $part{$1} && $1 ne $name;
        }

        (my $calls = $calls{$name} // "") =~ s{"(?:[^"\\\n]|\\.)*"}{""}g;

        while ($calls =~ /\b(ngx_http_ilert_\w+)\b/g) {
            my $other = $defines{$1} // next;
            next if $other eq $name;
            $uses{$other} //= "it uses $1";
            $file{"$name.c"}{uses}{"$other.c"} = 1;
        }

        $part{$name}{uses} = \%uses;
        $part{$name}{system}{$1} = 1
            while $code{$name} =~ /^#include <(\S+)>/gm;
    }

    return (\%part, \%file);
}

sub room {
    my ($folder) = @_;
    return $folder =~ s{/.*}{}r;
}


# What is wrong -----------------------------------------------------------

# circles, each as "a.c, b.c, c.c": files that reach each other

sub circles {
    my (undef, $part) = @_;

    my %reach;

    for my $from (keys %$part) {
        my @next = keys %{$part->{$from}{uses}};

        while (defined(my $to = shift @next)) {
            next if $reach{$from}{$to}++;
            push @next, keys %{$part->{$to}{uses} // {}};
        }
    }

    my %seen;

    for my $name (sort keys %$part) {
        my @circle = grep { $reach{$name}{$_} && $reach{$_}{$name} }
                     sort keys %$part;
        $seen{join ', ', @circle} = 1 if @circle > 1;
    }

    return sort keys %seen;
}

# arrows to a folder above, as text

sub climbs {
    my ($part) = @_;

    my @climbs;

    for my $from (sort keys %$part) {
        for my $to (sort keys %{$part->{$from}{uses}}) {
            my ($low, $high) = map { room($part->{$_}{folder}) } $from, $to;

            push @climbs, "$low/$from -> $high/$to: "
                          . $part->{$from}{uses}{$to}
                if $rank{$high} < $rank{$low};
        }
    }

    return @climbs;
}

# parts that know SQLite and are not of its folder

sub sqlite {
    my ($part) = @_;
    return grep { $part->{$_}{system}{'sqlite3.h'}
                  && $part->{$_}{folder} ne 'store/sqlite' } sort keys %$part;
}

# what is "void *" in headers and has the name of something of ours; of the
# handler of a directive "conf" is nginx's

sub untyped {
    my ($part) = @_;

    my @untyped;

    for my $name (sort keys %$part) {
        my $headers = $part->{$name}{headers} // next;

        $headers =~ s/\bngx_command_t \*cmd,\s*void \*conf\b//g;

        while ($headers =~ /\bvoid\s+\*+\s*(\w+)/g) {
            push @untyped, "$name: void *$1" if !$ANYTHING{$1};
        }
    }

    return @untyped;
}

# names in the first column, and what they stand for: the row of a part is of
# those files, too, whose names go on after "_" and that have no row

my %rows;

# the table of docs/design.md: a part, or a folder, which ends in "/", and what
# it does not know, which are parts and folders, too

sub table {
    my ($design) = @_;

    my ($chapter) = $design =~ /^## Parts\n(.*?)^## /ms;
    my @rows;

    while ($chapter =~ /^\| ([\w\/]+) \| ([^|]+) \| ([^|]*) \|$/gm) {
        my ($name, $none) = ($1, $3);
        push @rows, [ $name, grep { length } split /,\s*|\s+/, $none ]
            if $name ne 'part';
    }

    return @rows;
}

sub parts_of {
    my ($part, $name) = @_;

    if ($name !~ s{/\z}{}) {
        my $folder = ($part->{$name} // return)->{folder};

        return grep { $_ eq $name || /^\Q$name\E_/ && !$rows{$_}
                      && $part->{$_}{folder} eq $folder } sort keys %$part;
    }

    return grep { room($part->{$_}{folder}) eq $name
                  || $part->{$_}{folder} eq $name } sort keys %$part;
}

# what the table says and is not so, as text

sub lies {
    my ($part, @rows) = @_;

    my @lies;

    for my $row (@rows) {
        my ($name, @unknown) = @$row;

        my %unknown = map { $_ => 1 } map {
            my @parts = parts_of($part, $_);
            push @lies, "$name: what is \"$_\"?" if !@parts;
            @parts;
        } @unknown;

        for my $one (parts_of($part, $name)) {
            push @lies, map { "$one knows $_: $part->{$one}{uses}{$_}" }
                        grep { $unknown{$_} && $_ ne $one }
                        sort keys %{$part->{$one}{uses}};
        }
    }

    return @lies;
}


# The house as it is ------------------------------------------------------

my ($house, $files) = house($TOP);
my @rows = table(text("$TOP/docs/design.md"));

%rows = map { $_->[0] => 1 } @rows;

cmp_ok(scalar keys %$house, '>', 30, 'parts are found');
cmp_ok(scalar(map { keys %{$_->{uses}} } values %$house), '>', 100,
       'and what they use');

is_deeply([ grep { !exists $rank{room($house->{$_}{folder})} }
            sort keys %$house ], [], 'each is in a folder that has its place');

is_deeply([ circles($house, $files) ], [], 'no circle of files')
    or diag(join "\n", circles($house, $files));
is_deeply([ climbs($house) ], [], 'no arrow to a folder above')
    or diag(join "\n", climbs($house));
is_deeply([ untyped($house) ], [], 'no "void *" in place of a type of ours');

is_deeply([ sqlite($house) ], [], 'only store/sqlite/ knows SQLite');

# the table tells of all, once

my %told;
$told{$_}++ for map { parts_of($house, $_->[0]) } @rows;

cmp_ok(scalar @rows, '>', 20, 'rows of docs/design.md');
is_deeply([ grep { ($told{$_} // 0) != 1 } sort keys %$house ], [],
          'each part is in one row of the table');
is_deeply([ lies($house, @rows) ], [],
          'and does not know what it is said not to know')
    or diag(join "\n", lies($house, @rows));


# A house in which something is wrong -------------------------------------

sub planted {
    my ($name, $where, $what, $find) = @_;

    my $top = tempdir(CLEANUP => 1);

    for my $file (glob("$TOP/ngx_http_ilert_module/{*,*/*}/*.[ch]")) {
        my $copy = $top . substr($file, length $TOP);
        make_path(dirname($copy));
        copy($file, $copy) or die "cannot copy $file: $!\n";
    }

    my ($path) = glob("$top/ngx_http_ilert_module/{*,*/*}/"
                      . "ngx_http_ilert_$where");

    open my $file, '>>', $path or die "cannot write $where: $!\n";
    print $file $what;
    close $file;

    my @found = $find->(house($top));
    ok(scalar @found, $name) or diag("not found: $what");
}

sub includes {
    return qq{\n#include "ngx_http_ilert_$_[0].h"\n};
}

my $call = "\n\nvoid\nngx_http_ilert_planted(void)\n{\n"
           . "    ngx_http_ilert_queue_run();\n}\n";

planted('a circle by an include', 'conf.h', includes('counters'),
        \&circles);
planted('a circle of three by a call', 'relay.c',
        $call =~ s/queue_run/queue_submit/r, \&circles);
planted('an include of a folder above', 'json_read.c', includes('queue'),
        \&climbs);
planted('a call to a folder above', 'text.c', $call, \&climbs);
planted('SQLite where it is not known', 'clock.c', "\n#include <sqlite3.h>\n",
        sub { grep { $_ eq 'clock' } sqlite(@_) });
planted('"void *" in place of a type', 'queue.h',
        "\nvoid ngx_http_ilert_planted(void *imcf);\n", \&untyped);
planted('a part that knows what it is said not to know', 'pause.c',
        includes('queue'), sub { lies($_[0], @rows) });

ok(scalar(lies($house, [ 'queue', 'store/' ])), 'a row that is not so');
ok(scalar(lies($house, [ 'queue', 'nothing' ])), 'a word that is no part');

is_deeply([ map { scalar planted_nothing($_) } \&circles, \&climbs,
            \&untyped ], [ 0, 0, 0 ], 'nothing is found where nothing is');

sub planted_nothing {
    my ($find) = @_;
    return scalar(my @found = $find->($house, $files));
}

done_testing();
