
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"


/* values of a webhook of which the lengths are noted, at most */

#define NGX_HTTP_ILERT_KAPACITOR_LENGTHS  65536


static ngx_int_t ngx_http_ilert_kapacitor_plain_table(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    ngx_str_t *text);
static ngx_int_t ngx_http_ilert_kapacitor_flatten(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *text);
static void ngx_http_ilert_kapacitor_flat_table(ngx_str_t *text,
    ngx_http_ilert_json_writer_t *w, size_t *added);
static void ngx_http_ilert_kapacitor_flat_row(
    ngx_http_ilert_json_reader_t *reader, ngx_http_ilert_json_writer_t *w,
    size_t *added);
static ngx_int_t ngx_http_ilert_kapacitor_table(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_json_reader_t *reader,
    ngx_http_ilert_series_t *series);
static ngx_int_t ngx_http_ilert_kapacitor_want_lengths(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_json_reader_t *reader,
    ngx_http_ilert_series_t *series);
static ngx_int_t ngx_http_ilert_kapacitor_odd_row(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_json_reader_t *reader,
    ngx_uint_t n);
static ngx_uint_t ngx_http_ilert_kapacitor_can_match(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);


ngx_int_t
ngx_http_ilert_kapacitor_values(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_uint_t                     unclean;
    ngx_http_ilert_json_reader_t  *reader;

    reader = &ctx->reader;

    series->first_row = NULL;

    if (ngx_http_ilert_json_peek(reader) != '[') {
        return ngx_http_ilert_kapacitor_skip(ctx, "data.series[%ui].values",
                                             ctx->nseries);
    }

    text.data = reader->pos;

    unclean = reader->unclean;
    reader->unclean = 0;
    reader->nested = 0;
    ctx->odd_row = 0;

    rc = ngx_http_ilert_kapacitor_table(ctx, reader, series);

    if (rc == NGX_OK
        && (reader->unclean || reader->nested || ctx->odd_row))
    {
        text.len = reader->pos - text.data;
        rc = ngx_http_ilert_kapacitor_plain_table(ctx, series, &text);
    }

    reader->unclean |= unclean;

    return rc;
}


/*
 * Reads a table again, of which a copy is made that has nothing but arrays of
 * scalars, and only strings that are right.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_plain_table(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_str_t *text)
{
    ngx_int_t                      rc;
    ngx_http_ilert_json_reader_t   reader;

    if (ctx->reader.nested
        && ngx_http_ilert_kapacitor_note(ctx, "data.series[%ui].values: "
                                         "objects or arrays in rows, taken "
                                         "as text", ctx->nseries)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (((ctx->reader.nested || ctx->odd_row)
         && ngx_http_ilert_kapacitor_flatten(ctx, text) != NGX_OK)
        || (ctx->reader.unclean
            && ngx_http_ilert_json_mend(text, text, ctx->pool) != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_json_init(&reader, text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    series->first_row = NULL;
    ctx->length = series->lengths;

    rc = ngx_http_ilert_kapacitor_table(ctx, &reader, series);

    series->last = reader.last + NGX_HTTP_ILERT_JSON_SHORT;

    return rc;
}


/*
 * Makes a copy of a table in which an object or array in a row is a string,
 * and what is no row is left out.  Returns NGX_OK, or NGX_ERROR if there is no
 * memory.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_flatten(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *text)
{
    u_char                        *p;
    size_t                         size, added;
    ngx_http_ilert_json_writer_t   w;

    ngx_memzero(&w, sizeof(ngx_http_ilert_json_writer_t));

    added = 0;

    ngx_http_ilert_kapacitor_flat_table(text, &w, &added);

    size = text->len + added;

    p = ngx_pnalloc(ctx->pool, size + NGX_HTTP_ILERT_JSON_SHORT);
    if (p == NULL) {
        return NGX_ERROR;
    }

    w.pos = p;
    w.last = p + size;

    ngx_http_ilert_kapacitor_flat_table(text, &w, &added);

    ngx_memzero(w.pos, NGX_HTTP_ILERT_JSON_SHORT);

    text->data = p;
    text->len = w.pos - p;

    return NGX_OK;
}


/*
 * Writes a table, which has been read before, and adds to "added" by how many
 * bytes the strings in it are longer than what they stand for.
 */

static void
ngx_http_ilert_kapacitor_flat_table(ngx_str_t *text,
    ngx_http_ilert_json_writer_t *w, size_t *added)
{
    ngx_int_t                      rc;
    ngx_uint_t                     n;
    ngx_http_ilert_json_reader_t   reader;

    ngx_http_ilert_json_init(&reader, text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    ngx_http_ilert_json_literal(w, "[");

    n = 0;
    rc = ngx_http_ilert_json_enter(&reader, '[');

    while (rc == NGX_OK) {

        if (ngx_http_ilert_json_peek(&reader) == '[') {
            ngx_http_ilert_json_raw(w, (u_char *) ",", n ? 1 : 0);
            ngx_http_ilert_kapacitor_flat_row(&reader, w, added);
            n++;

        } else {
            (void) ngx_http_ilert_json_skip(&reader);
        }

        rc = ngx_http_ilert_json_next(&reader, ']');
    }

    ngx_http_ilert_json_literal(w, "]");
}


static void
ngx_http_ilert_kapacitor_flat_row(ngx_http_ilert_json_reader_t *reader,
    ngx_http_ilert_json_writer_t *w, size_t *added)
{
    u_char      first;
    ngx_int_t   rc;
    ngx_str_t   value;
    ngx_uint_t  n;

    ngx_http_ilert_json_literal(w, "[");

    n = 0;
    rc = ngx_http_ilert_json_enter(reader, '[');

    while (rc == NGX_OK) {

        ngx_http_ilert_json_raw(w, (u_char *) ",", n++ ? 1 : 0);

        first = ngx_http_ilert_json_peek(reader);

        if (first == '[' || first == '{') {
            value.data = reader->pos;

            (void) ngx_http_ilert_json_skip(reader);

            value.len = reader->pos - value.data;

            *added += sizeof("\"\"") - 1
                      + ngx_escape_json(NULL, value.data, value.len);

            ngx_http_ilert_json_string(w, &value);

        } else {
            (void) ngx_http_ilert_json_scalar(reader, &value);

            ngx_http_ilert_json_raw(w, value.data, value.len);
        }

        rc = ngx_http_ilert_json_next(reader, ']');
    }

    ngx_http_ilert_json_literal(w, "]");
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

    if (ngx_http_ilert_kapacitor_want_lengths(ctx, reader, series) != NGX_OK) {
        return NGX_ERROR;
    }

    match = ngx_http_ilert_kapacitor_can_match(ctx, series);

    rc = ngx_http_ilert_json_enter(reader, '[');

    for (i = 0; rc == NGX_OK; i++) {

        if (ngx_http_ilert_json_peek(reader) != '[') {

            rc = ngx_http_ilert_kapacitor_odd_row(ctx, reader, i);

            if (rc != NGX_OK) {
                return rc;
            }

            rc = ngx_http_ilert_json_next(reader, ']');
            continue;
        }

        series->last_row = reader->pos;

        if (ngx_http_ilert_json_row(reader, &first, &n) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (series->first_row == NULL) {
            series->first_row = series->last_row;
            series->last = reader->last;
            ctx->width = n;

        } else if (n != ctx->width && ctx->uneven == 0) {
            ctx->uneven = i;
            ctx->uneven_width = n;
        }

        if (reader->dense && series->ndense == i) {
            series->ndense++;
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

    ctx->length = reader->length;

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/*
 * Makes the reader note the lengths of the values, with which the rows need
 * not be searched for commas when they are read again.  All tables of
 * a webhook share the memory.  A value takes two bytes of the body at least.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_want_lengths(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_json_reader_t *reader, ngx_http_ilert_series_t *series)
{
    size_t  size;

    if (ctx->length == NULL) {

        size = ngx_min((reader->last - reader->pos) / 2,
                       NGX_HTTP_ILERT_KAPACITOR_LENGTHS);

        ctx->length = ngx_pnalloc(ctx->pool, size);
        if (ctx->length == NULL) {
            return NGX_ERROR;
        }

        ctx->last_length = ctx->length + size;
    }

    reader->length = ctx->length;
    reader->last_length = ctx->last_length;

    series->lengths = reader->length;
    series->ndense = 0;

    return NGX_OK;
}


/* Skips what stands in the place of row n. */

static ngx_int_t
ngx_http_ilert_kapacitor_odd_row(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_json_reader_t *reader, ngx_uint_t n)
{
    u_char  first;

    first = ngx_http_ilert_json_peek(reader);

    if (ngx_http_ilert_json_skip(reader) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->odd_row = 1;

    return ngx_http_ilert_kapacitor_odd(ctx, first, "left out",
                                        "data.series[%ui].values[%ui]",
                                        ctx->nseries, n);
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
