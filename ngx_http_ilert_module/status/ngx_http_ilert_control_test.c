
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_answer.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_control_test.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_test.h"


typedef struct {
    ngx_http_request_t  *request;
    ngx_str_t           *path;
} ngx_http_ilert_control_test_ctx_t;


static void ngx_http_ilert_control_test_done(ngx_http_ilert_test_t *test,
    void *data);
static ngx_int_t ngx_http_ilert_control_test_answer(
    ngx_http_ilert_control_test_ctx_t *ctx, ngx_http_ilert_test_t *test);
static void ngx_http_ilert_control_test_write(ngx_http_ilert_json_writer_t *w,
    void *data);
static void ngx_http_ilert_control_test_write_event(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_test_event_t *te);


ngx_int_t
ngx_http_ilert_control_test(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *path)
{
    ngx_int_t                           rc;
    ngx_str_t                           error;
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_main_conf_t         *imcf;
    ngx_http_ilert_answer_body_t        answer;
    ngx_http_ilert_control_test_ctx_t  *ctx;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    source = ngx_http_ilert_find_source(imcf, name);

    if (source == NULL) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                                            "there is no such source");
    }

    ctx = ngx_palloc(r->pool, sizeof(ngx_http_ilert_control_test_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->path = path;

    rc = ngx_http_ilert_test_start(imcf, source,
                                   ngx_http_ilert_control_test_done, ctx,
                                   &error, r->pool);

    if (rc == NGX_DECLINED) {
        answer.status = "rejected";
        answer.error = error;

        return ngx_http_ilert_answer_send(r, NGX_HTTP_CONFLICT,
                                          "application/json",
                                          ngx_http_ilert_answer_write,
                                          &answer);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    r->main->blocked++;

    return NGX_DONE;
}


static void
ngx_http_ilert_control_test_done(ngx_http_ilert_test_t *test, void *data)
{
    ngx_http_ilert_control_test_ctx_t *ctx = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    ngx_http_finalize_request(r, ngx_http_ilert_control_test_answer(ctx,
                                                                    test));

    ngx_http_run_posted_requests(c);
}


/*
 * Answers with 200 if both events were delivered, 504 if one still waits, or
 * 502 if one will never be delivered.
 */

static ngx_int_t
ngx_http_ilert_control_test_answer(ngx_http_ilert_control_test_ctx_t *ctx,
    ngx_http_ilert_test_t *test)
{
    ngx_uint_t                    i, status, delivered;
    ngx_http_request_t           *r;
    ngx_http_ilert_test_event_t  *te, *failed;

    r = ctx->request;

    te = ngx_http_ilert_test_events(test);
    failed = ngx_http_ilert_test_failed(test);

    status = NGX_HTTP_OK;

    if (failed) {
        status = (failed->verdict == NGX_HTTP_ILERT_TEST_WAITS)
                 ? NGX_HTTP_GATEWAY_TIME_OUT : NGX_HTTP_BAD_GATEWAY;
    }

    delivered = 0;

    for (i = 0; i < 2; i++) {
        delivered += (te[i].verdict == NGX_HTTP_ILERT_TEST_DELIVERED);
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ilert control: %V by %V, count: %ui", ctx->path,
                  &r->connection->addr_text, delivered);

    return ngx_http_ilert_answer_send(r, status, "application/json",
                                      ngx_http_ilert_control_test_write,
                                      test);
}


/* Writes {"status":"ok","alert":{...},"resolve":{...}}. */

static void
ngx_http_ilert_control_test_write(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_test_t *test = data;

    ngx_http_ilert_test_event_t  *te, *failed;

    te = ngx_http_ilert_test_events(test);
    failed = ngx_http_ilert_test_failed(test);

    if (failed == NULL) {
        ngx_http_ilert_json_literal(w, "{\"status\":\"ok\"");

    } else {
        ngx_http_ilert_json_literal(w, "{\"status\":");

        if (failed->verdict == NGX_HTTP_ILERT_TEST_WAITS) {
            ngx_http_ilert_json_literal(w, "\"waiting\",\"error\":");

        } else {
            ngx_http_ilert_json_literal(w, "\"failed\",\"error\":");
        }

        ngx_http_ilert_json_string(w, &failed->error);
    }

    ngx_http_ilert_json_literal(w, ",\"alert\":");
    ngx_http_ilert_control_test_write_event(w, &te[0]);
    ngx_http_ilert_json_literal(w, ",\"resolve\":");
    ngx_http_ilert_control_test_write_event(w, &te[1]);
    ngx_http_ilert_json_literal(w, "}\n");
}


static void
ngx_http_ilert_control_test_write_event(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_test_event_t *te)
{
    u_char  buf[64];

    ngx_http_ilert_json_literal(w, "{\"verdict\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_test_verdicts[te->verdict]);

    if (te->verdict != NGX_HTTP_ILERT_TEST_UNSENT) {
        ngx_http_ilert_json_literal(w, ",\"event\":");
        ngx_http_ilert_json_string(w, &te->event.id);

        ngx_http_ilert_json_raw(w, buf,
                   ngx_sprintf(buf, ",\"seconds\":%L.%03L",
                               te->usec / 1000000, te->usec / 1000 % 1000)
                   - buf);
    }

    if (te->status) {
        ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, ",\"status\":%ui",
                                                    te->status) - buf);
    }

    if (te->error.len) {
        ngx_http_ilert_json_literal(w, ",\"error\":");
        ngx_http_ilert_json_string(w, &te->error);
    }

    ngx_http_ilert_json_literal(w, "}");
}
