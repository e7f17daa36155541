
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_fallback.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"


/* alerts that are told one by one, at most */

#define NGX_HTTP_ILERT_FALLBACK_ALERTS  20

/* bytes of an alert key, and of a reason, at most */

#define NGX_HTTP_ILERT_FALLBACK_KEY     100
#define NGX_HTTP_ILERT_FALLBACK_REASON  160

/* bytes that are kept free for the line at the end */

#define NGX_HTTP_ILERT_FALLBACK_END     64


static u_char *ngx_http_ilert_fallback_over(
    ngx_http_ilert_store_query_t *query, u_char *p, u_char *last);
static u_char *ngx_http_ilert_fallback_alert(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_waiter_t *waiter, int64_t now, u_char *p,
    u_char *last);
static u_char *ngx_http_ilert_fallback_why(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_waiter_t *waiter, u_char *p, u_char *last);
static ngx_uint_t ngx_http_ilert_fallback_is_spent(
    ngx_http_ilert_store_query_t *query, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate);
static u_char *ngx_http_ilert_fallback_put(u_char *p, u_char *last,
    u_char *data, size_t len, size_t max);


u_char *
ngx_http_ilert_fallback_text(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_fallback_seen_t *seen,
    ngx_http_ilert_fallback_action_e action, int64_t now, u_char *buf,
    u_char *last)
{
    u_char                         *p, *end;
    ngx_uint_t                      i, n;
    ngx_http_ilert_store_waiter_t  *waiter;

    p = ngx_slprintf(buf, last, "nginx on %V: ", &ngx_cycle->hostname);

    if (action == NGX_HTTP_ILERT_FALLBACK_OVER) {
        return ngx_http_ilert_fallback_over(query, p, last);
    }

    p = ngx_slprintf(p, last, "%ui %s waited for ilert for more than ",
                     seen->late, seen->late == 1 ? "alert has"
                                                 : "alerts have");
    p = ngx_http_ilert_fallback_age(p, last, imcf->fallback->after);
    p = ngx_slprintf(p, last, ", so nobody may have been called");

    n = 0;
    waiter = query->waiters.elts;

    for (i = 0;
         i < query->waiters.nelts && n < NGX_HTTP_ILERT_FALLBACK_ALERTS;
         i++)
    {
        if (!ngx_http_ilert_fallback_counts(&waiter[i])
            || now - waiter[i].since < imcf->fallback->after)
        {
            continue;
        }

        end = ngx_http_ilert_fallback_alert(imcf, query, &waiter[i], now, p,
                                            last);

        if (last - end < NGX_HTTP_ILERT_FALLBACK_END) {
            break;
        }

        p = end;
        n++;
    }

    if (n < seen->late) {
        p = ngx_slprintf(p, last, "\nand %s%ui more",
                         query->waiters.nelts < NGX_HTTP_ILERT_STORE_LISTED
                         ? "" : "at least ", seen->late - n);
    }

    return p;
}


/* What is paused is not told any more, but it is not over. */

static u_char *
ngx_http_ilert_fallback_over(ngx_http_ilert_store_query_t *query, u_char *p,
    u_char *last)
{
    ngx_uint_t                      i, paused;
    ngx_http_ilert_store_waiter_t  *waiter;

    paused = 0;
    waiter = query->waiters.elts;

    for (i = 0; i < query->waiters.nelts; i++) {
        paused += (waiter[i].waits == NGX_HTTP_ILERT_FOR_RESUME);
    }

    if (paused == 0) {
        return ngx_slprintf(p, last, "over: no urgent alert waits for ilert "
                            "any more");
    }

    return ngx_slprintf(p, last, "over, but for %ui urgent %s of sources that "
                        "are paused: no other one waits for ilert any more",
                        paused, paused == 1 ? "alert" : "alerts");
}


static u_char *
ngx_http_ilert_fallback_alert(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_waiter_t *waiter, int64_t now, u_char *p,
    u_char *last)
{
    p = ngx_slprintf(p, last, "\n- %V%s, ",
                     &ngx_http_ilert_level_names[waiter->level],
                     waiter->priority == NGX_HTTP_ILERT_HIGH ? " (HIGH)" : "");
    p = ngx_http_ilert_fallback_put(p, last, waiter->source.data,
                                    waiter->source.len,
                                    NGX_HTTP_ILERT_FALLBACK_KEY);
    p = ngx_slprintf(p, last, ": ");
    p = ngx_http_ilert_fallback_put(p, last, waiter->key.data,
                                    waiter->key.len,
                                    NGX_HTTP_ILERT_FALLBACK_KEY);
    p = ngx_slprintf(p, last, ", for ");
    p = ngx_http_ilert_fallback_age(p, last, now - waiter->since);
    p = ngx_slprintf(p, last, ": ");

    return ngx_http_ilert_fallback_why(imcf, query, waiter, p, last);
}


/* Writes why the alert waits. */

static u_char *
ngx_http_ilert_fallback_why(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_store_query_t *query,
    ngx_http_ilert_store_waiter_t *waiter, u_char *p, u_char *last)
{
    ngx_http_ilert_source_t         *source;
    ngx_http_ilert_counters_last_t   known;

    if (waiter->waits == NGX_HTTP_ILERT_FOR_REPLAY) {
        p = ngx_slprintf(p, last, "a dead letter, ");
        return ngx_http_ilert_fallback_put(p, last, waiter->error.data,
                                           waiter->error.len,
                                           NGX_HTTP_ILERT_FALLBACK_REASON);
    }

    source = ngx_http_ilert_find_source(imcf, &waiter->source);

    if (source == NULL) {
        return ngx_slprintf(p, last, "its source is not configured");
    }

    ngx_http_ilert_counters_get_last(source->counters, &known);

    if (known.parked || known.refuses) {
        return ngx_http_ilert_fallback_put(p, last, known.park.data,
                                           known.park.len,
                                           NGX_HTTP_ILERT_FALLBACK_REASON);
    }

    if (known.limited || known.failing) {
        return ngx_http_ilert_fallback_put(p, last, known.error.data,
                                           known.error.len,
                                           NGX_HTTP_ILERT_FALLBACK_REASON);
    }

    if (source->endpoint->counters->down) {
        return ngx_slprintf(p, last, "endpoint \"%V\" is down",
                            &source->endpoint->name);
    }

    if (waiter->waits == NGX_HTTP_ILERT_FOR_VERDICT) {
        return ngx_slprintf(p, last, "it is being sent");
    }

    if (ngx_http_ilert_fallback_is_spent(query, &source->shared->name,
                                         &source->shared->rate)
        || ngx_http_ilert_fallback_is_spent(query, &source->endpoint->name,
                                            &source->endpoint->rate))
    {
        return ngx_slprintf(p, last, "the \"rate\" of requests is spent");
    }

    return ngx_slprintf(p, last, waiter->waits == NGX_HTTP_ILERT_FOR_RETRY
                                 ? "it is tried again"
                                 : "its turn is yet to come");
}


static ngx_uint_t
ngx_http_ilert_fallback_is_spent(ngx_http_ilert_store_query_t *query,
    ngx_str_t *name, ngx_http_ilert_rate_t *rate)
{
    ngx_uint_t  i;

    for (i = 0; rate->n && i < query->nused; i++) {
        if (ngx_http_ilert_text_same(&query->used[i].name, name)) {
            return query->used[i].used >= rate->n;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_ilert_fallback_counts(ngx_http_ilert_store_waiter_t *waiter)
{
    return !waiter->named && waiter->waits != NGX_HTTP_ILERT_FOR_RESUME;
}


u_char *
ngx_http_ilert_fallback_age(u_char *p, u_char *last, int64_t msec)
{
    int64_t  sec;

    sec = ngx_max(msec, 0) / 1000;

    if (sec < 120) {
        return ngx_slprintf(p, last, "%L s", sec);
    }

    if (sec < 2 * 3600) {
        return ngx_slprintf(p, last, "%L min", sec / 60);
    }

    if (sec < 2 * 86400) {
        return ngx_slprintf(p, last, "%L h", sec / 3600);
    }

    return ngx_slprintf(p, last, "%L days", sec / 86400);
}


/* Writes a text as one line, and no more than "max" bytes of it. */

static u_char *
ngx_http_ilert_fallback_put(u_char *p, u_char *last, u_char *data, size_t len,
    size_t max)
{
    ngx_str_t  text;

    text.data = data;
    text.len = len;

    max = ngx_min(max, (size_t) (last - p));

    if (len > max) {
        text.len = ngx_http_ilert_text_cut(&text, max);
    }

    ngx_memcpy(p, text.data, text.len);

    text.data = p;

    ngx_http_ilert_text_line(&text);

    p += text.len;

    return (len > text.len) ? ngx_slprintf(p, last, "...") : p;
}
