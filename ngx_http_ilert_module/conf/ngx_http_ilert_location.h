
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_
#define _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * The directives of a location, except those that say what is in an event,
 * which mapping.h has.
 */


/*
 * These are the handlers of the directives "ilert_kapacitor", "ilert_events",
 * "ilert_endpoint", "ilert_status", "ilert_control", and "ilert_unreadable".
 */
char *ngx_http_ilert_location_kapacitor(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_events(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_ilert_location_unreadable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * This is the handler of directives whose value is a size in bytes.  It sets
 * the off_t at cmd->offset.  cmd->post points to the least value that is
 * allowed, an off_t, or is NULL if any is.
 */
char *ngx_http_ilert_location_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Adds a location that takes webhooks to imcf->locations.  Its source is
 * looked for later, by resolve.c, when all sources are known.  Returns NGX_OK,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_location_add(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf);

/*
 * Parses "host=NAME[:PORT]", where the name may be an address.  "name" is that
 * of the directive.  Returns NGX_OK, or NGX_ERROR after a line in the log.
 */
ngx_int_t ngx_http_ilert_location_set_host(ngx_conf_t *cf,
    ngx_http_ilert_host_t *host, ngx_str_t *parameter, const char *name);

/*
 * Checks that the location of a directive is a prefix that ends in "/": the
 * rest of a URI, behind the prefix, is what we read or write.  Returns NGX_OK,
 * or NGX_ERROR after a line in the log, which has the example.
 */
ngx_int_t ngx_http_ilert_location_check_prefix(ngx_conf_t *cf,
    const char *name, const char *example);


#endif /* _NGX_HTTP_ILERT_LOCATION_H_INCLUDED_ */
