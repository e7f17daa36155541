package IlertMarkdown;

# Makes Markdown of details, which are HTML, independently of the module.
#
#     IlertMarkdown::of($html) -> Markdown
#     IlertMarkdown::entities($html) -> the same without its entities
#
# Texts are characters, and nothing in them is U+0000.
#
# As in the module, tags first become marks in the text, and the text with
# marks becomes Markdown.  A mark is a control character.

use warnings;
use strict;

use File::Basename qw(dirname);

use IlertTest ();

my %MARK = (line => "\x01", paragraph => "\x02", break => "\x03",
            bullets => "\x04", numbers => "\x05", list_end => "\x06",
            item => "\x07", item_end => "\x08", code => "\x0e",
            code_end => "\x0f", link => "\x10", link_end => "\x11",
            image => "\x12", image_end => "\x13", url_end => "\x14");

my %ELEMENT = (
    a => ['link', 'link_end'], img => ['image', ''], br => ['break', 'break'],
    li => ['item', 'item_end'], pre => ['code', 'code_end'],
    ol => ['numbers', 'list_end'],
    map({ $_ => ['bullets', 'list_end'] } qw(ul menu dir)),
    map({ $_ => ['cell', 'cell'] } qw(td th)),
    map({ $_ => ['paragraph', 'paragraph'] }
        qw(p h1 h2 h3 h4 h5 h6 table blockquote hr dl)),
    map({ $_ => ['line', 'line'] }
        qw(html body div section article header footer main nav aside address
           center form fieldset legend details summary figure figcaption
           caption tr thead tbody tfoot dt dd option)),
    map({ $_ => ['', ''] }
        qw(abbr acronym area audio b base basefont bdi bdo big button canvas
           cite code col colgroup data datalist del dfn em embed font frame
           frameset head i iframe input ins kbd label link map mark meta meter
           noframes noscript object optgroup output param picture progress q s
           samp select small source span strike strong sub sup template
           textarea time track tt u var video wbr script style svg title)),
);

my %SKIP = map { $_ => 1 } qw(script style svg title);

my %FLAG = map { $_ => 1 } qw(alt async autofocus autoplay border checked
    compact controls defer disabled download hidden ismap itemscope loop
    multiple muted nohref noshade novalidate nowrap open readonly required
    reversed selected);

my %SCHEME = map { $_ => 1 } qw(http https mailto tel ftp ssh);

# the characters that HTML reads for the numbers 0x80 to 0x9f

my @WINDOWS = (0x20ac, 0xfffd, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0xfffd, 0x17d, 0xfffd, 0xfffd, 0x2018,
    0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161,
    0x203a, 0x153, 0xfffd, 0x17e, 0x178);


# The names of entities are those of the module.

my %ENTITY = (IlertTest::slurp(dirname(__FILE__) . '/../../'
    . 'ngx_http_ilert_module/event/ngx_http_ilert_text_entity.c') // die $!)
    =~ /ngx_string\("(\w+)"\), (0x\w+)/g;

my $BLANK = qr/[\x00-\x20]/;

# Markdown reads an entity if this is between "&" and ";".

my $NAME = qr/#?[A-Za-z0-9]{1,31}/;


sub of {
    my ($html) = @_;

    return written(marked($html));
}


sub entities {
    my ($text) = @_;

    $text =~ s/&(?:(\w{1,8})|\#([0-9]+)|\#[xX]([0-9a-fA-F]+));
              /defined $1 ? $ENTITY{$1} ? chr hex $ENTITY{$1} : $&
               : defined $2 ? numbered(10, $2) : numbered(16, $3)/gex;

    return $text;
}


sub numbered {
    my ($base, $digits) = @_;

    $digits =~ s/^0+//;

    my $code = length $digits > 8 || $digits eq '' ? 0
             : $base == 10 ? $digits : hex $digits;

    $code = $WINDOWS[$code - 0x80] if $code >= 0x80 && $code <= 0x9f;
    $code = 0xfffd if !$code || $code > 0x10ffff
                      || $code >= 0xd800 && $code <= 0xdfff;

    return chr $code;
}


# Marks -------------------------------------------------------------------

# Returns the text with marks, and whether there are blocks.

sub marked {
    my ($html) = @_;

    my ($text, $blocks) = ('', 0);

    for ($html) {
        pos() = 0;

        while (pos() < length()) {
            my $start = pos();

            if (/\G</) {
                my ($put, $block) = tag(\$_);

                if (defined $put) {
                    $text .= $put;
                    $blocks ||= $block;
                    next;
                }

                pos() = $start;
            }

            /\G.[^<&]*/gcs;
            $text .= readable($&);
        }
    }

    return ($text, $blocks);
}


# Returns text without entities and control characters.

sub readable {
    my ($html) = @_;

    my $text = entities($html);

    $text =~ s/\r\n/\n/g;
    $text =~ s/\r/\n/g;
    $text =~ s/[\x00-\x08\x0b-\x1f\x7f]//g;

    return $text;
}


# Returns the mark for the tag at pos, and whether it is a block, and moves pos
# behind the tag.  Returns () if there is no tag.

sub tag {
    my ($html) = @_;

    return '' if $$html =~ /\G<!--/ && $$html =~ /\G<!.*?-->/gcs
                 || $$html =~ /\G<(?:!doctype|\?xml|!\[)[^<>]*>/gci;

    $$html =~ m{\G<(/?)([A-Za-z][A-Za-z0-9:]*)}gc or return;

    my ($closing, $name) = ($1, lc $2);
    my $element = $ELEMENT{$name};

    return if !$element && $name !~ /^(?:[movwx]|st1):/;

    my $attributes = attributes($html) or return;

    return '' if !$element;

    if (!$closing && $SKIP{$name}) {
        my $behind = pos $$html;

        $$html =~ m{\G.*?</$name.*?>}gcsi or pos($$html) = $behind
            if substr($$html, $behind - 2, 1) ne '/';
        return '';
    }

    my $mark = $element->[$closing ? 1 : 0];

    return '' if $mark eq '';
    return (' ', 1) if $mark eq 'cell';
    return image($attributes) if $mark eq 'image';
    return url('link', $attributes->{href}) // $MARK{link_end}
        if $mark eq 'link';
    return ($MARK{$mark}, $mark ne 'link_end');
}


sub attributes {
    my ($html) = @_;

    my %attribute;

    while (1) {
        $$html =~ m{\G[\x00-\x20/]*}gc;

        return \%attribute if $$html =~ /\G>/gc;

        $$html =~ m{\G([^\x00-\x20=/>"'<`]+)}gc or return;
        my $name = lc $1;

        if ($$html =~ /\G$BLANK*=$BLANK*/gc) {
            $$html =~ /\G"([^"]*)"/gc || $$html =~ /\G'([^']*)'/gc
                || $$html =~ /\G([^\x00-\x20>"'<`]*)(?=[\x00-\x20>])/gc
                or return;
            $attribute{$name} //= $1;

        } else {
            return if !$FLAG{$name};
        }
    }
}


sub image {
    my ($attributes) = @_;

    my $alt = readable($attributes->{alt} // '') =~ tr/\t\n/  /r;
    my $url = url('image', $attributes->{src});

    return defined $url ? "$url$alt$MARK{image_end}" : $alt;
}


sub url {
    my ($mark, $url) = @_;

    $url = readable($url // '') =~ tr/\t\n//dr;
    $url =~ s/^ +//;
    $url =~ s/ +\z//;

    return allowed($url, 0) ? "$MARK{$mark}$url$MARK{url_end}" : undef;
}


sub allowed {
    my ($url, $relative) = @_;

    my ($scheme, $end) = $url =~ m{^([^:/?#&]*)(.?)}s;

    return $SCHEME{lc $scheme} if $end eq ':';
    return $relative && $end ne '' && $end ne '&';
}


# Markdown ----------------------------------------------------------------

sub written {
    my ($text, $blocks) = @_;

    my $w = { out => '', newlines => 0, spaces => 0, lists => [], depth => 0,
              blocks => $blocks, first => 1 };

    for ($text) {
        pos() = 0;

        while (pos() < length()) {

            if (/\G([\x01-\x08\x0e-\x1f])/gc) {
                mark($w, $1, \$_);

            } elsif ($w->{code}) {
                /\G./gcs;
                code($w, $&);

            } elsif (/\G[ \t]/gc || $blocks && /\G\n/gc) {
                $w->{spaces}++;

            } elsif (/\G\n/gc) {
                newline($w, $w->{newlines} + 1);

            } else {
                begin($w);
                $w->{out} .= first(\$_) if $w->{first};
                $w->{first} = 0;
                $w->{out} .= inline($w, \$_) if /\G[^\x00-\x20]/;
            }
        }
    }

    link_end($w);
    code_end($w);

    return $w->{out};
}


sub mark {
    my ($w, $mark, $text) = @_;

    my ($name) = grep { $MARK{$_} eq $mark } keys %MARK;

    if ($name eq 'line') {
        newline($w, 1);

    } elsif ($name eq 'paragraph') {
        newline($w, 2);

    } elsif ($name eq 'break') {
        newline($w, $w->{newlines} + 1);

    } elsif ($name eq 'code') {
        newline($w, 2);
        $w->{code} = 1;

    } elsif ($name eq 'code_end') {
        code_end($w);

    } elsif ($name eq 'link') {
        link_end($w);
        $$text =~ /\G([^\x14]*)\x14/gc;
        $w->{link} = $1;

    } elsif ($name eq 'link_end') {
        link_end($w);

    } elsif ($name eq 'image') {
        $$text =~ /\G([^\x14]*)\x14/gc;
        $w->{image} = $1;

        if (!$w->{code}) {
            begin($w);
            $w->{out} .= '![';
            $w->{first} = 0;
        }

    } elsif ($name eq 'image_end') {
        my $url = delete $w->{image};

        if (!$w->{code}) {
            $w->{out} .= '](' . encoded($url) . ')';
            $w->{spaces} = 0;
        }

    } else {
        list($w, $name);
    }
}


sub list {
    my ($w, $name) = @_;

    my $lists = $w->{lists};

    if ($name eq 'item') {
        newline($w, 1);
        $w->{item} = 1;
        $lists->[$w->{depth} - 1]++
            if $w->{depth} && defined $lists->[$w->{depth} - 1];
        return;
    }

    if ($name eq 'item_end') {
        newline($w, 1);

    } elsif ($name eq 'list_end') {
        $w->{depth}-- if $w->{depth};
        newline($w, $w->{depth} ? 1 : 2);

    } else {
        newline($w, $w->{depth} ? 1 : 2);
        $lists->[$w->{depth}++] = $name eq 'numbers' && $w->{depth} < 8
                                  ? 0 : undef;
    }

    $w->{item} = 0;
}


sub newline {
    my ($w, $n) = @_;

    link_end($w) if $w->{linked};

    $w->{newlines} = $n if $n > $w->{newlines};
    $w->{spaces} = 0;
}


sub link_end {
    my ($w) = @_;

    if ($w->{linked}) {
        $w->{out} .= '](' . encoded($w->{link}) . ')';

    } elsif (defined $w->{link} && $w->{fenced}) {
        $w->{out} .= " ($w->{link})";
    }

    delete @$w{qw(link linked)};
}


sub code {
    my ($w, $char) = @_;

    if ($char eq "\n") {
        $w->{newlines}++ if $w->{fenced};
        return;
    }

    if (!$w->{fenced}) {
        $w->{item} = 0;
        begin($w);
        $w->{out} .= "```\n";
        $w->{fenced} = 1;
    }

    $w->{out} .= "\n" x $w->{newlines};
    $w->{newlines} = 0;

    $w->{out} .= '    ' if $char eq '`' && $w->{out} =~ /\n *\z/;
    $w->{out} .= $char;
}


sub code_end {
    my ($w) = @_;

    return if !$w->{code};

    $w->{out} .= "\n```" if $w->{fenced};

    @$w{qw(code fenced first item newlines)} = (0, 0, 0, 0, 2);
}


sub begin {
    my ($w) = @_;

    if ($w->{newlines} && $w->{out} ne '') {
        $w->{out} .= '  ' if $w->{newlines} == 1 && !$w->{item};
        $w->{out} .= "\n" x $w->{newlines};
        $w->{first} = 1;
    }

    $w->{out} .= ' ' x ($w->{blocks} ? !!$w->{spaces} : $w->{spaces})
        if !$w->{first};

    if ($w->{item}) {
        my $depth = $w->{depth} - 1;
        my $number = $depth < 0 ? undef : $w->{lists}[$depth];

        $w->{out} .= defined $number
            ? $number . ($depth % 2 ? ')' : '.') . ' ' : '- ';
    }

    @$w{qw(newlines spaces item)} = (0, 0, 0);

    if (defined $w->{link} && !$w->{linked} && !$w->{code}) {
        $w->{out} =~ s/!\z/\\!/;
        $w->{out} .= '[';
        $w->{linked} = 1;
    }
}


sub first {
    my ($text) = @_;

    return "\\$1"
        if $$text =~ /\G([#>|]
                         |-(?![A-Za-z0-9]|[^\x00-\x7f])
                         |\+(?=[\x00-\x20]|\z)
                         |=(?=[\x00-\x20=]|\z)
                         |:(?=-))/gcx;

    return "$1\\$2" if $$text =~ /\G([0-9]{1,9})([.)])(?=[\x00-\x20]|\z)/gc;

    return '';
}


# Returns the Markdown of one character at pos, or of some.

sub inline {
    my ($w, $text) = @_;

    my $within = $w->{linked} || defined $w->{image};

    if (!$within) {
        my $kept = bare($w, $text) // link_at($text);
        return $kept if defined $kept;
    }

    return "\\$1" if $$text =~ /\G([*_`~])/gc
        || $$text =~ /\G(&)(?=$NAME;)/gc
        || $$text =~ m{\G(<)(?=[\x00-\x1fA-Za-z/!?])}gc
        || $$text =~ /\G(\\)(?![A-Za-z0-9])/gc
        || $within && $$text =~ /\G([\[\]])/gc
        || $$text =~ /\G(\])(?=[\x00-\x1f(\[:])/gc;

    if ($$text =~ /\G\\/ && defined +(url_at($$text, pos($$text) + 1))[0]) {
        pos($$text)++;
        return '\\\\';
    }

    $$text =~ /\G(?:[A-Za-z]+|.)/gcs;
    return $&;
}


# Returns the URL at $pos, and the punctuation behind it.

sub url_at {
    my ($text, $pos) = @_;

    pos($text) = $pos;
    $text =~ m{\G((?:https?|ftp)://|www\.)
               ((?:[A-Za-z0-9\[]|[^\x00-\x7f])[^\x00-\x20\x7f<>"\\`]*)}gcxi
        or return;

    my ($prefix, $rest) = ($1, $2);
    my $url = $rest;
    my $round = ($rest =~ tr/(//) - ($rest =~ tr/)//);
    my $square = ($rest =~ tr/[//) - ($rest =~ tr/]//);

    while ($url ne '') {
        if ($url =~ /\)\z/ && $round < 0) {
            $round++;

        } elsif ($url =~ /\]\z/ && $square < 0) {
            $square++;

        } elsif ($url !~ /[?!.,:;*_~']\z/) {
            last;
        }

        chop $url;
    }

    return if $url eq '';
    return ($prefix . $url, substr $rest, length $url);
}


sub bare {
    my ($w, $text) = @_;

    my $pos = pos $$text;

    my $pointed = $$text =~ /\G<(?=[hf])/i ? 1 : 0;

    return if $$text !~ /\G<?[hfw]/i || !$pointed && $w->{out} =~ /[A-Za-z]\z/;

    my ($url, $tail) = url_at($$text, $pos + $pointed) or return;
    my $end = $pos + $pointed + length $url;

    if ($pointed) {
        return if length $$text == $end || substr($$text, $end, 1) ne '>';

    } elsif ($url !~ /[*_~\[\]]|&$NAME;/ && $tail !~ /[*_~\];]/) {
        pos($$text) = $end + length $tail;

        if ($$text =~ /\G(?:[\x00-\x0f ]|\z)/) {
            pos($$text) = $end;
            return $url;
        }
    }

    pos($$text) = $end + $pointed;

    $url =~ s/&(?=$NAME;)/&amp;/g;
    return $url =~ /^w/i ? "<http://$url>" : "<$url>";
}


# Returns the link at pos, if somebody has written it as Markdown.

sub link_at {
    my ($text) = @_;

    my $start = pos $$text;

    return if $$text !~ /\G\[[^\x00-\x1f\[\]<\\`]*\]\(/gc;

    my ($url, $depth) = ('', 0);

    while ($$text =~ /\G([^\x00-\x20\x7f<>"\\`])/gc) {
        my $char = $1;

        $depth += $char eq '(' ? 1 : $char eq ')' ? -1 : 0;

        if ($depth < 0) {
            pos($$text)--;
            last;
        }

        last if $depth > 8 || $char eq '[' && $url !~ m{//\z};
        $url .= $char;
    }

    if ($depth <= 0 && allowed($url, 1)
        && $$text =~ /\G(?:[ ]"[^\x00-\x1f"\[<\\`]*")?\)/gc)
    {
        return substr $$text, $start, pos($$text) - $start;
    }

    pos($$text) = $start;
    return;
}


sub encoded {
    my ($url) = @_;

    $url =~ s/&(?=$NAME;)/&amp;/g;
    $url =~ s/([ <>()"\\`|])/sprintf '%%%02X', ord $1/ge;

    return $url;
}


1;
