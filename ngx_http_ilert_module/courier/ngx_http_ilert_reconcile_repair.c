
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_json.h"
#include "ngx_http_ilert_reconcile_poll.h"
#include "ngx_http_ilert_reconcile_repair.h"


/* the rate of a key that is not known: what ilert allows */

#define NGX_HTTP_ILERT_RECONCILE_RATE    50
#define NGX_HTTP_ILERT_RECONCILE_WINDOW  60000

/* mere updates have this part of a rate, by its denominator */

#define NGX_HTTP_ILERT_RECONCILE_PART    10


#if (NGX_THREADS)

typedef struct {
    ngx_http_ilert_repair_t           repair;
    ngx_http_ilert_reconcile_poll_t  *poll;
    ngx_pool_t                       *pool;
    u_char                            key[NGX_HTTP_ILERT_DIFFER_KEY];
    unsigned                          update:1;
} ngx_http_ilert_reconcile_repair_t;


static void ngx_http_ilert_reconcile_watch(
    ngx_http_ilert_reconcile_poll_t *poll);
static void ngx_http_ilert_reconcile_watched(
    ngx_http_ilert_store_look_t *look);
static ngx_int_t ngx_http_ilert_reconcile_read_handlers(
    ngx_http_ilert_call_t *call, u_char *data, size_t len);
static void ngx_http_ilert_reconcile_handlers_done(
    ngx_http_ilert_call_t *call);
static ngx_int_t ngx_http_ilert_reconcile_is_matched(ngx_str_t *answer,
    ngx_str_t *uri, ngx_uint_t *matched, ngx_pool_t *pool);
static ngx_int_t ngx_http_ilert_reconcile_handler(ngx_str_t *text,
    ngx_str_t *uri, ngx_uint_t *all, ngx_uint_t *some, ngx_pool_t *pool);
static void ngx_http_ilert_reconcile_go(ngx_http_ilert_reconcile_poll_t *poll);
static ngx_uint_t ngx_http_ilert_reconcile_may(
    ngx_http_ilert_reconcile_poll_t *poll, ngx_http_ilert_difference_t *d);
static ngx_int_t ngx_http_ilert_reconcile_send(
    ngx_http_ilert_reconcile_poll_t *poll, ngx_http_ilert_difference_t *d);
static ngx_int_t ngx_http_ilert_reconcile_fill(
    ngx_http_ilert_reconcile_repair_t *rr, ngx_http_ilert_difference_t *d);
static void ngx_http_ilert_reconcile_sent(ngx_http_ilert_repair_t *repair);
static void ngx_http_ilert_reconcile_count(
    ngx_http_ilert_reconcile_repair_t *rr);


void
ngx_http_ilert_reconcile_repair(ngx_http_ilert_reconcile_poll_t *poll)
{
    if (poll->lost.nelts == 0) {
        poll->go_on(poll);
        return;
    }

    if (poll->rc->conf->watch) {
        ngx_http_ilert_reconcile_watch(poll);
        return;
    }

    ngx_str_null(&poll->handlers);

    if (ngx_http_ilert_reconcile_call(poll, "alerts/topics/",
                                      &poll->topic->sn.str, "/handlers",
                                      ngx_http_ilert_reconcile_read_handlers,
                                      ngx_http_ilert_reconcile_handlers_done)
        != NGX_OK)
    {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
    }
}


/*
 * Nothing is repaired.  But the store is told what is over, so that it may be
 * resolved for its silence.
 */

static void
ngx_http_ilert_reconcile_watch(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_str_t                     *id;
    ngx_uint_t                     i;
    ngx_http_ilert_difference_t  **d;
    ngx_http_ilert_store_look_t   *look;

    poll->topic->watched = poll->lost.nelts;

    look = ngx_http_ilert_reconcile_look(poll, 1,
                                         ngx_http_ilert_reconcile_watched);
    if (look == NULL) {
        ngx_http_ilert_reconcile_fail(poll, "no memory");
        return;
    }

    look->over = ngx_array_create(look->pool, 16, sizeof(ngx_str_t));
    if (look->over == NULL) {
        goto failed;
    }

    d = poll->lost.elts;

    for (i = 0; i < poll->lost.nelts; i++) {

        if (!d[i]->heard || d[i]->level != NGX_HTTP_ILERT_OK) {
            continue;
        }

        id = ngx_array_push(look->over);

        if (id == NULL
            || ngx_http_ilert_reconcile_copy(look->pool, id,
                                             &d[i]->element->id)
               != NGX_OK)
        {
            goto failed;
        }
    }

    ngx_http_ilert_reconcile_ask(poll, look);

    return;

failed:

    ngx_destroy_pool(look->pool);

    ngx_http_ilert_reconcile_fail(poll, "no memory");
}


static void
ngx_http_ilert_reconcile_watched(ngx_http_ilert_store_look_t *look)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(look->data);

    ngx_destroy_pool(look->pool);

    if (poll) {
        poll->go_on(poll);
    }
}


static ngx_int_t
ngx_http_ilert_reconcile_read_handlers(ngx_http_ilert_call_t *call,
    u_char *data, size_t len)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = call->data;

    if (poll->rc == NULL
        || len > NGX_HTTP_ILERT_RECONCILE_HANDLERS - poll->handlers.len)
    {
        return NGX_ERROR;
    }

    if (poll->handlers.data == NULL) {
        poll->handlers.data = ngx_pnalloc(poll->topic_pool,
                                          NGX_HTTP_ILERT_RECONCILE_HANDLERS);
        if (poll->handlers.data == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(poll->handlers.data + poll->handlers.len, data, len);
    poll->handlers.len += len;

    return NGX_OK;
}


/*
 * The topic's handlers are known.  If those that post to us have conditions
 * ("match"), only some of the topic's events come to us, and others are
 * missing on purpose: then nothing is repaired.
 */

static void
ngx_http_ilert_reconcile_handlers_done(ngx_http_ilert_call_t *call)
{
    ngx_uint_t                        matched;
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = ngx_http_ilert_reconcile_came(call->data);

    if (poll == NULL) {
        return;
    }

    if (call->status != NGX_HTTP_OK) {
        ngx_http_ilert_reconcile_fail(poll, "");
        return;
    }

    if (!call->whole
        || ngx_http_ilert_reconcile_is_matched(&poll->handlers,
                                               &poll->rc->conf->uri, &matched,
                                               poll->topic_pool)
           != NGX_OK)
    {
        ngx_http_ilert_reconcile_fail(poll, "the list of handlers of a topic "
                                            "cannot be read");
        return;
    }

    if (matched) {
        ngx_http_ilert_reconcile_watch(poll);
        return;
    }

    ngx_http_ilert_reconcile_go(poll);
}


/*
 * Sets "matched" to 1 if there are handlers that post to "uri", and all of
 * them have a "match".  Returns NGX_OK, or NGX_ERROR if there is no memory or
 * if the answer is no list of handlers.
 */

static ngx_int_t
ngx_http_ilert_reconcile_is_matched(ngx_str_t *answer, ngx_str_t *uri,
    ngx_uint_t *matched, ngx_pool_t *pool)
{
    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_uint_t                     all, some;
    ngx_http_ilert_json_member_t   list;
    ngx_http_ilert_json_reader_t   r;

    ngx_str_set(&list.name, "handlers");
    ngx_str_null(&list.value);

    if (ngx_http_ilert_json_pick(answer, &list, 1) != NGX_OK
        || list.value.len == 0)
    {
        return NGX_ERROR;
    }

    all = 1;
    some = 0;

    ngx_http_ilert_json_init(&r, &list.value,
                             NGX_HTTP_ILERT_JSON_ANY_NUMBER);

    rc = ngx_http_ilert_json_enter(&r, '[');

    while (rc == NGX_OK) {

        (void) ngx_http_ilert_json_peek(&r);

        text.data = r.pos;

        if (ngx_http_ilert_json_skip(&r) != NGX_OK) {
            return NGX_ERROR;
        }

        text.len = r.pos - text.data;

        if (ngx_http_ilert_reconcile_handler(&text, uri, &all, &some, pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = ngx_http_ilert_json_next(&r, ']');
    }

    *matched = all && some;

    return (rc == NGX_DONE) ? NGX_OK : NGX_ERROR;
}


/*
 * Looks at one handler.  Whether its URL leads here is told by the path, as
 * the name of this machine may be any.
 */

static ngx_int_t
ngx_http_ilert_reconcile_handler(ngx_str_t *text, ngx_str_t *uri,
    ngx_uint_t *all, ngx_uint_t *some, ngx_pool_t *pool)
{
    u_char                        *p, *last;
    ngx_str_t                      url, match, path;
    ngx_http_ilert_json_member_t   members[2], option;

    ngx_str_set(&members[0].name, "options");
    ngx_str_set(&members[1].name, "match");
    ngx_str_set(&option.name, "url");

    ngx_str_null(&members[0].value);
    ngx_str_null(&members[1].value);
    ngx_str_null(&option.value);

    if (ngx_http_ilert_json_pick(text, members, 2) != NGX_OK
        || members[0].value.len == 0
        || ngx_http_ilert_json_pick(&members[0].value, &option, 1) != NGX_OK
        || option.value.len == 0)
    {
        return NGX_OK;
    }

    ngx_str_null(&match);

    if (ngx_http_ilert_json_decode(&option.value, &url, pool) != NGX_OK
        || (members[1].value.len
            && ngx_http_ilert_json_decode(&members[1].value, &match, pool)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    last = url.data + url.len;
    path.data = last;

    p = ngx_strlchr(url.data, last, ':');

    if (p && last - p > 3 && p[1] == '/' && p[2] == '/') {
        p = ngx_strlchr(p + 3, last, '/');

        if (p) {
            path.data = p;
        }
    }

    p = ngx_strlchr(path.data, last, '?');
    path.len = (p ? p : last) - path.data;

    if (path.len == uri->len
        && ngx_memcmp(path.data, uri->data, uri->len) == 0)
    {
        *some = 1;
        *all &= (match.len != 0);
    }

    return NGX_OK;
}


/* Begins as many repairs as may be under way. */

static void
ngx_http_ilert_reconcile_go(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_http_ilert_difference_t  **d;

    d = poll->lost.elts;

    while (poll->begun < poll->lost.nelts
           && poll->pending < NGX_HTTP_ILERT_RECONCILE_REPAIRS)
    {
        if (!ngx_http_ilert_reconcile_may(poll, d[poll->begun])) {
            poll->begun++;
            continue;
        }

        if (ngx_http_ilert_reconcile_send(poll, d[poll->begun]) != NGX_OK) {

            /* the next poll tries it again */

            poll->begun = poll->lost.nelts;
            break;
        }

        poll->begun++;
    }

    if (poll->pending) {
        return;
    }

    if (poll->repaired) {
        poll->topic->again = NGX_HTTP_ILERT_RECONCILE_AGAIN;

        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert kapacitor \"%V\": %ui lost webhooks of topic "
                      "\"%V\" were made up for", &poll->rc->conf->name,
                      poll->repaired, &poll->topic->sn.str);
    }

    poll->go_on(poll);
}


/*
 * Returns 1 if the difference may be repaired now.  Mere updates have a tenth
 * of the rate: they must not delay news.
 */

static ngx_uint_t
ngx_http_ilert_reconcile_may(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_difference_t *d)
{
    int64_t                      n, window, cost;
    ngx_http_ilert_source_t     *source;
    ngx_http_ilert_reconcile_t  *rc;
    ngx_http_ilert_main_conf_t  *imcf;

    if (!ngx_http_ilert_differ_is_update(d)) {
        return 1;
    }

    rc = poll->rc;
    imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ilert_module);

    source = d->source.len ? ngx_http_ilert_find_source(imcf, &d->source)
                           : rc->conf->target->source;

    n = NGX_HTTP_ILERT_RECONCILE_RATE;
    window = NGX_HTTP_ILERT_RECONCILE_WINDOW;

    if (source) {
        n = source->shared->rate.n;
        window = source->shared->rate.window;
    }

    if (n == 0) {
        return 1;
    }

    cost = NGX_HTTP_ILERT_RECONCILE_PART * window / n;

    rc->tokens += (ngx_msec_int_t) (ngx_current_msec - rc->filled);
    rc->tokens = ngx_min(rc->tokens, ngx_max(window, cost));
    rc->filled = ngx_current_msec;

    if (rc->tokens < cost) {
        return 0;
    }

    rc->tokens -= cost;

    return 1;
}


static ngx_int_t
ngx_http_ilert_reconcile_send(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_difference_t *d)
{
    ngx_pool_t                         *pool;
    ngx_http_ilert_reconcile_repair_t  *rr;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rr = ngx_pcalloc(pool, sizeof(ngx_http_ilert_reconcile_repair_t));

    if (rr) {
        rr->pool = pool;
        rr->poll = poll;
        rr->update = ngx_http_ilert_differ_is_update(d);
        ngx_memcpy(rr->key, d->key, NGX_HTTP_ILERT_DIFFER_KEY);
    }

    if (rr == NULL
        || ngx_http_ilert_reconcile_fill(rr, d) != NGX_OK
        || ngx_http_ilert_repair_send(&rr->repair) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    poll->pending++;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_reconcile_fill(ngx_http_ilert_reconcile_repair_t *rr,
    ngx_http_ilert_difference_t *d)
{
    ngx_http_ilert_repair_t       *repair;
    ngx_http_ilert_store_heard_t  *heard;

    repair = &rr->repair;
    heard = &repair->heard;

    repair->kapacitor = rr->poll->rc->conf;
    repair->handler = ngx_http_ilert_reconcile_sent;
    repair->data = rr;

    if (ngx_http_ilert_reconcile_copy(rr->pool, &heard->id, &d->element->id)
        != NGX_OK
        || ngx_http_ilert_reconcile_copy(rr->pool, &repair->source, &d->source)
           != NGX_OK
        || ngx_http_ilert_reconcile_copy(rr->pool, &repair->alert_key,
                                         &d->alert_key)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    heard->place = repair->kapacitor->place;
    heard->time = d->time;
    heard->level = d->level;
    heard->repair = 1;
    heard->unheard = !d->heard;
    heard->was_time = d->was_time;
    heard->was_level = d->was_level;

    return ngx_http_ilert_topics_webhook(d->element,
                                         (ngx_http_ilert_level_e) d->was_level,
                                         !d->heard, &repair->call.body,
                                         rr->pool);
}


static void
ngx_http_ilert_reconcile_sent(ngx_http_ilert_repair_t *repair)
{
    ngx_http_ilert_difference_t        *d;
    ngx_http_ilert_reconcile_poll_t    *poll;
    ngx_http_ilert_reconcile_repair_t  *rr;

    rr = repair->data;

    if (repair->status == NGX_HTTP_ACCEPTED) {
        ngx_http_ilert_reconcile_count(rr);
    }

    poll = ngx_http_ilert_reconcile_came(rr->poll);

    if (poll && repair->status == NGX_HTTP_ACCEPTED) {
        d = ngx_http_ilert_differ_find(&poll->topic->differ, rr->key);

        if (d) {
            ngx_http_ilert_differ_remove(&poll->topic->differ, d);
        }

        poll->repaired += (repair->news == NGX_HTTP_ILERT_STORE_NEWS);
    }

    ngx_destroy_pool(rr->pool);

    if (poll) {
        ngx_http_ilert_reconcile_go(poll);
    }
}


/* Counts what has become of a repair, unless it was not needed any more. */

static void
ngx_http_ilert_reconcile_count(ngx_http_ilert_reconcile_repair_t *rr)
{
    ngx_uint_t                            action;
    ngx_http_ilert_repair_t              *repair;
    ngx_http_ilert_counters_kapacitor_t  *counters;

    repair = &rr->repair;
    counters = repair->kapacitor->counters;

    if (repair->news != NGX_HTTP_ILERT_STORE_NEWS) {
        return;
    }

    if (repair->type == 0) {
        action = NGX_HTTP_ILERT_RECONCILED_IGNORED;

    } else if (rr->update) {
        action = NGX_HTTP_ILERT_RECONCILED_UPDATE;

    } else if (repair->type == NGX_HTTP_ILERT_RESOLVE) {
        action = NGX_HTTP_ILERT_RECONCILED_RESOLVE;

    } else {
        action = NGX_HTTP_ILERT_RECONCILED_ALERT;
    }

    ngx_http_ilert_counters_add(counters->reconciled[action], 1);
}

#endif
