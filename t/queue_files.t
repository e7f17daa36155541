#!/usr/bin/perl

# What may be wrong with the files of the queue: damaged, foreign, newer,
# someone else's, gone, locked.  nginx runs all the same, events are relayed or
# a new database is begun, and the queue recovers by itself.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use IPC::Open2 qw(open2);
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertQueue;
use IlertTest;

IlertQueue::need();

my $KEY = $IlertQueue::KEY;
my $fake = IlertFake->start(keys => { $KEY => 'api' }, bodies => 0);
my ($nobody, $uid, $gid) = (IlertQueue::nobody(), 0);
$gid = (getpwnam 'nobody')[3] if $nobody;

sub queue { IlertQueue->anew($fake, @_) }


# Who may not: as root the workers are someone else.

subtest 'rights' => sub {
    plan(skip_all => 'rights do not stop us') if $> == 0 && !$nobody;

    my $q = queue($nobody ? (user => $nobody) : ());
    $q->start;
    $q->post('a', 'CRITICAL');
    ok($q->drained);
    $q->stop;

    chown 0, 0, $q->db if $nobody;
    chmod 0, $q->db;
    $q->start;

    for (1 .. 4) {
        my $r = $q->post('b', 'CRITICAL');
        is("$r->{status} $r->{result}", '503 UNAVAILABLE',
           'who knows what waits');
        sleep(0.2);
    }

    my @lines = $q->test->grep_log(qr/; events are refused/);
    is(@lines, 1, 'one line');
    like($lines[0], qr/\[(?:crit|error)\] .*"\Q${\$q->db}\E"/,
         'with the path');
    like($lines[0], qr/\b$nobody\b/, 'and the owner that is wanted')
        if $nobody;

    chown $uid, $gid, $q->db if $nobody;
    chmod 0600, $q->db;
    $q->recovers;
    $q->ends_well;

    # the master gives the folder to the workers
    return if !$nobody;

    chown 0, 0, $q->dir;
    chmod 0555, $q->dir;
    $q->start;
    is($q->post('c', 'CRITICAL')->{result}, 'ACCEPTED',
       'a folder of root\'s is given to the workers');
    is((stat $q->dir)[4], $uid);
    $q->stop;
};

sub spoil {
    my ($path, $offset, $bytes) = @_;
    open my $file, '+<:raw', $path or die "$path: $!";
    seek $file, $offset, 0;
    print $file $bytes;
    close $file or die "$path: $!";
}

sub noise { join '', map { chr int rand 256 } 1 .. $_[0] }

sub damaged {
    my ($q) = @_;
    return grep { /^queue\.db\.damaged-\d{8}-\d{6}$/ } keys %{$q->files};
}

subtest 'damaged files' => sub {
    my %how = (
        'noise' => sub { unlink $_[0]; $_[1]->('>', noise(20_000)) },
        'text' => sub { unlink $_[0]; $_[1]->('>', "not a database\n") },
        'header' => sub { spoil($_[0], 0, noise(100)) },
        'truncated' => sub { truncate $_[0], 4096 * 3 + 100 },
        'pages' => sub { spoil($_[0], 4096, noise((-s $_[0]) - 4096)) },
        'first page' => sub { spoil($_[0], 100, noise(3900)) },
    );

    for my $how (sort keys %how) {
        my $q = queue();
        $q->start;
        $fake->refuse(all => 1);
        my @lost = map { $q->post("l$_", 'CRITICAL', size => 3000)
                         ->{json}{event} } 1 .. 15;
        $q->stop;

        my $path = $q->db;
        my @owner = (stat $path)[4, 5];
        $how{$how}->($path, sub {
            open my $file, "$_[0]:raw", $path or die $!;
            print $file $_[1];
            close $file;
            chmod 0600, $path;
        });

        $q->start;
        $fake->accept;
        $q->recovers(8);
        $q->post('b', $_) for qw(CRITICAL OK);
        is(scalar(damaged($q)), 1, "$how: is moved aside")
            or diag join ' ', sort keys %{$q->files};
        ok($q->test->wait_log(qr/damaged-\d{8}-\d{6}/, 2), 'with a line');

        $q->last_words;
        ok($q->drained, 'a new one is begun');
        is_deeply([ $q->faults(lost => \@lost, shows => 0) ], [],
                  'nothing else is lost');
        is($q->value('pragma integrity_check'), 'ok');
        $q->stop;
    }
};

subtest 'damaged while it is in use' => sub {
    my $q = queue();
    $q->start;
    $fake->refuse(all => 1);
    $q->post("l$_", 'CRITICAL', size => 3000) for 1 .. 80;

    my $size = -s $q->db;
    spoil($q->db, 0, noise($size));
    $q->post("m$_", 'CRITICAL', size => 3000, timeout => 20) for 1 .. 20;
    my @lost = map { $_->{event} // () } $q->ledger;
    $fake->accept;

    $q->recovers(8);
    $q->reload;
    $q->recovers(8);
    $q->post('b', $_) for qw(CRITICAL OK);
    ok($q->drained, 'it goes on');
    is_deeply([ $q->faults(lost => \@lost, shows => 0) ], [],
              'nothing that came later is lost');
    is($q->value('pragma integrity_check'), 'ok');
    $q->stop;
};

subtest 'foreign and other files' => sub {
    # of another program
    my $q = queue();
    mkdir $q->dir, 0700;
    $q->sql('pragma application_id = 7; create table t(x)');
    $q->start;
    is($q->post('a', 'CRITICAL')->{result}, 'ACCEPTED', 'another program\'s');
    is(scalar(damaged($q)), 1, 'is moved aside');
    ok($q->drained);
    my ($moved) = damaged($q);
    $q->stop;

    # an empty one
    unlink glob $q->dir . '/queue.db*';
    open my $file, '>', $q->db;
    close $file;
    $q->start;
    is($q->post('a', 'OK')->{result}, 'ACCEPTED', 'an empty one is used');
    is(scalar(damaged($q)), 0);
    ok($q->drained);
    $q->stop;

    # a newer release's
    my $version = $q->value('pragma user_version');
    $q->sql('pragma user_version = 99');
    my $inode = (stat $q->db)[1];
    $q->start;
    my $r = $q->post('b', 'CRITICAL');
    is("$r->{status} $r->{result}", '202 DELIVERED', 'a newer one');
    $q->post('b', 'CRITICAL') for 1 .. 3;
    is($q->lines('crit|error', 'has schema 99 of a newer release'), 1,
       'one line');
    is((stat $q->db)[1], $inode, 'it is left alone');
    is(scalar(damaged($q)), 0);
    is($q->value('pragma user_version'), 99);
    $q->sql("pragma user_version = $version");
    $q->recovers;
    $q->ends_well;
};

subtest 'files that are gone' => sub {
    my $q = queue();
    $q->start;
    $q->post('a', 'CRITICAL');
    ok($q->drained);

    unlink map { $q->dir . "/$_" } qw(queue.db queue.db-wal queue.db-shm);
    $q->recovers(3);
    ok(-e $q->db, 'without its database: makes one');
    ok($q->drained);

    my $dir = $q->dir;
    $q->lose_folder;
    ok(wait_until(sub {
        $q->post('b', 'CRITICAL')->{result} eq 'DELIVERED' }, 3),
       'without its folder: relays');
    mkdir $dir, 0700;
    $q->recovers;
    $q->post('b', 'OK');
    ok($q->drained(5), 'with a new one: delivers');

    # the rest of the folder
    unlink "$dir/$_" for qw(courier.lock ballast);
    is($q->post('c', 'CRITICAL')->{result}, 'ACCEPTED', 'without the rest');
    ok($q->drained(5));
    $q->reload;
    is($q->post('c', 'OK')->{result}, 'ACCEPTED');
    $q->ends_well(parallel => 0);
};

subtest 'locked by an outsider' => sub {
    my $q = queue();
    $q->start;
    $q->post('a', 'CRITICAL');
    ok($q->drained);

    local $ENV{HOME} = $q->test->dir;
    my $pid = open2(my $out, my $in, 'sqlite3', '-batch', $q->db);
    $in->autoflush(1);
    print $in "begin immediate;\nselect 1;\n";
    is(readline $out, "1\n", 'it has the lock');

    my @r = $q->finish(map { $q->start_post("b$_", 'CRITICAL', timeout => 30)
                       } 1 .. 5);
    is(scalar(grep { $_->{status} == 503 } @r), 5,
       'who knows what is being committed');
    print $in "commit;\n";
    close $in;
    waitpid $pid, 0;
    $q->recovers;
    $q->ends_well;
};

done();
