
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_details.h"
#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


static ngx_int_t ngx_http_ilert_kapacitor_read(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_reject(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_string(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_duration(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_boolean(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_http_post(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_level(
    ngx_http_ilert_kapacitor_ctx_t *ctx);


ngx_str_t  ngx_http_ilert_level_names[] = {
    ngx_string("OK"),
    ngx_string("INFO"),
    ngx_string("WARNING"),
    ngx_string("CRITICAL")
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

    { ngx_string("level"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, level_name) },

    { ngx_string("data"), ngx_http_ilert_kapacitor_data, 0 },

    { ngx_string("previousLevel"), ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, previous_level) },

    { ngx_string("recoverable"), ngx_http_ilert_kapacitor_boolean,
      offsetof(ngx_http_ilert_webhook_t, recoverable) },

    { ngx_string("series"), ngx_http_ilert_kapacitor_http_post, 0 },

    { ngx_null_string, NULL, 0 }
};


ngx_int_t
ngx_http_ilert_kapacitor_parse(ngx_http_ilert_webhook_t *wh, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    ngx_int_t                        rc;
    ngx_http_ilert_kapacitor_ctx_t   ctx;

    ngx_memzero(wh, sizeof(ngx_http_ilert_webhook_t));
    ngx_memzero(&ctx, sizeof(ngx_http_ilert_kapacitor_ctx_t));

    ngx_str_null(error);

    ctx.webhook = wh;
    ctx.error = error;
    ctx.pool = pool;

    rc = ngx_http_ilert_kapacitor_read(&ctx, body);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_reject(&ctx, body);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx.bad) {
        return ngx_http_ilert_kapacitor_error(&ctx,
                           "data.series[%ui].values[%ui]: expected %ui values",
                           ctx.bad_series, ctx.bad_row, ctx.bad_width);
    }

    rc = ngx_http_ilert_kapacitor_level(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    if (wh->id.data && wh->id.len == 0 && wh->level == NGX_HTTP_ILERT_OK
        && wh->series.nelts == 0)
    {
        wh->test = 1;
    }

    if (ngx_http_ilert_kapacitor_dump(wh, pool) != NGX_OK
        || ngx_http_ilert_kapacitor_trigger(&ctx) != NGX_OK
        || ngx_http_ilert_kapacitor_key(wh, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_end_series(&ctx);

    if (wh->details.len && !wh->dump
        && ngx_http_ilert_details_markdown(&wh->details, &wh->details_text,
                                           pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (wh->trigger) {
        wh->name = wh->trigger->name;
    }

    return NGX_OK;
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

    ngx_http_ilert_json_init(reader, body,
                             NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES);

    if (ngx_http_ilert_json_peek(reader) != '{') {
        return ngx_http_ilert_kapacitor_error(ctx, "body: expected an object");
    }

    rc = ngx_http_ilert_kapacitor_members(ctx, ngx_http_ilert_kapacitor_root,
                                          ctx->webhook);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ilert_json_end(reader);
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
    ngx_http_ilert_json_reader_t  *reader;

    reader = &ctx->reader;

    if (reader->nvalues > reader->max_values) {
        return ngx_http_ilert_kapacitor_error(ctx, "body: more than %d values "
                                          "besides those in rows of a series",
                                          NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES);
    }

    ngx_http_ilert_json_init(reader, body, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    if (ngx_http_ilert_json_skip(reader) != NGX_OK
        || ngx_http_ilert_json_end(reader) != NGX_OK)
    {
        return ngx_http_ilert_kapacitor_error(ctx, "not JSON: %s at byte %uz",
                                              reader->error,
                                              reader->pos - body->data);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_kapacitor_string(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_scalar(ctx, "\"", data);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_error(ctx, "%V: expected a string",
                                              &m->name);
    }

    return rc;
}


static ngx_int_t
ngx_http_ilert_kapacitor_duration(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_scalar(ctx, "-0123456789", data);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_error(ctx, "duration: expected "
                                              "a number of nanoseconds");
    }

    return rc;
}


static ngx_int_t
ngx_http_ilert_kapacitor_boolean(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_scalar(ctx, "tf", data);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_error(ctx, "%V: expected a boolean",
                                              &m->name);
    }

    return rc;
}


/*
 * A member "series" at the top is not in the body of .post(), but in that of
 * a |httpPost node, which is a common mistake: the error can say so.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_http_post(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ctx->http_post = 1;

    return ngx_http_ilert_json_skip(&ctx->reader);
}


/* Sets webhook->level, the only member that must be there, by its name. */

static ngx_int_t
ngx_http_ilert_kapacitor_level(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t  *level, *known;

    level = &ctx->webhook->level_name;

    if (level->data == NULL) {

        if (ctx->http_post) {
            return ngx_http_ilert_kapacitor_error(ctx,
                              "level: missing; this is the body of |httpPost, "
                              "use .post() of an |alert");
        }

        return ngx_http_ilert_kapacitor_error(ctx, "level: missing");
    }

    for (known = ngx_http_ilert_level_names;
         known <= &ngx_http_ilert_level_names[NGX_HTTP_ILERT_CRITICAL];
         known++)
    {
        if (ngx_http_ilert_text_same(level, known)) {
            ctx->webhook->level = known - ngx_http_ilert_level_names;
            return NGX_OK;
        }
    }

    return ngx_http_ilert_kapacitor_error(ctx, "level: expected OK, INFO, "
                                          "WARNING or CRITICAL");
}
