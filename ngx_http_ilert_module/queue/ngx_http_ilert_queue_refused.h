
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


/*
 * Webhooks that were refused, and wait to be written to disk.  Their number,
 * their bytes, and the bytes that are written in a second are bounded, so that
 * a flood of them takes neither all memory nor all of the disk's time.  All
 * functions are called on the event loop.
 */


/* of a worker */

typedef struct {
    ngx_queue_t                         waiting;    /* store_refused_t */
    ngx_uint_t                          n;          /* of "waiting" */
    size_t                              bytes;      /* of "waiting" */
    ngx_uint_t                          lost;       /* there was no room, or */
                                                    /* no memory, for them */
    ngx_uint_t                          given;      /* number in the job */
    size_t                              given_bytes;
} ngx_http_ilert_queue_refused_t;


void ngx_http_ilert_queue_refused_init(ngx_http_ilert_queue_refused_t *qr);

/*
 * Adds a copy, and frees the oldest ones if there are too many.  If there is
 * no memory for the copy, it counts as lost.
 */
void ngx_http_ilert_queue_refused_add(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_refused_t *refused);

/* Moves all that wait into a job, which has none yet. */
void ngx_http_ilert_queue_refused_give(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_job_t *job);

/*
 * Is called after each job: frees those that it had.  Sets "unkept" to the
 * number of those that were lost, or were not kept by the job, since the last
 * call.  Returns the ms for which no job is to be given any, or 0 if this job
 * had none.
 */
ngx_msec_t ngx_http_ilert_queue_refused_done(
    ngx_http_ilert_queue_refused_t *qr, ngx_http_ilert_store_job_t *job,
    ngx_uint_t *unkept);

/* Frees a list of store_refused_t. */
void ngx_http_ilert_queue_refused_free(ngx_queue_t *refused);


#endif /* _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_ */
