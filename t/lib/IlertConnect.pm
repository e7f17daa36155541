package IlertConnect;

# An HTTP proxy that knows CONNECT only, and what systemd does for a socket
# with "Accept=yes", each in a process of its own.
#
#     my $proxy = IlertConnect->proxy(to => { 'api.ilert.com:443' => $port },
#                                     auth => 'user:password');
#     my $socket = IlertConnect->socket(command => ['ncat', ..],
#                                       env => { name => value });
#
# proxy(%opt)   to => { 'host:port' => port of 127.0.0.1 }; others are 403.
#               auth => what a client must show, or 407
# asked         list of [what CONNECT was for, status], the first one first
# auth($text)   from now on
# socket(%opt)  runs the command for each connection, which is its standard
#               input and output.  errors => a file to which its standard error
#               is appended
# env(%env)     of commands that are started from now on
# port, stop

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use POSIX ();
use Socket qw(MSG_NOSIGNAL);

use parent qw(IlertServer);

sub proxy {
    my ($class, %opt) = @_;
    return $class->_start('HTTP proxy', \&_tunnel, asked => [], %opt);
}

sub socket {
    my ($class, %opt) = @_;
    return $class->_start('socket unit', \&_run, %opt);
}

sub port { $_[0]{port} }
sub asked { @{$_[0]->call('asked')} }
sub auth { my ($self, $auth) = @_; $self->call('auth', $auth) }
sub env { my ($self, %env) = @_; $self->call('env', \%env) }

# A child for each connection; commands are read between them.

sub _start {
    my ($class, $name, $serve, %opt) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                       ReuseAddr => 1) or die "listen: $@\n";
    my $self = bless { port => $listen->sockport }, $class;

    $self->begin($name, sub {
        my ($control) = @_;

        IlertServer::quiet("test $name 127.0.0.1:$self->{port}");
        $SIG{CHLD} = 'IGNORE';

        # by this pipe children tell what CONNECT was for

        pipe(my $read, my $write) or die "pipe: $!\n";
        $write->autoflush(1);
        my $select = IO::Select->new($control, $listen, $read);

        while (1) {
            for my $ready ($select->can_read) {
                if ($ready == $listen) {
                    my $client = $listen->accept or next;
                    my $pid = fork() // die "fork: $!\n";
                    next if $pid;
                    close $_ for $listen, $control;
                    $SIG{PIPE} = 'DEFAULT';
                    eval { $serve->(\%opt, $client, $write) };
                    POSIX::_exit(0);

                } elsif ($ready == $read) {
                    sysread $read, my $lines, 65536;
                    push @{$opt{asked}}, map { [ split /\t/ ] }
                                             split /\n/, $lines;

                } else {
                    my $command = IlertServer::read_frame($control, 5)
                        or return;
                    my ($what, $value) = @$command;
                    $opt{$what} = $value if @$command > 1;
                    IlertServer::write_frame($control, [ $opt{$what} ]);
                }
            }
        }
    });

    return $self;
}

sub _run {
    my ($opt, $client) = @_;

    $ENV{$_} = $opt->{env}{$_} for keys %{$opt->{env} || {}};
    POSIX::dup2(fileno $client, 0);
    POSIX::dup2(fileno $client, 1);
    open STDERR, '>>', $opt->{errors} if $opt->{errors};
    exec @{$opt->{command}};
}

sub _tunnel {
    my ($opt, $client, $write) = @_;

    my ($head, $to) = ('');
    while ($head !~ /\r\n\r\n/) {
        sysread($client, $head, 1, length $head) or return;
    }

    my ($target) = $head =~ m{^CONNECT (\S+) HTTP/1\.[01]\r\n};
    my ($auth) = $head =~ /^Proxy-Authorization: Basic (\S+)\r$/mi;
    my $status = !defined $target ? 405
        : defined $opt->{auth} && ($auth // '') ne encode_base64($opt->{auth},
                                                                 '') ? 407
        : !$opt->{to}{$target} ? 403 : 200;

    print $write join("\t", $target // '', $status), "\n";

    $to = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                PeerPort => $opt->{to}{$target})
        || ($status = 502) if $status == 200;

    my $more = $status == 407 ? "Proxy-Authenticate: Basic realm=\"x\"\r\n"
                              : '';
    syswrite $client, "HTTP/1.1 $status X\r\n$more\r\n";
    return if $status != 200;

    my %other = ($client => $to, $to => $client);
    my $select = IO::Select->new($client, $to);

    while ($select->count) {
        for my $from ($select->can_read) {
            my $n = sysread $from, my $bytes, 65536;

            if ($n) {
                send $other{$from}, $bytes, MSG_NOSIGNAL;
                next;
            }

            $select->remove($from);
            shutdown $other{$from}, 1;
        }
    }
}

1;
