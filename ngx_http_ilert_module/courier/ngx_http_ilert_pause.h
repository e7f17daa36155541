
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_PAUSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_PAUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_store.h"


/*
 * Whether, and when, there may be a request: what the courier keeps of each
 * key, source and endpoint, and what it makes of that.  Pure functions of
 * these and of the time; t/courier/ has a table of them.
 *
 * "now" is ngx_current_msec, but for "wall", which is wall clock in ms.
 */


/* ms, the longest pause of a key that ilert refuses */

#define NGX_HTTP_ILERT_PAUSE_PARK_MAX  300000


/* of an integration key */

struct ngx_http_ilert_courier_key_s {
    ngx_uint_t                   inflight;
    ngx_uint_t                   faults;    /* in a row: 429, or it is */
                                            /* refused */
    ngx_msec_t                   until;     /* the pause's end, then */
    ngx_msec_t                   limited;   /* time of the last 429 */
    ngx_msec_t                   probed;    /* the last request's start */
    ngx_uint_t                   pauses;    /* so far */
    ngx_http_ilert_store_budget_t  *budget;
    unsigned                     tight:1;   /* there was a 429 lately */
    unsigned                     parked:1;  /* it is refused */
};


/* of a source */

struct ngx_http_ilert_courier_source_s {
    ngx_queue_t                  ready;     /* taken, not sent yet */
    ngx_uint_t                   nready;
    ngx_uint_t                   inflight;
    ngx_uint_t                   most;      /* of both */
    ngx_msec_t                   taken;     /* when some were taken last */
    ngx_uint_t                   pauses;    /* of its key and its endpoint */
                                            /* when a job was begun */
    ngx_uint_t                   resumed;   /* orders that were seen */
    ngx_uint_t                   urgent;    /* events that were, when a job */
                                            /* was begun */
    ngx_uint_t                   orders;    /* when a job was begun */

    /* everything of it is refused, though nothing is wrong with its key */

    ngx_uint_t                   faults;    /* in a row */
    ngx_msec_t                   until;     /* the pause's end */
    ngx_msec_t                   probed;    /* the last request's start */
    ngx_uint_t                   stops;     /* pauses so far */

    unsigned                     more:1;    /* there may be events to take */
    unsigned                     fresh:1;   /* one has just come in */
    unsigned                     release:1; /* none need wait any longer */
    unsigned                     changed:1; /* its kind has, which is said */
};


/* of an endpoint */

struct ngx_http_ilert_courier_endpoint_s {
    ngx_uint_t                   inflight;
    ngx_uint_t                   faults;    /* in a row, without an answer */
    int64_t                      alert;     /* whose event was the first */
    unsigned                     several:1; /* others' were too */
    ngx_msec_t                   probed;    /* the last one's start */
    ngx_msec_t                   until;     /* the next one, if it is down */
    ngx_uint_t                   pauses;    /* so far */
    ngx_uint_t                   probes;    /* of those, since it is down */
    ngx_http_ilert_store_budget_t  *budget; /* NULL: "rate=off" */
};


/* whether the endpoint has given no answer to so many that it is down */
ngx_uint_t ngx_http_ilert_pause_is_down(ngx_http_ilert_courier_endpoint_t *ce);

/*
 * Whether there is one request at a time for the key: it is paused, or others
 * use it, too, for there was an answer of 429.  Until there has been none for
 * as long as a window takes, one request finds out what is left to us.
 */
ngx_uint_t ngx_http_ilert_pause_is_tight(ngx_http_ilert_key_t *key,
    ngx_msec_t now);

/* whether one request is under way for all, whose outcome they wait for */
ngx_uint_t ngx_http_ilert_pause_is_probed(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/*
 * How many ms the source has to wait before its next request; -1 until the
 * outcome of one that is under way.  "urgent": something urgent has come in
 * since a job was begun.
 */
ngx_msec_int_t ngx_http_ilert_pause_left(ngx_http_ilert_source_t *source,
    ngx_uint_t urgent, ngx_msec_t now);

/* how many ms it takes until both of its budgets have a request, or 0 */
int64_t ngx_http_ilert_pause_budget(ngx_http_ilert_source_t *source,
    int64_t wall);

/* whether there may be events that a budget had nothing left for */
ngx_uint_t ngx_http_ilert_pause_is_spent(ngx_http_ilert_source_t *source);

/*
 * How many events of the source may be taken.  No more than can be sent at
 * once: the next most urgent one may be yet to come, and what waits on disk
 * can still become obsolete.  But where they are gone in no time the disk must
 * not be what they wait for.
 */
ngx_uint_t ngx_http_ilert_pause_may_take(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/* a job has more events of the source, all of which have been delivered */
void ngx_http_ilert_pause_take_more(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/* pauses so far; another number than before: what was taken waits on disk */
ngx_uint_t ngx_http_ilert_pause_count(ngx_http_ilert_source_t *source);


/*
 * ilert has answered, and has nothing against the source.  Returns 1 if the
 * endpoint was down, or more than one request of the key was refused: what
 * waits has waited for this.
 */
ngx_uint_t ngx_http_ilert_pause_delivered(ngx_http_ilert_source_t *source);

/*
 * There was no answer, to an event of the alert, after so many attempts.
 * Returns how many ms the event is to wait; if "down" is set, all of the
 * endpoint wait, too.
 */
ngx_msec_t ngx_http_ilert_pause_unanswered(ngx_http_ilert_source_t *source,
    int64_t alert, ngx_uint_t attempts, ngx_uint_t *down, ngx_msec_t now);

/*
 * The key is refused, "parked", or used up; then ilert may have said for how
 * many seconds.  Returns the pause in ms, or 0 if there is one already.
 */
ngx_msec_t ngx_http_ilert_pause_refused(ngx_http_ilert_source_t *source,
    ngx_uint_t parked, time_t retry_after, ngx_msec_t now);

/*
 * Everything of the source is refused, as has turned out again.  Returns how
 * many ms are left of the pause.
 */
ngx_msec_t ngx_http_ilert_pause_all(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/* not any more; whether it was */
ngx_uint_t ngx_http_ilert_pause_taken(ngx_http_ilert_source_t *source);

/*
 * An event was refused by somebody else than ilert, after so many attempts.
 * It may be for what is in it: returns how many ms it is to wait, which is
 * longer than the pause of its key, so that another one probes.
 */
ngx_msec_t ngx_http_ilert_pause_foreign(ngx_http_ilert_source_t *source,
    ngx_uint_t attempts, ngx_msec_t now);

/* an operator wants it to go on: nothing but a limit is waited for */
void ngx_http_ilert_pause_resume(ngx_http_ilert_source_t *source);


#endif /* _NGX_HTTP_ILERT_PAUSE_H_INCLUDED_ */
