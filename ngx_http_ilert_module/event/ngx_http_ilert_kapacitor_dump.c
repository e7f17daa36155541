
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_dump.h"
#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


ngx_int_t
ngx_http_ilert_kapacitor_dump(ngx_http_ilert_webhook_t *wh, ngx_pool_t *pool)
{
    ngx_int_t                         rc;
    ngx_http_ilert_kapacitor_dump_t   dump;

    ngx_http_ilert_json_member_t  server[] = {
        { ngx_string("Hostname"), ngx_null_string }
    };

    rc = ngx_http_ilert_kapacitor_read_dump(&wh->details, &dump, pool);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : NGX_ERROR;
    }

    wh->dump = 1;

    if (ngx_http_ilert_json_decode(&dump.task, &wh->task, pool) != NGX_OK
        || ngx_http_ilert_json_decode(&dump.group, &wh->group, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&dump.server, server, 1) != NGX_OK
        || server[0].value.len == 0 || server[0].value.data[0] != '"')
    {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(&server[0].value, &wh->server, pool);
}


/*
 * The default of .details() is {{ json . }}, rendered as HTML.  This dump of
 * the alert is the only place where a webhook has the names of the task, of
 * the group, and of Kapacitor's host.  A user's details may begin with a brace
 * too, so the other members of the dump must be there as well.
 */

ngx_int_t
ngx_http_ilert_kapacitor_read_dump(ngx_str_t *details,
    ngx_http_ilert_kapacitor_dump_t *dump, ngx_pool_t *pool)
{
    ngx_str_t   text;
    ngx_uint_t  i;

    ngx_http_ilert_json_member_t  member[] = {
        { ngx_string("TaskName"), ngx_null_string },
        { ngx_string("Group"), ngx_null_string },
        { ngx_string("ID"), ngx_null_string },
        { ngx_string("Level"), ngx_null_string },
        { ngx_string("Name"), ngx_string("\"\"") },    /* may be missing */
        { ngx_string("ServerInfo"), ngx_null_string },
        { ngx_string("Tags"), ngx_null_string },
        { ngx_string("Fields"), ngx_null_string }
    };

    text = *details;

    ngx_http_ilert_text_trim(&text);

    if (text.len == 0 || text.data[0] != '{') {
        return NGX_DECLINED;
    }

    if (ngx_http_ilert_text_unescape(details, &text, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_ilert_json_pick(&text, member, 8) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < 5; i++) {
        if (member[i].value.len == 0 || member[i].value.data[0] != '"') {
            return NGX_DECLINED;
        }
    }

    dump->task = member[0].value;
    dump->group = member[1].value;
    dump->name = member[4].value;
    dump->server = member[5].value;
    dump->tags = member[6].value;
    dump->fields = member[7].value;

    return NGX_OK;
}
