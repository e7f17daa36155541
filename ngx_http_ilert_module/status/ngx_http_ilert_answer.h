
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
 * Answers to people and to programs that ask, but for Kapacitor's: none is to
 * be stored by anybody.  And what such requests have as arguments.
 */


/* writes a body; what does not fit is left out, and w->full is set */

typedef void (*ngx_http_ilert_answer_write_pt)(
    ngx_http_ilert_json_writer_t *w, void *data);


/* sends what "write" writes with "data", with the status and the type */
ngx_int_t ngx_http_ilert_answer_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_http_ilert_answer_write_pt write, void *data);


/* {"status":"STATUS"}, with "error" if it is not empty */

typedef struct {
    const char                  *status;
    ngx_str_t                    error;
} ngx_http_ilert_answer_body_t;

/* "data" is one of these */
void ngx_http_ilert_answer_write(ngx_http_ilert_json_writer_t *w, void *data);

/* sends {"status":"rejected","error":"ERROR"} */
ngx_int_t ngx_http_ilert_answer_reject(ngx_http_request_t *r,
    ngx_uint_t status, const char *error);

/* sends 405 with a body; "allow" are the methods that are expected */
ngx_int_t ngx_http_ilert_answer_not_allowed(ngx_http_request_t *r,
    const char *allow);

/* adds a header, whose strings have to stay; NGX_ERROR without memory */
ngx_int_t ngx_http_ilert_answer_header(ngx_http_request_t *r,
    const char *name, const char *value);


/*
 * An argument of the request: NGX_OK and its value decoded, which is empty if
 * there is none; NGX_DECLINED: there is no such argument.
 */
ngx_int_t ngx_http_ilert_answer_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_ANSWER_H_INCLUDED_ */
