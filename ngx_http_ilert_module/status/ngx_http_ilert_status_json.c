
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_status_json.h"
#include "ngx_http_ilert_store.h"


/*
 * The status as JSON.  Other people's tools depend on the names of members, so
 * these must not change: see docs/ngx_http_ilert_module.md.
 */


static void ngx_http_ilert_status_json_queue(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_endpoints(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_sources(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_source(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, ngx_http_ilert_status_source_t *ss);
static void ngx_http_ilert_status_json_error(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_source_t *ss);
static void ngx_http_ilert_status_json_refused(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_kept(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_status_json_refusal(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_counters_refusal_t *refusal);
static void ngx_http_ilert_status_json_known(ngx_http_ilert_json_writer_t *w,
    const char *name, ngx_http_ilert_counters_text_t *known);
static void ngx_http_ilert_status_json_setup(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_kapacitors(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_kapacitor(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_status_kapacitor_t *sk);
static void ngx_http_ilert_status_json_away(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_open(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_dead(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_events(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static int64_t ngx_http_ilert_status_next_try(ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_why(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_budget(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_budget_t *budget);
static void ngx_http_ilert_status_json_item(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t i);
static void ngx_http_ilert_status_json_member(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t first, const char *name);
static void ngx_http_ilert_status_json_text(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *text);
static void ngx_http_ilert_status_json_number(ngx_http_ilert_json_writer_t *w,
    int64_t n);
static void ngx_http_ilert_status_json_id(ngx_http_ilert_json_writer_t *w,
    uint64_t id);
static void ngx_http_ilert_status_json_since(ngx_http_ilert_json_writer_t *w,
    int64_t since, int64_t now);
static void ngx_http_ilert_status_json_time(ngx_http_ilert_json_writer_t *w,
    int64_t time);


#define ngx_http_ilert_status_json_next(w, name)                              \
    ngx_http_ilert_status_json_member(w, 0, name)
#define ngx_http_ilert_status_json_first(w, name)                             \
    ngx_http_ilert_status_json_member(w, 1, name)


void
ngx_http_ilert_status_json(ngx_http_ilert_json_writer_t *w, void *data)
{
    ngx_http_ilert_status_t *st = data;

    ngx_http_ilert_status_json_first(w, "version");
    ngx_http_ilert_json_literal(w, "\"" NGX_HTTP_ILERT_VERSION "\"");

    ngx_http_ilert_status_json_next(w, "nginx");
    ngx_http_ilert_json_literal(w, "\"" NGINX_VERSION "\"");

    ngx_http_ilert_status_json_next(w, "time");
    ngx_http_ilert_status_json_time(w, st->now);

    ngx_http_ilert_status_json_queue(w, st);
    ngx_http_ilert_status_json_endpoints(w, st);
    ngx_http_ilert_status_json_sources(w, st);
    ngx_http_ilert_status_json_refused(w, st);
    ngx_http_ilert_status_json_kapacitors(w, st);
    ngx_http_ilert_status_json_away(w, st);
    ngx_http_ilert_status_json_open(w, st);
    ngx_http_ilert_status_json_dead(w, st);
    ngx_http_ilert_status_json_setup(w, st);

    ngx_http_ilert_json_literal(w, "}\n");
}


static void
ngx_http_ilert_status_json_queue(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t  i;

    ngx_http_ilert_status_json_next(w, "queue");

    ngx_http_ilert_status_json_first(w, "path");
    ngx_http_ilert_status_json_text(w, &st->path);

    ngx_http_ilert_status_json_next(w, "state");
    ngx_http_ilert_json_string(w, &st->state);

    ngx_http_ilert_status_json_next(w, "pending");
    ngx_http_ilert_status_json_number(w, st->pending);

    ngx_http_ilert_status_json_next(w, "bytes");
    ngx_http_ilert_status_json_number(w, st->bytes);

    ngx_http_ilert_status_json_next(w, "oldest_seconds");
    ngx_http_ilert_status_json_since(w, st->oldest, st->now);

    ngx_http_ilert_status_json_next(w, "error");
    ngx_http_ilert_status_json_text(w, &st->error);

    ngx_http_ilert_status_json_next(w, "waiting");

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_URGENCIES; i++) {

        ngx_http_ilert_status_json_member(w, i == 0,
                             (char *) ngx_http_ilert_urgency_names[i].data);

        ngx_http_ilert_status_json_first(w, "count");
        ngx_http_ilert_status_json_number(w, st->waiting.waiting[i]);

        ngx_http_ilert_status_json_next(w, "oldest_seconds");
        ngx_http_ilert_status_json_since(w, st->waiting.oldest[i], st->now);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "}}");
}


static void
ngx_http_ilert_status_json_endpoints(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                          i;
    ngx_http_ilert_status_endpoint_t   *se;

    ngx_http_ilert_status_json_next(w, "endpoints");
    ngx_http_ilert_json_literal(w, "{");

    se = st->endpoints.elts;

    for (i = 0; i < st->endpoints.nelts; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_json_string(w, &se[i].name);
        ngx_http_ilert_json_literal(w, ":");

        ngx_http_ilert_status_json_first(w, "state");

        if (se[i].down) {
            ngx_http_ilert_json_literal(w, "\"down\"");

        } else {
            ngx_http_ilert_json_literal(w, "\"ok\"");
        }

        ngx_http_ilert_status_json_next(w, "since");
        ngx_http_ilert_status_json_time(w, se[i].since);

        ngx_http_ilert_status_json_budget(w, &se[i].budget);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_sources(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                       i;
    ngx_http_ilert_status_source_t  *ss;

    ngx_http_ilert_status_json_next(w, "sources");
    ngx_http_ilert_json_literal(w, "{");

    ss = st->sources.elts;

    for (i = 0; i < st->sources.nelts; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_json_string(w, &ss[i].name);
        ngx_http_ilert_json_literal(w, ":");

        ngx_http_ilert_status_json_source(w, st, &ss[i]);
    }

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_source(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st, ngx_http_ilert_status_source_t *ss)
{
    ngx_http_ilert_counters_source_t  *counters, none;

    counters = ss->counters;

    if (counters == NULL) {
        ngx_memzero(&none, sizeof(ngx_http_ilert_counters_source_t));
        counters = &none;
    }

    ngx_http_ilert_status_json_first(w, "state");
    ngx_http_ilert_json_string(w, &ngx_http_ilert_state_names[ss->state]);

    ngx_http_ilert_status_json_next(w, "reason");
    ngx_http_ilert_status_json_text(w, &ss->reason);

    ngx_http_ilert_status_json_next(w, "pending");
    ngx_http_ilert_status_json_number(w, ss->pending);

    ngx_http_ilert_status_json_next(w, "inflight");
    ngx_http_ilert_status_json_number(w, ss->inflight);

    ngx_http_ilert_status_json_next(w, "accepted");
    ngx_http_ilert_status_json_number(w, counters->accepted);

    ngx_http_ilert_status_json_next(w, "ignored");
    ngx_http_ilert_status_json_number(w, counters->ignored);

    ngx_http_ilert_status_json_next(w, "coalesced");
    ngx_http_ilert_status_json_number(w, counters->coalesced);

    ngx_http_ilert_status_json_next(w, "delivered");
    ngx_http_ilert_status_json_number(w, counters->delivered);

    ngx_http_ilert_status_json_next(w, "retried");
    ngx_http_ilert_status_json_number(w, counters->retried);

    ngx_http_ilert_status_json_next(w, "dead");
    ngx_http_ilert_status_json_number(w, ss->waiting.dead);

    ngx_http_ilert_status_json_next(w, "open_alerts");
    ngx_http_ilert_status_json_number(w, ss->open);

    ngx_http_ilert_status_json_next(w, "oldest_seconds");
    ngx_http_ilert_status_json_since(w, ss->oldest, st->now);

    ngx_http_ilert_status_json_budget(w, &ss->budget);

    ngx_http_ilert_status_json_next(w, "last_success");
    ngx_http_ilert_status_json_time(w, ss->success);

    ngx_http_ilert_status_json_next(w, "last_error");

    if (ss->error_time) {
        ngx_http_ilert_status_json_error(w, ss);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_error(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_source_t *ss)
{
    ngx_http_ilert_status_json_first(w, "time");
    ngx_http_ilert_status_json_time(w, ss->error_time);

    ngx_http_ilert_status_json_next(w, "status");
    ngx_http_ilert_status_json_number(w, ss->error_status
                                         ? (int64_t) ss->error_status : -1);

    ngx_http_ilert_status_json_next(w, "text");
    ngx_http_ilert_json_string(w, &ss->error);

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_refused(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_http_ilert_status_json_next(w, "refused");

    ngx_http_ilert_status_json_first(w, "rejected");
    ngx_http_ilert_status_json_number(w, st->rejected);

    ngx_http_ilert_status_json_next(w, "unavailable");
    ngx_http_ilert_status_json_number(w, st->unavailable);

    ngx_http_ilert_status_json_next(w, "last");

    if (st->refusal.time) {
        ngx_http_ilert_status_json_refusal(w, &st->refusal);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }

    ngx_http_ilert_status_json_kept(w, st->query);

    ngx_http_ilert_json_literal(w, "}");
}


/*
 * Writes the list of refused webhooks whose bodies are kept.  "query" may be
 * NULL.
 */

static void
ngx_http_ilert_status_json_kept(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                       i, n;
    ngx_http_ilert_store_refused_t  *kept;

    ngx_http_ilert_status_json_next(w, "kept_total");
    ngx_http_ilert_status_json_number(w, query ? query->nkept : 0);

    ngx_http_ilert_status_json_next(w, "kept");
    ngx_http_ilert_json_literal(w, "[");

    n = query ? query->kept.nelts : 0;
    kept = n ? query->kept.elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "id");
        ngx_http_ilert_status_json_id(w, kept[i].id);

        ngx_http_ilert_status_json_next(w, "time");
        ngx_http_ilert_status_json_time(w, kept[i].time);

        ngx_http_ilert_status_json_next(w, "from");
        ngx_http_ilert_json_string(w, &kept[i].from);

        ngx_http_ilert_status_json_next(w, "location");
        ngx_http_ilert_json_string(w, &kept[i].location);

        ngx_http_ilert_status_json_next(w, "status");
        ngx_http_ilert_status_json_number(w, kept[i].status);

        ngx_http_ilert_status_json_next(w, "error");
        ngx_http_ilert_json_string(w, &kept[i].error);

        ngx_http_ilert_status_json_next(w, "size");
        ngx_http_ilert_status_json_number(w, kept[i].size);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


static void
ngx_http_ilert_status_json_refusal(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_counters_refusal_t *refusal)
{
    ngx_http_ilert_status_json_first(w, "time");
    ngx_http_ilert_status_json_time(w, refusal->time);

    ngx_http_ilert_status_json_known(w, "from", &refusal->from);
    ngx_http_ilert_status_json_known(w, "location", &refusal->location);

    ngx_http_ilert_status_json_next(w, "status");
    ngx_http_ilert_status_json_number(w, refusal->status);

    ngx_http_ilert_status_json_known(w, "error", &refusal->error);
    ngx_http_ilert_status_json_known(w, "id", &refusal->id);
    ngx_http_ilert_status_json_known(w, "level", &refusal->level);

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_known(ngx_http_ilert_json_writer_t *w,
    const char *name, ngx_http_ilert_counters_text_t *known)
{
    ngx_str_t  text;

    text.data = known->data;
    text.len = known->len;

    ngx_http_ilert_status_json_next(w, name);
    ngx_http_ilert_status_json_text(w, &text);
}


static void
ngx_http_ilert_status_json_setup(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t               i;
    ngx_http_ilert_setup_t  *setup;

    ngx_http_ilert_status_json_next(w, "setup");
    ngx_http_ilert_json_literal(w, "[");

    setup = st->setup.elts;

    for (i = 0; i < st->setup.nelts; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "check");
        ngx_http_ilert_json_string(w, &setup[i].check);

        ngx_http_ilert_status_json_next(w, "text");
        ngx_http_ilert_json_string(w, &setup[i].text);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


static void
ngx_http_ilert_status_json_kapacitors(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                          i;
    ngx_http_ilert_status_kapacitor_t  *sk;

    ngx_http_ilert_status_json_next(w, "kapacitor");
    ngx_http_ilert_json_literal(w, "{");

    sk = st->kapacitors.elts;

    for (i = 0; i < st->kapacitors.nelts; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_json_string(w, &sk[i].name);
        ngx_http_ilert_json_literal(w, ":");

        ngx_http_ilert_status_json_kapacitor(w, &sk[i]);
    }

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_kapacitor(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_kapacitor_t *sk)
{
    ngx_uint_t                       i;
    ngx_http_ilert_counters_poll_t  *poll;

    poll = &sk->poll;

    ngx_http_ilert_status_json_first(w, "state");
    ngx_http_ilert_json_string(w,
                          &ngx_http_ilert_kapacitor_state_names[poll->state]);

    ngx_http_ilert_status_json_next(w, "since");
    ngx_http_ilert_status_json_time(w, poll->since);

    ngx_http_ilert_status_json_next(w, "last_poll");
    ngx_http_ilert_status_json_time(w, poll->polled);

    ngx_http_ilert_status_json_next(w, "topics");
    ngx_http_ilert_status_json_number(w, poll->topics);

    ngx_http_ilert_status_json_next(w, "listed");
    ngx_http_ilert_status_json_number(w, poll->listed);

    ngx_http_ilert_status_json_next(w, "alerts");
    ngx_http_ilert_status_json_number(w, poll->compared);

    ngx_http_ilert_status_json_next(w, "differences");
    ngx_http_ilert_status_json_number(w, poll->differences);

    ngx_http_ilert_status_json_next(w, "watched");
    ngx_http_ilert_status_json_number(w, poll->watched);

    ngx_http_ilert_status_json_next(w, "repaired");

    for (i = 0; i < NGX_HTTP_ILERT_RECONCILED_N; i++) {
        ngx_http_ilert_status_json_member(w, i == 0,
                          (char *) ngx_http_ilert_reconciled_names[i].data);
        ngx_http_ilert_status_json_number(w, sk->reconciled[i]);
    }

    ngx_http_ilert_json_literal(w, "}");

    ngx_http_ilert_status_json_next(w, "error");
    ngx_http_ilert_status_json_text(w, &sk->error);

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_away(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_http_ilert_status_json_next(w, "away");

    if (st->away.from == 0) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_http_ilert_status_json_first(w, "from");
    ngx_http_ilert_status_json_time(w, st->away.from);

    ngx_http_ilert_status_json_next(w, "to");
    ngx_http_ilert_status_json_time(w, st->away.to);

    ngx_http_ilert_status_json_next(w, "repaired");
    ngx_http_ilert_status_json_number(w, st->repaired);

    ngx_http_ilert_json_literal(w, "}");
}


static void
ngx_http_ilert_status_json_open(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                    i, n;
    ngx_http_ilert_store_open_t  *open;

    ngx_http_ilert_status_json_next(w, "open");
    ngx_http_ilert_json_literal(w, "[");

    n = st->query ? st->query->open.nelts : 0;
    open = n ? st->query->open.elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "source");
        ngx_http_ilert_json_string(w, &open[i].source);

        ngx_http_ilert_status_json_next(w, "alert_key");
        ngx_http_ilert_json_string(w, &open[i].key);

        ngx_http_ilert_status_json_next(w, "level");
        ngx_http_ilert_json_string(w,
                                 &ngx_http_ilert_level_names[open[i].level]);

        ngx_http_ilert_status_json_next(w, "since");
        ngx_http_ilert_status_json_time(w, open[i].opened);

        ngx_http_ilert_status_json_next(w, "last_event");
        ngx_http_ilert_status_json_time(w, open[i].last);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


static void
ngx_http_ilert_status_json_dead(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                    i, n;
    ngx_http_ilert_store_dead_t  *dead;

    ngx_http_ilert_status_json_next(w, "dead");
    ngx_http_ilert_json_literal(w, "[");

    n = st->query ? st->query->dead.nelts : 0;
    dead = n ? st->query->dead.elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "id");
        ngx_http_ilert_status_json_id(w, dead[i].id);

        ngx_http_ilert_status_json_next(w, "source");
        ngx_http_ilert_json_string(w, &dead[i].source);

        ngx_http_ilert_status_json_next(w, "alert_key");
        ngx_http_ilert_json_string(w, &dead[i].key);

        ngx_http_ilert_status_json_next(w, "type");
        ngx_http_ilert_status_json_text(w,
                                        &ngx_http_ilert_types[dead[i].type]);

        ngx_http_ilert_status_json_next(w, "received");
        ngx_http_ilert_status_json_time(w, dead[i].received);

        ngx_http_ilert_status_json_next(w, "status");
        ngx_http_ilert_status_json_number(w, dead[i].status
                                             ? (int64_t) dead[i].status : -1);

        ngx_http_ilert_status_json_next(w, "error");
        ngx_http_ilert_json_string(w, &dead[i].error);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


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


static void
ngx_http_ilert_status_json_budget(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_budget_t *budget)
{
    ngx_http_ilert_status_json_next(w, "budget");

    ngx_http_ilert_status_json_first(w, "rate");
    ngx_http_ilert_status_json_number(w, budget->rate);

    ngx_http_ilert_status_json_next(w, "used");
    ngx_http_ilert_status_json_number(w, budget->used);

    ngx_http_ilert_json_literal(w, "}");
}


/* Begins the i-th item of a list: each but the first comes after a comma. */

static void
ngx_http_ilert_status_json_item(ngx_http_ilert_json_writer_t *w, ngx_uint_t i)
{
    if (i) {
        ngx_http_ilert_json_literal(w, ",");
    }
}


/* Writes {"NAME": for the first member of an object, ,"NAME": for others. */

static void
ngx_http_ilert_status_json_member(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t first, const char *name)
{
    ngx_http_ilert_json_raw(w, (u_char *) (first ? "{\"" : ",\""), 2);
    ngx_http_ilert_json_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_http_ilert_json_literal(w, "\":");
}


/* Writes a string, or null if it is empty. */

static void
ngx_http_ilert_status_json_text(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *text)
{
    if (text->len) {
        ngx_http_ilert_json_string(w, text);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }
}


/* Writes a number, or null if it is negative, which means not known. */

static void
ngx_http_ilert_status_json_number(ngx_http_ilert_json_writer_t *w, int64_t n)
{
    u_char  buf[NGX_INT64_LEN];

    if (n < 0) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "%L", n) - buf);
}


static void
ngx_http_ilert_status_json_id(ngx_http_ilert_json_writer_t *w, uint64_t id)
{
    u_char  buf[NGX_INT64_LEN + 2];

    ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "\"%uL\"", id) - buf);
}


/*
 * Writes the seconds from "since" to "now", which are in ms, or 0 if "since"
 * is 0 or has not come yet.
 */

static void
ngx_http_ilert_status_json_since(ngx_http_ilert_json_writer_t *w,
    int64_t since, int64_t now)
{
    u_char  *p, buf[NGX_INT64_LEN + 4];

    if (since == 0 || since >= now) {
        ngx_http_ilert_json_literal(w, "0");
        return;
    }

    p = ngx_sprintf(buf, "%L.%03L", (now - since) / 1000,
                    (now - since) % 1000);

    ngx_http_ilert_json_raw(w, buf, p - buf);
}


/* Writes a time in ms as RFC 3339 in UTC, or null for 0, which is never. */

static void
ngx_http_ilert_status_json_time(ngx_http_ilert_json_writer_t *w, int64_t time)
{
    u_char    *p, buf[sizeof("\"1970-01-01T00:00:00.000Z\"") + NGX_INT_T_LEN];
    ngx_tm_t   tm;

    if (time <= 0) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_gmtime((time_t) (time / 1000), &tm);

    p = ngx_sprintf(buf, "\"%4d-%02d-%02dT%02d:%02d:%02d.%03LZ\"",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                    time % 1000);

    ngx_http_ilert_json_raw(w, buf, p - buf);
}
