
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_PROBE_H_INCLUDED_
#define _NGX_HTTP_ILERT_PROBE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * A request that nobody has sent, and that goes nowhere: while nginx starts it
 * asks nginx itself what it would do with one.  A location's configuration is
 * known to its module only, and URLs may have variables.
 *
 * It has no phases, no headers, and no arguments, and nothing is logged.
 */

typedef struct {
    ngx_http_request_t          *request;

    /* what the core wants of a connection */

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
 * Of a request to the location of that configuration, with that URI; all of
 * "http" must have been read.  The probe is the caller's, and has to stay.
 * NGX_ERROR if there is no memory: then there is nothing to be freed.
 */
ngx_int_t ngx_http_ilert_probe_create(ngx_http_ilert_probe_t *probe,
    ngx_http_conf_ctx_t *conf_ctx, ngx_str_t *uri, ngx_log_t *log);

void ngx_http_ilert_probe_free(ngx_http_ilert_probe_t *probe);


/*
 * Where the location's proxy_pass, or the like, would pass the request, as far
 * as nginx knows before it looks up names; it lives as long as the probe.
 * NULL: that is not known.
 */
ngx_http_upstream_t *ngx_http_ilert_probe_upstream(
    ngx_http_ilert_probe_t *probe);

/*
 * What the value is if nothing is known that it depends on.  With "unheard"
 * all of that is a text that nobody has ever heard of, instead of empty.
 *
 * NGX_DECLINED: it depends on no variable of whose value is known what it
 * depends on, as one of "map" does; others may be set when there is a real
 * request.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_probe_value(ngx_http_ilert_probe_t *probe,
    ngx_http_complex_value_t *complex, ngx_uint_t unheard, ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_PROBE_H_INCLUDED_ */
