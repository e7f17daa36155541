#!/usr/bin/perl

# The documentation is true: every example is a configuration that nginx takes
# without a warning, the README's one delivers over TLS to what it believes to
# be ilert, the reference has the directives and variables of the code and no
# others, and what it shows of an event is what ilert gets.

use warnings;
use strict;

use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertDNS;
use IlertFake;
use IlertTest;

my $TOP = dirname($FindBin::Bin);
my $CODE = 'ngx_http_ilert_module/ngx_http_ilert';

my $API = 'il1api5ec4e7d001';
my $KAP = 'il1kap5ec4e7d002';
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";

my @pages = ('README.md', map { "docs/" . basename($_) }
                          sort glob "$TOP/docs/*.md");
my @examples = map { basename($_, '.conf') }
               sort glob "$TOP/docs/examples/*.conf";

my %text = map { $_ => text($_) } @pages, 'CHANGES', 'Makefile',
           map({ "docs/examples/$_.conf" } @examples),
           map({ "${CODE}_$_" } qw(module.h module.c variables.c handler.c
                                   queue.c));

my $reference = $text{'docs/ngx_http_ilert_module.md'};

my $certificates = IlertFake::certificates(tempdir(CLEANUP => 1),
    hosts => ['api.ilert.com']);
my $authority = $certificates->{ca_file};


sub text {
    my ($name) = @_;

    open my $file, '<:raw:encoding(UTF-8)', "$TOP/$name"
        or die "cannot read $name: $!\n";
    local $/;
    return scalar <$file>;
}


# Configurations ----------------------------------------------------------

# What they need of the machine is in the test's directory.

my $t = IlertTest->new(conf => '', secrets => [ $API, $KAP ],
    files => { key => "$API\n", url => "$URL\n" });

sub adapted {
    my ($conf) = @_;
    my $port = 0;

    $conf =~ s/^(\s*listen )(\S+:)?\d+/$1 . ($2 \/\/ '')
               . '%%PORT_' . $port++ . '%%'/gme;
    $conf =~ s/(integration_key_file) \S+;/$1 %%DIR%%\/key;/g;
    $conf =~ s/(webhook_url_file) \S+;/$1 %%DIR%%\/url;/g;
    $conf =~ s/(access_log) \/\S+?([^\/\s;]+)(?=[ ;])/$1 %%DIR%%\/$2/g;
    $conf =~ s/(proxy_ssl_trusted_certificate) \S+;/$1 $authority;/g;

    return $conf;
}

sub taken {
    my ($what, $conf) = @_;
    my ($code, $output) = $t->test_conf($conf, full => 1);

    my $said = join '', grep { !/^nginx: (?:the )?configuration file / }
                             split /^/, $output;

    ok($code == 0 && $said eq '', $what)
        or diag("nginx -t ended with $code: $output\n$conf");
}

taken("docs/examples/$_.conf", adapted($text{"docs/examples/$_.conf"}))
    for @examples;

# Those in the text may lack what is not their subject.

sub completed {
    my ($conf) = @_;

    if ($conf =~ /^(?:load_module|http)\b/m) {
        return $conf =~ /^events\b/m ? $conf : "$conf\nevents {\n}\n";
    }

    $conf = "server {\nlisten 80;\n$conf\n}\n" if $conf =~ /\A\s*location/;

    $conf .= "ilert_source ops { integration_key_file key; }\n"
        if $conf !~ /^ilert_source/m;
    $conf .= "server {\nlisten 81;\nlocation /ilert/ {\ninternal;\n"
             . "ilert_endpoint;\nproxy_pass http://127.0.0.1:9;\n}\n}\n"
        if $conf !~ /^\s*ilert_endpoint\b/m;

    return "http {\n$conf\n}\n";
}

for my $page (@pages) {
    my $n = 0;

    while ($text{$page} =~ /^```nginx\n(.*?)^```$/gms) {
        taken("$page, configuration " . ++$n, adapted(completed($1)));
    }
}

like($text{'README.md'},
     qr/^```nginx\n\Q$text{'docs\/examples\/minimal.conf'}\E```$/m,
     'README.md has docs/examples/minimal.conf');


# The README's configuration ----------------------------------------------

my $dns = IlertDNS->start(names => { 'api.ilert.com' => '127.0.0.1' });

my $fake = IlertFake->start(keys => { $API => 'api', $KAP => 'kapacitor' },
    tls => $certificates);

my $minimal = IlertTest->new(example => 'minimal', fake => $fake,
    files => { 'ops.key' => "$API\n", 'dba.url' => "$URL\n" },
    replace => {
        '/etc/nginx/ilert' => '%%DIR%%',
        '127.0.0.1:8080' => '127.0.0.1:%%PORT_0%%',
        '127.0.0.53' => $dns->address,
        'api.ilert.com/' => 'api.ilert.com:' . $fake->port . '/',
        '/etc/ssl/certs/ca-certificates.crt' => $authority,
    })->start;

# The reference shows the event of this webhook.

my ($shown) = grep { /integrationKey/ }
              $reference =~ /^```json\n(.*?)^```$/gms;
$shown =~ s/il1api\w+/$API/;

my $critical = webhook('01-levels-04-CRITICAL');
my $ok = webhook('01-levels-06-OK');
my $alert;

for (['/kapacitor', $API], ['/kapacitor/dba', $KAP]) {
    my ($uri, $key) = @$_;

    is($minimal->post($uri, $critical)->{status}, 202, "$uri: CRITICAL");
    $alert = $fake->alerts->{$key}{'cpu:host=web01'} // {};
    is($alert->{state}, 'open', "$uri: the alert opens");

    is($minimal->post($uri, $ok)->{status}, 202, "$uri: OK");
    $alert = $fake->alerts->{$key}{'cpu:host=web01'} // {};
    is($alert->{state}, 'resolved', "$uri: the alert resolves");
}

my @requests = $fake->requests;

is_deeply(JSON::PP->new->utf8->decode($requests[0]{body}),
          JSON::PP->new->decode($shown), 'the event of the reference');
is($requests[2]{body}, $critical, 'a webhook URL: the body is unchanged');

is_deeply([ map { $_->{sni} } @requests ], [ ('api.ilert.com') x 4 ],
          'the name of the server, in TLS');
is_deeply([ map { $_->{uri} } @requests ],
          [ ('/api/events') x 2, ("/api/v1/events/kapacitor/$KAP") x 2 ],
          'the paths');

my ($agent) = $reference =~ /(ngx_http_ilert_module\/[\d.]+)/;
is($requests[0]{header}{'user-agent'}, $agent, 'the user agent');

my $answer = $minimal->post('/kapacitor', webhook('37-service-test-01-OK'));
is($answer->{json}{status}, 'test', 'a test of Chronograf');
is($minimal->post('/kapacitor/', $critical)->{status}, 404,
   'another URL than the location');

$fake->refuse(all => 1);
is($minimal->post('/kapacitor', $critical)->{status}, 502, 'no ilert');
is($fake->requests, 4, 'nothing else was sent');
is_deeply([ $fake->errors ], [], 'no fault of a request');


# The reference and the code ----------------------------------------------

# What follows the heading, one of the first two levels, up to the next.

sub section {
    my ($page, $heading) = @_;

    my ($section) = $page =~ /^\Q$heading\E\n(.*?)(?=^\#\#? |\z)/ms
        or die "no section $heading\n";
    return $section;
}

sub contexts_of {
    my ($flags) = @_;
    my @contexts = ([ MAIN => 'http' ], [ SRV => 'server' ],
                    [ LOC => 'location' ]);

    return join ', ', map { $_->[1] }
                      grep { $flags =~ /NGX_HTTP_$_->[0]_CONF/ } @contexts;
}

my (%directives, %documented);
my $module = $text{"${CODE}_module.c"};

for (['ngx_http_ilert_commands', ''],
     ['ngx_http_ilert_source_commands', 'ilert_source'])
{
    my ($table, $block) = @$_;
    my ($commands) = $module =~ /ngx_command_t\s+$table\[\] = \{(.*?)^\};/ms;

    while ($commands =~ /ngx_string\("(\w+)"\),\s*([A-Z0-9_|]+),/g) {
        $directives{$1} = $block || contexts_of($2);
    }
}

my $section = section($reference, '## Directives');

while ($section =~ /^\#\#\#[ ](\w+)\n
                    \n\*\*Syntax:\*\*[ ]\*\*`(\w+)`\*\*[ ].*\n
                    \n\*\*Default:\*\*[ ](.*)\n
                    \n\*\*Context:\*\*[ ](.*)\n/gmx)
{
    my ($name, $syntax, $default, $context) = ($1, $2, $3, $4);

    $documented{$name} = $context =~ s/`//gr;
    is($syntax, $name, "$name: the syntax");
    ok($default =~ /^(?:\x{2014}|`$name .*;`)$/, "$name: the default");
}

cmp_ok(scalar keys %directives, '>', 5, 'directives of the code');
is_deeply(\%documented, \%directives, 'directives and their contexts');
is_deeply([ grep { !$directives{$_} } $section =~ /^### (.*)/gm ], [],
          'no other headings');

sub size {
    my ($size, $unit) = $_[0] =~ /^(\d+)([km]?)$/;
    return $size * { '' => 1, k => 1024, m => 1024 * 1024 }->{$unit};
}

while ($module =~ /prev->(\w+),\s*([\d* ]+)\)/g) {
    my ($name, $value) = ($1, 1);
    $value *= $_ for split / \* /, $2;

    my ($size) = $section =~ /^\*\*Default:\*\* `ilert_$name (\w+);`/m;
    is(size($size // '0'), $value, "ilert_$name: the value by default");
}

# variables

my @variables = $text{"${CODE}_variables.c"}
                =~ /^[ ]{4}\{ ngx_string\("(\w+)"\), ngx_http/gm;
push @variables, $text{"${CODE}_variables.c"}
                 =~ /_prefix = ngx_string\("(\w+_)"\)/g;

$section = section($reference, '## Embedded Variables');
my @shown = $section =~ /^\| `\$(\w+)`/gm;

cmp_ok(scalar @variables, '>', 20, 'variables of the code');
is_deeply([ sort @shown ], [ sort @variables ], 'variables');

my $format = join ' ', map { s/_$/_x/r } map { "\$$_" } @shown;
taken('variables, to nginx', "http {\nlog_format all '$format';\n}\n");

my %results = map { $_ => 1 } map {
        $text{"${CODE}_$_"} =~ /result, "([A-Z]+)"/g
    } qw(handler.c queue.c);
my ($result) = $section =~ /^(\| `\$ilert_result` .*)/m;

is_deeply([ sort $result =~ /`([A-Z]+)`/g ], [ sort keys %results ],
          'values of $ilert_result');


# The pages ---------------------------------------------------------------

my ($version) = $text{"${CODE}_module.h"}
                =~ /NGX_HTTP_ILERT_VERSION\s+"([\d.]+)"/;

like($text{CHANGES},
     qr/\A\nChanges with ngx_http_ilert_module \Q$version\E\b/,
     'the version in CHANGES');
like($text{'README.md'}, qr/^Version \Q$version\E /m,
     'the version in README.md');
like($reference, qr/^The `ngx_http_ilert_module` module \(\Q$version\E\)/m,
     'the version in the reference');
is($agent, "ngx_http_ilert_module/$version", 'and in the user agent');

my ($targets) = $text{Makefile} =~ /^\.PHONY: (.*)/m;
my %target = map { $_ => 1 } split ' ', $targets;

is_deeply([ grep { !$target{$_} }
            $text{'README.md'} =~ /(?:`|^)make (?:[A-Z_]+=\S+ )?([a-z]+)/gm ],
          [], 'targets that README.md names');

# the anchors of a page, as GitHub makes them

sub anchors {
    my ($page) = @_;
    my %anchors;

    for ($text{$page} =~ s/^```.*?^```$//gmsr =~ /^#+ (.*)/gm) {
        $anchors{lc s/[^\w -]//gr =~ tr/ /-/r} = 1;
    }

    return \%anchors;
}

for my $page (@pages) {
    my @broken;

    for my $link ($text{$page} =~ /\]\(([^()\s]+)\)/g) {
        next if $link =~ /^https:/;

        my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
        my $target = $path eq '' ? $page
                   : $page =~ m{^(.*/)} ? "$1$path" : $path;

        push @broken, $link
            if !-e "$TOP/$target"
            || $anchor ne '' && !anchors($target)->{$anchor};
    }

    is_deeply(\@broken, [], "links of $page");

    # a table's line and a link cannot be broken

    is_deeply([ grep { length > 79 && !/^\|/ && !/https:/ }
                split /\n/, $text{$page} ],
              [], "lines of $page");
}

done();
