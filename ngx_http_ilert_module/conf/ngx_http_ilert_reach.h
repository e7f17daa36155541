
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REACH_H_INCLUDED_
#define _NGX_HTTP_ILERT_REACH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * Finds out whether webhooks can reach their location: a "return", or
 * a "rewrite" that is a redirect, may answer all of them earlier; and the
 * server may refuse large ones earlier.  If the former depends on the request,
 * nothing is said here; such answers are counted when they happen, see
 * unseen.h.
 */


/*
 * Returns the status with which nginx answers all webhooks to the location, or
 * 0 if some of them may reach it.  "where" is set to "server" or "location",
 * to say where the directive is that answers; it is a constant string.  All of
 * "http" must have been read.
 */
ngx_uint_t ngx_http_ilert_reach_status(ngx_cycle_t *cycle,
    ngx_http_ilert_loc_conf_t *ilcf, const char **where);

/*
 * Returns the largest size, in bytes, of the bodies that nginx may read by
 * "client_body_early_read" before it looks for the location.  Returns 0 if
 * there is no such limit, as in an nginx that does not know the directive.
 */
off_t ngx_http_ilert_reach_early_size(ngx_http_ilert_loc_conf_t *ilcf);


#endif /* _NGX_HTTP_ILERT_REACH_H_INCLUDED_ */
