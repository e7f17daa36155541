#!/usr/bin/perl

# "digest": in a storm one alert lists those of a source.  The rules are those
# of store.t; here the events go the whole way, over reloads, restarts and
# crashes.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertTest;

IlertQueue::need();

my %KEY = (none => 'il1api5ec4e7d11', low => 'il1api5ec4e7d12',
           native => 'il1kap5ec4e7d13');
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KEY{native}";
my $more = 'rate off; retry 50ms 200ms; coalesce latest;';

my %sources = (
    none => "integration_key $KEY{none}; digest 3 members=none; $more",
    low => "integration_key $KEY{low}; digest 3; $more",
    native => "webhook_url $URL; digest 3 interval=20s; $more",
);

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertQueue->new(
    workers => 2, log_level => 'notice', shim => $shim, sources => \%sources,
    server => 'location /status { ilert_status json; }',
    fake => { bodies => 1 },
    keys => { map { $KEY{$_} => $_ eq 'native' ? 'kapacitor' : 'api' }
              keys %KEY });
my ($t, $fake) = ($q->test, $q->fake);

$q->start;

sub case {
    my ($what, $sub) = @_;

    subtest $what => sub {
        $q->forget;
        $sub->();
        is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
                  'nothing is wrong with the requests');
    };
}

sub say { my ($source, @what) = @_; $q->say({ source => $source }, @what) }

# The events of the digest, and the keys of all others, since request $n

sub events { map { $_->{json} } grep { $_->{json} } ($fake->requests)[@_] }

sub key { $_[0]{alertKey} // $_[0]{id} }
sub is_digest { key($_[0]) =~ /^ilert-digest:/ }

sub digests { grep { is_digest($_) } map { $_->{json} } $fake->requests }

sub keys_of {
    my ($from) = @_;
    my @requests = $fake->requests;
    return join ' ', sort map { key($_) } grep { !is_digest($_) }
                     map { $_->{json} } @requests[$from .. $#requests];
}

# Waits until the digest has had so many events

sub told {
    my ($n, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(wait_until(sub { digests() >= $n }, 5), $what // "event $n")
        or diag(scalar(digests()) . ' events');
    return (digests())[-1];
}

sub digest_of {
    my ($source) = @_;
    return $t->get('/status')->{json}{sources}{$source}{digest};
}

sub list { my ($ev) = @_; join ' ', $ev =~ /^- `(\w+)`/gm }


case 'members=none' => sub {
    say('none', map { "$_ CRITICAL" } qw(a b c));
    ok($fake->wait_events(3, 3), 'three by themselves');
    is(digests(), 0);

    say('none', 'd CRITICAL');
    my $ev = told(1, 'the fourth opens the digest');

    is($ev->{eventType}, 'ALERT');
    is($ev->{alertKey}, 'ilert-digest:none');
    is($ev->{priority}, 'HIGH');
    is($ev->{summary},
       'Digest of none: 4 alerts are bad: 4 CRITICAL');
    is(list($ev->{details}), 'a b c d', 'it lists all');
    like($ev->{details}, qr/^- `d` \d+s: d 1$/m, 'with their summaries');
    ok(!exists $ev->{comments});

    say('none', 'e CRITICAL', 'a OK');
    $ev = told(2, 'a CRITICAL at once');
    like($ev->{summary}, qr/^Digest of none: 1 new: CRITICAL e; /);
    is(list($ev->{comments}[0]{content}), list($ev->{details}),
       'the list is in a comment, too');

    # the first one that is new after a minute

    $q->run(61);
    say('none', 'x WARNING');
    ok(wait_until(sub { keys_of(0) =~ /x/ }, 5), 'a stranger');
    is(keys_of(0), 'a a b c x', 'and no member');

    my $now = digest_of('none');
    is_deeply($now->{bad}, { CRITICAL => 4, WARNING => 1, INFO => 0 },
              'the status');
    ok($now->{since} && $now->{told});
    is($now->{calm}, undef);
};

# It is on disk, and so is what it has named.

for my $how (qw(reload crash stop)) {
    case "after $how" => sub {
        my $n = $fake->counts->{requests};

        if ($how eq 'reload') {
            $q->reload;

        } else {
            $q->$how;
            $q->start;
        }

        say('none', 'e OK', 'e CRITICAL', "new$how CRITICAL");
        $q->run(16);
        ok(wait_until(sub { my ($ev) = reverse digests();
                            $ev && list($ev->{details} // '') =~ /new$how/ }),
           'it goes on')
            or diag(explain([ digests() ]));
        unlike(keys_of($n), qr/\bd\b/, 'and its members are still held');
    };
}

case 'it ends' => sub {
    my @bad = map { "new$_" } qw(reload crash stop);
    say('none', map { "$_ OK" } qw(b c d e x), @bad);

    ok(wait_until(sub { $q->run(15);
                        return grep { $_->{eventType} eq 'RESOLVE' }
                               digests() }, 20), 'by itself');
    like((digests())[-1]{summary}, qr/^Digest of none is over after \d+m; /);
    is($fake->alerts->{$KEY{none}}{'ilert-digest:none'}{state}, 'resolved');
    is(digest_of('none'), undef);
};

case 'members=low' => sub {
    say('low', map { "$_ CRITICAL" } qw(a b c d e));
    ok($fake->wait_events(7, 5) && $q->drained,
       'all of them come, and two events of the digest');

    my %priority = map { key($_->{json}) => $_->{json}{priority} }
                   $fake->requests;
    is_deeply(\%priority, { a => undef, b => undef, c => undef,
              'ilert-digest:low' => 'HIGH', d => 'LOW', e => 'LOW' },
              'and those that it lists are LOW');
};

case 'to a webhook URL' => sub {
    say('native', map { "$_ CRITICAL" } qw(a b c d));
    ok($fake->wait_events(5, 5) && $q->drained, 'all of them come');

    my ($ev) = digests();
    is($ev->{id}, 'ilert-digest:native');
    is($ev->{level}, 'CRITICAL');
    is($ev->{message}, 'Digest of native: 4 alerts are bad: 4 CRITICAL');
    like($ev->{details}, qr/\A<pre>CRITICAL: 4\n\n- a \d+s: a 1\n/);
};

# What it had listed is opened.

case 'it is removed' => sub {
    $q->run(61);
    say('none', map { "$_ CRITICAL" } qw(k l m n o));
    told(1);
    is(keys_of(0), 'k l m', 'two are listed');

    $q->change(sources => { %sources, none => "integration_key $KEY{none}; "
                                              . $more })->reload;
    ok(wait_until(sub { keys_of(0) eq 'k l m n o' }, 5), 'and are opened');
    ok(wait_until(sub { (digests())[-1]{eventType} eq 'RESOLVE' }, 5),
       'the digest is closed');
    is(digest_of('none'), undef);
    ok($q->drained);
};

$t->stop;
done();
