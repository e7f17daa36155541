
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor_parse.h"
#include "ngx_http_ilert_text.h"


/* The first few notes of what is odd are kept, each of so many bytes. */

#define NGX_HTTP_ILERT_KAPACITOR_NOTES       4
#define NGX_HTTP_ILERT_KAPACITOR_NOTE        192
#define NGX_HTTP_ILERT_KAPACITOR_NOTES_SIZE                                   \
    (NGX_HTTP_ILERT_KAPACITOR_NOTES * (NGX_HTTP_ILERT_KAPACITOR_NOTE + 2)     \
     + sizeof("; and  more") - 1 + NGX_INT_T_LEN)


static ngx_http_ilert_kapacitor_member_t *ngx_http_ilert_kapacitor_find(
    ngx_http_ilert_kapacitor_member_t *members, ngx_str_t *name,
    ngx_uint_t *exact);
static ngx_uint_t ngx_http_ilert_kapacitor_is_text(u_char first);
static const char *ngx_http_ilert_kapacitor_type(u_char first);


/* Of members with the same name the last one counts, as it does in Go. */

ngx_int_t
ngx_http_ilert_kapacitor_members(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *members, void *data)
{
    ngx_int_t                           rc;
    ngx_str_t                           name;
    ngx_uint_t                          exact;
    ngx_http_ilert_json_reader_t       *reader;
    ngx_http_ilert_kapacitor_member_t  *m;

    exact = 0;
    reader = &ctx->reader;

    rc = ngx_http_ilert_json_enter(reader, '{');

    while (rc == NGX_OK) {

        ngx_str_null(&ctx->member);

        if (ngx_http_ilert_json_name(reader, &name) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (ngx_http_ilert_json_decode(&name, &name, ctx->pool) != NGX_OK) {
            return NGX_ERROR;
        }

        ctx->member = name;

        m = ngx_http_ilert_kapacitor_find(members, &name, &exact);

        if (m == NULL) {
            rc = ngx_http_ilert_json_skip(reader);

        } else if (!ngx_http_ilert_text_same(&m->name, &name)
                   && ngx_http_ilert_kapacitor_note(ctx, "%V: read as %V",
                                                    &name, &m->name)
                      != NGX_OK)
        {
            return NGX_ERROR;

        } else {
            rc = m->handler(ctx, m, (u_char *) data + m->offset);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_http_ilert_json_next(reader, '}');
    }

    return (rc == NGX_DONE) ? NGX_OK : rc;
}


/*
 * Finds the member of a name.  If it has another case, as with "Level", it is
 * one that Go's own decoder would take, unless there was one whose case is
 * right.  "exact" has a bit for each of those.
 */

static ngx_http_ilert_kapacitor_member_t *
ngx_http_ilert_kapacitor_find(ngx_http_ilert_kapacitor_member_t *members,
    ngx_str_t *name, ngx_uint_t *exact)
{
    ngx_http_ilert_kapacitor_member_t  *m;

    for (m = members; m->name.len; m++) {
        if (ngx_http_ilert_text_same(&m->name, name)) {
            *exact |= (ngx_uint_t) 1 << (m - members);
            return m;
        }
    }

    for (m = members; m->name.len; m++) {
        if (m->name.len == name->len
            && ngx_strncasecmp(m->name.data, name->data, name->len) == 0)
        {
            return (*exact & (ngx_uint_t) 1 << (m - members)) ? NULL : m;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_kapacitor_text(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *text, u_char *first)
{
    ngx_str_t  token;

    ngx_str_null(text);

    *first = ngx_http_ilert_json_peek(&ctx->reader);

    if (*first == '{' || *first == '[') {
        return ngx_http_ilert_json_skip(&ctx->reader);
    }

    if (ngx_http_ilert_json_scalar(&ctx->reader, &token) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (*first == 'n') {
        return NGX_OK;
    }

    return ngx_http_ilert_json_decode(&token, text, ctx->pool);
}


ngx_int_t ngx_cdecl
ngx_http_ilert_kapacitor_skip(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *member, ...)
{
    u_char   *p, first, buf[NGX_HTTP_ILERT_KAPACITOR_NOTE];
    va_list   args;

    first = ngx_http_ilert_json_peek(&ctx->reader);

    if (ngx_http_ilert_json_skip(&ctx->reader) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (first == 'n') {
        return NGX_OK;
    }

    va_start(args, member);
    p = ngx_vslprintf(buf, buf + sizeof(buf), member, args);
    va_end(args);

    return ngx_http_ilert_kapacitor_odd(ctx, first, "left out", "%*s",
                                        (size_t) (p - buf), buf);
}


ngx_int_t ngx_cdecl
ngx_http_ilert_kapacitor_odd(ngx_http_ilert_kapacitor_ctx_t *ctx,
    u_char first, const char *what, const char *member, ...)
{
    u_char   *p, buf[NGX_HTTP_ILERT_KAPACITOR_NOTE];
    va_list   args;

    if (ctx->nodd >= NGX_HTTP_ILERT_KAPACITOR_NOTES) {
        ctx->nodd++;
        return NGX_OK;
    }

    va_start(args, member);
    p = ngx_vslprintf(buf, buf + sizeof(buf), member, args);
    va_end(args);

    if (what == NULL) {
        what = ngx_http_ilert_kapacitor_is_text(first) ? "taken as text"
                                                       : "left out";
    }

    return ngx_http_ilert_kapacitor_note(ctx, "%*s: %s, %s",
                                         (size_t) (p - buf), buf,
                                         ngx_http_ilert_kapacitor_type(first),
                                         what);
}


ngx_int_t ngx_cdecl
ngx_http_ilert_kapacitor_note(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *what, ...)
{
    u_char     *p, *last;
    va_list     args;
    ngx_str_t  *odd;

    if (ctx->nodd++ >= NGX_HTTP_ILERT_KAPACITOR_NOTES) {
        return NGX_OK;
    }

    odd = &ctx->webhook->odd;

    if (odd->data == NULL) {
        odd->data = ngx_pnalloc(ctx->pool,
                                NGX_HTTP_ILERT_KAPACITOR_NOTES_SIZE);
        if (odd->data == NULL) {
            return NGX_ERROR;
        }
    }

    p = odd->data + odd->len;
    last = odd->data + NGX_HTTP_ILERT_KAPACITOR_NOTES_SIZE;

    if (odd->len) {
        p = ngx_cpymem(p, "; ", 2);
    }

    va_start(args, what);
    p = ngx_vslprintf(p, ngx_min(p + NGX_HTTP_ILERT_KAPACITOR_NOTE, last),
                      what, args);
    va_end(args);

    odd->len = p - odd->data;

    return NGX_OK;
}


void
ngx_http_ilert_kapacitor_end_notes(ngx_http_ilert_kapacitor_ctx_t *ctx)
{
    ngx_str_t  *odd;

    odd = &ctx->webhook->odd;

    if (ctx->nodd > NGX_HTTP_ILERT_KAPACITOR_NOTES) {
        odd->len = ngx_sprintf(odd->data + odd->len, "; and %ui more",
                               ctx->nodd - NGX_HTTP_ILERT_KAPACITOR_NOTES)
                   - odd->data;
    }

    ngx_http_ilert_text_line(odd);
}


/* Returns true if a value that begins so can be taken as text. */

static ngx_uint_t
ngx_http_ilert_kapacitor_is_text(u_char first)
{
    return first != '{' && first != '[' && first != 'n';
}


static const char *
ngx_http_ilert_kapacitor_type(u_char first)
{
    switch (first) {

    case '"':
        return "a string";

    case '{':
        return "an object";

    case '[':
        return "an array";

    case 'n':
        return "null";

    case 't':
    case 'f':
        return "a boolean";

    default:
        return "a number";
    }
}


ngx_int_t ngx_cdecl
ngx_http_ilert_kapacitor_error(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *fmt, ...)
{
    u_char   *p;
    size_t    size;
    va_list   args;

    size = NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME + 256;

    ctx->error->data = ngx_pnalloc(ctx->pool, size);
    if (ctx->error->data == NULL) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(ctx->error->data, ctx->error->data + size, fmt, args);
    va_end(args);

    ctx->error->len = p - ctx->error->data;

    ngx_http_ilert_text_line(ctx->error);

    return NGX_DECLINED;
}
