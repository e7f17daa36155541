#!/bin/sh
#
# sh ngx_http_ilert_page.sh ngx_http_ilert_page.html
#
# Prints a C header: the page before and after %%CONTROL%% as strings, and a
# Content-Security-Policy that allows its own script and style by their
# hashes, and nothing else.  Needs awk, and openssl or sha256sum.

set -u

LC_ALL=C
export LC_ALL

page=${1-}


fail() {
    echo "$0: $*" >&2
    exit 1
}

# Each tag must be there once, on a line of its own; the marker must be there
# once, within a line.

once() {
    [ "$1" = 1 ] || fail "$page: $2 is there $1 times, not once"
}

# Prints the text between the tags.  The line break after the first tag belongs
# to it, also for the browser, which hashes the same text.

between() {
    awk -v tag="$1" '
        $0 == "</" tag ">" { exit }
        inside             { print }
        $0 == "<" tag ">"  { inside = 1; print "" }
    ' "$page"
}

# Three hexadecimal digits become two of base64.  The last of the 64 becomes
# one, with two zero bits behind it.

base64_of_hex() {
    awk '
        {
            digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
                     "abcdefghijklmnopqrstuvwxyz0123456789+/"
            text = ""

            for (i = 1; i < 64; i += 3) {
                n = hex(i) * 256 + hex(i + 1) * 16 + hex(i + 2)
                text = text digit(int(n / 64)) digit(n % 64)
            }

            print text digit(hex(64) * 4) "="
        }

        function hex(i) {
            return index("0123456789abcdef", substr($1, i, 1)) - 1
        }

        function digit(n) {
            return substr(digits, n + 1, 1)
        }
    '
}

sha256() {
    if command -v openssl >/dev/null 2>&1; then
        between "$1" | openssl dgst -sha256 -r | base64_of_hex
    else
        between "$1" | sha256sum | base64_of_hex
    fi
}

hash() {
    hash=$(sha256 "$1")
    [ ${#hash} = 44 ] || fail "no hash of the $1"
    echo "'sha256-$hash'"
}

strings() {
    awk '
        BEGIN {
            begin("head")
        }

        {
            at = index($0, "%%CONTROL%%")

            if (at) {
                literal(substr($0, 1, at - 1), "")
                end()
                begin("tail")
                $0 = substr($0, at + 11)
            }

            literal($0, "\\n")
        }

        END {
            end()
        }

        function begin(name) {
            print "static u_char  ngx_http_ilert_page_" name "[] ="
        }

        function end() {
            print "    ;\n"
        }

        # "?" is escaped, since two of them could begin a trigraph.

        function literal(text, eol) {
            text = escape(escape(escape(text, "\\"), "\""), "?")
            print "    \"" text eol "\""
        }

        function escape(text, char,    at, escaped) {
            while ((at = index(text, char))) {
                escaped = escaped substr(text, 1, at - 1) "\\" char
                text = substr(text, at + 1)
            }

            return escaped text
        }
    ' "$page"
}


[ -f "$page" ] && [ -r "$page" ] || fail "cannot read the page \"$page\""

command -v openssl >/dev/null 2>&1 || command -v sha256sum >/dev/null 2>&1 \
|| fail "neither openssl nor sha256sum is there"

once "$(awk '{ n += gsub(/%%CONTROL%%/, "") } END { print n + 0 }' "$page")" \
     %%CONTROL%%

for tag in '<style>' '</style>' '<script>' '</script>'; do
    once "$(grep -c -x -F -e "$tag" "$page")" "the line $tag"
done

script=$(hash script) && style=$(hash style) || exit 1

echo "/* made from ${page##*/} by ${0##*/} */"
echo
strings

cat <<END
#define NGX_HTTP_ILERT_PAGE_CSP                                              \\
    "default-src 'none'; base-uri 'none'; form-action 'none'; "              \\
    "frame-ancestors 'none'; connect-src 'self'; img-src data:; "            \\
    "script-src $script; " \\
    "style-src $style"
END
