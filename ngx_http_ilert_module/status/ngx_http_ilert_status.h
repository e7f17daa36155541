
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Answers requests for the status.  Counters and states are in shared memory.
 * The store is asked on its thread for what waits.  If it does not answer
 * within a second, the answer has the numbers that were known last, and says
 * that the queue does not answer.
 */


/* This is the content handler of a location with "ilert_status". */
ngx_int_t ngx_http_ilert_status_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_STATUS_H_INCLUDED_ */
