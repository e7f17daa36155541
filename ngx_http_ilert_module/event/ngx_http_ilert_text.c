
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_text.h"


u_char *
ngx_http_ilert_text_put(u_char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (u_char) code;
        return out;
    }

    if (code < 0x800) {
        *out++ = (u_char) (0xc0 | (code >> 6));

    } else {

        if (code < 0x10000) {
            *out++ = (u_char) (0xe0 | (code >> 12));

        } else {
            *out++ = (u_char) (0xf0 | (code >> 18));
            *out++ = (u_char) (0x80 | ((code >> 12) & 0x3f));
        }

        *out++ = (u_char) (0x80 | ((code >> 6) & 0x3f));
    }

    *out++ = (u_char) (0x80 | (code & 0x3f));

    return out;
}


u_char *
ngx_http_ilert_text_next(u_char *p, u_char *last)
{
    u_char      ch;
    uint32_t    code, least;
    ngx_uint_t  n;

    ch = *p++;

    if (ch >= 0xc2 && ch <= 0xdf) {
        n = 1;
        least = 0x80;

    } else if (ch >= 0xe0 && ch <= 0xef) {
        n = 2;
        least = 0x800;

    } else if (ch >= 0xf0 && ch <= 0xf4) {
        n = 3;
        least = 0x10000;

    } else {
        return NULL;
    }

    if ((ngx_uint_t) (last - p) < n) {
        return NULL;
    }

    code = ch & (0x3f >> n);

    while (n--) {
        ch = *p++;

        if ((ch & 0xc0) != 0x80) {
            return NULL;
        }

        code = (code << 6) | (ch & 0x3f);
    }

    if (code < least || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return NULL;
    }

    return p;
}


u_char *
ngx_http_ilert_text_copy(u_char *out, u_char **pos, u_char *last)
{
    u_char  *p, *next;

    p = *pos;
    next = (*p && *p < 0x80) ? p + 1 : ngx_http_ilert_text_next(p, last);

    if (next == NULL) {
        *pos = p + 1;
        return ngx_http_ilert_text_put(out, NGX_HTTP_ILERT_TEXT_REPLACEMENT);
    }

    *pos = next;

    return ngx_cpymem(out, p, next - p);
}


ngx_int_t
ngx_http_ilert_text_valid(ngx_str_t *text, ngx_pool_t *pool)
{
    u_char  *p, *out, *last, *next;

    p = text->data;
    last = p + text->len;

    while (p < last) {
        next = (*p && *p < 0x80) ? p + 1 : ngx_http_ilert_text_next(p, last);

        if (next == NULL) {
            break;
        }

        p = next;
    }

    if (p == last) {
        return NGX_OK;
    }

    out = ngx_pnalloc(pool, (p - text->data) + 3 * (last - p));
    if (out == NULL) {
        return NGX_ERROR;
    }

    p = text->data;
    text->data = out;

    while (p < last) {
        out = ngx_http_ilert_text_copy(out, &p, last);
    }

    text->len = out - text->data;

    return NGX_OK;
}


size_t
ngx_http_ilert_text_cut(ngx_str_t *text, size_t max)
{
    if (text->len <= max) {
        return text->len;
    }

    while (max && (text->data[max] & 0xc0) == 0x80) {
        max--;
    }

    return max;
}


void
ngx_http_ilert_text_trim(ngx_str_t *text)
{
    while (text->len && ngx_strchr(" \t\r\n", text->data[0])) {
        text->data++;
        text->len--;
    }

    while (text->len && ngx_strchr(" \t\r\n", text->data[text->len - 1])) {
        text->len--;
    }
}


ngx_uint_t
ngx_http_ilert_text_blank(ngx_str_t *text)
{
    ngx_str_t  trimmed;

    trimmed = *text;
    ngx_http_ilert_text_trim(&trimmed);

    return trimmed.len == 0;
}


void
ngx_http_ilert_text_line(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] == 0x7f) {
            text->data[i] = ' ';

        } else if (text->data[i] == 0xc2 && i + 1 < text->len
                   && text->data[i + 1] >= 0x80 && text->data[i + 1] < 0xa0)
        {
            text->data[i++] = ' ';
            text->data[i] = ' ';
        }
    }
}
