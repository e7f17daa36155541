package IlertHostile;

# Bodies that give a reader of JSON as much work as possible for their size,
# and large ones that Kapacitor may send.
#
#     IlertHostile::kinds() -> names
#     IlertHostile::body($kind, $bytes) -> a webhook of about that size
#     IlertHostile::values($kind, $n) -> one with that many of its pieces
#     IlertHostile::many($kind, $bytes) -> one of about that size, but with
#         no more values than are accepted
#     IlertHostile::batch($bytes) -> a batch with as many rows as fit

use warnings;
use strict;

my $ROW = '["2026-03-01T08:16:10.123456789Z",%d.5,"some text",1,2,3,true]';

# %KIND has for each name: the piece that is repeated, and what is between two
# of them; the text before all pieces, and the text after them; and, if another
# piece is repeated after that, this piece and the text after it

my $ALERT = '{"id":"hostile","message":"m","level":"CRITICAL"';

sub series { "$ALERT,\"data\":{\"series\":[$_[0]", "$_[1]]}}" }
sub one { series("{\"name\":\"m\",$_[0]", "$_[1]}") }

my %KIND = (
    'empty series' => [ '{}', ',', series('', '') ],
    'series that are null' => [ 'null', ',', series('', '') ],
    'series of no rows' => [ '{"tags":{"":""}}', ',', series('', '') ],
    'series of a row' => [ '{"columns":[],"values":[[]]}', ',',
                           series('', '') ],
    'series of a row and a tag' => [
        '{"tags":{"":""},"columns":[""],"values":[[0]]}', ',',
        series('', '') ],
    'empty tags' => [ '"":""', ',', one('"tags":{', '}') ],
    'tags of escapes' => [ '"\\n":"\\n"', ',', one('"tags":{', '}') ],
    'tags that are no UTF-8' => [ "\"\xff\":\"\xff\"", ',',
                                  one('"tags":{', '}') ],
    'tags twice' => [ '"tags":{"a":"b"}', ',', one('', '') ],
    'empty columns' => [ '""', ',', one('"columns":[', ']') ],
    'columns of escapes' => [ '"\\n"', ',', one('"columns":[', ']') ],
    'columns twice' => [ '"columns":[""]', ',', one('', '') ],
    'empty rows' => [ '[]', ',', one('"columns":[],"values":[', ']') ],
    'rows of a digit' => [ '[0]', ',', one('"columns":["v"],"values":[', ']')
        ],
    'rows of two digits' => [ '[0,0]', ',',
        one('"columns":["v","w"],"values":[', ']') ],
    'rows that are no UTF-8' => [ "[\"\xff\"]", ',',
        one('"columns":["v"],"values":[', ']') ],
    'a row of digits' => [ '0', ',', one('"columns":["v"],"values":[[',
                                         ']]') ],
    'values before columns' => [ '[0]', ',',
        one('"values":[', '],"columns":["v"]') ],
    'scalars in series' => [ '0', ',', series('', '') ],
    'scalars' => [ '0', ',', "$ALERT,\"x\":[", ']}' ],
    'strings' => [ '""', ',', "$ALERT,\"x\":[", ']}' ],
    'empty arrays' => [ '[]', ',', "$ALERT,\"x\":[", ']}' ],
    'empty objects' => [ '{}', ',', "$ALERT,\"x\":[", ']}' ],
    'deep arrays' => [ '[' x 60 . ']' x 60, ',', "$ALERT,\"x\":[", ']}' ],
    'members' => [ '"":0', ',', "$ALERT,", '}' ],
    'members with escapes' => [ '"\\n":0', ',', "$ALERT,", '}' ],
    'ids' => [ '"id":"\\n"', ',', "$ALERT,", '}' ],
    'data' => [ '"data":{"series":[{}]}', ',', "$ALERT,", '}' ],
    'data with rows' => [ '"data":{"series":[{"columns":[],"values":[[]]}]}',
                          ',', "$ALERT,", '}' ],
    'members of data' => [ '"":0', ',', "$ALERT,\"data\":{", '}}' ],
    'members of a tag' => [ '"":0', ',', one('"tags":{"a":{', '}}') ],
    'a long id' => [ 'x', '', '{"level":"CRITICAL","id":"', '"}' ],
    'an id of spaces' => [ ' ', '', '{"level":"CRITICAL","id":"', '"}' ],
    'an id of escapes' => [ '\\u0001', '', '{"level":"CRITICAL","id":"',
                            '"}' ],
    'an id that is no UTF-8' => [ "\xff", '', '{"level":"CRITICAL","id":"',
                                  '"}' ],
    'a long message' => [ 'x', '', "$ALERT,\"message\":\"", '"}' ],
    'a message of escapes' => [ '\\n', '', "$ALERT,\"message\":\"", '"}' ],
    'long details' => [ 'x', '', "$ALERT,\"details\":\"", '"}' ],
    'details of tags' => [ '<b>', '', "$ALERT,\"details\":\"", '"}' ],
    'details of no tags' => [ '<', '', "$ALERT,\"details\":\"", '"}' ],
    'details of links' => [ '[a](', '', "$ALERT,\"details\":\"", '"}' ],
    'details of quotes' => [ "<a b='", '', "$ALERT,\"details\":\"", '"}' ],
    'details of comments' => [ '<!--', '', "$ALERT,\"details\":\"", '"}' ],
    'details of URLs' => [ 'www._', '', "$ALERT,\"details\":\"", '"}' ],
    'details of lines' => [ 'a\\n', '', "$ALERT,\"details\":\"", '"}' ],
    'details of entities' => [ '&amp;', '', "$ALERT,\"details\":\"", '"}' ],
    'a dump of scalars' => [ '0', ',', "$ALERT,\"details\":\"{&#34;x&#34;:[",
        ']}"}' ],
    'a dump of entities' => [ '&#34;&#34;', ',',
        "$ALERT,\"details\":\"{&#34;x&#34;:[", ']}"}' ],
    'a long name' => [ 'x', '', one('"name":"', '"') ],
    'a long tag' => [ 'x', '', one('"tags":{"a":"', '"}') ],
    'a long column' => [ 'x', '', one('"columns":["', '"]') ],
    'a long value' => [ 'x', '', one('"columns":["v"],"values":[["',
                                     '"]]') ],
    'a long number' => [ '1', '', "$ALERT,\"duration\":", '}' ],
    'spaces' => [ ' ', '', $ALERT, '}' ],
    'brackets' => [ '[', '', '', '' ],
    'a row and tags' => [ '"":""', ',',
        one('"columns":["v"],"values":[[1]],"tags":{', '}') ],
    'columns and a row' => [ '""', ',', "$ALERT,\"data\":{"
        . '"series":[{"columns":[', '],"values":[[', '0', ']]}]}}' ],
    'no id, many tags' => [ '"":""', ',', '{"level":"CRITICAL","data":{'
        . '"series":[{"name":"m","tags":{', '}}]}}' ],
    'other tags' => [ '"%d":""', ',', one('"tags":{', '}') ],
);

sub kinds { sort keys %KIND }

sub values {
    my ($kind, $n) = @_;

    my ($piece, $between, $before, $after, @more) = @{$KIND{$kind}};
    my $text = $piece =~ /%d/
               ? join $between, map { sprintf $piece, $_ } 1 .. $n
               : "$piece$between" x ($n - 1) . $piece;
    my $more = @more ? "$more[0]$between" x ($n - 1) . "$more[0]$more[1]" : '';
    return "$before$text$after$more";
}

sub many {
    my ($kind, $bytes) = @_;

    my $n = $bytes / size_of($kind);
    my $values = () = $KIND{$kind}[0] =~ /[:\[{0]/g;
    $values = 999_900 / ($values || 1);
    return IlertHostile::values($kind, int($n < $values ? $n : $values));
}

# Returns the bytes of a piece.

sub size_of {
    my ($kind) = @_;

    my ($piece, $between, @more) = @{$KIND{$kind}}[0, 1, 4];
    my $length = length("$piece$between") + ($piece =~ /%d/ ? 4 : 0);
    $length += length("$more[0]$between") if @more && defined $more[0];
    return $length;
}

sub body {
    my ($kind, $bytes) = @_;

    my $length = size_of($kind);
    return IlertHostile::values($kind, int($bytes / $length));
}

# The triggering row is the last one, and is always the same, as are the first
# rows.  So the event is the same for all batches that are too large to be sent
# as a whole.

sub batch {
    my ($bytes) = @_;

    my $n = int($bytes / (length($ROW) + 5));
    return '{"id":"huge","message":"m","level":"CRITICAL",'
           . '"time":"2026-03-01T09:00:00Z","data":{"series":[{"name":"cpu",'
           . '"tags":{"host":"a"},"columns":["time","value","text",'
           . '"a","b","c","d"],'
           . '"values":[' . join(',', map { sprintf $ROW, $_ } 1 .. $n)
           . ',["2026-03-01T09:00:00Z",0.5,"the last",4,5,6,false]]}]}}';
}

1;
