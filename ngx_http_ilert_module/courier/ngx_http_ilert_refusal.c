
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_deliver.h"
#include "ngx_http_ilert_outcome.h"
#include "ngx_http_ilert_pause.h"
#include "ngx_http_ilert_refusal.h"
#include "ngx_http_ilert_store.h"


#if (NGX_THREADS)

static void ngx_http_ilert_refusal_dead(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_refusal_kept(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se);


void
ngx_http_ilert_refusal_decided(ngx_http_ilert_courier_t *co,
    ngx_queue_t *verdicts)
{
    ngx_queue_t                   *link;
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_event_t  *se;

    for (link = ngx_queue_head(verdicts);
         link != ngx_queue_sentinel(verdicts);
         link = ngx_queue_next(link))
    {
        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);

        if (se->verdict != NGX_HTTP_ILERT_STORE_DONE
            && se->verdict != NGX_HTTP_ILERT_STORE_DEAD)
        {
            continue;
        }

        source = ngx_http_ilert_find_source(co->imcf, &se->source);

        if (se->verdict == NGX_HTTP_ILERT_STORE_DONE) {

            /* the source may have been parked after ilert took this event */

            if (source->courier->faults) {
                ngx_http_ilert_counters_refuses(source, NULL, 0);
            }

            ngx_http_ilert_deliver_unpark(source);

            if (se->frees) {
                source->courier->release = 1;
                source->courier->more = 1;
            }

        } else if (se->said.own == NGX_HTTP_ILERT_OWN_REOPEN) {

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "ilert source \"%V\": the RESOLVE before event %uL "
                          "was refused, the ALERT goes without it: %V",
                          &source->name, se->id, &se->error);

        } else if (se->kept) {
            ngx_http_ilert_refusal_kept(co, source, se);

        } else {
            ngx_http_ilert_refusal_dead(source, se);
        }
    }
}


/* The event is a dead letter; if it is doubtful, it is counted later. */

static void
ngx_http_ilert_refusal_dead(ngx_http_ilert_source_t *source,
    ngx_http_ilert_store_event_t *se)
{
    if (se->doubtful) {
        ngx_http_ilert_counters_add(source->counters->doubtful, 1);

    } else {
        ngx_http_ilert_counters_add(source->counters->dead, 1);
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "ilert source \"%V\": event %uL is a dead letter: %V",
                  &source->name, se->id, &se->error);
}


/* The event waits again, as everything of the source is refused: parks it. */

static void
ngx_http_ilert_refusal_kept(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source, ngx_http_ilert_store_event_t *se)
{
    u_char      buf[NGX_HTTP_ILERT_ERROR_SIZE + 64];
    ngx_str_t   reason;
    ngx_uint_t  log;
    ngx_msec_t  pause;

    ngx_http_ilert_counters_add(source->counters->retried, 1);

    if (se->parks) {

        /* doubtful dead letters that do not wait again stay dead letters */

        ngx_http_ilert_counters_settle(source->counters, se->returned);
    }

    pause = ngx_http_ilert_deliver_park(co, source);

    reason.data = buf;
    reason.len = ngx_slprintf(buf, buf + sizeof(buf),
                              "refuses everything: %V", &se->error)
                 - buf;

    ngx_http_ilert_counters_refuses(source, &reason, pause);

    log = ngx_http_ilert_counters_fault(source->counters, se->status,
                                        NGX_HTTP_ILERT_FAULT_PERIOD);

    source->quiet = (source->counters->fault.fault != 0);

    if (se->parks) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert source \"%V\": is parked, as ilert refuses "
                      "everything, and %ui dead letters wait again: %V",
                      &source->name, se->returned, &se->error);

    } else if (log) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert source \"%V\": is parked, as ilert refuses "
                      "everything: %V", &source->name, &se->error);
    }
}

#endif
