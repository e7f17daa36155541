
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_control.h"
#include "ngx_http_ilert_events.h"
#include "ngx_http_ilert_location.h"
#include "ngx_http_ilert_rate.h"
#include "ngx_http_ilert_source.h"
#include "ngx_http_ilert_status.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_webhook.h"


/* how many requests in a minute ilert accepts from one IP address */

#define NGX_HTTP_ILERT_ENDPOINT_RATE   700


static char *ngx_http_ilert_location_route(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_handler_pt handler);
static ngx_int_t ngx_http_ilert_location_test(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_location_endpoint_parameters(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint);
static void ngx_http_ilert_location_endpoint_defaults(
    ngx_http_ilert_endpoint_t *endpoint);
static ngx_int_t ngx_http_ilert_location_parse_host(ngx_conf_t *cf,
    ngx_http_ilert_host_t *host);
static char *ngx_http_ilert_location_set_handler(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_handler_pt handler);


char *
ngx_http_ilert_location_kapacitor(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    char       *rv;
    ngx_str_t  *value;

    rv = ngx_http_ilert_location_route(cf, cmd, ilcf,
                                       ngx_http_ilert_webhook_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3
        && ngx_http_ilert_location_test(cf, ilcf, &value[2]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_ilert_location_events(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    char  *rv;

    rv = ngx_http_ilert_location_route(cf, cmd, ilcf,
                                       ngx_http_ilert_events_handler);

    if (rv == NGX_CONF_OK) {
        ilcf->events = 1;
    }

    return rv;
}


/*
 * Notes what gives the source of requests to the location, and makes "handler"
 * its content handler.
 */

static char *
ngx_http_ilert_location_route(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_http_handler_pt handler)
{
    ngx_str_t                         *value;
    ngx_http_ilert_srv_conf_t         *iscf;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->route && ilcf->directive == &cmd->name) {
        return "is duplicate";
    }

    if (ilcf->route) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" are in the same location, each "
                           "needs its own", &cmd->name, ilcf->directive);
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    ilcf->route = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (ilcf->route == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = ilcf->route;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ilcf->directive = &cmd->name;
    ilcf->file_name = cf->conf_file->file.name.data;
    ilcf->line = cf->conf_file->line;

    ilcf->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ilcf->conf_ctx = cf->ctx;

    iscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ilert_module);
    iscf->webhooks = 1;

    if (ngx_http_ilert_location_add(cf, ilcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ilert_location_set_handler(cf, cmd, handler);
}


/* Parses "test=", which says what becomes of Chronograf's test. */

static ngx_int_t
ngx_http_ilert_location_test(ngx_conf_t *cf, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "test=send") == 0) {
        ilcf->send_test = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "test=ignore") == 0) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"ilert_kapacitor\", "
                       "\"test=ignore\" and \"test=send\" are allowed",
                       value);

    return NGX_ERROR;
}


char *
ngx_http_ilert_location_unreadable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_str_t  *value;

    if (ilcf->unreadable != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "reject") == 0) {
        ilcf->unreadable = NGX_HTTP_ILERT_UNREADABLE_REJECT;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "alert") == 0) {
        ilcf->unreadable = NGX_HTTP_ILERT_UNREADABLE_ALERT;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"ilert_unreadable\", "
                       "\"reject\" and \"alert\" are allowed", &value[1]);

    return NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_ilert_location_add(ngx_conf_t *cf, ngx_http_ilert_loc_conf_t *ilcf)
{
    ngx_http_ilert_loc_conf_t   **lp;
    ngx_http_ilert_main_conf_t   *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    lp = ngx_array_push(&imcf->locations);
    if (lp == NULL) {
        return NGX_ERROR;
    }

    *lp = ilcf;

    return NGX_OK;
}


char *
ngx_http_ilert_location_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf) {
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_ilert_endpoint_t    *endpoint, *other, **ep;
    ngx_http_ilert_main_conf_t   *imcf;

    if (ilcf->endpoint) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_ilert_location_check_prefix(cf, "ilert_endpoint", "/ilert/")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    endpoint = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_endpoint_t));
    if (endpoint == NULL) {
        return NGX_CONF_ERROR;
    }

    endpoint->prefix = clcf->name;
    endpoint->conf_ctx = cf->ctx;
    endpoint->file_name = cf->conf_file->file.name.data;
    endpoint->line = cf->conf_file->line;

    if (ngx_http_ilert_location_endpoint_parameters(cf, endpoint) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    other = ngx_http_ilert_find_endpoint(imcf, &endpoint->name);

    if (other) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ilert_endpoint\" \"%V\" (first in "
                           "%s:%ui)", &other->name, other->file_name,
                           other->line);
        return NGX_CONF_ERROR;
    }

    ep = ngx_array_push(&imcf->endpoints);
    if (ep == NULL) {
        return NGX_CONF_ERROR;
    }

    *ep = endpoint;

    ilcf->endpoint = endpoint;

    return NGX_CONF_OK;
}


/* Parses "[name] [rate=...] [reserve=...] [host=...]". */

static ngx_int_t
ngx_http_ilert_location_endpoint_parameters(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_int_t    rc;
    ngx_str_t   *value, rate;
    ngx_uint_t   i;

    ngx_http_ilert_rate_init(&endpoint->rate);

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0
            && endpoint->rate.n == NGX_CONF_UNSET_UINT)
        {
            rate.data = value[i].data + 5;
            rate.len = value[i].len - 5;

            if (ngx_http_ilert_rate_parse(&endpoint->rate, &rate) == NGX_OK) {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"ilert_endpoint\", a number of requests such "
                               "as \"rate=700r/m\" or \"rate=10r/s\" and "
                               "\"rate=off\" are allowed", &value[i]);
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_rate_parse_reserve(cf, &endpoint->rate, &value[i],
                                               "ilert_endpoint");

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            continue;
        }

        if (ngx_strncmp(value[i].data, "host=", 5) == 0
            && endpoint->host.header.len == 0)
        {
            if (ngx_http_ilert_location_set_host(cf, &endpoint->host,
                                                 &value[i],
                                                 "ilert_endpoint")
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        if (i > 1 || value[i].len == 0
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '='))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ilert_endpoint\", a name and then "
                               "\"rate=\", \"reserve=\" and \"host=\" are "
                               "allowed", &value[i]);
            return NGX_ERROR;
        }

        endpoint->name = value[i];
    }

    ngx_http_ilert_location_endpoint_defaults(endpoint);

    if (ngx_http_ilert_rate_check_reserve(cf, &endpoint->rate,
                                          "ilert_endpoint")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_rate_default(&endpoint->rate);

    return NGX_OK;
}


static void
ngx_http_ilert_location_endpoint_defaults(ngx_http_ilert_endpoint_t *endpoint)
{
    if (endpoint->name.len == 0) {
        ngx_str_set(&endpoint->name, "default");
    }

    if (endpoint->rate.n == NGX_CONF_UNSET_UINT) {
        endpoint->rate.n = NGX_HTTP_ILERT_ENDPOINT_RATE;
        endpoint->rate.window = NGX_HTTP_ILERT_MINUTE;
    }

    if (endpoint->host.header.len) {
        return;
    }

    if (endpoint->name.len == sizeof(NGX_HTTP_ILERT_HEARTBEAT) - 1
        && ngx_strncmp(endpoint->name.data, NGX_HTTP_ILERT_HEARTBEAT,
                       endpoint->name.len) == 0)
    {
        ngx_str_set(&endpoint->host.header, "beat.ilert.com");

    } else {
        ngx_str_set(&endpoint->host.header, "api.ilert.com");
    }

    endpoint->host.name = endpoint->host.header;
}


ngx_int_t
ngx_http_ilert_location_set_host(ngx_conf_t *cf, ngx_http_ilert_host_t *host,
    ngx_str_t *parameter, const char *name)
{
    host->header.data = parameter->data + sizeof("host=") - 1;
    host->header.len = parameter->len - (sizeof("host=") - 1);

    switch (ngx_http_ilert_location_parse_host(cf, host)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"%s\", "
                           "the name of a host, and its port if need be, such "
                           "as \"host=api.ilert.com\" or "
                           "\"host=localhost:9092\", is allowed", parameter,
                           name);
    }

    return NGX_ERROR;
}


/*
 * Sets host->name by host->header.  Returns NGX_DECLINED if the header is no
 * host, or NGX_ERROR if there is no memory.
 */

static ngx_int_t
ngx_http_ilert_location_parse_host(ngx_conf_t *cf, ngx_http_ilert_host_t *host)
{
    size_t      i;
    u_char      c, last;
    ngx_url_t   u;
    ngx_str_t  *name;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = host->header;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? NGX_DECLINED : NGX_ERROR;
    }

    if (u.family == AF_UNIX) {
        return NGX_DECLINED;
    }

    name = &host->name;

    name->len = u.host.len;
    name->data = ngx_pnalloc(cf->pool, name->len);
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(name->data, u.host.data, name->len);

    if (u.family == AF_INET6) {
        return NGX_OK;
    }

    /* a name is labels, none empty, of letters, digits, "-" and "_" */

    last = '.';

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
            && c != '_' && (c != '.' || last == '.'))
        {
            return NGX_DECLINED;
        }

        last = c;
    }

    return (last == '.') ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_ilert_location_check_prefix(ngx_conf_t *cf, const char *name,
    const char *example)
{
    ngx_uint_t                 prefix;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    prefix = !clcf->exact_match && !clcf->named && clcf->name.len
             && clcf->name.data[clcf->name.len - 1] == '/';

#if (NGX_PCRE)
    if (clcf->regex) {
        prefix = 0;
    }
#endif

    if (prefix) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" is in location \"%V\", only "
                       "a prefix location that ends in \"/\" is allowed, "
                       "such as \"location %s\"", name, &clcf->name, example);

    return NGX_ERROR;
}


char *
ngx_http_ilert_location_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_str_t         *value;
    ngx_uint_t         i;

    static ngx_str_t   formats[] = {
        ngx_null_string,
        ngx_string("json"),
        ngx_string("prometheus"),
        ngx_string("html")
    };

    if (ilcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = NGX_HTTP_ILERT_STATUS_JSON;
         cf->args->nelts == 2 && i <= NGX_HTTP_ILERT_STATUS_HTML;
         i++)
    {
        if (value[1].len == formats[i].len
            && ngx_strncmp(value[1].data, formats[i].data, value[1].len) == 0)
        {
            break;
        }
    }

    if (i > NGX_HTTP_ILERT_STATUS_HTML) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"ilert_status\", "
                           "\"json\", \"prometheus\" and \"html\" are "
                           "allowed", &value[1]);
        return NGX_CONF_ERROR;
    }

    ilcf->status = i;

    return ngx_http_ilert_location_set_handler(cf, cmd,
                                               ngx_http_ilert_status_handler);
}


char *
ngx_http_ilert_location_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_srv_conf_t  *iscf;

    if (ilcf->control.len) {
        return "is duplicate";
    }

    if (ngx_http_ilert_location_check_prefix(cf, "ilert_control", "/control/")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ilcf->control = clcf->name;

    /* if a server has several such locations, the page uses the first one */

    iscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ilert_module);

    if (iscf->control.len == 0) {
        iscf->control = clcf->name;
    }

    return ngx_http_ilert_location_set_handler(cf, cmd,
                                               ngx_http_ilert_control_handler);
}


/*
 * Makes "handler" the location's content handler, unless another directive has
 * set one.  The handler is noted too, so that resolve.c can find out whether
 * a later directive has replaced it.
 */

static char *
ngx_http_ilert_location_set_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_ilert_handler_t    *h;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another directive of its location, such as "
               "\"proxy_pass\", that takes the requests";
    }

    h = ngx_array_push(&imcf->handlers);
    if (h == NULL) {
        return NGX_CONF_ERROR;
    }

    h->name = cmd->name;
    h->clcf = clcf;
    h->handler = handler;
    h->file_name = cf->conf_file->file.name.data;
    h->line = cf->conf_file->line;

    clcf->handler = handler;

    return NGX_CONF_OK;
}


char *
ngx_http_ilert_location_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf) {
    char  *p = conf;

    off_t      *np, least;
    ngx_str_t  *value;

    np = (off_t *) (p + cmd->offset);
    least = cmd->post ? *(off_t *) cmd->post : 0;

    if (*np != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *np = ngx_parse_offset(&value[1]);

    if (*np == (off_t) NGX_ERROR || *np < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", a size such as "
                           "\"64k\" or \"16m\" is allowed, %O bytes or more",
                           &value[1], &cmd->name, least);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
