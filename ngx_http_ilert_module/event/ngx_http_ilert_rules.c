
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_rules.h"


/* windows of its rate after which an event has waited for too long */

#define NGX_HTTP_ILERT_RULES_PATIENCE  5

/* ms by which the clocks of Kapacitor and nginx may differ */

#define NGX_HTTP_ILERT_RULES_CLOCKS    60000


static ngx_uint_t ngx_http_ilert_rules_cancel(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_said_t *said, ngx_uint_t next);
static ngx_http_ilert_rule_e ngx_http_ilert_rules_judge_resolve(
    ngx_http_ilert_policy_t *policy, ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said, int64_t now, int64_t *until);


ngx_str_t  ngx_http_ilert_urgency_names[] = {
    ngx_string("critical"),
    ngx_string("resolve"),
    ngx_string("open"),
    ngx_string("update"),
    ngx_string("repeat"),
    ngx_string("held"),
    ngx_string("silenced"),
    ngx_string("listed")
};


ngx_uint_t
ngx_http_ilert_rules_is_state(ngx_uint_t type)
{
    return type == NGX_HTTP_ILERT_ALERT || type == NGX_HTTP_ILERT_RESOLVE;
}


ngx_uint_t
ngx_http_ilert_rules_urgency(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said)
{
    ngx_uint_t  opens;

    if (said->type == NGX_HTTP_ILERT_RESOLVE) {
        return NGX_HTTP_ILERT_RESOLVES;
    }

    if (said->type != NGX_HTTP_ILERT_ALERT) {
        return NGX_HTTP_ILERT_UPDATES;
    }

    opens = (shown->shows != NGX_HTTP_ILERT_SHOWS_OPEN);

    if (said->priority == NGX_HTTP_ILERT_HIGH
        && (opens || shown->priority != NGX_HTTP_ILERT_HIGH))
    {
        return NGX_HTTP_ILERT_CRITICAL_FIRST;
    }

    if (said->level == NGX_HTTP_ILERT_CRITICAL
        && said->priority != NGX_HTTP_ILERT_LOW
        && (opens || shown->level != NGX_HTTP_ILERT_CRITICAL
            || shown->priority == NGX_HTTP_ILERT_LOW))
    {
        return NGX_HTTP_ILERT_CRITICAL_FIRST;
    }

    return opens ? NGX_HTTP_ILERT_OPENS : NGX_HTTP_ILERT_UPDATES;
}


void
ngx_http_ilert_rules_told(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said, int64_t now)
{
    if (!ngx_http_ilert_rules_is_state(said->type)) {
        return;
    }

    /* ilert uses the priority only of an ALERT that opens an alert */

    if (said->type == NGX_HTTP_ILERT_RESOLVE
        || shown->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED)
    {
        shown->lowered = 0;
    }

    if (said->type == NGX_HTTP_ILERT_ALERT
        && shown->shows != NGX_HTTP_ILERT_SHOWS_OPEN
        && said->priority == NGX_HTTP_ILERT_LOW)
    {
        shown->lowered = 1;
    }

    shown->shows = (said->type == NGX_HTTP_ILERT_ALERT)
                   ? NGX_HTTP_ILERT_SHOWS_OPEN : NGX_HTTP_ILERT_SHOWS_RESOLVED;
    shown->level = said->level;
    shown->priority = said->priority;
    shown->severity = said->severity;
    shown->told = now;
    shown->message = said->message;
}


ngx_uint_t
ngx_http_ilert_rules_replaces(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_said_t *waits, ngx_http_ilert_said_t *said)
{
    if (!ngx_http_ilert_rules_is_state(waits->type)
        || !ngx_http_ilert_rules_is_state(said->type))
    {
        return 0;
    }

    if (waits->own == NGX_HTTP_ILERT_OWN_ORDER) {
        return said->own == NGX_HTTP_ILERT_OWN_ORDER;
    }

    if (ngx_http_ilert_rules_cancel(policy, waits, said->type)) {
        return 1;
    }

    if (policy->coalesce == NGX_HTTP_ILERT_COALESCE_OFF) {
        return 0;
    }

    if (waits->repeat
        || (policy->coalesce == NGX_HTTP_ILERT_COALESCE_LATEST
            && waits->message == 0))
    {
        return 1;
    }

    if (waits->type != said->type) {
        return 0;
    }

    /* of two RESOLVEs one is enough */

    return said->type == NGX_HTTP_ILERT_RESOLVE
           || (waits->level == said->level
               && waits->priority == said->priority
               && waits->severity == said->severity
               && waits->message == said->message);
}


/*
 * With "resolve_delay" an ALERT and a RESOLVE cancel out, in any order, if the
 * first of them still waits; but not a RESOLVE that is not to be held.
 */

static ngx_uint_t
ngx_http_ilert_rules_cancel(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_said_t *said, ngx_uint_t next)
{
    return policy->resolve_delay
           && said->own == NGX_HTTP_ILERT_OWN_NONE
           && (said->type == NGX_HTTP_ILERT_ALERT || !said->freed)
           && said->message == 0
           && ngx_http_ilert_rules_is_state(next) && said->type != next;
}


ngx_http_ilert_rule_e
ngx_http_ilert_rules_judge(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_shown_t *shown, ngx_http_ilert_said_t *said,
    ngx_uint_t next, int64_t now, int64_t *until)
{
    int64_t  end;

    if (!ngx_http_ilert_rules_is_state(said->type)
        || said->own == NGX_HTTP_ILERT_OWN_ORDER)
    {
        return NGX_HTTP_ILERT_GO;
    }

    if (ngx_http_ilert_rules_cancel(policy, said, next)) {
        return NGX_HTTP_ILERT_DROP;
    }

    if ((policy->coalesce == NGX_HTTP_ILERT_COALESCE_LATEST
         || said->own == NGX_HTTP_ILERT_OWN_DIGEST)
        && said->message == 0 && ngx_http_ilert_rules_is_state(next))
    {
        return NGX_HTTP_ILERT_DROP;
    }

    if (said->type == NGX_HTTP_ILERT_RESOLVE) {
        return ngx_http_ilert_rules_judge_resolve(policy, shown, said, now,
                                                  until);
    }

    if (policy->coalesce == NGX_HTTP_ILERT_COALESCE_OFF) {
        return NGX_HTTP_ILERT_GO;
    }

    if (shown->shows != NGX_HTTP_ILERT_SHOWS_OPEN) {

        /*
         * What was a repeat when it came may be over by now, if other events
         * were sent since: it is not to open an alert.
         */

        return (said->repeat && shown->shows != NGX_HTTP_ILERT_SHOWS_UNKNOWN)
               ? NGX_HTTP_ILERT_DROP : NGX_HTTP_ILERT_GO;
    }

    if (shown->level != said->level || shown->priority != said->priority
        || shown->severity != said->severity
        || (said->message && shown->message != said->message)
        || said->own == NGX_HTTP_ILERT_OWN_DIGEST)
    {
        said->repeat = 0;
        return NGX_HTTP_ILERT_GO;
    }

    /* it says what ilert shows, and nothing is to wait for it */

    said->repeat = 1;

    if (next) {
        return NGX_HTTP_ILERT_DROP;
    }

    *until = ngx_min(shown->told, now) + policy->repeat;

    if (policy->resolve_after) {
        end = ngx_min(said->received, now) + policy->resolve_after;

        if (end <= now) {
            return NGX_HTTP_ILERT_DROP;
        }

        *until = ngx_min(*until, end);
    }

    return (*until > now) ? NGX_HTTP_ILERT_HOLD : NGX_HTTP_ILERT_GO;
}


/*
 * If the clock was set back, the RESOLVE may have come in the future: then it
 * has come now.
 */

static ngx_http_ilert_rule_e
ngx_http_ilert_rules_judge_resolve(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_shown_t *shown, ngx_http_ilert_said_t *said, int64_t now,
    int64_t *until)
{
    if (policy->coalesce == NGX_HTTP_ILERT_COALESCE_OFF
        && policy->resolve_delay == 0)
    {
        return NGX_HTTP_ILERT_GO;
    }

    if (shown->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED) {
        return NGX_HTTP_ILERT_DROP;
    }

    if (policy->resolve_delay == 0 || said->freed
        || said->own != NGX_HTTP_ILERT_OWN_NONE)
    {
        return NGX_HTTP_ILERT_GO;
    }

    *until = ngx_min(said->since, now) + policy->resolve_delay;

    return (*until > now) ? NGX_HTTP_ILERT_DELAY : NGX_HTTP_ILERT_GO;
}


ngx_uint_t
ngx_http_ilert_rules_untold(int64_t doubted, int64_t began, int64_t now)
{
    return doubted && began
           && ngx_min(began, now) > doubted + NGX_HTTP_ILERT_RULES_CLOCKS;
}


ngx_uint_t
ngx_http_ilert_rules_raises(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said)
{
    return said->type == NGX_HTTP_ILERT_ALERT
           && (said->own == NGX_HTTP_ILERT_OWN_NONE
               || said->own == NGX_HTTP_ILERT_OWN_DIGEST)
           && shown->shows != NGX_HTTP_ILERT_SHOWS_RESOLVED && shown->lowered
           && (said->priority == NGX_HTTP_ILERT_HIGH
               || (said->priority == NGX_HTTP_ILERT_NO_PRIORITY
                   && said->level == NGX_HTTP_ILERT_CRITICAL))
           && ngx_http_ilert_rules_urgency(shown, said)
              == NGX_HTTP_ILERT_CRITICAL_FIRST;
}


ngx_uint_t
ngx_http_ilert_rules_stays_low(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said)
{
    return said->type == NGX_HTTP_ILERT_ALERT && shown->lowered
           && shown->shows != NGX_HTTP_ILERT_SHOWS_RESOLVED
           && said->priority == shown->priority
           && said->level <= shown->level;
}


ngx_uint_t
ngx_http_ilert_rules_opens(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said)
{
    ngx_uint_t  urgency;

    if (said->type != NGX_HTTP_ILERT_ALERT) {
        return 0;
    }

    urgency = ngx_http_ilert_rules_urgency(shown, said);

    return urgency == NGX_HTTP_ILERT_CRITICAL_FIRST
           || urgency == NGX_HTTP_ILERT_OPENS;
}


ngx_uint_t
ngx_http_ilert_rules_held(ngx_uint_t urgency)
{
    return urgency > NGX_HTTP_ILERT_REPEATS;
}


ngx_uint_t
ngx_http_ilert_rules_expired(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_shown_t *shown, ngx_http_ilert_said_t *said, int64_t now)
{
    if (policy->max_age == 0 || said->received + policy->max_age > now
        || said->own == NGX_HTTP_ILERT_OWN_ORDER
        || said->own == NGX_HTTP_ILERT_OWN_DIGEST)
    {
        return 0;
    }

    return said->type != NGX_HTTP_ILERT_RESOLVE
           || (shown->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED && shown->told);
}


ngx_uint_t
ngx_http_ilert_rules_turn(ngx_uint_t urgency, ngx_uint_t digest,
    int64_t *since, int64_t window, int64_t now)
{
    int64_t  aged;

    if (digest) {
        return NGX_HTTP_ILERT_TURN_DIGEST;
    }

    if (urgency == NGX_HTTP_ILERT_CRITICAL_FIRST) {
        return NGX_HTTP_ILERT_TURN_CRITICAL;
    }

    if (urgency == NGX_HTTP_ILERT_REPEATS) {
        return NGX_HTTP_ILERT_TURN_LESSER + NGX_HTTP_ILERT_UPDATES;
    }

    aged = *since + NGX_HTTP_ILERT_RULES_PATIENCE * window;

    if (aged >= now) {
        return NGX_HTTP_ILERT_TURN_LESSER + urgency;
    }

    *since = aged;

    return NGX_HTTP_ILERT_TURN_AGED;
}


ngx_uint_t
ngx_http_ilert_rules_leaves(ngx_http_ilert_spends_e spends, ngx_uint_t rate,
    ngx_uint_t reserve, ngx_uint_t kept)
{
    switch (spends) {

    case NGX_HTTP_ILERT_SPENDS_ALL:
        return 0;

    case NGX_HTTP_ILERT_SPENDS_MEMBER:
        return kept;

    case NGX_HTTP_ILERT_SPENDS_LESSER:
        return ngx_max(reserve, kept);

    default: /* NGX_HTTP_ILERT_SPENDS_REPEAT */
        return kept ? rate : ngx_max(reserve, rate / 2);
    }
}


/*
 * At a time t the gap since "last" has to be (next - t) / slots, where "slots"
 * is the number of requests that are left for this; this holds from
 * last + (next - last) / (slots + 1) on.
 */

int64_t
ngx_http_ilert_rules_spread(ngx_uint_t left, ngx_uint_t leaves,
    ngx_uint_t rate, int64_t window, int64_t next, int64_t last)
{
    int64_t  gap, least, slots;

    if (left > rate / 2) {
        return 0;
    }

    slots = left - leaves;

    gap = (next - last + slots) / (slots + 1);
    least = (window + rate - leaves - 1) / (int64_t) (rate - leaves);

    return ngx_min(last + ngx_max(gap, least), next);
}


ngx_uint_t
ngx_http_ilert_rules_refuses_all(ngx_http_ilert_refusals_t *refusals)
{
    return refusals->n == NGX_HTTP_ILERT_REFUSALS;
}


ngx_uint_t
ngx_http_ilert_rules_refused(ngx_http_ilert_refusals_t *refusals,
    int64_t alert, ngx_uint_t again)
{
    ngx_uint_t  i;

    if (ngx_http_ilert_rules_refuses_all(refusals)) {
        return 0;
    }

    if (again) {
        return 1;
    }

    for (i = 0; i < refusals->n; i++) {
        if (refusals->alerts[i] == alert) {
            return 1;
        }
    }

    refusals->alerts[refusals->n++] = alert;

    return !ngx_http_ilert_rules_refuses_all(refusals);
}


ngx_uint_t
ngx_http_ilert_rules_taken(ngx_http_ilert_refusals_t *refusals)
{
    ngx_uint_t  changed;

    changed = (refusals->n != 0);
    refusals->n = 0;

    return changed;
}


/* a sixth of the window, a third, and then a half */

int64_t
ngx_http_ilert_rules_limited(ngx_uint_t n, int64_t window)
{
    return ngx_min(window / 6 * (int64_t) (n + 1), window / 2);
}


ngx_uint_t
ngx_http_ilert_rules_refused_goes(int64_t n, int64_t bytes, int64_t max_size,
    int64_t time, int64_t now)
{
    return n > NGX_HTTP_ILERT_REFUSED_NUMBER
           || (max_size && bytes > max_size / 10)
           || time <= now - NGX_HTTP_ILERT_REFUSED_TIME;
}
