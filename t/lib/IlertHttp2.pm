package IlertHttp2;

# A client of HTTP/2 that sends one POST over a connection of its own.
#
#     my $c = IlertHttp2->post($port, '/kapacitor', $body, %fields);
#                           fields: ':authority' (localhost), and others
#     $c->answer            what the server sends, up to the end of the JSON
#                           object with "status"; '' or less if there is none
#                           in 20 s
#     $c->cancel            RST_STREAM
#     $c->close

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

sub post {
    my ($class, $port, $uri, $body, %more) = @_;

    my %field = (':method' => 'POST', ':scheme' => 'http', ':path' => $uri,
                 ':authority' => 'localhost',
                 'content-length' => length $body, %more);

    # Pseudo-header fields come first; all fields are literal, not indexed.
    my @names = sort { $b =~ /^:/ <=> $a =~ /^:/ || $a cmp $b } keys %field;
    my $head = join '', map { chr(0) . _text($_) . _text($field{$_}) } @names;
    my $end = length $body ? 0 : 1;

    my $socket = IO::Socket::INET->new("127.0.0.1:$port")
        or die "connect: $@\n";
    my $self = bless { socket => $socket }, $class;

    syswrite $socket, join '', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        _frame(4, 0, 0, ''), _frame(1, 4 | $end, 1, $head),
        $end ? '' : _frame(0, 1, 1, $body);

    return $self;
}

sub _text { chr(length $_[0]) . $_[0] }

sub _frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

sub answer {
    my ($self) = @_;

    my $select = IO::Select->new($self->{socket});
    my $answer = '';
    my $deadline = time() + 20;

    while ($answer !~ /"status"[^}]*\}/) {
        my $left = $deadline - time();
        last if $left <= 0 || !$select->can_read($left);
        sysread($self->{socket}, $answer, 4096, length $answer) or last;
    }

    return $answer;
}

sub cancel {
    my ($self) = @_;
    syswrite $self->{socket}, _frame(3, 0, 1, pack 'N', 8);
}

sub close { CORE::close($_[0]{socket}) }

1;
