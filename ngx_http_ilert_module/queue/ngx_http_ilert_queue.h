
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
 * The door between webhooks and deliveries: an event is submitted, and once
 * it is safe, or known not to be, the submitter hears of it.
 *
 * With "ilert_queue" the event is safe when it is on disk.  A worker has one
 * thread for that, and at most one job on it: what is submitted meanwhile
 * goes into the next job, one transaction.  What its client, the courier, has
 * to say, and what it wants, goes the same way.  Without a queue, and while
 * the disk refuses, events are relayed.
 */


/*
 * An order of an operator's; "handler" is called once, never from within the
 * call that gives it.  "failed": it could not be committed.
 */

typedef struct ngx_http_ilert_queue_order_s  ngx_http_ilert_queue_order_t;

struct ngx_http_ilert_queue_order_s {
    ngx_http_ilert_store_order_t  order;
    ngx_uint_t                   count;     /* of all jobs */
    ngx_uint_t                   refused;
    unsigned                     failed:1;

    void                       (*handler)(ngx_http_ilert_queue_order_t *order);
    void                        *data;
};


/*
 * Who has something to say of jobs, and wants something of them: the courier.
 * All handlers are called on the event loop.
 */

typedef struct {

    /* an event of the source is to be committed by a job soon */
    void                       (*submitted)(ngx_http_ilert_source_t *source);

    /* a job is about to be run: puts what is wanted into it */
    void                       (*prepare)(ngx_http_ilert_store_job_t *job);

    /* these verdicts are on disk, and are about to be freed */
    void                       (*decided)(ngx_queue_t *verdicts);

    /*
     * The job has been run, whether it came to something or not: has "taken"
     * and "buried" of it now.  Verdicts that are on disk have been freed.
     */
    void                       (*done)(ngx_http_ilert_store_job_t *job);

    /* after that: events have been committed, they wait for a delivery */
    void                       (*committed)(void);

    /* orders have been carried out, or could not be */
    void                       (*ordered)(void);
} ngx_http_ilert_queue_client_t;


/*
 * Of a worker.  The client, which there is always, has to stay; it is not
 * called before the first job.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_queue_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_http_ilert_queue_client_t *client);
void ngx_http_ilert_queue_exit_process(void);


/*
 * Takes the event, which must stay as it is until the handler has been
 * called; it is called once, and never from within this call.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory: the handler is not called.
 */
ngx_int_t ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool);


/*
 * Asks the store, and gives it an order, which must stay until it has been
 * carried out.  NGX_DECLINED: there is no queue.
 */
ngx_int_t ngx_http_ilert_queue_ask(ngx_http_ilert_store_query_t *query);
ngx_int_t ngx_http_ilert_queue_order(ngx_http_ilert_queue_order_t *order);


/*
 * Keeps a copy of a webhook that was refused, if there is a queue: "id" and
 * what is the store's own need not be set.  It may come to nothing, as when
 * there are too many at a time, which is counted and logged.
 */
void ngx_http_ilert_queue_keep(ngx_http_ilert_store_refused_t *refused);


/*
 * For the client: an event that had been taken has its verdict, and both it
 * and its "data" are freed when that is on disk.
 */
void ngx_http_ilert_queue_verdict(ngx_http_ilert_store_event_t *se);

/* verdicts that are not on disk yet are no business of this worker any more */
void ngx_http_ilert_queue_abandon(void);

/* frees stored events; with "data", that of each of them, too */
void ngx_http_ilert_queue_free(ngx_queue_t *events, ngx_uint_t data);

/* starts a job, if there is something to do and none is under way */
void ngx_http_ilert_queue_run(void);

/* verdicts that are not on disk yet */
ngx_uint_t ngx_http_ilert_queue_verdicts(void);

/* true if there are none, or if they cannot get there */
ngx_uint_t ngx_http_ilert_queue_settled(void);


#endif /* _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_ */
