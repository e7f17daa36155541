
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/* Finds out what may go, and in which order it takes its turn. */


static ngx_int_t ngx_http_ilert_turn_candidates_of(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_uint_t n, ngx_uint_t urgency, ngx_uint_t limit,
    ngx_http_ilert_store_alert_t *digest, ngx_array_t *candidates);
static ngx_int_t ngx_http_ilert_turn_candidate(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_uint_t n, ngx_http_ilert_store_alert_t *alert,
    ngx_array_t *candidates);
static ngx_int_t ngx_http_ilert_turn_digest(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t **digest);
static int ngx_libc_cdecl ngx_http_ilert_turn_cmp(const void *one,
    const void *two);


/* Returns how many more events of the source may be taken. */

ngx_uint_t
ngx_http_ilert_turn_may(ngx_http_ilert_store_take_t *take)
{
    ngx_uint_t  i, n;

    n = take->id ? take->n - take->taken : 0;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        if (take->budgets[i]) {
            n = ngx_min(n, take->budgets[i]->left);
        }
    }

    return n;
}


/*
 * Lists alerts whose first events may go, in the order in which they go.  Of
 * each source and urgency one more is loaded than may be taken, which tells
 * whether there are more.  The events of a digest are younger than those that
 * it is made for, so it is looked for by its key.
 */

ngx_int_t
ngx_http_ilert_turn_candidates(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates)
{
    ngx_uint_t                     i, n, urgency;
    ngx_http_ilert_store_alert_t  *digest;

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < job->ntakes; i++) {

        n = ngx_http_ilert_turn_may(&job->takes[i]);

        if (n == 0) {
            continue;
        }

        if (ngx_http_ilert_turn_digest(work, &job->takes[i], &digest) != NGX_OK
            || (digest && ngx_http_ilert_turn_candidate(work, job, i, digest,
                                                        candidates)
                          != NGX_OK))
        {
            return NGX_ERROR;
        }

        for (urgency = 0; urgency <= NGX_HTTP_ILERT_REPEATS; urgency++) {

            if (ngx_http_ilert_turn_candidates_of(work, job, i, urgency, n + 1,
                                                  digest, candidates)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (candidates->nelts > 1) {
        qsort(candidates->elts, candidates->nelts,
              sizeof(ngx_http_ilert_store_candidate_t),
              ngx_http_ilert_turn_cmp);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_turn_candidates_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n, ngx_uint_t urgency,
    ngx_uint_t limit, ngx_http_ilert_store_alert_t *digest,
    ngx_array_t *candidates)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_READY;
    filter.source = job->takes[n].id;
    filter.urgency = urgency;
    filter.limit = limit;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        if (alert[i] != digest
            && ngx_http_ilert_turn_candidate(work, job, n, alert[i],
                                             candidates)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_turn_candidate(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n,
    ngx_http_ilert_store_alert_t *alert, ngx_array_t *candidates)
{
    int64_t                            window;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    take = &job->takes[n];

    window = take->budgets[0] ? take->budgets[0]->window
                              : NGX_HTTP_ILERT_STORE_WINDOW;

    candidate = ngx_array_push(candidates);
    if (candidate == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    candidate->alert = alert;
    candidate->head = alert->row.head;
    candidate->since = alert->row.since;
    candidate->take = n;
    candidate->spends = ngx_http_ilert_turn_spends(alert);
    candidate->turn = ngx_http_ilert_rules_turn(alert->row.urgency,
                                    ngx_http_ilert_digest_is_key(&alert->key),
                                                &candidate->since, window,
                                                work->now);

    return NGX_OK;
}


/*
 * Sets "digest" to the alert of the source's digest if an event of it may go,
 * or to NULL.
 */

static ngx_int_t
ngx_http_ilert_turn_digest(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t **digest)
{
    ngx_int_t  rc;

    *digest = NULL;

    if (take->policy.digest.n == 0) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_digest_alert(work, &take->source, digest);

    if (rc != NGX_OK || (*digest)->row.head == 0
        || (*digest)->row.state != NGX_HTTP_ILERT_STORE_READY)
    {
        *digest = NULL;
    }

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/* Returns what the first event of a READY alert may spend. */

ngx_http_ilert_spends_e
ngx_http_ilert_turn_spends(ngx_http_ilert_store_alert_t *alert)
{
    if (alert->row.urgency == NGX_HTTP_ILERT_CRITICAL_FIRST
        || ngx_http_ilert_digest_is_key(&alert->key))
    {
        return NGX_HTTP_ILERT_SPENDS_ALL;
    }

    return (alert->row.urgency == NGX_HTTP_ILERT_REPEATS)
           ? NGX_HTTP_ILERT_SPENDS_REPEAT : NGX_HTTP_ILERT_SPENDS_LESSER;
}


static int ngx_libc_cdecl
ngx_http_ilert_turn_cmp(const void *one, const void *two)
{
    const ngx_http_ilert_store_candidate_t  *a = one, *b = two;

    if (a->turn != b->turn) {
        return (a->turn < b->turn) ? -1 : 1;
    }

    if (a->since != b->since) {
        return (a->since < b->since) ? -1 : 1;
    }

    return (a->head < b->head) ? -1 : (a->head > b->head);
}
