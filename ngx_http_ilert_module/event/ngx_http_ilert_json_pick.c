
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_json_token.h"


static u_char *ngx_http_ilert_json_skip_value(u_char *p, u_char *last);


ngx_int_t
ngx_http_ilert_json_pick(ngx_str_t *text,
    ngx_http_ilert_json_member_t *members, ngx_uint_t n)
{
    u_char      *p, *last, *name, *value;
    size_t       len;
    ngx_uint_t   i, unclean;

    last = text->data + text->len;
    p = ngx_http_ilert_json_skip_space(text->data, last);

    if (p == last || *p != '{') {
        return NGX_DECLINED;
    }

    do {
        name = ngx_http_ilert_json_skip_space(p + 1, last);

        if (name == last || *name != '"') {
            return NGX_DECLINED;
        }

        p = ngx_http_ilert_json_scan_string(name, last, &unclean);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        name++;
        len = p - 1 - name;

        p = ngx_http_ilert_json_skip_space(p, last);

        if (p == last || *p != ':') {
            return NGX_DECLINED;
        }

        value = ngx_http_ilert_json_skip_space(p + 1, last);
        p = ngx_http_ilert_json_skip_value(value, last);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        for (i = 0; i < n; i++) {
            if (members[i].name.len == len
                && ngx_memcmp(members[i].name.data, name, len) == 0)
            {
                members[i].value.data = value;
                members[i].value.len = p - value;
                break;
            }
        }

        p = ngx_http_ilert_json_skip_space(p, last);

    } while (p < last && *p == ',');

    if (p == last || *p != '}') {
        return NGX_DECLINED;
    }

    p = ngx_http_ilert_json_skip_space(p + 1, last);

    return (p == last) ? NGX_OK : NGX_DECLINED;
}


/*
 * Returns the place behind the value at p, or NULL if its end is not found.
 * Brackets are counted, but need not match.
 */

static u_char *
ngx_http_ilert_json_skip_value(u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   depth, unclean;

    depth = 0;

    for ( ;; ) {

        p = ngx_http_ilert_json_skip_space(p, last);

        if (p == last) {
            return NULL;
        }

        switch (*p) {

        case '"':
            p = ngx_http_ilert_json_scan_string(p, last, &unclean);

            if (p == NULL) {
                return NULL;
            }

            break;

        case '[':
        case '{':
            depth++;
            p++;
            continue;

        case ']':
        case '}':
            if (depth == 0) {
                return NULL;
            }

            depth--;
            p++;
            break;

        case ',':
        case ':':
            p++;
            continue;

        default:

            /* This is a number or a word. */

            start = p;

            while (p < last && *p > ' ' && ngx_strchr(",:]}\"", *p) == NULL) {
                p++;
            }

            if (p == start) {
                return NULL;
            }
        }

        if (depth == 0) {
            return p;
        }
    }
}
