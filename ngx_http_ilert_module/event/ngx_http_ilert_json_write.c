
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_json_token.h"


void
ngx_http_ilert_json_string(ngx_http_ilert_json_writer_t *w, ngx_str_t *value)
{
    size_t   len;
    u_char  *last;

    len = value->len;
    last = value->data + len;

    if (ngx_http_ilert_json_plain(value->data, last) != last) {
        len += ngx_escape_json(NULL, value->data, value->len);
    }

    if ((size_t) (w->last - w->pos) < len + 2) {
        w->full = 1;
        return;
    }

    *w->pos++ = '"';

    if (len == value->len) {
        w->pos = ngx_cpymem(w->pos, value->data, len);

    } else {
        w->pos = (u_char *) ngx_escape_json(w->pos, value->data, value->len);
    }

    *w->pos++ = '"';
}
