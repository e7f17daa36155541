
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
 * ilert_source { }, and what else has a key: its directives, and the files
 * that keys are in.  Names of other things are resolved by resolve.c.
 */


/* ms of a rate that is given by the minute */

#define NGX_HTTP_ILERT_MINUTE          60000

/* the endpoint through which pings leave, and their source in logs */

#define NGX_HTTP_ILERT_HEARTBEAT       "heartbeat"


/* handlers of the directives "ilert_source" and "ilert_heartbeat" */
char *ngx_http_ilert_source_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_source_heartbeat(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* sets a rate such as "50r/m", "2r/s" or "off"; NGX_ERROR: it is none */
ngx_int_t ngx_http_ilert_source_parse_rate(ngx_http_ilert_rate_t *rate,
    ngx_str_t *value);

/* warns of what was given and has no effect without a queue */
void ngx_http_ilert_source_check_unused(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


#endif /* _NGX_HTTP_ILERT_SOURCE_H_INCLUDED_ */
