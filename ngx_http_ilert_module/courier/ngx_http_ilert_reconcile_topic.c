
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_reconcile_poll.h"
#include "ngx_http_ilert_reconcile_repair.h"
#include "ngx_http_ilert_reconcile_topic.h"
#include "ngx_http_ilert_text.h"


/*
 * ms: what was taken at a later time than this after now was taken before the
 * clock was set back; the time of another worker may be ahead a little
 */

#define NGX_HTTP_ILERT_RECONCILE_AHEAD  1000


#if (NGX_THREADS)

static void ngx_http_ilert_reconcile_begin_topic(
    ngx_http_ilert_reconcile_poll_t *poll);
static ngx_int_t ngx_http_ilert_reconcile_event(
    ngx_http_ilert_topics_t *topics, ngx_http_ilert_topics_element_t *el);
static ngx_int_t ngx_http_ilert_reconcile_add_state(
    ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_topics_element_t *el);
static ngx_int_t ngx_http_ilert_reconcile_keep(
    ngx_http_ilert_reconcile_poll_t *poll, ngx_http_ilert_difference_t *d,
    ngx_http_ilert_topics_element_t *el);
static void ngx_http_ilert_reconcile_events_done(ngx_http_ilert_call_t *call);
static void ngx_http_ilert_reconcile_next_look(
    ngx_http_ilert_reconcile_poll_t *poll);
static void ngx_http_ilert_reconcile_looked(ngx_http_ilert_store_look_t *look);
static ngx_int_t ngx_http_ilert_reconcile_compare(
    ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state);
static void ngx_http_ilert_reconcile_there(
    ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state);
static void ngx_http_ilert_reconcile_ask_absent(
    ngx_http_ilert_reconcile_poll_t *poll, u_char *after);
static void ngx_http_ilert_reconcile_absent(ngx_http_ilert_store_look_t *look);
static ngx_int_t ngx_http_ilert_reconcile_missing(
    ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state);
static ngx_uint_t ngx_http_ilert_reconcile_hunt(
    ngx_http_ilert_reconcile_t *rc, ngx_http_ilert_difference_t *d);
static void ngx_http_ilert_reconcile_tell_moved(
    ngx_http_ilert_reconcile_poll_t *poll);
static void ngx_http_ilert_reconcile_told_moved(
    ngx_http_ilert_store_look_t *look);
static ngx_uint_t ngx_http_ilert_reconcile_has(
    ngx_http_ilert_reconcile_poll_t *poll, u_char *key);
static int ngx_libc_cdecl ngx_http_ilert_reconcile_compare_keys(
    const void *one, const void *two);
static ngx_int_t ngx_http_ilert_reconcile_note(
    ngx_http_ilert_reconcile_poll_t *poll, u_char *key,
    ngx_http_ilert_store_state_t *state, ngx_uint_t absent, ngx_uint_t waits);
static ngx_int_t ngx_http_ilert_reconcile_element_gone(
    ngx_http_ilert_reconcile_poll_t *poll, ngx_http_ilert_difference_t *d,
    ngx_str_t *id);
static void ngx_http_ilert_reconcile_decide(
    ngx_http_ilert_reconcile_poll_t *poll);


void
ngx_http_ilert_reconcile_topic(ngx_http_ilert_reconcile_poll_t *poll)
{
    poll->topic_pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    ngx_queue_init(&poll->looks);

    if (poll->topic_pool == NULL) {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
        return;
    }

    ngx_http_ilert_reconcile_begin_topic(poll);

    if (ngx_array_init(&poll->keys, poll->topic_pool, 64,
                       NGX_HTTP_ILERT_DIFFER_KEY)
        != NGX_OK
        || ngx_array_init(&poll->lost, poll->topic_pool, 16, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&poll->moved, poll->topic_pool, 4, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_http_ilert_topics_init(&poll->reader, 1,
                                      ngx_http_ilert_reconcile_event, poll,
                                      poll->topic_pool)
           != NGX_OK)
    {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
        return;
    }

    poll->reading = 1;
    poll->reader.topic = poll->topic->sn.str;

    if (ngx_http_ilert_reconcile_call(poll, "alerts/topics/",
                                      &poll->topic->sn.str, "/events",
                                      ngx_http_ilert_reconcile_read,
                                      ngx_http_ilert_reconcile_events_done)
        != NGX_OK)
    {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
    }
}


/*
 * If the clock was set back, it is not known what was taken since the last
 * poll: then it may be that something has happened.
 */

static void
ngx_http_ilert_reconcile_begin_topic(ngx_http_ilert_reconcile_poll_t *poll)
{
    int64_t  now;

    poll->asked = ngx_http_ilert_clock_now();
    poll->late = poll->topic->number
                 ? *ngx_http_ilert_counters_late(poll->rc->counters,
                                                 poll->topic->number)
                 : 0;
    poll->kept = 0;
    poll->begun = 0;
    poll->repaired = 0;

    poll->facts.latest = INT64_MIN;
    poll->facts.taken = 0;
    poll->facts.moved = (poll->topic->collected != poll->topic->read
                         || poll->asked < poll->topic->asked);

    now = ngx_http_ilert_clock_msec();

    poll->facts.up = ngx_min(now - poll->topic->since,
                             poll->rc->up ? now - poll->rc->up : 0);
}


/* An alert of the topic. */

static ngx_int_t
ngx_http_ilert_reconcile_event(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el)
{
    u_char                           *key;
    ngx_http_ilert_difference_t      *d;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = topics->data;

    if (poll->rc == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_text_blank(&el->id)) {

        /* the webhook's key is made of its series, which are not here */

        return NGX_OK;
    }

    key = ngx_array_push(&poll->keys);
    if (key == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_differ_key(&el->id, key);

    d = ngx_http_ilert_differ_find(&poll->topic->differ, key);

    if (d && !d->absent && d->time == el->ns && d->level == el->level
        && poll->kept < NGX_HTTP_ILERT_RECONCILE_KEPT
        && ngx_http_ilert_reconcile_keep(poll, d, el) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_reconcile_add_state(poll, el);
}


/* Adds the alert to a look: to the last one, unless that has enough. */

static ngx_int_t
ngx_http_ilert_reconcile_add_state(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_topics_element_t *el)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_look_t   *look;
    ngx_http_ilert_store_state_t  *state;

    look = NULL;

    if (!ngx_queue_empty(&poll->looks)) {
        q = ngx_queue_last(&poll->looks);
        look = ngx_queue_data(q, ngx_http_ilert_store_look_t, queue);
    }

    if (look == NULL
        || look->states.nelts == NGX_HTTP_ILERT_RECONCILE_STATES)
    {
        look = ngx_http_ilert_reconcile_look(poll,
                                             NGX_HTTP_ILERT_RECONCILE_STATES,
                                             ngx_http_ilert_reconcile_looked);
        if (look == NULL) {
            return NGX_ERROR;
        }

        ngx_queue_insert_tail(&poll->looks, &look->queue);
    }

    state = ngx_array_push(&look->states);
    if (state == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(state, sizeof(ngx_http_ilert_store_state_t));

    state->time = el->ns;
    state->level = el->level;

    return ngx_http_ilert_reconcile_copy(look->pool, &state->id, &el->id);
}


/* Keeps all of an alert, of which a webhook may be made. */

static ngx_int_t
ngx_http_ilert_reconcile_keep(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_difference_t *d, ngx_http_ilert_topics_element_t *el)
{
    ngx_http_ilert_topics_element_t  *copy;

    copy = ngx_palloc(poll->topic_pool,
                      sizeof(ngx_http_ilert_topics_element_t));
    if (copy == NULL) {
        return NGX_ERROR;
    }

    *copy = *el;

    if (ngx_http_ilert_reconcile_copy(poll->topic_pool, &copy->id, &el->id)
        != NGX_OK
        || ngx_http_ilert_reconcile_copy(poll->topic_pool, &copy->message,
                                         &el->message)
           != NGX_OK
        || ngx_http_ilert_reconcile_copy(poll->topic_pool, &copy->details,
                                         &el->details)
           != NGX_OK
        || ngx_http_ilert_reconcile_copy(poll->topic_pool, &copy->time,
                                         &el->time)
           != NGX_OK
        || ngx_http_ilert_reconcile_copy(poll->topic_pool, &copy->duration,
                                         &el->duration)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    poll->kept += el->id.len + el->message.len + el->details.len
                  + el->time.len + el->duration.len;

    d->element = copy;
    d->kept = poll->rc->number;

    return NGX_OK;
}


/*
 * The answer has been read.  A topic that is listed, but was removed in the
 * meantime, has an answer of 500, or of 404: nothing is concluded, and the
 * others are read.
 */

static void
ngx_http_ilert_reconcile_events_done(ngx_http_ilert_call_t *call)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(call->data);

    if (poll == NULL) {
        return;
    }

    if (call->status == NGX_HTTP_INTERNAL_SERVER_ERROR
        || call->status == NGX_HTTP_NOT_FOUND)
    {
        ngx_http_ilert_reconcile_read_close(poll);

        ngx_http_ilert_differ_clean(&poll->topic->differ, 0);
        poll->topic->asked = 0;
        poll->topic->behind = 0;
        poll->topic->compared = 0;

        poll->go_on(poll);
        return;
    }

    if (call->status != NGX_HTTP_OK) {
        ngx_http_ilert_reconcile_fail(poll, "");
        return;
    }

    if (ngx_http_ilert_reconcile_read_end(poll) != NGX_OK) {
        return;
    }

    poll->topic->compared = poll->keys.nelts;

    ngx_qsort(poll->keys.elts, poll->keys.nelts, NGX_HTTP_ILERT_DIFFER_KEY,
              ngx_http_ilert_reconcile_compare_keys);

    ngx_http_ilert_reconcile_next_look(poll);
}


/* Asks the next look of the topic, or for what the answer did not have. */

static void
ngx_http_ilert_reconcile_next_look(ngx_http_ilert_reconcile_poll_t *poll)
{
    u_char                        none[NGX_HTTP_ILERT_STORE_HEARD_KEY];
    ngx_queue_t                  *q;
    ngx_http_ilert_store_look_t  *look;

    if (!ngx_queue_empty(&poll->looks)) {
        q = ngx_queue_head(&poll->looks);
        ngx_queue_remove(q);

        look = ngx_queue_data(q, ngx_http_ilert_store_look_t, queue);

        ngx_http_ilert_reconcile_ask(poll, look);
        return;
    }

    ngx_memzero(none, sizeof(none));

    ngx_http_ilert_reconcile_ask_absent(poll, none);
}


static void
ngx_http_ilert_reconcile_looked(ngx_http_ilert_store_look_t *look)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_ilert_store_state_t     *state;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(look->data);

    if (poll == NULL) {
        ngx_destroy_pool(look->pool);
        return;
    }

    rc = look->ok ? NGX_OK : NGX_DECLINED;

    if (look->ok) {

        if (look->learned && !poll->topic->learned) {

            /* so far it was taken for a topic that does not take part */

            poll->topic->again = NGX_HTTP_ILERT_RECONCILE_AGAIN;
        }

        poll->topic->learned = look->learned;
        poll->topic->number = look->number;
    }

    state = look->states.elts;

    for (i = 0; i < look->states.nelts && rc == NGX_OK; i++) {
        rc = ngx_http_ilert_reconcile_compare(poll, &state[i]);
    }

    ngx_destroy_pool(look->pool);

    if (rc != NGX_OK) {
        ngx_http_ilert_reconcile_fail(poll, (rc == NGX_DECLINED)
                                            ? "the queue does not answer"
                                            : "no memory");
        return;
    }

    ngx_http_ilert_reconcile_next_look(poll);
}


static ngx_int_t
ngx_http_ilert_reconcile_compare(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state)
{
    u_char  key[NGX_HTTP_ILERT_DIFFER_KEY];

    if (state->heard && state->at >= poll->topic->asked
        && state->at <= ngx_http_ilert_clock_now()
                        + NGX_HTTP_ILERT_RECONCILE_AHEAD)
    {
        poll->facts.taken = 1;
        poll->facts.latest = ngx_max(poll->facts.latest, state->was_time);
    }

    ngx_http_ilert_reconcile_there(poll, state);

    if (state->look != NGX_HTTP_ILERT_STORE_DIFFERS) {
        return NGX_OK;
    }

    ngx_http_ilert_differ_key(&state->id, key);

    return ngx_http_ilert_reconcile_note(poll, key, state, 0, 0);
}


/* Notes that this topic has what is absent from another one. */

static void
ngx_http_ilert_reconcile_there(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state)
{
    u_char                        key[NGX_HTTP_ILERT_DIFFER_KEY];
    ngx_http_ilert_reconcile_t   *rc;
    ngx_http_ilert_difference_t  *d;

    if (!state->heard || state->level == NGX_HTTP_ILERT_OK) {
        return;
    }

    rc = poll->rc;

    do {
        if (rc->missing.n) {
            ngx_http_ilert_differ_key(&state->id, key);

            d = ngx_http_ilert_differ_find(&rc->missing, key);

            if (d && ngx_http_ilert_differ_is_there(d, state,
                                                    poll->topic->learned))
            {
                d->elsewhere = 1;
            }
        }

        rc = rc->other;

    } while (rc != poll->rc);
}


/* Asks for the alerts of the topic that are not OK, as far as was heard. */

static void
ngx_http_ilert_reconcile_ask_absent(ngx_http_ilert_reconcile_poll_t *poll,
    u_char *after)
{
    ngx_http_ilert_store_look_t  *look;

    look = ngx_http_ilert_reconcile_look(poll, 16,
                                         ngx_http_ilert_reconcile_absent);
    if (look == NULL) {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
        return;
    }

    look->absent = 1;
    ngx_memcpy(look->after, after, NGX_HTTP_ILERT_STORE_HEARD_KEY);

    ngx_http_ilert_reconcile_ask(poll, look);
}


static void
ngx_http_ilert_reconcile_absent(ngx_http_ilert_store_look_t *look)
{
    u_char                            after[NGX_HTTP_ILERT_STORE_HEARD_KEY];
    ngx_int_t                         rc;
    ngx_uint_t                        i, more;
    ngx_http_ilert_store_state_t     *state;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(look->data);

    if (poll == NULL) {
        ngx_destroy_pool(look->pool);
        return;
    }

    rc = look->ok ? NGX_OK : NGX_DECLINED;
    state = look->states.elts;

    for (i = 0; i < look->states.nelts && rc == NGX_OK; i++) {
        rc = ngx_http_ilert_reconcile_missing(poll, &state[i]);
    }

    if (look->ok) {
        poll->topic->learned = look->learned;
        poll->topic->number = look->number;
    }

    more = look->more;
    ngx_memcpy(after, look->after, sizeof(after));

    ngx_destroy_pool(look->pool);

    if (rc != NGX_OK) {
        ngx_http_ilert_reconcile_fail(poll, (rc == NGX_DECLINED)
                                            ? "the queue does not answer"
                                            : "no memory");

    } else if (more) {
        ngx_http_ilert_reconcile_ask_absent(poll, after);

    } else if (poll->moved.nelts) {
        ngx_http_ilert_reconcile_tell_moved(poll);

    } else {
        ngx_http_ilert_reconcile_decide(poll);
    }
}


/*
 * An alert that was heard of as not OK.  If the answer does not have it, it is
 * over, unless another topic has it, of this Kapacitor or of another one that
 * posts to the same location: a task may have been changed, two tasks have the
 * same id, or one of two Kapacitors has lost its states.  So all topics are
 * read before it is taken for lost.
 */

static ngx_int_t
ngx_http_ilert_reconcile_missing(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_state_t *state)
{
    u_char                        key[NGX_HTTP_ILERT_DIFFER_KEY];
    ngx_str_t                    *id;
    ngx_uint_t                    waits;
    ngx_http_ilert_reconcile_t   *rc;
    ngx_http_ilert_difference_t  *d;

    rc = poll->rc;

    ngx_http_ilert_differ_key(&state->id, key);

    if (state->source.len == 0 || ngx_http_ilert_reconcile_has(poll, key)) {
        return NGX_OK;
    }

    state->heard = 1;
    state->time = state->was_time;
    state->level = NGX_HTTP_ILERT_OK;

    d = ngx_http_ilert_differ_note(&rc->missing, key, rc->number, state, 1);

    if (d == NULL) {
        return (rc->missing.n == NGX_HTTP_ILERT_DIFFER_MAX) ? NGX_OK
                                                            : NGX_ERROR;
    }

    if (d->polls == 1) {
        d->since = poll->asked;
    }

    waits = ngx_http_ilert_reconcile_hunt(rc, d);

    if (!ngx_http_ilert_differ_is_lost(d, &poll->facts) || d->elsewhere
        || waits)
    {
        rc->hunt = rc->number + 1;
    }

    if (!d->elsewhere) {
        return ngx_http_ilert_reconcile_note(poll, key, state, 1, waits);
    }

    id = ngx_array_push(&poll->moved);
    if (id == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_reconcile_copy(poll->topic_pool, id, &state->id);
}


/*
 * Has the other Kapacitors that post to the same location read all of their
 * topics.  Returns 1 if one of them has not done so since the alert is absent,
 * for example because it cannot be asked.
 */

static ngx_uint_t
ngx_http_ilert_reconcile_hunt(ngx_http_ilert_reconcile_t *rc,
    ngx_http_ilert_difference_t *d)
{
    ngx_uint_t                   waits;
    ngx_http_ilert_reconcile_t  *other;

    waits = 0;

    for (other = rc->other; other != rc; other = other->other) {

        if (d->elsewhere || other->hunted <= d->since) {
            other->hunt = other->number + 1;
            waits = 1;
        }
    }

    return waits;
}


/*
 * Tells the store that ids do not belong to this topic any more; the other one
 * will be learned.
 */

static void
ngx_http_ilert_reconcile_tell_moved(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_str_t                    *from, *to;
    ngx_uint_t                    i;
    ngx_http_ilert_store_look_t  *look;

    look = ngx_http_ilert_reconcile_look(poll, 1,
                                         ngx_http_ilert_reconcile_told_moved);
    if (look == NULL) {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
        return;
    }

    look->moved = ngx_array_create(look->pool, poll->moved.nelts,
                                   sizeof(ngx_str_t));
    if (look->moved == NULL) {
        goto failed;
    }

    from = poll->moved.elts;

    for (i = 0; i < poll->moved.nelts; i++) {
        to = ngx_array_push(look->moved);

        if (ngx_http_ilert_reconcile_copy(look->pool, to, &from[i])
            != NGX_OK)
        {
            goto failed;
        }
    }

    ngx_http_ilert_reconcile_ask(poll, look);

    return;

failed:

    ngx_destroy_pool(look->pool);

    ngx_http_ilert_reconcile_fail(poll, "no memory");
}


static void
ngx_http_ilert_reconcile_told_moved(ngx_http_ilert_store_look_t *look)
{
    ngx_uint_t                        ok;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(look->data);
    ok = look->ok;

    ngx_destroy_pool(look->pool);

    if (poll == NULL) {
        return;
    }

    if (!ok) {
        ngx_http_ilert_reconcile_fail(poll, "the queue does not answer");
        return;
    }

    ngx_http_ilert_reconcile_decide(poll);
}


static ngx_uint_t
ngx_http_ilert_reconcile_has(ngx_http_ilert_reconcile_poll_t *poll,
    u_char *key)
{
    return bsearch(key, poll->keys.elts, poll->keys.nelts,
                   NGX_HTTP_ILERT_DIFFER_KEY,
                   ngx_http_ilert_reconcile_compare_keys)
           != NULL;
}


static int ngx_libc_cdecl
ngx_http_ilert_reconcile_compare_keys(const void *one, const void *two)
{
    return ngx_memcmp(one, two, NGX_HTTP_ILERT_DIFFER_KEY);
}


/*
 * Notes a difference.  Until the topic is done, it has with it what a repair
 * needs; one that is absent, and waits for another Kapacitor, has not.
 */

static ngx_int_t
ngx_http_ilert_reconcile_note(ngx_http_ilert_reconcile_poll_t *poll,
    u_char *key, ngx_http_ilert_store_state_t *state, ngx_uint_t absent,
    ngx_uint_t waits)
{
    ngx_http_ilert_difference_t       *d;
    ngx_http_ilert_reconcile_topic_t  *topic;

    topic = poll->topic;

    d = ngx_http_ilert_differ_note(&topic->differ, key, poll->rc->number,
                                   state, absent);
    if (d == NULL) {

        if (topic->differ.n == NGX_HTTP_ILERT_DIFFER_MAX) {

            /* it is noted when others have been repaired */

            return NGX_OK;
        }

        return NGX_ERROR;
    }

    if (absent || d->kept != poll->rc->number) {
        d->element = NULL;
    }

    if (absent && !waits && ngx_http_ilert_differ_is_lost(d, &poll->facts)
        && ngx_http_ilert_reconcile_element_gone(poll, d, &state->id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (d->element == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ilert_reconcile_copy(poll->topic_pool, &d->source,
                                      &state->source)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_reconcile_copy(poll->topic_pool, &d->alert_key,
                                         &state->alert_key);
}


/* Makes what Kapacitor would say of an alert that it has forgotten. */

static ngx_int_t
ngx_http_ilert_reconcile_element_gone(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_difference_t *d, ngx_str_t *id)
{
    u_char                           *p;
    ngx_tm_t                          tm;
    ngx_http_ilert_topics_element_t  *el;

    static ngx_str_t  text = ngx_string(" is OK: Kapacitor has it no more");

    el = ngx_pcalloc(poll->topic_pool,
                     sizeof(ngx_http_ilert_topics_element_t));
    if (el == NULL
        || ngx_http_ilert_reconcile_copy(poll->topic_pool, &el->id, id)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(poll->topic_pool, id->len + text.len
                                      + sizeof("2026-01-01T00:00:00Z"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    el->message.data = p;
    p = ngx_cpymem(p, id->data, id->len);
    p = ngx_cpymem(p, text.data, text.len);
    el->message.len = p - el->message.data;

    ngx_gmtime(poll->asked / 1000, &tm);

    el->time.data = p;
    p = ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02dZ", tm.ngx_tm_year,
                    tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                    tm.ngx_tm_min, tm.ngx_tm_sec);
    el->time.len = p - el->time.data;

    el->ns = poll->asked * 1000000;
    el->level = NGX_HTTP_ILERT_OK;

    d->element = el;
    d->kept = poll->rc->number;

    return NGX_OK;
}


/*
 * The topic has been compared: differences that are not there any more are
 * forgotten, and those that are due to a lost webhook go into poll->lost.
 */

static void
ngx_http_ilert_reconcile_decide(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_queue_t                        *q;
    ngx_http_ilert_difference_t        *d, **lost;
    ngx_http_ilert_reconcile_topic_t   *topic;

    topic = poll->topic;

    ngx_http_ilert_differ_clean(&topic->differ, poll->rc->number);

    topic->behind = 0;
    topic->watched = 0;

    for (q = ngx_queue_head(&topic->differ.list);
         q != ngx_queue_sentinel(&topic->differ.list);
         q = ngx_queue_next(q))
    {
        d = ngx_queue_data(q, ngx_http_ilert_difference_t, queue);

        if (!ngx_http_ilert_differ_is_lost(d, &poll->facts)) {
            topic->behind |= (!d->absent && d->polls > 1);
            continue;
        }

        if (d->element == NULL) {
            continue;
        }

        lost = ngx_array_push(&poll->lost);
        if (lost == NULL) {
            ngx_http_ilert_reconcile_fail(poll, "no memory");
            return;
        }

        *lost = d;
    }

    if (poll->facts.moved || topic->asked == 0) {
        topic->again = NGX_HTTP_ILERT_RECONCILE_AGAIN;

    } else if (topic->again) {
        topic->again--;
    }

    topic->read = topic->collected;
    topic->asked = poll->asked;
    topic->late = poll->late;

    ngx_http_ilert_reconcile_repair(poll);
}

#endif
