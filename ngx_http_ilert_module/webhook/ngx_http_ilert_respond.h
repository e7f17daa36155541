
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RESPOND_H_INCLUDED_
#define _NGX_HTTP_ILERT_RESPOND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_relay.h"


/*
 * Answers to webhooks, and to events of other senders.  An answer always has
 * a short JSON body, and the connection is closed after it.
 *
 * Functions that return ngx_int_t send the answer, and return what a content
 * handler returns.  The context of the request must have been set.
 */


#define NGX_HTTP_ILERT_UNPROCESSABLE  422


/*
 * Answers with {"status":"WORD","NAME":"VALUE"}.  "value" is valid UTF-8.  In
 * a location with "ilert_dry_run" the answer to a POST is that of a dry run.
 */
ngx_int_t ngx_http_ilert_respond(ngx_http_request_t *r, ngx_uint_t status,
    const char *word, const char *name, ngx_str_t *value);

/*
 * Answers a request that is refused with "status", 4xx or 5xx, and does what
 * has to be done then.  "error" is one line of valid UTF-8 that says why.
 */
ngx_int_t ngx_http_ilert_respond_rejected(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *error);

/*
 * Answers a request that has waited for the outcome of its event, and counts
 * the event if it was accepted.
 */
ngx_int_t ngx_http_ilert_respond_outcome(ngx_http_request_t *r,
    ngx_http_ilert_answer_t *answer);

/*
 * Refuses a body that could not be read, and of which "error" says why.  If
 * the request has Content-Encoding, "error" is replaced: that is the reason,
 * whatever the bytes look like.  A body that is plain JSON in spite of that
 * header can be read, and is not refused.
 */
ngx_int_t ngx_http_ilert_respond_unread(ngx_http_request_t *r,
    ngx_str_t *error);

/*
 * Counts a request that becomes no event.  "source" is the one that its event
 * would have had, or NULL.  In a dry run nothing is counted.
 */
void ngx_http_ilert_respond_count_ignored(ngx_http_request_t *r,
    ngx_http_ilert_source_t *source);


#endif /* _NGX_HTTP_ILERT_RESPOND_H_INCLUDED_ */
