
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_write.h"
#include "ngx_http_ilert_text.h"


/* bytes of a source's name that are shown */

#define NGX_HTTP_ILERT_EVENT_TEST_NAME  128


ngx_int_t
ngx_http_ilert_event_test(ngx_http_ilert_event_t *ev, ngx_str_t *source,
    ngx_uint_t passthrough, time_t now, ngx_pool_t *pool)
{
    size_t       size;
    ngx_str_t    name, text, none;
    const char  *end;

    ev->level = NGX_HTTP_ILERT_OK;
    ev->prompt = 1;
    end = " is over";

    if (ev->type == NGX_HTTP_ILERT_ALERT) {

        /* the lowest level of which ilert makes an alert by itself */

        ev->level = NGX_HTTP_ILERT_WARNING;
        ev->priority = NGX_HTTP_ILERT_LOW;
        ev->silence = NGX_HTTP_ILERT_EVENT_TEST_SILENCE;
        end = ", which is resolved at once";
    }

    name = *source;

    if (ngx_http_ilert_text_valid(&name, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    name.len = ngx_http_ilert_text_cut(&name, NGX_HTTP_ILERT_EVENT_TEST_NAME);

    text.data = ngx_pnalloc(pool, sizeof("Test of the source \"\" by nginx")
                                  + name.len + ngx_strlen(end));
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = ngx_sprintf(text.data, "Test of the source \"%V\" by nginx%s",
                           &name, end)
               - text.data;

    size = ngx_http_ilert_event_own_size(ev->alert_key.len, text.len);

    ev->body.data = ngx_pnalloc(pool, size);
    if (ev->body.data == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&none);

    ngx_http_ilert_event_own(ev, passthrough, &text, &none, now,
                             ev->body.data + size);

    return NGX_OK;
}
