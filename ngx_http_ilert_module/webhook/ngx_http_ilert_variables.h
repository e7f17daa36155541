
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Variables $kapacitor_* show the webhook, once it has been read, and
 * variables $ilert_* show what becomes of it.  In the location of an endpoint,
 * $ilert_* show the event that is sent.  Variables only show what other parts
 * have found; nothing is decided here.
 */


/*
 * Adds the variables.  It is called before the configuration is read.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_ */
