#!/usr/bin/perl

# Tests of the way to ilert: "sources/NAME/test" of "ilert_control", and
# Chronograf's "Send Test Alert" with "test=send".  An ALERT of priority LOW
# and its RESOLVE go the whole way, and both verdicts are answered.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertShim;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $LOST = 'il1api5ec4e7a02';
my $NARROW = 'il1api5ec4e7a03';
my $URL = "https://api.ilert.com/api/v1/events/kapacitor/$KAP";
my $RETRY = 'retry 50ms 200ms;';
my $TEST = webhook('37-service-test-01-OK');

# name, and how it is written in a configuration

my $ODD = "a \"b\"/c\xc3\xbc" . 'x' x 200;
my $ODD_CONF = q('a "b"/cü) . 'x' x 200 . q(');

my $shim = IlertShim->new or plan(skip_all => 'no compiler');
my $fake = IlertFake->start(keys => { $KEY => 'api', $LOST => 'api',
                                      $NARROW => 'api', $KAP => 'kapacitor' });

sub server {
    my ($test) = @_;
    return "location = /send { ilert_kapacitor ops$test; $_[1] }";
}

my $RESULT = 'add_header X-Result $ilert_result always; '
           . 'add_header X-Event $ilert_event_id always;';

my $q = IlertStatus->new(
    shim => $shim, workers => 2, fake => $fake, timeout => '2s',
    sources => {
        ops => "coalesce latest; rate 50r/m; $RETRY",
        every => "coalesce off; $RETRY",
        lost => "integration_key $LOST; $RETRY",
        native => "webhook_url $URL; $RETRY",
        narrow => "integration_key $NARROW; rate 1r/m; $RETRY",
    },
    http => "ilert_source $ODD_CONF { integration_key $KEY; $RETRY } "
          . 'map $http_x_source $wanted { "" narrow; default '
          . '$http_x_source; }',
    server => "location = /send { ilert_kapacitor ops test=send; $RESULT } "
          . "location = /if { ilert_kapacitor ops test=send; $RESULT "
          . 'if ($http_x_if) { add_header X-If yes always; } } '
          . "location = /ignore { ilert_kapacitor ops test=ignore; $RESULT } "
          . "location = /any { ilert_kapacitor \$wanted test=send; $RESULT }",
);
my $t = $q->test;
$q->start;

# The answer to a test of the source.  What differs each time is not in its
# JSON, but in "events" and "seconds".

sub tested {
    my ($source, %opt) = @_;

    my $answer = $q->control('sources/' . IlertStatus::escape($source)
                             . '/test', timeout => 40, %opt);
    my $json = $answer->{json};

    for my $event (grep { ref } map { $json->{$_} } qw(alert resolve)) {
        push @{$answer->{events}}, delete $event->{event};
        push @{$answer->{seconds}}, delete $event->{seconds};
    }

    return $answer;
}

sub delivered {
    my ($source, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $answer = tested($source, %opt);

    is_deeply([ $answer->{status}, $answer->{json} ],
              [ 200, { status => 'ok', alert => { verdict => 'delivered' },
                       resolve => { verdict => 'delivered' } } ],
              "$source: delivered")
        or diag($answer->{raw});
    is(scalar(grep { /^\d+$/ } @{$answer->{events}}), 2, 'two events');
    is(scalar(grep { /^\d+\.\d+$/ && $_ < 24 } @{$answer->{seconds}}), 2,
       'and how long they took');
    return $answer;
}

sub came { return map { "$_->{type} $_->{alert_key}" } $fake->events }

sub open_alerts {
    return grep { $_->{state} ne 'resolved' }
           values %{$fake->alerts->{$KEY} // {}};
}

# In steps, as the store is asked again and again.

sub deadline {
    $q->run(2) for 1 .. 13;
}

sub clean {
    $fake->reset;
    $fake->accept;
}


# The whole way ------------------------------------------------------------

subtest 'an alert and its end' => sub {
    clean();

    for my $source ('ops', 'every') {
        my $n = () = $fake->events;
        my $answer = delivered($source);
        my @came = ($fake->events)[$n .. $n + 1];
        my $key = "ilert-test:$answer->{events}[0]";

        is_deeply([ map { $_->{json} } @came ], [
            { integrationKey => $KEY, eventType => 'ALERT', alertKey => $key,
              priority => 'LOW', summary => "Test of the source \"$source\" "
              . 'by nginx, which is resolved at once' },
            { integrationKey => $KEY, eventType => 'RESOLVE',
              alertKey => $key,
              summary => "Test of the source \"$source\" by nginx is over" },
        ], 'what ilert gets');
        is($fake->alerts->{$KEY}{$key}{state}, 'resolved', 'and shows');
    }

    is_deeply([ $fake->errors ], [], 'valid by the schema');

    my $status = $q->becomes(sub { !$_->{queue}{pending} }, 'nothing waits');
    is($status->{sources}{ops}{delivered}, 2, 'they are counted');
    is($status->{sources}{ops}{accepted}, 0, 'but no webhook is');
    is($status->{sources}{ops}{open_alerts}, 0, 'nothing is open');
};

subtest 'each worker, and many at a time' => sub {
    clean();

    my @handles = map { $t->start_post('/control/sources/every/test', '',
                                       timeout => 40) } 1 .. 8;
    is_deeply([ map { $_->{status} } $t->finish(@handles) ], [ (200) x 8 ],
              'all are delivered');
    is(scalar(() = came()), 16, 'two events each');
    is(scalar(keys %{{ map { $_->{alert_key} => 1 } $fake->events }}), 8,
       'no two have the same key');
};

subtest 'a webhook URL' => sub {
    clean();
    delivered('native');

    my ($alert, $resolve) = map { $_->{json} } $fake->events;
    is($alert->{level}, 'WARNING', 'the level of the alert');
    is($resolve->{level}, 'OK', 'and of its end');
    is($resolve->{id}, $alert->{id}, 'one id');
    like($alert->{message}, qr/^Test of the source "native"/, 'a message');
    like($alert->{time}, qr/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, 'a time');
    is_deeply($alert->{data}, { series => undef }, 'no data');
    is_deeply([ $fake->errors ], [], 'it is what Kapacitor sends');
};

subtest 'an odd name' => sub {
    clean();
    delivered($ODD);
    my $summary = ($fake->events)[0]{json}{summary};
    like($summary, qr/^Test of the source "a "b"\/c.x{1,200}" by nginx,/,
         'the summary has it, cut');
    is_deeply([ $fake->errors ], [], 'and is valid');
};

subtest 'what is in between' => sub {
    clean();
    $fake->rule(status => 503, times => 2);
    my $answer = delivered('ops');
    cmp_ok($answer->{seconds}[0], '>', 0.05, 'it was tried again');

    my @lines = $t->grep_log(qr/ilert control: sources\/ops\/test by 127\./);
    like($lines[-1], qr/\[notice\] .*, count: 2$/, 'the log has it');
};


# What fails ---------------------------------------------------------------

subtest 'refused' => sub {
    clean();
    $fake->rule(status => 400, times => 1,
                body => '{"message":"no such priority"}');
    my $answer = tested('ops');

    my $error = 'ilert answered 400: no such priority';
    is_deeply([ $answer->{status}, $answer->{json} ],
              [ 502, { status => 'failed', error => $error,
                       alert => { verdict => 'refused', status => 400,
                                  error => $error },
                       resolve => { verdict => 'unsent' } } ],
              'ilert takes no alert');
    is_deeply($q->status->{dead}, [], 'no dead letter is left');

    clean();
    $fake->rule(match => qr/RESOLVE/, status => 400, times => 1);
    $answer = tested('ops');
    is_deeply([ $answer->{status}, map { $answer->{json}{$_}{verdict} }
                qw(alert resolve) ], [ 502, 'delivered', 'refused' ],
              'ilert does not take its end');
    is_deeply($q->status->{dead}, [], 'no dead letter is left');
    delivered('ops');
};

subtest 'paused' => sub {
    clean();
    $q->does('sources/ops/pause', 1);
    $q->refused('sources/ops/test', 409, qr/^the source is paused by con/);
    is_deeply([ came() ], [], 'nothing is sent');
    my $r = $t->post('/send', $TEST);
    is_deeply([ $r->{status}, $r->{json}, $r->{header}{'x-result'} ],
              [ 503, { status => 'rejected',
                       error => 'the source is paused by control' },
                'UNAVAILABLE' ], 'Chronograf is told');
    $q->does('sources/ops/resume', 1);
    delivered('ops');
};

subtest 'parked' => sub {
    clean();
    my $rule = $fake->rule(match => qr/$LOST/, status => 403,
                           body => '{"message":"no"}');
    $q->post('a', 'CRITICAL', source => 'lost');
    $q->becomes(sub { $_->{sources}{lost}{state} eq 'parked' }, 'parked');

    my $n = () = $fake->requests;
    $q->refused('sources/lost/test', 409,
                qr/^the source is parked: ilert answered 403: no$/);
    is(scalar(() = $fake->requests), $n, 'nothing is sent');

    $fake->drop_rule($rule);
    $q->does('sources/lost/resume', 1);
    $q->becomes(sub { $_->{sources}{lost}{state} eq 'ok'
                      && !$_->{queue}{pending} }, 'resumed');
    delivered('lost');
};

subtest 'no way out' => sub {
    clean();
    $fake->rule(status => 503, match => qr/ilert-test:/);
    my $h = $t->start_post('/control/sources/ops/test', '', timeout => 40);
    ok($fake->wait_requests(2), 'it is tried again and again');
    deadline();
    my ($answer) = $t->finish($h);

    is($answer->{status}, 504, 'answered in time');
    is($answer->{json}{status}, 'waiting', 'it waits');
    like($answer->{json}{error}, qr/^ilert answered 503/, 'for what');
    is_deeply([ map { $answer->{json}{$_}{verdict} } qw(alert resolve) ],
              [ 'waiting', 'unsent' ], 'the alert does');

    $fake->clear_rules;
    $q->becomes(sub { !$_->{queue}{pending} }, 'nothing waits any longer');
    is_deeply([ open_alerts() ], [], 'and nothing stays open');
};

subtest 'a spent budget' => sub {
    clean();
    my $h = $t->start_post('/control/sources/narrow/test', '',
                           timeout => 40);
    ok($fake->wait_events(1), 'one request may be made');
    $q->becomes(sub { $_->{sources}{narrow}{pending} }, 'no other one');
    deadline();
    my ($answer) = $t->finish($h);
    is($answer->{status}, 504, 'the other waits');
    is($answer->{json}{error},
       'as many requests have been made as the rate allows', 'for what');
    is_deeply([ map { $answer->{json}{$_}{verdict} } qw(alert resolve) ],
              [ 'delivered', 'waiting' ], 'the end does');

    $q->run(65);
    ok($fake->wait_events(2), 'it is resolved later');
};

# The worker makes the RESOLVE when the ALERT was delivered.  If it is dead,
# the queue resolves the alert after five minutes.

subtest 'a worker that dies' => sub {
    clean();
    $t->expect_log(qr/exited on signal 9/,
                   qr/shared memory zone .* was locked/);
    $fake->rule(match => qr/"ALERT"/, hang => 1, times => 1);
    my $h = $t->start_post('/control/sources/ops/test', '', timeout => 40);
    ok($fake->wait_requests(1), 'the alert is under way');
    kill 'KILL', $t->workers;
    my ($answer) = $t->finish($h);
    is($answer->{status}, 0, 'no answer');

    ok($fake->wait_events(1, 10), 'the alert is sent again');
    $q->becomes(sub { !$_->{queue}{pending} }, 'nothing waits', 10);
    is(scalar(open_alerts()), 1, 'and it is open');

    $q->run(310);
    ok(wait_until(sub { !open_alerts() }, 10), 'for five minutes');
};

subtest 'an end that ilert refuses' => sub {
    clean();
    $fake->rule(match => qr/RESOLVE/, status => 400, times => 1,
                body => '{"message":"no"}');
    is(tested('ops')->{status}, 502, 'is told of');
    is(scalar(open_alerts()), 1, 'the alert is open');
    $q->run(310);
    ok(wait_until(sub { !open_alerts() }, 10), 'the end is tried once more');
};

subtest 'who may' => sub {
    my $n = () = $fake->requests;
    $q->refused('sources/none/test', 404, qr/^there is no such source$/);
    $q->refused('sources/ops/test', 403, qr/another site/,
                headers => [ 'Sec-Fetch-Site' => 'cross-site' ]);
    $q->refused('dead/1/test', 404, qr{sources/NAME/test});
    $q->refused('dead/test?source=ops', 404, qr{sources/NAME/test});
    is($t->get('/control/sources/ops/test')->{status}, 405, 'GET');
    is(scalar(() = $fake->requests), $n, 'nothing is sent');
};


# Chronograf ---------------------------------------------------------------

subtest 'Send Test Alert' => sub {
    clean();
    my $before = $q->status->{sources}{ops};
    my $r = $t->post('/send', $TEST);

    is_deeply([ $r->{status}, $r->{json}{status}, $r->{header}{'x-result'} ],
              [ 202, 'test', 'TEST' ], 'it is answered');
    is($r->{header}{'x-event'}, $r->{json}{event}, 'with an event');

    my $key = "ilert-test:$r->{json}{event}";
    is_deeply([ came() ], [ "ALERT $key", "RESOLVE $key" ],
              'which ilert has taken');

    my $after = $q->status->{sources}{ops};
    is($after->{ignored} - $before->{ignored}, 1, 'it is counted as a test');
    is($after->{accepted} - $before->{accepted}, 0, 'and as no webhook');

    $r = $t->post('/if', $TEST, headers => [ 'X-If' => 1 ]);
    is_deeply([ $r->{status}, $r->{header}{'x-if'} ], [ 202, 'yes' ], '"if"');
    is(scalar(() = came()), 4, 'is still the location');

    $r = $t->post('/ignore', $TEST);
    is_deeply([ $r->{status}, $r->{json}{status} ], [ 202, 'test' ],
              'with test=ignore');
    is(scalar(() = came()), 4, 'nothing is sent');

    $r = $t->post('/send', webhook('01-levels-04-CRITICAL'));
    is_deeply([ $r->{status}, $r->{json}{status} ], [ 202, 'accepted' ],
              'what is no test');
    ok($fake->wait_events(5), 'is sent as it is');
};

subtest 'and what fails' => sub {
    clean();
    $fake->rule(status => 400, times => 1, body => '{"message":"no"}');
    my $r = $t->post('/send', $TEST);
    is_deeply([ $r->{status}, $r->{json}, $r->{header}{'x-result'} ],
              [ 502, { status => 'rejected',
                       error => 'ilert answered 400: no' },
                'UNAVAILABLE' ], 'refused');

    $r = $t->post('/any', $TEST, headers => [ 'X-Source' => 'none' ]);
    is_deeply([ $r->{status}, $r->{json}{error} ],
              [ 422, 'ilert_kapacitor: no source "none"' ], 'no source');
    $r = $t->post('/any', $TEST, headers => [ 'X-Source' => 'off' ]);
    is_deeply([ $r->{status}, $r->{json}{status} ], [ 202, 'test' ], 'off');
    is_deeply([ came() ], [], 'nothing is sent');

    $r = $t->post('/any', $TEST, headers => [ 'X-Source' => 'every' ]);
    is_deeply([ $r->{status}, $r->{json}{status} ], [ 202, 'test' ],
              'a source by a variable');
    is(scalar(() = came()), 2, 'is the one that is tested');
};


# Without a queue ----------------------------------------------------------

subtest 'relayed' => sub {
    clean();
    my $relay = IlertStatus->new(queue => undef, fake => $fake,
        timeout => '1s', server => server(' test=send', $RESULT));
    my $test = $relay->test;
    $relay->start;

    my $r = $relay->control('sources/ops/test');
    is($r->{status}, 200, 'both are delivered');
    is_deeply([ map { s/ .*//r } came() ], [ 'ALERT', 'RESOLVE' ],
              'and came');

    $r = $test->post('/send', $TEST);
    is_deeply([ $r->{status}, $r->{json}{status} ], [ 202, 'test' ],
              'Chronograf, too');

    clean();
    $fake->rule(status => 401, times => 4, body => '{"message":"no"}');

    for (1 .. 2) {
        $r = $relay->control('sources/ops/test');
        my $error = 'ilert answered 401: no';
        is_deeply([ $r->{status}, map { $r->{json}{$_}{verdict},
                                        $r->{json}{$_}{error} }
                    qw(alert resolve) ],
                  [ 502, ('failed', $error) x 2 ],
                  'a wrong key is tried even if it is known');
    }

    is($relay->control('sources/ops/test')->{status}, 200, 'a right one');

    clean();
    $fake->rule(hang => 1, times => 1);
    $r = $test->post('/send', $TEST);
    is_deeply([ $r->{status}, $r->{json}{error} ],
              [ 502, 'ilert did not answer in time' ], 'no answer');
    is_deeply([ map { $_->{type} } $fake->requests ],
              [ 'ALERT', 'RESOLVE' ], 'it may be open, and is resolved');

    $relay->stop;
};


# The configuration --------------------------------------------------------

subtest 'configurations' => sub {
    my $conf = sub {
        return "ilert_source ops { integration_key $KEY; }\n"
             . "server { listen 127.0.0.1:%%PORT_2%%; %%ENDPOINT%%\n"
             . "location = /k { ilert_kapacitor $_[0]; } }\n";
    };

    $t->conf_accepted($conf->("ops test=$_")) for qw(ignore send);

    for ('test=', 'test=on', 'test', 'send', 'tests=send', 'test=sends') {
        my ($code, $output) = $t->test_conf($conf->("ops $_"));
        like($output, qr/\[emerg\]\ invalid\ parameter\ "\Q$_\E"\ in
                         \ "ilert_kapacitor",\ "test=ignore"\ and
                         \ "test=send"\ are\ allowed\ in/x, $_);
        isnt($code, 0, 'refused');
    }
};

$q->stop;
done();
