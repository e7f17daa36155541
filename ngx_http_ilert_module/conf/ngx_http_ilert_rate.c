
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_rate.h"


/* of requests in a minute or in a second */

#define NGX_HTTP_ILERT_RATE_MAX        1000000


static ngx_uint_t ngx_http_ilert_rate_is_lower(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_rate_t *other);


void
ngx_http_ilert_rate_init(ngx_http_ilert_rate_t *rate)
{
    rate->n = NGX_CONF_UNSET_UINT;
    rate->reserve = NGX_CONF_UNSET_UINT;
}


ngx_int_t
ngx_http_ilert_rate_parse(ngx_http_ilert_rate_t *rate, ngx_str_t *value)
{
    ngx_int_t  n;

    if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        rate->n = 0;
        rate->window = NGX_HTTP_ILERT_MINUTE;
        return NGX_OK;
    }

    if (value->len < 4) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data + value->len - 3, "r/m", 3) == 0) {
        rate->window = NGX_HTTP_ILERT_MINUTE;

    } else if (ngx_strncmp(value->data + value->len - 3, "r/s", 3) == 0) {
        rate->window = 1000;

    } else {
        return NGX_ERROR;
    }

    n = ngx_atoi(value->data, value->len - 3);

    if (n < 1 || n > NGX_HTTP_ILERT_RATE_MAX) {
        return NGX_ERROR;
    }

    rate->n = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_rate_parse_reserve(ngx_conf_t *cf, ngx_http_ilert_rate_t *rate,
    ngx_str_t *value, const char *directive)
{
    ngx_int_t  n;

    if (ngx_strncmp(value->data, "reserve=", 8) != 0
        || rate->reserve != NGX_CONF_UNSET_UINT)
    {
        return NGX_DECLINED;
    }

    n = ngx_atoi(value->data + 8, value->len - 8);

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"%s\", a number of "
                           "requests below the rate, such as \"reserve=5\", "
                           "is allowed", value, directive);
        return NGX_ERROR;
    }

    rate->reserve = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_rate_check_reserve(ngx_conf_t *cf, ngx_http_ilert_rate_t *rate,
    const char *directive)
{
    if (rate->reserve == NGX_CONF_UNSET_UINT || rate->reserve < rate->n) {
        return NGX_OK;
    }

    if (rate->n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"reserve=%ui\" of \"%s\" is not allowed with the "
                           "rate \"off\", which has no end", rate->reserve,
                           directive);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"reserve=%ui\" of \"%s\", it "
                           "has to be below the rate, 0 to %ui are allowed",
                           rate->reserve, directive, rate->n - 1);
    }

    return NGX_ERROR;
}


ngx_uint_t
ngx_http_ilert_rate_share(ngx_http_ilert_rate_t *shared,
    ngx_http_ilert_rate_t *rate)
{
    ngx_uint_t  lower;

    lower = ngx_http_ilert_rate_is_lower(rate, shared);

    if (lower) {
        shared->n = rate->n;
        shared->window = rate->window;
    }

    if (rate->reserve != NGX_CONF_UNSET_UINT
        && (shared->reserve == NGX_CONF_UNSET_UINT
            || shared->reserve < rate->reserve))
    {
        shared->reserve = rate->reserve;
    }

    return lower;
}


static ngx_uint_t
ngx_http_ilert_rate_is_lower(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_rate_t *other)
{
    if (rate->n == 0 || other->n == 0) {
        return rate->n != 0;
    }

    return rate->n * other->window < other->n * rate->window;
}


/* a tenth, rounded up, but not all of it */

void
ngx_http_ilert_rate_default(ngx_http_ilert_rate_t *rate)
{
    if (rate->reserve == NGX_CONF_UNSET_UINT) {
        rate->reserve = (rate->n + 9) / 10;
    }

    /* it may be that of another source, whose rate is greater */

    if (rate->n && rate->reserve >= rate->n) {
        rate->reserve = rate->n - 1;
    }
}
