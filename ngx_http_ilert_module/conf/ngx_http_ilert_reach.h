
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
 * Whether webhooks can reach their location: a "return", or a "rewrite" that
 * is a redirect, may answer all of them before.  What depends on the request
 * is not judged here, but counted when it happens, see unseen.h.
 */


/*
 * Returns the status that all webhooks to the location are answered with, or 0
 * if some of them may reach it.  "where" is set to "server" or "location": to
 * what the answer belongs.  All of "http" must have been read.
 */
ngx_uint_t ngx_http_ilert_reach_status(ngx_cycle_t *cycle,
    ngx_http_ilert_loc_conf_t *ilcf, const char **where);


#endif /* _NGX_HTTP_ILERT_REACH_H_INCLUDED_ */
