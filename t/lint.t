#!/usr/bin/perl

# tools/lint: it finds a fault of each rule where there is one, none where
# there is none, and none in the tree.

use warnings;
use strict;

use File::Path qw(make_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $LINT = "$FindBin::Bin/../tools/lint";
my $C = 'ngx_http_ilert_module/core/ngx_http_ilert_x.c';
my $H = 'ngx_http_ilert_module/core/ngx_http_ilert_x.h';

my $dir = tempdir(CLEANUP => 1);

# files without a fault, into which the faults are planted

my %clean = (
    $C => <<'END',

/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_x.h"


#define NGX_HTTP_ILERT_X_SIZE  16


typedef struct {
    ngx_str_t   name;    /* of the source */
    u_char     *last;
} ngx_http_ilert_x_part_t;


static ngx_int_t ngx_http_ilert_x_part(ngx_http_ilert_x_part_t *part,
    ngx_uint_t n);


static ngx_str_t  ngx_http_ilert_x_names[] = {
    ngx_string("// no /* comment"),
    ngx_null_string
};


/*
 * A block says more
 * than a line can.
 */

ngx_int_t
ngx_http_ilert_x(ngx_str_t *name)
{
    ngx_http_ilert_x_part_t  part;

    if (name->len == 0
        || name->data == NULL)
    {
        return NGX_DECLINED;
    }

    part.last = (u_char *) ngx_http_ilert_x_names[0].data;

    return ngx_http_ilert_x_part(&part, (ngx_uint_t) 1);
}


/* the macro is the function's own */

#define ngx_http_ilert_x_odd(n)  ((n) & 1)

static ngx_int_t
ngx_http_ilert_x_part(ngx_http_ilert_x_part_t *part, ngx_uint_t n)
{
    for (part->last++; *part->last == ' '; part->last++) { /* void */ }

    if (ngx_http_ilert_x_odd(n)) {
        return NGX_OK;

    } else if (n == 2) {
        return NGX_AGAIN;
    }

    return NGX_ERROR;
}
END

    $H => <<'END',

/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_X_H_INCLUDED_
#define _NGX_HTTP_ILERT_X_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Returns NGX_OK or NGX_ERROR. */

ngx_int_t ngx_http_ilert_x(ngx_str_t *name);


#endif /* _NGX_HTTP_ILERT_X_H_INCLUDED_ */
END

    't/x.c' => "\n/* a program of the tests */\n\n\n#include <stdio.h>\n",
    't/x.t' => "#!/usr/bin/perl\n\n# A test.\n\nuse warnings;\nuse strict;\n",
    'tools/x' => "#!/bin/sh\n#\n# tools/x\n#\n# Does nothing.\n\nset -u\n",
    'Makefile' => "all:\n\ttrue\n",
    'debian/rules' => "#!/usr/bin/make -f\n\nall:\n\ttrue\n",
    'debian/control' => 'Maintainer: ' . 'a' x 60 . " <a\@x.example>\n",
    'debian/x.postrm' => "#!/bin/sh\n\n# A script.\n\nset -e\n\n#DEBHELPER#\n",
    'x.md' => "# Title\n\nSome text.\n\n| " . 'a' x 90 . " |\n\n"
              . "[a](https://x.example/" . 'a' x 90 . ")\n\n"
              . "```\n" . 'a' x 90 . "\n```\n",
    't/data/webhooks/x.http' => "POST / HTTP/1.1\r\n\tx \r\n\r\n\n\n",
);

# "rule: what is done": the file, a pattern, and what comes in its place

my @faults = (
    [ 'space: at the end', $C, qr/NULL\)\K/, ' ' ],
    [ 'space: a carriage return', $C, qr/NULL\)\K/, "\r" ],
    [ 'space: in Markdown', 'x.md', qr/text\.\K/, '  ' ],
    [ 'space: in make', 'Makefile', qr/true\K/, "\t" ],
    [ 'end: no line feed', 'x.md', qr/\n\z/, '' ],
    [ 'end: an empty line', 'tools/x', qr/\n\z/, "\n\n" ],
    [ 'tab: in C', $C, qr/    (?=return NGX_ERROR)/, "\t" ],
    [ 'tab: in Perl', 't/x.t', qr/\z/, "\tprint;\n" ],
    [ 'width: in C', $C, qr/of the source/, 'of the source' . '!' x 40 ],
    [ 'width: in Markdown', 'x.md', qr/Some text/, 'Some text' x 10 ],
    [ 'width: in sh', 'tools/x', qr/nothing/, 'nothing' x 12 ],
    [ 'comment: of C++', $C, qr/n == 2\) \{\K/, '  // one' ],
    [ 'comment: without a space', $C, qr{/\* of}, '/*of' ],
    [ 'comment: text behind its beginning', $C, qr{/\*\n \* A}, '/* A' ],
    [ 'comment: a line without a star', $C, qr/ \* than/, '   than' ],
    [ 'comment: a star in another column', $C, qr/ \* than/, '  * than' ],
    [ 'comment: text before its end', $C, qr{can\.\n \*/}, 'can. */' ],
    [ 'blank: one empty line', $C, qr/\}\n\n\n(?=\/\* the macro)/, "}\n\n" ],
    [ 'blank: none', $C, qr/\}\n\n\n(?=\/\* the macro)/, "}\n" ],
    [ 'blank: three', $C, qr/\}\n\n\n(?=\/\* the macro)/, "}\n\n\n\n" ],
    [ 'function: its type on the same line', $C,
      qr/\nngx_int_t\n(?=\w+\(ngx_str_t)/, "\nngx_int_t " ],
    [ 'function: its brace on the same line', $C, qr/n\)\n\{/, 'n) {' ],
    [ 'brace: none', $C, qr/(\(n\)\)) \{(\s+return NGX_OK;)\n\n    \} else /,
      '$1$2 ' ],
    [ 'brace: no empty line before else', $C, qr/OK;\n\n/, "OK;\n" ],
    [ 'keyword: if(', $C, qr/if \((?=ngx)/, 'if(' ],
    [ 'keyword: a cast', $C, qr/\(ngx_uint_t\) 1/, '(ngx_uint_t)1' ],
    [ 'head: no copyright', $C, qr/Copyright/, 'Written by' ],
    [ 'head: no comment in C', 't/x.c', qr{\n/\*.*?\n}, "\n" ],
    [ 'head: no comment in Perl', 't/x.t', qr/# A test.\n/, '' ],
    [ 'head: no comment in sh', 'tools/x', qr/#\n# .*\n#\n# .*\n/, '' ],
    [ 'guard: of another file', $H, qr/_X_H_/, '_Y_H_' ],
    [ 'guard: not ended', $H, qr/#endif.*\n/, '' ],
    [ 'include: twice', $C, qr/(#include "\S+)\n\K/, '$1' . "\n" ],
    [ 'include: behind ours', $C, qr/#include "\S+\n\K/,
      "#include <pwd.h>\n" ],
    [ 'include: ngx_core.h is missing', $H, qr/#include <ngx_core.h>\n/, '' ],
    [ 'prefix: a function', $C, qr/\nngx_http_ilert(?=_x\(ngx)/, "\nilert" ],
    [ 'prefix: a macro', $C, qr/NGX_HTTP_ILERT_X_SIZE/, 'X_SIZE' ],
    [ 'prefix: a type', $C, qr/\} ngx_http_ilert_x/, '} ngx_x' ],
    [ 'prefix: a variable', $C, qr/ngx_http_ilert_x_names\[\]/, 'names[]' ],
    [ 'libc: malloc()', $C, qr/return NGX_ERROR/, 'return malloc(1) != NULL' ],
    [ 'strict: Perl', 't/x.t', qr/use strict;\n/, '' ],
    [ 'width: of a package', 'debian/control', qr/Maintainer/, 'Uploaders' ],
    [ 'strict: sh', 'tools/x', qr/set -u\n/, "true\n" ],
    [ 'strict: sh of a package', 'debian/x.postrm', qr/set -e\n/, "true\n" ],
);

sub written {
    my ($name, $text) = @_;

    make_path(dirname("$dir/$name"));
    open my $file, '>', "$dir/$name" or die "cannot write $name: $!";
    print $file $text;
    close $file or die "cannot write $name: $!";

    return "$dir/$name";
}

sub lint {
    my $output = `"$^X" "$LINT" @_ 2>&1`;
    return ($? >> 8, $output);
}

my ($status, $output) = lint(map { written($_, $clean{$_}) } sort keys %clean);

is($status, 0, 'files without a fault') or diag($output);

my %found;

for (@faults) {
    my ($what, $name, $pattern, $instead) = @$_;
    my ($rule) = $what =~ /^(\w+):/;

    # $1 and $2 in it are what the pattern found

    my $text = $clean{$name};
    $text =~ s{$pattern}{
        my @groups = (undef, $1, $2);
        $instead =~ s/\$(\d)/$groups[$1]/gr;
    }e or die "\"$what\" is not planted";

    my ($status, $output) = lint(written($name, $text));

    ok($status == 1 && $output =~ /^\Q$dir\E\/\Q$name\E:\d+: $rule: /m, $what)
        or diag("status $status: $output");

    written($name, $clean{$name});
    $found{$rule} = 1;
}

# each rule is tried

open my $source, '<', $LINT or die "cannot read $LINT: $!";
my %rules;
while (my $line = <$source>) {
    $rules{$1} = 1 if $line =~ /\bfault\(.*?, '(\w+)', /;
}

is_deeply([ sort keys %found ], [ sort keys %rules ], 'all rules');

SKIP: {
    skip('git does not know the tree', 1)
        if !-e "$FindBin::Bin/../.git" || `git --version 2>&1` !~ /^git /;

    ($status, $output) = lint();
    is($status, 0, 'the tree') or diag($output);
}

done_testing();
