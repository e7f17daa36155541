
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_text.h"


/* a key that is longer, in bytes, has its digest made when it is parsed */

#define NGX_HTTP_ILERT_KAPACITOR_LONG_KEY    65536

/* of a name in an error, in bytes */

#define NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME  64


/* an instant; days before 1970 have negative seconds */

typedef struct {
    int64_t                         sec;
    ngx_uint_t                      nsec;
} ngx_http_ilert_kapacitor_time_t;


typedef struct {
    ngx_http_ilert_webhook_t       *webhook;
    ngx_http_ilert_json_reader_t    reader;
    ngx_str_t                      *error;
    ngx_pool_t                     *pool;

    ngx_uint_t                      nseries;    /* so far */

    /* of the series at hand; its copy has the size that it needs */
    ngx_array_t                     tags;       /* ngx_keyval_t */
    ngx_array_t                     columns;    /* ngx_str_t */
    ngx_array_t                     sorted;     /* ngx_str_t * */

    /*
     * the triggering row, as far as that can be told while rows are read:
     * the event's time at which it is looked for, as text and as instant
     */
    ngx_str_t                       time;
    ngx_http_ilert_kapacitor_time_t  instant;
    ngx_uint_t                      trigger;    /* its series */
    u_char                         *row;        /* NULL: not found */

    ngx_uint_t                      width;      /* values in its first row */
    ngx_uint_t                      uneven;     /* the first row with */
                                                /* another number, or 0 */

    /* the first row that has not as many values as there are columns */
    ngx_uint_t                      bad_series;
    ngx_uint_t                      bad_row;
    ngx_uint_t                      bad_width;  /* that is expected */
    unsigned                        bad:1;

    unsigned                        timed:1;    /* there is an instant */
    unsigned                        search:1;   /* for the row, when all */
                                                /* has been read */
    unsigned                        http_post:1;    /* it looks like that */
} ngx_http_ilert_kapacitor_ctx_t;


typedef struct ngx_http_ilert_kapacitor_member_s
    ngx_http_ilert_kapacitor_member_t;

/* reads the value of a member; "data" is what is at the offset */

typedef ngx_int_t (*ngx_http_ilert_kapacitor_pt)(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);

struct ngx_http_ilert_kapacitor_member_s {
    ngx_str_t                       name;
    ngx_http_ilert_kapacitor_pt     handler;
    size_t                          offset;
};


static ngx_int_t ngx_http_ilert_kapacitor_read(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_reject(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *body);
static ngx_int_t ngx_http_ilert_kapacitor_members(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *members, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_string(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_duration(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_boolean(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_scalar(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *first, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_kapacitor_data(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_http_post(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_series_item(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_keep_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
static void ngx_http_ilert_kapacitor_forget_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_series_name(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_tags(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_columns(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_values(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_null(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_table(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_json_reader_t *reader,
    ngx_http_ilert_series_t *series);
static ngx_uint_t ngx_http_ilert_kapacitor_can_match(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
static ngx_int_t ngx_http_ilert_kapacitor_compare_time(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *token,
    ngx_http_ilert_kapacitor_time_t *time);
static ngx_int_t ngx_http_ilert_kapacitor_repeated(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *name, size_t step,
    ngx_uint_t n);
static int ngx_libc_cdecl ngx_http_ilert_kapacitor_compare(const void *one,
    const void *two);
static void *ngx_http_ilert_kapacitor_push(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *a, size_t size, ngx_uint_t n);
static ngx_int_t ngx_http_ilert_kapacitor_copy(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_array_t *to, ngx_array_t *from);
static void ngx_http_ilert_kapacitor_free(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_array_t *a);
static ngx_int_t ngx_http_ilert_kapacitor_level(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_dump(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_trigger(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_find_row(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    ngx_http_ilert_kapacitor_time_t *time);
static ngx_int_t ngx_http_ilert_kapacitor_set_row(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    u_char *row);
static ngx_int_t ngx_http_ilert_kapacitor_key(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static void ngx_http_ilert_kapacitor_digest(ngx_str_t *text, u_char *digest);
static ngx_int_t ngx_http_ilert_kapacitor_series_key(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *key);
static ngx_int_t ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time);
static ngx_int_t ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n,
    ngx_uint_t least, ngx_uint_t most);
static ngx_uint_t ngx_http_ilert_kapacitor_same_name(ngx_str_t *name,
    ngx_str_t *pattern);
static ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_error(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *fmt, ...);


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


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_result[] = {

    { ngx_string("series"), ngx_http_ilert_kapacitor_series, 0 },

    { ngx_null_string, NULL, 0 }
};


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_one[] = {

    { ngx_string("name"), ngx_http_ilert_kapacitor_series_name, 0 },
    { ngx_string("tags"), ngx_http_ilert_kapacitor_tags, 0 },
    { ngx_string("columns"), ngx_http_ilert_kapacitor_columns, 0 },
    { ngx_string("values"), ngx_http_ilert_kapacitor_values, 0 },

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

    if (ngx_http_ilert_kapacitor_dump(&ctx) != NGX_OK
        || ngx_http_ilert_kapacitor_trigger(&ctx) != NGX_OK
        || ngx_http_ilert_kapacitor_key(&ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_free(&ctx, &ctx.tags);
    ngx_http_ilert_kapacitor_free(&ctx, &ctx.columns);
    ngx_http_ilert_kapacitor_free(&ctx, &ctx.sorted);

    if (wh->details.len && !wh->dump
        && ngx_http_ilert_text_from_html(&wh->details, &wh->details_text, pool)
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
 * NGX_DECLINED: the body is not JSON, or the first thing in it that is not as
 * it should be is told by the error.
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


/* who does not speak JSON is told that, whatever else may be wrong before */

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


/* of members with the same name the last one holds, as it does in Go */

static ngx_int_t
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
 * Reads a value that begins with one of these characters, or null, of which
 * data is NULL.  NGX_DECLINED: it is another one, or none.
 */

static ngx_int_t
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


static ngx_int_t
ngx_http_ilert_kapacitor_data(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_kapacitor_forget_series(ctx);

    switch (ngx_http_ilert_json_peek(&ctx->reader)) {

    case 'n':
        return ngx_http_ilert_kapacitor_null(ctx);

    case '{':
        return ngx_http_ilert_kapacitor_members(ctx,
                                              ngx_http_ilert_kapacitor_result,
                                              NULL);

    default:
        return ngx_http_ilert_kapacitor_error(ctx,
                                              "data: expected an object");
    }
}


/* at the top they are in the body of |httpPost */

static ngx_int_t
ngx_http_ilert_kapacitor_http_post(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ctx->http_post = 1;

    return ngx_http_ilert_json_skip(&ctx->reader);
}


static ngx_int_t
ngx_http_ilert_kapacitor_series(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    ngx_http_ilert_kapacitor_forget_series(ctx);

    switch (ngx_http_ilert_json_peek(&ctx->reader)) {

    case 'n':
        return ngx_http_ilert_kapacitor_null(ctx);

    case '[':
        break;

    default:
        return ngx_http_ilert_kapacitor_error(ctx,
                                           "data.series: expected an array");
    }

    rc = ngx_http_ilert_json_enter(&ctx->reader, '[');

    while (rc == NGX_OK) {

        rc = ngx_http_ilert_kapacitor_series_item(ctx);

        if (rc != NGX_OK) {
            return rc;
        }

        ctx->nseries++;

        rc = ngx_http_ilert_json_next(&ctx->reader, ']');
    }

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


static ngx_int_t
ngx_http_ilert_kapacitor_series_item(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               width;
    ngx_http_ilert_series_t  series;

    if (ngx_http_ilert_json_peek(&ctx->reader) != '{') {
        return ngx_http_ilert_kapacitor_error(ctx,
                                       "data.series[%ui]: expected an object",
                                       ctx->nseries);
    }

    ngx_memzero(&series, sizeof(ngx_http_ilert_series_t));

    ctx->tags.nelts = 0;
    ctx->columns.nelts = 0;

    rc = ngx_http_ilert_kapacitor_members(ctx, ngx_http_ilert_kapacitor_one,
                                          &series);
    if (rc != NGX_OK) {
        return rc;
    }

    /* the values may have come before the columns */

    width = ctx->columns.nelts;

    if (series.first_row && !ctx->bad
        && (ctx->width != width || ctx->uneven))
    {
        ctx->bad = 1;
        ctx->bad_series = ctx->nseries;
        ctx->bad_row = (ctx->width != width) ? 0 : ctx->uneven;
        ctx->bad_width = width;
    }

    if (series.first_row == NULL && ctx->webhook->series.nelts) {
        return NGX_OK;
    }

    return ngx_http_ilert_kapacitor_keep_series(ctx, &series);
}


static ngx_int_t
ngx_http_ilert_kapacitor_keep_series(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    ngx_http_ilert_series_t  *kept;

    if (ngx_http_ilert_kapacitor_copy(ctx, &series->tags, &ctx->tags)
        != NGX_OK
        || ngx_http_ilert_kapacitor_copy(ctx, &series->columns, &ctx->columns)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    kept = ngx_http_ilert_kapacitor_push(ctx, &ctx->webhook->series,
                                         sizeof(ngx_http_ilert_series_t), 1);
    if (kept == NULL) {
        return NGX_ERROR;
    }

    *kept = *series;

    return NGX_OK;
}


/* of members with the same name the last one holds */

static void
ngx_http_ilert_kapacitor_forget_series(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ctx->webhook->series.nelts = 0;
    ctx->nseries = 0;
    ctx->row = NULL;
    ctx->bad = 0;
    ctx->search = 0;
}


static ngx_int_t
ngx_http_ilert_kapacitor_series_name(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_scalar(ctx, "\"", &series->name);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                    "data.series[%ui].name: expected a string",
                                    ctx->nseries);
    }

    return rc;
}


static ngx_int_t
ngx_http_ilert_kapacitor_tags(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    size_t         len;
    ngx_int_t      rc;
    ngx_str_t      token;
    ngx_keyval_t  *tag;

    ctx->tags.nelts = 0;

    switch (ngx_http_ilert_json_peek(&ctx->reader)) {

    case 'n':
        return ngx_http_ilert_kapacitor_null(ctx);

    case '{':
        break;

    default:
        return ngx_http_ilert_kapacitor_error(ctx,
                                   "data.series[%ui].tags: expected an object",
                                   ctx->nseries);
    }

    rc = ngx_http_ilert_json_enter(&ctx->reader, '{');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_name(&ctx->reader, &token) != NGX_OK) {
            return NGX_DECLINED;
        }

        tag = ngx_http_ilert_kapacitor_push(ctx, &ctx->tags,
                                            sizeof(ngx_keyval_t), 1);
        if (tag == NULL
            || ngx_http_ilert_json_decode(&token, &tag->key, ctx->pool)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ngx_http_ilert_json_scalar(&ctx->reader, &token) != NGX_OK
            || token.data[0] != '"')
        {
            len = ngx_http_ilert_text_cut(&tag->key,
                                      NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME);

            return ngx_http_ilert_kapacitor_error(ctx,
                                "data.series[%ui].tags.%*s: expected a string",
                                ctx->nseries, len, tag->key.data);
        }

        if (ngx_http_ilert_json_decode(&token, &tag->value, ctx->pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_json_next(&ctx->reader, '}');
    }

    if (rc != NGX_DONE) {
        return rc;
    }

    /* a tag begins with its key */

    return ngx_http_ilert_kapacitor_repeated(ctx, ctx->tags.elts,
                                             sizeof(ngx_keyval_t),
                                             ctx->tags.nelts);
}


static ngx_int_t
ngx_http_ilert_kapacitor_columns(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    ngx_int_t   rc;
    ngx_str_t   token, *column;
    ngx_uint_t  i;

    ctx->columns.nelts = 0;

    if (series->first_row) {
        ctx->search = 1;
    }

    if (ngx_http_ilert_json_peek(&ctx->reader) != '[') {
        return ngx_http_ilert_kapacitor_error(ctx,
                                 "data.series[%ui].columns: expected an array",
                                 ctx->nseries);
    }

    rc = ngx_http_ilert_json_enter(&ctx->reader, '[');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_scalar(&ctx->reader, &token) != NGX_OK
            || token.data[0] != '"')
        {
            return ngx_http_ilert_kapacitor_error(ctx,
                            "data.series[%ui].columns[%ui]: expected a string",
                            ctx->nseries, ctx->columns.nelts);
        }

        column = ngx_http_ilert_kapacitor_push(ctx, &ctx->columns,
                                               sizeof(ngx_str_t), 1);
        if (column == NULL
            || ngx_http_ilert_json_decode(&token, column, ctx->pool)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_json_next(&ctx->reader, ']');
    }

    if (rc != NGX_DONE) {
        return rc;
    }

    column = ctx->columns.elts;

    if (ngx_http_ilert_kapacitor_repeated(ctx, column, sizeof(ngx_str_t),
                                          ctx->columns.nelts)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->columns.nelts; i++) {
        if (column[i].len == 4 && ngx_memcmp(column[i].data, "time", 4) == 0) {
            break;
        }
    }

    series->time = i;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_values(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    u_char                        *start;
    ngx_int_t                      rc;
    ngx_str_t                      text, mended;
    ngx_http_ilert_json_reader_t   reader;

    series->first_row = NULL;

    switch (ngx_http_ilert_json_peek(&ctx->reader)) {

    case 'n':
        return ngx_http_ilert_kapacitor_null(ctx);

    case '[':
        break;

    default:
        return ngx_http_ilert_kapacitor_error(ctx,
                                  "data.series[%ui].values: expected an array",
                                  ctx->nseries);
    }

    start = ctx->reader.pos;
    ctx->reader.unclean = 0;

    rc = ngx_http_ilert_kapacitor_table(ctx, &ctx->reader, series);

    if (rc != NGX_OK || !ctx->reader.unclean) {
        return rc;
    }

    text.data = start;
    text.len = ctx->reader.pos - start;

    if (ngx_http_ilert_json_mend(&text, &mended, ctx->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_json_init(&reader, &mended, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    rc = ngx_http_ilert_kapacitor_table(ctx, &reader, series);

    series->last = reader.last + NGX_HTTP_ILERT_JSON_SHORT;

    return rc;
}


/* reads all rows once; they are looked at later, if at all */

static ngx_int_t
ngx_http_ilert_kapacitor_table(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_json_reader_t *reader, ngx_http_ilert_series_t *series)
{
    ngx_int_t   rc;
    ngx_str_t   first;
    ngx_uint_t  i, n, match;

    ctx->uneven = 0;

    match = ngx_http_ilert_kapacitor_can_match(ctx, series);

    rc = ngx_http_ilert_json_enter(reader, '[');

    for (i = 0; rc == NGX_OK; i++) {

        if (ngx_http_ilert_json_peek(reader) != '[') {
            return ngx_http_ilert_kapacitor_error(ctx,
                            "data.series[%ui].values[%ui]: expected an array",
                            ctx->nseries, i);
        }

        series->last_row = reader->pos;

        if (ngx_http_ilert_json_row(reader, &first, 1, &n) != NGX_OK) {
            return ngx_http_ilert_kapacitor_error(ctx,
                                "data.series[%ui].values[%ui][%ui]: expected "
                                "a string, number, boolean or null",
                                ctx->nseries, i, n);
        }

        if (i == 0) {
            series->first_row = series->last_row;
            series->last = reader->last;
            ctx->width = n;

        } else if (n != ctx->width && ctx->uneven == 0) {
            ctx->uneven = i;
        }

        if (match && ctx->row == NULL && n) {

            rc = ngx_http_ilert_kapacitor_compare_time(ctx, &first,
                                                       &ctx->instant);
            if (rc == NGX_ERROR) {
                return NGX_ERROR;
            }

            if (rc == NGX_OK) {
                ctx->row = series->last_row;
                ctx->trigger = ctx->webhook->series.nelts;
            }
        }

        rc = ngx_http_ilert_json_next(reader, ']');
    }

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/*
 * True if the triggering row can be told as rows are read: the event's time
 * and the columns have come before, as they do, and time is the first column.
 */

static ngx_uint_t
ngx_http_ilert_kapacitor_can_match(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    ngx_str_t  *time;

    /* values that came before with the same name do not hold */

    if (ctx->trigger == ctx->webhook->series.nelts) {
        ctx->row = NULL;
    }

    if (series->time || ctx->columns.nelts == 0) {
        ctx->search = 1;
        return 0;
    }

    time = &ctx->webhook->time;

    if (ctx->time.data == NULL && time->data) {
        ctx->time = *time;
        ctx->timed = (ngx_http_ilert_kapacitor_parse_time(time, &ctx->instant)
                      == NGX_OK);
    }

    return ctx->timed;
}


/* NGX_DECLINED: the token is another time, or none */

static ngx_int_t
ngx_http_ilert_kapacitor_compare_time(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *token, ngx_http_ilert_kapacitor_time_t *time)
{
    ngx_str_t                         text;
    ngx_http_ilert_kapacitor_time_t   row;

    if (ngx_http_ilert_json_decode(token, &text, ctx->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_kapacitor_parse_time(&text, &row) != NGX_OK
        || row.sec != time->sec || row.nsec != time->nsec)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* the value that comes next, of which "n" has been seen */

static ngx_int_t
ngx_http_ilert_kapacitor_null(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t  token;

    return ngx_http_ilert_json_scalar(&ctx->reader, &token);
}


/*
 * Takes the name from all but the last of those with the same one.  It does
 * happen: the columns of a batch are the fields and the tags of its points,
 * and InfluxDB lets a field and a tag have one name.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_repeated(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *name, size_t step, ngx_uint_t n)
{
    ngx_str_t   **sorted;
    ngx_uint_t    i;

    if (n < 2) {
        return NGX_OK;
    }

    ctx->sorted.nelts = 0;

    for (i = 0; i < n; i++) {

        sorted = ngx_http_ilert_kapacitor_push(ctx, &ctx->sorted,
                                               sizeof(ngx_str_t *), n);
        if (sorted == NULL) {
            return NGX_ERROR;
        }

        *sorted = name;
        name = (ngx_str_t *) ((u_char *) name + step);
    }

    sorted = ctx->sorted.elts;

    ngx_qsort(sorted, n, sizeof(ngx_str_t *),
              ngx_http_ilert_kapacitor_compare);

    for (i = 1; i < n; i++) {
        if (ngx_http_ilert_text_same(sorted[i - 1], sorted[i])) {
            ngx_str_null(sorted[i - 1]);
        }
    }

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_ilert_kapacitor_compare(const void *one, const void *two)
{
    int         rc;
    ngx_str_t  *first, *second;

    first = *(ngx_str_t **) one;
    second = *(ngx_str_t **) two;

    if (first->len != second->len) {
        return (first->len < second->len) ? -1 : 1;
    }

    rc = ngx_memcmp(first->data, second->data, first->len);

    if (rc) {
        return rc;
    }

    return (first < second) ? -1 : 1;
}


/* memory is not left behind as the array grows, from "first" elements on */

static void *
ngx_http_ilert_kapacitor_push(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *a, size_t size, ngx_uint_t first)
{
    void        *p;
    ngx_uint_t   n;

    if (a->nelts == a->nalloc) {

        n = a->nalloc ? 2 * a->nalloc : first;

        p = ngx_palloc(ctx->pool, n * size);
        if (p == NULL) {
            return NULL;
        }

        if (a->nelts) {
            ngx_memcpy(p, a->elts, a->nelts * size);
            ngx_http_ilert_kapacitor_free(ctx, a);
        }

        a->elts = p;
        a->nalloc = n;
        a->size = size;
    }

    return (u_char *) a->elts + a->nelts++ * size;
}


static ngx_int_t
ngx_http_ilert_kapacitor_copy(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *to, ngx_array_t *from)
{
    if (from->nelts == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(to, ctx->pool, from->nelts, from->size) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(to->elts, from->elts, from->nelts * from->size);
    to->nelts = from->nelts;

    return NGX_OK;
}


static void
ngx_http_ilert_kapacitor_free(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *a)
{
    /* a small one stays in the pool */

    if (a->nalloc * a->size > ctx->pool->max) {
        (void) ngx_pfree(ctx->pool, a->elts);
    }
}


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


/*
 * The default of .details() is {{ json . }}, made HTML: the only place where
 * the names of the task, of the group and of Kapacitor's host occur.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_dump(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t                     text;
    ngx_uint_t                    i;
    ngx_http_ilert_webhook_t     *wh;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("TaskName"), ngx_null_string },
        { ngx_string("Group"), ngx_null_string },
        { ngx_string("ID"), ngx_null_string },
        { ngx_string("Level"), ngx_null_string },
        { ngx_string("Name"), ngx_string("\"\"") },
        { ngx_string("ServerInfo"), ngx_null_string }
    };

    ngx_http_ilert_json_member_t  server[] = {
        { ngx_string("Hostname"), ngx_null_string }
    };

    wh = ctx->webhook;
    text = wh->details;

    ngx_http_ilert_text_trim(&text);

    if (text.len == 0 || text.data[0] != '{') {
        return NGX_OK;
    }

    if (ngx_http_ilert_text_unescape(&wh->details, &text, ctx->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&text, member, 6) != NGX_OK) {
        return NGX_OK;
    }

    for (i = 0; i < 5; i++) {
        if (member[i].value.len == 0 || member[i].value.data[0] != '"') {
            return NGX_OK;
        }
    }

    wh->dump = 1;

    if (ngx_http_ilert_json_decode(&member[0].value, &wh->task, ctx->pool)
        != NGX_OK
        || ngx_http_ilert_json_decode(&member[1].value, &wh->group, ctx->pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&member[5].value, server, 1) != NGX_OK
        || server[0].value.len == 0 || server[0].value.data[0] != '"')
    {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(&server[0].value, &wh->server,
                                      ctx->pool);
}


static ngx_int_t
ngx_http_ilert_kapacitor_trigger(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_ilert_series_t          *series;
    ngx_http_ilert_webhook_t         *wh;
    ngx_http_ilert_kapacitor_time_t   time;

    wh = ctx->webhook;

    if (wh->series.nelts == 0) {
        return NGX_OK;
    }

    series = wh->series.elts;

    if (!ctx->search && ctx->time.data == wh->time.data) {

        if (ctx->row) {
            return ngx_http_ilert_kapacitor_set_row(ctx, &series[ctx->trigger],
                                                    ctx->row);
        }

    } else if (ngx_http_ilert_kapacitor_parse_time(&wh->time, &time)
               == NGX_OK)
    {
        for (i = 0; i < wh->series.nelts; i++) {

            rc = ngx_http_ilert_kapacitor_find_row(ctx, &series[i], &time);

            if (rc != NGX_DECLINED) {
                return rc;
            }
        }
    }

    wh->trigger = series;

    if (series->first_row == NULL) {
        return NGX_OK;
    }

    return ngx_http_ilert_kapacitor_set_row(ctx, series, series->last_row);
}


/* the first row of that time; NGX_DECLINED: there is none */

static ngx_int_t
ngx_http_ilert_kapacitor_find_row(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_kapacitor_time_t *time)
{
    ngx_int_t               rc;
    ngx_str_t              *values;
    ngx_http_ilert_rows_t   rows;

    if (series->first_row == NULL || series->time == series->columns.nelts) {
        return NGX_DECLINED;
    }

    /* all that had to be read has its copy of them: there is room enough */

    values = ctx->columns.elts;

    ngx_http_ilert_kapacitor_rows(&rows, series, series->first_row, values);

    rows.size = series->time + 1;

    while (ngx_http_ilert_kapacitor_next_row(&rows)) {

        rc = ngx_http_ilert_kapacitor_compare_time(ctx, &values[series->time],
                                                   time);
        if (rc == NGX_OK) {
            return ngx_http_ilert_kapacitor_set_row(ctx, series, rows.row);
        }

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_kapacitor_set_row(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series, u_char *row)
{
    ngx_str_t              *values;
    ngx_http_ilert_rows_t   rows;

    values = ngx_palloc(ctx->pool, series->columns.nelts * sizeof(ngx_str_t));
    if (values == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_rows(&rows, series, row, values);

    (void) ngx_http_ilert_kapacitor_next_row(&rows);

    ctx->webhook->trigger = series;
    ctx->webhook->row = row;
    ctx->webhook->values = values;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_key(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t  *key;

    key = &ctx->webhook->key;

    if (!ngx_http_ilert_text_blank(&ctx->webhook->id)) {
        *key = ctx->webhook->id;

    } else if (ctx->webhook->series.nelts
               && ngx_http_ilert_kapacitor_series_key(ctx, key) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (key->len > NGX_HTTP_ILERT_KAPACITOR_LONG_KEY) {
        ngx_http_ilert_kapacitor_digest(key, ctx->webhook->key_md5);
    }

    return NGX_OK;
}


static void
ngx_http_ilert_kapacitor_digest(ngx_str_t *text, u_char *digest)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, text->data, text->len);
    ngx_md5_final(digest, &md5);
}


void
ngx_http_ilert_kapacitor_md5(ngx_http_ilert_webhook_t *wh, ngx_str_t *text,
    u_char *md5)
{
    if (text->len > NGX_HTTP_ILERT_KAPACITOR_LONG_KEY
        && ngx_http_ilert_text_same(text, &wh->key))
    {
        ngx_memcpy(md5, wh->key_md5, sizeof(wh->key_md5));

    } else {
        ngx_http_ilert_kapacitor_digest(text, md5);
    }
}


/* name{tag=value,tag=value} */

static ngx_int_t
ngx_http_ilert_kapacitor_series_key(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *key)
{
    u_char                   *p, open;
    size_t                    len;
    ngx_uint_t                i;
    ngx_keyval_t             *tag;
    ngx_http_ilert_series_t  *series;

    series = ctx->webhook->series.elts;

    if (ngx_http_ilert_text_blank(&series->name) && series->tags.nelts == 0) {
        return NGX_OK;
    }

    tag = series->tags.elts;
    len = series->name.len + sizeof("{}") - 1;

    for (i = 0; i < series->tags.nelts; i++) {
        len += tag[i].key.len + tag[i].value.len + sizeof("=,") - 1;
    }

    p = ngx_pnalloc(ctx->pool, len);
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


void
ngx_http_ilert_kapacitor_rows(ngx_http_ilert_rows_t *rows,
    ngx_http_ilert_series_t *series, u_char *row, ngx_str_t *values)
{
    ngx_str_t  text;

    text.data = row;
    text.len = series->last - row;

    ngx_http_ilert_json_init(&rows->reader, &text,
                             NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    rows->row = NULL;
    rows->values = values;
    rows->size = series->columns.nelts;
}


ngx_uint_t
ngx_http_ilert_kapacitor_next_row(ngx_http_ilert_rows_t *rows)
{
    ngx_http_ilert_json_reader_t  *reader;

    reader = &rows->reader;

    if (rows->row && ngx_http_ilert_json_next(reader, ']') != NGX_OK) {
        return 0;
    }

    (void) ngx_http_ilert_json_peek(reader);

    rows->row = reader->pos;

    ngx_http_ilert_json_row_again(reader, rows->values, rows->size);

    rows->slack = (reader->last - reader->pos >= NGX_HTTP_ILERT_JSON_SHORT);

    return 1;
}


/*
 * RFC 3339: 2026-03-01T08:16:10.123456789Z, with 0 to 9 digits of a second
 * and any offset.  NGX_DECLINED for anything else.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time)
{
    u_char      *p, *last;
    ngx_int_t    year, month, day, hour, min, sec, east_hour, east_min;
    ngx_uint_t   scale;

    p = text->data;
    last = p + text->len;

    if (text->len < sizeof("2026-03-01T08:16:10Z") - 1
        || p[4] != '-' || p[7] != '-' || (p[10] | 0x20) != 't'
        || p[13] != ':' || p[16] != ':')
    {
        return NGX_DECLINED;
    }

    year = ngx_http_ilert_kapacitor_digits(p, 4, 0, 9999);
    month = ngx_http_ilert_kapacitor_digits(p + 5, 2, 1, 12);
    day = ngx_http_ilert_kapacitor_digits(p + 8, 2, 1, 31);
    hour = ngx_http_ilert_kapacitor_digits(p + 11, 2, 0, 23);
    min = ngx_http_ilert_kapacitor_digits(p + 14, 2, 0, 59);
    sec = ngx_http_ilert_kapacitor_digits(p + 17, 2, 0, 60);

    if (year < 0 || month < 0 || day < 0 || hour < 0 || min < 0 || sec < 0) {
        return NGX_DECLINED;
    }

    p += 19;
    time->nsec = 0;

    if (*p == '.') {
        p++;

        for (scale = 100000000;
             p < last && *p >= '0' && *p <= '9';
             p++, scale /= 10)
        {
            time->nsec += (*p - '0') * scale;
        }
    }

    east_hour = 0;
    east_min = 0;

    if (last - p == 6 && (*p == '+' || *p == '-') && p[3] == ':') {
        east_hour = ngx_http_ilert_kapacitor_digits(p + 1, 2, 0, 23);
        east_min = ngx_http_ilert_kapacitor_digits(p + 4, 2, 0, 59);

        if (east_hour < 0 || east_min < 0) {
            return NGX_DECLINED;
        }

        if (*p == '-') {
            east_hour = -east_hour;
            east_min = -east_min;
        }

    } else if (last - p != 1 || (*p | 0x20) != 'z') {
        return NGX_DECLINED;
    }

    /* Gauss' formula, for years that start in March: see ngx_parse_time.c */

    month -= 2;

    if (month <= 0) {
        month += 12;
        year -= 1;
    }

    time->sec = (int64_t) (365 * year + year / 4 - year / 100 + year / 400
                           + 367 * month / 12 - 30
                           + day - 1
                           - 719527 + 31 + 28) * 86400
                + (hour - east_hour) * 3600 + (min - east_min) * 60 + sec;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n, ngx_uint_t least,
    ngx_uint_t most)
{
    ngx_int_t  value;

    value = ngx_atoi(p, n);

    if (value < (ngx_int_t) least || value > (ngx_int_t) most) {
        return NGX_ERROR;
    }

    return value;
}


ngx_int_t
ngx_http_ilert_kapacitor_field(ngx_http_ilert_webhook_t *wh, ngx_str_t *name,
    ngx_str_t *value, ngx_pool_t *pool)
{
    ngx_str_t   *column;
    ngx_uint_t   i;

    if (wh->row == NULL) {
        return NGX_DECLINED;
    }

    column = wh->trigger->columns.elts;

    for (i = 0; i < wh->trigger->columns.nelts; i++) {

        if (i != wh->trigger->time
            && ngx_http_ilert_kapacitor_same_name(&column[i], name))
        {
            if (wh->values[i].data[0] == 'n') {
                return NGX_DECLINED;
            }

            return ngx_http_ilert_json_decode(&wh->values[i], value, pool);
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_kapacitor_tag(ngx_http_ilert_webhook_t *wh, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t     i;
    ngx_keyval_t  *tag;

    if (wh->trigger == NULL) {
        return NGX_DECLINED;
    }

    tag = wh->trigger->tags.elts;

    for (i = 0; i < wh->trigger->tags.nelts; i++) {
        if (ngx_http_ilert_kapacitor_same_name(&tag[i].key, name)) {
            *value = tag[i].value;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_ilert_kapacitor_same_name(ngx_str_t *name, ngx_str_t *pattern)
{
    u_char  ch;
    size_t  i, k;

    k = 0;

    for (i = 0; i < name->len; i++) {
        ch = ngx_tolower(name->data[i]);

        /* a character beyond ASCII is one "_" */

        if ((ch & 0xc0) == 0x80) {
            continue;
        }

        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))) {
            ch = '_';
        }

        if (k == pattern->len || ch != ngx_tolower(pattern->data[k])) {
            return 0;
        }

        k++;
    }

    return k == pattern->len;
}


static ngx_int_t ngx_cdecl
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
