
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_COURIER_H_INCLUDED_
#define _NGX_HTTP_ILERT_COURIER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_store.h"


/*
 * Delivers what waits in the queue.  There is one courier at a time, in
 * whichever worker holds the lock on the queue's folder; when that worker
 * exits or dies another one takes over.  What may go now is the store's to
 * say; the courier has no more events in its hands than it can send at once,
 * unless they go so fast that it would have to wait for the disk.
 */


/* of an integration key */

struct ngx_http_ilert_courier_key_s {
    ngx_uint_t                   inflight;
    ngx_uint_t                   faults;    /* in a row: 429, or it is */
                                            /* refused */
    ngx_msec_t                   until;     /* the pause's end, then */
    ngx_msec_t                   limited;   /* time of the last 429 */
    ngx_msec_t                   probed;    /* the last request's start */
    ngx_uint_t                   pauses;    /* so far */
    ngx_http_ilert_store_budget_t  *budget;
    unsigned                     tight:1;   /* there was a 429 lately */
    unsigned                     parked:1;  /* it is refused */
};


/* of a source */

struct ngx_http_ilert_courier_source_s {
    ngx_queue_t                  ready;     /* taken, not sent yet */
    ngx_uint_t                   nready;
    ngx_uint_t                   inflight;
    ngx_uint_t                   most;      /* of both */
    ngx_msec_t                   taken;     /* when some were taken last */
    ngx_uint_t                   pauses;    /* of its key and its endpoint */
                                            /* when a job was begun */
    ngx_uint_t                   resumed;   /* orders that were seen */
    ngx_uint_t                   urgent;    /* events that were, when a job */
                                            /* was begun */
    ngx_uint_t                   orders;    /* when a job was begun */

    unsigned                     more:1;    /* there may be events to take */
    unsigned                     fresh:1;   /* one has just come in */
    unsigned                     release:1; /* none need wait any longer */
    unsigned                     changed:1; /* its kind has, which is said */
};


/* of an endpoint */

struct ngx_http_ilert_courier_endpoint_s {
    ngx_uint_t                   inflight;
    ngx_uint_t                   faults;    /* in a row, without an answer */
    int64_t                      alert;     /* whose event was the first */
    unsigned                     several:1; /* others' were too */
    ngx_msec_t                   probed;    /* the last one's start */
    ngx_msec_t                   until;     /* the next one, if it is down */
    ngx_uint_t                   pauses;    /* so far */
    ngx_uint_t                   probes;    /* of those, since it is down */
    ngx_http_ilert_store_budget_t  *budget; /* NULL: "rate=off" */
};


/*
 * Of a worker, before its first job: makes what the courier keeps of each
 * source, key, and endpoint.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_courier_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);


void ngx_http_ilert_courier_exit_process(void);


/* for the queue, whose client the courier is */
extern ngx_http_ilert_queue_client_t  ngx_http_ilert_courier_client;


/* whether there is a courier, in this worker or in another one */
ngx_uint_t ngx_http_ilert_courier_runs(void);

/*
 * The number of the process that ought to be the courier, if it has given no
 * sign of life for some seconds, or 0.
 */
ngx_pid_t ngx_http_ilert_courier_silent(void);


#endif /* _NGX_HTTP_ILERT_COURIER_H_INCLUDED_ */
