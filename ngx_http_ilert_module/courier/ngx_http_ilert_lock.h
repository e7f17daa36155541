
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LOCK_H_INCLUDED_
#define _NGX_HTTP_ILERT_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


/*
 * Which worker is the courier: the one that has the lock on the queue's
 * folder, among the workers of all masters.  And how the courier is woken: by
 * a byte in a pipe that all workers of a master have open.
 *
 * All functions are called on the event loop.
 */


/*
 * The client of the lock, which is the courier.  Its handlers may let the lock
 * go.
 */

typedef struct {

    /* returns 1 if this worker may take the lock */
    ngx_uint_t                 (*may_begin)(void);

    /* this worker has got the lock */
    void                       (*begins)(void);

    /* this worker has the lock, and a byte was written to the pipe */
    void                       (*woken)(void);

    /* this worker has the lock, and is to exit */
    void                       (*exits)(void);
} ngx_http_ilert_lock_client_t;


/*
 * Makes the pipe, before there are workers.  A pipe is kept when nginx is
 * reloaded, unless "path", the folder's, is another one: then workers of both
 * configurations run for a while, and each courier has to get its own bytes.
 * If there is no pipe, which is logged, no worker becomes the courier.
 */
void ngx_http_ilert_lock_init_module(ngx_cycle_t *cycle, ngx_str_t *path);

/*
 * Begins in a worker.  "path" is the folder's; it and the client must stay as
 * long as the worker.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_lock_init_process(ngx_cycle_t *cycle,
    ngx_str_t *path, ngx_http_ilert_lock_client_t *client);


/*
 * Takes the lock, if no worker has it, or if the one that has it stands still.
 * Then client->begins() has been called when this returns.
 */
void ngx_http_ilert_lock_compete(void);

/*
 * Is called twice a second by the worker that has the lock: gives a sign of
 * life.  Returns NGX_OK, or NGX_DECLINED if this worker must let the lock go,
 * because another worker has taken its place.
 */
ngx_int_t ngx_http_ilert_lock_look(void);

/* Lets the lock go; the client is not called. */
void ngx_http_ilert_lock_let_go(void);

/* Has client->exits() not called again. */
void ngx_http_ilert_lock_ignore_exit(void);


/* Returns 1 if this worker has taken the lock, and has not let it go. */
ngx_uint_t ngx_http_ilert_lock_is_held(void);

/*
 * Returns 1 if this worker has taken the lock, and no other worker has taken
 * its place since.  If it has not called this for a while, it may have stood
 * still: then the lock's file is looked at, too, since workers of another
 * master do not share memory with this one.
 */
ngx_uint_t ngx_http_ilert_lock_is_current(void);

/* Returns the seat, a number in shared memory: a new one for each time. */
ngx_uint_t ngx_http_ilert_lock_seat(void);

/* Sets the members of a job by which the store checks the lock itself. */
void ngx_http_ilert_lock_set_job(ngx_http_ilert_store_job_t *job);


/*
 * Writes a byte to the pipe: wakes the courier, unless that is a worker of
 * another master.
 */
void ngx_http_ilert_lock_wake(void);


/*
 * Returns 1 if there is a courier that gives signs of life.  If there is none,
 * this worker tries to become the courier, and returns 1 if it has.
 */
ngx_uint_t ngx_http_ilert_lock_runs(void);

/*
 * Returns the pid of the courier if it has given no sign of life for 5
 * seconds, or 0.
 */
ngx_pid_t ngx_http_ilert_lock_silent(void);


#endif /* _NGX_HTTP_ILERT_LOCK_H_INCLUDED_ */
