package IlertShim;

# A clock that can be set and a disk that can be broken or stopped, for an
# nginx under test: tools/shim.c, built for the occasion.
#
#     my $shim = IlertShim->new or plan(skip_all => 'no compiler');
#     my $q = IlertQueue->new(env => $shim->env);
#     $shim->folder($q->dir);      # the disk is that of files below it
#
# clock($seconds)       is added to the time of day, may be negative
# pass($seconds)        as if so much more time went by: timers are moved too,
#                       but a process has to be woken to see it; may be a
#                       fraction
# hold, go              the clock and all timers stand still; they go on.  What
#                       nginx does meanwhile it does at once
# now                   the time that nginx has, in seconds since 1970
# stuck(0 | 1 | $pid)   a sync does not return, or none in that process
# write_error($errno)   of each write; 0: none
# sync_error($errno)    of each sync
# open_error($errno)    of each open(); EROFS: of those that could change the
#                       folder, and of unlink() and rename()
# set(%what)            several at once: clock, stuck, write, sync, open,
#                       folder
# well                  the disk is as it should be; the clock stays
# deadly($text)         a process that writes it, to a log, dies; '': none
# still($text)          a process that writes it waits as long as this is set

use warnings;
use strict;

use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use Time::HiRes qw(CLOCK_MONOTONIC time);

use IlertTest ();

my %library;                          # source => file, '' if it is not built

sub build {
    my ($source) = @_;
    return $library{$source} if defined $library{$source};

    my $top = IlertTest::top();
    my $cc = $ENV{CC} || 'cc';
    make_path("$top/build/t");
    my $file = File::Temp->new(TEMPLATE => 'shim-XXXXXX', SUFFIX => '.so',
        DIR => "$top/build/t", UNLINK => 0);
    $file->close;
    chmod 0755, "$file";

    my $text = `$cc -shared -fPIC -O1 -o '$file' '$top/$source' -ldl 2>&1`;
    if ($?) {
        unlink "$file";
        Test::More::diag($text);
        return $library{$source} = '';
    }

    return $library{$source} = "$file";
}

END { unlink grep { length } values %library }

sub new {
    my ($class) = @_;
    my $library = build('tools/shim.c') or return;

    my $file = File::Temp->new(TEMPLATE => 'shim-XXXXXX',
                               DIR => dirname($library));
    chmod 0644, "$file";
    my $self = bless { file => $file, library => $library, clock => 0,
                       passed => 0, held => 0, stood => 0, stuck => 0,
                       write => 0, sync => 0, open => 0,
                       folder => '/nowhere', deadly => '',
                       still => '' }, $class;
    return $self->store;
}

# A sanitizer's library has to be the first one that is preloaded.

sub env {
    my ($self) = @_;
    my $options = join ':', grep { length } $ENV{ASAN_OPTIONS} // '',
                  'verify_asan_link_order=0';
    return { LD_PRELOAD => $self->{library}, ILERT_SHIM => "$self->{file}",
             ASAN_OPTIONS => $options };
}

sub store {
    my ($self) = @_;

    open my $file, '+<:raw', "$self->{file}" or die "$self->{file}: $!";
    print $file pack 'q q q q l l l l a232 a64 a64',
        @$self{qw(clock passed held stood stuck write sync open folder deadly
                  still)};
    close $file or die "$self->{file}: $!";
    return $self;
}

sub set { my ($self, %what) = @_; %$self = (%$self, %what); $self->store }
sub clock { $_[0]->set(clock => $_[1]) }

sub pass {
    my ($self, $seconds) = @_;
    my $part = $seconds - int $seconds;

    return $self->set(passed => $self->{passed} + int $seconds,
                      stood => $self->{stood} - int($part * 1e9));
}


sub hold {
    my ($self) = @_;
    return $self if $self->{held};
    return $self->set(held => _monotonic());
}

sub go {
    my ($self) = @_;
    my $held = $self->{held} or return $self;
    return $self->set(held => 0,
        stood => $self->{stood} + _monotonic() - $held);
}

# In ns, of the kernel

sub _monotonic { int(Time::HiRes::clock_gettime(CLOCK_MONOTONIC) * 1e9) }

sub now {
    my ($self) = @_;
    my $stood = $self->{stood};
    $stood += _monotonic() - $self->{held} if $self->{held};
    return time() + $self->{clock} + $self->{passed} - $stood / 1e9;
}

sub stuck { $_[0]->set(stuck => $_[1]) }
sub write_error { $_[0]->set(write => $_[1]) }
sub sync_error { $_[0]->set(sync => $_[1]) }
sub open_error { $_[0]->set(open => $_[1]) }
sub well { $_[0]->set(map { $_ => 0 } qw(stuck write sync open)) }
sub folder { $_[0]->set(folder => $_[1]) }
sub deadly { $_[0]->set(deadly => $_[1]) }
sub still { $_[0]->set(still => $_[1]) }

1;
