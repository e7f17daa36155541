
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_ROUTE_H_INCLUDED_
#define _NGX_HTTP_ILERT_ROUTE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * The source that a location's "ilert_kapacitor" gives for a request.  If it
 * is chosen by a variable of the webhook, that has no value before the webhook
 * has been parsed.
 */


/*
 * Sets the source, or NULL for "off".  Returns NGX_OK; NGX_ERROR if there is
 * no memory or if a variable cannot be evaluated; NGX_DECLINED if there is no
 * source of the name.  In that case "source" is NULL, and "error" says so, in
 * one line, which is in the request's pool.
 */
ngx_int_t ngx_http_ilert_route(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_ilert_source_t **source,
    ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_ROUTE_H_INCLUDED_ */
