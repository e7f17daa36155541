
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Orders of an operator: dead letters are replayed or discarded, bodies of
 * refused webhooks are discarded, and a source is paused, resumed, emptied or
 * tested.
 *
 * The configuration has to limit who may give orders.  This part only refuses
 * those of pages of another site.
 */


/* This is the content handler of a location with "ilert_control". */
ngx_int_t ngx_http_ilert_control_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_CONTROL_H_INCLUDED_ */
