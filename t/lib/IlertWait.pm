package IlertWait;

# All waits of the tests.  A wait ends as soon as what it waits for is there,
# so that patience costs nothing: it is long enough for a machine that is busy
# with other things, whatever a test thinks is enough.
#
#     wait_until(sub { }, $seconds, $what)   true value of the sub, which is
#                           called again and again; '' and a diag when the time
#                           is over.  $what is a text, or a sub that returns
#                           one.  The time is $PATIENCE, or $seconds if that is
#                           longer
#     wait_quietly(sub { }, $seconds)   the same without a diag; $seconds are
#                           the time
#     patience($seconds)    the time that wait_until takes
#     $IlertWait::PATIENCE  60 s; TEST_PATIENCE in the environment.  After
#                           three waits in vain it is 10 s, so that a script
#                           that fails altogether comes to an end

use warnings;
use strict;

use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(patience wait_quietly wait_until);
our $PATIENCE = $ENV{TEST_PATIENCE} || 60;

my $in_vain = 0;


sub patience {
    my ($seconds) = @_;
    my $patience = $in_vain < 3 || $PATIENCE < 10 ? $PATIENCE : 10;
    return $patience > ($seconds // 0) ? $patience : $seconds;
}

sub wait_quietly {
    my ($sub, $seconds) = @_;
    my $deadline = time() + ($seconds // patience());
    my $pause = 0.002;

    while (1) {
        my $value = $sub->();
        return $value if $value;
        return '' if time() > $deadline;
        sleep($pause);
        $pause *= 1.5 if $pause < 0.03;
    }
}

sub wait_until {
    my ($sub, $seconds, $what) = @_;

    my $patience = patience($seconds);
    my $value = wait_quietly($sub, $patience);
    return $value if $value;

    $in_vain++;
    my (undef, $file, $line) = caller(_depth());
    $what = ref $what ? $what->() : $what // 'a condition';
    Test::More::diag("waited $patience s in vain for $what, $file:$line");
    return '';
}

# Returns how many callers there are between us and the script.

sub _depth {
    my $depth = 0;

    while (my (undef, $file) = caller($depth + 1)) {
        return $depth if $file eq $0;
        $depth++;
    }

    return 0;
}

1;
