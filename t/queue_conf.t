#!/usr/bin/perl

# The configuration of the queue: what nginx -t says of each refusal, with
# file and line, what has no effect, and what is made in the folder.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $KAP = $IlertQueue::KAP;
my $PASS = 'proxy_pass http://127.0.0.1:9;';
my $SERVER = 'server { location /k { ilert_kapacitor ops; } '
             . "location /ilert/ { internal; ilert_endpoint; $PASS } }";

my $t = IlertTest->new(conf => '', secrets => [$KEY, $KAP],
                       common => qr/\Q$SERVER\E|integration_key \w+;/);


sub bad { @_ = ($t, @_); goto &IlertTest::conf_refused }
sub good { @_ = ($t, @_); goto &IlertTest::conf_accepted }

sub source { "ilert_source ops { integration_key $KEY; $_[0] } $SERVER" }


subtest 'ilert_queue' => sub {
    my $end = source('');

    good("ilert_queue $_;\n$end") for 'queue', 'off', '%%DIR%%/absolute',
        'queue max_size=1m', 'queue max_size=1024k', 'queue max_size=1048576',
        'queue max_size=2M', 'queue max_size=10g', "'with space'",
        './dots';

    for my $size ('max_size=10', 'max_size=1048575', 'max_size=1023k',
                  'max_size=0', 'max_size=', 'max_size=x', 'max_size=-1',
                  'max_size=1m1', 'max_size=1.5g', 'max_size', 'MAX_SIZE=2m',
                  'max_size=99999999999999999999', 'min_size=2m', 'off')
    {
        bad("\n\nilert_queue queue $size;\n$end",
            "invalid parameter \"$size\" in \"ilert_queue\", \"max_size=\" "
            . 'and a size of 1m or more is allowed in F:3');
    }

    bad("\nilert_queue;\n$end",
        'invalid number of arguments in "ilert_queue" directive in F:2');
    bad("\nilert_queue queue max_size=1m max_size=2m;\n$end",
        qr/^\[emerg\] .*"ilert_queue".* in F:2$/);
    bad("\nilert_queue queue;\nilert_queue $_;\n$end",
        qr/^\[emerg\] "ilert_queue" directive is duplicate in F:3$/)
        for 'queue', 'other', 'off';
    bad("\nilert_queue off;\nilert_queue queue;\n$end",
        qr/^\[emerg\] "ilert_queue" directive is duplicate in F:3$/);
    bad("\nilert_queue \"\";\n$end", qr/^\[emerg\] .*"ilert_queue".* in F:2$/);

    bad("$_\n$end", qr/^\[emerg\] .*"ilert_queue".* in F:2$/)
        for "server {\nilert_queue queue; }",
            "server { location / {\nilert_queue queue; } }";
};

subtest 'members of a source' => sub {
    my $queue = 'ilert_queue queue;';

    good("$queue " . source($_)) for
        'concurrency 1;', 'concurrency 1000;', 'retry 1s 5m;',
        'retry 100ms 100ms;', 'retry 1 2;', 'retry 1m 1d;', 'max_age off;',
        'max_age 1s;', 'max_age 30d;',
        'max_age 2h; retry 2s 1m; concurrency 4;',
        (map { "rate $_;" } qw(50r/m 1r/m 700r/m 1r/s 1000r/s off),
         '50r/m reserve=5', '50r/m reserve=0', '2r/s reserve=1',
         '1r/m reserve=0'),
        (map { "coalesce $_;" } qw(off repeats latest)),
        (map { "repeat $_;" } qw(5m 1s 1ms 100 1h 30d)),
        (map { "resolve_after $_;" } qw(off 1s 12h 90d)),
        (map { "resolve_delay $_;" } qw(0 0s 1ms 2m 1d)),
        (map { "raise $_;" } qw(reopen update)),
        (map { "stale $_;" } qw(take drop)),
        (map { "digest $_;" } 'off', 1, '49', '10 interval=1s',
         '10 members=low', '10 members=later', '10 members=none',
         '10 interval=1m members=none', '10 members=none interval=1000'),
        'digest 50; rate off;', 'rate 1r/s; digest 50;',
        'rate 10r/m; coalesce latest; repeat 1h; resolve_after 1d;';

    my %value = (retry => '1s 2s', rate => '5r/m', coalesce => 'latest',
                 raise => 'update', stale => 'drop');

    for my $name (qw(concurrency retry max_age rate coalesce repeat
                     resolve_after resolve_delay raise stale))
    {
        my $value = $value{$name} // '5';

        bad("$queue\n" . source("\n$name $value;\n$name $value;"),
            qr/^\[emerg\] "$name".*duplicate.* in F:4$/);
        bad("$queue\n" . source("\n$name;"),
            qr/^\[emerg\] .*invalid number.*"$name".* in F:3$/);
        bad("$queue\n" . source("\n$name $value $value;"),
            qr/^\[emerg\] .*invalid (?:number|parameter).*"$name".* in F:3$/);
        bad("$queue\nserver { $name $value; }\n" . source(''),
            qr/^\[emerg\] .*"$name".* in F:2$/);
    }

    bad("$queue\n" . source("\n$_;"),
        qr/^\[emerg\] .*invalid.*"\w+".* in F:3$/) for
        'concurrency 0', 'concurrency 1001', 'concurrency -1',
        'concurrency x', 'concurrency 1k', 'concurrency off', 'retry 1s x',
        'retry x 1s', 'retry 2s 1s', 'retry 0 1s', 'retry -1s 1s',
        'retry off off', 'max_age x', 'max_age -1s', 'max_age 5q';

    my %allowed = (
        rate => 'a number of requests such as "50r/m" or "2r/s" and "off" are '
                . 'allowed',
        coalesce => '"off", "repeats" and "latest" are allowed',
        repeat => 'a time such as "5m" is allowed',
        resolve_after => 'a time such as "12h" and "off" are allowed',
        resolve_delay => 'a time such as "2m" and "0" are allowed',
        raise => '"reopen" and "update" are allowed',
        stale => '"take" and "drop" are allowed',
    );

    my %bad = (
        rate => [qw(50 50r 50r/ 50r/h r/m /m 0r/m 0r/s -1r/m +1r/m 50R/M
                    1.5r/m 50r/m1 50m 99999999999999999999r/m on OFF), ''],
        coalesce => [qw(on none all newest OFF repeat Latest 5m), ''],
        repeat => [qw(0 0s off x -1s 5q 1.5h), ''],
        resolve_after => [qw(0 0s on x -1s 5q 1.5h OFF), ''],
        resolve_delay => [qw(off on x -1s 5q 1.5h), ''],
        raise => [qw(on off Reopen open), ''],
        stale => [qw(on off Drop dropped 1h), ''],
    );

    for my $name (sort keys %bad) {
        bad("$queue\n" . source("\n$name '$_';"),
            "invalid value \"$_\" in \"$name\", $allowed{$name} in F:3")
            for @{$bad{$name}};
    }

    my $what = 'invalid parameter "%s" of "rate", ';
    my %reserve = (
        (map { $_ => $what . 'a number of requests below the rate, such as '
                     . '"reserve=5", is allowed' }
         qw(reserve= reserve=x reserve=-1 reserve=1.5 reserve=5r/m)),
        (map { $_ => $what . 'it has to be below the rate, 0 to 49 are '
                     . 'allowed' } qw(reserve=50 reserve=1000)),
        (map { $_ => 'invalid parameter "%s" in "rate", "reserve=" is '
                     . 'allowed' } qw(5 reserves=5 RESERVE=5 50r/m)));

    bad("$queue\n" . source("\nrate 50r/m $_;"),
        sprintf($reserve{$_}, $_) . ' in F:3') for sort keys %reserve;
    bad("$queue\n" . source("\nrate off reserve=1;"), '"reserve=1" of "rate" '
        . 'is not allowed with the rate "off", which has no end in F:3');
    bad("$queue\n" . source("\nrate 50r/m reserve=1 reserve=1;"),
        qr/^\[emerg\] .*invalid number.*"rate".* in F:3$/);
};

subtest 'digest' => sub {
    my $queue = 'ilert_queue queue;';

    bad("$queue\n" . source("\ndigest $_;"),
        "invalid value \"$_\" in \"digest\", a number from 1 to 50 and "
        . '"off" are allowed in F:3')
        for qw(0 51 -1 x 1.5 OFF on interval=5s);

    bad("$queue\n" . source("\ndigest 10 $_;"),
        "invalid parameter \"$_\" in \"digest\", \"interval=\" and a time of "
        . '1s or more is allowed, and "members=low", "members=later" and '
        . '"members=none" are in F:3')
        for qw(interval=999ms interval= interval=x interval=0 interval members=
               members=high members none members=None n=5 off);

    bad("$queue\n" . source("\ndigest 10 $_ $_;"),
        qr/^\[emerg\] invalid parameter "$_" in "digest"/)
        for qw(interval=5s members=low);

    bad("$queue\n" . source("\ndigest 10;\ndigest off;"),
        qr/^\[emerg\] "digest".*duplicate.* in F:4$/);
    bad("$queue\n" . source("\n$_;"),
        qr/^\[emerg\] .*invalid number.*"digest".* in F:3$/)
        for 'digest', 'digest 10 interval=5s members=low off';
    bad("$queue\n" . source("\ndigest off members=low;"),
        qr/^\[emerg\] invalid value "off" in "digest"/);

    # it has to be below the rate of a minute, whoever sets that

    my $below = sub {
        my ($n, $rate) = @_;
        return "invalid value \"$n\" in \"digest\" of \"ilert_source\" "
               . "\"ops\" in F:2, it has to be below the \"rate\", which is "
               . "$rate in a minute";
    };

    bad("$queue\n" . source('digest 50;'), $below->(50, 50));
    bad("$queue\n" . source('digest 20; rate 20r/m;'), $below->(20, 20));
    bad("$queue\n" . source('digest 9;') . "ilert_source two { "
        . "integration_key $KEY; rate 9r/m; }", $below->(9, 9));

    # the priorities of a webhook URL's alerts are ilert's

    my $url = sub {
        "$queue\nilert_source ops { webhook_url https://api.ilert.com/api/v1/"
        . "events/kapacitor/$KAP; $_[0] } $SERVER"
    };

    good($url->($_)) for 'digest 10;', 'digest 10 members=later;',
        'digest 10 members=none;';
    bad($url->('digest 10 members=low;'),
        'invalid parameter "members=low" in "digest" of "ilert_source" "ops" '
        . 'in F:2, the source has a webhook URL, so ilert sets the '
        . 'priorities; "members=later" and "members=none" are allowed');
};

# Sources of one key have one budget.

subtest 'rates of one key' => sub {
    my $two = 'il1api5ec4e7a02';
    $t->secret($two);
    $t->write_file('the.key', "$KEY\n");

    my $differ = qr/^\[warn\]\ "ilert_source"\ "one"\ and\ "two"\ share\ a\ key
                    \ but\ not\ their\ "rate",\ the\ lower\ one\ is\ used
                    (?:\ in\ F:\d)?$/x;

    my $conf = sub {
        my ($one, $two) = @_;
        return "ilert_queue queue;\nilert_source one { $one }\n"
               . "ilert_source two { $two }\n"
               . "server { location /ilert/ { internal; ilert_endpoint; $PASS"
               . ' } }';
    };

    my $key = "integration_key $KEY;";
    my $file = 'integration_key_file the.key;';
    my $url = 'webhook_url https://api.ilert.com/api/v1/events/kapacitor/';

    good($conf->(@$_)) for
        [ $key, $key ],
        [ "$key rate 20r/m;", $key ],
        [ $key, "$key rate off;" ],
        [ "$key rate 20r/m;", "$key rate 20r/m;" ],
        [ "$key rate off;", "$key rate off;" ],
        [ "$key rate 20r/m;", "integration_key $two; rate 10r/m;" ];

    for my $pair ([ "$key rate 20r/m;", "$key rate 10r/m;" ],
                  [ "$key rate 20r/m;", "$key rate off;" ],
                  [ "$key rate 60r/m;", "$key rate 1r/s;" ],
                  [ "$key rate 5r/m;", "$file rate 10r/m;" ],
                  [ "$url$KAP; rate 5r/m;", "$url$KAP; rate 1r/s;" ])
    {
        my ($code, $text) = $t->conf_lines($conf->(@$pair));
        like($text, $differ, "$pair->[0] $pair->[1]");
        is($code, 0, 'is accepted');
    }

    good($conf->(@$_)) for
        [ "$key rate 20r/m reserve=3;", "$key rate 20r/m reserve=3;" ],
        [ "$key rate 20r/m reserve=3;", "$key rate 20r/m;" ],
        [ $key, "$key rate 20r/m reserve=3;" ];

    my ($code, $text) = $t->conf_lines($conf->(
        "$key rate 20r/m reserve=3;", "$key rate 20r/m reserve=4;"));
    is($text, '[warn] "ilert_source" "one" and "two" share a key but not the '
       . '"reserve" of their "rate", the greater one is used',
       'two reserves');
    is($code, 0, 'are accepted');
};

# One line, however many sources

subtest 'no effect' => sub {
    my $has = 'in "ilert_source" has no effect without "ilert_queue"';
    my $have = $has =~ s/has/have/r;

    for my $off ('', 'ilert_queue off; ') {
        good($off . source('retry 1s 2s;'), "\"retry\" $has");
        good($off . source('max_age 5m;'), "\"max_age\" $has");
        good($off . source('concurrency 5;'), "\"concurrency\" $has");
        good($off . source('retry 1s 2s; concurrency 5;'),
             "\"concurrency\", \"retry\" $have");
        good($off . source('max_age off; retry 1s 2s; concurrency 5;'),
             "\"concurrency\", \"retry\", \"max_age\" $have");
        good($off . source(''));
        for (['rate', '5r/m'], ['coalesce', 'off'], ['repeat', '1m'],
             ['resolve_after', '1h'], ['resolve_delay', '1m'],
             ['raise', 'update'], ['stale', 'drop'], ['digest', '10'])
        {
            my ($name, $value) = @$_;
            good($off . source("$name $value;"), "\"$name\" $has");
        }

        my ($code, $text) = $t->conf_lines($off . source('rate off; retry 1s '
            . '2s; coalesce latest; max_age 1h; repeat 1m; concurrency 2;'
            . ' resolve_after 2h; stale take; raise reopen;'
            . ' resolve_delay 1m; digest 5;'));
        like($text, qr/^\[warn\] (?:"\w+", ){10}"\w+" \Q$have\E$/, 'all');
        is($code, 0);

        good("$off ilert_source two { integration_key $KEY; }\n"
             . source('retry 1s 2s;') . "\nilert_source three {\n"
             . "integration_key $KEY; max_age 3m; }",
             "\"retry\", \"max_age\" $have");
    }

    # the queue may come after the sources

    good(source('retry 1s 2s;') . ' ilert_queue queue;');
};

subtest 'what cannot be made' => sub {
    my ($code, $text) = $t->conf_lines("ilert_queue none/queue;\n"
                                       . source(''));
    is($code, 0, 'a missing parent is no error of the configuration');
    unlike($text, qr/\[(?:emerg|alert|crit)\]/, 'at most a line');

    $t->write_file('file', "x\n");
    ($code, $text) = $t->conf_lines("ilert_queue file;\n" . source(''));
    is($code, 0, 'nor is a file in its place');
};


# The folder, as seen when nginx runs

my ($nobody, $uid) = IlertQueue::nobody();
my $q = IlertQueue->new(queue => 'queue', $nobody ? (user => $nobody) : ());

{
    my $mask = umask 0;
    $q->start;
    umask $mask;
}

subtest 'the folder' => sub {
    my @stat = stat $q->dir;
    is(sprintf('%04o', $stat[2] & 07777), '0700', 'rights of the folder');
    is($stat[4], $uid // $>, 'its owner');

    $q->fake->refuse(all => 1);
    is($q->post("id $_", 'CRITICAL')->{status}, 202) for 1 .. 20;

    my %files = %{$q->files};
    my @known = qw(ballast courier.lock masters queue.db queue.db-shm
                   queue.db-wal);
    is_deeply([ sort keys %files ], \@known, 'what is in it');

    for my $name (@known) {
        next if !$files{$name};
        my ($mode, $owner, $size) = @{$files{$name}};
        is($mode, '0600', "rights of $name");
        is($owner, $uid // $>, 'its owner');
    }

    is($files{ballast}[2], 4 << 20, 'size of the ballast');
    my $blocks = (stat $q->dir . '/ballast')[12];
    cmp_ok($blocks * 512, '>=', 4 << 20, 'which is there');

    # looked at while it is in use

    my ($code, $text) = $q->test->test_conf($q->conf);
    is($code, 0, 'nginx -t') or diag $text;
    my %now = %{$q->files};
    is_deeply([ map { "$_ @{$now{$_}}[0, 1]" } sort keys %now ],
              [ map { "$_ @{$files{$_}}[0, 1]" } sort keys %files ],
              'changes nothing');

    $q->fake->accept;
    ok($q->drained, 'all was delivered');
    is_deeply([ $q->have_key ], [], 'keys are in no file');
    is_deeply([ $q->faults(once => 1) ], []);
};

subtest 'the database' => sub {
    is($q->post('known', 'CRITICAL')->{status}, 202, 'it is there');
    ok($q->drained, 'and empty');
    is($q->value('pragma journal_mode'), 'wal');
    is($q->value('pragma user_version'), 10, 'version of the schema');
    is($q->value('pragma application_id'), 0x696c7274, 'it is ours');
    is($q->value('pragma integrity_check'), 'ok');

    my $schema = join "\n", map { $_->[0] }
        $q->sql('select sql from sqlite_master where sql not null');
    like($schema, qr/CREATE TABLE \W?$_\W/i, "table $_")
        for qw(source alert event dead budget slot heard topic);
    unlike($schema, qr/\Q$KEY\E/, 'no key');
};

subtest 'another folder by a reload' => sub {
    $q->fake->refuse(all => 1);
    is($q->post('old', 'CRITICAL')->{result}, 'ACCEPTED');
    my $old = $q->dir;

    $q->change(queue => 'second')->reload;
    is($q->post('new', 'CRITICAL')->{result}, 'ACCEPTED');
    isnt($q->dir, $old);
    is(sprintf('%04o', (stat $q->dir)[2] & 07777), '0700', 'is made');
    is($q->value('select count(*) from event'), 1, 'takes what comes');

    $q->fake->accept;
    ok($q->drained, 'and delivers it');
    $q->change(queue => 'queue')->reload;
    ok($q->drained, 'what is in the first one waits for it');
    is_deeply([ $q->faults ], []);
};

subtest 'off by a reload' => sub {
    $q->forget;
    $q->fake->refuse(all => 1);
    is($q->post('a', 'CRITICAL')->{result}, 'ACCEPTED');
    $q->change(queue => undef)->reload;
    ok(wait_until(sub { !$q->test->old_workers }, 6));
    $q->fake->accept;

    is($q->post('b', 'CRITICAL')->{result}, 'DELIVERED', 'is relayed');
    is_deeply($q->arrivals, { 'ops/b' => [ 1 ] }, 'the other waits');

    $q->change(queue => 'queue')->reload;
    ok($q->drained, 'until the queue is back');
    is($q->post('a', 'OK')->{result}, 'ACCEPTED');
    ok($q->drained);
    is_deeply([ $q->faults ], []);
};

$q->stop;

subtest 'what cannot be made, when nginx runs' => sub {
    for my $path ('none/queue', 'file') {
        my $n = IlertQueue->new(queue => $path, fake => $q->fake,
                                files => { file => "x\n" });
        $q->fake->reset;
        $n->start;

        my $r = $n->post('a', 'CRITICAL');
        is($r->{status}, 202, "$path: events are relayed");
        is($r->{result}, 'DELIVERED');
        ok($n->test->wait_log(qr/\[(?:error|crit)\].*\Q$path\E/), 'a line');

        $q->fake->rule(status => 500);
        $r = $n->post('a', 'OK');
        is($r->{status}, 502, 'with what ilert says');
        is($r->{result}, 'UNAVAILABLE');
        $n->stop;
    }

    # made meanwhile, it is used

    $q->fake->reset;
    my $n = IlertQueue->new(queue => 'later/queue', fake => $q->fake);
    $n->start;
    is($n->post('a', 'CRITICAL')->{result}, 'DELIVERED');

    mkdir $n->test->path('later');
    mkdir $n->test->path('later/queue'), 0700;
    ok(wait_until(sub { $n->post('a', 'CRITICAL')->{result} eq 'ACCEPTED' },
                  5), 'a folder made later is used');
    ok($n->drained);
    is_deeply([ $n->faults ], []);
    $n->stop;
};

done();
