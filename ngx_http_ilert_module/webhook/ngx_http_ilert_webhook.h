
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * A webhook comes in and is answered, see design.md, "Answers to Kapacitor":
 * always with a short JSON body, and with the connection closed.  Kapacitor
 * opens one for each webhook and, if there were no body to close it after,
 * would leave it open.
 */


/* the content handler of a location with "ilert_kapacitor" */
ngx_int_t ngx_http_ilert_webhook_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_WEBHOOK_H_INCLUDED_ */
