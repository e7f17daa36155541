
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"


void
ngx_http_ilert_counters_set_clash(ngx_http_ilert_counters_t *counters,
    ngx_str_t *source, ngx_str_t *key, ngx_str_t *task, ngx_str_t *other)
{
    int64_t                           now;
    ngx_http_ilert_counters_clash_t  *clash;

    now = ngx_http_ilert_clock_now();
    clash = &counters->clash;

    ngx_shmtx_lock(&counters->shpool->mutex);

    clash->time = now;

    ngx_http_ilert_counters_set_text(&clash->source, source);
    ngx_http_ilert_counters_set_text(&clash->key, key);
    ngx_http_ilert_counters_set_text(&clash->tasks[0], other);
    ngx_http_ilert_counters_set_text(&clash->tasks[1], task);

    ngx_shmtx_unlock(&counters->shpool->mutex);
}


void
ngx_http_ilert_counters_get_clash(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_clash_t *clash)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    *clash = counters->clash;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}
