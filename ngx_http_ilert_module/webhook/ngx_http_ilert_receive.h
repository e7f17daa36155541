
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RECEIVE_H_INCLUDED_
#define _NGX_HTTP_ILERT_RECEIVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The way of a request that posts a webhook, or an event of another sender:
 * from nginx to the handler of its body, and, if the request waits for the
 * outcome of its event, on from there.
 */


/*
 * Makes the context of the request, refuses a method that is not POST and
 * what the page of another site may have made, and reads the body.  Then
 * "handler" is called.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_receive(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler);

/*
 * Is called when the body has been handled.  With NGX_AGAIN the request stays
 * until ngx_http_ilert_receive_wake() is called, even if the client goes
 * away; otherwise it is finalized with "rc".
 */
void ngx_http_ilert_receive_end(ngx_http_request_t *r, ngx_int_t rc);

/* The outcome is known: the request can be answered. */
void ngx_http_ilert_receive_wake(ngx_http_request_t *r);

/*
 * Finalizes a request that was woken.  It may be gone when this returns.  "rc"
 * is what a content handler returns.
 */
void ngx_http_ilert_receive_finalize(ngx_http_request_t *r, ngx_int_t rc);


#endif /* _NGX_HTTP_ILERT_RECEIVE_H_INCLUDED_ */
