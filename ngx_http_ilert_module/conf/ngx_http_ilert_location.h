
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_
#define _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/* The directives of a location, but for those that say what an event is. */


/*
 * Handlers of the directives "ilert_kapacitor", "ilert_endpoint",
 * "ilert_status" and "ilert_control"
 */
char *ngx_http_ilert_location_kapacitor(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Of those with a size, an off_t at cmd->offset; cmd->post points to the least
 * value, an off_t, or is NULL
 */
char *ngx_http_ilert_location_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Takes the value of a directive's parameter "host=", the parameter as
 * a whole: a name or an address, and a port if there is one.  If that is not
 * allowed, it is logged, and NGX_ERROR is returned.
 */
ngx_int_t ngx_http_ilert_location_set_host(ngx_conf_t *cf,
    ngx_http_ilert_host_t *host, ngx_str_t *parameter);

/*
 * The location takes webhooks: its source is looked for when all of them are
 * known.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_location_add(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf);


#endif /* _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_ */
