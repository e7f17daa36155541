
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_
#define _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The heartbeat.  As long as events can be committed and there is a courier,
 * ilert is pinged at intervals.  When ilert gets no pings, it alerts somebody.
 * The worker pings that is the courier, so only one does.
 *
 * Right before a ping something is committed, to see that it is possible.
 * With "kapacitor=on" each Kapacitor that is asked must be up, too.
 */


/* the most pings in a minute that ilert takes, by its documentation */

#define NGX_HTTP_ILERT_HEARTBEAT_RATE  5


/*
 * This worker has become the courier: it pings from now on, if there is
 * "ilert_heartbeat".
 */
void ngx_http_ilert_heartbeat_begin(void);

/* This worker is not the courier any more: ends a ping that is under way. */
void ngx_http_ilert_heartbeat_end(void);


#endif /* _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_ */
