
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"


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


static ngx_str_t  ngx_http_ilert_event_fields_name =
    ngx_string(",\"fields\":");

static ngx_str_t  ngx_http_ilert_event_rows_name = ngx_string(",\"rows\":");


ngx_int_t
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

    /* Rows are the first to go: where a field did not fit, none stays. */

    if (ctx->writer.full || cut) {
        return NGX_OK;
    }

    return ngx_http_ilert_event_rows(ctx);
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

    for (i = 0; i < ctx->webhook->nvalues && !w->full; i++) {

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


/* Allocates names and values, once, for the series with most columns. */

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
 * Writes the rows of a series but the triggering row, which is in "fields".
 * "start" is the place of the first row that was written, of any series; it is
 * NULL, and set, as long as there is none.  Returns NGX_OK, or NGX_DECLINED if
 * no more rows can be written.
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


/*
 * Writes a row.  "head" is all that is the same in each row of the series,
 * from the time to the fields; the first row sets it, later rows copy it.
 */

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

    } else if (series->uneven) {

        /* The first row may have had fewer fields, and so fewer names. */

        ngx_http_ilert_json_raw(w, head->data, head->len);
        ngx_http_ilert_event_row_first(w, series, rows, ctx->names);

    } else {
        ngx_http_ilert_json_raw(w, head->data, head->len);
        ngx_http_ilert_event_row_next(w, series, rows, ctx->names);
    }

    ngx_http_ilert_json_literal(w, "}}");
}


/*
 * Writes the fields of the first row of a series, and sets "name" to each name
 * as it has been written, for the rows that follow.  A field for which the row
 * has no value is left out.
 */

static void
ngx_http_ilert_event_row_first(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *name)
{
    ngx_str_t   *column;
    ngx_uint_t   i, comma;

    comma = 0;
    column = series->columns.elts;

    for (i = 0; i < rows->n; i++) {

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


/*
 * Writes the fields of any later row.  Most of the time for a large batch is
 * spent here.
 */

static void
ngx_http_ilert_event_row_next(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows,
    ngx_str_t *name)
{
    ngx_str_t                     *column, *value;
    ngx_uint_t                     i, n, slack;
    ngx_http_ilert_json_writer_t   writer;

    /* The compiler keeps a writer in registers if it is local. */

    writer = *w;

    n = rows->n;
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


/* Begins a row, with its time if it has one. */

static void
ngx_http_ilert_event_row_time(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_series_t *series, ngx_http_ilert_rows_t *rows)
{
    ngx_str_t  *value;

    ngx_http_ilert_json_literal(w, "{");

    if (series->time >= rows->n) {
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
