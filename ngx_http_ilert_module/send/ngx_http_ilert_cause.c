
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_fault.h"


/* a record of TLS begins with 3 bytes: a type, 3, and a version */

#define NGX_HTTP_ILERT_TLS_RECORD     3
#define NGX_HTTP_ILERT_TLS_ALERT      21
#define NGX_HTTP_ILERT_TLS_HANDSHAKE  22


typedef struct {
    ngx_str_t                begin;
    ngx_http_ilert_fault_e   fault;
    unsigned                 rest:1;    /* the detail is only what follows */
                                        /* the beginning */
    unsigned                 error:1;   /* the number of a system error in */
                                        /* the message may tell the fault */
} ngx_http_ilert_cause_message_t;


typedef struct {
    ngx_err_t                err;
    ngx_http_ilert_fault_e   fault;
} ngx_http_ilert_cause_error_t;


static ngx_uint_t ngx_http_ilert_cause_is_unsent(ngx_http_request_t *sr,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_cause_has_no_address(ngx_http_upstream_t *u,
    ngx_int_t rc);
static ngx_uint_t ngx_http_ilert_cause_is_https(
    ngx_http_ilert_client_t *client);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_timeout(
    ngx_http_ilert_client_t *client);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_message(
    ngx_http_ilert_client_t *client, ngx_str_t *message);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_tls(ngx_str_t *message);
static ngx_uint_t ngx_http_ilert_cause_has(ngx_str_t *text, char **parts);
static ngx_http_ilert_fault_e ngx_http_ilert_cause_error(ngx_str_t *message);


/* messages that nginx logs, by their beginnings; the first that fits counts */

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


/* what releases of OpenSSL say of bytes that are not TLS */

static char  *ngx_http_ilert_cause_no_tls[] = {
    "wrong version number",
    "packet length too long",
    NULL
};


/* what servers of https answer to http: nginx, Apache, and programs in Go */

static char  *ngx_http_ilert_cause_https[] = {
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "sent an HTTP request to an HTTPS server",
    NULL
};


/* errors of system calls, whichever call it was */

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
ngx_http_ilert_cause_find(ngx_http_ilert_client_t *client, ngx_int_t rc)
{
    ngx_http_upstream_t  *u;

    u = client->sr->upstream;

    /* these are set by our own code, and not by a line of the log */

    if (client->fault == NGX_HTTP_ILERT_FAULT_UNSENT
        || client->fault == NGX_HTTP_ILERT_FAULT_EXIT)
    {
        return client->fault;
    }

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return ngx_http_ilert_cause_timeout(client);
    }

    if (ngx_http_ilert_cause_is_unsent(client->sr, rc)) {
        return NGX_HTTP_ILERT_FAULT_UNSENT;
    }

    if (ngx_http_ilert_cause_has_no_address(u, rc)) {

        if (u->resolved == NULL) {
            return NGX_HTTP_ILERT_FAULT_URL;
        }

        return client->resolver ? NGX_HTTP_ILERT_FAULT_DNS
                           : NGX_HTTP_ILERT_FAULT_RESOLVER;
    }

    if (ngx_http_ilert_cause_is_https(client)) {
        return NGX_HTTP_ILERT_FAULT_HTTPS_PORT;
    }

    return client->fault ? client->fault : NGX_HTTP_ILERT_FAULT_ERROR;
}


/*
 * Returns 1 if nginx had no connection, or no memory to make one.  Then the
 * upstream has a state, but no peer in it: nginx sets the peer when it has
 * made the connection.
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


/* Returns 1 if the request has ended before there was an address for it. */

static ngx_uint_t
ngx_http_ilert_cause_has_no_address(ngx_http_upstream_t *u, ngx_int_t rc)
{
    if (rc == NGX_HTTP_BAD_GATEWAY) {
        return u->state == NULL || u->state->peer == NULL;
    }

    return rc == NGX_HTTP_INTERNAL_SERVER_ERROR && u->state == NULL;
}


/*
 * Returns 1 if http was sent to a port of https.  Such a server answers with
 * a record of TLS; or it only closes the connection, and then the port's
 * number has to tell.
 */

static ngx_uint_t
ngx_http_ilert_cause_is_https(ngx_http_ilert_client_t *client)
{
    u_char               *p;
    ngx_str_t            *peer;
    ngx_http_upstream_t  *u;

    u = client->sr->upstream;

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

    if (client->fault != NGX_HTTP_ILERT_FAULT_CLOSED
        && client->fault != NGX_HTTP_ILERT_FAULT_RESET)
    {
        return 0;
    }

    peer = u->state ? u->state->peer : NULL;

    return peer && peer->len > sizeof(":443") - 1
           && ngx_strncmp(peer->data + peer->len - (sizeof(":443") - 1),
                          ":443", sizeof(":443") - 1)
              == 0;
}


/* Returns which timeout it was: connect_time is set if nginx has connected. */

static ngx_http_ilert_fault_e
ngx_http_ilert_cause_timeout(ngx_http_ilert_client_t *client)
{
    ngx_http_upstream_t  *u;

    u = client->sr->upstream;

    if (u->state && u->state->peer
        && u->state->connect_time == (ngx_msec_t) -1)
    {
        return NGX_HTTP_ILERT_FAULT_CONNECT_TIMEOUT;
    }

    return NGX_HTTP_ILERT_FAULT_TIMEOUT;
}


void
ngx_http_ilert_cause_note(ngx_http_ilert_client_t *client, u_char *line,
    size_t len)
{
    u_char                  *p, *last;
    ngx_str_t                message;
    ngx_http_ilert_fault_e   fault;

    if (client->fault == NGX_HTTP_ILERT_FAULT_UNSENT) {

        /* hooks.c knows better than the line about the name, which follows */

        return;
    }

    last = line + len;

    if (client->message > line && client->message < last) {
        last = client->message;
    }

    /* the message is behind time, level, and process, as in "[error] 1#1: " */

    p = ngx_strlchr(line, last, ']');

    if (p) {
        p = ngx_strlchr(p, last, ':');
    }

    if (p == NULL || last - p < 2) {
        return;
    }

    message.data = p + 2;
    message.len = last - message.data;

    fault = ngx_http_ilert_cause_message(client, &message);

    /* what was wrong with a server says more than that no server is left */

    if (fault == NGX_HTTP_ILERT_FAULT_NONE
        || fault == NGX_HTTP_ILERT_FAULT_NO_SERVER)
    {
        if (client->fault) {
            return;
        }
    }

    client->fault = fault;
    client->noted = ngx_min(message.len, NGX_HTTP_ILERT_REASON_SIZE);

    ngx_memcpy(client->reason, message.data, client->noted);
}


/* Returns the fault of a message, and cuts the message to the detail. */

static ngx_http_ilert_fault_e
ngx_http_ilert_cause_message(ngx_http_ilert_client_t *client,
    ngx_str_t *message)
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
        return ngx_http_ilert_cause_timeout(client);

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


/*
 * Returns the fault by the number of a system error: a message ends with it,
 * as in " (111: Connection refused)".
 */

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
