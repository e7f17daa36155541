
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/*
 * Members of customDetails without tags take at most this many bytes if all
 * texts have been cut to the shortest length.
 */

#define NGX_HTTP_ILERT_EVENT_RESERVE   1152


/* This is how a list of the mapping is written. */

typedef struct {
    ngx_str_t                       open;
    ngx_str_t                       close;

    /* The text before each value.  An item always has a first value. */
    ngx_str_t                       before[NGX_HTTP_ILERT_ITEM_VALUES];
    ngx_str_t                       after;

    /* The first "whole" values of an item must not be cut. */
    ngx_uint_t                      whole;
} ngx_http_ilert_event_list_t;


/* A member of customDetails whose value is a string of the webhook. */

typedef struct {
    ngx_str_t                       name;   /* with its marks: ,"name": */
    size_t                          offset; /* in ngx_http_ilert_webhook_t */
    ngx_uint_t                      raw;    /* it is a number: no quotes */
} ngx_http_ilert_event_member_t;


static ngx_uint_t ngx_http_ilert_event_list(ngx_http_ilert_event_ctx_t *ctx,
    ngx_uint_t n);
static void ngx_http_ilert_event_item(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_event_list_t *form, ngx_http_ilert_item_t *item);


/*
 * The index is a ngx_http_ilert_mapping_e less NGX_HTTP_ILERT_LABELS, the
 * first of the lists.
 */

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

    /* These are written among the members of customDetails. */

    { ngx_string(""), ngx_string(""),
      { ngx_string(""), ngx_string(":"), ngx_string("") },
      ngx_string(""), 0 }
};


/* These are written in all events in which they are known. */

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

static ngx_str_t  ngx_http_ilert_event_reconciled_name =
    ngx_string(",\"reconciled\":");

static ngx_str_t  ngx_http_ilert_event_tags_name = ngx_string(",\"tags\":");


void
ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx)
{
    ngx_str_t                      details, *values;
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;
    values = ctx->mapping->values;

    ngx_http_ilert_json_literal(w, "{\"eventType\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_types[ctx->event->type]);

    ngx_http_ilert_json_literal(w, ",\"summary\":");
    ngx_http_ilert_event_string(ctx, &ctx->summary);

    details = ctx->details;

    /* Before rows and fields have been left out nothing is cut to fit. */

    if (ctx->texts_only) {
        details.len = ngx_http_ilert_details_cut(&details, ctx->max_text);

        if (details.len != ctx->details.len) {
            ctx->truncated = 1;
        }
    }

    if (details.len) {
        ngx_http_ilert_json_literal(w, ",\"details\":");
        ngx_http_ilert_json_string(w, &details);
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

    /* A part of a routing key would be the key of somebody else. */

    if (values[NGX_HTTP_ILERT_ROUTING_KEY].len > ctx->max_text) {
        ctx->truncated = 1;
        return;
    }

    ngx_http_ilert_json_literal(w, ",\"routingKey\":");
    ngx_http_ilert_json_string(w, &values[NGX_HTTP_ILERT_ROUTING_KEY]);
}


void
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


/*
 * Writes a list of the mapping, with its brackets, and returns the number of
 * items that it has come to.  A list without items is not written.
 */

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

        /* A part of a URL or an alias would be another URL or alias. */

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

            /* This is a name, and a part of it could be another one. */

            ngx_http_ilert_json_string(w, &item->values[0]);
            continue;
        }

        ngx_http_ilert_event_string(ctx, &item->values[i]);
    }

    ngx_http_ilert_json_raw(w, form->after.data, form->after.len);
}


void
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

    if (ctx->webhook->reconciled
        && ngx_http_ilert_event_begin(ctx,
                                      &ngx_http_ilert_event_reconciled_name))
    {
        ngx_http_ilert_json_literal(w, "true");
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
 * The first member of an object has no comma before it.  It is told by the
 * "{" that has been written last; no value ends in that.
 */

ngx_uint_t
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


void
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


void
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


ngx_uint_t
ngx_http_ilert_event_left_out(ngx_http_ilert_event_ctx_t *ctx, u_char *mark)
{
    ngx_http_ilert_json_writer_t  *w;

    w = &ctx->writer;

    /* One byte must be left for the bracket that follows. */

    if (!w->full && w->pos < w->last) {
        return 0;
    }

    w->pos = mark;
    w->full = 0;
    ctx->truncated = 1;

    return 1;
}
