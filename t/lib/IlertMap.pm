package IlertMap;

# What a Kapacitor webhook must become at ilert: the default mapping of
# docs/design.md, written from its text alone, so that the tests have values
# that do not come from the module's C code.
#
#   IlertMap::expect($body) -> {
#       status => 202 | 400,
#       result => 'accepted' | 'test',           with 202
#       error  => 'PATH: what' or its beginning, with 400
#       event  => the event without integrationKey,
#       type   => its eventType, key => its alertKey, level => the level,
#   }
#
# JSON is read by IlertMap::decode($bytes), which loses nothing: an object is
# an IlertMap::Object (members in the order of the text, the last of equal
# names), a number an IlertMap::Number (its digits as written), a string
# characters, an array an array, true and false JSON::PP's, null undef.
# It dies with "not JSON: what at byte N".
#
#   IlertMap::encode($value) -> bytes            of such a value
#   IlertMap::diff($got, $expected) -> list of "path: difference"
#   IlertMap::capped($json, $event, $max) -> list of what is wrong with
#       $json (an event without integrationKey, as sent) as the event $event
#       cut to $max bytes
#   IlertMap::split_key($bytes) -> (integration key, event without it),
#       both as sent; dies unless the key is the first member
#   IlertMap::text($html), instant($time)        parts of the mapping

use warnings;
use strict;

use JSON::PP ();

use constant DEPTH => 64;

my $CHARS = qr/ [\x00-\x7f]
              | [\xc2-\xdf] [\x80-\xbf]
              | \xe0 [\xa0-\xbf] [\x80-\xbf]
              | [\xe1-\xec\xee\xef] [\x80-\xbf]{2}
              | \xed [\x80-\x9f] [\x80-\xbf]
              | \xf0 [\x90-\xbf] [\x80-\xbf]{2}
              | [\xf1-\xf3] [\x80-\xbf]{3}
              | \xf4 [\x80-\x8f] [\x80-\xbf]{2} /x;

my %BREAK = map { $_ => 1 } qw(p div tr li ul ol dl dt dd table thead tbody
    h1 h2 h3 h4 h5 h6 pre blockquote section article header footer title);

my %NAMED = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'",
    nbsp => "\x{a0}");

my %ESCAPE = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t",
    '"' => '"', '\\' => '\\', '/' => '/');

my %SHORT = map { $ESCAPE{$_} => "\\$_" } grep { $_ ne '/' } keys %ESCAPE;

my %LEVEL = map { $_ => 1 } qw(OK INFO WARNING CRITICAL);


# Reading JSON

sub decode {
    my ($bytes, %opt) = @_;

    my $r = { depth => 0, max => $opt{depth} // DEPTH, twice => [] };

    for ($bytes) {
        pos() = 0;

        my $value = read_value($r);

        /\G[ \t\r\n]+/gc;
        syntax('something after the value') if pos() < length();

        push @{$opt{twice}}, @{$r->{twice}} if $opt{twice};

        return $value;
    }
}


sub syntax {
    my ($what) = @_;

    die sprintf("not JSON: %s at byte %d\n", $what, pos() // 0);
}


# read_*() work on $_ at its pos().

sub read_value {
    my ($r) = @_;

    /\G[ \t\r\n]+/gc;

    return read_object($r) if /\G\{/gc;
    return read_array($r)  if /\G\[/gc;
    return read_string()   if /\G"/gc;
    return JSON::PP::true  if /\Gtrue/gc;
    return JSON::PP::false if /\Gfalse/gc;
    return undef           if /\Gnull/gc;

    if (/\G(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
         (?![0-9.eE+-])/gcx)
    {
        return IlertMap::Number->new($1);
    }

    syntax('no value');
}


sub read_object {
    my ($r) = @_;

    my $object = IlertMap::Object->new;

    syntax('too deep') if ++$r->{depth} > $r->{max};

    return leave($r, $object) if /\G[ \t\r\n]*\}/gc;

    for (;;) {
        /\G[ \t\r\n]*"/gc or syntax('no member name');

        my $name = read_string();

        /\G[ \t\r\n]*:/gc or syntax('no colon');

        $object->add($name, read_value($r)) or push @{$r->{twice}}, $name;

        next if /\G[ \t\r\n]*,/gc;
        return leave($r, $object) if /\G[ \t\r\n]*\}/gc;
        syntax('no end of object');
    }
}


sub read_array {
    my ($r) = @_;

    my @array;

    syntax('too deep') if ++$r->{depth} > $r->{max};

    return leave($r, \@array) if /\G[ \t\r\n]*\]/gc;

    for (;;) {
        push @array, read_value($r);

        next if /\G[ \t\r\n]*,/gc;
        return leave($r, \@array) if /\G[ \t\r\n]*\]/gc;
        syntax('no end of array');
    }
}


sub leave {
    my ($r, $value) = @_;

    $r->{depth}--;

    return $value;
}


sub read_string {
    my $string = '';

    until (/\G"/gc) {
        if (/\G([^"\\\x00-\x1f]+)/gc) {
            $string .= characters($1);

        } elsif (/\G\\u([dD][89abAB][0-9a-fA-F]{2})
                  \\u([dD][c-fC-F][0-9a-fA-F]{2})/gcx)
        {
            $string .= chr(0x10000 + ((hex($1) & 0x3ff) << 10)
                           + (hex($2) & 0x3ff));

        } elsif (/\G\\u([0-9a-fA-F]{4})/gc) {
            $string .= character(hex($1));

        } elsif (/\G\\(["\\\/bfnrt])/gc) {
            $string .= $ESCAPE{$1};

        } else {
            syntax('bad string');
        }
    }

    return $string;
}


# What is no character is U+FFFD.

sub character {
    my ($code) = @_;

    return chr(0xfffd) if $code == 0 || $code > 0x10ffff
                          || $code >= 0xd800 && $code <= 0xdfff;
    return chr($code);
}


# UTF-8 bytes to characters; each byte that is part of none is U+FFFD.

sub characters {
    my ($bytes) = @_;

    return $bytes if $bytes !~ /[\x80-\xff]/;

    my $string = '';

    for ($bytes) {
        pos() = 0;

        while (pos() < length()) {
            if (/\G((?:$CHARS){1,30000})/gco) {
                my $chars = $1;
                utf8::decode($chars);
                $string .= $chars;

            } else {
                /\G./gcs;
                $string .= chr(0xfffd);
            }
        }
    }

    return $string;
}


sub encode {
    my ($value) = @_;

    return 'null' if !defined $value;
    return "$value" if ref $value eq 'IlertMap::Number';
    return $value ? 'true' : 'false' if JSON::PP::is_bool($value);
    return '[' . join(',', map { encode($_) } @$value) . ']'
        if ref $value eq 'ARRAY';
    return '{' . join(',', map { encode_string($_) . ':'
                                 . encode($value->get($_)) }
                           $value->names) . '}'
        if ref $value eq 'IlertMap::Object';

    return encode_string($value);
}


sub encode_string {
    my ($string) = @_;

    $string =~ s/(["\\\x00-\x1f])/$SHORT{$1} || sprintf '\\u%04x', ord $1/ge;
    utf8::encode($string);

    return qq("$string");
}


# The mapping

sub expect {
    my ($body) = @_;

    my $w = eval { decode($body) };
    if (my $error = $@) {
        $error =~ /^(not JSON: )/ or die $error;
        return { status => 400, error => 'not JSON: ' };
    }

    my $error = eval { check($w); 1 } ? undef : $@;
    if (defined $error) {
        ref $error or die $error;
        return { status => 400, error => $$error };
    }

    my $level = $w->get('level');
    my @series = series($w);

    if (($w->get('id') // ' ') eq '' && $level eq 'OK' && !@series) {
        return { status => 202, result => 'test', level => $level };
    }

    my $key = key($w, @series);
    return { status => 400, error => '' } if !defined $key;

    my $type = $level eq 'OK' ? 'RESOLVE' : 'ALERT';
    my $dump = dumped($w->get('details'));
    my $text = $dump ? '' : text($w->get('details') // '');

    my $event = IlertMap::Object->new(
        eventType => $type,
        summary => summary($w),
        $text ne '' ? (details => $text) : (),
        alertKey => $key,
        customDetails => custom($w, $dump, @series));

    return { status => 202, result => 'accepted', event => $event,
             type => $type, key => $key, level => $level };
}


sub series {
    my ($w) = @_;

    my $data = $w->get('data') or return;

    return @{$data->get('series') // []};
}


sub blank {
    my ($string) = @_;

    return ($string // '') =~ /^[ \t\r\n]*\z/;
}


sub key {
    my ($w, @series) = @_;

    my $id = $w->get('id');
    return $id if !blank($id);

    return if !@series;

    my $name = $series[0]->get('name') // '';
    my $tags = $series[0]->get('tags');
    my @pairs = $tags ? map { "$_=" . $tags->get($_) } $tags->names : ();

    return if blank($name) && !@pairs;
    return $name . (@pairs ? '{' . join(',', @pairs) . '}' : '');
}


sub summary {
    my ($w) = @_;

    my ($message, $id, $level) = map { $w->get($_) } qw(message id level);

    return $message if ($message // '') ne '';
    return "$id is $level" if !blank($id);
    return $level;
}


# The JSON object of Kapacitor's default details, undef if these are others.

sub dumped {
    my ($details) = @_;

    my $json = entities($details // '');
    utf8::encode($json);

    my $dump = eval { decode($json) };
    return if ref $dump ne 'IlertMap::Object';

    for (qw(TaskName Group ID Level)) {
        return if !is_string($dump->get($_));
    }

    return if $dump->has('Name') && !is_string($dump->get('Name'));

    return $dump;
}


sub entities {
    my ($text) = @_;

    $text =~ s/&(?:(amp|lt|gt|quot|apos|nbsp)
                  |\#([0-9]+)
                  |\#x([0-9a-fA-F]+));
              /defined $1 ? $NAMED{$1}
               : defined $2 ? code(10, $2) : code(16, $3)/gex;

    return $text;
}


sub code {
    my ($base, $digits) = @_;

    $digits =~ s/^0+//;
    return chr(0xfffd) if $digits eq '' || length $digits > 8;
    return character($base == 10 ? $digits : hex $digits);
}


# User-set details as text.

sub text {
    my ($html) = @_;

    my $text = '';

    for ($html) {
        pos() = 0;

        while (pos() < length()) {
            if (m{\G<((?:/?[A-Za-z]|!)[^>]*)>}gc) {
                $text .= tag($1);

            } elsif (/\G<|\G[^<]+/gc) {
                $text .= entities($&);
            }
        }
    }

    $text =~ s/^[ \t\r\n]+//;
    $text =~ s/[ \t\r\n]+\z//;

    return $text;
}


sub tag {
    my ($tag) = @_;

    my ($end, $name) = $tag =~ m{^(/?)([^\s/]*)};
    $name = lc $name;

    return "\n" if $end ? $BREAK{$name} : $name =~ /^[bh]r\z/;
    return ' ' if $end && $name =~ /^t[dh]\z/;
    return '';
}


sub custom {
    my ($w, $dump, @series) = @_;

    my $custom = IlertMap::Object->new;

    for (qw(id level previousLevel time duration message)) {
        $custom->known($_, $w->get($_));
    }

    my ($rows, $trigger) = rows($w->get('time'), @series);

    if ($trigger) {
        $custom->known(measurement => $trigger->get('measurement'));
    } elsif (@series) {
        $custom->known(measurement => $series[0]->get('name'));
    }

    if ($dump) {
        my $server = $dump->get('ServerInfo');
        $server = ref $server eq 'IlertMap::Object'
            ? $server->get('Hostname') : undef;

        $custom->known(task => $dump->get('TaskName'));
        $custom->known(group => $dump->get('Group'));
        $custom->known(server => $server) if is_string($server);
    }

    if ($trigger) {
        $custom->known($_, $trigger->get($_)) for qw(tags fields);
    } elsif (@series) {
        $custom->known(tags => tags($series[0]));
    }

    $custom->add(rows => $rows) if @$rows;

    return $custom;
}


sub tags {
    my ($series) = @_;

    my $tags = $series->get('tags');

    return $tags && $tags->names ? $tags : undef;
}


# (all rows but the triggering one, the triggering one), each row an object
# {time, measurement, tags, fields}.

sub rows {
    my ($time, @series) = @_;

    my (@rows, $trigger, $last);

    my $instant = instant($time);

    for my $i (0 .. $#series) {
        for my $values (@{$series[$i]->get('values') // []}) {
            my $row = row($series[$i], $values);
            push @rows, $row;

            $last = $#rows if $i == 0;
            next if defined $trigger || !defined $instant;

            my $at = instant($row->get('time'));
            $trigger = $#rows if defined $at && $at eq $instant;
        }
    }

    $trigger //= $last;
    return \@rows if !defined $trigger;

    my ($row) = splice @rows, $trigger, 1;
    return \@rows, $row;
}


sub row {
    my ($series, $values) = @_;

    my @columns = @{$series->get('columns') // []};

    my $time;
    my $fields = IlertMap::Object->new;

    for my $i (0 .. $#columns) {
        if ($columns[$i] eq 'time') {
            $time = $values->[$i];
        } else {
            $fields->add($columns[$i], $values->[$i]);
        }
    }

    my $row = IlertMap::Object->new;

    $row->known(time => $time);
    $row->known(measurement => $series->get('name'));
    $row->known(tags => tags($series));
    $row->known(fields => $fields);

    return $row;
}


# "seconds.nanoseconds" of an RFC 3339 time, equal for equal instants.

sub instant {
    my ($time) = @_;

    return if !is_string($time);

    my ($y, $mon, $d, $h, $min, $s, $frac, $zone) = $time =~
        /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)
          (?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\z/xa
        or return;

    # days since 0000-03-01 of the proleptic Gregorian calendar
    my ($yy, $mm) = $mon > 2 ? ($y, $mon - 3) : ($y - 1, $mon + 9);
    my $days = 365 * $yy + floor_div($yy, 4) - floor_div($yy, 100)
               + floor_div($yy, 400) + int((153 * $mm + 2) / 5) + $d - 1;

    my $seconds = (($days * 24 + $h) * 60 + $min) * 60 + $s;

    if ($zone =~ /^([+-])(\d\d):(\d\d)/) {
        $seconds -= ($2 * 60 + $3) * 60 * ($1 eq '-' ? -1 : 1);
    }

    return $seconds . '.' . substr(($frac // '') . '0' x 9, 0, 9);
}


sub floor_div {
    my ($n, $by) = @_;

    return ($n - $n % $by) / $by;
}


# Checking what is read

sub is_string { defined $_[0] && !ref $_[0] }
sub is_object { ref $_[0] eq 'IlertMap::Object' }
sub is_array  { ref $_[0] eq 'ARRAY' }
sub is_number { ref $_[0] eq 'IlertMap::Number' }
sub is_bool   { JSON::PP::is_bool($_[0]) }


sub wrong {
    my ($path, $what) = @_;

    my $text = "$path: $what";
    utf8::encode($text);

    die \$text;
}


sub check {
    my ($w) = @_;

    wrong('not JSON', '') if !defined $w && 0;
    die \(my $e = '') if !is_object($w);

    for (qw(id message details time previousLevel)) {
        my $value = $w->get($_);
        wrong($_, 'expected a string') if defined $value
                                          && !is_string($value);
    }

    my $duration = $w->get('duration');
    wrong('duration', 'expected a number')
        if defined $duration && !is_number($duration);

    my $recoverable = $w->get('recoverable');
    wrong('recoverable', 'expected ')
        if defined $recoverable && !is_bool($recoverable);

    my $level = $w->get('level');
    wrong('level', 'missing') if !defined $level;
    wrong('level', 'expected ') if !is_string($level);
    wrong('level', 'expected OK, INFO, WARNING or CRITICAL')
        if !$LEVEL{$level};

    my $data = $w->get('data');
    return if !defined $data;
    wrong('data', 'expected an object') if !is_object($data);

    my $series = $data->get('series');
    return if !defined $series;
    wrong('data.series', 'expected an array') if !is_array($series);

    check_series($series->[$_], "data.series[$_]") for 0 .. $#$series;
}


sub check_series {
    my ($series, $path) = @_;

    wrong($path, 'expected an object') if !is_object($series);

    my $name = $series->get('name');
    wrong("$path.name", 'expected a string')
        if defined $name && !is_string($name);

    if (defined(my $tags = $series->get('tags'))) {
        wrong("$path.tags", 'expected an object') if !is_object($tags);

        for ($tags->names) {
            wrong("$path.tags.$_", 'expected a string')
                if !is_string($tags->get($_));
        }
    }

    my $columns = $series->get('columns');
    wrong("$path.columns", 'expected an array')
        if $series->has('columns') && !is_array($columns);
    $columns //= [];

    for (0 .. $#$columns) {
        wrong("$path.columns[$_]", 'expected a string')
            if !is_string($columns->[$_]);
    }

    my $values = $series->get('values');
    return if !defined $values;
    wrong("$path.values", 'expected an array') if !is_array($values);

    for (0 .. $#$values) {
        check_row($values->[$_], scalar @$columns, "$path.values[$_]");
    }
}


sub check_row {
    my ($row, $n, $path) = @_;

    wrong($path, 'expected an array') if !is_array($row);
    wrong($path, "expected $n value") if @$row != $n;

    for (0 .. $#$row) {
        wrong("${path}[$_]", 'expected a string, number, boolean or null')
            if is_array($row->[$_]) || is_object($row->[$_]);
    }
}


# The most bytes that JSON of this value may take: strings may leave with the
# escapes that they came with.

sub longest {
    my ($value) = @_;

    my $n = 0;

    for (encode($value)) {
        $n = length;
        $n += 5 * tr/\x01-\x1f\/\x7f//;
        $n += 4 * tr/\xc2-\xdf//;
        $n += 3 * tr/\xe0-\xef//;
        $n += 8 * tr/\xf0-\xf4//;
        $n += 4 * (() = /\\[bfnrt"\\]/g);
    }

    return $n;
}


# Comparing

sub split_key {
    my ($bytes) = @_;

    $bytes =~ /^\{"integrationKey":"((?:[^"\\]|\\.)*)",/
        or die "integrationKey is not the first member\n";

    return $1, '{' . substr($bytes, $+[0]);
}


sub diff {
    my ($got, $expected, $path) = @_;

    $path //= '';

    return "$path: got " . shown($got) . ', expected ' . shown($expected)
        if kind($got) ne kind($expected);

    if (is_object($got)) {
        return ((map { "$path.$_: missing" }
                 grep { !$got->has($_) } $expected->names),
                (map { "$path.$_: not expected" }
                 grep { !$expected->has($_) } $got->names),
                (map { diff($got->get($_), $expected->get($_), "$path.$_") }
                 grep { $expected->has($_) } $got->names));
    }

    if (is_array($got)) {
        return "$path: " . @$got . ' items, expected ' . @$expected
            if @$got != @$expected;
        return map { diff($got->[$_], $expected->[$_], "$path\[$_]") }
            0 .. $#$got;
    }

    return if !defined $got || "$got" eq "$expected";
    return "$path: got " . shown($got) . ', expected ' . shown($expected);
}


sub kind {
    my ($value) = @_;

    return 'null' if !defined $value;
    return 'bool' if JSON::PP::is_bool($value);
    return ref $value || 'string';
}


sub shown {
    my ($value) = @_;

    my $text = encode($value);

    return length $text > 200 ? substr($text, 0, 200) . '...' : $text;
}


# Rows are dropped from the end, then fields, then texts are cut at UTF-8
# boundaries; customDetails.truncated is true and the last member.  A cut
# alertKey ends in a digest, so that different ones stay different.

sub capped {
    my ($json, $event, $max) = @_;

    my $got = eval { decode($json) } or return $@ || 'not an object';
    my $size = length $json;

    my @wrong;
    push @wrong, "$size bytes, more than $max" if $size > $max;

    my $custom = $got->get('customDetails');
    return @wrong, 'no customDetails' if !is_object($custom);

    return @wrong, diff($got, $event) if !$custom->has('truncated');

    push @wrong, 'truncated is not true'
        if encode($custom->get('truncated')) ne 'true';
    push @wrong, 'truncated is not the last member'
        if ($custom->names)[-1] ne 'truncated';

    my $full = $event->get('customDetails');

    my ($rows, $of_rows) = map { $_->get('rows') // [] } $custom, $full;
    my ($fields, $of_fields) = map { $_->get('fields')
                                     // IlertMap::Object->new }
                               $custom, $full;

    push @wrong, part_of($rows, $of_rows, 'rows');
    push @wrong, fields_of($fields, $of_fields);

    my $cut_rows = @$rows < @$of_rows;
    my $cut_fields = $fields->names < $of_fields->names;

    push @wrong, 'fields are cut, but there are rows' if $cut_fields && @$rows;

    my ($g, $e) = (without($got), without($event));
    my $texts = texts($g, $e, '', \@wrong);

    # an alertKey that is too long is cut whatever else is there
    my $cut_key = ($g->get('alertKey') // '') ne $e->get('alertKey');

    push @wrong, 'texts are cut, but there are fields'
        if $texts > $cut_key && $fields->names;
    push @wrong, 'texts are cut, but there are rows'
        if $texts > $cut_key && @$rows;
    push @wrong, 'truncated, but nothing is'
        if !$texts && !$cut_rows && !$cut_fields;

    # what was dropped last would not have fitted
    if ($cut_rows && !$cut_fields && !$texts) {
        my $next = longest($of_rows->[@$rows]);
        push @wrong, "room for another row of $next bytes in $size"
            if $size + $next + 1 + (@$rows ? 0 : 10) <= $max;
    }

    return @wrong;
}


sub part_of {
    my ($rows, $all, $path) = @_;

    return "$path: more than expected" if @$rows > @$all;
    return map { diff($rows->[$_], $all->[$_], "$path\[$_]") } 0 .. $#$rows;
}


sub fields_of {
    my ($fields, $all) = @_;

    return map { $all->has($_)
                 ? diff($fields->get($_), $all->get($_), "fields.$_")
                 : "fields.$_: not expected" } $fields->names;
}


# The event but for rows, fields, truncated.

sub without {
    my ($event) = @_;

    my $rest = IlertMap::Object->new(map { $_ => $event->get($_) }
                                     grep { $_ ne 'customDetails' }
                                     $event->names);
    my $custom = $event->get('customDetails');

    $rest->add(customDetails => IlertMap::Object->new(
        map { $_ => $custom->get($_) }
        grep { !/^(?:rows|fields|truncated)\z/ } $custom->names));

    return $rest;
}


# How many strings are cut; a cut one is a beginning of what it was.

sub texts {
    my ($got, $expected, $path, $wrong) = @_;

    my $cut = 0;

    for my $name ($expected->names) {
        my $e = $expected->get($name);
        my $g = $got->get($name);
        my $at = "$path.$name";

        if (!$got->has($name)) {
            $cut++;
            push @$wrong, "$at: missing"
                if $at =~ /^\.(?:eventType|summary|alertKey|customDetails)\z/
                   || $at eq '.customDetails.level';

        } elsif (is_object($e) && is_object($g)) {
            $cut += texts($g, $e, $at, $wrong);

        } elsif (is_string($e) && is_string($g) && $e ne $g) {
            $cut++;
            my $part = $g;
            $part =~ s/#[0-9a-f]{32}\z// if $name eq 'alertKey';
            push @$wrong, "$at: not a beginning of what was received"
                if substr($e, 0, length $part) ne $part;
            push @$wrong, "$at: cut" if $name =~ /^(?:eventType|level)\z/;

        } else {
            push @$wrong, diff($g, $e, $at);
        }
    }

    push @$wrong, "$path.$_: not expected"
        for grep { !$expected->has($_) } $got->names;

    return $cut;
}


package IlertMap::Number;

use overload '""' => sub { ${$_[0]} }, fallback => 1;

sub new {
    my ($class, $digits) = @_;

    return bless \$digits, $class;
}


package IlertMap::Object;

sub new {
    my ($class, @members) = @_;

    my $self = bless { order => [], value => {} }, $class;

    while (@members) {
        $self->add(splice @members, 0, 2);
    }

    return $self;
}


# Of equal names the last counts, at its place; then the result is false.

sub add {
    my ($self, $name, $value) = @_;

    my $new = !exists $self->{value}{$name};

    $self->{order} = [grep { $_ ne $name } @{$self->{order}}] if !$new;

    push @{$self->{order}}, $name;
    $self->{value}{$name} = $value;

    return $new;
}


sub known {
    my ($self, $name, $value) = @_;

    return defined $value ? $self->add($name, $value) : 0;
}


sub get { $_[0]{value}{$_[1]} }
sub has { exists $_[0]{value}{$_[1]} }
sub names { @{$_[0]{order}} }


1;
