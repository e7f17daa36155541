
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


typedef struct {
    ngx_str_t                   name;
    ngx_http_ilert_level_e      level;
} ngx_http_ilert_kapacitor_word_t;


static void ngx_http_ilert_kapacitor_init(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *error, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_kapacitor_read(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_repair(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_mend(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_reject(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_finish(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_string(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_duration(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_boolean(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_level_name(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_level(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_http_ilert_kapacitor_word_t *ngx_http_ilert_kapacitor_find_level(
    ngx_str_t *name);


ngx_str_t  ngx_http_ilert_level_names[] = {
    ngx_string("OK"),
    ngx_string("INFO"),
    ngx_string("WARNING"),
    ngx_string("CRITICAL")
};


/* what a level may be called, whatever its case */

static ngx_http_ilert_kapacitor_word_t  ngx_http_ilert_kapacitor_words[] = {
    { ngx_string("OK"), NGX_HTTP_ILERT_OK },
    { ngx_string("INFO"), NGX_HTTP_ILERT_INFO },
    { ngx_string("INFORMATION"), NGX_HTTP_ILERT_INFO },
    { ngx_string("WARN"), NGX_HTTP_ILERT_WARNING },
    { ngx_string("WARNING"), NGX_HTTP_ILERT_WARNING },
    { ngx_string("CRIT"), NGX_HTTP_ILERT_CRITICAL },
    { ngx_string("CRITICAL"), NGX_HTTP_ILERT_CRITICAL },
    { ngx_null_string, 0 }
};


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_root[] = {

    { ngx_string("id"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, id) },

    { ngx_string("message"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, message) },

    { ngx_string("details"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, details) },

    { ngx_string("time"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, time) },

    { ngx_string("duration"), ngx_http_ilert_kapacitor_duration,
      offsetof(ngx_http_ilert_webhook_t, duration) },

    { ngx_string("level"), ngx_http_ilert_kapacitor_level_name,
      offsetof(ngx_http_ilert_webhook_t, level_name) },

    { ngx_string("data"), ngx_http_ilert_kapacitor_data, 0 },

    { ngx_string("previousLevel"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, previous_level) },

    { ngx_string("recoverable"), ngx_http_ilert_kapacitor_boolean,
      offsetof(ngx_http_ilert_webhook_t, recoverable) },

    { ngx_null_string, NULL, 0 }
};


ngx_int_t
ngx_http_ilert_kapacitor_parse(ngx_http_ilert_webhook_t *wh, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_int_t                        rc;
    ngx_http_ilert_kapacitor_ctx_t   ctx;

    ngx_http_ilert_kapacitor_init(&ctx, wh, error, pool);

    rc = ngx_http_ilert_kapacitor_read(&ctx, body);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_ilert_kapacitor_repair(&ctx, body);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_reject(&ctx, body);
    }

    if (rc != NGX_OK || ngx_http_ilert_kapacitor_mend(&ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_kapacitor_level(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    /* What Chronograf sends is never odd. */

    if (wh->id.data && wh->id.len == 0 && wh->level == NGX_HTTP_ILERT_OK
        && wh->series.nelts == 0 && ctx.nodd == 0)
    {
        wh->test = 1;
    }

    return ngx_http_ilert_kapacitor_finish(&ctx);
}


static void
ngx_http_ilert_kapacitor_init(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_memzero(wh, sizeof(ngx_http_ilert_webhook_t));
    ngx_memzero(ctx, sizeof(ngx_http_ilert_kapacitor_ctx_t));

    ngx_str_null(error);

    ctx->webhook = wh;
    ctx->error = error;
    ctx->pool = pool;
}


/*
 * Reads the whole body.  Returns NGX_OK, NGX_ERROR if there is no memory, or
 * NGX_DECLINED at the first thing that is not as it should be; ctx->error then
 * tells what it is, unless the body is not JSON.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_read(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_int_t                      rc;
    ngx_http_ilert_json_reader_t  *reader;

    reader = &ctx->reader;

    ctx->webhook->body = *body;

    ngx_http_ilert_json_init(reader, body,
                             NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES);

    if (ngx_http_ilert_json_peek(reader) != '{') {
        return ngx_http_ilert_kapacitor_refuse(ctx,
                                               "body: expected an object");
    }

    rc = ngx_http_ilert_kapacitor_members(ctx, ngx_http_ilert_kapacitor_root,
                                          ctx->webhook);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ilert_json_end(reader);
}


/*
 * Reads a body that has been declined once more, if there is something to
 * repair: templates put texts with line breaks into it, and their editors
 * a byte order mark before it.  Returns as _read() does.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_repair(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *body)
{
    ngx_int_t  rc;
    ngx_str_t  repaired, member;

    if (ctx->reader.nvalues > ctx->reader.max_values) {
        return NGX_DECLINED;
    }

    rc = ngx_http_ilert_json_repair(body, &repaired, ctx->pool);

    if (rc != NGX_OK) {
        return rc;
    }

    member = ctx->member;

    if (member.data == NULL) {
        ngx_str_set(&member, "body");
    }

    member.len = ngx_http_ilert_text_cut(&member,
                                         NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME);

    ngx_http_ilert_kapacitor_end_series(ctx);

    ngx_http_ilert_kapacitor_init(ctx, ctx->webhook, ctx->error, ctx->pool);

    rc = (repaired.data == body->data + body->len - repaired.len)
         ? ngx_http_ilert_kapacitor_note(ctx, "body: a byte order mark, "
                                         "skipped")
         : ngx_http_ilert_kapacitor_note(ctx, "%V: control characters, "
                                         "escaped", &member);

    return (rc == NGX_OK) ? ngx_http_ilert_kapacitor_read(ctx, &repaired) : rc;
}


/* Makes webhook->body UTF-8, if a string in it may be none. */

static ngx_int_t
ngx_http_ilert_kapacitor_mend(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    u_char     *data;
    ngx_str_t  *body;

    if (!ctx->reader.unclean) {
        return NGX_OK;
    }

    body = &ctx->webhook->body;
    data = body->data;

    if (ngx_http_ilert_text_valid(body, ctx->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    return (body->data == data)
           ? NGX_OK
           : ngx_http_ilert_kapacitor_note(ctx, "body: bytes that are no "
                                           "UTF-8, replaced");
}


/*
 * Finds the error for a body that has been declined.  A body that is not JSON
 * gets that error, even if something else is wrong before, so the whole text
 * is checked.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_reject(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *body)
{
    size_t                         at;
    ngx_str_t                     *text;
    ngx_http_ilert_json_reader_t  *reader;

    reader = &ctx->reader;
    text = &ctx->webhook->body;

    if (reader->nvalues > reader->max_values) {
        return ngx_http_ilert_kapacitor_error(ctx, "body: more than %d values "
                                          "besides those in rows of a series",
                                          NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES);
    }

    ngx_http_ilert_json_init(reader, text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    if (ngx_http_ilert_json_skip(reader) != NGX_OK
        || ngx_http_ilert_json_end(reader) != NGX_OK)
    {
        at = reader->pos - text->data;

        if (text->data != body->data) {
            at = ngx_http_ilert_json_repaired_at(body, at);
        }

        return ngx_http_ilert_kapacitor_refuse_text(ctx, reader->error, at);
    }

    return NGX_DECLINED;
}


/*
 * Does what is left when all has been read.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_finish(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_http_ilert_webhook_t  *wh;

    wh = ctx->webhook;

    if (ngx_http_ilert_kapacitor_dump(wh, ctx->pool) != NGX_OK
        || ngx_http_ilert_kapacitor_trigger(ctx) != NGX_OK
        || ngx_http_ilert_kapacitor_key(wh, ctx->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_end_series(ctx);

    if (wh->details.len && !wh->dump
        && ngx_http_ilert_details_markdown(&wh->details, &wh->details_text,
                                           ctx->pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (wh->trigger) {
        wh->name = wh->trigger->name;
    }

    ngx_http_ilert_kapacitor_end_notes(ctx);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_string(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_str_t  *value = data;

    u_char     first;
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_text(ctx, value, &first);

    if (rc != NGX_OK || first == '"' || first == 'n') {
        return rc;
    }

    return ngx_http_ilert_kapacitor_odd(ctx, first, NULL, "%V", &m->name);
}


/* A template writes a duration as Go does, 1m0s, and in quotes. */

static ngx_int_t
ngx_http_ilert_kapacitor_duration(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_str_t  *value = data;

    u_char     *p, first;
    int64_t     ns;
    ngx_int_t   rc;

    rc = ngx_http_ilert_kapacitor_text(ctx, value, &first);

    if (rc != NGX_OK || first == 'n' || first == '-'
        || (first >= '0' && first <= '9'))
    {
        return rc;
    }

    ngx_http_ilert_text_trim(value);

    if (first != '"'
        || ngx_http_ilert_kapacitor_parse_duration(value, &ns) != NGX_OK)
    {
        ngx_str_null(value);

        return ngx_http_ilert_kapacitor_odd(ctx, first, "left out", "%V",
                                            &m->name);
    }

    p = ngx_pnalloc(ctx->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_sprintf(p, "%L", ns) - p;

    return ngx_http_ilert_kapacitor_odd(ctx, first, "taken as nanoseconds",
                                        "%V", &m->name);
}


static ngx_int_t
ngx_http_ilert_kapacitor_boolean(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_str_t  *value = data;

    u_char       first;
    ngx_int_t    rc;
    const char  *what;

    rc = ngx_http_ilert_kapacitor_text(ctx, value, &first);

    if (rc != NGX_OK || first == 'n' || first == 't' || first == 'f') {
        return rc;
    }

    what = "taken as a boolean";

    ngx_http_ilert_text_trim(value);

    if (value->len == 4 && ngx_strncasecmp(value->data, (u_char *) "true", 4)
                           == 0)
    {
        ngx_str_set(value, "true");

    } else if (value->len == 5
               && ngx_strncasecmp(value->data, (u_char *) "false", 5) == 0)
    {
        ngx_str_set(value, "false");

    } else {
        ngx_str_null(value);
        what = "left out";
    }

    return ngx_http_ilert_kapacitor_odd(ctx, first, what, "%V", &m->name);
}


/* A level that is no text can be none of ours, but it is not missing. */

static ngx_int_t
ngx_http_ilert_kapacitor_level_name(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_str_t  *value = data;

    u_char     first;
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_text(ctx, value, &first);

    if (value->data == NULL && first != 'n') {
        ngx_str_set(value, "");
    }

    return rc;
}


/* Sets webhook->level, the only member that must be there, by its name. */

static ngx_int_t
ngx_http_ilert_kapacitor_level(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t                        *level, *previous, name;
    ngx_http_ilert_kapacitor_word_t  *word;

    level = &ctx->webhook->level_name;
    previous = &ctx->webhook->previous_level;

    if (level->data == NULL) {
        return ngx_http_ilert_kapacitor_refuse(ctx, "level: missing");
    }

    word = ngx_http_ilert_kapacitor_find_level(level);

    if (word == NULL) {
        return ngx_http_ilert_kapacitor_refuse(ctx, "level: expected OK, "
                                               "INFO, WARNING or CRITICAL");
    }

    ctx->webhook->level = word->level;

    name = *level;
    *level = ngx_http_ilert_level_names[word->level];

    word = ngx_http_ilert_kapacitor_find_level(previous);

    if (word) {
        *previous = ngx_http_ilert_level_names[word->level];
    }

    return ngx_http_ilert_text_same(&name, level)
           ? NGX_OK
           : ngx_http_ilert_kapacitor_note(ctx, "level: read as %V", level);
}


static ngx_http_ilert_kapacitor_word_t *
ngx_http_ilert_kapacitor_find_level(ngx_str_t *name)
{
    ngx_str_t                         text;
    ngx_http_ilert_kapacitor_word_t  *word;

    text = *name;

    ngx_http_ilert_text_trim(&text);

    for (word = ngx_http_ilert_kapacitor_words; word->name.len; word++) {
        if (word->name.len == text.len
            && ngx_strncasecmp(word->name.data, text.data, text.len) == 0)
        {
            return word;
        }
    }

    return NULL;
}
