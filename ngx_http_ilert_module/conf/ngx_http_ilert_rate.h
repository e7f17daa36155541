
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RATE_H_INCLUDED_
#define _NGX_HTTP_ILERT_RATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"


/* ms in a minute: the window of a rate that is given as "r/m" */

#define NGX_HTTP_ILERT_MINUTE          60000


/* Notes that neither the rate nor its reserve is given yet. */
void ngx_http_ilert_rate_init(ngx_http_ilert_rate_t *rate);

/*
 * Parses a rate such as "50r/m", "2r/s" or "off".  Returns NGX_OK, or
 * NGX_ERROR if the text is no rate.
 */
ngx_int_t ngx_http_ilert_rate_parse(ngx_http_ilert_rate_t *rate,
    ngx_str_t *value);

/*
 * Parses "reserve=N" of a directive.  Returns NGX_OK; NGX_DECLINED if the text
 * does not begin so, or if the reserve is given already; or NGX_ERROR, after
 * the error was logged.
 */
ngx_int_t ngx_http_ilert_rate_parse_reserve(ngx_conf_t *cf,
    ngx_http_ilert_rate_t *rate, ngx_str_t *value, const char *directive);

/*
 * Checks that a reserve that is given is below its rate, which has to be set.
 * Returns NGX_OK, or NGX_ERROR after the error was logged.
 */
ngx_int_t ngx_http_ilert_rate_check_reserve(ngx_conf_t *cf,
    ngx_http_ilert_rate_t *rate, const char *directive);

/*
 * Makes "shared" the stricter one of two rates: the lower rate, and the
 * greater one of the reserves that are given.  Returns 1 if "rate" is lower.
 */
ngx_uint_t ngx_http_ilert_rate_share(ngx_http_ilert_rate_t *shared,
    ngx_http_ilert_rate_t *rate);

/* Sets the default of a reserve that is not given. */
void ngx_http_ilert_rate_default(ngx_http_ilert_rate_t *rate);


#endif /* _NGX_HTTP_ILERT_RATE_H_INCLUDED_ */
