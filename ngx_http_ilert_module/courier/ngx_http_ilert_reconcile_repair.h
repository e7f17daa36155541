
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RECONCILE_REPAIR_H_INCLUDED_
#define _NGX_HTTP_ILERT_RECONCILE_REPAIR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_reconcile_poll.h"


/* Repairs what is in poll->lost, and goes on with the next topic. */
void ngx_http_ilert_reconcile_repair(ngx_http_ilert_reconcile_poll_t *poll);


#endif /* _NGX_HTTP_ILERT_RECONCILE_REPAIR_H_INCLUDED_ */
