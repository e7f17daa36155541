
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_client.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_gzip.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_text.h"


/* ms after its head in which an answer must have ended */

#define NGX_HTTP_ILERT_CALL_TIME  600000

/* bytes of an answer other than 200 that are kept, for its error */

#define NGX_HTTP_ILERT_CALL_KEPT  1024


typedef struct {
    ngx_http_ilert_client_t      client;    /* must be the first */
    ngx_http_ilert_call_t       *call;

    ngx_http_ilert_gzip_t        gz;
    const char                  *error;     /* what is wrong with the answer */
    size_t                       kept;      /* bytes in "text" */
    unsigned                     gzip:1;    /* the answer is compressed */
    unsigned                     wanted:1;  /* it goes to call->read() */

    u_char                       text[NGX_HTTP_ILERT_CALL_KEPT];
} ngx_http_ilert_call_state_t;


static ngx_int_t ngx_http_ilert_call_prepare(ngx_http_ilert_client_t *client);
static void ngx_http_ilert_call_context(ngx_http_ilert_client_t *client,
    ngx_http_ilert_ctx_t *ctx);
static void ngx_http_ilert_call_head(ngx_http_ilert_client_t *client);
static void ngx_http_ilert_call_decode(ngx_http_ilert_call_state_t *cc);
static void ngx_http_ilert_call_body(ngx_http_ilert_client_t *client,
    u_char *data, size_t len);
static ngx_int_t ngx_http_ilert_call_text(void *data, u_char *text,
    size_t len);
static void ngx_http_ilert_call_fail(ngx_http_ilert_call_state_t *cc,
    const char *error);
static ngx_uint_t ngx_http_ilert_call_status(ngx_http_request_t *sr);
static void ngx_http_ilert_call_outcome(ngx_http_ilert_client_t *client,
    ngx_int_t rc);
static ngx_http_ilert_fault_e ngx_http_ilert_call_fault(
    ngx_http_ilert_call_state_t *cc, ngx_int_t rc);
static void ngx_http_ilert_call_reason(ngx_http_ilert_call_state_t *cc);
static void ngx_http_ilert_call_said(ngx_http_ilert_call_state_t *cc,
    ngx_str_t *text);
static void ngx_http_ilert_call_done(ngx_http_ilert_client_t *client);
static ngx_uint_t ngx_http_ilert_call_line(ngx_http_ilert_client_t *client,
    ngx_uint_t level, ngx_str_t *line);
static u_char *ngx_http_ilert_call_who(ngx_http_ilert_client_t *client,
    u_char *buf, size_t len);


static ngx_http_ilert_client_kind_t  ngx_http_ilert_call_kind = {
    sizeof(ngx_http_ilert_call_state_t),
    "making a call",
    NGX_HTTP_ILERT_CALL_TIME,
    ngx_http_ilert_call_prepare,
    ngx_http_ilert_call_context,
    NULL,
    ngx_http_ilert_call_head,
    ngx_http_ilert_call_body,
    ngx_http_ilert_call_outcome,
    ngx_http_ilert_call_done,
    ngx_http_ilert_call_line,
    ngx_http_ilert_call_who,
    0,
    0,
    { NULL, NULL }
};


ngx_int_t
ngx_http_ilert_call_send(ngx_http_ilert_call_t *call)
{
    ngx_http_ilert_client_t         *client;
    ngx_http_ilert_client_target_t  *target;

    client = ngx_http_ilert_client_create(&ngx_http_ilert_call_kind);
    if (client == NULL) {
        return NGX_ERROR;
    }

    ((ngx_http_ilert_call_state_t *) client)->call = call;

    call->status = 0;
    call->fault = NGX_HTTP_ILERT_FAULT_NONE;
    call->whole = 0;
    call->given_up = 0;
    ngx_str_null(&call->reason);

    target = &client->target;

    target->conf_ctx = call->conf_ctx;
    target->host = call->host;
    target->main_uri = &call->uri;
    target->uri = &call->uri;
    target->args = &call->args;
    target->body[0] = call->body;
    target->get = (call->body.len == 0 && call->value == NULL);

    return ngx_http_ilert_client_send(client);
}


void
ngx_http_ilert_call_give_up(ngx_http_ilert_call_handler_pt handler)
{
    ngx_http_ilert_client_t       *client;
    ngx_http_ilert_call_state_t  *cc;

    client = ngx_http_ilert_client_next(&ngx_http_ilert_call_kind, NULL);

    while (client) {
        cc = (ngx_http_ilert_call_state_t *) client;

        if (cc->call->handler == handler) {
            ngx_http_ilert_client_give_up(client);
        }

        client = ngx_http_ilert_client_next(&ngx_http_ilert_call_kind, client);
    }
}


static ngx_int_t
ngx_http_ilert_call_prepare(ngx_http_ilert_client_t *client)
{
    ngx_http_ilert_call_t  *call;

    call = ((ngx_http_ilert_call_state_t *) client)->call;

    return call->value ? ngx_http_complex_value(client->main, call->value,
                                                &client->target.body[0])
                       : NGX_OK;
}


static void
ngx_http_ilert_call_context(ngx_http_ilert_client_t *client,
    ngx_http_ilert_ctx_t *ctx)
{
    ctx->call = ((ngx_http_ilert_call_state_t *) client)->call;
}


static void
ngx_http_ilert_call_head(ngx_http_ilert_client_t *client)
{
    ngx_http_request_t            *sr;
    ngx_http_ilert_call_state_t  *cc = (ngx_http_ilert_call_state_t *) client;

    sr = client->sr;

    cc->wanted = (sr->headers_out.status == NGX_HTTP_OK
                  && ngx_http_ilert_call_status(sr) == NGX_HTTP_OK);

    if (sr->upstream) {
        ngx_http_ilert_call_decode(cc);
    }
}


/* Prepares for decoding the answer, if it is encoded. */

static void
ngx_http_ilert_call_decode(ngx_http_ilert_call_state_t *cc)
{
    ngx_str_t           *encoding;
    ngx_http_request_t  *sr;

    static ngx_str_t  gzip = ngx_string("gzip");
    static ngx_str_t  identity = ngx_string("identity");

    sr = cc->client.sr;

    encoding = ngx_http_ilert_reply_header(&sr->upstream->headers_in.headers,
                                           "content-encoding", 0);

    if (encoding == NULL
        || (encoding->len == identity.len
            && ngx_strncasecmp(encoding->data, identity.data, identity.len)
               == 0))
    {
        return;
    }

    if (encoding->len != gzip.len
        || ngx_strncasecmp(encoding->data, gzip.data, gzip.len) != 0)
    {
        ngx_http_ilert_call_fail(cc, "the answer has a Content-Encoding other "
                                 "than gzip");
        return;
    }

    if (ngx_http_ilert_gzip_init(&cc->gz, sr->pool) != NGX_OK) {
        ngx_http_ilert_call_fail(cc, "no memory");
        return;
    }

    cc->gzip = 1;
}


static void
ngx_http_ilert_call_body(ngx_http_ilert_client_t *client, u_char *data,
    size_t len)
{
    ngx_int_t                      rc;
    ngx_http_ilert_call_state_t  *cc = (ngx_http_ilert_call_state_t *) client;

    rc = cc->gzip ? ngx_http_ilert_gzip_read(&cc->gz, data, len,
                                             ngx_http_ilert_call_text, cc)
                  : ngx_http_ilert_call_text(cc, data, len);

    if (rc == NGX_DECLINED) {
        ngx_http_ilert_call_fail(cc, "the answer is no valid gzip");

    } else if (rc == NGX_ERROR) {
        ngx_http_ilert_call_fail(cc, "the answer cannot be read");
    }
}


static ngx_int_t
ngx_http_ilert_call_text(void *data, u_char *text, size_t len)
{
    ngx_http_ilert_call_state_t  *cc = data;

    if (cc->wanted) {
        return cc->call->read ? cc->call->read(cc->call, text, len) : NGX_OK;
    }

    len = ngx_min(len, NGX_HTTP_ILERT_CALL_KEPT - cc->kept);

    ngx_memcpy(cc->text + cc->kept, text, len);

    cc->kept += len;

    return NGX_OK;
}


/* Ends the call, as its answer is of no use. */

static void
ngx_http_ilert_call_fail(ngx_http_ilert_call_state_t *cc, const char *error)
{
    cc->error = error;

    ngx_http_ilert_client_end(&cc->client, NGX_ERROR);
}


/*
 * Returns the status that the upstream has sent, or, if the location has none,
 * that of nginx; or 0 if there is no answer.  A cached answer is none.
 */

static ngx_uint_t
ngx_http_ilert_call_status(ngx_http_request_t *sr)
{
#if (NGX_HTTP_CACHE)

    if (sr->cached) {
        return 0;
    }

#endif

    if (sr->upstream == NULL) {
        return sr->headers_out.status;
    }

    return ngx_http_ilert_reply_has_answer(sr->upstream)
           ? sr->upstream->headers_in.status_n : 0;
}


static void
ngx_http_ilert_call_outcome(ngx_http_ilert_client_t *client, ngx_int_t rc)
{
    ngx_http_request_t            *sr;
    ngx_http_ilert_call_t         *call;
    ngx_http_ilert_call_state_t  *cc = (ngx_http_ilert_call_state_t *) client;

    sr = client->sr;
    call = cc->call;

    call->given_up = client->given_up;
    call->status = ngx_http_ilert_call_status(sr);

    if (sr->upstream == NULL && call->status == 0
        && rc >= NGX_HTTP_SPECIAL_RESPONSE && rc != NGX_HTTP_GATEWAY_TIME_OUT)
    {
        call->status = rc;
    }

    call->whole = (call->status && client->complete && cc->error == NULL
                   && (!cc->gzip || cc->gz.ended));

    if (call->status == 0 || (call->status == NGX_HTTP_OK && !call->whole)) {
        call->fault = ngx_http_ilert_call_fault(cc, rc);
    }

    ngx_http_ilert_call_reason(cc);
}


static ngx_http_ilert_fault_e
ngx_http_ilert_call_fault(ngx_http_ilert_call_state_t *cc, ngx_int_t rc)
{
    ngx_http_request_t       *sr;
    ngx_http_ilert_client_t  *client;

    client = &cc->client;
    sr = client->sr;

    if (cc->error) {
        return NGX_HTTP_ILERT_FAULT_ERROR;
    }

#if (NGX_HTTP_CACHE)

    if (sr->cached) {
        return NGX_HTTP_ILERT_FAULT_NGINX;
    }

#endif

    if (client->complete && cc->gzip) {

        /* the connection was closed, and only the gzip shows that too early */

        return NGX_HTTP_ILERT_FAULT_CLOSED;
    }

    if (sr->upstream) {
        return ngx_http_ilert_cause_find(client, rc);
    }

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return NGX_HTTP_ILERT_FAULT_TIMEOUT;
    }

    return client->fault ? client->fault : NGX_HTTP_ILERT_FAULT_ERROR;
}


/*
 * Sets the reason: what is wrong with the answer, why there is none, or the
 * error that is in it.
 */

static void
ngx_http_ilert_call_reason(ngx_http_ilert_call_state_t *cc)
{
    u_char                   *p, *last;
    ngx_str_t                 text;
    ngx_http_ilert_call_t    *call;
    ngx_http_ilert_client_t  *client;

    call = cc->call;
    client = &cc->client;

    if (call->fault == NGX_HTTP_ILERT_FAULT_NONE) {
        ngx_http_ilert_call_said(cc, &text);

    } else if (cc->error) {
        text.data = (u_char *) cc->error;
        text.len = ngx_strlen(cc->error);

    } else {
        text.data = cc->text;
        text.len = ngx_min(client->noted, NGX_HTTP_ILERT_CALL_KEPT);

        /* both are in a struct that stays until the handler has returned */

        ngx_memcpy(text.data, client->reason, text.len);

        last = client->reason + NGX_HTTP_ILERT_REASON_SIZE;

        p = ngx_http_ilert_fault_text_of(call->peer, call->fault, &text,
                                         client->reason, last);

        text.data = client->reason;
        text.len = p - client->reason;
    }

    text.len = ngx_min(text.len, NGX_HTTP_ILERT_REASON_SIZE);

    ngx_memmove(client->reason, text.data, text.len);

    call->reason.data = client->reason;
    call->reason.len = text.len;

    ngx_http_ilert_reply_line(&call->reason);
}


/*
 * Sets "text" to the error in an answer other than 2xx: to that of a JSON
 * object, as Kapacitor and our own locations have it, or to the beginning of
 * a text.
 */

static void
ngx_http_ilert_call_said(ngx_http_ilert_call_state_t *cc, ngx_str_t *text)
{
    ngx_http_ilert_json_member_t  members[] = {
        { ngx_string("error"), ngx_null_string },
        { ngx_string("message"), ngx_null_string }
    };

    text->data = cc->text;
    text->len = cc->kept;

    ngx_http_ilert_text_trim(text);

    if (cc->call->status < NGX_HTTP_SPECIAL_RESPONSE || text->len == 0
        || text->data[0] == '<')
    {
        text->len = 0;
        return;
    }

    if (text->data[0] != '{') {
        return;
    }

    if (ngx_http_ilert_json_pick(text, members, 2) != NGX_OK) {
        text->len = 0;
        return;
    }

    *text = members[0].value.len ? members[0].value : members[1].value;

    if (text->len
        && ngx_http_ilert_json_decode(text, text, cc->client.main->pool)
           != NGX_OK)
    {
        text->len = 0;
    }
}


static void
ngx_http_ilert_call_done(ngx_http_ilert_client_t *client)
{
    ngx_http_ilert_call_t  *call;

    call = ((ngx_http_ilert_call_state_t *) client)->call;

    call->handler(call);
}


static ngx_uint_t
ngx_http_ilert_call_line(ngx_http_ilert_client_t *client, ngx_uint_t level,
    ngx_str_t *line)
{
    ngx_http_ilert_call_t  *call;

    call = ((ngx_http_ilert_call_state_t *) client)->call;

    return !call->quiet || (level != NGX_LOG_ERR && level != NGX_LOG_WARN);
}


static u_char *
ngx_http_ilert_call_who(ngx_http_ilert_client_t *client, u_char *buf,
    size_t len)
{
    ngx_http_ilert_call_state_t  *cc = (ngx_http_ilert_call_state_t *) client;

    return ngx_snprintf(buf, len, ", ilert %s: \"%V\"", cc->call->part,
                        &cc->call->name);
}
