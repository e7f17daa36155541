
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_heard.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_store.h"


ngx_int_t
ngx_http_ilert_heard(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx,
    ngx_http_ilert_store_heard_t *heard)
{
    ngx_http_ilert_repair_t     *repair;
    ngx_http_ilert_webhook_t    *wh;
    ngx_http_ilert_loc_conf_t   *ilcf;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);
    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    wh = ctx->webhook;

    if (imcf->queue.path.len == 0 || wh->key.len == 0) {
        return NGX_DECLINED;
    }

    repair = ngx_http_ilert_repair_of(r);

    if (repair) {
        *heard = repair->heard;

    } else {
        ngx_memzero(heard, sizeof(ngx_http_ilert_store_heard_t));

        heard->place = ilcf->clcf->name;
        heard->id = wh->key;
        heard->time = ngx_http_ilert_kapacitor_ns(wh);
        heard->level = wh->level;
    }

    heard->task = wh->task;
    heard->digest = ngx_http_ilert_kapacitor_digest(wh);

    return NGX_OK;
}


void
ngx_http_ilert_heard_ignored(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx)
{
    ngx_http_ilert_loc_conf_t     *ilcf;
    ngx_http_ilert_store_heard_t   heard;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->reconciled && !ilcf->dry_run
        && ngx_http_ilert_heard(r, ctx, &heard) == NGX_OK)
    {
        ngx_http_ilert_queue_note(&heard);
    }
}
