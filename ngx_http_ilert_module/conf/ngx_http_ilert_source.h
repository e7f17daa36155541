
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_SOURCE_H_INCLUDED_
#define _NGX_HTTP_ILERT_SOURCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * The directives of ilert_source { }, and "ilert_heartbeat", which has a key
 * too; and the files in which keys are.  The names of endpoints are resolved
 * later, by resolve.c.
 */


/* the name of the endpoint for pings, and of their source in logs */

#define NGX_HTTP_ILERT_HEARTBEAT       "heartbeat"


/* These are the handlers of "ilert_source" and "ilert_heartbeat". */
char *ngx_http_ilert_source_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_source_heartbeat(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Warns of directives in ilert_source { } that have no effect because there is
 * no queue.
 */
void ngx_http_ilert_source_check_unused(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_SOURCE_H_INCLUDED_ */
