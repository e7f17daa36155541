
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
 * The courier's half that sends: what is taken is sent as soon as it may be,
 * each with its verdict goes back to the store, and what may not be sent now
 * goes back unsent.  Which events are taken is for courier.c to say.
 */


/* alerts that one job may resolve by "resolve_after" */

#define NGX_HTTP_ILERT_COURIER_RESOLVES  16

/* events of a source in hand, under which it is time for more */

#define NGX_HTTP_ILERT_COURIER_LOW       50

/* ms from one part of housekeeping to the next; no timer is longer */

#define NGX_HTTP_ILERT_COURIER_CLEAN     60000


/* of a worker */

typedef struct {
    ngx_http_ilert_queue_conf_t     *conf;
    ngx_http_ilert_main_conf_t      *imcf;
    ngx_http_ilert_store_take_t     *takes;     /* one for each source */
    ngx_http_ilert_source_t        **taking;    /* whose they are */
    ngx_str_t                       *release;
    ngx_http_ilert_source_t        **releasing;
    ngx_http_ilert_store_home_t     *homes;     /* one for each source */
    ngx_http_ilert_store_budget_t   *budgets;   /* of keys, of endpoints */
    ngx_uint_t                       nbudgets;
    uint64_t                         ids[NGX_HTTP_ILERT_COURIER_RESOLVES];
    int64_t                          deadly[NGX_HTTP_ILERT_LIFE_EVENTS];

    ngx_event_t                      tick;
    ngx_event_t                      wait;      /* for a pause's end */
    ngx_event_t                      flush;
    ngx_event_t                      clean;
    ngx_event_t                      grace;

    /*
     * Each time that this worker becomes the courier it has another seat, see
     * lock.h, and another number in the database, the term, which is 0 until
     * the store has said it.
     */
    ngx_uint_t                       prepared;  /* the job's seat, or 0 */
    int64_t                          term;

    ngx_msec_t                       started;
    ngx_uint_t                       inflight;
    size_t                           size;      /* of bodies in hand */
    int64_t                          now;       /* at the last job */
    int64_t                          longest;   /* of all pauses, ms */
    ngx_msec_t                       until;     /* the end of a crowd */
    ngx_uint_t                       pauses;    /* for it, so far */
    ngx_msec_t                       rest;      /* after jobs in a row that */
                                                /* have changed nothing, ms */
    ngx_msec_t                       rested;    /* the end of that */

    unsigned                         begin:1;   /* and the store has to know */
    unsigned                         leaving:1;
    unsigned                         cleaning:1;
    unsigned                         moving:1;  /* alerts to their keys */
    unsigned                         woken:1;   /* since the last job */
    unsigned                         crowded:1; /* there was no connection */
} ngx_http_ilert_courier_t;


/* there is one, of which both halves know all */
extern ngx_http_ilert_courier_t  ngx_http_ilert_courier;


/*
 * Makes what is kept of each source, key, and endpoint; co->imcf is set.
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_deliver_init_process(ngx_http_ilert_courier_t *co,
    ngx_pool_t *pool);

/* sends what may be sent now */
void ngx_http_ilert_deliver_go(ngx_http_ilert_courier_t *co);

/*
 * How many ms the source has to wait before its next request; -1 until the
 * outcome of one that is under way, which then wakes it
 */
ngx_msec_int_t ngx_http_ilert_deliver_pause(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/* pauses so far, of the source and of all */
ngx_uint_t ngx_http_ilert_deliver_pauses(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/* something is to be looked at again in so many ms, or sooner; -1: not so */
void ngx_http_ilert_deliver_set_wait(ngx_http_ilert_courier_t *co,
    ngx_msec_int_t timer);

/* no event has to wait for a time, of the endpoint or, if NULL, of any */
void ngx_http_ilert_deliver_release(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_endpoint_t *endpoint);

/*
 * Everything of the source is refused, as has turned out again: it is parked.
 * Returns how many ms it is until the next probe.
 */
ngx_msec_t ngx_http_ilert_deliver_park(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_source_t *source);

/* ilert has taken an event of the source: not everything is refused */
void ngx_http_ilert_deliver_taken(ngx_http_ilert_source_t *source);

/* what is taken and not sent, of the key or of the endpoint, waits on disk */
void ngx_http_ilert_deliver_return(ngx_http_ilert_courier_t *co,
    ngx_http_ilert_key_t *key, ngx_http_ilert_endpoint_t *endpoint);

/* so does this event */
void ngx_http_ilert_deliver_give_back(ngx_http_ilert_store_event_t *se);

/* all that is under way is given up */
void ngx_http_ilert_deliver_give_up(void);

/* what is taken and not sent is forgotten: it is found on disk again */
void ngx_http_ilert_deliver_forget(ngx_http_ilert_courier_t *co);


#endif /* _NGX_HTTP_ILERT_DELIVER_H_INCLUDED_ */
