#!/usr/bin/perl

# Repairs: lost webhooks that are made anew, and posted to the location of
# "ilert_reconcile" in this nginx itself.  A module of nginx that is built
# here, t/call/repair_module.c, makes them.

use warnings;
use strict;

use File::Temp ();
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $dir = File::Temp->newdir(DIR => IlertTest::top() . '/build');
my $build = "'$FindBin::Bin/call/build'";
my $errors = `$build '$dir/repair_module.so' repair 2>&1`;

plan skip_all => $errors if $? >> 8 == 3;

is($errors, '', 'the module is built')
    or do { done_testing(); exit };

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $fake = IlertFake->start(keys => { $KEY => 'api', $KAP => 'native' });

my $t = IlertTest->new(
    fake => $fake,
    workers => 1,
    main => "load_module $dir/repair_module.so;",
    conf => <<"CONF")->start;
    ilert_queue %%DIR%%/queue;
    ilert_source ops { integration_key $KEY; rate off; coalesce off; }
    ilert_source dba {
        integration_key $KEY; rate off; coalesce off; stale drop;
    }
    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }

    map \$kapacitor_id \$type { ~^off off; }
    log_subrequest on;
    access_log %%DIR%%/logs/all.log;

    server {
        listen 127.0.0.1:%%PORT_0%%;
        %%ENDPOINT%%

        location = /repair { access_log off; repair; }
        location = /status { ilert_status; }

        location = /kapacitor {
            ilert_kapacitor \$arg_source;
            ilert_event_type \$type;
            ilert_alert_key \$kapacitor_tag_host;
            ilert_unreadable alert;
            deny all;
        }

        location = /open {
            ilert_kapacitor \$arg_source;
            ilert_event_type \$arg_type;
            ilert_alert_key \$arg_key;
            add_header X-Result \$ilert_result always;
        }

        location /api/ {
            ilert_reconcile /kapacitor?source=ops;
            proxy_pass http://127.0.0.1:9;
        }
    }
CONF

my $second = 0;

sub repair {
    my ($id, $level, %opt) = @_;

    my $body = $opt{body} // sprintf '{"id":"%s","level":"%s","message":"%s",'
        . '"time":"2026-03-01T08:00:%02dZ"}', $id, $level, "$id $level",
        ++$second;
    my %number = (OK => 0, INFO => 1, WARNING => 2, CRITICAL => 3);

    return $t->post("/repair?id=$id&level=" . ($number{$level} // 0)
        . '&time=' . (1772352000 + $second) . '0' x 9
        . join('', map { "&$_=$opt{$_}" } grep { defined $opt{$_} }
                       qw(source key)), $body)->{json};
}

sub event {
    my ($n) = @_;
    $fake->wait_requests($n);
    return $fake->request($n - 1)->{json};
}

my $n = 0;

subtest 'an alert that is not known' => sub {
    my $r = repair('new', 'CRITICAL');
    is_deeply($r, { status => 202, result => 'ACCEPTED', type => 1, news => 0,
                    refused => 0 }, 'is accepted');

    my $event = event(++$n);
    is($event->{eventType}, 'ALERT');
    is($event->{alertKey}, 'new', 'its key is its id');
    is($t->read_file('logs/all.log'), '', 'nothing is in the access log');
    is($event->{customDetails}{level}, 'CRITICAL');
    ok($event->{customDetails}{reconciled}, 'it says that it is a repair');
};

subtest 'an alert that is known' => sub {
    my $r = repair('known', 'OK', source => 'dba', key => 'web01');
    is_deeply([ @$r{qw(result type)} ], [ 'ACCEPTED', 2 ], 'is accepted');
    is(event(++$n)->{alertKey}, 'web01', 'by its key');

    repair('else', 'CRITICAL', source => 'gone', key => 'web02');
    is(event(++$n)->{alertKey}, 'else',
       'unless its source is not configured any more');

    repair('url', 'CRITICAL', source => 'native', key => 'x');
    $fake->wait_requests(++$n);
    is($fake->request($n - 1)->{json}{id}, 'url', 'of a webhook URL');
};

subtest 'what came meanwhile' => sub {
    my $r = repair('new', 'OK');
    is_deeply($r, { status => 202, result => 'IGNORED', type => 2, news => 3,
                    refused => 0 }, 'makes a repair needless');
};

subtest 'what the mapping ignores' => sub {
    my $r = repair('off1', 'CRITICAL');
    is_deeply([ @$r{qw(status result type refused)} ],
              [ 202, 'IGNORED', 0, 0 ], 'stays ignored');
};

subtest 'what is refused' => sub {
    my $r = repair('bad', 'CRITICAL', body => '{"id":"bad"}');
    is_deeply([ @$r{qw(status result refused)} ], [ 400, 'REJECTED', 1 ],
              'is refused');
    repair('bad', 'CRITICAL', body => '{');
    is($t->grep_log(qr/a repair was refused/), 1, 'one line');
    my $line = qr{\[warn\] .*"/api/": a repair was refused: 400, .*level};
    is($t->grep_log($line), 1, 'which says what is wrong');

    repair('good', 'CRITICAL');
    $n++;
    is($t->grep_log(qr{\[notice\] .*"/api/": repairs are taken again}), 1,
       'and one when it is over');

    my $status = $t->get('/status')->{json};
    is($status->{refused}{rejected}, 0, 'no webhook of Kapacitor\'s');
    is($status->{sources}{ops}{accepted}, 3, 'repairs are accepted events');
    is($status->{sources}{ops}{ignored}, 2);
    is($status->{sources}{dba}{accepted}, 1, 'of their source');
    is($t->get('/status?refused')->{json}{refused_list} // '', '',
       'none is kept');
};

# What Kapacitor posts: a copy is of the same alert and type, and has the same
# time, level, and message.

subtest 'copies, and late webhooks' => sub {
    my $at = sub {
        my ($time, $level, $args, $message) = @_;
        my $r = $t->post("/open?$args", qq({"id":"x","level":"$level",)
            . '"message":"' . ($message // 'm') . '"'
            . (defined $time ? qq(,"time":"2026-03-01T09:00:0${time}Z") : '')
            . '}');
        my $status = $r->{json}{status} // $r->{status};
        $n++ if $status eq 'accepted';
        return $status;
    };

    is($at->(@$_), 'accepted', "@$_[1, 2]") for
        [ 1, 'CRITICAL', 'source=ops' ],
        [ 1, 'CRITICAL', 'source=ops&type=COMMENT' ],
        [ 1, 'CRITICAL', 'source=ops&key=other' ],
        [ 2, 'CRITICAL', 'source=ops' ], [ 2, 'WARNING', 'source=ops' ],
        [ 2, 'WARNING', 'source=ops', 'another message' ],
        [ 2.5, 'OK', 'source=ops' ];

    my $before = $t->get('/status')->{json}{sources}{ops};

    is($at->(@$_), 'ignored', "@$_[1, 2] again") for
        [ 1, 'CRITICAL', 'source=ops' ], [ 2, 'WARNING', 'source=ops' ];
    is($t->post('/open?source=ops', '{"id":"x","level":"OK","message":"m",'
                . '"time":"2026-03-01T09:00:02.5Z"}')->{header}{'x-result'},
       'IGNORED', '$ilert_result');

    my $after = $t->get('/status')->{json}{sources}{ops};
    is($after->{ignored} - $before->{ignored}, 3, 'they are counted');
    is($after->{accepted}, $before->{accepted}, 'as ignored');

    is($at->(1, 'INFO', 'source=dba'), 'ignored', 'a late one is dropped');
    is($at->(1, 'INFO', 'source=ops'), 'accepted', 'or taken');

    is($at->(undef, 'CRITICAL', 'source=dba'), 'accepted',
       'without a time there are neither') for 1 .. 2;
};

subtest 'clients' => sub {
    is($t->get('/api/alerts')->{status}, 404, 'cannot ask Kapacitor');
    is($t->post('/kapacitor', '{}')->{status}, 403, 'nor post repairs');
};

$fake->wait_requests($n);
is($fake->counts->{requests}, $n, 'nothing else was sent');

done();
