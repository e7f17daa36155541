
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
 * alert key that only this test has.  They go the way of all events, through
 * the queue if there is one.  The store is asked again and again what has
 * become of them, since the courier may be in another worker.
 *
 * The RESOLVE is submitted when the ALERT has its verdict: if both of them
 * waited, the ALERT would need no request.
 */


typedef enum {
    NGX_HTTP_ILERT_TEST_UNSENT = 0,     /* it was not submitted */
    NGX_HTTP_ILERT_TEST_WAITS,          /* it has no verdict yet */
    NGX_HTTP_ILERT_TEST_DELIVERED,      /* ilert has taken it */
    NGX_HTTP_ILERT_TEST_REFUSED,        /* ilert will never take it */
    NGX_HTTP_ILERT_TEST_FAILED,         /* it was neither kept nor delivered */
    NGX_HTTP_ILERT_TEST_DISCARDED       /* an operator has discarded it */
} ngx_http_ilert_test_verdict_e;

/* The index is a ngx_http_ilert_test_verdict_e. */

extern ngx_str_t  ngx_http_ilert_test_verdicts[];


typedef struct ngx_http_ilert_test_s  ngx_http_ilert_test_t;


/* one of the two events, and what has become of it */

typedef struct {
    ngx_http_ilert_test_t       *test;
    ngx_http_ilert_event_t       event;
    ngx_http_ilert_test_verdict_e  verdict;
    ngx_uint_t                   status;    /* code with which ilert has */
                                            /* refused it, or 0 */
    ngx_str_t                    error;     /* why it was not delivered, or */
                                            /* what it waits for */
    int64_t                      begun;     /* usec, monotonic */
    int64_t                      usec;      /* from its submission to its */
                                            /* verdict, or until now */
} ngx_http_ilert_test_event_t;


/*
 * The handler of a test is called once, on the event loop, and never from
 * within the call of ngx_http_ilert_test_start().  It must not use the test,
 * or anything in it, after it has returned.
 */

typedef void (*ngx_http_ilert_test_handler_pt)(ngx_http_ilert_test_t *test,
    void *data);


/*
 * Begins a test of the source.  The handler is called after 24 seconds at the
 * latest.  An event that has no verdict by then has an error that says what it
 * waits for; it stays in the queue and is delivered later, and so is its
 * RESOLVE.
 *
 * Returns NGX_OK; NGX_DECLINED if there is a queue and the source is parked or
 * paused, so that nothing would be sent, with "error" set, which is allocated
 * from the pool; or NGX_ERROR if there is no memory.  The handler is only
 * called after NGX_OK.
 */
ngx_int_t ngx_http_ilert_test_start(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source, ngx_http_ilert_test_handler_pt handler,
    void *data, ngx_str_t *error, ngx_pool_t *pool);

/* Returns the two events of the test: the ALERT, and then the RESOLVE. */
ngx_http_ilert_test_event_t *ngx_http_ilert_test_events(
    ngx_http_ilert_test_t *test);

/*
 * Returns the first one of the two events that has not been delivered, or NULL
 * if both have been.
 */
ngx_http_ilert_test_event_t *ngx_http_ilert_test_failed(
    ngx_http_ilert_test_t *test);


#endif /* _NGX_HTTP_ILERT_TEST_H_INCLUDED_ */
