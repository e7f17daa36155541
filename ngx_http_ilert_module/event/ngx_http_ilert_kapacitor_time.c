
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_kapacitor_time.h"


/* So many whole seconds can be counted in ns, before 1970 and after. */

#define NGX_HTTP_ILERT_KAPACITOR_MAX_SEC  (INT64_MAX / 1000000000)


static ngx_int_t ngx_http_ilert_kapacitor_parse_offset(u_char *p,
    u_char *last, ngx_int_t *offset);
static ngx_int_t ngx_http_ilert_kapacitor_digits(u_char *p, ngx_uint_t n,
    ngx_int_t least, ngx_int_t most);
static u_char *ngx_http_ilert_kapacitor_duration_part(u_char *p, u_char *last,
    uint64_t *ns);
static u_char *ngx_http_ilert_kapacitor_write_fraction(u_char *p, uint64_t n,
    uint64_t unit, const char *name);


typedef struct {
    ngx_str_t                   name;
    uint64_t                    ns;
} ngx_http_ilert_kapacitor_unit_t;


/* A name that is the beginning of another one comes after that. */

static ngx_http_ilert_kapacitor_unit_t  ngx_http_ilert_kapacitor_units[] = {
    { ngx_string("ns"), 1 },
    { ngx_string("us"), 1000 },
    { ngx_string("\xc2\xb5s"), 1000 },          /* the micro sign */
    { ngx_string("\xce\xbcs"), 1000 },          /* the letter mu */
    { ngx_string("ms"), 1000000 },
    { ngx_string("s"), 1000000000 },
    { ngx_string("m"), (uint64_t) 60 * 1000000000 },
    { ngx_string("h"), (uint64_t) 3600 * 1000000000 },
    { ngx_null_string, 0 }
};


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
        || p[4] != '-' || p[7] != '-'
        || ((p[10] | 0x20) != 't' && p[10] != ' ')
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


ngx_int_t
ngx_http_ilert_kapacitor_parse_ns(ngx_str_t *text, int64_t *ns)
{
    ngx_http_ilert_kapacitor_time_t  time;

    if (ngx_http_ilert_kapacitor_parse_time(text, &time) != NGX_OK
        || time.sec < -NGX_HTTP_ILERT_KAPACITOR_MAX_SEC
        || time.sec >= NGX_HTTP_ILERT_KAPACITOR_MAX_SEC)
    {
        return NGX_DECLINED;
    }

    *ns = time.sec * 1000000000 + (int64_t) time.nsec;

    return NGX_OK;
}


/*
 * Parses the end of a time, which is "Z" or an offset like +02:00, or what Go
 * writes if it has not been told how: " +0200 CEST".  Sets "offset" to the
 * seconds by which the time's clock is ahead of UTC.  Returns NGX_OK, or
 * NGX_DECLINED for any other text.
 */

static ngx_int_t
ngx_http_ilert_kapacitor_parse_offset(u_char *p, u_char *last,
    ngx_int_t *offset)
{
    ngx_int_t   hour, min;
    ngx_uint_t  colon;

    if (last - p == 1 && (*p | 0x20) == 'z') {
        *offset = 0;
        return NGX_OK;
    }

    colon = 1;

    if (last - p >= 6 && *p == ' ' && (last - p == 6 || p[6] == ' ')) {
        colon = 0;
        p++;

    } else if (last - p != 6 || p[3] != ':') {
        return NGX_DECLINED;
    }

    if (*p != '+' && *p != '-') {
        return NGX_DECLINED;
    }

    hour = ngx_http_ilert_kapacitor_digits(p + 1, 2, 0, 23);
    min = ngx_http_ilert_kapacitor_digits(p + 3 + colon, 2, 0, 59);

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


ngx_int_t
ngx_http_ilert_kapacitor_parse_duration(ngx_str_t *text, int64_t *ns)
{
    u_char      *p, *last;
    off_t        n;
    uint64_t     sum;
    ngx_uint_t   minus;

    p = text->data;
    last = p + text->len;

    minus = (p < last && *p == '-');
    p += minus;

    sum = 0;

    n = ngx_atoof(p, last - p);

    if (n != NGX_ERROR) {
        sum = n;
        p = last;

    } else if (p == last) {
        return NGX_DECLINED;
    }

    while (p < last) {
        p = ngx_http_ilert_kapacitor_duration_part(p, last, &sum);

        if (p == NULL) {
            return NGX_DECLINED;
        }
    }

    *ns = minus ? -(int64_t) sum : (int64_t) sum;

    return NGX_OK;
}


/*
 * Adds one number with its unit, such as 1.5s, to "ns".  Returns the place
 * behind it, or NULL if there is none, or if the sum has over 63 bits.
 */

static u_char *
ngx_http_ilert_kapacitor_duration_part(u_char *p, u_char *last, uint64_t *ns)
{
    off_t                             n;
    u_char                           *start, *point;
    uint64_t                          step;
    ngx_http_ilert_kapacitor_unit_t  *unit;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    n = (p == start) ? 0 : ngx_atoof(start, p - start);

    if (n == NGX_ERROR) {
        return NULL;
    }

    point = p;

    if (p < last && *p == '.') {
        for (p++; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }
    }

    /* There must be a digit, before the point or behind it. */

    if (p - start == (p != point)) {
        return NULL;
    }

    for (unit = ngx_http_ilert_kapacitor_units; unit->name.len; unit++) {
        if ((size_t) (last - p) >= unit->name.len
            && ngx_memcmp(p, unit->name.data, unit->name.len) == 0)
        {
            break;
        }
    }

    if (unit->name.len == 0
        || (uint64_t) n >= (NGX_MAX_OFF_T_VALUE - *ns) / unit->ns)
    {
        return NULL;
    }

    *ns += n * unit->ns;

    step = unit->ns;

    while (++point < p) {
        step /= 10;
        *ns += (*point - '0') * step;
    }

    return p + unit->name.len;
}


u_char *
ngx_http_ilert_kapacitor_write_duration(u_char *p, int64_t ns)
{
    uint64_t  n;

    n = ns;

    if (ns < 0) {
        *p++ = '-';
        n = -n;
    }

    if (n == 0) {
        return ngx_cpymem(p, "0s", 2);
    }

    if (n < 1000) {
        return ngx_sprintf(p, "%uLns", n);
    }

    if (n < 1000000) {
        return ngx_http_ilert_kapacitor_write_fraction(p, n, 1000,
                                                       "\xc2\xb5s");
    }

    if (n < 1000000000) {
        return ngx_http_ilert_kapacitor_write_fraction(p, n, 1000000, "ms");
    }

    n /= 1000000000;

    if (n >= 3600) {
        p = ngx_sprintf(p, "%uLh", n / 3600);
    }

    if (n >= 60) {
        p = ngx_sprintf(p, "%uLm", n / 60 % 60);
    }

    return ngx_sprintf(p, "%uLs", n % 60);
}


/* Writes n as a number of units, with as many decimal digits as it has. */

static u_char *
ngx_http_ilert_kapacitor_write_fraction(u_char *p, uint64_t n, uint64_t unit,
    const char *name)
{
    p = ngx_sprintf(p, "%uL", n / unit);

    n %= unit;

    if (n) {
        *p++ = '.';
    }

    while (n) {
        unit /= 10;
        *p++ = (u_char) ('0' + n / unit);
        n %= unit;
    }

    return ngx_sprintf(p, "%s", name);
}
