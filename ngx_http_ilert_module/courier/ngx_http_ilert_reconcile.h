
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RECONCILE_H_INCLUDED_
#define _NGX_HTTP_ILERT_RECONCILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_store.h"


/*
 * Reconciliation: what Kapacitor knows is asked, and compared with what was
 * heard of it ("ilert_reconcile").  The courier does this, so one worker does.
 * What was lost is repaired, as if its webhook had come.
 */


/*
 * Makes in a worker what is kept of each Kapacitor.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_reconcile_init_process(ngx_cycle_t *cycle,
    ngx_http_ilert_main_conf_t *imcf);

/* This worker has become the courier, and its first job is on disk. */
void ngx_http_ilert_reconcile_begin(void);

/* This worker is not the courier any more. */
void ngx_http_ilert_reconcile_end(void);

/* Sets job->kapacitors: which there are, and whether they can be asked. */
void ngx_http_ilert_reconcile_prepare(ngx_http_ilert_store_job_t *job);


#endif /* _NGX_HTTP_ILERT_RECONCILE_H_INCLUDED_ */
