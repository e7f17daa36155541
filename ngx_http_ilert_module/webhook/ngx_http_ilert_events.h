
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENTS_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * "ilert_events": other senders post ilert's own events, as they would post
 * them to ilert.  From the queue on such an event is handled as that of
 * a webhook; what is special to Kapacitor, as copies and ids, does not apply.
 */


/* This is the content handler of a location with "ilert_events". */
ngx_int_t ngx_http_ilert_events_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_EVENTS_H_INCLUDED_ */
