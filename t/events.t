#!/usr/bin/perl

# "ilert_events": events that other senders post as they would post them to
# ilert, from the body that comes to the one that leaves.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP;
use Test::More;

use IlertMetrics;
use IlertQueue;
use IlertSchema;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $STORM = 'il1api5ec4e7a03';
my $UUID = 'edf0235f-a720-458e-a7fd-6b001042a4f4';
my $KAP = $IlertQueue::KAP;

my $RESULT = 'add_header X-Result "$ilert_result $ilert_source '
    . '$ilert_event_type $ilert_alert_key [$kapacitor_id]" always;';

my $q = IlertStatus->new(
    workers => 2, fake => { bodies => 1 },
    keys => { $KEY => 'api', $TWO => 'api', $UUID => 'api',
              $STORM => 'api',
              $KAP => 'kapacitor' },
    sources => {
        ops => 'coalesce latest; retry 50ms 200ms;',
        two => "integration_key $TWO; coalesce latest;",
        storm => "integration_key $STORM; coalesce latest; "
                 . 'digest 1 members=none;',
        uuid => "integration_key $UUID; coalesce off;",
        again => "integration_key $TWO; coalesce latest;",
        native => "webhook_url https://api.ilert.com/api/v1/events/kapacitor/"
                  . "$KAP;",
    },
    server => <<"CONF");
        location = /api/events { ilert_events ops; $RESULT }
        location = /key { ilert_events key; $RESULT }
        location = /given { ilert_events \$arg_source; $RESULT }
        location = /dry { ilert_events ops; ilert_dry_run on; }
        location = /small { ilert_events ops; ilert_event_max_size 4k;
                            ilert_max_body_size 16k; }
        location = /large { ilert_events ops; ilert_event_max_size 2m; }
        location = /unreadable { ilert_events key; ilert_unreadable alert; }
CONF

my ($t, $fake) = ($q->test, $q->fake);

my $JSON = JSON::PP->new->canonical->allow_nonref;

# The schema with its examples.

my $SCHEMA = JSON::PP->new->decode(IlertTest::slurp(
    IlertTest::top() . '/t/data/ilert-event.schema.json'));

$q->start;


# Posts a body, or a hash as JSON.  Returns the answer.

sub post {
    my ($body, $uri, @opt) = @_;
    $body = $JSON->encode($body) if ref $body;
    return $t->post($uri // '/api/events', $body, @opt);
}

# Posts an event, and returns the body that ilert gets, as text.  The key, with
# which it begins, is checked and cut off.

sub leaves {
    my ($body, $uri, $key) = @_;
    my $n = () = $fake->requests;
    my $answer = post($body, $uri);

    is($answer->{status}, 202, 'accepted') or diag($answer->{body});

    if (!$fake->wait_requests($n + 1)) {
        fail('it leaves');
        return '';
    }

    my $text = $fake->request($n)->{body};
    $key //= $KEY;
    ok($text =~ s/^\{"integrationKey":"\Q$key\E",/{/, 'its key');
    return $text;
}

sub refused {
    my ($body, $like, $uri, $status) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $answer = post($body, $uri);
    my $json = $answer->{json} || {};

    is("$answer->{status} $json->{status}",
       ($status // 400) . ' rejected', "refused: $like");
    like($json->{error}, $like, 'and why');
    return $answer;
}

sub alert { $fake->alerts->{$_[1] // $KEY}{lc $_[0]} || {} }

sub becomes {
    my ($key, $what, $of) = @_;
    my $log = sub { join ' ', @{alert($key, $of)->{log} || []} };
    ok(wait_until(sub { $log->() eq $what }, 10), "$key: $what")
        or diag($log->());
}


subtest 'an event goes on as it came' => sub {
    is(leaves({ eventType => 'ALERT', summary => 'Disk full',
                alertKey => 'srv/mail01', integrationKey => $KEY }),
       '{"eventType":"ALERT","summary":"Disk full","alertKey":"srv/mail01"}',
       'without its key');

    # what is not in its schema yet ilert ignores

    $fake->rule(times => 1, status => 202);
    is(leaves('{"severity" : 2, "logs": [ {"timestamp":"x", "level":"e",'
              . '"body":"b"} ], "priority":"LOW","x": 1.50e+3,'
              . ' "details":"\\u0041","summary":"S\\u00e9",'
              . ' "customDetails": {"n":12345678901234567890,'
              . ' "integrationKey":"inner", "o":null},'
              . '"labels":{"a":"b"}, "eventType":"ALERT","alertKey":"as is"}'),
       '{"eventType":"ALERT","summary":"S\\u00e9","alertKey":"as is",'
       . '"priority":"LOW","severity":2,"details":"\\u0041",'
       . '"labels":{"a":"b"},'
       . '"customDetails":{"n":12345678901234567890, '
       . '"integrationKey":"inner", "o":null},'
       . '"logs": [ {"timestamp":"x", "level":"e","body":"b"} ],"x": 1.50e+3}',
       'values are not touched');

    my $all = {
        eventType => 'ALERT', summary => 's', alertKey => 'all',
        details => '**d**', priority => 'HIGH', severity => 1,
        images => [ { src => 'i', href => 'h', alt => 'a' } ],
        links => [ { href => 'h', text => 't' }, {} ],
        comments => [ { creator => 'c', content => 'd' } ],
        labels => { env => 'prod' },
        services => [ { alias => 'a' }, { id => 9007199254740993 } ],
        customDetails => { a => [ 1, { b => undef } ] }, routingKey => 'r',
    };
    is($JSON->encode($JSON->decode(leaves($all))), $JSON->encode($all),
       'all members');

    is(leaves('{"eventType":"ALERT","summary":"s","incidentKey":" Old\\t",'
              . "\"apiKey\":\"$KEY\",\"details\":null,\"severity\":null}"),
       '{"eventType":"ALERT","summary":"s","alertKey":"Old"}',
       'old names, an alert key that is trimmed, and null');

    is(leaves('{"eventType":"ALERT","summary":"s","alertKey":" ",'
              . '"incidentKey":"Blank","integrationKey":"","apiKey":"' . $TWO
              . '"}', '/key', $TWO),
       '{"eventType":"ALERT","summary":"s","alertKey":"Blank"}',
       'old names, beside new ones that are blank');

    is(leaves('{"eventType":"COMMENT","eventType":"ALERT","summary":"s",'
              . '"\\u0061lertKey":"esc","\\u0061piKey":"' . $KEY . '"}'),
       '{"eventType":"ALERT","summary":"s","alertKey":"esc"}',
       'the last of one name, and names with escapes');
};


subtest "ilert's examples" => sub {
    my @examples = (@{$SCHEMA->{examples}},
                    @{$SCHEMA->{'x-official-examples-without-summary'}});
    is(@examples, 4, 'all of them');

    for my $example (@examples) {
        my $sent = $JSON->decode(leaves($example, '/key', $UUID));
        is($sent->{alertKey}, 'srv/mail01', $example->{eventType});
        $q->drained;
    }

    becomes('srv/mail01', 'ALERT ALERT ACCEPT RESOLVE', $UUID);
    is($fake->request(-2)->{event}{summary}, 'srv/mail01 is accepted',
       'a summary, which ilert needs');
    is($fake->request(-1)->{event}{summary}, 'srv/mail01 is resolved',
       'and of a RESOLVE');
    is($JSON->decode(leaves({ eventType => 'COMMENT', summary => ' ',
                              alertKey => 'srv/mail01' }))->{summary},
       'srv/mail01 has a comment', 'a blank one is none');
};


subtest 'what is no event' => sub {
    my %alert = (eventType => 'ALERT', summary => 's', alertKey => 'no');
    my $n = () = $fake->requests;

    refused('', qr/^not JSON: unexpected end at byte 0$/);
    refused('[]', qr/^body: expected an object$/);
    refused('{"eventType":"ALERT",}', qr/^not JSON: .* at byte 21$/);
    refused('{"a":1}x', qr/^not JSON: unexpected character at byte 7$/);
    refused({}, qr/^eventType: missing, expected "ALERT", .* "COMMENT"$/);
    refused({ alerts => [], orgId => 1 },
            qr/^eventType: missing, .*; this is a webhook of Grafana$/);
    refused(webhook('01-levels-04-CRITICAL'),
            qr/; this is a webhook of Kapacitor, .* to "ilert_kapacitor"$/);
    refused({ %alert, eventType => $_ }, qr/^eventType: expected "ALERT", /)
        for 'alert', 1;
    refused({ %alert, summary => " \n" },
            qr/^summary: missing or blank, .* ALERT needs one$/);
    refused({ %alert, summary => 5 }, qr/^summary: expected a string$/);
    refused({ eventType => $_, summary => 's', alertKey => " \t" },
            qr/^alertKey: missing or blank, an event of type $_ /)
        for qw(RESOLVE ACCEPT COMMENT);
    refused({ %alert, severity => $_ },
            qr/^severity: expected a whole number from 1 to 5$/)
        for 0, 6, '1', 'SEV1', 1.5, \1;
    refused({ %alert, priority => $_ },
            qr/^priority: expected "HIGH" or "LOW"$/)
        for 'high', '', 1, [];
    refused({ %alert, $_ => 1 }, qr/^$_: expected a string$/)
        for qw(integrationKey apiKey details alertKey incidentKey routingKey);
    refused({ %alert, customDetails => [] },
            qr/^customDetails: expected an object$/);
    refused({ %alert, labels => 'x' },
            qr/^labels: expected an object of strings$/);
    refused({ %alert, labels => { "a\nb" => 1 } },
            qr/^labels\.a b: expected a string$/);
    refused({ %alert, $_ => {} }, qr/^$_: expected an array of objects$/)
        for qw(images links comments services);
    refused({ %alert, images => [ {}, 'x' ] },
            qr/^images\[1\]: expected an object$/);
    refused({ %alert, images => [ { src => 1 } ] },
            qr/^images\[0\]\.src: expected a string$/);
    refused({ %alert, links => [ {}, { text => undef } ] },
            qr/^links\[1\]\.text: expected a string$/);
    refused({ %alert, comments => [ { content => {} } ] },
            qr/^comments\[0\]\.content: expected a string$/);
    refused('{"eventType":"ALERT","summary":"s",'
            . '"services":[{"id":' . $_ . '}]}',
            qr/^services\[0\]\.id: expected a whole number of 64 bits$/)
        for '1.0', '"7"', '9223372036854775808', '1e2';
    refused('{"summary":"s","eventType":"ALERT","x":' . '[' x 1001 . ']' x 1001
            . '}', qr/^not JSON: nested too deeply/);

    my $answer = post('', '/api/events', headers => [
        'Content-Encoding' => 'gzip' ], body => "\x1f\x8b\x08");
    is($answer->{status}, 400, 'an encoding');
    like($answer->{json}{error}, qr/Content-Encoding "gzip"/, 'is the reason');

    $answer = $t->get('/api/events');
    is("$answer->{status} $answer->{header}{allow}", '405 POST', 'GET');

    ok($q->calm(0.3), 'nothing leaves');
    is(scalar(() = $fake->requests), $n, 'nothing at all');
};


subtest 'what can be mended' => sub {
    my $begin = '{"eventType":"ALERT","alertKey":"mend","summary":"';

    is(leaves("\xef\xbb\xbf${begin}bom\"}"),
       '{"eventType":"ALERT","summary":"bom","alertKey":"mend"}', 'a mark');
    $q->drained;
    like(leaves("${begin}a\nb\",\"severity\":1}"), qr/"summary":"a\\nb"/,
         'a control character');
    $q->drained;
    $fake->rule(times => 1, status => 202);
    like(leaves("$begin\xff\",\"severity\":2,\"x\":\"\\ud800 \\u0000\"}"),
         qr/"summary":"\xef\xbf\xbd".*"x":"\\ufffd \\ufffd"/,
         'bytes that are no UTF-8, and no characters');
    is(scalar $t->grep_log(qr/event is odd, and taken: body: /), 1,
       'a line a minute');
};


# what the fuzzer has found, and where it begins

subtest 'odd events' => sub {
    for my $file (sort glob "$FindBin::Bin/fuzz/posted/*") {
        my $json = post(IlertTest::slurp($file), '/dry')->{json};
        like($json->{answer} // '', qr/^(?:202|400|413)$/,
             $file =~ s/.*\///r);
    }
};


subtest 'sizes' => sub {
    my %alert = (eventType => 'ALERT', alertKey => 'size');

    like(leaves({ %alert, summary => 'x' x 4000 }, '/small'), qr/"x{4000}"/,
         'what fits is whole');
    refused({ %alert, summary => 'x' x 4100 },
            qr/^body: an event of 41\d\d bytes, 4096 are allowed by /,
            '/small', 413);
    refused({ %alert, summary => 's', alertKey => 'k' x 2049 },
            qr/^alertKey: 2049 bytes, 2048 are allowed/, '/small', 413);

    my $answer = post({ %alert, summary => 'x' x 20000 }, '/small');
    is($answer->{status}, 413, "nginx's own");

    # parsed on the thread

    my $summary = 'y' x 1000000;
    $alert{alertKey} = 'large';
    ok(leaves({ %alert, summary => $summary }, '/large') =~ /"$summary"/,
       'a large one');
    refused('{"x":"' . 'z' x 1000000 . '",}', qr/^not JSON/, '/large');
};


subtest 'the source' => sub {
    my %alert = (eventType => 'ALERT', summary => 's', alertKey => 'src');

    leaves({ %alert, integrationKey => $TWO }, '/key', $TWO);
    is($fake->request(-1)->{header}{'x-source'}, 'again',
       'of two with the key, the first one');
    leaves({ %alert, apiKey => $UUID }, '/key', $UUID);

    for my $key ({}, { integrationKey => '' }) {
        refused({ %alert, %$key },
                qr/^integrationKey: missing, expected that of a source$/,
                '/key');
    }

    for my $key ('il1api5ec4e7ff', $KAP, lc 'x') {
        my $answer = refused({ %alert, integrationKey => $key },
                             qr/^integrationKey: no source has it$/, '/key');
        unlike($answer->{raw}, qr/\Q$key/, 'it is not shown') if $key ne 'x';
    }

    refused({ %alert, integrationKey => $_ },
            qr/^integrationKey: it is that of another source, and .* "ops"$/)
        for $TWO, $KAP;
    leaves({ %alert, alertKey => 'src2', integrationKey => 'none' });

    my $answer = post({ %alert, alertKey => 'g' }, '/given?source=two');
    is($answer->{header}{'x-result'}, 'ACCEPTED two ALERT g []', 'a variable');
    refused(\%alert, qr/^ilert_events: no source, the value is empty$/,
            '/given', 422);
    refused(\%alert, qr/^ilert_events: no source "nobody"$/,
            '/given?source=nobody', 422);
    refused(\%alert, qr/^ilert_events: source "native" has a webhook URL/,
            '/given?source=native', 400);

    $answer = post(\%alert, '/given?source=off');
    is("$answer->{status} $answer->{json}{status}", '202 ignored', 'off');
    is($answer->{header}{'x-result'}, 'IGNORED  ALERT src []', 'as a result');
};


subtest 'levels and urgency' => sub {
    my %level = (
        '{}' => 'CRITICAL critical', '{"priority":"LOW"}' => 'WARNING open',
        '{"priority":"HIGH"}' => 'CRITICAL critical',
        '{"severity":1}' => 'CRITICAL critical',
        '{"severity":2}' => 'CRITICAL critical',
        '{"severity":2,"priority":"LOW"}' => 'CRITICAL open',
        '{"severity":3}' => 'WARNING open', '{"severity":4}' => 'INFO open',
        '{"severity":5}' => 'INFO open',
        '{"severity":5,"priority":"HIGH"}' => 'INFO critical',
    );

    for my $more (sort keys %level) {
        my $json = post({ eventType => 'ALERT', summary => 's',
                          alertKey => 'level', %{$JSON->decode($more)} },
                        '/dry')->{json};
        is("$json->{level} $json->{urgency}", $level{$more}, $more);
    }

    my $json = post({ eventType => 'RESOLVE', alertKey => 'level' },
                    '/dry')->{json};
    is("$json->{level} $json->{urgency} $json->{type} $json->{becomes}",
       'OK resolve RESOLVE sent', 'a RESOLVE');
    is($json->{event}{summary}, 'level is resolved', 'what would leave');
    ok(!exists $json->{event}{integrationKey}, 'without its key');
};


subtest 'it is coalesced' => sub {
    my %alert = (eventType => 'ALERT', summary => 's', alertKey => 'Co');
    my $before = $q->status->{sources}{ops}{coalesced};

    my $say = sub {
        is(post({ %alert, @_ })->{status}, 202, "@_");
        $q->becomes(sub { !$_->{queue}{pending} }, 'told');
    };

    $say->();
    $say->(alertKey => ' cO ');
    $say->(severity => 1);
    $say->(severity => 1, summary => 'other');
    $say->(severity => 2);
    $say->(severity => 2, priority => 'HIGH');
    $say->(severity => 2, priority => 'HIGH');
    becomes('co', 'ALERT ALERT ALERT ALERT');
    is($q->status->{sources}{ops}{coalesced} - $before, 3, 'three repeats');

    # the severity is remembered

    $t->stop;
    $t->start;
    $say->(severity => 2, priority => 'HIGH');
    $say->(severity => 1, priority => 'HIGH');
    becomes('co', 'ALERT ALERT ALERT ALERT ALERT');

    $say->(eventType => 'ACCEPT');
    $say->(eventType => 'COMMENT');
    $say->(eventType => 'COMMENT');
    $say->(eventType => 'RESOLVE');
    $say->(eventType => 'RESOLVE');
    becomes('co', 'ALERT ALERT ALERT ALERT ALERT ACCEPT COMMENT COMMENT '
            . 'RESOLVE');
};


subtest 'an ALERT without an alert key' => sub {
    my $status = $q->becomes(sub { !$_->{queue}{pending} }, 'nothing waits');
    my $open = $status->{sources}{ops}{open_alerts};
    my $n = () = $fake->requests;

    my @ids = map { post({ eventType => 'ALERT', summary => 'Backup failed',
                           $_ ? (alertKey => ' ') : () })->{json}{event} }
              0 .. 1;
    $fake->wait_requests($n + 2);

    my %keys = map { $fake->request($_)->{alert_key} => 1 } $n, $n + 1;
    is(join(' ', sort keys %keys),
       join(' ', sort map { "ilert-event:$_" } @ids), 'each is a new alert');

    $status = $q->becomes(sub { !$_->{queue}{pending} }, 'both are told');
    is($status->{sources}{ops}{open_alerts}, $open, 'none counts as open');
    ok(!(grep { $_->{alert_key} =~ /^ilert-event:/ } @{$status->{open}}),
       'and none is listed');

    # but whoever knows the id can end it

    is(post({ eventType => 'RESOLVE',
              alertKey => "ilert-event:$ids[0]" })->{status}, 202,
       'it is resolved');
    becomes("ilert-event:$ids[0]", 'ALERT RESOLVE');

    # one alert, whatever is sent twice

    $n = () = $fake->requests;
    $fake->rule(times => 1, take => 1, reset => 'after');
    my $id = post({ eventType => 'ALERT', summary => 'Once' })->{json}{event};
    becomes("ilert-event:$id", 'ALERT ALERT');
    is(alert("ilert-event:$id")->{opened}, 1, 'one alert');
};


subtest 'without an alert key, in a storm' => sub {
    my %alert = (eventType => 'ALERT', summary => 's',
                 integrationKey => $STORM);

    is(post({ %alert, alertKey => $_ }, '/key')->{status}, 202, $_)
        for qw(first listed);
    becomes('ilert-digest:storm', 'ALERT', $STORM);

    my $id = post(\%alert, '/key')->{json}{event};
    becomes("ilert-event:$id", 'ALERT', $STORM);
    is_deeply(alert('listed', $STORM), {}, 'others are still listed');

    post({ %alert, eventType => 'RESOLVE', alertKey => $_ }, '/key')
        for 'first', 'listed', "ilert-event:$id";
    $q->becomes(sub { !$_->{sources}{storm}{pending} }, 'and end');
};


subtest "with Kapacitor's events of the alert" => sub {
    $fake->rule(status => 503, match => qr/"mixed"/, times => 3);
    $q->post('mixed', 'CRITICAL');
    post({ eventType => 'COMMENT', alertKey => 'MIXED' });
    post({ eventType => 'RESOLVE', alertKey => 'mixed' });
    becomes('mixed', 'ALERT COMMENT RESOLVE');
};


subtest 'without a queue that can be written to' => sub {
    my $n = () = $fake->requests;
    $q->change(queue => undef);
    $t->reload;

    my $answer = post({ eventType => 'ALERT', summary => 'relayed',
                        alertKey => 'relay' });
    is("$answer->{status} $answer->{header}{'x-result'}",
       '202 DELIVERED ops ALERT relay []', 'relayed');
    is(scalar(() = $fake->requests), $n + 1, 'while it waits');

    $fake->rule(status => 400, times => 1);
    $answer = post({ eventType => 'ALERT', summary => 'relayed',
                     integrationKey => $KEY });
    is("$answer->{status} $answer->{json}{status}", '502 rejected',
       'ilert refuses it');

    $q->change(queue => 'queue');
    $t->reload;
};


subtest 'what was refused is counted and kept' => sub {
    my $before = $q->status->{refused};
    my $mark = $t->mark;

    refused({ eventType => 'ALERT', alertKey => 'kept', apiKey => $TWO,
              integrationKey => $UUID }, qr/^summary: /, '/unreadable');
    refused('{"integrationKey": "' . $UUID . '", "apiKey":"a\\"' . $TWO
            . '", eventType', qr/^not JSON/, '/unreadable');

    my $status = $q->becomes(sub { $_->{refused}{kept_total}
                                   == $before->{kept_total} + 2 }, 'kept');
    is($status->{refused}{rejected}, $before->{rejected} + 2, 'counted');
    is($status->{refused}{last}{location}, '/unreadable', 'where');

    for my $kept (@{$status->{refused}{kept}}[0, 1]) {
        my $body = $q->get("/status?refused=$kept->{id}")->{body};
        unlike($body, qr/$UUID|$TWO/, 'the body is kept without a key');
        like($body, qr/integrationKey.*\*{36}/, 'only its place');
    }

    my ($line) = $t->grep_log(qr/event refused: 400 to /, $mark);
    like($line, qr/summary: missing or blank, .*, id "kept"/, 'a line');
    unlike($t->log_since($mark), qr/$UUID|$TWO/, 'in no log');

    # careless senders

    my $none = '01234567-a720-458e-a7fd-6b001042a4f4';
    my $twice = $JSON->encode($JSON->encode({ integrationKey => $none,
                                              x => $TWO }));
    my @bodies = (
        "{'integrationKey': '$none', 'x': '$TWO'}", $twice,
        "integrationKey=$none&apikey=$none&key=$TWO",
        "{integrationKey : \"$none\", x: $TWO}", "integrationKey => '$none'",
        qq({"integrationkey":"$none"}), qq({"\\u0061piKey":"$UUID"}),
        qq({"x":"integrationKey" "integrationKey":"$none"}),
        qq({"integrationKey:"$none"}), qq({"integrationKey":["$none"]}),
        qq({"integrationKey":["x","$TWO"]}), qq({"integrationKey":$UUID}),
    );

    my $n = $status->{refused}{kept_total};
    is(post($_)->{status}, 400, $_) for @bodies;
    $status = $q->becomes(sub { $_->{refused}{kept_total} == $n + @bodies },
                          'kept');

    for my $kept (@{$status->{refused}{kept}}[0 .. $#bodies]) {
        my $body = $q->get("/status?refused=$kept->{id}")->{body};
        unlike($body, qr/$none|$UUID|$TWO/, 'a body without keys');
    }

    my $m = IlertMetrics->read($q->metrics->{body});
    is_deeply([ $m->faults ], [], 'the metrics');
    ok((grep { $_->{labels}{source} eq 'uuid' && $_->{value} >= 1 }
        $m->samples('ilert_webhooks_rejected_total')),
       'by the source that the key has');

    # "ilert_unreadable alert"

    ok(wait_until(sub { grep { /^ilert-unreadable:/ }
                        keys %{$fake->alerts->{$UUID} || {}} }, 10),
       'somebody hears of it');
};


subtest 'the configuration' => sub {
    my $head = "ilert_source ops { integration_key $KEY; }\n"
        . "ilert_source nat { webhook_url https://api.ilert.com/api/v1/events/"
        . "kapacitor/$KAP; }\n";
    my $server = sub { <<"CONF" };
$head server { listen 127.0.0.1:%%PORT_0%%;
$_[0]
%%ENDPOINT%% }
CONF

    for my $case (
        [ 'location = /e { ilert_events none; }',
          qr/unknown source "none" in "ilert_events" in .* "key" and the / ],
        [ 'location = /e { ilert_events nat; }',
          qr/source "nat" of "ilert_events" in F:\d+ has a webhook URL/ ],
        [ 'location = /e { ilert_events ops; ilert_events ops; }',
          qr/"ilert_events" directive is duplicate/ ],
        [ 'location = /e { ilert_kapacitor ops; ilert_events ops; }',
          qr/"ilert_events" and "ilert_kapacitor" are in the same location/ ],
        [ 'location = /e { ilert_events ops; proxy_pass http://127.0.0.1:1; }',
          qr/"ilert_events" in F:\d+ has no effect, another directive of / ],
        [ 'location = /e { ilert_events ops test=send; }',
          qr/invalid number of arguments in "ilert_events"/ ],
        [ 'location = /e { ilert_events; }',
          qr/invalid number of arguments in "ilert_events"/ ],
        [ 'location /k/ { ilert_reconcile /e; proxy_pass http://127.0.0.1:1/; }
           location = /e { ilert_events ops; }',
          qr/leads to no location with "ilert_kapacitor"/,
          "ilert_queue queue;\n" ],
    ) {
        my ($conf, $like, $more) = @$case;
        my @lines = grep { /\[emerg\]/ }
                    $t->conf_lines(($more // '') . $server->($conf));
        like("@lines", $like, $conf);
    }

    for my $case (
        [ 'location = /e { ilert_events ops; ilert_summary x;
                           ilert_alert_key y; }',
          qr/"ilert_alert_key", "ilert_summary" have no .* as they came/ ],
        [ 'location = /e { ilert_events key; }',
          qr/"ilert_events key" in .* does not mean the source "key"/,
          "ilert_source key { integration_key $TWO; }\n" ],
        [ 'location /e/ { ilert_events ops; }',
          qr{"ilert_events" in .* "/e/", which does not take events to "/e"} ],
        [ 'location = /e { return 204; ilert_events key; }',
          qr/no event reaches "ilert_events" in / ],
        [ 'location = /e { ilert_events $arg_s; }', undef ],
        [ 'location = /e { ilert_events key; if ($arg_x) { set $y 1; } }',
          undef ],
    ) {
        my ($conf, $like, $more) = @$case;
        my @lines = grep { /\[(?:emerg|warn)\]/ && !/"endpoint_|resolver/ }
                    $t->conf_lines(($more // '') . $server->($conf));
        $like ? like("@lines", $like, $conf) : is("@lines", '', $conf);
    }
};

done();
