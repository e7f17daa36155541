package IlertChaosPlan;

# What a run of chaos does, and when: the seed decides all of it.
#
#     my $plan = IlertChaosPlan::plan($seed, $seconds, @kinds);
#
# kinds($faults, $without)   names of the kinds of fault, all or those that the
#     first text names, without those of the second ("kill,reload"); dies of
#     a name that is none
# plan(..) = { seed, seconds, kinds => { name => 1 }, faults, scripts }
#     faults => list of { lane, kind, at, for, pick (0 to 1: which one), .. }
#         in the order of their times.  Faults of a lane come one after the
#         other, those of different lanes overlap.  All end by $seconds
#     scripts => { host => [ [at, level], .. ] }   what Kapacitor sees
#     last => { host => level }   and what it sees in calm, of some
# lines($plan)          the faults as text
# about($kind)          what it is

use warnings;
use strict;

use List::Util qw(min);

use IlertRandom qw(chance pick);

# name => [lane, what happens]; a name that is there twice is chosen twice as
# often

my @KINDS = (
    kill => [ process => 'kill -9 of a worker' ],
    courier => [ process => 'kill -9 of the one that delivers' ],
    crash => [ process => 'kill -9 of all, and a start' ],
    reload => [ process => 'a reload' ],
    storm => [ process => 'many reloads, one after the other' ],
    quit => [ process => 'QUIT, and a start' ],
    term => [ process => 'TERM, and a start' ],
    upgrade => [ process => 'USR2, and QUIT of the old master' ],
    schema => [ process => 'a database of a newer release, between two '
                           . 'restarts' ],
    folder => [ process => 'a folder that cannot be read, between two '
                           . 'restarts' ],
    stop => [ stop => 'SIGSTOP and SIGCONT of a worker, mostly of the one '
                      . 'that delivers' ],
    full => [ disk => 'a full file system' ],
    eio => [ disk => 'EIO of each write' ],
    enospc => [ disk => 'ENOSPC of each write' ],
    sync => [ disk => 'EIO of each sync' ],
    stall => [ disk => 'syncs do not return, in one worker or in all' ],
    readonly => [ disk => 'a read-only file system' ],
    clock => [ clock => 'the clock is set' ],
    down => [ ilert => 'ilert refuses connections' ],
    hang => [ ilert => 'it does not answer, but may take the event' ],
    cut => [ ilert => 'it takes the event, and resets the connection' ],
    slow => [ ilert => 'its answer is slow, or drips' ],
    error => [ ilert => '500' ],
    limit => [ ilert => '429' ],
    later => [ ilert => '429 with Retry-After' ],
    refuse => [ ilert => '401, 403, or 404' ],
    dead => [ ilert => '400 of some events' ],
    body => [ ilert => 'the body of its answer is odd' ],
    half => [ ilert => 'half an answer' ],
    pause => [ control => 'a source is paused for a while' ],
    replay => [ control => 'dead letters are replayed' ],
    mute => [ kapacitor => 'Kapacitor cannot be asked' ],
    babble => [ kapacitor => 'its answers are cut, or errors' ],
    anew => [ kapacitor => 'it begins to count anew' ],
    asked => [ '' => 'Kapacitor is asked what it knows' ],
    shared => [ '' => 'two sources with one key, chosen by the level' ],
    native => [ '' => 'a source of type Kapacitor' ],
    rates => [ '' => 'rates small enough to matter' ],
);

my %KIND = @KINDS;
my @NAMES = @KINDS[grep { !($_ & 1) } 0 .. $#KINDS];

# Lanes, with the mean time in seconds from the end of a fault to the next one

my @LANES = ([ process => 3 ], [ stop => 12 ], [ disk => 6 ], [ clock => 10 ],
             [ ilert => 2 ], [ control => 4 ], [ kapacitor => 6 ]);

# LONGEST: seconds that the clock is set back at least.  nginx notices that
# a pause is too long, since the clock was set back, if it is longer than any
# pause can be.  After a smaller step a pause may be just as long as that, and
# no run waits for so long.

use constant { HOSTS => 6, LONGEST => 400 };

sub about { $KIND{$_[0]}[1] }

sub kinds {
    my ($faults, $without) = @_;
    my @wanted = names($faults // '');
    my %without = map { $_ => 1 } names($without // '');
    @wanted = @NAMES if !@wanted;
    return grep { !$without{$_} } @wanted;
}

sub names {
    my @names = grep { length } split /[\s,]+/, $_[0];
    for (@names) {
        die "no such kind of fault: $_; there are @NAMES\n" if !$KIND{$_};
    }
    return @names;
}

sub plan {
    my ($seed, $seconds, @kinds) = @_;
    my %kinds = map { $_ => 1 } @kinds;
    my (%scripts, %last);

    srand($seed);
    my @faults = map { lane($seconds, @$_, \%kinds) } @LANES;
    my $clock = 0;
    $_->{to} = $clock += $_->{by} for grep { $_->{kind} eq 'clock' } @faults;

    for my $host (map { "h$_" } 1 .. HOSTS) {
        $scripts{$host} = script($seconds);
        $last{$host} = level() if chance(0.5);
    }

    return { seed => $seed, seconds => $seconds, kinds => \%kinds,
             faults => [ sort { $a->{at} <=> $b->{at} } @faults ],
             scripts => \%scripts, last => \%last };
}

sub lane {
    my ($seconds, $lane, $gap, $kinds) = @_;
    my @kinds = grep { $kinds->{$_} && $KIND{$_}[0] eq $lane } @NAMES;
    my ($at, @faults) = (rand $gap);

    while (@kinds && $at < $seconds) {
        my $kind = pick(@kinds);
        my $fault = { lane => $lane, kind => $kind, at => $at, for => 0,
                      pick => rand, detail($kind) };
        $fault->{for} = min($fault->{for}, $seconds - $at);
        push @faults, $fault;
        $at += $fault->{for} + rand 2 * $gap;
    }

    return @faults;
}

# How long something stands still: half of the times it is long enough for
# Kapacitor to give up.

sub long { for => chance(0.5) ? 1 + rand 5 : 10 + rand 20 }
sub some { for => 1 + rand 6 }

my %DETAIL = (
    crash => sub { for => chance(0.7) ? rand 0.3 : rand 4 },
    quit => sub { for => chance(0.7) ? rand 0.3 : rand 4 },
    term => sub { for => chance(0.7) ? rand 0.3 : rand 4 },
    storm => sub { for => 1 + rand 2, every => 0.05 + rand 0.2 },
    upgrade => sub { for => 0.3 + rand 3 },
    schema => sub { for => 2 + rand 6, by => how(), back => how() },
    folder => sub { for => 2 + rand 6, by => how(), back => how() },
    stop => sub { long(), courier => chance(0.75) },
    full => \&some,
    eio => sub { for => 0.2 + rand 4 },
    enospc => sub { for => 0.2 + rand 4 },
    sync => sub { for => 0.2 + rand 4 },
    stall => sub { long(), who => pick(qw(all courier other)) },
    readonly => \&some,
    clock => sub { by => int(pick(rand 5, rand 300, rand 7200,
                                  -rand 5, -LONGEST - rand 7200)) },
    down => sub { some(), all => chance(0.5) },
    hang => sub { some(), take => int rand 2 },
    slow => sub { some(), drip => chance(0.3), delay => rand 4 },
    error => sub { some(), status => pick(500, 502, 503, 504, 408) },
    later => sub { some(), after => 1 + int rand 4 },
    refuse => sub { some(), status => pick(401, 403, 404) },
    half => sub { some(), place => pick(qw(before mid midbody)) },
    body => sub { some(), huge => chance(0.5) },
    pause => sub { for => 1 + rand 6 },
    mute => \&some,
    babble => sub { some(), how => pick(qw(half end 401 500 page)) },
    map { $_ => \&some } qw(cut limit dead),
);

sub how { pick(qw(QUIT TERM crash)) }
sub detail { my $detail = $DETAIL{$_[0]}; return $detail ? $detail->() : () }

sub level { pick(qw(CRITICAL CRITICAL WARNING OK OK INFO)) }

# Kapacitor's checks go on at their times, even while a webhook waits.

sub script {
    my ($seconds) = @_;
    my ($at, $level, @script) = (rand 1, 'OK');

    while ($at < $seconds) {
        $level = level() if chance(0.7);
        push @script, [ $at, $level ];
        $at += 0.2 + rand 2;
    }

    return \@script;
}

sub lines {
    my ($plan) = @_;

    return map {
        my $fault = $_;
        join ' ', sprintf('%7.2f', $fault->{at}), $fault->{kind},
            map { "$_=" . ($fault->{$_} =~ /\./ ? sprintf('%.2f', $fault->{$_})
                                                : $fault->{$_}) }
            grep { $_ !~ /^(?:at|kind|lane)$/ } sort keys %$fault;
    } @{$plan->{faults}};
}

1;
