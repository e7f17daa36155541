
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_kapacitor_time.h"


static ngx_int_t ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n,
    ngx_uint_t least, ngx_uint_t most);


ngx_int_t
ngx_http_ilert_kapacitor_compare_time(ngx_str_t *token,
    ngx_http_ilert_kapacitor_time_t *time, ngx_pool_t *pool)
{
    ngx_str_t                         text;
    ngx_http_ilert_kapacitor_time_t   row;

    if (ngx_http_ilert_json_decode(token, &text, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_kapacitor_parse_time(&text, &row) != NGX_OK
        || row.sec != time->sec || row.nsec != time->nsec)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * RFC 3339: 2026-03-01T08:16:10.123456789Z, with 0 to 9 digits of a second
 * and any offset.  NGX_DECLINED for anything else.
 */

ngx_int_t
ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time)
{
    u_char      *p, *last;
    ngx_int_t    year, month, day, hour, min, sec, east_hour, east_min;
    ngx_uint_t   scale;

    p = text->data;
    last = p + text->len;

    if (text->len < sizeof("2026-03-01T08:16:10Z") - 1
        || p[4] != '-' || p[7] != '-' || (p[10] | 0x20) != 't'
        || p[13] != ':' || p[16] != ':')
    {
        return NGX_DECLINED;
    }

    year = ngx_http_ilert_kapacitor_digits(p, 4, 0, 9999);
    month = ngx_http_ilert_kapacitor_digits(p + 5, 2, 1, 12);
    day = ngx_http_ilert_kapacitor_digits(p + 8, 2, 1, 31);
    hour = ngx_http_ilert_kapacitor_digits(p + 11, 2, 0, 23);
    min = ngx_http_ilert_kapacitor_digits(p + 14, 2, 0, 59);
    sec = ngx_http_ilert_kapacitor_digits(p + 17, 2, 0, 60);

    if (year < 0 || month < 0 || day < 0 || hour < 0 || min < 0 || sec < 0) {
        return NGX_DECLINED;
    }

    p += 19;
    time->nsec = 0;

    if (*p == '.') {
        p++;

        for (scale = 100000000;
             p < last && *p >= '0' && *p <= '9';
             p++, scale /= 10)
        {
            time->nsec += (*p - '0') * scale;
        }
    }

    east_hour = 0;
    east_min = 0;

    if (last - p == 6 && (*p == '+' || *p == '-') && p[3] == ':') {
        east_hour = ngx_http_ilert_kapacitor_digits(p + 1, 2, 0, 23);
        east_min = ngx_http_ilert_kapacitor_digits(p + 4, 2, 0, 59);

        if (east_hour < 0 || east_min < 0) {
            return NGX_DECLINED;
        }

        if (*p == '-') {
            east_hour = -east_hour;
            east_min = -east_min;
        }

    } else if (last - p != 1 || (*p | 0x20) != 'z') {
        return NGX_DECLINED;
    }

    /* Gauss' formula, for years that start in March: see ngx_parse_time.c */

    month -= 2;

    if (month <= 0) {
        month += 12;
        year -= 1;
    }

    time->sec = (int64_t) (365 * year + year / 4 - year / 100 + year / 400
                           + 367 * month / 12 - 30
                           + day - 1
                           - 719527 + 31 + 28) * 86400
                + (hour - east_hour) * 3600 + (min - east_min) * 60 + sec;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n, ngx_uint_t least,
    ngx_uint_t most)
{
    ngx_int_t  value;

    value = ngx_atoi(p, n);

    if (value < (ngx_int_t) least || value > (ngx_int_t) most) {
        return NGX_ERROR;
    }

    return value;
}
