
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
 * What depends on the whole of "http": when all of it has been read, names are
 * resolved, so that the order of directives is free, sources with the same key
 * share its budget, and what has no effect is warned of.
 */


/* NGX_ERROR if something is wrong, which has been logged */
ngx_int_t ngx_http_ilert_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_RESOLVE_H_INCLUDED_ */
