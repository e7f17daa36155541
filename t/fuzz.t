#!/usr/bin/perl

# What the fuzzer found, through a real nginx: whatever the body, Kapacitor
# has its answer, the worker lives, and what reaches ilert is valid.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertFake;
use IlertTest;

my @files = sort glob "$FindBin::Bin/fuzz/{details,findings}/*";

my $key = 'il1api5ec4e7f00';
my $fake = IlertFake->start(keys => { $key => 'api' });

my $t = IlertTest->new(fake => $fake, workers => 1, conf => <<"CONF")->start;

    ilert_source ops {
        integration_key $key;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location = /kapacitor {
            ilert_kapacitor ops;
        }

        %%ENDPOINT%%
    }
CONF

my ($worker) = $t->workers;

sub details {
    my ($html) = @_;

    $html =~ s/([\x00-\x1f"\\])/sprintf '\\u%04x', ord $1/ge;

    return qq({"id":"k","level":"CRITICAL","message":"m","details":"$html"});
}

for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)$};

    my $body = IlertTest::slurp($file) // die "cannot open $file: $!";

    # what does not begin with a brace was given to the fuzzer as details

    $body = details($body) if $body !~ /^\{/;

    my $answer = $t->post('/kapacitor', $body);

    like($answer->{status}, qr/^(?:202|400|422)$/, "$name is answered");
    unlike($answer->{json}{error} // '', qr/[\x00-\x1f\x7f]/,
        'in one line');
}

is_deeply([$t->workers], [$worker], 'the worker lives');
is_deeply([$fake->errors], [], 'ilert got nothing invalid');

done();
