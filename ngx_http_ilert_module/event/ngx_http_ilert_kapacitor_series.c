
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


static ngx_int_t ngx_http_ilert_kapacitor_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_series_item(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static void ngx_http_ilert_kapacitor_forget_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_keep_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
static ngx_int_t ngx_http_ilert_kapacitor_series_name(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_tags(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_columns(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_repeated(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *name, size_t step,
    ngx_uint_t n);
static int ngx_libc_cdecl ngx_http_ilert_kapacitor_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_ilert_kapacitor_values(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_table(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_json_reader_t *reader,
    ngx_http_ilert_series_t *series);
static ngx_uint_t ngx_http_ilert_kapacitor_can_match(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
static void *ngx_http_ilert_kapacitor_push(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *a, size_t size, ngx_uint_t n);
static ngx_int_t ngx_http_ilert_kapacitor_copy(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_array_t *to, ngx_array_t *from);
static void ngx_http_ilert_kapacitor_free(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_array_t *a);


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


/*
 * Reads a series, and keeps it if it has rows or is the first one; others are
 * only checked.
 */

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

    /*
     * The values may have come before the columns, so the number of values is
     * compared here.
     */

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


/*
 * Forgets all series: of members "data" or "series" with the same name the
 * last one counts.
 */

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

    /* A tag begins with its key, so an array of tags is one of names. */

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


/*
 * Sets all names but the last one of those that are equal to null strings.
 * Equal names do occur: the columns of a batch are the fields and the tags of
 * its points, and InfluxDB lets a field and a tag have the same name.  The n
 * names are "step" bytes apart.
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


/* Equal names are sorted by their places, so that the last one is known. */

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


/*
 * Reads and checks all rows of a series.  Their values are not kept: they are
 * read again if they are needed.
 */

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

            rc = ngx_http_ilert_kapacitor_compare_time(&first, &ctx->instant,
                                                       ctx->pool);
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
 * Returns true if rows can be compared with the event's time as they are read.
 * For this the event's time and the columns must have come before the rows, as
 * they do in all that Kapacitor sends, and "time" must be the first column.
 * Otherwise the rows are searched when all has been read.
 */

static ngx_uint_t
ngx_http_ilert_kapacitor_can_match(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    ngx_str_t  *time;

    /* A row was found in an earlier member "values", which does not count. */

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


/*
 * Works as ngx_array_push(), but frees the old memory, if it is large, when
 * the array grows.  The array begins with room for "first" elements.
 */

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


void
ngx_http_ilert_kapacitor_end_series(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_http_ilert_kapacitor_free(ctx, &ctx->tags);
    ngx_http_ilert_kapacitor_free(ctx, &ctx->columns);
    ngx_http_ilert_kapacitor_free(ctx, &ctx->sorted);
}


static void
ngx_http_ilert_kapacitor_free(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_array_t *a)
{
    /* A small allocation cannot be freed: it is a part of the pool. */

    if (a->nalloc * a->size > ctx->pool->max) {
        (void) ngx_pfree(ctx->pool, a->elts);
    }
}
