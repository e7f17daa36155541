
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_refuse.h"
#include "ngx_http_ilert_unseen.h"


/* the status that nginx logs if the client went away before the answer */

#define NGX_HTTP_ILERT_UNSEEN_GONE  NGX_HTTP_CLIENT_CLOSED_REQUEST


/* how far the request had come */

typedef enum {
    NGX_HTTP_ILERT_UNSEEN_ANYWHERE = 0,
    NGX_HTTP_ILERT_UNSEEN_HEADER,           /* it came to no location */
    NGX_HTTP_ILERT_UNSEEN_EARLY,            /* its body was read before a */
                                            /* location was looked for */
    NGX_HTTP_ILERT_UNSEEN_BODY              /* our handler waited for it */
} ngx_http_ilert_unseen_place_e;


/* The first reason that has the status and the place is taken. */

typedef struct {
    ngx_uint_t                   status;    /* 0: any */
    ngx_http_ilert_unseen_place_e  place;
    ngx_str_t                    error;
} ngx_http_ilert_unseen_reason_t;


static void ngx_http_ilert_unseen_find_servers(
    ngx_http_core_main_conf_t *cmcf);
static void ngx_http_ilert_unseen_check_address(ngx_http_conf_addr_t *addr);
static ngx_http_ilert_srv_conf_t *ngx_http_ilert_unseen_server(
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_ilert_unseen_begin(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_unseen_log(ngx_http_request_t *r);
static ngx_str_t *ngx_http_ilert_unseen_reason(ngx_uint_t status,
    ngx_http_ilert_unseen_place_e place);
static ngx_http_ilert_unseen_place_e ngx_http_ilert_unseen_place(
    ngx_http_request_t *r, ngx_http_ilert_loc_conf_t *ilcf, ngx_uint_t status);
static ngx_uint_t ngx_http_ilert_unseen_has_no_location(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_http_ilert_loc_conf_t *ngx_http_ilert_unseen_location(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_unseen_uri(ngx_http_request_t *r,
    ngx_str_t *uri);
static ngx_http_core_loc_conf_t *ngx_http_ilert_unseen_find(
    ngx_http_core_loc_conf_t *parent, ngx_str_t *uri, ngx_uint_t *final);
static ngx_http_core_loc_conf_t *ngx_http_ilert_unseen_find_static(
    ngx_http_location_tree_node_t *node, ngx_str_t *uri, ngx_uint_t *final);


static ngx_http_ilert_unseen_reason_t  ngx_http_ilert_unseen_reasons[] = {

    { NGX_HTTP_BAD_REQUEST, NGX_HTTP_ILERT_UNSEEN_HEADER,
      ngx_string("nginx answered itself: the request line or the header is no "
                 "HTTP, as with spaces in the URL, or if the port is one of "
                 "TLS") },

    { NGX_HTTP_BAD_REQUEST, NGX_HTTP_ILERT_UNSEEN_BODY,
      ngx_string("nginx answered itself: the body did not come whole, the "
                 "client went away, or it is no HTTP") },

    { NGX_HTTP_UNAUTHORIZED, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: no user, or a wrong password") },

    { NGX_HTTP_FORBIDDEN, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: access is denied") },

    { NGX_HTTP_REQUEST_TIME_OUT, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: the request did not come in time") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_HTTP_ILERT_UNSEEN_EARLY,
      ngx_string("nginx answered itself: the body is larger than "
                 "\"client_max_body_size\" of the server, by which "
                 "\"client_body_early_read\" reads it") },

    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: the body is larger than "
                 "\"ilert_max_body_size\"") },

    { NGX_HTTP_TOO_MANY_REQUESTS, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: a limit of requests or "
                 "connections") },

    { NGX_HTTP_ILERT_UNSEEN_GONE, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("the client went away before it was answered") },

    { NGX_HTTP_INTERNAL_SERVER_ERROR, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: an internal error") },

    { NGX_HTTP_SERVICE_UNAVAILABLE, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: a limit of requests or connections, "
                 "or a \"return\"") },

    { NGX_HTTP_REQUEST_URI_TOO_LARGE, NGX_HTTP_ILERT_UNSEEN_HEADER,
      ngx_string("nginx answered itself: the URL is too long") },

    { 0, NGX_HTTP_ILERT_UNSEEN_HEADER,
      ngx_string("nginx answered itself: the method, the version, or a header "
                 "field is none that it takes") },

    { 0, NGX_HTTP_ILERT_UNSEEN_ANYWHERE,
      ngx_string("nginx answered itself: see \"return\", \"rewrite\", and "
                 "\"error_page\"") }
};


ngx_int_t
ngx_http_ilert_unseen_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_unseen_begin;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_LOG_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_unseen_log;

    ngx_http_ilert_unseen_find_servers(cmcf);

    return NGX_OK;
}


/*
 * If nginx cannot read the header of a request, it takes the default server of
 * the address.  The webhook may have been for another server of that address,
 * so "near" is set for both.
 */

static void
ngx_http_ilert_unseen_find_servers(ngx_http_core_main_conf_t *cmcf)
{
    ngx_uint_t              i, k;
    ngx_http_conf_addr_t   *addr;
    ngx_http_conf_port_t   *port;

    if (cmcf->ports == NULL) {
        return;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {

        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            ngx_http_ilert_unseen_check_address(&addr[k]);
        }
    }
}


static void
ngx_http_ilert_unseen_check_address(ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                   i;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_ilert_srv_conf_t   *iscf;

    cscfp = addr->servers.elts;

    for (i = 0; i < addr->servers.nelts; i++) {

        iscf = ngx_http_ilert_unseen_server(cscfp[i]);

        if (iscf->webhooks) {
            iscf->near = 1;

            iscf = ngx_http_ilert_unseen_server(addr->default_server);
            iscf->near = 1;
        }
    }
}


static ngx_http_ilert_srv_conf_t *
ngx_http_ilert_unseen_server(ngx_http_core_srv_conf_t *cscf)
{
    return cscf->ctx->srv_conf[ngx_http_ilert_module.ctx_index];
}


/*
 * This handler does nothing, but makes r->phase_handler tell more: since the
 * first phase has a handler, a request whose phase_handler is still 0 has not
 * come past that phase, as nginx could not read its header.
 */

static ngx_int_t
ngx_http_ilert_unseen_begin(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_unseen_log(ngx_http_request_t *r)
{
    ngx_uint_t                      status;
    ngx_http_ilert_ctx_t           *ctx;
    ngx_http_ilert_loc_conf_t      *ilcf;
    ngx_http_ilert_unseen_place_e   place;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    if (ctx && (ctx->answered || ctx->client)) {
        return NGX_OK;
    }

    status = r->err_status ? r->err_status : r->headers_out.status;

    if (ngx_http_ilert_unseen_has_no_location(r, status)) {

        if (status < NGX_HTTP_BAD_REQUEST) {
            return NGX_OK;
        }

        ilcf = NULL;
        place = NGX_HTTP_ILERT_UNSEEN_HEADER;

    } else {
        ilcf = ngx_http_ilert_unseen_location(r);

        if (ilcf == NULL) {
            return NGX_OK;
        }

        place = ngx_http_ilert_unseen_place(r, ilcf, status);
    }

    if (status == 0) {
        status = NGX_HTTP_ILERT_UNSEEN_GONE;
    }

    ngx_http_ilert_refuse(r, ilcf, status,
                          ngx_http_ilert_unseen_reason(status, place));

    return NGX_OK;
}


static ngx_str_t *
ngx_http_ilert_unseen_reason(ngx_uint_t status,
    ngx_http_ilert_unseen_place_e place)
{
    ngx_http_ilert_unseen_reason_t  *reason;

    reason = ngx_http_ilert_unseen_reasons;

    /* The last reason is for any status and any place. */

    while ((reason->status && reason->status != status)
           || (reason->place && reason->place != place))
    {
        reason++;
    }

    return &reason->error;
}


/*
 * A body that was refused as too large without need was refused by the limit
 * of the server, not by that of the location.  How large it would have been is
 * only known if the client has told.
 */

static ngx_http_ilert_unseen_place_e
ngx_http_ilert_unseen_place(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_uint_t status)
{
    off_t  size;

    if (ngx_http_get_module_ctx(r, ngx_http_ilert_module)) {
        return NGX_HTTP_ILERT_UNSEEN_BODY;
    }

    size = r->headers_in.content_length_n;

    if (status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE
        && (size == -1 ? !r->internal && r->phase_handler == 0
                       : ilcf->max_body_size == 0
                         || size <= ilcf->max_body_size))
    {
        return NGX_HTTP_ILERT_UNSEEN_EARLY;
    }

    return NGX_HTTP_ILERT_UNSEEN_ANYWHERE;
}


/*
 * Returns 1 if nginx could not read the request line or the header, and the
 * request may have been a webhook.  If "error_page" has sent such a request to
 * a location, it can be told by its URI as received, which is empty.  If the
 * header is fine, and only the body that "client_body_early_read" asks for is
 * not, the location is known by its URI.
 */

static ngx_uint_t
ngx_http_ilert_unseen_has_no_location(ngx_http_request_t *r,
    ngx_uint_t status)
{
    ngx_http_ilert_srv_conf_t  *iscf;

    iscf = ngx_http_get_module_srv_conf(r, ngx_http_ilert_module);

    if (r != r->main || !iscf->near) {
        return 0;
    }

    if (r->internal) {
        return r->unparsed_uri.len == 0;
    }

    return r->phase_handler == 0 && r->request_body == NULL
           && status != NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}


/*
 * Returns the location with "ilert_kapacitor" that the request was for, or
 * NULL.  This may be the location where the request is now.  If the request
 * was sent elsewhere, or if the server answered before a location was looked
 * for, it is the location that nginx would find for the client's URI.
 */

static ngx_http_ilert_loc_conf_t *
ngx_http_ilert_unseen_location(ngx_http_request_t *r)
{
    ngx_str_t                   uri;
    ngx_uint_t                  final;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_ilert_loc_conf_t  *ilcf;
    ngx_http_ilert_srv_conf_t  *iscf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->route) {
        return ilcf;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    iscf = ngx_http_get_module_srv_conf(r, ngx_http_ilert_module);

    if (r != r->main || !iscf->webhooks
        || (!r->internal && r->loc_conf != cscf->ctx->loc_conf)
        || ngx_http_ilert_unseen_uri(r, &uri) != NGX_OK)
    {
        return NULL;
    }

    final = 0;

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    clcf = ngx_http_ilert_unseen_find(clcf, &uri, &final);

    if (clcf == NULL) {
        return NULL;
    }

    ilcf = clcf->loc_conf[ngx_http_ilert_module.ctx_index];

    return ilcf->route ? ilcf : NULL;
}


/*
 * Sets "uri" to the decoded path that the client has sent.  The path may be in
 * the request's pool.  Returns NGX_ERROR if there is no memory.
 */

static ngx_int_t
ngx_http_ilert_unseen_uri(ngx_http_request_t *r, ngx_str_t *uri)
{
    u_char  *p, *src, *dst, *last;

    if (!r->internal) {
        *uri = r->uri;
        return NGX_OK;
    }

    src = r->unparsed_uri.data;
    last = src + r->unparsed_uri.len;

    for (p = src; p < last && *p != '?' && *p != '#'; p++) { /* void */ }

    uri->data = src;
    uri->len = p - src;

    if (ngx_strlchr(src, p, '%') == NULL) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, uri->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    uri->data = dst;

    ngx_unescape_uri(&dst, &src, uri->len, 0);

    uri->len = dst - uri->data;

    return NGX_OK;
}


/*
 * Returns the location below "parent" that nginx would take for the URI, or
 * NULL: one of exactly that name ("="); otherwise the first regular expression
 * that matches, unless the longest prefix forbids them ("^~"); otherwise the
 * longest prefix.  "final" is set if the levels above must not look for
 * regular expressions any more.
 */

static ngx_http_core_loc_conf_t *
ngx_http_ilert_unseen_find(ngx_http_core_loc_conf_t *parent, ngx_str_t *uri,
    ngx_uint_t *final)
{
    ngx_http_core_loc_conf_t   *clcf, *nested;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t  **clcfp;
#endif

    clcf = ngx_http_ilert_unseen_find_static(parent->static_locations, uri,
                                             final);
    if (*final) {
        return clcf;
    }

    nested = clcf ? ngx_http_ilert_unseen_find(clcf, uri, final) : NULL;

    if (*final) {
        return nested;
    }

#if (NGX_PCRE)

    if (parent->regex_locations && (clcf == NULL || !clcf->noregex)) {

        for (clcfp = parent->regex_locations; *clcfp; clcfp++) {

            if (ngx_regex_exec((*clcfp)->regex->regex, uri, NULL, 0) >= 0) {
                nested = ngx_http_ilert_unseen_find(*clcfp, uri, final);
                *final = 1;
                return nested ? nested : *clcfp;
            }
        }
    }

#endif

    return nested ? nested : clcf;
}


/*
 * Does the same, but only with names that are no regular expressions.  They
 * are in nginx's binary tree.  On the left of a node are names that come
 * before its name, and on its right those that come after it.  Names that
 * begin with its name are in a tree of their own below the node, without that
 * beginning.
 */

static ngx_http_core_loc_conf_t *
ngx_http_ilert_unseen_find_static(ngx_http_location_tree_node_t *node,
    ngx_str_t *uri, ngx_uint_t *final)
{
    u_char                    *p;
    size_t                     len;
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *prefix;

    prefix = NULL;
    p = uri->data;
    len = uri->len;

    while (node) {

        rc = ngx_filename_cmp(p, node->name, ngx_min(len, node->len));

        if (rc < 0 || (rc == 0 && len < node->len)) {
            node = node->left;

        } else if (rc > 0) {
            node = node->right;

        } else if (len == node->len && node->exact) {
            *final = 1;
            return node->exact;

        } else if (node->inclusive) {
            prefix = node->inclusive;
            p += node->len;
            len -= node->len;
            node = node->tree;

        } else {
            node = node->right;
        }
    }

    return prefix;
}
