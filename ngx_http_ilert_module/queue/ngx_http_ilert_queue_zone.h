
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_QUEUE_ZONE_H_INCLUDED_
#define _NGX_HTTP_ILERT_QUEUE_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_queue_log.h"


/*
 * What the queue has before there are workers: its memory, which they share,
 * its threads, and its folder.
 */


/* in shared memory */

typedef struct {
    pthread_mutex_t                     mutex;      /* of writers */

    /*
     * What ilert shows of an alert is not known after a relay beside the
     * queue: relays so far, and those that the store has heard of.
     */
    ngx_atomic_t                        relayed;
    ngx_atomic_t                        settled;

    /*
     * Of this memory: the store has a row of it as long as there may be relays
     * that the store has not heard of, see .._store_session().
     */
    int64_t                             session;
    ngx_atomic_t                        registered;
    ngx_atomic_t                        workers[NGX_MAX_PROCESSES];
                                                    /* their pids, or 0 */

    ngx_http_ilert_queue_trouble_t      trouble;

    ngx_http_ilert_life_t               life;
} ngx_http_ilert_queue_shctx_t;


/*
 * Adds a thread for each worker, a pool of that name, unless the user has
 * configured "thread_pool" with it.
 */
ngx_int_t ngx_http_ilert_queue_add_thread(ngx_conf_t *cf, ngx_str_t *name);

/* "ilert_queue" has been read: the shared memory, and the thread */
ngx_int_t ngx_http_ilert_queue_init(ngx_conf_t *cf,
    ngx_http_ilert_queue_conf_t *conf);

/* the name of its pool */
extern ngx_str_t  ngx_http_ilert_queue_pool_name;

/*
 * Makes the folder, in the master, and gives it and its files to the workers'
 * user; where that fails it is logged, and all goes on without a queue.  Who
 * only tests the configuration gives no files away: workers may be at them.
 */
void ngx_http_ilert_queue_create(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);

/* the user whose worker processes are */
ngx_uid_t ngx_http_ilert_queue_user(ngx_cycle_t *cycle);

/*
 * Whether the folder, or a file in it, belongs to another user; sets the path
 * of the first one, of the cycle's pool, and its owner.
 */
ngx_uint_t ngx_http_ilert_queue_foreign(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_uid_t user, ngx_str_t *name,
    ngx_uid_t *owner);


#endif /* _NGX_HTTP_ILERT_QUEUE_ZONE_H_INCLUDED_ */
