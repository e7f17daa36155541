package IlertBrowser;

# Debian's chromium without a screen, driven through chromedriver (W3C
# WebDriver).  It reaches no other address than 127.0.0.1, which is that of all
# names below .example, too.
#
#     my $b = IlertBrowser::start();      # skips the whole file where it
#                                         # is not there or does not start
#     $b->open('http://127.0.0.1:8080/');
#     is($b->js('return document.title'), 'a title');
#     $b->stop;
#
# open($url)            returns when the page is loaded; the object
# js($body, @arguments) runs the body of a function in the page
# wait_js($expression, [seconds])  waits until it is true (see IlertWait);
#                       returns its value, or '' and a diag
# click($selector)      as with a mouse
# press(@keys)          Tab, Shift+Tab, Enter, Escape, Home, Space, or text
# cdp($command, {..})   of Chrome's DevTools protocol
# size($width, $height) of the viewport
# media(name => value)  e.g. 'prefers-color-scheme' => 'dark'
# picture($file)        a PNG of the whole page
# tree                  the accessibility tree: list of { role, name }
# console               what came to the console since the last call: list of
#                       { level, message, source }
# requests              URLs of all requests so far, but the browser's own
# stop                  ends all of its processes
# left                  command lines of its processes that are still running

use warnings;
use strict;

use File::Temp qw(tempdir);
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertWait;

my $JSON = JSON::PP->new->utf8->allow_nonref;

my @ARGUMENTS = qw(
    --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage
    --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-default-apps --disable-extensions
    --disable-sync --disable-breakpad --no-proxy-server --lang=en
    --force-color-profile=srgb
);

push @ARGUMENTS, '--window-size=1280,900',
    '--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, '
    . 'EXCLUDE 127.0.0.1';

my %KEY = (
    Tab => "\x{e004}", Enter => "\x{e007}", Shift => "\x{e008}",
    Escape => "\x{e00c}", Home => "\x{e011}", Space => ' ',
);

my %LIVE;


sub program {
    my ($name) = @_;
    my ($found) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH};
    return $found;
}

sub start {
    for (qw(chromium chromedriver)) {
        Test::More::plan(skip_all => "no program $_") if !program($_);
    }

    my $self = eval { __PACKAGE__->new };
    Test::More::plan(skip_all => 'no browser: ' . ($@ =~ /(.*)/)[0])
        if !$self;
    return $self;
}

sub new {
    my ($class) = @_;

    my $dir = tempdir('ilert-browser-XXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { dir => $dir, requests => [], owner => $$,
                       port => IlertFake::free_port() }, $class;

    $self->{http} = HTTP::Tiny->new(timeout => 60, proxy => undef,
        http_proxy => undef, https_proxy => undef);
    $self->_run;
    $LIVE{$self->{pid}} = 1;

    my $end = time() + IlertWait::patience();
    while (!eval { $self->_ask(GET => '/status')->{ready} }) {
        die "chromedriver does not start: " . $self->_output
            if time() > $end || waitpid($self->{pid}, WNOHANG);
        sleep(0.05);
    }

    my $session = $self->_ask(POST => '/session', {
        capabilities => { alwaysMatch => {
            browserName => 'chrome',
            'goog:chromeOptions' => {
                binary => program('chromium'),
                args => [ @ARGUMENTS, "--user-data-dir=$dir/profile" ],
            },
            'goog:loggingPrefs' => { browser => 'ALL', performance => 'ALL' },
        } },
    });

    $self->{session} = "/session/$session->{sessionId}";
    return $self->open('about:blank');
}

# chromedriver gets a process group of its own, so that a signal to the group
# ends the browser, too.

sub _run {
    my ($self) = @_;

    STDOUT->flush();
    STDERR->flush();
    my $pid = fork();
    die "fork: $!" if !defined $pid;

    if ($pid == 0) {
        setpgrp;
        chdir $self->{dir};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', 'output';
        open STDERR, '>&', \*STDOUT;
        $ENV{$_} = $self->{dir} for qw(HOME TMPDIR XDG_CONFIG_HOME
                                       XDG_CACHE_HOME);
        $ENV{TZ} = 'UTC';
        { exec program('chromedriver'), "--port=$self->{port}" }
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
}

sub _output {
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/output" or return '';
    local $/;
    return scalar <$file>;
}

sub _ask {
    my ($self, $method, $path, $content) = @_;

    my $answer = $self->{http}->request($method,
        "http://127.0.0.1:$self->{port}$path", {
            headers => { 'Content-Type' => 'application/json' },
            $method eq 'POST' ? (content => $JSON->encode($content || {}))
                              : (),
        });

    my $json = eval { $JSON->decode($answer->{content}) };
    die "$path: $answer->{status} $answer->{content}\n" if !$json;
    die "$path: $json->{value}{message}\n" if !$answer->{success};
    return $json->{value};
}

sub command {
    my ($self, $path, $content) = @_;
    return $self->_ask(POST => "$self->{session}/$path", $content);
}

sub open {
    my ($self, $url) = @_;

    $self->command('url', { url => $url });
    return $self;
}

sub js {
    my ($self, $body, @arguments) = @_;
    return $self->command('execute/sync',
                          { script => $body, args => \@arguments });
}

sub wait_js {
    my ($self, $expression, $seconds) = @_;
    return IlertWait::wait_until(sub { $self->js("return $expression") },
                                 $seconds, $expression);
}

sub click {
    my ($self, $selector) = @_;
    my $found = $self->command('element',
        { using => 'css selector', value => $selector });
    $self->command("element/$_/click") for values %$found;
}

sub press {
    my ($self, @keys) = @_;
    my @actions;

    for (@keys) {
        my @held = s/^Shift\+// ? $KEY{Shift} : ();
        my @typed = $KEY{$_} ? $KEY{$_} : split //;
        push @actions, map { { type => 'keyDown', value => $_ } } @held;
        push @actions, map { ({ type => 'keyDown', value => $_ },
                              { type => 'keyUp', value => $_ }) } @typed;
        push @actions, map { { type => 'keyUp', value => $_ } } @held;
    }

    $self->command('actions', { actions => [ { type => 'key',
        id => 'keyboard', actions => \@actions } ] });
}

sub cdp {
    my ($self, $command, $arguments) = @_;
    return $self->command('goog/cdp/execute',
        { cmd => $command, params => $arguments || {} });
}

sub size {
    my ($self, $width, $height) = @_;
    $self->cdp('Emulation.setDeviceMetricsOverride', {
        width => $width, height => $height, deviceScaleFactor => 1,
        mobile => JSON::PP::false });
}

sub media {
    my ($self, %media) = @_;
    $self->cdp('Emulation.setEmulatedMedia', { features => [
        map { { name => $_, value => $media{$_} } } sort keys %media ] });
}

sub picture {
    my ($self, $path) = @_;

    my $answer = $self->cdp('Page.captureScreenshot',
        { format => 'png', captureBeyondViewport => JSON::PP::true });
    CORE::open my $file, '>:raw', $path or die "$path: $!\n";
    print $file decode_base64($answer->{data});
    close $file or die "$path: $!\n";
}

sub tree {
    my ($self) = @_;

    my $tree = $self->cdp('Accessibility.getFullAXTree');
    return map { { role => $_->{role}{value} // '',
                   name => $_->{name}{value} // '' } }
           grep { !$_->{ignored} } @{$tree->{nodes}};
}

sub console {
    my ($self) = @_;
    return @{$self->command('se/log', { type => 'browser' })};
}

sub requests {
    my ($self) = @_;

    for (@{$self->command('se/log', { type => 'performance' })}) {
        my $event = JSON::PP->new->decode($_->{message})->{message};
        next if $event->{method} ne 'Network.requestWillBeSent';
        my $url = $event->{params}{request}{url};
        push @{$self->{requests}}, $url if $url !~ /^chrome:/;
    }

    return @{$self->{requests}};
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    return if $self->{owner} != $$;
    local ($?, $!, $@);

    eval { $self->_ask(DELETE => $self->{session}) } if $self->{session};
    _end($pid);
}

sub _end {
    my ($pid) = @_;

    delete $LIVE{$pid};
    kill 'TERM', -$pid;
    my $end = time() + 5;

    while (kill 0, -$pid) {
        kill 'KILL', -$pid if time() > $end;
        waitpid $pid, WNOHANG;
        sleep(0.02);
    }
}

sub left {
    my ($self) = @_;
    my @left;

    for (glob '/proc/[0-9]*/cmdline') {
        CORE::open my $file, '<', $_ or next;
        my $line = do { local $/; <$file> } // '';
        $line =~ tr/\0/ /;
        push @left, $line if index($line, $self->{dir}) >= 0;
    }

    return @left;
}

sub DESTROY {
    my ($self) = @_;
    $self->stop;
}

END {
    my $status = $?;
    _end($_) for grep { $LIVE{$_} } keys %LIVE;
    $? = $status;
}

1;
