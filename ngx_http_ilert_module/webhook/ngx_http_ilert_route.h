
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
 * Finds the source that a location's "ilert_kapacitor" gives for a request.
 * Before the webhook has been parsed, its variables have no value.
 */


/*
 * Sets "source", to NULL if the value is "off".  Returns NGX_OK; NGX_ERROR if
 * there is no memory or if a variable cannot be evaluated; or NGX_DECLINED if
 * there is no source with that name.  In the last case "source" is NULL, and
 * "error" is one line that says so, which lives as long as the request.
 */
ngx_int_t ngx_http_ilert_route(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_ilert_source_t **source,
    ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_ROUTE_H_INCLUDED_ */
