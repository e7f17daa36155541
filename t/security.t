#!/usr/bin/perl

# docs/security.md: each claim of it names a test, which is there; and the
# claims that no other file tests: pages of other sites cannot post webhooks,
# a key is only where it must be, and texts of a webhook do no harm.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use IlertQueue;
use IlertStatus;
use IlertTest qw(done top slurp process_rss);

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $FILE_KEY = 'il1api5ec4e7a02';
my ($nobody, $uid) = IlertQueue::nobody();

my $q = IlertStatus->new(
    $nobody ? (user => $nobody) : (),
    keys => { $KEY => 'api', $FILE_KEY => 'api' },
    sources => { ops => 'retry 50ms 400ms;',
                 dba => 'integration_key_file %%DIR%%/keys/dba.key; '
                        . 'retry 50ms 400ms;' },
    files => { 'keys/dba.key' => "$FILE_KEY\n" },
    server => <<'CONF',
        location = /page { ilert_status html; }
        location = /try { ilert_kapacitor ops; ilert_dry_run on; }
        location = /api/events { ilert_events key; }
        location = /locked {
            auth_basic kapacitor;
            auth_basic_user_file users;
            ilert_kapacitor ops;
        }
CONF
    http => <<'CONF',
        server {
            listen 127.0.0.1:%%PORT_1%% default_server;
            return 444;
        }

        server {
            listen 127.0.0.1:%%PORT_1%%;
            server_name nginx.example;
            location = /ops { ilert_kapacitor ops; }
            location = /status { ilert_status; }
        }
CONF
);

my ($t, $fake) = ($q->test, $q->fake);

chmod 0700, $t->path('keys') or die "chmod: $!";
chmod 0600, $t->path('keys/dba.key') or die "chmod: $!";

# "kapacitor:secret", by crypt() of all systems

$t->write_file('users', 'kapacitor:' . crypt('secret', 'ab') . "\n");

{
    my $mask = umask 0;
    $q->start;
    umask $mask;
}


subtest 'each claim has its test' => sub {
    my $text = slurp(top() . '/docs/security.md');
    my ($claims, @missing) = (0);

    for my $row ($text =~ /^\|(.*)\|$/mg) {
        my @cells = split /(?<!\\)\|/, $row;
        my @tests = $cells[-1] =~ /`(\w+\.t)`((?: "[^"]+",?)*)/g or next;
        $claims++;

        while (my ($name, $subtests) = splice @tests, 0, 2) {
            my $file = slurp(top() . "/t/$name");
            push @missing, $name if !defined $file;

            for ($subtests =~ /"([^"]+)"/g) {
                my $begins = qr/^\s*(?:subtest|budgets) ['"]\Q$_\E['"]/m;
                push @missing, "$name: $_" if ($file // '') !~ $begins;
            }
        }
    }

    cmp_ok($claims, '>', 40, 'there are claims');
    is_deeply(\@missing, [], 'and all tests that they name');

    my @rows = map { grep { !/^\| *(?:claim|---|-)/ } split /\n/ }
               $text =~ /^(\| claim \|.*?)\n\n/msg;
    is_deeply([ grep { !/`\w+\.t`/ } grep { !/^\|[-|]+$/ } @rows ], [],
              'no claim is without one');
};


# A browser does not need to ask for such a POST beforehand.

my @PLAIN = ('Content-Type' => 'text/plain', 'User-Agent' => 'Mozilla/5.0');

sub as_page {
    my ($uri, $id, %opt) = @_;
    my @headers = @{delete $opt{headers}};
    my $body = $uri =~ /events/
        ? qq({"integrationKey":"$KEY","eventType":"ALERT","summary":"$id"})
        : IlertQueue::webhook($id, 1, 'CRITICAL');

    return $t->post($uri, $body, headers => [ @PLAIN, @headers ], %opt);
}

subtest 'webhooks from pages of other sites' => sub {
    my $mark = $t->mark;
    my $before = $fake->counts->{events};
    my $n = 0;

    for my $headers (
        [ Origin => 'http://evil.example' ],
        [ Origin => 'null' ],
        [ Origin => 'http://evil.example', 'Sec-Fetch-Site' => 'cross-site' ],
        [ 'Sec-Fetch-Site' => 'cross-site' ],
        [ 'Sec-Fetch-Site' => 'same-site' ])
    {
        for my $uri ('/ops', '/locked', '/api/events') {
            my $r = as_page($uri, 'evil ' . $n++, headers => [ @$headers,
                Authorization => 'Basic a2FwYWNpdG9yOnNlY3JldA==' ]);
            is($r->{status}, 403, "$uri: @$headers");
            is_deeply($r->{json}, { status => 'rejected', error =>
                'the request comes from a page of another site' },
                'and why');
            ok(!exists $r->{header}{'access-control-allow-origin'},
               'which the page cannot read');
        }
    }

    # the name of another site that has been given our address

    my $r = as_page('/ops', 'rebound', headers => [
        Host => 'evil.example', Origin => 'http://evil.example' ]);
    is($r->{status}, 403, 'a name that is not ours');
    like($r->{json}{error}, qr/no "server_name" of this server/);

    is($q->status->{refused}{rejected}, $n + 1, 'each is counted');
    is_deeply($q->status->{refused}{kept}, [], 'no body is kept');
    is(scalar(() = $t->grep_log(qr/ refused: 403/, $mark)), 3,
       'a line for each location');

    # what is not of another site

    is(as_page('/api/events', 'event 1', headers => [])->{status}, 202,
       'an event of a program');
    is(as_page('/ops', 'own', headers => [
        Origin => 'http://127.0.0.1:' . $t->port ])->{status}, 202,
       'a page of our own');
    is(as_page('/ops', 'own name', port => $t->port(1), headers => [
        Host => 'nginx.example', Origin => 'http://nginx.example',
        'Sec-Fetch-Site' => 'same-origin' ])->{status}, 202,
       'by a name of the server');
    is(as_page('/ops', 'no browser', headers => [])->{status}, 202,
       'a program that says nothing of it');
    ok($q->drained, 'these are sent');
    is($fake->counts->{events}, $before + 4, 'and nothing else');
};

subtest 'a dry run of a page' => sub {
    my $r = as_page('/try', 'evil', headers => [
        Origin => 'http://evil.example' ]);
    is($r->{json}{answer}, 403, 'would be refused, too');
    is($r->{json}{becomes}, undef, 'and says nothing of alerts');
};

subtest 'a password' => sub {
    my $body = IlertQueue::webhook('with a password', 1, 'CRITICAL');
    my @right = (Authorization => 'Basic a2FwYWNpdG9yOnNlY3JldA==');
    my @wrong = (Authorization => 'Basic a2FwYWNpdG9yOndyb25n');
    my $before = $fake->counts->{events};

    is($t->post('/locked', $body)->{status}, 401, 'without it');
    is($t->post('/locked', $body, headers => \@wrong)->{status}, 401, 'wrong');
    is($t->post('/locked', $body, headers => \@right)->{status}, 202, 'right');
    ok($q->drained);
    is($fake->counts->{events}, $before + 1, 'one event');

    is_deeply([ grep { /a2FwYWNpdG9y|secret/ } map { slurp($_) // '' }
                grep { -f } glob $q->dir . '/*' ], [],
              'it is not in the queue');
    unlike($t->error_log . $q->get('/status')->{body}, qr/a2FwYWNpdG9y/,
           'nor in the log and the status');
};

subtest 'where a key is' => sub {
    $q->post('with a key in a file', 'CRITICAL', source => 'dba');
    ok($q->drained, 'a key of a file that only root can read works');
    is($fake->request(-1)->{key}, $FILE_KEY, 'it was that one');

    # in the command line and the environment of no process

    for my $pid ($t->master, $t->workers) {
        my $text = join ' ', map { slurp("/proc/$pid/$_") // '' }
                             qw(cmdline environ);
        unlike($text, qr/$KEY|$FILE_KEY/, "process $pid");
    }

    # done() looks for it in all answers and logs: here are all answers

    for my $uri ('/status', '/status?setup', '/status?history', '/metrics',
                 '/page', '/status?pending', '/status?ready')
    {
        ok($q->get($uri)->{whole}, $uri);
    }

    my $r = $t->post('/try', IlertQueue::webhook('a', 1, 'CRITICAL'));
    is($r->{status}, 200, 'a dry run');
    is_deeply([ $q->have_key ], [], 'the files of the queue');

    # what nginx prints of its configuration

    my $nginx = IlertTest::binary();
    my $file = $t->path('nginx.conf');
    my $all = `'$nginx' -p '${\$t->dir}' -c '$file' -T 2>/dev/null`;
    like($all, qr/ilert_source/, 'nginx -T');
    unlike($all, qr/$FILE_KEY/, 'has no key of a file');
};

subtest 'other users' => sub {
    plan(skip_all => 'only root can be several users') if !$nobody;
    my $other = (getpwnam 'daemon')[2];

    ok(may($uid, 'ls', $q->dir), 'the user of the workers may see the queue');
    ok(!may($uid, 'cat', $t->path('keys/dba.key')), 'but no key file');
    ok(!may($other, 'ls', $q->dir), 'another user may not see the queue');
    ok(!may($other, 'cat', $q->db), 'nor read it');

    for my $pid ($t->workers) {
        my ($ids) = slurp("/proc/$pid/status") =~ /^Uid:\s+(.*)$/m;
        is($ids, join("\t", ($uid) x 4), 'a worker is not root');
        ok(!may($other, 'cat', "/proc/$pid/environ"),
           'and nobody else may look into it');
    }

    # a body that is too large for memory

    my ($dir) = grep { -d } $t->path('client_body');
    is(sprintf('%04o', (stat $dir)[2] & 07777), '0700',
       'the folder of bodies is the workers\' own');
    is((stat $dir)[4], $uid);
};

# Whether a program ends well as that user.

sub may {
    my ($user, @command) = @_;
    my $pid = fork() // die "fork: $!";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $( = $) = "$user $user";
        POSIX::setuid($user);
        exec @command or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    return $? == 0;
}

subtest 'texts of a webhook' => sub {
    my @ids = ("x'); drop table event; --", 'x" or ""="', '%s%n%n',
               '../../etc/passwd', '$ilert_path', '${ilert_path}');
    my $mark = $t->mark;

    for my $id (@ids) {
        my $json = $id =~ s/(["\\])/\\$1/gr;
        is($t->post('/ops', qq({"id":"$json","message":"$json 1",)
            . qq("level":"CRITICAL","time":"2026-03-01T09:00:00Z"}))
            ->{status}, 202, $id);
    }

    ok($q->drained, 'all is sent');
    my %came = map { $_->{alert_key} => 1 } $fake->events;
    is_deeply([ grep { !$came{$_} } @ids ], [], 'as it is');
    is($q->value('pragma integrity_check'), 'ok', 'the database is whole');

    # what a webhook may do to the log: make one line of it

    $t->expect_log(qr/webhook refused: 400 .* id "x 2026/);
    my $evil = 'x\n2026/01/01 00:00:00 [alert] 1#1: all is lost\u001b[2J';
    $t->post('/dba', qq({"id":"$evil","level":"none"}));
    my $line = $t->wait_log(qr/webhook refused: 400/, 10, $mark);
    ok($line, 'a line of the log');
    is_deeply([ $t->grep_log(qr/^2026\/01\/01/, $mark) ], [],
              'no line of its own');
    unlike($t->log_since($mark), qr/[^\n -~]/, 'printable ASCII only');
};

subtest 'answers' => sub {
    my @answers;

    $fake->refuse(all => 1);
    $q->post('one of others', $_) for qw(CRITICAL WARNING);

    for my $body (IlertQueue::webhook('mine', 1, 'CRITICAL'),
                  '{"id":"mine","level":"none"}', 'no JSON', '')
    {
        push @answers, $t->post('/ops', $body)->{json};
    }

    $fake->accept;
    ok($q->drained);

    is(join(', ', sort keys %{$answers[0]}), 'event, status', 'of a good one');
    is(join(', ', sort keys %$_), 'error, status', $_->{error})
        for @answers[1 .. 3];
    unlike($_->{error}, qr/others|\Q${\$t->dir}\E/, 'of this webhook alone')
        for @answers[1 .. 3];
};

subtest 'answers of any length' => sub {
    my $worker = sub { (sort { $b <=> $a } map { process_rss($_) }
                        $t->workers)[0] };
    my $before = $worker->();

    for my $how ([ status => 202, endless => 1 ],
                 [ status => 500, huge => 30_000_000 ],
                 [ status => 202, huge => 30_000_000 ])
    {
        my $rule = $fake->rule(@$how, times => 1);
        $q->post("long @$how", 'CRITICAL');
        ok($q->drained(30), "is delivered: @$how");
    }

    cmp_ok($worker->() - $before, '<', 8_000_000, 'the memory of a worker');
};

subtest 'what nginx opens' => sub {
    my @ports = sort { $a <=> $b } map { $t->port($_) } 0, 1;

    for my $pid ($t->master, $t->workers) {
        is_deeply([ listens_on($pid) ], \@ports, "ports of process $pid");
    }

    for my $pid ($t->workers) {
        is(join('', map { slurp($_) // '' }
                    glob "/proc/$pid/task/*/children"), '', 'no program');
    }
};

# The ports on which a process listens, whatever the protocol and the address.

sub listens_on {
    my ($pid) = @_;
    my %inode = map { (readlink($_) // '') =~ /^socket:\[(\d+)\]/
                      ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    my %ports;

    for my $protocol (qw(tcp tcp6 udp udp6)) {
        for (split /\n/, slurp("/proc/net/$protocol") // '') {
            my ($port, $state, $inode)
                = /^\s*\d+: \w+:(\w+) \S+ (\w\w)(?: +\S+){5} +(\d+)/ or next;
            $ports{hex $port} = 1
                if $inode{$inode} && ($state eq '0A' || $protocol =~ /udp/);
        }
    }

    return sort { $a <=> $b } keys %ports;
}

subtest 'what is not for clients' => sub {
    my $before = $fake->counts->{requests};

    for my $uri ('/ilert/events', '/ilert/', '/ilert//events',
                 '/./ilert/events', '/%69lert/events')
    {
        is($t->get($uri)->{status}, 404, "GET $uri");
        is($t->post($uri, '{}')->{status}, 404, "POST $uri");
    }

    is($fake->counts->{requests}, $before, 'nothing came to ilert');
};

subtest 'a name that has been given our address' => sub {
    my @of = (port => $t->port(1));

    is($t->get('/status', @of, headers => [ Host => 'evil.example' ])
        ->{status}, 0, 'the default server has no status');
    is($t->get('/status', @of, headers => [ Host => 'nginx.example' ])
        ->{status}, 200, 'a server with a name has');
};

$q->stop;
done();
