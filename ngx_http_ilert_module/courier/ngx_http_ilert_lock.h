
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LOCK_H_INCLUDED_
#define _NGX_HTTP_ILERT_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


/*
 * Who delivers: the worker that has the lock on the queue's folder, of those
 * of all masters.  And how it is woken: by a byte in a FIFO.
 *
 * All is of a worker and its event loop.
 */


/* the courier, which stays; a handler may let the lock go */

typedef struct {

    /* whether this worker may have it: nothing is left of an earlier time */
    ngx_uint_t                 (*may_begin)(void);

    /* this worker has it now */
    void                       (*begins)(void);

    /* another worker, or this one, has woken who has it */
    void                       (*woken)(void);

    /* the worker is to exit, and has it */
    void                       (*exits)(void);
} ngx_http_ilert_lock_client_t;


/* "path" is that of the folder; NGX_ERROR if there is no memory */
ngx_int_t ngx_http_ilert_lock_init_process(ngx_cycle_t *cycle,
    ngx_str_t *path, ngx_http_ilert_lock_client_t *client);


/* takes the lock if nobody has it, or who has it stands still */
void ngx_http_ilert_lock_compete(void);

/*
 * Called by who has it, twice a second: a sign of life.  NGX_DECLINED: its
 * time is over, it must let it go.
 */
ngx_int_t ngx_http_ilert_lock_look(void);

/* lets it go, which nobody was told of yet */
void ngx_http_ilert_lock_let_go(void);

/* the worker, which exits, does not have to be told so again */
void ngx_http_ilert_lock_stay(void);


/* whether this worker has taken it and not let go yet */
ngx_uint_t ngx_http_ilert_lock_is_held(void);

/*
 * Whether that is still so, and nobody has been given its place.  Who has not
 * looked for a while looks at the file, too: those of another master share no
 * memory with us.
 */
ngx_uint_t ngx_http_ilert_lock_is_current(void);

/* the number of this time that the worker has it, in shared memory */
ngx_uint_t ngx_http_ilert_lock_seat(void);

/* the store looks itself whether the lock is still there */
void ngx_http_ilert_lock_set_job(ngx_http_ilert_store_job_t *job);


/* wakes who has it, if that is not this worker */
void ngx_http_ilert_lock_wake(void);


/* whether somebody delivers, in this worker, which may begin so, or another */
ngx_uint_t ngx_http_ilert_lock_runs(void);

/*
 * The number of the process that ought to deliver, if it has given no sign of
 * life for some seconds, or 0.
 */
ngx_pid_t ngx_http_ilert_lock_silent(void);


#endif /* _NGX_HTTP_ILERT_LOCK_H_INCLUDED_ */
