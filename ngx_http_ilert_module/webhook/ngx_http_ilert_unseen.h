
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_
#define _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Webhooks that nginx itself has answered, before the handler of their
 * location was asked or while it waited for the body: they are refused, too.
 * A "return", a redirect, "error_page", access rules, limits, a body that is
 * too large, a client that is too slow, or that goes.
 *
 * This is known when nginx logs the request.  By then it may be in another
 * location, where "error_page" has sent it, or never have come to one.
 */


/*
 * Adds handlers to phases of nginx; called when webhooks are configured, and
 * all servers are known.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_unseen_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_UNSEEN_H_INCLUDED_ */
