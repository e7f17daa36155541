
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_TEST_H_INCLUDED_
#define _NGX_HTTP_ILERT_TEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"


/*
 * A test of a source: an ALERT of priority LOW and then its RESOLVE, with an
 * alert key of their own, go the way of all events, by the queue if there is
 * one, and the store is asked what has become of them, as the courier may be
 * another worker.
 *
 * Only when the ALERT has its verdict the RESOLVE is submitted: if both of
 * them waited, the ALERT would not have to be sent.
 */


typedef enum {
    NGX_HTTP_ILERT_TEST_UNSENT = 0,     /* it was not submitted */
    NGX_HTTP_ILERT_TEST_WAITS,          /* it has no verdict yet */
    NGX_HTTP_ILERT_TEST_DELIVERED,      /* ilert has taken it */
    NGX_HTTP_ILERT_TEST_REFUSED,        /* ilert will never take it */
    NGX_HTTP_ILERT_TEST_FAILED,         /* it was neither kept nor delivered */
    NGX_HTTP_ILERT_TEST_DISCARDED       /* by an order */
} ngx_http_ilert_test_verdict_e;

/* The index is a ngx_http_ilert_test_verdict_e. */

extern ngx_str_t  ngx_http_ilert_test_verdicts[];


typedef struct ngx_http_ilert_test_s  ngx_http_ilert_test_t;


/* one of the two events, and what has become of it */

typedef struct {
    ngx_http_ilert_test_t       *test;
    ngx_http_ilert_event_t       event;
    ngx_http_ilert_test_verdict_e  verdict;
    ngx_uint_t                   status;    /* ilert's, of a refusal, or 0 */
    ngx_str_t                    error;     /* why it was not delivered, or */
                                            /* what it waits for */
    int64_t                      begun;     /* usec, monotonic */
    int64_t                      usec;      /* from its submission to its */
                                            /* verdict, or until now */
} ngx_http_ilert_test_event_t;


/*
 * Is called once, on the event loop, and never from within the call of
 * ngx_http_ilert_test_start().  The test and all that is in it is gone when
 * the handler returns.
 */

typedef void (*ngx_http_ilert_test_handler_pt)(ngx_http_ilert_test_t *test,
    void *data);


/*
 * Begins a test of the source.  Its outcome is known after 24 seconds at the
 * latest: what has no verdict by then waits, and what it waits for is said; it
 * is still delivered, and resolved, when the way is free.
 *
 * Returns NGX_OK; NGX_DECLINED with "error" set, which is allocated from the
 * pool, if the source is parked or paused and nothing would be sent; or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_test_start(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source, ngx_http_ilert_test_handler_pt handler,
    void *data, ngx_str_t *error, ngx_pool_t *pool);

/* both events of the test, first the ALERT */
ngx_http_ilert_test_event_t *ngx_http_ilert_test_events(
    ngx_http_ilert_test_t *test);

/*
 * The first one of the events that has not been delivered, or NULL if both
 * have been.
 */
ngx_http_ilert_test_event_t *ngx_http_ilert_test_failed(
    ngx_http_ilert_test_t *test);


#endif /* _NGX_HTTP_ILERT_TEST_H_INCLUDED_ */
