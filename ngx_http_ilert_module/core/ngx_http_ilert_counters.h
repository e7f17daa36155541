
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_request.h"
#include "ngx_http_ilert_store.h"


/*
 * What all workers count and know, in shared memory, from the master's start
 * on, over reloads: by the names of sources and endpoints.  Times are wall
 * clock in milliseconds, 0: never.
 *
 * A word that means something by itself is added to, set, and read without
 * a lock: ngx_atomic_t.
 *
 * A fact that is more than that (code and text, state and reason, a number of
 * 64 bits where a word has 32) is set by one function, and read by one that
 * makes a copy, both under the mutex of the zone; single words of it may be
 * looked at without.  Who has the mutex copies some hundred bytes, and does
 * nothing else.  If a process is killed meanwhile, the master unlocks it, and
 * the fact is incomplete until it is set again: a text of it is empty.
 */


/* of what is not HTTP's in ngx_http_ilert_stats_code_t */

#define NGX_HTTP_ILERT_STATS_ERROR    1
#define NGX_HTTP_ILERT_STATS_TIMEOUT  2

#define NGX_HTTP_ILERT_STATS_CODES    32
#define NGX_HTTP_ILERT_STATS_TEXT     256

/* bytes of a text that tells what is wrong with the queue */

#define NGX_HTTP_ILERT_STATS_ERROR_SIZE  512

typedef struct {
    ngx_atomic_t                 code;      /* 0: not used yet */
    ngx_atomic_t                 n;
} ngx_http_ilert_stats_code_t;


/* under the mutex */

typedef struct {
    size_t                       len;
    u_char                       data[NGX_HTTP_ILERT_STATS_TEXT];
} ngx_http_ilert_stats_text_t;


/* by ilert's last answers, or the lack of one; under the mutex */

typedef struct {
    int64_t                      success;
    int64_t                      error_time;
    ngx_uint_t                   error_status;  /* 0: no answer */
    ngx_http_ilert_stats_text_t  error;

    ngx_uint_t                   parked;
    ngx_uint_t                   limited;
    ngx_uint_t                   failing;
    int64_t                      until;     /* no request before, if it is */
                                            /* parked or limited */
    ngx_http_ilert_stats_text_t  park;      /* why it is parked */
} ngx_http_ilert_stats_last_t;


/* what was logged last; under the mutex */

typedef struct {
    ngx_uint_t                   fault;     /* and not its end */
    time_t                       time;      /* of the last fault, or 0 */
    ngx_uint_t                   status;
} ngx_http_ilert_stats_fault_t;


/* events that wait, as last read from the store; under the mutex */

#define NGX_HTTP_ILERT_STATS_CLASSES  4

typedef struct {
    int64_t                      waiting[NGX_HTTP_ILERT_STATS_CLASSES];
    int64_t                      oldest[NGX_HTTP_ILERT_STATS_CLASSES];
    int64_t                      dead;
    int64_t                      open;
} ngx_http_ilert_stats_waiting_t;


/* what has a name, in a list of the master's */

typedef struct ngx_http_ilert_stats_node_s  ngx_http_ilert_stats_node_t;

typedef struct ngx_http_ilert_stats_s  ngx_http_ilert_stats_t;

struct ngx_http_ilert_stats_node_s {
    ngx_http_ilert_stats_node_t  *next;
    ngx_http_ilert_stats_t      *stats;     /* whose node it is */
    ngx_uint_t                   first;     /* cycles that it is of, all */
    ngx_uint_t                   last;      /* those between, too */
    ngx_str_t                    name;
};


typedef struct {
    ngx_http_ilert_stats_node_t  node;

    /* each counts by itself */

    ngx_atomic_t                 accepted;
    ngx_atomic_t                 ignored;
    ngx_atomic_t                 coalesced;
    ngx_atomic_t                 delivered;
    ngx_atomic_t                 retried;
    ngx_atomic_t                 dead;
    ngx_atomic_t                 inflight;  /* the courier's */

    /* a code stays where it is, and its number is added to after that */

    ngx_http_ilert_stats_code_t  codes[NGX_HTTP_ILERT_STATS_CODES];

    /* set under the mutex, looked at one by one */

    ngx_atomic_t                 paused;    /* by an order */
    ngx_atomic_t                 orders;    /* to pause it or to resume it */
    ngx_atomic_t                 resumed;   /* of these, to resume it */
    ngx_atomic_t                 urgent;    /* events of the first urgency */
                                            /* that came in */

    ngx_http_ilert_stats_last_t  last;
    ngx_http_ilert_stats_fault_t  fault;
    ngx_http_ilert_stats_waiting_t  waiting;
} ngx_http_ilert_stats_source_t;


typedef struct {
    ngx_http_ilert_stats_node_t  node;

    /* under the mutex */

    ngx_uint_t                   down;
    int64_t                      since;     /* it is so, or not any more */
} ngx_http_ilert_stats_endpoint_t;


/*
 * Bounds of buckets: of commits, of deliveries.  The buckets tell how many
 * there were, and each is one number.  The sum is another one: who reads may
 * miss in it what has just been observed, which is there the next time.
 */

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


struct ngx_http_ilert_stats_s {
    ngx_slab_pool_t             *shpool;
    ngx_http_ilert_stats_node_t  *sources;
    ngx_http_ilert_stats_node_t  *endpoints;

    ngx_atomic_t                 ignored;   /* without a source */
    ngx_http_ilert_stats_histogram_t  commit;
    ngx_http_ilert_stats_histogram_t  delivery;

    /* numbers under the mutex */

    int64_t                      pinged;    /* the heartbeat's last ping */
    int64_t                      committed; /* the last event, or probe */
    int64_t                      bytes;     /* of the queue, as last read, */
                                            /* or -1 */

    /* of the queue, under the mutex */

    ngx_uint_t                   trouble;   /* store_state_e, 0: none */
    size_t                       error_len; /* 0, if there is none */
    u_char                       error[NGX_HTTP_ILERT_STATS_ERROR_SIZE];
};


/* adds the shared memory, when sources and endpoints are known */
ngx_int_t ngx_http_ilert_stats_init(ngx_conf_t *cf, void *imcf);


/*
 * A request has its outcome, "error" is of one that was not taken: counted,
 * and known from now on as the source's state.  "pause": how many ms its key
 * is not to be used, or 0.
 */
void ngx_http_ilert_stats_outcome(ngx_http_ilert_request_t *ir,
    ngx_str_t *error, ngx_msec_t pause);

/* a copy of what is known by ilert's last answers */
void ngx_http_ilert_stats_get_last(ngx_http_ilert_stats_source_t *ss,
    ngx_http_ilert_stats_last_t *last);

/* nothing is known against the key any more; whether something was */
ngx_uint_t ngx_http_ilert_stats_unpark(ngx_http_ilert_source_t *source);

/*
 * An order to pause the source, or to resume it, is on disk.  A job has found
 * it paused, or not, which was given the number of "orders" when it began:
 * that holds if there has been no order since.
 */
void ngx_http_ilert_stats_order(ngx_http_ilert_stats_source_t *ss,
    ngx_uint_t pause);
void ngx_http_ilert_stats_set_paused(ngx_http_ilert_stats_source_t *ss,
    ngx_uint_t orders, ngx_uint_t paused);

/*
 * Whether a time, or 0 for never, is less than "period" seconds ago.  One of
 * the future is of a clock that has been set back since, and is not.
 */
ngx_uint_t ngx_http_ilert_stats_recent(time_t since, time_t period);

/*
 * Whether a fault is to be logged, that is if it is another one, and the last
 * one was "period" seconds ago; and whether the end of one is.
 */
ngx_uint_t ngx_http_ilert_stats_fault(ngx_http_ilert_stats_source_t *ss,
    ngx_uint_t status, time_t period);
ngx_uint_t ngx_http_ilert_stats_no_fault(ngx_http_ilert_stats_source_t *ss);

/* an endpoint is down, or up; and whether it is, and since when, or 0 */
void ngx_http_ilert_stats_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down);
ngx_uint_t ngx_http_ilert_stats_get_down(ngx_http_ilert_endpoint_t *endpoint,
    int64_t *since);

/*
 * What the queue says: its state, and what is wrong, if it is not OK.  The
 * copy of the text is of the pool, and empty, too, if there is no memory.
 */
void ngx_http_ilert_stats_set_trouble(ngx_http_ilert_stats_t *stats,
    ngx_http_ilert_store_state_e state, ngx_str_t *error);
ngx_http_ilert_store_state_e ngx_http_ilert_stats_get_trouble(
    ngx_http_ilert_stats_t *stats, ngx_str_t *error, ngx_pool_t *pool);

/* keeps what was read from the store; a copy of what was */
void ngx_http_ilert_stats_publish(void *imcf,
    ngx_http_ilert_store_query_t *query);
void ngx_http_ilert_stats_get_waiting(ngx_http_ilert_stats_source_t *ss,
    ngx_http_ilert_stats_waiting_t *waiting);

/* one of the numbers under the mutex */
void ngx_http_ilert_stats_set(ngx_http_ilert_stats_t *stats, int64_t *number,
    int64_t value);
int64_t ngx_http_ilert_stats_get(ngx_http_ilert_stats_t *stats,
    int64_t *number);

/* something took so many microseconds */
void ngx_http_ilert_stats_observe(ngx_http_ilert_stats_histogram_t *histogram,
    ngx_http_ilert_stats_bucket_t *buckets, int64_t usec);

#define ngx_http_ilert_stats_add(counter, n)                                  \
    (void) ngx_atomic_fetch_add(&(counter), n)


#endif /* _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_ */
