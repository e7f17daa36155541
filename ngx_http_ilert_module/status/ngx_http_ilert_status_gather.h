
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
 * What there is to be seen, put together: counters and states from shared
 * memory, and what waits from the store, if that has answered.  Times are wall
 * clock in milliseconds.
 */


/* of a source; the first one that holds */

typedef enum {
    NGX_HTTP_ILERT_STATE_PARKED = 0,
    NGX_HTTP_ILERT_STATE_PAUSED,
    NGX_HTTP_ILERT_STATE_LIMITED,
    NGX_HTTP_ILERT_STATE_RETRYING,
    NGX_HTTP_ILERT_STATE_OK,

    NGX_HTTP_ILERT_STATES
} ngx_http_ilert_state_e;

extern ngx_str_t  ngx_http_ilert_state_names[];


/* requests: in 60 s, -1: any number; and how much of that is used, -1: ? */

typedef struct {
    int64_t                      rate;
    int64_t                      used;
} ngx_http_ilert_status_budget_t;


typedef struct {
    ngx_str_t                    name;
    ngx_http_ilert_state_e       state;
    ngx_str_t                    reason;    /* empty: none */
    ngx_http_ilert_counters_source_t  *counters;    /* NULL: it is not */
                                            /* configured */
    ngx_http_ilert_counters_waiting_t  waiting;
    int64_t                      pending;   /* events that wait */
    int64_t                      inflight;
    int64_t                      oldest;    /* since when one waits, or 0 */
    int64_t                      open;      /* -1: unknown */
    ngx_http_ilert_status_budget_t  budget;
    int64_t                      until;     /* no request before, or 0 */
    int64_t                      success;   /* time of the last one, or 0 */
    int64_t                      error_time;    /* of the last one, or 0 */
    ngx_uint_t                   error_status;  /* 0: no answer */
    ngx_str_t                    error;     /* the last one's text */
} ngx_http_ilert_status_source_t;


typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   down;
    int64_t                      since;     /* or 0 */
    ngx_http_ilert_status_budget_t  budget;
} ngx_http_ilert_status_endpoint_t;


typedef struct {
    ngx_pool_t                  *pool;
    int64_t                      now;
    ngx_http_ilert_counters_t      *counters;

    ngx_str_t                    source;    /* of this one alone, or empty */

    ngx_str_t                    path;      /* of the queue; empty: none */
    ngx_str_t                    state;     /* ok, full, error, off */
    ngx_str_t                    error;     /* or empty */
    int64_t                      bytes;     /* -1: unknown */
    ngx_http_ilert_counters_waiting_t  waiting;    /* of all sources */
    int64_t                      pending;
    int64_t                      oldest;

    int64_t                      rejected;  /* webhooks, of all sources and */
    int64_t                      unavailable;   /* of none */
    ngx_http_ilert_counters_refusal_t  refusal;    /* the last one of both */

    ngx_array_t                  setup;     /* ngx_http_ilert_setup_t */
    ngx_array_t                  sources;   /* status_source_t */
    ngx_array_t                  endpoints; /* status_endpoint_t */

    ngx_http_ilert_store_query_t  *query;   /* NULL: no answer */
    unsigned                     openmetrics:1; /* metrics are to be such */
} ngx_http_ilert_status_t;


/*
 * Sets all but pool, now, source, query and openmetrics, which are the
 * caller's.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_status_gather(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);

/* whether the courier gives no sign of life, which is said in "error" then */
ngx_uint_t ngx_http_ilert_status_is_silent(ngx_str_t *error,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_STATUS_GATHER_H_INCLUDED_ */
