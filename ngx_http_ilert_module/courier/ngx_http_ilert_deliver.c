
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_deliver.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_pause.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_request.h"
#include "ngx_http_ilert_store.h"


#if (NGX_THREADS)

/* ms of the pause after there was no connection or no memory to send with */

#define NGX_HTTP_ILERT_DELIVER_CROWDED   500

/* a job is posted at once for so many verdicts; else they wait so many ms */

#define NGX_HTTP_ILERT_DELIVER_VERDICTS  100
#define NGX_HTTP_ILERT_DELIVER_FLUSH     5


/*
 * A delivery.  It is "data" of the stored event, and is freed with it, when
 * the verdict is on disk.
 */

typedef struct {
    ngx_http_ilert_event_t           event;
    ngx_http_ilert_store_event_t    *stored;
    ngx_uint_t                       seat;      /* of this worker, when the */
                                                /* request was made */
    u_char                           id[NGX_INT64_LEN];
    u_char                           error[NGX_HTTP_ILERT_ERROR_SIZE];
} ngx_http_ilert_deliver_delivery_t;


static ngx_int_t ngx_http_ilert_deliver_create(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_deliver_init_budgets(
    ngx_http_ilert_courier_t *co, ngx_pool_t *pool);
static ngx_http_ilert_store_budget_t *ngx_http_ilert_deliver_budget(
    ngx_http_ilert_courier_t *co, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate);
static ngx_msec_int_t ngx_http_ilert_deliver_crowd_pause(
    ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_deliver_next(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_deliver_has_aged(
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se);
static ngx_int_t ngx_http_ilert_deliver_send(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_deliver_done(ngx_http_ilert_request_t *ir);
static void ngx_http_ilert_deliver_verdict(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_deliver_delivery_t *cd);
static u_char *ngx_http_ilert_deliver_error(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_deliver_delivery_t *cd);
static void ngx_http_ilert_deliver_crowd(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_deliver_delivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);
static void ngx_http_ilert_deliver_undelivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_request_t *ir, ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_deliver_give_back_source(
    ngx_http_ilert_source_t *source);
static void ngx_http_ilert_deliver_flush(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_deliver_to_queue(ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_deliver_lost(ngx_http_ilert_courier_t *co);
static void ngx_http_ilert_deliver_drop(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_deliver_delivery_t *cd);
static ngx_uint_t ngx_http_ilert_deliver_may_send(
    ngx_http_ilert_request_t *ir);
static void ngx_http_ilert_deliver_at(ngx_http_ilert_request_t *ir,
    ngx_uint_t begins);


static ngx_http_ilert_request_owner_t  ngx_http_ilert_deliver_owner = {
    ngx_http_ilert_deliver_done,
    ngx_http_ilert_deliver_may_send,
    ngx_http_ilert_deliver_at
};

ngx_http_ilert_courier_t  ngx_http_ilert_courier;


ngx_int_t
ngx_http_ilert_deliver_init_process(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool)
{
    if (ngx_http_ilert_deliver_create(co, pool) != NGX_OK
        || ngx_http_ilert_deliver_init_budgets(co, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_request_set_owner(&ngx_http_ilert_deliver_owner);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_deliver_create(ngx_http_ilert_courier_t *co, ngx_pool_t *pool)
{
    ngx_uint_t                          i;
    ngx_http_ilert_key_t              **keys;
    ngx_http_ilert_source_t           **sources;
    ngx_http_ilert_endpoint_t         **endpoints;
    ngx_http_ilert_courier_key_t       *ck;
    ngx_http_ilert_courier_source_t    *cs;
    ngx_http_ilert_courier_endpoint_t  *ce;

    cs = ngx_pcalloc(pool, co->imcf->sources.nelts
                           * sizeof(ngx_http_ilert_courier_source_t));
    ck = ngx_pcalloc(pool, co->imcf->keys.nelts
                           * sizeof(ngx_http_ilert_courier_key_t));
    ce = ngx_pcalloc(pool, co->imcf->endpoints.nelts
                           * sizeof(ngx_http_ilert_courier_endpoint_t));

    if (cs == NULL || ck == NULL || ce == NULL) {
        return NGX_ERROR;
    }

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        sources[i]->courier = &cs[i];
    }

    keys = co->imcf->keys.elts;

    for (i = 0; i < co->imcf->keys.nelts; i++) {
        keys[i]->courier = &ck[i];
    }

    endpoints = co->imcf->endpoints.elts;

    for (i = 0; i < co->imcf->endpoints.nelts; i++) {
        endpoints[i]->courier = &ce[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_deliver_init_budgets(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool)
{
    ngx_uint_t                   i, n;
    ngx_http_ilert_key_t       **keys;
    ngx_http_ilert_endpoint_t  **endpoints;

    n = co->imcf->keys.nelts + co->imcf->endpoints.nelts;

    co->budgets = ngx_pcalloc(pool,
                              n * sizeof(ngx_http_ilert_store_budget_t));
    if (co->budgets == NULL) {
        return NGX_ERROR;
    }

    keys = co->imcf->keys.elts;

    for (i = 0; i < co->imcf->keys.nelts; i++) {
        keys[i]->courier->budget = ngx_http_ilert_deliver_budget(co,
                                                            &keys[i]->name,
                                                            &keys[i]->rate);
    }

    endpoints = co->imcf->endpoints.elts;

    for (i = 0; i < co->imcf->endpoints.nelts; i++) {
        if (endpoints[i]->rate.n) {
            endpoints[i]->courier->budget =
                ngx_http_ilert_deliver_budget(co, &endpoints[i]->name,
                                              &endpoints[i]->rate);
        }
    }

    return NGX_OK;
}


static ngx_http_ilert_store_budget_t *
ngx_http_ilert_deliver_budget(ngx_http_ilert_courier_t *co, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate)
{
    ngx_http_ilert_store_budget_t  *budget;

    budget = &co->budgets[co->nbudgets++];

    budget->name = *name;
    budget->rate = rate->n;
    budget->reserve = rate->reserve;
    budget->window = rate->window;

    return budget;
}


void
ngx_http_ilert_deliver_go(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t                        i;
    ngx_http_ilert_source_t          *source, **sources;
    ngx_http_ilert_courier_source_t  *cs;

    if (!ngx_http_ilert_lock_is_current()) {
        ngx_http_ilert_deliver_lost(co);
        return;
    }

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        source = sources[i];
        cs = source->courier;

        if (cs->nready && source->counters->paused) {
            ngx_http_ilert_deliver_give_back_source(source);
        }

        while (cs->nready && cs->inflight < source->policy.concurrency
               && !ngx_http_ilert_pause_is_probed(source, ngx_current_msec))
        {
            if (!ngx_http_ilert_request_has_room()) {

                /* no more requests can be under way at a time */

                ngx_http_ilert_deliver_set_wait(co,
                                             NGX_HTTP_ILERT_DELIVER_CROWDED);
                break;
            }

            ngx_http_ilert_deliver_next(co, source);
        }

        if (cs->more && cs->nready < NGX_HTTP_ILERT_COURIER_LOW) {
            ngx_http_ilert_deliver_flush(co);
        }
    }
}


ngx_msec_int_t
ngx_http_ilert_deliver_pause(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    ngx_uint_t      urgent;
    ngx_msec_int_t  left;

    urgent = (source->courier->urgent != source->counters->urgent);

    left = ngx_http_ilert_pause_left(source, urgent, ngx_current_msec);

    if (left == -1) {
        return -1;
    }

    return ngx_max(left, ngx_http_ilert_deliver_crowd_pause(co));
}


static ngx_msec_int_t
ngx_http_ilert_deliver_crowd_pause(ngx_http_ilert_courier_t *co)
{
    ngx_msec_int_t  left;

    left = co->until - ngx_current_msec;

    if (left <= 0) {
        co->crowded = 0;
    }

    return co->crowded ? left : 0;
}


ngx_uint_t
ngx_http_ilert_deliver_pauses(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    return ngx_http_ilert_pause_count(source) + co->pauses;
}


void
ngx_http_ilert_deliver_set_wait(ngx_http_ilert_courier_t *co,
    ngx_msec_int_t timer)
{
    if (timer == -1) {
        return;
    }

    timer = ngx_min(timer, NGX_HTTP_ILERT_COURIER_CLEAN);

    if (co->wait.timer_set
        && (ngx_msec_int_t) (co->wait.timer.key - ngx_current_msec) <= timer)
    {
        return;
    }

    ngx_add_timer(&co->wait, timer);
}


/*
 * Sends the first event that is ready, or gives it back if it must not be sent
 * or there is no memory.
 */

static void
ngx_http_ilert_deliver_next(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    ngx_queue_t                      *link;
    ngx_http_ilert_store_event_t     *se;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    link = ngx_queue_head(&cs->ready);
    ngx_queue_remove(link);
    cs->nready--;

    se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

    if (ngx_http_ilert_deliver_has_aged(source, se)) {
        ngx_http_ilert_deliver_give_back(se);
        cs->more = 1;
        ngx_http_ilert_deliver_flush(co);
        return;
    }

    if (se->passthrough != source->passthrough) {

        if (!cs->changed) {
            cs->changed = 1;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "ilert source \"%V\": events wait that are of the "
                          "other kind, made for %s", &source->name,
                          se->passthrough ? "a webhook URL"
                                          : "an integration key");
        }

        se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;
        se->next = ngx_http_ilert_clock_now()
                   + NGX_HTTP_ILERT_PAUSE_PARK_MAX;

        ngx_http_ilert_deliver_to_queue(se);
        ngx_http_ilert_deliver_flush(co);
        return;
    }

    if (ngx_http_ilert_deliver_send(co, source, se) != NGX_OK) {

        ngx_http_ilert_deliver_give_back(se);
        ngx_http_ilert_deliver_crowd(co);
        cs->more = 1;
        ngx_http_ilert_deliver_flush(co);
    }
}


/*
 * Returns 1 if the event has become older than "max_age" since it was taken:
 * then it is given back, and the store decides again.  An event that was too
 * old when it was taken is sent, since the store has decided so.
 */

static ngx_uint_t
ngx_http_ilert_deliver_has_aged(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_event_t *se)
{
    int64_t  end;

    if (source->policy.max_age == 0) {
        return 0;
    }

    end = se->said.received + source->policy.max_age;

    return end > se->next && end <= ngx_http_ilert_clock_now();
}


static ngx_int_t
ngx_http_ilert_deliver_send(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se)
{
    size_t                              size;
    ngx_int_t                           rc;
    volatile int64_t                   *mark;
    ngx_http_ilert_event_t             *ev;
    ngx_http_ilert_deliver_delivery_t  *cd;

    size = sizeof(ngx_http_ilert_deliver_delivery_t);

    if (se->body.len == 0) {
        size += ngx_http_ilert_event_resolve_size(&se->key);
    }

    cd = ngx_calloc(size, ngx_cycle->log);
    if (cd == NULL) {
        return NGX_ERROR;
    }

    cd->stored = se;
    cd->seat = ngx_http_ilert_lock_seat();
    se->data = cd;

    ev = &cd->event;

    ev->source = source;
    ev->type = se->said.type;
    ev->level = se->said.level;
    ev->alert_key = se->key;
    ev->body = se->body;

    if (ev->body.len == 0) {
        ev->body.data = (u_char *) cd
                        + sizeof(ngx_http_ilert_deliver_delivery_t);
        ngx_http_ilert_event_resolve(ev, se->said.own, se->said.level,
                                     se->silence ? se->silence
                                     : source->policy.resolve_after,
                                     source->passthrough, ngx_time(),
                                     (u_char *) cd + size);
    }

    ev->received = se->said.received;
    ev->number = se->id;
    ev->id.data = cd->id;
    ev->id.len = ngx_sprintf(cd->id, "%uL", se->id) - cd->id;

    mark = ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_LOOP);
    *mark = se->seq;

    rc = ngx_http_ilert_request_send(ev, se->attempts + 1,
                                     ngx_http_ilert_deliver_done, cd);

    *mark = 0;

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    co->inflight++;
    source->courier->inflight++;
    source->counters->inflight = source->courier->inflight;
    source->shared->courier->inflight++;
    source->courier->probed = ngx_current_msec;
    source->shared->courier->probed = ngx_current_msec;
    source->endpoint->courier->inflight++;
    source->endpoint->courier->probed = ngx_current_msec;

    return NGX_OK;
}


static void
ngx_http_ilert_deliver_done(ngx_http_ilert_request_t *ir)
{
    ngx_http_ilert_source_t            *source;
    ngx_http_ilert_courier_t           *co;
    ngx_http_ilert_deliver_delivery_t  *cd;

    cd = ir->data;
    co = &ngx_http_ilert_courier;
    source = ir->event->source;

    co->inflight--;
    source->courier->inflight--;
    source->shared->courier->inflight--;
    source->endpoint->courier->inflight--;

    if (!ngx_http_ilert_deliver_may_send(ir)) {

        /* this worker is not the courier any more: the verdict is void */

        ngx_http_ilert_deliver_drop(co, cd);
        return;
    }

    source->counters->inflight = source->courier->inflight;

    ngx_http_ilert_deliver_at(ir, 1);

    ngx_http_ilert_deliver_verdict(ir, cd);

    ngx_http_ilert_deliver_at(ir, 0);

    ngx_http_ilert_deliver_to_queue(cd->stored);

    /* another event of the alert may wait for this verdict */

    source->courier->more = 1;

    if (!co->leaving) {
        ngx_http_ilert_deliver_go(co);
    }

    ngx_http_ilert_deliver_flush(co);
}


/* Makes the verdict of an outcome, counts it, and logs it. */

static void
ngx_http_ilert_deliver_verdict(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_deliver_delivery_t *cd)
{
    ngx_str_t                      error;
    ngx_msec_int_t                 pause;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    se = cd->stored;
    source = ir->event->source;

    error.data = cd->error;
    error.len = 0;

    if (ir->outcome.verdict == NGX_HTTP_ILERT_DONE) {
        se->verdict = NGX_HTTP_ILERT_STORE_DONE;
        ngx_http_ilert_deliver_delivered(&ngx_http_ilert_courier, source);
        ngx_http_ilert_deliver_unpark(source);
        ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
        ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error, 0);
        source->quiet = 0;
        return;
    }

    error.len = ngx_http_ilert_deliver_error(ir, cd) - cd->error;

    if (ir->outcome.fault == NGX_HTTP_ILERT_FAULT_UNSENT) {
        se->verdict = NGX_HTTP_ILERT_STORE_UNSENT;
        ngx_http_ilert_deliver_crowd(&ngx_http_ilert_courier);
        ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
        source->quiet = (source->counters->fault.fault != 0);
        return;
    }

    if (ir->outcome.verdict == NGX_HTTP_ILERT_DEAD) {
        se->verdict = NGX_HTTP_ILERT_STORE_DEAD;
        se->status = ir->outcome.status;
        se->error = error;

        /* the store decides whether it is a dead letter, see refusal.h */

        ngx_http_ilert_deliver_delivered(&ngx_http_ilert_courier, source);
        ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error, 0);

        if (source->courier->faults) {
            (void) ngx_http_ilert_deliver_park(&ngx_http_ilert_courier,
                                               source);
        }

        return;
    }

    ngx_http_ilert_counters_add(source->counters->retried, 1);

    if (ir->outcome.given_up) {

        /* this worker exits: the next courier sends the event again */

        se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;
        se->maybe = ir->outcome.sent;
        se->next = ngx_http_ilert_clock_now();
        return;
    }

    ngx_http_ilert_deliver_undelivered(&ngx_http_ilert_courier, ir, se);
    ngx_http_ilert_outcome_log(ir->event, &ir->outcome, &error);
    source->quiet = (source->counters->fault.fault != 0);

    pause = source->shared->courier->until - ngx_current_msec;

    ngx_http_ilert_outcome_count(ir->event, &ir->outcome, &error,
                                 ((se->refused || ir->outcome.foreign)
                                  && pause > 0) ? pause : 0);
}


/*
 * Writes the error of an outcome to cd->error, and returns its end.  If a key
 * is parked because of an answer that is not ilert's own, the error says so.
 */

static u_char *
ngx_http_ilert_deliver_error(ngx_http_ilert_request_t *ir,
    ngx_http_ilert_deliver_delivery_t *cd)
{
    u_char  *p, *last;

    last = cd->error + sizeof(cd->error);

    if (!ir->outcome.foreign) {
        return ngx_http_ilert_outcome_error(ir->event, &ir->outcome,
                                            cd->error, last);
    }

    p = ngx_slprintf(cd->error, last, "ilert answered %ui, without an error "
                     "of its own: a proxy or a front end on the way has "
                     "refused it", ir->outcome.status);

    if (ir->outcome.reason.len) {
        p = ngx_slprintf(p, last, ": %V", &ir->outcome.reason);
    }

    return p;
}


/*
 * This worker had no connection or no memory to send with.  It is no attempt
 * of the event.  All sources pause, always for the same time.
 */

static void
ngx_http_ilert_deliver_crowd(ngx_http_ilert_courier_t *co)
{
    co->crowded = 1;
    co->until = ngx_current_msec + NGX_HTTP_ILERT_DELIVER_CROWDED;
    co->pauses++;

    ngx_http_ilert_deliver_give_back_all(co, NULL, NULL);
}


/* ilert has answered, and has not refused the key. */

static void
ngx_http_ilert_deliver_delivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    if (ngx_http_ilert_pause_delivered(source)) {

        /* the endpoint was down, or the key parked: events wait for a time */

        ngx_http_ilert_deliver_release(co, source->endpoint);
    }
}


void
ngx_http_ilert_deliver_unpark(ngx_http_ilert_source_t *source)
{
    if (ngx_http_ilert_pause_end_source(source)) {
        source->courier->release = 1;
        source->courier->more = 1;
    }

    ngx_http_ilert_counters_settle(source->counters, 0);
}


ngx_msec_t
ngx_http_ilert_deliver_park(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source)
{
    ngx_msec_t  pause;

    pause = ngx_http_ilert_pause_source(source, ngx_current_msec);

    ngx_http_ilert_deliver_give_back_source(source);

    source->courier->more = 1;
    ngx_http_ilert_deliver_set_wait(co, pause);

    return pause;
}


static void
ngx_http_ilert_deliver_undelivered(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_request_t *ir, ngx_http_ilert_store_event_t *se)
{
    ngx_uint_t                down, parked;
    ngx_msec_t                pause;
    ngx_http_ilert_source_t  *source;

    source = ir->event->source;
    parked = (ir->outcome.verdict == NGX_HTTP_ILERT_PARK);

    se->verdict = NGX_HTTP_ILERT_STORE_AGAIN;

    if (source->courier->faults) {

        /* a probe of the source has failed: its pause goes on */

        (void) ngx_http_ilert_deliver_park(co, source);
    }

    if (parked || ir->outcome.status == NGX_HTTP_TOO_MANY_REQUESTS) {

        /* it is not the event's fault: the key has to wait, not the event */

        pause = ngx_http_ilert_pause_refused(source, parked,
                                             ir->outcome.retry_after,
                                             ngx_current_msec);

        ngx_http_ilert_deliver_give_back_all(co, source->shared, NULL);

        if (!parked) {
            se->pause = pause;
        }

        se->refused = 1;
        se->next = ngx_http_ilert_clock_now();

        if (ir->outcome.foreign) {

            /* what is in the event may be the reason: it has to wait, too */

            se->refused = 0;
            se->next += ngx_http_ilert_pause_foreign(source, se->attempts,
                                                     ngx_current_msec);
        }

        return;
    }

    se->maybe = ir->outcome.sent;

    pause = ngx_http_ilert_pause_unanswered(source, se->alert, se->attempts,
                                            &down, ngx_current_msec);

    if (down) {
        ngx_http_ilert_counters_set_down(source->endpoint, 1);
        ngx_http_ilert_deliver_give_back_all(co, NULL, source->endpoint);

    } else {
        pause -= ngx_random() % (pause / 4 + 1);
    }

    se->next = ngx_http_ilert_clock_now() + pause;
}


void
ngx_http_ilert_deliver_release(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {
        if (endpoint == NULL || sources[i]->endpoint == endpoint) {
            sources[i]->courier->release = 1;
            sources[i]->courier->more = 1;
        }
    }
}


void
ngx_http_ilert_deliver_give_back_all(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_key_t *key, ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {

        if ((key && sources[i]->shared != key)
            || (endpoint && sources[i]->endpoint != endpoint))
        {
            continue;
        }

        ngx_http_ilert_deliver_give_back_source(sources[i]);
    }
}


static void
ngx_http_ilert_deliver_give_back_source(ngx_http_ilert_source_t *source)
{
    ngx_queue_t                      *link;
    ngx_http_ilert_courier_source_t  *cs;

    cs = source->courier;

    while (!ngx_queue_empty(&cs->ready)) {
        link = ngx_queue_head(&cs->ready);
        ngx_queue_remove(link);

        cs->nready--;
        cs->more = 1;

        ngx_http_ilert_deliver_give_back(
                ngx_queue_data(link, ngx_http_ilert_store_event_t, queue));
    }
}


/*
 * Has verdicts written soon: at once if there are many, or if nothing is under
 * way whose verdict could be in the same job.
 */

static void
ngx_http_ilert_deliver_flush(ngx_http_ilert_courier_t *co)
{
    if (co->inflight == 0 || co->leaving
        || ngx_http_ilert_queue_verdicts() >= NGX_HTTP_ILERT_DELIVER_VERDICTS)
    {
        if (!co->flush.posted) {
            ngx_post_event(&co->flush, &ngx_posted_events);
        }

        return;
    }

    if (!co->flush.timer_set) {
        ngx_add_timer(&co->flush, NGX_HTTP_ILERT_DELIVER_FLUSH);
    }
}


void
ngx_http_ilert_deliver_give_back(ngx_http_ilert_store_event_t *se)
{
    se->verdict = NGX_HTTP_ILERT_STORE_UNSENT;

    ngx_http_ilert_deliver_to_queue(se);
}


/* Gives an event and its verdict to the queue. */

static void
ngx_http_ilert_deliver_to_queue(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_courier.size -= se->body.len;

    ngx_http_ilert_queue_verdict(se);
}


/*
 * This worker is not the courier any more.  It steps down in the handler of
 * "tick", since callers of this function are in the middle of something.
 */

static void
ngx_http_ilert_deliver_lost(ngx_http_ilert_courier_t *co)
{
    if (ngx_http_ilert_lock_is_held() && !co->tick.posted) {
        ngx_post_event(&co->tick, &ngx_posted_events);
    }
}


/* Frees a delivery, and its event, whose verdict does not count. */

static void
ngx_http_ilert_deliver_drop(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_deliver_delivery_t *cd)
{
    co->size -= cd->stored->body.len;

    ngx_free(cd->stored);
    ngx_free(cd);

    ngx_http_ilert_deliver_lost(co);
}


/*
 * Returns 1 if this worker is still the courier that has made the request.
 * Is called right before anything of the request is written.
 */

static ngx_uint_t
ngx_http_ilert_deliver_may_send(ngx_http_ilert_request_t *ir)
{
    ngx_http_ilert_courier_t           *co;
    ngx_http_ilert_deliver_delivery_t  *cd;

    cd = ir->data;
    co = &ngx_http_ilert_courier;

    if (cd->seat == ngx_http_ilert_lock_seat()
        && ngx_http_ilert_lock_is_current())
    {
        return 1;
    }

    ngx_http_ilert_deliver_lost(co);

    return 0;
}


/*
 * Notes in shared memory that the request's event is at hand ("begins" is 1),
 * or not any more: if the worker dies, the next courier counts that event.
 */

static void
ngx_http_ilert_deliver_at(ngx_http_ilert_request_t *ir, ngx_uint_t begins)
{
    ngx_http_ilert_deliver_delivery_t  *cd;

    cd = ir->data;

    if (ngx_http_ilert_life_has_seat(cd->seat)) {
        *ngx_http_ilert_life_mark(NGX_HTTP_ILERT_LIFE_LOOP)
            = begins ? cd->stored->seq : 0;
    }
}


void
ngx_http_ilert_deliver_give_up(void)
{
    ngx_http_ilert_request_give_up(ngx_http_ilert_deliver_done);
}


void
ngx_http_ilert_deliver_forget(ngx_http_ilert_courier_t *co)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *link, *ready;
    ngx_http_ilert_source_t      **sources;
    ngx_http_ilert_store_event_t  *se;

    sources = co->imcf->sources.elts;

    for (i = 0; i < co->imcf->sources.nelts; i++) {

        ready = &sources[i]->courier->ready;

        while (!ngx_queue_empty(ready)) {

            link = ngx_queue_head(ready);
            ngx_queue_remove(link);

            se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

            co->size -= se->body.len;
            ngx_free(se);
        }

        sources[i]->courier->nready = 0;
    }
}

#endif
