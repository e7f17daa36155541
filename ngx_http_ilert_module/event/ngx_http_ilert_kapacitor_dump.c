
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


/*
 * The default of .details() is {{ json . }}, rendered as HTML.  This dump of
 * the alert is the only place where a webhook has the names of the task, of
 * the group, and of Kapacitor's host.  A user's details may begin with a brace
 * too, so the other members of the dump must be there as well.
 */

ngx_int_t
ngx_http_ilert_kapacitor_dump(ngx_http_ilert_webhook_t *wh, ngx_pool_t *pool)
{
    ngx_str_t   text;
    ngx_uint_t  i;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("TaskName"), ngx_null_string },
        { ngx_string("Group"), ngx_null_string },
        { ngx_string("ID"), ngx_null_string },
        { ngx_string("Level"), ngx_null_string },
        { ngx_string("Name"), ngx_string("\"\"") },    /* may be missing */
        { ngx_string("ServerInfo"), ngx_null_string }
    };

    ngx_http_ilert_json_member_t  server[] = {
        { ngx_string("Hostname"), ngx_null_string }
    };

    text = wh->details;

    ngx_http_ilert_text_trim(&text);

    if (text.len == 0 || text.data[0] != '{') {
        return NGX_OK;
    }

    if (ngx_http_ilert_text_unescape(&wh->details, &text, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&text, member, 6) != NGX_OK) {
        return NGX_OK;
    }

    for (i = 0; i < 5; i++) {
        if (member[i].value.len == 0 || member[i].value.data[0] != '"') {
            return NGX_OK;
        }
    }

    wh->dump = 1;

    if (ngx_http_ilert_json_decode(&member[0].value, &wh->task, pool)
        != NGX_OK
        || ngx_http_ilert_json_decode(&member[1].value, &wh->group, pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&member[5].value, server, 1) != NGX_OK
        || server[0].value.len == 0 || server[0].value.data[0] != '"')
    {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(&server[0].value, &wh->server, pool);
}
