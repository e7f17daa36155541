
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
 * Webhooks that wait for their events to be committed: each is answered once,
 * when that has been done, or has failed, or has taken too long.
 */


/*
 * Of a worker, all zeros but for the first ones.  "relayed" is shared: relays
 * of events of which the store does not know.
 */

typedef struct {
    ngx_http_ilert_counters_t          *counters;
    ngx_http_ilert_queue_shctx_t       *sh;
    ngx_queue_t                         waiters;    /* by deadline */
    ngx_event_t                         deadline;
} ngx_http_ilert_queue_wait_t;


void ngx_http_ilert_queue_wait_init(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_queue_shctx_t *sh);

/*
 * The webhook of the event waits from now on.  Returns the copy of the event
 * that is to be committed, or NULL if there is no memory.
 */
ngx_http_ilert_store_event_t *ngx_http_ilert_queue_wait(
    ngx_http_ilert_event_t *ev, ngx_http_ilert_answer_handler_pt handler,
    void *data, ngx_pool_t *pool);

/* the event is given to a job: from now on it may be committed */
void ngx_http_ilert_queue_wait_given(ngx_http_ilert_store_event_t *se);

/* whose event it is */
ngx_http_ilert_source_t *ngx_http_ilert_queue_wait_source(
    ngx_http_ilert_store_event_t *se);

/* the job has been run: answers those that still wait, and frees the events */
void ngx_http_ilert_queue_wait_answer(ngx_queue_t *accepts,
    ngx_uint_t accepted);


#endif /* _NGX_HTTP_ILERT_QUEUE_WAIT_H_INCLUDED_ */
