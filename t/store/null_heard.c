
/* the backend in memory: what was heard of ids of Kapacitor's, and topics */


#include "null_kept.h"


/* what a row takes, beside its texts */

#define NULL_HEARD  250
#define NULL_TOPIC  60


static null_known_t **
null_bucket(null_t *n, u_char *key)
{
    return &n->heard_by_key[(key[0] << 8 | key[1]) % NULL_BUCKETS];
}


static null_known_t *
null_known_of_key(null_t *n, u_char *key)
{
    null_known_t  *known;

    for (known = *null_bucket(n, key);
         known && memcmp(known->kept.key, key,
                         NGX_HTTP_ILERT_STORE_HEARD_KEY)
                  != 0;
         known = known->next_by_key)
    {
        /* void */
    }

    return known;
}


static int64_t
null_known_size(null_known_t *known)
{
    return NULL_HEARD + (int64_t) (known->kept.place.len + known->kept.kid.len
                                   + known->kept.task.len);
}


static void
null_remove_known(null_t *n, null_known_t *known)
{
    null_known_t  **p;

    p = null_bucket(n, known->kept.key);

    while (*p != known) {
        p = &(*p)->next_by_key;
    }

    null_set(n, *p, known->next_by_key);
    null_remove(n, &known->queue);

    null_add(n, -null_known_size(known));

    null_free(n, known->kept.place.data);
    null_free(n, known->kept.kid.data);
    null_free(n, known->kept.task.data);
    null_free(n, known);
}


/* of the texts only the task changes */

static void
null_write_known(null_t *n, null_known_t *known,
    ngx_http_ilert_store_known_t *from)
{
    int64_t                       alert, topic;
    ngx_http_ilert_store_known_t  kept;

    alert = known->kept.alert;
    topic = known->kept.topic;

    kept = *from;

    kept.place = known->kept.place;
    kept.kid = known->kept.kid;
    kept.task = known->kept.task;

    kept.alert = (from->alert == from->saved_alert) ? alert : from->alert;
    kept.topic = (from->topic == from->saved_topic) ? topic : from->topic;

    kept.added = 0;
    kept.changed = 0;

    null_set(n, known->kept, kept);

    null_add(n, (int64_t) from->task.len - (int64_t) kept.task.len);
    null_copy(n, &known->kept.task, &from->task);
}


static void
null_add_known(null_t *n, ngx_http_ilert_store_known_t *from)
{
    null_known_t  *known, **bucket;

    known = null_known_of_key(n, from->key);

    if (known) {
        null_remove_known(n, known);
    }

    known = null_new(n, sizeof(null_known_t));

    memcpy(known->kept.key, from->key, NGX_HTTP_ILERT_STORE_HEARD_KEY);

    known->kept.alert = from->alert;
    known->kept.topic = from->topic;

    null_copy(n, &known->kept.place, &from->place);
    null_copy(n, &known->kept.kid, &from->kid);

    null_insert_after(n, ngx_queue_last(&n->heard), &known->queue);

    bucket = null_bucket(n, from->key);
    known->next_by_key = *bucket;
    null_set(n, *bucket, known);

    null_add(n, null_known_size(known));

    from->saved_alert = from->alert;
    from->saved_topic = from->topic;

    null_write_known(n, known, from);
}


void
null_save_heard(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                   *q, *next;
    null_known_t                  *known;
    ngx_http_ilert_store_known_t  *heard;

    for (q = ngx_queue_head(&work->heard);
         q != ngx_queue_sentinel(&work->heard);
         q = next)
    {
        next = ngx_queue_next(q);

        heard = ngx_queue_data(q, ngx_http_ilert_store_known_t, queue);

        if (heard->removed) {
            ngx_queue_remove(q);
        }

        if (heard->added && !heard->removed) {
            work->changed = 1;
            null_add_known(n, heard);

        } else if (!heard->added && (heard->changed || heard->removed)) {

            work->changed = 1;
            known = null_known_of_key(n, heard->key);

            if (known && heard->removed) {
                null_remove_known(n, known);

            } else if (known) {
                null_write_known(n, known, heard);
            }
        }

        heard->saved_alert = heard->alert;
        heard->saved_topic = heard->topic;

        heard->added = 0;
        heard->changed = 0;
        heard->removed = 0;
    }
}


/* the id of an alert that is gone may be given to another one */

void
null_unhear(null_t *n, int64_t alert)
{
    ngx_queue_t   *q;
    null_known_t  *known;

    null_each(q, &n->heard) {
        known = ngx_queue_data(q, null_known_t, queue);

        if (known->kept.alert == alert) {
            null_set(n, known->kept.alert, 0);
        }
    }
}


static null_topic_t *
null_topic_of(null_t *n, ngx_http_ilert_store_topic_t *topic)
{
    ngx_queue_t   *q;
    null_topic_t  *kept;

    null_each(q, &n->topics) {
        kept = ngx_queue_data(q, null_topic_t, queue);

        if (topic->added
            ? null_same(&kept->kept.kapacitor, &topic->kapacitor)
              && null_same(&kept->kept.name, &topic->name)
            : kept->kept.id == topic->id)
        {
            return kept;
        }
    }

    return NULL;
}


static void
null_remove_topic(null_t *n, null_topic_t *topic)
{
    null_remove(n, &topic->queue);

    null_add(n, -NULL_TOPIC - (int64_t) (topic->kept.kapacitor.len
                                         + topic->kept.name.len));

    null_free(n, topic->kept.kapacitor.data);
    null_free(n, topic->kept.name.data);
    null_free(n, topic);
}


static void
null_add_topic(null_t *n, ngx_http_ilert_store_topic_t *from)
{
    null_topic_t  *topic;

    from->id = n->next_topic;
    null_set(n, n->next_topic, n->next_topic + 1);

    topic = null_new(n, sizeof(null_topic_t));

    topic->kept.id = from->id;
    topic->kept.gone = from->gone;

    null_copy(n, &topic->kept.kapacitor, &from->kapacitor);
    null_copy(n, &topic->kept.name, &from->name);

    null_insert_after(n, ngx_queue_last(&n->topics), &topic->queue);

    null_add(n, NULL_TOPIC + (int64_t) (from->kapacitor.len
                                        + from->name.len));
}


void
null_save_topics(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                   *q, *next;
    null_topic_t                  *kept;
    ngx_http_ilert_store_topic_t  *topic;

    for (q = ngx_queue_head(&work->topics);
         q != ngx_queue_sentinel(&work->topics);
         q = next)
    {
        next = ngx_queue_next(q);

        topic = ngx_queue_data(q, ngx_http_ilert_store_topic_t, queue);

        if (topic->removed) {
            ngx_queue_remove(q);
        }

        if ((topic->added && !topic->removed)
            || (!topic->added && (topic->changed || topic->removed)))
        {
            work->changed = 1;

            kept = null_topic_of(n, topic);

            if (kept && (topic->added || topic->removed)) {
                null_remove_topic(n, kept);
            }

            if (topic->added) {
                null_add_topic(n, topic);

            } else if (kept && !topic->removed) {
                null_set(n, kept->kept.gone, topic->gone);
            }
        }

        topic->added = 0;
        topic->changed = 0;
        topic->removed = 0;
    }
}


void
null_free_heard(null_t *n)
{
    ngx_queue_t   *q;
    null_known_t  *known;
    null_topic_t  *topic;

    while (!ngx_queue_empty(&n->heard)) {
        q = ngx_queue_head(&n->heard);
        ngx_queue_remove(q);
        known = ngx_queue_data(q, null_known_t, queue);
        free(known->kept.place.data);
        free(known->kept.kid.data);
        free(known->kept.task.data);
        free(known);
    }

    while (!ngx_queue_empty(&n->topics)) {
        q = ngx_queue_head(&n->topics);
        ngx_queue_remove(q);
        topic = ngx_queue_data(q, null_topic_t, queue);
        free(topic->kept.kapacitor.data);
        free(topic->kept.name.data);
        free(topic);
    }
}


static ngx_int_t
null_read_known(ngx_http_ilert_store_work_t *work, null_known_t *kept,
    ngx_http_ilert_store_known_t *heard)
{
    *heard = kept->kept;

    heard->saved_alert = heard->alert;
    heard->saved_topic = heard->topic;

    if (null_give(work, &heard->place, &kept->kept.place) != NGX_OK
        || null_give(work, &heard->kid, &kept->kept.kid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (null_give(work, &heard->task, &kept->kept.task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_work_check_known(heard);

    return NGX_OK;
}


ngx_int_t
null_heard(ngx_http_ilert_store_work_t *work, u_char *key,
    ngx_http_ilert_store_known_t **heard)
{
    null_known_t  *known;

    known = null_known_of_key(null_of(work), key);

    if (known == NULL) {
        return NGX_DECLINED;
    }

    *heard = ngx_palloc(work->pool, sizeof(ngx_http_ilert_store_known_t));

    if (*heard == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    return null_read_known(work, known, *heard);
}


static int
null_by_key(const void *one, const void *two)
{
    null_known_t *const  *a = one, *const *b = two;

    return memcmp((*a)->kept.key, (*b)->kept.key,
                  NGX_HTTP_ILERT_STORE_HEARD_KEY);
}


ngx_int_t
null_heard_of(ngx_http_ilert_store_work_t *work, int64_t alert, int64_t topic,
    u_char *after, ngx_uint_t limit, ngx_array_t *heard)
{
    null_t                        *n;
    ngx_int_t                      rc;
    ngx_uint_t                     i, number;
    ngx_queue_t                   *q;
    null_known_t                  *known, **found;
    ngx_http_ilert_store_known_t  *p;

    n = null_of(work);
    number = 0;

    null_each(q, &n->heard) {
        number++;
    }

    found = malloc((number + 1) * sizeof(null_known_t *));

    if (found == NULL) {
        abort();
    }

    number = 0;

    null_each(q, &n->heard) {
        known = ngx_queue_data(q, null_known_t, queue);

        if (memcmp(known->kept.key, after, NGX_HTTP_ILERT_STORE_HEARD_KEY) > 0
            && (alert ? known->kept.alert == alert
                      : topic == 0 || known->kept.topic == topic))
        {
            found[number++] = known;
        }
    }

    qsort(found, number, sizeof(null_known_t *), null_by_key);

    rc = NGX_OK;

    for (i = 0; rc == NGX_OK && i < number && i < limit; i++) {
        p = ngx_array_push(heard);

        rc = p ? null_read_known(work, found[i], p)
               : ngx_http_ilert_work_no_memory(work);
    }

    free(found);

    return rc;
}


ngx_int_t
null_topics(ngx_http_ilert_store_work_t *work, ngx_array_t *topics)
{
    ngx_queue_t                   *q;
    null_topic_t                  *kept;
    ngx_http_ilert_store_topic_t  *topic;

    null_each(q, &null_of(work)->topics) {
        kept = ngx_queue_data(q, null_topic_t, queue);

        topic = ngx_array_push(topics);
        if (topic == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        *topic = kept->kept;

        if (null_give(work, &topic->kapacitor, &kept->kept.kapacitor)
            != NGX_OK
            || null_give(work, &topic->name, &kept->kept.name) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_check_topic(topic);
    }

    return NGX_OK;
}
