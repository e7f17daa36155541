
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

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

/* what customDetails take at most but for tags, if texts are that short */

#define NGX_HTTP_ILERT_EVENT_RESERVE   1152

/* of a RESOLVE without a webhook: its text, half of that the key, and all */

#define NGX_HTTP_ILERT_EVENT_SILENT_TEXT  512
#define NGX_HTTP_ILERT_EVENT_SILENT_SIZE  (NGX_HTTP_ILERT_EVENT_SILENT_TEXT   \
                                           + 256)


typedef struct {
    ngx_http_ilert_json_writer_t    writer;
    ngx_http_ilert_event_t         *event;
    ngx_http_ilert_webhook_t       *webhook;
    ngx_http_ilert_mapping_t       *mapping;
    ngx_pool_t                     *pool;

    ngx_str_t                       summary;
    ngx_str_t                       details;

    ngx_http_ilert_list_t           custom;     /* details, not ours */
    ngx_uint_t                      ncustom;    /* those that are written */

    /* of a series: its fields as the first row was written, ,"name": each, */
    /* and the values of the row at hand */
    ngx_str_t                      *names;
    ngx_str_t                      *values;

    size_t                          max_text;
    u_char                         *buf;
    size_t                          size;       /* of buf */

    unsigned                        drop:1;     /* what does not fit */
    unsigned                        drop_items:1;   /* tags too */
    unsigned                        texts_only:1;
    unsigned                        truncated:1;
} ngx_http_ilert_event_ctx_t;


/* how a list of the mapping is written */

typedef struct {
    ngx_str_t                       open;
    ngx_str_t                       close;

    /* what stands before a value; the first one's is always there */
    ngx_str_t                       before[NGX_HTTP_ILERT_ITEM_VALUES];
    ngx_str_t                       after;
    ngx_uint_t                      whole;  /* so many values are not cut */
} ngx_http_ilert_event_list_t;


/* a member of customDetails: of the webhook */

typedef struct {
    ngx_str_t                       name;   /* as ,"name": */
    size_t                          offset;
    ngx_uint_t                      raw;    /* a number */
} ngx_http_ilert_event_member_t;


static ngx_int_t ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_cut_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, size_t max_size, ngx_pool_t *pool);
static size_t ngx_http_ilert_event_guess(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);
static ngx_int_t ngx_http_ilert_event_cut(ngx_http_ilert_event_ctx_t *ctx,
    size_t max_size);
static ngx_int_t ngx_http_ilert_event_write(ngx_http_ilert_event_ctx_t *ctx,
    size_t size);
static void ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx);
static void ngx_http_ilert_event_lists(ngx_http_ilert_event_ctx_t *ctx);
static ngx_uint_t ngx_http_ilert_event_list(ngx_http_ilert_event_ctx_t *ctx,
    ngx_uint_t n);
static void ngx_http_ilert_event_item(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_event_list_t *form, ngx_http_ilert_item_t *item);
static void ngx_http_ilert_event_texts(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_data(ngx_http_ilert_event_ctx_t *ctx);
static ngx_uint_t ngx_http_ilert_event_begin(ngx_http_ilert_event_ctx_t *ctx,
    ngx_str_t *name);
static void ngx_http_ilert_event_string(ngx_http_ilert_event_ctx_t *ctx,
    ngx_str_t *value);
static void ngx_http_ilert_event_tags(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series);
static void ngx_http_ilert_event_fields(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_rows(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_room(ngx_http_ilert_event_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_event_series(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, u_char **start);
static void ngx_http_ilert_event_row(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *head);
static void ngx_http_ilert_event_row_first(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *name);
static void ngx_http_ilert_event_row_next(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *name);
static void ngx_http_ilert_event_row_time(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows);
static void ngx_http_ilert_event_row_head(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_str_t *head);
static u_char *ngx_http_ilert_event_silent_text(u_char *p, ngx_str_t *key,
    ngx_msec_t silence);
static u_char *ngx_http_ilert_event_time(u_char *p, time_t now);
static ngx_uint_t ngx_http_ilert_event_left_out(
    ngx_http_ilert_event_ctx_t *ctx, u_char *mark);


ngx_str_t  ngx_http_ilert_types[] = {
    ngx_null_string,
    ngx_string("ALERT"),
    ngx_string("RESOLVE"),
    ngx_string("ACCEPT"),
    ngx_string("COMMENT")
};


/* by ngx_http_ilert_mapping_e, from NGX_HTTP_ILERT_LABELS on */

static ngx_http_ilert_event_list_t  ngx_http_ilert_event_list_forms[] = {

    { ngx_string(",\"labels\":{"), ngx_string("}"),
      { ngx_string(""), ngx_string(":"), ngx_string("") },
      ngx_string(""), 0 },

    { ngx_string(",\"links\":["), ngx_string("]"),
      { ngx_string("{\"href\":"), ngx_string(",\"text\":"),
        ngx_string("") },
      ngx_string("}"), 1 },

    { ngx_string(",\"images\":["), ngx_string("]"),
      { ngx_string("{\"src\":"), ngx_string(",\"href\":"),
        ngx_string(",\"alt\":") },
      ngx_string("}"), 2 },

    { ngx_string(",\"services\":["), ngx_string("]"),
      { ngx_string("{\"alias\":"), ngx_string(""), ngx_string("") },
      ngx_string("}"), 1 },

    { ngx_string(",\"comments\":["), ngx_string("]"),
      { ngx_string("{\"creator\":\"Kapacitor\",\"content\":"),
        ngx_string(""), ngx_string("") },
      ngx_string("}"), 0 },

    /* among the members of customDetails */

    { ngx_string(""), ngx_string(""),
      { ngx_string(""), ngx_string(":"), ngx_string("") },
      ngx_string(""), 0 }
};


/* those that are always there, if they are known */

static ngx_http_ilert_event_member_t  ngx_http_ilert_event_members[] = {

    { ngx_string(",\"id\":"),
      offsetof(ngx_http_ilert_webhook_t, id), 0 },

    { ngx_string(",\"level\":"),
      offsetof(ngx_http_ilert_webhook_t, level_name), 0 },

    { ngx_string(",\"previousLevel\":"),
      offsetof(ngx_http_ilert_webhook_t, previous_level), 0 },

    { ngx_string(",\"time\":"),
      offsetof(ngx_http_ilert_webhook_t, time), 0 },

    { ngx_string(",\"duration\":"),
      offsetof(ngx_http_ilert_webhook_t, duration), 1 },

    { ngx_string(",\"message\":"),
      offsetof(ngx_http_ilert_webhook_t, message), 0 },

    { ngx_string(",\"measurement\":"),
      offsetof(ngx_http_ilert_webhook_t, name), 0 },

    { ngx_string(",\"task\":"),
      offsetof(ngx_http_ilert_webhook_t, task), 0 },

    { ngx_string(",\"group\":"),
      offsetof(ngx_http_ilert_webhook_t, group), 0 },

    { ngx_string(",\"server\":"),
      offsetof(ngx_http_ilert_webhook_t, server), 0 },

    { ngx_null_string, 0, 0 }
};

static ngx_str_t  ngx_http_ilert_event_tags_name = ngx_string(",\"tags\":");
static ngx_str_t  ngx_http_ilert_event_fields_name =
    ngx_string(",\"fields\":");
static ngx_str_t  ngx_http_ilert_event_rows_name = ngx_string(",\"rows\":");
static ngx_str_t  ngx_http_ilert_event_truncated_name =
    ngx_string(",\"truncated\":");


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
 * A key that would take more than half of the event is cut, but must stay
 * the same for all events of the alert, and another alert's must not become
 * the same: its end is replaced by a digest of the whole.
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

    /* at most six bytes for one, if all were control characters */

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


/* a size that does for an alert on a single point */

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


/*
 * The longest texts that fit; if the shortest do not, as many tags and items
 * of the mapping as fit.
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


static ngx_int_t
ngx_http_ilert_event_summary(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                    *p;
    ngx_http_ilert_webhook_t  *wh;

    wh = ctx->webhook;

    ctx->summary = ctx->mapping->values[NGX_HTTP_ILERT_SUMMARY];

    if (ctx->summary.len) {
        return NGX_OK;
    }

    if (wh->message.len) {
        ctx->summary = wh->message;
        return NGX_OK;
    }

    if (ngx_http_ilert_text_blank(&wh->id)) {
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


/* NGX_DECLINED: does not fit */

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

    /* room for the mark is only kept where it may be needed */

    if (w->full || (ctx->truncated && !ctx->drop && !key_cut)) {
        return NGX_DECLINED;
    }

    w->last = ctx->buf + size;

    /* one that has been left out does not hide that */

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


static void
ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_str_t                     *values;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    values = ctx->mapping->values;

    ngx_http_ilert_json_literal(w, "{\"eventType\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_types[ctx->event->type]);

    ngx_http_ilert_json_literal(w, ",\"summary\":");
    ngx_http_ilert_event_string(ctx, &ctx->summary);

    if (ctx->details.len) {
        ngx_http_ilert_json_literal(w, ",\"details\":");
        ngx_http_ilert_event_string(ctx, &ctx->details);
    }

    ngx_http_ilert_json_literal(w, ",\"alertKey\":");
    ngx_http_ilert_json_string(w, &ctx->event->alert_key);

    if (values[NGX_HTTP_ILERT_PRIORITY].len) {
        ngx_http_ilert_json_literal(w, ",\"priority\":");
        ngx_http_ilert_json_string(w, &values[NGX_HTTP_ILERT_PRIORITY]);
    }

    if (values[NGX_HTTP_ILERT_SEVERITY].len) {
        ngx_http_ilert_json_literal(w, ",\"severity\":");
        ngx_http_ilert_json_raw(w, values[NGX_HTTP_ILERT_SEVERITY].data,
                                values[NGX_HTTP_ILERT_SEVERITY].len);
    }

    if (values[NGX_HTTP_ILERT_ROUTING_KEY].len == 0) {
        return;
    }

    /* a part of it would be another one */

    if (values[NGX_HTTP_ILERT_ROUTING_KEY].len > ctx->max_text) {
        ctx->truncated = 1;
        return;
    }

    ngx_http_ilert_json_literal(w, ",\"routingKey\":");
    ngx_http_ilert_json_string(w, &values[NGX_HTTP_ILERT_ROUTING_KEY]);
}


/* those of the mapping, and then customDetails are begun */

static void
ngx_http_ilert_event_lists(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                        *last;
    ngx_uint_t                     i;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    last = w->last;

    if (ctx->drop_items) {
        w->last -= ngx_min(w->last - w->pos, NGX_HTTP_ILERT_EVENT_RESERVE);
    }

    for (i = 0; i < NGX_HTTP_ILERT_MAPPING_LISTS - 1; i++) {
        (void) ngx_http_ilert_event_list(ctx, i);
    }

    w->last = last;

    ngx_http_ilert_json_literal(w, ",\"customDetails\":{");
}


/* returns how many items it has come to */

static ngx_uint_t
ngx_http_ilert_event_list(ngx_http_ilert_event_ctx_t *ctx, ngx_uint_t n)
{
    u_char                        *start, *mark;
    ngx_uint_t                     i, written;
    ngx_http_ilert_item_t         *item;
    ngx_http_ilert_list_t         *list;
    ngx_http_ilert_event_list_t   *form;
    ngx_http_ilert_json_writer_t  *w;

    list = &ctx->mapping->lists[n];

    if (list->nitems == 0) {
        return 0;
    }

    w = &ctx->writer;
    form = &ngx_http_ilert_event_list_forms[n];

    start = w->pos;
    written = 0;

    ngx_http_ilert_json_raw(w, form->open.data, form->open.len);

    for (i = 0; i < list->nitems; i++) {
        item = &list->items[i];
        mark = w->pos;

        /* a part of a URL or an alias would be another one */

        if ((form->whole > 0 && item->values[0].len > ctx->max_text)
            || (form->whole > 1 && item->values[1].len > ctx->max_text))
        {
            ctx->truncated = 1;
            continue;
        }

        ngx_http_ilert_event_item(ctx, form, item);

        if (ctx->drop_items && ngx_http_ilert_event_left_out(ctx, mark)) {
            break;
        }

        written = 1;
    }

    if (!written) {
        w->pos = start;
        return i;
    }

    ngx_http_ilert_json_raw(w, form->close.data, form->close.len);

    return i;
}


static void
ngx_http_ilert_event_item(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_event_list_t *form, ngx_http_ilert_item_t *item)
{
    ngx_uint_t                     i;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    if (w->pos[-1] != '{' && w->pos[-1] != '[') {
        ngx_http_ilert_json_literal(w, ",");
    }

    for (i = 0; i < NGX_HTTP_ILERT_ITEM_VALUES; i++) {

        if (item->values[i].len == 0) {
            continue;
        }

        ngx_http_ilert_json_raw(w, form->before[i].data, form->before[i].len);

        if (i == 0 && form->before[0].len == 0) {

            /* a name, which must not become another's */

            ngx_http_ilert_json_string(w, &item->values[0]);
            continue;
        }

        ngx_http_ilert_event_string(ctx, &item->values[i]);
    }

    ngx_http_ilert_json_raw(w, form->after.data, form->after.len);
}


/* members of customDetails that are strings, and tags */

static void
ngx_http_ilert_event_texts(ngx_http_ilert_event_ctx_t *ctx)
{
    u_char                         *mark;
    ngx_str_t                      *value;
    ngx_http_ilert_json_writer_t   *w;
    ngx_http_ilert_event_member_t  *member;

    w = &ctx->writer;

    for (member = ngx_http_ilert_event_members; member->name.len; member++) {

        value = (ngx_str_t *) ((u_char *) ctx->webhook + member->offset);

        if (value->data == NULL) {
            continue;
        }

        if (member->raw && value->len > ctx->max_text) {
            ctx->truncated = 1;
            continue;
        }

        if (!ngx_http_ilert_event_begin(ctx, &member->name)) {
            continue;
        }

        if (member->raw) {
            ngx_http_ilert_json_raw(w, value->data, value->len);

        } else {
            ngx_http_ilert_event_string(ctx, value);
        }
    }

    ctx->ncustom = ngx_http_ilert_event_list(ctx, NGX_HTTP_ILERT_CUSTOM_DETAILS
                                                  - NGX_HTTP_ILERT_LABELS);

    mark = w->pos;

    if (ctx->webhook->trigger && ctx->webhook->trigger->tags.nelts
        && ngx_http_ilert_event_begin(ctx, &ngx_http_ilert_event_tags_name))
    {
        ngx_http_ilert_event_tags(ctx, ctx->webhook->trigger);

        if (ctx->drop_items) {
            (void) ngx_http_ilert_event_left_out(ctx, mark);
        }
    }
}


/*
 * Begins a member of customDetails, unless the mapping has one of the name;
 * nothing but a bracket ends in "{".
 */

static ngx_uint_t
ngx_http_ilert_event_begin(ngx_http_ilert_event_ctx_t *ctx, ngx_str_t *name)
{
    ngx_str_t                     *own;
    ngx_uint_t                     i, first;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    for (i = 0; i < ctx->custom.nitems; i++) {
        own = &ctx->custom.items[i].values[0];

        if (own->len + sizeof(",\"\":") - 1 == name->len
            && ngx_memcmp(own->data, name->data + 2, own->len) == 0)
        {
            return 0;
        }
    }

    first = (w->pos[-1] == '{');

    ngx_http_ilert_json_raw(w, name->data + first, name->len - first);

    return 1;
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

    ngx_http_ilert_json_literal(w, "{");

    if (w->full) {
        return;
    }

    start = w->pos;

    for (i = 0; i < series->tags.nelts && !w->full; i++) {

        if (tag[i].key.data == NULL) {
            continue;
        }

        mark = w->pos;

        ngx_http_ilert_json_raw(w, (u_char *) ",", mark == start ? 0 : 1);
        ngx_http_ilert_json_string(w, &tag[i].key);
        ngx_http_ilert_json_literal(w, ":");
        ngx_http_ilert_event_string(ctx, &tag[i].value);

        if (ctx->drop_items && ngx_http_ilert_event_left_out(ctx, mark)) {
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

    if (!ngx_http_ilert_event_begin(ctx, &ngx_http_ilert_event_fields_name)) {
        return;
    }

    ngx_http_ilert_json_literal(w, "{");

    if (w->full) {
        return;
    }

    start = w->pos;
    value = ctx->webhook->values;

    for (i = 0; i < series->columns.nelts && !w->full; i++) {

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
    u_char                         *start;
    ngx_uint_t                      i;
    ngx_http_ilert_series_t        *series;
    ngx_http_ilert_json_writer_t   *w;

    w = &ctx->writer;

    start = NULL;
    series = ctx->webhook->series.elts;

    if (ngx_http_ilert_event_room(ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->webhook->series.nelts; i++) {

        if (series[i].first_row == NULL) {
            continue;
        }

        if (ngx_http_ilert_event_series(ctx, &series[i], &start) != NGX_OK) {
            break;
        }
    }

    if (start && w->pos > start) {
        ngx_http_ilert_json_literal(w, "]");
    }

    return NGX_OK;
}


/* for the names and the values of any series */

static ngx_int_t
ngx_http_ilert_event_room(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_uint_t                i, n;
    ngx_http_ilert_series_t  *series;

    if (ctx->names) {
        return NGX_OK;
    }

    n = 1;
    series = ctx->webhook->series.elts;

    for (i = 0; i < ctx->webhook->series.nelts; i++) {
        n = ngx_max(n, series[i].columns.nelts);
    }

    ctx->names = ngx_palloc(ctx->pool, 2 * n * sizeof(ngx_str_t));
    if (ctx->names == NULL) {
        return NGX_ERROR;
    }

    ctx->values = ctx->names + n;

    return NGX_OK;
}


/*
 * "start" is that of the first row of all, NULL if there was none.
 * NGX_DECLINED: no more fits.
 */

static ngx_int_t
ngx_http_ilert_event_series(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, u_char **start)
{
    u_char                        *mark;
    ngx_str_t                      head;
    ngx_http_ilert_rows_t          rows;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    ngx_str_null(&head);

    ngx_http_ilert_kapacitor_rows(&rows, series, series->first_row,
                                  ctx->values);

    while (ngx_http_ilert_kapacitor_next_row(&rows)) {

        if (rows.row == ctx->webhook->row) {
            continue;
        }

        mark = w->pos;

        if (*start == NULL) {

            if (!ngx_http_ilert_event_begin(ctx,
                                            &ngx_http_ilert_event_rows_name))
            {
                return NGX_DECLINED;
            }

            ngx_http_ilert_json_literal(w, "[");
            *start = w->pos;

        } else {
            ngx_http_ilert_json_literal(w, ",");
        }

        ngx_http_ilert_event_row(ctx, series, &rows, &head);

        if (ctx->drop && ngx_http_ilert_event_left_out(ctx, mark)) {
            return NGX_DECLINED;
        }

        if (w->full) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static void
ngx_http_ilert_event_row(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *head)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    ngx_http_ilert_event_row_time(w, series, rows);

    if (head->data == NULL) {
        ngx_http_ilert_event_row_head(ctx, series, head);
        ngx_http_ilert_event_row_first(w, series, rows, ctx->names);

    } else {
        ngx_http_ilert_json_raw(w, head->data, head->len);
        ngx_http_ilert_event_row_next(w, series, rows, ctx->names);
    }

    ngx_http_ilert_json_literal(w, "}}");
}


/* the fields of the first row that is written, whose names others take */

static void
ngx_http_ilert_event_row_first(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
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

        ngx_http_ilert_json_raw(w, rows->values[i].data, rows->values[i].len);

        comma = 1;
        name++;
    }
}


/* most of the time that a large batch takes is spent here */

static void
ngx_http_ilert_event_row_next(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *name)
{
    ngx_str_t                     *column, *value;
    ngx_uint_t                     i, n, slack;
    ngx_http_ilert_json_writer_t   writer;

    /* of its own, so that it is in registers */

    writer = *w;

    n = series->columns.nelts;
    column = series->columns.elts;
    value = rows->values;
    slack = rows->slack;

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
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows)
{
    ngx_str_t  *value;

    ngx_http_ilert_json_literal(w, "{");

    if (series->time == series->columns.nelts) {
        return;
    }

    value = &rows->values[series->time];

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
        ngx_http_ilert_json_literal(w, "\"tags\":");
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


size_t
ngx_http_ilert_event_silent_size(ngx_str_t *key)
{
    /* as it is and in the text, each byte as \u00XX */

    return 2 * 6 * key->len + NGX_HTTP_ILERT_EVENT_SILENT_SIZE;
}


void
ngx_http_ilert_event_silent(ngx_http_ilert_event_t *ev, ngx_uint_t native,
    ngx_msec_t silence, time_t now, u_char *last)
{
    u_char                         buf[NGX_HTTP_ILERT_EVENT_SILENT_TEXT];
    ngx_str_t                      text;
    ngx_http_ilert_json_writer_t   w;

    text.data = ev->alert_key.data;
    text.len = ngx_http_ilert_text_cut(&ev->alert_key,
                                       NGX_HTTP_ILERT_EVENT_SILENT_TEXT / 2);

    text.len = ngx_http_ilert_event_silent_text(buf, &text, silence) - buf;
    text.data = buf;

    w.pos = ev->body.data;
    w.last = last;
    w.full = 0;

    if (native) {
        ngx_http_ilert_json_literal(&w, "{\"id\":");
        ngx_http_ilert_json_string(&w, &ev->alert_key);
        ngx_http_ilert_json_literal(&w, ",\"message\":");
        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"details\":\"\",\"time\":");

        text.len = ngx_http_ilert_event_time(buf, now) - buf;

        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"duration\":0,\"level\":\"OK\","
                                        "\"data\":{\"series\":null}}");

    } else {
        ngx_http_ilert_json_literal(&w, "{\"eventType\":\"RESOLVE\","
                                        "\"summary\":");
        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"alertKey\":");
        ngx_http_ilert_json_string(&w, &ev->alert_key);
        ngx_http_ilert_json_literal(&w, "}");
    }

    ev->body.len = w.pos - ev->body.data;
}


/* the time in the units of nginx's own, as it may have been configured */

static u_char *
ngx_http_ilert_event_silent_text(u_char *p, ngx_str_t *key, ngx_msec_t silence)
{
    ngx_uint_t  i;

    static struct {
        ngx_msec_t   ms;
        const char  *name;
    } units[] = {
        { 24 * 60 * 60 * 1000, "d" },
        { 60 * 60 * 1000, "h" },
        { 60 * 1000, "m" },
        { 1000, "s" },
        { 1, "ms" }
    };

    p = ngx_cpymem(p, key->data, key->len);
    p = ngx_cpymem(p, ": no event for ", sizeof(": no event for ") - 1);

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (silence >= units[i].ms) {
            p = ngx_sprintf(p, "%M%s", silence / units[i].ms, units[i].name);
            silence %= units[i].ms;
        }
    }

    return ngx_cpymem(p, ", resolved by nginx",
                      sizeof(", resolved by nginx") - 1);
}


static u_char *
ngx_http_ilert_event_time(u_char *p, time_t now)
{
    struct tm  tm;

    gmtime_r(&now, &tm);

    return p + strftime((char *) p, NGX_HTTP_ILERT_EVENT_SILENT_TEXT,
                        "%Y-%m-%dT%H:%M:%SZ", &tm);
}
