#!/usr/bin/perl

# "ilert_control" and the name in the URL: a page of another site whose name
# has our address is refused, by whichever way nginx has come to the server;
# names of the server, IP addresses, and localhost are taken; and what is no
# browser may call it as it likes.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Sys::Hostname qw(hostname);
use Test::More;

use IlertHttp2;
use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $PATH = 'sources/ops/resume';
my $CONTROL = 'location /control/ { ilert_control; }';
my $HTTP2 = IlertTest::has_http2() ? 'http2' : '';
my $NAME = qr/the host in the URL is no "server_name" of this server/;

my $q = IlertStatus->new(http => <<"EOC");
    server {
        listen 127.0.0.1:%%PORT_1%%;
        server_name nginx.example UPPER.Example .wide.example *.wild.example
                    tail.example.* "";
        server_name ~^re-\\d+\\.example\$ ~^CASE\\.example\$ \$hostname;
        $CONTROL
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;
        server_name _;
        $CONTROL
    }

    # several servers of an address, the first one is the default

    server {
        listen 127.0.0.1:%%PORT_3%%;
        server_name first.example *.both.example;
        $CONTROL
    }

    server {
        listen 127.0.0.1:%%PORT_3%%;
        server_name second.example ~^(?<part>\\w+)\\.third\\.example\$;
        $CONTROL
    }

    server {
        listen 127.0.0.1:%%PORT_4%% $HTTP2;
        server_name nginx.example;
        $CONTROL
    }
EOC

my $t = $q->test;
$q->start;

# How browsers say it: to a name without TLS "Sec-Fetch-Site" is not sent.

sub ways {
    my ($host) = @_;

    return ([ Origin => "http://$host" ],
            [ Origin => "http://$host", 'Sec-Fetch-Site' => 'same-origin' ],
            [ 'Sec-Fetch-Site' => 'same-origin' ],
            [ 'Sec-Fetch-Site' => 'none' ]);
}

sub taken {
    my ($port, @hosts) = @_;

    for my $host (@hosts) {
        $q->does($PATH, 0, port => $t->port($port),
                 headers => [ Host => $host, @$_ ]) for ways($host);
    }
}

sub refused {
    my ($port, @hosts) = @_;

    for my $host (@hosts) {
        $q->refused($PATH, 403, $NAME, port => $t->port($port),
                    headers => [ Host => $host, @$_ ]) for ways($host);
    }
}

my @ADDRESSES = ('127.0.0.1', '127.0.0.1:8081', '192.0.2.7', 'localhost',
                 'localhost:8081', 'LOCALHOST', 'localhost.', '[::1]',
                 '[::1]:8081', '[2001:DB8::7]');
my @OTHERS = ('evil.example', 'evil.example:8081', 'EVIL.example.', '_',
              'localhost.evil.example', 'evil-localhost', '127.0.0.1.example',
              '127.0.0.256', '127.1', '[evil]', '[]');

# Newer releases of nginx do not take them as hosts, and answer 400.

my @ODD = ('[::1].evil.example', '[::1');

subtest 'addresses' => sub { taken($_, @ADDRESSES) for 0 .. 3 };

subtest 'names' => sub {
    taken(1, 'nginx.example', 'nginx.example:8081', 'NGINX.Example',
          'nginx.example.', 'nginx.example.:8081', 'upper.example',
          'wide.example', 'a.wide.example', 'a.b.wide.example',
          'a.wild.example', 'a.b.wild.example', 'tail.example.com',
          'tail.example.co.test', 're-42.example', 'RE-42.example',
          'case.example', 'Case.Example', hostname());
    refused(1, @OTHERS, 'a.nginx.example', 'nginx.example.evil.example',
            'xnginx.example', 'xwide.example', 'wide.example.evil.example',
            'wild.example', 'xwild.example', 'tail.example', 'xtail.example.a',
            'a.tail.example.com', 're-.example', 're-42.example.evil.example',
            'evil.re-42.example');
};

subtest 'no name' => sub {
    refused(0, @OTHERS, 'nginx.example');
    refused(2, grep { $_ ne '_' } @OTHERS, 'nginx.example');
};

subtest 'what is no host' => sub {
    for my $port (0 .. 3) {
        for my $host (@ODD) {
            like($q->control($PATH, port => $t->port($port),
                             headers => [ Host => $host, @$_ ])->{status},
                 qr/^40[03]$/, "$host is not taken") for ways($host);
        }
    }
};

subtest 'the name of another server, and the default one' => sub {
    taken(3, 'first.example', 'a.both.example', 'second.example',
          'a.third.example');
    refused(3, @OTHERS, 'both.example', 'third.example', 'a.second.example');
};

subtest 'no browser' => sub {
    $q->does($PATH, 0, headers => [ Host => $_ ]) for @OTHERS, 'name.example';
    my $r = $q->control($PATH, http => '1.0', headers => [ Host => undef ]);
    is($r->{status}, 200, 'without Host');
};

subtest 'without Host, with two, with one that is not valid' => sub {
    for my $way ([ Origin => 'http://nginx.example' ],
                 [ 'Sec-Fetch-Site' => 'none' ])
    {
        $q->refused($PATH, 403, qr/\S/, http => '1.0', port => $t->port(1),
                    headers => [ Host => undef, @$way ]);

        for my $hosts ([ 'nginx.example', 'evil.example' ], [ '' ],
                       [ 'nginx.example/' ], [ 'nginx..example' ])
        {
            my $head = join '', map { "$_\r\n" }
                       "POST /control/$PATH HTTP/1.1",
                       (map { "Host: $_" } @$hosts), "$way->[0]: $way->[1]",
                       'Content-Length: 0', 'Connection: close', '';
            my $r = $t->request('POST', '/', raw => $head,
                                port => $t->port(1));
            is($r->{status}, 400, "Host: @$hosts");
        }
    }
};

# Browsers say to proxies alone which host they mean in the request line.

subtest 'a host in the request line' => sub {
    my %refused = (
        'nginx.example' => { 'nginx.example' => 0, 'evil.example' => 1 },
        'evil.example' => { 'nginx.example' => 1, 'evil.example' => 1 },
    );

    for my $line (sort keys %refused) {
        for my $host (sort keys %{$refused{$line}}) {
            my $r = $t->post("http://$line/control/$PATH", '',
                             port => $t->port(1), headers => [
                             Host => $host, Origin => "http://$host" ]);
            is($r->{status}, $refused{$line}{$host} ? 403 : 200,
               "$line, Host: $host");
        }
    }
};

subtest 'HTTP/2' => sub {
    plan(skip_all => 'an nginx without HTTP/2') unless $HTTP2;

    for my $host ('nginx.example', 'nginx.example:8081', '127.0.0.1') {
        like(http2($host), qr/"status":"ok"/, $host);
    }

    like(http2('evil.example'), qr/is no \\"server_name\\"/, 'evil.example');
};

done();


# The answer to a POST for that host.

sub http2 {
    my ($host) = @_;
    return IlertHttp2->post($t->port(4), "/control/$PATH", '',
        ':authority' => $host, 'origin' => "http://$host")->answer;
}
