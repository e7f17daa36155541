
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_ilert_clock.h"


/*
 * An event id is a time and a process: together 63 bits, for the database and
 * many a reader know no larger numbers.  The time begins anew after 69 years,
 * in 2039 for the first time; nothing depends on the order of ids.
 */

#define NGX_HTTP_ILERT_CLOCK_TIME_BITS  41  /* of milliseconds */
#define NGX_HTTP_ILERT_CLOCK_PID_BITS   22  /* what /proc/sys/kernel/pid_max */
                                            /* may be at most */


int64_t
ngx_http_ilert_clock_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/*
 * A millisecond and a process: no process takes a millisecond twice, if it
 * has to run ahead of the clock for that.
 */

uint64_t
ngx_http_ilert_clock_number(void)
{
    static uint64_t  last;

    last = ngx_max(last + 1, (uint64_t) ngx_http_ilert_clock_now());

    return ((last & (((uint64_t) 1 << NGX_HTTP_ILERT_CLOCK_TIME_BITS) - 1))
            << NGX_HTTP_ILERT_CLOCK_PID_BITS)
           | ((uint64_t) ngx_pid
              & ((1 << NGX_HTTP_ILERT_CLOCK_PID_BITS) - 1));
}


void
ngx_http_ilert_clock_init_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_uint_t cancelable)
{
    static ngx_connection_t  dumb;

    /* for ngx_event_ident() */

    dumb.fd = (ngx_socket_t) -1;

    ev->handler = handler;
    ev->data = &dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = cancelable;
}
