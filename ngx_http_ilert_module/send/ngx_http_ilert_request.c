
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_room.h"
#include "ngx_http_ilert_text.h"


/*
 * nginx's core has no requests without a client.  What it needs to believe
 * in one:
 *
 *     -  a connection that looks busy (read and write "active", so that it
 *        is never given to epoll; write "ready", or an answer is kept until
 *        its end), with addresses, a log and a tiny pool;
 *        it is part of the delivery, takes no worker_connections, and is
 *        not in the cycle's list: a graceful exit has to be noticed here;
 *
 *     -  a main request made by the core, that does nothing itself, with
 *        a WAITED subrequest that does.  IN_MEMORY would break on large
 *        answers, BACKGROUND would close the connection;
 *
 *     -  an end that is not the core's: the subrequest's handler answers
 *        NGX_OK to whatever has happened (an error would terminate the main
 *        request and close a connection that is none), so that error_page
 *        does not come into it either.  Everything is freed from an event
 *        posted then, when nothing of the request is on the stack.
 */


/* ms until the location's upstream, or something else, is asked */

#define NGX_HTTP_ILERT_START_TIME    60000

/* of an answer's body: what is kept, for its reason, and what is read */

#define NGX_HTTP_ILERT_ANSWER_KEPT   1024
#define NGX_HTTP_ILERT_ANSWER_MAX    65536
#define NGX_HTTP_ILERT_ANSWER_TIME   5000

#define NGX_HTTP_ILERT_REASON_SIZE   256

/* of an alert key, in a log */

#define NGX_HTTP_ILERT_LOGGED_KEY    256

/* seconds, whatever Retry-After says */

#define NGX_HTTP_ILERT_RETRY_AFTER_MAX  3600

/* as much of a key gives it away */

#define NGX_HTTP_ILERT_KEY_PART      4

/* answers of 1xx before the answer */

#define NGX_HTTP_ILERT_INTERIM_MAX   16

/* how often a worker with deliveries looks whether it has to give up */

#define NGX_HTTP_ILERT_TICK          500


typedef struct {
    ngx_http_ilert_request_t     request;
    ngx_queue_t                  queue;     /* of busy, or of free ones */

    ngx_connection_t             connection;
    ngx_event_t                  read;
    ngx_event_t                  write;
    ngx_event_t                  end;
    ngx_log_t                    log;
    ngx_http_log_ctx_t           log_ctx;
    ngx_http_connection_t        hc;
    ngx_buf_t                    header_in;
    struct sockaddr_in           sockaddr;

    ngx_http_request_t          *main;
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t   ps;

    /* nginx's handlers, which are called by ours in their place */
    ngx_http_handler_pt          content_handler;
    ngx_int_t                  (*reinit_request)(ngx_http_request_t *r);
    ngx_int_t                  (*process_header)(ngx_http_request_t *r);
    ngx_resolver_handler_pt      resolve_handler;
    ngx_output_chain_filter_pt   output;
    void                        *output_ctx;

    ngx_uint_t                   interim;       /* answers of 1xx so far */
    size_t                       received;
    size_t                       kept;
    unsigned                     ended:1;       /* the outcome is set */
    unsigned                     lost:1;        /* the core closed it */

    u_char                       answer[NGX_HTTP_ILERT_ANSWER_KEPT];
    u_char                       reason[NGX_HTTP_ILERT_REASON_SIZE];
} ngx_http_ilert_delivery_t;


static ngx_http_ilert_delivery_t *ngx_http_ilert_request_get_delivery(
    ngx_log_t *log);
static ngx_int_t ngx_http_ilert_request_create_connection(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_create_main(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_create_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_create_body(ngx_http_request_t *r,
    ngx_http_ilert_event_t *ev);
static ngx_int_t ngx_http_ilert_request_create_subrequest(
    ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_event_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_cleanup(void *data);
static ngx_http_ilert_delivery_t *ngx_http_ilert_request_delivery(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_redirected(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_precontent(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_content(ngx_http_request_t *r);
static void ngx_http_ilert_request_resolved(ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_http_ilert_request_is_asked(ngx_resolver_t *resolver);
static void ngx_http_ilert_request_set_deadline(ngx_http_ilert_delivery_t *d,
    ngx_http_upstream_t *u);
static void ngx_http_ilert_request_wrap(ngx_http_ilert_delivery_t *d,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_ilert_request_output(void *data, ngx_chain_t *in);
static ngx_uint_t ngx_http_ilert_request_may_send(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_reinit(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_process_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_skip_interim(
    ngx_http_ilert_delivery_t *d);
static ngx_int_t ngx_http_ilert_request_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_ilert_request_answered(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static void ngx_http_ilert_request_end(ngx_http_ilert_delivery_t *d,
    ngx_int_t rc);
static void ngx_http_ilert_request_outcome(ngx_http_ilert_delivery_t *d,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_request_is_unsent(ngx_http_request_t *sr,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_request_sent(ngx_http_request_t *sr);
static ngx_uint_t ngx_http_ilert_request_misrouted(ngx_http_request_t *sr);
static ngx_uint_t ngx_http_ilert_request_has_answer(ngx_http_upstream_t *u);
static ngx_http_ilert_verdict_e ngx_http_ilert_request_verdict(
    ngx_uint_t status);
static void ngx_http_ilert_request_log_answer(ngx_http_ilert_delivery_t *d);
static time_t ngx_http_ilert_request_retry_after(ngx_http_upstream_t *u);
static void ngx_http_ilert_request_reason(ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_line(ngx_str_t *text);
static void ngx_http_ilert_request_mask(ngx_str_t *text, ngx_str_t *key);
static void ngx_http_ilert_request_end_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_close(ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_free(ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_start_tick(void);
static void ngx_http_ilert_request_tick_handler(ngx_event_t *ev);
static void ngx_http_ilert_request_log_writer(ngx_log_t *log,
    ngx_uint_t level, u_char *buf, size_t len);
static u_char *ngx_http_ilert_request_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_str_t  ngx_http_ilert_request_post = ngx_string("POST");
static ngx_str_t  ngx_http_ilert_request_protocol = ngx_string("HTTP/1.1");
static ngx_str_t  ngx_http_ilert_request_addr = ngx_string("127.0.0.1");


/*
 * Deliveries live as long as the process: the core looks at a connection
 * after the handler that has freed it.  There are as many as have gone on
 * at a time, each with a client or an upstream connection of its own, so
 * worker_connections bounds them.
 */

static ngx_queue_t  ngx_http_ilert_request_free_queue;
static ngx_queue_t  ngx_http_ilert_request_busy_queue;
static ngx_uint_t   ngx_http_ilert_request_nbusy;

static ngx_http_ilert_request_owner_t  *ngx_http_ilert_request_owner;

static ngx_event_t  ngx_http_ilert_request_tick;
static ngx_msec_t   ngx_http_ilert_request_exiting;     /* since, or 0 */


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

    /* for allow, limit_req, $remote_addr and the like */

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

    /* the location's log, through our writer */

    d->log.writer = ngx_http_ilert_request_log_writer;
    d->log.next = NULL;

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
     * of the main request, as a redirect clears the subrequest's contexts
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

    if (ngx_http_ilert_request_create_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->method == NGX_HTTP_GET) {
        r->headers_in.content_length_n = -1;
        return NGX_OK;
    }

    return ngx_http_ilert_request_create_body(r, d->request.event);
}


/*
 * Real hashes, since the proxy module looks by them for the headers that
 * it sets itself; Content-Length is made of content_length_n.
 */

static ngx_int_t
ngx_http_ilert_request_create_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    static struct {
        ngx_str_t  key;
        u_char    *lowcase_key;
        ngx_str_t  value;
    } headers[] = {
        { ngx_string("Content-Type"), (u_char *) "content-type",
          ngx_string("application/json") },
        { ngx_string("User-Agent"), (u_char *) "user-agent",
          ngx_string("ngx_http_ilert_module/" NGX_HTTP_ILERT_VERSION) }
    };

    if (ngx_list_init(&r->headers_in.headers, r->pool, 4,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {

        if (i == 0 && r->method == NGX_HTTP_GET) {
            continue;
        }

        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->key = headers[i].key;
        h->lowcase_key = headers[i].lowcase_key;
        h->value = headers[i].value;
        h->hash = ngx_hash_key(h->lowcase_key, h->key.len);

        if (i == 0) {
            r->headers_in.content_type = h;

        } else {
            r->headers_in.user_agent = h;
        }
    }

    return NGX_OK;
}


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

    if (!ev->source->native) {

        /* the key takes the place of the event's "{" */

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

    d->ps.handler = ngx_http_ilert_request_answered;
    d->ps.data = d;

    if (ngx_http_subrequest(d->main, &d->request.event->source->uri, NULL,
                            &sr, &d->ps, NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    d->sr = sr;

    /* subrequests are born GET */

    sr->method = d->main->method;
    sr->method_name = d->main->method_name;
    sr->header_in = d->main->header_in;
    sr->filter_need_in_memory = 1;

    /* the list has been copied, but still grows at the original's end */

    if (sr->headers_in.headers.last == &d->main->headers_in.headers.part) {
        sr->headers_in.headers.last = &sr->headers_in.headers.part;
    }

    return NGX_OK;
}


/* what ngx_http_request_handler() is for clients: a timer may call it */

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


/* the core terminates the main request: not by any way that we know */

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


/* of any request, NULL if it is not ours */

static ngx_http_ilert_delivery_t *
ngx_http_ilert_request_delivery(ngx_http_request_t *r)
{
    ngx_http_ilert_ctx_t  *ctx;

    if (r == r->main) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_ilert_module);

    if (ctx == NULL || ctx->delivery == NULL) {
        return NULL;
    }

    return (ngx_http_ilert_delivery_t *) ctx->delivery;
}


/*
 * The rewrite phases: an answer with X-Accel-Redirect sends the subrequest
 * to another location, as GET.  The answer is there, that was it.
 */

static ngx_int_t
ngx_http_ilert_request_redirected(ngx_http_request_t *r)
{
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);

    if (d && r == d->sr && r->upstream
        && ngx_http_ilert_request_has_answer(r->upstream))
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* what answers the delivery, wherever it has come to, is called by us */

static ngx_int_t
ngx_http_ilert_request_precontent(ngx_http_request_t *r)
{
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);

    if (d && r == d->sr && r->content_handler
        && r->content_handler != ngx_http_ilert_request_content)
    {
        d->content_handler = r->content_handler;
        r->content_handler = ngx_http_ilert_request_content;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_ilert_request_content(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);

    if (!ngx_http_ilert_request_may_send(d)) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ngx_http_ilert_room_lend();

    rc = d->content_handler(r);

    ngx_http_ilert_room_keep();

    u = r->upstream;

    if (rc == NGX_DONE && u && !d->ended) {

        if (u->resolved && u->resolved->ctx) {
            d->resolve_handler = u->resolved->ctx->handler;
            u->resolved->ctx->handler = ngx_http_ilert_request_resolved;
        }

        ngx_http_ilert_request_set_deadline(d, u);
        ngx_http_ilert_request_wrap(d, u);
    }

    return rc;
}


/* the name's addresses are known: now it connects */

static void
ngx_http_ilert_request_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_http_request_t         *r;
    ngx_http_ilert_delivery_t  *d;

    r = ctx->data;
    d = ngx_http_ilert_request_delivery(r);

    if (ctx->state == NGX_RESOLVE_TIMEDOUT
        && ngx_cycle->free_connections == NULL
        && !ngx_http_ilert_request_is_asked(ctx->resolver))
    {
        d->request.unsent = 1;
    }

    ngx_http_ilert_room_lend();

    d->resolve_handler(ctx);

    ngx_http_ilert_room_keep();
}


/*
 * Whether there is a connection to a name server.  It is also closed when that
 * refuses; but if nginx has no other one left, it could not have been made.
 */

static ngx_uint_t
ngx_http_ilert_request_is_asked(ngx_resolver_t *resolver)
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
 * Each of nginx's timeouts is of one step, and steps may be repeated: for the
 * next server, or the next bytes that are sent.  Once each has to be enough.
 */

static void
ngx_http_ilert_request_set_deadline(ngx_http_ilert_delivery_t *d,
    ngx_http_upstream_t *u)
{
    ngx_msec_t                 timer;
    ngx_http_core_loc_conf_t  *clcf;

    timer = u->conf->connect_timeout + u->conf->send_timeout
            + u->conf->read_timeout;

    if (u->resolved && u->resolved->ctx) {
        clcf = ngx_http_get_module_loc_conf(d->sr, ngx_http_core_module);
        timer += clcf->resolver_timeout;
    }

    ngx_add_timer(&d->end, timer);
}


/* nothing can have been read yet: the request has just been sent, if at all */

static void
ngx_http_ilert_request_wrap(ngx_http_ilert_delivery_t *d,
    ngx_http_upstream_t *u)
{
    /* what is not written by now waits for a name, or a connection */

    if (u->output.output_filter
        && u->output.output_filter != ngx_http_ilert_request_output)
    {
        d->output = u->output.output_filter;
        d->output_ctx = u->output.filter_ctx;

        u->output.output_filter = ngx_http_ilert_request_output;
        u->output.filter_ctx = d;
    }

    if (u->schema.len < 4 || ngx_strncmp(u->schema.data, "http", 4) != 0
        || u->process_header == ngx_http_ilert_request_process_header)
    {
        return;
    }

    d->reinit_request = u->reinit_request;
    u->reinit_request = ngx_http_ilert_request_reinit;

    d->process_header = u->process_header;
    u->process_header = ngx_http_ilert_request_process_header;
}


/* nothing is written, and no error comes of it, until the request's end */

static ngx_int_t
ngx_http_ilert_request_output(void *data, ngx_chain_t *in)
{
    ngx_http_ilert_delivery_t  *d = data;

    if (!ngx_http_ilert_request_may_send(d)) {
        return NGX_AGAIN;
    }

    return d->output(d->output_ctx, in);
}


static ngx_uint_t
ngx_http_ilert_request_may_send(ngx_http_ilert_delivery_t *d)
{
    if (ngx_http_ilert_request_owner == NULL
        || ngx_http_ilert_request_owner->handler != d->request.handler
        || ngx_http_ilert_request_owner->may_send(&d->request))
    {
        return 1;
    }

    if (!d->ended) {
        d->request.given_up = 1;
        ngx_http_ilert_request_end(d, NGX_ERROR);
    }

    return 0;
}


/* for the next server of the upstream, or after an interim answer */

static ngx_int_t
ngx_http_ilert_request_reinit(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);
    u = r->upstream;

    rc = d->reinit_request(r);

    d->process_header = u->process_header;
    u->process_header = ngx_http_ilert_request_process_header;

    return rc;
}


/*
 * nginx takes the first head for the answer; newer releases skip those of 103,
 * but not of 100.  The proxy module has another handler after the status line:
 * so that one is called which nginx would call, and we look at its result.
 */

static ngx_int_t
ngx_http_ilert_request_process_header(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_uint_t                  status;
    ngx_http_upstream_t        *u;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);
    u = r->upstream;

    do {
        u->process_header = d->process_header;

        rc = u->process_header(r);

        d->process_header = u->process_header;
        u->process_header = ngx_http_ilert_request_process_header;

        status = u->headers_in.status_n;

        if (rc != NGX_OK || status < 100 || status >= 200
            || status == NGX_HTTP_SWITCHING_PROTOCOLS)
        {
            return rc;
        }

        rc = ngx_http_ilert_request_skip_interim(d);

        if (rc != NGX_OK) {
            return rc;
        }

    } while (u->buffer.pos != u->buffer.last);

    return NGX_AGAIN;
}


/* what ngx_http_upstream_reinit() does, but for the request that was sent */

static ngx_int_t
ngx_http_ilert_request_skip_interim(ngx_http_ilert_delivery_t *d)
{
    size_t                len;
    u_char               *p;
    ngx_http_request_t   *r;
    ngx_http_upstream_t  *u;

    r = d->sr;
    u = r->upstream;

    if (d->interim++ == NGX_HTTP_ILERT_INTERIM_MAX) {
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

    /* the room of the interim answer is for the answer */

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


/* the answer has come: what follows of it must not take for ever */

static ngx_int_t
ngx_http_ilert_request_header_filter(ngx_http_request_t *r)
{
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);

    if (d && r == d->sr && !d->ended) {
        ngx_add_timer(&d->end, NGX_HTTP_ILERT_ANSWER_TIME);

        if (r->upstream && ngx_http_ilert_room_is_short()) {

            /* not one that is kept open, or the next one might find none */

            r->upstream->headers_in.connection_close = 1;
            r->upstream->keepalive = 0;
        }
    }

    return ngx_http_next_header_filter(r);
}


/* keeps the start of the answer's body, lets none of it pass */

static ngx_int_t
ngx_http_ilert_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    size_t                      size;
    ngx_buf_t                  *b;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_http_ilert_request_delivery(r);

    if (d == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (r == d->sr && ngx_buf_in_memory(b)) {
            size = ngx_min((size_t) (b->last - b->pos),
                           NGX_HTTP_ILERT_ANSWER_KEPT - d->kept);

            ngx_memcpy(d->answer + d->kept, b->pos, size);

            d->kept += size;
            d->received += b->last - b->pos;
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    if (d->received > NGX_HTTP_ILERT_ANSWER_MAX) {
        ngx_http_ilert_request_end(d, NGX_OK);
    }

    return NGX_OK;
}


/* the subrequest's post_subrequest handler */

static ngx_int_t
ngx_http_ilert_request_answered(ngx_http_request_t *sr, void *data,
    ngx_int_t rc)
{
    ngx_http_ilert_delivery_t  *d = data;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, sr->connection->log, 0,
                   "ilert request answered: %i, ended:%d", rc, d->ended);

    /* only there is log_subrequest known to be off */

    if (d->main) {
        sr->loc_conf = d->main->loc_conf;
    }

    ngx_http_ilert_request_end(d, rc);

    return NGX_OK;
}


/* sets the outcome, while the subrequest still exists */

static void
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
        ngx_http_ilert_request_outcome(d, rc);
        owner->at(&d->request, 0);

    } else {
        ngx_http_ilert_request_outcome(d, rc);
    }

    /* its connection may have been closed just now */

    ngx_http_ilert_room_keep();

    ngx_post_event(&d->end, &ngx_posted_events);
}


static void
ngx_http_ilert_request_outcome(ngx_http_ilert_delivery_t *d, ngx_int_t rc)
{
    ngx_http_ilert_request_t  *ir;

    ir = &d->request;
    ir->verdict = NGX_HTTP_ILERT_AGAIN;
    ir->sent = ngx_http_ilert_request_sent(d->sr);

    if (ngx_http_ilert_request_misrouted(d->sr)) {
        ir->misrouted = 1;
        ir->local_status = (rc >= NGX_HTTP_SPECIAL_RESPONSE)
                           ? (ngx_uint_t) rc : d->sr->headers_out.status;

    } else if (ngx_http_ilert_request_has_answer(d->sr->upstream)) {
        ir->status = d->sr->upstream->headers_in.status_n;
        ir->verdict = ngx_http_ilert_request_verdict(ir->status);

        if (ir->verdict != NGX_HTTP_ILERT_DONE) {
            ngx_http_ilert_request_reason(d);
            ir->retry_after = ngx_http_ilert_request_retry_after(
                                                            d->sr->upstream);
        }

        ngx_http_ilert_request_log_answer(d);

    } else if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        ir->timed_out = 1;

    } else if (ngx_http_ilert_request_is_unsent(d->sr, rc)) {
        ir->unsent = 1;
    }
}


/*
 * Whether nginx had no connection, or no memory to make one: then there is
 * a state of the upstream without a peer, which is set once it connects.
 */

static ngx_uint_t
ngx_http_ilert_request_is_unsent(ngx_http_request_t *sr, ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    return rc == NGX_HTTP_INTERNAL_SERVER_ERROR
           && sr->upstream_states && sr->upstream_states->nelts == 1
           && u->state && u->state->peer == NULL && !u->request_sent;
}


/* of one that was tried again elsewhere each try may have been sent */

static ngx_uint_t
ngx_http_ilert_request_sent(ngx_http_request_t *sr)
{
    if (sr->upstream == NULL) {
        return 0;
    }

    return sr->upstream->request_sent
           || (sr->upstream_states && sr->upstream_states->nelts > 1);
}


/* nginx itself has answered, with what it found in a file or in its cache */

static ngx_uint_t
ngx_http_ilert_request_misrouted(ngx_http_request_t *sr)
{
#if (NGX_HTTP_CACHE)

    if (sr->cached) {
        return 1;
    }

#endif

    return sr->upstream == NULL;
}


/* a status line alone is no answer: the whole head must have come */

static ngx_uint_t
ngx_http_ilert_request_has_answer(ngx_http_upstream_t *u)
{
    return u->headers_in.status_n && u->state
           && u->state->header_time != (ngx_msec_t) -1;
}


static ngx_http_ilert_verdict_e
ngx_http_ilert_request_verdict(ngx_uint_t status)
{
    if (status >= 200 && status < 300) {
        return NGX_HTTP_ILERT_DONE;
    }

    if (status >= 300 && status < 400) {
        return NGX_HTTP_ILERT_PARK;
    }

    switch (status) {

    case 401:
    case 402:
    case 403:
    case 404:
    case 407:
        return NGX_HTTP_ILERT_PARK;

    case 408:
    case 429:
        return NGX_HTTP_ILERT_AGAIN;
    }

    if (status >= 400 && status < 500) {
        return NGX_HTTP_ILERT_DEAD;
    }

    return NGX_HTTP_ILERT_AGAIN;
}


/* by this line an alert is followed from Kapacitor to ilert */

static void
ngx_http_ilert_request_log_answer(ngx_http_ilert_delivery_t *d)
{
    u_char                    buf[NGX_HTTP_ILERT_LOGGED_KEY];
    int64_t                   age;
    ngx_str_t                *value, id, key;
    ngx_log_handler_pt        handler;
    ngx_http_ilert_event_t   *ev;

    if (d->log.log_level < NGX_LOG_INFO) {
        return;
    }

    ngx_str_set(&id, "-");

    value = ngx_http_ilert_request_header(
                                   &d->sr->upstream->headers_in.headers,
                                   "correlation-id", 0);

    if (value) {
        id = *value;
        ngx_http_ilert_request_line(&id);
    }

    ev = d->request.event;

    if (d->request.verdict != NGX_HTTP_ILERT_DONE || ev->source->heartbeat) {

        d->log.action = "reading ilert's answer";

        ngx_log_error(NGX_LOG_INFO, &d->log, 0,
                      "ilert answered %ui, correlation-id: \"%V\"",
                      d->request.status, &id);
        return;
    }

    age = ngx_max(ngx_http_ilert_queue_now() - ev->received, 0);

    key.data = buf;
    key.len = ngx_http_ilert_text_cut(&ev->alert_key, sizeof(buf));

    ngx_memcpy(buf, ev->alert_key.data, key.len);
    ngx_http_ilert_text_line(&key);

    /* all is said in the line itself */

    handler = d->log.handler;
    d->log.handler = NULL;

    ngx_log_error(NGX_LOG_INFO, &d->log, 0,
                  "ilert event %V delivered: source \"%V\", alert key "
                  "\"%V\", %V, attempt %ui, age %L.%03Ls, correlation-id "
                  "\"%V\"", &ev->id, &ev->source->name, &key,
                  &ngx_http_ilert_types[ev->type], d->request.attempt,
                  age / 1000, age % 1000, &id);

    d->log.handler = handler;
}


/* how long ilert wants us to wait */

static time_t
ngx_http_ilert_request_retry_after(ngx_http_upstream_t *u)
{
    time_t      t;
    ngx_str_t  *value;

    value = ngx_http_ilert_request_header(&u->headers_in.headers,
                                          "retry-after", 0);

    if (value == NULL) {
        return 0;
    }

    t = ngx_atotm(value->data, value->len);

    if (t == NGX_ERROR) {
        t = ngx_parse_http_time(value->data, value->len);

        if (t == NGX_ERROR || t <= ngx_time()) {
            return 0;
        }

        t -= ngx_time();
    }

    return ngx_min(t, NGX_HTTP_ILERT_RETRY_AFTER_MAX);
}


ngx_str_t *
ngx_http_ilert_request_header(ngx_list_t *headers, const char *name,
    ngx_uint_t n)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    part = &headers->part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0
            && n-- == 0)
        {
            return &h[i].value;
        }
    }
}


/* of {"status":400,"message":"…"}, or the first line of a text */

static void
ngx_http_ilert_request_reason(ngx_http_ilert_delivery_t *d)
{
    ngx_str_t                      text;
    ngx_http_ilert_json_reader_t   reader;

    ngx_http_ilert_json_member_t   message = {
        ngx_string("message"), ngx_null_string
    };

    text.data = d->answer;
    text.len = d->kept;

    ngx_http_ilert_text_trim(&text);

    if (text.len == 0 || text.data[0] == '<') {
        return;
    }

    if (text.data[0] == '{') {

        ngx_http_ilert_json_init(&reader, &text,
                                 NGX_HTTP_ILERT_JSON_ANY_NUMBER);

        if (ngx_http_ilert_json_skip(&reader) != NGX_OK
            || ngx_http_ilert_json_end(&reader) != NGX_OK
            || ngx_http_ilert_json_pick(&text, &message, 1) != NGX_OK
            || message.value.len == 0 || message.value.data[0] != '"'
            || ngx_http_ilert_json_decode(&message.value, &text, d->main->pool)
               != NGX_OK)
        {
            return;
        }

        ngx_http_ilert_text_trim(&text);
    }

    ngx_http_ilert_request_line(&text);
    ngx_http_ilert_request_mask(&text, &d->request.event->source->key);

    text.len = ngx_min(text.len, NGX_HTTP_ILERT_REASON_SIZE);

    ngx_memcpy(d->reason, text.data, text.len);

    d->request.reason.data = d->reason;
    d->request.reason.len = text.len;
}


/* printable ASCII, up to the first line break: fit for a line of a log */

static void
ngx_http_ilert_request_line(ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == CR || text->data[i] == LF) {
            text->len = i;
            break;
        }

        if (text->data[i] < ' ' || text->data[i] > '~') {
            text->data[i] = '?';
        }
    }
}


/* the key, and what may be its beginning at the end of a text that was cut */

static void
ngx_http_ilert_request_mask(ngx_str_t *text, ngx_str_t *key)
{
    size_t  i, len;

    for (i = 0; i < text->len; i++) {

        len = ngx_min(key->len, text->len - i);

        if ((len == key->len || len >= NGX_HTTP_ILERT_KEY_PART)
            && ngx_strncasecmp(text->data + i, key->data, len) == 0)
        {
            ngx_memset(text->data + i, '*', len);
        }
    }
}


/* posted when the outcome is set, or the time is over */

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
         * an upstream that is still there finalizes the subrequest, which
         * must not find itself the last to hold the main request
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

    ngx_http_ilert_room_keep();
}


/* only now another delivery may take its place */

static void
ngx_http_ilert_request_free(ngx_http_ilert_delivery_t *d)
{
    ngx_queue_remove(&d->queue);
    ngx_queue_insert_head(&ngx_http_ilert_request_free_queue, &d->queue);
    ngx_http_ilert_request_nbusy--;
}


/*
 * A worker that exits waits for its deliveries, for each has a timer or an
 * open connection, but at most for worker_shutdown_timeout: the core closes
 * connections then, and does not know of ours.
 */

static void
ngx_http_ilert_request_start_tick(void)
{
    static ngx_connection_t  dumb;

    if (ngx_http_ilert_request_tick.timer_set) {
        return;
    }

    dumb.fd = (ngx_socket_t) -1;

    ngx_http_ilert_request_tick.handler = ngx_http_ilert_request_tick_handler;
    ngx_http_ilert_request_tick.data = &dumb;
    ngx_http_ilert_request_tick.log = ngx_cycle->log;
    ngx_http_ilert_request_tick.cancelable = 1;

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

        ngx_http_ilert_request_end(d, NGX_ERROR);
    }
}


ngx_uint_t
ngx_http_ilert_request_has_room(void)
{
    return ngx_http_ilert_room_is_left(ngx_http_ilert_request_nbusy);
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
            d->request.given_up = 1;
            ngx_http_ilert_request_end(d, NGX_ERROR);
        }
    }
}


/*
 * A native source's key is in the URI of its requests, and so in what nginx
 * has to say of an invalid URL, a rewrite cycle or a missing file.
 */

static void
ngx_http_ilert_request_log_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len)
{
    ngx_str_t                   line;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_source_t    *source;
    ngx_http_ilert_delivery_t  *d;

    d = ngx_queue_data(log, ngx_http_ilert_delivery_t, log);
    source = d->request.event->source;

    if (source->quiet && (level == NGX_LOG_ERR || level == NGX_LOG_WARN)) {

        /* it has been said what is wrong, and the event is not lost */

        return;
    }

    line.data = buf;
    line.len = len;

    ngx_http_ilert_request_mask(&line, &source->key);

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
 * In place of ngx_http_log_error(), which needs a client's connection, and
 * would show the upstream's URL.
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


ngx_int_t
ngx_http_ilert_request_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_request_redirected;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_request_redirected;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_ilert_request_precontent;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_ilert_request_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_ilert_request_body_filter;

    return NGX_OK;
}
