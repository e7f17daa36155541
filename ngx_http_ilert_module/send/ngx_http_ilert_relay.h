
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RELAY_H_INCLUDED_
#define _NGX_HTTP_ILERT_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * An event that is not put into a queue: it is sent at once, while Kapacitor
 * waits, and one try is all.
 */


/*
 * What Kapacitor is answered.  "status": 202 the event is safe, and "result"
 * says why; 503 not now; 504 ilert did not answer in time; 502 anything else
 * went wrong; "error", gone on return, says what.
 */

typedef struct {
    ngx_uint_t                   status;
    ngx_str_t                    result;    /* of $ilert_result */
    ngx_str_t                    error;
} ngx_http_ilert_answer_t;

typedef void (*ngx_http_ilert_answer_handler_pt)(
    ngx_http_ilert_answer_t *answer, void *data);


/*
 * Sends the event, which must stay as it is until the handler has been
 * called; it is called once, and never from within this call.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory: the handler is not called.
 */
ngx_int_t ngx_http_ilert_relay(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_RELAY_H_INCLUDED_ */
