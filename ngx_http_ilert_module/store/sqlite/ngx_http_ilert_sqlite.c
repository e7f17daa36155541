
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/* pages that must be free beside the room that is asked for */

#define NGX_HTTP_ILERT_SQLITE_MARGIN  64


static ngx_int_t ngx_http_ilert_sqlite_lock(ngx_http_ilert_store_t *store);
static ngx_int_t ngx_http_ilert_sqlite_open_store(
    ngx_http_ilert_store_t *store, int64_t now);
static void ngx_http_ilert_sqlite_close(ngx_http_ilert_store_t *store);
static ngx_int_t ngx_http_ilert_sqlite_begin(
    ngx_http_ilert_store_work_t *work);
static int ngx_http_ilert_sqlite_read_total(ngx_http_ilert_store_work_t *work);
static ngx_int_t ngx_http_ilert_sqlite_numbers(
    ngx_http_ilert_store_work_t *work);
static int64_t ngx_http_ilert_sqlite_after(int64_t last);
static ngx_int_t ngx_http_ilert_sqlite_commit(
    ngx_http_ilert_store_work_t *work);
static void ngx_http_ilert_sqlite_rollback(ngx_http_ilert_store_work_t *work);
static ngx_int_t ngx_http_ilert_sqlite_size(ngx_http_ilert_store_work_t *work,
    int64_t *bytes);
static int ngx_http_ilert_sqlite_pages(ngx_http_ilert_sqlite_db_t *db,
    int64_t *pages, int64_t *unused);
static ngx_uint_t ngx_http_ilert_sqlite_has_room(ngx_http_ilert_store_t *store,
    size_t size);
static ngx_uint_t ngx_http_ilert_sqlite_mend(ngx_http_ilert_store_t *store,
    int64_t now);
static void ngx_http_ilert_sqlite_give(ngx_http_ilert_store_t *store);
static ngx_uint_t ngx_http_ilert_sqlite_lead(ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_sqlite_next_source(
    ngx_http_ilert_store_t *store, ngx_str_t *name, size_t size);


ngx_http_ilert_backend_t  ngx_http_ilert_sqlite = {
    .lock = ngx_http_ilert_sqlite_lock,
    .unlock = ngx_http_ilert_sqlite_unlock,
    .open = ngx_http_ilert_sqlite_open_store,
    .close = ngx_http_ilert_sqlite_close,

    .begin = ngx_http_ilert_sqlite_begin,
    .numbers = ngx_http_ilert_sqlite_numbers,
    .commit = ngx_http_ilert_sqlite_commit,
    .rollback = ngx_http_ilert_sqlite_rollback,

    .source = ngx_http_ilert_sqlite_source,
    .fund = ngx_http_ilert_sqlite_fund,
    .slots = ngx_http_ilert_sqlite_slots,
    .alert = ngx_http_ilert_sqlite_alert,
    .alert_of_id = ngx_http_ilert_sqlite_alert_of_id,
    .edges = ngx_http_ilert_sqlite_edges,

    .save = ngx_http_ilert_sqlite_save,

    .alerts = ngx_http_ilert_sqlite_alerts,
    .events = ngx_http_ilert_sqlite_events,
    .count = ngx_http_ilert_sqlite_count,
    .next_waiting = ngx_http_ilert_sqlite_next_waiting,
    .alert_of_head = ngx_http_ilert_sqlite_alert_of_head,
    .move = ngx_http_ilert_sqlite_move,
    .others = ngx_http_ilert_sqlite_others,
    .letters = ngx_http_ilert_sqlite_letters,
    .refused = ngx_http_ilert_sqlite_refused,
    .heard = ngx_http_ilert_sqlite_heard,
    .heard_of = ngx_http_ilert_sqlite_heard_of,
    .topics = ngx_http_ilert_sqlite_topics,
    .silences = ngx_http_ilert_sqlite_silences,
    .digests = ngx_http_ilert_sqlite_digests,
    .bad = ngx_http_ilert_sqlite_bad,
    .sources = ngx_http_ilert_sqlite_sources,
    .oldest = ngx_http_ilert_sqlite_oldest,
    .due = ngx_http_ilert_sqlite_due,
    .retries = ngx_http_ilert_sqlite_retries,

    .tidy = ngx_http_ilert_sqlite_tidy,
    .size = ngx_http_ilert_sqlite_size,
    .has_room = ngx_http_ilert_sqlite_has_room,

    .mend = ngx_http_ilert_sqlite_mend,
    .give = ngx_http_ilert_sqlite_give,
    .report = ngx_http_ilert_sqlite_report,
    .no_memory = ngx_http_ilert_sqlite_no_memory,
    .trust = ngx_http_ilert_sqlite_trust,
    .verify = ngx_http_ilert_sqlite_verify,
    .ask = ngx_http_ilert_sqlite_ask,

    .lead = ngx_http_ilert_sqlite_lead,
    .next_source = ngx_http_ilert_sqlite_next_source
};


static ngx_int_t
ngx_http_ilert_sqlite_lock(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = ngx_http_ilert_sqlite_create(store);

    if (db == NULL) {
        store->fault = NGX_HTTP_ILERT_STORE_OTHER;
        return NGX_ERROR;
    }

    db->ballasted = 0;

    return ngx_http_ilert_sqlite_result(ngx_http_ilert_sqlite_take_mutex(db));
}


/* Checks the ballast, once while we have the lock, and opens the database. */

static ngx_int_t
ngx_http_ilert_sqlite_open_store(ngx_http_ilert_store_t *store, int64_t now)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db->db && !db->ballasted) {
        ngx_http_ilert_sqlite_make_ballast(db, now);
    }

    db->ballasted = 1;

    rc = ngx_http_ilert_sqlite_open(db, now);

    return ngx_http_ilert_sqlite_result(rc);
}


static void
ngx_http_ilert_sqlite_close(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    (void) ngx_http_ilert_sqlite_take_mutex(db);

    ngx_http_ilert_sqlite_close_file(db, 0);

    ngx_http_ilert_sqlite_unlock(store);

    ngx_free(db);

    store->private = NULL;
}


static ngx_int_t
ngx_http_ilert_sqlite_begin(ngx_http_ilert_store_work_t *work)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (work->reading) {
        db->deadline = ngx_http_ilert_clock_msec()
                       + NGX_HTTP_ILERT_SQLITE_QUERY_TIME;

    } else if (ngx_http_ilert_sqlite_open_store(work->store, work->now)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_set_errno(0);

    rc = ngx_http_ilert_sqlite_exec(db, work->reading
                                        ? NGX_HTTP_ILERT_SQLITE_BEGIN_READ
                                        : NGX_HTTP_ILERT_SQLITE_BEGIN,
                                    "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_read_total(work);

        if (rc != SQLITE_OK) {
            ngx_http_ilert_sqlite_rollback(work);
        }
    }

    return ngx_http_ilert_sqlite_result(rc);
}


static int
ngx_http_ilert_sqlite_read_total(ngx_http_ilert_store_work_t *work)
{
    int                            rc, i;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_sqlite_db_t    *db;
    ngx_http_ilert_store_total_t  *total;

    db = work->store->private;
    total = &work->total;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_TOTAL, &stmt,
                                   "i", work->session);

    if (rc != SQLITE_OK) {
        return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
               ? ngx_http_ilert_sqlite_error(db, SQLITE_CORRUPT) : rc;
    }

    /* the columns are in the order of the statement */

    i = 0;

    total->epoch = sqlite3_column_int64(stmt, i++);
    total->recovered = sqlite3_column_int64(stmt, i++);
    total->seen = sqlite3_column_int64(stmt, i++);
    total->resumed = sqlite3_column_int64(stmt, i++);
    total->courier = sqlite3_column_int64(stmt, i++);
    total->made = sqlite3_column_int64(stmt, i++);
    total->yielded = sqlite3_column_int64(stmt, i++);
    total->doubted = sqlite3_column_int64(stmt, i++);
    total->dead_bytes = sqlite3_column_int64(stmt, i++);
    total->refused = sqlite3_column_int64(stmt, i++);
    total->refused_bytes = sqlite3_column_int64(stmt, i++);
    total->silences = sqlite3_column_int64(stmt, i++);
    total->digests = sqlite3_column_int64(stmt, i++);

    work->has_session = sqlite3_column_int(stmt, i++);
    work->others = sqlite3_column_int(stmt, i++);

    /* the seq of an event is never used again, even if no event is left */

    work->next_seq = ngx_http_ilert_sqlite_after(
                                            sqlite3_column_int64(stmt, i++));
    work->next_alert = ngx_http_ilert_sqlite_after(
                                            sqlite3_column_int64(stmt, i++));

    ngx_http_ilert_sqlite_end(stmt);

    work->saved = work->total;

    return SQLITE_OK;
}


static ngx_int_t
ngx_http_ilert_sqlite_numbers(ngx_http_ilert_store_work_t *work)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_sqlite_row(work->store->private,
                                   NGX_HTTP_ILERT_SQLITE_GET_NUMBERS, &stmt,
                                   "");

    if (rc == SQLITE_OK) {
        work->next_source = ngx_http_ilert_sqlite_after(
                                            sqlite3_column_int64(stmt, 0));
        work->next_budget = ngx_http_ilert_sqlite_after(
                                            sqlite3_column_int64(stmt, 1));

        ngx_http_ilert_sqlite_end(stmt);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


/*
 * Returns the next number, which cannot overflow.  save() refuses a seq that
 * is too large.
 */

static int64_t
ngx_http_ilert_sqlite_after(int64_t last)
{
    last = ngx_max(last, 0);

    return ngx_min(last, NGX_HTTP_ILERT_SQLITE_LAST_SEQ) + 1;
}


static ngx_int_t
ngx_http_ilert_sqlite_commit(ngx_http_ilert_store_work_t *work)
{
    return ngx_http_ilert_sqlite_result(
                          ngx_http_ilert_sqlite_exec(work->store->private,
                                              NGX_HTTP_ILERT_SQLITE_COMMIT,
                                              ""));
}


/*
 * SQLite may have rolled back already.  Errors are ignored, since the last
 * error, which led here, must be kept.
 */

static void
ngx_http_ilert_sqlite_rollback(ngx_http_ilert_store_work_t *work)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    if (!sqlite3_get_autocommit(db->db)) {
        (void) sqlite3_step(db->stmts[NGX_HTTP_ILERT_SQLITE_ROLLBACK]);
        (void) sqlite3_reset(db->stmts[NGX_HTTP_ILERT_SQLITE_ROLLBACK]);
    }
}


/* Free pages do not count, since they will be used again. */

static ngx_int_t
ngx_http_ilert_sqlite_size(ngx_http_ilert_store_work_t *work, int64_t *bytes)
{
    int      rc;
    int64_t  pages, unused;

    rc = ngx_http_ilert_sqlite_pages(work->store->private, &pages, &unused);

    *bytes = (rc == SQLITE_OK)
             ? (pages - unused) * NGX_HTTP_ILERT_SQLITE_PAGE : 0;

    return ngx_http_ilert_sqlite_result(rc);
}


static int
ngx_http_ilert_sqlite_pages(ngx_http_ilert_sqlite_db_t *db, int64_t *pages,
    int64_t *unused)
{
    int  rc;

    rc = ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_PAGES, pages, "");

    return (rc == SQLITE_OK)
           ? ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_FREE_PAGES,
                                       unused, "")
           : rc;
}


static ngx_uint_t
ngx_http_ilert_sqlite_has_room(ngx_http_ilert_store_t *store, size_t size)
{
    int64_t                      need, pages, unused, max;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    max = store->max_size / NGX_HTTP_ILERT_SQLITE_PAGE;
    max -= ngx_http_ilert_sqlite_reserve(max);

    need = size / NGX_HTTP_ILERT_SQLITE_PAGE
           + (max ? ngx_min(max / 16, NGX_HTTP_ILERT_SQLITE_MARGIN)
                  : NGX_HTTP_ILERT_SQLITE_MARGIN);

    if (ngx_http_ilert_sqlite_pages(db, &pages, &unused) != SQLITE_OK) {
        return 0;
    }

    return (!db->low && (max == 0 || pages + need < max)) || unused >= need;
}


static ngx_uint_t
ngx_http_ilert_sqlite_mend(ngx_http_ilert_store_t *store, int64_t now)
{
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db->rc == SQLITE_READONLY_DBMOVED) {
        ngx_http_ilert_sqlite_close_file(db, 0);
        return 1;
    }

    return ngx_http_ilert_sqlite_is_damaged(db->rc)
           && ngx_http_ilert_sqlite_aside(db, now) == SQLITE_OK;
}


static void
ngx_http_ilert_sqlite_give(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_sqlite_make_room(store->private);
}


/*
 * Compares the lock that the courier holds with the file that has its name
 * now.
 */

static ngx_uint_t
ngx_http_ilert_sqlite_lead(ngx_http_ilert_store_job_t *job)
{
    ngx_file_info_t  fi;

    if (job->lock == NULL) {
        return 1;
    }

    return ngx_file_info(job->lock, &fi) != NGX_FILE_ERROR
           && fi.st_dev == job->lock_device && fi.st_ino == job->lock_inode;
}


static ngx_int_t
ngx_http_ilert_sqlite_next_source(ngx_http_ilert_store_t *store,
    ngx_str_t *name, size_t size)
{
    int                          rc;
    ngx_str_t                    after, next;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    after = *name;

    db->deadline = ngx_http_ilert_clock_msec()
                   + NGX_HTTP_ILERT_SQLITE_LOCK_TIME;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_NEXT_SOURCE,
                                   &stmt, "ti", &after, (int64_t) size);
    if (rc != SQLITE_OK) {
        return NGX_DECLINED;
    }

    ngx_http_ilert_sqlite_text(stmt, 0, &next);

    name->len = next.len;
    ngx_memcpy(name->data, next.data, next.len);

    ngx_http_ilert_sqlite_end(stmt);

    return NGX_OK;
}
