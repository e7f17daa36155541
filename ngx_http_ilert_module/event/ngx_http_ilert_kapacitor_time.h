
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_KAPACITOR_TIME_H_INCLUDED_
#define _NGX_HTTP_ILERT_KAPACITOR_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Times and durations in a body of Kapacitor's.  Times are compared as
 * instants, not as texts, since one instant can be written with several
 * offsets from UTC.
 */


typedef struct {
    int64_t                     sec;    /* since 1970, negative before */
    ngx_uint_t                  nsec;   /* 0 to 999,999,999, added to sec */
} ngx_http_ilert_kapacitor_time_t;


/*
 * Parses a time of RFC 3339: 2026-03-01T08:16:10.123456789Z, in which a second
 * has no fraction or one of any length, and the offset may be any; or the time
 * as a template of Kapacitor's has it: 2026-03-01 08:16:10.5 +0000 UTC.
 * Returns NGX_OK, or NGX_DECLINED for any other text.
 */
ngx_int_t ngx_http_ilert_kapacitor_parse_time(ngx_str_t *text,
    ngx_http_ilert_kapacitor_time_t *time);


/*
 * Parses such a time, and sets "ns" to the nanoseconds since 1970.  Returns
 * NGX_OK, or NGX_DECLINED, also for a time whose number has over 63 bits: one
 * before 1677-09-21, or after 2262-04-11.  The number is never INT64_MIN.
 */
ngx_int_t ngx_http_ilert_kapacitor_parse_ns(ngx_str_t *text, int64_t *ns);


/*
 * Compares the time in a token of JSON with "time".  Returns NGX_OK if they
 * are the same instant, NGX_DECLINED if they are not or if the token is no
 * time, and NGX_ERROR if there is no memory to decode the token.
 */
ngx_int_t ngx_http_ilert_kapacitor_compare_time(ngx_str_t *token,
    ngx_http_ilert_kapacitor_time_t *time, ngx_pool_t *pool);


/*
 * Parses a duration: an integer, which is a number of nanoseconds, or what Go
 * writes for one, 1h5m30.5s.  Sets "ns" to the nanoseconds.  Returns NGX_OK,
 * or NGX_DECLINED for any other text, or if the number has over 63 bits.
 */
ngx_int_t ngx_http_ilert_kapacitor_parse_duration(ngx_str_t *text,
    int64_t *ns);


/* the longest duration, with its sign */

#define NGX_HTTP_ILERT_KAPACITOR_DURATION_LEN  (sizeof("-2562047h47m16s") - 1)

/*
 * Writes a duration as Go does, but without a fraction of a second unless it
 * is shorter than one: 1h5m30s, 30s, 1.5ms, 0s.  Returns the place behind it.
 */
u_char *ngx_http_ilert_kapacitor_write_duration(u_char *p, int64_t ns);


#endif /* _NGX_HTTP_ILERT_KAPACITOR_TIME_H_INCLUDED_ */
