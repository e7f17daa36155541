#!/usr/bin/perl

# The units of docs/examples/systemd/: systemd holds the socket to which
# Kapacitor posts, and nginx is killed, restarted, and reloaded, while a client
# posts one webhook after the other as Kapacitor does.  Instead of systemd
# there is this script, which does what the units say.

use warnings;
use strict;

use Fcntl qw(F_SETFD);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use FindBin;
use IO::Handle;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use lib "$FindBin::Bin/lib";

use Test::More;
use Text::ParseWords qw(shellwords);
use Time::HiRes qw(sleep);

use IlertFake;
use IlertTest;

plan(skip_all => 'an nginx without threads') unless IlertTest::has_threads();

my $KEY = 'il1api5ec4e7e01';
my $UNITS = IlertTest::top() . '/docs/examples/systemd';

# how Debian's package starts nginx

my $DEBIAN = <<'END_UNIT';
[Unit]
Description=nginx

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStartPre=/usr/sbin/nginx -t -q -g 'daemon on; master_process on;'
ExecStart=/usr/sbin/nginx -g 'daemon on; master_process on;'
ExecReload=/usr/sbin/nginx -g 'daemon on; master_process on;' -s reload
ExecStop=-/bin/true --quiet --stop --retry QUIT/5 --pidfile /run/nginx.pid
TimeoutStopSec=5
KillMode=mixed
END_UNIT

# what the units may have: anything else is taken for a mistake

my %KNOWN = (
    Unit => [qw(Description StartLimitIntervalSec)],
    Socket => [qw(Service ListenStream BindIPv6Only Backlog
                  TriggerLimitIntervalSec)],
    Service => [qw(Sockets NonBlocking Type ExecStart ExecStop KillSignal
                   KillMode TimeoutStopSec Restart RestartSec)],
    Install => [qw(WantedBy)],
);


# Units -------------------------------------------------------------------

# Returns { name => [ values ] } of all sections; an empty value removes those
# before it.

sub unit {
    my ($text) = @_;
    my (%unit, $section);

    for (split /\n/, $text) {
        next if /^(?:#|$)/;

        if (/^\[(\w+)\]$/) {
            $section = $1;
            die "unknown section $_\n" unless $KNOWN{$section};
            next;
        }

        my ($name, $value) = /^(\w+)=(.*)$/ or die "no setting: $_\n";
        die "unknown setting $name in [$section]\n"
            unless grep { $_ eq $name } @{$KNOWN{$section}};

        push @{$unit{$name}}, $value;
        $unit{$name} = [] if $value eq '';
    }

    return \%unit;
}

my $socket_text = IlertTest::slurp("$UNITS/nginx-ilert.socket");
my $service_text = IlertTest::slurp("$UNITS/nginx.service.d/ilert.conf");

# Those for two addresses are in the comments.

my ($two) = $service_text =~ /for two it is "(NGINX=3;4;)"/;
my $two_sockets = $socket_text =~ s/^#(?=ListenStream=)//mr;
my $two_service = $service_text =~ s/"NGINX=3;"/"$two"/r;

subtest 'the units' => sub {
    my ($socket, $service) = (unit($socket_text), unit($service_text));

    is_deeply($socket->{Service}, ['nginx.service'], 'it is for nginx');
    is_deeply($service->{Sockets}, ['nginx-ilert.socket'],
              'and nginx gets it');
    is_deeply($service->{NonBlocking}, ['yes'], 'and can use it');
    is_deeply($service->{Type}, ['exec'], 'nginx stays in the foreground');
    is_deeply([ shellwords(@{$service->{ExecStart}}) ],
              [ '/usr/bin/env', 'NGINX=3;', '/usr/sbin/nginx', '-g',
                'daemon off;' ], 'the command, which alone has NGINX');
    is(scalar @{unit($two_sockets)->{ListenStream}}, 2, 'two addresses');

    eval { unit($service_text =~ s/^Restart=/Restrat=/mr) };
    like($@, qr/Restrat/, 'a mistake would be seen');
};

subtest 'systemd-analyze' => sub {
    plan(skip_all => 'there is none')
        if system('command -v systemd-analyze >/dev/null');
    plan(skip_all => 'it cannot make /run/systemd')
        if !-d '/run/systemd' && !-w '/run';

    my $dir = tempdir(CLEANUP => 1);
    make_path("$dir/nginx.service.d");
    copy("$UNITS/nginx-ilert.socket", $dir) or die "copy: $!";

    my $said = sub {
        my ($drop_in) = @_;

        # this machine need not have an nginx at that place

        for (["$dir/nginx.service", $DEBIAN],
             ["$dir/nginx.service.d/ilert.conf", $drop_in])
        {
            open my $file, '>', $_->[0] or die "$_->[0]: $!";
            print $file $_->[1] =~ s{/usr/sbin/nginx}{/bin/true}gr;
            close $file or die "$_->[0]: $!";
        }

        return scalar `systemd-analyze verify $dir/nginx-ilert.socket \\
                       $dir/nginx.service 2>&1`;
    };

    is($said->($service_text), '', 'takes the units');
    like($said->($service_text =~ s/^Restart=/Restrat=/mr), qr/Restrat/,
         'and would say what is wrong');
};


# What systemd and Kapacitor do --------------------------------------------

my $fake = IlertFake->start(keys => { $KEY => 'api' });

my $CONF = <<"END_CONF";
    ilert_queue %%DIR%%/queue;
    ilert_source ops { integration_key $KEY; rate off; }

    server {
        %%LISTEN%%
        location = /kapacitor { ilert_kapacitor ops; }

        location /ilert/ {
            internal;
            ilert_endpoint rate=off;
            proxy_pass http://%%FAKE%%/api/\$ilert_path;
        }
    }
END_CONF

# nginx that listens on these ports

sub nginx {
    my ($ports, %opt) = @_;
    my $listen = join ' ', map { "listen 127.0.0.1:$_;" } @$ports;

    return IlertTest->new(fake => $fake, %opt,
                          conf => $CONF =~ s/%%LISTEN%%/$listen/r);
}

# Sockets on these ports, which are held as long as they are not closed, and
# the command that starts nginx with them: the first is its descriptor 3.  They
# block unless the service says that they must not, as with systemd.

sub held {
    my ($socket, $service, @ports) = @_;

    my @sockets = map {
        my $listening = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $_, Proto => 'tcp',
            ReuseAddr => 1, Listen => unit($socket)->{Backlog}[0])
            or die "cannot listen: $!";
        $listening->blocking((unit($service)->{NonBlocking}[0] // "")
                             ne "yes");
        fcntl $listening, F_SETFD, 0 or die "fcntl: $!";
        $listening;
    } @ports;

    my ($env, $nginx) = shellwords(@{unit($service)->{ExecStart}});

    return \@sockets, [ $^X, '-MPOSIX', '-e', <<'END_PERL',
        my @from = map { my $to = 100 + $_; dup2($_, $to); close($_); $to }
                   split /,/, shift;
        my $to = 3;
        for (@from) { dup2($_, $to++); POSIX::close($_) }
        exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
END_PERL
        join(',', map { fileno $_ } @sockets), $env, $nginx ];
}

# Posts to the ports in turn, one webhook after the other: the next one when
# the one before is answered, or could not be posted.

package Kapacitor {
    use Time::HiRes qw(sleep);

    sub start {
        my ($class, $t, @ports) = @_;

        pipe my $out, my $in or die "pipe: $!";
        my $pid = fork() // die "fork: $!";

        if ($pid == 0) {
            my $end = 0;
            $SIG{TERM} = sub { $end = 1 };
            $in->autoflush(1);

            for (my $n = 0; !$end; $n++) {
                my $answer = $t->post('/kapacitor',
                    qq({"id":"event $n","level":"CRITICAL"}),
                    port => $ports[$n % @ports], timeout => 20);
                print $in join("\t", "event $n", $answer->{status},
                               $answer->{time}, $answer->{error} // ''), "\n";
                sleep(0.003);
            }

            POSIX::_exit(0);
        }

        return bless { pid => $pid, out => $out, posted => [] }, $class;
    }

    # so many more are posted

    sub more {
        my ($self, $n) = @_;
        my $out = $self->{out};

        while ($n-- && defined(my $line = <$out>)) {
            chomp $line;
            my %posted;
            @posted{qw(id status time error)} = split /\t/, $line, -1;
            push @{$self->{posted}}, \%posted;
        }
    }

    # all of them

    sub end {
        my ($self) = @_;

        kill 'TERM', $self->{pid};
        $self->more(-1);
        waitpid $self->{pid}, 0;
        return @{$self->{posted}};
    }
}

sub delivered {
    my (@posted) = @_;
    my %lacking;

    ok(IlertFake->wait_for(sub {
        my %delivered = map { $_->{alert_key} => 1 } $fake->events;
        %lacking = map { $_ => 1 }
                   grep { !$delivered{$_} } map { $_->{id} } @posted;
        return !%lacking;
    }, 20), 'ilert has all of them') or diag(join ', ', sort keys %lacking);
}


subtest 'nginx is killed, restarted, reloaded' => sub {
    my $port = IlertFake::free_port();
    my ($sockets, $command) = held($socket_text, $service_text, $port);
    my $t = nginx([ $port ], command => $command)->start;

    like($t->read_file('start.log'), qr/using inherited sockets from "3;"/,
         'nginx has got it');

    my $kapacitor = Kapacitor->start($t, $port);
    $kapacitor->more(20);

    # killed at once, with all that a worker process has in hand

    $t->crash;
    sleep(0.3);
    $t->start;
    $kapacitor->more(20);

    $t->kill_worker;
    $kapacitor->more(20);

    # an upgrade is a restart: nginx ignores the signal for it

    kill 'USR2', $t->master;
    ok($t->wait_log(qr/the changing binary signal is ignored/),
       'no USR2 in the foreground');
    $t->stop;
    sleep(0.3);
    $t->start;
    $kapacitor->more(20);

    $t->reload;
    $kapacitor->more(20);
    $t->reload;
    $kapacitor->more(20);

    my @posted = $kapacitor->end;
    my @lost = grep { $_->{status} != 202 } @posted;
    cmp_ok(scalar @lost, '<=', 2, 'lost: what a killed worker process had')
        or diag(join "\n", map { "$_->{status} $_->{error}" } @lost);
    is(scalar(grep { $_->{error} =~ /refused|timeout/ } @lost), 0,
       'none is refused, or waits in vain');
    cmp_ok(scalar(grep { $_->{time} > 0.3 } @posted), '>=', 2,
           'one waits each time that there is no nginx');
    delivered(grep { $_->{status} == 202 } @posted);
};

subtest 'two addresses' => sub {
    $fake->reset;

    my @ports = (IlertFake::free_port(), IlertFake::free_port());
    my ($sockets, $command) = held($two_sockets, $two_service, @ports);

    # which socket is of which "listen" nginx finds out by itself

    my $t = nginx([ reverse @ports ], command => $command)->start;
    my $kapacitor = Kapacitor->start($t, @ports);

    $kapacitor->more(10);
    $t->stop;

    # a client that does not wait for so long

    my %given_up = (id => 'given up', level => 'CRITICAL');
    my $answer = $t->post('/kapacitor', JSON::PP::encode_json(\%given_up),
                          port => $ports[0], timeout => 0.2);
    is($answer->{error}, 'timeout', 'one is given up');

    $t->start;
    $kapacitor->more(10);

    my @posted = $kapacitor->end;
    is(scalar(grep { $_->{status} != 202 } @posted), 0, 'none is lost');
    delivered(@posted, \%given_up);
};

# what happens without all that

subtest 'the socket is not held' => sub {
    $fake->reset;

    my $port = IlertFake::free_port();
    my $t = nginx([ $port ])->start;
    my $kapacitor = Kapacitor->start($t, $port);

    $kapacitor->more(10);
    $t->stop;
    sleep(0.2);
    $t->start;
    $kapacitor->more(10);

    my @posted = $kapacitor->end;
    cmp_ok(scalar(grep { $_->{error} =~ /refused/ } @posted), '>', 5,
           'Kapacitor throws away what is refused');
    delivered(grep { $_->{status} == 202 } @posted);
};

subtest 'nginx -t with NGINX, and without the socket' => sub {
    my $port = IlertFake::free_port();
    my $t = nginx([ $port ]);
    my ($code, $said) = $t->test_conf($CONF =~ s/%%LISTEN%%/listen $port;/r,
                                      command => [ 'env', 'NGINX=3;' ]);

    is($code, 0, 'it is no error');
    like($said, qr/\[crit\] getsockname\(\) of the inherited socket #3 failed/,
         'but nginx complains');
};

done();
