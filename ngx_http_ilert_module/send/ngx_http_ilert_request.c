
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_delivery.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_request.h"


/*
 * How an event is sent:
 *
 *     send      A free delivery is taken.  It contains a connection; on this
 *               a main request is made, and a subrequest to the location of
 *               the source's endpoint, which begins at once.
 *     hooks     nginx runs the subrequest as any other, and calls handlers of
 *               hooks.c on the way, one of them right before anything is
 *               written to ilert.
 *     end       The answer has been read, or something has failed, or the
 *               deadline has passed.  The outcome is set (reply.c); what comes
 *               later does not change it.  An event is posted.
 *     close     In the handler of that event all is freed, the handler of the
 *               request is called, and the delivery becomes free.
 *
 * Invariants:
 *
 *     -  The handler is called once, and never from within send().
 *     -  A delivery that is busy has a timer or a posted event, so it ends.
 *     -  Nothing is freed while something of the request is on the stack.
 *     -  The key is in the request only, and in no line of a log.
 *     -  When its owner has given up a delivery, nothing of it is written any
 *        more.
 *
 * nginx's core has no requests without a client.  It must not notice the
 * difference, see design.md, "A request without a client":
 *
 *     -  The connection looks busy: read and write are "active", so that it is
 *        never given to epoll, and write is "ready", or an answer would be
 *        kept until its end.  It has addresses, a log, and a small pool.  It
 *        is part of the delivery, so it takes none of worker_connections, and
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


static ngx_http_ilert_delivery_t *ngx_http_ilert_request_get_delivery(
    ngx_log_t *log);
static ngx_int_t ngx_http_ilert_request_create_connection(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_create_main(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_create_headers(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_create_body(ngx_http_request_t *r,
    ngx_http_ilert_event_t *ev);
static ngx_int_t ngx_http_ilert_request_create_subrequest(
    ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_event_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_cleanup(void *data);
static ngx_int_t ngx_http_ilert_request_subrequest_done(
    ngx_http_request_t *sr, void *data, ngx_int_t rc);
static void ngx_http_ilert_request_end_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_close(ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_free(ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_start_tick(void);
static void ngx_http_ilert_request_tick_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_log_writer(ngx_log_t *log,
    ngx_uint_t level, u_char *buf, size_t len);
static u_char *ngx_http_ilert_request_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_str_t  ngx_http_ilert_request_post = ngx_string("POST");
static ngx_str_t  ngx_http_ilert_request_protocol = ngx_string("HTTP/1.1");
static ngx_str_t  ngx_http_ilert_request_addr = ngx_string("127.0.0.1");


/*
 * A delivery is never freed, but used again, as the core looks at a connection
 * after the handler that has closed it.  There are as many as have been under
 * way at a time.  Each of these needs a connection of the worker, to ilert or
 * of a client that waits, so worker_connections limits their number.
 */

static ngx_queue_t  ngx_http_ilert_request_free_queue;
static ngx_queue_t  ngx_http_ilert_request_busy_queue;
static ngx_uint_t   ngx_http_ilert_request_nbusy;

static ngx_http_ilert_request_owner_t  *ngx_http_ilert_request_owner;

static ngx_event_t  ngx_http_ilert_request_tick;
static ngx_msec_t   ngx_http_ilert_request_exiting;     /* since when, or 0 */


ngx_int_t
ngx_http_ilert_request_send(ngx_http_ilert_event_t *ev, ngx_uint_t attempt,
    ngx_http_ilert_request_handler_pt handler, void *data)
{
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_get_delivery(ngx_cycle->log);
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->request.event = ev;
    d->request.attempt = attempt;
    d->request.handler = handler;
    d->request.data = data;

    if (ngx_http_ilert_request_create_connection(d) != NGX_OK
        || ngx_http_ilert_request_create_main(d) != NGX_OK
        || ngx_http_ilert_request_create_subrequest(d) != NGX_OK)
    {
        ngx_http_ilert_request_close(d);
        ngx_http_ilert_request_free(d);
        return NGX_ERROR;
    }

    ngx_http_ilert_request_start_tick();

    ngx_add_timer(&d->end, NGX_HTTP_ILERT_START_TIME);

    ngx_http_run_posted_requests(&d->connection);

    return NGX_OK;
}


void
ngx_http_ilert_request_set_owner(ngx_http_ilert_request_owner_t *owner)
{
    ngx_http_ilert_request_owner = owner;
}


static ngx_http_ilert_delivery_t *
ngx_http_ilert_request_get_delivery(ngx_log_t *log)
{
    ngx_queue_t                *q;
    ngx_http_ilert_delivery_t  *d;

    if (ngx_http_ilert_request_free_queue.next == NULL) {
        ngx_queue_init(&ngx_http_ilert_request_free_queue);
        ngx_queue_init(&ngx_http_ilert_request_busy_queue);
    }

    if (ngx_queue_empty(&ngx_http_ilert_request_free_queue)) {
        d = ngx_alloc(sizeof(ngx_http_ilert_delivery_t), log);
        if (d == NULL) {
            return NULL;
        }

    } else {
        q = ngx_queue_head(&ngx_http_ilert_request_free_queue);
        ngx_queue_remove(q);
        d = ngx_queue_data(q, ngx_http_ilert_delivery_t, queue);
    }

    ngx_memzero(d, offsetof(ngx_http_ilert_delivery_t, answer));

    ngx_queue_insert_tail(&ngx_http_ilert_request_busy_queue, &d->queue);
    ngx_http_ilert_request_nbusy++;

    return d;
}


static ngx_int_t
ngx_http_ilert_request_create_connection(ngx_http_ilert_delivery_t *d)
{
    ngx_connection_t           *c;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_endpoint_t  *endpoint;

    endpoint = d->request.event->source->endpoint;
    clcf = endpoint->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    d->log = *clcf->error_log;
    d->log.handler = ngx_http_ilert_request_log_error;
    d->log.data = &d->log_ctx;
    d->log.action = "delivering event to ilert";

    c = &d->connection;

    c->pool = ngx_create_pool(NGX_MIN_POOL_SIZE, &d->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->fd = (ngx_socket_t) -1;
    c->log = &d->log;
    c->log_error = NGX_ERROR_INFO;
    c->buffer = &d->header_in;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    c->read = &d->read;
    c->write = &d->write;

    d->read.data = c;
    d->read.log = c->log;
    d->read.handler = ngx_http_ilert_request_event_handler;
    d->read.active = 1;

    d->write = d->read;
    d->write.write = 1;
    d->write.ready = 1;

    d->end.data = c;
    d->end.log = ngx_cycle->log;
    d->end.handler = ngx_http_ilert_request_end_handler;

    /* allow, limit_req, $remote_addr, and others need an address */

    d->sockaddr.sin_family = AF_INET;
    d->sockaddr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->sockaddr = (struct sockaddr *) &d->sockaddr;
    c->socklen = sizeof(struct sockaddr_in);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = ngx_http_ilert_request_addr;

    d->log_ctx.connection = c;
    d->hc.conf_ctx = endpoint->conf_ctx;
    c->data = &d->hc;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_request_create_main(ngx_http_ilert_delivery_t *d)
{
    ngx_http_request_t    *r;
    ngx_http_cleanup_t    *cln;
    ngx_http_ilert_ctx_t  *ctx;

    r = ngx_http_create_request(&d->connection);
    if (r == NULL) {
        return NGX_ERROR;
    }

    d->main = r;
    d->connection.data = r;

    /* lines for the location's log pass through our writer */

    d->log.writer = ngx_http_ilert_request_log_writer;
    d->log.next = NULL;

    /* it needs the lines about errors, whatever the location logs */

    d->log.log_level = ngx_max(d->log.log_level, NGX_LOG_ERR);

#if (NGX_STAT_STUB)

    (void) ngx_atomic_fetch_add(ngx_stat_reading, -1);
    r->stat_reading = 0;
    (void) ngx_atomic_fetch_add(ngx_stat_writing, 1);
    r->stat_writing = 1;

#endif

    r->logged = 1;
    r->internal = 1;
    r->http_version = NGX_HTTP_VERSION_11;
    r->http_protocol = ngx_http_ilert_request_protocol;
    r->method = NGX_HTTP_POST;
    r->method_name = ngx_http_ilert_request_post;

    if (d->request.event->source->heartbeat) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    r->uri = d->request.event->source->endpoint->prefix;
    r->unparsed_uri = r->uri;
    r->read_event_handler = ngx_http_request_empty_handler;
    r->write_event_handler = ngx_http_request_empty_handler;

    /*
     * The context belongs to the main request, since a redirect clears the
     * contexts of the subrequest.
     */

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->event = d->request.event;
    ctx->delivery = &d->request;

    ngx_http_set_ctx(r, ctx, ngx_http_ilert_module);

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_ilert_request_cleanup;
    cln->data = d;

    if (ngx_http_ilert_request_create_headers(d) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->method == NGX_HTTP_GET) {
        r->headers_in.content_length_n = -1;
        return NGX_OK;
    }

    return ngx_http_ilert_request_create_body(r, d->request.event);
}


/*
 * The header fields have their real hashes: by these the proxy module finds
 * those that it sets itself, and leaves ours out.  Host is one of them; ours
 * is the value of $host and $http_host.  The proxy module makes Content-Length
 * from content_length_n.
 */

static ngx_int_t
ngx_http_ilert_request_create_headers(ngx_http_ilert_delivery_t *d)
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

    r = d->main;
    host = &d->request.event->source->endpoint->host;

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

        if (field == &r->headers_in.content_type
            && r->method == NGX_HTTP_GET)
        {
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


/*
 * The body is in two buffers, so that the key is never in the memory of an
 * event, nor on disk.
 */

static ngx_int_t
ngx_http_ilert_request_create_body(ngx_http_request_t *r,
    ngx_http_ilert_event_t *ev)
{
    ngx_buf_t                *b;
    ngx_str_t                 parts[2];
    ngx_uint_t                i;
    ngx_chain_t              *cl, **ll;
    ngx_http_request_body_t  *rb;

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    parts[0] = ev->source->open;
    parts[1] = ev->body;

    if (!ev->source->passthrough) {

        /* source->open, {"integrationKey":"KEY",  replaces the event's "{" */

        parts[1].data++;
        parts[1].len--;
    }

    ll = &rb->bufs;
    b = NULL;

    for (i = 0; i < 2; i++) {

        if (parts[i].len == 0) {
            continue;
        }

        b = ngx_calloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->start = parts[i].data;
        b->pos = b->start;
        b->last = b->pos + parts[i].len;
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
    r->headers_in.content_length_n = parts[0].len + parts[1].len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_request_create_subrequest(ngx_http_ilert_delivery_t *d)
{
    ngx_http_request_t  *sr;

    d->ps.handler = ngx_http_ilert_request_subrequest_done;
    d->ps.data = d;

    if (ngx_http_subrequest(d->main, &d->request.event->source->uri, NULL,
                            &sr, &d->ps, NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    d->sr = sr;

    /* nginx makes each subrequest a GET */

    sr->method = d->main->method;
    sr->method_name = d->main->method_name;
    sr->header_in = d->main->header_in;
    sr->filter_need_in_memory = 1;

    /* the copy of the list has a pointer into the original: correct it */

    if (sr->headers_in.headers.last == &d->main->headers_in.headers.part) {
        sr->headers_in.headers.last = &sr->headers_in.headers.part;
    }

    return NGX_OK;
}


/*
 * Does what ngx_http_request_handler() does for a client's connection.
 * A timer may call it, for example that of limit_req.
 */

static void
ngx_http_ilert_request_event_handler(ngx_event_t *ev)
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
ngx_http_ilert_request_cleanup(void *data)
{
    ngx_http_ilert_delivery_t  *d = data;

    if (d->main == NULL) {
        return;
    }

    ngx_http_ilert_request_end(d, NGX_ERROR);

    d->main = NULL;
    d->lost = 1;
}


/* The handler of post_subrequest: is called when the subrequest has ended. */

static ngx_int_t
ngx_http_ilert_request_subrequest_done(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_ilert_delivery_t  *d = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "ilert request answered: %i, ended:%d", rc, d->ended);

    /*
     * In the endpoint's location log_subrequest is off, so nginx writes no
     * access log, wherever the subrequest has come to.
     */

    if (d->main) {
        sr->loc_conf = d->main->loc_conf;
    }

    ngx_http_ilert_request_end(d, rc);

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_request_may_send(ngx_http_ilert_delivery_t *d)
{
    if (ngx_http_ilert_request_owner == NULL
        || ngx_http_ilert_request_owner->handler != d->request.handler
        || ngx_http_ilert_request_owner->may_send(&d->request))
    {
        return 1;
    }

    if (!d->ended) {
        d->request.outcome.given_up = 1;
        ngx_http_ilert_request_end(d, NGX_ERROR);
    }

    return 0;
}


void
ngx_http_ilert_request_end(ngx_http_ilert_delivery_t *d, ngx_int_t rc)
{
    ngx_http_ilert_request_owner_t  *owner;

    if (d->ended) {
        return;
    }

    d->ended = 1;

    owner = ngx_http_ilert_request_owner;

    if (owner && owner->handler == d->request.handler) {
        owner->at(&d->request, 1);
        ngx_http_ilert_reply_outcome(d, rc);
        owner->at(&d->request, 0);

    } else {
        ngx_http_ilert_reply_outcome(d, rc);
    }

    /* the connection to ilert may have been closed just now */

    ngx_http_ilert_connections_keep();

    ngx_post_event(&d->end, &ngx_posted_events);
}


/* Is called when the outcome has been set, or the deadline has passed. */

static void
ngx_http_ilert_request_end_handler(ngx_event_t *ev)
{
    ngx_http_ilert_delivery_t  *d;

    d = ngx_queue_data(ev->data, ngx_http_ilert_delivery_t, connection);

    ngx_http_ilert_request_end(d, NGX_HTTP_GATEWAY_TIME_OUT);

    ngx_http_ilert_request_close(d);

    d->request.handler(&d->request);

    ngx_http_ilert_request_free(d);
}


static void
ngx_http_ilert_request_close(ngx_http_ilert_delivery_t *d)
{
    ngx_uint_t           i;
    ngx_event_t         *events[] = { &d->read, &d->write, &d->end };
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = &d->connection;
    r = d->main;
    d->main = NULL;

    if (r) {

        /*
         * If the upstream is still at work, its cleanup finalizes the
         * subrequest.  With this count nginx does not take that for the last
         * reference, and does not free the main request a second time.
         */

        r->count++;
        ngx_http_free_request(r, 0);
    }

    for (i = 0; i < 3; i++) {

        if (events[i]->timer_set) {
            ngx_del_timer(events[i]);
        }

        if (events[i]->posted) {
            ngx_delete_posted_event(events[i]);
        }
    }

    if (c->pool && !d->lost) {
        ngx_destroy_pool(c->pool);
    }

    c->destroyed = 1;

    ngx_http_ilert_connections_keep();
}


/* From now on the delivery may be used for another request. */

static void
ngx_http_ilert_request_free(ngx_http_ilert_delivery_t *d)
{
    ngx_queue_remove(&d->queue);
    ngx_queue_insert_head(&ngx_http_ilert_request_free_queue, &d->queue);
    ngx_http_ilert_request_nbusy--;
}


/*
 * A worker that exits waits for its deliveries, since each of them has a timer
 * or an open connection.  When worker_shutdown_timeout is over the core closes
 * all connections but ours, which it does not know: so a timer looks for that.
 */

static void
ngx_http_ilert_request_start_tick(void)
{
    if (ngx_http_ilert_request_tick.timer_set) {
        return;
    }

    ngx_http_ilert_clock_init_event(&ngx_http_ilert_request_tick,
                                    ngx_http_ilert_request_tick_handler, 1);

    ngx_add_timer(&ngx_http_ilert_request_tick, NGX_HTTP_ILERT_TICK);
}


static void
ngx_http_ilert_request_tick_handler(ngx_event_t *ev)
{
    ngx_queue_t                *q;
    ngx_core_conf_t            *ccf;
    ngx_http_ilert_delivery_t  *d;

    if (ngx_queue_empty(&ngx_http_ilert_request_busy_queue)) {
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_ILERT_TICK);

    if (!ngx_exiting) {
        return;
    }

    if (ngx_http_ilert_request_exiting == 0) {
        ngx_http_ilert_request_exiting = ngx_current_msec;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout == 0
        || ngx_current_msec - ngx_http_ilert_request_exiting
           < ccf->shutdown_timeout)
    {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_ilert_request_busy_queue);
         q != ngx_queue_sentinel(&ngx_http_ilert_request_busy_queue);
         q = ngx_queue_next(q))
    {
        d = ngx_queue_data(q, ngx_http_ilert_delivery_t, queue);

        d->fault = NGX_HTTP_ILERT_FAULT_EXIT;
        ngx_http_ilert_request_end(d, NGX_ERROR);
    }
}


ngx_uint_t
ngx_http_ilert_request_has_room(void)
{
    return ngx_http_ilert_connections_is_left(ngx_http_ilert_request_nbusy);
}


void
ngx_http_ilert_request_give_up(ngx_http_ilert_request_handler_pt handler)
{
    ngx_queue_t                *q;
    ngx_http_ilert_delivery_t  *d;

    if (ngx_http_ilert_request_busy_queue.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_ilert_request_busy_queue);
         q != ngx_queue_sentinel(&ngx_http_ilert_request_busy_queue);
         q = ngx_queue_next(q))
    {
        d = ngx_queue_data(q, ngx_http_ilert_delivery_t, queue);

        if (d->request.handler == handler && !d->ended) {
            d->request.outcome.given_up = 1;
            ngx_http_ilert_request_end(d, NGX_ERROR);
        }
    }
}


/*
 * Writes a line about a delivery to the location's log, with the key masked:
 * the key of a webhook URL is in the URI of the request, and so in lines about
 * an invalid URL, a rewrite cycle, or a missing file.
 */

static void
ngx_http_ilert_request_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len)
{
    ngx_str_t                   line;
    ngx_http_ilert_source_t    *source;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_queue_data(log, ngx_http_ilert_delivery_t, log);
    source = d->request.event->source;

    if (level <= NGX_LOG_ERR && !d->ended) {
        ngx_http_ilert_cause_note(d, buf, len);
    }

    if (source->quiet && (level == NGX_LOG_ERR || level == NGX_LOG_WARN)) {

        /* the fault was logged before, and the event is not lost */

        return;
    }

    line.data = buf;
    line.len = len;

    ngx_http_ilert_reply_mask(&line, &source->key);

    clcf = source->endpoint->conf_ctx->loc_conf[
                                             ngx_http_core_module.ctx_index];

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
 * Adds to a line of the log which delivery it is about.  ngx_http_log_error()
 * needs a client's connection, and would show the URL, with a key in it.
 */

static u_char *
ngx_http_ilert_request_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                     *p;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_source_t    *source;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_queue_data(log, ngx_http_ilert_delivery_t, log);
    source = d->request.event->source;

    d->message = buf;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(p, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(p, len, ", ilert source: \"%V\", event: %V, "
                     "endpoint: \"%V\"", &source->name,
                     &d->request.event->id, &source->endpoint->name);
    len -= p - buf;

    u = (d->main && d->sr) ? d->sr->upstream : NULL;

    if (u && u->peer.name) {
        p = ngx_snprintf(p, len, ", upstream: \"%V%V\"",
                         &u->schema, u->peer.name);
    }

    return p;
}
