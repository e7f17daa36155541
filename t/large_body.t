#!/usr/bin/perl

# A large body is read and parsed by a thread: the worker serves others, the
# request outlives its client, a reload and a QUIT, and bodies that wait for
# the thread take no memory.  The thread is held at the file of the body.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Path qw(make_path);
use Test::More;

use IlertFake;
use IlertHostile;
use IlertTest;

my $HOLD = <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* a read of the file of a body waits while there is a file "hold" */

static void
hold(int fd)
{
    char        name[64], path[4096];
    ssize_t     n;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = readlink(name, path, sizeof(path) - 1);

    if (n == -1) {
        return;
    }

    path[n] = '\0';

    if (strstr(path, "/bodies/") == NULL) {
        return;
    }

    close(open(HOLD_DIR "/held", O_CREAT|O_WRONLY, 0666));

    while (access(HOLD_DIR "/hold", F_OK) == 0) {
        usleep(1000);
    }
}

#define wrap(name, type)                                                      \
    ssize_t name(int fd, void *buf, size_t size, type offset)                 \
    {                                                                         \
        static ssize_t  (*real)(int, void *, size_t, type);                   \
                                                                              \
        if (real == NULL) {                                                   \
            real = dlsym(RTLD_NEXT, #name);                                   \
        }                                                                     \
                                                                              \
        hold(fd);                                                             \
        return real(fd, buf, size, offset);                                   \
    }

wrap(pread, off_t)
wrap(pread64, off64_t)
C

my $DIR = IlertTest::top() . "/build/t/hold-$$";
make_path($DIR);
chmod 0777, $DIR;

END { system 'rm', '-rf', $DIR if defined $DIR }

sub touch { open my $file, '>', "$DIR/$_[0]" or die "$DIR/$_[0]: $!" }

open my $source, '>', "$DIR/hold.c" or die "$DIR/hold.c: $!";
print $source $HOLD;
close $source;

my $cc = $ENV{CC} || 'cc';
plan(skip_all => 'no compiler')
    if system "$cc -shared -fPIC -O1 -DHOLD_DIR='\"$DIR\"' "
              . "-o $DIR/hold.so $DIR/hold.c -ldl";
plan(skip_all => 'nginx has no threads')
    if !IlertTest::has_threads();

my $KEY = 'il1api5ec4e7a01';
my $fake = IlertFake->start(keys => { $KEY => 'api' });

my %ENV_OF_NGINX = (
    LD_PRELOAD => "$DIR/hold.so",
    ASAN_OPTIONS => join ':', grep { length } $ENV{ASAN_OPTIONS} // '',
                    'verify_asan_link_order=0',
);

my $t = IlertTest->new(fake => $fake, workers => 1, env => \%ENV_OF_NGINX,
                       conf => <<"CONF")->start;
    client_body_temp_path %%DIR%%/bodies;
    ilert_source ops { integration_key $KEY; }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location = /kapacitor {
            ilert_kapacitor ops;
            ilert_summary "\$kapacitor_message \$kapacitor_field_value";
        }

        location = /impatient {
            ilert_kapacitor ops;
            client_body_timeout 700ms;
        }

        location = /other { return 200 other; }
        location = /mirrored { ilert_kapacitor ops; mirror /mirror; }
        location = /mirror { internal; ilert_kapacitor ops; }

        %%ENDPOINT%%
    }
CONF

my $BATCH = IlertHostile::batch(4_000_000);
my $SMALL = '{"id":"small","message":"m","level":"CRITICAL"}';

my $sanitized = defined $ENV{ILERT_MODULE} && $ENV{ILERT_MODULE} eq '';

sub hold { unlink "$DIR/held"; touch('hold') }
sub held { wait_until(sub { $t->poll(0.01); -e "$DIR/held" }, 60, 'held') }
sub go_on { unlink "$DIR/hold" }

sub post { $t->start_post('/kapacitor', $BATCH, timeout => 60, @_) }

# The thread has one of them, the others wait for it.

sub post_and_hold {
    my ($n, @opt) = @_;

    $fake->reset;
    hold();
    my @handles = map { post(@opt) } 1 .. $n;
    held();
    return @handles;
}

sub accepted {
    my (@handles) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_deeply([ map { $_->{status} } $t->finish(@handles) ],
              [ (202) x @handles ], 'accepted');
    is($fake->counts->{events}, scalar @handles, 'and sent, once each');
}

subtest 'others are served meanwhile' => sub {
    my ($h) = post_and_hold(1);

    is($t->get('/other')->{body}, 'other', 'another location');
    is($t->post('/kapacitor', $SMALL)->{status}, 202, 'another webhook');
    is($t->post('/kapacitor', '{')->{status}, 400, 'a wrong one');
    ok(!$h->{done}, 'it waits for the thread');

    go_on();
    is(($t->finish($h))[0]{status}, 202, 'then it is accepted');

    my $event = $fake->request(-1);
    is($event->{json}{summary}, 'm 0.5', 'by what was parsed');
    is($event->{json}{customDetails}{fields}{text}, 'the last');
};

subtest 'what is not as it should be is told' => sub {
    my %wrong = (
        'x' . $BATCH => 'not JSON: unexpected character at byte 0; this is '
            . 'plain text, use .post() without a template, or with one that '
            . 'writes JSON',
        $BATCH . 'x' => 'not JSON: unexpected character at byte '
                        . length $BATCH,
        $BATCH =~ s/"CRITICAL"/"FATAL"/r
            => 'level: expected OK, INFO, WARNING or CRITICAL',
    );

    for (sort keys %wrong) {
        my $r = $t->post('/kapacitor', $_, timeout => 60);
        is($r->{status}, 400);
        is_deeply($r->{json}, { status => 'rejected', error => $wrong{$_} });
    }
};

subtest 'many at a time' => sub {
    my ($worker) = $t->workers;
    my $before = IlertTest::process_rss($worker);
    my @handles = post_and_hold(12);

    ok(wait_until(sub {
        $t->poll(0.01);
        return 12 == grep { (readlink $_ // '') =~ m{/bodies/} }
                     glob "/proc/$worker/fd/*";
    }, 20), 'all have come');
    is($t->get('/other')->{status}, 200);

    SKIP: {
        skip 'memory under a sanitizer', 1 if $sanitized;
        cmp_ok(IlertTest::process_rss($worker) - $before, '<',
               2 * length $BATCH, 'those that wait are in files');
    }

    go_on();
    accepted(@handles);
};

subtest 'clients that have gone' => sub {
    $t->finish(post_and_hold(3, abort => -1));
    go_on();
    ok($fake->wait_events(3, 30), 'their events are sent all the same');
    is($t->get('/other')->{status}, 200);
};

subtest 'reload' => sub {
    my ($old) = $t->workers;
    my @handles = post_and_hold(3);

    $t->reload;
    isnt(($t->workers)[0], $old, 'a new worker serves');
    is($t->post('/kapacitor', $SMALL)->{status}, 202);
    is(($t->old_workers)[0], $old, 'the old one stays');

    $fake->reset;
    go_on();
    accepted(@handles);
    ok(wait_until(sub { !$t->old_workers }, 20), 'then it leaves');
};

subtest 'QUIT' => sub {
    my @handles = post_and_hold(2);
    my $mark = $t->mark;

    kill 'QUIT', $t->master;
    ok($t->wait_log(qr/gracefully shutting down/, 20, $mark));
    ok($t->running, 'it waits for the thread');

    go_on();
    accepted(@handles);
    ok(wait_until(sub { !$t->running }, 20), 'then it ends');
    $t->start;
};

subtest 'worker_shutdown_timeout' => sub {
    my $n = IlertTest->new(fake => $fake, workers => 1, env => \%ENV_OF_NGINX,
        main => 'worker_shutdown_timeout 500ms;', conf => <<"CONF")->start;
        client_body_temp_path %%DIR%%/bodies;
        ilert_source ops { integration_key $KEY; }

        server {
            listen 127.0.0.1:%%PORT_0%%;
            location = /kapacitor { ilert_kapacitor ops; }

            %%ENDPOINT%%
        }
CONF

    $fake->reset;
    hold();
    my $h = $n->start_post('/kapacitor', $BATCH, timeout => 60);
    held();
    my ($old) = $n->workers;
    $n->reload;
    $n->poll(1);                # the time is over while the thread is held
    go_on();
    like(($n->finish($h))[0]{status}, qr/^(?:0|202)$/, 'closed or accepted');
    ok(wait_until(sub { !-e "/proc/$old" }, 20), 'the worker has left');
    is($n->post('/kapacitor', $SMALL)->{status}, 202, 'another serves');
    $n->stop;
};

subtest 'TERM and KILL' => sub {
    for my $signal ('TERM', 'KILL') {
        my @handles = post_and_hold(3);

        if ($signal eq 'TERM') {
            kill 'TERM', $t->master;
            go_on();
            ok(wait_until(sub { !$t->running }, 20), 'TERM ends it');
            $t->start;

        } else {
            $t->kill_worker('KILL');
            go_on();
        }

        is(scalar(grep { $_->{status} == 202 } $t->finish(@handles)),
           $fake->counts->{events}, "$signal: none is accepted and not sent");
        is($t->post('/kapacitor', $SMALL)->{status}, 202, 'a new one serves');
    }
};

subtest 'a subrequest' => sub {
    $fake->reset;
    is($t->post('/mirrored', $BATCH, timeout => 60)->{status}, 202);
    ok($fake->wait_events(2, 30), 'the mirrored one as well');
};

done();
