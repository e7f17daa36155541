
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


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


#define NGX_HTTP_ILERT_COUNTERS_CODES    48
#define NGX_HTTP_ILERT_COUNTERS_TEXT     256

/* of what is not HTTP's among the answers to webhooks: other 4xx, other 5xx */

#define NGX_HTTP_ILERT_COUNTERS_OTHER_REJECTED     1
#define NGX_HTTP_ILERT_COUNTERS_OTHER_UNAVAILABLE  2

#define NGX_HTTP_ILERT_COUNTERS_REFUSED  24

/* bytes of a text that tells what is wrong with the queue */

#define NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE  512

typedef struct {
    ngx_atomic_t                 code;      /* HTTP's, or a fault; 0: not */
                                            /* used yet */
    ngx_atomic_t                 n;
} ngx_http_ilert_counters_code_t;


/* under the mutex */

typedef struct {
    size_t                       len;
    u_char                       data[NGX_HTTP_ILERT_COUNTERS_TEXT];
} ngx_http_ilert_counters_text_t;


/*
 * A webhook that was answered with another status than 2xx.  A text that is
 * not known is empty.
 */

typedef struct {
    int64_t                      time;      /* 0: there was none */
    ngx_uint_t                   status;
    ngx_http_ilert_counters_text_t  from;      /* the client's address */
    ngx_http_ilert_counters_text_t  location;
    ngx_http_ilert_counters_text_t  error;
    ngx_http_ilert_counters_text_t  id;
    ngx_http_ilert_counters_text_t  level;
} ngx_http_ilert_counters_refusal_t;


/* by ilert's last answers, or the lack of one; under the mutex */

typedef struct {
    int64_t                      success;
    int64_t                      error_time;
    ngx_uint_t                   error_status;  /* 0: no answer */
    ngx_http_ilert_counters_text_t  error;

    ngx_uint_t                   parked;    /* as its key is refused, */
    ngx_uint_t                   refuses;   /* or everything of the source */
    ngx_uint_t                   limited;
    ngx_uint_t                   failing;
    int64_t                      until;     /* no request before, if it is */
                                            /* parked or limited, or refuses */
    ngx_http_ilert_counters_text_t  park;      /* why it is parked */
} ngx_http_ilert_counters_last_t;


/* what was logged last; under the mutex */

typedef struct {
    ngx_uint_t                   fault;     /* and not its end */
    time_t                       time;      /* of the last fault, or 0 */
    ngx_uint_t                   code;      /* HTTP's, or a fault */
} ngx_http_ilert_counters_fault_t;


/* events that wait, as last read from the store; under the mutex */

#define NGX_HTTP_ILERT_COUNTERS_CLASSES  4

typedef struct {
    int64_t                      waiting[NGX_HTTP_ILERT_COUNTERS_CLASSES];
    int64_t                      oldest[NGX_HTTP_ILERT_COUNTERS_CLASSES];
    int64_t                      dead;
    int64_t                      open;
} ngx_http_ilert_counters_waiting_t;


/* what has a name, in a list of the master's */

typedef struct ngx_http_ilert_counters_node_s  ngx_http_ilert_counters_node_t;

struct ngx_http_ilert_counters_node_s {
    ngx_http_ilert_counters_node_t  *next;
    ngx_http_ilert_counters_t      *counters;     /* whose node it is */
    ngx_uint_t                   first;     /* cycles that it is of, all */
    ngx_uint_t                   last;      /* those between, too */
    ngx_str_t                    name;
};


struct ngx_http_ilert_counters_source_s {
    ngx_http_ilert_counters_node_t  node;

    /* each counts by itself */

    ngx_atomic_t                 accepted;
    ngx_atomic_t                 ignored;
    ngx_atomic_t                 coalesced;
    ngx_atomic_t                 delivered;
    ngx_atomic_t                 retried;
    ngx_atomic_t                 dead;
    ngx_atomic_t                 doubtful;  /* dead letters that may yet go */
                                            /* back, and do not count */
    ngx_atomic_t                 inflight;  /* the courier's */

    /* a code stays where it is, and its number is added to after that */

    ngx_http_ilert_counters_code_t  codes[NGX_HTTP_ILERT_COUNTERS_CODES];
    ngx_http_ilert_counters_code_t  refused[NGX_HTTP_ILERT_COUNTERS_REFUSED];

    /* set under the mutex, looked at one by one */

    ngx_atomic_t                 paused;    /* by an order */
    ngx_atomic_t                 orders;    /* to pause it or to resume it */
    ngx_atomic_t                 resumed;   /* of these, to resume it */
    ngx_atomic_t                 urgent;    /* events of the first urgency */
                                            /* that came in */

    ngx_http_ilert_counters_last_t  last;
    ngx_http_ilert_counters_fault_t  fault;
    ngx_http_ilert_counters_waiting_t  waiting;
};


struct ngx_http_ilert_counters_endpoint_s {
    ngx_http_ilert_counters_node_t  node;

    /* under the mutex */

    ngx_uint_t                   down;
    int64_t                      since;     /* it is so, or not any more */
};


/*
 * Bounds of buckets: of commits, of deliveries.  The buckets tell how many
 * there were, and each is one number.  The sum is another one: who reads may
 * miss in it what has just been observed, which is there the next time.
 */

#define NGX_HTTP_ILERT_COUNTERS_BUCKETS  14

typedef struct {
    ngx_atomic_t                 buckets[NGX_HTTP_ILERT_COUNTERS_BUCKETS];
    ngx_atomic_t                 sum;       /* microseconds */
} ngx_http_ilert_counters_histogram_t;

/* in microseconds, and as text in seconds; the last one is +Inf */

typedef struct {
    uint64_t                     bound;
    const char                  *text;
} ngx_http_ilert_counters_bucket_t;

extern ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_commit_buckets[];
extern ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_delivery_buckets[];


struct ngx_http_ilert_counters_s {
    ngx_slab_pool_t             *shpool;
    ngx_http_ilert_counters_node_t  *sources;
    ngx_http_ilert_counters_node_t  *endpoints;

    /* of webhooks without a source */

    ngx_atomic_t                 ignored;
    ngx_http_ilert_counters_code_t  refused[NGX_HTTP_ILERT_COUNTERS_REFUSED];

    ngx_http_ilert_counters_refusal_t  refusal;    /* the last one, under */
                                            /* the mutex */
    ngx_http_ilert_counters_histogram_t  commit;
    ngx_http_ilert_counters_histogram_t  delivery;

    /* numbers under the mutex */

    int64_t                      pinged;    /* the heartbeat's last ping */
    int64_t                      committed; /* the last event, or probe */
    int64_t                      bytes;     /* of the queue, as last read, */
                                            /* or -1 */

    /* of the queue, under the mutex */

    ngx_uint_t                   trouble;   /* what it is, by the queue; */
                                            /* 0: none */
    size_t                       error_len; /* 0, if there is none */
    u_char                       error[NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE];
};


/*
 * Adds the shared memory, when sources and endpoints are known, in which each
 * of them is then given its counters.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_counters_init(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


/* what a request for an event of a source has come to */

typedef struct {
    ngx_uint_t                   code;      /* HTTP's, or a fault */
    ngx_uint_t                   status;    /* ilert's, or 0 */
    ngx_str_t                   *error;     /* NULL: ilert has taken it */
    int64_t                      received;  /* the event was, wall clock */
    int64_t                      pause;     /* ms that the key is not to be */
                                            /* used, if it is refused or */
                                            /* limited; or 0 */
    unsigned                     refused:1; /* the key is: it is parked */
    unsigned                     valid:1;   /* it is not */
    unsigned                     limited:1; /* ilert takes no more now */
    unsigned                     failing:1; /* there was no use in it */
    unsigned                     up:1;      /* the endpoint is not down */
} ngx_http_ilert_counters_outcome_t;

/* counts it, and it is known from now on as the state of the source */
void ngx_http_ilert_counters_outcome(ngx_http_ilert_source_t *source,
    ngx_http_ilert_counters_outcome_t *outcome);

/* a copy of what is known by ilert's last answers */
void ngx_http_ilert_counters_get_last(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_last_t *last);

/*
 * Everything of the source is refused, for that reason, and there is to be no
 * request for so many ms; or, if the reason is NULL, it is not.
 */
void ngx_http_ilert_counters_refuses(ngx_http_ilert_source_t *source,
    ngx_str_t *reason, ngx_msec_t pause);

/*
 * Dead letters that were doubtful count from now on, but for so many that have
 * gone back.
 */
void ngx_http_ilert_counters_settle(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t returned);

/* nothing is known against key and source any more; whether something was */
ngx_uint_t ngx_http_ilert_counters_unpark(ngx_http_ilert_source_t *source);

/*
 * An order to pause the source, or to resume it, is on disk.  A job has found
 * it paused, or not, which was given the number of "orders" when it began:
 * that holds if there has been no order since.
 */
void ngx_http_ilert_counters_order(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t pause);
void ngx_http_ilert_counters_set_paused(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t orders, ngx_uint_t paused);

/*
 * Whether a time, or 0 for never, is less than "period" seconds ago.  One of
 * the future is of a clock that has been set back since, and is not.
 */
ngx_uint_t ngx_http_ilert_counters_recent(time_t since, time_t period);

/*
 * Whether a fault is to be logged, that is if it is another one, and the last
 * one was "period" seconds ago; and whether the end of one is.
 */
ngx_uint_t ngx_http_ilert_counters_fault(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t code, time_t period);
ngx_uint_t ngx_http_ilert_counters_no_fault(
    ngx_http_ilert_counters_source_t *ss);

/* an endpoint is down, or up; and whether it is, and since when, or 0 */
void ngx_http_ilert_counters_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down);
ngx_uint_t ngx_http_ilert_counters_get_down(
    ngx_http_ilert_endpoint_t *endpoint, int64_t *since);

/*
 * What the queue says: its trouble, by a number of its own, 0 if there is
 * none, and what is wrong.  The copy of the text is of the pool, and empty,
 * too, if there is no memory.
 */
void ngx_http_ilert_counters_set_trouble(ngx_http_ilert_counters_t *counters,
    ngx_uint_t trouble, ngx_str_t *error);
ngx_uint_t ngx_http_ilert_counters_get_trouble(
    ngx_http_ilert_counters_t *counters, ngx_str_t *error, ngx_pool_t *pool);

/*
 * Gives the usual codes their places in new counters of refused webhooks, so
 * that there is a 0 before the first one is counted, from which Prometheus can
 * tell an increase.
 */
void ngx_http_ilert_counters_init_refused(
    ngx_http_ilert_counters_code_t *refused);

/*
 * Counts a webhook that was answered with "status", which is not 2xx or of
 * which nothing was kept: with the source, or without one if that is NULL.
 */
void ngx_http_ilert_counters_refused(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_source_t *source, ngx_uint_t status);

/*
 * Returns whether what is counted under a code could not be kept, and so is
 * no fault of the webhook: 5xx.
 */
ngx_uint_t ngx_http_ilert_counters_unavailable(ngx_uint_t code);

/* keeps the last one, a copy; and a copy of that */
void ngx_http_ilert_counters_set_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal);
void ngx_http_ilert_counters_get_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal);

/* Sets a text that is not shared yet, cut to the size that there is for it. */
void ngx_http_ilert_counters_set_text(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value);

/* keeps what was read from the store, a copy; and a copy of that */
void ngx_http_ilert_counters_set_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting);
void ngx_http_ilert_counters_get_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting);

/* one of the numbers under the mutex */
void ngx_http_ilert_counters_set(ngx_http_ilert_counters_t *counters,
    int64_t *number, int64_t value);
int64_t ngx_http_ilert_counters_get(ngx_http_ilert_counters_t *counters,
    int64_t *number);

/* something took so many microseconds */
void ngx_http_ilert_counters_observe(
    ngx_http_ilert_counters_histogram_t *histogram,
    ngx_http_ilert_counters_bucket_t *buckets, int64_t usec);

#define ngx_http_ilert_counters_add(counter, n)                               \
    (void) ngx_atomic_fetch_add(&(counter), n)


#endif /* _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_ */
