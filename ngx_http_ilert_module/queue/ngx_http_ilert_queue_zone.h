
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
 * What the queue has before there are workers: the memory that they share,
 * their threads, and the folder.
 */


/* in shared memory */

typedef struct {
    pthread_mutex_t                     mutex;      /* of writers */

    /*
     * After a relay beside the queue it is not known what ilert shows of the
     * alert.  "relayed" is the number of relays so far, each counted when it
     * begins and when it ends; "settled" is how many of these the store has
     * been told of.
     */
    ngx_atomic_t                        relayed;
    ngx_atomic_t                        settled;

    /*
     * A number of this memory, and so of the workers that share it.  The store
     * has a row with it, if "registered" is 1, as long as there may be relays
     * of which the store has not been told: see "session" of a job.
     */
    int64_t                             session;
    ngx_atomic_t                        registered;
    ngx_atomic_t                        workers[NGX_MAX_PROCESSES];
                                                    /* their pids, or 0 */

    ngx_http_ilert_queue_trouble_t      trouble;

    ngx_http_ilert_life_t               life;
} ngx_http_ilert_queue_shctx_t;


/*
 * Adds a thread pool with that name and one thread, of which each worker has
 * its own, unless there is a pool with that name.  "name" must stay as long as
 * the cycle.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_queue_add_thread(ngx_conf_t *cf, ngx_str_t *name);

/*
 * Is called when "ilert_queue" has been read: adds the shared memory and the
 * thread.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_queue_init(ngx_conf_t *cf,
    ngx_http_ilert_queue_conf_t *conf);

/* the name of the queue's thread pool */
extern ngx_str_t  ngx_http_ilert_queue_pool_name;

/*
 * Is called in the master: makes the folder, and gives it and the files in it
 * to the user of the workers.  An error is logged, and nginx goes on; events
 * are then relayed.  If the configuration is only tested, the files are not
 * given to anybody, as workers of another nginx may use them.
 */
void ngx_http_ilert_queue_create(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf);

/* Returns the user of the worker processes. */
ngx_uid_t ngx_http_ilert_queue_user(ngx_cycle_t *cycle);

/*
 * Returns 1 if the folder, or a file in it, belongs to somebody else than
 * "user".  Sets "name" to the path of the first one, which lives as long as
 * the cycle, and "owner".  Returns 0 if there is none, or if it is not known.
 */
ngx_uint_t ngx_http_ilert_queue_foreign(ngx_cycle_t *cycle,
    ngx_http_ilert_queue_conf_t *conf, ngx_uid_t user, ngx_str_t *name,
    ngx_uid_t *owner);


#endif /* _NGX_HTTP_ILERT_QUEUE_ZONE_H_INCLUDED_ */
