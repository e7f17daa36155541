
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_text.h"


/*
 * An event is written in one go, to a buffer that is large enough for most.
 * If that turns out to be too small, it is written again to one of max_size
 * bytes, with as many rows and fields as fit.  If texts alone do not fit it
 * is written without either, and with texts cut to as much as fits.
 */

#define NGX_HTTP_ILERT_EVENT_END       (sizeof("}}") - 1)
#define NGX_HTTP_ILERT_EVENT_TAIL      (sizeof(",\"truncated\":true}}") - 1)
#define NGX_HTTP_ILERT_EVENT_MIN_TEXT  16


typedef struct {
    ngx_http_ilert_json_writer_t    writer;
    ngx_http_ilert_event_t         *event;
    ngx_http_ilert_webhook_t       *webhook;
    ngx_pool_t                     *pool;

    ngx_str_t                       summary;
    ngx_str_t                       details;
    ngx_str_t                       key;

    size_t                          max_text;
    u_char                         *buf;
    size_t                          size;       /* of buf */

    unsigned                        drop:1;     /* what does not fit */
    unsigned                        drop_tags:1;
    unsigned                        texts_only:1;
    unsigned                        key_cut:1;
    unsigned                        truncated:1;
} ngx_http_ilert_event_ctx_t;


/* what the rows of a series have in common, as the first one was written */

typedef struct {
    ngx_str_t                       head;       /* measurement and tags */
    ngx_str_t                      *names;      /* of fields, as ,"name": */
} ngx_http_ilert_event_series_t;


static ngx_int_t ngx_http_ilert_event_fallback_key(
    ngx_http_ilert_series_t *series, ngx_str_t *key, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_details(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_key(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);
static ngx_int_t ngx_http_ilert_event_cut(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);
static ngx_int_t ngx_http_ilert_event_write(ngx_http_ilert_event_ctx_t *ctx,
    size_t size);
static void ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx);
static void ngx_http_ilert_event_texts(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_data(ngx_http_ilert_event_ctx_t *ctx);
static void ngx_http_ilert_event_text(ngx_http_ilert_event_ctx_t *ctx,
    const char *name, ngx_str_t *value);
static void ngx_http_ilert_event_string(ngx_http_ilert_event_ctx_t *ctx,
    ngx_str_t *value);
static void ngx_http_ilert_event_tags(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series);
static void ngx_http_ilert_event_fields(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_rows(ngx_http_ilert_event_ctx_t *ctx);
static void ngx_http_ilert_event_row(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_http_ilert_event_series_t *es);
static void ngx_http_ilert_event_row_first(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_str_t *name);
static void ngx_http_ilert_event_row_next(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_str_t *name);
static void ngx_http_ilert_event_row_time(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row);
static void ngx_http_ilert_event_row_head(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_str_t *head);
static ngx_uint_t ngx_http_ilert_event_left_out(
    ngx_http_ilert_event_ctx_t *ctx, u_char *mark);


ngx_str_t  ngx_http_ilert_types[] = {
    ngx_string("ALERT"),
    ngx_string("RESOLVE"),
    ngx_string("ACCEPT"),
    ngx_string("COMMENT")
};


ngx_int_t
ngx_http_ilert_event_init(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_str_t                 key;
    ngx_http_ilert_series_t  *series;

    ev->type = (wh->level == NGX_HTTP_ILERT_OK) ? NGX_HTTP_ILERT_RESOLVE
                                                : NGX_HTTP_ILERT_ALERT;

    /* ilert trims keys: one of white space would be none */

    key = wh->id;
    ngx_http_ilert_text_trim(&key);

    if (key.len) {
        ev->alert_key = wh->id;
        return NGX_OK;
    }

    if (wh->series.nelts == 0) {
        ngx_str_set(error, "id: empty, and no series to make an alert key of");
        return NGX_DECLINED;
    }

    series = wh->series.elts;

    key = series->name;
    ngx_http_ilert_text_trim(&key);

    if (key.len == 0 && series->tags.nelts == 0) {
        ngx_str_set(error, "id: empty, and data.series[0] has neither "
                           "a name nor tags to make an alert key of");
        return NGX_DECLINED;
    }

    return ngx_http_ilert_event_fallback_key(series, &ev->alert_key, pool);
}


/* name{tag=value,tag=value} */

static ngx_int_t
ngx_http_ilert_event_fallback_key(ngx_http_ilert_series_t *series,
    ngx_str_t *key, ngx_pool_t *pool)
{
    u_char        *p, open;
    size_t         len;
    ngx_uint_t     i;
    ngx_keyval_t  *tag;

    tag = series->tags.elts;
    len = series->name.len + sizeof("{}") - 1;

    for (i = 0; i < series->tags.nelts; i++) {
        len += tag[i].key.len + tag[i].value.len + sizeof("=,") - 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    p = ngx_cpymem(p, series->name.data, series->name.len);

    open = '{';

    for (i = 0; i < series->tags.nelts; i++) {

        if (tag[i].key.data == NULL) {
            continue;
        }

        *p++ = open;
        open = ',';

        p = ngx_cpymem(p, tag[i].key.data, tag[i].key.len);
        *p++ = '=';
        p = ngx_cpymem(p, tag[i].value.data, tag[i].value.len);
    }

    if (open == ',') {
        *p++ = '}';
    }

    key->len = p - key->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_event_map(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, size_t max_size, ngx_pool_t *pool)
{
    size_t                       size;
    ngx_int_t                    rc;
    ngx_http_ilert_event_ctx_t   ctx;

    ngx_memzero(&ctx, sizeof(ngx_http_ilert_event_ctx_t));

    ctx.event = ev;
    ctx.webhook = wh;
    ctx.pool = pool;
    ctx.max_text = max_size;

    if (ngx_http_ilert_event_summary(&ctx) != NGX_OK
        || ngx_http_ilert_event_details(&ctx) != NGX_OK
        || ngx_http_ilert_event_key(&ctx, max_size) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* a guess that holds for an alert on a single point */

    size = 1024 + 2 * (ctx.summary.len + ctx.details.len + ctx.key.len
                       + wh->id.len + wh->message.len);

    if (wh->trigger) {
        size += 64 * (wh->trigger->columns.nelts + wh->trigger->tags.nelts);
    }

    if (wh->series.nelts > 1 || (wh->trigger && wh->trigger->nrows > 1)
        || size > max_size)
    {
        size = max_size;
    }

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


/* the longest texts that fit; of tags, only if the shortest do not */

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
    ctx->drop_tags = (low == NGX_HTTP_ILERT_EVENT_MIN_TEXT);

    rc = ngx_http_ilert_event_write(ctx, max_size);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ALERT, ctx->pool->log, 0,
                      "ilert event does not fit %uz bytes", max_size);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                    *p;
    ngx_str_t                  id;
    ngx_http_ilert_webhook_t  *wh;

    wh = ctx->webhook;

    if (wh->message.len) {
        ctx->summary = wh->message;
        return NGX_OK;
    }

    id = wh->id;
    ngx_http_ilert_text_trim(&id);

    if (id.len == 0) {
        ctx->summary = wh->level_name;
        return NGX_OK;
    }

    p = ngx_pnalloc(ctx->pool, wh->id.len + sizeof(" is ") - 1
                               + wh->level_name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->summary.data = p;
    ctx->summary.len = ngx_sprintf(p, "%V is %V", &wh->id, &wh->level_name)
                       - p;
    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_event_details(ngx_http_ilert_event_ctx_t *ctx)
{
    if (ctx->webhook->details.len == 0 || ctx->webhook->dump) {
        return NGX_OK;
    }

    return ngx_http_ilert_text_from_html(&ctx->webhook->details,
                                         &ctx->details, ctx->pool);
}


/*
 * A key that would take more than half of the event is cut, but must stay
 * the same for all events of the alert, and another alert's must not become
 * the same: its end is replaced by a digest of the whole.
 */

static ngx_int_t
ngx_http_ilert_event_key(ngx_http_ilert_event_ctx_t *ctx, size_t max_size)
{
    u_char     *p, digest[16];
    size_t      len;
    ngx_md5_t   md5;
    ngx_str_t  *key;

    key = &ctx->event->alert_key;
    len = key->len + ngx_escape_json(NULL, key->data, key->len);

    if (len <= max_size / 2) {
        ctx->key = *key;
        return NGX_OK;
    }

    /* at most six bytes for one, if all were control characters */

    len = ngx_http_ilert_text_cut(key, max_size / 16);

    p = ngx_pnalloc(ctx->pool, len + 1 + 2 * sizeof(digest));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, key->data, key->len);
    ngx_md5_final(digest, &md5);

    ctx->key.data = p;

    p = ngx_cpymem(p, key->data, len);
    *p++ = '#';
    p = ngx_hex_dump(p, digest, sizeof(digest));

    ctx->key.len = p - ctx->key.data;

    /* as ilert will see it */

    *key = ctx->key;
    ctx->key_cut = 1;

    return NGX_OK;
}


/* NGX_DECLINED: does not fit */

static ngx_int_t
ngx_http_ilert_event_write(ngx_http_ilert_event_ctx_t *ctx, size_t size)
{
    ngx_http_ilert_webhook_t      *wh;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    wh = ctx->webhook;

    if (ctx->size != size) {
        ctx->buf = ngx_pnalloc(ctx->pool, size);
        if (ctx->buf == NULL) {
            return NGX_ERROR;
        }

        ctx->size = size;
    }

    w->pos = ctx->buf;
    w->last = ctx->buf + size - ((ctx->drop || ctx->key_cut)
                                 ? NGX_HTTP_ILERT_EVENT_TAIL
                                 : NGX_HTTP_ILERT_EVENT_END);
    w->full = 0;

    ctx->truncated = ctx->key_cut;

    ngx_http_ilert_event_head(ctx);
    ngx_http_ilert_event_texts(ctx);

    if (!w->full && wh->trigger && wh->trigger->tags.nelts) {
        ngx_http_ilert_json_literal(w, ",");
        ngx_http_ilert_event_tags(ctx, wh->trigger);
    }

    if (ctx->texts_only) {
        ctx->truncated = 1;

    } else if (ngx_http_ilert_event_data(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    /* room for the mark is only kept where it may be needed */

    if (w->full || (ctx->truncated && !ctx->drop && !ctx->key_cut)) {
        return NGX_DECLINED;
    }

    w->last = ctx->buf + size;

    if (ctx->truncated) {
        ngx_http_ilert_json_literal(w, ",\"truncated\":true");
    }

    ngx_http_ilert_json_literal(w, "}}");

    ctx->event->body.data = ctx->buf;
    ctx->event->body.len = w->pos - ctx->buf;

    return NGX_OK;
}


static void
ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    ngx_http_ilert_json_literal(w, "{\"eventType\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_types[ctx->event->type]);

    ngx_http_ilert_event_text(ctx, ",\"summary\":", &ctx->summary);

    if (ctx->details.len) {
        ngx_http_ilert_event_text(ctx, ",\"details\":", &ctx->details);
    }

    ngx_http_ilert_json_literal(w, ",\"alertKey\":");
    ngx_http_ilert_json_string(w, &ctx->key);
}


/* those of customDetails that are always there, if they are known */

static void
ngx_http_ilert_event_texts(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_http_ilert_webhook_t      *wh;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    wh = ctx->webhook;

    ngx_http_ilert_json_literal(w, ",\"customDetails\":{");

    if (wh->id.data) {
        ngx_http_ilert_event_text(ctx, "\"id\":", &wh->id);
        ngx_http_ilert_json_literal(w, ",");
    }

    ngx_http_ilert_json_literal(w, "\"level\":");
    ngx_http_ilert_json_string(w, &wh->level_name);

    ngx_http_ilert_event_text(ctx, ",\"previousLevel\":", &wh->previous_level);
    ngx_http_ilert_event_text(ctx, ",\"time\":", &wh->time);

    if (wh->duration.len > ctx->max_text) {
        ctx->truncated = 1;

    } else if (wh->duration.data) {
        ngx_http_ilert_json_literal(w, ",\"duration\":");
        ngx_http_ilert_json_raw(w, wh->duration.data, wh->duration.len);
    }

    ngx_http_ilert_event_text(ctx, ",\"message\":", &wh->message);

    if (wh->trigger) {
        ngx_http_ilert_event_text(ctx, ",\"measurement\":",
                                  &wh->trigger->name);
    }

    ngx_http_ilert_event_text(ctx, ",\"task\":", &wh->task);
    ngx_http_ilert_event_text(ctx, ",\"group\":", &wh->group);
    ngx_http_ilert_event_text(ctx, ",\"server\":", &wh->server);
}


/* fields and rows */

static ngx_int_t
ngx_http_ilert_event_data(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_uint_t  truncated, cut;

    truncated = ctx->truncated;
    ctx->truncated = 0;

    if (!ctx->writer.full && ctx->webhook->row) {
        ngx_http_ilert_event_fields(ctx);
    }

    cut = ctx->truncated;
    ctx->truncated |= truncated;

    /* no row stays where a field has been left out */

    if (ctx->writer.full || cut) {
        return NGX_OK;
    }

    return ngx_http_ilert_event_rows(ctx);
}


/* a member, if it is known */

static void
ngx_http_ilert_event_text(ngx_http_ilert_event_ctx_t *ctx, const char *name,
    ngx_str_t *value)
{
    if (value->data == NULL) {
        return;
    }

    ngx_http_ilert_json_raw(&ctx->writer, (u_char *) name, ngx_strlen(name));
    ngx_http_ilert_event_string(ctx, value);
}


static void
ngx_http_ilert_event_string(ngx_http_ilert_event_ctx_t *ctx, ngx_str_t *value)
{
    ngx_str_t  text;

    text.data = value->data;
    text.len = ngx_http_ilert_text_cut(value, ctx->max_text);

    if (text.len != value->len) {
        ctx->truncated = 1;
    }

    ngx_http_ilert_json_string(&ctx->writer, &text);
}


static void
ngx_http_ilert_event_tags(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    u_char                        *mark, *start;
    ngx_uint_t                     i;
    ngx_keyval_t                  *tag;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    tag = series->tags.elts;

    ngx_http_ilert_json_literal(w, "\"tags\":{");

    if (w->full) {
        return;
    }

    start = w->pos;

    for (i = 0; i < series->tags.nelts; i++) {

        if (tag[i].key.data == NULL) {
            continue;
        }

        mark = w->pos;

        ngx_http_ilert_json_raw(w, (u_char *) ",", mark == start ? 0 : 1);
        ngx_http_ilert_json_string(w, &tag[i].key);
        ngx_http_ilert_json_literal(w, ":");
        ngx_http_ilert_event_string(ctx, &tag[i].value);

        if (ctx->drop_tags && ngx_http_ilert_event_left_out(ctx, mark)) {
            break;
        }
    }

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_event_fields(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                        *mark, *start;
    ngx_str_t                     *column, *value;
    ngx_uint_t                     i;
    ngx_http_ilert_series_t       *series;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    series = ctx->webhook->trigger;
    column = series->columns.elts;

    ngx_http_ilert_json_literal(w, ",\"fields\":{");

    if (w->full) {
        return;
    }

    start = w->pos;
    value = ctx->webhook->row->values;

    for (i = 0; i < series->columns.nelts; i++) {

        if (i == series->time || column[i].data == NULL) {
            continue;
        }

        mark = w->pos;

        ngx_http_ilert_json_raw(w, (u_char *) ",", mark == start ? 0 : 1);
        ngx_http_ilert_json_string(w, &column[i]);
        ngx_http_ilert_json_literal(w, ":");
        ngx_http_ilert_json_raw(w, value[i].data, value[i].len);

        if (ctx->drop && ngx_http_ilert_event_left_out(ctx, mark)) {
            break;
        }
    }

    ngx_http_ilert_json_literal(w, "}");
}


static ngx_int_t
ngx_http_ilert_event_rows(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                         *mark, *start;
    ngx_uint_t                      i, k;
    ngx_http_ilert_series_t        *series;
    ngx_http_ilert_json_row_t      *row;
    ngx_http_ilert_json_writer_t   *w;
    ngx_http_ilert_event_series_t   es;

    w = &ctx->writer;

    start = NULL;
    series = ctx->webhook->series.elts;

    for (i = 0; i < ctx->webhook->series.nelts; i++) {

        ngx_str_null(&es.head);
        es.names = ngx_palloc(ctx->pool,
                              series[i].columns.nelts * sizeof(ngx_str_t));
        if (es.names == NULL) {
            return NGX_ERROR;
        }

        for (k = 0; k < series[i].nrows; k++) {

            row = &series[i].rows[k];

            if (row == ctx->webhook->row) {
                continue;
            }

            mark = w->pos;

            if (start == NULL) {
                ngx_http_ilert_json_literal(w, ",\"rows\":[");
                start = w->pos;

            } else {
                ngx_http_ilert_json_literal(w, ",");
            }

            ngx_http_ilert_event_row(ctx, &series[i], row, &es);

            if (ctx->drop && ngx_http_ilert_event_left_out(ctx, mark)) {

                if (mark > start) {
                    ngx_http_ilert_json_literal(w, "]");
                }

                return NGX_OK;
            }
        }
    }

    if (start) {
        ngx_http_ilert_json_literal(w, "]");
    }

    return NGX_OK;
}


static void
ngx_http_ilert_event_row(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_http_ilert_event_series_t *es)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    ngx_http_ilert_event_row_time(w, series, row);

    if (es->head.data == NULL) {
        ngx_http_ilert_event_row_head(ctx, series, &es->head);
        ngx_http_ilert_event_row_first(w, series, row, es->names);

    } else {
        ngx_http_ilert_json_raw(w, es->head.data, es->head.len);
        ngx_http_ilert_event_row_next(w, series, row, es->names);
    }

    ngx_http_ilert_json_literal(w, "}}");
}


/* the fields of the first row that is written, whose names others take */

static void
ngx_http_ilert_event_row_first(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_str_t *name)
{
    ngx_str_t   *column;
    ngx_uint_t   i, comma;

    comma = 0;
    column = series->columns.elts;

    for (i = 0; i < series->columns.nelts; i++) {

        if (i == series->time || column[i].data == NULL) {
            continue;
        }

        name->data = w->pos;

        ngx_http_ilert_json_raw(w, (u_char *) ",", comma);
        ngx_http_ilert_json_string(w, &column[i]);
        ngx_http_ilert_json_literal(w, ":");

        name->len = w->pos - name->data;

        ngx_http_ilert_json_raw(w, row->values[i].data, row->values[i].len);

        comma = 1;
        name++;
    }
}


/* most of the time that a large batch takes is spent here */

static void
ngx_http_ilert_event_row_next(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_str_t *name)
{
    ngx_str_t                     *column, *value;
    ngx_uint_t                     i, n, slack;
    ngx_http_ilert_json_writer_t   writer;

    /* of its own, so that it is in registers */

    writer = *w;

    n = series->columns.nelts;
    column = series->columns.elts;
    value = row->values;
    slack = row->slack;

    for (i = 0; i < n; i++) {

        if (i == series->time || column[i].data == NULL) {
            continue;
        }

        ngx_http_ilert_json_short(&writer, name->data, name->len);
        name++;

        if (slack) {
            ngx_http_ilert_json_short(&writer, value[i].data, value[i].len);

        } else {
            ngx_http_ilert_json_raw(&writer, value[i].data, value[i].len);
        }
    }

    *w = writer;
}


/* the row's first member, unless it has no time */

static void
ngx_http_ilert_event_row_time(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row)
{
    ngx_str_t  *value;

    ngx_http_ilert_json_literal(w, "{");

    if (series->time == series->columns.nelts) {
        return;
    }

    value = &row->values[series->time];

    if (value->data[0] != 'n') {
        ngx_http_ilert_json_literal(w, "\"time\":");
        ngx_http_ilert_json_raw(w, value->data, value->len);
        ngx_http_ilert_json_literal(w, ",");
    }
}


static void
ngx_http_ilert_event_row_head(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_str_t *head)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    head->data = w->pos;

    if (series->name.data) {
        ngx_http_ilert_json_literal(w, "\"measurement\":");
        ngx_http_ilert_json_string(w, &series->name);
        ngx_http_ilert_json_literal(w, ",");
    }

    if (series->tags.nelts) {
        ngx_http_ilert_event_tags(ctx, series);
        ngx_http_ilert_json_literal(w, ",");
    }

    ngx_http_ilert_json_literal(w, "\"fields\":{");

    head->len = w->pos - head->data;
}


/* takes back what has been written since the mark, if it does not fit */

static ngx_uint_t
ngx_http_ilert_event_left_out(ngx_http_ilert_event_ctx_t *ctx, u_char *mark)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    /* one byte is for the bracket that follows */

    if (!w->full && w->pos < w->last) {
        return 0;
    }

    w->pos = mark;
    w->full = 0;
    ctx->truncated = 1;

    return 1;
}
