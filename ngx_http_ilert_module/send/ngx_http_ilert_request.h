
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
 * A request sends one event to ilert, once.  It is a main request of nginx
 * that has no client.  Its one subrequest goes to the location of the source's
 * endpoint, and so has everything that nginx has for a proxied request.  It
 * inherits nothing of the webhook's request, and does not end with it.
 *
 * All functions are called on the event loop.
 */


/*
 * The owner of the requests that have this handler.
 *
 * "may_send" is called right before anything is written to ilert, since the
 * worker may have stood still for a long time before.  If it returns 0, the
 * request is given up.
 *
 * "at" is called with "begins" set to 1 before the outcome is worked out, and
 * with 0 after that.
 */

typedef struct {
    ngx_http_ilert_request_handler_pt   handler;
    ngx_uint_t                        (*may_send)(
                                            ngx_http_ilert_request_t *ir);
    void                              (*at)(ngx_http_ilert_request_t *ir,
                                            ngx_uint_t begins);
} ngx_http_ilert_request_owner_t;

/* Sets the owner.  There is one at most, and it must stay. */
void ngx_http_ilert_request_set_owner(ngx_http_ilert_request_owner_t *owner);


/*
 * Sends the event, which must stay as it is until the handler has been called.
 * "attempt" is 1 for the first one.  The handler is called once, on the event
 * loop, and never from within this call; it must not use the request after it
 * has returned.  Returns NGX_OK, or NGX_ERROR if there is no memory; then the
 * handler is not called.
 */
ngx_int_t ngx_http_ilert_request_send(ngx_http_ilert_event_t *ev,
    ngx_uint_t attempt, ngx_http_ilert_request_handler_pt handler,
    void *data);


/* Returns 1 if there is probably a connection for one more request. */
ngx_uint_t ngx_http_ilert_request_has_room(void);


/*
 * Ends all requests that have this handler, with "given_up" set in their
 * outcomes.  The handler is called soon, but not from within this call.
 */
void ngx_http_ilert_request_give_up(ngx_http_ilert_request_handler_pt handler);


#endif /* _NGX_HTTP_ILERT_REQUEST_H_INCLUDED_ */
