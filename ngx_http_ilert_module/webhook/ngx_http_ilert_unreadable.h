
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
 * With "ilert_unreadable alert" a webhook that was refused opens an alert of
 * its location's source, so that somebody hears of it: once in ten seconds for
 * a location, whichever worker refuses it.  What becomes of the event does not
 * matter to the webhook, which has its answer.
 */
void ngx_http_ilert_unreadable(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);


#endif /* _NGX_HTTP_ILERT_UNREADABLE_H_INCLUDED_ */
