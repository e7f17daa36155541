#!/usr/bin/perl

# Kapacitor's webhooks, read by the module: the shapes of every release, what
# JSON can do to strings, numbers and nesting, and every error with its text.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertCheck;
use IlertRandom;
use IlertTest;

*json = \&IlertCheck::json;
*series = \&IlertCheck::series;

my $c = IlertCheck->new(server => join '', map {
    "location = /w$_ { ilert_kapacitor ops; }\n" } 1 .. 20);


# Members of every release and in any order

my @order = (
    'id message details time duration level data previousLevel recoverable',
    'recoverable previousLevel data level duration time details message id',
    'data level id time message',
    'level id',
);

subtest 'members in any order' => sub {
    for (@order) {
        my @names = split;
        my $all = json();
        my %text = map { $_ => $all =~ /"$_":(\{.*\}|"[^"]*"|[^,}]+)/ ? $1
                                                                    : '' }
            @names;

        $c->webhook("order: $_",
            '{' . join(',', map { qq("$_":$text{$_}) } @names) . '}',
            level => '"CRITICAL"', key => 'cpu:host=a');
    }
};

my @shapes = (
    ['releases up to 1.3', json(previousLevel => undef, recoverable => undef),
        previousLevel => undef],
    ['release 1.4', json(recoverable => undef), previousLevel => '"OK"'],
    ['unknown members', json(topic => '"x"', n => '[1,{"a":[null]}]',
        o => '{"level":"OK"}'), level => '"CRITICAL"', topic => undef],
    ['unknown members in data and series',
        json(data => '{"messages":[{"level":"warning"}],"series":[{"partial":'
             . 'true,"name":"m","columns":["time"],"values":[],"x":{}}]}'),
        measurement => '"m"'],
    ['spaces between all', " \r\n\t{ \"id\" : \"a\" ,\n\t\"level\"\t:\r\"INFO"
        . "\" , \"data\" : { \"series\" : [ { \"name\" : \"m\" , \"columns\""
        . " : "
        . "[ \"time\" , \"v\" ] , \"values\" : [ [ \"t\" , 1.50 ] ] } ] } }"
        . " \n", 'fields.v' => '1.50', key => 'a'],
    ['only null', json(map { $_ => 'null' } qw(message details time duration
        data previousLevel recoverable)), time => undef, message => undef,
        summary => 'cpu:host=a is CRITICAL'],
    ['only the level and an id', '{"level":"OK","id":"x"}', type => 'RESOLVE',
        key => 'x', summary => 'x is OK'],
    ['data without series', json(data => '{}'), measurement => undef,
        fields => undef, rows => undef],
    ['series null', json(data => '{"series":null}'), fields => undef],
    ['series empty', json(data => '{"series":[]}'), fields => undef],
    ['series without anything', json(data => '{"series":[{}]}'),
        measurement => undef, tags => undef],
    ['series without values', json(data => '{"series":[{"name":"m","tags":'
        . '{"a":"b"},"columns":["time","v"]}]}'), measurement => '"m"',
        'tags.a' => '"b"'],
    ['values null', json(data => '{"series":[{"name":"m","columns":["time"],'
        . '"values":null}]}'), measurement => '"m"'],
    ['tags null', json(data => '{"series":[{"name":"m","tags":null,"columns":'
        . '["time"],"values":[["t"]]}]}'), tags => undef, fields => '{}'],
    ['tags empty', json(data => '{"series":[{"name":"m","tags":{},"columns":'
        . '["time"],"values":[["t"]]}]}'), tags => undef],
    ['no columns and empty rows', json(data => '{"series":[{"name":"m",'
        . '"columns":[],"values":[[],[]]}]}'), fields => '{}',
        rows => '[{"measurement":"m","fields":{}}]'],
    ['deadman of the nil group', json(id => q("nil:from1 for task 't44'"),
        data => '{"series":[{"name":"stats","columns":["time","emitted"],'
        . '"values":[["2026-03-01T08:15:30Z",0]]}]}'), tags => undef,
        'fields.emitted' => '0', key => q(nil:from1 for task 't44')],
    ['every value type', json(data => '{"series":[{"name":"m","columns":["a",'
        . '"b","c","d","e"],"values":[[true,false,null,"",-1]]}]}'),
        fields => '{"a":true,"b":false,"c":null,"d":"","e":-1}'],
    ['level INFO', json(level => '"INFO"'), type => 'ALERT'],
    ['level WARNING', json(level => '"WARNING"'), type => 'ALERT'],
    ['level OK', json(level => '"OK"'), type => 'RESOLVE'],
    ['recoverable false', json(recoverable => 'false')],
    ['previousLevel as received', json(previousLevel => '"odd"'),
        previousLevel => '"odd"'],
    ['previousLevel empty', json(previousLevel => '""'),
        previousLevel => '""'],
);

subtest 'shapes of every release' => sub { $c->webhook(@$_) for @shapes };


# The service test, and ids that are none

my $no_series = '{"series":null}';

my @ids = (
    ['service test', json(id => '""', message => '""', level => '"OK"',
        time => '"0001-01-01T00:00:00Z"', data => $no_series),
        result => 'test'],
    ['test without data', json(id => '""', level => '"OK"', data => undef),
        result => 'test'],
    ['test with data null', json(id => '""', level => '"OK"',
        data => 'null'), result => 'test'],
    ['test with data {}', json(id => '""', level => '"OK"', data => '{}'),
        result => 'test'],
    ['test with no series', json(id => '""', level => '"OK"',
        data => '{"series":[]}'), result => 'test'],
    ['no test: not OK', json(id => '""', data => $no_series), error => qr/./],
    ['no test: no id', json(id => undef, level => '"OK"',
        data => $no_series), error => qr/./],
    ['no test: id null', json(id => 'null', level => '"OK"',
        data => $no_series), error => qr/./],
    ['no test: id of a space', json(id => '" "', level => '"OK"',
        data => $no_series), error => qr/./],
    ['no test: there are series', json(id => '""', level => '"OK"'),
        key => 'cpu{host=a}', id => '""'],
    ['empty id', json(id => '""'), key => 'cpu{host=a}', id => '""'],
    ['no id', json(id => undef), key => 'cpu{host=a}', id => undef],
    ['id null', json(id => 'null'), key => 'cpu{host=a}', id => undef],
    ['id of white space', json(id => '" \t\r\n "'), key => 'cpu{host=a}',
        id => '" \t\r\n "'],
    ['id with white space around', json(id => '" a b\n"'), key => " a b\n"],
    ['tags in the order of the body', json(id => '""', data => '{"series":[{'
        . '"name":"m","tags":{"z":"1","a":"2","M":"","ü":"☃"},"columns":'
        . '["time"],"values":[["t"]]},{"name":"n"}]}'),
        key => "m{z=1,a=2,M=,\x{fc}=\x{2603}}"],
    ['no tags', json(id => '""', data => '{"series":[{"name":"m"}]}'),
        key => 'm'],
    ['empty tags', json(id => '""', data => '{"series":[{"name":"m","tags":'
        . '{}}]}'), key => 'm'],
    ['no name', json(id => '""', data => '{"series":[{"tags":{"a":"b"}}]}'),
        key => '{a=b}'],
    ['neither name nor tags', json(id => '""', data => '{"series":[{},'
        . '{"name":"m"}]}'), error => qr/./],
    ['a name of white space, no tags', json(id => '""', data => '{"series":[{'
        . '"name":" \\n\\t"}]}'), error => qr/./],
    ['empty name, no tags', json(id => '""', data => '{"series":[{"name":'
        . '""}]}'), error => qr/./],
);

subtest 'the service test and ids' => sub { $c->webhook(@$_) for @ids };


# The triggering row

sub timed {
    my ($time, @times) = @_;

    return json(time => $time, data => series(map { "$times[$_],$_" }
                                              0 .. $#times));
}

my $T = '2026-03-01T08:15:30';

my @rows = (
    ['the row of the event\'s time',
        timed(qq("${T}Z"), '"2026-03-01T08:15:29Z"', qq("${T}Z"),
              '"2026-03-01T08:15:31Z"'),
        'fields.v' => '1', 'rows.0.fields.v' => '0', 'rows.1.fields.v' => '2'],
    ['the first of several', timed(qq("${T}Z"), '"x"', qq("${T}Z"),
        qq("${T}Z")), 'fields.v' => '1'],
    ['none: the last', timed(qq("${T}Z"), qq("${T}.1Z"), qq("${T}.2Z")),
        'fields.v' => '1'],
    ['no time: the last', json(time => undef, data => series(qq("${T}Z",1),
        qq("${T}Z",2))), 'fields.v' => '2', time => undef],
    ['another offset', timed('"2026-03-01T09:15:30+01:00"', '"x"',
        qq("${T}Z"), '"x"'), 'fields.v' => '1',
        time => '"2026-03-01T09:15:30+01:00"'],
    ['a negative offset over a day', timed('"2026-02-28T20:45:30-11:30"',
        '"x"', qq("${T}Z"), '"x"'), 'fields.v' => '1'],
    ['a time of a template', timed('"2026-03-01 08:15:30.5 +0000 UTC"', '"x"',
        qq("${T}.5Z"), '"x"'), 'fields.v' => '1',
        time => '"2026-03-01 08:15:30.5 +0000 UTC"'],
    ['over a leap day', timed('"2024-02-29T23:30:00-01:00"', '"x"',
        '"2024-03-01T00:30:00Z"', '"x"'), 'fields.v' => '1'],
    ['over a year', timed('"2025-12-31T23:59:59.5-00:01"', '"x"',
        '"2026-01-01T00:00:59.500Z"', '"x"'), 'fields.v' => '1'],
    ['other digits of the same fraction', timed(qq("${T}.12Z"), qq("${T}.1Z"),
        qq("${T}.120000000Z"), '"x"'), 'fields.v' => '1'],
    ['the last of nine digits', timed(qq("${T}.123456789Z"),
        qq("${T}.123456788Z"), qq("${T}.123456789Z"), '"x"'),
        'fields.v' => '1'],
    ['one digit less', timed(qq("${T}.123456789Z"), qq("${T}.12345678Z"),
        qq("${T}.1234567Z")), 'fields.v' => '1'],
    ['year 0001', timed('"0001-01-01T00:00:00Z"', '"x"',
        '"0001-01-01T00:00:00Z"', '"x"'), 'fields.v' => '1'],
    ['year 0001 with an offset', timed('"0001-01-01T00:00:00+01:00"', '"x"',
        '"0000-12-31T23:00:00Z"', '"x"'), 'fields.v' => '1'],
    ['year 9999', timed('"9999-12-31T23:59:59.999999999Z"', '"x"',
        '"9999-12-31T23:59:59.999999999Z"', '"x"'), 'fields.v' => '1'],
    ['before 1970', timed('"1969-12-31T23:59:59.9Z"', '"x"',
        '"1970-01-01T00:59:59.9+01:00"', '"x"'), 'fields.v' => '1'],
    ['times that are none', timed('"yesterday"', '"2026"', qq("${T}"),
        '"2026-13-45T99:99:99Z"'), 'fields.v' => '2'],
    ['an empty time', timed('""', '""', '"x"'), 'fields.v' => '1',
        time => '""'],
    ['a row\'s time null', timed(qq("${T}Z"), 'null', qq("${T}Z"), 'null'),
        'fields.v' => '1', 'rows.0.time' => undef],
    ['no time column', json(data => '{"series":[{"name":"m","columns":["v"],'
        . '"values":[[1],[2]]}]}'), 'fields.v' => '2',
        'rows.0' => '{"measurement":"m","fields":{"v":1}}'],
    ['time is not the first column', json(data => '{"series":[{"name":"m",'
        . qq("columns":["v","time","w"],"values":[[1,"x",2],[3,"${T}Z",4],)
        . '[5,"y",6]]}]}'), fields => '{"v":3,"w":4}',
        'rows.1' => '{"time":"y","measurement":"m","fields":{"v":5,"w":6}}'],
    ['only time', json(data => qq({"series":[{"name":"m","columns":["time"],)
        . qq("values":[["${T}Z"]]}]})), fields => '{}', rows => undef],
    ['nulls are kept', json(data => '{"series":[{"name":"m","columns":["time",'
        . qq("a","b"],"values":[["${T}Z",null,1],["x",2,null]]}]})),
        fields => '{"a":null,"b":1}', 'rows.0.fields' => '{"a":2,"b":null}'],
    ['aggregate: many series', json(recoverable => 'false', data => '{"series"'
        . ':[' . join(',', map { qq({"name":"m","tags":{"h":"$_"},"columns":)
        . qq(["time","v"],"values":[["${T}.${_}Z",$_]]}) } 1 .. 4) . ']}',
        time => qq("${T}.3Z")), 'fields.v' => '3', 'tags.h' => '"3"',
        'rows.0.tags.h' => '"1"', 'rows.2.tags.h' => '"4"',
        'rows.3' => undef],
    ['aggregate: none triggers', json(time => '"2027-01-01T00:00:00Z"', data =>
        '{"series":[' . join(',', map { qq({"name":"m$_","columns":["time","v")
        . qq(],"values":[["${T}.1Z",${_}1],["${T}.2Z",${_}2]]}) } 1 .. 2)
        . ']}'), 'fields.v' => '12', measurement => '"m1"',
        'rows.0.fields.v' => '11', 'rows.1.fields.v' => '21',
        'rows.2.fields.v' => '22', 'rows.2.measurement' => '"m2"'],
    ['aggregate: another measurement triggers', json(data => '{"series":[{'
        . '"name":"a","tags":{"x":"1"},"columns":["time","v"],"values":'
        . '[["x",1]]},{"name":"b","columns":["time","w"],"values":[['
        . qq("${T}Z",2]]}]})), measurement => '"b"', tags => undef,
        fields => '{"w":2}', 'rows.0.measurement' => '"a"'],
    ['series without name and tags', json(data => '{"series":[{"columns":'
        . qq(["time","v"],"values":[["${T}Z",1],["x",2]]}]})),
        measurement => undef, 'rows.0' => '{"time":"x","fields":{"v":2}}'],
);

subtest 'the triggering row' => sub { $c->webhook(@$_) for @rows };


# Numbers go through digit for digit

my @numbers = qw(0 -0 1 -1 42 9007199254740993 9223372036854775807
    -9223372036854775808 18446744073709551616 1e+21 1E+21 1e21 1e-7 -1e-7
    0.1 1.50 1.0 100.000 -0.0 1e+06 123456789.12345679
    1.7976931348623157e+308 5e-324 1e400 -1e400 0e0 0E-0
    3.141592653589793238462643383279502884197169399375105820974944592307816);
push @numbers, '9' x 500, '0.' . '0' x 300 . '1', '1e' . '9' x 30;

subtest 'numbers' => sub {
    for (@numbers) {
        my $shown = length > 30 ? substr($_, 0, 30) . '..' : $_;

        $c->webhook("number $shown", json(duration => $_, data => series(
            qq("${T}Z",$_), qq("x",$_))), duration => $_, 'fields.v' => $_,
            'rows.0.fields.v' => $_);
    }

    $c->webhook('negative duration', json(duration => '-123456789'),
                duration => '-123456789');
};


# Strings

my @strings = (
    ['all short escapes', '\\"\\\\\\/\\b\\f\\n\\r\\t', "\"\\/\b\f\n\r\t"],
    ['control characters', join('', map { sprintf '\\u%04x', $_ } 1 .. 31),
        join '', map { chr } 1 .. 31],
    ['Go\'s escapes', '\\u003c\\u003E\\u0026\\u2028\\u2029',
        "<>&\x{2028}\x{2029}"],
    ['U+0000', 'a\\u0000b', "a\x{fffd}b"],
    ['only U+0000', '\\u0000', "\x{fffd}"],
    ['U+007F and U+0080', "\x7f\\u007f\\u0080", "\x7f\x7f\x80"],
    ['surrogates', '\\ud83d\\ude00 \\uD83D\\uDE00', "\x{1f600} \x{1f600}"],
    ['first and last pair', '\\ud800\\udc00\\udbff\\udfff',
        "\x{10000}\x{10ffff}"],
    ['a high surrogate alone', 'a\\ud83db', "a\x{fffd}b"],
    ['a high surrogate at the end', 'a\\ud83d', "a\x{fffd}"],
    ['a low surrogate alone', 'a\\ude00b', "a\x{fffd}b"],
    ['surrogates the wrong way round', '\\ude00\\ud83d', "\x{fffd}" x 2],
    ['two high surrogates and a low one', '\\ud83d\\ud83d\\ude00',
        "\x{fffd}\x{1f600}"],
    ['a high surrogate and an escape', '\\ud83d\\n', "\x{fffd}\n"],
    ['a high surrogate and a character', '\\ud83d\\u0041', "\x{fffd}A"],
    ['a high surrogate and U+0000', '\\ud83d\\u0000', "\x{fffd}" x 2],
    ['a high surrogate and raw UTF-8', "\\ud83d\xc3\xa9", "\x{fffd}\xe9"],
    ['raw UTF-8', "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80",
        "\xe9\x{65e5}\x{1f600}"],
    ['bounds of UTF-8', "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
        . "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "\x{80}\x{7ff}\x{800}\x{d7ff}\x{e000}\x{ffff}\x{10000}\x{10ffff}"],
    ['bytes that are no UTF-8', "a\xffb\xfe\x80c", "a\x{fffd}b\x{fffd}"
        . "\x{fffd}c"],
    ['overlong UTF-8', "\xc0\x80\xe0\x80\x80\xf0\x80\x80\x80",
        "\x{fffd}" x 9],
    ['UTF-8 of surrogates', "\xed\xa0\x80\xed\xbf\xbf", "\x{fffd}" x 6],
    ['UTF-8 above U+10FFFF', "\xf4\x90\x80\x80\xf5\x80\x80\x80",
        "\x{fffd}" x 8],
    ['UTF-8 cut short', "\xe6\x97x\xf0\x9f\x98y\xc3", "\x{fffd}\x{fffd}x"
        . "\x{fffd}\x{fffd}\x{fffd}y\x{fffd}"],
    ['UTF-8 cut by a backslash', "\xe6\x97\\n", "\x{fffd}\x{fffd}\n"],
    ['what looks like an escape', '\\\\u0000\\\\ud83d', '\\u0000\\ud83d'],
    ['quotes and backslashes', '\\\\\\"\\\\\\\\', '\\"\\\\'],
);

subtest 'strings' => sub {
    for (@strings) {
        my ($what, $json, $text) = @$_;

        (my $name = $json) =~ s/^/n/;

        $c->webhook("string: $what", json(id => qq("i$json"),
            message => qq("m$json"), previousLevel => qq("p$json"),
            data => qq({"series":[{"name":"s$json","tags":{"$name":"t$json"},)
            . qq("columns":["time","c$json"],"values":[["${T}Z","v$json"],)
            . qq(["r$json","w$json"]]}]})),
            summary => "m$text", key => "i$text");
    }
};


# Numbers and strings that look like each other

my @alike = (
    ['a string of digits', '"1e5"', '"1e5"'],
    ['a string that looks like null', '"null"', '"null"'],
    ['a long string', '"' . 'x' x 5000 . '"', '"' . 'x' x 5000 . '"'],
    ['a string with a quote and digits', '"\\"1,2\\":3"', '"\\"1,2\\":3"'],
    ['an empty string', '""', '""'],
    ['a space before a number', " \t\r\n7 ", '7'],
);

# whatever the parser may use to mark a number within a string
for (0x01 .. 0x1f, 0x7f, 0xe000, 0xf8ff, 0xfdd0, 0xfffd, 0xfffe, 0xffff) {
    my $mark = sprintf '\\u%04x', $_;
    my $text = IlertMap::encode(chr . '12.5');

    push @alike, [sprintf('a string U+%04X 12.5', $_), qq("${mark}12.5"),
                  $text];
}

subtest 'values that look alike' => sub {
    for (@alike) {
        my ($what, $json, $value) = @$_;

        $c->webhook($what, json(data => series(qq("${T}Z",$json))),
                    'fields.v' => $value);
    }
};


# Names that occur twice: the last counts

my @twice = (
    ['level twice', '{"level":"INFO","level":"OK","id":"a","id":"b"}',
        level => '"OK"', key => 'b'],
    ['data twice', json(data => series(qq("${T}Z",1)) . ',"data":null'),
        fields => undef, measurement => undef],
    ['a tag twice', json(data => '{"series":[{"name":"m","tags":{"a":"1","a":'
        . '"2","b":"3"},"columns":["time"],"values":[["t"]]}]}', id => '""'),
        tags => '{"a":"2","b":"3"}', key => 'm{a=2,b=3}'],
    ['a tag twice and one between', json(data => '{"series":[{"name":"m",'
        . '"tags":{"a":"1","b":"2","a":"3"},"columns":["time"],"values":'
        . '[["t"]]}]}', id => '""'), tags => '{"b":"2","a":"3"}',
        key => 'm{b=2,a=3}'],
    ['a tag often', json(data => '{"series":[{"name":"m","tags":{'
        . join(',', map { sprintf '"t%d":"%d"', $_ % 7, $_ } 1 .. 100)
        . '},"columns":["time"],"values":[["t"]]}]}', id => '""')],
    ['time twice', json(data => '{"series":[{"name":"m","columns":["time","v",'
        . '"time"],"values":[["2026-03-01T08:15:30Z",1,"x"],["y",2,"z"]]}]}'),
        fields => '{"v":2}', 'rows.0.time' => '"x"'],
    ['a column twice', json(data => '{"series":[{"name":"m","columns":["a",'
        . '"time","a"],"values":[[1,"t",2],[3,"u",4]]}]}'),
        fields => '{"a":4}', 'rows.0.fields' => '{"a":2}'],
    ['a column often', json(data => '{"series":[{"columns":['
        . join(',', ('"a","b"') x 50) . '],"values":[[' . join(',', 1 .. 100)
        . ']]}]}'), fields => '{"a":99,"b":100}'],
    ['names of other case in rows are other names', json(data => '{"series":[{'
        . '"name":"m","tags":{"a":"1","A":"2"},"columns":["v","V","Time"],'
        . '"values":[[1,2,3]]}]}', Level => '"OK"', ID => '"x"'),
        fields => '{"v":1,"V":2,"Time":3}', tags => '{"a":"1","A":"2"}',
        level => '"CRITICAL"'],
    ['a tag and a column without a name', json(data => '{"series":[{"name":'
        . '"m","tags":{"":"x"},"columns":[""],"values":[[1]]}]}'),
        fields => '{"":1}', tags => '{"":"x"}'],
);

subtest 'names that occur twice' => sub { $c->webhook(@$_) for @twice };


# Depth: an object or array within 1,000 others is too deep

subtest 'depth' => sub {
    for my $n (1, 63, 64, 200, 998, 999) {
        $c->webhook("depth $n", json(x => '[' x $n . ']' x $n));
        $c->webhook("depth $n of objects", json(x => '{"x":' x $n . '1'
                                                     . '}' x $n));
    }

    for my $n (1000, 1001, 100_000) {
        $c->webhook("depth $n", json(x => '[' x $n . ']' x $n),
                    error => qr/deep/);
        $c->webhook("depth $n of objects", json(x => '{"x":' x $n . '1'
                                                     . '}' x $n),
                    error => qr/./);
    }

    $c->webhook('only opening brackets', '[' x 300_000, error => qr/./);
    $c->webhook('only opening braces', '{"a":' x 100_000, error => qr/./);
};


# Not JSON

my $good = json();
chomp $good;

my @not_json = (
    ['an empty body', ''],
    ['white space', " \r\n\t "],
    ['text', 'CRITICAL cpu is high'],
    ['XML', '<alert id="1"/>'],
    ['a form', 'id=a&level=OK'],
    ['gzip', "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00"],
    ['a NUL byte', "\0"],
    ['a NUL byte after the webhook', "$good\0"],
    ['something after the webhook', "$good x"],
    ['two webhooks', "$good\n$good"],
    ['a brace after the webhook', "$good}"],
    ['a comma after the webhook', "$good,"],
    ['no quotes', '{level:"OK"}'],
    ['single quotes', q({'level':'OK'})],
    ['a comment', qq(/* */$good)],
    ['a comma before the end', '{"level":"OK","id":"a",}'],
    ['a comma at the beginning', '{,"level":"OK","id":"a"}'],
    ['two commas', '{"level":"OK",,"id":"a"}'],
    ['no comma', '{"level":"OK" "id":"a"}'],
    ['no colon', '{"level" "OK","id":"a"}'],
    ['two colons', '{"level"::"OK","id":"a"}'],
    ['a name without a value', '{"level":"OK","id"}'],
    ['no value', '{"level":"OK","id":}'],
    ['the wrong bracket', '{"level":"OK","x":[1}'],
    ['a comma before the end of an array', json(x => '[1,]')],
    ['only a comma', json(x => '[,]')],
    ['True', json(x => 'True')],
    ['nul', json(x => 'nul')],
    ['nulll', json(x => 'nulll')],
    ['trueish', json(x => 'true1')],
    ['undefined', json(x => 'undefined')],
    ['a vertical tab between tokens', "{\x0b\"level\":\"OK\",\"id\":\"a\"}"],
    ['a NUL between tokens', "{\"level\":\0\"OK\",\"id\":\"a\"}"],
    ['a no-break space between tokens', "{\xc2\xa0\"level\":\"OK\"}"],
    ['a byte above 0x7f between tokens', "{\"level\":\"OK\"\xff}"],
    ['a raw line feed behind a backslash', qq({"level":"OK","id":"a\\\nb"})],
    ['a raw line feed in a string without an end', qq({"level":"OK","id":"\n)],
    ['two byte order marks', "\xef\xbb\xbf\xef\xbb\xbf$good"],
    ['a byte order mark, not at the beginning', " \xef\xbb\xbf$good"],
    ['a byte order mark cut short', "\xef\xbb$good"],
    ['only a byte order mark', "\xef\xbb\xbf"],
    ['an unknown escape', '{"level":"OK","id":"\\x41"}'],
    ['an escaped quote', q({"level":"OK","id":"\\'"})],
    ['a short \\u', '{"level":"OK","id":"\\u12"}'],
    ['no hex in \\u', '{"level":"OK","id":"\\u12g4"}'],
    ['\\U', '{"level":"OK","id":"\\U0041"}'],
    ['a backslash at the end', '{"level":"OK","id":"\\'],
    ['\\u at the end', '{"level":"OK","id":"\\u'],
    ['a high surrogate and half an escape',
        '{"level":"OK","id":"\\ud83d\\u"}'],
);


# each wrong token at every kind of place

my @tokens = (qw(01 -01 00 1. .5 -.5 +1 - -- 1e 1e+ 1.e5 1.5.5 1e5e5 0x10
    1_000 NaN Infinity -Infinity inf 1a 1- True nul nulll true1 undefined),
    '1 2', '- 1', "'a'", '"a', '"a\\"', '"\\x41"', '"\\u12"', '"\\u12g4"',
    '"\\ud83d\\u12"', '"\\', '"a\\', "\"\\\n\"", "\"\\\0\"", '"a" "b"', '"a"b',
    "\x0b1", "\0", '', '/**/1',
    '[1,2', '[1,]', '[1 2]', '{"a"}', '{"a":}', '{a:1}', '{"a":1,}', '{1:2}',
    ']', '}', ')', '[1}', '{"a":1]', ',', '1,', ':1');

my %place = (
    'a member' => sub { json(duration => $_[0]) },
    'an unknown member' => sub { json(x => $_[0]) },
    'a text' => sub { json(message => $_[0]) },
    'a tag' => sub { json(data => '{"series":[{"name":"m","tags":{"a":'
        . qq($_[0]},"columns":["time"],"values":[["t"]]}]})) },
    'a column' => sub { json(data => qq({"series":[{"name":"m","columns":[)
        . qq("time",$_[0]],"values":[["t",1]]}]})) },
    'a row' => sub { json(data => series(qq("t",$_[0]))) },
    'a row\'s time' => sub { json(data => series(qq($_[0],1))) },
    'a later row' => sub { json(data => series('"t",1', qq("t",$_[0]),
                                               '"t",2')) },
    'an array of unknown things' => sub { json(x => "[[1,$_[0]],[2]]") },
);

for my $place (sort keys %place) {
    for (@tokens) {
        my $shown = s/[^ -~]/./gr;

        push @not_json, ["$shown as $place", $place{$place}->($_)];
    }
}


# what is no comma between values of every kind, and what is no name

for my $between ('', ' ', '.', 'e', 'E', '+', '-', ':', ';', '0', 'null', '"',
                 '\\', "\0", "\x0b", ',,', '/', '1', '.1', 'e1', '""')
{
    my $shown = $between =~ s/[^ -~]/./gr;

    push @not_json, ["'$shown' between rows", json(data => series('"t",1')
        =~ s/(\["t",1\])/$1$between$1/r)];

    push @not_json, ["'$shown' between series", json(data =>
        qq({"series":[{"name":"m"}$between\{"name":"n"}]}))];

    push @not_json, map { ["'$shown' between $_", json(x =>
        "[$_$between$_]")] } '[1]', '{"a":1}', '"a"', 'null';

    push @not_json, ["'$shown' between numbers", json(x => "[1$between 2]")];

    push @not_json, ["'$shown' between members", json() =~
        s/,"level"/$between"level"/r];
}

push @not_json, map { ["the name $_", json() =~ s/^\{/{$_:1,/r] }
    '1', '-1.5', 'null', 'true', '[1]', '{}', '', 'id', "'id'", '1e5';

push @not_json, map { ["the tag $_", json(data => qq({"series":[{"tags":)
    . qq({$_:"x"}}]}))] } '1', '-1.5', 'null', 'true', '[1]', '{}', '', 'id';

subtest 'not JSON' => sub {
    $c->webhook($_->[0], $_->[1],
                error => qr/^not JSON: .+ at byte \d+(?:; this is .+)?\z/)
        for @not_json;
};

subtest 'cut short' => sub {
    for my $n (map { int(length($good) * $_ / 37) } 0 .. 36) {
        $c->webhook("cut after byte $n", substr($good, 0, $n),
                    error => qr/^not JSON: .+ at byte \d+(?:; this .+)?\z/);
    }
};


# What is not JSON, and where

my @where = (
    ['', 'unexpected end at byte 0; this is an empty body'],
    [" \r\n", 'unexpected end at byte 3; this is an empty body'],
    ['-x', 'invalid number at byte 0'],
    ["\n\n  %", 'unexpected character at byte 4'],
    ['{"level":%}', 'unexpected character at byte 9'],
    ['{"level":"OK",}', 'unexpected character at byte 14'],
    ['{"level":"OK",%}', 'unexpected character at byte 14'],
    ['{"level":"OK"} %', 'unexpected character at byte 15'],
    ['{"level":"OK"', 'unexpected end at byte 13'],
    ['{"level":"OK', 'string without an end at byte 9'],
    ["{\"level\":\"O\\\nK\"}", 'invalid escape at byte 11'],
    ["\xef\xbb\xbf{\"level\":%}", 'unexpected character at byte 12'],
    ["{\"id\":\"a\n\0b\",\"level\":%}", 'unexpected character at byte 21'],
    ["{\"id\":\"a\n\0b", 'string without an end at byte 6'],
    ['{"level":01}', 'invalid number at byte 9'],
    ['{"level":"\\x"}', 'invalid escape at byte 10'],
    ['{"level":"O\\u12g4"}', 'invalid escape at byte 11'],
    ['[' x 1001 . ']' x 1001, 'nested too deeply at byte 1000'],
);

subtest 'what is not JSON, and where' => sub {
    for (@where) {
        my ($body, $error) = @$_;

        $c->webhook("not JSON: $error", $body, error => "not JSON: $error");
    }
};


# What refuses a webhook that is JSON

my @wrong = (
    ['level', json(level => undef), 'level: missing'],
    ['|httpPost', '{"series":[{"name":"m","columns":["time"],"values":[["t"]]'
        . '}]}', 'level: missing; this is the body of |httpPost, use .post() '
        . 'of an |alert'],
    ['level', json(level => 'null'), 'level: missing'],
    (map { ["the level $_", json(level => $_),
            'level: expected OK, INFO, WARNING or CRITICAL'] }
        qw("FATAL" "" "OK\\u0000" "okay" "warnin" 1 true [] {} ["OK"]), '" "',
        '"O K"'),
    ['no id and no series', json(id => '""', data => undef),
        'id: empty, and no series to make an alert key of'],
    ['no id, and data that are left out', json(id => '{}', data => '"x"'),
        'id: empty, and no series to make an alert key of'],
    ['no id and a series without name and tags', json(id => undef, data =>
        '{"series":[{}]}'), 'id: empty, and data.series[0] has neither a name '
        . 'nor tags to make an alert key of'],
    (map { ["the body is $_", $_, 'body: expected an object'] }
        qw("x" 1 null true)),
    (map { ["the body is $_", $_, 'body: expected an object; this is an '
            . 'array, post each alert on its own'] }
        '[]', '[{"level":"OK","id":"a"}]', " [{\"a\":\"\n\"}]"),
);

subtest 'what is refused' => sub {
    $c->webhook("error: $_->[0]", $_->[1], error => $_->[2]) for @wrong;
};


# What is not for us, and what it is

my $use = 'use ilert\'s integration for';

my @others = (
    ['|httpPost, with tags of an alert', '{"series":[{"name":"m","tags":{'
        . '"level":"CRITICAL"},"columns":["time"],"values":[["t"]]}]}',
        'level: missing', 'the body of |httpPost, use .post() of an |alert'],
    ['|httpPost, with white space', " { \"series\" :\n[ { \"tags\" : { "
        . "\"level\" : \"OK\" } , \"values\" : [ [ \"t\" , 1 ] ] }\t] } ",
        'level: missing', 'the body of |httpPost, use .post() of an |alert'],
    ['InfluxDB 2.x', '{"_check_id":"1","_level":"crit","_message":"m"}',
        'level: missing',
        "the body of an HTTP endpoint of InfluxDB 2.x, $use InfluxDB 2.x"],
    ['InfluxDB 2.x, a deadman', '{"_notification_rule_id":"1"}',
        'level: missing',
        "the body of an HTTP endpoint of InfluxDB 2.x, $use InfluxDB 2.x"],
    ['Grafana', '{"receiver":"r","status":"firing","alerts":[{"labels":{}}],'
        . '"orgId":1,"title":"t","state":"alerting","message":"m"}',
        'level: missing', "a webhook of Grafana, $use Grafana"],
    ['Grafana, before 9', '{"ruleName":"r","ruleId":1,"state":"alerting",'
        . '"evalMatches":[]}', 'level: missing',
        "a webhook of Grafana, $use Grafana"],
    ['Alertmanager', '{"version":"4","groupKey":"k","status":"firing",'
        . '"receiver":"r","alerts":[],"commonLabels":{}}', 'level: missing',
        "a webhook of Alertmanager, $use Prometheus"],
    ['Zabbix', '{"event_id":"1","trigger_id":"2","severity":"High"}',
        'level: missing', "a webhook of Zabbix, $use Zabbix"],
    ['a level that is no level of ours', '{"level":"error","alerts":[],'
        . '"receiver":"r"}', 'level: expected OK, INFO, WARNING or CRITICAL',
        "a webhook of Alertmanager, $use Prometheus"],
    ['a byte order mark before', "\xef\xbb\xbf{\"_check_id\":1}",
        'level: missing',
        "the body of an HTTP endpoint of InfluxDB 2.x, $use InfluxDB 2.x"],
    ['one of two members', '{"alerts":[]}', 'level: missing', undef],
    ['nobody\'s', '{"a":1}', 'level: missing', undef],
    ['a form', 'payload=%7B%22id%22%7D', 'not JSON: unexpected character at '
        . 'byte 0', 'a form, post the JSON itself'],
    ['plain text', 'disk is full', 'not JSON: unexpected character at byte 0',
        'plain text, use .post() without a template, or with one that writes '
        . 'JSON'],
    ['XML', "\n<a/>", 'not JSON: unexpected character at byte 1',
        'XML or HTML, use .post() of an |alert'],
    (map { ['UTF-16', $_, qr/^not JSON: unexpected character at byte \d/,
            'UTF-16, use UTF-8'] }
        "\xff\xfe{\0}\0", "\xfe\xff\0{\0}", "{\0}\0", "\0{\0}"),
    ['gzip', "\x1f\x8b\x08\0", 'not JSON: unexpected character at byte 0',
        'a compressed body, send it as it is'],
    ['webhooks that are cut short', '{"series":[{', 'not JSON: unexpected end '
        . 'at byte 12', undef],
);

subtest 'what is not for us' => sub {
    for (@others) {
        my ($what, $body, $error, $is) = @$_;

        $error = quotemeta $error if !ref $error;
        $is = defined $is ? '; this is ' . quotemeta $is : '';

        $c->webhook($what, $body, error => qr/$error.*?\d?$is\z/);
    }
};

subtest 'Content-Encoding' => sub {
    my $error = 'body: Content-Encoding "%s" is not decoded, send the body as '
                . 'it is';

    for ('gzip', 'x' x 64, 'deflate') {
        $c->webhook($_, "\x1f\x8b\x08\0", request => [ headers =>
            [ 'Content-Encoding' => $_ ] ], map => 0,
            error => sprintf $error, $_);
    }

    $c->webhook('a long one', '{', request => [ headers =>
        [ 'content-encoding' => 'x' x 1000 ] ], map => 0,
        error => sprintf $error, 'x' x 64);
    $c->webhook('bytes', '{', request => [ headers =>
        [ 'Content-Encoding' => "\xff\"" ] ], map => 0,
        error => sprintf $error, "\x{fffd}\"");
    $c->webhook('identity', "\x1f\x8b\x08\0", request => [ headers =>
        [ 'Content-Encoding' => 'identity' ] ], error => qr/^not JSON/);
    $c->webhook('it only says so', json(), request => [ headers =>
        [ 'Content-Encoding' => 'gzip' ] ]);
};


# Levels in other words

my %words = (OK => ['ok', 'Ok', ' OK', 'OK\\n'],
    INFO => ['info', 'Information'],
    WARNING => ['warning', 'WARN', 'Warn', ' warn '],
    CRITICAL => ['critical', 'crit', 'CRIT']);

subtest 'levels in other words' => sub {
    for my $level (sort keys %words) {
        for (map { qq("$_") } @{$words{$level}}) {
            $c->webhook("level $_", json(level => $_), level => qq("$level"),
                        type => $level eq 'OK' ? 'RESOLVE' : 'ALERT');
            $c->webhook("previousLevel $_", json(previousLevel => $_),
                        previousLevel => qq("$level"));
        }
    }
};


# Decoration of other types is taken as text, or left out

my $columns = '"columns":["time","v"]';
my $t0 = '"2026-03-01T08:15:30Z"';

sub data { json(data => qq({"series":[$_[0]]})) }

my @odd = (
    (map { my $name = $_;
        (map { ["$name $_", json($name => $_),
                $name => '"' . $_ . '"'] } qw(1 true false 1.50 -0 1e+400)),
        (map { ["$name $_", json($name => $_), $name => undef] }
            qw({} [] [""] {"a":[1]} null)),
    } qw(message time previousLevel)),
    ['id 42', json(id => '42'), key => '42', id => '"42"'],
    ['id true', json(id => 'true'), key => 'true'],
    ['id {}', json(id => '{"a":1}'), key => 'cpu{host=a}', id => undef],
    ['details 5', json(details => '5'), details => '5'],
    ['details {}', json(details => '{}'), details => undef],
    (map { ["duration $_->[0]", json(duration => $_->[0]),
            duration => $_->[1]] }
        ['"1m0s"', '60000000000'], ['"60000000000"', '60000000000'],
        ['"0s"', '0'], ['"0"', '0'], ['"-1.5s"', '-1500000000'],
        ['"1h2m3.25s"', '3723250000000'], ['"1.5ms"', '1500000'],
        ["\"3\xc2\xb5s\"", '3000'], ["\"3\xce\xbcs\"", '3000'],
        ['"7us"', '7000'], ['"7ns"', '7'], ['" 5m "', '300000000000'],
        ['".5h"', '1800000000000'],
        map { [$_, undef] } '""', '"-"', '"."', '".s"', '"1"x', '"1m0"',
            '"1 m"', '"1d"', '"x"', '"1e9"', '"9223372036854775808"',
            '"2562048h"', '"s"', 'true', '[]', '{}'),
    (map { ["recoverable $_", json(recoverable => $_)] }
        qw("true" "False" "" "x" 1 0 [] {})),
    (map { ["data $_", json(data => $_), measurement => undef] }
        qw("map[host:a]" "" 1 true [] false [{"series":[]}])),
    (map { ["series $_", json(data => qq({"series":$_})),
            measurement => undef] } qw("x" 1 true {} {"name":"m"})),
    (map { ["a series $_", data(qq($_,{"name":"m"})), measurement => '"m"'] }
        qw("x" 1 true [] null)),
    ['the last series is none', data('{"name":"m"},{},7'),
        measurement => '"m"'],
    ['a name that is a number', data('{"name":1.50}'),
        measurement => '"1.50"'],
    (map { ["a name $_", data(qq({"name":$_})), measurement => undef] }
        qw([] {} null)),
    (map { ["tags $_", data(qq({"name":"m","tags":$_})), tags => undef,
            measurement => '"m"'] } qw(1 "a" [] true)),
    (map { ["a tag $_->[0]", data(qq({"tags":{"host":$_->[0],"b":"c"}})),
            'tags.host' => $_->[1], 'tags.b' => '"c"'] }
        ['1', '"1"'], ['true', '"true"'], ['0.10', '"0.10"'],
        ['null', undef], ['[]', undef], ['{"host":"x"}', undef]),
    ['all tags are left out', data('{"tags":{"a":null,"b":{}}}'),
        tags => undef],
    ['a tag in the key', json(id => '""', data => '{"series":[{"name":"m",'
        . '"tags":{"a":1,"b":null,"c":"x"}}]}'), key => 'm{a=1,c=x}'],
    (map { ["columns $_", data(qq({"name":"m","columns":$_,"values":[[$t0,)
            . '1]]}'), fields => '{}'] } qw(1 "time" {} true null)),
    ['columns that are left out', data(qq({"columns":["time","v"],"columns":)
        . qq(5,"values":[[$t0,1]]})), fields => '{}'],
    ['a column that is a number', data(qq({"columns":["time",5],"values":)
        . qq([[$t0,1]]})), fields => '{"5":1}'],
    (map { ["a column $_", data(qq({"columns":["time",$_,"v"],"values":[[)
            . qq($t0,1,2],["x",3,4]]})), fields => '{"v":2}',
            'rows.0.fields' => '{"v":4}'] } qw(null {} ["v"])),
    ['a column null, and one without a name', data(qq({"columns":["",null],)
        . qq("values":[[1,2]]})), fields => '{"":1}'],
    (map { ["values $_", data(qq({"name":"m",$columns,"values":$_})),
            fields => undef, measurement => '"m"'] } qw(1 "x" {} true)),
    (map { ["a row $_", data(qq({$columns,"values":[["x",1],$_,[$t0,2]]})),
            fields => '{"v":2}', 'rows.0.fields' => '{"v":1}',
            'rows.1' => undef] } qw(1 "x" {} null true {"time":1})),
    ['no row is one', data(qq({"name":"m",$columns,"values":[1,{}]})),
        fields => undef, measurement => '"m"'],
    (map { ["a row [$_]", data(qq({$columns,"values":[["x",1],["y",2],)
            . qq(["z",3],[$_]]})), 'rows.3' => undef] }
        '', $t0, "$t0,1,2", "$t0,1,2,3,4"),
    ['the first row is short', data(qq({"columns":["time","a","b"],"values":)
        . qq([["x"],["y",1,2],["z",3],[$t0,4,5]]})), fields => '{"a":4,"b":5}',
        'rows.0.fields' => '{}', 'rows.1.fields' => '{"a":1,"b":2}',
        'rows.2.fields' => '{"a":3}'],
    ['the triggering row is short', data(qq({"columns":["time","a","b"],)
        . qq("values":[["x",1,2],[$t0,3]]})), fields => '{"a":3}',
        'rows.0.fields' => '{"a":1,"b":2}'],
    ['the triggering row is long', data(qq({"columns":["time","a"],)
        . qq("values":[["x",1,2],[$t0,3,4,[5]]]})), fields => '{"a":3}'],
    ['no time in a short row', data('{"columns":["a","time"],"values":[[1],'
        . qq([2,$t0],[3]]})), fields => '{"a":2}', 'rows.0.time' => undef,
        'rows.1.time' => undef],
    ['short rows before their columns', data(qq({"values":[["x"],[$t0,1,2]],)
        . qq($columns})), fields => '{"v":1}', 'rows.0.fields' => '{}'],
    ['values without columns', data('{"name":"m","values":[["t",1]]}'),
        fields => '{}'],
    (map { ["a value $_->[0]", data(qq({$columns,"values":[["x",$_->[0]],)
            . qq([$t0,$_->[0]]]})), 'fields.v' => $_->[1],
            'rows.0.fields.v' => $_->[1]] }
        ['[]', '"[]"'], ['{}', '"{}"'], ['[ 1, null ]', '"[ 1, null ]"'],
        ['{"a":[1,{"b":"\\"c\\\\"}]}',
         '"{\\"a\\":[1,{\\"b\\":\\"\\\\\\"c\\\\\\\\\\"}]}"'],
        ["[\"\xff\"]", "\"[\\\"\xef\xbf\xbd\\\"]\""],
        ['["\\u0000"]', '"[\\"\\\\u0000\\"]"'],
        ["[\n]", '"[\\n]"']),
    ['values of objects before their columns', data(qq({"values":[["x",[1]],)
        . qq(7,[$t0,{"a":2}]],$columns})), 'fields.v' => '"{\\"a\\":2}"',
        'rows.0.fields.v' => '"[1]"'],
    ['a value too deep', data(qq({$columns,"values":[[$t0,) . '[' x 995
        . ']' x 995 . qq(]]})), error => qr/deep/],
    ['a value, not too deep', data(qq({$columns,"values":[[$t0,) . '[' x 994
        . ']' x 994 . qq(]]}))],
    ['all at once', '{"id":42,"message":[1],"details":7,"time":5,"duration":'
        . '"1m","level":" warn","previousLevel":3,"recoverable":"no","data":'
        . '{"series":[5,{"name":7,"tags":{"a":1},"columns":["time",9],'
        . '"values":[["x",[1]],{},[]]}]}}', level => '"WARNING"', key => '42',
        duration => '60000000000', 'tags.a' => '"1"'],
);

subtest 'odd decoration' => sub { $c->webhook(@$_) for @odd };


# Names as Go has them, which its own decoder takes as well

my @other_case = (
    ['Go\'s names', '{"ID":"a","Message":"m","Level":"CRITICAL","Time":'
        . "$t0,\"Duration\":5}", key => 'a', summary => 'm', duration => '5',
        time => $t0],
    ['of data', '{"ID":"a","Level":"OK","Data":{"Series":[{"Name":"m","Tags":'
        . qq({"Host":"h"},"Columns":["time","V"],"Values":[[$t0,1]]}]}}),
        measurement => '"m"', 'tags.Host' => '"h"', 'fields.V' => '1'],
    ['the right case first', '{"id":"a","ID":"b","level":"OK","LEVEL":"x"}',
        key => 'a', level => '"OK"'],
    ['the right case last', '{"ID":"b","id":"a","LEVEL":"x","level":"OK"}',
        key => 'a', level => '"OK"'],
    ['several of other case', '{"ID":"b","Id":"c","level":"OK"}', key => 'c'],
    ['a name that is no ASCII', "{\"id\":\"a\",\"level\":\"OK\",\"me\xc5\xbf"
        . "\xc5\xbfage\":\"x\"}", summary => 'a is OK'],
);

subtest 'names of another case' => sub { $c->webhook(@$_) for @other_case };


# A byte order mark, and control characters in strings, are repaired

my $bom = "\xef\xbb\xbf";

my @repaired = (
    ['a byte order mark', $bom . json(), key => 'cpu:host=a'],
    ['a byte order mark and white space', "$bom\r\n" . json()],
    ['a line feed', json(message => "\"a\nb\""), summary => "a\nb"],
    ['a tab in an id', json(id => "\"a\tb\""), key => "a\tb"],
    ['all control characters', json(message => '"' . join('', map { chr }
        1 .. 31) . '"'), summary => join '', map { chr } 1 .. 31],
    ['NUL', json(message => "\"a\0b\""), summary => "a\x{fffd}b"],
    ['behind an escape', json(message => "\"\\\\\n\\\"\n\""),
        summary => "\\\n\"\n"],
    ['in a name', json("a\x01b" => '1')],
    ['in a tag', data("{\"tags\":{\"a\nb\":\"c\nd\"}}"),
        'tags' => '{"a\\nb":"c\\nd"}'],
    ['in a row', data("{$columns,\"values\":[[$t0,\"a\nb\"],[\"\n\",\"\xff\"],"
        . "[\"\",[\"\n\"]]]}"), 'fields.v' => '"a\\nb"',
        'rows.1.fields.v' => '"[\\"\\\\n\\"]"'],
    ['with a byte order mark', $bom . json(message => "\"a\nb\""),
        summary => "a\nb"],
    ['with bytes that are no UTF-8', json(message => "\"a\n\xff\""),
        summary => "a\n\x{fffd}"],
    ['with wrong types', json(message => "\"\r\n\"", duration => "\"1m\n\"",
        data => "\"a\nb\""), duration => '60000000000'],
    ['the test, with a byte order mark', $bom . json(id => '""',
        level => '"OK"', data => undef), error => qr/^id: empty/],
);

subtest 'what is repaired' => sub { $c->webhook(@$_) for @repaired };


# What has an id and a level is never refused

subtest 'made by chance' => sub {
    my $seed = IlertRandom::seed();

    for my $n (1 .. $ENV{TEST_RANDOM} // 400) {
        my $r = $c->webhook("TEST_SEED=$seed, odd webhook $n",
                            IlertRandom::odd());
        $r->{answer}{status} == 202
            or fail("webhook $n: $r->{answer}{status} $r->{answer}{body}");
    }
};


# The warning names the first few members, once a minute for a location

sub warned {
    my ($what, $body, $warning) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $mark = $c->test->mark;
    $c->webhook($what, $body, uri => '/w' . ++$c->{warned});
    my @lines = map { /\[warn\].*? is odd, and taken: (.*) while processing /
                      ? $1 : () }
                split /\n/, $c->test->log_since($mark);

    is_deeply(\@lines, $warning ? [$warning] : [], "the warning: $what");
}

subtest 'warnings' => sub {
    warned('none', json());
    warned('nor of null', json(map { $_ => 'null' } qw(message time data)));
    warned('a duration', json(duration => '"1m"'),
           'duration: a string, taken as nanoseconds');
    warned('data', json(data => '5'), 'data: a number, left out');
    warned('a tag', data('{"tags":{"a\\nb":1}}'),
           'data.series[0].tags.a b: a number, taken as text');
    warned('a tag with a control character of C1',
           data('{"tags":{"\\u009b1m\\u00a0":1}}'),
           "data.series[0].tags.  1m\xc2\xa0: a number, taken as text");
    warned('a long tag', data('{"tags":{"' . "\xc3\xa4" x 100 . '":1}}'),
           'data.series[0].tags.' . "\xc3\xa4" x 32
           . ': a number, taken as text');
    warned('a row', data('{"name":"m"},{"columns":["a"],"values":[[1],[2],[]]}'
        ), 'data.series[1].values[2]: number of values 0, of columns 1');
    warned('a value', data('{"columns":["a"],"values":[[1],[{}]]}'),
           'data.series[0].values: objects or arrays in rows, taken as text');
    warned('a level', json(level => '"crit"'), 'level: read as CRITICAL');
    warned('a name', '{"ID":"a","level":"OK"}', 'ID: read as id');
    warned('a byte order mark', $bom . json(),
           'body: a byte order mark, skipped');
    warned('a control character', json(message => "\"\n\""),
           'message: control characters, escaped');
    warned('a control character in a tag', data("{\"tags\":{\"a\":\"\n\"}}"),
           'tags: control characters, escaped');
    warned('a control character in a name', json("\n" => 1),
           'body: control characters, escaped');
    warned('Latin-1', json(message => "\"\xfc\""),
           'body: bytes that are no UTF-8, replaced');
    warned('U+FFFD itself', json(message => '"\\ufffd"'));
    warned('many', json(message => 1, time => 2, details => '[]',
                        recoverable => 5, duration => '"x"', data => 6),
           'message: a number, taken as text; details: an array, left out; '
           . 'time: a number, taken as text; duration: a string, left out; '
           . 'and 2 more');

    $c->{warned}--;
    warned('again, within a minute', json(data => 5));
};


done();
