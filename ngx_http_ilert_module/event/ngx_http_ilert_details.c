
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_details_marks.h"


/*
 * A line feed takes three bytes as Markdown, "  \n", and so do some characters
 * of a URL; nothing takes more, but for the end of code that has none.
 */

#define NGX_HTTP_ILERT_DETAILS_TIMES  3
#define NGX_HTTP_ILERT_DETAILS_MORE   64


ngx_int_t
ngx_http_ilert_details_markdown(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool)
{
    size_t                            size;
    ngx_http_ilert_details_marked_t   marked;

    marked.pos = ngx_pnalloc(pool, html->len);
    if (marked.pos == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_details_html(&marked, html);

    size = NGX_HTTP_ILERT_DETAILS_TIMES * html->len
           + NGX_HTTP_ILERT_DETAILS_MORE;

    text->data = ngx_pnalloc(pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_http_ilert_details_write(&marked, text->data,
                                             text->data + size)
                - text->data;
    return NGX_OK;
}
