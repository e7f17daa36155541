
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_fallback.h"
#include "ngx_http_ilert_fallback_rules.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"


#if (NGX_THREADS)

/* bytes of a text; escaped for JSON it may be six times as long */

#define NGX_HTTP_ILERT_FALLBACK_SIZE   3072


/* of a worker */

typedef struct {
    ngx_http_ilert_main_conf_t  *imcf;
    ngx_http_ilert_call_t        call;
    ngx_pool_t                  *pool;      /* of what is sent */
    ngx_http_ilert_fallback_action_e  action;
    unsigned                     busy:1;    /* a call is under way */
} ngx_http_ilert_fallback_t;


static ngx_int_t ngx_http_ilert_fallback_send(ngx_http_ilert_fallback_t *fb,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_fallback_seen_t *seen, int64_t now);
static ngx_int_t ngx_http_ilert_fallback_body(ngx_http_ilert_fallback_t *fb,
    ngx_str_t *text);
static void ngx_http_ilert_fallback_sent(ngx_http_ilert_call_t *call);
static void ngx_http_ilert_fallback_reason(ngx_http_ilert_call_t *call,
    ngx_http_ilert_counters_text_t *error);
static void ngx_http_ilert_fallback_log(ngx_http_ilert_fallback_t *fb,
    ngx_http_ilert_counters_fallback_t *known, int64_t now);


static ngx_http_ilert_fallback_t  ngx_http_ilert_fallback;


void
ngx_http_ilert_fallback_begin(ngx_http_ilert_main_conf_t *imcf)
{
    ngx_http_ilert_counters_fallback_t  known;

    ngx_http_ilert_fallback.imcf = imcf;

    if (imcf->fallback) {
        return;
    }

    /* what was told before it was taken out of the configuration is over */

    ngx_memzero(&known, sizeof(ngx_http_ilert_counters_fallback_t));

    ngx_http_ilert_counters_set_fallback(imcf->counters, &known);
}


void
ngx_http_ilert_fallback_end(void)
{
    ngx_http_ilert_call_give_up(ngx_http_ilert_fallback_sent);
}


ngx_uint_t
ngx_http_ilert_fallback_is_open(void)
{
    ngx_http_ilert_main_conf_t          *imcf;
    ngx_http_ilert_counters_fallback_t   known;

    imcf = ngx_http_ilert_fallback.imcf;

    if (imcf->fallback == NULL) {
        return 0;
    }

    ngx_http_ilert_counters_get_fallback(imcf->counters, &known);

    return known.state.told != 0 || known.state.fails != 0;
}


void
ngx_http_ilert_fallback_look(ngx_http_ilert_store_query_t *query)
{
    int64_t                              now;
    ngx_uint_t                           i;
    ngx_http_ilert_fallback_t           *fb;
    ngx_http_ilert_main_conf_t          *imcf;
    ngx_http_ilert_store_waiter_t       *waiter;
    ngx_http_ilert_fallback_seen_t       seen;
    ngx_http_ilert_counters_fallback_t   known;

    fb = &ngx_http_ilert_fallback;
    imcf = fb->imcf;

    if (imcf->fallback == NULL || fb->busy) {
        return;
    }

    now = ngx_http_ilert_clock_now();

    ngx_memzero(&seen, sizeof(ngx_http_ilert_fallback_seen_t));

    waiter = query->waiters.elts;

    for (i = 0; i < query->waiters.nelts; i++) {
        if (ngx_http_ilert_fallback_counts(&waiter[i])) {
            ngx_http_ilert_fallback_see(&seen, waiter[i].since,
                                        imcf->fallback->after, now);
        }
    }

    ngx_http_ilert_counters_get_fallback(imcf->counters, &known);

    known.late = seen.late;
    known.since = seen.since;

    fb->action = ngx_http_ilert_fallback_decide(&known.state, &seen,
                                                imcf->fallback->after,
                                                imcf->fallback->every, now);

    ngx_http_ilert_counters_set_fallback(imcf->counters, &known);

    if (fb->action != NGX_HTTP_ILERT_FALLBACK_REST
        && ngx_http_ilert_fallback_send(fb, query, &seen, now) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert fallback: no memory");
    }
}


static ngx_int_t
ngx_http_ilert_fallback_send(ngx_http_ilert_fallback_t *fb,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_fallback_seen_t *seen, int64_t now)
{
    u_char                          *last;
    ngx_str_t                        text;
    ngx_http_ilert_call_t           *call;
    ngx_http_ilert_fallback_conf_t  *conf;

    conf = fb->imcf->fallback;
    call = &fb->call;

    fb->pool = ngx_create_pool(8 * NGX_HTTP_ILERT_FALLBACK_SIZE,
                               ngx_cycle->log);
    if (fb->pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(call, sizeof(ngx_http_ilert_call_t));

    call->part = "fallback";
    call->peer = "the fallback";
    call->name = conf->name;
    call->conf_ctx = conf->conf_ctx;
    call->host = &conf->host;
    call->uri = conf->name;
    call->value = conf->body;
    call->handler = ngx_http_ilert_fallback_sent;

    /* nginx's own lines have the URL, which is a secret of most chats */

    call->quiet = 1;

    text.data = ngx_pnalloc(fb->pool, NGX_HTTP_ILERT_FALLBACK_SIZE);

    if (text.data) {
        last = text.data + NGX_HTTP_ILERT_FALLBACK_SIZE;

        text.len = ngx_http_ilert_fallback_text(fb->imcf, query, seen,
                                                fb->action, now, text.data,
                                                last)
                   - text.data;

        if (ngx_http_ilert_fallback_body(fb, &text) == NGX_OK
            && ngx_http_ilert_call_send(call) == NGX_OK)
        {
            fb->busy = 1;
            return NGX_OK;
        }
    }

    ngx_destroy_pool(fb->pool);

    return NGX_ERROR;
}


/* Makes the default body, and the value of the variable, which is in it. */

static ngx_int_t
ngx_http_ilert_fallback_body(ngx_http_ilert_fallback_t *fb, ngx_str_t *text)
{
    u_char                        *quoted;
    size_t                         size;
    ngx_http_ilert_call_t         *call;
    ngx_http_ilert_json_writer_t   w;

    call = &fb->call;

    /* names of the configuration need not be valid UTF-8 */

    if (ngx_http_ilert_text_valid(text, fb->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    size = sizeof("{\"text\": \"\"}\n") + 6 * text->len;

    call->body.data = ngx_pnalloc(fb->pool, size);
    if (call->body.data == NULL) {
        return NGX_ERROR;
    }

    w.pos = call->body.data;
    w.last = w.pos + size;
    w.full = 0;

    ngx_http_ilert_json_literal(&w, "{\"text\": ");

    quoted = w.pos;
    ngx_http_ilert_json_string(&w, text);

    call->text.data = quoted + 1;
    call->text.len = w.pos - quoted - 2;

    ngx_http_ilert_json_literal(&w, "}\n");

    call->body.len = w.pos - call->body.data;

    return NGX_OK;
}


static void
ngx_http_ilert_fallback_sent(ngx_http_ilert_call_t *call)
{
    int64_t                              now;
    ngx_uint_t                           taken;
    ngx_http_ilert_fallback_t           *fb;
    ngx_http_ilert_counters_fallback_t   known;

    fb = &ngx_http_ilert_fallback;

    fb->busy = 0;

    /* what is given up is sent again by the next courier */

    if (!call->given_up) {
        now = ngx_http_ilert_clock_now();
        taken = (call->fault == NGX_HTTP_ILERT_FAULT_NONE
                 && call->status >= NGX_HTTP_OK
                 && call->status < NGX_HTTP_SPECIAL_RESPONSE);

        ngx_http_ilert_counters_get_fallback(fb->imcf->counters, &known);

        ngx_http_ilert_fallback_done(&known.state, fb->action, taken, now);

        if (taken) {
            known.sent++;
            known.last = now;
            known.error.len = 0;

        } else {
            known.failed++;
            ngx_http_ilert_fallback_reason(call, &known.error);
        }

        ngx_http_ilert_counters_set_fallback(fb->imcf->counters, &known);

        ngx_http_ilert_fallback_log(fb, &known, now);
    }

    ngx_destroy_pool(fb->pool);
}


static void
ngx_http_ilert_fallback_reason(ngx_http_ilert_call_t *call,
    ngx_http_ilert_counters_text_t *error)
{
    u_char     buf[NGX_HTTP_ILERT_COUNTERS_TEXT];
    ngx_str_t  text;

    if (call->fault != NGX_HTTP_ILERT_FAULT_NONE) {
        ngx_http_ilert_counters_set_text(error, &call->reason);
        return;
    }

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf), "it answered %ui%s%V",
                            call->status, call->reason.len ? ": " : "",
                            &call->reason)
               - buf;

    ngx_http_ilert_counters_set_text(error, &text);
}


static void
ngx_http_ilert_fallback_log(ngx_http_ilert_fallback_t *fb,
    ngx_http_ilert_counters_fallback_t *known, int64_t now)
{
    u_char      buf[64];
    ngx_str_t  *name, age;

    name = &fb->imcf->fallback->name;

    if (known->state.fails == 1) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert fallback: location \"%V\" has not taken what it "
                      "was told, it is tried again: %*s", name,
                      known->error.len, known->error.data);
    }

    if (known->state.fails) {
        return;
    }

    if (fb->action == NGX_HTTP_ILERT_FALLBACK_OVER) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert fallback: location \"%V\" was told that no "
                      "urgent alert waits for ilert any more", name);
        return;
    }

    age.data = buf;
    age.len = ngx_http_ilert_fallback_age(buf, buf + sizeof(buf),
                                          now - known->since)
              - buf;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ilert fallback: location \"%V\" was told that %ui urgent "
                  "%s for ilert, the first one for %V", name, known->late,
                  known->late == 1 ? "alert waits" : "alerts wait", &age);
}

#endif
