
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_respond.h"
#include "ngx_http_ilert_route.h"
#include "ngx_http_ilert_text.h"


/* bytes of a source's name that an error shows */

#define NGX_HTTP_ILERT_ROUTE_NAME  64


static ngx_int_t ngx_http_ilert_route_by_key(ngx_http_request_t *r,
    ngx_http_ilert_source_t **source, ngx_str_t *error);
static ngx_int_t ngx_http_ilert_route_key(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_http_ilert_source_t *ngx_http_ilert_route_find(
    ngx_http_request_t *r, ngx_str_t *key, ngx_uint_t passthrough);
static ngx_int_t ngx_http_ilert_route_error(ngx_http_request_t *r,
    ngx_str_t *error, const char *fmt, ngx_str_t *before, ngx_str_t *name);


ngx_int_t
ngx_http_ilert_route(ngx_http_request_t *r, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_http_ilert_source_t **source, ngx_str_t *error)
{
    ngx_str_t                    name;
    ngx_http_ilert_main_conf_t  *imcf;

    *source = ilcf->source;

    if (*source || ilcf->off) {
        return NGX_OK;
    }

    if (ilcf->by_key) {
        return ngx_http_ilert_route_by_key(r, source, error);
    }

    if (ngx_http_complex_value(r, ilcf->route, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    if (name.len == 3 && ngx_strncmp(name.data, "off", 3) == 0) {
        return NGX_OK;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    *source = ngx_http_ilert_find_source(imcf, &name);

    if (*source) {
        return NGX_OK;
    }

    return ngx_http_ilert_route_error(r, error,
                                      name.len ? "%V: no source \"%V\""
                                      : "%V: no source, the value is empty",
                                      ilcf->directive, &name);
}


ngx_int_t
ngx_http_ilert_route_event(ngx_http_request_t *r,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_ilert_source_t **source,
    ngx_uint_t *status, ngx_str_t *error)
{
    ngx_int_t              rc;
    ngx_str_t             *key;
    ngx_http_ilert_ctx_t  *ctx;

    *status = ilcf->by_key ? NGX_HTTP_BAD_REQUEST
                           : NGX_HTTP_ILERT_UNPROCESSABLE;

    rc = ngx_http_ilert_route(r, ilcf, source, error);

    if (rc != NGX_OK || *source == NULL) {
        return rc;
    }

    *status = NGX_HTTP_BAD_REQUEST;

    if ((*source)->passthrough) {
        return ngx_http_ilert_route_error(r, error,
                                          "%V: source \"%V\" has a webhook "
                                          "URL, which takes webhooks of "
                                          "Kapacitor only",
                                          ilcf->directive, &(*source)->name);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);
    key = &ctx->posted->key;

    if (key->len == 0 || ngx_http_ilert_text_same(key, &(*source)->key)
        || ngx_http_ilert_route_find(r, key, 1) == NULL)
    {
        return NGX_OK;
    }

    return ngx_http_ilert_route_error(r, error,
                                      "integrationKey: it is that of another "
                                      "source, and %V gives the source \"%V\"",
                                      ilcf->directive, &(*source)->name);
}


/* Finds the source that has the integration key of the event. */

static ngx_int_t
ngx_http_ilert_route_by_key(ngx_http_request_t *r,
    ngx_http_ilert_source_t **source, ngx_str_t *error)
{
    ngx_str_t  key;

    if (ngx_http_ilert_route_key(r, &key) != NGX_OK) {
        return NGX_ERROR;
    }

    if (key.len == 0) {
        ngx_str_set(error, "integrationKey: missing, expected that of "
                           "a source");
        return NGX_DECLINED;
    }

    *source = ngx_http_ilert_route_find(r, &key, 0);

    if (*source) {
        return NGX_OK;
    }

    ngx_str_set(error, "integrationKey: no source has it");

    return NGX_DECLINED;
}


/*
 * Sets "key" to the integration key of an event, or to an empty string.  Of an
 * event that could not be read it is looked for in what comes before the
 * error.
 */

static ngx_int_t
ngx_http_ilert_route_key(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_str_t                     *value;
    ngx_http_ilert_ctx_t          *ctx;
    ngx_http_ilert_json_member_t   member[] = {
        { ngx_string("integrationKey"), ngx_null_string },
        { ngx_string("apiKey"), ngx_null_string }
    };

    ngx_str_null(key);

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    if (ctx == NULL) {
        return NGX_OK;
    }

    if (ctx->posted) {
        *key = ctx->posted->key;
        return NGX_OK;
    }

    if (ctx->body.len == 0) {
        return NGX_OK;
    }

    (void) ngx_http_ilert_json_pick(&ctx->body, member, 2);

    value = member[0].value.len ? &member[0].value : &member[1].value;

    if (value->len == 0 || *value->data != '"') {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(value, key, r->pool);
}


/*
 * Returns the first source that has the key, or NULL.  Those with a webhook
 * URL, which take no events, are only looked at if "passthrough" is 1.
 */

static ngx_http_ilert_source_t *
ngx_http_ilert_route_find(ngx_http_request_t *r, ngx_str_t *key,
    ngx_uint_t passthrough)
{
    ngx_uint_t                    i;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_main_conf_t   *imcf;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_text_same(&sources[i]->key, key)
            && (passthrough || !sources[i]->passthrough))
        {
            return sources[i];
        }
    }

    return NULL;
}


/*
 * Sets "error" by a format that may have two strings in it.  The name may come
 * from the request, so it may be long, break the line, or be no UTF-8.
 */

static ngx_int_t
ngx_http_ilert_route_error(ngx_http_request_t *r, ngx_str_t *error,
    const char *fmt, ngx_str_t *before, ngx_str_t *name)
{
    ngx_str_t  shown;

    shown.data = name->data;
    shown.len = ngx_min(name->len, NGX_HTTP_ILERT_ROUTE_NAME);

    if (ngx_http_ilert_text_valid(&shown, r->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    shown.len = ngx_http_ilert_text_cut(&shown, NGX_HTTP_ILERT_ROUTE_NAME);

    return ngx_http_ilert_text_error(error, r->pool, fmt, before, &shown);
}
