
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_fallback.h"
#include "ngx_http_ilert_history.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_rules.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_watch.h"


#if (NGX_THREADS)

/* ms between two looks */

#define NGX_HTTP_ILERT_WATCH_TICK    10000


/* of a worker */

typedef struct {
    ngx_http_ilert_main_conf_t  *imcf;
    ngx_event_t                  timer;
    int64_t                      minute;    /* of the last query */
    ngx_atomic_uint_t            counted;   /* by the counters, then */
    unsigned                     here:1;    /* between begin() and end() */
    unsigned                     busy:1;    /* a query is under way */
    unsigned                     waits:1;   /* the last answer says that */
                                            /* something waits */
} ngx_http_ilert_watch_t;


static void ngx_http_ilert_watch_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_ilert_watch_is_due(ngx_http_ilert_watch_t *wt);
static void ngx_http_ilert_watch_answered(ngx_http_ilert_store_query_t *query);
static ngx_uint_t ngx_http_ilert_watch_waits(
    ngx_http_ilert_store_query_t *query);


static ngx_http_ilert_watch_t  ngx_http_ilert_watch;


void
ngx_http_ilert_watch_begin(void)
{
    ngx_http_ilert_watch_t  *wt;

    wt = &ngx_http_ilert_watch;

    wt->imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_ilert_module);
    wt->here = 1;
    wt->minute = 0;

    ngx_http_ilert_fallback_begin(wt->imcf);

    ngx_http_ilert_clock_init_event(&wt->timer, ngx_http_ilert_watch_handler,
                                    1);
    ngx_add_timer(&wt->timer, 1);
}


void
ngx_http_ilert_watch_end(void)
{
    ngx_http_ilert_watch.here = 0;

    if (ngx_http_ilert_watch.timer.timer_set) {
        ngx_del_timer(&ngx_http_ilert_watch.timer);
    }

    ngx_http_ilert_fallback_end();
}


static void
ngx_http_ilert_watch_handler(ngx_event_t *ev)
{
    ngx_http_ilert_watch_t        *wt;
    ngx_http_ilert_store_query_t  *query;

    static ngx_str_t               none = ngx_null_string;

    wt = &ngx_http_ilert_watch;

    if (!wt->here || !ngx_http_ilert_lock_is_current() || ngx_exiting) {
        return;
    }

    ngx_add_timer(ev, NGX_HTTP_ILERT_WATCH_TICK);

    if (wt->busy || !ngx_http_ilert_watch_is_due(wt)) {
        return;
    }

    query = ngx_http_ilert_queue_query(&none, &none);
    if (query == NULL) {
        return;
    }

    query->urgent = 1;
    query->handler = ngx_http_ilert_watch_answered;

    if (ngx_http_ilert_queue_ask(query) != NGX_OK) {
        ngx_destroy_pool(query->pool);
        return;
    }

    wt->busy = 1;
}


/*
 * Returns 1 if the store is to be asked now: if this is the first time in this
 * minute, if something waited the last time, or if something has come since.
 */

static ngx_uint_t
ngx_http_ilert_watch_is_due(ngx_http_ilert_watch_t *wt)
{
    int64_t                     minute;
    ngx_uint_t                  i, due;
    ngx_atomic_uint_t           counted;
    ngx_http_ilert_source_t   **sources;

    counted = 0;
    sources = wt->imcf->sources.elts;

    for (i = 0; i < wt->imcf->sources.nelts; i++) {
        counted += sources[i]->counters->accepted
                   + sources[i]->counters->dead
                   + sources[i]->counters->orders;
    }

    minute = ngx_http_ilert_clock_now() / NGX_HTTP_ILERT_HISTORY_MINUTE;

    due = (wt->minute != minute || wt->waits || wt->counted != counted
           || ngx_http_ilert_fallback_is_open());

    wt->minute = minute;
    wt->counted = counted;

    return due;
}


static void
ngx_http_ilert_watch_answered(ngx_http_ilert_store_query_t *query)
{
    ngx_http_ilert_watch_t  *wt;

    wt = &ngx_http_ilert_watch;

    wt->busy = 0;

    if (query->ok) {
        wt->waits = ngx_http_ilert_watch_waits(query);

        if (wt->here && ngx_http_ilert_lock_is_current() && !ngx_exiting) {
            ngx_http_ilert_fallback_look(query);
        }
    }

    ngx_destroy_pool(query->pool);
}


static ngx_uint_t
ngx_http_ilert_watch_waits(ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      i, k;
    ngx_http_ilert_store_source_t  *source;

    source = query->sources.elts;

    for (i = 0; i < query->sources.nelts; i++) {
        for (k = 0; k < NGX_HTTP_ILERT_REPEATS; k++) {

            if (source[i].waiting[k]) {
                return 1;
            }
        }
    }

    return query->waiters.nelts != 0;
}

#endif
