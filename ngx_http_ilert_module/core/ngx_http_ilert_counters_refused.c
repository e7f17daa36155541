
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


/* statuses that are shown from the beginning, with a 0 at the end */

static ngx_uint_t  ngx_http_ilert_counters_usual[] = {
    NGX_HTTP_BAD_REQUEST,
    NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
    422,
    NGX_HTTP_BAD_GATEWAY,
    NGX_HTTP_SERVICE_UNAVAILABLE,
    NGX_HTTP_GATEWAY_TIME_OUT,
    0
};


void
ngx_http_ilert_counters_init_refused(ngx_http_ilert_counters_code_t *refused)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_ilert_counters_usual[i]; i++) {
        refused[i].code = ngx_http_ilert_counters_usual[i];
    }
}


ngx_uint_t
ngx_http_ilert_counters_add_code(ngx_http_ilert_counters_code_t *codes,
    ngx_uint_t n, ngx_uint_t code)
{
    ngx_uint_t                       i;
    ngx_http_ilert_counters_code_t  *sc;

    for (i = 0; i < n; i++) {
        sc = &codes[i];

        /* another worker may take a free place, for the same code or not */

        if (sc->code == code || ngx_atomic_cmp_set(&sc->code, 0, code)
            || sc->code == code)
        {
            ngx_http_ilert_counters_add(sc->n, 1);
            return 1;
        }
    }

    return 0;
}


void
ngx_http_ilert_counters_refused(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_source_t *source, ngx_uint_t status)
{
    ngx_uint_t                       n, other;
    ngx_http_ilert_counters_code_t  *refused, *code;

    refused = source ? source->counters->refused : counters->refused;

    ngx_http_ilert_history_add(counters->history,
                               NGX_HTTP_ILERT_HISTORY_REFUSED,
                               ngx_http_ilert_clock_now());

    /* The last two places are for statuses without a place of their own. */

    n = NGX_HTTP_ILERT_COUNTERS_REFUSED - 2;

    if (ngx_http_ilert_counters_add_code(refused, n, status)) {
        return;
    }

    if (ngx_http_ilert_counters_unavailable(status)) {
        other = NGX_HTTP_ILERT_COUNTERS_OTHER_UNAVAILABLE;
        code = &refused[n + 1];

    } else {
        other = NGX_HTTP_ILERT_COUNTERS_OTHER_REJECTED;
        code = &refused[n];
    }

    code->code = other;
    ngx_http_ilert_counters_add(code->n, 1);
}


ngx_uint_t
ngx_http_ilert_counters_unavailable(ngx_uint_t code)
{
    return code >= NGX_HTTP_INTERNAL_SERVER_ERROR
           || code == NGX_HTTP_ILERT_COUNTERS_OTHER_UNAVAILABLE;
}


void
ngx_http_ilert_counters_set_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    counters->refusal = *refusal;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}


void
ngx_http_ilert_counters_get_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal)
{
    ngx_shmtx_lock(&counters->shpool->mutex);
    *refusal = counters->refusal;
    ngx_shmtx_unlock(&counters->shpool->mutex);
}
