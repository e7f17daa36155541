
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
#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"


#if (NGX_THREADS)

/* Kapacitor waits for 30 seconds: it hears from us before that */

#define NGX_HTTP_ILERT_QUEUE_DEADLINE  20000

/* how soon what could not be committed is tried again */

#define NGX_HTTP_ILERT_QUEUE_RETRY     500

/* seconds without a failure after which trouble is over */

#define NGX_HTTP_ILERT_QUEUE_CALM      2

/* seconds between two lines about what is counted */

#define NGX_HTTP_ILERT_QUEUE_LOG_PERIOD  3600

/* a worker stays while a job is under way */

#define NGX_HTTP_ILERT_QUEUE_HOLD      60000

#define NGX_HTTP_ILERT_QUEUE_NAMES     1024

/*
 * Pages of shared memory; another number whenever what is in it changes, so
 * that nobody takes a zone of another release for one of this one
 */

#define NGX_HTTP_ILERT_QUEUE_ZONE      16


/* what is done with events that cannot be committed */

#define NGX_HTTP_ILERT_QUEUE_RELAYS    1
#define NGX_HTTP_ILERT_QUEUE_REFUSES   2


/* in shared memory */

typedef struct {
    pthread_mutex_t                     mutex;      /* of writers */

    /*
     * What ilert shows of an alert is not known after a relay beside the
     * queue: relays so far, and those that the store has heard of.
     */
    ngx_atomic_t                        relayed;
    ngx_atomic_t                        settled;

    /*
     * Of this memory: the store has a row of it as long as there may be relays
     * that the store has not heard of, see .._store_session().
     */
    int64_t                             session;
    ngx_atomic_t                        registered;
    ngx_atomic_t                        workers[NGX_MAX_PROCESSES];
                                                    /* their pids, or 0 */

    ngx_atomic_t                        trouble;    /* as it is logged */
    ngx_atomic_t                        failed;     /* when last, in seconds */

    ngx_http_ilert_life_t               life;
} ngx_http_ilert_queue_shctx_t;


/* a webhook that waits for its event to be committed */

typedef struct {
    ngx_queue_t                         queue;
    ngx_http_ilert_store_event_t       *stored;
    ngx_http_ilert_event_t             *event;
    ngx_http_ilert_answer_handler_pt    handler;
    void                               *data;
    ngx_pool_t                         *pool;
    ngx_msec_t                          deadline;
    int64_t                             submitted;  /* usec */
    unsigned                            given:1;    /* to a job */
} ngx_http_ilert_queue_waiter_t;


/* what is logged by its number now and then */

typedef struct {
    ngx_uint_t                          n;          /* not logged yet */
    time_t                              logged;
} ngx_http_ilert_queue_count_t;


/* of a worker */

typedef struct {
    ngx_http_ilert_queue_conf_t        *conf;
    ngx_http_ilert_main_conf_t         *imcf;
    ngx_http_ilert_queue_shctx_t       *sh;
    ngx_http_ilert_queue_client_t      *client;

    ngx_http_ilert_store_t              store;
    ngx_http_ilert_store_job_t          job;
    ngx_atomic_uint_t                   relayed;    /* that the job settles */

    ngx_thread_pool_t                  *thread_pool;
    ngx_thread_task_t                  *task;

    /* what the next job will have */
    ngx_queue_t                         accepts;
    ngx_queue_t                         orders;
    ngx_queue_t                         queries;
    ngx_queue_t                         verdicts;
    ngx_uint_t                          nverdicts;  /* the job's, too */
    ngx_uint_t                          njob;       /* those of the job */

    ngx_queue_t                         waiters;    /* by deadline */

    ngx_event_t                         deadline;
    ngx_event_t                         retry;
    ngx_event_t                         hold;

    ngx_http_ilert_queue_count_t        expired;
    ngx_http_ilert_queue_count_t        dropped;
    ngx_http_ilert_queue_count_t        silent;
    ngx_http_ilert_queue_count_t        forgotten;
    ngx_http_ilert_queue_count_t        resolved;
    ngx_http_ilert_queue_count_t        coalesced;
    ngx_http_ilert_queue_count_t        damaged;

    unsigned                            busy:1;     /* the thread has a job */
    unsigned                            pending:1;  /* there was no thread */
    unsigned                            probe:1;    /* whether it works */
    unsigned                            undecided:1;    /* the last job */
    unsigned                            abandoned:1;    /* its verdicts are */
    unsigned                            troubled:1; /* we look for its end */
    ngx_atomic_uint_t                   trouble;    /* of this worker, or 0 */

    /* set by the thread: of sources that are not configured, each with */
    /* a zero at its end */
    size_t                              nnames;
    u_char                              names[NGX_HTTP_ILERT_QUEUE_NAMES];
} ngx_http_ilert_queue_t;


static ngx_int_t ngx_http_ilert_queue_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_ilert_queue_init_mutex(pthread_mutex_t *mutex);
static void ngx_http_ilert_queue_end_session(ngx_http_ilert_queue_t *q);
static ngx_http_ilert_store_event_t *ngx_http_ilert_queue_store_event(
    ngx_http_ilert_event_t *ev);
static void ngx_http_ilert_queue_free_queries(ngx_queue_t *queries);
static ngx_uint_t ngx_http_ilert_queue_is_configured(ngx_str_t *name,
    void *data);
static ngx_uint_t ngx_http_ilert_queue_prepare(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_move(ngx_queue_t *to, ngx_queue_t *from);
static void ngx_http_ilert_queue_thread(void *data, ngx_log_t *log);
static void ngx_http_ilert_queue_find_strangers(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_done(ngx_event_t *ev);
static void ngx_http_ilert_queue_obeyed(ngx_http_ilert_queue_t *q,
    ngx_queue_t *orders, ngx_uint_t decided);
static void ngx_http_ilert_queue_answer_queries(ngx_http_ilert_queue_t *q,
    ngx_queue_t *queries);
static void ngx_http_ilert_queue_publish(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_queue_decide(ngx_http_ilert_queue_t *q,
    ngx_queue_t *verdicts);
static ngx_http_ilert_source_t *ngx_http_ilert_queue_source(
    ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_queue_count_urgent(ngx_queue_t *accepts);
static void ngx_http_ilert_queue_answer(ngx_http_ilert_queue_t *q,
    ngx_queue_t *accepts, ngx_uint_t accepted);
static void ngx_http_ilert_queue_accepted(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_queue_waiter_t *w);
static void ngx_http_ilert_queue_refuse(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_queue_waiter_t *w, ngx_http_ilert_store_waits_e waits);
static void ngx_http_ilert_queue_relayed(ngx_http_ilert_answer_t *answer,
    void *data);
static void ngx_http_ilert_queue_late(ngx_http_ilert_queue_waiter_t *w);
static void ngx_http_ilert_queue_finish(ngx_http_ilert_queue_waiter_t *w,
    ngx_uint_t status, const char *result, const char *error);
static void ngx_http_ilert_queue_log(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_log_counts(ngx_http_ilert_queue_t *q);
static ngx_uint_t ngx_http_ilert_queue_count(
    ngx_http_ilert_queue_count_t *count, ngx_uint_t n);
static void ngx_http_ilert_queue_log_trouble(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_log_refusal(ngx_http_ilert_queue_t *q);
static void ngx_http_ilert_queue_retry_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_hold_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_deadline_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_withdraw(ngx_http_ilert_store_event_t *se,
    ngx_uint_t given);
static void ngx_http_ilert_queue_set_deadline(ngx_http_ilert_queue_t *q);


extern ngx_module_t  ngx_thread_pool_module;


static ngx_str_t  ngx_http_ilert_queue_zone_name = ngx_string("ilert_queue");
static ngx_str_t  ngx_http_ilert_queue_pool_name = ngx_string("ilert");

static ngx_http_ilert_queue_t  *ngx_http_ilert_queue;


ngx_int_t
ngx_http_ilert_queue_init(ngx_conf_t *cf, ngx_http_ilert_queue_conf_t *conf)
{
    conf->shm_zone = ngx_shared_memory_add(cf,
                                           &ngx_http_ilert_queue_zone_name,
                                           NGX_HTTP_ILERT_QUEUE_ZONE
                                           * ngx_pagesize,
                                           &ngx_http_ilert_module);
    if (conf->shm_zone == NULL) {
        return NGX_ERROR;
    }

    conf->shm_zone->init = ngx_http_ilert_queue_init_zone;
    conf->shm_zone->data = conf;

    /* in the default pool a commit would wait for others' files */

    return ngx_http_ilert_queue_add_thread(cf,
                                           &ngx_http_ilert_queue_pool_name);
}


static ngx_int_t
ngx_http_ilert_queue_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t               *shpool;
    ngx_http_ilert_queue_shctx_t  *sh;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        return NGX_OK;
    }

    sh = ngx_slab_calloc(shpool, sizeof(ngx_http_ilert_queue_shctx_t));
    if (sh == NULL) {
        return NGX_ERROR;
    }

    shpool->data = sh;

    sh->session = (int64_t) ngx_http_ilert_clock_number();

    if (ngx_http_ilert_queue_init_mutex(&sh->mutex) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "a mutex that is shared and robust is not to be had");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* robust: it must not stay locked when a worker that has it is killed */

static ngx_int_t
ngx_http_ilert_queue_init_mutex(pthread_mutex_t *mutex)
{
    ngx_int_t            rc;
    pthread_mutexattr_t  attr;

    if (pthread_mutexattr_init(&attr) != 0) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0
        && pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0
        && pthread_mutex_init(mutex, &attr) == 0)
    {
        rc = NGX_OK;
    }

    (void) pthread_mutexattr_destroy(&attr);

    return rc;
}


ngx_int_t
ngx_http_ilert_queue_add_thread(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t    *value;
    ngx_conf_t    save;
    ngx_array_t   args;

    if (ngx_thread_pool_get(cf->cycle, name)) {
        return NGX_OK;
    }

    if (ngx_array_init(&args, cf->pool, 3, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    value = ngx_array_push_n(&args, 3);

    ngx_str_set(&value[0], "thread_pool");
    value[1] = *name;
    ngx_str_set(&value[2], "threads=1");

    save = *cf;

    cf->args = &args;

    if (ngx_thread_pool_module.commands[0].set(cf,
                                          &ngx_thread_pool_module.commands[0],
                                          NULL)
        != NGX_CONF_OK)
    {
        *cf = save;
        return NGX_ERROR;
    }

    *cf = save;

    return NGX_OK;
}


void
ngx_http_ilert_queue_create(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf)
{
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ngx_create_dir(conf->path.data, 0700) == NGX_FILE_ERROR
        && ngx_errno != NGX_EEXIST)
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      ngx_create_dir_n " \"%V\" of \"ilert_queue\" failed",
                      &conf->path);
        return;
    }

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || geteuid() != 0) {
        return;
    }

    /* as ngx_create_paths() does, which would not go on after a failure */

    if (ngx_file_info(conf->path.data, &fi) == NGX_FILE_ERROR
        || (fi.st_uid != ccf->user
            && chown((const char *) conf->path.data, ccf->user, -1) == -1)
        || ((fi.st_mode & S_IRWXU) != S_IRWXU
            && chmod((const char *) conf->path.data,
                     (fi.st_mode | S_IRWXU) & 07777) == -1))
    {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      "\"%V\" of \"ilert_queue\" cannot be given to user %d",
                      &conf->path, (int) ccf->user);
    }
}


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
    ngx_queue_init(&q->verdicts);
    ngx_queue_init(&q->waiters);

    ngx_http_ilert_clock_init_event(&q->deadline,
                                    ngx_http_ilert_queue_deadline_handler, 0);
    ngx_http_ilert_clock_init_event(&q->hold,
                                    ngx_http_ilert_queue_hold_handler, 0);

    /* verdicts that are lost are only made again */

    ngx_http_ilert_clock_init_event(&q->retry,
                                    ngx_http_ilert_queue_retry_handler, 1);

    /* whether the database can be opened is seen, and said, at once */

    q->probe = 1;

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

    /* the thread has been joined; after TERM there may be much left */

    if (q->busy) {
        ngx_http_ilert_queue_free(&q->job.accepts, 0);
        ngx_http_ilert_queue_free(&q->job.verdicts, 1);
        ngx_http_ilert_queue_free(&q->job.taken, 0);
        ngx_http_ilert_queue_free(&q->job.buried, 0);
        ngx_http_ilert_queue_free_queries(&q->job.queries);
    }

    ngx_http_ilert_queue_free(&q->accepts, 0);
    ngx_http_ilert_queue_free(&q->verdicts, 1);
    ngx_http_ilert_queue_free_queries(&q->queries);

    ngx_http_ilert_queue_end_session(q);

    ngx_http_ilert_store_close(&q->store);
}


/*
 * The last worker to leave tells the store that no relay is unknown to it; one
 * that was killed counts for as long as its pid is somebody's.
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


static void
ngx_http_ilert_queue_free_queries(ngx_queue_t *queries)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_query_t  *query;

    while (!ngx_queue_empty(queries)) {

        link = ngx_queue_head(queries);
        ngx_queue_remove(link);

        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);

        ngx_destroy_pool(query->pool);
    }
}


ngx_int_t
ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_queue_t         *q;
    ngx_http_ilert_queue_waiter_t  *w;

    q = ngx_http_ilert_queue;

    if (q == NULL) {
        return ngx_http_ilert_relay(ev, handler, data, pool);
    }

    w = ngx_pcalloc(pool, sizeof(ngx_http_ilert_queue_waiter_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    ev->received = ngx_http_ilert_clock_now();

    w->stored = ngx_http_ilert_queue_store_event(ev);
    if (w->stored == NULL) {
        return NGX_ERROR;
    }

    w->event = ev;
    w->handler = handler;
    w->data = data;
    w->pool = pool;
    w->deadline = ngx_current_msec + NGX_HTTP_ILERT_QUEUE_DEADLINE;
    w->submitted = ngx_http_ilert_clock_usec();

    w->stored->data = w;
    w->stored->deadline = w->submitted / 1000 + NGX_HTTP_ILERT_QUEUE_DEADLINE;

    ngx_queue_insert_tail(&q->accepts, &w->stored->queue);
    ngx_queue_insert_tail(&q->waiters, &w->queue);

    ngx_http_ilert_queue_set_deadline(q);

    q->client->submitted(ev->source);

    ngx_http_ilert_queue_run();

    return NGX_OK;
}


/* a copy: the thread may have it in its hands when the webhook is gone */

static ngx_http_ilert_store_event_t *
ngx_http_ilert_queue_store_event(ngx_http_ilert_event_t *ev)
{
    ngx_http_ilert_store_event_t  *se;

    se = ngx_http_ilert_store_event(ev->source->name.len, ev->ilert_key.len,
                                    ev->body.len);
    if (se == NULL) {
        return NULL;
    }

    ngx_memcpy(se->source.data, ev->source->name.data, ev->source->name.len);
    ngx_memcpy(se->key.data, ev->ilert_key.data, ev->ilert_key.len);
    ngx_memcpy(se->body.data, ev->body.data, ev->body.len);

    se->owner = ev->source->shared->name;
    se->id = ev->number;
    se->native = ev->source->native;

    se->said.type = ev->ilert_type;
    se->said.level = ev->level;
    se->said.priority = ev->priority;
    se->said.received = ev->received;

    se->policy = ev->source->policy;

    return se;
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


/* on the thread; the configuration does not change */

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

    /* a job that is not done must not give its verdicts back */

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

    /* after a failure only those who wait for an answer do not wait for it */

    if (q->undecided && q->retry.timer_set && ngx_queue_empty(&q->accepts)
        && ngx_queue_empty(&q->orders) && ngx_queue_empty(&q->queries))
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


/* whether there is anything to do */

static ngx_uint_t
ngx_http_ilert_queue_prepare(ngx_http_ilert_queue_t *q)
{
    ngx_uint_t                      probe;
    ngx_queue_t                    *link;
    ngx_http_ilert_store_job_t     *job;
    ngx_http_ilert_store_event_t   *se;
    ngx_http_ilert_store_query_t   *query;
    ngx_http_ilert_queue_waiter_t  *w;

    job = &q->job;

    ngx_memzero(job, sizeof(ngx_http_ilert_store_job_t));

    job->now = ngx_http_ilert_clock_now();

    ngx_http_ilert_queue_move(&job->accepts, &q->accepts);
    ngx_http_ilert_queue_move(&job->verdicts, &q->verdicts);
    ngx_http_ilert_queue_move(&job->orders, &q->orders);
    ngx_http_ilert_queue_move(&job->queries, &q->queries);
    ngx_queue_init(&job->taken);
    ngx_queue_init(&job->buried);

    for (link = ngx_queue_head(&job->accepts);
         link != ngx_queue_sentinel(&job->accepts);
         link = ngx_queue_next(link))
    {
        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);
        w = se->data;
        w->given = 1;
    }

    for (link = ngx_queue_head(&job->queries);
         link != ngx_queue_sentinel(&job->queries);
         link = ngx_queue_next(link))
    {
        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);
        job->probe |= query->probe;
    }

    q->njob = q->nverdicts;

    probe = q->probe;
    q->probe = 0;

    q->relayed = q->sh->relayed;
    job->unknown = (q->relayed != q->sh->settled);
    job->session = q->sh->session;
    job->registered = (q->sh->registered != 0);

    q->client->prepare(job);

    return !ngx_queue_empty(&job->accepts) || !ngx_queue_empty(&job->verdicts)
           || !ngx_queue_empty(&job->orders)
           || !ngx_queue_empty(&job->queries)
           || job->ntakes || job->nrelease || job->nhomes || job->begin
           || job->clean || probe;
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


/* on the thread, which the event loop leaves alone with store and job */

static void
ngx_http_ilert_queue_thread(void *data, ngx_log_t *log)
{
    ngx_http_ilert_queue_t *q = data;

    if (ngx_http_ilert_store_run(&q->store, &q->job)
        == NGX_HTTP_ILERT_STORE_OK
        && q->job.begin && !q->job.over)
    {
        ngx_http_ilert_queue_find_strangers(q);
    }
}


static void
ngx_http_ilert_queue_find_strangers(ngx_http_ilert_queue_t *q)
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

        if (q->nnames + name.len + 1 > NGX_HTTP_ILERT_QUEUE_NAMES) {
            break;
        }

        q->nnames = ngx_sprintf(q->names + q->nnames, "%V%Z", &name)
                    - q->names;
    }
}


/* on the event loop again */

static void
ngx_http_ilert_queue_done(ngx_event_t *ev)
{
    ngx_http_ilert_queue_t *q = ev->data;

    ngx_uint_t   accepted, decided;
    ngx_queue_t  accepts, verdicts, orders, queries;

    q->busy = 0;

    ngx_del_timer(&q->hold);

    accepted = q->job.accepted;

    ngx_http_ilert_queue_move(&accepts, &q->job.accepts);
    ngx_http_ilert_queue_move(&verdicts, &q->job.verdicts);
    ngx_http_ilert_queue_move(&orders, &q->job.orders);
    ngx_http_ilert_queue_move(&queries, &q->job.queries);

    decided = q->job.decided;

    ngx_http_ilert_queue_log(q);

    q->undecided = !q->job.decided;

    if (q->job.decided && q->job.unknown) {
        q->sh->settled = q->relayed;
    }

    if (q->job.decided && q->job.noted) {
        q->sh->registered = 1;
    }

    if (q->store.state == NGX_HTTP_ILERT_STORE_OK && decided
        && (q->job.probe || !ngx_queue_empty(&accepts)))
    {
        ngx_http_ilert_counters_set(q->imcf->counters,
                                    &q->imcf->counters->committed,
                                 q->job.now);
    }

    if ((q->undecided || q->troubled) && !q->retry.timer_set) {
        ngx_add_timer(&q->retry, NGX_HTTP_ILERT_QUEUE_RETRY);
    }

    ngx_http_ilert_queue_decide(q, &verdicts);

    if (accepted) {
        ngx_http_ilert_queue_count_urgent(&accepts);
    }

    q->client->done(&q->job);

    if (accepted && !ngx_queue_empty(&accepts)) {
        q->client->committed();
    }

    /* the thread works while webhooks are answered */

    ngx_http_ilert_queue_run();

    ngx_http_ilert_queue_answer(q, &accepts, accepted);
    ngx_http_ilert_queue_obeyed(q, &orders, decided);
    ngx_http_ilert_queue_answer_queries(q, &queries);
}


/* an order of which there is more to do goes into the next job */

static void
ngx_http_ilert_queue_obeyed(ngx_http_ilert_queue_t *q, ngx_queue_t *orders,
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


static void
ngx_http_ilert_queue_answer_queries(ngx_http_ilert_queue_t *q,
    ngx_queue_t *queries)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_store_query_t  *query;

    while (!ngx_queue_empty(queries)) {

        link = ngx_queue_head(queries);
        ngx_queue_remove(link);

        query = ngx_queue_data(link, ngx_http_ilert_store_query_t, queue);

        ngx_http_ilert_queue_publish(q, query);

        if (query->handler) {
            query->handler(query);

        } else {
            ngx_destroy_pool(query->pool);
        }
    }
}


/* what was read is known from now on even if the store does not answer */

static void
ngx_http_ilert_queue_publish(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                          i;
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_store_source_t      *read;
    ngx_http_ilert_counters_waiting_t   waiting;

    if (!query->ok || query->probe) {
        return;
    }

    ngx_http_ilert_counters_set(q->imcf->counters, &q->imcf->counters->bytes,
                                query->bytes);

    read = query->sources.elts;

    for (i = 0; i < query->sources.nelts; i++) {

        source = ngx_http_ilert_find_source(q->imcf, &read[i].name);
        if (source == NULL) {
            continue;
        }

        ngx_memcpy(waiting.waiting, read[i].waiting, sizeof(waiting.waiting));
        ngx_memcpy(waiting.oldest, read[i].oldest, sizeof(waiting.oldest));
        waiting.dead = read[i].dead;
        waiting.open = read[i].open;

        ngx_http_ilert_counters_set_waiting(source->counters, &waiting);
    }
}


static void
ngx_http_ilert_queue_decide(ngx_http_ilert_queue_t *q, ngx_queue_t *verdicts)
{
    if (!q->job.decided && !q->abandoned) {

        /* once more, and before later ones */

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


/* of an event that was to be accepted; "data" is its waiter's or that */

static ngx_http_ilert_source_t *
ngx_http_ilert_queue_source(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_queue_waiter_t  *w;

    if (se->withdrawn) {
        return se->data;
    }

    w = se->data;

    return w->event->source;
}


/* the courier, wherever it is, sees by it that something urgent has come */

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
            source = ngx_http_ilert_queue_source(se);
            ngx_http_ilert_counters_add(source->counters->urgent, 1);
        }
    }
}


static void
ngx_http_ilert_queue_answer(ngx_http_ilert_queue_t *q, ngx_queue_t *accepts,
    ngx_uint_t accepted)
{
    ngx_uint_t                      late, withdrawn;
    ngx_queue_t                    *link;
    ngx_http_ilert_source_t        *source;
    ngx_http_ilert_store_event_t   *se;
    ngx_http_ilert_store_waits_e    waits;
    ngx_http_ilert_queue_waiter_t  *w;

    while (!ngx_queue_empty(accepts)) {

        link = ngx_queue_head(accepts);
        ngx_queue_remove(link);

        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);
        w = se->data;
        withdrawn = (se->withdrawn != 0);
        late = se->late;
        waits = se->waits;

        if (accepted && se->coalesced) {
            source = ngx_http_ilert_queue_source(se);
            ngx_http_ilert_counters_add(source->counters->coalesced,
                                        se->coalesced);
        }

        ngx_free(se);

        if (withdrawn) {

            /* answered when its time was over */

            continue;
        }

        ngx_queue_remove(&w->queue);

        if (ngx_queue_empty(&q->waiters)) {
            ngx_del_timer(&q->deadline);
        }

        if (late) {
            ngx_http_ilert_queue_late(w);

        } else if (accepted) {
            ngx_http_ilert_queue_accepted(q, w);

        } else {
            ngx_http_ilert_queue_refuse(q, w, waits);
        }
    }
}


static void
ngx_http_ilert_queue_accepted(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_queue_waiter_t *w)
{
    ngx_http_ilert_counters_observe(&q->imcf->counters->commit,
                                    ngx_http_ilert_counters_commit_buckets,
                                    ngx_http_ilert_clock_usec()
                                    - w->submitted);

    ngx_http_ilert_queue_finish(w, NGX_HTTP_ACCEPTED, "ACCEPTED", "");
}


/*
 * The event is not on disk: it may be sent if it overtakes no other, nor is
 * overtaken, as it may be when this process has stood still for so long that
 * Kapacitor waits no longer.
 */

static void
ngx_http_ilert_queue_refuse(ngx_http_ilert_queue_t *q,
    ngx_http_ilert_queue_waiter_t *w, ngx_http_ilert_store_waits_e waits)
{
    if (ngx_http_ilert_clock_usec() - w->submitted
        >= (int64_t) NGX_HTTP_ILERT_QUEUE_DEADLINE * 1000)
    {
        ngx_http_ilert_queue_late(w);
        return;
    }

    switch (waits) {

    case NGX_HTTP_ILERT_STORE_NONE_WAITS:
        break;

    case NGX_HTTP_ILERT_STORE_WAITS:
        ngx_http_ilert_queue_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "UNAVAILABLE",
                                    "the queue cannot be written to, and "
                                    "earlier events of the alert wait in it");
        return;

    default:
        ngx_http_ilert_queue_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "UNAVAILABLE",
                                    "the queue can be neither written to nor "
                                    "asked for earlier events of the alert");
        return;
    }

    (void) ngx_atomic_fetch_add(&q->sh->relayed, 1);

    if (ngx_http_ilert_relay(w->event, ngx_http_ilert_queue_relayed, w,
                             w->pool)
        != NGX_OK)
    {
        ngx_http_ilert_queue_finish(w, NGX_HTTP_BAD_GATEWAY, "UNAVAILABLE",
                                    "no memory");
    }
}


static void
ngx_http_ilert_queue_relayed(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_http_ilert_queue_waiter_t *w = data;

    /* a job that was begun meanwhile has not settled it */

    (void) ngx_atomic_fetch_add(&ngx_http_ilert_queue->sh->relayed, 1);

    w->handler(answer, w->data);
}


static void
ngx_http_ilert_queue_late(ngx_http_ilert_queue_waiter_t *w)
{
    ngx_http_ilert_queue_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE,
                                "UNAVAILABLE",
                                "the event could not be committed in time");
}


static void
ngx_http_ilert_queue_finish(ngx_http_ilert_queue_waiter_t *w,
    ngx_uint_t status, const char *result, const char *error)
{
    ngx_http_ilert_answer_t  answer;

    answer.status = status;

    answer.result.data = (u_char *) result;
    answer.result.len = ngx_strlen(result);

    answer.error.data = (u_char *) error;
    answer.error.len = ngx_strlen(error);

    w->handler(&answer, w->data);
}


/* one line when trouble begins and one when it ends, of all workers */

static void
ngx_http_ilert_queue_log(ngx_http_ilert_queue_t *q)
{
    u_char  *p;

    if (q->store.notice[0]) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %s", &q->conf->path,
                      q->store.notice);
        q->store.notice[0] = '\0';
    }

    for (p = q->names; p < q->names + q->nnames; p += ngx_strlen(p) + 1) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": events of source \"%s\" wait, but "
                      "it is not configured", &q->conf->path, p);
    }

    q->nnames = 0;

    ngx_http_ilert_queue_log_trouble(q);

    ngx_http_ilert_queue_log_counts(q);
}


/* what is said by its number, at most once an hour */

static void
ngx_http_ilert_queue_log_counts(ngx_http_ilert_queue_t *q)
{
    ngx_uint_t  n;

    n = ngx_http_ilert_queue_count(&q->expired, q->job.expired);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui events are older than "
                      "\"max_age\" and became dead letters",
                      &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->dropped, q->job.dropped);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui dead letters were removed, "
                      "they are kept for 30 days and in a quarter of "
                      "\"max_size\"", &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->damaged, q->job.damaged);

    if (n) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui rows of events were damaged "
                      "and became dead letters", &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->silent, q->job.silent);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts of which nothing was "
                      "heard for 90 days were forgotten, ilert may show them",
                      &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->forgotten, q->job.forgotten);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts that wait for nothing "
                      "were forgotten to make room within \"max_size\"",
                      &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->resolved, q->job.resolved);

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts are resolved by "
                      "\"resolve_after\"", &q->conf->path, n);
    }

    n = ngx_http_ilert_queue_count(&q->coalesced, q->job.coalesced);

    if (n) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui events were coalesced, they "
                      "needed no request", &q->conf->path, n);
    }
}


/* how many are to be logged now */

static ngx_uint_t
ngx_http_ilert_queue_count(ngx_http_ilert_queue_count_t *count, ngx_uint_t n)
{
    count->n += n;

    if (count->n == 0
        || ngx_http_ilert_counters_recent(count->logged,
                                          NGX_HTTP_ILERT_QUEUE_LOG_PERIOD))
    {
        return 0;
    }

    n = count->n;

    count->n = 0;
    count->logged = ngx_time();

    return n;
}


/* where there is hardly any room one worker may fail, and another one not */

static void
ngx_http_ilert_queue_log_trouble(ngx_http_ilert_queue_t *q)
{
    ngx_str_t          error;
    ngx_atomic_uint_t  trouble;

    if (q->store.state != NGX_HTTP_ILERT_STORE_OK) {

        q->troubled = 1;
        q->sh->failed = ngx_time();

        error.data = (u_char *) q->store.error;
        error.len = ngx_strlen(error.data);

        ngx_http_ilert_counters_set_trouble(q->imcf->counters, q->store.state,
                                            &error);

        ngx_http_ilert_queue_log_refusal(q);
        return;
    }

    q->trouble = 0;

    if (ngx_http_ilert_counters_recent((time_t) q->sh->failed,
                                       NGX_HTTP_ILERT_QUEUE_CALM))
    {
        return;
    }

    q->troubled = 0;

    if (q->imcf->counters->trouble) {
        ngx_http_ilert_counters_set_trouble(q->imcf->counters,
                                            NGX_HTTP_ILERT_STORE_OK, NULL);
    }

    trouble = q->sh->trouble;

    if (trouble && ngx_atomic_cmp_set(&q->sh->trouble, trouble, 0)) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": committing again",
                      &q->conf->path);
    }
}


/* when trouble begins, and when it becomes another one in this worker */

static void
ngx_http_ilert_queue_log_refusal(ngx_http_ilert_queue_t *q)
{
    const char         *now, *how;
    ngx_atomic_uint_t   was, trouble;

    if (q->store.asked) {
        trouble = NGX_HTTP_ILERT_QUEUE_RELAYS;
        how = "relayed unless earlier ones of their alert wait";

    } else {
        trouble = NGX_HTTP_ILERT_QUEUE_REFUSES;
        how = "refused";
    }

    was = q->sh->trouble;

    if (was && q->trouble == trouble) {
        return;
    }

    q->trouble = trouble;
    now = was ? "now " : "";

    if (was != trouble && ngx_atomic_cmp_set(&q->sh->trouble, was, trouble)) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %s; %sevents are %s",
                      &q->conf->path, q->store.error, now, how);
    }
}


static void
ngx_http_ilert_queue_retry_handler(ngx_event_t *ev)
{
    ngx_http_ilert_queue->probe = 1;

    ngx_http_ilert_queue_run();
}


/* as long as this is set the worker does not exit */

static void
ngx_http_ilert_queue_hold_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_ILERT_QUEUE_HOLD);
}


static void
ngx_http_ilert_queue_deadline_handler(ngx_event_t *ev)
{
    ngx_queue_t                    *link;
    ngx_http_ilert_queue_t         *q;
    ngx_http_ilert_queue_waiter_t  *w;

    q = ngx_http_ilert_queue;

    while (!ngx_queue_empty(&q->waiters)) {

        link = ngx_queue_head(&q->waiters);
        w = ngx_queue_data(link, ngx_http_ilert_queue_waiter_t, queue);

        if ((ngx_msec_int_t) (w->deadline - ngx_current_msec) > 0) {
            break;
        }

        ngx_queue_remove(link);

        ngx_http_ilert_queue_withdraw(w->stored, w->given);

        ngx_http_ilert_queue_late(w);
    }

    ngx_http_ilert_queue_set_deadline(q);
}


/*
 * The webhook is about to be answered: no commit of the event may begin any
 * more.  One that has begun may still end, and the event is delivered then.
 */

static void
ngx_http_ilert_queue_withdraw(ngx_http_ilert_store_event_t *se,
    ngx_uint_t given)
{
    ngx_http_ilert_queue_waiter_t  *w;

    if (!given) {
        ngx_queue_remove(&se->queue);
        ngx_free(se);
        return;
    }

    /* the waiter is gone with its webhook's request */

    w = se->data;
    se->data = w->event->source;

    (void) ngx_atomic_cmp_set(&se->withdrawn, 0, 1);
}


static void
ngx_http_ilert_queue_set_deadline(ngx_http_ilert_queue_t *q)
{
    ngx_queue_t                    *link;
    ngx_msec_int_t                  timer;
    ngx_http_ilert_queue_waiter_t  *w;

    if (q->deadline.timer_set || ngx_queue_empty(&q->waiters)) {
        return;
    }

    link = ngx_queue_head(&q->waiters);
    w = ngx_queue_data(link, ngx_http_ilert_queue_waiter_t, queue);

    timer = w->deadline - ngx_current_msec;

    ngx_add_timer(&q->deadline, timer > 0 ? timer : 1);
}


#else

ngx_int_t
ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
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

#endif
