
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_SITE_H_INCLUDED_
#define _NGX_HTTP_ILERT_SITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The page of another site can have a browser post to us: from an address that
 * is allowed, and with the password that its user has typed.  So it must
 * neither give orders nor raise alerts.
 */


/*
 * Copies the names of servers that have a location with "ilert_control" or
 * with "ilert_kapacitor".  It is called when all servers are known.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_site_init(ngx_conf_t *cf);

/*
 * Returns the error, which is a constant, for a request that the page of
 * another site may have made, or NULL.
 */
const char *ngx_http_ilert_site_foreign(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_SITE_H_INCLUDED_ */
