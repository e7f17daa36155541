
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


/*
 * Webhooks that were refused, and that wait to be kept: bounded in number and
 * bytes, so that a flood of them takes neither the memory of a worker nor its
 * disk.  All of this is on the event loop.
 */


/* of a worker */

typedef struct {
    ngx_queue_t                         waiting;    /* store_refused_t */
    ngx_uint_t                          n;
    size_t                              bytes;
    ngx_uint_t                          lost;       /* for which there was */
                                                    /* no room, or memory */
    ngx_uint_t                          given;      /* to the job */
    size_t                              given_bytes;
} ngx_http_ilert_queue_refused_t;


void ngx_http_ilert_queue_refused_init(ngx_http_ilert_queue_refused_t *qr);

/* adds a copy, and lets the oldest ones go if there are too many */
void ngx_http_ilert_queue_refused_add(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_refused_t *refused);

/* gives all of them to a job */
void ngx_http_ilert_queue_refused_give(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_job_t *job);

/*
 * The job has been run: frees what it was given.  Sets how many could not be
 * kept since the last time, and returns how many ms the next job is not to be
 * given any, or 0 if this one was not.
 */
ngx_msec_t ngx_http_ilert_queue_refused_done(
    ngx_http_ilert_queue_refused_t *qr, ngx_http_ilert_store_job_t *job,
    ngx_uint_t *unkept);

void ngx_http_ilert_queue_refused_free(ngx_queue_t *refused);


#endif /* _NGX_HTTP_ILERT_QUEUE_REFUSED_H_INCLUDED_ */
