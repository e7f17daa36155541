
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_BODY_H_INCLUDED_
#define _NGX_HTTP_ILERT_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_kapacitor.h"


/*
 * The body of a webhook's request: it is fetched from where nginx has put it,
 * in memory or in a file, and parsed.
 *
 * A large one would keep the event loop busy for too long, so it goes to
 * a thread.  A worker has one for that, which is not the queue's: no commit
 * waits for it, and bodies that wait for it are still in their files.  What
 * it makes of a body is in a pool of the body's own, since the request's is
 * the event loop's.  The request stays until the thread is done with it, even
 * if the client goes, and so does the worker.  Without threads, and if there
 * is none to be had, a large body is parsed as any other.
 */


typedef struct {
    ngx_int_t                    rc;        /* as of kapacitor_parse() */
    ngx_str_t                    text;
    ngx_str_t                    error;
    ngx_http_ilert_webhook_t     webhook;
} ngx_http_ilert_body_t;


/* the body stays as it is as long as the request is there */

typedef void (*ngx_http_ilert_body_handler_pt)(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body);


/* webhooks are configured: adds the thread */
ngx_int_t ngx_http_ilert_body_init(ngx_conf_t *cf);


/*
 * Parses the body that nginx has read.  The handler is called once, from
 * within this call or later, and finalizes the request.
 */
void ngx_http_ilert_body_parse(ngx_http_request_t *r,
    ngx_http_ilert_body_handler_pt handler);


#endif /* _NGX_HTTP_ILERT_BODY_H_INCLUDED_ */
