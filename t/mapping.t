#!/usr/bin/perl

# The mapping directives: what they make of a webhook, at which level, of
# which values, and what becomes of bad ones.  Sources with a webhook URL are
# in native.t, nginx -t is in mapping_conf.t.

use warnings;
use strict;

use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

use IlertCheck;
use IlertFake;
use IlertMap;
use IlertTest;

*json = \&IlertCheck::json;
*series = \&IlertCheck::series;

binmode Test::More->builder->$_, ':utf8'
    for qw(output failure_output todo_output);

my $OPS = 'il1api5ec4e7c01';
my $DBA = 'il1api5ec4e7c02';
my $ID = 'cpu:host=a';

my $fake = IlertFake->start(keys => { $OPS => 'api', $DBA => 'api' });

my $HTTP = <<"CONF";
    client_body_buffer_size 2m;
    ilert_source ops { integration_key $OPS; }
    ilert_source dba { integration_key $DBA; }
CONF

my $string = JSON::PP->new->utf8->allow_nonref;

sub string { $string->encode($_[0]) }
sub bytes { IlertMap::bytes($_[0]) }


# Locations are written from what IlertMap takes; %MAPPING has it by path.

my (%MAPPING, $locations);

sub location {
    my ($name, $mapping, %opt) = @_;

    my ($path) = $opt{path} // $name =~ /(\S+)$/;
    my $source = $opt{source} // 'ops';
    my $more = $opt{more} // '';

    $MAPPING{$path} = { source => $source, sources => [qw(ops dba)],
                        %$mapping };
    $locations .= "location $name {\nilert_kapacitor $source;\n"
                  . IlertMap::directives(%$mapping) . "$more}\n";
}


# Values that need care.

my %NASTY = (
    plain => 'plain text',
    quotes => q("it's" \\"quoted\\"),
    backslash => 'C:\\new\\table\\',
    json => '{"a":["b",null]}',
    html => '<b>&amp;</b>&#34;',
    percent => '%41%22%zz',
    slash => 'a/b',
    controls => "\x01\x02\x08\x0b\x0c\x1b\x1f",
    delete => "a\x7fb",
    tab => "a\tb",
    lines => "one\ntwo\r\nthree\r",
    latin => bytes('grün'),
    japanese => bytes('日本語'),
    emoji => bytes('😀👩‍👩‍👧'),
    separators => bytes("a\x{2028}\x{2029}\x{85}b"),
    bom => "\xef\xbb\xbfx",
    last => bytes("\x{10ffff}\x{ffff}"),
    bad => "a\xffb\xfe",
    lone => "a\x80\xbfb",
    cut => "a\xf0\x9f\x98",
    cuts => "\xe2\x82x\xc3",
    surrogate => "\xed\xa0\x80",
    overlong => "\xc0\xaf\xe0\x80\xaf",
    beyond => "\xf5\x80\x80\x80\xf4\x90\x80\x80",
    nul => "a\0b\0",
    dollar => 'a$b ${c} $',
);


# What is made of one webhook ---------------------------------------------

location('/all', {
    event_type => 'COMMENT', summary => 'a summary', details => '<b>x</b>',
    alert_key => 'the key', priority => 'LOW', severity => '2',
    routing_key => 'first,second',
    label => [[team => 'dba'], ['a b' => 'c "d"']],
    custom_detail => [[stage => 'prod'], [by => 'nginx']],
    link => [['https://a/'], ['https://b/', 'B']],
    image => [['https://i/'], ['https://j/', 'https://k/'],
              ['https://l/', 'https://m/', 'M']],
    service => [['shop'], ['mail']],
    comment => [['one'], ["two\nlines"]],
});

location('/none', {});

location('/empty', {
    (map { $_ => '' } qw(event_type summary details alert_key priority
                         severity routing_key)),
    label => [[a => ''], [b => '']], custom_detail => [[c => '']],
    link => [[''], ['', 'text']], image => [[''], ['', 'a', 'b']],
    service => [[''], ['']], comment => [['']],
});

location('/void', {
    (map { $_ => '$arg_void$kapacitor_tag_void' } qw(event_type summary
        details alert_key priority severity routing_key)),
    label => [[a => '$arg_void'], ['$arg_void' => 'b'], [c => '3']],
    custom_detail => [['$arg_void', 'x'], [d => '$arg_void'], [e => '5']],
    link => [['$arg_void'], ['$arg_void', 'text'], ['h', '$arg_void'],
             ['h$arg_void', 't']],
    image => [['$arg_void', 'a', 'b'], ['s', '$arg_void'],
              ['s', '$arg_void', 'alt'], ['s', 'h', '$arg_void'],
              ['s', '$arg_void', '$arg_void']],
    service => [['$arg_void'], ['s']],
    comment => [['$arg_void'], ['c']],
});

location('/blank', {
    alert_key => " \t\r\n", summary => ' ', details => "\n",
    routing_key => ' ', label => [[' ' => ' ']],
});

location('/twice', {
    label => [[a => 1], [b => 2], [a => 3], [c => ''], [b => ''], [A => 4],
              ['a ' => 5]],
    custom_detail => [[x => 1], ['$arg_name' => 'named'], [x => ''],
                      [z => 'z'], ['y' => 2], ['z' => 3]],
    link => [['same'], ['same'], ['same', 'x']],
    service => [['s'], ['s']], comment => [['c'], ['c']],
});

my @OURS = qw(id level previousLevel time duration message measurement task
    group server tags fields rows truncated);

location("/ours/$_", { custom_detail => [[$_ => 'mine'], [more => 1]] })
    for @OURS;
location('/ours', { custom_detail => [map { [$_ => "my $_"] } @OURS] });
location('/ours-not', { custom_detail => [map { [$_ => ''] } @OURS] });

location('/bytes', { label => [["a\xff" => 1], ["a\xfe" => 2],
                               ["a\xff" => 3]] });


# Variables

my @TEXTS = qw(id message details details_text time duration level
    previous_level recoverable name task group server id_md5 tag_host
    tag_HOST tag_cpu tag_none field_usage field_none);

location('/variables', {
    summary => '$kapacitor_level: $kapacitor_message ($kapacitor_name)',
    details => '${kapacitor_details}',
    alert_key => '$kapacitor_task/$kapacitor_group/$kapacitor_id_md5',
    priority => '$priority',
    severity => '$severity',
    routing_key => '$kapacitor_tag_host,$kapacitor_server',
    label => [map { [$_ => "<\$kapacitor_$_>"] } @TEXTS],
    custom_detail => [['$kapacitor_id', '$kapacitor_time'],
                      [duration => '$kapacitor_duration ns'],
                      [usage => '$kapacitor_field_usage %']],
    link => [['https://grafana/d/$kapacitor_name?host=$kapacitor_tag_host',
              '$kapacitor_tag_cpu'], ['https://w/${kapacitor_task}_wiki']],
    image => [['https://i/$kapacitor_level.png', 'https://i/$kapacitor_id',
               '$kapacitor_previous_level']],
    service => [['$kapacitor_tag_host.$kapacitor_tag_none'],
                ['$kapacitor_tag_none']],
    comment => [['recoverable: $kapacitor_recoverable']],
});

location('/fields', {
    label => [map { [$_ => "\$kapacitor_$_"] } qw(field_int field_big
        field_float field_exp field_text field_yes field_no field_null
        field_a_b field_TIME field_v tag_a_b tag___ tag_empty)],
});

location('/event', {
    summary => '$ilert_event_type $ilert_alert_key $ilert_source'
               . ' $ilert_event_id',
    alert_key => '$ilert_event_type $kapacitor_id',
    label => [[key => '$ilert_alert_key'], [source => '$ilert_source'],
              [result => '$ilert_result'], [path => '$ilert_path']],
    custom_detail => [[event => '$ilert_event_id']],
    link => [['https://log/$ilert_event_id', '$ilert_event_type']],
});

# A variable is empty while its value is not known, and has one later.

location('/early', {
    event_type => '$ilert_event_type$ilert_alert_key$ilert_source',
    alert_key => '$kapacitor_id,$ilert_alert_key,$ilert_source,'
                 . '$ilert_event_type',
    summary => '$ilert_event_type,$ilert_alert_key,$ilert_source',
}, source => '$by_key');

location('/early-off', {
    event_type => '$early_off', alert_key => '$ilert_event_type',
});


# Values from everywhere

my %VALUE = (arg => '$arg_v', header => '$http_x_v', user => '$remote_user',
             set => '$set', map => '$mapped', webhook => '$kapacitor_message',
             dollar => 'a${dollar}b $dollar{c}');
my @FROM = sort keys %VALUE;

location('/values', {
    summary => '$http_x_v', details => '$remote_user',
    alert_key => 'k$http_x_v', routing_key => '$http_x_v',
    label => [map({ [$_ => $VALUE{$_}] } @FROM),
              ['n$http_x_v' => '$remote_user']],
    custom_detail => [map({ [$_ => "<$VALUE{$_}>"] } @FROM),
                      ['n$remote_user' => '$http_x_v']],
    link => [['$remote_user'], ['l$arg_v', '$http_x_v']],
    image => [['$http_x_v', '$remote_user', '$kapacitor_message']],
    service => [['$remote_user'], ['$http_x_v']],
    comment => [['$remote_user'], ['$http_x_v']],
}, more => "set \$set \"<\$arg_v|\$http_x_v>\";\n");

location('~ "(?s)^/capture/(?<captured>.*)$"', {
    summary => 'c $captured', label => [[captured => '$captured'],
                                        ["n\$captured" => 'x']],
    link => [['https://x/$captured']], comment => [['$captured']],
    custom_detail => [['$captured$captured' => 'twice']],
}, path => '/capture/');

location('~ "^/teams/(?<team>[a-z]+)/(?<stage>[a-z]*)$"', {
    alert_key => '$team:$kapacitor_id', label => [[team => '$team'],
                                                  [stage => '$stage']],
}, path => '/teams/');

location('~ "^/numbered/(\\w+)-(\\w+)$"', {
    alert_key => '$2:$1', label => [[one => '$1'], ['$2' => 'two']],
}, path => '/numbered/');

location('/joined', { label => [[text => '$arg_v$http_x_v'],
                                [bytes => '$arg_v$arg_w$http_x_v']] });

# These variables are evaluated before the body is read, and again later.

location('/set', { label => [[level => '$kapacitor_level'],
                             [set => '$early_level']] },
         more => 'set $early_level "<$kapacitor_level>";');
location('/if', { priority => '$priority', severity => '$severity',
                  label => [[volatile => '$volatile']] },
         more => 'if ($priority = x) { return 403; }'
               . ' if ($volatile = x) { return 403; }');

location('/constants', {
    label => [map { ["n$_" => $NASTY{$_}] } grep { $_ ne 'dollar' }
              sort keys %NASTY],
    custom_detail => [map { ["$_ $NASTY{$_}" => 'x'] }
                      grep { $_ ne 'dollar' } sort keys %NASTY],
});


# Types, sources, keys

location('/type', { event_type => '$arg_type',
                    comment => [['$arg_comment']], priority => '$arg_p',
                    severity => '$arg_s' });
location('/type-by-level', { event_type => '$type_of_level' });
location("/type/$_", { event_type => $_, alert_key => '$arg_key' })
    for qw(ALERT RESOLVE ACCEPT COMMENT off);
location('/off-by-source', {}, source => 'off');
location('/off-nowhere', { event_type => 'off' }, source => '$arg_source');

location('/source-by-tag', { label => [[source => '$ilert_source']] },
         source => '$kapacitor_tag_team');
location('/source-by-header', { label => [[source => '$ilert_source']] },
         source => '$http_x_source');
location('/source-by-arg', { label => [[source => '$ilert_source']],
                             alert_key => '$arg_key' },
         source => '$arg_source');
location('~ "^/source/(?<named>[^/]*)$"', {
    label => [[source => '$ilert_source']],
}, source => '$named', path => '/source/');

location('/key', { alert_key => '$arg_key' });
location('/key-md5', { alert_key => '$kapacitor_id $kapacitor_id_md5' });
location('/key-lower', { alert_key => '$kapacitor_id' });
location('/key-task', { alert_key => '$kapacitor_task $kapacitor_id' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    log_format results '\$ilert_result|\$ilert_source|\$ilert_event_type|'
                       '\$ilert_alert_key|\$uri';
    access_log %%DIR%%/access.log results;

    $HTTP

    geo \$dollar { default "\$"; }

    map \$arg_v \$mapped {
        ~^(?<first>.)(?<rest>..?) "[\$first|\$rest|\$arg_v]";
        default                   none;
    }

    map \$kapacitor_level \$priority {
        CRITICAL HIGH;
        default  LOW;
    }

    map \$kapacitor_level \$volatile {
        volatile;
        CRITICAL loud;
        default  quiet;
    }

    map \$kapacitor_level \$severity {
        CRITICAL 1;
        WARNING  3;
        default  "";
    }

    map \$kapacitor_level \$type_of_level {
        INFO    off;
        WARNING COMMENT;
    }

    map \$ilert_alert_key \$by_key {
        ~,,,ALERT\$   ops;
        ~,,,RESOLVE\$ dba;
    }

    map \$ilert_event_type \$early_off {
        ""      "";
        default off;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        $locations

        location /rewritten { rewrite ^ /variables last; }
        location /tried { try_files /none \@tried; }

        location \@tried {
            ilert_kapacitor ops;
            ilert_label tried "\$uri \$kapacitor_level";
        }

        %%ENDPOINT%%
    }
CONF

$MAPPING{'/rewritten'} = $MAPPING{'/variables'};
$MAPPING{'/tried'} = { source => 'ops', label => [[tried =>
    '/tried $kapacitor_level']] };

my $seen = 0;

sub sent {
    my @all = $fake->requests;

    $seen = 0 if $seen > @all;
    my @new = @all[$seen .. $#all];
    $seen = @all;

    return @new;
}


# A map, geo or set of the configuration above, or a value of the request.

sub known {
    my ($vars) = @_;

    my %level = (priority => { CRITICAL => 'HIGH', '' => 'LOW' },
                 severity => { CRITICAL => 1, WARNING => 3 },
                 type_of_level => { INFO => 'off', WARNING => 'COMMENT' },
                 volatile => { CRITICAL => 'loud', '' => 'quiet' });

    return sub {
        my ($name, $value_of) = @_;

        return $vars->{$name} if exists $vars->{$name};

        if (my $map = $level{$name}) {
            my $level = $value_of->('$kapacitor_level');
            return $map->{$level} // $map->{''} // '';
        }

        return '$' if $name eq 'dollar';
        return '<' . $value_of->('$arg_v|$http_x_v') . '>' if $name eq 'set';

        if ($name eq 'mapped') {
            my $v = $vars->{arg_v} // '';
            return $v =~ /^(.)(..?)/ ? "[$1|$2|$v]" : 'none';
        }

        if ($name eq 'by_key') {
            my $key = $value_of->('$ilert_alert_key');
            return $key =~ /,,,ALERT$/ ? 'ops'
                 : $key =~ /,,,RESOLVE$/ ? 'dba' : '';
        }

        if ($name eq 'early_off') {
            return $value_of->('$ilert_event_type') eq '' ? '' : 'off';
        }

        return '';
    };
}


# One webhook: what leaves is what IlertMap says, and what %opt says again:
#     at => path           its mapping, if not the path of $uri
#     vars => { name => bytes }    variables of the request
#     request => [..]      arguments of post
#     json => bytes        the whole event without the key
#     event => { path => JSON text or undef }   some of it
#     result => 'ignored'  status => 422, error => text   the answer's
#     max => N             ilert_event_max_size
#     nginx => $other      another nginx

sub webhook_to {
    my ($what, $uri, $body, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $nginx = $opt{nginx} // $t;
    my ($path, $args) = $uri =~ /^([^?]*)\??(.*)/s;
    my %vars = (map({ /^(\w+)=(.*)/s ? ("arg_$1" => $2) : () }
                    split /&/, $args), %{$opt{vars} // {}});

    sent();
    my $answer = $nginx->post($uri, $body, @{$opt{request} // []});
    my @sent = sent();

    my $mapping = $MAPPING{$opt{at} // $path} or die "no $path\n";
    my $json = ref $answer->{json} eq 'HASH' ? $answer->{json} : {};
    my $expected = IlertMap::expect($body, %$mapping, get => known(\%vars),
        event_id => $json->{event} // '', max => $opt{max});

    my @wrong = IlertCheck::answer_wrong($answer, $expected);
    my %got = (answer => $answer, expected => $expected,
               request => $sent[0]);

    push @wrong, "answer: $answer->{status}"
        if $answer->{status} != ($opt{status} // 202);
    push @wrong, 'result: ' . ($json->{status} // '')
        if $opt{result} && $opt{result} ne ($json->{status} // '');
    push @wrong, 'error: ' . bytes($json->{error} // '')
        if $opt{error} && $opt{error} ne bytes($json->{error} // '');

    my $sends = $expected->{event} ? 1 : 0;
    push @wrong, scalar(@sent) . " requests, not $sends" if @sent != $sends;

    if ($sends && @sent) {
        push @wrong, IlertCheck::request_wrong($sent[0]);
        push @wrong, "key: $sent[0]{key}"
            if $sent[0]{key} ne { ops => $OPS, dba => $DBA }
                                ->{$expected->{source}};

        @got{qw(key json event)} = IlertCheck::event($sent[0], \@wrong);

        if ($got{event}) {
            push @wrong, IlertCheck::event_wrong(@got{qw(json event)},
                $expected->{event}, $opt{max});
            push @wrong, by_hand($got{event}, $opt{event} // {});
            push @wrong, "event: $got{json}, expected $opt{json}"
                if defined $opt{json} && $got{json} ne $opt{json};
        }
    }

    ok(!@wrong, $what) or IlertCheck::report({ test => $nginx }, $body, $uri,
        @wrong, map({ 'sent: ' . $_->{body} } @sent));

    return \%got;
}


sub by_hand {
    my ($event, $want) = @_;

    return map {
        my $got = IlertCheck::at($event, split /\./);
        $got = $got && IlertMap::encode($$got);
        ($got // 'nothing') eq ($want->{$_} // 'nothing') ? ()
            : "$_: " . ($got // 'nothing') . ', by hand '
              . ($want->{$_} // 'nothing')
    } sort keys %$want;
}


subtest 'all directives' => sub {
    my $body = json(data => series('"2026-03-01T08:15:30Z",1', '"t",2'));

    webhook_to('constants, byte for byte', '/all', $body, json =>
        '{"eventType":"COMMENT","summary":"a summary","details":"<b>x</b>",'
        . '"alertKey":"the key","priority":"LOW","severity":2,'
        . '"routingKey":"first,second",'
        . '"labels":{"team":"dba","a b":"c \\"d\\""},'
        . '"links":[{"href":"https://a/","text":"https://a/"},'
        . '{"href":"https://b/","text":"B"}],'
        . '"images":[{"src":"https://i/"},'
        . '{"src":"https://j/","href":"https://k/"},'
        . '{"src":"https://l/","href":"https://m/","alt":"M"}],'
        . '"services":[{"alias":"shop"},{"alias":"mail"}],'
        . '"comments":[{"creator":"Kapacitor","content":"one"},'
        . '{"creator":"Kapacitor","content":"two\\nlines"}],'
        . '"customDetails":{"id":"cpu:host=a","level":"CRITICAL",'
        . '"previousLevel":"OK","time":"2026-03-01T08:15:30Z","duration":0,'
        . '"message":"cpu is high","measurement":"cpu","stage":"prod",'
        . '"by":"nginx","tags":{"host":"a"},"fields":{"v":1},"rows":[{'
        . '"time":"t","measurement":"cpu","tags":{"host":"a"},'
        . '"fields":{"v":2}}]}}');

    my $plain = webhook_to('none', '/none', $body)->{json};
    webhook_to('empty constants are the defaults', '/empty', $body,
               json => $plain);

    webhook_to("a capture, $_", '/all', webhook($_))
        for '01-levels-04-CRITICAL', '01-levels-08-OK',
            '30-big-batch-01-CRITICAL', '06-details-html-01-CRITICAL';
};


subtest 'what is empty' => sub {
    webhook_to('variables', '/void', json(), event => {
        eventType => '"ALERT"', summary => '"cpu is high"', details => undef,
        alertKey => qq("$ID"), priority => undef, severity => undef,
        routingKey => undef, labels => '{"c":"3"}',
        'customDetails.e' => '"5"', 'customDetails.d' => undef,
        links => '[{"href":"h","text":"h"},{"href":"h","text":"t"}]',
        images => '[{"src":"s"},{"src":"s","alt":"alt"},'
            . '{"src":"s","href":"h"},{"src":"s"}]',
        services => '[{"alias":"s"}]',
        comments => '[{"creator":"Kapacitor","content":"c"}]' });

    webhook_to('not the variables', '/void?void=1', json(level => '"OK"'),
        event => { eventType => '"RESOLVE"', summary => '"1"',
        details => '"1"', alertKey => '"1"', priority => undef,
        severity => '1', routingKey => '"1"',
        labels => '{"a":"1","1":"b","c":"3"}' });

    webhook_to('white space is a text but no alert key', '/blank', json(),
        event => { alertKey => qq("$ID"), summary => '" "',
        details => '"\\n"', routingKey => '" "', labels => '{" ":" "}' });

    webhook_to('details of the user', '/none', json(details =>
        string('<p>a</p>b')), event => { details => '"a\\n\\nb"' });
    webhook_to('details given are not made text', '/all', json(details =>
        string('<p>a</p>b')), event => { details => '"<b>x</b>"' });
};


subtest 'names' => sub {
    webhook_to('the last of equal ones', '/twice?name=y', json(), event => {
        labels => '{"b":"2","a":"3","A":"4","a ":"5"}',
        links => '[{"href":"same","text":"same"},'
            . '{"href":"same","text":"same"},{"href":"same","text":"x"}]',
        services => '[{"alias":"s"},{"alias":"s"}]',
        'customDetails.x' => '"1"', 'customDetails.y' => '"2"',
        'customDetails.z' => '"3"' });

    my $r = webhook_to('names by variables', '/twice?name=w', json());
    is(join(' ', grep { /^[w-z]$/ } $r->{event}->get('customDetails')->names),
       'x w y z', 'at their places');

    my $body = json(details => string($string->encode({ TaskName => 't',
        Group => 'g', ID => 'x', Level => 'OK', ServerInfo => {
        Hostname => 'h' } })), data => series('"t",1', '"u",2'));

    webhook_to('ours', '/none', $body, event => {
        'customDetails.task' => '"t"', 'customDetails.server' => '"h"' });

    for my $name (@OURS) {
        my $r = webhook_to("$name is the mapping's", "/ours/$name", $body,
            event => { "customDetails.$name" => '"mine"',
                       'customDetails.more' => '"1"' });
        is(() = $r->{json} =~ /"\Q$name\E":/g,
           1 + ($name =~ /^(?:time|measurement|tags|fields)$/ ? 1 : 0),
           'not twice') if $name ne 'message';
    }

    webhook_to('all of them', '/ours', $body, event => { customDetails =>
        '{' . join(',', map { qq("$_":"my $_") } @OURS) . '}' });

    webhook_to('an empty one is ours', '/ours-not', $body, event => {
        'customDetails.id' => qq("$ID"), 'customDetails.task' => '"t"',
        'customDetails.fields' => '{"v":2}',
        'customDetails.truncated' => undef });

    # which are the same once they are characters

    webhook_to('bytes that are no characters', '/bytes', $body, event => {
        labels => bytes(qq({"a\x{fffd}":"3"})) });
};


subtest 'variables' => sub {
    my $body = webhook('01-levels-04-CRITICAL');
    my $json = $string->decode($body);
    my $md5 = md5_hex('cpu:host=web01');

    webhook_to('all', '/variables', $body, event => {
        eventType => '"ALERT"',
        summary => '"CRITICAL: cpu:host=web01 is CRITICAL (cpu)"',
        details => string($json->{details}),
        alertKey => qq("t01/host=web01/$md5"), priority => '"HIGH"',
        severity => '1', routingKey => '"web01,localhost"',
        'labels.id' => '"<cpu:host=web01>"', 'labels.level' => '"<CRITICAL>"',
        'labels.previous_level' => '"<WARNING>"', 'labels.name' => '"<cpu>"',
        'labels.duration' => '"<30000000000>"', 'labels.task' => '"<t01>"',
        'labels.recoverable' => '"<true>"', 'labels.id_md5' => qq("<$md5>"),
        'labels.tag_HOST' => '"<web01>"', 'labels.tag_none' => '"<>"',
        'labels.field_usage' => '"<95>"', 'labels.field_none' => '"<>"',
        'customDetails.usage' => '"95 %"',
        'customDetails.cpu:host=web01' => '"2026-03-01T08:16:10.123456789Z"',
        links => '[{"href":"https://grafana/d/cpu?host=web01",'
            . '"text":"cpu0"},{"href":"https://w/t01_wiki",'
            . '"text":"https://w/t01_wiki"}]',
        images => '[{"src":"https://i/CRITICAL.png",'
            . '"href":"https://i/cpu:host=web01","alt":"WARNING"}]',
        services => '[{"alias":"web01."}]',
        comments => '[{"creator":"Kapacitor","content":"recoverable: true"}]',
    });

    webhook_to($_, '/variables', webhook($_)) for grep {
        !/raw|body|template|test/ } webhooks();

    webhook_to('little', '/variables', '{"id":"a","level":"INFO"}', event => {
        summary => '"INFO:  ()"', details => undef, priority => '"LOW"',
        severity => undef, alertKey => '"//' . md5_hex('a') . '"',
        'labels.message' => '"<>"', images => '[{"src":'
            . '"https://i/INFO.png","href":"https://i/a"}]' });

    webhook_to('no row', '/variables', json(data => '{"series":[{"name":"m",'
        . '"tags":{"host":"h"},"columns":["time","usage"],"values":[]}]}'),
        event => { 'labels.name' => '"<m>"', 'labels.tag_host' => '"<h>"' });

    webhook_to('tags and fields', '/fields', json(time => '"t"', data =>
        '{"series":[{"name":"m","tags":{"ü.":"x","a-b":"dash","A b":"blank",'
        . '"empty":""},"columns":["time","int","big","float","exp","text",'
        . '"yes","no","null","A.b","Time","v"],"values":[["s",0,0,0,0,0,0,0,'
        . '0,0,0,0],["t",-0,123456789012345678901,1.50,1E+7,'
        . '"\\"\\u00e9\\n\\u0000",true,false,null,"a b","time",""]]}]}'),
        event => { labels => '{"field_int":"-0",'
        . '"field_big":"123456789012345678901","field_float":"1.50",'
        . '"field_exp":"1E+7","field_text":"\\"' . bytes('é')
        . '\\n' . bytes("\x{fffd}") . '","field_yes":"true",'
        . '"field_no":"false","field_a_b":"a b","field_TIME":"time",'
        . '"tag_a_b":"dash","tag___":"x"}' });
};


subtest 'of the event' => sub {
    my $r = webhook_to('in an order', '/event', json(level => '"OK"'));
    my $id = $r->{answer}{json}{event};

    is_deeply([by_hand($r->{event}, {
        summary => qq("RESOLVE RESOLVE $ID ops $id"),
        alertKey => qq("RESOLVE $ID"),
        labels => qq({"key":"RESOLVE $ID","source":"ops"}),
        'customDetails.event' => qq("$id"),
        links => qq([{"href":"https://log/$id","text":"RESOLVE"}]),
    })], [], 'what it is') if $r->{event};

    webhook_to('not known, then known', '/early', json(), event => {
        eventType => '"ALERT"', alertKey => qq("$ID,,,ALERT"),
        summary => qq("ALERT,$ID,,,ALERT,ops") });
    webhook_to('and another source', '/early', json(level => '"OK"'),
        event => { alertKey => qq("$ID,,,RESOLVE"),
                   summary => qq("RESOLVE,$ID,,,RESOLVE,dba") });
    webhook_to('a map', '/early-off', json(), event => {
        alertKey => '"ALERT"' });
};


# Where a value comes from, and what may be in one.

subtest 'values' => sub {
    for my $name (sort keys %NASTY) {
        my $value = $NASTY{$name};

        # A request cannot carry these values.

        my $arg = $value =~ s/[\x00-\x20&#\x7f]/_/gr;
        my $header = $value =~ s/[\0\r\n]/_/gr =~ s/^ +| +$//gr;
        my $message = IlertMap::chars($value);
        my $user = $value =~ s/:/_/gr;
        my $basic = encode_base64("$user:secret", '');

        webhook_to($name, "/values?v=$arg", json(message =>
            string($message)), vars => { http_x_v => $header,
            remote_user => $user }, request => [headers => [
            'X-V' => $header, Authorization => "Basic $basic"]], event => {
            'labels.header' => IlertMap::encode(IlertMap::chars($header)),
            'labels.user' => IlertMap::encode(IlertMap::chars($user)),
            'customDetails.arg' => IlertMap::encode(IlertMap::chars(
                "<$arg>")),
            'labels.set' => IlertMap::encode(IlertMap::chars(
                "<$arg|$header>")),
            'comments.0.content' => IlertMap::encode(IlertMap::chars($user)),
        });

        next if $value =~ m{[\0/]};

        my $path = $value =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
        webhook_to("$name in the path", "/capture/$path", json(),
            at => '/capture/', vars => { captured => $value }, event => {
            'labels.captured' => IlertMap::encode(IlertMap::chars($value))
        });
    }

    webhook_to('nothing', '/values', json(message => 'null'),
        event => { summary => qq("$ID is CRITICAL"), services => undef,
                   'labels.set' => '"<|>"', 'labels.map' => '"none"' });

    webhook_to('constants', '/constants', json(), event => {
        'labels.nnul' => bytes(qq("a\x{fffd}b\x{fffd}")),
        'labels.nbad' => bytes(qq("a\x{fffd}b\x{fffd}")),
        'labels.nlines' => '"one\\ntwo\\r\\nthree\\r"' });

    my $body = webhook('01-levels-04-CRITICAL');

    webhook_to('parts of a character', "/joined?v=\xc3&w=x", json(),
        vars => { http_x_v => "\xa9" }, request => [headers => [
        'X-V' => "\xa9"]], event => { 'labels.text' => bytes('"é"'),
        'labels.bytes' => bytes(qq("\x{fffd}x\x{fffd}")) });

    webhook_to('numbered captures', '/numbered/a-b', json(),
        at => '/numbered/', vars => { 1 => 'a', 2 => 'b' }, event => {
        alertKey => '"b:a"', labels => '{"one":"a","b":"two"}' });
    webhook_to('after a rewrite', '/rewritten', $body);
    webhook_to('after try_files', '/tried', $body, event => {
        labels => '{"tried":"/tried CRITICAL"}' });

    webhook_to('a variable that was looked at before', '/set', $body,
        vars => { early_level => '<>' }, event => {
        labels => '{"level":"CRITICAL","set":"<>"}' });
    webhook_to('a map that was looked at before', '/if', $body,
        vars => { priority => 'LOW' }, event => { priority => '"LOW"',
        severity => '1', labels => '{"volatile":"loud"}' });

    webhook_to('captures', '/teams/blue/prod', json(), at => '/teams/',
        vars => { team => 'blue', stage => 'prod' }, event => {
        alertKey => qq("blue:$ID"),
        labels => '{"team":"blue","stage":"prod"}' });
    webhook_to('an empty one', '/teams/red/', json(), at => '/teams/',
        vars => { team => 'red' }, event => { labels => '{"team":"red"}' });
};


# Types, and what ilert shows ---------------------------------------------

sub shown {
    my ($key) = @_;

    my $all = $fake->alerts->{$key} // {};

    return join ' ', map { "$_=$all->{$_}{state}" } sort keys %$all;
}

subtest 'types' => sub {
    $fake->reset;
    $seen = 0;

    my $of = sub {
        my ($type, $level, $want, $args) = @_;

        webhook_to("$level, type \"$type\"", "/type?type=$type"
            . ($args // ''), json(level => qq("$level"), id => '"k"'),
            defined $want ? (event => { eventType => qq("$want") })
                          : (result => 'ignored'));
    };

    $of->('', 'CRITICAL', 'ALERT', '&p=HIGH&s=2');
    is(shown($OPS), 'k=open', 'open');
    is($fake->alerts->{$OPS}{k}{priority}, 'HIGH', 'its priority');
    is($fake->alerts->{$OPS}{k}{severity}, 2, 'its severity');

    $of->('off', 'OK');
    $of->('off', 'CRITICAL');
    is(shown($OPS), 'k=open', 'still open');

    $of->('COMMENT', 'OK', 'COMMENT', '&comment=hm');
    is(shown($OPS), 'k=open', 'still');
    is($fake->alerts->{$OPS}{k}{comments}, 1, 'a comment');

    $of->('ACCEPT', 'WARNING', 'ACCEPT');
    is(shown($OPS), 'k=accepted', 'accepted');

    $of->('ALERT', 'OK', 'ALERT');
    $of->('RESOLVE', 'CRITICAL', 'RESOLVE');
    is(shown($OPS), 'k=resolved', 'resolved');

    $of->('', 'INFO', 'ALERT', '&p=LOW');
    is(shown($OPS), 'k=open', 'open again');
    is($fake->alerts->{$OPS}{k}{opened}, 2, 'for the second time');
    $of->('', 'OK', 'RESOLVE');
    is(shown($OPS), 'k=resolved', 'and resolved');
    is(join(' ', @{$fake->alerts->{$OPS}{k}{log}}), 'ALERT COMMENT ACCEPT '
       . 'ALERT RESOLVE ALERT RESOLVE', 'its log');

    for (['INFO'], ['WARNING', 'COMMENT'], ['CRITICAL', 'ALERT'],
         ['OK', 'RESOLVE'])
    {
        my ($level, $type) = @$_;

        webhook_to("$level by map", '/type-by-level', json(level =>
            qq("$level")), $type ? (event => { eventType => qq("$type") })
                                 : (result => 'ignored'));
    }

    webhook_to("constant $_", "/type/$_?key=x", json(), event => {
        eventType => qq("$_"), alertKey => '"x"' })
        for qw(ALERT RESOLVE ACCEPT COMMENT);
};


subtest 'off' => sub {
    my $none = '{"level":"CRITICAL"}';

    webhook_to('a webhook', '/type/off', json(), result => 'ignored');
    webhook_to('no alert key', '/type/off', $none, result => 'ignored');
    webhook_to('no alert key, not off', '/type/ALERT', $none, status => 400);
    webhook_to('but one that is given', '/type/ALERT?key=a', $none, event =>
        { alertKey => '"a"', summary => '"a is CRITICAL"' });

    webhook_to('no source', "/off-nowhere$_", json(), result => 'ignored')
        for '', '?source=none', '?source=ops', '?source=off';
    webhook_to('neither', '/off-nowhere', $none, result => 'ignored');
    webhook_to('a test', '/type/off', webhook('37-service-test-01-OK'),
               result => 'test');
    webhook_to('no webhook', '/type/off', $_, status => 400)
        for '', '{', '{}', '{"level":"x"}', '{"level":"OK","id":1';

    webhook_to('a source that is off', '/off-by-source', json(),
               result => 'ignored');

    ok(wait_until(sub { $t->access_log =~
        m{^IGNORED\|[^\n]*/type/off$}m }, 3), '$ilert_result')
        or diag $t->access_log;
    unlike($t->access_log, qr{^(?!IGNORED|TEST|REJECTED)[^\n]*/type/off$}m,
           'nothing else');
};


subtest 'sources' => sub {
    my $label = sub { (event => { labels => qq({"source":"$_[0]"}) }) };

    for my $name (qw(ops dba)) {
        webhook_to("$name by tag", '/source-by-tag', json(data =>
            '{"series":[{"name":"m","tags":{"Team":"' . $name
            . '"},"columns":["time"],"values":[["t"]]}]}'), $label->($name));
        webhook_to("$name by header", '/source-by-header', json(), vars =>
            { http_x_source => $name }, request => [headers => [
            'X-Source' => $name]], $label->($name));
        webhook_to("$name by argument", "/source-by-arg?source=$name", json(),
            $label->($name));
        webhook_to("$name by path", "/source/$name", json(), at => '/source/',
            vars => { named => $name }, $label->($name));
    }

    webhook_to('off', '/source-by-arg?source=off', json(),
               result => 'ignored');
    webhook_to('off by path', '/source/off', json(), at => '/source/', vars =>
        { named => 'off' }, result => 'ignored');

    my %no = ('' => 'no source, the value is empty',
              none => 'no source "none"', OPS => 'no source "OPS"');

    for (sort keys %no) {
        my @want = (status => 422, error => "ilert_kapacitor: $no{$_}");

        webhook_to("\"$_\" by argument", "/source-by-arg?source=$_", json(),
                   @want);
        webhook_to("\"$_\" by path", "/source/$_", json(), @want,
                   at => '/source/', vars => { named => $_ });
        webhook_to("\"$_\" by header", '/source-by-header', json(), @want,
            vars => { http_x_source => $_ }, request => [headers => [
            'X-Source' => $_]]);
    }

    webhook_to('no source and no alert key', '/source-by-arg',
               '{"level":"INFO"}', status => 400);
    webhook_to('no source but an alert key', '/source-by-arg?key=a',
               '{"level":"INFO"}', status => 422);
};


subtest 'alert keys' => sub {
    for (['a', 'a'], ['%20a%20', '%20a%20'], ['', $ID],
         [bytes('Größe☃'), bytes('Größe☃')])
    {
        my ($arg, $key) = @$_;

        webhook_to("argument \"$arg\"", "/key?key=$arg", json(), event => {
            alertKey => qq("$key") });
    }

    webhook_to('untrimmed', '/key-lower', json(id => '" a\\t"'), event => {
        alertKey => '" a\\t"' });

    my $series = 'cpu{host=a}';

    webhook_to('no id: the default', '/key-md5', json(id => $_), event => {
        alertKey => qq("$series") }) for '""', '" \\n"', 'null';
    webhook_to('no id, no series', '/key-md5', json(id => '""', data => undef,
        level => '"INFO"'), status => 400);

    $fake->reset;
    $seen = 0;

    for (['cpu', 'CRITICAL'], ['CPU', 'CRITICAL'], ['cpu ', 'CRITICAL'],
         ['CPU', 'OK'])
    {
        my ($id, $level) = @$_;

        for my $name (qw(md5 lower)) {
            webhook_to("$id, $level, $name", "/key-$name", json(id =>
                qq("$id"), level => qq("$level")), $name eq 'md5' ? (event =>
                { alertKey => qq("$id ) . md5_hex($id) . '"' }) : ());
        }
    }

    my %alerts = %{$fake->alerts->{$OPS}};
    is_deeply({ map { $_ => $alerts{$_}{state} } keys %alerts }, {
        'cpu' => 'resolved',
        'cpu ' . md5_hex('cpu') => 'open',
        'cpu ' . md5_hex('CPU') => 'resolved',
        'cpu  ' . md5_hex('cpu ') => 'open',
    }, 'ilert tells apart those with a digest only');

    for my $id ('ä', "\x{1f600}", "a\nb", '\\"', "x\x{fffd}") {
        webhook_to('a digest of the text', '/key-md5', json(id =>
            string($id)), event => { alertKey => IlertMap::encode("$id "
            . md5_hex(bytes($id))) });
    }

    webhook_to('of NUL and half a surrogate', '/key-md5', json(id =>
        '"\\u0000\\ud800"'), event => { alertKey => IlertMap::encode(
        "\x{fffd}\x{fffd} " . md5_hex("\xef\xbf\xbd" x 2)) });

    # two tasks whose alerts have the same id

    my @tasks = map {
        my $dump = $string->encode({ TaskName => $_, Group => 'nil',
            ID => $ID, Level => 'CRITICAL' }) =~ s/"/&#34;/gr;
        webhook_to("task $_", '/key-task', json(details => string($dump)),
                   event => { alertKey => qq("$_ $ID") })
    } qw(one two);

    webhook_to('no task', '/key-task', json(), event => {
        alertKey => qq(" $ID") });
};


# Inheritance -------------------------------------------------------------

my $levels = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF");
    $HTTP

    ilert_summary "http \$kapacitor_level";
    ilert_severity 1;
    ilert_label level http;
    ilert_label http "\$arg_x";
    ilert_link http://http/;
    ilert_custom_detail from http;
    ilert_service http;
    ilert_image http;
    ilert_comment http;

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location /http { ilert_kapacitor ops; }

        location /own {
            ilert_kapacitor ops;
            ilert_label level location;
            ilert_image location;
            ilert_image second;
            ilert_severity 4;
            ilert_priority LOW;

            location /own/inner { ilert_kapacitor dba; }

            location /own/most {
                ilert_kapacitor ops;
                ilert_severity "";
                ilert_label inner "\$arg_x";
                ilert_comment inner;

                location /own/most/of { ilert_kapacitor ops; }
            }

            location ~ ^/own/regex/(?<word>\\w+) {
                ilert_kapacitor ops;
                ilert_summary \$word;
            }

            location /own/reset {
                ilert_kapacitor ops;
                ilert_summary "";
                ilert_severity "";
                ilert_priority "";
                ilert_label x "";
                ilert_link "";
                ilert_custom_detail x "";
                ilert_service "";
                ilert_image "";
                ilert_comment "";

                location /own/reset/more {
                    ilert_kapacitor ops;
                    ilert_label level more;
                }
            }
        }

        location /if {
            ilert_kapacitor ops;
            ilert_label level if;
            ilert_alert_key "\$arg_x!";
            if (\$arg_x) { set \$y 1; }
            if (\$arg_z) { set \$y 2; }
        }

        location /except {
            ilert_kapacitor ops;
            ilert_label level except;
            ilert_event_type COMMENT;
            limit_except PUT { allow 127.0.0.1; }
        }

        %%ENDPOINT%%
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;

        ilert_summary server;
        ilert_label level server;
        ilert_event_type RESOLVE;

        location /server { ilert_kapacitor ops; }

        location /server/own {
            ilert_kapacitor ops;
            ilert_event_type "";
            ilert_summary location;
            ilert_routing_key r;
            ilert_details d;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        location /after { ilert_kapacitor ops; }
        ilert_summary after;
        ilert_link http://after/ after;
    }

    ilert_priority HIGH;
CONF

$levels->start;

my %HTTP = (summary => 'http CRITICAL', severity => 1, priority => 'HIGH',
    label => [[level => 'http']], link => [['http://http/']],
    custom_detail => [[from => 'http']], service => [['http']],
    image => [['http']], comment => [['http']]);
my %OWN = (%HTTP, label => [[level => 'location']], severity => 4,
    image => [['location'], ['second']], priority => 'LOW');
my %MOST = (%OWN, severity => '', comment => [['inner']]);

subtest 'inheritance' => sub {
    for (
        [0, '/http', %HTTP],
        [0, '/http?x=1', %HTTP, label => [[level => 'http'], [http => 1]]],
        [0, '/own', %OWN],
        [0, '/own/inner', %OWN],
        [0, '/own/most', %MOST, label => []],
        [0, '/own/most?x=2', %MOST, label => [[inner => 2]]],
        [0, '/own/most/of?x=2', %MOST, label => [[inner => 2]]],
        [0, '/own/regex/abc', %OWN, summary => 'abc'],
        [0, '/own/reset'],
        [0, '/own/reset/more', label => [[level => 'more']]],
        [0, '/if', %HTTP, label => [[level => 'if']], alert_key => '!'],
        [0, '/if?x=1', %HTTP, label => [[level => 'if']], alert_key => '1!'],
        [0, '/if?x=1&z=2', %HTTP, label => [[level => 'if']],
         alert_key => '1!'],
        [0, '/except', %HTTP, label => [[level => 'except']],
         event_type => 'COMMENT'],
        [1, '/server', %HTTP, label => [[level => 'server']],
         summary => 'server', event_type => 'RESOLVE'],
        [1, '/server/own', %HTTP, label => [[level => 'server']],
         summary => 'location', routing_key => 'r', details => 'd'],
        [2, '/after', %HTTP, summary => 'after',
         link => [['http://after/', 'after']]],
    ) {
        my ($port, $uri, %mapping) = @$_;
        my ($path) = $uri =~ /^([^?]*)/;

        $MAPPING{$path} = { %mapping, source => $path eq '/own/inner'
                                                ? 'dba' : 'ops' };
        webhook_to("$uri of server $port", $uri, json(), nginx => $levels,
                   request => [port => $levels->port($port)]);
    }

    is(join("\n", $levels->grep_log(qr/\[(?:warn|error)\]/)), '',
       'no warning');
};


# Bad values --------------------------------------------------------------

my %ALLOWED = (
    ilert_event_type => '"ALERT", "RESOLVE", "ACCEPT", "COMMENT" and "off" '
        . 'are allowed',
    ilert_priority => '"HIGH" and "LOW" are allowed',
    ilert_severity => '1 to 5 is allowed',
);

my @BAD = (
    ['ilert_event_type', qw(FOO alert Alert OFF resolved -), 'ALERT,OK',
     "ALERT\xa0"],
    ['ilert_priority', qw(urgent high Low HIGH_ 1 MEDIUM), "LOW\xff"],
    ['ilert_severity', qw(0 6 7 9 10 11 01 1.0 +1 -1 1e0 SEV1 one), "1\xff"],
);

sub warnings {
    my ($nginx, $mark) = @_;

    return $nginx->grep_log(qr/\[warn\]/, $mark);
}


# Each of the locations of an nginx warns once a minute, so each value has its
# own.

subtest 'bad values' => sub {
    my ($conf, @cases) = ('');

    for (@BAD) {
        my ($name, @values) = @$_;

        for my $value (@values, " ", "x\n", 'x' x 65, 'xx' . '☃' x 40) {
            my $path = '/' . @cases;
            my $bytes = $value =~ /☃/ ? bytes($value) : $value;

            push @cases, [$name, $path, $bytes];
            $conf .= "location = $path { ilert_kapacitor ops; "
                     . "$name \$http_x_v\$kapacitor_tag_v; }\n";
        }
    }

    my $b = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF");
        $HTTP
        server {
            listen 127.0.0.1:%%PORT_0%%;
            $conf
            %%ENDPOINT%%
        }
CONF
    $b->start;
    is(join("\n", warnings($b, 0)), '', 'no warning at the start');

    for (@cases) {
        my ($name, $path, $value) = @$_;
        my $shown = $value =~ s/[^ -~]/?/gr;
        my ($tag) = $value =~ /^\s|\s$|\n/ ? $value : '';
        my $mark = $b->mark;

        $MAPPING{$path} = { source => 'ops',
                            $name =~ s/^ilert_//r => $value };

        webhook_to("$name \"$shown\"", $path, json(data => '{"series":[{'
            . '"name":"m","tags":{"v":' . string($tag) . '},"columns":['
            . '"time"],"values":[["t"]]}]}'), nginx => $b,
            request => [headers => ['X-V' => $tag eq '' ? $value : undef]],
            event => { eventType => '"ALERT"', priority => undef,
                       severity => undef }) for 1 .. 3;

        my @lines = warnings($b, $mark);
        is(scalar @lines, 1, 'one warning') or diag join "\n", @lines;

        my ($told) = ($lines[0] // '') =~ /:\ \*\d+\ invalid\ value\ "(.*)"
            \ of\ "$name"\ is\ left\ out,\ \Q$ALLOWED{$name}\E[ ,]/x;

        ok(defined $told, 'its words') or diag $lines[0];
        $told //= '';

        if (length $value > 64) {
            cmp_ok(length $told, '<=', 64, 'cut');
            cmp_ok(length $told, '>', 40, 'not too much');
            is($told, substr($value, 0, length $told), 'the beginning');
            ok(IlertCheck::valid($told), 'whole characters');

        } elsif ($value =~ /^[ -~]*\z/) {
            is($told, $value, 'the value');
        }
    }
};


# Over all workers, each location its own.

for my $workers (1, 2) {
    my $w = IlertTest->new(fake => $fake, workers => $workers,
                           conf => <<"CONF")->start;
        $HTTP
        add_header X-Pid \$pid always;
        ilert_priority "\$arg_p";

        server {
            listen 127.0.0.1:%%PORT_0%%;

            location /one {
                ilert_kapacitor ops;
                ilert_event_type "\$arg_t";
                ilert_severity "\$arg_s";
            }

            location /two { ilert_kapacitor ops; }
            location /three { ilert_kapacitor ops; }

            location /four {
                ilert_kapacitor ops;
                location /four/five { ilert_kapacitor ops; }
            }

            %%ENDPOINT%%
        }

        server {
            listen 127.0.0.1:%%PORT_1%%;
            location /one { ilert_kapacitor ops; }
        }
CONF

    my %pids;
    my $storm = sub {
        my ($uri, %opt) = @_;

        my %of;
        for (1 .. 50) {
            my @answers = $w->finish(map { $w->start_post($uri, json(), %opt)
                                     } 1 .. 8);
            $of{$_->{header}{'x-pid'}}++ for @answers;
            is(scalar(grep { $_->{status} == 202 } @answers), 8,
               "$uri is accepted") if $_ == 1;
            last if keys %of == $workers;
        }

        is(scalar keys %of, $workers, "by $workers workers");
    };

    subtest "once a minute, $workers workers" => sub {
        my $mark = $w->mark;

        $storm->('/one?p=urgent&s=7&t=FOO');
        $storm->('/one?p=other');
        $storm->('/one?s=8');
        my @lines = warnings($w, $mark);
        is(scalar @lines, 1, 'one warning')
            or diag join "\n", @lines;

        $storm->('/two?p=HIGH');
        @lines = warnings($w, $mark);
        is(scalar @lines, 1, 'not of a good value');

        my $n = 1;

        for (['/two', 0], ['/three', 0], ['/four', 0], ['/four/five', 0],
             ['/one', 1])
        {
            my ($path, $port) = @$_;

            $storm->("$path?p=$n", port => $w->port($port));
            @lines = warnings($w, $mark);
            is(scalar @lines, ++$n, "another location: $path")
                or diag join "\n", @lines;
        }

        $storm->($_ . '?p=again') for qw(/one /two /three /four /four/five);
        @lines = warnings($w, $mark);
        is(scalar @lines, $n, 'no other');

        $w->reload;
        $storm->('/one?p=again');
        @lines = warnings($w, $mark);
        cmp_ok(scalar @lines, '<=', $n + 1, 'one after a reload');
    };

    $w->stop;
}


# Size --------------------------------------------------------------------

my @SIZES = (4, 17, 64);
my $M = '$kapacitor_message';

my %BIG = (
    texts => {
        summary => $M, details => $M, label => [[a => $M], [b => $M],
        [c => 'short']], comment => [[$M], ['short'], [$M]],
        custom_detail => [[x => $M], [y => "$M $M"]],
    },
    items => {
        routing_key => $M, priority => 'HIGH', severity => 3,
        link => [['http://a/', 'a'], ["http://b/$M", 'b'], ['http://c/', $M],
                 ["http://d/$M"], ['http://e/', 'e']],
        image => [['http://a/'], ["http://b/$M"], ['http://c/', $M],
                  ['http://d/', 'd', $M], ['http://e/', 'f', 'e']],
        service => [['shop'], [$M], ['mail']],
    },
    labels => { label => [map { ["label$_" => "$_ $M"] } 1 .. 200] },
    details => {
        custom_detail => [map { ["detail$_" => "$_ $M"] } 1 .. 200],
    },
    names => {
        label => [["a$M" => 'x'], [b => 'y'], ["c$M" => 'z']],
        custom_detail => [[d => 'x'], ["e$M" => 'y'], [message => 'z'],
                          [tags => 't'], [fields => 'f'], [rows => 'r']],
    },
    many => {
        routing_key => 'r', link => [map { ["http://link/$_"] } 1 .. 150],
        image => [map { ["http://image/$_", $M] } 1 .. 50],
        service => [map { ["service$_"] } 1 .. 150],
        comment => [map { ["comment $_ $M"] } 1 .. 100],
    },
    ours => {
        custom_detail => [[level => $M], [tags => $M], [rows => 'r'],
                          [fields => $M], [truncated => 'so']],
    },
    key => { alert_key => $M, label => [[key => '$ilert_alert_key']] },
);

$BIG{all} = {
    %{$BIG{texts}}, %{$BIG{items}}, routing_key => 'short', alert_key =>
    "k$M", label => [@{$BIG{texts}{label}}, @{$BIG{labels}{label}},
                     @{$BIG{names}{label}}],
    service => [@{$BIG{items}{service}}, @{$BIG{many}{service}}],
};

my %TEXT = (ascii => 'x', smile => '😀', quote => '"', control => "\x01",
            mixed => 'aé☃😀');

my $sizes = '';

for my $name (sort keys %BIG) {
    for my $k (@SIZES) {
        $MAPPING{"/$name/$k"} = { %{$BIG{$name}}, source => 'ops' };
        $sizes .= "location = /$name/$k { ilert_kapacitor ops;\n"
            . "ilert_event_max_size ${k}k;\n"
            . IlertMap::directives(%{$BIG{$name}}) . "}\n";
    }
}

my $s = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    $HTTP
    server {
        listen 127.0.0.1:%%PORT_0%%;
        $sizes
        %%ENDPOINT%%
    }
CONF

sub rows { series(map { sprintf '"2026-03-01T08:15:%02dZ",%d', $_, $_ }
                  1 .. $_[0]) }

subtest 'size' => sub {
    for my $k (@SIZES) {
        my $max = $k * 1024;

        for my $name (sort keys %BIG) {
            my %opt = (nginx => $s, max => $max);
            my $uri = "/$name/$k";
            my $many = $name =~ /^(?:labels|details|all)$/;

            webhook_to("$k kB, $name: a short text", $uri, json(),
                       %opt);

            for my $n (100, 1000, $many ? () : (20, 300, 5000),
                       $many || $name eq 'many' ? () : 60000)
            {
                my $r = webhook_to("$k kB, $name: $n bytes",
                    $uri,
                    json(message => string('m' x $n), data => rows(10)),
                    %opt);
                my $of = $max * ($name =~ /^(?:texts|labels|details)$/
                                 ? 0.7 : 0);
                cmp_ok(length($r->{json} // ''), '>', $of, 'room is used')
                    if $of && ($r->{json} // '') =~ /"truncated":true/;
            }

            next if $many;

            for (sort keys %TEXT) {
                my $n = $name eq 'key' && $_ ne 'ascii' ? 700 : 20000;
                my $text = $TEXT{$_} x ($n / length $TEXT{$_});

                webhook_to("$k kB, $name: $_", $uri, json(message =>
                    string($text), data => rows(5)), %opt, $name eq 'key'
                    ? (max => $max) : ());
            }
        }

        my $r = webhook_to("$k kB: what cannot be cut is left out",
            "/items/$k", json(message => string('m' x 60000)), nginx => $s,
            max => $max, event => { routingKey => undef,
            priority => '"HIGH"', severity => 3,
            services => '[{"alias":"shop"},{"alias":"mail"}]',
            'links.0' => '{"href":"http://a/","text":"a"}',
            'links.1.href' => '"http://c/"',
            'links.2' => '{"href":"http://e/","text":"e"}',
            'links.3' => undef,
            'images.0' => '{"src":"http://a/"}',
            'images.1.src' => '"http://d/"',
            'images.2' => '{"src":"http://e/","href":"f","alt":"e"}',
            'images.3' => undef });

        # one alert, whatever its level and the rest of it

        my @keys = map {
            my $r = webhook_to("$k kB: a long key, $_", "/key/$k",
                json(message => string('k' x 40000), level => qq("$_"),
                data => rows($_ eq 'OK' ? 1 : 1000)), nginx => $s,
                max => $max);
            $r->{event} ? $r->{event}->get('alertKey') : $_
        } qw(CRITICAL OK);

        is($keys[0], 'k' x ($max / 16) . '#' . md5_hex('k' x 40000),
           'a sixteenth and the digest');
        is($keys[0], $keys[1], 'the same');
    }

    is(join("\n", $s->grep_log(qr/\[(?:warn|error)\]/)), '', 'no warning');
};


is_deeply([grep { $_ !~ /^$/ } map { $_->{fault} // '' } $fake->errors], [],
          'no fault of a request');

done();
