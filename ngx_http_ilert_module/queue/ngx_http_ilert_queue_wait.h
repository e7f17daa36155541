
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_WAIT_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_WAIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_queue_zone.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"


/*
 * Webhooks that wait until their events are committed.  Each is answered once:
 * when its event is on disk, or could not be written and was relayed or
 * refused, or when that has taken too long.  All functions are called on the
 * event loop.
 */


/* of a worker */

typedef struct {
    ngx_http_ilert_counters_t          *counters;
    ngx_http_ilert_queue_shctx_t       *sh;
    ngx_queue_t                         waiters;    /* by deadline */
    ngx_event_t                         deadline;   /* of the first one */
} ngx_http_ilert_queue_wait_t;


/* Begins in a worker. */
void ngx_http_ilert_queue_wait_init(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_queue_shctx_t *sh);

/*
 * The webhook of the event waits from now on: "handler" will be called once
 * with "data" and the answer.  The event and the pool must stay until then.
 * Sets ev->received.  Returns a copy of the event, which is to be given to
 * a job and then to ngx_http_ilert_queue_wait_answer(), or NULL if there is no
 * memory; then the handler is not called.
 */
ngx_http_ilert_store_event_t *ngx_http_ilert_queue_wait(
    ngx_http_ilert_event_t *ev, ngx_http_ilert_store_heard_t *heard,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool);

/* The event is in a job: from now on it may be committed at any time. */
void ngx_http_ilert_queue_wait_given(ngx_http_ilert_store_event_t *se);

/* Returns the source of the event, even if its webhook does not wait now. */
ngx_http_ilert_source_t *ngx_http_ilert_queue_wait_source(
    ngx_http_ilert_store_event_t *se);

/*
 * The job of the events has been run, and has committed them if "accepted" is
 * 1.  Answers the webhooks that still wait, or relays their events, and frees
 * the copies of the events.
 */
void ngx_http_ilert_queue_wait_answer(ngx_queue_t *accepts,
    ngx_uint_t accepted);


#endif /* _NGX_HTTP_ILERT_QUEUE_WAIT_H_INCLUDED_ */
