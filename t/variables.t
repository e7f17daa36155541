#!/usr/bin/perl

# Variables: in access logs, in maps that choose the source, in headers of
# the answer, in the endpoint's location.

use warnings;
use strict;
use utf8;

use Config;
use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode);
use JSON::PP ();
use Test::More;

use IlertFake;
use IlertTest;

my $KEY = 'il1api5ec4e7a01';
my $KAP = 'il1kap5ec4e7b01';
my $OTHER = 'il1api5ec4e7a02';
my $fake = IlertFake->start(keys => { $KEY => 'api', $KAP => 'kapacitor' });
my $second = IlertFake->start(keys => { $OTHER => 'api' });

my @KAPACITOR = qw(id message details details_text time time_ms time_local
                   duration duration_text level previous_level recoverable
                   name task group server);
my @ILERT = qw(result source event_id event_type alert_key path attempt);
my @TAGS = qw(host HOST Host cpu gr__e_test none a_b _ c1 K team dup empty);
my @FIELDS = qw(usage USAGE value n none s t f big e x_y time u nul dup);

my %log = (
    map({ ("kapacitor_$_" => "\$kapacitor_$_") } @KAPACITOR),
    map({ ("ilert_$_" => "\$ilert_$_") } @ILERT),
    map({ ("tag_$_" => "\$kapacitor_tag_$_") } @TAGS),
    map({ ("field_$_" => "\$kapacitor_field_$_") } @FIELDS),
    early => '$early', status => '$status', mapped => '$mapped',
);

my $format = '{' . join(',', map { qq("$_":"$log{$_}") } sort keys %log) . '}';

my @ENDPOINT = (map({ "ilert_$_" } @ILERT), map({ "kapacitor_$_" } @KAPACITOR),
                'kapacitor_tag_host', 'kapacitor_field_usage');
my $headers = join "\n", map {
    my $name = s/_/-/gr; qq(proxy_set_header X-$name "<\$$_>";) } @ENDPOINT;

# an hour ahead of UTC, and two in summer

my $t = IlertTest->new(fake => [ $fake, $second ], workers => 1,
    env => { TZ => 'CET-1CEST,M3.5.0,M10.5.0/3' },
    conf => <<"CONF")->start;
    log_format all escape=json '$format';
    log_format plain '\$kapacitor_id \$kapacitor_tag_none \$ilert_source';
    access_log %%DIR%%/access.log all;
    access_log %%DIR%%/bad.log plain if=\$bad;

    map \$ilert_result \$bad {
        UNAVAILABLE 1;
        REJECTED    1;
        default     0;
    }

    ilert_source ops { integration_key $KEY; }
    ilert_source blue { integration_key $KEY; }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }

    map \$kapacitor_level \$mapped {
        CRITICAL loud;
        default  "quiet \$kapacitor_previous_level";
    }

    map \$kapacitor_tag_team \$team {
        blue     blue;
        ~^red    native;
        none     "";
        nobody   nobody;
        default  ops;
    }

    map "\$kapacitor_name:\$kapacitor_field_value" \$by_field {
        cpu:95   blue;
        ~:1.5\$  native;
        default  off;
    }

    # in the endpoint's location, by its own

    ilert_source other { integration_key $OTHER; endpoint chosen; }
    ilert_source first { integration_key $KEY; endpoint chosen; }

    map \$ilert_source \$upstream {
        other   %%FAKE_1%%;
        default %%FAKE_0%%;
    }

    ilert_max_body_size 200k;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        set \$early "";

        location = /ops {
            set \$early "<\$kapacitor_level\$ilert_result>";
            add_header X-Event "\$ilert_event_id \$kapacitor_level" always;
            ilert_kapacitor ops;
        }

        location = /team { ilert_kapacitor \$team; }
        location = /field { ilert_kapacitor \$by_field; }
        location = /native { ilert_kapacitor native; }
        location = /tag { ilert_kapacitor \$kapacitor_tag_team; }
        location = /joined {
            ilert_kapacitor o\${kapacitor_tag_first}\$kapacitor_tag_rest;
        }
        location = /client { ilert_kapacitor \$arg_source; }
        location = /off { ilert_kapacitor off; }
        location = /other { return 200 "\$kapacitor_id\$ilert_result"; }
        location = /plain {
            access_log %%DIR%%/plain.log plain;
            ilert_kapacitor ops;
        }

        location /ilert/ {
            internal;
            ilert_endpoint;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
            proxy_read_timeout 1s;
            $headers
        }

        location /chosen/ {
            internal;
            ilert_endpoint chosen;
            proxy_pass http://\$upstream/api/\$ilert_path;
            proxy_set_header X-Mapped \$mapped;
            proxy_set_header X-Team \$team;
        }
    }
CONF

# What is logged of one webhook: what is not empty.

sub logged {
    my ($uri, $body) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = $t->access_mark;
    $body = encode('UTF-8', $body) if utf8::is_utf8($body);
    my $r = $t->post($uri, $body);
    my $line;
    wait_until(sub {
        ($line) = substr($t->access_log, $before) =~ /(.*)\n/;
    }, 3, 'a line');

    my $all = eval { JSON::PP->new->utf8->decode($line) };
    ok($all, 'the line is JSON') or diag $line;
    my %some = map { ($_ => $all->{$_}) } grep { $all->{$_} ne '' } keys %$all;
    is(delete $some{status}, $r->{status}, 'status');

    my $id = delete $some{ilert_event_id};
    is($id, $r->{json}{event}, 'event id') if $r->{json}{event};
    delete $some{mapped};

    return \%some;
}

sub series {
    my ($tags, $columns, @values) = @_;
    return '"data":{"series":[{"name":"cpu",'
           . qq("tags":$tags,"columns":$columns,"values":[)
           . join(',', @values) . ']}]}';
}

my $NOW = '2026-03-01T08:16:10Z';

subtest 'a capture' => sub {
    my $body = webhook('01-levels-04-CRITICAL');
    my $json = JSON::PP->new->utf8->decode($body);

    is_deeply(logged('/ops', $body), {
        kapacitor_id => 'cpu:host=web01',
        kapacitor_message => 'cpu:host=web01 is CRITICAL',
        kapacitor_details => $json->{details},
        kapacitor_time => '2026-03-01T08:16:10.123456789Z',
        kapacitor_time_ms => '1772352970123',
        kapacitor_time_local => '2026-03-01 09:16:10 +0100',
        kapacitor_duration => '30000000000',
        kapacitor_duration_text => '30s',
        kapacitor_level => 'CRITICAL', kapacitor_previous_level => 'WARNING',
        kapacitor_recoverable => 'true', kapacitor_name => 'cpu',
        kapacitor_task => 't01', kapacitor_group => 'host=web01',
        kapacitor_server => 'localhost',
        tag_host => 'web01', tag_HOST => 'web01', tag_Host => 'web01',
        tag_cpu => 'cpu0', field_usage => '95', field_USAGE => '95',
        ilert_result => 'DELIVERED', ilert_source => 'ops',
        ilert_event_type => 'ALERT', ilert_alert_key => 'cpu:host=web01',
        early => '<>',
    }, 'all of it');

    my $ok = logged('/native', webhook('01-levels-08-OK'));
    is($ok->{ilert_event_type}, 'RESOLVE', 'OK');
    is($ok->{ilert_source}, 'native');
    is($ok->{kapacitor_previous_level}, 'CRITICAL');
    is($ok->{tag_host}, 'web01');
};

subtest 'little' => sub {
    is_deeply(logged('/ops', '{"id":"a","level":"INFO"}'), {
        kapacitor_id => 'a', kapacitor_level => 'INFO', early => '<>',
        ilert_result => 'DELIVERED', ilert_source => 'ops',
        ilert_event_type => 'ALERT', ilert_alert_key => 'a',
    }, 'what is not known is empty');

    is_deeply(logged('/ops', '{"id":"a","level":"OK","message":null,'
        . '"details":null,"time":null,"duration":null,"previousLevel":null,'
        . '"recoverable":null,"data":null}'), {
        kapacitor_id => 'a', kapacitor_level => 'OK', early => '<>',
        ilert_result => 'DELIVERED', ilert_source => 'ops',
        ilert_event_type => 'RESOLVE', ilert_alert_key => 'a',
    }, 'nor is null');

    is_deeply(logged('/ops', '{"id":"a","level":"OK","message":"",'
        . '"details":"<b>x</b>","time":"","duration":0,"previousLevel":"",'
        . '"recoverable":false}'), {
        kapacitor_id => 'a', kapacitor_level => 'OK', early => '<>',
        kapacitor_details => '<b>x</b>', kapacitor_details_text => 'x',
        kapacitor_duration => '0', kapacitor_duration_text => '0s',
        kapacitor_recoverable => 'false',
        ilert_result => 'DELIVERED', ilert_source => 'ops',
        ilert_event_type => 'RESOLVE', ilert_alert_key => 'a',
    }, 'as received');

    my $got = logged('/ops', '{"level":"OK",'
        . series('{"b":"2","a":"1"}', '["time"]', qq(["$NOW"])) . '}');
    is($got->{ilert_alert_key}, 'cpu{b=2,a=1}', 'made of the series');
    is($got->{kapacitor_id}, undef);
};

# [ the time, its milliseconds, and how it is written in nginx's zone ]

subtest 'times' => sub {
    for (
        [ '2026-03-29T00:59:59.9999Z', '1774745999999',
          '2026-03-29 01:59:59 +0100' ],
        [ '2026-03-29T01:00:00Z', '1774746000000',
          '2026-03-29 03:00:00 +0200' ],
        [ '2026-07-01T12:00:00+05:30', '1782887400000',
          '2026-07-01 08:30:00 +0200' ],
        [ '1970-01-01T00:00:00Z', '0', '1970-01-01 01:00:00 +0100' ],
        [ '1969-12-31T23:59:59.999Z', '-1', '1970-01-01 00:59:59 +0100' ],
        [ '0001-01-01T00:00:00Z', '-62135596800000',
          $Config{longsize} < 8 ? undef : '0001-01-01 01:00:00 +0100' ],
        [ '2026-03-01 08:16:10.5 +0000 UTC', '1772352970500',
          '2026-03-01 09:16:10 +0100' ],
        [ '2026-03-01 08:16:10 -0330 NST m=+0.1', '1772365570000',
          '2026-03-01 12:46:10 +0100' ],
        map({ [ $_, undef, undef ] } '', 'yesterday', '2026-03-01',
            '2026-03-01 08:16:10', '2026-03-01 08:16:10 +00',
            '2026-03-01 08:16:10 +0000x', '1772352970'),
    ) {
        my ($time, $ms, $local) = @$_;
        my $got = logged('/ops', qq({"id":"a","level":"OK","time":"$time"}));

        is($got->{kapacitor_time_ms}, $ms, "'$time' in milliseconds");
        is($got->{kapacitor_time_local}, $local, 'in words');
    }
};

subtest 'durations' => sub {
    for (
        [ 0 => '0s' ], [ 1 => '1ns' ], [ 999 => '999ns' ],
        [ 1000 => '1µs' ], [ 1500 => '1.5µs' ], [ 1_000_000 => '1ms' ],
        [ 1_050_000 => '1.05ms' ], [ 999_999_999 => '999.999999ms' ],
        [ 1_000_000_000 => '1s' ], [ 59_999_999_999 => '59s' ],
        [ 60_000_000_000 => '1m0s' ], [ 330_000_000_000 => '5m30s' ],
        [ 3600_000_000_000 => '1h0m0s' ],
        [ 93784_500_000_000 => '26h3m4s' ], [ -5_000_000_000 => '-5s' ],
        [ '9223372036854775807' => '2562047h47m16s' ],
        map({ [ $_ => undef ] } '9223372036854775808', '1e9', '1.5'),
    ) {
        my ($ns, $text) = @$_;
        my $got = logged('/ops', qq({"id":"a","level":"OK","duration":$ns}));

        is($got->{kapacitor_duration_text}, $text, "$ns ns");
    }
};

subtest 'results' => sub {
    my $body = webhook('01-levels-04-CRITICAL');

    is(logged('/off', $body)->{ilert_result}, 'IGNORED');
    is(logged('/off', $body)->{ilert_source}, undef, 'no source');
    is(logged('/off', $body)->{ilert_alert_key}, 'cpu:host=web01');

    is_deeply(logged('/ops', webhook('37-service-test-01-OK'))->{ilert_result},
              'TEST');
    is_deeply(logged('/ops', '{}'), { ilert_result => 'REJECTED',
                                      early => '<>' }, 'rejected');
    is_deeply(logged('/ops', 'x'), { ilert_result => 'REJECTED',
                                     early => '<>' }, 'not JSON');

    $fake->rule(status => 429, times => 1);
    is(logged('/ops', $body)->{ilert_result}, 'UNAVAILABLE', 'status 429');
    $fake->rule(status => 400, times => 1);
    is(logged('/ops', $body)->{ilert_result}, 'UNAVAILABLE', 'status 400');
    $fake->rule(reset => 'after', times => 1);
    is(logged('/ops', $body)->{ilert_result}, 'UNAVAILABLE', 'no answer');

    $fake->rule(hang => 1, times => 1);
    is(logged('/ops', $body)->{ilert_result}, 'UNAVAILABLE', 'too late');

    my $got = logged('/client', $body);
    is($got->{ilert_result}, 'REJECTED', 'no source');
    is($got->{kapacitor_level}, 'CRITICAL', 'the webhook is known');
    is(logged('/ops', 'x' x 300_000)->{ilert_result}, undef, 'too large');

    my $before = $t->access_mark;
    is($t->get('/ops')->{status}, 405);
    ok(wait_until(sub { substr($t->access_log, $before)
                        =~ /"ilert_result":"REJECTED"/ }, 3), 'GET');

    # if= of access_log: three were rejected before, four not available

    ok(wait_until(sub { 8 == ($t->read_file('bad.log') =~ tr/\n//) }, 3),
       'a log of what was not taken');

    $before = $t->access_mark;
    is($t->get('/other')->{body}, '', 'nothing elsewhere');
    ok(wait_until(sub { substr($t->access_log, $before)
                        =~ /"ilert_result":""/ }, 3));

    my $r = $t->post('/ops', $body);
    is($r->{header}{'x-event'}, "$r->{json}{event} CRITICAL", 'add_header');

    $t->post('/plain', '{"id":"a b\\"","level":"OK"}');
    ok(wait_until(sub { -s $t->path('plain.log') }, 2));
    is($t->read_file('plain.log'), "a b\\x22 - ops\n", 'another format');
};

subtest 'names of tags and fields' => sub {
    my $got = logged('/ops', '{"id":"a","level":"OK",'
        . series('{"Größe-Test":"1","A.B":"2","a b":"3","ü":"4","C1":"5",'
                 . '"k":"6","K":"7","dup":"8","DUP":"9","empty":""}',
                 '["time","x.y","X_Y","Dup","dup"]',
                 qq(["$NOW",1,2,3,4])) . '}');
    my %tag = map { $_ => $got->{"tag_$_"} } grep { exists $got->{"tag_$_"} }
              @TAGS;
    is_deeply(\%tag, { gr__e_test => 1, a_b => 2, _ => 4, c1 => 5, K => 6,
                       dup => 8 }, 'tags');
    is($got->{field_x_y}, 1, 'the first of several');
    is($got->{field_dup}, 3);

    $got = logged('/ops', '{"id":"a","level":"OK",'
        . series('{}', '["time","x.y","x y"]', qq(["$NOW",null,1])) . '}');
    is($got->{field_x_y}, undef, 'the first, even if it is null');
};

subtest 'values' => sub {
    my $got = logged('/ops', '{"id":"a","level":"OK","duration":-5,'
        . '"time":"' . $NOW . '",'
        . series('{"host":"a\"\\\\\n\u0001\u00e4\ud83d\ude00/"}',
                 '["time","n","s","t","f","big","e","u","nul","value"]',
                 qq(["$NOW",-0.10,"a b \\" ü",true,false,)
                 . '9223372036854775807,1e+21,null,"x\u0000y",'
                 . '123456789012345678901234567890.5]') . '}');

    is($got->{tag_host}, qq(a"\\\n\x01\x{e4}\x{1f600}/), 'a tag');
    is($got->{field_n}, '-0.10', 'digits of a number');
    is($got->{field_s}, 'a b " ü', 'a text');
    is($got->{field_t}, 'true');
    is($got->{field_f}, 'false');
    is($got->{field_big}, '9223372036854775807', '64 bits');
    is($got->{field_e}, '1e+21');
    is($got->{field_u}, undef, 'null is no value');
    is($got->{field_nul}, "x\x{fffd}y", 'NUL');
    is($got->{field_value}, '123456789012345678901234567890.5');
    is($got->{kapacitor_duration}, '-5', 'a negative duration');

    $got = logged('/ops', '{"id":"grün\u00e4\ud800","level":"OK",'
                          . '"message":"ein \"Wort\"\n"}');
    is($got->{kapacitor_id}, "grünä\x{fffd}", 'id');
    is($got->{ilert_alert_key}, "grünä\x{fffd}", 'alert key');
    is($got->{kapacitor_message}, qq(ein "Wort"\n), 'message');

    my $long = 'x' x 100_000;
    is(logged('/ops', qq({"id":"a","level":"OK","message":"$long"}))
       ->{kapacitor_message}, $long, 'a long one, whole');
};

# Of several rows the one that set it off counts.

subtest 'batches' => sub {
    my $rows = join ',', map { qq({"name":"m$_","tags":{"host":"h$_"},)
        . qq("columns":["time","value"],"values":[["2026-03-01T08:16:0${_}Z",)
        . qq(${_}0],["2026-03-01T09:16:0${_}+01:00",${_}1],)
        . qq(["2026-03-01T08:17:0${_}Z",${_}2]]}) } 1 .. 3;

    for (
        [ '2026-03-01T08:16:02Z', 'm2', 'h2', 20 ],
        [ '2026-03-01T09:17:03+01:00', 'm3', 'h3', 32 ],
        [ '2026-03-01T08:16:01.000Z', 'm1', 'h1', 10 ],
        [ '2026-03-01T00:00:00Z', 'm1', 'h1', 12 ],
    ) {
        my ($time, $name, $host, $value) = @$_;
        my $got = logged('/ops', qq({"id":"a","level":"OK","time":"$time",)
                                 . qq("data":{"series":[$rows]}}));
        is($got->{kapacitor_name}, $name, "$time: series");
        is($got->{tag_host}, $host, 'tag');
        is($got->{field_value}, $value, 'field');
        is($got->{kapacitor_time}, $time, 'time');
    }
};

subtest 'maps' => sub {
    my $before = $t->access_mark;
    $t->post('/ops', '{"id":"a","level":"CRITICAL"}');
    $t->post('/ops', '{"id":"a","level":"OK","previousLevel":"INFO"}');
    wait_until(sub { 2 == (substr($t->access_log, $before) =~ tr/\n//) }, 2);
    is(join(',', substr($t->access_log, $before) =~ /"mapped":"([^"]*)"/g),
       'loud,quiet INFO', 'by level');

    for ([ blue => 'blue' ], [ redder => 'native' ], [ green => 'ops' ],
         [ '' => 'ops' ])
    {
        my ($team, $source) = @$_;
        $fake->reset;
        my $got = logged('/team', '{"id":"a","level":"OK",' . series(
            qq({"team":"$team"}), '["time"]', qq(["$NOW"])) . '}');
        is($got->{ilert_source}, $source, "source of team $team");
        is($fake->request(0)->{key}, $source eq 'native' ? $KAP : $KEY,
           'its key');
    }

    for my $team ('none', 'nobody') {
        my $got = logged('/team', '{"id":"a","level":"OK",' . series(
            qq({"team":"$team"}), '["time"]', qq(["$NOW"])) . '}');
        is($got->{ilert_result}, 'REJECTED', "no source of team $team");
        is($got->{ilert_source}, undef);
        is($got->{tag_team}, $team, 'but its tag');
    }

    for ([ 95 => 'blue' ], [ '"95"' => 'blue' ], [ '1.5' => 'native' ],
         [ '1.50' => undef ], [ '95.0' => undef ], [ null => undef ])
    {
        my ($value, $source) = @$_;
        is(logged('/field', '{"id":"a","level":"OK",' . series('{}',
            '["time","value"]', qq(["$NOW",$value])) . '}')->{ilert_source},
           $source, "field $value");
    }
};

sub of_team {
    my (%tags) = @_;

    return '{"id":"a","level":"OK",'
           . series(JSON::PP->new->encode(\%tags), '["time"]', qq(["$NOW"]))
           . '}';
}

subtest 'sources by variables' => sub {
    for (
        [ '/tag', { team => 'ops' }, 'ops' ],
        [ '/tag', { Team => 'other' }, 'other' ],
        [ '/tag', { team => 'off' }, undef ],
        [ '/joined', { first => 'p', rest => 's' }, 'ops' ],
        [ '/joined', { first => 'ther' }, 'other' ],
        [ '/joined', { rest => 'ff' }, undef ],
        [ '/client?source=first', {}, 'first' ],
        [ '/client?source=other', {}, 'other' ],
    ) {
        my ($uri, $tags, $source) = @$_;
        $_->reset for $fake, $second;

        my $got = logged($uri, of_team(%$tags));
        is($got->{ilert_source}, $source, "$uri, @{[%$tags]}");
        is($got->{ilert_result}, $source ? 'DELIVERED' : 'IGNORED');
        is_deeply([ map { $_->{key} } $fake->requests, $second->requests ],
                  [ !$source ? () : $source eq 'other' ? $OTHER : $KEY ],
                  'where it went');
    }

    my $n = $fake->counts->{requests} + $second->counts->{requests};

    for (
        [ '/tag', { team => 'OPS' }, 'no source "OPS"' ],
        [ '/tag', { team => 'ops ' }, 'no source "ops "' ],
        [ '/tag', { team => "ops\n" }, 'no source "ops "' ],
        [ '/tag', { team => 'ö"\\' }, 'no source "ö"\\"' ],
        [ '/tag', {}, 'no source, the value is empty' ],
        [ '/joined', {}, 'no source "o"' ],
        [ '/client', { team => 'ops' }, 'no source, the value is empty' ],
    ) {
        my ($uri, $tags, $error) = @$_;
        my $r = $t->post($uri, encode('UTF-8', of_team(%$tags)));

        is($r->{status}, 422, "$uri, $error");
        is($r->{json}{error}, "ilert_kapacitor: $error");
    }

    my $r = $t->post('/tag', encode('UTF-8', of_team(team => 'ö' x 1000)));
    is($r->{status}, 422);
    like($r->{json}{error}, qr/no source "ö{20,64}"$/, 'a long name is cut');

    is($fake->counts->{requests} + $second->counts->{requests}, $n,
       'nothing was sent');
};

# A map of the webhook's location does not know the webhook in the endpoint's,
# and is worked out anew there.

subtest 'maps in the endpoint' => sub {
    for (['first', $fake], ['other', $second]) {
        my ($source, $to) = @$_;
        $_->reset for $fake, $second;

        my $r = $t->post("/client?source=$source", of_team(team => 'nobody'));
        is($r->{status}, 202, $source);
        is($to->counts->{requests}, 1, 'the upstream of its source');
        is($to->request(0)->{header}{'x-team'}, 'ops', 'of no team');
        is($to->request(0)->{header}{'x-mapped'}, 'quiet', 'of no level');
    }
};

subtest 'many at once' => sub {
    $fake->reset;
    $fake->rule(delay => 0.3);
    my $before = $t->access_mark;

    my @handles = map {
        my $level = $_ % 2 ? 'OK' : 'INFO';
        $t->start_post('/ops', qq({"id":"key $_","level":"$level",)
                               . qq("message":"message $_"}))
    } 1 .. 20;
    my @answers = $t->finish(@handles);

    ok(wait_until(sub { 20 == (substr($t->access_log, $before) =~ tr/\n//) },
                  5), 'all are logged');
    my %line = map { my $all = JSON::PP->new->utf8->decode($_);
                     ($all->{kapacitor_id} => $all) }
               split /\n/, substr $t->access_log, $before;
    my %got = map { $_->{alert_key} => $_->{header} } $fake->requests;

    for my $n (1 .. 20) {
        my $id = $answers[$n - 1]{json}{event};
        my $type = $n % 2 ? 'RESOLVE' : 'ALERT';

        is_deeply([ @{$line{"key $n"}}{map { "ilert_$_" }
                        qw(event_id event_type alert_key)},
                    $line{"key $n"}{kapacitor_message} ],
                  [ $id, $type, "key $n", "message $n" ],
                  "webhook $n: its own in the log");
        is_deeply([ @{$got{"key $n"}}{map { "x-ilert-$_" }
                        qw(event-id event-type alert-key)} ],
                  [ "<$id>", "<$type>", "<key $n>" ], 'and in the endpoint');
    }

    cmp_ok(scalar(grep { $_->{inflight} > 5 } $fake->requests), '>', 5,
           'they were at once');
};

subtest 'in the endpoint' => sub {
    for (
        [ '/ops', 'ops', 'events', 'ALERT', '01-levels-04-CRITICAL' ],
        [ '/ops', 'ops', 'events', 'RESOLVE', '01-levels-08-OK' ],
        [ '/native', 'native', "v1/events/kapacitor/$KAP", 'ALERT',
          '01-levels-04-CRITICAL' ],
    ) {
        my ($uri, $source, $path, $type, $name) = @$_;
        $fake->reset;
        my $id = $t->post($uri, webhook($name))->{json}{event};

        my %got = map { $_->[0] =~ /^x-(.*)/i
                            ? ($1 =~ s/-/_/gr => $_->[1]) : () }
                  @{$fake->request(0)->{headers}};
        my %expected = (map({ $_ => '<>' } @ENDPOINT),
            ilert_source => "<$source>", ilert_path => "<$path>",
            ilert_event_type => "<$type>", ilert_event_id => "<$id>",
            ilert_alert_key => '<cpu:host=web01>', ilert_attempt => '<1>');
        is_deeply(\%got, \%expected, "$source, $type");
    }
};

is_deeply([ map { $_->errors } $fake, $second ], [],
          'no fault of a request');

done();
