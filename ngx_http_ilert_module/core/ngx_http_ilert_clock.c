
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_ilert_clock.h"


/*
 * An event id has 63 bits, since the database and many programs that read JSON
 * know no larger integers: 41 bits of a time in ms, and 22 bits of a pid.  The
 * time begins anew after 69 years, in 2039 for the first time; so nothing may
 * depend on the order of ids.
 */

#define NGX_HTTP_ILERT_CLOCK_TIME_BITS  41
#define NGX_HTTP_ILERT_CLOCK_PID_BITS   22  /* Linux has no larger pids */


int64_t
ngx_http_ilert_clock_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


/*
 * A process takes no millisecond twice: if it needs several ids in one, it
 * runs ahead of the clock.
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

    /* nginx's debug log shows the descriptor, by ngx_event_ident() */

    dumb.fd = (ngx_socket_t) -1;

    ev->handler = handler;
    ev->data = &dumb;
    ev->log = ngx_cycle->log;
    ev->cancelable = cancelable;
}
