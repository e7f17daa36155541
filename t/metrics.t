#!/usr/bin/perl

# "ilert_status prometheus": both formats, read strictly; all names and labels
# of the reference, and no others; their values against the status and what the
# fake ilert counted; and docs/examples/alerts.yml and grafana.json, by what
# there is, by promtool, and by a Prometheus that scrapes.

use warnings;
use strict;

use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/lib";

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use IlertFake;
use IlertKapacitor;
use IlertMetrics;
use IlertQueue;
use IlertStatus;
use IlertTest;

IlertQueue::need();

my $TOP = IlertTest::top();
my $KEY = $IlertQueue::KEY;
my $TWO = 'il1api5ec4e7a02';
my $RETRY = 'retry 50ms 200ms;';

my $TEXT = 'text/plain; version=0.0.4; charset=utf-8';
my $OPEN = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

my @STATES = qw(ok paused parked limited retrying);
my @COMMIT = qw(0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1.0 2.5 5.0
                10.0 +Inf);
my @DELIVERY = qw(0.05 0.1 0.25 0.5 1.0 2.5 5.0 10.0 30.0 60.0 300.0 900.0
                  3600.0 +Inf);

my %LABELS = (
    ilert_info => 'version',
    (map { +"ilert_events_${_}_total" => 'source' }
         qw(accepted ignored coalesced silenced delivered dead retried)),
    (map { +"ilert_${_}_total" => 'code source' }
         qw(requests webhooks_rejected webhooks_unavailable)),
    (map { +"ilert_$_" => 'source' }
         qw(pending held silenced listed oldest_seconds open_alerts
            dead_letters source_parked digest_open)),
    ilert_source_state => 'source state',
    ilert_endpoint_up => 'endpoint',
    ilert_kapacitor_up => 'kapacitor',
    ilert_kapacitor_differences => 'kapacitor',
    ilert_reconciled_total => 'action kapacitor',
    ilert_fallback_late => '', ilert_fallback_up => '',
    ilert_fallback_posts_total => 'result',
    ilert_queue_up => '', ilert_queue_bytes => '', ilert_silences => '',
    (map { ("ilert_${_}_seconds_bucket" => 'le',
            "ilert_${_}_seconds_sum" => '',
            "ilert_${_}_seconds_count" => '') } qw(commit delivery)),
);

# Names, and how they are written in a configuration.  That of a source is also
# in a header, here.

my $ODD = "a\"b\\c d/\x{fc} {}";
utf8::upgrade($ODD);
my $ODD_CONF = "'a\"b\\\\c d/\xc3\xbc {}'";
my $ODD_END = "end\nof \"it\"\\";
my $ODD_END_CONF = q('end\nof "it"\\\\');

my $kapacitor = IlertKapacitor->start;

my $q = IlertStatus->new(
    keys => { $KEY => 'api', $TWO => 'api' }, timeout => '400ms',
    sources => { ops => "coalesce repeats; $RETRY",
                 two => "integration_key $TWO; $RETRY" },
    http => "ilert_source $ODD_CONF { integration_key $KEY; rate off; }",
    server => "location = /odd { ilert_kapacitor $ODD_CONF; "
              . 'add_header X-Result $ilert_result always; } '
              . "location /odd/ { internal; ilert_endpoint $ODD_END_CONF; "
              . 'proxy_pass http://%%FAKE%%/; } '
              . 'location /kapacitor-api/ { ilert_reconcile /off interval=1s; '
              . 'proxy_pass http://' . $kapacitor->address
              . '/kapacitor/v1/; } '
              . 'location = /off { ilert_kapacitor off; } '
              . 'location = /chat { ilert_fallback; '
              . 'proxy_pass http://127.0.0.1:9; } '
              . 'location = /none { ilert_kapacitor $arg_source; }');
my ($t, $fake) = ($q->test, $q->fake);
$q->start;

binmode $_, ':encoding(UTF-8)'
    for map { Test::More->builder->$_ } qw(output failure_output todo_output);

sub read_metrics {
    my ($arguments, $accept) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $answer = $q->metrics($arguments, $accept);
    my $open = ($answer->{header}{'content-type'} // '') =~ /openmetrics/;
    my $m = IlertMetrics->read($answer->{body}, openmetrics => $open);
    my @faults = ("answered $answer->{status}") x ($answer->{status} != 200);

    push @faults, $m->faults;
    if (@faults) {
        fail('GET /metrics');
        diag($_) for @faults[0 .. ($#faults > 9 ? 9 : $#faults)];
    }

    return $m;
}


subtest 'the reader' => sub {
    my $good = "# HELP a_total b\n# TYPE a_total counter\na_total{x=\"y\"} 1\n"
        . "# HELP h b\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\n"
        . "h_bucket{le=\"+Inf\"} 2\nh_sum 3.5\nh_count 2\n";
    my $open = $good =~ s/^(# \w+ a)_total/$1/gmr . "# EOF\n";

    is_deeply([ IlertMetrics->read($good)->faults ], [], 'good');
    is_deeply([ IlertMetrics->read($open, openmetrics => 1)->faults ], [],
              'good OpenMetrics');
    is(IlertMetrics->read($good)->value('a_total', x => 'y'), 1, 'a value');

    my %bad = (
        'no end of the line' => sub { chop },
        'no HELP' => sub { s/^# HELP a.*\n//m },
        'no TYPE' => sub { s/^# TYPE a.*\n//m },
        'another order' => sub { s/^(# HELP a.*\n)(# TYPE a.*\n)/$2$1/m },
        'a family twice' => sub { s/\A((?:.*\n){3})(.*)\z/$1$2$1/s },
        'apart' => sub { $_ .= "a_total{x=\"z\"} 1\n" },
        'twice' => sub { s/^(a_total.*\n)/$1$1/m },
        'other labels' => sub { s/^(a_total.*\n)/$1a_total{z="z"} 1\n/m },
        'escape' => sub { s/"y"/"\\y"/ },
        'quote' => sub { s/"y"/"""/ },
        'label' => sub { s/x=/1x=/ },
        'trailing comma' => sub { s/"y"/"y",/ },
        'spaces' => sub { s/^(a_total.*) 1/$1  1/m },
        'no number' => sub { s/ 1$/ one/m },
        'negative' => sub { s/(a_total.*) 1$/$1 -1/m },
        'timestamp' => sub { s/(a_total.*) 1$/$1 1 1600000000/m },
        'name of a counter' => sub { s/a_total/a/g },
        'type' => sub { s/counter/number/ },
        'not +Inf' => sub { s/\+Inf/2.0/ },
        'bounds' => sub { s/1\.0/1/ },
        'count' => sub { s/h_count 2/h_count 3/ },
        'falls' => sub { s/"1.0"} 1/"1.0"} 3/ },
        'no sum' => sub { s/h_sum.*\n// },
        'UTF-8' => sub { s/y/\xff/ },
    );

    for my $what (sort keys %bad) {
        for my $format (0, 1) {
            local $_ = $format ? $open : $good;
            s/# EOF\n//;
            $bad{$what}->();
            $_ .= "# EOF\n" if $format && $what ne 'no end of the line';
            ok(scalar IlertMetrics->read($_, openmetrics => $format)->faults,
               "$what, $format") if !$format || $what ne 'name of a counter';
        }
    }

    ok(scalar IlertMetrics->read($open =~ s/# EOF\n//r, openmetrics => 1)
       ->faults, 'no EOF');
};

subtest 'in the beginning' => sub {
    my $m = read_metrics();
    my $s = $q->status;
    is($m->value('ilert_info', version => $s->{version}), 1, 'the version');
    is($m->value('ilert_queue_up'), 1, 'the queue is up');
    is($m->value('ilert_endpoint_up', endpoint => $_), 1, 'and ilert')
        for 'default', $ODD_END;

    for my $source ('ops', 'two', $ODD) {
        is_deeply([ map { $m->value("ilert_events_${_}_total",
                                    source => $source) }
                        qw(accepted coalesced delivered dead retried) ],
                  [ (0) x 5 ], 'counters that begin at 0');
    }
};


# What is counted

subtest 'values' => sub {
    my @rules = (
        $fake->rule(match => qr/"again 1"/, status => 503, times => 2),
        $fake->rule(match => qr/"bad\d 1"/, status => 400),
        $fake->rule(match => qr/"hang 1"/, hang => 1, times => 1),
        $fake->rule(match => qr/"cut 1"/, reset => 'after', times => 1,
                    take => 0),
        $fake->rule(match => qr/"late 1"/, delay => 0.3),
        $fake->rule(match => qr/"created 1"/, status => 200));

    $q->say(map({ 'same CRITICAL' } 1 .. 5), 'again CRITICAL', 'bad1 WARNING',
            'bad2 CRITICAL', 'hang CRITICAL', 'cut CRITICAL', 'late WARNING',
            'created CRITICAL');
    $q->say({ source => 'two' }, 'a CRITICAL', 'a OK');
    $t->post('/odd', IlertQueue::webhook("odd$_", 1, 'CRITICAL')) for 1 .. 3;
    $q->post('no', 'CRITICAL', type => 'off') for 1 .. 2;
    $t->post('/off', IlertQueue::webhook('off', 1, 'CRITICAL')) for 1 .. 4;
    $t->post('/none?source=x', IlertQueue::webhook('none', 1, 'CRITICAL'));
    ok(wait_until(sub { $q->status->{queue}{pending} == 0 }, 8), 'delivered');

    my $s = $q->status;
    my $m = read_metrics();
    my %total = map { $_ => 0 } qw(accepted delivered);

    for my $source (sort keys %{$s->{sources}}) {
        my $of = $s->{sources}{$source};
        my $name = $source;
        $total{$_} += $of->{$_} for keys %total;

        is($m->value("ilert_events_${_}_total", source => $source), $of->{$_},
           "$name: $_") for qw(accepted ignored coalesced delivered retried);
        is($m->value("ilert_$_", source => $source), $of->{$_}, "$name: $_")
            for qw(pending held silenced listed open_alerts);
        is($m->value('ilert_dead_letters', source => $source), $of->{dead},
           "$name: dead letters");
        is($m->value('ilert_events_dead_total', source => $source),
           $of->{dead}, "$name: ever");
        is($m->value('ilert_source_state', source => $source, state => $_),
           $of->{state} eq $_ ? 1 : 0, "$name: $_") for @STATES;
        is($m->value('ilert_source_parked', source => $source), 0,
           "$name: not parked");
    }

    is($s->{sources}{ops}{accepted}, 12, 'accepted');
    is($s->{sources}{$ODD}{delivered}, 3, 'delivered');
    is($m->value('ilert_events_ignored_total', source => ''), 4,
       'ignored without a source');

    my %requests;
    for my $r ($fake->requests) {
        my $code = $r->{status} || ($r->{event}{summary} =~ /hang/ ? 'timeout'
                                                                  : 'reset');
        $requests{$r->{header}{'x-source'}}{$code}++;
    }
    for my $source (qw(ops two)) {
        my %got = map { $_->{labels}{code} => $_->{value} }
                  grep { $_->{labels}{source} eq $source && $_->{value} }
                  $m->samples('ilert_requests_total');
        is_deeply(\%got, $requests{$source}, "$source: requests")
            or diag(explain(\%got));
    }

    is($m->value('ilert_commit_seconds_count'), $total{accepted}, 'commits');
    is($m->value('ilert_delivery_seconds_count'), $total{delivered},
       'deliveries');

    my %below = map { $_->{labels}{le} => $_->{value} }
                $m->samples('ilert_delivery_seconds_bucket');
    cmp_ok($below{'0.25'}, '<', $below{'10.0'}, 'one took longer');
    cmp_ok($m->value('ilert_delivery_seconds_sum'), '>', 0.3, 'their sum');
    cmp_ok($m->value('ilert_commit_seconds_sum'), '>', 0, 'that of commits');
    is($m->value('ilert_commit_seconds_bucket', le => '10.0'),
       $total{accepted}, 'none took so long');

    cmp_ok($m->value('ilert_queue_bytes'), '>', 0, 'bytes');
    $fake->drop_rule($_) for @rules;
};

# Sees to it that each name has a number: requests have none until one is sent,
# and a Kapacitor until it has answered.

sub something_happens {
    my $seen = sub { read_metrics()->samples('ilert_requests_total') };

    ok(wait_until(sub { read_metrics()->samples('ilert_kapacitor_up') }),
       'Kapacitor is asked');

    $q->say('something CRITICAL') if !$seen->();
    ok(wait_until($seen), 'requests are counted');
}

subtest 'names and labels' => sub {
    something_happens();

    for my $accept (undef, 'application/openmetrics-text') {
        my $m = read_metrics(undef, $accept);
        my %names = map { $_->{name} => 1 }
                    map { @{$_->{samples}} } values %{$m->families};
        is_deeply({ map { $_ => join ' ', $m->labels($_) } keys %names },
                  \%LABELS, 'all of them') or diag(explain(\%names));

        my %types = map { $_ => $m->families->{$_}{type} }
                    keys %{$m->families};
        is_deeply([ grep { $types{$_} ne (/_total$/ ? 'counter'
            : /commit|delivery/ ? 'histogram' : 'gauge') } sort keys %types ],
            [], 'their types');

        for my $case ([ commit => @COMMIT ], [ delivery => @DELIVERY ]) {
            my ($name, @bounds) = @$case;
            is_deeply([ map { $_->{labels}{le} }
                            $m->samples("ilert_${name}_seconds_bucket") ],
                      \@bounds, "buckets of $name");
        }
    }
};

subtest 'narrowed' => sub {
    for my $source ('ops', $ODD) {
        my $m = read_metrics('source=' . IlertStatus::escape($source));
        my %sources = map { $_->{labels}{source} => 1 }
                      grep { exists $_->{labels}{source} }
                      map { @{$_->{samples}} } values %{$m->families};
        is_deeply([ keys %sources ], [ $source ], 'one source');
        is($m->value('ilert_queue_up'), 1, 'and the queue');
    }

    my $r = $q->metrics('source=none');
    is($r->{status}, 404, 'an unknown one');
    is($r->{json}{status}, 'rejected', 'which is said');
};

subtest 'requests' => sub {
    my $prometheus = 'application/openmetrics-text;version=1.0.0,'
        . 'application/openmetrics-text;version=0.0.1;q=0.75,'
        . 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

    for my $case ([ undef, $TEXT ], [ '*/*', $TEXT ], [ 'text/plain', $TEXT ],
                  [ 'text/html,*/*;q=0.1', $TEXT ], [ '', $TEXT ],
                  [ 'application/openmetrics', $TEXT ],
                  [ 'application/openmetrics-text', $OPEN ],
                  [ 'Application/OpenMetrics-Text; version=1.0.0', $OPEN ],
                  [ $prometheus, $OPEN ])
    {
        my ($accept, $type) = @$case;
        my $r = $q->metrics(undef, $accept);
        is($r->{header}{'content-type'}, $type, $accept // 'no Accept');
        is($r->{header}{'cache-control'}, 'no-store', 'is not stored');
        is(($r->{body} =~ /^# EOF$/m) ? 1 : 0, $type eq $OPEN ? 1 : 0,
           'its end');
    }

    my $head = $t->head('/metrics');
    is("$head->{status} $head->{body}", '200 ', 'HEAD');
    is($head->{header}{'content-type'}, $TEXT, 'its type');

    for my $method (qw(POST PUT DELETE)) {
        my $r = $t->request($method, '/metrics', body => '');
        is("$r->{status} $r->{header}{allow}", '405 GET, HEAD', $method);
    }
};

subtest 'states' => sub {
    my $state = sub {
        my ($m, $source) = @_;
        return join ' ', map { $m->value('ilert_source_state',
            source => $source, state => $_) ? $_ : () } @STATES;
    };
    my $rule = $fake->rule(match => qr/$TWO/, status => 404);
    $q->say({ source => 'two' }, 'p CRITICAL', 'q CRITICAL');
    $q->becomes(sub { $_->{sources}{two}{state} eq 'parked' }, 'parked');
    my $m = read_metrics();
    is($state->($m, 'two'), 'parked', 'the state');
    is($m->value('ilert_source_parked', source => 'two'), 1, 'is parked');
    is($m->value('ilert_pending', source => 'two'), 2, 'its events wait');
    sleep(0.1);
    cmp_ok(read_metrics()->value('ilert_oldest_seconds', source => 'two'),
           '>', 0.1, 'for some time');
    is($state->($m, 'ops'), 'ok', 'another one');
    $fake->drop_rule($rule);
    $q->does('sources/two/resume', 1);
    $q->becomes(sub { $_->{sources}{two}{state} eq 'ok' }, 'healed');

    $q->does('sources/' . IlertStatus::escape($ODD) . '/pause', 1);
    is($state->(read_metrics(), $ODD), 'paused', 'a paused one');
    $q->does('sources/' . IlertStatus::escape($ODD) . '/resume', 1);

    $fake->refuse(all => 1);
    $q->say(map { "e$_ CRITICAL" } 1 .. 12);
    $q->becomes(sub { $_->{endpoints}{default}{state} eq 'down' }, 'down');
    $m = read_metrics();
    is($m->value('ilert_endpoint_up', endpoint => 'default'), 0, 'not up');
    is($state->($m, 'ops'), 'retrying', 'its source');
    cmp_ok($m->value('ilert_requests_total', source => 'ops',
                     code => 'refused') // 0, '>', 1, 'refused');
    $fake->accept;
    $q->becomes(sub { !$_->{queue}{pending} }, 'delivered', 15);

    # letters that are discarded are counted all the same
    my $dead = $m->value('ilert_events_dead_total', source => 'ops');
    $q->does('dead/discard?source=ops', $dead);
    $m = read_metrics();
    is($m->value('ilert_dead_letters', source => 'ops'), 0, 'no letters');
    is($m->value('ilert_events_dead_total', source => 'ops'), $dead, 'ever');
};

subtest 'without a queue' => sub {
    my $r = IlertStatus->new(queue => undef)->start;
    $r->say('a CRITICAL');
    my $answer = $r->metrics;
    my $m = IlertMetrics->read($answer->{body});
    is_deeply([ $m->faults ], [], 'is well-formed');
    is($m->value("ilert_events_${_}_total", source => 'ops'), 1, $_)
        for qw(accepted delivered);
    is($m->value('ilert_requests_total', source => 'ops', code => 202), 1,
       'requests');
    is($m->value($_), undef, "no $_")
        for qw(ilert_queue_up ilert_queue_bytes ilert_silences);
    $r->stop;
};


# The examples ------------------------------------------------------------

sub text { IlertTest::slurp("$TOP/$_[0]") // die "$_[0]: $!\n" }

my $dashboard = JSON::PP->new->utf8
                ->decode(text('docs/examples/grafana.json'));
my @queries;

for my $panel (@{$dashboard->{panels}}) {
    push @queries, map { $_->{expr} } @{$panel->{targets}};
}

# The expressions of the rules, each of which may have several lines.

my $rules = text('docs/examples/alerts.yml');
my @rules = map { s/^>-//r =~ s/\s+/ /gr }
            $rules =~ /^ {8}expr: (.*\n(?: {10}.*\n)*)/gm;

# What is wrong with an expression, seen from an exposition.

sub strange {
    my ($m, $expression) = @_;
    my %ours = (instance => 1, job => 1);
    my @strange;

    while ($expression =~ /\b(ilert_\w+)(?:\{([^}]*)\})?/g) {
        my ($name, $matchers) = ($1, $2 // '');
        my %labels = map { $_ => 1 } $m->labels($name);
        push @strange, "no $name" if !$m->samples($name);

        while ($matchers =~ /(\w+)=~?"([^"]*)"/g) {
            my ($label, $values) = ($1, $2);
            push @strange, "no $name\{$label}"
                if !$labels{$label} && !$ours{$label};
            next if $values =~ /^\$/ || $label ne 'state';
            for my $value (split /\|/, $values) {
                push @strange, "no $label=\"$value\""
                    if !grep { $_->{labels}{$label} eq $value }
                       $m->samples($name);
            }
        }
    }

    my %all = (%ours, map { map { $_ => 1 } $m->labels($_) } keys %LABELS);
    push @strange, map { "no label $_" } grep { !$all{$_} }
        map { split /[, ]+/ } $expression =~ /\b(?:by|on) \(([^)]*)\)/g;
    return @strange;
}

subtest 'what the examples name' => sub {
    something_happens();
    my $m = read_metrics();
    cmp_ok(scalar @rules, '>', 8, 'rules');
    cmp_ok(scalar @queries, '>', 15, 'queries of the dashboard');
    is_deeply([ strange($m, $_) ], [], $_) for @rules, @queries;

    my %labels = map { $_ => 1 } 'instance', map { $m->labels($_) }
                 keys %LABELS;
    is_deeply([ grep { !$labels{$_} } $rules =~ /\$labels\.(\w+)/g ], [],
              'labels in annotations');

    ok(scalar strange($m, $_), "is noticed: $_")
        for 'ilert_none', 'ilert_pending{queue="x"}',
            'sum by (host) (ilert_pending)',
            'ilert_source_state{state="asleep"}';

    my %named = map { $_ => 1 } map { /\b(ilert_\w+)/g } @queries;
    is_deeply([ grep { !$named{$_} && !/^ilert_(?:info|\w+_(?:sum|count))$/ }
                sort keys %LABELS ], [], 'all are on the dashboard');
};

subtest 'the dashboard' => sub {
    my %ids;
    for my $panel (@{$dashboard->{panels}}) {
        my $title = $panel->{title};
        ok(!$ids{$panel->{id}}++, "$title: its id");
        like($panel->{description}, qr/\w\.$/, 'what it is');
        is_deeply([ grep { $_->{datasource}{uid} ne '${datasource}' }
                    $panel, @{$panel->{targets}} ], [], 'its data source');

        my $pos = $panel->{gridPos};
        cmp_ok($pos->{x} + $pos->{w}, '<=', 24, 'where it is');
    }

    is($dashboard->{templating}{list}[0]{type}, 'datasource', 'a variable');
    cmp_ok($dashboard->{schemaVersion}, '>=', 37, 'of Grafana 9 or later');
    unlike(text('docs/examples/grafana.json'), qr{https?://}, 'no address');
};

my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
my ($prometheus) = grep { -x } map { "$_/prometheus" } split /:/, $ENV{PATH};

# Output and status of a command, whose input is a text.

sub run_command {
    my ($input, @command) = @_;

    my $path = $t->write_file('input', $input);
    open my $out, '-|', 'sh', '-c', 'f=$1; shift; exec "$@" 2>&1 <"$f"', 'sh',
        $path, @command or die "cannot run $command[0]: $!";
    local $/;
    my $text = <$out> // '';
    local ($!, $?);
    close $out;
    return ($? >> 8, $text);
}

sub promtool {
    my ($what, $input, @arguments) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($code, $text) = run_command($input, $promtool, @arguments);
    is($code, 0, $what) or diag($text);
    return $text;
}

subtest 'promtool' => sub {
    plan(skip_all => 'no promtool: Debian has it in "prometheus"')
        if !$promtool;

    is(promtool('check metrics', $q->metrics->{body}, 'check', 'metrics'), '',
       'nothing is said');
    promtool('check rules', '', 'check', 'rules',
             "$TOP/docs/examples/alerts.yml");
    promtool('test rules', '', 'test', 'rules', "$TOP/t/data/alerts_test.yml");

    my $tests = text('t/data/alerts_test.yml');
    is_deeply([ grep { $tests !~ /"$_"/ } $rules =~ /- alert: (\w+)/g ], [],
              'each rule is tested');
};

# A Prometheus that scrapes, in its own way.

sub start_prometheus {
    my ($port) = @_;
    my ($dir, $nginx) = ($t->dir, $t->port);

    my $config = $t->write_file('prometheus.yml', <<"YML");
global:
  scrape_interval: 250ms
  scrape_timeout: 250ms
  evaluation_interval: 500ms
rule_files:
  - $TOP/docs/examples/alerts.yml
scrape_configs:
  - job_name: ilert
    static_configs:
      - targets: ["127.0.0.1:$nginx"]
YML

    my $pid = fork() // die "fork: $!";
    return $pid if $pid;

    open STDOUT, '>', "$dir/prometheus.out";
    open STDERR, '>&', \*STDOUT;
    IlertTest::_die_with_parent();
    { exec $prometheus, "--config.file=$config", '--log.level=warn',
           "--storage.tsdb.path=$dir/tsdb",
           "--web.listen-address=127.0.0.1:$port" }
    POSIX::_exit(127);
}

sub query {
    my ($port, $expression) = @_;
    my $answer = $t->get('/api/v1/query?query='
        . IlertStatus::escape($expression), port => $port);
    my $json = $answer->{json} || {};
    return @{$json->{data}{result} || []}
        if ($json->{status} // '') eq 'success';
    return if !$answer->{status};
    die "$expression: $answer->{body}\n";
}

subtest 'Prometheus' => sub {
    plan(skip_all => 'no Debian package "prometheus"') if !$prometheus;
    something_happens();

    my $port = IlertFake::free_port();
    my $pid = start_prometheus($port);

    my $up = wait_until(sub {
        my ($up) = eval { query($port, 'min_over_time(up[2s])') };
        $up && $up->{value}[1] == 1;
    }, 20, 'a Prometheus');
    ok($up, 'scrapes') or diag($t->read_file('prometheus.out'));

    $q->say({ source => 'two' }, 'scraped CRITICAL');
    ok(wait_until(sub { query($port,
        'rate(ilert_events_delivered_total{source="two"}[9s]) > 0') }, 8),
       'what happens is seen');

    for my $expression (@queries) {
        my $filled = $expression =~ s/\$__rate_interval/10s/gr
                     =~ s/\$\w+/.*/gr;
        my @rows = eval { query($port, $filled) };
        is($@, '', $expression);
        ok(scalar @rows, 'there is something to be seen');
    }

    my @names = map { $_->{metric}{source} }
                query($port, "ilert_pending{source=~\"a\\\"(?s:.*)\"}");
    is_deeply(\@names, [ $ODD ], 'a strange name');

    my $firing = sub { [ map { "$_->{metric}{alertname} "
                                  . ($_->{metric}{source} // '') }
                         query($port, 'ALERTS{alertstate="firing"}') ] };
    is_deeply($firing->(), [], 'no alert')
        or diag($q->metrics->{body} =~ /^(ilert_dead.*\n)/gm);
    $fake->rule(match => qr/dead/, status => 400);
    $q->say('dead WARNING');
    ok(wait_until(sub { "@{$firing->()}" eq 'IlertDeadLetters ops' }, 10),
       'an alert') or diag(explain($firing->()));

    kill 'TERM', $pid;
    waitpid $pid, 0;
    is($?, 0, 'ends');
    $? = 0;
};

done();
