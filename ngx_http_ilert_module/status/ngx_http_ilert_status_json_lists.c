
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


/* Lists of the status as JSON, of what the store has answered. */


/* for what an alert waits; by store_for_e */

static ngx_str_t  ngx_http_ilert_status_json_for[] = {
    ngx_string("turn"),
    ngx_string("verdict"),
    ngx_string("retry"),
    ngx_string("release"),
    ngx_string("resume"),
    ngx_string("delay"),
    ngx_string("silence"),
    ngx_string("digest"),
    ngx_string("replay")
};


void
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

        ngx_http_ilert_status_json_next(w, "silence");
        ngx_http_ilert_status_json_number(w, open[i].silence
                                             ? open[i].silence : -1);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


void
ngx_http_ilert_status_json_silences(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                       i, n;
    ngx_http_ilert_store_silence_t  *silence;

    ngx_http_ilert_status_json_next(w, "silences");
    ngx_http_ilert_json_literal(w, "[");

    n = st->query ? st->query->silences.nelts : 0;
    silence = n ? st->query->silences.elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "id");
        ngx_http_ilert_status_json_number(w, silence[i].id);

        ngx_http_ilert_status_json_next(w, "source");
        ngx_http_ilert_json_string(w, &silence[i].source);

        ngx_http_ilert_status_json_next(w, "alert_key");
        ngx_http_ilert_json_string(w, &silence[i].pattern);

        ngx_http_ilert_status_json_next(w, "from");
        ngx_http_ilert_status_json_time(w, silence[i].from);

        ngx_http_ilert_status_json_next(w, "until");
        ngx_http_ilert_status_json_time(w, silence[i].until);

        ngx_http_ilert_status_json_next(w, "comment");
        ngx_http_ilert_status_json_text(w, &silence[i].comment);

        ngx_http_ilert_status_json_next(w, "held");
        ngx_http_ilert_status_json_number(w, silence[i].held);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}


void
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
ngx_http_ilert_status_json_waiters(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_status_t *st)
{
    ngx_uint_t                      i, n;
    ngx_http_ilert_store_waiter_t  *waiter;

    ngx_http_ilert_status_json_next(w, "waiting_list");
    ngx_http_ilert_json_literal(w, "[");

    n = st->query ? st->query->waiters.nelts : 0;
    waiter = n ? st->query->waiters.elts : NULL;

    for (i = 0; i < n; i++) {
        ngx_http_ilert_status_json_item(w, i);

        ngx_http_ilert_status_json_first(w, "source");
        ngx_http_ilert_json_string(w, &waiter[i].source);

        ngx_http_ilert_status_json_next(w, "alert_key");
        ngx_http_ilert_json_string(w, &waiter[i].key);

        ngx_http_ilert_status_json_next(w, "level");
        ngx_http_ilert_json_string(w,
                               &ngx_http_ilert_level_names[waiter[i].level]);

        ngx_http_ilert_status_json_next(w, "type");
        ngx_http_ilert_status_json_text(w,
                                       &ngx_http_ilert_types[waiter[i].type]);

        ngx_http_ilert_status_json_next(w, "since");
        ngx_http_ilert_status_json_time(w, waiter[i].since);

        ngx_http_ilert_status_json_next(w, "for");
        ngx_http_ilert_json_string(w,
                            &ngx_http_ilert_status_json_for[waiter[i].waits]);

        ngx_http_ilert_status_json_next(w, "next");
        ngx_http_ilert_status_json_time(w, waiter[i].next);

        ngx_http_ilert_json_literal(w, "}");
    }

    ngx_http_ilert_json_literal(w, "]");
}
