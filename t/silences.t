#!/usr/bin/perl

# Silences: ALERTs of their alerts are held, and nobody hears of them, until
# they end; RESOLVEs of what ilert shows go.  How they are made and ended, what
# is refused, and what the status says of them.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(sleep time);

use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $OFF = 'il1api5ec4e7a03';
my $LONG = 300;       # seconds of a silence, unless a test says otherwise

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $q = IlertStatus->new(
    shim => $shim, workers => 2, log_level => 'notice',
    keys => { map { $_ => 'api' } $KEY, $TWO, $OFF },
    sources => { ops => 'retry 50ms 200ms;', same => 'retry 50ms 200ms;',
        two => "integration_key $TWO; max_age 1m; resolve_after 2m; "
               . 'retry 50ms 200ms;',
        every => "integration_key $OFF; coalesce off; retry 50ms 200ms;" },
    server => 'location = /try { ilert_kapacitor ops; ilert_dry_run on; }');
my ($t, $fake) = ($q->test, $q->fake);
$q->start;

# What has come to ilert since the last time: "ID N" of each, "-" a RESOLVE.

my $from = 0;

sub came {
    my @requests = $fake->requests;
    my @new = grep { $_->{taken} } @requests[$from .. $#requests];
    $from = @requests;
    return join ', ', sort map {
        $_->{event}{summary} . ($_->{type} eq 'RESOLVE' ? ' -' : '')
    } @new;
}

sub comes {
    my ($wanted, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $n = $from + (() = $wanted =~ /,/g) + 1;
    wait_until(sub { $fake->counts->{requests} >= $n }, 4);
    is(came(), $wanted, $what);
}

sub nothing_comes {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $q->calm(0.3);
    is(came(), '', $what);
}

sub silence {
    my (%opt) = @_;
    my $arguments = join '&', map { "$_=" . IlertStatus::escape($opt{$_}) }
                              sort keys %opt;
    return $q->control("silence?$arguments");
}

# Returns the id of a new one.

sub silenced {
    my %opt = (source => 'ops', for => '5m', @_);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = silence(%opt);
    like("$answer->{status} " . ($answer->{body} // ''),
         qr/^200 \{"status":"ok","id":[1-9]\d*\}$/, "silence $opt{alert_key}");
    return ($answer->{body} // '') =~ /"id":(\d+)/ ? $1 : 0;
}

sub ended {
    my ($id) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = $t->request('DELETE', "/control/silence/$id");
    is("$answer->{status} " . ($answer->{body} // ''),
       qq(200 {"status":"ok","count":1}\n), "silence $id is ended");
}

# "ID KEY HELD" of each silence

sub listed {
    return join ', ', map { join ' ', $_->{id}, $_->{alert_key},
                                      $_->{held} }
                      @{$q->status($_[0])->{silences}};
}

sub of_ops { $q->status->{sources}{ops}{$_[0]} }


subtest 'what is refused' => sub {
    my %good = (source => 'ops', alert_key => 'x', for => '1h');
    my @cases = (
        [ { source => '' }, 400, qr/^source: expected/ ],
        [ { source => 'none' }, 404, qr/no such source/ ],
        [ { alert_key => '' }, 400, qr/^alert_key: expected/ ],
        [ { alert_key => " \t" }, 400, qr/^alert_key: expected/ ],
        [ { alert_key => 'x' x 1001 }, 400, qr/^alert_key: expected/ ],
        (map { [ { for => $_ }, 400, qr/^for: expected/ ] }
            '', '0', '0s', '-1h', '1x', '366d', '100y', 'h', '999999999999s'),
        (map { [ { from => $_ }, 400, qr/^from: expected/ ] }
            'tomorrow', '2026-03-01', '2999-01-01T00:00:00Z', '12:00'),
        [ { from => '2020-01-01T00:00:00Z' }, 400, qr/^from: .*over/ ],
        [ { comment => 'c' x 201 }, 400, qr/^comment: expected 200/ ],
    );

    for my $case (@cases) {
        my ($other, $status, $like) = @$case;
        my $answer = silence(%good, %$other);
        my ($name) = %$other;
        is("$answer->{status} " . ($answer->{json}{status} // ''),
           "$status rejected", "$name " . substr $other->{$name}, 0, 30);
        like($answer->{json}{error} // '', $like, 'the reason');
    }

    for my $missing (qw(source alert_key for)) {
        my %some = %good;
        delete $some{$missing};
        my $answer = silence(%some);
        is($answer->{status}, 400, "without $missing");
    }

    for my $id (qw(1 999999999)) {
        my $answer = $t->request('DELETE', "/control/silence/$id");
        is($answer->{status}, 404, "no silence $id");
        like($answer->{json}{error}, qr/no such silence/, 'the reason');
    }

    for my $id ('', 'x', '0', '-1', '1x', '1/x', '9' x 30) {
        my $answer = $t->request('DELETE', "/control/silence/$id");
        is($answer->{status}, 404, "no id: \"$id\"");
    }

    my %allow = ('silence' => 'POST', 'silence/1' => 'DELETE',
                 'silences' => 'POST');

    for my $path (sort keys %allow) {
        for my $method (grep { $_ ne $allow{$path} } qw(GET PUT DELETE POST))
        {
            my $r = $t->request($method, "/control/$path");
            is("$r->{status} " . ($r->{header}{allow} // ''),
               "405 $allow{$path}", "$method $path");
        }
    }

    my $r = $t->request('DELETE', '/control/silence/1',
                        headers => [ Origin => 'http://other.example.com' ]);
    is($r->{status}, 403, 'not for a page of another site');
    is(listed(), '', 'there is none');
};


subtest 'held, and what goes' => sub {
    $q->say('open1 WARNING', 'open2 WARNING');
    comes('open1 1, open2 1', 'before it');

    my $id = silenced(alert_key => ' OPEN? ', comment => "a \xc3\xa9\nb");
    my $s = $q->status;
    my ($one) = @{$s->{silences}};
    is_deeply([ @{$one}{qw(source alert_key comment)} ],
              [ 'ops', 'open?', "a \x{e9} b" ], 'it is listed');
    is_deeply([ map { $_->{silence} } @{$s->{open}} ], [ $id, $id ],
              'with each open alert that it holds for');

    my $answer = $q->post('open1', 'CRITICAL');
    is("$answer->{status} $answer->{json}{status}", '202 accepted',
       'a webhook is accepted');
    $q->say('open3 CRITICAL', 'open2 OK', 'open4 CRITICAL', 'other CRITICAL');
    comes('open2 2 -, other 1', 'what ilert shows is resolved');

    # ilert may show what is new to the queue

    $q->say('open4 OK');
    comes('open4 2 -', 'so is what it may show');
    is(listed(), "$id open? 2", 'two are held');
    is(of_ops('silenced') . ' ' . of_ops('pending'), '2 0', 'not pending');

    my $alert = $q->alert('ops', 'OPEN1');
    is_deeply([ $alert->{silence}, $alert->{reason},
                $alert->{next_try} ],
              [ $id, 'a silence holds it back', $one->{until} ],
              'why it waits');
    is($q->alert('ops', 'other')->{silence}, undef, 'another one');
    my ($waits) = grep { $_->{alert_key} eq 'open3' }
                       @{$q->status->{waiting_list}};
    is("$waits->{for} $waits->{next}", "silence $one->{until}", 'in the list');

    my $dry = $t->post('/try', IlertQueue::webhook('open9', 1, 'CRITICAL'));
    is($dry->{json}{becomes}, 'silenced', 'a dry run');

    # over a restart, and the death of all

    $q->stop;
    $q->start;
    nothing_comes('after a restart');
    $t->crash;
    $q->start;
    nothing_comes('after a crash');
    $q->say('open1 WARNING');
    nothing_comes('the newest is held, too');

    my $mark = $t->mark;
    $q->run($LONG - 60);
    nothing_comes('it lasts');
    is(listed(), "$id open? 2", 'it is there');
    $q->run(70);
    comes('open1 3, open3 1', 'what is still bad goes');
    is(listed(), '', 'it is over');
    ok(wait_until(sub { $q->run(30); scalar $t->grep_log(
        qr/1 silences are over, silence $id is the last/, $mark) }, 5),
       'the log');
    like($q->metrics->{body},
         qr/^ilert_events_silenced_total\{source="ops"\} 1$/m,
         'counted since the start of nginx');
};


subtest 'only the newest state' => sub {
    my $id = silenced(source => 'every', alert_key => '*');
    my %every = (source => 'every');

    $q->say(\%every, 'flap CRITICAL', 'flap OK');
    comes('flap 2 -', 'it may be shown');
    $q->say(\%every, 'flap CRITICAL', 'flap WARNING', 'flap CRITICAL',
            'over CRITICAL', 'bad CRITICAL', 'bad WARNING COMMENT',
            'bad WARNING');
    $q->say(\%every, 'flap OK');
    comes('bad 2', 'a comment waits for what is before it, till that is gone');
    $q->say(\%every, 'flap CRITICAL');

    ended($id);
    comes('bad 3, flap 7, over 1', 'when it ends');
    nothing_comes('that was all');
};


subtest 'what waits is held at once' => sub {
    my $rule = $fake->rule(match => qr/"way/, delay => 0.5);
    $q->say('way CRITICAL');
    ok(wait_until(sub { of_ops('inflight') == 1 }), 'one is under way');
    $fake->drop_rule($rule);
    $q->does('sources/ops/pause', 1);
    $q->say('wait1 CRITICAL', 'wait2 CRITICAL', 'wait3 CRITICAL');
    ok(of_ops('pending') >= 3, 'others wait');

    my $id = silenced(alert_key => 'wa*');
    is(of_ops('silenced'), 3, 'are held');
    ok($t->grep_log(qr/ilert\ control:\ a\ silence\ of\ "wa\*"\ of\ source
                       \ "ops".*\ count:\ 3$/x), 'the log');
    $q->does('sources/ops/resume', 1);
    comes('way 1', 'what was under way');
    $q->say('way WARNING');
    nothing_comes('it is resumed');

    my $other = silenced(alert_key => '*2', for => '2h');
    ended($id);
    comes('wait1 1, wait3 1, way 2', 'what no other silence holds');
    is(listed(), "$other *2 1", 'the other one does');
    ended($other);
    comes('wait2 1', 'not any more');
};


subtest 'for the integration key' => sub {
    my $id = silenced(source => 'same', alert_key => 'shared');
    $q->say('shared CRITICAL');
    $q->say({ source => 'two' }, 'shared CRITICAL');
    comes('shared 1', 'of another key');
    is(listed('source=ops'), "$id shared 1", 'of a source of the key');
    is(listed('source=two'), '', 'of another one');
    ended($id);
    $q->say({ source => 'two' }, 'shared OK');
    comes('shared 1, shared 2 -', 'then');
};


subtest 'later' => sub {
    my $now = time() + $shim->{passed};
    my @tm = gmtime($now + $LONG);
    my $id = silenced(alert_key => 'later*', for => '2m',
        from => sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', $tm[5] + 1900,
                        $tm[4] + 1, @tm[3, 2, 1, 0]));
    $q->say('later1 CRITICAL');
    comes('later1 1', 'before it begins');
    is(listed(), "$id later* 0", 'it is listed');
    $q->run($LONG + 5);
    $q->say('later2 CRITICAL');
    nothing_comes('it holds');
    $q->run(120);
    comes('later2 1', 'and ends');
};


subtest 'ages' => sub {
    my $id = silenced(source => 'two', alert_key => '*');
    $q->say({ source => 'two' }, 'aged CRITICAL', 'aged2 WARNING');
    $q->run(180);
    nothing_comes('neither resolve_after nor max_age');
    $q->run(120);
    comes('aged 1, aged2 1', 'not too old');
    is($q->status->{sources}{two}{dead}, 0, 'no dead letter');
};

is_deeply([ map { "$_->{uri}: $_->{fault}" } $fake->errors ], [],
          'nothing is wrong with the requests');

done();
