#!/usr/bin/perl

# "make run" as a newcomer types it: the sandbox begins, shows an ALERT and,
# after an outage of ilert, its RESOLVE, and ends by itself as nobody is at
# a terminal.

use warnings;
use strict;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use IlertTest;

plan(skip_all => 'the sandbox loads a module, and this nginx has it inside')
    if defined $ENV{ILERT_MODULE} && $ENV{ILERT_MODULE} eq '';

plan(skip_all => 'an nginx without threads') unless IlertTest::has_threads();

# prove has our modules found wherever they are looked for

delete $ENV{PERL5LIB};

my $top = IlertTest::top();
my $shown = `"$top/tools/sandbox" </dev/null 2>&1`;

is($?, 0, 'it ends well') or diag($shown);

like($shown, qr/^ilert got +ALERT .*^ilert shows +alert open/ms,
     'ilert has the alert');
like($shown, qr/^ilert +is down now$/m, 'ilert is down');
like($shown, qr/^ilert +is back\n.*^ilert got +RESOLVE /ms,
     'and has the RESOLVE when it is back');
like($shown, qr/^ilert shows +alert resolved/m, 'which it shows');
like($shown, qr{^dashboard +http://127\.0\.0\.1:\d+/dashboard$}m,
     'where to look');

done();
