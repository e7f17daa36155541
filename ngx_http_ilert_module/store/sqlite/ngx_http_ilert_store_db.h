
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STORE_DB_H_INCLUDED_
#define _NGX_HTTP_ILERT_STORE_DB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_store.h"


/*
 * What the parts of the store share: store.c, which runs jobs, store_alert.c,
 * which keeps an alert and its events, store_home.c, which finds the key that
 * an alert belongs to, store_forget.c, which forgets alerts, store_take.c,
 * which finds those that may go, store_control.c, which obeys orders,
 * store_status.c, which answers questions, store_ask.c, which asks what waits
 * if the database cannot be opened, store_check.c, which finds damage, and
 * store_db.c, the database.  For nobody else.
 *
 * Functions that return an int return SQLITE_OK, a code of SQLite's, or one
 * of those below, and keep what there is to say of it in db.
 */


/* "ilrt", for file(1) */

#define NGX_HTTP_ILERT_STORE_APPLICATION  0x696c7274

#define NGX_HTTP_ILERT_STORE_PAGE         4096

/* the longest one of a rate */

#define NGX_HTTP_ILERT_STORE_WINDOW       60000

/* rows that one job may go through beside its own events */

#define NGX_HTTP_ILERT_STORE_ROWS         1000

/* ms that a job waits for locks */

#define NGX_HTTP_ILERT_STORE_LOCK_TIME    5000


/* alert.state */

#define NGX_HTTP_ILERT_STORE_READY        0
#define NGX_HTTP_ILERT_STORE_TAKEN        1
#define NGX_HTTP_ILERT_STORE_WAITING      2

/* what is left out of a transaction if there is no room for it */

#define NGX_HTTP_ILERT_STORE_NO_ACCEPTS   1
#define NGX_HTTP_ILERT_STORE_NO_DEAD      2


/* what is in doubt about the file */

#define NGX_HTTP_ILERT_STORE_WRITING      0
#define NGX_HTTP_ILERT_STORE_READING      1


/* beside the codes of SQLite, all of which are positive */

#define NGX_HTTP_ILERT_STORE_MISSING      -1    /* no such row */
#define NGX_HTTP_ILERT_STORE_NOMEM        -2
#define NGX_HTTP_ILERT_STORE_SYSTEM       -3    /* db->err of a system call */
#define NGX_HTTP_ILERT_STORE_FOREIGN      -4    /* not a queue of ours */
#define NGX_HTTP_ILERT_STORE_NEWER        -5    /* schema */
#define NGX_HTTP_ILERT_STORE_NO_WAL       -6
#define NGX_HTTP_ILERT_STORE_LOCKED       -7    /* the mutex */


typedef enum {
    NGX_HTTP_ILERT_STORE_BEGIN = 0,
    NGX_HTTP_ILERT_STORE_BEGIN_READ,
    NGX_HTTP_ILERT_STORE_COMMIT,
    NGX_HTTP_ILERT_STORE_ROLLBACK,

    NGX_HTTP_ILERT_STORE_LIMIT_ACCEPTS,
    NGX_HTTP_ILERT_STORE_LIMIT_SIZE,
    NGX_HTTP_ILERT_STORE_LIMIT_ALL,
    NGX_HTTP_ILERT_STORE_PAGES,
    NGX_HTTP_ILERT_STORE_FREE_PAGES,

    NGX_HTTP_ILERT_STORE_GET_EPOCH,
    NGX_HTTP_ILERT_STORE_SET_EPOCH,
    NGX_HTTP_ILERT_STORE_SET_RECOVERED,
    NGX_HTTP_ILERT_STORE_HAS_SESSION,
    NGX_HTTP_ILERT_STORE_ADD_SESSION,
    NGX_HTTP_ILERT_STORE_END_SESSIONS,
    NGX_HTTP_ILERT_STORE_END_SESSION,
    NGX_HTTP_ILERT_STORE_DEAD_BYTES,
    NGX_HTTP_ILERT_STORE_SET_SEEN,
    NGX_HTTP_ILERT_STORE_GET_RESUMED,
    NGX_HTTP_ILERT_STORE_GET_COURIER,
    NGX_HTTP_ILERT_STORE_SET_COURIER,

    NGX_HTTP_ILERT_STORE_GET_SOURCE,
    NGX_HTTP_ILERT_STORE_ADD_SOURCE,
    NGX_HTTP_ILERT_STORE_NEXT_SOURCE,
    NGX_HTTP_ILERT_STORE_COUNT_SOURCE,
    NGX_HTTP_ILERT_STORE_RECOUNT_SOURCES,
    NGX_HTTP_ILERT_STORE_SET_PAUSED,
    NGX_HTTP_ILERT_STORE_SOURCE_LEFT,
    NGX_HTTP_ILERT_STORE_SET_OWNER,

    NGX_HTTP_ILERT_STORE_FIND_ALERT,
    NGX_HTTP_ILERT_STORE_FIND_OF_SOURCE,
    NGX_HTTP_ILERT_STORE_GET_ALERT,
    NGX_HTTP_ILERT_STORE_WAITS_ALERT,
    NGX_HTTP_ILERT_STORE_WAITS_OF_SOURCE,
    NGX_HTTP_ILERT_STORE_WAITS_STRAY,
    NGX_HTTP_ILERT_STORE_ADD_ALERT,
    NGX_HTTP_ILERT_STORE_SET_ALERT,
    NGX_HTTP_ILERT_STORE_SET_OPENED,
    NGX_HTTP_ILERT_STORE_SET_KEY,
    NGX_HTTP_ILERT_STORE_SET_SOURCE,

    NGX_HTTP_ILERT_STORE_ADOPT,
    NGX_HTTP_ILERT_STORE_NEXT_STRAY,
    NGX_HTTP_ILERT_STORE_NEXT_ALERTS,
    NGX_HTTP_ILERT_STORE_OTHERS_SOURCE,
    NGX_HTTP_ILERT_STORE_ANY_EVENT,
    NGX_HTTP_ILERT_STORE_MOVE_ALERT,
    NGX_HTTP_ILERT_STORE_MOVE_EVENTS,
    NGX_HTTP_ILERT_STORE_NAME_EVENTS,
    NGX_HTTP_ILERT_STORE_DELETE_ALERT,
    NGX_HTTP_ILERT_STORE_MEND_URGENCY,

    NGX_HTTP_ILERT_STORE_NEXT_EVENT,
    NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
    NGX_HTTP_ILERT_STORE_MIN_URGENCY,
    NGX_HTTP_ILERT_STORE_NEXT_SEQ,
    NGX_HTTP_ILERT_STORE_HAS_EVENT,
    NGX_HTTP_ILERT_STORE_ADD_EVENT,
    NGX_HTTP_ILERT_STORE_SET_EVENT,
    NGX_HTTP_ILERT_STORE_SET_URGENCY,
    NGX_HTTP_ILERT_STORE_SET_ATTEMPT,
    NGX_HTTP_ILERT_STORE_DELETE_EVENT,

    NGX_HTTP_ILERT_STORE_BEGIN_TAKEN,
    NGX_HTTP_ILERT_STORE_SET_RELEASED,
    NGX_HTTP_ILERT_STORE_ADD_DEAD,

    NGX_HTTP_ILERT_STORE_GET_BUDGET,
    NGX_HTTP_ILERT_STORE_ADD_BUDGET,
    NGX_HTTP_ILERT_STORE_SET_PAUSE,
    NGX_HTTP_ILERT_STORE_ADD_SLOT,
    NGX_HTTP_ILERT_STORE_SET_SLOT,
    NGX_HTTP_ILERT_STORE_FREE_SLOT,
    NGX_HTTP_ILERT_STORE_BEGIN_SLOTS,
    NGX_HTTP_ILERT_STORE_LATE_SLOTS,
    NGX_HTTP_ILERT_STORE_EXPIRE_SLOTS,
    NGX_HTTP_ILERT_STORE_COUNT_SLOTS,
    NGX_HTTP_ILERT_STORE_NEXT_SLOT,

    NGX_HTTP_ILERT_STORE_GET_DUE,
    NGX_HTTP_ILERT_STORE_SET_DUE,
    NGX_HTTP_ILERT_STORE_SET_LATE,
    NGX_HTTP_ILERT_STORE_CANDIDATES,
    NGX_HTTP_ILERT_STORE_GET_HEAD,
    NGX_HTTP_ILERT_STORE_FIND_EVENT,
    NGX_HTTP_ILERT_STORE_SET_TAKEN,

    NGX_HTTP_ILERT_STORE_LATE_ALERTS,
    NGX_HTTP_ILERT_STORE_OLDEST_ALERT,

    NGX_HTTP_ILERT_STORE_OLDEST_DEAD,
    NGX_HTTP_ILERT_STORE_DELETE_DEAD,
    NGX_HTTP_ILERT_STORE_NEXT_OVER,
    NGX_HTTP_ILERT_STORE_NEXT_OPEN,
    NGX_HTTP_ILERT_STORE_AFTER_SOURCE,
    NGX_HTTP_ILERT_STORE_FORGET,
    NGX_HTTP_ILERT_STORE_FORGET_SLOTS,

    NGX_HTTP_ILERT_STORE_FIND_DEAD,
    NGX_HTTP_ILERT_STORE_NEXT_DEAD,
    NGX_HTTP_ILERT_STORE_DISCARD_DEAD,
    NGX_HTTP_ILERT_STORE_NEXT_WAITING,

    NGX_HTTP_ILERT_STORE_LIST_SOURCES,
    NGX_HTTP_ILERT_STORE_OLDEST_EVENT,
    NGX_HTTP_ILERT_STORE_HAS_RETRIES,
    NGX_HTTP_ILERT_STORE_USED_SLOTS,
    NGX_HTTP_ILERT_STORE_LIST_OPEN,
    NGX_HTTP_ILERT_STORE_LIST_DEAD,
    NGX_HTTP_ILERT_STORE_LIST_SOURCE_DEAD,
    NGX_HTTP_ILERT_STORE_LIST_ALERT_DEAD,
    NGX_HTTP_ILERT_STORE_LIST_EVENTS,
    NGX_HTTP_ILERT_STORE_COUNT_EVENTS,

    NGX_HTTP_ILERT_STORE_NSTMTS
} ngx_http_ilert_store_stmt_e;


/* rows, but for what is of no interest in them */

typedef struct {
    int64_t                     id;         /* 0: there is none yet */
    int64_t                     source;     /* of its first waiting event, */
                                            /* else of its last one */
    int64_t                     owner;      /* integration key; 0: not known */
                                            /* yet */
    int64_t                     state;
    int64_t                     head;
    int64_t                     urgency;
    int64_t                     next;
    int64_t                     since;
    ngx_http_ilert_shown_t      shown;      /* in this epoch */
    int64_t                     delivered;
    int64_t                     last;
    int64_t                     changed;
    int64_t                     opened;
    int64_t                     accepted;
    int64_t                     gone;
    unsigned                    damaged:1;  /* the row makes no sense */
} ngx_http_ilert_store_alert_t;

#define NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS  18


/* of a source: its row, and the integration key that its alerts belong to */

typedef struct {
    int64_t                     id;
    int64_t                     owner;      /* budget.id, 0: not known yet */
    int64_t                     paused;
} ngx_http_ilert_store_ident_t;


typedef struct {
    int64_t                     seq;        /* 0: there is none */
    int64_t                     since;
    ngx_uint_t                  urgency;
    ngx_http_ilert_said_t       said;
    uint64_t                    id;
    int64_t                     source;     /* 0: that of its alert */
    unsigned                    own:1;      /* ours, by "resolve_after" */
    unsigned                    damaged:1;  /* the row makes no sense */
} ngx_http_ilert_store_waiting_t;

#define NGX_HTTP_ILERT_STORE_EVENT_NCOLUMNS  10


/* an alert that may go */

typedef struct {
    int64_t                     id;
    int64_t                     head;
    int64_t                     since;
    ngx_uint_t                  urgency;
    ngx_uint_t                  take;
    unsigned                    repeat:1;
} ngx_http_ilert_store_candidate_t;


/* an alert for which nothing waits, and a place in the order of those */

typedef struct {
    int64_t                     id;
    int64_t                     time;       /* by which they are in order */
    int64_t                     source;
    unsigned                    opened:1;
    unsigned                    dead:1;     /* its last event is a letter */
} ngx_http_ilert_store_idle_t;

typedef struct {
    int64_t                     time;       /* after this one; 0, 0: the */
    int64_t                     id;         /* first one */
} ngx_http_ilert_store_mark_t;


/* what a transaction changes of a source's counts */

typedef struct {
    int64_t                     source;
    int64_t                     waiting[NGX_HTTP_ILERT_URGENCIES];
    int64_t                     open;
} ngx_http_ilert_store_count_t;

#define NGX_HTTP_ILERT_STORE_COUNTS       16


typedef struct {
    sqlite3        *db;                     /* NULL: not open */
    sqlite3_stmt   *stmts[NGX_HTTP_ILERT_STORE_NSTMTS];

    char           *name;                   /* of the database */
    char           *ballast;
    dev_t           device;                 /* of the open database */
    ino_t           inode;

    int64_t         failed;                 /* when nothing could be written */
    int64_t         full;                   /* when there was no room for */
                                            /* accepts */
    int64_t         tried;                  /* when the ballast was made */
    size_t          size;                   /* of the accepts then */
    int64_t         deadline;               /* of waiting for locks */
    unsigned        locked:1;               /* we have the mutex */
    unsigned        low:1;                  /* the ballast was needed: the */
                                            /* database may not grow */
    unsigned        disk:1;                 /* FULL is not by max_size */
    unsigned        blocked:1;              /* "failed" is for a lock */
    unsigned        buried:1;               /* a dead letter has been added */
    unsigned        lost:1;                 /* what an earlier database knew */
    unsigned        damaged:1;              /* as has been found by reading */
    unsigned        reopen:1;               /* after an error that nothing */
                                            /* explains */
    int64_t         doubted[2];             /* since when there are such */
                                            /* ones, of writing, of reading */
    int64_t         checked;                /* the last time, then */

    /* where the search for alerts to be forgotten goes on: resolved ones, */
    /* those that may be open */

    ngx_http_ilert_store_mark_t  old[2];    /* whose time is over */
    ngx_http_ilert_store_mark_t  oldest[2]; /* to make room */

    /* in a transaction */

    int64_t         epoch;
    unsigned        more:1;                 /* there is more to take */
    size_t          taken;                  /* bytes */
    ngx_uint_t      rows;                   /* that takes may still go */
                                            /* through without taking any */
    int64_t         due;                    /* of what else waits, or 0 */
    int             before;                 /* changes of the connection, */
                                            /* and those that are written */
                                            /* whatever there is to do */
    ngx_http_ilert_store_count_t  counts[NGX_HTTP_ILERT_STORE_COUNTS];
    ngx_uint_t      ncounts;

    /* of the last error */

    int             rc;                     /* extended, or one of ours */
    ngx_err_t       err;
    int             version;                /* the newer schema */
    char            message[128];

    /* buffers */

    ngx_str_t       key;                    /* folded */
    ngx_http_ilert_store_candidate_t  *candidates;
    ngx_uint_t      ncandidates;
    ngx_uint_t      size_candidates;
    ngx_http_ilert_store_idle_t  *idle;     /* one of each source */
    ngx_uint_t      nidle;
    ngx_uint_t      size_idle;
} ngx_http_ilert_store_db_t;


/*
 * store_alert.c: what becomes of an alert and its events.  The row of an alert
 * is loaded, changed by the rules, and saved.
 */

/*
 * The verdict on an event that had been taken; "without" is what there is no
 * room for.
 */
int ngx_http_ilert_store_verdict(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);

/* it need not go: it is removed, and the alert saved */
int ngx_http_ilert_store_drop(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now);

/* to the dead letters */
int ngx_http_ilert_store_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);

/* NGX_HTTP_ILERT_STORE_MISSING: it is not there any more */
int ngx_http_ilert_store_delete(ngx_http_ilert_store_db_t *db, int64_t seq,
    uint64_t id);

/*
 * The first event of the alert, received or delivered at "last", is gone, and
 * the next one is its head.  Saves the alert.
 */
int ngx_http_ilert_store_advance(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now);

/* some events behind the first one are gone; saves the alert */
int ngx_http_ilert_store_remain(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert);

/* an event has become so urgent; not one of "was" any longer */
int ngx_http_ilert_store_set_urgency(ngx_http_ilert_store_db_t *db,
    int64_t source, int64_t seq, ngx_uint_t was, ngx_uint_t urgency);

/* the alert's head is the first event that waits; saves the alert */
int ngx_http_ilert_store_rehead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert);

/* the alert is shown, and judged, as one of this source from now on */
int ngx_http_ilert_store_set_source(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t source);

/* the source of an event of the alert */
int64_t ngx_http_ilert_store_source_of(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev);

/*
 * The source of that name: with .._get_source() NGX_HTTP_ILERT_STORE_MISSING
 * if there is none, with .._source() it is made then.  "owner" is the name of
 * its key's budget, or empty if that is not known; .._set_owner() makes it the
 * source's.
 */
int ngx_http_ilert_store_get_source(ngx_http_ilert_store_db_t *db,
    ngx_str_t *name, ngx_http_ilert_store_ident_t *source);
int ngx_http_ilert_store_source(ngx_http_ilert_store_db_t *db,
    ngx_str_t *name, ngx_str_t *owner, ngx_http_ilert_store_ident_t *source);
int ngx_http_ilert_store_set_owner(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *owner);

/*
 * What follows of a source in this transaction: so many more events wait, or
 * fewer, so many more alerts are open.  Written with .._write_counts(), which
 * is to be the last thing in it.
 */
int ngx_http_ilert_store_count(ngx_http_ilert_store_db_t *db, int64_t source,
    ngx_uint_t urgency, int64_t n);
int ngx_http_ilert_store_count_open(ngx_http_ilert_store_db_t *db,
    int64_t source, int64_t n);
int ngx_http_ilert_store_write_counts(ngx_http_ilert_store_db_t *db);

/* a new event: sets its alert, seq, and coalesced */
int ngx_http_ilert_store_accept(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);

/* to what waits of the alert, or in its place; saves the alert */
int ngx_http_ilert_store_add(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now);

/* the alert's first event, a repeat, waits for its time; saves the alert */
int ngx_http_ilert_store_hold(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t until, int64_t now);

/* an alert key as ilert compares it, valid until the next call, or NULL */
ngx_str_t *ngx_http_ilert_store_fold(ngx_http_ilert_store_db_t *db,
    ngx_str_t *key);

/*
 * The alert with a key that is folded: NGX_HTTP_ILERT_STORE_MISSING if there
 * is none, neither of the source's owner nor of the source itself.  Else the
 * statement is at its row, to be ended by the caller; after the alert's
 * columns it has whether its key was written in another way than "alert_key",
 * and how.
 */
int ngx_http_ilert_store_find_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t *alert, sqlite3_stmt **stmt);

/* a new one; what ilert shows of it is unknown */
int ngx_http_ilert_store_add_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t *alert);

int ngx_http_ilert_store_get_alert(ngx_http_ilert_store_db_t *db, int64_t id,
    ngx_http_ilert_store_alert_t *alert);
int ngx_http_ilert_store_set_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert);
void ngx_http_ilert_store_read_alert(sqlite3_stmt *stmt,
    ngx_http_ilert_store_alert_t *alert);

/*
 * With NGX_HTTP_ILERT_STORE_NEXT_EVENT the first event of an alert after, with
 * .._PREVIOUS_EVENT the last one before that seq.  Its seq is 0 if there is
 * none.
 */
int ngx_http_ilert_store_get_event(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t alert, int64_t seq, ngx_http_ilert_store_waiting_t *ev);
void ngx_http_ilert_store_read_event(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_http_ilert_store_waiting_t *ev);


/* store_forget.c: alerts for which nothing waits */

/*
 * Those that were resolved, or not heard of, for too long: counts the latter,
 * and sets "more".  Goes through so many rows.
 */
int ngx_http_ilert_store_forget_old(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t rows);

/* the oldest ones: a bounded part, a transaction of its own; sets how many */
int ngx_http_ilert_store_forget_oldest(ngx_http_ilert_store_db_t *db,
    ngx_uint_t *n);

/* shows others which event is at hand; 0: none */

#define ngx_http_ilert_store_mark_event(job, seq)                             \
    if ((job)->mark) {                                                        \
        *(job)->mark = seq;                                                   \
    }


/* store_take.c: budgets, and who is next */

/* before anything else is done with budgets in a transaction */
void ngx_http_ilert_store_budgets(ngx_http_ilert_store_job_t *job);

/* the request has its verdict; one that was not made counts no longer */
int ngx_http_ilert_store_release_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);

/* the job's takes; sets what its budgets are at, and when more may go */
int ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);

/* the events of "deadly" to the dead letters */
int ngx_http_ilert_store_bury(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);


/* the id of the budget of that name, which is made if there is none */
int ngx_http_ilert_store_owner(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    int64_t *id);


/* store_home.c: alerts find the integration keys that they belong to */
int ngx_http_ilert_store_homes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);


/* store_control.c: the job's orders */
int ngx_http_ilert_store_orders(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);


/* store_status.c: answers a query, when the job is done */
void ngx_http_ilert_store_answer(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);


/*
 * store_ask.c: of a database that is not open.  Sets "waits" of all events to
 * be accepted, and is true, or false if that cannot be said.
 */
ngx_uint_t ngx_http_ilert_store_ask(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);


/* store_check.c: whether the file is damaged */

/* by the last error, which was one of writing, or of reading */
void ngx_http_ilert_store_doubt(ngx_http_ilert_store_t *store, ngx_uint_t n,
    int64_t now);

/*
 * When there has been reason for doubt for long enough, or it is known, when
 * the job is done: a damaged one is moved aside.  Takes the mutex for that.
 */
void ngx_http_ilert_store_verify(ngx_http_ilert_store_t *store, int64_t now);


/* store_db.c: the file, the schema, and its statements */

ngx_http_ilert_store_db_t *ngx_http_ilert_store_create(
    ngx_http_ilert_store_t *store);
int ngx_http_ilert_store_lock(ngx_http_ilert_store_t *store);
void ngx_http_ilert_store_unlock(ngx_http_ilert_store_t *store);

/* waits a little, for the n-th time; false if there is no time left for it */
int ngx_http_ilert_store_busy(void *data, int n);

/* opens the database, if it is not open, or is another one by now */
int ngx_http_ilert_store_open(ngx_http_ilert_store_t *store, int64_t now);

/* it is not the file of that name any longer */
ngx_uint_t ngx_http_ilert_store_moved(ngx_http_ilert_store_db_t *db);

/* pages of so many that are not for accepts */
int64_t ngx_http_ilert_store_reserve(int64_t pages);

/* with "as_is" what is in the log is not written to the database */
void ngx_http_ilert_store_close_file(ngx_http_ilert_store_db_t *db,
    ngx_uint_t as_is);

/* moves a damaged database aside, unless another process has done so */
int ngx_http_ilert_store_aside(ngx_http_ilert_store_t *store, int64_t now);

/* a file that is there to be removed when the disk is full, and its removal */
void ngx_http_ilert_store_make_ballast(ngx_http_ilert_store_db_t *db,
    int64_t now);
void ngx_http_ilert_store_make_room(ngx_http_ilert_store_db_t *db);

/*
 * Arguments are by "fmt": "i", an int64_t, "t", an ngx_str_t * of text, "b",
 * one of bytes, either to live until the statement is done.
 *
 * The first row of a statement, which is done with by .._end(), or when there
 * is no next row: NGX_HTTP_ILERT_STORE_MISSING.
 */
int ngx_http_ilert_store_row(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    sqlite3_stmt **stmt, const char *fmt, ...);
int ngx_http_ilert_store_next(ngx_http_ilert_store_db_t *db,
    sqlite3_stmt *stmt);
void ngx_http_ilert_store_end(sqlite3_stmt *stmt);
int ngx_http_ilert_store_exec(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    const char *fmt, ...);

/* after an error in a transaction */
void ngx_http_ilert_store_rollback(ngx_http_ilert_store_db_t *db);

/* the first column of the first row, or NGX_HTTP_ILERT_STORE_MISSING */
int ngx_http_ilert_store_get(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t *value, const char *fmt, ...);

/* keeps what is known of an error, which the next call would forget */
int ngx_http_ilert_store_error(ngx_http_ilert_store_db_t *db, int rc);
ngx_uint_t ngx_http_ilert_store_is_damaged(int rc);
ngx_uint_t ngx_http_ilert_store_is_full(ngx_http_ilert_store_db_t *db);

/* sets the state and the text of the last error */
void ngx_http_ilert_store_report(ngx_http_ilert_store_t *store);


#endif /* _NGX_HTTP_ILERT_STORE_DB_H_INCLUDED_ */
