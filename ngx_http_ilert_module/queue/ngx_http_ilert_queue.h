
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"


/*
 * The door between webhooks and deliveries: an event is submitted, and once
 * it is safe, or known not to be, the submitter hears of it.
 *
 * With "ilert_queue" the event is safe when it is on disk.  A worker has one
 * thread for that, and at most one job on it: what is submitted meanwhile
 * goes into the next job, one transaction.  What the courier has to say, and
 * what it wants, goes the same way.  Without a queue, and while the disk
 * refuses, events are relayed.
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


typedef struct {
    ngx_str_t                    path;      /* of the folder; NULL: off */
    off_t                        max_size;
    ngx_shm_zone_t              *shm_zone;
} ngx_http_ilert_queue_conf_t;


/*
 * Adds a thread for each worker, a pool of that name, unless the user has
 * configured "thread_pool" with it.
 */
ngx_int_t ngx_http_ilert_queue_add_thread(ngx_conf_t *cf, ngx_str_t *name);

/* "ilert_queue" has been read: the shared memory, and the thread */
ngx_int_t ngx_http_ilert_queue_init(ngx_conf_t *cf,
    ngx_http_ilert_queue_conf_t *conf);

/*
 * Makes the folder, in the master; where that fails it is logged, and all
 * goes on without a queue.
 */
void ngx_http_ilert_queue_create(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);

/* of a worker */
ngx_int_t ngx_http_ilert_queue_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);
void ngx_http_ilert_queue_exit_process(void);


/*
 * Takes the event, which must stay as it is until the handler has been
 * called; it is called once, and never from within this call.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory: the handler is not called.
 */
ngx_int_t ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_handler_pt handler, void *data, ngx_pool_t *pool);


/*
 * Asks the store, and gives it an order, which must stay until it has been
 * carried out.  NGX_DECLINED: there is no queue.
 */
ngx_int_t ngx_http_ilert_queue_ask(ngx_http_ilert_store_query_t *query);
ngx_int_t ngx_http_ilert_queue_order(ngx_http_ilert_queue_order_t *order);


/*
 * For the courier: an event that had been taken has its verdict, and both it
 * and its "data" are freed when that is on disk.
 */
void ngx_http_ilert_queue_verdict(ngx_http_ilert_store_event_t *se);

/* verdicts that are not on disk yet are no business of this worker any more */
void ngx_http_ilert_queue_abandon(void);

/* frees stored events; with "data", that of each of them, too */
void ngx_http_ilert_queue_free(ngx_queue_t *events, ngx_uint_t data);

/* a timer of ours; a cancelable one does not keep a worker from exiting */
void ngx_http_ilert_queue_init_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable);

/* starts a job, if there is something to do and none is under way */
void ngx_http_ilert_queue_run(void);

/* verdicts that are not on disk yet */
ngx_uint_t ngx_http_ilert_queue_verdicts(void);

/* true if there are none, or if they cannot get there */
ngx_uint_t ngx_http_ilert_queue_settled(void);

/* wall clock, ms */
int64_t ngx_http_ilert_queue_now(void);


/* a new event id; see there */
uint64_t ngx_http_ilert_queue_number(void);

/*
 * Sets a new event id, of no other event, in this worker or another, before
 * or after.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_queue_id(ngx_http_ilert_event_t *ev,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_ */
