
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


/* seconds: the least time between two log lines of one location */

#define NGX_HTTP_ILERT_REFUSE_PERIOD   60

/* bytes of an id, and of a body, that a log line shows */

#define NGX_HTTP_ILERT_REFUSE_ID       128
#define NGX_HTTP_ILERT_REFUSE_BODY     100

/* bytes: a key of less may be any word, and is shown where no key belongs */

#define NGX_HTTP_ILERT_REFUSE_KEY      8

/* bytes of an error that are kept */

#define NGX_HTTP_ILERT_REFUSE_ERROR    512

/*
 * If a body could not be parsed, the id and the level are looked for in its
 * first bytes, this many.  Kapacitor writes both at the beginning.
 */

#define NGX_HTTP_ILERT_REFUSE_LOOK     65536


static void ngx_http_ilert_refuse_find(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_hide(ngx_http_request_t *r,
    ngx_str_t *body);
static void ngx_http_ilert_refuse_look(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_value(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool);
static void ngx_http_ilert_refuse_remember(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static void ngx_http_ilert_refuse_set(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value, ngx_pool_t *pool);
static void ngx_http_ilert_refuse_log(ngx_http_request_t *r,
    ngx_http_ilert_refuse_limit_t *limit, ngx_http_ilert_refusal_t *refusal);
static ngx_uint_t ngx_http_ilert_refuse_may_log(
    ngx_http_ilert_refuse_limit_t *limit, ngx_uint_t *more);
static void ngx_http_ilert_refuse_keep(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal);
static u_char *ngx_http_ilert_refuse_show(u_char *out, ngx_str_t *text,
    size_t max);
static u_char *ngx_http_ilert_refuse_skip_key(u_char *p, u_char *last);


ngx_int_t
ngx_http_ilert_refuse_init(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                       i, k, n;
    ngx_http_ilert_loc_conf_t      **locations;
    ngx_http_ilert_refuse_limit_t   *limits;

    n = imcf->locations.nelts;
    locations = imcf->locations.elts;

    if (n == 0) {
        return NGX_OK;
    }

    limits = (ngx_http_ilert_refuse_limit_t *) ngx_http_ilert_words(cf,
                            (n + 1) * sizeof(ngx_http_ilert_refuse_limit_t)
                            / sizeof(ngx_atomic_t));
    if (limits == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        /*
         * "if" and "limit_except" share the limit of their location, which
         * comes before them, and has the same route.
         */

        for (k = 0; locations[k]->route != locations[i]->route; k++) {
            /* void */
        }

        locations[i]->refuse_limit = &limits[k];
    }

    imcf->refuse_limit = &limits[n];

    return NGX_OK;
}


void
ngx_http_ilert_refuse(ngx_http_request_t *r, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_uint_t status, ngx_str_t *error)
{
    ngx_http_ilert_refusal_t     refusal;
    ngx_http_ilert_main_conf_t  *imcf;

    /* A dry run is only a trial, so no alert is lost. */

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

    ngx_http_ilert_refuse_log(r, ilcf ? ilcf->refuse_limit
                                      : imcf->refuse_limit,
                              &refusal);

    if (refusal.body.len) {
        ngx_http_ilert_refuse_keep(r, &refusal);
    }

    ngx_http_ilert_unreadable(r, &refusal);
}


/* Sets what is known of the webhook: source, location, body, id, and level. */

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

    } else if (ctx->posted) {
        refusal->id = ctx->posted->alert_key;

    } else {
        ngx_http_ilert_refuse_look(r, refusal);
    }

    ngx_http_ilert_refuse_hide(r, &ctx->body);
}


/*
 * The body is shown to people, so it must not have a key of ilert's: neither
 * what stands where a key is expected, nor one of ours, wherever it stands.
 */

static void
ngx_http_ilert_refuse_hide(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char                       *p, *last;
    ngx_str_t                     shown, *key;
    ngx_uint_t                    i;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_main_conf_t   *imcf;

    shown = *body;
    shown.len = ngx_min(shown.len, NGX_HTTP_ILERT_REFUSED_BODY);

    if (shown.len == 0) {
        return;
    }

    ngx_http_ilert_posted_hide(&shown);

    imcf = ngx_http_get_module_main_conf(r, ngx_http_ilert_module);

    sources = imcf->sources.elts;
    last = shown.data + shown.len;

    for (i = 0; i < imcf->sources.nelts; i++) {

        key = &sources[i]->key;

        if (key->len < NGX_HTTP_ILERT_REFUSE_KEY) {
            continue;
        }

        for (p = shown.data; /* void */ ; p += key->len) {

            p = memmem(p, last - p, key->data, key->len);

            if (p == NULL) {
                break;
            }

            ngx_memset(p, '*', key->len);
        }
    }
}


/* Looks for the id and the level in a body that could not be parsed. */

static void
ngx_http_ilert_refuse_look(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_str_t                      text;
    ngx_http_ilert_json_member_t   member[] = {
        { ngx_string("id"), ngx_null_string },
        { ngx_string("level"), ngx_null_string }
    };

    if (refusal->ilcf->events) {
        ngx_str_set(&member[0].name, "alertKey");
    }

    text = refusal->body;
    text.len = ngx_min(text.len, NGX_HTTP_ILERT_REFUSE_LOOK);

    if (text.len == 0) {
        return;
    }

    /* If there is an error, the members before it have been found. */

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


/* Sets a text, made valid UTF-8, since it will be shown as JSON. */

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
    ngx_http_ilert_refuse_limit_t *limit, ngx_http_ilert_refusal_t *refusal)
{
    u_char      *p, what[4 * NGX_HTTP_ILERT_REFUSE_ID];
    u_char       others[sizeof(", after  others") + NGX_INT_T_LEN];
    ngx_str_t    shown, since;
    ngx_uint_t   n;

    if (!ngx_http_ilert_refuse_may_log(limit, &n)) {
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
                  "%s refused: %ui to %V, %V%V%V",
                  (refusal->ilcf && refusal->ilcf->events) ? "event"
                                                           : "webhook",
                  refusal->status, &refusal->address, &refusal->error, &shown,
                  &since);
}


/*
 * Returns 1 if a line may be logged now, and sets "more" to the number of
 * webhooks that were not logged since the last line.  Otherwise returns 0, and
 * counts this one.
 */

static ngx_uint_t
ngx_http_ilert_refuse_may_log(ngx_http_ilert_refuse_limit_t *limit,
    ngx_uint_t *more)
{
    if (!ngx_http_ilert_counters_due(&limit->time,
                                     NGX_HTTP_ILERT_REFUSE_PERIOD))
    {
        (void) ngx_atomic_fetch_add(&limit->more, 1);
        return 0;
    }

    *more = limit->more;

    (void) ngx_atomic_fetch_add(&limit->more, - (ngx_atomic_int_t) *more);

    return 1;
}


/*
 * Has the webhook kept in the queue, so that an operator can look at its body
 * later, and send it once more.
 */

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

    /* The name of a location is the only text here that may be no UTF-8. */

    if (ngx_http_ilert_text_valid(&refused.location, r->pool) != NGX_OK) {
        refused.location.len = 0;
    }

    ngx_http_ilert_queue_keep(&refused);
}


/*
 * Writes at most "max" bytes of a text, of any bytes, as valid UTF-8 that does
 * not break a log line.  Control characters become spaces, also those from
 * U+0080 to U+009F, which some terminals obey.  Keys of ilert, which are in
 * its own events and URLs, become "il1...".  "out" must have room for three
 * bytes for each byte of the text.  Returns the end of what was written.
 */

static u_char *
ngx_http_ilert_refuse_show(u_char *out, ngx_str_t *text, size_t max)
{
    u_char  *p, *end, *last;

    p = text->data;
    last = p + ngx_min(text->len, max);

    while (p < last) {

        end = ngx_http_ilert_refuse_skip_key(p, last);

        if (end) {
            out = ngx_cpymem(out, "il1...", sizeof("il1...") - 1);
            p = end;

        } else if (*p < ' ' || *p == 0x7f) {
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


/* Returns the place behind the key of ilert at p, or NULL if there is none. */

static u_char *
ngx_http_ilert_refuse_skip_key(u_char *p, u_char *last)
{
    u_char  *start;

    if (last - p < 3 || ngx_strncmp(p, "il1", 3) != 0) {
        return NULL;
    }

    p += 3;
    start = p;

    while (p < last
           && ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
               || (*p >= 'A' && *p <= 'Z')))
    {
        p++;
    }

    return (p > start) ? p : NULL;
}
