
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RESOLVE_H_INCLUDED_
#define _NGX_HTTP_ILERT_RESOLVE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * What is done when all of "http" has been read.  Names of sources and
 * endpoints are resolved only then, so that the order of directives is free.
 * Sources with the same key are made to share its budget, and directives that
 * have no effect are warned of.
 */


/*
 * Returns NGX_OK; or NGX_ERROR if the configuration is wrong, which is logged,
 * or if there is no memory.
 */
ngx_int_t ngx_http_ilert_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_RESOLVE_H_INCLUDED_ */
