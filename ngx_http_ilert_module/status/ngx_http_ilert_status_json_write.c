
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_json_write.h"


void
ngx_http_ilert_status_json_item(ngx_http_ilert_json_writer_t *w, ngx_uint_t i)
{
    if (i) {
        ngx_http_ilert_json_literal(w, ",");
    }
}


void
ngx_http_ilert_status_json_member(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t first, const char *name)
{
    ngx_http_ilert_json_raw(w, (u_char *) (first ? "{\"" : ",\""), 2);
    ngx_http_ilert_json_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_http_ilert_json_literal(w, "\":");
}


void
ngx_http_ilert_status_json_text(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *text)
{
    if (text->len) {
        ngx_http_ilert_json_string(w, text);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }
}


void
ngx_http_ilert_status_json_number(ngx_http_ilert_json_writer_t *w, int64_t n)
{
    u_char  buf[NGX_INT64_LEN];

    if (n < 0) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "%L", n) - buf);
}


void
ngx_http_ilert_status_json_id(ngx_http_ilert_json_writer_t *w, uint64_t id)
{
    u_char  buf[NGX_INT64_LEN + 2];

    ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "\"%uL\"", id) - buf);
}


void
ngx_http_ilert_status_json_since(ngx_http_ilert_json_writer_t *w,
    int64_t since, int64_t now)
{
    u_char  *p, buf[NGX_INT64_LEN + 4];

    if (since == 0 || since >= now) {
        ngx_http_ilert_json_literal(w, "0");
        return;
    }

    p = ngx_sprintf(buf, "%L.%03L", (now - since) / 1000,
                    (now - since) % 1000);

    ngx_http_ilert_json_raw(w, buf, p - buf);
}


void
ngx_http_ilert_status_json_time(ngx_http_ilert_json_writer_t *w, int64_t time)
{
    u_char    *p, buf[sizeof("\"1970-01-01T00:00:00.000Z\"") + NGX_INT_T_LEN];
    ngx_tm_t   tm;

    if (time <= 0) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_gmtime((time_t) (time / 1000), &tm);

    p = ngx_sprintf(buf, "\"%4d-%02d-%02dT%02d:%02d:%02d.%03LZ\"",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    time % 1000);

    ngx_http_ilert_json_raw(w, buf, p - buf);
}
