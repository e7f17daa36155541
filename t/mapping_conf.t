#!/usr/bin/perl

# What nginx -t says of the mapping directives: each refusal and the warning
# about directives that have no effect, word for word, with file and line.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertTest;

my $API = 'il1api5ec4e7d01';
my $KAP = 'il1kap5ec4e7d01';
my $TWO = 'il1kap5ec4e7d02';
my $ROOT = 'https://api.ilert.com/api/v1/events/kapacitor';

my $SOURCES = "ilert_source ops { integration_key $API; } "
    . "ilert_source dba { webhook_url $ROOT/$KAP; } "
    . "ilert_source net { webhook_url $ROOT/$TWO; }";
my $NATIVE = $SOURCES =~ s/^.*?\} //r;
my $PASS = 'proxy_pass http://127.0.0.1:9;';
my $END = "location /ilert/ { internal; ilert_endpoint; $PASS }";

my @SCALARS = qw(event_type summary details alert_key priority severity
    routing_key);
my @LISTS = qw(label link image service comment custom_detail);

my %GOOD = ((map { $_ => 'x' } qw(summary details alert_key routing_key)),
    event_type => 'ALERT', priority => 'HIGH', severity => '3',
    label => 'x y', custom_detail => 'x y', link => 'x', image => 'x',
    service => 'x', comment => 'x');

# how many arguments

my %ARGS = (label => [2, 2], custom_detail => [2, 2], link => [1, 2],
            image => [1, 3]);

my $t = IlertTest->new(conf => '', secrets => [$API, $KAP, $TWO],
    common => qr/ilert_source \w+ \{[^}]*\}|\Q$END\E/, files => {
    'part.conf' => "ilert_kapacitor dba;\nilert_comment x;\n",
});


sub bad { @_ = ($t, @_); goto &IlertTest::conf_refused }
sub good { @_ = ($t, @_); goto &IlertTest::conf_accepted }


# The directives stand in line 3, in a location, or in the server, or in http.

sub location {
    my ($directives) = @_;

    return "$SOURCES server { $END\nlocation /k { ilert_kapacitor ops;\n"
           . "$directives } }";
}

sub server { "$SOURCES\nserver { $END\n$_[0] }" }
sub http { "$SOURCES server { $END }\n\n$_[0]" }


subtest 'arguments' => sub {
    for my $name (@SCALARS, @LISTS) {
        my ($min, $max) = @{$ARGS{$name} // [1, 1]};
        my @value = $name eq 'event_type' ? 'ALERT'
                  : $name eq 'priority' ? 'LOW' : 1;

        for my $n (0, $min - 1, $max + 1, $max + 2) {
            bad(location(join(' ', "ilert_$name", (@value) x $n) . ';'),
                "invalid number of arguments in \"ilert_$name\" directive "
                . 'in F:3');
        }

        good(location(join(' ', "ilert_$name", (@value) x $_) . ';'))
            for $min .. $max;

        bad(location("ilert_$name " . '1 ' x $min . '{ }'),
            "directive \"ilert_$name\" is not terminated by \";\" in F:3");
    }
};


subtest 'contexts' => sub {
    for my $name (@SCALARS, @LISTS) {
        my $line = "ilert_$name $GOOD{$name};";

        good($_->($line)) for \&http, \&server, \&location;
        good("$SOURCES $line server { $END $line location / { $line "
             . "location /a { $line } } }");

        my $no = "\"ilert_$name\" directive is not allowed here in F:4";

        bad(location("if (\$arg_x) {\n$line }"), $no);
        bad(location("limit_except GET {\n$line }"), $no);
        bad(server("if (\$arg_x) {\n$line }"), $no);
        bad(http("upstream u {\n$line }"), $no);
        bad(http("ilert_source x {\nilert_$name $GOOD{$name}; }"),
            qr/^\[emerg\] unknown directive in "ilert_source" "x".* F:4$/);
    }

    for my $name (@SCALARS, @LISTS) {
        my ($code, $text) = $t->test_conf(
            "ilert_$name $GOOD{$name};\nhttp { }", full => 1);
        like($text, qr/"ilert_$name" directive is not allowed here in /,
             "ilert_$name outside of http");
    }
};


subtest 'duplicates' => sub {
    for my $name (@SCALARS) {
        my $line = "ilert_$name $GOOD{$name};";
        my $no = "\"ilert_$name\" directive is duplicate in F:4";

        for my $second ($line, "ilert_$name '';", "ilert_$name \$arg_x;") {
            bad($_->("$line\n$second"), $no)
                for \&http, \&server, \&location;
            bad(location("$second\n$line"), $no);
        }
    }

    good(location(join ' ', map { "ilert_$_ $GOOD{$_};" x 3 } @LISTS));
    good(location(join ' ', map { "ilert_$_ $GOOD{$_};" x 60 } @LISTS));
};


subtest 'constants' => sub {
    my %allowed = (
        event_type => '"ALERT", "RESOLVE", "ACCEPT", "COMMENT" and "off" are '
            . 'allowed',
        priority => '"HIGH" and "LOW" are allowed',
        severity => '1 to 5 is allowed',
    );
    my %yes = (event_type => [qw(ALERT RESOLVE ACCEPT COMMENT off)],
               priority => [qw(HIGH LOW)], severity => [1 .. 5]);
    my %no = (
        event_type => [qw(alert Alert FOO OFF Off on default ALERTS resolved
                          none), 'ALERT '],
        priority => [qw(urgent high Low MEDIUM off 1), ' HIGH', 'HIGH LOW'],
        severity => [qw(0 6 9 -1 +1 10 01 1.0 SEV1 one off), '1 ', '1,2'],
    );

    for my $name (sort keys %allowed) {
        for my $value (@{$yes{$name}}, "''", '$arg_x', '$arg_x$arg_y',
                       'x$arg_x', '${arg_x}0', '$kapacitor_tag_x')
        {
            good(location("ilert_$name $value;"));
        }

        for my $value (@{$no{$name}}) {
            my $text = "invalid value \"$value\" in \"ilert_$name\", "
                       . "$allowed{$name} in F:3";

            bad(location("ilert_$name '$value';"), $text);
        }

        bad($_->("ilert_$name '$no{$name}[0]';"), "invalid value "
            . "\"$no{$name}[0]\" in \"ilert_$name\", $allowed{$name} in F:3")
            for \&http, \&server;
    }

    # others are texts

    for my $name (qw(summary details alert_key routing_key)) {
        good(location("ilert_$name $_;"))
            for "''", "' '", '$arg_x', '"a b"', "'{\"a\":1}'", 'off';
    }

    for my $name (@SCALARS) {
        bad(location("ilert_$name \$;"), 'invalid variable name in F:3');
        bad(location("ilert_$name \${arg_x;"), 'the closing bracket in '
            . '"arg_x" variable is missing in F:3');
    }
};


subtest 'names and items' => sub {
    for my $name (qw(label custom_detail)) {
        bad($_->("ilert_$name '' x;"), "\"ilert_$name\" directive has an "
            . 'empty name in F:3') for \&http, \&server, \&location;
        bad(location("ilert_$name a b;\nilert_$name '' '';"),
            "\"ilert_$name\" directive has an empty name in F:4");
        bad(location("ilert_$name '' \$arg_x;"),
            "\"ilert_$name\" directive has an empty name in F:3");

        good(location("ilert_$name $_;")) for "x ''", "\$arg_x y",
            "\$arg_x ''", "' ' x", "a\$arg_x \$arg_y";
        bad(location("ilert_$name \$none x;"), 'unknown "none" variable');
        bad(location("ilert_$name x \$none;"), 'unknown "none" variable');
        bad(location("ilert_$name \$ x;"), 'invalid variable name in F:3');
    }

    for my $name (qw(link image service comment)) {
        good(location("ilert_$name ''; ilert_$name \$arg_x;"));
        bad(location("ilert_$name \$none;"), 'unknown "none" variable');
    }

    good(location("ilert_link a ''; ilert_link '' ''; ilert_link '' a;"));
    good(location("ilert_image '' '' ''; ilert_image a '' b;"));
    bad(location("ilert_image a b \$none;"), 'unknown "none" variable');
    bad(location("ilert_$_ \$none;"), 'unknown "none" variable') for @SCALARS;
};


# Variables of the webhook and event are known everywhere.

subtest 'variables' => sub {
    good(location(join ' ', map { "ilert_label $_ \"\$$_\";" }
        map({ "kapacitor_$_" } qw(id id_md5 message details details_text time
        duration level previous_level recoverable name task group server tag_x
        field_x)), map({ "ilert_$_" } qw(result source event_id event_type
        alert_key path attempt))));

    bad(location("ilert_label x \$kapacitor_$_;"),
        "unknown \"kapacitor_$_\" variable")
        for qw(none ids id_md field tag md5);
};


# Sources with a webhook URL ----------------------------------------------

my @NO_EFFECT = map { "ilert_$_" } grep { !/^(?:event_type|alert_key)$/ }
    @SCALARS, @LISTS;

sub names { join ', ', map { "\"ilert_$_\"" } @_ }

sub one {
    my ($source, $line, @names) = @_;

    return names(@names) . (@names > 1 ? ' have' : ' has') . ' no effect '
        . "with \"ilert_kapacitor\" in F:$line: source \"$source\" has a "
        . 'webhook URL, its events are made by ilert';
}

sub all {
    my ($line, @names) = @_;

    return names(@names) . (@names > 1 ? ' have' : ' has') . ' no effect '
        . "with \"ilert_kapacitor\" in F:$line: all sources have webhook "
        . 'URLs, their events are made by ilert';
}

sub given { join '', map { "ilert_$_ $GOOD{$_}; " } @_ }

subtest 'no effect' => sub {
    my @mapped = map { s/^ilert_//r } @NO_EFFECT;

    # a constant source

    for my $name (@mapped) {
        good("$SOURCES server { $END\nlocation /k {\nilert_kapacitor dba;\n"
             . given($name) . '} }', one('dba', 3, $name));
    }

    good("$SOURCES server { $END\nlocation /k {\nilert_kapacitor dba;\n"
         . given(qw(event_type alert_key)) . '} }');
    good("$SOURCES server { $END\nlocation /k {\nilert_kapacitor dba;\n"
         . given(@SCALARS, @LISTS) . '} }', one('dba', 3, @mapped));
    good("$SOURCES server { $END\nlocation /k {\n"
         . given(reverse @SCALARS, @LISTS) . "\nilert_kapacitor dba; } }",
         one('dba', 4, @mapped));
    good("$SOURCES server { $END\nlocation /k { ilert_kapacitor dba; "
         . 'ilert_label a $arg_a; ilert_label b c; } }',
         one('dba', 2, 'label'));
    good("$SOURCES server { $END\nlocation /k { ilert_kapacitor ops; "
         . given(@SCALARS, @LISTS) . '} }');
    good("$SOURCES server { $END\nlocation /k { ilert_kapacitor off; "
         . given('event_type') . '} }');

    # each location has its own

    good("$SOURCES server { $END\nlocation /a { ilert_kapacitor dba; "
         . given('summary') . "}\nlocation /b { ilert_kapacitor ops; "
         . given('summary') . "}\nlocation /c { ilert_kapacitor net; "
         . given(qw(link comment)) . '} }',
         one('dba', 2, 'summary'), one('net', 4, 'link', 'comment'));

    # another file

    my ($code, $text) = $t->conf_lines("$SOURCES server { $END\nlocation /k { "
                               . "include part.conf; } }");
    is($text, '[warn] ' . (one('dba', 9, 'comment') =~ s/F:9/part.conf:1/r),
       'in an included file');

    # by a variable

    good("$NATIVE server { $END\nlocation /k {\nilert_kapacitor \$arg_x; "
         . given(qw(label summary)) . '} }', all(3, qw(summary label)));
    good("$NATIVE server { $END\nlocation /k {\nilert_kapacitor n\$arg_x; "
         . given(@SCALARS, @LISTS) . '} }', all(3, @mapped));
    good("$SOURCES server { $END\nlocation /k {\nilert_kapacitor \$arg_x; "
         . given(@SCALARS, @LISTS) . '} }');
    good("ilert_source dba { webhook_url $ROOT/$KAP; } server { $END\n"
         . "location /k { ilert_kapacitor \$arg_x; " . given('details')
         . '} }', all(2, 'details'));
};

subtest 'no effect, inherited' => sub {
    # a level that serves native sources only

    good("$NATIVE " . given('summary') . "\nserver { " . given('label')
         . "$END\nlocation /k { ilert_kapacitor dba; " . given('comment')
         . '} }', one('dba', 3, qw(summary label comment)));
    good("$SOURCES " . given('summary') . "server { $END\n"
         . 'location /k { ilert_kapacitor dba; } }',
         one('dba', 2, 'summary'));
    good("$NATIVE " . given('summary') . "server { $END\n"
         . "location /a { ilert_kapacitor dba; }\n"
         . "location /b { ilert_kapacitor net; } }",
         one('dba', 2, 'summary'), one('net', 3, 'summary'));
    good("$SOURCES server { $END\nlocation /a { " . given('link')
         . "\nlocation /a/b { ilert_kapacitor dba; } } }",
         one('dba', 3, 'link'));

    # one that serves another kind too

    good("$SOURCES " . given('summary') . "server { $END\n"
         . "location /a { ilert_kapacitor dba; }\n"
         . "location /b { ilert_kapacitor ops; } }");
    good("$SOURCES " . given('summary') . "server { $END\n"
         . "location /b { ilert_kapacitor ops; }\n"
         . "location /a { ilert_kapacitor dba; " . given('label') . '} }',
         one('dba', 3, 'label'));
    good("$SOURCES " . given('summary') . "server { $END " . given('link')
         . "\nlocation /a { ilert_kapacitor dba; } }\n"
         . "server { server_name b; location /b { ilert_kapacitor ops; } }",
         one('dba', 2, 'link'));
    good("$SOURCES server { $END " . given(@SCALARS, @LISTS)
         . "location /a { ilert_kapacitor dba; }\n"
         . "location /b { ilert_kapacitor \$arg_x; } }");
    good("$SOURCES server { $END location /a { " . given('service')
         . "ilert_kapacitor ops;\nlocation /a/b { ilert_kapacitor dba; } } "
         . '}');
    good("$SOURCES server { $END location /a { " . given('service')
         . "ilert_kapacitor dba;\nlocation /a/b { ilert_kapacitor ops; } } "
         . '}');

    # the other kind does not inherit it

    good("$SOURCES " . given('summary') . "server { $END\n"
         . "location /a { ilert_kapacitor dba; }\n"
         . "location /b { ilert_kapacitor ops; ilert_label x y; } }");
};

subtest 'no effect, blocks in locations' => sub {
    # they inherit, and are not named again

    good("$SOURCES server { $END\nlocation /k { ilert_kapacitor dba; "
         . given('label') . 'if ($arg_x) { set $y 1; } '
         . 'limit_except GET { allow all; } } }', one('dba', 2, 'label'));
    good("$SOURCES server { $END\nlocation /k { ilert_kapacitor ops; "
         . given(@SCALARS, @LISTS) . 'if ($arg_x) { set $y 1; } '
         . 'limit_except GET { allow all; } } }');
    good("$SOURCES server { $END " . given('label') . 'if ($arg_x) { set $y '
         . "1; }\nlocation /k { ilert_kapacitor dba; } }",
         one('dba', 2, 'label'));
};


# Without ilert_kapacitor, and without sources, there is nothing to say.

subtest 'alone' => sub {
    good('server { ' . given(@SCALARS, @LISTS) . '}');
    good(given(@SCALARS, @LISTS));
    good("$NATIVE " . given(@SCALARS, @LISTS) . "server { $END }");
    good("$SOURCES server { $END " . given(@SCALARS, @LISTS)
         . 'location /k { return 204; } }');
};

done();
