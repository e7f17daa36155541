
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event_digest.h"
#include "ngx_http_ilert_json.h"


ngx_int_t
ngx_http_ilert_event_lower(ngx_str_t *body, ngx_str_t *lower, ngx_pool_t *pool)
{
    u_char                        *p, *last, *from;
    ngx_http_ilert_json_member_t   member;

    static u_char  low[] = "\"priority\":\"LOW\"";

    ngx_str_set(&member.name, "priority");
    ngx_str_null(&member.value);

    if (ngx_http_ilert_json_pick(body, &member, 1) != NGX_OK) {
        return NGX_DECLINED;
    }

    lower->data = ngx_pnalloc(pool, body->len + sizeof(low));
    if (lower->data == NULL) {
        return NGX_ERROR;
    }

    last = body->data + body->len;

    if (member.value.len) {

        /* the value is replaced */

        p = ngx_cpymem(lower->data, body->data,
                       member.value.data - body->data);
        p = ngx_cpymem(p, "\"LOW\"", sizeof("\"LOW\"") - 1);
        from = member.value.data + member.value.len;

    } else {

        /* there is at least one other member, since it is an event */

        from = ngx_strlchr(body->data, last, '{') + 1;

        p = ngx_cpymem(lower->data, body->data, from - body->data);
        p = ngx_cpymem(p, low, sizeof(low) - 1);
        *p++ = ',';
    }

    p = ngx_cpymem(p, from, last - from);

    lower->len = p - lower->data;

    return NGX_OK;
}
