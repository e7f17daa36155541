package IlertMap;

# What a Kapacitor webhook must become at ilert: the mapping of the reference,
# written from its text alone, so that the tests have values that do not come
# from the module's C code.
#
#   IlertMap::expect($body, %mapping) -> {
#       status => 202 | 400 | 422,
#       result => 'accepted' | 'ignored' | 'test',  with 202
#       error  => 'PATH: what' or its beginning, with 400 and 422
#       event  => the event without integrationKey, if one is sent,
#       type   => its eventType, key => its alertKey, level => the level,
#       source => the source, if %mapping says so,
#       bad    => [names of directives whose values are not allowed],
#   }
#   %mapping is what the directives evaluate to, in bytes:
#       event_type, summary, details, alert_key, priority, severity,
#       routing_key => value
#       label, custom_detail => [[name, value], ..]
#       link => [[href] or [href, text], ..]
#       image => [[src] or [src, href] or [src, href, alt], ..]
#       service, comment => [[value], ..]
#       source => value of ilert_kapacitor; sources => [the names there are]
#   With get => sub { my ($name, $value_of) = @_; .. } values are texts with
#   $variables, and are evaluated in the module's order.  Those of the webhook
#   and of the event are known here, all others are asked for; $value_of is
#   a function that evaluates a text.  event_id => $ilert_event_id.
#   max => N cuts $ilert_alert_key, and key, as ilert_event_max_size does;
#   sent_key => bytes is $ilert_alert_key as it was sent.
#
#   IlertMap::directives(%mapping) -> the lines of nginx.conf that say so
#   IlertMap::variable($body, $name) -> value of $kapacitor_NAME, in bytes
#   IlertMap::repair($body) -> the body as JSON, if it is none only because of
#       a byte order mark or control characters in strings
#
# JSON is read by IlertMap::decode($bytes), which loses nothing: an object is
# an IlertMap::Object (members in the order of the text, the last of equal
# names), a number an IlertMap::Number (its digits as written), a string
# characters, an array an array, true and false JSON::PP's, null undef.
# It dies with "not JSON: what at byte N".
#
#   IlertMap::encode($value) -> bytes            of such a value
#   IlertMap::diff($got, $expected) -> list of "path: difference"
#       members of objects are compared in their order, too
#   IlertMap::capped($json, $event, $max) -> list of what is wrong with
#       $json (an event without integrationKey, as sent) as the event $event
#       cut to $max bytes
#   IlertMap::split_key($bytes) -> (integration key, event without it),
#       both as sent; dies unless the key is the first member
#   IlertMap::instant($time)                     a part of the mapping

use warnings;
use strict;

use Digest::MD5 ();
use JSON::PP ();

use IlertMarkdown;
use IlertSchema;

no warnings 'recursion';

use constant DEPTH => 1_000;

my $UTF8 = $IlertSchema::UTF8;

my %ESCAPE = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t",
    '"' => '"', '\\' => '\\', '/' => '/');

my %SHORT = map { $ESCAPE{$_} => "\\$_" } grep { $_ ne '/' } keys %ESCAPE;

my %LEVEL = (map({ $_ => $_ } qw(OK INFO WARNING CRITICAL)),
    INFORMATION => 'INFO', WARN => 'WARNING', CRIT => 'CRITICAL');

my %UNIT = (ns => 1, us => 1e3, "\x{b5}s" => 1e3, "\x{3bc}s" => 1e3, ms => 1e6,
    s => 1e9, m => 60e9, h => 3600e9);

# the JSON text of each object and array, by its address

my %RAW;

my %ALLOWED = (
    event_type => qr/\A(?:ALERT|RESOLVE|ACCEPT|COMMENT|off)\z/,
    priority => qr/\A(?:HIGH|LOW)\z/,
    severity => qr/\A[1-5]\z/,
);

# the directives that are evaluated last, in order: those of one value, and
# lists

my @SCALARS = qw(summary details priority severity routing_key);
my @LISTS = qw(label custom_detail link image service comment);


# Reading JSON

sub decode {
    my ($bytes, %opt) = @_;

    my $r = { depth => 0, max => $opt{depth} // DEPTH, twice => [] };

    %RAW = ();

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

    my $start = pos() // 0;

    return raw($start, read_object($r)) if /\G\{/gc;
    return raw($start, read_array($r))  if /\G\[/gc;
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


sub raw {
    my ($start, $value) = @_;

    $RAW{0 + \@$value} = substr $_, $start, pos() - $start
        if ref $value eq 'ARRAY';
    $RAW{$value->address} = substr $_, $start, pos() - $start
        if ref $value eq 'IlertMap::Object';

    return $value;
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


# Returns the text with U+FFFD in place of what is no character.

sub character {
    my ($code) = @_;

    return chr(0xfffd) if $code == 0 || $code > 0x10ffff
                          || $code >= 0xd800 && $code <= 0xdfff;
    return chr($code);
}


# Decodes UTF-8; each byte that is not part of a character becomes U+FFFD.

sub characters {
    my ($bytes) = @_;

    return $bytes if $bytes !~ /[\x80-\xff]/;

    my $string = '';

    for ($bytes) {
        pos() = 0;

        while (pos() < length()) {
            if (/\G((?:$UTF8){1,30000})/gco) {
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
    my ($body, %mapping) = @_;

    my ($w, $repaired) = eval { read_body($body) };
    if (my $error = $@) {
        $error =~ /^(not JSON: )/ or die $error;
        return { status => 400, error => 'not JSON: ' };
    }

    my $odd = 0;

    if (!eval { ($w, $odd) = understood($w); 1 }) {
        my $error = $@;
        ref $error or die $error;
        return { status => 400, error => $$error };
    }

    my $level = $w->get('level');
    my @series = series($w);

    if (($w->get('id') // ' ') eq '' && $level eq 'OK' && !@series
        && !$odd && !$repaired)
    {
        return { status => 202, result => 'test', level => $level };
    }

    my %known = (event_id => $mapping{event_id} // '');
    my %m = (w => $w, facts => facts($w), known => \%known, bad => [],
             mapping => \%mapping);

    my $type = allowed(\%m, 'event_type');
    my %got = (level => $level, bad => $m{bad});

    return { %got, status => 202, result => 'ignored' } if $type eq 'off';

    $type = $level eq 'OK' ? 'RESOLVE' : 'ALERT' if $type eq '';
    $got{type} = $known{event_type} = $type;

    my $key = chars(value(\%m, $mapping{alert_key}));
    $key = key($w, @series) if blank($key);
    return { %got, status => 400, error => '' } if !defined $key;

    $got{key} = cut_key($key, $mapping{max});
    $known{alert_key} = $mapping{sent_key} // bytes($got{key});

    if (exists $mapping{source}) {
        my $source = $got{source} = value(\%m, $mapping{source});

        return { %got, status => 202, result => 'ignored' }
            if $source eq 'off';
        return { %got, status => 422, error => 'ilert_kapacitor: no source' }
            if !grep { $_ eq $source } @{$mapping{sources} // [$source]};

        $known{source} = $source;
    }

    return { %got, status => 202, result => 'accepted',
             event => event(\%m, $type, $key) };
}


sub directives {
    my (%mapping) = @_;

    my @lines;

    for my $name (qw(event_type alert_key), @SCALARS) {
        push @lines, [$name, $mapping{$name}] if defined $mapping{$name};
    }

    for my $name (@LISTS) {
        push @lines, map { [$name, @$_] } @{$mapping{$name} // []};
    }

    return join '', map {
        my ($name, @values) = @$_;
        join(' ', "ilert_$name", map { quoted($_) } @values) . ";\n"
    } @lines;
}


sub quoted { '"' . $_[0] =~ s/(["\\])/\\$1/gr . '"' }


sub event {
    my ($m, $type, $key) = @_;

    my ($w, $facts) = @$m{qw(w facts)};

    my %value = map {
        $_ => chars($ALLOWED{$_} ? allowed($m, $_)
                                 : value($m, $m->{mapping}{$_}))
    } @SCALARS;

    my %list = map { $_ => [items($m, $_)] } @LISTS;
    my $labels = named(@{$list{label}});

    $value{summary} = summary($w, cut_key($key, $m->{mapping}{max}))
        if $value{summary} eq '';

    $value{details} = details_text($w, $facts) if $value{details} eq '';

    $value{severity} = IlertMap::Number->new($value{severity})
        if $value{severity} ne '';

    my @members = (
        eventType => $type,
        summary => $value{summary},
        details => $value{details},
        alertKey => $key,
        priority => $value{priority},
        severity => $value{severity},
        routingKey => $value{routing_key},
        labels => $labels->names ? $labels : '',
        links => [map { link_of(@$_) } @{$list{link}}],
        images => [map { image_of(@$_) } @{$list{image}}],
        services => [map { IlertMap::Object->new(alias => $_->[0]) }
                     @{$list{service}}],
        comments => [map { IlertMap::Object->new(creator => 'Kapacitor',
                                                 content => $_->[0]) }
                     @{$list{comment}}],
        customDetails => custom($w, $facts, named(@{$list{custom_detail}})),
    );

    my $event = IlertMap::Object->new;

    while (my ($name, $value) = splice @members, 0, 2) {
        $event->add($name, $value)
            if is_array($value) ? @$value : is_object($value) || $value ne '';
    }

    return $event;
}


# Returns the items of a list that are not left out, since what they need is
# not empty.

sub items {
    my ($m, $name) = @_;

    my @items = map { [map { chars(value($m, $_)) } @$_] }
                @{$m->{mapping}{$name} // []};

    return grep { $_->[0] ne '' && $_->[1] ne '' } @items
        if $name =~ /^(?:label|custom_detail)\z/;
    return grep { $_->[0] ne '' } @items;
}


sub named {
    my (@items) = @_;

    return IlertMap::Object->new(map { @$_ } @items);
}


sub link_of {
    my ($href, $text) = @_;

    return IlertMap::Object->new(href => $href, text =>
        ($text // '') ne '' ? $text : $href);
}


sub image_of {
    my ($src, $href, $alt) = @_;

    return IlertMap::Object->new(src => $src,
        ($href // '') ne '' ? (href => $href) : (),
        ($alt // '') ne '' ? (alt => $alt) : ());
}


# These decode bytes, with U+FFFD in place of NUL and of what is no character;
# and encode characters.

sub chars { characters($_[0]) =~ tr/\0/\x{fffd}/r }

sub bytes {
    my ($string) = @_;

    utf8::encode($string);
    return $string;
}


# A value as the module sees it: empty if it is not allowed.

sub allowed {
    my ($m, $name) = @_;

    my $value = value($m, $m->{mapping}{$name});

    return $value if $value eq '' || $value =~ $ALLOWED{$name};

    push @{$m->{bad}}, $name;
    return '';
}


sub value {
    my ($m, $text) = @_;

    $text //= '';

    my $get = $m->{mapping}{get} or return $text;
    my $value_of = sub { value($m, $_[0]) };

    $text =~ s{\$(?:\{(\w+)\}|(\w+))}{
        my $name = lc($1 // $2);
        $name =~ /^kapacitor_(.*)/ ? kapacitor($m, $1)
            : $name =~ /^ilert_(.*)/ ? $m->{known}{$1} // ''
            : $get->($name, $value_of) // ''
    }aegx;

    return $text;
}


sub variable {
    my ($body, $name) = @_;

    my ($w) = understood((read_body($body))[0]);

    return kapacitor({ w => $w, facts => facts($w) }, lc $name);
}


sub kapacitor {
    my ($m, $name) = @_;

    my ($w, $facts) = @$m{qw(w facts)};

    return plain(matched($facts->{tags}, $1)) if $name =~ /^tag_(.+)/;
    return plain(matched($facts->{fields}, $1)) if $name =~ /^field_(.+)/;
    return plain($w->get('previousLevel')) if $name eq 'previous_level';
    return plain($facts->{measurement}) if $name eq 'name';
    return plain($facts->{$name}) if $name =~ /^(?:task|group|server)\z/;
    return plain(details_text($w, $facts)) if $name eq 'details_text';

    if ($name eq 'id_md5') {
        my $id = $w->get('id');
        return blank($id) ? '' : Digest::MD5::md5_hex(bytes($id));
    }

    return plain($w->get($name));
}


# A value as a variable has it.

sub plain {
    my ($value) = @_;

    return '' if !defined $value;
    return $value ? 'true' : 'false' if is_bool($value);
    return bytes("$value");
}


# Returns the first member that is meant by the end of a variable's name.

sub matched {
    my ($object, $name) = @_;

    return if !$object;

    for ($object->names) {
        return $object->get($_) if lc($_ =~ s/[^A-Za-z0-9]/_/gr) eq $name;
    }

    return;
}


# An alert key that takes more than half of the size is cut to a sixteenth.

sub cut_key {
    my ($key, $max) = @_;

    return $key if !$max || length(encode_string($key)) - 2 <= $max / 2;

    my $bytes = bytes($key);
    my $part = substr $bytes, 0, $max / 16;
    $part =~ s/(?:[\xc0-\xff][\x80-\xbf]*)\z//
        if !valid($part);

    return characters($part) . '#' . Digest::MD5::md5_hex($bytes);
}


sub valid {
    my ($bytes) = @_;

    return $bytes =~ /^(?:(?:$UTF8){0,30000})*\z/;
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
    my ($w, $key) = @_;

    my ($message, $id, $level) = map { $w->get($_) } qw(message id level);

    return $message if !blank($message);
    return (blank($id) ? $key : $id) . " is $level";
}


# Returns the user's details as Markdown.

sub details_text {
    my ($w, $facts) = @_;

    return $facts->{dump} ? '' : IlertMarkdown::of($w->get('details') // '');
}


# Returns the JSON object in Kapacitor's default details, or undef if the
# details are not the default ones.

sub dumped {
    my ($details) = @_;

    my $json = IlertMarkdown::entities($details // '');
    utf8::encode($json);

    my $dump = eval { decode($json) };
    return if ref $dump ne 'IlertMap::Object';

    for (qw(TaskName Group ID Level)) {
        return if !is_string($dump->get($_));
    }

    return if $dump->has('Name') && !is_string($dump->get('Name'));

    return $dump;
}


# Returns what is known of the triggering row and from the dump.

sub facts {
    my ($w) = @_;

    my @series = series($w);
    my ($rows, $trigger) = rows($w->get('time'), @series);

    my %facts = (rows => $rows, dump => scalar dumped($w->get('details')));

    if ($trigger) {
        $facts{$_} = $trigger->get($_) for qw(measurement tags fields);

    } elsif (@series) {
        $facts{measurement} = $series[0]->get('name');
        $facts{tags} = tags($series[0]);
    }

    if (my $dump = $facts{dump}) {
        my $server = $dump->get('ServerInfo');
        $server = ref $server eq 'IlertMap::Object'
            ? $server->get('Hostname') : undef;

        $facts{task} = $dump->get('TaskName');
        $facts{group} = $dump->get('Group');
        $facts{server} = $server if is_string($server);
    }

    return \%facts;
}


# If the mapping gives a member that we also have, the mapping's is used.

sub custom {
    my ($w, $facts, $mapped) = @_;

    my @received = qw(id level previousLevel time duration message);
    my @found = qw(measurement task group server);
    my %ours = (map({ $_ => $w->get($_) } @received),
                map({ $_ => $facts->{$_} } @found, qw(tags fields)),
                rows => @{$facts->{rows}} ? $facts->{rows} : undef);

    delete @ours{$mapped->names};

    my $custom = IlertMap::Object->new;

    $custom->known($_, $ours{$_}) for @received, @found;
    $custom->add($_, $mapped->get($_)) for $mapped->names;
    $custom->known($_, $ours{$_}) for qw(tags fields rows);

    $custom->{mapped} = $mapped;

    return $custom;
}


sub tags {
    my ($series) = @_;

    my $tags = $series->get('tags');

    return $tags && $tags->names ? $tags : undef;
}


# Returns all rows but the triggering one, and the triggering one.  Each row is
# an object {time, measurement, tags, fields}.

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

    my %last = map { defined $columns[$_] ? ($columns[$_] => $_) : () }
               0 .. $#columns;

    for my $i (0 .. $#columns) {
        last if $i > $#$values;
        next if !defined $columns[$i] || $last{$columns[$i]} != $i;

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


# Returns "seconds.nanoseconds" of a time of RFC 3339, or in Go's default
# format.  Times of the same instant give the same text.

sub instant {
    my ($time) = @_;

    return if !is_string($time);

    my ($y, $mon, $d, $h, $min, $s, $frac, $zone) = $time =~
        /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)
          (?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d|[ ][+-]\d{4}(?:[ ].*)?)\z/xas
        or return;

    # days since 0000-03-01 of the proleptic Gregorian calendar
    my ($yy, $mm) = $mon > 2 ? ($y, $mon - 3) : ($y - 1, $mon + 9);
    my $days = 365 * $yy + floor_div($yy, 4) - floor_div($yy, 100)
               + floor_div($yy, 400) + int((153 * $mm + 2) / 5) + $d - 1;

    my $seconds = (($days * 24 + $h) * 60 + $min) * 60 + $s;

    if ($zone =~ /^ ?([+-])(\d\d):?(\d\d)/) {
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


# Returns the webhook, in which decoration of a wrong type was mended or left
# out, and how much of it was odd.  Dies with a reference to an error if the
# level cannot be read.

sub understood {
    my ($w) = @_;

    die \'' if !is_object($w);

    my $odd = 0;
    my $clean = IlertMap::Object->new;

    for (qw(id message details time previousLevel)) {
        $clean->known($_, as_text(member($w, $_, \$odd), \$odd));
    }

    $clean->known(duration => as_duration(member($w, 'duration', \$odd),
                                          \$odd));
    $clean->known(recoverable => as_bool(member($w, 'recoverable', \$odd),
                                         \$odd));

    my $level = member($w, 'level', \$odd);
    die \'level: missing' if !defined $level;
    $clean->add(level => as_level($level) // die \'level: expected ');
    $odd++ if !is_string($level) || $level ne $clean->get('level');

    my $previous = as_level($clean->get('previousLevel'));
    $clean->add(previousLevel => $previous) if defined $previous;

    my $data = of_kind(member($w, 'data', \$odd), \&is_object, \$odd);
    my $series = $data && of_kind(member($data, 'series', \$odd), \&is_array,
                                  \$odd);

    if ($series) {
        my @series = grep { of_kind($_, \&is_object, \$odd) } @$series;
        $odd += @$series - @series;

        $clean->add(data => IlertMap::Object->new(
            series => [map { series_of($_, \$odd) } @series]));
    }

    return $clean, $odd;
}


# Returns the member of that name, or else the last one whose name differs only
# in case.

sub member {
    my ($object, $name, $odd) = @_;

    return $object->get($name) if $object->has($name);

    my ($other) = grep { lc eq lc $name && /^[\x00-\x7f]*\z/ }
                  reverse $object->names;

    $$odd++ if defined $other;

    return defined $other ? $object->get($other) : undef;
}


sub of_kind {
    my ($value, $kind, $odd) = @_;

    return $value if $kind->($value);

    $$odd++ if defined $value;
    return undef;
}


sub as_text {
    my ($value, $odd) = @_;

    return $value if !defined $value || is_string($value);

    $$odd++;

    return undef if is_array($value) || is_object($value);
    return is_bool($value) ? ($value ? 'true' : 'false') : "$value";
}


sub as_bool {
    my ($value, $odd) = @_;

    return $value if !defined $value || is_bool($value);

    $$odd++;

    return is_string($value)
        && $value =~ /^[ \t\r\n]*(true|false)[ \t\r\n]*\z/i
        ? (lc $1 eq 'true' ? JSON::PP::true : JSON::PP::false) : undef;
}


sub as_level {
    my ($value) = @_;

    return if !defined $value || ref $value && !is_number($value);

    return $LEVEL{uc("$value" =~ s/^[ \t\r\n]+|[ \t\r\n]+\z//gr)};
}


sub as_duration {
    my ($value, $odd) = @_;

    return $value if !defined $value || is_number($value);

    $$odd++;

    return undef if !is_string($value);

    my ($minus, $text) = $value =~ /^[ \t\r\n]*(-?)(.+?)[ \t\r\n]*\z/s
        or return undef;

    return IlertMap::Number->new($minus . (0 + $text))
        if $text =~ /^[0-9]{1,18}\z/;

    my $ns = 0;

    while ($text =~ s/^([0-9]+\.?[0-9]*|\.[0-9]+)
                       (ns|us|\x{b5}s|\x{3bc}s|ms|s|m|h)//x)
    {
        $ns += $1 * $UNIT{$2};
    }

    return undef if $text ne '' || $ns >= 2 ** 63;

    return IlertMap::Number->new(($ns ? $minus : '') . sprintf '%d', $ns);
}


sub series_of {
    my ($series, $odd) = @_;

    my $clean = IlertMap::Object->new;

    $clean->known(name => as_text(member($series, 'name', $odd), $odd));

    if (my $tags = of_kind(member($series, 'tags', $odd), \&is_object, $odd)) {
        my $texts = IlertMap::Object->new;

        for ($tags->names) {
            $$odd++ if !defined $tags->get($_);
            $texts->known($_, as_text($tags->get($_), $odd));
        }

        $clean->add(tags => $texts);
    }

    my $columns = of_kind(member($series, 'columns', $odd), \&is_array, $odd)
                  // [];
    $clean->add(columns => [map { as_text($_, $odd) } @$columns]);

    my $values = of_kind(member($series, 'values', $odd), \&is_array, $odd);

    $clean->add(values => [map { row_of($_, scalar @$columns, $odd) }
                           grep { is_array($_) } @$values]) if $values;
    $$odd += grep { !is_array($_) } @{$values // []};

    return $clean;
}


sub row_of {
    my ($row, $n, $odd) = @_;

    $$odd++ if @$row != $n;

    return [map {
        is_array($_) ? characters($RAW{0 + \@$_})
            : is_object($_) ? characters($RAW{$_->address}) : $_
    } @$row];
}


# Returns what is in the body, and whether the body had to be repaired.

sub read_body {
    my ($body) = @_;

    my $w = eval { decode($body) };
    my $error = $@;
    return $w, 0 if $error eq '';

    my $repaired = repair($body);
    die $error if $repaired eq $body;

    return decode($repaired), 1;
}


sub repair {
    my ($body) = @_;

    my %short = map { $ESCAPE{$_} => "\\$_" } qw(b f n r t);

    $body = substr $body, 3 if substr($body, 0, 3) eq "\xef\xbb\xbf";

    # a backslash before a control character is an error, and is not repaired

    my ($string, $escape) = (0, 0);

    my @pieces = grep { $_ ne '' } split /([\x00-\x1f"\\])/, $body, -1;

    for (@pieces) {
        if ($escape) {
            $escape = 0;

        } elsif ($_ eq '"') {
            $string = !$string;

        } elsif ($_ eq '\\') {
            $escape = $string;

        } elsif ($string && /^[\x00-\x1f]/) {
            $_ = $short{$_} // sprintf '\\u%04X', ord;
        }
    }

    return join '', @pieces;
}


# Returns the most bytes that the JSON of this value may have: strings may be
# sent with the escapes with which they came.

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
        return map { diff($got->get($_), $expected->get($_), "$path.$_") }
            $got->names if same_names($got, $expected);

        return ((map { "$path.$_: missing" }
                 grep { !$got->has($_) } $expected->names),
                (map { "$path.$_: not expected" }
                 grep { !$expected->has($_) } $got->names),
                (map { diff($got->get($_), $expected->get($_), "$path.$_") }
                 grep { $expected->has($_) } $got->names),
                order($got, $expected, $path));
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


sub same_names {
    my ($got, $expected) = @_;

    return join("\0", $got->names) eq join("\0", $expected->names);
}


sub order {
    my ($got, $expected, $path) = @_;

    my @got = grep { $expected->has($_) } $got->names;
    my @expected = grep { $got->has($_) } $expected->names;

    for (0 .. $#got) {
        return "$path: $got[$_] stands where $expected[$_] is expected"
            if $got[$_] ne $expected[$_];
    }

    return;
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


# To make an event fit, rows are dropped from the end, then fields; then texts
# are cut at UTF-8 boundaries, or left out if they may not be cut.  The last
# member, customDetails.truncated, is true then.  A cut alertKey ends in
# a digest, so that different keys stay different.

sub capped {
    my ($json, $event, $max) = @_;

    my $got = eval { decode($json) } or return $@ || 'not an object';
    my $size = length $json;

    my @wrong;
    push @wrong, "$size bytes, more than $max" if $size > $max;

    my $custom = $got->get('customDetails');
    return @wrong, 'no customDetails' if !is_object($custom);

    my @diff = diff($got, $event);
    return @wrong if !@diff;

    my $full = $event->get('customDetails');
    my $mapped = $full->{mapped};
    my $marked = $custom->has('truncated');

    return @wrong, @diff if !$marked && !$mapped->has('truncated');

    if ($marked && !$mapped->has('truncated')) {
        push @wrong, 'truncated is not true'
            if encode($custom->get('truncated')) ne 'true';
        push @wrong, 'truncated is not the last member'
            if ($custom->names)[-1] ne 'truncated';
    }

    push @wrong, 'something is cut, but all would fit'
        if room($event, $max) >= 0 && longest($event) <= $max;

    my ($rows, $of_rows) = map { ours($_, $mapped, 'rows') // [] }
                           $custom, $full;
    my ($fields, $of_fields) = map { ours($_, $mapped, 'fields')
                                     // IlertMap::Object->new }
                               $custom, $full;

    push @wrong, part_of($rows, $of_rows, 'rows');
    push @wrong, fields_of($fields, $of_fields);

    my $cut_rows = @$rows < @$of_rows;
    my $cut_fields = $fields->names < $of_fields->names;

    push @wrong, 'fields are cut, but there are rows' if $cut_fields && @$rows;

    my ($g, $e) = map { without($_, $mapped) } $got, $event;
    my %c = (mapped => $mapped, max => $max, wrong => \@wrong, cut => [],
             out => []);

    texts(\%c, $g, $e, '');

    # an alertKey that is too long is cut whatever else is there
    my @cut = grep { $_ ne '.alertKey' } @{$c{cut}};
    my $cut_key = @cut < @{$c{cut}};

    push @wrong, 'alertKey is cut, but is not long'
        if $cut_key && longest($e->get('alertKey')) <= $max / 2;
    push @wrong, "cut, but there are fields: @cut" if @cut && $fields->names;
    push @wrong, "cut, but there are rows: @cut" if @cut && @$rows;

    my $texts = @cut + $cut_key + @{$c{out}};

    push @wrong, 'truncated, but nothing is'
        if !$texts && !$cut_rows && !$cut_fields;
    push @wrong, order($g, $e, 'event');

    # the row or field that was dropped last must not have fitted
    if ($cut_rows && !$cut_fields && !$texts) {
        my $next = longest($of_rows->[@$rows]);
        my $mark = $marked && !$mapped->has('truncated') ? 0
                   : length ',"truncated":true';
        push @wrong, "room for another row of $next bytes in $size"
            if $size + $next + 1 + (@$rows ? 0 : 10) + $mark <= $max;
    }

    return @wrong;
}


# Returns how many of $max bytes are left at most beside this value.  It stops
# as soon as that is negative.

sub room {
    my ($value, $max) = @_;

    return $max - length($value) - 2 if is_string($value);

    for (is_array($value) ? @$value
         : is_object($value) ? map({ $value->get($_) } $value->names) : ())
    {
        last if ($max = room($_, $max)) < 0;
    }

    return $max;
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


# Returns a member of customDetails, or undef if the mapping has given it.

sub ours {
    my ($custom, $mapped, $name) = @_;

    return $mapped->has($name) ? undef : $custom->get($name);
}


# Returns the event without our members rows, fields, and truncated.

sub without {
    my ($event, $mapped) = @_;

    my $rest = IlertMap::Object->new(map { $_ => $event->get($_) }
                                     grep { $_ ne 'customDetails' }
                                     $event->names);
    my $custom = $event->get('customDetails');

    $rest->add(customDetails => IlertMap::Object->new(
        map { $_ => $custom->get($_) }
        grep { !/^(?:rows|fields|truncated)\z/ || $mapped->has($_) }
        $custom->names));

    return $rest;
}


# Compares texts.  Paths of texts that were cut or left out are put into
# $c->{cut}, and those of texts that are larger than the limit by themselves
# into $c->{out}.  A cut string must be a beginning of the whole one.

sub texts {
    my ($c, $got, $expected, $path) = @_;

    my ($mapped, $wrong) = @$c{qw(mapped wrong)};

    for my $name ($expected->names) {
        my $e = $expected->get($name);
        my $g = $got->get($name);
        my $at = "$path.$name";

        if (!$got->has($name)) {
            push @$wrong, "$at: missing" if must_be($at, $mapped);

            if (is_array($e)) {
                left_out($c, "$at\[$_]", $e->[$_]) for 0 .. $#$e;
            } else {
                left_out($c, $at, $e);
            }

        } elsif (is_object($e) && is_object($g)) {
            texts($c, $g, $e, $at);

        } elsif (is_array($e) && is_array($g)) {
            push @$wrong, "$at: empty" if !@$g;
            $at eq '.comments' ? comments($c, $g, $e, $at)
                               : whole($c, $g, $e, $at);

        } elsif (is_string($e) && is_string($g) && $e ne $g) {
            push @{$c->{cut}}, $at;
            push @$wrong, "$at: cut" if whole_text($at, $mapped);
            push @$wrong, "$at: not a beginning of what was received"
                if !beginning($g, $e, $at);

        } else {
            push @$wrong, diff($g, $e, $at);
        }
    }

    push @$wrong, "$path.$_: not expected"
        for grep { !$expected->has($_) } $got->names;
}


sub left_out {
    my ($c, $at, $value) = @_;

    my $item = $at =~ /^\.(?:links|images|services|routingKey)\b/;

    push @{$c->{$item && length(encode($value)) > $c->{max} ? 'out' : 'cut'}},
        $at;
}


sub must_be {
    my ($at, $mapped) = @_;

    return 1 if $at =~ /^\.(?:eventType|summary|alertKey|priority|severity
                           |customDetails)\z/x;
    return $at eq '.customDetails.level' && !$mapped->has('level');
}


sub whole_text {
    my ($at, $mapped) = @_;

    return 1 if $at =~ /^\.(?:eventType|priority|routingKey)\z/;
    return $at eq '.customDetails.level' && !$mapped->has('level');
}


sub beginning {
    my ($part, $all, $at) = @_;

    if ($at eq '.alertKey') {
        my $digest = Digest::MD5::md5_hex(bytes($all));
        $part =~ s/#\Q$digest\E\z// or return 0;
    }

    return substr($all, 0, length $part) eq $part;
}


# Compares items of a list, which may be left out.  URLs and services must be
# whole; a link's text and an image's alt may be cut.

sub whole {
    my ($c, $got, $expected, $at) = @_;

    my $i = 0;

    for my $item (@$got) {
        for (; $i < @$expected; $i++) {
            last if part_of_item($item, $expected->[$i]);
            left_out($c, "$at\[$i]", $expected->[$i]);
        }

        if ($i == @$expected) {
            push @{$c->{wrong}}, "$at: not an item as given: " . shown($item);
            return;
        }

        push @{$c->{cut}}, "$at\[$i]"
            if encode($item) ne encode($expected->[$i]);
        $i++;
    }

    left_out($c, "$at\[$_]", $expected->[$_]) for $i .. $#$expected;
}


sub part_of_item {
    my ($got, $expected) = @_;

    return 0 if !same_names($got, $expected);

    for my $name ($got->names) {
        my ($g, $e) = map { $_->get($name) } $got, $expected;

        return 0 if $g ne $e
                    && ($name !~ /^(?:text|alt)\z/ || !beginning($g, $e, ''));
    }

    return 1;
}


# Compares comments, the last of which may be missing.

sub comments {
    my ($c, $got, $expected, $at) = @_;

    my $wrong = $c->{wrong};

    push @$wrong, "$at: more than expected" if @$got > @$expected;
    left_out($c, "$at\[$_]", $expected->[$_]) for @$got .. $#$expected;

    for (0 .. $#$got) {
        my ($g, $e) = map { $_->get('content') } $got->[$_], $expected->[$_];

        push @{$c->{cut}}, "$at\[$_]" if $g ne $e;
        push @$wrong, diff($got->[$_]->get('creator'), 'Kapacitor',
                           "$at\[$_].creator");
        push @$wrong, "$at\[$_].content: not a beginning of what was given"
            if !beginning($g, $e, "$at\[$_]");
    }
}


package IlertMap::Number;

use overload '""' => sub { ${$_[0]} }, fallback => 1;

sub new {
    my ($class, $digits) = @_;

    return bless \$digits, $class;
}


package IlertMap::Object;

# {mapped} of an event's customDetails has the members that the mapping gives.

sub new {
    my ($class, @members) = @_;

    my $self = bless { order => [], value => {} }, $class;

    while (@members) {
        $self->add(splice @members, 0, 2);
    }

    return $self;
}


# Adds a member.  Of equal names the last one counts, in its own place; then
# the result is false.

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


sub address { 0 + $_[0]{order} }
sub get { $_[0]{value}{$_[1]} }
sub has { exists $_[0]{value}{$_[1]} }
sub names { @{$_[0]{order}} }


1;
