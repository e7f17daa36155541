
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_UNREADABLE_H_INCLUDED_
#define _NGX_HTTP_ILERT_UNREADABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_refuse.h"


/*
 * With "ilert_unreadable alert" a refused webhook opens an alert of the source
 * that its location gives, so that somebody hears of it.  This happens at most
 * once in ten seconds for each location, in all workers together.  The webhook
 * is answered without waiting for the event.
 */
void ngx_http_ilert_unreadable(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);


#endif /* _NGX_HTTP_ILERT_UNREADABLE_H_INCLUDED_ */
