
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
 * Why there is no answer.  nginx has no word for it, but for a timeout: it is
 * found by what nginx has come to, and what only a line of the log knows, by
 * that line, which passes through request.c anyway.
 */


/*
 * nginx has logged a line about the delivery, at the level "error" or worse;
 * d->message is the end of its message.  What is wrong is noted in d->fault,
 * and in d->reason, which may have a key in it.
 */
void ngx_http_ilert_cause_note(ngx_http_ilert_delivery_t *d, u_char *line,
    size_t len);

/*
 * The fault of a delivery that has no answer.  "rc" is as of a post_subrequest
 * handler, and d->noted bytes of d->reason are the fault's detail.
 */
ngx_http_ilert_fault_e ngx_http_ilert_cause_find(ngx_http_ilert_delivery_t *d,
    ngx_int_t rc);

/* whether a body is that of a server of https that was asked by http */
ngx_uint_t ngx_http_ilert_cause_wants_https(ngx_str_t *body);


#endif /* _NGX_HTTP_ILERT_CAUSE_H_INCLUDED_ */
