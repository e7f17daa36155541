
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONF_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_courier.h"
#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_request.h"
#include "ngx_http_ilert_counters.h"


/*
 * What is configured, and what a request of ours carries.  An event's way is
 * handler, kapacitor, event, queue, request: see docs/design.md.
 */


#define NGX_HTTP_ILERT_VERSION  "0.2.0"


/* requests in any window of time */

typedef struct {
    ngx_uint_t                   n;         /* 0: any number */
    ngx_msec_t                   window;
} ngx_http_ilert_rate_t;


/* an integration key, which sources may share */

typedef struct {
    ngx_str_t                    key;
    ngx_str_t                    name;      /* of its budget: "key=" and */
                                            /* a digest, no endpoint's name */
    ngx_http_ilert_rate_t        rate;
    ngx_http_ilert_source_t     *source;    /* whose "rate" that is, or NULL */

    ngx_http_ilert_courier_key_t  courier;
} ngx_http_ilert_key_t;


/* a location with "ilert_endpoint": events leave through it */

struct ngx_http_ilert_endpoint_s {
    ngx_str_t                    name;
    ngx_http_ilert_rate_t        rate;
    ngx_str_t                    prefix;    /* the location's, ends in "/" */
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location */

    u_char                      *file_name;
    ngx_uint_t                   line;

    ngx_http_ilert_courier_endpoint_t  courier;
    ngx_http_ilert_stats_endpoint_t  *stats;
};


/* an alert source */

struct ngx_http_ilert_source_s {
    ngx_str_t                    name;

    /*
     * the integration key, or what follows the last "/" of the webhook URL:
     * in no message, log or answer
     */
    ngx_str_t                    key;

    /* a source of ilert's type Kapacitor: bodies go on unchanged */
    ngx_uint_t                   native;

    ngx_str_t                    endpoint_name;
    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_str_t                    path;      /* below the endpoint */
    ngx_str_t                    uri;       /* the endpoint's prefix, path */
    ngx_str_t                    open;      /* {"integrationKey":"KEY", */
    ngx_http_ilert_key_t        *shared;

    /* with a queue */
    ngx_http_ilert_rate_t        rate;      /* as given, see "shared" */
    ngx_uint_t                   concurrency;
    ngx_msec_t                   retry_first;
    ngx_msec_t                   retry_longest;
    ngx_msec_t                   max_age;   /* 0: off */
    ngx_uint_t                   coalesce;  /* ngx_http_ilert_coalesce_e */
    ngx_msec_t                   repeat;
    ngx_msec_t                   resolve_after;     /* 0: off */

    u_char                      *file_name;
    ngx_uint_t                   line;

    unsigned                     heartbeat:1;   /* none: GET, and no event */
    unsigned                     quiet:1;   /* of this worker: nginx says no */
                                            /* more of it */
    ngx_http_ilert_courier_source_t  courier;
    ngx_http_ilert_stats_source_t  *stats;
};


/* a directive that takes the requests of its location */

typedef struct {
    ngx_str_t                    name;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_handler_pt          handler;

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_handler_t;


typedef struct {
    ngx_array_t                  sources;   /* ngx_http_ilert_source_t * */
    ngx_array_t                  endpoints; /* ngx_http_ilert_endpoint_t * */
    ngx_array_t                  keys;      /* ngx_http_ilert_key_t * */
    ngx_array_t                  locations; /* ngx_http_ilert_loc_conf_t * */
    ngx_array_t                  handlers;  /* ngx_http_ilert_handler_t */
    ngx_http_ilert_queue_conf_t  queue;
    ngx_http_ilert_heartbeat_conf_t  heartbeat;
    ngx_http_ilert_stats_t      *stats;
    ngx_uint_t                   cycle;     /* its number, stats.c's */
} ngx_http_ilert_main_conf_t;


typedef struct {
    ngx_str_t                    control;   /* location of "ilert_control" */
    ngx_array_t                  names;     /* ngx_http_server_name_t, with */
                                            /* "ilert_control" only */
} ngx_http_ilert_srv_conf_t;


typedef struct {
    ngx_http_complex_value_t    *kapacitor; /* "ilert_kapacitor", as given */
    ngx_http_ilert_source_t     *source;    /* if that is a name */
    unsigned                     off:1;     /* if that is "off" */
    ngx_http_core_loc_conf_t    *clcf;      /* whose handler is ours */

    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_uint_t                   status;    /* ngx_http_ilert_format_e */
    ngx_str_t                    control;   /* this location's prefix */

    off_t                        max_body_size;
    off_t                        event_max_size;
    ngx_http_ilert_mapping_conf_t  mapping;

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_loc_conf_t;


/*
 * Of a webhook's request: webhook, event and result, as far as they have
 * come about.  Of a request to ilert, its main one: delivery.
 */

typedef struct {
    ngx_http_ilert_webhook_t    *webhook;
    ngx_http_ilert_event_t      *event;
    ngx_str_t                    result;    /* $ilert_result */

    ngx_http_ilert_request_t    *delivery;
} ngx_http_ilert_ctx_t;


/* the source of that name, or NULL */
ngx_http_ilert_source_t *ngx_http_ilert_find_source(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);


extern ngx_module_t  ngx_http_ilert_module;


#endif /* _NGX_HTTP_ILERT_CONF_H_INCLUDED_ */
