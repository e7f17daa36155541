
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_heard_rules.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Compares what Kapacitor knows with what was heard, after the accepts of the
 * job, and in their transaction: so an answer never is older than a webhook
 * that was answered before the look came.  heard_rules.c decides.
 *
 * Topics that webhooks come from are learned here, by what agrees.  A topic
 * belongs to one Kapacitor.  A record is of the topic that it was learned
 * from.  If that is gone, or its Kapacitor is not configured any longer,
 * another topic can take its place.
 *
 * Most looks change nothing, and then nothing is written.
 */


/* ms after which a topic that is gone is forgotten */

#define NGX_HTTP_ILERT_LOOK_GONE      ((int64_t) 90 * 24 * 60 * 60 * 1000)


/* a look that is being answered */

typedef struct {
    ngx_http_ilert_store_work_t  *work;
    ngx_http_ilert_store_look_t  *look;
    ngx_http_ilert_store_topic_t  *topic;   /* NULL: it is not known */
    ngx_array_t                  *sources;  /* store_counted_t, or NULL: */
                                            /* they are not loaded yet */
} ngx_http_ilert_look_t;


static ngx_int_t ngx_http_ilert_look_answer(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look);
static ngx_int_t ngx_http_ilert_look_listed(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look);
static ngx_uint_t ngx_http_ilert_look_lists(ngx_array_t *names,
    ngx_str_t *name);
static ngx_int_t ngx_http_ilert_look_over(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look);
static ngx_int_t ngx_http_ilert_look_moved(ngx_http_ilert_look_t *lk);
static ngx_int_t ngx_http_ilert_look_absent(ngx_http_ilert_look_t *lk);
static ngx_int_t ngx_http_ilert_look_learn(ngx_http_ilert_look_t *lk);
static ngx_int_t ngx_http_ilert_look_add_topic(ngx_http_ilert_look_t *lk);
static ngx_int_t ngx_http_ilert_look_compare(ngx_http_ilert_look_t *lk);
static ngx_int_t ngx_http_ilert_look_resolved(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_store_known_t *known,
    ngx_uint_t *resolved);
static ngx_uint_t ngx_http_ilert_look_is_foreign(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_topic_t *topic);
static ngx_int_t ngx_http_ilert_look_fill(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_store_known_t *known);
static ngx_int_t ngx_http_ilert_look_source(ngx_http_ilert_look_t *lk,
    int64_t id, ngx_str_t *name);
static ngx_int_t ngx_http_ilert_look_copy(ngx_http_ilert_look_t *lk,
    ngx_str_t *to, ngx_str_t *from);
static ngx_uint_t ngx_http_ilert_look_is_too_long(
    ngx_http_ilert_store_look_t *look);


ngx_int_t
ngx_http_ilert_look_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&job->looks);
         q != ngx_queue_sentinel(&job->looks);
         q = ngx_queue_next(q))
    {
        if (ngx_http_ilert_look_answer(work, ngx_queue_data(q,
                                          ngx_http_ilert_store_look_t, queue))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_look_answer(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look)
{
    ngx_http_ilert_look_t  lk;

    if (ngx_http_ilert_look_is_too_long(look)) {
        return NGX_OK;
    }

    if (look->listed) {
        return ngx_http_ilert_look_listed(work, look);
    }

    if (ngx_http_ilert_look_over(work, look) != NGX_OK
        || ngx_http_ilert_look_topics(work) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&lk, sizeof(ngx_http_ilert_look_t));

    lk.work = work;
    lk.look = look;
    lk.topic = ngx_http_ilert_look_topic(work, &look->kapacitor,
                                         &look->topic);

    if (ngx_http_ilert_look_moved(&lk) != NGX_OK) {
        return NGX_ERROR;
    }

    if (look->absent) {
        look->learned = (lk.topic || look->named);
        look->number = lk.topic ? lk.topic->id : 0;
        return ngx_http_ilert_look_absent(&lk);
    }

    if (ngx_http_ilert_look_learn(&lk) != NGX_OK) {
        return NGX_ERROR;
    }

    look->learned = (lk.topic || look->named);
    look->number = lk.topic ? lk.topic->id : 0;

    return ngx_http_ilert_look_compare(&lk);
}


void
ngx_http_ilert_look_reset(ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                  *q;
    ngx_http_ilert_store_look_t  *look;

    for (q = ngx_queue_head(&job->looks);
         q != ngx_queue_sentinel(&job->looks);
         q = ngx_queue_next(q))
    {
        look = ngx_queue_data(q, ngx_http_ilert_store_look_t, queue);

        look->ok = 0;
        look->learned = 0;
        look->more = 0;

        if (look->absent) {
            look->states.nelts = 0;
        }
    }
}


void
ngx_http_ilert_look_done(ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                  *q;
    ngx_http_ilert_store_look_t  *look;

    for (q = ngx_queue_head(&job->looks);
         q != ngx_queue_sentinel(&job->looks);
         q = ngx_queue_next(q))
    {
        look = ngx_queue_data(q, ngx_http_ilert_store_look_t, queue);

        look->ok = !ngx_http_ilert_look_is_too_long(look);

        if (look->absent) {
            ngx_memcpy(look->after, look->next,
                       NGX_HTTP_ILERT_STORE_HEARD_KEY);
        }
    }
}


static ngx_uint_t
ngx_http_ilert_look_is_too_long(ngx_http_ilert_store_look_t *look)
{
    return !look->listed && !look->absent
           && look->states.nelts > NGX_HTTP_ILERT_STORE_STATES;
}


ngx_int_t
ngx_http_ilert_look_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_topic_t  *topic;

    if (work->total.made == 0 && work->total.yielded == 0) {

        /*
         * An earlier release has not remembered what it heard.  What Kapacitor
         * says of that time is no news: it may be open under another key.
         */

        work->total.yielded = work->now * 1000000;
    }

    if (ngx_http_ilert_look_topics(work) != NGX_OK) {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&work->topics);
         q != ngx_queue_sentinel(&work->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        for (i = 0; i < job->nkapacitors; i++) {
            if (ngx_http_ilert_text_same(&job->kapacitors[i].name,
                                         &topic->kapacitor))
            {
                break;
            }
        }

        topic->removed = (i == job->nkapacitors);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_look_topics(ngx_http_ilert_store_work_t *work)
{
    ngx_uint_t                     i;
    ngx_array_t                    topics;
    ngx_http_ilert_store_topic_t  *topic;

    if (work->has_topics) {
        return NGX_OK;
    }

    if (ngx_array_init(&topics, work->pool, 16,
                       sizeof(ngx_http_ilert_store_topic_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->topics(work, &topics) != NGX_OK) {
        return NGX_ERROR;
    }

    topic = topics.elts;

    for (i = 0; i < topics.nelts; i++) {
        ngx_queue_insert_tail(&work->topics, &topic[i].queue);
    }

    work->has_topics = 1;

    return NGX_OK;
}


ngx_http_ilert_store_topic_t *
ngx_http_ilert_look_topic(ngx_http_ilert_store_work_t *work,
    ngx_str_t *kapacitor, ngx_str_t *name)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_topic_t  *topic;

    for (q = ngx_queue_head(&work->topics);
         q != ngx_queue_sentinel(&work->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        if (!topic->removed
            && ngx_http_ilert_text_same(&topic->kapacitor, kapacitor)
            && ngx_http_ilert_text_same(&topic->name, name))
        {
            return topic;
        }
    }

    return NULL;
}


ngx_http_ilert_store_topic_t *
ngx_http_ilert_look_topic_of_id(ngx_http_ilert_store_work_t *work, int64_t id)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_topic_t  *topic;

    for (q = ngx_queue_head(&work->topics);
         q != ngx_queue_sentinel(&work->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        if (!topic->removed && topic->id == id) {
            return id ? topic : NULL;
        }
    }

    return NULL;
}


/*
 * Marks topics of the look's Kapacitor that are gone, or are there again, and
 * forgets those that are gone for long.
 */

static ngx_int_t
ngx_http_ilert_look_listed(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look)
{
    ngx_uint_t                     listed;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_topic_t  *topic;

    if (ngx_http_ilert_look_topics(work) != NGX_OK) {
        return NGX_ERROR;
    }

    for (q = ngx_queue_head(&work->topics);
         q != ngx_queue_sentinel(&work->topics);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        if (!ngx_http_ilert_text_same(&topic->kapacitor, &look->kapacitor)) {
            continue;
        }

        listed = ngx_http_ilert_look_lists(look->listed, &topic->name);

        if (listed == (topic->gone == 0)) {
            topic->removed = (!listed && topic->gone
                                         < work->now
                                           - NGX_HTTP_ILERT_LOOK_GONE);
            continue;
        }

        topic->gone = listed ? 0 : work->now;
        topic->changed = 1;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ilert_look_lists(ngx_array_t *names, ngx_str_t *name)
{
    ngx_str_t   *listed;
    ngx_uint_t   i;

    listed = names->elts;

    for (i = 0; i < names->nelts; i++) {
        if (ngx_http_ilert_text_same(&listed[i], name)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_ilert_look_over(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_look_t *look)
{
    ngx_int_t                      rc;
    ngx_str_t                     *id;
    ngx_uint_t                     i;
    ngx_http_ilert_store_known_t  *known;

    if (look->over == NULL) {
        return NGX_OK;
    }

    id = look->over->elts;

    for (i = 0; i < look->over->nelts; i++) {

        rc = ngx_http_ilert_heard_find(work, &look->place, &id[i], &known);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_OK && !known->over
            && ngx_http_ilert_heard_is_open(known))
        {
            known->over = 1;
            known->changed = 1;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_look_moved(ngx_http_ilert_look_t *lk)
{
    ngx_int_t                      rc;
    ngx_str_t                     *id;
    ngx_uint_t                     i;
    ngx_http_ilert_store_known_t  *known;

    if (lk->look->moved == NULL || lk->topic == NULL) {
        return NGX_OK;
    }

    id = lk->look->moved->elts;

    for (i = 0; i < lk->look->moved->nelts; i++) {

        rc = ngx_http_ilert_heard_find(lk->work, &lk->look->place, &id[i],
                                       &known);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_OK && known->topic == lk->topic->id) {
            known->topic = 0;
            known->changed = 1;
        }
    }

    return NGX_OK;
}


/* Lists a part of the topic's ids, by their keys, that are open here. */

static ngx_int_t
ngx_http_ilert_look_absent(ngx_http_ilert_look_t *lk)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_look_t    *look;
    ngx_http_ilert_store_known_t  **known;
    ngx_http_ilert_store_state_t   *state;

    look = lk->look;

    ngx_memcpy(look->next, look->after, NGX_HTTP_ILERT_STORE_HEARD_KEY);

    if (lk->topic == NULL) {
        return NGX_OK;
    }

    if (ngx_http_ilert_heard_list(lk->work, 0, lk->topic->id, look->after,
                                  NGX_HTTP_ILERT_STORE_STATES, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = list.elts;

    for (i = 0; i < list.nelts; i++) {

        ngx_memcpy(look->next, known[i]->key, NGX_HTTP_ILERT_STORE_HEARD_KEY);

        if (!ngx_http_ilert_heard_is_open(known[i])
            || !ngx_http_ilert_text_same(&known[i]->place, &look->place))
        {
            continue;
        }

        state = ngx_array_push(&look->states);
        if (state == NULL) {
            return ngx_http_ilert_work_no_memory(lk->work);
        }

        ngx_memzero(state, sizeof(ngx_http_ilert_store_state_t));

        state->time = known[i]->time;
        state->level = known[i]->level;
        state->look = NGX_HTTP_ILERT_STORE_DIFFERS;

        if (ngx_http_ilert_look_copy(lk, &state->id, &known[i]->kid) != NGX_OK
            || ngx_http_ilert_look_fill(lk, state, known[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    look->more = (list.nelts == NGX_HTTP_ILERT_STORE_STATES);

    return NGX_OK;
}


/*
 * Records whose topic is not known, or gone, become those of this topic if
 * they agree with its states.  If another Kapacitor has a topic of that name,
 * the records stay there, but this one takes part as well.
 */

static ngx_int_t
ngx_http_ilert_look_learn(ngx_http_ilert_look_t *lk)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_ilert_store_look_t   *look;
    ngx_http_ilert_store_known_t  *known;
    ngx_http_ilert_store_state_t  *state;
    ngx_http_ilert_store_topic_t  *topic;

    look = lk->look;
    state = look->states.elts;

    for (i = 0; i < look->states.nelts; i++) {

        rc = ngx_http_ilert_heard_find(lk->work, &look->place, &state[i].id,
                                       &known);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        topic = ngx_http_ilert_look_topic_of_id(lk->work, known->topic);

        if ((topic && topic == lk->topic)
            || !ngx_http_ilert_heard_learns(known, &state[i], &look->topic,
                                            ngx_http_ilert_look_is_foreign(lk,
                                                                      topic)))
        {
            continue;
        }

        if (lk->topic == NULL && ngx_http_ilert_look_add_topic(lk) != NGX_OK) {
            return NGX_ERROR;
        }

        if (topic == NULL || topic->gone) {
            known->topic = lk->topic->id;
            known->changed = 1;
        }
    }

    return NGX_OK;
}


/* The backend gives a topic its id when it is saved. */

static ngx_int_t
ngx_http_ilert_look_add_topic(ngx_http_ilert_look_t *lk)
{
    ngx_http_ilert_store_topic_t  *topic;

    topic = ngx_pcalloc(lk->work->pool, sizeof(ngx_http_ilert_store_topic_t));
    if (topic == NULL) {
        return ngx_http_ilert_work_no_memory(lk->work);
    }

    topic->kapacitor = lk->look->kapacitor;
    topic->name = lk->look->topic;
    topic->added = 1;

    ngx_queue_insert_tail(&lk->work->topics, &topic->queue);

    lk->topic = topic;

    return lk->work->store->backend->save(lk->work);
}


static ngx_int_t
ngx_http_ilert_look_compare(ngx_http_ilert_look_t *lk)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i, resolved;
    ngx_http_ilert_heard_at_t      at;
    ngx_http_ilert_store_look_t   *look;
    ngx_http_ilert_store_known_t  *known;
    ngx_http_ilert_store_state_t  *state;

    look = lk->look;
    state = look->states.elts;

    ngx_memzero(&at, sizeof(ngx_http_ilert_heard_at_t));

    at.learned = look->learned;
    at.made = lk->work->total.made;
    at.yielded = lk->work->total.yielded;
    at.now = lk->work->now;

    for (i = 0; i < look->states.nelts; i++) {

        rc = ngx_http_ilert_heard_find(lk->work, &look->place, &state[i].id,
                                       &known);

        if (rc == NGX_ERROR) {
            return rc;
        }

        at.foreign = (known && ngx_http_ilert_look_is_foreign(lk,
                                  ngx_http_ilert_look_topic_of_id(lk->work,
                                                             known->topic)));

        if (ngx_http_ilert_look_resolved(lk, &state[i], known, &resolved)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        at.resolved = resolved;

        state[i].look = ngx_http_ilert_heard_look(known, &state[i], &at);

        if (known && known->over && !at.foreign
            && state[i].level != NGX_HTTP_ILERT_OK
            && state[i].time >= known->time)
        {
            /* Kapacitor has it again */

            known->over = 0;
            known->changed = 1;
        }

        if (ngx_http_ilert_look_fill(lk, &state[i], known) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Finds out whether ilert shows a record's alert as resolved.  This is only
 * looked at where it matters: if there is an OK after an OK.
 */

static ngx_int_t
ngx_http_ilert_look_resolved(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_store_known_t *known,
    ngx_uint_t *resolved)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;

    *resolved = 1;

    if (known == NULL || known->alert == 0
        || known->level != NGX_HTTP_ILERT_OK
        || state->level != NGX_HTTP_ILERT_OK || state->time <= known->time)
    {
        return NGX_OK;
    }

    rc = ngx_http_ilert_work_get_alert(lk->work, known->alert, &alert);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    /* if something waits, that is told before long */

    *resolved = (alert->row.head
                 || alert->shown.shows == NGX_HTTP_ILERT_SHOWS_RESOLVED);

    return NGX_OK;
}


/*
 * Returns 1 if the topic of a record is another one than the look's.  Those of
 * one name at several Kapacitors are the same, for these hear the same.
 */

static ngx_uint_t
ngx_http_ilert_look_is_foreign(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_topic_t *topic)
{
    return topic && topic->gone == 0
           && !ngx_http_ilert_text_same(&topic->name, &lk->look->topic);
}


/* Sets what is remembered, and, of a difference, the alert. */

static ngx_int_t
ngx_http_ilert_look_fill(ngx_http_ilert_look_t *lk,
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_store_known_t *known)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;

    ngx_str_null(&state->source);
    ngx_str_null(&state->alert_key);

    state->heard = (known != NULL);
    state->ignored = 0;

    if (known == NULL) {
        return NGX_OK;
    }

    state->ignored = known->ignored;
    state->was_time = known->time;
    state->was_level = known->level;
    state->at = known->at;

    if (state->look != NGX_HTTP_ILERT_STORE_DIFFERS || known->alert == 0) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_work_get_alert(lk->work, known->alert, &alert);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    rc = ngx_http_ilert_look_source(lk, alert->row.source, &state->source);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    return ngx_http_ilert_look_copy(lk, &state->alert_key, &alert->alert_key);
}


static ngx_int_t
ngx_http_ilert_look_source(ngx_http_ilert_look_t *lk, int64_t id,
    ngx_str_t *name)
{
    ngx_uint_t                       i;
    ngx_http_ilert_store_counted_t  *source;

    if (lk->sources == NULL) {

        lk->sources = ngx_palloc(lk->work->pool, sizeof(ngx_array_t));
        if (lk->sources == NULL) {
            return ngx_http_ilert_work_no_memory(lk->work);
        }

        if (ngx_http_ilert_work_sources(lk->work, lk->sources) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    source = lk->sources->elts;

    for (i = 0; i < lk->sources->nelts; i++) {
        if (source[i].id == id) {
            return ngx_http_ilert_look_copy(lk, name, &source[i].name);
        }
    }

    return NGX_DECLINED;
}


/* Copies a text for the answer, which lives longer than the work. */

static ngx_int_t
ngx_http_ilert_look_copy(ngx_http_ilert_look_t *lk, ngx_str_t *to,
    ngx_str_t *from)
{
    to->len = from->len;
    to->data = ngx_pnalloc(lk->look->pool, from->len + 1);

    if (to->data == NULL) {
        return ngx_http_ilert_work_no_memory(lk->work);
    }

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    return NGX_OK;
}
