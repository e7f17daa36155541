
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_queue_refused.h"
#include "ngx_http_ilert_rules.h"


#if (NGX_THREADS)

/* bytes that may wait; bytes that are written in a second, on average */

#define NGX_HTTP_ILERT_QUEUE_REFUSED_BYTES   (2 * 1024 * 1024)
#define NGX_HTTP_ILERT_QUEUE_REFUSED_SPEED   (1024 * 1024)

/* ms between two jobs that write some, at least */

#define NGX_HTTP_ILERT_QUEUE_REFUSED_PAUSE   100

/* bytes of an address, a location, or an error, at most */

#define NGX_HTTP_ILERT_QUEUE_REFUSED_TEXT    1024


static u_char *ngx_http_ilert_queue_refused_copy(u_char *p, ngx_str_t *to,
    ngx_str_t *from, size_t max);


void
ngx_http_ilert_queue_refused_init(ngx_http_ilert_queue_refused_t *qr)
{
    ngx_memzero(qr, sizeof(ngx_http_ilert_queue_refused_t));

    ngx_queue_init(&qr->waiting);
}


void
ngx_http_ilert_queue_refused_add(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_refused_t *refused)
{
    u_char                          *p;
    size_t                           size;
    ngx_queue_t                     *q;
    ngx_http_ilert_store_refused_t  *copy, *oldest;

    size = sizeof(ngx_http_ilert_store_refused_t)
           + 3 * NGX_HTTP_ILERT_QUEUE_REFUSED_TEXT
           + ngx_min(refused->body.len, NGX_HTTP_ILERT_REFUSED_BODY);

    copy = ngx_alloc(size, ngx_cycle->log);
    if (copy == NULL) {
        qr->lost++;
        return;
    }

    *copy = *refused;

    p = (u_char *) copy + sizeof(ngx_http_ilert_store_refused_t);

    p = ngx_http_ilert_queue_refused_copy(p, &copy->from, &refused->from,
                                          NGX_HTTP_ILERT_QUEUE_REFUSED_TEXT);
    p = ngx_http_ilert_queue_refused_copy(p, &copy->location,
                                          &refused->location,
                                          NGX_HTTP_ILERT_QUEUE_REFUSED_TEXT);
    p = ngx_http_ilert_queue_refused_copy(p, &copy->error, &refused->error,
                                          NGX_HTTP_ILERT_QUEUE_REFUSED_TEXT);
    (void) ngx_http_ilert_queue_refused_copy(p, &copy->body, &refused->body,
                                             NGX_HTTP_ILERT_REFUSED_BODY);

    copy->bytes = size;

    ngx_queue_insert_tail(&qr->waiting, &copy->queue);

    qr->n++;
    qr->bytes += size;

    while (qr->n > NGX_HTTP_ILERT_REFUSED_NUMBER
           || qr->bytes > NGX_HTTP_ILERT_QUEUE_REFUSED_BYTES)
    {
        q = ngx_queue_head(&qr->waiting);
        ngx_queue_remove(q);

        oldest = ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue);

        qr->n--;
        qr->bytes -= oldest->bytes;
        qr->lost++;

        ngx_free(oldest);
    }
}


static u_char *
ngx_http_ilert_queue_refused_copy(u_char *p, ngx_str_t *to, ngx_str_t *from,
    size_t max)
{
    to->data = p;
    to->len = ngx_min(from->len, max);

    return to->len ? ngx_cpymem(p, from->data, to->len) : p;
}


void
ngx_http_ilert_queue_refused_give(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_job_t *job)
{
    if (ngx_queue_empty(&qr->waiting)) {
        return;
    }

    ngx_queue_add(&job->refused, &qr->waiting);
    ngx_queue_init(&qr->waiting);

    qr->given = qr->n;
    qr->given_bytes = qr->bytes;
    qr->n = 0;
    qr->bytes = 0;
}


ngx_msec_t
ngx_http_ilert_queue_refused_done(ngx_http_ilert_queue_refused_t *qr,
    ngx_http_ilert_store_job_t *job, ngx_uint_t *unkept)
{
    ngx_msec_t  pause;

    pause = 0;

    if (qr->given) {
        pause = NGX_HTTP_ILERT_QUEUE_REFUSED_PAUSE
                + qr->given_bytes * 1000 / NGX_HTTP_ILERT_QUEUE_REFUSED_SPEED;
    }

    *unkept = qr->lost + qr->given - job->kept;

    qr->lost = 0;
    qr->given = 0;
    qr->given_bytes = 0;

    ngx_http_ilert_queue_refused_free(&job->refused);

    return pause;
}


void
ngx_http_ilert_queue_refused_free(ngx_queue_t *refused)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(refused)) {
        q = ngx_queue_head(refused);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue));
    }
}

#endif
