
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_dry_run.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_refuse.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_respond.h"
#include "ngx_http_ilert_text.h"


/* bytes: more than {"status":"rejected","error":""} and a line feed */

#define NGX_HTTP_ILERT_RESPOND_SIZE      64

/* bytes of a Content-Encoding that an error shows */

#define NGX_HTTP_ILERT_RESPOND_ENCODING  64


static ngx_str_t *ngx_http_ilert_respond_encoding(ngx_http_request_t *r);


ngx_int_t
ngx_http_ilert_respond(ngx_http_request_t *r, ngx_uint_t status,
    const char *word, const char *name, ngx_str_t *value)
{
    u_char                        *p;
    size_t                         size;
    ngx_http_ilert_ctx_t          *ctx;
    ngx_http_ilert_repair_t       *repair;
    ngx_http_complex_value_t       cv;
    ngx_http_ilert_loc_conf_t     *ilcf;
    ngx_http_ilert_json_writer_t   w;

    static ngx_str_t               type = ngx_string("application/json");

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    repair = ngx_http_ilert_repair_of(r);

    if (repair) {
        repair->result = ctx->result;
        repair->type = ctx->event ? ctx->event->type : NGX_HTTP_ILERT_NO_TYPE;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->dry_run && r->method == NGX_HTTP_POST) {
        return ngx_http_ilert_dry_run_answer(r, status, word,
                                             status < 300 ? NULL : value);
    }

    ctx->answered = 1;

    size = NGX_HTTP_ILERT_RESPOND_SIZE + value->len
           + ngx_escape_json(NULL, value->data, value->len);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    w.pos = ngx_sprintf(p, "{\"status\":\"%s\",\"%s\":", word, name);
    w.last = p + size;

    ngx_http_ilert_json_string(&w, value);
    ngx_http_ilert_json_literal(&w, "}\n");

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = p;
    cv.value.len = w.pos - p;

    r->keepalive = 0;

    return ngx_http_send_response(r, status, &type, &cv);
}


ngx_int_t
ngx_http_ilert_respond_rejected(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *error)
{
    ngx_http_ilert_ctx_t       *ctx;
    ngx_http_ilert_repair_t    *repair;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    repair = ngx_http_ilert_repair_of(r);

    if (status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_str_set(&ctx->result, "REJECTED");
    }

    if (repair) {

        if (status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
            ngx_http_ilert_repair_refused(repair, status, error);
        }

        return ngx_http_ilert_respond(r, status, "rejected", "error", error);
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (status < NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "%s rejected: %V",
                      ilcf->events ? "ilert event" : "kapacitor webhook",
                      error);
    }

    ngx_http_ilert_refuse(r, ilcf, status, error);

    return ngx_http_ilert_respond(r, status, "rejected", "error", error);
}


ngx_int_t
ngx_http_ilert_respond_outcome(ngx_http_request_t *r,
    ngx_http_ilert_answer_t *answer)
{
    ngx_http_ilert_ctx_t  *ctx;

    if (answer->status != NGX_HTTP_ACCEPTED) {
        return ngx_http_ilert_respond_rejected(r, answer->status,
                                               &answer->error);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    ngx_http_ilert_counters_accepted(ctx->event->source->counters);

    return ngx_http_ilert_respond(r, NGX_HTTP_ACCEPTED, "accepted", "event",
                                  &ctx->event->id);
}


ngx_int_t
ngx_http_ilert_respond_unread(ngx_http_request_t *r, ngx_str_t *error)
{
    u_char     *p;
    ngx_str_t  *encoding, value;

    encoding = ngx_http_ilert_respond_encoding(r);

    if (encoding) {
        value.data = encoding->data;
        value.len = ngx_min(encoding->len, NGX_HTTP_ILERT_RESPOND_ENCODING);

        p = ngx_pnalloc(r->pool, NGX_HTTP_ILERT_RESPOND_ENCODING + 128);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        error->data = p;
        error->len = ngx_sprintf(p, "body: Content-Encoding \"%V\" is not "
                                 "decoded, send the body as it is", &value)
                     - p;

        ngx_http_ilert_text_line(error);

        if (ngx_http_ilert_text_valid(error, r->pool) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_ilert_respond_rejected(r, NGX_HTTP_BAD_REQUEST, error);
}


/* Returns the value of Content-Encoding, or NULL if there is no encoding. */

static ngx_str_t *
ngx_http_ilert_respond_encoding(ngx_http_request_t *r)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    static ngx_str_t  none = ngx_string("identity");

    for (i = 0; /* void */ ; i++) {

        value = ngx_http_ilert_reply_header(&r->headers_in.headers,
                                            "Content-Encoding", i);

        if (value == NULL) {
            return NULL;
        }

        if (value->len
            && (value->len != none.len
                || ngx_strncasecmp(value->data, none.data, none.len) != 0))
        {
            return value;
        }
    }
}


void
ngx_http_ilert_respond_count_ignored(ngx_http_request_t *r,
    ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_loc_conf_t   *ilcf;
    ngx_http_ilert_main_conf_t  *imcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    if (ilcf->dry_run) {
        return;
    }

    if (source) {
        ngx_http_ilert_counters_add(source->counters->ignored, 1);
        return;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    ngx_http_ilert_counters_add(imcf->counters->ignored, 1);
}
