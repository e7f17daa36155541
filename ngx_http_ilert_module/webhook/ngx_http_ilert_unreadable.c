
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_unreadable.h"


/*
 * seconds: the least time between two such events of a location.  They are
 * urgent, and a source whose "coalesce" is off sends each of them.
 */

#define NGX_HTTP_ILERT_UNREADABLE_PERIOD  10


static ngx_int_t ngx_http_ilert_unreadable_submit(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal, ngx_pool_t *pool);
static void ngx_http_ilert_unreadable_done(ngx_http_ilert_answer_t *answer,
    void *data);


void
ngx_http_ilert_unreadable(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal)
{
    ngx_pool_t  *pool;

    if (refusal->ilcf == NULL
        || refusal->ilcf->unreadable != NGX_HTTP_ILERT_UNREADABLE_ALERT
        || refusal->source == NULL || refusal->body.len == 0
        || r->method != NGX_HTTP_POST
        || refusal->status < NGX_HTTP_BAD_REQUEST
        || refusal->status >= NGX_HTTP_INTERNAL_SERVER_ERROR
        || !ngx_http_ilert_counters_due(&refusal->ilcf->refuse_limit->alerted,
                                        NGX_HTTP_ILERT_UNREADABLE_PERIOD))
    {
        return;
    }

    /* The event may outlive the request. */

    pool = ngx_create_pool(4096, ngx_cycle->log);

    if (pool && ngx_http_ilert_unreadable_submit(r, refusal, pool) != NGX_OK) {
        ngx_destroy_pool(pool);
    }
}


static ngx_int_t
ngx_http_ilert_unreadable_submit(ngx_http_request_t *r,
    ngx_http_ilert_refusal_t *refusal, ngx_pool_t *pool)
{
    ngx_http_ilert_event_t       *ev;
    ngx_http_core_srv_conf_t     *cscf;
    ngx_http_ilert_unreadable_t   un;

    ev = ngx_pcalloc(pool, sizeof(ngx_http_ilert_event_t));
    if (ev == NULL) {
        return NGX_ERROR;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    un.server = cscf->server_name.len ? cscf->server_name
                                      : ngx_cycle->hostname;
    un.location = refusal->location;
    un.address = refusal->address;
    un.error = refusal->error;
    un.status = refusal->status;
    un.body = refusal->body;

    ev->source = refusal->source;

    if (ngx_http_ilert_event_set_id(ev, ngx_http_ilert_clock_number(), pool)
        != NGX_OK
        || ngx_http_ilert_event_unreadable(ev, &un,
                                           refusal->source->passthrough,
                                           ngx_time(), pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ev->ilert_type = ev->type;
    ev->ilert_key = ev->alert_key;

    return ngx_http_ilert_queue_submit(ev, NULL,
                                       ngx_http_ilert_unreadable_done, pool,
                                       pool);
}


/* An event that was not delivered has been logged by whoever tried. */

static void
ngx_http_ilert_unreadable_done(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_pool_t *pool = data;

    ngx_destroy_pool(pool);
}
