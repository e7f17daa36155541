
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/* bytes of the text that says why; the alert's key takes at most half of it */

#define NGX_HTTP_ILERT_EVENT_SILENT_TEXT  512


static u_char *ngx_http_ilert_event_silent_text(u_char *p, ngx_str_t *key,
    ngx_msec_t silence);


size_t
ngx_http_ilert_event_silent_size(ngx_str_t *key)
{
    return ngx_http_ilert_event_own_size(key->len,
                                         NGX_HTTP_ILERT_EVENT_SILENT_TEXT);
}


void
ngx_http_ilert_event_silent(ngx_http_ilert_event_t *ev, ngx_uint_t passthrough,
    ngx_msec_t silence, time_t now, u_char *last)
{
    u_char     buf[NGX_HTTP_ILERT_EVENT_SILENT_TEXT];
    ngx_str_t  text, none;

    text.data = ev->alert_key.data;
    text.len = ngx_http_ilert_text_cut(&ev->alert_key,
                                       NGX_HTTP_ILERT_EVENT_SILENT_TEXT / 2);

    text.len = ngx_http_ilert_event_silent_text(buf, &text, silence) - buf;
    text.data = buf;

    ev->type = NGX_HTTP_ILERT_RESOLVE;
    ev->level = NGX_HTTP_ILERT_OK;

    ngx_str_null(&none);

    ngx_http_ilert_event_own(ev, passthrough, &text, &none, now, last);
}


/*
 * Writes the text that says why the alert is resolved, at p, and returns the
 * place behind it.  The time is written as in nginx's configuration: 1h30m.
 */

static u_char *
ngx_http_ilert_event_silent_text(u_char *p, ngx_str_t *key, ngx_msec_t silence)
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

    p = ngx_cpymem(p, key->data, key->len);
    p = ngx_cpymem(p, ": no event for ", sizeof(": no event for ") - 1);

    for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (silence >= units[i].ms) {
            p = ngx_sprintf(p, "%M%s", silence / units[i].ms, units[i].name);
            silence %= units[i].ms;
        }
    }

    return ngx_cpymem(p, ", resolved by nginx",
                      sizeof(", resolved by nginx") - 1);
}
