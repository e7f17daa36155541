
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_heard_rules.h"
#include "ngx_http_ilert_text.h"


/*
 * ms after a database was made in which an OK from before that is a difference
 * if nothing was heard of its id.  It is not longer than what was heard of an
 * OK is remembered, so that an OK is not repaired twice.
 */

#define NGX_HTTP_ILERT_HEARD_NEW      ((int64_t) 7 * 24 * 60 * 60 * 1000)

/* what the names of topics begin with that tasks have without saying so */

#define NGX_HTTP_ILERT_HEARD_MAIN     "main:"


static ngx_uint_t ngx_http_ilert_heard_is_copy(
    ngx_http_ilert_store_known_t *known, ngx_http_ilert_store_heard_t *heard);
static ngx_uint_t ngx_http_ilert_heard_is_older(
    ngx_http_ilert_store_known_t *known, ngx_http_ilert_store_heard_t *heard);
static void ngx_http_ilert_heard_set(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t now);
static ngx_uint_t ngx_http_ilert_heard_is_of_task(ngx_str_t *topic,
    ngx_str_t *task);
static ngx_uint_t ngx_http_ilert_heard_is_new(
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_heard_at_t *at);


ngx_http_ilert_store_news_e
ngx_http_ilert_heard_news(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, ngx_uint_t stale)
{
    if (heard->repair) {

        /* a copy is no matter: by what was heard last it is a difference */

        if (known == NULL) {
            return heard->unheard ? NGX_HTTP_ILERT_STORE_NEWS
                                  : NGX_HTTP_ILERT_STORE_OVERTAKEN;
        }

        return (!heard->unheard && known->time == heard->was_time
                && known->level == (int64_t) heard->was_level)
               ? NGX_HTTP_ILERT_STORE_NEWS : NGX_HTTP_ILERT_STORE_OVERTAKEN;
    }

    if (known == NULL || heard->time == NGX_HTTP_ILERT_STORE_NO_TIME) {
        return NGX_HTTP_ILERT_STORE_NEWS;
    }

    if (ngx_http_ilert_heard_is_copy(known, heard)) {
        return NGX_HTTP_ILERT_STORE_COPY;
    }

    return (stale && ngx_http_ilert_heard_is_older(known, heard))
           ? NGX_HTTP_ILERT_STORE_STALE : NGX_HTTP_ILERT_STORE_NEWS;
}


/*
 * If one that is older was taken after it, that is what ilert shows: then it
 * is news when it comes again, and else the alert might never end.
 */

static ngx_uint_t
ngx_http_ilert_heard_is_copy(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard)
{
    ngx_uint_t  i;

    if (heard->time > known->time) {
        return 0;
    }

    for (i = 0; i < known->ndigests; i++) {
        if (known->digests[i] == heard->digest) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_ilert_heard_is_older(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard)
{
    return heard->time != NGX_HTTP_ILERT_STORE_NO_TIME
           && heard->time < known->time;
}


ngx_uint_t
ngx_http_ilert_heard_is_late(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard)
{
    return !heard->repair
           && (heard->time == NGX_HTTP_ILERT_STORE_NO_TIME
               || heard->time <= known->time);
}


void
ngx_http_ilert_heard_take(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t alert, int64_t now)
{
    ngx_uint_t  i;

    ngx_http_ilert_heard_set(known, heard, now);

    known->alert = alert;
    known->ignored = 0;

    if (heard->time == NGX_HTTP_ILERT_STORE_NO_TIME) {
        return;
    }

    /*
     * If it has come before, and is news nevertheless, those that came after
     * it are news as well when they come again.
     */

    for (i = 0; i < known->ndigests; i++) {
        if (known->digests[i] == heard->digest) {
            known->ndigests = i;
            break;
        }
    }

    if (known->ndigests == NGX_HTTP_ILERT_STORE_DIGESTS) {
        known->ndigests--;

        ngx_memmove(known->digests, known->digests + 1,
                    known->ndigests * sizeof(uint64_t));
    }

    known->digests[known->ndigests++] = heard->digest;
}


static void
ngx_http_ilert_heard_set(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t now)
{
    if (heard->time != NGX_HTTP_ILERT_STORE_NO_TIME) {
        known->time = heard->time;
    }

    if (heard->task.len) {
        known->task = heard->task;
    }

    known->level = heard->level;
    known->at = now;
    known->over = 0;
}


ngx_uint_t
ngx_http_ilert_heard_is_noted(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard)
{
    if (known == NULL) {
        return 1;
    }

    return !ngx_http_ilert_heard_is_older(known, heard)
           && (!known->ignored || known->level != (int64_t) heard->level);
}


void
ngx_http_ilert_heard_note(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t now)
{
    ngx_http_ilert_heard_set(known, heard, now);

    known->ignored = 1;
}


ngx_uint_t
ngx_http_ilert_heard_clashes(ngx_str_t *one, ngx_str_t *two)
{
    return one->len && two->len && !ngx_http_ilert_text_same(one, two);
}


ngx_uint_t
ngx_http_ilert_heard_learns(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_state_t *state, ngx_str_t *topic, ngx_uint_t foreign)
{
    if (known == NULL || foreign || known->level != (int64_t) state->level
        || !ngx_http_ilert_heard_is_of_task(topic, &known->task))
    {
        return 0;
    }

    /* of what is ignored, only changes of the level are remembered */

    return state->time == known->time
           || (known->ignored && state->time > known->time);
}


/*
 * Two tasks may make the same id at the same time, and only one of them posts
 * to us.  A topic that a task has without saying so is "main:TASK:NODE": if
 * the task is known, it cannot be another one's.  Names of tasks have no ":".
 */

static ngx_uint_t
ngx_http_ilert_heard_is_of_task(ngx_str_t *topic, ngx_str_t *task)
{
    size_t   len;
    u_char  *p;

    len = sizeof(NGX_HTTP_ILERT_HEARD_MAIN) - 1;

    if (task->len == 0 || topic->len < len
        || ngx_memcmp(topic->data, NGX_HTTP_ILERT_HEARD_MAIN, len) != 0)
    {
        return 1;
    }

    p = topic->data + len;
    len = topic->len - len;

    return len > task->len && p[task->len] == ':'
           && ngx_memcmp(p, task->data, task->len) == 0;
}


ngx_http_ilert_store_look_e
ngx_http_ilert_heard_look(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_state_t *state, ngx_http_ilert_heard_at_t *at)
{
    ngx_uint_t  same;

    if (known == NULL) {
        return (at->learned && ngx_http_ilert_heard_is_new(state, at))
               ? NGX_HTTP_ILERT_STORE_DIFFERS
               : NGX_HTTP_ILERT_STORE_NO_MATTER;
    }

    same = (known->level == (int64_t) state->level);

    if (same && (state->time == known->time || known->ignored
                 || known->time == NGX_HTTP_ILERT_STORE_NO_TIME))
    {
        return NGX_HTTP_ILERT_STORE_AGREES;
    }

    if (!at->learned || at->foreign || state->time < known->time) {
        return NGX_HTTP_ILERT_STORE_NO_MATTER;
    }

    /*
     * An OK is no news if it was one before, and ilert was told; or if ilert
     * was never told anything.  What was relayed is not remembered: then it is
     * not known what ilert shows, and an OK that was missed may be its end.
     */

    if (state->level == NGX_HTTP_ILERT_OK
        && ((same && (at->resolved || known->alert == 0))
            || (known->ignored && known->alert == 0)))
    {
        return NGX_HTTP_ILERT_STORE_NO_MATTER;
    }

    return NGX_HTTP_ILERT_STORE_DIFFERS;
}


/*
 * Returns 1 if a state of which nothing was heard is a difference.  In a new
 * database nothing is known of what ilert shows, so an OK may be news, too.
 * Of an id that is too long for a record nothing is ever remembered, so that
 * it would be repaired again and again.
 */

static ngx_uint_t
ngx_http_ilert_heard_is_new(ngx_http_ilert_store_state_t *state,
    ngx_http_ilert_heard_at_t *at)
{
    if (state->id.len > NGX_HTTP_ILERT_STORE_TEXT) {
        return 0;
    }

    if (state->level != NGX_HTTP_ILERT_OK) {
        return state->time > at->yielded;
    }

    return at->made > 0 && state->time / 1000000 < at->made
           && at->now < at->made + NGX_HTTP_ILERT_HEARD_NEW;
}


ngx_uint_t
ngx_http_ilert_heard_is_open(ngx_http_ilert_store_known_t *known)
{
    return known->level != NGX_HTTP_ILERT_OK
           && !(known->ignored && known->alert == 0);
}


ngx_uint_t
ngx_http_ilert_heard_holds(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_topic_t *topic,
    ngx_http_ilert_store_kapacitor_t *kapacitors, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (known->level == NGX_HTTP_ILERT_OK) {
        return 0;
    }

    if (topic && topic->gone == 0 && !known->over) {
        return 1;
    }

    for (i = 0; i < n; i++) {
        if (!kapacitors[i].up
            && ngx_http_ilert_text_same(&kapacitors[i].place, &known->place))
        {
            return 1;
        }
    }

    return 0;
}


/* "yielded" is the time of the first look, or later, or 0 before that */

ngx_uint_t
ngx_http_ilert_heard_is_earlier(int64_t opened, int64_t made, int64_t yielded)
{
    return made == 0 && opened > 0
           && (yielded == 0 || opened <= yielded / 1000000);
}


ngx_uint_t
ngx_http_ilert_heard_goes(ngx_http_ilert_store_known_t *known, int64_t over,
    int64_t open, int64_t now)
{
    return known->at < now - ((known->level == NGX_HTTP_ILERT_OK) ? over
                                                                  : open);
}
