
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_text.h"


ngx_int_t ngx_cdecl
ngx_http_ilert_text_error(ngx_str_t *error, ngx_pool_t *pool,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    error->data = ngx_pnalloc(pool, NGX_HTTP_ILERT_TEXT_ERROR);
    if (error->data == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(error->data, error->data + NGX_HTTP_ILERT_TEXT_ERROR,
                      fmt, args);
    va_end(args);

    error->len = p - error->data;

    ngx_http_ilert_text_line(error);

    return NGX_DECLINED;
}
