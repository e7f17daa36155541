#!/usr/bin/perl

# Every file in docs/examples/ as it is, but for addresses, ports, and the
# place of its files: what Kapacitor has really sent goes in, ilert over TLS
# under its own name gets what the comments of the example promise.

use warnings;
use strict;

use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertConnect;
use IlertDNS;
use IlertFake;
use IlertKapacitor;
use IlertReadme;
use IlertShim;
use IlertTest qw(done wait_until webhook_request);

plan(skip_all => 'no IO::Socket::SSL') unless IlertFake::have_tls;
plan(skip_all => 'an nginx without threads') unless IlertTest::has_threads();

my %KEY = (
    ops => 'il1api5ec4e7d001',
    web => 'il1api5ec4e7d002',
    dba => 'il1api5ec4e7d003',
    native => 'il1kap5ec4e7d004',
    heartbeat => 'il1hbt5ec4e7d005',
);

my %NAME = reverse %KEY;

my $certificates = IlertFake::certificates(tempdir(CLEANUP => 1),
    hosts => [ 'api.ilert.com', 'beat.ilert.com', '127.0.0.1' ]);

my $dns = IlertDNS->start(names => { 'api.ilert.com' => '127.0.0.1',
                                     'beat.ilert.com' => '127.0.0.1' });

my $fake = IlertFake->start(tls => $certificates,
    keys => { map { $_ => /kap/ ? 'kapacitor' : /hbt/ ? 'heartbeat' : 'api' }
                  values %KEY });

my %drive = (
    minimal => \&minimal, sandbox => \&sandbox, teams => \&teams,
    grouping => \&grouping, levels => \&levels, chronograf => \&chronograf,
    case => \&case, pair => \&pair, ingest => \&ingest,
    keepalive => \&keepalive, resolve => \&resolve, storm => \&storm,
    status => \&status, proxy => \&proxy, traps => \&traps,
    maintenance => \&maintenance, grafana => \&grafana,
    reconcile => \&reconcile, fallback => \&fallback, events => \&events,
);

my @examples = map { basename($_, '.conf') }
               glob dirname($FindBin::Bin) . '/docs/examples/*.conf';

is_deeply([ sort keys %drive ], [ sort @examples ], 'each example is tested');

for my $example (sort keys %drive) {
    subtest $example => sub {
        $fake->reset;
        $drive{$example}->();
        is_deeply([ map { $_->{fault} } $fake->errors ], [],
                  'no fault of a request');
    };
}

done();


# nginx with the example; %opt: listen => its address, files => { name =>
# text } of /etc/nginx, and further replacements; one that is undef is none.

my $t;

sub start {
    my ($example, %opt) = @_;

    my $listen = delete $opt{listen} // '127.0.0.1:8080';
    my %files = %{delete $opt{files} // { 'ilert/ops.key' => $KEY{ops} }};

    $t = IlertTest->new(example => $example, fake => $fake, workers => 1,
        files => { map { $_ => "$files{$_}\n" } keys %files },
        replace => {
            replacements($listen, %opt)
        })->start;
}

sub replacements {
    my ($listen, %opt) = @_;

    my %replace = (
        $listen => '127.0.0.1:%%PORT_0%%',
        '/etc/nginx' => '%%DIR%%',
        '/var/lib/nginx' => '%%DIR%%',
        '127.0.0.53' => $dns->address,
        'api.ilert.com/' => 'api.ilert.com:' . $fake->port . '/',
        '/etc/ssl/certs/ca-certificates.crt' => $certificates->{ca_file},
        %opt,
    );

    return map { $_ => $replace{$_} } grep { defined $replace{$_} }
           keys %replace;
}

# A capture, at another time whenever it is used

sub webhook { return IlertTest::later(IlertTest::webhook(@_)) }

# Posts a capture, or a body; returns what ilert got of it.  The webhook must
# be accepted, and is sent once.

sub posted {
    my ($uri, $webhook, %opt) = @_;

    my $n = $fake->requests + 1 + !!delete $opt{reopens};
    my $body = $webhook =~ /^\{/ ? $webhook : webhook($webhook);
    my $answer = $t->post($uri, $body, %opt);

    $fake->wait_requests($n);

    ok($answer->{status} == 202 && $answer->{json}{status} eq 'accepted'
       && $fake->requests == $n, "$uri is sent")
        or diag($answer->{raw});

    return $fake->request(-1);
}

sub not_sent {
    my ($status, $uri, $webhook, %opt) = @_;

    my $n = $fake->requests;
    my $answer = $t->post($uri, $webhook =~ /^\{/ ? $webhook
                                                  : webhook($webhook), %opt);

    is($answer->{json}{status} // $answer->{status}, $status,
       "$uri is $status");
    is($fake->requests, $n, 'nothing is sent');
}

# "source: alert key: state", for each alert that ilert shows, sorted

sub shown {
    my $alerts = $fake->alerts;
    my @shown;

    for my $key (keys %$alerts) {
        push @shown, map { "$NAME{$key}: $_: $alerts->{$key}{$_}{state}" }
                     keys %{$alerts->{$key}};
    }

    return join '; ', sort @shown;
}

sub tagged {
    my ($name, $tag, $value) = @_;
    return webhook($name) =~ s/"tags":\{/"tags":{"$tag":"$value",/r;
}


# The examples ------------------------------------------------------------

# This one is set up as README.md says, in the layout of Debian.

sub layout { return <<'CONF' }
include %%DIR%%/modules-enabled/*.conf;

events {
    worker_connections 768;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    access_log %%DIR%%/access.log;
    gzip on;
    include %%DIR%%/conf.d/*.conf;
}
CONF

# Runs a step; returns what it printed.  %path: what is elsewhere here

sub step {
    my ($command, $input, %path) = @_;

    my $from = join '|', map { quotemeta } sort { length $b <=> length $a }
                         keys %path;
    $command =~ s/($from)/$path{$1}/g;

    my $dir = $t->dir;
    $t->write_file('input', $input);
    my $output = `cd '$dir' && { $command } <input 2>&1`;
    is($?, 0, 'a step of README.md') or diag("$command\n$output");
    return $output;
}

sub minimal {
    my $load = "echo 'load_module modules/ngx_http_ilert_module.so;' "
               . ">/etc/nginx/modules-enabled/50-mod-http-ilert.conf\n";
    my ($install, $key, $conf, $reload, $try, $look, $over)
        = IlertReadme::steps('make');

    $t = IlertTest->new(full => 1, conf => layout(), module => 0,
                        fake => $fake, workers => 1);
    my $dir = $t->dir;
    my %path = ('/etc/nginx' => $dir, '/etc/resolv.conf' => 'resolv.conf',
                '/usr/lib/nginx' => "$dir/lib",
                '/var/lib/nginx' => "$dir/var",
                '127.0.0.1:8080' => '127.0.0.1:' . $t->port(0),
                'service nginx' => 'echo service nginx',
                'modules/ngx_http_ilert_module.so' => $ENV{ILERT_MODULE}
                    // IlertTest::top() . '/build/ngx_http_ilert_module.so');

    mkdir "$dir/$_" for 'modules-enabled', 'conf.d', 'var';
    like($install =~ s/\s*\\\n\s*/ /gr, qr/^\Q$load\E/m,
         'the module is loaded');
    step($load, '', %path) if $path{'modules/ngx_http_ilert_module.so'} ne '';

    step($key, "$KEY{ops}\n", %path);
    is(sprintf('%04o', (stat "$dir/$_->[0]")[2] & 07777), $_->[1],
       "the mode of $_->[0]") for ['ilert', '0700'], ['ilert/ops.key', '0600'];

    $t->write_file('resolv.conf', <<'END');
# nameserver 192.0.2.9
search example.com
nameserver 192.0.2.1
nameserver fe80::1%eth0
nameserver 2001:db8::1
options edns0
END
    step($conf, '', %path);

    # what is elsewhere here has its place, and the name server is ours

    my $text = $t->read_file('conf.d/ilert.conf');
    $text =~ s/^( *resolver) (.*);$/"$1 " . $dns->address . ';'/me
        or die "no resolver\n";
    is($2, '192.0.2.1 [2001:db8::1]', 'the name servers of the machine');

    my $ilert = 'api.ilert.com:' . $fake->port . '/';
    $text =~ s{api\.ilert\.com/}{$ilert};
    $text =~ s{/etc/ssl/certs/ca-certificates\.crt}{$certificates->{ca_file}};
    $t->write_file('conf.d/ilert.conf', $text);

    my ($code, $output) = $t->test_conf(layout());
    ok($code == 0 && $output !~ /\[\w+\]/, 'nginx -t') or diag($output);
    is($reload, "nginx -t && service nginx reload\n", 'and a reload');
    $t->start;

    tried($try, $look, $over, %path);
    in_order();

    $t->stop;
    step(IlertReadme::undo('make'), '', %path);
    is_deeply([ grep { -e } "$dir/ilert",
                glob "$dir/{conf.d,modules-enabled,var}/*" ], [],
              'nothing is left of it');
}

# the requests of README.md, by curl if there is one

sub tried {
    my ($try, $look, $over, %path) = @_;

    SKIP: {
        skip('no curl', 1) if system('command -v curl >/dev/null');

        my ($n, $sent) = (scalar $fake->requests, 0);

        my $curl = sub { step($_[0] =~ s/curl/curl -sS/r, '', %path) };
        my $sent_on = sub {
            like($curl->($_[0]),
                 qr/^\{"status":"accepted","event":"[1-9]\d*"\}/,
                 'the answer');
            $fake->wait_requests($n + ++$sent);
        };

        $sent_on->($try);

        my $request = $fake->request(-1);
        is($request->{json}{summary}, 'This is a test', 'what ilert shows');
        is($request->{sni}, 'api.ilert.com', 'the name of the server, in TLS');
        is(shown(), 'ops: try: open', 'an alert');

        ok(wait_until(sub {
            my $answer = $curl->($look);
            $answer =~ /"shows":"open"/ && $answer =~ /"waiting":0/
        }, 30, 'the alert on the page'), 'and on the page');

        $sent_on->($over);
        is(shown(), 'ops: try: resolved', 'and its end');
    }
}

sub in_order {
    my $critical = webhook('01-levels-04-CRITICAL');

    $fake->reset;

    posted('/kapacitor', $critical);
    posted('/kapacitor', '01-levels-06-OK');
    is(shown(), 'ops: cpu:host=web01: resolved', 'CRITICAL and OK');

    not_sent('test', '/kapacitor', '37-service-test-01-OK');
    not_sent(404, '/kapacitor/', $critical);
    not_sent(404, '/ilert/events', $critical);

    $fake->reset;

    posted('/kapacitor', '01-levels-04-CRITICAL');

    $fake->refuse(all => 1);
    is($t->post('/kapacitor', webhook('01-levels-06-OK'))->{status}, 202,
       'no ilert');
    ok($t->wait_log(qr/not delivered/), 'a try');

    $fake->accept;
    ok($fake->wait_events(2), 'ilert is back');
    is_deeply([ map { $_->{type} } $fake->events ], [ 'ALERT', 'RESOLVE' ],
              'all is delivered, in order');
}


sub keepalive {
    my $ilert = '127.0.0.1:' . $fake->port;

    start('keepalive', 'api.ilert.com/' => undef, '127.0.0.53' => undef,
          'server api.ilert.com:443;' => "server $ilert;");

    kept_open();
}


# ilert is down for ten minutes

sub fallback {
    my $shim = IlertShim->new or plan(skip_all => 'no compiler');
    my $chat = IlertFake->start(keys => { none => 'api' });
    my $url = 'http://' . $chat->address . '/services/T000/B000/XXXX';

    $chat->rule(status => 200);

    $t = IlertTest->new(example => 'fallback', fake => $fake, workers => 1,
        env => $shim->env,
        files => { 'ilert/ops.key' => "$KEY{ops}\n",
                   'ilert/chat.conf' => "proxy_pass $url;\n" },
        replace => { replacements('127.0.0.1:8080') })->start;

    posted('/kapacitor', '01-levels-04-CRITICAL');
    posted('/kapacitor', '01-levels-06-OK');

    $fake->rule(status => 503);
    is($t->post('/kapacitor', webhook('01-levels-04-CRITICAL'))->{status},
       202, 'accepted');

    $shim->pass(590);
    kill 'ALRM', $t->workers;
    $fake->wait_requests(5);
    is($chat->counts->{requests}, 0, 'not told yet');

    ok(wait_until(sub {
        $shim->pass(10);
        kill 'ALRM', $t->workers;
        return $chat->counts->{requests};
    }, 5), 'told');
    like($chat->request(0)->{body}, qr/^\{"text": "nginx on \S+: 1 alert (?#
        )has waited for ilert for more than 10 min/, 'the body');
}


# the address changes while nginx runs

sub resolve {
    plan(skip_all => 'an nginx before 1.27.3')
        if sprintf('%d%03d%03d', split /\./, IlertTest::nginx_version())
           < 1027003;

    my $port = $fake->port;

    $dns->set('api.ilert.com', '127.0.0.2');
    start('resolve', 'api.ilert.com/' => undef,
          'api.ilert.com:443' => "api.ilert.com:$port");

    my $n = $fake->requests;
    is($t->post('/kapacitor', webhook('01-levels-04-CRITICAL'))->{status},
       202, 'accepted');
    ok($t->wait_log(qr/127\.0\.0\.2:$port/), 'the first address is tried');

    $dns->set('api.ilert.com', '127.0.0.1');
    ok($fake->wait_requests($n + 1), 'and the second one');
    posted('/kapacitor', '01-levels-06-OK');

    $fake->reset;
    kept_open();
}


sub kept_open {
    my @requests = map { posted('/kapacitor', "01-levels-$_") }
                   '04-CRITICAL', '05-WARNING', '06-OK';

    for my $request (@requests) {
        is($request->{uri}, '/api/events', 'the path');
        is($request->{sni}, 'api.ilert.com', 'the name, in TLS');
        is($request->{header}{host}, 'api.ilert.com', 'and in the request');
        is($request->{connection}, $requests[0]{connection},
           'the connection is the same');
    }

    is(shown(), 'ops: cpu:host=web01: resolved', 'the end');
}


# the fake ilert of "make run" speaks no TLS

sub sandbox {
    my $key = 'il1api0123456789abcdef';
    my $plain = IlertFake->start(keys => { $key => 'api' });

    $t = IlertTest->new(example => 'sandbox', fake => $plain,
        replace => {
            '127.0.0.1:18080' => '127.0.0.1:%%PORT_0%%',
            '127.0.0.1:18081' => '%%FAKE%%',
            ' access.log ' => ' %%DIR%%/access.log ',
        })->start;

    for (['04-CRITICAL', 'open'], ['08-OK', 'resolved']) {
        my ($name, $state) = @$_;

        my $n = $plain->events;
        is($t->post('/kapacitor', webhook("01-levels-$name"))->{status}, 202,
           $name);
        $plain->wait_events($n + 1);
        is($plain->alerts->{$key}{'cpu:host=web01'}{state}, $state, $state);
    }

    like($t->get('/dashboard')->{body}, qr{data-control="/control/"},
         'the dashboard');
    is($t->get('/dashboard?json')->{json}{sources}{ops}{accepted}, 2,
       'and its numbers');

    my $source = '/control/sources/ops';
    is_deeply($t->post("$source/$_", '')->{json},
              { status => 'ok', count => 1 }, $_) for 'pause', 'resume';

    is_deeply([ $plain->errors ], [], 'no fault of a request');
    like($t->access_log, qr/"result":"ACCEPTED".*"key":"cpu:host=web01"/,
         'the log that "make run" reads');
}


sub teams {
    start('teams', files => {
        map { ("ilert/$_.key" => $KEY{$_}) } qw(ops web dba)
    });

    for (['web', 'web'], ['database', 'dba'], ['DataBase', 'dba'],
         ['unknown', 'ops'])
    {
        my ($team, $source) = @$_;

        $fake->reset;

        my $event = posted('/kapacitor',
            tagged('01-levels-04-CRITICAL', team => $team))->{json};
        is_deeply($event->{labels}, { team => $team }, 'the label');
        is(shown(), "$source: cpu:host=web01: open", "team $team");

        posted('/kapacitor', tagged('01-levels-06-OK', team => $team));
        is(shown(), "$source: cpu:host=web01: resolved", "and its OK");
    }

    $fake->reset;
    my $event = posted('/kapacitor', '15-topic-post-02-CRITICAL')->{json};
    is($event->{labels}, undef, 'no label');
    is(shown(), 'ops: topic/web02: open', 'no team');

    not_sent('ignored', '/kapacitor',
             tagged('01-levels-04-CRITICAL', team => 'test'));
}


sub grouping {
    start('grouping');

    # two alerts on one host

    posted('/kapacitor/host', $_)
        for '01-levels-04-CRITICAL', '17-endpoint-01-CRITICAL';
    is(shown(), 'ops: web01: open', 'one alert for a host');

    my $event = posted('/kapacitor/host', '17-endpoint-03-OK')->{json};
    is($event->{eventType}, 'COMMENT', 'an OK comments');
    is_deeply($event->{comments}, [ { creator => 'Kapacitor',
                                      content => 'ep:host=web01 is OK' } ],
              'what the comment says');

    my $alert = $fake->alerts->{$KEY{ops}}{web01};
    is_deeply($alert->{log}, [ qw(ALERT ALERT COMMENT) ],
              'events of the alert');
    is("$alert->{opened} $alert->{state}", '1 open',
       'opened once, and open still');

    # one alert on each of two hosts

    $fake->reset;
    posted('/kapacitor/task', $_)
        for '15-topic-post-01-WARNING', '15-topic-post-02-CRITICAL';
    is(shown(), 'ops: t15: open', 'one alert for a task');

    # rules of Chronograf's; "-" may be in names and in values of tags

    for (['CPU high-cluster_id=c1,host=web01', 'cpu high'],
         ['CPU high-nil', 'cpu high'],
         ['e-mail is slow-host=web-01,dc=eu-1', 'e-mail is slow'],
         ['non-nil-nil', 'non-nil'],
         ['Disk', 'disk'], ['e-mail', 'e-mail'])
    {
        my ($id, $key) = @$_;

        $fake->reset;
        posted('/kapacitor/rule',
            webhook('12-chronograf-threshold-01-CRITICAL')
                =~ s/"id":"[^"]*"/"id":"$id"/r);
        is(shown(), "ops: $key: open", "the rule of \"$id\"");
    }

    # what cannot be grouped

    for (['host', '04-fieldtypes-01-CRITICAL', 'types:nil'],
         ['task', '06-details-html-01-CRITICAL', 'html:host=h1'],
         ['rule', '01-levels-04-CRITICAL', 'cpu:host=web01'])
    {
        my ($by, $webhook, $id) = @$_;

        $fake->reset;
        posted("/kapacitor/$by", $webhook);
        is(shown(), "ops: $id: open", "no $by");
    }
}


sub levels {
    start('levels');

    # CRITICAL opens the alert again

    for (['01-INFO'], ['03-WARNING', 'LOW', 3], ['04-CRITICAL', 'HIGH', 1],
         ['05-WARNING', 'LOW', 3], ['02-INFO'], ['06-OK', undef, undef])
    {
        my ($name, @expected) = @$_;

        if (!@expected) {
            not_sent('ignored', '/kapacitor', "01-levels-$name");
            next;
        }

        my $event = posted('/kapacitor', "01-levels-$name",
                           reopens => $name eq '04-CRITICAL')->{json};
        is_deeply([ @$event{qw(priority severity)} ], \@expected, $name);
    }

    is($fake->alerts->{$KEY{ops}}{'cpu:host=web01'}{opened}, 2,
       'WARNING and CRITICAL have opened it');

    is(shown(), 'ops: cpu:host=web01: resolved', 'the end');
}


sub chronograf {
    my $url = 'https://chronograf.example.com/sources/1';
    my $critical = webhook('12-chronograf-threshold-01-CRITICAL');

    my @history = { href => "$url/alerts", text => 'Alert history' };
    my @host = { href => "$url/hosts/web01", text => 'Host web01' };
    my @dashboard = { href => "$url/dashboards/3", text => 'Dashboard' };

    start('chronograf', files => {
        map { ("ilert/$_.key" => $KEY{$_}) } qw(ops dba)
    });

    my $check = sub {
        my ($what, $request, $source, $priority, @links) = @_;

        is($NAME{$request->{key}}, $source, "$what: the source");
        is($request->{json}{priority}, $priority, 'the priority');
        is_deeply($request->{json}{links}, \@links, 'the links');
    };

    $check->('no argument', posted('/kapacitor', $critical), 'ops', undef,
             @host, @history);

    $check->('all of it',
             posted('/kapacitor?source=dba&dashboard=3', $critical,
                    headers => [ 'X-Priority' => 'low' ]),
             'dba', 'LOW', @dashboard, @host, @history);

    $check->('errors',
             posted('/kapacitor?source=dbb&dashboard=3%2F..',
                    $critical =~ s/"id":"[^"]*"/"id":"another"/r,
                    headers => [ 'X-Priority' => 'urgent' ]),
             'ops', undef, @host, @history);

    $check->('a bad host',
             posted('/kapacitor', IlertTest::later($critical)
                                  =~ s/"web01"/"web 01\/..?a=b"/r,
                    headers => [ 'X-Priority' => 'HIGH' ]),
             'ops', 'HIGH', @history);

    $fake->reset;
    posted('/kapacitor?source=dba', IlertTest::later($critical), reopens => 1);
    posted('/kapacitor?source=dba', '12-chronograf-threshold-02-OK');
    is(shown(), 'dba: cpu high-cluster_id=c1,host=web01: resolved',
       'the OK resolves');

    not_sent('ignored', '/kapacitor?source=test', $critical);
    not_sent('test', '/kapacitor?source=dba', '37-service-test-01-OK');
}


sub case {
    start('case');

    my $small = webhook('01-levels-04-CRITICAL');
    my $ok = webhook('01-levels-06-OK');

    posted('/kapacitor', $_) for $small, $small =~ s/=web01"/=WEB01"/r, $ok;
    is_deeply([ sort map { s/ [0-9a-f]{32}//r } split /; /, shown() ],
              [ 'ops: cpu:host=web01: open', 'ops: cpu:host=web01: resolved' ],
              'two ids, two alerts');

    # the tasks t01 and a

    $fake->reset;
    posted('/kapacitor/tasks', $_) for $small, '52-v1.4.1-levels-02-CRITICAL',
                                       '52-v1.4.1-levels-05-OK';
    is(shown(), 'ops: a cpu:host=web01: resolved; '
       . 'ops: t01 cpu:host=web01: open', 'two tasks, two alerts');

    $fake->reset;
    my $request = posted('/kapacitor/tasks', '06-details-html-01-CRITICAL');
    is($request->{alert_key}, ' html:host=h1', 'a task that is not known');
    is(shown(), 'ops: html:host=h1: open', 'ilert removes the space');
}


sub pair {
    start('pair');

    my %body = map { $_ => webhook("01-levels-$_") } qw(04-CRITICAL 06-OK);

    my $from = sub {
        my ($server, $name) = @_;
        return $body{$name} =~ s/(Hostname\S+?)localhost/$1$server/r;
    };

    my @labels;

    for (['04-CRITICAL', 'kap1', 'kap2'], ['06-OK', 'kap2', 'kap1']) {
        my ($name, $first, $second) = @$_;

        push @labels, posted('/kapacitor/pair', $from->($first, $name))
                      ->{json}{labels}{node};
        not_sent('ignored', '/kapacitor/pair', $from->($second, $name));
    }

    is("@labels", 'kap1 kap2', 'the node is named');

    my $alert = $fake->alerts->{$KEY{ops}}{'cpu:host=web01'};
    is("$alert->{opened} $alert->{state}", '1 resolved',
       'a pair: one alert, resolved');
    is_deeply($alert->{log}, [ qw(ALERT RESOLVE) ], 'by the first OK');

    is(posted('/kapacitor/pair', '06-details-html-01-CRITICAL')
           ->{json}{labels}{node}, '127.0.0.1', 'a node that is not known');

    $fake->reset;
    my $event = posted('/kapacitor/sites', $from->('east', '04-CRITICAL'))
                ->{json};
    is($event->{summary}, 'east: cpu:host=web01 is CRITICAL', 'the summary');

    posted('/kapacitor/sites', $from->('west', $_)) for '04-CRITICAL', '06-OK';
    is(shown(), 'ops: east cpu:host=web01: open; '
       . 'ops: west cpu:host=web01: resolved', 'sites: an alert for each');
}


sub storm {
    start('storm');

    for my $uri ('/kapacitor', '/kapacitor/points') {
        $fake->reset;

        posted($uri, '01-levels-04-CRITICAL');
        not_sent('accepted', $uri, '01-levels-04-CRITICAL');
        posted($uri, '01-levels-05-WARNING');
        posted($uri, '01-levels-06-OK');
        not_sent('accepted', $uri, '01-levels-06-OK');

        is(shown(), 'ops: cpu:host=web01: resolved', "$uri: the end");
    }

    # what began and ended while it waited

    $fake->reset;
    $fake->refuse(all => 1);

    my $other = webhook('01-levels-04-CRITICAL') =~ s/=web01"/=web02"/r;

    $t->post('/kapacitor', $other);
    ok($t->wait_log(qr/not delivered/), 'a try');

    not_sent('accepted', '/kapacitor', $other =~ s/CRITICAL/OK/gr);

    $fake->accept;
    posted('/kapacitor', '01-levels-04-CRITICAL');
    is(shown(), 'ops: cpu:host=web01: open', 'costs no request');
}


# Three Kapacitors: the second and the third one are in the comments.

sub reconcile {
    my ($one, $two, $site) = map { IlertKapacitor->start } 1 .. 3;
    my $topic = 'main:cpu:alert2';

    $t = IlertTest->new(full => 1, fake => $fake, workers => 1,
        conf => IlertTest::slurp(IlertTest::top()
                                 . '/docs/examples/reconcile.conf')
                =~ s/^( +)#(?=location|\}| {4}\w|$)/$1/gmr,
        files => { 'ilert/ops.key' => "$KEY{ops}\n" },
        replace => {
            replacements('127.0.0.1:8080', 'interval=60s' => 'interval=1s',
                         '127.0.0.1:9092' => $one->address,
                         '192.0.2.12:9092' => $two->address,
                         '192.0.2.13:9092' => $site->address)
        })->start;

    my $url = 'http://127.0.0.1:' . $t->port(0);
    $_->topic($topic, post => "$url/kapacitor") for $one, $two;
    $site->topic($topic, post => "$url/kapacitor/site");

    my $set = sub {
        my ($id, $level, %opt) = @_;
        my $ns = $one->set($topic, $id, $level, %opt)->{ns};
        $_->set($topic, $id, $level, %opt, ns => $ns) for $two, $site;
    };

    $set->('web01', 'CRITICAL');
    $set->('web02', 'CRITICAL');
    ok(wait_until(sub { shown() eq 'ops: site: web01: open; '
        . 'ops: site: web02: open; ops: web01: open; ops: web02: open' }),
       'what is posted');

    # nothing of this is posted

    $set->('web01', 'OK', lose => 1);
    $set->('web03', 'CRITICAL', lose => 1);
    ok(wait_until(sub { shown() eq 'ops: site: web01: resolved; '
        . 'ops: site: web02: open; ops: site: web03: open; '
        . 'ops: web01: resolved; ops: web02: open; ops: web03: open' }),
       'what is lost') or diag(shown());

    my ($event) = grep { $_->{alert_key} eq 'web03' } $fake->requests;
    is($event->{json}{customDetails}{reconciled}, JSON::PP::true,
       'it says how it came');
    is($fake->alerts->{$KEY{ops}}{web03}{opened}, 1,
       'once for both of a pair');
}


sub status {
    start('status',
        files => {
            'ilert/ops.key' => $KEY{ops},
            'ilert/heartbeat.key' => $KEY{heartbeat},
        },
        '/var/log/nginx' => '%%DIR%%',
        '127.0.0.1:8081' => '127.0.0.1:%%PORT_1%%',
        'beat.ilert.com/' => 'beat.ilert.com:' . $fake->port . '/');

    my %to = (port => $t->port(1));

    # a webhook, and what is said of it

    my $answer = $t->post('/kapacitor', webhook('01-levels-04-CRITICAL'));
    my $id = $answer->{json}{event};
    my $events = sub {
        grep { $_->{key} eq $KEY{ops} } $fake->requests;
    };

    ok(wait_until(sub { $events->() == 1 }), 'it is sent');

    my ($line) = grep { /"event":"$id"/ }
                      split /\n/, $t->read_file('kapacitor.log');
    my $log = JSON::PP->new->utf8->decode($line // '{}');
    is_deeply([ @$log{qw(status result source type key id level previous
                         task)} ],
              [ 202, 'ACCEPTED', 'ops', 'ALERT', 'cpu:host=web01',
                'cpu:host=web01', 'CRITICAL', 'WARNING', 't01' ],
              'the log of webhooks');

    my $delivered = qr/ilert\ event\ $id\ delivered:\ .*
                       correlation-id\ "(\S+)"/x;
    ok($t->wait_log($delivered), 'the line of its delivery');

    my $alert = sub {
        return $t->get('/status?source=ops&alert_key=cpu%3Ahost%3Dweb01',
                       %to)->{json};
    };

    ok(wait_until(sub { $alert->()->{shows} eq 'open' }), 'it got out');

    # each location

    my $status = $t->get('/status', %to);
    is($status->{json}{queue}{state}, 'ok', 'the status');
    is($status->{json}{sources}{ops}{delivered}, 1, 'and its numbers');

    like($t->get('/metrics', %to)->{body},
         qr/^ilert_events_delivered_total\{source="ops"\} 1$/m, 'metrics');

    my $page = $t->get('/dashboard', %to);
    like($page->{header}{'content-type'}, qr{^text/html\b}, 'the page');
    like($page->{body}, qr{data-control="/control/"}, 'which has buttons');

    for my $action ('pause', 'resume') {
        my $answer = $t->post("/control/sources/ops/$action", '', %to);
        is_deeply($answer->{json}, { status => 'ok', count => 1 }, $action);
    }

    is($t->get($_)->{status}, 200, $_) for '/ready', '/ready?source=ops';
    is_deeply($t->get('/ready')->{json}, { status => 'ready' },
              'nothing else is shown there');
    is($t->get($_)->{status}, 404, "$_ is not to be had")
        for '/status', '/heartbeat/x', '/ilert/events';

    # the heartbeat

    my $ping;
    ok(wait_until(sub {
        ($ping) = grep { $_->{uri} eq "/api/pings/$KEY{heartbeat}" }
                       $fake->requests;
    }), 'the heartbeat');
    is($ping->{sni}, 'beat.ilert.com', 'its name, in TLS');
    is($ping->{method}, 'GET', 'its method');
}


sub ingest {
    my %file = map { $_ => IlertTest::slurp($certificates->{$_}) }
               qw(cert_file key_file);

    # from "openssl passwd -apr1", of the password in the captures

    start('ingest', listen => '8443', files => {
        'ilert/ops.key' => $KEY{ops},
        'kapacitor.users' => 'kap:$apr1$BBcHhf9a$ElTP2fRtsNw4wgydlEjHb1',
        'tls/nginx.example.com.crt' => $file{cert_file},
        'tls/nginx.example.com.key' => $file{key_file},
    });

    my $name = '24-auth-headers-01-CRITICAL';
    my ($user) = webhook_request($name) =~ /^Authorization: (.*?)\r$/m;
    my %tls = (tls => { SSL_ca_file => $certificates->{ca_file} });

    not_sent(400, '/kapacitor', $name);
    not_sent(401, '/kapacitor', $name, %tls);
    not_sent(401, '/kapacitor', $name, %tls, headers => [
        Authorization => 'Basic ' . encode_base64('kap:wrong', '') ]);
    not_sent(404, '/ilert/events', $name, %tls,
             headers => [ Authorization => $user ]);

    my $request = posted('/kapacitor', $name, %tls,
                         headers => [ Authorization => $user ]);
    is($request->{header}{authorization}, undef,
       'the password stays here');
    is(shown(), 'ops: ep:host=web01: open', 'the alert opens');
}


sub events {
    start('events', 'beat.ilert.com/' => 'beat.ilert.com:' . $fake->port . '/',
          files => { map { ("ilert/$_.key" => $KEY{$_}) } qw(ops web) });

    my $event = '{"eventType":"%s","alertKey":"backup","summary":"Backup"%s}';

    posted('/cron', sprintf $event, 'ALERT', '');
    is(shown(), 'ops: backup: open', 'a cron job');
    posted('/cron', sprintf $event, 'RESOLVE', '');
    is(shown(), 'ops: backup: resolved', 'and its end');

    $fake->reset;
    posted('/api/events', sprintf $event, 'ALERT',
           qq(,"integrationKey":"$KEY{web}"));
    is(shown(), 'web: backup: open', 'what has posted to ilert');
    not_sent('rejected', '/api/events', sprintf $event, 'ALERT', '');

    posted('/kapacitor', '01-levels-04-CRITICAL');
    is(shown(), 'ops: cpu:host=web01: open; web: backup: open',
       'beside Kapacitor');

    is($t->get("/api/heartbeats/$KEY{heartbeat}")->{status}, 202,
       'a heartbeat');
    is($fake->request(-1)->{uri}, "/api/pings/$KEY{heartbeat}", 'its path');
    is($t->get('/api/heartbeats/../events')->{status}, 405, 'only with a key');
}


sub traps {
    start('traps');

    # webhooks of traps, each with the level that the one before had

    my $trap = sub {
        my ($message, $device, $previous) = @_;
        return '{"id":"snmp_traps","message":"' . $message . '","details":"",'
            . '"time":"2026-05-04T03:00:01Z","duration":0,"level":"WARNING",'
            . '"data":{"series":[{"name":"trap","tags":{"source":"' . $device
            . '"},"columns":["time","text"],"values":[["2026-05-04T03:00:01Z",'
            . '"' . $message . '"]]}]},"previousLevel":"' . $previous . '",'
            . '"recoverable":false}';
    };

    my $request = posted('/kapacitor', $trap->('link down', 'sw1', 'OK'));
    is($request->{json}{summary}, 'sw1: link down', 'the summary');
    ok($t->wait_log(qr/delivered: source "traps"/), 'the source');

    posted('/kapacitor', $trap->('power failed', 'sw1', 'WARNING'));
    posted('/kapacitor', $trap->('link down', 'sw2', 'WARNING'));
    not_sent('accepted', '/kapacitor',
             IlertTest::later($trap->('link down', 'sw1', 'WARNING')));

    is(shown(), join('; ', map { "ops: snmp_traps $_: open" }
                           'sw1 link down', 'sw1 power failed',
                           'sw2 link down'), 'each is an alert');

    # other alerts are as ever

    $fake->reset;
    $request = posted('/kapacitor', '01-levels-04-CRITICAL');
    is($request->{json}{summary}, 'cpu:host=web01 is CRITICAL', 'its summary');
    ok($t->wait_log(qr/delivered: source "ops"/), 'the source');
    posted('/kapacitor', '01-levels-06-OK');
    is(shown(), 'ops: cpu:host=web01: resolved', 'CRITICAL and OK');
}


sub grafana {
    start('grafana');

    my $link = sub {
        my ($ms) = @_;
        return [ { text => 'Host web01 at that time',
                   href => "https://grafana.example.com/d/host?time=$ms"
                           . '&time.window=3600000&var-host=web01' } ];
    };

    my $event = sub {
        my ($name, %replace) = @_;
        my $body = webhook("01-levels-$name");

        for (sort keys %replace) {
            $body =~ s/("$_":)(?:"[^"]*"|\d+)/$1$replace{$_}/ or die $_;
        }

        $fake->reset;
        return posted('/kapacitor', $body)->{json};
    };

    my $got = $event->('04-CRITICAL', duration => 330000000000,
                       time => '"2026-03-01T08:15:30.1239Z"');
    is_deeply($got->{links}, $link->('1772352930123'), 'the link');
    is($got->{customDetails}{lasts}, '5m30s', 'how long it lasts');
    like($got->{customDetails}{local_time}, qr/^2026-0[23]-\d\d/, 'when');

    is_deeply($event->('06-OK', time => '"2026-03-01T09:15:30+01:00"')
                  ->{links}, $link->('1772352930000'), 'an OK');
    is($event->('04-CRITICAL', host => '"a b"')->{links}, undef,
       'a host that is none');
    is($event->('05-WARNING', time => '"soon"')->{links}, undef,
       'a time that is none');
}


sub maintenance {
    my $file = 'ilert/maintenance';

    start('maintenance', files => { 'ilert/ops.key' => $KEY{ops},
                                    $file => '' });

    my $other = webhook('01-levels-04-CRITICAL') =~ s/web01/web02/gr;

    posted('/kapacitor', '01-levels-04-CRITICAL');
    $t->write_file($file, "web01  1;\n");
    $t->reload;

    not_sent('ignored', '/kapacitor', "01-levels-$_")
        for '05-WARNING', '04-CRITICAL';
    posted('/kapacitor', $other);
    posted('/kapacitor', '01-levels-06-OK');
    is(shown(), 'ops: cpu:host=web01: resolved; ops: cpu:host=web02: open',
       'an OK ends what was opened before');

    $t->write_file($file, '');
    $t->reload;
    posted('/kapacitor', '01-levels-04-CRITICAL');
    is(shown(), 'ops: cpu:host=web01: open; ops: cpu:host=web02: open',
       'it is over');
}


# The proxy, a command for each connection to it as systemd's, and ilert.

sub proxy {
    plan(skip_all => 'no program ncat')
        if system('command -v ncat >/dev/null');

    my $units = IlertTest::top() . '/docs/examples/ilert-proxy';
    my ($command) = IlertTest::slurp("$units\@.service") =~ s/\\\n *//gr
                    =~ /^ExecStart=(.*)$/m;
    my ($listen) = IlertTest::slurp("$units.socket")
                   =~ /^ListenStream=(.*)$/m;
    my ($variable) = IlertTest::slurp(IlertTest::top()
        . '/docs/examples/proxy.conf') =~ /(NCAT_\w+)=/;

    my $proxy = IlertConnect->proxy(auth => 'nginx:pass word%',
        to => { 'api.ilert.com:443' => $fake->port });
    $command =~ s/proxy\.example\.com:3128/'127.0.0.1:' . $proxy->port/e;
    $command =~ s{^/usr/bin/}{};

    my $unit = IlertConnect->socket(command => [ split / /, $command ],
        env => { $variable => 'nginx:pass word%' }, errors => '/dev/null');

    is($listen, '127.0.0.1:3129', 'the socket of both files');
    my $via = '127.0.0.1:' . $unit->port;

    start('proxy', $listen => $via, '127.0.0.53' => undef,
          'api.ilert.com/' => undef);

    my $request = posted('/kapacitor', '01-levels-04-CRITICAL');
    is($request->{sni}, 'api.ilert.com', 'the name, in TLS');
    is($request->{header}{host}, 'api.ilert.com', 'and in the request');
    is_deeply([ (grep { $_->[1] == 200 } $proxy->asked)[0] ],
              [ [ 'api.ilert.com:443', 200 ] ], 'the proxy looks up the name');
    posted('/kapacitor', '01-levels-06-OK');
    is(shown(), 'ops: cpu:host=web01: resolved', 'the end');

    # the password is another one

    $proxy->auth('nginx:new');
    my $mark = $t->mark;
    is($t->post('/kapacitor', webhook('01-levels-04-CRITICAL'))->{status},
       202, 'is kept');
    ok(wait_until(sub { ($proxy->asked)[-1][1] == 407 }), 'refused');
    ok($t->wait_log(qr/not delivered/, 10, $mark), 'which is logged');

    $unit->env($variable => 'nginx:new');
    ok(wait_until(sub { shown() =~ /web01: open/ }, 30), 'and goes on');

    # somebody takes ilert's place behind the proxy

    my $other = IlertFake->start(keys => { $KEY{ops} => 'api' },
        tls => IlertFake::certificates(tempdir(CLEANUP => 1),
                                       hosts => [ 'api.ilert.com' ]));
    my $wrong = IlertConnect->proxy(
        to => { 'api.ilert.com:443' => $other->port });
    $unit->stop;
    $unit = IlertConnect->socket(errors => '/dev/null',
        command => [ map { s/(127\.0\.0\.1):\d+/"$1:" . $wrong->port/er }
                     split / /, $command ]);

    start('proxy', $listen => '127.0.0.1:' . $unit->port,
          '127.0.0.53' => undef, 'api.ilert.com/' => undef);
    is($t->post('/kapacitor', webhook('01-levels-04-CRITICAL'))->{status},
       202, 'is kept');
    ok(wait_until(sub { $wrong->asked }), 'it is tried');
    ok($t->wait_log(qr/certificate verify error/), 'and not trusted');
    is(scalar $other->requests, 0, 'nobody else gets the key');
}
