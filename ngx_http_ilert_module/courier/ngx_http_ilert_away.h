
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_AWAY_H_INCLUDED_
#define _NGX_HTTP_ILERT_AWAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Is called when a courier has begun.  "away" is since when there was none, by
 * the store, in ms of the wall clock, or 0.  If nginx did not run for some
 * seconds before it was started, this is noted in the counters, and logged.
 */
void ngx_http_ilert_away_note(int64_t away);


#endif /* _NGX_HTTP_ILERT_AWAY_H_INCLUDED_ */
