
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_receive.h"
#include "ngx_http_ilert_respond.h"
#include "ngx_http_ilert_site.h"


static ngx_int_t ngx_http_ilert_receive_not_allowed(ngx_http_request_t *r);


ngx_int_t
ngx_http_ilert_receive(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t              rc;
    ngx_str_t              error;
    const char            *foreign;
    ngx_http_ilert_ctx_t  *ctx;

    r->keepalive = 0;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_ilert_module);

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_ilert_receive_not_allowed(r);
    }

    foreign = ngx_http_ilert_site_foreign(r);

    if (foreign) {
        error.data = (u_char *) foreign;
        error.len = ngx_strlen(foreign);

        return ngx_http_ilert_respond_rejected(r, NGX_HTTP_FORBIDDEN, &error);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_int_t
ngx_http_ilert_receive_not_allowed(ngx_http_request_t *r)
{
    ngx_str_t         error;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "Allow");
    ngx_str_set(&h->value, "POST");

    ngx_str_set(&error, "method: expected POST");

    return ngx_http_ilert_respond_rejected(r, NGX_HTTP_NOT_ALLOWED, &error);
}


void
ngx_http_ilert_receive_end(ngx_http_request_t *r, ngx_int_t rc)
{
    if (rc == NGX_AGAIN) {

        /*
         * The event is in the request's pool, so the request must stay until
         * the event's outcome is known.
         */

        r->connection->log->action = "waiting for event to be safe";
        r->main->blocked++;
        return;
    }

    ngx_http_finalize_request(r, rc);
}


void
ngx_http_ilert_receive_wake(ngx_http_request_t *r)
{
    ngx_http_set_log_request(r->connection->log, r);

    r->main->blocked--;
}


void
ngx_http_ilert_receive_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}
