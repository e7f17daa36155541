
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


/*
 * A module of nginx for t/call.t, loaded after ours.  A location with "call"
 * makes a call by each request, and answers with its outcome as JSON.
 * Arguments: uri, args; fail=N, so that read() fails after N bytes; give_up=1,
 * so that all calls are given up at once, also those of other requests;
 * quiet=1; blind=1, so that there is no read().  A body of the request is
 * posted.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_call.h"


typedef struct {
    ngx_http_ilert_call_t   call;
    ngx_http_request_t     *r;
    ngx_md5_t               md5;
    size_t                  len;
    size_t                  begun;      /* len when the turn began */
    size_t                  most;       /* in one turn of the event loop */
    ngx_msec_t              turn;
    ngx_int_t               fail;
    ngx_uint_t              nreads;
    ngx_uint_t              inside;
    ngx_http_conf_ctx_t     ctx;
    ngx_str_t               text;
} call_t;


static char *call_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t call_handler(ngx_http_request_t *r);
static void call_has_body(ngx_http_request_t *r);
static ngx_str_t call_body(ngx_http_request_t *r);
static ngx_str_t call_arg(ngx_http_request_t *r, const char *name);
static ngx_int_t call_read(ngx_http_ilert_call_t *call, u_char *data,
    size_t len);
static void call_done(ngx_http_ilert_call_t *call);


static ngx_http_ilert_host_t  call_host = {
    ngx_string("Kapacitor.test:9092"),
    ngx_string("kapacitor.test")
};


static ngx_command_t  call_commands[] = {

    { ngx_string("call"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      call_set,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  call_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  call_module = {
    NGX_MODULE_V1,
    &call_module_ctx,
    call_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = { &call_module, NULL };
char  *ngx_module_names[] = { "call_module", NULL };
char  *ngx_module_order[] = { NULL };


static char *
call_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = call_handler;
    clcf->log_subrequest = 0;

    return NGX_CONF_OK;
}


static ngx_int_t
call_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, call_has_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
call_has_body(ngx_http_request_t *r)
{
    call_t     *c;
    ngx_str_t   fail;

    c = ngx_pcalloc(r->pool, sizeof(call_t));
    if (c == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    c->r = r;
    ngx_md5_init(&c->md5);

    fail = call_arg(r, "fail");
    c->fail = fail.len ? ngx_atoi(fail.data, fail.len) : -1;

    c->ctx.main_conf = r->main_conf;
    c->ctx.srv_conf = r->srv_conf;
    c->ctx.loc_conf = r->loc_conf;

    c->call.part = "reconcile";
    c->call.peer = "Kapacitor";
    ngx_str_set(&c->call.name, "/kapacitor-api/");
    c->call.conf_ctx = &c->ctx;
    c->call.host = &call_host;
    c->call.uri = call_arg(r, "uri");
    c->call.args = call_arg(r, "args");
    c->call.quiet = call_arg(r, "quiet").len;
    c->call.read = call_arg(r, "blind").len ? NULL : call_read;
    c->call.handler = call_done;
    c->call.data = c;

    c->call.body = call_body(r);

    c->inside = 1;

    if (ngx_http_ilert_call_send(&c->call) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->main->blocked++;

    if (call_arg(r, "give_up").len) {
        ngx_http_ilert_call_give_up(call_done);
    }

    c->inside = 0;
}


/* Returns the body, which is in memory, or an empty text. */

static ngx_str_t
call_body(ngx_http_request_t *r)
{
    u_char       *p;
    ngx_str_t     body;
    ngx_chain_t  *cl;

    body.len = ngx_max(r->headers_in.content_length_n, 0);
    body.data = ngx_pnalloc(r->pool, body.len + 1);

    if (body.data == NULL) {
        body.len = 0;
        return body;
    }

    p = body.data;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
    }

    body.len = p - body.data;

    return body;
}


static ngx_str_t
call_arg(ngx_http_request_t *r, const char *name)
{
    u_char     *dst, *src;
    ngx_str_t   value, raw;

    ngx_str_null(&value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) == NGX_OK) {
        value.data = ngx_pcalloc(r->pool, raw.len + 1);

        if (value.data) {
            dst = value.data;
            src = raw.data;
            ngx_unescape_uri(&dst, &src, raw.len, 0);
            value.len = dst - value.data;
        }
    }

    return value;
}


static ngx_int_t
call_read(ngx_http_ilert_call_t *call, u_char *data, size_t len)
{
    call_t  *c = call->data;

    ngx_md5_update(&c->md5, data, len);

    if (c->turn != ngx_current_msec) {
        c->turn = ngx_current_msec;
        c->begun = c->len;
    }

    c->nreads++;
    c->len += len;
    c->most = ngx_max(c->most, c->len - c->begun);

    return (c->fail >= 0 && c->len > (size_t) c->fail) ? NGX_ERROR : NGX_OK;
}


static void
call_done(ngx_http_ilert_call_t *call)
{
    call_t  *c = call->data;

    u_char                    *p;
    u_char                     md5[16], hex[32];
    ngx_http_request_t        *r;
    ngx_connection_t          *connection;
    ngx_http_complex_value_t   cv;

    static ngx_str_t           type = ngx_string("application/json");

    r = c->r;
    connection = r->connection;

    ngx_http_set_log_request(connection->log, r);

    r->main->blocked--;

    ngx_md5_final(md5, &c->md5);
    ngx_hex_dump(hex, md5, 16);

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    p = ngx_pnalloc(r->pool, 1024);
    if (p == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        ngx_http_run_posted_requests(connection);
        return;
    }

    cv.value.data = p;

    p = ngx_sprintf(p, "{\"status\":%ui,\"fault\":\"%s\",\"whole\":%d,"
                    "\"given_up\":%d,\"inside\":%ui,\"len\":%uz,\"reads\":%ui,"
                    "\"most\":%uz,\"md5\":\"%*s\",\"reason\":\"",
                    call->status,
                    call->fault ? ngx_http_ilert_fault_code(call->fault) : "",
                    call->whole, call->given_up, c->inside, c->len, c->nreads,
                    c->most, (size_t) 32, hex);

    p = (u_char *) ngx_escape_json(p, call->reason.data, call->reason.len);
    p = ngx_cpymem(p, "\"}\n", 3);

    cv.value.len = p - cv.value.data;

    ngx_http_finalize_request(r, ngx_http_send_response(r, NGX_HTTP_OK, &type,
                                                        &cv));

    ngx_http_run_posted_requests(connection);
}
