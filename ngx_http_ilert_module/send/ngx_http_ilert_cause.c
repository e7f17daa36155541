
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_delivery.h"
#include "ngx_http_ilert_fault.h"


/* bytes at the beginning of a record of TLS: a type, 3, and a version */

#define NGX_HTTP_ILERT_TLS_RECORD     3
#define NGX_HTTP_ILERT_TLS_ALERT      21
#define NGX_HTTP_ILERT_TLS_HANDSHAKE  22


typedef struct {
    ngx_str_t                begin;
    ngx_http_ilert_fault_e   fault;
    unsigned                 rest:1;    /* of the message is the detail */
    unsigned                 error:1;   /* the system's error says more */
} ngx_http_ilert_cause_message_t;


typedef struct {
    ngx_err_t                err;
    ngx_http_ilert_fault_e   fault;
} ngx_http_ilert_cause_error_t;


static ngx_uint_t ngx_http_ilert_cause_is_unsent(ngx_http_request_t *sr,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_cause_is_unnamed(ngx_http_upstream_t *u,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_cause_is_https(ngx_http_ilert_delivery_t *d);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_timeout(
    ngx_http_ilert_delivery_t *d);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_message(
    ngx_http_ilert_delivery_t *d, ngx_str_t *message);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_tls(ngx_str_t *message);
static ngx_uint_t ngx_http_ilert_cause_has(ngx_str_t *text, char **parts);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_error(ngx_str_t *message);


/* what nginx says only in its log, by how it begins */

static ngx_http_ilert_cause_message_t  ngx_http_ilert_cause_messages[] = {

    { ngx_string("upstream SSL certificate verify error: "),
      NGX_HTTP_ILERT_FAULT_TLS_VERIFY, 1, 0 },

    { ngx_string("upstream SSL certificate does not match "),
      NGX_HTTP_ILERT_FAULT_TLS_NAME, 1, 0 },

    { ngx_string("SSL_do_handshake() failed"),
      NGX_HTTP_ILERT_FAULT_TLS, 0, 0 },

    { ngx_string("peer closed connection in SSL handshake"),
      NGX_HTTP_ILERT_FAULT_TLS, 0, 0 },

    { ngx_string("SSL_"),
      NGX_HTTP_ILERT_FAULT_TLS, 0, 1 },

    { ngx_string("upstream timed out"),
      NGX_HTTP_ILERT_FAULT_TIMEOUT, 0, 0 },

    { ngx_string("upstream prematurely closed connection"),
      NGX_HTTP_ILERT_FAULT_CLOSED, 0, 0 },

    { ngx_string("upstream sent "),
      NGX_HTTP_ILERT_FAULT_NOT_HTTP, 0, 0 },

    { ngx_string("no live upstreams"),
      NGX_HTTP_ILERT_FAULT_NO_SERVER, 0, 0 },

    { ngx_string("connect() "),
      NGX_HTTP_ILERT_FAULT_UNREACHABLE, 0, 1 },

    /* any other one */

    { ngx_string(""),
      NGX_HTTP_ILERT_FAULT_NONE, 0, 1 }
};


/* reasons of OpenSSL's for bytes that are no TLS, by release */

static char  *ngx_http_ilert_cause_no_tls[] = {
    "wrong version number",
    "packet length too long",
    NULL
};


/* from a server of https: nginx's, Apache's, and that of programs in Go */

static char  *ngx_http_ilert_cause_https[] = {
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "sent an HTTP request to an HTTPS server",
    NULL
};


/* of a system call, whichever it was */

static ngx_http_ilert_cause_error_t  ngx_http_ilert_cause_errors[] = {
    { NGX_ECONNREFUSED, NGX_HTTP_ILERT_FAULT_REFUSED },
    { NGX_ECONNRESET, NGX_HTTP_ILERT_FAULT_RESET },
    { NGX_EPIPE, NGX_HTTP_ILERT_FAULT_RESET },
    { NGX_ETIMEDOUT, NGX_HTTP_ILERT_FAULT_TIMEOUT },
    { NGX_ENETDOWN, NGX_HTTP_ILERT_FAULT_UNREACHABLE },
    { NGX_ENETUNREACH, NGX_HTTP_ILERT_FAULT_UNREACHABLE },
    { NGX_EHOSTDOWN, NGX_HTTP_ILERT_FAULT_UNREACHABLE },
    { NGX_EHOSTUNREACH, NGX_HTTP_ILERT_FAULT_UNREACHABLE },
    { 0, NGX_HTTP_ILERT_FAULT_NONE }
};


ngx_http_ilert_fault_e
ngx_http_ilert_cause_find(ngx_http_ilert_delivery_t *d, ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = d->sr->upstream;

    /* these are known by us */

    if (d->fault == NGX_HTTP_ILERT_FAULT_UNSENT
        || d->fault == NGX_HTTP_ILERT_FAULT_EXIT)
    {
        return d->fault;
    }

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return ngx_http_ilert_cause_timeout(d);
    }

    if (ngx_http_ilert_cause_is_unsent(d->sr, rc)) {
        return NGX_HTTP_ILERT_FAULT_UNSENT;
    }

    if (ngx_http_ilert_cause_is_unnamed(u, rc)) {

        if (u->resolved == NULL) {
            return NGX_HTTP_ILERT_FAULT_URL;
        }

        return d->resolver ? NGX_HTTP_ILERT_FAULT_DNS
                           : NGX_HTTP_ILERT_FAULT_RESOLVER;
    }

    if (ngx_http_ilert_cause_is_https(d)) {
        return NGX_HTTP_ILERT_FAULT_HTTPS_PORT;
    }

    return d->fault ? d->fault : NGX_HTTP_ILERT_FAULT_ERROR;
}


/*
 * Whether nginx had no connection, or no memory to make one: then there is
 * a state of the upstream without a peer, which is set once it connects.
 */

static ngx_uint_t
ngx_http_ilert_cause_is_unsent(ngx_http_request_t *sr, ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = sr->upstream;

    return rc == NGX_HTTP_INTERNAL_SERVER_ERROR
           && sr->upstream_states && sr->upstream_states->nelts == 1
           && u->state && u->state->peer == NULL && !u->request_sent;
}


/* whether it has ended before there was an address to connect to */

static ngx_uint_t
ngx_http_ilert_cause_is_unnamed(ngx_http_upstream_t *u, ngx_int_t rc)
{
    if (rc == NGX_HTTP_BAD_GATEWAY) {
        return u->state == NULL || u->state->peer == NULL;
    }

    return rc == NGX_HTTP_INTERNAL_SERVER_ERROR && u->state == NULL;
}


/*
 * A server of https tells by an alert that it does not understand, or just
 * closes the connection: then the port says it.
 */

static ngx_uint_t
ngx_http_ilert_cause_is_https(ngx_http_ilert_delivery_t *d)
{
    u_char               *p;
    ngx_str_t            *peer;
    ngx_http_upstream_t  *u;

    u = d->sr->upstream;

    if (u->schema.len != sizeof("http://") - 1
        || ngx_strncmp(u->schema.data, "http://", u->schema.len) != 0)
    {
        return 0;
    }

    p = u->buffer.start;

    if (p && u->buffer.last - p >= NGX_HTTP_ILERT_TLS_RECORD) {
        return (p[0] == NGX_HTTP_ILERT_TLS_ALERT
                || p[0] == NGX_HTTP_ILERT_TLS_HANDSHAKE)
               && p[1] == 3 && p[2] <= 4;
    }

    if (d->fault != NGX_HTTP_ILERT_FAULT_CLOSED
        && d->fault != NGX_HTTP_ILERT_FAULT_RESET)
    {
        return 0;
    }

    peer = u->state ? u->state->peer : NULL;

    return peer && peer->len > sizeof(":443") - 1
           && ngx_strncmp(peer->data + peer->len - (sizeof(":443") - 1),
                          ":443", sizeof(":443") - 1)
              == 0;
}


static ngx_http_ilert_fault_e
ngx_http_ilert_cause_timeout(ngx_http_ilert_delivery_t *d)
{
    ngx_http_upstream_t  *u;

    u = d->sr->upstream;

    if (u->state && u->state->peer
        && u->state->connect_time == (ngx_msec_t) -1)
    {
        return NGX_HTTP_ILERT_FAULT_CONNECT_TIMEOUT;
    }

    return NGX_HTTP_ILERT_FAULT_TIMEOUT;
}


void
ngx_http_ilert_cause_note(ngx_http_ilert_delivery_t *d, u_char *line,
    size_t len)
{
    u_char                  *p, *last;
    ngx_str_t                message;
    ngx_http_ilert_fault_e   fault;

    last = line + len;

    if (d->message > line && d->message < last) {
        last = d->message;
    }

    /* time, level, and process come before it, as in "[error] 1#1: " */

    p = ngx_strlchr(line, last, ']');

    if (p) {
        p = ngx_strlchr(p, last, ':');
    }

    if (p == NULL || last - p < 2) {
        return;
    }

    message.data = p + 2;
    message.len = last - message.data;

    fault = ngx_http_ilert_cause_message(d, &message);

    /* what has become of the servers says more than that none is left */

    if (fault == NGX_HTTP_ILERT_FAULT_NONE
        || fault == NGX_HTTP_ILERT_FAULT_NO_SERVER)
    {
        if (d->fault) {
            return;
        }
    }

    d->fault = fault;
    d->noted = ngx_min(message.len, NGX_HTTP_ILERT_REASON_SIZE);

    ngx_memcpy(d->reason, message.data, d->noted);
}


/* the message is cut to what is the detail */

static ngx_http_ilert_fault_e
ngx_http_ilert_cause_message(ngx_http_ilert_delivery_t *d, ngx_str_t *message)
{
    ngx_http_ilert_fault_e           fault;
    ngx_http_ilert_cause_message_t  *m;

    m = ngx_http_ilert_cause_messages;

    while (message->len < m->begin.len
           || ngx_strncmp(message->data, m->begin.data, m->begin.len) != 0)
    {
        m++;
    }

    if (m->rest) {
        message->data += m->begin.len;
        message->len -= m->begin.len;
    }

    fault = m->error ? ngx_http_ilert_cause_error(message)
                     : NGX_HTTP_ILERT_FAULT_NONE;

    if (fault == NGX_HTTP_ILERT_FAULT_NONE) {
        fault = m->fault;
    }

    switch (fault) {

    case NGX_HTTP_ILERT_FAULT_TLS:
        return ngx_http_ilert_cause_tls(message);

    case NGX_HTTP_ILERT_FAULT_TIMEOUT:
        return ngx_http_ilert_cause_timeout(d);

    default:
        return fault;
    }
}


static ngx_http_ilert_fault_e
ngx_http_ilert_cause_tls(ngx_str_t *message)
{
    if (ngx_http_ilert_cause_has(message, ngx_http_ilert_cause_no_tls)) {
        return NGX_HTTP_ILERT_FAULT_HTTP_PORT;
    }

    return NGX_HTTP_ILERT_FAULT_TLS;
}


static ngx_uint_t
ngx_http_ilert_cause_has(ngx_str_t *text, char **parts)
{
    for ( /* void */ ; *parts; parts++) {

        if (ngx_strnstr(text->data, *parts, text->len)) {
            return 1;
        }
    }

    return 0;
}


/* by the number in " (111: Connection refused)", with which a message ends */

static ngx_http_ilert_fault_e
ngx_http_ilert_cause_error(ngx_str_t *message)
{
    u_char                        *p, *colon, *last;
    ngx_int_t                      err;
    ngx_http_ilert_cause_error_t  *e;

    last = message->data + message->len;

    for (p = last; p > message->data && p[-1] != '('; p--) { /* void */ }

    colon = ngx_strlchr(p, last, ':');
    if (colon == NULL) {
        return NGX_HTTP_ILERT_FAULT_NONE;
    }

    err = ngx_atoi(p, colon - p);

    for (e = ngx_http_ilert_cause_errors; e->err; e++) {

        if (e->err == err) {
            return e->fault;
        }
    }

    return NGX_HTTP_ILERT_FAULT_NONE;
}


ngx_uint_t
ngx_http_ilert_cause_wants_https(ngx_str_t *body)
{
    return ngx_http_ilert_cause_has(body, ngx_http_ilert_cause_https);
}
