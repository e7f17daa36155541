
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
 * Whether, and when, there may be a request.  Here is what the courier keeps
 * of each key, source, and endpoint, and how it decides by that.  The
 * functions are pure: they depend on this state and on the time only.
 * t/courier/ tests them by a table.
 *
 * "now" is ngx_current_msec, as are all times here, but for "wall", which is
 * the wall clock in ms.
 */


/* ms: the longest pause of a parked key */

#define NGX_HTTP_ILERT_PAUSE_PARK_MAX  300000


/* of an integration key */

struct ngx_http_ilert_courier_key_s {
    ngx_uint_t                   inflight;  /* requests under way */
    ngx_uint_t                   faults;    /* pauses in a row, with no */
                                            /* request between them that was */
                                            /* not refused */
    ngx_msec_t                   until;     /* the end of the last pause */
    ngx_msec_t                   limited;   /* time of the last 429 */
    ngx_msec_t                   probed;    /* start of the last request */
    ngx_uint_t                   pauses;    /* so far */
    ngx_http_ilert_store_budget_t  *budget;
    unsigned                     tight:1;   /* there was a 429 lately */
    unsigned                     parked:1;  /* the last pause is of a parked */
                                            /* key, not of a 429 */
};


/* of a source */

struct ngx_http_ilert_courier_source_s {
    ngx_queue_t                  ready;     /* store_event_t, taken and not */
                                            /* sent yet */
    ngx_uint_t                   nready;
    ngx_uint_t                   inflight;  /* requests under way */
    ngx_uint_t                   most;      /* of nready and inflight */
                                            /* together */
    ngx_msec_t                   taken;     /* when some were taken last */

    /* when the last job that took events of this source was prepared: */
    ngx_uint_t                   pauses;    /* deliver_pauses() */
    ngx_uint_t                   urgent;    /* counters->urgent */
    ngx_uint_t                   orders;    /* counters->orders */

    ngx_uint_t                   resumed;   /* counters->resumed, when it */
                                            /* was looked at last */

    /*
     * Everything of the source is refused, but not because of its key, if
     * "faults" is not 0.
     */
    ngx_uint_t                   faults;    /* pauses in a row */
    ngx_msec_t                   until;     /* the end of the last pause */
    ngx_msec_t                   probed;    /* start of the last request */
    ngx_uint_t                   stops;     /* pauses so far */

    unsigned                     more:1;    /* there may be events to take */
    unsigned                     fresh:1;   /* some have come in since the */
                                            /* last job that took events */
    unsigned                     release:1; /* the next job releases events */
                                            /* that wait for a time */
    unsigned                     changed:1; /* it was logged that it has */
                                            /* events of the other kind */
};


/* of an endpoint */

struct ngx_http_ilert_courier_endpoint_s {
    ngx_uint_t                   inflight;  /* requests under way */
    ngx_uint_t                   faults;    /* requests in a row that got no */
                                            /* answer */
    int64_t                      alert;     /* of the first one of these */
    unsigned                     several:1; /* they were of several alerts */
    ngx_msec_t                   probed;    /* start of the last request */
    ngx_msec_t                   until;     /* end of the pause, if it is */
                                            /* down */
    ngx_uint_t                   pauses;    /* so far; each request without */
                                            /* an answer counts, if it is */
                                            /* down */
    ngx_uint_t                   probes;    /* pauses since it is down, one */
                                            /* after the other */
    ngx_http_ilert_store_budget_t  *budget; /* NULL: "rate=off" */
};


/*
 * Returns 1 if the endpoint is down: so many requests in a row got no answer.
 */
ngx_uint_t ngx_http_ilert_pause_is_down(ngx_http_ilert_courier_endpoint_t *ce);

/*
 * Returns 1 if there may be one request at a time for the key: the last answer
 * has refused it, or there was a 429 within the last window.  After a 429
 * others probably use the key, too, so each request is a probe.
 */
ngx_uint_t ngx_http_ilert_pause_is_tight(ngx_http_ilert_key_t *key,
    ngx_msec_t now);

/*
 * Returns 1 if a probe of the source, its key, or its endpoint is under way,
 * so that no other request may be made.
 */
ngx_uint_t ngx_http_ilert_pause_is_probed(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/*
 * Returns the ms for which the source has to wait before its next request, or
 * 0; or -1 if it has to wait for the outcome of a probe that is under way.
 * "urgent" is 1 if an event of the first urgency has come in since the last
 * job that took events.
 */
ngx_msec_int_t ngx_http_ilert_pause_left(ngx_http_ilert_source_t *source,
    ngx_uint_t urgent, ngx_msec_t now);

/* Returns the ms until both budgets of the source have a slot, or 0. */
int64_t ngx_http_ilert_pause_budget(ngx_http_ilert_source_t *source,
    int64_t wall);

/*
 * Returns 1 if a budget had no slot left in the last job, so that events may
 * not have been taken for that reason.
 */
ngx_uint_t ngx_http_ilert_pause_is_spent(ngx_http_ilert_source_t *source);

/*
 * Returns how many events of the source may be taken.  It is no more than can
 * be sent at once: a more urgent one may still come, and what waits on disk
 * can still become obsolete.  But if the last ones have been delivered sooner
 * than the disk can give others, it is more.
 */
ngx_uint_t ngx_http_ilert_pause_may_take(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/*
 * A job has found more events of the source than it was to take.  If all that
 * were taken have been delivered in a short time, twice as many may be taken.
 */
void ngx_http_ilert_pause_take_more(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/*
 * Returns the number of pauses so far of the source, its key, and its
 * endpoint.
 */
ngx_uint_t ngx_http_ilert_pause_count(ngx_http_ilert_source_t *source);


/*
 * ilert has answered, and has not refused the key: ends the pauses of the key
 * and the endpoint.  Returns 1 if the endpoint was down, or if the key was
 * parked and more than one request was refused: then events may wait for this.
 */
ngx_uint_t ngx_http_ilert_pause_delivered(ngx_http_ilert_source_t *source);

/*
 * There was no answer to an event of the alert, which had been sent "attempts"
 * times before.  Returns the ms for which the event has to wait.  "down" is
 * set to 1 if the endpoint is down, so that all its events have to wait, else
 * to 0.
 */
ngx_msec_t ngx_http_ilert_pause_unanswered(ngx_http_ilert_source_t *source,
    int64_t alert, ngx_uint_t attempts, ngx_uint_t *down, ngx_msec_t now);

/*
 * The answer is a reason to park the key ("parked" is 1) or a 429.  After
 * a 429, "retry_after" is how many seconds ilert wants us to wait, or 0 if it
 * has not said that.  Returns the key's pause in ms, or 0 if one had begun
 * before.
 */
ngx_msec_t ngx_http_ilert_pause_refused(ngx_http_ilert_source_t *source,
    ngx_uint_t parked, time_t retry_after, ngx_msec_t now);

/*
 * Everything of the source is refused, and a request has shown it again.
 * Returns the ms that are left of the source's pause; if there was none, a new
 * one has begun.
 */
ngx_msec_t ngx_http_ilert_pause_source(ngx_http_ilert_source_t *source,
    ngx_msec_t now);

/*
 * Not everything of the source is refused any more: ends its pause.  Returns 1
 * if there was one.
 */
ngx_uint_t ngx_http_ilert_pause_end_source(ngx_http_ilert_source_t *source);

/*
 * An event was refused by a machine on the way, after "attempts" attempts,
 * perhaps because of what is in it.  Returns the ms for which it has to wait:
 * longer than the pause of its key, so that another event is the next probe.
 */
ngx_msec_t ngx_http_ilert_pause_foreign(ngx_http_ilert_source_t *source,
    ngx_uint_t attempts, ngx_msec_t now);

/*
 * An operator has resumed the source: ends its pause, and that of its key
 * unless there was a 429 lately.
 */
void ngx_http_ilert_pause_resume(ngx_http_ilert_source_t *source);


#endif /* _NGX_HTTP_ILERT_PAUSE_H_INCLUDED_ */
