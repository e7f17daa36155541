
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONF_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_rules.h"


/*
 * Types of the configuration, and of a request's context: every part may
 * include them, and they know no part.  What a part keeps of a source, of an
 * endpoint, or of a key is behind a pointer to a type that is only named here;
 * that part makes it, in a worker or in shared memory, and has it to itself.
 *
 * All of it is made by conf/ while the configuration is read, lives as long as
 * the cycle, and does not change afterwards but by those pointers.
 */


#define NGX_HTTP_ILERT_VERSION  "0.2.0"


/* the courier's, of a worker; NULL without a queue */

typedef struct ngx_http_ilert_courier_key_s  ngx_http_ilert_courier_key_t;
typedef struct ngx_http_ilert_courier_source_s
    ngx_http_ilert_courier_source_t;
typedef struct ngx_http_ilert_courier_endpoint_s
    ngx_http_ilert_courier_endpoint_t;

/* the counters', in shared memory */

typedef struct ngx_http_ilert_counters_s  ngx_http_ilert_counters_t;
typedef struct ngx_http_ilert_counters_source_s
    ngx_http_ilert_counters_source_t;
typedef struct ngx_http_ilert_counters_endpoint_s
    ngx_http_ilert_counters_endpoint_t;

/* of send/ */

typedef struct ngx_http_ilert_request_s  ngx_http_ilert_request_t;


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

    ngx_http_ilert_courier_key_t  *courier;
} ngx_http_ilert_key_t;


/* "host=": what the requests through a location are for */

typedef struct {
    ngx_str_t                    header;    /* Host: as given, with the port */
    ngx_str_t                    name;      /* without, in lower case */
} ngx_http_ilert_host_t;


/* a location with "ilert_endpoint": events leave through it */

struct ngx_http_ilert_endpoint_s {
    ngx_str_t                    name;
    ngx_http_ilert_rate_t        rate;
    ngx_http_ilert_host_t        host;
    ngx_str_t                    prefix;    /* the location's, ends in "/" */
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location */

    u_char                      *file_name;
    ngx_uint_t                   line;

    ngx_http_ilert_courier_endpoint_t   *courier;
    ngx_http_ilert_counters_endpoint_t  *counters;
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
    ngx_uint_t                   passthrough;

    ngx_str_t                    endpoint_name;
    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_str_t                    path;      /* below the endpoint */
    ngx_str_t                    uri;       /* the endpoint's prefix, path */
    ngx_str_t                    open;      /* {"integrationKey":"KEY", */
    ngx_http_ilert_key_t        *shared;

    /* with a queue */
    ngx_http_ilert_rate_t        rate;      /* as given, see "shared" */
    ngx_http_ilert_policy_t      policy;
    ngx_uint_t                   given;     /* bits: which of the directives */
                                            /* of "ilert_source", by conf/ */

    u_char                      *file_name;
    ngx_uint_t                   line;

    unsigned                     heartbeat:1;   /* none: GET, and no event */
    unsigned                     quiet:1;   /* of this worker: nginx says no */
                                            /* more of it */
    ngx_http_ilert_courier_source_t   *courier;
    ngx_http_ilert_counters_source_t  *counters;
};


/* "ilert_queue" */

typedef struct {
    ngx_str_t                    path;      /* of the folder, with a zero at */
                                            /* its end; NULL: not given */
    off_t                        max_size;
    ngx_shm_zone_t              *shm_zone;
} ngx_http_ilert_queue_conf_t;


/* "ilert_heartbeat" */

typedef struct {
    ngx_http_ilert_source_t     *source;    /* its key, its endpoint, and a */
                                            /* name for logs; NULL: off */
    ngx_msec_t                   interval;

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_heartbeat_conf_t;


/*
 * "ilert_summary" and the like.  The index of "directives" is
 * a ngx_http_ilert_mapping_e.  A directive with one value is an
 * ngx_http_complex_value_t.  A directive that may be given many times is an
 * ngx_array_t; each of its elements is an array of NGX_HTTP_ILERT_ITEM_VALUES
 * complex values.  A directive is NULL if it is not given at this level or
 * above.
 */

typedef struct {
    void                        *directives[NGX_HTTP_ILERT_MAPPING_N];

    /*
     * when the last warning was logged, in seconds; shared by the workers.
     * The index is a ngx_http_ilert_warning_e.
     */
    ngx_atomic_t                *warned;
} ngx_http_ilert_mapping_conf_t;


/* warnings of a location, each of which is logged once in a while only */

typedef enum {
    NGX_HTTP_ILERT_WARNING_VALUE = 0,       /* ilert does not allow it */
    NGX_HTTP_ILERT_WARNING_WEBHOOK,         /* it is odd, and taken */

    NGX_HTTP_ILERT_WARNING_N
} ngx_http_ilert_warning_e;


/*
 * The limit on log lines "webhook refused" of a location, or of all requests
 * that came to no location.  The workers share it.
 */

typedef struct {
    ngx_atomic_t                 time;      /* of the last line, in seconds */
    ngx_atomic_t                 more;      /* webhooks since then that were */
                                            /* not logged */
    ngx_atomic_t                 alerted;   /* of the last event, by */
                                            /* "ilert_unreadable"; seconds */
} ngx_http_ilert_refuse_limit_t;


/* "ilert_unreadable" */

typedef enum {
    NGX_HTTP_ILERT_UNREADABLE_REJECT = 0,
    NGX_HTTP_ILERT_UNREADABLE_ALERT
} ngx_http_ilert_unreadable_e;


/* "ilert_status" */

typedef enum {
    NGX_HTTP_ILERT_STATUS_OFF = 0,
    NGX_HTTP_ILERT_STATUS_JSON,
    NGX_HTTP_ILERT_STATUS_PROMETHEUS,
    NGX_HTTP_ILERT_STATUS_HTML
} ngx_http_ilert_format_e;


/* a set-up that is probably not meant, and what is wrong with it */

typedef struct {
    ngx_str_t                    check;     /* its name */
    ngx_str_t                    text;
} ngx_http_ilert_setup_t;


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
    ngx_array_t                  setup;     /* ngx_http_ilert_setup_t */
    ngx_http_ilert_queue_conf_t  queue;
    ngx_http_ilert_heartbeat_conf_t  heartbeat;
    ngx_http_ilert_refuse_limit_t  *refuse_limit;   /* without a location; */
                                            /* NULL: no webhooks are */
                                            /* configured */
    ngx_http_ilert_counters_t   *counters;
    ngx_uint_t                   cycle;     /* its number, by counters.c */
} ngx_http_ilert_main_conf_t;


typedef struct {
    ngx_str_t                    control;   /* location of "ilert_control" */
    ngx_array_t                  names;     /* ngx_http_server_name_t, with */
                                            /* "ilert_control" only */
    unsigned                     webhooks:1;    /* has "ilert_kapacitor" */
    unsigned                     near:1;    /* or is the default server of */
                                            /* an address where one has it */
} ngx_http_ilert_srv_conf_t;


typedef struct {
    ngx_http_complex_value_t    *kapacitor; /* "ilert_kapacitor", as given */
    ngx_http_ilert_source_t     *source;    /* if that is a name */
    unsigned                     off:1;     /* if that is "off" */
    unsigned                     send_test:1;   /* "test=send" */
    ngx_flag_t                   dry_run;   /* "ilert_dry_run" */
    ngx_http_core_loc_conf_t    *clcf;      /* whose handler is ours */
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location, with */
                                            /* "ilert_kapacitor" only */

    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_uint_t                   status;    /* ngx_http_ilert_format_e */
    ngx_str_t                    control;   /* this location's prefix */

    off_t                        max_body_size;
    off_t                        event_max_size;
    ngx_uint_t                   unreadable;    /* .._unreadable_e */
    ngx_http_ilert_mapping_conf_t  mapping;
    ngx_http_ilert_refuse_limit_t  *refuse_limit;

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_loc_conf_t;


/*
 * Of a webhook's request: body, webhook, event and result, as far as they have
 * come about.  Of a request to ilert, its main one: delivery.
 */

typedef struct {
    ngx_str_t                    body;      /* as received */
    ngx_http_ilert_webhook_t    *webhook;
    ngx_http_ilert_event_t      *event;
    ngx_str_t                    result;    /* $ilert_result */
    unsigned                     answered:1;    /* by us, not by nginx */

    ngx_http_ilert_request_t    *delivery;
} ngx_http_ilert_ctx_t;


/* the source, or the endpoint, of that name, or NULL */
ngx_http_ilert_source_t *ngx_http_ilert_find_source(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);
ngx_http_ilert_endpoint_t *ngx_http_ilert_find_endpoint(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);


/*
 * nginx's handle of the module, by which configurations and contexts are
 * found; it is defined in conf/, and nothing else of that is used below
 */

extern ngx_module_t  ngx_http_ilert_module;


#endif /* _NGX_HTTP_ILERT_CONF_H_INCLUDED_ */
