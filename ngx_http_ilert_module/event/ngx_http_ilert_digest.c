
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_digest.h"


/* "named" is the time of the opening times this, plus the level */

#define NGX_HTTP_ILERT_DIGEST_LEVELS   8


static void ngx_http_ilert_digest_refill(ngx_http_ilert_digest_t *digest,
    int64_t now);


int64_t
ngx_http_ilert_digest_named_as(ngx_http_ilert_digest_t *digest,
    ngx_uint_t level)
{
    return digest->opened * NGX_HTTP_ILERT_DIGEST_LEVELS + (int64_t) level;
}


ngx_uint_t
ngx_http_ilert_digest_named(ngx_http_ilert_digest_t *digest, int64_t named)
{
    if (digest->opened == 0 || named <= 0
        || named / NGX_HTTP_ILERT_DIGEST_LEVELS != digest->opened)
    {
        return 0;
    }

    return named % NGX_HTTP_ILERT_DIGEST_LEVELS;
}


void
ngx_http_ilert_digest_expire(ngx_http_ilert_digest_t *digest, int64_t now)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < digest->nalone; i++) {
        digest->alone[i] = ngx_min(digest->alone[i], now);

        if (digest->alone[i] > now - NGX_HTTP_ILERT_DIGEST_WINDOW) {
            digest->alone[n++] = digest->alone[i];
        }
    }

    digest->nalone = n;

    digest->changed = ngx_min(digest->changed, now);
    digest->told = ngx_min(digest->told, now);
    digest->calm = ngx_min(digest->calm, now);
    digest->refilled = ngx_min(digest->refilled, now);
}


ngx_uint_t
ngx_http_ilert_digest_alone(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, ngx_uint_t named, int64_t now)
{
    ngx_http_ilert_digest_expire(digest, now);

    if (!named && digest->nalone < ngx_min(policy->n,
                                           NGX_HTTP_ILERT_DIGEST_MAX))
    {
        digest->alone[digest->nalone++] = now;
        return 1;
    }

    if (digest->opened == 0) {
        digest->opened = now;
        digest->changed = now;
        digest->told = 0;
        digest->calm = 0;
        digest->refilled = now;
        digest->tokens = NGX_HTTP_ILERT_DIGEST_TOKENS;
        digest->urgent = 0;
    }

    return 0;
}


void
ngx_http_ilert_digest_change(ngx_http_ilert_digest_t *digest,
    ngx_uint_t urgent, int64_t now)
{
    if (digest->changed == 0) {
        digest->changed = now;
    }

    digest->urgent |= urgent;
}


ngx_uint_t
ngx_http_ilert_digest_due(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, int64_t now, int64_t *until)
{
    int64_t  next;

    *until = 0;

    if (digest->opened == 0 || digest->changed == 0) {
        return 0;
    }

    if (digest->told == 0) {
        return 1;
    }

    next = digest->changed + policy->interval;

    if (digest->urgent & NGX_HTTP_ILERT_DIGEST_UNNAMED) {

        ngx_http_ilert_digest_refill(digest, now);

        if (digest->tokens) {
            return 1;
        }

        next = ngx_min(next, digest->refilled + NGX_HTTP_ILERT_DIGEST_TOKEN);
    }

    if (next <= now) {
        return 1;
    }

    *until = next;

    return 0;
}


static void
ngx_http_ilert_digest_refill(ngx_http_ilert_digest_t *digest, int64_t now)
{
    int64_t  n;

    n = (now - digest->refilled) / NGX_HTTP_ILERT_DIGEST_TOKEN;

    if (digest->tokens + n >= NGX_HTTP_ILERT_DIGEST_TOKENS) {
        digest->tokens = NGX_HTTP_ILERT_DIGEST_TOKENS;
        digest->refilled = now;
        return;
    }

    digest->tokens += n;
    digest->refilled += n * NGX_HTTP_ILERT_DIGEST_TOKEN;
}


void
ngx_http_ilert_digest_told(ngx_http_ilert_digest_t *digest, int64_t now)
{
    ngx_http_ilert_digest_refill(digest, now);

    if ((digest->urgent & NGX_HTTP_ILERT_DIGEST_UNNAMED) && digest->tokens) {
        digest->tokens--;
    }

    digest->urgent &= ~(int64_t) NGX_HTTP_ILERT_DIGEST_UNNAMED;
    digest->changed = 0;
    digest->told = now;
}


ngx_uint_t
ngx_http_ilert_digest_ends(ngx_http_ilert_digest_t *digest,
    ngx_http_ilert_digest_policy_t *policy, int64_t left, int64_t now,
    int64_t *until)
{
    int64_t  most;

    *until = 0;

    if (digest->opened == 0) {
        return 0;
    }

    most = (policy->members == NGX_HTTP_ILERT_MEMBERS_NONE)
           ? 0 : (int64_t) policy->n / 2;

    if (left > most) {
        digest->calm = 0;
        return 0;
    }

    if (digest->calm == 0) {
        digest->calm = now;
    }

    if (digest->calm + NGX_HTTP_ILERT_DIGEST_CALM <= now) {
        return 1;
    }

    *until = digest->calm + NGX_HTTP_ILERT_DIGEST_CALM;

    return 0;
}


ngx_uint_t
ngx_http_ilert_digest_is_key(ngx_str_t *key)
{
    static ngx_str_t  prefix = ngx_string("ilert-digest:");

    return key->len >= prefix.len
           && ngx_memcmp(key->data, prefix.data, prefix.len) == 0;
}
