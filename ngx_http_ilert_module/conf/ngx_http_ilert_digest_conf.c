
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_digest_conf.h"
#include "ngx_http_ilert_rate.h"
#include "ngx_http_ilert_source.h"


/* ms: the default of "interval=", and the least that is allowed */

#define NGX_HTTP_ILERT_DIGEST_INTERVAL      15000
#define NGX_HTTP_ILERT_DIGEST_MIN_INTERVAL  1000

/* bytes: the default of "ilert_event_max_size" */

#define NGX_HTTP_ILERT_DIGEST_SIZE          65536


static ngx_int_t ngx_http_ilert_digest_parameter(
    ngx_http_ilert_digest_policy_t *digest, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_digest_resolve_source(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source);


static ngx_conf_enum_t  ngx_http_ilert_digest_members[] = {
    { ngx_string("members=low"), NGX_HTTP_ILERT_MEMBERS_LOW },
    { ngx_string("members=later"), NGX_HTTP_ILERT_MEMBERS_LATER },
    { ngx_string("members=none"), NGX_HTTP_ILERT_MEMBERS_NONE },
    { ngx_null_string, 0 }
};


char *
ngx_http_ilert_digest_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_int_t                        n;
    ngx_str_t                       *value;
    ngx_uint_t                       i;
    ngx_http_ilert_digest_policy_t  *digest;

    digest = &source->policy.digest;
    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_ILERT_DIGEST_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"digest\", a number from "
                           "1 to %d and \"off\" are allowed", &value[1],
                           NGX_HTTP_ILERT_DIGEST_MAX);
        return NGX_CONF_ERROR;
    }

    digest->n = n;
    digest->members = NGX_CONF_UNSET_UINT;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_ilert_digest_parameter(digest, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"digest\", "
                               "\"interval=\" and a time of 1s or more is "
                               "allowed, and \"members=low\", "
                               "\"members=later\" and \"members=none\" are",
                               &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (digest->interval == 0) {
        digest->interval = NGX_HTTP_ILERT_DIGEST_INTERVAL;
    }

    return NGX_CONF_OK;
}


/* An interval of 0 is not given yet, nor are members that are not set. */

static ngx_int_t
ngx_http_ilert_digest_parameter(ngx_http_ilert_digest_policy_t *digest,
    ngx_str_t *value)
{
    ngx_str_t         interval;
    ngx_conf_enum_t  *e;

    if (ngx_strncmp(value->data, "interval=", 9) == 0
        && digest->interval == 0)
    {
        interval.data = value->data + 9;
        interval.len = value->len - 9;

        digest->interval = ngx_parse_time(&interval, 0);

        return (digest->interval >= NGX_HTTP_ILERT_DIGEST_MIN_INTERVAL)
               ? NGX_OK : NGX_ERROR;
    }

    for (e = ngx_http_ilert_digest_members; e->name.len; e++) {

        if (ngx_strcmp(e->name.data, value->data) == 0
            && digest->members == NGX_CONF_UNSET_UINT)
        {
            digest->members = e->value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_digest_resolve(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    off_t                            size;
    ngx_uint_t                       i;
    ngx_http_ilert_source_t        **sources;
    ngx_http_ilert_loc_conf_t       *ilcf;
    ngx_http_ilert_digest_policy_t  *digest;

    /* a digest is of no location, so what holds is what http { } says */

    ilcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_ilert_module);

    size = (ilcf->event_max_size == NGX_CONF_UNSET)
           ? NGX_HTTP_ILERT_DIGEST_SIZE : ilcf->event_max_size;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {

        digest = &sources[i]->policy.digest;

        if (digest->n == 0) {
            continue;
        }

        digest->max_size = size;

        if (ngx_http_ilert_digest_resolve_source(cf, sources[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_digest_resolve_source(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source)
{
    ngx_uint_t                       n;
    ngx_http_ilert_rate_t           *rate;
    ngx_http_ilert_digest_policy_t  *digest;

    digest = &source->policy.digest;
    rate = &source->shared->rate;

    n = rate->n ? rate->n * NGX_HTTP_ILERT_MINUTE / rate->window : 0;

    if (n && digest->n >= n) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "invalid value \"%ui\" in \"digest\" of "
                      "\"ilert_source\" \"%V\" in %s:%ui, it has to be below "
                      "the \"rate\", which is %ui in a minute",
                      digest->n, &source->name, source->file_name,
                      source->line, n);
        return NGX_ERROR;
    }

    if (digest->members == NGX_CONF_UNSET_UINT) {
        digest->members = source->passthrough ? NGX_HTTP_ILERT_MEMBERS_LATER
                                              : NGX_HTTP_ILERT_MEMBERS_LOW;
    }

    if (source->passthrough
        && digest->members == NGX_HTTP_ILERT_MEMBERS_LOW)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "invalid parameter \"members=low\" in \"digest\" of "
                      "\"ilert_source\" \"%V\" in %s:%ui, the source has a "
                      "webhook URL, so ilert sets the priorities; "
                      "\"members=later\" and \"members=none\" are allowed",
                      &source->name, source->file_name, source->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
