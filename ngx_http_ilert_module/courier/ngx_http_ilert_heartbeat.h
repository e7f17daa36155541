
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_
#define _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Who watches the watcher: as long as events can be committed and are
 * delivered, ilert's heartbeat is pinged.  Without pings it is ilert that
 * alerts.  The courier's worker pings, so there is one ping for all workers.
 */


/* ilert takes this many pings in a minute */

#define NGX_HTTP_ILERT_HEARTBEAT_RATE  5


/* this worker is the courier from now on, and pings as long as it is */
void ngx_http_ilert_heartbeat_begin(void);

/* and is not any longer: a ping under way is given up */
void ngx_http_ilert_heartbeat_end(void);


#endif /* _NGX_HTTP_ILERT_HEARTBEAT_H_INCLUDED_ */
