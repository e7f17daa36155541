
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * Kapacitor does not send a webhook again, so each one that is not answered
 * with 2xx is an alert that nobody hears of.  Every part that refuses
 * a webhook, or cannot keep its event, calls ngx_http_ilert_refuse() once for
 * the request.  Then the webhook is counted, the status shows it as the last
 * one, its body is kept in the queue, if there is one, and it is logged, once
 * a minute for each location.
 */


/*
 * What is known of a refused webhook.  A text that is not known is empty.
 * Texts other than the error have the bytes that came in, of any length.  All
 * live as long as the request, but the error may only live until
 * ngx_http_ilert_refuse() returns.
 */

typedef struct {
    int64_t                      time;      /* wall clock, ms */
    ngx_str_t                    address;   /* of the client */
    ngx_http_ilert_loc_conf_t   *ilcf;      /* NULL: it came to no location */
    ngx_str_t                    location;  /* name of the location */
    ngx_http_ilert_source_t     *source;    /* NULL: it is not known */
    ngx_uint_t                   status;    /* of the answer */
    ngx_str_t                    error;     /* valid UTF-8, one line */
    ngx_str_t                    id;
    ngx_str_t                    level;
    ngx_str_t                    body;      /* empty: it was not read */
} ngx_http_ilert_refusal_t;


/*
 * Gives each location with "ilert_kapacitor" the shared memory by which its
 * log lines are limited.  It is called when all locations are known.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_refuse_init(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


/*
 * Tells of a refused webhook: the request "r" is answered now, or was
 * answered, with "status".  That is 2xx only if nginx itself has answered, and
 * nobody has kept the webhook.  "ilcf" is the location that it was for, or
 * NULL if it came to none.  "error" says why it is refused, in one line of
 * valid UTF-8.  In a location with "ilert_dry_run" nothing is done.
 */
void ngx_http_ilert_refuse(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_uint_t status, ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_REFUSE_H_INCLUDED_ */
