
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_body.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_dry_run.h"
#include "ngx_http_ilert_heard.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_receive.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_respond.h"
#include "ngx_http_ilert_route.h"
#include "ngx_http_ilert_test.h"
#include "ngx_http_ilert_webhook.h"


static void ngx_http_ilert_webhook_has_body(ngx_http_request_t *r);
static void ngx_http_ilert_webhook_parsed(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body);
static ngx_int_t ngx_http_ilert_webhook_process(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_body_t *body);
static ngx_int_t ngx_http_ilert_webhook_ignore(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx);
static void ngx_http_ilert_webhook_warn(ngx_http_request_t *r,
    ngx_http_ilert_webhook_t *wh);
static ngx_int_t ngx_http_ilert_webhook_test(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_webhook_send_test(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx);
static void ngx_http_ilert_webhook_tested(ngx_http_ilert_test_t *test,
    void *data);
static ngx_int_t ngx_http_ilert_webhook_submit(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_webhook_passthrough(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_type_e *type, ngx_str_t *key);
static ngx_int_t ngx_http_ilert_webhook_choose_type(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_uint_t *off);
static ngx_int_t ngx_http_ilert_webhook_choose_key(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *error);
static ngx_int_t ngx_http_ilert_webhook_choose_source(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *error);
static ngx_http_ilert_source_t *ngx_http_ilert_webhook_known_source(
    ngx_http_request_t *r);
static void ngx_http_ilert_webhook_done(ngx_http_ilert_answer_t *answer,
    void *data);


ngx_int_t
ngx_http_ilert_webhook_handler(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ilert kapacitor handler");

    r->connection->log->action = "reading kapacitor webhook";

    return ngx_http_ilert_receive(r, ngx_http_ilert_webhook_has_body);
}


static void
ngx_http_ilert_webhook_has_body(ngx_http_request_t *r)
{
    r->connection->log->action = "processing kapacitor webhook";

    ngx_http_ilert_body_parse(r, 0, ngx_http_ilert_webhook_parsed);
}


static void
ngx_http_ilert_webhook_parsed(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body)
{
    ngx_http_ilert_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    ngx_http_ilert_receive_end(r,
                          ngx_http_ilert_webhook_process(r, ctx, body));
}


/*
 * Returns NGX_AGAIN if the request is answered later, otherwise the code by
 * which the request is to be finalized.
 */

static ngx_int_t
ngx_http_ilert_webhook_process(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_body_t *body)
{
    ngx_int_t                  rc;
    ngx_str_t                  error;
    ngx_uint_t                 off;
    ngx_http_ilert_event_t    *ev;
    ngx_http_ilert_webhook_t  *wh;

    if (body->rc != NGX_ERROR) {
        ctx->body = body->text;
    }

    if (body->rc == NGX_DECLINED) {
        return ngx_http_ilert_respond_unread(r, &body->error);
    }

    wh = &body->webhook;
    ev = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_event_t));

    if (body->rc != NGX_OK || ev == NULL
        || ngx_http_ilert_event_set_id(ev, ngx_http_ilert_clock_number(),
                                       r->pool)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->webhook = wh;
    ctx->event = ev;

    wh->reconciled = (ngx_http_ilert_repair_of(r) != NULL);

    if (wh->odd.len) {
        ngx_http_ilert_webhook_warn(r, wh);
    }

    if (wh->test) {
        return ngx_http_ilert_webhook_test(r, ctx);
    }

    if (ngx_http_ilert_webhook_choose_type(r, ctx, &off) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_ilert_webhook_choose_key(r, ctx, &error);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED && !off) {
        return ngx_http_ilert_respond_rejected(r, NGX_HTTP_BAD_REQUEST,
                                               &error);
    }

    rc = ngx_http_ilert_webhook_choose_source(r, ctx, &error);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED && !off) {
        return ngx_http_ilert_respond_rejected(r, NGX_HTTP_ILERT_UNPROCESSABLE,
                                               &error);
    }

    if (off || ev->source == NULL) {
        return ngx_http_ilert_webhook_ignore(r, ctx);
    }

    return ngx_http_ilert_webhook_submit(r, ctx);
}


static ngx_int_t
ngx_http_ilert_webhook_ignore(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx)
{
    ngx_str_t                key;
    ngx_http_ilert_type_e    type;
    ngx_http_ilert_event_t  *ev;

    ev = ctx->event;
    type = ev->type;
    key = ev->alert_key;

    if (ev->source && ev->source->passthrough
        && ngx_http_ilert_webhook_passthrough(r, ctx, &type, &key) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&ctx->result, "IGNORED");

    ngx_http_ilert_respond_count_ignored(r, ev->source);
    ngx_http_ilert_heard_ignored(r, ctx, &key);

    return ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "ignored", "event",
                                  &ev->id);
}


/*
 * Warns of a webhook with odd members.  All webhooks of a template are odd in
 * the same way, so not each of them is logged.
 */

static void
ngx_http_ilert_webhook_warn(ngx_http_request_t *r,
    ngx_http_ilert_webhook_t *wh)
{
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ngx_http_ilert_mapping_due(&ilcf->mapping,
                                   NGX_HTTP_ILERT_WARNING_WEBHOOK))
    {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "kapacitor webhook is odd, and taken: %V", &wh->odd);
    }
}


/*
 * Answers Chronograf's test.  It counts as ignored by the source that an event
 * would have had.
 */

static ngx_int_t
ngx_http_ilert_webhook_test(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   error;
    ngx_http_ilert_source_t    *source;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    rc = ngx_http_ilert_route(r, ilcf, &source, &error);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ilcf->send_test) {

        if (rc == NGX_DECLINED) {
            return ngx_http_ilert_respond_rejected(r,
                                                NGX_HTTP_ILERT_UNPROCESSABLE,
                                                &error);
        }

        if (source && !ilcf->dry_run) {
            ctx->event->source = source;
            return ngx_http_ilert_webhook_send_test(r, ctx);
        }
    }

    if (ilcf->dry_run) {
        ctx->event->source = source;
    }

    ngx_http_ilert_respond_count_ignored(r, source);

    ngx_str_set(&ctx->result, "TEST");

    return ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "test", "event",
                                  &ctx->event->id);
}


/*
 * Tests the source: an ALERT and its RESOLVE are sent in the same way as all
 * events of the source.
 */

static ngx_int_t
ngx_http_ilert_webhook_send_test(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_str_t                    error;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    rc = ngx_http_ilert_test_start(imcf, ctx->event->source,
                                   ngx_http_ilert_webhook_tested, r, &error,
                                   r->pool);

    if (rc == NGX_OK) {
        return NGX_AGAIN;
    }

    if (rc != NGX_DECLINED) {
        ngx_str_set(&error, "no memory");
    }

    ngx_str_set(&ctx->result, "UNAVAILABLE");

    return ngx_http_ilert_respond_rejected(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                           &error);
}


/*
 * Answers Chronograf's test with 202 if both events were delivered.  The id in
 * the answer is that of the ALERT.
 */

static void
ngx_http_ilert_webhook_tested(ngx_http_ilert_test_t *test, void *data)
{
    ngx_http_request_t  *r = data;

    ngx_str_t                    *id;
    ngx_http_ilert_ctx_t         *ctx;
    ngx_http_ilert_answer_t       answer;
    ngx_http_ilert_test_event_t  *failed;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    failed = ngx_http_ilert_test_failed(test);

    id = &ngx_http_ilert_test_events(test)->event.id;

    ctx->event->id.len = id->len;
    ngx_memcpy(ctx->event->id.data, id->data, id->len);

    ngx_memzero(&answer, sizeof(ngx_http_ilert_answer_t));

    if (failed == NULL) {
        answer.status = NGX_HTTP_ACCEPTED;
        ngx_str_set(&answer.result, "TEST");
        ngx_http_ilert_respond_count_ignored(r, ctx->event->source);

    } else {
        answer.status = (failed->verdict == NGX_HTTP_ILERT_TEST_WAITS)
                        ? NGX_HTTP_GATEWAY_TIME_OUT : NGX_HTTP_BAD_GATEWAY;
        ngx_str_set(&answer.result, "UNAVAILABLE");
        answer.error = failed->error;
    }

    ngx_http_ilert_webhook_done(&answer, r);
}


static ngx_int_t
ngx_http_ilert_webhook_submit(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx)
{
    ngx_str_t                      error;
    ngx_http_ilert_event_t        *ev;
    ngx_http_ilert_mapping_t       mapping;
    ngx_http_ilert_loc_conf_t     *ilcf;
    ngx_http_ilert_store_heard_t  *hp, heard;

    ev = ctx->event;
    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    ev->ilert_type = ev->type;
    ev->ilert_key = ev->alert_key;

    if (ev->source->passthrough) {
        ev->body = ctx->webhook->body;
        ev->summary = ctx->webhook->message;

        if (ngx_http_ilert_webhook_passthrough(r, ctx, &ev->ilert_type,
                                               &ev->ilert_key)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (ngx_http_ilert_mapping_eval(r, &ilcf->mapping, &mapping)
               != NGX_OK
               || ngx_http_ilert_event_map(ev, ctx->webhook, &mapping,
                                           ilcf->event_max_size, r->pool)
                  != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_ilert_event_message(ev, ctx->webhook);

    ev->began = ngx_http_ilert_kapacitor_began(ctx->webhook, &ev->ilert_key,
                                               ngx_http_ilert_clock_now());

    if (ilcf->dry_run) {
        return ngx_http_ilert_dry_run(r);
    }

    hp = (ngx_http_ilert_heard(r, ctx, &heard) == NGX_OK) ? &heard : NULL;

    if (ngx_http_ilert_queue_submit(ev, hp, ngx_http_ilert_webhook_done, r,
                                    r->pool)
        != NGX_OK)
    {
        ngx_str_set(&error, "no memory");
        ngx_str_set(&ctx->result, "UNAVAILABLE");
        return ngx_http_ilert_respond_rejected(r, NGX_HTTP_BAD_GATEWAY,
                                               &error);
    }

    return NGX_AGAIN;
}


/*
 * Sets the type and the alert key that ilert itself will find in Kapacitor's
 * body, which goes on unchanged, so that the mapping has no effect on them.
 */

static ngx_int_t
ngx_http_ilert_webhook_passthrough(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_type_e *type, ngx_str_t *key)
{
    ngx_str_t                   none, error;
    ngx_http_ilert_event_t      ev;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ev = *ctx->event;

    ngx_str_null(&none);

    ngx_http_ilert_event_type(&ev, ctx->webhook, &none);

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    /*
     * A webhook with neither an id nor series has no key of its own, and the
     * mapped one stays.
     */

    if (ngx_http_ilert_event_key(&ev, ctx->webhook, &none,
                                 ilcf->event_max_size, &error, r->pool)
        == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    *type = ev.type;
    *key = ev.alert_key;

    return NGX_OK;
}


/*
 * Sets the event's type.  If the webhook is to be ignored, "off" is set
 * instead, and the event has no type.
 */

static ngx_int_t
ngx_http_ilert_webhook_choose_type(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_uint_t *off)
{
    ngx_str_t                   value;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ngx_http_ilert_mapping_value(r, &ilcf->mapping,
                                     NGX_HTTP_ILERT_EVENT_TYPE, &value)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    *off = (value.len == 3 && ngx_strncmp(value.data, "off", 3) == 0);

    if (!*off) {
        ngx_http_ilert_event_type(ctx->event, ctx->webhook, &value);
    }

    return NGX_OK;
}


/*
 * Sets the event's alert key.  Returns NGX_DECLINED, and sets "error", if the
 * webhook has nothing of which a key can be made.
 */

static ngx_int_t
ngx_http_ilert_webhook_choose_key(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *error)
{
    ngx_str_t                   value;
    ngx_http_ilert_repair_t    *repair;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ngx_http_ilert_webhook_known_source(r)) {
        repair = ngx_http_ilert_repair_of(r);

        value.len = repair->alert_key.len;
        value.data = ngx_pstrdup(r->pool, &repair->alert_key);

        if (value.data == NULL) {
            return NGX_ERROR;
        }

    } else if (ngx_http_ilert_mapping_value(r, &ilcf->mapping,
                                            NGX_HTTP_ILERT_ALERT_KEY, &value)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_event_key(ctx->event, ctx->webhook, &value,
                                    ilcf->event_max_size, error, r->pool);
}


/* Sets the event's source, as ngx_http_ilert_route() does. */

static ngx_int_t
ngx_http_ilert_webhook_choose_source(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *error)
{
    ngx_http_ilert_loc_conf_t  *ilcf;

    ctx->event->source = ngx_http_ilert_webhook_known_source(r);

    if (ctx->event->source) {
        return NGX_OK;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    return ngx_http_ilert_route(r, ilcf, &ctx->event->source, error);
}


/*
 * Returns the source of an alert that is repaired, if it is known and still
 * configured, or NULL.  What Kapacitor's API says has less in it than
 * a webhook, so that another source, or alert key, might come of it.
 */

static ngx_http_ilert_source_t *
ngx_http_ilert_webhook_known_source(ngx_http_request_t *r)
{
    ngx_http_ilert_repair_t     *repair;
    ngx_http_ilert_main_conf_t  *imcf;

    repair = ngx_http_ilert_repair_of(r);

    if (repair == NULL || repair->source.len == 0) {
        return NULL;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    return ngx_http_ilert_find_source(imcf, &repair->source);
}


/* Answers a request that has waited for the outcome of its event, or test. */

static void
ngx_http_ilert_webhook_done(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_http_request_t  *r = data;

    ngx_int_t                 rc;
    ngx_http_ilert_ctx_t     *ctx;
    ngx_http_ilert_repair_t  *repair;

    ngx_http_ilert_receive_wake(r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    ctx->result = answer->result;

    repair = ngx_http_ilert_repair_of(r);

    if (repair) {
        repair->news = answer->news;
    }

    if (ctx->webhook->test && answer->status == NGX_HTTP_ACCEPTED) {
        rc = ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "test", "event",
                                    &ctx->event->id);

    } else if (answer->status == NGX_HTTP_ACCEPTED && answer->news) {
        ngx_http_ilert_respond_count_ignored(r, ctx->event->source);

        rc = ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "ignored", "event",
                                    &ctx->event->id);

    } else {
        rc = ngx_http_ilert_respond_outcome(r, answer);
    }

    ngx_http_ilert_receive_finalize(r, rc);
}
