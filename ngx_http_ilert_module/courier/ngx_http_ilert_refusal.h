
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_deliver.h"


/*
 * What becomes of events that ilert has refused.  The store decides: an event
 * becomes a dead letter; or it is kept, because everything of its source is
 * refused.  Then the source is parked.
 */


/*
 * Is called when verdicts of the courier are on disk, with the events that
 * have them, in which the store has set what it has decided.  Counts and logs
 * dead letters, parks sources, and ends that when ilert has taken an event.
 */
void ngx_http_ilert_refusal_decided(ngx_http_ilert_courier_t *co,
    ngx_queue_t *verdicts);


#endif /* _NGX_HTTP_ILERT_REFUSAL_H_INCLUDED_ */
