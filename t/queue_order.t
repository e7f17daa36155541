#!/usr/bin/perl

# Order: of an alert one event at a time, as they were committed, whatever
# happens to them; and no alert holds back another.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';

my $q = IlertQueue->new(
    workers => 4, timeout => '1500ms',
    keys => { $KEY => 'api', $TWO => 'api' },
    sources => {
        ops => 'retry 50ms 200ms;',
        two => "integration_key $TWO; retry 50ms 200ms;",
    });

$q->start;

my ($t, $fake) = ($q->test, $q->fake);

sub match { my ($id) = @_; return qr/"\Q$id\E \d+"/ }


subtest 'many alerts, many workers' => sub {
    my $sent = $q->load(seconds => 2, clients => 16, alerts => 8, rate => 500,
                        source => [qw(ops two)]);
    $q->last_words;
    ok($q->drained(20));
    is_deeply([ $q->faults(once => 1) ], [], "$sent events");

    my $alerts = $q->arrivals;
    my @gaps = grep { my $n = 0; grep { $_ != ++$n } @{$alerts->{$_}} }
               sort keys %$alerts;
    is_deeply(\@gaps, [], 'all of each alert, in order');
};

# The order of what comes at once is that of the commits: the rows tell.

subtest 'one alert, many workers' => sub {
    for my $round (1 .. 3) {
        $q->forget;
        $fake->refuse(all => 1);

        my @r = $q->finish(map { $q->start_post('hot', 'CRITICAL') } 1 .. 60);
        is(scalar(grep { $_->{status} == 202 } @r), 60, 'accepted');

        my %n = map { $_->{event} => $_->{n} } $q->ledger;
        my @order = map { $n{$_->[0]} }
                    $q->sql('select id from event order by seq');
        is(@order, 60, 'stored');

        $fake->accept;
        ok($q->drained(20));

        my @came = @{$q->arrivals->{'ops/hot'}};
        my $last = 0;
        @came = grep { $_ != $last and $last = $_ } @came;
        is_deeply(\@came, \@order, 'come in the order of the commits');
        is(scalar(grep { $_->{parallel} > 1 } $fake->requests), 0,
           'one by one');
    }
};

# The same for several alerts at once, while they are delivered.

subtest 'at once, while they are delivered' => sub {
    $q->forget;
    $fake->rule(delay => 0.01);

    my @h = map { my $id = 'h' . $_ % 5; $q->start_post($id, 'CRITICAL') }
            1 .. 200;
    my %event = map { $_->{entry}{n} . $_->{entry}{id} => $_ } @h;
    $q->finish(@h);
    ok($q->drained(20));

    is($fake->counts->{events}, 200, 'each once');
    is(scalar(grep { $_->{parallel} > 1 } $fake->requests), 0, 'one by one');
    is(scalar(grep { /arrive|sent again/ } $q->faults(once => 1)), 0);

    # one that was answered before another began is before it
    my @faults;
    my %place;
    my $i = 0;
    $place{"$_->{name} $_->{number}"} = ++$i for $q->arrived;

    for my $x ($q->ledger) {
        for my $y ($q->ledger) {
            next if $x->{id} ne $y->{id} || $x->{ended} >= $y->{begun};
            push @faults, "$x->{id} $x->{n} $y->{n}"
                if $place{"ops/$x->{id} $x->{n}"}
                   > $place{"ops/$y->{id} $y->{n}"};
        }
    }

    is_deeply(\@faults, [], 'later ones later');
};

subtest 'one poison event' => sub {
    for my $rule ({ status => 500 }, { reset => 'after' }, { hang => 1 },
                  { status => 503, delay => 0.1 }, { reset => 'mid' })
    {
        my $what = join ' ', %$rule;
        $q->forget;
        $fake->rule(match => match('poison'), %$rule);

        is($q->post('poison', 'CRITICAL')->{status}, 202);
        ok($fake->wait_requests(1), "$what: is tried");
        is($q->post('poison', $_)->{status}, 202) for qw(WARNING OK);

        $q->post("other$_", 'CRITICAL') for 1 .. 30;
        ok(wait_until(sub { $fake->counts->{events} == 30 }, 5),
           'holds back no other alert');
        ok(wait_until(sub { $q->waiting == 3 }, 2), 'its own events wait');

        my $seen = $q->arrivals;
        is_deeply([ grep { $_ != 1 } @{$seen->{'ops/poison'}} ], [],
                  'none of them overtakes it');

        $fake->clear_rules;
        ok($q->drained(10), 'healed, it goes');
        is_deeply([ $q->faults ], [], 'first, and the others after it');
        is($fake->alerts->{$KEY}{poison}{state}, 'resolved');
    }
};

# Whether ilert has taken it cannot be known: it comes again, before all else.

subtest 'unknown verdicts' => sub {
    for my $rule ({ hang => 1 }, { reset => 'after' }, { reset => 'mid' },
                  { close => 'mid' })
    {
        my $what = join ' ', %$rule;
        $q->forget;
        $fake->rule(match => match('u'), take => 1, times => 2, %$rule);

        $q->post('u', $_) for qw(CRITICAL OK);
        ok($q->drained, "$what: is sent again");
        is_deeply($q->arrivals, { 'ops/u' => [ 1, 1, 1, 2 ] },
                  'until there is a verdict');
        is_deeply([ $q->faults ], []);
        is($fake->alerts->{$KEY}{u}{opened}, 1, 'no phantom alert');
        is($fake->alerts->{$KEY}{u}{state}, 'resolved', 'is left open');
    }
};

subtest 'a dead letter passes the turn on' => sub {
    $q->forget;
    $fake->rule(match => qr/"d [13]"/, status => 400);
    $q->post('d', $_) for qw(CRITICAL WARNING INFO OK);
    ok($q->drained);
    is_deeply($q->arrivals, { 'ops/d' => [ 1 .. 4 ] }, 'in order');
    is(scalar(() = $q->dead), 2, 'two are dead');
    is($fake->alerts->{$KEY}{d}{state}, 'resolved');
};

# A source whose requests hang does not hold back another.

subtest 'one poison source' => sub {
    $q->forget;
    $fake->rule(match => qr/$TWO/, hang => 1);
    $q->post("p$_", 'CRITICAL', source => 'two') for 1 .. 12;
    ok($fake->wait_requests(8), 'all slots of one source are taken');

    $q->post("q$_", 'CRITICAL') for 1 .. 20;
    ok(wait_until(sub { $fake->counts->{events} == 20 }, 5),
       'the other goes on');

    $fake->clear_rules;
    ok($q->drained(15));
    is_deeply([ $q->faults ], []);
};

subtest 'an outage' => sub {
    $q->forget;
    my $end = time() + 3;
    my $next = time();

    # ilert comes and goes while webhooks come
    my @ways = (sub { $fake->refuse }, sub { $fake->accept },
                sub { $fake->rule(reset => 'after') },
                sub { $fake->clear_rules }, sub { $fake->refuse(all => 1) },
                sub { $fake->accept; $fake->rule(status => 500) },
                sub { $fake->clear_rules });

    my $i = 0;
    my $sent = $q->load(alerts => 30, clients => 8, rate => 150,
        until => sub {
            return time() > $end if time() < $next;
            $next = time() + 0.4;
            $ways[$i++ % @ways]->();
            return 0;
        });

    $fake->accept;
    $fake->clear_rules;
    $q->last_words;
    ok($q->drained(20), 'all is delivered');
    is_deeply([ $q->faults ], [], "$sent events");
    is(scalar(grep { $_->{result} ne 'ACCEPTED' } $q->ledger), 0,
       'all were accepted');
    is_deeply([ grep { $_->{alert_key} ne 'd' } $q->dead ], [],
              'no dead letter');
    is($q->marks, 0);
};

done();
