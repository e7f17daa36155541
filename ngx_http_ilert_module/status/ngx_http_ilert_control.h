
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * What an operator wants done: dead letters replayed or discarded, a source
 * paused, resumed or emptied.  Who may do that is the configuration's to say;
 * here it is only seen to that no other site's page does it in the name of an
 * operator who looks at it.
 */


/*
 * When all servers are known: keeps the names of those that have a location
 * with "ilert_control".  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_control_init(ngx_conf_t *cf);

/* the content handler of a location with "ilert_control" */
ngx_int_t ngx_http_ilert_control_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_ */
