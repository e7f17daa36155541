
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_
#define _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"


/* What has to do with time on the event loop: the wall clock, ids, timers. */


/* wall clock, in milliseconds, when the event loop was last woken */
int64_t ngx_http_ilert_clock_now(void);


/*
 * A new event id, which no other process has or will have, before 69 years
 * are over: it is made of the time and of the process.
 */
uint64_t ngx_http_ilert_clock_number(void);


/*
 * Makes "ev" a timer of ours, which is not set yet.  A cancelable one does not
 * keep a worker from exiting.
 */
void ngx_http_ilert_clock_init_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable);


#endif /* _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_ */
