
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_rules.h"
#include "ngx_http_ilert_status_state.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"


/* The state of a source, and the reason for it. */


/* bytes of the reason of a state; what is longer is cut */

#define NGX_HTTP_ILERT_STATUS_REASON 512


static ngx_uint_t ngx_http_ilert_status_is_limited(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_uint_t limited,
    ngx_http_ilert_status_source_t *ss, u_char *buf, size_t *len);
static ngx_uint_t ngx_http_ilert_status_is_spent(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_store_used_t *used, ngx_http_ilert_status_source_t *ss);
static u_char *ngx_http_ilert_status_reserve(u_char *p, u_char *last,
    ngx_http_ilert_rate_t *rate, ngx_http_ilert_store_used_t *used);
static ngx_uint_t ngx_http_ilert_status_is_spread(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_http_ilert_status_source_t *ss);
static ngx_uint_t ngx_http_ilert_status_has_lesser(
    ngx_http_ilert_status_source_t *ss);
static u_char *ngx_http_ilert_status_when(u_char *p, u_char *last,
    int64_t msec);


ngx_http_ilert_store_used_t *
ngx_http_ilert_status_used(ngx_http_ilert_status_t *st, ngx_str_t *name)
{
    ngx_uint_t  i;

    if (st->query == NULL) {
        return NULL;
    }

    for (i = 0; i < st->query->nused; i++) {
        if (ngx_http_ilert_text_same(&st->query->used[i].name, name)) {
            return &st->query->used[i];
        }
    }

    return NULL;
}


void
ngx_http_ilert_status_state(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_source_t *read,
    ngx_http_ilert_counters_last_t *known, ngx_http_ilert_status_source_t *ss)
{
    u_char      *buf, *p, *last;
    size_t       len;
    ngx_uint_t   waits;

    buf = ngx_pnalloc(st->pool, NGX_HTTP_ILERT_STATUS_REASON);

    if (buf == NULL) {
        ss->state = NGX_HTTP_ILERT_STATE_OK;
        return;
    }

    p = buf;
    last = buf + NGX_HTTP_ILERT_STATUS_REASON;
    len = 0;
    waits = (ss->pending || st->path.len == 0);

    if (known->parked || known->refuses) {
        ss->state = NGX_HTTP_ILERT_STATE_PARKED;

        p = ngx_slprintf(p, last, "%*s", known->park.len, known->park.data);

        if (ss->pending) {
            p = ngx_slprintf(p, last, "; next try ");
            p = ngx_http_ilert_status_when(p, last, known->until - st->now);
        }

    } else if (read ? read->paused != 0 : source->counters->paused != 0) {
        ss->state = NGX_HTTP_ILERT_STATE_PAUSED;

        p = ngx_slprintf(p, last, "paused by control");

    } else if (ngx_http_ilert_status_is_limited(st, source, known->limited, ss,
                                                buf, &len))
    {
        ss->state = NGX_HTTP_ILERT_STATE_LIMITED;

        p = buf + len;

    } else if (waits && (known->failing || (read && read->retries)
                         || source->endpoint->counters->down))
    {
        ss->state = NGX_HTTP_ILERT_STATE_RETRYING;

        p = ngx_slprintf(p, last, "%V", &ss->error);

        if (source->endpoint->counters->down) {
            p = ngx_slprintf(p, last, "%sendpoint \"%V\" is down",
                             p == buf ? "" : "; ", &source->endpoint->name);
        }

        if (p == buf) {

            /* the error was in shared memory, and nginx was restarted since */

            p = ngx_slprintf(p, last, "events wait to be tried again");
        }

    } else if (ngx_http_ilert_status_is_spread(st, source, ss)) {
        ss->state = NGX_HTTP_ILERT_STATE_LIMITED;

        p = ngx_slprintf(p, last, "half of the requests that the rate allows "
                         "have been made, what is not urgent is spread");

    } else {
        ss->state = NGX_HTTP_ILERT_STATE_OK;
    }

    ss->reason.data = buf;
    ss->reason.len = p - buf;

    (void) ngx_http_ilert_text_valid(&ss->reason, st->pool);
}


/*
 * Returns 1 if events wait for a budget or for the end of a pause after 429,
 * and writes the reason to "buf".
 */

static ngx_uint_t
ngx_http_ilert_status_is_limited(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_uint_t limited,
    ngx_http_ilert_status_source_t *ss, u_char *buf, size_t *len)
{
    u_char                       *p, *last;
    ngx_http_ilert_store_used_t  *key, *endpoint;

    p = buf;
    last = buf + NGX_HTTP_ILERT_STATUS_REASON;

    if (st->path.len == 0) {

        if (!limited) {
            return 0;
        }

        *len = ngx_slprintf(p, last, "%V", &ss->error) - buf;

        return 1;
    }

    if (ss->pending <= ss->inflight) {
        return 0;
    }

    key = ngx_http_ilert_status_used(st, &source->shared->name);
    endpoint = ngx_http_ilert_status_used(st, &source->endpoint->name);

    if (key && key->until) {
        p = ngx_slprintf(p, last, "ilert answered 429; next try ");
        p = ngx_http_ilert_status_when(p, last, key->until - st->now);

    } else if (ngx_http_ilert_status_is_spent(&source->shared->rate, key, ss))
    {
        p = ngx_slprintf(p, last, "%ui requests in %ui s have been made, as "
                         "many as its \"rate\" allows",
                         key->used, source->shared->rate.window / 1000);
        p = ngx_http_ilert_status_reserve(p, last, &source->shared->rate, key);

    } else if (ngx_http_ilert_status_is_spent(&source->endpoint->rate,
                                              endpoint, ss))
    {
        p = ngx_slprintf(p, last, "%ui requests in %ui s have been made, as "
                         "many as the rate of endpoint \"%V\" allows",
                         endpoint->used, source->endpoint->rate.window / 1000,
                         &source->endpoint->name);
        p = ngx_http_ilert_status_reserve(p, last, &source->endpoint->rate,
                                          endpoint);
    }

    *len = p - buf;

    return *len != 0;
}


/* Returns 1 if something waits for a request, and none is left for it. */

static ngx_uint_t
ngx_http_ilert_status_is_spent(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_store_used_t *used, ngx_http_ilert_status_source_t *ss)
{
    if (rate->n == 0 || used == NULL) {
        return 0;
    }

    return used->used >= rate->n
           || (used->used >= rate->n - rate->reserve
               && ngx_http_ilert_status_has_lesser(ss));
}


static u_char *
ngx_http_ilert_status_reserve(u_char *p, u_char *last,
    ngx_http_ilert_rate_t *rate, ngx_http_ilert_store_used_t *used)
{
    if (used->used >= rate->n) {
        return p;
    }

    return ngx_slprintf(p, last, " for what is not urgent");
}


/*
 * Returns 1 if something that is not urgent may wait only because such
 * requests are spread over the time.
 */

static ngx_uint_t
ngx_http_ilert_status_is_spread(ngx_http_ilert_status_t *st,
    ngx_http_ilert_source_t *source, ngx_http_ilert_status_source_t *ss)
{
    ngx_uint_t                    i;
    ngx_http_ilert_rate_t        *rate;
    ngx_http_ilert_store_used_t  *used;

    if (st->path.len == 0 || !ngx_http_ilert_status_has_lesser(ss)) {
        return 0;
    }

    for (i = 0; i < 2; i++) {
        rate = i ? &source->endpoint->rate : &source->shared->rate;
        used = ngx_http_ilert_status_used(st, i ? &source->endpoint->name
                                                : &source->shared->name);

        if (rate->n && used && used->used >= rate->n - rate->n / 2) {
            return 1;
        }
    }

    return 0;
}


/* Returns 1 if more waits than what is urgent, and what is under way. */

static ngx_uint_t
ngx_http_ilert_status_has_lesser(ngx_http_ilert_status_source_t *ss)
{
    return ss->pending
           - ss->waiting.waiting[NGX_HTTP_ILERT_CRITICAL_FIRST]
           > ss->inflight;
}


static u_char *
ngx_http_ilert_status_when(u_char *p, u_char *last, int64_t msec)
{
    int64_t  sec;

    sec = (msec + 999) / 1000;

    if (sec <= 0) {
        return ngx_slprintf(p, last, "now");
    }

    if (sec < 120) {
        return ngx_slprintf(p, last, "in %L s", sec);
    }

    return ngx_slprintf(p, last, "in %L min", (sec + 30) / 60);
}
