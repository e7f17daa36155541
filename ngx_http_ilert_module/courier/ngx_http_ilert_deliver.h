
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DELIVER_H_INCLUDED_
#define _NGX_HTTP_ILERT_DELIVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_life.h"
#include "ngx_http_ilert_store.h"


/*
 * The half of the courier that sends.  Events that were taken are sent as soon
 * as they may be, and go back to the store with their verdicts.  Events that
 * may not be sent now go back with the verdict "unsent".  Which events are
 * taken is decided in courier.c.
 */


/* alerts that one job may resolve by "resolve_after" */

#define NGX_HTTP_ILERT_COURIER_RESOLVES  16

/* more events of a source are taken when fewer than this many are ready */

#define NGX_HTTP_ILERT_COURIER_LOW       50

/* ms between two times of housekeeping; no pause is timed for longer */

#define NGX_HTTP_ILERT_COURIER_CLEAN     60000


/* of a worker */

typedef struct {
    ngx_http_ilert_queue_conf_t     *conf;
    ngx_http_ilert_main_conf_t      *imcf;
    ngx_http_ilert_store_take_t     *takes;     /* job->takes */
    ngx_http_ilert_source_t        **taking;    /* the source of each take */
    ngx_str_t                       *release;   /* job->release */
    ngx_http_ilert_source_t        **releasing; /* the source of each name */
    ngx_http_ilert_store_home_t     *homes;     /* one for each source */
    ngx_http_ilert_store_budget_t   *budgets;   /* of keys and endpoints */
    ngx_uint_t                       nbudgets;
    uint64_t                         ids[NGX_HTTP_ILERT_COURIER_RESOLVES];
                                                /* new event ids, for events */
                                                /* that the store makes */
    int64_t                          deadly[NGX_HTTP_ILERT_LIFE_EVENTS];
                                                /* job->deadly */

    ngx_event_t                      tick;      /* twice a second: signs of */
                                                /* life, and the lock */
    ngx_event_t                      wait;      /* the end of a pause */
    ngx_event_t                      flush;     /* the next job is due */
    ngx_event_t                      clean;     /* housekeeping */
    ngx_event_t                      grace;     /* of a worker that exits */

    /*
     * Each time that this worker becomes the courier it has another seat, see
     * lock.h, and another term, which is 0 until the store has given it.
     */
    ngx_uint_t                       prepared;  /* the job's seat, or 0 */
    int64_t                          term;

    ngx_msec_t                       started;   /* this worker */
    ngx_uint_t                       inflight;  /* requests under way */
    size_t                           size;      /* bytes of the bodies of */
                                                /* events taken */
    int64_t                          now;       /* of the last job: ms, wall */
                                                /* clock */
    int64_t                          longest;   /* of all pauses, ms */
    ngx_msec_t                       until;     /* end of the pause, if */
                                                /* "crowded" */
    ngx_uint_t                       pauses;    /* of that kind, so far */
    ngx_msec_t                       rest;      /* ms; 0 after a job that */
                                                /* has changed something */
    ngx_msec_t                       rested;    /* the end of that rest */

    unsigned                         begin:1;   /* a term has to be begun */
    unsigned                         leaving:1; /* the worker exits */
    unsigned                         cleaning:1;    /* for the next job */
    unsigned                         moving:1;  /* so are alerts that have */
                                                /* to be moved to their keys */
    unsigned                         woken:1;   /* there is something new */
                                                /* since the last job */
    unsigned                         crowded:1; /* there was no connection */
                                                /* or memory to send with */
} ngx_http_ilert_courier_t;


/* the courier of this worker; both halves use all of it */
extern ngx_http_ilert_courier_t  ngx_http_ilert_courier;


/*
 * Makes what is kept of each source, key, and endpoint, in the pool.  co->imcf
 * must be set.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_deliver_init_process(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool);

/* Sends the events that are ready and may be sent now. */
void ngx_http_ilert_deliver_go(ngx_http_ilert_courier_t *co);

/*
 * Returns the ms for which the source has to wait before its next request, or
 * 0.  Returns -1 if it has to wait for the outcome of a request that is under
 * way; that outcome sets "more", so no timer is needed.
 */
ngx_msec_int_t ngx_http_ilert_deliver_pause(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/*
 * Returns the number of pauses so far, of all kinds, that concern the source.
 * If it changes, what was taken before must not be sent.
 */
ngx_uint_t ngx_http_ilert_deliver_pauses(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/*
 * Sets the timer "wait", so that all sources are looked at after "timer" ms at
 * the latest.  Does nothing if "timer" is -1.
 */
void ngx_http_ilert_deliver_set_wait(ngx_http_ilert_courier_t *co,
    ngx_msec_int_t timer);

/*
 * Has the next job release the events of the endpoint, or of all if it is
 * NULL, that wait for a time.
 */
void ngx_http_ilert_deliver_release(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_endpoint_t *endpoint);

/*
 * Everything of the source is refused, and a request has shown it again: parks
 * the source, and gives back all its events that are ready.  Returns the ms
 * until the next probe.
 */
ngx_msec_t ngx_http_ilert_deliver_park(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/*
 * ilert has taken an event of the source: ends its pause, if everything of it
 * was refused, and counts its doubtful dead letters, which stay dead letters.
 */
void ngx_http_ilert_deliver_unpark(ngx_http_ilert_source_t *source);

/*
 * Gives back all events that are ready: those of the key, if it is not NULL,
 * or of the endpoint, if that is not NULL.
 */
void ngx_http_ilert_deliver_give_back_all(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_key_t *key, ngx_http_ilert_endpoint_t *endpoint);

/* Gives back an event that was taken, with the verdict "unsent". */
void ngx_http_ilert_deliver_give_back(ngx_http_ilert_store_event_t *se);

/* Ends all requests of the courier that are under way. */
void ngx_http_ilert_deliver_give_up(void);

/* Frees all events that are ready; on disk they stay as taken. */
void ngx_http_ilert_deliver_forget(ngx_http_ilert_courier_t *co);


#endif /* _NGX_HTTP_ILERT_DELIVER_H_INCLUDED_ */
