
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * The door between webhooks and deliveries: an event is submitted, and once
 * it is safe, or known not to be, the submitter hears of it.
 *
 * The event is relayed: sent at once, and one try is all.
 */


/*
 * "status" is Kapacitor's answer: 202 the event is safe, and "result" says
 * why; 503 ilert said 429; 504 ilert did not answer in time; 502 anything
 * else went wrong, and "error", gone on return, says what.
 */

typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    result;    /* of $ilert_result */
    ngx_str_t                    error;
} ngx_http_ilert_outcome_t;

typedef void (*ngx_http_ilert_queue_handler_pt)(
    ngx_http_ilert_outcome_t *outcome, void *data);


/*
 * Takes the event, which must stay as it is until the handler has been
 * called; it is called once, and never from within this call.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory: the handler is not called.
 */
ngx_int_t ngx_http_ilert_queue_submit(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_queue_handler_pt handler, void *data, ngx_pool_t *pool);


/*
 * A new event id: decimal, of no other event, in this worker or another,
 * before or after.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_queue_id(ngx_str_t *id, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_QUEUE_H_INCLUDED_ */
