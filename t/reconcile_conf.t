#!/usr/bin/perl

# The configuration of "ilert_reconcile": what nginx -t says of each refusal,
# and to which location a URI leads.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $PASS = 'proxy_pass http://127.0.0.1:9;';
my $QUEUE = 'ilert_queue queue;';
my $OPS = "ilert_source ops { integration_key $KEY; }";
my $WAY = "location /ilert/ { internal; ilert_endpoint; $PASS }";
my $HOOK = 'location = /kapacitor { ilert_kapacitor ops; }';

my $t = IlertTest->new(conf => '', secrets => [$KEY],
                       common => qr/\Q$WAY\E|\Q$HOOK\E|\Q$OPS\E/);


sub bad { @_ = ($t, @_); goto &IlertTest::conf_refused }
sub good { @_ = ($t, @_); goto &IlertTest::conf_accepted }

# The directive is in line 4.

sub server {
    my ($locations, $before) = @_;
    $before //= $QUEUE;
    return "$before $OPS\nserver { $WAY\n$locations }";
}

sub reconcile {
    my ($arguments, $others, $before) = @_;
    $others //= $HOOK;
    return server("location /api/ { $PASS\nilert_reconcile $arguments; }\n"
                  . $others, $before);
}


subtest 'parameters' => sub {
    good(reconcile($_)) for '/kapacitor', '/kapacitor?source=ops',
        (map { "/kapacitor topics=$_" } 'main:*', 'ops', 'main:*,ops', '*',
                                        'a*b*c'),
        (map { "/kapacitor interval=$_" } qw(1s 1000ms 60s 5m 1d 24h 10)),
        (map { "/kapacitor mode=$_" } qw(repair watch)),
        (map { "/kapacitor host=$_" } qw(localhost kap.example:9092 [::1])),
        '/kapacitor host=a mode=watch interval=5s topics=a,b';

    bad(reconcile($_), qr/^\[emerg\] invalid URI "\Q$_\E" in \S+, the path /)
        for 'kapacitor', 'http://a/kapacitor', '@kapacitor', '/k$uri', '/k#a';
    bad(reconcile("''"), qr/^\[emerg\] invalid URI "" in "ilert_reconcile", /);

    bad(reconcile("/kapacitor topics=$_"), "empty topic in \"topics=$_\" of "
        . '"ilert_reconcile", names of topics, in which "*" stands for any '
        . 'characters, are allowed, such as "topics=main:*,ops" in F:4')
        for '', ',', 'a,', ',a', 'a,,b';

    bad(reconcile("/kapacitor interval=$_"), "invalid parameter \"interval=$_"
        . '" of "ilert_reconcile", a time from 1s to 1d is allowed in F:4')
        for '', qw(0 0s 999ms 86401s 2d -1s x off);

    bad(reconcile("/kapacitor mode=$_"), "invalid parameter \"mode=$_\" of "
        . '"ilert_reconcile", "mode=repair" and "mode=watch" are allowed in '
        . 'F:4') for '', qw(off on Repair watched);

    bad(reconcile("/kapacitor host=$_"),
        qr/^\[emerg\] invalid parameter "host=\Q$_\E" of "ilert_reconcile", /)
        for '', 'a/b', 'a..b', 'unix:/a';

    bad(reconcile("/kapacitor $_"), "invalid parameter \"$_\" in "
        . '"ilert_reconcile", "topics=", "interval=", "mode=" and "host=" are '
        . 'allowed in F:4') for qw(topics topic=a Interval=5s watch /other);

    bad(reconcile("/kapacitor $_ $_"), "duplicate parameter \"$_\" in "
        . '"ilert_reconcile" in F:4') for qw(topics=a interval=5s mode=watch
                                             host=a);

    bad(reconcile(''), 'invalid number of arguments in "ilert_reconcile" '
        . 'directive in F:4');
};

subtest 'its location' => sub {
    bad(server("location $_ { $PASS\nilert_reconcile /kapacitor; } $HOOK"),
        qr/^\[emerg\]\ "ilert_reconcile"\ is\ in\ location\ ".*",\ only\ a
           \ prefix\ location\ that\ ends\ in\ "\/"\ is\ allowed,\ such\ as
           \ "location\ \/kapacitor-api\/"\ in\ F:4$/x)
        for '= /api/', '/api', '~ ^/api/', '@api/';

    bad(server("location /api/ {\nilert_reconcile /kapacitor; $_ } $HOOK"),
        '"ilert_reconcile" in F:4 cannot ask, a "proxy_pass" to Kapacitor, '
        . 'such as "proxy_pass http://localhost:9092/kapacitor/v1/", is '
        . 'needed in its location')
        for '', 'root /x;', 'return 202;', "if (\$arg_x) { $PASS }";

    for ("ilert_endpoint two; $PASS", 'ilert_kapacitor ops;', 'ilert_status;',
         'ilert_control;')
    {
        my ($name) = /^(\w+)/;
        bad(server("location /api/ {\nilert_reconcile /kapacitor; $_ } $HOOK"),
            "\"ilert_reconcile\" in F:4 and \"$name\" are in the same "
            . 'location, each needs its own');
    }

    bad(reconcile("/kapacitor;\nilert_reconcile /kapacitor"),
        '"ilert_reconcile" directive is duplicate in F:5');

    bad("$QUEUE $OPS\nserver {\nilert_reconcile /kapacitor; $WAY $HOOK }",
        '"ilert_reconcile" directive is not allowed here in F:3');

    bad(reconcile('/kapacitor', undef, $_), '"ilert_reconcile" in F:4 has '
        . 'nothing to compare with, "ilert_queue" is needed')
        for '', 'ilert_queue off;';

    # it is internal by itself, and may say so

    good(server("location /api/ { $PASS internal; ilert_reconcile /kapacitor;"
                . " } $HOOK"));

    # a Kapacitor's name is the path of its location

    my $api = "location /api/ { $PASS\nilert_reconcile /kapacitor; }";

    good(server("$HOOK $api " . $api =~ s/api/other/r));
    bad(server("$HOOK $api }\nserver { listen 127.0.0.1:%%PORT_0%%; "
               . "$HOOK $api"), '"ilert_reconcile" is in location "/api/" of '
        . 'another server, too, in F:4; a Kapacitor is known by the path of '
        . 'its location, which must be its own in F:6');
};

# URIs are looked up by the rules of nginx's "location".

subtest 'the location of the URI' => sub {
    my $take = '{ ilert_kapacitor ops; }';
    my $no = '{ return 404; }';

    for (
        [ '/kapacitor', "location /kapacitor $take" ],
        [ '/kapacitor/a/b', "location /kapacitor/a $take" ],
        [ '/k', "location / $take" ],
        [ '/k/x', "location /k $take location / $no location /k/xy $no" ],
        [ '/k', "location = /k $take location /k $no location ~ k $no" ],
        [ '/k/x', "location /k $no location ~ /x\$ $take" ],
        [ '/k/x', "location ^~ /k $take location ~ /x\$ $no" ],
        [ '/k/x', "location ~ /y\$ $no location ~ /x\$ $take location ~ . "
                  . $no ],
        [ '/k/x', "location /k { location /k/x $take }" ],
        [ '/k/x', "location /k { location = /k/x $take } location ~ x $no" ],
        [ '/k/x', "location /k { location /k/x $no } location ~ x $take" ],
        [ '/k/x', "location /k { location ~ x $take } location ~ x $no" ],
        [ '/k/x', "location ~ ^/k { location ~ x $take }" ],
        [ '/k/x', "location /k { ilert_kapacitor ops; location /k/y $no }" ],
        [ '/kab', "location /ka $no location /kb $no location /kab $take "
                  . "location /kabc $no location /a $no location /z $no" ],
    ) {
        my ($uri, $locations) = @$_;

        good(reconcile($uri, $locations));

        # the other way round

        my $swapped = $locations =~ s/\Q$take\E/<T>/gr =~ s/\Q$no\E/$take/gr
                      =~ s/<T>/$no/gr;

        next if $locations =~ /\{ ilert_kapacitor ops; location/;

        bad(reconcile("$uri?a=b", $swapped), "the URI \"$uri\" of "
            . '"ilert_reconcile" in F:4 leads to no location with '
            . '"ilert_kapacitor" in this server, only one to which Kapacitor '
            . 'posts its webhooks is allowed');
    }

    bad(reconcile('/other'), qr/^\[emerg\] the URI "\/other" of /);
    bad(reconcile('/api/x'), qr/^\[emerg\] the URI "\/api\/x" of /);
    bad(reconcile('/k', '') . "\nserver { location /k $take }",
        qr/^\[emerg\] the URI "\/k" of /);

    # what is heard is known by the path of the location

    my ($api, $other) = map { "location $_ { $PASS\nilert_reconcile /k; }" }
                        qw(/api/ /other/);

    good(server("location /k $take $api $other"));
    bad(server("location /k $take $api }\nserver { listen "
               . "127.0.0.1:%%PORT_0%%; location /k $take $other"),
        'the URI "/k" of "ilert_reconcile" in F:6 leads to location "/k", and '
        . 'that in F:4 to one of the same path in another server; what is '
        . 'heard is known by the path, which must be its own');

    good(reconcile('/k', 'location /k { ilert_kapacitor ops; ilert_dry_run '
                   . 'on; }'), '"ilert_reconcile" in F:4 only watches, since '
         . 'location "/k" has "ilert_dry_run"');
};

done();
