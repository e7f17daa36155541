
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_away.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_courier.h"
#include "ngx_http_ilert_deliver.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_pause.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_queue_masters.h"
#include "ngx_http_ilert_reconcile.h"
#include "ngx_http_ilert_refusal.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_watch.h"


/*
 * How the courier works.
 *
 * A worker that gets the lock (lock.h) begins.  It has a seat, which is
 * a number in shared memory; and when its first job has been committed, it
 * has a term, which is a number in the database.  From then on there are three
 * steps, again and again:
 *
 *     prepare   The queue is about to post a job.  For each source that may
 *               have events ("more"), that does not pause, and whose budgets
 *               have a slot left, the courier asks the job for as many events
 *               as it may send at once (pause.h).
 *     done      The job has been run.  The events that it has taken are put
 *               into the list "ready" of their sources.
 *     go        Events that are ready are sent (deliver.h).  Each outcome
 *               becomes a verdict, which is in the next job, and sets "more".
 *
 * "more" is set when events are submitted in this worker, when another worker
 * writes to the pipe, by each verdict, at the end of a pause, and once
 * a minute, in case that something waits of which the courier was not told.
 * Workers of another master, which are there while nginx is upgraded, cannot
 * write to the pipe: as long as there are some, it is set twice a second.
 *
 * Invariants:
 *
 *     -  One courier alone has an event: the store gives no events to
 *        a courier whose term is over, and right before a request is written
 *        it is checked that this worker still has its seat.
 *     -  An event that was taken stays in memory until its verdict is on
 *        disk, and belongs either to the courier or to the queue.
 *     -  What was taken before a pause is not sent after it: a pause raises
 *        a number, and the events of a job that was prepared with another
 *        number are given back.
 *     -  No more events are taken than can be sent at once, unless they go so
 *        fast that they would have to wait for the disk.
 *     -  After a job that has changed nothing the next one has to wait.
 *     -  A courier that exits takes and sends nothing.  It lets the lock go
 *        when its requests have ended, and all verdicts are on disk or cannot
 *        be written.  A courier whose term is over forgets what it has taken:
 *        the next one finds it on disk.
 */


#if (NGX_THREADS)

/*
 * ms between two tries to become the courier: in the first second of a worker,
 * and after that
 */

#define NGX_HTTP_ILERT_COURIER_EAGER     20
#define NGX_HTTP_ILERT_COURIER_TICK      500
#define NGX_HTTP_ILERT_COURIER_BEGINNING 1000

/* bytes of the bodies of events taken, from which on no more are taken */

#define NGX_HTTP_ILERT_COURIER_SIZE      (4 * 1024 * 1024)

/* ms after which a courier that exits gives up what is under way */

#define NGX_HTTP_ILERT_COURIER_GRACE     1000

/*
 * After jobs in a row that have changed nothing the courier rests for 1 ms,
 * 2 ms, 4 ms, and so on, up to this many ms.
 */

#define NGX_HTTP_ILERT_COURIER_REST      512


static void ngx_http_ilert_courier_init_timers(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_tick_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_ilert_courier_may_begin(void);
static void ngx_http_ilert_courier_begin(void);
static void ngx_http_ilert_courier_woken(void);
static void ngx_http_ilert_courier_wake_other(void);
static void ngx_http_ilert_courier_ordered(void);
static void ngx_http_ilert_courier_more(ngx_http_ilert_courier_t *co,
    ngx_uint_t fresh);
static void ngx_http_ilert_courier_resume(ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_submitted(ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_prepare(ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_courier_is_resting(
    ngx_http_ilert_courier_t *co, ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_set_rest(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_prepare_take(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_decided(ngx_queue_t *verdicts);
static void ngx_http_ilert_courier_done(ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_source_done(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);
static void ngx_http_ilert_courier_progress(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_set_term(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_buried(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_add_ready(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_flush_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_wait_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_clean_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_leave(void);
static void ngx_http_ilert_courier_grace_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_try_to_leave(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_close(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_step_down(ngx_http_ilert_courier_t *co);


ngx_http_ilert_queue_client_t  ngx_http_ilert_courier_client = {
    ngx_http_ilert_courier_submitted,
    ngx_http_ilert_courier_prepare,
    ngx_http_ilert_courier_decided,
    ngx_http_ilert_courier_done,
    ngx_http_ilert_courier_wake_other,
    ngx_http_ilert_courier_ordered
};


static ngx_http_ilert_lock_client_t  ngx_http_ilert_courier_lock = {
    ngx_http_ilert_courier_may_begin,
    ngx_http_ilert_courier_begin,
    ngx_http_ilert_courier_woken,
    ngx_http_ilert_courier_leave
};


ngx_int_t
ngx_http_ilert_courier_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf)
{
    ngx_uint_t                  i, n;
    ngx_http_ilert_source_t   **sources;
    ngx_http_ilert_policy_t    *policy;
    ngx_http_ilert_courier_t   *co;

    co = &ngx_http_ilert_courier;

    ngx_memzero(co, sizeof(ngx_http_ilert_courier_t));

    co->conf = conf;
    co->imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                   ngx_http_ilert_module);
    co->started = ngx_current_msec;

    n = co->imcf->sources.nelts;

    co->takes = ngx_palloc(cycle->pool,
                           n * sizeof(ngx_http_ilert_store_take_t));
    co->taking = ngx_palloc(cycle->pool, n * sizeof(void *));
    co->release = ngx_palloc(cycle->pool, n * sizeof(ngx_str_t));
    co->releasing = ngx_palloc(cycle->pool, n * sizeof(void *));
    co->homes = ngx_pcalloc(cycle->pool,
                            n * sizeof(ngx_http_ilert_store_home_t));

    if (co->takes == NULL || co->taking == NULL || co->release == NULL
        || co->releasing == NULL || co->homes == NULL
        || ngx_http_ilert_deliver_init_process(co, cycle->pool) != NGX_OK
        || ngx_http_ilert_reconcile_init_process(cycle, co->imcf) != NGX_OK
        || ngx_http_ilert_lock_init_process(cycle, &conf->path,
                                            &ngx_http_ilert_courier_lock)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sources = co->imcf->sources.elts;

    co->longest = ngx_max(NGX_HTTP_ILERT_PAUSE_PARK_MAX,
                          NGX_HTTP_ILERT_EVENT_UNREADABLE_SILENCE);

    for (i = 0; i < n; i++) {
        ngx_queue_init(&sources[i]->courier->ready);
        sources[i]->courier->resumed = sources[i]->counters->resumed;
        sources[i]->courier->urgent = sources[i]->counters->urgent;

        co->homes[i].source = sources[i]->name;
        co->homes[i].owner = sources[i]->shared->name;

        policy = &sources[i]->policy;

        co->longest = ngx_max(co->longest, (int64_t) policy->retry_longest);
        co->longest = ngx_max(co->longest, policy->repeat);
        co->longest = ngx_max(co->longest, policy->resolve_after);
        co->longest = ngx_max(co->longest, policy->resolve_delay);
    }

    for (i = 0; i < NGX_HTTP_ILERT_COURIER_RESOLVES; i++) {
        co->ids[i] = ngx_http_ilert_clock_number();
    }

    ngx_http_ilert_courier_init_timers(co);

    ngx_add_timer(&co->tick, 1);

    return NGX_OK;
}


static void
ngx_http_ilert_courier_init_timers(ngx_http_ilert_courier_t *co)
{
    ngx_http_ilert_clock_init_event(&co->tick,
                                    ngx_http_ilert_courier_tick_handler, 1);
    ngx_http_ilert_clock_init_event(&co->wait,
                                    ngx_http_ilert_courier_wait_handler, 1);
    ngx_http_ilert_clock_init_event(&co->clean,
                                    ngx_http_ilert_courier_clean_handler, 1);
    ngx_http_ilert_clock_init_event(&co->flush,
                                    ngx_http_ilert_courier_flush_handler, 0);
    ngx_http_ilert_clock_init_event(&co->grace,
                                    ngx_http_ilert_courier_grace_handler, 0);
}


void
ngx_http_ilert_courier_exit_process(void)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->imcf == NULL) {
        return;
    }

    ngx_http_ilert_deliver_forget(co);
    ngx_http_ilert_reconcile_end();

    if (ngx_http_ilert_lock_is_held()) {
        ngx_http_ilert_life_leave_seat(ngx_http_ilert_lock_seat());
    }
}


static void
ngx_http_ilert_courier_tick_handler(ngx_event_t *ev)
{
    ngx_msec_t                 timer;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    ngx_http_ilert_life_tick();

    if (ngx_http_ilert_lock_is_held()
        && ngx_http_ilert_lock_look() != NGX_OK)
    {
        ngx_http_ilert_courier_step_down(co);
    }

    if (ngx_http_ilert_lock_is_held() && !co->leaving
        && !ngx_http_ilert_queue_masters_is_alone(co->conf))
    {
        ngx_http_ilert_courier_more(co, 1);
    }

    /* a worker that exits gives signs of life, but does not become courier */

    if (!ngx_http_ilert_lock_is_held() && !ngx_exiting) {
        ngx_http_ilert_queue_run();
        ngx_http_ilert_lock_compete();
    }

    timer = NGX_HTTP_ILERT_COURIER_TICK;

    if (!ngx_http_ilert_lock_is_held()
        && ngx_current_msec - co->started < NGX_HTTP_ILERT_COURIER_BEGINNING)
    {
        timer = NGX_HTTP_ILERT_COURIER_EAGER;
    }

    ngx_add_timer(ev, timer);
}


/*
 * This worker must not begin as long as requests are under way, or verdicts
 * not on disk, from an earlier time as the courier.
 */

static ngx_uint_t
ngx_http_ilert_courier_may_begin(void)
{
    return ngx_http_ilert_courier.inflight == 0
           && ngx_http_ilert_queue_verdicts() == 0;
}


static void
ngx_http_ilert_courier_begin(void)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    co->begin = 1;
    co->cleaning = 1;
    co->moving = 1;
    co->woken = 1;
    co->term = 0;

    /* the last courier may have died with events under way */

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        sources[i]->counters->inflight = 0;
        co->homes[i].after = 0;
    }

    ngx_http_ilert_heartbeat_begin();
    ngx_http_ilert_watch_begin();

    ngx_add_timer(&co->clean, NGX_HTTP_ILERT_COURIER_CLEAN);

    /* why events wait may have been corrected in the configuration */

    ngx_http_ilert_deliver_release(co, NULL);
    ngx_http_ilert_queue_run();
}


static void
ngx_http_ilert_courier_woken(void)
{
    ngx_http_ilert_courier_more(&ngx_http_ilert_courier, 1);
}


/* Events have been committed: wakes the courier, if it is another worker. */

static void
ngx_http_ilert_courier_wake_other(void)
{
    if (!ngx_http_ilert_lock_is_held() || ngx_http_ilert_courier.leaving) {
        ngx_http_ilert_lock_wake();
    }
}


/*
 * Orders of operators are on disk.  The courier, which may be another worker,
 * has to look at all sources: one may have been resumed, paused, or emptied.
 */

static void
ngx_http_ilert_courier_ordered(void)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (ngx_http_ilert_lock_is_held() && !co->leaving) {
        ngx_http_ilert_courier_more(co, 1);
        ngx_http_ilert_deliver_go(co);
        return;
    }

    ngx_http_ilert_courier_wake_other();
}


/*
 * There may be events of any source.  "fresh" is 1 if there is something new,
 * and 0 if only time has passed.
 */

static void
ngx_http_ilert_courier_more(ngx_http_ilert_courier_t *co, ngx_uint_t fresh)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    co->woken |= fresh;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        sources[i]->courier->more = 1;
        sources[i]->courier->fresh |= fresh;

        if (sources[i]->courier->resumed != sources[i]->counters->resumed) {
            ngx_http_ilert_courier_resume(sources[i]);
        }
    }

    ngx_http_ilert_queue_run();
}


/*
 * An operator has resumed the source: its events need not wait any longer, but
 * for the end of a pause after 429.
 */

static void
ngx_http_ilert_courier_resume(ngx_http_ilert_source_t *source)
{
    source->courier->resumed = source->counters->resumed;
    source->courier->release = 1;

    ngx_http_ilert_pause_resume(source);
}


static void
ngx_http_ilert_courier_submitted(ngx_http_ilert_source_t *source)
{
    source->courier->more = 1;
    source->courier->fresh = 1;
}


static void
ngx_http_ilert_courier_prepare(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    /* every worker shows budgets to those who ask, not only the courier */

    job->budgets = co->budgets;
    job->nbudgets = co->nbudgets;

    co->prepared = 0;

    if (!ngx_http_ilert_lock_is_held()) {
        return;
    }

    co->prepared = ngx_http_ilert_lock_seat();

    job->term = co->term;
    job->at_hand = ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_THREAD);

    ngx_http_ilert_lock_set_job(job);
    ngx_http_ilert_reconcile_prepare(job);

    job->takes = co->takes;
    job->release = co->release;
    job->ids = co->ids;
    job->nids = NGX_HTTP_ILERT_COURIER_RESOLVES;

    if (co->leaving || ngx_http_ilert_courier_is_resting(co, job)) {
        return;
    }

    job->begin = co->begin;
    job->clean = co->cleaning;
    job->longest = co->longest;

    co->woken = 0;

    /*
     * Also with each cleaning: an earlier release of the module, to which one
     * has gone back for a time, may have put alerts under another key.
     */

    if (co->moving || co->cleaning) {
        job->homes = co->homes;
        job->nhomes = co->imcf->sources.nelts;
    }

    if (job->begin) {
        job->deadly = co->deadly;
        job->ndeadly = ngx_http_ilert_life_deadly(co->deadly);
    }

    if (job->now < co->now) {

        /* the clock was set back: the job sets "next" again from the disk */

        for (i = 0; i < co->nbudgets; i++) {
            co->budgets[i].next = 0;
        }
    }

    co->now = job->now;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {

        if (sources[i]->courier->release) {
            sources[i]->courier->release = 0;
            co->releasing[job->nrelease] = sources[i];
            co->release[job->nrelease++] = sources[i]->name;
        }

        ngx_http_ilert_courier_prepare_take(co, job, sources[i]);
    }
}


/*
 * Returns 1 if the courier rests: after a job that has changed nothing, until
 * there is something new or the time of the rest is over.  So no mistake
 * anywhere can make a loop that takes a whole core.
 */

static ngx_uint_t
ngx_http_ilert_courier_is_resting(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                 i, wanted;
    ngx_msec_int_t             left;
    ngx_http_ilert_source_t  **sources;

    left = co->rested - ngx_current_msec;

    if (co->rest == 0 || left <= 0 || co->woken
        || !ngx_queue_empty(&job->accepts) || !ngx_queue_empty(&job->verdicts)
        || !ngx_queue_empty(&job->orders))
    {
        return 0;
    }

    wanted = co->begin || co->cleaning;
    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        wanted |= sources[i]->courier->more || sources[i]->courier->release;
    }

    if (wanted) {
        ngx_http_ilert_deliver_set_wait(co, left);
    }

    return 1;
}


/* Sets the rest after a job; if it has changed nothing, the rest is longer. */

static void
ngx_http_ilert_courier_set_rest(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    /* jobs make a loop only if one follows soon after the other */

    if (!job->idle || (ngx_msec_int_t) (ngx_current_msec - co->rested)
                      > NGX_HTTP_ILERT_COURIER_REST)
    {
        co->rest = 0;
    }

    if (!job->idle) {
        return;
    }

    if (job->ntakes || job->nrelease || job->begin || job->clean) {
        co->rest = co->rest ? ngx_min(2 * co->rest,
                                      NGX_HTTP_ILERT_COURIER_REST)
                            : 1;
        co->rested = ngx_current_msec + co->rest;
    }
}


/*
 * Asks the job for events of the source, if some may be sent.  "more" is
 * cleared here and not when the job is done, so that events which come in
 * meanwhile set it again.
 */

static void
ngx_http_ilert_courier_prepare_take(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_source_t *source)
{
    ngx_uint_t                        n;
    ngx_msec_int_t                    pause;
    ngx_http_ilert_store_take_t      *take;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    if (!cs->more || cs->nready >= NGX_HTTP_ILERT_COURIER_LOW
        || co->size >= NGX_HTTP_ILERT_COURIER_SIZE)
    {
        return;
    }

    pause = ngx_http_ilert_deliver_pause(co, source);

    if (pause == 0) {
        pause = ngx_min(ngx_http_ilert_pause_budget(source,
                                                ngx_http_ilert_clock_now()),
                        NGX_HTTP_ILERT_COURIER_CLEAN);
    }

    if (pause) {
        ngx_http_ilert_deliver_set_wait(co, pause);
        return;
    }

    n = ngx_http_ilert_pause_may_take(source, ngx_current_msec);

    if (n == 0) {
        return;
    }

    co->taking[job->ntakes] = source;
    take = &co->takes[job->ntakes++];

    take->source = source->name;
    take->passthrough = source->passthrough;
    take->probe = (cs->faults != 0);
    take->n = n;
    take->policy = source->policy;
    take->budgets[0] = source->shared->courier->budget;
    take->budgets[1] = source->endpoint->courier->budget;

    cs->more = 0;
    cs->fresh = 0;
    cs->urgent = source->counters->urgent;
    cs->pauses = ngx_http_ilert_deliver_pauses(co, source);
    cs->orders = source->counters->orders;
}


static void
ngx_http_ilert_courier_decided(ngx_queue_t *verdicts)
{
    ngx_http_ilert_refusal_decided(&ngx_http_ilert_courier, verdicts);
}


static void
ngx_http_ilert_courier_done(ngx_http_ilert_store_job_t *job)
{
    int64_t                    timer;
    ngx_uint_t                 i;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (!ngx_http_ilert_lock_is_held()
        || co->prepared != ngx_http_ilert_lock_seat())
    {

        /* at prepare() this worker was not the courier, or had another seat */

        ngx_http_ilert_queue_free(&job->taken, 0);
        ngx_http_ilert_queue_free(&job->buried, 0);

        if (ngx_http_ilert_lock_is_held() && co->leaving) {
            ngx_http_ilert_courier_try_to_leave(co);
        }

        return;
    }

    if (job->over) {
        ngx_http_ilert_courier_step_down(co);
        return;
    }

    ngx_http_ilert_courier_set_term(co, job);

    for (i = 0; i < job->ntakes; i++) {
        ngx_http_ilert_courier_source_done(co->taking[i], job, &job->takes[i]);
    }

    if (job->decided) {
        ngx_http_ilert_courier_progress(co, job);
    }

    for (i = 0; i < job->nrelease; i++) {
        co->releasing[i]->courier->more = 1;

        if (!job->decided || job->releasing) {
            co->releasing[i]->courier->release = 1;
        }
    }

    ngx_http_ilert_courier_add_ready(co, job);

    if (co->leaving) {
        ngx_http_ilert_courier_try_to_leave(co);
        return;
    }

    ngx_http_ilert_courier_set_rest(co, job);

    if (job->due) {
        timer = job->due - ngx_http_ilert_clock_now();

        /* no pause is so long: the clock was set back during the job */

        if (timer > co->longest) {
            timer = 1;
        }

        ngx_http_ilert_deliver_set_wait(co, timer > 0 ? timer : 1);
    }

    ngx_http_ilert_deliver_go(co);
}


/* Notes what a job has done for a source of which it was to take events. */

static void
ngx_http_ilert_courier_source_done(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    if (!job->decided || ngx_http_ilert_pause_is_spent(source)) {
        cs->more = 1;
    }

    /* if orders have come meanwhile, this does not set "paused" */

    if (job->decided) {
        ngx_http_ilert_counters_set_paused(source->counters, cs->orders,
                                           take->paused);
        ngx_http_ilert_counters_add(source->counters->coalesced,
                                    take->coalesced);
        ngx_http_ilert_counters_add(source->counters->silenced,
                                    take->silenced);
        ngx_http_ilert_counters_add(source->counters->dead, take->expired);
    }

    if (take->more) {
        cs->more = 1;
        ngx_http_ilert_pause_take_more(source, ngx_current_msec);
    }
}


/*
 * Notes how far a job has come with work that is done in parts: the next job
 * goes on from there.
 */

static void
ngx_http_ilert_courier_progress(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    if (job->clean) {
        co->cleaning = job->more;
    }

    if (job->nhomes) {
        co->moving = job->moving;
    }

    for (i = 0; i < job->nhomes; i++) {
        job->homes[i].after = job->homes[i].next;
    }

    for (i = 0; i < job->made; i++) {
        co->ids[i] = ngx_http_ilert_clock_number();
    }
}


/* If the job has begun a term for this courier, notes its number. */

static void
ngx_http_ilert_courier_set_term(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    if (!job->decided || job->begun == 0) {
        return;
    }

    co->begin = 0;
    co->term = job->begun;

    if (job->fresh) {
        ngx_http_ilert_life_forget();
    }

    ngx_http_ilert_away_note(job->away);
    ngx_http_ilert_courier_buried(co, job);

    if (!co->leaving) {
        ngx_http_ilert_reconcile_begin();
    }
}


/* Counts and logs events of which workers have died, now dead letters. */

static void
ngx_http_ilert_courier_buried(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    for (link = ngx_queue_head(&job->buried);
         link != ngx_queue_sentinel(&job->buried);
         link = ngx_queue_next(link))
    {
        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

        source = ngx_http_ilert_find_source(co->imcf, &se->source);

        if (source) {
            ngx_http_ilert_counters_add(source->counters->dead, 1);
        }

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert source \"%V\": event %uL is a dead letter: %V",
                      &se->source, se->id, &se->error);
    }

    ngx_http_ilert_queue_free(&job->buried, 0);
}


/*
 * Makes the events that were taken ready; if they must not be sent any more,
 * gives them back.
 */

static void
ngx_http_ilert_courier_add_ready(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    while (!ngx_queue_empty(&job->taken)) {

        link = ngx_queue_head(&job->taken);
        ngx_queue_remove(link);

        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

        co->size += se->body.len;

        source = ngx_http_ilert_find_source(co->imcf, &se->source);

        if (co->leaving
            || source->courier->pauses
               != ngx_http_ilert_deliver_pauses(co, source))
        {
            source->courier->more = 1;
            ngx_http_ilert_deliver_give_back(se);
            continue;
        }

        se->next = job->now;

        ngx_queue_insert_tail(&source->courier->ready, link);
        source->courier->nready++;
        source->courier->taken = ngx_current_msec;
    }
}


static void
ngx_http_ilert_courier_flush_handler(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_http_ilert_queue_run();
}


static void
ngx_http_ilert_courier_wait_handler(ngx_event_t *ev)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (ngx_http_ilert_lock_is_held() && !co->leaving) {
        ngx_http_ilert_deliver_go(co);
        ngx_http_ilert_courier_more(co, 0);
    }
}


static void
ngx_http_ilert_courier_clean_handler(ngx_event_t *ev)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (ngx_http_ilert_lock_is_held() && !co->leaving) {
        co->cleaning = 1;
        ngx_add_timer(ev, NGX_HTTP_ILERT_COURIER_CLEAN);

        /* something may wait of which we were not told */

        ngx_http_ilert_courier_more(co, 0);
    }
}


/*
 * The worker is to exit: nothing is sent any more, and what is not sent is
 * given back.
 */

static void
ngx_http_ilert_courier_leave(void)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->leaving) {
        return;
    }

    co->leaving = 1;
    ngx_http_ilert_lock_ignore_exit();

    ngx_http_ilert_deliver_give_back_all(co, NULL, NULL);
    ngx_http_ilert_heartbeat_end();
    ngx_http_ilert_watch_end();
    ngx_http_ilert_reconcile_end();

    ngx_add_timer(&co->grace, NGX_HTTP_ILERT_COURIER_GRACE);

    ngx_http_ilert_queue_run();

    ngx_http_ilert_courier_try_to_leave(co);
}


static void
ngx_http_ilert_courier_grace_handler(ngx_event_t *ev)
{
    ngx_http_ilert_deliver_give_up();
}


/*
 * Lets the lock go, unless requests are under way or verdicts can still be
 * written.
 */

static void
ngx_http_ilert_courier_try_to_leave(ngx_http_ilert_courier_t *co)
{
    if (co->inflight || !ngx_http_ilert_queue_settled()) {
        return;
    }

    ngx_http_ilert_courier_close(co);
}


static void
ngx_http_ilert_courier_close(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t  i;

    ngx_event_t  *events[] = { &co->wait, &co->flush, &co->clean, &co->grace };

    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {

        if (events[i]->timer_set) {
            ngx_del_timer(events[i]);
        }

        if (events[i]->posted) {
            ngx_delete_posted_event(events[i]);
        }
    }

    co->begin = 0;

    ngx_http_ilert_lock_let_go();
}


/*
 * Another worker is the courier, or may become it: gives up what is under way,
 * and forgets all that was taken.  The next courier finds it in the database.
 */

static void
ngx_http_ilert_courier_step_down(ngx_http_ilert_courier_t *co)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ilert queue \"%V\": this worker does not deliver any "
                  "longer", &co->conf->path);

    ngx_http_ilert_heartbeat_end();
    ngx_http_ilert_watch_end();
    ngx_http_ilert_reconcile_end();
    ngx_http_ilert_courier_close(co);

    ngx_http_ilert_deliver_give_up();
    ngx_http_ilert_queue_abandon();

    ngx_http_ilert_deliver_forget(co);
}

#endif
