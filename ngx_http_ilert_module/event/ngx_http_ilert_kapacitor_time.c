
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_kapacitor_time.h"


static ngx_int_t ngx_http_ilert_kapacitor_parse_offset(u_char *p,
    u_char *last, ngx_int_t *offset);
static ngx_int_t ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n,
    ngx_int_t least, ngx_int_t most);


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


ngx_int_t
ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time)
{
    u_char      *p, *last;
    ngx_int_t    year, month, day, hour, min, sec, offset;
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

    if (ngx_http_ilert_kapacitor_parse_offset(p, last, &offset) != NGX_OK) {
        return NGX_DECLINED;
    }

    /*
     * Gauss' formula, as in ngx_parse_http_time(): it counts days in years
     * that begin with March.
     */

    month -= 2;

    if (month <= 0) {
        month += 12;
        year -= 1;
    }

    time->sec = (int64_t) (365 * year + year / 4 - year / 100 + year / 400
                           + 367 * month / 12 - 30
                           + day - 1
                           - 719527 + 31 + 28) * 86400
                + hour * 3600 + min * 60 + sec - offset;

    return NGX_OK;
}


/*
 * Parses the end of a time, which is "Z" or an offset like +02:00.  Sets
 * "offset" to the seconds by which the time's clock is ahead of UTC.  Returns
 * NGX_OK, or NGX_DECLINED for any other text.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_parse_offset(u_char *p, u_char *last,
    ngx_int_t *offset)
{
    ngx_int_t  hour, min;

    if (last - p == 1 && (*p | 0x20) == 'z') {
        *offset = 0;
        return NGX_OK;
    }

    if (last - p != 6 || (*p != '+' && *p != '-') || p[3] != ':') {
        return NGX_DECLINED;
    }

    hour = ngx_http_ilert_kapacitor_digits(p + 1, 2, 0, 23);
    min = ngx_http_ilert_kapacitor_digits(p + 4, 2, 0, 59);

    if (hour < 0 || min < 0) {
        return NGX_DECLINED;
    }

    *offset = hour * 3600 + min * 60;

    if (*p == '-') {
        *offset = -*offset;
    }

    return NGX_OK;
}


/*
 * Returns the number of n digits at p, or NGX_ERROR if there are others than
 * digits or the number is not between "least" and "most".  Large batches have
 * many times, and ngx_atoi(), which looks for overflows, takes twice as long.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n, ngx_int_t least,
    ngx_int_t most)
{
    ngx_int_t  value;

    value = 0;

    while (n--) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*p++ - '0');
    }

    return (value < least || value > most) ? NGX_ERROR : value;
}
