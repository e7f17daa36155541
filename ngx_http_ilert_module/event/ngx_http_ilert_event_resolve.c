
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_rules.h"
#include "ngx_http_ilert_text.h"


/* bytes of the text that says why; the alert's key takes at most half of it */

#define NGX_HTTP_ILERT_EVENT_RESOLVE_TEXT  512


static u_char *ngx_http_ilert_event_resolve_text(u_char *p, u_char *last,
    ngx_uint_t own, ngx_uint_t level, ngx_msec_t silence);
static u_char *ngx_http_ilert_event_resolve_time(u_char *p, u_char *last,
    ngx_msec_t ms);


size_t
ngx_http_ilert_event_resolve_size(ngx_str_t *key)
{
    return ngx_http_ilert_event_own_size(key->len,
                                         NGX_HTTP_ILERT_EVENT_RESOLVE_TEXT);
}


void
ngx_http_ilert_event_resolve(ngx_http_ilert_event_t *ev, ngx_uint_t own,
    ngx_uint_t level, ngx_msec_t silence, ngx_uint_t passthrough, time_t now,
    u_char *last)
{
    u_char     *p, buf[NGX_HTTP_ILERT_EVENT_RESOLVE_TEXT];
    size_t      len;
    ngx_str_t   text, none;

    len = ngx_http_ilert_text_cut(&ev->alert_key,
                                  NGX_HTTP_ILERT_EVENT_RESOLVE_TEXT / 2);

    p = ngx_cpymem(buf, ev->alert_key.data, len);
    p = ngx_http_ilert_event_resolve_text(p, buf + sizeof(buf), own, level,
                                          silence);

    text.data = buf;
    text.len = p - buf;

    ev->type = NGX_HTTP_ILERT_RESOLVE;
    ev->level = NGX_HTTP_ILERT_OK;

    ngx_str_null(&none);

    ngx_http_ilert_event_own(ev, passthrough, &text, &none, now, last);
}


/*
 * Writes why the alert is resolved, which follows its key, at p, and returns
 * the place behind it.
 */

static u_char *
ngx_http_ilert_event_resolve_text(u_char *p, u_char *last, ngx_uint_t own,
    ngx_uint_t level, ngx_msec_t silence)
{
    switch (own) {

    case NGX_HTTP_ILERT_OWN_ORDER:
        return ngx_slprintf(p, last, ": resolved by an operator");

    case NGX_HTTP_ILERT_OWN_REOPEN:
        return ngx_slprintf(p, last, " is %V now: opened again so that people "
                            "are called", &ngx_http_ilert_level_names[level]);

    default: /* NGX_HTTP_ILERT_OWN_SILENT */
        p = ngx_slprintf(p, last, ": no event for ");
        p = ngx_http_ilert_event_resolve_time(p, last, silence);

        return ngx_slprintf(p, last, ", resolved by nginx");
    }
}


/* The time is written as in nginx's configuration: 1h30m. */

static u_char *
ngx_http_ilert_event_resolve_time(u_char *p, u_char *last, ngx_msec_t ms)
{
    ngx_uint_t  i;

    static struct {
        ngx_msec_t   ms;
        const char  *name;
    } units[] = {
        { 24 * 60 * 60 * 1000, "d" },
        { 60 * 60 * 1000, "h" },
        { 60 * 1000, "m" },
        { 1000, "s" },
        { 1, "ms" }
    };

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (ms >= units[i].ms) {
            p = ngx_slprintf(p, last, "%M%s", ms / units[i].ms, units[i].name);
            ms %= units[i].ms;
        }
    }

    return p;
}
