
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_
#define _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_fallback_rules.h"
#include "ngx_http_ilert_history.h"


/*
 * What all workers count and know, in shared memory: for each source,
 * endpoint, and Kapacitor, by their names, and for all together.  It is there
 * from the master's start on, and outlives reloads.  Times are ms of the wall
 * clock; 0 means never.
 *
 * A word that is a fact by itself is an ngx_atomic_t: it is added to, set, and
 * read without a lock.
 *
 * A fact of more than one word is for example a code and its text, a state and
 * its reason, or a number of 64 bits where a word has 32.  One function sets
 * it, and one function reads it, as a copy; both hold the mutex of the zone,
 * and do nothing else than copy some hundred bytes.  Single words of a fact
 * may be looked at without the mutex.  If a process is killed while it has the
 * mutex, the master unlocks it, and the fact may be incomplete until it is set
 * again.
 */


/* how many different codes are counted for a source, at most */

#define NGX_HTTP_ILERT_COUNTERS_CODES    48

/* bytes of a text, at most */

#define NGX_HTTP_ILERT_COUNTERS_TEXT     256

/*
 * Statuses of refused webhooks: how many different ones are counted, at most;
 * and the codes of the two last places, for those that have no place of their
 * own: 4xx and others that are no 5xx, and 5xx.
 */

#define NGX_HTTP_ILERT_COUNTERS_REFUSED  24

#define NGX_HTTP_ILERT_COUNTERS_OTHER_REJECTED     1
#define NGX_HTTP_ILERT_COUNTERS_OTHER_UNAVAILABLE  2

/* bytes of a text that tells what is wrong with the queue, at most */

#define NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE  512

/* counters of late webhooks: several topics may share one */

#define NGX_HTTP_ILERT_COUNTERS_LATE  64


/* how many answers had a code */

typedef struct {
    ngx_atomic_t                 code;      /* an HTTP status, or a number */
                                            /* less than 100: a fault, or */
                                            /* OTHER_...; 0: a free place */
    ngx_atomic_t                 n;
} ngx_http_ilert_counters_code_t;


/* a text; in shared memory it is read and set under the mutex */

typedef struct {
    size_t                       len;
    u_char                       data[NGX_HTTP_ILERT_COUNTERS_TEXT];
} ngx_http_ilert_counters_text_t;


/*
 * A webhook that was answered with another status than 2xx.  A text that is
 * not known is empty.
 */

typedef struct {
    int64_t                      time;      /* 0: there was none */
    ngx_uint_t                   status;
    ngx_http_ilert_counters_text_t  from;      /* the client's address */
    ngx_http_ilert_counters_text_t  location;
    ngx_http_ilert_counters_text_t  error;
    ngx_http_ilert_counters_text_t  id;
    ngx_http_ilert_counters_text_t  level;
} ngx_http_ilert_counters_refusal_t;


/* two tasks of Kapacitor's of which webhooks have the same alert key */

typedef struct {
    int64_t                      time;      /* of the last webhook of such */
                                            /* a key; 0: there was none */
    ngx_http_ilert_counters_text_t  source;
    ngx_http_ilert_counters_text_t  key;
    ngx_http_ilert_counters_text_t  tasks[2];  /* the last webhook's comes */
                                            /* last */
} ngx_http_ilert_counters_clash_t;


/*
 * The state of a source, by the last outcomes of its requests; under the
 * mutex.
 */

typedef struct {
    int64_t                      success;   /* time of the last 2xx */
    int64_t                      error_time;    /* of the last other outcome */
    ngx_uint_t                   error_status;  /* its status; 0: no answer */
    ngx_http_ilert_counters_text_t  error;

    ngx_uint_t                   parked;    /* because of its key */
    ngx_uint_t                   refuses;   /* parked, as everything of it */
                                            /* is refused */
    ngx_uint_t                   limited;   /* after a 429 */
    ngx_uint_t                   failing;   /* there was no answer, or one */
                                            /* of 408 or 5xx */
    int64_t                      until;     /* end of the pause, if one of */
                                            /* the first three is set */
    ngx_http_ilert_counters_text_t  park;      /* why it is parked */
} ngx_http_ilert_counters_last_t;


/* what was logged last about the source's deliveries; under the mutex */

typedef struct {
    ngx_uint_t                   fault;     /* 1: that they fail; 0: that */
                                            /* they succeed again */
    time_t                       time;      /* s, when 1 was logged last */
    ngx_uint_t                   code;      /* HTTP status, or a fault */
} ngx_http_ilert_counters_fault_t;


/* what a source has in the store, as read last; under the mutex */

/*
 * The first urgencies are those of pending events: neither repeats that are
 * put off nor events that are held back are pending.
 */

#define NGX_HTTP_ILERT_COUNTERS_PENDING  NGX_HTTP_ILERT_REPEATS

typedef struct {
    int64_t                      waiting[NGX_HTTP_ILERT_URGENCIES];
                                            /* events */
    int64_t                      oldest[NGX_HTTP_ILERT_COUNTERS_PENDING];
                                            /* since when one waits, or 0 */
    int64_t                      dead;      /* dead letters */
    int64_t                      open;      /* open alerts */
} ngx_http_ilert_counters_waiting_t;


/*
 * The beginning of what is kept for a name: the master finds it in a list when
 * the configuration is read.
 */

typedef struct ngx_http_ilert_counters_node_s  ngx_http_ilert_counters_node_t;

struct ngx_http_ilert_counters_node_s {
    ngx_http_ilert_counters_node_t  *next;
    ngx_http_ilert_counters_t      *counters;     /* whose node it is */
    ngx_uint_t                   first;     /* numbers of the first and the */
    ngx_uint_t                   last;      /* last cycle with this name */
    ngx_str_t                    name;
};


struct ngx_http_ilert_counters_source_s {
    ngx_http_ilert_counters_node_t  node;

    /* counts, each by itself */

    ngx_atomic_t                 accepted;
    ngx_atomic_t                 ignored;
    ngx_atomic_t                 coalesced;
    ngx_atomic_t                 silenced;
    ngx_atomic_t                 delivered;
    ngx_atomic_t                 retried;
    ngx_atomic_t                 dead;
    ngx_atomic_t                 doubtful;  /* dead letters that may have to */
                                            /* wait again; not in "dead" yet */
    ngx_atomic_t                 inflight;  /* the courier's */

    /* a code that has a place keeps it */

    ngx_http_ilert_counters_code_t  codes[NGX_HTTP_ILERT_COUNTERS_CODES];
    ngx_http_ilert_counters_code_t  refused[NGX_HTTP_ILERT_COUNTERS_REFUSED];

    /* set under the mutex, but for "urgent", and looked at one by one */

    ngx_atomic_t                 paused;    /* 1: a person has paused it */
    ngx_atomic_t                 orders;    /* orders to pause or resume it */
    ngx_atomic_t                 resumed;   /* those of them to resume it */
    ngx_atomic_t                 urgent;    /* events of the first urgency */
                                            /* that have come in */

    ngx_http_ilert_counters_last_t  last;
    ngx_http_ilert_counters_fault_t  fault;
    ngx_http_ilert_counters_waiting_t  waiting;
};


struct ngx_http_ilert_counters_endpoint_s {
    ngx_http_ilert_counters_node_t  node;

    /* under the mutex */

    ngx_uint_t                   down;
    int64_t                      since;     /* when "down" has changed last */
};


/*
 * A histogram.  An observation is added to one bucket, and then to the sum.
 * Both are separate words, so a reader may find it in the bucket only; in the
 * sum it is there the next time.
 */

#define NGX_HTTP_ILERT_COUNTERS_BUCKETS  14

typedef struct {
    ngx_atomic_t                 buckets[NGX_HTTP_ILERT_COUNTERS_BUCKETS];
    ngx_atomic_t                 sum;       /* microseconds */
} ngx_http_ilert_counters_histogram_t;

/* bounds of buckets; the last one is +Inf */

typedef struct {
    uint64_t                     bound;     /* microseconds */
    const char                  *text;      /* seconds */
} ngx_http_ilert_counters_bucket_t;

extern ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_commit_buckets[];
extern ngx_http_ilert_counters_bucket_t
    ngx_http_ilert_counters_delivery_buckets[];


/* how a Kapacitor is, by the last poll */

typedef enum {
    NGX_HTTP_ILERT_KAPACITOR_UNASKED = 0,   /* no poll has ended yet */
    NGX_HTTP_ILERT_KAPACITOR_UP,
    NGX_HTTP_ILERT_KAPACITOR_DOWN,          /* no answer, or one of 5xx, or */
                                            /* one that is none of its API */
    NGX_HTTP_ILERT_KAPACITOR_REFUSED,       /* 4xx: 401, 403, 404 */
    NGX_HTTP_ILERT_KAPACITOR_BEHIND         /* it is up, and webhooks wait */
                                            /* in it */
} ngx_http_ilert_kapacitor_state_e;

/* the actions of repairs */

typedef enum {
    NGX_HTTP_ILERT_RECONCILED_ALERT = 0,    /* opened or raised */
    NGX_HTTP_ILERT_RECONCILED_RESOLVE,
    NGX_HTTP_ILERT_RECONCILED_UPDATE,
    NGX_HTTP_ILERT_RECONCILED_IGNORED,      /* by the mapping */
    NGX_HTTP_ILERT_RECONCILED_N
} ngx_http_ilert_reconciled_e;

/* what is known of a Kapacitor; its courier sets it as a whole */

typedef struct {
    ngx_uint_t                   state;     /* kapacitor_state_e */
    int64_t                      since;     /* since when it is so, ms */
    int64_t                      polled;    /* when the last poll ended, ms, */
                                            /* or 0 */
    ngx_uint_t                   topics;    /* that take part */
    ngx_uint_t                   listed;    /* all of them */
    ngx_uint_t                   compared;  /* alerts, in the last poll */
    ngx_uint_t                   differences;   /* now, as far as is known */
    ngx_uint_t                   watched;   /* of these: that are not */
                                            /* repaired, see "watch" */
    size_t                       error_len; /* 0: none */
    u_char                       error[NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE];
} ngx_http_ilert_counters_poll_t;

struct ngx_http_ilert_counters_kapacitor_s {
    ngx_http_ilert_counters_node_t  node;

    ngx_atomic_t                 reconciled[NGX_HTTP_ILERT_RECONCILED_N];
    ngx_http_ilert_counters_poll_t  poll;   /* under the mutex; before the */
                                            /* first poll it has only */
                                            /* "since", when it was new */
};

/*
 * Set and copy what is known of a Kapacitor.  An error that is too long must
 * have been cut by the caller.
 */
void ngx_http_ilert_counters_set_poll(ngx_http_ilert_kapacitor_t *kapacitor,
    ngx_http_ilert_counters_poll_t *poll);
void ngx_http_ilert_counters_get_poll(ngx_http_ilert_kapacitor_t *kapacitor,
    ngx_http_ilert_counters_poll_t *poll);


/* a time in which nginx did not run */

typedef struct {
    int64_t                      from;      /* 0: there was none */
    int64_t                      to;        /* when nginx was started */
} ngx_http_ilert_counters_away_t;


/*
 * What is known of the other way out.  What is late waits for ilert longer
 * than "ilert_fallback" allows.
 */

typedef struct {
    ngx_http_ilert_fallback_state_t  state;
    ngx_uint_t                   late;      /* alerts */
    int64_t                      since;     /* since when the oldest of them */
                                            /* waits, or 0 */
    int64_t                      last;      /* when it took something last */
    int64_t                      sent;      /* how many posts it took, and */
    int64_t                      failed;    /* how many it did not take */
    ngx_http_ilert_counters_text_t  error;  /* of the last try, or empty */
} ngx_http_ilert_counters_fallback_t;


/* Returns the address of a topic's counter of late webhooks. */

#define ngx_http_ilert_counters_late(counters, topic)                         \
    (&(counters)->late[(topic) % NGX_HTTP_ILERT_COUNTERS_LATE])


struct ngx_http_ilert_counters_s {
    ngx_slab_pool_t             *shpool;
    ngx_http_ilert_counters_node_t  *sources;
    ngx_http_ilert_counters_node_t  *endpoints;
    ngx_http_ilert_counters_node_t  *kapacitors;

    int64_t                      started;   /* when nginx was; not changed */

    /* of webhooks without a source */

    ngx_atomic_t                 ignored;
    ngx_http_ilert_counters_code_t  refused[NGX_HTTP_ILERT_COUNTERS_REFUSED];

    ngx_http_ilert_counters_refusal_t  refusal;    /* the last one, under */
                                            /* the mutex */
    ngx_http_ilert_counters_clash_t  clash;    /* under the mutex */
    ngx_atomic_t                 clash_logged;  /* time of the last line, s */
    ngx_http_ilert_counters_away_t  away;  /* under the mutex */

    /*
     * Webhooks that were not newer than the last one of their id, so that what
     * Kapacitor knows has to be compared again; by the numbers of their topics
     */
    ngx_atomic_t                 late[NGX_HTTP_ILERT_COUNTERS_LATE];

    ngx_http_ilert_counters_histogram_t  commit;
    ngx_http_ilert_counters_histogram_t  delivery;

    ngx_http_ilert_history_t    *history;

    ngx_http_ilert_counters_fallback_t  fallback;   /* under the mutex */

    /* numbers, each a fact of its own, under the mutex */

    int64_t                      pinged;    /* time of the last ping */
    int64_t                      committed; /* time of the last commit of an */
                                            /* event or a probe */
    int64_t                      bytes;     /* size of the queue, as read */
                                            /* last, or -1 */

    /* trouble of the queue, under the mutex */

    ngx_uint_t                   trouble;   /* a state of the store's; 0: */
                                            /* there is none */
    size_t                       error_len; /* 0, if there is none */
    u_char                       error[NGX_HTTP_ILERT_COUNTERS_ERROR_SIZE];
};


/*
 * Is called when all sources, endpoints, and Kapacitors have been read: adds
 * the shared memory.  When nginx has made that, each of them is given its
 * counters.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_counters_init(ngx_conf_t *cf,
    ngx_http_ilert_main_conf_t *imcf);


/* the outcome of a request of a source, as far as it is counted */

typedef struct {
    ngx_uint_t                   code;      /* HTTP status, or a fault */
    ngx_uint_t                   status;    /* HTTP status, or 0 */
    ngx_str_t                   *error;     /* NULL: it is delivered */
    int64_t                      received;  /* when the event was */
    int64_t                      pause;     /* ms of the key's pause, if it */
                                            /* is refused or limited; or 0 */
    unsigned                     refused:1; /* the key is parked */
    unsigned                     valid:1;   /* the key is not parked */
    unsigned                     limited:1; /* it was a 429 */
    unsigned                     failing:1; /* there was no answer, or one */
                                            /* that says nothing: 408, 5xx */
    unsigned                     up:1;      /* the endpoint is not down */
} ngx_http_ilert_counters_outcome_t;

/*
 * Counts an outcome, and sets the state of the source by it.  What parks
 * a source or ends that does so for all sources that have the same key.
 */
void ngx_http_ilert_counters_outcome(ngx_http_ilert_source_t *source,
    ngx_http_ilert_counters_outcome_t *outcome);

/* Counts a webhook of the source that was answered "accepted". */
void ngx_http_ilert_counters_accepted(ngx_http_ilert_counters_source_t *ss);

/* Copies the state of a source. */
void ngx_http_ilert_counters_get_last(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_last_t *last);

/*
 * Notes that everything of the source is refused, with the reason and the ms
 * of the pause that begins; or, if the reason is NULL, that it is not.
 */
void ngx_http_ilert_counters_refuses(ngx_http_ilert_source_t *source,
    ngx_str_t *reason, ngx_msec_t pause);

/*
 * Adds the dead letters that were doubtful to the others, but for "returned"
 * of them, which wait again.
 */
void ngx_http_ilert_counters_settle(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t returned);

/*
 * The source, and all that have the same key, are not parked any more, and
 * not everything of the source is refused.  Returns 1 if one of this was so
 * before.
 */
ngx_uint_t ngx_http_ilert_counters_unpark(ngx_http_ilert_source_t *source);

/* An order to pause the source (1), or to resume it (0), is on disk. */
void ngx_http_ilert_counters_order(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t pause);

/*
 * A job has found that the source is paused, or that it is not.  "orders" is
 * ss->orders of when the job was made: if there has been an order since, what
 * the job has found may be old, and is not set.
 */
void ngx_http_ilert_counters_set_paused(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t orders, ngx_uint_t paused);

/*
 * Returns 1 if a time, in seconds of the wall clock, is less than "period"
 * seconds ago.  It returns 0 if the time is 0, for never, or is in the future,
 * since the clock has been set back.
 */
ngx_uint_t ngx_http_ilert_counters_recent(time_t since, time_t period);

/*
 * Returns 1 if "last", a time in memory that workers share, is not recent by
 * the rule above, and sets it to the present time.  If several workers call
 * this at once, only one of them gets 1.
 */
ngx_uint_t ngx_http_ilert_counters_due(ngx_atomic_t *last, time_t period);

/*
 * Returns 1 if a fault of the source has to be logged, and notes it as logged:
 * if the last line was about the end of a fault, or about another code, and
 * the last fault was logged "period" seconds ago or earlier.
 */
ngx_uint_t ngx_http_ilert_counters_fault(ngx_http_ilert_counters_source_t *ss,
    ngx_uint_t code, time_t period);

/*
 * Returns 1 if the end of a fault has to be logged, since that fault was; and
 * notes the end as logged.
 */
ngx_uint_t ngx_http_ilert_counters_no_fault(
    ngx_http_ilert_counters_source_t *ss);

/* Notes that an endpoint is down (1), or up (0). */
void ngx_http_ilert_counters_set_down(ngx_http_ilert_endpoint_t *endpoint,
    ngx_uint_t down);

/*
 * Returns 1 if the endpoint is down, else 0, and sets since when, or 0 if it
 * has always been up.
 */
ngx_uint_t ngx_http_ilert_counters_get_down(
    ngx_http_ilert_endpoint_t *endpoint, int64_t *since);

/*
 * Set and return the trouble of the queue, a state of the store's or 0, and
 * its error.  A NULL error is an empty one.  The error that is read is
 * allocated from the pool, or empty if there is no memory.
 */
void ngx_http_ilert_counters_set_trouble(ngx_http_ilert_counters_t *counters,
    ngx_uint_t trouble, ngx_str_t *error);
ngx_uint_t ngx_http_ilert_counters_get_trouble(
    ngx_http_ilert_counters_t *counters, ngx_str_t *error, ngx_pool_t *pool);

/*
 * Counts a code in the first n places: in that of the code, or else in a free
 * one, which is the code's from then on.  Returns 0 if there is neither.
 */
ngx_uint_t ngx_http_ilert_counters_add_code(
    ngx_http_ilert_counters_code_t *codes, ngx_uint_t n, ngx_uint_t code);

/*
 * Gives the usual codes their places in new counters of refused webhooks, so
 * that there is a 0 before the first one is counted, from which Prometheus can
 * tell an increase.
 */
void ngx_http_ilert_counters_init_refused(
    ngx_http_ilert_counters_code_t *refused);

/*
 * Counts a webhook that was answered with "status", which is not 2xx or of
 * which nothing was kept: with the source, or without one if that is NULL.
 */
void ngx_http_ilert_counters_refused(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_source_t *source, ngx_uint_t status);

/*
 * Returns 1 if the code is a status of 5xx, or stands for such ones: then the
 * webhook was not at fault, but could not be kept.
 */
ngx_uint_t ngx_http_ilert_counters_unavailable(ngx_uint_t code);

/* Set and read the last webhook that was refused, by copying it. */
void ngx_http_ilert_counters_set_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal);
void ngx_http_ilert_counters_get_refusal(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_refusal_t *refusal);

/* Set and read what is known of the other way out, by copying it. */
void ngx_http_ilert_counters_set_fallback(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_fallback_t *fallback);
void ngx_http_ilert_counters_get_fallback(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_fallback_t *fallback);

/* Set and read the time in which nginx did not run. */
void ngx_http_ilert_counters_set_away(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_away_t *away);
void ngx_http_ilert_counters_get_away(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_away_t *away);

/*
 * Notes that webhooks of an alert key come from two tasks, now from "task",
 * and copies what was noted last.  Strings are valid UTF-8.
 */
void ngx_http_ilert_counters_set_clash(ngx_http_ilert_counters_t *counters,
    ngx_str_t *source, ngx_str_t *key, ngx_str_t *task, ngx_str_t *other);
void ngx_http_ilert_counters_get_clash(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_counters_clash_t *clash);

/*
 * Sets a text, cut to the size that there is for it.  If the text is in shared
 * memory, the caller must hold the mutex.
 */
void ngx_http_ilert_counters_set_text(ngx_http_ilert_counters_text_t *text,
    ngx_str_t *value);

/* Set and read what a source has in the store, by copying it. */
void ngx_http_ilert_counters_set_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting);
void ngx_http_ilert_counters_get_waiting(ngx_http_ilert_counters_source_t *ss,
    ngx_http_ilert_counters_waiting_t *waiting);

/* Set and return one of the numbers of ngx_http_ilert_counters_t. */
void ngx_http_ilert_counters_set(ngx_http_ilert_counters_t *counters,
    int64_t *number, int64_t value);
int64_t ngx_http_ilert_counters_get(ngx_http_ilert_counters_t *counters,
    int64_t *number);

/* Adds an observation, in microseconds, to a histogram of these buckets. */
void ngx_http_ilert_counters_observe(
    ngx_http_ilert_counters_histogram_t *histogram,
    ngx_http_ilert_counters_bucket_t *buckets, int64_t usec);

#define ngx_http_ilert_counters_add(counter, n)                               \
    (void) ngx_atomic_fetch_add(&(counter), n)


#endif /* _NGX_HTTP_ILERT_COUNTERS_H_INCLUDED_ */
