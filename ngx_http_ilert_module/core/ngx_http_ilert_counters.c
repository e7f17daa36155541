
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_fault.h"
#include "ngx_http_ilert_history.h"
#include "ngx_http_ilert_text.h"


/*
 * nginx keeps the zone over a reload if its size is the same.  So the size is
 * a power of two with room for many names; at least for twice those that are
 * configured, since at a reload those of the running cycle are there, too.
 *
 * A name that is not configured any more keeps its place until the place is
 * needed and no process is left that can write to it.  For this, cycles have
 * numbers; the master notes the cycle of each process; and a node has the
 * numbers of the cycles in which its name is.  A node of the running cycle
 * always stays, as the reload may still fail.
 */


/* bytes of the zone, at least */

#define NGX_HTTP_ILERT_COUNTERS_SIZE     (1024 * 1024)


/* a process; the index is that of ngx_processes[] */

typedef struct {
    ngx_pid_t                    pid;
    ngx_uint_t                   cycle;     /* to which it belongs */
} ngx_http_ilert_counters_process_t;


static size_t ngx_http_ilert_counters_room(size_t size);
static ngx_int_t ngx_http_ilert_counters_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_http_ilert_counters_count_processes(ngx_uint_t running);
static ngx_int_t ngx_http_ilert_counters_find_nodes(
    ngx_http_ilert_main_conf_t *imcf, ngx_uint_t running, ngx_uint_t make);
static ngx_int_t ngx_http_ilert_counters_find_kapacitors(
    ngx_http_ilert_main_conf_t *imcf, ngx_uint_t running, ngx_uint_t make);
static void *ngx_http_ilert_counters_node(ngx_http_ilert_counters_node_t *list,
    ngx_str_t *name, ngx_uint_t cycle);
static void *ngx_http_ilert_counters_make_node(
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_counters_node_t **list,
    ngx_str_t *name, size_t size, ngx_uint_t running);
static ngx_int_t ngx_http_ilert_counters_give_way(
    ngx_http_ilert_main_conf_t *imcf, ngx_uint_t running);
static ngx_http_ilert_counters_node_t **ngx_http_ilert_counters_oldest(
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_counters_node_t **list,
    ngx_uint_t running);
static ngx_uint_t ngx_http_ilert_counters_is_used(
    ngx_http_ilert_counters_node_t *node, ngx_uint_t cycle,
    ngx_uint_t running);
static void ngx_http_ilert_counters_code(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t code);
static void ngx_http_ilert_counters_park_key(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source, ngx_str_t *reason, int64_t until);
static void ngx_http_ilert_counters_park(ngx_http_ilert_counters_last_t *last,
    ngx_str_t *reason, int64_t until);


/* the mutex of the zone; "node" points to a node, or what begins with one */

#define ngx_http_ilert_counters_lock(node)                                    \
    ngx_shmtx_lock(&((ngx_http_ilert_counters_node_t *) (node))->counters     \
                   ->shpool->mutex)

#define ngx_http_ilert_counters_unlock(node)                                  \
    ngx_shmtx_unlock(&((ngx_http_ilert_counters_node_t *) (node))->counters   \
                     ->shpool->mutex)


/* in the master: the number of the last cycle, and the processes */

static ngx_uint_t  ngx_http_ilert_counters_cycle;
static ngx_http_ilert_counters_process_t
    ngx_http_ilert_counters_processes[NGX_MAX_PROCESSES];


static ngx_str_t  ngx_http_ilert_counters_zone_name =
    ngx_string("ilert_stats");


ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_commit_buckets[] =
{
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


ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_delivery_buckets[] =
{
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
ngx_http_ilert_counters_init(ngx_conf_t *cf, ngx_http_ilert_main_conf_t *imcf)
{
    size_t                        size, room;
    ngx_uint_t                    i;
    ngx_shm_zone_t               *shm_zone;
    ngx_http_ilert_source_t     **sources;
    ngx_http_ilert_endpoint_t   **endpoints;
    ngx_http_ilert_kapacitor_t  **kapacitors;

    if (imcf->sources.nelts + imcf->endpoints.nelts + imcf->handlers.nelts
        == 0)
    {
        /* the module is loaded, but not used */

        return NGX_OK;
    }

    room = 0;
    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        room += ngx_http_ilert_counters_room(
                                     sizeof(ngx_http_ilert_counters_source_t)
                                     + sources[i]->name.len);
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        room += ngx_http_ilert_counters_room(
                                   sizeof(ngx_http_ilert_counters_endpoint_t)
                                   + endpoints[i]->name.len);
    }

    kapacitors = imcf->kapacitors.elts;

    for (i = 0; i < imcf->kapacitors.nelts; i++) {
        room += ngx_http_ilert_counters_room(
                                  sizeof(ngx_http_ilert_counters_kapacitor_t)
                                  + kapacitors[i]->name.len);
    }

    /*
     * twice what is needed, and an eighth, which the slab allocator needs, and
     * the history; all else is in the least size
     */

    for (size = NGX_HTTP_ILERT_COUNTERS_SIZE;
         size < 2 * room + room / 8;
         size *= 2)
    {
        /* void */
    }

    size += ngx_http_ilert_counters_room(ngx_http_ilert_history_size());

    shm_zone = ngx_shared_memory_add(cf, &ngx_http_ilert_counters_zone_name,
                                     size, &ngx_http_ilert_module);
    if (shm_zone == NULL) {
        return NGX_ERROR;
    }

    shm_zone->init = ngx_http_ilert_counters_init_zone;
    shm_zone->data = imcf;

    return NGX_OK;
}


/* Returns how many bytes of the zone the slab allocator needs for "size". */

static size_t
ngx_http_ilert_counters_room(size_t size)
{
    size_t  room;

    for (room = 64; room < size; room *= 2) { /* void */ }

    return (room > ngx_pagesize / 2) ? ngx_align(size, ngx_pagesize) : room;
}


static ngx_int_t
ngx_http_ilert_counters_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_uint_t                   running;
    ngx_slab_pool_t             *shpool;
    ngx_http_ilert_counters_t   *counters;
    ngx_http_ilert_main_conf_t  *imcf, *old;

    imcf = shm_zone->data;
    old = data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data == NULL && !shm_zone->shm.exists) {

        counters = ngx_slab_calloc(shpool, sizeof(ngx_http_ilert_counters_t));
        if (counters == NULL) {
            return NGX_ERROR;
        }

        counters->history = ngx_http_ilert_history_create(shpool);
        if (counters->history == NULL) {
            return NGX_ERROR;
        }

        counters->shpool = shpool;
        counters->bytes = -1;
        counters->started = ngx_http_ilert_clock_now();

        ngx_http_ilert_counters_init_refused(counters->refused);

        shpool->data = counters;
        shpool->log_nomem = 0;
    }

    imcf->counters = shpool->data;
    imcf->cycle = ++ngx_http_ilert_counters_cycle;

    running = old ? old->cycle : imcf->cycle;

    ngx_http_ilert_counters_count_processes(running);

    /* first those that are there: they must not give way to new ones */

    if (ngx_http_ilert_counters_find_nodes(imcf, running, 0) != NGX_OK
        || ngx_http_ilert_counters_find_nodes(imcf, running, 1) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "shared memory zone \"%V\" has no room for the names "
                      "of %ui sources, %ui endpoints, and %ui Kapacitors, as "
                      "workers that are shutting down still use names of "
                      "before; reload when they have ended, see "
                      "\"worker_shutdown_timeout\", or restart nginx",
                      &shm_zone->shm.name, imcf->sources.nelts,
                      imcf->endpoints.nelts, imcf->kapacitors.nelts);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Notes the cycle of each process.  A worker that shuts down keeps the cycle
 * that was noted before; the other workers, and those that are new, belong to
 * the running cycle.
 */

static void
ngx_http_ilert_counters_count_processes(ngx_uint_t running)
{
    ngx_int_t                           i;
    ngx_http_ilert_counters_process_t  *sp;

    for (i = 0; i < ngx_last_process; i++) {
        sp = &ngx_http_ilert_counters_processes[i];

        if (sp->pid != ngx_processes[i].pid || !ngx_processes[i].exiting) {
            sp->pid = ngx_processes[i].pid;
            sp->cycle = running;
        }
    }
}


/*
 * Finds the nodes of all sources, endpoints, and Kapacitors.  Nodes that are
 * not there are made if "make" is 1.
 */

static ngx_int_t
ngx_http_ilert_counters_find_nodes(ngx_http_ilert_main_conf_t *imcf,
    ngx_uint_t running, ngx_uint_t make)
{
    ngx_uint_t                   i;
    ngx_http_ilert_source_t    **sources, *source;
    ngx_http_ilert_counters_t   *counters;
    ngx_http_ilert_endpoint_t  **endpoints, *endpoint;

    counters = imcf->counters;
    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        source = sources[i];

        source->counters = ngx_http_ilert_counters_node(counters->sources,
                                                  &source->name, imcf->cycle);

        if (source->counters == NULL && make) {
            source->counters = ngx_http_ilert_counters_make_node(imcf,
                                    &counters->sources, &source->name,
                                    sizeof(ngx_http_ilert_counters_source_t),
                                    running);
            if (source->counters == NULL) {
                return NGX_ERROR;
            }

            ngx_http_ilert_counters_init_refused(source->counters->refused);
        }
    }

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {
        endpoint = endpoints[i];

        endpoint->counters = ngx_http_ilert_counters_node(counters->endpoints,
                                                    &endpoint->name,
                                                    imcf->cycle);

        if (endpoint->counters == NULL && make) {
            endpoint->counters = ngx_http_ilert_counters_make_node(imcf,
                                  &counters->endpoints, &endpoint->name,
                                  sizeof(ngx_http_ilert_counters_endpoint_t),
                                  running);
            if (endpoint->counters == NULL) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_ilert_counters_find_kapacitors(imcf, running, make);
}


static ngx_int_t
ngx_http_ilert_counters_find_kapacitors(ngx_http_ilert_main_conf_t *imcf,
    ngx_uint_t running, ngx_uint_t make)
{
    ngx_uint_t                    i;
    ngx_http_ilert_counters_t    *counters;
    ngx_http_ilert_kapacitor_t  **kapacitors, *kapacitor;

    counters = imcf->counters;
    kapacitors = imcf->kapacitors.elts;

    for (i = 0; i < imcf->kapacitors.nelts; i++) {
        kapacitor = kapacitors[i];

        kapacitor->counters = ngx_http_ilert_counters_node(
                                                     counters->kapacitors,
                                                     &kapacitor->name,
                                                     imcf->cycle);

        if (kapacitor->counters == NULL && make) {
            kapacitor->counters = ngx_http_ilert_counters_make_node(imcf,
                                 &counters->kapacitors, &kapacitor->name,
                                 sizeof(ngx_http_ilert_counters_kapacitor_t),
                                 running);
            if (kapacitor->counters == NULL) {
                return NGX_ERROR;
            }

            kapacitor->counters->poll.since = ngx_http_ilert_clock_now();
        }
    }

    return NGX_OK;
}


/*
 * Returns the node of that name, and notes that it is in this cycle, too; or
 * NULL.  Lists are read and changed by the master only, so they need no mutex.
 */

static void *
ngx_http_ilert_counters_node(ngx_http_ilert_counters_node_t *list,
    ngx_str_t *name, ngx_uint_t cycle)
{
    ngx_http_ilert_counters_node_t  *node;

    for (node = list; node; node = node->next) {

        if (ngx_http_ilert_text_same(&node->name, name)) {
            node->last = cycle;
            return node;
        }
    }

    return NULL;
}


static void *
ngx_http_ilert_counters_make_node(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_counters_node_t **list, ngx_str_t *name, size_t size,
    ngx_uint_t running)
{
    ngx_http_ilert_counters_node_t  *node;

    /* node and name are one piece: so a node that gives way makes room */

    for ( ;; ) {
        node = ngx_slab_calloc(imcf->counters->shpool, size + name->len);

        if (node) {
            break;
        }

        if (ngx_http_ilert_counters_give_way(imcf, running) != NGX_OK) {
            return NULL;
        }
    }

    node->counters = imcf->counters;
    node->first = imcf->cycle;
    node->last = imcf->cycle;

    node->name.len = name->len;
    node->name.data = (u_char *) node + size;
    ngx_memcpy(node->name.data, name->data, name->len);

    node->next = *list;
    *list = node;

    return node;
}


/*
 * Frees the node that has been out of the configuration for the longest time,
 * of those that no process uses.  Returns NGX_OK, or NGX_DECLINED if there is
 * none.
 */

static ngx_int_t
ngx_http_ilert_counters_give_way(ngx_http_ilert_main_conf_t *imcf,
    ngx_uint_t running)
{
    ngx_uint_t                        i;
    ngx_http_ilert_counters_t        *counters;
    ngx_http_ilert_counters_node_t   *node, **list, **oldest;
    ngx_http_ilert_counters_node_t  **lists[3];

    counters = imcf->counters;

    lists[0] = &counters->sources;
    lists[1] = &counters->endpoints;
    lists[2] = &counters->kapacitors;

    oldest = NULL;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        list = ngx_http_ilert_counters_oldest(imcf, lists[i], running);

        if (list && (oldest == NULL || (*list)->last < (*oldest)->last)) {
            oldest = list;
        }
    }

    if (oldest == NULL) {
        return NGX_DECLINED;
    }

    node = *oldest;
    *oldest = node->next;

    ngx_slab_free(counters->shpool, node);

    return NGX_OK;
}


/* Returns the pointer to the oldest unused node of a list, or NULL. */

static ngx_http_ilert_counters_node_t **
ngx_http_ilert_counters_oldest(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_counters_node_t **list, ngx_uint_t running)
{
    ngx_http_ilert_counters_node_t  *node, **oldest;

    oldest = NULL;

    for (node = *list; node; list = &node->next, node = *list) {

        if ((oldest == NULL || node->last < (*oldest)->last)
            && !ngx_http_ilert_counters_is_used(node, imcf->cycle, running))
        {
            oldest = list;
        }
    }

    return oldest;
}


static ngx_uint_t
ngx_http_ilert_counters_is_used(ngx_http_ilert_counters_node_t *node,
    ngx_uint_t cycle, ngx_uint_t running)
{
    ngx_int_t                           i;
    ngx_http_ilert_counters_process_t  *sp;

    /* without a master process, old cycles live on in the only process */

    if (ngx_process == NGX_PROCESS_SINGLE || node->last == cycle
        || (node->first <= running && running <= node->last))
    {
        return 1;
    }

    for (i = 0; i < ngx_last_process; i++) {
        sp = &ngx_http_ilert_counters_processes[i];

        if (sp->pid != -1 && node->first <= sp->cycle
            && sp->cycle <= node->last)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_ilert_counters_outcome(ngx_http_ilert_source_t *source,
    ngx_http_ilert_counters_outcome_t *outcome)
{
    int64_t                            now;
    ngx_uint_t                         unparked;
    ngx_http_ilert_main_conf_t        *imcf;
    ngx_http_ilert_counters_last_t    *last;
    ngx_http_ilert_counters_source_t  *ss;

    ss = source->counters;
    last = &ss->last;
    now = ngx_http_ilert_clock_now();

    imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_ilert_module);

    ngx_http_ilert_counters_code(ss, outcome->code);

    unparked = 0;

    ngx_http_ilert_counters_lock(ss);

    if (outcome->refused) {
        ngx_http_ilert_counters_park(last, outcome->error,
                                     now + outcome->pause);

    } else if (last->parked && outcome->valid) {
        ngx_http_ilert_counters_park(last, NULL, 0);
        unparked = 1;
    }

    last->limited = outcome->limited;
    last->failing = outcome->failing;

    if (last->limited) {
        last->until = now + outcome->pause;
    }

    if (outcome->error == NULL) {
        last->success = now;
        last->refuses = 0;

    } else {
        last->error_time = now;
        last->error_status = outcome->status;
        ngx_http_ilert_counters_set_text(&last->error, outcome->error);
    }

    ngx_http_ilert_counters_unlock(ss);

    if (outcome->refused) {
        ngx_http_ilert_counters_park_key(imcf, source, outcome->error,
                                         now + outcome->pause);

    } else if (unparked) {
        ngx_http_ilert_counters_park_key(imcf, source, NULL, 0);
    }

    if (outcome->up) {
        ngx_http_ilert_counters_set_down(source->endpoint, 0);
    }

    if (outcome->error == NULL) {
        ngx_http_ilert_counters_add(ss->delivered, 1);
        ngx_http_ilert_history_add(imcf->counters->history,
                                   NGX_HTTP_ILERT_HISTORY_DELIVERED, now);
        ngx_http_ilert_counters_observe(&imcf->counters->delivery,
                                    ngx_http_ilert_counters_delivery_buckets,
                                    (now - outcome->received) * 1000);
    }
}


void
ngx_http_ilert_counters_get_last(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_last_t *last)
{
    ngx_http_ilert_counters_lock(ss);
    *last = ss->last;
    ngx_http_ilert_counters_unlock(ss);
}


static void
ngx_http_ilert_counters_code(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t code)
{
    ngx_uint_t                       last;
    ngx_http_ilert_counters_code_t  *sc;

    /* the last place is for FAULT_ERROR, and for codes without a place */

    last = NGX_HTTP_ILERT_COUNTERS_CODES - 1;

    if (code != NGX_HTTP_ILERT_FAULT_ERROR
        && ngx_http_ilert_counters_add_code(ss->codes, last, code))
    {
        return;
    }

    sc = &ss->codes[last];
    sc->code = NGX_HTTP_ILERT_FAULT_ERROR;
    ngx_http_ilert_counters_add(sc->n, 1);
}


/*
 * Parks all other sources that have the source's key, or, if "reason" is NULL,
 * ends that.
 */

static void
ngx_http_ilert_counters_park_key(ngx_http_ilert_main_conf_t *imcf,
    ngx_http_ilert_source_t *source, ngx_str_t *reason, int64_t until)
{
    ngx_uint_t                         i;
    ngx_http_ilert_source_t          **sources;
    ngx_http_ilert_counters_source_t  *ss;

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {

        if (sources[i] == source || sources[i]->shared != source->shared) {
            continue;
        }

        ss = sources[i]->counters;

        ngx_http_ilert_counters_lock(ss);
        ngx_http_ilert_counters_park(&ss->last, reason, until);
        ngx_http_ilert_counters_unlock(ss);
    }
}


/*
 * Parks a source; if "reason" is NULL, it is not parked any more.  Is called
 * with the mutex held.
 */

static void
ngx_http_ilert_counters_park(ngx_http_ilert_counters_last_t *last,
    ngx_str_t *reason, int64_t until)
{
    if (reason) {
        ngx_http_ilert_counters_set_text(&last->park, reason);
    }

    last->until = until;
    last->parked = (reason != NULL);
}


void
ngx_http_ilert_counters_settle(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t returned)
{
    ngx_uint_t  n;

    n = ss->doubtful;

    if (n == 0 || !ngx_atomic_cmp_set(&ss->doubtful, n, 0)) {
        return;
    }

    if (n > returned) {
        ngx_http_ilert_counters_add(ss->dead, n - returned);
    }
}


void
ngx_http_ilert_counters_refuses(ngx_http_ilert_source_t *source,
    ngx_str_t *reason, ngx_msec_t pause)
{
    ngx_http_ilert_counters_last_t    *last;
    ngx_http_ilert_counters_source_t  *ss;

    ss = source->counters;
    last = &ss->last;

    ngx_http_ilert_counters_lock(ss);

    last->refuses = (reason != NULL);

    if (reason && !last->parked) {
        ngx_http_ilert_counters_set_text(&last->park, reason);
        last->until = ngx_http_ilert_clock_now() + pause;
    }

    ngx_http_ilert_counters_unlock(ss);
}


void
ngx_http_ilert_counters_set_text(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value)
{
    size_t  len;

    len = ngx_http_ilert_text_cut(value, sizeof(text->data));

    text->len = 0;
    ngx_memcpy(text->data, value->data, len);
    text->len = len;
}


ngx_uint_t
ngx_http_ilert_counters_unpark(ngx_http_ilert_source_t *source)
{
    ngx_uint_t                         parked, refuses;
    ngx_http_ilert_main_conf_t        *imcf;
    ngx_http_ilert_counters_source_t  *ss;

    ss = source->counters;

    ngx_http_ilert_counters_lock(ss);

    parked = ss->last.parked;
    refuses = ss->last.refuses;

    if (parked || refuses) {
        ngx_http_ilert_counters_park(&ss->last, NULL, 0);
        ss->last.refuses = 0;
    }

    ngx_http_ilert_counters_unlock(ss);

    if (parked) {
        imcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                                   ngx_http_ilert_module);

        ngx_http_ilert_counters_park_key(imcf, source, NULL, 0);
    }

    return parked || refuses;
}


void
ngx_http_ilert_counters_order(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t pause)
{
    ngx_http_ilert_counters_lock(ss);

    ss->orders++;
    ss->paused = pause;

    if (!pause) {
        ss->resumed++;
    }

    ngx_http_ilert_counters_unlock(ss);
}


void
ngx_http_ilert_counters_set_paused(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t orders, ngx_uint_t paused)
{
    ngx_http_ilert_counters_lock(ss);

    if (ss->orders == orders) {
        ss->paused = paused;
    }

    ngx_http_ilert_counters_unlock(ss);
}


ngx_uint_t
ngx_http_ilert_counters_recent(time_t since, time_t period)
{
    time_t  elapsed;

    elapsed = ngx_time() - since;

    return elapsed >= 0 && elapsed < period;
}


ngx_uint_t
ngx_http_ilert_counters_due(ngx_atomic_t *last, time_t period)
{
    ngx_atomic_uint_t  since;

    since = *last;

    return !ngx_http_ilert_counters_recent((time_t) since, period)
           && ngx_atomic_cmp_set(last, since, ngx_time());
}


ngx_uint_t
ngx_http_ilert_counters_fault(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t code, time_t period)
{
    ngx_uint_t                        log;
    ngx_http_ilert_counters_fault_t  *sf;

    log = 0;
    sf = &ss->fault;

    ngx_http_ilert_counters_lock(ss);

    if ((!sf->fault || sf->code != code)
        && !ngx_http_ilert_counters_recent(sf->time, period))
    {
        log = 1;
        sf->fault = 1;
        sf->time = ngx_time();
        sf->code = code;
    }

    ngx_http_ilert_counters_unlock(ss);

    return log;
}


ngx_uint_t
ngx_http_ilert_counters_no_fault(ngx_http_ilert_counters_source_t *ss)
{
    ngx_uint_t  log;

    /* nearly always there is none: this needs no mutex */

    if (!ss->fault.fault) {
        return 0;
    }

    ngx_http_ilert_counters_lock(ss);

    log = ss->fault.fault;
    ss->fault.fault = 0;

    ngx_http_ilert_counters_unlock(ss);

    return log;
}


void
ngx_http_ilert_counters_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down)
{
    ngx_http_ilert_counters_endpoint_t  *se;

    se = endpoint->counters;

    if (se->down == down) {
        return;
    }

    ngx_http_ilert_counters_lock(se);

    if (se->down != down) {
        se->down = down;
        se->since = ngx_http_ilert_clock_now();
    }

    ngx_http_ilert_counters_unlock(se);
}


ngx_uint_t
ngx_http_ilert_counters_get_down(ngx_http_ilert_endpoint_t *endpoint,
    int64_t *since)
{
    ngx_uint_t                           down;
    ngx_http_ilert_counters_endpoint_t  *se;

    se = endpoint->counters;

    ngx_http_ilert_counters_lock(se);

    down = se->down;
    *since = se->since;

    ngx_http_ilert_counters_unlock(se);

    return down;
}


void
ngx_http_ilert_counters_set_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting)
{
    ngx_http_ilert_counters_lock(ss);
    ss->waiting = *waiting;
    ngx_http_ilert_counters_unlock(ss);
}


void
ngx_http_ilert_counters_get_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting)
{
    ngx_http_ilert_counters_lock(ss);
    *waiting = ss->waiting;
    ngx_http_ilert_counters_unlock(ss);
}


void
ngx_http_ilert_counters_observe(ngx_http_ilert_counters_histogram_t *histogram,
    ngx_http_ilert_counters_bucket_t *buckets, int64_t usec)
{
    ngx_uint_t  i;

    usec = ngx_max(usec, 0);

    for (i = 0; (uint64_t) usec > buckets[i].bound; i++) { /* void */ }

    ngx_http_ilert_counters_add(histogram->buckets[i], 1);
    ngx_http_ilert_counters_add(histogram->sum, (ngx_atomic_int_t) usec);
}
