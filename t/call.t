#!/usr/bin/perl

# Calls: requests without a client that are no event.  A module of nginx that
# is built here, t/call/call_module.c, makes them; the server that they ask is
# in this file.

use warnings;
use strict;

use Compress::Zlib ();
use Digest::MD5 qw(md5_hex);
use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);

use Test::More;

use IlertFake;
use IlertQueue;
use IlertTest;

plan(skip_all => 'no threads') unless IlertTest::has_threads();

my $dir = File::Temp->newdir(DIR => IlertTest::top() . '/build');
my $build = "'$FindBin::Bin/call/build'";
my $errors = `$build '$dir/call_module.so' call 2>&1`;

plan skip_all => $errors if $? >> 8 == 3;

is($errors, '', 'the module is built')
    or do { done_testing(); exit };


# The server -------------------------------------------------------------

my $TEXT = join '', map { "line $_ of a text that is long\n" } 1 .. 460_000;
my $SHORT = substr $TEXT, 0, 100_000;
my $DENSE = join('', map { md5_hex($_) } 1 .. 250) x 4000;
my $ERROR = '{"error":"no \u0022user\u0022","message":"other"}';

sub gzip { return Compress::Zlib::memGzip($_[0]) }

sub chunked {
    my ($body, $end) = @_;
    my $text = '';

    for (my $i = 0; $i < length $body; $i += 50_000) {
        my $piece = substr $body, $i, 50_000;
        $text .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
    }

    return $text . ($end // "0\r\n\r\n");
}

sub answer {
    my ($status, $headers, $body) = @_;
    return "HTTP/1.1 $status X\r\nConnection: close\r\n"
           . join('', map { "$_\r\n" } @$headers) . "\r\n$body";
}

my $CHUNKED = 'Transfer-Encoding: chunked';
my $GZIP = 'Content-Encoding: gzip';
my $LENGTH = 'Content-Length: ' . length $TEXT;
my $CUT = substr gzip($SHORT), 0, -9;

my %ANSWER = (
    length => answer(200, [ $LENGTH ], $TEXT),
    chunked => answer(200, [ $CHUNKED ], chunked($TEXT)),
    gzip => answer(200, [ $CHUNKED, $GZIP ], chunked(gzip($TEXT))),
    dense => answer(200, [ $CHUNKED, $GZIP ], chunked(gzip($DENSE))),
    members => answer(200, [ $GZIP ], gzip($SHORT) . gzip($SHORT)),
    end => answer(200, [], $SHORT),
    empty => answer(200, [ 'Content-Length: 0' ], ''),
    cut_length => answer(200, [ $LENGTH ], $SHORT),
    cut_chunked => answer(200, [ $CHUNKED ], chunked($SHORT, '')),
    cut_gzip => answer(200, [ $GZIP ], $CUT),
    reset => answer(200, [ $LENGTH ], $SHORT),
    slow => answer(200, [ $LENGTH ], $SHORT),
    no_gzip => answer(200, [ $CHUNKED, $GZIP ], chunked($SHORT)),
    deflate => answer(200, [ $CHUNKED, 'Content-Encoding: deflate' ],
                      chunked($SHORT)),
    unauthorized => answer(401, [ $CHUNKED, $GZIP ], chunked(gzip($ERROR))),
    text => answer(500, [], "out of\tmemory\nmore\n"),
    html => answer(502, [], '<html>Bad Gateway</html>'),
);

sub serve {
    my ($socket) = @_;
    my $head = '';

    $head .= <$socket> // return until $head =~ /\r\n\r\n/;

    my ($name) = $head =~ m{^\w+ /kapacitor/v1/(\w+)};
    my $answer = $ANSWER{$name} // answer(409, [], join '; ', sort
                                          split /\r\n/, $head);

    print $socket $answer;
    $socket->flush;

    if ($name eq 'slow') {
        open my $file, '>', "$dir/slow" or die;
        1 while sysread $socket, $head, 1;
    }

    if ($name eq 'reset') {
        select undef, undef, undef, 0.2;
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
    }

    close $socket;
}

my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
    or die "listen: $!";
my $parent = $$;
my $server = fork() // die "fork: $!";

if ($server == 0) {
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';

    # It ends with the test, whatever happens to that.

    $listen->timeout(1);

    while (getppid() == $parent) {
        my $socket = $listen->accept or next;

        if (fork() == 0) {
            alarm 60;
            serve($socket);
            POSIX::_exit(0);
        }

        close $socket;
    }

    POSIX::_exit(0);
}


# nginx ------------------------------------------------------------------

my $KEY = 'il1api5ec4e7a01';
my $fake = IlertFake->start(keys => { $KEY => 'api' });
my $refused = IlertFake::free_port();
my $PORT = $listen->sockport;
my $AGENT = 'User-Agent: ngx_http_ilert_module/0.2.0';

my $t = IlertTest->new(
    fake => $fake,
    workers => 1,
    files => { users => "user:{PLAIN}secret\n" },
    main => "load_module $dir/call_module.so; worker_shutdown_timeout 1s;",
    conf => <<"CONF")->start;
    ilert_queue %%DIR%%/queue;
    ilert_source ops { integration_key $KEY; }
    log_subrequest on;
    access_log %%DIR%%/logs/all.log;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        %%ENDPOINT%%

        location = /call {
            call;
            access_log off;
            client_body_buffer_size 1m;
        }

        location /api/ {
            internal;
            proxy_http_version 1.1;
            proxy_pass http://127.0.0.1:$PORT/kapacitor/v1/;
        }

        location /unbuffered/ {
            internal;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_pass http://127.0.0.1:$PORT/kapacitor/v1/;
        }

        location /hasty/ {
            internal;
            proxy_read_timeout 500ms;
            proxy_pass http://127.0.0.1:$PORT/kapacitor/v1/;
        }

        location /stored/ {
            internal;
            proxy_http_version 1.1;
            proxy_store on;
            root %%DIR%%/stored;
            proxy_pass http://127.0.0.1:$PORT/kapacitor/v1/;
        }

        location /host/ {
            proxy_http_version 1.0;
            proxy_set_header Host \$http_host;
            proxy_pass http://127.0.0.1:$PORT/kapacitor/v1/;
        }

        location /refused/ { proxy_pass http://127.0.0.1:$refused/; }

        location /webhooks {
            internal;
            ilert_kapacitor ops;
            auth_basic closed;
            auth_basic_user_file %%DIR%%/users;
            deny all;
        }
    }
CONF

sub call {
    my ($uri, %opt) = @_;
    my $body = delete $opt{body};
    my $arguments = join '', map { "&$_=$opt{$_}" } sort keys %opt;
    my $answer = defined $body ? $t->post("/call?uri=$uri$arguments", $body)
                               : $t->get("/call?uri=$uri$arguments");
    return $answer->{json} || {};
}

sub outcome {
    my ($json) = @_;
    return join ' ', map { $json->{$_} } qw(status whole fault);
}

sub is_text {
    my ($json, $text, $name) = @_;
    is(outcome($json), '200 1 ', "$name: the outcome");
    is($json->{len}, length $text, "$name: the length");
    is($json->{md5}, md5_hex($text), "$name: the text");
}

subtest 'whole answers' => sub {
    for my $place (qw(api unbuffered stored)) {
        my $mark = $t->mark;

        is_text(call("/$place/$_"), $TEXT, "$place, $_")
            for qw(length chunked gzip);

        is(scalar(() = $t->grep_log(qr/to a temporary file/, $mark)), 0,
           "$place: no temporary file") if $place ne 'stored';
    }

    # Each buffer of it is a long text.

    my $json = call('/api/dense');
    is_text($json, $DENSE, 'dense');
    cmp_ok($json->{most}, '<', length($DENSE) / 3, 'others have their turn');

    is_text(call('/api/end'), $SHORT, 'up to the end of the connection');
    is_text(call('/api/members'), $SHORT . $SHORT, 'two members of gzip');
    is_text(call('/api/empty'), '', 'nothing');
    is(outcome(call('/api/length', blind => 1)), '200 1 ', 'nobody reads it');
};

subtest 'answers that are not whole' => sub {
    $t->expect_log(qr/\[error\] .*upstream (?:prematurely|timed out)/,
                   qr/\[error\] .*recv\(\) failed|readv\(\) failed/);

    for my $place (qw(api unbuffered)) {
        is(outcome(call("/$place/$_")), '200 0 closed', "$place: $_")
            for qw(cut_length cut_chunked cut_gzip);

        is(outcome(call("/$place/reset")), '200 0 reset', "$place: reset");
    }

    my $json = call('/api/cut_chunked');
    is($json->{len}, length $SHORT, 'what came was handed on');
    is($json->{reason}, 'the connection to Kapacitor was closed before the '
                        . 'answer', 'the reason');

    is(outcome(call('/hasty/slow')), '200 0 timeout', 'it takes too long');

    $json = call('/api/no_gzip');
    is(outcome($json), '200 0 error', 'no gzip');
    is($json->{reason}, 'the answer is no valid gzip', 'the reason');

    $json = call('/api/deflate');
    is(outcome($json), '200 0 error', 'deflate');
    like($json->{reason}, qr/Content-Encoding/, 'the reason');

    for my $name (qw(length gzip)) {
        $json = call("/api/$name", fail => 70_000);
        is(outcome($json), '200 0 error', "the reader wants no more: $name");
        cmp_ok($json->{len}, '<', 200_000, 'it was not called again');
    }
};

subtest 'errors' => sub {
    my $mark = $t->mark;
    my $json = call('/api/unauthorized');
    is(outcome($json), '401 1 ', 'no user');
    is($json->{reason}, 'no "user"', 'the error in JSON');
    is($json->{reads}, 0, 'the reader does not get it');

    $json = call('/api/text');
    is(outcome($json) . " $json->{reason}", '500 1  out of?memory',
       'a text');

    is(call('/api/html')->{reason}, '', 'HTML gives no reason');

    $json = call('/refused/x');
    is(outcome($json), '0 0 refused', 'nobody listens');
    is($json->{reason}, 'the connection to Kapacitor was refused',
       'the reason');

    my @lines = $t->grep_log(qr/Connection refused/, $mark);
    is(@lines, 1, 'one line');
    like($lines[0], qr{, ilert reconcile: "/kapacitor-api/", upstream: },
         'it says what it is about');

    $mark = $t->mark;
    is(outcome(call('/refused/x', quiet => 1)), '0 0 refused', 'again');
    is(scalar(() = $t->grep_log(qr/Connection refused/, $mark)), 0,
       'quiet: no line');

    is(outcome(call('/nothing')), '404 0 ', 'no such location');
};

# Releases of nginx since 1.29.7 leave connections open, unless told otherwise.

subtest 'what is sent' => sub {
    my $get = call('/api/echo%20x', args => 'a=1%26b=2')->{reason};
    my $post = call('/host/echo', body => '{}')->{reason};

    s/^Connection: close; // for $get, $post;

    is($get, 'GET /kapacitor/v1/echo%20x?a=1&b=2 HTTP/1.1; '
       . "Host: 127.0.0.1:$PORT; $AGENT", 'a GET');
    is($post, 'Content-Length: 2; Content-Type: application/json; '
       . 'Host: Kapacitor.test:9092; POST /kapacitor/v1/echo HTTP/1.0; '
       . $AGENT, 'a POST');
};

subtest 'webhooks' => sub {
    my $json = call('/webhooks', body => webhook('01-levels-04-CRITICAL'));
    is(outcome($json), '202 1 ', 'a webhook is accepted');
    is($json->{inside}, 0, 'the handler is not called within send()');

    ok(wait_until(sub { $fake->events }, 20, 'delivery'),
       'its event is delivered');

    $json = call('/webhooks', body => '{');
    is(outcome($json), '400 1 ', 'another one is refused');
    like($json->{reason}, qr/^not JSON: /, 'the reason');

    is($json->{reads}, 0, 'nothing to read');

    is($t->read_file('logs/all.log'), '', 'nothing is in the access log');
};

sub start_slow {
    unlink "$dir/slow";
    my $handle = $t->start_get('/call?uri=/api/slow');
    wait_until(sub { $t->poll(0.02); -e "$dir/slow" }, 20, 'a slow answer');
    return $handle;
}

subtest 'calls are given up' => sub {
    my $first = start_slow();
    my $again = $t->start_get('/call?uri=/api/length&give_up=1');
    my ($second) = $t->finish($again);
    ($first) = $t->finish($first);

    is("$_->{json}{given_up} $_->{json}{whole} $_->{json}{inside}", '1 0 0',
       'given up') for $first, $second;

    my $json = call('/webhooks', body => webhook('01-levels-04-CRITICAL'),
                    give_up => 1);
    is($json->{given_up}, 1, 'a webhook that waits for its commit');
};

# A worker that exits does not wait for a call.

my $slow = start_slow();

$t->stop;

kill 'KILL', $server;
waitpid $server, 0;

done();
