
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_probe.h"
#include "ngx_http_ilert_text.h"


static ssize_t ngx_http_ilert_probe_send(ngx_connection_t *c, u_char *buf,
    size_t size);
static ngx_uint_t ngx_http_ilert_probe_is_leaf(ngx_http_request_t *r,
    ngx_uint_t index);
static ngx_uint_t ngx_http_ilert_probe_is_fixed(ngx_http_request_t *r,
    ngx_uint_t index);
static ngx_uint_t ngx_http_ilert_probe_is_known(ngx_http_request_t *r,
    ngx_uint_t index);
static void ngx_http_ilert_probe_forget(ngx_http_request_t *r);


static ngx_str_t  ngx_http_ilert_probe_addr = ngx_string("127.0.0.1");
static ngx_str_t  ngx_http_ilert_probe_unheard =
    ngx_string("ilert_probe_of_a_value_that_nobody_has_heard_of");

/* a variable that is the same in all requests to a server */

static ngx_str_t  ngx_http_ilert_probe_server = ngx_string("server_name");

/* those that are the same in all requests to an exact location */

static ngx_str_t  ngx_http_ilert_probe_of_location[] = {
    ngx_string("document_uri"),
    ngx_string("uri"),
    ngx_null_string
};


ngx_int_t
ngx_http_ilert_probe_create(ngx_http_ilert_probe_t *probe,
    ngx_http_conf_ctx_t *conf_ctx, ngx_str_t *uri, ngx_log_t *log)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    ngx_memzero(probe, sizeof(ngx_http_ilert_probe_t));

    c = &probe->connection;

    c->pool = ngx_create_pool(NGX_MIN_POOL_SIZE, log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    probe->log = *log;
    probe->log.handler = NULL;
    probe->log.data = &probe->log_ctx;
    probe->log_ctx.connection = c;

    /*
     * The connection has no socket, so nginx's core must not add it to epoll
     * ("active" tells that it is there already), and must not write to it.
     */

    c->fd = (ngx_socket_t) -1;
    c->log = &probe->log;
    c->buffer = &probe->header_in;
    c->send = ngx_http_ilert_probe_send;
    c->read = &probe->read;
    c->write = &probe->write;

    probe->read.data = c;
    probe->read.log = c->log;
    probe->read.active = 1;

    probe->write = probe->read;
    probe->write.write = 1;

    probe->sockaddr.sin_family = AF_INET;
    probe->sockaddr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->sockaddr = (struct sockaddr *) &probe->sockaddr;
    c->socklen = sizeof(struct sockaddr_in);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = ngx_http_ilert_probe_addr;

    probe->hc.conf_ctx = conf_ctx;
    c->data = &probe->hc;

    r = ngx_http_create_request(c);

    if (r == NULL
        || ngx_list_init(&r->headers_in.headers, r->pool, 1,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        ngx_destroy_pool(c->pool);
        return NGX_ERROR;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_requests, -1);
#endif

    /* ngx_http_create_request() has set the location's log level */

    c->log->log_level = NGX_LOG_STDERR;
    c->data = r;

    r->logged = 1;
    r->internal = 1;
    r->method = NGX_HTTP_POST;
    ngx_str_set(&r->method_name, "POST");
    r->http_version = NGX_HTTP_VERSION_11;
    r->uri = *uri;
    r->unparsed_uri = *uri;
    r->headers_in.content_length_n = 0;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    probe->request = r;

    return NGX_OK;
}


void
ngx_http_ilert_probe_free(ngx_http_ilert_probe_t *probe)
{
    ngx_pool_t  *pool;

    pool = probe->connection.pool;

    ngx_http_free_request(probe->request, 0);
    ngx_destroy_pool(pool);
}


static ssize_t
ngx_http_ilert_probe_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    return NGX_ERROR;
}


/*
 * The content handler of the location sets r->upstream, and then reads the
 * body.  That must end there.  So the request has "Expect: 100-continue":
 * nginx tries to send "100 Continue", which fails.  In case that another
 * version of nginx goes on, r->aio is set, which makes nginx wait for an
 * operation that never ends.
 */

ngx_http_upstream_t *
ngx_http_ilert_probe_upstream(ngx_http_ilert_probe_t *probe)
{
    ngx_table_elt_t           *h;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = probe->request;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->handler == NULL) {
        return NULL;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    ngx_str_set(&h->key, "Expect");
    ngx_str_set(&h->value, "100-continue");
    h->lowcase_key = (u_char *) "expect";
    h->hash = 1;

    r->headers_in.expect = h;
    r->aio = 1;

    (void) clcf->handler(r);

    if (r->upstream == NULL || r->upstream->conf == NULL) {
        return NULL;
    }

    return r->upstream;
}


/*
 * Which variables a value uses is seen by evaluating it: those that are set
 * then were used, by the value itself or by another variable.  Those that use
 * no other one are the leaves.  With "unheard" the leaves are given a text
 * that nobody knows, and the value is evaluated once more.
 */

ngx_int_t
ngx_http_ilert_probe_value(ngx_http_ilert_probe_t *probe,
    ngx_http_complex_value_t *complex, ngx_uint_t unheard, ngx_str_t *value)
{
    u_char                     *known;
    ngx_uint_t                  i, n, depends;
    ngx_http_request_t         *r;
    ngx_http_core_main_conf_t  *cmcf;

    r = probe->request;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    n = cmcf->variables.nelts;

    known = ngx_pnalloc(r->pool, n + 1);
    if (known == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_probe_forget(r);

    if (ngx_http_complex_value(r, complex, value) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        known[i] = ngx_http_ilert_probe_is_known(r, i);
    }

    depends = 0;

    for (i = 0; i < n; i++) {

        if (known[i] && !ngx_http_ilert_probe_is_leaf(r, i)) {
            known[i] = 0;
            depends = 1;
        }
    }

    if (!depends) {
        return NGX_DECLINED;
    }

    ngx_http_ilert_probe_forget(r);

    for (i = 0; unheard && i < n; i++) {

        if (known[i] && !ngx_http_ilert_probe_is_fixed(r, i)) {
            r->variables[i].valid = 1;
            r->variables[i].len = ngx_http_ilert_probe_unheard.len;
            r->variables[i].data = ngx_http_ilert_probe_unheard.data;
        }
    }

    return ngx_http_complex_value(r, complex, value);
}


/* Returns 1 if the variable is evaluated without the use of another one. */

static ngx_uint_t
ngx_http_ilert_probe_is_leaf(ngx_http_request_t *r, ngx_uint_t index)
{
    ngx_uint_t                  i;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    ngx_http_ilert_probe_forget(r);

    (void) ngx_http_get_indexed_variable(r, index);

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (i != index && ngx_http_ilert_probe_is_known(r, i)) {
            return 0;
        }
    }

    return 1;
}


/* Returns 1 if the variable has the value that it has here in all requests. */

static ngx_uint_t
ngx_http_ilert_probe_is_fixed(ngx_http_request_t *r, ngx_uint_t index)
{
    ngx_str_t                  *name, *fixed;
    ngx_http_variable_t        *v;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    v = cmcf->variables.elts;
    name = &v[index].name;

    if (ngx_http_ilert_text_same(name, &ngx_http_ilert_probe_server)) {
        return 1;
    }

    if (!clcf->exact_match) {
        return 0;
    }

    for (fixed = ngx_http_ilert_probe_of_location; fixed->len; fixed++) {
        if (ngx_http_ilert_text_same(name, fixed)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_ilert_probe_is_known(ngx_http_request_t *r, ngx_uint_t index)
{
    return r->variables[index].valid || r->variables[index].not_found;
}


static void
ngx_http_ilert_probe_forget(ngx_http_request_t *r)
{
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    ngx_memzero(r->variables,
                cmcf->variables.nelts * sizeof(ngx_http_variable_value_t));
}
