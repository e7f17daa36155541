
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Decides what becomes of an alert and of its events.
 *
 * An alert has waiting events, in the order of their commits (seq), and one of
 * three states:
 *
 *     READY      the first event may go, or nothing waits (head is 0)
 *     TAKEN      the first event is under way
 *     WAITING    the first event may go at a time (next): it is to be tried
 *                again, or it is held back, see below; or next is
 *                .._RELEASED, since ilert refuses all of its source, and it
 *                may go when the source is released, or when it is its turn
 *
 * The first event is held back, and row.urgency says by what: it is a repeat
 * (REPEATS), a RESOLVE for which there is a delay (HELD), an ALERT that
 * a silence holds (SILENCED), or one that a digest lists in its place
 * (LISTED).  If news come, they take its place.
 *
 * A new event goes to the end of the waiting ones, or takes the place of the
 * last one, or is dropped at once if ilert shows already what it says.  Later
 * it is delivered, or becomes a dead letter, or is dropped when its turn
 * comes, or an operator discards it.
 *
 * Invariants, whenever a transaction ends:
 *
 *     1  head is the seq of the first event, or 0.  Only the first event can
 *        be under way, and it is not changed meanwhile.
 *     2  urgency is that of the most urgent event, so that an urgent event
 *        pulls those before it.  While the first event is held back, it is
 *        what that one is held by.
 *     3  shows is what ilert shows, by all that was delivered; or unknown,
 *        after a dead letter, after an attempt whose outcome is not known, and
 *        in a new epoch.
 *     4  gone is not less than the seq of any event that waits no longer.
 *     5  source is that of the first event, or of the last one that there was.
 *     6  The counts of a source agree with its events and open alerts.
 *
 * Nothing is written to the database here, and little is read.  The events
 * that a decision needs have been loaded before: the first two for a verdict,
 * the last two for a new event.  Changes are saved when all is decided.  Two
 * things are looked up here: another alert with the same key, in set_source(),
 * and the first event if the last two are comments, in first_said().
 */


static ngx_int_t ngx_http_ilert_alert_unsent(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_done(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_reopened(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_not_reopened(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_alert_follow(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_alert_told(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said);
static ngx_int_t ngx_http_ilert_alert_again(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_gone(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_letter(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_event_t *ev);


int64_t
ngx_http_ilert_alert_source_of(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev)
{
    return ev->source ? ev->source : alert->row.source;
}


ngx_int_t
ngx_http_ilert_alert_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without)
{
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    if (first == NULL || first->seq != ev->seq || first->id != ev->id) {
        return ngx_http_ilert_alert_gone(work, alert, ev);
    }

    switch (ev->verdict) {

    case NGX_HTTP_ILERT_STORE_DONE:
        return ngx_http_ilert_alert_done(work, alert, first, ev);

    case NGX_HTTP_ILERT_STORE_AGAIN:
        return ngx_http_ilert_alert_again(work, alert, first, ev);

    case NGX_HTTP_ILERT_STORE_DEAD:

        if (ev->said.own == NGX_HTTP_ILERT_OWN_REOPEN) {
            return ngx_http_ilert_alert_not_reopened(work, alert);
        }

        return ngx_http_ilert_alert_dead(work, job, alert, first, ev, without);

    default: /* NGX_HTTP_ILERT_STORE_UNSENT */
        return ngx_http_ilert_alert_unsent(work, alert, ev);
    }
}


static ngx_int_t
ngx_http_ilert_alert_unsent(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    if (alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN
        && alert->row.head == ev->seq)
    {
        alert->row.state = NGX_HTTP_ILERT_STORE_READY;
        ngx_http_ilert_work_show(work, alert);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_alert_done(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev)
{
    ngx_uint_t  lower;

    if (ev->said.own == NGX_HTTP_ILERT_OWN_REOPEN) {
        return ngx_http_ilert_alert_reopened(work, alert, ev);
    }

    lower = (ev->lower && alert->shown.shows != NGX_HTTP_ILERT_SHOWS_OPEN);

    if (ngx_http_ilert_alert_remove(work, alert, first) != NGX_OK
        || ngx_http_ilert_alert_told(work, alert, &ev->said) != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->shown.lowered |= lower;
    alert->row.delivered = work->now;

    return ngx_http_ilert_alert_advance(work, alert, work->now, work->now);
}


/*
 * The RESOLVE before the alert's first event, which is to open it again, was
 * delivered.  The event itself goes now.
 */

static ngx_int_t
ngx_http_ilert_alert_reopened(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_said_t  said;

    said = ev->said;
    said.level = NGX_HTTP_ILERT_OK;
    said.priority = NGX_HTTP_ILERT_NO_PRIORITY;
    said.severity = 0;
    said.message = 0;

    if (ngx_http_ilert_alert_told(work, alert, &said) != NGX_OK) {
        return NGX_ERROR;
    }

    alert->row.delivered = work->now;

    return ngx_http_ilert_alert_follow(work, alert);
}


/*
 * That RESOLVE was refused.  The event goes without it, and as news in any
 * case, since nobody knows what ilert shows now.
 */

static ngx_int_t
ngx_http_ilert_alert_not_reopened(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    alert->shown.lowered = 0;

    return ngx_http_ilert_alert_follow(work, alert);
}


/*
 * The event itself goes now.  It waits since the same time as before, which is
 * later than when it came if a silence has held it.
 */

static ngx_int_t
ngx_http_ilert_alert_follow(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int64_t  since;

    since = alert->row.since;
    alert->row.changed = work->now;

    if (ngx_http_ilert_alert_rehead(work, alert) != NGX_OK) {
        return NGX_ERROR;
    }

    alert->row.since = since;

    return NGX_OK;
}


/*
 * Notes what ilert was told by an event that was delivered, and whether the
 * alert is open by that.
 */

static ngx_int_t
ngx_http_ilert_alert_told(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said)
{
    ngx_uint_t  opens, ends;

    ngx_http_ilert_rules_told(&alert->shown, said, work->now);

    opens = (said->type == NGX_HTTP_ILERT_ALERT && alert->row.opened == 0
             && !ngx_http_ilert_alert_is_single(alert));
    ends = (said->type == NGX_HTTP_ILERT_RESOLVE && alert->row.opened != 0);

    if (!opens && !ends) {
        return NGX_OK;
    }

    alert->row.opened = opens ? work->now : 0;

    return ngx_http_ilert_work_tally_open(work, alert->row.source,
                                          opens ? 1 : -1);
}


ngx_uint_t
ngx_http_ilert_alert_is_single(ngx_http_ilert_store_alert_t *alert)
{
    ngx_str_t  *key;

    static ngx_str_t  begins = ngx_string(NGX_HTTP_ILERT_EVENT_SINGLE);

    key = &alert->key;

    return key->len > begins.len
           && ngx_memcmp(key->data, begins.data, begins.len) == 0;
}


/*
 * The event has to be tried again.  If ilert has refused it for no fault of
 * the event, this does not count as an attempt.
 */

static ngx_int_t
ngx_http_ilert_alert_again(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev)
{
    if (!ev->refused) {
        first->attempted = 1;
        ngx_http_ilert_work_change(alert, first, first->change);
    }

    alert->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->row.next = ev->next;
    alert->row.changed = work->now;

    if (ev->maybe) {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    }

    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}


void
ngx_http_ilert_alert_keep(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *first)
{
    first->again = 1;
    first->attempted = 1;
    ngx_http_ilert_work_change(alert, first, first->change);

    alert->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->row.next = NGX_HTTP_ILERT_STORE_RELEASED;
    alert->row.changed = work->now;

    ngx_http_ilert_work_show(work, alert);
}


/*
 * The event of the verdict does not wait any longer, since somebody has
 * deleted its row.  The next event becomes the head, and what ilert was told
 * is not known.
 */

static ngx_int_t
ngx_http_ilert_alert_gone(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    if (alert->row.head != ev->seq || (first && first->seq == ev->seq)) {
        return NGX_OK;
    }

    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    return ngx_http_ilert_alert_advance(work, alert, 0, work->now);
}


/*
 * What ilert shows becomes unknown: if it has refused a RESOLVE of an alert
 * that it shows, the next ALERT must not be taken for a repeat.
 */

ngx_int_t
ngx_http_ilert_alert_dead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    if (ngx_http_ilert_alert_drop(work, alert, first) != NGX_OK) {
        return NGX_ERROR;
    }

    if (without & NGX_HTTP_ILERT_STORE_NO_DEAD) {
        job->dropped++;
        return NGX_OK;
    }

    return ngx_http_ilert_alert_letter(work, ev);
}


static ngx_int_t
ngx_http_ilert_alert_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_store_ident_t   *source;
    ngx_http_ilert_store_letter_t  *letter;

    if (ngx_http_ilert_work_source(work, &ev->source, &ev->owner, &source)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    letter = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_letter_t));
    if (letter == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    letter->seq = ev->seq;
    letter->id = ev->id;
    letter->source_id = source->id;
    letter->key = ev->key;
    letter->said = ev->said;
    letter->passthrough = ev->passthrough;
    letter->died = work->now;
    letter->status = ev->status;
    letter->error = ev->error;
    letter->body = ev->body;

    ngx_queue_insert_tail(&work->letters, &letter->queue);

    work->total.dead_bytes += ev->body.len;
    work->store->buried = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_alert_drop(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev)
{
    if (ngx_http_ilert_alert_remove(work, alert, ev) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_advance(work, alert, ev->said.received,
                                        work->now);
}


ngx_int_t
ngx_http_ilert_alert_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev)
{
    if (!ev->empty) {
        alert->row.accepted = ngx_max(alert->row.accepted, ev->said.received);
    }

    ngx_queue_remove(&ev->queue);

    ngx_http_ilert_work_change(alert, ev, NGX_HTTP_ILERT_STORE_REMOVED);

    return ngx_http_ilert_work_tally(work,
                                    ngx_http_ilert_alert_source_of(alert, ev),
                                    ev->urgency, -1);
}


/*
 * The urgency of the next event was found when it came, by what was to be sent
 * before it.  That may have had another outcome, so rehead() finds it again.
 */

ngx_int_t
ngx_http_ilert_alert_advance(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now)
{
    alert->row.gone = ngx_max(alert->row.gone, alert->row.head);
    alert->row.last = ngx_max(alert->row.last, last);
    alert->row.changed = now;

    return ngx_http_ilert_alert_rehead(work, alert);
}


ngx_int_t
ngx_http_ilert_alert_rehead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_int_t                        rc;
    ngx_uint_t                       urgency;
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    alert->row.state = NGX_HTTP_ILERT_STORE_READY;
    alert->row.next = 0;
    alert->row.urgency = NGX_HTTP_ILERT_UPDATES;

    if (first == NULL) {
        alert->row.head = 0;
        alert->row.since = 0;
        ngx_http_ilert_work_show(work, alert);
        return NGX_OK;
    }

    alert->row.head = first->seq;
    alert->row.since = first->since;

    urgency = ngx_http_ilert_rules_urgency(&alert->shown, &first->said);

    if (urgency != first->urgency && !first->said.repeat) {
        rc = ngx_http_ilert_alert_set_urgency(work, alert, first, urgency);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_alert_set_source(work, alert, first->source);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_ilert_alert_least(alert);
    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}


/*
 * Has no effect if the source has another alert with this key, which a process
 * of an earlier release has made.  Until that one is adopted, the event is
 * delivered as one of the alert's present source, which has the same
 * integration key.
 */

ngx_int_t
ngx_http_ilert_alert_set_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *other;

    if (source == 0 || source == alert->row.source) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_work_find_alert(work, 0, source, &alert->key, &other);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (alert->row.opened) {

        if (ngx_http_ilert_work_tally_open(work, alert->row.source, -1)
            != NGX_OK
            || ngx_http_ilert_work_tally_open(work, source, 1) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    alert->row.source = source;

    /* this job may have looked for events of that source already */

    work->more = 1;

    return NGX_OK;
}


void
ngx_http_ilert_alert_least(ngx_http_ilert_store_alert_t *alert)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_waiting_t  *ev;

    if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
        && ngx_http_ilert_rules_held(alert->row.urgency))
    {
        /* others wait as long as the first one is held */

        return;
    }

    if (alert->edges != NGX_HTTP_ILERT_STORE_ALL) {
        alert->row.urgency = NGX_HTTP_ILERT_STORE_LEAST;
        return;
    }

    alert->row.urgency = NGX_HTTP_ILERT_UPDATES;

    for (q = ngx_queue_head(&alert->waiting);
         q != ngx_queue_sentinel(&alert->waiting);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_waiting_t, queue);

        alert->row.urgency = ngx_min(alert->row.urgency,
                                     (int64_t) ev->urgency);
    }
}


ngx_int_t
ngx_http_ilert_alert_set_urgency(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev,
    ngx_uint_t urgency)
{
    int64_t     source;
    ngx_uint_t  was;

    was = ev->urgency;
    ev->urgency = urgency;

    ngx_http_ilert_work_change(alert, ev, NGX_HTTP_ILERT_STORE_RERATED);

    source = ngx_http_ilert_alert_source_of(alert, ev);

    if (ngx_http_ilert_work_tally(work, source, was, -1) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_work_tally(work, source, urgency, 1);
}


void
ngx_http_ilert_alert_ready(ngx_http_ilert_store_alert_t *alert)
{
    alert->row.state = NGX_HTTP_ILERT_STORE_READY;
    alert->row.next = 0;
}


ngx_int_t
ngx_http_ilert_alert_free(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t freed)
{
    ngx_uint_t                       urgency;
    ngx_http_ilert_store_waiting_t  *first;

    ngx_http_ilert_alert_ready(alert);

    if (!ngx_http_ilert_rules_held(alert->row.urgency)) {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = ngx_http_ilert_work_first(alert);

    if (first == NULL) {
        alert->row.urgency = NGX_HTTP_ILERT_UPDATES;
        return NGX_OK;
    }

    if (freed) {
        first->said.freed = 1;
    }

    urgency = ngx_http_ilert_rules_urgency(&alert->shown, &first->said);

    if (ngx_http_ilert_alert_set_urgency(work, alert, first, urgency)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* it may go, and so it waits for its turn, from now on */

    alert->row.since = work->now;
    ngx_http_ilert_alert_least(alert);

    return NGX_OK;
}


/*
 * If the clock was set back since ilert was told, "told" becomes now: so the
 * time of "repeat" begins anew, but only once.
 */

ngx_int_t
ngx_http_ilert_alert_hold(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t urgency, int64_t until)
{
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    if (first->urgency != urgency
        && ngx_http_ilert_alert_set_urgency(work, alert, first, urgency)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->row.next = until;
    alert->row.urgency = urgency;

    if (urgency == NGX_HTTP_ILERT_REPEATS) {
        alert->row.since = until;
    }

    if (alert->shown.told > work->now) {
        alert->shown.told = work->now;
    }

    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}
