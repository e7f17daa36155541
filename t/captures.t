#!/usr/bin/perl

# Every captured request of real Kapacitors, headers and all, through a real
# nginx to a fake ilert: as an event, checked field by field against IlertMap
# and the schema, and through a webhook_url source, byte for byte.  What the
# fake shows after each series of captures is what its webhooks say.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertCheck;
use IlertFake;
use IlertMap;
use IlertSchema;
use IlertTest qw(done webhook webhook_request webhooks);

my $API = 'il1api5ec4e7a01';
my $KAP = 'il1kap5ec4e7b02';

my $schema = IlertSchema->load("$FindBin::Bin/data/ilert-event.schema.json");
my $fake = IlertFake->start(keys => { $API => 'api', $KAP => 'kapacitor' });

my $t = IlertTest->new(fake => $fake, conf => <<"CONF")->start;

    ilert_source ops {
        integration_key $API;
    }

    ilert_source native {
        webhook_url https://api.ilert.com/api/v1/events/kapacitor/$KAP;
    }

    server {
        listen 127.0.0.1:%%PORT_0%%;

        location /c/ {
            ilert_kapacitor ops;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_1%%;

        location /c/ {
            ilert_kapacitor native;
        }
    }

    server {
        listen 127.0.0.1:%%PORT_2%%;

        %%ENDPOINT%%
    }
CONF

my %family;

for (webhooks()) {
    my ($family) = /^(.*?)-\d\d-[^-]+\z/ or BAIL_OUT("webhook $_");
    push @{$family{$family}}, $_;
}

my $captures = map { @$_ } values %family;
is($captures, 144, '144 captures');

for my $family (sort keys %family) {
    subtest $family => sub { family(@{$family{$family}}) };
}

done();


sub family {
    my (@names) = @_;

    my (%shown, %native);

    $fake->reset;

    for my $name (@names) {
        my $request = webhook_request($name);
        my $expected = IlertMap::expect(webhook($name));

        same($name, event($request, $expected));
        same("$name, native", native($request, $expected));

        shows(\%shown, $expected, $expected->{key});
        shows(\%native, $expected, id($expected));
    }

    my $alerts = $fake->alerts;

    for (['event', $API, \%shown], ['native', $KAP, \%native]) {
        my ($kind, $key, $expected) = @$_;
        my %got = map { $_ => $alerts->{$key}{$_}{state} }
            grep { $_ ne '' } keys %{$alerts->{$key} // {}};

        is_deeply(\%got, $expected, "what ilert shows, $kind");
    }

    is(scalar($fake->errors), 0, 'nothing that ilert rejects');
}


sub same {
    my ($what, @wrong) = @_;

    ok(!@wrong, $what) or diag(join "\n", map { "  $_" } @wrong);
}


# ilert's own mapping knows alerts by id alone; one without is nobody's.

sub id {
    my ($expected) = @_;

    my $event = $expected->{event} or return;

    return $event->get('customDetails')->get('id');
}


# What ilert shows of the alerts once it has taken this event.

sub shows {
    my ($shown, $expected, $key) = @_;

    my $type = $expected->{type} or return;
    return if ($key // '') eq '';

    $key = IlertFake::fold($key);

    if ($type eq 'ALERT') {
        $shown->{$key} = 'open';

    } elsif ($shown->{$key}) {
        $shown->{$key} = 'resolved';
    }
}


my $seen;

sub sent {
    my @all = $fake->requests;
    $seen = 0 if !$seen || $seen > @all;

    my @new = @all[$seen .. $#all];
    $seen = @all;

    return @new;
}


# What is wrong with the answer to a captured request, and what was sent; the
# port of the source is the N-th.

sub posted {
    my ($request, $expected, $port) = @_;

    sent();

    my $answer = $t->request('POST', '/', raw => $request,
                             port => $t->port($port));
    my @sent = sent();
    my @wrong = IlertCheck::answer_wrong($answer, $expected);
    my $accepted = ($expected->{result} // '') eq 'accepted';

    push @wrong, scalar(@sent) . ' requests to ilert'
        if @sent != ($accepted ? 1 : 0);

    return (\@wrong, $accepted && @sent == 1 ? $sent[0] : undef);
}


sub event {
    my ($request, $expected) = @_;

    my ($wrong, $sent) = posted($request, $expected, 0);
    return @$wrong if !$sent;

    push @$wrong, IlertCheck::request_wrong($sent);
    push @$wrong, map { "schema: $_" } $schema->event_errors($sent->{body});

    my ($key, $json, $event) = IlertCheck::event($sent, $wrong);
    return @$wrong if !$event;

    push @$wrong, "integrationKey: $key" if $key ne $API;
    push @$wrong, IlertMap::diff($event, $expected->{event});

    my ($body) = $request =~ /\r\n\r\n(.*)\z/s;
    my @lost = numbers_lost($event, $body);
    push @$wrong, "numbers: @lost" if @lost;

    return @$wrong;
}


# Number texts of the event's fields that are nowhere in the webhook: a check
# that needs no decoder of ours.

sub numbers_lost {
    my ($event, $body) = @_;

    my $fields = $event->get('customDetails')->get('fields') or return;

    return grep { index($body, $_) < 0 }
           grep { ref eq 'IlertMap::Number' }
           map { $fields->get($_) } $fields->names;
}


sub native {
    my ($request, $expected) = @_;

    my ($wrong, $sent) = posted($request, $expected, 1);
    return @$wrong if !$sent;

    my ($body) = $request =~ /\r\n\r\n(.*)\z/s;

    push @$wrong, "uri: $sent->{uri}"
        if $sent->{uri} ne "/api/v1/events/kapacitor/$KAP";
    push @$wrong, 'body differs' if $sent->{body} ne $body;
    push @$wrong, grep { !/^POST / } IlertCheck::request_wrong($sent);

    return @$wrong;
}
