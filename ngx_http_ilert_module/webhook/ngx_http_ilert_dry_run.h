
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DRY_RUN_H_INCLUDED_
#define _NGX_HTTP_ILERT_DRY_RUN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/*
 * "ilert_dry_run": a webhook is read and mapped in the same way as any other
 * one.  The answer shows the event that it would become, and what the queue
 * would do with the event now.  Nothing is kept, sent, or counted.
 */


/*
 * Answers a webhook that becomes no event.  The answer itself has the status
 * 200.  In its body it has "status" and "word", which the webhook would be
 * answered without a dry run, and "error", which says why it would be refused,
 * or is NULL.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_dry_run_answer(ngx_http_request_t *r,
    ngx_uint_t status, const char *word, ngx_str_t *error);


/*
 * Answers a webhook whose event, that of the request's context, would now be
 * submitted.  Asks the store what would become of it.  Returns NGX_AGAIN if
 * the store was asked: then the caller must raise r->main->blocked, and the
 * request is answered and finalized later, when "blocked" is lowered again.
 * Otherwise returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_dry_run(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_DRY_RUN_H_INCLUDED_ */
