
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_
#define _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Finds webhooks that nginx itself has answered, before the handler of their
 * location was called, or while the handler waited for the body.  They count
 * as refused, too.  Reasons are a "return", a redirect, "error_page", access
 * rules, limits, a body that is too large, and a client that is too slow or
 * goes away.
 *
 * They are found when nginx logs the request.  At that time the request may be
 * in another location, to which "error_page" has sent it, or may never have
 * come to a location.
 */


/*
 * Adds handlers to phases of nginx.  It is called if webhooks are configured,
 * when all servers are known.  Returns NGX_OK, or NGX_ERROR if there is no
 * memory.
 */
ngx_int_t ngx_http_ilert_unseen_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_ */
