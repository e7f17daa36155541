
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_answer.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_page.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_reply.h"
#include "ngx_http_ilert_status.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_status_json.h"
#include "ngx_http_ilert_status_prometheus.h"
#include "ngx_http_ilert_store.h"


/* for how many ms a request waits for the store's answer */

#define NGX_HTTP_ILERT_STATUS_WAIT   1000

/*
 * ms: if the last commit is not older, "?ready" needs no other one as a proof
 * that the store can commit
 */

#define NGX_HTTP_ILERT_STATUS_COMMIT 1000


/* a request for the status */

typedef struct {
    ngx_http_request_t            *request;
    ngx_http_ilert_store_query_t  *query;   /* the one that it waits for */
    ngx_event_t                    timer;
    ngx_str_t                      source;
    ngx_str_t                      key;
    ngx_uint_t                     format;
    off_t                          refused; /* id of a webhook, or 0 */
    unsigned                       alert:1;         /* "alert_key=" */
    unsigned                       ready:1;         /* "ready" */
    unsigned                       committed:1;     /* the last commit is */
                                                    /* not old */
} ngx_http_ilert_status_ctx_t;


static ngx_uint_t ngx_http_ilert_status_has_committed(
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_status_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_status_ask(ngx_http_request_t *r,
    ngx_http_ilert_status_ctx_t *ctx);
static void ngx_http_ilert_status_answered(
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_status_timer_handler(ngx_event_t *ev);
static void ngx_http_ilert_status_finish(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_status_reply(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_status_refused(
    ngx_http_ilert_status_ctx_t *ctx, ngx_http_ilert_store_query_t *query);
static ngx_int_t ngx_http_ilert_status_ready(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query);
static ngx_uint_t ngx_http_ilert_status_openmetrics(ngx_http_request_t *r);


ngx_int_t
ngx_http_ilert_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     value;
    ngx_http_ilert_loc_conf_t    *ilcf;
    ngx_http_ilert_main_conf_t   *imcf;
    ngx_http_ilert_status_ctx_t  *ctx;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_ilert_answer_not_allowed(r, "GET, HEAD");
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_status_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    ctx->request = r;
    ctx->format = ilcf->status;
    ctx->ready = (ngx_http_ilert_answer_arg(r, "ready", &value) == NGX_OK);

    if (!ctx->ready && ctx->format != NGX_HTTP_ILERT_STATUS_PROMETHEUS
        && ngx_http_ilert_answer_arg(r, "refused", &value) == NGX_OK)
    {
        ctx->refused = ngx_atoof(value.data, value.len);

        if (ctx->refused <= 0) {
            return ngx_http_ilert_answer_reject(r, NGX_HTTP_BAD_REQUEST,
                                                "refused: expected an id");
        }
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    if (!ctx->ready && !ctx->refused
        && ctx->format != NGX_HTTP_ILERT_STATUS_PROMETHEUS
        && ngx_http_ilert_answer_arg(r, "history", &value) == NGX_OK)
    {
        return ngx_http_ilert_answer_send(r, NGX_HTTP_OK, "application/json",
                                          ngx_http_ilert_status_json_history,
                                          imcf);
    }

    if (ctx->format == NGX_HTTP_ILERT_STATUS_HTML) {

        if (ngx_http_ilert_answer_arg(r, "json", &value) == NGX_DECLINED
            && !ctx->ready && !ctx->refused)
        {
            return ngx_http_ilert_status_page(r);
        }

        ctx->format = NGX_HTTP_ILERT_STATUS_JSON;
    }

    (void) ngx_http_ilert_answer_arg(r, "source", &ctx->source);

    if (ctx->format == NGX_HTTP_ILERT_STATUS_JSON
        && ngx_http_ilert_answer_arg(r, "alert_key", &ctx->key) == NGX_OK)
    {
        ctx->alert = 1;

        if (ctx->source.len == 0) {
            return ngx_http_ilert_answer_reject(r, NGX_HTTP_BAD_REQUEST,
                                       "alert_key: \"source\" is needed, too");
        }
    }

    ctx->committed = ctx->ready && ngx_http_ilert_status_has_committed(imcf);

    if (imcf->queue.path.len == 0 || ctx->committed) {
        return ngx_http_ilert_status_reply(ctx, NULL);
    }

    return ngx_http_ilert_status_ask(r, ctx);
}


/*
 * Returns 1 if the store has committed something a short while ago, and there
 * was no trouble since: then it is ready, and need not be asked.
 */

static ngx_uint_t
ngx_http_ilert_status_has_committed(ngx_http_ilert_main_conf_t *imcf)
{
    int64_t  age;

    age = ngx_http_ilert_clock_now()
          - ngx_http_ilert_counters_get(imcf->counters,
                                        &imcf->counters->committed);

    return imcf->counters->trouble == NGX_HTTP_ILERT_STORE_OK
           && age >= 0 && age < NGX_HTTP_ILERT_STATUS_COMMIT;
}


/* The page is told the location of "ilert_control" in its server, if any. */

static ngx_int_t
ngx_http_ilert_status_page(ngx_http_request_t *r)
{
    u_char                     *p;
    size_t                      len, size;
    ngx_http_complex_value_t    cv;
    ngx_http_ilert_srv_conf_t  *iscf;

    static ngx_str_t            type = ngx_string("text/html; charset=utf-8");

    iscf = ngx_http_get_module_srv_conf(r, ngx_http_ilert_module);

    len = iscf->control.len
          + ngx_escape_html(NULL, iscf->control.data, iscf->control.len);
    size = sizeof(ngx_http_ilert_page_head) - 1 + len
           + sizeof(ngx_http_ilert_page_tail) - 1;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.len = size;
    cv.value.data = ngx_pnalloc(r->pool, size);

    if (cv.value.data == NULL
        || ngx_http_ilert_answer_header(r, "Cache-Control", "no-store")
           != NGX_OK
        || ngx_http_ilert_answer_header(r, "Content-Security-Policy",
                                        NGX_HTTP_ILERT_PAGE_CSP)
           != NGX_OK
        || ngx_http_ilert_answer_header(r, "X-Content-Type-Options", "nosniff")
           != NGX_OK
        || ngx_http_ilert_answer_header(r, "Referrer-Policy", "no-referrer")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_cpymem(cv.value.data, ngx_http_ilert_page_head,
                   sizeof(ngx_http_ilert_page_head) - 1);
    ngx_escape_html(p, iscf->control.data, iscf->control.len);
    ngx_memcpy(p + len, ngx_http_ilert_page_tail,
               sizeof(ngx_http_ilert_page_tail) - 1);

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


/*
 * Asks the store.  The request waits for the answer, or for at most
 * NGX_HTTP_ILERT_STATUS_WAIT.
 */

static ngx_int_t
ngx_http_ilert_status_ask(ngx_http_request_t *r,
    ngx_http_ilert_status_ctx_t *ctx)
{
    ngx_http_ilert_store_query_t  *query;

    query = ngx_http_ilert_queue_query(&ctx->source, &ctx->key);
    if (query == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    query->handler = ngx_http_ilert_status_answered;
    query->data = ctx;
    query->alert = ctx->alert;
    query->prove = ctx->ready;
    query->refused = ctx->refused;

    if (ngx_http_ilert_queue_ask(query) != NGX_OK) {
        ngx_destroy_pool(query->pool);
        return ngx_http_ilert_status_reply(ctx, NULL);
    }

    ctx->query = query;

    ctx->timer.handler = ngx_http_ilert_status_timer_handler;
    ctx->timer.data = ctx;
    ctx->timer.log = r->connection->log;

    ngx_add_timer(&ctx->timer, NGX_HTTP_ILERT_STATUS_WAIT);

    r->main->count++;
    r->main->blocked++;

    return NGX_DONE;
}


static void
ngx_http_ilert_status_answered(ngx_http_ilert_store_query_t *query)
{
    ngx_pool_t                   *pool;
    ngx_http_ilert_status_ctx_t  *ctx;

    ctx = query->data;
    pool = query->pool;

    ngx_del_timer(&ctx->timer);

    ngx_http_ilert_status_finish(ctx, query);

    ngx_destroy_pool(pool);
}


/* Without its handler the query is dropped when it is answered at last. */

static void
ngx_http_ilert_status_timer_handler(ngx_event_t *ev)
{
    ngx_http_ilert_status_ctx_t  *ctx;

    ctx = ev->data;

    ctx->query->handler = NULL;

    ngx_http_ilert_status_finish(ctx, NULL);
}


static void
ngx_http_ilert_status_finish(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    ngx_http_finalize_request(r, ngx_http_ilert_status_reply(ctx, query));

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_ilert_status_reply(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query)
{
    ngx_http_request_t          *r;
    ngx_http_ilert_status_t      st;
    ngx_http_ilert_main_conf_t  *imcf;

    if (ctx->ready) {
        return ngx_http_ilert_status_ready(ctx, query);
    }

    if (ctx->refused) {
        return ngx_http_ilert_status_refused(ctx, query);
    }

    r = ctx->request;
    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    ngx_memzero(&st, sizeof(ngx_http_ilert_status_t));

    st.pool = r->pool;
    st.now = ngx_http_ilert_clock_now();
    st.source = ctx->source;
    st.query = (query && query->ok) ? query : NULL;

    if (ngx_http_ilert_status_gather(&st, imcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (st.source.len && st.sources.nelts == 0) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                                            "there is no such source");
    }

    if (ctx->alert) {

        if (st.query == NULL) {
            return st.path.len
                   ? ngx_http_ilert_answer_reject(r,
                                               NGX_HTTP_SERVICE_UNAVAILABLE,
                                               "the queue does not answer")
                   : ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                                        "alert_key: there is no queue, "
                                        "nothing is known of alerts");
        }

        if (!query->found && query->dead.nelts == 0) {
            return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                                 "alert_key: nothing is known of the alert, "
                                 "no event was accepted, or it was resolved "
                                 "more than 7 days ago");
        }

        return ngx_http_ilert_answer_send(r, NGX_HTTP_OK, "application/json",
                                          ngx_http_ilert_status_json_alert,
                                          &st);
    }

    if (ctx->format == NGX_HTTP_ILERT_STATUS_JSON) {
        return ngx_http_ilert_answer_send(r, NGX_HTTP_OK, "application/json",
                                          ngx_http_ilert_status_json,
                                          &st);
    }

    st.openmetrics = ngx_http_ilert_status_openmetrics(r);

    return ngx_http_ilert_answer_send(r, NGX_HTTP_OK,
                                      st.openmetrics
                                      ? "application/openmetrics-text; "
                                        "version=1.0.0; charset=utf-8"
                                      : "text/plain; version=0.0.4; "
                                        "charset=utf-8",
                                      ngx_http_ilert_status_prometheus, &st);
}


/*
 * Sends the body of a webhook that was refused.  There may be anything in it,
 * so headers make a browser save it, and never show it as anything but text.
 */

static ngx_int_t
ngx_http_ilert_status_refused(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query)
{
    u_char                          *name;
    ngx_http_request_t              *r;
    ngx_http_complex_value_t         cv;
    ngx_http_ilert_main_conf_t      *imcf;
    ngx_http_ilert_store_refused_t  *kept;

    static ngx_str_t                 type = ngx_string("text/plain");

    r = ctx->request;
    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    if (imcf->queue.path.len == 0) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                              "refused: there is no queue, nothing is kept");
    }

    if (query == NULL || !query->ok) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the queue does not answer");
    }

    if (query->kept.nelts == 0) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                                            "refused: no such webhook is "
                                            "kept");
    }

    kept = query->kept.elts;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.len = kept->body.len;
    cv.value.data = ngx_pstrdup(r->pool, &kept->body);

    name = ngx_pnalloc(r->pool, NGX_INT64_LEN
                       + sizeof("attachment; filename=\"refused-.txt\""));

    if (cv.value.data == NULL || name == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sprintf(name, "attachment; filename=\"refused-%L.txt\"%Z", kept->id);

    if (ngx_http_ilert_answer_header(r, "Cache-Control", "no-store")
        != NGX_OK
        || ngx_http_ilert_answer_header(r, "Content-Disposition",
                                        (char *) name)
           != NGX_OK
        || ngx_http_ilert_answer_header(r, "X-Content-Type-Options", "nosniff")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


/*
 * Answers "?ready": 200 if a webhook that came now could be committed and
 * delivered, otherwise 503.
 */

static ngx_int_t
ngx_http_ilert_status_ready(ngx_http_ilert_status_ctx_t *ctx,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      status;
    ngx_http_request_t             *r;
    ngx_http_ilert_counters_t      *counters;
    ngx_http_ilert_main_conf_t     *imcf;
    ngx_http_ilert_answer_body_t  answer;

    r = ctx->request;
    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);
    counters = imcf->counters;

    status = NGX_HTTP_SERVICE_UNAVAILABLE;

    answer.status = "unavailable";
    ngx_str_null(&answer.error);

    if (imcf->queue.path.len == 0) {
        status = NGX_HTTP_OK;

    } else if (ngx_http_ilert_status_is_silent(&answer.error, r->pool)) {

        /* void */

    } else if (query == NULL && !ctx->committed) {
        ngx_str_set(&answer.error, "the queue does not answer");

    } else if (ngx_http_ilert_counters_get_trouble(counters, &answer.error,
                                                   r->pool)
               != NGX_HTTP_ILERT_STORE_OK
               || (query && !query->committed))
    {
        if (answer.error.len == 0) {
            ngx_str_set(&answer.error, "the queue cannot be written to");
        }

    } else if (ngx_http_ilert_status_is_idle(&answer.error)) {

        /* void */

    } else {
        status = NGX_HTTP_OK;
    }

    if (status == NGX_HTTP_OK) {
        answer.status = "ready";
    }

    return ngx_http_ilert_answer_send(r, status, "application/json",
                                      ngx_http_ilert_answer_write,
                                      &answer);
}


/*
 * Returns 1 if "Accept" names the type of OpenMetrics.  Its "q=" is not read:
 * Prometheus is the only client that names the type, and prefers it.
 */

static ngx_uint_t
ngx_http_ilert_status_openmetrics(ngx_http_request_t *r)
{
    ngx_str_t   *accept;
    ngx_uint_t   i;

    static u_char  type[] = "application/openmetrics-text";

    for (i = 0; /* void */ ; i++) {

        accept = ngx_http_ilert_reply_header(&r->headers_in.headers,
                                               "Accept", i);

        if (accept == NULL) {
            return 0;
        }

        if (ngx_strlcasestrn(accept->data, accept->data + accept->len, type,
                             sizeof(type) - 2))
        {
            return 1;
        }
    }
}
