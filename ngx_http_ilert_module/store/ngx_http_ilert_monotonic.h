
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_MONOTONIC_H_INCLUDED_
#define _NGX_HTTP_ILERT_MONOTONIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * These functions return the time that has passed since some moment, in
 * microseconds and in milliseconds.  The moment is the same one for all
 * processes and threads of the machine, and setting the clock does not change
 * it.  nginx's own time is that of the last event of a worker's loop.  Threads
 * have no such loop, and a process that was stopped for a while would take an
 * old time for the present one.
 */

static ngx_inline int64_t
ngx_http_ilert_clock_usec(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static ngx_inline int64_t
ngx_http_ilert_clock_msec(void)
{
    return ngx_http_ilert_clock_usec() / 1000;
}


#endif /* _NGX_HTTP_ILERT_MONOTONIC_H_INCLUDED_ */
