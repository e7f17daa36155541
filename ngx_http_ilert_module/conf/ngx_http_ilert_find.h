
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FIND_H_INCLUDED_
#define _NGX_HTTP_ILERT_FIND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Returns the location to which nginx leads a URI, which is decoded and has no
 * arguments, in the server whose own configuration is "clcf"; or "clcf" itself
 * if no location takes the URI.  What directives such as "rewrite" change is
 * not seen.  All of "http" must have been read.
 */
ngx_http_core_loc_conf_t *ngx_http_ilert_find_location(
    ngx_http_core_loc_conf_t *clcf, ngx_str_t *uri);


#endif /* _NGX_HTTP_ILERT_FIND_H_INCLUDED_ */
