
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_heard_rules.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Resolves alerts that ilert may show, and of which nothing has been heard for
 * too long: for as long as their source says, or as their last event has said.
 * Time without a courier does not count, since nothing could be heard then.
 * The RESOLVE has no body yet, which is written when the event is sent.
 *
 * An alert that Kapacitor has open is not silent: it counts as heard of now.
 * So does one while its Kapacitor cannot be asked, one that an earlier release
 * has opened, of which nobody knows, and an open digest.
 */


/* alerts that a job may go through which Kapacitor has open */

#define NGX_HTTP_ILERT_SILENT_HELD    250


static ngx_int_t ngx_http_ilert_silent_resolve(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_which_e which);
static ngx_int_t ngx_http_ilert_silent_late(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_which_e which);
static ngx_int_t ngx_http_ilert_silent_held(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *held);
static ngx_int_t ngx_http_ilert_silent_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert);


ngx_int_t
ngx_http_ilert_silent_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    if (take->policy.resolve_after
        && ngx_http_ilert_silent_resolve(work, job, take,
                                       NGX_HTTP_ILERT_ALERTS_OPEN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_silent_resolve(work, job, take,
                                       NGX_HTTP_ILERT_ALERTS_SILENT);
}


static ngx_int_t
ngx_http_ilert_silent_resolve(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_which_e which)
{
    int64_t                          end, time, resumed;
    ngx_uint_t                       i, held;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = which;
    filter.source = take->id;
    filter.limit = job->nids - job->made + 1;

    if (job->nkapacitors) {
        filter.limit += NGX_HTTP_ILERT_SILENT_HELD;
    }

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    if (alerts.nelts == 0) {
        return NGX_OK;
    }

    if (ngx_http_ilert_silent_late(work, take, which) != NGX_OK) {
        return NGX_ERROR;
    }

    /* if the clock was set back, the time may be in the future */

    resumed = ngx_min(work->total.resumed, work->now);

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {

        time = (which == NGX_HTTP_ILERT_ALERTS_SILENT)
               ? alert[i]->row.silence : take->policy.resolve_after;

        end = ngx_max(alert[i]->row.last, resumed) + time;

        if (end > work->now) {
            ngx_http_ilert_work_due(work, end);
            return NGX_OK;
        }

        if (ngx_http_ilert_silent_held(work, job, alert[i], &held) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!held
            && ngx_http_ilert_digest_holds(work, take, alert[i], &held)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (held) {
            alert[i]->row.last = work->now;
            ngx_http_ilert_work_due(work, work->now + time);
            continue;
        }

        if (job->made == job->nids) {
            work->more = (job->nids != 0);
            return NGX_OK;
        }

        if (ngx_http_ilert_silent_add(work, job, take, alert[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (alerts.nelts == filter.limit) {
        work->more = 1;
    }

    return NGX_OK;
}


/*
 * Mends alerts that were heard of in the future, since the clock was set back:
 * they count as heard of now.
 */

static ngx_int_t
ngx_http_ilert_silent_late(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_which_e which)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = which;
    filter.source = take->id;
    filter.time = work->now;
    filter.id = INT64_MAX;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        alert[i]->row.last = work->now;
    }

    return NGX_OK;
}


/*
 * Sets "held" to 1 if the alert must not end for its silence.  One of more ids
 * than are gone through does not end, either.
 */

static ngx_int_t
ngx_http_ilert_silent_held(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *held)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_known_t  **known;

    *held = 0;

    if (job->nkapacitors == 0) {
        return NGX_OK;
    }

    if (ngx_http_ilert_look_topics(work) != NGX_OK
        || ngx_http_ilert_heard_list(work, alert->id, 0,
                                     ngx_http_ilert_heard_first,
                                     NGX_HTTP_ILERT_SILENT_HELD, &list)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    *held = (list.nelts == NGX_HTTP_ILERT_SILENT_HELD);

    if (list.nelts == 0) {
        *held = ngx_http_ilert_heard_is_earlier(alert->row.opened,
                                                work->total.made,
                                                work->total.yielded);
    }

    known = list.elts;

    for (i = 0; i < list.nelts && !*held; i++) {

        *held = ngx_http_ilert_heard_holds(known[i],
                    ngx_http_ilert_look_topic_of_id(work, known[i]->topic),
                    job->kapacitors, job->nkapacitors);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_silent_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_event_t));
    if (ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    job->resolved++;

    ev->id = job->ids[job->made++];
    ev->said.type = NGX_HTTP_ILERT_RESOLVE;
    ev->said.own = NGX_HTTP_ILERT_OWN_SILENT;
    ev->said.received = work->now;
    ev->passthrough = take->passthrough;
    ev->source_id = take->id;
    ev->policy.digest = take->policy.digest;

    if (ngx_http_ilert_alert_accept(work, alert, ev) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_digest_accepted(work, alert, ev);
}
