#!/usr/bin/perl

# Clients of HTTP/2, cleartext: here a client that goes away, or takes its
# request back, is noticed at once, while the delivery is under way.

use warnings;
use strict;

use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use IlertFake;
use IlertTest;

my $fake = IlertFake->start(keys => { il1api5ec4e7c01 => 'api' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<'EOC');
ilert_source ops { integration_key il1api5ec4e7c01; }
server {
    listen 127.0.0.1:%%PORT_0%% http2;
    location = /kapacitor { ilert_kapacitor ops; }
    %%ENDPOINT%%
}
EOC

$t->start;

my $body = webhook('01-levels-04-CRITICAL');

for my $case ('reset', 'closed', 'waits') {
    subtest $case => sub {
        $fake->reset;
        $fake->rule(delay => 1);

        my $socket = post();
        ok($fake->wait_requests(1), 'under way');

        if ($case eq 'waits') {
            like(answer($socket), qr/"status":"accepted"/, 'answered');

        } else {
            print $socket frame(3, 0, 1, pack 'N', 8) if $case eq 'reset';
            close $socket if $case eq 'closed';
        }

        ok($fake->wait_events(1, 5), 'delivered');
        is(scalar(@{[ $t->workers ]}), 1, 'the worker lives');
    };
}

done();


# HEADERS with literal fields, not indexed, and DATA that ends the stream

sub post {
    my %field = (':method' => 'POST', ':scheme' => 'http',
                 ':path' => '/kapacitor', ':authority' => 'localhost',
                 'content-length' => length $body);
    my @names = (sort grep(/^:/, keys %field), 'content-length');
    my $head = join '', map { chr(0) . text($_) . text($field{$_}) } @names;

    my $socket = IO::Socket::INET->new('127.0.0.1:' . $t->port(0))
        or die "connect: $@\n";

    print $socket "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''),
        frame(1, 4, 1, $head), frame(0, 1, 1, $body);
    $socket->flush();

    return $socket;
}


sub text {
    my ($text) = @_;
    return chr(length $text) . $text;
}


sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}


sub answer {
    my ($socket) = @_;

    my $answer = '';
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 10;

    while ($answer !~ /"status"[^}]*\}/) {
        sysread($socket, $answer, 4096, length $answer) or last;
    }

    alarm 0;
    return $answer;
}
