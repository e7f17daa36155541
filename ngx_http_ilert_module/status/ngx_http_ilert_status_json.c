
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
#include "ngx_http_ilert_status_json_write.h"
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
static void ngx_http_ilert_status_json_digest(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_store_digests_t *digest);
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
static void ngx_http_ilert_status_json_fallback(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_away(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st);
static void ngx_http_ilert_status_json_budget(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_budget_t *budget);


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
    ngx_http_ilert_status_json_fallback(w, st);
    ngx_http_ilert_status_json_away(w, st);
    ngx_http_ilert_status_json_open(w, st);
    ngx_http_ilert_status_json_waiters(w, st);
    ngx_http_ilert_status_json_silences(w, st);
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

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_PENDING; i++) {

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

    ngx_http_ilert_status_json_next(w, "held");
    ngx_http_ilert_status_json_number(w,
                                    ss->waiting.waiting[NGX_HTTP_ILERT_HELD]);

    ngx_http_ilert_status_json_next(w, "silenced");
    ngx_http_ilert_status_json_number(w,
                                ss->waiting.waiting[NGX_HTTP_ILERT_SILENCED]);

    ngx_http_ilert_status_json_next(w, "listed");
    ngx_http_ilert_status_json_number(w,
                                  ss->waiting.waiting[NGX_HTTP_ILERT_LISTED]);

    ngx_http_ilert_status_json_digest(w, ss->listing);

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


/* Writes the digest of a source, or null if that is NULL. */

static void
ngx_http_ilert_status_json_digest(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_store_digests_t *digest)
{
    ngx_uint_t  level;

    ngx_http_ilert_status_json_next(w, "digest");

    if (digest == NULL) {
        ngx_http_ilert_json_literal(w, "null");
        return;
    }

    ngx_http_ilert_status_json_first(w, "since");
    ngx_http_ilert_status_json_time(w, digest->opened);

    ngx_http_ilert_status_json_next(w, "told");
    ngx_http_ilert_status_json_time(w, digest->told);

    ngx_http_ilert_status_json_next(w, "calm");
    ngx_http_ilert_status_json_time(w, digest->calm);

    ngx_http_ilert_status_json_next(w, "bad");

    for (level = NGX_HTTP_ILERT_CRITICAL; level > NGX_HTTP_ILERT_OK; level--) {
        ngx_http_ilert_status_json_member(w,
                             level == NGX_HTTP_ILERT_CRITICAL,
                             (char *) ngx_http_ilert_level_names[level].data);
        ngx_http_ilert_status_json_number(w, digest->bad[level]);
    }

    ngx_http_ilert_json_literal(w, "}}");
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
ngx_http_ilert_status_json_fallback(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_http_ilert_status_json_next(w, "fallback");

    ngx_http_ilert_status_json_first(w, "state");
    ngx_http_ilert_json_string(w,
                    &ngx_http_ilert_fallback_state_names[st->fallback_state]);

    ngx_http_ilert_status_json_next(w, "since");
    ngx_http_ilert_status_json_time(w, st->fallback.since);

    ngx_http_ilert_status_json_next(w, "waiting");
    ngx_http_ilert_status_json_number(w, st->fallback.late);

    ngx_http_ilert_status_json_next(w, "last");
    ngx_http_ilert_status_json_time(w, st->fallback.last);

    ngx_http_ilert_status_json_next(w, "error");
    ngx_http_ilert_status_json_text(w, &st->fallback_error);

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
ngx_http_ilert_status_json_budget(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_budget_t *budget)
{
    ngx_http_ilert_status_json_next(w, "budget");

    ngx_http_ilert_status_json_first(w, "rate");
    ngx_http_ilert_status_json_number(w, budget->rate);

    ngx_http_ilert_status_json_next(w, "reserve");
    ngx_http_ilert_status_json_number(w, budget->reserve);

    ngx_http_ilert_status_json_next(w, "used");
    ngx_http_ilert_status_json_number(w, budget->used);

    ngx_http_ilert_json_literal(w, "}");
}
