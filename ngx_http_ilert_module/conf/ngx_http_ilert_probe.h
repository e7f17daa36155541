
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_PROBE_H_INCLUDED_
#define _NGX_HTTP_ILERT_PROBE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * A probe is a request without a client that is never sent anywhere.  While
 * nginx starts, it serves to find out what nginx would do with a real request.
 * We cannot read that from the configuration, because only the module that
 * made a configuration knows its type, and because URLs may have variables.
 *
 * A probe goes through no phases, has no headers and no arguments, and nothing
 * of it is logged.
 */

typedef struct {
    ngx_http_request_t          *request;

    /* the members of a connection that nginx's core needs */

    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_http_connection_t        hc;
    ngx_buf_t                    header_in;
    struct sockaddr_in           sockaddr;
} ngx_http_ilert_probe_t;


/*
 * Makes a probe of a request to the location whose configuration is
 * "conf_ctx".  All of "http" must have been read.  The memory of "probe" is
 * the caller's; it and "uri" must stay as they are until the probe is freed.
 * Returns NGX_OK, or NGX_ERROR if there is no memory; then the probe need not
 * be freed.
 */
ngx_int_t ngx_http_ilert_probe_create(ngx_http_ilert_probe_t *probe,
    ngx_http_conf_ctx_t *conf_ctx, ngx_str_t *uri, ngx_log_t *log);

/* Frees what was allocated for the probe, but not "probe" itself. */
void ngx_http_ilert_probe_free(ngx_http_ilert_probe_t *probe);


/*
 * Returns the upstream to which the location's proxy_pass, or the like, would
 * pass the request; host names are not looked up.  It lives as long as the
 * probe.  Returns NULL if the upstream cannot be found out.
 */
ngx_http_upstream_t *ngx_http_ilert_probe_upstream(
    ngx_http_ilert_probe_t *probe);

/*
 * Evaluates a complex value as if the variables that it comes from were empty
 * or, with "unheard", had a text that no "map" lists.  Those that are the same
 * in all requests, such as $server_name, have their value.  "value" is
 * allocated from the probe's request.
 *
 * This only works if the value uses a variable that is computed from other
 * ones, such as that of a "map".  If it uses none, NGX_DECLINED is returned,
 * because a variable that depends on no other one can have any value in a real
 * request.  Otherwise the function returns NGX_OK, or NGX_ERROR if there is no
 * memory.
 */
ngx_int_t ngx_http_ilert_probe_value(ngx_http_ilert_probe_t *probe,
    ngx_http_complex_value_t *complex, ngx_uint_t unheard, ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_PROBE_H_INCLUDED_ */
