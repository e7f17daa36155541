
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_find.h"
#include "ngx_http_ilert_location.h"
#include "ngx_http_ilert_reconcile_conf.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_webhook.h"


/* ms: the default of "interval=", and what it may be */

#define NGX_HTTP_ILERT_RECONCILE_INTERVAL  60000
#define NGX_HTTP_ILERT_RECONCILE_LEAST     1000
#define NGX_HTTP_ILERT_RECONCILE_MOST      (24 * 60 * 60 * 1000)


static ngx_int_t ngx_http_ilert_reconcile_uri(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_reconcile_parameters(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor);
static ngx_uint_t ngx_http_ilert_reconcile_is(ngx_str_t *parameter,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_reconcile_topics(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_reconcile_interval(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_reconcile_mode(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_reconcile_check(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor);
static ngx_int_t ngx_http_ilert_reconcile_target(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_kapacitor_t *kapacitor);
static ngx_int_t ngx_http_ilert_reconcile_place(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_kapacitor_t *kapacitor);


/* "ilert_reconcile URI [topics=] [interval=] [mode=] [host=]" */

char *
ngx_http_ilert_reconcile_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_ilert_main_conf_t   *imcf;
    ngx_http_ilert_kapacitor_t   *kapacitor, **kp;

    if (ilcf->reconcile) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    if (ngx_http_ilert_location_check_prefix(cf, "ilert_reconcile",
                                             "/kapacitor-api/")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    kp = imcf->kapacitors.elts;

    for (i = 0; i < imcf->kapacitors.nelts; i++) {

        if (ngx_http_ilert_text_same(&kp[i]->name, &clcf->name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"ilert_reconcile\" is in location \"%V\" of "
                               "another server, too, in %s:%ui; a Kapacitor "
                               "is known by the path of its location, which "
                               "must be its own", &clcf->name,
                               kp[i]->file_name, kp[i]->line);
            return NGX_CONF_ERROR;
        }
    }

    kapacitor = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_kapacitor_t));
    if (kapacitor == NULL) {
        return NGX_CONF_ERROR;
    }

    kp = ngx_array_push(&imcf->kapacitors);
    if (kp == NULL) {
        return NGX_CONF_ERROR;
    }

    *kp = kapacitor;

    kapacitor->name = clcf->name;
    kapacitor->conf_ctx = cf->ctx;
    kapacitor->interval = NGX_HTTP_ILERT_RECONCILE_INTERVAL;
    kapacitor->file_name = cf->conf_file->file.name.data;
    kapacitor->line = cf->conf_file->line;

    ngx_str_set(&kapacitor->host.header, "localhost");
    kapacitor->host.name = kapacitor->host.header;

    value = cf->args->elts;

    if (ngx_array_init(&kapacitor->topics, cf->pool, 1,
                       sizeof(ngx_http_ilert_pattern_t))
        != NGX_OK
        || ngx_http_ilert_reconcile_uri(cf, kapacitor, &value[1]) != NGX_OK
        || ngx_http_ilert_reconcile_parameters(cf, kapacitor) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ilcf->reconcile = kapacitor;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ilert_reconcile_uri(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value)
{
    u_char  *last, *args;

    last = value->data + value->len;

    if (value->len == 0 || value->data[0] != '/'
        || ngx_strlchr(value->data, last, '$')
        || ngx_strlchr(value->data, last, '#'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\" in \"ilert_reconcile\", the "
                           "path of a location with \"ilert_kapacitor\", with "
                           "arguments if need be, such as \"/kapacitor\" or "
                           "\"/kapacitor?source=ops\", is allowed", value);
        return NGX_ERROR;
    }

    kapacitor->uri = *value;

    args = ngx_strlchr(value->data, last, '?');

    if (args) {
        kapacitor->uri.len = args - value->data;
        kapacitor->args.data = args + 1;
        kapacitor->args.len = last - kapacitor->args.data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_reconcile_parameters(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor)
{
    ngx_int_t    rc;
    ngx_str_t   *value, text;
    ngx_uint_t   i, k, given;

    static const char  *names[] = { "topics=", "interval=", "mode=", "host=" };

    given = 0;
    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        for (k = 0; k < 4; k++) {
            if (ngx_http_ilert_reconcile_is(&value[i], names[k], &text)) {
                break;
            }
        }

        if (k == 4) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ilert_reconcile\", \"topics=\", "
                               "\"interval=\", \"mode=\" and \"host=\" are "
                               "allowed", &value[i]);
            return NGX_ERROR;
        }

        if (given & (1 << k)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" in "
                               "\"ilert_reconcile\"", &value[i]);
            return NGX_ERROR;
        }

        given |= 1 << k;

        switch (k) {

        case 0:
            rc = ngx_http_ilert_reconcile_topics(cf, kapacitor, &text);
            break;

        case 1:
            rc = ngx_http_ilert_reconcile_interval(cf, kapacitor, &text);
            break;

        case 2:
            rc = ngx_http_ilert_reconcile_mode(cf, kapacitor, &text);
            break;

        default:
            rc = ngx_http_ilert_location_set_host(cf, &kapacitor->host,
                                                  &value[i],
                                                  "ilert_reconcile");
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Returns 1 if it is that parameter, and sets its value. */

static ngx_uint_t
ngx_http_ilert_reconcile_is(ngx_str_t *parameter, const char *name,
    ngx_str_t *value)
{
    size_t  len;

    len = ngx_strlen(name);

    if (parameter->len < len
        || ngx_strncmp(parameter->data, name, len) != 0)
    {
        return 0;
    }

    value->data = parameter->data + len;
    value->len = parameter->len - len;

    return 1;
}


static ngx_int_t
ngx_http_ilert_reconcile_topics(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value)
{
    u_char                    *p, *end, *last;
    ngx_http_ilert_pattern_t  *pattern;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "empty topic in \"topics=%V\" of "
                               "\"ilert_reconcile\", names of topics, in "
                               "which \"*\" stands for any characters, are "
                               "allowed, such as \"topics=main:*,ops\"",
                               value);
            return NGX_ERROR;
        }

        pattern = ngx_array_push(&kapacitor->topics);
        if (pattern == NULL) {
            return NGX_ERROR;
        }

        pattern->text.data = p;
        pattern->text.len = end - p;
        pattern->wild = (ngx_strlchr(p, end, '*') != NULL);

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


static ngx_int_t
ngx_http_ilert_reconcile_interval(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value)
{
    ngx_int_t  interval;

    interval = ngx_parse_time(value, 0);

    if (interval < NGX_HTTP_ILERT_RECONCILE_LEAST
        || interval > NGX_HTTP_ILERT_RECONCILE_MOST)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"interval=%V\" of "
                           "\"ilert_reconcile\", a time from 1s to 1d is "
                           "allowed", value);
        return NGX_ERROR;
    }

    kapacitor->interval = interval;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_reconcile_mode(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor, ngx_str_t *value)
{
    if (value->len == 5 && ngx_strncmp(value->data, "watch", 5) == 0) {
        kapacitor->watch = 1;
        return NGX_OK;
    }

    if (value->len == 6 && ngx_strncmp(value->data, "repair", 6) == 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"mode=%V\" of \"ilert_reconcile\", "
                       "\"mode=repair\" and \"mode=watch\" are allowed",
                       value);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_reconcile_resolve(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                    i;
    ngx_http_ilert_kapacitor_t  **kapacitors;

    kapacitors = imcf->kapacitors.elts;

    for (i = 0; i < imcf->kapacitors.nelts; i++) {

        if (imcf->queue.path.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"ilert_reconcile\" in %s:%ui has nothing to "
                          "compare with, \"ilert_queue\" is needed",
                          kapacitors[i]->file_name, kapacitors[i]->line);
            return NGX_ERROR;
        }

        if (ngx_http_ilert_reconcile_check(cf, kapacitors[i]) != NGX_OK
            || ngx_http_ilert_reconcile_target(cf, imcf, kapacitors[i])
               != NGX_OK
            || ngx_http_ilert_reconcile_place(cf, imcf, kapacitors[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Checks what else is in the location. */

static ngx_int_t
ngx_http_ilert_reconcile_check(ngx_conf_t *cf,
    ngx_http_ilert_kapacitor_t *kapacitor)
{
    const char                 *other;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_loc_conf_t  *ilcf;

    clcf = kapacitor->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];
    ilcf = kapacitor->conf_ctx->loc_conf[ngx_http_ilert_module.ctx_index];

    other = ilcf->endpoint ? "ilert_endpoint"
            : ilcf->route ? (char *) ilcf->directive->data
            : ilcf->status ? "ilert_status"
            : ilcf->control.len ? "ilert_control" : NULL;

    if (other) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_reconcile\" in %s:%ui and \"%s\" are in the "
                      "same location, each needs its own",
                      kapacitor->file_name, kapacitor->line, other);
        return NGX_ERROR;
    }

    if (clcf->handler == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_reconcile\" in %s:%ui cannot ask, "
                      "a \"proxy_pass\" to Kapacitor, such as \"proxy_pass "
                      "http://localhost:9092/kapacitor/v1/\", is needed in "
                      "its location", kapacitor->file_name, kapacitor->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Finds the location of the URI, to which repairs are posted. */

static ngx_int_t
ngx_http_ilert_reconcile_target(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_kapacitor_t *kapacitor)
{
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_ilert_loc_conf_t   *ilcf, **locations;

    cscf = kapacitor->conf_ctx->srv_conf[ngx_http_core_module.ctx_index];
    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    clcf = ngx_http_ilert_find_location(clcf, &kapacitor->uri);
    ilcf = clcf->loc_conf ? clcf->loc_conf[ngx_http_ilert_module.ctx_index]
                          : NULL;

    if (ilcf == NULL || ilcf->route == NULL || ilcf->events) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the URI \"%V\" of \"ilert_reconcile\" in %s:%ui leads "
                      "to no location with \"ilert_kapacitor\" in this "
                      "server, only one to which Kapacitor posts its webhooks "
                      "is allowed", &kapacitor->uri, kapacitor->file_name,
                      kapacitor->line);
        return NGX_ERROR;
    }

    kapacitor->target = ilcf;
    kapacitor->place = clcf->name;

    if (ilcf->dry_run) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ilert_reconcile\" in %s:%ui only watches, since "
                      "location \"%V\" has \"ilert_dry_run\"",
                      kapacitor->file_name, kapacitor->line, &clcf->name);
        kapacitor->watch = 1;
    }

    /* "if" and "limit_except" inside of it have the same "ilert_kapacitor" */

    locations = imcf->locations.elts;

    for (i = 0; i < imcf->locations.nelts; i++) {
        if (locations[i]->route == ilcf->route) {
            locations[i]->reconciled = 1;
        }
    }

    return NGX_OK;
}


/*
 * What was heard is known by the path of the location.  Two Kapacitors may
 * have the same ids, so they must not post to two locations of one path.
 */

static ngx_int_t
ngx_http_ilert_reconcile_place(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_kapacitor_t *kapacitor)
{
    ngx_uint_t                    i;
    ngx_http_ilert_kapacitor_t  **other;

    other = imcf->kapacitors.elts;

    for (i = 0; other[i] != kapacitor; i++) {

        if (other[i]->target->route == kapacitor->target->route
            || !ngx_http_ilert_text_same(&other[i]->place, &kapacitor->place))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the URI \"%V\" of \"ilert_reconcile\" in %s:%ui leads "
                      "to location \"%V\", and that in %s:%ui to one of the "
                      "same path in another server; what is heard is known by "
                      "the path, which must be its own", &kapacitor->uri,
                      kapacitor->file_name, kapacitor->line,
                      &kapacitor->place, other[i]->file_name, other[i]->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
