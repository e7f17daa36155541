package IlertCheck;

# Webhooks through a real nginx to a fake ilert, each compared with IlertMap.
#
#     my $c = IlertCheck->new;
#     $c->webhook('what it is about', $body);
#     $c->webhook('negative duration', $body, duration => '-5');
#     $c->webhook('no columns', $body, error => 'data.series[0].columns: ..');
#     done();
#
# new(%opt): nginx and fake ilert, started.
#     key => integration key, location => more directives for /kapacitor,
#     server => more of server { }, http => more of http { },
#     test => { arguments of IlertTest->new }
#   test, fake        the IlertTest and the IlertFake
#
# webhook($what, $body, %want): posts the body and makes one test of it: the
# answer, whether anything was sent, and everything that was.  IlertMap says
# what it must be, %want says it once more by hand:
#     error => text | qr//     the answer is 400 with this error
#     result => 'test'         the answer is 202 with this status
#     type, key, summary, details => text (undef: there is none)
#     any other name           a member of customDetails, by its path
#                              ('fields.v', 'rows.0.time'), as JSON; undef:
#                              there is none
#   and options:
#     uri => '/kapacitor', request => [arguments of IlertTest's post],
#     max => N                 ilert_event_max_size of that location
#     map => 0                 without IlertMap: only %want is compared
#   Returns { answer, request, event } for more tests.
#
# IlertCheck::json(name => text, ..): a webhook as Kapacitor writes it, each
# member being JSON text; those given replace or follow the usual ones, undef
# leaves one out.  IlertCheck::series(@rows): the data of one series cpu with
# host=a and the columns time, v; a row is the JSON text of its values.

use warnings;
use strict;

use Test::More;

use IlertFake;
use IlertMap;
use IlertTest ();

# The names of all headers of a request; nginx up to 1.29.6 sends Connection,
# too.

my $HEADERS =
    qr/\A(?:connection )?content-length content-type host user-agent\z/;


sub new {
    my ($class, %opt) = @_;

    my $self = bless { key => $opt{key} // 'il1api00c0ffee' }, $class;

    my ($location, $server, $http) =
        map { $opt{$_} // '' } qw(location server http);

    $self->{fake} = IlertFake->start(keys => { $self->{key} => 'api' });

    $self->{test} = IlertTest->new(fake => $self->{fake}, conf => <<"CONF",

        ilert_source ops { integration_key $self->{key}; }

        $http

        server {
            listen 127.0.0.1:%%PORT_0%%;

            location = /kapacitor {
                ilert_kapacitor ops;
                $location
            }

            %%ENDPOINT%%

            $server
        }
CONF
        %{$opt{test} // {}})->start;

    $self->{seen} = 0;

    return $self;
}


sub json {
    my (@members) = @_;

    my @order = qw(id message details time duration level data previousLevel
        recoverable);
    my %text = (id => '"cpu:host=a"', message => '"cpu is high"',
        details => '""', time => '"2026-03-01T08:15:30Z"', duration => '0',
        level => '"CRITICAL"', previousLevel => '"OK"', recoverable => 'true',
        data => series('"2026-03-01T08:15:30Z",1'));

    while (@members) {
        my ($name, $value) = splice @members, 0, 2;
        push @order, $name if !exists $text{$name};
        $text{$name} = $value;
    }

    return '{' . join(',', map { qq("$_":$text{$_}) }
                           grep { defined $text{$_} } @order) . "}\n";
}


sub series {
    my (@rows) = @_;

    return '{"series":[{"name":"cpu","tags":{"host":"a"},'
           . '"columns":["time","v"],"values":['
           . join(',', map { "[$_]" } @rows) . ']}]}';
}


sub test { $_[0]{test} }
sub fake { $_[0]{fake} }


sub webhook {
    my ($self, $what, $body, %want) = @_;

    my ($uri, $max, $map, $request) = delete @want{qw(uri max map request)};

    my $answer = $self->{test}->post($uri // '/kapacitor', $body,
                                     @{$request // []});
    my @sent = $self->sent;
    my $expected = $map // 1
        ? IlertMap::expect($body, max => $max // 65536)
        : undef;

    my %got = (answer => $answer, request => $sent[0]);
    my @wrong = answer_wrong($answer, $expected);

    if (exists $want{error} || exists $want{result}) {
        push @wrong, refused_wrong($answer, \%want);
    }

    my $sends = $expected ? ($expected->{result} // '') eq 'accepted'
                          : !exists $want{error} && !exists $want{result};

    push @wrong, sprintf('%d requests to ilert', scalar @sent)
        if @sent != ($sends ? 1 : 0);

    if ($sends && @sent == 1) {
        push @wrong, request_wrong($sent[0]);

        my ($key, $json, $event) = event($sent[0], \@wrong);

        if ($event) {
            $got{event} = $event;
            $got{json} = $json;

            push @wrong, "integrationKey: $key" if $key ne $self->{key};
            push @wrong, event_wrong($json, $event, $expected->{event},
                                     $max) if $expected;
            push @wrong, by_hand($event, \%want);
        }
    }

    ok(!@wrong, $what) or $self->report($body, $uri // '/kapacitor', @wrong);

    return \%got;
}


# The requests that the fake got since last asked.

sub sent {
    my ($self) = @_;

    my @all = $self->{fake}->requests;
    my @new = @all[$self->{seen} .. $#all];

    $self->{seen} = @all;

    return @new;
}


sub forget {
    my ($self) = @_;

    $self->{fake}->reset;
    $self->{seen} = 0;
}


# The webhook stays in the directory of the test, which is left if one fails.

sub report {
    my ($self, $body, $uri, @wrong) = @_;

    my $file = $self->{test}->write_file('failed-' . ++$self->{failed}, $body);

    for (@wrong, "webhook to $uri: $body", "as a file: $file") {
        my $shown = length > 800 ? substr($_, 0, 800) . '...' : $_;

        $shown =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
        diag("  $shown");
    }
}


sub answer_wrong {
    my ($answer, $expected) = @_;

    my @wrong;
    my $json = $answer->{json};

    return 'no answer: ' . ($answer->{error} // '') if !$answer->{status};

    push @wrong, 'answer is no JSON object: ' . ($answer->{body} // '')
        if ref $json ne 'HASH';
    push @wrong, 'Content-Type: ' . ($answer->{header}{'content-type'} // '')
        if ($answer->{header}{'content-type'} // '') ne 'application/json';
    push @wrong, 'connection is not closed' if !$answer->{closed};

    return @wrong if @wrong || !$expected;

    push @wrong, "answer $answer->{status} $answer->{body}, "
                 . "expected $expected->{status}"
        if $answer->{status} != $expected->{status};

    if ($expected->{status} == 202) {
        push @wrong, "status: $answer->{body}"
            if ($json->{status} // '') ne $expected->{result};
        push @wrong, "event: $answer->{body}"
            if $answer->{body} !~ /"event":"[1-9][0-9]*"/;

    } else {
        push @wrong, "status: $answer->{body}"
            if ($json->{status} // '') ne 'rejected';

        my $error = $json->{error} // '';
        utf8::encode($error);
        push @wrong, "error: $error, expected $expected->{error}.."
            if index($error, $expected->{error}) != 0;
        push @wrong, "error is not one line: $error"
            if $error eq '' || $error =~ /[\x00-\x1f]/;
    }

    return @wrong;
}


sub refused_wrong {
    my ($answer, $want) = @_;

    my $json = $answer->{json} // {};
    my $error = $json->{error} // '';

    if (exists $want->{error}) {
        return "answer $answer->{status}, expected 400"
            if $answer->{status} != 400;
        return if ref $want->{error} ? $error =~ $want->{error}
                                     : $error eq $want->{error};
        return "error: $error, expected $want->{error}";
    }

    return "answer $answer->{status} $answer->{body}, expected "
           . "$want->{result}" if ($json->{status} // '') ne $want->{result};
    return;
}


sub request_wrong {
    my ($request) = @_;

    my @wrong;
    my %header = %{$request->{header}};
    my $names = join ' ', sort map { lc $_->[0] } @{$request->{headers}};

    push @wrong, "headers to ilert: $names" if $names !~ $HEADERS;
    push @wrong, "$request->{method} $request->{uri}"
        if "$request->{method} $request->{uri}" ne 'POST /api/events';
    push @wrong, "Content-Type to ilert: $header{'content-type'}"
        if $header{'content-type'} ne 'application/json';
    push @wrong, "User-Agent to ilert: $header{'user-agent'}"
        if $header{'user-agent'} !~ m{^ngx_http_ilert_module/\d+\.\d+\.\d+\z};
    push @wrong, "ilert answered $request->{status} "
                 . ($request->{message} // '') if $request->{status} != 202;

    return @wrong;
}


# Returns the integration key, the event without it as it was sent, and the
# same decoded.

sub event {
    my ($request, $wrong) = @_;

    my ($key, $json) = eval { IlertMap::split_key($request->{body}) };
    if ($@) {
        push @$wrong, $@;
        return;
    }

    my @twice;
    my $event = eval { IlertMap::decode($json, twice => \@twice) };

    push @$wrong, $@ if $@;
    push @$wrong, "member twice: $_" for @twice;
    push @$wrong, 'event is not valid UTF-8' if !valid($json);

    return $key, $json, $event;
}


sub valid {
    my ($bytes) = @_;

    my $chars = IlertMap::characters($bytes);
    utf8::encode($chars);

    return $chars eq $bytes;
}


sub event_wrong {
    my ($json, $event, $expected, $max) = @_;

    my $custom = $event->get('customDetails');
    my $truncated = ref $custom && $custom->has('truncated');

    return IlertMap::capped($json, $expected, $max // 65536) if $truncated;

    return IlertMap::diff($event, $expected);
}


sub by_hand {
    my ($event, $want) = @_;

    my %top = (type => 'eventType', key => 'alertKey', summary => 'summary',
               details => 'details');
    my @wrong;

    for my $name (sort keys %$want) {
        my $value = $want->{$name};

        if ($top{$name}) {
            push @wrong, said($name, $event->get($top{$name}), $value);
            next;
        }

        my $got = at($event->get('customDetails'), split /\./, $name);
        push @wrong, said($name, $got && IlertMap::encode($$got), $value);
    }

    return @wrong;
}


sub said {
    my ($name, $got, $want) = @_;

    return if !defined $got && !defined $want;

    ($got, $want) = map { $_ // 'nothing' } $got, $want;

    return if $got eq $want;

    utf8::encode($_) for $got, $want;

    return "$name: got $got, by hand $want";
}


# Returns a reference to the value at a path, or undef if there is none.

sub at {
    my ($value, @path) = @_;

    for (@path) {
        if (ref $value eq 'ARRAY') {
            return if $_ > $#$value;
            $value = $value->[$_];

        } else {
            return if ref $value ne 'IlertMap::Object' || !$value->has($_);
            $value = $value->get($_);
        }
    }

    return \$value;
}


1;
