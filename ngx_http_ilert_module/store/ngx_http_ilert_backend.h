
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_
#define _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"


/*
 * A backend keeps what waits: sources, budgets, alerts with their events, and
 * dead letters; and webhooks that were refused.  It knows no rule.  The store
 * loads records from it into a "work", decides in C what is to become of them,
 * and saves what has changed.  Locks, ids, files, connections and what is
 * wrong with them are the backend's.
 *
 * All functions are called on the store's thread, one at a time, and may
 * block.  Those that return ngx_int_t return
 *
 *     NGX_OK
 *     NGX_ERROR     something is wrong: the backend remembers what, sets
 *                   store->fault, and tells it by report(); the transaction
 *                   has to be rolled back
 *     NGX_DECLINED  where it is said: there is no such record
 *
 * Memory of records is of work->pool, which lives as long as the transaction.
 */


/* alert.state */

#define NGX_HTTP_ILERT_STORE_READY        0     /* its first event may go */
#define NGX_HTTP_ILERT_STORE_TAKEN        1     /* it is under way */
#define NGX_HTTP_ILERT_STORE_WAITING      2     /* it may go at "next" */

/* records that a job may go through beside its own events */

#define NGX_HTTP_ILERT_STORE_ROWS         1000

/* the longest window of a rate, in ms */

#define NGX_HTTP_ILERT_STORE_WINDOW       60000


#define NGX_HTTP_ILERT_STORE_BUCKETS      256


typedef struct ngx_http_ilert_store_work_s  ngx_http_ilert_store_work_t;
typedef struct ngx_http_ilert_store_alert_s  ngx_http_ilert_store_alert_t;


/* a source; its counts are what save() adds to those that are kept */

typedef struct {
    ngx_queue_t                 queue;      /* of work->sources */

    int64_t                     id;
    ngx_str_t                   name;       /* empty if it was not asked for */
    int64_t                     owner;      /* id of the budget of its */
                                            /* integration key; 0: not known */
    int64_t                     paused;     /* time, or 0 */
    ngx_http_ilert_refusals_t   refusals;

    /* to be saved */

    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
                                            /* so many events more, or fewer */
    int64_t                     open;       /* so many alerts */
    unsigned                    added:1;    /* it is a new one */
    unsigned                    changed:1;  /* owner, paused, refusals */
    unsigned                    missing:1;  /* there is none of that name */
    unsigned                    strays:1;   /* owner is 0: it has alerts */
                                            /* without an owner */
} ngx_http_ilert_store_ident_t;


/*
 * A budget and its slots.  Each slot is a request that counts: some are under
 * way, and the others have had their verdict at the time "at", and count until
 * a window later.
 */

typedef struct {
    ngx_queue_t                 queue;      /* of work->budgets */

    int64_t                     id;
    ngx_str_t                   name;
    int64_t                     paused;     /* time of an answer of 429 */
    int64_t                     pause;      /* ms from then on */

    /* with "slots" only */

    ngx_uint_t                  underway;
    int64_t                    *at;         /* in ascending order */
    ngx_uint_t                  nat;

    /* to be saved: the changes of slots are made in this order */

    ngx_uint_t                  freed;      /* so many that are under way */
                                            /* are removed */
    ngx_uint_t                  ended;      /* so many others end now */
    int64_t                     late;       /* a time, or 0: an "at" that is */
                                            /* later becomes this time */
    int64_t                     expired;    /* a time, or 0: of slots whose */
                                            /* "at" is not later so many are */
    ngx_uint_t                  nexpired;   /* removed */
    ngx_uint_t                  begun;      /* so many are added that are */
                                            /* under way */

    unsigned                    slots:1;    /* they are loaded */
    unsigned                    added:1;    /* it is a new one */
    unsigned                    changed:1;  /* paused, pause */
} ngx_http_ilert_store_fund_t;


/* a waiting event of an alert; its body stays where it is kept */

typedef enum {
    NGX_HTTP_ILERT_STORE_KEPT = 0,          /* as it was loaded */
    NGX_HTTP_ILERT_STORE_ADDED,
    NGX_HTTP_ILERT_STORE_REPLACED,          /* it is "ev" now, but for seq */
    NGX_HTTP_ILERT_STORE_RERATED,           /* urgency */
    NGX_HTTP_ILERT_STORE_REMOVED
} ngx_http_ilert_store_change_e;

typedef struct {
    ngx_queue_t                 queue;      /* of alert->waiting */

    int64_t                     seq;        /* order of commit */
    int64_t                     since;      /* when it came, or the first */
                                            /* one that it stands for */
    ngx_uint_t                  urgency;
    ngx_http_ilert_said_t       said;
    uint64_t                    id;
    int64_t                     source;     /* id, 0: that of its alert */
    ngx_uint_t                  attempts;
    unsigned                    passthrough:1;
    unsigned                    empty:1;    /* it has no body */
    unsigned                    own:1;      /* ours, by "resolve_after" */
    unsigned                    damaged:1;  /* what is kept makes no sense */
    unsigned                    again:1;    /* it has been refused, with all */
                                            /* of its source */
    /* to be saved */

    ngx_http_ilert_store_change_e  change;
    unsigned                    listed:1;   /* in alert->changes */
    unsigned                    attempted:1;    /* one attempt more, and */
                                            /* "again" may have changed */
    ngx_queue_t                 changes;    /* of alert->changes */

    /*
     * Where the body is in memory: in "ev", of one that came in this job,
     * whether it has been saved or not; in "body", of an alert's first event
     * that was loaded with it.
     */

    ngx_http_ilert_store_event_t  *ev;
    ngx_str_t                   body;
} ngx_http_ilert_store_waiting_t;


/* which of the events that wait are known of an alert */

typedef enum {
    NGX_HTTP_ILERT_STORE_NO_EDGES = 0,
    NGX_HTTP_ILERT_STORE_FRONT,             /* the first ones: more wait */
    NGX_HTTP_ILERT_STORE_BACK,              /* the last ones: more wait */
    NGX_HTTP_ILERT_STORE_ALL
} ngx_http_ilert_store_edges_e;


/* an alert, and those of its waiting events that are known, in their order */

typedef struct {
    int64_t                     source;     /* of its first waiting event, */
                                            /* else of its last one */
    int64_t                     owner;      /* id of a budget; 0: unknown */
    int64_t                     state;
    int64_t                     head;       /* seq of its first event, or 0 */
    int64_t                     urgency;    /* of its most urgent event, or */
                                            /* .._LEAST, until it is saved */
    int64_t                     next;       /* time, of .._WAITING; or */
                                            /* .._RELEASED */
    int64_t                     since;
    int64_t                     shows;      /* in the epoch */
    int64_t                     epoch;
    int64_t                     level;
    int64_t                     priority;
    int64_t                     told;
    int64_t                     delivered;
    int64_t                     last;
    int64_t                     changed;
    int64_t                     opened;
    int64_t                     accepted;
    int64_t                     gone;
    int64_t                     silence;    /* ms after which it is resolved */
                                            /* if nothing is heard of it; 0: */
                                            /* as its source says */
} ngx_http_ilert_store_row_t;

/* the urgency of an alert that the backend finds out when it saves */

#define NGX_HTTP_ILERT_STORE_LEAST        -1

struct ngx_http_ilert_store_alert_s {
    ngx_queue_t                 queue;      /* of work->alerts */
    ngx_http_ilert_store_alert_t  *next_by_id;  /* of work->by_id, .._key */
    ngx_http_ilert_store_alert_t  *next_by_key;

    int64_t                     id;
    ngx_str_t                   key;        /* folded */
    ngx_str_t                   alert_key;  /* as it was written last */

    ngx_http_ilert_store_row_t  row;
    ngx_http_ilert_store_row_t  saved;      /* what is kept */
    ngx_http_ilert_shown_t      shown;      /* row.shows, of this epoch, ... */

    ngx_queue_t                 waiting;
    ngx_queue_t                 changes;    /* of events, to be saved */

    ngx_http_ilert_store_edges_e  edges;    /* what "waiting" has */

    unsigned                    letter:1;   /* "gone" is a dead letter; only */
                                            /* of those that are idle */
    unsigned                    added:1;    /* it is a new one */
    unsigned                    renamed:1;  /* alert_key has changed */
    unsigned                    removed:1;
    unsigned                    damaged:1;  /* what is kept makes no sense: */
                                            /* it is saved in any case */
};


/* a dead letter */

typedef struct {
    ngx_queue_t                 queue;      /* of work->letters */

    int64_t                     seq;
    uint64_t                    id;
    int64_t                     source_id;
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   key;
    ngx_http_ilert_said_t       said;
    unsigned                    passthrough:1;
    unsigned                    removed:1;  /* to be removed, else added */
    int64_t                     died;
    ngx_uint_t                  status;
    ngx_str_t                   error;
    ngx_str_t                   body;       /* not of lists */
    size_t                      size;       /* of the body */
} ngx_http_ilert_store_letter_t;


/* what there is one of */

typedef struct {
    int64_t                     epoch;
    int64_t                     recovered;
    int64_t                     seen;
    int64_t                     resumed;
    int64_t                     courier;
    int64_t                     dead_bytes; /* of all letters; the backend */
                                            /* keeps it, and these: */
    int64_t                     refused;    /* refused webhooks, and what */
    int64_t                     refused_bytes;  /* they count as */
} ngx_http_ilert_store_total_t;


/* what a job does in one transaction */

struct ngx_http_ilert_store_work_s {
    ngx_http_ilert_store_t     *store;
    ngx_pool_t                 *pool;
    int64_t                     now;        /* by the backend's clock */

    ngx_http_ilert_store_total_t  total;
    ngx_http_ilert_store_total_t  saved;

    /* the sessions that there are, see store.h: at most so many are known */

    int64_t                     session;    /* of the job, or 0 */
    unsigned                    has_session:1;  /* it has a record */
    unsigned                    others:1;   /* others have one */
    unsigned                    add_session:1;  /* to be saved */
    unsigned                    end_session:1;
    unsigned                    end_others:1;

    unsigned                    end_slots:1;    /* to be saved, before slots */
                                            /* that begin: those under */
                                            /* way, of all budgets, end */
    unsigned                    changed:1;  /* save() has written something */
    unsigned                    accepting:1;    /* what is saved now is of */
                                            /* events that come in */

    /* of takes */

    unsigned                    more:1;     /* there is more to take */
    unsigned                    enough:1;   /* than is for one job */
    ngx_uint_t                  rows;       /* alerts that may still be gone */
                                            /* through without taking any */
    size_t                      bytes;      /* of bodies that were taken */
    int64_t                     due;        /* of what else waits, or 0 */

    /*
     * The next numbers: records that are added take them.  Those of sources
     * and budgets are 0 until numbers() has set them.
     */

    int64_t                     next_seq;
    int64_t                     next_alert;
    int64_t                     next_source;
    int64_t                     next_budget;

    int64_t                     first_seq;  /* next_seq, as the job found it */

    ngx_queue_t                 sources;    /* store_ident_t */
    ngx_queue_t                 budgets;    /* store_fund_t */
    ngx_queue_t                 alerts;     /* store_alert_t */
    ngx_queue_t                 letters;    /* store_letter_t, to be saved */
    ngx_queue_t                 refused;    /* store_refused_t, to be saved */

    /* alerts by id, and by a hash of their keys */

    ngx_http_ilert_store_alert_t  *by_id[NGX_HTTP_ILERT_STORE_BUCKETS];
    ngx_http_ilert_store_alert_t  *by_key[NGX_HTTP_ILERT_STORE_BUCKETS];
};


/* which alerts are selected, and in which order */

typedef enum {
    NGX_HTTP_ILERT_ALERTS_READY = 0,    /* READY, of "source" and "urgency": */
                                        /* by head */
    NGX_HTTP_ILERT_ALERTS_STRANGE,      /* READY, of "source", of an urgency */
                                        /* that there is not */
    NGX_HTTP_ILERT_ALERTS_TAKEN,        /* all of TAKEN */
    NGX_HTTP_ILERT_ALERTS_DUE,          /* WAITING, "next" is not after */
                                        /* "time": by next */
    NGX_HTTP_ILERT_ALERTS_LATE,         /* WAITING, "next" is after "time", */
                                        /* and not .._RELEASED: by next */
    NGX_HTTP_ILERT_ALERTS_HELD,         /* WAITING, of "source" */
    NGX_HTTP_ILERT_ALERTS_OPEN,         /* idle, of "source", not known as */
                                        /* resolved: by last and id, after */
                                        /* (time, id) */
    NGX_HTTP_ILERT_ALERTS_SILENT,       /* those of .._OPEN with a "silence" */
    NGX_HTTP_ILERT_ALERTS_OVER,         /* idle, known to be resolved: by */
                                        /* changed and id, after (time, id) */
    NGX_HTTP_ILERT_ALERTS_OPENED,       /* "opened" is not 0, of "source": */
                                        /* the last one first */
    NGX_HTTP_ILERT_ALERTS_STRAYS,       /* without an owner, of "source", if */
                                        /* that is not 0: by id, after "id" */
    NGX_HTTP_ILERT_ALERTS_ALL           /* by id, after "id" */
} ngx_http_ilert_store_which_e;

/* an alert is idle if its state is READY and nothing of it waits */

typedef struct {
    ngx_http_ilert_store_which_e  which;
    int64_t                     source;
    ngx_uint_t                  urgency;
    int64_t                     time;
    int64_t                     id;
    ngx_uint_t                  limit;
} ngx_http_ilert_store_filter_t;


/* which dead letters */

typedef enum {
    NGX_HTTP_ILERT_LETTERS_OF_ID = 0,   /* of event "id": the last one */
    NGX_HTTP_ILERT_LETTERS_OF_SEQ,      /* "seq" */
    NGX_HTTP_ILERT_LETTERS_OF_SOURCE,   /* by (died, seq), after those */
    NGX_HTTP_ILERT_LETTERS_OLDEST,      /* of all sources, by died */
    NGX_HTTP_ILERT_LETTERS_LATEST       /* of "source" or, if it is 0, of */
                                        /* all: the last one first */
} ngx_http_ilert_store_letters_e;

typedef struct {
    ngx_http_ilert_store_letters_e  which;
    uint64_t                    id;
    int64_t                     source;
    int64_t                     died;
    int64_t                     seq;
    ngx_uint_t                  limit;
    unsigned                    body:1;     /* with it */
} ngx_http_ilert_store_letter_filter_t;


/* which refused webhooks */

typedef enum {
    NGX_HTTP_ILERT_REFUSED_OF_ID = 0,
    NGX_HTTP_ILERT_REFUSED_OLDEST,      /* by id */
    NGX_HTTP_ILERT_REFUSED_LATEST       /* the last one first */
} ngx_http_ilert_store_refused_e;

typedef struct {
    ngx_http_ilert_store_refused_e  which;
    int64_t                     id;
    ngx_uint_t                  limit;
    unsigned                    body:1;     /* with it */
} ngx_http_ilert_store_refused_filter_t;


/* a source as it is listed: what is kept of its counts, too */

typedef struct {
    int64_t                     id;
    int64_t                     paused;
    ngx_str_t                   name;
    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
    int64_t                     open;
    int64_t                     dead;
} ngx_http_ilert_store_counted_t;


/* what may be wrong, in store->fault */

typedef enum {
    NGX_HTTP_ILERT_STORE_SOUND = 0,
    NGX_HTTP_ILERT_STORE_NO_SIZE,       /* max_size is reached */
    NGX_HTTP_ILERT_STORE_NO_DISK,       /* there is no room on the disk */
    NGX_HTTP_ILERT_STORE_BLOCKED,       /* others have a lock */
    NGX_HTTP_ILERT_STORE_OTHER
} ngx_http_ilert_store_fault_e;


struct ngx_http_ilert_backend_s {

    /*
     * Makes what the backend needs in memory (store->private), at the first
     * call, and waits for other processes of this nginx, up to 5 seconds.
     * unlock() is called in any case.
     */
    ngx_int_t (*lock)(ngx_http_ilert_store_t *store);
    void      (*unlock)(ngx_http_ilert_store_t *store);

    /* opens what is not open, and sets store->open; begin() does so, too */
    ngx_int_t (*open)(ngx_http_ilert_store_t *store, int64_t now);

    /* closes all, and frees store->private; locks by itself */
    void      (*close)(ngx_http_ilert_store_t *store);

    /*
     * Opens what is not open, begins a transaction that no other process can
     * disturb, and sets now, total, the session's flags and the next numbers
     * of the work.  After NGX_ERROR nothing has begun.  "read": only functions
     * that look for records are called, and see one moment; it needs no
     * lock(), and ends with a rollback().
     */
    ngx_int_t (*begin)(ngx_http_ilert_store_work_t *work, ngx_uint_t read);

    /* sets next_source and next_budget, which are seldom asked for */
    ngx_int_t (*numbers)(ngx_http_ilert_store_work_t *work);

    /* NGX_OK: all that was saved is on disk */
    ngx_int_t (*commit)(ngx_http_ilert_store_work_t *work);
    void      (*rollback)(ngx_http_ilert_store_work_t *work);

    /*
     * Sources, budgets, and alerts by name.  These functions only look for
     * what is not in the work; NGX_DECLINED: there is none.
     *
     * source: "name" is looked up; sets all but "strays", which is set if
     * owner is 0.
     * fund: as "source", of a budget.
     * slots: those of a budget that has been loaded; sets fund->slots.
     * alert: by owner and folded key if the owner is not 0, else by source and
     * folded key; its record is made by ngx_http_ilert_work_alert().
     * alert_of_id: by id, likewise.
     * edges: of an alert that is loaded: the first two events that wait, with
     * .._FRONT, or the last two, with .._BACK; with "body" the first one has
     * its body.  alert->edges becomes .._ALL if there are no others.
     */
    ngx_int_t (*source)(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
        ngx_http_ilert_store_ident_t *source);
    ngx_int_t (*fund)(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
        ngx_http_ilert_store_fund_t *fund);
    ngx_int_t (*slots)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_fund_t *fund);
    ngx_int_t (*alert)(ngx_http_ilert_store_work_t *work, int64_t owner,
        int64_t source, ngx_str_t *key, ngx_http_ilert_store_alert_t **alert);
    ngx_int_t (*alert_of_id)(ngx_http_ilert_store_work_t *work, int64_t id,
        ngx_http_ilert_store_alert_t **alert);
    ngx_int_t (*edges)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_alert_t *alert,
        ngx_http_ilert_store_edges_e which, ngx_uint_t body);

    /*
     * Saves all changes of the work, whose records are what is kept then.  An
     * urgency of .._LEAST becomes that of the most urgent event, of so many
     * as .._ROWS, but at most NGX_HTTP_ILERT_UPDATES.  With work->accepting it
     * leaves the room that all but events that come in needs.
     */
    ngx_int_t (*save)(ngx_http_ilert_store_work_t *work);

    /*
     * Alerts: pushes pointers to at most filter->limit of them to "alerts",
     * records of the work without edges.  What has not been saved is not seen,
     * so save() is called before.  With .._OPEN and .._OVER it sets "letter",
     * also of records that have been in the work before.
     */
    ngx_int_t (*alerts)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts);

    /*
     * Waiting events of an alert after "seq", at most so many, in their order:
     * pushes store_waiting_t, which are not of alert->waiting, and have
     * nothing to be saved.
     */
    ngx_int_t (*events)(ngx_http_ilert_store_work_t *work, int64_t alert,
        int64_t seq, ngx_uint_t limit, ngx_array_t *events);

    /*
     * How many events of the alert wait, up to "limit" are counted, and when
     * the last one of these came in that is not one of ours, or 0.
     */
    ngx_int_t (*count)(ngx_http_ilert_store_work_t *work, int64_t alert,
        ngx_uint_t limit, int64_t *n, int64_t *received);

    /*
     * The first waiting event after (alert, seq), in the order of alerts and
     * then of events: both are set to its own.  NGX_DECLINED: there is none.
     */
    ngx_int_t (*next_waiting)(ngx_http_ilert_store_work_t *work,
        int64_t *alert, int64_t *seq);

    /*
     * The alert whose first event has that seq, and the event's source:
     * NGX_DECLINED if there is no such event, or it is not the first one.
     */
    ngx_int_t (*alert_of_head)(ngx_http_ilert_store_work_t *work, int64_t seq,
        int64_t *alert, ngx_http_ilert_store_ident_t *source);

    /*
     * Moves waiting events from an alert to another one: all of them, or, if
     * "source" is not 0, those of that source.  Those of either alert that are
     * of no source of their own become ones of their alert's source first.
     * The edges of both alerts are to be loaded anew.
     */
    ngx_int_t (*move)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
        int64_t source);

    /*
     * Sets "other" to a source that is not "source", and that an event of the
     * alert is of: NGX_DECLINED if there is none.  Sets "own" in either case:
     * an event is of "source".  An event of no source of its own is one of the
     * alert's source.
     */
    ngx_int_t (*others)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
        ngx_uint_t *own);

    /*
     * Dead letters: pushes store_letter_t.  The caller may put them into
     * work->letters, to remove them.
     */
    ngx_int_t (*letters)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters);

    /*
     * Refused webhooks: pushes store_refused_t.  The caller may put them into
     * work->refused, to remove them.  Those that are added get the next id,
     * which is never used again.
     */
    ngx_int_t (*refused)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);

    /* all sources, by name: pushes store_counted_t */
    ngx_int_t (*sources)(ngx_http_ilert_store_work_t *work,
        ngx_array_t *sources);

    /*
     * When the event that has waited longest was received, of the first events
     * of all alerts of that source and urgency; 0: there is none.
     */
    ngx_int_t (*oldest)(ngx_http_ilert_store_work_t *work, int64_t source,
        ngx_uint_t urgency, int64_t *since);

    /*
     * Sets the least "next" of all alerts of .._WAITING, but .._RELEASED, or 0
     */
    ngx_int_t (*due)(ngx_http_ilert_store_work_t *work, int64_t *due);

    /* sets whether an alert of that source is .._WAITING, and no repeat */
    ngx_int_t (*retries)(ngx_http_ilert_store_work_t *work, int64_t source,
        ngx_uint_t *retries);

    /*
     * Does a bounded part of the backend's own housekeeping, with "clean" of
     * a job: removes slots whose window is over, and puts counts of sources
     * right that others have made wrong.
     */
    ngx_int_t (*tidy)(ngx_http_ilert_store_work_t *work);

    /* sets the bytes in use */
    ngx_int_t (*size)(ngx_http_ilert_store_work_t *work, int64_t *bytes);

    /* whether there is room for so many bytes more, and a margin */
    ngx_uint_t (*has_room)(ngx_http_ilert_store_t *store, size_t size);

    /*
     * These are called after NGX_ERROR.  mend() returns 1 if the same can be
     * tried at once, as what was in the way is gone: a damaged database has
     * been moved aside.  give() frees what the backend holds in reserve for
     * when there is no room.  report() sets the store's state and error.
     */
    ngx_uint_t (*mend)(ngx_http_ilert_store_t *store, int64_t now);
    void      (*give)(ngx_http_ilert_store_t *store);
    void      (*report)(ngx_http_ilert_store_t *store);

    /* the last error is that the store has no memory */
    void      (*no_memory)(ngx_http_ilert_store_t *store);

    /*
     * trust() is told how writing, or with "reading" reading, has ended:
     * after NGX_ERROR the backend may begin to doubt what it keeps, by its
     * last error.  verify() is called when a job is done, looks closer if
     * there is doubt, and locks by itself.
     */
    void      (*trust)(ngx_http_ilert_store_t *store, ngx_uint_t reading,
        ngx_int_t rc, int64_t now);
    void      (*verify)(ngx_http_ilert_store_t *store, int64_t now);

    /*
     * Is called with the lock when what is kept cannot be used as usual: sets
     * "waits" of all of the job's accepts, by ngx_http_ilert_work_waits() of
     * their alerts, and returns 1, or 0 if nobody can say what waits.
     */
    ngx_uint_t (*ask)(ngx_http_ilert_store_t *store,
        ngx_http_ilert_store_job_t *job);

    /* whether the courier of this job may begin, as it holds the lock */
    ngx_uint_t (*lead)(ngx_http_ilert_store_job_t *job);

    /* see ngx_http_ilert_store_next_source() */
    ngx_int_t (*next_source)(ngx_http_ilert_store_t *store, ngx_str_t *name,
        size_t size);
};


#endif /* _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_ */
