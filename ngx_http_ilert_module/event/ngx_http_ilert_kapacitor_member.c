
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


/* Of members with the same name the last one counts, as it does in Go. */

ngx_int_t
ngx_http_ilert_kapacitor_members(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *members, void *data)
{
    ngx_int_t                           rc;
    ngx_str_t                           name;
    ngx_http_ilert_json_reader_t       *reader;
    ngx_http_ilert_kapacitor_member_t  *m;

    reader = &ctx->reader;

    rc = ngx_http_ilert_json_enter(reader, '{');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_name(reader, &name) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (ngx_http_ilert_json_decode(&name, &name, ctx->pool) != NGX_OK) {
            return NGX_ERROR;
        }

        for (m = members; m->name.len; m++) {
            if (ngx_http_ilert_text_same(&m->name, &name)) {
                break;
            }
        }

        if (m->name.len) {
            rc = m->handler(ctx, m, (u_char *) data + m->offset);

        } else {
            rc = ngx_http_ilert_json_skip(reader);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_http_ilert_json_next(reader, '}');
    }

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


ngx_int_t
ngx_http_ilert_kapacitor_scalar(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *first, ngx_str_t *value)
{
    ngx_str_t  token;

    if (ngx_http_ilert_json_scalar(&ctx->reader, &token) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (token.data[0] == 'n') {
        ngx_str_null(value);
        return NGX_OK;
    }

    if (ngx_strchr(first, token.data[0]) == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_ilert_json_decode(&token, value, ctx->pool);
}


ngx_int_t
ngx_http_ilert_kapacitor_null(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t  token;

    return ngx_http_ilert_json_scalar(&ctx->reader, &token);
}


ngx_int_t ngx_cdecl
ngx_http_ilert_kapacitor_error(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *fmt, ...)
{
    u_char   *p;
    size_t    size;
    va_list   args;

    size = NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME + 256;

    ctx->error->data = ngx_pnalloc(ctx->pool, size);
    if (ctx->error->data == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(ctx->error->data, ctx->error->data + size, fmt, args);
    va_end(args);

    ctx->error->len = p - ctx->error->data;

    ngx_http_ilert_text_line(ctx->error);

    return NGX_DECLINED;
}
