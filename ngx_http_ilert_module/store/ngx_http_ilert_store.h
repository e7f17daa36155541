
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STORE_H_INCLUDED_
#define _NGX_HTTP_ILERT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <pthread.h>

#include "ngx_http_ilert_rules.h"


/*
 * The job: the one waist between the event loop and the database of what
 * waits.  The store knows no request and no clock: what the time is, is told.
 *
 * A store is of one process, and what is called here blocks: it is called
 * on a thread, one call at a time.  Processes take turns by "mutex".
 *
 * An alert is an integration key and an alert key - trimmed, and ASCII letters
 * in lower case, as ilert compares them - whichever sources its events are of.
 * Its state is in one row that points at the first of its waiting events.  No
 * second event of an alert is taken before the first one has its verdict.
 */


/* the longest "silence", in ms */

#define NGX_HTTP_ILERT_STORE_SILENCE  (24 * 60 * 60 * 1000)


/* what has become of a taken event */

typedef enum {
    NGX_HTTP_ILERT_STORE_UNSENT = 0,    /* was not sent: may be taken again */
    NGX_HTTP_ILERT_STORE_DONE,          /* ilert has it */
    NGX_HTTP_ILERT_STORE_AGAIN,         /* not before "next" */
    NGX_HTTP_ILERT_STORE_DEAD           /* to the dead letters */
} ngx_http_ilert_store_verdict_e;


/* whether other events of the alert wait */

typedef enum {
    NGX_HTTP_ILERT_STORE_NONE_WAITS = 0,
    NGX_HTTP_ILERT_STORE_WAITS,
    NGX_HTTP_ILERT_STORE_CANNOT_SAY
} ngx_http_ilert_store_waits_e;


/*
 * Requests that may be made in any window of time, by all sources that share
 * an integration key, or by all of an endpoint.  A request counts from when
 * its event is taken until a window after its verdict.
 */

typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  rate;       /* 0: any number */
    int64_t                     window;     /* ms */

    /* set by a job that takes from it */

    ngx_uint_t                  used;
    int64_t                     next;       /* when there may be the next */
                                            /* request, or 0: now */
    /* the store's own */

    int64_t                     id;
    ngx_uint_t                  left;
    unsigned                    known:1;    /* in this job */
} ngx_http_ilert_store_budget_t;

#define NGX_HTTP_ILERT_STORE_BUDGETS  2     /* of an event: key, endpoint */


/*
 * An event and its strings, one allocation; freed with ngx_free().  Times
 * are wall clock, in milliseconds.
 */

typedef struct {
    ngx_queue_t                 queue;

    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* its integration key, by the */
                                            /* name of the key's budget; the */
                                            /* caller's memory */
    ngx_str_t                   key;        /* the alert key, as it is sent */
    ngx_str_t                   body;       /* without the integration key; */
                                            /* empty: a RESOLVE of ours, by */
                                            /* "resolve_after", or "silence" */
    uint64_t                    id;         /* event id */
    ngx_http_ilert_said_t       said;
    ngx_http_ilert_policy_t     policy;     /* of its source; to be accepted */
    int64_t                     silence;    /* ms: its alert is resolved if */
                                            /* nothing is heard of it for so */
                                            /* long; 0: as its source says */
    unsigned                    passthrough:1;  /* a body of Kapacitor's */

    /*
     * The event is not accepted after this time, in ms, by
     * ngx_http_ilert_clock_msec(); 0: it is at any time.  Nor is it when
     * "withdrawn" is set, which any thread may do: its webhook may be answered
     * then, and what is said of the event must hold.
     */
    int64_t                     deadline;
    ngx_atomic_t                withdrawn;
    unsigned                    late:1;     /* for either reason it is not */
                                            /* on disk, though the job is */
                                            /* done */

    /* of one that has been accepted */

    ngx_uint_t                  coalesced;  /* so many events need no */
                                            /* request now: this one, one */
                                            /* before it, or both */
    ngx_uint_t                  urgency;

    /* of one that has been taken */

    int64_t                     seq;        /* order of commit */
    int64_t                     alert;
    int64_t                     source_id;  /* the store's own */
    ngx_uint_t                  attempts;   /* made before */
    unsigned                    damaged:1;  /* the store's own */
    ngx_http_ilert_store_budget_t  *budgets[NGX_HTTP_ILERT_STORE_BUDGETS];

    unsigned                    again:1;    /* ilert has refused it before, */
                                            /* with all of its source */
    /* its verdict */

    ngx_http_ilert_store_verdict_e  verdict;
    int64_t                     next;       /* of AGAIN; else the caller's */
    unsigned                    maybe:1;    /* of AGAIN: ilert may have it */
    unsigned                    refused:1;  /* of AGAIN: ilert has refused */
                                            /* it, for no fault of the event */
    int64_t                     pause;      /* ms that its first budget is */
                                            /* not to be used for, or 0 */
    ngx_uint_t                  status;     /* of DEAD: ilert's, or 0 */
    ngx_str_t                   error;      /* of DEAD; the caller's memory */

    /* set by the job, of DONE */

    unsigned                    frees:1;    /* not everything of its source */
                                            /* is refused any longer: it is */
                                            /* to be released */
    /* set by the job, of DEAD */

    unsigned                    kept:1;     /* it waits: everything of its */
                                            /* source is refused */
    unsigned                    parks:1;    /* as is known since this one */
    unsigned                    doubtful:1; /* it is a dead letter that may */
                                            /* wait again, for that */
    ngx_uint_t                  returned;   /* so many dead letters wait */
                                            /* again */

    /* of one that was to be accepted, when the job has failed */

    ngx_http_ilert_store_waits_e    waits;

    void                       *data;       /* the caller's */
} ngx_http_ilert_store_event_t;


/*
 * "next" of an event that waits for no time, but until its source is released,
 * or until it is its turn: when its source probes, and nothing else may go.
 */

#define NGX_HTTP_ILERT_STORE_RELEASED  INT64_MAX


/* what may be taken of a source */

typedef struct {
    ngx_str_t                   source;
    unsigned                    passthrough:1;  /* its kind */
    unsigned                    probe:1;    /* an event is to find out */
                                            /* something for all: those that */
                                            /* have been refused have their */
                                            /* turn, too; set where a job */
                                            /* knows it by itself */
    ngx_uint_t                  n;          /* events, at most */
    ngx_http_ilert_policy_t     policy;
    ngx_http_ilert_store_budget_t  *budgets[NGX_HTTP_ILERT_STORE_BUDGETS];
                                            /* of the job's, or NULL */

    /* set by the job */

    ngx_uint_t                  taken;
    ngx_uint_t                  coalesced;  /* events that need no request */
    ngx_uint_t                  expired;    /* too old: now dead letters */
    unsigned                    more:1;     /* than "n" may go */
    unsigned                    paused:1;   /* by an order */

    int64_t                     id;         /* the store's own */
} ngx_http_ilert_store_take_t;


/*
 * A source that is configured, and its integration key.  Alerts belong to
 * keys: the store has to know of which key the alerts of a source are.
 */

typedef struct {
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* the name of the key's budget */

    /* the store's own: ids of alerts, after which to go on */

    int64_t                     after;      /* in this job */
    int64_t                     next;       /* in the next one */
} ngx_http_ilert_store_home_t;


/*
 * A webhook that was refused, and is kept for people to look at: with its
 * strings it is one allocation, freed with ngx_free(), if it is to be kept by
 * a job.
 */

typedef struct {
    ngx_queue_t                 queue;

    int64_t                     id;         /* by the store, from 1 on */
    int64_t                     time;
    ngx_str_t                   from;       /* address of the client */
    ngx_str_t                   location;
    ngx_uint_t                  status;     /* of the answer */
    ngx_str_t                   error;      /* what was wrong */
    int64_t                     size;       /* bytes of the body as it came */
    ngx_str_t                   body;       /* its first ones; not of lists */

    /* the store's own */

    int64_t                     bytes;      /* that it counts as */
    unsigned                    removed:1;  /* to be removed, else added */
} ngx_http_ilert_store_refused_t;


/*
 * An order of an operator.  It is carried out in parts, one in each job: as
 * long as "more" is set it is given again, with "after" set to "next".  The
 * outcome is that of one part, and holds if the job is "decided".
 */

typedef enum {
    NGX_HTTP_ILERT_STORE_REPLAY = 0,    /* of dead letters */
    NGX_HTTP_ILERT_STORE_DISCARD,
    NGX_HTTP_ILERT_STORE_PAUSE,         /* of a source */
    NGX_HTTP_ILERT_STORE_RESUME,
    NGX_HTTP_ILERT_STORE_EMPTY,         /* its waiting events, but for those */
                                        /* in flight, and RESOLVEs of alerts */
                                        /* that ilert may show */
    NGX_HTTP_ILERT_STORE_FORGET         /* webhooks that were refused */
} ngx_http_ilert_store_action_e;

typedef struct {
    ngx_queue_t                 queue;

    ngx_http_ilert_store_action_e  action;
    uint64_t                    id;         /* of a letter, or a webhook; 0: */
                                            /* all those of the source, or */
                                            /* all webhooks */
    ngx_str_t                   source;     /* its name */

    /* on the thread: whether there is a source of that name */
    ngx_uint_t                (*configured)(ngx_str_t *name, void *data);
    void                       *data;

    /* the outcome */

    ngx_uint_t                  count;      /* letters, events, sources, or */
                                            /* webhooks */
    ngx_uint_t                  refused;    /* letters, see "why" */
    const char                 *why;        /* not; NULL if it was done */
    unsigned                    missing:1;  /* for there is no such thing */
    unsigned                    more:1;

    /* the store's own: the place in what is gone through */

    int64_t                     after[2];   /* where this job begins */
    int64_t                     next[2];    /* where the next one does */
    unsigned                    known:1;    /* there is such a source */
} ngx_http_ilert_store_order_t;


/*
 * What is to be known of the store, beside or in the middle of a backlog:
 * answered when the transaction is over, from what is on disk then.  All that
 * is set is in "pool", which is the thread's until the job is done.
 */

#define NGX_HTTP_ILERT_STORE_LISTED  100    /* of each list, at most */

typedef struct {
    ngx_str_t                   name;
    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
                                            /* events */
    int64_t                     oldest[NGX_HTTP_ILERT_URGENCIES];
                                            /* since when the first event of */
                                            /* an alert so urgent waits; 0 */
    int64_t                     open;       /* alerts */
    int64_t                     dead;       /* letters */
    int64_t                     paused;     /* since, or 0 */
    unsigned                    retries:1;  /* some wait to be tried again */
} ngx_http_ilert_store_source_t;

typedef struct {
    ngx_str_t                   source;
    ngx_str_t                   key;
    ngx_uint_t                  level;
    int64_t                     opened;
    int64_t                     last;       /* when it was last heard of */
} ngx_http_ilert_store_open_t;

typedef struct {
    uint64_t                    id;
    ngx_str_t                   source;
    ngx_str_t                   key;
    ngx_uint_t                  type;
    int64_t                     received;
    ngx_uint_t                  status;     /* 0: none */
    ngx_str_t                   error;
} ngx_http_ilert_store_dead_t;

typedef struct {
    uint64_t                    id;
    ngx_uint_t                  type;
    ngx_uint_t                  level;
    ngx_uint_t                  urgency;
    int64_t                     received;
    unsigned                    inflight:1;
} ngx_http_ilert_store_listed_t;

typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  used;       /* requests in the window */
    int64_t                     until;      /* end of a pause, or 0 */
} ngx_http_ilert_store_used_t;

typedef struct ngx_http_ilert_store_query_s  ngx_http_ilert_store_query_t;

struct ngx_http_ilert_store_query_s {
    ngx_queue_t                 queue;
    ngx_pool_t                 *pool;

    /*
     * Is called on the event loop with the answer, and owns the pool then.
     * NULL: nobody waits for the answer any longer.
     */
    void                      (*handler)(ngx_http_ilert_store_query_t *query);
    void                       *data;

    ngx_str_t                   source;     /* lists of this one only, if it */
                                            /* is not empty */
    ngx_str_t                   key;        /* of this alert of it */
    unsigned                    alert:1;
    unsigned                    probe:1;    /* asks for nothing but whether */
                                            /* something can be committed */
    int64_t                     refused;    /* asks for nothing but the */
                                            /* refused webhook of this id; */
                                            /* 0: for none */

    /* and what would become of an event of it that came now */

    unsigned                    foresee:1;
    ngx_str_t                   owner;      /* as of an event */
    ngx_http_ilert_said_t       said;
    ngx_http_ilert_policy_t     policy;

    /* the answer */

    unsigned                    ok:1;       /* there is one */
    unsigned                    committed:1;

    int64_t                     bytes;      /* in use */
    ngx_http_ilert_store_used_t  *used;     /* of the job's budgets */
    ngx_uint_t                  nused;
    ngx_array_t                 sources;    /* store_source_t; by name */
    ngx_array_t                 open;       /* store_open_t; last one first */
    ngx_array_t                 dead;       /* store_dead_t; last one first */
    ngx_array_t                 kept;       /* store_refused_t; last one */
                                            /* first; or the one asked for */
    int64_t                     nkept;      /* webhooks, of all of them */

    /* of an alert */

    unsigned                    found:1;
    ngx_http_ilert_shown_t      shown;
    ngx_http_ilert_store_open_t  state;     /* "opened" is 0 if it is not */
    int64_t                     delivered;  /* or 0 */
    int64_t                     next;       /* not before, or 0 */
    ngx_uint_t                  attempts;
    int64_t                     waiting;    /* events */
    ngx_array_t                 events;     /* store_listed_t */

    /* of an event that came now; said.repeat is set, too */

    ngx_http_ilert_rule_e       rule;
    int64_t                     until;      /* if it is HOLD */
    ngx_uint_t                  urgency;
    unsigned                    behind:1;   /* others would go before it */
    unsigned                    replaces:1; /* it would take the place of */
                                            /* the last one that waits */
};


/*
 * What is done in one transaction: verdicts first, which make room, then
 * orders, accepts, and takes, the most urgent of all sources first.  Lists
 * may be empty.
 */

typedef struct {
    int64_t                     now;
    int64_t                     longest;    /* ms: nothing waits for a time */
                                            /* later than that from now on, */
                                            /* unless the clock was set */
                                            /* back; 0: not known */

    ngx_queue_t                 verdicts;   /* store_event_t */
    ngx_queue_t                 orders;     /* store_order_t */
    ngx_queue_t                 accepts;    /* in the order of commit */
    ngx_queue_t                 queries;    /* store_query_t */

    /*
     * store_refused_t, to be kept as far as it goes: in a transaction of their
     * own, after the other one, and not tried again.
     */
    ngx_queue_t                 refused;

    ngx_http_ilert_store_take_t  *takes;
    ngx_uint_t                  ntakes;

    ngx_http_ilert_store_budget_t  *budgets;
    ngx_uint_t                  nbudgets;

    /*
     * Of a courier: its number, which was set with "begun".  If another one
     * has begun since, the job is "over": its verdicts count no longer, and
     * it takes nothing.  0 of what is not a courier's.
     */
    int64_t                     term;

    /*
     * The lock that the courier holds, by its file's name and inode; without
     * a name nobody looks at it.  None begins without the lock of the folder
     * that the database is in.
     */
    const u_char               *lock;
    dev_t                       lock_device;
    ino_t                       lock_inode;

    /*
     * With "begin": events that are to be dead letters, by their seq, as
     * workers have died of them.  "at_hand" shows the seq of the event that
     * the thread is at, or 0; or NULL.
     */
    int64_t                    *deadly;
    ngx_uint_t                  ndeadly;
    volatile int64_t           *at_hand;

    uint64_t                   *ids;        /* for events of the store's own */
    ngx_uint_t                  nids;

    ngx_http_ilert_store_home_t  *homes;    /* all sources: of a courier */
    ngx_uint_t                  nhomes;     /* that begins, else none */

    /*
     * The number of the processes that share memory, or 0.  A relay that only
     * those of another number knew of makes everything unknown.
     */
    int64_t                     session;

    unsigned                    begin:1;    /* of a courier: what had been */
                                            /* taken may have been sent */
    unsigned                    unknown:1;  /* nothing is known of what */
                                            /* ilert shows */
    unsigned                    clean:1;    /* housekeeping; a bounded part */
    unsigned                    probe:1;    /* to be committed in any case */
    unsigned                    registered:1;   /* the session has a row, */
                                            /* by an earlier job */
    unsigned                    end:1;      /* of the session: the store */
                                            /* has been told of all relays */
    ngx_str_t                  *release;    /* name of a source whose events */
                                            /* need not wait any longer */
    ngx_uint_t                  nrelease;

    /* the outcome */

    ngx_queue_t                 taken;      /* store_event_t, to be freed */
    ngx_queue_t                 buried;     /* the same, of "deadly" */
    int64_t                     begun;      /* the new courier's number, or */
                                            /* 0: none has begun */
    int64_t                     due;        /* when the next one of those */
                                            /* that wait for a time may go, */
                                            /* or 0; now, if there was more */
                                            /* than is for one job */
    ngx_uint_t                  resolved;   /* by "resolve_after"; so many */
                                            /* of "ids" were used */
    ngx_uint_t                  coalesced;  /* of accepts and takes */
    ngx_uint_t                  expired;    /* too old: now dead letters */
    ngx_uint_t                  dropped;    /* dead letters for which there */
                                            /* was no room, or too old */
    ngx_uint_t                  damaged;    /* rows that make no sense: now */
                                            /* dead letters */
    ngx_uint_t                  silent;     /* alerts that were forgotten: */
                                            /* not heard of for too long */
    ngx_uint_t                  forgotten;  /* to make room; they are, even */
                                            /* if the job has failed */
    ngx_uint_t                  evicted;    /* refused webhooks, likewise */
    ngx_uint_t                  kept;       /* of "refused" */
    unsigned                    over:1;     /* it is not the courier's that */
                                            /* delivers */
    unsigned                    fresh:1;    /* "begun" is of the first one */
                                            /* of this database */
    unsigned                    more:1;     /* "clean" is not done yet */
    unsigned                    held:1;     /* nor is "release" */
    unsigned                    moving:1;   /* nor are "homes": nothing has */
                                            /* been taken */
    unsigned                    noted:1;    /* the session has a row now */
    unsigned                    accepted:1; /* all of the accepts are safe */
                                            /* that are not "late" */
    unsigned                    decided:1;  /* so is all the rest: verdicts, */
                                            /* "begin", "unknown", ... */
    unsigned                    idle:1;     /* it has changed nothing, and */
                                            /* nor would the same job */
} ngx_http_ilert_store_job_t;


typedef enum {
    NGX_HTTP_ILERT_STORE_OK = 0,
    NGX_HTTP_ILERT_STORE_FULL,      /* no room: disk, quota, max_size */
    NGX_HTTP_ILERT_STORE_FAILED,    /* it was open, and there was an error */
    NGX_HTTP_ILERT_STORE_CLOSED     /* cannot be opened, see "error" */
} ngx_http_ilert_store_state_e;


typedef struct ngx_http_ilert_backend_s  ngx_http_ilert_backend_t;

/* each backend has its own struct of that name */

typedef struct ngx_http_ilert_backend_data_s  ngx_http_ilert_backend_data_t;

/* a place in an order of alerts by a time; 0, 0: the beginning */

typedef struct {
    int64_t                     time;
    int64_t                     id;
} ngx_http_ilert_store_mark_t;


/* to be zeroed, but for the first five members */

typedef struct {
    ngx_http_ilert_backend_t   *backend;    /* where all is kept */
    ngx_str_t                   path;       /* of the folder, with a zero */
    off_t                       max_size;
    pthread_mutex_t            *mutex;      /* robust, shared; or NULL */

    /*
     * Is called on the thread when we have got the mutex, 1, and before we let
     * it go, 0; or NULL.
     */
    void                      (*locked)(ngx_uint_t locked);

    ngx_http_ilert_store_state_e  state;
    char                        error[512]; /* one line: what is wrong and, */
                                            /* if known, how to mend it */
    unsigned                    asked:1;    /* in any other state than OK: */
                                            /* events have "waits" set */
    char                        notice[512];    /* to be logged once, as a */
                                            /* database that was moved aside */

    /* the store's own */

    ngx_uint_t                  fault;      /* of the last error: */
                                            /* ngx_http_ilert_store_fault_e */
    int64_t                     failed;     /* when nothing could be written */
    int64_t                     full;       /* when there was no room for */
                                            /* accepts */
    size_t                      size;       /* of the accepts then */
    unsigned                    open:1;     /* the backend has opened it */
    unsigned                    blocked:1;  /* "failed" is for a lock */
    unsigned                    lost:1;     /* what an earlier database knew */
    unsigned                    buried:1;   /* a dead letter has been added */

    /* where the search for alerts to forget goes on, see store_forget.c */

    ngx_http_ilert_store_mark_t  old[2];    /* as their time is over */
    ngx_http_ilert_store_mark_t  oldest[2]; /* to make room */

    ngx_http_ilert_backend_data_t  *private;    /* the backend's own */
} ngx_http_ilert_store_t;


/*
 * Allocates an event with room for strings of these lengths, which are set
 * and whose bytes are the caller's to fill in.  NULL without memory.
 */
ngx_http_ilert_store_event_t *ngx_http_ilert_store_event(size_t source,
    size_t key, size_t body);


/*
 * Runs the job, opening the database first if it is not open.  All of it is
 * on disk (fsync) when "accepted" and "decided" are set.  If "accepted" is
 * not set nothing of the accepts is, and each has "waits" set: what is said
 * there holds until the job is done, and "cannot say" whenever another
 * process may be about to commit something.  If there was
 * no room for the accepts, all the rest may still have been done: there may
 * be taken events whatever the outcome.  If "decided" is not set, it is all
 * to be given again.  Returns the store's state, which is also in
 * store->state.
 *
 * If the state is not OK, writing is tried again no sooner than half
 * a second later (by job->now): until then only "waits" is found out.  If it
 * is FULL, that holds for the accepts alone, unless the rest had no room
 * either.  An empty job will do to try it.
 */
ngx_http_ilert_store_state_e ngx_http_ilert_store_run(
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job);


/*
 * The next name of a source that has waiting events, in the order of names,
 * after "name" (empty: the first one): set, at most "size" bytes, and
 * NGX_OK, or NGX_DECLINED.
 */
ngx_int_t ngx_http_ilert_store_next_source(ngx_http_ilert_store_t *store,
    ngx_str_t *name, size_t size);


/* closes the database; the store can be run again */
void ngx_http_ilert_store_close(ngx_http_ilert_store_t *store);


#endif /* _NGX_HTTP_ILERT_STORE_H_INCLUDED_ */
