package MatrixWorld;

# What a tree has in place of the internet: a name server that knows ilert's
# name, and a fake ilert behind it, whose certificate the tree trusts.  The
# tree must have ca-certificates, perl, and libio-socket-ssl-perl.
#
#     my $world = MatrixWorld->new();
#     ... what asks https://api.ilert.com/ ...
#     $world->fake->wait_events(1, 60);
#
# key                   the integration key that the fake ilert knows
# fake                  an IlertFake
# run($command, $stdin) the command's status and all that it wrote; it is run
#                       as root's shell runs it, but ends at the first fault
# post($id, $level)     a webhook for 127.0.0.1:8080; the status of the answer
# nginx_pid             undef if there is none
# nginx_maps($name)     lines of the process's map with this name in them
# wait_for(sub {})      true as soon as the sub is, false after a minute

use warnings;
use strict;

use File::Copy qw(copy);
use File::Temp qw(tempdir tempfile);
use FindBin;
use HTTP::Tiny;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/../../t/lib";
use IlertDNS;
use IlertFake;

my $KEY = 'il1api0123456789abcdef';

sub new {
    my ($class) = @_;

    my $dir = tempdir(CLEANUP => 1);
    my $files = IlertFake::certificates($dir, hosts => ['api.ilert.com']);

    copy($files->{ca_file}, '/usr/local/share/ca-certificates/fake.crt')
        or die "ca-certificates: $!";
    system('update-ca-certificates >/dev/null 2>&1') == 0
        or die "update-ca-certificates failed\n";

    return bless {
        dir => $dir,
        dns => IlertDNS->start(port => 53,
                               names => { 'api.ilert.com' => '127.0.0.1' }),
        fake => IlertFake->start(port => 443, keys => { $KEY => 'api' },
                                 tls => $files),
    }, $class;
}

sub key { return $KEY }
sub fake { return $_[0]{fake} }

sub run {
    my ($self, $command, $stdin) = @_;

    my ($script, $name) = tempfile(DIR => $self->{dir});
    print $script $command;
    close $script or die "$name: $!";

    my ($in, $in_name) = tempfile(DIR => $self->{dir});
    print $in $stdin // '';
    close $in or die "$in_name: $!";

    my $text = `bash -e -o pipefail $name <$in_name 2>&1`;
    my $status = $?;

    print map { "    $_\n" } split /\n/, $text;
    return ($status, $text);
}

sub post {
    my ($self, $id, $level) = @_;

    return HTTP::Tiny->new(timeout => 60)->post(
        'http://127.0.0.1:8080/kapacitor',
        { content => qq({"id":"$id","level":"$level","message":"of $id"}) }
    )->{status};
}

sub nginx_pid {
    open my $file, '<', '/run/nginx.pid' or return undef;
    my ($pid) = (<$file> // '') =~ /^(\d+)$/;

    return defined $pid && kill(0, $pid) ? $pid : undef;
}

sub nginx_maps {
    my ($self, $name) = @_;

    my $pid = $self->nginx_pid // return;
    open my $file, '<', "/proc/$pid/maps" or return;
    return grep { /\Q$name\E/ } <$file>;
}

sub wait_for {
    my ($self, $sub) = @_;
    my $end = time() + 60;

    while (time() < $end) {
        return 1 if $sub->();
        sleep 0.1;
    }

    return '';
}

1;
