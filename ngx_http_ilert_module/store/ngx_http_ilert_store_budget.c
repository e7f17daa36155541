
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Counts requests.  Each request takes a slot of its key and one of its
 * endpoint, if these have a rate.  A slot counts from the moment in which the
 * event is taken until a window after its verdict; then ilert does not count
 * the request any longer either.  After a 429 there is a pause of the key or
 * the endpoint.
 *
 * Requests that are not urgent leave some of a budget for those that are, and
 * beyond half of it they are spread over the time: see "lesser".
 *
 * If the clock was set back, times may be in the future: they are taken for
 * the present time.
 */


static ngx_uint_t ngx_http_ilert_budget_affords_one(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_budget_t *budget,
    ngx_http_ilert_spends_e spends);


void
ngx_http_ilert_budget_begin(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    for (i = 0; i < job->nbudgets; i++) {
        job->budgets[i].known = 0;
        job->budgets[i].spread = 0;
    }
}


void
ngx_http_ilert_budget_end(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    for (i = 0; i < job->nbudgets; i++) {
        if (job->budgets[i].spread) {
            job->budgets[i].lesser = job->budgets[i].spread;
        }
    }
}


ngx_int_t
ngx_http_ilert_budget_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev)
{
    ngx_uint_t                      i, made;
    ngx_http_ilert_store_fund_t    *fund;
    ngx_http_ilert_store_budget_t  *budget;

    made = (ev->verdict == NGX_HTTP_ILERT_STORE_DONE
            || ev->verdict == NGX_HTTP_ILERT_STORE_DEAD
            || (ev->verdict == NGX_HTTP_ILERT_STORE_AGAIN
                && (ev->maybe || ev->refused)));

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = ev->budgets[i];

        if (budget == NULL) {
            continue;
        }

        if (ngx_http_ilert_work_fund(work, &budget->name, &fund) != NGX_OK) {
            return NGX_ERROR;
        }

        if (budget->rate && made) {
            fund->ended++;

        } else if (budget->rate) {
            fund->freed++;
        }

        if (i == 0 && ev->pause) {
            fund->paused = work->now;
            fund->pause = ev->pause;
            fund->changed = 1;
        }

        if (!made) {
            budget->next = 0;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_budget_load(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget)
{
    ngx_http_ilert_store_fund_t  *fund;

    budget->known = 1;
    budget->used = 0;
    budget->next = 0;
    budget->left = (ngx_uint_t) -1;
    budget->kept = 0;
    budget->lesser = ngx_min(budget->lesser, work->now);

    if (ngx_http_ilert_work_fund(work, &budget->name, &fund) != NGX_OK) {
        return NGX_ERROR;
    }

    if (budget->rate) {

        if (!fund->slots
            && work->store->backend->slots(work, fund) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_budget_expire(fund, budget->window, work->now);

        budget->used = fund->underway + fund->nat;
        budget->left = (budget->used < budget->rate)
                       ? budget->rate - budget->used : 0;
    }

    if (fund->paused > work->now) {
        fund->paused = work->now;
        fund->changed = 1;
    }

    if (fund->paused + fund->pause > work->now) {
        budget->left = 0;
        budget->next = fund->paused + fund->pause;
    }

    return NGX_OK;
}


void
ngx_http_ilert_budget_expire(ngx_http_ilert_store_fund_t *fund,
    int64_t window, int64_t now)
{
    ngx_uint_t  i;

    for (i = fund->nat; i && fund->at[i - 1] > now; i--) {
        fund->at[i - 1] = now;
        fund->late = now;
    }

    for (i = 0; i < fund->nat && i < NGX_HTTP_ILERT_STORE_ROWS; i++) {
        if (fund->at[i] > now - window) {
            break;
        }
    }

    if (i) {
        fund->expired = now - window;
        fund->nexpired += i;
        fund->at += i;
        fund->nat -= i;
    }
}


ngx_uint_t
ngx_http_ilert_budget_affords(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t **budgets, ngx_http_ilert_spends_e spends)
{
    ngx_uint_t  i, affords;

    affords = 1;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        if (budgets[i]
            && !ngx_http_ilert_budget_affords_one(work, budgets[i], spends))
        {
            affords = 0;
        }
    }

    return affords;
}


static ngx_uint_t
ngx_http_ilert_budget_affords_one(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget, ngx_http_ilert_spends_e spends)
{
    int64_t     next;
    ngx_uint_t  leaves;

    if (budget->next) {

        /* a pause */

        ngx_http_ilert_work_due(work, budget->next);
        return 0;
    }

    if (budget->rate == 0) {
        return 1;
    }

    leaves = ngx_http_ilert_rules_leaves(spends, budget->rate,
                                         budget->reserve, budget->kept);

    if (budget->left <= leaves) {
        next = ngx_http_ilert_budget_next(work, budget, leaves);

    } else if (spends == NGX_HTTP_ILERT_SPENDS_LESSER) {
        next = ngx_http_ilert_rules_spread(budget->left, leaves, budget->rate,
                        budget->window,
                        ngx_http_ilert_budget_next(work, budget, budget->left),
                        budget->spread ? budget->spread : budget->lesser);

        if (next <= work->now) {
            return 1;
        }

    } else {
        return 1;
    }

    ngx_http_ilert_work_due(work, next);

    return 0;
}


void
ngx_http_ilert_budget_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t **budgets, ngx_http_ilert_spends_e spends)
{
    ngx_uint_t                    i;
    ngx_http_ilert_store_fund_t  *fund;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {

        if (budgets[i] == NULL || budgets[i]->rate == 0) {
            continue;
        }

        budgets[i]->left--;
        budgets[i]->used++;

        if (spends == NGX_HTTP_ILERT_SPENDS_LESSER) {
            budgets[i]->spread = work->now;
        }

        fund = ngx_http_ilert_work_known_fund(work, &budgets[i]->name);

        fund->underway++;
        fund->begun++;
    }
}


int64_t
ngx_http_ilert_budget_next(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget, ngx_uint_t leaves)
{
    ngx_uint_t                    n;
    ngx_http_ilert_store_fund_t  *fund;

    fund = ngx_http_ilert_work_known_fund(work, &budget->name);

    /* after so many slots; at least one has to end */

    n = budget->used + leaves - budget->rate;

    /* a slot that is under way may end now, and count a window long */

    return (n < fund->nat ? fund->at[n] : work->now) + budget->window;
}
