
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
 * The store keeps what waits.  All that the event loop wants of it is put into
 * a job, which a thread runs in one transaction.  The store knows nothing of
 * requests, and does not read the wall clock: each job says what time it is.
 *
 * A store belongs to one process.  Its functions block, so they are called on
 * a thread, one call at a time.  Several processes use the same database; they
 * take turns by "mutex".
 *
 * An alert is an integration key and an alert key, whatever source its events
 * are of.  Alert keys are compared as ilert does it: without white space at
 * both ends, and without the case of ASCII letters.  Only the first waiting
 * event of an alert can be taken, and no other one before it has a verdict.
 *
 * Times are wall clock in milliseconds, unless something else is said.
 */


/* ms: the longest "silence" of an event */

#define NGX_HTTP_ILERT_STORE_SILENCE  (24 * 60 * 60 * 1000)

/* the greatest severity of an event, which is the least severe one */

#define NGX_HTTP_ILERT_STORE_SEVERITY  5


/* the verdict of a taken event */

typedef enum {
    NGX_HTTP_ILERT_STORE_UNSENT = 0,    /* it was not sent, and may be taken */
                                        /* again at once */
    NGX_HTTP_ILERT_STORE_DONE,          /* it was delivered */
    NGX_HTTP_ILERT_STORE_AGAIN,         /* it may be taken again at "next" */
    NGX_HTTP_ILERT_STORE_DEAD           /* it becomes a dead letter */
} ngx_http_ilert_store_verdict_e;


/* whether other events of the alert wait, so that no relay may pass them */

typedef enum {
    NGX_HTTP_ILERT_STORE_NONE_WAITS = 0,
    NGX_HTTP_ILERT_STORE_WAITS,
    NGX_HTTP_ILERT_STORE_CANNOT_SAY
} ngx_http_ilert_store_waits_e;


/*
 * A budget: the requests that all sources with an integration key, or with an
 * endpoint, may make in any window of time.  A request counts from the moment
 * in which its event is taken until a window after its verdict.
 */

typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  rate;       /* requests; 0: any number */
    ngx_uint_t                  reserve;    /* of these, requests that are */
                                            /* left for what is urgent */
    int64_t                     window;     /* ms */

    /* set by a job that takes events of the budget */

    ngx_uint_t                  used;       /* requests that count now */
    int64_t                     next;       /* time of the next request, or */
                                            /* 0: now */
    /* the store's own */

    int64_t                     id;
    ngx_uint_t                  left;       /* requests */
    ngx_uint_t                  kept;       /* of these, for a digest and */
                                            /* for alerts new to it */
    int64_t                     lesser;     /* when the last request that is */
                                            /* not urgent was made, kept by */
                                            /* the caller from job to job; */
                                            /* 0: never */
    int64_t                     spread;     /* likewise, in this transaction */
    unsigned                    known:1;    /* loaded in this job */
} ngx_http_ilert_store_budget_t;

#define NGX_HTTP_ILERT_STORE_BUDGETS  2     /* of an event: key, endpoint */


/*
 * What a webhook says of an alert of Kapacitor's.  Kapacitor tells its alerts
 * from each other by their ids, which are not our alert keys: several ids may
 * share one key.  What is heard of an id is remembered for each "place", which
 * is the location that webhooks are posted to.
 */

#define NGX_HTTP_ILERT_STORE_NO_TIME  INT64_MIN

typedef struct {
    ngx_str_t                   place;      /* name of the location; empty: */
                                            /* nothing is remembered */
    ngx_str_t                   id;         /* Kapacitor's, or what stands */
                                            /* for it: the webhook's key */
    ngx_str_t                   task;       /* empty: not known */
    int64_t                     time;       /* ns since 1970, or .._NO_TIME */
    ngx_uint_t                  level;      /* ngx_http_ilert_level_e */
    uint64_t                    digest;     /* of time, level, and message */

    /*
     * Of an event that repairs a difference: it is only accepted if what is
     * remembered is still this, so that it cannot overtake a webhook.
     */
    unsigned                    repair:1;
    unsigned                    unheard:1;  /* nothing was remembered */
    int64_t                     was_time;
    ngx_uint_t                  was_level;
} ngx_http_ilert_store_heard_t;


/* what has become of an event by what was heard before */

typedef enum {
    NGX_HTTP_ILERT_STORE_NEWS = 0,
    NGX_HTTP_ILERT_STORE_COPY,          /* one of the last ones came again */
    NGX_HTTP_ILERT_STORE_STALE,         /* it is older than the last one: */
                                        /* its source wants no such ones */
    NGX_HTTP_ILERT_STORE_OVERTAKEN      /* a repair that is not needed */
} ngx_http_ilert_store_news_e;


/*
 * A webhook that became no event, since the mapping ignores it; but its time
 * and level are remembered.  One allocation, freed with ngx_free().
 */

typedef struct {
    ngx_queue_t                 queue;
    ngx_http_ilert_store_heard_t  heard;    /* its place may be empty */

    /*
     * If its level is not OK: the alert that was not told by that.  "source"
     * is empty if nothing is to be noted of it.
     */
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* as in an event */
    ngx_str_t                   key;
    int64_t                     began;      /* as in an event */
} ngx_http_ilert_store_note_t;


/* An event and its strings are one allocation, freed with ngx_free(). */

typedef struct {
    ngx_queue_t                 queue;

    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* its integration key, by the */
                                            /* name of the key's budget; the */
                                            /* caller's memory */
    ngx_str_t                   key;        /* the alert key, as it is sent */
    ngx_str_t                   body;       /* without the integration key; */
                                            /* empty: a RESOLVE of ours, of */
                                            /* which said.own tells why */
    uint64_t                    id;         /* event id */
    ngx_http_ilert_said_t       said;
    ngx_http_ilert_policy_t     policy;     /* of its source, for accepting */
    int64_t                     silence;    /* ms after which its alert is */
                                            /* resolved if nothing is heard */
                                            /* of it; 0: as its source says */
    ngx_str_t                   summary;    /* for digests; empty if its */
                                            /* source has none */
    int64_t                     began;      /* wall clock, ms: when its */
                                            /* alert has begun, if this is */
                                            /* the first that Kapacitor has */
                                            /* sent of it, and of this alert */
                                            /* key; 0: it is not, or this is */
                                            /* not known */
    unsigned                    passthrough:1;  /* a body of Kapacitor's */

    /*
     * The event is not accepted after "deadline", in ms of
     * ngx_http_ilert_clock_msec(); 0 is no deadline.  It is also not accepted
     * if "withdrawn" is set, which any thread may do before it answers the
     * event's webhook.  If either has happened, "late" is set when the job is
     * done: the event is not on disk, and will never be.
     */
    int64_t                     deadline;
    ngx_atomic_t                withdrawn;
    unsigned                    late:1;

    ngx_http_ilert_store_heard_t  heard;    /* its strings are the event's */
    unsigned                    stale:1;    /* "stale drop" */

    /*
     * Set by a job that has accepted the event.  If "news" is not .._NEWS, the
     * event is not on disk, and counts as ignored.  If "clash" is not empty,
     * webhooks of its alert key come from this task, too.
     */
    ngx_http_ilert_store_news_e  news;
    u_char                      clash[64];
    size_t                      clash_len;
    int64_t                     topic;      /* if it is not newer than what */
                                            /* was heard before of its id: */
                                            /* the topic of that, else 0 */

    /* set if the event has been accepted */

    ngx_uint_t                  coalesced;  /* events that need no request */
                                            /* now: this one, the one before */
                                            /* it, or both */
    ngx_uint_t                  silenced;   /* 1: a silence holds it */
    ngx_uint_t                  urgency;

    /* set if the event has been taken */

    int64_t                     seq;        /* number in the order of commit */
    int64_t                     alert;      /* id */
    int64_t                     source_id;  /* the store's own */
    ngx_uint_t                  attempts;   /* made before */
    unsigned                    damaged:1;  /* the store's own */
    ngx_http_ilert_store_budget_t  *budgets[NGX_HTTP_ILERT_STORE_BUDGETS];

    unsigned                    again:1;    /* ilert has refused it before, */
                                            /* with all of its source */
    unsigned                    lower:1;    /* it goes with priority LOW, */
                                            /* since a digest lists it */

    /*
     * If said.own is .._OWN_REOPEN, a RESOLVE without a body goes in place of
     * the event, which is an ALERT and goes next.  said.level is the ALERT's.
     * If the RESOLVE is refused, the ALERT goes without it.
     */

    /* the verdict, set by the caller */

    ngx_http_ilert_store_verdict_e  verdict;
    int64_t                     next;       /* of AGAIN: a time; otherwise */
                                            /* free for the caller's use */
    unsigned                    maybe:1;    /* of AGAIN: ilert may have it */
    unsigned                    refused:1;  /* of AGAIN: ilert has refused */
                                            /* it, for no fault of the event */
    int64_t                     pause;      /* ms of a pause of its first */
                                            /* budget, or 0 */
    ngx_uint_t                  status;     /* of DEAD: ilert's, or 0 */
    ngx_str_t                   error;      /* of DEAD; the caller's memory */

    /* set by the job if the verdict is DONE */

    unsigned                    frees:1;    /* all of its source were */
                                            /* refused, and are not any */
                                            /* longer: the source is to be */
                                            /* released */

    /* set by the job if the verdict is DEAD */

    unsigned                    kept:1;     /* it waits, since all of its */
                                            /* source are refused */
    unsigned                    parks:1;    /* this is known since this */
                                            /* event */
    unsigned                    doubtful:1; /* it is a dead letter, but may */
                                            /* wait again if all of its */
                                            /* source turn out to be refused */
    ngx_uint_t                  returned;   /* dead letters that wait again */

    /* set if the event was to be accepted, and the job has failed */

    ngx_http_ilert_store_waits_e    waits;

    void                       *data;       /* the caller's */
} ngx_http_ilert_store_event_t;


/*
 * The "next" of an event that waits for no time, since all of its source are
 * refused.  It waits until its source is released, or until it is its turn to
 * be the one by which the source is tried again.
 */

#define NGX_HTTP_ILERT_STORE_RELEASED  INT64_MAX


/* silences that there may be at a time */

#define NGX_HTTP_ILERT_STORE_SILENCES  1000


/* how many events of a source a job may take */

typedef struct {
    ngx_str_t                   source;     /* its name */
    unsigned                    passthrough:1;  /* the kind of the source */
    unsigned                    probe:1;    /* an event is sent to find out */
                                            /* whether others may be; it may */
                                            /* be one that was refused; a */
                                            /* job sets this, too, if it */
                                            /* knows that all are refused */
    ngx_uint_t                  n;          /* events, at most */
    ngx_http_ilert_policy_t     policy;
    ngx_http_ilert_store_budget_t  *budgets[NGX_HTTP_ILERT_STORE_BUDGETS];
                                            /* among job->budgets, or NULL */

    /* set by the job */

    ngx_uint_t                  taken;
    ngx_uint_t                  coalesced;  /* events that need no request */
    ngx_uint_t                  expired;    /* too old: now dead letters */
    ngx_uint_t                  silenced;   /* events that a silence holds */
                                            /* from now on */
    unsigned                    more:1;     /* more than "n" could be taken */
    unsigned                    paused:1;   /* an order has paused it */

    int64_t                     id;         /* the store's own */
} ngx_http_ilert_store_take_t;


/*
 * A source that is configured, and its integration key.  Alerts belong to
 * keys, so the store has to know which key a source has.
 */

typedef struct {
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* the name of the key's budget */

    /* the store's own: the id of the last alert that was gone through */

    int64_t                     after;      /* before this job */
    int64_t                     next;       /* in this job */
} ngx_http_ilert_store_home_t;


/*
 * A webhook that was refused, and is kept for people to look at.  If a job is
 * to keep it, it and its strings are one allocation, freed with ngx_free().
 */

typedef struct {
    ngx_queue_t                 queue;

    int64_t                     id;         /* by the store, from 1 on */
    int64_t                     time;       /* when it was refused */
    ngx_str_t                   from;       /* address of the client */
    ngx_str_t                   location;
    ngx_uint_t                  status;     /* of the answer */
    ngx_str_t                   error;      /* what was wrong */
    int64_t                     size;       /* bytes of the body as it came */
    ngx_str_t                   body;       /* its first bytes; not in lists */

    /* the store's own */

    int64_t                     bytes;      /* of room that it counts for */
    unsigned                    removed:1;  /* saving removes it; 0: adds it */
} ngx_http_ilert_store_refused_t;


/*
 * An order of an operator.  It is carried out in parts, one in each job: if
 * "more" is set, the caller sets "after" to "next", and puts the order into
 * another job.  The outcome is that of one part, and holds only if the job is
 * "decided".
 */

typedef enum {
    NGX_HTTP_ILERT_STORE_REPLAY = 0,    /* dead letters are sent again */
    NGX_HTTP_ILERT_STORE_DISCARD,       /* dead letters are removed */
    NGX_HTTP_ILERT_STORE_PAUSE,         /* a source is paused */
    NGX_HTTP_ILERT_STORE_RESUME,
    NGX_HTTP_ILERT_STORE_EMPTY,         /* the source's waiting events are */
                                        /* removed, but not those under way, */
                                        /* and no RESOLVE of an alert that */
                                        /* ilert may show */
    NGX_HTTP_ILERT_STORE_FORGET,        /* refused webhooks are removed */
    NGX_HTTP_ILERT_STORE_END_ALERT,     /* an alert is resolved */
    NGX_HTTP_ILERT_STORE_ADD_SILENCE,
    NGX_HTTP_ILERT_STORE_END_SILENCE
} ngx_http_ilert_store_action_e;

typedef struct {
    ngx_queue_t                 queue;

    ngx_http_ilert_store_action_e  action;
    uint64_t                    id;         /* of a letter, a webhook, or a */
                                            /* silence; 0: all webhooks, or */
                                            /* all letters of the source; of */
                                            /* .._END_ALERT: of a new event */
    ngx_str_t                   source;     /* its name */
    ngx_str_t                   owner;      /* as in an event, for */
                                            /* .._END_ALERT, .._ADD_SILENCE */
    ngx_str_t                   key;        /* of .._END_ALERT: the alert */
                                            /* key; of .._ADD_SILENCE: a */
                                            /* pattern of alert keys */
    int64_t                     from;       /* of .._ADD_SILENCE: times, */
    int64_t                     until;      /* and a comment, or empty */
    ngx_str_t                   comment;
    ngx_http_ilert_policy_t     policy;     /* of the source, for */
                                            /* .._END_ALERT */
    unsigned                    passthrough:1;  /* likewise */

    /*
     * Returns 1 if a source of that name is configured.  It is called on the
     * thread.
     */
    ngx_uint_t                (*configured)(ngx_str_t *name, void *data);
    void                       *data;

    /* the outcome */

    ngx_uint_t                  count;      /* how many letters, events, */
                                            /* sources, or webhooks it has */
                                            /* changed or removed */
    ngx_uint_t                  refused;    /* letters that were not sent */
                                            /* again */
    const char                 *why;        /* why something was not done; */
                                            /* NULL if all was */
    unsigned                    missing:1;  /* there is no such source, */
                                            /* letter, or webhook */
    unsigned                    more:1;     /* it is not finished */
    int64_t                     made;       /* id of the new silence */

    /* the store's own: the place in what is gone through */

    int64_t                     after[2];   /* where this job begins */
    int64_t                     next[2];    /* where the next one does */
    unsigned                    known:1;    /* there is such a source */
} ngx_http_ilert_store_order_t;


/*
 * A query, for the status and for dry runs, and its answer.  It is answered
 * when the job's transaction is over, with what is on disk at that time.  The
 * strings and arrays of the answer are in "pool", which the thread uses until
 * the job is done.
 */

#define NGX_HTTP_ILERT_STORE_LISTED  100    /* elements of a list, at most */

typedef struct {
    ngx_str_t                   name;
    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
                                            /* events of each urgency */
    int64_t                     oldest[NGX_HTTP_ILERT_URGENCIES];
                                            /* of alerts of each urgency: */
                                            /* since when the first event */
                                            /* waits, or 0 */
    int64_t                     open;       /* alerts */
    int64_t                     dead;       /* dead letters */
    int64_t                     paused;     /* since when, or 0 */
    unsigned                    retries:1;  /* events wait to be tried again */
} ngx_http_ilert_store_source_t;

typedef struct {
    ngx_str_t                   source;
    ngx_str_t                   key;
    ngx_uint_t                  level;
    int64_t                     opened;     /* time */
    int64_t                     last;       /* when it was last heard of */
    int64_t                     silence;    /* id of a silence that holds */
                                            /* for it now; 0: there is none */
} ngx_http_ilert_store_open_t;

/*
 * A silence.  It holds for all alerts of an integration key that match it,
 * whatever source their events are of.
 */

typedef struct {
    ngx_queue_t                 queue;      /* of work->silences */

    int64_t                     id;         /* from 1 on */
    ngx_str_t                   source;     /* name of the source that it */
                                            /* was made for */
    int64_t                     owner;      /* id of the budget of the key */
                                            /* that this source has now; 0: */
                                            /* it is not known */
    int64_t                     source_id;  /* of that source; 0: there is */
                                            /* none */
    ngx_str_t                   pattern;    /* of alert keys, folded; "*" is */
                                            /* any characters, "?" is one */
    int64_t                     from;       /* times: from .. until - 1 */
    int64_t                     until;
    ngx_str_t                   comment;

    int64_t                     held;       /* of a query: alerts whose */
                                            /* events it holds */
    unsigned                    added:1;    /* to be saved */
    unsigned                    removed:1;
} ngx_http_ilert_store_silence_t;

/* an alert of which something waits, and what it waits for */

typedef enum {
    NGX_HTTP_ILERT_FOR_TURN = 0,            /* others go first, or a budget */
    NGX_HTTP_ILERT_FOR_VERDICT,             /* it is under way */
    NGX_HTTP_ILERT_FOR_RETRY,               /* until "next" */
    NGX_HTTP_ILERT_FOR_RELEASE,             /* all of its source is refused */
    NGX_HTTP_ILERT_FOR_RESUME,              /* its source is paused */
    NGX_HTTP_ILERT_FOR_DELAY,               /* "resolve_delay", until "next" */
    NGX_HTTP_ILERT_FOR_SILENCE,
    NGX_HTTP_ILERT_FOR_DIGEST,
    NGX_HTTP_ILERT_FOR_REPLAY               /* it is a dead letter */
} ngx_http_ilert_store_for_e;

typedef struct {
    ngx_str_t                   source;
    ngx_str_t                   key;
    ngx_uint_t                  type;       /* of its first event, or, with */
    ngx_uint_t                  level;      /* "urgent", of the one that is */
    ngx_uint_t                  priority;
    ngx_uint_t                  urgency;    /* of the alert */
    int64_t                     since;      /* when that came */
    int64_t                     next;       /* a time, or 0 */
    ngx_http_ilert_store_for_e  waits;
    ngx_str_t                   error;      /* of a dead letter */
    unsigned                    named:1;    /* a digest that ilert has taken */
                                            /* has named it, at this level */
} ngx_http_ilert_store_waiter_t;

/* the digest of a source */

typedef struct {
    ngx_str_t                   source;
    int64_t                     opened;     /* since when it is open */
    int64_t                     told;       /* when its last event was made */
    int64_t                     calm;       /* since when it is about to */
                                            /* end, or 0 */
    int64_t                     bad[NGX_HTTP_ILERT_CRITICAL + 1];
                                            /* alerts of each level */
} ngx_http_ilert_store_digests_t;

typedef struct {
    uint64_t                    id;         /* of the event */
    ngx_str_t                   source;
    ngx_str_t                   key;
    ngx_uint_t                  type;
    int64_t                     received;
    ngx_uint_t                  status;     /* ilert's; 0: none */
    ngx_str_t                   error;
} ngx_http_ilert_store_dead_t;

typedef struct {
    uint64_t                    id;         /* of a waiting event */
    ngx_uint_t                  type;
    ngx_uint_t                  level;
    ngx_uint_t                  urgency;
    int64_t                     received;
    unsigned                    inflight:1;
} ngx_http_ilert_store_listed_t;

typedef struct {
    ngx_str_t                   name;       /* of a budget */
    ngx_uint_t                  used;       /* requests that count now */
    int64_t                     until;      /* end of a pause, or 0 */
} ngx_http_ilert_store_used_t;

typedef struct ngx_http_ilert_store_query_s  ngx_http_ilert_store_query_t;

struct ngx_http_ilert_store_query_s {
    ngx_queue_t                 queue;
    ngx_pool_t                 *pool;

    /*
     * The handler is called in the event loop with the answer, and has to
     * destroy the pool.  If it is NULL, nobody waits for the answer any
     * longer, and the caller of the job destroys the pool.
     */
    void                      (*handler)(ngx_http_ilert_store_query_t *query);
    void                       *data;

    ngx_str_t                   source;     /* only this one is listed, if */
                                            /* the name is not empty */
    ngx_str_t                   key;        /* an alert key, with "alert" */
    unsigned                    alert:1;    /* asks for that alert, too */
    unsigned                    prove:1;    /* only asks whether something */
                                            /* can be committed */
    int64_t                     refused;    /* only asks for the refused */
                                            /* webhook with this id; 0: does */
                                            /* not */
    unsigned                    urgent:1;   /* only asks for waiters: those */
                                            /* CRITICAL or HIGH, no held */
                                            /* ones, and such dead letters, */
                                            /* of alerts that had nothing */
                                            /* since; the oldest first, but */
                                            /* those that are paused, or */
                                            /* "named", last; also lists */
                                            /* "sources" */

    /* what would become of an event of that alert that came now? */

    unsigned                    foresee:1;  /* asks for that, too */
    ngx_str_t                   owner;      /* these are as in an event */
    ngx_http_ilert_said_t       said;
    ngx_http_ilert_policy_t     policy;
    int64_t                     began;

    /* the answer */

    unsigned                    ok:1;       /* there is an answer */
    unsigned                    committed:1;    /* the job was decided */

    int64_t                     bytes;      /* of the database, in use */
    ngx_http_ilert_store_used_t  *used;     /* of the job's budgets */
    ngx_uint_t                  nused;
    ngx_array_t                 sources;    /* store_source_t; by name */
    ngx_array_t                 open;       /* store_open_t; last one first */
    ngx_array_t                 dead;       /* store_dead_t; last one first */
    ngx_array_t                 kept;       /* store_refused_t; last one */
                                            /* first; or the one asked for */
    int64_t                     nkept;      /* number of all those kept */
    ngx_array_t                 silences;   /* store_silence_t; by id */
    ngx_array_t                 waiters;    /* store_waiter_t: .._LISTED at */
                                            /* most, the most urgent first */
    ngx_array_t                 digests;    /* store_digests_t: open ones */

    /* of the alert */

    unsigned                    found:1;    /* it is known */
    ngx_http_ilert_shown_t      shown;      /* set with "foresee", too */
    ngx_http_ilert_store_open_t  state;     /* "opened" is 0 if it is not */
                                            /* open */
    int64_t                     delivered;  /* time of the last one, or 0 */
    int64_t                     next;       /* when its first event may go; */
                                            /* 0: at any time */
    ngx_uint_t                  attempts;
    int64_t                     waiting;    /* events */
    ngx_array_t                 events;     /* store_listed_t */

    /* of the event that came now; said.repeat is set, too */

    ngx_http_ilert_rule_e       rule;
    ngx_uint_t                  hold;       /* the urgency by which it would */
                                            /* be held back, or 0 */
    int64_t                     until;      /* if it would be held */
    ngx_uint_t                  urgency;
    unsigned                    behind:1;   /* others would go before it */
    unsigned                    replaces:1; /* it would take the place of */
                                            /* the last one that waits */
};


/*
 * A look compares what Kapacitor knows with what was heard of it.  It is
 * a part of a job, and belongs to the queue until its handler is called, which
 * has to destroy the pool.  Strings are in the pool.
 *
 * With "absent" it asks instead for ids of the topic, after the key "after",
 * whose level is not OK.
 */

typedef enum {
    NGX_HTTP_ILERT_STORE_AGREES = 0,    /* it is what was heard last */
    NGX_HTTP_ILERT_STORE_NO_MATTER,     /* no difference, see store_look.c */
    NGX_HTTP_ILERT_STORE_DIFFERS
} ngx_http_ilert_store_look_e;

#define NGX_HTTP_ILERT_STORE_HEARD_KEY  16  /* bytes: digest of place and id */

#define NGX_HTTP_ILERT_STORE_STATES     500 /* of a look, at most */

typedef struct {
    ngx_str_t                   id;         /* Kapacitor's */
    int64_t                     time;       /* ns since 1970 */
    ngx_uint_t                  level;

    /* the answer */

    ngx_http_ilert_store_look_e  look;
    unsigned                    heard:1;    /* something is remembered: */
    unsigned                    ignored:1;  /* the mapping has ignored it */
    int64_t                     was_time;
    ngx_uint_t                  was_level;
    int64_t                     at;         /* when it was taken, ms */
    ngx_str_t                   source;     /* of its alert; empty: it has */
    ngx_str_t                   alert_key;  /* none */
} ngx_http_ilert_store_state_t;

typedef struct ngx_http_ilert_store_look_s  ngx_http_ilert_store_look_t;

struct ngx_http_ilert_store_look_s {
    ngx_queue_t                 queue;
    ngx_pool_t                 *pool;
    void                      (*handler)(ngx_http_ilert_store_look_t *look);
    void                       *data;

    ngx_str_t                   place;
    ngx_str_t                   kapacitor;  /* name of "ilert_reconcile" */
    ngx_str_t                   topic;      /* empty with "listed" */
    unsigned                    named:1;    /* the configuration names it */
    unsigned                    absent:1;

    ngx_array_t                 states;     /* store_state_t, .._STATES at */
                                            /* most; with "absent" those */
                                            /* that were found */
    u_char                      after[NGX_HTTP_ILERT_STORE_HEARD_KEY];
                                            /* of "absent": set to the key */
                                            /* of the last one */
    /*
     * With "listed", which is not NULL, it only says which topics this
     * Kapacitor has (ngx_str_t): others are gone.
     */
    ngx_array_t                *listed;

    /* ids that are over, see "mode=watch", so that silence may end them */

    ngx_array_t                *over;       /* ngx_str_t, or NULL */

    /* ids that do not belong to the topic any more */

    ngx_array_t                *moved;      /* ngx_str_t, or NULL */

    /* the answer */

    unsigned                    ok:1;       /* there is one */
    unsigned                    learned:1;  /* the topic takes part */
    unsigned                    more:1;     /* of "absent": there are more */
    int64_t                     number;     /* the store's, of the topic; 0: */
                                            /* it has none */

    /* the store's own: what becomes "after" */

    u_char                      next[NGX_HTTP_ILERT_STORE_HEARD_KEY];
};


/* a Kapacitor that is asked, for "resolve_after" */

typedef struct {
    ngx_str_t                   name;       /* of "ilert_reconcile" */
    ngx_str_t                   place;
    unsigned                    up:1;       /* its last poll was complete */
} ngx_http_ilert_store_kapacitor_t;


/*
 * A job is what is done in one transaction: verdicts first, which make room,
 * then orders, accepts, and takes, of which the most urgent ones of all
 * sources come first.  Lists may be empty.  The job and its lists are the
 * caller's memory; only "taken" and "buried" are allocated.
 */

typedef struct {
    int64_t                     now;        /* wall clock, ms */
    int64_t                     longest;    /* ms: nothing waits for a time */
                                            /* that is farther away, unless */
                                            /* the clock was set back; 0: */
                                            /* not known */

    ngx_queue_t                 verdicts;   /* store_event_t */
    ngx_queue_t                 orders;     /* store_order_t */
    ngx_queue_t                 accepts;    /* in the order of commit */
    ngx_queue_t                 queries;    /* store_query_t */
    ngx_queue_t                 notes;      /* store_note_t; before accepts */
    ngx_queue_t                 looks;      /* store_look_t; after accepts */

    ngx_http_ilert_store_kapacitor_t  *kapacitors;  /* of a courier's job */
    ngx_uint_t                  nkapacitors;

    /*
     * store_refused_t, to be kept in a transaction of their own, after the
     * other one.  If that fails, it is not tried again.
     */
    ngx_queue_t                 refused;

    ngx_http_ilert_store_take_t  *takes;
    ngx_uint_t                  ntakes;

    ngx_http_ilert_store_budget_t  *budgets;
    ngx_uint_t                  nbudgets;

    /*
     * The courier's number, which is the "begun" of an earlier job; 0 if the
     * job is not a courier's.  If another courier has begun since, "over" is
     * set: verdicts of the job have no effect, and it takes nothing.
     */
    int64_t                     term;

    /*
     * The lock that the courier holds, by the name and the inode of its file.
     * A courier cannot begin unless that is the lock of the folder that the
     * database is in.  If the name is NULL, this is not checked.
     */
    const u_char               *lock;
    dev_t                       lock_device;
    ino_t                       lock_inode;

    /*
     * With "begin": the seq of events of which workers have died, and which
     * become dead letters.  While the thread is busy with an event, its seq is
     * in *at_hand, otherwise 0; at_hand may be NULL.
     */
    int64_t                    *deadly;
    ngx_uint_t                  ndeadly;
    volatile int64_t           *at_hand;

    uint64_t                   *ids;        /* event ids that the store may */
    ngx_uint_t                  nids;       /* use for its own events */

    ngx_http_ilert_store_home_t  *homes;    /* all sources, if a courier */
    ngx_uint_t                  nhomes;     /* begins; otherwise none */

    /*
     * The number of the nginx of this process, all of whose workers share
     * memory; or 0.  An nginx notes its relays in that memory.  If one ended
     * before it told the store of them, what ilert shows becomes unknown.
     */
    int64_t                     session;

    unsigned                    begin:1;    /* a courier begins: events that */
                                            /* the last one had taken may */
                                            /* have been sent */
    unsigned                    unknown:1;  /* what ilert shows becomes */
                                            /* unknown, of all alerts */
    unsigned                    clean:1;    /* does a bounded part of the */
                                            /* housekeeping */
    unsigned                    prove:1;    /* commits something in any case */
    unsigned                    registered:1;   /* an earlier job has given */
                                            /* the session a row */
    unsigned                    end:1;      /* ends the session: the store */
                                            /* has been told of all relays */
    ngx_str_t                  *release;    /* names of sources whose events */
    ngx_uint_t                  nrelease;   /* need not wait any longer */

    /* the outcome */

    ngx_queue_t                 taken;      /* store_event_t; the caller has */
    ngx_queue_t                 buried;     /* to free them; those of */
                                            /* "deadly" */
    int64_t                     begun;      /* the new courier's number, or */
                                            /* 0: none has begun */
    int64_t                     away;       /* with "begin": since when none */
                                            /* has delivered, or 0 */
    int64_t                     due;        /* when the next event that */
                                            /* waits for a time may go, or */
                                            /* 0; "now" if there is more to */
                                            /* do than in one job */
    ngx_uint_t                  made;       /* own events: as many of "ids" */
                                            /* were used */
    ngx_uint_t                  resolved;   /* alerts, after silence */
    ngx_uint_t                  coalesced;  /* events, of accepts and takes */
    ngx_uint_t                  expired;    /* events that were too old: now */
                                            /* dead letters */
    ngx_uint_t                  dropped;    /* dead letters that were too */
                                            /* old, or had no room */
    ngx_uint_t                  damaged;    /* events whose rows make no */
                                            /* sense: now dead letters */
    ngx_uint_t                  lapsed;     /* silences that are over, and */
    int64_t                     lapsed_id;  /* the last one of these */
    ngx_uint_t                  silent;     /* alerts that were forgotten, */
                                            /* not heard of for too long */
    ngx_uint_t                  forgotten;  /* alerts, to make room; this */
                                            /* holds even if the job failed */
    ngx_uint_t                  evicted;    /* refused webhooks, likewise */
    ngx_uint_t                  kept;       /* refused webhooks */
    unsigned                    over:1;     /* another courier delivers */
    unsigned                    fresh:1;    /* "begun" is the first courier */
                                            /* of this database */
    unsigned                    more:1;     /* "clean" is not finished */
    unsigned                    releasing:1;    /* "release" is not */
                                            /* finished */
    unsigned                    moving:1;   /* "homes" are not finished: */
                                            /* nothing has been taken */
    unsigned                    noted:1;    /* the session has a row now */
    unsigned                    accepted:1; /* all accepts that are not */
                                            /* "late" are on disk */
    unsigned                    decided:1;  /* all the rest is on disk: */
                                            /* verdicts, "begin", ... */
    unsigned                    idle:1;     /* nothing was changed, nor */
                                            /* would the same job do so */
} ngx_http_ilert_store_job_t;


typedef enum {
    NGX_HTTP_ILERT_STORE_OK = 0,
    NGX_HTTP_ILERT_STORE_FULL,      /* no room: disk, quota, max_size */
    NGX_HTTP_ILERT_STORE_FAILED,    /* it is open, but there was an error */
    NGX_HTTP_ILERT_STORE_CLOSED     /* it cannot be opened, see "error" */
} ngx_http_ilert_store_state_e;


typedef struct ngx_http_ilert_backend_s  ngx_http_ilert_backend_t;

/* each backend defines this struct for its own use */

typedef struct ngx_http_ilert_backend_data_s  ngx_http_ilert_backend_data_t;

/* the place of an alert in an order by time and id; 0, 0: the beginning */

typedef struct {
    int64_t                     time;
    int64_t                     id;
} ngx_http_ilert_store_mark_t;


/*
 * The caller sets the first five members, and zeroes all others, before the
 * store is run for the first time.
 */

typedef struct {
    ngx_http_ilert_backend_t   *backend;    /* what keeps all */
    ngx_str_t                   path;       /* of the folder; it ends with a */
                                            /* zero byte */
    off_t                       max_size;   /* bytes; 0: any */
    pthread_mutex_t            *mutex;      /* robust, shared; or NULL */

    /*
     * Called on the thread with 1 when it has got the mutex, and with 0 before
     * it lets the mutex go; or NULL.
     */
    void                      (*locked)(ngx_uint_t locked);

    ngx_http_ilert_store_state_e  state;
    char                        error[512]; /* one line: what is wrong and, */
                                            /* if known, how to mend it */
    unsigned                    asked:1;    /* the state is not OK, but all */
                                            /* accepts have "waits" set */
    char                        notice[512];    /* one line to be logged */
                                            /* once, such as that a database */
                                            /* was moved aside */

    /* the store's own */

    ngx_uint_t                  fault;      /* of the last error: */
                                            /* ngx_http_ilert_store_fault_e */
    int64_t                     failed;     /* when nothing could be written */
    int64_t                     full;       /* when there was no room for */
                                            /* accepts */
    size_t                      size;       /* bytes of the accepts then */
    unsigned                    open:1;     /* the backend has opened it */
    unsigned                    blocked:1;  /* "failed" is due to a lock */
    unsigned                    lost:1;     /* an earlier database is lost, */
                                            /* and what it knew of ilert */
    unsigned                    buried:1;   /* a dead letter has been added */

    /* where the search for alerts to forget goes on, see store_forget.c */

    ngx_http_ilert_store_mark_t  old[2];    /* those that are too old */
    ngx_http_ilert_store_mark_t  oldest[2]; /* those that make room */
    u_char                      heard[NGX_HTTP_ILERT_STORE_HEARD_KEY];
                                            /* what was heard */

    /* likewise for what silences hold: id of a source, and a head */

    int64_t                     silenced[2];

    ngx_http_ilert_backend_data_t  *private;    /* the backend's own */
} ngx_http_ilert_store_t;


/*
 * Allocates an event with room for strings of these lengths in bytes: the
 * source's name, the alert key, the body, and the summary.  The strings point
 * to that room, and the caller fills it in.  What was heard is
 * copied, with its strings, unless it is NULL.  All else is zero.  Returns
 * NULL if there is no memory.  The caller frees it with ngx_free().
 */
ngx_http_ilert_store_event_t *ngx_http_ilert_store_event(size_t source,
    size_t key, size_t body, size_t summary,
    ngx_http_ilert_store_heard_t *heard);

/*
 * Allocates a note with a copy of what was heard, and of the name of a source
 * and an alert key, each of which may be empty.  Returns NULL if there is no
 * memory.  The caller frees it with ngx_free().
 */
ngx_http_ilert_store_note_t *ngx_http_ilert_store_note(
    ngx_http_ilert_store_heard_t *heard, ngx_str_t *source, ngx_str_t *key);


/*
 * Runs the job, and opens the database if it is not open.  Returns the store's
 * state, which is also in store->state.
 *
 * If "accepted" is set, the accepts are on disk (fsync), and if "decided" is
 * set, all the rest is.  If "accepted" is not set, none of the accepts is on
 * disk, and each of them has "waits" set.  This is what waited when the job
 * was run; it is CANNOT_SAY if another process may be about to commit
 * something.  If there was no room for the accepts, all the rest may have been
 * done, so there may be taken events whatever the outcome is.  If "decided" is
 * not set, all of the job has to be given again.
 *
 * After an error writing is not tried again for half a second, by job->now.
 * Until then a job only finds out "waits".  If the state is FULL, this holds
 * for the accepts alone, unless there was no room for the rest either.  An
 * empty job is enough to try whether the store can be written to.
 */
ngx_http_ilert_store_state_e ngx_http_ilert_store_run(
    ngx_http_ilert_store_t *store, ngx_http_ilert_store_job_t *job);


/*
 * Finds the name of a source that has waiting events: the one that comes after
 * "name" in the order of names, or the first one if "name" is empty.  Writes
 * it over "name", which must have room for "size" bytes; longer names are
 * passed over.  Returns NGX_OK, or NGX_DECLINED if there is no such source, or
 * if the database is not open or cannot be read.
 */
ngx_int_t ngx_http_ilert_store_next_source(ngx_http_ilert_store_t *store,
    ngx_str_t *name, size_t size);


/* Closes the database.  The store can be run again later. */
void ngx_http_ilert_store_close(ngx_http_ilert_store_t *store);


#endif /* _NGX_HTTP_ILERT_STORE_H_INCLUDED_ */
