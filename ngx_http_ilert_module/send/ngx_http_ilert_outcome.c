
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_outcome.h"


static ngx_uint_t ngx_http_ilert_outcome_code(
    ngx_http_ilert_outcome_t *outcome);


ngx_http_ilert_verdict_e
ngx_http_ilert_outcome_verdict(ngx_uint_t status)
{
    if (status >= 200 && status < 300) {
        return NGX_HTTP_ILERT_DONE;
    }

    if (status >= 300 && status < 400) {
        return NGX_HTTP_ILERT_PARK;
    }

    switch (status) {

    case 401:
    case 402:
    case 403:
    case 404:
    case 407:
        return NGX_HTTP_ILERT_PARK;

    case 408:
    case 429:
        return NGX_HTTP_ILERT_AGAIN;
    }

    if (status >= 400 && status < 500) {
        return NGX_HTTP_ILERT_DEAD;
    }

    return NGX_HTTP_ILERT_AGAIN;
}


u_char *
ngx_http_ilert_outcome_error(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, u_char *buf, u_char *last)
{
    u_char  *p;

    if (outcome->status) {
        p = ngx_slprintf(buf, last, "ilert answered %ui", outcome->status);

        if (outcome->reason.len) {
            p = ngx_slprintf(p, last, ": %V", &outcome->reason);
        }

        return p;
    }

    if (outcome->fault == NGX_HTTP_ILERT_FAULT_NGINX) {
        return ngx_slprintf(buf, last, "nginx answered %ui itself, check the "
                            "location of ilert_endpoint \"%V\"",
                            outcome->local_status,
                            &ev->source->endpoint->name);
    }

    return ngx_http_ilert_fault_text(outcome->fault, &outcome->reason, buf,
                                     last);
}


ngx_uint_t
ngx_http_ilert_outcome_timed_out(ngx_http_ilert_outcome_t *outcome)
{
    return outcome->fault == NGX_HTTP_ILERT_FAULT_TIMEOUT
           || outcome->fault == NGX_HTTP_ILERT_FAULT_CONNECT_TIMEOUT;
}


void
ngx_http_ilert_outcome_log(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error)
{
    ngx_http_ilert_source_t  *source;

    source = ev->source;

    if (outcome->verdict == NGX_HTTP_ILERT_DONE) {

        if (ngx_http_ilert_counters_no_fault(source->counters)) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "ilert source \"%V\": delivering again",
                          &source->name);
        }

        return;
    }

    if (!ngx_http_ilert_counters_fault(source->counters,
                                       ngx_http_ilert_outcome_code(outcome),
                                       NGX_HTTP_ILERT_FAULT_PERIOD))
    {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert source \"%V\": event %V not delivered: %V",
                  &source->name, &ev->id, error);
}


/*
 * Returns the code under which the outcome is counted, and by which one fault
 * is told from another: an HTTP status, or a ngx_http_ilert_fault_e.
 */

static ngx_uint_t
ngx_http_ilert_outcome_code(ngx_http_ilert_outcome_t *outcome)
{
    return outcome->status ? outcome->status : outcome->fault;
}


void
ngx_http_ilert_outcome_count(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error, ngx_msec_t pause)
{
    ngx_http_ilert_verdict_e           verdict;
    ngx_http_ilert_counters_outcome_t  co;

    verdict = outcome->verdict;

    co.code = ngx_http_ilert_outcome_code(outcome);
    co.status = outcome->status;
    co.error = (verdict == NGX_HTTP_ILERT_DONE) ? NULL : error;
    co.received = ev->received;
    co.pause = pause;

    co.refused = (verdict == NGX_HTTP_ILERT_PARK);
    co.valid = (verdict == NGX_HTTP_ILERT_DONE
                || verdict == NGX_HTTP_ILERT_DEAD);
    co.limited = (outcome->status == NGX_HTTP_TOO_MANY_REQUESTS);
    co.failing = (verdict == NGX_HTTP_ILERT_AGAIN && !co.limited);
    co.up = (outcome->status
             && (verdict != NGX_HTTP_ILERT_AGAIN || co.limited));

    ngx_http_ilert_counters_outcome(ev->source, &co);
}
