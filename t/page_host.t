#!/usr/bin/perl

# The page in a browser, by names: by that of its server the buttons work; by
# another site's, which has been given our address, they do not, and the page
# says why, and what is to be done.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertBrowser;
use IlertQueue;
use IlertTest;

IlertQueue::need();
my $b = IlertBrowser::start();

my $q = IlertQueue->new(server => 'server_name nginx.example; '
    . 'location = /status/page { ilert_status html; } '
    . 'location /control/ { ilert_control; }');
$q->start;

# The source's button is pressed, and the dialog answered; what the row says.

sub pressed {
    my ($act, $host) = @_;

    my $row = "[...document.querySelectorAll('#source-table [data-row]')]"
              . ".find(r => r.parts.name.textContent === 'ops')";

    $b->open("http://$host:" . $q->test->port(0) . '/status/page');
    ok($b->wait_js($row), "$host: the page is there");
    is($b->js('return ' . $row . '.parts.outcome.textContent'), '', 'nothing');
    $b->js("$row.querySelector('button[data-act=\"$act\"]').click()");
    ok($b->wait_js('document.getElementById("confirm").open'), 'it is asked');
    $b->js('document.getElementById("confirm-yes").click()');

    return $b->wait_js($row . '.parts.outcome.textContent');
}

is(pressed('pause', 'nginx.example'), 'Pause: done', 'its own name');
is(pressed('resume', '127.0.0.1'), 'Resume: done', 'its address');
is(pressed('pause', 'rebound.example'), 'Pause refused: the host in the URL '
   . 'is no "server_name" of this server: add it there, or use an IP address '
   . 'or localhost', 'another site');

$b->stop;
done();
