package IlertKapacitorTopics;

# What a Kapacitor knows of its alerts, and how it says it: topics, the states
# of alerts, and the bodies of webhooks and of answers of its API.  It does not
# talk to anybody; IlertKapacitorServer does.
#
#     my $topics = IlertKapacitorTopics->new(version => '1.8.3');
#     $topics->topic('main:cpu:alert2', task => 'cpu');
#     my $event = $topics->collect('main:cpu:alert2', 'web01', 'CRITICAL');
#     $event->{body};                   # of the webhook
#     $topics->events('main:cpu:alert2');
#
# new(%opt)             version => '1.8.3'; before 1.7 an OK is kept for ever,
#                       from then on until a restart
# topic($name, %opt)    a topic, which is made or changed; options see
#                       IlertKapacitor
# collect($topic, $id, $level, %opt)    a change; options see "set" there.
#                       Returns { topic, id, level, previous, ns, time,
#                       message, details, duration (ns), body }
# now                   a time in ns, never twice
# restart, disable($topic), enable($topic), forget($topic), wipe
# names                 of the topics that it lists, sorted
# states                { topic => { id => event } } of these
#
# Bodies, as bytes: list($min_level); object($topic); events($topic,
# $min_level); event($topic, $id); handlers($topic); error_body($text).  They
# are undef for what is not known.
#
# Functions: duration($ns), "1m3s"; time_of($ns), "2026-11-30T00:45:00Z"

use warnings;
use strict;

use Encode ();
use List::Util qw(shuffle);
use POSIX qw(strftime);
use Time::HiRes ();

our $BASE = '/kapacitor/v1/alerts/topics';

my %RANK = (OK => 0, INFO => 1, WARNING => 2, CRITICAL => 3);

my %SERVER = (
    Hostname => 'localhost',
    ClusterID => '74f7323d-aaf5-4ea5-890b-81fbb800fa2e',
    ServerID => '30237796-3fd0-40dc-8a9c-3e41accc7706',
);

sub new {
    my ($class, %opt) = @_;
    my $version = $opt{version} // '1.8.3';

    return bless {
        version => $version,
        forgets => ($version =~ /^1\.(\d+)/)[0] >= 7,
        topics => {},
        last => 0,
    }, $class;
}

sub topic {
    my ($self, $name, %opt) = @_;

    my $topic = $self->{topics}{$name}
        ||= { name => $name, collected => 0, state => {}, since => {} };
    @$topic{keys %opt} = values %opt;
    return $topic;
}

# The time of an event tells it from all others.

sub now {
    my ($self) = @_;
    my $ns = int(Time::HiRes::time() * 1e6) * 1000 + 1;

    $ns = $self->{last} + 1 if $ns <= $self->{last};
    $ns++ if $ns % 10 == 0;
    return $self->{last} = $ns;
}

sub collect {
    my ($self, $name, $id, $level, %opt) = @_;

    my $topic = $self->topic($name);
    my $old = $topic->{state}{$id};
    my $ns = $opt{ns} // $self->now();
    my $since = \$topic->{since}{$id};

    $$since = $ns if !defined $$since || !$old || $old->{level} eq 'OK';

    my $event = {
        topic => $name, id => $id, level => $level, ns => $ns,
        time => time_of($ns), previous => $old ? $old->{level} : 'OK',
        message => $opt{message} // "$id is $level",
        duration => $opt{duration} // $ns - $$since,
        task => $opt{task} // $topic->{task} // _task($name),
        name => $opt{name} // $topic->{measurement} // 'cpu',
        tags => $opt{tags} // { host => $id },
        fields => $opt{fields} // { usage => 90 + $RANK{$level} },
        recoverable => $opt{recoverable} // 1,
        server => $opt{server} // \%SERVER,
    };

    $event->{group} = $opt{group} // _group($event->{tags});
    $event->{details} = $opt{details} // _dump($event);
    $event->{body} = _webhook($event);
    $event->{json} = _state($event);

    $topic->{state}{$id} = $event;
    $topic->{collected}++;
    return $event;
}

sub _task {
    my ($name) = @_;
    return $name =~ /^main:(.+):\w+$/ ? $1 : $name;
}

sub _group {
    my ($tags) = @_;
    return join(',', map { "$_=$tags->{$_}" } sort keys %$tags) || 'nil';
}

sub restart {
    my ($self) = @_;

    for my $topic (values %{$self->{topics}}) {
        $topic->{collected} = 0;
        $topic->{disabled} = 0;
        $self->_forget_oks($topic);
    }
}

sub _forget_oks {
    my ($self, $topic) = @_;
    my $state = $topic->{state};

    return if !$self->{forgets};
    delete @$state{grep { $state->{$_}{level} eq 'OK' } keys %$state};
}

sub wipe {
    my ($self) = @_;
    $_->{state} = {} for values %{$self->{topics}};
}

sub disable { my ($self, $name) = @_; $self->topic($name, disabled => 1) }
sub forget { my ($self, $name) = @_; delete $self->{topics}{$name} }

sub enable {
    my ($self, $name) = @_;
    $self->_forget_oks($self->topic($name, disabled => 0, collected => 0));
}

sub _listed {
    my ($self, $name) = @_;
    my $topic = $self->{topics}{$name // ''};
    return $topic && !$topic->{disabled} && $topic;
}

sub names {
    my ($self) = @_;
    return sort grep { $self->_listed($_) } keys %{$self->{topics}};
}

sub states {
    my ($self) = @_;
    return { map { $_ => { %{$self->{topics}{$_}{state}} } } $self->names };
}


# Texts -------------------------------------------------------------------

# JSON as Go writes it

my %ESCAPE = ("\n" => '\n', "\r" => '\r', "\t" => '\t', '"' => '\"',
              '\\' => '\\\\');

sub _string {
    my ($text) = @_;
    $text =~ s{([\x00-\x1f"\\<>&\x{2028}\x{2029}])}
              {$ESCAPE{$1} // sprintf '\u%04x', ord $1}ge;
    return qq("$text");
}

sub _value {
    my ($value) = @_;
    return 'null' if !defined $value;
    return $value =~ /^-?\d+(?:\.\d+)?(?:e[-+]?\d+)?$/i ? $value
                                                        : _string($value);
}

sub _object {
    my ($pairs) = @_;
    return '{' . join(',', map { _string($_) . ':' . _value($pairs->{$_}) }
                           sort keys %$pairs) . '}';
}

# Tags are texts, whatever they look like.

sub _tags {
    my ($tags) = @_;
    return 'null' if !%$tags;
    return '{' . join(',', map { _string($_) . ':' . _string($tags->{$_}) }
                           sort keys %$tags) . '}';
}

# Details that the task does not set: all that is known, as JSON in HTML

my %HTML = ('"' => '&#34;', "'" => '&#39;', '&' => '&amp;', '<' => '&lt;',
            '>' => '&gt;', '+' => '&#43;');

sub _dump {
    my ($event) = @_;

    my %server = %{$event->{server}};
    my $server = '{' . join(',', map { qq("$_":) . _string($server{$_}) }
                                 qw(Hostname ClusterID ServerID)) . '}';
    my $text = '{"Name":' . _string($event->{name})
        . ',"TaskName":' . _string($event->{task})
        . ',"Group":' . _string($event->{group})
        . ',"Tags":' . _tags($event->{tags})
        . qq(,"ServerInfo":$server,"ID":) . _string($event->{id})
        . ',"Fields":' . _object($event->{fields})
        . qq(,"Level":"$event->{level}","Time":"$event->{time}")
        . qq(,"Duration":$event->{duration},"Message":)
        . _string($event->{message}) . '}';

    $text =~ s/(["'&<>+])/$HTML{$1}/g;
    return "$text\n";
}

sub _webhook {
    my ($event) = @_;

    my $fields = $event->{fields};
    my @names = sort keys %$fields;
    my $tags = %{$event->{tags}} ? '"tags":' . _tags($event->{tags}) . ','
                                 : '';
    my $text = '{"id":' . _string($event->{id})
        . ',"message":' . _string($event->{message})
        . ',"details":' . _string($event->{details})
        . qq(,"time":"$event->{time}","duration":$event->{duration})
        . qq(,"level":"$event->{level}","data":{"series":[{"name":)
        . _string($event->{name}) . qq(,$tags"columns":[)
        . join(',', map { _string($_) } 'time', @names)
        . qq(],"values":[[) . join(',', _string($event->{time}),
                                   map { _value($fields->{$_}) } @names)
        . qq(]]}]},"previousLevel":"$event->{previous}","recoverable":)
        . ($event->{recoverable} ? 'true' : 'false') . '}';

    return Encode::encode('UTF-8', "$text\n");
}

sub _state {
    my ($event) = @_;

    my $duration = duration($event->{duration});
    return join ",\n", map { '                ' . $_ }
        '"message": ' . _string($event->{message}),
        '"details": ' . _string($event->{details}),
        qq("time": "$event->{time}"), qq("duration": "$duration"),
        qq("level": "$event->{level}");
}

sub time_of {
    my ($ns) = @_;

    my $text = strftime('%Y-%m-%dT%H:%M:%S', gmtime int($ns / 1_000_000_000));
    my $rest = sprintf '.%09d', $ns % 1_000_000_000;
    $rest =~ s/\.?0+$//;
    return "$text${rest}Z";
}

sub duration {
    my ($ns) = @_;

    return '0s' if $ns == 0;
    return $ns . 'ns' if $ns < 1000;
    return $ns / 1000 . "\x{b5}s" if $ns < 1_000_000;
    return $ns / 1_000_000 . 'ms' if $ns < 1_000_000_000;

    my $s = int($ns / 1_000_000_000);
    my $rest = sprintf '.%09d', $ns % 1_000_000_000;
    $rest =~ s/\.?0+$//;
    my ($h, $m) = (int($s / 3600), int($s / 60) % 60);

    return ($h ? "${h}h${m}m" : $m ? "${m}m" : '') . $s % 60 . "${rest}s";
}


# Answers -----------------------------------------------------------------

# The path of a link is made clean, so that the slashes of an id may get lost.

sub _link {
    my ($rel, @parts) = @_;
    my @clean;

    for (map { split m{/} } @parts) {
        next if $_ eq '' || $_ eq '.';
        $_ eq '..' ? pop @clean : push @clean, $_;
    }

    return qq({\n    "rel": "$rel",\n    "href": )
           . _string(join '/', $BASE, @clean) . "\n}";
}

sub _indent {
    my ($text, $n) = @_;
    my $space = ' ' x $n;
    $text =~ s/\n/\n$space/g;
    return $text;
}

# Members of an object, one a line: [name, JSON text]

sub _members {
    my (@members) = @_;
    return "{\n" . join(",\n", map { qq(    "$_->[0]": )
                                     . _indent($_->[1], 4) } @members) . "\n}";
}

sub _list {
    my (@texts) = @_;
    return '[]' if !@texts;
    return "[\n" . join(",\n", map { '    ' . _indent($_, 4) } @texts)
           . "\n]";
}

sub _bytes { Encode::encode('UTF-8', $_[0]) }

sub error_body {
    my ($text) = @_;
    return _bytes(_members([ error => _string($text) ],
                           [ message => _string($text) ]));
}

# The level of a topic is often wrong, and so is what "min-level" selects,
# since Kapacitor compares levels by what is no order.

sub _level {
    my ($topic) = @_;
    my @levels = map { $_->{level} } values %{$topic->{state}};

    return 'OK' if !@levels;
    return $levels[rand @levels] if rand() < 0.5;
    return (sort { $RANK{$b} <=> $RANK{$a} } @levels)[0];
}

sub _topic_object {
    my ($topic) = @_;
    my $name = $topic->{name};

    return _members([ link => _link('self', $name) ],
                    [ id => _string($name) ],
                    [ level => _string(_level($topic)) ],
                    [ collected => $topic->{collected} ],
                    [ 'events-link' => _link('events', $name, 'events') ],
                    [ 'handlers-link' => _link('handlers', $name,
                                               'handlers') ]);
}

sub list {
    my ($self, $min_level) = @_;

    my @topics = map { $self->{topics}{$_} } $self->names;
    @topics = grep { rand() < 0.5 } @topics if defined $min_level;
    return _bytes(_members([ link => _link('self') ],
        [ topics => _list(map { _topic_object($_) } @topics) ]));
}

sub object {
    my ($self, $name) = @_;
    my $topic = $self->_listed($name) or return;
    return _bytes(_topic_object($topic));
}

# Some thousand alerts are usual: each is put together from what is ready.

sub events {
    my ($self, $name, $min_level) = @_;

    my $topic = $self->_listed($name) or return;
    my @ids = shuffle keys %{$topic->{state}};
    @ids = grep { rand() < 0.5 } @ids
        if defined $min_level && $min_level ne 'OK';

    my $link = _indent(_link('self', $name, 'events'), 4);
    my $text = qq({\n    "link": $link,\n    "topic": ) . _string($name)
        . qq(,\n    "events": ) . (@ids ? "[\n" : '[]');

    for my $n (0 .. $#ids) {
        my $event = $topic->{state}{$ids[$n]};
        $event->{link} //= _indent(_link('self', $name, 'events',
                                         $ids[$n]), 12);
        $text .= qq(        {\n            "link": $event->{link},\n)
            . qq(            "id": ) . _string($ids[$n])
            . qq(,\n            "state": {\n$event->{json}\n            }\n)
            . '        }' . ($n < $#ids ? ",\n" : "\n    ]");
    }

    return _bytes("$text\n}");
}

# An id with a slash is taken for something else.

sub event {
    my ($self, $name, $id) = @_;

    my $topic = $self->_listed($name) or return;
    return $self->object($name) if $id =~ m{/};
    my $event = $topic->{state}{$id} or return;

    my $state = $event->{json} =~ s/^ {12}//gmr;
    return _bytes(_members([ link => _link('self', $name, 'events', $id) ],
                           [ id => _string($id) ],
                           [ state => "{\n$state\n}" ]));
}

sub handlers {
    my ($self, $name) = @_;

    my $topic = $self->_listed($name) or return;
    my @handlers = $name =~ /^main:/ ? () : @{$topic->{post} || []};
    my $n = 0;

    return _bytes(_members([ link => _link('self', $name, 'handlers') ],
        [ topic => _string($name) ],
        [ handlers => _list(map {
            my $id = 'h' . ++$n;
            my $match = join ' OR ', map { "level() == $_" }
                                     @{$_->{match} || []};
            _members([ link => _link('self', $name, 'handlers', $id) ],
                     [ id => _string($id) ], [ kind => '"post"' ],
                     [ options => _members([ url => _string($_->{url}) ]) ],
                     [ match => _string($match) ]);
        } @handlers) ]));
}

1;
