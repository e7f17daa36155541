#!/usr/bin/perl

# Webhooks that are refused, or that could not be kept: each is counted once,
# with its source and the code of its answer, the last one is known, and the
# log has one line a minute for a location.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertMetrics;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my @KEYS = (keys => { $KEY => 'api', $TWO => 'api' });

my $SERVER = <<'CONF';
    location = /chosen { ilert_kapacitor $kapacitor_tag_team; }
    location = /given { ilert_kapacitor $arg_source; }
    location = /off { ilert_kapacitor off; }
    location = /only {
        ilert_kapacitor ops;
        limit_except POST { deny all; }
    }
CONF

my $shim = IlertShim->new or plan(skip_all => 'no compiler');

my $q = IlertStatus->new(@KEYS, shim => $shim, server => $SERVER,
    sources => { ops => '', two => "integration_key $TWO;" });
my $t = $q->test;
$q->start;


# What was counted: "SOURCE CODE" => how many; and what has been added to it
# since it was asked last.

my %before;

sub counted {
    my ($of) = @_;
    my $m = IlertMetrics->read($of->metrics->{body});
    my %n;

    is_deeply([ $m->faults ], [], 'the metrics') if $m->faults;

    for my $kind (qw(rejected unavailable)) {
        $n{"$_->{labels}{source} $_->{labels}{code}"} += $_->{value}
            for $m->samples("ilert_webhooks_${kind}_total");

        my ($sum) = (0);
        $sum += $_->{value} for $m->samples("ilert_webhooks_${kind}_total");
        is($of->status->{refused}{$kind}, $sum, "the sum: $kind");
    }

    return \%n;
}

sub added {
    my ($expected, $what, $of) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $now = counted($of || $q);
    my %added = map { $_ => $now->{$_} - ($before{$_} // 0) } keys %$now;
    delete @added{grep { !$added{$_} } keys %added};
    %before = %$now;

    is_deeply(\%added, $expected, $what) or diag(explain(\%added));
}

sub last_one {
    my ($of) = @_;
    my $last = { %{($of || $q)->status->{refused}{last}} };

    like(delete $last->{time}, qr/^\d{4}-/, 'its time');
    is(delete $last->{from}, '127.0.0.1', 'its address');
    return { map { $_ => defined $last->{$_} ? "$last->{$_}" : undef }
                 keys %$last };
}

sub body { IlertQueue::webhook(@_) }
sub team { body('a', 1, 'CRITICAL') =~ s/\}\n\z//r
    . qq(,"data":{"series":[{"name":"c","tags":{"team":"$_[0]"},)
    . qq("columns":["time","v"],"values":[["2026-03-01T00:00:00Z",1]]}]}}) }

subtest 'in the beginning' => sub {
    is_deeply($q->status->{refused}{last}, undef, 'none was refused');
    my $n = counted($q);
    my @usual = (400, 413, 422, 502, 503, 504);
    is_deeply([ sort keys %$n ],
              [ map { my $source = $_; map { "$source $_" } @usual }
                    '', 'ops', 'two' ], 'there are zeros');
    is_deeply([ grep { $n->{$_} } keys %$n ], [], 'and nothing else');
};

subtest 'what is refused' => sub {
    added({}, 'nothing yet');

    is($t->post('/ops', 'no JSON')->{status}, 400, 'no JSON');
    added({ 'ops 400' => 1 }, 'no JSON');
    is_deeply(last_one(), { location => '/ops', status => 400, id => undef,
        level => undef, error => $t->post('/ops', 'no JSON')->{json}{error} },
        'the last one');

    is($t->get('/two')->{status}, 405, 'GET');
    added({ 'ops 400' => 1, 'two 405' => 1 }, 'the method');

    is($t->post('/ops', body('', 1, 'CRITICAL'))->{status}, 400, 'no id');
    added({ 'ops 400' => 1 }, 'no id');
    is_deeply(last_one(), { location => '/ops', status => 400, id => undef,
        level => 'CRITICAL',
        error => $t->post('/ops', body('', 1, 'CRITICAL'))->{json}{error} },
        'the last one has a level');

    $t->post('/ops', body('cpu', 1, 'HORRIBLE'));
    added({ 'ops 400' => 2 }, 'no such level');
    my $last = last_one();
    is_deeply([ @$last{qw(id level)} ], [ 'cpu', 'HORRIBLE' ],
              'found in a body that is not understood');

    $t->post('/ops', '{"id":"a\u0041\u00fc","level":null,"le');
    added({ 'ops 400' => 1 }, 'cut');
    $last = last_one();
    is_deeply([ @$last{qw(id level)} ], [ "aA\x{fc}", undef ],
              'found in a body that was cut');
};

subtest 'which source it was' => sub {
    %before = %{counted($q)};

    is($t->post('/chosen', team('two'))->{status}, 202, 'a source');
    is($t->post('/chosen', team('off'))->{status}, 202, 'off');
    added({}, 'neither is refused');

    is($t->post('/chosen', team('three'))->{status}, 422, 'no source');
    added({ ' 422' => 1 }, 'no source');
    is_deeply(last_one(), { location => '/chosen', status => 422, id => 'a',
        level => 'CRITICAL',
        error => 'ilert_kapacitor: no source "three"' }, 'the last one');

    $t->post('/chosen', '[]');
    added({ ' 400' => 1 }, 'none was chosen');

    $t->post('/given?source=two', '[]');
    added({ 'two 400' => 1 }, 'known from elsewhere');

    $t->post('/off', '[]');
    added({ ' 400' => 1 }, 'off');

    $t->request('PUT', '/only', body => body('a', 2, 'CRITICAL'));
    $q->status;
    $t->post('/only', '[]');
    my $n = counted($q);
    is($n->{'ops 400'} - $before{'ops 400'}, 1, 'with limit_except');
    %before = %$n;
};

subtest 'what is not refused' => sub {
    %before = %{counted($q)};
    is($t->post('/ops', body('good', 1, 'CRITICAL'))->{status}, 202, 'good');
    is($t->post('/ops', '{"id":"","level":"OK"}')->{status}, 202, 'a test');
    is($q->post('no', 'CRITICAL', type => 'off')->{status}, 202, 'ignored');
    $t->get('/status');
    $t->get('/nowhere');
    added({}, 'nothing is counted');
};

subtest 'the log' => sub {
    $q->pass(61);
    my $mark;
    my $lines = sub {
        map { /webhook refused: (.*) while .*, client: / ? $1 : () }
            $t->log_since($mark) =~ /^(.*\[warn\].*)$/mg };

    $t->post('/ops', 'no JSON');
    $q->pass(61);
    $mark = $t->mark;

    my $error = $t->post('/ops', "no\x01JSON \x7f\n\"" . "x" x 200)
                ->{json}{error};
    $t->post('/ops', 'no JSON') for 1 .. 3;
    is_deeply([ $lines->() ],
        [ "400 to 127.0.0.1, $error, body \"no JSON   \"" . 'x' x 89 . '"' ],
        'one line');

    $t->post('/two', '{"id":"i' . '\n' . 'd","level":1}');
    is(scalar(() = $lines->()), 2, 'and one of another location');
    like(($lines->())[1], qr/, id "i d"$/, 'with the id');

    $q->pass(61);
    $t->post('/ops', '{"id":"' . 'y' x 1000 . '","level":1}');
    is(scalar(() = $lines->()), 3, 'again after a minute');
    like(($lines->())[2], qr/, id "y{128}", after 3 others$/,
         'with the number of the others');

    $q->pass(61);
    $t->get('/ops');
    like(($lines->())[3], qr/^405 to 127.0.0.1, method: expected POST$/,
         'of which nothing is known');

    $q->pass(61);
    $t->post('/ops', "\xc3\xbc \xc2\x9b31m \xff \xe2\x80\xa8 \0\r\n.");
    like(($lines->())[4], qr/, body "\xc3\xbc  31m \xef\xbf\xbd [^"]*   \."$/,
         'control characters and bytes that are no UTF-8');

    my $key = 'il1apiabcdef0123456789';

    $q->pass(61);
    $t->post('/ops', qq({"integrationKey":"$key","a":"il1","b":"/$key?il1"}));
    like(($lines->())[5],
         qr/Key":"\*{22}","a":"il1","b":"\/il1\.{3}\?il1"\}"$/,
         'keys of ilert');
};

subtest 'workers and reloads' => sub {
    $t->post('/ops', '[]') for 1 .. 8;
    my $n = counted($q);
    $q->reload;
    is_deeply(counted($q), $n, 'a reload keeps the numbers');
    ok($q->status->{refused}{last}, 'and the last one');

    $t->kill_worker;
    is_deeply(counted($q), $n, 'and so does a death');
};

subtest 'what cannot be kept' => sub {
    my $r = IlertStatus->new(@KEYS, queue => undef, server => $SERVER,
                             sources => { ops => '' });
    $r->start;
    %before = ();
    added({}, 'nothing yet', $r);

    for my $case ([ 500, 502 ], [ 429, 503 ], [ 400, 502 ]) {
        my ($ilert, $answer) = @$case;
        my $rule = $r->fake->rule(status => $ilert, times => 1);
        is($r->test->post('/ops', body('a', $ilert, 'CRITICAL'))->{status},
           $answer, "ilert said $ilert");
        added({ "ops $answer" => 1 }, "counted as $answer", $r);
        $r->fake->drop_rule($rule);
    }

    my $last = last_one($r);
    is_deeply([ @$last{qw(status id level location)} ],
              [ 502, 'a', 'CRITICAL', '/ops' ], 'the last one');
    like($last->{error}, qr/^ilert answered 400/, 'and why');

    is($r->test->post('/ops', body('a', 9, 'CRITICAL'))->{status}, 202,
       'taken');
    added({}, 'is not counted', $r);
};

done();
