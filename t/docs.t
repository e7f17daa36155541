#!/usr/bin/perl

# The documentation is true: every configuration in it is one that nginx takes
# without a warning, the reference has the directives and variables of the code
# and no others, and what it shows of events is what ilert gets; the log lines
# are those of the code, and the queries work.  What the files in
# docs/examples/ do is examples.t's.

use warnings;
use strict;

use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertReadme;
use IlertTest;

my $TOP = dirname($FindBin::Bin);
my $CODE = 'ngx_http_ilert_module/ngx_http_ilert';

my $API = 'il1api5ec4e7d001';
my $KAP = 'il1kap5ec4e7d002';
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";

my @pages = (qw(README.md CONTRIBUTING.md SECURITY.md),
             map { "docs/" . basename($_) } sort glob "$TOP/docs/*.md");
my @examples = map { basename($_, '.conf') }
               sort glob "$TOP/docs/examples/*.conf";

my %text = map { $_ => text($_) } @pages, 'CHANGES', 'Makefile',
           't/data/ilert-event.schema.json',
           map({ "docs/examples/$_.conf" } @examples);

# The code is known by the name of its file, whichever folder that is in.

my %code;

for my $file (glob("$TOP/ngx_http_ilert_module/{*,*/*}/*.[ch]")) {
    my ($folder, $name) = $file =~ m{/(\w+)/ngx_http_ilert_([^/]+)\z};

    $text{"${CODE}_$name"} = text($file =~ s{^\Q$TOP\E/}{}r);
    push @{$code{$folder}}, $text{"${CODE}_$name"} if $name =~ /\.c\z/;
}

my $reference = $text{'docs/ngx_http_ilert_module.md'};

my $certificates = IlertFake::certificates(tempdir(CLEANUP => 1));


sub text {
    my ($name) = @_;

    my $text = IlertTest::slurp("$TOP/$name") // die "$name: $!\n";
    utf8::decode($text);
    return $text;
}


# Configurations ----------------------------------------------------------

# What they need of the machine is in the test's directory.

my $t = IlertTest->new(conf => '', secrets => [ $API, $KAP ],
    files => { key => "$API\n", url => "$URL\n", maintenance => '',
               'chat.conf' => "proxy_pass http://127.0.0.1:9;\n" });

sub adapted {
    my ($conf) = @_;
    my $port = 0;

    $conf =~ s/^(\s*listen )(\S+:)?\d+/$1 . ($2 \/\/ '')
               . '%%PORT_' . $port++ . '%%'/gme;
    $conf =~ s{(integration_key_file|ilert_heartbeat) [^\s;]+}
              {$1 %%DIR%%/key}g;
    $conf =~ s/(webhook_url_file) \S+;/$1 %%DIR%%\/url;/g;
    $conf =~ s{((?:access|error)_log) /\S+?([^/\s;]+)(?=[ ;])}
              {$1 %%DIR%%/$2}g;
    $conf =~ s{(include) +/etc/nginx/ilert/}{$1 %%DIR%%/}g;
    $conf =~ s/(ilert_queue) \/[^\s;]+/$1 %%DIR%%\/queue/g;
    $conf =~ s/(server) api\.ilert\.com:443;/$1 127.0.0.1:9;/;
    $conf =~ s/(ssl_trusted_certificate) \S+;/$1 $certificates->{ca_file};/g;
    $conf =~ s/(ssl_certificate) \S+;/$1 $certificates->{cert_file};/g;
    $conf =~ s/(ssl_certificate_key) \S+;/$1 $certificates->{key_file};/g;

    return $conf;
}

sub taken {
    my ($what, $conf) = @_;

    SKIP: {
        my $lacks = lacks($conf);
        skip("$what needs $lacks", 1) if $lacks;

        my ($code, $output) = $t->test_conf($conf, full => 1);
        my $said = join '', grep { !/^nginx: (?:the )?configuration file / }
                                 split /^/, $output;

        ok($code == 0 && $said eq '', $what)
            or diag("nginx -t ended with $code: $output\n$conf");
    }
}

# What this nginx lacks for a configuration, which is not tried then: threads,
# or to be of a later version, as the configuration says.

sub lacks {
    return 'threads' if $_[0] =~ /\bilert_queue\b/
                        && !IlertTest::has_threads();
    return too_old($_[0]) ? 'a later nginx' : '';
}

sub too_old {
    my ($needed) = $_[0] =~ /\bneeds\s+(?:#\s+)?nginx (\d[\d.]*\d)/
        or return 0;
    my @versions = map { sprintf '%d%03d%03d', split /\./ }
                   IlertTest::nginx_version(), $needed;
    return $versions[0] < $versions[1];
}

subtest 'configurations of docs/examples' => sub {
    for (@examples) {
        my $conf = $text{"docs/examples/$_.conf"};
        taken("docs/examples/$_.conf", adapted(completed($conf)));
    }
};

# Those in the text may lack what is not their subject.

sub completed {
    my ($conf) = @_;

    if ($conf =~ /^http\b/m) {
        return $conf =~ /^events\b/m ? $conf : "$conf\nevents {\n}\n";
    }

    $conf = "server {\nlisten 80;\n$conf\n}\n" if $conf =~ /\A\s*location/;

    $conf .= "ilert_source ops { integration_key_file key; }\n"
        if $conf !~ /^ilert_source/m;
    $conf .= "server {\nlisten 81;\nlocation /ilert/ {\ninternal;\n"
             . "ilert_endpoint;\nproxy_pass http://127.0.0.1:9;\n"
             . "proxy_read_timeout 20s;\n}\n}\n"
        if $conf !~ /^\s*ilert_endpoint\b(?! heartbeat)/m;

    return "http {\n$conf\n}\n";
}

subtest 'configurations of the pages' => sub {
    for my $page (@pages) {
        my $n = 0;

        while ($text{$page} =~ /^```nginx\n(.*?)^```$/gms) {
            taken("$page, configuration " . ++$n, adapted(completed($1)));
        }
    }

    like($text{'README.md'},
         qr/<<'END'\n\Q$text{'docs\/examples\/minimal.conf'}\EEND$/m,
         'README.md has docs/examples/minimal.conf');
};


# The endpoint is written in the same way in all examples but those about it.

subtest 'the same way out everywhere' => sub {
    my ($way_out) = $text{'docs/examples/minimal.conf'}
                    =~ /^( +location \/ilert\/ .*)\z/ms;
    $way_out =~ s/^ +# .*\n\n//m;
    $way_out =~ s/^(?=.)/    /gm;
    $way_out .= "}\n";

    for (grep { !/^(?:minimal|sandbox|keepalive|resolve|proxy)$/ } @examples) {
        my ($other) = $text{"docs/examples/$_.conf"}
                      =~ /^( +location \/ilert\/ .*)\z/ms;
        is($other, $way_out, "$_.conf: the endpoint of minimal.conf");
    }
};

# the list of them

subtest 'the list of examples' => sub {
    is_deeply([ sort $text{'docs/alert-source.md'}
                     =~ /^\| \[(\w+)\.conf\]\(examples\/\1\.conf\) /gm ],
              [ sort @examples ], 'the list of examples');
};


# What follows the heading, one of the first two levels, up to the next.

sub section {
    my ($page, $heading) = @_;

    my ($section) = $page =~ /^\Q$heading\E\n(.*?)(?=^\#\#? |\z)/ms
        or die "no section $heading\n";
    return $section;
}


# Events of the reference -------------------------------------------------

# Each configuration in it that only maps is a location of nginx.

my (%mapped, @lacking);
my $maps = '';
my $locations = "location = /default { ilert_kapacitor ops; }\n";

my $chapter = section($reference, '## Directives');

while ($chapter =~ /^\#\#\#[ ](\w+)\n(.*?)(?=^\#\#\#[ ]|\z)/gms) {
    my ($name, $about) = ($1, $2);

    next if $about =~ /^\*\*Context:\*\* `(?:ilert_source|location)`$/m;
    next if $name =~ /_size$|^ilert_(?:heartbeat|queue|source|unreadable)$/
            || $name =~ /^ilert_fallback/;

    my ($conf) = $about =~ /^```nginx\n(.*?)^```$/ms;
    push @lacking, $name if !defined $conf;
    next if !defined $conf;

    $maps .= $1 while $conf =~ s/^(map .*?^\}\n)//ms;
    $locations .= "location = /$name {\nilert_kapacitor ops;\n$conf}\n";
    $mapped{$name} = 1;
}

my ($deadman) = section($text{'docs/kapacitor.md'}, '## Deadman')
                =~ /^```nginx\n(.*?)^```$/ms;
$maps .= $1 if $deadman =~ s/^(map .*?^\}\n)//ms;
$locations .= "location = /deadman {\nilert_kapacitor ops;\n$deadman}\n";

my $fake = IlertFake->start(keys => { $API => 'api' });

my $nginx = IlertTest->new(fake => $fake, conf => <<"CONF")->start;
    ilert_source ops {
        integration_key $API;
    }

    $maps

    server {
        listen %%PORT_0%%;
        $locations

        %%ENDPOINT%%
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

my ($agent) = $reference =~ /(ngx_http_ilert_module\/[\d.]+)/;

my ($shown) = grep { /integrationKey/ }
              $reference =~ /^```json\n(.*?)^```$/gms;
$shown =~ s/il1api\w+/$API/;

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

subtest 'events of the reference' => sub {
    is_deeply(\@lacking, [], 'each directive has an example');

    my %times;
    $times{$_}++ for $maps =~ /^map \S+ (\$\w+)/gm;
    is_deeply([ grep { $times{$_} > 1 } keys %times ], [], 'no map twice');

    is_deeply(event('default', '04-CRITICAL'), JSON::PP->new->decode($shown),
              'the event of the reference');

    is($fake->request(-1)->{header}{'user-agent'}, $agent, 'the user agent');

    is_deeply([ sort keys %example ], [ sort keys %mapped ],
              'directives of the mapping have examples');

    for my $name (sort keys %example) {
        for (@{$example{$name}}) {
            my ($webhook, $member, $expected) = @$_;
            is_deeply(event($name, $webhook, $member), $expected,
                      "$name: the example with $webhook");
        }
    }

    my $custom = event('ilert_custom_detail', '04-CRITICAL', 'customDetails');
    is($custom->{posted_by}, '127.0.0.1', 'ilert_custom_detail: the example');

    is_deeply([ $fake->errors ], [], 'no fault of a request');

    my ($list) = section($reference, '## Mapping') =~ /\A(.*?)\.\n\n/s;
    is_deeply([ $list =~ /\[(\w+)\]/g ], [ sort keys %mapped ],
              'the list of directives of the mapping');

    my $schema
        = JSON::PP->new->decode($text{'t/data/ilert-event.schema.json'});
    is_deeply([ sort grep { $schema->{properties}{$_} }
                section($reference, '## Events') =~ /^\| `(\w+)` /gm ],
              [ sort keys %{$schema->{properties}} ], 'members of an event');
};


subtest 'a deadman alert of no group' => sub {
    for (['44-deadman-nil-group-before-any-data-01-CRITICAL', 'ignored'],
         ['11-deadman-01-CRITICAL', 'accepted'])
    {
        my ($webhook, $status) = @$_;

        is($nginx->post('/deadman', webhook($webhook))->{json}{status},
           $status, "$webhook is $status");
    }
};


# The reference and the code ----------------------------------------------

sub contexts_of {
    my ($flags) = @_;
    my @contexts = ([ MAIN => 'http' ], [ SRV => 'server' ],
                    [ LOC => 'location' ]);

    return join ', ', map { $_->[1] }
                      grep { $flags =~ /NGX_HTTP_$_->[0]_CONF/ } @contexts;
}

sub size {
    return 0 if $_[0] eq 'off';
    my ($size, $unit) = $_[0] =~ /^(\d+)([km]?)$/;
    return $size * { '' => 1, k => 1024, m => 1024 * 1024 }->{$unit};
}

subtest 'directives' => sub {
    my (%directives, %documented);
    my $module = join "", @{$code{conf}};

    for (['ngx_http_ilert_commands', ''],
         ['ngx_http_ilert_source_commands', 'ilert_source'])
    {
        my ($table, $block) = @$_;
        my ($commands)
            = $module =~ /ngx_command_t\s+$table\[\] = \{(.*?)^\};/ms;

        while ($commands =~ /ngx_string\("(\w+)"\),\s*([A-Z0-9_|]+),/g) {
            $directives{$1} = $block || contexts_of($2);
        }
    }

    while ($chapter =~ /^\#\#\#[ ](\w+)\n
                        \n\*\*Syntax:\*\*[ ]\*\*`(\w+)`\*\*
                          (?:;|[ ].*(?:\n.+)*)\n
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

    while ($module =~ /prev->(\w+),\s*([\d* ]+)\)/g) {
        my ($name, $value) = ($1, 1);
        $value *= $_ for split / \* /, $2;

        my ($size) = $chapter =~ /^\*\*Default:\*\* `ilert_$name (\w+);`/m;
        is(size($size // '0'), $value, "ilert_$name: the value by default");
    }

    my %members = $module =~ /^ +\.(\w+) = (.*),$/gm;

    for (['concurrency 8', concurrency => '8'],
         ['retry 1s 5m', retry_first => '1000',
                         retry_longest => '5 * 60 * 1000'],
         ['max_age off', max_age => '0'],
         ['coalesce latest', coalesce => 'NGX_HTTP_ILERT_COALESCE_LATEST'],
         ['repeat 5m', repeat => '5 * 60 * 1000'],
         ['resolve_after off', resolve_after => '0'],
         ['resolve_delay 0', resolve_delay => '0'],
         ['raise reopen', raise => 'NGX_HTTP_ILERT_RAISE_REOPEN'])
    {
        my ($shown, %value) = @$_;

        like($chapter, qr/^\*\*Default:\*\* `$shown;`$/m, "$shown: is shown");
        is($members{$_}, $value{$_}, "$_: the value by default")
            for keys %value;
    }

    for (['rate', qr/^\*\*Default:\*\* `rate (\d+)r\/m reserve=5;`$/m,
          'KEY_RATE'],
         ['ilert_endpoint', qr/default it is `(\d+)r\/m`/, 'ENDPOINT_RATE'])
    {
        my ($name, $shown, $value) = @$_;

        is(($chapter =~ $shown)[0],
           ($module =~ /^#define NGX_HTTP_ILERT_$value +(\d+)$/m)[0],
           "$name: the rate by default");
    }
};

# The template of kapacitor.md, with what Kapacitor would put into it: "json"
# ends with a line feed.

subtest 'a template' => sub {
    my ($template) = $text{'docs/kapacitor.md'}
                     =~ /alert-template = \'\'\'(.*?)\'\'\'/s;
    my $json = JSON::PP->new->allow_nonref->canonical->allow_bignum;

    for my $name ('04-CRITICAL', '06-OK') {
        my $body = $json->decode(webhook("01-levels-$name"));
        my %value = map { lc $_ => $json->encode($body->{$_}) } keys %$body;

        (my $posted = $template)
            =~ s/\{\{ json \.(\w+) \}\}/$value{lc $1} . "\n"/ge;

        my @events = map {
            my $n = $fake->requests;
            $nginx->post('/default', $_);
            $fake->wait_requests($n + 1);
            $json->decode($fake->request(-1)->{body});
        } webhook("01-levels-$name"), $posted;

        is_deeply($events[1], $events[0], "$name: as without it");
        is_deeply([ sort keys %{$json->decode($posted)} ],
                  [ sort keys %$body ], 'nothing is left out');
    }
};

# The table of checks

subtest 'checks of the set-up' => sub {
    my @checks = $text{"${CODE}_checks.c"}
                 =~ /\{ ngx_string\("(\w+)"\),\s*ngx_http_ilert_checks_/g;
    my ($section) = $reference =~ /^### Set-up\n(.*?)(?=^#)/ms;

    # what is found while nginx runs comes last
    my %known = map { $_ => 1 } @checks;
    push @checks, grep { !$known{$_}++ } map {
        /ngx_str_set\(&setup->check, "(\w+)"\)/g } map { $text{$_} }
        sort keys %text;

    cmp_ok(scalar @checks, '>', 6, 'checks of the code');
    is_deeply([ $section =~ /^\| `(\w+)` /gm ], \@checks, 'are shown');
};

# The log lines of the code are compared with those of the reference.  A string
# of C may be in several pieces.

my $pieces = qr/(?:\s*"(?:[^"\\]|\\.)*")+/;

sub joined {
    my ($literal) = @_;
    return join('', $literal =~ /"((?:[^"\\]|\\.)*)"/g) =~ s/\\(.)/$1/gr;
}

# Turns a format into a pattern of the lines that it makes.

sub pattern {
    my ($format) = @_;
    return join '.+', map { quotemeta }
                      split /%\d*\*?\.?\*?[a-z]+/i, $format, -1;
}

my %levels = (INFO => 'info', NOTICE => 'notice', WARN => 'warn',
              ERR => 'error', CRIT => 'crit');

my $errors = section($reference, '## Error Log');
my (%logged, %shown_lines);

for my $log (map { @$_ } @code{qw(webhook queue send courier core status)}) {

    $log =~ s/ngx_create_dir_n\s*"/"mkdir()/g;

    while ($log =~ /ngx_log_error\(NGX_LOG_(\w+),\s*[&\w>-]+,\s*[\w()]+,
                    ($pieces)/gx)
    {
        my ($level, $format) = ($levels{$1} // next, joined($2));

        # The errors of the store are compared below.

        $logged{"$level $format"} = pattern($format)
            if $format ne 'ilert queue "%V": %s';
    }
}

while ($errors =~ /^At the level `(\w+)`:\n\n((?:(?:- |  ).*\n)+)/gm) {
    my ($level, $list) = ($1, $2);

    for my $item ($list =~ /^- (.*?)(?=^- |\z)/gms) {
        $item =~ s/\s+/ /g;
        my ($line) = $item =~ /^`([^`]+)`/;
        $shown_lines{"$level $line"} = 1;
        $shown_lines{"$level $_"} = 1 for $item =~ /, or `(".*?)`/g;
    }
}

subtest 'log lines' => sub {
    cmp_ok(scalar keys %logged, '>', 12, 'lines of the log in the code');

    for my $line (sort keys %logged) {
        my ($level, $format) = split / /, $line, 2;
        ok(scalar(grep { /^$level $logged{$line}$/ } keys %shown_lines),
           "is shown: $line");
    }

    for my $line (sort keys %shown_lines) {
        next if $line =~ /: moved to "FILE", a new one is begun$/;
        my ($level) = $line =~ /^(\w+)/;
        ok(scalar(grep { /^$level / && $line =~ /^$level $logged{$_}$/ }
                  keys %logged), "is logged: $line");
    }
};

# the reasons for which there is no answer

subtest 'no answer from ilert' => sub {
    my ($table) = $text{"${CODE}_fault.c"} =~ /_faults\[\] = \{(.*?)^\};/ms;
    my (%coded, %told);

    while ($table =~ /\{ "(\w+)",\s*($pieces), (\d) \}/g) {
        my ($code, $text, $detail) = ($1, joined($2), $3);

        $text = 'nginx answered CODE itself, check the location of '
                . 'ilert_endpoint "NAME"' if $code eq 'nginx';
        $text .= ': DETAIL' if $detail && $code ne 'nginx';
        $coded{$code} = $text;
    }

    my $section = section($reference, '## No Answer from ilert');
    $told{$1} = $2 while $section =~ /^\| `(\w+)` \| `(.*?)` \| \S/gm;

    cmp_ok(scalar keys %coded, '>', 15, 'reasons');
    is_deeply(\%told, \%coded, 'codes and texts');
};

my $operations = $text{'docs/operations.md'};

# errors of the queue

subtest 'errors of the queue' => sub {
    my $remedies = section($operations, '## Errors of the queue');

    my $store = join '', map { @$_ } @code{qw(store sqlite)};

    my @errors = map { joined($_) }
        $store =~ /sqlite3_snprintf\(sizeof\(store->error\),
                   \s*store->error,($pieces)/gx;
    my @remedies = map { /`([^`]+)`/g } $remedies =~ /^\| (`.*?) \| /gm;

    cmp_ok(scalar @errors, '>', 7, 'errors of the store');

    push @errors, map { joined($_) }
        $text{"${CODE}_status_gather.c"}
            =~ /(?:ngx_snprintf\(error->data|ngx_str_set\((?:&st->)?error),
                [^"]*?($pieces)/gx;

    for my $format (@errors) {
        my $pattern = pattern($format);
        ok(scalar(grep { /^$pattern$/ } @remedies), "has a remedy: $format");
    }

    for my $remedy (@remedies) {
        ok(scalar(grep { $remedy =~ /^@{[pattern($_)]}$/ } @errors),
           "is an error: $remedy");
    }
};

# The patterns that operations.md tells to watch for must match logged lines.

subtest 'what to watch' => sub {
    my $watch = section($operations, '## What to watch');
    my @watched = $watch =~ /^    (.+)$/gm;

    cmp_ok(scalar @watched, '>', 6, 'lines to watch');

    for my $pattern (@watched) {
        ok(scalar(grep { s/^\w+ //r =~ /$pattern/ } keys %shown_lines),
           "to watch: $pattern");
    }
};

# variables

subtest 'variables' => sub {
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
            /(?:result, |,\s+)"([A-Z_]{5,}|TEST)"/g
        } map { @$_ } @code{qw(webhook queue send)};
    my ($result) = $section =~ /^(\| `\$ilert_result` .*)/m;

    is_deeply([ sort $result =~ /`([A-Z_]+)`/g ], [ sort keys %results ],
              'values of $ilert_result');
};


# Queries -----------------------------------------------------------------

subtest 'queries of operations.md' => sub {
    plan(skip_all => 'no program sqlite3')
        unless grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    plan(skip_all => 'an nginx without threads')
        unless IlertTest::has_threads();

    my ($source, $events, $alerts, $age, $open, $budgets, $dead, @discard)
        = $operations =~ /^```sql\n(.*?)^```$/gms;
    is(scalar @discard, 3, 'three of them discard');

    my $q = IlertQueue->new(sources => { ops => 'rate 50r/m;', old => '' });
    $q->start;

    $q->post('open', 'CRITICAL');
    $q->drained;

    $q->fake->rule(status => 400, times => 1);
    $q->post('bad', 'CRITICAL');
    wait_until(sub { $q->dead }, 10, 'a dead letter');

    $q->fake->refuse(all => 1);
    my @ids = map { $q->post(@$_)->{json}{event} }
              ['a', 'CRITICAL'], ['a', 'OK'],
              ['b', 'CRITICAL', source => 'old'];
    $q->test->wait_log(qr/not delivered/);

    my $time = qr/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

    my @rows = $q->sql($source);
    is_deeply([ map { "@$_[0, 1]" } @rows ], [ 'old 1', 'ops 2' ],
              'how much waits');
    like($rows[0][2], $time, 'and since when');

    @rows = $q->sql($events);
    is_deeply([ map { "@$_[1 .. 5]" } @rows ],
              [ "$ids[0] ops a 1 3", "$ids[1] ops a 2 0",
                "$ids[2] old b 1 3" ], 'what waits');

    ok(wait_until(sub {
        grep { "@$_[0 .. 2]" eq 'ops a 2' && $_->[3] =~ $time }
             $q->sql($alerts)
    }, 10), 'what waits for its next try');

    like(($q->sql($age))[0][0], qr/^\d+$/, 'the age');

    @rows = $q->sql($open);
    is_deeply([ map { "@$_[0 .. 2]" } @rows ], [ 'ops open 3' ],
              'what is open');
    like($rows[0][3], $time, 'and since when');

    # the request of a try counts until it has been refused

    ok(wait_until(sub { join(' ', map { $_->[1] } $q->sql($budgets)) eq '2' },
                  60, 'the budget without a try'), 'requests that count');

    my ($letter) = $q->dead;
    $dead =~ s/= \d+;/= $letter->{id};/;
    @rows = $q->sql($dead);
    like("@{$rows[0]}[0 .. 4]",
         qr/^$letter->{id} ops bad 400 ilert answered 400/, 'dead letters');
    like($rows[1][0], qr/^\{"eventType":"ALERT"/, 'what was sent');

    my ($seq) = map { $_->[0] } grep { $_->[1] eq $ids[1] } $q->sql($events);
    $discard[0] =~ s/= \d+;/= $seq;/;
    $discard[2] =~ s/= \d+;/= $letter->{id};/;
    $q->sql($_) for @discard;

    is_deeply([ $q->dead, map { "@$_[0, 1]" } $q->sql($source) ],
              [ 'ops 1' ], 'all is discarded but one');
    is($q->value('SELECT dead_bytes FROM total'), 0, 'the sum');

    $q->change(sources => { ops => 'rate 50r/m;' })->reload;
    $q->fake->reset;
    $q->fake->accept;
    ok($q->drained, 'what was left is delivered');
    is_deeply([ map { "$_->{alert_key} $_->{type}" } $q->fake->events ],
              [ 'a ALERT' ], 'and nothing else');
    is($q->test->log_since(0) =~ /source "old" wait/ ? 1 : 0, 0,
       'nothing is left of the old source');
};


# The pages ---------------------------------------------------------------

subtest 'versions and targets' => sub {
    my ($version) = $text{"${CODE}_conf.h"}
                    =~ /NGX_HTTP_ILERT_VERSION\s+"([\d.]+)"/;

    like($text{CHANGES},
         qr/\A\nChanges with ngx_http_ilert_module \Q$version\E\b/,
         'the version in CHANGES');
    like($text{'README.md'}, qr/^Version \Q$version\E /m,
         'the version in README.md');
    like($reference, qr/^The `ngx_http_ilert_module` module \(\Q$version\E\)/m,
         'the version in the reference');
    is($agent, "ngx_http_ilert_module/$version", 'and in the user agent');

    my %target = map { $_ => 1 } map { split ' ' }
                 $text{Makefile} =~ /^\.PHONY: (.*)/mg;

    # a line of commands, and not one of a text that begins with the word

    my $make = qr/make (?:[A-Z_]+=[^\s`]+ )?([a-z]+)/;

    for my $page (@pages) {
        is_deeply([ grep { defined && !$target{$_} } $text{$page}
                    =~ /(?:`|^ {4,})$make|^$make(?= *(?:#|$|[A-Z]+=))/gm ],
                  [], "targets that $page names");
    }
};

# What "make" and "make NGINX_SRC=DIR" need is known by tools/setup.

subtest 'packages of README.md' => sub {
    my $setup = text('tools/setup');
    my %functions = $setup =~ /^(\w+)\(\) \{\n(.*?)^\}/gms;
    my @needed = map { /^ +(?:command_of|header_of) \S+ (\S+)$/gm }
                 @functions{qw(compiler libraries)};

    my @with = ([ 'the quick start', (IlertReadme::steps('make'))[0],
                  qw(nginx nginx-dev ca-certificates curl) ]);

    for my $heading ("nginx.org's packages", 'Any other nginx') {
        push @with, [ $heading, section($text{'README.md'}, "## $heading") ];
    }

    cmp_ok(scalar @needed, '>', 5, 'packages that are needed');

    for (@with) {
        my ($where, $commands, @more) = @$_;
        my ($line) = $commands =~ /^apt-get install (.*?[^\\])$/ms;
        my %there = map { $_ => 1 } split /[\s\\]+/, $line;

        ok($there{$_}, "$where has $_") for @needed, @more;
    }
};

# the anchors of a page, as GitHub makes them

sub anchors {
    my ($page) = @_;
    my %anchors;

    for ($text{$page} =~ s/^```.*?^```$//gmsr =~ /^#+ (.*)/gm) {
        $anchors{lc s/[^\w -]//gr =~ tr/ /-/r} = 1;
    }

    return \%anchors;
}

subtest 'links and lines' => sub {
    for my $page (@pages) {
        my @broken;

        for my $link ($text{$page} =~ /\]\(([^()\s]+)\)/g) {
            next if $link =~ /^https:/;

            my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
            my $target = $path eq '' ? $page
                       : $page =~ m{^(.*/)} ? "$1$path" : $path;

            $target =~ s{^docs/\.\./}{};

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
};

done();
