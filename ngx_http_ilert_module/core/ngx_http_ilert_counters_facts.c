
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_history.h"
#include "ngx_http_ilert_text.h"


/*
 * What is counted in two places.  Facts that are set as a whole, and read as
 * a whole: the trouble of the queue and numbers, what is known of each
 * Kapacitor, and of the time in which nginx did not run.
 */


void
ngx_http_ilert_counters_accepted(ngx_http_ilert_counters_source_t *ss)
{
    ngx_http_ilert_counters_add(ss->accepted, 1);
    ngx_http_ilert_history_add(ss->node.counters->history,
                               NGX_HTTP_ILERT_HISTORY_ACCEPTED,
                               ngx_http_ilert_clock_now());
}


void
ngx_http_ilert_counters_set_trouble(ngx_http_ilert_counters_t *counters,
    ngx_uint_t trouble, ngx_str_t *error)
{
    size_t  len;

    len = error ? ngx_http_ilert_text_cut(error, sizeof(counters->error)) : 0;

    ngx_shmtx_lock(&counters->shpool->mutex);

    counters->trouble = trouble;
    counters->error_len = 0;

    if (len) {
        ngx_memcpy(counters->error, error->data, len);
        counters->error_len = len;
    }

    ngx_shmtx_unlock(&counters->shpool->mutex);
}


ngx_uint_t
ngx_http_ilert_counters_get_trouble(ngx_http_ilert_counters_t *counters,
    ngx_str_t *error, ngx_pool_t *pool)
{
    u_char      buf[NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE];
    ngx_str_t   text;
    ngx_uint_t  trouble;

    text.data = buf;

    ngx_shmtx_lock(&counters->shpool->mutex);

    trouble = counters->trouble;
    text.len = counters->error_len;
    ngx_memcpy(buf, counters->error, text.len);

    ngx_shmtx_unlock(&counters->shpool->mutex);

    error->data = ngx_pstrdup(pool, &text);
    error->len = error->data ? text.len : 0;

    return trouble;
}


void
ngx_http_ilert_counters_set(ngx_http_ilert_counters_t *counters,
    int64_t *number, int64_t value)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    *number = value;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}


int64_t
ngx_http_ilert_counters_get(ngx_http_ilert_counters_t *counters,
    int64_t *number)
{
    int64_t  value;

    ngx_shmtx_lock(&counters->shpool->mutex);
    value = *number;
    ngx_shmtx_unlock(&counters->shpool->mutex);

    return value;
}


void
ngx_http_ilert_counters_set_poll(ngx_http_ilert_kapacitor_t *kapacitor,
    ngx_http_ilert_counters_poll_t *poll)
{
    ngx_shmtx_t                          *mutex;
    ngx_http_ilert_counters_kapacitor_t  *sk;

    sk = kapacitor->counters;
    mutex = &sk->node.counters->shpool->mutex;

    ngx_shmtx_lock(mutex);
    sk->poll = *poll;
    ngx_shmtx_unlock(mutex);
}


void
ngx_http_ilert_counters_get_poll(ngx_http_ilert_kapacitor_t *kapacitor,
    ngx_http_ilert_counters_poll_t *poll)
{
    ngx_shmtx_t                          *mutex;
    ngx_http_ilert_counters_kapacitor_t  *sk;

    sk = kapacitor->counters;
    mutex = &sk->node.counters->shpool->mutex;

    ngx_shmtx_lock(mutex);
    *poll = sk->poll;
    ngx_shmtx_unlock(mutex);
}


void
ngx_http_ilert_counters_set_away(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_away_t *away)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    counters->away = *away;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}


void
ngx_http_ilert_counters_get_away(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_away_t *away)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    *away = counters->away;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}


void
ngx_http_ilert_counters_set_fallback(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_fallback_t *fallback)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    counters->fallback = *fallback;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}


void
ngx_http_ilert_counters_get_fallback(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_fallback_t *fallback)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    *fallback = counters->fallback;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}
