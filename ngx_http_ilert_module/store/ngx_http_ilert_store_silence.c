
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_pattern.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Knows the silences, and which alerts they hold for.
 *
 * A silence is for a source, but holds for the integration key that the source
 * has now, as ilert knows alerts by their keys: so it holds for alerts of all
 * sources with that integration key.  ALERTs that it holds for wait, with the
 * urgency .._SILENCED, until it ends.  Then they are judged by what ilert
 * shows, like all others.
 *
 * An alert is held when it would go, that is, when its first event comes, or
 * is about to be taken; those that wait when a silence is added are held at
 * once, since what is silenced does not count as pending.  When an alert's
 * time has come it is found out anew which silences hold: one may have been
 * added, or removed.
 */


/* ms: what is held is looked at again then, if the job does not say */

#define NGX_HTTP_ILERT_SILENCE_LONGEST  60000

/* events of an alert that are gone through to find the newest state */

#define NGX_HTTP_ILERT_SILENCE_EVENTS   100

/* alerts that are gone through for a query, to count what silences hold */

#define NGX_HTTP_ILERT_SILENCE_COUNTED  1000


static int64_t ngx_http_ilert_silence_until(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence);
static ngx_uint_t ngx_http_ilert_silence_is_asked(
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_silence_t *silence,
    ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_silence_list(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_silence_t *silence);
static ngx_int_t ngx_http_ilert_silence_count(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query);


ngx_int_t
ngx_http_ilert_silence_load(ngx_http_ilert_store_work_t *work)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_array_t                      silences;
    ngx_http_ilert_store_ident_t    *source;
    ngx_http_ilert_store_silence_t  *silence;

    if (work->has_silences) {
        return NGX_OK;
    }

    if (work->total.silences == 0) {
        work->has_silences = 1;
        return NGX_OK;
    }

    if (ngx_array_init(&silences, work->pool, 16,
                       sizeof(ngx_http_ilert_store_silence_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->silences(work, &silences) != NGX_OK) {
        return NGX_ERROR;
    }

    silence = silences.elts;

    for (i = 0; i < silences.nelts; i++) {

        rc = ngx_http_ilert_work_find_source(work, &silence[i].source,
                                             &source);
        if (rc == NGX_ERROR) {
            return rc;
        }

        silence[i].owner = (rc == NGX_OK) ? source->owner : 0;
        silence[i].source_id = (rc == NGX_OK) ? source->id : 0;

        ngx_queue_insert_tail(&work->silences, &silence[i].queue);
    }

    work->has_silences = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_silence_is_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence,
    ngx_http_ilert_store_alert_t *alert)
{
    if (silence->removed
        || work->now < silence->from || work->now >= silence->until
        || silence->source_id == 0)
    {
        return 0;
    }

    if (silence->owner ? alert->row.owner != silence->owner
                       : alert->row.source != silence->source_id)
    {
        return 0;
    }

    /* "*" is not meant for keys of our own */

    if (ngx_http_ilert_digest_is_key(&alert->key)
        && !ngx_http_ilert_digest_is_key(&silence->pattern))
    {
        return 0;
    }

    return ngx_http_ilert_pattern_matches(&silence->pattern, &alert->key);
}


ngx_int_t
ngx_http_ilert_silence_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_silence_t **silence)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_silence_t  *s;

    *silence = NULL;

    if (ngx_http_ilert_silence_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&work->silences);
         q != ngx_queue_sentinel(&work->silences);
         q = ngx_queue_next(q))
    {
        s = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if ((*silence == NULL || s->until > (*silence)->until)
            && ngx_http_ilert_silence_is_of(work, s, alert))
        {
            *silence = s;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_silence_holds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said,
    ngx_uint_t *hold, int64_t *until)
{
    ngx_http_ilert_store_silence_t  *silence;

    if (said->type != NGX_HTTP_ILERT_ALERT) {
        return NGX_OK;
    }

    if (ngx_http_ilert_silence_of(work, alert, &silence) != NGX_OK) {
        return NGX_ERROR;
    }

    if (silence) {
        *hold = NGX_HTTP_ILERT_SILENCED;
        *until = ngx_http_ilert_silence_until(work, silence);
    }

    return NGX_OK;
}


/* A time that is farther away than "longest" says that the clock was set. */

static int64_t
ngx_http_ilert_silence_until(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence)
{
    return ngx_min(silence->until,
                   work->now + (work->longest ? work->longest
                                          : NGX_HTTP_ILERT_SILENCE_LONGEST));
}


ngx_int_t
ngx_http_ilert_silence_keeps(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *held)
{
    ngx_http_ilert_store_silence_t  *silence;

    if (ngx_http_ilert_silence_of(work, alert, &silence) != NGX_OK) {
        return NGX_ERROR;
    }

    *held = (silence != NULL);

    if (silence) {
        alert->row.next = ngx_http_ilert_silence_until(work, silence);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_silence_later(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *later)
{
    ngx_uint_t                       i;
    ngx_array_t                      events;
    ngx_http_ilert_store_waiting_t  *ev;

    ev = ngx_http_ilert_work_second(alert);

    *later = (ev && ngx_http_ilert_rules_is_state(ev->said.type));

    if (ev == NULL || *later) {
        return NGX_OK;
    }

    /* comments and the like set no state, so others may wait behind them */

    if (ngx_array_init(&events, work->pool, 16,
                       sizeof(ngx_http_ilert_store_waiting_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->save(work) != NGX_OK
        || work->store->backend->events(work, alert->id, ev->seq,
                                        NGX_HTTP_ILERT_SILENCE_EVENTS, &events)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev = events.elts;

    for (i = 0; i < events.nelts; i++) {
        *later |= ngx_http_ilert_rules_is_state(ev[i].said.type);
    }

    return NGX_OK;
}


/*
 * Silences of a source are all that hold for its integration key.  Those that
 * are over are not listed, although they may not have been removed yet.
 */

ngx_int_t
ngx_http_ilert_silence_query(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_int_t                        rc;
    ngx_queue_t                     *q;
    ngx_http_ilert_store_ident_t    *source;
    ngx_http_ilert_store_silence_t  *silence;

    source = NULL;

    if (ngx_http_ilert_silence_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    if (query->source.len) {

        rc = ngx_http_ilert_work_find_source(work, &query->source, &source);

        if (rc != NGX_OK) {
            return (rc == NGX_DECLINED) ? NGX_OK : rc;
        }
    }

    for (q = ngx_queue_head(&work->silences);
         q != ngx_queue_sentinel(&work->silences);
         q = ngx_queue_next(q))
    {
        silence = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if (silence->until > work->now
            && ngx_http_ilert_silence_is_asked(query, silence, source)
            && ngx_http_ilert_silence_list(work, query, silence) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return query->silences.nelts ? ngx_http_ilert_silence_count(work, query)
                                 : NGX_OK;
}


static ngx_uint_t
ngx_http_ilert_silence_is_asked(ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_silence_t *silence,
    ngx_http_ilert_store_ident_t *source)
{
    return source == NULL || silence->source_id == source->id
           || (silence->owner && silence->owner == source->owner);
}


/* Adds a copy of the silence to the answer, whose pool lives longer. */

static ngx_int_t
ngx_http_ilert_silence_list(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_silence_t *silence)
{
    ngx_http_ilert_store_silence_t  *copy;

    if (query->silences.elts == NULL
        && ngx_array_init(&query->silences, query->pool, 16,
                          sizeof(ngx_http_ilert_store_silence_t))
           != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    copy = ngx_array_push(&query->silences);
    if (copy == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    *copy = *silence;

    copy->source.data = ngx_pstrdup(query->pool, &silence->source);
    copy->pattern.data = ngx_pstrdup(query->pool, &silence->pattern);
    copy->comment.data = ngx_pstrdup(query->pool, &silence->comment);

    if (copy->source.data == NULL || copy->pattern.data == NULL
        || copy->comment.data == NULL)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    return NGX_OK;
}


/*
 * Counts the alerts that each silence holds, among the first ones of these in
 * the order of sources.
 */

static ngx_int_t
ngx_http_ilert_silence_count(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                        i, k, n;
    ngx_array_t                       sources, alerts;
    ngx_http_ilert_store_alert_t    **alert;
    ngx_http_ilert_store_filter_t     filter;
    ngx_http_ilert_store_counted_t   *source;
    ngx_http_ilert_store_silence_t   *silence;

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_HELD;
    filter.urgency = NGX_HTTP_ILERT_SILENCED;
    filter.limit = NGX_HTTP_ILERT_SILENCE_COUNTED;

    for (n = 0; n < sources.nelts && filter.limit; n++) {

        if (source[n].waiting[NGX_HTTP_ILERT_SILENCED] <= 0) {
            continue;
        }

        filter.source = source[n].id;

        if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
            return NGX_ERROR;
        }

        alert = alerts.elts;
        silence = query->silences.elts;

        for (i = 0; i < alerts.nelts; i++) {
            for (k = 0; k < query->silences.nelts; k++) {
                silence[k].held += ngx_http_ilert_silence_is_of(work,
                                                                &silence[k],
                                                                alert[i]);
            }
        }

        filter.limit -= alerts.nelts;
    }

    return NGX_OK;
}
