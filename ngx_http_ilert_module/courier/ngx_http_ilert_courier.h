
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
 * Delivers what waits in the queue.  There is one courier at a time, in
 * whichever worker holds the lock on the queue's folder; when that worker
 * exits or dies another one takes over.  What may go now is the store's to
 * say; the courier has no more events in its hands than it can send at once,
 * unless they go so fast that it would have to wait for the disk.
 */


/*
 * Of a worker, before its first job: makes what the courier keeps of each
 * source, key, and endpoint.  NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_courier_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);


void ngx_http_ilert_courier_exit_process(void);


/* for the queue, whose client the courier is */
extern ngx_http_ilert_queue_client_t  ngx_http_ilert_courier_client;


#endif /* _NGX_HTTP_ILERT_COURIER_H_INCLUDED_ */
