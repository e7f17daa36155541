
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_LOG_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_store.h"


/*
 * What is logged about the queue.  Trouble is a time in which jobs fail: all
 * workers together log one line when it begins and one when it ends.  What
 * has become of events is logged by their number, at most once an hour by
 * each worker.
 */


/* bytes for names of sources */

#define NGX_HTTP_ILERT_QUEUE_NAMES     1024


/* in shared memory, all zeros at first */

typedef struct {
    ngx_atomic_t                        trouble;    /* that was logged last, */
                                                    /* or 0: it is over */
    ngx_atomic_t                        failed;     /* when a job failed */
                                                    /* last, s, wall clock */
} ngx_http_ilert_queue_trouble_t;


/* a number of things of one kind, which is logged at times */

typedef struct {
    ngx_uint_t                          n;          /* not logged yet */
    time_t                              logged;     /* time of the last line */
} ngx_http_ilert_queue_count_t;


/* of a worker; the caller sets the first three members, and zeros the rest */

typedef struct {
    ngx_str_t                          *path;
    ngx_http_ilert_counters_t          *counters;
    ngx_http_ilert_queue_trouble_t     *shared;

    ngx_http_ilert_queue_count_t        expired;
    ngx_http_ilert_queue_count_t        dropped;
    ngx_http_ilert_queue_count_t        silent;
    ngx_http_ilert_queue_count_t        forgotten;
    ngx_http_ilert_queue_count_t        evicted;
    ngx_http_ilert_queue_count_t        unkept;
    ngx_http_ilert_queue_count_t        resolved;
    ngx_http_ilert_queue_count_t        coalesced;
    ngx_http_ilert_queue_count_t        damaged;

    unsigned                            troubled:1; /* jobs are run to see */
                                                    /* if trouble is over */
    ngx_atomic_uint_t                   trouble;    /* of this worker's last */
                                                    /* job, or 0 */

    /*
     * Names of sources that are not configured, each with a zero at its end;
     * the thread sets them.
     */
    size_t                              nnames;
    u_char                              names[NGX_HTTP_ILERT_QUEUE_NAMES];
} ngx_http_ilert_queue_log_t;


/*
 * Is called on the event loop after each job: logs what the job has changed,
 * and shows trouble in the counters.  "unkept" is the number of refused
 * webhooks that were not kept.
 */
void ngx_http_ilert_queue_log(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job,
    ngx_uint_t unkept);

/*
 * Is called on the thread, before that: notes the name of a source that is
 * not configured, but has events.  Returns NGX_OK, or NGX_DECLINED if there is
 * no room for this name.
 */
ngx_int_t ngx_http_ilert_queue_log_unconfigured(ngx_http_ilert_queue_log_t *ql,
    ngx_str_t *name);


#endif /* _NGX_HTTP_ILERT_QUEUE_LOG_H_INCLUDED_ */
