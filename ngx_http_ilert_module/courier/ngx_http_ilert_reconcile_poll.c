
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_reconcile_poll.h"


#if (NGX_THREADS)

ngx_http_ilert_reconcile_poll_t *
ngx_http_ilert_reconcile_create(ngx_http_ilert_reconcile_t *rc)
{
    ngx_pool_t                       *pool;
    ngx_http_ilert_reconcile_poll_t  *poll;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    poll = ngx_pcalloc(pool, sizeof(ngx_http_ilert_reconcile_poll_t));

    if (poll == NULL
        || ngx_array_init(&poll->listed, pool, 16, sizeof(ngx_str_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    poll->pool = pool;
    poll->rc = rc;

    return poll;
}


void
ngx_http_ilert_reconcile_destroy(ngx_http_ilert_reconcile_poll_t *poll)
{
    ngx_queue_t                  *q;
    ngx_http_ilert_store_look_t  *look;

    ngx_http_ilert_reconcile_read_close(poll);

    if (poll->topic_pool) {

        while (!ngx_queue_empty(&poll->looks)) {
            q = ngx_queue_head(&poll->looks);
            ngx_queue_remove(q);

            look = ngx_queue_data(q, ngx_http_ilert_store_look_t, queue);
            ngx_destroy_pool(look->pool);
        }

        ngx_destroy_pool(poll->topic_pool);
    }

    ngx_destroy_pool(poll->pool);
}


ngx_http_ilert_reconcile_poll_t *
ngx_http_ilert_reconcile_came(ngx_http_ilert_reconcile_poll_t *poll)
{
    poll->pending--;

    if (poll->rc) {
        return poll;
    }

    if (poll->pending == 0) {
        ngx_http_ilert_reconcile_destroy(poll);
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_reconcile_call(ngx_http_ilert_reconcile_poll_t *poll,
    const char *path, ngx_str_t *topic, const char *more,
    ngx_int_t (*read)(ngx_http_ilert_call_t *call, u_char *data, size_t len),
    ngx_http_ilert_call_handler_pt handler)
{
    u_char                      *p;
    size_t                       len;
    ngx_http_ilert_call_t       *call;
    ngx_http_ilert_kapacitor_t  *conf;

    conf = poll->rc->conf;
    call = &poll->call;

    ngx_memzero(call, sizeof(ngx_http_ilert_call_t));

    len = conf->name.len + ngx_strlen(path) + ngx_strlen(more)
          + (topic ? topic->len : 0);

    p = ngx_pnalloc(poll->topic_pool ? poll->topic_pool : poll->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    call->uri.data = p;

    p = ngx_cpymem(p, conf->name.data, conf->name.len);
    p = ngx_cpymem(p, path, ngx_strlen(path));

    if (topic) {
        p = ngx_cpymem(p, topic->data, topic->len);
    }

    p = ngx_cpymem(p, more, ngx_strlen(more));

    call->uri.len = p - call->uri.data;
    call->part = "reconcile";
    call->peer = "Kapacitor";
    call->name = conf->name;
    call->conf_ctx = conf->conf_ctx;
    call->host = &conf->host;
    call->read = read;
    call->handler = handler;
    call->data = poll;

    /* a change of state is logged, and has the reason */

    call->quiet = 1;

    if (ngx_http_ilert_call_send(call) != NGX_OK) {
        return NGX_ERROR;
    }

    poll->pending++;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_reconcile_read(ngx_http_ilert_call_t *call, u_char *data,
    size_t len)
{
    ngx_http_ilert_reconcile_poll_t  *poll;

    poll = call->data;

    return ngx_http_ilert_topics_read(&poll->reader, data, len);
}


ngx_int_t
ngx_http_ilert_reconcile_read_end(ngx_http_ilert_reconcile_poll_t *poll)
{
    if (!poll->call.whole
        || ngx_http_ilert_topics_end(&poll->reader) != NGX_OK)
    {
        ngx_http_ilert_reconcile_fail(poll, poll->reader.error
                                            ? poll->reader.error : "");
        return NGX_ERROR;
    }

    ngx_http_ilert_reconcile_read_close(poll);

    return NGX_OK;
}


void
ngx_http_ilert_reconcile_read_close(ngx_http_ilert_reconcile_poll_t *poll)
{
    if (poll->reading) {
        ngx_http_ilert_topics_close(&poll->reader);
        poll->reading = 0;
    }
}


ngx_int_t
ngx_http_ilert_reconcile_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from)
{
    to->len = from->len;
    to->data = NULL;

    if (from->len == 0) {
        return NGX_OK;
    }

    to->data = ngx_pstrdup(pool, from);

    return to->data ? NGX_OK : NGX_ERROR;
}


ngx_http_ilert_store_look_t *
ngx_http_ilert_reconcile_look(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_uint_t n, void (*handler)(ngx_http_ilert_store_look_t *look))
{
    ngx_pool_t                   *pool;
    ngx_http_ilert_store_look_t  *look;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    look = ngx_pcalloc(pool, sizeof(ngx_http_ilert_store_look_t));

    if (look == NULL
        || ngx_array_init(&look->states, pool, n,
                          sizeof(ngx_http_ilert_store_state_t))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NULL;
    }

    look->pool = pool;
    look->handler = handler;
    look->data = poll;
    look->place = poll->rc->conf->place;
    look->kapacitor = poll->rc->conf->name;

    if (poll->topic) {
        look->named = poll->topic->named;
        look->topic.len = poll->topic->sn.str.len;
        look->topic.data = ngx_pstrdup(pool, &poll->topic->sn.str);

        if (look->topic.data == NULL) {
            ngx_destroy_pool(pool);
            return NULL;
        }
    }

    return look;
}


void
ngx_http_ilert_reconcile_ask(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_look_t *look)
{
    if (ngx_http_ilert_queue_look(look) == NGX_OK) {
        poll->pending++;
        return;
    }

    ngx_destroy_pool(look->pool);

    ngx_http_ilert_reconcile_fail(poll, "there is no queue");
}


void
ngx_http_ilert_reconcile_fail(ngx_http_ilert_reconcile_poll_t *poll,
    const char *reason)
{
    u_char                          *p, *last;
    ngx_uint_t                       code;
    ngx_http_ilert_call_t           *call;
    ngx_http_ilert_reconcile_t      *rc;
    ngx_http_ilert_counters_poll_t   seen, known;

    rc = poll->rc;
    call = &poll->call;

    seen = rc->seen;

    if (poll->topic) {

        /* some topics were read, whose differences may have been repaired */

        ngx_http_ilert_reconcile_sum(rc, &known);

        seen.differences = known.differences;
        seen.watched = known.watched;
    }

    code = call->status;

    seen.state = (*reason == '\0' && code >= 400 && code < 500)
                 ? NGX_HTTP_ILERT_KAPACITOR_REFUSED
                 : NGX_HTTP_ILERT_KAPACITOR_DOWN;

    p = seen.error;
    last = seen.error + sizeof(seen.error);

    if (*reason) {
        p = ngx_slprintf(p, last, "%s", reason);

    } else if (code && code != NGX_HTTP_OK) {
        p = ngx_slprintf(p, last, call->reason.len ? "status %ui: %V"
                                                   : "status %ui",
                         code, &call->reason);

    } else if (call->reason.len) {
        p = ngx_slprintf(p, last, "%V", &call->reason);

    } else {
        p = ngx_slprintf(p, last, "the answer is not complete");
    }

    seen.error_len = p - seen.error;

    rc->up = 0;

    if (poll->topic) {

        /* next time the others come first: this one may fail again */

        ngx_queue_remove(&poll->topic->queue);
        ngx_queue_insert_tail(&rc->list, &poll->topic->queue);
    }

    ngx_http_ilert_reconcile_end_poll(poll, &seen);
}


void
ngx_http_ilert_reconcile_sum(ngx_http_ilert_reconcile_t *rc,
    ngx_http_ilert_counters_poll_t *seen)
{
    ngx_queue_t                       *q;
    ngx_http_ilert_reconcile_topic_t  *topic;

    ngx_memzero(seen, sizeof(ngx_http_ilert_counters_poll_t));

    seen->state = NGX_HTTP_ILERT_KAPACITOR_UP;

    for (q = ngx_queue_head(&rc->list);
         q != ngx_queue_sentinel(&rc->list);
         q = ngx_queue_next(q))
    {
        topic = ngx_queue_data(q, ngx_http_ilert_reconcile_topic_t, queue);

        if (!topic->learned) {
            continue;
        }

        seen->topics++;
        seen->compared += topic->compared;
        seen->differences += topic->differ.n;
        seen->watched += topic->watched;

        if (topic->behind) {
            seen->state = NGX_HTTP_ILERT_KAPACITOR_BEHIND;
        }
    }
}


void
ngx_http_ilert_reconcile_end_poll(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_counters_poll_t *seen)
{
    ngx_str_t                    error;
    ngx_uint_t                   up, was;
    ngx_http_ilert_reconcile_t  *rc;

    rc = poll->rc;
    rc->poll = NULL;

    seen->polled = ngx_http_ilert_clock_now();
    seen->since = (seen->state == rc->seen.state) ? rc->seen.since
                                                  : seen->polled;

    up = (seen->state == NGX_HTTP_ILERT_KAPACITOR_UP
          || seen->state == NGX_HTTP_ILERT_KAPACITOR_BEHIND);
    was = (rc->seen.state == NGX_HTTP_ILERT_KAPACITOR_UP
           || rc->seen.state == NGX_HTTP_ILERT_KAPACITOR_BEHIND);

    if (up && !was) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "ilert kapacitor \"%V\": it answers, %ui topics are "
                      "compared", &rc->conf->name, seen->topics);

    } else if (!up && seen->state != rc->seen.state) {
        error.data = seen->error;
        error.len = seen->error_len;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "ilert kapacitor \"%V\": it cannot be asked: %V",
                      &rc->conf->name, &error);
    }

    rc->seen = *seen;

    ngx_http_ilert_counters_set_poll(rc->conf, seen);

    ngx_add_timer(&rc->timer, rc->conf->interval);

    poll->rc = NULL;

    if (poll->pending == 0) {
        ngx_http_ilert_reconcile_destroy(poll);
    }
}

#endif
