
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_queue_answer.h"
#include "ngx_http_ilert_queue_log.h"
#include "ngx_http_ilert_queue_mark.h"
#include "ngx_http_ilert_queue_refused.h"
#include "ngx_http_ilert_queue_wait.h"
#include "ngx_http_ilert_sqlite.h"
#include "ngx_http_ilert_queue_zone.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"


/*
 * How jobs follow one another.  Events, verdicts, orders, and queries are put
 * into lists of the queue as they come.  run() posts a job if none is under
 * way: prepare() moves all lists into the job, and lets the client put in what
 * it wants.  The thread runs the job.  done(), on the event loop, looks at
 * the outcome, posts the next job, and then answers those who wait.
 *
 * - While "busy" is set, store and job belong to the thread.  At any other
 *   time they belong to the event loop.
 * - An event, verdict, order, query, look, or note is either in a list of the
 *   queue or in that of the job.
 * - If a job has failed, its verdicts are put before those that have come
 *   meanwhile: verdicts are committed in their order.  All else is not tried
 *   again; those who wait for it are answered.
 * - "nverdicts" is the number of verdicts of the queue and the job together.
 */


#if (NGX_THREADS)

/* ms until what could not be committed is tried again */

#define NGX_HTTP_ILERT_QUEUE_RETRY     500

/* notes that may wait for a job, at most */

#define NGX_HTTP_ILERT_QUEUE_NOTES     1000

/* ms: a timer that keeps the worker while a job is under way */

#define NGX_HTTP_ILERT_QUEUE_HOLD      60000


/* of a worker */

typedef struct {
    ngx_http_ilert_queue_conf_t        *conf;
    ngx_http_ilert_main_conf_t         *imcf;
    ngx_http_ilert_queue_shctx_t       *sh;
    ngx_http_ilert_queue_client_t      *client;

    ngx_http_ilert_store_t              store;
    ngx_http_ilert_store_job_t          job;
    ngx_atomic_uint_t                   relayed;    /* sh->relayed, of which */
                                                    /* the job tells */

    ngx_thread_pool_t                  *thread_pool;
    ngx_thread_task_t                  *task;

    /* what the next job will have */
    ngx_queue_t                         accepts;
    ngx_queue_t                         orders;
    ngx_queue_t                         queries;
    ngx_queue_t                         looks;
    ngx_queue_t                         notes;
    ngx_uint_t                          nnotes;
    ngx_queue_t                         verdicts;
    ngx_uint_t                          nverdicts;  /* with the job's */
    ngx_uint_t                          njob;       /* the job's alone */

    ngx_http_ilert_queue_refused_t      refused;

    ngx_event_t                         retry;
    ngx_event_t                         hold;
    ngx_event_t                         pause;      /* of "refused" */

    ngx_http_ilert_queue_log_t          log;

    unsigned                            busy:1;     /* the thread has a job */
    unsigned                            pending:1;  /* the job is prepared, */
                                                    /* but not posted */
    unsigned                            prove:1;    /* the next job is run */
                                                    /* even if it is empty, */
                                                    /* to try the database */
    unsigned                            undecided:1;    /* the last job has */
                                                    /* failed */
    unsigned                            abandoned:1;    /* the verdicts of */
                                                    /* the job do not count */
} ngx_http_ilert_queue_t;


static void ngx_http_ilert_queue_end_session(ngx_http_ilert_queue_t *q);
static ngx_uint_t ngx_http_ilert_queue_is_configured(ngx_str_t *name,
    void *data);
static ngx_uint_t ngx_http_ilert_queue_prepare(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_move(ngx_queue_t *to, ngx_queue_t *from);
static void ngx_http_ilert_queue_thread(void *data, ngx_log_t *log);
static void ngx_http_ilert_queue_find_unconfigured(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_done(ngx_event_t *ev);
static void ngx_http_ilert_queue_end_orders(ngx_http_ilert_queue_t *q,
    ngx_queue_t *orders, ngx_uint_t decided);
static void ngx_http_ilert_queue_end_verdicts(ngx_http_ilert_queue_t *q,
    ngx_queue_t *verdicts);
static void ngx_http_ilert_queue_count_urgent(ngx_queue_t *accepts);
static void ngx_http_ilert_queue_retry_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_hold_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_pause_handler(ngx_event_t *ev);


static ngx_http_ilert_queue_t  *ngx_http_ilert_queue;


ngx_int_t
ngx_http_ilert_queue_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_http_ilert_queue_client_t *client)
{
    ngx_slab_pool_t         *shpool;
    ngx_http_ilert_queue_t  *q;

    q = ngx_pcalloc(cycle->pool, sizeof(ngx_http_ilert_queue_t));
    if (q == NULL) {
        return NGX_ERROR;
    }

    shpool = (ngx_slab_pool_t *) conf->shm_zone->shm.addr;

    q->conf = conf;
    q->client = client;
    q->imcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                  ngx_http_ilert_module);
    q->sh = shpool->data;
    q->sh->workers[ngx_process_slot] = ngx_pid;

    q->log.path = &conf->path;
    q->log.counters = q->imcf->counters;
    q->log.shared = &q->sh->trouble;

    ngx_http_ilert_queue_wait_init(q->imcf->counters, q->sh);

    q->store.backend = &ngx_http_ilert_sqlite;
    q->store.path = conf->path;
    q->store.max_size = conf->max_size;
    q->store.mutex = &q->sh->mutex;
    q->store.locked = ngx_http_ilert_life_locked;

    ngx_http_ilert_life_init_process(&q->sh->life, &conf->path);

    q->thread_pool = ngx_thread_pool_get(cycle,
                                         &ngx_http_ilert_queue_pool_name);
    if (q->thread_pool == NULL) {
        return NGX_ERROR;
    }

    q->task = ngx_thread_task_alloc(cycle->pool, 0);
    if (q->task == NULL) {
        return NGX_ERROR;
    }

    q->task->ctx = q;
    q->task->handler = ngx_http_ilert_queue_thread;
    q->task->event.data = q;
    q->task->event.handler = ngx_http_ilert_queue_done;

    ngx_queue_init(&q->accepts);
    ngx_queue_init(&q->orders);
    ngx_queue_init(&q->queries);
    ngx_queue_init(&q->looks);
    ngx_queue_init(&q->notes);
    ngx_queue_init(&q->verdicts);

    ngx_http_ilert_clock_init_event(&q->hold,
                                    ngx_http_ilert_queue_hold_handler, 0);

    /*
     * This timer does not keep a worker that exits: if verdicts are lost,
     * events are sent again, but no event is lost.
     */

    ngx_http_ilert_clock_init_event(&q->retry,
                                    ngx_http_ilert_queue_retry_handler, 1);

    ngx_http_ilert_queue_refused_init(&q->refused);

    ngx_http_ilert_clock_init_event(&q->pause,
                                    ngx_http_ilert_queue_pause_handler, 0);

    /* if the database cannot be opened, this is logged by the first job */

    q->prove = 1;

    ngx_http_ilert_queue = q;

    return NGX_OK;
}


void
ngx_http_ilert_queue_exit_process(void)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return;
    }

    /* after TERM there may be a job that the thread has not come to */

    if (q->busy) {
        ngx_http_ilert_queue_free(&q->job.accepts, 0);
        ngx_http_ilert_queue_free(&q->job.verdicts, 1);
        ngx_http_ilert_queue_free(&q->job.taken, 0);
        ngx_http_ilert_queue_free(&q->job.buried, 0);
        ngx_http_ilert_queue_free_queries(&q->job.queries);
        ngx_http_ilert_queue_free_looks(&q->job.looks);
        ngx_http_ilert_queue_free_notes(&q->job.notes);
        ngx_http_ilert_queue_refused_free(&q->job.refused);
    }

    ngx_http_ilert_queue_refused_free(&q->refused.waiting);

    ngx_http_ilert_queue_free(&q->accepts, 0);
    ngx_http_ilert_queue_free(&q->verdicts, 1);
    ngx_http_ilert_queue_free_queries(&q->queries);
    ngx_http_ilert_queue_free_looks(&q->looks);
    ngx_http_ilert_queue_free_notes(&q->notes);

    ngx_http_ilert_queue_end_session(q);

    ngx_http_ilert_store_close(&q->store);
}


/*
 * The last worker that exits tells the store that the session is over and
 * that the store knows of all relays.  A worker that was killed could not
 * remove its pid, and counts as long as any process has that pid: then the
 * session is not ended, and the next one makes all unknown, which is safe.
 */

static void
ngx_http_ilert_queue_end_session(ngx_http_ilert_queue_t *q)
{
    ngx_pid_t                      pid;
    ngx_uint_t                     i;
    ngx_http_ilert_store_job_t    *job;
    ngx_http_ilert_queue_shctx_t  *sh;

    sh = q->sh;
    sh->workers[ngx_process_slot] = 0;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        pid = (ngx_pid_t) sh->workers[i];

        if (pid && (kill(pid, 0) == 0 || ngx_errno != ESRCH)) {
            return;
        }
    }

    if (!sh->registered || sh->relayed != sh->settled
        || q->store.state != NGX_HTTP_ILERT_STORE_OK)
    {
        return;
    }

    job = &q->job;

    ngx_memzero(job, sizeof(ngx_http_ilert_store_job_t));

    ngx_queue_init(&job->accepts);
    ngx_queue_init(&job->verdicts);
    ngx_queue_init(&job->orders);
    ngx_queue_init(&job->queries);
    ngx_queue_init(&job->looks);
    ngx_queue_init(&job->notes);
    ngx_queue_init(&job->refused);
    ngx_queue_init(&job->taken);

    job->now = ngx_http_ilert_clock_now();
    job->session = sh->session;
    job->end = 1;

    (void) ngx_http_ilert_store_run(&q->store, job);
}


void
ngx_http_ilert_queue_free(ngx_queue_t *events, ngx_uint_t data)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_event_t  *se;

    while (!ngx_queue_empty(events)) {

        link = ngx_queue_head(events);
        ngx_queue_remove(link);

        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

        if (data && se->data) {
            ngx_free(se->data);
        }

        ngx_free(se);
    }
}


ngx_int_t
ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_store_heard_t *heard,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_queue_t        *q;
    ngx_http_ilert_store_event_t  *se;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return ngx_http_ilert_relay(ev, handler, data, pool);
    }

    se = ngx_http_ilert_queue_wait(ev, heard, handler, data, pool);
    if (se == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&q->accepts, &se->queue);

    q->client->submitted(ev->source);

    ngx_http_ilert_queue_run();

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_queue_ask(ngx_http_ilert_store_query_t *query)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&q->queries, &query->queue);

    ngx_http_ilert_queue_run();

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_queue_order(ngx_http_ilert_queue_order_t *order)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return NGX_DECLINED;
    }

    order->order.configured = ngx_http_ilert_queue_is_configured;
    order->order.data = q->imcf;

    ngx_queue_insert_tail(&q->orders, &order->order.queue);

    ngx_http_ilert_queue_run();

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_queue_look(ngx_http_ilert_store_look_t *look)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&q->looks, &look->queue);

    ngx_http_ilert_queue_run();

    return NGX_OK;
}


void
ngx_http_ilert_queue_note(ngx_http_ilert_store_note_t *note)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL || q->nnotes == NGX_HTTP_ILERT_QUEUE_NOTES) {
        ngx_free(note);
        return;
    }

    ngx_queue_insert_tail(&q->notes, &note->queue);
    q->nnotes++;

    ngx_http_ilert_queue_run();
}


void
ngx_http_ilert_queue_keep(ngx_http_ilert_store_refused_t *refused)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return;
    }

    ngx_http_ilert_queue_refused_add(&q->refused, refused);

    ngx_http_ilert_queue_run();
}


/*
 * Is called on the thread, which may read the configuration, since that does
 * not change.
 */

static ngx_uint_t
ngx_http_ilert_queue_is_configured(ngx_str_t *name, void *data)
{
    return ngx_http_ilert_find_source(data, name) != NULL;
}


void
ngx_http_ilert_queue_verdict(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    ngx_queue_insert_tail(&q->verdicts, &se->queue);
    q->nverdicts++;
}


ngx_uint_t
ngx_http_ilert_queue_verdicts(void)
{
    return ngx_http_ilert_queue->nverdicts;
}


void
ngx_http_ilert_queue_abandon(void)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    ngx_http_ilert_queue_free(&q->verdicts, 1);

    /* if a job has verdicts, they are freed when it is done */

    q->abandoned = (q->busy || q->pending);
    q->nverdicts = q->abandoned ? q->njob : 0;
}


ngx_uint_t
ngx_http_ilert_queue_settled(void)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    return !q->busy && (q->nverdicts == 0 || q->undecided);
}


void
ngx_http_ilert_queue_run(void)
{
    ngx_http_ilert_queue_t  *q;

    q = ngx_http_ilert_queue;

    if (q->busy) {
        return;
    }

    /* after a failure the next job waits, unless somebody waits for it */

    if (q->undecided && q->retry.timer_set && ngx_queue_empty(&q->accepts)
        && ngx_queue_empty(&q->orders) && ngx_queue_empty(&q->queries)
        && ngx_queue_empty(&q->looks))
    {
        return;
    }

    if (!q->pending && !ngx_http_ilert_queue_prepare(q)) {
        return;
    }

    q->pending = 0;

    if (ngx_thread_task_post(q->thread_pool, q->task) != NGX_OK) {
        q->pending = 1;

        if (!q->retry.timer_set) {
            ngx_add_timer(&q->retry, NGX_HTTP_ILERT_QUEUE_RETRY);
        }

        return;
    }

    q->busy = 1;
    ngx_add_timer(&q->hold, NGX_HTTP_ILERT_QUEUE_HOLD);
}


/*
 * Makes the job of all that has come in.  Returns 1 if there is something to
 * do, else 0.
 */

static ngx_uint_t
ngx_http_ilert_queue_prepare(ngx_http_ilert_queue_t *q)
{
    ngx_uint_t                      prove;
    ngx_queue_t                    *link;
    ngx_http_ilert_store_job_t     *job;
    ngx_http_ilert_store_event_t   *se;
    ngx_http_ilert_store_query_t   *query;

    job = &q->job;

    ngx_memzero(job, sizeof(ngx_http_ilert_store_job_t));

    job->now = ngx_http_ilert_clock_now();

    ngx_http_ilert_queue_move(&job->accepts, &q->accepts);
    ngx_http_ilert_queue_move(&job->verdicts, &q->verdicts);
    ngx_http_ilert_queue_move(&job->orders, &q->orders);
    ngx_http_ilert_queue_move(&job->queries, &q->queries);
    ngx_http_ilert_queue_move(&job->looks, &q->looks);
    ngx_http_ilert_queue_move(&job->notes, &q->notes);
    q->nnotes = 0;
    ngx_queue_init(&job->refused);
    ngx_queue_init(&job->taken);
    ngx_queue_init(&job->buried);

    if (!q->pause.timer_set) {
        ngx_http_ilert_queue_refused_give(&q->refused, job);
    }

    for (link = ngx_queue_head(&job->accepts);
         link != ngx_queue_sentinel(&job->accepts);
         link = ngx_queue_next(link))
    {
        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);
        ngx_http_ilert_queue_wait_given(se);
    }

    for (link = ngx_queue_head(&job->queries);
         link != ngx_queue_sentinel(&job->queries);
         link = ngx_queue_next(link))
    {
        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);
        job->prove |= query->prove;
    }

    q->njob = q->nverdicts;

    prove = q->prove;
    q->prove = 0;

    q->relayed = q->sh->relayed;
    job->unknown = (q->relayed != q->sh->settled);
    job->session = q->sh->session;
    job->registered = (q->sh->registered != 0);

    q->client->prepare(job);

    return !ngx_queue_empty(&job->accepts) || !ngx_queue_empty(&job->verdicts)
           || !ngx_queue_empty(&job->orders)
           || !ngx_queue_empty(&job->queries)
           || !ngx_queue_empty(&job->looks)
           || !ngx_queue_empty(&job->notes)
           || !ngx_queue_empty(&job->refused)
           || job->ntakes || job->nrelease || job->nhomes || job->begin
           || job->clean || prove;
}


static void
ngx_http_ilert_queue_move(ngx_queue_t *to, ngx_queue_t *from)
{
    ngx_queue_init(to);

    if (!ngx_queue_empty(from)) {
        ngx_queue_add(to, from);
        ngx_queue_init(from);
    }
}


/*
 * Is called on the thread.  As long as the database has no row of this nginx,
 * a mark in the folder says that events of the job may be relayed.
 */

static void
ngx_http_ilert_queue_thread(void *data, ngx_log_t *log)
{
    ngx_http_ilert_queue_t *q = data;

    ngx_uint_t                     marked;
    ngx_http_ilert_store_job_t    *job;
    ngx_http_ilert_store_state_e   state;

    job = &q->job;

    marked = !job->registered
             && ngx_http_ilert_queue_mark_is_set(&q->conf->path);

    job->unknown |= marked;

    state = ngx_http_ilert_store_run(&q->store, job);

    if (marked && job->decided) {
        ngx_http_ilert_queue_mark_clear(&q->conf->path);
    }

    if (!job->accepted && !ngx_queue_empty(&job->accepts)
        && !job->registered && !job->noted)
    {
        ngx_http_ilert_queue_mark_set(&q->conf->path);
    }

    if (state == NGX_HTTP_ILERT_STORE_OK && job->begin && !job->over) {
        ngx_http_ilert_queue_find_unconfigured(q);
    }
}


/*
 * Finds sources that have waiting events, but are not configured; their names
 * are logged on the event loop.
 */

static void
ngx_http_ilert_queue_find_unconfigured(ngx_http_ilert_queue_t *q)
{
    u_char     buf[NGX_HTTP_ILERT_QUEUE_NAMES];
    ngx_str_t  name;

    name.data = buf;
    name.len = 0;

    while (ngx_http_ilert_store_next_source(&q->store, &name, sizeof(buf))
           == NGX_OK)
    {
        if (ngx_http_ilert_find_source(q->imcf, &name)) {
            continue;
        }

        if (ngx_http_ilert_queue_log_unconfigured(&q->log, &name) != NGX_OK) {
            break;
        }
    }
}


/* Is called on the event loop, when the thread has run the job. */

static void
ngx_http_ilert_queue_done(ngx_event_t *ev)
{
    ngx_http_ilert_queue_t *q = ev->data;

    ngx_msec_t   pause;
    ngx_uint_t   accepted, decided, unkept;
    ngx_queue_t  accepts, verdicts, orders, queries, looks;

    q->busy = 0;

    ngx_del_timer(&q->hold);

    accepted = q->job.accepted;

    ngx_http_ilert_queue_move(&accepts, &q->job.accepts);
    ngx_http_ilert_queue_move(&verdicts, &q->job.verdicts);
    ngx_http_ilert_queue_move(&orders, &q->job.orders);
    ngx_http_ilert_queue_move(&queries, &q->job.queries);
    ngx_http_ilert_queue_move(&looks, &q->job.looks);

    ngx_http_ilert_queue_free_notes(&q->job.notes);

    decided = q->job.decided;

    pause = ngx_http_ilert_queue_refused_done(&q->refused, &q->job, &unkept);

    if (pause) {
        ngx_add_timer(&q->pause, pause);
    }

    ngx_http_ilert_queue_log(&q->log, &q->store, &q->job, unkept);

    q->undecided = !q->job.decided;

    if (q->job.decided && q->job.unknown) {
        q->sh->settled = q->relayed;
    }

    if (q->job.decided && q->job.noted) {
        q->sh->registered = 1;
    }

    if (q->store.state == NGX_HTTP_ILERT_STORE_OK && decided
        && (q->job.prove || !ngx_queue_empty(&accepts)))
    {
        ngx_http_ilert_counters_set(q->imcf->counters,
                                    &q->imcf->counters->committed,
                                 q->job.now);
    }

    if ((q->undecided || q->log.troubled) && !q->retry.timer_set) {
        ngx_add_timer(&q->retry, NGX_HTTP_ILERT_QUEUE_RETRY);
    }

    if (decided && !q->job.over && !q->abandoned) {
        q->client->decided(&verdicts);
    }

    ngx_http_ilert_queue_end_verdicts(q, &verdicts);

    if (accepted) {
        ngx_http_ilert_queue_count_urgent(&accepts);
    }

    q->client->done(&q->job);

    if (accepted && !ngx_queue_empty(&accepts)) {
        q->client->committed();
    }

    /* the next job is posted first: the thread works during the answers */

    ngx_http_ilert_queue_run();

    ngx_http_ilert_queue_wait_answer(&accepts, accepted);
    ngx_http_ilert_queue_end_orders(q, &orders, decided);
    ngx_http_ilert_queue_answer_queries(&queries, q->imcf);
    ngx_http_ilert_queue_answer_looks(&looks);
}


/*
 * Ends orders by calling their handlers.  If there is more to do of an order,
 * it goes into the next job instead.
 */

static void
ngx_http_ilert_queue_end_orders(ngx_http_ilert_queue_t *q, ngx_queue_t *orders,
    ngx_uint_t decided)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_order_t  *so;
    ngx_http_ilert_queue_order_t  *order;

    if (ngx_queue_empty(orders)) {
        return;
    }

    while (!ngx_queue_empty(orders)) {

        link = ngx_queue_head(orders);
        ngx_queue_remove(link);

        order = ngx_queue_data(link, ngx_http_ilert_queue_order_t,
                               order.queue);
        so = &order->order;

        if (decided) {
            order->count += so->count;
            order->refused += so->refused;
        }

        if (decided && so->more) {
            so->after[0] = so->next[0];
            so->after[1] = so->next[1];
            ngx_queue_insert_tail(&q->orders, link);
            continue;
        }

        order->failed = !decided;
        order->handler(order);
    }

    q->client->ordered();
    ngx_http_ilert_queue_run();
}


/*
 * Frees the verdicts of a job, if they are on disk or do not count any more.
 * Otherwise they are tried again, before those that have come meanwhile.
 */

static void
ngx_http_ilert_queue_end_verdicts(ngx_http_ilert_queue_t *q,
    ngx_queue_t *verdicts)
{
    if (!q->job.decided && !q->abandoned) {

        if (!ngx_queue_empty(&q->verdicts)) {
            ngx_queue_add(verdicts, &q->verdicts);
        }

        ngx_http_ilert_queue_move(&q->verdicts, verdicts);

        return;
    }

    ngx_http_ilert_queue_free(verdicts, 1);

    q->nverdicts -= q->njob;
    q->abandoned = 0;
}


/*
 * Counts events of the first urgency in shared memory, where the courier,
 * which may be another worker, sees that something urgent has come.
 */

static void
ngx_http_ilert_queue_count_urgent(ngx_queue_t *accepts)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    for (link = ngx_queue_head(accepts);
         link != ngx_queue_sentinel(accepts);
         link = ngx_queue_next(link))
    {
        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

        if (se->urgency == NGX_HTTP_ILERT_CRITICAL_FIRST) {
            source = ngx_http_ilert_queue_wait_source(se);
            ngx_http_ilert_counters_add(source->counters->urgent, 1);
        }
    }
}


static void
ngx_http_ilert_queue_retry_handler(ngx_event_t *ev)
{
    ngx_http_ilert_queue->prove = 1;

    ngx_http_ilert_queue_run();
}


/* As long as this timer is set, the worker does not exit. */

static void
ngx_http_ilert_queue_hold_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_ILERT_QUEUE_HOLD);
}


/* Refused webhooks may be written again. */

static void
ngx_http_ilert_queue_pause_handler(ngx_event_t *ev)
{
    ngx_http_ilert_queue_run();
}


#else

ngx_int_t
ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_store_heard_t *heard,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool)
{
    return ngx_http_ilert_relay(ev, handler, data, pool);
}


ngx_int_t
ngx_http_ilert_queue_ask(ngx_http_ilert_store_query_t *query)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_queue_order(ngx_http_ilert_queue_order_t *order)
{
    return NGX_DECLINED;
}


ngx_int_t
ngx_http_ilert_queue_look(ngx_http_ilert_store_look_t *look)
{
    return NGX_DECLINED;
}


void
ngx_http_ilert_queue_note(ngx_http_ilert_store_note_t *note)
{
    ngx_free(note);
}


void
ngx_http_ilert_queue_keep(ngx_http_ilert_store_refused_t *refused)
{
}

#endif


ngx_http_ilert_store_query_t *
ngx_http_ilert_queue_query(ngx_str_t *source, ngx_str_t *key)
{
    ngx_pool_t                    *pool;
    ngx_http_ilert_store_query_t  *query;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    query = ngx_pcalloc(pool, sizeof(ngx_http_ilert_store_query_t));

    if (query == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    query->pool = pool;
    query->source.len = source->len;
    query->source.data = ngx_pstrdup(pool, source);
    query->key.len = key->len;
    query->key.data = ngx_pstrdup(pool, key);

    if (query->source.data == NULL || query->key.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return query;
}
