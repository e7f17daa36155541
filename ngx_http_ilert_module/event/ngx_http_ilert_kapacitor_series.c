
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
static ngx_int_t ngx_http_ilert_kapacitor_compare_width(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
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
static ngx_int_t ngx_http_ilert_kapacitor_tag_item(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_columns(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_column_item(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
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

    if (ngx_http_ilert_json_peek(&ctx->reader) == '{') {
        return ngx_http_ilert_kapacitor_members(ctx,
                                              ngx_http_ilert_kapacitor_result,
                                              NULL);
    }

    return ngx_http_ilert_kapacitor_skip(ctx, "data");
}


static ngx_int_t
ngx_http_ilert_kapacitor_series(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    ngx_http_ilert_kapacitor_forget_series(ctx);

    if (ngx_http_ilert_json_peek(&ctx->reader) != '[') {
        return ngx_http_ilert_kapacitor_skip(ctx, "data.series");
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
    ngx_http_ilert_series_t  series;

    if (ngx_http_ilert_json_peek(&ctx->reader) != '{') {
        return ngx_http_ilert_kapacitor_skip(ctx, "data.series[%ui]",
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

    if (ngx_http_ilert_kapacitor_compare_width(ctx, &series) != NGX_OK) {
        return NGX_ERROR;
    }

    if (series.first_row == NULL && ctx->webhook->series.nelts) {
        return NGX_OK;
    }

    return ngx_http_ilert_kapacitor_keep_series(ctx, &series);
}


/*
 * Finds out whether each row has as many values as there are columns.  The
 * values may have come before the columns, so this is known at the end of the
 * series only.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_compare_width(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    ngx_uint_t  n, row, width;

    n = ctx->columns.nelts;

    if (series->first_row == NULL || (ctx->width == n && ctx->uneven == 0)) {
        return NGX_OK;
    }

    series->uneven = 1;

    if (ctx->width != n) {
        row = 0;
        width = ctx->width;

    } else {
        row = ctx->uneven;
        width = ctx->uneven_width;
    }

    return ngx_http_ilert_kapacitor_note(ctx, "data.series[%ui].values[%ui]: "
                                         "number of values %ui, of columns "
                                         "%ui", ctx->nseries, row, width, n);
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

    u_char     first;
    ngx_int_t  rc;

    rc = ngx_http_ilert_kapacitor_text(ctx, &series->name, &first);

    if (rc != NGX_OK || first == '"' || first == 'n') {
        return rc;
    }

    return ngx_http_ilert_kapacitor_odd(ctx, first, NULL,
                                        "data.series[%ui].name",
                                        ctx->nseries);
}


static ngx_int_t
ngx_http_ilert_kapacitor_tags(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_int_t  rc;

    ctx->tags.nelts = 0;

    if (ngx_http_ilert_json_peek(&ctx->reader) != '{') {
        return ngx_http_ilert_kapacitor_skip(ctx, "data.series[%ui].tags",
                                             ctx->nseries);
    }

    rc = ngx_http_ilert_json_enter(&ctx->reader, '{');

    while (rc == NGX_OK) {

        rc = ngx_http_ilert_kapacitor_tag_item(ctx);

        if (rc != NGX_OK) {
            return rc;
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


/* Reads a tag, and keeps it if its value can be taken as text. */

static ngx_int_t
ngx_http_ilert_kapacitor_tag_item(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    u_char         first;
    size_t         len;
    ngx_int_t      rc;
    ngx_str_t      token, name;
    ngx_keyval_t  *tag;

    if (ngx_http_ilert_json_name(&ctx->reader, &token) != NGX_OK) {
        return NGX_DECLINED;
    }

    tag = ngx_http_ilert_kapacitor_push(ctx, &ctx->tags, sizeof(ngx_keyval_t),
                                        1);
    if (tag == NULL
        || ngx_http_ilert_json_decode(&token, &tag->key, ctx->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_kapacitor_text(ctx, &tag->value, &first);

    if (rc != NGX_OK || first == '"') {
        return rc;
    }

    name = tag->key;

    if (tag->value.data == NULL) {
        ctx->tags.nelts--;
    }

    len = ngx_http_ilert_text_cut(&name, NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME);

    return ngx_http_ilert_kapacitor_odd(ctx, first, NULL,
                                        "data.series[%ui].tags.%*s",
                                        ctx->nseries, len, name.data);
}


static ngx_int_t
ngx_http_ilert_kapacitor_columns(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    ngx_int_t   rc;
    ngx_str_t  *column;
    ngx_uint_t  i;

    ctx->columns.nelts = 0;

    if (series->first_row) {
        ctx->search = 1;
    }

    series->time = 0;

    if (ngx_http_ilert_json_peek(&ctx->reader) != '[') {
        return ngx_http_ilert_kapacitor_skip(ctx, "data.series[%ui].columns",
                                             ctx->nseries);
    }

    rc = ngx_http_ilert_json_enter(&ctx->reader, '[');

    while (rc == NGX_OK) {

        rc = ngx_http_ilert_kapacitor_column_item(ctx);

        if (rc != NGX_OK) {
            return rc;
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
 * Reads the name of a column.  One that cannot be taken as text is a null
 * string, which hides the column.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_column_item(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    u_char      first;
    ngx_int_t   rc;
    ngx_str_t  *column;

    column = ngx_http_ilert_kapacitor_push(ctx, &ctx->columns,
                                           sizeof(ngx_str_t), 1);
    if (column == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_kapacitor_text(ctx, column, &first);

    if (rc != NGX_OK || first == '"') {
        return rc;
    }

    return ngx_http_ilert_kapacitor_odd(ctx, first, NULL,
                                        "data.series[%ui].columns[%ui]",
                                        ctx->nseries, ctx->columns.nelts - 1);
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

        if (name->data) {
            sorted = ngx_http_ilert_kapacitor_push(ctx, &ctx->sorted,
                                                   sizeof(ngx_str_t *), n);
            if (sorted == NULL) {
                return NGX_ERROR;
            }

            *sorted = name;
        }

        name = (ngx_str_t *) ((u_char *) name + step);
    }

    sorted = ctx->sorted.elts;
    n = ctx->sorted.nelts;

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
