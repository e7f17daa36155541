
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_delivery.h"


/*
 * Why a request has no answer.  nginx has one code for almost all reasons.  So
 * the reason is found by the state in which nginx has left the upstream; and
 * if nginx has said it only in a line of its log, by that line.  All lines
 * about a delivery pass through request.c.
 */


/*
 * Is called with each line that nginx logs about the delivery at the level
 * "error" or worse.  d->message points to the end of nginx's message in the
 * line.  Sets d->fault, d->reason, and d->noted.  The reason may contain
 * a key.
 */
void ngx_http_ilert_cause_note(ngx_http_ilert_delivery_t *d, u_char *line,
    size_t len);

/*
 * Returns the fault of a delivery that has no answer.  "rc" is what a handler
 * of post_subrequest gets.  The first d->noted bytes of d->reason are the
 * detail of the fault.
 */
ngx_http_ilert_fault_e ngx_http_ilert_cause_find(ngx_http_ilert_delivery_t *d,
    ngx_int_t rc);

/*
 * Returns 1 if a body is that of a server which speaks https and was sent
 * a request of http.
 */
ngx_uint_t ngx_http_ilert_cause_wants_https(ngx_str_t *body);


#endif /* _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_ */
