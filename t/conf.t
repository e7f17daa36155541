#!/usr/bin/perl

# The configuration: what is refused and what nginx -t says of it, and what
# the good ones do: sizes and their inheritance, several sources, servers and
# endpoints, key files, sources chosen at run time.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertTest;

my $API = 'il1api5ec4e7a01';
my $OTHER = 'il1api5ec4e7a02';
my $KAP = 'il1kap5ec4e7b01';
my $BEAT = 'il1hbt5ec4e7b02';
my $ROOT = 'https://api.ilert.com/api/v1/events/kapacitor';

my $OPS = "ilert_source ops { integration_key $API; }";
my $PASS = 'proxy_pass http://127.0.0.1:9;';
my $END = "location /ilert/ { internal; ilert_endpoint; $PASS }";

my $t = IlertTest->new(conf => '', secrets => [ $API, $OTHER, $KAP, $BEAT ],
    files => {
        'empty.key' => '',
        'blank.key' => " \n\t\r\n",
        'large.key' => $API . "\n" x (4096 - length $API),
        'fits.key' => $API . "\n" x (4095 - length $API),
        'two.key' => "$API\n$OTHER\n",
        'bom.key' => "\xef\xbb\xbf$API\n",
        'nul.key' => "$API\0x",
        'kap.key' => "$KAP\n",
        'beat.key' => " $BEAT\n",
        'api.url' => "$ROOT/$API\n",
        'good.key' => "\r\n \t$API \r\n\r\n",
        'good.url' => "  $ROOT/$KAP\r\n",
        'dir/x' => '',
    });


sub bad { @_ = ($t, @_); goto &IlertTest::conf_refused }
sub good { @_ = ($t, @_); goto &IlertTest::conf_accepted }

sub server {
    my ($locations) = @_;
    return "server {\nlisten 127.0.0.1:%%PORT_0%%;\n$locations }";
}

sub source {
    my ($members) = @_;
    return "ilert_source ops {\n$members }\n" . server($END);
}

sub location {
    my ($name, $directives) = @_;
    return "$OPS\n" . server("$END location $name {\n$directives } ");
}

# A directive is refused where no directive of a location may be.

sub misplaced {
    my ($name, $directive) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $here = "\"$name\" directive is not allowed here in F:";

    bad($directive, $here . 1);
    bad("server {\n$directive }", $here . 2);
    bad("upstream u {\n$directive }", $here . 2);
    bad(location('/k', "if (\$arg_x) {\n$directive }"), $here . 6);
    bad(location('/k', "limit_except GET {\n$directive }"), $here . 6);
}


subtest 'sources' => sub {
    good(source("integration_key $API;"));
    good("$OPS ilert_source two { integration_key $API; endpoint default; }"
         . server($END));

    bad("$OPS\n$OPS\n" . server($END),
        'duplicate "ilert_source" "ops" (first in F:1) in F:2');
    bad("ilert_source { }" . server($END),
        'invalid number of arguments in "ilert_source" directive in F:1');
    bad("ilert_source a b { }" . server($END),
        'invalid number of arguments in "ilert_source" directive in F:1');
    bad("ilert_source ops;" . server($END),
        'directive "ilert_source" has no opening "{" in F:1');
    for ("''", 'off', '$x', 'a$b') {
        my $shown = $_ eq "''" ? '' : $_;
        bad("ilert_source $_ { integration_key $API; }" . server($END),
            "invalid name \"$shown\" in \"ilert_source\", any is allowed but "
            . '"off", an empty one and one with "$" in F:1');
    }

    for ('', 'endpoint default;') {
        bad(source($_), 'no key in "ilert_source" "ops", one of '
            . '"integration_key", "integration_key_file", "webhook_url" and '
            . '"webhook_url_file" is needed in F:2');
    }

    # which may be a key, the word before it forgotten: it is not shown

    for ('nonsense on', 'proxy_pass http://x', 'rates 50r/m', $API,
         "$ROOT/$KAP", "$API endpoint default", "''")
    {
        bad(source("integration_key $OTHER;\n$_;"),
            'unknown directive in "ilert_source" "ops", '
            . '"integration_key", "integration_key_file", "webhook_url", '
            . '"webhook_url_file", "endpoint", "rate", "concurrency", '
            . '"retry", "max_age", "coalesce", "repeat", "resolve_after", '
            . '"resolve_delay", "raise", "digest" and "stale" are allowed '
            . 'in F:3');
    }

    bad(source("integration_key $API;\nserver { x; }"),
        'unexpected "{" in F:3');
    bad("ilert_source ops { integration_key $API;",
        qr/^\[emerg\] unexpected end of file, expecting "\}" in F:/);

    bad(source("integration_key\n$API endpoint default;"),
        'invalid number of arguments in "integration_key" directive in F:3');

    for my $member (qw(integration_key integration_key_file webhook_url
                       webhook_url_file endpoint concurrency max_age))
    {
        for ('', " $API $OTHER") {
            bad(source("$member$_;"), 'invalid number of arguments in '
                . "\"$member\" directive in F:2");
        }
    }

    bad(source("integration_key $API;\nendpoint a;\nendpoint b;"),
        '"endpoint" directive is duplicate in F:4');

    my %first = (integration_key => $API, integration_key_file => 'good.key',
                 webhook_url => "$ROOT/$KAP", webhook_url_file => 'good.url');

    for my $one (sort keys %first) {
        for my $two (sort keys %first) {
            bad(source("$one $first{$one};\n$two $first{$two};"),
                "\"$two\" directive is duplicate, \"ilert_source\" \"ops\" "
                . 'has a key already in F:3');
        }
    }
};

subtest 'integration keys' => sub {
    good(source("integration_key aZ09-_.~;"));
    good(source("integration_key '  $API\t';"));

    bad(source("integration_key $_;"),
        'invalid "integration_key": the value is empty in F:2')
        for "''", "' '";

    for ("'$API $OTHER'", "'$API\"'", "'$API\\\\'", "$API\x01",
         "$API\xc3\xa4", "$API%20", "\$$API", "'{$API}'", "$API,$OTHER")
    {
        bad(source("integration_key $_;"), 'invalid "integration_key": the '
            . 'value is no integration key, letters, digits, "-", "_", "." '
            . 'and "~" are allowed in it in F:2');
    }

    for ("$ROOT/$KAP", "http://x/$API", "HTTPS://API.ILERT.COM/x/$API") {
        bad(source("integration_key $_;"), 'invalid "integration_key": the '
            . 'value is a URL, expected an integration key; the URL of a '
            . 'Kapacitor alert source goes into "webhook_url" in F:2');
    }

    good(source("integration_key $KAP;"), 'the key in "integration_key" is '
         . 'of a Kapacitor alert source, which takes no events: use '
         . '"webhook_url" with the URL that ilert shows, or the key of an '
         . 'API alert source in F:2');
};

subtest 'webhook URLs' => sub {
    my $invalid = 'invalid "webhook_url": the value is no webhook URL of a '
        . "Kapacitor alert source, expected \"$ROOT/KEY\" in F:2";

    good(source("webhook_url $ROOT/$KAP;"));
    good(source("webhook_url '  $ROOT/$KAP\n';"));
    good(source("webhook_url HTTPS://API.iLert.com/api/v1/events/kapacitor/"
                . "$KAP;"));
    good(source("webhook_url http://127.0.0.1:81/v1/events/kapacitor/$KAP;"));
    good(source("webhook_url $ROOT/$API;"), 'the key in "webhook_url" is of '
         . 'an API alert source: use "integration_key" with its key in F:2');

    for my $value ("''", "' '") {
        bad(source("webhook_url $value;"),
            'invalid "webhook_url": the value is empty in F:2');
    }

    bad(source("webhook_url '$_';"), $invalid) for (
        $KAP, "api.ilert.com/api/v1/events/kapacitor/$KAP",
        "ftp://api.ilert.com/api/v1/events/kapacitor/$KAP",
        "https:/api.ilert.com/api/v1/events/kapacitor/$KAP",
        "https:///api/v1/events/kapacitor/$KAP",
        'https://api.ilert.com/', 'https://', 'http',
        "https://api.ilert.com/api/v1/events/nagios/$KAP",
        "https://api.ilert.com/api/events/kapacitor/$KAP",
        "https://api.ilert.com/api/v1/events/$KAP",
        $ROOT, "$ROOT/", "$ROOT/$KAP/", "$ROOT/$KAP?x=1", "$ROOT/$KAP#x",
        "$ROOT/$KAP $ROOT/$KAP", "$ROOT/a%20$KAP", "$ROOT/../$KAP",
        "$ROOT/v1/events/kapacitor/$KAP", "<$ROOT/$KAP>",
    );
};

subtest 'key files' => sub {
    good(source('integration_key_file good.key;'));
    good(source('integration_key_file fits.key;'));
    good(source('integration_key_file %%DIR%%/good.key;'));
    good(source('webhook_url_file good.url;'));

    good(source('integration_key_file kap.key;'),
         'the key in "integration_key_file" is of a Kapacitor alert source, '
         . 'which takes no events: use "webhook_url_file" with the URL that '
         . 'ilert shows, or the key of an API alert source in F:2');
    good(source('webhook_url_file api.url;'), 'the key in "webhook_url_file" '
         . 'is of an API alert source: use "integration_key_file" with its '
         . 'key in F:2');

    my %no = (integration_key_file => 'no integration key, letters, digits, '
                  . '"-", "_", "." and "~" are allowed in it',
              webhook_url_file => 'no webhook URL of a Kapacitor alert source'
                  . ", expected \"$ROOT/KEY\"");

    for my $name (sort keys %no) {
        my $in = "invalid \"$name\": what is in";

        bad(source("$name none.key;"), "\"$name\" directive: open() "
            . '"none.key" failed (2: No such file or directory) in F:2');
        bad(source("$name dir;"), qr/^\[crit\]\ pread\(\)\ "dir"\ failed
            \ \(21:\ Is\ a\ directory\)\n\[emerg\]\ "$name"\ directive:\ "dir"
            \ could\ not\ be\ read\ in\ F:2$/x);
        bad(source("$name large.key;"),
            "$in \"large.key\" is too large for a key in F:2");
        bad(source("$name $_;"), "$in \"$_\" is empty in F:2")
            for qw(empty.key blank.key);
        bad(source("$name $_;"), "$in \"$_\" is $no{$name} in F:2")
            for qw(two.key bom.key nul.key);
    }

    bad(source('integration_key_file good.url;'), 'invalid '
        . '"integration_key_file": what is in "good.url" is a URL, expected '
        . 'an integration key; the URL of a Kapacitor alert source goes into '
        . '"webhook_url" in F:2');
    bad(source('webhook_url_file good.key;'), 'invalid "webhook_url_file": '
        . "what is in \"good.key\" is $no{webhook_url_file} in F:2");
};

# No rates

my @RATES = qw(50 50r 50r/ 50r/h r/m /m 0r/m 0r/s -1r/m +1r/m 50R/M 1.5r/m
               50r/m1 50m 99999999999999999999r/m on OFF);

subtest 'endpoints' => sub {
    good("$OPS\n" . server("location ^~ /ilert/ { internal; ilert_endpoint; "
                           . "$PASS }"));
    good("$OPS\n" . server("location / { internal; ilert_endpoint; $PASS }"));
    good("$OPS\n" . server("location /a { internal;
        location /a/b/ { ilert_endpoint; $PASS } }"));
    good(server("$END location /two/ { internal; ilert_endpoint two; "
                . "$PASS }"));

    good("$OPS\n" . server("location /ilert/ {\nilert_endpoint; $PASS }"),
         'the location of "ilert_endpoint" "default" is open to clients, use '
         . '"internal" in it in F:5');

    my %shown = ('= /ilert/' => '/ilert/', '/ilert' => '/ilert',
                 '~ ^/ilert/' => '^/ilert/', '~* /ilert/$' => '/ilert/$',
                 '@ilert/' => '@ilert/', "''" => '');

    for (sort keys %shown) {
        bad("$OPS\n" . server("location $_ {\ninternal;\n"
                              . "ilert_endpoint;\n$PASS }"),
            "\"ilert_endpoint\" is in location \"$shown{$_}\", only a prefix "
            . 'location that ends in "/" is allowed, such as '
            . '"location /ilert/" in F:6');
    }

    my $nothing = 'nothing leaves through "ilert_endpoint" "default", a '
                  . '"proxy_pass" is needed in its location in F:5';

    for ('', 'root /x;', 'return 202;', 'ilert_kapacitor ops;',
         "limit_except GET { $PASS }", "if (\$arg_x) { $PASS }")
    {
        bad("$OPS\n" . server("location /ilert/ { internal;\n"
                              . "ilert_endpoint; $_ }"), $nothing);
    }

    bad("$OPS\nserver { }", 'no "ilert_endpoint" "default" for '
        . '"ilert_source" "ops" in F:1, a location with "ilert_endpoint" and '
        . '"proxy_pass" is needed');
    bad(source("integration_key $API;\nendpoint two;"),
        'no "ilert_endpoint" "two" for "ilert_source" "ops" in F:1, a '
        . 'location with "ilert_endpoint" and "proxy_pass" is needed');
    bad(source("integration_key $API;\nendpoint '';"), '"endpoint" directive '
        . 'has an empty value, the name of an "ilert_endpoint" is allowed in '
        . 'F:3');

    for ('', 'two') {
        my $name = $_ || 'default';
        my $one = "location /x/ { internal; $PASS\nilert_endpoint $_; }";

        bad("$OPS\n" . server("$one\n" . $one =~ s/x/y/r),
            "duplicate \"ilert_endpoint\" \"$name\" (first in F:5) in F:7");
    }

    bad("$OPS\n" . server("location /x/ { internal; $PASS\n"
                          . "ilert_endpoint a;\nilert_endpoint b; }"),
        '"ilert_endpoint" directive is duplicate in F:6');
    bad("$OPS\n" . server("location /x/ {\nilert_endpoint $_; $PASS }"),
        'invalid number of arguments in "ilert_endpoint" directive in F:5')
        for 'a b c d e', 'a rate=10r/s reserve=1 host=b c';

    my %shown_as = ("''" => '', 'color=red' => 'color=red', 'a b' => 'b',
                    'rate=off a' => 'a', 'host=b a' => 'a', 'a b c' => 'b',
                    'a rate=off b' => 'b', 'a ratio=5' => 'ratio=5',
                    'a b c d' => 'b', 'reserve=1 a' => 'a');

    for (sort keys %shown_as) {
        bad("$OPS\n" . server("location /x/ {\nilert_endpoint $_; $PASS }"),
            qr/^\[emerg\]\ invalid\ parameter\ "$shown_as{$_}"\ .*
               "ilert_endpoint".*\ in\ F:5$/x);
    }
};

subtest 'rate of an endpoint' => sub {
    my $endpoint = sub {
        my ($arguments) = @_;
        return "$OPS\n" . server('location /ilert/ { internal; '
            . "$PASS\nilert_endpoint $arguments; }");
    };

    good($endpoint->($_)) for qw(rate=700r/m rate=1r/m rate=10r/s rate=1r/s
        rate=off reserve=70 reserve=0 reserve=699), 'default rate=50r/m',
        'default rate=off', 'default rate=10r/s reserve=9 host=a',
        'reserve=1 rate=2r/m', 'rate=1r/m reserve=0';

    for my $rate (@RATES) {
        bad($endpoint->("rate=$rate"), "invalid parameter \"rate=$rate\" of "
            . '"ilert_endpoint", a number of requests such as "rate=700r/m" '
            . 'or "rate=10r/s" and "rate=off" are allowed in F:5');
    }

    bad($endpoint->($_), qr/^\[emerg\] .* in F:5$/)
        for 'default rate=off rate=off', 'rate=1r/s rate=1r/s',
            'reserve=1 reserve=1';

    my %bad = ('reserve=' => '', 'reserve=x' => '', 'reserve=-1' => '',
               'reserve=1.5' => '', 'reserve=5r/m' => '',
               'reserve=10%' => '',
               'reserve=700' => 699, 'rate=50r/m reserve=50' => 49,
               'reserve=51 rate=50r/m' => 49, 'rate=1r/s reserve=1' => 0);

    for (sort keys %bad) {
        my ($text) = /(reserve=\S*)/;
        bad($endpoint->($_), qq{invalid parameter "$text" of }
            . '"ilert_endpoint", ' . ($bad{$_} eq ''
            ? 'a number of requests below the rate, such as "reserve=5", is '
              . 'allowed in F:5'
            : "it has to be below the rate, 0 to $bad{$_} are allowed in "
              . 'F:5'));
    }

    bad($endpoint->('rate=off reserve=5'), '"reserve=5" of "ilert_endpoint" '
        . 'is not allowed with the rate "off", which has no end in F:5');
};

subtest 'host of an endpoint' => sub {
    my $endpoint = sub {
        my ($arguments) = @_;
        return "$OPS\n" . server('location /ilert/ { internal; '
            . "$PASS\nilert_endpoint $arguments; }");
    };

    good($endpoint->($_)) for map({ "host=$_" } qw(api.ilert.com localhost
        api.ilert.com:443 API.Ilert.COM a_b-c.d 192.0.2.1 192.0.2.1:65535
        [::1] [2001:db8::1]:8443)),
        'default host=a', 'default rate=off host=a', 'default host=a rate=off',
        'host=a rate=off';

    for my $host ('', qw(: :80 a: a:0 a:65536 a:b a:80:81 a/ a/b http://a a?b
        a..b .a a. .. a@b a*b *.b $host a$host [ [] [::1 [::1]a [::1]:
        [a] [::1]:0 ::1 unix:/a unix:), "\xc3\xa4", 'a,b', '"a b"', '"a\\tb"')
    {
        my $shown = $host =~ s/"//gr =~ s/\\t/\t/r;

        bad($endpoint->($host =~ /^"(.*)"$/ ? "\"host=$1\"" : "host=$host"),
            "invalid parameter \"host=$shown\" of \"ilert_endpoint\", the "
            . 'name of a host, and its port if need be, such as '
            . '"host=api.ilert.com" or "host=localhost:9092", is allowed in '
            . 'F:5');
    }

    bad($endpoint->('host=a host=a'), qr/^\[emerg\] .* in F:5$/);
};

subtest 'locations' => sub {
    good(location('/k', "ilert_kapacitor $_;"))
        for qw(ops off $uri ops$arg_x $kapacitor_tag_team ${arg_x}s);

    good(location('/k', "ilert_kapacitor ops; limit_except GET { $PASS }"));
    good(location('/k', "ilert_kapacitor ops; if (\$arg_x) { $PASS }"));

    my $allowed = 'allowed are variables, "off" and the names of '
                  . '"ilert_source" blocks';

    bad(location('/k', "ilert_kapacitor $_;"), "unknown source \"$_\" in "
        . "\"ilert_kapacitor\" in F:5, $allowed, \"ops\"")
        for qw(none OPS ops2 op Off);
    bad(location('/k', "ilert_kapacitor '';"), 'unknown source "" in '
        . "\"ilert_kapacitor\" in F:5, $allowed, \"ops\"");
    bad("ilert_source zz { integration_key $OTHER; }\n"
        . location('/k', "ilert_kapacitor none;"), 'unknown source "none" in '
        . "\"ilert_kapacitor\" in F:6, $allowed, \"zz\", \"ops\"");
    bad(server($END . "location /k {\nilert_kapacitor ops; }"), 'unknown '
        . "source \"ops\" in \"ilert_kapacitor\" in F:4, $allowed");

    my $many = join "\n", map {
        "ilert_source name$_ { integration_key $API; }" } 1 .. 200;
    bad($many . server($END . "location /k { ilert_kapacitor none; }"),
        qr/^\[emerg\] unknown source "none" .* "name1", "name2", /);

    my $others = 'another directive of its location, such as "proxy_pass"';

    for ($PASS, 'stub_status;') {
        bad(location('/k', "ilert_kapacitor ops;\n$_"), '"ilert_kapacitor" '
            . "in F:5 has no effect, $others, takes the requests");
        bad(location('/k', "$_\nilert_kapacitor ops;"), '"ilert_kapacitor" '
            . "directive conflicts with $others, that takes the requests "
            . 'in F:6');
    }

    bad(location('/k', "ilert_kapacitor$_;"),
        'invalid number of arguments in "ilert_kapacitor" directive in F:5')
        for '', ' ops test=send ops';
    bad(location('/k', "ilert_kapacitor ops;\nilert_kapacitor off;"),
        '"ilert_kapacitor" directive is duplicate in F:6');
    bad(location('/k', 'ilert_kapacitor $none;'),
        'unknown "none" variable');
    bad(location('/k', 'ilert_kapacitor $;'),
        'invalid variable name in F:5');

    for my $directive ('ilert_kapacitor ops', 'ilert_endpoint two') {
        my ($name) = split ' ', $directive;
        misplaced($name, "$directive;");
    }

    for my $block ('server', 'upstream u', 'server { location /') {
        my $end = $block =~ /\{/ ? '}' : '';
        bad("$block {\nilert_source two { integration_key $OTHER; } } $end",
            '"ilert_source" directive is not allowed here in F:2');
    }

    bad("integration_key $API;",
        'unknown directive "integration_key" in F:1');
    bad("endpoint default;", 'unknown directive "endpoint" in F:1');
};

subtest 'status and control' => sub {
    good(location('= /s', "ilert_status$_;"))
        for '', ' json', ' prometheus', ' html';
    good(location($_, 'ilert_status;')) for '/s', '~ ^/s', '@s', '/';
    good(location('/c/', 'ilert_control; allow 127.0.0.1; deny all;'));
    good(location('^~ /c/', 'ilert_control;'));
    good(location('/', 'ilert_control;'));
    good(server("location = /s { ilert_status; }\n"
                . "location = /m { ilert_status prometheus; }\n"
                . "location = /p { ilert_status html; }\n"
                . 'location /c/ { ilert_control; }'));

    for ('xml', 'JSON', "''", 'json=1', '$uri', 'off') {
        my $shown = $_ eq "''" ? '' : quotemeta;
        bad(location('/s', "ilert_status $_;"),
            qr/^\[emerg\]\ invalid\ (?:value|parameter)\ "$shown"\ .*
               "ilert_status".*\ in\ F:5$/x);
    }

    for ('/c', '= /c/', '~ ^/c/', '@c/') {
        my ($shown) = /(\S+)$/;
        bad(location($_, 'ilert_control;'), '"ilert_control" is in location '
            . "\"$shown\", only a prefix location that ends in \"/\" is "
            . 'allowed, such as "location /control/" in F:5');
    }

    for my $case ([ 'ilert_status', ' json html' ], [ 'ilert_control', ' on' ])
    {
        my ($name, $arguments) = @$case;
        bad(location('/s/', "$name$arguments;"), 'invalid number of arguments '
            . "in \"$name\" directive in F:5");
        bad(location('/s/', "$name;\n$name;"),
            "\"$name\" directive is duplicate in F:6");

        misplaced($name, "$name;");
        bad("ilert_source two {\nintegration_key $OTHER;\n$name; }"
            . server($END), qr/^\[emerg\] unknown directive .* in F:3$/);

        # one location, one purpose
        for my $other ('ilert_kapacitor ops;', $PASS) {
            my $one = $other =~ /ilert/ ? 'ilert_\w+' : $name;
            bad(location('/s/', $_), qr/^\[emerg\] .*"$one".* in F:[56]/)
                for "$name;\n$other", "$other\n$name;";
        }
    }

    bad(location('/s/', "ilert_status;\nilert_control;"),
        qr/^\[emerg\] .*"ilert_\w+".* in F:[56]$/);
};

subtest 'a heartbeat' => sub {
    plan(skip_all => 'an nginx without threads')
        unless IlertTest::has_threads();

    my $queue = 'ilert_queue %%DIR%%/queue;';
    my $way = server("$END location /b/ { internal; ilert_endpoint heartbeat; "
                     . "$PASS }");
    my $beat = sub { "$queue $OPS\nilert_heartbeat $_[0];\n$way" };

    good($beat->($_)) for 'beat.key', '%%DIR%%/beat.key',
        map { "beat.key interval=$_" } qw(12s 30s 12 1m 1h 12000ms);

    for (qw(11s 1s 0 0s 11999ms -1 x off 1x), '') {
        bad($beat->("beat.key interval=$_"), qr/^\[emerg\]\ .*
            "interval=\Q$_\E".*"ilert_heartbeat".*\ in\ F:2$/x);
    }

    bad($beat->("beat.key $_"), qr/^\[emerg\]\ invalid\ parameter\ "\Q$_\E"\ .*
                                   "ilert_heartbeat".*\ in\ F:2$/x)
        for '30s', 'every=30s', 'interval', 'Interval=30s', 'kapacitor=yes';
    bad($beat->('beat.key interval=30s interval=31s'), qr/^\[emerg\]\ invalid
        \ parameter\ "interval=31s"\ .*"ilert_heartbeat".*\ in\ F:2$/x);
    bad($beat->($_), 'invalid number of arguments in "ilert_heartbeat" '
        . 'directive in F:2') for '', 'beat.key interval=1m kapacitor=off x';

    good($beat->($_)) for 'beat.key kapacitor=off',
        'beat.key kapacitor=off interval=1m';
    bad($beat->('beat.key kapacitor=on'), '"kapacitor=on" of '
        . '"ilert_heartbeat" in F:2 asks no Kapacitor, a location with '
        . '"ilert_reconcile" is needed');
    good($beat->('beat.key interval=1m kapacitor=on') =~ s/server \{/$&
        location = \/k { ilert_kapacitor ops; }
        location \/api\/ { ilert_reconcile \/k; $PASS }/r);
    bad($beat->("beat.key;\nilert_heartbeat beat.key"),
        '"ilert_heartbeat" directive is duplicate in F:3');

    bad($beat->('none.key'), '"ilert_heartbeat" directive: open() '
        . '"none.key" failed (2: No such file or directory) in F:2');
    bad($beat->($_), qr/^\[emerg\] .*"ilert_heartbeat".*"\Q$_\E".* in F:2$/)
        for qw(empty.key blank.key large.key two.key bom.key nul.key
               good.url);

    bad("$OPS\nilert_heartbeat beat.key;\n$way",
        qr/^\[emerg\] .*"ilert_heartbeat".*"ilert_queue".*F:2/);
    bad("ilert_queue off; $OPS\nilert_heartbeat beat.key;\n$way",
        qr/^\[emerg\] .*"ilert_heartbeat".*"ilert_queue".*F:2/);
    bad("$queue $OPS\nilert_heartbeat beat.key;\n" . server($END),
        qr/^\[emerg\]\ no\ "ilert_endpoint"\ "heartbeat"
           \ for\ "ilert_heartbeat"\ in\ F:2,\ /x);

    my $here = '"ilert_heartbeat" directive is not allowed here in F:';
    bad("server {\nilert_heartbeat beat.key; }", $here . 2);
    bad(location('/s', 'ilert_heartbeat beat.key;'), $here . 5);
    bad("upstream u {\nilert_heartbeat beat.key; }", $here . 2);
};

subtest 'dry runs' => sub {
    bad(location('/k', "ilert_kapacitor ops;\nilert_dry_run $_;"),
        "invalid value \"$_\" in \"ilert_dry_run\" directive, it must be "
        . '"on" or "off" in F:6') for qw(yes 1);
    bad(location('/k', "ilert_dry_run on;\nilert_dry_run off;"),
        '"ilert_dry_run" directive is duplicate in F:6');
    misplaced('ilert_dry_run', 'ilert_dry_run on;');
};

subtest 'unreadable webhooks' => sub {
    good(location('/s', "ilert_unreadable $_;")) for qw(reject alert);

    for ('on', 'Alert', "''", '$uri') {
        my $shown = $_ eq "''" ? '' : $_;
        bad(location('/s', "ilert_unreadable $_;"), "invalid value \"$shown\""
            . ' in "ilert_unreadable", "reject" and "alert" are allowed in '
            . 'F:5');
    }

    bad(location('/s', "ilert_unreadable alert;\nilert_unreadable reject;"),
        '"ilert_unreadable" directive is duplicate in F:6');
};

subtest 'sizes' => sub {
    for my $name (qw(ilert_max_body_size ilert_event_max_size)) {
        good(location('/k', "ilert_kapacitor ops; $name $_;"))
            for qw(4096 4k 4K 1m 16M);
        good("$name 5k;" . server("$name 6k; location /x { $name 7k; }"));

        bad(location('/k', "$name $_;"), "invalid value \"$_\" in \"$name\", "
            . 'a size such as "64k" or "16m" is allowed, '
            . ($name =~ /body/ ? 0 : 4096) . ' bytes or more in F:5')
            for qw(1x k -1 1.5m 9999999999999999999999);

        bad(location('/k', "$name$_;"), 'invalid number of arguments in '
            . "\"$name\" directive in F:5") for '', ' 8k 8k';
        bad(location('/k', "$name 8k;\n$name 8k;"),
            "\"$name\" directive is duplicate in F:6");
        bad(location('/k', "if (\$arg_x) {\n$name 8k; }"),
            "\"$name\" directive is not allowed here in F:6");
    }

    good('ilert_max_body_size 0;');
    bad("ilert_event_max_size $_;", "invalid value \"$_\" in "
        . '"ilert_event_max_size", a size such as "64k" or "16m" is allowed, '
        . '4096 bytes or more in F:1') for 0, 1, 4095;
};


# What good ones do.

my $fake = IlertFake->start(keys => { $API => 'api', $OTHER => 'api',
                                      $KAP => 'kapacitor' });
my $second = IlertFake->start(keys => { $API => 'api', $OTHER => 'api' });

my $n = IlertTest->new(fake => [ $fake, $second ], user => 'nobody',
    files => { 'good.key' => "\r\n \t$API \r\n\r\n",
               'keys/two.key' => "$OTHER\n",
               'keys/native.url' => "  $ROOT/$KAP\r\n",
               'sources/all.conf' => <<'CONF' }, conf => <<'CONF');
    ilert_source ops { integration_key_file good.key; }

    ilert_source two {
        endpoint second;
        integration_key_file keys/two.key;
    }
CONF
    include sources/*.conf;
    client_body_buffer_size 2m;     # nobody may have no way to our directory
    ilert_source native { webhook_url_file %%DIR%%/keys/native.url; }

    ilert_max_body_size 4k;
    ilert_event_max_size 4k;

    map $arg_source $chosen {
        default $arg_source;
        second two;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        client_max_body_size 1;

        location /http { ilert_kapacitor ops; }
        location /two { ilert_kapacitor two; }
        location /native { ilert_kapacitor native; }
        location /off { ilert_kapacitor off; }
        location /chosen { ilert_kapacitor $chosen; }
        location /text { ilert_kapacitor ${arg_x}s; }
        location /tag { ilert_kapacitor $kapacitor_tag_host; }

        location /if {
            ilert_kapacitor ops;
            if ($arg_set) { set $x 1; }
            if ($arg_refuse) { return 403; }
        }

        location /except {
            ilert_kapacitor ops;
            limit_except PUT { allow 127.0.0.1; deny all; }
        }

        location /denied {
            ilert_kapacitor ops;
            limit_except GET { deny all; }
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        ilert_max_body_size 8k;
        ilert_event_max_size 8k;

        location /server { ilert_kapacitor ops; }

        location /location/ {
            ilert_kapacitor ops;
            ilert_max_body_size 16k;
            ilert_event_max_size 16k;

            if ($arg_set) { set $x 1; }

            location /location/inner/ {
                ilert_kapacitor two;

                location /location/inner/most {
                    ilert_kapacitor native;
                    ilert_max_body_size 20k;
                }
            }

            location /location/none { return 204; }
            location /location/static { }
        }

        location /unlimited { ilert_kapacitor ops; ilert_max_body_size 0; }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;

        location /ilert/ {
            internal;
            ilert_endpoint;
            proxy_pass http://%%FAKE_0%%/api/$ilert_path;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_3%%;

        location / {
            location /a/b/ {
                internal;
                ilert_endpoint second;
                proxy_pass http://%%FAKE_1%%/;
            }
        }
    }
CONF

# read by the master, which is root here: workers cannot

chmod 0600, map { $n->path($_) } 'good.key', 'keys/two.key',
    'keys/native.url';

$n->start;

my $body = webhook('01-levels-04-CRITICAL');


# A webhook of that size: as the whole body, or with a message so long that
# its event is too large.

sub sized { my ($size) = @_; return $body . ' ' x ($size - length $body) }

sub long {
    my ($size) = @_;
    my $message = 'x' x $size;
    return qq({"id":"a","level":"OK","message":"$message"});
}

sub status {
    my ($port, $uri, $text) = @_;
    return $n->post($uri, $text, port => $n->port($port))->{status};
}

# Length of the event as it was sent, without the key.

sub event_size {
    my ($request) = @_;
    my $text = $request->{body};
    $text =~ s/^\{"integrationKey":"[^"]*",/{/ or return;
    return length $text;
}

subtest 'inheritance' => sub {
    for (
        [ 0, '/http', 4096, 4096 ], [ 0, '/if', 4096, 4096 ],
        [ 0, '/if?set=1', 4096, 4096 ], [ 0, '/except', 4096, 4096 ],
        [ 0, '/two', 4096, 4096 ], [ 0, '/native', 4096 ],
        [ 1, '/server', 8192, 8192 ], [ 1, '/location/', 16384, 16384 ],
        [ 1, '/location/?set=1', 16384, 16384 ],
        [ 1, '/location/inner/', 16384, 16384 ],
        [ 1, '/location/inner/most', 20480 ],
    ) {
        my ($port, $uri, $max, $event_max) = @$_;

        is(status($port, $uri, sized($max)), 202, "$uri: $max bytes");
        is(status($port, $uri, sized($max + 1)), 413, 'one more');
        next unless $event_max;

        my $of = $uri =~ /two|inner/ ? $second : $fake;
        is(status($port, $uri, long($max - 100)), 202, 'a long message');
        my $size = event_size($of->request(-1));
        cmp_ok($size, '<=', $event_max, 'the event is cut to the cap');
        cmp_ok($size, '>', $event_max - 100, 'and no shorter');
        ok($of->request(-1)->{json}{customDetails}{truncated}, 'it says so');
    }

    is(status(1, '/unlimited', sized(1_000_000)), 202, 'unlimited');
    is(status(1, '/location/none', $body), 204, 'not inherited by locations');
    like(status(1, '/location/static', $body), qr/^40[345]$/, 'nor by files');
    is(status(0, '/if?refuse=1', $body), 403, 'if');
    is(status(0, '/denied', $body), 403, 'limit_except');
    is($n->get('/denied')->{status}, 405, 'not of GET, which is ours');
    is($n->request('PUT', '/except', body => $body)->{status}, 405, 'PUT');
};

subtest 'defaults' => sub {
    my ($main, $end) = ('', '');

    my $d = IlertTest->new(fake => $fake, conf => <<"CONF")->start;
        $OPS
        server {
            listen 127.0.0.1:%%PORT_0%%;
            location = /kapacitor { ilert_kapacitor ops; }
            location /ilert/ {
                internal;
                ilert_endpoint;
                client_max_body_size 1;
                proxy_pass http://%%FAKE%%/api/\$ilert_path;
            }
        }
CONF

    is($d->post('/kapacitor', sized(2_000_000))->{status}, 202, '2 MB');
    is($d->post('/kapacitor', sized(16 << 20))->{status}, 202, '16m');
    is($d->post('/kapacitor', $body, length => (16 << 20) + 1)->{status}, 413,
       'one byte more');
    is($d->post('/kapacitor', long(1_000_000))->{status}, 202,
       'a long message');
    my $size = event_size($fake->request(-1));
    cmp_ok($size, '<=', 65536, 'the event has at most 64k');
    cmp_ok($size, '>', 65436);
    is($d->post('/kapacitor', long(30_000))->{status}, 202, 'what fits');
    ok(!exists $fake->request(-1)->{json}{customDetails}{truncated},
       'is whole');
};

subtest 'sources and endpoints' => sub {
    for (
        [ '/http', $fake, '/api/events', $API ],
        [ '/two', $second, '/events', $OTHER ],
        [ '/native', $fake, "/api/v1/events/kapacitor/$KAP", $KAP ],
        [ '/chosen?source=ops', $fake, '/api/events', $API ],
        [ '/chosen?source=second', $second, '/events', $OTHER ],
        [ '/chosen?source=native', $fake, "/api/v1/events/kapacitor/$KAP",
          $KAP ],
        [ '/text?x=op', $fake, '/api/events', $API ],
    ) {
        my ($uri, $of, $path, $key) = @$_;
        $_->reset for $fake, $second;

        my $r = $n->post($uri, $body);
        is($r->{status}, 202, $uri);
        is($r->{json}{status}, 'accepted');
        is($fake->counts->{requests} + $second->counts->{requests}, 1,
           'one request');

        my $request = $of->request(0);
        is($request->{uri}, $path, 'its path');
        is($request->{key}, $key, 'its key');
        ok($request->{taken}, 'taken');
    }

    is($n->post($_, '{}', port => $n->port(2))->{status}, 404,
       "$_ is internal") for '/ilert/', '/ilert/events';
    is($n->post('/a/b/events', '{}', port => $n->port(3))->{status}, 404,
       '/a/b/events is internal');
};

subtest 'no source' => sub {
    $_->reset for $fake, $second;

    for ('/off', '/chosen?source=off') {
        my $r = $n->post($_, $body);
        is($r->{status}, 202, $_);
        like($r->{body}, qr/^\{"status":"ignored","event":"\d+"\}\s*$/);
    }

    for (
        [ '/chosen', 'ilert_kapacitor: no source, the value is empty' ],
        [ '/chosen?source=none', 'ilert_kapacitor: no source "none"' ],
        [ '/chosen?source=OPS', 'ilert_kapacitor: no source "OPS"' ],
        [ '/text?x=off', 'ilert_kapacitor: no source "offs"' ],
        [ '/text', 'ilert_kapacitor: no source "s"' ],
        [ '/tag', 'ilert_kapacitor: no source "web01"' ],
    ) {
        my ($uri, $error) = @$_;
        my $r = $n->post($uri, $body);
        is($r->{status}, 422, $uri);
        is_deeply($r->{json}, { status => 'rejected', error => $error });
        ok($n->wait_log(qr/\[info\] .*\Q$error\E/, 1), 'in the log at info');
    }

    my $name = "a\xc3\xa4\"\\\n\x01" . 'x' x 100;
    my $json = $name =~ s/(["\\])/\\$1/gr =~ s/\n/\\n/r =~ s/\x01/\\u0001/r;
    my $r = $n->post('/tag', '{"id":"a","level":"OK","data":{"series":[{'
        . qq("name":"m","tags":{"host":"$json"},"columns":["time"],)
        . '"values":[["2026-03-01T08:16:10Z"]]}]}}');
    is($r->{status}, 422, 'a tag as it comes');
    like($r->{json}{error}, qr/no source "a\x{e4}"\\  x+"$/,
         'is cut, one line');
    cmp_ok(length $r->{json}{error}, '<', 120);

    is($n->post('/chosen?source=none', '{')->{status}, 400,
       'a bad body is told first');
    is($_->counts->{requests}, 0, 'nothing was sent') for $fake, $second;
};

# Key files are relative to the folder of nginx.conf, not to the prefix.

subtest 'the folder of nginx.conf' => sub {
    my $p = IlertTest->new(conf => '', secrets => [ $API ],
                           files => { 'etc/keys/ops.key' => $API });
    my ($code) = $p->test_conf(
        'ilert_source ops { integration_key_file keys/ops.key; }'
        . server($END));
    is($code, 1, 'not below the prefix');

    rename $p->path('test.conf'), $p->path('etc/nginx.conf') or die;
    my ($prefix, $binary) = ($p->dir, IlertTest::binary());
    my $text = `'$binary' -t -p '$prefix' -c '$prefix/etc/nginx.conf' 2>&1`;
    is($?, 0, 'but beside the file') or diag($text);
};

done();
