
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * What there is to be seen: counters and states from shared memory, what
 * waits from the store, which is asked on its thread.  If it does not answer
 * soon, what was last known is shown, and that it does not.
 */


/* the content handler of a location with "ilert_status" */
ngx_int_t ngx_http_ilert_status_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_STATUS_H_INCLUDED_ */
