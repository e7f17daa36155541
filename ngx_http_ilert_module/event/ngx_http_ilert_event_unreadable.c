
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/* bytes of texts that are shown, and of the body */

#define NGX_HTTP_ILERT_UNREADABLE_NAME  100
#define NGX_HTTP_ILERT_UNREADABLE_TEXT  256
#define NGX_HTTP_ILERT_UNREADABLE_BODY  4096

/* bytes of all that is written around them */

#define NGX_HTTP_ILERT_UNREADABLE_REST  512


static ngx_int_t ngx_http_ilert_event_unreadable_text(ngx_str_t *text,
    ngx_str_t *from, size_t max, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_event_unreadable_details(
    ngx_http_ilert_unreadable_t *un, ngx_uint_t passthrough,
    ngx_str_t *details, ngx_pool_t *pool);
static void ngx_http_ilert_event_unreadable_block(
    ngx_http_ilert_unreadable_t *un, ngx_str_t *block);
static size_t ngx_http_ilert_event_unreadable_fence(ngx_str_t *block);


ngx_int_t
ngx_http_ilert_event_unreadable(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_unreadable_t *un, ngx_uint_t passthrough, time_t now,
    ngx_pool_t *pool)
{
    u_char                       *p;
    size_t                        size;
    ngx_str_t                     text, details;
    ngx_http_ilert_unreadable_t   shown;

    shown = *un;

    if (ngx_http_ilert_event_unreadable_text(&shown.server, &un->server,
                                             NGX_HTTP_ILERT_UNREADABLE_NAME,
                                             pool)
        != NGX_OK
        || ngx_http_ilert_event_unreadable_text(&shown.location, &un->location,
                                             NGX_HTTP_ILERT_UNREADABLE_NAME,
                                             pool)
           != NGX_OK
        || ngx_http_ilert_event_unreadable_text(&shown.error, &un->error,
                                             NGX_HTTP_ILERT_UNREADABLE_TEXT,
                                             pool)
           != NGX_OK
        || ngx_http_ilert_event_unreadable_details(&shown, passthrough,
                                                   &details, pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev->type = NGX_HTTP_ILERT_ALERT;
    ev->level = NGX_HTTP_ILERT_CRITICAL;
    ev->silence = NGX_HTTP_ILERT_EVENT_UNREADABLE_SILENCE;

    /* A location by an expression has a name without a slash. */

    size = sizeof("ilert-unreadable:/") - 1 + shown.server.len
           + shown.location.len;

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ev->alert_key.data = p;
    ev->alert_key.len = ngx_sprintf(p, "ilert-unreadable:%V%s%V",
                                    &shown.server,
                                    (shown.location.len
                                     && shown.location.data[0] == '/')
                                    ? "" : "/",
                                    &shown.location)
                        - p;

    text.data = ngx_pnalloc(pool, sizeof("Webhook refused, an alert may be "
                                         "lost: ")
                                  + shown.error.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = ngx_sprintf(text.data,
                           "Webhook refused, an alert may be lost: %V",
                           &shown.error)
               - text.data;

    size = ngx_http_ilert_event_own_size(ev->alert_key.len,
                                         text.len + details.len);

    ev->body.data = ngx_pnalloc(pool, size);
    if (ev->body.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_event_own(ev, passthrough, &text, &details, now,
                             ev->body.data + size);

    return NGX_OK;
}


/* The first bytes of a text, as one line of valid UTF-8, in memory of ours. */

static ngx_int_t
ngx_http_ilert_event_unreadable_text(ngx_str_t *text, ngx_str_t *from,
    size_t max, ngx_pool_t *pool)
{
    ngx_str_t  valid;

    valid = *from;

    if (ngx_http_ilert_text_valid(&valid, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    valid.len = ngx_http_ilert_text_cut(&valid, max);

    text->len = valid.len;
    text->data = ngx_pstrdup(pool, &valid);

    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_text_line(text);

    return NGX_OK;
}


/*
 * What others have sent is in a block of its own, in which it means nothing:
 * of Markdown between fences that are not in it, of HTML in <pre>, escaped.
 */

static ngx_int_t
ngx_http_ilert_event_unreadable_details(ngx_http_ilert_unreadable_t *un,
    ngx_uint_t passthrough, ngx_str_t *details, ngx_pool_t *pool)
{
    u_char     *p;
    size_t      size, fence;
    ngx_str_t   block;

    size = 3 * NGX_HTTP_ILERT_UNREADABLE_BODY + NGX_HTTP_ILERT_UNREADABLE_NAME
           + NGX_HTTP_ILERT_UNREADABLE_TEXT + NGX_HTTP_ILERT_UNREADABLE_REST
           + un->address.len;

    block.data = ngx_pnalloc(pool, size);
    if (block.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_event_unreadable_block(un, &block);

    if (passthrough) {
        size = sizeof("<pre></pre>") + block.len
               + ngx_escape_html(NULL, block.data, block.len);
        fence = 0;

    } else {
        fence = ngx_http_ilert_event_unreadable_fence(&block);
        size = block.len + 2 * fence + 3;
    }

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    details->data = p;

    if (passthrough) {
        p = ngx_cpymem(p, "<pre>", sizeof("<pre>") - 1);
        p = (u_char *) ngx_escape_html(p, block.data, block.len);
        p = ngx_cpymem(p, "</pre>", sizeof("</pre>") - 1);

    } else {
        ngx_memset(p, '`', fence);
        p[fence] = '\n';
        p = ngx_cpymem(p + fence + 1, block.data, block.len);
        *p++ = '\n';
        ngx_memset(p, '`', fence);
        p += fence;
    }

    details->len = p - details->data;

    return NGX_OK;
}


/* From where, why, and what: valid UTF-8, without odd control characters. */

static void
ngx_http_ilert_event_unreadable_block(ngx_http_ilert_unreadable_t *un,
    ngx_str_t *block)
{
    u_char  *p, *src, *last, *out, *next;
    size_t   n;

    n = ngx_min(un->body.len, NGX_HTTP_ILERT_UNREADABLE_BODY);

    p = ngx_sprintf(block->data,
                    "from: %V\nto: %V\nanswer: %ui\nwhy: %V\n"
                    "body: %uz bytes%s\n\n",
                    &un->address, &un->location, un->status, &un->error,
                    un->body.len,
                    (n < un->body.len) ? ", of which these are the first"
                                       : "");

    src = un->body.data;
    last = src + n;

    while (src < last) {

        next = ngx_http_ilert_text_copy(p, &src, last);

        for (out = p; out < next; out++) {
            if ((*out < 0x20 && *out != '\n' && *out != '\t')
                || *out == 0x7f)
            {
                *out = ' ';
            }
        }

        p = next;
    }

    block->len = p - block->data;
}


/* One more backtick than there are in a row in the block, three at least. */

static size_t
ngx_http_ilert_event_unreadable_fence(ngx_str_t *block)
{
    size_t  i, run, most;

    run = 0;
    most = 2;

    for (i = 0; i < block->len; i++) {
        run = (block->data[i] == '`') ? run + 1 : 0;
        most = ngx_max(most, run);
    }

    return most + 1;
}
