
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_outcome.h"


/*
 * A request to ilert.  Its first part, ngx_http_ilert_request_t, is for the
 * caller of ngx_http_ilert_request_send(); the rest is only for files in this
 * folder.  request.c makes it and ends it, hooks.c has the handlers that nginx
 * calls on the way, and reply.c works out the outcome.
 */


typedef void (*ngx_http_ilert_request_handler_pt)(
    ngx_http_ilert_request_t *ir);


struct ngx_http_ilert_request_s {
    ngx_http_ilert_event_t             *event;
    ngx_uint_t                          attempt;    /* from 1, for the log */

    ngx_http_ilert_request_handler_pt   handler;
    void                               *data;       /* the caller's */

    ngx_http_ilert_outcome_t            outcome;
};


/* bytes of an answer's body that are kept: for its error, and whose it is */

#define NGX_HTTP_ILERT_ANSWER_KEPT   4096

/* bytes of a reason, at most */

#define NGX_HTTP_ILERT_REASON_SIZE   256


typedef struct {
    ngx_http_ilert_request_t     request;
    ngx_queue_t                  queue;     /* in the busy or the free ones */

    /* what nginx needs of a client */
    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_event_t                  end;       /* deadline; posted at the end */
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_http_connection_t        hc;
    ngx_buf_t                    header_in;
    struct sockaddr_in           sockaddr;

    ngx_http_request_t          *main;
    ngx_http_request_t          *sr;        /* the subrequest */
    ngx_http_post_subrequest_t   ps;

    /* handlers of nginx that ours have replaced, and call */
    ngx_http_handler_pt          content_handler;
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_resolver_handler_pt      resolve_handler;
    ngx_output_chain_filter_pt   output;
    void                        *output_ctx;

    ngx_uint_t                   interim;       /* answers of 1xx so far */
    size_t                       received;      /* bytes of the body */
    size_t                       kept;          /* bytes in "answer" */
    ngx_http_ilert_fault_e       fault;         /* as far as it is known */
    size_t                       noted;         /* bytes in "reason", from */
                                                /* a line of the log */
    u_char                      *message;       /* end of nginx's message, */
                                                /* in the line being logged */
    unsigned                     ended:1;       /* the outcome is set */
    unsigned                     lost:1;        /* the core has terminated */
                                                /* the main request */
    unsigned                     resolver:1;    /* there are name servers */

    u_char                       answer[NGX_HTTP_ILERT_ANSWER_KEPT];
    u_char                       reason[NGX_HTTP_ILERT_REASON_SIZE];
} ngx_http_ilert_delivery_t;


#endif /* _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_ */
