
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"


/* bytes of an event that depend neither on its key nor on its text */

#define NGX_HTTP_ILERT_EVENT_OWN_SIZE  256

/* bytes of a time of RFC 3339, with a zero at its end */

#define NGX_HTTP_ILERT_EVENT_OWN_TIME  sizeof("-9999-12-31T23:59:59Z")


static void ngx_http_ilert_event_own_kapacitor(ngx_http_ilert_event_t *ev,
    ngx_str_t *text, ngx_str_t *details, time_t now,
    ngx_http_ilert_json_writer_t *w);
static void ngx_http_ilert_event_own_ilert(ngx_http_ilert_event_t *ev,
    ngx_str_t *text, ngx_str_t *details, ngx_http_ilert_json_writer_t *w);


size_t
ngx_http_ilert_event_own_size(size_t key, size_t text)
{
    /* each byte may take six, as \u00XX */

    return 6 * (key + text) + NGX_HTTP_ILERT_EVENT_OWN_SIZE;
}


void
ngx_http_ilert_event_own(ngx_http_ilert_event_t *ev, ngx_uint_t passthrough,
    ngx_str_t *text, ngx_str_t *details, time_t now, u_char *last)
{
    ngx_http_ilert_json_writer_t  w;

    w.pos = ev->body.data;
    w.last = last;
    w.full = 0;

    if (passthrough) {
        ngx_http_ilert_event_own_kapacitor(ev, text, details, now, &w);

    } else {
        ngx_http_ilert_event_own_ilert(ev, text, details, &w);
    }

    ev->body.len = w.pos - ev->body.data;
}


/* what Kapacitor would have sent; "previousLevel" is not in old releases */

static void
ngx_http_ilert_event_own_kapacitor(ngx_http_ilert_event_t *ev, ngx_str_t *text,
    ngx_str_t *details, time_t now, ngx_http_ilert_json_writer_t *w)
{
    u_char     buf[NGX_HTTP_ILERT_EVENT_OWN_TIME];
    ngx_str_t  when;
    struct tm  tm;

    gmtime_r(&now, &tm);

    when.data = buf;
    when.len = strftime((char *) buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);

    ngx_http_ilert_json_literal(w, "{\"id\":");
    ngx_http_ilert_json_string(w, &ev->alert_key);
    ngx_http_ilert_json_literal(w, ",\"message\":");
    ngx_http_ilert_json_string(w, text);
    ngx_http_ilert_json_literal(w, ",\"details\":");
    ngx_http_ilert_json_string(w, details);
    ngx_http_ilert_json_literal(w, ",\"time\":");
    ngx_http_ilert_json_string(w, &when);
    ngx_http_ilert_json_literal(w, ",\"duration\":0,\"level\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_level_names[ev->level]);
    ngx_http_ilert_json_literal(w, ",\"data\":{\"series\":null}}");
}


static void
ngx_http_ilert_event_own_ilert(ngx_http_ilert_event_t *ev, ngx_str_t *text,
    ngx_str_t *details, ngx_http_ilert_json_writer_t *w)
{
    ngx_http_ilert_json_literal(w, "{\"eventType\":");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_types[ev->type]);
    ngx_http_ilert_json_literal(w, ",\"summary\":");
    ngx_http_ilert_json_string(w, text);

    if (details->len) {
        ngx_http_ilert_json_literal(w, ",\"details\":");
        ngx_http_ilert_json_string(w, details);
    }

    ngx_http_ilert_json_literal(w, ",\"alertKey\":");
    ngx_http_ilert_json_string(w, &ev->alert_key);

    if (ev->priority == NGX_HTTP_ILERT_LOW) {
        ngx_http_ilert_json_literal(w, ",\"priority\":\"LOW\"");
    }

    ngx_http_ilert_json_literal(w, "}");
}
