
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_status_json.h"
#include "ngx_http_ilert_status_json_write.h"
#include "ngx_http_ilert_store.h"


/* What is known of one alert, as JSON. */


static int64_t ngx_http_ilert_status_next_try(ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_why(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_events(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);


void
ngx_http_ilert_status_json_alert(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_status_t *st = data;

    ngx_http_ilert_store_query_t  *query;

    query = st->query;

    ngx_http_ilert_status_json_first(w, "source");
    ngx_http_ilert_json_string(w, &query->source);

    ngx_http_ilert_status_json_next(w, "alert_key");
    ngx_http_ilert_json_string(w, query->found ? &query->state.key
                                               : &query->key);

    ngx_http_ilert_status_json_next(w, "shows");

    /*
     * An alert of which we have told ilert nothing may have been opened by
     * somebody else.
     */

    if (query->shown.shows == NGX_HTTP_ILERT_SHOWS_OPEN) {
        ngx_http_ilert_json_literal(w, "\"open\"");

    } else if (query->shown.shows == NGX_HTTP_ILERT_SHOWS_RESOLVED
               && query->shown.told)
    {
        ngx_http_ilert_json_literal(w, "\"resolved\"");

    } else {
        ngx_http_ilert_json_literal(w, "\"unknown\"");
    }

    ngx_http_ilert_status_json_next(w, "level");

    if (query->state.opened) {
        ngx_http_ilert_json_string(w,
                             &ngx_http_ilert_level_names[query->state.level]);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }

    ngx_http_ilert_status_json_next(w, "since");
    ngx_http_ilert_status_json_time(w, query->state.opened);

    ngx_http_ilert_status_json_next(w, "last_accepted");
    ngx_http_ilert_status_json_time(w, query->state.last);

    ngx_http_ilert_status_json_next(w, "last_delivered");
    ngx_http_ilert_status_json_time(w, query->delivered);

    ngx_http_ilert_status_json_next(w, "waiting");
    ngx_http_ilert_status_json_number(w, query->waiting);

    ngx_http_ilert_status_json_next(w, "attempts");
    ngx_http_ilert_status_json_number(w, query->attempts);

    ngx_http_ilert_status_json_next(w, "next_try");
    ngx_http_ilert_status_json_time(w, ngx_http_ilert_status_next_try(st));

    ngx_http_ilert_status_json_next(w, "silence");
    ngx_http_ilert_status_json_number(w, query->state.silence
                                         ? query->state.silence : -1);

    ngx_http_ilert_status_json_why(w, st);
    ngx_http_ilert_status_json_events(w, st);
    ngx_http_ilert_status_json_dead(w, st);

    ngx_http_ilert_json_literal(w, "}\n");
}


/*
 * Returns when the next event of the alert may be sent, in ms since 1970.  An
 * event waits for its own time and for that of its source's key, whichever is
 * later.
 */

static int64_t
ngx_http_ilert_status_next_try(ngx_http_ilert_status_t *st)
{
    int64_t                          next;
    ngx_http_ilert_status_source_t  *ss;

    ss = st->sources.elts;
    next = st->query->next;

    if (st->query->waiting && ss->until > st->now
        && (ss->state == NGX_HTTP_ILERT_STATE_PARKED
            || ss->state == NGX_HTTP_ILERT_STATE_LIMITED))
    {
        next = ngx_max(next, ss->until);
    }

    return next;
}


/*
 * Says why the events that wait have not been sent, as far as that is known.
 */

static void
ngx_http_ilert_status_json_why(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_str_t                        why;
    ngx_http_ilert_store_dead_t     *dead;
    ngx_http_ilert_store_listed_t   *events;
    ngx_http_ilert_status_source_t  *ss;

    ngx_http_ilert_status_json_next(w, "reason");

    ss = st->sources.elts;
    events = st->query->events.elts;

    ngx_str_null(&why);

    if (st->query->events.nelts == 0) {

        dead = st->query->dead.elts;

        if (st->query->dead.nelts
            && dead[0].received > st->query->delivered)
        {
            why = dead[0].error;
        }

    } else if (events[0].inflight) {
        ngx_str_set(&why, "it is being sent");

    } else if (events[0].urgency == NGX_HTTP_ILERT_REPEATS) {
        ngx_str_set(&why, "ilert has been told the same: a repeat is put off");

    } else if (events[0].urgency == NGX_HTTP_ILERT_HELD) {
        ngx_str_set(&why, "\"resolve_delay\" holds the RESOLVE back");

    } else if (events[0].urgency == NGX_HTTP_ILERT_SILENCED) {
        ngx_str_set(&why, "a silence holds it back");

    } else if (events[0].urgency == NGX_HTTP_ILERT_LISTED) {
        ngx_str_set(&why, "a digest lists the alert instead");

    } else if (ss->state != NGX_HTTP_ILERT_STATE_OK) {
        why = ss->reason;

    } else if (st->query->next > st->now) {
        ngx_str_set(&why, "it is to be tried again");

    } else {
        ngx_str_set(&why, "its turn is yet to come");
    }

    ngx_http_ilert_status_json_text(w, &why);
}


static void
ngx_http_ilert_status_json_events(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                      i;
    ngx_http_ilert_store_listed_t  *ev;

    ngx_http_ilert_status_json_next(w, "events");
    ngx_http_ilert_json_literal(w, "[");

    ev = st->query->events.elts;

    for (i = 0; i < st->query->events.nelts; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "id");
        ngx_http_ilert_status_json_id(w, ev[i].id);

        ngx_http_ilert_status_json_next(w, "type");
        ngx_http_ilert_status_json_text(w, &ngx_http_ilert_types[ev[i].type]);

        ngx_http_ilert_status_json_next(w, "level");
        ngx_http_ilert_json_string(w,
                                   &ngx_http_ilert_level_names[ev[i].level]);

        ngx_http_ilert_status_json_next(w, "class");
        ngx_http_ilert_json_string(w,
                               &ngx_http_ilert_urgency_names[ev[i].urgency]);

        ngx_http_ilert_status_json_next(w, "received");
        ngx_http_ilert_status_json_time(w, ev[i].received);

        ngx_http_ilert_status_json_next(w, "state");

        if (ev[i].inflight) {
            ngx_http_ilert_json_literal(w, "\"in flight\"}");

        } else {
            ngx_http_ilert_json_literal(w, "\"waiting\"}");
        }
    }

    ngx_http_ilert_json_literal(w, "]");
}
