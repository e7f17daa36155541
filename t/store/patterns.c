
/* patterns of alert keys */


#include "store_test.h"

#include "ngx_http_ilert_pattern.h"


static ngx_uint_t
matches(const char *pattern, const char *text)
{
    ngx_str_t  p, t;

    p.data = (u_char *) pattern;
    p.len = strlen(pattern);
    t.data = (u_char *) text;
    t.len = strlen(text);

    return ngx_http_ilert_pattern_matches(&p, &t);
}


static void
test_patterns(void)
{
    ngx_uint_t  i;

    static struct {
        const char  *pattern;
        const char  *matches;       /* texts, separated by a space; "_" is */
        const char  *differs;       /* the empty one */
    } cases[] = {
        { "",          "_",                       "a" },
        { "a",         "a",                       "_ b aa A" },
        { "ab",        "ab",                      "a b ba abc" },
        { "?",         "a ? * \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5",
                       "_ ab \xc3\xa9\x61 \x82\xac" },
        { "??",        "ab \xc3\xa9\xe2\x82\xac a\xc3\xa9 \x82\xac",
                       "a abc \xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5" },
        { "*",         "_ a ab * \xe2\x82\xac",   NULL },
        { "**",        "_ a ab",                  NULL },
        { "*a",        "a ba aa aba",             "_ b ab" },
        { "a*",        "a ab aa",                 "_ b ba" },
        { "*a*",       "a bab aa",                "_ b" },
        { "a*c",       "ac abc abcc acac",        "a c abcd ca" },
        { "a*b*c",     "abc axbxc abbcc abcbc",   "acb ac ab abcd" },
        { "*ab*ab",    "abab xabab abxab ababab", "ab aab abba" },
        { "?*",        "a ab \xc3\xa9",           "_" },
        { "*?",        "a ab \xe2\x82\xac",       "_" },
        { "*??",       "ab abc a\xe2\x82\xac",    "_ a \xe2\x82\xac" },
        { "*?a?*",     "bab xbabx \xc3\xa9\x61\xc3\xa9", "a ab ba aa" },
        { "db-??:*",   "db-01:cpu db-xy:",        "db-1:cpu db-123:cpu" },
        { "cpu:host=*,dc=eu", "cpu:host=a,dc=eu cpu:host=,dc=eu",
                       "cpu:host=a,dc=eux cpu:host=a,dc=us" },

        /* nothing else is special, nor is there a way to quote */

        { "[ab]",      "[ab]",                    "a b" },
        { "\\*",       "\\ \\a",                  "* a" },
        { "a.b",       "a.b",                     "axb" },
        { "\xc3\xa9*", "\xc3\xa9 \xc3\xa9\x61",   "\xc3 \xc3\xa8" },
        { "*\xc3",     "\xc3 a\xc3",              "\xc3\xa9" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ngx_uint_t   wanted;
        const char  *texts;

        for (wanted = 0; wanted < 2; wanted++) {
            char  *text, copy[256];

            texts = wanted ? cases[i].matches : cases[i].differs;

            if (texts == NULL) {
                continue;
            }

            strcpy(copy, texts);

            for (text = strtok(copy, " "); text; text = strtok(NULL, " ")) {

                if (strcmp(text, "_") == 0) {
                    text = "";
                }

                if (matches(cases[i].pattern, text) != wanted) {
                    printf("# \"%s\" and \"%s\"\n", cases[i].pattern, text);
                    test_failures++;
                }
            }
        }
    }
}


/* the same in the simplest way, of characters that take any time */

static ngx_uint_t
simple(const uint32_t *p, const uint32_t *t)
{
    if (*p == 0) {
        return *t == 0;
    }

    if (*p == '*') {
        return simple(p + 1, t) || (*t && simple(p, t + 1));
    }

    return *t && (*p == '?' || *p == *t) && simple(p + 1, t + 1);
}


/* of few different characters, which take one to four bytes */

static void
random_text(uint32_t *codes, char *text, ngx_uint_t most, ngx_uint_t pattern)
{
    ngx_uint_t  n, i;

    static const struct {
        uint32_t     code;
        const char  *text;
    } chars[] = {
        { '*', "*" },
        { '?', "?" },
        { 'a', "a" },
        { 'b', "b" },
        { 0xe9, "\xc3\xa9" },
        { 0xe8, "\xc3\xa8" },
        { 0x20ac, "\xe2\x82\xac" },
        { 0x1f525, "\xf0\x9f\x94\xa5" },
        { 0x3f525, "\xf0\xbf\x94\xa5" }
    };

    *text = '\0';

    n = rnd(most + 1);

    while (n--) {
        i = rnd(sizeof(chars) / sizeof(chars[0]));

        if (!pattern && i < 2) {
            i += 2;
        }

        *codes++ = chars[i].code;
        strcat(text, chars[i].text);
    }

    *codes = 0;
}


static void
run_random(ngx_uint_t n)
{
    char      pattern[64], text[64];
    uint32_t  p[16], t[16];

    random_text(p, pattern, 8, 1);
    random_text(t, text, 10, 0);

    if (matches(pattern, text) != simple(p, t)) {
        printf("# \"%s\" and \"%s\"\n", pattern, text);
        test_failures++;
    }
}


static void
test_random(void)
{
    at_random(50000, run_random);
}


/* what takes many matchers longer than anybody waits; and any bytes */

static void
test_hostile(void)
{
    ngx_uint_t  i;
    ngx_str_t   pattern, text;

    static char    stars[4096], as[4096];
    static u_char  bytes[2][64];

    for (i = 0; i + 2 < sizeof(stars); i += 2) {
        memcpy(&stars[i], "*a", 2);
    }

    memset(as, 'a', sizeof(as) - 1);

    check_int(matches(stars, as), 1);
    stars[sizeof(stars) - 3] = 'b';
    check_int(matches(stars, as), 0);

    for (i = 0; i < 20000; i++) {
        ngx_uint_t  k;

        for (k = 0; k < 2 * sizeof(bytes[0]); k++) {
            bytes[k & 1][k / 2] = rnd(4) ? 0x80 + rnd(0x80)
                                         : (u_char) "*?a"[rnd(3)];
        }

        pattern.len = rnd(8);
        pattern.data = bytes[0] + sizeof(bytes[0]) - pattern.len;
        text.len = rnd(16);
        text.data = bytes[1] + sizeof(bytes[1]) - text.len;

        (void) ngx_http_ilert_pattern_matches(&pattern, &text);

        pattern.data[0] = '*';
        pattern.len = 1;

        check_int(ngx_http_ilert_pattern_matches(&pattern, &text), 1);
        check_int(ngx_http_ilert_pattern_matches(&text, &text), 1);
    }
}


test_case_t  pattern_cases[] = {
    { "patterns: what they match", test_patterns },
    { "patterns: as the simplest matcher does, at random", test_random },
    { "patterns: hostile ones", test_hostile },
    { NULL, NULL }
};
