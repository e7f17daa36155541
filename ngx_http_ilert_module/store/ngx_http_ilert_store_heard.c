
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_heard_rules.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * What was heard of the ids of Kapacitor's at each place.  It is saved in the
 * transaction of the event itself, so that it never says more, nor less, than
 * what waits for ilert, or was delivered.  What it means is decided by
 * heard_rules.c.
 *
 * Records are found by a digest of place and id, and are kept in the work, as
 * all others, so that several events of one id in a job follow each other.
 */


/* records of an alert that are gone through to compare their tasks */

#define NGX_HTTP_ILERT_HEARD_TASKS    16


u_char  ngx_http_ilert_heard_first[NGX_HTTP_ILERT_STORE_HEARD_KEY];


static ngx_uint_t ngx_http_ilert_heard_is_kept(
    ngx_http_ilert_store_heard_t *heard);
static ngx_int_t ngx_http_ilert_heard_add(ngx_http_ilert_store_work_t *work,
    ngx_str_t *place, ngx_str_t *id, ngx_http_ilert_store_known_t **known);
static void ngx_http_ilert_heard_key(ngx_str_t *place, ngx_str_t *id,
    u_char *key);
static ngx_http_ilert_store_known_t **ngx_http_ilert_heard_link(
    ngx_http_ilert_store_work_t *work, u_char *key);
static void ngx_http_ilert_heard_register(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *known);
static ngx_int_t ngx_http_ilert_heard_clash(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_alert_t *alert);
static void ngx_http_ilert_heard_set_clash(ngx_http_ilert_store_event_t *ev,
    ngx_str_t *task);


ngx_int_t
ngx_http_ilert_heard_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t **known)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_heard_t  *heard;

    *known = NULL;
    heard = &ev->heard;

    if (!ngx_http_ilert_heard_is_kept(heard)) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_heard_find(work, &heard->place, &heard->id, known);

    if (rc == NGX_ERROR) {
        return rc;
    }

    ev->news = ngx_http_ilert_heard_news(*known, heard,
                                         ev->stale || ev->policy.stale);

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_heard_accepted(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_http_ilert_store_heard_t  *heard;

    heard = &ev->heard;

    if (!ngx_http_ilert_heard_is_kept(heard)) {
        return NGX_OK;
    }

    if (known == NULL) {
        if (ngx_http_ilert_heard_add(work, &heard->place, &heard->id, &known)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (ngx_http_ilert_heard_is_late(known, heard)) {
        ev->topic = known->topic;
    }

    if (ngx_http_ilert_heard_clash(work, ev, known, alert) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_heard_take(known, heard, alert->id, work->now);
    known->changed = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_heard_notes(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t                      rc;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_note_t   *note;
    ngx_http_ilert_store_heard_t  *heard;
    ngx_http_ilert_store_known_t  *known;

    for (q = ngx_queue_head(&job->notes);
         q != ngx_queue_sentinel(&job->notes);
         q = ngx_queue_next(q))
    {
        note = ngx_queue_data(q, ngx_http_ilert_store_note_t, queue);
        heard = &note->heard;

        if (!ngx_http_ilert_heard_is_kept(heard)) {
            continue;
        }

        rc = ngx_http_ilert_heard_find(work, &heard->place, &heard->id,
                                       &known);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (!ngx_http_ilert_heard_is_noted(known, heard)) {
            continue;
        }

        if (rc == NGX_DECLINED
            && ngx_http_ilert_heard_add(work, &heard->place, &heard->id,
                                        &known)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_heard_note(known, heard, work->now);
        known->changed = 1;
    }

    return NGX_OK;
}


/* Returns 1 if it is to be remembered: the id may be too long for a record. */

static ngx_uint_t
ngx_http_ilert_heard_is_kept(ngx_http_ilert_store_heard_t *heard)
{
    return heard->place.len && heard->id.len <= NGX_HTTP_ILERT_STORE_TEXT;
}


ngx_int_t
ngx_http_ilert_heard_find(ngx_http_ilert_store_work_t *work, ngx_str_t *place,
    ngx_str_t *id, ngx_http_ilert_store_known_t **known)
{
    u_char                          key[NGX_HTTP_ILERT_STORE_HEARD_KEY];
    ngx_int_t                       rc;
    ngx_http_ilert_store_known_t  **link;

    ngx_http_ilert_heard_key(place, id, key);

    link = ngx_http_ilert_heard_link(work, key);

    *known = *link;

    if (*known) {
        return NGX_OK;
    }

    rc = work->store->backend->heard(work, key, known);

    if (rc == NGX_OK) {
        ngx_http_ilert_heard_register(work, *known);

    } else {
        *known = NULL;
    }

    return rc;
}


/* Adds a record; the strings have to live until the work is saved. */

static ngx_int_t
ngx_http_ilert_heard_add(ngx_http_ilert_store_work_t *work, ngx_str_t *place,
    ngx_str_t *id, ngx_http_ilert_store_known_t **known)
{
    ngx_http_ilert_store_known_t  *added;

    added = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_known_t));
    if (added == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ngx_http_ilert_heard_key(place, id, added->key);

    added->place = *place;
    added->kid = *id;
    added->time = NGX_HTTP_ILERT_STORE_NO_TIME;
    added->added = 1;

    ngx_http_ilert_heard_register(work, added);

    *known = added;

    return NGX_OK;
}


static void
ngx_http_ilert_heard_key(ngx_str_t *place, ngx_str_t *id, u_char *key)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, place->data, place->len);
    ngx_md5_update(&md5, "", 1);
    ngx_md5_update(&md5, id->data, id->len);
    ngx_md5_final(key, &md5);
}


/*
 * Returns the address of the pointer to the record with that key in the hash
 * of the work; the pointer is NULL if there is none.
 */

static ngx_http_ilert_store_known_t **
ngx_http_ilert_heard_link(ngx_http_ilert_store_work_t *work, u_char *key)
{
    ngx_http_ilert_store_known_t  **link;

    link = &work->by_heard[key[0] % NGX_HTTP_ILERT_STORE_BUCKETS];

    while (*link
           && ngx_memcmp((*link)->key, key, NGX_HTTP_ILERT_STORE_HEARD_KEY)
              != 0)
    {
        link = &(*link)->next;
    }

    return link;
}


static void
ngx_http_ilert_heard_register(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *known)
{
    known->next = NULL;

    *ngx_http_ilert_heard_link(work, known->key) = known;

    ngx_queue_insert_tail(&work->heard, &known->queue);
}


ngx_int_t
ngx_http_ilert_heard_list(ngx_http_ilert_store_work_t *work, int64_t alert,
    int64_t topic, u_char *after, ngx_uint_t limit, ngx_array_t *list)
{
    ngx_uint_t                      i;
    ngx_array_t                     heard;
    ngx_http_ilert_store_known_t   *known, **link, **listed;

    if (ngx_array_init(&heard, work->pool, 4,
                       sizeof(ngx_http_ilert_store_known_t))
        != NGX_OK
        || ngx_array_init(list, work->pool, 4,
                          sizeof(ngx_http_ilert_store_known_t *))
           != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->save(work) != NGX_OK
        || work->store->backend->heard_of(work, alert, topic, after, limit,
                                          &heard)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = heard.elts;

    for (i = 0; i < heard.nelts; i++) {

        listed = ngx_array_push(list);
        if (listed == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        link = ngx_http_ilert_heard_link(work, known[i].key);

        if (*link == NULL) {
            ngx_http_ilert_heard_register(work, &known[i]);
        }

        *listed = *link;
    }

    return NGX_OK;
}


void
ngx_http_ilert_heard_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *known)
{
    ngx_http_ilert_store_known_t  **link;

    link = ngx_http_ilert_heard_link(work, known->key);

    *link = known->next;

    known->removed = 1;

    /* Kapacitor may still have it open, which then is no news */

    if (known->level != NGX_HTTP_ILERT_OK
        && known->time > work->total.yielded)
    {
        work->total.yielded = known->time;
    }
}


ngx_int_t
ngx_http_ilert_heard_forget(ngx_http_ilert_store_work_t *work, int64_t alert)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_known_t  **known;

    if (ngx_http_ilert_heard_list(work, alert, 0,
                                  ngx_http_ilert_heard_first,
                                  NGX_HTTP_ILERT_STORE_ROWS, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = list.elts;

    for (i = 0; i < list.nelts; i++) {
        ngx_http_ilert_heard_remove(work, known[i]);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_heard_move(ngx_http_ilert_store_work_t *work, int64_t from,
    int64_t to)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_known_t  **known;

    if (ngx_http_ilert_heard_list(work, from, 0, ngx_http_ilert_heard_first,
                                  NGX_HTTP_ILERT_STORE_ROWS, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = list.elts;

    for (i = 0; i < list.nelts; i++) {
        known[i]->alert = to;
        known[i]->changed = 1;
    }

    return NGX_OK;
}


/*
 * Finds out whether another task's webhooks are of the same alert.  Mostly the
 * other one has the same id, or a new id, by which it joins the alert.  Other
 * ids of the alert are compared then, and at the first event of a job, so that
 * a clash is found again and again, and costs little if there are many events.
 */

static ngx_int_t
ngx_http_ilert_heard_clash(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_str_t                       task;
    ngx_uint_t                      i, joins;
    ngx_array_t                     heard;
    ngx_http_ilert_store_known_t   *other, **link;

    task = alert->task;
    joins = (known->added || known->alert != alert->id);

    if (ev->heard.task.len == 0) {
        return NGX_OK;
    }

    alert->task = ev->heard.task;

    if (ngx_http_ilert_heard_clashes(&known->task, &ev->heard.task)) {
        ngx_http_ilert_heard_set_clash(ev, &known->task);
        return NGX_OK;
    }

    if (ngx_http_ilert_heard_clashes(&task, &ev->heard.task)) {
        ngx_http_ilert_heard_set_clash(ev, &task);
        return NGX_OK;
    }

    if (alert->added || (work->compared && !joins)) {
        return NGX_OK;
    }

    work->compared = 1;

    if (ngx_array_init(&heard, work->pool, 4,
                       sizeof(ngx_http_ilert_store_known_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (work->store->backend->heard_of(work, alert->id, 0,
                                       ngx_http_ilert_heard_first,
                                       NGX_HTTP_ILERT_HEARD_TASKS, &heard)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    other = heard.elts;

    for (i = 0; i < heard.nelts; i++) {

        link = ngx_http_ilert_heard_link(work, other[i].key);

        if (*link == NULL
            && ngx_http_ilert_heard_clashes(&other[i].task, &ev->heard.task))
        {
            ngx_http_ilert_heard_set_clash(ev, &other[i].task);
            return NGX_OK;
        }
    }

    return NGX_OK;
}


static void
ngx_http_ilert_heard_set_clash(ngx_http_ilert_store_event_t *ev,
    ngx_str_t *task)
{
    ev->clash_len = ngx_http_ilert_text_cut(task, sizeof(ev->clash));

    ngx_memcpy(ev->clash, task->data, ev->clash_len);
}
