
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONTROL_SILENCE_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONTROL_SILENCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_store.h"


/* Whether a path below the location's is silence, or silence/ID. */
ngx_uint_t ngx_http_ilert_control_silence_is(ngx_str_t *path);

/* Likewise silence/ID alone, which is for DELETE. */
ngx_uint_t ngx_http_ilert_control_silence_is_one(ngx_str_t *path);

/*
 * Sets the order by such a path and the request's arguments, and "line" to
 * what is logged of it.  All strings live as long as the request.  Returns
 * NGX_OK; NGX_DECLINED if the path has no id; NGX_ABORT if an argument is
 * wrong, then "error" says what; or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_control_silence_parse(ngx_http_request_t *r,
    ngx_str_t *path, ngx_http_ilert_store_order_t *order, ngx_str_t *line,
    const char **error);

/* Writes {"status":"ok","id":N} for the order, "data", that has made one. */
void ngx_http_ilert_control_silence_write(ngx_http_ilert_json_writer_t *w,
    void *data);


#endif /* _NGX_HTTP_ILERT_CONTROL_SILENCE_H_INCLUDED_ */
