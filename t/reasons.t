#!/usr/bin/perl

# Why there is no answer: each reason has words of its own in the answer to
# Kapacitor, the status, and the log, and a code of its own in the metrics.
# The reference has a table of them, which says what to do.

use warnings;
use strict;

use FindBin;
use IO::Socket::INET;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertDNS;
use IlertFake;
use IlertStatus;
use IlertTest;

my $KEY = 'il1api5ec4e7f01';
my $KAP = 'il1kap5ec4e7f02';
my $NAME = 'api.ilert.test';

my $TLS = IlertFake::have_tls();
my $CRITICAL = webhook('01-levels-04-CRITICAL');

my $fake = IlertFake->start(keys => { $KEY => 'api', $KAP => 'kapacitor' });
my $dns = IlertDNS->start(names => { $NAME => '127.0.0.1' });
my $refused = '127.0.0.1:' . IlertFake::free_port();

# takes connections, and says nothing

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128,
    ReuseAddr => 1, LocalPort => IlertFake::free_port()) or die "listen: $@\n";
my $silent = '127.0.0.1:' . $mute->sockport;

# servers of https, in an nginx of its own

my $files = IlertTest->new(conf => '');
my %certificate = !$TLS ? () : map {
    $_->[0] => IlertFake::certificates($files->dir, name => @$_)
} [ 'good' ], [ 'name', hosts => [ 'other.test' ] ], [ 'self', self => 1 ];

my $peer = IlertTest->new(module => 0, workers => 1,
    conf => !$TLS ? '' : join '', map {
        my ($port, $name, $more) = @$_;
        "server { listen 127.0.0.1:%%PORT_$port%% ssl; $more
            ssl_certificate $certificate{$name}{cert_file};
            ssl_certificate_key $certificate{$name}{key_file}; }\n";
    } [ 0, 'self', '' ], [ 1, 'name', 'ssl_protocols TLSv1.2;' ])->start;

my ($SELF, $OTHER) = !$TLS ? ('', '')
                           : map { '127.0.0.1:' . $peer->port($_) } 0, 1;

# A server that wants a certificate, and says so after the handshake; and one
# that closes what comes to the port of https, if we may listen there.

my ($PICKY, $HTTPS) = ('', '');

sub serve {
    my ($listener, $take) = @_;
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;

    while (1) {
        my $client = $listener->accept or next;
        $take->($client);
    }
}

my @children;
END { my $code = $?; kill 'KILL', @children; $? = $code }

if ($TLS) {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 16, LocalPort => IlertFake::free_port()) or die "$@\n";
    $PICKY = '127.0.0.1:' . $listener->sockport;

    push @children, serve($listener, sub {

        # a request that is not read would reset the connection, and nginx
        # might see no more of what was said

        open my $rest, '+<&', $_[0] or die "dup: $!\n";

        IO::Socket::SSL->start_SSL($_[0], SSL_server => 1,
            SSL_cert_file => $certificate{good}{cert_file},
            SSL_key_file => $certificate{good}{key_file},
            SSL_ca_file => $certificate{good}{ca_file},
            SSL_verify_mode => 3, SSL_version => 'TLSv1_3');

        shutdown $rest, 1;
        1 while sysread $rest, my $in, 4096;
    });
}

if (my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.77',
                                         Listen => 16, LocalPort => 443))
{
    $HTTPS = '127.0.0.77:443';
    push @children, serve($listener, sub { sysread $_[0], my $in, 1;
                                           close $_[0] });
}

my $API = 'api/$ilert_path';
my $VERIFY = !$TLS ? '' : 'proxy_ssl_verify on; proxy_ssl_name '
    . "$NAME; proxy_ssl_trusted_certificate $certificate{good}{ca_file};";

# reason => its code, what its text begins or ends with, what is in the
# location, and how the fake behaves

my %REASON = (
    resolver => [ 'resolver', qr/^no "resolver" is set .*\Q$NAME\E$/,
                  "proxy_pass http://$NAME/$API;" ],
    nxdomain => [ 'dns', qr/^no\ address\ of\ ilert\ was\ found:\ none\.test
                    \ could\ not\ be\ resolved\ \(3:\ Host\ not\ found\)$/x,
                  'resolver ' . $dns->address
                  . " ipv6=off; proxy_pass http://none.test/$API;" ],
    no_dns => [ 'dns', qr/^no address .* \(110: Operation timed out\)$/,
                   "resolver $refused ipv6=off; resolver_timeout 300ms; "
                   . "proxy_pass http://$NAME/$API;" ],
    connect_timeout => [ 'connect_timeout', qr/^no connection .* in time$/,
                         "proxy_pass https://$silent/$API; "
                         . 'proxy_connect_timeout 300ms;', tls => 1 ],
    refused => [ 'refused', qr/^the connection to ilert was refused$/,
                 "proxy_pass http://$refused/$API;" ],
    unreachable => [ 'unreachable', qr/^ilert\ cannot\ be\ reached:\ connect
                       \(\)\ .*\ failed\ \(\d+:\ .*\)$/x,
                     "proxy_pass http://240.0.0.1:81/$API; "
                     . 'proxy_bind 127.0.0.1;' ],
    socket => [ 'unreachable', qr/^ilert cannot be .*none\.sock failed \(2: /,
                "proxy_pass http://unix:%%DIR%%/none.sock:/$API;" ],
    all_failed => [ 'no_server', qr/^no server of the upstream is in use, /,
                    "proxy_pass http://failing/$API;", first => 'refused' ],
    verify => [ 'tls_verify', qr/^ilert's certificate is not trusted: \(18:/,
                "proxy_pass https://$SELF/$API; $VERIFY",
                tls => 1 ],
    name => [ 'tls_name', qr/^ilert's\ certificate\ does\ not\ have\ the
                \ name:\ "\Q$NAME\E"$/x,
              "proxy_pass https://$OTHER/$API; $VERIFY",
              tls => 1 ],
    version => [ 'tls', qr/^the\ TLS\ handshake\ with\ ilert\ failed:
                   \ SSL_do_handshake\(\)\ failed\ \(SSL:\ .*\)$/x,
                 "proxy_pass https://$OTHER/$API; "
                 . 'proxy_ssl_protocols TLSv1.3;', tls => 1 ],
    picky => [ 'tls', qr/^the\ TLS\ handshake\ with\ ilert\ failed:
                 \ SSL_read\(\)\ failed\ \(SSL:\ .*certificate\ required/x,
               "proxy_pass https://$PICKY/$API; proxy_ssl_protocols TLSv1.3;",
               tls => 1 ],
    http_port => [ 'http_port', qr/^"proxy_pass" has https, but the port /,
                   "proxy_pass https://127.0.0.1:%%PORT_0%%/$API;", tls => 1 ],
    https_port => [ '400', qr/^ilert\ answered\ 400:\ "proxy_pass"\ has\ http,
                      \ but\ the\ port\ speaks\ TLS$/x,
                    "proxy_pass http://$SELF/$API;", tls => 1 ],
    port_443 => [ 'https_port', qr/^"proxy_pass" has http, but the port /,
                  "proxy_pass http://$HTTPS/$API;" ],
    alert => [ 'https_port', qr/^"proxy_pass" has http, but the port /, '',
               raw => "\x15\x03\x01\0\x02\x02\x46" ],
    go => [ '400', qr/^ilert answered 400: "proxy_pass" has http, but /, '',
            raw => "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP "
            . "request to an HTTPS server.\n" ],
    timeout => [ 'timeout', qr/^ilert did not answer in time$/,
                 "proxy_pass http://%%FAKE%%/$API; proxy_read_timeout 300ms;",
                 hang => 1 ],
    reset => [ 'reset', qr/^the connection to ilert was reset$/, '',
               reset => 'after' ],
    closed => [ 'closed', qr/^the connection .* closed before the answer$/, '',
                close => 'after' ],
    not_http => [ 'not_http', qr/^what answered does not speak HTTP: /, '',
                  raw => "220 mail.test ESMTP\r\n" ],
    scheme => [ 'url', qr/^"proxy_pass"\ has\ no\ valid\ URL:\ invalid\ URL
                  \ prefix\ in\ "ftp/x, 'set $to ftp://x; proxy_pass $to/'
                . '$ilert_path;' ],
    host => [ 'url', qr/^"proxy_pass" has no valid URL: no host in upstream /,
              'set $to ""; proxy_pass http://$to/$ilert_path;' ],
    nginx => [ 'nginx', qr/^nginx answered 404 itself, check the location /,
               'return 404;' ],
);

my @names = sort grep { my (undef, undef, undef, %opt) = @{$REASON{$_}};
                        $TLS || !$opt{tls} }
                 grep { $HTTPS || $_ ne 'port_443' } keys %REASON;

my ($sources, $locations) = ('', '');

for my $name (@names) {
    my $pass = $REASON{$name}[2] || "proxy_pass http://%%FAKE%%/$API;";
    $pass .= ' proxy_pass http://127.0.0.1:9;' if $name eq 'nginx';

    $sources .= "ilert_source $name { integration_key $KEY; endpoint $name; }
        ilert_source native_$name { endpoint $name; webhook_url
            https://api.ilert.com/api/v1/events/kapacitor/$KAP; }\n";
    $locations .= "location /to-$name/ { internal; ilert_endpoint $name; "
                  . "$pass }\n";
}

sub conf {
    my ($more) = @_;
    return <<"CONF";
    $sources
    $more
    upstream failing { server $refused max_fails=1 fail_timeout=60s;
                       server $refused max_fails=1 fail_timeout=60s; }
    map \$uri \$chosen { ~^/to/(?<name>.*)\$ \$name; }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location /to/ { ilert_kapacitor \$chosen; }
        location = /status { ilert_status; }
        location = /metrics { ilert_status prometheus; }
    }

    server { listen 127.0.0.1:%%PORT_1%%; $locations }
CONF
}

my $t = IlertTest->new(fake => $fake, workers => 1, secrets => [ $KEY, $KAP ],
                       conf => conf(''))->start;

sub rule {
    my ($name) = @_;
    my (undef, undef, undef, %rule) = @{$REASON{$name}};

    delete @rule{qw(tls first)};
    $fake->reset;
    $fake->rule(%rule) if %rule;
}

# the counted codes of a source: { code => number }

sub codes {
    my ($test, $source) = @_;
    return { $test->get('/metrics')->{body} =~
             /^ilert_requests_total\{source="$source",code="(\w+)"\} (\d+)$/mg
           };
}

for my $name (@names) {
    my ($code, $text, undef, %opt) = @{$REASON{$name}};

    subtest $name => sub {
        for my $source ($name, "native_$name") {
            rule($name);

            if ($opt{first} && $source eq $name) {
                my $r = $t->post("/to/$source", $CRITICAL);
                is($r->{json}{error}, 'the connection to ilert was refused',
                   'at first');
            }

            my $before = codes($t, $source)->{$code} || 0;
            my $mark = $t->mark;
            my $r = $t->post("/to/$source", $CRITICAL);
            my $status = $code =~ /timeout/ ? 504 : 502;

            is($r->{status}, $status, "$source: status");
            like($r->{json}{error}, $text, 'the error');
            is(codes($t, $source)->{$code}, $before + 1, "code $code")
                or diag explain codes($t, $source);

            my $state = $t->get("/status?source=$source")->{json}{sources}
                          {$source};
            is($state->{last_error}{text}, $r->{json}{error},
               'the same in the status');

            my $line = qr/ilert source "$source": event \d+ not delivered: /;
            ok($t->grep_log(qr/$line\Q$r->{json}{error}\E$/m, $mark),
               'and in the log') unless $opt{first};
        }
    };
}

# With a queue the reason is that of the state.

subtest 'a source that retries' => sub {
    plan(skip_all => 'needs threads') unless IlertTest::has_threads();

    my $q = IlertStatus->new(workers => 2, log_level => 'notice',
        sources => { ops => 'retry 50ms 200ms;',
                     lost => 'retry 50ms 200ms; endpoint lost;' },
        server => "location /lost/ { internal; ilert_endpoint lost; "
            . "proxy_pass http://$NAME/$API; }");

    $q->start;
    $q->fake->refuse(all => 1);

    my %error = (ops => 'the connection to ilert was refused',
                 lost => 'no "resolver" is set to look up the name of ilert: '
                         . "no resolver defined to resolve $NAME");

    for my $source (sort keys %error) {
        my $text = $error{$source};
        $q->post("of $source", 'CRITICAL', source => $source);

        my $s = $q->becomes(sub {
            $_->{sources}{$source}{state} eq 'retrying' }, "$source retries");
        like($s->{sources}{$source}{reason}, qr/^\Q$text\E(?:; |$)/,
             'the reason');
        is($s->{sources}{$source}{last_error}{text}, $text, 'the last error');
        is($s->{sources}{$source}{last_error}{status}, undef, 'no status');
        my $line = qr/ilert source "$source": event \d+ not delivered: /;
        ok($q->test->wait_log(qr/$line\Q$text\E$/m, 3), 'the log');
    }

    $q->fake->accept;
    $q->becomes(sub { $_->{sources}{ops}{state} eq 'ok' }, 'ops is well');
};

# nginx's own lines are read, and need not be written.

subtest 'error_log of the endpoint is off' => sub {
    $t->set_conf(conf('error_log %%DIR%%/none.log emerg;'));
    $t->reload;

    for my $name (@names) {
        my ($code, $text, undef, %opt) = @{$REASON{$name}};
        next if $opt{first};
        rule($name);
        like($t->post("/to/$name", $CRITICAL)->{json}{error}, $text, $name);
    }

    is(-s $t->path('none.log') || 0, 0, 'nothing is written');
};

done();
