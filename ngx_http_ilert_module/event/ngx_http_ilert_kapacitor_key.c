
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


/*
 * Of a key that is longer than this many bytes the digest is made when the
 * webhook is parsed.
 */

#define NGX_HTTP_ILERT_KAPACITOR_LONG_KEY    65536


static ngx_int_t ngx_http_ilert_kapacitor_series_key(
    ngx_http_ilert_webhook_t *wh, ngx_str_t *key, ngx_pool_t *pool);
static void ngx_http_ilert_kapacitor_text_md5(ngx_str_t *text,
    u_char *digest);


ngx_int_t
ngx_http_ilert_kapacitor_key(ngx_http_ilert_webhook_t *wh, ngx_pool_t *pool)
{
    ngx_str_t  *key;

    key = &wh->key;

    if (!ngx_http_ilert_text_blank(&wh->id)) {
        *key = wh->id;

    } else if (wh->series.nelts
               && ngx_http_ilert_kapacitor_series_key(wh, key, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (key->len > NGX_HTTP_ILERT_KAPACITOR_LONG_KEY) {
        ngx_http_ilert_kapacitor_text_md5(key, wh->key_md5);
    }

    return NGX_OK;
}


/* Makes the key name{tag=value,tag=value} of the first series. */

static ngx_int_t
ngx_http_ilert_kapacitor_series_key(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *key, ngx_pool_t *pool)
{
    u_char                   *p, open;
    size_t                    len;
    ngx_uint_t                i;
    ngx_keyval_t             *tag;
    ngx_http_ilert_series_t  *series;

    series = wh->series.elts;

    if (ngx_http_ilert_text_blank(&series->name) && series->tags.nelts == 0) {
        return NGX_OK;
    }

    tag = series->tags.elts;
    len = series->name.len + sizeof("{}") - 1;

    for (i = 0; i < series->tags.nelts; i++) {
        len += tag[i].key.len + tag[i].value.len + sizeof("=,") - 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    key->data = p;

    p = ngx_cpymem(p, series->name.data, series->name.len);

    open = '{';

    for (i = 0; i < series->tags.nelts; i++) {

        if (tag[i].key.data == NULL) {
            continue;
        }

        *p++ = open;
        open = ',';

        p = ngx_cpymem(p, tag[i].key.data, tag[i].key.len);
        *p++ = '=';
        p = ngx_cpymem(p, tag[i].value.data, tag[i].value.len);
    }

    if (open == ',') {
        *p++ = '}';
    }

    key->len = p - key->data;

    return NGX_OK;
}


void
ngx_http_ilert_kapacitor_md5(ngx_http_ilert_webhook_t *wh, ngx_str_t *text,
    u_char *md5)
{
    if (text->len > NGX_HTTP_ILERT_KAPACITOR_LONG_KEY
        && ngx_http_ilert_text_same(text, &wh->key))
    {
        ngx_memcpy(md5, wh->key_md5, sizeof(wh->key_md5));

    } else {
        ngx_http_ilert_kapacitor_text_md5(text, md5);
    }
}


int64_t
ngx_http_ilert_kapacitor_ns(ngx_http_ilert_webhook_t *wh)
{
    int64_t  ns;

    if (ngx_http_ilert_kapacitor_parse_ns(&wh->time, &ns) != NGX_OK) {
        return INT64_MIN;
    }

    return ns;
}


/*
 * The duration of the first one is 0.  Kapacitor's clock may be ahead of ours,
 * but no alert begins after "now".
 */

int64_t
ngx_http_ilert_kapacitor_began(ngx_http_ilert_webhook_t *wh, ngx_str_t *key,
    int64_t now)
{
    int64_t    ns;
    ngx_str_t  id, alert_key;

    id = wh->id;
    alert_key = *key;

    ngx_http_ilert_text_trim(&id);
    ngx_http_ilert_text_trim(&alert_key);

    if (id.len == 0 || id.len != alert_key.len
        || ngx_strncasecmp(id.data, alert_key.data, id.len) != 0
        || ngx_atoof(wh->duration.data, wh->duration.len) != 0)
    {
        return 0;
    }

    ns = ngx_http_ilert_kapacitor_ns(wh);

    if (ns == INT64_MIN) {
        return 0;
    }

    return ngx_max(ngx_min(ns / 1000000, now), 0);
}


/*
 * The number is written, so that the digest does not depend on the order of
 * bytes of the machine: a database may be taken to another one.  It is written
 * without a sign, since nginx negates numbers that have one, which the least
 * one does not allow.
 */

uint64_t
ngx_http_ilert_kapacitor_digest(ngx_http_ilert_webhook_t *wh)
{
    u_char      *p, head[NGX_INT64_LEN + NGX_INT_T_LEN + sizeof(" :")],
                 digest[16];
    uint64_t     n;
    ngx_md5_t    md5;
    ngx_uint_t   i;

    p = ngx_sprintf(head, "%uL %ui:",
                    (uint64_t) ngx_http_ilert_kapacitor_ns(wh),
                    (ngx_uint_t) wh->level);

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, head, p - head);
    ngx_md5_update(&md5, wh->message.data, wh->message.len);
    ngx_md5_final(digest, &md5);

    for (i = 0, n = 0; i < sizeof(uint64_t); i++) {
        n = n << 8 | digest[i];
    }

    return n;
}


static void
ngx_http_ilert_kapacitor_text_md5(ngx_str_t *text, u_char *digest)
{
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, text->data, text->len);
    ngx_md5_final(digest, &md5);
}
