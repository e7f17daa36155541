
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_hooks.h"
#include "ngx_http_ilert_reply.h"


/* interim answers, 1xx, that are skipped at most */

#define NGX_HTTP_ILERT_INTERIM_MAX   16

/* usec of work for an answer, after which others have their turn */

#define NGX_HTTP_ILERT_HOOKS_TURN    3000


static ngx_http_ilert_client_t *ngx_http_ilert_hooks_client(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_redirected(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_precontent(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_content(ngx_http_request_t *r);
static void ngx_http_ilert_hooks_resolved(ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_http_ilert_hooks_is_connected(ngx_resolver_t *resolver);
static void ngx_http_ilert_hooks_set_deadline(ngx_http_ilert_client_t *client,
    ngx_http_upstream_t *u);
static void ngx_http_ilert_hooks_wrap(ngx_http_ilert_client_t *client,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_ilert_hooks_output(void *data, ngx_chain_t *in);
static ngx_int_t ngx_http_ilert_hooks_reinit(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_process_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_skip_interim(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_hooks_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_hooks_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_ilert_hooks_read(ngx_http_ilert_client_t *client,
    ngx_buf_t *b);
static void ngx_http_ilert_hooks_rest(ngx_http_ilert_client_t *client,
    int64_t begun);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* Returns the client of a subrequest, or NULL if the request is not ours. */

static ngx_http_ilert_client_t *
ngx_http_ilert_hooks_client(ngx_http_request_t *r)
{
    ngx_http_ilert_ctx_t  *ctx;

    if (r == r->main) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_ilert_module);

    return ctx ? ctx->client : NULL;
}


/*
 * Is called in both rewrite phases.  An answer with X-Accel-Redirect makes
 * nginx run the subrequest again, as GET and in another location.  But the
 * answer is there, and so the request ends here.
 */

static ngx_int_t
ngx_http_ilert_hooks_redirected(ngx_http_request_t *r)
{
    ngx_http_ilert_client_t    *client;

    client = ngx_http_ilert_hooks_client(r);

    if (client && r == client->sr && r->upstream
        && ngx_http_ilert_reply_has_answer(r->upstream))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/*
 * Puts our content handler before that of the location to which the subrequest
 * has come.
 */

static ngx_int_t
ngx_http_ilert_hooks_precontent(ngx_http_request_t *r)
{
    ngx_http_ilert_client_t    *client;

    client = ngx_http_ilert_hooks_client(r);

    if (client && r == client->sr && r->content_handler
        && r->content_handler != ngx_http_ilert_hooks_content)
    {
        client->content_handler = r->content_handler;
        r->content_handler = ngx_http_ilert_hooks_content;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_hooks_content(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_client_t    *client;

    client = ngx_http_ilert_hooks_client(r);

    if (!ngx_http_ilert_client_may_send(client)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    client->resolver = (clcf->resolver->connections.nelts != 0);

    if (client->kind->event) {
        ngx_http_ilert_connections_lend();
    }

    rc = client->content_handler(r);

    ngx_http_ilert_connections_keep();

    u = r->upstream;

    if (rc == NGX_DONE && u && !client->ended) {

        if (u->resolved && u->resolved->ctx) {
            client->resolve_handler = u->resolved->ctx->handler;
            u->resolved->ctx->handler = ngx_http_ilert_hooks_resolved;
        }

        ngx_http_ilert_hooks_set_deadline(client, u);
        ngx_http_ilert_hooks_wrap(client, u);
    }

    return rc;
}


/*
 * Is called by the resolver when it has found the addresses of a name, so that
 * nginx connects now; or when it has failed.
 */

static void
ngx_http_ilert_hooks_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_http_request_t         *r;
    ngx_http_ilert_client_t    *client;

    r = ctx->data;
    client = ngx_http_ilert_hooks_client(r);

    if (ctx->state == NGX_RESOLVE_TIMEDOUT
        && ngx_cycle->free_connections == NULL
        && !ngx_http_ilert_hooks_is_connected(ctx->resolver))
    {
        client->fault = NGX_HTTP_ILERT_FAULT_UNSENT;
    }

    if (client->kind->event) {
        ngx_http_ilert_connections_lend();
    }

    client->resolve_handler(ctx);

    ngx_http_ilert_connections_keep();
}


/*
 * Returns 1 if there is a connection to a name server.  There is none if nginx
 * had no connection left for it, and also if the name server has refused; the
 * caller looks whether there is a connection left.
 */

static ngx_uint_t
ngx_http_ilert_hooks_is_connected(ngx_resolver_t *resolver)
{
    ngx_uint_t                  i;
    ngx_resolver_connection_t  *rec;

    rec = resolver->connections.elts;

    for (i = 0; i < resolver->connections.nelts; i++) {
        if (rec[i].udp || rec[i].tcp) {
            return 1;
        }
    }

    return 0;
}


/*
 * Sets the deadline of the request.  Each timeout of nginx is for one step,
 * and nginx repeats steps, for the next server or for more bytes.  The
 * deadline is the time that each step may take once.
 */

static void
ngx_http_ilert_hooks_set_deadline(ngx_http_ilert_client_t *client,
    ngx_http_upstream_t *u)
{
    ngx_msec_t                 timer;
    ngx_http_core_loc_conf_t  *clcf;

    timer = u->conf->connect_timeout + u->conf->send_timeout
            + u->conf->read_timeout;

    if (u->resolved && u->resolved->ctx) {
        clcf = ngx_http_get_module_loc_conf(client->sr, ngx_http_core_module);
        timer += clcf->resolver_timeout;
    }

    ngx_add_timer(&client->end, timer);
}


/*
 * Puts our handlers around those of the upstream.  Nothing of the answer can
 * have been read yet, since the content handler has just returned.
 */

static void
ngx_http_ilert_hooks_wrap(ngx_http_ilert_client_t *client,
    ngx_http_upstream_t *u)
{
    /* what has not been written yet waits for addresses or a connection */

    if (u->output.output_filter
        && u->output.output_filter != ngx_http_ilert_hooks_output)
    {
        client->output = u->output.output_filter;
        client->output_ctx = u->output.filter_ctx;

        u->output.output_filter = ngx_http_ilert_hooks_output;
        u->output.filter_ctx = client;
    }

    if (u->schema.len < 4 || ngx_strncmp(u->schema.data, "http", 4) != 0
        || u->process_header == ngx_http_ilert_hooks_process_header)
    {
        return;
    }

    client->reinit_request = u->reinit_request;
    u->reinit_request = ngx_http_ilert_hooks_reinit;

    client->process_header = u->process_header;
    u->process_header = ngx_http_ilert_hooks_process_header;
}


/*
 * Is called before anything is written to ilert.  If the request must not be
 * sent any more, nothing is written; it has been ended, and until it is freed
 * nginx believes that the connection is not ready.
 */

static ngx_int_t
ngx_http_ilert_hooks_output(void *data, ngx_chain_t *in)
{
    ngx_http_ilert_client_t  *client = data;

    if (!ngx_http_ilert_client_may_send(client)) {
        return NGX_AGAIN;
    }

    return client->output(client->output_ctx, in);
}


/*
 * Is called before the request is sent to the next server of the upstream, and
 * after an interim answer: the proxy module then sets process_header anew.
 */

static ngx_int_t
ngx_http_ilert_hooks_reinit(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_client_t    *client;

    client = ngx_http_ilert_hooks_client(r);
    u = r->upstream;

    rc = client->reinit_request(r);

    client->process_header = u->process_header;
    u->process_header = ngx_http_ilert_hooks_process_header;

    return rc;
}


/*
 * Skips interim answers: nginx takes the first head for the answer; newer
 * releases skip a head of 103, but not one of 100.  The handler that nginx
 * would call is called, and changes itself to another one after the status
 * line.  When it has read a whole head, we look at the status.
 */

static ngx_int_t
ngx_http_ilert_hooks_process_header(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_client_t    *client;

    client = ngx_http_ilert_hooks_client(r);
    u = r->upstream;

    do {
        u->process_header = client->process_header;

        rc = u->process_header(r);

        client->process_header = u->process_header;
        u->process_header = ngx_http_ilert_hooks_process_header;

        status = u->headers_in.status_n;

        if (rc != NGX_OK || status < 100 || status >= 200
            || status == NGX_HTTP_SWITCHING_PROTOCOLS)
        {
            return rc;
        }

        rc = ngx_http_ilert_hooks_skip_interim(client);

        if (rc != NGX_OK) {
            return rc;
        }

    } while (u->buffer.pos != u->buffer.last);

    return NGX_AGAIN;
}


/*
 * Sets the upstream back to the state in which nothing had been read: as
 * ngx_http_upstream_reinit() does, but the request stays sent.
 */

static ngx_int_t
ngx_http_ilert_hooks_skip_interim(ngx_http_ilert_client_t *client)
{
    size_t                len;
    u_char               *p;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = client->sr;
    u = r->upstream;

    if (client->interim++ == NGX_HTTP_ILERT_INTERIM_MAX) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "upstream sent too many interim answers");
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }

    if (u->reinit_request(r) != NGX_OK) {
        return NGX_ERROR;
    }

    u->keepalive = 0;
    u->upgrade = 0;
    u->state->status = 0;

    ngx_memzero(&u->headers_in, sizeof(ngx_http_upstream_headers_in_t));
    u->headers_in.content_length_n = -1;
    u->headers_in.last_modified_time = -1;

    if (ngx_list_init(&u->headers_in.headers, r->pool, 8,
                      sizeof(ngx_table_elt_t))
        != NGX_OK
        || ngx_list_init(&u->headers_in.trailers, r->pool, 2,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what follows is moved to the beginning of the buffer */

    p = u->buffer.pos;
    len = u->buffer.last - p;

    u->buffer.pos = u->buffer.start;

#if (NGX_HTTP_CACHE)

    if (r->cache) {
        u->buffer.pos += r->cache->header_start;
    }

#endif

    u->buffer.last = ngx_movemem(u->buffer.pos, p, len);

    return NGX_OK;
}


/* The head of the answer has come: limits the time for the rest. */

static ngx_int_t
ngx_http_ilert_hooks_header_filter(ngx_http_request_t *r)
{
    ngx_http_ilert_client_t  *client;

    client = ngx_http_ilert_hooks_client(r);

    if (client && r == client->sr && !client->ended) {
        ngx_add_timer(&client->end, client->kind->rest);

        if (r->upstream && ngx_http_ilert_connections_is_short()) {

            /* if this one were kept open, there might be none for the next */

            r->upstream->headers_in.connection_close = 1;
            r->upstream->keepalive = 0;
        }

        if (client->kind->head) {
            client->kind->head(client);
        }
    }

    return ngx_http_next_header_filter(r);
}


/*
 * Keeps the beginning of the answer's body, hands all of it to the request's
 * kind, and lets nothing of it pass.
 */

static ngx_int_t
ngx_http_ilert_hooks_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    int64_t                   begun;
    ngx_buf_t                *b;
    ngx_http_ilert_client_t  *client;

    client = ngx_http_ilert_hooks_client(r);

    if (client == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    begun = ngx_http_ilert_clock_usec();

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (r == client->sr) {
            ngx_http_ilert_hooks_read(client, b);
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    if (r == client->sr && !client->ended) {
        ngx_http_ilert_hooks_rest(client, begun);
    }

    return NGX_OK;
}


static void
ngx_http_ilert_hooks_read(ngx_http_ilert_client_t *client, ngx_buf_t *b)
{
    size_t  len, size;

    if (ngx_buf_in_memory(b)) {
        len = b->last - b->pos;
        size = ngx_min(len, NGX_HTTP_ILERT_ANSWER_KEPT - client->kept);

        ngx_memcpy(client->answer + client->kept, b->pos, size);

        client->kept += size;
        client->received += len;

        if (len && !client->ended) {
            client->kind->body(client, b->pos, len);
        }
    }

    if (b->last_buf || b->last_in_chain) {
        client->complete = 1;
    }
}


/*
 * nginx goes on with an answer as long as there are bytes of it, and a few of
 * these may be a long text, if they are compressed.  So after some work in one
 * turn of the event loop the connection to our client seems to be delayed for
 * a ms, as by limit_rate.  Meanwhile nginx must not fill a temporary file.
 */

static void
ngx_http_ilert_hooks_rest(ngx_http_ilert_client_t *client, int64_t begun)
{
    ngx_event_t          *wev;
    ngx_http_upstream_t  *u;

    u = client->sr->upstream;
    wev = client->connection.write;

    if (client->turn != ngx_current_msec) {
        client->turn = ngx_current_msec;
        client->work = 0;
    }

    client->work += ngx_http_ilert_clock_usec() - begun;

    if (client->work < NGX_HTTP_ILERT_HOOKS_TURN || wev->delayed
        || u == NULL || !u->buffering || u->pipe == NULL
        || u->pipe->cacheable)
    {
        return;
    }

    u->pipe->max_temp_file_size = 0;

    wev->delayed = 1;
    ngx_add_timer(wev, 1);
}


ngx_int_t
ngx_http_ilert_hooks_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_hooks_redirected;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_hooks_redirected;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_hooks_precontent;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_ilert_hooks_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_ilert_hooks_body_filter;

    return NGX_OK;
}
