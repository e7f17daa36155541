#!/usr/bin/perl

# tools/matrix.d/install.pl NEWER
#
# The installed package delivers an alert, is upgraded to that in the directory
# NEWER while events wait and others come, is removed with one that waits,
# comes back, and is purged.

use warnings;
use strict;

use FindBin;
use POSIX ();
use Test::More;

use lib $FindBin::Bin;
use MatrixWorld;

my ($newer) = @ARGV;
my $PACKAGE = 'libnginx-mod-http-ilert';
my $SO = 'ngx_http_ilert_module.so';
my $EXAMPLES = "/usr/share/doc/$PACKAGE/examples";
my $CONF = '/etc/nginx/conf.d/ilert.conf';
my $KEY_FILE = '/etc/nginx/ilert/ops.key';
my $QUEUE = '/var/lib/nginx/ilert';

my $world = MatrixWorld->new();
my $fake = $world->fake;

sub does {
    my ($command, $name) = @_;

    my ($status, $text) = $world->run($command);
    is($status, 0, $name // $command);
    return $text;
}

sub has_module {
    my ($name) = @_;

    ok($world->wait_for(sub {
           my @maps = $world->nginx_maps($SO);
           return @maps && !grep { /\(deleted\)$/ } @maps;
       }), $name);
}

sub states {
    my $alerts = $fake->alerts->{$world->key} // {};
    return { map { $_ => $alerts->{$_}{state} } keys %$alerts };
}

# States of what has been posted, by alert, in which ilert has to end

my %posted;

sub post {
    my ($id, $level) = @_;

    is($world->post($id, $level), 202, "$id is accepted");
    $posted{$id} = $level eq 'OK' ? 'resolved' : 'open';
}

sub is_delivered {
    my ($name) = @_;

    ok($fake->wait_events(scalar keys %posted, 120), $name);
    is_deeply(states(), \%posted, 'ilert has each alert, and no other');
}


# It is set up ------------------------------------------------------------

does("sed 's/resolver 127.0.0.53;/resolver 127.0.0.1;/' "
     . "$EXAMPLES/minimal.conf >$CONF", 'the example is taken');
does("(umask 077; echo '" . $world->key . "' >$KEY_FILE)", 'the key');
does('nginx -t');
does($world->nginx_pid ? 'service nginx reload' : 'service nginx start');
has_module('nginx has the module');

ok($world->wait_for(sub { $world->post('first', 'CRITICAL') == 202 }),
   'an alert is accepted');
$posted{first} = 'open';
is_delivered('and delivered');


# An upgrade, with events that wait, and others that come -----------------

$fake->refuse(all => 1);
post("waits$_", 'CRITICAL') for 1 .. 5;

my $sender = fork() // die "fork: $!";

if ($sender == 0) {
    my ($n, @failed) = (0);

    local $SIG{TERM} = sub {
        POSIX::_exit(@failed || !$n ? 1 : 0);
    };

    while (1) {
        my $status = $world->post('comes', $n % 2 ? 'OK' : 'CRITICAL');

        $n++;
        push @failed, $status if $status != 202;
        print "    post $n during the upgrade: $status\n"
            if $status != 202 || $n == 1;
        select undef, undef, undef, 0.2;
    }
}

my $text = does("apt-get -q -y install $newer/${PACKAGE}_*.deb",
                'the package is upgraded');

has_module('nginx has the new module');
kill('TERM', $sender);
waitpid $sender, 0;
is($?, 0, 'no webhook was refused during the upgrade');

post('comes', 'OK');
is(scalar(grep { $fake->alerts->{$world->key}{$_} } 'waits1', 'waits5'), 0,
   'ilert has had none of it');
$fake->accept();

ok($world->wait_for(sub {
       my $states = states();
       return !grep { ($states->{$_} // '') ne 'open' }
              map { "waits$_" } 1 .. 5;
   }), 'what waited is delivered by the new module');


# It is removed, and comes back -------------------------------------------

$fake->refuse(all => 1);
post('stays', 'CRITICAL');

$text = does("apt-get -q -y remove $PACKAGE", 'the package is removed');
ok(-d $QUEUE && glob("$QUEUE/*"), 'the queue stays');
ok(-e $KEY_FILE, 'and so does the key');

does('service nginx stop');
does("apt-get -q -y install $newer/${PACKAGE}_*.deb", 'it comes back');
does('service nginx start') unless $world->nginx_pid;
has_module('nginx has the module again');
$fake->accept();
ok($world->wait_for(sub { (states()->{stays} // '') eq 'open' }),
   'what waited is delivered');


# It is purged ------------------------------------------------------------

unlink $CONF or die "$CONF: $!";
does('service nginx restart');

$text = does("apt-get -q -y purge $PACKAGE", 'the package is purged');
like($text, qr{removed .*\Q$QUEUE\E}, 'it says that the queue is removed');
like($text, qr{removed .*\Q$KEY_FILE\E}, 'and the key');
is(-e $_ ? 'is there' : 'is gone', 'is gone', $_)
    for $QUEUE, '/etc/nginx/ilert', "/usr/lib/nginx/modules/$SO";
is(does("find /etc /usr /var -name '*ilert*' ! -path '/var/cache/*' "
        . "! -path '/var/lib/apt/*' ! -path '/var/log/*'", 'what is left'),
   '', 'is nothing');
does('nginx -t');
ok($world->nginx_pid, 'nginx still runs');

done_testing();
