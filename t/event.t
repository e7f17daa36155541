#!/usr/bin/perl

# The event that a webhook becomes: the default mapping, Kapacitor's dump, the
# cap on its size, and webhooks made by chance.  TEST_SEED makes others,
# TEST_RANDOM more.

use warnings;
use strict;

use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;

use IlertCheck;
use IlertMap;
use IlertRandom qw(chance pick);
use IlertTest;

*json = \&IlertCheck::json;
*series = \&IlertCheck::series;

binmode Test::More->builder->$_, ':utf8'
    for qw(output failure_output todo_output);

my @SIZES = (4, 17, 64);

my $c = IlertCheck->new(server => join '', map { <<"CONF" } @SIZES);

    location = /${_}k {
        ilert_kapacitor ops;
        ilert_event_max_size ${_}k;
    }
CONF

my $string = JSON::PP->new->utf8->allow_nonref;

sub string { $string->encode($_[0]) }


# Summary

my @summaries = (
    ['message', json(message => '"disk \\"full\\"\\n"'),
        summary => "disk \"full\"\n"],
    ['no message', json(message => undef), summary => 'cpu:host=a is CRITICAL',
        message => undef],
    ['message null', json(message => 'null'),
        summary => 'cpu:host=a is CRITICAL', message => undef],
    ['message empty', json(message => '""', level => '"OK"'),
        summary => 'cpu:host=a is OK', message => '""'],
    ['neither message nor id', json(message => '""', id => '""'),
        summary => 'cpu{host=a} is CRITICAL'],
    ['id of white space', json(message => '""', id => '" \\t"',
        level => '"INFO"'), summary => 'cpu{host=a} is INFO',
        id => '" \\t"'],
    ['message of white space', json(message => '" \\n"'),
        summary => 'cpu:host=a is CRITICAL', message => '" \\n"'],
    ['id with white space', json(message => '""', id => '" a "'),
        summary => ' a  is CRITICAL', key => ' a '],
    ['id with a line feed', json(message => '""', id => '"ep:ep\\nhost=a"'),
        summary => "ep:ep\nhost=a is CRITICAL", key => "ep:ep\nhost=a"],
);

$c->webhook("summary: $_->[0]", @$_[1 .. $#$_]) for @summaries;


# The whole of one event, as it leaves

my $whole = $c->webhook('one event', json(time => '"2026-03-01T08:15:31Z"',
    details => '"<b>x</b>"', data => series('"2026-03-01T08:15:30Z",1.50',
    '"2026-03-01T08:15:31Z",2')), details => 'x');

is($whole->{request}{body}, '{"integrationKey":"il1api00c0ffee",'
    . '"eventType":"ALERT","summary":"cpu is high","details":"x",'
    . '"alertKey":"cpu:host=a","customDetails":{"id":"cpu:host=a",'
    . '"level":"CRITICAL","previousLevel":"OK","time":"2026-03-01T08:15:31Z",'
    . '"duration":0,"message":"cpu is high","measurement":"cpu",'
    . '"tags":{"host":"a"},"fields":{"v":2},"rows":[{"time":'
    . '"2026-03-01T08:15:30Z","measurement":"cpu","tags":{"host":"a"},'
    . '"fields":{"v":1.50}}]}}', 'one event, byte for byte');


# Details: Kapacitor's dump; details.t has the user's

sub dump_of {
    my (%member) = @_;

    my %all = (Name => '"cpu"', TaskName => '"t1"', Group => '"host=a"',
        Tags => '{"host":"a"}', ServerInfo => '{"Hostname":"k1",'
        . '"ClusterID":"c","ServerID":"s"}', ID => '"cpu:host=a"',
        Fields => '{"v":1e&#43;21}', Level => '"CRITICAL"',
        Time => '"2026-03-01T08:15:30Z"', Duration => '0',
        Message => '"it is"', %member);
    my $dump = '{' . join(',', map { qq("$_":$all{$_}) }
        grep { defined $all{$_} } qw(Name TaskName Group Tags ServerInfo ID
        Fields Level Time Duration Message)) . "}\n";

    $dump =~ s/"/&#34;/g;
    $dump =~ s/'/&#39;/g;

    return $dump;
}

my %none = (task => undef, group => undef, server => undef);

my @dumps = (
    ['as of 1.4 on', dump_of(), details => undef, task => '"t1"',
        group => '"host=a"', server => '"k1"'],
    ['as of 1.3', dump_of(Duration => undef), server => '"k1"'],
    ['up to 1.2: no server', dump_of(Duration => undef, ServerInfo => undef),
        details => undef, task => '"t1"', server => undef],
    ['without a name', dump_of(Name => undef), task => '"t1"'],
    ['an empty task and group', dump_of(TaskName => '""', Group => '""'),
        task => '""', group => '""'],
    ['a server without a host name', dump_of(ServerInfo => '{}'),
        server => undef, task => '"t1"'],
    ['a server that is none', dump_of(ServerInfo => '"k1"'),
        server => undef, task => '"t1"'],
    ['a host name that is none', dump_of(ServerInfo => '{"Hostname":7}'),
        server => undef, task => '"t1"'],
    ['tags null', dump_of(Tags => 'null', Group => '"nil"'),
        group => '"nil"'],
    ['escaped twice', dump_of(Group => '"a=\\&#34;b\\&#34;&amp;\\u003c"',
        TaskName => '"t\'1&lt;x&gt;"'), task => '"t\'1<x>"'],
    ['not escaped', dump_of() =~ s/&#34;/"/gr, details => undef,
        task => '"t1"'],
    ['escaped by name', dump_of() =~ s/&#34;/&quot;/gr, details => undef,
        task => '"t1"'],
    ['escaped in hex', dump_of() =~ s/&#34;/&#x22;/gr, details => undef,
        task => '"t1"'],
    ['with white space around', "\n  " . dump_of() . "  \n",
        details => undef, task => '"t1"'],
    ['in UTF-8', dump_of(TaskName => '"täsk☃😀"'), task => '"täsk☃😀"'],
    ['without the task', dump_of(TaskName => undef), %none],
    ['without the group', dump_of(Group => undef), %none],
    ['without the id', dump_of(ID => undef), %none],
    ['without the level', dump_of(Level => undef), %none],
    ['with a task that is a number', dump_of(TaskName => '1'), %none],
    ['with a name that is null', dump_of(Name => 'null'), %none],
    ['cut', substr(dump_of(), 0, -20), %none],
    ['and more', dump_of() . 'see the wiki', %none],
    ['in a paragraph', '<p>' . dump_of() . '</p>', %none],
    ['in an array', '[' . dump_of() . ']', %none],
    ['an object of the user\'s', '{"cpu":1}', details => '{"cpu":1}', %none],
    ['an empty object', '{}', details => '{}', %none],
    ['a brace', '{', details => '{', %none],
);

for (@dumps) {
    my ($what, $details, %want) = @$_;

    utf8::encode($_) for grep { defined } values %want;

    $c->webhook("dump $what", json(details => string($details)), %want);
}


# The cap

sub rows {
    my ($n, $columns, $text) = @_;

    my @names = map { "column_$_" } 1 .. $columns;

    return '{"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time",'
        . join(',', map { qq("$_") } @names) . '],"values":['
        . join(',', map { my $row = $_;
              sprintf '["2026-03-01T08:%02d:%02d.%03dZ",%s]',
                  int($row / 60) % 60, $row % 60, $row % 1000,
                  join ',', map { $_ % 5 ? "$row.$_" : string($text) }
                            1 .. $columns } 0 .. $n - 1) . ']}]}';
}

sub fields {
    my ($n, $text) = @_;

    return '{"series":[{"name":"cpu","columns":["time",'
        . join(',', map { qq("f$_") } 1 .. $n) . '],"values":[["t",'
        . join(',', map { $text } 1 .. $n) . ']]}]}';
}

# 1, 2, 3 and 4 bytes a character, and what doubles or grows when escaped
my %text = (ascii => 'x', latin => 'é', snow => '☃', smile => '😀',
            mixed => 'aé☃😀', quote => '"', slash => '\\', control => "\x01",
            lines => "x\n");

for my $k (@SIZES) {
    my $max = $k * 1024;
    my @opt = (uri => "/${k}k", max => $max);

    my $r = $c->webhook("$k kB: a small event", json(), @opt,
                        truncated => undef);

    for my $n (10, 100, 1000) {
        $r = $c->webhook("$k kB: $n rows", json(data => rows($n, 4, 'é')),
                         @opt);
        size($r, $max) if $n == 1000;
    }

    $r = $c->webhook("$k kB: 10000 fields", json(data => fields(10000, '1')),
                     @opt, truncated => 'true');

    $r = $c->webhook("$k kB: a long field", json(data => fields(3,
        '"' . 'y' x 70000 . '"')), @opt, truncated => 'true');

    for my $name (sort keys %text) {
        my $text = string($text{$name} x (70000 / length $text{$name}));

        # details lose their control characters

        for ('message', $name eq 'control' ? () : 'details') {
            $r = $c->webhook("$k kB: long $_ of $name", json($_ => $text),
                             @opt, truncated => 'true', key => 'cpu:host=a',
                             rows => undef);
            size($r, $max);
        }
    }

    $r = $c->webhook("$k kB: everything long", json(data => rows(50, 50,
        'é' x 100), map { $_ => string("$_☃" x 20000) }
        qw(message details previousLevel time)), @opt, truncated => 'true');
    size($r, $max);

    # an ALERT and its RESOLVE must name the same alert
    my @keys = map {
        my ($level, $message) = @$_;

        $r = $c->webhook("$k kB: a long id, $level", json(level =>
            qq("$level"), id => string('kéy' x 30000), message =>
            string($message)), @opt, truncated => 'true');
        size($r, $max);
        $r->{event} ? $r->{event}->get('alertKey') : $level;
    } ['CRITICAL', 'short'], ['OK', 'ö' x 50000];

    is($keys[0], $keys[1], "$k kB: a long id, one alert");

    # ids that differ at their ends are different alerts
    @keys = map {
        $r = $c->webhook("$k kB: a long id that ends in $_", json(id =>
            string('key' x 30000 . $_)), @opt, truncated => 'true');
        $r->{event} ? $r->{event}->get('alertKey') : '';
    } 'a', 'b';

    isnt($keys[0], $keys[1], "$k kB: long ids, two alerts");

    # whether a webhook is cut does not change its alert
    for my $n (100, 300, 600, 1000, 1500, 2000, 3000, 3500) {
        my $id = string('i' x $n . 'ü');

        @keys = map { $_->{event} ? $_->{event}->get('alertKey') : $_->{n} }
            $c->webhook("$k kB: an id of $n and a long message", json(id =>
                $id, message => string('m' x 70000)), @opt),
            $c->webhook("$k kB: an id of $n", json(id => $id,
                level => '"OK"'), @opt);

        is($keys[0], $keys[1], "$k kB: an id of $n, one alert");
    }

    $r = $c->webhook("$k kB: many tags", json(data => '{"series":[{"name":"m",'
        . '"tags":{' . join(',', map { qq("tag$_":"value$_") } 1 .. 5000)
        . '},"columns":["time"],"values":[["t"],["u"]]}]}'), @opt,
        truncated => 'true');

    $r = $c->webhook("$k kB: a long name and a long tag", json(id => '""',
        data => '{"series":[{"name":"' . 'n' x 40000 . '","tags":{"t":"'
        . 'v' x 40000 . '"},"columns":["time"],"values":[["t"]]}]}'), @opt,
        truncated => 'true');
}


# Around the cap: nothing is cut until it must be.  A message counts twice,
# in the summary and in customDetails.

my $base = length(IlertMap::encode(IlertMap::expect(
    json(message => '""', id => '"k"', data => undef))->{event}))
    - length('k is CRITICAL');
my $room = 4096 - $base;

for my $n (int($room / 2) - 6 .. int($room / 2) + 6) {
    my $fits = $base + 2 * $n <= 4096;

    $c->webhook("4 kB: a message of $n, " . ($fits ? 'fits' : 'cut'),
                json(message => '"' . 'm' x $n . '"', id => '"k"',
                     data => undef), uri => '/4k', max => 4096,
                truncated => $fits ? undef : 'true');
}

# the cut falls on every byte of a character
for my $name (qw(latin snow smile mixed quote slash control)) {
    for my $n (0 .. 7) {
        my $r = $c->webhook("4 kB: $name cut after $n", json(message =>
            string('a' x $n . $text{$name} x 3000)), uri => '/4k',
            max => 4096, truncated => 'true');
        size($r, 4096);
    }
}


# A cut event wastes little of its room.

sub size {
    my ($r, $max) = @_;

    cmp_ok(length($r->{json} // ''), '>', $max / 2, 'the room is used');
}


# Large webhooks

my $big = $c->webhook('a batch of 100 rows and 40 columns',
                      webhook('30-big-batch-01-CRITICAL'),
                      truncated => undef);
is(scalar @{$big->{event}->get('customDetails')->get('rows')}, 99, 'all rows');

my $huge = json(data => rows(6000, 25, 'some text'));
cmp_ok(length $huge, '>', 1_300_000, 'a webhook of 1.4 MB');
$c->webhook('6000 rows and 25 columns', $huge, truncated => 'true');

$c->webhook('a string of 1.4 MB', json(message => '"' . '\\u00e9' x 233_000
                                       . '"'), truncated => 'true');
$c->webhook('100000 numbers', json(x => '[' . '1,' x 99_999 . '1]'));
$c->webhook('30000 empty series', json(data => '{"series":['
    . join(',', ('{}') x 30_000) . ']}'));
$c->webhook('30000 rows of one null', json(data => '{"series":[{"columns":'
    . '["v"],"values":[' . join(',', ('[null]') x 30_000) . ']}]}'),
    truncated => 'true');


# Made by chance

my $seed = IlertRandom::seed();

for my $n (1 .. $ENV{TEST_RANDOM} // 300) {
    my $body = IlertRandom::webhook();
    my $bad = chance(0.1) ? 1 : 0;
    my $size = chance(0.2) ? pick(@SIZES) : 0;

    $body = IlertRandom::spoilt($body) if $bad;

    $c->webhook("TEST_SEED=$seed, webhook $n", $body,
                $size ? (uri => "/${size}k", max => $size * 1024) : ());
}


done();
