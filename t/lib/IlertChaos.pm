package IlertChaos;

# A plan of IlertChaosPlan, carried out on a real nginx with Kapacitors before
# it and a fake ilert behind it, and judged by IlertChaosOracle.
#
#     my $chaos = IlertChaos->new(seed => 7, seconds => 60);
#     my @findings = $chaos->run;
#
# new(%opt)     seed, seconds, faults, without (see IlertChaosPlan::kinds)
# run           list of { kind, alert, text }
# summary       { seed, webhooks, accepted, repaired, events, again, faults =>
#               { kind => number }, findings => { kind => number }, skipped =>
#               [kinds] }
# story         the plan, what became of it, findings, and the history of the
#               alerts that they are about: text
#
# A Kapacitor sends the webhooks of a host in their order, the next one when
# the one before was answered or 30 s are over; it tries none again.  Each host
# has one for each location:
#     level     sources hot and calm, which have one key, by the level, and
#               "coalesce latest"
#     every     "coalesce off"
#     steady    "coalesce repeats"
#     native    a source of type Kapacitor, "coalesce latest"
#
# When the last fault has ended, and all is well again, the Kapacitors send
# what is left, and half of them one more webhook.  All of it must be answered
# 202, and delivered soon.
#
# Of a host of "level" the INFOs are ignored, unless Kapacitor is asked.
#
# With "asked", each location has a Kapacitor that can be asked: what was lost
# is repaired, and in the end ilert shows what Kapacitor knows, whatever it was
# answered.  Half of the Kapacitors send nothing in calm, then.

use warnings;
use strict;

use Errno qw(EACCES EIO ENOSPC EROFS);
use Test::More ();
use Time::HiRes qw(time);

use IlertChaosOracle;
use IlertChaosPlan;
use IlertFake;
use IlertKapacitor;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest qw(mount unmount fill);

my %KEY = (level => 'il1api5ec4e7c01', every => 'il1api5ec4e7c02',
           steady => 'il1api5ec4e7c03', native => 'il1kap5ec4e7c04');
my %MODE = (level => 'latest', every => 'off', steady => 'repeats',
            native => 'latest');
my $TOPIC = 'main:chaos:alert1';
my $ROOT = 'https://api.ilert.com/api/v1/events/kapacitor';

use constant {
    WORKERS => 3,
    # seconds

    KAPACITOR => 30,    # Kapacitor waits for an answer
    WELL => 90,         # all gets well after the last fault
    DRAIN => 180,       # all that waits is delivered after that
    AGREE => 30,        # ilert shows what Kapacitor knows after that
    PATIENCE => 20,     # a change is told to ilert, if nothing is in its way
    GRACE => 12,        # nothing need be delivered after a fault has ended
    LATER => 70,        # have gone by when the chaos begins
};

# GRACE of some kinds.  A source that is refused is probed after 30 s, and
# later after a minute.

my %GRACE = (refuse => 75);

sub new {
    my ($class, %opt) = @_;

    my @kinds = IlertChaosPlan::kinds(@opt{qw(faults without)});
    my $self = bless {
        begun => time(), did => [], done => {}, trouble => [], excused => [],
        tasks => [], active => {}, orders => {}, unsure => {}, end => {},
        skipped => [], state => {}, shim => IlertShim->new,
    }, $class;

    my %kinds = map { $_ => 1 } @kinds;
    $self->make_nginx(\%kinds);
    @kinds = $self->possible(@kinds);
    $self->{plan} = IlertChaosPlan::plan($opt{seed}, $opt{seconds}, @kinds);
    $self->make_clients;
    return $self;
}

# Kinds that need a mount or a compiler are left out if we cannot have these.

sub possible {
    my ($self, @kinds) = @_;
    my %not;

    $not{full} = 1 if !$self->{disk};
    @not{qw(eio enospc sync stall readonly folder clock)} = (1) x 7
        if !$self->{shim};
    @not{qw(mute babble anew)} = (1) x 3 if !$self->{asked};
    $self->{skipped} = [ grep { $not{$_} } @kinds ];
    return grep { !$not{$_} } @kinds;
}

sub sources {
    my ($kinds) = @_;
    my $rate = $kinds->{rates} ? 'rate 12r/s;' : 'rate off;';
    my $how = "retry 100ms 2s; repeat 3s; $rate";
    my %latest = (map { $_ => "integration_key $KEY{level}; coalesce latest; "
                              . $how } qw(hot calm));

    return {
        %latest,
        every => "integration_key $KEY{every}; coalesce off; $how",
        steady => "integration_key $KEY{steady}; coalesce repeats; $how",
        native => ($kinds->{native} ? "webhook_url $ROOT/$KEY{native}"
                                    : "integration_key $KEY{native}")
                  . "; coalesce latest; $how",
    };
}

sub make_nginx {
    my ($self, $kinds) = @_;
    my $hot = $kinds->{shared} ? 'hot' : 'calm';

    $self->{quiet} = !$kinds->{asked};

    my $q = IlertStatus->new(
        daemon => 1, workers => WORKERS, timeout => '2s',
        log_level => 'notice', queue => 'disk/queue',
        rate => $kinds->{rates} ? '40r/s' : 'off',
        $self->{shim} ? (env => $self->{shim}->env) : (),
        keys => { map { $KEY{$_} => $_ eq 'native' && $kinds->{native}
                                    ? 'kapacitor' : 'api' } keys %KEY },
        sources => sources($kinds),
        http => "map \$kapacitor_level \$by_level { default calm; "
                . "CRITICAL $hot; }"
                . ' map $kapacitor_level $quiet { INFO off; }',
        server => 'location = /level { ilert_kapacitor $by_level; '
                  . ($self->{quiet} ? 'ilert_event_type $quiet; ' : '')
                  . 'add_header X-Result $ilert_result always; }'
                  . ($kinds->{asked} ? $self->kapacitors_to_ask : ''));

    my $disk = $q->test->path('disk');
    $self->{disk} = mount($disk, 'size=24m,mode=0755') ? $disk : '';
    mkdir $disk;
    $self->{shim}->folder($q->dir) if $self->{shim};
    @$self{qw(q t fake)} = ($q, $q->test, $q->fake);

    # workers are killed by us, or by the master if they do not hear TERM
    $self->{t}->expect_log(qr/exited on signal 9/,
                           qr/shared memory zone .* was locked/);
}

# A Kapacitor that keeps each OK: of what it forgets it takes a minute to be
# sure.

sub kapacitors_to_ask {
    my ($self) = @_;
    my $locations = '';

    for my $name (sort keys %KEY) {
        my $k = IlertKapacitor->start(version => '1.5.9');
        $self->{asked}{$name} = $k;
        $k->topic($TOPIC);
        $locations .= "location /$name-api/ { internal; "
            . "ilert_reconcile /$name interval=1s; proxy_read_timeout 2s; "
            . 'proxy_pass http://' . $k->address . '/kapacitor/v1/; }';
    }

    return $locations;
}

sub make_clients {
    my ($self) = @_;
    my $plan = $self->{plan};

    for my $host (sort keys %{$plan->{scripts}}) {
        push @{$self->{clients}}, map { { location => $_, host => $host,
            left => [ @{$plan->{scripts}{$host}} ] } } sort keys %KEY;
    }
}


# What is done and said ---------------------------------------------------

sub now { time() - $_[0]{begun} }

sub say {
    my ($self, $text) = @_;
    push @{$self->{did}}, sprintf '%7.2f %s', $self->now, $text;
}

sub finding {
    my ($self, $name, $text) = @_;
    $self->{end}{$name} //= $text;
    $self->say("$name: $text");
}

# Notes that for so many seconds from now on processes are in trouble, or
# deliveries may be.

sub trouble {
    my ($self, $for) = @_;
    push @{$self->{trouble}}, [ time(), time() + $for ];
}

sub excuse {
    my ($self, $for) = @_;
    push @{$self->{excused}}, [ time(), time() + $for ];
}

sub pids { my ($self) = @_; return ($self->{t}->workers,
                                    $self->{t}->old_workers) }

sub of_all_asked {
    my ($self, $sub) = @_;
    $sub->() for values %{$self->{asked}};
}

sub chosen {
    my ($fault, @of) = @_;
    return $of[int $fault->{pick} * @of];
}

sub courier {
    my ($self) = @_;
    my $pid = eval { $self->{q}->courier };
    $self->say("courier: $@") if $@;
    return $pid || 0;
}

sub other {
    my ($self, $fault) = @_;
    my $courier = $self->courier;
    return chosen($fault, grep { $_ != $courier } $self->{t}->workers) // 0;
}

sub send_signal {
    my ($self, $signal, @pids) = @_;
    @pids = grep { $_ } @pids or return;
    $self->say("$signal @pids");
    kill $signal, @pids;
}


# Faults ------------------------------------------------------------------

# Sets what the shim does by all faults that are active.

sub set_disk {
    my ($self) = @_;
    my $active = $self->{active};
    my $shim = $self->{shim} or return;

    $shim->set(
        write => $active->{readonly} ? EROFS : $active->{eio} ? EIO
                 : $active->{enospc} ? ENOSPC : 0,
        open => $self->{folder} ? EACCES : $active->{readonly} ? EROFS : 0,
        sync => $active->{sync} ? EIO : 0,
        stuck => $active->{stall} ? $self->{stuck} : 0);
}

sub rule {
    my ($self, $unsure, %rule) = @_;
    $self->{rule} = $self->{fake}->rule(%rule);
    $self->{unsure}{$self->{rule}} = 1 if $unsure;
}

my %BEGIN = (
    kill => sub { my ($self, $f) = @_; $self->trouble(1);
        $self->send_signal(KILL => chosen($f, $self->pids)) },
    courier => sub { my ($self) = @_; $self->trouble(1);
        $self->send_signal(KILL => $self->courier) },
    reload => sub { my ($self) = @_; $self->trouble(15);
        $self->send_signal(HUP => $self->{t}->master) },
    storm => \&storm,
    crash => sub { my ($self, $f) = @_; $self->restart($f, 'crash') },
    quit => sub { my ($self, $f) = @_; $self->restart($f, 'QUIT') },
    term => sub { my ($self, $f) = @_; $self->restart($f, 'TERM') },
    upgrade => \&upgrade,
    schema => sub { my ($self, $f) = @_; $self->meanwhile($f,
        sub { $self->newer(1) }, sub { $self->newer(0) }) },
    folder => sub { my ($self, $f) = @_; $self->meanwhile($f,
        sub { $self->{folder} = 1; $self->set_disk; 1 },
        sub { $self->{folder} = 0; $self->set_disk; 1 }) },
    stop => sub {
        my ($self, $f) = @_;
        $self->{stopped} = $f->{courier} ? $self->courier
                                         : $self->other($f);
        $self->trouble($f->{for} + 20);
        $self->send_signal(STOP => $self->{stopped});
    },
    full => sub { my ($self) = @_; fill("$self->{disk}/filler") },
    (map { $_ => \&set_disk } qw(eio enospc sync readonly)),
    stall => sub {
        my ($self, $f) = @_;
        $self->{stuck} = $f->{who} eq 'all' ? 1
            : $f->{who} eq 'courier' ? $self->courier : $self->other($f);
        $self->trouble($f->{for} + 20);
        $self->set_disk;
    },
    clock => sub { my ($self, $f) = @_;
        $self->{shim}->clock($f->{to} + LATER);
    },
    down => sub { my ($self, $f) = @_;
        $self->trouble(1) if $f->{all};
        $self->{fake}->refuse(all => $f->{all}) },
    hang => sub { my ($self, $f) = @_;
        $self->rule(1, hang => 1, take => $f->{take}) },
    cut => sub { $_[0]->rule(1, reset => 'after', take => 1) },
    slow => sub {
        my ($self, $f) = @_;
        $self->rule(1, $f->{drip} ? (drip => 0.02)
                                  : (delay => $f->{delay}));
    },
    error => sub { my ($self, $f) = @_;
        $self->rule(0, status => $f->{status}) },
    refuse => sub { my ($self, $f) = @_;
        $self->rule(0, status => $f->{status}) },
    limit => sub { $_[0]->rule(0, status => 429) },
    later => sub { my ($self, $f) = @_;
        $self->rule(0, status => 429,
                    headers => [ 'Retry-After' => $f->{after} ]) },
    dead => sub { $_[0]->rule(0, status => 400, match => qr/[37]"/) },
    body => sub {
        my ($self, $f) = @_;
        $self->rule(1, status => 202, $f->{huge} ? (huge => 300_000)
                                                 : (body => '<html>"'));
    },
    half => sub { my ($self, $f) = @_;
        $self->rule(1, reset => $f->{place}) },
    pause => sub {
        my ($self, $f) = @_;
        $self->{paused} = chosen($f, qw(hot calm every steady native));
        $self->order("sources/$self->{paused}/pause");
    },
    replay => sub {
        my ($self, $f) = @_;
        $self->order('dead/replay?source='
                     . chosen($f, qw(hot calm every steady native)));
    },
    mute => sub { $_[0]->of_all_asked(sub { $_->down(api => 1) }) },
    babble => sub {
        my ($self, $f) = @_;
        my %how = (half => [ cut => 500 ], end => [ cut => -1 ],
                   401 => [ status => 401 ], 500 => [ status => 500 ],
                   page => [ body => '<html>' ]);
        $self->of_all_asked(sub { $_->fault(@{$how{$f->{how}}}) });
    },
    anew => sub { $_[0]->of_all_asked(sub { $_->restart }) },
);

my %END = (
    stop => sub {
        my ($self) = @_;
        $self->send_signal(CONT => $self->{stopped})
            if $self->{t}->has_process($self->{stopped});
    },
    full => sub { my ($self) = @_; unlink "$self->{disk}/filler" },
    (map { $_ => \&set_disk } qw(eio enospc sync readonly stall)),
    down => sub { $_[0]{fake}->accept },
    (map { $_ => sub { my ($self) = @_;
                       $self->{fake}->drop_rule($self->{rule}) } }
     qw(hang cut slow error refuse limit later body half)),

    # if all of a source was refused, it is parked: an operator resumes it

    dead => sub { my ($self) = @_;
        $self->{fake}->drop_rule($self->{rule});
        $self->order("sources/$_/resume")
            for grep { $_ ne ($self->{paused} // '') }
                     qw(hot calm every steady native) },
    pause => sub { my ($self) = @_;
        $self->order('sources/' . delete($self->{paused}) . '/resume') },
    mute => sub { $_[0]->of_all_asked(sub { $_->up }) },
    babble => sub { $_[0]->of_all_asked(sub { $_->clear_faults }) },
);

# Lanes whose faults excuse that nothing is delivered

my %EXCUSED = map { $_ => 1 } qw(disk ilert control);

sub begin {
    my ($self, $fault) = @_;
    my ($kind, $for) = @$fault{qw(kind for)};

    $self->say($kind . ($for ? sprintf(' for %.2f s', $for) : ''));
    $self->{done}{$kind}++;
    $self->excuse($for + ($GRACE{$kind} // GRACE))
        if $EXCUSED{$fault->{lane}};
    $fault->{until} = time() + $for;
    $self->{active}{$kind} = $fault;
    $BEGIN{$kind}->($self, $fault);
}

sub end {
    my ($self, $fault) = @_;
    my $kind = $fault->{kind};

    delete $self->{active}{$kind};
    return if !$END{$kind};
    $self->say("$kind ends");
    $END{$kind}->($self, $fault);
}

sub go_on {
    my ($self) = @_;
    my $faults = $self->{faults};

    for (grep { time() >= $_->{until} } values %{$self->{active}}) {
        $self->end($_);
    }

    while (@$faults && $faults->[0]{at} <= $self->now) {
        $self->begin(shift @$faults);
    }

    $self->work;
    $self->give_orders;
}


# Restarts ----------------------------------------------------------------

# A task is a list of steps.  Each step is called until it returns true.  Tasks
# are done one after the other, while webhooks are sent.

sub task {
    my ($self, @steps) = @_;
    push @{$self->{tasks}}, @steps;
}

sub work {
    my ($self) = @_;
    my $tasks = $self->{tasks};
    my $since = $self->{since} //= time();

    while (@$tasks && $tasks->[0]->()) {
        shift @$tasks;
        $since = $self->{since} = time();
    }

    $self->{since} = time() if !@$tasks;
    die "a step takes more than 90 s\n" if @$tasks && time() - $since > 90;
}

sub wait_step {
    my ($seconds) = @_;
    my $until;
    return sub { $until //= time() + $seconds; return time() >= $until };
}

sub stop_steps {
    my ($self, $how) = @_;
    my $t = $self->{t};

    return (sub {
        $self->say($how);
        $self->trouble(40);
        $self->excuse(40);
        return $t->crash || 1 if $how eq 'crash';

        # a worker that is about to quit logs the sockets that it leaves
        $t->expect_log(map { qr/ $_#$_: (?:\*\d+ open socket|aborting)/ }
                       $self->pids) if $how eq 'TERM';
        return kill $how, $t->master;
    }, sub { !$t->running }, sub { !$t->_processes });
}

# The old pid file is removed, or it would be taken for that of the new master.

sub start_step {
    my ($self) = @_;
    my $t = $self->{t};

    return sub {
        unlink $t->path('nginx.pid');
        $t->start;
        $self->say('started: ' . $t->master);
        return 1;
    };
}

sub restart {
    my ($self, $fault, $how) = @_;
    $self->task($self->stop_steps($how), wait_step($fault->{for}),
                $self->start_step);
}

sub meanwhile {
    my ($self, $fault, $do, $undo) = @_;

    $self->task($self->stop_steps($fault->{by}), $do, $self->start_step,
        sub { $self->excuse($fault->{for}); 1 }, wait_step($fault->{for}),
        $self->stop_steps($fault->{back}), $undo, $self->start_step);
}

# Makes the schema that of a later release, or ours again.  False if that
# cannot be written now, as on a full disk; then it has to be tried again.

sub newer {
    my ($self, $newer) = @_;
    return 1 if !-s $self->{q}->db;
    return eval {
        $self->{version} //= $self->{q}->value('pragma user_version');
        $self->{q}->sql('pragma user_version = '
                        . ($newer ? 1000 : $self->{version}));
        $self->say('schema ' . $self->{q}->value('pragma user_version'));
        1;
    };
}

sub storm {
    my ($self, $fault) = @_;
    my $t = $self->{t};

    $self->trouble($fault->{for} + 15);
    for (1 .. $fault->{for} / $fault->{every}) {
        $self->task(sub { kill 'HUP', $t->master },
                    wait_step($fault->{every}));
    }
}

sub upgrade {
    my ($self, $fault) = @_;
    my $t = $self->{t};
    my ($old, $new);

    $self->trouble(30);
    $self->task(sub { $old = $t->master; kill 'USR2', $old },
        sub {
            my ($text) = eval { $t->read_file('nginx.pid') } // '';
            ($new) = $text =~ /^(\d+)\n/;
            return $new && $new != $old;
        },
        sub { local $t->{pid} = $new; $t->_ready },
        wait_step($fault->{for}),
        sub { $self->say("upgraded: $new"); $t->{pid} = $new;
              kill 'QUIT', $old },
        sub { !kill(0, $old) || IlertTest::_zombie($old) });
}


# Control -----------------------------------------------------------------

# Gives an order until it is answered, or replaced by a later one of the same
# source.

sub order {
    my ($self, $path) = @_;
    my $name = $path =~ m{^(sources/\w+)} ? $1 : $path;
    $self->{orders}{$name} = { path => $path, at => 0 };
}

sub give_orders {
    my ($self) = @_;
    my $orders = $self->{orders};

    for my $name (sort keys %$orders) {
        my $order = $orders->{$name};

        if (!$order->{handle}) {
            next if time() < $order->{at} || !$self->{t}->running;
            $order->{handle} = $self->{t}->start_post(
                "/control/$order->{path}", '', timeout => 8);
        }

        next if !$order->{handle}{done};
        my ($answer) = $self->{t}->finish(delete $order->{handle});
        $self->say("$order->{path}: $answer->{status}");
        delete $orders->{$name} if $answer->{status} =~ /^(?:200|404|409)$/;
        $order->{at} = time() + 0.5;
    }
}


# Kapacitor ---------------------------------------------------------------

sub post {
    my ($self, $client, $level) = @_;
    my ($host, $location) = @$client{qw(host location)};
    my %when = began($client, $level);
    my $handle = $client->{handle} = $self->{q}->start_post($host, $level,
        source => $location, timeout => KAPACITOR, %when);
    my $entry = $handle->{entry};

    $entry->{type} = 'off'
        if $self->{quiet} && $location eq 'level' && $level eq 'INFO';

    # as IlertQueue::webhook has it

    $self->{asked}{$location}->set($TOPIC, $host, $level, details => '',
        ns => $when{time} =~ tr/.//dr . '000000',
        message => "$host $entry->{n}", duration => $when{duration})
        if $self->{asked};
}

# The time and the duration of a webhook.  By Kapacitor's clock a minute has
# gone by since the database was made, so that it is known of which alerts
# ilert was told nothing, until there is doubt.

sub began {
    my ($client, $level) = @_;
    my $now = sprintf '%.3f', time() + LATER;
    my $began = $client->{began} //= $now;

    $client->{began} = undef if $level eq 'OK';
    return (time => $now, duration => int(($now - $began) * 1e9));
}

sub hear {
    my ($self, $client) = @_;
    my $handle = delete $client->{handle};
    my $answer = $self->{q}->finish($handle);
    my $entry = $handle->{entry};

    $entry->{refused} = 1 if ($answer->{error} // '') =~ /refused/;
    $self->{heard}{$entry->{status}}++;
}

sub kapacitors {
    my ($self) = @_;

    for my $client (@{$self->{clients}}) {
        my $left = $client->{left};
        my $handle = $client->{handle};
        $self->hear($client) if $handle && $handle->{http}{done};
        next if $client->{handle} || !@$left || $left->[0][0] > $self->now
                || $self->{hold};
        $self->post($client, (shift @$left)->[1]);
    }
}

sub talking { grep { $_->{handle} } @{$_[0]{clients}} }
sub left { grep { @{$_->{left}} } @{$_[0]{clients}} }

sub tick {
    my ($self) = @_;
    $self->kapacitors;
    $self->{t}->poll(0.005);
}

# Goes on until the sub is true; false if that takes too long.

sub until_true {
    my ($self, $seconds, $what, $sub) = @_;
    my $until = time() + $seconds;
    my $next = 0;

    while (time() < $until) {
        $self->tick;
        $self->go_on;
        next if time() < $next;
        return 1 if $sub->();
        $next = time() + 0.1;
    }

    $self->finding($what, "not after $seconds s");
    return 0;
}


# The run -----------------------------------------------------------------

sub run {
    my ($self) = @_;
    my $plan = $self->{plan};

    $self->{faults} = [ map { { %$_ } } @{$plan->{faults}} ];
    $self->{t}->start;
    IlertTest::wait_until(sub {
        eval { $self->{q}->value('select doubted from total') }
    }, 10, 'a database');
    $self->{shim}->clock(LATER) if $self->{shim};
    $self->{begun} = time();

    if (!eval { $self->chaos; $self->calm; 1 }) {
        chomp(my $error = $@);
        $self->finding('the run', $error);
        $self->end($_) for values %{$self->{active}};
    }

    $self->look_at_the_end;
    $self->{findings} = [ $self->judged ];
    $self->{shim}->well if $self->{shim};
    $self->{t}->stop;
    $self->look_at_what_is_left;
    unmount($self->{disk}) if $self->{disk};
    return @{$self->{findings}};
}

sub chaos {
    my ($self) = @_;

    while ($self->now < $self->{plan}{seconds}) {
        $self->tick;
        $self->go_on;
    }

    $self->say('no more faults');
}

# The Kapacitors send nothing until all earlier webhooks have been dealt with.

sub calm {
    my ($self) = @_;
    my ($t, $q, $plan) = @$self{qw(t q plan)};

    $self->{hold} = 1;
    $self->until_true(WELL, 'restarts',
        sub { !@{$self->{tasks}} && !%{$self->{active}} });
    $self->until_true(WELL, 'workers', sub { $t->_ready && !$t->old_workers });
    $self->until_true(WELL, 'readiness', sub { $self->ready eq '' });
    $self->order("sources/$_/resume") for qw(hot calm every steady native);
    $self->until_true(WELL, 'orders', sub { !%{$self->{orders}} });
    $self->until_true(WELL, 'webhooks', sub { !$self->talking });
    my $since = time() + 2;
    $self->until_true(9, 'time', sub { time() > $since });

    if ($self->{asked}) {
        $_->{left} = [] for grep { !$plan->{last}{$_->{host}} }
                            @{$self->{clients}};
    }

    $self->say('calm');
    $self->{calm} = time();
    $self->{hold} = 0;
    $self->until_true(WELL, 'webhooks',
                      sub { !$self->talking && !$self->left });

    for (@{$self->{clients}}) {
        my $level = $self->{plan}{last}{$_->{host}} or next;
        push @{$_->{left}}, [ 0, $level ];
    }

    $self->until_true(WELL, 'webhooks',
                      sub { !$self->talking && !$self->left });
    $self->until_true(DRAIN, 'deliveries', sub { !$self->waiting });
    $self->until_true(AGREE, 'agreement', sub { $self->agrees })
        if $self->{asked};
    $self->say('the end');
}

# True if ilert shows the last state of each alert, but for dead letters.

sub agrees {
    my ($self) = @_;
    return !grep { $_->{kind} =~ /^(?:lost|phantom)$/ } $self->judged;
}

sub ready {
    my ($self) = @_;
    my $answer = $self->{q}->get('/status?ready');
    return $answer->{status} == 200 ? '' : $answer->{body} // 'no answer';
}

# The status does not count held repeats, so these are read from the database.

sub waiting {
    my ($self) = @_;
    my $answer = $self->{q}->get('/status');
    $self->{status} = $answer->{json} || {};
    return 'no status' if $answer->{status} != 200;
    return 'pending' if $self->{status}{queue}{pending};
    return eval { $self->{q}->waiting };
}

sub look_at_the_end {
    my ($self) = @_;
    my $ready = eval { $self->ready } // 'no answer';
    my $answer = eval { $self->{q}->get('/status') } || {};
    my $status = $answer->{json} || {};

    $self->finding('readiness', $ready) if $ready ne '';
    $self->finding('status', $_)
        for $answer->{body} ? IlertStatus::wrong($answer->{body})
                            : 'no answer';
    $self->finding("source $_", "$status->{sources}{$_}{state}, "
                   . ($status->{sources}{$_}{reason} // ''))
        for grep { $status->{sources}{$_}{state} ne 'ok' }
            sort keys %{$status->{sources} || {}};
    $self->finding('pending', $status->{queue}{pending})
        if $status->{queue}{pending};
}

sub look_at_what_is_left {
    my ($self) = @_;
    my $whole = eval { $self->{q}->value('pragma integrity_check') } // $@;
    my @more = $whole eq 'ok' ? () : [ database => $whole ];

    push @{$self->{findings}}, map { { kind => $_->[0], alert => '',
                                       text => $_->[1] } }
                               @more, $self->{t}->check;
}


# The judgement -----------------------------------------------------------

sub requests {
    my ($self) = @_;
    my %location = reverse %KEY;
    my @requests;

    for my $r (grep { defined $_->{type} } $self->{fake}->requests) {
        my ($n) = ($r->{event}{summary} // '') =~ / (\d+)$/;
        push @requests, { %$r, n => $n // 0,
            alert => "$location{$r->{key}}/$r->{folded}",
            unsure => !$r->{status} || $self->{unsure}{$r->{rule} // 0} };
    }

    return @requests;
}

sub shown {
    my ($self) = @_;
    my $alerts = $self->{fake}->alerts;
    my %shown;

    for my $location (keys %KEY) {
        my $of = $alerts->{$KEY{$location}} || {};
        $shown{"$location/$_"} = $of->{$_}{state} eq 'resolved'
                                 ? 'OK' : $of->{$_}{level} for keys %$of;
    }

    return \%shown;
}

sub judged {
    my ($self) = @_;
    @{$self->{requests}} = $self->requests;

    return IlertChaosOracle::judge(
        webhooks => [ grep { defined $_->{ended} } $self->{q}->ledger ],
        requests => $self->{requests}, shown => $self->shown,
        modes => \%MODE, troubles => $self->{trouble},
        excused => $self->{excused}, patience => PATIENCE,
        asked => $self->{asked} ? 1 : 0,
        defined $self->{calm} ? (calm => $self->{calm}) : (),
        end => $self->{end});
}

sub summary {
    my ($self) = @_;
    my @ledger = $self->{q}->ledger;
    my ($again, $repaired, %seen, %kinds) = (0, 0);

    /: (\d+) lost webhooks/ and $repaired += $1
        for $self->{t}->grep_log(qr/ lost webhooks of topic /);

    $again += $seen{"$_->{alert} $_->{n}"}++ ? 1 : 0
        for grep { $_->{taken} } @{$self->{requests}};
    $kinds{$_->{kind}}++ for @{$self->{findings}};

    return { seed => $self->{plan}{seed}, webhooks => scalar @ledger,
        accepted => scalar(grep { ($_->{status} // 0) == 202 } @ledger),
        repaired => $repaired,
        answers => $self->{heard}, again => $again,
        events => scalar(grep { $_->{taken} } @{$self->{requests}}),
        faults => $self->{done}, skipped => $self->{skipped},
        findings => \%kinds };
}

sub story {
    my ($self) = @_;
    my %alerts = map { $_->{alert} => 1 } @{$self->{findings}};

    return join "\n", 'The plan:', IlertChaosPlan::lines($self->{plan}), '',
        'What became of it:', @{$self->{did}}, '', 'Findings:',
        (map { "$_->{kind}: $_->{alert} $_->{text}" }
         @{$self->{findings}}), '',
        (map { $self->history($_) } grep { m{/} } sort keys %alerts), '';
}

# Webhooks and requests of an alert in the order of time.

sub history {
    my ($self, $alert) = @_;
    my $of = sub { IlertChaosOracle::name($_[0]) eq $alert };
    my @lines;

    for my $w (grep { $of->($_) } $self->{q}->ledger) {
        push @lines, [ $w->{begun}, "webhook $w->{n} $w->{level}" ];
        push @lines, [ $w->{ended}, "        $w->{n} was answered "
            . ($w->{status} || ($w->{refused} ? 'refused' : 'not'))
            . " $w->{result}" ] if defined $w->{ended};
    }

    push @lines, map { [ $_->{time}, "    ilert $_->{n} $_->{type} "
        . ($_->{taken} ? 'taken' : 'not taken') . ", answer $_->{status}"
        . ($_->{unsure} ? ', unsure' : '')
        . ", source $_->{header}{'x-source'}"
        . ", attempt $_->{header}{'x-attempt'}" ] }
        grep { $_->{alert} eq $alert } @{$self->{requests}};

    return ("$alert:", (map { sprintf '%7.2f %s', $_->[0] - $self->{begun},
                              $_->[1] } sort { $a->[0] <=> $b->[0] } @lines),
            '');
}

1;
