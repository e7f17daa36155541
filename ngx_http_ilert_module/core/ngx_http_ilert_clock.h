
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_
#define _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"


/* The wall clock, event ids, and timers, for the event loop. */


/* Returns the ms of the wall clock, as nginx has read it last. */
int64_t ngx_http_ilert_clock_now(void);


/*
 * Returns a new event id, a number of 63 bits that is made of the time and the
 * pid: no other process of the system gets it within 69 years.
 */
uint64_t ngx_http_ilert_clock_number(void);


/*
 * Makes "ev" a timer, which is not set yet.  A cancelable timer does not keep
 * a worker that exits.
 */
void ngx_http_ilert_clock_init_event(ngx_event_t *ev,
    ngx_event_handler_pt handler, ngx_uint_t cancelable);


#endif /* _NGX_HTTP_ILERT_CLOCK_H_INCLUDED_ */
