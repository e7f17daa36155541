
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_db.h"


/*
 * Alerts for which nothing waits.  What is known of them saves requests, and
 * no more: of an alert that was forgotten it is unknown what ilert shows.  So
 * they give way to what waits, the oldest ones first.
 *
 * One whose last event is a dead letter is kept as long as the letter, which
 * could not be replayed otherwise.  There may be many of them, which are
 * passed over: so the next search goes on where the last one has ended.
 */

#define NGX_HTTP_ILERT_STORE_DAY          ((int64_t) 24 * 60 * 60 * 1000)
#define NGX_HTTP_ILERT_STORE_OVER_TIME    (7 * NGX_HTTP_ILERT_STORE_DAY)
#define NGX_HTTP_ILERT_STORE_OPEN_TIME    (90 * NGX_HTTP_ILERT_STORE_DAY)


static int ngx_http_ilert_store_forget_over(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n);
static int ngx_http_ilert_store_forget_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n);
static int ngx_http_ilert_store_first_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark);
static int ngx_http_ilert_store_next_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, ngx_http_ilert_store_idle_t *idle);
static ngx_http_ilert_store_idle_t *ngx_http_ilert_store_oldest_open(
    ngx_http_ilert_store_db_t *db);
static void ngx_http_ilert_store_read_idle(sqlite3_stmt *stmt,
    ngx_http_ilert_store_idle_t *idle);
static int ngx_http_ilert_store_forget_one(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, ngx_http_ilert_store_idle_t *idle,
    ngx_uint_t *n);


int
ngx_http_ilert_store_forget_old(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t rows)
{
    int         rc;
    ngx_uint_t  n, left;

    n = 0;
    left = rows;

    rc = ngx_http_ilert_store_forget_over(db, &db->old[0],
                                          job->now
                                          - NGX_HTTP_ILERT_STORE_OVER_TIME,
                                          &left, &n);

    /* those that are only passed over are not to be all that is done */

    if (n == 0) {
        left = rows;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_forget_open(db, &db->old[1], job->now
                                              - NGX_HTTP_ILERT_STORE_OPEN_TIME,
                                              &left, &job->silent);
    }

    job->more = (left == 0 && (n || job->silent || job->dropped));

    return rc;
}


int
ngx_http_ilert_store_forget_oldest(ngx_http_ilert_store_db_t *db,
    ngx_uint_t *n)
{
    int         rc;
    ngx_uint_t  rows;

    *n = 0;
    rows = NGX_HTTP_ILERT_STORE_ROWS;

    db->ncounts = 0;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_forget_over(db, &db->oldest[0], INT64_MAX,
                                              &rows, n);
    }

    if (*n == 0) {
        rows = NGX_HTTP_ILERT_STORE_ROWS;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_forget_open(db, &db->oldest[1], INT64_MAX,
                                              &rows, n);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_write_counts(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_COMMIT, "");
    }

    if (rc != SQLITE_OK) {
        ngx_http_ilert_store_rollback(db);
        *n = 0;
    }

    return rc;
}


/* resolved ones, whatever the epoch; "rows" are still to be gone through */

static int
ngx_http_ilert_store_forget_over(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n)
{
    int                           rc;
    sqlite3_stmt                 *stmt;
    ngx_http_ilert_store_idle_t   idle;

    while (*rows) {

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_OVER,
                                      &stmt, "ii", mark->time, mark->id);

        if (rc == SQLITE_OK) {
            ngx_http_ilert_store_read_idle(stmt, &idle);
            ngx_http_ilert_store_end(stmt);

        } else if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
            return rc;
        }

        if (rc == NGX_HTTP_ILERT_STORE_MISSING || idle.time >= before) {
            ngx_memzero(mark, sizeof(ngx_http_ilert_store_mark_t));
            return SQLITE_OK;
        }

        (*rows)--;

        rc = ngx_http_ilert_store_forget_one(db, mark, &idle, n);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/* those that ilert may show, the oldest ones of all sources first */

static int
ngx_http_ilert_store_forget_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n)
{
    int                           rc;
    ngx_http_ilert_store_idle_t  *idle;

    if (*rows == 0) {
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_first_open(db, mark);

    while (rc == SQLITE_OK && *rows) {

        idle = ngx_http_ilert_store_oldest_open(db);

        if (idle == NULL || idle->time >= before) {
            ngx_memzero(mark, sizeof(ngx_http_ilert_store_mark_t));
            return SQLITE_OK;
        }

        (*rows)--;

        rc = ngx_http_ilert_store_forget_one(db, mark, idle, n);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_next_open(db, mark, idle);
        }
    }

    return rc;
}


/* the first one after the mark of each source */

static int
ngx_http_ilert_store_first_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark)
{
    int                           rc;
    int64_t                       source;
    ngx_uint_t                    size;
    ngx_http_ilert_store_idle_t  *idle;

    db->nidle = 0;
    source = 0;

    for ( ;; ) {

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_AFTER_SOURCE,
                                      &source, "i", source);

        if (rc != SQLITE_OK) {
            return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
        }

        if (db->nidle == db->size_idle) {

            size = ngx_max(2 * db->size_idle, 16);

            idle = ngx_alloc(size * sizeof(ngx_http_ilert_store_idle_t),
                             ngx_cycle->log);
            if (idle == NULL) {
                return ngx_http_ilert_store_error(db,
                                                  NGX_HTTP_ILERT_STORE_NOMEM);
            }

            if (db->nidle) {
                ngx_memcpy(idle, db->idle,
                           db->nidle * sizeof(ngx_http_ilert_store_idle_t));
            }

            ngx_free(db->idle);

            db->idle = idle;
            db->size_idle = size;
        }

        idle = &db->idle[db->nidle++];
        idle->source = source;

        rc = ngx_http_ilert_store_next_open(db, mark, idle);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
}


/* the next one of the same source; its id is 0 if there is none */

static int
ngx_http_ilert_store_next_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, ngx_http_ilert_store_idle_t *idle)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_OPEN, &stmt,
                                  "iii", mark->time, mark->id, idle->source);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_idle(stmt, idle);
        ngx_http_ilert_store_end(stmt);

    } else if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        idle->id = 0;
        rc = SQLITE_OK;
    }

    return rc;
}


static ngx_http_ilert_store_idle_t *
ngx_http_ilert_store_oldest_open(ngx_http_ilert_store_db_t *db)
{
    ngx_uint_t                    i;
    ngx_http_ilert_store_idle_t  *idle, *oldest;

    oldest = NULL;

    for (i = 0; i < db->nidle; i++) {
        idle = &db->idle[i];

        if (idle->id
            && (oldest == NULL || idle->time < oldest->time
                || (idle->time == oldest->time && idle->id < oldest->id)))
        {
            oldest = idle;
        }
    }

    return oldest;
}


static void
ngx_http_ilert_store_read_idle(sqlite3_stmt *stmt,
    ngx_http_ilert_store_idle_t *idle)
{
    idle->id = sqlite3_column_int64(stmt, 0);
    idle->time = sqlite3_column_int64(stmt, 1);
    idle->source = sqlite3_column_int64(stmt, 2);
    idle->opened = (sqlite3_column_int64(stmt, 3) > 0);
    idle->dead = sqlite3_column_int(stmt, 4);
}


static int
ngx_http_ilert_store_forget_one(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_mark_t *mark, ngx_http_ilert_store_idle_t *idle,
    ngx_uint_t *n)
{
    int  rc;

    mark->time = idle->time;
    mark->id = idle->id;

    if (idle->dead) {
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_FORGET, "i",
                                   idle->id);

    if (rc == SQLITE_OK && idle->opened) {
        rc = ngx_http_ilert_store_count_open(db, idle->source, -1);
    }

    if (rc == SQLITE_OK) {
        (*n)++;
    }

    return rc;
}
