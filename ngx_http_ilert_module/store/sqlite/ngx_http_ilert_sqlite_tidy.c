
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


static int ngx_http_ilert_sqlite_recount(ngx_http_ilert_store_work_t *work);
static int ngx_http_ilert_sqlite_count_waiting(
    ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_counted_t *sources, ngx_uint_t nsources,
    ngx_uint_t *few);
static void ngx_http_ilert_sqlite_count_event(
    ngx_http_ilert_store_counted_t *sources, ngx_uint_t nsources,
    int64_t source, int64_t urgency);


/*
 * Slots are removed that are older than the longest window: budgets that are
 * in use have removed theirs, so these are of budgets that nobody uses.
 */

ngx_int_t
ngx_http_ilert_sqlite_tidy(ngx_http_ilert_store_work_t *work)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    db->accepts = 0;

    rc = ngx_http_ilert_sqlite_recount(work);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_write(db,
                                         NGX_HTTP_ILERT_SQLITE_FORGET_SLOTS,
                                         "ii",
                                         work->now
                                         - NGX_HTTP_ILERT_STORE_WINDOW,
                                         (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

        work->changed |= (sqlite3_changes(db->db) != 0);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


/*
 * Corrects the counts of sources, if few events wait, so that it takes little
 * time.  Counts become wrong if somebody deletes events with a shell, or by
 * a process of an earlier release, which does not count.  This does not set
 * work->changed.
 */

static int
ngx_http_ilert_sqlite_recount(ngx_http_ilert_store_work_t *work)
{
    int                              rc;
    int64_t                          open, waiting[NGX_HTTP_ILERT_URGENCIES];
    ngx_uint_t                       i, k, few, differs;
    ngx_array_t                      kept;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_counted_t  *source;

    db = work->store->private;

    if (ngx_array_init(&kept, work->pool, 16,
                       sizeof(ngx_http_ilert_store_counted_t))
        != NGX_OK)
    {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_NOMEM);
    }

    if (ngx_http_ilert_sqlite_sources(work, &kept) != NGX_OK) {
        return db->rc;
    }

    source = kept.elts;

    rc = ngx_http_ilert_sqlite_count_waiting(work, source, kept.nelts, &few);

    if (rc != SQLITE_OK || !few) {
        return rc;
    }

    for (i = 0; i < kept.nelts; i++) {

        /* "waiting" is the count that was kept minus the real one */

        differs = 0;

        for (k = 0; k < NGX_HTTP_ILERT_URGENCIES; k++) {
            waiting[k] = -source[i].waiting[k];
            differs |= (waiting[k] != 0);
        }

        open = source[i].open;

        if (open < NGX_HTTP_ILERT_STORE_ROWS) {
            rc = ngx_http_ilert_sqlite_get(db,
                                           NGX_HTTP_ILERT_SQLITE_COUNT_OPENED,
                                           &open, "i", source[i].id);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }

        open -= source[i].open;

        if (!differs && open == 0) {
            continue;
        }

        rc = ngx_http_ilert_sqlite_write_counts(db, source[i].id, waiting,
                                                open);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/*
 * Subtracts the real numbers of waiting events from the counts.  Sets "few" to
 * 0 if there are more events than a job may read.
 */

static int
ngx_http_ilert_sqlite_count_waiting(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_counted_t *sources, ngx_uint_t nsources,
    ngx_uint_t *few)
{
    int                          rc;
    int64_t                      source;
    ngx_uint_t                   n;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    n = 0;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_WAITING,
                                   &stmt, "i",
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

    while (rc == SQLITE_OK) {

        n++;

        source = sqlite3_column_int64(stmt, 0);

        if (source == 0) {
            source = sqlite3_column_int64(stmt, 1);
        }

        ngx_http_ilert_sqlite_count_event(sources, nsources, source,
                                          sqlite3_column_int64(stmt, 2));

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    *few = (n < NGX_HTTP_ILERT_STORE_ROWS);

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING) ? SQLITE_OK : rc;
}


static void
ngx_http_ilert_sqlite_count_event(ngx_http_ilert_store_counted_t *sources,
    ngx_uint_t nsources, int64_t source, int64_t urgency)
{
    ngx_uint_t  i;

    urgency = ngx_max(urgency, 0);
    urgency = ngx_min(urgency, NGX_HTTP_ILERT_URGENCIES - 1);

    for (i = 0; i < nsources; i++) {
        if (sources[i].id == source) {
            sources[i].waiting[urgency]--;
            return;
        }
    }
}
