
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_db.h"


/* pages that there must be for the store to be no longer full */

#define NGX_HTTP_ILERT_STORE_MARGIN       64

/* milliseconds */

#define NGX_HTTP_ILERT_STORE_PAUSE        500
#define NGX_HTTP_ILERT_STORE_DAY          ((int64_t) 24 * 60 * 60 * 1000)
#define NGX_HTTP_ILERT_STORE_DEAD_TIME    (30 * NGX_HTTP_ILERT_STORE_DAY)

/* there is a "clean" each minute: if not, nobody has been listening */

#define NGX_HTTP_ILERT_STORE_ABSENCE      180000

/* transactions of a job that may make room by forgetting alerts */

#define NGX_HTTP_ILERT_STORE_PORTIONS     8

/* events that one job may release */

#define NGX_HTTP_ILERT_STORE_RELEASE      10000


static void ngx_http_ilert_store_reset(ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_pauses(int64_t since, int64_t now);
static void ngx_http_ilert_store_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_has_work(
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_lacks_size(
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static void ngx_http_ilert_store_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_store_has_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_store_waits(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_waits_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_waits_event(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_job(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_term(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_store_holds_lock(
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_begin(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_verdicts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_epoch(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_session(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t *unknown);
static int ngx_http_ilert_store_releases(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_clean(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_recount(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_accepts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_is_late(
    ngx_http_ilert_store_event_t *ev);
static void ngx_http_ilert_store_free(ngx_queue_t *events);


ngx_http_ilert_store_state_e
ngx_http_ilert_store_run(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                  pauses;
    ngx_queue_t                *q;
    ngx_http_ilert_store_db_t  *db;

    ngx_queue_init(&job->taken);
    ngx_queue_init(&job->buried);
    ngx_http_ilert_store_reset(job);

    job->forgotten = 0;

    db = ngx_http_ilert_store_create(store);

    if (db == NULL) {
        store->state = NGX_HTTP_ILERT_STORE_FAILED;
        sqlite3_snprintf(sizeof(store->error), store->error, "out of memory");
        store->asked = 0;
        return store->state;
    }

    pauses = (store->state != NGX_HTTP_ILERT_STORE_OK
              && ngx_http_ilert_store_pauses(db->failed, job->now));

    if (pauses && (db->blocked || ngx_queue_empty(&job->accepts))) {

        /* void: nothing is to be asked, or nobody can say */

    } else if (ngx_http_ilert_store_lock(store) == SQLITE_OK) {

        if (!pauses) {
            ngx_http_ilert_store_write(store, job);
        }

        if (!job->accepted) {
            ngx_http_ilert_store_waits(store, job);
        }

        ngx_http_ilert_store_unlock(store);

    } else {
        db->failed = job->now;
        store->asked = 0;
        ngx_http_ilert_store_report(store);
    }

    for (q = ngx_queue_head(&job->queries);
         q != ngx_queue_sentinel(&job->queries);
         q = ngx_queue_next(q))
    {
        ngx_http_ilert_store_answer(store, job, ngx_queue_data(q,
                                        ngx_http_ilert_store_query_t, queue));
    }

    ngx_http_ilert_store_verify(store, job->now);

    return store->state;
}


/* the outcome so far, whose events are not taken after all */

static void
ngx_http_ilert_store_reset(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;
    ngx_http_ilert_store_order_t  *order;

    ngx_http_ilert_store_free(&job->taken);
    ngx_http_ilert_store_free(&job->buried);

    job->due = 0;
    job->begun = 0;
    job->over = 0;
    job->fresh = 0;
    job->resolved = 0;
    job->coalesced = 0;
    job->expired = 0;
    job->dropped = 0;
    job->damaged = 0;
    job->silent = 0;
    job->more = 0;
    job->held = 0;
    job->moving = 0;
    job->noted = 0;
    job->accepted = 0;
    job->decided = 0;
    job->idle = 1;

    for (i = 0; i < job->ntakes; i++) {
        job->takes[i].taken = 0;
        job->takes[i].coalesced = 0;
        job->takes[i].expired = 0;
        job->takes[i].more = 0;
        job->takes[i].paused = 0;
    }

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);
        ev->coalesced = 0;
        ev->late = 0;
        ev->waits = NGX_HTTP_ILERT_STORE_CANNOT_SAY;
    }

    for (q = ngx_queue_head(&job->orders);
         q != ngx_queue_sentinel(&job->orders);
         q = ngx_queue_next(q))
    {
        order = ngx_queue_data(q, ngx_http_ilert_store_order_t, queue);

        order->count = 0;
        order->refused = 0;
        order->why = NULL;
        order->missing = 0;
        order->more = 0;
    }
}


/* a clock that was set back ends the pause */

static ngx_uint_t
ngx_http_ilert_store_pauses(int64_t since, int64_t now)
{
    return since && now >= since && now - since < NGX_HTTP_ILERT_STORE_PAUSE;
}


/*
 * If there is no room: with some alerts forgotten for which nothing waits,
 * if it is max_size that is reached; next without the accepts; next with the
 * ballast gone; next without the dead letters.
 */

static void
ngx_http_ilert_store_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    ngx_uint_t                  n, without;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    without = 0;

    if (db->db) {
        ngx_http_ilert_store_make_ballast(db, job->now);
    }

    if (store->state == NGX_HTTP_ILERT_STORE_FULL
        && ngx_http_ilert_store_pauses(db->full, job->now))
    {
        if (!ngx_http_ilert_store_has_work(job)) {
            job->decided = 1;
            return;
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;
    }

    rc = ngx_http_ilert_store_try(store, job, without);

    for (n = 0;
         n < NGX_HTTP_ILERT_STORE_PORTIONS && rc != SQLITE_OK && without == 0
         && ngx_http_ilert_store_lacks_size(store, job);
         n++)
    {
        rc = ngx_http_ilert_store_try(store, job, without);
    }

    if (rc != SQLITE_OK && ngx_http_ilert_store_is_full(db)) {

        if (without == 0 && !ngx_queue_empty(&job->accepts)) {
            db->full = job->now;
            ngx_http_ilert_store_report(store);
            ngx_http_ilert_store_doubt(store, NGX_HTTP_ILERT_STORE_WRITING,
                                       job->now);
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;

        ngx_http_ilert_store_make_room(db);
        rc = ngx_http_ilert_store_try(store, job, without);
    }

    if (rc != SQLITE_OK && ngx_http_ilert_store_is_full(db)) {
        without |= NGX_HTTP_ILERT_STORE_NO_DEAD;

        ngx_http_ilert_store_make_room(db);
        rc = ngx_http_ilert_store_try(store, job, without);
    }

    if (rc == SQLITE_OK) {
        db->failed = 0;
        db->blocked = 0;
        db->lost = 0;
        ngx_http_ilert_store_written(store, job, without);

    } else {
        db->failed = job->now;
        ngx_http_ilert_store_report(store);
        ngx_http_ilert_store_doubt(store, NGX_HTTP_ILERT_STORE_WRITING,
                                   job->now);
    }
}


/* there was no room within max_size for accepts, but now there is some */

static ngx_uint_t
ngx_http_ilert_store_lacks_size(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                  n, i;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (ngx_queue_empty(&job->accepts) || db->db == NULL
        || !ngx_http_ilert_store_is_full(db) || db->disk)
    {
        return 0;
    }

    /* some may only be passed over */

    for (i = 0; i < NGX_HTTP_ILERT_STORE_PORTIONS; i++) {

        if (ngx_http_ilert_store_forget_oldest(db, &n) != SQLITE_OK) {
            return 0;
        }

        if (n) {
            job->forgotten += n;
            return 1;
        }

        if (db->oldest[0].id == 0 && db->oldest[1].id == 0) {
            return 0;
        }
    }

    return 0;
}


/* beside accepts */

static ngx_uint_t
ngx_http_ilert_store_has_work(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->verdicts) || !ngx_queue_empty(&job->orders)
           || job->ntakes || job->nrelease || job->nhomes || job->begin
           || job->unknown || job->clean || job->probe || job->end;
}


/* a database that is found to be damaged is replaced, once in a job */

static int
ngx_http_ilert_store_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                         rc;
    ngx_uint_t                  n;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    rc = SQLITE_OK;

    for (n = 0; n < 2; n++) {

        rc = ngx_http_ilert_store_open(store, job->now);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_transaction(store, job, without);
        }

        if (rc == SQLITE_READONLY_DBMOVED) {
            ngx_http_ilert_store_close_file(db, 0);
            continue;
        }

        if (!ngx_http_ilert_store_is_damaged(rc)
            || ngx_http_ilert_store_aside(store, job->now) != SQLITE_OK)
        {
            break;
        }
    }

    return (rc == SQLITE_OK) ? rc : db->rc;
}


static void
ngx_http_ilert_store_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    job->decided = 1;
    job->accepted = (without == 0 || ngx_queue_empty(&job->accepts));

    if (ngx_queue_empty(&job->accepts)) {

        /* has not shown that there is room for one */

        if (store->state == NGX_HTTP_ILERT_STORE_FULL
            && (ngx_http_ilert_store_pauses(db->full, job->now)
                || !ngx_http_ilert_store_has_room(store, job)))
        {
            return;
        }

    } else if (!job->accepted) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
    db->full = 0;
    db->doubted[NGX_HTTP_ILERT_STORE_WRITING] = 0;
}


/* for as much as there was none for, and some more */

static ngx_uint_t
ngx_http_ilert_store_has_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int64_t                     need, pages, unused, max;
    ngx_uint_t                  n;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    max = store->max_size / NGX_HTTP_ILERT_STORE_PAGE;
    max -= ngx_http_ilert_store_reserve(max);

    need = db->size / NGX_HTTP_ILERT_STORE_PAGE
           + (max ? ngx_min(max / 16, NGX_HTTP_ILERT_STORE_MARGIN)
                  : NGX_HTTP_ILERT_STORE_MARGIN);

    if (ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_PAGES, &pages, "")
        != SQLITE_OK
        || ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_FREE_PAGES,
                                    &unused, "")
           != SQLITE_OK)
    {
        return 0;
    }

    if ((!db->low && (max == 0 || pages + need < max)) || unused >= need) {
        return 1;
    }

    /* no job makes room by itself while the state is "full": we do it */

    if (db->low || db->disk
        || ngx_http_ilert_store_forget_oldest(db, &n) != SQLITE_OK)
    {
        return 0;
    }

    job->forgotten += n;

    return ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_FREE_PAGES,
                                    &unused, "")
           == SQLITE_OK && unused >= need;
}


/*
 * With the mutex, and a lock of SQLite's: nobody is in the middle of a commit
 * that would only show later.  See store_ask.c.
 */

static void
ngx_http_ilert_store_waits(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    store->asked = 0;

    if (db->blocked) {
        return;
    }

    if (db->db && ngx_http_ilert_store_moved(db)) {
        ngx_http_ilert_store_close_file(db, 0);
        db->lost = 1;
    }

    if (db->db) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN, "");

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_waits_open(db, job);
            store->asked = (rc == SQLITE_OK);

            ngx_http_ilert_store_rollback(db);
        }

        if (rc < 0 || (rc & 0xff) != SQLITE_READONLY) {
            return;
        }

        /* this connection cannot lock the file: it is asked by another one */

        ngx_http_ilert_store_close_file(db, 1);
    }

    store->asked = ngx_http_ilert_store_ask(db, job);
}


static int
ngx_http_ilert_store_waits_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int           rc;
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        rc = ngx_http_ilert_store_waits_event(db, ngx_queue_data(q,
                                        ngx_http_ilert_store_event_t, queue));
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/* what waits of its alert, whichever source that has the key it is of */

static int
ngx_http_ilert_store_waits_event(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev)
{
    int                            rc;
    int64_t                        waits;
    ngx_str_t                     *key;
    ngx_http_ilert_store_ident_t   source;

    waits = 0;

    ngx_memzero(&source, sizeof(ngx_http_ilert_store_ident_t));

    key = ngx_http_ilert_store_fold(db, &ev->key);
    if (key == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = ngx_http_ilert_store_get_source(db, &ev->source, &source);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_BUDGET,
                                      &source.owner, "t", &ev->owner);
    }

    if (rc == SQLITE_OK && source.owner) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_WAITS_ALERT,
                                      &waits, "it", source.owner, key);
    }

    if ((rc == SQLITE_OK || rc == NGX_HTTP_ILERT_STORE_MISSING) && !waits) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_WAITS_OF_SOURCE,
                                      &waits, "it", source.id, key);
    }

    if ((rc == SQLITE_OK || rc == NGX_HTTP_ILERT_STORE_MISSING) && !waits) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_WAITS_STRAY,
                                      &waits, "t", key);
    }

    if (rc != SQLITE_OK && rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    ev->waits = waits ? NGX_HTTP_ILERT_STORE_WAITS
                      : NGX_HTTP_ILERT_STORE_NONE_WAITS;

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (store->state == NGX_HTTP_ILERT_STORE_OK
        && ngx_queue_empty(&job->accepts)
        && !ngx_http_ilert_store_has_work(job) && !db->lost)
    {
        return SQLITE_OK;
    }

    ngx_set_errno(0);

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_job(store, job, without);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_COMMIT,
                                           "");
        }
    }

    if (rc == SQLITE_OK) {
        return rc;
    }

    rc = db->rc;

    ngx_http_ilert_store_rollback(db);

    (void) sqlite3_step(db->stmts[NGX_HTTP_ILERT_STORE_LIMIT_ALL]);
    (void) sqlite3_reset(db->stmts[NGX_HTTP_ILERT_STORE_LIMIT_ALL]);

    ngx_http_ilert_store_reset(job);

    return rc;
}


static int
ngx_http_ilert_store_job(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    db->more = 0;
    db->taken = 0;
    db->due = 0;
    db->rows = NGX_HTTP_ILERT_STORE_ROWS;
    db->ncounts = 0;

    rc = ngx_http_ilert_store_epoch(store, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_term(db, job, without);

    if (rc == SQLITE_OK && !job->over && (job->begin || job->clean)) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_SEEN, "ii",
                                       job->now, (int64_t)
                                       NGX_HTTP_ILERT_STORE_ABSENCE);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    db->before = sqlite3_total_changes(db->db);

    ngx_http_ilert_store_budgets(job);

    if (!job->over) {
        rc = ngx_http_ilert_store_homes(db, job);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_releases(db, job);
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_verdicts(db, job, without);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_orders(db, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    /* dead letters are not to take the room of what waits */

    if ((job->clean && !job->over) || db->buried) {
        rc = ngx_http_ilert_store_clean(store, job);
        if (rc != SQLITE_OK) {
            return rc;
        }

        db->buried = 0;
    }

    if (!(without & NGX_HTTP_ILERT_STORE_NO_ACCEPTS)
        && !ngx_queue_empty(&job->accepts))
    {
        rc = ngx_http_ilert_store_accepts(db, job);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (!job->over) {
        rc = ngx_http_ilert_store_takes(db, job, without);
    }

    job->idle = (sqlite3_total_changes(db->db) == db->before);

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_write_counts(db) : rc;
}


/*
 * Whoever delivers has a number, and each one that begins a higher one.  It
 * may have stood still meanwhile, or be of another master: if the number is
 * not that of its job, it is not the one any longer.  This transaction is
 * where that is decided.
 */

static int
ngx_http_ilert_store_term(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int      rc;
    int64_t  courier;

    if (!job->begin && job->term == 0) {
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_COURIER,
                                  &courier, "");

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return ngx_http_ilert_store_error(db, SQLITE_CORRUPT);
    }

    if (rc != SQLITE_OK || (!job->begin && job->term == courier)) {
        return rc;
    }

    /* if the database is a new one, the courier that is there goes on */

    job->fresh = (courier == 0);

    if ((!job->begin && !job->fresh) || !ngx_http_ilert_store_holds_lock(job))
    {
        job->over = 1;
        return SQLITE_OK;
    }

    return ngx_http_ilert_store_begin(db, job, without);
}


static ngx_uint_t
ngx_http_ilert_store_holds_lock(ngx_http_ilert_store_job_t *job)
{
    ngx_file_info_t  fi;

    if (job->lock == NULL) {
        return 1;
    }

    return ngx_file_info(job->lock, &fi) != NGX_FILE_ERROR
           && fi.st_dev == job->lock_device && fi.st_ino == job->lock_inode;
}


/* what had been taken may have been sent, and is sent again */

static int
ngx_http_ilert_store_begin(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_COURIER, "i",
                                   job->now);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_COURIER,
                                      &job->begun, "");
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN_TAKEN,
                                       "");
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN_SLOTS,
                                       "i", job->now);
    }

    /* in a new database the numbers of events mean other events */

    if (rc == SQLITE_OK && !job->fresh) {
        rc = ngx_http_ilert_store_bury(db, job, without);
    }

    return rc;
}


static int
ngx_http_ilert_store_verdicts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                            rc;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    for (q = ngx_queue_head(&job->verdicts);
         q != ngx_queue_sentinel(&job->verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        ngx_http_ilert_store_mark_event(job, ev->seq);

        rc = ngx_http_ilert_store_verdict(db, job, ev, without);

        ngx_http_ilert_store_mark_event(job, 0);

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/* what is known of ilert is of an epoch; another one, and nothing is known */

static int
ngx_http_ilert_store_epoch(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    ngx_uint_t                  unknown;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    unknown = (job->unknown || db->lost);

    rc = ngx_http_ilert_store_session(db, job, &unknown);

    if (rc == SQLITE_OK && unknown) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_EPOCH,
                                       "");
    }

    if (rc == SQLITE_OK
        && (job->probe || store->state != NGX_HTTP_ILERT_STORE_OK))
    {
        /*
         * to know that writing works there must be something to write, and
         * SQLite does not write what is the same
         */

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_RECOVERED,
                                       "i", job->now);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_EPOCH,
                                      &db->epoch, "");
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return ngx_http_ilert_store_error(db, SQLITE_CORRUPT);
    }

    return rc;
}


/*
 * Relays are noted in memory that ends with nginx, until a job tells the store
 * of them.  So each nginx has a row as long as it may know of such relays: its
 * first job makes it, and its last one removes it if the store has been told
 * of all.  If the first job finds the row of another nginx, that one is
 * running, as during an upgrade, or has ended without having told: nothing is
 * known then, and the row is removed.  An nginx whose row has been removed
 * makes it again, and beside that of the other one.
 */

static int
ngx_http_ilert_store_session(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t *unknown)
{
    int      rc;
    int64_t  found;

    if (job->session == 0) {
        return SQLITE_OK;
    }

    if (job->end) {
        return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_END_SESSION,
                                         "i", job->session);
    }

    job->noted = 1;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_HAS_SESSION, &found,
                                  "i", job->session);

    if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    rc = SQLITE_OK;
    *unknown |= job->registered;

    if (!job->registered) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_END_SESSIONS,
                                       "");
        *unknown |= (sqlite3_changes(db->db) != 0);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_SESSION,
                                       "i", job->session);
    }

    return rc;
}


static int
ngx_http_ilert_store_releases(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int         rc;
    int64_t     source;
    ngx_uint_t  i;

    for (i = 0; i < job->nrelease; i++) {

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_SOURCE,
                                      &source, "t", &job->release[i]);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            continue;
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_exec(db,
                                           NGX_HTTP_ILERT_STORE_SET_RELEASED,
                                           "ii", source, (int64_t)
                                           NGX_HTTP_ILERT_STORE_RELEASE);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        if (sqlite3_changes(db->db) == NGX_HTTP_ILERT_STORE_RELEASE) {
            job->held = 1;
        }
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_clean(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    int64_t                     seq, died, size, bytes;
    ngx_uint_t                  rows;
    sqlite3_stmt               *stmt;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    stmt = db->stmts[NGX_HTTP_ILERT_STORE_OLDEST_DEAD];

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_DEAD_BYTES, &bytes,
                                  "");
    if (rc != SQLITE_OK) {
        return rc;
    }

    for (rows = NGX_HTTP_ILERT_STORE_ROWS; rows; rows--) {

        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            rc = ngx_http_ilert_store_error(db, rc);
            (void) sqlite3_reset(stmt);
            return rc;
        }

        seq = sqlite3_column_int64(stmt, 0);
        died = sqlite3_column_int64(stmt, 1);
        size = sqlite3_column_int64(stmt, 2);

        (void) sqlite3_reset(stmt);

        if (rc == SQLITE_DONE
            || (died > job->now - NGX_HTTP_ILERT_STORE_DEAD_TIME
                && (store->max_size == 0 || bytes <= store->max_size / 4)))
        {
            break;
        }

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_DEAD,
                                       "i", seq);
        if (rc != SQLITE_OK) {
            return rc;
        }

        bytes -= size;
        job->dropped++;
    }

    rc = ngx_http_ilert_store_forget_old(db, job, rows);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_recount(db);
    if (rc != SQLITE_OK) {
        return rc;
    }

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_FORGET_SLOTS,
                                     "ii", job->now
                                     - NGX_HTTP_ILERT_STORE_WINDOW,
                                     (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
}


/*
 * The counts of waiting events are put right where that costs little: with
 * a shell one can remove events, and a process of an earlier release does not
 * count.
 */

static int
ngx_http_ilert_store_recount(ngx_http_ilert_store_db_t *db)
{
    int  rc;

    rc = ngx_http_ilert_store_write_counts(db);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db,
                                      NGX_HTTP_ILERT_STORE_RECOUNT_SOURCES,
                                      "i", (int64_t)
                                      NGX_HTTP_ILERT_STORE_ROWS);
        db->before += sqlite3_changes(db->db);
    }

    return rc;
}


static int
ngx_http_ilert_store_accepts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int                            rc;
    int64_t                        pages;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    db->size = 0;

    rc = ngx_http_ilert_store_get(db, db->low
                                      ? NGX_HTTP_ILERT_STORE_LIMIT_SIZE
                                      : NGX_HTTP_ILERT_STORE_LIMIT_ACCEPTS,
                                  &pages, "");

    for (q = ngx_queue_head(&job->accepts);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        ev->late = ngx_http_ilert_store_is_late(ev);

        if (ev->late) {
            continue;
        }

        db->size += ev->body.len;

        rc = ngx_http_ilert_store_accept(db, ev, job->now);

        job->coalesced += ev->coalesced;
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    return ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_LIMIT_ALL,
                                    &pages, "");
}


/*
 * With the locks, which stay ours until the commit has ended: if the webhook
 * is answered only now, whoever handles the next event of the alert has to
 * wait for them.  If it has been answered, or Kapacitor does not wait for the
 * answer any longer as this process has stood still, the next one may be on
 * its way, or at ilert.
 */

static ngx_uint_t
ngx_http_ilert_store_is_late(ngx_http_ilert_store_event_t *ev)
{
    return ev->withdrawn
           || (ev->deadline && ngx_http_ilert_clock_msec() >= ev->deadline);
}


static void
ngx_http_ilert_store_free(ngx_queue_t *events)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(events)) {
        q = ngx_queue_head(events);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_ilert_store_event_t, queue));
    }
}


ngx_int_t
ngx_http_ilert_store_next_source(ngx_http_ilert_store_t *store,
    ngx_str_t *name, size_t size)
{
    int                         rc;
    ngx_int_t                   ret;
    ngx_str_t                   after;
    sqlite3_stmt               *stmt;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db == NULL || db->db == NULL) {
        return NGX_DECLINED;
    }

    after = *name;
    ret = NGX_DECLINED;
    stmt = db->stmts[NGX_HTTP_ILERT_STORE_NEXT_SOURCE];

    db->deadline = ngx_http_ilert_clock_msec()
                   + NGX_HTTP_ILERT_STORE_LOCK_TIME;

    sqlite3_bind_text(stmt, 1, after.len ? (char *) after.data : "",
                      after.len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, size);

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        name->len = sqlite3_column_bytes(stmt, 0);
        ngx_memcpy(name->data, sqlite3_column_text(stmt, 0), name->len);
        ret = NGX_OK;
    }

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return ret;
}


ngx_http_ilert_store_event_t *
ngx_http_ilert_store_event(size_t source, size_t key, size_t body)
{
    u_char                        *p;
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_alloc(sizeof(ngx_http_ilert_store_event_t) + source + key + body,
                   ngx_cycle->log);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memzero(ev, sizeof(ngx_http_ilert_store_event_t));

    p = (u_char *) ev + sizeof(ngx_http_ilert_store_event_t);

    ev->source.data = p;
    ev->source.len = source;

    ev->key.data = p + source;
    ev->key.len = key;

    ev->body.data = p + source + key;
    ev->body.len = body;

    return ev;
}


void
ngx_http_ilert_store_close(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db == NULL) {
        return;
    }

    (void) ngx_http_ilert_store_lock(store);

    ngx_http_ilert_store_close_file(db, 0);

    ngx_http_ilert_store_unlock(store);

    ngx_free(db->candidates);
    ngx_free(db->idle);
    ngx_free(db->key.data);
    ngx_free(db);

    store->private = NULL;
    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
}
