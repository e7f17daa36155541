
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_
#define _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Requests to ilert on their way through nginx: in phases of the subrequest,
 * around the handlers of its upstream, and in filters.
 */


/* takes our places in nginx's phases and filters, at postconfiguration */
ngx_int_t ngx_http_ilert_hooks_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_HOOKS_H_INCLUDED_ */
