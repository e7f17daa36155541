
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_answer.h"
#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_control_silence.h"
#include "ngx_http_ilert_kapacitor_time.h"
#include "ngx_http_ilert_text.h"


/*
 * Orders about silences.  The path is silence, to add one, and all else is
 * said by arguments; or silence/ID, to remove one.
 */


#define NGX_HTTP_ILERT_CONTROL_SILENCE  "silence"

/* bytes of a pattern, and of a comment */

#define NGX_HTTP_ILERT_CONTROL_PATTERN  1000
#define NGX_HTTP_ILERT_CONTROL_COMMENT  200

/* seconds that a silence may last, and before which it has to begin */

#define NGX_HTTP_ILERT_CONTROL_LONGEST  (365 * 24 * 3600)

/* bytes of a pattern, and of a source's name, that are logged */

#define NGX_HTTP_ILERT_CONTROL_LOGGED   128


static ngx_int_t ngx_http_ilert_control_silence_add(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *line, const char **error);
static ngx_int_t ngx_http_ilert_control_silence_for(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error);
static ngx_int_t ngx_http_ilert_control_silence_from(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error);
static ngx_int_t ngx_http_ilert_control_silence_comment(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error);
static ngx_int_t ngx_http_ilert_control_silence_line(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *line);


ngx_uint_t
ngx_http_ilert_control_silence_is(ngx_str_t *path)
{
    return (path->len == sizeof(NGX_HTTP_ILERT_CONTROL_SILENCE) - 1
            && ngx_strncmp(path->data, NGX_HTTP_ILERT_CONTROL_SILENCE,
                           path->len)
               == 0)
           || ngx_http_ilert_control_silence_is_one(path);
}


ngx_uint_t
ngx_http_ilert_control_silence_is_one(ngx_str_t *path)
{
    return path->len >= sizeof(NGX_HTTP_ILERT_CONTROL_SILENCE)
           && ngx_strncmp(path->data, NGX_HTTP_ILERT_CONTROL_SILENCE "/",
                          sizeof(NGX_HTTP_ILERT_CONTROL_SILENCE))
              == 0;
}


ngx_int_t
ngx_http_ilert_control_silence_parse(ngx_http_request_t *r, ngx_str_t *path,
    ngx_http_ilert_store_order_t *order, ngx_str_t *line, const char **error)
{
    off_t  id;

    if (!ngx_http_ilert_control_silence_is_one(path)) {
        order->action = NGX_HTTP_ILERT_STORE_ADD_SILENCE;

        return ngx_http_ilert_control_silence_add(r, order, line, error);
    }

    id = ngx_atoof(path->data + sizeof(NGX_HTTP_ILERT_CONTROL_SILENCE),
                   path->len - sizeof(NGX_HTTP_ILERT_CONTROL_SILENCE));

    if (id <= 0) {
        return NGX_DECLINED;
    }

    order->action = NGX_HTTP_ILERT_STORE_END_SILENCE;
    order->id = id;

    line->data = ngx_pnalloc(r->pool, sizeof("the end of silence ")
                                      + NGX_OFF_T_LEN);
    if (line->data == NULL) {
        return NGX_ERROR;
    }

    line->len = ngx_sprintf(line->data, "the end of silence %O", id)
                - line->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_control_silence_add(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *line, const char **error)
{
    ngx_int_t                    rc;
    ngx_http_ilert_source_t     *source;
    ngx_http_ilert_main_conf_t  *imcf;

    if (ngx_http_ilert_answer_arg(r, "source", &order->source) == NGX_ERROR
        || ngx_http_ilert_answer_arg(r, "alert_key", &order->key) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (order->source.len == 0) {
        *error = "source: expected the name of a source";
        return NGX_ABORT;
    }

    if (ngx_http_ilert_text_blank(&order->key)
        || order->key.len > NGX_HTTP_ILERT_CONTROL_PATTERN)
    {
        *error = "alert_key: expected an alert key, in which \"*\" is any "
                 "characters and \"?\" is one, of 1000 bytes at most";
        return NGX_ABORT;
    }

    rc = ngx_http_ilert_control_silence_for(r, order, error);

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_control_silence_comment(r, order, error);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    source = ngx_http_ilert_find_source(imcf, &order->source);

    if (source) {
        order->owner = source->shared->name;
    }

    return ngx_http_ilert_control_silence_line(r, order, line);
}


/* Sets the times of the order. */

static ngx_int_t
ngx_http_ilert_control_silence_for(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error)
{
    ngx_int_t  rc, seconds;
    ngx_str_t  value;

    if (ngx_http_ilert_answer_arg(r, "for", &value) == NGX_ERROR) {
        return NGX_ERROR;
    }

    seconds = value.len ? ngx_parse_time(&value, 1) : NGX_ERROR;

    if (seconds <= 0 || seconds > NGX_HTTP_ILERT_CONTROL_LONGEST) {
        *error = "for: expected a time such as 30m, 2h or 1d, from 1s to 365d";
        return NGX_ABORT;
    }

    rc = ngx_http_ilert_control_silence_from(r, order, error);
    if (rc != NGX_OK) {
        return rc;
    }

    order->until = order->from + (int64_t) seconds * 1000;

    if (order->until <= ngx_http_ilert_clock_now()) {
        *error = "from: it would be over already";
        return NGX_ABORT;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_control_silence_from(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error)
{
    int64_t    ns, now;
    ngx_int_t  rc;
    ngx_str_t  value;

    now = ngx_http_ilert_clock_now();

    rc = ngx_http_ilert_answer_arg(r, "from", &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (value.len == 0) {
        order->from = now;
        return NGX_OK;
    }

    rc = ngx_http_ilert_kapacitor_parse_ns(&value, &ns);

    if (rc != NGX_OK || ns <= 0
        || ns / 1000000 > now + NGX_HTTP_ILERT_CONTROL_LONGEST
                                * (int64_t) 1000)
    {
        *error = "from: expected a time of RFC 3339 such as "
                 "2026-03-01T20:00:00Z, within the next 365 days";
        return NGX_ABORT;
    }

    order->from = ns / 1000000;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_control_silence_comment(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, const char **error)
{
    if (ngx_http_ilert_answer_arg(r, "comment", &order->comment) == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    if (order->comment.len > NGX_HTTP_ILERT_CONTROL_COMMENT) {
        *error = "comment: expected 200 bytes at most";
        return NGX_ABORT;
    }

    ngx_http_ilert_text_line(&order->comment);
    ngx_http_ilert_text_trim(&order->comment);

    return NGX_OK;
}


/* Sets "line" to what is added, in one line.  The log has the time anyway. */

static ngx_int_t
ngx_http_ilert_control_silence_line(ngx_http_request_t *r,
    ngx_http_ilert_store_order_t *order, ngx_str_t *line)
{
    u_char    *p;
    size_t     key, source;
    ngx_tm_t   tm;

    key = ngx_http_ilert_text_cut(&order->key, NGX_HTTP_ILERT_CONTROL_LOGGED);
    source = ngx_http_ilert_text_cut(&order->source,
                                     NGX_HTTP_ILERT_CONTROL_LOGGED);

    p = ngx_pnalloc(r->pool, sizeof("a silence of \"\" of source \"\" from "
                                    "1970-01-01T00:00:00Z for  s")
                             + key + source + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    line->data = p;

    p = ngx_sprintf(p, "a silence of \"%*s\" of source \"%*s\"",
                    key, order->key.data, source, order->source.data);

    ngx_gmtime((time_t) (order->from / 1000), &tm);

    p = ngx_sprintf(p, " from %4d-%02d-%02dT%02d:%02d:%02dZ for %L s",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    (order->until - order->from) / 1000);

    line->len = p - line->data;

    ngx_http_ilert_text_line(line);

    return NGX_OK;
}


void
ngx_http_ilert_control_silence_write(ngx_http_ilert_json_writer_t *w,
    void *data)
{
    ngx_http_ilert_store_order_t *order = data;

    u_char  buf[64];

    ngx_http_ilert_json_raw(w, buf,
                   ngx_sprintf(buf, "{\"status\":\"ok\",\"id\":%L}\n",
                               order->made) - buf);
}
