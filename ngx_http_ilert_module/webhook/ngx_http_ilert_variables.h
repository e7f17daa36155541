
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * $kapacitor_*: the webhook, once it has been read; $ilert_*: what becomes
 * of it.  In the endpoint's location $ilert_* are those of the event that
 * leaves.  Variables read; they never decide.
 */


/* adds them, at preconfiguration */
ngx_int_t ngx_http_ilert_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_ILERT_VARIABLES_H_INCLUDED_ */
