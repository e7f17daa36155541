
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


static ngx_int_t ngx_http_ilert_sqlite_read_refused(
    ngx_http_ilert_store_work_t *work, sqlite3_stmt *stmt,
    ngx_http_ilert_store_refused_t *refused);


ngx_int_t
ngx_http_ilert_sqlite_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused)
{
    int                              rc;
    int64_t                          which;
    ngx_uint_t                       n;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_refused_t  *pushed;

    db = work->store->private;
    which = filter->limit;

    switch (filter->which) {

    case NGX_HTTP_ILERT_REFUSED_OF_ID:
        n = NGX_HTTP_ILERT_SQLITE_FIND_REFUSED;
        which = filter->id;
        break;

    case NGX_HTTP_ILERT_REFUSED_OLDEST:
        n = NGX_HTTP_ILERT_SQLITE_OLDEST_REFUSED;
        break;

    default: /* NGX_HTTP_ILERT_REFUSED_LATEST */
        n = NGX_HTTP_ILERT_SQLITE_LATEST_REFUSED;
        break;
    }

    rc = ngx_http_ilert_sqlite_row(db, n, &stmt, "ii", (int64_t) filter->body,
                                   which);

    while (rc == SQLITE_OK) {

        pushed = ngx_array_push(refused);

        if (pushed == NULL
            || ngx_http_ilert_sqlite_read_refused(work, stmt, pushed)
               != NGX_OK)
        {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            break;
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


static ngx_int_t
ngx_http_ilert_sqlite_read_refused(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_refused_t *refused)
{
    ngx_uint_t   i;

    struct {
        ngx_str_t   *text;
        ngx_uint_t   column;
    } texts[] = {
        { &refused->from, NGX_HTTP_ILERT_SQLITE_REFUSED_ADDRESS },
        { &refused->location, NGX_HTTP_ILERT_SQLITE_REFUSED_LOCATION },
        { &refused->error, NGX_HTTP_ILERT_SQLITE_REFUSED_ERROR },
        { &refused->body, NGX_HTTP_ILERT_SQLITE_REFUSED_BODY }
    };

    ngx_memzero(refused, sizeof(ngx_http_ilert_store_refused_t));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (ngx_http_ilert_sqlite_copy(work->pool, stmt, texts[i].column,
                                       texts[i].text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    refused->id = sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_REFUSED_ID);
    refused->time = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_REFUSED_TIME);
    refused->status = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_REFUSED_STATUS);
    refused->size = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_REFUSED_SIZE);
    refused->bytes = sqlite3_column_int64(stmt,
                                          NGX_HTTP_ILERT_SQLITE_REFUSED_BYTES);
    return NGX_OK;
}


int
ngx_http_ilert_sqlite_save_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_t *refused)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    work->changed = 1;

    if (refused->removed) {
        return ngx_http_ilert_sqlite_write(db,
                                        NGX_HTTP_ILERT_SQLITE_DELETE_REFUSED,
                                        "i", refused->id);
    }

    return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_REFUSED,
                                       "iiiitttb", refused->time,
                                       (int64_t) refused->status,
                                       refused->size, refused->bytes,
                                       &refused->from, &refused->location,
                                       &refused->error, &refused->body);
}
