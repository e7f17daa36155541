
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
 *                again, or it is a held repeat; or next is .._RELEASED, since
 *                ilert refuses all of its source, and it may go when the
 *                source is released, or when it is its turn
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
 *        pulls those before it.  While a repeat is held, it is REPEATS.
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
static ngx_int_t ngx_http_ilert_alert_told(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said);
static ngx_int_t ngx_http_ilert_alert_again(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_gone(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_letter(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_event_t *ev);
static ngx_http_ilert_store_waiting_t *ngx_http_ilert_alert_replaced(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_before(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown);
static ngx_int_t ngx_http_ilert_alert_first_said(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_said_t *said);
static ngx_int_t ngx_http_ilert_alert_accept_dropped(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_alert_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t urgency);
static void ngx_http_ilert_alert_fill(ngx_http_ilert_store_waiting_t *waiting,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t since);
static void ngx_http_ilert_alert_join(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency);


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
    if (ngx_http_ilert_alert_remove(work, alert, first) != NGX_OK
        || ngx_http_ilert_alert_told(work, alert, &ev->said) != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->row.delivered = work->now;

    return ngx_http_ilert_alert_advance(work, alert, work->now, work->now);
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

    opens = (said->type == NGX_HTTP_ILERT_ALERT && alert->row.opened == 0);
    ends = (said->type == NGX_HTTP_ILERT_RESOLVE && alert->row.opened != 0);

    if (!opens && !ends) {
        return NGX_OK;
    }

    alert->row.opened = opens ? work->now : 0;

    return ngx_http_ilert_work_tally_open(work, alert->row.source,
                                          opens ? 1 : -1);
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


ngx_int_t
ngx_http_ilert_alert_foresee(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_store_fate_t *fate)
{
    ngx_http_ilert_shown_t           shown;
    ngx_http_ilert_store_waiting_t  *last;

    last = ngx_http_ilert_work_last(alert);

    fate->replaced = ngx_http_ilert_alert_replaced(alert, ev);

    if (ngx_http_ilert_alert_before(work, alert, fate->replaced, &shown)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev->urgency = ngx_http_ilert_rules_urgency(&shown, &ev->said);
    ev->said.repeat = 0;

    fate->rule = NGX_HTTP_ILERT_GO;
    fate->alone = (last == NULL
                   || (fate->replaced && last->seq == alert->row.head));
    fate->until = 0;

    if (fate->alone) {
        fate->rule = ngx_http_ilert_rules_judge(&ev->policy, &shown, &ev->said,
                                                0, work->now, &fate->until);
    }

    return NGX_OK;
}


/*
 * The new event is added to the waiting ones, or takes the place of the last
 * one.  If no other one waits, it may be dropped or held at once.
 */

ngx_int_t
ngx_http_ilert_alert_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_uint_t                       urgency, turn;
    ngx_http_ilert_store_row_t       was;
    ngx_http_ilert_store_fate_t      fate;
    ngx_http_ilert_store_waiting_t  *replaced;

    if (ev->silence) {
        alert->row.silence = ev->silence;
    }

    was = alert->row;

    if (ngx_http_ilert_alert_foresee(work, alert, ev, &fate) != NGX_OK) {
        return NGX_ERROR;
    }

    urgency = ev->urgency;
    replaced = fate.replaced;

    /* an event that was refused need not wait any longer if it is replaced */

    turn = (replaced && replaced->seq == alert->row.head
            && alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
            && alert->row.next == NGX_HTTP_ILERT_STORE_RELEASED);

    /* a repeat that waits was counted as coalesced when it was found */

    ev->coalesced = (replaced && !replaced->said.repeat)
                    + (fate.rule != NGX_HTTP_ILERT_GO);

    if (fate.rule == NGX_HTTP_ILERT_DROP) {
        return ngx_http_ilert_alert_accept_dropped(work, alert, replaced, ev);
    }

    if (ev->said.repeat) {
        urgency = NGX_HTTP_ILERT_REPEATS;
    }

    if (ngx_http_ilert_alert_put(work, alert, replaced, ev, urgency)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (fate.rule == NGX_HTTP_ILERT_HOLD) {
        ngx_http_ilert_alert_hold(alert, fate.until, work->now);
        ngx_http_ilert_work_show(work, alert);
        return NGX_OK;
    }

    if (turn) {
        ngx_http_ilert_alert_ready(alert);
    }

    ngx_http_ilert_alert_join(alert, fate.alone, urgency);

    if (replaced && !fate.alone) {

        /* the event that was replaced may have been the most urgent one */

        ngx_http_ilert_alert_least(alert);
    }

    /* an event behind others mostly changes nothing in the alert's row */

    if (alert->added || alert->damaged
        || ngx_memcmp(&was, &alert->row, sizeof(was)) != 0)
    {
        ngx_http_ilert_work_show(work, alert);
    }

    return NGX_OK;
}


/*
 * Returns the waiting event that a new one replaces, or NULL.  An event that
 * is under way must not be replaced.
 */

static ngx_http_ilert_store_waiting_t *
ngx_http_ilert_alert_replaced(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_store_waiting_t  *last;

    last = ngx_http_ilert_work_last(alert);

    if (last == NULL || (alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN
                         && last->seq == alert->row.head))
    {
        return NULL;
    }

    if (last->own && ngx_http_ilert_rules_is_state(ev->said.type)) {

        /* the RESOLVE was ours, after silence, but now there is news */

        return last;
    }

    return ngx_http_ilert_rules_replaces(&ev->policy, &last->said, &ev->said)
           ? last : NULL;
}


/*
 * Finds out what ilert will show when the new event's turn comes, after the
 * events that wait before it.  The last one of these tells it; if that is
 * a comment or the like, which sets no state, the first one does.
 */

static ngx_int_t
ngx_http_ilert_alert_before(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_said_t            said;
    ngx_http_ilert_store_waiting_t  *before;

    *shown = alert->shown;

    q = replaced ? ngx_queue_prev(&replaced->queue)
                 : ngx_queue_last(&alert->waiting);

    if (q == ngx_queue_sentinel(&alert->waiting)) {
        return NGX_OK;
    }

    before = ngx_queue_data(q, ngx_http_ilert_store_waiting_t, queue);

    if (before->seq != alert->row.head
        && !ngx_http_ilert_rules_is_state(before->said.type))
    {
        if (ngx_http_ilert_alert_first_said(work, alert, &said) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_ilert_rules_told(shown, &said, 0);
    }

    ngx_http_ilert_rules_told(shown, &before->said, 0);

    return NGX_OK;
}


/* Sets "said" to that of the first event, which may have to be read. */

static ngx_int_t
ngx_http_ilert_alert_first_said(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said)
{
    ngx_array_t                      events;
    ngx_http_ilert_store_waiting_t  *first;

    if (alert->edges == NGX_HTTP_ILERT_STORE_ALL) {
        *said = ngx_http_ilert_work_first(alert)->said;
        return NGX_OK;
    }

    if (ngx_array_init(&events, work->pool, 1,
                       sizeof(ngx_http_ilert_store_waiting_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->events(work, alert->id, 0, 1, &events)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = events.elts;

    ngx_memzero(said, sizeof(ngx_http_ilert_said_t));

    if (events.nelts) {
        *said = first->said;
    }

    return NGX_OK;
}


/*
 * The new event is dropped, so it counts as gone, although it has no seq.  By
 * "gone" it must be later than all dead letters of its alert, but not later
 * than the next event.  Only first_seq is sure to be both: a seq that this job
 * gives out may be given out again, if nothing with it is saved.
 */

static ngx_int_t
ngx_http_ilert_alert_accept_dropped(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev)
{
    int64_t  accepted;

    accepted = alert->row.accepted;

    if (replaced
        && ngx_http_ilert_alert_remove(work, alert, replaced) != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->row.accepted = ev->body.len ? ngx_max(accepted, ev->said.received)
                                       : accepted;
    alert->row.gone = ngx_max(alert->row.gone, work->first_seq);

    if (ngx_http_ilert_alert_set_source(work, alert, ev->source_id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_advance(work, alert, ev->said.received,
                                        work->now);
}


/*
 * Puts the new event at the end of the waiting ones, or in the place of
 * another one, whose turn and "since" it gets.  If it replaces a repeat and is
 * none itself, it goes to the end: how long a repeat has waited says nothing
 * about news.
 */

static ngx_int_t
ngx_http_ilert_alert_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t urgency)
{
    int64_t                          accepted, since;
    ngx_http_ilert_store_waiting_t  *waiting;

    since = work->now;

    if (replaced && replaced->said.repeat && !ev->said.repeat) {

        accepted = alert->row.accepted;

        if (ngx_http_ilert_alert_remove(work, alert, replaced) != NGX_OK) {
            return NGX_ERROR;
        }

        alert->row.accepted = accepted;

        if (alert->row.head == replaced->seq) {
            alert->row.head = 0;
        }

        replaced = NULL;
    }

    if (replaced) {
        waiting = replaced;
        since = waiting->since;

        if (ngx_http_ilert_work_tally(work,
                              ngx_http_ilert_alert_source_of(alert, waiting),
                              waiting->urgency, -1)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_change(alert, waiting,
                                   NGX_HTTP_ILERT_STORE_REPLACED);

    } else {
        waiting = ngx_pcalloc(work->pool,
                              sizeof(ngx_http_ilert_store_waiting_t));
        if (waiting == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        waiting->seq = work->next_seq++;

        ngx_queue_insert_tail(&alert->waiting, &waiting->queue);

        ngx_http_ilert_work_change(alert, waiting,
                                   NGX_HTTP_ILERT_STORE_ADDED);
    }

    ngx_http_ilert_alert_fill(waiting, ev, urgency, since);

    ev->alert = alert->id;
    ev->seq = waiting->seq;

    if (alert->row.head == 0) {
        alert->row.head = ev->seq;
        alert->row.since = since;
        alert->row.changed = work->now;
    }

    if (alert->row.head == ev->seq
        && ngx_http_ilert_alert_set_source(work, alert, ev->source_id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_work_tally(work, ev->source_id, urgency, 1);
}


static void
ngx_http_ilert_alert_fill(ngx_http_ilert_store_waiting_t *waiting,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t since)
{
    waiting->since = since;
    waiting->urgency = urgency;
    waiting->said = ev->said;
    waiting->id = ev->id;
    waiting->source = ev->source_id;
    waiting->passthrough = ev->passthrough;
    waiting->again = ev->again;
    waiting->empty = (ev->body.len == 0);
    waiting->own = (waiting->empty
                    && ev->said.type == NGX_HTTP_ILERT_RESOLVE);
    waiting->damaged = (waiting->empty && !waiting->own);
    waiting->ev = ev;

    ngx_str_null(&waiting->body);
}


/*
 * The alert has another event.  If a repeat is held, it may go now, so that
 * the new event need not wait for its time.
 */

static void
ngx_http_ilert_alert_join(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency)
{
    if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
        && alert->row.urgency == NGX_HTTP_ILERT_REPEATS)
    {
        ngx_http_ilert_alert_ready(alert);
    }

    if (alone) {
        alert->row.urgency = urgency;

    } else if (alert->row.urgency != NGX_HTTP_ILERT_STORE_LEAST) {
        alert->row.urgency = ngx_min(alert->row.urgency, (int64_t) urgency);
    }
}


void
ngx_http_ilert_alert_ready(ngx_http_ilert_store_alert_t *alert)
{
    alert->row.state = NGX_HTTP_ILERT_STORE_READY;
    alert->row.next = 0;
}


/*
 * If the clock was set back since ilert was told, "told" becomes now: so the
 * time of "repeat" begins anew, but only once.
 */

void
ngx_http_ilert_alert_hold(ngx_http_ilert_store_alert_t *alert, int64_t until,
    int64_t now)
{
    alert->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->row.next = until;
    alert->row.urgency = NGX_HTTP_ILERT_REPEATS;
    alert->row.since = until;
    alert->shown.told = ngx_min(alert->shown.told, now);
}
