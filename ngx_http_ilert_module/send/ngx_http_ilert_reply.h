
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
 * What has come of a request to ilert, by what nginx has of it: an answer of
 * ilert's, its reason and how long to wait, or why there is none.
 */


/* sets d->request.outcome, and logs the answer */
void ngx_http_ilert_reply_outcome(ngx_http_ilert_delivery_t *d, ngx_int_t rc);

/*
 * Whether there is an answer.  A status line alone is none: the whole head
 * must have come.
 */
ngx_uint_t ngx_http_ilert_reply_has_answer(ngx_http_upstream_t *u);

/*
 * Puts stars in the place of the key, and of what may be its beginning at the
 * end of a text that was cut
 */
void ngx_http_ilert_reply_mask(ngx_str_t *text, ngx_str_t *key);

/* of headers of a request or an answer, the n-th of the name, or NULL */
ngx_str_t *ngx_http_ilert_reply_header(ngx_list_t *headers, const char *name,
    ngx_uint_t n);


#endif /* _NGX_HTTP_ILERT_REPLY_H_INCLUDED_ */
