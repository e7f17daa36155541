
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fallback_conf.h"
#include "ngx_http_ilert_find.h"
#include "ngx_http_ilert_location.h"


/* ms: the defaults of "after=" and "every=", and what they may be */

#define NGX_HTTP_ILERT_FALLBACK_AFTER        (10 * 60 * 1000)
#define NGX_HTTP_ILERT_FALLBACK_AFTER_LEAST  (10 * 1000)
#define NGX_HTTP_ILERT_FALLBACK_EVERY        (60 * 60 * 1000)
#define NGX_HTTP_ILERT_FALLBACK_EVERY_LEAST  (60 * 1000)
#define NGX_HTTP_ILERT_FALLBACK_MOST         (24 * 60 * 60 * 1000)


static ngx_int_t ngx_http_ilert_fallback_place(ngx_conf_t *cf);
static ngx_int_t ngx_http_ilert_fallback_parameters(ngx_conf_t *cf,
    ngx_http_ilert_fallback_conf_t *fallback);
static ngx_int_t ngx_http_ilert_fallback_time(ngx_conf_t *cf,
    ngx_str_t *parameter, const char *allowed, int64_t least, int64_t *time);


/* "ilert_fallback [after=] [every=] [host=]" */

char *
ngx_http_ilert_fallback_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_ilert_main_conf_t      *imcf;
    ngx_http_ilert_fallback_conf_t  *fallback;

    if (ilcf->fallback) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    if (imcf->fallback) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ilert_fallback\" (first in %s:%ui), "
                           "one location is for all sources",
                           imcf->fallback->file_name, imcf->fallback->line);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_ilert_fallback_place(cf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fallback = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_fallback_conf_t));
    if (fallback == NULL) {
        return NGX_CONF_ERROR;
    }

    fallback->name = clcf->name;
    fallback->conf_ctx = cf->ctx;
    fallback->after = NGX_HTTP_ILERT_FALLBACK_AFTER;
    fallback->every = NGX_HTTP_ILERT_FALLBACK_EVERY;
    fallback->file_name = cf->conf_file->file.name.data;
    fallback->line = cf->conf_file->line;

    ngx_str_set(&fallback->host.header, "localhost");
    fallback->host.name = fallback->host.header;

    if (ngx_http_ilert_fallback_parameters(cf, fallback) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ilcf->fallback = fallback;
    imcf->fallback = fallback;

    return NGX_CONF_OK;
}


/* The name of the location is the URI of the requests. */

static ngx_int_t
ngx_http_ilert_fallback_place(ngx_conf_t *cf)
{
    ngx_uint_t                 plain;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    plain = !clcf->named && clcf->name.len && clcf->name.data[0] == '/';

#if (NGX_PCRE)
    if (clcf->regex) {
        plain = 0;
    }
#endif

    if (plain) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"ilert_fallback\" is in location \"%V\", only "
                       "a path is allowed, such as \"location = "
                       "/ilert-fallback\"", &clcf->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_ilert_fallback_parameters(ngx_conf_t *cf,
    ngx_http_ilert_fallback_conf_t *fallback)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i, k, given;

    static ngx_str_t  names[] = {
        ngx_string("after="),
        ngx_string("every="),
        ngx_string("host=")
    };

    given = 0;
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (k = 0; k < 3; k++) {
            if (value[i].len >= names[k].len
                && ngx_strncmp(value[i].data, names[k].data, names[k].len)
                   == 0)
            {
                break;
            }
        }

        if (k == 3) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ilert_fallback\", \"after=\", \"every=\" "
                               "and \"host=\" are allowed", &value[i]);
            return NGX_ERROR;
        }

        if (given & (1 << k)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" in "
                               "\"ilert_fallback\"", &value[i]);
            return NGX_ERROR;
        }

        given |= 1 << k;

        switch (k) {

        case 0:
            rc = ngx_http_ilert_fallback_time(cf, &value[i], "10s",
                                       NGX_HTTP_ILERT_FALLBACK_AFTER_LEAST,
                                       &fallback->after);
            break;

        case 1:
            rc = ngx_http_ilert_fallback_time(cf, &value[i], "1m",
                                       NGX_HTTP_ILERT_FALLBACK_EVERY_LEAST,
                                       &fallback->every);
            break;

        default:
            rc = ngx_http_ilert_location_set_host(cf, &fallback->host,
                                                  &value[i],
                                                  "ilert_fallback");
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Parses "after=TIME" or "every=TIME". */

static ngx_int_t
ngx_http_ilert_fallback_time(ngx_conf_t *cf, ngx_str_t *parameter,
    const char *allowed, int64_t least, int64_t *time)
{
    ngx_str_t  value;

    value.data = parameter->data + sizeof("after=") - 1;
    value.len = parameter->len - (sizeof("after=") - 1);

    *time = ngx_parse_time(&value, 0);

    if (*time >= least && *time <= NGX_HTTP_ILERT_FALLBACK_MOST) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"ilert_fallback\", "
                       "a time from %s to 1d is allowed", parameter, allowed);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_fallback_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf)
{
    const char                      *other;
    ngx_http_core_loc_conf_t        *clcf, *found;
    ngx_http_core_srv_conf_t        *cscf;
    ngx_http_ilert_loc_conf_t       *ilcf;
    ngx_http_ilert_fallback_conf_t  *fallback;

    fallback = imcf->fallback;

    if (fallback == NULL) {
        return NGX_OK;
    }

    if (imcf->queue.path.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_fallback\" in %s:%ui has nothing to tell, as "
                      "nothing waits, \"ilert_queue\" is needed",
                      fallback->file_name, fallback->line);
        return NGX_ERROR;
    }

    cscf = fallback->conf_ctx->srv_conf[ngx_http_core_module.ctx_index];
    clcf = fallback->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];
    ilcf = fallback->conf_ctx->loc_conf[ngx_http_ilert_module.ctx_index];

    other = ilcf->endpoint ? "ilert_endpoint"
            : ilcf->route ? (char *) ilcf->directive->data
            : ilcf->reconcile ? "ilert_reconcile"
            : ilcf->status ? "ilert_status"
            : ilcf->control.len ? "ilert_control" : NULL;

    if (other) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_fallback\" in %s:%ui and \"%s\" are in the "
                      "same location, each needs its own",
                      fallback->file_name, fallback->line, other);
        return NGX_ERROR;
    }

    if (clcf->handler == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_fallback\" in %s:%ui can tell nobody, "
                      "a \"proxy_pass\" to a chat's webhook or the like is "
                      "needed in its location", fallback->file_name,
                      fallback->line);
        return NGX_ERROR;
    }

    found = ngx_http_ilert_find_location(
                              cscf->ctx->loc_conf[ngx_http_core_module
                                                  .ctx_index],
                              &fallback->name);

    if (found != clcf) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_fallback\" in %s:%ui is not reached, as nginx "
                      "leads \"%V\" to location \"%V\", \"location = %V\" is "
                      "allowed", fallback->file_name, fallback->line,
                      &fallback->name, &found->name, &fallback->name);
        return NGX_ERROR;
    }

    fallback->body = ilcf->fallback_body;

    if (fallback->body && fallback->body->lengths == NULL
        && fallback->body->value.len == 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_fallback_body\" of \"ilert_fallback\" in "
                      "%s:%ui is empty, a text such as \"{\\\"text\\\": "
                      "\\\"$ilert_fallback_text\\\"}\" is allowed",
                      fallback->file_name, fallback->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
