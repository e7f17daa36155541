package IlertSchema;

# JSON schema check (the part of draft-07 that ilert's Event uses) and a strict
# JSON reader.
#
#     my $schema = IlertSchema->load('t/data/ilert-event.schema.json');
#     my @errors = $schema->errors($value);     # "links[0].href: expected ..."
#         type, required, properties, additionalProperties, enum, items,
#         minimum, maximum, $ref into #/definitions.  $value is of decode with
#         numbers => 'object'.  Stricter than draft-07: where properties are
#         listed and additionalProperties is not, others are errors.
#     my @errors = $schema->event_errors($bytes);
#         what the fake checks of an event's body: decode, errors, the summary
#         is not empty, the alertKey is not empty after trimming, and only an
#         ALERT may have none.  ->check_event($bytes) also returns the value:
#         ($value, @errors).
#
#     my ($value, $error) = IlertSchema::decode($bytes, %opt);
#         RFC 8259 without extensions: valid UTF-8, no duplicate names, no
#         U+0000, no lone surrogates.  $error names the byte.  Strings are
#         characters, true and false JSON::PP's, null is undef.
#         numbers => 'plain' (default: perl numbers, or the text of integers
#                    that do not fit), 'object' (IlertSchema::Number: ->text;
#                    "" and 0+ overloaded), 'text' (strings as written)
#         lenient => 1  takes duplicates, U+0000, lone surrogates and bad
#                    UTF-8 (the latter two read as U+FFFD)
#         max_depth => 512

use warnings;
use strict;
no warnings 'recursion';

use JSON::PP ();
use Scalar::Util qw(blessed);

my %ESCAPE = (
    '"' => '"', '\\' => '\\', '/' => '/', 'b' => "\b", 'f' => "\f",
    'n' => "\n", 'r' => "\r", 't' => "\t",
);

# One or some characters of UTF-8: RFC 3629, section 4.
our $UTF8 = qr/(?: [\x00-\x7f]++
              | [\xc2-\xdf] [\x80-\xbf]
              | \xe0 [\xa0-\xbf] [\x80-\xbf]
              | [\xe1-\xec\xee\xef] [\x80-\xbf]{2}
              | \xed [\x80-\x9f] [\x80-\xbf]
              | \xf0 [\x90-\xbf] [\x80-\xbf]{2}
              | [\xf1-\xf3] [\x80-\xbf]{3}
              | \xf4 [\x80-\x8f] [\x80-\xbf]{2} )/x;

# The reader's state, of one decode at a time.
my ($text, $numbers, $lenient, $max_depth);

sub decode {
    my ($bytes, %opt) = @_;

    ($text, $numbers) = ($bytes, $opt{numbers} || 'plain');
    ($lenient, $max_depth) = ($opt{lenient}, $opt{max_depth} || 512);

    my $value = eval {
        _check_utf8();
        pos($text) = 0;
        my $top = _value(0);
        $text =~ /\G[ \t\r\n]+/gc;
        _fail('trailing characters') if pos($text) < length $text;
        $top;
    };

    my $error = $@;
    return ($value, undef) if $error eq '';
    die $error unless ref $error;
    return (undef, $$error);
}

sub _fail {
    my ($what, $at) = @_;
    $at = pos($text) unless defined $at;
    die \ sprintf('not JSON: %s at byte %d', $what, $at || 0);
}

sub _check_utf8 {
    return unless $text =~ /[\x80-\xff]/;

    if ($lenient) {
        $text =~ s/\G($UTF8)|(.)/defined $1 ? $1 : "\xef\xbf\xbd"/ges;
        return;
    }

    pos($text) = 0;
    1 while $text =~ /\G$UTF8/gc;
    _fail('invalid UTF-8') if pos($text) < length $text;
}

sub _value {
    my ($depth) = @_;

    $text =~ /\G[ \t\r\n]+/gc;

    if ($text =~ /\G"/gc) {
        return _string();
    }

    if ($text =~ /\G(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/gc)
    {
        return _number($1);
    }

    if ($text =~ /\G\{/gc) {
        _fail('too deep') if $depth >= $max_depth;
        return _object($depth + 1);
    }

    if ($text =~ /\G\[/gc) {
        _fail('too deep') if $depth >= $max_depth;
        return _array($depth + 1);
    }

    return $JSON::PP::true if $text =~ /\Gtrue/gc;
    return $JSON::PP::false if $text =~ /\Gfalse/gc;
    return undef if $text =~ /\Gnull/gc;

    _fail('expected a value');
}

sub _number {
    my ($n) = @_;

    return $n if $numbers eq 'text';
    return bless \$n, 'IlertSchema::Number' if $numbers eq 'object';

    return $n if $n =~ /^-?[0-9]{16,}$/ && sprintf('%s', 0 + $n) ne $n;
    return 0 + $n;
}

sub _string {
    my $start = pos($text) - 1;
    my $s = '';

    while (1) {
        if ($text =~ /\G([^"\\\x00-\x1f]+)/gc) {
            $s .= $1;
        }

        last if $text =~ /\G"/gc;

        if ($text =~ /\G\\(["\\\/bfnrt])/gc) {
            $s .= $ESCAPE{$1};

        } elsif ($text =~ /\G\\u([0-9a-fA-F]{4})/gc) {
            my $char = chr _code_point(hex $1);
            utf8::encode($char);
            $s .= $char;

        } elsif ($text =~ /\G\\/gc) {
            _fail('bad escape', pos($text) - 1);

        } elsif ($text =~ /\G[\x00-\x1f]/gc) {
            _fail('control character in a string', pos($text) - 1);

        } else {
            _fail('string without end', $start);
        }
    }

    utf8::decode($s);
    _fail('U+0000 in a string', $start) if !$lenient && index($s, "\0") >= 0;
    return $s;
}

sub _code_point {
    my ($code) = @_;

    return $code if $code < 0xd800 || $code > 0xdfff;

    if ($code < 0xdc00 && $text =~ /\G\\u([dD][c-fC-F][0-9a-fA-F]{2})/gc) {
        return 0x10000 + (($code - 0xd800) << 10) + (hex($1) - 0xdc00);
    }

    _fail('lone surrogate', pos($text) - 6) unless $lenient;
    return 0xfffd;
}

sub _object {
    my ($depth) = @_;
    my %object;

    $text =~ /\G[ \t\r\n]+/gc;
    return \%object if $text =~ /\G\}/gc;

    while (1) {
        $text =~ /\G[ \t\r\n]*"/gc or _fail('expected a name');
        my $at = pos($text) - 1;
        my $name = _string();
        _fail("duplicate name \"$name\"", $at)
            if !$lenient && exists $object{$name};

        $text =~ /\G[ \t\r\n]*:/gc or _fail('expected ":"');
        $object{$name} = _value($depth);

        next if $text =~ /\G[ \t\r\n]*,/gc;
        return \%object if $text =~ /\G[ \t\r\n]*\}/gc;
        _fail('expected "," or "}"');
    }
}

sub _array {
    my ($depth) = @_;
    my @array;

    $text =~ /\G[ \t\r\n]+/gc;
    return \@array if $text =~ /\G\]/gc;

    while (1) {
        push @array, _value($depth);

        next if $text =~ /\G[ \t\r\n]*,/gc;
        return \@array if $text =~ /\G[ \t\r\n]*\]/gc;
        _fail('expected "," or "]"');
    }
}


sub load {
    my ($class, $path) = @_;

    open my $file, '<:raw', $path or die "cannot open $path: $!\n";
    local $/;
    my ($root, $error) = decode(scalar <$file>);
    die "$path: $error\n" if defined $error;
    return $class->new($root);
}

sub new {
    my ($class, $root) = @_;
    return bless { root => $root }, $class;
}

sub errors {
    my ($self, $value) = @_;
    my @errors;
    $self->_check($self->{root}, $value, '', \@errors);
    return @errors;
}

sub _check {
    my ($self, $schema, $value, $path, $errors) = @_;

    $schema = $self->_resolve($schema);
    my $where = $path eq '' ? 'event' : $path;

    if (defined $schema->{type} && !_is($schema->{type}, $value)) {
        my $article = $schema->{type} =~ /^[aio]/ ? 'an' : 'a';
        push @$errors, "$where: expected $article $schema->{type}";
        return;
    }

    if ($schema->{enum} && !grep { $_ eq $value } @{$schema->{enum}}) {
        push @$errors, "$where: expected one of @{$schema->{enum}}";
    }

    if (defined $schema->{minimum} && 0 + $value < $schema->{minimum}) {
        push @$errors, "$where: less than $schema->{minimum}";
    }

    if (defined $schema->{maximum} && 0 + $value > $schema->{maximum}) {
        push @$errors, "$where: more than $schema->{maximum}";
    }

    $self->_check_object($schema, $value, $path, $errors)
        if ref $value eq 'HASH';

    if (ref $value eq 'ARRAY' && $schema->{items}) {
        $self->_check($schema->{items}, $value->[$_], "$path\[$_]", $errors)
            for 0 .. $#$value;
    }
}

sub _check_object {
    my ($self, $schema, $value, $path, $errors) = @_;

    my $properties = $schema->{properties};
    my $prefix = $path eq '' ? '' : "$path.";

    for my $name (@{$schema->{required} || []}) {
        push @$errors, "$prefix$name: missing" unless exists $value->{$name};
    }

    my $others = exists $schema->{additionalProperties}
                 ? $schema->{additionalProperties}
                 : $properties ? $JSON::PP::false : $JSON::PP::true;

    for my $name (sort keys %$value) {
        if ($properties && $properties->{$name}) {
            $self->_check($properties->{$name}, $value->{$name},
                          $prefix . $name, $errors);

        } elsif (ref $others eq 'HASH') {
            $self->_check($others, $value->{$name}, $prefix . $name, $errors);

        } elsif (!$others) {
            push @$errors, "$prefix$name: unknown member";
        }
    }
}

sub _resolve {
    my ($self, $schema) = @_;

    while (defined(my $ref = $schema->{'$ref'})) {
        my ($name) = $ref =~ m{^#/definitions/(.+)$};
        die "schema: cannot resolve $ref\n"
            unless defined $name && $self->{root}{definitions}{$name};
        $schema = $self->{root}{definitions}{$name};
    }

    return $schema;
}

sub _is {
    my ($type, $value) = @_;

    my $is = !defined $value ? 'null'
           : ref $value eq 'HASH' ? 'object'
           : ref $value eq 'ARRAY' ? 'array'
           : !ref $value ? 'string'
           : blessed $value && $value->isa('IlertSchema::Number')
             ? ($$value =~ /[.eE]/ ? 'number' : 'integer')
           : 'boolean';

    return $is eq $type || $type eq 'number' && $is eq 'integer';
}

sub check_event {
    my ($self, $bytes) = @_;

    my ($event, $error) = decode($bytes, numbers => 'object');
    return (undef, $error) if defined $error;

    my @errors = $self->errors($event);
    return ($event, @errors) if @errors;

    push @errors, 'summary: empty' if $event->{summary} eq '';

    if (exists $event->{alertKey}) {
        push @errors, 'alertKey: empty' unless $event->{alertKey} =~ /\S/;

    } elsif ($event->{eventType} ne 'ALERT') {
        push @errors, "alertKey: missing, eventType is $event->{eventType}";
    }

    return ($event, @errors);
}

sub event_errors {
    my ($self, $bytes) = @_;
    my (undef, @errors) = $self->check_event($bytes);
    return @errors;
}


package IlertSchema::Number;

# A number as it was written.

use overload
    '""' => sub { ${$_[0]} },
    '0+' => sub { 0 + ${$_[0]} },
    fallback => 1;

sub text {
    my ($self) = @_;
    return $$self;
}

1;
