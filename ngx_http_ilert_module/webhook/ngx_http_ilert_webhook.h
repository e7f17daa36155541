
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * A webhook is received, becomes an event, and is answered (see design.md,
 * "Answers").  The answer always has a short JSON body, and the connection is
 * closed after it.  Kapacitor opens a connection for each webhook, and would
 * leave it open if the answer had no body.
 */


/* This is the content handler of a location with "ilert_kapacitor". */
ngx_int_t ngx_http_ilert_webhook_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_ */
