
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RELAY_H_INCLUDED_
#define _NGX_HTTP_ILERT_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * A relay: an event that does not go through the queue.  It is sent at once,
 * while Kapacitor waits for the answer, and there is one attempt.
 */


/*
 * What Kapacitor is answered.  The status is 202 if the event is safe, or was
 * ignored, as nothing is lost by that; 503 if
 * it is not taken now, for example because ilert has answered 429; 504 if
 * ilert did not answer in time; and 502 if anything else has gone wrong.
 * "error" says what is wrong, and is not valid after the handler has returned.
 */

typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    result;    /* a value of $ilert_result */
    ngx_str_t                    error;
    ngx_uint_t                   news;      /* store_news_e: why the event */
                                            /* was ignored */
} ngx_http_ilert_answer_t;

typedef void (*ngx_http_ilert_answer_handler_pt)(
    ngx_http_ilert_answer_t *answer, void *data);


/*
 * Sends the event, which must stay as it is, as must the pool, until the
 * handler has been called.  The handler is called once, and never from within
 * this call.  Sets ev->received, if it is 0.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory; then the handler is not called.
 */
ngx_int_t ngx_http_ilert_relay(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_RELAY_H_INCLUDED_ */
