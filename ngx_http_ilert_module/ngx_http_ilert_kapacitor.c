
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_text.h"


/* root 1, data 2, series 3, a series 4, its values 5 */

#define NGX_HTTP_ILERT_KAPACITOR_VALUES      5

/* of a name in an error, in bytes */

#define NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME  64


typedef struct {
    ngx_http_ilert_webhook_t       *webhook;
    ngx_http_ilert_json_t           json;
    ngx_str_t                      *error;
    ngx_pool_t                     *pool;
} ngx_http_ilert_kapacitor_ctx_t;


typedef struct {
    const char                     *name;
    ngx_int_t                     (*handler)(
                                        ngx_http_ilert_kapacitor_ctx_t *ctx,
                                        cJSON *item, void *data);
    size_t                          offset;
} ngx_http_ilert_kapacitor_member_t;


/* an instant; days before 1970 have negative seconds */

typedef struct {
    int64_t                         sec;
    ngx_uint_t                      nsec;
} ngx_http_ilert_kapacitor_time_t;


static ngx_int_t ngx_http_ilert_kapacitor_members(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *object,
    ngx_http_ilert_kapacitor_member_t *members, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_string(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_duration(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_boolean(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_data(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_series(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_series_item(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item,
    ngx_http_ilert_series_t *series);
static ngx_int_t ngx_http_ilert_kapacitor_series_name(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_tags(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_columns(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_values(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, void *data);
static ngx_int_t ngx_http_ilert_kapacitor_no_table(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *item, size_t index);
static ngx_int_t ngx_http_ilert_kapacitor_widths(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_repeated(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_str_t *name, size_t step,
    ngx_uint_t n);
static int ngx_libc_cdecl ngx_http_ilert_kapacitor_compare(const void *one,
    const void *two);
static ngx_int_t ngx_http_ilert_kapacitor_level(
    ngx_http_ilert_kapacitor_ctx_t *ctx, cJSON *root);
static ngx_int_t ngx_http_ilert_kapacitor_dump(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_trigger(
    ngx_http_ilert_kapacitor_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_kapacitor_row_time(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series,
    ngx_http_ilert_json_row_t *row, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time);
static ngx_int_t ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n,
    ngx_uint_t least, ngx_uint_t most);
static ngx_uint_t ngx_http_ilert_kapacitor_same_name(ngx_str_t *name,
    ngx_str_t *pattern);
static ngx_str_t ngx_http_ilert_kapacitor_text(cJSON *item);
static size_t ngx_http_ilert_kapacitor_index(
    ngx_http_ilert_kapacitor_ctx_t *ctx, ngx_http_ilert_series_t *series);
static ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_error(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *fmt, ...);


ngx_str_t  ngx_http_ilert_level_names[] = {
    ngx_string("OK"),
    ngx_string("INFO"),
    ngx_string("WARNING"),
    ngx_string("CRITICAL")
};


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_root[] = {

    { "id", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, id) },

    { "message", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, message) },

    { "details", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, details) },

    { "time", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, time) },

    { "duration", ngx_http_ilert_kapacitor_duration,
      offsetof(ngx_http_ilert_webhook_t, duration) },

    { "level", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, level_name) },

    { "data", ngx_http_ilert_kapacitor_data, 0 },

    { "previousLevel", ngx_http_ilert_kapacitor_string,
      offsetof(ngx_http_ilert_webhook_t, previous_level) },

    { "recoverable", ngx_http_ilert_kapacitor_boolean,
      offsetof(ngx_http_ilert_webhook_t, recoverable) },

    { NULL, NULL, 0 }
};


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_result[] = {

    { "series", ngx_http_ilert_kapacitor_series, 0 },

    { NULL, NULL, 0 }
};


static ngx_http_ilert_kapacitor_member_t  ngx_http_ilert_kapacitor_one[] = {

    { "name", ngx_http_ilert_kapacitor_series_name, 0 },
    { "tags", ngx_http_ilert_kapacitor_tags, 0 },
    { "columns", ngx_http_ilert_kapacitor_columns, 0 },
    { "values", ngx_http_ilert_kapacitor_values, 0 },

    { NULL, NULL, 0 }
};


ngx_int_t
ngx_http_ilert_kapacitor_parse(ngx_http_ilert_webhook_t *wh, ngx_str_t *body,
    ngx_str_t *error, ngx_pool_t *pool)
{
    cJSON                           *root;
    ngx_int_t                        rc;
    ngx_http_ilert_kapacitor_ctx_t   ctx;

    ngx_memzero(wh, sizeof(ngx_http_ilert_webhook_t));

    ctx.webhook = wh;
    ctx.error = error;
    ctx.pool = pool;

    if (ngx_array_init(&wh->series, pool, 1, sizeof(ngx_http_ilert_series_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_json_parse(&ctx.json, body,
                                   NGX_HTTP_ILERT_KAPACITOR_VALUES, pool);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_kapacitor_error(&ctx,
                                              "not JSON: %s at byte %uz",
                                              ctx.json.error, ctx.json.offset);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    root = ctx.json.root;

    if (!cJSON_IsObject(root)) {
        return ngx_http_ilert_kapacitor_error(&ctx,
                                              "body: expected an object");
    }

    rc = ngx_http_ilert_kapacitor_members(&ctx, root,
                                          ngx_http_ilert_kapacitor_root, wh);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_ilert_kapacitor_widths(&ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_ilert_kapacitor_level(&ctx, root);

    if (rc != NGX_OK) {
        return rc;
    }

    if (wh->id.data && wh->id.len == 0 && wh->level == NGX_HTTP_ILERT_OK
        && wh->series.nelts == 0)
    {
        wh->test = 1;
    }

    if (ngx_http_ilert_kapacitor_dump(&ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_kapacitor_trigger(&ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    if (wh->trigger) {
        wh->name = wh->trigger->name;
    }

    return NGX_OK;
}


/* of members with the same name the last one holds, as it does in Go */

static ngx_int_t
ngx_http_ilert_kapacitor_members(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *object, ngx_http_ilert_kapacitor_member_t *members, void *data)
{
    cJSON                              *item;
    ngx_int_t                           rc;
    ngx_http_ilert_kapacitor_member_t  *m;

    cJSON_ArrayForEach(item, object) {

        for (m = members; m->name; m++) {

            if (ngx_strcmp(item->string, m->name) != 0) {
                continue;
            }

            rc = m->handler(ctx, item, (u_char *) data + m->offset);

            if (rc != NGX_OK) {
                return rc;
            }

            break;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_string(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_str_t  *value = data;

    if (cJSON_IsNull(item)) {
        ngx_str_null(value);
        return NGX_OK;
    }

    if (!ngx_http_ilert_json_is_string(item)) {
        return ngx_http_ilert_kapacitor_error(ctx, "%s: expected a string",
                                              item->string);
    }

    *value = ngx_http_ilert_kapacitor_text(item);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_duration(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_str_t  *value = data;

    if (cJSON_IsNull(item)) {
        ngx_str_null(value);
        return NGX_OK;
    }

    if (!ngx_http_ilert_json_is_number(item)) {
        return ngx_http_ilert_kapacitor_error(ctx, "duration: expected "
                                              "a number of nanoseconds");
    }

    *value = ngx_http_ilert_kapacitor_text(item);

    value->data++;
    value->len--;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_boolean(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_str_t  *value = data;

    if (cJSON_IsNull(item)) {
        ngx_str_null(value);
        return NGX_OK;
    }

    if (!cJSON_IsBool(item)) {
        return ngx_http_ilert_kapacitor_error(ctx, "%s: expected a boolean",
                                              item->string);
    }

    if (cJSON_IsTrue(item)) {
        ngx_str_set(value, "true");

    } else {
        ngx_str_set(value, "false");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_data(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ctx->webhook->series.nelts = 0;

    if (cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (!cJSON_IsObject(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                              "data: expected an object");
    }

    return ngx_http_ilert_kapacitor_members(ctx, item,
                                            ngx_http_ilert_kapacitor_result,
                                            NULL);
}


static ngx_int_t
ngx_http_ilert_kapacitor_series(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    cJSON                    *child;
    ngx_int_t                 rc;
    ngx_http_ilert_series_t  *series;

    ctx->webhook->series.nelts = 0;

    if (cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (!cJSON_IsArray(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                           "data.series: expected an array");
    }

    cJSON_ArrayForEach(child, item) {

        series = ngx_array_push(&ctx->webhook->series);
        if (series == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_kapacitor_series_item(ctx, child, series);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_series_item(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, ngx_http_ilert_series_t *series)
{
    ngx_memzero(series, sizeof(ngx_http_ilert_series_t));

    if (ngx_array_init(&series->tags, ctx->pool, 4, sizeof(ngx_keyval_t))
        != NGX_OK
        || ngx_array_init(&series->columns, ctx->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!cJSON_IsObject(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                        "data.series[%uz]: expected an object",
                                  ngx_http_ilert_kapacitor_index(ctx, series));
    }

    return ngx_http_ilert_kapacitor_members(ctx, item,
                                            ngx_http_ilert_kapacitor_one,
                                            series);
}


static ngx_int_t
ngx_http_ilert_kapacitor_series_name(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    if (cJSON_IsNull(item)) {
        ngx_str_null(&series->name);
        return NGX_OK;
    }

    if (!ngx_http_ilert_json_is_string(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                    "data.series[%uz].name: expected a string",
                                  ngx_http_ilert_kapacitor_index(ctx, series));
    }

    series->name = ngx_http_ilert_kapacitor_text(item);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_tags(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    size_t         len;
    cJSON         *child;
    ngx_keyval_t  *tag;

    series->tags.nelts = 0;

    if (cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (!cJSON_IsObject(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                   "data.series[%uz].tags: expected an object",
                                  ngx_http_ilert_kapacitor_index(ctx, series));
    }

    cJSON_ArrayForEach(child, item) {

        tag = ngx_array_push(&series->tags);
        if (tag == NULL) {
            return NGX_ERROR;
        }

        tag->key.data = (u_char *) child->string;
        tag->key.len = ngx_strlen(child->string);

        if (!ngx_http_ilert_json_is_string(child)) {
            len = ngx_http_ilert_text_cut(&tag->key,
                                      NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME);

            return ngx_http_ilert_kapacitor_error(ctx,
                                "data.series[%uz].tags.%*s: expected a string",
                                   ngx_http_ilert_kapacitor_index(ctx, series),
                                   len, tag->key.data);
        }

        tag->value = ngx_http_ilert_kapacitor_text(child);
    }

    tag = series->tags.elts;

    return ngx_http_ilert_kapacitor_repeated(ctx, &tag->key,
                                             sizeof(ngx_keyval_t),
                                             series->tags.nelts);
}


static ngx_int_t
ngx_http_ilert_kapacitor_columns(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    cJSON       *child;
    ngx_str_t   *column;
    ngx_uint_t   i;

    series->columns.nelts = 0;

    if (!cJSON_IsArray(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                                 "data.series[%uz].columns: expected an array",
                                  ngx_http_ilert_kapacitor_index(ctx, series));
    }

    i = 0;

    cJSON_ArrayForEach(child, item) {

        if (!ngx_http_ilert_json_is_string(child)) {
            return ngx_http_ilert_kapacitor_error(ctx,
                            "data.series[%uz].columns[%ui]: expected a string",
                               ngx_http_ilert_kapacitor_index(ctx, series), i);
        }

        column = ngx_array_push(&series->columns);
        if (column == NULL) {
            return NGX_ERROR;
        }

        *column = ngx_http_ilert_kapacitor_text(child);
        i++;
    }

    return ngx_http_ilert_kapacitor_repeated(ctx, series->columns.elts,
                                             sizeof(ngx_str_t),
                                             series->columns.nelts);
}


static ngx_int_t
ngx_http_ilert_kapacitor_values(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, void *data)
{
    ngx_http_ilert_series_t  *series = data;

    ngx_array_t  *table;

    series->rows = NULL;
    series->nrows = 0;

    if (cJSON_IsNull(item)) {
        return NGX_OK;
    }

    if (cJSON_IsNumber(item)) {
        table = ctx->json.tables.elts;
        table += (size_t) item->valuedouble;

        series->rows = table->elts;
        series->nrows = table->nelts;

        return NGX_OK;
    }

    return ngx_http_ilert_kapacitor_no_table(ctx, item,
                                  ngx_http_ilert_kapacitor_index(ctx, series));
}


/* an array that was not set aside is empty, or there is something in it */

static ngx_int_t
ngx_http_ilert_kapacitor_no_table(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *item, size_t index)
{
    cJSON       *row, *value;
    ngx_uint_t   i, k;

    if (!cJSON_IsArray(item)) {
        return ngx_http_ilert_kapacitor_error(ctx,
                          "data.series[%uz].values: expected an array", index);
    }

    i = 0;

    cJSON_ArrayForEach(row, item) {

        if (!cJSON_IsArray(row)) {
            return ngx_http_ilert_kapacitor_error(ctx,
                            "data.series[%uz].values[%ui]: expected an array",
                            index, i);
        }

        k = 0;

        cJSON_ArrayForEach(value, row) {

            if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
                return ngx_http_ilert_kapacitor_error(ctx,
                                "data.series[%uz].values[%ui][%ui]: expected "
                                "a string, number, boolean or null",
                                index, i, k);
            }

            k++;
        }

        i++;
    }

    return NGX_OK;
}


/* after all members, as the values may come before the columns */

static ngx_int_t
ngx_http_ilert_kapacitor_widths(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t                *column;
    ngx_uint_t                i, k;
    ngx_http_ilert_series_t  *series;

    series = ctx->webhook->series.elts;

    for (i = 0; i < ctx->webhook->series.nelts; i++) {

        for (k = 0; k < series[i].nrows; k++) {

            if (series[i].rows[k].nvalues != series[i].columns.nelts) {
                return ngx_http_ilert_kapacitor_error(ctx,
                           "data.series[%ui].values[%ui]: expected %ui values",
                           i, k, series[i].columns.nelts);
            }
        }

        column = series[i].columns.elts;

        for (k = 0; k < series[i].columns.nelts; k++) {
            if (column[k].len == 4
                && ngx_memcmp(column[k].data, "time", 4) == 0)
            {
                break;
            }
        }

        series[i].time = k;
    }

    return NGX_OK;
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

    sorted = ngx_palloc(ctx->pool, n * sizeof(ngx_str_t *));
    if (sorted == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        sorted[i] = name;
        name = (ngx_str_t *) ((u_char *) name + step);
    }

    ngx_qsort(sorted, n, sizeof(ngx_str_t *),
              ngx_http_ilert_kapacitor_compare);

    for (i = 1; i < n; i++) {
        if (sorted[i - 1]->len == sorted[i]->len
            && ngx_memcmp(sorted[i - 1]->data, sorted[i]->data,
                          sorted[i]->len) == 0)
        {
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


static ngx_int_t
ngx_http_ilert_kapacitor_level(ngx_http_ilert_kapacitor_ctx_t *ctx,
    cJSON *root)
{
    ngx_str_t  *level, *known;

    level = &ctx->webhook->level_name;

    if (level->data == NULL) {

        if (cJSON_GetObjectItemCaseSensitive(root, "series")) {
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
        if (level->len == known->len
            && ngx_memcmp(level->data, known->data, known->len) == 0)
        {
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
    ngx_str_t                         value;
    ngx_uint_t                        i, k;
    ngx_http_ilert_series_t          *series;
    ngx_http_ilert_webhook_t         *wh;
    ngx_http_ilert_kapacitor_time_t   event, row;

    wh = ctx->webhook;

    if (wh->series.nelts == 0) {
        return NGX_OK;
    }

    series = wh->series.elts;

    if (ngx_http_ilert_kapacitor_parse_time(&wh->time, &event) == NGX_OK) {

        for (i = 0; i < wh->series.nelts; i++) {

            for (k = 0; k < series[i].nrows; k++) {

                rc = ngx_http_ilert_kapacitor_row_time(ctx, &series[i],
                                                       &series[i].rows[k],
                                                       &value);
                if (rc == NGX_ERROR) {
                    return NGX_ERROR;
                }

                if (rc == NGX_DECLINED
                    || ngx_http_ilert_kapacitor_parse_time(&value, &row)
                       != NGX_OK)
                {
                    continue;
                }

                if (row.sec == event.sec && row.nsec == event.nsec) {
                    wh->trigger = &series[i];
                    wh->row = &series[i].rows[k];
                    return NGX_OK;
                }
            }
        }
    }

    wh->trigger = series;

    if (series->nrows) {
        wh->row = &series->rows[series->nrows - 1];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_row_time(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series, ngx_http_ilert_json_row_t *row,
    ngx_str_t *value)
{
    if (series->time == series->columns.nelts) {
        return NGX_DECLINED;
    }

    return ngx_http_ilert_json_decode(&row->values[series->time], value,
                                      ctx->pool);
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
            if (wh->row->values[i].data[0] == 'n') {
                return NGX_DECLINED;
            }

            return ngx_http_ilert_json_decode(&wh->row->values[i], value,
                                              pool);
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


static ngx_str_t
ngx_http_ilert_kapacitor_text(cJSON *item)
{
    ngx_str_t  text;

    text.data = (u_char *) item->valuestring;
    text.len = ngx_strlen(text.data);

    return text;
}


static size_t
ngx_http_ilert_kapacitor_index(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_series_t *series)
{
    return series - (ngx_http_ilert_series_t *) ctx->webhook->series.elts;
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
