package IlertMetrics;

# A strict reader of what Prometheus scrapes: the text format 0.0.4, and
# OpenMetrics 1.0.
#
#     my $m = IlertMetrics->read($bytes);
#     my $m = IlertMetrics->read($bytes, openmetrics => 1);
#     is_deeply([ $m->faults ], []);
#     is($m->value('ilert_pending', source => 'ops'), 0);
#
# faults            what is wrong.  Of each family there is one HELP
#                   and then one TYPE, then its samples, together; names,
#                   labels, escapes and numbers are well-formed; no sample is
#                   there twice; a counter's name ends in _total, and no
#                   other's; a histogram has, for each set of labels, buckets
#                   that rise up to "+Inf", which is _count, and a _sum.  It
#                   ends with "# EOF" in OpenMetrics; without it there is none.
#                   Beyond the formats: there are no timestamps, no counter is
#                   negative, bounds are the same in both formats
# families          { name => { help, type, samples => [{ name, labels => {..},
#                   value }, ..] } }; a counter's name ends in _total, whatever
#                   the format
# samples($name)    those of that name: also NAME_bucket, NAME_sum, NAME_count
# value($name, %labels)   of the sample with exactly these labels, or undef
# labels($name)     names of its labels, sorted

use warnings;
use strict;

my $NAME = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $LABEL = qr/[a-zA-Z_][a-zA-Z0-9_]*/;
my $NUMBER = qr/[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/;
my $VALUE = qr/$NUMBER|[+-]Inf|NaN/;
my %TYPES = map { $_ => 1 } qw(counter gauge histogram summary untyped);
my %OPEN_TYPES = map { $_ => 1 } qw(counter gauge histogram summary unknown
                                    info stateset gaugehistogram);

sub read {
    my ($class, $bytes, %opt) = @_;

    my $self = bless { open => $opt{openmetrics}, families => {},
                       faults => [], seen => {} }, $class;
    my $text = $bytes // '';

    $self->fault('no UTF-8') if !utf8::decode($text);
    $self->fault('no text') if $text eq '';
    $self->fault('the last line has no end') if $text !~ /\n\z/;
    $self->fault('a line ends with CR') if $text =~ /\r/;

    if ($self->{open}) {
        $self->fault('no "# EOF" at the end') if $text !~ s/^# EOF\n\z//m;
        $self->fault('an empty line') if $text =~ /^\n/m;
    }

    my $n = 0;
    $self->line($_, ++$n) for split /\n/, $text;
    $self->check($_) for sort keys %{$self->{families}};
    return $self;
}

sub fault { my ($self, $what) = @_; push @{$self->{faults}}, $what }
sub faults { @{$_[0]{faults}} }
sub families { $_[0]{families} }

sub line {
    my ($self, $line, $n) = @_;
    my $at = "line $n: $line";

    if ($line =~ /^# (HELP|TYPE|UNIT) ($NAME)(?: (.*))?$/) {
        return $self->meta($1, $2, $3, $at);
    }

    return $self->sample($line, $at) if $line !~ /^#/ && $line =~ /\S/;
    return if !$self->{open} && $line !~ /^#\s*(?:HELP|TYPE|EOF)/;
    $self->fault("$at: neither a sample nor of one");
}

# OpenMetrics names the family of a counter without "_total".

sub meta {
    my ($self, $kind, $name, $text, $at) = @_;

    my $family = $self->{families}{$name} ||= { name => $name, samples => [] };
    my $last = $self->{last} // '';
    $self->{last} = $name;

    $self->fault("$at: twice") if exists $family->{lc $kind};
    $self->fault("$at: after its samples") if @{$family->{samples}};
    $self->fault("$at: apart from its family")
        if %$family > 2 && $last ne $name;
    $self->fault("$at: no HELP before it")
        if $kind ne 'HELP' && !exists $family->{help};
    $family->{lc $kind} = $text;

    if ($kind eq 'TYPE') {
        my $types = $self->{open} ? \%OPEN_TYPES : \%TYPES;
        $self->fault("$at: no type") if !$types->{$text // ''};

    } elsif ($kind eq 'HELP') {
        my $escapes = $self->{open} ? qr/\\[\\n"]/ : qr/\\[\\n]/;
        $self->fault("$at: no help") if ($text // '') !~ /\S/;
        $self->fault("$at: escapes")
            if ($text // '') !~ /^(?:[^\\]|$escapes)*$/
               || $self->{open} && $text =~ /(?<!\\)(?:\\\\)*"/;

    } else {
        $self->fault("$at: unit") if $name !~ /_\Q$text\E$/ || !$self->{open};
    }
}

sub sample {
    my ($self, $line, $at) = @_;

    my ($name, $labels, $value) = $line =~
        /^($NAME)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? ($VALUE)$/
        or return $self->fault("$at: no sample");

    my %labels;
    my $rest = $labels // '';
    while ($rest =~ s/^($LABEL)="((?:[^"\\]|\\[\\"n])*)"(?:,(?=.)|\z)//) {
        my ($label, $text) = ($1, $2);
        $text =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ge;
        $self->fault("$at: label $label twice") if exists $labels{$label};
        $self->fault("$at: label $label") if $label =~ /^__/;
        $labels{$label} = $text;
    }
    $self->fault("$at: labels") if $rest ne '';

    my $key = join "\0", $name, map { ($_, $labels{$_}) } sort keys %labels;
    $self->fault("$at: twice") if $self->{seen}{$key}++;

    my $family = $self->family_of($name);
    return $self->fault("$at: of no family") if !$family;
    $self->fault("$at: apart from its family")
        if $family->{name} ne ($self->{last} // '');

    push @{$family->{samples}}, { name => $name, labels => \%labels,
                                  value => number($value), at => $at };
}

sub number {
    my ($text) = @_;
    return 9**9**9 if $text eq '+Inf';
    return -9**9**9 if $text eq '-Inf';
    return -sin(9**9**9) if $text eq 'NaN';
    return $text + 0;
}

sub family_of {
    my ($self, $name) = @_;
    my $families = $self->{families};
    my ($base, $suffix) = $name =~ /^(.*)_(total|created|bucket|count|sum)$/;

    if (defined $base && $families->{$base}) {
        my $type = $families->{$base}{type} // '';
        return $families->{$base}
            if $type eq 'histogram' && $suffix =~ /^(?:bucket|count|sum)$/
               || $type eq 'counter' && $self->{open}
                  && $suffix =~ /^(?:total|created)$/;
    }

    return $families->{$name};
}

# Families -----------------------------------------------------------------

sub check {
    my ($self, $name) = @_;
    my $family = $self->{families}{$name};
    my $type = $family->{type} // '';

    $self->fault("$name: no TYPE") if $type eq '';
    $self->fault("$name: its samples differ in their labels")
        if keys %{{ map { join(',', grep { $_ ne 'le' } sort keys
                               %{$_->{labels}}) => 1 }
                    @{$family->{samples}} }} > 1;

    if ($type eq 'counter') {
        my $total = $name =~ /_total$/;
        $self->fault("$name: the name of a counter")
            if $self->{open} ? $total : !$total;
        for (@{$family->{samples}}) {
            $self->fault("$_->{at}: the name of a counter")
                if $_->{name} !~ /_total$/;
            $self->fault("$_->{at}: a counter") if !($_->{value} >= 0);
        }

        delete $self->{families}{$name};
        $self->{families}{$name =~ /_total$/ ? $name : "${name}_total"}
            = $family;

    } else {
        $self->fault("$name: not the name of a $type")
            if $name =~ /_(?:total|bucket|count|sum)$/;
        $self->histogram($name, $family) if $type eq 'histogram';
    }
}

sub histogram {
    my ($self, $name, $family) = @_;
    my (%of, @order);

    for my $sample (@{$family->{samples}}) {
        my %labels = %{$sample->{labels}};
        my $le = delete $labels{le};
        my $key = join "\0", map { ($_, $labels{$_}) } sort keys %labels;
        push @order, $key if !$of{$key};
        my $of = $of{$key} ||= { buckets => [] };

        if ($sample->{name} eq "${name}_bucket") {
            $self->fault("$sample->{at}: le")
                if ($le // '') !~ /^(?:[0-9]+\.[0-9]+|\+Inf)$/;
            push @{$of->{buckets}}, [ $le, $sample->{value} ];
            next;
        }

        $self->fault("$sample->{at}: le") if defined $le;
        $of->{$sample->{name}} = $sample->{value};
    }

    for my $of (map { $of{$_} } @order) {
        my @buckets = @{$of->{buckets}};
        my @bounds = map { number($_->[0] // 'NaN') } @buckets;
        my ($sum, $count) = map { $of->{"${name}_$_"} } qw(sum count);

        $self->fault("$name: no sum") if !defined $sum || !($sum >= 0);
        $self->fault("$name: no count") if !defined $count;
        $self->fault("$name: the last bucket is not \"+Inf\"")
            if !@buckets || ($buckets[-1][0] // '') ne '+Inf';
        $self->fault("$name: \"+Inf\" is not the count")
            if @buckets && $buckets[-1][1] != ($count // -1);
        $self->fault("$name: its bounds do not rise")
            if grep { !($bounds[$_] > $bounds[$_ - 1]) } 1 .. $#bounds;
        $self->fault("$name: its buckets do not rise")
            if grep { $buckets[$_][1] < $buckets[$_ - 1][1] } 1 .. $#buckets;
    }
}


# What is in it ------------------------------------------------------------

sub samples {
    my ($self, $name) = @_;
    return grep { $_->{name} eq $name }
           map { @{$_->{samples}} } values %{$self->{families}};
}

sub value {
    my ($self, $name, %labels) = @_;

    my ($sample) = grep {
        my $of = $_->{labels};
        keys %$of == keys %labels
            && !grep { !defined $of->{$_} || $of->{$_} ne $labels{$_} }
               keys %labels;
    } $self->samples($name);

    return $sample ? $sample->{value} : undef;
}

sub labels {
    my ($self, $name) = @_;
    my %names = map { map { $_ => 1 } keys %{$_->{labels}} }
                $self->samples($name);
    my @names = sort keys %names;
    return @names;
}

1;
