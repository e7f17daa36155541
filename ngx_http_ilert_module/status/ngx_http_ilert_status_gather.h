
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_GATHER_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_GATHER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_store.h"


/*
 * Puts together what JSON and metrics show: counters and states come from
 * shared memory, and what waits comes from the store, if that has answered.
 * Times are wall clock in milliseconds.
 */


/* the state of a source: the first one that holds */

typedef enum {
    NGX_HTTP_ILERT_STATE_PARKED = 0,
    NGX_HTTP_ILERT_STATE_PAUSED,
    NGX_HTTP_ILERT_STATE_LIMITED,
    NGX_HTTP_ILERT_STATE_RETRYING,
    NGX_HTTP_ILERT_STATE_OK,

    NGX_HTTP_ILERT_STATES
} ngx_http_ilert_state_e;

extern ngx_str_t  ngx_http_ilert_state_names[];


/* a budget, as requests in 60 seconds */

typedef struct {
    int64_t                      rate;      /* -1: any number */
    int64_t                      reserve;   /* of these, for what is urgent */
    int64_t                      used;      /* -1: unknown */
} ngx_http_ilert_status_budget_t;


typedef struct {
    ngx_str_t                    name;
    ngx_http_ilert_state_e       state;
    ngx_str_t                    reason;    /* empty: none */
    ngx_http_ilert_counters_source_t  *counters;    /* NULL: it is not */
                                            /* configured */
    ngx_http_ilert_counters_waiting_t  waiting;
    int64_t                      pending;   /* events */
    int64_t                      inflight;  /* events under way */
    int64_t                      oldest;    /* when the oldest pending one */
                                            /* came, or 0 */
    int64_t                      open;      /* alerts; -1: unknown */
    int64_t                      digest;    /* 1: it is open; -1: unknown */
    ngx_http_ilert_store_digests_t  *listing;   /* that one; NULL: none */
    ngx_http_ilert_status_budget_t  budget; /* of its key */
    int64_t                      until;     /* the end of a pause, or 0 */
    int64_t                      success;   /* time of the last one, or 0 */
    int64_t                      error_time;    /* of the last one, or 0 */
    ngx_uint_t                   error_status;  /* 0: no answer */
    ngx_str_t                    error;     /* text of the last one */
} ngx_http_ilert_status_source_t;


typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   down;
    int64_t                      since;     /* when it went down, or 0 */
    ngx_http_ilert_status_budget_t  budget;
} ngx_http_ilert_status_endpoint_t;


/* a Kapacitor that is asked */

typedef struct {
    ngx_str_t                    name;
    ngx_http_ilert_counters_poll_t  poll;
    ngx_str_t                    error;     /* why it is not up, or empty */
    int64_t                      reconciled[NGX_HTTP_ILERT_RECONCILED_N];
} ngx_http_ilert_status_kapacitor_t;

extern ngx_str_t  ngx_http_ilert_kapacitor_state_names[];
extern ngx_str_t  ngx_http_ilert_reconciled_names[];


/* the state of another way out: the last one that holds */

typedef enum {
    NGX_HTTP_ILERT_FALLBACK_IS_OFF = 0,
    NGX_HTTP_ILERT_FALLBACK_IS_OK,
    NGX_HTTP_ILERT_FALLBACK_IS_LATE,
    NGX_HTTP_ILERT_FALLBACK_IS_TOLD,
    NGX_HTTP_ILERT_FALLBACK_IS_FAILING
} ngx_http_ilert_fallback_state_e;

extern ngx_str_t  ngx_http_ilert_fallback_state_names[];


typedef struct {
    ngx_pool_t                  *pool;
    int64_t                      now;
    ngx_http_ilert_counters_t      *counters;

    ngx_str_t                    source;    /* only this one is shown; */
                                            /* empty: all of them */

    ngx_str_t                    path;      /* of the queue; empty: none */
    ngx_str_t                    state;     /* ok, full, error, off */
    ngx_str_t                    error;     /* or empty */
    int64_t                      bytes;     /* of the queue; -1: unknown */

    /* of all sources, also if only one is shown */
    ngx_http_ilert_counters_waiting_t  waiting;
    int64_t                      pending;
    int64_t                      oldest;

    /* refused webhooks of all sources, and those that had no source */
    int64_t                      rejected;
    int64_t                      unavailable;
    ngx_http_ilert_counters_refusal_t  refusal;    /* the last one */

    ngx_array_t                  setup;     /* ngx_http_ilert_setup_t */
    ngx_array_t                  sources;   /* status_source_t */
    ngx_array_t                  endpoints; /* status_endpoint_t */
    ngx_array_t                  kapacitors;    /* status_kapacitor_t */

    ngx_http_ilert_counters_fallback_t  fallback;   /* another way out */
    ngx_uint_t                   fallback_state;    /* fallback_state_e */
    ngx_str_t                    fallback_error;    /* of the last try */

    ngx_http_ilert_counters_away_t  away;   /* when nginx did not run */
    int64_t                      repaired;  /* since then; -1: no Kapacitor */
                                            /* is asked */

    ngx_http_ilert_store_query_t  *query;   /* NULL: the store has not */
                                            /* answered */
    unsigned                     openmetrics:1; /* the format of metrics */
} ngx_http_ilert_status_t;


/*
 * Sets all members but pool, now, source, query and openmetrics, which the
 * caller sets before.  All that is allocated is in st->pool; the query must
 * live as long as "st".  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_status_gather(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);

/*
 * Returns 1 if the courier gives no sign of life, and sets "error" to a text
 * that says so, allocated from the pool; without memory the text is not set.
 */
ngx_uint_t ngx_http_ilert_status_is_silent(ngx_str_t *error,
    ngx_pool_t *pool);

/*
 * Returns 1 if there is no courier, and sets "error" to a text that says so.
 * This worker becomes the courier, if it can.  There need be a queue.
 */
ngx_uint_t ngx_http_ilert_status_is_idle(ngx_str_t *error);


#endif /* _NGX_HTTP_ILERT_STATUS_GATHER_H_INCLUDED_ */
