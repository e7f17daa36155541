
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_request.h"


typedef struct {
    ngx_http_ilert_answer_handler_pt    handler;
    void                               *data;
} ngx_http_ilert_relay_t;


static void ngx_http_ilert_relay_done(ngx_http_ilert_request_t *ir);


ngx_int_t
ngx_http_ilert_relay(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_relay_t  *relay;

    relay = ngx_palloc(pool, sizeof(ngx_http_ilert_relay_t));
    if (relay == NULL) {
        return NGX_ERROR;
    }

    relay->handler = handler;
    relay->data = data;

    if (ev->received == 0) {
        ev->received = ngx_http_ilert_clock_now();
    }

    return ngx_http_ilert_request_send(ev, 1, ngx_http_ilert_relay_done,
                                       relay);
}


static void
ngx_http_ilert_relay_done(ngx_http_ilert_request_t *ir)
{
    u_char                     buf[NGX_HTTP_ILERT_ERROR_SIZE];
    ngx_http_ilert_relay_t    *relay;
    ngx_http_ilert_answer_t    answer;
    ngx_http_ilert_outcome_t  *outcome;

    relay = ir->data;
    outcome = &ir->outcome;

    ngx_memzero(&answer, sizeof(ngx_http_ilert_answer_t));

    if (outcome->verdict == NGX_HTTP_ILERT_DONE) {
        answer.status = NGX_HTTP_ACCEPTED;
        ngx_str_set(&answer.result, "DELIVERED");

    } else {

        if (outcome->status == NGX_HTTP_TOO_MANY_REQUESTS) {
            answer.status = NGX_HTTP_SERVICE_UNAVAILABLE;

        } else if (ngx_http_ilert_outcome_timed_out(outcome)) {
            answer.status = NGX_HTTP_GATEWAY_TIME_OUT;

        } else {
            answer.status = NGX_HTTP_BAD_GATEWAY;
        }

        ngx_str_set(&answer.result, "UNAVAILABLE");

        answer.error.data = buf;
        answer.error.len = ngx_http_ilert_outcome_error(ir->event, outcome,
                                                        buf,
                                                        buf + sizeof(buf))
                           - buf;
    }

    ngx_http_ilert_outcome_log(ir->event, outcome, &answer.error);
    ngx_http_ilert_outcome_count(ir->event, outcome, &answer.error, 0);

    relay->handler(&answer, relay->data);
}
