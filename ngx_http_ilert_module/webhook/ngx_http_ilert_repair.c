
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_text.h"


/* bytes of an id that are logged */

#define NGX_HTTP_ILERT_REPAIR_ID       128


static void ngx_http_ilert_repair_done(ngx_http_ilert_call_t *call);
static void ngx_http_ilert_repair_taken(ngx_http_ilert_repair_t *repair);


ngx_int_t
ngx_http_ilert_repair_send(ngx_http_ilert_repair_t *repair)
{
    ngx_http_ilert_call_t       *call;
    ngx_http_ilert_kapacitor_t  *kapacitor;

    call = &repair->call;
    kapacitor = repair->kapacitor;

    call->part = "reconcile";
    call->peer = "Kapacitor";
    call->name = kapacitor->place;
    call->conf_ctx = kapacitor->conf_ctx;
    call->host = &kapacitor->host;
    call->uri = kapacitor->uri;
    call->args = kapacitor->args;
    call->read = NULL;
    call->handler = ngx_http_ilert_repair_done;

    ngx_str_null(&repair->result);

    repair->status = 0;
    repair->type = NGX_HTTP_ILERT_NO_TYPE;
    repair->news = NGX_HTTP_ILERT_STORE_NEWS;
    repair->refused = 0;

    return ngx_http_ilert_call_send(call);
}


static void
ngx_http_ilert_repair_done(ngx_http_ilert_call_t *call)
{
    ngx_str_t                 error;
    ngx_http_ilert_repair_t  *repair;

    repair = (ngx_http_ilert_repair_t *) call;

    repair->status = call->status;

    if (call->status == NGX_HTTP_ACCEPTED && repair->result.len) {
        ngx_http_ilert_repair_taken(repair);

    } else if (call->status && repair->result.len == 0) {

        /* it did not come to the webhook's handler, or that had no memory */

        error = call->reason;

        if (error.len == 0) {
            ngx_str_set(&error, "by nginx itself");
        }

        ngx_http_ilert_repair_refused(repair, call->status, &error);
    }

    repair->handler(repair);
}


ngx_http_ilert_repair_t *
ngx_http_ilert_repair_of(ngx_http_request_t *r)
{
    ngx_http_ilert_ctx_t  *ctx;

    if (r == r->main) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_ilert_module);

    if (ctx == NULL || ctx->call == NULL
        || ctx->call->handler != ngx_http_ilert_repair_done)
    {
        return NULL;
    }

    return (ngx_http_ilert_repair_t *) ctx->call;
}


void
ngx_http_ilert_repair_refused(ngx_http_ilert_repair_t *repair,
    ngx_uint_t status, ngx_str_t *error)
{
    u_char                       buf[NGX_HTTP_ILERT_REPAIR_ID];
    ngx_str_t                    id;
    ngx_http_ilert_kapacitor_t  *kapacitor;

    kapacitor = repair->kapacitor;

    repair->refused = 1;

    if (kapacitor->refused) {
        return;
    }

    kapacitor->refused = 1;

    id.data = buf;
    id.len = ngx_http_ilert_text_cut(&repair->heard.id, sizeof(buf));

    ngx_memcpy(buf, repair->heard.id.data, id.len);
    ngx_http_ilert_text_line(&id);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ilert kapacitor \"%V\": a repair was refused: %ui, %V, "
                  "id \"%V\"", &kapacitor->name, status, error, &id);
}


static void
ngx_http_ilert_repair_taken(ngx_http_ilert_repair_t *repair)
{
    ngx_http_ilert_kapacitor_t  *kapacitor;

    kapacitor = repair->kapacitor;

    if (!kapacitor->refused) {
        return;
    }

    kapacitor->refused = 0;

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ilert kapacitor \"%V\": repairs are taken again",
                  &kapacitor->name);
}
