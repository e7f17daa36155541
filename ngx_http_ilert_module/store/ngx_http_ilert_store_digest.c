
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_digest.h"
#include "ngx_http_ilert_event_digest.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Makes the events of digests, and decides which alerts they stand for, by the
 * rules of event/digest.c.
 *
 * Of each alert of a source with a digest it is noted whether it is bad: by
 * each event when it is accepted, and by one that goes, since a silence may
 * have held it before.  When an ALERT is about to go that opens an alert or
 * raises it, it goes by itself, or the digest is opened and lists it.  Then it
 * is held back (LISTED), or becomes less urgent than alerts of which nobody
 * has heard, and has its turn later.
 *
 * The events of the digest are those of an alert with a key of its own, and
 * only differ from others by "own".
 */


/* alerts that are loaded for an event of a digest, at most */

#define NGX_HTTP_ILERT_STORE_DIGEST_ROWS  5000


static ngx_int_t ngx_http_ilert_digest_get(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_http_ilert_store_digest_t **digest);
static ngx_int_t ngx_http_ilert_digest_set_bad(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t level, ngx_str_t *summary);
static ngx_int_t ngx_http_ilert_digest_summary(
    ngx_http_ilert_store_work_t *work, ngx_str_t *body, ngx_str_t *summary);
static ngx_uint_t ngx_http_ilert_digest_lesser(ngx_uint_t urgency);
static ngx_int_t ngx_http_ilert_digest_behind(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t urgency);
static void ngx_http_ilert_digest_keep(ngx_http_ilert_store_take_t *take);
static ngx_int_t ngx_http_ilert_digest_look(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_digest_t *digest);
static ngx_int_t ngx_http_ilert_digest_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_digest_t *digest);
static ngx_int_t ngx_http_ilert_digest_free(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_digest_t *digest);
static ngx_int_t ngx_http_ilert_digest_make(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_digest_t *digest, ngx_uint_t type, ngx_uint_t *made);
static ngx_uint_t ngx_http_ilert_digest_may_open(
    ngx_http_ilert_digest_t *digest, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_digest_members(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_digest_t *digest, ngx_array_t *alerts,
    ngx_http_ilert_digest_list_t *list);
static ngx_uint_t ngx_http_ilert_digest_wants(
    ngx_http_ilert_store_alert_t *alert);
static ngx_uint_t ngx_http_ilert_digest_priority(
    ngx_http_ilert_digest_t *digest);
static ngx_int_t ngx_http_ilert_digest_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_event_t *made);


ngx_int_t
ngx_http_ilert_digest_load(ngx_http_ilert_store_work_t *work)
{
    ngx_uint_t                      i;
    ngx_array_t                     digests;
    ngx_http_ilert_store_digest_t  *digest;

    if (work->has_digests) {
        return NGX_OK;
    }

    work->has_digests = 1;

    if (work->total.digests == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&digests, work->pool, 4,
                       sizeof(ngx_http_ilert_store_digest_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->digests(work, &digests) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = digests.elts;

    for (i = 0; i < digests.nelts; i++) {
        ngx_http_ilert_digest_expire(&digest[i].state, work->now);
        ngx_queue_insert_tail(&work->digests, &digest[i].queue);
    }

    return NGX_OK;
}


ngx_http_ilert_store_digest_t *
ngx_http_ilert_digest_of(ngx_http_ilert_store_work_t *work, int64_t source)
{
    ngx_queue_t                    *q;
    ngx_http_ilert_store_digest_t  *digest;

    for (q = ngx_queue_head(&work->digests);
         q != ngx_queue_sentinel(&work->digests);
         q = ngx_queue_next(q))
    {
        digest = ngx_queue_data(q, ngx_http_ilert_store_digest_t, queue);

        if (digest->source == source && !digest->removed) {
            return digest;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_digest_alert(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_alert_t **alert)
{
    ngx_int_t                      rc;
    ngx_str_t                      key, *folded;
    ngx_http_ilert_store_ident_t  *source;

    if (ngx_http_ilert_event_digest_key(name, &key, work->pool) != NGX_OK) {
        return ngx_http_ilert_work_no_memory(work);
    }

    folded = ngx_http_ilert_work_fold(work, &key);
    if (folded == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_find_source(work, name, &source);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ilert_work_find_alert(work, source->owner, source->id,
                                          folded, alert);
}


/* Finds the digest of a source, or adds its record. */

static ngx_int_t
ngx_http_ilert_digest_get(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_http_ilert_store_digest_t **digest)
{
    if (ngx_http_ilert_digest_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    *digest = ngx_http_ilert_digest_of(work, source);

    if (*digest) {
        return NGX_OK;
    }

    *digest = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_digest_t));
    if (*digest == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    (*digest)->source = source;
    (*digest)->added = 1;

    ngx_queue_insert_tail(&work->digests, &(*digest)->queue);

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_digest_accepted(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_uint_t  level;

    if (!ngx_http_ilert_rules_is_state(ev->said.type)
        || ev->said.own == NGX_HTTP_ILERT_OWN_DIGEST)
    {
        return NGX_OK;
    }

    level = 0;

    if (ev->policy.digest.n && ev->said.type == NGX_HTTP_ILERT_ALERT
        && alert->row.urgency != NGX_HTTP_ILERT_SILENCED)
    {
        level = ngx_max(ev->said.level, NGX_HTTP_ILERT_INFO);
    }

    return ngx_http_ilert_digest_set_bad(work, alert, level, &ev->summary);
}


ngx_int_t
ngx_http_ilert_digest_silenced(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    return ngx_http_ilert_digest_set_bad(work, alert, 0, NULL);
}


/*
 * Notes that the alert is bad, with that level and summary, or that it is not
 * (0), and that the open digest of its source has to tell it.  The summary
 * must live until the work is saved.
 */

static ngx_int_t
ngx_http_ilert_digest_set_bad(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t level, ngx_str_t *summary)
{
    int64_t                         was;
    ngx_str_t                       text;
    ngx_http_ilert_store_digest_t  *digest;

    was = alert->row.bad;
    ngx_str_null(&text);

    if (level) {
        text = *summary;
        text.len = ngx_http_ilert_text_cut(&text, NGX_HTTP_ILERT_DIGEST_TEXT);
    }

    if (!ngx_http_ilert_text_same(&alert->summary, &text)) {
        alert->summary = text;
        alert->retold = 1;
    }

    if (was == (int64_t) level) {
        return NGX_OK;
    }

    alert->row.bad = level;

    if (level == 0 || was == 0) {
        alert->row.begun = level ? work->now : 0;
    }

    if (ngx_http_ilert_digest_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = ngx_http_ilert_digest_of(work, alert->row.source);

    if (digest && digest->state.opened && digest->state.changed == 0) {
        ngx_http_ilert_digest_change(&digest->state, 0, work->now);
        digest->changed = 1;
    }

    return NGX_OK;
}


/*
 * An alert that the digest lists is decided about once: when its event is
 * still as urgent as the rules say.  Then it is held, or made less urgent; so
 * what comes later has its turn before it, and only waits for the budget.
 */

ngx_int_t
ngx_http_ilert_digest_opens(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_digest_fate_e *fate)
{
    ngx_str_t                        summary;
    ngx_uint_t                       level, named, urgency, bits, listed;
    ngx_http_ilert_store_digest_t   *digest;
    ngx_http_ilert_digest_policy_t  *policy;

    policy = &take->policy.digest;
    level = ngx_max(ev->said.level, NGX_HTTP_ILERT_INFO);
    urgency = ngx_http_ilert_rules_urgency(&alert->shown, &ev->said);

    if (ngx_http_ilert_digest_get(work, take->id, &digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (digest->state.opened == 0
        && ngx_http_ilert_rules_stays_low(&alert->shown, &ev->said))
    {
        /* an earlier digest has named it, and nobody is called */

        *fate = NGX_HTTP_ILERT_DIGEST_LOWER;
        return NGX_OK;
    }

    if (alert->row.bad == 0) {

        /* a silence has held it, or there was no digest when it came */

        if (ngx_http_ilert_digest_summary(work, &ev->body, &summary) != NGX_OK
            || ngx_http_ilert_digest_set_bad(work, alert, level, &summary)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    *fate = (policy->members == NGX_HTTP_ILERT_MEMBERS_LOW)
            ? NGX_HTTP_ILERT_DIGEST_LOWER : NGX_HTTP_ILERT_DIGEST_LATER;

    /* what only the digest shows has to end, or the digest would not */

    listed = policy->members == NGX_HTTP_ILERT_MEMBERS_NONE
             && !ngx_http_ilert_alert_is_single(alert);

    if (digest->state.opened && !listed
        && ev->urgency >= ngx_http_ilert_digest_lesser(urgency))
    {
        return NGX_OK;
    }

    named = ngx_http_ilert_digest_named(&digest->state, alert->row.named);
    digest->changed = 1;

    if (ngx_http_ilert_digest_alone(&digest->state, policy, named != 0,
                                    work->now))
    {
        *fate = NGX_HTTP_ILERT_DIGEST_ALONE;
        return NGX_OK;
    }

    bits = (ev->said.priority != NGX_HTTP_ILERT_LOW)
           ? NGX_HTTP_ILERT_DIGEST_LOUD : 0;

    if (urgency == NGX_HTTP_ILERT_CRITICAL_FIRST) {
        bits |= NGX_HTTP_ILERT_DIGEST_HIGH;

        if (named != level) {
            bits |= NGX_HTTP_ILERT_DIGEST_UNNAMED;
        }
    }

    if (named == level) {
        digest->state.urgent |= bits;

    } else {
        ngx_http_ilert_digest_change(&digest->state, bits, work->now);
    }

    ngx_http_ilert_digest_keep(take);

    if (listed) {
        *fate = NGX_HTTP_ILERT_DIGEST_LISTED;
        return NGX_OK;
    }

    *fate = NGX_HTTP_ILERT_DIGEST_BEHIND;

    return ngx_http_ilert_digest_behind(work, alert,
                                        ngx_http_ilert_digest_lesser(urgency));
}


/* Finds the summary, or Kapacitor's message, in an event's body. */

static ngx_int_t
ngx_http_ilert_digest_summary(ngx_http_ilert_store_work_t *work,
    ngx_str_t *body, ngx_str_t *summary)
{
    ngx_http_ilert_json_member_t  members[2];

    ngx_memzero(members, sizeof(members));

    ngx_str_set(&members[0].name, "summary");
    ngx_str_set(&members[1].name, "message");

    ngx_str_null(summary);

    if (ngx_http_ilert_json_pick(body, members, 2) != NGX_OK) {
        return NGX_OK;
    }

    if (members[0].value.len == 0) {
        members[0] = members[1];
    }

    if (members[0].value.len < 2 || members[0].value.data[0] != '"') {
        return NGX_OK;
    }

    if (ngx_http_ilert_json_decode(&members[0].value, summary, work->pool)
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    return NGX_OK;
}


/* The urgency of an event that a digest lists, by its own. */

static ngx_uint_t
ngx_http_ilert_digest_lesser(ngx_uint_t urgency)
{
    return (urgency == NGX_HTTP_ILERT_CRITICAL_FIRST)
           ? NGX_HTTP_ILERT_OPENS : NGX_HTTP_ILERT_UPDATES;
}


static ngx_int_t
ngx_http_ilert_digest_behind(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t urgency)
{
    if (ngx_http_ilert_alert_set_urgency(work, alert,
                                         ngx_http_ilert_work_first(alert),
                                         urgency)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_alert_least(alert);
    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}


/* Keeps requests for the open digest, and for alerts that are new to it. */

static void
ngx_http_ilert_digest_keep(ngx_http_ilert_store_take_t *take)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {

        if (take->budgets[i] && take->budgets[i]->rate) {
            take->budgets[i]->kept = ngx_min(NGX_HTTP_ILERT_DIGEST_KEPT,
                                             take->budgets[i]->rate / 2);
        }
    }
}


ngx_int_t
ngx_http_ilert_digest_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    int64_t                         until, calm;
    ngx_uint_t                      made, ends;
    ngx_http_ilert_store_digest_t  *digest;

    if (ngx_http_ilert_digest_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = ngx_http_ilert_digest_of(work, take->id);

    if (digest == NULL) {
        return NGX_OK;
    }

    if (take->policy.digest.n == 0) {
        return ngx_http_ilert_digest_end(work, job, take, digest);
    }

    if (digest->state.opened == 0) {
        digest->removed = (digest->state.nalone == 0);
        return NGX_OK;
    }

    ngx_http_ilert_digest_keep(take);

    if (ngx_http_ilert_digest_look(work, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (digest->listed
        && take->policy.digest.members != NGX_HTTP_ILERT_MEMBERS_NONE
        && ngx_http_ilert_digest_free(work, take, digest) != NGX_OK)
    {
        return NGX_ERROR;
    }

    calm = digest->state.calm;

    ends = ngx_http_ilert_digest_ends(&digest->state, &take->policy.digest,
                              (take->policy.digest.members
                               == NGX_HTTP_ILERT_MEMBERS_NONE)
                              ? digest->listed : digest->left,
                              work->now, &until);

    digest->changed |= (digest->state.calm != calm);

    if (ends) {
        return ngx_http_ilert_digest_end(work, job, take, digest);
    }

    if (until) {
        ngx_http_ilert_work_due(work, until);
    }

    if (!ngx_http_ilert_digest_due(&digest->state, &take->policy.digest,
                                   work->now, &until))
    {
        if (until) {
            ngx_http_ilert_work_due(work, until);
        }

        return NGX_OK;
    }

    return ngx_http_ilert_digest_make(work, job, take, digest,
                                      NGX_HTTP_ILERT_ALERT, &made);
}


/* Counts what waits of the source, once in a job. */

static ngx_int_t
ngx_http_ilert_digest_look(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_digest_t *digest)
{
    ngx_uint_t                       i;
    ngx_array_t                      sources;
    ngx_http_ilert_store_counted_t  *source;

    if (digest->looked) {
        return NGX_OK;
    }

    digest->looked = 1;

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {

        if (source[i].id == digest->source) {
            digest->left = source[i].waiting[NGX_HTTP_ILERT_CRITICAL_FIRST]
                           + source[i].waiting[NGX_HTTP_ILERT_OPENS];
            digest->listed = source[i].waiting[NGX_HTTP_ILERT_LISTED];
        }
    }

    return NGX_OK;
}


/*
 * Ends the digest, if it is open, and lets go what it has held.  The record is
 * removed when all that is done.
 */

static ngx_int_t
ngx_http_ilert_digest_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_digest_t *digest)
{
    ngx_uint_t                made;
    ngx_http_ilert_digest_t  *state;

    state = &digest->state;

    if (ngx_http_ilert_digest_look(work, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (state->opened) {

        if (state->told) {
            if (ngx_http_ilert_digest_make(work, job, take, digest,
                                           NGX_HTTP_ILERT_RESOLVE, &made)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (!made) {
                return NGX_OK;
            }
        }

        state->opened = 0;
        state->changed = 0;
        state->told = 0;
        state->calm = 0;
        state->urgent = 0;
        digest->changed = 1;
    }

    if (digest->listed) {
        return ngx_http_ilert_digest_free(work, take, digest);
    }

    digest->removed = (state->nalone == 0 || take->policy.digest.n == 0);

    return NGX_OK;
}


/* Lets go a portion of the events that were listed instead of being sent. */

static ngx_int_t
ngx_http_ilert_digest_free(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_digest_t *digest)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_HELD;
    filter.source = take->id;
    filter.urgency = NGX_HTTP_ILERT_LISTED;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        if (ngx_http_ilert_alert_free(work, alert[i], 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (alerts.nelts == filter.limit) {
        work->more = 1;

    } else {
        digest->listed = 0;
    }

    return NGX_OK;
}


/*
 * Makes an event of the digest, and sets "made" to 1.  If the job has no event
 * id left, the next one makes it.
 */

static ngx_int_t
ngx_http_ilert_digest_make(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_digest_t *digest, ngx_uint_t type, ngx_uint_t *made)
{
    size_t                          size;
    ngx_uint_t                      i;
    ngx_array_t                     alerts;
    ngx_http_ilert_event_t          ev;
    ngx_http_ilert_digest_list_t    list;
    ngx_http_ilert_store_alert_t  **alert;

    *made = 0;

    if (job->made == job->nids) {
        work->more |= (job->nids != 0);
        return NGX_OK;
    }

    if (ngx_http_ilert_digest_members(work, take, digest, &alerts, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&ev, sizeof(ngx_http_ilert_event_t));

    ev.type = type;

    if (type == NGX_HTTP_ILERT_ALERT) {
        ev.priority = ngx_http_ilert_digest_priority(&digest->state);
    }

    size = ngx_max(take->policy.digest.max_size,
                   NGX_HTTP_ILERT_EVENT_MIN_SIZE);

    if (ngx_http_ilert_event_digest_key(&take->source, &ev.alert_key,
                                        work->pool)
        != NGX_OK
        || ngx_http_ilert_event_digest(&ev, &list, take->passthrough, size,
                                       work->pool)
           != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    alert = alerts.elts;

    for (i = 0; i < list.nmembers; i++) {

        if (list.members[i].named
            && !ngx_http_ilert_digest_may_open(&digest->state, take, alert[i]))
        {
            alert[i]->row.named = ngx_http_ilert_digest_named_as(
                                                    &digest->state,
                                                    list.members[i].level);
        }
    }

    ngx_http_ilert_digest_told(&digest->state, work->now);

    digest->changed = 1;
    *made = 1;

    return ngx_http_ilert_digest_put(work, job, take, &ev);
}


/*
 * Returns 1 if the alert may still open by itself, since its turn has not come
 * yet.  If the list counted as naming it, nobody would be called for it.
 */

static ngx_uint_t
ngx_http_ilert_digest_may_open(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert)
{
    return digest->nalone < take->policy.digest.n
           && ngx_http_ilert_digest_named(digest, alert->row.named) == 0
           && alert->row.state == NGX_HTTP_ILERT_STORE_READY
           && alert->row.head
           && (alert->row.urgency == NGX_HTTP_ILERT_CRITICAL_FIRST
               || (alert->row.urgency == NGX_HTTP_ILERT_OPENS
                   && alert->row.bad != NGX_HTTP_ILERT_CRITICAL));
}


/* Makes the list of what is bad; "alerts" are those of the list's members. */

static ngx_int_t
ngx_http_ilert_digest_members(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_digest_t *digest,
    ngx_array_t *alerts, ngx_http_ilert_digest_list_t *list)
{
    ngx_uint_t                       i;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;
    ngx_http_ilert_digest_member_t  *member;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));
    ngx_memzero(list, sizeof(ngx_http_ilert_digest_list_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_BAD;
    filter.source = take->id;
    filter.limit = NGX_HTTP_ILERT_STORE_DIGEST_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, alerts) != NGX_OK
        || work->store->backend->bad(work, take->id, list->bad) != NGX_OK)
    {
        return NGX_ERROR;
    }

    list->source = take->source;
    list->updates = (digest->state.told != 0);
    list->opened = digest->state.opened;
    list->now = work->now;
    list->nmembers = alerts->nelts;

    if (list->nmembers == 0) {
        return NGX_OK;
    }

    member = ngx_pcalloc(work->pool,
                         list->nmembers
                         * sizeof(ngx_http_ilert_digest_member_t));
    if (member == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    list->members = member;
    alert = alerts->elts;

    for (i = 0; i < list->nmembers; i++) {

        member[i].key = alert[i]->alert_key;
        member[i].summary = alert[i]->summary;
        member[i].level = alert[i]->row.bad;
        member[i].begun = alert[i]->row.begun;
        member[i].fresh = (ngx_http_ilert_digest_named(&digest->state,
                                                       alert[i]->row.named)
                           != member[i].level);

        digest->state.urgent |= ngx_http_ilert_digest_wants(alert[i]);
    }

    return NGX_OK;
}


/*
 * The bits of an alert that ilert shows, and so was told with a priority.  Of
 * others digest_opens() knows more.
 */

static ngx_uint_t
ngx_http_ilert_digest_wants(ngx_http_ilert_store_alert_t *alert)
{
    if (alert->shown.shows != NGX_HTTP_ILERT_SHOWS_OPEN
        || alert->shown.priority == NGX_HTTP_ILERT_LOW)
    {
        return 0;
    }

    return (alert->shown.priority == NGX_HTTP_ILERT_HIGH
            || alert->shown.level == NGX_HTTP_ILERT_CRITICAL)
           ? NGX_HTTP_ILERT_DIGEST_HIGH | NGX_HTTP_ILERT_DIGEST_LOUD
           : NGX_HTTP_ILERT_DIGEST_LOUD;
}


static ngx_uint_t
ngx_http_ilert_digest_priority(ngx_http_ilert_digest_t *digest)
{
    if (digest->urgent & NGX_HTTP_ILERT_DIGEST_HIGH) {
        return NGX_HTTP_ILERT_HIGH;
    }

    return (digest->urgent & NGX_HTTP_ILERT_DIGEST_LOUD)
           ? NGX_HTTP_ILERT_NO_PRIORITY : NGX_HTTP_ILERT_LOW;
}


/* Accepts the event that was made; a newer one takes the place of an older. */

static ngx_int_t
ngx_http_ilert_digest_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_event_t *made)
{
    ngx_http_ilert_store_alert_t  *alert;
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_event_t));
    if (ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ev->id = job->ids[job->made++];
    ev->source = take->source;
    ev->key = made->alert_key;
    ev->body = made->body;
    ev->passthrough = take->passthrough;
    ev->said.type = made->type;
    ev->said.level = made->level;
    ev->said.priority = made->priority;
    ev->said.own = NGX_HTTP_ILERT_OWN_DIGEST;
    ev->said.received = work->now;
    ev->policy.coalesce = NGX_HTTP_ILERT_COALESCE_LATEST;

    if (take->budgets[0]) {
        ev->owner = take->budgets[0]->name;
    }

    if (ngx_http_ilert_work_alert_of(work, ev, &alert) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_accept(work, alert, ev);
}


ngx_int_t
ngx_http_ilert_digest_holds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *holds)
{
    ngx_http_ilert_store_digest_t  *digest;

    *holds = 0;

    if (!ngx_http_ilert_digest_is_key(&alert->key)) {
        return NGX_OK;
    }

    if (ngx_http_ilert_digest_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = ngx_http_ilert_digest_of(work, take->id);

    *holds = (digest && digest->state.opened);

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_digest_query(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_digest_t   *digest;
    ngx_http_ilert_store_digests_t  *open;

    if (ngx_http_ilert_digest_load(work) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_queue_empty(&work->digests)
        && ngx_array_init(&query->digests, query->pool, 4,
                          sizeof(ngx_http_ilert_store_digests_t))
           != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    for (q = ngx_queue_head(&work->digests);
         q != ngx_queue_sentinel(&work->digests);
         q = ngx_queue_next(q))
    {
        digest = ngx_queue_data(q, ngx_http_ilert_store_digest_t, queue);

        if (digest->state.opened == 0) {
            continue;
        }

        open = ngx_array_push(&query->digests);
        if (open == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        open->source.len = digest->name.len;
        open->source.data = ngx_pnalloc(query->pool, digest->name.len + 1);
        if (open->source.data == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        ngx_memcpy(open->source.data, digest->name.data, digest->name.len);

        open->opened = digest->state.opened;
        open->told = digest->state.told;
        open->calm = digest->state.calm;

        if (work->store->backend->bad(work, digest->source, open->bad)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
