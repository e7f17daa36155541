
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_
#define _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * The directives that say what an event is like, "ilert_summary" and so on:
 * as they are configured, and what their values are for a request.
 */


/*
 * Handlers of the directives.  cmd->offset is that of the member of
 * "directives" in the location's configuration, cmd->post is not used.
 */
char *ngx_http_ilert_mapping_set_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_mapping_set_item(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

void ngx_http_ilert_mapping_merge(ngx_http_ilert_mapping_conf_t *conf,
    ngx_http_ilert_mapping_conf_t *prev);


/*
 * Gives each of the n configurations, which are those of locations, its
 * part of a memory that is shared by the workers: NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_mapping_init(ngx_conf_t *cf,
    ngx_http_ilert_mapping_conf_t **confs, ngx_uint_t n);


/*
 * The directive's name, if "conf" has one that does not apply to events
 * that ilert itself makes; else NULL.
 */
ngx_str_t *ngx_http_ilert_mapping_unfit(ngx_http_ilert_mapping_conf_t *conf,
    ngx_uint_t i);


/*
 * The value of one directive that is no list, valid UTF-8; empty if there
 * is none, or if ilert does not allow it: the latter is logged, once a
 * minute.  NGX_ERROR without memory or if a variable cannot be evaluated.
 */
ngx_int_t ngx_http_ilert_mapping_value(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_e i,
    ngx_str_t *value);

/* all that ngx_http_ilert_event_map() needs, in the same way */
ngx_int_t ngx_http_ilert_mapping_eval(ngx_http_request_t *r,
    ngx_http_ilert_mapping_conf_t *conf, ngx_http_ilert_mapping_t *mapping);


#endif /* _NGX_HTTP_ILERT_MAPPING_H_INCLUDED_ */
