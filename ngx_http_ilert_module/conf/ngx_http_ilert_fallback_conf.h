
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FALLBACK_CONF_H_INCLUDED_
#define _NGX_HTTP_ILERT_FALLBACK_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/* The handler of the directive "ilert_fallback". */
char *ngx_http_ilert_fallback_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Is called when all of "http" has been read: checks the location, if there is
 * one, and finds its body.  Returns NGX_OK, or NGX_ERROR after a line in the
 * log that says what is wrong.
 */
ngx_int_t ngx_http_ilert_fallback_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_FALLBACK_CONF_H_INCLUDED_ */
