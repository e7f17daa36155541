
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"


/*
 * How a request is sent:
 *
 *     create    A free request of its kind is taken.
 *     send      It contains a connection; on this a main request is made, and
 *               a subrequest to the location, which begins at once.
 *     hooks     nginx runs the subrequest as any other, and calls handlers of
 *               hooks.c on the way, one of them right before anything is
 *               written.
 *     end       The answer has been read, or something has failed, or the
 *               deadline has passed.  The outcome is set by the kind; what
 *               comes later does not change it.  An event is posted.
 *     close     In the handler of that event all is freed, the kind's handler
 *               is called, and the request becomes free.
 *
 * Invariants:
 *
 *     -  kind->done() is called once, and never from within send().
 *     -  A request that is busy has a timer or a posted event, so it ends.
 *     -  Nothing is freed while something of the request is on the stack, or
 *        while a thread works for it (main->blocked).
 *     -  When its owner has given up a request, nothing of it is written any
 *        more.
 *
 * nginx's core has no requests without a client.  It must not notice the
 * difference, see design.md, "A request without a client":
 *
 *     -  The connection looks busy: read and write are "active", so that it is
 *        never given to epoll, and write is "ready", or an answer would be
 *        kept until its end.  It has addresses, a log, and a small pool.  It
 *        is part of the request, so it takes none of worker_connections, and
 *        is not in the cycle's list: so the core does not close it when
 *        worker_shutdown_timeout is over, and that is done here.
 *     -  The main request is made by the core, and does nothing.  A WAITED
 *        subrequest does the work.  With IN_MEMORY large answers would be an
 *        error; with BACKGROUND nginx would close the connection.
 *     -  The end is our own.  The handler of the subrequest returns NGX_OK
 *        whatever has happened: an error would make nginx terminate the main
 *        request, and close a connection that does not exist.
 */


/* ms until the content handler of the location has been called, at most */

#define NGX_HTTP_ILERT_START_TIME    60000

/* ms between two looks whether worker_shutdown_timeout is over */

#define NGX_HTTP_ILERT_TICK          500

/* ms between two looks whether a thread still works for a request */

#define NGX_HTTP_ILERT_BLOCKED_TIME  100


static void ngx_http_ilert_client_init(ngx_http_ilert_client_kind_t *kind);
static ngx_int_t ngx_http_ilert_client_create_connection(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_client_create_main(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_client_create_context(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_client_create_headers(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_client_create_body(
    ngx_http_ilert_client_t *client);
static ngx_int_t ngx_http_ilert_client_create_subrequest(
    ngx_http_ilert_client_t *client);
static void ngx_http_ilert_client_event_handler(ngx_event_t *ev);
static void ngx_http_ilert_client_cleanup(void *data);
static ngx_int_t ngx_http_ilert_client_subrequest_done(
    ngx_http_request_t *sr, void *data, ngx_int_t rc);
static void ngx_http_ilert_client_end_handler(ngx_event_t *ev);
static void ngx_http_ilert_client_close(ngx_http_ilert_client_t *client);
static void ngx_http_ilert_client_free(ngx_http_ilert_client_t *client);
static void ngx_http_ilert_client_start_tick(void);
static void ngx_http_ilert_client_tick_handler(ngx_event_t *ev);
static void ngx_http_ilert_client_log_writer(ngx_log_t *log,
    ngx_uint_t level, u_char *buf, size_t len);
static u_char *ngx_http_ilert_client_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_ilert_client_post = ngx_string("POST");
static ngx_str_t  ngx_http_ilert_client_protocol = ngx_string("HTTP/1.1");
static ngx_str_t  ngx_http_ilert_client_addr = ngx_string("127.0.0.1");


/*
 * A request is never freed, but used again, as the core looks at a connection
 * after the handler that has closed it.  There are as many as have been under
 * way at a time.  Each of these needs a connection of the worker, to its
 * server or of a client that waits, so worker_connections limits their number.
 */

static ngx_queue_t  ngx_http_ilert_client_busy_queue;

static ngx_event_t  ngx_http_ilert_client_tick;
static ngx_msec_t   ngx_http_ilert_client_exiting;      /* since when, or 0 */


ngx_http_ilert_client_t *
ngx_http_ilert_client_create(ngx_http_ilert_client_kind_t *kind)
{
    ngx_queue_t              *q;
    ngx_http_ilert_client_t  *client;

    ngx_http_ilert_client_init(kind);

    if (ngx_queue_empty(&kind->free)) {
        client = ngx_alloc(kind->size, ngx_cycle->log);
        if (client == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&kind->free);
        ngx_queue_remove(q);
        client = ngx_queue_data(q, ngx_http_ilert_client_t, queue);
    }

    ngx_memzero(client, offsetof(ngx_http_ilert_client_t, answer));
    ngx_memzero(client + 1, kind->size - sizeof(ngx_http_ilert_client_t));

    client->kind = kind;

    ngx_queue_insert_tail(&ngx_http_ilert_client_busy_queue, &client->queue);
    kind->nbusy++;

    return client;
}


static void
ngx_http_ilert_client_init(ngx_http_ilert_client_kind_t *kind)
{
    if (ngx_http_ilert_client_busy_queue.next == NULL) {
        ngx_queue_init(&ngx_http_ilert_client_busy_queue);
    }

    if (kind->free.next == NULL) {
        ngx_queue_init(&kind->free);
    }
}


ngx_int_t
ngx_http_ilert_client_send(ngx_http_ilert_client_t *client)
{
    if (ngx_http_ilert_client_create_connection(client) != NGX_OK
        || ngx_http_ilert_client_create_main(client) != NGX_OK
        || ngx_http_ilert_client_create_subrequest(client) != NGX_OK)
    {
        ngx_http_ilert_client_close(client);
        ngx_http_ilert_client_free(client);
        return NGX_ERROR;
    }

    ngx_http_ilert_client_start_tick();

    ngx_add_timer(&client->end, NGX_HTTP_ILERT_START_TIME);

    ngx_http_run_posted_requests(&client->connection);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_client_create_connection(ngx_http_ilert_client_t *client)
{
    ngx_connection_t          *c;
    ngx_http_conf_ctx_t       *conf_ctx;
    ngx_http_core_loc_conf_t  *clcf;

    conf_ctx = client->target.conf_ctx;
    clcf = conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    client->log = *clcf->error_log;
    client->log.handler = ngx_http_ilert_client_log_error;
    client->log.data = &client->log_ctx;
    client->log.action = client->kind->action;

    c = &client->connection;

    c->pool = ngx_create_pool(NGX_MIN_POOL_SIZE, &client->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->fd = (ngx_socket_t) -1;
    c->log = &client->log;
    c->log_error = NGX_ERROR_INFO;
    c->buffer = &client->header_in;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->read = &client->read;
    c->write = &client->write;

    client->read.data = c;
    client->read.log = c->log;
    client->read.handler = ngx_http_ilert_client_event_handler;
    client->read.active = 1;

    client->write = client->read;
    client->write.write = 1;
    client->write.ready = 1;

    client->end.data = c;
    client->end.log = ngx_cycle->log;
    client->end.handler = ngx_http_ilert_client_end_handler;

    /* allow, limit_req, $remote_addr, and others need an address */

    client->sockaddr.sin_family = AF_INET;
    client->sockaddr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->sockaddr = (struct sockaddr *) &client->sockaddr;
    c->socklen = sizeof(struct sockaddr_in);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = ngx_http_ilert_client_addr;

    client->log_ctx.connection = c;
    client->hc.conf_ctx = conf_ctx;
    c->data = &client->hc;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_client_create_main(ngx_http_ilert_client_t *client)
{
    ngx_http_request_t  *r;

    r = ngx_http_create_request(&client->connection);
    if (r == NULL) {
        return NGX_ERROR;
    }

    client->main = r;
    client->connection.data = r;

    /* lines for the location's log pass through our writer */

    client->log.writer = ngx_http_ilert_client_log_writer;
    client->log.next = NULL;

    /* it needs the lines about errors, whatever the location logs */

    client->log.log_level = ngx_max(client->log.log_level, NGX_LOG_ERR);

#if (NGX_STAT_STUB)

    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    r->stat_reading = 0;
    (void) ngx_atomic_fetch_add(ngx_stat_writing, 1);
    r->stat_writing = 1;

#endif

    r->logged = 1;
    r->internal = 1;
    r->http_version = NGX_HTTP_VERSION_11;
    r->http_protocol = ngx_http_ilert_client_protocol;
    r->method = NGX_HTTP_POST;
    r->method_name = ngx_http_ilert_client_post;

    if (client->target.get) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    r->uri = *client->target.main_uri;
    r->unparsed_uri = r->uri;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (ngx_http_ilert_client_create_context(client) != NGX_OK
        || ngx_http_ilert_client_create_headers(client) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (r->method == NGX_HTTP_GET) {
        r->headers_in.content_length_n = -1;
        return NGX_OK;
    }

    if (client->kind->prepare && client->kind->prepare(client) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_client_create_body(client);
}


/*
 * The context belongs to the main request, since a redirect clears the
 * contexts of the subrequest.
 */

static ngx_int_t
ngx_http_ilert_client_create_context(ngx_http_ilert_client_t *client)
{
    ngx_http_request_t    *r;
    ngx_http_cleanup_t    *cln;
    ngx_http_ilert_ctx_t  *ctx;

    r = client->main;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->client = client;
    client->kind->context(client, ctx);

    ngx_http_set_ctx(r, ctx, ngx_http_ilert_module);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_ilert_client_cleanup;
    cln->data = client;

    return NGX_OK;
}


/*
 * The header fields have their real hashes: by these the proxy module finds
 * those that it sets itself, and leaves ours out.  Host is one of them; ours
 * is the value of $host and $http_host.  The proxy module makes Content-Length
 * from content_length_n.
 */

static ngx_int_t
ngx_http_ilert_client_create_headers(ngx_http_ilert_client_t *client)
{
    ngx_uint_t              i;
    ngx_table_elt_t        *h, **field;
    ngx_http_request_t     *r;
    ngx_http_ilert_host_t  *host;

    static struct {
        ngx_str_t  key;
        u_char    *lowcase_key;
        size_t     offset;
        ngx_str_t  value;       /* empty: host->header */
    } headers[] = {
        { ngx_string("Host"), (u_char *) "host",
          offsetof(ngx_http_headers_in_t, host),
          ngx_null_string },
        { ngx_string("User-Agent"), (u_char *) "user-agent",
          offsetof(ngx_http_headers_in_t, user_agent),
          ngx_string("ngx_http_ilert_module/" NGX_HTTP_ILERT_VERSION) },
        { ngx_string("Content-Type"), (u_char *) "content-type",
          offsetof(ngx_http_headers_in_t, content_type),
          ngx_string("application/json") }
    };

    r = client->main;
    host = client->target.host;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->headers_in.server = host->name;

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {

        field = (ngx_table_elt_t **) ((char *) &r->headers_in
                                      + headers[i].offset);

        if (field == &r->headers_in.content_type && client->target.get) {
            continue;
        }

        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->key = headers[i].key;
        h->lowcase_key = headers[i].lowcase_key;
        h->value = headers[i].value.len ? headers[i].value : host->header;
        h->hash = ngx_hash_key(h->lowcase_key, h->key.len);

        *field = h;
    }

    return NGX_OK;
}


/* The parts of the body are not copied: each has a buffer. */

static ngx_int_t
ngx_http_ilert_client_create_body(ngx_http_ilert_client_t *client)
{
    ngx_buf_t                *b;
    ngx_str_t                *part;
    ngx_uint_t                i;
    ngx_chain_t              *cl, **ll;
    ngx_http_request_t       *r;
    ngx_http_request_body_t  *rb;

    r = client->main;

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    part = client->target.body;
    ll = &rb->bufs;
    b = NULL;

    for (i = 0; i < 2; i++) {

        if (part[i].len == 0) {
            continue;
        }

        b = ngx_calloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->start = part[i].data;
        b->pos = b->start;
        b->last = b->pos + part[i].len;
        b->end = b->last;
        b->memory = 1;

        cl->buf = b;
        cl->next = NULL;

        *ll = cl;
        ll = &cl->next;
    }

    if (b) {
        b->last_buf = 1;
    }

    r->request_body = rb;
    r->headers_in.content_length_n = part[0].len + part[1].len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_client_create_subrequest(ngx_http_ilert_client_t *client)
{
    ngx_http_request_t  *r, *sr;

    r = client->main;

    client->ps.handler = ngx_http_ilert_client_subrequest_done;
    client->ps.data = client;

    if (ngx_http_subrequest(r, client->target.uri,
                            client->target.args, &sr, &client->ps,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->sr = sr;

    /* nginx makes each subrequest a GET */

    sr->method = r->method;
    sr->method_name = r->method_name;
    sr->header_in = r->header_in;
    sr->filter_need_in_memory = 1;

    /* the copy of the list has a pointer into the original: correct it */

    if (sr->headers_in.headers.last == &r->headers_in.headers.part) {
        sr->headers_in.headers.last = &sr->headers_in.headers.part;
    }

    return NGX_OK;
}


/*
 * Does what ngx_http_request_handler() does for a client's connection.
 * A timer may call it, for example that of limit_req.
 */

static void
ngx_http_ilert_client_event_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    if (ev->delayed && ev->timedout) {
        ev->delayed = 0;
        ev->timedout = 0;
    }

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


/*
 * The core terminates the main request.  We know no case in which it does; if
 * there is one, the outcome is "no answer".
 */

static void
ngx_http_ilert_client_cleanup(void *data)
{
    ngx_http_ilert_client_t  *client = data;

    if (client->main == NULL) {
        return;
    }

    ngx_http_ilert_client_end(client, NGX_ERROR);

    client->main = NULL;
    client->lost = 1;
}


/* The handler of post_subrequest: is called when the subrequest has ended. */

static ngx_int_t
ngx_http_ilert_client_subrequest_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_ilert_client_t  *client = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "ilert request answered: %i, ended:%d", rc, client->ended);

    /*
     * In the endpoint's location log_subrequest is off, so nginx writes no
     * access log, wherever the subrequest has come to.
     */

    if (client->main) {
        sr->loc_conf = client->main->loc_conf;
    }

    ngx_http_ilert_client_end(client, rc);

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_client_may_send(ngx_http_ilert_client_t *client)
{
    if (client->kind->may_send == NULL || client->kind->may_send(client)) {
        return 1;
    }

    ngx_http_ilert_client_give_up(client);

    return 0;
}


void
ngx_http_ilert_client_give_up(ngx_http_ilert_client_t *client)
{
    if (!client->ended) {
        client->given_up = 1;
        ngx_http_ilert_client_end(client, NGX_ERROR);
    }
}


void
ngx_http_ilert_client_end(ngx_http_ilert_client_t *client, ngx_int_t rc)
{
    if (!client->ended) {
        client->ended = 1;
        client->kind->outcome(client, rc);

        /* the connection to the upstream may have been closed just now */

        ngx_http_ilert_connections_keep();
    }

    ngx_post_event(&client->end, &ngx_posted_events);
}


/* Is called when the outcome has been set, or the deadline has passed. */

static void
ngx_http_ilert_client_end_handler(ngx_event_t *ev)
{
    ngx_http_ilert_client_t  *client;

    client = ngx_queue_data(ev->data, ngx_http_ilert_client_t, connection);

    ngx_http_ilert_client_end(client, NGX_HTTP_GATEWAY_TIME_OUT);

    if (client->main && client->main->blocked) {

        /* a thread works for the request, for example to commit an event */

        ngx_delete_posted_event(ev);
        ngx_add_timer(ev, NGX_HTTP_ILERT_BLOCKED_TIME);
        return;
    }

    ngx_http_ilert_client_close(client);

    client->kind->done(client);

    ngx_http_ilert_client_free(client);
}


static void
ngx_http_ilert_client_close(ngx_http_ilert_client_t *client)
{
    ngx_uint_t           i;
    ngx_event_t         *events[3];
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = &client->connection;
    r = client->main;
    client->main = NULL;

    if (r) {

        /*
         * If the upstream is still at work, its cleanup finalizes the
         * subrequest.  With this count nginx does not take that for the last
         * reference, and does not free the main request a second time.
         */

        r->count++;
        ngx_http_free_request(r, 0);
    }

    events[0] = &client->read;
    events[1] = &client->write;
    events[2] = &client->end;

    for (i = 0; i < 3; i++) {

        if (events[i]->timer_set) {
            ngx_del_timer(events[i]);
        }

        if (events[i]->posted) {
            ngx_delete_posted_event(events[i]);
        }
    }

    if (c->pool && !client->lost) {
        ngx_destroy_pool(c->pool);
    }

    c->destroyed = 1;

    ngx_http_ilert_connections_keep();
}


/* From now on the struct may be used for another request. */

static void
ngx_http_ilert_client_free(ngx_http_ilert_client_t *client)
{
    ngx_queue_remove(&client->queue);
    ngx_queue_insert_head(&client->kind->free, &client->queue);
    client->kind->nbusy--;
}


/*
 * A worker that exits waits for its requests, since each of them has a timer
 * or an open connection.  When worker_shutdown_timeout is over the core closes
 * all connections but ours, which it does not know: so a timer looks for that.
 */

static void
ngx_http_ilert_client_start_tick(void)
{
    if (ngx_http_ilert_client_tick.timer_set) {
        return;
    }

    ngx_http_ilert_clock_init_event(&ngx_http_ilert_client_tick,
                                    ngx_http_ilert_client_tick_handler, 1);

    ngx_add_timer(&ngx_http_ilert_client_tick, NGX_HTTP_ILERT_TICK);
}


static void
ngx_http_ilert_client_tick_handler(ngx_event_t *ev)
{
    ngx_queue_t                *q;
    ngx_core_conf_t            *ccf;
    ngx_http_ilert_client_t  *client;

    if (ngx_queue_empty(&ngx_http_ilert_client_busy_queue)) {
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_ILERT_TICK);

    if (!ngx_exiting) {
        return;
    }

    if (ngx_http_ilert_client_exiting == 0) {
        ngx_http_ilert_client_exiting = ngx_current_msec;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout == 0
        || ngx_current_msec - ngx_http_ilert_client_exiting
           < ccf->shutdown_timeout)
    {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_ilert_client_busy_queue);
         q != ngx_queue_sentinel(&ngx_http_ilert_client_busy_queue);
         q = ngx_queue_next(q))
    {
        client = ngx_queue_data(q, ngx_http_ilert_client_t, queue);

        if (!client->ended) {
            client->fault = NGX_HTTP_ILERT_FAULT_EXIT;
            ngx_http_ilert_client_end(client, NGX_ERROR);
        }
    }
}


ngx_http_ilert_client_t *
ngx_http_ilert_client_next(ngx_http_ilert_client_kind_t *kind,
    ngx_http_ilert_client_t *client)
{
    ngx_queue_t  *q;

    ngx_http_ilert_client_init(kind);

    q = client ? &client->queue : &ngx_http_ilert_client_busy_queue;

    for (q = ngx_queue_next(q);
         q != ngx_queue_sentinel(&ngx_http_ilert_client_busy_queue);
         q = ngx_queue_next(q))
    {
        client = ngx_queue_data(q, ngx_http_ilert_client_t, queue);

        if (client->kind == kind) {
            return client;
        }
    }

    return NULL;
}


/*
 * Writes a line about a request to the location's log.  Before that its kind
 * may mask what must not be seen, and leave the line out.
 */

static void
ngx_http_ilert_client_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len)
{
    ngx_str_t                  line;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_ilert_client_t   *client;

    client = ngx_queue_data(log, ngx_http_ilert_client_t, log);

    if (level <= NGX_LOG_ERR && !client->ended) {
        ngx_http_ilert_cause_note(client, buf, len);
    }

    line.data = buf;
    line.len = len;

    if (!client->kind->line(client, level, &line)) {
        return;
    }

    clcf = client->target.conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    for (log = clcf->error_log; log; log = log->next) {

        if (log->log_level < level) {
            break;
        }

        if (log->writer) {
            log->writer(log, level, buf, len);

        } else {
            (void) ngx_write_fd(log->file->fd, buf, len);
        }
    }
}


/*
 * Adds to a line of the log which request it is about.  ngx_http_log_error()
 * needs a client's connection, and would show the URL, with a key in it.
 */

static u_char *
ngx_http_ilert_client_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                   *p;
    ngx_http_upstream_t      *u;
    ngx_http_ilert_client_t  *client;

    client = ngx_queue_data(log, ngx_http_ilert_client_t, log);

    client->message = buf;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(p, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = client->kind->who(client, buf, len);
    len -= p - buf;

    u = (client->main && client->sr) ? client->sr->upstream : NULL;

    if (u && u->peer.name) {
        p = ngx_snprintf(p, len, ", upstream: \"%V%V\"",
                         &u->schema, u->peer.name);
    }

    return p;
}
