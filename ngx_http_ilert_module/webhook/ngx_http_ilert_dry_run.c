
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_dry_run.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_text.h"


/* for how many ms a request waits for the store's answer */

#define NGX_HTTP_ILERT_DRY_RUN_WAIT  5000

/* bytes of an answer, without the event and strings of any length */

#define NGX_HTTP_ILERT_DRY_RUN_SIZE  1024


/* what is in the answer; a text that is NULL or empty is written as null */

typedef struct {
    ngx_http_request_t            *request;

    /* the answer that there would be without a dry run */
    ngx_uint_t                     status;
    const char                    *word;
    ngx_str_t                      error;

    ngx_str_t                     *urgency;
    const char                    *becomes;
    const char                    *why;
    int64_t                        held;        /* for how many ms, or 0 */
    unsigned                       event:1;     /* there is an event */
    unsigned                       repeat:1;
    unsigned                       replaces:1;  /* an event that waits */

    ngx_http_ilert_store_query_t  *query;       /* NULL: no answer is due */
    ngx_event_t                    timer;
} ngx_http_ilert_dry_run_t;


static ngx_http_ilert_store_query_t *ngx_http_ilert_dry_run_query(
    ngx_http_ilert_event_t *ev);
static void ngx_http_ilert_dry_run_told(ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_dry_run_timer_handler(ngx_event_t *ev);
static void ngx_http_ilert_dry_run_judge(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_dry_run_go(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_store_query_t *query);
static void ngx_http_ilert_dry_run_finish(ngx_http_ilert_dry_run_t *dr);
static ngx_int_t ngx_http_ilert_dry_run_send(ngx_http_ilert_dry_run_t *dr);
static void ngx_http_ilert_dry_run_write(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *source,
    ngx_http_ilert_json_writer_t *w);
static void ngx_http_ilert_dry_run_write_event(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_ctx_t *ctx,
    ngx_str_t *source);
static void ngx_http_ilert_dry_run_write_fate(
    ngx_http_ilert_json_writer_t *w, ngx_http_ilert_dry_run_t *dr);
static void ngx_http_ilert_dry_run_text(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *text);
static void ngx_http_ilert_dry_run_words(ngx_http_ilert_json_writer_t *w,
    const char *words);


ngx_int_t
ngx_http_ilert_dry_run_answer(ngx_http_request_t *r, ngx_uint_t status,
    const char *word, ngx_str_t *error)
{
    ngx_http_ilert_dry_run_t  dr;

    ngx_memzero(&dr, sizeof(ngx_http_ilert_dry_run_t));

    dr.request = r;
    dr.status = status;
    dr.word = word;

    if (error) {
        dr.error = *error;
    }

    return ngx_http_ilert_dry_run_send(&dr);
}


ngx_int_t
ngx_http_ilert_dry_run(ngx_http_request_t *r)
{
    ngx_http_ilert_ctx_t          *ctx;
    ngx_http_ilert_dry_run_t      *dr;
    ngx_http_ilert_store_query_t  *query;

    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    dr = ngx_pcalloc(r->pool, sizeof(ngx_http_ilert_dry_run_t));
    query = ngx_http_ilert_dry_run_query(ctx->event);

    if (dr == NULL || query == NULL) {

        if (query) {
            ngx_destroy_pool(query->pool);
        }

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    dr->request = r;
    dr->status = NGX_HTTP_ACCEPTED;
    dr->word = "accepted";
    dr->event = 1;

    query->data = dr;

    if (ngx_http_ilert_queue_ask(query) != NGX_OK) {
        ngx_destroy_pool(query->pool);

        dr->becomes = "relayed";
        dr->why = "there is no queue";

        return ngx_http_ilert_dry_run_send(dr);
    }

    dr->query = query;

    dr->timer.handler = ngx_http_ilert_dry_run_timer_handler;
    dr->timer.data = dr;
    dr->timer.log = r->connection->log;

    ngx_add_timer(&dr->timer, NGX_HTTP_ILERT_DRY_RUN_WAIT);

    return NGX_AGAIN;
}


/* Makes a query of what the queue would be told about the event. */

static ngx_http_ilert_store_query_t *
ngx_http_ilert_dry_run_query(ngx_http_ilert_event_t *ev)
{
    ngx_http_ilert_source_t       *source;
    ngx_http_ilert_store_query_t  *query;

    source = ev->source;

    query = ngx_http_ilert_queue_query(&source->name, &ev->ilert_key);
    if (query == NULL) {
        return NULL;
    }

    query->handler = ngx_http_ilert_dry_run_told;
    query->alert = 1;
    query->foresee = 1;

    query->owner.len = source->shared->name.len;
    query->owner.data = ngx_pstrdup(query->pool, &source->shared->name);

    if (query->owner.data == NULL) {
        ngx_destroy_pool(query->pool);
        return NULL;
    }

    query->said.type = ev->ilert_type;
    query->said.level = ev->level;
    query->said.priority = ev->priority;
    query->said.severity = ev->severity;
    query->said.message = ev->message;
    query->said.received = ngx_http_ilert_clock_now();
    query->policy = source->policy;
    query->began = ev->began;

    return query;
}


static void
ngx_http_ilert_dry_run_told(ngx_http_ilert_store_query_t *query)
{
    ngx_pool_t                *pool;
    ngx_http_ilert_dry_run_t  *dr;

    dr = query->data;
    pool = query->pool;

    ngx_del_timer(&dr->timer);

    if (query->ok) {
        ngx_http_ilert_dry_run_judge(dr, query);
    }

    ngx_http_ilert_dry_run_finish(dr);

    ngx_destroy_pool(pool);
}


/* Without its handler the query is dropped when it is answered at last. */

static void
ngx_http_ilert_dry_run_timer_handler(ngx_event_t *ev)
{
    ngx_http_ilert_dry_run_t  *dr;

    dr = ev->data;

    dr->query->handler = NULL;

    ngx_http_ilert_dry_run_finish(dr);
}


static void
ngx_http_ilert_dry_run_judge(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_store_query_t *query)
{
    dr->repeat = query->said.repeat;
    dr->urgency = &ngx_http_ilert_urgency_names[dr->repeat
                                                ? NGX_HTTP_ILERT_REPEATS
                                                : query->urgency];
    dr->replaces = query->replaces;

    if (query->hold == NGX_HTTP_ILERT_SILENCED) {
        dr->becomes = "silenced";
        dr->why = "a silence holds for its alert";
        dr->held = query->until - query->said.received;
        return;
    }

    switch (query->rule) {

    case NGX_HTTP_ILERT_HOLD:
        dr->becomes = "held";
        dr->why = "ilert shows what it says, and is told so again later";
        dr->held = query->until - query->said.received;
        return;

    case NGX_HTTP_ILERT_DELAY:
        dr->becomes = "held";
        dr->why = "resolve_delay: an ALERT that comes meanwhile takes its "
                  "place";
        dr->held = query->until - query->said.received;
        return;

    case NGX_HTTP_ILERT_DROP:
        dr->becomes = "dropped";
        dr->why = query->shown.told ? "ilert shows what it says"
                                    : "ilert was told nothing of its alert";
        return;

    default:
        ngx_http_ilert_dry_run_go(dr, query);
        return;
    }
}


/*
 * By the rules the event is to be sent: says whether it would be sent now, or
 * what it would wait for.
 */

static void
ngx_http_ilert_dry_run_go(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_store_query_t *query)
{
    ngx_http_ilert_ctx_t              *ctx;
    ngx_http_ilert_main_conf_t        *imcf;
    ngx_http_ilert_counters_source_t  *counters;

    ctx = ngx_http_get_module_ctx(dr->request, ngx_http_ilert_module);
    imcf = ngx_http_get_module_main_conf(dr->request, ngx_http_ilert_module);
    counters = ctx->event->source->counters;

    if (imcf->counters->trouble) {
        dr->becomes = "relayed";
        dr->why = "the queue cannot be written to";
        return;
    }

    dr->becomes = "waits";

    if (counters->last.parked) {
        dr->why = "the source is parked";

    } else if (counters->paused) {
        dr->why = "the source is paused by control";

    } else if (query->behind) {
        dr->why = "earlier events of its alert wait";

    } else {
        dr->becomes = "sent";
    }
}


static void
ngx_http_ilert_dry_run_finish(ngx_http_ilert_dry_run_t *dr)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = dr->request;
    c = r->connection;

    if (dr->becomes == NULL) {
        dr->becomes = "unknown";
        dr->why = "the queue does not answer";
    }

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;

    ngx_http_finalize_request(r, ngx_http_ilert_dry_run_send(dr));

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_ilert_dry_run_send(ngx_http_ilert_dry_run_t *dr)
{
    size_t                         size;
    ngx_str_t                      source;
    ngx_http_request_t            *r;
    ngx_http_ilert_ctx_t          *ctx;
    ngx_http_complex_value_t       cv;
    ngx_http_ilert_json_writer_t   w;

    static ngx_str_t               type = ngx_string("application/json");

    r = dr->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_ilert_module);

    ngx_str_set(&ctx->result, "DRY_RUN");
    ctx->answered = 1;

    ngx_str_null(&source);

    size = NGX_HTTP_ILERT_DRY_RUN_SIZE + 6 * dr->error.len;

    if (ctx->event) {

        if (ctx->event->source) {

            /* a name of the configuration need not be valid UTF-8 */

            source = ctx->event->source->name;

            if (ngx_http_ilert_text_valid(&source, r->pool) != NGX_OK) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }

        size += 6 * (source.len + ctx->event->alert_key.len
                     + ctx->event->ilert_key.len)
                + ctx->event->body.len;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = ngx_pnalloc(r->pool, size);
    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    w.pos = cv.value.data;
    w.last = w.pos + size;
    w.full = 0;

    ngx_http_ilert_dry_run_write(dr, ctx, &source, &w);

    cv.value.len = w.pos - cv.value.data;

    r->keepalive = 0;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


static void
ngx_http_ilert_dry_run_write(ngx_http_ilert_dry_run_t *dr,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *source,
    ngx_http_ilert_json_writer_t *w)
{
    u_char  buf[64];

    ngx_http_ilert_json_literal(w, "{\"status\":\"dry-run\",\"answer\":");
    ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "%ui", dr->status) - buf);
    ngx_http_ilert_json_literal(w, ",\"result\":");
    ngx_http_ilert_dry_run_words(w, dr->word);
    ngx_http_ilert_json_literal(w, ",\"error\":");
    ngx_http_ilert_dry_run_text(w, &dr->error);

    ngx_http_ilert_dry_run_write_event(w, ctx, source);
    ngx_http_ilert_dry_run_write_fate(w, dr);

    ngx_http_ilert_json_literal(w, ",\"event\":");

    if (dr->event) {
        ngx_http_ilert_json_raw(w, ctx->event->body.data,
                                ctx->event->body.len);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }

    ngx_http_ilert_json_literal(w, "}\n");
}


/*
 * Writes what is known of the event.  Its type and key are those that ilert
 * would find in it, which for passthrough may not be those of the mapping.
 */

static void
ngx_http_ilert_dry_run_write_event(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_ctx_t *ctx, ngx_str_t *source)
{
    ngx_str_t                *level, none = ngx_null_string;
    ngx_http_ilert_event_t   *ev, nothing;

    static ngx_str_t  priorities[] = {
        ngx_null_string,
        ngx_string("LOW"),
        ngx_string("HIGH")
    };

    ev = ctx->event;

    if (ev == NULL) {
        ngx_memzero(&nothing, sizeof(ngx_http_ilert_event_t));
        ev = &nothing;
    }

    level = ctx->webhook ? &ngx_http_ilert_level_names[ctx->webhook->level]
            : ctx->posted ? &ngx_http_ilert_level_names[ev->level] : &none;

    ngx_http_ilert_json_literal(w, ",\"source\":");
    ngx_http_ilert_dry_run_text(w, source);
    ngx_http_ilert_json_literal(w, ",\"type\":");
    ngx_http_ilert_dry_run_text(w, &ngx_http_ilert_types[ev->ilert_type
                                                         ? ev->ilert_type
                                                         : ev->type]);
    ngx_http_ilert_json_literal(w, ",\"alert_key\":");
    ngx_http_ilert_dry_run_text(w, ev->ilert_key.len ? &ev->ilert_key
                                                     : &ev->alert_key);
    ngx_http_ilert_json_literal(w, ",\"level\":");
    ngx_http_ilert_dry_run_text(w, level);
    ngx_http_ilert_json_literal(w, ",\"priority\":");
    ngx_http_ilert_dry_run_text(w, &priorities[ev->priority]);
}


static void
ngx_http_ilert_dry_run_write_fate(ngx_http_ilert_json_writer_t *w,
    ngx_http_ilert_dry_run_t *dr)
{
    u_char     buf[64];
    ngx_str_t  none = ngx_null_string;

    ngx_http_ilert_json_literal(w, ",\"urgency\":");
    ngx_http_ilert_dry_run_text(w, dr->urgency ? dr->urgency : &none);
    ngx_http_ilert_json_literal(w, ",\"becomes\":");
    ngx_http_ilert_dry_run_words(w, dr->becomes);
    ngx_http_ilert_json_literal(w, ",\"why\":");
    ngx_http_ilert_dry_run_words(w, dr->why);
    ngx_http_ilert_json_literal(w, ",\"held_seconds\":");

    if (dr->held > 0) {
        ngx_http_ilert_json_raw(w, buf, ngx_sprintf(buf, "%L",
                                                    (dr->held + 999) / 1000)
                                        - buf);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }

    if (dr->repeat) {
        ngx_http_ilert_json_literal(w, ",\"repeat\":true");

    } else {
        ngx_http_ilert_json_literal(w, ",\"repeat\":false");
    }

    if (dr->replaces) {
        ngx_http_ilert_json_literal(w, ",\"replaces\":true");

    } else {
        ngx_http_ilert_json_literal(w, ",\"replaces\":false");
    }
}


static void
ngx_http_ilert_dry_run_text(ngx_http_ilert_json_writer_t *w, ngx_str_t *text)
{
    if (text->len) {
        ngx_http_ilert_json_string(w, text);

    } else {
        ngx_http_ilert_json_literal(w, "null");
    }
}


static void
ngx_http_ilert_dry_run_words(ngx_http_ilert_json_writer_t *w,
    const char *words)
{
    ngx_str_t  text;

    text.data = (u_char *) words;
    text.len = words ? ngx_strlen(words) : 0;

    ngx_http_ilert_dry_run_text(w, &text);
}
