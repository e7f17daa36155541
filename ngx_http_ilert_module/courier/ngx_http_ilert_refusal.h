
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_deliver.h"


/*
 * What ilert has refused: whether it is a dead letter, or everything of its
 * source is refused, the store decides, and here it is counted, logged, and
 * acted upon.
 */


/*
 * These verdicts of the courier are on disk, and what the store has made of
 * them is known.
 */
void ngx_http_ilert_refusal_decided(ngx_http_ilert_courier_t *co,
    ngx_queue_t *verdicts);


#endif /* _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_ */
