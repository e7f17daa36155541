
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REPLY_H_INCLUDED_
#define _NGX_HTTP_ILERT_REPLY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_delivery.h"


/*
 * Works out the outcome of a request from what nginx has of it: the answer
 * with its error and its Retry-After, or why there is no answer.
 */


/*
 * Sets d->request.outcome, while the subrequest still exists, and logs the
 * answer.  "rc" is what a handler of post_subrequest gets.
 */
void ngx_http_ilert_reply_outcome(ngx_http_ilert_delivery_t *d, ngx_int_t rc);

/*
 * Returns 1 if there is an answer: its whole head must have come, not only its
 * status line.
 */
ngx_uint_t ngx_http_ilert_reply_has_answer(ngx_http_upstream_t *u);

/*
 * Cuts the text at the first line break, and replaces all but printable ASCII
 * by "?", so that it fits into a line of a log.
 */
void ngx_http_ilert_reply_line(ngx_str_t *text);

/*
 * Overwrites the key with stars wherever it is in the text; also at the end,
 * where the text may have been cut and have only the beginning of the key.
 */
void ngx_http_ilert_reply_mask(ngx_str_t *text, ngx_str_t *key);

/*
 * Returns the value of the n-th header field of that name, from 0 on, or NULL.
 * Case does not count; "name" is ASCII with a zero at its end.
 */
ngx_str_t *ngx_http_ilert_reply_header(ngx_list_t *headers, const char *name,
    ngx_uint_t n);


#endif /* _NGX_HTTP_ILERT_REPLY_H_INCLUDED_ */
