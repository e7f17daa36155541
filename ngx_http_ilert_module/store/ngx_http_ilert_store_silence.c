
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_work.h"


/* Knows the silences, and which alerts they hold for. */


ngx_int_t
ngx_http_ilert_silence_holds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said,
    ngx_uint_t *hold, int64_t *until)
{
    return NGX_OK;
}
