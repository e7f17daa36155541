#!/usr/bin/perl

# "make soak": what it measures, what it takes for a rise, and a short run.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Handle;
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time);

use IlertQueue;
use IlertSoak;
use IlertTest qw(done top);

my $TIME = 40;

# Numbers as a busy machine makes them: the same ones in each run.

my $seed = 12345;

sub noise {
    my ($size) = @_;
    $seed = ($seed * 16807) % 2147483647;
    return $size * ($seed / 2147483647 - 0.5);
}

sub samples {
    my ($of) = @_;
    my %rest = map { $_ => 1000 } qw(master worker pss processes files
                                     sockets database wal log cpu waiting);
    return map { { %rest, trouble => 0, %{$of->($_)} } } 1 .. $TIME;
}

sub rises {
    return join ' ', map { $_->{name} } grep { $_->{rises} }
                     IlertSoak::judge(@_);
}

subtest 'level' => sub {
    is(rises(samples(sub { {} })), '', 'nothing changes');
    is(rises(samples(sub { { pss => 8e6 + noise(1e6),
                             cpu => 1.5 + noise(1) } })), '', 'noise');
    is(rises(samples(sub { { master => 9e6 + 50 * $_[0] } })), '',
       'a rise that does not matter');
    is(rises(samples(sub { { worker => $_[0] == 30 ? 9e7 : 9e6 } })), '',
       'one high number');
    is(rises(samples(sub { { waiting => $_[0] % 10 < 2 ? 600 : 3,
                             trouble => $_[0] % 10 < 2 } })), '',
       'what waits in a trouble');
    is(rises(samples(sub { { database => $_[0] < 13 ? $_[0] * 1e6
                                                    : 13e6 } })), '',
       'what grows in the beginning');
    is(rises(samples(sub { { pss => 9e6 - 1e5 * $_[0] } })), '', 'a fall');
};

subtest 'rises' => sub {
    is(rises(samples(sub { { worker => 9e6 + 60_000 * $_[0]
                                       + noise(1e6) } })), 'worker',
       'a leak in noise');
    is(rises(samples(sub { { master => 9e6 + 400_000 * int($_[0] / 10)
                                       + noise(20_000) } })), 'master',
       'a leak with each trouble');
    is(rises(samples(sub { { files => 50 + int($_[0] / 10) } })),
       'files', 'a descriptor with each trouble');
    is(rises(samples(sub { { sockets => 10 + $_[0] + noise(9) } })),
       'sockets', 'connections');
    is(rises(samples(sub { { cpu => 1.5 + 0.05 * $_[0] + noise(0.5) } })),
       'cpu', 'more work for the same webhooks');
    is(rises(samples(sub { { processes => 3 + int($_[0] / 8) } })),
       'processes', 'old workers that stay');
    is(rises(samples(sub { { log => 1000 + 100 * $_[0] } })), 'log', 'a log');
};

subtest 'too short' => sub {
    my @samples = (samples(sub { { pss => 1e6 * $_[0] } }))[0 .. 8];
    is(rises(@samples), '', 'is not judged');
    like((IlertSoak::judge(@samples))[0]{text}, qr/too few numbers/,
         'and that is said');
};

subtest 'what is measured' => sub {
    my $mib = 1 << 20;
    my %before = %{IlertSoak::processes($$, $$)};
    my $child = use_up(20 * $mib, 7, 0.3);
    my %both = %{IlertSoak::processes($$, $$, $child)};

    is($both{processes}, 2, 'processes');
    cmp_ok($both{worker}, '>=', 20 * $mib, 'memory of the worker');
    cmp_ok($both{pss}, '>=', 20 * $mib, 'memory together');
    cmp_ok($both{files} - $before{files}, '>=', 7, 'descriptors');
    cmp_ok($both{sockets} - $before{sockets}, '>=', 2, 'sockets');
    cmp_ok($both{cpu} - $before{cpu}, '>=', 0.25, 'CPU time');

    my $ended = IlertSoak::ended_cpu($$);
    kill 'KILL', $child;
    waitpid $child, 0;
    cmp_ok(IlertSoak::ended_cpu($$) - $ended, '>=', 0.25,
           'CPU time of a process that has ended');
};

# A child that has so much memory, files, and CPU time; returns when it does.

sub use_up {
    my ($memory, $files, $cpu) = @_;

    pipe my $ready, my $say or die "pipe: $!";
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        my $text = 'x' x $memory;
        my @files = map { open my $file, '<', '/dev/null'; $file } 1 .. $files;
        socketpair my $one, my $other, AF_UNIX, SOCK_STREAM, PF_UNSPEC
            or POSIX::_exit(1);
        1 while (times)[0] < $cpu;
        syswrite $say, 'x';
        sleep 1 while @files && length $text;
        POSIX::_exit(0);
    }

    close $say;
    sysread $ready, my $byte, 1;
    return $pid;
}

subtest 'a short run' => sub {
    plan(skip_all => 'needs threads') unless IlertTest::has_threads();

    local @ENV{qw(SOAK_TIME SOAK_PERIOD SOAK_TROUBLE SOAK_ALERTS SOAK_DIR)}
        = (3, 1, 2, 10, "soak-$$");
    my $text = `'$^X' t/soak/run 2>&1`;
    my @looks = $text =~ /^(reloaded|steady) +\d/mg;

    is($?, 0, 'finds nothing') or diag($text);
    is(scalar @looks, 4, 'two looks at each of two nginx');
    like($text, qr/^ilert: nobody listens$/m, 'and one trouble');
    unlike($text, qr/LOST/, 'nothing is lost');
    like($text, qr/^  (\d+) webhooks, \1 answered 202, \d+ events taken/m,
         'all webhooks were taken');

    my $dir = top() . "/build/soak-$$";
    ok(-s "$dir/report", 'the report is kept');
    unlink "$dir/report";
    rmdir $dir;
};

done();
