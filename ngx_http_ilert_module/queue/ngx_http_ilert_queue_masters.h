
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"


/*
 * Which masters have their workers at the queue's folder.  There should be
 * one: two share neither the mutex of writers, nor what was relayed beside the
 * queue.  While nginx is upgraded there are two, and one is the other's
 * parent.
 *
 * Each worker has a lock on a byte of a file in the folder.  The byte is the
 * number of the shared memory, which the workers of a master have in common.
 * The kernel takes the lock away when the worker ends, so it cannot be stale,
 * and tells who has it.
 */


/* called by a worker that begins, when the folder is there or not */
void ngx_http_ilert_queue_masters_join(ngx_http_ilert_queue_conf_t *conf);

/*
 * Says so, from "p" on and not beyond "last", if a master has workers there
 * that has nothing to do with this one.  Returns the end of what is said.  It
 * is called by the master while it starts, is reloaded, or tests, or by
 * a worker.
 */
u_char *ngx_http_ilert_queue_masters_another(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, u_char *p, u_char *last);


#endif /* _NGX_HTTP_ILERT_QUEUE_MASTERS_H_INCLUDED_ */
