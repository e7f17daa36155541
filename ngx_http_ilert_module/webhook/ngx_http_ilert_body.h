
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_BODY_H_INCLUDED_
#define _NGX_HTTP_ILERT_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_posted.h"


/*
 * The body of a request, with a webhook or with another sender's event, is
 * fetched from where nginx has put it, in memory or in a file, and parsed.
 *
 * A large body would keep the event loop busy for too long, so it is parsed on
 * a thread.  Each worker has one thread for that beside the one of the queue,
 * so that no commit waits for a body.  Bodies that wait for the thread are
 * still in their files.
 *
 * The thread allocates from a pool that belongs to the body, since the
 * request's pool belongs to the event loop.  The request is kept until the
 * thread is done, even if the client goes away, and so is the worker.  If
 * nginx has no threads, or the body cannot be given to the thread, it is
 * parsed as a small one.
 */


typedef struct {
    /*
     * what kapacitor_parse() or posted_parse() has returned, or NGX_ERROR if
     * the body could not be read from its file
     */
    ngx_int_t                    rc;
    ngx_str_t                    text;      /* the whole body, as it came */
    ngx_str_t                    error;     /* if rc is NGX_DECLINED */
    ngx_http_ilert_webhook_t     webhook;   /* if rc is NGX_OK */
    ngx_http_ilert_posted_t      posted;    /* likewise; it is one of both */
} ngx_http_ilert_body_t;


/* The body, with all that it points to, lives as long as the request. */

typedef void (*ngx_http_ilert_body_handler_pt)(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body);


/*
 * Adds the thread.  It is called if webhooks are configured.  Returns NGX_OK,
 * or NGX_ERROR after the error has been logged.
 */
ngx_int_t ngx_http_ilert_body_init(ngx_conf_t *cf);


/*
 * Parses the body that nginx has read: a webhook, or, if "posted" is 1, an
 * event of another sender.  The handler is called once, within
 * this call or later, and must finalize the request.  If there is no memory,
 * this function finalizes the request with 500, and does not call the handler.
 */
void ngx_http_ilert_body_parse(ngx_http_request_t *r, ngx_uint_t posted,
    ngx_http_ilert_body_handler_pt handler);


#endif /* _NGX_HTTP_ILERT_BODY_H_INCLUDED_ */
