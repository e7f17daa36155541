
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_JSON_TOKEN_H_INCLUDED_
#define _NGX_HTTP_ILERT_JSON_TOKEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The tokens of JSON: strings, numbers, words and white space.  This header
 * is for the files json_*.c only; all others use json.h.
 *
 * Each function that begins with "scan" gets a place p that is before "last",
 * and returns the place behind the token that begins there, or NULL if the
 * token is not valid.  "unclean" is set to 1 if a string has something to be
 * mended (see ngx_http_ilert_json_mend()), and is not touched otherwise.
 */

u_char *ngx_http_ilert_json_scan_string(u_char *p, u_char *last,
    ngx_uint_t *unclean);
u_char *ngx_http_ilert_json_scan_number(u_char *p, u_char *last);


/*
 * Returns the place behind the escape sequence at p, or NULL if it is not
 * valid.  Both halves of a surrogate pair count as one sequence.  Sets "code"
 * to the character that the sequence stands for; it is U+FFFD for NUL and for
 * one half of a pair alone.
 */
u_char *ngx_http_ilert_json_escape(u_char *p, u_char *last, uint32_t *code);


/*
 * The bytes that cannot be skipped without a look inside of a string: quote,
 * backslash, control characters, and all bytes beyond ASCII.
 */
extern u_char  ngx_http_ilert_json_special[256];


/* Returns the place of the first special byte from p on, or "last". */

static ngx_inline u_char *
ngx_http_ilert_json_plain(u_char *p, u_char *last)
{
#if (NGX_HAVE_LITTLE_ENDIAN)

    uint64_t  eight, special;

    /*
     * This looks at eight bytes at a time.  The high bit remains set in those
     * that are beyond ASCII, less than " ", or 0 after the xor.  A borrow may
     * set it in other bytes too, but only behind the first of these.
     */

    while (last - p >= 8) {
        ngx_memcpy(&eight, p, 8);

        special = (eight | (eight - 0x2020202020202020)
                   | ((eight ^ 0x2222222222222222) - 0x0101010101010101)
                   | ((eight ^ 0x5c5c5c5c5c5c5c5c) - 0x0101010101010101))
                  & 0x8080808080808080;

        if (special) {
            return p + __builtin_ctzll(special) / 8;
        }

        p += 8;
    }

#endif

    while (p < last && !ngx_http_ilert_json_special[*p]) {
        p++;
    }

    return p;
}


/* Returns the place of the first byte beyond ASCII from p on, or "last". */

static ngx_inline u_char *
ngx_http_ilert_json_ascii(u_char *p, u_char *last)
{
    uint64_t  eight;

    while (last - p >= 8) {
        ngx_memcpy(&eight, p, 8);

        if (eight & 0x8080808080808080) {
            break;
        }

        p += 8;
    }

    while (p < last && *p < 0x80) {
        p++;
    }

    return p;
}


/*
 * Does what ngx_http_ilert_json_scan_number() does.  "last" is NULL if
 * a bracket follows somewhere behind the number, so that the end of the text
 * need not be looked for.
 */

static ngx_inline u_char *
ngx_http_ilert_json_number(u_char *p, u_char *last)
{
    u_char  *start;

#define ngx_http_ilert_json_more()  (last == NULL || p < last)

#define ngx_http_ilert_json_scan_digits()                                     \
    start = p;                                                                \
                                                                              \
    while (ngx_http_ilert_json_more() && *p >= '0' && *p <= '9') {            \
        p++;                                                                  \
    }                                                                         \
                                                                              \
    if (p == start) {                                                         \
        return NULL;                                                          \
    }

    if (*p == '-') {
        p++;
    }

    ngx_http_ilert_json_scan_digits();

    if (*start == '0' && p - start > 1) {
        return NULL;
    }

    if (ngx_http_ilert_json_more() && *p == '.') {
        p++;
        ngx_http_ilert_json_scan_digits();
    }

    if (ngx_http_ilert_json_more() && (*p == 'e' || *p == 'E')) {
        p++;

        if (ngx_http_ilert_json_more() && (*p == '+' || *p == '-')) {
            p++;
        }

        ngx_http_ilert_json_scan_digits();
    }

#undef ngx_http_ilert_json_scan_digits
#undef ngx_http_ilert_json_more

    return p;
}


static ngx_inline u_char *
ngx_http_ilert_json_scan_word(u_char *p, u_char *last)
{
    ngx_str_t         *word;
    static ngx_str_t   words[] = {
        ngx_string("null"), ngx_string("true"), ngx_string("false"),
        ngx_null_string
    };

    for (word = words; word->len; word++) {
        if ((size_t) (last - p) >= word->len
            && ngx_memcmp(p, word->data, word->len) == 0)
        {
            return p + word->len;
        }
    }

    return NULL;
}


static ngx_inline u_char *
ngx_http_ilert_json_scan(u_char *p, u_char *last, ngx_uint_t *unclean)
{
    if (*p == '"') {
        return ngx_http_ilert_json_scan_string(p, last, unclean);
    }

    if (*p == '-' || (*p >= '0' && *p <= '9')) {
        return ngx_http_ilert_json_scan_number(p, last);
    }

    return ngx_http_ilert_json_scan_word(p, last);
}


static ngx_inline ngx_uint_t
ngx_http_ilert_json_is_space(u_char ch)
{
    return ch == ' ' || ch == '\t' || ch == CR || ch == LF;
}


static ngx_inline u_char *
ngx_http_ilert_json_skip_space(u_char *p, u_char *last)
{
    while (p < last && *p <= ' ' && ngx_http_ilert_json_is_space(*p)) {
        p++;
    }

    return p;
}


#endif /* _NGX_HTTP_ILERT_JSON_TOKEN_H_INCLUDED_ */
