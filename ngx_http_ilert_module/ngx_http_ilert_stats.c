
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_module.h"
#include "ngx_http_ilert_queue.h"
#include "ngx_http_ilert_stats.h"
#include "ngx_http_ilert_text.h"


/*
 * The zone stays the same one over reloads as long as its size does, and what
 * is no longer configured keeps its place in it: the size is a power of two
 * with room for many names.
 */

#define NGX_HTTP_ILERT_STATS_SIZE     (1024 * 1024)
#define NGX_HTTP_ILERT_STATS_EACH     4096


static ngx_int_t ngx_http_ilert_stats_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void *ngx_http_ilert_stats_node(ngx_http_ilert_stats_t *stats,
    ngx_http_ilert_stats_node_t **list, ngx_str_t *name, size_t size);
static void ngx_http_ilert_stats_code(ngx_http_ilert_stats_source_t *ss,
    ngx_uint_t code);
static void ngx_http_ilert_stats_park(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_key_t *key, ngx_str_t *reason, int64_t until);


static ngx_str_t  ngx_http_ilert_stats_zone_name = ngx_string("ilert_stats");


ngx_http_ilert_stats_bucket_t  ngx_http_ilert_stats_commit_buckets[] = {
    { 1000, "0.001" },
    { 2500, "0.0025" },
    { 5000, "0.005" },
    { 10000, "0.01" },
    { 25000, "0.025" },
    { 50000, "0.05" },
    { 100000, "0.1" },
    { 250000, "0.25" },
    { 500000, "0.5" },
    { 1000000, "1.0" },
    { 2500000, "2.5" },
    { 5000000, "5.0" },
    { 10000000, "10.0" },
    { (uint64_t) -1, "+Inf" }
};


ngx_http_ilert_stats_bucket_t  ngx_http_ilert_stats_delivery_buckets[] = {
    { 50000, "0.05" },
    { 100000, "0.1" },
    { 250000, "0.25" },
    { 500000, "0.5" },
    { 1000000, "1.0" },
    { 2500000, "2.5" },
    { 5000000, "5.0" },
    { 10000000, "10.0" },
    { 30000000, "30.0" },
    { 60000000, "60.0" },
    { 300000000, "300.0" },
    { 900000000, "900.0" },
    { 3600000000ull, "3600.0" },
    { (uint64_t) -1, "+Inf" }
};


ngx_int_t
ngx_http_ilert_stats_init(ngx_conf_t *cf, void *conf)
{
    size_t                       size;
    ngx_uint_t                   n;
    ngx_shm_zone_t              *shm_zone;
    ngx_http_ilert_main_conf_t  *imcf;

    imcf = conf;

    n = imcf->sources.nelts + imcf->endpoints.nelts;

    if (n + imcf->handlers.nelts == 0) {

        /* the module is loaded, and that is all */

        return NGX_OK;
    }

    for (size = NGX_HTTP_ILERT_STATS_SIZE;
         size < n * NGX_HTTP_ILERT_STATS_EACH;
         size *= 2)
    {
        /* void */
    }

    shm_zone = ngx_shared_memory_add(cf, &ngx_http_ilert_stats_zone_name,
                                     size, &ngx_http_ilert_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    shm_zone->init = ngx_http_ilert_stats_init_zone;
    shm_zone->data = imcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_stats_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_uint_t                    i;
    ngx_slab_pool_t              *shpool;
    ngx_http_ilert_stats_t       *stats;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_endpoint_t   **endpoints;
    ngx_http_ilert_main_conf_t   *imcf;

    imcf = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL && !shm_zone->shm.exists) {

        stats = ngx_slab_calloc(shpool, sizeof(ngx_http_ilert_stats_t));
        if (stats == NULL) {
            return NGX_ERROR;
        }

        stats->shpool = shpool;
        stats->bytes = -1;

        shpool->data = stats;
    }

    stats = shpool->data;
    imcf->stats = stats;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        sources[i]->stats = ngx_http_ilert_stats_node(stats, &stats->sources,
                                       &sources[i]->name,
                                       sizeof(ngx_http_ilert_stats_source_t));
        if (sources[i]->stats == NULL) {
            return NGX_ERROR;
        }
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        endpoints[i]->stats = ngx_http_ilert_stats_node(stats,
                                     &stats->endpoints, &endpoints[i]->name,
                                     sizeof(ngx_http_ilert_stats_endpoint_t));
        if (endpoints[i]->stats == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The node of that name, which is made if there is none.  Only the master
 * comes here, in which nothing else runs meanwhile.
 */

static void *
ngx_http_ilert_stats_node(ngx_http_ilert_stats_t *stats,
    ngx_http_ilert_stats_node_t **list, ngx_str_t *name, size_t size)
{
    ngx_http_ilert_stats_node_t  *node;

    for (node = *list; node; node = node->next) {
        if (ngx_http_ilert_text_same(&node->name, name)) {
            return node;
        }
    }

    node = ngx_slab_calloc(stats->shpool, size);
    if (node == NULL) {
        return NULL;
    }

    node->name.data = ngx_slab_alloc(stats->shpool, name->len + 1);
    if (node->name.data == NULL) {
        return NULL;
    }

    node->name.len = name->len;
    ngx_memcpy(node->name.data, name->data, name->len);

    node->next = *list;
    *list = node;

    return node;
}


void
ngx_http_ilert_stats_outcome(ngx_http_ilert_request_t *ir, ngx_str_t *error,
    ngx_msec_t pause)
{
    int64_t                         now;
    ngx_http_ilert_source_t        *source;
    ngx_http_ilert_main_conf_t     *imcf;
    ngx_http_ilert_stats_source_t  *ss;

    source = ir->event->source;
    ss = source->stats;
    now = ngx_http_ilert_queue_now();

    imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ilert_module);

    ngx_http_ilert_stats_code(ss, ir->status ? ir->status
                                  : ir->timed_out
                                    ? NGX_HTTP_ILERT_STATS_TIMEOUT
                                    : NGX_HTTP_ILERT_STATS_ERROR);

    if (ir->verdict == NGX_HTTP_ILERT_PARK) {
        ngx_http_ilert_stats_park(imcf, source->shared, error, now + pause);

    } else if (ss->parked && ir->verdict != NGX_HTTP_ILERT_AGAIN) {
        ngx_http_ilert_stats_park(imcf, source->shared, NULL, 0);
    }

    ss->limited = (ir->status == NGX_HTTP_TOO_MANY_REQUESTS);
    ss->failing = (ir->verdict == NGX_HTTP_ILERT_AGAIN && !ss->limited);

    if (ss->limited) {
        ss->until = now + pause;
    }

    if (ir->status && !ss->failing) {
        ngx_http_ilert_stats_set_down(source->endpoint, 0);
    }

    if (ir->verdict == NGX_HTTP_ILERT_DONE) {
        ss->success = now;
        ngx_http_ilert_stats_add(ss->delivered, 1);
        ngx_http_ilert_stats_observe(&imcf->stats->delivery,
                                     ngx_http_ilert_stats_delivery_buckets,
                                     (now - ir->event->received) * 1000);
        return;
    }

    ss->error_time = now;
    ss->error_status = ir->status;

    ngx_http_ilert_stats_set_text(imcf->stats, ss->error, &ss->error_len,
                                  sizeof(ss->error), error);
}


static void
ngx_http_ilert_stats_code(ngx_http_ilert_stats_source_t *ss, ngx_uint_t code)
{
    ngx_uint_t                    i;
    ngx_http_ilert_stats_code_t  *sc;

    /* if there are more codes than places the last one has the others */

    for (i = 0; i < NGX_HTTP_ILERT_STATS_CODES - 1; i++) {
        sc = &ss->codes[i];

        if (sc->code == code || ngx_atomic_cmp_set(&sc->code, 0, code)
            || sc->code == code)
        {
            ngx_http_ilert_stats_add(sc->n, 1);
            return;
        }
    }

    sc = &ss->codes[i];
    sc->code = NGX_HTTP_ILERT_STATS_ERROR;
    ngx_http_ilert_stats_add(sc->n, 1);
}


/* all that have the key are parked with it; not any more without a reason */

static void
ngx_http_ilert_stats_park(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_key_t *key, ngx_str_t *reason, int64_t until)
{
    ngx_uint_t                       i;
    ngx_http_ilert_source_t        **sources;
    ngx_http_ilert_stats_source_t   *ss;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {

        if (sources[i]->shared != key) {
            continue;
        }

        ss = sources[i]->stats;

        if (reason) {
            ngx_http_ilert_stats_set_text(imcf->stats, ss->park, &ss->park_len,
                                          sizeof(ss->park), reason);
        }

        ss->until = until;
        ss->parked = (reason != NULL);
    }
}


void
ngx_http_ilert_stats_unpark(ngx_http_ilert_source_t *source)
{
    ngx_http_ilert_stats_park(ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                      ngx_http_ilert_module),
                              source->shared, NULL, 0);
}


void
ngx_http_ilert_stats_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down)
{
    ngx_http_ilert_stats_endpoint_t  *se;

    se = endpoint->stats;

    if (se->down != down) {
        se->down = down;
        se->since = ngx_http_ilert_queue_now();
    }
}


void
ngx_http_ilert_stats_set_trouble(ngx_http_ilert_stats_t *stats,
    ngx_http_ilert_store_state_e state, ngx_str_t *error)
{
    if (error) {
        ngx_http_ilert_stats_set_text(stats, stats->error, &stats->error_len,
                                      sizeof(stats->error), error);
    }

    stats->trouble = state;
}


void
ngx_http_ilert_stats_publish(void *conf, ngx_http_ilert_store_query_t *query)
{
    ngx_uint_t                      i;
    ngx_http_ilert_source_t        *source;
    ngx_http_ilert_main_conf_t     *imcf;
    ngx_http_ilert_stats_source_t  *ss;
    ngx_http_ilert_store_source_t  *read;

    if (!query->ok || query->probe) {
        return;
    }

    imcf = conf;
    imcf->stats->bytes = query->bytes;

    read = query->sources.elts;

    for (i = 0; i < query->sources.nelts; i++) {

        source = ngx_http_ilert_find_source(imcf, &read[i].name);
        if (source == NULL) {
            continue;
        }

        ss = source->stats;

        ngx_memcpy(ss->waiting.waiting, read[i].waiting,
                   sizeof(ss->waiting.waiting));
        ngx_memcpy(ss->waiting.oldest, read[i].oldest,
                   sizeof(ss->waiting.oldest));
        ss->waiting.dead = read[i].dead;
        ss->waiting.open = read[i].open;
    }
}


void
ngx_http_ilert_stats_observe(ngx_http_ilert_stats_histogram_t *histogram,
    ngx_http_ilert_stats_bucket_t *buckets, int64_t usec)
{
    ngx_uint_t  i;

    usec = ngx_max(usec, 0);

    for (i = 0; (uint64_t) usec > buckets[i].bound; i++) { /* void */ }

    ngx_http_ilert_stats_add(histogram->buckets[i], 1);
    ngx_http_ilert_stats_add(histogram->sum, (ngx_atomic_int_t) usec);
}


void
ngx_http_ilert_stats_set_text(ngx_http_ilert_stats_t *stats, u_char *data,
    size_t *len, size_t size, ngx_str_t *text)
{
    size_t  n;

    n = ngx_http_ilert_text_cut(text, size);

    ngx_shmtx_lock(&stats->shpool->mutex);

    ngx_memcpy(data, text->data, n);
    *len = n;

    ngx_shmtx_unlock(&stats->shpool->mutex);
}


ngx_str_t
ngx_http_ilert_stats_get_text(ngx_http_ilert_stats_t *stats, u_char *data,
    size_t *len, ngx_pool_t *pool)
{
    ngx_str_t  text;

    ngx_str_null(&text);

    text.data = ngx_pnalloc(pool, sizeof(stats->error));
    if (text.data == NULL) {
        return text;
    }

    ngx_shmtx_lock(&stats->shpool->mutex);

    text.len = *len;
    ngx_memcpy(text.data, data, text.len);

    ngx_shmtx_unlock(&stats->shpool->mutex);

    return text;
}
