package IlertDisk;

# What a disk may hold after a power loss, by a record of what has changed it
# (IlertRecord).  All that was synced is there.  Of all other changes, which
# are writes of sectors of 512 bytes, sizes, and names, any part may be there.
#
#     my $disk = IlertDisk->new(folder => $path);
#     $disk->apply($_) for @entries;
#     my $image = $disk->image;
#
# new(%opt)
#     folder => path        the files in it; and itself
#     leave_out => qr//     syncs of files whose name matches, ".", the folder,
#                           "..", what it is in, are as if they had not been
# apply($entry)
# image                 { files => { name => bytes }, objects => { name =>
#                       number of the file that it was }, text }, by rand();
#                       files is undef if there is no folder
# sums                  { name => digest } of the files now
# number($name)         of the file that has the name now
# unsynced              list of names, now, that a power loss may take away
#                       or give back; ".." is the folder's own
# old_shm($bytes)       of -shm, as a process that was killed left it
#
# What is mapped is in no record, and SQLite never syncs it: -shm is missing,
# empty, zeros, noise, or an old one.

use warnings;
use strict;

use Digest::MD5 qw(md5_hex);

use IlertRandom qw(chance pick);

my $SECTOR = 512;

sub new {
    my ($class, %opt) = @_;
    my $self = bless { %opt, n => 0, number => 0 }, $class;
    $self->forget;
    return $self;
}

# Makes the disk an empty one.

sub forget {
    my ($self) = @_;
    %$self = (%$self, files => {}, names => {}, safe => {}, changes => [],
              syncs => {}, there => 0, folder_safe => 0);
}

sub old_shm { my ($self, $bytes) = @_; $self->{shm} = $bytes }
sub number { my ($self, $name) = @_; return $self->{names}{$name}{number} }

sub unsynced {
    my ($self) = @_;
    my %names = map { map { $_ => 1 } keys %{$_->[1]} } @{$self->{changes}};
    $names{'..'} = 1 if !$self->{folder_safe};
    return sort keys %names;
}

sub sums {
    my ($self) = @_;
    my $names = $self->{names};
    return { map { $_ => md5_hex($names->{$_}{now}) }
             grep { !/-shm$/ } keys %$names };
}


# What is done ------------------------------------------------------------

my %APPLY = (c => \&created, w => \&written, t => \&cut, b => \&sync_begins,
             e => \&synced, d => \&folder_synced, u => \&unlinked,
             r => \&renamed, k => \&made, z => \&forget);

sub apply {
    my ($self, $entry) = @_;
    my $apply = $APPLY{$entry->{type}} or return;
    $self->{n}++;
    $apply->($self, $entry);
}

sub name_of {
    my ($self, $path) = @_;
    my $folder = $self->{folder};
    return $path =~ m{^\Q$folder\E/([^/]+)$} ? $1 : die "$path: what is it?\n";
}

sub file {
    my ($self, $entry) = @_;
    return $self->{files}{$entry->{inode}}
           // die "a file that nobody has made: $entry->{inode}\n";
}

# The number of an inode can be used again for another file.

sub created {
    my ($self, $entry) = @_;
    my $name = $self->name_of($entry->{data});
    my $file = $self->{files}{$entry->{inode}};

    return if $file && ($self->{names}{$name} // 0) == $file;

    $file = $self->{files}{$entry->{inode}} = { number => ++$self->{number},
        now => '', safe => '', changes => [] }
        if !$file || !grep { $_ == $file } values %{$self->{names}};

    $self->change_names($name => $file);
}

sub change_names {
    my ($self, %names) = @_;
    push @{$self->{changes}}, [ $self->{n}, \%names ];
    set_names($self->{names}, \%names);
}

sub set_names {
    my ($names, $change) = @_;

    for (keys %$change) {
        defined $change->{$_} ? $names->{$_} = $change->{$_}
                              : delete $names->{$_};
    }
}

sub unlinked {
    my ($self, $entry) = @_;
    $self->change_names($self->name_of($entry->{data}) => undef);
}

sub renamed {
    my ($self, $entry) = @_;
    my ($from, $to) = map { $self->name_of($_) } split /\n/, $entry->{data};
    my $file = $self->{names}{$from} or die "$from is renamed, and is none\n";
    $self->change_names($from => undef, $to => $file);
}

sub made { $_[0]{there} = 1 }

sub written {
    my ($self, $entry) = @_;
    my $file = $self->file($entry);
    push @{$file->{changes}}, [ $self->{n}, $entry->{value}, $entry->{data} ];
    put(\$file->{now}, $entry->{value}, $entry->{data});
}

sub cut {
    my ($self, $entry) = @_;
    my $file = $self->file($entry);
    push @{$file->{changes}}, [ $self->{n}, $entry->{value} ];
    resize(\$file->{now}, $entry->{value});
}

sub put {
    my ($bytes, $offset, $data) = @_;
    resize($bytes, $offset) if length $$bytes < $offset;
    substr($$bytes, $offset, length $data) = $data;
}

sub resize {
    my ($bytes, $size, $filler) = @_;
    my $more = $size - length $$bytes;

    if ($more > 0) {
        $$bytes .= $filler ? $filler->($more) : "\0" x $more;

    } else {
        substr($$bytes, $size) = '';
    }
}

sub sync_begins {
    my ($self, $entry) = @_;
    $self->{syncs}{$entry->{value}} = $self->{n};
}

sub synced {
    my ($self, $entry) = @_;
    my $file = $self->file($entry);
    my $begun = delete $self->{syncs}{$entry->{value}};

    return if $self->left_out(grep { $self->{names}{$_} == $file }
                              keys %{$self->{names}});

    my $changes = $file->{changes};

    while (@$changes && $changes->[0][0] < $begun) {
        my (undef, $value, $data) = @{shift @$changes};
        defined $data ? put(\$file->{safe}, $value, $data)
                      : resize(\$file->{safe}, $value);
    }
}

sub folder_synced {
    my ($self, $entry) = @_;
    my $begun = delete $self->{syncs}{$entry->{value}};

    my $is_folder = $entry->{data} eq $self->{folder};

    return if $self->left_out($is_folder ? '.' : '..');

    if (!$is_folder) {
        $self->{folder_safe} = $self->{there};
        return;
    }

    my $changes = $self->{changes};
    set_names($self->{safe}, (shift @$changes)->[1])
        while @$changes && $changes->[0][0] < $begun;
}

sub left_out {
    my ($self, @names) = @_;
    my $left_out = $self->{leave_out} or return 0;
    return grep { $_ =~ $left_out } @names;
}


# What may be left of it --------------------------------------------------

sub image {
    my ($self) = @_;

    return { text => 'no folder' } if !$self->{there}
                                      || !$self->{folder_safe} && chance(0.5);

    my $text = '';
    my %names = %{$self->{safe}};
    set_names(\%names, $_->[1])
        for some($self->{changes}, 'names', \$text);

    my (%files, %objects);

    for my $name (sort keys %names) {
        my $bytes = $name =~ /-shm$/ ? $self->any_shm
                                     : any_file($name, $names{$name}, \$text);
        next if !defined $bytes;
        $files{$name} = $bytes;
        $objects{$name} = $names{$name}{number};
    }

    return { files => \%files, objects => \%objects, text => $text };
}

# Chooses some of a list of changes: none, all, those up to a time, or any.  A
# change that was being made at that time may be half done.

sub some {
    my ($changes, $what, $text) = @_;
    my $n = @$changes or return;

    my $how = pick(qw(none all until until any any most few));
    my $last = int rand $n;
    my $p = { any => 0.5, most => 0.9, few => 0.1 }->{$how};

    my @some = $how eq 'none' ? () : $how eq 'all' ? @$changes
             : $how eq 'until' ? @$changes[0 .. $last]
             : grep { chance($p) } @$changes;

    $$text .= sprintf '%s: %s, %d of %d; ', $what, $how, scalar @some, $n;
    return @some;
}

sub any_file {
    my ($name, $file, $text) = @_;

    my $bytes = $file->{safe};
    my $filler = chance(0.2) ? \&noise : undef;
    my @some = some($file->{changes}, $name, $text);
    my $torn = pick(qw(none none last some));

    for my $i (0 .. $#some) {
        my (undef, $value, $data) = @{$some[$i]};

        if (!defined $data || length $bytes < $value) {
            resize(\$bytes, $value, $filler);
        }

        next if !defined $data;

        $torn eq 'last' && $i == $#some || $torn eq 'some' && chance(0.3)
            ? tear(\$bytes, $value, $data, $filler)
            : put(\$bytes, $value, $data);
    }

    if (@{$file->{changes}} && chance(0.3)) {
        my $size = pick(sizes($file));
        $$text .= "size $size; ";
        resize(\$bytes, $size, $filler);
    }

    return $bytes;
}

sub sizes {
    my ($file) = @_;
    my $size = length $file->{safe};
    my @sizes = ($size);

    for (@{$file->{changes}}) {
        my (undef, $value, $data) = @$_;
        my $end = defined $data ? $value + length $data : $value;
        $size = $end if !defined $data || $size < $end;
        push @sizes, $size;
    }

    return @sizes;
}

# Writes some of the data's sectors; here and there only the beginning of one.

sub tear {
    my ($bytes, $offset, $data, $filler) = @_;
    my ($from, $end) = (0, length $data);

    while ($from < $end) {
        my $size = $SECTOR - ($offset + $from) % $SECTOR;
        $size = $end - $from if $size > $end - $from;

        if (chance(0.5)) {
            my $some = chance(0.1) ? int rand $size : $size;
            resize($bytes, $offset + $from, $filler)
                if length $$bytes < $offset + $from;
            put($bytes, $offset + $from, substr $data, $from, $some);
        }

        $from += $size;
    }
}

sub noise {
    my ($size) = @_;
    my $noise = pack 'C*', map { rand 256 } 1 .. 1021;
    return substr $noise x (1 + $size / 1021), 0, $size;
}

sub any_shm {
    my ($self) = @_;
    my $old = $self->{shm} // '';
    return pick(undef, '', "\0" x 32768, noise(32768), $old, $old);
}

1;
