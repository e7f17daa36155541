package IlertFake;

# A strict fake ilert in a process of its own.
#
#     my $fake = IlertFake->start(
#         keys => { il1api0123 => 'api', il1kap0123 => 'kapacitor' });
#     ... POST http://127.0.0.1:PORT/api/events ...
#     $fake->wait_events(2, 5);
#     is($fake->alerts->{il1api0123}{'cpu:host=web01'}{state}, 'open');
#
# start(%opt)
#     keys => { key => 'api' | 'kapacitor' | 'heartbeat' }
#     port => N             0 or left out: a free one; address => '127.0.0.1'
#     tls => { cert_file, key_file }    (see certificates)
#     print => 1            each event and each change of what is shown goes to
#                           stdout; or a sub ($kind, $record), called in the
#                           fake's process: 'event' (a request record), 'alert'
#                           (an alert record with {change}: opened, appended,
#                           accepted, commented, resolved, unchanged), 'error'
#                           (a request record)
#     rate => N | { key => N }   events a window and key, more: 429;
#                           rate_total => N for all keys together; refused ones
#                           do not count
#     window => 60, phase => 0   fixed windows, begin at phase + n * window
#     foreign => { key => N }    another sender, which has so many of the
#                           events of each window, and is the first
#     retry_after => N      header of the 429; default: none, as ilert
#     hosts => [ names ]    other names that it is asked by, see below
#     bodies => 0           records without body and json, for many requests
#     schema => path        default t/data/ilert-event.schema.json
#
# Serves POST ANY/events (generic; key in the body), POST
# ANY/v1/events/kapacitor/KEY (native; Kapacitor's body) and GET|HEAD
# ANY/pings/KEY.  Answers 202 without a body but with a correlation-id; 404 for
# an unknown key or one of the wrong kind; 429; 400 with the reason for what
# IlertSchema::event_errors finds, or another Content-Type than
# application/json.  An error body is {"status":N,"message":TEXT,"code":TEXT};
# it has no message if a rule gives the status 4xx and no body.
# Host must be ADDRESS, localhost, ilert.com, api or beat of it, the same of
# ilert.test, or one of "hosts".  If it is not, a front end answers with a page
# of its own: 400 if it is missing or malformed, else 404.
#
# port, address ("127.0.0.1:PORT"), url ("http(s)://ADDRESS"), pid, stop
# keys                      { key => kind }; keys({..}) replaces them
#
# rule(%rule)               the first that fits decides; returns its number
#     match => qr//         against "METHOD URI\nBODY"; left out: every request
#     times => N            the rule is used N times; left out: always
#     take => 0|1           whether a good event counts; default: if the head
#                           of the answer is sent whole and its status is 2xx
#   and what to do:
#     status => 202, headers => [name => value..], body => bytes, reason =>
#                           text.  Without a status the request is judged as
#                           usual, and the rest applies to that answer
#     delay => seconds      before the answer (a taken event counts at once)
#     hold => 1             the answer waits until the rule is dropped
#     hang => 1             request read, no answer; hang => 'before': its body
#                           is not read either
#     reset => 'accept'     RST when the connection is accepted (match unused)
#              'before'     RST when the header is read (match: no body yet)
#              'after'      RST when the request is read
#              'mid'        RST within the header of the answer
#              'midbody'    RST within the body of the answer
#     close => same places  FIN instead of RST; 1: after a whole answer
#     huge => bytes         body of that length
#     endless => 1          body that never ends
#     interim => [103, ..]  such answers come before the answer
#     drip => seconds       between single bytes of the answer
#     raw => bytes          sent as the answer, then FIN
# drop_rule($number), clear_rules
# limit(%opt)               changes rate, rate_total, window, phase, foreign,
#                           retry_after; and a new window begins
# rules                     list of rules with {number}, {used}
# refuse, accept            closes the listening socket (with refuse(all => 1)
#                           also the connections); opens it again, same port
#
# requests                  list of records in order of arrival:
#     { n, method, uri, http ("1.1"), headers [[name, value]..], header
#       { lower-case name => value }, body (bytes), json (decoded as 'plain',
#       undef if it is none), key, type (eventType), alert_key (characters, as
#       received), folded, event { summary, details, .., level and time of
#       Kapacitor, if they are known }, status (answered; 0: none), message (of
#       an error), fault (what is wrong with it, whatever was answered), taken,
#       limited (by the rate), window (its number, if the rate was asked), page
#       (a front end has answered), time (when it was read), connection
#       (number), sni, rule (number), inflight (requests in work, this one
#       included), parallel (those of the same key and folded alert key,
#       likewise) }
#     What a rule cut at 'accept' or 'before' is not in the list.
# request($n)               the record n (from 0; negative: from the end)
# events                    those that were taken
# errors                    those with a fault: what no good client sends
# alerts                    { key => { folded alert key => { key, alert_key,
#       state => 'open' | 'accepted' | 'resolved', opened (how often), pages
#       (how often with another priority than LOW), summary, details, priority,
#       severity, level (of the last ALERT), log [event types], comments,
#       phantoms (how often it was opened by an event that is older, by
#       Kapacitor's time, than a RESOLVE taken before) } } };
#       alerts without an alertKey are all counted under ''
# counts                    { requests, events, errors, limited, foreign (of
#       the other sender), phantoms, connections (accepted so far), open (now),
#       inflight (requests in work now) }
# tls_errors                list of failed handshakes (text)
# wait_events($n, $seconds), wait_requests($n, $seconds): true when there are
#       that many (see IlertWait)
# reset                     forgets requests, events, alerts, rules, windows
#
# Functions: IlertFake::free_port([$address]): a port nobody else takes as long
#   as we live.  IlertFake::fold($alert_key).  IlertFake::have_tls.
#   IlertFake::certificates($dir, %opt): makes NAME.crt and NAME.key, signed by
#   $dir/ca.crt (made if it is not there); name => 'server', hosts =>
#   ['api.ilert.test', '127.0.0.1'], days => 30 (negative: expired), self => 1
#   (signed by itself); returns { ca_file, cert_file, key_file }.

use warnings;
use strict;

use Carp qw(croak);
use Socket qw(
    PF_INET SOCK_DGRAM SOCK_STREAM SOL_SOCKET SO_REUSEADDR inet_aton
    pack_sockaddr_in
);

use IlertFakeServer;
use IlertSchema;

use parent qw(IlertServer);


# Ports -------------------------------------------------------------------

# A UDP socket on the same port is the lock: it needs no file, is seen by every
# process of the machine, and goes away with us.

my @LOCKS;

sub free_port {
    my ($address) = @_;
    my $ip = inet_aton($address || '127.0.0.1');

    for (1 .. 2000) {
        my $port = 12000 + int rand 20000;

        socket(my $lock, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
        bind($lock, pack_sockaddr_in($port, inet_aton('127.0.0.1'))) or next;

        socket(my $probe, PF_INET, SOCK_STREAM, 0)
            or die "socket: $!";
        setsockopt($probe, SOL_SOCKET, SO_REUSEADDR, 1);
        bind($probe, pack_sockaddr_in($port, $ip)) or next;
        listen($probe, 1) or next;

        push @LOCKS, $lock;
        return $port;
    }

    die "no free port\n";
}


# The test's side ---------------------------------------------------------

sub start {
    my ($class, %opt) = @_;

    _check_names('option', \%opt, qw(keys port address tls hosts print
                                     bodies schema), @IlertFakeServer::LIMITS);

    my $address = $opt{address} || '127.0.0.1';
    my $self = bless {
        ip => $address,
        port => $opt{port} || free_port($address),
        keys => $opt{keys} || {},
        tls => $opt{tls},
        seen => [],
    }, $class;

    my $server = IlertFakeServer->new($self, %opt);

    $self->begin('fake ilert', sub { $server->run($_[0], $self->{owner}) });
    $server->close_listener();

    return $self;
}

sub _check_names {
    my ($what, $given, @known) = @_;
    my %known = map { $_ => 1 } @known;

    for (CORE::keys %$given) {
        croak "IlertFake: unknown $what: $_" unless $known{$_};
    }
}

sub port { $_[0]{port} }
sub address { "$_[0]{ip}:$_[0]{port}" }
sub url { ($_[0]{tls} ? 'https' : 'http') . '://' . $_[0]->address }

sub keys {
    my ($self, $keys) = @_;

    if ($keys) {
        $self->{keys} = $keys;
        $self->call('keys', $keys);
    }

    return $self->{keys};
}

sub rule {
    my ($self, %rule) = @_;

    _check_names('member of a rule', \%rule, qw(match times take status
        reason headers body delay hold hang reset close huge endless interim
        drip raw));

    $rule{match} = "$rule{match}" if defined $rule{match};
    return $self->call('rule', \%rule);
}

sub limit {
    my ($self, %limit) = @_;

    _check_names('limit', \%limit, @IlertFakeServer::LIMITS);
    return $self->call('limit', \%limit);
}

sub drop_rule { my ($self, $n) = @_; $self->call('drop_rule', $n) }
sub clear_rules { $_[0]->call('clear_rules') }
sub rules { @{$_[0]->call('rules')} }
sub refuse { my ($self, %opt) = @_; $self->call('refuse', $opt{all}) }
sub accept { $_[0]->call('accept') }
sub alerts { $_[0]->call('alerts') }
sub counts { $_[0]->call('counts') }
sub tls_errors { @{$_[0]->call('tls_errors')} }

sub reset {
    my ($self) = @_;
    $self->{seen} = [];
    $self->call('reset');
}

sub requests {
    my ($self) = @_;
    my $seen = $self->{seen};

    while (1) {
        my $more = $self->call('requests', scalar @$seen);
        last unless @$more;
        push @$seen, map { _finish_record($_) } @$more;
    }

    return @$seen;
}

sub _finish_record {
    my ($record) = @_;

    my %header;
    for (@{$record->{headers}}) {
        my $name = lc $_->[0];
        $header{$name} = defined $header{$name} ? "$header{$name}, $_->[1]"
                                                : $_->[1];
    }

    $record->{header} = \%header;
    ($record->{json}) = IlertSchema::decode($record->{body}, lenient => 1)
        if length $record->{body};
    return $record;
}

sub request {
    my ($self, $n) = @_;
    return ($self->requests)[$n];
}

sub events { grep { $_->{taken} } $_[0]->requests }
sub errors { grep { defined $_->{fault} } $_[0]->requests }

sub wait_events { my ($self, @how) = @_; $self->_wait('events', @how) }
sub wait_requests { my ($self, @how) = @_; $self->_wait('requests', @how) }

sub _wait {
    my ($self, $what, $n, $seconds) = @_;
    my $come = 0;

    return $self->wait_for(sub { ($come = $self->counts->{$what}) >= $n },
                           $seconds, sub { "$n $what at ilert, not $come" });
}


# Functions ---------------------------------------------------------------

sub fold {
    my ($alert_key) = @_;
    $alert_key =~ s/^\s+//;
    $alert_key =~ s/\s+$//;
    return CORE::fc($alert_key);
}

sub have_tls {
    return eval { require IO::Socket::SSL; require IO::Socket::SSL::Utils; 1 };
}

sub certificates {
    my ($dir, %opt) = @_;

    have_tls() or croak 'IO::Socket::SSL is missing';
    IO::Socket::SSL::Utils->import();

    my $name = $opt{name} || 'server';
    my $hosts = $opt{hosts} || ['api.ilert.test', '127.0.0.1'];
    my $days = $opt{days} || 30;
    my ($ca_cert, $ca_key) = _authority($dir);

    my ($cert, $key) = IO::Socket::SSL::Utils::CERT_create(
        subject => { commonName => $hosts->[0] },
        subjectAltNames =>
            [ map { [ /^[0-9.]+$/ ? 'IP' : 'DNS', $_ ] } @$hosts ],
        not_before => time() - 60 * 86400,
        not_after => time() + $days * 86400,
        purpose => 'server',
        $opt{self} ? () : (issuer => [ $ca_cert, $ca_key ]),
    );

    IO::Socket::SSL::Utils::PEM_cert2file($cert, "$dir/$name.crt");
    IO::Socket::SSL::Utils::PEM_key2file($key, "$dir/$name.key");

    return { ca_file => "$dir/ca.crt", cert_file => "$dir/$name.crt",
             key_file => "$dir/$name.key" };
}

sub _authority {
    my ($dir) = @_;

    if (! -e "$dir/ca.crt") {
        my ($cert, $key) = IO::Socket::SSL::Utils::CERT_create(
            subject => { commonName => 'fake authority' },
            not_before => time() - 60 * 86400,
            not_after => time() + 365 * 86400,
            CA => 1,
        );
        IO::Socket::SSL::Utils::PEM_cert2file($cert, "$dir/ca.crt");
        IO::Socket::SSL::Utils::PEM_key2file($key, "$dir/ca.key");
    }

    return (IO::Socket::SSL::Utils::PEM_file2cert("$dir/ca.crt"),
            IO::Socket::SSL::Utils::PEM_file2key("$dir/ca.key"));
}

1;
