
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"


/* the byte order mark: U+FEFF in UTF-8 */

#define NGX_HTTP_ILERT_JSON_BOM      "\xef\xbb\xbf"
#define NGX_HTTP_ILERT_JSON_BOM_LEN  3


static u_char *ngx_http_ilert_json_begin(ngx_str_t *text);
static u_char *ngx_http_ilert_json_escaped(u_char *p, u_char *last,
    u_char *out, size_t *len, size_t max);


ngx_int_t
ngx_http_ilert_json_repair(ngx_str_t *text, ngx_str_t *repaired,
    ngx_pool_t *pool)
{
    u_char  *start, *last;
    size_t   len;

    start = ngx_http_ilert_json_begin(text);
    last = text->data + text->len;
    len = 0;

    (void) ngx_http_ilert_json_escaped(start, last, NULL, &len,
                                       NGX_MAX_SIZE_T_VALUE);

    if (len == (size_t) (last - start)) {
        repaired->data = start;
        repaired->len = len;

        return (start == text->data) ? NGX_DECLINED : NGX_OK;
    }

    repaired->data = ngx_pnalloc(pool, len);
    if (repaired->data == NULL) {
        return NGX_ERROR;
    }

    repaired->len = len;
    len = 0;

    (void) ngx_http_ilert_json_escaped(start, last, repaired->data, &len,
                                       NGX_MAX_SIZE_T_VALUE);
    return NGX_OK;
}


size_t
ngx_http_ilert_json_repaired_at(ngx_str_t *text, size_t at)
{
    size_t   len;
    u_char  *start;

    start = ngx_http_ilert_json_begin(text);
    len = 0;

    return ngx_http_ilert_json_escaped(start, text->data + text->len, NULL,
                                       &len, at)
           - text->data;
}


/* Returns the place behind the byte order mark, if there is one. */

static u_char *
ngx_http_ilert_json_begin(ngx_str_t *text)
{
    if (text->len >= NGX_HTTP_ILERT_JSON_BOM_LEN
        && ngx_memcmp(text->data, NGX_HTTP_ILERT_JSON_BOM,
                      NGX_HTTP_ILERT_JSON_BOM_LEN)
           == 0)
    {
        return text->data + NGX_HTTP_ILERT_JSON_BOM_LEN;
    }

    return text->data;
}


/*
 * Copies a text to "out", unless that is NULL, with the control characters in
 * its strings escaped, and adds the length of the copy to "len".  Ends when
 * "len" has come to "max".  Returns the place behind what has been copied.
 *
 * A backslash that stands before a control character stays what it is, an
 * error: nobody knows what was meant.
 */

static u_char *
ngx_http_ilert_json_escaped(u_char *p, u_char *last, u_char *out, size_t *len,
    size_t max)
{
    ngx_uint_t  string, escape;

    string = 0;
    escape = 0;

    for ( /* void */ ; p < last && *len < max; p++) {

        if (string && !escape && *p < ' ') {

            if (out) {
                out = (u_char *) ngx_escape_json(out, p, 1);
            }

            *len += 1 + ngx_escape_json(NULL, p, 1);
            continue;
        }

        if (out) {
            *out++ = *p;
        }

        (*len)++;

        if (escape) {
            escape = 0;

        } else if (*p == '"') {
            string = !string;

        } else if (*p == '\\') {
            escape = string;
        }
    }

    return p;
}
