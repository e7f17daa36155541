
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_answer.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_text.h"


/* bytes that are allocated for an answer at first */

#define NGX_HTTP_ILERT_ANSWER_SIZE   16384


ngx_int_t
ngx_http_ilert_answer_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_http_ilert_answer_write_pt write, void *data)
{
    u_char                        *buf;
    size_t                         size;
    ngx_str_t                      content_type;
    ngx_http_complex_value_t       cv;
    ngx_http_ilert_json_writer_t   w;

    for (size = NGX_HTTP_ILERT_ANSWER_SIZE; /* void */ ; size *= 2) {

        buf = ngx_palloc(r->pool, size);
        if (buf == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        w.pos = buf;
        w.last = buf + size;
        w.full = 0;

        write(&w, data);

        if (!w.full) {
            break;
        }

        (void) ngx_pfree(r->pool, buf);
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = buf;
    cv.value.len = w.pos - buf;

    content_type.data = (u_char *) type;
    content_type.len = ngx_strlen(type);

    if (ngx_http_ilert_answer_header(r, "Cache-Control", "no-store")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_response(r, status, &content_type, &cv);
}


void
ngx_http_ilert_answer_write(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_answer_body_t *answer = data;

    ngx_str_t  text;

    text.data = (u_char *) answer->status;
    text.len = ngx_strlen(answer->status);

    ngx_http_ilert_json_literal(w, "{\"status\":");
    ngx_http_ilert_json_string(w, &text);

    if (answer->error.len) {
        ngx_http_ilert_json_literal(w, ",\"error\":");
        ngx_http_ilert_json_string(w, &answer->error);
    }

    ngx_http_ilert_json_literal(w, "}\n");
}


ngx_int_t
ngx_http_ilert_answer_reject(ngx_http_request_t *r, ngx_uint_t status,
    const char *error)
{
    ngx_http_ilert_answer_body_t  answer;

    answer.status = "rejected";
    answer.error.data = (u_char *) error;
    answer.error.len = ngx_strlen(error);

    return ngx_http_ilert_answer_send(r, status, "application/json",
                                      ngx_http_ilert_answer_write,
                                      &answer);
}


ngx_int_t
ngx_http_ilert_answer_not_allowed(ngx_http_request_t *r, const char *allow)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, sizeof("method: expected ") + ngx_strlen(allow));

    if (p == NULL || ngx_http_discard_request_body(r) != NGX_OK
        || ngx_http_ilert_answer_header(r, "Allow", allow) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sprintf(p, "method: expected %s%Z", allow);

    return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_ALLOWED, (char *) p);
}


ngx_int_t
ngx_http_ilert_answer_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_answer_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char  *p, *last, *end, *src, *dst;
    size_t   len;

    ngx_str_null(value);

    p = r->args.data;
    last = p + r->args.len;
    len = ngx_strlen(name);

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) < len
            || ngx_strncasecmp(p, (u_char *) name, len) != 0
            || (p + len < end && p[len] != '='))
        {
            continue;
        }

        if (p + len == end) {
            return NGX_OK;
        }

        src = p + len + 1;

        dst = ngx_pnalloc(r->pool, end - src + 1);
        if (dst == NULL) {
            return NGX_ERROR;
        }

        value->data = dst;

        ngx_unescape_uri(&dst, &src, end - src, 0);

        value->len = dst - value->data;

        return (ngx_http_ilert_text_valid(value, r->pool) == NGX_OK)
               ? NGX_OK : NGX_ERROR;
    }

    return NGX_DECLINED;
}
