package IlertReconcile;

# An nginx with a queue that asks Kapacitors, the Kapacitors, and a fake ilert:
# what ilert shows is compared with what they know.
#
#     my $loop = IlertReconcile->new(ask => {
#         main => 'topics=main:*', other => '/ops mode=watch' });
#     my $k = $loop->kapacitor('main');
#     $loop->start;
#     $k->set('main:cpu:alert2', 'web01', 'CRITICAL', lose => 1);
#     $loop->polled(3);
#     is_deeply([ $loop->faults('main') ], []);
#
# new(%opt)
#     ask => { name => arguments of ilert_reconcile }   a location /NAME-api/
#         each, and a Kapacitor; the target is /NAME, a location with the
#         source "ops", unless the arguments begin with "/"; "interval=1s" is
#         added
#     location => text      in the locations that are targets
#     kapacitor => { name => { options of IlertKapacitor } }
#     and all options of IlertQueue->new
# queue, test, fake, kapacitor($name)
# topic($name, $topic, %opt)   of that Kapacitor, whose webhooks come to its
#                       target, or to "to"
# polled($n, @names)    waits until each of them (all) has been asked $n times
#                       more from now on, and the last time is over; where
#                       time can be moved, nobody waits for the next second
# slow($yes)            webhooks are on their way: polls come each second
# settled               waits until all webhooks are taken and delivered
# shown($id[, $source]) "CRITICAL", ".." of an alert that ilert shows as open,
#                       else "OK"; of an id, whatever source it has
# faults(@names)        where ilert does not show what these Kapacitors know
# repairs               those requests that ilert has taken with
#                       customDetails.reconciled; said($from): "TYPE ID LEVEL"
#                       of all that were taken, with "*" if it is a repair
# status($name)         of the Kapacitor, in the JSON of the status
# story(@ids)           what was said of them, by whom, and when: text
# early                 "ID TIME LEVEL" of repairs whose webhook was answered
#                       2xx, too: these were on their way

use warnings;
use strict;

use Time::HiRes qw(sleep time);

use IlertFake;
use IlertKapacitor;
use IlertQueue;
use IlertShim;
use IlertTest ();

sub new {
    my ($class, %opt) = @_;

    my ($ask, $location, $options) = delete @opt{qw(ask location kapacitor)};
    my $self = bless { ask => $ask }, $class;

    $opt{shim} = IlertShim->new if !exists $opt{shim};

    my $server = delete $opt{server} // '';

    for my $name (sort keys %$ask) {
        my $k = IlertKapacitor->start(%{$options->{$name} || {}});
        my $arguments = $ask->{$name};
        my $target = $arguments =~ s{^(/\S+)\s*}{} ? $1 : '';

        $server .= "location = /$name { ilert_kapacitor ops; "
            . ($location // '') . " }\n" if !$target;
        $target ||= "/$name";
        $self->{kapacitor}{$name} = $k;
        ($self->{path}{$name} = $target) =~ s/\?.*//;
        $arguments .= ' interval=1s' if $arguments !~ /interval=/;

        $server .= "location /$name-api/ { internal;\n"
            . "ilert_reconcile $target $arguments;\n"
            . "proxy_read_timeout 3s;\n"      # longer than time is moved
            . "proxy_set_header Accept-Encoding gzip;\n"
            . 'proxy_pass http://' . $k->address . "/kapacitor/v1/; }\n";
    }

    $server .= "location = /status { ilert_status; }\n";
    $self->{queue} = IlertQueue->new(server => $server, log_level => 'notice',
        timeout => '20s', fake => { bodies => 1 }, %opt);
    return $self;
}

sub queue { $_[0]{queue} }
sub test { $_[0]{queue}->test }
sub fake { $_[0]{queue}->fake }
sub slow { my ($self, $yes) = @_; $self->{slow} = $yes }
sub kapacitor { my ($self, $name) = @_; return $self->{kapacitor}{$name} }

for my $name (qw(start stop reload crash)) {
    no strict 'refs';
    *$name = sub {
        my ($self, @arguments) = @_;
        $self->{queue}->$name(@arguments);
        return $self;
    };
}

sub topic {
    my ($self, $name, $topic, %opt) = @_;
    my $to = delete $opt{to} // $self->{path}{$name};
    my $port = $self->test->port;

    $self->kapacitor($name)->topic($topic,
        post => "http://127.0.0.1:$port$to", %opt);
    return $self->kapacitor($name);
}


# Waiting -----------------------------------------------------------------

# A poll begins with the list of topics, and has ended when the status tells of
# another last poll.

sub polled {
    my ($self, $n, @names) = @_;
    @names = sort keys %{$self->{ask}} if !@names;

    my %wait = map { $_ => $self->kapacitor($_)->lists + $n } @names;
    my (%end, %last);

    return IlertTest::wait_until(sub {
        my $status = $self->test->get('/status')->{json}{kapacitor};

        $self->hurry($status);

        for (keys %wait) {
            my $last = $status->{"/$_-api/"}{last_poll} // '';

            if (!$end{$_}) {
                $end{$_} = $self->kapacitor($_)->lists >= $wait{$_};
                $last{$_} = $last;
            }

            delete $wait{$_} if $end{$_} && $last ne $last{$_};
        }

        return !%wait;
    }, 10 + 3 * $n, "$n polls");
}

# If time can be moved, it is, as soon as none of the polls that come each
# second is under way.  The status must have been asked for before we look at
# the number of lists: if both have changed, the poll has ended.

sub hurry {
    my ($self, $status) = @_;
    my $rests = 1;

    return if !$self->{queue}{shim} || $self->{slow};

    for my $name (grep { $self->{ask}{$_} !~ /interval=/ }
                  keys %{$self->{ask}})
    {
        my $seen = $self->{seen}{$name} ||= { lists => -1, last => '' };
        my $lists = $self->kapacitor($name)->lists;
        my $last = $status->{"/$name-api/"}{last_poll} // '';

        $seen->{rests} = 0 if $lists != $seen->{lists};
        $seen->{rests} = 1 if $last ne $seen->{last};
        @$seen{qw(lists last)} = ($lists, $last);
        $rests &&= $seen->{rests};
    }

    return if !$rests;

    $_->{rests} = 0 for values %{$self->{seen}};
    $self->{queue}->pass(1);
}

sub settled {
    my ($self) = @_;
    $_->idle for values %{$self->{kapacitor}};
    return $self->{queue}->drained;
}


# What ilert shows --------------------------------------------------------

sub shown {
    my ($self, $id, $key) = @_;
    my $alerts = $self->fake->alerts;

    for (defined $key ? $key : sort keys %$alerts) {
        my $alert = $alerts->{$_}{IlertFake::fold($id)} or next;
        return $alert->{level} if $alert->{state} ne 'resolved';
    }

    return 'OK';
}

sub faults {
    my ($self, @names) = @_;
    my %level;

    for my $name (@names) {
        my $states = $self->kapacitor($name)->states;
        for my $topic (keys %$states) {
            $level{$_} = $states->{$topic}{$_}{level}
                for keys %{$states->{$topic}};
        }
    }

    return map { my $shown = $self->shown($_);
                 $shown eq $level{$_} ? () : "$_ is $level{$_}: $shown" }
           sort keys %level;
}

sub repairs {
    my ($self) = @_;
    return grep { $_->{taken} && $_->{json}
                  && ($_->{json}{customDetails} // {})->{reconciled} }
           $self->fake->requests;
}

sub said {
    my ($self, $from) = @_;
    my @requests = $self->fake->requests;

    return map {
        my $custom = $_->{json}{customDetails} // {};
        my $level = $_->{event}{level} // '-';
        "$_->{type} " . ($_->{alert_key} // '-') . " $level"
            . ($custom->{reconciled} ? '*' : '')
    } grep { $_->{taken} } @requests[($from // 0) .. $#requests];
}

# A repair and its webhook have the same time and level.

sub early {
    my ($self) = @_;
    my %answered;

    for my $k (values %{$self->{kapacitor}}) {
        for ($k->webhooks) {
            $answered{"$_->{id} $_->{time} $_->{level}"} = $_
                if ($_->{status} // 0) =~ /^2/;
        }
    }

    return map {
        my $custom = $_->{json}{customDetails};
        my $what = join ' ', map { $custom->{$_} // '' } qw(id time level);
        $answered{$what} ? $what : ();
    } $self->repairs;
}

sub story {
    my ($self, @ids) = @_;
    my %wanted = map { $_ => 1 } @ids;
    my @lines;

    for my $name (sort keys %{$self->{kapacitor}}) {
        my $k = $self->{kapacitor}{$name};

        push @lines, map {
            my $what = "$_->{id} $_->{level} $_->{time}";
            ([ $_->{set}, "$name: $what is known" ],
             $_->{begun} ? [ $_->{begun}, "$name: $what is posted" ] : (),
             [ $_->{ended} // $_->{set}, "$name: $what: $_->{outcome} "
               . ($_->{status} // '') ]);
        } grep { $wanted{$_->{id}} } $k->webhooks;

        push @lines, map { [ $_->{time}, "  $name is asked: $_->{uri} "
                             . "$_->{status}" ] } $k->requests;
    }

    push @lines, map {
        my $custom = ($_->{json} // {})->{customDetails} // {};
        [ $_->{time}, "    ilert: $_->{type} $_->{alert_key} "
          . join ' ', map { $custom->{$_} // '' } qw(level time reconciled) ];
    } grep { $wanted{$_->{alert_key} // ''} } $self->fake->requests;

    return join '', map { sprintf "%.3f %s\n", @$_ }
                    sort { $a->[0] <=> $b->[0] } @lines;
}

sub status {
    my ($self, $name) = @_;
    my $r = $self->test->get('/status');
    return $r->{json}{kapacitor}{"/$name-api/"};
}

1;
