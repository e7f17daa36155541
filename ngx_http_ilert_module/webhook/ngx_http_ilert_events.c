
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
#include "ngx_http_ilert_events.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_receive.h"
#include "ngx_http_ilert_respond.h"
#include "ngx_http_ilert_route.h"


static void ngx_http_ilert_events_has_body(ngx_http_request_t *r);
static void ngx_http_ilert_events_parsed(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body);
static ngx_int_t ngx_http_ilert_events_process(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_body_t *body);
static ngx_int_t ngx_http_ilert_events_begin(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_posted_t *posted);
static ngx_int_t ngx_http_ilert_events_submit(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx);
static void ngx_http_ilert_events_done(ngx_http_ilert_answer_t *answer,
    void *data);


ngx_int_t
ngx_http_ilert_events_handler(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "ilert events handler");

    r->connection->log->action = "reading ilert event";

    return ngx_http_ilert_receive(r, ngx_http_ilert_events_has_body);
}


static void
ngx_http_ilert_events_has_body(ngx_http_request_t *r)
{
    r->connection->log->action = "processing ilert event";

    ngx_http_ilert_body_parse(r, 1, ngx_http_ilert_events_parsed);
}


static void
ngx_http_ilert_events_parsed(ngx_http_request_t *r,
    ngx_http_ilert_body_t *body)
{
    ngx_http_ilert_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    ngx_http_ilert_receive_end(r,
                          ngx_http_ilert_events_process(r, ctx, body));
}


/*
 * Returns NGX_AGAIN if the request is answered later, otherwise the code by
 * which the request is to be finalized.
 */

static ngx_int_t
ngx_http_ilert_events_process(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, ngx_http_ilert_body_t *body)
{
    ngx_int_t                   rc;
    ngx_str_t                   error;
    ngx_uint_t                  status;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (body->rc != NGX_ERROR) {
        ctx->body = body->text;
    }

    if (body->rc == NGX_DECLINED) {
        return ngx_http_ilert_respond_unread(r, &body->error);
    }

    if (body->rc != NGX_OK
        || ngx_http_ilert_events_begin(r, ctx, &body->posted) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_ilert_route_event(r, ilcf, &ctx->event->source, &status,
                                    &error);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_respond_rejected(r, status, &error);
    }

    if (ctx->event->source == NULL) {
        ngx_str_set(&ctx->result, "IGNORED");
        ngx_http_ilert_respond_count_ignored(r, NULL);

        return ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "ignored", "event",
                                      &ctx->event->id);
    }

    rc = ngx_http_ilert_posted_body(ctx->posted, ctx->event,
                                    ilcf->event_max_size, &error, r->pool);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_respond_rejected(r,
                                             NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                             &error);
    }

    return ngx_http_ilert_events_submit(r, ctx);
}


/* Sets the context's event, without its source and its body. */

static ngx_int_t
ngx_http_ilert_events_begin(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx,
    ngx_http_ilert_posted_t *posted)
{
    ngx_http_ilert_event_t     *ev;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    ev = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_event_t));

    if (ev == NULL
        || ngx_http_ilert_event_set_id(ev, ngx_http_ilert_clock_number(),
                                       r->pool)
           != NGX_OK
        || ngx_http_ilert_posted_says(posted, ev, r->pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->posted = posted;
    ctx->event = ev;

    /* all events of a sender may be odd in the same way */

    if (posted->odd
        && ngx_http_ilert_mapping_due(&ilcf->mapping,
                                      NGX_HTTP_ILERT_WARNING_WEBHOOK))
    {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "event is odd, and taken: body: %s, mended",
                      posted->odd);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_events_submit(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx)
{
    ngx_str_t                   error;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->dry_run) {
        return ngx_http_ilert_dry_run(r);
    }

    if (ngx_http_ilert_queue_submit(ctx->event, NULL,
                                    ngx_http_ilert_events_done, r, r->pool)
        != NGX_OK)
    {
        ngx_str_set(&error, "no memory");
        ngx_str_set(&ctx->result, "UNAVAILABLE");
        return ngx_http_ilert_respond_rejected(r, NGX_HTTP_BAD_GATEWAY,
                                               &error);
    }

    return NGX_AGAIN;
}


/* Answers a request that has waited for the outcome of its event. */

static void
ngx_http_ilert_events_done(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_http_request_t  *r = data;

    ngx_http_ilert_ctx_t  *ctx;

    ngx_http_ilert_receive_wake(r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    ctx->result = answer->result;

    ngx_http_ilert_receive_finalize(r,
                               ngx_http_ilert_respond_outcome(r, answer));
}
