
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_relay.h"


/* seconds between two lines about one source in trouble */

#define NGX_HTTP_ILERT_FAULT_PERIOD  10

typedef struct {
    ngx_http_ilert_outcome_handler_pt   handler;
    void                               *data;
} ngx_http_ilert_relay_t;


static void ngx_http_ilert_relay_done(ngx_http_ilert_request_t *ir);


ngx_int_t
ngx_http_ilert_relay(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_relay_t  *relay;

    relay = ngx_palloc(pool, sizeof(ngx_http_ilert_relay_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    relay->handler = handler;
    relay->data = data;

    if (ev->received == 0) {
        ev->received = ngx_http_ilert_queue_now();
    }

    return ngx_http_ilert_request_send(ev, 1, ngx_http_ilert_relay_done,
                                       relay);
}


static void
ngx_http_ilert_relay_done(ngx_http_ilert_request_t *ir)
{
    u_char                     buf[NGX_HTTP_ILERT_ERROR_SIZE];
    ngx_http_ilert_relay_t    *relay;
    ngx_http_ilert_outcome_t   outcome;

    relay = ir->data;

    ngx_memzero(&outcome, sizeof(ngx_http_ilert_outcome_t));

    if (ir->verdict == NGX_HTTP_ILERT_DONE) {
        outcome.status = NGX_HTTP_ACCEPTED;
        ngx_str_set(&outcome.result, "DELIVERED");

    } else {

        if (ir->status == NGX_HTTP_TOO_MANY_REQUESTS) {
            outcome.status = NGX_HTTP_SERVICE_UNAVAILABLE;

        } else if (ir->timed_out) {
            outcome.status = NGX_HTTP_GATEWAY_TIME_OUT;

        } else {
            outcome.status = NGX_HTTP_BAD_GATEWAY;
        }

        ngx_str_set(&outcome.result, "UNAVAILABLE");

        outcome.error.data = buf;
        outcome.error.len = ngx_http_ilert_relay_error(ir, buf,
                                                       buf + sizeof(buf))
                            - buf;
    }

    ngx_http_ilert_relay_log(ir, &outcome.error);
    ngx_http_ilert_stats_outcome(ir, &outcome.error, 0);

    relay->handler(&outcome, relay->data);
}


u_char *
ngx_http_ilert_relay_error(ngx_http_ilert_request_t *ir, u_char *buf,
    u_char *last)
{
    u_char  *p;

    if (ir->status) {
        p = ngx_slprintf(buf, last, "ilert answered %ui", ir->status);

        if (ir->reason.len) {
            p = ngx_slprintf(p, last, ": %V", &ir->reason);
        }

        return p;
    }

    if (ir->timed_out) {
        return ngx_slprintf(buf, last, "ilert did not answer in time");
    }

    if (ir->misrouted) {
        return ngx_slprintf(buf, last, "nginx answered %ui itself, check the "
                            "location of ilert_endpoint \"%V\"",
                            ir->local_status,
                            &ir->event->source->endpoint->name);
    }

    if (ir->unsent) {
        return ngx_slprintf(buf, last, "nginx had no connection for it, "
                            "worker_connections are not enough");
    }

    return ngx_slprintf(buf, last, "no answer from ilert");
}


void
ngx_http_ilert_relay_log(ngx_http_ilert_request_t *ir, ngx_str_t *error)
{
    ngx_http_ilert_source_t  *source;

    source = ir->event->source;

    if (ir->verdict == NGX_HTTP_ILERT_DONE) {

        if (ngx_http_ilert_stats_no_fault(source->stats)) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "ilert source \"%V\": delivering again",
                          &source->name);
        }

        return;
    }

    if (!ngx_http_ilert_stats_fault(source->stats, ir->status,
                                    NGX_HTTP_ILERT_FAULT_PERIOD))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert source \"%V\": event %V not delivered: %V",
                  &source->name, &ir->event->id, error);
}
