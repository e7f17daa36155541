
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"


/*
 * Which masters have workers that use the queue's folder.  There should be one
 * master: two of them share neither the mutex of writers, nor the number of
 * relays beside the queue.  Only while nginx is upgraded there are two, and
 * one is the parent of the other.
 *
 * Each worker has a lock on one byte of a file in the folder.  The byte's
 * offset is the number of the session, which is in memory that the workers of
 * one master share.  The kernel removes the lock when the worker ends, so no
 * lock is stale; and the kernel tells which process has a lock.
 */


/*
 * Is called by a worker when it begins: takes its lock.  If that fails, for
 * example because there is no folder, other masters do not see this worker,
 * and nothing else is lost.
 */
void ngx_http_ilert_queue_masters_join(ngx_http_ilert_queue_conf_t *conf);

/*
 * Returns 1 if no other master has workers at the folder.  If that cannot be
 * told, as the file cannot be opened, returns 0.  Is called by a worker.
 */
ngx_uint_t ngx_http_ilert_queue_masters_is_alone(
    ngx_http_ilert_queue_conf_t *conf);

/*
 * If another master has workers at the folder, and neither of the two is being
 * upgraded to the other, writes a text about it from "p" on, to "last" at
 * most, and without a zero.  Returns the end of the text, or "p".  Is called
 * by a worker, or by the master while it starts, is reloaded, or tests its
 * configuration.
 */
u_char *ngx_http_ilert_queue_masters_another(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, u_char *p, u_char *last);


#endif /* _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_ */
