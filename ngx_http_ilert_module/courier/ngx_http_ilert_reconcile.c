
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_reconcile.h"
#include "ngx_http_ilert_reconcile_poll.h"
#include "ngx_http_ilert_reconcile_topic.h"
#include "ngx_http_ilert_text.h"


/*
 * How a poll works.
 *
 *     topics     The list of topics is asked.  Those that have "collected"
 *                events since they were read last, or have differences, are
 *                read in turn.
 *     events     The alerts of a topic are read as they arrive.  Only their
 *                ids, times, and levels are kept, and all of an alert only if
 *                it was different in the poll before, too.
 *     looks      The store compares them with what was heard, in batches, and
 *                says which alerts of the topic the answer does not have.
 *     decide     Which differences are due to a webhook that was lost
 *                (differ.h).
 *     repair     The webhook is made of what the answer has, and posted to the
 *                location of "ilert_reconcile" (repair.h).
 *
 * Invariants:
 *
 *     -  Nothing is concluded from an answer that is not complete.
 *     -  One poll of a Kapacitor is under way at a time, and it ends: each
 *        call, look, and repair ends.
 *     -  A repair is accepted only if nothing of its alert was heard since the
 *        look, which the store checks in the transaction of the event.
 *     -  A poll that was abandoned, as this worker is not the courier any
 *        more, begins nothing.
 */


#if (NGX_THREADS)

/* ms after which a poll that could not begin is tried again */

#define NGX_HTTP_ILERT_RECONCILE_RETRY  1000


static void ngx_http_ilert_reconcile_timer_handler(ngx_event_t *ev);
static ngx_int_t ngx_http_ilert_reconcile_start(
    ngx_http_ilert_reconcile_t *rc);
static void ngx_http_ilert_reconcile_abandon(ngx_http_ilert_reconcile_t *rc);
static ngx_int_t ngx_http_ilert_reconcile_listed(
    ngx_http_ilert_topics_t *topics, ngx_http_ilert_topics_element_t *el);
static ngx_uint_t ngx_http_ilert_reconcile_wanted(
    ngx_http_ilert_kapacitor_t *conf, ngx_str_t *name, ngx_uint_t *named);
static ngx_http_ilert_reconcile_topic_t *ngx_http_ilert_reconcile_find(
    ngx_http_ilert_reconcile_t *rc, ngx_str_t *name);
static void ngx_http_ilert_reconcile_forget(ngx_http_ilert_reconcile_t *rc,
    ngx_uint_t number);
static void ngx_http_ilert_reconcile_topics_done(ngx_http_ilert_call_t *call);
static void ngx_http_ilert_reconcile_tell(
    ngx_http_ilert_reconcile_poll_t *poll, uint32_t listed);
static void ngx_http_ilert_reconcile_told(ngx_http_ilert_store_look_t *look);
static void ngx_http_ilert_reconcile_next(
    ngx_http_ilert_reconcile_poll_t *poll);
static ngx_uint_t ngx_http_ilert_reconcile_is_due(
    ngx_http_ilert_reconcile_t *rc, ngx_http_ilert_reconcile_topic_t *topic);
static void ngx_http_ilert_reconcile_complete(
    ngx_http_ilert_reconcile_poll_t *poll);


static ngx_http_ilert_main_conf_t        *ngx_http_ilert_reconcile_imcf;
static ngx_http_ilert_reconcile_t        *ngx_http_ilert_reconcile_all;
static ngx_http_ilert_store_kapacitor_t  *ngx_http_ilert_reconcile_states;
static ngx_uint_t                         ngx_http_ilert_reconcile_here;


ngx_int_t
ngx_http_ilert_reconcile_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                    i, k, n;
    ngx_http_ilert_kapacitor_t  **kapacitors;
    ngx_http_ilert_reconcile_t   *rc, *other;

    n = imcf->kapacitors.nelts;

    ngx_http_ilert_reconcile_imcf = imcf;
    ngx_http_ilert_reconcile_here = 0;

    ngx_http_ilert_reconcile_all = ngx_pcalloc(cycle->pool,
                                      n * sizeof(ngx_http_ilert_reconcile_t));
    ngx_http_ilert_reconcile_states = ngx_pcalloc(cycle->pool,
                                n * sizeof(ngx_http_ilert_store_kapacitor_t));

    if (ngx_http_ilert_reconcile_all == NULL
        || ngx_http_ilert_reconcile_states == NULL)
    {
        return NGX_ERROR;
    }

    kapacitors = imcf->kapacitors.elts;

    for (i = 0; i < n; i++) {
        rc = &ngx_http_ilert_reconcile_all[i];

        rc->conf = kapacitors[i];
        rc->counters = imcf->counters;

        ngx_rbtree_init(&rc->topics, &rc->sentinel,
                        ngx_str_rbtree_insert_value);
        ngx_queue_init(&rc->list);
        ngx_http_ilert_differ_init(&rc->missing);

        ngx_http_ilert_clock_init_event(&rc->timer,
                                   ngx_http_ilert_reconcile_timer_handler, 1);
        rc->timer.data = rc;

        ngx_http_ilert_reconcile_states[i].name = rc->conf->name;
        ngx_http_ilert_reconcile_states[i].place = rc->conf->place;

        rc->other = rc;

        for (k = 0; k < i; k++) {
            other = &ngx_http_ilert_reconcile_all[k];

            if (ngx_http_ilert_text_same(&other->conf->place,
                                         &rc->conf->place))
            {
                rc->other = other->other;
                other->other = rc;
                break;
            }
        }
    }

    return NGX_OK;
}


void
ngx_http_ilert_reconcile_begin(void)
{
    ngx_uint_t                   i;
    ngx_http_ilert_reconcile_t  *rc;

    ngx_http_ilert_reconcile_here = 1;

    for (i = 0; i < ngx_http_ilert_reconcile_imcf->kapacitors.nelts; i++) {
        rc = &ngx_http_ilert_reconcile_all[i];

        rc->up = 0;
        rc->hunted = 0;
        rc->listed = 0;
        rc->tokens = 0;
        rc->filled = ngx_current_msec;

        ngx_http_ilert_counters_get_poll(rc->conf, &rc->seen);

        if (!rc->timer.timer_set) {
            ngx_add_timer(&rc->timer, 1);
        }
    }
}


void
ngx_http_ilert_reconcile_end(void)
{
    ngx_uint_t                   i;
    ngx_http_ilert_reconcile_t  *rc;

    if (!ngx_http_ilert_reconcile_here) {
        return;
    }

    ngx_http_ilert_reconcile_here = 0;

    for (i = 0; i < ngx_http_ilert_reconcile_imcf->kapacitors.nelts; i++) {
        rc = &ngx_http_ilert_reconcile_all[i];

        if (rc->timer.timer_set) {
            ngx_del_timer(&rc->timer);
        }

        ngx_http_ilert_reconcile_abandon(rc);
        ngx_http_ilert_reconcile_forget(rc, 0);
        ngx_http_ilert_differ_clean(&rc->missing, 0);

        rc->up = 0;
    }
}


void
ngx_http_ilert_reconcile_prepare(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    job->kapacitors = ngx_http_ilert_reconcile_states;
    job->nkapacitors = ngx_http_ilert_reconcile_imcf->kapacitors.nelts;

    for (i = 0; i < job->nkapacitors; i++) {
        job->kapacitors[i].up = (ngx_http_ilert_reconcile_all[i].up != 0);
    }
}


static void
ngx_http_ilert_reconcile_timer_handler(ngx_event_t *ev)
{
    ngx_http_ilert_reconcile_t  *rc;

    rc = ev->data;

    if (!ngx_http_ilert_reconcile_here || ngx_exiting || rc->poll) {
        return;
    }

    /* if this worker is not the courier any more, it will be told soon */

    if (!ngx_http_ilert_lock_is_current()
        || ngx_http_ilert_reconcile_start(rc) != NGX_OK)
    {
        ngx_add_timer(ev, NGX_HTTP_ILERT_RECONCILE_RETRY);
    }
}


static ngx_int_t
ngx_http_ilert_reconcile_start(ngx_http_ilert_reconcile_t *rc)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_create(rc);
    if (poll == NULL) {
        return NGX_ERROR;
    }

    poll->go_on = ngx_http_ilert_reconcile_next;
    rc->number++;

    poll->began = ngx_http_ilert_clock_now();
    poll->hunts = (rc->hunt >= rc->number);

    if (ngx_http_ilert_topics_init(&poll->reader, 0,
                                   ngx_http_ilert_reconcile_listed, poll,
                                   poll->pool)
        != NGX_OK)
    {
        ngx_http_ilert_reconcile_destroy(poll);
        return NGX_ERROR;
    }

    poll->reading = 1;

    if (ngx_http_ilert_reconcile_call(poll, "alerts/topics", NULL, "",
                                      ngx_http_ilert_reconcile_read,
                                      ngx_http_ilert_reconcile_topics_done)
        != NGX_OK)
    {
        ngx_http_ilert_reconcile_destroy(poll);
        return NGX_ERROR;
    }

    rc->poll = poll;

    return NGX_OK;
}


/*
 * The poll begins nothing more.  Repairs that are under way end as webhooks
 * do, which wait for their commits.
 */

static void
ngx_http_ilert_reconcile_abandon(ngx_http_ilert_reconcile_t *rc)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = rc->poll;

    if (poll == NULL) {
        return;
    }

    rc->poll = NULL;
    poll->rc = NULL;

    if (poll->pending == 0) {
        ngx_http_ilert_reconcile_destroy(poll);
        return;
    }

    if (poll->call.handler) {
        ngx_http_ilert_call_give_up(poll->call.handler);
    }
}


/*
 * A topic of the list.  If it has collected fewer events than before, it has
 * begun anew, as after a start of Kapacitor: what was seen of it before says
 * nothing any more.
 */

static ngx_int_t
ngx_http_ilert_reconcile_listed(ngx_http_ilert_topics_t *topics,
    ngx_http_ilert_topics_element_t *el)
{
    ngx_str_t                         *name;
    ngx_uint_t                         named;
    ngx_http_ilert_reconcile_t        *rc;
    ngx_http_ilert_reconcile_poll_t   *poll;
    ngx_http_ilert_reconcile_topic_t  *topic;

    poll = topics->data;
    rc = poll->rc;

    poll->nlisted++;

    if (rc == NULL
        || !ngx_http_ilert_reconcile_wanted(rc->conf, &el->id, &named))
    {
        return NGX_OK;
    }

    topic = ngx_http_ilert_reconcile_find(rc, &el->id);
    if (topic == NULL) {

        if (rc->ntopics == NGX_HTTP_ILERT_RECONCILE_TOPICS) {
            topics->error = "it has more than 10000 topics";
        }

        return NGX_ERROR;
    }

    name = ngx_array_push(&poll->listed);
    if (name == NULL) {
        return NGX_ERROR;
    }

    *name = topic->sn.str;

    topic->named = named;
    topic->poll = rc->number;

    if (topic->since == 0 || el->collected < topic->collected) {

        poll->nanew += (topic->since != 0);

        ngx_http_ilert_differ_clean(&topic->differ, 0);
        topic->since = ngx_http_ilert_clock_msec();
        topic->asked = 0;
    }

    topic->collected = el->collected;

    return NGX_OK;
}


/*
 * Returns 1 if the topic is to be compared, and sets "named" if it is one that
 * "topics=" names without a wildcard.  A name with "/" could not be asked for.
 */

static ngx_uint_t
ngx_http_ilert_reconcile_wanted(ngx_http_ilert_kapacitor_t *conf,
    ngx_str_t *name, ngx_uint_t *named)
{
    ngx_uint_t                 i, wanted;
    ngx_http_ilert_pattern_t  *pattern;

    *named = 0;

    if (name->len == 0
        || ngx_strlchr(name->data, name->data + name->len, '/') != NULL)
    {
        return 0;
    }

    wanted = (conf->topics.nelts == 0);
    pattern = conf->topics.elts;

    for (i = 0; i < conf->topics.nelts; i++) {

        if (ngx_http_ilert_differ_matches(&pattern[i].text, name)) {
            wanted = 1;
            *named |= !pattern[i].wild;
        }
    }

    return wanted;
}


/* Finds the topic of that name, or adds it.  Returns NULL on an error. */

static ngx_http_ilert_reconcile_topic_t *
ngx_http_ilert_reconcile_find(ngx_http_ilert_reconcile_t *rc, ngx_str_t *name)
{
    uint32_t                           hash;
    ngx_str_node_t                    *sn;
    ngx_http_ilert_reconcile_topic_t  *topic;

    hash = ngx_crc32_long(name->data, name->len);
    sn = ngx_str_rbtree_lookup(&rc->topics, name, hash);

    if (sn) {
        return (ngx_http_ilert_reconcile_topic_t *) sn;
    }

    if (rc->ntopics == NGX_HTTP_ILERT_RECONCILE_TOPICS) {

        /* those that are not listed any more make room */

        ngx_http_ilert_reconcile_forget(rc, rc->number);

        if (rc->ntopics == NGX_HTTP_ILERT_RECONCILE_TOPICS) {
            return NULL;
        }
    }

    topic = ngx_calloc(sizeof(ngx_http_ilert_reconcile_topic_t) + name->len,
                       ngx_cycle->log);
    if (topic == NULL) {
        return NULL;
    }

    topic->sn.str.len = name->len;
    topic->sn.str.data = (u_char *) topic
                         + sizeof(ngx_http_ilert_reconcile_topic_t);
    ngx_memcpy(topic->sn.str.data, name->data, name->len);

    topic->sn.node.key = hash;

    ngx_rbtree_insert(&rc->topics, &topic->sn.node);
    ngx_queue_insert_tail(&rc->list, &topic->queue);
    rc->ntopics++;

    ngx_http_ilert_differ_init(&topic->differ);

    return topic;
}


/* Forgets topics that the poll with that number has not; 0: all of them. */

static void
ngx_http_ilert_reconcile_forget(ngx_http_ilert_reconcile_t *rc,
    ngx_uint_t number)
{
    ngx_queue_t                       *q, *next;
    ngx_http_ilert_reconcile_topic_t  *topic;

    for (q = ngx_queue_head(&rc->list);
         q != ngx_queue_sentinel(&rc->list);
         q = next)
    {
        next = ngx_queue_next(q);
        topic = ngx_queue_data(q, ngx_http_ilert_reconcile_topic_t, queue);

        if (number && topic->poll == number) {
            continue;
        }

        ngx_http_ilert_differ_clean(&topic->differ, 0);

        ngx_rbtree_delete(&rc->topics, &topic->sn.node);
        ngx_queue_remove(q);
        rc->ntopics--;

        ngx_free(topic);
    }
}


static void
ngx_http_ilert_reconcile_topics_done(ngx_http_ilert_call_t *call)
{
    uint32_t                          listed;
    ngx_str_t                        *name;
    ngx_uint_t                        i;
    ngx_http_ilert_reconcile_t       *rc;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(call->data);

    if (poll == NULL) {
        return;
    }

    if (call->status != NGX_HTTP_OK) {
        ngx_http_ilert_reconcile_fail(poll, "");
        return;
    }

    if (ngx_http_ilert_reconcile_read_end(poll) != NGX_OK) {
        return;
    }

    rc = poll->rc;

    ngx_http_ilert_reconcile_forget(rc, rc->number);

    if (poll->nanew) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert kapacitor \"%V\": %ui topics have begun anew, "
                      "nothing is concluded from this poll",
                      &rc->conf->name, poll->nanew);
    }

    poll->next = ngx_queue_head(&rc->list);

    ngx_crc32_init(listed);

    name = poll->listed.elts;

    for (i = 0; i < poll->listed.nelts; i++) {
        ngx_crc32_update(&listed, name[i].data, name[i].len);
        ngx_crc32_update(&listed, (u_char *) "/", 1);
    }

    ngx_crc32_final(listed);

    listed |= 1;

    if (listed != rc->listed) {
        ngx_http_ilert_reconcile_tell(poll, listed);
        return;
    }

    ngx_http_ilert_reconcile_next(poll);
}


/* Tells the store which topics there are. */

static void
ngx_http_ilert_reconcile_tell(ngx_http_ilert_reconcile_poll_t *poll,
    uint32_t listed)
{
    ngx_uint_t                    i;
    ngx_str_t                    *from, *to;
    ngx_http_ilert_store_look_t  *look;

    look = ngx_http_ilert_reconcile_look(poll, 1,
                                         ngx_http_ilert_reconcile_told);

    if (look) {
        look->listed = ngx_array_create(look->pool, poll->listed.nelts + 1,
                                        sizeof(ngx_str_t));
    }

    if (look == NULL || look->listed == NULL) {
        goto failed;
    }

    from = poll->listed.elts;

    for (i = 0; i < poll->listed.nelts; i++) {
        to = ngx_array_push(look->listed);

        if (ngx_http_ilert_reconcile_copy(look->pool, to, &from[i])
            != NGX_OK)
        {
            goto failed;
        }
    }

    poll->rc->listed = listed;

    ngx_http_ilert_reconcile_ask(poll, look);

    return;

failed:

    if (look) {
        ngx_destroy_pool(look->pool);
    }

    ngx_http_ilert_reconcile_fail(poll, "no memory");
}


static void
ngx_http_ilert_reconcile_told(ngx_http_ilert_store_look_t *look)
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
        poll->rc->listed = 0;
        ngx_http_ilert_reconcile_fail(poll, "the queue does not answer");
        return;
    }

    ngx_http_ilert_reconcile_next(poll);
}


/*
 * Returns 1 if the topic is to be read: something has happened in it, or there
 * are differences, or the one or the other is not known; or something that is
 * absent from another topic may be in this one; or a webhook of it was taken
 * that is older than the one before.
 */

static ngx_uint_t
ngx_http_ilert_reconcile_is_due(ngx_http_ilert_reconcile_t *rc,
    ngx_http_ilert_reconcile_topic_t *topic)
{
    if (topic->asked == 0 || topic->collected != topic->read
        || topic->differ.n || topic->again || rc->hunt >= rc->number)
    {
        return 1;
    }

    return topic->number
           && *ngx_http_ilert_counters_late(rc->counters, topic->number)
              != topic->late;
}


static void
ngx_http_ilert_reconcile_next(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_http_ilert_reconcile_t        *rc;
    ngx_http_ilert_reconcile_topic_t  *topic;

    rc = poll->rc;

    if (poll->topic_pool) {
        ngx_destroy_pool(poll->topic_pool);
        poll->topic_pool = NULL;
    }

    while (poll->next != ngx_queue_sentinel(&rc->list)) {

        topic = ngx_queue_data(poll->next, ngx_http_ilert_reconcile_topic_t,
                               queue);
        poll->next = ngx_queue_next(poll->next);

        if (ngx_http_ilert_reconcile_is_due(rc, topic)) {
            poll->topic = topic;
            ngx_http_ilert_reconcile_topic(poll);
            return;
        }
    }

    ngx_http_ilert_reconcile_complete(poll);
}


/* All that was to be read has been read. */

static void
ngx_http_ilert_reconcile_complete(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_http_ilert_reconcile_t      *rc;
    ngx_http_ilert_counters_poll_t   seen;

    rc = poll->rc;

    ngx_http_ilert_reconcile_sum(rc, &seen);

    seen.listed = poll->nlisted;

    ngx_http_ilert_differ_clean(&rc->missing, rc->number);

    if (poll->hunts) {
        rc->hunted = poll->began;
    }

    if (rc->up == 0) {
        rc->up = ngx_http_ilert_clock_msec();
    }

    ngx_http_ilert_reconcile_end_poll(poll, &seen);
}

#endif
