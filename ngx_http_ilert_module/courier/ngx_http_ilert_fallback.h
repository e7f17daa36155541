
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_FALLBACK_H_INCLUDED_
#define _NGX_HTTP_ILERT_FALLBACK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fallback_rules.h"
#include "ngx_http_ilert_store.h"


/*
 * Another way out, "ilert_fallback": if something urgent waits for ilert for
 * too long, people are told by another location.  The courier does this, so
 * only one worker does.  What has been told is in shared memory, so that the
 * next courier goes on with it.
 */


/* This worker has become the courier. */
void ngx_http_ilert_fallback_begin(ngx_http_ilert_main_conf_t *imcf);

/* This worker is not the courier any more: ends what is under way. */
void ngx_http_ilert_fallback_end(void);

/* Returns 1 if something was told that is not over. */
ngx_uint_t ngx_http_ilert_fallback_is_open(void);

/*
 * Looks at what waits, which is the answer to a query with "urgent", and tells
 * it if it is time to do so.
 */
void ngx_http_ilert_fallback_look(ngx_http_ilert_store_query_t *query);


/*
 * fallback_text.c: writes what is told, not more than "last" allows, and
 * returns its end.  "seen" is of the query.
 */
u_char *ngx_http_ilert_fallback_text(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_fallback_seen_t *seen,
    ngx_http_ilert_fallback_action_e action, int64_t now, u_char *buf,
    u_char *last);

/*
 * Returns 1 if the alert counts: if no digest has named it, and no operator
 * has paused its source.
 */
ngx_uint_t ngx_http_ilert_fallback_counts(
    ngx_http_ilert_store_waiter_t *waiter);

/* Writes a time in ms, such as "34 min". */
u_char *ngx_http_ilert_fallback_age(u_char *p, u_char *last, int64_t msec);


#endif /* _NGX_HTTP_ILERT_FALLBACK_H_INCLUDED_ */
