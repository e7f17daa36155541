
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_ANSWER_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_store.h"


/*
 * What becomes of queries, looks, and notes when their job is done, or when
 * the worker exits before that.  All functions are called on the event loop,
 * and empty the list that they are given.
 */


/* Call the handlers; what queries have found goes into the counters, too. */
void ngx_http_ilert_queue_answer_queries(ngx_queue_t *queries,
    ngx_http_ilert_main_conf_t *imcf);
void ngx_http_ilert_queue_answer_looks(ngx_queue_t *looks);

/* Free them without an answer. */
void ngx_http_ilert_queue_free_queries(ngx_queue_t *queries);
void ngx_http_ilert_queue_free_looks(ngx_queue_t *looks);
void ngx_http_ilert_queue_free_notes(ngx_queue_t *notes);


#endif /* _NGX_HTTP_ILERT_QUEUE_ANSWER_H_INCLUDED_ */
