
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_cause.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_delivery.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_text.h"


/* bytes of an alert key in a log, at most */

#define NGX_HTTP_ILERT_LOGGED_KEY    256

/* seconds, at most, that are taken from a Retry-After */

#define NGX_HTTP_ILERT_RETRY_AFTER_MAX  3600

/* bytes: so much of a key's beginning, at the end of a text, is masked, too */

#define NGX_HTTP_ILERT_KEY_PART      4


static ngx_uint_t ngx_http_ilert_reply_sent(ngx_http_request_t *sr);
static ngx_uint_t ngx_http_ilert_reply_misrouted(ngx_http_request_t *sr);
static ngx_uint_t ngx_http_ilert_reply_is_own(ngx_http_ilert_delivery_t *d,
    ngx_str_t *message);
static void ngx_http_ilert_reply_log_answer(ngx_http_ilert_delivery_t *d);
static time_t ngx_http_ilert_reply_retry_after(ngx_http_upstream_t *u);
static void ngx_http_ilert_reply_reason(ngx_http_ilert_delivery_t *d,
    ngx_str_t *message);


void
ngx_http_ilert_reply_outcome(ngx_http_ilert_delivery_t *d, ngx_int_t rc)
{
    ngx_str_t                  message;
    ngx_uint_t                 own;
    ngx_http_request_t        *sr;
    ngx_http_ilert_outcome_t  *outcome;

    sr = d->client.sr;
    outcome = &d->request.outcome;

    outcome->verdict = NGX_HTTP_ILERT_AGAIN;
    outcome->sent = ngx_http_ilert_reply_sent(sr);

    if (ngx_http_ilert_reply_misrouted(sr)) {
        outcome->fault = NGX_HTTP_ILERT_FAULT_NGINX;
        outcome->local_status = (rc >= NGX_HTTP_SPECIAL_RESPONSE)
                                ? (ngx_uint_t) rc : sr->headers_out.status;

    } else if (ngx_http_ilert_reply_has_answer(sr->upstream)) {
        outcome->status = sr->upstream->headers_in.status_n;
        outcome->verdict = ngx_http_ilert_outcome_verdict(outcome->status);

        if (outcome->verdict != NGX_HTTP_ILERT_DONE) {
            own = ngx_http_ilert_reply_is_own(d, &message);

            if (outcome->verdict == NGX_HTTP_ILERT_DEAD && !own) {
                outcome->verdict = NGX_HTTP_ILERT_PARK;
                outcome->foreign = 1;
            }

            ngx_http_ilert_reply_reason(d, &message);
            outcome->retry_after = ngx_http_ilert_reply_retry_after(
                                                               sr->upstream);
        }

        ngx_http_ilert_reply_log_answer(d);

    } else {
        outcome->fault = ngx_http_ilert_cause_find(&d->client, rc);

        outcome->reason.data = d->client.reason;
        outcome->reason.len = d->client.noted;

        ngx_http_ilert_reply_line(&outcome->reason);
        ngx_http_ilert_reply_mask(&outcome->reason,
                                  &d->request.event->source->key);
    }
}


/*
 * Returns 1 if the request may have been sent: if nginx has tried several
 * servers, it may have been sent to any of them.
 */

static ngx_uint_t
ngx_http_ilert_reply_sent(ngx_http_request_t *sr)
{
    if (sr->upstream == NULL) {
        return 0;
    }

    return sr->upstream->request_sent
           || (sr->upstream_states && sr->upstream_states->nelts > 1);
}


/* Returns 1 if nginx has answered itself, without ilert or from a cache. */

static ngx_uint_t
ngx_http_ilert_reply_misrouted(ngx_http_request_t *sr)
{
#if (NGX_HTTP_CACHE)

    if (sr->cached) {
        return 1;
    }

#endif

    return sr->upstream == NULL;
}


ngx_uint_t
ngx_http_ilert_reply_has_answer(ngx_http_upstream_t *u)
{
    return u->headers_in.status_n && u->state
           && u->state->header_time != (ngx_msec_t) -1;
}


/*
 * Returns 1 if the body is an error of ilert's: a JSON object with a "message"
 * or a "code" that is a string, whatever its Content-Type is.  If the body is
 * longer than what is kept, its beginning decides.  Sets "message" to the
 * token of that member, or to a null string.
 */

static ngx_uint_t
ngx_http_ilert_reply_is_own(ngx_http_ilert_delivery_t *d, ngx_str_t *message)
{
    ngx_int_t                      rc;
    ngx_str_t                      text, name, value;
    ngx_uint_t                     own, string;
    ngx_http_ilert_json_reader_t   reader;

    static ngx_str_t  members[] = {
        ngx_string("\"message\""),
        ngx_string("\"code\"")
    };

    ngx_str_null(message);

    text.data = d->client.answer;
    text.len = d->client.kept;

    ngx_http_ilert_json_init(&reader, &text, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    own = 0;
    rc = ngx_http_ilert_json_enter(&reader, '{');

    while (rc == NGX_OK) {

        rc = ngx_http_ilert_json_name(&reader, &name);
        if (rc != NGX_OK) {
            break;
        }

        ngx_str_null(&value);

        string = (ngx_http_ilert_json_peek(&reader) == '"');

        if (string && (ngx_http_ilert_text_same(&name, &members[0])
                       || ngx_http_ilert_text_same(&name, &members[1])))
        {
            own = 1;
        }

        rc = string ? ngx_http_ilert_json_scalar(&reader, &value)
                    : ngx_http_ilert_json_skip(&reader);
        if (rc != NGX_OK) {
            break;
        }

        if (string && ngx_http_ilert_text_same(&name, &members[0])) {
            *message = value;
        }

        rc = ngx_http_ilert_json_next(&reader, '}');
    }

    if (d->client.received == d->client.kept
        && (rc != NGX_DONE || ngx_http_ilert_json_end(&reader) != NGX_OK))
    {
        ngx_str_null(message);
        return 0;
    }

    return own;
}


/*
 * Logs the answer.  By the line about a delivered event people follow an alert
 * from Kapacitor to ilert.
 */

static void
ngx_http_ilert_reply_log_answer(ngx_http_ilert_delivery_t *d)
{
    u_char                    buf[NGX_HTTP_ILERT_LOGGED_KEY];
    int64_t                   age;
    ngx_log_t                *log;
    ngx_str_t                *value, id, key;
    ngx_log_handler_pt        handler;
    ngx_http_ilert_event_t   *ev;

    log = &d->client.log;

    if (log->log_level < NGX_LOG_INFO) {
        return;
    }

    ngx_str_set(&id, "-");

    value = ngx_http_ilert_reply_header(
                                   &d->client.sr->upstream->headers_in.headers,
                                   "correlation-id", 0);

    if (value) {
        id = *value;
        ngx_http_ilert_reply_line(&id);
    }

    ev = d->request.event;

    if (d->request.outcome.verdict != NGX_HTTP_ILERT_DONE
        || ev->source->heartbeat)
    {
        log->action = "reading ilert's answer";

        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "ilert answered %ui, correlation-id: \"%V\"",
                      d->request.outcome.status, &id);
        return;
    }

    age = ngx_max(ngx_http_ilert_clock_now() - ev->received, 0);

    key.data = buf;
    key.len = ngx_http_ilert_text_cut(&ev->alert_key, sizeof(buf));

    ngx_memcpy(buf, ev->alert_key.data, key.len);
    ngx_http_ilert_text_line(&key);

    /* the line has all that the handler would add to it */

    handler = log->handler;
    log->handler = NULL;

    ngx_log_error(NGX_LOG_INFO, log, 0,
                  "ilert event %V delivered: source \"%V\", alert key "
                  "\"%V\", %V, attempt %ui, age %L.%03Ls, correlation-id "
                  "\"%V\"", &ev->id, &ev->source->name, &key,
                  &ngx_http_ilert_types[ev->type], d->request.attempt,
                  age / 1000, age % 1000, &id);

    log->handler = handler;
}


/* Returns the seconds that ilert wants us to wait, or 0. */

static time_t
ngx_http_ilert_reply_retry_after(ngx_http_upstream_t *u)
{
    time_t      t;
    ngx_str_t  *value;

    value = ngx_http_ilert_reply_header(&u->headers_in.headers,
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
ngx_http_ilert_reply_header(ngx_list_t *headers, const char *name,
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


/*
 * Sets the reason by the body of an answer: by the message of a JSON object
 * such as {"status":400,"message":"…"}, or by the first line of a text.  HTML
 * gives no reason.
 */

static void
ngx_http_ilert_reply_reason(ngx_http_ilert_delivery_t *d, ngx_str_t *message)
{
    u_char     *p;
    ngx_str_t   text;

    text.data = d->client.answer;
    text.len = d->client.kept;

    ngx_http_ilert_text_trim(&text);

    if (ngx_http_ilert_cause_wants_https(&text)) {
        p = d->client.reason;

        d->request.outcome.reason.data = p;
        d->request.outcome.reason.len = ngx_http_ilert_fault_text(
                                     NGX_HTTP_ILERT_FAULT_HTTPS_PORT, &text,
                                     p, p + NGX_HTTP_ILERT_REASON_SIZE)
                                 - p;
        return;
    }

    if (text.len == 0 || text.data[0] == '<') {
        return;
    }

    if (text.data[0] == '{') {

        if (message->len == 0
            || ngx_http_ilert_json_decode(message, &text, d->client.main->pool)
               != NGX_OK)
        {
            return;
        }

        ngx_http_ilert_text_trim(&text);
    }

    ngx_http_ilert_reply_line(&text);
    ngx_http_ilert_reply_mask(&text, &d->request.event->source->key);

    text.len = ngx_min(text.len, NGX_HTTP_ILERT_REASON_SIZE);

    ngx_memcpy(d->client.reason, text.data, text.len);

    d->request.outcome.reason.data = d->client.reason;
    d->request.outcome.reason.len = text.len;
}


void
ngx_http_ilert_reply_line(ngx_str_t *text)
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


void
ngx_http_ilert_reply_mask(ngx_str_t *text, ngx_str_t *key)
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
