
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LIFE_H_INCLUDED_
#define _NGX_HTTP_ILERT_LIFE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Signs of life, in the queue's shared memory: which worker is the courier,
 * which one has the database's mutex, when each gave its last sign, and which
 * event the courier has at hand.  The kernel releases the locks of a process
 * that has died.  A process that stands still keeps them; others can only see
 * that it gives no signs.
 *
 * The functions are called on the event loop, but for
 * ngx_http_ilert_life_locked().  Times are ms of the monotonic clock, which is
 * the same for all processes.
 */


/*
 * ms without a sign: after the first one it is logged; after the second one
 * the courier loses its place, and the worker that has the mutex is killed.
 */

#define NGX_HTTP_ILERT_LIFE_SILENT   5000
#define NGX_HTTP_ILERT_LIFE_STILL    10000

/* an event becomes a dead letter when so many workers have died of it */

#define NGX_HTTP_ILERT_LIFE_DEATHS   3

/* events whose deaths are counted, at most */

#define NGX_HTTP_ILERT_LIFE_EVENTS   16


/* an event can be at hand in two places: the thread, and the event loop */

#define NGX_HTTP_ILERT_LIFE_THREAD   0
#define NGX_HTTP_ILERT_LIFE_LOOP     1
#define NGX_HTTP_ILERT_LIFE_HANDS    2


/* a process, by its pid and the time of its start, as pids come again */

typedef struct {
    ngx_atomic_t                 pid;       /* 0: nobody */
    ngx_atomic_t                 birth;     /* .._PROC_BIRTH; 0: unknown */
    ngx_atomic_t                 sign;      /* time of the last sign */
} ngx_http_ilert_life_process_t;


/* workers that have died of an event */

typedef struct {
    int64_t                      seq;       /* the event's; 0: a free place */
    ngx_uint_t                   n;
} ngx_http_ilert_life_death_t;


/* in shared memory, all zeros at first */

typedef struct {
    ngx_atomic_t                 path;      /* hash of the path of the queue */
                                            /* that the rest is about: after */
                                            /* a reload with another path */
                                            /* there are two for a while */
    ngx_atomic_t                 seat;      /* the courier's; it is raised */
                                            /* when a courier begins, and */
                                            /* when one loses its place */
    ngx_atomic_t                 logged;    /* 1: its silence was logged */
    ngx_http_ilert_life_process_t  courier;
    ngx_http_ilert_life_process_t  holder;  /* of the database's mutex */

    volatile int64_t             marks[NGX_HTTP_ILERT_LIFE_HANDS];
                                            /* seq of the event at hand, or */
                                            /* 0 */
    ngx_http_ilert_life_death_t  deaths[NGX_HTTP_ILERT_LIFE_EVENTS];
} ngx_http_ilert_life_t;


/*
 * Begins in a worker.  "life" is in shared memory; "path" is that of the
 * queue's folder.
 */
void ngx_http_ilert_life_init_process(ngx_http_ilert_life_t *life,
    ngx_str_t *path);

/*
 * Is called twice a second in each worker.  If this worker has the mutex, it
 * gives a sign.  If another one has it and stands still, that one is killed.
 */
void ngx_http_ilert_life_tick(void);

/*
 * Is called on the thread: this worker has got the database's mutex ("locked"
 * is 1), or is about to release it (0).
 */
void ngx_http_ilert_life_locked(ngx_uint_t locked);


/*
 * This worker is the courier from now on.  If the last courier had an event at
 * hand, it died or stood still, and this is counted for the event.  Returns
 * the seat, a number that no other time as courier has.
 */
ngx_uint_t ngx_http_ilert_life_take_seat(void);

/* This worker gives its place up; nothing is done if it has lost the seat. */
void ngx_http_ilert_life_leave_seat(ngx_uint_t seat);

/*
 * Returns 1 if no other worker has taken the seat since.  It is also 1 if the
 * memory is about another queue now; then only the lock's file decides.
 */
ngx_uint_t ngx_http_ilert_life_has_seat(ngx_uint_t seat);

/*
 * Gives a sign of life of the courier, which is this worker.  Returns 1 if its
 * silence was logged before.
 */
ngx_uint_t ngx_http_ilert_life_sign(void);

/*
 * Returns 1 if this worker has not called ngx_http_ilert_life_tick() for
 * a second: then it may have stood still, and have lost its place.
 */
ngx_uint_t ngx_http_ilert_life_is_late(void);


/*
 * Returns the courier's pid, if it is another process that has given no sign
 * for "time" ms, or 0.
 */
ngx_pid_t ngx_http_ilert_life_silent(ngx_msec_t time);

/* Returns 1 to the first worker that wants to log the silence, then 0. */
ngx_uint_t ngx_http_ilert_life_may_log_silence(void);

/*
 * If the courier stands still, takes its seat away.  Returns 1 to the one
 * worker that has done this, else 0.
 */
ngx_uint_t ngx_http_ilert_life_claim_seat(void);


/*
 * Returns where to note the seq of the event at hand, or 0.  "hand" is
 * NGX_HTTP_ILERT_LIFE_THREAD or NGX_HTTP_ILERT_LIFE_LOOP.
 */
volatile int64_t *ngx_http_ilert_life_mark(ngx_uint_t hand);

/*
 * Sets "seqs", which has room for NGX_HTTP_ILERT_LIFE_EVENTS, to those of the
 * events of which too many workers have died.  Returns their number.
 */
ngx_uint_t ngx_http_ilert_life_deadly(int64_t *seqs);

/* Forgets all deaths: the database is a new one, with other events. */
void ngx_http_ilert_life_forget(void);


#endif /* _NGX_HTTP_ILERT_LIFE_H_INCLUDED_ */
