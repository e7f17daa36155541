
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_body.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_queue_zone.h"


/*
 * A body of more bytes than this is parsed on the thread.  A body of this size
 * takes 0.3 ms to parse, and 8 ms at worst.
 */

#define NGX_HTTP_ILERT_BODY_LARGE  (256 * 1024)

/* ms: the period of the timer that keeps the worker from exiting */

#define NGX_HTTP_ILERT_BODY_HOLD   60000


typedef struct {
    ngx_http_ilert_body_t            body;
    ngx_http_request_t              *request;
    ngx_http_ilert_body_handler_pt   handler;
    ngx_pool_t                      *pool;
    ngx_uint_t                       posted;    /* it is no webhook */
} ngx_http_ilert_body_job_t;


static size_t ngx_http_ilert_body_size(ngx_http_request_t *r);
static void ngx_http_ilert_body_run(ngx_http_ilert_body_job_t *job,
    ngx_log_t *log);
static ngx_int_t ngx_http_ilert_body_fetch(ngx_http_request_t *r,
    ngx_str_t *text, ngx_pool_t *pool, ngx_log_t *log);
static ngx_int_t ngx_http_ilert_body_fetch_buf(ngx_buf_t *b, u_char *p,
    ngx_log_t *log);

#if (NGX_THREADS)

static ngx_int_t ngx_http_ilert_body_post(ngx_http_request_t *r,
    ngx_uint_t posted, ngx_http_ilert_body_handler_pt handler);
static void ngx_http_ilert_body_free(void *data);
static void ngx_http_ilert_body_thread(void *data, ngx_log_t *log);
static void ngx_http_ilert_body_done(ngx_event_t *ev);
static void ngx_http_ilert_body_hold_handler(ngx_event_t *ev);


static ngx_str_t    ngx_http_ilert_body_pool_name = ngx_string("ilert_body");

/* There is one of these in each worker. */

static ngx_event_t  ngx_http_ilert_body_hold;
static ngx_uint_t   ngx_http_ilert_body_njobs;

#endif


ngx_int_t
ngx_http_ilert_body_init(ngx_conf_t *cf)
{
#if (NGX_THREADS)
    return ngx_http_ilert_queue_add_thread(cf, &ngx_http_ilert_body_pool_name);
#else
    return NGX_OK;
#endif
}


void
ngx_http_ilert_body_parse(ngx_http_request_t *r, ngx_uint_t posted,
    ngx_http_ilert_body_handler_pt handler)
{
    ngx_http_ilert_body_job_t  *job;

#if (NGX_THREADS)

    if (ngx_http_ilert_body_size(r) > NGX_HTTP_ILERT_BODY_LARGE
        && ngx_http_ilert_body_post(r, posted, handler) == NGX_OK)
    {
        r->connection->log->action = posted ? "parsing ilert event"
                                            : "parsing kapacitor webhook";
        r->main->blocked++;
        return;
    }

#endif

    job = ngx_palloc(r->pool, sizeof(ngx_http_ilert_body_job_t));
    if (job == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    job->request = r;
    job->pool = r->pool;
    job->posted = posted;

    ngx_http_ilert_body_run(job, r->connection->log);

    handler(r, &job->body);
}


static size_t
ngx_http_ilert_body_size(ngx_http_request_t *r)
{
    size_t        size;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return 0;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    return size;
}


static void
ngx_http_ilert_body_run(ngx_http_ilert_body_job_t *job, ngx_log_t *log)
{
    ngx_http_ilert_body_t  *body;

    body = &job->body;

    body->rc = ngx_http_ilert_body_fetch(job->request, &body->text, job->pool,
                                         log);

    if (body->rc == NGX_OK && job->posted) {
        body->rc = ngx_http_ilert_posted_parse(&body->posted, &body->text,
                                               &body->error, job->pool);

    } else if (body->rc == NGX_OK) {
        body->rc = ngx_http_ilert_kapacitor_parse(&body->webhook, &body->text,
                                                  &body->error, job->pool);
    }
}


/*
 * Sets "text" to the whole body in one piece.  It is only copied if it is in
 * several buffers or in a file.
 */

static ngx_int_t
ngx_http_ilert_body_fetch(ngx_http_request_t *r, ngx_str_t *text,
    ngx_pool_t *pool, ngx_log_t *log)
{
    u_char       *p;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_str_null(text);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    b = cl->buf;

    if (cl->next == NULL && !b->in_file) {
        text->data = b->pos;
        text->len = b->last - b->pos;
        return NGX_OK;
    }

    text->len = ngx_http_ilert_body_size(r);

    p = ngx_pnalloc(pool, text->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;

    for ( /* void */ ; cl; cl = cl->next) {

        if (ngx_http_ilert_body_fetch_buf(cl->buf, p, log) != NGX_OK) {
            return NGX_ERROR;
        }

        p += ngx_buf_size(cl->buf);
    }

    return NGX_OK;
}


/*
 * Copies one buffer.  nginx has just written the file that a buffer is in, so
 * the system has it in memory, and to read it takes no time.
 */

static ngx_int_t
ngx_http_ilert_body_fetch_buf(ngx_buf_t *b, u_char *p, ngx_log_t *log)
{
    size_t      size;
    ssize_t     n;
    ngx_file_t  file;

    size = ngx_buf_size(b);

    if (size == 0) {
        return NGX_OK;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(p, b->pos, size);
        return NGX_OK;
    }

    /* The request's log must not be used on a thread. */

    file = *b->file;
    file.log = log;

    n = ngx_read_file(&file, p, size, b->file_pos);

    if (n != (ssize_t) size) {

        if (n != NGX_ERROR) {
            ngx_log_error(NGX_LOG_CRIT, log, 0,
                          ngx_read_file_n " read only %z of %uz from \"%s\"",
                          n, size, file.name.data);
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (NGX_THREADS)

static ngx_int_t
ngx_http_ilert_body_post(ngx_http_request_t *r, ngx_uint_t posted,
    ngx_http_ilert_body_handler_pt handler)
{
    ngx_thread_task_t          *task;
    ngx_pool_cleanup_t         *cln;
    ngx_thread_pool_t          *tp;
    ngx_http_ilert_body_job_t  *job;

    tp = ngx_thread_pool_get((ngx_cycle_t *) ngx_cycle,
                             &ngx_http_ilert_body_pool_name);
    if (tp == NULL) {
        return NGX_DECLINED;
    }

    task = ngx_thread_task_alloc(r->pool, sizeof(ngx_http_ilert_body_job_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    job = task->ctx;

    job->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (job->pool == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_ilert_body_free;
    cln->data = job->pool;

    job->request = r;
    job->handler = handler;
    job->posted = posted;
    job->body.rc = NGX_ERROR;

    task->handler = ngx_http_ilert_body_thread;
    task->event.handler = ngx_http_ilert_body_done;
    task->event.data = job;

    if (ngx_thread_task_post(tp, task) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_body_njobs++ == 0) {
        ngx_http_ilert_clock_init_event(&ngx_http_ilert_body_hold,
                                        ngx_http_ilert_body_hold_handler, 0);
        ngx_add_timer(&ngx_http_ilert_body_hold, NGX_HTTP_ILERT_BODY_HOLD);
    }

    return NGX_OK;
}


static void
ngx_http_ilert_body_free(void *data)
{
    ngx_destroy_pool(data);
}


/*
 * Runs on the thread.  Until it is done, only the thread uses the job, and
 * nobody changes the body.
 */

static void
ngx_http_ilert_body_thread(void *data, ngx_log_t *log)
{
    ngx_http_ilert_body_job_t *job = data;

    /*
     * After TERM nobody waits for the webhook any more, but the worker waits
     * for the thread.  So no more bodies are parsed.
     */

    if (!ngx_terminate) {
        ngx_http_ilert_body_run(job, log);
    }
}


/* Runs in the event loop when the thread is done. */

static void
ngx_http_ilert_body_done(ngx_event_t *ev)
{
    ngx_http_ilert_body_job_t *job = ev->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = job->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    if (--ngx_http_ilert_body_njobs == 0) {
        ngx_del_timer(&ngx_http_ilert_body_hold);
    }

    job->handler(r, &job->body);

    ngx_http_run_posted_requests(c);
}


/*
 * A worker that has been told to quit exits when there are no timers left.  A
 * request that is blocked has no timer, so this one keeps the worker.
 */

static void
ngx_http_ilert_body_hold_handler(ngx_event_t *ev)
{
    ngx_add_timer(ev, NGX_HTTP_ILERT_BODY_HOLD);
}

#endif
