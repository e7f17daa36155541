package IlertRandom;

# Webhooks made by chance, with all that Kapacitor and bad senders can write.
#
#   IlertRandom::seed()    begins, by TEST_SEED if that is set; returns the
#                          seed, which is noted
#   webhook(%opt)          a body that is accepted, or is a test, or has
#                          nothing to make an alert key of
#       short => 1         most of them, and their strings, are short
#   spoilt($body)          the same with one fault
#   odd()                  a body whose id and level can be read, and whose
#                          other members are anything
#   chance($p), pick(@list), text($n)   true or false; one of it; $n characters

use warnings;
use strict;

use utf8;

use Exporter qw(import);
use JSON::PP ();
use Test::More ();

our @EXPORT_OK = qw(chance pick text);

my $json = JSON::PP->new->utf8->allow_nonref;
my $short;


sub seed {
    my $seed = $ENV{TEST_SEED} // 20260301;

    Test::More::note("TEST_SEED=$seed");
    srand($seed);

    return $seed;
}


sub chance { rand() < $_[0] }
sub pick { $_[rand @_] }
sub quote { $json->encode($_[0]) }
sub space { chance(0.9) ? '' : pick(' ', "\n", "\t", "\r\n", '  ') }


sub shuffled {
    my @list = @_;

    for my $i (reverse 1 .. $#list) {
        my $j = int rand $i + 1;
        @list[$i, $j] = @list[$j, $i];
    }

    return @list;
}


sub webhook {
    my (%opt) = @_;

    $short = $opt{short};

    my @times = map { time_of_row() } 1 .. 3;
    my %member = (
        id => chance(0.8) ? string() =~ s{^"}{"i}r
            : pick('""', '"  "', 'null'),
        message => chance(0.8) ? string() : pick('""', 'null'),
        details => pick(\&html, \&dumped, sub { '""' })->(),
        time => chance(0.9) ? quote($times[0]) : 'null',
        duration => chance(0.9) ? number() : 'null',
        level => quote(pick(qw(OK INFO WARNING CRITICAL))),
        previousLevel => quote(pick(qw(OK INFO WARNING CRITICAL))),
        recoverable => pick(qw(true false null)),
        data => data(@times),
    );

    for (sort keys %member) {
        delete $member{$_} if $_ ne 'level' && chance(0.1);
    }

    $member{'x' . int rand 1000} = value(3) if chance(0.3);

    return space() . '{' . join(',', map { space() . qq("$_") . space() . ':'
        . space() . $member{$_} . space() } shuffled(sort keys %member))
        . '}' . space();
}


sub data {
    my @times = @_;

    return pick('null', '{}', '{"series":null}', '{"series":[]}')
        if chance(0.1);

    my $series = chance(0.7) ? 1 : int rand 5;

    return '{"series":[' . join(',', map { series(@times) }
                                1 .. $series) . ']}';
}


sub series {
    my @times = @_;

    my %seen = (time => 1);
    my @columns = grep { !$seen{$_}++ } map { name() } 1 .. rand 6;
    my $rows = chance(0.6) ? 1
             : chance($short ? 0.99 : 0.9) ? int rand 8 : int rand 400;
    my $timed = chance(0.9);

    my @members = (
        chance(0.9) ? '"name":' . quote(name()) : (),
        chance(0.8) ? '"tags":' . tags() : (),
        '"columns":[' . join(',', $timed ? '"time"' : (),
                             map { quote($_) } @columns) . ']',
        '"values":[' . join(',', map { '[' . join(',', $timed
            ? quote(pick(@times, time_of_row())) : (),
            map { plain() } @columns) . ']' } 1 .. $rows) . ']');

    return '{' . join(',', shuffled(@members)) . '}';
}


sub tags {
    my %tags = map { name() => string() } 1 .. rand 5;

    return '{' . join(',', map { quote($_) . space() . ":$tags{$_}" }
                           shuffled(sort keys %tags)) . '}';
}


sub time_of_row {
    my $time = sprintf '2026-03-01T08:%02d:%02d', rand 3, rand 3;
    my $fraction = chance(0.5) ? '' : '.' . substr(pick('5000', '123456789',
        '120'), 0, 1 + rand 9);

    return $time . $fraction . pick('Z', 'Z', '+00:00', '-00:01');
}


sub name {
    return pick(qw(host cpu v w value), 'usage_idle', 'a b', 'ü', '😀', "\n",
                '"', '', 'Time', 'current.value', 'x' x rand 30);
}


my @units = ('a' .. 'e', ' ', '"', '\\', '/', "\n", "\t", "\x01", "\x1f",
    "\x7f", '<', '>', '&', ';', '{', '}', '1', 'é', "\x{80}", '☃',
    "\x{2028}", "\x{fffd}", "\x{ffff}", '😀', "\x{10ffff}");

sub text { join '', map { pick(@units) } 1 .. $_[0] }


# Returns the JSON of a string with anything that JSON allows, and that bad
# senders may write.

sub string {
    my $n = chance($short ? 0.99 : 0.9) ? rand 20
          : chance(0.8) ? rand 500 : rand 20000;

    return quote(text($n)) if chance(0.5);

    my $text = '';

    for (1 .. $n) {
        $text .= pick(sub { quote(pick(@units)) =~ s/^"|"$//gr },
            sub { sprintf pick('\\u%04x', '\\u%04X'), rand 0x10000 },
            sub { sprintf '\\ud83d\\ude%02x', rand 256 },
            sub { pick('\\u0000', '\\ud800', '\\udfff', '\\/', '\\b') },
            sub { chance(0.3) ? chr 0x80 + rand 128 : 'x' })->();
    }

    return qq("$text");
}


sub number {
    return pick(sub { int rand 1e9 }, sub { -int rand 1e9 }, sub { rand() },
        sub { pick(qw(0 -0 1e+21 1.50 9223372036854775807 1E-7)) },
        sub { '9' x (1 + rand 28) },
        sub { int(rand 100) . '.' . '0' x rand(9) . int rand 1000 })->();
}


sub plain {
    return pick(\&number, \&number, \&string,
                sub { pick(qw(true false null)) })->();
}


sub value {
    my ($depth) = @_;

    return plain() if $depth == 0 || chance(0.3);

    return '[' . join(',', map { value($depth - 1) } 1 .. rand 4) . ']'
        if chance(0.5);

    return '{' . join(',', map { quote("m$_") . ':'
                                 . value($depth - 1) } 1 .. rand 4)
           . '}';
}


my @html = (qw(<p> </p> <br> <br/> </td> </div> <b> </b> < </ <! <!-->
    &amp; &lt; &nbsp; & &x;), '&#34;', '&#x1F600;', '&#0;', '&#;',
    '<a href="x">', ' ', "\n", '<a href="http://a/b_c?d=(1)&amp;e">', '</a>',
    '<img src=http://i/ alt="[a] b">', '<ul>', '</ul>', '<ol>', '</ol>',
    '<li>', '</li>', '<pre>', '</pre>', '<td>', '<style>', '</style>', '-->',
    '<!--', '<b and c>', '<x>', '[', '](', ')', '[t](http://u/)', '!', '*',
    '_', '`', '\\', '# ', '- ', '1. ', '> ', 'http://h/_x_', '&deg;',
    '&#150;');

sub html {
    my @parts = map { pick(sub { text(rand 5) },
        sub { pick(@html) })->() } 1 .. rand 30;

    return quote(join '', @parts);
}


sub dumped {
    my $dump = JSON::PP->new->canonical->encode({
        Name => 'n', TaskName => text(5),
        Group => text(8), ID => 'x', Level => 'OK',
        chance(0.7) ? (ServerInfo => { Hostname => text(4) }) : () });

    $dump =~ s/&/&amp;/g;
    $dump =~ s/"/&#34;/g;

    return quote("$dump\n");
}


# Returns a body with an id and a level, and with members of all types and of
# names in another case, control characters, and a byte order mark around them.

sub odd {
    $short = 1;

    my @level = (qw(OK INFO WARNING CRITICAL ok Info WARN warn crit Critical),
                 ' OK', "critical\\n");
    my %member = (id => pick('"i"', '42', 'true', '"\\u0069"', "\"i\tj\""),
                  level => '"' . pick(@level) . '"');

    for (qw(message details time duration previousLevel recoverable)) {
        $member{$_} = pick(\&any, \&any, sub { '"1m0s"' }, sub { '"true"' },
                           \&time_of)->() if chance(0.7);
    }

    $member{data} = pick(\&any, \&odd_data, \&odd_data)->() if chance(0.8);
    $member{'x' . int rand 1000} = any() if chance(0.3);

    return (chance(0.1) ? "\xef\xbb\xbf" : '') . space() . odd_object(%member)
        . space();
}


sub any { chance(0.1) ? "\"a\nb\x01\"" : chance(0.1) ? "\"\xfc\"" : value(3) }
sub time_of { quote(pick(time_of_row(), '2026-03-01 08:15:30 +0000 UTC')) }


sub odd_object {
    my (%member) = @_;

    return '{' . join(',', map {
        my $name = chance(0.9) ? $_ : pick(uc, ucfirst);
        space() . quote($name) . space() . ':' . space() . $member{$_}
    } shuffled(sort keys %member)) . space() . '}';
}


sub odd_list { '[' . join(',', @_) . ']' }


sub odd_data {
    my @series = map { chance(0.8) ? odd_series() : any() } 1 .. rand 4;

    return odd_object(series => chance(0.9) ? odd_list(@series) : any());
}


sub odd_series {
    my $n = int rand 4;

    my %member = (
        name => chance(0.7) ? quote(name()) : any(),
        tags => chance(0.7) ? odd_object(map { $_ => any() } 'host', 'cpu')
                            : any(),
        columns => chance(0.9) ? odd_list(map { chance(0.9)
            ? quote(pick('time', 'v', 'w', name())) : any() } 1 .. $n)
            : any(),
        values => chance(0.9) ? odd_list(map { chance(0.9)
            ? odd_list(map { pick(\&any, \&time_of)->() }
                       1 .. (chance(0.7) ? $n : rand 5)) : any() } 1 .. rand 5)
            : any(),
    );

    delete $member{$_} for grep { chance(0.1) } sort keys %member;

    return odd_object(%member);
}


# Returns the body with one fault: it is cut, or has a wrong byte or type.

sub spoilt {
    my ($body) = @_;

    return substr $body, 0, rand length $body if chance(0.3);

    if (chance(0.3)) {
        substr $body, rand length $body, 1, pick("\0", "\x01", '"', '\\', '{',
                                                '}', '[', ']', ',', ':', 'x');
        return $body;
    }

    my $wrong = pick('7', '{}', '[]', '"wrong"');
    my $name = pick(qw(level data series name tags columns values time id));

    $body =~ s/"$name"\s*:\s*(?:"[^"\\]*"|null|\[\]|\{\}|true|false)
              /"$name":$wrong/x;

    return $body;
}


1;
