
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_rules.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Keeps webhooks that were refused, so that people can look at them, and send
 * them once more.  No alert depends on that.  So they are kept in
 * a transaction of their own, for which no event waits, and which is not tried
 * again; and they only take room that events do not need.  The rules say when
 * the oldest ones are removed.
 */


/* bytes: about what a row takes beside its texts */

#define NGX_HTTP_ILERT_REFUSED_ROW   64

/* webhooks that are loaded at a time, to be removed */

#define NGX_HTTP_ILERT_REFUSED_PAGE  64


static void ngx_http_ilert_refused_count(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, int64_t *n, int64_t *bytes);
static ngx_int_t ngx_http_ilert_refused_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_refused_shorten(
    ngx_http_ilert_store_work_t *work, int64_t *n, int64_t *bytes);
static ngx_int_t ngx_http_ilert_refused_oldest(
    ngx_http_ilert_store_work_t *work, ngx_uint_t limit,
    ngx_array_t *refused);


void
ngx_http_ilert_refused_keep(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t                    rc;
    ngx_http_ilert_store_work_t  work;

    /* if there is trouble with events, this must not make it worse */

    if (ngx_queue_empty(&job->refused) || !job->decided
        || store->state != NGX_HTTP_ILERT_STORE_OK)
    {
        return;
    }

    rc = ngx_http_ilert_work_create(&work, store, job->now);

    if (rc == NGX_OK) {
        rc = store->backend->begin(&work);

        if (rc == NGX_OK) {
            work.accepting = 1;

            rc = ngx_http_ilert_refused_add(&work, job);
            rc = ngx_http_ilert_work_end(&work, rc);
        }
    }

    if (rc != NGX_OK) {
        job->kept = 0;
        store->backend->trust(store, 0, NGX_ERROR, job->now);
    }

    ngx_http_ilert_work_destroy(&work);
}


/*
 * Adds the job's refused webhooks, after removing old ones.  If those of the
 * job alone are more than may be kept, only its last ones are added.
 */

static ngx_int_t
ngx_http_ilert_refused_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    int64_t                          n, bytes;
    ngx_int_t                        rc;
    ngx_queue_t                     *q;
    ngx_http_ilert_store_refused_t  *refused, *copy;

    ngx_http_ilert_refused_count(work, job, &n, &bytes);

    n += work->total.refused;
    bytes += work->total.refused_bytes;

    rc = ngx_http_ilert_refused_shorten(work, &n, &bytes);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_ilert_refused_count(work, job, &n, &bytes);
    }

    for (q = ngx_queue_head(&job->refused);
         q != ngx_queue_sentinel(&job->refused);
         q = ngx_queue_next(q))
    {
        refused = ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue);

        if (refused->removed) {
            continue;
        }

        if (ngx_http_ilert_rules_refused_goes(n, bytes, work->store->max_size,
                                              refused->time, work->now))
        {
            n--;
            bytes -= refused->bytes;
            continue;
        }

        /* it is in the job's queue, so a copy goes into the work's */

        copy = ngx_palloc(work->pool, sizeof(ngx_http_ilert_store_refused_t));
        if (copy == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        *copy = *refused;

        ngx_queue_insert_tail(&work->refused, &copy->queue);
        job->kept++;
    }

    return work->store->backend->save(work);
}


/*
 * Sets the "bytes" of each of the job's webhooks, and the number and the bytes
 * of all that are to be added.  One that is so large that all others would
 * have to be removed is left out ("removed").
 */

static void
ngx_http_ilert_refused_count(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, int64_t *n, int64_t *bytes)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_refused_t  *refused;

    *n = 0;
    *bytes = 0;

    for (q = ngx_queue_head(&job->refused);
         q != ngx_queue_sentinel(&job->refused);
         q = ngx_queue_next(q))
    {
        refused = ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue);

        refused->bytes = NGX_HTTP_ILERT_REFUSED_ROW + refused->from.len
                         + refused->location.len + refused->error.len
                         + refused->body.len;

        refused->removed = ngx_http_ilert_rules_refused_goes(1, refused->bytes,
                               work->store->max_size, refused->time,
                               work->now);

        if (!refused->removed) {
            (*n)++;
            *bytes += refused->bytes;
        }
    }
}


ngx_int_t
ngx_http_ilert_refused_clean(ngx_http_ilert_store_work_t *work)
{
    int64_t    n, bytes;
    ngx_int_t  rc;

    n = work->total.refused;
    bytes = work->total.refused_bytes;

    if (n == 0) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_refused_shorten(work, &n, &bytes);

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/*
 * Removes the oldest webhooks for which there is no room, but no more than
 * .._STORE_ROWS.  "n" and "bytes" become those of what is left.  Returns
 * NGX_DECLINED if none is left, even if the counts say something else.
 */

static ngx_int_t
ngx_http_ilert_refused_shorten(ngx_http_ilert_store_work_t *work, int64_t *n,
    int64_t *bytes)
{
    ngx_uint_t                       i, limit, rows;
    ngx_array_t                      list;
    ngx_http_ilert_store_refused_t  *refused;

    /* mostly none is to be removed, so at first one is loaded */

    limit = 1;

    for (rows = 0; rows < NGX_HTTP_ILERT_STORE_ROWS; rows += list.nelts) {

        if (ngx_http_ilert_refused_oldest(work, limit, &list) != NGX_OK) {
            return NGX_ERROR;
        }

        if (list.nelts == 0) {
            return NGX_DECLINED;
        }

        refused = list.elts;

        for (i = 0; i < list.nelts; i++) {

            if (!ngx_http_ilert_rules_refused_goes(*n, *bytes,
                                                   work->store->max_size,
                                                   refused[i].time, work->now))
            {
                return NGX_OK;
            }

            ngx_http_ilert_work_remove_refused(work, &refused[i]);

            (*n)--;
            *bytes -= refused[i].bytes;
        }

        limit = NGX_HTTP_ILERT_REFUSED_PAGE;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_refused_remove(ngx_http_ilert_store_work_t *work,
    ngx_uint_t limit, int64_t last, ngx_uint_t *n)
{
    ngx_uint_t                       i;
    ngx_array_t                      list;
    ngx_http_ilert_store_refused_t  *refused;

    *n = 0;

    if (ngx_http_ilert_refused_oldest(work, limit, &list) != NGX_OK) {
        return NGX_ERROR;
    }

    refused = list.elts;

    for (i = 0; i < list.nelts && refused[i].id <= last; i++) {
        ngx_http_ilert_work_remove_refused(work, &refused[i]);
        (*n)++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_refused_oldest(ngx_http_ilert_store_work_t *work,
    ngx_uint_t limit, ngx_array_t *list)
{
    ngx_http_ilert_store_refused_filter_t  filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_refused_filter_t));

    filter.which = NGX_HTTP_ILERT_REFUSED_OLDEST;
    filter.limit = limit;

    return ngx_http_ilert_work_refused(work, &filter, list);
}
