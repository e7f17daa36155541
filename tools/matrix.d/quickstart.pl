#!/usr/bin/perl

# tools/matrix.d/quickstart.pl STEPS
#
# The steps of the quick start behind that which installs, files in the
# directory STEPS, and what README.md says of each.

use warnings;
use strict;

use File::Basename qw(basename);
use FindBin;
use IO::Socket::INET;
use Test::More;

use lib $FindBin::Bin;
use MatrixWorld;

my ($steps) = @ARGV;
my $world = MatrixWorld->new();
my $fake = $world->fake;
my %seen;

sub text {
    my ($name) = @_;

    open my $file, '<', $name or die "cannot read $name: $!";
    local $/;
    return scalar <$file>;
}

sub alert { return ($fake->alerts->{$world->key} // {})->{try} // {} }

sub shows_it_open {
    my ($text) = @_;
    return $text =~ /"shows":"open"/ && $text =~ /"waiting":0\b/;
}

# What follows from a step that worked

sub expect {
    my ($command, $text) = @_;

    if ($command =~ /"level":"(CRITICAL|OK)"/) {
        my ($n, $state) = $1 eq 'OK' ? (2, 'resolved') : (1, 'open');

        like($text, qr/^\{"status":"accepted","event":"\d+"\}/m,
             "$1 is accepted");
        ok($fake->wait_events($n, 60), 'and delivered');
        is(alert->{state}, $state, "the alert is $state");
        is(alert->{summary}, 'This is a test', 'and says what was posted');
        $seen{$1}++;

    } elsif ($command =~ /alert_key=try/) {
        ok($world->wait_for(sub {
               shows_it_open($text)
               || do { (undef, $text) = $world->run($command); 0 };
           }), 'the page knows that it is open');
        $seen{page}++;

    } elsif ($command =~ /nginx -t/) {
        unlike($text, qr/\[(?:emerg|alert|warn)\]/, 'nginx has no objection');

        # a person does not type the next command within a moment

        ok($world->wait_for(sub {
               IO::Socket::INET->new('127.0.0.1:8080');
           }), 'it listens');
        $seen{reload}++;
    }
}

for my $file (sort glob "$steps/*.both") {
    my $command = text($file);
    my $name = basename($file);

    my ($status, $text) = $world->run($command, $world->key . "\n");

    is($status, 0, "step $name") or last;
    expect($command, $text);
}

is_deeply(\%seen, { CRITICAL => 1, OK => 1, page => 1, reload => 1 },
          'all steps have been taken');

my $stat = (stat '/etc/nginx/ilert/ops.key')[2] // 0;
is($stat & 077, 0, 'nobody else can read the key');

my ($status) = $world->run(text("$steps/undo"));

is($status, 0, 'it is undone');
ok($world->nginx_pid, 'nginx still runs');
is(-e $_ ? 'is there' : 'is gone', 'is gone', $_)
    for '/etc/nginx/ilert', '/var/lib/nginx/ilert',
        '/etc/nginx/conf.d/ilert.conf';

# the package is purged when nginx runs again, and has loaded the module

($status) = $world->run('service nginx restart');
is($status, 0, 'and can be started again');
ok($world->wait_for(sub { $world->nginx_pid
                          && !$world->nginx_maps('ilert') }),
   'without the module');

my $log = text('/var/log/nginx/error.log');
unlike($log, qr/\[(?:alert|emerg|crit)\]/, 'the error log') or diag($log);

done_testing();
