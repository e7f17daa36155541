
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Answers queries.  All of an answer is of the same moment, even if other
 * processes write meanwhile, and it is also given while nothing can be
 * written.
 *
 * The time that an answer takes does not depend on how much waits: counts are
 * kept with the source, and the backend finds the oldest event, and the last
 * alerts and letters, without going through the others.
 */


/* for an alert: events that are counted, and letters that are looked at */

#define NGX_HTTP_ILERT_QUERY_ROWS         1000


static ngx_int_t ngx_http_ilert_query_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_query_budgets(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_query_t *query);
static ngx_uint_t ngx_http_ilert_query_used(ngx_http_ilert_store_fund_t *fund,
    int64_t window, int64_t now);
static int64_t ngx_http_ilert_query_until(ngx_http_ilert_store_fund_t *fund,
    int64_t now);
static ngx_int_t ngx_http_ilert_query_sources(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_query_source(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_counted_t *counted);
static ngx_int_t ngx_http_ilert_query_waiting(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_source_t *source,
    int64_t id);
static ngx_int_t ngx_http_ilert_query_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_source_t *source,
    int64_t id);
static ngx_int_t ngx_http_ilert_query_open_alert(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    ngx_str_t *source, ngx_http_ilert_store_alert_t *alert);
static int ngx_libc_cdecl ngx_http_ilert_query_cmp_open(const void *one,
    const void *two);
static ngx_int_t ngx_http_ilert_query_waiters(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_query_dead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_query_kept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_query_refused(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_refused_t *refused);
static ngx_int_t ngx_http_ilert_query_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_query_none(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_query_silence(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_query_owner(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_ident_t *source, int64_t *owner);
static ngx_int_t ngx_http_ilert_query_foresee(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_query_letters(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_query_t *query,
    int64_t source, ngx_str_t *key);
static ngx_int_t ngx_http_ilert_query_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_letter_t *letter);
static ngx_int_t ngx_http_ilert_query_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert);
static void *ngx_http_ilert_query_push(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_array_t *array, size_t size);
static ngx_int_t ngx_http_ilert_query_copy(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_str_t *to, ngx_str_t *from);


void
ngx_http_ilert_query_answer(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    ngx_int_t                    rc;
    ngx_http_ilert_store_work_t  work;

    query->committed = job->decided
                       && store->state == NGX_HTTP_ILERT_STORE_OK;

    if (query->prove) {
        query->ok = 1;
        return;
    }

    /* jobs try to open the database, a query does not: it may take long */

    if (!store->open) {
        return;
    }

    rc = ngx_http_ilert_work_create(&work, store, job->now);

    if (rc == NGX_OK) {
        work.reading = 1;
        work.longest = INT64_MAX - job->now;

        rc = store->backend->begin(&work);

        if (rc == NGX_OK) {
            rc = ngx_http_ilert_query_all(&work, job, query);
            store->backend->rollback(&work);
        }
    }

    ngx_http_ilert_work_destroy(&work);

    query->ok = (rc == NGX_OK);

    store->backend->trust(store, 1, rc, job->now);
}


static ngx_int_t
ngx_http_ilert_query_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    if (query->refused) {
        return ngx_http_ilert_query_kept(work, query);
    }

    if (work->store->backend->size(work, &query->bytes) != NGX_OK
        || ngx_http_ilert_query_budgets(work, job, query) != NGX_OK
        || ngx_http_ilert_query_sources(work, query) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (query->alert) {
        return ngx_http_ilert_query_alert(work, query);
    }

    if (ngx_http_ilert_query_waiters(work, query) != NGX_OK) {
        return NGX_ERROR;
    }

    if (query->urgent) {
        return NGX_OK;
    }

    if (ngx_http_ilert_digest_query(work, query) != NGX_OK
        || ngx_http_ilert_silence_query(work, query) != NGX_OK
        || ngx_http_ilert_query_dead(work, query) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_query_kept(work, query);
}


static ngx_int_t
ngx_http_ilert_query_budgets(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      i;
    ngx_http_ilert_store_fund_t    *fund;
    ngx_http_ilert_store_used_t    *used;
    ngx_http_ilert_store_budget_t  *budget;

    query->nused = job->nbudgets;
    query->used = ngx_pcalloc(query->pool, query->nused
                                       * sizeof(ngx_http_ilert_store_used_t));
    if (query->used == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    for (i = 0; i < query->nused; i++) {

        budget = &job->budgets[i];
        used = &query->used[i];

        used->name = budget->name;

        /* if there is no such record, it is added, but never saved */

        if (ngx_http_ilert_work_fund(work, &budget->name, &fund) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!fund->slots && work->store->backend->slots(work, fund) != NGX_OK)
        {
            return NGX_ERROR;
        }

        used->used = ngx_http_ilert_query_used(fund, budget->window,
                                               work->now);
        used->until = ngx_http_ilert_query_until(fund, work->now);
    }

    return NGX_OK;
}


/*
 * Returns the number of requests that count: those under way, and those whose
 * verdict is not older than a window.
 */

static ngx_uint_t
ngx_http_ilert_query_used(ngx_http_ilert_store_fund_t *fund, int64_t window,
    int64_t now)
{
    ngx_uint_t  n, used;

    used = fund->underway;

    for (n = fund->nat; n && fund->at[n - 1] > now - window; n--) {
        used++;
    }

    return used;
}


/*
 * Returns the end of a pause, or 0.  A clock that was set back does not make
 * the pause longer.
 */

static int64_t
ngx_http_ilert_query_until(ngx_http_ilert_store_fund_t *fund, int64_t now)
{
    int64_t  until;

    until = ngx_min(fund->paused, now) + fund->pause;

    return (until > now) ? until : 0;
}


static ngx_int_t
ngx_http_ilert_query_sources(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                       i;
    ngx_array_t                      sources;
    ngx_http_ilert_store_counted_t  *source;

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {
        if (ngx_http_ilert_query_source(work, query, &source[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (query->open.nelts > 1) {
        qsort(query->open.elts, query->open.nelts,
              sizeof(ngx_http_ilert_store_open_t),
              ngx_http_ilert_query_cmp_open);
    }

    query->open.nelts = ngx_min(query->open.nelts,
                                NGX_HTTP_ILERT_STORE_LISTED);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_query_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_counted_t *counted)
{
    ngx_uint_t                      i;
    ngx_http_ilert_store_source_t  *source;

    source = ngx_http_ilert_query_push(work, query, &query->sources,
                                       sizeof(ngx_http_ilert_store_source_t));

    if (source == NULL
        || ngx_http_ilert_query_copy(work, query, &source->name,
                                     &counted->name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* if events were deleted by hand, the counts may have become negative */

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
        source->waiting[i] = ngx_max(counted->waiting[i], 0);
    }

    source->open = counted->open;
    source->dead = counted->dead;
    source->paused = counted->paused;

    if (ngx_http_ilert_query_waiting(work, source, counted->id) != NGX_OK) {
        return NGX_ERROR;
    }

    if (source->open == 0 || query->alert || query->urgent
        || (query->source.len
            && !ngx_http_ilert_text_same(&query->source, &source->name)))
    {
        return NGX_OK;
    }

    return ngx_http_ilert_query_open(work, query, source, counted->id);
}


/* Sets since when events wait, and whether some are to be tried again. */

static ngx_int_t
ngx_http_ilert_query_waiting(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_source_t *source, int64_t id)
{
    ngx_int_t   rc;
    ngx_uint_t  i, waits, retries;

    waits = 0;

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {

        if (i < NGX_HTTP_ILERT_REPEATS) {
            waits |= (source->waiting[i] != 0);
        }
    }

    for (i = 0; waits && i < NGX_HTTP_ILERT_REPEATS; i++) {

        rc = work->store->backend->oldest(work, id, i, &source->oldest[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    retries = 0;

    rc = work->store->backend->retries(work, id, &retries);

    source->retries = (retries != 0);

    return rc;
}


/* Lists the alerts of a source that were opened last. */

static ngx_int_t
ngx_http_ilert_query_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_source_t *source,
    int64_t id)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_OPENED;
    filter.source = id;
    filter.limit = NGX_HTTP_ILERT_STORE_LISTED;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        if (ngx_http_ilert_query_open_alert(work, query, &source->name,
                                            alert[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_query_open_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_str_t *source,
    ngx_http_ilert_store_alert_t *alert)
{
    int64_t                          n, received;
    ngx_http_ilert_store_open_t     *open;
    ngx_http_ilert_store_silence_t  *silence;

    received = 0;

    if (alert->row.head
        && work->store->backend->count(work, alert->id, 1, &n, &received)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_silence_of(work, alert, &silence) != NGX_OK) {
        return NGX_ERROR;
    }

    open = ngx_http_ilert_query_push(work, query, &query->open,
                                     sizeof(ngx_http_ilert_store_open_t));
    if (open == NULL) {
        return NGX_ERROR;
    }

    open->source = *source;
    open->level = alert->row.level;
    open->opened = alert->row.opened;
    open->last = ngx_max(alert->row.accepted, received);
    open->silence = silence ? silence->id : 0;

    return ngx_http_ilert_query_copy(work, query, &open->key,
                                     &alert->alert_key);
}


static int ngx_libc_cdecl
ngx_http_ilert_query_cmp_open(const void *one, const void *two)
{
    const ngx_http_ilert_store_open_t  *a = one, *b = two;

    return (a->opened > b->opened) ? -1 : (a->opened < b->opened);
}


static ngx_int_t
ngx_http_ilert_query_waiters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_waiter_t  *found, *waiter;

    if (ngx_http_ilert_waiters_list(work, query, &list) != NGX_OK) {
        return NGX_ERROR;
    }

    found = list.elts;

    for (i = 0; i < list.nelts; i++) {

        waiter = ngx_http_ilert_query_push(work, query, &query->waiters,
                                       sizeof(ngx_http_ilert_store_waiter_t));
        if (waiter == NULL) {
            return NGX_ERROR;
        }

        *waiter = found[i];

        if (ngx_http_ilert_query_copy(work, query, &waiter->source,
                                      &found[i].source)
            != NGX_OK
            || ngx_http_ilert_query_copy(work, query, &waiter->key,
                                         &found[i].key)
               != NGX_OK
            || ngx_http_ilert_query_copy(work, query, &waiter->error,
                                         &found[i].error)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Lists the letters that died last, of the query's source or of all. */

static ngx_int_t
ngx_http_ilert_query_dead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_ident_t  *source;

    if (query->source.len == 0) {
        return ngx_http_ilert_query_letters(work, query, 0, NULL);
    }

    rc = ngx_http_ilert_work_find_source(work, &query->source, &source);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    return ngx_http_ilert_query_letters(work, query, source->id, NULL);
}


/* Lists the webhooks that were refused last, or finds the one asked for. */

static ngx_int_t
ngx_http_ilert_query_kept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                              i;
    ngx_array_t                             list;
    ngx_http_ilert_store_refused_t         *refused;
    ngx_http_ilert_store_refused_filter_t   filter;

    query->nkept = work->total.refused;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_refused_filter_t));

    filter.which = NGX_HTTP_ILERT_REFUSED_LATEST;
    filter.limit = NGX_HTTP_ILERT_STORE_LISTED;

    if (query->refused) {
        filter.which = NGX_HTTP_ILERT_REFUSED_OF_ID;
        filter.id = query->refused;
        filter.limit = 1;
        filter.body = 1;
    }

    if (ngx_http_ilert_work_refused(work, &filter, &list) != NGX_OK) {
        return NGX_ERROR;
    }

    refused = list.elts;

    for (i = 0; i < list.nelts; i++) {
        if (ngx_http_ilert_query_refused(work, query, &refused[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_query_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_refused_t *refused)
{
    ngx_http_ilert_store_refused_t  *kept;

    kept = ngx_http_ilert_query_push(work, query, &query->kept,
                                     sizeof(ngx_http_ilert_store_refused_t));
    if (kept == NULL) {
        return NGX_ERROR;
    }

    *kept = *refused;

    if (ngx_http_ilert_query_copy(work, query, &kept->from, &refused->from)
        != NGX_OK
        || ngx_http_ilert_query_copy(work, query, &kept->location,
                                     &refused->location)
           != NGX_OK
        || ngx_http_ilert_query_copy(work, query, &kept->error,
                                     &refused->error)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_query_copy(work, query, &kept->body, &refused->body);
}


static ngx_int_t
ngx_http_ilert_query_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    int64_t                        owner;
    ngx_int_t                      rc;
    ngx_str_t                     *key;
    ngx_http_ilert_store_alert_t  *alert, none;
    ngx_http_ilert_store_ident_t  *source;

    rc = ngx_http_ilert_work_find_source(work, &query->source, &source);

    if (rc == NGX_ERROR || (rc == NGX_DECLINED && !query->foresee)) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    key = ngx_http_ilert_work_fold(work, &query->key);

    if (key == NULL
        || ngx_http_ilert_query_owner(work, query, source, &owner) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_find_alert(work, owner, source->id, key, &alert);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (query->foresee) {

        if (rc == NGX_DECLINED) {
            ngx_http_ilert_query_none(work, query, &none);

            none.key = *key;
            none.row.owner = owner;
            none.row.source = source->id;

            alert = &none;
        }

        return ngx_http_ilert_query_foresee(work, query, alert);
    }

    if (ngx_http_ilert_query_letters(work, query, source->id, key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    query->found = 1;
    query->shown = alert->shown;
    query->delivered = alert->row.delivered;
    query->state.level = alert->shown.level;
    query->state.opened = alert->row.opened;
    query->state.last = alert->row.accepted;

    if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
        && alert->row.next != NGX_HTTP_ILERT_STORE_RELEASED)
    {
        query->next = alert->row.next;
    }

    if (ngx_http_ilert_query_silence(work, query, alert) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_query_copy(work, query, &query->state.key,
                                  &alert->alert_key)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_query_events(work, query, alert);
}


/* Makes an alert as if it had just been added, which is never saved. */

static void
ngx_http_ilert_query_none(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert)
{
    ngx_memzero(alert, sizeof(ngx_http_ilert_store_alert_t));

    ngx_queue_init(&alert->waiting);

    if (query->said.type == NGX_HTTP_ILERT_ALERT) {
        ngx_http_ilert_untold_new(work, alert, query->began);
    }
}


/*
 * Says which silence holds for the alert now.  What it holds is judged again
 * before it ends, but goes then at the earliest.
 */

static ngx_int_t
ngx_http_ilert_query_silence(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert)
{
    ngx_http_ilert_store_silence_t  *silence;

    if (ngx_http_ilert_silence_of(work, alert, &silence) != NGX_OK) {
        return NGX_ERROR;
    }

    if (silence == NULL) {
        return NGX_OK;
    }

    query->state.silence = silence->id;

    if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
        && alert->row.urgency == NGX_HTTP_ILERT_SILENCED)
    {
        query->next = silence->until;
    }

    return NGX_OK;
}


/*
 * Sets "owner" to that which an event of this source would get: the source may
 * have none yet, in the same way as for ngx_http_ilert_work_source().
 */

static ngx_int_t
ngx_http_ilert_query_owner(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_ident_t *source,
    int64_t *owner)
{
    ngx_http_ilert_store_fund_t  *fund;

    *owner = source->owner;

    if (*owner || query->owner.len == 0 || source->strays) {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_fund(work, &query->owner, &fund) != NGX_OK) {
        return NGX_ERROR;
    }

    *owner = fund->id;

    return NGX_OK;
}


/*
 * Finds out what would become of an event of the alert that came now, by the
 * rules for accepting one.
 */

static ngx_int_t
ngx_http_ilert_query_foresee(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert)
{
    ngx_http_ilert_store_fate_t   fate;
    ngx_http_ilert_store_event_t  ev;

    ngx_memzero(&ev, sizeof(ngx_http_ilert_store_event_t));

    ev.said = query->said;
    ev.policy = query->policy;

    if (ngx_http_ilert_alert_foresee(work, alert, &ev, &fate) != NGX_OK) {
        return NGX_ERROR;
    }

    query->shown = alert->shown;
    query->said.repeat = ev.said.repeat;
    query->rule = fate.rule;
    query->hold = fate.hold;
    query->until = fate.until;
    query->urgency = ev.urgency;
    query->behind = !fate.alone;
    query->replaces = (fate.replaced != NULL);

    return NGX_OK;
}


/*
 * Lists the last letters of a source, or of all if "source" is 0.  With
 * a folded key it lists letters of that alert, among the last .._QUERY_ROWS.
 */

static ngx_int_t
ngx_http_ilert_query_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, int64_t source, ngx_str_t *key)
{
    ngx_str_t                             *folded;
    ngx_uint_t                             i;
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_t         *letter;
    ngx_http_ilert_store_letter_filter_t   filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_LATEST;
    filter.source = source;
    filter.limit = key ? NGX_HTTP_ILERT_QUERY_ROWS
                       : NGX_HTTP_ILERT_STORE_LISTED;

    if (ngx_http_ilert_work_letters(work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    letter = letters.elts;

    for (i = 0;
         i < letters.nelts && query->dead.nelts < NGX_HTTP_ILERT_STORE_LISTED;
         i++)
    {
        if (key) {
            folded = ngx_http_ilert_work_fold(work, &letter[i].key);
            if (folded == NULL) {
                return NGX_ERROR;
            }

            if (!ngx_http_ilert_text_same(folded, key)) {
                continue;
            }
        }

        if (ngx_http_ilert_query_letter(work, query, &letter[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_query_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_letter_t *letter)
{
    ngx_http_ilert_store_dead_t  *dead;

    dead = ngx_http_ilert_query_push(work, query, &query->dead,
                                     sizeof(ngx_http_ilert_store_dead_t));

    if (dead == NULL
        || ngx_http_ilert_query_copy(work, query, &dead->source,
                                     &letter->source)
           != NGX_OK
        || ngx_http_ilert_query_copy(work, query, &dead->key, &letter->key)
           != NGX_OK
        || ngx_http_ilert_query_copy(work, query, &dead->error,
                                     &letter->error)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    dead->id = letter->id;
    dead->received = letter->said.received;
    dead->status = letter->status;

    /* it will be an index into names, and what is kept may be damaged */

    dead->type = ngx_min(letter->said.type, NGX_HTTP_ILERT_COMMENT);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_query_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert)
{
    int64_t                          received;
    ngx_uint_t                       i;
    ngx_array_t                      events;
    ngx_http_ilert_store_listed_t   *listed;
    ngx_http_ilert_store_waiting_t  *ev;

    if (ngx_array_init(&events, work->pool, 16,
                       sizeof(ngx_http_ilert_store_waiting_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->count(work, alert->id, NGX_HTTP_ILERT_QUERY_ROWS,
                                    &query->waiting, &received)
        != NGX_OK
        || work->store->backend->events(work, alert->id, 0,
                                        NGX_HTTP_ILERT_STORE_LISTED, &events)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    query->state.last = ngx_max(query->state.last, received);

    ev = events.elts;

    if (events.nelts) {
        query->attempts = ev->attempts;
    }

    for (i = 0; i < events.nelts; i++, ev++) {

        listed = ngx_http_ilert_query_push(work, query, &query->events,
                                       sizeof(ngx_http_ilert_store_listed_t));
        if (listed == NULL) {
            return NGX_ERROR;
        }

        listed->id = ev->id;
        listed->type = ev->said.type;
        listed->level = ev->said.level;
        listed->urgency = ev->urgency;
        listed->received = ev->said.received;
        listed->inflight = (alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN
                            && ev->seq == alert->row.head);
    }

    return NGX_OK;
}


/* Adds a zeroed element to a list.  Returns NULL if there is no memory. */

static void *
ngx_http_ilert_query_push(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_array_t *array, size_t size)
{
    void  *p;

    p = NULL;

    if (array->elts
        || ngx_array_init(array, query->pool, 16, size) == NGX_OK)
    {
        p = ngx_array_push(array);
    }

    if (p == NULL) {
        (void) ngx_http_ilert_work_no_memory(work);
        return NULL;
    }

    ngx_memzero(p, size);

    return p;
}


/* Copies a string to the query's pool: the work's is freed before that. */

static ngx_int_t
ngx_http_ilert_query_copy(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_str_t *to, ngx_str_t *from)
{
    to->data = ngx_pnalloc(query->pool, from->len + 1);
    if (to->data == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    to->len = from->len;

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    return NGX_OK;
}
