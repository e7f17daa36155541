#!/usr/bin/perl

# Sources with a webhook URL: Kapacitor's body goes on byte for byte, below
# the endpoint, and the key that is in the path gets into no log.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::MD5 qw(md5_hex);
use Test::More;

use IlertDNS;
use IlertFake;
use IlertTest;

my $KEY = 'il1kap5ec4e7b01';
my $TWO = 'il1kap5ec4e7b02';
my $API = 'il1api5ec4e7b03';
my $ROOT = 'https://api.ilert.com/api/v1/events/kapacitor';

my $fake = IlertFake->start(keys => { $KEY => 'kapacitor',
                                      $TWO => 'kapacitor', $API => 'api' });
my $dns = IlertDNS->start(mode => 'silent');
my $refused = '127.0.0.1:' . IlertFake::free_port();

my %PASS = (
    plain => 'proxy_pass http://%%FAKE%%/api/$ilert_path;',
    uri => 'proxy_pass http://%%FAKE%%;',
    prefix => 'proxy_pass http://%%FAKE%%/a/b/;',
    root => 'proxy_pass http://%%FAKE%%/;',
    rewrite => 'rewrite ^/[^/]+/(.*)$ /re/$1 break;
        proxy_pass http://%%FAKE%%;',
    refused => "proxy_pass http://$refused/api/\$ilert_path;",
    unresolved => 'resolver ' . $dns->address . ' ipv6=off;
        resolver_timeout 1s;
        proxy_pass http://api.ilert.test/api/$ilert_path;',
    intercept => 'proxy_pass http://%%FAKE%%/api/$ilert_path;
        proxy_intercept_errors on; error_page 400 500 502 504 /none;',
    file => 'proxy_pass http://%%FAKE%%/api/$ilert_path; try_files /x =404;',
    static => 'proxy_pass http://%%FAKE%%; rewrite ^ /static$uri last;',
    denied => 'proxy_pass http://%%FAKE%%; return 403;',
    limited => 'proxy_pass http://%%FAKE%%/api/$ilert_path;
        limit_req zone=one;',
    buffers => 'proxy_pass http://%%FAKE%%/api/$ilert_path;
        proxy_buffer_size 4k; proxy_buffers 2 4k; proxy_busy_buffers_size 4k;
        proxy_max_temp_file_size 0;',
    tls => 'proxy_pass https://%%FAKE%%/api/$ilert_path;',
    told => 'proxy_pass http://%%FAKE%%/api/$ilert_path;
        proxy_set_header X-Type $ilert_event_type;
        proxy_set_header X-Key $ilert_alert_key;
        proxy_set_header X-Source $ilert_source;',
);

my ($sources, $locations) = ('', '');

for my $name (sort keys %PASS) {
    $sources .= "ilert_source $name { webhook_url $ROOT/$KEY;"
                . " endpoint $name; }\n";
    $locations .= "location /e_$name/ { internal; ilert_endpoint $name;"
                  . " proxy_read_timeout 3s; proxy_connect_timeout 3s;"
                  . " $PASS{$name} }\n";
}

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;
    $sources
    ilert_source two {
        webhook_url "http://other.test:8080/v1/events/kapacitor/$TWO";
        endpoint plain;
    }
    ilert_source upper {
        webhook_url "HTTPS://API.ILERT.COM/API/V1/EVENTS/KAPACITOR/$KEY";
        endpoint plain;
    }

    ilert_source ops { integration_key $API; endpoint told; }

    map \$uri \$chosen { ~^/to/(?<name>.*)\$ \$name; }

    map \$kapacitor_level \$type_of_level {
        INFO    off;
        WARNING COMMENT;
        OK      FOO;
    }
    limit_req_zone \$binary_remote_addr zone=one:1m rate=1r/m;
    log_subrequest on;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location /to/ { ilert_kapacitor \$chosen; }

        location /mapped {
            ilert_kapacitor \$arg_source;
            ilert_event_max_size 4k;

            ilert_event_type \$type_of_level;
            ilert_alert_key "\$arg_key";

            ilert_summary "mapped \$kapacitor_message";
            ilert_details mapped;
            ilert_priority "\$arg_bad";
            ilert_severity "\$arg_bad";
            ilert_routing_key mapped;
            ilert_label mapped 1;
            ilert_link mapped;
            ilert_image mapped;
            ilert_service mapped;
            ilert_comment mapped;
            ilert_custom_detail mapped 1;
        }

        location /typed {
            ilert_kapacitor told;
            ilert_event_type "\$arg_type";
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        $locations
        location /static/ { root %%DIR%%; }
    }
CONF

my $CRITICAL = webhook('01-levels-04-CRITICAL');

sub sent {
    my ($body, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $fake->reset;
    my $r = $t->post('/to/plain', $body, %opt);
    is($r->{status}, 202, substr($body, 0, 60) =~ s/[^ -~]/?/gr)
        or diag $r->{body};
    is($r->{json}{status}, 'accepted');
    is($fake->counts->{requests}, 1, 'sent once');

    my $request = $fake->request(0) || {};
    ok($request->{body} eq $body, 'byte for byte')
        or diag "got $request->{body}";
    is($request->{header}{'content-length'}, length $body, 'Content-Length');
    is($request->{header}{'content-type'}, 'application/json',
       'Content-Type');
}

subtest 'where to' => sub {
    my %uri = (plain => "/api/v1/events/kapacitor/$KEY",
               two => "/api/v1/events/kapacitor/$TWO",
               upper => "/api/v1/events/kapacitor/$KEY",
               uri => "/e_uri/v1/events/kapacitor/$KEY",
               prefix => "/a/b/v1/events/kapacitor/$KEY",
               root => "/v1/events/kapacitor/$KEY",
               rewrite => "/re/v1/events/kapacitor/$KEY");

    for my $name (sort keys %uri) {
        $fake->reset;
        is($t->post("/to/$name", $CRITICAL)->{status}, 202, $name);
        is($fake->request(0)->{uri}, $uri{$name}, 'URI');
        is($fake->request(0)->{method}, 'POST', 'method');
        ok($fake->request(0)->{taken}, 'taken');
    }
};

subtest 'byte for byte' => sub {
    sent($CRITICAL);
    sent(webhook('01-levels-08-OK'));
    sent(webhook('30-big-batch-01-CRITICAL'));
    sent(webhook('05-unicode-01-CRITICAL'));
    sent(webhook('31-empty-id-01-CRITICAL'));

    sent($_) for (
        '{"id":"a","level":"OK"}', '{"level":"OK","id":"a"}',
        qq( \t\r\n{\r\n "id" :\t"a" ,\n "level":"OK"\r\n}\r\n \n),
        '{"id":"\u0061\/\u00e4\ud83d\ude00\n","level":"\u004fK"}',
        qq({"id":"\xc3\xa4","level":"OK","more":"\xf0\x9f\x98\x80"}),
        '{"id":"a","id":"b","level":"CRITICAL","level":"OK"}',
        '{"id":"a","level":"OK","n":[1e+400,-0.0,1.10,123456789012345678901]}',
        '{"id":"a","level":"OK","x":"\u0000\ud800"}',
        '{"id":"a","level":"OK","data":{"series":null}}',
        '{"id":"a","level":"WARNING","details":"' . 'x' x 200_000 . '"}',
        '{"id":"a","level":"WARNING","data":{"series":[' . join(',',
            map { qq({"name":"m","tags":{"n":"$_"},"columns":["time","v"],)
                  . qq("values":[["2026-03-01T08:16:10Z",$_]]}) } 1 .. 5000)
            . ']}}',
    );

    sent($CRITICAL, chunked => 7);
    sent($CRITICAL, pieces => 100, pause => 0.001);
    sent($CRITICAL, headers => [ 'Content-Type' => 'text/plain' ]);
};

# The body is made JSON if it is none, and is not touched otherwise.

subtest 'what is repaired' => sub {
    my $bom = "\xef\xbb\xbf";

    for (
        [ $bom . $CRITICAL, $CRITICAL ],
        [ "$bom\n$CRITICAL", "\n$CRITICAL" ],
        [ qq({"id":"a\tb",\n"level":"OK","message":"c\nd\0\x1f"}),
          qq({"id":"a\\tb",\n"level":"OK",)
          . '"message":"c\\nd\\u0000\\u001F"}' ],
        [ qq({"id":"a","level":"OK","data":"\\\\\n\\"\r"}),
          '{"id":"a","level":"OK","data":"\\\\\\n\\"\\r"}' ],
        [ qq({"id":"a","level":"OK","message":"Gr\xf6\xdfe"}),
          '{"id":"a","level":"OK","message":"Gr' . "\xef\xbf\xbd" x 2
          . 'e"}' ],
        [ qq($bom\{"id":"a","level":"OK","message":"\xff\n"}),
          qq({"id":"a","level":"OK","message":"\xef\xbf\xbd\\n"}) ],
        map({ [ $_, $_ ] }
            '{"id":"a","level":"OK","message":"\ufffd\u0000"}',
            qq({"id":"a","level":"OK","message":"\xef\xbf\xbd"}),
            '{"id":5,"level":"warn","duration":"1m","data":"x","recoverable":'
            . '"true","message":[1]}'),
    ) {
        my ($body, $sent) = @$_;
        $fake->reset;

        is($t->post('/to/plain', $body)->{status}, 202, substr $sent, 0, 40);
        is($fake->request(0)->{body}, $sent, 'what was sent');
    }
};

subtest 'what is not sent' => sub {
    $fake->reset;

    my $r = $t->post('/to/plain', webhook('37-service-test-01-OK'));
    is($r->{status}, 202, 'the test');
    is($r->{json}{status}, 'test');

    for (
        [ '', qr/^not JSON/ ], [ '{', qr/^not JSON/ ], [ '[]', qr/expected/ ],
        [ '{}', qr/^level: missing/ ], [ "$CRITICAL x", qr/^not JSON/ ],
        [ '{"level":"FATAL","id":"a"}', qr/^level: expected/ ],
        [ '{"level":"OK","id":""}', qr/./ ],
        [ '{"level":"OK","id":{}}', qr/^id: empty/ ],
        [ $CRITICAL =~ s{\}\s*$}{}r, qr/^not JSON/ ],
    ) {
        my ($body, $error) = @$_;
        my $what = substr $body, 0, 40;

        if ($body eq '{"level":"OK","id":""}') {
            is($t->post('/to/plain', $body)->{json}{status}, 'test', $what);
            next;
        }

        $r = $t->post('/to/plain', $body);
        is($r->{status}, 400, $what);
        like($r->{json}{error}, $error);
    }

    is($fake->counts->{requests}, 0, 'nothing was sent');
};

# Each of these has nginx say something at error or info: the harness looks
# for the key in all logs and answers.

subtest 'troubles' => sub {
    my $mark = $t->mark;
    my @rules = (
        [ { status => 404, body => "no $KEY here" }, 502 ],
        [ { status => 404, body => qq({"message":"no $KEY here"}) }, 502 ],
        [ { status => 301, headers => [
            Location => $fake->url . "/api/v1/events/kapacitor/$KEY" ] },
          502 ],
        [ { status => 429 }, 503 ],
        [ { status => 500, huge => 300_000 }, 502 ],
        [ { status => 202, huge => 300_000 }, 202 ],
        [ { status => 202, endless => 1 }, 202 ],
        [ { reset => 'accept' }, 502 ], [ { reset => 'after' }, 502 ],
        [ { reset => 'mid' }, 502 ], [ { close => 'after' }, 502 ],
        [ { close => 'mid' }, 502 ],
        [ { reset => 'midbody', status => 202, body => 'xx' }, 202 ],
        [ { close => 'midbody', status => 202, body => 'xx' }, 202 ],
        [ { hang => 1 }, 504 ],
        [ { raw => "nonsense\r\n\r\n" }, 502 ],
        [ { raw => "HTTP/1.1 202 x\r\nbad header\0\r\n\r\n" }, 502 ],
        [ { raw => "HTTP/1.1 202 x\r\nContent-Length: x\r\n\r\n" }, undef ],
        [ { raw => "HTTP/1.1 202 x\r\n" . "A: b\r\n" x 5000 . "\r\n" }, 502 ],
        [ { raw => "HTTP/1.1 202 x\r\nContent-Length: 1\r\n"
                   . "Content-Length: 2\r\n\r\n" }, undef ],
        [ { raw => "HTTP/1.1 202 x\r\nContent-Length: 1\r\n"
                   . "Transfer-Encoding: chunked\r\n\r\n" }, undef ],
        [ { status => 202, headers => [
            'X-Accel-Redirect' => "/none/v1/events/kapacitor/$KEY" ] }, 202 ],
        [ { status => 404, headers => [
            'X-Accel-Redirect' => "/static/v1/events/kapacitor/$KEY" ] },
          502 ],
        [ { status => 202, headers => [ 'Correlation-Id' => $KEY ] }, 202 ],
        [ { status => 400, headers => [ 'WWW-Authenticate' => $KEY ] }, 502 ],
    );

    for (@rules) {
        my ($rule, $status) = @$_;

        for my $name (qw(plain intercept buffers)) {
            $fake->reset;
            $fake->rule(%$rule);
            my $r = $t->post("/to/$name", $CRITICAL);
            my $what = "$name: " . join ' ', map { "$_ " . substr
                $rule->{$_} =~ s/[^ -~]/?/gr, 0, 30 } sort keys %$rule;
            defined $status ? is($r->{status}, $status, $what)
                            : ok($r->{status} =~ /^(202|502)$/, $what);
        }
    }

    $fake->reset;
    is($t->post("/to/$_", $CRITICAL)->{status}, 502, $_)
        for qw(refused unresolved file static denied);
    like($t->post("/to/tls", $CRITICAL)->{status}, qr{^50[24]$}, "tls");
    is($t->post('/to/limited', $CRITICAL)->{status}, 202, 'within the limit');
    is($t->post('/to/limited', $CRITICAL)->{status}, 502, 'beyond');

    $fake->refuse;
    is($t->post('/to/plain', $CRITICAL)->{status}, 502, 'closed');
    $fake->accept;

    my @errors = $t->grep_log(qr/\[(?:error|crit|warn)\]/, $mark);
    cmp_ok(@errors, '>', 20, 'the log has it all');

    my $path = qr{v1/events/kapacitor/[^*\s]};
    is(join("\n", $t->grep_log($path, $mark)), '', 'but no key in a path');
    is(scalar(() = grep { !/ilert source/ } @errors), 0,
       'each line names the source')
        or diag grep { !/ilert source/ } @errors;
    unlike($t->access_log, $path, 'nor has the access log');
};

# The mapping does not touch the body; type and alert key are as it says.

my $ID = 'cpu:host=web01';

sub of_level {
    my ($level) = @_;
    return $CRITICAL =~ s/"level":"CRITICAL"/"level":"$level"/r;
}

sub told {
    my ($what, $args, $body, %told) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $fake->reset;
    my $r = $t->post("/mapped?source=told&$args", $body);
    is($r->{status}, 202, $what);
    is($r->{json}{status}, 'accepted');
    is($fake->counts->{requests}, 1, 'sent once');

    my $request = $fake->request(0) || {};
    ok($request->{body} eq $body, 'byte for byte')
        or diag "got $request->{body}";
    is($request->{uri}, "/api/v1/events/kapacitor/$KEY", 'its path');
    is($request->{header}{"x-$_"}, $told{$_}, $_) for sort keys %told;
}

subtest 'mapping' => sub {
    my $mark = $t->mark;

    told('as it is', '', $CRITICAL, type => 'ALERT', key => $ID,
         source => 'told');
    told('an alert key', 'key=abc', $CRITICAL, type => 'ALERT',
         key => 'abc');
    told('a type', '', of_level('WARNING'), type => 'COMMENT', key => $ID);
    told('bad values of what is not used', 'bad=urgent', $CRITICAL,
         type => 'ALERT', key => $ID);

    is(join("\n", $t->grep_log(qr/\[warn\].*invalid value/, $mark)), '',
       'are not told');

    told('a bad type', 'bad=urgent', of_level('OK'), type => 'RESOLVE',
         key => $ID);
    is(scalar(my @lines = $t->grep_log(qr/\[warn\].*invalid\ value\ "FOO"
        \ of\ "ilert_event_type"\ is\ left\ out/x, $mark)), 1, 'is told');

    my $none = '{"level":"CRITICAL","message":"no id"}';
    told('an alert key in place of none', 'key=x', $none, type => 'ALERT',
         key => 'x');

    my $long = 'k' x 3000;
    told('a long alert key', '', qq({"id":"$long","level":"CRITICAL"}),
         type => 'ALERT', key => 'k' x 256 . '#' . md5_hex($long));

    for (
        [ 'source=told', of_level('INFO'), 'ignored' ],
        [ 'source=off', $CRITICAL, 'ignored' ],
        [ 'source=none', of_level('INFO'), 'ignored' ],
        [ 'source=told', $none, 'rejected', 400 ],
        [ 'source=none', $CRITICAL, 'rejected', 422 ],
        [ 'source=told', webhook('37-service-test-01-OK'), 'test' ],
        [ 'source=told', '{"level":"INFO"', 'rejected', 400 ],
    ) {
        my ($args, $body, $status, $code) = @$_;

        $fake->reset;
        my $r = $t->post("/mapped?$args", $body);
        is($r->{status}, $code // 202, "$args, $status");
        is($r->{json}{status}, $status);
        is($fake->counts->{requests}, 0, 'nothing was sent');
    }

    # the same location makes events for another kind of source

    $fake->reset;
    is($t->post('/mapped?source=ops&key=abc', of_level('WARNING'))->{status},
       202, 'an event');
    my $event = $fake->request(0)->{json};
    is($event->{eventType}, 'COMMENT');
    is($event->{alertKey}, 'abc');
    is($event->{routingKey}, 'mapped');
    is_deeply($event->{labels}, { mapped => 1 });

    for (qw(ALERT RESOLVE ACCEPT COMMENT)) {
        $fake->reset;
        is($t->post("/typed?type=$_", $CRITICAL)->{status}, 202, "type $_");
        is($fake->request(0)->{header}{'x-type'}, $_);
        ok($fake->request(0)->{body} eq $CRITICAL, 'byte for byte');
    }

    $fake->reset;
    is($t->post('/typed?type=off', $CRITICAL)->{json}{status}, 'ignored',
       'type off');
    is($fake->counts->{requests}, 0, 'nothing was sent');
};

# A client that goes to the endpoint's location is on its own.

subtest 'not for clients' => sub {
    for ('/e_plain/', '/e_plain/v1/events/kapacitor/x', '/e_plain/events') {
        $fake->reset;
        is($t->post($_, $CRITICAL, port => $t->port(1))->{status}, 404, $_);
        is($fake->counts->{requests}, 0, 'nothing was sent');
    }
};

done();
