
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_request.h"


#if (NGX_THREADS)

/* of a worker */

typedef struct {
    ngx_http_ilert_main_conf_t  *imcf;
    ngx_http_ilert_event_t       event;     /* of the requests; it has only */
                                            /* a source and an id */
    ngx_event_t                  timer;     /* of the next ping */
    unsigned                     here:1;    /* between begin() and end() */
    unsigned                     busy:1;    /* a ping, or the commit before */
                                            /* it, is under way */
    unsigned                     fault:1;   /* the last ping has failed, and */
                                            /* this was logged */
    unsigned                     silent:1;  /* because of a Kapacitor, and */
                                            /* this was logged */
} ngx_http_ilert_heartbeat_t;


static ngx_uint_t ngx_http_ilert_heartbeat_is_ours(
    ngx_http_ilert_heartbeat_t *hb);
static void ngx_http_ilert_heartbeat_handler(ngx_event_t *ev);
static void ngx_http_ilert_heartbeat_set_timer(ngx_http_ilert_heartbeat_t *hb);
static ngx_uint_t ngx_http_ilert_heartbeat_must_rest(
    ngx_http_ilert_heartbeat_t *hb);
static ngx_http_ilert_kapacitor_t *ngx_http_ilert_heartbeat_find_down(
    ngx_http_ilert_heartbeat_t *hb, const char **why);
static void ngx_http_ilert_heartbeat_committed(
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_heartbeat_done(ngx_http_ilert_request_t *ir);


static ngx_http_ilert_heartbeat_t  ngx_http_ilert_heartbeat;


void
ngx_http_ilert_heartbeat_begin(void)
{
    ngx_http_ilert_heartbeat_t  *hb;

    hb = &ngx_http_ilert_heartbeat;

    hb->here = 1;

    hb->imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_ilert_module);

    if (hb->imcf->heartbeat.source == NULL) {
        return;
    }

    hb->event.source = hb->imcf->heartbeat.source;
    ngx_str_set(&hb->event.id, "-");

    ngx_http_ilert_clock_init_event(&hb->timer,
                                    ngx_http_ilert_heartbeat_handler, 1);
    ngx_http_ilert_heartbeat_set_timer(hb);
}


void
ngx_http_ilert_heartbeat_end(void)
{
    ngx_http_ilert_heartbeat.here = 0;

    if (ngx_http_ilert_heartbeat.timer.timer_set) {
        ngx_del_timer(&ngx_http_ilert_heartbeat.timer);
    }

    ngx_http_ilert_request_give_up(ngx_http_ilert_heartbeat_done);
}


/* Returns 1 if this worker is the courier, and does not exit. */

static ngx_uint_t
ngx_http_ilert_heartbeat_is_ours(ngx_http_ilert_heartbeat_t *hb)
{
    return hb->here && ngx_http_ilert_lock_is_current() && !ngx_exiting;
}


/*
 * The next ping is an interval after the last one, which another worker may
 * have sent.  If there was none, it is sent at once.
 */

static void
ngx_http_ilert_heartbeat_set_timer(ngx_http_ilert_heartbeat_t *hb)
{
    int64_t     left, interval, pinged;

    interval = hb->imcf->heartbeat.interval;
    pinged = ngx_http_ilert_counters_get(hb->imcf->counters,
                                         &hb->imcf->counters->pinged);

    left = pinged + interval - ngx_http_ilert_clock_now();

    if (pinged == 0) {
        left = 1;
    }

    /* if the clock was set back, "left" may be too long */

    ngx_add_timer(&hb->timer, (ngx_msec_t) ngx_max(ngx_min(left, interval),
                                                   1));
}


/* It is time for a ping: has something committed first. */

static void
ngx_http_ilert_heartbeat_handler(ngx_event_t *ev)
{
    ngx_http_ilert_heartbeat_t    *hb;
    ngx_http_ilert_store_query_t  *query;

    static ngx_str_t               none = ngx_null_string;

    hb = &ngx_http_ilert_heartbeat;

    if (!ngx_http_ilert_heartbeat_is_ours(hb)) {
        return;
    }

    ngx_add_timer(ev, hb->imcf->heartbeat.interval);

    if (hb->busy || ngx_http_ilert_heartbeat_must_rest(hb)) {
        return;
    }

    query = ngx_http_ilert_queue_query(&none, &none);
    if (query == NULL) {
        return;
    }

    query->prove = 1;
    query->handler = ngx_http_ilert_heartbeat_committed;

    if (ngx_http_ilert_queue_ask(query) != NGX_OK) {
        ngx_destroy_pool(query->pool);
        return;
    }

    hb->busy = 1;
}


/*
 * Returns 1 if there must be no ping because of a Kapacitor, and logs when
 * that begins and ends.
 */

static ngx_uint_t
ngx_http_ilert_heartbeat_must_rest(ngx_http_ilert_heartbeat_t *hb)
{
    const                        char  *why;
    ngx_http_ilert_kapacitor_t         *kapacitor;

    if (!hb->imcf->heartbeat.kapacitor) {
        return 0;
    }

    kapacitor = ngx_http_ilert_heartbeat_find_down(hb, &why);

    if (kapacitor && !hb->silent) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert heartbeat: no pings, as Kapacitor \"%V\" %s",
                      &kapacitor->name, why);

    } else if (kapacitor == NULL && hb->silent) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert heartbeat: pings again, as each Kapacitor "
                      "answers");
    }

    hb->silent = (kapacitor != NULL);

    return hb->silent;
}


/*
 * Returns a Kapacitor that does not tell what it knows, and sets "why"; or
 * NULL.  One that has not been asked for three intervals is such a one,
 * whatever it answered then; if it is new, they begin when it was configured.
 * By that, the heartbeat also watches the polls themselves.  If the clock was
 * set back, the last poll may be in the future.
 */

static ngx_http_ilert_kapacitor_t *
ngx_http_ilert_heartbeat_find_down(ngx_http_ilert_heartbeat_t *hb,
    const char **why)
{
    int64_t                          age;
    ngx_uint_t                       i;
    ngx_http_ilert_kapacitor_t     **kapacitors;
    ngx_http_ilert_counters_poll_t   poll;

    kapacitors = hb->imcf->kapacitors.elts;

    for (i = 0; i < hb->imcf->kapacitors.nelts; i++) {

        ngx_http_ilert_counters_get_poll(kapacitors[i], &poll);

        if (poll.state == NGX_HTTP_ILERT_KAPACITOR_DOWN) {
            *why = "is down";
            return kapacitors[i];
        }

        if (poll.state == NGX_HTTP_ILERT_KAPACITOR_REFUSED) {
            *why = "refuses to tell what it knows";
            return kapacitors[i];
        }

        age = ngx_http_ilert_clock_now()
              - (poll.polled ? poll.polled : poll.since);

        if (ngx_abs(age) > 3 * (int64_t) kapacitors[i]->interval) {
            *why = "has not been asked for three intervals";
            return kapacitors[i];
        }
    }

    return NULL;
}


/* Sends a ping, if the commit has succeeded, and no worker's commits fail. */

static void
ngx_http_ilert_heartbeat_committed(ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                   committed;
    ngx_http_ilert_heartbeat_t  *hb;

    hb = &ngx_http_ilert_heartbeat;

    committed = query->committed;

    ngx_destroy_pool(query->pool);

    hb->busy = 0;

    if (!committed || hb->imcf->counters->trouble
        || !ngx_http_ilert_heartbeat_is_ours(hb))
    {
        return;
    }

    ngx_http_ilert_counters_set(hb->imcf->counters,
                                &hb->imcf->counters->pinged,
                             ngx_http_ilert_clock_now());

    /* the interval begins here, since the commit may have taken long */

    ngx_add_timer(&hb->timer, hb->imcf->heartbeat.interval);

    if (ngx_http_ilert_request_send(&hb->event, 1,
                                    ngx_http_ilert_heartbeat_done, hb)
        == NGX_OK)
    {
        hb->busy = 1;
    }
}


static void
ngx_http_ilert_heartbeat_done(ngx_http_ilert_request_t *ir)
{
    u_char                       buf[NGX_HTTP_ILERT_ERROR_SIZE];
    ngx_str_t                    error;
    ngx_http_ilert_heartbeat_t  *hb;

    hb = ir->data;

    hb->busy = 0;

    if (ir->outcome.given_up) {
        return;
    }

    if (ir->outcome.fault != NGX_HTTP_ILERT_FAULT_UNSENT) {
        ngx_http_ilert_counters_set_down(hb->event.source->endpoint,
                                         ir->outcome.verdict
                                         != NGX_HTTP_ILERT_DONE);
    }

    if (ir->outcome.verdict == NGX_HTTP_ILERT_DONE) {

        if (hb->fault) {
            hb->fault = 0;
            hb->event.source->quiet = 0;

            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "ilert heartbeat: ilert takes it again");
        }

        return;
    }

    if (hb->fault) {
        return;
    }

    hb->fault = 1;
    hb->event.source->quiet = 1;

    error.data = buf;
    error.len = ngx_http_ilert_outcome_error(ir->event, &ir->outcome, buf,
                                             buf + sizeof(buf))
                - buf;

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert heartbeat: not delivered: %V", &error);
}

#endif
