
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_ILERT_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_json.h"


/*
 * Answers to requests for the status and of control, and the arguments of such
 * requests.  Answers to Kapacitor are made elsewhere, see webhook.h.  All
 * answers say that no cache may store them.
 */


/* Writes a body.  What does not fit is left out, and w->full is set. */

typedef void (*ngx_http_ilert_answer_write_pt)(
    ngx_http_ilert_json_writer_t *w, void *data);


/*
 * Answers with the status and with the body that "write" writes.  "write" is
 * called with "data", and is called again with twice the space as long as the
 * body does not fit.  "type" is the content type, a constant string.  Returns
 * what a content handler returns.
 */
ngx_int_t ngx_http_ilert_answer_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_http_ilert_answer_write_pt write, void *data);


/* a body {"status":"STATUS"}, with "error" if that is not empty */

typedef struct {
    const char                  *status;
    ngx_str_t                    error;
} ngx_http_ilert_answer_body_t;

/* Writes such a body; "data" is an ngx_http_ilert_answer_body_t. */
void ngx_http_ilert_answer_write(ngx_http_ilert_json_writer_t *w, void *data);

/*
 * Answers {"status":"rejected","error":"ERROR"} with the status.  Returns what
 * a content handler returns.
 */
ngx_int_t ngx_http_ilert_answer_reject(ngx_http_request_t *r,
    ngx_uint_t status, const char *error);

/*
 * Answers with 405.  "allow" is the list of methods that are allowed,
 * a constant string.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_answer_not_allowed(ngx_http_request_t *r,
    const char *allow);

/*
 * Adds a header to the answer.  Both strings must live as long as the request.
 * Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_answer_header(ngx_http_request_t *r,
    const char *name, const char *value);


/*
 * Sets "value" to the decoded value of the request's first argument "name", in
 * the request's pool; it is valid UTF-8, and empty if the argument has no
 * value.  Names are compared without regard to case, as nginx does for
 * $arg_name.  So "if ($arg_refused)" in the configuration looks at the same
 * argument as this function.  Returns NGX_OK, NGX_DECLINED if there is no such
 * argument, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_answer_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_ANSWER_H_INCLUDED_ */
