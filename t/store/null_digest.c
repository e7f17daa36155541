
/* the backend in memory: silences, and digests with what they list */


#include "null_kept.h"


/* what a row takes, beside its texts */

#define NULL_SILENCE  60
#define NULL_DIGEST   100


static void
null_count_silence(null_t *n, null_silence_t *silence, int number)
{
    null_set(n, n->total.silences, n->total.silences + number);

    null_add(n, number * (NULL_SILENCE
                          + (int64_t) (silence->kept.source.len
                                       + silence->kept.pattern.len
                                       + silence->kept.comment.len)));
}


static void
null_add_silence(null_t *n, ngx_http_ilert_store_silence_t *from)
{
    null_silence_t  *silence;

    from->id = n->next_silence;
    null_set(n, n->next_silence, n->next_silence + 1);

    silence = null_new(n, sizeof(null_silence_t));

    silence->kept.id = from->id;
    silence->kept.owner = from->owner;
    silence->kept.from = from->from;
    silence->kept.until = from->until;

    null_copy(n, &silence->kept.source, &from->source);
    null_copy(n, &silence->kept.pattern, &from->pattern);
    null_copy(n, &silence->kept.comment, &from->comment);

    null_insert_after(n, ngx_queue_last(&n->silences), &silence->queue);
    null_count_silence(n, silence, 1);
}


static void
null_remove_silence(null_t *n, int64_t id)
{
    ngx_queue_t     *q;
    null_silence_t  *silence;

    null_each(q, &n->silences) {
        silence = ngx_queue_data(q, null_silence_t, queue);

        if (silence->kept.id != id) {
            continue;
        }

        null_remove(n, q);
        null_count_silence(n, silence, -1);

        null_free(n, silence->kept.source.data);
        null_free(n, silence->kept.pattern.data);
        null_free(n, silence->kept.comment.data);
        null_free(n, silence);

        return;
    }
}


void
null_save_silences(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                     *q, *next;
    ngx_http_ilert_store_silence_t  *silence;

    for (q = ngx_queue_head(&work->silences);
         q != ngx_queue_sentinel(&work->silences);
         q = next)
    {
        next = ngx_queue_next(q);

        silence = ngx_queue_data(q, ngx_http_ilert_store_silence_t, queue);

        if (silence->removed) {
            ngx_queue_remove(q);
        }

        if (silence->added != silence->removed) {
            work->changed = 1;

            if (silence->added) {
                null_add_silence(n, silence);

            } else {
                null_remove_silence(n, silence->id);
            }
        }

        silence->added = 0;
        silence->removed = 0;
    }
}


static null_digest_t *
null_digest_of(null_t *n, int64_t source)
{
    ngx_queue_t    *q;
    null_digest_t  *digest;

    null_each(q, &n->digests) {
        digest = ngx_queue_data(q, null_digest_t, queue);

        if (digest->kept.source == source) {
            return digest;
        }
    }

    return NULL;
}


static void
null_count_digest(null_t *n, int number)
{
    null_set(n, n->total.digests, n->total.digests + number);
    null_add(n, number * NULL_DIGEST);
}


static void
null_save_digest(null_t *n, ngx_http_ilert_store_digest_t *from)
{
    null_digest_t  *digest;

    digest = null_digest_of(n, from->source);

    if (from->removed) {

        if (digest) {
            null_remove(n, &digest->queue);
            null_count_digest(n, -1);
            null_free(n, digest);
        }

        return;
    }

    if (digest == NULL && from->added) {
        digest = null_new(n, sizeof(null_digest_t));
        digest->kept.source = from->source;

        null_insert_after(n, ngx_queue_last(&n->digests), &digest->queue);
        null_count_digest(n, 1);
    }

    if (digest) {
        null_set(n, digest->kept.state, from->state);
    }
}


void
null_save_digests(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                    *q, *next;
    ngx_http_ilert_store_digest_t  *digest;

    for (q = ngx_queue_head(&work->digests);
         q != ngx_queue_sentinel(&work->digests);
         q = next)
    {
        next = ngx_queue_next(q);

        digest = ngx_queue_data(q, ngx_http_ilert_store_digest_t, queue);

        if (digest->removed) {
            ngx_queue_remove(q);
        }

        if (digest->added ? !digest->removed
                          : digest->changed || digest->removed)
        {
            work->changed = 1;
            null_save_digest(n, digest);
        }

        digest->added = 0;
        digest->changed = 0;
        digest->removed = 0;
    }
}


void
null_free_digests(null_t *n)
{
    ngx_queue_t     *q;
    null_silence_t  *silence;

    while (!ngx_queue_empty(&n->silences)) {
        q = ngx_queue_head(&n->silences);
        ngx_queue_remove(q);
        silence = ngx_queue_data(q, null_silence_t, queue);
        free(silence->kept.source.data);
        free(silence->kept.pattern.data);
        free(silence->kept.comment.data);
        free(silence);
    }

    while (!ngx_queue_empty(&n->digests)) {
        q = ngx_queue_head(&n->digests);
        ngx_queue_remove(q);
        free(ngx_queue_data(q, null_digest_t, queue));
    }
}


ngx_int_t
null_silences(ngx_http_ilert_store_work_t *work, ngx_array_t *silences)
{
    ngx_queue_t                     *q;
    null_silence_t                  *kept;
    ngx_http_ilert_store_silence_t  *silence;

    null_each(q, &null_of(work)->silences) {
        kept = ngx_queue_data(q, null_silence_t, queue);

        silence = ngx_array_push(silences);
        if (silence == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        *silence = kept->kept;

        if (null_give(work, &silence->source, &kept->kept.source) != NGX_OK
            || null_give(work, &silence->pattern, &kept->kept.pattern)
               != NGX_OK
            || null_give(work, &silence->comment, &kept->kept.comment)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_check_silence(silence);
    }

    return NGX_OK;
}


ngx_int_t
null_digests(ngx_http_ilert_store_work_t *work, ngx_array_t *digests)
{
    null_t                         *n;
    ngx_queue_t                    *q;
    null_digest_t                  *kept;
    null_source_t                  *source;
    ngx_http_ilert_store_digest_t  *digest;

    n = null_of(work);

    null_each(q, &n->digests) {
        kept = ngx_queue_data(q, null_digest_t, queue);
        source = null_source_of_id(n, kept->kept.source);

        if (source == NULL) {
            continue;
        }

        digest = ngx_array_push(digests);
        if (digest == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        *digest = kept->kept;

        if (null_give(work, &digest->name, &source->counted.name) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_check_digest(digest);
    }

    return NGX_OK;
}


ngx_int_t
null_bad(ngx_http_ilert_store_work_t *work, int64_t source, int64_t *counts)
{
    int64_t        level;
    ngx_queue_t   *q;
    null_alert_t  *alert;

    ngx_memzero(counts, (NGX_HTTP_ILERT_CRITICAL + 1) * sizeof(int64_t));

    null_each(q, &null_of(work)->alerts) {
        alert = ngx_queue_data(q, null_alert_t, queue);
        level = ngx_min(alert->row.bad, NGX_HTTP_ILERT_CRITICAL);

        if (level > 0 && alert->row.source == source) {
            counts[level]++;
        }
    }

    return NGX_OK;
}
