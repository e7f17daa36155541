
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_body.h"
#include "ngx_http_ilert_checks.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_connections.h"
#include "ngx_http_ilert_control.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_courier.h"
#include "ngx_http_ilert_events.h"
#include "ngx_http_ilert_fallback_conf.h"
#include "ngx_http_ilert_heartbeat.h"
#include "ngx_http_ilert_hooks.h"
#include "ngx_http_ilert_location.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_queue_masters.h"
#include "ngx_http_ilert_queue_zone.h"
#include "ngx_http_ilert_reconcile_conf.h"
#include "ngx_http_ilert_refuse.h"
#include "ngx_http_ilert_resolve.h"
#include "ngx_http_ilert_site.h"
#include "ngx_http_ilert_source.h"
#include "ngx_http_ilert_status.h"
#include "ngx_http_ilert_unseen.h"
#include "ngx_http_ilert_variables.h"
#include "ngx_http_ilert_webhook.h"


/*
 * bytes: the least value of "max_size", which leaves room for some events
 * beside the pages that SQLite always needs
 */

#define NGX_HTTP_ILERT_MIN_QUEUE_SIZE  (1024 * 1024)


#define ngx_http_ilert_mapping_offset(i)                                      \
    (offsetof(ngx_http_ilert_loc_conf_t, mapping.directives)                  \
     + (i) * sizeof(void *))


static void *ngx_http_ilert_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_ilert_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_ilert_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_ilert_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_ilert_queue_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_ilert_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_ilert_init_process(ngx_cycle_t *cycle);
static void ngx_http_ilert_exit_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_ilert_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_ilert_postconfiguration(ngx_conf_t *cf);


/* bytes: the least value of "ilert_event_max_size" */

static off_t  ngx_http_ilert_event_min_size = NGX_HTTP_ILERT_EVENT_MIN_SIZE;


static ngx_command_t  ngx_http_ilert_commands[] = {

    { ngx_string("ilert_queue"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_ilert_queue_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_source"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_ilert_source_block,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_kapacitor"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_ilert_location_kapacitor,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_events"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_location_events,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_dry_run"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, dry_run),
      NULL },

    { ngx_string("ilert_endpoint"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE123|NGX_CONF_TAKE4,
      ngx_http_ilert_location_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_reconcile"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_ilert_reconcile_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_fallback"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE123,
      ngx_http_ilert_fallback_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_fallback_body"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, fallback_body),
      NULL },

    { ngx_string("ilert_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_ilert_location_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ilert_location_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_ilert_source_heartbeat,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      "_file" },

    { ngx_string("ilert_max_body_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_location_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, max_body_size),
      NULL },

    { ngx_string("ilert_event_max_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_location_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, event_max_size),
      &ngx_http_ilert_event_min_size },

    { ngx_string("ilert_unreadable"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_location_unreadable,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_event_type"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_EVENT_TYPE),
      NULL },

    { ngx_string("ilert_alert_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_ALERT_KEY),
      NULL },

    { ngx_string("ilert_summary"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_SUMMARY),
      NULL },

    { ngx_string("ilert_details"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_DETAILS),
      NULL },

    { ngx_string("ilert_priority"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_PRIORITY),
      NULL },

    { ngx_string("ilert_severity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_SEVERITY),
      NULL },

    { ngx_string("ilert_routing_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_ROUTING_KEY),
      NULL },

    { ngx_string("ilert_label"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_LABELS),
      NULL },

    { ngx_string("ilert_link"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_LINKS),
      NULL },

    { ngx_string("ilert_image"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_IMAGES),
      NULL },

    { ngx_string("ilert_service"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_SERVICES),
      NULL },

    { ngx_string("ilert_comment"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_COMMENTS),
      NULL },

    { ngx_string("ilert_custom_detail"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_ilert_mapping_set_item,
      NGX_HTTP_LOC_CONF_OFFSET,
      ngx_http_ilert_mapping_offset(NGX_HTTP_ILERT_CUSTOM_DETAILS),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_ilert_module_ctx = {
    ngx_http_ilert_preconfiguration,       /* preconfiguration */
    ngx_http_ilert_postconfiguration,      /* postconfiguration */

    ngx_http_ilert_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_ilert_create_srv_conf,        /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_ilert_create_loc_conf,        /* create location configuration */
    ngx_http_ilert_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_ilert_module = {
    NGX_MODULE_V1,
    &ngx_http_ilert_module_ctx,            /* module context */
    ngx_http_ilert_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_ilert_init_module,            /* init module */
    ngx_http_ilert_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_ilert_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_ilert_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_main_conf_t));
    if (imcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&imcf->sources, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&imcf->endpoints, cf->pool, 1, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&imcf->keys, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&imcf->kapacitors, cf->pool, 1, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&imcf->locations, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&imcf->handlers, cf->pool, 4,
                          sizeof(ngx_http_ilert_handler_t))
           != NGX_OK
        || ngx_array_init(&imcf->setup, cf->pool, 4,
                          sizeof(ngx_http_ilert_setup_t))
           != NGX_OK)
    {
        return NULL;
    }

    return imcf;
}


static void *
ngx_http_ilert_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_srv_conf_t));
}


static void *
ngx_http_ilert_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_ilert_loc_conf_t  *ilcf;

    ilcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_loc_conf_t));
    if (ilcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     ilcf->route = NULL;
     *     ilcf->directive = NULL;
     *     ilcf->events = 0;
     *     ilcf->by_key = 0;
     *     ilcf->source = NULL;
     *     ilcf->off = 0;
     *     ilcf->conf_ctx = NULL;
     *     ilcf->send_test = 0;
     *     ilcf->reconcile = NULL;
     *     ilcf->reconciled = 0;
     *     ilcf->fallback = NULL;
     *     ilcf->fallback_body = NULL;
     *     ilcf->endpoint = NULL;
     *     ilcf->status = NGX_HTTP_ILERT_STATUS_OFF;
     *     ilcf->control = { 0, NULL };
     *     ilcf->mapping = { NULL };
     */

    ilcf->dry_run = NGX_CONF_UNSET;
    ilcf->max_body_size = NGX_CONF_UNSET;
    ilcf->event_max_size = NGX_CONF_UNSET;
    ilcf->unreadable = NGX_CONF_UNSET_UINT;

    return ilcf;
}


static char *
ngx_http_ilert_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ilert_loc_conf_t *prev = parent;
    ngx_http_ilert_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_value(conf->dry_run, prev->dry_run, 0);
    ngx_conf_merge_off_value(conf->max_body_size, prev->max_body_size,
                             16 * 1024 * 1024);
    ngx_conf_merge_off_value(conf->event_max_size, prev->event_max_size,
                             65536);

    /* an inherited directive is not warned of: others may use it */

    if (conf->unreadable == NGX_HTTP_ILERT_UNREADABLE_ALERT
        && conf->route && conf->route->lengths == NULL
        && conf->route->value.len == 3
        && ngx_strncmp(conf->route->value.data, "off", 3) == 0)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"ilert_unreadable alert\" has no effect in "
                           "location \"%V\": \"%V off\" has no source",
                           &clcf->name, conf->directive);
    }

    ngx_conf_merge_uint_value(conf->unreadable, prev->unreadable,
                              NGX_HTTP_ILERT_UNREADABLE_REJECT);

    if (conf->fallback_body == NULL) {
        conf->fallback_body = prev->fallback_body;
    }

    ngx_http_ilert_mapping_merge(&conf->mapping, &prev->mapping);

    /* "if" and "limit_except" have the handler of their location */

    if (clcf->noname && clcf->handler == NULL && prev->route) {
        conf->route = prev->route;
        conf->directive = prev->directive;
        conf->events = prev->events;
        conf->send_test = prev->send_test;
        conf->file_name = prev->file_name;
        conf->line = prev->line;
        conf->clcf = clcf;
        clcf->handler = conf->events ? ngx_http_ilert_events_handler
                                     : ngx_http_ilert_webhook_handler;

        if (ngx_http_ilert_location_add(cf, conf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (clcf->noname && clcf->handler == NULL && prev->status) {
        conf->status = prev->status;
        clcf->handler = ngx_http_ilert_status_handler;
    }

    if (clcf->noname && clcf->handler == NULL && prev->control.len) {
        conf->control = prev->control;
        clcf->handler = ngx_http_ilert_control_handler;
    }

    if (conf->route) {
        clcf->client_max_body_size = conf->max_body_size;
    }

    /*
     * Requests to ilert, to Kapacitor, and by another way out are made by us:
     * their size is limited already, and they are no business of the access
     * log.
     */

    if (conf->endpoint || conf->reconcile || conf->fallback) {
        clcf->client_max_body_size = 0;
        clcf->log_subrequest = 0;
    }

    /*
     * Kapacitor's API can do more than tell, and a chat's webhook takes
     * anything, so they are not for clients.
     */

    if (conf->reconcile || conf->fallback) {
        clcf->internal = 1;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_queue_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_main_conf_t *imcf = conf;

    ngx_str_t  *value, size;

    if (imcf->queue.path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    imcf->queue.max_size = 1024 * 1024 * 1024;

    if (cf->args->nelts == 3) {

        size.data = value[2].data + 9;
        size.len = value[2].len - 9;

        if (value[2].len < 10
            || ngx_strncmp(value[2].data, "max_size=", 9) != 0
            || (imcf->queue.max_size = ngx_parse_offset(&size))
               < NGX_HTTP_ILERT_MIN_QUEUE_SIZE)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"ilert_queue\", "
                               "\"max_size=\" and a size of 1m or more is "
                               "allowed", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0
        && cf->args->nelts == 2)
    {
        ngx_str_set(&imcf->queue.path, "");
        return NGX_CONF_OK;
    }

    imcf->queue.path = value[1];

    while (imcf->queue.path.len > 1
           && imcf->queue.path.data[imcf->queue.path.len - 1] == '/')
    {
        imcf->queue.path.data[--imcf->queue.path.len] = '\0';
    }

    if (imcf->queue.path.len == 0) {
        return "has an empty path";
    }

#if (NGX_THREADS)

    if (ngx_conf_full_name(cf->cycle, &imcf->queue.path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;

#else

    return "needs an nginx built with threads (--with-threads)";

#endif
}


static ngx_int_t
ngx_http_ilert_init_module(ngx_cycle_t *cycle)
{
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ilert_module);

    if (imcf == NULL) {
        return NGX_OK;
    }

#if (NGX_THREADS)

    if (imcf->queue.path.len) {
        ngx_http_ilert_queue_create(cycle, &imcf->queue);
        ngx_http_ilert_lock_init_module(cycle, &imcf->queue.path);
    }

#endif

    ngx_http_ilert_checks(cycle, imcf);

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_init_process(ngx_cycle_t *cycle)
{
    ngx_http_ilert_main_conf_t  *imcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ilert_module);

    if (imcf && imcf->endpoints.nelts) {
        ngx_http_ilert_connections_init_process(cycle);
    }

#if (NGX_THREADS)

    if (imcf && imcf->queue.path.len) {

        ngx_http_ilert_queue_masters_join(&imcf->queue);

        if (ngx_http_ilert_queue_init_process(cycle, &imcf->queue,
                                              &ngx_http_ilert_courier_client)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_ilert_courier_init_process(cycle, &imcf->queue);
    }

#endif

    return NGX_OK;
}


static void
ngx_http_ilert_exit_process(ngx_cycle_t *cycle)
{
#if (NGX_THREADS)
    ngx_http_ilert_courier_exit_process();
    ngx_http_ilert_queue_exit_process();
#endif
}


static ngx_int_t
ngx_http_ilert_preconfiguration(ngx_conf_t *cf)
{
    return ngx_http_ilert_add_variables(cf);
}


static ngx_int_t
ngx_http_ilert_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    if (ngx_http_ilert_resolve(cf, imcf) != NGX_OK
        || ngx_http_ilert_site_init(cf) != NGX_OK
        || ngx_http_ilert_counters_init(cf, imcf) != NGX_OK
        || ngx_http_ilert_refuse_init(cf, imcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (imcf->locations.nelts
        && (ngx_http_ilert_body_init(cf) != NGX_OK
            || ngx_http_ilert_unseen_init(cf) != NGX_OK))
    {
        return NGX_ERROR;
    }

#if (NGX_THREADS)

    if (imcf->queue.path.len
        && ngx_http_ilert_queue_init(cf, &imcf->queue) != NGX_OK)
    {
        return NGX_ERROR;
    }

#endif

    if (imcf->endpoints.nelts == 0) {
        return NGX_OK;
    }

    return ngx_http_ilert_hooks_init(cf);
}
