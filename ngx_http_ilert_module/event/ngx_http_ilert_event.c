
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/*
 * An event is written to a buffer, and almost always this is done once.  An
 * event that does not fit is written again, each time with more left out:
 *
 *     1.  to a buffer whose size is a guess,
 *     2.  to one of max_size bytes,
 *     3.  without the rows and fields at the end that do not fit,
 *     4.  without all rows and fields, and with each text cut to a length that
 *         is searched for by halves,
 *     5.  with the shortest texts, and without the tags and the items of the
 *         mapping that do not fit.
 */

/* bytes that are kept for the end of the event */

#define NGX_HTTP_ILERT_EVENT_END       (sizeof("}}") - 1)
#define NGX_HTTP_ILERT_EVENT_TAIL      (sizeof(",\"truncated\":true}}") - 1)

/* the shortest length to which texts are cut, in bytes */

#define NGX_HTTP_ILERT_EVENT_MIN_TEXT  16


static ngx_int_t ngx_http_ilert_event_cut_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, size_t max_size, ngx_pool_t *pool);
static size_t ngx_http_ilert_event_guess(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);
static ngx_int_t ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_write(ngx_http_ilert_event_ctx_t *ctx,
    size_t size);
static ngx_int_t ngx_http_ilert_event_cut(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);


ngx_str_t  ngx_http_ilert_types[] = {
    ngx_null_string,
    ngx_string("ALERT"),
    ngx_string("RESOLVE"),
    ngx_string("ACCEPT"),
    ngx_string("COMMENT")
};


static ngx_str_t  ngx_http_ilert_event_truncated_name =
    ngx_string(",\"truncated\":");


ngx_int_t
ngx_http_ilert_event_set_id(ngx_http_ilert_event_t *ev, uint64_t number,
    ngx_pool_t *pool)
{
    ev->number = number;

    ev->id.data = ngx_pnalloc(pool, NGX_INT64_LEN);
    if (ev->id.data == NULL) {
        return NGX_ERROR;
    }

    ev->id.len = ngx_sprintf(ev->id.data, "%uL", number) - ev->id.data;

    return NGX_OK;
}


void
ngx_http_ilert_event_type(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *name)
{
    ngx_uint_t  i;

    ev->level = wh->level;

    for (i = NGX_HTTP_ILERT_ALERT; i <= NGX_HTTP_ILERT_COMMENT; i++) {
        if (ngx_http_ilert_types[i].len == name->len
            && ngx_memcmp(ngx_http_ilert_types[i].data, name->data, name->len)
               == 0)
        {
            ev->type = i;
            return;
        }
    }

    ev->type = (wh->level == NGX_HTTP_ILERT_OK) ? NGX_HTTP_ILERT_RESOLVE
                                                : NGX_HTTP_ILERT_ALERT;
}


ngx_int_t
ngx_http_ilert_event_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *key, size_t max_size,
    ngx_str_t *error, ngx_pool_t *pool)
{
    if (!ngx_http_ilert_text_blank(key)) {
        ev->alert_key = *key;

    } else if (wh->key.len) {
        ev->alert_key = wh->key;

    } else if (wh->series.nelts == 0) {
        ngx_str_set(error, "id: empty, and no series to make an alert key of");
        return NGX_DECLINED;

    } else {
        ngx_str_set(error, "id: empty, and data.series[0] has neither "
                           "a name nor tags to make an alert key of");
        return NGX_DECLINED;
    }

    return ngx_http_ilert_event_cut_key(ev, wh, max_size, pool);
}


/*
 * Cuts a key that would take more than half of the event.  The key must stay
 * the same for all events of the alert, and must not become that of another
 * alert, so its end is replaced by a digest of the whole key.
 */

static ngx_int_t
ngx_http_ilert_event_cut_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, size_t max_size, ngx_pool_t *pool)
{
    u_char     *p, digest[16];
    size_t      len;
    ngx_str_t  *key;

    key = &ev->alert_key;

    if (key->len <= max_size / 2
        && key->len + ngx_escape_json(NULL, key->data, key->len)
           <= max_size / 2)
    {
        return NGX_OK;
    }

    /* One byte takes at most six bytes of JSON, as \u00XX. */

    len = ngx_http_ilert_text_cut(key, max_size / 16);

    p = ngx_pnalloc(pool, len + 1 + 2 * sizeof(digest));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_md5(wh, key, digest);

    key->len = ngx_hex_dump(ngx_sprintf(p, "%*s#", len, key->data), digest,
                            sizeof(digest))
               - p;
    key->data = p;

    ev->key_cut = 1;

    return NGX_OK;
}


void
ngx_http_ilert_event_message(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh)
{
    u_char      digest[16];
    uint64_t    n;
    ngx_md5_t   md5;
    ngx_uint_t  i;

    ev->message = 0;

    if (ev->ilert_type != NGX_HTTP_ILERT_ALERT
        || wh->recoverable.len != sizeof("false") - 1
        || ngx_strncmp(wh->recoverable.data, "false", sizeof("false") - 1)
           != 0)
    {
        return;
    }

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, wh->message.data, wh->message.len);
    ngx_md5_final(digest, &md5);

    for (i = 0, n = 0; i < sizeof(uint64_t); i++) {
        n = n << 8 | digest[i];
    }

    ev->message = n ? (int64_t) n : 1;
}


ngx_int_t
ngx_http_ilert_event_map(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_http_ilert_mapping_t *mapping,
    size_t max_size, ngx_pool_t *pool)
{
    size_t                       size;
    ngx_int_t                    rc;
    ngx_str_t                   *priority;
    ngx_http_ilert_event_ctx_t   ctx;

    priority = &mapping->values[NGX_HTTP_ILERT_PRIORITY];

    if (priority->len) {
        ev->priority = (priority->data[0] == 'H') ? NGX_HTTP_ILERT_HIGH
                                                  : NGX_HTTP_ILERT_LOW;
    }

    ngx_memzero(&ctx, sizeof(ngx_http_ilert_event_ctx_t));

    ctx.event = ev;
    ctx.webhook = wh;
    ctx.mapping = mapping;
    ctx.pool = pool;
    ctx.max_text = max_size;

    if (ngx_http_ilert_event_summary(&ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    ev->summary = ctx.summary;

    ctx.details = mapping->values[NGX_HTTP_ILERT_DETAILS];

    if (ctx.details.len == 0) {
        ctx.details = wh->details_text;
    }

    size = ngx_http_ilert_event_guess(&ctx, max_size);

    rc = ngx_http_ilert_event_write(&ctx, size);

    if (rc == NGX_DECLINED && size < max_size) {
        rc = ngx_http_ilert_event_write(&ctx, max_size);
    }

    if (rc == NGX_DECLINED) {
        ctx.drop = 1;
        rc = ngx_http_ilert_event_write(&ctx, max_size);
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_http_ilert_event_cut(&ctx, max_size);
    }

    return rc;
}


/*
 * Returns a size that should be enough.  The size of a batch is not easy to
 * guess, so for more than one row this is max_size.
 */

static size_t
ngx_http_ilert_event_guess(ngx_http_ilert_event_ctx_t *ctx, size_t max_size)
{
    size_t                     size;
    ngx_uint_t                 i, k;
    ngx_http_ilert_list_t     *list;
    ngx_http_ilert_item_t     *item;
    ngx_http_ilert_webhook_t  *wh;

    wh = ctx->webhook;

    if (wh->series.nelts > 1
        || (wh->trigger && wh->trigger->first_row != wh->trigger->last_row))
    {
        return max_size;
    }

    size = ctx->summary.len + ctx->details.len + ctx->event->alert_key.len
           + wh->id.len + wh->message.len
           + ctx->mapping->values[NGX_HTTP_ILERT_ROUTING_KEY].len;

    for (i = 0; i < NGX_HTTP_ILERT_MAPPING_LISTS; i++) {
        list = &ctx->mapping->lists[i];

        for (k = 0; k < list->nitems; k++) {
            item = &list->items[k];
            size += 24 + item->values[0].len + item->values[1].len
                    + item->values[2].len;
        }
    }

    size = 1024 + 2 * size;

    if (wh->trigger) {
        size += 64 * (wh->trigger->columns.nelts + wh->trigger->tags.nelts);
    }

    return ngx_min(size, max_size);
}


static ngx_int_t
ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                    *p;
    ngx_str_t                 *key;
    ngx_http_ilert_webhook_t  *wh;

    wh = ctx->webhook;

    ctx->summary = ctx->mapping->values[NGX_HTTP_ILERT_SUMMARY];

    if (ctx->summary.len) {
        return NGX_OK;
    }

    if (!ngx_http_ilert_text_blank(&wh->message)) {
        ctx->summary = wh->message;
        return NGX_OK;
    }

    /* A level alone would not tell people which alert they look at. */

    key = ngx_http_ilert_text_blank(&wh->id) ? &ctx->event->alert_key
                                             : &wh->id;

    p = ngx_pnalloc(ctx->pool, key->len + sizeof(" is ") - 1
                               + wh->level_name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->summary.data = p;
    ctx->summary.len = ngx_sprintf(p, "%V is %V", key, &wh->level_name) - p;

    return NGX_OK;
}


/*
 * Writes the event to a buffer of "size" bytes.  Returns NGX_OK, NGX_ERROR if
 * there is no memory, or NGX_DECLINED if the event does not fit.
 */

static ngx_int_t
ngx_http_ilert_event_write(ngx_http_ilert_event_ctx_t *ctx, size_t size)
{
    ngx_uint_t                     key_cut;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    key_cut = ctx->event->key_cut;

    if (ctx->size != size) {
        ctx->buf = ngx_pnalloc(ctx->pool, size);
        if (ctx->buf == NULL) {
            return NGX_ERROR;
        }

        ctx->size = size;
    }

    w->pos = ctx->buf;
    w->last = ctx->buf + size - ((ctx->drop || key_cut)
                                 ? NGX_HTTP_ILERT_EVENT_TAIL
                                 : NGX_HTTP_ILERT_EVENT_END);
    w->full = 0;

    ctx->truncated = key_cut;
    ctx->custom = ctx->mapping->lists[NGX_HTTP_ILERT_CUSTOM_DETAILS
                                      - NGX_HTTP_ILERT_LABELS];

    ngx_http_ilert_event_head(ctx);
    ngx_http_ilert_event_lists(ctx);
    ngx_http_ilert_event_texts(ctx);

    if (ctx->texts_only) {
        ctx->truncated = 1;

    } else if (ngx_http_ilert_event_data(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * The first two times no room is kept for the member "truncated", so an
     * event that needs it has to be written again.
     */

    if (w->full || (ctx->truncated && !ctx->drop && !key_cut)) {
        return NGX_DECLINED;
    }

    w->last = ctx->buf + size;

    /* A member of the mapping that was left out does not hide ours. */

    ctx->custom.nitems = ctx->ncustom;

    if (ctx->truncated
        && ngx_http_ilert_event_begin(ctx,
                                      &ngx_http_ilert_event_truncated_name))
    {
        ngx_http_ilert_json_literal(w, "true");
    }

    ngx_http_ilert_json_literal(w, "}}");

    ctx->event->body.data = ctx->buf;
    ctx->event->body.len = w->pos - ctx->buf;

    return NGX_OK;
}


/*
 * Finds the greatest length of texts with which the event fits, and writes the
 * event with it.
 */

static ngx_int_t
ngx_http_ilert_event_cut(ngx_http_ilert_event_ctx_t *ctx, size_t max_size)
{
    size_t     low, high;
    ngx_int_t  rc;

    ctx->texts_only = 1;

    low = NGX_HTTP_ILERT_EVENT_MIN_TEXT;
    high = max_size;

    while (high - low > 1) {
        ctx->max_text = (low + high) / 2;

        rc = ngx_http_ilert_event_write(ctx, max_size);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            low = ctx->max_text;

        } else {
            high = ctx->max_text;
        }
    }

    ctx->max_text = low;
    ctx->drop_items = (low == NGX_HTTP_ILERT_EVENT_MIN_TEXT);

    rc = ngx_http_ilert_event_write(ctx, max_size);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ALERT, ctx->pool->log, 0,
                      "ilert event does not fit %uz bytes", max_size);
        return NGX_ERROR;
    }

    return rc;
}
