
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_test.h"
#include "ngx_http_ilert_text.h"


/* ms; it has to be less than the 30 seconds for which Kapacitor waits */

#define NGX_HTTP_ILERT_TEST_DEADLINE  24000

/* ms between two queries: at first, and at most */

#define NGX_HTTP_ILERT_TEST_FIRST     20
#define NGX_HTTP_ILERT_TEST_LAST      250

/* bytes of an error, and of an alert key */

#define NGX_HTTP_ILERT_TEST_ERROR     512
#define NGX_HTTP_ILERT_TEST_KEY       (sizeof("ilert-test:") + NGX_INT64_LEN)


#define NGX_HTTP_ILERT_TEST_EVENTS    2     /* the ALERT and the RESOLVE */


/* A test has its own pool: it may outlive the request that asked for it. */

struct ngx_http_ilert_test_s {
    ngx_pool_t                      *pool;
    ngx_http_ilert_source_t         *source;
    ngx_http_ilert_test_handler_pt   handler;   /* NULL: it has been called */
    void                            *data;

    ngx_http_ilert_test_event_t      events[NGX_HTTP_ILERT_TEST_EVENTS];
    ngx_uint_t                       n;         /* the event at hand */

    ngx_http_ilert_store_query_t    *query;     /* under way, or NULL */
    ngx_http_ilert_queue_order_t     order;     /* to discard a dead letter */
    ngx_event_t                      timer;     /* of the next query */
    ngx_event_t                      deadline;
    ngx_msec_t                       pause;     /* before the next query */

    unsigned                         spent:1;   /* a budget had no slot left */
                                                /* at the last query */
};


static ngx_uint_t ngx_http_ilert_test_is_blocked(
    ngx_http_ilert_source_t *source, u_char *buf, size_t *len);
static ngx_int_t ngx_http_ilert_test_submit(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_answered(ngx_http_ilert_answer_t *answer,
    void *data);
static void ngx_http_ilert_test_goes_on(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_next(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_timer_handler(ngx_event_t *ev);
static void ngx_http_ilert_test_ask(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_query_handler(
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_test_judge(ngx_http_ilert_test_t *test,
    ngx_http_ilert_store_query_t *query);
static ngx_uint_t ngx_http_ilert_test_waits(ngx_http_ilert_test_event_t *te,
    ngx_http_ilert_store_query_t *query);
static ngx_http_ilert_store_dead_t *ngx_http_ilert_test_letter(
    ngx_http_ilert_test_event_t *te, ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_test_look(ngx_http_ilert_test_t *test,
    ngx_http_ilert_store_query_t *query);
static ngx_uint_t ngx_http_ilert_test_is_spent(
    ngx_http_ilert_store_query_t *query, ngx_str_t *name,
    ngx_http_ilert_rate_t *rate);
static void ngx_http_ilert_test_discard(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_discarded(ngx_http_ilert_queue_order_t *order);
static void ngx_http_ilert_test_deadline_handler(ngx_event_t *ev);
static void ngx_http_ilert_test_why(ngx_http_ilert_test_t *test,
    ngx_http_ilert_test_event_t *te);
static void ngx_http_ilert_test_set_error(ngx_http_ilert_test_event_t *te,
    u_char *data, size_t len);
static void ngx_http_ilert_test_finish(ngx_http_ilert_test_t *test);
static void ngx_http_ilert_test_free(ngx_http_ilert_test_t *test);


ngx_str_t  ngx_http_ilert_test_verdicts[] = {
    ngx_string("unsent"),
    ngx_string("waiting"),
    ngx_string("delivered"),
    ngx_string("refused"),
    ngx_string("failed"),
    ngx_string("discarded")
};


ngx_int_t
ngx_http_ilert_test_start(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source, ngx_http_ilert_test_handler_pt handler,
    void *data, ngx_str_t *error, ngx_pool_t *pool)
{
    u_char                  buf[NGX_HTTP_ILERT_TEST_ERROR];
    ngx_str_t               why;
    ngx_pool_t             *own;
    ngx_http_ilert_test_t  *test;

    why.data = buf;

    /* without a queue events of a parked source are relayed, too */

    if (imcf->queue.path.len
        && ngx_http_ilert_test_is_blocked(source, buf, &why.len))
    {
        error->len = why.len;
        error->data = ngx_pstrdup(pool, &why);

        return error->data ? NGX_DECLINED : NGX_ERROR;
    }

    own = ngx_create_pool(4096, ngx_cycle->log);
    if (own == NULL) {
        return NGX_ERROR;
    }

    test = ngx_pcalloc(own, sizeof(ngx_http_ilert_test_t));
    if (test == NULL) {
        ngx_destroy_pool(own);
        return NGX_ERROR;
    }

    test->pool = own;
    test->source = source;
    test->handler = handler;
    test->data = data;

    ngx_http_ilert_clock_init_event(&test->timer,
                                    ngx_http_ilert_test_timer_handler, 0);
    ngx_http_ilert_clock_init_event(&test->deadline,
                                    ngx_http_ilert_test_deadline_handler, 0);

    test->timer.data = test;
    test->deadline.data = test;

    if (ngx_http_ilert_test_submit(test) != NGX_OK) {
        ngx_destroy_pool(own);
        return NGX_ERROR;
    }

    ngx_add_timer(&test->deadline, NGX_HTTP_ILERT_TEST_DEADLINE);

    return NGX_OK;
}


ngx_http_ilert_test_event_t *
ngx_http_ilert_test_events(ngx_http_ilert_test_t *test)
{
    return test->events;
}


ngx_http_ilert_test_event_t *
ngx_http_ilert_test_failed(ngx_http_ilert_test_t *test)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_TEST_EVENTS; i++) {
        if (test->events[i].verdict != NGX_HTTP_ILERT_TEST_DELIVERED) {
            return &test->events[i];
        }
    }

    return NULL;
}


/*
 * Returns 1 if the courier sends nothing of the source, and writes the reason
 * to "buf", which has NGX_HTTP_ILERT_TEST_ERROR bytes.
 */

static ngx_uint_t
ngx_http_ilert_test_is_blocked(ngx_http_ilert_source_t *source, u_char *buf,
    size_t *len)
{
    u_char                          *last;
    ngx_http_ilert_counters_last_t   known;

    last = buf + NGX_HTTP_ILERT_TEST_ERROR;

    ngx_http_ilert_counters_get_last(source->counters, &known);

    if (known.parked) {
        *len = ngx_slprintf(buf, last, "the source is parked: %*s",
                            known.park.len, known.park.data)
               - buf;
        return 1;
    }

    if (source->counters->paused) {
        *len = ngx_slprintf(buf, last, "the source is paused by control")
               - buf;
        return 1;
    }

    return 0;
}


/* Makes the event at hand, and submits it. */

static ngx_int_t
ngx_http_ilert_test_submit(ngx_http_ilert_test_t *test)
{
    u_char                       *p;
    ngx_http_ilert_event_t       *ev;
    ngx_http_ilert_test_event_t  *te;

    te = &test->events[test->n];
    ev = &te->event;

    te->test = test;

    ev->source = test->source;

    if (ngx_http_ilert_event_set_id(ev, ngx_http_ilert_clock_number(),
                                    test->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (test->n == 0) {
        ev->type = NGX_HTTP_ILERT_ALERT;

        p = ngx_pnalloc(test->pool, NGX_HTTP_ILERT_TEST_KEY);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ev->alert_key.data = p;
        ev->alert_key.len = ngx_sprintf(p, "ilert-test:%V", &ev->id) - p;

    } else {
        ev->type = NGX_HTTP_ILERT_RESOLVE;
        ev->alert_key = test->events[0].event.alert_key;
    }

    ev->ilert_type = ev->type;
    ev->ilert_key = ev->alert_key;

    if (ngx_http_ilert_event_test(ev, &test->source->name,
                                  test->source->passthrough, ngx_time(),
                                  test->pool)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    te->begun = ngx_http_ilert_clock_usec();
    te->verdict = NGX_HTTP_ILERT_TEST_WAITS;

    test->pause = NGX_HTTP_ILERT_TEST_FIRST;

    return ngx_http_ilert_queue_submit(ev, NULL, ngx_http_ilert_test_answered,
                                       te, test->pool);
}


/* Is called when the event is in the queue, or was relayed, or refused. */

static void
ngx_http_ilert_test_answered(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_http_ilert_test_event_t *te = data;

    static ngx_str_t  delivered = ngx_string("DELIVERED");

    if (answer->status != NGX_HTTP_ACCEPTED) {
        te->verdict = NGX_HTTP_ILERT_TEST_FAILED;
        ngx_http_ilert_test_set_error(te, answer->error.data,
                                      answer->error.len);

    } else if (ngx_http_ilert_text_same(&answer->result, &delivered)) {
        te->verdict = NGX_HTTP_ILERT_TEST_DELIVERED;
    }

    ngx_http_ilert_test_goes_on(te->test);
}


/*
 * Goes on after what has been heard of the event at hand: with the next query,
 * the next event, or the end.
 */

static void
ngx_http_ilert_test_goes_on(ngx_http_ilert_test_t *test)
{
    ngx_http_ilert_test_event_t  *te;

    te = &test->events[test->n];

    te->usec = ngx_http_ilert_clock_usec() - te->begun;

    switch (te->verdict) {

    case NGX_HTTP_ILERT_TEST_WAITS:

        if (test->handler) {
            ngx_add_timer(&test->timer, test->pause);
            test->pause = ngx_min(2 * test->pause, NGX_HTTP_ILERT_TEST_LAST);
            return;
        }

        /* the event is on disk, and nobody waits for its verdict any more */

        break;

    case NGX_HTTP_ILERT_TEST_REFUSED:
        ngx_http_ilert_test_discard(test);
        return;

    default:
        break;
    }

    ngx_http_ilert_test_next(test);
}


/*
 * Submits the RESOLVE, unless ilert cannot have taken the ALERT; else ends the
 * test.
 */

static void
ngx_http_ilert_test_next(ngx_http_ilert_test_t *test)
{
    ngx_http_ilert_test_event_t  *te;

    te = &test->events[test->n];

    if (te->verdict == NGX_HTTP_ILERT_TEST_REFUSED
        || te->verdict == NGX_HTTP_ILERT_TEST_DISCARDED
        || test->n == NGX_HTTP_ILERT_TEST_EVENTS - 1)
    {
        ngx_http_ilert_test_finish(test);
        return;
    }

    test->n++;

    if (ngx_http_ilert_test_submit(test) == NGX_OK) {
        return;
    }

    te = &test->events[test->n];
    te->verdict = NGX_HTTP_ILERT_TEST_FAILED;
    ngx_str_set(&te->error, "no memory");

    ngx_http_ilert_test_finish(test);
}


static void
ngx_http_ilert_test_timer_handler(ngx_event_t *ev)
{
    ngx_http_ilert_test_ask(ev->data);
}


static void
ngx_http_ilert_test_ask(ngx_http_ilert_test_t *test)
{
    ngx_http_ilert_event_t        *ev;
    ngx_http_ilert_store_query_t  *query;

    ev = &test->events[test->n].event;

    query = ngx_http_ilert_queue_query(&ev->source->name, &ev->alert_key);

    if (query == NULL) {
        ngx_http_ilert_test_goes_on(test);
        return;
    }

    query->handler = ngx_http_ilert_test_query_handler;
    query->data = test;
    query->alert = 1;

    if (ngx_http_ilert_queue_ask(query) != NGX_OK) {
        ngx_destroy_pool(query->pool);
        ngx_http_ilert_test_goes_on(test);
        return;
    }

    test->query = query;
}


static void
ngx_http_ilert_test_query_handler(ngx_http_ilert_store_query_t *query)
{
    ngx_http_ilert_test_t  *test;

    test = query->data;
    test->query = NULL;

    if (query->ok) {
        ngx_http_ilert_test_judge(test, query);
        ngx_http_ilert_test_look(test, query);
    }

    ngx_destroy_pool(query->pool);

    ngx_http_ilert_test_goes_on(test);
}


/*
 * Finds the verdict in the answer.  An event that neither waits nor is a dead
 * letter has been delivered if the store knows of a delivery of the alert,
 * which has no events but those of this test.  If it does not, an operator has
 * discarded the event.
 */

static void
ngx_http_ilert_test_judge(ngx_http_ilert_test_t *test,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                    delivered;
    ngx_http_ilert_test_event_t  *te;
    ngx_http_ilert_store_dead_t  *dead;

    te = &test->events[test->n];

    if (ngx_http_ilert_test_waits(te, query)) {
        return;
    }

    dead = ngx_http_ilert_test_letter(te, query);

    if (dead) {
        te->verdict = NGX_HTTP_ILERT_TEST_REFUSED;
        te->status = dead->status;
        ngx_http_ilert_test_set_error(te, dead->error.data, dead->error.len);
        return;
    }

    delivered = query->found && query->delivered;

    if (te->event.type == NGX_HTTP_ILERT_RESOLVE) {
        delivered = delivered && query->state.opened == 0;
    }

    if (delivered) {
        te->verdict = NGX_HTTP_ILERT_TEST_DELIVERED;
        return;
    }

    te->verdict = NGX_HTTP_ILERT_TEST_DISCARDED;
    ngx_str_set(&te->error, "it was discarded");
}


static ngx_uint_t
ngx_http_ilert_test_waits(ngx_http_ilert_test_event_t *te,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      i;
    ngx_http_ilert_store_listed_t  *listed;

    listed = query->events.elts;

    for (i = 0; i < query->events.nelts; i++) {
        if (listed[i].id == te->event.number) {
            return 1;
        }
    }

    return 0;
}


static ngx_http_ilert_store_dead_t *
ngx_http_ilert_test_letter(ngx_http_ilert_test_event_t *te,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                    i;
    ngx_http_ilert_store_dead_t  *dead;

    dead = query->dead.elts;

    for (i = 0; i < query->dead.nelts; i++) {
        if (dead[i].id == te->event.number) {
            return &dead[i];
        }
    }

    return NULL;
}


/* Notes what else the event may be waiting for. */

static void
ngx_http_ilert_test_look(ngx_http_ilert_test_t *test,
    ngx_http_ilert_store_query_t *query)
{
    ngx_http_ilert_source_t  *source;

    source = test->source;

    test->spent = ngx_http_ilert_test_is_spent(query, &source->shared->name,
                                               &source->shared->rate)
                  || ngx_http_ilert_test_is_spent(query,
                                                  &source->endpoint->name,
                                                  &source->endpoint->rate);
}


static ngx_uint_t
ngx_http_ilert_test_is_spent(ngx_http_ilert_store_query_t *query,
    ngx_str_t *name, ngx_http_ilert_rate_t *rate)
{
    ngx_uint_t  i;

    for (i = 0; i < query->nused; i++) {

        if (ngx_http_ilert_text_same(&query->used[i].name, name)) {
            return rate->n
                   && query->used[i].used >= rate->n - rate->reserve;
        }
    }

    return 0;
}


/* Discards the dead letter of a test: nobody should have to care for it. */

static void
ngx_http_ilert_test_discard(ngx_http_ilert_test_t *test)
{
    ngx_http_ilert_queue_order_t  *order;

    order = &test->order;

    ngx_memzero(order, sizeof(ngx_http_ilert_queue_order_t));

    order->order.action = NGX_HTTP_ILERT_STORE_DISCARD;
    order->order.id = test->events[test->n].event.number;
    order->handler = ngx_http_ilert_test_discarded;
    order->data = test;

    if (ngx_http_ilert_queue_order(order) != NGX_OK) {
        ngx_http_ilert_test_next(test);
    }
}


/* If the order has failed, the letter stays among the others. */

static void
ngx_http_ilert_test_discarded(ngx_http_ilert_queue_order_t *order)
{
    ngx_http_ilert_test_next(order->data);
}


/*
 * The handler is called now, and the test goes on without it.  If the ALERT is
 * in the queue, its RESOLVE is submitted at once, so that ilert does not show
 * the alert as open for ever.  If an event is being submitted or relayed, the
 * test goes on when that has ended.
 */

static void
ngx_http_ilert_test_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t                       i;
    ngx_http_ilert_test_t           *test;
    ngx_http_ilert_test_event_t     *te;
    ngx_http_ilert_test_handler_pt   handler;

    test = ev->data;
    handler = test->handler;

    for (i = 0; i < NGX_HTTP_ILERT_TEST_EVENTS; i++) {
        te = &test->events[i];

        if (te->verdict == NGX_HTTP_ILERT_TEST_WAITS) {
            te->usec = ngx_http_ilert_clock_usec() - te->begun;
            ngx_http_ilert_test_why(test, te);
        }
    }

    handler(test, test->data);
    test->handler = NULL;

    if (test->query) {
        test->query->handler = NULL;
        test->query = NULL;
        ngx_http_ilert_test_next(test);

    } else if (test->timer.timer_set) {
        ngx_del_timer(&test->timer);
        ngx_http_ilert_test_next(test);
    }
}


/* Sets the error of an event without a verdict to what it waits for. */

static void
ngx_http_ilert_test_why(ngx_http_ilert_test_t *test,
    ngx_http_ilert_test_event_t *te)
{
    u_char                           buf[NGX_HTTP_ILERT_TEST_ERROR], *p, *last;
    size_t                           len;
    ngx_http_ilert_source_t         *source;
    ngx_http_ilert_counters_last_t   known;

    source = test->source;

    p = buf;
    last = buf + sizeof(buf);

    ngx_http_ilert_counters_get_last(source->counters, &known);

    if (ngx_http_ilert_test_is_blocked(source, buf, &len)) {
        p = buf + len;

    } else if (known.failing || known.limited) {
        p = ngx_slprintf(p, last, "%*s", known.error.len, known.error.data);

    } else if (source->endpoint->counters->down) {
        p = ngx_slprintf(p, last, "endpoint \"%V\" is down",
                         &source->endpoint->name);

    } else if (test->spent) {
        p = ngx_slprintf(p, last, "as many requests have been made as the "
                         "rate allows");

    } else {
        p = ngx_slprintf(p, last, "there is no verdict yet");
    }

    ngx_http_ilert_test_set_error(te, buf, p - buf);
}


/* Sets the error of an event to a copy of the text, made valid UTF-8. */

static void
ngx_http_ilert_test_set_error(ngx_http_ilert_test_event_t *te, u_char *data,
    size_t len)
{
    ngx_str_t  error;

    error.data = data;
    error.len = len;

    te->error.data = ngx_pstrdup(te->test->pool, &error);
    te->error.len = len;

    if (te->error.data == NULL
        || ngx_http_ilert_text_valid(&te->error, te->test->pool) != NGX_OK)
    {
        ngx_str_set(&te->error, "no memory");
    }
}


static void
ngx_http_ilert_test_finish(ngx_http_ilert_test_t *test)
{
    if (test->handler) {
        test->handler(test, test->data);
    }

    ngx_http_ilert_test_free(test);
}


static void
ngx_http_ilert_test_free(ngx_http_ilert_test_t *test)
{
    if (test->deadline.timer_set) {
        ngx_del_timer(&test->deadline);
    }

    if (test->timer.timer_set) {
        ngx_del_timer(&test->timer);
    }

    ngx_destroy_pool(test->pool);
}
