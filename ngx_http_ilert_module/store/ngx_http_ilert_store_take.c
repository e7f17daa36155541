
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_digest.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Decides which events go next: of all sources the most urgent ones first, as
 * many as the budgets allow.  Only the first event of an alert can be taken.
 * When its turn comes, it may turn out that it need not be sent, since ilert
 * shows already what it says, or since it is too old; then others are taken in
 * its place.
 */


/* bytes of taken events after which a job takes no more */

#define NGX_HTTP_ILERT_STORE_TAKE_SIZE    (1024 * 1024)


static ngx_int_t ngx_http_ilert_take_due(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_take_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_int_t ngx_http_ilert_take_rounds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates,
    ngx_uint_t without);
static ngx_int_t ngx_http_ilert_take_turns(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t *turns);
static ngx_int_t ngx_http_ilert_take_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);
static ngx_int_t ngx_http_ilert_take_round(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates,
    ngx_uint_t without);
static ngx_int_t ngx_http_ilert_take_consider(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without);
static ngx_int_t ngx_http_ilert_take_decide(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_take_expires(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_take_silenced(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    int64_t until);
static ngx_int_t ngx_http_ilert_take_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_take_hold(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t urgency, int64_t until);
static ngx_int_t ngx_http_ilert_take_go(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *found);
static ngx_int_t ngx_http_ilert_take_spare(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_rule_e rule,
    int64_t until);
static void ngx_http_ilert_take_event(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_str_t *source,
    ngx_http_ilert_store_event_t *ev);
static ngx_http_ilert_store_event_t *ngx_http_ilert_take_copy(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_event_t *from);
static ngx_int_t ngx_http_ilert_take_deadly_event(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    int64_t seq, ngx_uint_t without);


ngx_int_t
ngx_http_ilert_take_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_uint_t                       i;
    ngx_http_ilert_store_budget_t   *budget;

    if (job->ntakes && !job->moving) {

        if (ngx_http_ilert_take_due(work, job) != NGX_OK
            || ngx_http_ilert_take_events(work, job, without) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < job->nbudgets; i++) {
        budget = &job->budgets[i];

        if (budget->known && budget->left == 0 && budget->next == 0) {
            budget->next = ngx_http_ilert_budget_next(work, budget, 0);
        }
    }

    if (work->store->backend->save(work) != NGX_OK
        || work->store->backend->due(work, &job->due) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (work->due && (job->due == 0 || work->due < job->due)) {
        job->due = work->due;
    }

    if (work->more || job->moving) {
        job->due = work->now;
    }

    return NGX_OK;
}


/*
 * Lets alerts of all sources go whose time has come.  If a time is farther
 * away than any that can be set, the clock was set back, and the alert may go,
 * too.
 */

static ngx_int_t
ngx_http_ilert_take_due(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  n;

    if (ngx_http_ilert_take_ready(work, NGX_HTTP_ILERT_ALERTS_DUE, 0,
                                  work->now, &n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (job->longest == 0) {
        return NGX_OK;
    }

    if (ngx_http_ilert_take_ready(work, NGX_HTTP_ILERT_ALERTS_LATE, 0,
                                  work->now + job->longest, &n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (n == NGX_HTTP_ILERT_STORE_ROWS) {
        work->more = 1;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_take_ready(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_which_e which, int64_t source, int64_t time,
    ngx_uint_t *n)
{
    ngx_uint_t                       i, held;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = which;
    filter.source = source;
    filter.time = time;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {

        held = 0;

        if (alert[i]->row.urgency == NGX_HTTP_ILERT_SILENCED
            && ngx_http_ilert_silence_keeps(work, alert[i], &held) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (!held && ngx_http_ilert_alert_free(work, alert[i], 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    *n = alerts.nelts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_take_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_uint_t   i, turns;
    ngx_array_t  candidates;

    for (i = 0; i < job->ntakes; i++) {
        if (ngx_http_ilert_take_begin(work, job, &job->takes[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_array_init(&candidates, work->pool, 16,
                       sizeof(ngx_http_ilert_store_candidate_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    do {
        if (ngx_http_ilert_take_rounds(work, job, &candidates, without)
            != NGX_OK
            || ngx_http_ilert_take_turns(work, job, &turns) != NGX_OK)
        {
            return NGX_ERROR;
        }

    } while (turns);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_take_rounds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates,
    ngx_uint_t without)
{
    ngx_uint_t  i, rows;

    do {
        rows = work->rows;
        candidates->nelts = 0;

        for (i = 0; i < job->ntakes; i++) {
            if (job->takes[i].id
                && ngx_http_ilert_digest_take(work, job, &job->takes[i])
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        if (ngx_http_ilert_turn_candidates(work, job, candidates) != NGX_OK
            || ngx_http_ilert_take_round(work, job, candidates, without)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

    } while (work->rows < rows && !work->enough);

    return NGX_OK;
}


/*
 * If a source is to be probed, and no other event of it may go, lets the event
 * go that was refused the longest time ago.  Sets "turns" to 1 if one may go.
 */

static ngx_int_t
ngx_http_ilert_take_turns(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t *turns)
{
    ngx_uint_t                    i;
    ngx_http_ilert_store_take_t  *take;

    *turns = 0;

    for (i = 0; i < job->ntakes; i++) {

        take = &job->takes[i];

        if (take->probe && !take->taken && ngx_http_ilert_turn_may(take)
            && work->rows && !work->enough
            && ngx_http_ilert_budget_affords(work, take->budgets,
                                             NGX_HTTP_ILERT_SPENDS_LESSER)
            && ngx_http_ilert_letter_turn(work, take->id, turns) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_take_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_ilert_store_ident_t  *source;

    take->id = 0;

    rc = ngx_http_ilert_work_find_source(work, &take->source, &source);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    take->paused = (source->paused != 0);
    take->probe |= ngx_http_ilert_rules_refuses_all(&source->refusals);
    take->id = take->paused ? 0 : source->id;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {

        if (take->budgets[i] && !take->budgets[i]->known
            && ngx_http_ilert_budget_load(work, take->budgets[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return take->id ? ngx_http_ilert_silent_all(work, job, take) : NGX_OK;
}


static ngx_int_t
ngx_http_ilert_take_round(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates,
    ngx_uint_t without)
{
    ngx_int_t                          rc;
    ngx_uint_t                         i;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    candidate = candidates->elts;

    for (i = 0; i < candidates->nelts; i++) {

        take = &job->takes[candidate[i].take];

        if (!ngx_http_ilert_turn_may(take)) {
            take->more = 1;
            continue;
        }

        if (work->rows == 0 || work->bytes >= NGX_HTTP_ILERT_STORE_TAKE_SIZE) {
            work->more = 1;
            work->enough = 1;
            return NGX_OK;
        }

        if (!ngx_http_ilert_budget_affords(work, take->budgets,
                                           candidate[i].spends))
        {
            continue;
        }

        ngx_http_ilert_store_at_hand(job, candidate[i].head);

        rc = ngx_http_ilert_take_consider(work, job, &candidate[i], without);

        ngx_http_ilert_store_at_hand(job, 0);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Takes the alert's first event, unless it turns out that it need not go. */

static ngx_int_t
ngx_http_ilert_take_consider(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without)
{
    ngx_http_ilert_store_alert_t    *alert;
    ngx_http_ilert_store_waiting_t  *first;

    alert = candidate->alert;

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = ngx_http_ilert_work_first(alert);

    if (first == NULL || first->seq != alert->row.head) {

        /* somebody has deleted the row of the event */

        work->rows--;
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

        return ngx_http_ilert_alert_advance(work, alert, 0, work->now);
    }

    return ngx_http_ilert_take_decide(work, job, &job->takes[candidate->take],
                                      alert, without);
}


static ngx_int_t
ngx_http_ilert_take_decide(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t without)
{
    int64_t                          until;
    ngx_uint_t                       next, counted, hold;
    ngx_http_ilert_rule_e            rule;
    ngx_http_ilert_policy_t          policy;
    ngx_http_ilert_store_event_t    *ev;
    ngx_http_ilert_store_waiting_t  *first, *second;

    hold = 0;
    until = 0;
    first = ngx_http_ilert_work_first(alert);
    second = ngx_http_ilert_work_second(alert);

    ev = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_event_t));
    if (ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ngx_http_ilert_take_event(alert, first, &take->source, ev);

    if (first->damaged) {
        ngx_str_set(&ev->error, "its row in the queue's database is damaged");
        job->damaged++;
        work->rows--;

        return ngx_http_ilert_alert_dead(work, job, alert, first, ev, without);
    }

    next = (second && (take->policy.coalesce != NGX_HTTP_ILERT_COALESCE_OFF
                       || take->policy.resolve_delay))
           ? second->said.type : NGX_HTTP_ILERT_NO_TYPE;

    /* a repeat was counted as coalesced when it was found */

    counted = ev->said.repeat;

    policy = take->policy;

    if (alert->row.silence) {
        policy.resolve_after = alert->row.silence;
    }

    rule = ngx_http_ilert_rules_judge(&policy, &alert->shown, &ev->said,
                                      next, work->now, &until);

    if (rule == NGX_HTTP_ILERT_GO
        && ngx_http_ilert_take_expires(work, take, alert, ev))
    {
        rule = ev->said.repeat ? NGX_HTTP_ILERT_DROP : NGX_HTTP_ILERT_EXPIRE;
    }

    if (rule == NGX_HTTP_ILERT_GO
        && ngx_http_ilert_silence_holds(work, alert, &ev->said, &hold, &until)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (hold) {
        return ngx_http_ilert_take_silenced(work, job, take, alert, until);
    }

    switch (rule) {

    case NGX_HTTP_ILERT_GO:
        return ngx_http_ilert_take_open(work, job, take, alert, ev);

    case NGX_HTTP_ILERT_DELAY:

        /* if the clock was set back since it came, it is held but once more */

        first->said.freed |= (first->since > work->now);

        return ngx_http_ilert_take_hold(work, alert, NGX_HTTP_ILERT_HELD,
                                        until);

    case NGX_HTTP_ILERT_EXPIRE:

        ngx_str_set(&ev->error, "older than max_age");
        take->expired++;
        job->expired++;
        work->rows--;

        return ngx_http_ilert_alert_dead(work, job, alert, first, ev, without);

    default: /* NGX_HTTP_ILERT_HOLD, NGX_HTTP_ILERT_DROP */

        if (!counted) {
            take->coalesced++;
            job->coalesced++;
        }

        return ngx_http_ilert_take_spare(work, job, take, alert, rule, until);
    }
}


/*
 * Returns 1 if the first event is too old to go.  The time in which it was
 * held back, by a silence or the like, does not count: then the alert waits
 * since a later time than the event.
 */

static ngx_uint_t
ngx_http_ilert_take_expires(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_said_t  said;

    said = ev->said;

    if (alert->row.since > said.since && !said.repeat) {
        said.received = ngx_max(said.received, alert->row.since);
    }

    return ngx_http_ilert_rules_expired(&take->policy, &alert->shown, &said,
                                        work->now);
}


/*
 * Holds the first event, which a silence holds, or drops it if something else
 * is to be told when the silence ends.
 */

static ngx_int_t
ngx_http_ilert_take_silenced(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, int64_t until)
{
    ngx_uint_t  later;

    if (ngx_http_ilert_silence_later(work, alert, &later) != NGX_OK) {
        return NGX_ERROR;
    }

    if (later) {
        take->coalesced++;
        job->coalesced++;

        return ngx_http_ilert_take_spare(work, job, take, alert,
                                         NGX_HTTP_ILERT_DROP, 0);
    }

    take->silenced++;

    return ngx_http_ilert_take_hold(work, alert, NGX_HTTP_ILERT_SILENCED,
                                    until);
}


/*
 * Takes the first event, unless a digest lists it instead.  If it is to page
 * but ilert would take it for an update, a RESOLVE goes in its place now, and
 * the event itself goes next: then it is not the digest's affair any more.
 */

static ngx_int_t
ngx_http_ilert_take_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_str_t                        body;
    ngx_http_ilert_digest_fate_e     fate;
    ngx_http_ilert_store_waiting_t  *first;

    fate = NGX_HTTP_ILERT_DIGEST_ALONE;
    ev->lower = ngx_http_ilert_rules_stays_low(&alert->shown, &ev->said);

    if (take->policy.digest.n
        && ev->said.own == NGX_HTTP_ILERT_OWN_NONE && !ev->said.freed
        && ngx_http_ilert_rules_opens(&alert->shown, &ev->said)
        && ngx_http_ilert_digest_opens(work, job, take, alert, ev, &fate)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    switch (fate) {

    case NGX_HTTP_ILERT_DIGEST_LISTED:
        return ngx_http_ilert_take_hold(work, alert, NGX_HTTP_ILERT_LISTED,
                                        NGX_HTTP_ILERT_STORE_RELEASED);

    case NGX_HTTP_ILERT_DIGEST_LOWER:
    case NGX_HTTP_ILERT_DIGEST_LATER:

        if (!ngx_http_ilert_budget_affords(work, take->budgets,
                                           NGX_HTTP_ILERT_SPENDS_MEMBER))
        {
            return NGX_OK;
        }

        ev->lower |= (fate == NGX_HTTP_ILERT_DIGEST_LOWER);
        break;

    case NGX_HTTP_ILERT_DIGEST_BEHIND:
        work->rows--;
        return NGX_OK;

    default: /* NGX_HTTP_ILERT_DIGEST_ALONE */
        break;
    }

    if (!ev->lower && take->policy.raise == NGX_HTTP_ILERT_RAISE_REOPEN
        && ngx_http_ilert_rules_raises(&alert->shown, &ev->said))
    {
        first = ngx_http_ilert_work_first(alert);
        first->said.freed = 1;
        ngx_http_ilert_work_change(alert, first, NGX_HTTP_ILERT_STORE_RERATED);

        ev->said.type = NGX_HTTP_ILERT_RESOLVE;
        ev->said.own = NGX_HTTP_ILERT_OWN_REOPEN;
        ngx_str_null(&ev->body);
    }

    if (ev->lower && !ev->passthrough) {
        body = ev->body;

        if (ngx_http_ilert_event_lower(&body, &ev->body, work->pool)
            == NGX_ERROR)
        {
            return ngx_http_ilert_work_no_memory(work);
        }
    }

    return ngx_http_ilert_take_go(work, job, take, alert, ev);
}


/* Holds the first event back until a time. */

static ngx_int_t
ngx_http_ilert_take_hold(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t urgency, int64_t until)
{
    work->rows--;

    if (urgency == NGX_HTTP_ILERT_SILENCED
        && ngx_http_ilert_digest_silenced(work, alert) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_hold(work, alert, urgency, until);
}


/* Takes the first event, which is under way from now on. */

static ngx_int_t
ngx_http_ilert_take_go(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *found)
{
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_http_ilert_take_copy(work, found);
    if (ev == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ev->budgets, take->budgets, sizeof(ev->budgets));

    ngx_queue_insert_tail(&job->taken, &ev->queue);

    take->taken++;
    work->bytes += ev->body.len;
    alert->row.state = NGX_HTTP_ILERT_STORE_TAKEN;

    ngx_http_ilert_budget_take(work, take->budgets,
                               ngx_http_ilert_turn_spends(alert));

    return NGX_OK;
}


/* Drops the first event, which need not go, or holds it. */

static ngx_int_t
ngx_http_ilert_take_spare(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_rule_e rule,
    int64_t until)
{
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    if (rule == NGX_HTTP_ILERT_DROP) {

        work->rows--;

        /* the alert is idle now, and so may be silent for too long */

        work->more |= (take->policy.resolve_after || alert->row.silence);

        return ngx_http_ilert_alert_drop(work, alert, first);
    }

    first->said.repeat = 1;

    return ngx_http_ilert_take_hold(work, alert, NGX_HTTP_ILERT_REPEATS,
                                    until);
}


/* Sets "ev" to the first event of an alert.  Strings are not copied. */

static void
ngx_http_ilert_take_event(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_str_t *source,
    ngx_http_ilert_store_event_t *ev)
{
    ev->source = *source;
    ev->key = alert->alert_key;
    ev->body = first->ev ? first->ev->body : first->body;
    ev->id = first->id;
    ev->said = first->said;
    ev->said.since = first->since;
    ev->passthrough = first->passthrough;
    ev->urgency = first->urgency;
    ev->seq = first->seq;
    ev->alert = alert->id;
    ev->source_id = ngx_http_ilert_alert_source_of(alert, first);
    ev->attempts = first->attempts;
    ev->silence = alert->row.silence;
    ev->damaged = first->damaged;
    ev->again = first->again;
}


/* Copies an event for the job's caller, who has to free it. */

static ngx_http_ilert_store_event_t *
ngx_http_ilert_take_copy(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *from)
{
    ngx_str_t                      source, key, body;
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_http_ilert_store_event(from->source.len, from->key.len,
                                    from->body.len, 0, NULL);
    if (ev == NULL) {
        (void) ngx_http_ilert_work_no_memory(work);
        return NULL;
    }

    source = ev->source;
    key = ev->key;
    body = ev->body;

    *ev = *from;

    ngx_memcpy(source.data, from->source.data, source.len);

    /* an empty string may have a NULL pointer */

    if (key.len) {
        ngx_memcpy(key.data, from->key.data, key.len);
    }

    if (body.len) {
        ngx_memcpy(body.data, from->body.data, body.len);
    }

    ev->source = source;
    ev->key = key;
    ev->body = body;

    /* what was heard counts when an event is accepted, and is not copied */

    ngx_memzero(&ev->heard, sizeof(ngx_http_ilert_store_heard_t));
    ngx_str_null(&ev->summary);

    return ev;
}


ngx_int_t
ngx_http_ilert_take_deadly(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < job->ndeadly; i++) {

        ngx_http_ilert_store_at_hand(job, job->deadly[i]);

        rc = ngx_http_ilert_take_deadly_event(work, job, job->deadly[i],
                                              without);

        ngx_http_ilert_store_at_hand(job, 0);

        if (rc == NGX_ERROR) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_take_deadly_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, int64_t seq, ngx_uint_t without)
{
    int64_t                          id;
    ngx_int_t                        rc;
    ngx_http_ilert_store_alert_t    *alert;
    ngx_http_ilert_store_event_t    *ev, found;
    ngx_http_ilert_store_ident_t     source;
    ngx_http_ilert_store_waiting_t  *first;

    ngx_memzero(&source, sizeof(ngx_http_ilert_store_ident_t));

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = NULL;

    rc = work->store->backend->alert_of_head(work, seq, &id, &source);

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_work_get_alert(work, id, &alert);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT,
                                       1);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    first = ngx_http_ilert_work_first(alert);

    if (first == NULL || first->seq != seq) {
        return NGX_DECLINED;
    }

    ngx_memzero(&found, sizeof(ngx_http_ilert_store_event_t));

    ngx_http_ilert_take_event(alert, first, &source.name, &found);

    ev = ngx_http_ilert_take_copy(work, &found);
    if (ev == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&job->buried, &ev->queue);

    ngx_str_set(&ev->error,
                "a worker has died three times while it was handled");

    return ngx_http_ilert_alert_dead(work, job, alert, first, ev, without);
}
