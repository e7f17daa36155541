
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_store.h"


/*
 * What there is to be seen: counters and states from shared memory, what
 * waits from the store, which is asked on its thread.  If it does not answer
 * soon, what was last known is shown, and that it does not.
 *
 * status_gather.c gathers all that into ngx_http_ilert_status_t, whose times
 * are wall clock in milliseconds; status_json.c and status_prometheus.c write
 * it, and status.c answers with that.
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

    ngx_array_t                  sources;   /* status_source_t */
    ngx_array_t                  endpoints; /* status_endpoint_t */

    ngx_http_ilert_store_query_t  *query;   /* NULL: no answer */
    unsigned                     openmetrics:1; /* metrics are to be such */
} ngx_http_ilert_status_t;


/* the content handler of a location with "ilert_status" */
ngx_int_t ngx_http_ilert_status_handler(ngx_http_request_t *r);


/*
 * Sets all but pool, now, source, query and openmetrics, which are the
 * caller's.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_status_gather(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);

/* whether the courier gives no sign of life, which is said in "error" then */
ngx_uint_t ngx_http_ilert_status_is_silent(ngx_str_t *error,
    ngx_pool_t *pool);


/*
 * These write; what does not fit is left out, and w->full is set.  "data" is
 * of the type ngx_http_ilert_status_t, but for the answer.
 */

void ngx_http_ilert_status_json(ngx_http_ilert_json_writer_t *w, void *data);

/* of the alert that was asked for, of which something is known */
void ngx_http_ilert_status_json_alert(ngx_http_ilert_json_writer_t *w,
    void *data);

void ngx_http_ilert_status_prometheus(ngx_http_ilert_json_writer_t *w,
    void *data);

/* {"status":"STATUS"}, with "error" if it is not empty */

typedef struct {
    const char                  *status;
    ngx_str_t                    error;
} ngx_http_ilert_status_answer_t;

void ngx_http_ilert_status_json_answer(ngx_http_ilert_json_writer_t *w,
    void *data);


/*
 * For answers beside Kapacitor's: what "write" writes with "data" is sent with
 * the status and the type, and not to be stored by anybody.
 */

typedef void (*ngx_http_ilert_status_write_pt)(
    ngx_http_ilert_json_writer_t *w, void *data);

ngx_int_t ngx_http_ilert_status_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, ngx_http_ilert_status_write_pt write, void *data);

/* {"status":"WORD","error":"ERROR"} */
ngx_int_t ngx_http_ilert_status_reject(ngx_http_request_t *r,
    ngx_uint_t status, const char *error);

/* 405 */
ngx_int_t ngx_http_ilert_status_not_allowed(ngx_http_request_t *r,
    const char *allow);

/*
 * An argument of the request: NGX_OK and its value decoded, which is empty if
 * there is none; NGX_DECLINED: there is no such argument.
 */
ngx_int_t ngx_http_ilert_status_arg(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_STATUS_H_INCLUDED_ */
