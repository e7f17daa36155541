#!/usr/bin/perl

# Bodies of webhooks that were refused are kept in the queue: which ones, how
# they are listed, read, posted again, and discarded; and that events do not
# suffer by it.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $SERVER = <<'CONF';
    location = /dashboard { ilert_status html; }
    location = /closed {
        if ($arg_refused) { return 403; }
        ilert_status;
    }
    location = /given { ilert_kapacitor $arg_source; }
    location = /small { ilert_kapacitor ops; ilert_max_body_size 1k; }
CONF

my $q = IlertStatus->new(server => $SERVER, workers => 2);
my $t = $q->test;
$q->start;

sub refused { $q->status->{refused} }
sub kept { @{refused()->{kept}} }
sub body { $q->get("/status?refused=$_[0]", @_[1 .. $#_]) }

# Posts, and waits until it is listed; returns what is listed of it.  Another
# worker may keep what it had refused before a little later.

sub keeps {
    my ($uri, $body, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $answer = $t->post($uri, $body);
    my $last;

    ok(wait_until(sub {
        ($last) = grep {
            $_->{size} == length $body
            && body($_->{id})->{body} eq substr $body, 0, 65536
        } kept();
        return $last;
    }, 8, $what), "is kept: $what");
    is($last->{status}, $answer->{status}, 'with the status');
    is($last->{error}, $answer->{json}{error}, 'and the error');
    is($last->{location}, $uri =~ s/\?.*//r, 'the location');
    is($last->{from}, '127.0.0.1', 'the address');
    is($last->{size}, length $body, 'and its size');
    return $last;
}


subtest 'what is kept' => sub {
    is_deeply(refused(), { rejected => refused()->{rejected},
        unavailable => refused()->{unavailable}, last => undef, kept => [],
        kept_total => refused()->{kept_total} }, 'nothing at first');

    my @bodies = ('no JSON', "\0\1\xff\r\n<script>alert(1)</script>",
                  '{"id":"x"}', 'é' x 100);

    for my $body (@bodies) {
        my $last = keeps('/ops', $body, length($body) . ' bytes');
        my $answer = body($last->{id});
        is($answer->{status}, 200, 'it is read');
        is($answer->{body}, $body, 'as it came');
    }

    my $good = IlertQueue::webhook('a', 1, 'CRITICAL');
    my $last = keeps('/given?source=none', $good, 'an unknown source');
    is($last->{status}, 422, 'is 422');
    is(body($last->{id})->{body}, $good, 'the body');

    is(refused()->{kept_total}, @bodies + 1, 'all of them');
    my @ids = map { $_->{id} } kept();
    is_deeply(\@ids, [ sort { $b <=> $a } @ids ], 'the last one first');
};

subtest 'what is not kept' => sub {
    my $n = refused()->{kept_total};

    is($t->get('/ops')->{status}, 405, 'no body');
    is($t->post('/ops', '')->{status}, 400, 'an empty one');
    is($t->post('/small', 'x' x 2000)->{status}, 413, 'one that was not read');
    is($q->post('a', 'OK')->{status}, 202, 'one that was taken');
    keeps('/ops', 'more', 'another one');
    is(refused()->{kept_total}, $n + 1, 'and nothing else');
};

subtest 'reading' => sub {
    my ($last) = kept();

    for my $uri ('/status', '/dashboard') {
        my $answer = $q->get("$uri?refused=$last->{id}");
        is($answer->{status}, 200, $uri);
        is($answer->{body}, 'more', 'the body');
        is($answer->{header}{'content-type'}, 'text/plain', 'text');
        is($answer->{header}{'content-disposition'},
           qq(attachment; filename="refused-$last->{id}.txt"), 'to be saved');
        is($answer->{header}{'x-content-type-options'}, 'nosniff',
           'and nothing else');
        is($answer->{header}{'cache-control'}, 'no-store', 'by nobody else');
    }

    my $answer = $t->head("/status?refused=$last->{id}");
    is("$answer->{status} $answer->{header}{'content-length'}", '200 4',
       'HEAD');

    for my $id ($last->{id} + 1, '9223372036854775807') {
        $answer = body($id);
        is("$answer->{status} $answer->{json}{status}", '404 rejected',
           "id $id");
    }

    for my $id ('', 0, -1, 'x', '1x', '%00', '99999999999999999999') {
        $answer = body($id);
        is("$answer->{status} $answer->{json}{status}", '400 rejected',
           "id '$id'");
    }

    is($q->get("/closed?refused=$last->{id}$_")->{status}, 403, "closed $_")
        for '', '&refused=0';
    is($q->get("/closed$_")->{status}, 200, "the status $_")
        for '', "?%72efused=$last->{id}";
    is($q->get("/closed?$_&refused=$last->{id}")->{status}, 400,
       "the first one counts: $_") for 'refused=0', 'REFUSED=0', 'Refused=';
    is($q->get("/closed?$_=$last->{id}")->{status}, 403, "closed $_")
        for 'REFUSED', 'refused&refused';

    like($q->get('/metrics?refused=1')->{body}, qr/^ilert_info/m, 'metrics');
    is(($q->ready)[0], 200, 'ready');
    is($q->get("/status?ready&refused=$last->{id}")->{json}{status}, 'ready',
       'is asked for first');
};

subtest 'a large one' => sub {
    my $large = join '', map { "$_," } 1 .. 30_000;
    cmp_ok(length $large, '>', 65536, 'a large body');

    my $last = keeps('/ops', $large, 'a large one');
    is(body($last->{id})->{body}, substr($large, 0, 65536),
       'its first 64 kB');

    # from a file
    $large = 'x' x 3_000_000;
    $last = keeps('/ops', $large, 'a very large one');
    is(body($last->{id})->{body}, 'x' x 65536, 'likewise');
};

subtest 'posted again' => sub {
    my ($refused) = grep { $_->{status} == 422 } kept();
    my $mark = $q->arrived;
    my $answer = $t->post('/ops', body($refused->{id})->{body});
    is($answer->{status}, 202, 'accepted');
    $q->drained;
    is_deeply([ $q->came($mark) ], [ 'a 1' ], 'delivered');
};

subtest 'it stays' => sub {
    my @before = kept();

    $t->reload;
    is_deeply([ kept() ], \@before, 'over a reload');
    $t->stop;
    $q->start;
    is_deeply([ kept() ], \@before, 'over a restart');
    my $last = keeps('/ops', 'after that', 'and goes on');
    is(refused()->{kept_total}, @before + 1, 'with one more');
};

subtest 'discarded' => sub {
    my ($last, @others) = kept();
    my $mark = $t->mark;

    $q->does("refused/$last->{id}/discard", 1);
    is_deeply([ kept() ], \@others, 'one');
    is(body($last->{id})->{status}, 404, 'is gone');
    $q->refused("refused/$last->{id}/discard", 404, qr/no such/);
    is($q->lines('notice', "ilert control: refused/$last->{id}/discard by "
                           . '127.0.0.1, count: 1', $mark), 1, 'is logged');

    $q->refused($_, 404, qr/expected/)
        for 'refused', 'refused/', 'refused//discard', 'refused/0/discard',
            'refused/x/discard', 'refused/-1/discard', 'refused/replay',
            "refused/$others[0]{id}/replay", "refused/$others[0]{id}",
            'refused/discard?source=ops';
    is_deeply([ kept() ], \@others, 'the others are not');

    $q->does('refused/discard', scalar @others);
    is(refused()->{kept_total}, 0, 'all');
    $q->does('refused/discard', 0);
    my $new = keeps('/ops', 'a new one', 'and another one');
    cmp_ok($new->{id}, '>', $last->{id}, 'of another id');
};

subtest 'the last thousand' => sub {
    my ($first) = kept();

    # each round waits for its own, as what comes faster than it is kept is
    # dropped, and what another worker has may be kept late

    for my $round (1 .. 11) {
        my @posts = map { $t->start_post('/ops', "$round $_") } 1 .. 100;
        $t->finish(@posts);
        $q->becomes(sub {
            $_->{refused}{kept}[0]{id} == $first->{id} + 100 * $round;
        }, "round $round is kept");
    }

    is(refused()->{kept_total}, 1000, 'a thousand');
    is(scalar(kept()), 100, 'a hundred are listed');
    my $last = keeps('/ops', 'the last one', 'one more');
    is(refused()->{kept_total}, 1000, 'are a thousand');
    is(body($last->{id} - 999)->{status}, 200, 'with the oldest one');
    is(body($last->{id} - 1000)->{status}, 404, 'but no older one');
};

subtest 'a flood beside events' => sub {
    my $body = 'x' x 65536;
    my $mark = $t->mark;
    my $n = 0;

    $q->forget;
    $q->load(alerts => 5, rate => 50, until => sub {
        my @posts = map { $t->start_post('/ops', "$n $_ $body") } 1 .. 8;
        $_ == 400 or fail("answered $_")
            for map { $_->{status} } $t->finish(@posts);
        return ++$n >= 20;
    });

    ok($q->last_words, 'all events are accepted');
    ok($q->drained, 'and leave');
    is_deeply([ $q->faults(once => 1) ], [], 'and delivered');
    cmp_ok(scalar $q->lines('warn', 'refused webhooks could not be kept',
                            $mark), '<=', 2, 'at most one line of a worker');
    is($q->status->{queue}{state}, 'ok', 'there is no trouble');
    keeps('/ops', 'after it', 'what comes later');
};

subtest 'within a tenth of max_size' => sub {
    $q->change(queue => 'queue max_size=2m');
    $t->reload;

    keeps('/ops', "$_ " . 'x' x 50_000, "$_") for 1 .. 6;
    my $total = refused()->{kept_total};
    cmp_ok($total, '>=', 3, 'some are kept');
    cmp_ok($total, '<=', 4, 'but no more');
};

subtest 'trouble' => sub {
    my $n = refused()->{kept_total};
    my $mark = $t->mark;

    $t->stop;
    my $version = $q->value('pragma user_version');
    $q->sql('pragma user_version = 99');
    $q->start;
    $q->becomes(sub { $_->{queue}{state} eq 'error' }, 'no database');

    is($t->post('/ops', 'nothing')->{status}, 400, 'is refused');
    ok($t->wait_log(qr/refused webhooks could not be kept/, 8, $mark),
       'is not kept');

    my $answer = body(1);
    is("$answer->{status} $answer->{json}{status}", '503 rejected',
       'is not read');
    is_deeply(refused()->{kept}, [], 'nor listed');

    $q->sql("pragma user_version = $version");
    $q->becomes(sub { $_->{queue}{state} eq 'ok' }, 'it is there again');
    keeps('/ops', 'again', 'is kept again');
    cmp_ok(refused()->{kept_total}, '>=', $n, 'beside the others');
    $t->stop;
};

subtest 'without a queue' => sub {
    my $off = IlertStatus->new(queue => undef);
    $off->start;
    is($off->test->post('/ops', 'no JSON')->{status}, 400, 'is refused');
    is_deeply($off->status->{refused}{kept}, [], 'is not kept');
    my $answer = $off->get('/status?refused=1');
    is("$answer->{status} $answer->{json}{status}", '404 rejected', 'as said');
    $off->refused('refused/discard', 409, qr/queue/);
    $off->stop;
};

done();
