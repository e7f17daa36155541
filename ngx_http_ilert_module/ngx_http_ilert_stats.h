
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATS_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_request.h"
#include "ngx_http_ilert_store.h"


/*
 * What all workers count and know, in shared memory, from the master's start
 * on, over reloads: by the names of sources and endpoints.  Times are wall
 * clock in milliseconds, 0: never.  Numbers are added to without a lock; texts
 * are under the mutex of the zone.
 */


/* of what is not HTTP's in ngx_http_ilert_stats_code_t */

#define NGX_HTTP_ILERT_STATS_ERROR    1
#define NGX_HTTP_ILERT_STATS_TIMEOUT  2

#define NGX_HTTP_ILERT_STATS_CODES    32
#define NGX_HTTP_ILERT_STATS_TEXT     256

typedef struct {
    ngx_atomic_t                 code;      /* 0: not used yet */
    ngx_atomic_t                 n;
} ngx_http_ilert_stats_code_t;


/* events that wait, as last read from the store */

#define NGX_HTTP_ILERT_STATS_CLASSES  4

typedef struct {
    int64_t                      waiting[NGX_HTTP_ILERT_STATS_CLASSES];
    int64_t                      oldest[NGX_HTTP_ILERT_STATS_CLASSES];
    int64_t                      dead;
    int64_t                      open;
} ngx_http_ilert_stats_waiting_t;


/* what has a name, in a list */

typedef struct ngx_http_ilert_stats_node_s  ngx_http_ilert_stats_node_t;

struct ngx_http_ilert_stats_node_s {
    ngx_http_ilert_stats_node_t  *next;
    ngx_str_t                    name;
};


typedef struct {
    ngx_http_ilert_stats_node_t  node;

    ngx_atomic_t                 accepted;
    ngx_atomic_t                 ignored;
    ngx_atomic_t                 coalesced;
    ngx_atomic_t                 delivered;
    ngx_atomic_t                 retried;
    ngx_atomic_t                 dead;
    ngx_atomic_t                 inflight;  /* the courier's */
    ngx_http_ilert_stats_code_t  codes[NGX_HTTP_ILERT_STATS_CODES];

    /* by the last answer, or the lack of one */

    ngx_atomic_t                 parked;    /* and why */
    size_t                       park_len;
    u_char                       park[NGX_HTTP_ILERT_STATS_TEXT];
    ngx_atomic_t                 limited;
    ngx_atomic_t                 failing;
    int64_t                      until;     /* no request before, if it is */
                                            /* parked or limited */
    ngx_atomic_t                 paused;    /* by an order */
    ngx_atomic_t                 orders;    /* to pause it or to resume it */
    ngx_atomic_t                 resumed;   /* of these, to resume it */

    int64_t                      success;
    int64_t                      error_time;
    ngx_uint_t                   error_status;
    size_t                       error_len;
    u_char                       error[NGX_HTTP_ILERT_STATS_TEXT];

    /* what was logged last */

    ngx_atomic_t                 fault;
    ngx_atomic_t                 fault_time;    /* seconds */
    ngx_atomic_t                 fault_status;

    ngx_http_ilert_stats_waiting_t  waiting;
} ngx_http_ilert_stats_source_t;


typedef struct {
    ngx_http_ilert_stats_node_t  node;

    ngx_atomic_t                 down;
    int64_t                      since;     /* it is so, or not any more */
} ngx_http_ilert_stats_endpoint_t;


/* bounds of buckets: of commits, of deliveries */

#define NGX_HTTP_ILERT_STATS_BUCKETS  14

typedef struct {
    ngx_atomic_t                 buckets[NGX_HTTP_ILERT_STATS_BUCKETS];
    ngx_atomic_t                 sum;       /* microseconds */
} ngx_http_ilert_stats_histogram_t;

/* in microseconds, and as text in seconds; the last one is +Inf */

typedef struct {
    uint64_t                     bound;
    const char                  *text;
} ngx_http_ilert_stats_bucket_t;

extern ngx_http_ilert_stats_bucket_t  ngx_http_ilert_stats_commit_buckets[];
extern ngx_http_ilert_stats_bucket_t  ngx_http_ilert_stats_delivery_buckets[];


typedef struct {
    ngx_slab_pool_t             *shpool;
    ngx_http_ilert_stats_node_t  *sources;
    ngx_http_ilert_stats_node_t  *endpoints;

    ngx_atomic_t                 ignored;   /* without a source */
    ngx_http_ilert_stats_histogram_t  commit;
    ngx_http_ilert_stats_histogram_t  delivery;

    int64_t                      pinged;    /* the heartbeat's last ping */
    int64_t                      committed; /* the last event, or probe */

    /* of the queue */

    ngx_atomic_t                 trouble;   /* store_state_e, 0: none */
    size_t                       error_len;
    u_char                       error[NGX_HTTP_ILERT_STATS_TEXT * 2];
    int64_t                      bytes;     /* as last read, or -1 */
} ngx_http_ilert_stats_t;


/* adds the shared memory, when sources and endpoints are known */
ngx_int_t ngx_http_ilert_stats_init(ngx_conf_t *cf, void *imcf);


/*
 * A request has its outcome, "error" is of one that was not taken: counted,
 * and known from now on as the source's state.  "pause": how many ms its key
 * is not to be used, or 0.
 */
void ngx_http_ilert_stats_outcome(ngx_http_ilert_request_t *ir,
    ngx_str_t *error, ngx_msec_t pause);

/* nothing is known against the key any more */
void ngx_http_ilert_stats_unpark(ngx_http_ilert_source_t *source);

/* an endpoint is down, or up */
void ngx_http_ilert_stats_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down);

/* what the queue says: its state, and what is wrong, if it is not OK */
void ngx_http_ilert_stats_set_trouble(ngx_http_ilert_stats_t *stats,
    ngx_http_ilert_store_state_e state, ngx_str_t *error);

/* keeps what was read from the store */
void ngx_http_ilert_stats_publish(void *imcf,
    ngx_http_ilert_store_query_t *query);

/* something took so many microseconds */
void ngx_http_ilert_stats_observe(ngx_http_ilert_stats_histogram_t *histogram,
    ngx_http_ilert_stats_bucket_t *buckets, int64_t usec);

/*
 * Sets a text in shared memory, at most "size" bytes of it; gets a copy of
 * one, which is empty if there is no memory.
 */
void ngx_http_ilert_stats_set_text(ngx_http_ilert_stats_t *stats, u_char *data,
    size_t *len, size_t size, ngx_str_t *text);
ngx_str_t ngx_http_ilert_stats_get_text(ngx_http_ilert_stats_t *stats,
    u_char *data, size_t *len, ngx_pool_t *pool);

#define ngx_http_ilert_stats_add(counter, n)                                  \
    (void) ngx_atomic_fetch_add(&(counter), n)


#endif /* _NGX_HTTP_ILERT_STATS_H_INCLUDED_ */
