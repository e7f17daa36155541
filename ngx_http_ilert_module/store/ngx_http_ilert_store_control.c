
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Carries out orders of operators: dead letters are replayed or discarded,
 * a source is paused or resumed, its waiting events are discarded, or refused
 * webhooks are, an alert is resolved.  Those about silences are carried out by
 * store_silence_order.c.
 *
 * An order may concern any number of records, but a job goes through a bounded
 * number of them: "more" says that some are left, and "next" says where the
 * next job goes on.  Each record is gone through once, so an order comes to an
 * end, even if events come in all the time.
 */


/* what a job goes through for an order: letters and their bytes, or events */

#define NGX_HTTP_ILERT_CONTROL_LETTERS  100
#define NGX_HTTP_ILERT_CONTROL_BYTES    (4 * 1024 * 1024)
#define NGX_HTTP_ILERT_CONTROL_EVENTS   1000

/* refused webhooks, likewise */

#define NGX_HTTP_ILERT_CONTROL_REFUSED  100


static ngx_int_t ngx_http_ilert_control_order(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order);
static ngx_int_t ngx_http_ilert_control_has_left(
    ngx_http_ilert_store_work_t *work, ngx_str_t *name, ngx_uint_t *left);
static ngx_int_t ngx_http_ilert_control_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order);
static ngx_int_t ngx_http_ilert_control_letter(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order);
static ngx_int_t ngx_http_ilert_control_replay_all(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    int64_t source);
static ngx_int_t ngx_http_ilert_control_replay(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_letter_t *letter);
static ngx_int_t ngx_http_ilert_control_find(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_ident_t **source,
    ngx_http_ilert_store_alert_t **alert);
static ngx_int_t ngx_http_ilert_control_discard_all(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    int64_t source);
static ngx_int_t ngx_http_ilert_control_forget(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order);
static ngx_int_t ngx_http_ilert_control_forget_all(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order);
static void ngx_http_ilert_control_pause(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_control_free(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_control_empty(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_control_empty_alert(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_ident_t *source, ngx_uint_t *left);
static ngx_int_t ngx_http_ilert_control_empty_events(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_order_t *order,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_alert_t *alert,
    ngx_array_t *events);
static ngx_uint_t ngx_http_ilert_control_stays(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);


ngx_int_t
ngx_http_ilert_control_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t     rc;
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&job->orders);
         q != ngx_queue_sentinel(&job->orders);
         q = ngx_queue_next(q))
    {
        rc = ngx_http_ilert_control_order(work, ngx_queue_data(q,
                                        ngx_http_ilert_store_order_t, queue));
        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* this is saved before accepts, which must leave some room free */

    return ngx_queue_empty(&job->orders) ? NGX_OK
                                         : work->store->backend->save(work);
}


static ngx_int_t
ngx_http_ilert_control_order(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_int_t                      rc;
    ngx_uint_t                     known;
    ngx_http_ilert_store_ident_t  *source;

    order->next[0] = order->after[0];
    order->next[1] = order->after[1];

    if (order->action == NGX_HTTP_ILERT_STORE_FORGET) {
        return ngx_http_ilert_control_forget(work, order);
    }

    if (order->action == NGX_HTTP_ILERT_STORE_END_ALERT) {
        return ngx_http_ilert_control_end(work, order);
    }

    if (order->action == NGX_HTTP_ILERT_STORE_END_SILENCE) {
        return ngx_http_ilert_silence_end(work, order);
    }

    if (order->id) {
        return ngx_http_ilert_control_letter(work, order);
    }

    known = order->known || order->configured(&order->source, order->data);

    if (!known) {
        rc = ngx_http_ilert_control_has_left(work, &order->source, &known);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!known) {
        order->missing = 1;
        order->why = "there is no such source";
        return NGX_OK;
    }

    order->known = 1;

    rc = ngx_http_ilert_work_source(work, &order->source, &order->owner,
                                    &source);
    if (rc != NGX_OK) {
        return rc;
    }

    switch (order->action) {

    case NGX_HTTP_ILERT_STORE_REPLAY:
        return ngx_http_ilert_control_replay_all(work, order, source->id);

    case NGX_HTTP_ILERT_STORE_DISCARD:
        return ngx_http_ilert_control_discard_all(work, order, source->id);

    case NGX_HTTP_ILERT_STORE_EMPTY:
        return ngx_http_ilert_control_empty(work, order, source);

    case NGX_HTTP_ILERT_STORE_ADD_SILENCE:
        return ngx_http_ilert_silence_add(work, order, source);

    case NGX_HTTP_ILERT_STORE_PAUSE:
        ngx_http_ilert_control_pause(work, order, source);
        return NGX_OK;

    default: /* NGX_HTTP_ILERT_STORE_RESUME */
        ngx_http_ilert_control_pause(work, order, source);

        return order->missing ? NGX_OK
                              : ngx_http_ilert_control_free(work, order,
                                                            source);
    }
}


/*
 * Sets "left" to 1 if the source, which is not configured, still has waiting
 * events or dead letters.
 */

static ngx_int_t
ngx_http_ilert_control_has_left(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_uint_t *left)
{
    int64_t                          n;
    ngx_uint_t                       i, k;
    ngx_array_t                      sources;
    ngx_http_ilert_store_counted_t  *source;

    *left = 0;

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {

        if (!ngx_http_ilert_text_same(&source[i].name, name)) {
            continue;
        }

        n = source[i].dead;

        for (k = 0; k < NGX_HTTP_ILERT_URGENCIES; k++) {
            n += source[i].waiting[k];
        }

        *left = (n != 0);
    }

    return NGX_OK;
}


/*
 * Accepts a RESOLVE of the order's alert, whatever is known of that.  It has
 * no body yet, which is written when it is sent.
 */

static ngx_int_t
ngx_http_ilert_control_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_int_t                      rc;
    ngx_str_t                     *key;
    ngx_http_ilert_store_event_t  *ev;
    ngx_http_ilert_store_alert_t  *alert;
    ngx_http_ilert_store_ident_t  *source;

    if (!order->configured(&order->source, order->data)) {
        order->missing = 1;
        order->why = "there is no such source";
        return NGX_OK;
    }

    rc = ngx_http_ilert_work_source(work, &order->source, &order->owner,
                                    &source);
    if (rc != NGX_OK) {
        return rc;
    }

    key = ngx_http_ilert_work_fold(work, &order->key);
    ev = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_event_t));

    if (key == NULL || ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    rc = ngx_http_ilert_work_find_alert(work, source->owner, source->id, key,
                                        &alert);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_ilert_work_add_alert(work, source->owner, source->id,
                                           key, &order->key, &alert);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    ev->id = order->id;
    ev->said.type = NGX_HTTP_ILERT_RESOLVE;
    ev->said.own = NGX_HTTP_ILERT_OWN_ORDER;
    ev->said.received = work->now;
    ev->policy = order->policy;
    ev->passthrough = order->passthrough;
    ev->source_id = source->id;

    if (ngx_http_ilert_alert_accept(work, alert, ev) != NGX_OK
        || ngx_http_ilert_digest_accepted(work, alert, ev) != NGX_OK)
    {
        return NGX_ERROR;
    }

    order->count = 1;

    return NGX_OK;
}


/* Replays or discards the dead letter with the order's id. */

static ngx_int_t
ngx_http_ilert_control_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_filter_t   filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OF_ID;
    filter.id = order->id;
    filter.limit = 1;
    filter.body = (order->action == NGX_HTTP_ILERT_STORE_REPLAY);

    if (ngx_http_ilert_work_letters(work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    if (letters.nelts == 0) {
        order->missing = 1;
        order->why = "there is no such dead letter";
        return NGX_OK;
    }

    if (order->action == NGX_HTTP_ILERT_STORE_REPLAY) {
        return ngx_http_ilert_control_replay(work, order, letters.elts);
    }

    ngx_http_ilert_work_remove_letter(work, letters.elts);

    order->count = 1;

    return NGX_OK;
}


/*
 * Replays the letters of a source, in the order in which they died.  They are
 * loaded one by one, since all bodies stay in memory until the job is done.
 */

static ngx_int_t
ngx_http_ilert_control_replay_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, int64_t source)
{
    size_t                                 bytes;
    ngx_int_t                              rc;
    ngx_uint_t                             n;
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_t         *letter;
    ngx_http_ilert_store_letter_filter_t   filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OF_SOURCE;
    filter.source = source;
    filter.limit = 1;
    filter.body = 1;

    bytes = 0;

    for (n = 0;
         n < NGX_HTTP_ILERT_CONTROL_LETTERS
         && bytes < NGX_HTTP_ILERT_CONTROL_BYTES;
         n++)
    {
        filter.died = order->next[0];
        filter.seq = order->next[1];

        rc = ngx_http_ilert_work_letters(work, &filter, &letters);

        if (rc != NGX_OK || letters.nelts == 0) {
            return rc;
        }

        letter = letters.elts;

        order->next[0] = letter->died;
        order->next[1] = letter->seq;
        bytes += letter->body.len;

        rc = ngx_http_ilert_control_replay(work, order, letter);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    order->more = 1;

    return NGX_OK;
}


/*
 * Replays a letter, unless its alert has had a later event: an ALERT must not
 * follow a RESOLVE that was sent, or dropped, or waits.  The event is received
 * now, by its time, so that "max_age" begins anew.
 */

static ngx_int_t
ngx_http_ilert_control_replay(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_letter_t *letter)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;
    ngx_http_ilert_store_ident_t  *source;

    if (!order->configured(&letter->source, order->data)) {
        order->refused++;
        order->why = "its source is not configured";
        return NGX_OK;
    }

    if (!ngx_http_ilert_letter_is_whole(letter)) {
        order->refused++;
        order->why = "its row is damaged";
        return NGX_OK;
    }

    rc = ngx_http_ilert_control_find(work, letter, &source, &alert);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED || !ngx_http_ilert_letter_is_last(letter, alert)) {
        order->refused++;
        order->why = "its alert has seen a later event";
        return NGX_OK;
    }

    letter->said.received = work->now;

    rc = ngx_http_ilert_letter_replay(work, letter, source, alert, 0);
    if (rc != NGX_OK) {
        return rc;
    }

    order->count++;

    return NGX_OK;
}


/* Finds the source and the alert of a letter, or returns NGX_DECLINED. */

static ngx_int_t
ngx_http_ilert_control_find(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_ident_t **source,
    ngx_http_ilert_store_alert_t **alert)
{
    ngx_int_t   rc;
    ngx_str_t  *key;

    rc = ngx_http_ilert_work_find_source(work, &letter->source, source);
    if (rc != NGX_OK) {
        return rc;
    }

    key = ngx_http_ilert_work_fold(work, &letter->key);
    if (key == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_work_find_alert(work, (*source)->owner,
                                          (*source)->id, key, alert);
}


static ngx_int_t
ngx_http_ilert_control_discard_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, int64_t source)
{
    ngx_uint_t                             i;
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_t         *letter;
    ngx_http_ilert_store_letter_filter_t   filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OF_SOURCE;
    filter.source = source;
    filter.died = INT64_MIN;
    filter.limit = NGX_HTTP_ILERT_CONTROL_EVENTS;

    if (ngx_http_ilert_work_letters(work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    letter = letters.elts;

    for (i = 0; i < letters.nelts; i++) {
        ngx_http_ilert_work_remove_letter(work, &letter[i]);
    }

    order->count = letters.nelts;
    order->more = (letters.nelts == NGX_HTTP_ILERT_CONTROL_EVENTS);

    return NGX_OK;
}


/* Removes the refused webhook with the order's id, or all if that is 0. */

static ngx_int_t
ngx_http_ilert_control_forget(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_array_t                            list;
    ngx_http_ilert_store_refused_filter_t  filter;

    if (order->id == 0) {
        return ngx_http_ilert_control_forget_all(work, order);
    }

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_refused_filter_t));

    filter.which = NGX_HTTP_ILERT_REFUSED_OF_ID;
    filter.id = order->id;
    filter.limit = 1;

    if (ngx_http_ilert_work_refused(work, &filter, &list) != NGX_OK) {
        return NGX_ERROR;
    }

    if (list.nelts == 0) {
        order->missing = 1;
        order->why = "there is no such refused webhook";
        return NGX_OK;
    }

    ngx_http_ilert_work_remove_refused(work, list.elts);

    order->count = 1;

    return NGX_OK;
}


/*
 * Removes all refused webhooks that there are when the order's first job
 * begins: "next" is the id of the last one of these.
 */

static ngx_int_t
ngx_http_ilert_control_forget_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order)
{
    ngx_array_t                             list;
    ngx_http_ilert_store_refused_t         *refused;
    ngx_http_ilert_store_refused_filter_t   filter;

    if (order->after[0] == 0) {
        ngx_memzero(&filter, sizeof(ngx_http_ilert_store_refused_filter_t));

        filter.which = NGX_HTTP_ILERT_REFUSED_LATEST;
        filter.limit = 1;

        if (ngx_http_ilert_work_refused(work, &filter, &list) != NGX_OK) {
            return NGX_ERROR;
        }

        if (list.nelts == 0) {
            return NGX_OK;
        }

        refused = list.elts;
        order->next[0] = refused->id;
    }

    if (ngx_http_ilert_refused_remove(work, NGX_HTTP_ILERT_CONTROL_REFUSED,
                                      order->next[0], &order->count)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    order->more = (order->count == NGX_HTTP_ILERT_CONTROL_REFUSED);

    return NGX_OK;
}


/*
 * Pauses or resumes a source.  The courier is told of a resumed source, and
 * then releases its events that wait for a time.
 */

static void
ngx_http_ilert_control_pause(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    ngx_uint_t  pause;

    if (!order->configured(&order->source, order->data)) {
        order->missing = 1;
        order->why = "there is no such source";
        return;
    }

    pause = (order->action == NGX_HTTP_ILERT_STORE_PAUSE);

    if (pause == (source->paused > 0)) {
        return;
    }

    source->paused = pause ? work->now : 0;
    source->changed = 1;

    order->count = 1;
}


/*
 * Frees RESOLVEs that "resolve_delay" holds, for good: they go as soon as the
 * courier has looked at the source.  order->next is the head of the last alert
 * that was gone through.
 */

static ngx_int_t
ngx_http_ilert_control_free(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_HELD;
    filter.source = source->id;
    filter.urgency = NGX_HTTP_ILERT_HELD;
    filter.id = order->next[0];
    filter.limit = NGX_HTTP_ILERT_CONTROL_EVENTS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {

        order->next[0] = alert[i]->row.head;

        if (ngx_http_ilert_alert_free(work, alert[i], 1) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    order->count |= (alerts.nelts != 0);
    order->more = (alerts.nelts == NGX_HTTP_ILERT_CONTROL_EVENTS);

    return NGX_OK;
}


/*
 * Discards waiting events of a source.  order->next is the alert and the seq
 * of the last event that was gone through.
 */

static ngx_int_t
ngx_http_ilert_control_empty(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    ngx_int_t   rc;
    ngx_uint_t  left;

    if (work->store->backend->save(work) != NGX_OK) {
        return NGX_ERROR;
    }

    left = NGX_HTTP_ILERT_CONTROL_EVENTS;

    while (left) {
        rc = ngx_http_ilert_control_empty_alert(work, order, source, &left);

        if (rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    order->more = 1;

    return NGX_OK;
}


/*
 * Goes through events of the next alert, at most "left", which is lowered.
 * Returns NGX_DECLINED if there is no other waiting event.
 */

static ngx_int_t
ngx_http_ilert_control_empty_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source,
    ngx_uint_t *left)
{
    int64_t                        id, seq;
    ngx_int_t                      rc;
    ngx_array_t                    events;
    ngx_http_ilert_store_alert_t  *alert;

    id = order->next[0];
    seq = order->next[1];

    rc = work->store->backend->next_waiting(work, &id, &seq);
    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_ilert_work_get_alert(work, id, &alert);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED
        || (alert->row.source != source->id
            && (alert->row.owner == 0 || alert->row.owner != source->owner)))
    {
        /* the alert cannot have events of this source, so it is skipped */

        order->next[0] = id;
        order->next[1] = INT64_MAX;
        (*left)--;

        return NGX_OK;
    }

    if (ngx_array_init(&events, work->pool, 16,
                       sizeof(ngx_http_ilert_store_waiting_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    rc = work->store->backend->events(work, id, seq - 1, *left, &events);
    if (rc != NGX_OK) {
        return rc;
    }

    *left -= events.nelts;

    return ngx_http_ilert_control_empty_events(work, order, source, alert,
                                               &events);
}


/*
 * Discards some of these events of an alert.  They may be between the edges
 * of the alert.  So they are removed first, and then the edges are loaded anew
 * to find out which event comes next.
 */

static ngx_int_t
ngx_http_ilert_control_empty_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source,
    ngx_http_ilert_store_alert_t *alert, ngx_array_t *events)
{
    ngx_uint_t                       i, count, head;
    ngx_http_ilert_store_waiting_t  *ev;

    head = 0;
    count = order->count;
    ev = events->elts;

    order->next[0] = alert->id;

    for (i = 0; i < events->nelts; i++, ev++) {

        order->next[1] = ev->seq;

        if (ngx_http_ilert_alert_source_of(alert, ev) != source->id
            || ngx_http_ilert_control_stays(alert, ev))
        {
            continue;
        }

        head |= (ev->seq == alert->row.head);
        alert->row.gone = ngx_max(alert->row.gone, ev->seq);

        ngx_queue_init(&ev->queue);

        if (ngx_http_ilert_alert_remove(work, alert, ev) != NGX_OK) {
            return NGX_ERROR;
        }

        order->count++;
    }

    if (order->count == count) {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_reload(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (head) {
        return ngx_http_ilert_alert_advance(work, alert, alert->row.accepted,
                                            alert->row.changed);
    }

    ngx_http_ilert_alert_least(alert);
    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}


/*
 * Returns 1 if an event must not be discarded: if it is under way, or is
 * a RESOLVE of an alert that ilert may show.
 */

static ngx_uint_t
ngx_http_ilert_control_stays(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev)
{
    if (alert->row.state == NGX_HTTP_ILERT_STORE_TAKEN) {

        if (ev->seq == alert->row.head) {
            return 1;
        }

    } else if (alert->shown.shows == NGX_HTTP_ILERT_SHOWS_RESOLVED) {
        return 0;
    }

    return ev->said.type == NGX_HTTP_ILERT_RESOLVE;
}
