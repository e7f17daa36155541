
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
 * "ilert_dry_run": a webhook is read and mapped as any other one, and answered
 * with the event that it would become, and with what would become of that now.
 * Nothing is kept, sent, or counted.
 */


/*
 * Answers with 200.  "status" and "word" are what the webhook would have been
 * answered without a dry run; "error" says why it would have been refused, or
 * is NULL.  Returns what a content handler returns.
 */
ngx_int_t ngx_http_ilert_dry_run_answer(ngx_http_request_t *r,
    ngx_uint_t status, const char *word, ngx_str_t *error);


/*
 * The event of the request's context would have been submitted: asks the store
 * what would become of it, and answers.  Returns NGX_AGAIN if the request is
 * answered and finalized later, which lowers r->main->blocked, else what
 * a content handler returns.
 */
ngx_int_t ngx_http_ilert_dry_run(ngx_http_request_t *r);


#endif /* _NGX_HTTP_ILERT_DRY_RUN_H_INCLUDED_ */
