#!/usr/bin/perl

# The status page in a browser: it lives, it steers, nothing that comes from
# outside gets a hold of it, and it is for everybody.
#
# ILERT_SCREENSHOT=FILE prove t/page.t also writes a picture of it.

use warnings;
use strict;
use utf8;

use lib 't/lib';

use JSON::PP ();
use Test::More;

use IlertBrowser;
use IlertKapacitor;
use IlertQueue;
use IlertTest;

IlertQueue::need();
plan(skip_all => 'no disk: not all is well') unless IlertTest::on_disk();
my $b = IlertBrowser::start();

my $LOST = 'il1api5ec4e7f07';
my $STORM = 'il1api5ec4e7f08';
my $PAGE = 'location = /status/page { ilert_status html; }';
my $SERVER = "$PAGE location /control/ { ilert_control; }";

my $q = IlertQueue->new(
    keys => { map { $_ => 'api' } $IlertQueue::KEY, $LOST, $STORM },
    sources => {
        ops => 'retry 50ms 400ms; rate 600r/m;',
        lost => "integration_key $LOST; retry 50ms 400ms; resolve_delay 1h;",
        storm => "integration_key $STORM; digest 1 members=none;",
    },
    server => "$SERVER location = /chat { ilert_fallback; "
              . 'proxy_pass http://127.0.0.1:9; }',
    http => "server { listen 127.0.0.1:%%PORT_1%%; $PAGE }",
);

my ($t, $fake) = ($q->test, $q->fake);
$q->start;

my $URL = 'http://127.0.0.1:' . $t->port(0) . '/status/page';
my $BARE = 'http://127.0.0.1:' . $t->port(1) . '/status/page';

# This runs before any script of the page does.

$b->cdp('Page.addScriptToEvaluateOnNewDocument', { source => <<'EOJ' });
    window.violations = [];
    window.alerts = 0;
    window.alert = () => { window.alerts++ };
    document.addEventListener('securitypolicyviolation',
        e => window.violations.push(e.violatedDirective));

    // what the live region said
    window.heard = [];
    addEventListener('DOMContentLoaded', () => {
        const live = document.getElementById('live');
        new MutationObserver(() => window.heard.push(live.textContent))
            .observe(live, { childList: true, characterData: true,
                             subtree: true });
    });

    // a page in a hurry
    const timeout = window.setTimeout;
    window.setTimeout = (f, ms) => timeout(f, window.fast ? ms / 5 : ms);
EOJ

sub text { return $b->js('return document.querySelector(arguments[0])'
                         . '.textContent.replace(/\s+/g, " ").trim()', @_) }

# a cell of a source, or the text of a row

sub row {
    my ($table, $name) = @_;
    return "[...document.querySelectorAll('#$table-table [data-row]')]"
         . ".find(r => r.textContent.includes("
         . JSON::PP->new->allow_nonref->encode($name) . '))';
}

sub source { my ($name, $what) = @_;
    return "[...document.querySelectorAll('#source-table [data-row]')]"
         . ".find(r => r.parts.name.textContent === '$name')"
         . ($what ? ".parts.$what.textContent" : '') }

sub focused {
    return $b->js('const e = document.activeElement; return e.ariaLabel || ('
        . '/INPUT|SELECT/.test(e.tagName) ? e.id :'
        . 'e.textContent.replace(/\s+/g, " ").trim().slice(0, 60))');
}

sub live {
    my ($text) = @_;
    return $b->wait_js("window.heard.some(text => text.includes('$text'))");
}

sub posts { return scalar grep { m{/control/} } $b->requests }

# Opens the page anew, in a hurry, and waits until it shows the sources.

sub fresh {
    $b->open($URL);
    $b->js('window.fast = true');
    ok($b->wait_js(source('ops') . ' !== undefined'), 'the page is open');
}


subtest 'it loads' => sub {
    $b->open($URL);
    ok($b->wait_js('document.getElementById("headline").textContent'
                   . ' === "All is well: nothing waits."'), 'all is well');
    is($b->js('return document.title'), 'All is well: nothing waits.');
    is($b->js('return document.body.dataset.control'), '/control/');
    like(text('.top'), qr/module \d+\.\d+\.\d+, nginx \d+\.\d+/, 'versions');
    like(text('#queue'), qr/Queue ok/, 'state of the queue');
    like(text('#queue-path'), qr/\Q@{[$q->dir]}\E/, 'and where it is');
    is($b->js('return ' . source('ops', 'state')), 'ok', 'a source');
    is($b->js('return ' . source('ops', 'budget')),
       '0 of 600, 60 kept for the urgent', 'its budget');
    like(text('#endpoint-table'), qr/default ok/, 'an endpoint');
    is(text('#no-dead'), 'None: ilert refused nothing.', 'no dead letter');
};

subtest 'numbers change, elements stay' => sub {
    $b->open($URL);
    ok($b->wait_js(source('ops') . ' !== undefined'), 'the page is open');
    $b->js(<<'EOJ');
        window.removed = 0;
        document.querySelectorAll('#source-table [data-row]').forEach(
            row => { row.mark = row.parts.name.textContent });
        new MutationObserver(all => all.forEach(m => m.removedNodes.forEach(
            node => { if (node.nodeType === 1
                          && !m.target.closest('#waits-table'))
                window.removed++ })))
            .observe(document.querySelector('main'),
                     { childList: true, subtree: true });
EOJ
    $b->click('#ask-key');
    $b->press('some text', 'Shift+Home');
    my $scroll = $b->js('return scrollY');

    my $rule = $fake->rule(match => qr/"wait 1"/, status => 503);
    $q->say('one CRITICAL', 'two WARNING', 'two OK', 'wait CRITICAL');

    ok($b->wait_js(source('ops', 'accepted') . ' === "4"'), 'accepted');
    ok($b->wait_js(source('ops', 'pending') . ' === "1"'), 'waiting');
    ok($b->wait_js(source('ops', 'delivered') . ' === "3"'), 'delivered');
    ok($b->wait_js(source('ops', 'state') . ' === "retrying"'), 'retrying');
    ok($b->wait_js('document.getElementById("headline").textContent'
                   . ' === "Nothing gets through to ilert; 1 event waits."'),
       'the headline');
    like(text('#waiting'), qr/critical 1 \d+ s resolves 0/, 'by urgency');
    ok(live('Source ops: retrying.'), 'and said aloud');
    ok($b->wait_js(row('waits', 'wait')), 'what waits is listed');

    # at times it is under way

    my $waits;
    ok(wait_until(sub {
        $waits = $b->js('return ' . row('waits', 'wait') . '.textContent'
                        . '.replace(/\s+/g, " ")');
        return $waits =~ / wait\ source\ ops\ CRITICAL\ ALERT\ \d+\ s\ ago\ .*
                           \ the\ next\ try/x;
    }), 'and for what it waits') or diag($waits);
    like(text('#attention'), qr/default: nothing .* ops is trying again/,
         'what is the matter');

    $fake->drop_rule($rule);
    ok($b->wait_js(source('ops', 'pending') . ' === "0"'), 'no more');
    ok($b->wait_js('document.getElementById("waits-table").hidden'
                   . ' && !document.getElementById("no-waits").hidden'),
       'nothing waits');
    ok($b->wait_js(row('open', 'wait')), 'an open alert');
    ok($b->js('return !' . row('open', 'two')), 'not a resolved one');

    is($b->js('return ' . source('ops') . '.mark'), 'ops', 'the same row');
    is($b->js('return window.removed'), 0, 'no element was removed but that '
              . 'of what waits no longer');
    is($b->js('return document.activeElement.id'), 'ask-key', 'the focus');
    is($b->js('const e = document.activeElement; return e.value.slice('
              . 'e.selectionStart, e.selectionEnd)'), 'some text',
       'the selection');
    is($b->js('return scrollY'), $scroll, 'and the place stay');

    my $n = $b->js('return samples.length');
    like($b->js('return document.querySelector("#chart").ariaLabel'),
         qr/accepted .*s now.*; delivered .*; waiting 0 now/, 'the chart');
    $b->js('location.reload()');
    ok($b->wait_js("window.removed === undefined && samples.length > $n"),
       'a reload keeps its history');
};

subtest 'a parked source' => sub {
    fresh();
    my $events = $fake->counts->{events};
    my $rule = $fake->rule(match => qr/$LOST/, status => 404);
    $q->say({ source => 'lost' }, 'key CRITICAL');

    ok($b->wait_js(source('lost', 'state') . ' === "parked"'), 'its state');
    like($b->js('return ' . source('lost', 'reason')), qr/answered 404/,
         'in words');
    is(text('#headline'), '1 source is parked; 1 event waits.', 'headline');
    like(text('#attention'), qr/lost is parked: .*404/, 'and what to look at');
    like($b->js('return document.title'), qr/^\(1\) 1 source is parked/);

    $fake->drop_rule($rule);
    confirm(source('lost', '') . '.parts.resume');
    ok($b->wait_js(source('lost', 'state') . ' === "ok"'), 'resumed');
    ok($fake->wait_events($events + 1), 'it is delivered');
};

# Clicks a button, and one of the dialog.

sub ask {
    my ($button) = @_;
    $b->js("document.querySelectorAll('.it').forEach("
           . "n => n.classList.remove('it')); $button.classList.add('it')");
    $b->click('.it');
    return $b->wait_js('document.getElementById("confirm").open');
}

sub confirm {
    my ($button) = @_;
    ok(ask($button), 'asks');
    $b->click('#confirm-yes');
}

# Posts an open alert "one", a resolved one "two" and, for each hostile text,
# an open alert and a dead letter; does nothing if it has done so before.

my %hostile = (
    markup => '<img src=x onerror=alert(1)>',
    script => '"></bdi><script>alert(2)</script><b>',
    entity => '&lt;script&gt;&#60;i&#62;',
    uri => 'javascript:alert(3)',
    mark => '%%CONTROL%% ${alert(4)} {{alert(5)}}',
    long => 'x' x 3000,
);

subtest 'a dead letter' => sub {
    fresh();
    my $rule = $fake->rule(match => qr/"bad 1"/, status => 400,
        headers => [ 'Content-Type' => 'application/json' ],
        body => '{"status":400,"message":"summary: too long","code":"X"}');
    $q->say('bad CRITICAL');

    ok($b->wait_js(row('dead', 'bad')), 'is shown');
    like($b->js('return ' . row('dead', 'bad') . '.textContent'),
         qr/answered 400: summary: too long/, 'with the reason');
    is(text('#headline'), 'ilert refused 1 event.', 'headline');

    my $requests = $fake->counts->{requests};
    my $posts = posts();
    my $button = row('dead', 'bad') . '.parts.replay';
    ok(ask($button), 'asks');
    like(text('#confirm'), qr/Replay this event\? ALERT \d+ of ops: bad It/,
         'says what');
    $b->click('#confirm-no');
    ok($b->wait_js('!document.getElementById("confirm").open'), 'cancel');
    like(focused(), qr/^Replay event \d+ of source ops$/, 'focus is back');
    ok(ask($button), 'asks again');
    $b->press('Escape');
    ok($b->wait_js('!document.getElementById("confirm").open'), 'escape');
    is($fake->counts->{requests}, $requests, 'nothing was sent');
    is(posts(), $posts, 'nor posted');

    $fake->drop_rule($rule);
    confirm($button);
    ok($fake->wait_requests($requests + 1), 'a replay is sent');
    is($fake->request(-1)->{alert_key}, 'bad', 'the right one');
    ok(live('Replay: done'), 'and said');
    ok($b->wait_js('document.querySelector("#dead-table [data-row]").parts'
                   . '.outcome.textContent === "Replay: done"'), 'there, too');
    $b->js('document.querySelector("#dead-table [data-row]").until = 0');
    ok($b->wait_js('document.getElementById("dead-table").hidden'), 'gone');
    is($b->js('return document.activeElement.id'), 'dead',
       'the focus is near');
    ok($b->wait_js(row('open', 'bad')), 'the alert is open');
};

subtest 'a replay that is refused, and all of a source' => sub {
    fresh();
    my $rule = $fake->rule(match => qr/"(old|new|newer) 1"/, status => 400,
        body => '{"status":400,"message":"no","code":"X"}');
    $q->say('old CRITICAL', 'new CRITICAL', 'newer CRITICAL');
    ok($b->wait_js(row('dead', 'newer')), 'dead letters');
    $fake->drop_rule($rule);
    $q->say('old OK');

    confirm(row('dead', 'old') . '.parts.replay');
    ok(live('Replay refused: '), 'said');
    like($b->js('return ' . row('dead', 'old')
                . '.parts.outcome.textContent'), qr/^Replay refused: \w/,
         'why');

    my $n = $fake->counts->{requests};
    confirm(source('ops') . '.parts.replayAll');
    ok(live('Replay all dead: done (2)'), 'two of three');
    ok($fake->wait_requests($n + 2), 'are sent');
    confirm(source('ops') . '.parts.discardAll');
    ok(live('Discard all dead: done'), 'the last one is discarded');
    ok($b->wait_js(source('ops', 'dead') . ' === "0"'), 'none is left');
    is_deeply([ $q->dead ], [], 'indeed');
};

subtest 'a test of a source' => sub {
    fresh();
    my $n = $fake->counts->{events};
    my $button = source('lost', '') . '.parts.test';
    confirm($button);
    ok(live('Test: opened in '), 'said');
    like($b->js('return ' . source('lost', '') . '.parts.outcome.textContent'),
         qr/^Test: opened in [\d.]+ s, resolved in [\d.]+ s$/, 'how it was');
    is($fake->counts->{events}, $n + 2, 'and so it was');

    $fake->rule(status => 400, times => 1, body => '{"message":"no"}');
    confirm($button);
    ok(live('Test failed: ilert answered 400: no'), 'what is wrong');

    confirm(source('lost', '') . '.parts.pause');
    ok($b->wait_js(source('lost', 'state') . ' === "paused"'), 'paused');
    ok($b->js("return $button.hidden"), 'it is not to be tested');
    confirm(source('lost', '') . '.parts.resume');
    ok($b->wait_js("!$button.hidden"), 'until it is resumed');
};

my $populated;

sub populate {
    return if $populated++;

    my $n = $fake->counts->{requests};
    my $body = JSON::PP->new->utf8->encode({ status => 400,
        message => join(' ', @hostile{qw(markup script)}), code => 'X' });
    $fake->rule(match => qr/dead letter/, status => 400, body => $body);
    $q->say('one CRITICAL', 'two WARNING', 'two OK');

    for my $kind (sort keys %hostile) {
        for ('', 'dead letter ') {
            my $body = JSON::PP->new->utf8->encode({ id => "$_$hostile{$kind}",
                message => "$_$hostile{$kind}", level => 'CRITICAL' });
            is($t->post('/ops', $body)->{status}, 202, "$_$kind");
        }
    }

    ok($fake->wait_requests($n + 3 + 2 * keys %hostile), 'all sent');
}

subtest 'hostile input' => sub {
    fresh();
    populate();
    my ($open, $dead) = map { "[...document.querySelectorAll('#$_-table "
        . "[data-t=alert_key]')].map(e => e.textContent)" } qw(open dead);
    my $all = JSON::PP->new->ascii->encode([ values %hostile ]);
    ok($b->wait_js("$all.every(text => $open.includes(text))"), 'all open');
    ok($b->wait_js("$all.every(text => $dead.includes('dead letter '"
                   . ' + text))'), 'all dead');

    my %open = map { $_ => 1 } @{$b->js("return $open")};
    my %dead = map { $_ => 1 } @{$b->js("return $dead")};

    for my $kind (sort keys %hostile) {
        ok($open{$hostile{$kind}}, "$kind is shown as it is");
        ok($dead{"dead letter $hostile{$kind}"}, 'as a dead letter, too');
    }

    like($b->js('return ' . row('dead', 'dead letter')
                . '.parts.error.textContent'), qr/\Q$hostile{markup}\E/,
         'and the reason of it');
    is($b->js('return document.querySelectorAll("main img, main script, '
              . 'main b b, main i, main a[href^=javascript]").length'), 0,
       'no element was made of it');

    ok(ask(row('dead', "dead letter $hostile{script}")
           . '.parts.discard'), 'asks');
    like(text('#confirm'), qr/\Q$hostile{script}\E/, 'as it is');
    $b->press('Escape');
    is($b->js('return window.alerts'), 0, 'no script ran');

    # A character that turns the direction of a text is written out.
    $q->say("turn\\u202efdp.exe CRITICAL");
    ok($b->wait_js(row('open', 'turn\\u202efdp.exe')), 'no tricks');
};

subtest 'did it get out?' => sub {
    populate();
    fresh();
    my $verdict = sub {
        my ($key) = @_;
        $b->js('document.getElementById("answer").hidden = true;'
               . 'document.getElementById("ask-source").value = "ops";'
               . 'document.getElementById("ask-key").value = arguments[0];'
               . 'document.getElementById("ask-key").focus()', $key);
        $b->press('Enter');
        $b->wait_js('!document.getElementById("answer").hidden');
        return text('#answer');
    };

    like($verdict->('ONE'), qr/^Yes: .* open, level CRITICAL, since/, 'yes');
    like($verdict->('two'), qr/^Yes: .* ilert shows it as resolved/,
         'resolved');
    like($verdict->("dead letter $hostile{uri}"),
         qr/^No: ilert refused it\. .* 400: /, 'no');
    like($verdict->('nobody'), qr/^Not found: /, 'not known');

    my $rule = $fake->rule(match => qr/"later 1"/, status => 503);
    $q->say('later CRITICAL');
    ok($fake->wait_requests($fake->counts->{requests} + 1));
    like($verdict->('later'), qr/^Not yet: 1 event .*Tried \d+ time/,
         'not yet');
    $fake->drop_rule($rule);
    ok($q->drained, 'then it does');
};

subtest 'without a mouse' => sub {
    populate();
    fresh();
    ok($b->wait_js(source('ops', 'state') . ' === "ok"'), 'calm');
    $b->js('document.getElementById("headline").focus()');
    my (@names, @unseen);

    for (1 .. 100) {
        $b->press('Tab');
        my $name = focused();
        last if @names && $name eq $names[0];
        push @names, $name;
        push @unseen, $name if !$b->js(
            'const s = getComputedStyle(document.activeElement);'
            . 'return s.outlineStyle !== "none" && parseInt(s.outlineWidth)');
        last if $name eq 'Look it up';
    }

    my $order = join '|', map { s/\d+/N/gr } @names;
    like($order, qr/^N\ dead\ letters:\ .*\|span\|.*
        Test\ of\ source\ ops\|Pause\ of\ source\ ops\|
        Replay\ all\ dead\ of\ source\ ops\|
        .*Replay\ event\ N\ of\ source\ ops\|
        Discard\ event\ N\ of\ source\ ops.*\|
        Resolve\ alert\ one\ of\ source\ ops\|
        Silence\ alert\ one\ of\ source\ ops\|.*
        silence-source\|silence-key\|silence-for\|
        silence-from\|(?:silence-from\|)*silence-comment\|Silence\|
        ask-source\|ask-key\|
        Look\ it\ up$/x, 'the order is that of the page')
        or diag($order);
    is_deeply(\@unseen, [], 'the focus can be seen');

    $b->js(source('ops') . '.parts.pause.focus()');
    $b->press('Enter');
    ok($b->wait_js('document.getElementById("confirm").open'), 'asks');
    is(focused(), 'Cancel', 'the harmless one first');
    $b->press('Enter');
    ok($b->wait_js('!document.getElementById("confirm").open'), 'cancelled');
    is(focused(), 'Pause of source ops', 'and back');

    $b->press('Space');
    ok($b->wait_js('document.getElementById("confirm").open'), 'asks again');
    $b->press('Tab');
    is(focused(), 'Pause', 'the other');
    $b->press('Tab', 'Tab');
    like(focused(), qr/^(?:Cancel|Pause|)$/, 'it stays in the dialog');
    $b->js('document.getElementById("confirm-yes").focus()');
    $b->press('Enter');
    ok($b->wait_js(source('ops', 'state') . ' === "paused"'), 'paused');
    like(focused(), qr/^(?:Sources|Resume of source ops)$/,
         'the focus is near');

    my $requests = $fake->counts->{requests};
    $q->say('quiet CRITICAL');
    ok($b->wait_js(source('ops', 'pending') . ' === "1"'), 'it waits');
    like(text('#headline'), qr/waits/, 'which is said');
    $b->js(source('ops') . '.parts.resume.focus()');
    $b->press('Enter');
    ok($b->wait_js('document.getElementById("confirm").open'), 'asks');
    $b->press('Tab', 'Enter');
    ok($fake->wait_requests($requests + 1), 'resumed');
    ok($b->wait_js(source('ops', 'state') . ' === "ok"'), 'and ok');
};

subtest 'waiting events are discarded' => sub {
    fresh();
    $t->post('/control/sources/ops/pause', '');
    my $requests = $fake->counts->{requests};
    $q->say('never CRITICAL', 'nor CRITICAL');
    ok($b->wait_js(source('ops', 'pending') . ' === "2"'), 'they wait');
    ok(ask(source('ops') . '.parts.discardWaiting'), 'asks');
    like(text('#confirm'), qr/^Discard waiting events\? ops 2 events of/,
         'names them');
    $b->click('#confirm-yes');
    ok(live('Discard waiting: done (2)'), 'done');
    ok($b->wait_js(source('ops', 'pending') . ' === "0"'), 'gone');
    $t->post('/control/sources/ops/resume', '');
    is($fake->counts->{requests}, $requests, 'and not sent');
};

# Every text against what is behind it, by the formula of WCAG 2.

my $CONTRAST = <<'EOJ';
    const parse = c => c.match(/[\d.]+/g).map(Number);
    const light = c => parse(c).slice(0, 3).map(v => v / 255).map(v =>
        v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const behind = e => {
        for (; e; e = e.parentElement) {
            const c = getComputedStyle(e).backgroundColor;
            if (parse(c)[3] !== 0) return c;
        }
        return 'rgb(255, 255, 255)';
    };
    const bad = new Set();
    for (const e of document.querySelectorAll('body *')) {
        if (!e.checkVisibility() || ![...e.childNodes].some(
            n => n.nodeType === 3 && n.data.trim())) continue;
        const style = getComputedStyle(e);
        const text = e.namespaceURI.includes('svg') ? style.fill
                                                    : style.color;
        const [a, b] = [light(text), light(behind(e))].sort((x, y) => y - x);
        const ratio = (a + .05) / (b + .05);
        if (ratio < 4.5) bad.add(`${e.tagName} ${e.className} ${
            e.textContent.slice(0, 20)}: ${ratio.toFixed(2)}`);
    }
    return [...bad];
EOJ

subtest 'light and dark, wide and narrow' => sub {
    populate();
    fresh();
    my %ground;

    for my $scheme ('light', 'dark') {
        $b->media('prefers-color-scheme' => $scheme,
                  'prefers-reduced-motion' => 'reduce');
        $ground{$scheme} = $b->js(
            'return getComputedStyle(document.body).backgroundColor');
        is_deeply($b->js($CONTRAST), [], "$scheme: contrast");

        for my $width (360, 700, 1280) {
            $b->size($width, 800);
            is($b->js('return document.documentElement.scrollWidth'),
               $b->js('return document.documentElement.clientWidth'),
               "$scheme, $width: nothing sticks out");
        }
    }

    isnt($ground{light}, $ground{dark}, 'they differ');
    $b->media('prefers-color-scheme' => 'light');
};

subtest 'for those who do not see it' => sub {
    populate();
    fresh();
    for my $width (360, 1280) {
        $b->size($width, 900);
        my @tree = $b->tree;
        my %named;
        $named{$_->{role}}{$_->{name}}++ for @tree;

        my @buttons = grep { $_->{role} eq 'button' } @tree;
        cmp_ok(scalar @buttons, '>', 5, "$width: buttons");
        is_deeply([ grep { !length $_->{name} } @buttons ], [],
                  'all have a name');
        is_deeply([ grep { $named{button}{$_} > 1 } keys %{$named{button}} ],
                  [], 'and one of their own');

        ok($named{main} && $named{banner} && $named{contentinfo},
           'landmarks');
        is_deeply([ sort keys %{$named{region}} ], [ 'Dead letters',
            'Did it get out?', 'Endpoints', 'Now', 'Open alerts', 'Queue ok',
            'Refused webhooks', 'Silences', 'Sources', 'Until now',
            'What waits' ], 'regions');
        is_deeply([ grep { !length } map { keys %{$named{$_} || {}} }
                    qw(table img image meter textbox combobox link) ], [],
                  'nothing is without a name');
        is(scalar(grep { $_->{role} eq 'table' } @tree), 5, 'tables');
        ok($named{columnheader}{Delivered} || $width == 360,
           'headers of columns');
        ok($named{rowheader}{'ops ok'}, 'and of rows');
        ok($named{img} || $named{image}, 'a picture in words');
    }
};

subtest 'the past' => sub {
    populate();
    $b->open($URL);
    $b->js('sessionStorage.clear()');
    $b->open($URL);
    ok($b->wait_js('past.some(p => p[1] > 0) && past.some(p => p[2] > 0)'),
       'it is known to a browser that has just come');
    my $label = 'document.getElementById("chart").ariaLabel';
    ok($b->wait_js("$label.includes('Over the last 1 h: accepted')"),
       'in words');
    like($b->js("return $label"), qr/accepted \S+ now, (?!0\/s)\S+ at most/,
         'and how much it was');
    like($b->js('return document.querySelector("#chart .line.accepted")'
                . '.getAttribute("d")'), qr/^M[\d. L]+/, 'and drawn');

    $b->js('const span = document.getElementById("span"); '
           . 'span.value = 24 * 3600000; '
           . 'span.dispatchEvent(new Event("change"))');
    is(text('#chart [data-c=begin]'), '24 h ago', 'of a day');
    like($b->js("return $label"), qr/^Over the last 24 h: /, 'in words, too');
    is_deeply(odd_words(), [], 'no word is odd');
};

# After all of the above: nothing was refused, nothing failed.

sub quiet {
    my ($name, @except) = @_;
    my @said = map { "$_->{level} $_->{message}" }
               grep { $_->{level} =~ /SEVERE|WARNING/ } $b->console;

    for my $pattern (@except) {
        @said = grep { !/$pattern/ } @said;
    }

    is_deeply(\@said, [], "$name: nothing in the console");
}

my $REFUSED = qr/with a status of (?:404|409|502)/;

subtest 'its policy' => sub {
    fresh();
    is_deeply($b->js('return window.violations'), [], 'nothing of the page '
              . 'violates it');
    quiet('so far', $REFUSED);

    $b->js(<<'EOJ');
        const script = document.createElement('script');
        script.textContent = 'window.evil = 1';
        document.body.append(script);
        const hurt = document.createElement('p');
        hurt.setAttribute('onclick', 'window.evil = 2');
        hurt.setAttribute('style', 'color: rgb(1, 2, 3)');
        document.body.append(hurt);
        hurt.click();
        window.colour = getComputedStyle(hurt).color;
        new Image().src = '/status/page?image';
        fetch('http://127.0.0.1:9/').catch(() => {});
        hurt.remove();
EOJ

    ok($b->wait_js('window.violations.length >= 5'), 'others are stopped');
    is($b->js('return window.evil'), undef, 'no script');
    isnt($b->js('return window.colour'), 'rgb(1, 2, 3)', 'no style');
    my %seen = map { $_ => 1 } @{$b->js('return window.violations')};
    is_deeply([ sort keys %seen ], [ qw(connect-src img-src script-src-attr
        script-src-elem style-src-attr) ], 'each');

    my $header = $t->get('/status/page')->{header};
    like($header->{'content-security-policy'}, qr/default-src 'none'/);
    unlike($header->{'content-security-policy'}, qr/unsafe|http|\*/);
    $b->console;
};

# Sets the fields of the form and presses Enter in the last one.

sub hush {
    my (%value) = @_;

    for my $field (sort keys %value) {
        $b->js('document.getElementById("silence-" + arguments[0]).value'
               . ' = arguments[1]', $field, $value{$field});
    }

    $b->js('document.getElementById("silence-outcome").textContent = "";'
           . 'document.getElementById("silence-comment").focus()');
    $b->press('Enter');
    return $b->wait_js('document.getElementById("confirm").open');
}

my $UNTIL = 'document.getElementById("silence-outcome").textContent';

subtest 'silences' => sub {
    fresh();
    is(text('#silenced'), 'Nothing is silenced.', 'none');
    $q->say('noisy CRITICAL');
    ok($b->wait_js(row('open', 'noisy')), 'an open alert');
    $b->js(row('open', 'noisy') . '.parts.silencing.classList.add("hush")');
    $b->click('.hush');
    is(join(' ', map { $b->js("return document.getElementById('silence-$_')"
                              . '.value') } qw(source key)), 'ops noisy',
       'its button fills the form');
    is(focused(), 'silence-for', 'all but for how long');

    ok(hush(for => 'ever'), 'asks');
    $b->click('#confirm-yes');
    ok($b->wait_js("$UNTIL.startsWith('Silence refused: for:')"),
       'what is wrong is said');

    ok(hush(for => '1h', comment => $hostile{markup}), 'asks again');
    like(text('#confirm'), qr/^Silence these alerts\? noisy of ops For 1h,/,
         'says what');
    $b->click('#confirm-yes');
    ok(live('Silence: done'), 'said');
    ok($b->wait_js(row('silence', 'noisy')), 'it is listed');
    like($b->js('return ' . row('silence', 'noisy')
                . '.textContent.replace(/\s+/g, " ")'),
         qr/noisy\ source\ ops\ until\ \d\d:\d\d\ ends\ in\ \d+\ min\ 0
            \ alerts\ \Q$hostile{markup}\E/x, 'with all that is known of it');
    ok($b->wait_js(row('open', 'noisy') . '.parts.silence.textContent'
                   . '.startsWith("silenced until ")'), 'and at its alert');

    my $requests = $fake->counts->{requests};
    $q->say('noisy OK');
    ok($fake->wait_requests($requests + 1), 'its end is sent');
    $q->say('noisy CRITICAL');
    ok($b->wait_js('/^1 alert is silenced until \d\d:\d\d\.$/.test('
                   . 'document.getElementById("silenced").textContent)'),
       'it holds what comes');
    like(text('#attention'), qr/1 alert is silenced until/, 'not forgotten');
    is($b->js('return ' . source('ops', 'held')), '1 event is silenced',
       'at its source, too');
    ok($b->wait_js(row('waits', 'noisy')), 'it waits');
    is($b->js('return ' . row('waits', 'noisy') . '.parts.what.textContent'),
       'the end of a silence', 'for that');
    is($fake->counts->{requests}, $requests + 1, 'nothing is sent');
    is_deeply(odd_words(), [], 'no word is odd');
    is_deeply($b->js($CONTRAST), [], 'contrast');

    confirm(row('silence', 'noisy') . '.parts.endSilence');
    ok(live('End: done'), 'ended');
    ok($fake->wait_requests($requests + 2), 'and it is sent');
    is($fake->request(-1)->{alert_key}, 'noisy', 'the right one');
    ok($b->wait_js('document.getElementById("silenced").textContent'
                   . ' === "Nothing is silenced."'), 'is said');
    quiet('there', qr/with a status of 400/);
};

subtest 'an end that is held back' => sub {
    fresh();
    my $n = $fake->counts->{events};
    $q->say({ source => 'lost' }, 'flap CRITICAL');
    ok($fake->wait_events($n + 1), 'an alert');
    $q->say({ source => 'lost' }, 'flap OK');
    ok($b->wait_js(source('lost', 'held')
                   . ' === "1 event waits for the end of resolve_delay"'),
       'is said of its source');
    ok($b->wait_js(row('waits', 'flap')), 'it is listed');
    is($b->js('return ' . row('waits', 'flap') . '.parts.what.textContent'),
       'the end of resolve_delay', 'for what it waits');
    like($b->js('return ' . row('waits', 'flap') . '.parts.next.textContent'),
         qr/^in \d+ min$/, 'and how long');
    is($b->js('return ' . source('lost', 'pending')), '0', 'not pending');
    is($b->js('return document.querySelector("#figures [data-t=held]")'
              . '.textContent'), '1', 'the figure');

    confirm(source('lost') . '.parts.resume');
    ok($fake->wait_events($n + 2), 'it is sent at once');
    ok($b->wait_js(source('lost', 'held') . ' === ""'), 'and not held');
};

subtest 'a digest' => sub {
    fresh();
    my $n = $fake->counts->{events};
    $q->say({ source => 'storm' }, 'gust1 CRITICAL', 'gust2 CRITICAL',
            'gust3 WARNING');
    ok($fake->wait_events($n + 2), 'one by itself, and the digest');

    ok($b->wait_js(source('storm', 'held') . '.endsWith('
                   . '"2 events are only in the list of the digest")'),
       'what it holds back');
    like($b->js('return ' . source('storm', 'held')),
         qr/^It has a digest since [\d:]+, which lists [12] CRITICAL/,
         'and what it lists');
    like(text('#attention'), qr/storm has a digest since .*, which lists /,
         'is said');
    ok(live('Digest of storm: open.'), 'aloud, too');
    ok($b->wait_js(row('waits', 'gust2')), 'it waits');
    is($b->js('return ' . row('waits', 'gust2') . '.parts.what.textContent'),
       'the end of the digest', 'for that');
    ok($b->wait_js(row('open', 'ilert-digest:storm')), 'an alert of its own');
    is_deeply(odd_words(), [], 'no word is odd');
};

# Nothing is late before ten seconds are over, so the page is told what the
# server would say then.

subtest 'another way out' => sub {
    fresh();
    is(text('#fallback'), 'ok Another way out. Nothing urgent waits for too '
       . 'long.', 'is there');

    my $say = sub {
        return $b->js('Object.assign(data.fallback, arguments[0]);'
            . 'overview(); fallback();'
            . 'return ["headline", "attention", "fallback"].map(id => document'
            . '.getElementById(id).textContent.replace(/\s+/g, " ").trim())'
            . '.join(" | ")', { since => '2026-03-01T02:00:00.000Z', @_ });
    };

    like($say->(state => 'late', waiting => 1),
         qr/^Urgent\ alerts\ wait\ for\ too\ long.*\ \|
            .*1\ urgent\ alert\ waits\ for\ ilert\ since\ .*
            nobody\ has\ been\ told\ yet.*\ \|\ late\ Another/x, 'late');
    like($say->(state => 'told', waiting => 2,
                last => '2026-03-01T02:10:00.000Z'),
         qr/2 urgent alerts wait .*; people were told another way .* ago/,
         'told');
    like($say->(state => 'failing', waiting => 0, error => $hostile{markup}),
         qr/^The other way out fails.*has failed: \Q$hostile{markup}\E/,
         'failing');
};

subtest 'an alert is resolved' => sub {
    fresh();
    my $key = $hostile{entity};
    $t->post('/ops', JSON::PP->new->utf8->encode({ id => $key,
        message => 'x', level => 'CRITICAL' }));
    ok($b->wait_js(row('open', $key)), 'it is open');
    my $requests = $fake->counts->{requests};

    my $button = row('open', $key) . '.parts.resolve';
    ok(ask($button), 'asks');
    like(text('#confirm'), qr/^Resolve this alert\? \Q$key\E of ops /, 'what');
    $b->click('#confirm-yes');
    ok(live('Resolve: done'), 'done');
    ok($fake->wait_requests($requests + 1), 'ilert is told');
    my $last = $fake->request(-1);
    is("$last->{type} $last->{alert_key}", "RESOLVE $key", 'of that');
    quiet('there');
};

subtest 'nginx goes away and comes back' => sub {
    populate();
    fresh();
    $q->stop;
    ok($b->wait_js('document.body.classList.contains("stale")'), 'is noticed');
    is(text('#headline'), 'nginx does not answer.', 'and said');
    like(text('#contact'), qr/Below is what was known at [\d:]+\. Trying/,
         'since when');
    ok(live('nginx does not answer'), 'aloud, too');
    is($b->js('return ' . source('ops', 'dead')), scalar keys %hostile,
       'the last numbers are there');

    $q->start;
    ok($b->wait_js('!document.body.classList.contains("stale")'),
       'it is back');
    ok(live('nginx answers again.'), 'is said');
    unlike(text('#headline'), qr/does not answer/, 'all is as it was');
    quiet('meanwhile', qr/ERR_CONNECTION_|ERR_EMPTY_RESPONSE/);
};

subtest 'without control' => sub {
    populate();
    $b->open($BARE);
    ok($b->wait_js(row('dead', 'dead letter')), 'shows the same');
    ok($b->wait_js(row('open', 'one')), 'all of it');
    is($b->js('return document.body.dataset.control'), '');
    is($b->js('return document.querySelectorAll("main button").length'), 1,
       'no buttons but that of the question');
    is_deeply($b->js('return window.violations'), []);
    quiet('there');
};

subtest 'the set-up' => sub {
    $b->open($URL);
    ok($b->wait_js(source('ops') . ' !== undefined'), 'the page is open');
    is($b->js('return document.getElementById("setup").checkVisibility()'),
       JSON::PP::false, 'nothing is wrong, nothing is shown');

    my $name = '<b>&#104;</b>';
    $q->change(endpoint => 'proxy_send_timeout 5s;', timeout => '26s',
               http => "server { listen 127.0.0.1:%%PORT_1%%; $PAGE "
                       . "location '/$name/' { ilert_kapacitor ops; } }");
    $q->reload;
    $b->js('window.fast = true');

    ok($b->wait_js('document.querySelectorAll("#setup-list li").length === 2'),
       'what is wrong is shown');
    like(text('#setup-list'), qr/endpoint_timeout .*"proxy_read_timeout\ 25s"
         .*location_slash .*location\ "\/\Q$name\E\/"/x, 'each in words');
    like(text('#attention'), qr/The set-up may lose alerts: 2 things to mend/,
         'how many there are');
    ok($b->js('return [...document.querySelectorAll("#attention a")].some('
              . 'a => a.hash === "#setup")'), 'and where');
    is_deeply(odd_words(), [], 'no word is odd');

    $q->change(timeout => '5s', endpoint => '',
               http => "server { listen 127.0.0.1:%%PORT_1%%; $PAGE }");
    $q->reload;
    ok($b->wait_js('!document.getElementById("setup").checkVisibility()'),
       'mended');
    quiet('there');
};

subtest 'without a queue' => sub {
    is_deeply(odd_words(), [], 'with one no word is odd');
    $q->change(queue => undef, server => $SERVER);
    $q->reload;
    $b->open($URL);
    ok($b->wait_js('document.getElementById("headline").textContent'
                   . ' === "All is well: webhooks go straight to ilert."'),
       'all is well') or diag(text('#headline'));
    like(text('#queue'), qr/Queue off/, 'state of the queue');
    is(text('#queue-size'), 'There is no queue.', 'in words');
    is($b->js('return [...document.querySelectorAll("main button")].filter('
              . 'e => e.checkVisibility()).map(e => e.textContent).join(" ")'),
       'Test Test Test Look it up',
       'no buttons but for tests and the question');
    $q->post('relayed', 'CRITICAL');
    ok($b->wait_js(source('ops', 'delivered') . ' > 0'), 'it counts');
    is_deeply(odd_words(), [], 'no word is odd');
    quiet('there');
};

# The page speaks of these for an hour.

subtest 'a refused webhook' => sub {
    $b->open($URL);
    $b->js('window.fast = true');
    ok($b->wait_js(source('ops') . ' !== undefined'), 'the page is open');
    is(text('#no-refused'), 'None since the start of nginx.', 'none');

    $t->post('/ops', qq({"id":"$hostile{markup}","level":"AWFUL"}));
    ok($b->wait_js('document.getElementById("headline").textContent'
                   . '.startsWith("A webhook was refused")'), 'headline');
    like(text('#attention'), qr/A webhook was refused \d+ s ago: 400 level:/,
         'and what to look at');
    ok(live('Webhooks: some are refused.'), 'and said aloud');

    like(text('#some-refused'),
         qr/^1 webhook was refused, and 0 could not be kept/, 'how many');
    like(text('#some-refused'), qr{ from 127\.0\.0\.1 to /ops: 400 level: },
         'the last one');
    like(text('#some-refused'), qr/Id \Q$hostile{markup}\E, level AWFUL$/,
         'and what it was');
    is($b->js('return document.querySelector("#figures [data-t=refused]")'
              . '.textContent'), '1', 'the figure');
    is($b->js('return document.querySelectorAll("main img").length'), 0,
       'no element was made of it');
    is_deeply($b->js($CONTRAST), [], 'contrast');
    is_deeply(odd_words(), [], 'no word is odd');
    quiet('there');
};

# With a queue, which there was none of just now

subtest 'a refused webhook that is kept' => sub {
    $q->change(queue => 'queue');
    $t->reload;
    $b->open($URL);
    $b->js('window.fast = true');
    ok($b->wait_js(source('ops') . ' !== undefined'), 'the page is open');
    my $n = $b->js('return data.refused.kept_total');
    $t->post('/ops', qq({"id":"$hostile{markup}","level":"AWFUL"}));
    ok($b->wait_js("data.refused.kept_total === $n + 1"), 'it is kept');

    my $id = $b->js('return data.refused.kept[0].id');
    my $row = qq{#kept-table tr:has(a[href="?refused=$id"])};
    ok($b->wait_js("document.querySelector('$row') !== null"), 'is listed');
    like(text($row), qr{127\.0\.0\.1\s+/ops\s+400 level: .*\d+ bytes}s,
         'from where, why, how much');
    is_deeply($b->js($CONTRAST), [], 'contrast');
    is_deeply(odd_words(), [], 'no word is odd');

    $b->js("document.querySelector('$row button').click()");
    ok($b->wait_js('document.getElementById("confirm").open'), 'is asked');
    $b->js('document.getElementById("confirm-yes").click()');
    ok(live('Discard: done'), 'is discarded');
    ok($b->wait_js("document.querySelector('$row') === null"), 'is gone');
    quiet('there');
};

subtest 'a Kapacitor' => sub {
    ok($b->wait_js('!document.getElementById("kapacitor").checkVisibility()'),
       'none is asked');

    my $k = IlertKapacitor->start;
    $q->change(server => "$PAGE location /control/ { ilert_control; } "
        . 'location /kapacitor-api/ { ilert_reconcile /ops interval=1s; '
        . 'proxy_pass http://' . $k->address . '/kapacitor/v1/; }');
    $t->reload;
    my $is = 'document.querySelector("#kapacitor-list li")?.innerText.match';
    ok($b->wait_js("$is(/Kapacitor \\/kapacitor-api\\/ is up, and nothing "
                   . 'differs\./)'), 'is up');

    $k->down(api => 1);
    ok($b->wait_js("$is(/Kapacitor \\/kapacitor-api\\/ is down, since "
                   . '[\d:]+: \w/)'), 'is down');
    like(text('#headline'), qr/^Kapacitor is down/, 'headline');
    ok(live('Kapacitor /kapacitor-api/: down.'), 'and said aloud');
    ok($b->js('return [...document.querySelectorAll("#attention a")].some('
              . 'a => a.hash === "#kapacitor")'), 'and where');
    is_deeply($b->js($CONTRAST), [], 'contrast');
    is_deeply(odd_words(), [], 'no word is odd');
    quiet('there');
    $k->stop;
};

sub odd_words {
    return $b->js('return document.body.innerText.match('
                  . '/undefined|NaN|null|Infinity|\\[object|Invalid/g) || []');
}

subtest 'the requests' => sub {
    my %seen;
    $seen{$_}++ for map { s/(alert_key=).*/$1/r } $b->requests;
    is_deeply([ grep { !m{^\Q$URL\E|^\Q$BARE\E} && !m{/control/}
                       && !m{^(?:data:|chrome)} } keys %seen ], [],
              'none goes elsewhere');
    unlike($t->access_log, qr{favicon|/status/page\?image}, 'nor in the log');
};

if (my $file = $ENV{ILERT_SCREENSHOT}) {
    require IlertShim;
    picture($file, IlertShim->new);
}

$b->stop;
is_deeply([ $b->left ], [], 'no process of the browser is left');

done();


# An hour of a small company.

sub picture {
    my ($file, $shim) = @_;

    my %key = (network => 'il1api5ec4e7f11', storage => 'il1api5ec4e7f12',
               batch => 'il1api5ec4e7f13');
    my $q = IlertQueue->new(
        keys => { map { $_ => 'api' } $IlertQueue::KEY, values %key },
        defaults => 1, rate => '700r/m', shim => $shim,
        sources => { ops => '',
            batch => "integration_key $key{batch}; rate off;",
            network => "integration_key $key{network}; rate 10r/m;",
            storage => "integration_key $key{storage};" },
        server => "$PAGE location /control/ { ilert_control; }");
    my ($t, $fake) = ($q->test, $q->fake);

    my $say = sub {
        my ($source, @webhooks) = @_;
        for (@webhooks) {
            my ($id, $level) = /^(\S+) (\S+)$/;
            $t->post("/$source", JSON::PP->new->utf8->encode({ id => $id,
                message => "$id is $level", level => $level }));
        }
    };
    my $later = sub { $q->settled(0.2); $q->run($_[0]) };

    $q->start;
    $say->('batch', map { ("backup:night-$_ INFO", "backup:night-$_ OK") }
                    1 .. 9);
    $say->('storage', 'smart:nas-03:sdc WARNING', 'raid:nas-01:md0 CRITICAL',
           'raid:nas-01:md0 OK');
    $later->(1900);
    $say->('ops', 'mem:db-04 WARNING', map { ("cpu:web-$_ WARNING",
           "cpu:web-$_ CRITICAL", "cpu:web-$_ OK") } 1 .. 14);
    $later->(840);
    $fake->rule(match => qr/mail-02/, status => 400,
        headers => [ 'Content-Type' => 'application/json' ],
        body => '{"status":400,"message":"links[0].href: must be a valid URL",'
                . '"code":"BAD_REQUEST"}');
    $say->('ops', 'cpu:web-17 CRITICAL', 'queue:mail-02 CRITICAL',
           'http:shop:checkout WARNING');
    $say->('network', 'bgp:edge-1:peer-64500 CRITICAL');
    $later->(290);
    $fake->rule(match => qr/$key{storage}/, status => 404);
    $say->('storage', 'disk:nas-03:/srv CRITICAL', 'disk:nas-01:/ WARNING',
           'smart:nas-03:sdc OK');
    $later->(75);
    $say->('ops', 'cpu:web-17 CRITICAL', 'http:shop:login WARNING');
    $say->('network', 'link:core-2 CRITICAL', map { ("link:access-$_ WARNING",
           $_ % 3 ? "link:access-$_ OK" : ()) } 1 .. 9);
    $later->(4);

    $t->post('/control/silence?source=batch&alert_key=backup%3A*&for=5h'
             . '&comment=tapes%20are%20changed', '');
    $b->size(1200, 900);
    $b->media('prefers-color-scheme' => 'light');
    $b->open('http://127.0.0.1:' . $t->port(0) . '/status/page');
    $b->wait_js('data');

    $b->wait_js('past.length');
    $b->js('document.getElementById("ask-source").value = "storage";'
           . 'document.getElementById("ask-key").value = "disk:nas-03:/srv";'
           . 'document.getElementById("ask-key").focus()');
    $b->press('Enter');
    $b->wait_js('!document.getElementById("answer").hidden');
    $b->wait_js('parts(document.getElementById("figures")).accepted'
                . '.textContent.includes("/s")');
    $b->js('document.activeElement.blur();'
           . 'put(document.getElementById("queue-path"), arguments[0])',
           '/var/lib/nginx/ilert');
    $b->picture($file);
}
