
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Carries out orders about silences, and removes those that are over.  Alerts
 * are held, or let go, in portions.
 */


/* events of an alert that are gone through when a silence is added */

#define NGX_HTTP_ILERT_SILENCE_DROPS    100


static ngx_http_ilert_store_silence_t *ngx_http_ilert_silence_find(
    ngx_http_ilert_store_work_t *work, int64_t id);
static ngx_uint_t ngx_http_ilert_silence_expire(
    ngx_http_ilert_store_work_t *work, int64_t *last, ngx_uint_t *left);
static ngx_int_t ngx_http_ilert_silence_new(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_silence_waiting(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_silence_t *silence);
static ngx_int_t ngx_http_ilert_silence_hold(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *held);
static ngx_int_t ngx_http_ilert_silence_hold_first(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *held, ngx_uint_t *again);
static ngx_int_t ngx_http_ilert_silence_free(ngx_http_ilert_store_work_t *work,
    int64_t *place, ngx_uint_t *more);
static ngx_int_t ngx_http_ilert_silence_free_source(
    ngx_http_ilert_store_work_t *work, int64_t *place, ngx_uint_t *left);


static ngx_http_ilert_store_silence_t *
ngx_http_ilert_silence_find(ngx_http_ilert_store_work_t *work, int64_t id)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_silence_t  *silence;

    for (q = ngx_queue_head(&work->silences);
         q != ngx_queue_sentinel(&work->silences);
         q = ngx_queue_next(q))
    {
        silence = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if (silence->id == id && !silence->removed) {
            return silence;
        }
    }

    return NULL;
}


/*
 * Removes silences that are over.  Returns their number, and sets "last" to
 * the id of the last one of these if there is one, and "left" to the number of
 * those that are not over.
 */

static ngx_uint_t
ngx_http_ilert_silence_expire(ngx_http_ilert_store_work_t *work, int64_t *last,
    ngx_uint_t *left)
{
    ngx_uint_t                       n;
    ngx_queue_t                     *q;
    ngx_http_ilert_store_silence_t  *silence;

    n = 0;
    *left = 0;

    for (q = ngx_queue_head(&work->silences);
         q != ngx_queue_sentinel(&work->silences);
         q = ngx_queue_next(q))
    {
        silence = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if (silence->removed) {
            continue;
        }

        if (silence->until > work->now) {
            (*left)++;
            continue;
        }

        silence->removed = 1;
        *last = silence->id;
        n++;
    }

    return n;
}


/*
 * The first part of the order adds the silence, whose id is order->made.  All
 * parts go through the alerts of which something waits: order->next is the id
 * of the last one of these.
 */

ngx_int_t
ngx_http_ilert_silence_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    ngx_http_ilert_store_silence_t  *silence;

    if (ngx_http_ilert_silence_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    if (order->after[0] == 0
        && ngx_http_ilert_silence_new(work, order, source) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (order->refused) {
        return NGX_OK;
    }

    silence = ngx_http_ilert_silence_find(work, order->made);

    if (silence == NULL || silence->from > work->now) {
        return NGX_OK;
    }

    return ngx_http_ilert_silence_waiting(work, order, silence);
}


static ngx_int_t
ngx_http_ilert_silence_new(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    int64_t                          last;
    ngx_str_t                       *pattern;
    ngx_uint_t                       left;
    ngx_http_ilert_store_silence_t  *silence;

    (void) ngx_http_ilert_silence_expire(work, &last, &left);

    if (left >= NGX_HTTP_ILERT_STORE_SILENCES) {
        order->refused = 1;
        order->why = "there are too many silences, 1000 at most";
        return NGX_OK;
    }

    pattern = ngx_http_ilert_work_fold(work, &order->key);
    if (pattern == NULL) {
        return NGX_ERROR;
    }

    silence = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_silence_t));
    if (silence == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    silence->source = order->source;
    silence->owner = source->owner;
    silence->source_id = source->id;
    silence->pattern = *pattern;
    silence->from = order->from;
    silence->until = order->until;
    silence->comment = order->comment;
    silence->added = 1;

    ngx_queue_insert_tail(&work->silences, &silence->queue);

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    order->made = silence->id;

    return NGX_OK;
}


/* Holds ALERTs that wait when the silence begins. */

static ngx_int_t
ngx_http_ilert_silence_waiting(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_silence_t *silence)
{
    int64_t                        id, seq;
    ngx_int_t                      rc;
    ngx_uint_t                     left, held;
    ngx_http_ilert_store_alert_t  *alert;

    id = order->next[0];

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    for (left = NGX_HTTP_ILERT_STORE_ROWS; left; left--) {

        seq = INT64_MAX;

        rc = work->store->backend->next_waiting(work, &id, &seq);

        if (rc != NGX_OK) {
            return (rc == NGX_DECLINED) ? NGX_OK : rc;
        }

        order->next[0] = id;

        rc = ngx_http_ilert_work_get_alert(work, id, &alert);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_DECLINED
            || !ngx_http_ilert_silence_is_of(work, silence, alert))
        {
            continue;
        }

        if (ngx_http_ilert_silence_hold(work, alert, &held) != NGX_OK) {
            return NGX_ERROR;
        }

        order->count += held;
    }

    order->more = 1;

    return NGX_OK;
}


/*
 * Holds the alert's first event if that is an ALERT for which a silence holds.
 * It is dropped instead if something else is to be told when the silence ends;
 * then the same is done with the next one.  Sets "held" to 1 if one is held.
 */

static ngx_int_t
ngx_http_ilert_silence_hold(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *held)
{
    ngx_uint_t  n, again;

    *held = 0;
    again = 1;

    for (n = 0; again && n < NGX_HTTP_ILERT_SILENCE_DROPS; n++) {

        if (alert->row.head == 0
            || alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN
            || alert->row.urgency == NGX_HTTP_ILERT_REPEATS
            || alert->row.urgency == NGX_HTTP_ILERT_HELD
            || alert->row.urgency == NGX_HTTP_ILERT_SILENCED)
        {
            return NGX_OK;
        }

        if (ngx_http_ilert_silence_hold_first(work, alert, held, &again)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_silence_hold_first(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *held, ngx_uint_t *again)
{
    int64_t                          until;
    ngx_uint_t                       hold;
    ngx_http_ilert_store_waiting_t  *first;

    hold = 0;

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = ngx_http_ilert_work_first(alert);

    if (first == NULL || first->seq != alert->row.head || first->damaged) {
        *again = 0;
        return NGX_OK;
    }

    if (ngx_http_ilert_silence_holds(work, alert, &first->said, &hold, &until)
        != NGX_OK
        || (hold
            && ngx_http_ilert_silence_later(work, alert, again) != NGX_OK))
    {
        return NGX_ERROR;
    }

    if (!hold) {
        *again = 0;
        return NGX_OK;
    }

    if (*again) {
        return ngx_http_ilert_alert_drop(work, alert, first);
    }

    *held = 1;

    if (ngx_http_ilert_digest_silenced(work, alert) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_hold(work, alert, hold, until);
}


/*
 * The first part of the order removes the silence.  All parts go through what
 * silences hold, and let go what no other one does.
 */

ngx_int_t
ngx_http_ilert_silence_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_uint_t                       more;
    ngx_http_ilert_store_silence_t  *silence;

    if (ngx_http_ilert_silence_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    if (order->after[0] == 0) {

        silence = ngx_http_ilert_silence_find(work, order->id);

        if (silence == NULL) {
            order->missing = 1;
            order->why = "there is no such silence";
            return NGX_OK;
        }

        silence->removed = 1;
        order->count = 1;
    }

    if (ngx_http_ilert_silence_free(work, order->next, &more) != NGX_OK) {
        return NGX_ERROR;
    }

    order->more = more;

    return NGX_OK;
}


/*
 * Goes through what silences hold, a bounded number of alerts after a place,
 * which is moved: the id of a source and the head of an alert.  Sets "more" to
 * 1 if there may be others after that.
 */

static ngx_int_t
ngx_http_ilert_silence_free(ngx_http_ilert_store_work_t *work, int64_t *place,
    ngx_uint_t *more)
{
    int64_t                          next;
    ngx_uint_t                       i, left;
    ngx_array_t                      sources;
    ngx_http_ilert_store_counted_t  *source;

    *more = 0;

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    for (left = NGX_HTTP_ILERT_STORE_ROWS; left; /* void */ ) {

        /* the next source by id */

        next = 0;

        for (i = 0; i < sources.nelts; i++) {

            if (source[i].waiting[NGX_HTTP_ILERT_SILENCED] > 0
                && source[i].id >= place[0]
                && (next == 0 || source[i].id < next))
            {
                next = source[i].id;
            }
        }

        if (next == 0) {
            return NGX_OK;
        }

        if (next != place[0]) {
            place[0] = next;
            place[1] = 0;
        }

        if (ngx_http_ilert_silence_free_source(work, place, &left) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    *more = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_silence_free_source(ngx_http_ilert_store_work_t *work,
    int64_t *place, ngx_uint_t *left)
{
    ngx_uint_t                       i, held;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_HELD;
    filter.source = place[0];
    filter.urgency = NGX_HTTP_ILERT_SILENCED;
    filter.id = place[1];
    filter.limit = *left;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {

        place[1] = alert[i]->row.head;

        if (ngx_http_ilert_silence_keeps(work, alert[i], &held) != NGX_OK
            || (!held && ngx_http_ilert_alert_free(work, alert[i], 0)
                         != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (alerts.nelts < *left) {
        place[0]++;
        place[1] = 0;
    }

    *left -= alerts.nelts;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_silence_clean(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    int64_t     last;
    ngx_uint_t  left, more;

    if (ngx_http_ilert_silence_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    job->lapsed = ngx_http_ilert_silence_expire(work, &last, &left);

    if (job->lapsed) {
        job->lapsed_id = last;
    }

    if (ngx_http_ilert_silence_free(work, work->store->silenced, &more)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (more) {
        job->more = 1;

    } else {
        ngx_memzero(work->store->silenced, sizeof(work->store->silenced));
    }

    return NGX_OK;
}
