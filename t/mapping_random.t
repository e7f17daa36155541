#!/usr/bin/perl

# Webhooks made by chance through mappings made by chance: what leaves is
# valid by the schema, which the fake ilert checks, within the cap, and what
# IlertMap says.  TEST_SEED makes others, TEST_RANDOM more.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use MIME::Base64 qw(encode_base64);
use Test::More;

use IlertCheck;
use IlertFake;
use IlertMap;
use IlertRandom qw(chance pick);
use IlertTest;

use constant { LOCATIONS => 40, AT_ONCE => 24, MAPS => 6, SETS => 2 };

my $OPS = 'il1api5ec4e7e01';
my $DBA = 'il1api5ec4e7e02';
my %KEY = (ops => $OPS, dba => $DBA);

my $seed = IlertRandom::seed();
my $random = $ENV{TEST_RANDOM} // 3000;


# Texts of nginx.conf.  A "$" comes from a geo, as it cannot be written.

my @UNITS = ('a' .. 'f', '0' .. '3', ' ', ' ', '"', "'", '\\', '\\n', '/',
    ';', '{', '}', '#', '<', '&', '%41', '(', '*', "\n", "\r", "\t", "\x01",
    "\x1f", "\x7f", "\0", map { IlertMap::bytes($_) } "\x{e9}", "\x{263a}",
    "\x{2028}", "\x{1f600}", "\x{10ffff}", "\x{fffd}");
my @BAD = ("\xff", "\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xed\xa0\x80",
    "\xc0\x80");

my @REQUEST = (qw(arg_a arg_b arg_none http_x_a http_x_b remote_user c1 c2),
    'dollar');
my @KAPACITOR = map { "kapacitor_$_" } qw(id message details details_text
    time duration level previous_level recoverable name task group server
    id_md5 tag_host tag_cpu tag_v tag_a_b tag__ tag_Usage_idle tag_none field_v
    field_VALUE field_w field_usage_idle field_a_b field__ field_current_value
    field_none);
my @ILERT = map { "ilert_$_" } qw(event_type alert_key source event_id);
my @MAPPED = (map({ 'm' . $_ } 0 .. MAPS - 1), map({ 's' . $_ }
    0 .. SETS - 1));
my @ALL = (@REQUEST, @KAPACITOR, @KAPACITOR, @ILERT, @MAPPED);


sub literal {
    my ($n) = @_;

    return join '', map { chance(0.05) ? pick(@BAD) : pick(@UNITS) } 1 .. $n;
}


sub template {
    my (@variables) = @_;

    my @parts = map { chance(0.4) ? \pick(@variables) : literal(rand 6) }
                1 .. 1 + rand 3;
    my $text = '';

    for my $i (0 .. $#parts) {
        my $name = ref $parts[$i] ? ${$parts[$i]} : undef;
        my $next = $i < $#parts && !ref $parts[$i + 1] ? $parts[$i + 1] : '';

        $text .= !defined $name ? $parts[$i]
               : $next =~ /^\w/a || $next eq '' && $i < $#parts
                 || chance(0.5) ? "\${$name}" : "\$$name";
    }

    return $text;
}


sub value {
    return chance(0.1) ? '' : chance(0.3) ? '$' . pick(@ALL)
         : template(@ALL);
}


sub name {
    return chance(0.7) ? pick(qw(a b c host level tags), 'n n')
                       : 'n' . value();
}


# Maps and sets: { of => text, by => { key => text }, else => text }.

my @maps = map {
    my %by = map { lc($_) => chance(0.3) ? pick('', 'HIGH', 'LOW', 'urgent',
        1 .. 6, 'ALERT', 'off') : template(@REQUEST, @KAPACITOR) }
        grep { chance(0.7) } qw(OK INFO WARNING CRITICAL true), '';
    { of => '$' . pick(qw(kapacitor_level kapacitor_previous_level arg_a
                          kapacitor_recoverable kapacitor_tag_host)),
      by => \%by, else => chance(0.7) ? template(@REQUEST, @KAPACITOR)
                                      : undef }
} 1 .. MAPS;

my @sets = map { template(@REQUEST) } 1 .. SETS;

my %priority = (map({ $_ => pick('HIGH', 'LOW', '', 'urgent', 'high') }
                    qw(ok info warning critical)));
my %severity = (map({ $_ => pick(1 .. 6, '', 'x') }
                    qw(ok info warning critical)));
my %type = (map({ $_ => pick(qw(ALERT RESOLVE ACCEPT COMMENT off), '', 'x') }
                qw(ok info warning critical)));

sub map_block {
    my ($name, $of, $by, $else) = @_;

    return "map \"$of\" \$$name {\n" . join('', map {
        IlertMap::quoted($_) . ' ' . IlertMap::quoted($by->{$_}) . ";\n"
    } sort keys %$by) . (defined $else ? 'default '
        . IlertMap::quoted($else) . ";\n" : '') . "}\n";
}


# Variables other than of the webhook and event.

sub known {
    my ($vars) = @_;

    my $mapped = sub {
        my ($by, $of, $else) = @_;
        return exists $by->{lc $of} ? $by->{lc $of} : $else // '';
    };

    return sub {
        my ($name, $value_of) = @_;

        return $vars->{$name} if exists $vars->{$name};
        return '$' if $name eq 'dollar';
        return $value_of->($sets[$1]) if $name =~ /^s(\d)\z/;

        my $level = $value_of->('$kapacitor_level');
        return $mapped->(\%priority, $level) if $name eq 'priority';
        return $mapped->(\%severity, $level) if $name eq 'severity';
        return $mapped->(\%type, $level) if $name eq 'type';

        if ($name =~ /^m(\d)\z/) {
            my $map = $maps[$1];
            return $value_of->($mapped->($map->{by},
                $value_of->($map->{of}), $map->{else}));
        }

        return '';
    };
}


# Mappings

sub list {
    my ($of) = @_;
    return [map { $of->() } 1 .. 1 + rand 4];
}

my %ITEM = (
    label => sub { [name(), value()] },
    custom_detail => sub { [pick(name(), 'id', 'message', 'fields', 'rows',
                                 'truncated'), value()] },
    link => sub { [pick(value(), 'https://x/' . value()),
                   chance(0.5) ? value() : ()] },
    image => sub { [value(), chance(0.6) ? (value(), chance(0.5) ? value()
                                                     : ()) : ()] },
    service => sub { [value()] },
    comment => sub { [value()] },
);

sub mapping {
    my ($p) = @_;
    my %m;

    for (qw(summary details routing_key)) {
        $m{$_} = value() if chance($p);
    }

    for (sort keys %ITEM) {
        $m{$_} = list($ITEM{$_}) if chance($p);
    }

    $m{event_type} = pick('$type', '$type', '$arg_type', 'ALERT', '', 'off',
                          'COMMENT', '$kapacitor_tag_host')
        if chance($p / 2);
    $m{alert_key} = chance(0.3) ? '$kapacitor_id'
                  : chance(0.1) ? " \t" : 'k' . value() if chance($p);
    $m{priority} = pick('$priority', '$priority', 'HIGH', 'LOW', '', '$m0')
        if chance($p);
    $m{severity} = pick('$severity', '$severity', 1 .. 5, '', '$m1')
        if chance($p);

    return %m;
}


my @servers = map { { mapping(0.3) } } 1, 2;
my @places;
my @conf = ('') x @servers;

for my $n (0 .. LOCATIONS - 1) {
    my $server = $n % @servers;
    my %mapping = mapping(pick(0.1, 0.4, 0.7));
    my $source = pick(qw(ops ops ops dba), '$arg_source');
    my $captures = chance(0.4);
    my $max = chance(0.4) ? 4 : chance(0.3) ? 9 : 64;

    my $location = $captures
        ? "~ \"(?s)^/c/$n/(?<c1>[^/]*)/(?<c2>[^/]*)\$\"" : "= /p/$n";
    my $text = "location $location {\nilert_kapacitor $source;\n"
        . "ilert_event_max_size ${max}k;\n"
        . join('', map { "set \$s$_ " . IlertMap::quoted($sets[$_]) . ";\n" }
                   0 .. $#sets)
        . IlertMap::directives(%mapping) . "}\n";

    $conf[$server] .= $text;
    push @places, {
        n => $n, server => $server, captures => $captures, text => $text,
        max => $max * 1024, mapping => { %{$servers[$server]}, %mapping,
            source => $source, sources => [sort keys %KEY] },
        count => 0, wrong => [],
    };
}

my $fake = IlertFake->start(keys => { map { $_ => 'api' } values %KEY });

my $t = IlertTest->new(fake => $fake, workers => 2, conf => join '', <<"CONF",
    client_body_buffer_size 1m;
    ilert_source ops { integration_key $OPS; }
    ilert_source dba { integration_key $DBA; }
    geo \$dollar { default "\$"; }
CONF
    map_block('priority', '$kapacitor_level', \%priority),
    map_block('severity', '$kapacitor_level', \%severity),
    map_block('type', '$kapacitor_level', \%type),
    map({ map_block("m$_", @{$maps[$_]}{qw(of by else)}) } 0 .. $#maps),
    map({ "server {\nlisten 127.0.0.1:%%PORT_$_%%;\n"
          . IlertMap::directives(%{$servers[$_]}) . $conf[$_] . ($_ ? ''
          : <<'CONF') . "}\n" } 0 .. $#servers))->start;
    location /ilert/ {
        internal;
        ilert_endpoint;
        proxy_pass http://%%FAKE%%/api/$ilert_path;
        proxy_set_header X-Event $ilert_event_id;
    }
CONF


# A request: where it goes, and the variables that it sets.

sub request {
    my ($place) = @_;

    my %value = map { $_ => literal(rand 8) } qw(arg_a arg_b http_x_a
        remote_user c1 c2);
    my %vars = (
        map({ $_ => $value{$_} =~ s/[\x00-\x20&#\x7f]/_/gr } qw(arg_a arg_b)),
        http_x_a => $value{http_x_a} =~ s/[\0\r\n]/_/gr =~ s/^ +| +$//gr,
        remote_user => $value{remote_user} =~ s/:/_/gr,
        arg_source => pick(qw(ops ops dba dba off none), ''),
        arg_type => pick(qw(ALERT off FOO), ''),
    );

    if ($place->{captures}) {
        $vars{$_} = 'c' . $value{$_} =~ s/[\0\/]/_/gr for qw(c1 c2);
    }

    my $uri = $place->{captures}
        ? "/c/$place->{n}/" . join '/', map { $vars{$_} =~
            s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger } qw(c1 c2)
        : "/p/$place->{n}";
    $uri .= '?' . join '&', map { "$_=" . $vars{"arg_$_"} }
                            qw(a b source type);

    my @headers = ('X-A' => $vars{http_x_a});
    push @headers, Authorization => 'Basic ' . encode_base64(
        "$vars{remote_user}:x", '') if $vars{remote_user} ne '';

    return ($uri, \%vars, headers => \@headers,
            port => $t->port($place->{server}));
}


sub begin {
    my $place = pick(@places);
    my $body = IlertRandom::webhook(short => chance(0.8));
    my ($uri, $vars, @opt) = request($place);

    return { place => $place, body => $body, uri => $uri, vars => $vars,
             handle => $t->start_post($uri, $body, @opt) };
}


my %outcome;

sub compare {
    my ($case, $answer, $request) = @_;

    my ($place, $body) = @$case{qw(place body)};
    my $id = ref $answer->{json} eq 'HASH' ? $answer->{json}{event} // '' : '';
    my @wrong;
    my ($key, $json, $event);

    if ($request) {
        ($key, $json, $event) = IlertCheck::event($request, \@wrong);
        push @wrong, "ilert answered $request->{status} "
            . ($request->{message} // '') if $request->{status} != 202;
        push @wrong, "fault: $request->{fault}" if $request->{fault};
    }

    my $expected = IlertMap::expect($body, %{$place->{mapping}},
        get => known($case->{vars}), event_id => $id, max => $place->{max},
        $event ? (sent_key => IlertMap::bytes($event->get('alertKey') // ''))
               : ());

    push @wrong, IlertCheck::answer_wrong($answer, $expected);

    if (!$expected->{event}) {
        push @wrong, 'something was sent' if $request;

    } elsif (!$request) {
        push @wrong, 'nothing was sent';

    } elsif ($event) {
        push @wrong, "integrationKey: $key"
            if $key ne $KEY{$expected->{source}};
        push @wrong, IlertCheck::event_wrong($json, $event,
            $expected->{event}, $place->{max});
        $outcome{cut}++ if $json =~ /"truncated":true\}\}\z/;
    }

    $outcome{$expected->{result} // $expected->{status}}++;
    $outcome{bad}++ if @{$expected->{bad} // []};
    $place->{count}++;
    push @{$place->{wrong}}, [$case, $request, @wrong] if @wrong;
}


# While a batch is compared the next one is on its way.

my ($done, $seen) = (0, 0);
my (@batch, %sent);

while ($done < $random) {
    my @next = map { begin() } 1 .. AT_ONCE;

    finish(@batch);
    @batch = @next;
    $done += @next;
}

finish(@batch);


sub finish {
    my (@cases) = @_;

    my @answers = $t->finish(map { $_->{handle} } @cases) or return;
    my @all = $fake->requests;

    for (@all[$seen .. $#all]) {
        my $id = $_->{header}{'x-event'} // '';
        $sent{$sent{$id} ? "$id twice" : $id} = $_;
    }

    $seen = @all;

    for my $i (0 .. $#cases) {
        my $json = $answers[$i]{json};
        my $id = ref $json eq 'HASH' ? $json->{event} : undef;

        compare($cases[$i], $answers[$i],
                defined $id ? delete $sent{$id} : undef);
    }
}


for my $place (@places) {
    my @failed = @{$place->{wrong}};

    ok(!@failed, "TEST_SEED=$seed, location $place->{n}: "
       . "$place->{count} webhooks") or report($place, @failed);
}


sub report {
    my ($place, @failed) = @_;

    diag(scalar(@failed) . ' webhooks, the first:');
    my ($case, $request, @wrong) = @{$failed[0]};

    IlertCheck::report({ test => $t, failed => $place->{n} }, $case->{body},
        $case->{uri}, @wrong, $request ? "sent: $request->{body}" : (),
        "server: " . IlertMap::directives(%{$servers[$place->{server}]}),
        $place->{text}, map { "$_: $case->{vars}{$_}" }
                        sort keys %{$case->{vars}});
}


is(join(' ', keys %sent), '', 'every request belongs to an answer');

note(join ', ', map { "$_: $outcome{$_}" } sort keys %outcome);

if ($random >= 1000) {
    cmp_ok($outcome{accepted} // 0, '>', $random / 5, 'many are sent');
    ok($outcome{$_}, "some are $_") for qw(ignored 422 cut bad);
}

done();
