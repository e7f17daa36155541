
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_request.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_variables.h"


/* bytes of a time such as "2026-11-30 12:00:00 +0100", in any year */

#define NGX_HTTP_ILERT_VARIABLE_TIME_LEN  48


/*
 * Sets the value of a variable.  "value" is a null string before the call, and
 * stays so if there is no value.  "offset" is that of the table below: the
 * offset in the webhook or in the event, or 0.  Returns NGX_OK, or NGX_ERROR
 * if there is no memory.
 */

typedef ngx_int_t (*ngx_http_ilert_variable_pt)(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);


typedef struct {
    ngx_str_t                    name;
    ngx_http_ilert_variable_pt   get;
    size_t                       offset;
} ngx_http_ilert_variable_t;


static ngx_int_t ngx_http_ilert_add_variable(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_get_variable_pt handler, uintptr_t data, ngx_uint_t flags);
static ngx_int_t ngx_http_ilert_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ilert_variable_tag(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ilert_variable_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_ilert_variable_webhook(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_id_md5(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_time_ms(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_time_local(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_duration(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_event(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_type(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_source(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_result(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_path(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_attempt(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_variable_fallback(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value);
static ngx_http_ilert_ctx_t *ngx_http_ilert_variable_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_ilert_variable_set(ngx_http_variable_value_t *v,
    ngx_str_t *value);


static ngx_str_t  ngx_http_ilert_tag_prefix = ngx_string("kapacitor_tag_");
static ngx_str_t  ngx_http_ilert_field_prefix = ngx_string("kapacitor_field_");


static ngx_http_ilert_variable_t  ngx_http_ilert_variables[] = {

    { ngx_string("kapacitor_id"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, id) },

    { ngx_string("kapacitor_message"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, message) },

    { ngx_string("kapacitor_details"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, details) },

    { ngx_string("kapacitor_details_text"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, details_text) },

    { ngx_string("kapacitor_time"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, time) },

    { ngx_string("kapacitor_duration"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, duration) },

    { ngx_string("kapacitor_level"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, level_name) },

    { ngx_string("kapacitor_previous_level"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, previous_level) },

    { ngx_string("kapacitor_recoverable"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, recoverable) },

    { ngx_string("kapacitor_name"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, name) },

    { ngx_string("kapacitor_task"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, task) },

    { ngx_string("kapacitor_group"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, group) },

    { ngx_string("kapacitor_server"), ngx_http_ilert_variable_webhook,
      offsetof(ngx_http_ilert_webhook_t, server) },

    { ngx_string("kapacitor_id_md5"), ngx_http_ilert_variable_id_md5, 0 },

    { ngx_string("kapacitor_time_ms"), ngx_http_ilert_variable_time_ms, 0 },

    { ngx_string("kapacitor_time_local"), ngx_http_ilert_variable_time_local,
      0 },

    { ngx_string("kapacitor_duration_text"), ngx_http_ilert_variable_duration,
      0 },

    { ngx_string("ilert_event_id"), ngx_http_ilert_variable_event,
      offsetof(ngx_http_ilert_event_t, id) },

    { ngx_string("ilert_alert_key"), ngx_http_ilert_variable_event,
      offsetof(ngx_http_ilert_event_t, alert_key) },

    { ngx_string("ilert_event_type"), ngx_http_ilert_variable_type, 0 },

    { ngx_string("ilert_source"), ngx_http_ilert_variable_source, 0 },

    { ngx_string("ilert_result"), ngx_http_ilert_variable_result, 0 },

    { ngx_string("ilert_path"), ngx_http_ilert_variable_path, 0 },

    { ngx_string("ilert_attempt"), ngx_http_ilert_variable_attempt, 0 },

    { ngx_string("ilert_fallback_text"), ngx_http_ilert_variable_fallback, 0 },

    { ngx_null_string, NULL, 0 }
};


ngx_int_t
ngx_http_ilert_add_variables(ngx_conf_t *cf)
{
    ngx_http_ilert_variable_t  *var;

    for (var = ngx_http_ilert_variables; var->name.len; var++) {
        if (ngx_http_ilert_add_variable(cf, &var->name,
                                        ngx_http_ilert_variable,
                                        (uintptr_t) var, 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /*
     * These two are prefixes: nginx calls the handler with the variable's
     * whole name as "data".
     */

    if (ngx_http_ilert_add_variable(cf, &ngx_http_ilert_tag_prefix,
                                    ngx_http_ilert_variable_tag, 0,
                                    NGX_HTTP_VAR_PREFIX)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_add_variable(cf, &ngx_http_ilert_field_prefix,
                                       ngx_http_ilert_variable_field, 0,
                                       NGX_HTTP_VAR_PREFIX);
}


static ngx_int_t
ngx_http_ilert_add_variable(ngx_conf_t *cf, ngx_str_t *name,
    ngx_http_get_variable_pt handler, uintptr_t data, ngx_uint_t flags)
{
    ngx_http_variable_t  *var;

    /*
     * A variable may be evaluated before the webhook has been read.  It is not
     * cacheable, so that it does not stay without a value.
     */

    var = ngx_http_add_variable(cf, name, NGX_HTTP_VAR_NOCACHEABLE|flags);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = handler;
    var->data = data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_http_ilert_variable_t  *var = (ngx_http_ilert_variable_t *) data;

    ngx_str_t              value;
    ngx_http_ilert_ctx_t  *ctx;

    ngx_str_null(&value);

    ctx = ngx_http_ilert_variable_ctx(r);

    if (ctx && var->get(r, ctx, var->offset, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_variable_set(v, &value);
}


static ngx_int_t
ngx_http_ilert_variable_tag(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              name, value;
    ngx_http_ilert_ctx_t  *ctx;

    name = *(ngx_str_t *) data;
    name.data += ngx_http_ilert_tag_prefix.len;
    name.len -= ngx_http_ilert_tag_prefix.len;

    ngx_str_null(&value);

    ctx = ngx_http_ilert_variable_ctx(r);

    if (ctx && ctx->webhook) {
        (void) ngx_http_ilert_kapacitor_tag(ctx->webhook, &name, &value);
    }

    return ngx_http_ilert_variable_set(v, &value);
}


static ngx_int_t
ngx_http_ilert_variable_field(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              name, value;
    ngx_http_ilert_ctx_t  *ctx;

    name = *(ngx_str_t *) data;
    name.data += ngx_http_ilert_field_prefix.len;
    name.len -= ngx_http_ilert_field_prefix.len;

    ngx_str_null(&value);

    ctx = ngx_http_ilert_variable_ctx(r);

    if (ctx && ctx->webhook
        && ngx_http_ilert_kapacitor_field(ctx->webhook, &name, &value,
                                          r->pool)
           == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_variable_set(v, &value);
}


static ngx_int_t
ngx_http_ilert_variable_webhook(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->webhook) {
        *value = *(ngx_str_t *) ((u_char *) ctx->webhook + offset);
    }

    return NGX_OK;
}


/*
 * The digest of the id is meant for alert keys.  ilert ignores the case of an
 * alert key, and white space at both ends, but ids that only differ in these
 * have different digests.
 */

static ngx_int_t
ngx_http_ilert_variable_id_md5(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    u_char      digest[16];
    ngx_str_t  *id;

    if (ctx->webhook == NULL) {
        return NGX_OK;
    }

    id = &ctx->webhook->id;

    /*
     * A blank id has no digest.  It is told by this: any other id is the key
     * of the webhook.
     */

    if (id->len == 0 || id->data != ctx->webhook->key.data) {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, 2 * sizeof(digest));
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_ilert_kapacitor_md5(ctx->webhook, id, digest);

    value->len = ngx_hex_dump(value->data, digest, sizeof(digest))
                 - value->data;
    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_time_ms(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    ngx_http_ilert_kapacitor_time_t  time;

    if (ctx->webhook == NULL
        || ngx_http_ilert_kapacitor_parse_time(&ctx->webhook->time, &time)
           != NGX_OK)
    {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%L",
                             time.sec * 1000 + (int64_t) time.nsec / 1000000)
                 - value->data;
    return NGX_OK;
}


/*
 * The time is shown with the offset that nginx's time zone had at that time.
 * The present offset may differ, because the clocks may have been changed for
 * summer or winter since then.
 */

static ngx_int_t
ngx_http_ilert_variable_time_local(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    time_t                            sec;
    u_char                           *p;
    struct tm                         tm;
    ngx_http_ilert_kapacitor_time_t   time;

    if (ctx->webhook == NULL
        || ngx_http_ilert_kapacitor_parse_time(&ctx->webhook->time, &time)
           != NGX_OK)
    {
        return NGX_OK;
    }

    /* A time_t of 32 bits has the years from 1901 to 2038 only. */

    sec = (time_t) time.sec;

    if (sec != time.sec) {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, NGX_HTTP_ILERT_VARIABLE_TIME_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_libc_localtime(sec, &tm);

    p = ngx_sprintf(value->data, "%04d-%02d-%02d %02d:%02d:%02d ",
                    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                    tm.tm_hour, tm.tm_min, tm.tm_sec);

    p += strftime((char *) p, sizeof("+0000"), "%z", &tm);

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_duration(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    int64_t  ns;

    if (ctx->webhook == NULL
        || ngx_http_ilert_kapacitor_parse_duration(&ctx->webhook->duration,
                                                   &ns)
           != NGX_OK)
    {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, NGX_HTTP_ILERT_KAPACITOR_DURATION_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_http_ilert_kapacitor_write_duration(value->data, ns)
                 - value->data;
    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_event(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->event) {
        *value = *(ngx_str_t *) ((u_char *) ctx->event + offset);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_type(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->event) {
        *value = ngx_http_ilert_types[ctx->event->type];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_source(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->event && ctx->event->source) {
        *value = ctx->event->source->name;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_result(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    *value = ctx->result;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_path(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->delivery) {
        *value = ctx->delivery->event->source->path;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_attempt(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->delivery == NULL) {
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%ui", ctx->delivery->attempt)
                 - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_variable_fallback(ngx_http_request_t *r,
    ngx_http_ilert_ctx_t *ctx, size_t offset, ngx_str_t *value)
{
    if (ctx->call) {
        *value = ctx->call->text;
    }

    return NGX_OK;
}


/*
 * Returns the context of the main request, since subrequests share its
 * variables.  If that is a call without a text, the webhook is its subrequest.
 */

static ngx_http_ilert_ctx_t *
ngx_http_ilert_variable_ctx(ngx_http_request_t *r)
{
    ngx_http_ilert_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_ilert_module);

    if (ctx == NULL || ctx->call == NULL || ctx->call->text.data
        || r == r->main)
    {
        return ctx;
    }

    while (r->parent != r->main) {
        r = r->parent;
    }

    return ngx_http_get_module_ctx(r, ngx_http_ilert_module);
}


static ngx_int_t
ngx_http_ilert_variable_set(ngx_http_variable_value_t *v, ngx_str_t *value)
{
    if (value->data == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value->data;
    v->len = value->len;

    return NGX_OK;
}
