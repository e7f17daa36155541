
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
 * Finds the source that a location's "ilert_kapacitor" or "ilert_events" gives
 * for a request.  Before the body has been parsed, the variables of a webhook
 * have no value.
 */


/*
 * Sets "source", to NULL if the value is "off".  Returns NGX_OK; NGX_ERROR if
 * there is no memory or if a variable cannot be evaluated; or NGX_DECLINED if
 * there is no source with that name, or with the integration key of the event.
 * In the last case "source" is NULL, and "error" is one line of valid UTF-8
 * that says so, which lives as long as the request.
 */
ngx_int_t ngx_http_ilert_route(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_ilert_source_t **source,
    ngx_str_t *error);

/*
 * Does the same for an event of another sender, that of the request's context.
 * Also returns NGX_DECLINED if the source takes no events, or if the event has
 * the integration key of another source: then "source" is that of the
 * location.  With NGX_DECLINED it sets the status of the answer, too.
 */
ngx_int_t ngx_http_ilert_route_event(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_ilert_source_t **source,
    ngx_uint_t *status, ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_ROUTE_H_INCLUDED_ */
