
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_
#define _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_outcome.h"


/*
 * A request to ilert.  ngx_http_ilert_request_t is for the caller of
 * ngx_http_ilert_request_send(); the rest is only for files in this folder.
 * client.c makes it and ends it, request.c says what is sent, and reply.c
 * works out the outcome.
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


typedef struct {
    ngx_http_ilert_client_t      client;    /* must be the first */
    ngx_http_ilert_request_t     request;
} ngx_http_ilert_delivery_t;


#endif /* _NGX_HTTP_ILERT_DELIVERY_H_INCLUDED_ */
