#!/usr/bin/perl

# What all workers know of a source is read while others write it: the code
# and the text of an error are always those of one answer, and so are a state
# and its reason.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use POSIX ();
use Test::More;

use IlertTest;

use constant { READS => 3000, WRITERS => 4, OTHERS => 200 };

# What ilert says, at random: a code, and a text that no other code has.

my %SAID = (400 => 'A' x 120, 404 => 'B' x 60, 429 => 'C' x 30, 503 => 'D',
            202 => '');
my %CODE = (parked => 404, limited => 429, retrying => 503);

my $answers = join "\n", map {
    "if (\$said = $_) { return $_ '{\"message\":\"$SAID{$_}\"}'; }"
} sort keys %SAID;

# Time goes by in a read, between what is looked at and what is written.

my $others = join "\n", map {
    sprintf 'ilert_source other%d { integration_key il1api5ec4e7b%03d; }',
            $_, $_ } 1 .. OTHERS;

my $t = IlertTest->new(workers => 3, log_level => 'crit',
                       conf => <<"EOC")->start;
    access_log off;
    ilert_source ops { integration_key il1api5ec4e7a01; }
    $others

    split_clients \$request_id \$said {
        20% 400; 20% 404; 20% 429; 20% 503; * 202;
    }

    upstream ilert { server 127.0.0.1:%%PORT_1%%; keepalive 8; }

    server {
        listen 127.0.0.1:%%PORT_0%% reuseport;
        keepalive_requests 1000000;
        location = /kapacitor { ilert_kapacitor ops; }
        location = /status { ilert_status; }

        location /ilert/ {
            internal;
            ilert_endpoint;
            proxy_pass http://ilert/api/\$ilert_path;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        keepalive_requests 1000000;
        $answers
    }
EOC

# A request over a kept connection; the answer's body.

sub connection {
    return IO::Socket::INET->new('127.0.0.1:' . $t->port(0))
        || die "connect: $@\n";
}

sub ask {
    my ($socket, $request) = @_;
    my ($answer, $length) = ('', undef);

    syswrite $socket, $request;

    while (!defined $length || length $answer < $length) {
        sysread $socket, $answer, 1 << 18, length $answer or return;

        next if defined $length || $answer !~ /\r\n\r\n/g;
        $length = pos $answer;
        $length += $1 if $answer =~ /^content-length: (\d+)\r\n/im;
    }

    return $answer =~ s/.*?\r\n\r\n//sr;
}

# Webhooks, until the reader ends.

$SIG{PIPE} = 'IGNORE';

my $body = '{"id":"k","level":"CRITICAL","message":"m"}';
my $post = "POST /kapacitor HTTP/1.1\r\nHost: a\r\nContent-Length: "
           . length($body) . "\r\n\r\n$body";
my @writers;

for (1 .. WRITERS) {
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        eval {
            my $socket = connection();
            ask($socket, $post) // ($socket = connection()) while 1;
        };
        POSIX::_exit(1);        # nginx has gone
    }

    push @writers, $pid;
}

my (%errors, %states, @torn, $kept);

for (1 .. READS) {
    $kept = connection() if $_ % 500 == 1;
    my $json = ask($kept, "GET /status HTTP/1.1\r\nHost: a\r\n\r\n");
    my ($state, $reason, $rest) =
        $json =~ /"ops":\{"state":"(\w+)","reason":"?([^"]*)(.*)/
        or die "no source in $json";
    my ($code, $text) =
        $rest =~ /"last_error":\{[^}]*"status":(\d+),"text":"(.*?)"/
        or next;

    push @torn, "$code: $text"
        if $text ne "ilert answered $code: " . ($SAID{$code} // '');
    $errors{$code}++;

    my $expected = $CODE{$state};
    $expected = $expected ? "ilert answered $expected: $SAID{$expected}"
                          : 'null,';
    push @torn, "$state: $reason" if index($reason, $expected) != 0;
    $states{$state}++;
}

kill 'KILL', @writers;
waitpid $_, 0 for @writers;

is(scalar @torn, 0, 'whatever is read is of one answer')
    or diag(join "\n", scalar(@torn) . ' are torn:',
            @torn[0 .. (@torn > 9 ? 9 : $#torn)]);
is_deeply([ sort keys %errors ], [ grep { $_ != 202 } sort keys %SAID ],
          'all errors have been seen') or diag(explain(\%errors));
is_deeply([ sort keys %states ], [ qw(limited ok parked retrying) ],
          'and all states') or diag(explain(\%states));

done();
