#!/usr/bin/perl

# The counters' shared memory over reloads that bring ever new names: those of
# before give way, those that stay keep what they have counted, and a worker
# that goes on for a client of its own counts where it always has.  If there is
# no room the reload fails, says why, and works when the worker has gone.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Test::More;

use IlertTest;

my $BODY = '{"id":"k","level":"CRITICAL","message":"m"}';

# "ops" stays, "/kapacitor" leads to the first one of the others.

sub conf {
    my (@names) = @_;

    my $sources = join "\n", map {
        "ilert_source $_ { integration_key il1api5ec4e7a01; }"
    } 'ops', @names;

    return <<"EOC";
    $sources

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /ops { ilert_kapacitor ops; }
        location = /kapacitor { ilert_kapacitor @{[$names[0] // 'ops']}; }
        location = /status { ilert_status; }

        location /ilert/ {
            internal;
            ilert_endpoint;
            proxy_pass http://127.0.0.1:%%PORT_1%%;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;
        return 202 '{}';
    }
EOC
}

my $t = IlertTest->new(workers => 1, log_level => 'notice',
                       conf => conf())->start;
my $ops = 0;

sub post_ops {
    is($t->post('/ops', $BODY)->{status}, 202, 'a webhook of "ops"');
    $ops++;
}

sub names {
    my ($generation, $n) = @_;
    return map { "g${generation}n$_" } 1 .. $n;
}

# So many workers of former configurations are left, as the master knows.

my $reloads = 0;

sub alone {
    my ($n) = @_;
    ok(wait_until(sub {
        $n == $reloads - grep { /: worker process \d+ exited / }
                         split /\n/, $t->error_log;
    }, 20), "old workers: $n");
}

sub to {
    my (@names) = @_;
    $t->set_conf(conf(@names));
    $t->reload;
    $reloads++;
}

# There are these names, and none of them has counted anything that it has not.

sub counted {
    my ($what, %accepted) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $sources = $t->get('/status')->{json}{sources};
    my %seen;

    for my $name (keys %$sources) {
        my $s = $sources->{$name};
        $seen{$name} = join ' ', @$s{qw(accepted ignored coalesced delivered
                                        retried)},
            defined $s->{last_success} ? 'success' : 'none',
            defined $s->{last_error} ? 'error' : 'none', $s->{state};
    }

    my %expected = map {
        my $n = $accepted{$_};
        ($_ => "$n 0 0 $n 0 " . ($n ? 'success' : 'none') . ' none ok')
    } keys %accepted;

    is_deeply(\%seen, \%expected, $what);
}

# A webhook whose body is yet to come, when it is in the hands of a worker.

sub begin {
    my $socket = IO::Socket::INET->new('127.0.0.1:' . $t->port(0))
        or die "connect: $@\n";

    syswrite $socket, join "\r\n", 'POST /kapacitor HTTP/1.1', 'Host: a',
        'Connection: close', 'Content-Length: ' . length $BODY,
        'Expect: 100-continue', '', '';
    like(line($socket), qr/^HTTP\/1\.1 100 /, 'a worker waits for the body');
    line($socket);
    return $socket;
}

sub end {
    my ($socket) = @_;
    syswrite $socket, $BODY;
    like(line($socket), qr/^HTTP\/1\.1 202 /, 'it is answered');
    local $/;
    <$socket>;
}

sub line {
    my ($socket) = @_;
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 20;
    my $line = <$socket>;
    alarm 0;
    return $line;
}


subtest 'names that come back' => sub {
    post_ops();
    to(names('back', 3));
    is($t->post('/kapacitor', $BODY)->{status}, 202, 'a webhook');
    to();
    to(names('back', 3));
    counted('have counted on', ops => $ops, map {
        $_ => /n1$/ ? 1 : 0 } names('back', 3));
    alone(0);
};

subtest '2,400 names' => sub {
    for my $generation (1 .. 12) {
        my @names = names($generation, 200);
        to(@names);
        post_ops();
        is($t->post('/kapacitor', $BODY)->{status}, 202, 'of a new name');
        counted("generation $generation", ops => $ops,
                map { $_ => $_ eq $names[0] ? 1 : 0 } @names);
        alone(0);
    }
};

# Half of the memory, and others in their place: the old ones count meanwhile.

subtest 'as many as fit, and all of them new' => sub {
    for my $generation ('even', 'odd', 'even', 'last') {
        my @names = names($generation, 239);
        to(@names);
        post_ops();
        counted($generation, ops => $ops, map { $_ => 0 } @names);
        alone(0);
    }
};

subtest 'a worker that goes on' => sub {
    my @names = names('slow', 100);
    to(@names);
    alone(0);
    my @clients = map { begin() } 1 .. 9;

    for my $generation (21 .. 29) {
        @names = names($generation, 100);
        to(@names);
        post_ops();
        alone(1);
        end(shift @clients);
        counted("generation $generation: it counts in no other name",
                ops => $ops, map { $_ => 0 } @names);
    }

    alone(0);

    for my $generation (31 .. 36) {
        @names = names($generation, 100);
        to(@names);
        alone(0);
    }

    counted('and its own have given way', ops => $ops, map { $_ => 0 } @names);
};

subtest 'no room' => sub {
    my @names = names('full1', 200);
    to(@names);
    alone(0);
    my @clients = begin();
    my ($worker) = $t->workers;

    @names = names('full2', 200);
    to(@names);
    push @clients, begin();

    $t->set_conf(conf(names('full3', 200)));
    my @lines = $t->reload(fail => 1);
    is(scalar @lines, 1, 'one line');
    like($lines[0], qr/shared\ memory\ zone\ "ilert_stats"\ has\ no\ room
        .*\ 201\ sources,\ 1\ endpoints,\ and\ 0\ Kapacitors
        .*\ shutting\ down\ .*"worker_shutdown_timeout"/x,
         'what, why, and the cure');

    post_ops();
    counted('it goes on as before', ops => $ops, map { $_ => 0 } @names);

    # the one that was not to be waited for any longer

    $t->expect_log(qr/worker process $worker exited on signal 9/);
    kill 'KILL', $worker;
    alone(0);
    close $clients[0];

    @names = names('full3', 200);
    to(@names);
    post_ops();
    end($clients[1]);
    alone(0);
    counted('then there is', ops => $ops, map { $_ => 0 } @names);

    to(names('full4', 200));
    alone(0);
};

done();
