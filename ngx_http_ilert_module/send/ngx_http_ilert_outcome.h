
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
 * The outcome of a request to ilert: its verdict, its words, its line in the
 * log, and how it is counted, once for all who send requests.
 */


/* bytes of ngx_http_ilert_outcome_error(), at most */

#define NGX_HTTP_ILERT_ERROR_SIZE    512

/* seconds, at least, between two lines about failures of one source */

#define NGX_HTTP_ILERT_FAULT_PERIOD  10


/* see design.md, "Verdicts"; a status is one that the upstream itself sent */

typedef enum {
    NGX_HTTP_ILERT_DONE = 0,    /* 2xx: the event is delivered */
    NGX_HTTP_ILERT_AGAIN,       /* 408, 429, 5xx, or no answer: it has to be */
                                /* sent again */
    NGX_HTTP_ILERT_PARK,        /* 401, 402, 403, 404, 407, 3xx, and any */
                                /* other 4xx without an error of ilert's: */
                                /* the key is parked */
    NGX_HTTP_ILERT_DEAD         /* other 4xx: ilert will never take it */
} ngx_http_ilert_verdict_e;


typedef struct {
    ngx_http_ilert_verdict_e            verdict;
    ngx_uint_t                          status;     /* of the answer, or 0: */
                                                    /* there was none */
    time_t                              retry_after;    /* seconds, or 0 */
    unsigned                            sent:1;     /* something was sent: */
                                                    /* ilert may have the */
                                                    /* event */
    unsigned                            foreign:1;  /* the verdict is PARK */
                                                    /* as the 4xx has no */
                                                    /* error of ilert's */
    unsigned                            given_up:1; /* it was ended by us */

    /* if status is 0: why there was no answer */
    ngx_http_ilert_fault_e              fault;
    ngx_uint_t                          local_status;   /* of nginx's own */
                                                        /* answer, if the */
                                                        /* fault is that */

    /*
     * One line, in which keys are masked: the error in an answer other than
     * 2xx, or what nginx has logged about the fault.
     */
    ngx_str_t                           reason;
} ngx_http_ilert_outcome_t;


/*
 * Returns the verdict for the status of an answer of ilert's.  The answer may
 * be that of a machine on the way: the caller has to change DEAD to PARK if
 * the body is no error of ilert's.  A pure function.
 */
ngx_http_ilert_verdict_e ngx_http_ilert_outcome_verdict(ngx_uint_t status);

/* Returns 1 if there was no answer in time. */
ngx_uint_t ngx_http_ilert_outcome_timed_out(ngx_http_ilert_outcome_t *outcome);

/*
 * Writes what has gone wrong with the event, in one line without a zero, from
 * "buf" on and to "last" at most.  Returns the end of the line.
 */
u_char *ngx_http_ilert_outcome_error(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, u_char *buf, u_char *last);

/*
 * Logs one line when deliveries of the event's source begin to fail, and one
 * when they succeed again; if this happens often, one pair in ten seconds.
 * "error" is the text of ngx_http_ilert_outcome_error(); it is not used if the
 * event is delivered.
 */
void ngx_http_ilert_outcome_log(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error);

/*
 * Counts the outcome, and sets the state of the event's source by it.  "error"
 * is as above.  "pause" is the ms for which the source's key pauses, or 0.
 */
void ngx_http_ilert_outcome_count(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_outcome_t *outcome, ngx_str_t *error, ngx_msec_t pause);


#endif /* _NGX_HTTP_ILERT_OUTCOME_H_INCLUDED_ */
