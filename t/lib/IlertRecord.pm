package IlertRecord;

# What an nginx under test does to the files of its queue, in order, and what
# the test did meanwhile: t/powerloss/record.c, built for the occasion, and
# tools/shim.c behind it, so that the disk can also be broken.
#
#     my $record = IlertRecord->new($dir) or plan(skip_all => 'no compiler');
#     my $q = IlertQueue->new(shim => $record, queue => $record->folder);
#     $record->mark("sent ops/k1 1");
#
# new($dir)             the record is $dir/record, the folder $dir/disk/queue;
#                       and all methods of IlertShim
# mark($text)           an entry of the test's
# safely(sub { })       nothing is done meanwhile that is not in the record:
#                       what it kills has written down all that it did
# damage($name, $offset, $bytes)   writes to a file, and that it did
# replace(\%files)      name => bytes; makes the folder anew, with these
#
# IlertRecord::entries($file, sub { })   calls it with each entry, { type,
#     inode, value, data }, until it returns "enough"
#     c     a file of that path was opened, and made if it was not there
#     w, t  written at an offset; cut to a size
#     b     a sync begins, with a number; e: of a file ends; d: of a folder
#     u, r  a path was unlinked; renamed: "from\nto"
#     k     a folder was made
#     z     the folder is gone, with all that was in it
#     a     an answer of 202 is about to be sent: its beginning
#     m     mark

use warnings;
use strict;

use parent 'IlertShim';

use Cwd qw(abs_path);
use Fcntl qw(O_APPEND O_CREAT O_TRUNC O_WRONLY :flock);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);

my $HEAD = 'a x3 L Q q';
my $SIZE = length pack $HEAD, '', 0, 0, 0;

sub new {
    my ($class, $dir) = @_;

    my $recorder = IlertShim::build('t/powerloss/record.c') or return;
    my $self = $class->SUPER::new or return;

    make_path("$dir/disk");
    $dir = abs_path($dir);
    $self->{dir} = $dir;
    $self->{recorder} = $recorder;
    sysopen $self->{record}, "$dir/record", O_WRONLY|O_CREAT|O_TRUNC|O_APPEND
        or die "$dir/record: $!";
    return $self->SUPER::folder($self->folder);
}

sub folder { "$_[0]{dir}/disk/queue" }

sub env {
    my ($self) = @_;
    my $env = $self->SUPER::env;
    return { %$env, LD_PRELOAD => "$self->{recorder} $env->{LD_PRELOAD}",
             ILERT_RECORD => "$self->{dir}/record",
             ILERT_RECORD_FOLDER => $self->folder };
}

sub entry {
    my ($self, $type, $inode, $value, $data) = @_;

    utf8::encode($data) if utf8::is_utf8($data);
    my $bytes = pack($HEAD, $type, length $data, $inode, $value) . $data;
    my $n = syswrite $self->{record}, $bytes;
    die "record: $!" if !defined $n || $n != length $bytes;
}

sub mark { my ($self, $text) = @_; $self->entry('m', 0, 0, $text) }

sub safely {
    my ($self, $sub) = @_;

    flock $self->{record}, LOCK_EX or die "flock: $!";
    my @result = $sub->();
    flock $self->{record}, LOCK_UN or die "flock: $!";
    return wantarray ? @result : $result[0];
}

sub damage {
    my ($self, $name, $offset, $bytes) = @_;
    my $path = $self->folder . "/$name";

    open my $file, -e $path ? '+<:raw' : '+>:raw', $path or die "$path: $!";
    seek $file, $offset, 0;
    print $file $bytes;
    my $inode = (stat $file)[1];
    close $file or die "$path: $!";

    $self->entry('c', $inode, 0, $path);
    $self->entry('w', $inode, $offset, $bytes);
    $self->synced('e', $inode, '');
}

sub synced {
    my ($self, $type, $inode, $path) = @_;
    $self->entry('b', $inode, 0, '');
    $self->entry($type, $inode, 0, $path);
}

sub replace {
    my ($self, $files) = @_;
    my $folder = $self->folder;

    remove_tree($folder);
    $self->entry('z', 0, 0, '');
    return if !$files;

    mkdir $folder, 0700 or die "$folder: $!";
    $self->entry('k', 0, 0, $folder);
    $self->synced('d', 0, dirname($folder));

    $self->damage($_, 0, $files->{$_}) for sort keys %$files;
    chmod 0600, glob "$folder/*";
    $self->synced('d', 0, $folder);
}

sub entries {
    my ($name, $sub) = @_;

    open my $file, '<:raw', $name or die "$name: $!";

    while ((my $n = read $file, my $head, $SIZE)) {
        my ($type, $size, $inode, $value) = unpack $HEAD, $head;
        my $data = '';
        die "$name: cut off\n" if $n != $SIZE
                                  || $size != read $file, $data, $size;
        my $answer = $sub->({ type => $type, inode => $inode,
                              value => $value, data => $data });
        last if ($answer // '') eq 'enough';
    }
}

1;
