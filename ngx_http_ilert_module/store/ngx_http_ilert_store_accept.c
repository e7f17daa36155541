
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Decides what becomes of a new event: see the head of store_alert.c.
 */


static ngx_int_t ngx_http_ilert_accept_edges(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_accept_passed(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t *passed);
static ngx_http_ilert_store_waiting_t *ngx_http_ilert_accept_replaced(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static ngx_uint_t ngx_http_ilert_accept_goes_on(
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_accept_before(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown);
static ngx_int_t ngx_http_ilert_accept_first_said(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_said_t *said);
static ngx_int_t ngx_http_ilert_accept_dropped(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_accept_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t urgency);
static void ngx_http_ilert_accept_fill(ngx_http_ilert_store_waiting_t *waiting,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t since);
static void ngx_http_ilert_accept_join(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency);


ngx_int_t
ngx_http_ilert_alert_foresee(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_store_fate_t *fate)
{
    ngx_http_ilert_shown_t           shown;
    ngx_http_ilert_store_waiting_t  *last;

    if (ngx_http_ilert_accept_edges(work, alert) != NGX_OK) {
        return NGX_ERROR;
    }

    last = ngx_http_ilert_work_last(alert);

    fate->replaced = ngx_http_ilert_accept_replaced(alert, ev);

    if (ngx_http_ilert_accept_before(work, alert, fate->replaced, &shown)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev->urgency = ngx_http_ilert_rules_urgency(&shown, &ev->said);
    ev->said.repeat = 0;

    ev->said.since = work->now;

    if (ngx_http_ilert_accept_goes_on(fate->replaced, ev)) {
        ev->said.since = fate->replaced->since;
        ev->said.freed |= fate->replaced->said.freed;
    }

    fate->rule = NGX_HTTP_ILERT_GO;
    fate->alone = (last == NULL
                   || (fate->replaced && last->seq == alert->row.head));
    fate->until = 0;
    fate->hold = 0;

    if (!fate->alone) {
        return NGX_OK;
    }

    fate->rule = ngx_http_ilert_rules_judge(&ev->policy, &shown, &ev->said, 0,
                                            work->now, &fate->until);

    if (fate->rule == NGX_HTTP_ILERT_HOLD) {
        fate->hold = NGX_HTTP_ILERT_REPEATS;
        return NGX_OK;
    }

    if (fate->rule == NGX_HTTP_ILERT_DELAY) {
        fate->hold = NGX_HTTP_ILERT_HELD;
        return NGX_OK;
    }

    if (fate->rule != NGX_HTTP_ILERT_GO) {
        return NGX_OK;
    }

    if (fate->replaced && ngx_http_ilert_rules_held(fate->replaced->urgency)
        && ev->said.type == NGX_HTTP_ILERT_RESOLVE
        && shown.shows == NGX_HTTP_ILERT_SHOWS_RESOLVED)
    {
        /* with "coalesce off", too: it was never told, and now it is over */

        fate->rule = NGX_HTTP_ILERT_DROP;
        return NGX_OK;
    }

    return ngx_http_ilert_silence_holds(work, alert, &ev->said, &fate->hold,
                                        &fate->until);
}


/* Loads the last waiting events, by which all is decided, if some wait. */

static ngx_int_t
ngx_http_ilert_accept_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    if (alert->row.head == 0) {
        alert->edges = NGX_HTTP_ILERT_STORE_ALL;
    }

    return ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_BACK,
                                     0);
}


/*
 * The new event is added to the waiting ones, or takes the place of the last
 * one.  If no other one waits, it may be dropped or held at once.
 */

ngx_int_t
ngx_http_ilert_alert_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    ngx_uint_t                       urgency, turn, passed;
    ngx_http_ilert_store_row_t       was;
    ngx_http_ilert_store_fate_t      fate;
    ngx_http_ilert_store_waiting_t  *replaced;

    if (ev->silence) {
        alert->row.silence = ev->silence;
    }

    was = alert->row;

    if (ngx_http_ilert_accept_edges(work, alert) != NGX_OK
        || ngx_http_ilert_accept_passed(work, alert, ev, &passed) != NGX_OK
        || ngx_http_ilert_alert_foresee(work, alert, ev, &fate) != NGX_OK)
    {
        return NGX_ERROR;
    }

    urgency = ev->urgency;
    replaced = fate.replaced;

    /* an event that was refused need not wait any longer if it is replaced */

    turn = (replaced && replaced->seq == alert->row.head
            && alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
            && alert->row.next == NGX_HTTP_ILERT_STORE_RELEASED);

    /* a repeat that waits was counted as coalesced when it was found */

    ev->coalesced = passed + (replaced && !replaced->said.repeat)
                    + (fate.rule == NGX_HTTP_ILERT_DROP
                       || fate.rule == NGX_HTTP_ILERT_HOLD);

    ev->silenced = (fate.hold == NGX_HTTP_ILERT_SILENCED);

    if (fate.rule == NGX_HTTP_ILERT_DROP) {
        return ngx_http_ilert_accept_dropped(work, alert, replaced, ev);
    }

    if (ev->said.repeat) {
        urgency = NGX_HTTP_ILERT_REPEATS;
    }

    if (fate.hold) {
        urgency = fate.hold;
    }

    if (ngx_http_ilert_accept_put(work, alert, replaced, ev, urgency)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (fate.hold) {
        return ngx_http_ilert_alert_hold(work, alert, fate.hold, fate.until);
    }

    if (turn) {
        ngx_http_ilert_alert_ready(alert);
    }

    ngx_http_ilert_accept_join(alert, fate.alone, urgency);

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
 * Of ALERTs that a silence or a digest holds only the newest state counts.  If
 * events that set no state wait behind one, a new one cannot take its place:
 * then it is removed, "passed" is 1, and they need not wait any longer.
 */

static ngx_int_t
ngx_http_ilert_accept_passed(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t *passed)
{
    ngx_http_ilert_store_waiting_t  *first, *last;

    *passed = 0;

    last = ngx_http_ilert_work_last(alert);

    if (last == NULL || ngx_http_ilert_rules_is_state(last->said.type)
        || alert->row.state != NGX_HTTP_ILERT_STORE_WAITING
        || (alert->row.urgency != NGX_HTTP_ILERT_SILENCED
            && alert->row.urgency != NGX_HTTP_ILERT_LISTED)
        || !ngx_http_ilert_rules_is_state(ev->said.type))
    {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    first = ngx_http_ilert_work_first(alert);

    if (first && first->seq == alert->row.head) {

        if (ngx_http_ilert_alert_drop(work, alert, first) != NGX_OK) {
            return NGX_ERROR;
        }

        *passed = 1;
    }

    return NGX_OK;
}


/*
 * Returns the waiting event that a new one replaces, or NULL.  An event that
 * is under way must not be replaced.
 */

static ngx_http_ilert_store_waiting_t *
ngx_http_ilert_accept_replaced(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_http_ilert_store_waiting_t  *last;

    last = ngx_http_ilert_work_last(alert);

    if (last == NULL || (alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN
                         && last->seq == alert->row.head))
    {
        return NULL;
    }

    if ((last->said.own == NGX_HTTP_ILERT_OWN_SILENT
         || ngx_http_ilert_rules_held(last->urgency))
        && ngx_http_ilert_rules_is_state(ev->said.type))
    {
        /*
         * The RESOLVE was ours, after silence, but now there is news; or of
         * what is held back only the newest state counts.
         */

        return last;
    }

    return ngx_http_ilert_rules_replaces(&ev->policy, &last->said, &ev->said)
           ? last : NULL;
}


/*
 * Returns 1 if the new event and the one that it replaces are RESOLVEs: then
 * "resolve_delay" counts from the first one.
 */

static ngx_uint_t
ngx_http_ilert_accept_goes_on(ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev)
{
    return replaced && replaced->said.type == NGX_HTTP_ILERT_RESOLVE
           && ev->said.type == NGX_HTTP_ILERT_RESOLVE;
}


/*
 * Finds out what ilert will show when the new event's turn comes, after the
 * events that wait before it.  The last one of these tells it; if that is
 * a comment or the like, which sets no state, the first one does.
 */

static ngx_int_t
ngx_http_ilert_accept_before(ngx_http_ilert_store_work_t *work,
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
        if (ngx_http_ilert_accept_first_said(work, alert, &said) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_ilert_rules_told(shown, &said, 0);
    }

    ngx_http_ilert_rules_told(shown, &before->said, 0);

    return NGX_OK;
}


/* Sets "said" to that of the first event, which may have to be read. */

static ngx_int_t
ngx_http_ilert_accept_first_said(ngx_http_ilert_store_work_t *work,
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
ngx_http_ilert_accept_dropped(ngx_http_ilert_store_work_t *work,
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
 * another one, whose turn and "since" it gets.  If it replaces a repeat, or
 * another one that was held, and is not held likewise, or the other way round,
 * it goes to the end: how long that one has waited says nothing about news.
 */

static ngx_int_t
ngx_http_ilert_accept_put(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t urgency)
{
    int64_t                          accepted, since;
    ngx_http_ilert_store_waiting_t  *waiting;

    since = work->now;

    if (replaced && replaced->urgency != urgency
        && (replaced->urgency >= NGX_HTTP_ILERT_REPEATS
            || urgency == NGX_HTTP_ILERT_HELD)
        && !ngx_http_ilert_accept_goes_on(replaced, ev))
    {
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
        since = ngx_min(waiting->since, work->now);

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

    ngx_http_ilert_accept_fill(waiting, ev, urgency, since);

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
ngx_http_ilert_accept_fill(ngx_http_ilert_store_waiting_t *waiting,
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
    waiting->damaged = (waiting->empty
                        && ev->said.own == NGX_HTTP_ILERT_OWN_NONE);
    waiting->ev = ev;

    ngx_str_null(&waiting->body);
}


/*
 * The alert has another event.  If a repeat is held, it may go now, so that
 * the new event need not wait for its time; and so may the event that has
 * taken the place of one that was held.
 */

static void
ngx_http_ilert_accept_join(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency)
{
    if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
        && (alert->row.urgency == NGX_HTTP_ILERT_REPEATS
            || (alone && ngx_http_ilert_rules_held(alert->row.urgency))))
    {
        ngx_http_ilert_alert_ready(alert);
    }

    if (ngx_http_ilert_rules_held(alert->row.urgency) && !alone) {

        /* the new event waits as long as the one that is held */

        return;
    }

    if (alone) {
        alert->row.urgency = urgency;

    } else if (alert->row.urgency != NGX_HTTP_ILERT_STORE_LEAST) {
        alert->row.urgency = ngx_min(alert->row.urgency, (int64_t) urgency);
    }
}
