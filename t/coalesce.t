#!/usr/bin/perl

# What need not be sent: a table of what ilert shows, what waits, and what is
# to arrive, for each way of coalescing; what is under way; crashes, reloads,
# and relays.  Kapacitor's previousLevel is made by chance.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Errno qw(ENOSPC);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertRandom qw(chance pick);
use IlertShim;
use IlertTest;

IlertQueue::need();
IlertRandom::seed();

# A source of each mode; "off" is no name of one.

my @MODES = qw(every repeats latest);
my %MODE = (every => 'off', repeats => 'repeats', latest => 'latest');
my %KEY = (every => 'il1api5ec4e7d01', repeats => 'il1api5ec4e7d02',
           latest => 'il1api5ec4e7d03', native => 'il1kap5ec4e7d04',
           default => 'il1api5ec4e7d05');
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KEY{native}";

my $more = 'rate off; retry 50ms 200ms; concurrency 200; repeat 2h;';
my %sources = map { $_ => "integration_key $KEY{$_}; coalesce $MODE{$_}; "
                          . $more } @MODES;
$sources{native} = "webhook_url $URL; coalesce repeats; $more";
$sources{default} = "integration_key $KEY{default}; $more";

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', shim => $shim, timeout => '20s',
    sources => \%sources, defaults => 1, rate => 'off',
    keys => { map { $KEY{$_} => $_ eq 'native' ? 'kapacitor' : 'api' }
              keys %KEY });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;
$shim->folder($q->dir);
$t->expect_log(qr/exited on signal 9/, qr/shared memory zone .* was locked/);


# "C" is an event of level CRITICAL, "Ch" of priority HIGH, and so on; "A" is
# an ACCEPT and "M" a COMMENT.

my %LEVEL = (C => 'CRITICAL', W => 'WARNING', I => 'INFO', O => 'OK');
my %PRIORITY = (h => 'HIGH', l => 'LOW');
my %TYPE = (A => 'ACCEPT', M => 'COMMENT');

sub hook {
    my ($source, $id, @letters) = @_;

    for (@letters) {
        my ($level, $priority) = split //;
        my $r = $q->post($id, $LEVEL{$level} // 'CRITICAL',
            source => $source, previous => pick(values %LEVEL),
            type => $TYPE{$level},
            priority => $priority && $PRIORITY{$priority});
        is($r->{status}, 202, "$source $id $_") if $r->{status} != 202;
    }
}

# Numbers of the events of an alert that ilert took, without those before $n

sub got {
    my ($source, $id, $n) = @_;
    return join ' ', grep { $_ > ($n // 0) }
                     @{$q->taken->{"$source/$id"} || []};
}

sub rows {
    my ($source) = @_;
    return $q->value('select count(*) from event where alert in (select id'
        . " from alert where source = (select id from source where"
        . " name = '$source'))");
}


# What ilert shows by what it was told; what waits; what it gets then.  "+" is
# a repeat, which has to wait.

my @CASES = (
    # nothing is known of these: ilert may show them by an earlier queue
    [ '', 'C', '1', '1' ],
    [ '', 'W', '1', '1' ],
    [ '', 'C C C', '3', '3' ],
    [ '', 'W C', '1 2', '2' ],
    [ '', 'C W C', '1 2 3', '3' ],
    [ '', 'W W C C I', '2 4 5', '5' ],
    [ '', 'C O', '1 2', '2' ],
    [ '', 'C O C', '1 2 3', '3' ],
    [ '', 'C C O O', '2 4', '4' ],
    [ '', 'W C W O', '1 2 3 4', '4' ],
    [ '', 'C O W O', '1 2 3 4', '4' ],
    [ '', 'O', '1', '1' ],
    [ '', 'O O', '2', '2' ],
    [ '', 'O C', '1 2', '2' ],
    [ '', 'O C O', '1 2 3', '3' ],

    # open
    [ 'C', 'C', '+', '+' ],
    [ 'C', 'C C C', '+', '+' ],
    [ 'I', 'I I', '+', '+' ],
    [ 'C', 'W', '2', '2' ],
    [ 'W', 'C', '2', '2' ],
    [ 'C', 'C W', '3', '3' ],
    [ 'C', 'W C', '2 3', '+' ],
    [ 'W', 'C W', '2 3', '+' ],
    [ 'C', 'W W C C', '3 5', '+' ],
    [ 'C', 'W I', '2 3', '3' ],
    [ 'W C', 'W', '3', '3' ],
    [ 'W C', 'C', '+', '+' ],
    [ 'C', 'O', '2', '2' ],
    [ 'C', 'O O O', '4', '4' ],
    [ 'C', 'C C O', '4', '4' ],
    [ 'C', 'O C', '2 3', '+' ],
    [ 'C', 'O W', '2 3', '3' ],
    [ 'C', 'O C O', '2 3 4', '4' ],
    [ 'C', 'W O', '2 3', '3' ],
    [ 'C O C', 'C O', '5', '5' ],
    [ 'C O C', 'C', '+', '+' ],

    # resolved
    [ 'C O', 'O', '', '' ],
    [ 'C O', 'O O', '', '' ],
    [ 'O', 'O', '', '' ],
    [ 'C O', 'C', '3', '3' ],
    [ 'C O', 'O O C', '5', '5' ],
    [ 'C O', 'C O', '3 4', '' ],
    [ 'C O', 'O W O', '4 5', '' ],
    [ 'C O', 'C C W O', '4 5 6', '' ],
    [ 'O', 'C O', '2 3', '' ],

    # another priority
    [ 'C', 'Ch', '2', '2' ],
    [ 'Ch', 'C', '2', '2' ],
    [ 'Ch', 'Cl', '2', '2' ],
    [ 'Ch', 'Ch', '+', '+' ],
    [ '', 'C Ch Ch C', '1 3 4', '4' ],
    [ 'Ch', 'O Oh', '3', '3' ],

    # nothing is coalesced over these, nor are they
    [ 'C', 'M', '2', '2' ],
    [ 'C', 'M M', '2 3', '2 3' ],
    [ 'C', 'A A', '2 3', '2 3' ],
    [ '', 'C M O', '1 2 3', '1 2 3' ],
    [ '', 'C M C', '1 2 +', '1 2 +' ],
    [ '', 'W C M C O', '1 2 3 5', '2 3 5' ],
    [ 'C', 'A C', '2 +', '2 +' ],
    [ 'C', 'C M', '3', '3' ],
    [ 'C', 'O M O', '2 3', '2 3' ],
    [ 'C', 'M W M O', '2 3 4 5', '2 3 4 5' ],
);

# Each case has its alert, in each source.

sub each_case {
    my ($sub) = @_;

    for my $i (0 .. $#CASES) {
        my ($known, $wait, @expected) = @{$CASES[$i]};
        my @known = split ' ', $known;
        my @wait = split ' ', $wait;
        unshift @expected, join ' ', @known + 1 .. @known + @wait;

        $sub->("k$i", \@known, \@wait, "$known | $wait",
               map { $MODES[$_] => $expected[$_] } 0 .. 2);
    }
}

# Levels that differ are sent one by one.

sub make_known {
    for my $n (0 .. 2) {
        each_case(sub {
            my ($id, $known) = @_;
            return if !defined $known->[$n];
            hook($_, $id, $known->[$n]) for @MODES;
        });
        ok($q->drained, 'known');
    }
}

sub make_wait {
    each_case(sub { my ($id, $known, $wait) = @_;
                    hook($_, $id, @$wait) for @MODES });
}


subtest 'the table' => sub {
    make_known();

    # a pause of the keys, in which nothing is under way
    my $rule = $fake->rule(status => 429, headers => [ 'Retry-After' => 600 ]);
    hook($_, 'pause', 'O') for @MODES;
    ok($fake->wait_requests($fake->counts->{events} + 3, 3));
    $q->calm(0.3);
    make_wait();
    ok($q->calm(0.2), 'nothing is under way');
    $fake->drop_rule($rule);
    $q->pass(601);
    $q->settled;

    my %held;
    each_case(sub {
        my ($id, $known, $wait, $what, %expected) = @_;
        for my $mode (@MODES) {
            my $expected = $expected{$mode};
            $held{$mode}++ if $expected =~ s/ ?\+$//;
            is(got($mode, $id, scalar @$known), $expected, "$mode: $what");
        }
    });

    is(rows($_), $held{$_} // 0, "$_: repeats wait") for @MODES;

    # the newest one of each goes when it is time
    my $n = $fake->counts->{requests};
    $q->pass(7200 - 601 - 60);
    ok($q->calm(0.8), 'for two hours');
    $q->pass(700);
    ok($q->drained, 'then they go');
    each_case(sub {
        my ($id, $known, $wait, $what, %expected) = @_;
        for my $mode (grep { $expected{$_} =~ /\+$/ } @MODES) {
            (my $all = $expected{$mode}) =~ s/\+/@$known + @$wait/e;
            is(got($mode, $id, scalar @$known), $all, "$mode: $what");
        }
    });
    is($fake->counts->{requests} - $n, $held{repeats} + $held{latest},
       'no others');
};

# Alerts of a subtest, that nothing is known of, in each source; what was
# before is settled.

sub fresh {
    my ($what, $sub, @audit) = @_;
    @audit = @MODES if !@audit;

    subtest $what => sub {
        $fake->clear_rules;
        $fake->accept;
        $q->forget;
        $sub->();
        ok($q->settled, 'nothing more comes');
        is_deeply([ $q->faults(mode => $MODE{$_}, source => $_,
                              parallel => 0) ], [],
                  "$_: the audit") for grep { $_ } @audit;
    };
}

# The same while ilert cannot be reached: some are tried meanwhile.

fresh 'an outage' => sub {
    $fake->refuse(all => 1);
    my $n = 0;
    for my $case (grep { $_->[0] eq '' } @CASES) {
        $n++;
        hook($_, "x$n", split ' ', $case->[1]) for @MODES;
    }
    $fake->accept;
    $q->settled(1);
};

# By default nobody hears of what was opened and was over meanwhile.

fresh 'an outage, by default' => sub {
    hook('default', $_, 'C', 'O') for qw(before over);
    ok($q->settled, 'all is resolved');

    $fake->refuse(all => 1);
    hook('default', 'over', 'C', 'W', 'O');
    hook('default', 'bad', 'W', 'C');
    $q->calm(0.3);
    $fake->accept;
    ok($q->settled(1), 'ilert is back');
    is(got('default', 'over', 2), '', 'what is over');
    is(got('default', 'bad'), '2', 'what is bad');
    is_deeply([ $q->faults(mode => 'latest', source => 'default') ], [],
              'the audit');
}, '';

# What comes while an event of its alert is under way is judged when that has
# its verdict.

my @UNDER_WAY = (
    [ '', 'C', 'C C', '1 +', '1 +' ],
    [ '', 'C', 'C W', '1 3', '1 3' ],
    [ '', 'C', 'O', '1 2', '1 2' ],
    [ '', 'C', 'O C', '1 2 3', '1 +' ],
    [ '', 'C', 'W C W', '1 2 3 4', '1 4' ],
    [ '', 'W', 'O W O', '1 2 3 4', '1 4' ],
    [ 'C', 'O', 'C O', '2 3 4', '2' ],
    [ 'C', 'O', 'O', '2', '2' ],
    [ 'C', 'W', 'W W', '2 +', '2 +' ],
    [ 'C', 'W', 'C', '2 3', '2 3' ],
    [ 'C', 'M', 'C', '2 +', '2 +' ],
);

fresh 'under way' => sub {
    my $each = sub {
        my ($sub) = @_;
        for my $i (0 .. $#UNDER_WAY) {
            my ($known, $first, $others, @expected) = @{$UNDER_WAY[$i]};
            for my $mode (1, 2) {
                $sub->($MODES[$mode], "u$i", $expected[$mode - 1],
                       [ split ' ', $known ], $first, split ' ', $others);
            }
        }
    };

    $each->(sub { my ($mode, $id, undef, $known) = @_;
                  hook($mode, $id, @$known) });
    ok($q->settled, 'known');
    my $n = $fake->counts->{requests};
    $fake->rule(hold => 1);
    $each->(sub { my ($mode, $id, undef, undef, $first) = @_;
                  hook($mode, $id, $first) });
    ok($fake->wait_requests($n + 2 * @UNDER_WAY, 3), 'under way');
    $each->(sub { my ($mode, $id, undef, undef, undef, @others) = @_;
                  hook($mode, $id, @others) });
    is($fake->counts->{inflight}, 2 * @UNDER_WAY, 'still');
    $fake->clear_rules;
    $q->settled;

    $each->(sub {
        my ($mode, $id, $expected, $known, @letters) = @_;
        $expected =~ s/ ?\+$//;
        is(got($mode, $id, scalar @$known), $expected,
           "$mode: @$known | @letters");
    });
};

# Nobody knows whether ilert has them: what ends them is sent.

fresh 'no verdict' => sub {
    my @rules = map { $fake->rule(match => qr/"[vw]$_ \d"/, hold => 1,
                                  reset => 'after', take => $_) } 0, 1;
    for my $mode (@MODES) {
        hook($mode, $_, 'C') for qw(v0 w0 v1 w1);
    }
    ok($fake->wait_requests(12, 3));
    for my $mode (@MODES) {
        hook($mode, $_, 'O') for qw(v0 v1);
        hook($mode, $_, 'O', 'W', 'O') for qw(w0 w1);
    }
    $fake->drop_rule($_) for @rules;
    $q->settled(0.8);

    for my $mode (@MODES) {
        like(got($mode, $_), qr/\b2$/, "$mode: the RESOLVE") for qw(v0 v1);
        like(got($mode, $_), qr/\b4$/, "$mode: the last") for qw(w0 w1);
    }
};

fresh 'a crash' => sub {
    for my $taken (0, 1) {
        $fake->rule(match => qr/"y$taken \d"/, hang => 1, take => $taken);
        hook($_, "y$taken", 'C') for @MODES;
    }
    ok($fake->wait_requests(6, 3));
    $fake->refuse(all => 1);
    $q->crash;
    $fake->clear_rules;
    $q->start;
    for my $mode (@MODES) {
        hook($mode, $_, 'O') for qw(y0 y1);
    }
    $fake->accept;
    $q->settled(0.8);
    for my $mode (@MODES) {
        like(got($mode, $_), qr/\b2$/, "$mode: the RESOLVE") for qw(y0 y1);
    }
};

fresh 'a restart knows what is shown, and a crash does not' => sub {
    hook($_, 'z', 'C') for @MODES;
    $q->settled;
    $q->stop->start;
    hook($_, 'z', 'C') for @MODES;
    $q->settled;
    $q->crash;
    $q->start;
    hook($_, 'z', 'C') for @MODES;
    $q->settled;
    hook($_, 'z', 'O') for @MODES;
    $q->settled;
    hook($_, 'z', 'O') for @MODES;
    $q->crash;
    $q->start;
    hook($_, 'z', 'O') for @MODES;
    $q->settled;

    # one whose verdict was not on disk is sent again
    is(got('every', 'z') =~ s/\b(\d+)(?: \1\b)+/$1/gr, '1 2 3 4 5 6', 'off');

    # after a crash nobody knows what was relayed
    is(got($_, 'z'), '1 3 4 6', $_) for qw(repeats latest);
};

# Of what nothing will resolve each message is told, once.

sub traps {
    my ($source, $id, @messages) = @_;

    for (@messages) {
        my $r = $q->post($id, 'CRITICAL', source => $source, message => $_,
                         recoverable => 'false');
        is($r->{status}, 202, "$source $id") if $r->{status} != 202;
    }
}

fresh 'traps' => sub {
    my @sources = qw(repeats latest native);
    my $n = $fake->counts->{requests};

    traps($_, 't', 't 1', 't 2', 't 3') for @sources;
    ok($fake->wait_requests($n + 9, 5), 'they come at once');
    is(got($_, 't'), '1 2 3', "$_: all, and in order") for @sources;

    traps($_, 't', 't 3', 't 3') for @sources;
    ok($q->calm(0.4), 'another one with the same message is a repeat');
    traps($_, 't', 't 6') for @sources;
    ok($fake->wait_requests($n + 12, 5), 'news do not wait for it');

    $fake->refuse(all => 1);
    traps($_, 'u', 'u 1', 'u 2', 'u 2', 'u 4') for @sources;
    hook($_, 'u', 'O') for @sources;
    $fake->accept;
    ok($q->settled(1), 'ilert is back');
    is(got($_, 'u'), '1 2 4 5', "$_: none was dropped") for @sources;

    # those that Kapacitor resolves are states

    hook($_, 'v', 'C') for @sources;
    $q->settled;
    hook($_, 'v', 'C') for @sources;
    ok($q->calm(0.4), 'another message is no news');
};

# The end of an alert of which ilert was told nothing, since the mapping has
# ignored it, or since it was over before its turn, is told only in doubt.

{
    my %began;

    # what has begun at that time, by the clock of nginx, comes now

    sub known {
        my ($source, $level, $ignored, @ids) = @_;
        my $now = sprintf '%.3f', time() + $shim->{passed};

        for my $id (@ids) {
            my $began = $began{"$source $id"} //= $now;
            delete $began{"$source $id"} if $level eq 'OK';

            my $r = $q->post($id, $level, source => $source, time => $now,
                duration => int(($now - $began) * 1e9),
                type => $ignored ? 'off' : undef);
            is($r->{status} . $r->{result},
               $ignored ? '202IGNORED' : '202ACCEPTED', "$source $id $level")
                if $r->{result} ne ($ignored ? 'IGNORED' : 'ACCEPTED');
        }
    }
}

sub noted {
    my ($n) = @_;
    return wait_until(sub {
        $q->value("select count(*) from alert where key like 'quiet%'") == $n
    }, 5);
}

fresh 'ends that nobody needs' => sub {
    my @ids = map { "quiet$_" } 1 .. 20;
    my @sources = qw(latest repeats);
    my $n;

    # all is in doubt after a crash

    $q->crash;
    $q->start;
    known('latest', 'WARNING', 1, 'quiet0');
    known('latest', 'OK', 0, 'quiet0');
    ok($q->settled, 'in doubt');
    is(got('latest', 'quiet0'), '2', 'an end is sent');

    $q->pass(70);
    $n = $fake->counts->{requests};

    for my $round (1 .. 3) {
        known($_, 'WARNING', 1, @ids) for @sources;
        ok(noted(41), 'each has a row');
        known($_, 'OK', 0, @ids) for @sources;
    }

    known('latest', 'CRITICAL', 1, 'quiet0');
    known('latest', 'OK', 0, 'quiet0');
    ok($q->calm(0.4), 'no request');

    # an alert that was over before its turn

    $fake->refuse(all => 1);
    known('latest', 'CRITICAL', 0, 'brief');
    known('latest', 'OK', 0, 'brief');
    known('native', 'CRITICAL', 0, 'native');
    $q->calm(0.3);
    $fake->accept;
    ok($fake->wait_requests($n + 1, 5), 'only one that is bad');
    is(got('latest', 'brief'), '', 'of the other one nobody hears');

    # what began before that, or is not known by its id, is in doubt

    known('latest', 'OK', 0, 'first');
    my $now = time() + $shim->{passed};
    my %quiet = (source => 'latest', type => 'off');
    $q->post('before', 'WARNING', %quiet, time => $now - 3600);
    $q->post('missed', 'WARNING', %quiet, time => $now, duration => 1);
    $q->post('when', 'WARNING', %quiet, time => $now, duration => '"x"');
    known('latest', 'OK', 0, qw(before missed when));
    ok($fake->wait_requests($n + 5, 5), 'in doubt');

    # and what was told has an end

    known('latest', 'CRITICAL', 0, 'quiet1');
    ok($fake->wait_requests($n + 6, 5));
    known('latest', 'OK', 0, 'quiet1');
    ok($fake->wait_requests($n + 7, 5), 'what was told is ended');

    # after a restart it is still known

    $q->stop->start;
    known($_, 'OK', 0, @ids[2 .. 9]) for @sources;
    ok($q->calm(0.4), 'a restart forgets nothing');
    $q->crash;
    $q->start;
    known('latest', 'OK', 0, 'quiet5');
    ok($fake->wait_requests($n + 8, 5), 'after a crash it is in doubt');
}, 'latest';

# Names of an alert that ilert does not tell apart

fresh 'names' => sub {
    hook('repeats', 'NaMe', 'C');
    $q->settled;
    hook('repeats', ' name ', 'C', 'C');
    hook('latest', 'one', 'C');
    hook('latest', 'Two', 'C');
    $q->settled;
    is(got('repeats', 'name'), '1');
    is(got('latest', $_), '1') for qw(one two);
};

fresh 'a source with a webhook URL' => sub {
    hook('native', 'n', 'C');
    $q->settled;
    hook('native', 'n', 'C', 'C');
    $q->settled;
    is(got('native', 'n'), '1', 'repeats');
    hook('native', 'n', 'W', 'O', 'O');
    $q->settled;
    is(got('native', 'n') =~ s/ 5$/ 6/r, '1 4 6', 'and the rest');
    hook('native', 'n', 'O');
    $q->settled;
    is_deeply([ $q->faults(mode => 'repeats', source => 'native') ], []);
};

# A reload that changes the way

fresh 'another way' => sub {
    my $rule = $fake->rule(status => 429, headers => [ 'Retry-After' => 60 ]);
    my $change = sub {
        my (%way) = @_;
        $q->change(sources => { %sources, map {
            $_ => $sources{$_} =~ s/coalesce \w+/coalesce $way{$_}/r
        } keys %way });
        $q->reload;
    };

    hook($_, 'm', qw(C W O)) for @MODES;
    hook($_, 'o', qw(O W C)) for @MODES;
    ok($fake->wait_requests(3, 3));
    $q->calm(0.2);
    $change->(every => 'latest', repeats => 'latest', latest => 'off');
    $fake->clear_rules;
    $q->pass(61);
    $q->settled;
    is(got($_, 'm'), '3', "$_ to latest: only the last one") for
        qw(every repeats);
    is(got($_, 'o'), '3', "$_ to latest") for qw(every repeats);
    is(got('latest', 'o'), '3', 'latest to off: what is left');

    hook($_, 'h', 'C') for @MODES;
    $q->settled;
    hook($_, 'h', 'C') for @MODES;
    $q->settled;
    is(got('repeats', 'h'), '1', 'is held');
    $change->(every => 'off', repeats => 'off', latest => 'off');
    $q->settled;
    is(got('repeats', 'h'), '1 2', 'off: it goes');
    hook($_, 'h', 'C') for @MODES;
    $q->settled;
    is(got('repeats', 'h'), '1 2 3', 'and others');

    $change->(every => 'off', repeats => 'repeats', latest => 'latest');
    hook($_, 'h', 'C', 'O') for @MODES;
    $q->settled;
    is(got('repeats', 'h'), '1 2 3 5', 'repeats');
}, '';

# After the last repeat of a burst ilert gets the newest content, once.

fresh 'times' => sub {
    $q->change(sources => { map { $_ => $sources{$_} =~ s/2h/1s/r }
                            keys %sources });
    $q->reload;
    hook($_, 'b', 'C') for @MODES;
    $q->settled;
    my $begun = time();
    while (time() < $begun + 1.7) {
        hook($_, 'b', 'C') for qw(repeats latest);
        sleep(0.1);
    }
    ok($q->drained, 'they go in the end');

    for my $mode (qw(repeats latest)) {
        my @came = grep { $_->{key} eq $KEY{$mode} } $fake->requests;
        my @gaps = map { $came[$_]{time} - $came[$_ - 1]{time} } 1 .. $#came;
        ok(@came >= 3 && @came <= 4, "$mode: $#came repeats");
        is(scalar(grep { $_ < 0.98 } @gaps), 0, join ' ', map {
            sprintf '%.2f s', $_ } @gaps);
        my ($last) = reverse grep { $_->{source} eq $mode } $q->ledger;
        is($came[-1]{event}{summary}, "b $last->{n}", 'the newest content');
    }

    $q->change(sources => \%sources)->reload;
};

# Nothing is lost that is too old and would have told nothing.

fresh 'max_age' => sub {
    $q->change(sources => { map { $_ => "$sources{$_} max_age 1m;" }
                            keys %sources });
    $q->reload;
    hook($_, 'p', 'C') for @MODES;
    $q->settled;
    hook($_, 'p', 'C') for qw(repeats latest);
    $q->settled;
    my $n = $fake->counts->{requests};
    $q->pass(7300);
    ok($q->drained(5), 'repeats go, one way or the other');
    is_deeply([ $q->dead ], [], 'no dead letter');
    cmp_ok($fake->counts->{requests} - $n, '<=', 2);
    $q->change(sources => \%sources)->reload;
};

# What was relayed has told ilert nobody knows what.

fresh 'a disk that fails' => sub {
    hook($_, 'd', 'C') for @MODES;
    hook($_, 'e', 'C') for @MODES;
    hook($_, 'f', 'C') for @MODES;
    $q->settled;
    hook($_, 'e', 'O') for @MODES;
    hook('repeats', 'f', 'C');
    hook('repeats', 'k', 'C');
    $q->settled;
    hook('repeats', 'k', 'C');
    $q->settled;
    is(rows('repeats'), 2, 'repeats wait');

    $shim->write_error(ENOSPC);
    $shim->sync_error(ENOSPC);
    ok(wait_until(sub {
        $q->post('g', 'CRITICAL', source => 'repeats')->{result} eq 'DELIVERED'
    }, 5), 'relayed');
    $q->post('d', 'OK', source => $_) for @MODES;
    is($q->post('k', 'OK', source => 'repeats')->{result}, 'DELIVERED',
       'a repeat that waits is no obstacle');
    $shim->write_error(0);
    $shim->sync_error(0);
    my $n = 0;
    ok(wait_until(sub {
        my $r = $q->post('g', 'CRITICAL', source => 'repeats');
        $n = $r->{result} eq 'ACCEPTED' ? $n + 1 : 0;
        return $n == 10;
    }, 8), 'and committed again, by all workers');
    $q->settled;

    $n = $fake->counts->{requests};
    hook($_, 'd', 'O') for qw(repeats latest);
    hook($_, 'e', 'O') for qw(repeats latest);
    hook($_, 'f', 'C') for qw(repeats latest);
    ok(wait_until(sub {
        my %came = map { s/ \d+$//r => 1 } $q->came($n);
        return 3 == grep { $came{$_} } qw(d e f);
    }, 5), 'nothing is known');
    $q->settled;
    is(got($_, 'e'), '1 2 3', "$_: a RESOLVE") for qw(repeats latest);
    is(got('latest', 'f'), '1 2', 'latest: no repeat');
    is(got('repeats', 'f'), '1 3', 'repeats: nor what was held');
    is(got('repeats', 'k'), '1 3', 'which does not open an alert again');

    # now it is
    hook($_, 'e', 'O') for qw(repeats latest);
    hook($_, 'f', 'C') for qw(repeats latest);
    $q->settled;
    is(got($_, 'e'), '1 2 3', "$_: known") for qw(repeats latest);
};

done();
