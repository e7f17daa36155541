#!/usr/bin/perl

# Details that a task sets become Markdown: a table of examples, details made
# by chance, and, where cmark is installed, what a reader sees of a text that
# is full of markup.  TEST_SEED makes others, TEST_RANDOM more.

use warnings;
use strict;

use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempfile);
use JSON::PP ();
use Test::More;

use IlertCheck;
use IlertMarkdown;
use IlertRandom qw(chance pick);
use IlertTest;

binmode Test::More->builder->$_, ':utf8'
    for qw(output failure_output todo_output);

my $c = IlertCheck->new(server => <<'CONF');

    location = /4k {
        ilert_kapacitor ops;
        ilert_event_max_size 4k;
    }

    location = /mapped {
        ilert_kapacitor ops;
        ilert_event_max_size 4k;
        ilert_details $kapacitor_details;
    }
CONF

my $string = JSON::PP->new->utf8->allow_nonref;

sub body { IlertCheck::json(details => $string->encode($_[0])) }

sub shown {
    my ($html) = @_;

    my $shown = length $html > 60 ? substr($html, 0, 60) . '..' : $html;
    return $shown =~ tr/\x00-\x1f/ /r;
}

my $U = 'http://h/';

my @DETAILS = (
    # HTML, Markdown

    # nothing
    ['', undef],
    [" \r\n\t ", undef],
    ['<p></p>', undef],
    ['<br><br/><hr />', undef],
    ['<ul><li></li></ul>', undef],
    ['<pre>

</pre>', undef],
    ["<a href=\"$U\"></a>", undef],
    ["\x01\x1f\x7f", undef],

    # lines of a text
    ['plain', 'plain'],
    ['  plain  ', 'plain'],
    ["two  spaces\n\n\nthree lines", "two  spaces\n\n\nthree lines"],
    ["a\nb\r\nc\rd", "a  \nb  \nc  \nd"],
    ["a  \n  b\n\tc\td", "a  \nb  \nc d"],
    ["<b>a</b>\nb", "a  \nb"],
    ["a&#10;b", "a  \nb"],

    # white space of HTML
    ["<p>a\n b\n</p>\n\n<p>c</p>", "a b\n\nc"],
    ["a<br>\nb", "a  \nb"],
    ["<div>a\tb</div>\n<div>c</div>", "a b  \nc"],

    # blocks
    ['<b>bold</b> <i>italic</i>', 'bold italic'],
    ['a<br>b<br/>c<br />d<BR>e', "a  \nb  \nc  \nd  \ne"],
    ['a<br><br>b', "a\n\nb"],
    (map { ["a<$_>b</$_>c", "a\n\nb\n\nc"] }
        qw(p h1 h2 h3 h4 h5 h6 dl table blockquote ul ol P H1)),
    (map { ["a<$_>b</$_>c", "a  \nb  \nc"] }
        qw(div tr dt dd thead tbody section article header footer tfoot
           caption main nav aside form center address Div body)),
    (map { ["a<$_>b</$_>c", 'abc'] }
        qw(b i u em strong span a code small sub sup font head label)),
    (map { ["a<$_>b</$_>c", "a\\<$_>b\\</$_>c"] }
        qw(h7 h0 brr hrx pp host x-p cluster-name script2)),
    ['a<hr>b<hr class="x"/>c', "a\n\nb\n\nc"],
    ['a<td>b</td>c<th>d</th>e', 'a b c d e'],
    ['<table><tr><td>a</td><td>b</td></tr>
<tr><td>c</td><td>d</td></tr></table>', "a b  \nc d"],
    ['a</p >b</p
>c</p class="x">d', "a\n\nb\n\nc\n\nd"],
    ['<o:p>a</o:p><st1:place w:st="on">b</st1:place>', 'ab'],

    # lists
    ["<ul>\n<li>a</li>\n<li>b</li>\n</ul>\nc", "- a\n- b\n\nc"],
    ['<li>a<li>b', "- a\n- b"],
    ['<ol><li>a<li>b<ol><li>c</ol><li>d</ol>', "1. a\n2. b\n1) c\n3. d"],
    ['<ul><li>a<ol><li>b</ol><li>c<br>d</ul>', "- a\n1) b\n- c  \nd"],
    ['<ul><li>- a<li># b<li>1. c</ul>', "- \\- a\n- \\# b\n- 1\\. c"],
    ['<ul>' x 20 . '<li>a', '- a'],
    ['</ul></ul><ol><li>a', '1. a'],

    # code
    ["<pre>\na  b\n  c_d &lt;e>\n</pre>f",
        "```\na  b\n  c_d <e>\n```\n\nf"],
    ["a<pre>b\n```\n  ```</pre>", "a\n\n```\nb\n    ```\n      ```\n```"],
    ['<pre>a<br>b</pre>', "```\na\nb\n```"],
    ["<pre><a href=\"${U}_\">a</a></pre>", "```\na (${U}_)\n```"],
    ['<li><pre>a</pre>b', "```\na\n```\n\nb"],
    ['<pre>a', "```\na\n```"],

    # links
    ['<a href="http://x/?a=1&amp;b=2" title=\'<\'>link</a>',
        '[link](http://x/?a=1&b=2)'],
    ["a <a href='$U'> b </a> c", "a  [b]($U)  c"],
    ["<A HREF=$U>b</A>", "[b]($U)"],
    ["<a\nid=x\nhref = \"$U\"\n>b</a>", "[b]($U)"],
    ["<a href=\" http://h/a b\n(c)&quot;d\\e \">x</a>",
        '[x](http://h/a%20b%28c%29%22d%5Ce)'],
    ['<a href="http://h/&amp;lt;x">y</a>', '[y](http://h/&amp;lt;x)'],
    ['<a href="http://h/ä_*">y</a>', '[y](http://h/ä_*)'],
    ["<a href='$U'>[a](b) *c* http://x_y</a>",
        "[\\[a\\](b) \\*c\\* http://x\\_y]($U)"],
    ["<a href='$U'>a<p>b</p></a>c", "[a]($U)\n\nb\n\nc"],
    ["<a href='$U'><div>a</div></a>", "[a]($U)"],
    ["<a href='$U'>a<a href='${U}2'>b", "[a]($U)[b](${U}2)"],
    ["<a href='$U'>a<a name=x>b", "[a]($U)b"],
    ["really!<a href='$U'>a</a>", "really\\![a]($U)"],
    ["a\\!<a href='$U'>a</a>", "a\\\\\\![a]($U)"],
    ["[x]<a href='$U'>(y)</a>", "[x\\][(y)]($U)"],
    ['<a href="mailto:a@b.c">x</a>', '[x](mailto:a@b.c)'],
    (map { ["<a href=\"$_\">x</a>", 'x'] }
        'javascript:alert(1)', " JaVa\nScRiPt:x", 'data:text/html,x', '/d/1',
        '#x', 'x', '', '//h/x', 'vbscript:x', '&#106;avascript:x', 'http',
        'javascript&colon;x', "\x01javascript:x"),

    # images
    ["<img src=\"$U\" alt=\"a\nb\">", "![a b]($U)"],
    ["<img src=\"$U\">", "![]($U)"],
    ["<img alt src=\"$U\"/>", "![]($U)"],
    ["<img src=\"$U\" alt=\"[a]*&quot;\">", "![\\[a\\]\\*\"]($U)"],
    ["<a href='${U}2'><img src='$U' alt=a></a>", "[![a]($U)](${U}2)"],
    ['<img src="cid:1" alt="a">b', 'ab'],

    # what goes
    ['a<!-- c -->b', 'ab'],
    ['a<!-- a > b --><p>c', "a\n\nc"],
    ['a<!-->b<!--->c', 'abc'],
    ['<!DOCTYPE html>a', 'a'],
    ['<?xml version="1.0"?>a<![if mso]>b', 'ab'],
    ['<script>var x = "</p>";</script>y', 'y'],
    ["<style>p { color: red }\n</style >y", 'y'],
    ['<title>a</title><svg><text>b</text></svg>c', 'c'],
    ['<SCRIPT src="x">1<2</Script>y', 'y'],
    ['<script src="x"/>a', 'a'],
    ['<script>a', 'a'],

    # what is no tag
    ['5 < 6 and 7 > 3', '5 < 6 and 7 > 3'],
    ['used&lt;90 a<b and c>d', 'used<90 a\\<b and c>d'],
    ['if x<y: page', 'if x\\<y: page'],
    ['&lt;no value&gt; <nil>', '\\<no value> \\<nil>'],
    ['a<5>b', 'a<5>b'],
    ['a< b>c', 'a< b>c'],
    ['a<', 'a<'],
    ['a</', 'a\\</'],
    ['a</>b', 'a\\</>b'],
    ['a</5>b', 'a\\</5>b'],
    ['a</ p>b', 'a\\</ p>b'],
    ['a<b', 'a\\<b'],
    ['a<!', 'a\\<!'],
    ['a<!>b', 'a\\<!>b'],
    ['a<b c="d', 'a\\<b c="d'],
    ['a<p class="x" b', 'a\\<p class="x" b'],
    ['<<b>x', '\\<x'],
    ['a<b<c>d', 'a\\<b\\<c>d'],
    ['a<?php?>b', 'a\\<?php?>b'],
    ['a<_>b', 'a<\\_>b'],
    ['a<ä>b', 'a<ä>b'],
    ['<a href="x>y">z</a>', 'z'],
    ['<input type=checkbox checked>a', 'a'],
    ['a<!-- b', 'a\\<!-- b'],

    # what Markdown would take for markup
    ['tables_locked_total * 2', 'tables\\_locked\\_total \\* 2'],
    ['*a* __b__ `c` ~~d~~', '\\*a\\* \\_\\_b\\_\\_ \\`c\\` \\~\\~d\\~\\~'],
    ["# a\n#b\n> c\n| d |", "\\# a  \n\\#b  \n\\> c  \n\\| d |"],
    ["- a\n-\n-5\n- - -\n---", "\\- a  \n\\-  \n-5  \n\\- - -  \n\\---"],
    ["+ a\n+5\n= b\n===\n:-|-", "\\+ a  \n+5  \n\\= b  \n\\===  \n\\:-|-"],
    ["1. a\n2) b\n3.5\n1234567890. c",
        "1\\. a  \n2\\) b  \n3.5  \n1234567890. c"],
    ['a # b > c - d + e', 'a # b > c - d + e'],
    ['C:\\Temp \\\\srv\\* \\', 'C:\\Temp \\\\\\srv\\\\\\* \\\\'],
    ['&amp;lt;b&amp;gt; &amp;#1; AT&amp;T', '\\&lt;b\\&gt; \\&#1; AT&T'],
    ['&lt;b&gt;bold&lt;/b&gt;', '\\<b>bold\\</b>'],
    ['[x] a[0] {"a":["b","c"]}', '[x] a[0] {"a":["b","c"]}'],
    ['[x]: /u [a][b] f[i](x)', '[x\\]: /u [a\\][b] f[i\\](x)'],

    # what authors wrote as Markdown
    (map { [$_, $_] }
        '[run_book *1*](https://w/a_b*c*?d=(e))', '![a](http://h/i.png)',
        '[a](/x) [b](#c) [](http://h)', '[a](http://h/ "a title")',
        '[a](http://[::1]:8086/)', '<http://h/a_b>'),
    ['[a](http://h/?a=1&amp;b=2)', '[a](http://h/?a=1&b=2)'],
    ['[a](<b>http://h/</b>)', '[a](http://h/)'],
    (map { [$_, s/\]\(/\\](/r] }
        '[a](javascript:x)', '[a](b c)', '[a]()',
        '[a](data:x)', '[a](x', '[a](http://h/ b)'),
    ['[a](javascript&amp;colon;x)', '[a\\](javascript\\&colon;x)'],
    ["[a](http://h/\n)", "[a\\](http://h/  \n)"],

    # URLs
    (map { [$_, $_] }
        'see http://h/a-b?c=d.', '(http://h/a) and https://h/(b),',
        "a\nhttp://h/x" =~ s/\n/  \n/r, 'www.h/x'),
    ['http://h/a_b, http://h/*', '<http://h/a_b>, <http://h/>\\*'],
    ['http://h/a_*b*', '<http://h/a_*b>\\*'],
    ['[http://h/a]', '[<http://h/a>]'],
    ['http://h/?a[]=1', '<http://h/?a[]=1>'],
    ['{"u":"http://h/a"}', '{"u":"<http://h/a>"}'],
    ['http://h/&amp;lt;', '<http://h/&lt>;'],
    ['www.h/_x', '<http://www.h/_x>'],
    ['xhttp://h/_', 'xhttp://h/\\_'],
    ['http:// http://. https', 'http:// http://. https'],

    # entities
    ['&quot;&apos;&gt;', '"\'>'],
    ['97&nbsp;&deg; &euro; &rarr; &Auml; &thetasym;',
        "97\x{a0}° € → Ä \x{3d1}"],
    ['&nbsp;', "\x{a0}"],
    ['&#34;&#39;&#43;&#65;&#x41;&#x1F600;&#128512;',
        "\"'+AA\x{1f600}\x{1f600}"],
    ['&#0;&#x0;&#xd800;&#xDFFF;&#x110000;&#1114112;', "\x{fffd}" x 6],
    ['&#x10ffff;&#1114111;', "\x{10ffff}\x{10ffff}"],
    ['&#99999999999999999999999;&#xfffffffffffffffffff;', "\x{fffd}\x{fffd}"],
    ['&#4294967361;&#x100000041;', "\x{fffd}\x{fffd}"],
    ['&#0000000000000000000065;', 'A'],
    ['&#150;&#x80;&#x81;&#159;', "–€\x{fffd}Ÿ"],
    ['&#1;&#27;[31m', '[31m'],
    ['&amp', '&amp'],
    ['&amp b', '&amp b'],
    ['&AMP; &Lt; &NBSP;', '\\&AMP; \\&Lt; \\&NBSP;'],
    ['&eacut; &unknown; &; &#; &#x; &#a; &#xg;',
        '\\&eacut; \\&unknown; &; &#; \\&#x; \\&#a; \\&#xg;'],
    ['&#65', '&#65'],
    ['&#6 5;', '&#6 5;'],
    ['&#-65; &#+65;', '&#-65; &#+65;'],
    ['& && &&amp;', '& && &&'],
    ['ä ☃ 😀 <b>日本</b>', 'ä ☃ 😀 日本'],
    ["\x{a0}a\x{a0}", "\x{a0}a\x{a0}"],

    # a lot of it
    ['<b>' x 5000 . 'deep' . '</b>' x 5000, 'deep'],
    ['<' x 20000, '<' x 20000],
    ['<a' x 5000, '\\<a' x 5000],
    ['&' x 20000, '&' x 20000],
    ['&#' x 5000, '&#' x 5000],
    ['[' x 20000, '[' x 20000],
    ['[a](' x 5000, '[a\\](' x 5000],
    ['<!--' x 5000, '\\<!--' x 5000],
    ['<script>' x 5000, undef],
);

for (@DETAILS) {
    my ($html, $text) = @$_;

    $c->webhook(shown($html), body($html), details => $text);
}


# Details that are cut end in no half of a link or of what was escaped.

my $PARTS = qr{(?:[a-z(]|[ ]|\n|\\[\\*_]
                 |!?\[(?:[a-z]|\\.|!\[[a-z]\]\(http://h\))*\]
                  \(http://h/[a-z]+\)
                 |<http://h/_[a-z]>)*}x;

for my $n (0 .. 40) {
    my $what = "cut after $n";
    my $html = 'a' x $n . "*<a href='http://h/link'>te_xt</a> \\( "
             . 'http://h/_b <a href="http://h/c"><img src="http://h" alt=d>'
             . '</a>![e](http://h/image) ';

    $html x= 60;
    $html =~ s/ (?=http)/\n/g if $n % 2;

    my $r = $c->webhook($what, body($html), uri => '/4k', max => 4096,
                        truncated => 'true');
    my $details = $r->{event}->get('details');

    like($details, qr/\A$PARTS\z/, "$what: nothing is half");
    cmp_ok(length $details, '>', 2048, "$what: the room is used");

    # what a person writes is cut in the same way

    my $got = $c->webhook("$what, mapped", body(IlertMarkdown::of($html)),
                          uri => '/mapped', map => 0);
    like($got->{event}->get('details'), qr/\A$PARTS\z/,
        "$what, mapped: nothing is half");
}

my $cut = $c->webhook('a link that is too long', body("<a href='http://h/"
    . 'x' x 5000 . "'>a</a>"), uri => '/4k', max => 4096,
    truncated => 'true', details => undef);

$cut = $c->webhook('many that could be links', body('[a](' x 1500), uri =>
    '/mapped', map => 0);
cmp_ok(length $cut->{event}->get('details'), '>', 2048, 'the room is used');


# Made by chance

my $seed = IlertRandom::seed();

for my $n (1 .. $ENV{TEST_RANDOM} // 200) {
    $c->webhook("TEST_SEED=$seed, details $n", IlertCheck::json(details =>
        IlertRandom::html()));
}


# What a reader sees is what was written, whatever Markdown means by it.

my @MARKUP = split /, /, 'a, b, x1, *, **, _, __, `, ```, ~, ~~, #, -, +, =, '
    . '==, ---, >, |, |-, |---|, :-, :, ](, [x], !, (, ), <, <a, <b, </, <!, '
    . '<?, &, &amp;, &copy;, &#35;, \\, \\, http://x/a_b, https://y/*z*, '
    . '(http://q), www.x.y/_a_, a@b.c, [a]:, [^1], [^1]:, é, ., \', ", a | b';

push @MARKUP, ',', '# ', '- ', '1. ', '2) ', '> ', '[ ] ', '[a]: /u', "\t",
    ' ', ' ', '  ', "\n", "\n";

sub seen {
    my ($markdown, @command) = @_;

    my ($file, $name) = tempfile(UNLINK => 1);
    binmode $file, ':utf8';
    print $file $markdown;
    close $file;

    open my $pipe, '-|:utf8', @command, $name or die "$command[0]: $!";
    local $/;
    my $html = <$pipe>;
    close $pipe;

    $html =~ s{<br />\n?|</?p>\n?}{\n}g;
    $html =~ s{<a href="[^"]*">http://www}{www}g;
    $html =~ s{</?a\b[^>]*>}{}g;
    $html =~ s{&quot;}{"}g;
    $html =~ s{&lt;}{<}g;
    $html =~ s{&gt;}{>}g;
    $html =~ s{&amp;}{&}g;

    return lines($html);
}

sub lines {
    my ($text) = @_;

    return join "\n", grep { length } map { s/^ | $//gr } split /\n/,
           $text =~ s/[ \t]+/ /gr;
}

my @READERS = grep { my $name = $_->[0];
                     grep { -x "$_/$name" } split /:/, $ENV{PATH} }
    ['cmark', '--unsafe'],
    ['cmark-gfm', '--unsafe', map { (-e => $_) } qw(table strikethrough
                                                    tasklist autolink)];

SKIP: {
    skip 'no cmark', 1 if !@READERS;

    my $n = 0;

    while ($n < ($ENV{TEST_RANDOM} // 200) / 2) {
        my $text = join '', map { pick(@MARKUP) } 1 .. 1 + rand 14;

        # a link that somebody wrote stays one

        next if $text =~ m{\]\([^)\s]*[/#?]};

        my $html = $text =~ s/&/&amp;/gr =~ s/</&lt;/gr;
        my $r = $c->webhook("text $n", body($html));
        my $markdown = $r->{event}->get('details') // '';

        is(seen($markdown, @$_), lines($text), "$_->[0]: " . shown($text))
            or diag($markdown) for @READERS;
        $n++;
    }
}


done();
