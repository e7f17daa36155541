
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_COURIER_H_INCLUDED_
#define _NGX_HTTP_ILERT_COURIER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_queue.h"


/*
 * The courier delivers what waits in the queue.  There is one courier at
 * a time: it is in the worker that holds the lock on the queue's folder.  When
 * that worker exits or dies, another one becomes the courier.
 *
 * The store decides which events may go now.  The courier takes no more of
 * them than it can send at once, unless they go so fast that they would have
 * to wait for the disk.
 */


/*
 * Begins in a worker, after the queue has: makes what the courier keeps of
 * each source, key, and endpoint, and sets the timer by which this worker
 * tries to become the courier.  Returns NGX_OK, or NGX_ERROR if there is no
 * memory.
 */
ngx_int_t ngx_http_ilert_courier_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);


/*
 * Ends in a worker: frees what was taken and not sent, which the next courier
 * finds on disk, and gives the courier's seat up.
 */
void ngx_http_ilert_courier_exit_process(void);


/* The handlers that the queue has to be given: see queue.h. */
extern ngx_http_ilert_queue_client_t  ngx_http_ilert_courier_client;


#endif /* _NGX_HTTP_ILERT_COURIER_H_INCLUDED_ */
