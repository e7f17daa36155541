
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_
#define _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_digest.h"
#include "ngx_http_ilert_store.h"


/*
 * A backend keeps what is on disk: sources, budgets, alerts with their waiting
 * events, dead letters, and refused webhooks.  It knows no rule.  The store
 * loads records from it into a "work", decides in C what becomes of them, and
 * has the backend save what has changed.  The backend alone deals with locks,
 * ids, files, connections, and with their errors.
 *
 * All functions are called on the store's thread, one at a time, and may
 * block.  Those that return ngx_int_t return
 *
 *     NGX_OK
 *     NGX_ERROR     something is wrong: the backend remembers the error, sets
 *                   store->fault, and describes the error in report(); the
 *                   transaction has to be rolled back
 *     NGX_DECLINED  only where this is said: there is no such record
 *
 * Records are allocated from work->pool, which lives as long as the
 * transaction.  Times are wall clock in milliseconds.
 */


/* the state of an alert, which says when its first waiting event may go */

#define NGX_HTTP_ILERT_STORE_READY        0     /* now, if there is one */
#define NGX_HTTP_ILERT_STORE_TAKEN        1     /* it is under way */
#define NGX_HTTP_ILERT_STORE_WAITING      2     /* at the time "next" */

/* records that a job may go through beside its own events */

#define NGX_HTTP_ILERT_STORE_ROWS         1000

/* ms: the longest window of a rate */

#define NGX_HTTP_ILERT_STORE_WINDOW       60000

/* buckets of a work's hashes of alerts */

#define NGX_HTTP_ILERT_STORE_BUCKETS      256


typedef struct ngx_http_ilert_store_work_s  ngx_http_ilert_store_work_t;
typedef struct ngx_http_ilert_store_alert_s  ngx_http_ilert_store_alert_t;


/* the record of a source */

typedef struct {
    ngx_queue_t                 queue;      /* of work->sources */

    int64_t                     id;
    ngx_str_t                   name;       /* empty if only its id is known */
    int64_t                     owner;      /* id of the budget of its */
                                            /* integration key; 0: not known */
    int64_t                     paused;     /* since when, or 0 */
    ngx_http_ilert_refusals_t   refusals;

    /* to be saved: save() adds these counts to those that are kept */

    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
                                            /* events that wait */
    int64_t                     open;       /* alerts */
    unsigned                    added:1;    /* the source is new */
    unsigned                    changed:1;  /* owner, paused, or refusals */
                                            /* have changed */

    unsigned                    missing:1;  /* there is no such source, and */
                                            /* nothing is saved of it */
    unsigned                    strays:1;   /* owner is 0, and it has alerts */
                                            /* without an owner */
} ngx_http_ilert_store_ident_t;


/*
 * The record of a budget, with its slots.  Each slot is a request that counts:
 * some are under way; the others have had their verdict at a time "at", and
 * count until one window after it.
 */

typedef struct {
    ngx_queue_t                 queue;      /* of work->budgets */

    int64_t                     id;
    ngx_str_t                   name;
    int64_t                     paused;     /* when a pause began, or 0 */
    int64_t                     pause;      /* its length in ms */

    /* known if "slots" is set */

    ngx_uint_t                  underway;   /* number of slots */
    int64_t                    *at;         /* in ascending order */
    ngx_uint_t                  nat;

    /* to be saved: changes of slots, which are made in this order */

    ngx_uint_t                  freed;      /* number of slots under way */
                                            /* that are removed */
    ngx_uint_t                  ended;      /* number of slots under way */
                                            /* whose "at" is now */
    int64_t                     late;       /* a time, or 0: any later "at" */
                                            /* becomes this time */
    int64_t                     expired;    /* a time, or 0: some slots with */
                                            /* an "at" up to it are removed */
    ngx_uint_t                  nexpired;   /* number of these */
    ngx_uint_t                  begun;      /* number of slots under way */
                                            /* that are added */

    unsigned                    slots:1;    /* the slots are loaded */
    unsigned                    added:1;    /* the budget is new */
    unsigned                    changed:1;  /* paused or pause has changed */
} ngx_http_ilert_store_fund_t;


/* how a waiting event has changed since it was loaded */

typedef enum {
    NGX_HTTP_ILERT_STORE_KEPT = 0,          /* not at all */
    NGX_HTTP_ILERT_STORE_ADDED,
    NGX_HTTP_ILERT_STORE_REPLACED,          /* all but seq is of "ev" now */
    NGX_HTTP_ILERT_STORE_RERATED,           /* urgency and said.freed only */
    NGX_HTTP_ILERT_STORE_REMOVED
} ngx_http_ilert_store_change_e;

/* the record of a waiting event; mostly its body is not loaded */

typedef struct {
    ngx_queue_t                 queue;      /* of alert->waiting */

    int64_t                     seq;        /* number in the order of commit */
    int64_t                     since;      /* when it came, or the first */
                                            /* one that it has replaced */
    ngx_uint_t                  urgency;
    ngx_http_ilert_said_t       said;
    uint64_t                    id;         /* event id */
    int64_t                     source;     /* id; 0: that of its alert */
    ngx_uint_t                  attempts;
    unsigned                    passthrough:1;
    unsigned                    empty:1;    /* it has no body */
    unsigned                    damaged:1;  /* what is kept makes no sense */
    unsigned                    again:1;    /* ilert has refused it before, */
                                            /* with all of its source */

    /* to be saved */

    ngx_http_ilert_store_change_e  change;
    unsigned                    listed:1;   /* it is in alert->changes */
    unsigned                    attempted:1;    /* one attempt more, and */
                                            /* "again" may have changed */
    ngx_queue_t                 changes;    /* of alert->changes */

    /*
     * The body is in "ev" if the event came in this job, and in "body" if it
     * was loaded as the first event of its alert.  Otherwise it is not in
     * memory.
     */

    ngx_http_ilert_store_event_t  *ev;
    ngx_str_t                   body;
} ngx_http_ilert_store_waiting_t;


/* which of an alert's waiting events are loaded: its edges */

typedef enum {
    NGX_HTTP_ILERT_STORE_NO_EDGES = 0,
    NGX_HTTP_ILERT_STORE_FRONT,             /* the first ones; more wait */
    NGX_HTTP_ILERT_STORE_BACK,              /* the last ones; more wait */
    NGX_HTTP_ILERT_STORE_ALL
} ngx_http_ilert_store_edges_e;


/* the row of an alert; see also the head of store_alert.c */

typedef struct {
    int64_t                     source;     /* id: that of its first waiting */
                                            /* event, or of the last one */
                                            /* that it had */
    int64_t                     owner;      /* id of the budget of its */
                                            /* integration key; 0: unknown */
    int64_t                     state;      /* .._READY, _TAKEN, _WAITING */
    int64_t                     head;       /* seq of its first event, or 0 */
    int64_t                     urgency;    /* of its most urgent event, or */
                                            /* .._LEAST, until it is saved */
    int64_t                     next;       /* of .._WAITING: a time, or */
                                            /* .._RELEASED */
    int64_t                     since;      /* since when its first event */
                                            /* waits */
    int64_t                     shows;      /* what ilert shows; this holds */
    int64_t                     epoch;      /* in this epoch only */
    int64_t                     level;      /* what ilert was told last, */
    int64_t                     priority;
    int64_t                     told;       /* and when */
    int64_t                     delivered;  /* time of the last delivery */
    int64_t                     last;       /* when it was last heard of */
    int64_t                     changed;    /* when its head was set, or the */
                                            /* last verdict was given */
    int64_t                     opened;     /* since when it is open, or 0 */
    int64_t                     accepted;   /* when the last webhook came */
                                            /* whose event waits no longer */
    int64_t                     gone;       /* the largest seq of an event */
                                            /* that waits no longer */
    int64_t                     silence;    /* ms after which it is resolved */
                                            /* if nothing is heard of it; 0: */
                                            /* as its source says */
    int64_t                     message;    /* as in ngx_http_ilert_shown_t */
    int64_t                     lowered;    /* likewise */
    int64_t                     severity;   /* likewise */

    /*
     * These are kept of alerts of sources that have a "digest", and are 0
     * otherwise: see store_digest.c.
     */
    int64_t                     bad;        /* level of the last ALERT, that */
                                            /* is not over; 0: over, or held */
                                            /* by a silence */
    int64_t                     begun;      /* since when it is bad */
    int64_t                     named;      /* digest, and level, that has */
                                            /* named it last, or 0: any */
                                            /* number, see digest_named() */
} ngx_http_ilert_store_row_t;

/* row.urgency: the backend is to find out the urgency when it saves */

#define NGX_HTTP_ILERT_STORE_LEAST        -1

/* the record of an alert, with its edges */

struct ngx_http_ilert_store_alert_s {
    ngx_queue_t                 queue;      /* of work->alerts */
    ngx_http_ilert_store_alert_t  *next_by_id;  /* in work->by_id */
    ngx_http_ilert_store_alert_t  *next_by_key; /* in work->by_key */

    int64_t                     id;
    ngx_str_t                   key;        /* folded */
    ngx_str_t                   alert_key;  /* as it was written last */

    ngx_http_ilert_store_row_t  row;
    ngx_http_ilert_store_row_t  saved;      /* the row that is kept */
    ngx_http_ilert_shown_t      shown;      /* from the row; "shows" holds */
                                            /* in the present epoch */

    ngx_queue_t                 waiting;    /* store_waiting_t, in order */
    ngx_queue_t                 changes;    /* store_waiting_t, to be saved */

    ngx_http_ilert_store_edges_e  edges;    /* which ones "waiting" has */

    ngx_str_t                   summary;    /* of the last ALERT, cut, while */
                                            /* row.bad is not 0 */

    ngx_str_t                   task;       /* of its last webhook in this */
                                            /* job, see store_heard.c */

    unsigned                    letter:1;   /* the event of "gone" is a dead */
                                            /* letter; known of some idle */
                                            /* alerts, see alerts() */
    unsigned                    added:1;    /* the alert is new */
    unsigned                    renamed:1;  /* alert_key has changed */
    unsigned                    retold:1;   /* summary has changed */
    unsigned                    removed:1;  /* the alert is to be removed */
    unsigned                    damaged:1;  /* what is kept makes no sense, */
                                            /* so it is saved in any case */
};


/* the record of a dead letter */

typedef struct {
    ngx_queue_t                 queue;      /* of work->letters */

    int64_t                     seq;        /* of the event */
    uint64_t                    id;         /* of the event */
    int64_t                     source_id;
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   key;        /* alert key, as it was sent */
    ngx_http_ilert_said_t       said;
    unsigned                    passthrough:1;
    unsigned                    removed:1;  /* saving removes it; 0: adds it */
    int64_t                     died;       /* time */
    ngx_uint_t                  status;     /* ilert's, or 0 */
    ngx_str_t                   error;
    ngx_str_t                   body;       /* only if it was asked for */
    size_t                      size;       /* bytes of the body */
} ngx_http_ilert_store_letter_t;


/* the record of what was heard of an id of Kapacitor's at a place */

#define NGX_HTTP_ILERT_STORE_DIGESTS      16

/* bytes: a longer place, id, or name is damaged; it becomes empty */

#define NGX_HTTP_ILERT_STORE_TEXT         65535

typedef struct ngx_http_ilert_store_known_s  ngx_http_ilert_store_known_t;

struct ngx_http_ilert_store_known_s {
    ngx_queue_t                 queue;      /* of work->heard */
    ngx_http_ilert_store_known_t  *next;    /* in work->by_heard */

    u_char                      key[NGX_HTTP_ILERT_STORE_HEARD_KEY];
                                            /* digest of place and id */
    ngx_str_t                   place;
    ngx_str_t                   kid;        /* Kapacitor's id */
    ngx_str_t                   task;       /* of the last webhook; empty: */
                                            /* not known */
    int64_t                     time;       /* of the last webhook, ns, or */
                                            /* .._NO_TIME */
    int64_t                     level;
    int64_t                     at;         /* when it was taken, ms */
    int64_t                     alert;      /* alert.id; 0: none */
    int64_t                     topic;      /* topic.id; 0: not known */
    uint64_t                    digests[NGX_HTTP_ILERT_STORE_DIGESTS];
    ngx_uint_t                  ndigests;   /* the last one is the newest */
    unsigned                    ignored:1;  /* the last webhook was, by the */
                                            /* mapping */
    unsigned                    over:1;     /* Kapacitor has it no more, but */
                                            /* this is not repaired */

    /* to be saved: save() clears these */

    unsigned                    added:1;
    unsigned                    changed:1;
    unsigned                    removed:1;

    /* of the backend: the number of its row, and what that row has */

    int64_t                     row;
    int64_t                     saved_alert;
    int64_t                     saved_topic;
};


/* the record of a topic of Kapacitor's, which takes part */

typedef struct {
    ngx_queue_t                 queue;      /* of work->topics */

    int64_t                     id;
    ngx_str_t                   kapacitor;  /* name of "ilert_reconcile" */
    ngx_str_t                   name;
    int64_t                     gone;       /* since when Kapacitor does not */
                                            /* list it, ms; 0: it does */
    unsigned                    added:1;
    unsigned                    changed:1;
    unsigned                    removed:1;
} ngx_http_ilert_store_topic_t;


/*
 * The record of a source's digest, if it is open or alerts have opened by
 * themselves lately.  See event/ngx_http_ilert_digest.h.
 */

typedef struct {
    ngx_queue_t                 queue;      /* of work->digests */

    int64_t                     source;     /* id */
    ngx_str_t                   name;       /* of the source, of digests() */
    ngx_http_ilert_digest_t     state;

    unsigned                    added:1;    /* to be saved */
    unsigned                    changed:1;
    unsigned                    removed:1;

    /* store_digest.c: what is looked up once in a job */

    unsigned                    looked:1;
    int64_t                     left;       /* events that wait to be sent */
                                            /* and open alerts */
    int64_t                     listed;     /* events that it lists instead */
} ngx_http_ilert_store_digest_t;


/* the numbers of a database of which there is one each */

typedef struct {
    int64_t                     epoch;
    int64_t                     recovered;  /* when writing was tried last */
    int64_t                     seen;       /* when there was a courier last */
    int64_t                     resumed;    /* when one came after a time */
                                            /* without any */
    int64_t                     courier;    /* number of the courier */
    int64_t                     made;       /* when the database was made, */
                                            /* 0: by an earlier release */
    int64_t                     yielded;    /* ns: what was heard up to this */
                                            /* time may have been forgotten */
    int64_t                     doubted;    /* ilert may have been told of */
                                            /* alerts without a record up to */
                                            /* this time; 0: at any time */

    /* kept up to date by the backend itself */

    int64_t                     dead_bytes; /* bodies of all dead letters */
    int64_t                     refused;    /* number of refused webhooks */
    int64_t                     refused_bytes;  /* sum of their "bytes" */
    int64_t                     silences;   /* number of silences */
    int64_t                     digests;    /* number of digests' records */
} ngx_http_ilert_store_total_t;


/* the work: all records that a transaction has loaded and changed */

struct ngx_http_ilert_store_work_s {
    ngx_http_ilert_store_t     *store;
    ngx_pool_t                 *pool;
    int64_t                     now;        /* of the job */
    int64_t                     longest;    /* likewise */

    ngx_http_ilert_store_total_t  total;
    ngx_http_ilert_store_total_t  saved;    /* what is kept */

    /* the sessions that the database knows, see store_term.c */

    int64_t                     session;    /* of the job, or 0 */
    unsigned                    has_session:1;  /* it has a row */
    unsigned                    others:1;   /* other sessions have one */
    unsigned                    add_session:1;  /* to be saved */
    unsigned                    end_session:1;
    unsigned                    end_others:1;

    unsigned                    end_slots:1;    /* to be saved before slots */
                                            /* are added: all slots under */
                                            /* way end, of all budgets */
    unsigned                    changed:1;  /* save() has written something */
    unsigned                    accepting:1;    /* what is saved belongs to */
                                            /* accepted events */
    unsigned                    reading:1;  /* nothing is saved, see begin() */

    /* used while events are taken, see store_take.c */

    unsigned                    more:1;     /* there is more to be taken */
    unsigned                    enough:1;   /* this job takes no more */
    ngx_uint_t                  rows;       /* alerts that may still be gone */
                                            /* through without taking any */
    size_t                      bytes;      /* of bodies that were taken */
    int64_t                     due;        /* when something but an event */
                                            /* is due, or 0 */

    /*
     * The next numbers for records that are added.  Those of sources and
     * budgets are 0 until numbers() has set them.
     */

    int64_t                     next_seq;
    int64_t                     next_alert;
    int64_t                     next_source;
    int64_t                     next_budget;

    int64_t                     first_seq;  /* next_seq when the job began */

    ngx_queue_t                 sources;    /* store_ident_t */
    ngx_queue_t                 budgets;    /* store_fund_t */
    ngx_queue_t                 alerts;     /* store_alert_t */
    ngx_queue_t                 letters;    /* store_letter_t, to be saved */
    ngx_queue_t                 refused;    /* store_refused_t, to be saved */
    ngx_queue_t                 heard;      /* store_known_t */
    ngx_queue_t                 topics;     /* store_topic_t */
    ngx_queue_t                 silences;   /* store_silence_t: all of them, */
                                            /* if "has_silences" */
    ngx_queue_t                 digests;    /* store_digest_t: all of them, */
                                            /* if "has_digests" */

    /* alerts by id, and by a hash of their keys */

    ngx_http_ilert_store_alert_t  *by_id[NGX_HTTP_ILERT_STORE_BUCKETS];
    ngx_http_ilert_store_alert_t  *by_key[NGX_HTTP_ILERT_STORE_BUCKETS];

    /* what was heard, by its key; see store_heard.c */

    ngx_http_ilert_store_known_t  *by_heard[NGX_HTTP_ILERT_STORE_BUCKETS];
    unsigned                    has_topics:1;   /* "topics" has all of them */
    unsigned                    has_silences:1;
    unsigned                    has_digests:1;
    unsigned                    compared:1; /* the tasks of an alert's ids */
                                            /* were compared */
    unsigned                    passed:1;   /* records were gone through to */
                                            /* be forgotten, up to this key */
    u_char                      mark[NGX_HTTP_ILERT_STORE_HEARD_KEY];
};


/*
 * Which alerts are selected, and in which order.  An alert is idle if its
 * state is READY and none of its events waits.
 */

typedef enum {

    /* READY, of "source" and "urgency": in the order of head */
    NGX_HTTP_ILERT_ALERTS_READY = 0,

    /* READY, of "source", with an urgency with which none may go */
    NGX_HTTP_ILERT_ALERTS_STRANGE,

    NGX_HTTP_ILERT_ALERTS_TAKEN,

    /* WAITING, "next" is not after "time": in the order of next */
    NGX_HTTP_ILERT_ALERTS_DUE,

    /* WAITING, next is after "time", not .._RELEASED: in the order of next */
    NGX_HTTP_ILERT_ALERTS_LATE,

    /*
     * WAITING, of "source", but not held by a silence: in the order of urgency
     * and head
     */
    NGX_HTTP_ILERT_ALERTS_TIMED,

    /*
     * WAITING, of "source" and "urgency", with a head after "id": in the order
     * of head
     */
    NGX_HTTP_ILERT_ALERTS_HELD,

    /* of "source", "bad" is not 0: the highest "bad" first, then by begun */
    NGX_HTTP_ILERT_ALERTS_BAD,

    /*
     * idle, of "source", not known as resolved, (last, id) is after (time,
     * id): in the order of last and id
     */
    NGX_HTTP_ILERT_ALERTS_OPEN,

    /* those of .._OPEN that have a "silence" */
    NGX_HTTP_ILERT_ALERTS_SILENT,

    /*
     * idle, known as resolved, (changed, id) is after (time, id): in the order
     * of changed and id
     */
    NGX_HTTP_ILERT_ALERTS_OVER,

    /* "opened" is not 0, of "source": the last one that was opened first */
    NGX_HTTP_ILERT_ALERTS_OPENED,

    /*
     * without an owner, of "source", or of all sources if that is 0, with an
     * id after "id": in the order of id
     */
    NGX_HTTP_ILERT_ALERTS_STRAYS,

    /* all with an id after "id": in the order of id */
    NGX_HTTP_ILERT_ALERTS_ALL
} ngx_http_ilert_store_which_e;

typedef struct {
    ngx_http_ilert_store_which_e  which;
    int64_t                     source;
    ngx_uint_t                  urgency;
    int64_t                     time;
    int64_t                     id;
    ngx_uint_t                  limit;
} ngx_http_ilert_store_filter_t;


/* which dead letters are selected, and in which order */

typedef enum {

    /* the last one whose event has the id "id" */
    NGX_HTTP_ILERT_LETTERS_OF_ID = 0,

    /* the one whose event had the seq "seq" */
    NGX_HTTP_ILERT_LETTERS_OF_SEQ,

    /* of "source", after (died, seq): in the order of these */
    NGX_HTTP_ILERT_LETTERS_OF_SOURCE,

    /* of all sources: in the order of died */
    NGX_HTTP_ILERT_LETTERS_OLDEST,

    /* of "source", or of all sources if that is 0: the last one first */
    NGX_HTTP_ILERT_LETTERS_LATEST
} ngx_http_ilert_store_letters_e;

typedef struct {
    ngx_http_ilert_store_letters_e  which;
    uint64_t                    id;
    int64_t                     source;
    int64_t                     died;
    int64_t                     seq;
    ngx_uint_t                  limit;
    unsigned                    body:1;     /* the body is loaded, too */
} ngx_http_ilert_store_letter_filter_t;


/* which refused webhooks are selected, and in which order */

typedef enum {
    NGX_HTTP_ILERT_REFUSED_OF_ID = 0,
    NGX_HTTP_ILERT_REFUSED_OLDEST,      /* in the order of id */
    NGX_HTTP_ILERT_REFUSED_LATEST       /* the last one first */
} ngx_http_ilert_store_refused_e;

typedef struct {
    ngx_http_ilert_store_refused_e  which;
    int64_t                     id;
    ngx_uint_t                  limit;
    unsigned                    body:1;     /* the body is loaded, too */
} ngx_http_ilert_store_refused_filter_t;


/* an element of the list of sources, with the counts that are kept */

typedef struct {
    int64_t                     id;
    int64_t                     paused;
    ngx_str_t                   name;
    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
    int64_t                     open;
    int64_t                     dead;
} ngx_http_ilert_store_counted_t;


/* the kinds of errors, in store->fault */

typedef enum {
    NGX_HTTP_ILERT_STORE_SOUND = 0,
    NGX_HTTP_ILERT_STORE_NO_SIZE,       /* max_size is reached */
    NGX_HTTP_ILERT_STORE_NO_DISK,       /* there is no room on the disk */
    NGX_HTTP_ILERT_STORE_BLOCKED,       /* others have a lock */
    NGX_HTTP_ILERT_STORE_OTHER
} ngx_http_ilert_store_fault_e;


struct ngx_http_ilert_backend_s {

    /*
     * Takes the lock.  Waits for other processes of this nginx, up to
     * 5 seconds.  The first call allocates store->private.  unlock() has to be
     * called after NGX_OK.
     */
    ngx_int_t (*lock)(ngx_http_ilert_store_t *store);
    void      (*unlock)(ngx_http_ilert_store_t *store);

    /*
     * Opens the database if it is not open, and sets store->open.  begin()
     * does this, too.
     */
    ngx_int_t (*open)(ngx_http_ilert_store_t *store, int64_t now);

    /*
     * Closes all, and frees store->private, which has to be set.  Takes the
     * lock by itself.
     */
    void      (*close)(ngx_http_ilert_store_t *store);

    /*
     * Begins a transaction that no other process can disturb, after opening
     * the database if need be.  Sets total, the flags of sessions, and the
     * next numbers of the work.  After NGX_ERROR no transaction has begun.
     *
     * With work->reading the store has to be open, and only functions that
     * look for records may be called.  They all see the same moment, the lock
     * is not needed, and the transaction ends with rollback().
     */
    ngx_int_t (*begin)(ngx_http_ilert_store_work_t *work);

    /* Sets next_source and next_budget, which are seldom needed. */
    ngx_int_t (*numbers)(ngx_http_ilert_store_work_t *work);

    /* After NGX_OK all that was saved is on disk. */
    ngx_int_t (*commit)(ngx_http_ilert_store_work_t *work);
    void      (*rollback)(ngx_http_ilert_store_work_t *work);

    /*
     * These functions load a record that is not in the work yet.  They return
     * NGX_DECLINED if there is none.
     *
     * source() loads the source of that name.  "strays" is only set if the
     * source has no owner.
     * fund() loads the budget of that name, without slots.
     * slots() loads the slots of a budget, and sets fund->slots.
     * alert() loads the alert with this owner and folded key, or, if the owner
     * is 0, with this source and folded key.  The record is made by
     * ngx_http_ilert_work_alert().
     * alert_of_id() does the same with the id of an alert.
     * edges() loads the first two waiting events of an alert, with .._FRONT,
     * or the last two, with .._BACK.  With "body" the first event gets its
     * body.  alert->edges becomes .._ALL if no other events wait.
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
     * Saves all changes of the work.  An alert's urgency of .._LEAST becomes
     * that of the most urgent of its first .._ROWS events, as a number, but at
     * most NGX_HTTP_ILERT_UPDATES.  With work->accepting it must not use the
     * room that is reserved for all that is no new event.
     */
    ngx_int_t (*save)(ngx_http_ilert_store_work_t *work);

    /*
     * Selects alerts: pushes pointers to at most filter->limit records to
     * "alerts".  Their edges are not loaded.  Changes that have not been saved
     * are not seen, so save() is called before.  With .._OPEN and .._OVER
     * "letter" is set, also in records that were in the work before.
     */
    ngx_int_t (*alerts)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts);

    /*
     * Selects waiting events of an alert after "seq", at most "limit", in the
     * order of seq: pushes store_waiting_t.  These are copies, which are not
     * in alert->waiting, and are not saved.
     */
    ngx_int_t (*events)(ngx_http_ilert_store_work_t *work, int64_t alert,
        int64_t seq, ngx_uint_t limit, ngx_array_t *events);

    /*
     * Counts the waiting events of an alert, up to "limit".  Sets "received"
     * to the time when the last of these came, without RESOLVEs of ours, or
     * to 0.
     */
    ngx_int_t (*count)(ngx_http_ilert_store_work_t *work, int64_t alert,
        ngx_uint_t limit, int64_t *n, int64_t *received);

    /*
     * Finds the first waiting event after (alert, seq), in the order of alerts
     * and then of events, and sets both to that event's.  Returns NGX_DECLINED
     * if there is none.
     */
    ngx_int_t (*next_waiting)(ngx_http_ilert_store_work_t *work,
        int64_t *alert, int64_t *seq);

    /*
     * Sets the id of the alert whose first event has that seq, and loads the
     * event's source.  Returns NGX_DECLINED if there is no such event, or if
     * it is not the first one of its alert.
     */
    ngx_int_t (*alert_of_head)(ngx_http_ilert_store_work_t *work, int64_t seq,
        int64_t *alert, ngx_http_ilert_store_ident_t *source);

    /*
     * Moves waiting events from one alert to another one: all of them, or, if
     * "source" is not 0, those of that source.  Before that, events of both
     * alerts whose source is 0 get the source of their alert.  Afterwards the
     * edges of both alerts have to be loaded anew.
     */
    ngx_int_t (*move)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
        int64_t source);

    /*
     * Looks at the sources of an alert's waiting events.  Sets "own" to 1 if
     * an event is of "source", otherwise to 0.  Sets "other" to another source
     * that an event is of, or returns NGX_DECLINED if there is none.  An event
     * whose source is 0 is one of the alert's source.
     */
    ngx_int_t (*others)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
        ngx_uint_t *own);

    /*
     * Selects dead letters: pushes store_letter_t.  To remove one, the caller
     * puts it into work->letters.
     */
    ngx_int_t (*letters)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters);

    /*
     * Selects refused webhooks: pushes store_refused_t.  To remove one, the
     * caller puts it into work->refused.  When one is added, save() gives it
     * the next id; ids are never used again.
     */
    ngx_int_t (*refused)(ngx_http_ilert_store_work_t *work,
        ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);

    /*
     * heard() loads what was heard of the id with that key: allocates the
     * record.  Returns NGX_DECLINED if there is none.
     *
     * heard_of() selects records: pushes store_known_t, at most "limit", in
     * the order of keys, with keys after "after".  Those of "alert" if that is
     * not 0, or else those of "topic" if that is not 0, or else all.
     *
     * The records are not in the work: to change one, the caller puts it into
     * work->heard with "changed", or "removed", and save() saves it.  Those
     * that are added or changed stay there.  The place and the id of a record
     * do not change.  If an alert is removed, records have no alert instead of
     * it, for its id may be given to another one.
     */
    ngx_int_t (*heard)(ngx_http_ilert_store_work_t *work, u_char *key,
        ngx_http_ilert_store_known_t **heard);
    ngx_int_t (*heard_of)(ngx_http_ilert_store_work_t *work, int64_t alert,
        int64_t topic, u_char *after, ngx_uint_t limit, ngx_array_t *heard);

    /*
     * Selects all topics, in the order of ids: pushes store_topic_t.  The
     * caller puts those that it changes into work->topics, as above; save()
     * sets the id of one that is added, which no other one had before.  Of
     * a topic only "gone" changes.
     */
    ngx_int_t (*topics)(ngx_http_ilert_store_work_t *work,
        ngx_array_t *topics);

    /*
     * Selects all silences, in the order of ids: pushes store_silence_t.  The
     * caller puts those that it adds or removes into work->silences; save()
     * sets the id of one that is added, which no other one had before.
     */
    ngx_int_t (*silences)(ngx_http_ilert_store_work_t *work,
        ngx_array_t *silences);

    /*
     * Selects the records of all digests: pushes store_digest_t.  The caller
     * puts those that it changes into work->digests, as above.
     */
    ngx_int_t (*digests)(ngx_http_ilert_store_work_t *work,
        ngx_array_t *digests);

    /*
     * Counts the alerts of a source with each level as "bad": sets counts[1]
     * and so on, up to .._CRITICAL.
     */
    ngx_int_t (*bad)(ngx_http_ilert_store_work_t *work, int64_t source,
        int64_t *counts);

    /* Lists all sources in the order of names: pushes store_counted_t. */
    ngx_int_t (*sources)(ngx_http_ilert_store_work_t *work,
        ngx_array_t *sources);

    /*
     * Sets "since" to the time since when an event has waited longest, among
     * the first events of all alerts of that source and urgency, or to 0.
     */
    ngx_int_t (*oldest)(ngx_http_ilert_store_work_t *work, int64_t source,
        ngx_uint_t urgency, int64_t *since);

    /*
     * Sets "due" to the least "next" of all alerts of .._WAITING that is not
     * .._RELEASED, or to 0.
     */
    ngx_int_t (*due)(ngx_http_ilert_store_work_t *work, int64_t *due);

    /*
     * Sets "retries" to 1 if an alert of that source is .._WAITING with an
     * urgency below .._REPEATS, that is, to be tried again, otherwise to 0.
     */
    ngx_int_t (*retries)(ngx_http_ilert_store_work_t *work, int64_t source,
        ngx_uint_t *retries);

    /*
     * Does a bounded part of the backend's own housekeeping, in a job with
     * "clean": removes slots whose window is over, and corrects counts of
     * sources that another program has made wrong.
     */
    ngx_int_t (*tidy)(ngx_http_ilert_store_work_t *work);

    /* Sets "bytes" to the size of what is kept. */
    ngx_int_t (*size)(ngx_http_ilert_store_work_t *work, int64_t *bytes);

    /*
     * Returns 1 if there is room for "size" bytes more, and for a margin.  Is
     * called after commit() only.
     */
    ngx_uint_t (*has_room)(ngx_http_ilert_store_t *store, size_t size);

    /*
     * These are called after NGX_ERROR.  mend() returns 1 if it has removed
     * the cause, by moving a damaged database aside, so that the same can be
     * tried again at once.  give() frees the room that the backend holds in
     * reserve for when there is no other.  report() sets the store's state and
     * error.
     */
    ngx_uint_t (*mend)(ngx_http_ilert_store_t *store, int64_t now);
    void      (*give)(ngx_http_ilert_store_t *store);
    void      (*report)(ngx_http_ilert_store_t *store);

    /* Makes a lack of memory in the store the last error. */
    void      (*no_memory)(ngx_http_ilert_store_t *store);

    /*
     * trust() is told with which rc writing has ended, or reading with
     * "reading".  After NGX_ERROR the backend may begin to doubt what it
     * keeps, depending on its last error.  verify() is called when a job is
     * done.  If there is doubt, it looks closer; it takes the lock by itself.
     */
    void      (*trust)(ngx_http_ilert_store_t *store, ngx_uint_t reading,
        ngx_int_t rc, int64_t now);
    void      (*verify)(ngx_http_ilert_store_t *store, int64_t now);

    /*
     * Finds out what waits when what is kept cannot be read as usual.  The
     * caller has the lock.  Sets "waits" of all accepts of the job, by
     * ngx_http_ilert_work_waits() of their alerts, and returns 1; or returns 0
     * if this cannot be found out.
     */
    ngx_uint_t (*ask)(ngx_http_ilert_store_t *store,
        ngx_http_ilert_store_job_t *job);

    /*
     * Returns 1 if the job's courier may begin: if it holds the lock of the
     * folder, see job->lock.
     */
    ngx_uint_t (*lead)(ngx_http_ilert_store_job_t *job);

    /* See ngx_http_ilert_store_next_source(). */
    ngx_int_t (*next_source)(ngx_http_ilert_store_t *store, ngx_str_t *name,
        size_t size);
};


#endif /* _NGX_HTTP_ILERT_BACKEND_H_INCLUDED_ */
