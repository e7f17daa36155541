
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_json_token.h"
#include "ngx_http_ilert_text.h"


static ngx_uint_t ngx_http_ilert_json_is_plain(ngx_str_t *text, size_t *size);


ngx_int_t
ngx_http_ilert_json_decode(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool)
{
    u_char    *p, *last, *next, *out;
    size_t     size;
    uint32_t   code;

    *value = *token;

    if (token->data[0] != '"') {
        return NGX_OK;
    }

    value->data++;
    value->len -= 2;

    if (ngx_http_ilert_json_is_plain(value, &size)) {
        return NGX_OK;
    }

    out = ngx_pnalloc(pool, size);
    if (out == NULL) {
        return NGX_ERROR;
    }

    p = value->data;
    last = p + value->len;

    value->data = out;

    while (p < last) {

        next = ngx_http_ilert_json_plain(p, last);

        if (next != p) {
            out = ngx_http_ilert_text_piece(out, p, next - p, last);
            p = next;
            continue;
        }

        if (*p == '\\') {
            p = ngx_http_ilert_json_escape(p, last, &code);
            out = ngx_http_ilert_text_put(out, code);
            continue;
        }

        out = ngx_http_ilert_text_copy(out, &p, last);
    }

    value->len = out - value->data;

    return NGX_OK;
}


/*
 * Returns true if a string without its quotes is its own value.  Sets "size"
 * to the bytes that are enough for the value: an escape never grows, and an
 * invalid byte becomes three.  The text may also be a row or a table.
 */

static ngx_uint_t
ngx_http_ilert_json_is_plain(ngx_str_t *text, size_t *size)
{
    u_char      *p, *last, *next;
    ngx_uint_t   plain;

    p = text->data;
    last = p + text->len;

    plain = 1;
    *size = text->len;

    for ( ;; ) {

        /* When there is an escape, only what is not ASCII is looked for. */

        p = plain ? ngx_http_ilert_json_plain(p, last)
                  : ngx_http_ilert_json_ascii(p, last);

        if (p == last) {
            return plain;
        }

        if (*p == '\\') {
            plain = 0;
            continue;
        }

        if (*p < 0x80) {

            /* Quotes and white space are only found between strings. */

            p++;
            continue;
        }

        next = ngx_http_ilert_text_next(p, last);

        if (next == NULL) {
            plain = 0;
            *size += 2;
            next = p + 1;
        }

        p = next;
    }
}


/*
 * An escape is replaced by one that is not longer, so the size that
 * ngx_http_ilert_json_is_plain() finds is enough here too.
 */

ngx_int_t
ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended, ngx_pool_t *pool)
{
    u_char    *p, *last, *next, *out;
    size_t     size;
    uint32_t   code;

    p = text->data;
    last = p + text->len;

    (void) ngx_http_ilert_json_is_plain(text, &size);

    out = ngx_pnalloc(pool, size + NGX_HTTP_ILERT_JSON_SHORT);
    if (out == NULL) {
        return NGX_ERROR;
    }

    mended->data = out;

    while (p < last) {

        if (*p >= 0x80) {
            out = ngx_http_ilert_text_copy(out, &p, last);
            continue;
        }

        next = p + 1;

        if (*p == '\\') {
            next = ngx_http_ilert_json_escape(p, last, &code);

            if (code == NGX_HTTP_ILERT_TEXT_REPLACEMENT) {
                out = ngx_cpymem(out, "\\ufffd", 6);
                p = next;
                continue;
            }
        }

        out = ngx_cpymem(out, p, next - p);
        p = next;
    }

    mended->len = out - mended->data;

    ngx_memzero(out, NGX_HTTP_ILERT_JSON_SHORT);

    return NGX_OK;
}
