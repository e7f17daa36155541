package IlertChaosOracle;

# Finds what is wrong with the requests that ilert got.  It only knows these,
# the webhooks, and what Kapacitor was answered; nothing of the module.  All
# functions depend on their arguments alone.
#
#     my @findings = IlertChaosOracle::judge(
#         webhooks => [ .. ], requests => [ .. ], shown => { .. }, ..);
#
# judge(%history): a list of { kind, alert, text }.  Times are in seconds.
#     webhooks => list, in the order of each alert, of { source, id, n, level,
#         type, begun, ended, status, result, refused }: the Nth webhook of the
#         alert "source/id"; of type "off" are those that are ignored, of
#         which nothing must come to ilert.  A status of 0 means that there was
#         no answer, and "refused" that there was no connection, so that nginx
#         does not have the webhook
#     requests => list, in the order in which ilert read them, of { alert
#         ("source/id"), n, time, status (answered), taken, unsure (the sender
#         cannot know whether it was taken) }
#     shown => { alert => level }   what ilert shows in the end; OK: nothing
#     modes => { source => "coalesce" }   default off
#     troubles => list of [from, to]   processes died, exited, or stood still:
#         what was under way may be sent again
#     excused => list of [from, to]   nothing could be delivered
#     calm => time   from then on all is well, and each webhook is answered
#     patience => seconds that a delivery may take of what is not excused
#     asked => 1       Kapacitor is asked what it knows: what did not come to
#         nginx comes nevertheless, and ilert shows the last state of all
#     end => { NAME => TEXT }   what still was not as it should be when the
#         time for that was over
#
# Kinds, with the promise of docs/design.md and of the reference that each
# breaks:
#     lost       the last state that was answered 202 is not what ilert shows,
#                or what had to arrive did not ("202 means on disk, or taken")
#     phantom    ilert shows an alert of which Kapacitor says that it is over
#     inverted   ilert took an older event of an alert after a newer one
#     duplicate  ilert was told twice, and nobody had reason to do so
#     late       for long, and without reason, ilert did not know of a change
#     refused    in calm a webhook was not answered 202
#     stuck      something still was not as it should be in the end
#     invented   ilert was told what no webhook said
#
# What is allowed, and why:
# - A webhook that was not answered 2xx may have come to ilert, or not: nothing
#   was promised.  So it may be what is shown if nothing later was answered.
# - The order is that of commit, and one webhook is later than another if it
#   was sent after the other's answer, whatever the answer.  One that had none
#   may thus come after its successor, until calm; its successor may be that of
#   a client that gave up.
# - At least once: what was under way in trouble, or had no clear answer, may
#   be sent again; but not after something newer of its alert.
# - A dead letter (400) is not what ilert has to show.
# - If Kapacitor is asked, what came late is followed by the last state again.

use warnings;
use strict;

use IlertFake;
use IlertQueue;

sub judge {
    my (%in) = @_;
    my $h = history(%in);

    return (invented($h), order($h), shown($h), missing($h), again($h),
            late($h), refused($h), stuck($h));
}

sub name { "$_[0]{source}/" . IlertFake::fold($_[0]{id}) }

# Returns { alerts => { alert => { webhooks => { n => webhook }, requests =>
# [..] } } }, with all other members of the arguments.

sub history {
    my (%in) = @_;
    my %alerts;

    for (grep { $_->{type} ne 'off' } @{$in{webhooks}}) {
        $alerts{name($_)}{webhooks}{$_->{n}} = $_;
    }

    push @{$alerts{$_->{alert}}{requests}}, $_ for @{$in{requests}};
    $_->{requests} ||= [] for values %alerts;
    $_->{webhooks} ||= {} for values %alerts;

    return { modes => {}, troubles => [], excused => [], calm => 9**99,
             patience => 30, end => {}, shown => {}, %in,
             alerts => \%alerts };
}

sub finding {
    my ($kind, $alert, $text) = @_;
    return { kind => $kind, alert => $alert, text => $text };
}

# Calls the sub with each alert, in the order of their names.

sub of_each {
    my ($h, $sub) = @_;
    return map { $sub->($_, $h->{alerts}{$_}{webhooks},
                        $h->{alerts}{$_}{requests}) }
           sort keys %{$h->{alerts}};
}

sub accepted { $_[0] && ($_[0]{status} // 0) == 202 }
sub answered { $_[0]{status} || $_[0]{refused} }

# True if it cannot be known whether the webhook was committed before the later
# one, or after it.

sub concurrent {
    my ($h, $webhook, $later) = @_;
    return !answered($webhook) && $later->{begun} < $h->{calm};
}

sub describe {
    my ($w) = @_;
    return sprintf '%d (%s, %s)', $w->{n}, $w->{level},
                   $w->{status} || ($w->{refused} ? 'refused' : 'no answer');
}


sub invented {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my @not = grep { !$webhooks->{$_->{n}}
                         || $webhooks->{$_->{n}}{refused} && !$h->{asked} }
                  @$requests;
        return map { finding(invented => $alert, "$_->{n} was not sent") }
               @not;
    });
}


sub order {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my ($newest, %taken, @found) = (0);

        for my $r (grep { $_->{taken} && $webhooks->{$_->{n}} } @$requests) {
            my $w = $webhooks->{$r->{n}};

            if ($r->{n} >= $newest) {
                $newest = $r->{n};

            } elsif ($taken{$r->{n}}
                     || !concurrent($h, $w, $webhooks->{$newest}))
            {
                push @found, finding(inverted => $alert, describe($w)
                    . ' was taken after ' . describe($webhooks->{$newest}));
            }

            $taken{$r->{n}} = 1;
        }

        return @found;
    });
}


# The levels that ilert may show in the end: that of the last webhook that was
# answered 202, and those of others that may have come after it.

sub may_show {
    my ($h, $last, $webhooks) = @_;
    my @others = grep { !accepted($_) && !$_->{refused} }
                 values %$webhooks;
    my @may = grep { $_->{n} > $last->{n} || concurrent($h, $_, $last) }
              @others;
    return map { $_->{level} } $last, @may;
}

sub is_dead {
    my ($n, $requests) = @_;
    my @of_it = grep { $_->{n} == $n } @$requests;
    return @of_it && $of_it[-1]{status} == 400;
}

sub shown {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my @accepted = sort { $a->{n} <=> $b->{n} }
                       grep { accepted($_) || $h->{asked} } values %$webhooks;
        my $last = $accepted[-1];
        return if !$last || is_dead($last->{n}, $requests);

        my $shown = $h->{shown}{$alert} // 'OK';
        my @may = $h->{asked} ? $last->{level}
                              : may_show($h, $last, $webhooks);
        return if grep { $_ eq $shown } @may;
        return finding($last->{level} eq 'OK' ? 'phantom' : 'lost', $alert,
                       "shown is $shown, the last is " . describe($last));
    });
}


# Webhooks that should have arrived.  With "repeats" and "off" it is known
# which ones have to; and one that was relayed must have, if its result says
# so.  A dead letter may have had repeats, which did not arrive either; or it
# has changed nothing, and the next webhook was a repeat of what ilert showed
# before.  So a webhook is only missing if it is so in both cases.

sub missing {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my @all = sort { $a->{n} <=> $b->{n} } values %$webhooks or return;
        my $mode = $h->{modes}{$all[0]{source}} // 'off';
        my %taken = map { $_->{n} => 1 } grep { $_->{taken} } @$requests;
        my %dead = map { $_->{n} => 1 } grep { accepted($_)
                       && is_dead($_->{n}, $requests) } @all;

        my @relayed = grep { accepted($_) && !$taken{$_->{n}}
                             && ($_->{result} // '') eq 'DELIVERED' } @all;
        my %either = map { $_ => 1 }
                     not_arrived($mode, $alert, { %taken, %dead }, @all);
        my @both = grep { $either{$_} }
                   not_arrived($mode, $alert, \%taken,
                               grep { !$dead{$_->{n}} } @all);
        my @missing = grep { !excused_by_another($h, $_, \@all, $mode) }
                      map { $webhooks->{$_} } @both;

        my %seen;
        return map { finding(lost => $alert, describe($_)
                             . ' did not arrive') }
               grep { !$seen{$_->{n}}++ } @relayed, @missing;
    });
}

# The numbers of the webhooks that should have arrived, but are not in %$taken.

sub not_arrived {
    my ($mode, $alert, $taken, @webhooks) = @_;
    my %taken = map { ("$alert $_" => 1) } keys %$taken;
    my ($source) = $alert =~ m{^([^/]+)/};

    return map { /^\S+ (\d+):/ ? $1 : () }
           IlertQueue::missing($mode, \%taken,
               map { { %$_, source => $source, priority => '',
                       event => $_->{n} } } @webhooks);
}

# A webhook without an answer may have been committed at any time, and the
# given webhook may have been a repeat of it.

sub excused_by_another {
    my ($h, $webhook, $all, $mode) = @_;
    return $mode ne 'off' && grep { $_->{n} < $webhook->{n}
        && concurrent($h, $_, $webhook) } @$all;
}


sub overlaps {
    my ($from, $to, @intervals) = @_;
    return grep { $_->[0] <= $to && $_->[1] >= $from } @intervals;
}

sub again {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my (%before, @found);
        my $newest = 0;

        for my $r (grep { $_->{taken} } @$requests) {
            %before = () if $h->{asked} && $r->{n} < $newest;
            $newest = $r->{n};
            my $before = $before{$r->{n}};
            push @found, finding(duplicate => $alert,
                sprintf '%d was taken again after %.1f s', $r->{n},
                $r->{time} - $before->{time})
                if $before && !$before->{unsure}
                   && !overlaps($before->{time} - 1, $r->{time},
                                @{$h->{troubles}});
            $before{$r->{n}} = $r;
        }

        return @found;
    });
}

# How many seconds between two times are in none of the intervals.

sub outside {
    my ($from, $to, @intervals) = @_;
    my $sum = 0;

    for (sort { $a->[0] <=> $b->[0] } @intervals) {
        my ($begin, $end) = @$_;
        last if $begin >= $to;
        next if $end <= $from;
        $sum += $begin - $from if $begin > $from;
        $from = $end;
        return $sum if $from >= $to;
    }

    return $sum + $to - $from;
}

# Changes that ilert was told too late.  Later webhooks may have been told in
# the place of a change.  Then the time counts from the first of these webhooks
# on, if ilert showed the level of none of them meanwhile.  Repeats do not
# count, since they may be held; nor does what was over before it was told.

sub late {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks, $requests) = @_;
        my ($level, $newest, @found) = ('OK', 0);

        for my $r (grep { $_->{taken} } @$requests) {
            my $w = $webhooks->{$r->{n}} or next;
            my $first = first_untold($webhooks, $w, $newest, $level);
            $level = $w->{level};
            $newest = $w->{n} if $newest < $w->{n};
            next if !$first || $first->{ended} >= $r->{time};

            my $took = outside($first->{ended}, $r->{time}, @{$h->{excused}});
            push @found, finding(late => $alert, sprintf
                '%s was told, by %s, after %.1f s, %.1f s of them without '
                . 'reason', describe($first), describe($w),
                $r->{time} - $first->{ended}, $took)
                if $took > $h->{patience};
        }

        return @found;
    });
}

# Looks at the accepted webhooks after the newest one that ilert had taken, up
# to the one that it takes now.  Returns the first one of those at the end that
# all differ from the level shown, or undef.

sub first_untold {
    my ($webhooks, $w, $newest, $level) = @_;
    my $first;

    for my $n ($newest + 1 .. $w->{n}) {
        my $other = $webhooks->{$n};
        next if !accepted($other);
        $first = $other->{level} eq $level ? undef : $first // $other;
    }

    return $first;
}


sub refused {
    my ($h) = @_;

    return of_each($h, sub {
        my ($alert, $webhooks) = @_;
        return map { finding(refused => $alert, describe($_)) }
               grep { $_->{begun} >= $h->{calm} && !accepted($_) }
               values %$webhooks;
    });
}

sub stuck {
    my ($h) = @_;
    my $end = $h->{end};
    return map { finding(stuck => $_, $end->{$_}) } sort keys %$end;
}

1;
