#!/usr/bin/perl

# Kapacitor's answers about its topics, without nginx's requests: real ones in
# pieces of any size, and what is no such answer; and the webhook that is made
# of a state, which has to say what the real one said.  t/topics/topics_test.c
# is loaded by an nginx, for nginx's own functions.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use File::Temp qw(tempdir);
use IPC::Open2;
use JSON::PP ();
use Test::More;

use IlertTest qw(done slurp top webhook webhooks);

my @PIECES = (1, 2, 7, 1 << 24);
my $DATA = "$FindBin::Bin/data/kapacitor-api";

my $json = JSON::PP->new->utf8->canonical->allow_nonref->allow_bignum;

my ($to, $from, $pid) = driver();


# Reading ------------------------------------------------------------------

my %answer = map { m{/api-([^/]+)\.json\z} ? ($1 => slurp($_)) : () }
    glob "$DATA/*.json";

for my $name (sort keys %answer) {
    next unless $name =~ /^events-(?!disabled)|^topics$/;

    my $kind = $name eq 'topics' ? 'topics' : 'events';
    my $is = $json->decode($answer{$name});

    subtest "$name, in pieces" => sub {
        for my $piece (@PIECES) {
            my ($end, @elements)
                = order($kind, $piece, $answer{$name}, $is->{topic} // '-');

            is($end, 'ok', "pieces of $piece");
            is_deeply([map { plain($_) } @elements],
                [map { wanted($kind, $_) } @{$is->{$kind}}], 'all elements');
        }
    };
}

ok(@{$json->decode($answer{topics})->{topics}} > 3, 'there are topics');

# what is a string in Go, and nothing but a number in nanoseconds

subtest 'times' => sub {
    for (['2026-11-30T00:45:01.260823997Z', '1795999501260823997'],
         ['2026-11-30T02:45:01.26+02:00', '1795999501260000000'],
         ['1969-12-31T23:59:59.5Z', '-500000000'],
         ['2262-04-11T23:47:15.999999999Z', '9223372035999999999'],
         ['2262-04-11T23:47:16Z', '-9223372036854775808'],
         ['1677-09-21T00:12:44Z', '-9223372036000000000'],
         ['1677-09-21T00:12:43Z', '-9223372036854775808'],
         ['0001-01-01T00:00:00Z', '-9223372036854775808'])
    {
        my ($time, $ns) = @$_;
        my ($end, $el) = order('events', 64, events(state(time => $time)));

        is($end, 'ok', $time);
        is("$el->{ns}", $ns, 'ns since 1970');

        my ($same, $webhook) = order('webhook', 0, $el->{body});
        is("$webhook->{ns}", $ns, 'and so says the webhook');
    }
};

# what a string may have in it

subtest 'strings' => sub {
    for ('', ' ', '"', "\\", "a\\\"b", "\x{e4}\x{1f525}\n\t", '{"', ']}',
        'x' x 10000, "\\" x 4095, '&#34;', '<b>', "\x7f\x01")
    {
        my $text = events(state(id => $_, message => $_, details => $_));

        for my $piece (@PIECES) {
            my ($end, $el) = order('events', $piece, $text);

            is($end, 'ok', 'read');
            is_deeply([@$el{qw(id message details)}], [$_, $_, $_],
                'the same');
        }
    }
};

subtest 'other forms of the same' => sub {
    my $state = state();
    my $other = '"x":[{"events":[1]},null,-1.5e3,"\\u0022]"],"y":12,"z":true';

    for (qq({"events":[$state],$other}), qq({$other,"events":[$state]}),
        qq( \r\n\t{"events" : [ $state ] ,"topic" :"t" }\n\n),
        qq({"\\u0065vents":[$state]}))
    {
        for my $piece (@PIECES) {
            my ($end, @elements) = order('events', $piece, $_);
            is("$end, " . @elements, 'ok, 1', substr $_, 0, 30);
        }
    }

    is((order('events', 1, '{"events":[]}'))[0], 'ok', 'no alerts');
    is((order('topics', 1, '{"topics":[]}'))[0], 'ok', 'no topics');
};

my $link = '"link":{"rel":"self"},';
my $large = 'x' x (1024 * 1024);
my $topic = qq({"id":"t","collected":7});

for (['events', '', 'incomplete'],
     ['events', "\n", 'incomplete'],
     ['events', '<html>', 'not an object'],
     ['events', '[]', 'not an object'],
     ['events', 'null', 'not an object'],
     ['events', "\xef\xbb\xbf{}", 'not an object'],
     ['events', $answer{'events-disabled'}, 'an error, and no list'],
     ['topics', '{"error":"unable to parse authentication credentials",'
        . '"message":"x"}', 'an error, and no list'],
     ['events', '{"events":[],"error":"late"}', 'an error, and no list'],
     ['events', $answer{'event-slash'}, 'no list "events"'],
     ['events', $answer{'event-one'}, 'no list "events"'],
     ['events', $answer{topics}, 'no list "events"'],
     ['topics', $answer{'events-ops'}, 'no list "topics"'],
     ['topics', '{}', 'no list "topics"'],
     ['events', '{"events":null}', '"events" is not one list'],
     ['events', '{"events":{}}', '"events" is not one list'],
     ['topics', '{"topics":"none"}', '"topics" is not one list'],
     ['events', '{"events":[],"events":[]}', '"events" is not one list'],
     ['events', '{"events":[1]}', 'an element is not an object'],
     ['events', '{"events":[null]}', 'an element is not an object'],
     ['events', '{"events":[[]]}', 'an element is not an object'],
     ['events', '{"events":[,]}', 'an element is not an object'],
     ['events', '{"events":[' . state() . ',]}',
        'an element is not an object'],
     ['events', '{"events":[' . state() . state() . ']}', 'not JSON'],
     ['events', '{"events":[{]}}', 'not JSON'],
     ['events', '{"events":[{"id":"a" "state":{}}]}', 'not JSON'],
     ['events', '{"events":[]]', 'not JSON'],
     ['events', '{"events":[]}}', 'not JSON'],
     ['events', '{"events":[]}{"events":[]}', 'not JSON'],
     ['events', '{"events":[],}', 'not JSON'],
     ['events', '{,"events":[]}', 'not JSON'],
     ['events', '{events:[]}', 'not JSON'],
     ['events', '{"events"[]}', 'not JSON'],
     ['events', '{"events" "x"}', 'not JSON'],
     ['events', '{"a":tru,"events":[]}', 'not JSON'],
     ['events', '{"a":01,"events":[]}', 'not JSON'],
     ['events', '{"a":,"events":[]}', 'not JSON'],
     ['events', '{"a":}', 'not JSON'],
     ['events', '{"a":]}', 'not JSON'],
     ['events', '{"a":1"b"}', 'not JSON'],
     ['events', '{"a":"\\x","events":[]}', 'not JSON'],
     ['events', '{"a":"' . "\n" . '","events":[]}', 'not JSON'],
     ['events', '{"a":[1}],"events":[]}', 'not JSON'],
     ['events', '{"events":[{}]}', 'an alert has no id'],
     ['events', '{"events":[{"id":7}]}', 'an alert has no id'],
     ['events', '{"events":[{"id":"a"}]}', 'an alert has no state'],
     ['events', '{"events":[{"id":"a","state":[]}]}',
        'an alert has no state'],
     (map { ['events', events(state($_ => undef)),
             'the state of an alert is not complete'] }
         qw(message details time duration level)),
     ['events', events(state(time => 7)),
        'the state of an alert is not complete'],
     ['events', events(state(time => 'now')),
        'an alert has a time that cannot be read'],
     ['events', events(state(level => 'BAD')),
        'an alert has a level that is none'],
     ['events', events(state(level => 'ok')),
        'an alert has a level that is none'],
     ['events', events(state(details => $large)), 'an element is too large'],
     ['events', qq({"x":"$large","events":[]}), 'an element is too large'],
     ['events', qq({"$large":1,"events":[]}), 'an element is too large'],
     ['topics', '{"topics":[{}]}', 'a topic has no id'],
     ['topics', '{"topics":[{"id":""}]}', 'a topic has no id'],
     (map { ['topics', '{"topics":[{"id":"t"' . $_ . '}]}', 'a topic does not '
                . 'say how many events it has collected'] }
         '', ',"collected":null', ',"collected":-1', ',"collected":1.5',
         ',"collected":"7"', ',"collected":99999999999999999999'))
{
    my ($kind, $text, $error) = @$_;

    my @ends = map { (order($kind, $_, $text))[0] }
        length $text < 100000 ? @PIECES : @PIECES[2, 3];

    is_deeply(\@ends, [($error) x @ends],
        "$error: " . ($text =~ s/\s+/ /gr =~ s/\A(.{30}).*/$1/r));
}

# wherever the answer ends too early

for ('events', 'topics') {
    my $text = $_ eq 'events' ? events(state()) : qq({"topics":[$topic]});
    my @other = grep { (order($text =~ /events/ ? 'events' : 'topics', 5,
                        substr $text, 0, $_))[0] ne 'incomplete' }
        1 .. length($text) - 1;
    is("@other", '', "$_: incomplete wherever it ends");
}

# what the fuzzer has found

for my $file (glob "$FindBin::Bin/fuzz/topics/*") {
    for my $kind ('topics', 'events') {
        my @ends = map { (order($kind, $_, slurp($file)))[0] } @PIECES;
        is_deeply(\@ends, [($ends[0]) x @ends], "$file, $kind: $ends[0]");
    }
}

subtest 'the topic that was asked for' => sub {
    my $ops = $answer{'events-ops'};
    my $none = events(state());
    my $late = $none =~ s/\}\z/,"topic":"x"}/r;

    is((order('events', 7, $ops, 'ops'))[0], 'ok', 'it');
    is((order('events', 7, $ops, 'op'))[0], 'another topic', 'another one');
    is((order('events', 7, $none, 'ops'))[0], 'no "topic"', 'none');
    is((order('events', 7, $late, 'x'))[0], 'ok', 'behind the events');
    is((order('events', 7, $late, 'ops'))[0], 'another topic', 'another one');
    is((order('events', 7, '{"topic":7,"events":[]}', '7'))[0],
        'another topic', 'a number');
};

my ($end, @before) = order('fail', 2, events(state(), state(), state()));
is("$end, " . @before, 'failed, 1', 'a handler that fails ends it');


# The webhook of a state ---------------------------------------------------

# A capture becomes the answer that Kapacitor would give, and that a webhook.

my $dumps = 0;

for my $name (webhooks()) {
    my $body = webhook($name);
    my $is = eval { $json->decode($body) };

    next if ref $is ne 'HASH' || grep { !defined $is->{$_} || ref $is->{$_} }
        qw(id message details time duration level);
    next if $is->{level} !~ /^(?:OK|INFO|WARNING|CRITICAL)\z/;

    my ($end, $el) = order('events', 100, events(state(
        (map { $_ => $is->{$_} } qw(id message details time level)),
        duration => sprintf('%.9fs', $is->{duration} / 1e9))));

    my ($said, $real) = map { (order('webhook', 0, $_))[1] }
        $el->{body}, $body;
    my $made = $json->decode(encode($el->{body}));

    subtest $name => sub {
        is($end, 'ok', 'read');

        is_deeply([map { "$made->{$_}" } qw(id message details time duration
                                           level previousLevel)],
            [(map { "$is->{$_}" } qw(id message details time duration level)),
             'WARNING'], 'it says the same');

        is($said->{odd}, undef, 'nothing is odd');
        is($said->{$_}, $real->{$_}, $_)
            for qw(digest ns task group server);
        is($said->{digest}, digest($said->{ns}, $is), 'its digest');
        return if $is->{id} !~ /\S/;

        is($said->{key}, $real->{key}, 'key');
        is($said->{test}, $real->{test}, 'no test');

        my $first = $json->decode(encode($el->{first}));
        ok(!exists $first->{previousLevel}, 'without a level before it');

        if (!defined $real->{task}) {
            ok(!exists $made->{data}, 'no dump: no data');
            return;
        }

        my ($one) = @{$made->{data}{series}};
        my @real = @{$is->{data}{series} // []};

        # the series and the row that set it off, if it is a batch

        my ($of) = grep { same($_->{tags} // {}, $one->{tags} // {}) } @real;

        is(scalar @{$made->{data}{series}}, 1, 'one series');
        is($one->{name}, $real->{name}, 'its name');
        is_deeply($one->{tags} // {}, ($of // {})->{tags} // {}, 'its tags');
        is(scalar @{$one->{values}}, 1, 'one row');

        # A batch has columns for tags, and none for a field that its first
        # point has not.

        my %made = row($one, $one->{values}[0]);
        my %has = map { $_ => 1 } @{$of->{columns}};
        my @both = grep { $has{$_} && $_ ne 'time' } sort keys %made;

        is_deeply($one->{columns}, $of->{columns}, 'its columns')
            if @{$of->{values}} == 1;
        ok(@both > 0, 'its fields');

        my @rows = grep {
            my %row = row($of, $_);
            same([@row{@both}], [@made{@both}]);
        } @{$of->{values}};

        ok(@rows > 0, 'its values');
        is($made{time}, $is->{time}, 'its time');

        $dumps++;
    };
}

cmp_ok($dumps, '>', 20, 'many have a dump');

# a dump that says less, or what is none

for (['no fields', '"Fields":null', sub { !exists $_[0]{columns} }],
     ['fields missing', '"x":1', sub { !exists $_[0]{columns} }],
     ['fields that are no JSON', '"Fields":{"a":x}',
        sub { !exists $_[0]{columns} }],
     ['no field', '"Fields":{}',
        sub { same($_[0]{columns}, ['time']) && @{$_[0]{values}[0]} == 1 }],
     ['tags that are a list', '"Tags":["a"]', sub { !exists $_[0]{tags} }],
     ['many fields', '"Fields":{' . join(',', map { qq("f$_":$_) } 1 .. 999)
        . '}', sub { same($_[0]{columns}, ['time', map { "f$_" } 1 .. 999])
                     && same($_[0]{values}[0][999], 999) }],
     ['many tags', '"Tags":{' . join(',', map { qq("t$_":"$_") } 1 .. 999)
        . '}', sub { keys %{$_[0]{tags}} == 999 }],
     ['large numbers', '"Fields":{"a":123456789012345678901234,"b":1.50,'
        . '"c":null,"d":"\\u0022"}',
        sub { same([map { "$_" } @{$_[0]{values}[0]}[1, 2]],
                   ['123456789012345678901234', '1.50']) }])
{
    my ($what, $member, $want) = @$_;

    my $details = '{"Name":"m","TaskName":"t","Group":"g","ID":"i","Level":'
        . '"OK",' . $member . '}';
    my ($end, $el)
        = order('events', 9, events(state(details => $details)));
    my ($refused, $webhook) = order('webhook', 0, $el->{body});

    is("$end, $refused", 'ok, ok', "$what: a webhook");

    # a number as it stands, for JSON::PP would make another one of it

    my $text = $el->{body} =~ s/(?<=[\[,])(\d{20,}|1\.50)(?=[,\]])/"$1"/gr;
    ok($want->($json->decode(encode($text))->{data}{series}[0]), $what);
}


# What it becomes ----------------------------------------------------------

subtest 'an event that was reconciled says so' => sub {
    my (undef, $el) = order('events', 100, $answer{'events-threshold'});

    for my $max (65536, 4096) {
        my (undef, $webhook) = order('event', $max, $el->{body});
        my $event = $json->decode(encode($webhook->{event}));

        is($event->{customDetails}{reconciled}, JSON::PP::true, "in $max");
        is($event->{customDetails}{tags}{host}, 'web01', 'with its tags');
        like($webhook->{event}, qr/"server":"[^"]*","reconciled":true,"tags"/,
            'where the reference has it');
    }

    my $long = "\x01" x 100000;
    my (undef, $webhook) = order('event', 4096, $json->encode({ id => $long,
        map({ $_ => $long } qw(message time)), level => 'OK',
        duration => 1, previousLevel => $long, data => { series => [{
            name => $long, tags => { $long => $long } }] } }));

    cmp_ok(length $webhook->{event}, '<=', 4096, 'however large it is');
    like($webhook->{event}, qr/"reconciled":true.*"truncated":true\}\}\z/s,
        'it says so');
};

subtest 'what tells copies' => sub {
    my %of;

    for (['id', 'other'], ['details', 'other'], ['duration', '5s'],
         ['time', '2026-11-30T01:00:00.0+01:00'], [])
    {
        my (undef, $el) = order('events', 99, events(state(@$_)));
        $of{(order('webhook', 0, $el->{body}))[1]{digest}}++;
    }

    is(scalar keys %of, 1, 'neither id nor details nor duration');

    for (['message', 'other'], ['level', 'OK'],
         ['time', '2026-11-30T00:00:00.000000001Z'])
    {
        my (undef, $el) = order('events', 99, events(state(@$_)));
        $of{(order('webhook', 0, $el->{body}))[1]{digest}}++;
    }

    is(scalar keys %of, 4, 'message, level, and time');
};


# How fast -----------------------------------------------------------------

my @states = map { state(id => "cpu:host=web$_", details => '&' x 1000) }
    1 .. 2000;
my ($ended, $time) = order('time', 1, events(@states));

is($ended, 'ok', 'many alerts');

# a sanitizer keeps what was freed

cmp_ok($time->{kilobytes}, '<', 1024, 'in little memory')
    unless IlertTest::binary() =~ m{/asan/};

close $to;
waitpid $pid, 0;
is($?, 0, 'nginx was content');

done_testing();


# Builds the driver, and starts nginx with it.  In nginx's own tree the headers
# are next to the program; those of the installed one are known to "make".

sub driver {
    my $nginx = IlertTest::binary();
    my ($tree) = $nginx =~ m{\A(.*)/objs/[^/]+\z};
    my ($src, $objs) = defined $tree
        ? ("$tree/src/src", "$tree/objs")
        : ('/usr/share/nginx/src/src', top() . '/build/installed/objs');
    my $module = $ENV{ILERT_MODULE}
        // top() . '/build/ngx_http_ilert_module.so';

    plan(skip_all => "no headers of $nginx")
        unless -e "$src/core/nginx.h" && -e "$objs/ngx_auto_config.h";

    mkdir top() . '/build/t';
    my $dir = tempdir('topics-XXXXXX', DIR => top() . '/build/t',
                      CLEANUP => 1);
    my @include = map { "-I '$_'" } top() . '/ngx_http_ilert_module/event',
        $objs, map { "$src/$_" }
               qw(core event event/modules event/quic os/unix);

    my $cc = $ENV{CC} || 'cc';
    my $text = `$cc -shared -fPIC -g -O1 -W -Wall -Wno-unused-parameter \\
        -Werror @include -o '$dir/topics.so' \\
        '$FindBin::Bin/topics/topics_test.c' 2>&1`;

    is($?, 0, 'the driver is built')
        or do { diag($text); done_testing(); exit };

    local $ENV{LD_PRELOAD} = join ':', grep { length } $module,
        "$dir/topics.so";
    local $ENV{ASAN_OPTIONS} = join ':', grep { length }
        $ENV{ASAN_OPTIONS} // '', 'verify_asan_link_order=0';

    my $pid = open2(my $from, my $to, $nginx);
    binmode $_ for $from, $to;

    return ($to, $from, $pid);
}

sub order {
    my ($name, $number, $text, $topic) = @_;
    my @lines;

    $text = encode($text);

    local $SIG{PIPE} = 'IGNORE';
    printf $to "%s %d %d %s\n%s", $name, $number, length $text,
        $topic // '-', $text;
    $to->flush;

    while (defined(my $line = <$from>)) {
        my $object = $json->decode($line);

        push @lines, $object if !exists $object->{last};
        return ($object->{end}, @lines) if exists $object->{end};
    }

    BAIL_OUT("the driver died of $name");
}

sub encode {
    my ($text) = @_;

    utf8::encode($text) if utf8::is_utf8($text);
    return $text;
}

# as it is in all releases: in the database those of an older one are found

sub digest {
    my ($ns, $is) = @_;
    my %number = (OK => 0, INFO => 1, WARNING => 2, CRITICAL => 3);

    return substr md5_hex(sprintf('%u', $ns) . " $number{$is->{level}}:"
        . encode($is->{message})), 0, 16;
}

sub row {
    my ($series, $values) = @_;
    my @columns = @{$series->{columns}};
    return map { $columns[$_] => $values->[$_] } 0 .. $#columns;
}

sub same { $json->encode($_[0]) eq $json->encode($_[1]) }

# an alert of an answer, as Go writes it; undef leaves a member out

sub state {
    my %of = (id => 'cpu:host=a', message => 'm', details => 'd', time =>
        '2026-11-30T00:00:00Z', duration => '1m3s', level => 'CRITICAL', @_);
    my $id = delete $of{id};

    delete $of{$_} for grep { !defined $of{$_} } keys %of;

    return $json->encode({ id => $id, state => \%of })
        =~ s/([&<>])/sprintf '\\u%04x', ord $1/ger;
}

sub events { return '{"events":[' . join(',', @_) . ']}' }

sub plain {
    my ($el) = @_;
    return { map { $_ => "$el->{$_}" } grep { exists $el->{$_} }
             qw(id collected message details time duration level) };
}

sub wanted {
    my ($kind, $el) = @_;

    return { map { $_ => "$el->{$_}" } qw(id collected) }
        if $kind eq 'topics';
    return { id => $el->{id}, %{$el->{state}} };
}
