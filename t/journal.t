#!/usr/bin/perl

# A journal of Kapacitor's is posted as a whole after an outage, by the script
# of docs/operations.md: what was lost becomes known, and nothing else happens.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertTest;

plan(skip_all => 'an nginx without threads') unless IlertTest::has_threads();
plan(skip_all => 'no curl') if system('command -v curl >/dev/null');

my $KEY = 'il1api5ec4e7e02';

my ($script) = IlertTest::slurp(IlertTest::top() . '/docs/operations.md')
               =~ /^## Posting a journal\n.*?^```sh\n(.*?)^```$/ms;

my $fake = IlertFake->start(keys => { $KEY => 'api' });

my $t = IlertTest->new(fake => $fake, conf => <<"END_CONF")->start;
    ilert_queue %%DIR%%/queue;

    ilert_source ops {
        integration_key $KEY;
        rate off;
        coalesce off;
        stale drop;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;
        location = /kapacitor { ilert_kapacitor ops; }
        location = /status { ilert_status; }

        location /ilert/ {
            internal;
            ilert_endpoint rate=off;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
        }
    }
END_CONF


# The journal: a line for each webhook, as .log() writes them

my (@journal, %last);

sub webhooks_of {
    my ($id, @levels) = @_;

    return map {
        my $time = sprintf '2026-03-01T03:%02d:%02d.%09dZ',
                           int(@journal / 60), @journal % 60, 260823997;
        push @journal, qq({"id":"$id","message":"$id is $_","details":"",)
                       . qq("time":"$time","duration":0,"level":"$_",)
                       . qq("data":{"series":null},"previousLevel":"OK"});
        $last{$id} = $_;
        $journal[-1];
    } @levels;
}

sub heard {
    for my $webhook (@_) {
        my $answer = $t->post('/kapacitor', $webhook);
        is($answer->{json}{status}, 'accepted', 'a webhook is heard')
            or diag($answer->{raw});
    }
}

# so many webhooks have become events, and ilert has all of those

sub delivered {
    my ($n, $what) = @_;

    ok($fake->wait_events($n), $what);
    is($t->get('/status')->{json}{sources}{ops}{accepted}, $n,
       'and nothing else');
}

# Posts the journal; returns what the script prints

sub posted {
    my $file = $t->write_file('alerts.json', join '', map { "$_\n" } @journal);
    my $command = $script =~ s/127\.0\.0\.1:8080/"127.0.0.1:" . $t->port/er
                          =~ s/alerts\.json/$file/r;

    return join ' ', split ' ', scalar `$command`;
}

# what ilert shows is what Kapacitor has said last

sub agrees {
    my $alerts = $fake->alerts->{$KEY};

    is_deeply([ sort grep { $alerts->{$_}{state} eq 'open' } keys %$alerts ],
              [ sort grep { $last{$_} ne 'OK' } keys %last ],
              'ilert shows as open what Kapacitor does');
    is($fake->counts->{phantoms}, 0, 'nothing is opened again');
}


subtest 'a journal' => sub {
    plan(skip_all => 'the documentation has no script') unless $script;

    # one with more changes than are remembered; some that are over, or open

    heard(webhooks_of('often', ('CRITICAL', 'OK') x 12));
    heard(webhooks_of('over', 'CRITICAL', 'OK'));
    heard(webhooks_of('open', 'WARNING'));
    heard((webhooks_of('ends', 'CRITICAL'))[0]);
    delivered(28, 'before the outage');

    webhooks_of('ends', 'OK');
    webhooks_of('begins', 'CRITICAL');
    webhooks_of('both', 'CRITICAL', 'OK');
    webhooks_of('between', 'CRITICAL');

    heard(webhooks_of('between', 'OK'));
    delivered(29, 'after the outage');

    is(posted(), @journal . ' 202', 'the journal is taken');
    delivered(33, 'what was lost');
    agrees();

    is(posted(), @journal . ' 202', 'it is taken once more');
    delivered(33, 'what was lost');
};

done();
