package IlertServer;

# A server of the tests in a process of its own, which the test commands over
# a socket: what IlertFake and IlertDNS have in common.
#
# A class that is based on it has start(), which makes the object and calls
#     $self->begin($name, sub { my ($control) = @_; .. })
#                           runs the sub in a new process, whose end of the
#                           socket is $control; $name is for error messages.
#                           The process ends when the sub returns.
# and in the process
#     IlertServer::read_frame($control, $seconds)
#                           a command, [name, arguments..]; undef: the test is
#                           gone
#     IlertServer::write_frame($control, [$answer])
#     IlertServer::quiet($title)
#                           ignores the signals that a terminal sends to the
#                           test, and sets the title of the process
#
# For the test:
#     call($name, @arguments)   the answer; dies if there is none in 60 s
#     pid, stop             an object stops its process when it is destroyed
#     wait_for(sub { }, $seconds, $what)   IlertWait::wait_until

use warnings;
use strict;

use Carp qw(croak);
use Errno qw(EINTR);
use IO::Handle;
use IO::Select;
use POSIX ();
use Scalar::Util qw(weaken);
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM);
use Storable ();
use Time::HiRes qw(time);

use IlertWait;

my %STARTED;                          # objects of this process, weak


sub begin {
    my ($self, $name, $run) = @_;

    socketpair(my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
        or die "socketpair: $!";

    STDOUT->flush();
    STDERR->flush();

    @$self{qw(name owner)} = ($name, $$);

    my $pid = fork();
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        close $ours;
        eval { $run->($theirs) };
        print STDERR "$name: $@" if $@;
        POSIX::_exit($@ ? 1 : 0);
    }

    close $theirs;
    @$self{qw(control pid)} = ($ours, $pid);
    $STARTED{$pid} = $self;
    weaken($STARTED{$pid});
}

sub quiet {
    my ($title) = @_;

    $SIG{$_} = 'IGNORE' for qw(INT PIPE HUP);
    $SIG{$_} = 'DEFAULT' for qw(TERM CHLD ALRM __DIE__);
    open STDIN, '<', '/dev/null';
    $0 = $title;
}

sub pid { $_[0]{pid} }

sub call {
    my ($self, @command) = @_;

    croak "the $self->{name} is stopped" unless $self->{pid};
    croak "the $self->{name} is another process's" if $self->{owner} != $$;

    local $SIG{PIPE} = 'IGNORE';
    write_frame($self->{control}, \@command);
    my $answer = read_frame($self->{control}, 60);

    croak "the $self->{name} does not answer ($command[0])" unless $answer;
    return $answer->[0];
}

sub wait_for {
    my ($self, @how) = @_;
    return IlertWait::wait_until(@how);
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    delete $STARTED{$pid};
    return if $self->{owner} != $$;

    local ($?, $!);
    close delete $self->{control};
    kill 'TERM', $pid;
    waitpid $pid, 0;
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    $self->stop;
}

END {
    my $status = $?;
    $_->stop for grep { defined } values %STARTED;
    $? = $status;
}


# A frame is a length and a Storable.

sub write_frame {
    my ($socket, $data) = @_;

    my $frame = Storable::nfreeze($data);
    $frame = pack('N', length $frame) . $frame;

    while (length $frame) {
        my $n = syswrite($socket, $frame);
        return if !defined $n && $! != EINTR;
        substr($frame, 0, $n, '') if $n;
    }
}

sub read_frame {
    my ($socket, $seconds) = @_;

    my $head = _read_bytes($socket, 4, $seconds);
    return unless defined $head;
    my $frame = _read_bytes($socket, unpack('N', $head), $seconds);
    return unless defined $frame;
    return Storable::thaw($frame);
}

sub _read_bytes {
    my ($socket, $size, $seconds) = @_;

    my $select = IO::Select->new($socket);
    my $bytes = '';
    my $deadline = time() + $seconds;

    while (length $bytes < $size) {
        my $left = $deadline - time();
        return if $left <= 0;
        next unless $select->can_read($left);

        my $n = sysread($socket, $bytes, $size - length $bytes,
                        length $bytes);
        return if defined $n ? $n == 0 : $! != EINTR;
    }

    return $bytes;
}

1;
