#!/usr/bin/perl

# The documentation is true: every configuration in it is one that nginx takes
# without a warning, the reference has the directives and variables of the code
# and no others, and what it shows of events is what ilert gets.  What the
# files in docs/examples/ do is examples.t's.

use warnings;
use strict;

use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";

use Test::More;

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
           't/ilert-event.schema.json',
           map({ "docs/examples/$_.conf" } @examples),
           map({ "${CODE}_$_" } qw(module.h module.c variables.c handler.c
                                   queue.c));

my $reference = $text{'docs/ngx_http_ilert_module.md'};

my $certificates = IlertFake::certificates(tempdir(CLEANUP => 1));


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
    $conf =~ s/(ssl_trusted_certificate) \S+;/$1 $certificates->{ca_file};/g;
    $conf =~ s/(ssl_certificate) \S+;/$1 $certificates->{cert_file};/g;
    $conf =~ s/(ssl_certificate_key) \S+;/$1 $certificates->{key_file};/g;

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


# the way out is the same everywhere

my ($way_out) = $text{'docs/examples/minimal.conf'}
                =~ /^( +location \/ilert\/ .*)\z/ms;
$way_out =~ s/^ +# .*\n\n//m;

for (grep { $_ ne 'minimal' && $_ ne 'sandbox' } @examples) {
    my ($other) = $text{"docs/examples/$_.conf"}
                  =~ /^( +location \/ilert\/ .*)\z/ms;
    is($other, $way_out, "$_.conf: the endpoint of minimal.conf");
}

# the list of them

is_deeply([ sort $text{'docs/alert-source.md'}
                 =~ /^\| \[(\w+)\.conf\]\(examples\/\1\.conf\) /gm ],
          [ sort @examples ], 'the list of examples');


# What follows the heading, one of the first two levels, up to the next.

sub section {
    my ($page, $heading) = @_;

    my ($section) = $page =~ /^\Q$heading\E\n(.*?)(?=^\#\#? |\z)/ms
        or die "no section $heading\n";
    return $section;
}


# Events of the reference -------------------------------------------------

# Each configuration in it that only maps is a location of nginx.

my %mapped;
my $maps = '';
my $locations = "location = /default { ilert_kapacitor ops; }\n";

my $chapter = section($reference, '## Directives');

while ($chapter =~ /^\#\#\#[ ](\w+)\n(.*?)(?=^\#\#\#[ ]|\z)/gms) {
    my ($name, $about) = ($1, $2);

    next if $about =~ /^\*\*Context:\*\* `(?:ilert_source|location)`$/m;
    next if $name =~ /_size$|^ilert_source$/;

    my ($conf) = $about =~ /^```nginx\n(.*?)^```$/ms;
    ok(defined $conf, "$name: an example") or next;

    $maps .= $1 while $conf =~ s/^(map .*?^\}\n)//ms;
    $locations .= "location = /$name {\nilert_kapacitor ops;\n$conf}\n";
    $mapped{$name} = 1;
}

my %times;
$times{$_}++ for $maps =~ /^map \S+ (\$\w+)/gm;
is_deeply([ grep { $times{$_} > 1 } keys %times ], [], 'no map twice');

my $fake = IlertFake->start(keys => { $API => 'api' });

my $nginx = IlertTest->new(fake => $fake, conf => <<"CONF")->start;
    ilert_source ops {
        integration_key $API;
    }

    $maps

    server {
        listen %%PORT_0%%;
        $locations

        location /ilert/ {
            internal;
            ilert_endpoint;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
        }
    }
CONF

# What ilert got of the capture, its member of that name

sub event {
    my ($location, $name, $member) = @_;

    my $n = $fake->requests;
    my $body = webhook("01-levels-$name")
               =~ s/"tags":\{/"tags":{"service":"shop","team":"web",/r;
    $body = webhook("01-levels-$name") if $location eq 'default';

    my $status = $nginx->post("/$location", $body)->{json}{status};
    return $status if $fake->requests == $n;

    my $event = JSON::PP->new->utf8->decode($fake->request(-1)->{body});
    return defined $member ? $event->{$member} : $event;
}

my ($shown) = grep { /integrationKey/ }
              $reference =~ /^```json\n(.*?)^```$/gms;
$shown =~ s/il1api\w+/$API/;

is_deeply(event('default', '04-CRITICAL'), JSON::PP->new->decode($shown),
          'the event of the reference');

my ($agent) = $reference =~ /(ngx_http_ilert_module\/[\d.]+)/;
is($fake->request(-1)->{header}{'user-agent'}, $agent, 'the user agent');

my %example = (
    ilert_alert_key => [ [ '04-CRITICAL', alertKey => 't01 cpu:host=web01' ] ],
    ilert_comment => [
        [ '04-CRITICAL', comments => undef ],
        [ '06-OK', comments => [ { creator => 'Kapacitor',
            content => 'Kapacitor says: cpu:host=web01 is OK' } ] ] ],
    ilert_custom_detail => [],
    ilert_details => [
        [ '04-CRITICAL', details => '**web01** has a usage of 95.' ] ],
    ilert_event_type => [
        [ '01-INFO', undef, 'ignored' ],
        [ '04-CRITICAL', eventType => 'ALERT' ],
        [ '06-OK', eventType => 'RESOLVE' ] ],
    ilert_image => [
        [ '04-CRITICAL', images => [ {
            src => 'https://graphs.example.com/cpu.png',
            alt => 'CPU usage' } ] ] ],
    ilert_label => [
        [ '04-CRITICAL', labels => { host => 'web01',
                                     level => 'CRITICAL' } ] ],
    ilert_link => [
        [ '04-CRITICAL', links => [
            { href => 'https://chronograf.example.com/sources/1/hosts/web01',
              text => 'Host web01' },
            { href => 'https://wiki.example.com/alerts',
              text => 'https://wiki.example.com/alerts' } ] ] ],
    ilert_priority => [
        [ '03-WARNING', priority => 'LOW' ],
        [ '04-CRITICAL', priority => 'HIGH' ],
        [ '06-OK', priority => undef ] ],
    ilert_routing_key => [ [ '04-CRITICAL', routingKey => 'web' ] ],
    ilert_service => [
        [ '04-CRITICAL', services => [ { alias => 'shop' } ] ] ],
    ilert_severity => [
        [ '03-WARNING', severity => 3 ],
        [ '04-CRITICAL', severity => 1 ],
        [ '06-OK', severity => undef ] ],
    ilert_summary => [
        [ '04-CRITICAL', summary => 'CRITICAL: cpu:host=web01 is CRITICAL' ] ],
);

is_deeply([ sort keys %example ], [ sort keys %mapped ],
          'directives of the mapping have examples');

for my $name (sort keys %example) {
    for (@{$example{$name}}) {
        my ($webhook, $member, $expected) = @$_;
        is_deeply(event($name, $webhook, $member), $expected,
                  "$name: the example with $webhook");
    }
}

is(event('ilert_custom_detail', '04-CRITICAL', 'customDetails')->{posted_by},
   '127.0.0.1', 'ilert_custom_detail: the example');

is_deeply([ $fake->errors ], [], 'no fault of a request');

my ($list) = section($reference, '## Mapping') =~ /\A(.*?)\.\n\n/s;
is_deeply([ $list =~ /\[(\w+)\]/g ], [ sort keys %mapped ],
          'the list of directives of the mapping');

my $schema = JSON::PP->new->decode($text{'t/ilert-event.schema.json'});
is_deeply([ sort grep { $schema->{properties}{$_} }
            section($reference, '## Events') =~ /^\| `(\w+)` /gm ],
          [ sort keys %{$schema->{properties}} ], 'members of an event');


# The reference and the code ----------------------------------------------

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

while ($chapter =~ /^\#\#\#[ ](\w+)\n
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
is_deeply([ grep { !$directives{$_} } $chapter =~ /^### (.*)/gm ], [],
          'no other headings');

sub size {
    my ($size, $unit) = $_[0] =~ /^(\d+)([km]?)$/;
    return $size * { '' => 1, k => 1024, m => 1024 * 1024 }->{$unit};
}

while ($module =~ /prev->(\w+),\s*([\d* ]+)\)/g) {
    my ($name, $value) = ($1, 1);
    $value *= $_ for split / \* /, $2;

    my ($size) = $chapter =~ /^\*\*Default:\*\* `ilert_$name (\w+);`/m;
    is(size($size // '0'), $value, "ilert_$name: the value by default");
}

# variables

my @variables = $text{"${CODE}_variables.c"}
                =~ /^[ ]{4}\{ ngx_string\("(\w+)"\), ngx_http/gm;
push @variables, $text{"${CODE}_variables.c"}
                 =~ /_prefix = ngx_string\("(\w+_)"\)/g;

my $section = section($reference, '## Embedded Variables');
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
