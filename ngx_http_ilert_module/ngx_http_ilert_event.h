
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENT_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"


/*
 * What a webhook is to ilert: the event of "POST /api/events", valid by
 * ilert's schema whatever the webhook holds.  Pure: no request, no I/O.
 */


/* an event of 4k has room for its members at their shortest */

#define NGX_HTTP_ILERT_EVENT_MIN_SIZE  4096


typedef enum {
    NGX_HTTP_ILERT_ALERT = 0,
    NGX_HTTP_ILERT_RESOLVE,
    NGX_HTTP_ILERT_ACCEPT,
    NGX_HTTP_ILERT_COMMENT
} ngx_http_ilert_type_e;


/* names of the types, by ngx_http_ilert_type_e */

extern ngx_str_t  ngx_http_ilert_types[];


typedef struct ngx_http_ilert_source_s  ngx_http_ilert_source_t;
typedef struct ngx_http_ilert_event_s   ngx_http_ilert_event_t;


struct ngx_http_ilert_event_s {
    ngx_http_ilert_source_t    *source;
    ngx_http_ilert_type_e       type;
    ngx_str_t                   alert_key;
    ngx_str_t                   id;         /* decimal; set by queue.c */

    /*
     * a JSON object without the integration key, which is added when the
     * event leaves; or, for a native source, Kapacitor's body as it came
     */
    ngx_str_t                   body;
};


/*
 * Sets the type and the alert key: what every source needs for order and
 * logs.  Returns NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED
 * with "error" set if there is nothing to make an alert key of.
 */
ngx_int_t ngx_http_ilert_event_init(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *error, ngx_pool_t *pool);


/*
 * Sets the body, of at most max_size bytes (NGX_HTTP_ILERT_EVENT_MIN_SIZE
 * or more): what does not fit is left out, first rows, then fields, then
 * ends of texts, and customDetails.truncated says so.  Strings are copied,
 * the webhook is not needed any longer.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_event_map(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, size_t max_size, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_EVENT_H_INCLUDED_ */
