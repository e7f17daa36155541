
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_pause.h"


/*
 * Events of a source that are taken at a time, at most; and the ms in which
 * they have to be delivered so that twice as many are taken the next time.
 */

#define NGX_HTTP_ILERT_PAUSE_READY     100
#define NGX_HTTP_ILERT_PAUSE_SOON      20

/*
 * An endpoint is down after FAULTS requests in a row that got no answer.  If
 * they were of several alerts, SEVERAL are enough; if not, the one event may
 * be the reason.  While the endpoint is down there is one request at a time,
 * a probe, with pauses like those of "retry", but of PROBE_MAX ms at most:
 * a probe costs little, and all events wait for it.  When an event has just
 * come in, the next probe may be earlier.
 */

#define NGX_HTTP_ILERT_PAUSE_FAULTS    8
#define NGX_HTTP_ILERT_PAUSE_SEVERAL   4
#define NGX_HTTP_ILERT_PAUSE_PROBE_MAX 10000

/*
 * The first pause of a parked key or source, in ms.  The next ones are longer,
 * since the reason is seldom gone without somebody's help.  An event of the
 * first urgency that has just come in does not wait for the end of the pause,
 * but only for URGENT ms after the last request.
 */

#define NGX_HTTP_ILERT_PAUSE_PARK      5000
#define NGX_HTTP_ILERT_PAUSE_URGENT    10000


static ngx_msec_int_t ngx_http_ilert_pause_until(ngx_msec_t until,
    ngx_msec_t probed, ngx_uint_t urgent, ngx_msec_t now);
static ngx_msec_t ngx_http_ilert_pause_endpoint(
    ngx_http_ilert_source_t *source, ngx_msec_t now);
static ngx_msec_t ngx_http_ilert_pause_back_off(ngx_msec_t first,
    ngx_msec_t longest, ngx_uint_t n);


ngx_uint_t
ngx_http_ilert_pause_is_down(ngx_http_ilert_courier_endpoint_t *ce)
{
    return ce->faults >= (ce->several ? NGX_HTTP_ILERT_PAUSE_SEVERAL
                                      : NGX_HTTP_ILERT_PAUSE_FAULTS);
}


ngx_uint_t
ngx_http_ilert_pause_is_tight(ngx_http_ilert_key_t *key, ngx_msec_t now)
{
    ngx_http_ilert_courier_key_t  *ck;

    ck = key->courier;

    if (ck->tight && now - ck->limited > key->rate.window) {
        ck->tight = 0;
    }

    return ck->faults || ck->tight;
}


ngx_uint_t
ngx_http_ilert_pause_is_probed(ngx_http_ilert_source_t *source,
    ngx_msec_t now)
{
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ck = source->shared->courier;
    ce = source->endpoint->courier;

    return (ngx_http_ilert_pause_is_tight(source->shared, now) && ck->inflight)
           || (ngx_http_ilert_pause_is_down(ce) && ce->inflight)
           || (source->courier->faults && source->courier->inflight);
}


ngx_msec_int_t
ngx_http_ilert_pause_left(ngx_http_ilert_source_t *source, ngx_uint_t urgent,
    ngx_msec_t now)
{
    ngx_msec_int_t                      pause, probe;
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_source_t    *cs;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ck = source->shared->courier;
    cs = source->courier;
    ce = source->endpoint->courier;

    if (ngx_http_ilert_pause_is_probed(source, now)) {
        return -1;
    }

    pause = 0;

    if (ck->faults) {
        probe = ngx_http_ilert_pause_until(ck->until, ck->probed,
                                           ck->parked && urgent, now);
        pause = ngx_max(pause, probe);
    }

    if (cs->faults) {
        probe = ngx_http_ilert_pause_until(cs->until, cs->probed, urgent, now);
        pause = ngx_max(pause, probe);
    }

    if (ngx_http_ilert_pause_is_down(ce)) {

        probe = ce->until - now;

        if (cs->fresh) {
            probe = ngx_min(probe, (ngx_msec_int_t)
                                   (ce->probed
                                    + 2 * source->policy.retry_first - now));
        }

        pause = ngx_max(pause, probe);
    }

    return pause;
}


/*
 * Returns the ms that are left of the pause of a key or a source; they are
 * negative if it is over.  "probed" is the start of its last request.
 */

static ngx_msec_int_t
ngx_http_ilert_pause_until(ngx_msec_t until, ngx_msec_t probed,
    ngx_uint_t urgent, ngx_msec_t now)
{
    ngx_msec_int_t  pause, probe;

    pause = until - now;

    if (urgent) {
        probe = probed + NGX_HTTP_ILERT_PAUSE_URGENT - now;
        pause = ngx_min(pause, probe);
    }

    return pause;
}


int64_t
ngx_http_ilert_pause_budget(ngx_http_ilert_source_t *source, int64_t wall)
{
    int64_t                         pause;
    ngx_http_ilert_store_budget_t  *budget;

    pause = source->shared->courier->budget->next - wall;
    budget = source->endpoint->courier->budget;

    if (budget) {
        pause = ngx_max(pause, budget->next - wall);
    }

    return ngx_max(pause, 0);
}


ngx_uint_t
ngx_http_ilert_pause_is_spent(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_store_budget_t  *budget;

    budget = source->endpoint->courier->budget;

    return source->shared->courier->budget->next || (budget && budget->next);
}


ngx_uint_t
ngx_http_ilert_pause_may_take(ngx_http_ilert_source_t *source, ngx_msec_t now)
{
    ngx_uint_t                        n, has;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    has = cs->nready + cs->inflight;

    if (now - cs->taken > NGX_HTTP_ILERT_PAUSE_SOON) {
        cs->most = 0;
    }

    cs->most = ngx_max(cs->most, source->policy.concurrency);
    n = cs->most;

    /* there is one request at a time; the other events wait on disk */

    if (ngx_http_ilert_pause_is_tight(source->shared, now)
        || ngx_http_ilert_pause_is_down(source->endpoint->courier)
        || cs->faults)
    {
        n = 1;
    }

    return (has < n) ? n - has : 0;
}


void
ngx_http_ilert_pause_take_more(ngx_http_ilert_source_t *source, ngx_msec_t now)
{
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    if (cs->nready == 0 && cs->inflight == 0
        && now - cs->taken <= NGX_HTTP_ILERT_PAUSE_SOON)
    {
        cs->most = ngx_min(2 * cs->most, NGX_HTTP_ILERT_PAUSE_READY);
    }
}


ngx_uint_t
ngx_http_ilert_pause_count(ngx_http_ilert_source_t *source)
{
    return source->shared->courier->pauses + source->endpoint->courier->pauses
           + source->courier->stops;
}


ngx_uint_t
ngx_http_ilert_pause_delivered(ngx_http_ilert_source_t *source)
{
    ngx_uint_t                          down;
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ck = source->shared->courier;
    ce = source->endpoint->courier;

    down = ngx_http_ilert_pause_is_down(ce) || (ck->parked && ck->faults > 1);

    ck->faults = 0;

    ce->faults = 0;
    ce->several = 0;
    ce->probes = 0;

    return down;
}


ngx_msec_t
ngx_http_ilert_pause_unanswered(ngx_http_ilert_source_t *source, int64_t alert,
    ngx_uint_t attempts, ngx_uint_t *down, ngx_msec_t now)
{
    ngx_http_ilert_courier_endpoint_t  *ce;

    ce = source->endpoint->courier;

    if (ce->faults++ == 0) {
        ce->alert = alert;

    } else if (ce->alert != alert) {
        ce->several = 1;
    }

    *down = ngx_http_ilert_pause_is_down(ce);

    if (*down) {
        return ngx_http_ilert_pause_endpoint(source, now);
    }

    return ngx_http_ilert_pause_back_off(source->policy.retry_first,
                                         source->policy.retry_longest,
                                         attempts);
}


/*
 * The endpoint is down, and another request got no answer.  Returns the ms
 * that are left of the pause; if there is none, a new one begins.  Requests
 * that were under way when the pause began do not make it longer.
 */

static ngx_msec_t
ngx_http_ilert_pause_endpoint(ngx_http_ilert_source_t *source, ngx_msec_t now)
{
    ngx_msec_int_t                      left;
    ngx_http_ilert_courier_endpoint_t  *ce;

    ce = source->endpoint->courier;

    left = ce->until - now;

    if (ce->probes == 0 || left <= 0) {
        left = ngx_http_ilert_pause_back_off(source->policy.retry_first,
                                      ngx_min(source->policy.retry_longest,
                                              NGX_HTTP_ILERT_PAUSE_PROBE_MAX),
                                      ce->probes++);
        ce->until = now + left;
    }

    ce->pauses++;

    return left;
}


ngx_msec_t
ngx_http_ilert_pause_refused(ngx_http_ilert_source_t *source,
    ngx_uint_t parked, time_t retry_after, ngx_msec_t now)
{
    ngx_msec_t                     pause;
    ngx_http_ilert_courier_key_t  *ck;

    ck = source->shared->courier;

    ck->parked = parked;

    if (parked) {
        pause = ngx_http_ilert_pause_back_off(NGX_HTTP_ILERT_PAUSE_PARK,
                                              NGX_HTTP_ILERT_PAUSE_PARK_MAX,
                                              ck->faults);

    } else {
        pause = retry_after
                ? (ngx_msec_t) retry_after * 1000
                : (ngx_msec_t) ngx_http_ilert_rules_limited(ck->faults,
                                                source->shared->rate.window);
        ck->limited = now;
        ck->tight = 1;
    }

    /* requests that were under way when the pause began do not prolong it */

    if (ck->faults && (ngx_msec_int_t) (ck->until - now) > 0) {
        return 0;
    }

    ck->until = now + pause;
    ck->faults++;
    ck->pauses++;

    return pause;
}


ngx_msec_t
ngx_http_ilert_pause_source(ngx_http_ilert_source_t *source, ngx_msec_t now)
{
    ngx_msec_int_t                    left;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    left = cs->until - now;

    /* requests that were under way when the pause began do not prolong it */

    if (cs->faults == 0 || left <= 0) {
        left = ngx_http_ilert_pause_back_off(NGX_HTTP_ILERT_PAUSE_PARK,
                                             NGX_HTTP_ILERT_PAUSE_PARK_MAX,
                                             cs->faults++);
        cs->until = now + left;
        cs->stops++;
    }

    return left;
}


ngx_uint_t
ngx_http_ilert_pause_end_source(ngx_http_ilert_source_t *source)
{
    ngx_uint_t  refused;

    refused = (source->courier->faults != 0);
    source->courier->faults = 0;

    return refused;
}


ngx_msec_t
ngx_http_ilert_pause_foreign(ngx_http_ilert_source_t *source,
    ngx_uint_t attempts, ngx_msec_t now)
{
    ngx_msec_int_t  left;

    left = source->shared->courier->until - now;

    return ngx_max(left, 0)
           + ngx_http_ilert_pause_back_off(source->policy.retry_first,
                                           source->policy.retry_longest,
                                           attempts);
}


/* Returns "first", doubled n times, but "longest" at most. */

static ngx_msec_t
ngx_http_ilert_pause_back_off(ngx_msec_t first, ngx_msec_t longest,
    ngx_uint_t n)
{
    while (n-- && first < longest) {
        first *= 2;
    }

    return ngx_min(first, longest);
}


void
ngx_http_ilert_pause_resume(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_courier_key_t  *ck;

    ck = source->shared->courier;

    source->courier->faults = 0;
    source->courier->stops++;

    if (!ck->tight) {
        ck->faults = 0;
        ck->pauses++;
    }
}
