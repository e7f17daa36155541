
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
 * What is logged of the queue: its trouble, one line when it begins and one
 * when it ends, of all workers; and what has become of events, by their
 * number.
 */


#define NGX_HTTP_ILERT_QUEUE_NAMES     1024


/* in shared memory, all zeros at first */

typedef struct {
    ngx_atomic_t                        trouble;    /* as it is logged */
    ngx_atomic_t                        failed;     /* when last, in seconds */
} ngx_http_ilert_queue_trouble_t;


/* what is logged by its number now and then */

typedef struct {
    ngx_uint_t                          n;          /* not logged yet */
    time_t                              logged;
} ngx_http_ilert_queue_count_t;


/* of a worker; all zeros but for the first three */

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

    unsigned                            troubled:1; /* we look for its end */
    ngx_atomic_uint_t                   trouble;    /* of this worker, or 0 */

    /* set by the thread: of sources that are not configured, each with */
    /* a zero at its end */
    size_t                              nnames;
    u_char                              names[NGX_HTTP_ILERT_QUEUE_NAMES];
} ngx_http_ilert_queue_log_t;


/*
 * A job has been run, and so many refused webhooks were not kept: logs what
 * there is to say, and counts trouble.
 */
void ngx_http_ilert_queue_log(ngx_http_ilert_queue_log_t *ql,
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job,
    ngx_uint_t unkept);

/*
 * On the thread, before that: there are events of a source that is not
 * configured.  NGX_DECLINED: there is no room for more names.
 */
ngx_int_t ngx_http_ilert_queue_log_stranger(ngx_http_ilert_queue_log_t *ql,
    ngx_str_t *name);


#endif /* _NGX_HTTP_ILERT_QUEUE_LOG_H_INCLUDED_ */
