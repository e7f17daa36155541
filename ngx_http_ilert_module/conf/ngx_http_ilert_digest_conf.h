
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DIGEST_CONF_H_INCLUDED_
#define _NGX_HTTP_ILERT_DIGEST_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/* Parses "digest" of a source, which is "conf". */
char *ngx_http_ilert_digest_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Checks the digests of all sources, whose rates must be known, and sets what
 * depends on others.  Returns NGX_OK, or NGX_ERROR after the error was logged.
 */
ngx_int_t ngx_http_ilert_digest_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_DIGEST_CONF_H_INCLUDED_ */
