
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_heard.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_store.h"


static uint64_t ngx_http_ilert_heard_digest(ngx_http_ilert_ctx_t *ctx);


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
    heard->digest = ngx_http_ilert_heard_digest(ctx);

    return NGX_OK;
}


/*
 * Two Kapacitors may watch two sites, with the same ids and at the same times,
 * and the mapping makes two alerts of that.  Or a task posts to two URLs, with
 * other arguments.  So a copy also has to be of the same alert and type.
 */

static uint64_t
ngx_http_ilert_heard_digest(ngx_http_ilert_ctx_t *ctx)
{
    u_char                   md5[16];
    uint64_t                 digest, type;
    ngx_md5_t                state;
    ngx_http_ilert_event_t  *ev;

    ev = ctx->event;
    digest = ngx_http_ilert_kapacitor_digest(ctx->webhook);

    type = ev->ilert_type;

    ngx_md5_init(&state);
    ngx_md5_update(&state, &digest, sizeof(uint64_t));
    ngx_md5_update(&state, &type, sizeof(uint64_t));

    if (ev->source) {
        ngx_md5_update(&state, ev->source->shared->name.data,
                       ev->source->shared->name.len);
    }

    ngx_md5_update(&state, ev->ilert_key.data, ev->ilert_key.len);
    ngx_md5_final(md5, &state);

    ngx_memcpy(&digest, md5, sizeof(uint64_t));

    return digest;
}


void
ngx_http_ilert_heard_ignored(ngx_http_request_t *r, ngx_http_ilert_ctx_t *ctx,
    ngx_str_t *key)
{
    int64_t                        began;
    ngx_str_t                      none;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_loc_conf_t     *ilcf;
    ngx_http_ilert_store_note_t   *note;
    ngx_http_ilert_store_heard_t   heard;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->dry_run || ngx_http_ilert_heard(r, ctx, &heard) != NGX_OK) {
        return;
    }

    if (!ilcf->reconciled) {
        ngx_str_null(&heard.place);
    }

    began = 0;
    source = ctx->event->source;

    if (source && source->policy.coalesce != NGX_HTTP_ILERT_COALESCE_OFF
        && heard.level != NGX_HTTP_ILERT_OK)
    {
        began = ngx_http_ilert_kapacitor_began(ctx->webhook, key,
                                               ngx_http_ilert_clock_now());
    }

    if (began == 0 && heard.place.len == 0) {
        return;
    }

    ngx_str_null(&none);

    note = ngx_http_ilert_store_note(&heard, began ? &source->name : &none,
                                     began ? key : &none);
    if (note == NULL) {
        return;
    }

    if (began) {
        note->owner = source->shared->name;
        note->began = began;
    }

    ngx_http_ilert_queue_note(note);
}
