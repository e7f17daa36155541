
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_body.h"
#include "ngx_http_ilert_control.h"
#include "ngx_http_ilert_webhook.h"
#include "ngx_http_ilert_room.h"
#include "ngx_http_ilert_status.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_variables.h"


/* no key is longer, nor a file of one */

#define NGX_HTTP_ILERT_KEY_FILE_SIZE  4096

#define NGX_HTTP_ILERT_MAX_CONCURRENCY 1000
#define NGX_HTTP_ILERT_MAX_RATE        1000000

/* what ilert takes of an integration key, and of an address */

#define NGX_HTTP_ILERT_KEY_RATE        50
#define NGX_HTTP_ILERT_ENDPOINT_RATE   700

#define NGX_HTTP_ILERT_MINUTE          60000

/* the least value of max_size: SQLite's own pages, and some events */

#define NGX_HTTP_ILERT_MIN_QUEUE_SIZE  (1024 * 1024)

/* a URL ends in this and a key */

#define NGX_HTTP_ILERT_NATIVE_PATH    "v1/events/kapacitor/"


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
static char *ngx_http_ilert_source_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_member(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf);
static char *ngx_http_ilert_source_unknown(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source);
static char *ngx_http_ilert_source_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_url(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_ilert_source_value(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_ilert_source_t *source, ngx_str_t *value);
static char *ngx_http_ilert_source_invalid(ngx_conf_t *cf,
    ngx_command_t *cmd, const char *what);
static char *ngx_http_ilert_source_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_ilert_source_concurrency(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_ilert_source_retry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_time(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_source_coalesce(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_ilert_parse_rate(ngx_http_ilert_rate_t *rate,
    ngx_str_t *value);
static ngx_uint_t ngx_http_ilert_source_is_key(ngx_str_t *key);
static ngx_int_t ngx_http_ilert_source_read_file(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *value);

static char *ngx_http_ilert_kapacitor(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_ilert_add_location(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf);
static char *ngx_http_ilert_endpoint(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_ilert_endpoint_parameters(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint);
static ngx_int_t ngx_http_ilert_check_prefix(ngx_conf_t *cf, const char *name,
    const char *example);
static char *ngx_http_ilert_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_control(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_ilert_set_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_http_ilert_check_handlers(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static char *ngx_http_ilert_heartbeat_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_ilert_set_size(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

static ngx_int_t ngx_http_ilert_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_ilert_init_process(ngx_cycle_t *cycle);
static void ngx_http_ilert_exit_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_ilert_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_ilert_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_ilert_check_endpoint(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint);
static ngx_int_t ngx_http_ilert_resolve_source(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_resolve_heartbeat(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_source_uri(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_share_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_add_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_uint_t ngx_http_ilert_rate_is_lower(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_rate_t *other);
static void ngx_http_ilert_check_sources(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_resolve_location(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static ngx_int_t ngx_http_ilert_init_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_uint_t ngx_http_ilert_location_is_native(
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static void ngx_http_ilert_check_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static ngx_http_ilert_endpoint_t *ngx_http_ilert_find_endpoint(
    ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name);


/* the least value of "ilert_event_max_size" */

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
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_kapacitor,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_endpoint"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_ilert_endpoint,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_ilert_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_control"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_ilert_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ilert_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_ilert_heartbeat_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      "_file" },

    { ngx_string("ilert_max_body_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, max_body_size),
      NULL },

    { ngx_string("ilert_event_max_size"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_ilert_set_size,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_ilert_loc_conf_t, event_max_size),
      &ngx_http_ilert_event_min_size },

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


/*
 * Of ilert_source { }.  Of those with a key, "post" is how the name goes on
 * if the argument is a file's.  Those with an offset, of a value that is
 * NGX_CONF_UNSET_UINT at first, need a queue.  Of times, "post" is an example,
 * and "off" is allowed if "conf" is set.
 */

static ngx_command_t  ngx_http_ilert_source_commands[] = {

    { ngx_string("integration_key"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_key,
      0,
      0,
      "" },

    { ngx_string("integration_key_file"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_key,
      0,
      0,
      "_file" },

    { ngx_string("webhook_url"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_url,
      0,
      0,
      "" },

    { ngx_string("webhook_url_file"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_url,
      0,
      0,
      "_file" },

    { ngx_string("endpoint"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_endpoint,
      0,
      0,
      NULL },

    { ngx_string("rate"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_rate,
      0,
      offsetof(ngx_http_ilert_source_t, rate.n),
      NULL },

    { ngx_string("concurrency"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_concurrency,
      0,
      offsetof(ngx_http_ilert_source_t, concurrency),
      NULL },

    { ngx_string("retry"),
      NGX_CONF_TAKE2,
      ngx_http_ilert_source_retry,
      0,
      offsetof(ngx_http_ilert_source_t, retry_first),
      NULL },

    { ngx_string("max_age"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      1,
      offsetof(ngx_http_ilert_source_t, max_age),
      "12h" },

    { ngx_string("coalesce"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_coalesce,
      0,
      offsetof(ngx_http_ilert_source_t, coalesce),
      NULL },

    { ngx_string("repeat"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      0,
      offsetof(ngx_http_ilert_source_t, repeat),
      "5m" },

    { ngx_string("resolve_after"),
      NGX_CONF_TAKE1,
      ngx_http_ilert_source_time,
      1,
      offsetof(ngx_http_ilert_source_t, resolve_after),
      "12h" },

      ngx_null_command
};


static ngx_conf_enum_t  ngx_http_ilert_coalesce[] = {
    { ngx_string("off"), NGX_HTTP_ILERT_COALESCE_OFF },
    { ngx_string("repeats"), NGX_HTTP_ILERT_COALESCE_REPEATS },
    { ngx_string("latest"), NGX_HTTP_ILERT_COALESCE_LATEST },
    { ngx_null_string, 0 }
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
        || ngx_array_init(&imcf->locations, cf->pool, 4, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&imcf->handlers, cf->pool, 4,
                          sizeof(ngx_http_ilert_handler_t))
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
     *     ilcf->kapacitor = NULL;
     *     ilcf->source = NULL;
     *     ilcf->off = 0;
     *     ilcf->endpoint = NULL;
     *     ilcf->status = NGX_HTTP_ILERT_STATUS_OFF;
     *     ilcf->control = { 0, NULL };
     *     ilcf->mapping = { NULL };
     */

    ilcf->max_body_size = NGX_CONF_UNSET;
    ilcf->event_max_size = NGX_CONF_UNSET;

    return ilcf;
}


static char *
ngx_http_ilert_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_ilert_loc_conf_t *prev = parent;
    ngx_http_ilert_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_conf_merge_off_value(conf->max_body_size, prev->max_body_size,
                             16 * 1024 * 1024);
    ngx_conf_merge_off_value(conf->event_max_size, prev->event_max_size,
                             65536);

    ngx_http_ilert_mapping_merge(&conf->mapping, &prev->mapping);

    /* "if" and "limit_except" in the location are still the location */

    if (clcf->noname && clcf->handler == NULL && prev->kapacitor) {
        conf->kapacitor = prev->kapacitor;
        conf->file_name = prev->file_name;
        conf->line = prev->line;
        conf->clcf = clcf;
        clcf->handler = ngx_http_ilert_handler;

        if (ngx_http_ilert_add_location(cf, conf) != NGX_OK) {
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

    if (conf->kapacitor) {
        clcf->client_max_body_size = conf->max_body_size;
    }

    /* what is sent there is ours: it is not too large, and not logged */

    if (conf->endpoint) {
        clcf->client_max_body_size = 0;
        clcf->log_subrequest = 0;
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


static char *
ngx_http_ilert_source_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_main_conf_t *imcf = conf;

    char                      *rv;
    ngx_str_t                 *value;
    ngx_conf_t                 save;
    ngx_http_ilert_source_t   *source, **sp;

    value = cf->args->elts;

    if (value[1].len == 0
        || (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0)
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"ilert_source\", any is "
                           "allowed but \"off\", an empty one and one with "
                           "\"$\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    source = ngx_http_ilert_find_source(imcf, &value[1]);

    if (source) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ilert_source\" \"%V\" (first in "
                           "%s:%ui)", &value[1], source->file_name,
                           source->line);
        return NGX_CONF_ERROR;
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    sp = ngx_array_push(&imcf->sources);
    if (sp == NULL) {
        return NGX_CONF_ERROR;
    }

    *sp = source;

    source->name = value[1];
    source->file_name = cf->conf_file->file.name.data;
    source->line = cf->conf_file->line;

    source->rate.n = NGX_CONF_UNSET_UINT;
    source->concurrency = NGX_CONF_UNSET_UINT;
    source->retry_first = NGX_CONF_UNSET_MSEC;
    source->retry_longest = NGX_CONF_UNSET_MSEC;
    source->max_age = NGX_CONF_UNSET_MSEC;
    source->coalesce = NGX_CONF_UNSET_UINT;
    source->repeat = NGX_CONF_UNSET_MSEC;
    source->resolve_after = NGX_CONF_UNSET_MSEC;

    save = *cf;
    cf->handler = ngx_http_ilert_source_member;
    cf->handler_conf = (void *) source;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (source->key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no key in \"ilert_source\" \"%V\", one of "
                           "\"integration_key\", \"integration_key_file\", "
                           "\"webhook_url\" and \"webhook_url_file\" "
                           "is needed", &source->name);
        return NGX_CONF_ERROR;
    }

    if (source->endpoint_name.data == NULL) {
        ngx_str_set(&source->endpoint_name, "default");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_member(ngx_conf_t *cf, ngx_command_t *dummy, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    char           *rv, *p;
    ngx_str_t      *value;
    ngx_command_t  *cmd;

    value = cf->args->elts;

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {
        if (cmd->name.len == value[0].len
            && ngx_strcmp(cmd->name.data, value[0].data) == 0)
        {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return ngx_http_ilert_source_unknown(cf, source);
    }

    if (cf->args->nelts != (cmd->type == NGX_CONF_TAKE2 ? 3 : 2)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in "
                           "\"%V\" directive", &value[0]);
        return NGX_CONF_ERROR;
    }

    p = conf;

    if (cmd->offset
        && *(ngx_uint_t *) (p + cmd->offset) != NGX_CONF_UNSET_UINT)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is duplicate", &value[0]);
        return NGX_CONF_ERROR;
    }

    rv = cmd->set(cf, cmd, conf);

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive %s", &value[0], rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


/* its name is not shown: it may be a key without a directive */

static char *
ngx_http_ilert_source_unknown(ngx_conf_t *cf, ngx_http_ilert_source_t *source)
{
    u_char         *p, *last, list[512];
    ngx_command_t  *cmd;

    p = list;
    last = list + sizeof(list);

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {

        if (cmd > ngx_http_ilert_source_commands) {
            p = ngx_slprintf(p, last, cmd[1].name.len ? ", " : " and ");
        }

        p = ngx_slprintf(p, last, "\"%V\"", &cmd->name);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive in \"ilert_source\" \"%V\", "
                       "%*s are allowed", &source->name,
                       (size_t) (p - list), list);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_ilert_source_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    u_char     *p;
    ngx_str_t   key;

    if (ngx_http_ilert_source_value(cf, cmd, source, &key) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strlchr(key.data, key.data + key.len, '/')) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "a URL, expected an integration key; the URL of a "
                         "Kapacitor alert source goes into \"webhook_url\"");
    }

    if (!ngx_http_ilert_source_is_key(&key)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no integration key, letters, digits, \"-\", \"_\", "
                         "\".\" and \"~\" are allowed in it");
    }

    if (key.len > 6 && ngx_strncmp(key.data, "il1kap", 6) == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is of a Kapacitor alert source, "
                           "which takes no events: use \"webhook_url%s\" with "
                           "the URL that ilert shows, or the key of an API "
                           "alert source", &cmd->name, cmd->post);
    }

    source->key = key;
    ngx_str_set(&source->path, "events");

    source->open.len = sizeof("{\"integrationKey\":\"\",") - 1 + key.len;

    p = ngx_pnalloc(cf->pool, source->open.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    source->open.data = p;
    ngx_sprintf(p, "{\"integrationKey\":\"%V\",", &key);

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_url(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    u_char     *p, *last;
    ngx_str_t   url, key;

    if (ngx_http_ilert_source_value(cf, cmd, source, &url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_str_null(&key);

    last = url.data + url.len;
    p = ngx_strlchr(url.data, last, ':');

    if (p && ((p - url.data == 4 && ngx_strncasecmp(url.data,
                                                (u_char *) "http", 4) == 0)
              || (p - url.data == 5 && ngx_strncasecmp(url.data,
                                                (u_char *) "https", 5) == 0))
        && last - p > 3 && p[1] == '/' && p[2] == '/' && p[3] != '/')
    {
        p = ngx_strlcasestrn(p + 3, last,
                             (u_char *) "/" NGX_HTTP_ILERT_NATIVE_PATH,
                             sizeof(NGX_HTTP_ILERT_NATIVE_PATH) - 1);
        if (p) {
            key.data = p + sizeof(NGX_HTTP_ILERT_NATIVE_PATH);
            key.len = last - key.data;
        }
    }

    if (!ngx_http_ilert_source_is_key(&key)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no webhook URL of a Kapacitor alert source, "
                         "expected \"https://api.ilert.com/api/"
                         NGX_HTTP_ILERT_NATIVE_PATH "KEY\"");
    }

    if (key.len > 6 && ngx_strncmp(key.data, "il1api", 6) == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the key in \"%V\" is of an API alert source: use "
                           "\"integration_key%s\" with its key",
                           &cmd->name, cmd->post);
    }

    source->native = 1;
    source->key = key;

    source->path.len = sizeof(NGX_HTTP_ILERT_NATIVE_PATH) - 1 + key.len;

    source->path.data = ngx_pnalloc(cf->pool, source->path.len);
    if (source->path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(source->path.data, NGX_HTTP_ILERT_NATIVE_PATH "%V", &key);

    return NGX_CONF_OK;
}


/* the directive's argument, or what is in the file that it names */

static ngx_int_t
ngx_http_ilert_source_value(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_ilert_source_t *source, ngx_str_t *value)
{
    char       *post = cmd->post;

    ngx_str_t  *args;

    if (source->key.len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive is duplicate, \"ilert_source\" "
                           "\"%V\" has a key already", &cmd->name,
                           &source->name);
        return NGX_ERROR;
    }

    args = cf->args->elts;
    *value = args[1];

    if (post[0] && ngx_http_ilert_source_read_file(cf, cmd, value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_text_trim(value);

    if (value->len == 0) {
        (void) ngx_http_ilert_source_invalid(cf, cmd, "empty");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the value is not shown: it is a secret, or would be if it were right */

static char *
ngx_http_ilert_source_invalid(ngx_conf_t *cf, ngx_command_t *cmd,
    const char *what)
{
    char       *post = cmd->post;

    ngx_str_t  *args;

    if (post[0]) {
        args = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\": what is in \"%V\" is %s",
                           &cmd->name, &args[1], what);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\": the value is %s",
                           &cmd->name, what);
    }

    return NGX_CONF_ERROR;
}


static char *
ngx_http_ilert_source_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t  *value;

    if (source->endpoint_name.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has an empty value, the name of an \"ilert_endpoint\" "
               "is allowed";
    }

    source->endpoint_name = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_concurrency(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n < 1 || n > NGX_HTTP_ILERT_MAX_CONCURRENCY) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"concurrency\", a number "
                           "from 1 to %d is allowed", &value[1],
                           NGX_HTTP_ILERT_MAX_CONCURRENCY);
        return NGX_CONF_ERROR;
    }

    source->concurrency = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_retry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    source->retry_first = ngx_parse_time(&value[1], 0);
    source->retry_longest = ngx_parse_time(&value[2], 0);

    if (source->retry_first == (ngx_msec_t) NGX_ERROR
        || source->retry_longest == (ngx_msec_t) NGX_ERROR
        || source->retry_first == 0
        || source->retry_longest < source->retry_first)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid values \"%V\" and \"%V\" in \"retry\", "
                           "two times such as \"1s\" and \"5m\" are "
                           "allowed, the second one not shorter than the "
                           "first one",
                           &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_time(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t   *value;
    ngx_msec_t  *msp;

    value = cf->args->elts;
    msp = (ngx_msec_t *) (p + cmd->offset);

    if (cmd->conf && value[1].len == 3
        && ngx_strncmp(value[1].data, "off", 3) == 0)
    {
        *msp = 0;
        return NGX_CONF_OK;
    }

    *msp = ngx_parse_time(&value[1], 0);

    if (*msp == (ngx_msec_t) NGX_ERROR || *msp == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", a time such as "
                           "\"%s\" %s allowed", &value[1], &cmd->name,
                           cmd->post, cmd->conf ? "and \"off\" are" : "is");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_ilert_source_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_ilert_parse_rate(&source->rate, &value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"rate\", a number of "
                           "requests such as \"50r/m\" or \"2r/s\" and "
                           "\"off\" are allowed", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ilert_parse_rate(ngx_http_ilert_rate_t *rate, ngx_str_t *value)
{
    ngx_int_t  n;

    if (value->len == 3 && ngx_strncmp(value->data, "off", 3) == 0) {
        rate->n = 0;
        rate->window = NGX_HTTP_ILERT_MINUTE;
        return NGX_OK;
    }

    if (value->len < 4) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data + value->len - 3, "r/m", 3) == 0) {
        rate->window = NGX_HTTP_ILERT_MINUTE;

    } else if (ngx_strncmp(value->data + value->len - 3, "r/s", 3) == 0) {
        rate->window = 1000;

    } else {
        return NGX_ERROR;
    }

    n = ngx_atoi(value->data, value->len - 3);

    if (n < 1 || n > NGX_HTTP_ILERT_MAX_RATE) {
        return NGX_ERROR;
    }

    rate->n = n;

    return NGX_OK;
}


static char *
ngx_http_ilert_source_coalesce(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_source_t *source = conf;

    ngx_str_t        *value;
    ngx_conf_enum_t  *e;

    value = cf->args->elts;

    for (e = ngx_http_ilert_coalesce; e->name.len; e++) {
        if (e->name.len == value[1].len
            && ngx_strcmp(e->name.data, value[1].data) == 0)
        {
            source->coalesce = e->value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"coalesce\", \"off\", "
                       "\"repeats\" and \"latest\" are allowed", &value[1]);

    return NGX_CONF_ERROR;
}


/* what needs escaping neither in a URL nor in JSON */

static ngx_uint_t
ngx_http_ilert_source_is_key(ngx_str_t *key)
{
    size_t  i;
    u_char  ch;

    for (i = 0; i < key->len; i++) {
        ch = key->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '_' || ch == '.' || ch == '~'))
        {
            return 0;
        }
    }

    return key->len != 0;
}


/* "value" is the file's name, and becomes its content */

static ngx_int_t
ngx_http_ilert_source_read_file(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *value)
{
    u_char      *buf;
    ssize_t      n;
    ngx_str_t    name;
    ngx_file_t   file;

    name = *value;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_ILERT_KEY_FILE_SIZE);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = name;
    file.log = cf->log;
    file.fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"%V\" directive: " ngx_open_file_n
                           " \"%V\" failed", &cmd->name, &name);
        return NGX_ERROR;
    }

    n = ngx_read_file(&file, buf, NGX_HTTP_ILERT_KEY_FILE_SIZE, 0);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    if (n == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" directive: \"%V\" could not be read",
                           &cmd->name, &name);
        return NGX_ERROR;
    }

    if (n == NGX_HTTP_ILERT_KEY_FILE_SIZE) {
        (void) ngx_http_ilert_source_invalid(cf, cmd, "too large for a key");
        return NGX_ERROR;
    }

    value->data = buf;
    value->len = n;

    return NGX_OK;
}


static char *
ngx_http_ilert_kapacitor(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (ilcf->kapacitor) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ilcf->kapacitor = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (ilcf->kapacitor == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = ilcf->kapacitor;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ilcf->file_name = cf->conf_file->file.name.data;
    ilcf->line = cf->conf_file->line;

    ilcf->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_ilert_add_location(cf, ilcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_ilert_set_handler(cf, cmd, ngx_http_ilert_handler);
}


/* the source is looked for when all of them are known */

static ngx_int_t
ngx_http_ilert_add_location(ngx_conf_t *cf, ngx_http_ilert_loc_conf_t *ilcf)
{
    ngx_http_ilert_loc_conf_t   **lp;
    ngx_http_ilert_main_conf_t   *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    lp = ngx_array_push(&imcf->locations);
    if (lp == NULL) {
        return NGX_ERROR;
    }

    *lp = ilcf;

    return NGX_OK;
}


static char *
ngx_http_ilert_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_ilert_endpoint_t    *endpoint, *other, **ep;
    ngx_http_ilert_main_conf_t   *imcf;

    if (ilcf->endpoint) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_ilert_check_prefix(cf, "ilert_endpoint", "/ilert/")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    endpoint = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_endpoint_t));
    if (endpoint == NULL) {
        return NGX_CONF_ERROR;
    }

    endpoint->prefix = clcf->name;
    endpoint->conf_ctx = cf->ctx;
    endpoint->file_name = cf->conf_file->file.name.data;
    endpoint->line = cf->conf_file->line;

    if (ngx_http_ilert_endpoint_parameters(cf, endpoint) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    other = ngx_http_ilert_find_endpoint(imcf, &endpoint->name);

    if (other) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"ilert_endpoint\" \"%V\" (first in "
                           "%s:%ui)", &other->name, other->file_name,
                           other->line);
        return NGX_CONF_ERROR;
    }

    ep = ngx_array_push(&imcf->endpoints);
    if (ep == NULL) {
        return NGX_CONF_ERROR;
    }

    *ep = endpoint;

    ilcf->endpoint = endpoint;

    return NGX_CONF_OK;
}


/* what follows the location's name is for us */

static ngx_int_t
ngx_http_ilert_check_prefix(ngx_conf_t *cf, const char *name,
    const char *example)
{
    ngx_uint_t                 prefix;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    prefix = !clcf->exact_match && !clcf->named && clcf->name.len
             && clcf->name.data[clcf->name.len - 1] == '/';

#if (NGX_PCRE)
    if (clcf->regex) {
        prefix = 0;
    }
#endif

    if (prefix) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%s\" is in location \"%V\", only "
                       "a prefix location that ends in \"/\" is allowed, "
                       "such as \"location %s\"", name, &clcf->name, example);

    return NGX_ERROR;
}


static char *
ngx_http_ilert_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_str_t         *value;
    ngx_uint_t         i;

    static ngx_str_t   formats[] = {
        ngx_null_string,
        ngx_string("json"),
        ngx_string("prometheus"),
        ngx_string("html")
    };

    if (ilcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = NGX_HTTP_ILERT_STATUS_JSON;
         cf->args->nelts == 2 && i <= NGX_HTTP_ILERT_STATUS_HTML;
         i++)
    {
        if (value[1].len == formats[i].len
            && ngx_strncmp(value[1].data, formats[i].data, value[1].len) == 0)
        {
            break;
        }
    }

    if (i > NGX_HTTP_ILERT_STATUS_HTML) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"ilert_status\", "
                           "\"json\", \"prometheus\" and \"html\" are "
                           "allowed", &value[1]);
        return NGX_CONF_ERROR;
    }

    ilcf->status = i;

    return ngx_http_ilert_set_handler(cf, cmd, ngx_http_ilert_status_handler);
}


static char *
ngx_http_ilert_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_ilert_loc_conf_t *ilcf = conf;

    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_ilert_srv_conf_t  *iscf;

    if (ilcf->control.len) {
        return "is duplicate";
    }

    if (ngx_http_ilert_check_prefix(cf, "ilert_control", "/control/")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ilcf->control = clcf->name;

    /* of several the page uses the first one */

    iscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_ilert_module);

    if (iscf->control.len == 0) {
        iscf->control = clcf->name;
    }

    return ngx_http_ilert_set_handler(cf, cmd, ngx_http_ilert_control_handler);
}


/* the location's requests are for the directive, and for no other one */

static char *
ngx_http_ilert_set_handler(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_ilert_handler_t    *h;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "conflicts with another directive of its location, such as "
               "\"proxy_pass\", that takes the requests";
    }

    h = ngx_array_push(&imcf->handlers);
    if (h == NULL) {
        return NGX_CONF_ERROR;
    }

    h->name = cmd->name;
    h->clcf = clcf;
    h->handler = handler;
    h->file_name = cf->conf_file->file.name.data;
    h->line = cf->conf_file->line;

    clcf->handler = handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ilert_check_handlers(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                 i;
    ngx_http_ilert_handler_t  *h;

    h = imcf->handlers.elts;

    for (i = 0; i < imcf->handlers.nelts; i++) {

        if (h[i].clcf->handler != h[i].handler) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%V\" in %s:%ui has no effect, another "
                          "directive of its location, such as \"proxy_pass\", "
                          "takes the requests", &h[i].name, h[i].file_name,
                          h[i].line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* a source of no events, so that a ping is made as any other request */

static char *
ngx_http_ilert_heartbeat_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_ilert_main_conf_t *imcf = conf;

    ngx_str_t                        *value, interval;
    ngx_http_ilert_source_t          *source;
    ngx_http_ilert_heartbeat_conf_t  *hcf;

    hcf = &imcf->heartbeat;

    if (hcf->source) {
        return "is duplicate";
    }

    value = cf->args->elts;

    hcf->interval = 30000;

    if (cf->args->nelts == 3) {

        interval.data = value[2].data + 9;
        interval.len = value[2].len - 9;

        if (value[2].len < 10
            || ngx_strncmp(value[2].data, "interval=", 9) != 0
            || (hcf->interval = ngx_parse_time(&interval, 0))
               == (ngx_msec_t) NGX_ERROR
            || hcf->interval < NGX_HTTP_ILERT_MINUTE
                               / NGX_HTTP_ILERT_HEARTBEAT_RATE)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ilert_heartbeat\", \"interval=\" and a "
                               "time of 12s or more is allowed, as ilert "
                               "takes 5 pings in a minute", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    source = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_source_t));
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&source->name, "heartbeat");
    ngx_str_set(&source->endpoint_name, "heartbeat");

    source->heartbeat = 1;

    if (ngx_http_ilert_source_value(cf, cmd, source, &source->path) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_ilert_source_is_key(&source->path)) {
        return ngx_http_ilert_source_invalid(cf, cmd,
                         "no key of a heartbeat, letters, digits, \"-\", "
                         "\"_\", \".\" and \"~\" are allowed in it");
    }

    source->key = source->path;

    hcf->source = source;
    hcf->file_name = cf->conf_file->file.name.data;
    hcf->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* "[name] [rate=...]" */

static ngx_int_t
ngx_http_ilert_endpoint_parameters(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_str_t   *value, rate;
    ngx_uint_t   i;

    endpoint->rate.n = NGX_CONF_UNSET_UINT;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0
            && endpoint->rate.n == NGX_CONF_UNSET_UINT)
        {
            rate.data = value[i].data + 5;
            rate.len = value[i].len - 5;

            if (ngx_http_ilert_parse_rate(&endpoint->rate, &rate) == NGX_OK) {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"ilert_endpoint\", a number of requests such "
                               "as \"rate=700r/m\" or \"rate=10r/s\" and "
                               "\"rate=off\" are allowed", &value[i]);
            return NGX_ERROR;
        }

        if (i > 1 || value[i].len == 0
            || ngx_strlchr(value[i].data, value[i].data + value[i].len, '='))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in "
                               "\"ilert_endpoint\", a name and then "
                               "\"rate=\" are allowed", &value[i]);
            return NGX_ERROR;
        }

        endpoint->name = value[i];
    }

    if (endpoint->name.len == 0) {
        ngx_str_set(&endpoint->name, "default");
    }

    if (endpoint->rate.n == NGX_CONF_UNSET_UINT) {
        endpoint->rate.n = NGX_HTTP_ILERT_ENDPOINT_RATE;
        endpoint->rate.window = NGX_HTTP_ILERT_MINUTE;
    }

    return NGX_OK;
}


/* cmd->post is the least value, if there is one */

static char *
ngx_http_ilert_set_size(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    off_t      *np, least;
    ngx_str_t  *value;

    np = (off_t *) (p + cmd->offset);
    least = cmd->post ? *(off_t *) cmd->post : 0;

    if (*np != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *np = ngx_parse_offset(&value[1]);

    if (*np == (off_t) NGX_ERROR || *np < least) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"%V\", a size such as "
                           "\"64k\" or \"16m\" is allowed, %O bytes or more",
                           &value[1], &cmd->name, least);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_ilert_init_module(ngx_cycle_t *cycle)
{
#if (NGX_THREADS)

    ngx_http_ilert_main_conf_t  *imcf;

    imcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_ilert_module);

    if (imcf && imcf->queue.path.len) {
        ngx_http_ilert_queue_create(cycle, &imcf->queue);
    }

#endif

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
        ngx_http_ilert_room_init_process(cycle);
    }

#if (NGX_THREADS)

    if (imcf && imcf->queue.path.len) {
        return ngx_http_ilert_queue_init_process(cycle, &imcf->queue);
    }

#endif

    return NGX_OK;
}


static void
ngx_http_ilert_exit_process(ngx_cycle_t *cycle)
{
#if (NGX_THREADS)
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
    ngx_uint_t                    i;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_loc_conf_t   **locations;
    ngx_http_ilert_endpoint_t   **endpoints;
    ngx_http_ilert_main_conf_t   *imcf;

    imcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_ilert_module);

    if (ngx_http_ilert_check_handlers(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        if (ngx_http_ilert_check_endpoint(cf, endpoints[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (imcf->queue.path.len == 0) {
        ngx_http_ilert_check_sources(cf, imcf);
    }

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_resolve_source(cf, imcf, sources[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    locations = imcf->locations.elts;

    for (i = 0; i < imcf->locations.nelts; i++) {
        if (ngx_http_ilert_resolve_location(cf, imcf, locations[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ilert_init_mapping(cf, imcf) != NGX_OK
        || ngx_http_ilert_resolve_heartbeat(cf, imcf) != NGX_OK
        || ngx_http_ilert_control_init(cf) != NGX_OK
        || ngx_http_ilert_stats_init(cf, imcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (imcf->locations.nelts && ngx_http_ilert_body_init(cf) != NGX_OK) {
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

    return ngx_http_ilert_request_init(cf);
}


static ngx_int_t
ngx_http_ilert_check_endpoint(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = endpoint->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->handler == NULL || clcf->handler == ngx_http_ilert_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "nothing leaves through \"ilert_endpoint\" \"%V\", "
                      "a \"proxy_pass\" is needed in its location in %s:%ui",
                      &endpoint->name, endpoint->file_name, endpoint->line);
        return NGX_ERROR;
    }

    if (!clcf->internal) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "the location of \"ilert_endpoint\" \"%V\" is open to "
                      "clients, use \"internal\" in it in %s:%ui",
                      &endpoint->name, endpoint->file_name, endpoint->line);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_resolve_source(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source)
{
    source->endpoint = ngx_http_ilert_find_endpoint(imcf,
                                                    &source->endpoint_name);

    if (source->endpoint == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ilert_endpoint\" \"%V\" for \"ilert_source\" "
                      "\"%V\" in %s:%ui, a location with \"ilert_endpoint\" "
                      "and \"proxy_pass\" is needed",
                      &source->endpoint_name, &source->name,
                      source->file_name, source->line);
        return NGX_ERROR;
    }

    ngx_conf_init_uint_value(source->concurrency, 8);
    ngx_conf_init_msec_value(source->retry_first, 1000);
    ngx_conf_init_msec_value(source->retry_longest, 5 * 60 * 1000);
    ngx_conf_init_msec_value(source->max_age, 0);
    ngx_conf_init_uint_value(source->coalesce,
                             NGX_HTTP_ILERT_COALESCE_REPEATS);
    ngx_conf_init_msec_value(source->repeat, 5 * 60 * 1000);
    ngx_conf_init_msec_value(source->resolve_after, 0);

    if (ngx_http_ilert_share_key(cf, imcf, source) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_source_uri(cf, source);
}


static ngx_int_t
ngx_http_ilert_resolve_heartbeat(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_http_ilert_source_t          *source;
    ngx_http_ilert_heartbeat_conf_t  *hcf;

    hcf = &imcf->heartbeat;
    source = hcf->source;

    if (source == NULL) {
        return NGX_OK;
    }

    if (imcf->queue.path.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ilert_heartbeat\" has nothing to tell without "
                      "\"ilert_queue\" in %s:%ui",
                      hcf->file_name, hcf->line);
        return NGX_ERROR;
    }

    source->endpoint = ngx_http_ilert_find_endpoint(imcf,
                                                    &source->endpoint_name);

    if (source->endpoint == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no \"ilert_endpoint\" \"heartbeat\" for "
                      "\"ilert_heartbeat\" in %s:%ui, a location with it and "
                      "\"proxy_pass https://beat.ilert.com/api/pings/"
                      "$ilert_path\" is needed", hcf->file_name, hcf->line);
        return NGX_ERROR;
    }

    return ngx_http_ilert_source_uri(cf, source);
}


static ngx_int_t
ngx_http_ilert_source_uri(ngx_conf_t *cf, ngx_http_ilert_source_t *source)
{
    u_char  *p;

    source->uri.len = source->endpoint->prefix.len + source->path.len;

    source->uri.data = ngx_pnalloc(cf->pool, source->uri.len);
    if (source->uri.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(source->uri.data, source->endpoint->prefix.data,
                   source->endpoint->prefix.len);
    ngx_memcpy(p, source->path.data, source->path.len);

    return NGX_OK;
}


/* sources of one integration key have one budget: the lowest that is given */

static ngx_int_t
ngx_http_ilert_share_key(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source)
{
    ngx_uint_t             i;
    ngx_http_ilert_key_t  *shared, **keys;

    keys = imcf->keys.elts;

    for (i = 0; i < imcf->keys.nelts; i++) {
        if (ngx_http_ilert_text_same(&keys[i]->key, &source->key)) {
            break;
        }
    }

    if (i == imcf->keys.nelts
        && ngx_http_ilert_add_key(cf, imcf, source) != NGX_OK)
    {
        return NGX_ERROR;
    }

    keys = imcf->keys.elts;
    shared = keys[i];
    source->shared = shared;

    if (source->rate.n == NGX_CONF_UNSET_UINT) {
        return NGX_OK;
    }

    if (shared->source == NULL) {
        shared->source = source;
        shared->rate = source->rate;
        return NGX_OK;
    }

    if (shared->rate.n != source->rate.n
        || shared->rate.window != source->rate.window)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ilert_source\" \"%V\" and \"%V\" share a key but "
                      "not their \"rate\", the lower one is used",
                      &shared->source->name, &source->name);
    }

    if (ngx_http_ilert_rate_is_lower(&source->rate, &shared->rate)) {
        shared->source = source;
        shared->rate = source->rate;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_add_key(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source)
{
    u_char                *p, digest[20];
    ngx_sha1_t             sha1;
    ngx_http_ilert_key_t  *shared, **kp;

    shared = ngx_pcalloc(cf->pool, sizeof(ngx_http_ilert_key_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    kp = ngx_array_push(&imcf->keys);
    if (kp == NULL) {
        return NGX_ERROR;
    }

    *kp = shared;

    shared->key = source->key;
    shared->rate.n = NGX_HTTP_ILERT_KEY_RATE;
    shared->rate.window = NGX_HTTP_ILERT_MINUTE;

    p = ngx_pnalloc(cf->pool, sizeof("key=") - 1 + 2 * sizeof(digest));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, shared->key.data, shared->key.len);
    ngx_sha1_final(digest, &sha1);

    shared->name.data = p;

    p = ngx_cpymem(p, "key=", sizeof("key=") - 1);
    p = ngx_hex_dump(p, digest, sizeof(digest));

    shared->name.len = p - shared->name.data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_ilert_rate_is_lower(ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_rate_t *other)
{
    if (rate->n == 0 || other->n == 0) {
        return rate->n != 0;
    }

    return rate->n * other->window < other->n * rate->window;
}


/* names what has no effect where events are relayed */

static void
ngx_http_ilert_check_sources(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    u_char                    *p, *last, list[256];
    ngx_uint_t                 i, n;
    ngx_command_t             *cmd;
    ngx_http_ilert_source_t  **sources;

    n = 0;
    p = list;
    last = list + sizeof(list);
    sources = imcf->sources.elts;

    for (cmd = ngx_http_ilert_source_commands; cmd->name.len; cmd++) {

        for (i = 0; cmd->offset && i < imcf->sources.nelts; i++) {

            if (*(ngx_uint_t *) ((char *) sources[i] + cmd->offset)
                != NGX_CONF_UNSET_UINT)
            {
                p = ngx_slprintf(p, last, "%s\"%V\"", n++ ? ", " : "",
                                 &cmd->name);
                break;
            }
        }
    }

    if (n) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "%*s in \"ilert_source\" %s no effect without "
                      "\"ilert_queue\"", (size_t) (p - list), list,
                      n == 1 ? "has" : "have");
    }
}


static ngx_int_t
ngx_http_ilert_resolve_location(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf)
{
    u_char                    *p, *last, list[256];
    ngx_str_t                 *name;
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    if (ilcf->kapacitor->lengths) {
        return NGX_OK;
    }

    name = &ilcf->kapacitor->value;

    if (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0) {
        ilcf->off = 1;
        return NGX_OK;
    }

    ilcf->source = ngx_http_ilert_find_source(imcf, name);

    if (ilcf->source) {
        return NGX_OK;
    }

    p = list;
    last = list + sizeof(list);
    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        p = ngx_slprintf(p, last, ", \"%V\"", &sources[i]->name);
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown source \"%V\" in \"ilert_kapacitor\" in %s:%ui, "
                  "allowed are variables, \"off\" and the names of "
                  "\"ilert_source\" blocks%*s",
                  name, ilcf->file_name, ilcf->line,
                  (size_t) (p - list), list);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_ilert_init_mapping(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                       i, n;
    ngx_http_ilert_loc_conf_t      **locations;
    ngx_http_ilert_mapping_conf_t  **confs;

    n = imcf->locations.nelts;
    locations = imcf->locations.elts;

    confs = ngx_palloc(cf->temp_pool,
                       n * sizeof(ngx_http_ilert_mapping_conf_t *));
    if (confs == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        confs[i] = &locations[i]->mapping;

        /* "if" and "limit_except" have what their location has */

        if (!locations[i]->clcf->noname
            && ngx_http_ilert_location_is_native(imcf, locations[i]))
        {
            ngx_http_ilert_check_mapping(cf, imcf, locations[i]);
        }
    }

    return ngx_http_ilert_mapping_init(cf, confs, n);
}


/* true if no webhook of the location can come to be an event of ours */

static ngx_uint_t
ngx_http_ilert_location_is_native(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_loc_conf_t *ilcf)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    if (ilcf->source || ilcf->off) {
        return ilcf->source && ilcf->source->native;
    }

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (!sources[i]->native) {
            return 0;
        }
    }

    return imcf->sources.nelts != 0;
}


/* names what has no effect there, unless another location inherits it too */

static void
ngx_http_ilert_check_mapping(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_loc_conf_t *ilcf)
{
    u_char                      *p, *last, list[512];
    ngx_str_t                   *name;
    ngx_uint_t                   i, k, n;
    ngx_http_ilert_loc_conf_t  **locations;

    n = 0;
    p = list;
    last = list + sizeof(list);
    locations = imcf->locations.elts;

    for (i = 0; i < NGX_HTTP_ILERT_MAPPING_N; i++) {

        name = ngx_http_ilert_mapping_unfit(&ilcf->mapping, i);
        if (name == NULL) {
            continue;
        }

        for (k = 0; k < imcf->locations.nelts; k++) {
            if (locations[k]->mapping.directives[i]
                == ilcf->mapping.directives[i]
                && !ngx_http_ilert_location_is_native(imcf, locations[k]))
            {
                break;
            }
        }

        if (k == imcf->locations.nelts) {
            p = ngx_slprintf(p, last, "%s\"%V\"", n++ ? ", " : "", name);
        }
    }

    if (n == 0) {
        return;
    }

    p = ngx_slprintf(p, last, n == 1 ? " has" : " have");

    if (ilcf->source == NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "%*s no effect with \"ilert_kapacitor\" in %s:%ui: "
                      "all sources have webhook URLs, their events are made "
                      "by ilert", (size_t) (p - list), list,
                      ilcf->file_name, ilcf->line);
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "%*s no effect with \"ilert_kapacitor\" in %s:%ui: source "
                  "\"%V\" has a webhook URL, its events are made by ilert",
                  (size_t) (p - list), list,
                  ilcf->file_name, ilcf->line, &ilcf->source->name);
}


ngx_http_ilert_source_t *
ngx_http_ilert_find_source(ngx_http_ilert_main_conf_t *imcf, ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_text_same(&sources[i]->name, name)) {
            return sources[i];
        }
    }

    return NULL;
}


static ngx_http_ilert_endpoint_t *
ngx_http_ilert_find_endpoint(ngx_http_ilert_main_conf_t *imcf,
    ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_ilert_endpoint_t  **endpoints;

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        if (ngx_http_ilert_text_same(&endpoints[i]->name, name)) {
            return endpoints[i];
        }
    }

    return NULL;
}
