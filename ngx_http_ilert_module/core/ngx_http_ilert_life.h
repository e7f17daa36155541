
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_LIFE_H_INCLUDED_
#define _NGX_HTTP_ILERT_LIFE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Signs of life, in the queue's shared memory: who delivers and who has the
 * database's lock, when each was heard of last, and which event the one who
 * delivers is at.  A process that is gone lets go of its locks by itself; one
 * that stands still does not, and can only be told by its silence.
 *
 * All is of a worker and its event loop, but for what is said to be called on
 * the thread.  Times are of a clock that is the same for all processes.
 */


/* ms without a sign: others are told; it is replaced, or killed */

#define NGX_HTTP_ILERT_LIFE_SILENT   5000
#define NGX_HTTP_ILERT_LIFE_STILL    10000

/* of an event at which so many workers have died nobody takes care again */

#define NGX_HTTP_ILERT_LIFE_DEATHS   3

/* events of which deaths are remembered */

#define NGX_HTTP_ILERT_LIFE_EVENTS   16


/* what an event is in the hands of */

#define NGX_HTTP_ILERT_LIFE_THREAD   0
#define NGX_HTTP_ILERT_LIFE_LOOP     1
#define NGX_HTTP_ILERT_LIFE_HANDS    2


/* a process, by its number, and when it was begun: numbers come again */

typedef struct {
    ngx_atomic_t                 pid;       /* 0: nobody */
    ngx_atomic_t                 birth;
    ngx_atomic_t                 sign;      /* time of the last one */
} ngx_http_ilert_life_process_t;


typedef struct {
    int64_t                      seq;       /* 0: a free place */
    ngx_uint_t                   n;
} ngx_http_ilert_life_death_t;


/* in shared memory, all zeros at first */

typedef struct {
    ngx_atomic_t                 path;      /* of the courier's queue: for a */
                                            /* while there may be two */
    ngx_atomic_t                 seat;      /* the courier's; raised for the */
                                            /* next one, and by who takes it */
                                            /* from one that is silent */
    ngx_atomic_t                 logged;    /* its silence was logged */
    ngx_http_ilert_life_process_t  courier;
    ngx_http_ilert_life_process_t  holder;  /* of the database's lock */

    volatile int64_t             marks[NGX_HTTP_ILERT_LIFE_HANDS];
                                            /* event.seq, or 0 */
    ngx_http_ilert_life_death_t  deaths[NGX_HTTP_ILERT_LIFE_EVENTS];
} ngx_http_ilert_life_t;


/* a worker begins; "path" is that of the queue's folder */
void ngx_http_ilert_life_init_process(ngx_http_ilert_life_t *life,
    ngx_str_t *path);

/*
 * Called twice a second by each worker: whether it holds the lock or not is
 * seen to here, and whether another one that does stands still.
 */
void ngx_http_ilert_life_tick(void);

/* on the thread: the database's lock is ours, or is not any more */
void ngx_http_ilert_life_locked(ngx_uint_t locked);


/*
 * This worker delivers from now on, under a number that is returned.  What its
 * predecessor was at when it died, or stood still, is counted.
 */
ngx_uint_t ngx_http_ilert_life_take_seat(void);

/* it does not any more, by its own will */
void ngx_http_ilert_life_leave_seat(ngx_uint_t seat);

/* whether nobody else does since then */
ngx_uint_t ngx_http_ilert_life_has_seat(ngx_uint_t seat);

/* a sign of life of the courier, which is us; 1: its silence has been told */
ngx_uint_t ngx_http_ilert_life_sign(void);

/* whether we have not looked for a while: others may have given us up */
ngx_uint_t ngx_http_ilert_life_is_late(void);


/* the courier's number if it has given no sign for so many ms, or 0 */
ngx_pid_t ngx_http_ilert_life_silent(ngx_msec_t time);

/* true for the first one only that wants to tell of it */
ngx_uint_t ngx_http_ilert_life_may_log_silence(void);

/* the same for the one that wants its place, which the old one has lost */
ngx_uint_t ngx_http_ilert_life_claim_seat(void);


/* where it is written which event is at hand: its seq, or 0 */
volatile int64_t *ngx_http_ilert_life_mark(ngx_uint_t hand);

/* sets the seq of events at which too many have died, returns their number */
ngx_uint_t ngx_http_ilert_life_deadly(int64_t *seqs);

/* deaths so far were of events of another database */
void ngx_http_ilert_life_forget(void);


#endif /* _NGX_HTTP_ILERT_LIFE_H_INCLUDED_ */
