
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_digest.h"
#include "ngx_http_ilert_store_work.h"


/* Makes the events of digests, and decides which alerts they stand for. */


ngx_int_t
ngx_http_ilert_digest_accepted(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_digest_opens(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_digest_fate_e *fate)
{
    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_digest_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_digest_is_key(ngx_str_t *key)
{
    static ngx_str_t  prefix = ngx_string("ilert-digest:");

    return key->len >= prefix.len
           && ngx_memcmp(key->data, prefix.data, prefix.len) == 0;
}
