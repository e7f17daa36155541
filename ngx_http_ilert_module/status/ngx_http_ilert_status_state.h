
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_STATE_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_STATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_store.h"


/*
 * Returns what is used of the budget of that name, in the store's answer, or
 * NULL if there is no answer.
 */
ngx_http_ilert_store_used_t *ngx_http_ilert_status_used(
    ngx_http_ilert_status_t *st, ngx_str_t *name);

/*
 * Sets state and reason of a source, whose other members are set.  "read" is
 * what the store has answered of it, or NULL.
 */
void ngx_http_ilert_status_state(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_source_t *read,
    ngx_http_ilert_counters_last_t *known,
    ngx_http_ilert_status_source_t *ss);


#endif /* _NGX_HTTP_ILERT_STATUS_STATE_H_INCLUDED_ */
