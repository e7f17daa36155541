
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_sha1.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_digest_conf.h"
#include "ngx_http_ilert_events.h"
#include "ngx_http_ilert_fallback_conf.h"
#include "ngx_http_ilert_mapping.h"
#include "ngx_http_ilert_rate.h"
#include "ngx_http_ilert_reconcile_conf.h"
#include "ngx_http_ilert_resolve.h"
#include "ngx_http_ilert_source.h"
#include "ngx_http_ilert_text.h"
#include "ngx_http_ilert_webhook.h"


/* how many requests in a minute ilert accepts for one integration key */

#define NGX_HTTP_ILERT_KEY_RATE        50


static ngx_int_t ngx_http_ilert_resolve_check_handlers(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_resolve_check_endpoint(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint);
static ngx_int_t ngx_http_ilert_resolve_source(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_resolve_share_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_resolve_add_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_resolve_source_uri(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_resolve_location(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static ngx_int_t ngx_http_ilert_resolve_check_events(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf);
static ngx_int_t ngx_http_ilert_resolve_init_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_uint_t ngx_http_ilert_resolve_is_passthrough(
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static ngx_str_t *ngx_http_ilert_resolve_unfit(
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf,
    ngx_uint_t i);
static void ngx_http_ilert_resolve_check_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf);
static ngx_int_t ngx_http_ilert_resolve_heartbeat(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


ngx_int_t
ngx_http_ilert_resolve(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                    i;
    ngx_http_ilert_key_t        **keys;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_loc_conf_t   **locations;
    ngx_http_ilert_endpoint_t   **endpoints;

    if (ngx_http_ilert_resolve_check_handlers(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        if (ngx_http_ilert_resolve_check_endpoint(cf,
                                                  endpoints[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (imcf->queue.path.len == 0) {
        ngx_http_ilert_source_check_unused(cf, imcf);
    }

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_resolve_source(cf, imcf, sources[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ilert_digest_resolve(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    keys = imcf->keys.elts;

    for (i = 0; i < imcf->keys.nelts; i++) {
        ngx_http_ilert_rate_default(&keys[i]->rate);
    }

    locations = imcf->locations.elts;

    for (i = 0; i < imcf->locations.nelts; i++) {
        if (ngx_http_ilert_resolve_location(cf, imcf, locations[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_ilert_resolve_init_mapping(cf, imcf) != NGX_OK
        || ngx_http_ilert_reconcile_resolve(cf, imcf) != NGX_OK
        || ngx_http_ilert_fallback_resolve(cf, imcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_resolve_heartbeat(cf, imcf);
}


static ngx_int_t
ngx_http_ilert_resolve_check_handlers(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf) {
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


static ngx_int_t
ngx_http_ilert_resolve_check_endpoint(ngx_conf_t *cf,
    ngx_http_ilert_endpoint_t *endpoint)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = endpoint->conf_ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (clcf->handler == NULL
        || clcf->handler == ngx_http_ilert_webhook_handler
        || clcf->handler == ngx_http_ilert_events_handler)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "nothing leaves through \"ilert_endpoint\" \"%V\", "
                      "a \"proxy_pass\" is needed in its location in %s:%ui",
                      &endpoint->name, endpoint->file_name, endpoint->line);
        return NGX_ERROR;
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

    if (ngx_http_ilert_resolve_share_key(cf, imcf, source) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_ilert_resolve_source_uri(cf, source);
}


/*
 * Sources with the same integration key share one budget, because ilert counts
 * requests by key.  If they are given different rates, the lowest one holds,
 * with the greatest reserve.
 */

static ngx_int_t
ngx_http_ilert_resolve_share_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source)
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
        && ngx_http_ilert_resolve_add_key(cf, imcf, source) != NGX_OK)
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

    if (shared->rate.reserve != NGX_CONF_UNSET_UINT
        && source->rate.reserve != NGX_CONF_UNSET_UINT
        && shared->rate.reserve != source->rate.reserve)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ilert_source\" \"%V\" and \"%V\" share a key but "
                      "not the \"reserve\" of their \"rate\", the greater one "
                      "is used", &shared->source->name, &source->name);
    }

    if (ngx_http_ilert_rate_share(&shared->rate, &source->rate)) {
        shared->source = source;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_resolve_add_key(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source)
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
    ngx_http_ilert_rate_init(&shared->rate);
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


static ngx_int_t
ngx_http_ilert_resolve_source_uri(ngx_conf_t *cf,
    ngx_http_ilert_source_t *source) {
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


static ngx_int_t
ngx_http_ilert_resolve_location(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf)
{
    u_char                    *p, *last, list[256];
    ngx_str_t                 *name;
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    if (ilcf->route->lengths) {
        return NGX_OK;
    }

    name = &ilcf->route->value;

    if (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0) {
        ilcf->off = 1;
        return NGX_OK;
    }

    if (ilcf->events && name->len == 3
        && ngx_strncmp(name->data, "key", 3) == 0)
    {
        ilcf->by_key = 1;

        if (ngx_http_ilert_find_source(imcf, name)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"ilert_events key\" in %s:%ui does not mean the "
                          "source \"key\", but those that have the keys of "
                          "events", ilcf->file_name, ilcf->line);
        }

        return NGX_OK;
    }

    ilcf->source = ngx_http_ilert_find_source(imcf, name);

    if (ilcf->source) {
        return ngx_http_ilert_resolve_check_events(cf, ilcf);
    }

    p = list;
    last = list + sizeof(list);
    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        p = ngx_slprintf(p, last, ", \"%V\"", &sources[i]->name);
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown source \"%V\" in \"%V\" in %s:%ui, allowed are "
                  "variables, \"off\"%s and the names of \"ilert_source\" "
                  "blocks%*s", name, ilcf->directive, ilcf->file_name,
                  ilcf->line, ilcf->events ? ", \"key\"" : "",
                  (size_t) (p - list), list);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_ilert_resolve_check_events(ngx_conf_t *cf,
    ngx_http_ilert_loc_conf_t *ilcf)
{
    if (!ilcf->events || !ilcf->source->passthrough) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "source \"%V\" of \"ilert_events\" in %s:%ui has a webhook "
                  "URL, which takes webhooks of Kapacitor only, a source with "
                  "\"integration_key\" or \"integration_key_file\" is allowed",
                  &ilcf->source->name, ilcf->file_name, ilcf->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_ilert_resolve_init_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf) {
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

        /* "if" and "limit_except" have the same settings as their location */

        if (!locations[i]->clcf->noname) {
            ngx_http_ilert_resolve_check_mapping(cf, imcf, locations[i]);
        }
    }

    return ngx_http_ilert_mapping_init(cf, confs, n);
}


/*
 * Returns 1 if all sources that the location can have are of webhook URLs, so
 * that directives of the mapping have no effect.
 */

static ngx_uint_t
ngx_http_ilert_resolve_is_passthrough(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_loc_conf_t *ilcf)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    if (ilcf->source || ilcf->off) {
        return ilcf->source && ilcf->source->passthrough;
    }

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (!sources[i]->passthrough) {
            return 0;
        }
    }

    return imcf->sources.nelts != 0;
}


/*
 * Returns the name of directive i of the mapping if the location has it, and
 * if it has no effect there, else NULL.
 */

static ngx_str_t *
ngx_http_ilert_resolve_unfit(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_loc_conf_t *ilcf, ngx_uint_t i)
{
    if (!ilcf->events
        && !ngx_http_ilert_resolve_is_passthrough(imcf, ilcf))
    {
        return NULL;
    }

    return ngx_http_ilert_mapping_unfit(&ilcf->mapping, i, ilcf->events);
}


/*
 * Warns of directives of the mapping that have no effect in a location, since
 * events go on as they came, or are made by ilert.  A directive of an outer
 * block is not warned of if another location inherits it and uses it.
 */

static void
ngx_http_ilert_resolve_check_mapping(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_loc_conf_t *ilcf)
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

        name = ngx_http_ilert_resolve_unfit(imcf, ilcf, i);
        if (name == NULL) {
            continue;
        }

        for (k = 0; k < imcf->locations.nelts; k++) {
            if (locations[k]->mapping.directives[i]
                == ilcf->mapping.directives[i]
                && ngx_http_ilert_resolve_unfit(imcf, locations[k], i)
                   == NULL)
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

    if (ilcf->events) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "%*s no effect with \"ilert_events\" in %s:%ui: its "
                      "events go on as they came", (size_t) (p - list), list,
                      ilcf->file_name, ilcf->line);
        return;
    }

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

    if (hcf->kapacitor && imcf->kapacitors.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"kapacitor=on\" of \"ilert_heartbeat\" in %s:%ui asks "
                      "no Kapacitor, a location with \"ilert_reconcile\" is "
                      "needed", hcf->file_name, hcf->line);
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

    return ngx_http_ilert_resolve_source_uri(cf, source);
}
