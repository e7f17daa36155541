
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REQUEST_H_INCLUDED_
#define _NGX_HTTP_ILERT_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_delivery.h"


/*
 * One event to ilert, one try: a request that has no client, whose only
 * subrequest passes through the location of the source's endpoint, and so
 * through everything that nginx has for a proxied request.  It inherits
 * nothing of the webhook's request and does not end with it.
 *
 * Requests are in their worker's memory, as many as go on at a time.
 */


/*
 * What the owner of all requests with that handler has to say of them.
 * "may_send" is asked in the moment before anything is written to ilert: while
 * a connection was made the worker may have stood still for a long time.  If
 * it must not be, the request is given up.  "at" is told when an outcome is
 * begun to be worked out, and when that has been done.
 */

typedef struct {
    ngx_http_ilert_request_handler_pt   handler;
    ngx_uint_t                        (*may_send)(
                                            ngx_http_ilert_request_t *ir);
    void                              (*at)(ngx_http_ilert_request_t *ir,
                                            ngx_uint_t begins);
} ngx_http_ilert_request_owner_t;

/* there is one at most, which has to stay */
void ngx_http_ilert_request_set_owner(ngx_http_ilert_request_owner_t *owner);


/*
 * Sends the event, which must stay as it is until the handler has been
 * called.  The handler is called once, from the event loop, never from
 * within this call; what it is given is gone when it returns.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory: the handler is not called.
 */
ngx_int_t ngx_http_ilert_request_send(ngx_http_ilert_event_t *ev,
    ngx_uint_t attempt, ngx_http_ilert_request_handler_pt handler,
    void *data);


/* whether there seems to be a connection for one more */
ngx_uint_t ngx_http_ilert_request_has_room(void);


/* gives up what has that handler, which is called soon */
void ngx_http_ilert_request_give_up(ngx_http_ilert_request_handler_pt handler);


/* for hooks.c */

/*
 * Sets the outcome, once, while the subrequest still exists; the handler is
 * called soon.  "rc" is as of a post_subrequest handler.
 */
void ngx_http_ilert_request_end(ngx_http_ilert_delivery_t *d, ngx_int_t rc);

/* whether it may still be sent, by its owner; if not, it is given up */
ngx_uint_t ngx_http_ilert_request_may_send(ngx_http_ilert_delivery_t *d);


#endif /* _NGX_HTTP_ILERT_REQUEST_H_INCLUDED_ */
