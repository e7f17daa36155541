
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * A job is one transaction.  What it names is loaded, what becomes of it is
 * decided in memory, and what has changed is saved:
 *
 *     epoch      does what is known of ilert still hold?
 *     term       is the job's courier still the one that delivers?
 *     homes      alerts are moved to the keys that they belong to
 *     verdicts   taken events get their verdicts, which makes room
 *     orders     operators' orders are carried out
 *     clean      what is too old is forgotten
 *     notes      what the mapping has ignored is remembered
 *     accepts    new events are accepted, in the order in which they came
 *     looks      what Kapacitor knows is compared with what was heard
 *     takes      the events that go next are taken, of all that was saved
 *     refused    refused webhooks are kept, in another transaction
 *     queries    queries are answered, with what is on disk after all that
 *
 * Invariants:
 *
 *     1  All of a job is done, or nothing, with two exceptions.  If there is
 *        no room, the job is tried again without its accepts, and then without
 *        new dead letters, so that verdicts are kept whatever happens.
 *     2  If an event is answered as accepted, it is on disk.  If it is not on
 *        disk after its job, since the job has failed, or since the event was
 *        late or withdrawn, it will never be.
 *     3  Only one courier takes an event, since the courier's number is
 *        compared in the transaction that takes.
 *     4  A job goes through a bounded number of records.
 *     5  Whenever accepts fail, "waits" says whether events of their alerts
 *        wait, or that this is not known: a relay must not pass such an event.
 */


/* ms after an error in which nothing is written */

#define NGX_HTTP_ILERT_STORE_RETRY_TIME   500

/* ms: how exact the time is when there was a courier last, if there is work */

#define NGX_HTTP_ILERT_STORE_SEEN         1000

/* how often one job may make room by forgetting alerts */

#define NGX_HTTP_ILERT_STORE_PORTIONS     8

/* alerts that one job may release, in portions of .._ROWS */

#define NGX_HTTP_ILERT_STORE_RELEASE      10000


static void ngx_http_ilert_job_reset(ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_job_pauses(int64_t since, int64_t now);
static void ngx_http_ilert_job_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_job_failed(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_job_is_full(ngx_http_ilert_store_t *store);
static ngx_uint_t ngx_http_ilert_job_makes_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_job_has_work(ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_job_has_news(ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static void ngx_http_ilert_job_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_job_has_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_int_t ngx_http_ilert_job_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_int_t ngx_http_ilert_job_seen(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_releases(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_release(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t *more);
static ngx_int_t ngx_http_ilert_job_verdicts(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_uint_t without);
static ngx_int_t ngx_http_ilert_job_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);
static ngx_int_t ngx_http_ilert_job_clean(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_accepts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_job_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev);
static ngx_uint_t ngx_http_ilert_job_is_late(ngx_http_ilert_store_event_t *ev);
static void ngx_http_ilert_job_free(ngx_queue_t *events);


ngx_http_ilert_store_state_e
ngx_http_ilert_store_run(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t    pauses;
    ngx_queue_t  *q;

    ngx_queue_init(&job->taken);
    ngx_queue_init(&job->buried);
    ngx_http_ilert_job_reset(job);

    job->forgotten = 0;
    job->evicted = 0;
    job->kept = 0;

    pauses = (store->state != NGX_HTTP_ILERT_STORE_OK
              && ngx_http_ilert_job_pauses(store->failed, job->now));

    if (pauses && (store->blocked || ngx_queue_empty(&job->accepts))) {

        /*
         * void: there is nothing to find out, or another process has the lock,
         * and all accepts keep CANNOT_SAY
         */

    } else if (store->backend->lock(store) == NGX_OK) {

        if (!pauses) {
            ngx_http_ilert_job_write(store, job);
        }

        if (!job->accepted) {
            ngx_http_ilert_waits_find(store, job);
        }

        ngx_http_ilert_refused_keep(store, job);

        store->backend->unlock(store);

    } else {
        store->asked = 0;
        ngx_http_ilert_job_failed(store, job);
    }

    for (q = ngx_queue_head(&job->queries);
         q != ngx_queue_sentinel(&job->queries);
         q = ngx_queue_next(q))
    {
        ngx_http_ilert_query_answer(store, job, ngx_queue_data(q,
                                        ngx_http_ilert_store_query_t, queue));
    }

    store->backend->verify(store, job->now);

    return store->state;
}


/* Clears the outcome of a transaction that has failed. */

static void
ngx_http_ilert_job_reset(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;
    ngx_http_ilert_store_order_t  *order;

    ngx_http_ilert_job_free(&job->taken);
    ngx_http_ilert_job_free(&job->buried);

    job->due = 0;
    job->begun = 0;
    job->away = 0;
    job->over = 0;
    job->fresh = 0;
    job->made = 0;
    job->resolved = 0;
    job->coalesced = 0;
    job->expired = 0;
    job->dropped = 0;
    job->damaged = 0;
    job->lapsed = 0;
    job->silent = 0;
    job->more = 0;
    job->releasing = 0;
    job->moving = 0;
    job->noted = 0;
    job->accepted = 0;
    job->decided = 0;
    job->idle = 1;

    for (i = 0; i < job->ntakes; i++) {
        job->takes[i].taken = 0;
        job->takes[i].coalesced = 0;
        job->takes[i].expired = 0;
        job->takes[i].silenced = 0;
        job->takes[i].more = 0;
        job->takes[i].paused = 0;
    }

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);
        ev->coalesced = 0;
        ev->silenced = 0;
        ev->late = 0;
        ev->news = NGX_HTTP_ILERT_STORE_NEWS;
        ev->clash_len = 0;
        ev->topic = 0;
        ev->waits = NGX_HTTP_ILERT_STORE_CANNOT_SAY;
    }

    for (q = ngx_queue_head(&job->verdicts);
         q != ngx_queue_sentinel(&job->verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);
        ev->frees = 0;
        ev->kept = 0;
        ev->parks = 0;
        ev->doubtful = 0;
        ev->returned = 0;
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

    ngx_http_ilert_look_reset(job);
}


/*
 * Returns 1 if the error of the time "since" happened so shortly ago that
 * nothing is written.  If the clock was set back, writing is tried at once.
 */

static ngx_uint_t
ngx_http_ilert_job_pauses(int64_t since, int64_t now)
{
    return since && now >= since
           && now - since < NGX_HTTP_ILERT_STORE_RETRY_TIME;
}


/*
 * Writes all of the job.  If there is no room for it, these are tried one
 * after the other: to forget some alerts for which nothing waits, if max_size
 * is reached; to leave out the accepts; to use the backend's reserve; and to
 * leave out new dead letters.
 */

static void
ngx_http_ilert_job_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t   rc;
    ngx_uint_t  n, without;

    without = 0;

    if (store->state == NGX_HTTP_ILERT_STORE_FULL
        && ngx_http_ilert_job_pauses(store->full, job->now))
    {
        if (!ngx_http_ilert_job_has_work(job)) {
            job->decided = 1;
            return;
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;
    }

    rc = ngx_http_ilert_job_try(store, job, without);

    for (n = 0;
         n < NGX_HTTP_ILERT_STORE_PORTIONS && rc != NGX_OK && without == 0
         && ngx_http_ilert_job_makes_room(store, job);
         n++)
    {
        rc = ngx_http_ilert_job_try(store, job, without);
    }

    if (rc != NGX_OK && ngx_http_ilert_job_is_full(store)) {

        if (without == 0 && !ngx_queue_empty(&job->accepts)) {
            store->full = job->now;
            store->backend->report(store);
            store->backend->trust(store, 0, NGX_ERROR, job->now);
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;

        store->backend->give(store);
        rc = ngx_http_ilert_job_try(store, job, without);
    }

    if (rc != NGX_OK && ngx_http_ilert_job_is_full(store)) {
        without |= NGX_HTTP_ILERT_STORE_NO_DEAD;

        store->backend->give(store);
        rc = ngx_http_ilert_job_try(store, job, without);
    }

    if (rc == NGX_OK) {
        store->failed = 0;
        store->blocked = 0;
        store->lost = 0;
        ngx_http_ilert_job_written(store, job, without);

    } else {
        ngx_http_ilert_job_failed(store, job);
        store->backend->trust(store, 0, NGX_ERROR, job->now);
    }
}


/* Notes that nothing could be written. */

static void
ngx_http_ilert_job_failed(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    store->failed = job->now;
    store->blocked = (store->fault == NGX_HTTP_ILERT_STORE_BLOCKED);
    store->backend->report(store);
}


static ngx_uint_t
ngx_http_ilert_job_is_full(ngx_http_ilert_store_t *store)
{
    return store->fault == NGX_HTTP_ILERT_STORE_NO_SIZE
           || store->fault == NGX_HTTP_ILERT_STORE_NO_DISK;
}


/*
 * Forgets alerts if there was no room for accepts within max_size.  Returns 1
 * if some are forgotten, so that the job can be tried again.
 */

static ngx_uint_t
ngx_http_ilert_job_makes_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    if (ngx_queue_empty(&job->accepts) || !store->open
        || store->fault != NGX_HTTP_ILERT_STORE_NO_SIZE)
    {
        return 0;
    }

    /* a portion may have only alerts that cannot be forgotten */

    for (i = 0; i < NGX_HTTP_ILERT_STORE_PORTIONS; i++) {

        if (ngx_http_ilert_forget_oldest(store, job)) {
            return 1;
        }

        if (store->oldest[0].id == 0 && store->oldest[1].id == 0) {
            break;
        }
    }

    return 0;
}


/* Returns 1 if the job has anything to write beside accepts. */

static ngx_uint_t
ngx_http_ilert_job_has_work(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->verdicts) || !ngx_queue_empty(&job->orders)
           || job->ntakes || job->nrelease || job->nhomes || job->begin
           || job->unknown || job->clean || job->prove || job->end;
}


/*
 * Returns 1 if the job has accepts, notes, or looks: all of these are left out
 * if there is no room for accepts.
 */

static ngx_uint_t
ngx_http_ilert_job_has_news(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->accepts) || !ngx_queue_empty(&job->notes)
           || !ngx_queue_empty(&job->looks);
}


/*
 * Runs the transaction, and runs it once more if the database was damaged and
 * has been replaced.
 */

static ngx_int_t
ngx_http_ilert_job_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_int_t  rc;

    rc = ngx_http_ilert_job_transaction(store, job, without);

    if (rc != NGX_OK && store->backend->mend(store, job->now)) {
        rc = ngx_http_ilert_job_transaction(store, job, without);
    }

    return rc;
}


static void
ngx_http_ilert_job_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    job->decided = 1;
    job->accepted = (without == 0 || ngx_queue_empty(&job->accepts));

    ngx_http_ilert_budget_end(job);

    if (without == 0) {
        ngx_http_ilert_look_done(job);
    }

    if (ngx_queue_empty(&job->accepts)) {

        /*
         * A job without accepts does not show that there is room for one, so
         * the state stays FULL until there is.
         */

        if (store->state == NGX_HTTP_ILERT_STORE_FULL
            && (ngx_http_ilert_job_pauses(store->full, job->now)
                || !ngx_http_ilert_job_has_room(store, job)))
        {
            return;
        }

    } else if (!job->accepted) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
    store->full = 0;
    store->backend->trust(store, 0, NGX_OK, job->now);
}


/*
 * Returns 1 if there is room for accepts again.  While the state is FULL, jobs
 * are written without accepts and so never make room: it is made here.
 */

static ngx_uint_t
ngx_http_ilert_job_has_room(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    if (store->backend->has_room(store, store->size)) {
        return 1;
    }

    if (store->fault != NGX_HTTP_ILERT_STORE_NO_SIZE) {
        return 0;
    }

    return ngx_http_ilert_forget_oldest(store, job)
           && store->backend->has_room(store, store->size);
}


static ngx_int_t
ngx_http_ilert_job_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_int_t                    rc;
    ngx_http_ilert_store_work_t  work;

    if (store->state == NGX_HTTP_ILERT_STORE_OK
        && !ngx_http_ilert_job_has_news(job)
        && !ngx_http_ilert_job_has_work(job))
    {
        rc = store->backend->open(store, job->now);

        if (rc != NGX_OK || !store->lost) {
            return rc;
        }
    }

    rc = ngx_http_ilert_work_create(&work, store, job->now);

    if (rc == NGX_OK) {
        work.longest = job->longest;
        work.session = job->session;

        rc = store->backend->begin(&work);

        if (rc == NGX_OK) {
            work.first_seq = work.next_seq;

            rc = ngx_http_ilert_job_all(&work, job, without);
            rc = ngx_http_ilert_work_end(&work, rc);
        }
    }

    if (rc != NGX_OK) {
        ngx_http_ilert_job_reset(job);

    } else if (work.passed) {
        ngx_memcpy(store->heard, work.mark, NGX_HTTP_ILERT_STORE_HEARD_KEY);
    }

    ngx_http_ilert_work_destroy(&work);

    return rc;
}


static ngx_int_t
ngx_http_ilert_job_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_uint_t  news;

    news = ngx_http_ilert_job_has_news(job)
           && !(without & NGX_HTTP_ILERT_STORE_NO_ACCEPTS);

    work->rows = NGX_HTTP_ILERT_STORE_ROWS;

    ngx_http_ilert_term_epoch(work, job);

    if (ngx_http_ilert_term_check(work, job, without) != NGX_OK) {
        return NGX_ERROR;
    }

    if (job->begin && !job->over) {

        ngx_http_ilert_term_away(work, job);

        if (ngx_http_ilert_look_begin(work, job) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!job->over && (job->begin || job->clean || job->end)) {
        ngx_http_ilert_term_seen(work);
    }

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    work->changed = 0;

    ngx_http_ilert_budget_begin(job);

    if (!job->over) {

        /* events that wait by a verdict of this job are released, too */

        if (ngx_http_ilert_home_all(work, job) != NGX_OK
            || ngx_http_ilert_job_verdicts(work, job, without) != NGX_OK
            || ngx_http_ilert_job_releases(work, job) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ilert_control_all(work, job) != NGX_OK) {
        return NGX_ERROR;
    }

    /*
     * New dead letters must not take room from what waits, so old ones are
     * removed as soon as there are new ones.
     */

    if ((job->clean && !job->over) || work->store->buried) {

        if (ngx_http_ilert_job_clean(work, job) != NGX_OK) {
            return NGX_ERROR;
        }

        work->store->buried = 0;
    }

    if (news) {
        work->accepting = 1;

        if (ngx_http_ilert_heard_notes(work, job) != NGX_OK
            || ngx_http_ilert_untold_notes(work, job) != NGX_OK
            || ngx_http_ilert_job_accepts(work, job) != NGX_OK
            || ngx_http_ilert_look_all(work, job) != NGX_OK
            || work->store->backend->save(work) != NGX_OK)
        {
            return NGX_ERROR;
        }

        work->accepting = 0;
    }

    if (!job->over
        && ngx_http_ilert_take_all(work, job, without) != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->idle = !work->changed;

    return ngx_http_ilert_job_seen(work, job);
}


/*
 * If nginx is killed, one wants to know when that was: a courier's job that
 * has something to commit notes the time along with it.
 */

static ngx_int_t
ngx_http_ilert_job_seen(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    if (job->term == 0 || job->over || job->idle
        || (work->total.seen <= work->now
            && work->now - work->total.seen < NGX_HTTP_ILERT_STORE_SEEN))
    {
        return NGX_OK;
    }

    ngx_http_ilert_term_seen(work);

    return work->store->backend->save(work);
}


static ngx_int_t
ngx_http_ilert_job_releases(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i, more;
    ngx_http_ilert_store_ident_t  *source;

    for (i = 0; i < job->nrelease; i++) {

        rc = ngx_http_ilert_work_find_source(work, &job->release[i], &source);

        if (rc == NGX_DECLINED) {
            continue;
        }

        more = 0;

        /* if all of a source are refused, its events go one by one */

        if (rc == NGX_OK
            && !ngx_http_ilert_rules_refuses_all(&source->refusals))
        {
            rc = ngx_http_ilert_job_release(work, source->id, &more);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        job->releasing |= more;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_job_release(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t *more)
{
    ngx_uint_t  i, n;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_RELEASE; i += n) {

        if (ngx_http_ilert_take_ready(work, NGX_HTTP_ILERT_ALERTS_TIMED,
                                      source, 0, &n)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (n < NGX_HTTP_ILERT_STORE_ROWS) {
            return NGX_OK;
        }
    }

    *more = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_job_verdicts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_int_t                      rc;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    for (q = ngx_queue_head(&job->verdicts);
         q != ngx_queue_sentinel(&job->verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        ngx_http_ilert_store_at_hand(job, ev->seq);

        rc = ngx_http_ilert_job_verdict(work, job, ev, without);

        ngx_http_ilert_store_at_hand(job, 0);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * Carries out a verdict.  If its alert does not exist, the event was taken of
 * a database that has been moved aside since.
 */

static ngx_int_t
ngx_http_ilert_job_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;

    if (ngx_http_ilert_budget_verdict(work, ev) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_get_alert(work, ev->alert, &alert);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_letter_verdict(work, job, alert, ev, without);
}


static ngx_int_t
ngx_http_ilert_job_clean(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    if (ngx_http_ilert_refused_clean(work) != NGX_OK
        || ngx_http_ilert_forget_letters(work, job) != NGX_OK
        || ngx_http_ilert_forget_old(work, job, NGX_HTTP_ILERT_STORE_ROWS
                                                - job->dropped)
           != NGX_OK
        || ngx_http_ilert_forget_heard(work) != NGX_OK
        || ngx_http_ilert_silence_clean(work, job) != NGX_OK
        || work->store->backend->save(work) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return work->store->backend->tidy(work);
}


static ngx_int_t
ngx_http_ilert_job_accepts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    work->store->size = 0;

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        ev->late = ngx_http_ilert_job_is_late(ev);

        if (ev->late) {
            continue;
        }

        if (ngx_http_ilert_job_accept(work, ev) != NGX_OK) {
            return NGX_ERROR;
        }

        job->coalesced += ev->coalesced;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_job_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_store_alert_t  *alert;
    ngx_http_ilert_store_known_t  *known;

    if (ngx_http_ilert_heard_event(work, ev, &known) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ev->news != NGX_HTTP_ILERT_STORE_NEWS) {
        return NGX_OK;
    }

    work->store->size += ev->body.len;

    if (ngx_http_ilert_work_alert_of(work, ev, &alert) != NGX_OK) {
        return NGX_ERROR;
    }

    if (alert->added && alert->row.head == 0 && alert->row.gone == 0
        && ev->said.type == NGX_HTTP_ILERT_ALERT)
    {
        ngx_http_ilert_untold_new(work, alert, ev->began);
    }

    if (ngx_http_ilert_alert_accept(work, alert, ev) != NGX_OK
        || ngx_http_ilert_digest_accepted(work, alert, ev) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_heard_accepted(work, ev, known, alert);
}


/*
 * Returns 1 if an event must not be accepted any more.  Its webhook may have
 * been answered already, or Kapacitor may have stopped waiting, as this
 * process was stopped for a while; then the next event of the alert may be on
 * its way, or at ilert.
 *
 * We have the locks, and keep them until the commit has ended.  So if the
 * webhook is answered only after this check, the next event of its alert still
 * has to wait for our commit.
 */

static ngx_uint_t
ngx_http_ilert_job_is_late(ngx_http_ilert_store_event_t *ev)
{
    return ev->withdrawn
           || (ev->deadline && ngx_http_ilert_clock_msec() >= ev->deadline);
}


static void
ngx_http_ilert_job_free(ngx_queue_t *events)
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
    return store->open ? store->backend->next_source(store, name, size)
                       : NGX_DECLINED;
}


void
ngx_http_ilert_store_close(ngx_http_ilert_store_t *store)
{
    if (store->private == NULL) {
        return;
    }

    store->backend->close(store);

    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
    store->failed = 0;
    store->full = 0;
    store->blocked = 0;
    store->lost = 0;
    store->buried = 0;

    ngx_memzero(store->old, sizeof(store->old));
    ngx_memzero(store->oldest, sizeof(store->oldest));
    ngx_memzero(store->heard, sizeof(store->heard));
    ngx_memzero(store->silenced, sizeof(store->silenced));
}
