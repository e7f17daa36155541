
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"


/*
 * The queue is the door between webhooks and deliveries.  An event is
 * submitted, and the handler that came with it is called when the event is
 * safe, or when it is known that it is not.
 *
 * With "ilert_queue" an event is safe when it is on disk.  A worker has one
 * thread for this, and the thread has one job at most.  What comes in while
 * a job runs goes into the next job, which is one transaction.  Verdicts of
 * the courier, and what it wants, go the same way: the courier is the client
 * of the queue.
 *
 * Without "ilert_queue" events are relayed.  With it an event that cannot be
 * committed is relayed if no other event of its alert waits.
 *
 * All functions are called on the event loop, and none of them blocks but
 * ngx_http_ilert_queue_exit_process().  Those that are for the client need
 * a queue.
 */


/*
 * An order of an operator.  The store carries it out in parts; "count" and
 * "refused" are what they are in "order", added up over all parts.
 *
 * The handler is called once, and never from within the call that gives the
 * order.  If "failed" is set then, a part could not be committed; the parts
 * before it have been.
 */

typedef struct ngx_http_ilert_queue_order_s  ngx_http_ilert_queue_order_t;

struct ngx_http_ilert_queue_order_s {
    ngx_http_ilert_store_order_t  order;
    ngx_uint_t                   count;
    ngx_uint_t                   refused;
    unsigned                     failed:1;

    void                       (*handler)(ngx_http_ilert_queue_order_t *order);
    void                        *data;
};


/*
 * The client of the queue, which is the courier: it wants something of jobs,
 * and has to know what has become of them.  All handlers are called on the
 * event loop.
 */

typedef struct {

    /* an event of the source has been submitted, and will be in a job soon */
    void                       (*submitted)(ngx_http_ilert_source_t *source);

    /* a job is about to be posted: the client puts into it what it wants */
    void                       (*prepare)(ngx_http_ilert_store_job_t *job);

    /* these verdicts are on disk, and are about to be freed */
    void                       (*decided)(ngx_queue_t *verdicts);

    /*
     * The job has been run, and may have failed.  The events of its lists
     * "taken" and "buried" belong to the client from now on.  Verdicts that
     * are on disk have been freed.
     */
    void                       (*done)(ngx_http_ilert_store_job_t *job);

    /* after done(): events have been committed, and wait for a delivery */
    void                       (*committed)(void);

    /* orders have been carried out, or could not be */
    void                       (*ordered)(void);
} ngx_http_ilert_queue_client_t;


/*
 * Begins in a worker, if "ilert_queue" is configured.  The client must stay
 * as long as the worker does.  It is not called before something is submitted
 * or ngx_http_ilert_queue_run() is called.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory or no thread pool.
 */
ngx_int_t ngx_http_ilert_queue_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_http_ilert_queue_client_t *client);

/*
 * Ends in a worker, when its thread has been joined: frees what is left, and
 * closes the store.  May wait for the disk.
 */
void ngx_http_ilert_queue_exit_process(void);


/*
 * Submits an event, which must stay as it is until the handler has been
 * called.  The handler is called once, and never from within this call.
 * "heard" is what the event's webhook says of an alert of Kapacitor's, and is
 * copied; or NULL, if it is not to be remembered.  A repair is not relayed,
 * since only the store knows whether it is still needed.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory; then the handler is not called.
 */
ngx_int_t ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_store_heard_t *heard,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool);


/*
 * Makes a query with copies of the name of a source and of an alert key, each
 * of which may be empty.  It has a pool of its own, because the thread may use
 * it longer than the request of the caller lives.  The caller sets what is
 * asked, and the handler, which destroys the pool; if the query is not asked,
 * the caller does.  Returns NULL if there is no memory.
 */
ngx_http_ilert_store_query_t *ngx_http_ilert_queue_query(ngx_str_t *source,
    ngx_str_t *key);

/*
 * Asks the store a query, or gives it an order.  A query belongs to the queue
 * until its handler is called.  An order stays the caller's, and must stay as
 * it is until its handler has been called.  Both return NGX_OK, or
 * NGX_DECLINED if there is no queue; then no handler is called.
 */
ngx_int_t ngx_http_ilert_queue_ask(ngx_http_ilert_store_query_t *query);
ngx_int_t ngx_http_ilert_queue_order(ngx_http_ilert_queue_order_t *order);


/*
 * Compares what Kapacitor knows with what was heard, see store.h.  A look
 * belongs to the queue until its handler is called, and the handler is never
 * called from within this call.  Returns NGX_OK, or NGX_DECLINED if there is
 * no queue.
 */
ngx_int_t ngx_http_ilert_queue_look(ngx_http_ilert_store_look_t *look);

/*
 * Remembers a webhook that was ignored, if there is a queue.  The note belongs
 * to the queue from now on.  Nobody is told whether it is on disk.  If too
 * many wait, or a job fails, they are forgotten: then Kapacitor's state
 * differs from what is remembered, and is ignored once more; and the end of
 * the alert is sent, although nothing was told of it.
 */
void ngx_http_ilert_queue_note(ngx_http_ilert_store_note_t *note);


/*
 * Keeps a copy of a webhook that was refused, if there is a queue.  "id" and
 * the members that are the store's own need not be set.  Webhooks that cannot
 * be kept, for example because too many come at a time, are counted and
 * logged.
 */
void ngx_http_ilert_queue_keep(ngx_http_ilert_store_refused_t *refused);


/*
 * For the client: an event that was taken has its verdict.  The event and its
 * "data", which was allocated by ngx_alloc() or is NULL, belong to the queue
 * from now on, and are freed when the verdict is on disk.  The verdict goes
 * into the next job; ngx_http_ilert_queue_run() starts that.
 */
void ngx_http_ilert_queue_verdict(ngx_http_ilert_store_event_t *se);

/*
 * For the client: this worker is not the courier any more, so its verdicts
 * that are not on disk yet do not count, and are freed.
 */
void ngx_http_ilert_queue_abandon(void);

/* Frees a list of store_event_t; if "data" is 1, also the data of each. */
void ngx_http_ilert_queue_free(ngx_queue_t *events, ngx_uint_t data);

/* Posts a job, if there is something to do and no job is under way. */
void ngx_http_ilert_queue_run(void);

/* Returns the number of verdicts that are not on disk yet. */
ngx_uint_t ngx_http_ilert_queue_verdicts(void);

/*
 * Returns 1 if there is nothing to wait for: no job is under way, and either
 * all verdicts are on disk or the last job has failed.
 */
ngx_uint_t ngx_http_ilert_queue_settled(void);


#endif /* _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_ */
