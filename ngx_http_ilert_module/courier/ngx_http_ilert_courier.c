
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <sys/file.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_courier.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_request.h"


#if (NGX_THREADS)

/*
 * The lock is flock()'s, on a file opened by the worker itself: one that is
 * inherited, or one of fcntl()'s, would be shared or lost with another file
 * descriptor.  The kernel lets go of it when the worker dies.  If the worker
 * only stands still, the file is removed, and made anew by the next one: so
 * the lock is worth something only on the file that is in the folder now.
 *
 * Every worker has the FIFO open, and writes a byte into it when it has
 * committed events; only the courier reads.  The FIFO is there for workers of
 * another master, too, while nginx is being upgraded.
 */

#define NGX_HTTP_ILERT_COURIER_LOCK      "/courier.lock"
#define NGX_HTTP_ILERT_COURIER_FIFO      "/wakeup"

/* ms between two tries to become the courier: when a worker begins, later */

#define NGX_HTTP_ILERT_COURIER_EAGER     20
#define NGX_HTTP_ILERT_COURIER_TICK      500
#define NGX_HTTP_ILERT_COURIER_BEGINNING 1000

/*
 * Events of a source that are taken ahead at most, when it is time for more,
 * and in how many ms they have to be delivered for twice as many to be taken
 */

#define NGX_HTTP_ILERT_COURIER_READY     100
#define NGX_HTTP_ILERT_COURIER_LOW       50
#define NGX_HTTP_ILERT_COURIER_SOON      20

/* bytes of bodies in hand after which no more are taken */

#define NGX_HTTP_ILERT_COURIER_SIZE      (4 * 1024 * 1024)

/* verdicts wait for company: so many, or so many ms */

#define NGX_HTTP_ILERT_COURIER_VERDICTS  100
#define NGX_HTTP_ILERT_COURIER_FLUSH     5

/* ms that a worker which exits gives to its deliveries */

#define NGX_HTTP_ILERT_COURIER_GRACE     1000

/* ms from one part of housekeeping to the next */

#define NGX_HTTP_ILERT_COURIER_CLEAN     60000

/*
 * An endpoint is down after so many requests in a row that came to nothing:
 * fewer are enough if they were of several alerts, for one event may be all
 * that is wrong.  Then there is one request at a time, with pauses like those
 * of "retry", but no longer than this, in ms: it costs little, and all wait
 * for it.  An event that has just come in need not wait for a pause's end.
 */

#define NGX_HTTP_ILERT_COURIER_FAULTS    8
#define NGX_HTTP_ILERT_COURIER_SEVERAL   4
#define NGX_HTTP_ILERT_COURIER_PROBE_MAX 10000

/*
 * Pauses of a key in ms: what does not mend itself.  Something urgent that has
 * just come in need not wait for a pause's end, but so long after the last
 * request.
 */

#define NGX_HTTP_ILERT_COURIER_PARK      5000
#define NGX_HTTP_ILERT_COURIER_PARK_MAX  300000
#define NGX_HTTP_ILERT_COURIER_URGENT    10000

/* ms to wait when there was no connection to be had, or no memory */

#define NGX_HTTP_ILERT_COURIER_CROWDED   500

/*
 * A job that has changed nothing is not run again at once: the courier waits
 * for 1 ms, twice that, and so on, up to this many.
 */

#define NGX_HTTP_ILERT_COURIER_REST      512

/* alerts that one job may resolve by "resolve_after" */

#define NGX_HTTP_ILERT_COURIER_RESOLVES  16


/* a request under way; stays until its verdict is on disk */

typedef struct {
    ngx_http_ilert_event_t           event;
    ngx_http_ilert_store_event_t    *stored;
    ngx_uint_t                       seat;      /* whose it is */
    u_char                           id[NGX_INT64_LEN];
    u_char                           error[NGX_HTTP_ILERT_ERROR_SIZE];
} ngx_http_ilert_courier_delivery_t;


/* of a worker */

typedef struct {
    ngx_http_ilert_queue_conf_t     *conf;
    ngx_http_ilert_main_conf_t      *imcf;
    ngx_http_ilert_store_take_t     *takes;     /* one for each source */
    ngx_http_ilert_source_t        **taking;    /* whose they are */
    ngx_str_t                       *release;
    ngx_http_ilert_source_t        **releasing;
    ngx_http_ilert_store_home_t     *homes;     /* one for each source */
    ngx_http_ilert_store_budget_t   *budgets;   /* of keys, of endpoints */
    ngx_uint_t                       nbudgets;
    uint64_t                         ids[NGX_HTTP_ILERT_COURIER_RESOLVES];
    int64_t                          deadly[NGX_HTTP_ILERT_LIFE_EVENTS];

    ngx_fd_t                         lock;
    dev_t                            device;    /* of its file */
    ino_t                            inode;
    ngx_fd_t                         fifo;      /* to write to */
    ngx_connection_t                *connection;    /* to read from it */
    u_char                          *lock_name;
    u_char                          *fifo_name;

    ngx_event_t                      tick;
    ngx_event_t                      wait;      /* for a pause's end */
    ngx_event_t                      flush;
    ngx_event_t                      clean;
    ngx_event_t                      grace;

    /*
     * Each time that this worker becomes the courier it has another number in
     * shared memory, the seat, and another one in the database, the term,
     * which is 0 until the store has said it.
     */
    ngx_uint_t                       seat;
    ngx_uint_t                       prepared;  /* the job's seat, or 0 */
    int64_t                          term;

    ngx_msec_t                       started;
    ngx_uint_t                       inflight;
    size_t                           size;      /* of bodies in hand */
    int64_t                          now;       /* at the last job */
    int64_t                          longest;   /* of all pauses, ms */
    ngx_msec_t                       until;     /* the end of a crowd */
    ngx_uint_t                       pauses;    /* for it, so far */
    ngx_msec_t                       rest;      /* after jobs in a row that */
                                                /* have changed nothing, ms */
    ngx_msec_t                       rested;    /* the end of that */

    unsigned                         active:1;  /* we are the courier */
    unsigned                         begin:1;   /* and the store has to know */
    unsigned                         leaving:1;
    unsigned                         cleaning:1;
    unsigned                         moving:1;  /* alerts to their keys */
    unsigned                         woken:1;   /* since the last job */
    unsigned                         fault:1;   /* of a file, which is said */
    unsigned                         crowded:1; /* there was no connection */
} ngx_http_ilert_courier_t;


static void ngx_http_ilert_courier_submitted(ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_prepare(ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_take(ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_wake(void);
static void ngx_http_ilert_courier_obey(void);
static ngx_int_t ngx_http_ilert_courier_create(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_courier_init_budgets(
    ngx_http_ilert_courier_t *co, ngx_pool_t *pool);
static ngx_http_ilert_store_budget_t *ngx_http_ilert_courier_budget(
    ngx_http_ilert_courier_t *co, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate);
static u_char *ngx_http_ilert_courier_name(ngx_pool_t *pool, ngx_str_t *path,
    const char *name);
static void ngx_http_ilert_courier_tick_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_look(ngx_http_ilert_courier_t *co);
static ngx_uint_t ngx_http_ilert_courier_is_current(
    ngx_http_ilert_courier_t *co);
static ngx_uint_t ngx_http_ilert_courier_is_there(ngx_fd_t fd, u_char *name);
static ngx_int_t ngx_http_ilert_courier_open(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_watch(ngx_http_ilert_courier_t *co);
static ngx_pid_t ngx_http_ilert_courier_is_silent(
    ngx_http_ilert_courier_t *co, ngx_msec_t time);
static ngx_int_t ngx_http_ilert_courier_pid(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_fault(ngx_http_ilert_courier_t *co,
    const char *what, u_char *name);
static ngx_int_t ngx_http_ilert_courier_try(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_begin(ngx_http_ilert_courier_t *co);
static ngx_int_t ngx_http_ilert_courier_listen(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_fifo_handler(ngx_event_t *rev);
static void ngx_http_ilert_courier_release(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_endpoint_t *endpoint);
static void ngx_http_ilert_courier_more(ngx_http_ilert_courier_t *co,
    ngx_uint_t fresh);
static void ngx_http_ilert_courier_resume(ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_courier_rests(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_rest(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_prepare_take(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_courier_may_take(
    ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_courier_is_spent(
    ngx_http_ilert_source_t *source);
static ngx_msec_int_t ngx_http_ilert_courier_budget_pause(
    ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_begun(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_buried(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_taken(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_courier_go(ngx_http_ilert_courier_t *co);
static ngx_msec_int_t ngx_http_ilert_courier_pause(
    ngx_http_ilert_source_t *source);
static ngx_msec_int_t ngx_http_ilert_courier_key_pause(
    ngx_http_ilert_source_t *source);
static ngx_msec_int_t ngx_http_ilert_courier_crowd_pause(
    ngx_http_ilert_courier_t *co);
static ngx_uint_t ngx_http_ilert_courier_is_probed(
    ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_courier_is_tight(
    ngx_http_ilert_key_t *key);
static ngx_uint_t ngx_http_ilert_courier_pauses(
    ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_set_wait(ngx_http_ilert_courier_t *co,
    ngx_msec_int_t timer);
static void ngx_http_ilert_courier_deliver(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_courier_has_aged(
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se);
static ngx_int_t ngx_http_ilert_courier_send(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_courier_done(ngx_http_ilert_request_t *ir);
static void ngx_http_ilert_courier_verdict(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_courier_delivery_t *cd);
static void ngx_http_ilert_courier_crowd(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_delivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);
static void ngx_http_ilert_courier_undelivered(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_store_event_t *se);
static ngx_msec_t ngx_http_ilert_courier_pause_endpoint(
    ngx_http_ilert_source_t *source);
static ngx_msec_t ngx_http_ilert_courier_refused(
    ngx_http_ilert_request_t *ir);
static ngx_uint_t ngx_http_ilert_courier_is_down(
    ngx_http_ilert_courier_endpoint_t *ce);
static ngx_msec_t ngx_http_ilert_courier_pause_key(
    ngx_http_ilert_courier_key_t *ck, ngx_msec_t pause);
static void ngx_http_ilert_courier_return(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_key_t *key, ngx_http_ilert_endpoint_t *endpoint);
static void ngx_http_ilert_courier_return_source(
    ngx_http_ilert_source_t *source);
static ngx_msec_t ngx_http_ilert_courier_back_off(ngx_msec_t first,
    ngx_msec_t longest, ngx_uint_t n);
static void ngx_http_ilert_courier_flush(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_flush_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_wait_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_clean_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_leave(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_grace_handler(ngx_event_t *ev);
static void ngx_http_ilert_courier_give_back(
    ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_courier_decide(ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_courier_left(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_step_down(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_lost(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_close(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_courier_drop(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_courier_delivery_t *cd);
static ngx_uint_t ngx_http_ilert_courier_may_send(
    ngx_http_ilert_request_t *ir);
static void ngx_http_ilert_courier_at(ngx_http_ilert_request_t *ir,
    ngx_uint_t begins);


ngx_http_ilert_queue_client_t  ngx_http_ilert_courier_client = {
    ngx_http_ilert_courier_submitted,
    ngx_http_ilert_courier_prepare,
    ngx_http_ilert_courier_take,
    ngx_http_ilert_courier_wake,
    ngx_http_ilert_courier_obey
};


static ngx_http_ilert_request_owner_t  ngx_http_ilert_courier_owner = {
    ngx_http_ilert_courier_done,
    ngx_http_ilert_courier_may_send,
    ngx_http_ilert_courier_at
};

static ngx_http_ilert_courier_t  ngx_http_ilert_courier;


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
    co->lock = NGX_INVALID_FILE;
    co->fifo = NGX_INVALID_FILE;
    co->started = ngx_current_msec;

    n = co->imcf->sources.nelts;

    co->takes = ngx_palloc(cycle->pool,
                           n * sizeof(ngx_http_ilert_store_take_t));
    co->taking = ngx_palloc(cycle->pool, n * sizeof(void *));
    co->release = ngx_palloc(cycle->pool, n * sizeof(ngx_str_t));
    co->releasing = ngx_palloc(cycle->pool, n * sizeof(void *));
    co->homes = ngx_pcalloc(cycle->pool,
                            n * sizeof(ngx_http_ilert_store_home_t));

    co->lock_name = ngx_http_ilert_courier_name(cycle->pool, &conf->path,
                                                NGX_HTTP_ILERT_COURIER_LOCK);
    co->fifo_name = ngx_http_ilert_courier_name(cycle->pool, &conf->path,
                                                NGX_HTTP_ILERT_COURIER_FIFO);

    if (co->takes == NULL || co->taking == NULL || co->release == NULL
        || co->releasing == NULL || co->homes == NULL || co->lock_name == NULL
        || co->fifo_name == NULL
        || ngx_http_ilert_courier_create(co, cycle->pool) != NGX_OK
        || ngx_http_ilert_courier_init_budgets(co, cycle->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    sources = co->imcf->sources.elts;

    co->longest = NGX_HTTP_ILERT_COURIER_PARK_MAX;

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
    }

    for (i = 0; i < NGX_HTTP_ILERT_COURIER_RESOLVES; i++) {
        co->ids[i] = ngx_http_ilert_clock_number();
    }

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

    ngx_add_timer(&co->tick, 1);

    ngx_http_ilert_request_set_owner(&ngx_http_ilert_courier_owner);

    return NGX_OK;
}


/* what is kept of each source, key, and endpoint */

static ngx_int_t
ngx_http_ilert_courier_create(ngx_http_ilert_courier_t *co, ngx_pool_t *pool)
{
    ngx_uint_t                          i;
    ngx_http_ilert_key_t              **keys;
    ngx_http_ilert_source_t           **sources;
    ngx_http_ilert_endpoint_t         **endpoints;
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_source_t    *cs;
    ngx_http_ilert_courier_endpoint_t  *ce;

    cs = ngx_pcalloc(pool, co->imcf->sources.nelts
                           * sizeof(ngx_http_ilert_courier_source_t));
    ck = ngx_pcalloc(pool, co->imcf->keys.nelts
                           * sizeof(ngx_http_ilert_courier_key_t));
    ce = ngx_pcalloc(pool, co->imcf->endpoints.nelts
                           * sizeof(ngx_http_ilert_courier_endpoint_t));

    if (cs == NULL || ck == NULL || ce == NULL) {
        return NGX_ERROR;
    }

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        sources[i]->courier = &cs[i];
    }

    keys = co->imcf->keys.elts;

    for (i = 0; i < co->imcf->keys.nelts; i++) {
        keys[i]->courier = &ck[i];
    }

    endpoints = co->imcf->endpoints.elts;

    for (i = 0; i < co->imcf->endpoints.nelts; i++) {
        endpoints[i]->courier = &ce[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_courier_init_budgets(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool)
{
    ngx_uint_t                   i, n;
    ngx_http_ilert_key_t       **keys;
    ngx_http_ilert_endpoint_t  **endpoints;

    n = co->imcf->keys.nelts + co->imcf->endpoints.nelts;

    co->budgets = ngx_pcalloc(pool,
                              n * sizeof(ngx_http_ilert_store_budget_t));
    if (co->budgets == NULL) {
        return NGX_ERROR;
    }

    keys = co->imcf->keys.elts;

    for (i = 0; i < co->imcf->keys.nelts; i++) {
        keys[i]->courier->budget = ngx_http_ilert_courier_budget(co,
                                                            &keys[i]->name,
                                                            &keys[i]->rate);
    }

    endpoints = co->imcf->endpoints.elts;

    for (i = 0; i < co->imcf->endpoints.nelts; i++) {
        if (endpoints[i]->rate.n) {
            endpoints[i]->courier->budget =
                ngx_http_ilert_courier_budget(co, &endpoints[i]->name,
                                              &endpoints[i]->rate);
        }
    }

    return NGX_OK;
}


static ngx_http_ilert_store_budget_t *
ngx_http_ilert_courier_budget(ngx_http_ilert_courier_t *co, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate)
{
    ngx_http_ilert_store_budget_t  *budget;

    budget = &co->budgets[co->nbudgets++];

    budget->name = *name;
    budget->rate = rate->n;
    budget->window = rate->window;

    return budget;
}


/* what had been taken is taken again by the next one */

void
ngx_http_ilert_courier_exit_process(void)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->imcf == NULL) {
        return;
    }

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        ngx_http_ilert_queue_free(&sources[i]->courier->ready, 0);
    }

    if (co->active) {
        ngx_http_ilert_life_rise(co->seat);
    }
}


static u_char *
ngx_http_ilert_courier_name(ngx_pool_t *pool, ngx_str_t *path,
    const char *name)
{
    u_char  *p;

    p = ngx_pnalloc(pool, path->len + ngx_strlen(name) + 1);

    if (p) {
        ngx_sprintf(p, "%V%s%Z", path, name);
    }

    return p;
}


static void
ngx_http_ilert_courier_tick_handler(ngx_event_t *ev)
{
    ngx_msec_t                 timer;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    ngx_http_ilert_life_tick();

    if (co->active) {
        ngx_http_ilert_courier_look(co);
    }

    /* one that exits still gives signs of life, but takes nobody's place */

    if (!co->active && !ngx_exiting) {
        ngx_http_ilert_queue_run();

        if (ngx_http_ilert_courier_open(co) == NGX_OK
            && ngx_http_ilert_courier_try(co) != NGX_OK)
        {
            ngx_http_ilert_courier_watch(co);
        }
    }

    timer = NGX_HTTP_ILERT_COURIER_TICK;

    if (!co->active
        && ngx_current_msec - co->started < NGX_HTTP_ILERT_COURIER_BEGINNING)
    {
        timer = NGX_HTTP_ILERT_COURIER_EAGER;
    }

    ngx_add_timer(ev, timer);
}


/* the courier's turn: it gives a sign of life, unless its time is over */

static void
ngx_http_ilert_courier_look(ngx_http_ilert_courier_t *co)
{
    if (!ngx_http_ilert_courier_is_current(co)
        || !ngx_http_ilert_courier_is_there(co->lock, co->lock_name))
    {
        ngx_http_ilert_courier_step_down(co);
        return;
    }

    if (ngx_http_ilert_life_sign()) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": this worker stood still, and "
                      "delivers again", &co->conf->path);
    }

    if (!ngx_http_ilert_courier_is_there(co->connection->fd, co->fifo_name)
        && ngx_http_ilert_courier_open(co) == NGX_OK)
    {
        ngx_close_connection(co->connection);

        if (ngx_http_ilert_courier_listen(co) != NGX_OK) {
            co->connection = NULL;
            ngx_http_ilert_courier_step_down(co);
        }
    }
}


/*
 * Whether this worker still is the one that delivers.  Who has not looked for
 * a while looks at the lock, too: those of another master share no memory with
 * us.
 */

static ngx_uint_t
ngx_http_ilert_courier_is_current(ngx_http_ilert_courier_t *co)
{
    return co->active && ngx_http_ilert_life_sits(co->seat)
           && (!ngx_http_ilert_life_is_late()
               || ngx_http_ilert_courier_is_there(co->lock, co->lock_name));
}


/* whether the open file is the one of that name */

static ngx_uint_t
ngx_http_ilert_courier_is_there(ngx_fd_t fd, u_char *name)
{
    ngx_file_info_t  fi, there;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return 0;
    }

    if (ngx_file_info(name, &there) == NGX_FILE_ERROR) {

        /* an error that may pass does not say that the file has gone */

        return ngx_errno == EIO || ngx_errno == NGX_ENOMEM;
    }

    return fi.st_dev == there.st_dev && fi.st_ino == there.st_ino;
}


static ngx_int_t
ngx_http_ilert_courier_open(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t  another;

    another = 0;

    if (co->lock != NGX_INVALID_FILE
        && !ngx_http_ilert_courier_is_there(co->lock, co->lock_name))
    {
        (void) ngx_close_file(co->lock);
        co->lock = NGX_INVALID_FILE;
    }

    if (co->fifo != NGX_INVALID_FILE
        && !ngx_http_ilert_courier_is_there(co->fifo, co->fifo_name))
    {
        (void) ngx_close_file(co->fifo);
        co->fifo = NGX_INVALID_FILE;
        another = 1;
    }

    if (co->lock == NGX_INVALID_FILE) {
        co->lock = open((char *) co->lock_name,
                        O_RDWR|O_CREAT|O_NONBLOCK|O_CLOEXEC, 0600);

        if (co->lock == NGX_INVALID_FILE) {
            ngx_http_ilert_courier_fault(co, ngx_open_file_n, co->lock_name);
            return NGX_ERROR;
        }
    }

    if (co->fifo == NGX_INVALID_FILE) {

        if (mkfifo((char *) co->fifo_name, 0600) == -1
            && ngx_errno != NGX_EEXIST)
        {
            ngx_http_ilert_courier_fault(co, "mkfifo()", co->fifo_name);
            return NGX_ERROR;
        }

        co->fifo = open((char *) co->fifo_name, O_RDWR|O_NONBLOCK|O_CLOEXEC);

        if (co->fifo == NGX_INVALID_FILE) {
            ngx_http_ilert_courier_fault(co, ngx_open_file_n, co->fifo_name);
            return NGX_ERROR;
        }

        if (another) {

            /* nobody may have read what was written to the other one */

            ngx_http_ilert_courier_wake();
        }
    }

    co->fault = 0;

    return NGX_OK;
}


/*
 * Another worker is the courier.  If it stands still its lock file is removed:
 * who makes it anew, this worker or another one, takes its place.
 */

static void
ngx_http_ilert_courier_watch(ngx_http_ilert_courier_t *co)
{
    ngx_pid_t  pid;

    pid = ngx_http_ilert_courier_is_silent(co, NGX_HTTP_ILERT_LIFE_SILENT);

    if (pid == 0) {
        return;
    }

    if (ngx_http_ilert_life_tell()) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "ilert queue \"%V\": the courier, process %P, gives no "
                      "sign of life, nothing is delivered",
                      &co->conf->path, pid);
    }

    if (!ngx_http_ilert_courier_is_silent(co, NGX_HTTP_ILERT_LIFE_STILL)
        || !ngx_http_ilert_life_claim())
    {
        return;
    }

    if (ngx_delete_file(co->lock_name) == NGX_FILE_ERROR) {
        ngx_http_ilert_courier_fault(co, ngx_delete_file_n, co->lock_name);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert queue \"%V\": process %P has given no sign of life "
                  "for 10 seconds, another worker takes its place",
                  &co->conf->path, pid);

    if (ngx_http_ilert_courier_open(co) == NGX_OK) {
        (void) ngx_http_ilert_courier_try(co);
    }
}


/* its number, or 0; of one of another master nothing is known */

static ngx_pid_t
ngx_http_ilert_courier_is_silent(ngx_http_ilert_courier_t *co,
    ngx_msec_t time)
{
    ngx_int_t  locked;
    ngx_pid_t  pid;

    pid = ngx_http_ilert_life_silent(time);

    if (pid == 0) {
        return 0;
    }

    locked = ngx_http_ilert_courier_pid(co);

    return (locked <= 0 || locked == pid) ? pid : 0;
}


/* who has the lock, by the number that is in its file, or NGX_ERROR */

static ngx_int_t
ngx_http_ilert_courier_pid(ngx_http_ilert_courier_t *co)
{
    u_char   buf[NGX_INT_T_LEN];
    ssize_t  n;

    if (co->lock == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    n = pread(co->lock, buf, sizeof(buf), 0);

    return (n > 0) ? ngx_atoi(buf, n) : NGX_ERROR;
}


static void
ngx_http_ilert_courier_fault(ngx_http_ilert_courier_t *co, const char *what,
    u_char *name)
{
    /* of the folder itself the store will say more */

    if (ngx_errno == NGX_ENOENT || ngx_errno == NGX_EACCES) {
        return;
    }

    if (!co->fault) {
        co->fault = 1;

        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "%s \"%s\" failed, nothing that waits is delivered",
                      what, name);
    }
}


/* NGX_DECLINED: another worker is the courier */

static ngx_int_t
ngx_http_ilert_courier_try(ngx_http_ilert_courier_t *co)
{
    ngx_file_info_t  fi;

    if (co->inflight || ngx_http_ilert_queue_verdicts()) {

        /* this worker was the courier, and its last deliveries are not over */

        return NGX_DECLINED;
    }

    if (flock(co->lock, LOCK_EX|LOCK_NB) == -1) {
        return NGX_DECLINED;
    }

    /* another one may have made a new file since it was opened */

    if (!ngx_http_ilert_courier_is_there(co->lock, co->lock_name)
        || ngx_fd_info(co->lock, &fi) == NGX_FILE_ERROR
        || ngx_http_ilert_courier_listen(co) != NGX_OK)
    {
        (void) flock(co->lock, LOCK_UN);
        return NGX_ERROR;
    }

    co->device = fi.st_dev;
    co->inode = fi.st_ino;

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "ilert queue \"%V\": this worker delivers",
                  &co->conf->path);

    ngx_http_ilert_courier_begin(co);

    return NGX_OK;
}


static void
ngx_http_ilert_courier_begin(ngx_http_ilert_courier_t *co)
{
    u_char                     buf[NGX_INT64_LEN];
    ssize_t                    n;
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    co->active = 1;
    co->begin = 1;
    co->cleaning = 1;
    co->moving = 1;
    co->woken = 1;
    co->term = 0;
    co->seat = ngx_http_ilert_life_sit();

    /*
     * for those who ask whether there is a courier; the file does not change
     * its size, so that there is room for it on a full disk
     */

    n = ngx_sprintf(buf, "%010P", ngx_pid) - buf;

    if (pwrite(co->lock, buf, n, 0) != n) {
        ngx_log_debug1(NGX_LOG_DEBUG_CORE, ngx_cycle->log, ngx_errno,
                       "pwrite() \"%s\" failed", co->lock_name);
    }

    /* another one may have died */

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        sources[i]->counters->inflight = 0;
        co->homes[i].after = 0;
    }

    ngx_http_ilert_heartbeat_begin(co->seat);

    ngx_add_timer(&co->clean, NGX_HTTP_ILERT_COURIER_CLEAN);

    /* what has made events wait may have been mended in the configuration */

    ngx_http_ilert_courier_release(co, NULL);
    ngx_http_ilert_queue_run();
}


/*
 * With a connection that is idle the core tells us at once when the worker
 * is to exit.
 */

static ngx_int_t
ngx_http_ilert_courier_listen(ngx_http_ilert_courier_t *co)
{
    ngx_fd_t           fd;
    ngx_connection_t  *c;

    fd = open((char *) co->fifo_name, O_RDWR|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        ngx_http_ilert_courier_fault(co, ngx_open_file_n, co->fifo_name);
        return NGX_ERROR;
    }

    ngx_http_ilert_connections_lend();

    c = ngx_get_connection(fd, ngx_cycle->log);

    ngx_http_ilert_connections_keep();

    if (c == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    c->data = co;
    c->idle = 1;
    c->log = ngx_cycle->log;

    c->read->handler = ngx_http_ilert_courier_fifo_handler;
    c->read->log = c->log;
    c->write->log = c->log;

    /* it may be open when the worker exits */

    c->read->channel = 1;
    c->write->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    co->connection = c;

    return NGX_OK;
}


static void
ngx_http_ilert_courier_fifo_handler(ngx_event_t *rev)
{
    u_char                     buf[512];
    ssize_t                    n;
    ngx_connection_t          *c;
    ngx_http_ilert_courier_t  *co;

    c = rev->data;
    co = c->data;

    if (c->close) {
        ngx_http_ilert_courier_leave(co);
        return;
    }

    do {
        n = read(c->fd, buf, sizeof(buf));
    } while (n == sizeof(buf));

    ngx_http_ilert_courier_more(co, 1);
}


static void
ngx_http_ilert_courier_wake(void)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->active && !co->leaving) {
        return;
    }

    /* if it is full the courier has enough to read */

    if (co->fifo != NGX_INVALID_FILE && write(co->fifo, "", 1) == -1
        && ngx_errno != NGX_EAGAIN)
    {
        ngx_http_ilert_courier_fault(co, "write()", co->fifo_name);
    }
}


static void
ngx_http_ilert_courier_obey(void)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->active && !co->leaving) {
        ngx_http_ilert_courier_more(co, 1);
        ngx_http_ilert_courier_go(co);
        return;
    }

    ngx_http_ilert_courier_wake();
}


/* if there is none this worker is the one, unless others have the lock */

ngx_uint_t
ngx_http_ilert_courier_runs(void)
{
    ngx_int_t                  pid;
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (ngx_http_ilert_courier_is_current(co)) {
        return 1;
    }

    if (co->active || ngx_http_ilert_courier_open(co) != NGX_OK) {
        return 0;
    }

    if (!ngx_exiting && ngx_http_ilert_courier_try(co) == NGX_OK) {
        return 1;
    }

    pid = ngx_http_ilert_courier_pid(co);

    return pid > 0 && (kill(pid, 0) == 0 || ngx_errno != ESRCH)
           && !ngx_http_ilert_courier_silent();
}


ngx_pid_t
ngx_http_ilert_courier_silent(void)
{
    return ngx_http_ilert_courier_is_silent(&ngx_http_ilert_courier,
                                            NGX_HTTP_ILERT_LIFE_SILENT);
}


/* no event has to wait for a time, of the endpoint or, without one, of any */

static void
ngx_http_ilert_courier_release(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        if (endpoint == NULL || sources[i]->endpoint == endpoint) {
            sources[i]->courier->release = 1;
            sources[i]->courier->more = 1;
        }
    }
}


/* there may be events of any source */

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


/* by an order: nothing is waited for any longer, but for what limits a key */

static void
ngx_http_ilert_courier_resume(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_courier_key_t  *ck;

    source->courier->resumed = source->counters->resumed;
    source->courier->release = 1;

    ck = source->shared->courier;

    if (!ck->tight) {
        ck->faults = 0;
        ck->pauses++;
    }
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

    /* those who ask want to know of them, whoever delivers */

    job->budgets = co->budgets;
    job->nbudgets = co->nbudgets;

    co->prepared = co->active ? co->seat : 0;

    if (!co->active) {
        return;
    }

    job->term = co->term;
    job->mark = ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_THREAD);

    job->lock = co->lock_name;
    job->lock_device = co->device;
    job->lock_inode = co->inode;

    job->takes = co->takes;
    job->release = co->release;
    job->ids = co->ids;
    job->nids = NGX_HTTP_ILERT_COURIER_RESOLVES;

    if (co->leaving || ngx_http_ilert_courier_rests(co, job)) {
        return;
    }

    job->begin = co->begin;
    job->clean = co->cleaning;
    job->longest = co->longest;

    co->woken = 0;

    /* with each cleaning, too: an earlier release may have made strays */

    if (co->moving || co->cleaning) {
        job->homes = co->homes;
        job->nhomes = co->imcf->sources.nelts;
    }

    if (job->begin) {
        job->deadly = co->deadly;
        job->ndeadly = ngx_http_ilert_life_deadly(co->deadly);
    }

    if (job->now < co->now) {

        /* the clock was set back: what is on disk is put right */

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
 * No loop goes round without progress, whatever its reason: as long as nobody
 * has something new the next job comes later after each one that has changed
 * nothing.
 */

static ngx_uint_t
ngx_http_ilert_courier_rests(ngx_http_ilert_courier_t *co,
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
        ngx_http_ilert_courier_set_wait(co, left);
    }

    return 1;
}


/* the next job has to wait for longer if this one has changed nothing */

static void
ngx_http_ilert_courier_rest(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_store_job_t *job)
{
    /* only jobs that follow each other soon make a loop */

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
 * "more" is cleared here and not when the job is done: what is committed
 * meanwhile sets it again.
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

    pause = ngx_http_ilert_courier_pause(source);

    if (pause == 0) {
        pause = ngx_http_ilert_courier_budget_pause(source);
    }

    if (pause) {
        ngx_http_ilert_courier_set_wait(co, pause);
        return;
    }

    n = ngx_http_ilert_courier_may_take(source);

    if (n == 0) {
        return;
    }

    co->taking[job->ntakes] = source;
    take = &co->takes[job->ntakes++];

    take->source = source->name;
    take->native = source->native;
    take->n = n;
    take->max_age = source->policy.max_age;
    take->policy = source->policy;
    take->budgets[0] = source->shared->courier->budget;
    take->budgets[1] = source->endpoint->courier->budget;

    cs->more = 0;
    cs->fresh = 0;
    cs->urgent = source->counters->urgent;
    cs->pauses = ngx_http_ilert_courier_pauses(source);
    cs->orders = source->counters->orders;
}


/*
 * How many events of the source may be taken.  No more than can be sent at
 * once: the next most urgent one may be yet to come, and what waits on disk
 * can still become obsolete.  But where they are gone in no time the disk must
 * not be what they wait for.
 */

static ngx_uint_t
ngx_http_ilert_courier_may_take(ngx_http_ilert_source_t *source)
{
    ngx_uint_t                        n, has;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    has = cs->nready + cs->inflight;

    if (ngx_current_msec - cs->taken > NGX_HTTP_ILERT_COURIER_SOON) {
        cs->most = 0;
    }

    cs->most = ngx_max(cs->most, source->policy.concurrency);
    n = cs->most;

    /* those that wait for a probe's outcome wait on disk */

    if (ngx_http_ilert_courier_is_tight(source->shared)
        || ngx_http_ilert_courier_is_down(source->endpoint->courier))
    {
        n = 1;
    }

    return (has < n) ? n - has : 0;
}


/* there may be events that could not be taken for want of a budget */

static ngx_uint_t
ngx_http_ilert_courier_is_spent(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_store_budget_t  *budget;

    budget = source->endpoint->courier->budget;

    return source->shared->courier->budget->next || (budget && budget->next);
}


/* how many ms it takes until there is a budget for the next request */

static ngx_msec_int_t
ngx_http_ilert_courier_budget_pause(ngx_http_ilert_source_t *source)
{
    int64_t                         pause, now;
    ngx_http_ilert_store_budget_t  *budget;

    now = ngx_http_ilert_clock_now();

    pause = source->shared->courier->budget->next - now;
    budget = source->endpoint->courier->budget;

    if (budget) {
        pause = ngx_max(pause, budget->next - now);
    }

    return (ngx_msec_int_t) ngx_max(ngx_min(pause,
                                            NGX_HTTP_ILERT_COURIER_CLEAN), 0);
}


static void
ngx_http_ilert_courier_take(ngx_http_ilert_store_job_t *job)
{
    int64_t                           timer;
    ngx_uint_t                        i;
    ngx_http_ilert_source_t          *source;
    ngx_http_ilert_courier_t         *co;
    ngx_http_ilert_courier_source_t  *cs;

    co = &ngx_http_ilert_courier;

    if (!co->active || co->prepared != co->seat) {

        /* the job was not of the courier, or of an earlier time as courier */

        ngx_http_ilert_queue_free(&job->taken, 0);
        ngx_http_ilert_queue_free(&job->buried, 0);

        if (co->active && co->leaving) {
            ngx_http_ilert_courier_left(co);
        }

        return;
    }

    if (job->over) {
        ngx_http_ilert_courier_step_down(co);
        return;
    }

    ngx_http_ilert_courier_begun(co, job);

    for (i = 0; i < job->ntakes; i++) {
        source = co->taking[i];
        cs = source->courier;

        if (!job->decided || ngx_http_ilert_courier_is_spent(source)) {
            cs->more = 1;
        }

        /* what an order has said meanwhile the job does not know */

        if (job->decided) {
            ngx_http_ilert_counters_set_paused(source->counters, cs->orders,
                                               job->takes[i].paused);
            ngx_http_ilert_counters_add(source->counters->coalesced,
                                        job->takes[i].coalesced);
            ngx_http_ilert_counters_add(source->counters->dead,
                                        job->takes[i].expired);
        }

        if (job->takes[i].more) {
            cs->more = 1;

            if (cs->nready == 0 && cs->inflight == 0
                && ngx_current_msec - cs->taken <= NGX_HTTP_ILERT_COURIER_SOON)
            {
                cs->most = ngx_min(2 * cs->most, NGX_HTTP_ILERT_COURIER_READY);
            }
        }
    }

    if (job->decided) {

        if (job->clean) {
            co->cleaning = job->more;
        }

        if (job->nhomes) {
            co->moving = job->moving;
        }

        for (i = 0; i < job->nhomes; i++) {
            job->homes[i].after = job->homes[i].next;
        }

        for (i = 0; i < job->resolved; i++) {
            co->ids[i] = ngx_http_ilert_clock_number();
        }
    }

    for (i = 0; i < job->nrelease; i++) {
        source = co->releasing[i];
        source->courier->more = 1;

        if (!job->decided || job->held) {
            source->courier->release = 1;
        }
    }

    ngx_http_ilert_courier_taken(co, job);

    if (co->leaving) {
        ngx_http_ilert_courier_left(co);
        return;
    }

    ngx_http_ilert_courier_rest(co, job);

    if (job->due) {
        timer = job->due - ngx_http_ilert_clock_now();

        /* farther away than any: the clock was set back since the job began */

        if (timer > co->longest) {
            timer = 1;
        }

        ngx_http_ilert_courier_set_wait(co, timer > 0 ? timer : 1);
    }

    ngx_http_ilert_courier_go(co);
}


/* the store has given this courier its number */

static void
ngx_http_ilert_courier_begun(ngx_http_ilert_courier_t *co,
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

    ngx_http_ilert_courier_buried(co, job);
}


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


static void
ngx_http_ilert_courier_taken(ngx_http_ilert_courier_t *co,
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
               != ngx_http_ilert_courier_pauses(source))
        {
            source->courier->more = 1;
            ngx_http_ilert_courier_give_back(se);
            continue;
        }

        se->next = job->now;

        ngx_queue_insert_tail(&source->courier->ready, link);
        source->courier->nready++;
        source->courier->taken = ngx_current_msec;
    }
}


/* sends what may be sent now */

static void
ngx_http_ilert_courier_go(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t                        i;
    ngx_http_ilert_source_t          *source, **sources;
    ngx_http_ilert_courier_source_t  *cs;

    if (!ngx_http_ilert_courier_is_current(co)) {
        ngx_http_ilert_courier_lost(co);
        return;
    }

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        source = sources[i];
        cs = source->courier;

        if (cs->nready && source->counters->paused) {
            ngx_http_ilert_courier_return_source(source);
        }

        while (cs->nready && cs->inflight < source->policy.concurrency
               && !ngx_http_ilert_courier_is_probed(source))
        {
            if (!ngx_http_ilert_request_has_room()) {

                /* as many as there is room for are under way */

                ngx_http_ilert_courier_set_wait(co,
                                             NGX_HTTP_ILERT_COURIER_CROWDED);
                break;
            }

            ngx_http_ilert_courier_deliver(co, source);
        }

        if (cs->more && cs->nready < NGX_HTTP_ILERT_COURIER_LOW) {
            ngx_http_ilert_courier_flush(co);
        }
    }
}


/*
 * How many ms the source has to wait before its next request; -1 until the
 * outcome of one that is under way, which then wakes it.
 */

static ngx_msec_int_t
ngx_http_ilert_courier_pause(ngx_http_ilert_source_t *source)
{
    ngx_msec_int_t                      pause, probe;
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ck = source->shared->courier;
    ce = source->endpoint->courier;

    if (ngx_http_ilert_courier_is_probed(source)) {
        return -1;
    }

    pause = ngx_http_ilert_courier_crowd_pause(&ngx_http_ilert_courier);

    if (ck->faults) {
        pause = ngx_max(ngx_http_ilert_courier_key_pause(source), pause);
    }

    if (ngx_http_ilert_courier_is_down(ce)) {

        probe = ce->until - ngx_current_msec;

        if (source->courier->fresh) {
            probe = ngx_min(probe, (ngx_msec_int_t)
                                   (ce->probed + 2 * source->policy.retry_first
                                    - ngx_current_msec));
        }

        pause = ngx_max(pause, probe);
    }

    return pause;
}


static ngx_msec_int_t
ngx_http_ilert_courier_key_pause(ngx_http_ilert_source_t *source)
{
    ngx_msec_int_t                 pause, probe;
    ngx_http_ilert_courier_key_t  *ck;

    ck = source->shared->courier;

    pause = ck->until - ngx_current_msec;

    if (ck->parked && source->courier->urgent != source->counters->urgent) {
        probe = ck->probed + NGX_HTTP_ILERT_COURIER_URGENT - ngx_current_msec;
        pause = ngx_min(pause, probe);
    }

    return pause;
}


static ngx_msec_int_t
ngx_http_ilert_courier_crowd_pause(ngx_http_ilert_courier_t *co)
{
    ngx_msec_int_t  left;

    left = co->until - ngx_current_msec;

    if (left <= 0) {
        co->crowded = 0;
    }

    return co->crowded ? left : 0;
}


/* there is one request for all, whose outcome they wait for */

static ngx_uint_t
ngx_http_ilert_courier_is_probed(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ck = source->shared->courier;
    ce = source->endpoint->courier;

    return (ngx_http_ilert_courier_is_tight(source->shared) && ck->inflight)
           || (ngx_http_ilert_courier_is_down(ce) && ce->inflight);
}


/*
 * Others use the key, too, if there was an answer of 429: until there has
 * been none for as long as a window takes, one request at a time finds out
 * what is left to us.
 */

static ngx_uint_t
ngx_http_ilert_courier_is_tight(ngx_http_ilert_key_t *key)
{
    ngx_http_ilert_courier_key_t  *ck;

    ck = key->courier;

    if (ck->tight && ngx_current_msec - ck->limited > key->rate.window) {
        ck->tight = 0;
    }

    return ck->faults || ck->tight;
}


/* what is taken when a pause begins is not sent after its end, or with it */

static ngx_uint_t
ngx_http_ilert_courier_pauses(ngx_http_ilert_source_t *source)
{
    return source->shared->courier->pauses + source->endpoint->courier->pauses
           + ngx_http_ilert_courier.pauses;
}


static void
ngx_http_ilert_courier_set_wait(ngx_http_ilert_courier_t *co,
    ngx_msec_int_t timer)
{
    if (timer == -1) {
        return;
    }

    timer = ngx_min(timer, NGX_HTTP_ILERT_COURIER_CLEAN);

    if (co->wait.timer_set
        && (ngx_msec_int_t) (co->wait.timer.key - ngx_current_msec) <= timer)
    {
        return;
    }

    ngx_add_timer(&co->wait, timer);
}


static void
ngx_http_ilert_courier_deliver(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    ngx_queue_t                      *link;
    ngx_http_ilert_store_event_t     *se;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    link = ngx_queue_head(&cs->ready);
    ngx_queue_remove(link);
    cs->nready--;

    se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

    if (ngx_http_ilert_courier_has_aged(source, se)) {
        ngx_http_ilert_courier_give_back(se);
        cs->more = 1;
        ngx_http_ilert_courier_flush(co);
        return;
    }

    if (se->native != source->native) {

        if (!cs->changed) {
            cs->changed = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "ilert source \"%V\": events wait that are of the "
                          "other kind, made for %s", &source->name,
                          se->native ? "a webhook URL" : "an integration key");
        }

        se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;
        se->next = ngx_http_ilert_clock_now()
                   + NGX_HTTP_ILERT_COURIER_PARK_MAX;

        ngx_http_ilert_courier_decide(se);
        ngx_http_ilert_courier_flush(co);
        return;
    }

    if (ngx_http_ilert_courier_send(co, source, se) != NGX_OK) {

        /* no memory */

        ngx_http_ilert_courier_give_back(se);
        ngx_http_ilert_courier_crowd(co);
        cs->more = 1;
        ngx_http_ilert_courier_flush(co);
    }
}


/* it was not too old when it was taken: what is to be done the store knows */

static ngx_uint_t
ngx_http_ilert_courier_has_aged(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_event_t *se)
{
    int64_t  end;

    if (source->policy.max_age == 0) {
        return 0;
    }

    end = se->said.received + source->policy.max_age;

    return end > se->next && end <= ngx_http_ilert_clock_now();
}


static ngx_int_t
ngx_http_ilert_courier_send(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se)
{
    size_t                              size;
    ngx_int_t                           rc;
    volatile int64_t                   *mark;
    ngx_http_ilert_event_t             *ev;
    ngx_http_ilert_courier_delivery_t  *cd;

    size = sizeof(ngx_http_ilert_courier_delivery_t);

    if (se->body.len == 0) {
        size += ngx_http_ilert_event_silent_size(&se->key);
    }

    cd = ngx_calloc(size, ngx_cycle->log);
    if (cd == NULL) {
        return NGX_ERROR;
    }

    cd->stored = se;
    cd->seat = co->seat;
    se->data = cd;

    ev = &cd->event;

    ev->source = source;
    ev->type = se->said.type;
    ev->level = se->said.level;
    ev->alert_key = se->key;
    ev->body = se->body;

    if (ev->body.len == 0) {
        ev->body.data = (u_char *) cd
                        + sizeof(ngx_http_ilert_courier_delivery_t);
        ngx_http_ilert_event_silent(ev, source->native,
                                    source->policy.resolve_after,
                                    ngx_time(), (u_char *) cd + size);
    }

    ev->received = se->said.received;
    ev->number = se->id;
    ev->id.data = cd->id;
    ev->id.len = ngx_sprintf(cd->id, "%uL", se->id) - cd->id;

    mark = ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_LOOP);
    *mark = se->seq;

    rc = ngx_http_ilert_request_send(ev, se->attempts + 1,
                                     ngx_http_ilert_courier_done, cd);

    *mark = 0;

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    co->inflight++;
    source->courier->inflight++;
    source->counters->inflight = source->courier->inflight;
    source->shared->courier->inflight++;
    source->shared->courier->probed = ngx_current_msec;
    source->endpoint->courier->inflight++;
    source->endpoint->courier->probed = ngx_current_msec;

    return NGX_OK;
}


static void
ngx_http_ilert_courier_done(ngx_http_ilert_request_t *ir)
{
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_courier_t           *co;
    ngx_http_ilert_courier_delivery_t  *cd;

    cd = ir->data;
    co = &ngx_http_ilert_courier;
    source = ir->event->source;

    co->inflight--;
    source->courier->inflight--;
    source->shared->courier->inflight--;
    source->endpoint->courier->inflight--;

    if (!ngx_http_ilert_courier_may_send(ir)) {

        /* another worker is the courier: this verdict does not count */

        ngx_http_ilert_courier_drop(co, cd);
        return;
    }

    source->counters->inflight = source->courier->inflight;

    ngx_http_ilert_courier_at(ir, 1);

    ngx_http_ilert_courier_verdict(ir, cd);

    ngx_http_ilert_courier_at(ir, 0);

    ngx_http_ilert_courier_decide(cd->stored);

    /* the alert may have more events */

    source->courier->more = 1;

    if (!co->leaving) {
        ngx_http_ilert_courier_go(co);
    }

    ngx_http_ilert_courier_flush(co);
}


static void
ngx_http_ilert_courier_verdict(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_courier_delivery_t *cd)
{
    ngx_str_t                      error;
    ngx_msec_int_t                 pause;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    se = cd->stored;
    source = ir->event->source;

    error.data = cd->error;
    error.len = 0;

    if (ir->outcome.verdict == NGX_HTTP_ILERT_DONE) {
        se->verdict = NGX_HTTP_ILERT_STORE_DONE;
        ngx_http_ilert_courier_delivered(&ngx_http_ilert_courier, source);
        ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
        ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error, 0);
        source->quiet = 0;
        return;
    }

    error.len = ngx_http_ilert_outcome_error(ir->event, &ir->outcome,
                                             cd->error,
                                             cd->error + sizeof(cd->error))
                - cd->error;

    if (ir->outcome.unsent) {
        se->verdict = NGX_HTTP_ILERT_STORE_UNSENT;
        ngx_http_ilert_courier_crowd(&ngx_http_ilert_courier);
        ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
        source->quiet = (source->counters->fault.fault != 0);
        return;
    }

    if (ir->outcome.verdict == NGX_HTTP_ILERT_DEAD) {
        se->verdict = NGX_HTTP_ILERT_STORE_DEAD;
        se->status = ir->outcome.status;
        se->error = error;

        ngx_http_ilert_courier_delivered(&ngx_http_ilert_courier, source);
        ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error, 0);
        ngx_http_ilert_counters_add(source->counters->dead, 1);

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert source \"%V\": event %V is a dead letter: %V",
                      &source->name, &ir->event->id, &error);
        return;
    }

    ngx_http_ilert_counters_add(source->counters->retried, 1);

    if (ir->outcome.given_up) {

        /* ilert may have it, and will get it again */

        se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;
        se->maybe = ir->outcome.sent;
        se->next = ngx_http_ilert_clock_now();
        return;
    }

    ngx_http_ilert_courier_undelivered(ir, se);
    ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
    source->quiet = (source->counters->fault.fault != 0);

    pause = source->shared->courier->until - ngx_current_msec;

    ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error,
                                 (se->refused && pause > 0) ? pause : 0);
}


/*
 * It is nobody's fault but the worker's, and no attempt of the event: all
 * wait, for always the same time.
 */

static void
ngx_http_ilert_courier_crowd(ngx_http_ilert_courier_t *co)
{
    co->crowded = 1;
    co->until = ngx_current_msec + NGX_HTTP_ILERT_COURIER_CROWDED;
    co->pauses++;

    ngx_http_ilert_courier_return(co, NULL, NULL);
}


/* ilert has answered, and has nothing against the source */

static void
ngx_http_ilert_courier_delivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    ngx_uint_t                  down;
    ngx_http_ilert_endpoint_t  *endpoint;

    endpoint = source->endpoint;

    source->shared->courier->faults = 0;

    down = ngx_http_ilert_courier_is_down(endpoint->courier);

    endpoint->courier->faults = 0;
    endpoint->courier->several = 0;
    endpoint->courier->probes = 0;

    if (down) {

        /* what waits has waited for this */

        ngx_http_ilert_courier_release(co, endpoint);
    }
}


static void
ngx_http_ilert_courier_undelivered(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_store_event_t *se)
{
    ngx_msec_t                          pause;
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_courier_endpoint_t  *ce;

    source = ir->event->source;
    ce = source->endpoint->courier;

    se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;

    if (ir->outcome.verdict == NGX_HTTP_ILERT_PARK
        || ir->outcome.status == NGX_HTTP_TOO_MANY_REQUESTS)
    {
        /* it is not the event's fault: the source waits, and the event not */

        pause = ngx_http_ilert_courier_refused(ir);

        if (ir->outcome.verdict != NGX_HTTP_ILERT_PARK) {
            se->pause = pause;
        }

        se->refused = 1;
        se->next = ngx_http_ilert_clock_now();
        return;
    }

    se->maybe = ir->outcome.sent;

    if (ce->faults++ == 0) {
        ce->alert = se->alert;

    } else if (ce->alert != se->alert) {
        ce->several = 1;
    }

    if (ngx_http_ilert_courier_is_down(ce)) {
        ngx_http_ilert_counters_set_down(source->endpoint, 1);
        pause = ngx_http_ilert_courier_pause_endpoint(source);

    } else {
        pause = ngx_http_ilert_courier_back_off(source->policy.retry_first,
                                                source->policy.retry_longest,
                                                se->attempts);
        pause -= ngx_random() % (pause / 4 + 1);
    }

    se->next = ngx_http_ilert_clock_now() + pause;
}


/* what was under way when it went down does not make the pause longer */

static ngx_msec_t
ngx_http_ilert_courier_pause_endpoint(ngx_http_ilert_source_t *source)
{
    ngx_msec_int_t                      left;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ce = source->endpoint->courier;

    left = ce->until - ngx_current_msec;

    if (ce->probes == 0 || left <= 0) {
        left = ngx_http_ilert_courier_back_off(source->policy.retry_first,
                                    ngx_min(source->policy.retry_longest,
                                            NGX_HTTP_ILERT_COURIER_PROBE_MAX),
                                    ce->probes++);
        ce->until = ngx_current_msec + left;
    }

    ce->pauses++;

    ngx_http_ilert_courier_return(&ngx_http_ilert_courier, NULL,
                                  source->endpoint);

    return left;
}


/* the key's fault, or it is used up: returns the pause, 0 if there is one */

static ngx_msec_t
ngx_http_ilert_courier_refused(ngx_http_ilert_request_t *ir)
{
    ngx_msec_t                     pause;
    ngx_http_ilert_key_t          *key;
    ngx_http_ilert_courier_key_t  *ck;

    key = ir->event->source->shared;
    ck = key->courier;

    ck->parked = (ir->outcome.verdict == NGX_HTTP_ILERT_PARK);

    if (ck->parked) {
        pause = ngx_http_ilert_courier_back_off(NGX_HTTP_ILERT_COURIER_PARK,
                                            NGX_HTTP_ILERT_COURIER_PARK_MAX,
                                            ck->faults);

    } else {
        pause = ir->outcome.retry_after
                ? (ngx_msec_t) ir->outcome.retry_after * 1000
                : (ngx_msec_t) ngx_http_ilert_rules_limited(ck->faults,
                                                            key->rate.window);
        ck->limited = ngx_current_msec;
        ck->tight = 1;
    }

    ngx_http_ilert_courier_return(&ngx_http_ilert_courier, key, NULL);

    return ngx_http_ilert_courier_pause_key(ck, pause);
}


static ngx_uint_t
ngx_http_ilert_courier_is_down(ngx_http_ilert_courier_endpoint_t *ce)
{
    return ce->faults >= (ce->several ? NGX_HTTP_ILERT_COURIER_SEVERAL
                                      : NGX_HTTP_ILERT_COURIER_FAULTS);
}


/* requests that were under way when the pause began do not make it longer */

static ngx_msec_t
ngx_http_ilert_courier_pause_key(ngx_http_ilert_courier_key_t *ck,
    ngx_msec_t pause)
{
    if (ck->faults && (ngx_msec_int_t) (ck->until - ngx_current_msec) > 0) {
        return 0;
    }

    ck->until = ngx_current_msec + pause;
    ck->faults++;
    ck->pauses++;

    return pause;
}


/* what is taken and not sent, of the key or of the endpoint, waits on disk */

static void
ngx_http_ilert_courier_return(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_key_t *key, ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {

        if ((key && sources[i]->shared != key)
            || (endpoint && sources[i]->endpoint != endpoint))
        {
            continue;
        }

        ngx_http_ilert_courier_return_source(sources[i]);
    }
}


static void
ngx_http_ilert_courier_return_source(ngx_http_ilert_source_t *source)
{
    ngx_queue_t                      *link;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    while (!ngx_queue_empty(&cs->ready)) {
        link = ngx_queue_head(&cs->ready);
        ngx_queue_remove(link);

        cs->nready--;
        cs->more = 1;

        ngx_http_ilert_courier_give_back(
                ngx_queue_data(link, ngx_http_ilert_store_event_t, queue));
    }
}


/* first, twice that, four times, and so on, up to the longest */

static ngx_msec_t
ngx_http_ilert_courier_back_off(ngx_msec_t first, ngx_msec_t longest,
    ngx_uint_t n)
{
    while (n-- && first < longest) {
        first *= 2;
    }

    return ngx_min(first, longest);
}


/* a job soon, or at once if there is reason for it */

static void
ngx_http_ilert_courier_flush(ngx_http_ilert_courier_t *co)
{
    if (co->inflight == 0 || co->leaving
        || ngx_http_ilert_queue_verdicts() >= NGX_HTTP_ILERT_COURIER_VERDICTS)
    {
        if (!co->flush.posted) {
            ngx_post_event(&co->flush, &ngx_posted_events);
        }

        return;
    }

    if (!co->flush.timer_set) {
        ngx_add_timer(&co->flush, NGX_HTTP_ILERT_COURIER_FLUSH);
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

    if (co->active && !co->leaving) {
        ngx_http_ilert_courier_go(co);
        ngx_http_ilert_courier_more(co, 0);
    }
}


static void
ngx_http_ilert_courier_clean_handler(ngx_event_t *ev)
{
    ngx_http_ilert_courier_t  *co;

    co = &ngx_http_ilert_courier;

    if (co->active && !co->leaving) {
        co->cleaning = 1;
        ngx_add_timer(ev, NGX_HTTP_ILERT_COURIER_CLEAN);

        /* something may wait of which nobody could tell us */

        ngx_http_ilert_courier_more(co, 0);
    }
}


/* the worker exits: nothing new is sent, what is not sent is given back */

static void
ngx_http_ilert_courier_leave(ngx_http_ilert_courier_t *co)
{
    if (co->leaving) {
        return;
    }

    co->leaving = 1;
    co->connection->idle = 0;

    ngx_http_ilert_courier_return(co, NULL, NULL);
    ngx_http_ilert_heartbeat_end();

    ngx_add_timer(&co->grace, NGX_HTTP_ILERT_COURIER_GRACE);

    ngx_http_ilert_queue_run();

    ngx_http_ilert_courier_left(co);
}


static void
ngx_http_ilert_courier_give_back(ngx_http_ilert_store_event_t *se)
{
    se->verdict = NGX_HTTP_ILERT_STORE_UNSENT;

    ngx_http_ilert_courier_decide(se);
}


static void
ngx_http_ilert_courier_decide(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_courier.size -= se->body.len;

    ngx_http_ilert_queue_verdict(se);
}


static void
ngx_http_ilert_courier_grace_handler(ngx_event_t *ev)
{
    ngx_http_ilert_request_give_up(ngx_http_ilert_courier_done);
}


/* lets go of the lock when all verdicts are on disk, or cannot get there */

static void
ngx_http_ilert_courier_left(ngx_http_ilert_courier_t *co)
{
    if (co->inflight || !ngx_http_ilert_queue_settled()) {
        return;
    }

    /* before the next one comes */

    ngx_http_ilert_life_rise(co->seat);

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

    co->active = 0;
    co->begin = 0;

    if (co->connection) {
        ngx_close_connection(co->connection);
        co->connection = NULL;
    }

    (void) ngx_close_file(co->lock);
    co->lock = NGX_INVALID_FILE;
}


/*
 * Another one delivers, or may: what is under way is given up, and what is in
 * hand is forgotten.  It is in the database, where the next one finds it.
 */

static void
ngx_http_ilert_courier_step_down(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t                         i;
    ngx_queue_t                       *ready;
    ngx_http_ilert_source_t          **sources;
    ngx_http_ilert_store_event_t      *se;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ilert queue \"%V\": this worker does not deliver any "
                  "longer", &co->conf->path);

    ngx_http_ilert_heartbeat_end();
    ngx_http_ilert_life_rise(co->seat);
    ngx_http_ilert_courier_close(co);

    ngx_http_ilert_request_give_up(ngx_http_ilert_courier_done);
    ngx_http_ilert_queue_abandon();

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {

        ready = &sources[i]->courier->ready;

        while (!ngx_queue_empty(ready)) {
            se = ngx_queue_data(ngx_queue_head(ready),
                                ngx_http_ilert_store_event_t, queue);
            ngx_queue_remove(&se->queue);

            co->size -= se->body.len;
            ngx_free(se);
        }

        sources[i]->courier->nready = 0;
    }
}


/* not in the middle of something: when all that happens now is over */

static void
ngx_http_ilert_courier_lost(ngx_http_ilert_courier_t *co)
{
    if (co->active && !co->tick.posted) {
        ngx_post_event(&co->tick, &ngx_posted_events);
    }
}


static void
ngx_http_ilert_courier_drop(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_courier_delivery_t *cd)
{
    co->size -= cd->stored->body.len;

    ngx_free(cd->stored);
    ngx_free(cd);

    ngx_http_ilert_courier_lost(co);
}


/* asked in the moment before anything of a request is written */

static ngx_uint_t
ngx_http_ilert_courier_may_send(ngx_http_ilert_request_t *ir)
{
    ngx_http_ilert_courier_t           *co;
    ngx_http_ilert_courier_delivery_t  *cd;

    cd = ir->data;
    co = &ngx_http_ilert_courier;

    if (cd->seat == co->seat && ngx_http_ilert_courier_is_current(co)) {
        return 1;
    }

    ngx_http_ilert_courier_lost(co);

    return 0;
}


/* if the worker dies meanwhile, it is seen at which event */

static void
ngx_http_ilert_courier_at(ngx_http_ilert_request_t *ir, ngx_uint_t begins)
{
    ngx_http_ilert_courier_delivery_t  *cd;

    cd = ir->data;

    if (ngx_http_ilert_life_sits(cd->seat)) {
        *ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_LOOP)
            = begins ? cd->stored->seq : 0;
    }
}

#endif
