
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_refuse.h"
#include "ngx_http_ilert_route.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_unreadable.h"
#include "ngx_http_ilert_words.h"


/* the least time between two lines of one location, in seconds */

#define NGX_HTTP_ILERT_REFUSE_PERIOD   60

/* bytes of an id, and of a body, that a line shows */

#define NGX_HTTP_ILERT_REFUSE_ID       128
#define NGX_HTTP_ILERT_REFUSE_BODY     100

/* bytes of an error that are kept */

#define NGX_HTTP_ILERT_REFUSE_ERROR    512

/*
 * An id and a level are looked for in so many bytes of a body that could not
 * be parsed.  Kapacitor writes them at its beginning.
 */

#define NGX_HTTP_ILERT_REFUSE_LOOK     65536


static void ngx_http_ilert_refuse_find(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_look(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_value(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool);
static void ngx_http_ilert_refuse_remember(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_set(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value, ngx_pool_t *pool);
static void ngx_http_ilert_refuse_log(ngx_http_request_t *r,
    ngx_http_ilert_refused_t *refused, ngx_http_ilert_refusal_t *refusal);
static ngx_uint_t ngx_http_ilert_refuse_may_log(
    ngx_http_ilert_refused_t *refused, ngx_uint_t *more);
static void ngx_http_ilert_refuse_keep(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static u_char *ngx_http_ilert_refuse_show(u_char *out, ngx_str_t *text,
    size_t max);


ngx_int_t
ngx_http_ilert_refuse_init(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                   i, k, n;
    ngx_http_ilert_refused_t    *refused;
    ngx_http_ilert_loc_conf_t  **locations;

    n = imcf->locations.nelts;
    locations = imcf->locations.elts;

    if (n == 0) {
        return NGX_OK;
    }

    refused = (ngx_http_ilert_refused_t *) ngx_http_ilert_words(cf,
                            (n + 1) * sizeof(ngx_http_ilert_refused_t)
                            / sizeof(ngx_atomic_t));
    if (refused == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        /* "if" and "limit_except" are their location, which is before them */

        for (k = 0; locations[k]->kapacitor != locations[i]->kapacitor; k++) {
            /* void */
        }

        locations[i]->refused = &refused[k];
    }

    imcf->refused = &refused[n];

    return NGX_OK;
}


void
ngx_http_ilert_refuse(ngx_http_request_t *r, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_uint_t status, ngx_str_t *error)
{
    ngx_http_ilert_refusal_t     refusal;
    ngx_http_ilert_main_conf_t  *imcf;

    /* Nothing is lost that was only to be tried. */

    if (ilcf && ilcf->dry_run) {
        return;
    }

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    ngx_memzero(&refusal, sizeof(ngx_http_ilert_refusal_t));

    refusal.time = ngx_http_ilert_clock_now();
    refusal.address = r->connection->addr_text;
    refusal.ilcf = ilcf;
    refusal.status = status;
    refusal.error = *error;

    ngx_http_ilert_refuse_find(r, &refusal);

    ngx_http_ilert_counters_refused(imcf->counters, refusal.source, status);

    ngx_http_ilert_refuse_remember(r, &refusal);

    ngx_http_ilert_refuse_log(r, ilcf ? ilcf->refused : imcf->refused,
                              &refusal);

    if (refusal.body.len) {
        ngx_http_ilert_refuse_keep(r, &refusal);
    }

    ngx_http_ilert_unreadable(r, &refusal);
}


/* Finds out what the webhook was, as far as there is one, and whose it is. */

static void
ngx_http_ilert_refuse_find(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_str_t              error;
    ngx_http_ilert_ctx_t  *ctx;

    if (refusal->ilcf == NULL) {
        return;
    }

    refusal->location = refusal->ilcf->clcf->name;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    if (ctx && ctx->event) {
        refusal->source = ctx->event->source;
    }

    if (refusal->source == NULL
        && ngx_http_ilert_route(r, refusal->ilcf, &refusal->source, &error)
           != NGX_OK)
    {
        refusal->source = NULL;
    }

    if (ctx == NULL) {
        return;
    }

    refusal->body = ctx->body;

    if (ctx->webhook) {
        refusal->id = ctx->webhook->id;
        refusal->level = ctx->webhook->level_name;

    } else {
        ngx_http_ilert_refuse_look(r, refusal);
    }
}


/* what can be found without all else being right */

static void
ngx_http_ilert_refuse_look(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_str_t                      text;
    ngx_http_ilert_json_member_t   member[] = {
        { ngx_string("id"), ngx_null_string },
        { ngx_string("level"), ngx_null_string }
    };

    text = refusal->body;
    text.len = ngx_min(text.len, NGX_HTTP_ILERT_REFUSE_LOOK);

    if (text.len == 0) {
        return;
    }

    /* Members that come before an error have been found. */

    (void) ngx_http_ilert_json_pick(&text, member, 2);

    ngx_http_ilert_refuse_value(&member[0].value, &refusal->id, r->pool);
    ngx_http_ilert_refuse_value(&member[1].value, &refusal->level, r->pool);
}


static void
ngx_http_ilert_refuse_value(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool)
{
    if (token->len == 0
        || (token->len == 4 && ngx_strncmp(token->data, "null", 4) == 0)
        || ngx_http_ilert_json_decode(token, value, pool) != NGX_OK)
    {
        ngx_str_null(value);
    }
}


static void
ngx_http_ilert_refuse_remember(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_http_ilert_main_conf_t         *imcf;
    ngx_http_ilert_counters_refusal_t   known;

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    known.time = refusal->time;
    known.status = refusal->status;

    ngx_http_ilert_refuse_set(&known.from, &refusal->address, r->pool);
    ngx_http_ilert_refuse_set(&known.location, &refusal->location, r->pool);
    ngx_http_ilert_refuse_set(&known.error, &refusal->error, r->pool);
    ngx_http_ilert_refuse_set(&known.id, &refusal->id, r->pool);
    ngx_http_ilert_refuse_set(&known.level, &refusal->level, r->pool);

    ngx_http_ilert_counters_set_refusal(imcf->counters, &known);
}


/* The text becomes valid UTF-8, as it will be shown as JSON. */

static void
ngx_http_ilert_refuse_set(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value, ngx_pool_t *pool)
{
    ngx_str_t  valid;

    valid = *value;
    valid.len = ngx_min(valid.len, NGX_HTTP_ILERT_COUNTERS_TEXT);

    if (ngx_http_ilert_text_valid(&valid, pool) != NGX_OK) {
        valid.len = 0;
    }

    ngx_http_ilert_counters_set_text(text, &valid);
}


static void
ngx_http_ilert_refuse_log(ngx_http_request_t *r,
    ngx_http_ilert_refused_t *refused, ngx_http_ilert_refusal_t *refusal)
{
    u_char      *p, what[4 * NGX_HTTP_ILERT_REFUSE_ID];
    u_char       others[sizeof(", after  others") + NGX_INT_T_LEN];
    ngx_str_t    shown, since;
    ngx_uint_t   n;

    if (!ngx_http_ilert_refuse_may_log(refused, &n)) {
        return;
    }

    p = what;

    if (refusal->id.len) {
        p = ngx_cpymem(p, ", id \"", sizeof(", id \"") - 1);
        p = ngx_http_ilert_refuse_show(p, &refusal->id,
                                       NGX_HTTP_ILERT_REFUSE_ID);
        *p++ = '"';

    } else if (refusal->body.len) {
        p = ngx_cpymem(p, ", body \"", sizeof(", body \"") - 1);
        p = ngx_http_ilert_refuse_show(p, &refusal->body,
                                       NGX_HTTP_ILERT_REFUSE_BODY);
        *p++ = '"';
    }

    shown.data = what;
    shown.len = p - what;

    since.data = others;
    since.len = 0;

    if (n) {
        since.len = ngx_sprintf(others, ", after %ui others", n) - others;
    }

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "webhook refused: %ui to %V, %V%V%V", refusal->status,
                  &refusal->address, &refusal->error, &shown, &since);
}


/* Sets how many there were since the last line, of which there is none. */

static ngx_uint_t
ngx_http_ilert_refuse_may_log(ngx_http_ilert_refused_t *refused,
    ngx_uint_t *more)
{
    ngx_atomic_uint_t  last;

    last = refused->time;

    if (ngx_http_ilert_counters_recent((time_t) last,
                                       NGX_HTTP_ILERT_REFUSE_PERIOD)
        || !ngx_atomic_cmp_set(&refused->time, last, ngx_time()))
    {
        (void) ngx_atomic_fetch_add(&refused->more, 1);
        return 0;
    }

    *more = refused->more;

    (void) ngx_atomic_fetch_add(&refused->more, - (ngx_atomic_int_t) *more);

    return 1;
}


/* What was in it can be looked at later, and sent once more. */

static void
ngx_http_ilert_refuse_keep(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_http_ilert_store_refused_t  refused;

    ngx_memzero(&refused, sizeof(ngx_http_ilert_store_refused_t));

    refused.time = refusal->time;
    refused.from = refusal->address;
    refused.location = refusal->location;
    refused.status = refusal->status;
    refused.error = refusal->error;
    refused.error.len = ngx_http_ilert_text_cut(&refusal->error,
                                                NGX_HTTP_ILERT_REFUSE_ERROR);
    refused.size = refusal->body.len;
    refused.body = refusal->body;

    /* Only the configuration is not known to be UTF-8. */

    if (ngx_http_ilert_text_valid(&refused.location, r->pool) != NGX_OK) {
        refused.location.len = 0;
    }

    ngx_http_ilert_queue_keep(&refused);
}


/*
 * Writes at most "max" bytes of a text, which may be any bytes, so that they
 * do not break a line: at most three bytes for each.  Control characters, also
 * those of Latin-1, which some terminals obey, become spaces.  Returns the
 * place behind them.
 */

static u_char *
ngx_http_ilert_refuse_show(u_char *out, ngx_str_t *text, size_t max)
{
    u_char  *p, *last;

    p = text->data;
    last = p + ngx_min(text->len, max);

    while (p < last) {

        if (*p < ' ' || *p == 0x7f) {
            *out++ = ' ';
            p++;

        } else if (*p == 0xc2 && last - p > 1 && p[1] < 0xa0) {
            *out++ = ' ';
            p += 2;

        } else {
            out = ngx_http_ilert_text_copy(out, &p, last);
        }
    }

    return out;
}
