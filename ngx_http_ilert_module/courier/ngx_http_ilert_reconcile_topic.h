
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RECONCILE_TOPIC_H_INCLUDED_
#define _NGX_HTTP_ILERT_RECONCILE_TOPIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_reconcile_poll.h"


/*
 * Reads the topic at hand, poll->topic, and compares it; then has repaired
 * what was lost, and goes on.
 */
void ngx_http_ilert_reconcile_topic(ngx_http_ilert_reconcile_poll_t *poll);


#endif /* _NGX_HTTP_ILERT_RECONCILE_TOPIC_H_INCLUDED_ */
