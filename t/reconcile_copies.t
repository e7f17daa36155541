#!/usr/bin/perl

# Webhooks that come again, or late: a copy is ignored, and so is, with "stale
# drop", what is older than the last one of its alert.  A journal of webhooks
# can be posted as a whole, as often as one likes.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertKapacitorTopics;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $retry = 'rate off; coalesce off; retry 50ms 300ms;';
my %KEY = (ops => $IlertQueue::KEY, strict => 'il1api5ec4e7a21');

my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', fake => { bodies => 1 },
    keys => { map { $KEY{$_} => 'api' } keys %KEY },
    sources => { ops => $retry,
                 strict => "integration_key $KEY{strict}; stale drop; "
                           . $retry },
    http => 'map $kapacitor_level $ignored { INFO off; }',
    server => <<'CONF');
        location = /var { ilert_kapacitor $arg_source; }
        location = /ignores {
            ilert_kapacitor ops;
            ilert_event_type $ignored;
        }
CONF

my ($t, $fake) = ($q->test, $q->fake);
my $topics = IlertKapacitorTopics->new;

# The body of a webhook of that alert; with an age in seconds

sub body {
    my ($id, $level, %opt) = @_;
    my $age = delete $opt{age};
    $opt{ns} = $topics->now() - $age * 1_000_000_000 if defined $age;
    return $topics->collect('main:cpu:alert2', $id, $level, %opt)->{body};
}

sub post {
    my ($body, $uri) = @_;
    my $r = $t->post($uri // '/ops', $body);
    return "$r->{status} " . ($r->{json}{status} // '-');
}

sub said {
    my ($id) = @_;
    $q->drained;
    return join ' ', map { $_->{event}{level} // $_->{type} }
           grep { $_->{alert_key} eq $id } $fake->events;
}

sub levels {
    my ($id, $uri, @levels) = @_;
    return join ' ', map { post(body($id, $_), $uri) =~ s/ .*//r } @levels;
}

$q->start;


subtest 'a copy' => sub {
    my ($critical, $ok) = map { body('c', $_) } qw(CRITICAL OK);

    is(post($critical), '202 accepted', 'is none at first');
    is(post($critical), '202 ignored', 'of the last one');
    is(post($ok), '202 accepted');
    is(post($critical), '202 ignored', 'of one before');
    is(post($ok), '202 ignored');
    is(said('c'), 'CRITICAL OK', 'ilert hears of each once');
    is($t->post('/ops', $critical)->{header}{'x-result'}, 'IGNORED');
};

subtest 'no copies' => sub {
    my $ns = $topics->now();

    for ([ 'another level', level => 'WARNING' ],
         [ 'another message', message => 'x' ],
         [ 'another time', ns => $ns + 5 ], [ 'another id', id => 'n2' ])
    {
        my ($what, %opt) = @$_;
        post(body('n', 'CRITICAL', ns => $ns));
        is(post(body($opt{id} // 'n', $opt{level} // 'CRITICAL', ns => $ns,
                     message => 'n is CRITICAL', %opt)),
           '202 accepted', $what);
    }

    my $body = body('place', 'CRITICAL');
    is(post($body), '202 accepted');
    is(post($body, '/ignores'), '202 accepted', 'at another location');
    is(post($body, '/ignores'), '202 ignored', 'twice there');
};

subtest 'details are no part of it' => sub {
    my $ns = $topics->now();
    is(post(body('d', 'CRITICAL', ns => $ns, details => 'x')),
       '202 accepted');
    is(post(body('d', 'CRITICAL', ns => $ns, details => 'y')), '202 ignored');
};

# Then it is not what ilert shows, and has to come again.

subtest 'a copy of what came before an older one' => sub {
    my ($old, $new) = map { body('before', $_) } qw(CRITICAL OK);

    is(post($_), '202 accepted') for $new, $old, $new;
    is(post($new), '202 ignored');
    is(said('before'), 'OK CRITICAL OK');
};

subtest 'without a time' => sub {
    for my $time ('', '"time":"",', '"time":null,', '"time":"yesterday",') {
        my $body = qq({"id":"t","message":"m",$time"level":"CRITICAL"});
        is(post($body), '202 accepted', $time || 'none') for 1, 2;
    }
};

# Of an alert the last 16 are known.

subtest 'how many are known' => sub {
    my @bodies = map { body('many', $_ % 2 ? 'CRITICAL' : 'WARNING') } 1 .. 17;
    post($_) for @bodies;
    is(post($_), '202 ignored') for @bodies[1, 8, 16];
    is(post($bodies[0]), '202 accepted', 'not the 17th');
};

subtest 'what was refused is no copy' => sub {
    my $body = body('again', 'CRITICAL');
    like(post($body, '/var?source=none'), qr/^4/, 'refused');
    is(post($body, '/var?source=ops'), '202 accepted', 'then taken');
    is(post($body, '/var?source=ops'), '202 ignored');
    is(said('again'), 'CRITICAL');
};

subtest 'what the mapping ignores' => sub {
    is(levels('i', '/ignores', 'INFO'), '202');
    my $info = body('i', 'INFO');
    is(post($info, '/ignores'), '202 ignored') for 1, 2;
    is(post(body('i', 'CRITICAL'), '/ignores'), '202 accepted');
    is(said('i'), 'CRITICAL');
};

subtest 'a restart' => sub {
    my $body = body('r', 'CRITICAL');
    post($body);
    ok($q->drained);
    $q->stop->start;
    is(post($body), '202 ignored', 'is no reason to forget');
    $t->kill_worker for 1, 2;
    is(post($body), '202 ignored', 'nor is a dead worker');
};

subtest 'at once' => sub {
    my $body = body('once', 'CRITICAL');
    my @h = map { $t->start_post('/ops', $body) } 1 .. 8;
    my %n;
    $n{"$_->{status} $_->{json}{status}"}++ for $t->finish(@h);
    is_deeply(\%n, { '202 accepted' => 1, '202 ignored' => 7 },
              'one of them counts');
    is(said('once'), 'CRITICAL');
};

subtest 'stale' => sub {
    for my $id (qw(s1 s2)) {
        my $uri = $id eq 's1' ? '/ops' : '/strict';
        my $result = $id eq 's1' ? 'accepted' : 'ignored';

        is(levels($id, $uri, qw(CRITICAL OK)), '202 202');
        is(post(body($id, 'CRITICAL', age => 60), $uri), "202 $result",
           $uri eq '/ops' ? 'is taken' : 'is dropped with "stale drop"');
        is(post(body($id, 'WARNING'), $uri), '202 accepted', 'a new one');
    }

    is(said('s1'), 'CRITICAL OK CRITICAL WARNING');
    is(said('s2'), 'CRITICAL OK WARNING');

    is(post('{"id":"s2","message":"m","level":"CRITICAL"}', '/strict'),
       '202 accepted', 'without a time it is not old');
    is(post(body('s2', 'OK', age => 60), '/strict'), '202 ignored',
       'and does not change what is');
};

# As `.log()` writes it, one a line.  Every third webhook was lost.

subtest 'a journal' => sub {
    my (@journal, %level);
    my $phantoms = $fake->counts->{phantoms};

    for my $n (0 .. 239) {
        my $id = 'j' . $n % 8;
        $level{$id} = (qw(CRITICAL OK WARNING OK CRITICAL))[($n * 7 / 8) % 5];
        push @journal, body($id, $level{$id});
    }

    post($journal[$_], '/strict') for grep { $_ % 3 } 0 .. $#journal;
    ok($q->drained);

    # the last lines are of webhooks that were lost

    my @last = map { body($_, $level{$_} = 'OK') } 'j0' .. 'j3';
    push @last, map { body($_, $level{$_} = 'CRITICAL') } 'j4' .. 'j7';
    push @journal, @last;

    my $from = $fake->counts->{requests};
    my $opened = opened();

    is(scalar(grep { post($_, '/strict') !~ /^202/ } @journal), 0,
       'is posted as a whole');
    is_deeply(shown(), \%level, 'ilert shows how it ends');
    is($fake->counts->{phantoms}, $phantoms,
       'nothing is opened that was over');
    cmp_ok($fake->counts->{requests} - $from, '<=', 11,
           'what was lost at the end is sent, and nothing again');
    cmp_ok(opened() - $opened, '<=', 7, 'an alert is opened once at most');

    $from = $fake->counts->{requests};
    post($_, '/strict') for @journal;
    ok($q->drained);
    is($fake->counts->{requests}, $from, 'once more: nothing is sent');
};

sub journal_alerts {
    my $alerts = $fake->alerts->{$KEY{strict}};
    return map { $_ => $alerts->{$_} } grep { /^j/ } keys %$alerts;
}

sub opened {
    my %alerts = journal_alerts();
    my $n = 0;
    $n += $_->{opened} for values %alerts;
    return $n;
}

sub shown {
    $q->drained;
    my %alerts = journal_alerts();
    return { map { $_ => $alerts{$_}{state} eq 'resolved'
                         ? 'OK' : $alerts{$_}{level} } keys %alerts };
}

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
