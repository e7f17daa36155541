package IlertKapacitor;

# A stand-in for Kapacitor in a process of its own.  What it says by webhooks
# and what its API answers are one truth: the states of its topics.
#
#     my $kapacitor = IlertKapacitor->start;
#     ... proxy_pass http://$kapacitor->address/kapacitor/v1/; ...
#     $kapacitor->topic('main:cpu:alert2', post => $url);
#     $kapacitor->set('main:cpu:alert2', 'web01', 'CRITICAL');
#     $kapacitor->set('main:cpu:alert2', 'web02', 'CRITICAL', lose => 1);
#     $kapacitor->idle;
#
# start(%opt)   version => '1.8.3' or, with a Kapacitor that keeps each OK for
#               ever, '1.5.9'; timeout => 5, seconds of a webhook; auth =>
#               'user:password' that the API asks for; port => N (a free one)
# topic($name, %opt)    a topic is made, or changed
#     post => URL | [URLs]      handlers: each has a queue of its own, and
#                               posts one webhook at a time, once
#     match => [levels]         what the handlers want (all)
#     publish => [topics]       events go to these, too
#     task, measurement         in the webhooks (from the name; "cpu")
# set($topic, $id, $level, %opt)    a change of an alert.  Returns { topic, id,
#               level, ns, time, message, details, .. }
#     ns => time in ns          (now, and never twice)
#     message, details, tags, fields, task, name, group, duration (ns),
#     recoverable => 0
#     lose => 1                 handlers throw it away
#     cut => N                  they close after N bytes of the webhook
# fill($topic, $n, $level, %opt)    $n alerts at once, "$topic-N"; lost unless
#               lose => 0
# hold($topic)          its queues stand still; release($topic)
# lag($seconds)         before each webhook
# idle($seconds)        true as soon as no webhook waits, or is under way (10)
# down, up              connections are refused, and handlers stand still;
#                       down(api => 1): the API only
# restart(%opt)         down and up again: "collected" is 0, what had been
#                       disabled is listed, each OK is forgotten (see version);
#                       queues get lost with lose => 1; with wipe => 1 all
#                       states
# wipe                  all states are lost at once
# disable($topic)       not listed any more, its events are a 500; enable: its
#                       states are there again
# forget($topic)        as if it had never been
# fault(%rule)          the first that fits decides what the API does
#     match => qr//             of "GET /kapacitor/v1/.."; left out: all
#     times => N                left out: always
#     status => N [, body => bytes]   an error, in Kapacitor's form
#     body => bytes             as an answer of 200
#     cut => N                  closes after N bytes of the body; a negative
#                               number counts from its end
#     reset => 1                closes by RST instead of answering
#     hang => 1                 does not answer
#     delay => seconds          before the answer
#     drip => seconds           between pieces of the answer of 4 k
# clear_faults
# requests              list of { n, uri, gzip (asked for), header, status,
#                       size (of the body), time }
# webhooks              list of { n, topic, id, level, ns, time, url, outcome
#                       ("waiting", "under way", "answered", "refused",
#                       "reset", "timeout", "cut", "lost"), status, set, begun,
#                       ended }; set, begun, ended are times
# states                { topic => { id => event } } of what is listed
# open                  "TOPIC/ID LEVEL" of all that are not OK, sorted
# port, address, pid, stop

use warnings;
use strict;

use Carp qw(croak);

use IlertFake ();
use IlertKapacitorServer;

use parent qw(IlertServer);

my %FAULT = map { $_ => 1 } qw(match times status body cut reset hang delay
                               drip);

sub start {
    my ($class, %opt) = @_;

    my $self = bless { port => $opt{port} || IlertFake::free_port() }, $class;
    my $server = IlertKapacitorServer->new(%opt, port => $self->{port});

    $self->begin('Kapacitor', sub { $server->run($_[0], $self->{owner}) });
    $server->close_listener();
    return $self;
}

sub port { $_[0]{port} }
sub address { "127.0.0.1:$_[0]{port}" }

sub topic {
    my ($self, $name, %opt) = @_;

    if (my $post = delete $opt{post}) {
        my $match = delete $opt{match};
        $opt{post} = [ map { { url => $_, match => $match } }
                       ref $post ? @$post : $post ];
    }

    return $self->call('topic', $name, %opt);
}

sub fault {
    my ($self, %rule) = @_;

    for (keys %rule) {
        croak "IlertKapacitor: unknown fault $_" unless $FAULT{$_};
    }

    $rule{match} = "$rule{match}" if defined $rule{match};
    return $self->call('fault', %rule);
}

for my $name (qw(set fill hold release lag up down restart wipe disable enable
                 forget clear_faults states lists))
{
    no strict 'refs';
    *$name = sub {
        my ($self, @arguments) = @_;
        return $self->call($name, @arguments);
    };
}

sub requests { @{$_[0]->call('requests')} }
sub webhooks { @{$_[0]->call('webhooks')} }

sub idle {
    my ($self, $seconds) = @_;
    return $self->wait_for(sub { !$self->call('busy') }, $seconds,
                           'the end of webhooks under way');
}

sub open {
    my ($self) = @_;
    my $states = $self->states;

    return sort map {
        my $topic = $_;
        my $state = $states->{$topic};
        map { "$topic/$_ $state->{$_}{level}" }
            grep { $state->{$_}{level} ne 'OK' } keys %$state;
    } keys %$states;
}

1;
