
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_fallback_rules.h"


static int64_t ngx_http_ilert_fallback_pause(ngx_uint_t fails, int64_t every);


void
ngx_http_ilert_fallback_see(ngx_http_ilert_fallback_seen_t *seen,
    int64_t since, int64_t after, int64_t now)
{
    int64_t  age;

    age = now - since;

    if (age >= ngx_min(after, NGX_HTTP_ILERT_FALLBACK_CALM)) {
        seen->restless++;
    }

    if (age < after) {
        return;
    }

    if (seen->late == 0) {
        seen->since = since;
        seen->newest = since;
    }

    seen->late++;
    seen->since = ngx_min(seen->since, since);
    seen->newest = ngx_max(seen->newest, since);
}


ngx_http_ilert_fallback_action_e
ngx_http_ilert_fallback_decide(ngx_http_ilert_fallback_state_t *state,
    ngx_http_ilert_fallback_seen_t *seen, int64_t after, int64_t every,
    int64_t now)
{
    ngx_http_ilert_fallback_action_e  action;

    /* if the clock was set back, nothing was done later than now */

    state->told = ngx_min(state->told, now);
    state->tried = ngx_min(state->tried, now);

    action = NGX_HTTP_ILERT_FALLBACK_TELL;

    if (seen->late == 0) {

        if (state->told == 0) {
            state->fails = 0;
            return NGX_HTTP_ILERT_FALLBACK_REST;
        }

        if (seen->restless) {
            return NGX_HTTP_ILERT_FALLBACK_REST;
        }

        action = NGX_HTTP_ILERT_FALLBACK_OVER;
    }

    if (state->fails) {
        return (now - state->tried
                >= ngx_http_ilert_fallback_pause(state->fails, every))
               ? action : NGX_HTTP_ILERT_FALLBACK_REST;
    }

    if (state->told == 0 || seen->late == 0 || now - state->told >= every) {
        return action;
    }

    /* what has become late since then is told before that */

    if (seen->newest + after > state->told && now - state->told >= after) {
        return action;
    }

    return NGX_HTTP_ILERT_FALLBACK_REST;
}


/* Returns the pause after so many tries that have failed. */

static int64_t
ngx_http_ilert_fallback_pause(ngx_uint_t fails, int64_t every)
{
    int64_t  pause;

    pause = NGX_HTTP_ILERT_FALLBACK_PAUSE;

    while (--fails && pause < every) {
        pause *= 2;
    }

    return ngx_min(pause, every);
}


void
ngx_http_ilert_fallback_done(ngx_http_ilert_fallback_state_t *state,
    ngx_http_ilert_fallback_action_e action, ngx_uint_t taken, int64_t now)
{
    state->tried = now;

    if (!taken) {
        state->fails++;
        return;
    }

    state->fails = 0;
    state->told = (action == NGX_HTTP_ILERT_FALLBACK_TELL) ? now : 0;
}
