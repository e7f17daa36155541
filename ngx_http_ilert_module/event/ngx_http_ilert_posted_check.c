
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_posted.h"
#include "ngx_http_ilert_text.h"


/* bytes of a name from the body that an error shows */

#define NGX_HTTP_ILERT_POSTED_NAME  64


typedef enum {
    ngx_http_ilert_posted_string = 0,
    ngx_http_ilert_posted_integer,          /* of 64 bits */
    ngx_http_ilert_posted_priority,
    ngx_http_ilert_posted_type,
    ngx_http_ilert_posted_severity,
    ngx_http_ilert_posted_object,
    ngx_http_ilert_posted_strings,          /* an object of strings */
    ngx_http_ilert_posted_items             /* an array of objects */
} ngx_http_ilert_posted_kind_e;


/* a member of an item; the list ends with an empty name */

typedef struct {
    ngx_str_t                      name;
    ngx_http_ilert_posted_kind_e   kind;
} ngx_http_ilert_posted_item_t;


typedef struct {
    ngx_http_ilert_posted_kind_e   kind;
    ngx_http_ilert_posted_item_t  *items;
} ngx_http_ilert_posted_rule_t;


typedef struct {
    ngx_http_ilert_posted_t       *posted;
    ngx_str_t                      path;    /* of the value, for errors */
    ngx_str_t                     *error;
    ngx_pool_t                    *pool;
} ngx_http_ilert_posted_ctx_t;


static ngx_int_t ngx_http_ilert_posted_check_one(
    ngx_http_ilert_posted_ctx_t *ctx, ngx_http_ilert_posted_rule_t *rule,
    ngx_str_t *value);
static ngx_uint_t ngx_http_ilert_posted_fits(
    ngx_http_ilert_posted_kind_e kind, ngx_str_t *value);
static ngx_int_t ngx_http_ilert_posted_check_word(
    ngx_http_ilert_posted_ctx_t *ctx, ngx_http_ilert_posted_kind_e kind,
    ngx_str_t *value);
static ngx_int_t ngx_http_ilert_posted_check_items(
    ngx_http_ilert_posted_ctx_t *ctx, ngx_http_ilert_posted_item_t *items,
    ngx_str_t *value);
static ngx_int_t ngx_http_ilert_posted_check_members(
    ngx_http_ilert_posted_ctx_t *ctx, ngx_http_ilert_posted_item_t *items,
    ngx_http_ilert_json_reader_t *r);
static ngx_int_t ngx_http_ilert_posted_misfit(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_str_t *name, ngx_http_ilert_posted_kind_e kind);


ngx_str_t  ngx_http_ilert_posted_names[] = {
    ngx_string("integrationKey"),
    ngx_string("apiKey"),
    ngx_string("eventType"),
    ngx_string("summary"),
    ngx_string("alertKey"),
    ngx_string("incidentKey"),
    ngx_string("priority"),
    ngx_string("severity"),
    ngx_string("details"),
    ngx_string("images"),
    ngx_string("links"),
    ngx_string("comments"),
    ngx_string("labels"),
    ngx_string("services"),
    ngx_string("customDetails"),
    ngx_string("routingKey")
};


static ngx_http_ilert_posted_item_t  ngx_http_ilert_posted_images[] = {
    { ngx_string("src"), ngx_http_ilert_posted_string },
    { ngx_string("href"), ngx_http_ilert_posted_string },
    { ngx_string("alt"), ngx_http_ilert_posted_string },
    { ngx_null_string, 0 }
};


static ngx_http_ilert_posted_item_t  ngx_http_ilert_posted_links[] = {
    { ngx_string("href"), ngx_http_ilert_posted_string },
    { ngx_string("text"), ngx_http_ilert_posted_string },
    { ngx_null_string, 0 }
};


static ngx_http_ilert_posted_item_t  ngx_http_ilert_posted_comments[] = {
    { ngx_string("creator"), ngx_http_ilert_posted_string },
    { ngx_string("content"), ngx_http_ilert_posted_string },
    { ngx_null_string, 0 }
};


static ngx_http_ilert_posted_item_t  ngx_http_ilert_posted_services[] = {
    { ngx_string("id"), ngx_http_ilert_posted_integer },
    { ngx_string("alias"), ngx_http_ilert_posted_string },
    { ngx_null_string, 0 }
};


/* The index is a ngx_http_ilert_posted_e. */

static ngx_http_ilert_posted_rule_t  ngx_http_ilert_posted_rules[] = {
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_type, NULL },
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_priority, NULL },
    { ngx_http_ilert_posted_severity, NULL },
    { ngx_http_ilert_posted_string, NULL },
    { ngx_http_ilert_posted_items, ngx_http_ilert_posted_images },
    { ngx_http_ilert_posted_items, ngx_http_ilert_posted_links },
    { ngx_http_ilert_posted_items, ngx_http_ilert_posted_comments },
    { ngx_http_ilert_posted_strings, NULL },
    { ngx_http_ilert_posted_items, ngx_http_ilert_posted_services },
    { ngx_http_ilert_posted_object, NULL },
    { ngx_http_ilert_posted_string, NULL }
};


/* The index is a ngx_http_ilert_posted_kind_e. */

static const char  *ngx_http_ilert_posted_allowed[] = {
    "a string",
    "a whole number of 64 bits",
    "\"HIGH\" or \"LOW\"",
    "\"ALERT\", \"ACCEPT\", \"RESOLVE\" or \"COMMENT\"",
    "a whole number from 1 to 5",
    "an object",
    "an object of strings",
    "an array of objects"
};


ngx_int_t
ngx_http_ilert_posted_check(ngx_http_ilert_posted_t *posted, ngx_str_t *error,
    ngx_pool_t *pool)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_ilert_posted_ctx_t   ctx;

    ctx.posted = posted;
    ctx.error = error;
    ctx.pool = pool;

    for (i = 0; i < NGX_HTTP_ILERT_POSTED_N; i++) {

        if (posted->values[i].len == 0) {
            continue;
        }

        ctx.path = ngx_http_ilert_posted_names[i];

        rc = ngx_http_ilert_posted_check_one(&ctx,
                                             &ngx_http_ilert_posted_rules[i],
                                             &posted->values[i]);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_posted_check_one(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_http_ilert_posted_rule_t *rule, ngx_str_t *value)
{
    ngx_http_ilert_json_reader_t  r;

    if (!ngx_http_ilert_posted_fits(rule->kind, value)) {
        return ngx_http_ilert_posted_misfit(ctx, NULL, rule->kind);
    }

    switch (rule->kind) {

    case ngx_http_ilert_posted_type:
    case ngx_http_ilert_posted_priority:
        return ngx_http_ilert_posted_check_word(ctx, rule->kind, value);

    case ngx_http_ilert_posted_strings:
        ngx_http_ilert_json_init(&r, value, NGX_HTTP_ILERT_JSON_ANY_NUMBER);
        return ngx_http_ilert_posted_check_members(ctx, NULL, &r);

    case ngx_http_ilert_posted_items:
        return ngx_http_ilert_posted_check_items(ctx, rule->items, value);

    default:
        return NGX_OK;
    }
}


/* Returns 1 if the value is of the kind, as far as its own type says. */

static ngx_uint_t
ngx_http_ilert_posted_fits(ngx_http_ilert_posted_kind_e kind, ngx_str_t *value)
{
    u_char  *p;
    size_t   len;

    p = value->data;
    len = value->len;

    switch (kind) {

    case ngx_http_ilert_posted_integer:

        if (*p == '-') {
            p++;
            len--;
        }

        return ngx_atoof(p, len) != NGX_ERROR;

    case ngx_http_ilert_posted_severity:
        return len == 1 && *p >= '1' && *p <= '5';

    case ngx_http_ilert_posted_object:
    case ngx_http_ilert_posted_strings:
        return *p == '{';

    case ngx_http_ilert_posted_items:
        return *p == '[';

    default: /* a string, or a word, which is one */
        return *p == '"';
    }
}


/* Finds the type, or the priority, of that name. */

static ngx_int_t
ngx_http_ilert_posted_check_word(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_http_ilert_posted_kind_e kind, ngx_str_t *value)
{
    ngx_str_t   name, *words;
    ngx_uint_t  i, n;

    static ngx_str_t  priorities[] = {
        ngx_null_string,
        ngx_string("LOW"),
        ngx_string("HIGH")
    };

    if (ngx_http_ilert_json_decode(value, &name, ctx->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    words = ngx_http_ilert_types;
    n = NGX_HTTP_ILERT_COMMENT;

    if (kind == ngx_http_ilert_posted_priority) {
        words = priorities;
        n = NGX_HTTP_ILERT_HIGH;
    }

    for (i = 1; i <= n; i++) {

        if (!ngx_http_ilert_text_same(&words[i], &name)) {
            continue;
        }

        if (kind == ngx_http_ilert_posted_priority) {
            ctx->posted->priority = i;

        } else {
            ctx->posted->type = i;
        }

        return NGX_OK;
    }

    return ngx_http_ilert_posted_misfit(ctx, NULL, kind);
}


static ngx_int_t
ngx_http_ilert_posted_check_items(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_http_ilert_posted_item_t *items, ngx_str_t *value)
{
    u_char                        *p, buf[NGX_HTTP_ILERT_POSTED_NAME];
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_http_ilert_json_reader_t   r;

    name = ctx->path;

    ngx_http_ilert_json_init(&r, value, NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    rc = ngx_http_ilert_json_enter(&r, '[');

    for (i = 0; rc == NGX_OK; i++) {

        p = ngx_snprintf(buf, sizeof(buf), "%V[%ui]", &name, i);

        ctx->path.data = buf;
        ctx->path.len = p - buf;

        if (ngx_http_ilert_json_peek(&r) != '{') {
            return ngx_http_ilert_posted_misfit(ctx, NULL,
                                               ngx_http_ilert_posted_object);
        }

        rc = ngx_http_ilert_posted_check_members(ctx, items, &r);

        if (rc != NGX_OK) {
            return rc;
        }

        rc = ngx_http_ilert_json_next(&r, ']');
    }

    return NGX_OK;
}


/*
 * Checks the members of the object that comes next.  "items" are those that
 * are known, or NULL if all are strings.
 */

static ngx_int_t
ngx_http_ilert_posted_check_members(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_http_ilert_posted_item_t *items, ngx_http_ilert_json_reader_t *r)
{
    ngx_int_t                      rc;
    ngx_str_t                      name, value;
    ngx_http_ilert_posted_item_t  *item;

    rc = ngx_http_ilert_json_enter(r, '{');

    while (rc == NGX_OK) {

        (void) ngx_http_ilert_json_name(r, &name);

        if (ngx_http_ilert_json_decode(&name, &name, ctx->pool) != NGX_OK) {
            return NGX_ERROR;
        }

        (void) ngx_http_ilert_json_peek(r);

        value.data = r->pos;

        (void) ngx_http_ilert_json_skip(r);

        value.len = r->pos - value.data;

        item = items;

        while (item && item->name.len
               && !ngx_http_ilert_text_same(&item->name, &name))
        {
            item++;
        }

        if (item == NULL && *value.data != '"') {
            return ngx_http_ilert_posted_misfit(ctx, &name,
                                               ngx_http_ilert_posted_string);
        }

        if (item && item->name.len
            && !ngx_http_ilert_posted_fits(item->kind, &value))
        {
            return ngx_http_ilert_posted_misfit(ctx, &name, item->kind);
        }

        rc = ngx_http_ilert_json_next(r, '}');
    }

    return NGX_OK;
}


/* "name" is that of a member of the value at ctx->path, or NULL. */

static ngx_int_t
ngx_http_ilert_posted_misfit(ngx_http_ilert_posted_ctx_t *ctx,
    ngx_str_t *name, ngx_http_ilert_posted_kind_e kind)
{
    ngx_str_t  shown;

    if (name == NULL) {
        return ngx_http_ilert_text_error(ctx->error, ctx->pool,
                                         "%V: expected %s", &ctx->path,
                                         ngx_http_ilert_posted_allowed[kind]);
    }

    shown = *name;
    shown.len = ngx_http_ilert_text_cut(&shown, NGX_HTTP_ILERT_POSTED_NAME);

    return ngx_http_ilert_text_error(ctx->error, ctx->pool,
                                       "%V.%V: expected %s", &ctx->path,
                                       &shown,
                                       ngx_http_ilert_posted_allowed[kind]);
}
