
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json_token.h"
#include "ngx_http_ilert_text.h"


static ngx_int_t ngx_http_ilert_json_hex(u_char *p);


u_char  ngx_http_ilert_json_special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    0, 0, 1, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,     /* "  */
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 1, 0, 0, 0,     /* \  */
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1,  1, 1, 1, 1, 1, 1, 1, 1
};


u_char *
ngx_http_ilert_json_scan_string(u_char *p, u_char *last, ngx_uint_t *unclean)
{
    u_char    *next;
    uint32_t   code;

    p++;

    for ( ;; ) {
        p = ngx_http_ilert_json_plain(p, last);

        if (p == last) {
            return NULL;
        }

        if (*p == '"') {
            return p + 1;
        }

        if (*p < ' ') {
            return NULL;
        }

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, last, &code);

            if (next == NULL) {
                return NULL;
            }

            /* U+FFFD itself is taken for unclean too, which does no harm. */

            if (code == NGX_HTTP_ILERT_TEXT_REPLACEMENT) {
                *unclean = 1;
            }

        } else {
            next = ngx_http_ilert_text_next(p, last);

            if (next == NULL) {
                *unclean = 1;
                next = p + 1;
            }
        }

        p = next;
    }
}


u_char *
ngx_http_ilert_json_scan_number(u_char *p, u_char *last)
{
    return ngx_http_ilert_json_number(p, last);
}


u_char *
ngx_http_ilert_json_escape(u_char *p, u_char *last, uint32_t *code)
{
    ngx_int_t  high, low;

    static u_char  names[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    /* Go writes "&" like this, and a dump of an alert is full of it. */

    if (last - p >= 6 && ngx_memcmp(p, "\\u0026", 6) == 0) {
        *code = '&';
        return p + 6;
    }

    if (last - p < 2) {
        return NULL;
    }

    if (p[1] != 'u') {

        for (low = 0; names[low]; low += 2) {
            if (names[low] == p[1]) {
                *code = names[low + 1];
                return p + 2;
            }
        }

        return NULL;
    }

    if (last - p < 6) {
        return NULL;
    }

    high = ngx_http_ilert_json_hex(p + 2);

    if (high == NGX_ERROR) {
        return NULL;
    }

    p += 6;

    if (high >= 0xd800 && high <= 0xdbff
        && last - p >= 6 && p[0] == '\\' && p[1] == 'u')
    {
        low = ngx_http_ilert_json_hex(p + 2);

        if (low >= 0xdc00 && low <= 0xdfff) {
            *code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return p + 6;
        }
    }

    *code = (high == 0 || (high >= 0xd800 && high <= 0xdfff))
            ? NGX_HTTP_ILERT_TEXT_REPLACEMENT : (uint32_t) high;

    return p;
}


/*
 * Returns the number of the four hexadecimal digits at p, or NGX_ERROR if they
 * are none.  Unlike ngx_hextoi() it need not look for an overflow.
 */

static ngx_int_t
ngx_http_ilert_json_hex(u_char *p)
{
    u_char      ch;
    ngx_int_t   value;
    ngx_uint_t  i;

    value = 0;

    for (i = 0; i < 4; i++) {
        ch = p[i] - '0';

        if (ch > 9) {
            ch = (p[i] | 0x20) - 'a';

            if (ch > 5) {
                return NGX_ERROR;
            }

            ch += 10;
        }

        value = value << 4 | ch;
    }

    return value;
}
