
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_answer.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_control.h"
#include "ngx_http_ilert_control_silence.h"
#include "ngx_http_ilert_control_test.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_site.h"
#include "ngx_http_ilert_text.h"


/* bytes of a path, and of a source's name, that are logged */

#define NGX_HTTP_ILERT_CONTROL_NAME  128


/*
 * What an order is about, which is the first word of the path behind the
 * location's name.  Paths are dead/ID/ACTION, dead/ACTION?source=NAME,
 * refused/ID/ACTION, refused/ACTION, sources/NAME/ACTION, and
 * alert/ACTION?source=NAME&alert_key=KEY; those that begin with "silence" are
 * in control_silence.c.
 */

typedef enum {
    NGX_HTTP_ILERT_CONTROL_SOURCES = 0,
    NGX_HTTP_ILERT_CONTROL_DEAD,
    NGX_HTTP_ILERT_CONTROL_REFUSED,
    NGX_HTTP_ILERT_CONTROL_ALERT
} ngx_http_ilert_control_what_e;

typedef struct {
    ngx_str_t                       name;
    ngx_http_ilert_store_action_e   action;
    ngx_http_ilert_control_what_e   what;
} ngx_http_ilert_control_action_t;


typedef struct {
    ngx_http_request_t             *request;
    ngx_str_t                       path;   /* as it is logged */
    ngx_uint_t                      test;   /* 1: sources/NAME/test, which */
                                            /* is no order to the store */
    ngx_uint_t                      status; /* of the answer, and what is */
    const char                     *error;  /* wrong, or NULL */
    ngx_http_ilert_queue_order_t    order;
} ngx_http_ilert_control_ctx_t;


static void ngx_http_ilert_control_below(ngx_http_request_t *r,
    ngx_str_t *path);
static ngx_int_t ngx_http_ilert_control_parse(ngx_http_request_t *r,
    ngx_http_ilert_control_ctx_t *ctx, ngx_str_t *path, const char **error);
static ngx_int_t ngx_http_ilert_control_target(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *name,
    ngx_http_ilert_control_what_e what);
static ngx_int_t ngx_http_ilert_control_alert(ngx_http_request_t *r,
    ngx_http_ilert_control_ctx_t *ctx);
static ngx_int_t ngx_http_ilert_control_action(
    ngx_http_ilert_control_ctx_t *ctx, ngx_str_t *name,
    ngx_http_ilert_control_what_e what);
static ngx_int_t ngx_http_ilert_control_path(
    ngx_http_ilert_control_ctx_t *ctx, ngx_str_t *path);
static void ngx_http_ilert_control_done(ngx_http_ilert_queue_order_t *order);
static ngx_int_t ngx_http_ilert_control_answer(
    ngx_http_ilert_control_ctx_t *ctx);
static void ngx_http_ilert_control_apply(ngx_http_request_t *r,
    ngx_http_ilert_queue_order_t *order);
static void ngx_http_ilert_control_write(ngx_http_ilert_json_writer_t *w,
    void *data);


static ngx_http_ilert_control_action_t  ngx_http_ilert_control_actions[] = {
    { ngx_string("replay"), NGX_HTTP_ILERT_STORE_REPLAY,
      NGX_HTTP_ILERT_CONTROL_DEAD },
    { ngx_string("discard"), NGX_HTTP_ILERT_STORE_DISCARD,
      NGX_HTTP_ILERT_CONTROL_DEAD },
    { ngx_string("pause"), NGX_HTTP_ILERT_STORE_PAUSE,
      NGX_HTTP_ILERT_CONTROL_SOURCES },
    { ngx_string("resume"), NGX_HTTP_ILERT_STORE_RESUME,
      NGX_HTTP_ILERT_CONTROL_SOURCES },
    { ngx_string("discard"), NGX_HTTP_ILERT_STORE_EMPTY,
      NGX_HTTP_ILERT_CONTROL_SOURCES },
    { ngx_string("discard"), NGX_HTTP_ILERT_STORE_FORGET,
      NGX_HTTP_ILERT_CONTROL_REFUSED },
    { ngx_string("resolve"), NGX_HTTP_ILERT_STORE_END_ALERT,
      NGX_HTTP_ILERT_CONTROL_ALERT },
    { ngx_null_string, 0, 0 }
};


ngx_int_t
ngx_http_ilert_control_handler(ngx_http_request_t *r)
{
    const                          char                    *error;
    ngx_int_t                      rc;
    ngx_str_t                      path;
    ngx_http_ilert_control_ctx_t  *ctx;

    ngx_http_ilert_control_below(r, &path);

    if (ngx_http_ilert_control_silence_is_one(&path)) {

        if (r->method != NGX_HTTP_DELETE) {
            return ngx_http_ilert_answer_not_allowed(r, "DELETE");
        }

    } else if (r->method != NGX_HTTP_POST) {
        return ngx_http_ilert_answer_not_allowed(r, "POST");
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    error = ngx_http_ilert_site_foreign(r);

    if (error) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_FORBIDDEN, error);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_control_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->request = r;
    ctx->order.handler = ngx_http_ilert_control_done;
    ctx->order.data = ctx;

    rc = ngx_http_ilert_control_parse(r, ctx, &path, &error);

    if (rc == NGX_ABORT) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_BAD_REQUEST, error);
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND,
                             "path: expected dead/ID/replay, dead/ID/discard, "
                             "dead/replay?source=NAME, "
                             "dead/discard?source=NAME, refused/ID/discard, "
                             "refused/discard, sources/NAME/pause, "
                             "sources/NAME/resume, sources/NAME/discard, "
                             "sources/NAME/test, "
                             "alert/resolve?source=NAME&alert_key=KEY, "
                             "silence?source=NAME&alert_key=PATTERN&for=TIME "
                             "or silence/ID");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->error) {
        return ngx_http_ilert_answer_reject(r, ctx->status, ctx->error);
    }

    if (ctx->test) {
        return ngx_http_ilert_control_test(r, &ctx->order.order.source,
                                           &ctx->path);
    }

    if (ngx_http_ilert_queue_order(&ctx->order) != NGX_OK) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_CONFLICT,
                                            "there is no queue");
    }

    r->main->count++;
    r->main->blocked++;

    return NGX_DONE;
}


/*
 * Sets "path" to the part of the URI behind the location's name.  The URI is
 * read as the client has sent it, because the name of a source may have an
 * encoded "/".
 */

static void
ngx_http_ilert_control_below(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char                     *p;
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_http_get_module_loc_conf(r, ngx_http_ilert_module);

    *path = r->unparsed_uri;

    p = ngx_strlchr(path->data, path->data + path->len, '?');
    if (p) {
        path->len = p - path->data;
    }

    if (path->len < ilcf->control.len
        || ngx_strncmp(path->data, ilcf->control.data, ilcf->control.len) != 0)
    {
        /* the URI was rewritten, or the location's name in it is encoded */

        *path = r->uri;
    }

    if (path->len < ilcf->control.len) {
        ngx_str_null(path);
        return;
    }

    path->data += ilcf->control.len;
    path->len -= ilcf->control.len;
}


/*
 * Sets the order by that part of the URI, and by arguments.  Returns
 * NGX_DECLINED if there is no such action, NGX_ABORT if an argument is wrong,
 * then "error" says what, or NGX_ERROR if there is no memory.
 */

static ngx_int_t
ngx_http_ilert_control_parse(ngx_http_request_t *r,
    ngx_http_ilert_control_ctx_t *ctx, ngx_str_t *path, const char **error)
{
    u_char                        *p, *last, *slash;
    ngx_int_t                      rc;
    ngx_str_t                      name, action;
    ngx_http_ilert_store_order_t  *order;
    ngx_http_ilert_control_what_e  what;

    if (ngx_http_ilert_control_silence_is(path)) {
        return ngx_http_ilert_control_silence_parse(r, path,
                                                    &ctx->order.order,
                                                    &ctx->path, error);
    }

    p = path->data;
    last = p + path->len;

    if (path->len > 5 && ngx_strncmp(p, "dead/", 5) == 0) {
        what = NGX_HTTP_ILERT_CONTROL_DEAD;
        p += 5;

    } else if (path->len > 8 && ngx_strncmp(p, "refused/", 8) == 0) {
        what = NGX_HTTP_ILERT_CONTROL_REFUSED;
        p += 8;

    } else if (path->len > 8 && ngx_strncmp(p, "sources/", 8) == 0) {
        what = NGX_HTTP_ILERT_CONTROL_SOURCES;
        p += 8;

    } else if (path->len > 6 && ngx_strncmp(p, "alert/", 6) == 0) {
        what = NGX_HTTP_ILERT_CONTROL_ALERT;
        p += 6;

    } else {
        return NGX_DECLINED;
    }

    order = &ctx->order.order;

    ngx_str_null(&name);

    slash = ngx_strlchr(p, last, '/');

    if (slash) {
        name.data = p;
        name.len = slash - p;
        p = slash + 1;
    }

    action.data = p;
    action.len = last - p;

    if (ngx_http_ilert_control_action(ctx, &action, what) != NGX_OK
        || (name.len == 0
            && (what == NGX_HTTP_ILERT_CONTROL_SOURCES || slash))
        || (what == NGX_HTTP_ILERT_CONTROL_ALERT && slash))
    {
        return NGX_DECLINED;
    }

    rc = (what == NGX_HTTP_ILERT_CONTROL_ALERT)
         ? ngx_http_ilert_control_alert(r, ctx)
         : ngx_http_ilert_control_target(r, order, &name, what);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_ilert_control_path(ctx, path);
}


/*
 * Sets what the order is for: the id of a dead letter, or the source whose
 * dead letters are meant; the id of a refused webhook, or nothing, which means
 * all of them; or a source.  "name" is the part between the slashes, or empty.
 * Returns NGX_DECLINED if it is no id, or if a source is missing, or is there
 * and should not be.
 */

static ngx_int_t
ngx_http_ilert_control_target(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *name,
    ngx_http_ilert_control_what_e what)
{
    off_t    id;
    u_char  *src, *dst;

    if (what != NGX_HTTP_ILERT_CONTROL_SOURCES && name->len) {

        id = ngx_atoof(name->data, name->len);

        if (id <= 0) {
            return NGX_DECLINED;
        }

        order->id = id;

    } else if (what == NGX_HTTP_ILERT_CONTROL_DEAD) {

        if (ngx_http_ilert_answer_arg(r, "source", &order->source) != NGX_OK
            || order->source.len == 0)
        {
            return NGX_DECLINED;
        }

    } else if (what == NGX_HTTP_ILERT_CONTROL_REFUSED) {

        /* It is not known which of them are of a source. */

        if (ngx_http_ilert_answer_arg(r, "source", &order->source)
            != NGX_DECLINED)
        {
            return NGX_DECLINED;
        }

    } else {
        order->source.data = ngx_pnalloc(r->pool, name->len);
        if (order->source.data == NULL) {
            return NGX_ERROR;
        }

        src = name->data;
        dst = order->source.data;

        ngx_unescape_uri(&dst, &src, name->len, 0);

        order->source.len = dst - order->source.data;
    }

    return NGX_OK;
}


/*
 * Sets the order that resolves the alert in the request's arguments.  Returns
 * NGX_OK, also with ctx->error set, or NGX_ERROR if there is no memory.
 */

static ngx_int_t
ngx_http_ilert_control_alert(ngx_http_request_t *r,
    ngx_http_ilert_control_ctx_t *ctx)
{
    size_t                         i;
    ngx_int_t                      rc, rk;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_main_conf_t    *imcf;
    ngx_http_ilert_store_order_t  *order;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    order = &ctx->order.order;
    ctx->status = NGX_HTTP_BAD_REQUEST;

    rc = ngx_http_ilert_answer_arg(r, "source", &order->source);
    rk = ngx_http_ilert_answer_arg(r, "alert_key", &order->key);

    if (rc == NGX_ERROR || rk == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (order->source.len == 0) {
        ctx->error = "source: missing";
        return NGX_OK;
    }

    for (i = 0; i < order->key.len; i++) {
        if (order->key.data[i] > ' ') {
            break;
        }
    }

    if (i == order->key.len) {
        ctx->error = "alert_key: missing";
        return NGX_OK;
    }

    source = ngx_http_ilert_find_source(imcf, &order->source);

    if (source == NULL) {
        ctx->status = NGX_HTTP_NOT_FOUND;
        ctx->error = "there is no such source";
        return NGX_OK;
    }

    order->id = ngx_http_ilert_clock_number();
    order->owner = source->shared->name;
    order->policy = source->policy;
    order->passthrough = source->passthrough;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_control_action(ngx_http_ilert_control_ctx_t *ctx,
    ngx_str_t *name, ngx_http_ilert_control_what_e what)
{
    ngx_http_ilert_control_action_t  *action;

    if (what == NGX_HTTP_ILERT_CONTROL_SOURCES && name->len == 4
        && ngx_strncmp(name->data, "test", 4) == 0)
    {
        ctx->test = 1;
        return NGX_OK;
    }

    for (action = ngx_http_ilert_control_actions; action->name.len; action++) {

        if (action->what == what && action->name.len == name->len
            && ngx_strncmp(action->name.data, name->data, name->len) == 0)
        {
            ctx->order.order.action = action->action;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * Sets ctx->path to the path for the log, in one line.  The source of dead
 * letters, or of an alert, is an argument of the request and not in the path,
 * so it is added.
 */

static ngx_int_t
ngx_http_ilert_control_path(ngx_http_ilert_control_ctx_t *ctx, ngx_str_t *path)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *source, none = ngx_null_string;

    source = &ctx->order.order.source;

    /* the path of another order has the source already */

    if (ngx_strncmp(path->data, "dead/", 5) != 0
        && ngx_strncmp(path->data, "alert/", 6) != 0)
    {
        source = &none;
    }

    len = ngx_http_ilert_text_cut(source, NGX_HTTP_ILERT_CONTROL_NAME);
    path->len = ngx_min(path->len, NGX_HTTP_ILERT_CONTROL_NAME);

    p = ngx_pnalloc(ctx->request->pool, path->len + len
                                        + sizeof(" of source \"\""));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->path.data = p;

    p = ngx_cpymem(p, path->data, path->len);

    if (source->len) {
        p = ngx_sprintf(p, " of source \"%*s\"", len, source->data);
    }

    ctx->path.len = p - ctx->path.data;

    ngx_http_ilert_text_line(&ctx->path);

    return NGX_OK;
}


static void
ngx_http_ilert_control_done(ngx_http_ilert_queue_order_t *order)
{
    ngx_connection_t              *c;
    ngx_http_request_t            *r;
    ngx_http_ilert_control_ctx_t  *ctx;

    ctx = order->data;
    r = ctx->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    ngx_http_finalize_request(r, ngx_http_ilert_control_answer(ctx));

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_ilert_control_answer(ngx_http_ilert_control_ctx_t *ctx)
{
    ngx_http_request_t            *r;
    ngx_http_ilert_store_order_t  *so;
    ngx_http_ilert_queue_order_t  *order;

    r = ctx->request;
    order = &ctx->order;
    so = &order->order;

    if (order->failed) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "the queue cannot be written to");
    }

    if (so->missing) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_NOT_FOUND, so->why);
    }

    if (order->count == 0 && order->refused) {
        return ngx_http_ilert_answer_reject(r, NGX_HTTP_CONFLICT,
                                            so->why ? so->why
                                            : "their alerts have seen later "
                                              "events");
    }

    ngx_http_ilert_control_apply(r, order);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "ilert control: %V by %V, count: %ui", &ctx->path,
                  &r->connection->addr_text, order->count);

    if (so->made) {
        return ngx_http_ilert_answer_send(r, NGX_HTTP_OK, "application/json",
                                        ngx_http_ilert_control_silence_write,
                                          so);
    }

    return ngx_http_ilert_answer_send(r, NGX_HTTP_OK, "application/json",
                                      ngx_http_ilert_control_write,
                                      &order->count);
}


/* The order is on disk; shared memory tells all workers of it. */

static void
ngx_http_ilert_control_apply(ngx_http_request_t *r,
    ngx_http_ilert_queue_order_t *order)
{
    ngx_http_ilert_source_t     *source;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    if (order->order.action != NGX_HTTP_ILERT_STORE_PAUSE
        && order->order.action != NGX_HTTP_ILERT_STORE_RESUME
        && order->order.action != NGX_HTTP_ILERT_STORE_ADD_SILENCE)
    {
        return;
    }

    source = ngx_http_ilert_find_source(imcf, &order->order.source);
    if (source == NULL) {
        return;
    }

    if (order->order.action == NGX_HTTP_ILERT_STORE_ADD_SILENCE) {
        ngx_http_ilert_counters_add(source->counters->silenced, order->count);
        return;
    }

    if (order->order.action == NGX_HTTP_ILERT_STORE_PAUSE) {
        ngx_http_ilert_counters_order(source->counters, 1);
        return;
    }

    if (ngx_http_ilert_counters_unpark(source) || order->count) {
        order->count = 1;
    }

    ngx_http_ilert_counters_order(source->counters, 0);
}


/* Writes {"status":"ok","count":N}. */

static void
ngx_http_ilert_control_write(ngx_http_ilert_json_writer_t *w, void *data)
{
    u_char      buf[64];
    ngx_uint_t  count;

    count = *(ngx_uint_t *) data;

    ngx_http_ilert_json_raw(w, buf,
                   ngx_sprintf(buf, "{\"status\":\"ok\",\"count\":%ui}\n",
                               count) - buf);
}
