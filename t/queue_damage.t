#!/usr/bin/perl

# A database that is damaged while two workers use it, under load and in any
# way: bytes, pages, a truncated file, an earlier version of it; the database
# or its log.  Not all of that can be noticed.  But no worker dies, and
# whatever the error is, webhooks are committed again soon, and the status is
# answered, if need be by a new database.
#
# The environment: DAMAGE_SEEDS, how many ways are tried, from DAMAGE_FIRST on.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Fcntl qw(SEEK_SET);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertQueue;
use IlertRandom qw(chance pick);
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $SEEDS = $ENV{DAMAGE_SEEDS} // 12;
my $FIRST = $ENV{DAMAGE_FIRST} // 1;

use constant PAGE => 4096;

# Seconds in which it is to be over, and of load

use constant { SOON => 15, LOAD => 0.8 };

sub spoil {
    my ($path, $sub) = @_;
    open my $file, '+<:raw', $path or return;
    my $size = -s $file or return;
    $sub->($file, $size);
    close $file;
}

sub put {
    my ($file, $offset, $bytes) = @_;
    sysseek $file, $offset, SEEK_SET;
    syswrite $file, $bytes;
}

sub noise { join '', map { chr int rand 256 } 1 .. $_[0] }

my %HOW = (
    'bytes' => sub {
        my ($path) = @_;
        spoil($path, sub { put($_[0], int rand $_[1], noise(1 + rand 8))
                           for 1 .. 1 + rand 60 });
    },
    'pages' => sub {
        my ($path) = @_;
        spoil($path, sub { put($_[0], PAGE * int rand($_[1] / PAGE),
                               noise(PAGE)) for 1 .. 1 + rand 8 });
    },
    'first pages' => sub {
        my ($path) = @_;
        spoil($path, sub { put($_[0], int rand(20 * PAGE), noise(1 + rand 8))
                           for 1 .. 1 + rand 60 });
    },
    'header' => sub {
        my ($path) = @_;
        spoil($path, sub { put($_[0], int rand 100, noise(1 + rand 20)) });
    },
    'zeros' => sub {
        my ($path) = @_;
        spoil($path, sub { put($_[0], PAGE * int rand($_[1] / PAGE),
                               "\0" x PAGE) for 1 .. 1 + rand 20 });
    },
    'swapped' => sub {
        my ($path) = @_;
        spoil($path, sub {
            my ($file, $size) = @_;
            for (1 .. 1 + rand 6) {
                sysseek $file, PAGE * int rand($size / PAGE), SEEK_SET;
                sysread $file, my $bytes, PAGE;
                put($file, PAGE * int rand($size / PAGE), $bytes);
            }
        });
    },
    'truncated' => sub {
        my ($path) = @_;
        spoil($path, sub { truncate $_[0], int rand $_[1] });
    },
    'earlier' => sub {
        my ($path, $earlier) = @_;
        spoil($path, sub {
            truncate $_[0], length $earlier if chance(0.5);
            put($_[0], 0, $earlier);
        });
    },
);

my $q = IlertStatus->new(workers => 2, log_level => 'notice', timeout => '1s',
    sources => { ops => 'retry 50ms 300ms; coalesce repeats;' });
$q->fake->rule(match => qr/"[^"]*5 \d+"/, status => 500);
$q->start;

my @workers = $q->test->workers;
my ($longest, $moved) = (0, 0);

for my $seed ($FIRST .. $FIRST + $SEEDS - 1) {
    local $ENV{TEST_SEED} = $seed;
    srand $seed;

    my $how = (sort keys %HOW)[rand keys %HOW];
    my $file = chance(0.75) ? 'queue.db' : 'queue.db-wal';
    my $path = $q->dir . "/$file";
    my $mark = $q->test->mark;

    $q->load(seconds => LOAD / 2, alerts => 60, size => pick(0, 2000));
    my $earlier = IlertTest::slurp($path);
    my $at = time() + LOAD / 2;
    my $done = 0;
    $q->load(alerts => 60, seconds => LOAD, size => pick(0, 2000),
        until => sub {
            return 0 if $done || time() < $at;
            $HOW{$how}->($path, $earlier);
            $done = 1;
            return 0;
        });

    my ($begun, $state, $error) = (time());
    my $is = wait_until(sub {
        my $n = 0;
        $n += $q->post("after$_", pick(qw(CRITICAL OK)), timeout => 20)
                ->{result} eq 'ACCEPTED' for 1 .. 6;

        # what is listed of a damaged database need not make sense

        my $s = $q->get('/status')->{json};
        ($state, $error) = @{$s->{queue}}{qw(state error)};
        $error = "$n of 6 are accepted" if !defined $error;
        return $n == 6 && $state eq 'ok';
    }, SOON);
    my $took = time() - $begun;
    $longest = $took if $took > $longest;

    my @aside = $q->test->grep_log(qr/a new one is begun/, $mark);
    $moved += @aside;
    ok($is, sprintf 'seed %d: %s, %s: %.1f s, %d moved aside', $seed, $file,
       $how, $took, scalar @aside)
        or diag("$state: $error\n",
                $q->test->grep_log(qr/\[(?:crit|warn|alert)\]/, $mark));
    cmp_ok(scalar @aside, '<=', 2, 'no loop of it') if @aside > 2;
    $q->forget;
    $q->fake->rule(match => qr/"[^"]*5 \d+"/, status => 500);
}

is_deeply([ $q->test->workers ], \@workers, 'no worker has died');
note(sprintf '%d of %d moved aside, at most %.1f s', $moved, $SEEDS,
     $longest);

$q->fake->clear_rules;
unlink glob $q->dir . '/*.damaged-*';
$q->stop;

done();
