
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_text.h"


/* bytes of the text that says why; the alert's key takes at most half of it */

#define NGX_HTTP_ILERT_EVENT_SILENT_TEXT  512

/* bytes of the whole event that do not depend on the key */

#define NGX_HTTP_ILERT_EVENT_SILENT_SIZE  (NGX_HTTP_ILERT_EVENT_SILENT_TEXT   \
                                           + 256)


static u_char *ngx_http_ilert_event_silent_text(u_char *p, ngx_str_t *key,
    ngx_msec_t silence);
static u_char *ngx_http_ilert_event_time(u_char *p, time_t now);


size_t
ngx_http_ilert_event_silent_size(ngx_str_t *key)
{
    /* The key is written twice, and each byte may take six, as \u00XX. */

    return 2 * 6 * key->len + NGX_HTTP_ILERT_EVENT_SILENT_SIZE;
}


void
ngx_http_ilert_event_silent(ngx_http_ilert_event_t *ev, ngx_uint_t passthrough,
    ngx_msec_t silence, time_t now, u_char *last)
{
    u_char                         buf[NGX_HTTP_ILERT_EVENT_SILENT_TEXT];
    ngx_str_t                      text;
    ngx_http_ilert_json_writer_t   w;

    text.data = ev->alert_key.data;
    text.len = ngx_http_ilert_text_cut(&ev->alert_key,
                                       NGX_HTTP_ILERT_EVENT_SILENT_TEXT / 2);

    text.len = ngx_http_ilert_event_silent_text(buf, &text, silence) - buf;
    text.data = buf;

    w.pos = ev->body.data;
    w.last = last;
    w.full = 0;

    if (passthrough) {
        ngx_http_ilert_json_literal(&w, "{\"id\":");
        ngx_http_ilert_json_string(&w, &ev->alert_key);
        ngx_http_ilert_json_literal(&w, ",\"message\":");
        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"details\":\"\",\"time\":");

        text.len = ngx_http_ilert_event_time(buf, now) - buf;

        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"duration\":0,\"level\":\"OK\","
                                        "\"data\":{\"series\":null}}");

    } else {
        ngx_http_ilert_json_literal(&w, "{\"eventType\":\"RESOLVE\","
                                        "\"summary\":");
        ngx_http_ilert_json_string(&w, &text);
        ngx_http_ilert_json_literal(&w, ",\"alertKey\":");
        ngx_http_ilert_json_string(&w, &ev->alert_key);
        ngx_http_ilert_json_literal(&w, "}");
    }

    ev->body.len = w.pos - ev->body.data;
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


/* Writes a time of RFC 3339, in UTC. */

static u_char *
ngx_http_ilert_event_time(u_char *p, time_t now)
{
    struct tm  tm;

    gmtime_r(&now, &tm);

    return p + strftime((char *) p, NGX_HTTP_ILERT_EVENT_SILENT_TEXT,
                        "%Y-%m-%dT%H:%M:%SZ", &tm);
}
