#!/usr/bin/perl

# "ilert_dry_run": the event that a webhook would become, and what would become
# of that now, are answered; nothing is kept, sent, or counted.  And
# tools/dry-run, which tries a folder of captured webhooks.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Copy qw(copy);
use JSON::PP;
use Test::More;

use IlertFake;
use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $LOST = 'il1api5ec4e7a02';
my $KAP = $IlertQueue::KAP;
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";
my $RETRY = 'retry 50ms 200ms;';
my $TEST = webhook('37-service-test-01-OK');

my $ODD_CONF = qq('a "b"\xff');
my $RESULT = 'add_header X-Result $ilert_result always; ';
my $DRY = "ilert_dry_run on; $RESULT";

my $fake = IlertFake->start(keys => { $KEY => 'api', $LOST => 'api',
                                      $KAP => 'kapacitor' });
my %sources = (
    ops => "coalesce latest; repeat 1h; $RETRY",
    lost => "integration_key $LOST; $RETRY",
    native => "webhook_url $URL; $RETRY",
);

my $LOCATIONS = <<"CONF";
    location = /dry/ops { ilert_kapacitor ops; $DRY
        ilert_priority \$http_x_priority; ilert_event_type \$http_x_type; }
    location = /dry/off { ilert_kapacitor off; $DRY }
    location = /dry/none { ilert_kapacitor \$arg_source; $DRY }
    location = /dry/odd { ilert_kapacitor $ODD_CONF; $DRY }
    location = /dry/lost { ilert_kapacitor lost; $DRY }
    location = /dry/native { ilert_kapacitor native; $DRY }
    location = /dry/test { ilert_kapacitor ops test=send; $DRY }
    location = /dry/small { ilert_kapacitor ops; ilert_max_body_size 50;
        $DRY }
    location = /dry/if { ilert_kapacitor ops; ilert_dry_run on;
        if (\$http_x_if) { $RESULT } }
    location = /dry/mapped { ilert_kapacitor ops; $DRY
        ilert_summary "\$kapacitor_level: \$kapacitor_id \$http_x_note"; }
    location = /dry/not { ilert_kapacitor ops; ilert_dry_run off; $RESULT }
CONF

my $q = IlertStatus->new(
    workers => 2, fake => $fake, timeout => '2s', sources => { %sources },
    http => "ilert_source $ODD_CONF { integration_key $KEY; }",
    server => $LOCATIONS);
my $t = $q->test;
$q->start;

my @MEMBERS = qw(alert_key answer becomes error event held_seconds level
                 priority repeat replaces result source status type urgency
                 why);

sub dry {
    my ($where, $body, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $r = $t->post("/dry/$where", $body, %opt);
    my $json = $r->{json} // {};

    is_deeply([ $r->{status}, $r->{header}{'content-type'},
                $r->{header}{'x-result'}, $json->{status},
                [ sort keys %$json ] ],
              [ 200, 'application/json', 'DRY_RUN', 'dry-run', \@MEMBERS ],
              "$where: an answer of a dry run")
        or diag($r->{raw});
    return $json;
}

sub of { my ($json, @names) = @_; return [ @{$json}{@names} ] }

sub says {
    my ($id, $level) = @_;
    return qq({"id":"$id","message":"$id!","details":"","duration":0,)
         . qq("time":"2026-03-01T08:15:30Z","level":"$level"}\n);
}

sub fate {
    my ($where, $id, $level, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return of(dry($where, says($id, $level), %opt),
              qw(becomes urgency repeat replaces));
}

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $before;

# Nothing of it is to be seen.

sub nothing {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $status = $q->status;
    my %counted = map { my $s = $status->{sources}{$_};
                        ($_ => [ @{$s}{qw(accepted ignored coalesced
                                          delivered pending dead)} ]) }
                  keys %{$status->{sources}};
    my $now = [ \%counted, $status->{refused}, $status->{queue}{pending},
                scalar(() = $fake->requests) ];

    is_deeply($now, $before, $_[0]) if $_[0];
    $before = $now;
}


subtest 'what would be sent' => sub {
    nothing();

    my $json = dry('ops', webhook('01-levels-04-CRITICAL'));
    is_deeply(of($json, qw(answer result error source type alert_key level
                           priority urgency becomes why held_seconds)),
              [ 202, 'accepted', undef, 'ops', 'ALERT', 'cpu:host=web01',
                'CRITICAL', undef, 'critical', 'sent', undef, undef ],
              'a critical alert');
    ok(!exists $json->{event}{integrationKey}, 'the key is not in the event');

    nothing('nothing has happened');

    $t->post('/ops', webhook('01-levels-04-CRITICAL'));
    ok($fake->wait_events(1), 'without a dry run');
    my $event = ($fake->events)[-1]{json};
    delete $event->{integrationKey};
    is_deeply($json->{event}, $event, 'it is that event');
    $q->becomes(sub { !$_->{queue}{pending} }, 'and is delivered');

    $json = dry('ops', webhook('01-levels-06-OK'));
    is_deeply(of($json, qw(type level urgency becomes)),
              [ 'RESOLVE', 'OK', 'resolve', 'sent' ], 'its end');

    $json = dry('ops', says('new', 'WARNING'),
                headers => [ 'X-Priority' => 'HIGH' ]);
    is_deeply(of($json, qw(priority urgency)), [ 'HIGH', 'critical' ],
              'a priority');

    $json = dry('odd', says('new', 'WARNING'));
    is_deeply(of($json, qw(source becomes)), [ "a \"b\"\x{fffd}", 'sent' ],
              'a source that has never had an event');
};

subtest 'what ilert shows' => sub {
    $q->say('shown CRITICAL');
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');
    nothing();

    my $json = dry('ops', says(' SHOWN ', 'CRITICAL'));
    is_deeply(of($json, qw(becomes urgency repeat)),
              [ 'held', 'repeat', $yes ], 'a repeat is held');
    like($json->{held_seconds}, qr/^3[56]\d\d$/, 'for the time of "repeat"');
    is_deeply(fate('ops', 'shown', 'WARNING'), [ 'sent', 'update', $no, $no ],
              'another level is sent');
    is_deeply(fate('ops', 'shown', 'OK'), [ 'sent', 'resolve', $no, $no ],
              'so is the end');
    is_deeply(fate('ops', 'shown', 'CRITICAL',
                   headers => [ 'X-Type' => 'COMMENT' ]),
              [ 'sent', 'update', $no, $no ], 'and a comment');
    nothing('nothing has happened');

    $json = dry('ops', says('shown', 'CRITICAL')
                       =~ s/}$/,"recoverable":false}/r);
    is_deeply(of($json, qw(becomes urgency repeat)), [ 'sent', 'update', $no ],
              'what nothing will resolve is news by its message');

    $q->say('shown OK');
    $q->becomes(sub { !$_->{queue}{pending} }, 'resolved');
    is_deeply(fate('ops', 'shown', 'OK'), [ 'dropped', 'resolve', $no, $no ],
              'a second end is dropped');
};

subtest 'of what ilert was told nothing' => sub {
    ok($q->drained, 'there is a database');
    $q->sql('update total set doubted = 1');
    $q->post('quiet', 'WARNING', type => 'off', time => time());
    ok(wait_until(sub {
        $q->value("select count(*) from alert where key = 'quiet'")
    }, 5), 'a webhook that is ignored');
    nothing();

    my $json = dry('ops', says('quiet', 'OK'));
    is_deeply(of($json, qw(becomes why)),
              [ 'dropped', 'ilert was told nothing of its alert' ],
              'its end is not sent');
    is_deeply(fate('ops', 'quiet', 'CRITICAL'),
              [ 'sent', 'critical', $no, $no ], 'it can be opened');
    nothing('nothing has happened');
};

subtest 'what waits' => sub {
    my $rule = $fake->rule(match => qr/"wait/, status => 503);
    $q->say('wait CRITICAL');
    ok($fake->wait_requests(1), 'tried');
    $q->becomes(sub { $_->{sources}{ops}{pending} == 1 }, 'waits');
    is_deeply(fate('ops', 'other', 'CRITICAL'),
              [ 'sent', 'critical', $no, $no ], 'another alert goes');

    is_deeply(fate('lost', 'wait', 'OK'), [ 'sent', 'resolve', $no, $no ],
              'of another key it is another one');
    $q->does('sources/ops/pause', 1);
    my $json = dry('ops', says('wait', 'OK'));
    is_deeply(of($json, qw(becomes why)),
              [ 'waits', 'the source is paused by control' ], 'paused');
    ok($json->{replaces}, 'the state in place of the one that waits');
    $q->does('sources/ops/resume', 1);

    $fake->drop_rule($rule);
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');

    $rule = $fake->rule(match => qr/$LOST/, status => 403);
    $q->post('a', 'CRITICAL', source => 'lost');
    $q->becomes(sub { $_->{sources}{lost}{state} eq 'parked' }, 'parked');
    $json = dry('lost', says('b', 'OK'));
    is_deeply(of($json, qw(becomes why)), [ 'waits', 'the source is parked' ],
              'parked');
    $json = dry('lost', says('a', 'COMMENT') =~ s/COMMENT/WARNING/r);
    is($json->{becomes}, 'waits', 'behind another one');
    $fake->drop_rule($rule);
    $q->does('sources/lost/resume', 1);
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');
};

subtest 'what is not sent' => sub {
    nothing();

    my $json = dry('ops', 'nonsense');
    is_deeply(of($json, qw(answer result becomes event source)),
              [ 400, 'rejected', undef, undef, undef ], 'no JSON');
    like($json->{error}, qr/\S/, 'and why');

    $json = dry('none?source=nobody', says('a', 'OK'));
    is_deeply(of($json, qw(answer result error type alert_key level)),
              [ 422, 'rejected', 'ilert_kapacitor: no source "nobody"',
                'RESOLVE', 'a', 'OK' ], 'no source');

    $json = dry('off', says('a', 'OK'));
    is_deeply(of($json, qw(answer result source event)),
              [ 202, 'ignored', undef, undef ], 'a source "off"');
    $json = dry('ops', says('a', 'OK'), headers => [ 'X-Type' => 'off' ]);
    is_deeply(of($json, qw(answer result source event)),
              [ 202, 'ignored', 'ops', undef ], 'a type "off"');

    for my $where ('ops', 'test') {
        $json = dry($where, $TEST);
        is_deeply(of($json, qw(answer result source event becomes)),
                  [ 202, 'test', 'ops', undef, undef ], 'a test');
    }

    is($t->post('/dry/small', says('a', 'OK'))->{status}, 413, 'too large');
    is($t->get('/dry/ops')->{status}, 405, 'GET');
    nothing('nothing has happened');
};

subtest 'a webhook URL' => sub {
    nothing();
    my $body = webhook('05-unicode-01-CRITICAL');
    my $json = dry('native', $body);
    is_deeply($json->{event}, JSON::PP->new->utf8->decode($body),
              'the body as it is');
    is_deeply(of($json, qw(type becomes)), [ 'ALERT', 'sent' ],
              'and what it is');
    nothing('nothing has happened');
};

subtest 'a large body' => sub {
    nothing();
    my $body = says('large', 'CRITICAL');
    $body =~ s/"details":""/'"details":"' . 'x' x 600_000 . '"'/e;

    my $json = dry('ops', $body);
    is_deeply(of($json, qw(alert_key becomes)), [ 'large', 'sent' ],
              'parsed by a thread');
    cmp_ok(length $json->{event}{details}, '<', 65536, 'the event is cut');
    is(length dry('native', $body)->{event}{details}, 600_000,
       'with a webhook URL it is not');
    nothing('nothing has happened');
};

subtest 'all that was captured' => sub {
    nothing();
    my @odd;

    for my $name (webhooks()) {
        my $r = $t->post('/dry/ops', webhook($name));
        push @odd, $name if $r->{status} != 200
                            || ($r->{json}{status} // '') ne 'dry-run';
    }

    is_deeply(\@odd, [], 'is answered');
    nothing('nothing has happened');
};

subtest 'where it is not on' => sub {
    my $r = $t->post('/dry/not', says('not', 'CRITICAL'));
    is_deeply([ $r->{status}, $r->{json}{status}, $r->{header}{'x-result'} ],
              [ 202, 'accepted', 'ACCEPTED' ], 'off');
    $r = $t->post('/dry/if', says('if', 'CRITICAL'),
                  headers => [ 'X-If' => 1 ]);
    is_deeply([ $r->{status}, $r->{json}{status}, $r->{header}{'x-result'} ],
              [ 200, 'dry-run', 'DRY_RUN' ], '"if" is still the location');
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');
};


# tools/dry-run ------------------------------------------------------------

my $TOOL = IlertTest::top() . '/tools/dry-run';
my $folder = $t->path('captured');

sub run {
    my (@arguments) = @_;

    s/'/'\\''/g for @arguments;
    my $output = qx($^X '$TOOL' @{[map { "'$_'" } @arguments]} 2>&1);
    utf8::decode($output);
    return ($? >> 8, $output);
}

sub url { return 'http://127.0.0.1:' . $t->port(0) . "/$_[0]" }

subtest 'a folder of webhooks' => sub {
    mkdir $folder;

    for my $name (qw(01-levels-04-CRITICAL 01-levels-06-OK
                     05-unicode-01-CRITICAL 19-alert-template-text-01-raw))
    {
        copy(IlertTest::top() . "/t/data/webhooks/$name.http", $folder)
            or die "$name: $!";
    }

    $t->write_file('captured/body.json', says('body', 'WARNING'));
    $t->write_file('captured/other.txt', 'not taken');
    nothing();

    my ($code, $output) = run(url('dry/mapped'), $folder);
    is($code, 0, 'it is tried') or diag($output);
    my @lines = split /\n/, $output;
    is(scalar @lines, 6, 'a line for each, and a head');
    like($lines[0], qr/^webhook\s+answer\s+source\s+type\s+priority\s+urgency
                       \s+becomes\s+alert\ key\s+summary$/x, 'the head');
    like($lines[1], qr/^01-levels-04-CRITICAL.http\s+202\s+ops\s+ALERT\s+-
                       \s+\w+\s+\w+\s+cpu:host=web01
                       \s+CRITICAL:\ cpu:host=web01$/x,
         'an alert');
    like($lines[4], qr/^19-\S+ +400 +- .* rejected /, 'one that is refused');
    like($lines[5], qr/^body.json +202 +ops +ALERT .* sent +body /, 'a body');

    ($code, $output) = run(url('dry/none'), $folder);
    like($output, qr/^body.json +422 .*: no source, the value is empty$/m,
         'without an argument');
    ($code, $output) = run(url('dry/none?source=lost'), "$folder/body.json");
    like($output, qr/^body.json +202 +lost /m, 'with one');
    nothing('nothing has happened');
};

subtest 'against the last run' => sub {
    my $file = $t->path('last.json');

    my ($code, $output) = run('-c', $file, url('dry/mapped'), $folder);
    is($code, 0, 'the first one');
    like($output, qr/^webhook /, 'is a table');
    my $kept = IlertTest::slurp($file);
    is(scalar keys %{JSON::PP->new->utf8->decode($kept)}, 5, 'and is kept');

    $q->say('body WARNING');
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered');
    is_deeply([ run('-c', $file, url('dry/mapped'), $folder) ], [ 0, '' ],
              'what ilert shows makes no difference');

    ($code, $output) = run('-c', $file, '-H', 'X-Note: noted',
                           url('dry/mapped'), $folder);
    is($code, 1, 'another mapping does');
    like($output, qr/^body.json\n
        \ \ -\ event.summary:\ "WARNING:\ body\ "\n
        \ \ \+\ event.summary:\ "WARNING:\ body\ noted"\n?\z/mx,
        'and is shown');
    unlike($output, qr/^19-/m, 'what is the same is not');
    is(IlertTest::slurp($file), $kept, 'what was kept stays');

    unlink "$folder/body.json";
    ($code, $output) = run('-c', $file, '-u', url('dry/mapped'), $folder);
    is($code, 1, 'one is gone');
    like($output, qr/^body.json\n(?:\ \ -\ .*\n)+\z/, 'all of it');
    is_deeply([ run('-c', $file, url('dry/mapped'), $folder) ], [ 0, '' ],
              'that is the last run now');
};

# Of some webhooks there is no event: of Chronograf's test, or with "off".

subtest 'what becomes no event' => sub {
    my $file = $t->path('none.json');
    $t->write_file("none/gr\xc3\xbcn.json", $TEST);
    $t->write_file("none/odd\xff.json", says('a', 'OK'));

    my ($code, $output) = run('-c', $file, url('dry/off'), $t->path('none'));
    is($code, 0, 'it is tried') or diag($output);
    like($output, qr/^gr\x{fc}n.json +202 .* test +- +-$/m, 'no summary');
    like($output, qr/^odd\x{ff}.json +202 +- .* ignored .* -$/m, 'likewise');
    is_deeply([ run('-c', $file, url('dry/off'), $t->path('none')) ],
              [ 0, '' ], 'the same is the same');
};

subtest 'what it does not do' => sub {
    nothing();

    for my $uri ('ops', 'dry/not', 'status', 'nowhere') {
        my ($code, $output) = run(url($uri), $folder);
        is($code, 2, "/$uri");
        like($output, qr/no location with "ilert_dry_run on": nothing is/,
             'it says why');
    }

    my ($code, $output) = run('http://127.0.0.1:1/', $folder);
    is($code, 2, 'nobody there');
    ($code, $output) = run(url('dry/ops'), $t->path('nothing'));
    like($output, qr/^dry-run: cannot read /, 'no file');
    ($code, $output) = run(url('dry/ops'));
    like($output, qr/^dry-run: usage: /, 'no folder');

    # the test that is posted first is counted, where it is no dry run

    my $ignored = 2;
    $before->[0]{ops}[1] += $ignored;
    nothing('nothing is posted');
};


# Without a queue ----------------------------------------------------------

subtest 'relayed' => sub {
    $q->change(queue => undef)->reload;
    my $n = () = $fake->requests;

    my $json = dry('ops', says('a', 'CRITICAL'));
    is_deeply(of($json, qw(answer becomes why urgency)),
              [ 202, 'relayed', 'there is no queue', undef ],
              'without a queue');
    is(scalar(() = $fake->requests), $n, 'but it is not');
};

$q->stop;
done();
