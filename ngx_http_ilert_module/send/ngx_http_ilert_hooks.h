
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_
#define _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * What we do with a request to ilert on its way through nginx: handlers in
 * phases of the subrequest, handlers around those of its upstream, and
 * filters.
 */


/*
 * Is called at postconfiguration: adds our handlers and filters.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_hooks_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_ */
