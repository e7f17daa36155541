
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"


static ngx_int_t ngx_http_ilert_kapacitor_find_row(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    ngx_http_ilert_kapacitor_time_t *time);
static ngx_int_t ngx_http_ilert_kapacitor_set_row(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    u_char *row);
static void ngx_http_ilert_kapacitor_dense_row(ngx_http_ilert_rows_t *rows);
static ngx_uint_t ngx_http_ilert_kapacitor_same_name(ngx_str_t *name,
    ngx_str_t *pattern);


ngx_int_t
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


/*
 * Looks for the first row of that time in a series, and makes it the
 * triggering row.  Returns NGX_OK, NGX_ERROR if there is no memory, or
 * NGX_DECLINED if there is no such row.
 */

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

    /*
     * The columns that were collected here have been copied to their series,
     * so the memory is free, and it has room for those of any series.
     */

    values = ctx->columns.elts;

    ngx_http_ilert_kapacitor_rows(&rows, series, series->first_row, values);

    rows.size = series->time + 1;

    while (ngx_http_ilert_kapacitor_next_row(&rows)) {

        if (rows.n <= series->time) {
            continue;
        }

        rc = ngx_http_ilert_kapacitor_compare_time(&values[series->time],
                                                   time, ctx->pool);
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
    ctx->webhook->nvalues = rows.n;

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

    rows->width = series->columns.nelts;
    rows->lengths = series->lengths;
    rows->ndense = 0;

    if (row == series->first_row && !series->uneven) {
        rows->ndense = series->ndense;
    }
}


ngx_uint_t
ngx_http_ilert_kapacitor_next_row(ngx_http_ilert_rows_t *rows)
{
    ngx_uint_t                     n;
    ngx_http_ilert_json_reader_t  *reader;

    reader = &rows->reader;

    if (rows->row && ngx_http_ilert_json_next(reader, ']') != NGX_OK) {
        return 0;
    }

    (void) ngx_http_ilert_json_peek(reader);

    rows->row = reader->pos;

    if (rows->ndense) {
        ngx_http_ilert_kapacitor_dense_row(rows);

    } else {
        n = ngx_http_ilert_json_row_again(reader, rows->values, rows->size);
        rows->n = ngx_min(n, rows->size);
    }

    rows->slack = (reader->last - reader->pos >= NGX_HTTP_ILERT_JSON_SHORT);

    return 1;
}


/* Reads a row without white space, of which the lengths are known. */

static void
ngx_http_ilert_kapacitor_dense_row(ngx_http_ilert_rows_t *rows)
{
    u_char      *p, *length;
    ngx_str_t   *value;
    ngx_uint_t   i;

    p = rows->row + 1;
    value = rows->values;
    length = rows->lengths;

    for (i = 0; i < rows->width; i++) {

        if (i < rows->size) {
            value[i].data = p;
            value[i].len = length[i];
        }

        /* A comma follows, or the bracket. */

        p += length[i] + 1;
    }

    rows->n = rows->size;
    rows->lengths += rows->width;
    rows->ndense--;
    rows->reader.pos = p;
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

    for (i = 0; i < wh->nvalues; i++) {

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

        /* One "_" stands for a character beyond ASCII, whatever its bytes. */

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
