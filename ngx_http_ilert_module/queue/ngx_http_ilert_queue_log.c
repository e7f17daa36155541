
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_queue_log.h"
#include "ngx_http_ilert_store.h"


#if (NGX_THREADS)

/* seconds without a failure after which trouble is over */

#define NGX_HTTP_ILERT_QUEUE_CALM      2

/* seconds between two lines about what is counted */

#define NGX_HTTP_ILERT_QUEUE_LOG_PERIOD  3600

/*
 * Kinds of trouble, by what is done with events that cannot be committed; 0 is
 * no trouble.
 */

#define NGX_HTTP_ILERT_QUEUE_RELAYS    1
#define NGX_HTTP_ILERT_QUEUE_REFUSES   2


static void ngx_http_ilert_queue_log_counts(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_job_t *job);
static void ngx_http_ilert_queue_log_refused(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_job_t *job, ngx_uint_t unkept);
static ngx_uint_t ngx_http_ilert_queue_count(
    ngx_http_ilert_queue_count_t *count, ngx_uint_t n);
static void ngx_http_ilert_queue_log_trouble(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store);
static void ngx_http_ilert_queue_log_refusal(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store);


void
ngx_http_ilert_queue_log(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job,
    ngx_uint_t unkept)
{
    u_char  *p;

    if (store->notice[0]) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %s", ql->path,
                      store->notice);
        store->notice[0] = '\0';
    }

    for (p = ql->names; p < ql->names + ql->nnames; p += ngx_strlen(p) + 1) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": events of source \"%s\" wait, but "
                      "it is not configured", ql->path, p);
    }

    ql->nnames = 0;

    ngx_http_ilert_queue_log_trouble(ql, store);

    ngx_http_ilert_queue_log_counts(ql, job);
    ngx_http_ilert_queue_log_refused(ql, job, unkept);
}


static void
ngx_http_ilert_queue_log_counts(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  n;

    n = ngx_http_ilert_queue_count(&ql->expired, job->expired);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui events are older than "
                      "\"max_age\" and became dead letters",
                      ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->dropped, job->dropped);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui dead letters were removed, "
                      "they are kept for 30 days and in a quarter of "
                      "\"max_size\"", ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->damaged, job->damaged);

    if (n) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui rows of events were damaged "
                      "and became dead letters", ql->path, n);
    }

    if (job->lapsed) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui silences are over, "
                      "silence %L is the last of them",
                      ql->path, job->lapsed, job->lapsed_id);
    }

    n = ngx_http_ilert_queue_count(&ql->silent, job->silent);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts of which nothing was "
                      "heard for 90 days were forgotten, ilert may show them",
                      ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->forgotten, job->forgotten);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts that wait for nothing "
                      "were forgotten to make room within \"max_size\"",
                      ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->resolved, job->resolved);

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui alerts are resolved by "
                      "\"resolve_after\"", ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->coalesced, job->coalesced);

    if (n) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui events were coalesced, they "
                      "needed no request", ql->path, n);
    }
}


static void
ngx_http_ilert_queue_log_refused(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_job_t *job, ngx_uint_t unkept)
{
    ngx_uint_t  n;

    n = ngx_http_ilert_queue_count(&ql->evicted, job->evicted);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui refused webhooks were removed "
                      "to make room within \"max_size\"", ql->path, n);
    }

    n = ngx_http_ilert_queue_count(&ql->unkept, unkept);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %ui refused webhooks could not be "
                      "kept, there are too many, or no room", ql->path, n);
    }
}


/* Adds n, and returns the number that is to be logged now, or 0. */

static ngx_uint_t
ngx_http_ilert_queue_count(ngx_http_ilert_queue_count_t *count, ngx_uint_t n)
{
    count->n += n;

    if (count->n == 0
        || ngx_http_ilert_counters_recent(count->logged,
                                          NGX_HTTP_ILERT_QUEUE_LOG_PERIOD))
    {
        return 0;
    }

    n = count->n;

    count->n = 0;
    count->logged = ngx_time();

    return n;
}


/*
 * If there is hardly any room on disk, jobs of one worker may fail while those
 * of another do not.  So trouble is over when no worker has failed for a time.
 */

static void
ngx_http_ilert_queue_log_trouble(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store)
{
    ngx_str_t          error;
    ngx_atomic_uint_t  trouble;

    if (store->state != NGX_HTTP_ILERT_STORE_OK) {

        ql->troubled = 1;
        ql->shared->failed = ngx_time();

        error.data = (u_char *) store->error;
        error.len = ngx_strlen(error.data);

        ngx_http_ilert_counters_set_trouble(ql->counters, store->state,
                                            &error);

        ngx_http_ilert_queue_log_refusal(ql, store);
        return;
    }

    ql->trouble = 0;

    if (ngx_http_ilert_counters_recent((time_t) ql->shared->failed,
                                       NGX_HTTP_ILERT_QUEUE_CALM))
    {
        return;
    }

    ql->troubled = 0;

    if (ql->counters->trouble) {
        ngx_http_ilert_counters_set_trouble(ql->counters,
                                            NGX_HTTP_ILERT_STORE_OK, NULL);
    }

    trouble = ql->shared->trouble;

    if (trouble && ngx_atomic_cmp_set(&ql->shared->trouble, trouble, 0)) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert queue \"%V\": committing again",
                      ql->path);
    }
}


/*
 * Logs that trouble begins, or, if this worker finds that the kind of trouble
 * has changed, the other kind.
 */

static void
ngx_http_ilert_queue_log_refusal(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store)
{
    const char         *now, *how;
    ngx_atomic_uint_t   was, trouble;

    if (store->asked) {
        trouble = NGX_HTTP_ILERT_QUEUE_RELAYS;
        how = "relayed unless earlier ones of their alert wait";

    } else {
        trouble = NGX_HTTP_ILERT_QUEUE_REFUSES;
        how = "refused";
    }

    was = ql->shared->trouble;

    if (was && ql->trouble == trouble) {
        return;
    }

    ql->trouble = trouble;
    now = was ? "now " : "";

    if (was != trouble && ngx_atomic_cmp_set(&ql->shared->trouble, was,
                                             trouble)) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "ilert queue \"%V\": %s; %sevents are %s",
                      ql->path, store->error, now, how);
    }
}


ngx_int_t
ngx_http_ilert_queue_log_unconfigured(ngx_http_ilert_queue_log_t *ql,
    ngx_str_t *name)
{
    if (ql->nnames + name->len + 1 > NGX_HTTP_ILERT_QUEUE_NAMES) {
        return NGX_DECLINED;
    }

    ql->nnames = ngx_sprintf(ql->names + ql->nnames, "%V%Z", name) - ql->names;

    return NGX_OK;
}

#endif
