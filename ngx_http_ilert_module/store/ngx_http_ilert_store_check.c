
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_work.h"


/*
 * Corrects records that a backend has just loaded.  What is kept may be
 * damaged, or edited by hand.
 */


static int64_t ngx_http_ilert_work_range(int64_t n, int64_t least,
    int64_t most, ngx_uint_t *damaged);
static void ngx_http_ilert_work_check_said(ngx_http_ilert_said_t *said,
    size_t size);
static void ngx_http_ilert_work_check_text(ngx_str_t *text);


void
ngx_http_ilert_work_check_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_uint_t                   damaged;
    ngx_http_ilert_store_row_t  *row;

    damaged = 0;
    row = &alert->row;

    row->urgency = ngx_http_ilert_work_range(row->urgency, 0,
                                             NGX_HTTP_ILERT_URGENCIES - 1,
                                             &damaged);

    /* since another epoch, events may have been sent that we do not know of */

    if (row->epoch == work->total.epoch) {
        row->shows = ngx_http_ilert_work_range(row->shows, 0,
                                               NGX_HTTP_ILERT_SHOWS_ANYTHING,
                                               &damaged);
        alert->shown.shows = row->shows;

    } else {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_ANYTHING;
    }

    row->level = ngx_http_ilert_work_range(row->level, 0,
                                           NGX_HTTP_ILERT_CRITICAL, &damaged);
    row->priority = ngx_http_ilert_work_range(row->priority, 0,
                                              NGX_HTTP_ILERT_HIGH, &damaged);

    row->severity = ngx_http_ilert_work_range(row->severity, 0,
                                              NGX_HTTP_ILERT_STORE_SEVERITY,
                                              &damaged);

    row->silence = ngx_http_ilert_work_range(row->silence, 0,
                                             NGX_HTTP_ILERT_STORE_SILENCE,
                                             &damaged);

    if (row->state < NGX_HTTP_ILERT_STORE_READY
        || row->state > NGX_HTTP_ILERT_STORE_WAITING)
    {
        row->state = NGX_HTTP_ILERT_STORE_READY;
        damaged = 1;
    }

    /* an earlier release lets go what is held, and does not rate it anew */

    if (row->state != NGX_HTTP_ILERT_STORE_WAITING
        && ngx_http_ilert_rules_held(row->urgency))
    {
        row->urgency = NGX_HTTP_ILERT_UPDATES;
    }

    if (damaged) {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
        alert->damaged = 1;
    }

    alert->shown.level = row->level;
    alert->shown.priority = row->priority;
    alert->shown.severity = row->severity;
    alert->shown.told = row->told;
    alert->shown.message = row->message;
    alert->shown.lowered = (row->lowered != 0);

    row->bad = ngx_http_ilert_work_range(row->bad, 0,
                                         NGX_HTTP_ILERT_CRITICAL, &damaged);

    ngx_http_ilert_work_check_text(&alert->summary);
}


void
ngx_http_ilert_work_check_event(ngx_http_ilert_store_waiting_t *ev,
    size_t size)
{
    ngx_uint_t  damaged;

    damaged = 0;

    ev->said.type = ngx_http_ilert_work_range((int64_t) ev->said.type,
                                              NGX_HTTP_ILERT_ALERT,
                                              NGX_HTTP_ILERT_COMMENT,
                                              &damaged);
    ev->said.level = ngx_http_ilert_work_range((int64_t) ev->said.level, 0,
                                               NGX_HTTP_ILERT_CRITICAL,
                                               &damaged);
    ev->said.priority = ngx_http_ilert_work_range((int64_t) ev->said.priority,
                                                  0, NGX_HTTP_ILERT_HIGH,
                                                  &damaged);
    ev->said.severity = ngx_http_ilert_work_range((int64_t) ev->said.severity,
                                               0,
                                               NGX_HTTP_ILERT_STORE_SEVERITY,
                                               &damaged);
    ev->urgency = ngx_http_ilert_work_range((int64_t) ev->urgency, 0,
                                            NGX_HTTP_ILERT_URGENCIES - 1,
                                            &damaged);

    ev->said.repeat = (ev->urgency == NGX_HTTP_ILERT_REPEATS);
    ev->empty = (size == 0);

    ngx_http_ilert_work_check_said(&ev->said, size);

    ev->damaged = (damaged || (size == 0
                               && ev->said.own == NGX_HTTP_ILERT_OWN_NONE));

    if (ev->since == 0) {
        ev->since = ev->said.received;
    }
}


/*
 * Earlier releases tell a RESOLVE of ours only by having no body.  If they
 * replace an event, they leave these numbers as they were, so that they may be
 * those of another event.
 */

static void
ngx_http_ilert_work_check_said(ngx_http_ilert_said_t *said, size_t size)
{
    ngx_uint_t  resolve;

    resolve = (said->type == NGX_HTTP_ILERT_RESOLVE);

    switch (said->own) {

    case NGX_HTTP_ILERT_OWN_DIGEST:
        break;

    case NGX_HTTP_ILERT_OWN_ORDER:

        if (resolve) {
            break;
        }

        /* fall through */

    default:
        said->own = (resolve && size == 0) ? NGX_HTTP_ILERT_OWN_SILENT
                                           : NGX_HTTP_ILERT_OWN_NONE;
    }

    if (said->type != NGX_HTTP_ILERT_ALERT) {
        said->message = 0;
    }

    said->freed = (said->freed && ngx_http_ilert_rules_is_state(said->type));
}


/*
 * A record that makes no sense need not be told from others: the next webhook
 * sets it anew, and until then the worst is a repair that is not needed.
 */

void
ngx_http_ilert_work_check_known(ngx_http_ilert_store_known_t *known)
{
    ngx_uint_t  damaged;

    ngx_http_ilert_work_check_text(&known->place);
    ngx_http_ilert_work_check_text(&known->kid);
    ngx_http_ilert_work_check_text(&known->task);

    known->level = ngx_http_ilert_work_range(known->level, 0,
                                             NGX_HTTP_ILERT_CRITICAL,
                                             &damaged);

    known->at = ngx_max(known->at, 0);
    known->alert = ngx_max(known->alert, 0);
    known->topic = ngx_max(known->topic, 0);
}


void
ngx_http_ilert_work_check_topic(ngx_http_ilert_store_topic_t *topic)
{
    ngx_http_ilert_work_check_text(&topic->kapacitor);
    ngx_http_ilert_work_check_text(&topic->name);

    topic->gone = ngx_max(topic->gone, 0);
}


/*
 * A silence that never ends, or whose pattern matches other alerts, would hold
 * what it must not: so it is one that is over.
 */

void
ngx_http_ilert_work_check_silence(ngx_http_ilert_store_silence_t *silence)
{
    ngx_http_ilert_work_check_text(&silence->source);
    ngx_http_ilert_work_check_text(&silence->pattern);
    ngx_http_ilert_work_check_text(&silence->comment);

    silence->owner = ngx_max(silence->owner, 0);
    silence->from = ngx_max(silence->from, 0);

    if (silence->until < silence->from || silence->pattern.len == 0) {
        silence->until = silence->from;
    }
}


void
ngx_http_ilert_work_check_digest(ngx_http_ilert_store_digest_t *digest)
{
    int64_t                   last;
    ngx_uint_t                i, damaged;
    ngx_http_ilert_digest_t  *state;

    state = &digest->state;

    state->opened = ngx_max(state->opened, 0);
    state->changed = ngx_max(state->changed, 0);
    state->told = ngx_max(state->told, 0);
    state->calm = ngx_max(state->calm, 0);
    state->refilled = ngx_max(state->refilled, 0);
    state->tokens = ngx_http_ilert_work_range(state->tokens, 0,
                                              NGX_HTTP_ILERT_DIGEST_TOKENS,
                                              &damaged);
    state->urgent &= NGX_HTTP_ILERT_DIGEST_UNNAMED
                     |NGX_HTTP_ILERT_DIGEST_HIGH
                     |NGX_HTTP_ILERT_DIGEST_LOUD;

    last = 0;

    for (i = 0; i < state->nalone; i++) {
        state->alone[i] = ngx_max(state->alone[i], last);
        last = state->alone[i];
    }
}


/* A part of an id, or of a name, would be another one's: it is none at all. */

static void
ngx_http_ilert_work_check_text(ngx_str_t *text)
{
    if (text->len > NGX_HTTP_ILERT_STORE_TEXT) {
        text->len = 0;
    }
}


/*
 * Returns the nearest number from "least" to "most", and sets "damaged" if it
 * is another one.
 */

static int64_t
ngx_http_ilert_work_range(int64_t n, int64_t least, int64_t most,
    ngx_uint_t *damaged)
{
    if (n < least || n > most) {
        *damaged = 1;
        return (n < least) ? least : most;
    }

    return n;
}
