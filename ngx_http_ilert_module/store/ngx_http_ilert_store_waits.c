
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Finds out what waits of the alerts of events that could not be accepted.
 * Such an event may only be relayed if nothing of its alert waits: otherwise
 * an ALERT that waits would be sent after its RESOLVE.  For a database that
 * cannot be read as usual, see backend->ask().
 */


static ngx_int_t ngx_http_ilert_waits_all(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_waits_event(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_event_t *ev,
    ngx_array_t *strays);
static ngx_int_t ngx_http_ilert_waits_alert(
    ngx_http_ilert_store_work_t *work, int64_t owner, int64_t source,
    ngx_str_t *key, ngx_uint_t *waits);


/*
 * The caller has the locks, so no other process is in the middle of a commit,
 * which we could not see yet.
 */

void
ngx_http_ilert_waits_find(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t                    rc;
    ngx_http_ilert_store_work_t  work;

    store->asked = 0;

    if (store->blocked) {
        return;
    }

    if (store->open) {

        rc = ngx_http_ilert_work_create(&work, store, job->now);

        if (rc == NGX_OK) {
            rc = store->backend->begin(&work);
        }

        if (rc == NGX_OK) {
            rc = ngx_http_ilert_waits_all(&work, job);
            store->backend->rollback(&work);
        }

        ngx_http_ilert_work_destroy(&work);

        if (rc == NGX_OK) {
            store->asked = 1;
            return;
        }
    }

    store->asked = store->backend->ask(store, job);
}


static ngx_int_t
ngx_http_ilert_waits_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                    *q;
    ngx_array_t                     strays;
    ngx_http_ilert_store_filter_t   filter;

    /* strays of all sources; there are some only for a while after upgrades */

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_STRAYS;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &strays) != NGX_OK) {
        return NGX_ERROR;
    }

    if (strays.nelts == NGX_HTTP_ILERT_STORE_ROWS) {

        /* there are too many to compare, so CANNOT_SAY stays */

        return NGX_OK;
    }

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        if (ngx_http_ilert_waits_event(work, ngx_queue_data(q,
                                         ngx_http_ilert_store_event_t, queue),
                                         &strays)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Finds out what waits of the event's alert, which may be one of another
 * source with the same integration key, or a stray.
 */

static ngx_int_t
ngx_http_ilert_waits_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_array_t *strays)
{
    int64_t                         owner;
    ngx_int_t                       rc;
    ngx_str_t                      *key;
    ngx_uint_t                      i, waits;
    ngx_http_ilert_store_fund_t    *fund;
    ngx_http_ilert_store_alert_t  **stray;
    ngx_http_ilert_store_ident_t   *source;

    waits = 0;

    key = ngx_http_ilert_work_fold(work, &ev->key);
    if (key == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_find_source(work, &ev->source, &source);

    if (rc == NGX_ERROR) {
        return rc;
    }

    owner = source->owner;

    if (rc == NGX_DECLINED && ev->owner.len) {

        rc = ngx_http_ilert_work_fund(work, &ev->owner, &fund);

        if (rc != NGX_OK) {
            return rc;
        }

        owner = fund->id;
    }

    if (ngx_http_ilert_waits_alert(work, owner, 0, key, &waits) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!waits
        && ngx_http_ilert_waits_alert(work, 0, source->id, key, &waits)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    stray = strays->elts;

    for (i = 0; i < strays->nelts && !waits; i++) {

        if (ngx_http_ilert_text_same(&stray[i]->key, key)) {
            waits = ngx_http_ilert_work_waits(stray[i]->row.state,
                                              stray[i]->row.urgency,
                                              stray[i]->row.head);
        }
    }

    ev->waits = waits ? NGX_HTTP_ILERT_STORE_WAITS
                      : NGX_HTTP_ILERT_STORE_NONE_WAITS;

    return NGX_OK;
}


/* Looks at the alert of the owner, or of the source if the owner is 0. */

static ngx_int_t
ngx_http_ilert_waits_alert(ngx_http_ilert_store_work_t *work, int64_t owner,
    int64_t source, ngx_str_t *key, ngx_uint_t *waits)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;

    rc = ngx_http_ilert_work_find_alert(work, owner, source, key, &alert);

    if (rc == NGX_OK) {
        *waits = ngx_http_ilert_work_waits(alert->row.state,
                                           alert->row.urgency,
                                           alert->row.head);
    }

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}
