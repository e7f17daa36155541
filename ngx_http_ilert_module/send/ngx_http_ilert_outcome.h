
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_OUTCOME_H_INCLUDED_
#define _NGX_HTTP_ILERT_OUTCOME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fault.h"


/*
 * What a request to ilert has come to, and for all who send one: what it is
 * called, how it is logged, and how it is counted.
 */


/* bytes of ngx_http_ilert_outcome_error(), at most */

#define NGX_HTTP_ILERT_ERROR_SIZE    512

/* seconds between two lines about one source in trouble */

#define NGX_HTTP_ILERT_FAULT_PERIOD  10


/* design.md, "Verdicts": only of a status that the upstream itself sent */

typedef enum {
    NGX_HTTP_ILERT_DONE = 0,    /* 2xx */
    NGX_HTTP_ILERT_AGAIN,       /* 408, 429, 5xx, or no answer */
    NGX_HTTP_ILERT_PARK,        /* 401, 402, 403, 404, 407, 3xx, and any */
                                /* other 4xx that is not ilert's own: the */
                                /* source */
    NGX_HTTP_ILERT_DEAD         /* other 4xx: this event will never do */
} ngx_http_ilert_verdict_e;


typedef struct {
    ngx_http_ilert_verdict_e            verdict;
    ngx_uint_t                          status;     /* ilert's, or 0 */
    time_t                              retry_after;    /* seconds, or 0 */
    unsigned                            sent:1;     /* ilert may have it */
    unsigned                            foreign:1;  /* PARK, as the 4xx has */
                                                    /* no error of ilert's */
    unsigned                            given_up:1; /* by us */

    /* where status is 0, why there is no answer of ilert's */
    ngx_http_ilert_fault_e              fault;
    ngx_uint_t                          local_status;   /* nginx's, if it */
                                                        /* has answered */

    /*
     * In one line, keys masked: ilert's reason, of an answer but 2xx; or what
     * nginx has said of the fault.
     */
    ngx_str_t                           reason;
} ngx_http_ilert_outcome_t;


/*
 * The verdict by the status of an answer, which is of ilert, or of anybody
 * else on the way: "own" is set if its body is an error of ilert's, without
 * which no event becomes a dead letter.  A pure function.
 */
ngx_http_ilert_verdict_e ngx_http_ilert_outcome_verdict(ngx_uint_t status,
    ngx_uint_t own);

/* whether it took too long */
ngx_uint_t ngx_http_ilert_outcome_timed_out(ngx_http_ilert_outcome_t *outcome);

/*
 * Writes what has gone wrong with the event, in one line, from "buf" on and
 * to "last" at most; returns the line's end.
 */
u_char *ngx_http_ilert_outcome_error(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, u_char *buf, u_char *last);

/*
 * Logs one line when the event's source gets into trouble and one when it is
 * out of it; where that goes to and fro, a pair in ten seconds.  "error" is
 * that of ngx_http_ilert_outcome_error(), if ilert has not taken the event.
 */
void ngx_http_ilert_outcome_log(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error);

/*
 * Counts the outcome, which is known from now on as the state of the event's
 * source.  "error" is as above; "pause": how many ms the source's key is not
 * to be used, or 0.
 */
void ngx_http_ilert_outcome_count(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error, ngx_msec_t pause);


#endif /* _NGX_HTTP_ILERT_OUTCOME_H_INCLUDED_ */
