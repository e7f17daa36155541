package IlertSoak;

# What an nginx uses while it works for a long time, and whether that is level
# to the end.
#
#     my $soak = IlertSoak->new($q);      # an IlertQueue that runs
#     push @samples, $soak->sample;       # once in each period
#     print IlertSoak::head(), map { IlertSoak::line($_) } @samples;
#     for (IlertSoak::judge(@samples)) { print "$_->{text}\n" }
#
# sample(%more)         { names of %FIGURES => numbers, and %more }:
#                       levels at this moment, and how much was used since the
#                       sample before
# IlertSoak::head, IlertSoak::line($sample)      lines of a table
# IlertSoak::judge(@samples)    list of { name, rises, text }, one of each
#     figure.  Samples with a true "trouble", and the first third, are not
#     judged
# IlertSoak::trend(@numbers)    { growth, z }, see below
#
# A figure rises if both of this is so:
#
#   - Later numbers are greater than earlier ones, more often than chance would
#     have it: by the test of Mann and Kendall, which counts pairs, with
#     a probability of less than one in a thousand (z > 3.1).  What leaks a
#     little with each webhook, each reload, or each trouble makes nearly each
#     pair rise.  One high number, as of a busy machine, changes few pairs.
#   - It has grown by more than is allowed in the time that is judged.  Growth
#     is the median of the slopes of all pairs (Theil and Sen) times that time,
#     so that single numbers do not matter here either.  Without this a memory
#     that grows by one page in an hour would be a finding.
#
# Fewer than MIN numbers are not judged: no trend could be told from chance.
#
# Figures of the system are those of Linux, in /proc.

use warnings;
use strict;

use POSIX ();

use IlertTest qw(process_rss process_cpu slurp);

use constant { MIN => 8, Z => 3.1 };

# Name, title, factor of the table, decimals, and the growth that is allowed:
# so much, or so much of the median.  What is undef is shown, and not judged.
# "files" are all descriptors but sockets.  Of sockets some more are allowed,
# as so many connections to ilert are kept as were needed at a time.

my @FIGURES = (
    [ master => 'master MB', 1e-6, 1, 300_000, 0 ],
    [ worker => 'worker MB', 1e-6, 1, 1_000_000, 0 ],
    [ pss => 'PSS MB', 1e-6, 1, 1_000_000, 0 ],
    [ processes => 'proc', 1, 0, 0.5, 0 ],
    [ files => 'files', 1, 0, 0.5, 0 ],
    [ sockets => 'sockets', 1, 0, 12, 0 ],
    [ database => 'db MB', 1e-6, 2, 200_000, 0.1 ],
    [ wal => 'WAL MB', 1e-6, 2, 200_000, 0.1 ],
    [ log => 'log kB', 1e-3, 1, 1000, 0.2 ],
    [ cpu => 'CPU s', 1, 2, 0.1, 0.25 ],
    [ waiting => 'wait', 1, 0, 20, 0.25 ],
    [ webhooks => 'sent', 1, 0, undef ],
    [ taken => 'taken', 1, 0, undef ],
    [ not_202 => 'not 202', 1, 0, undef ],
);

# Figures that are sums since the beginning: a sample has the difference.

my @SUMS = qw(log cpu webhooks taken not_202);


sub new {
    my ($class, $q) = @_;

    my $self = bless { q => $q, before => {} }, $class;
    $self->sample;
    return $self;
}


sub sample {
    my ($self, %more) = @_;
    my ($q, $t) = ($self->{q}, $self->{q}->test);
    my $master = $t->master;
    my %now = (%{processes($master, $t->_processes)}, %more);

    $now{database} = -s $q->db || 0;
    $now{wal} = -s $q->db . '-wal' || 0;
    $now{waiting} = $q->waiting;
    $now{cpu} += ended_cpu($master);
    $now{log} = $t->mark;
    $now{webhooks} = $q->ledger;
    $now{taken} = $q->fake->counts->{events};
    $now{not_202} = grep { defined $_->{ended} && $_->{status} != 202 }
                    $q->ledger;

    for (@SUMS) {
        my $sum = $now{$_};
        $now{$_} -= $self->{before}{$_} // 0;
        $self->{before}{$_} = $sum;
    }

    return \%now;
}


# What a master and its workers use together, and the greatest worker.

sub processes {
    my ($master, @pids) = @_;
    my %sum = (processes => scalar @pids, files => 0, sockets => 0, pss => 0,
               cpu => 0, worker => 0, master => process_rss($master));

    for my $pid (@pids) {
        my $rss = $pid == $master ? 0 : process_rss($pid);
        my @files = map { readlink($_) // () } glob "/proc/$pid/fd/*";
        my $sockets = grep { /^socket:/ } @files;
        my ($pss) = (slurp("/proc/$pid/smaps_rollup") // '')
                    =~ /^Pss:\s+(\d+) kB/m;

        $sum{files} += @files - $sockets;
        $sum{sockets} += $sockets;
        $sum{pss} += 1024 * ($pss // 0);
        $sum{cpu} += process_cpu($pid);
        $sum{worker} = $rss if $rss > $sum{worker};
    }

    return \%sum;
}


# Seconds of the children of a process that have ended.

sub ended_cpu {
    my ($pid) = @_;
    my $text = slurp("/proc/$pid/stat") // return 0;

    $text =~ s/^.*\) //s;
    my ($user, $system) = (split / /, $text)[13, 14];
    return ($user + $system) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


# The table ---------------------------------------------------------------

sub head {
    return join('', map { sprintf ' %9s', $_ } 'minute',
                map { $_->[1] } @FIGURES) . "\n";
}


sub line {
    my ($sample) = @_;
    my $text = sprintf ' %8.1f%s', $sample->{minute},
                       $sample->{trouble} ? '*' : ' ';

    for (@FIGURES) {
        my ($name, undef, $factor, $decimals) = @$_;
        $text .= sprintf ' %9.*f', $decimals, $sample->{$name} * $factor;
    }

    return "$text\n";
}


# The judgement -----------------------------------------------------------

sub judge {
    my @samples = @_;
    my @judged = grep { !$_->{trouble} } @samples[@samples / 3 .. $#samples];

    return map { judge_figure($_, @judged) } grep { defined $_->[4] }
           @FIGURES;
}


sub judge_figure {
    my ($figure, @judged) = @_;
    my ($name, $title, $factor, $decimals, $most, $part) = @$figure;
    my @numbers = map { $_->{$name} } @judged;
    my $median = median(@numbers);
    my $allowed = $most > $part * $median ? $most : $part * $median;
    my $text = sprintf '%-10s median %.*f', $title, $decimals,
                       $median * $factor;

    return { name => $name, rises => 0,
             text => "$text, too few numbers to judge" }
        if @numbers < MIN;

    my $trend = trend(@numbers);
    my $rises = $trend->{z} > Z && $trend->{growth} > $allowed;

    return { name => $name, rises => $rises ? 1 : 0, text =>
             sprintf '%s, growth %+.*f (allowed %.*f), z %+.1f (%.1f): %s',
             $text, $decimals + 1, $trend->{growth} * $factor, $decimals + 1,
             $allowed * $factor, $trend->{z}, Z, $rises ? 'RISES' : 'level' };
}


sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted ? ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2 : 0;
}


sub trend {
    my @numbers = @_;
    my ($sum, %equal, @slopes) = (0);

    for my $i (0 .. $#numbers) {
        $equal{$numbers[$i]}++;

        for my $k ($i + 1 .. $#numbers) {
            $sum += $numbers[$k] <=> $numbers[$i];
            push @slopes, ($numbers[$k] - $numbers[$i]) / ($k - $i);
        }
    }

    # numbers that are equal make the sum vary less

    my $variance = 0;
    $variance += $_->[1] * $_->[0] * ($_->[0] - 1) * (2 * $_->[0] + 5) / 18
        for [ scalar @numbers, 1 ], map { [ $_, -1 ] } values %equal;

    return {
        growth => median(@slopes) * $#numbers,
        z => $variance > 0 ? ($sum - ($sum <=> 0)) / sqrt $variance : 0,
    };
}

1;
