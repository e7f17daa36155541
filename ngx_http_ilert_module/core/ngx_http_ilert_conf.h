
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_CONF_H_INCLUDED_
#define _NGX_HTTP_ILERT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_posted.h"
#include "ngx_http_ilert_rules.h"


/*
 * Types of the configuration, and the context of a request.  Every part may
 * include this file, and it includes no part above event/.
 *
 * If a part keeps something of each source, endpoint, or key, there is
 * a pointer to it here, to a type that is only named here.  The part allocates
 * it, in the worker or in shared memory, and defines the type in its header.
 *
 * Everything else is set while the configuration is read, lives as long as the
 * cycle, and does not change, but for "quiet" and "refused".
 */


#define NGX_HTTP_ILERT_VERSION  "0.2.0"


/* what the courier keeps, in a worker; NULL without a queue */

typedef struct ngx_http_ilert_courier_key_s  ngx_http_ilert_courier_key_t;
typedef struct ngx_http_ilert_courier_source_s
    ngx_http_ilert_courier_source_t;
typedef struct ngx_http_ilert_courier_endpoint_s
    ngx_http_ilert_courier_endpoint_t;

/* what is counted, in shared memory; readers and writers use counters.h */

typedef struct ngx_http_ilert_counters_s  ngx_http_ilert_counters_t;
typedef struct ngx_http_ilert_counters_source_s
    ngx_http_ilert_counters_source_t;
typedef struct ngx_http_ilert_counters_endpoint_s
    ngx_http_ilert_counters_endpoint_t;
typedef struct ngx_http_ilert_counters_kapacitor_s
    ngx_http_ilert_counters_kapacitor_t;

/* a request of ours, without a client: to ilert, or another one; see send/ */

typedef struct ngx_http_ilert_client_s  ngx_http_ilert_client_t;
typedef struct ngx_http_ilert_request_s  ngx_http_ilert_request_t;
typedef struct ngx_http_ilert_call_s  ngx_http_ilert_call_t;


/* a rate: how many requests may be made in any window of time */

typedef struct {
    ngx_uint_t                   n;         /* 0: any number */
    ngx_uint_t                   reserve;   /* of these, requests that are */
                                            /* left for what is urgent */
    ngx_msec_t                   window;    /* ms */
} ngx_http_ilert_rate_t;


/* an integration key, which sources may share */

typedef struct {
    ngx_str_t                    key;
    ngx_str_t                    name;      /* of its budget: "key=" and */
                                            /* a digest, which cannot be the */
                                            /* name of an endpoint */
    ngx_http_ilert_rate_t        rate;
    ngx_http_ilert_source_t     *source;    /* in which "rate" is given, or */
                                            /* NULL */

    ngx_http_ilert_courier_key_t  *courier;
} ngx_http_ilert_key_t;


/* "host=" of an endpoint */

typedef struct {
    ngx_str_t                    header;    /* value of Host, as given, with */
                                            /* the port */
    ngx_str_t                    name;      /* without the port, in lower */
                                            /* case */
} ngx_http_ilert_host_t;


/* an endpoint: a location with "ilert_endpoint" */

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


/* a source: an "ilert_source", or what "ilert_heartbeat" is sent with */

struct ngx_http_ilert_source_s {
    ngx_str_t                    name;

    /*
     * The integration key, or the key at the end of the webhook URL.  It must
     * be in no message, log, or answer.
     */
    ngx_str_t                    key;

    /* 1: it has a webhook URL, and Kapacitor's bodies go on unchanged */
    ngx_uint_t                   passthrough;

    ngx_str_t                    endpoint_name;
    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_str_t                    path;      /* below the endpoint's prefix */
    ngx_str_t                    uri;       /* the prefix and the path */
    ngx_str_t                    open;      /* beginning of each body, with */
                                            /* a comma at its end: */
                                            /* {"integrationKey":"KEY", */
    ngx_http_ilert_key_t        *shared;    /* with sources of the same key */

    /* these are used with a queue only */
    ngx_http_ilert_rate_t        rate;      /* as given here; what counts is */
                                            /* shared->rate */
    ngx_http_ilert_policy_t      policy;
    ngx_uint_t                   given;     /* bits, by conf/: directives in */
                                            /* this "ilert_source" */

    u_char                      *file_name;
    ngx_uint_t                   line;

    unsigned                     heartbeat:1;   /* it is "ilert_heartbeat": */
                                            /* its requests are a GET, */
                                            /* without an event */
    unsigned                     quiet:1;   /* set by the courier: its fault */
                                            /* was logged, and nginx's lines */
                                            /* about it are left out */
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
    unsigned                     kapacitor:1;   /* "kapacitor=on": no ping */
                                            /* while one of them is down */

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
     * When each warning was logged last: seconds, wall clock, shared by the
     * workers.  The index is a ngx_http_ilert_warning_e.
     */
    ngx_atomic_t                *warned;
} ngx_http_ilert_mapping_conf_t;


/* warnings of a location; how often each is logged is limited */

typedef enum {
    NGX_HTTP_ILERT_WARNING_VALUE = 0,       /* ilert does not allow a value */
    NGX_HTTP_ILERT_WARNING_WEBHOOK,         /* a webhook is odd, but taken */

    NGX_HTTP_ILERT_WARNING_N
} ngx_http_ilert_warning_e;


/*
 * What limits lines and events about refused webhooks of a location, or of all
 * requests that came to no location.  The workers share it.  Times are in
 * seconds, wall clock, 0: never.
 */

typedef struct {
    ngx_atomic_t                 time;      /* of the last line */
    ngx_atomic_t                 more;      /* webhooks since then that were */
                                            /* not logged */
    ngx_atomic_t                 alerted;   /* time of the last event by */
                                            /* "ilert_unreadable" */
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


/* what a check of the set-up has found */

typedef struct {
    ngx_str_t                    check;     /* name of the check */
    ngx_str_t                    text;      /* what is wrong */
} ngx_http_ilert_setup_t;


/* an element of "topics=" */

typedef struct {
    ngx_str_t                    text;      /* "*" stands for any characters */
    unsigned                     wild:1;    /* it has a "*" */
} ngx_http_ilert_pattern_t;


/* a Kapacitor that is asked: a location with "ilert_reconcile" */

typedef struct ngx_http_ilert_loc_conf_s  ngx_http_ilert_loc_conf_t;

typedef struct {
    ngx_str_t                    name;      /* the location's path, by which */
                                            /* people know it; ends in "/" */
    ngx_http_ilert_host_t        host;
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location */

    ngx_str_t                    uri;       /* where webhooks are posted to */
    ngx_str_t                    args;
    ngx_http_ilert_loc_conf_t   *target;    /* the location of "uri" */
    ngx_str_t                    place;     /* and its name */

    ngx_array_t                  topics;    /* ngx_http_ilert_pattern_t; */
                                            /* none: all topics */
    ngx_msec_t                   interval;
    unsigned                     watch:1;   /* "mode=watch" */
    unsigned                     refused:1; /* set by repair.c: the last */
                                            /* repair was; this is logged */

    u_char                      *file_name;
    ngx_uint_t                   line;

    ngx_http_ilert_counters_kapacitor_t  *counters;
} ngx_http_ilert_kapacitor_t;


/* another way out: a location with "ilert_fallback" */

typedef struct {
    ngx_str_t                    name;      /* the location's path */
    ngx_http_ilert_host_t        host;
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location */
    ngx_http_complex_value_t    *body;      /* NULL: the default */
    int64_t                      after;     /* ms */
    int64_t                      every;     /* ms */

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_fallback_conf_t;


/* a directive that sets the content handler of its location */

typedef struct {
    ngx_str_t                    name;      /* of the directive */
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_handler_pt          handler;

    u_char                      *file_name;
    ngx_uint_t                   line;
} ngx_http_ilert_handler_t;


typedef struct {
    ngx_array_t                  sources;   /* ngx_http_ilert_source_t * */
    ngx_array_t                  endpoints; /* ngx_http_ilert_endpoint_t * */
    ngx_array_t                  keys;      /* ngx_http_ilert_key_t * */
    ngx_array_t                  kapacitors;
                                            /* ngx_http_ilert_kapacitor_t * */
    ngx_array_t                  locations; /* ngx_http_ilert_loc_conf_t * */
    ngx_array_t                  handlers;  /* ngx_http_ilert_handler_t */
    ngx_array_t                  setup;     /* ngx_http_ilert_setup_t */
    ngx_http_ilert_queue_conf_t  queue;
    ngx_http_ilert_heartbeat_conf_t  heartbeat;
    ngx_http_ilert_fallback_conf_t  *fallback;      /* NULL: there is none */
    ngx_http_ilert_refuse_limit_t  *refuse_limit;   /* of requests without */
                                            /* a location; NULL: there is no */
                                            /* "ilert_kapacitor", and no */
                                            /* "ilert_events" */
    ngx_http_ilert_counters_t   *counters;
    ngx_uint_t                   cycle;     /* number that counters.c has */
                                            /* given to this cycle */
} ngx_http_ilert_main_conf_t;


typedef struct {
    ngx_str_t                    control;   /* location of "ilert_control" */
    ngx_array_t                  names;     /* ngx_http_server_name_t, with */
                                            /* "ilert_control" and */
                                            /* "ilert_kapacitor" only */
    unsigned                     webhooks:1;    /* it has "ilert_kapacitor" */
                                            /* or "ilert_events" */
    unsigned                     near:1;    /* it has, or it is the default */
                                            /* server of an address at which */
                                            /* another server has */
} ngx_http_ilert_srv_conf_t;


struct ngx_http_ilert_loc_conf_s {
    ngx_http_complex_value_t    *route;     /* of "ilert_kapacitor", or of */
                                            /* "ilert_events", as given */
    ngx_str_t                   *directive; /* its name */
    unsigned                     events:1;  /* it is "ilert_events" */
    unsigned                     by_key:1;  /* and its value is "key" */
    ngx_http_ilert_source_t     *source;    /* if that is a constant name */
    unsigned                     off:1;     /* if that is "off" */
    unsigned                     send_test:1;   /* "test=send" */
    ngx_flag_t                   dry_run;   /* "ilert_dry_run" */
    ngx_http_core_loc_conf_t    *clcf;      /* of this location, in which */
                                            /* the content handler is ours */
    ngx_http_conf_ctx_t         *conf_ctx;  /* of the location, with one */
                                            /* of these directives only */

    ngx_http_ilert_kapacitor_t  *reconcile; /* "ilert_reconcile" */
    unsigned                     reconciled:1;  /* it is the target of one */

    ngx_http_ilert_fallback_conf_t  *fallback;  /* "ilert_fallback" */
    ngx_http_complex_value_t    *fallback_body;

    ngx_http_ilert_endpoint_t   *endpoint;
    ngx_uint_t                   status;    /* ngx_http_ilert_format_e */
    ngx_str_t                    control;   /* this location's prefix */

    off_t                        max_body_size;
    off_t                        event_max_size;
    ngx_uint_t                   unreadable;    /* ilert_unreadable_e */
    ngx_http_ilert_mapping_conf_t  mapping;
    ngx_http_ilert_refuse_limit_t  *refuse_limit;

    u_char                      *file_name;
    ngx_uint_t                   line;
};


/*
 * The context of a request, for one of two kinds.  All it points to is
 * allocated from the request's pool, or lives as long as the request.
 */

typedef struct {

    /* the request of a webhook; what has not been made yet is NULL */
    ngx_str_t                    body;      /* as received */
    ngx_http_ilert_webhook_t    *webhook;
    ngx_http_ilert_posted_t     *posted;    /* with "ilert_events" */
    ngx_http_ilert_event_t      *event;     /* also of a request to ilert */
    ngx_str_t                    result;    /* $ilert_result */
    unsigned                     answered:1;    /* by us, not by nginx */

    /* the main request of a request without a client, else NULL */
    ngx_http_ilert_client_t     *client;

    /* the main request of a request to ilert, else NULL */
    ngx_http_ilert_request_t    *delivery;

    /* the main request of a call, see send/ngx_http_ilert_call.h, else NULL */
    ngx_http_ilert_call_t       *call;
} ngx_http_ilert_ctx_t;


/* Return the source, or the endpoint, of that name, or NULL. */
ngx_http_ilert_source_t *ngx_http_ilert_find_source(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);
ngx_http_ilert_endpoint_t *ngx_http_ilert_find_endpoint(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);


/*
 * The module, by which nginx finds configurations and contexts.  It is defined
 * in conf/, and is the only thing of conf/ that other folders use.
 */

extern ngx_module_t  ngx_http_ilert_module;


#endif /* _NGX_HTTP_ILERT_CONF_H_INCLUDED_ */
