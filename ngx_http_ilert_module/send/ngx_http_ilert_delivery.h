
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
 * A request to ilert: what its owner has of it, and, in a delivery, what the
 * files of send/ have.  request.c makes it and ends it, hooks.c goes with it
 * through nginx, reply.c finds out its outcome.
 */


typedef void (*ngx_http_ilert_request_handler_pt)(
    ngx_http_ilert_request_t *ir);


struct ngx_http_ilert_request_s {
    ngx_http_ilert_event_t             *event;
    ngx_uint_t                          attempt;    /* from 1 */

    ngx_http_ilert_request_handler_pt   handler;
    void                               *data;

    ngx_http_ilert_outcome_t            outcome;
};


/* of an answer's body: what is kept, for its reason, and to see whose it is */

#define NGX_HTTP_ILERT_ANSWER_KEPT   4096

#define NGX_HTTP_ILERT_REASON_SIZE   256


typedef struct {
    ngx_http_ilert_request_t     request;
    ngx_queue_t                  queue;     /* of busy, or of free ones */

    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_event_t                  end;
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_http_connection_t        hc;
    ngx_buf_t                    header_in;
    struct sockaddr_in           sockaddr;

    ngx_http_request_t          *main;
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t   ps;

    /* nginx's handlers, which are called by ours in their place */
    ngx_http_handler_pt          content_handler;
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_resolver_handler_pt      resolve_handler;
    ngx_output_chain_filter_pt   output;
    void                        *output_ctx;

    ngx_uint_t                   interim;       /* answers of 1xx so far */
    size_t                       received;
    size_t                       kept;
    ngx_http_ilert_fault_e       fault;         /* by what nginx has logged */
    size_t                       noted;         /* bytes of that in "reason" */
    u_char                      *message;       /* the end of what is being */
                                                /* logged, before our words */
    unsigned                     ended:1;       /* the outcome is set */
    unsigned                     lost:1;        /* the core closed it */
    unsigned                     resolver:1;    /* names can be looked up */

    u_char                       answer[NGX_HTTP_ILERT_ANSWER_KEPT];
    u_char                       reason[NGX_HTTP_ILERT_REASON_SIZE];
} ngx_http_ilert_delivery_t;


#endif /* _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_ */
