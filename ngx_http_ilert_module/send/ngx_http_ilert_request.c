
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_delivery.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_request.h"


/*
 * The key is in the request only, and in no line of a log.
 */


/*
 * An answer counts as complete after so many bytes of its body, or so many ms
 * after its head.
 */

#define NGX_HTTP_ILERT_ANSWER_MAX    65536
#define NGX_HTTP_ILERT_ANSWER_TIME   5000


static void ngx_http_ilert_request_body(ngx_http_ilert_delivery_t *d,
    ngx_str_t *parts);
static ngx_uint_t ngx_http_ilert_request_is_owned(
    ngx_http_ilert_delivery_t *d);
static void ngx_http_ilert_request_context(ngx_http_ilert_client_t *client,
    ngx_http_ilert_ctx_t *ctx);
static ngx_uint_t ngx_http_ilert_request_may_send(
    ngx_http_ilert_client_t *client);
static void ngx_http_ilert_request_read(ngx_http_ilert_client_t *client,
    u_char *data, size_t len);
static void ngx_http_ilert_request_outcome(ngx_http_ilert_client_t *client,
    ngx_int_t rc);
static void ngx_http_ilert_request_done(ngx_http_ilert_client_t *client);
static ngx_uint_t ngx_http_ilert_request_line(ngx_http_ilert_client_t *client,
    ngx_uint_t level, ngx_str_t *line);
static u_char *ngx_http_ilert_request_who(ngx_http_ilert_client_t *client,
    u_char *buf, size_t len);


static ngx_http_ilert_request_owner_t  *ngx_http_ilert_request_owner;


static ngx_http_ilert_client_kind_t  ngx_http_ilert_request_kind = {
    sizeof(ngx_http_ilert_delivery_t),
    "delivering event to ilert",
    NGX_HTTP_ILERT_ANSWER_TIME,
    NULL,
    ngx_http_ilert_request_context,
    ngx_http_ilert_request_may_send,
    NULL,
    ngx_http_ilert_request_read,
    ngx_http_ilert_request_outcome,
    ngx_http_ilert_request_done,
    ngx_http_ilert_request_line,
    ngx_http_ilert_request_who,
    1,
    0,
    { NULL, NULL }
};


ngx_int_t
ngx_http_ilert_request_send(ngx_http_ilert_event_t *ev, ngx_uint_t attempt,
    ngx_http_ilert_request_handler_pt handler, void *data)
{
    ngx_http_ilert_client_t         *client;
    ngx_http_ilert_source_t         *source;
    ngx_http_ilert_delivery_t       *d;
    ngx_http_ilert_client_target_t  *target;

    client = ngx_http_ilert_client_create(&ngx_http_ilert_request_kind);
    if (client == NULL) {
        return NGX_ERROR;
    }

    d = (ngx_http_ilert_delivery_t *) client;
    source = ev->source;
    target = &client->target;

    d->request.event = ev;
    d->request.attempt = attempt;
    d->request.handler = handler;
    d->request.data = data;

    target->conf_ctx = source->endpoint->conf_ctx;
    target->host = &source->endpoint->host;
    target->main_uri = &source->endpoint->prefix;
    target->uri = &source->uri;
    target->get = source->heartbeat;

    if (!target->get) {
        ngx_http_ilert_request_body(d, target->body);
    }

    return ngx_http_ilert_client_send(client);
}


/*
 * The body is in two parts, so that the key is never in the memory of an
 * event, nor on disk.
 */

static void
ngx_http_ilert_request_body(ngx_http_ilert_delivery_t *d, ngx_str_t *parts)
{
    ngx_http_ilert_event_t  *ev;

    ev = d->request.event;

    parts[0] = ev->source->open;
    parts[1] = ev->body;

    if (!ev->source->passthrough) {

        /* source->open, {"integrationKey":"KEY",  replaces the event's "{" */

        parts[1].data++;
        parts[1].len--;
    }
}


void
ngx_http_ilert_request_set_owner(ngx_http_ilert_request_owner_t *owner)
{
    ngx_http_ilert_request_owner = owner;
}


static ngx_uint_t
ngx_http_ilert_request_is_owned(ngx_http_ilert_delivery_t *d)
{
    return ngx_http_ilert_request_owner
           && ngx_http_ilert_request_owner->handler == d->request.handler;
}


ngx_uint_t
ngx_http_ilert_request_has_room(void)
{
    return ngx_http_ilert_connections_is_left(
                                          ngx_http_ilert_request_kind.nbusy);
}


void
ngx_http_ilert_request_give_up(ngx_http_ilert_request_handler_pt handler)
{
    ngx_http_ilert_client_t    *client;
    ngx_http_ilert_delivery_t  *d;

    client = NULL;

    for ( ;; ) {
        client = ngx_http_ilert_client_next(&ngx_http_ilert_request_kind,
                                            client);
        if (client == NULL) {
            return;
        }

        d = (ngx_http_ilert_delivery_t *) client;

        if (d->request.handler == handler) {
            ngx_http_ilert_client_give_up(client);
        }
    }
}


static void
ngx_http_ilert_request_context(ngx_http_ilert_client_t *client,
    ngx_http_ilert_ctx_t *ctx)
{
    ngx_http_ilert_delivery_t  *d = (ngx_http_ilert_delivery_t *) client;

    ctx->event = d->request.event;
    ctx->delivery = &d->request;
}


static ngx_uint_t
ngx_http_ilert_request_may_send(ngx_http_ilert_client_t *client)
{
    ngx_http_ilert_delivery_t  *d = (ngx_http_ilert_delivery_t *) client;

    return !ngx_http_ilert_request_is_owned(d)
           || ngx_http_ilert_request_owner->may_send(&d->request);
}


/* Only the beginning of the body, which client.c keeps, is of use. */

static void
ngx_http_ilert_request_read(ngx_http_ilert_client_t *client, u_char *data,
    size_t len)
{
    if (client->received > NGX_HTTP_ILERT_ANSWER_MAX) {
        ngx_http_ilert_client_end(client, NGX_OK);
    }
}


static void
ngx_http_ilert_request_outcome(ngx_http_ilert_client_t *client, ngx_int_t rc)
{
    ngx_http_ilert_delivery_t  *d = (ngx_http_ilert_delivery_t *) client;

    d->request.outcome.given_up = client->given_up;

    if (!ngx_http_ilert_request_is_owned(d)) {
        ngx_http_ilert_reply_outcome(d, rc);
        return;
    }

    ngx_http_ilert_request_owner->at(&d->request, 1);
    ngx_http_ilert_reply_outcome(d, rc);
    ngx_http_ilert_request_owner->at(&d->request, 0);
}


static void
ngx_http_ilert_request_done(ngx_http_ilert_client_t *client)
{
    ngx_http_ilert_delivery_t  *d = (ngx_http_ilert_delivery_t *) client;

    d->request.handler(&d->request);
}


/*
 * Masks the key: that of a webhook URL is in the URI of the request, and so in
 * lines about an invalid URL, a rewrite cycle, or a missing file.
 */

static ngx_uint_t
ngx_http_ilert_request_line(ngx_http_ilert_client_t *client, ngx_uint_t level,
    ngx_str_t *line)
{
    ngx_http_ilert_source_t  *source;

    source = ((ngx_http_ilert_delivery_t *) client)->request.event->source;

    if (source->quiet && (level == NGX_LOG_ERR || level == NGX_LOG_WARN)) {

        /* the fault was logged before, and the event is not lost */

        return 0;
    }

    ngx_http_ilert_reply_mask(line, &source->key);

    return 1;
}


static u_char *
ngx_http_ilert_request_who(ngx_http_ilert_client_t *client, u_char *buf,
    size_t len)
{
    ngx_http_ilert_event_t  *ev;

    ev = ((ngx_http_ilert_delivery_t *) client)->request.event;

    return ngx_snprintf(buf, len, ", ilert source: \"%V\", event: %V, "
                        "endpoint: \"%V\"", &ev->source->name, &ev->id,
                        &ev->source->endpoint->name);
}
