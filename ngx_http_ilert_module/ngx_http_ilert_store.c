
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store.h"

#include <pwd.h>
#include <sys/statvfs.h>


/* "ilrt", for file(1) */

#define NGX_HTTP_ILERT_STORE_APPLICATION  0x696c7274

#define NGX_HTTP_ILERT_STORE_PAGE         4096

/*
 * Pages of max_size, at most an eighth, that are not for accepts: taking
 * an event out may need one or two more before it gives back any.
 */

#define NGX_HTTP_ILERT_STORE_RESERVE      256

/* pages that there must be for the store to be no longer full */

#define NGX_HTTP_ILERT_STORE_MARGIN       64

/* the log is copied to the database when it has this many pages */

#define NGX_HTTP_ILERT_STORE_CHECKPOINT   "250"
#define NGX_HTTP_ILERT_STORE_LOG_SIZE     "16777216"

/* room for a checkpoint and a job or two */

#define NGX_HTTP_ILERT_STORE_BALLAST      (4 * 1024 * 1024)
#define NGX_HTTP_ILERT_STORE_BALLAST_TIME 60000

/* milliseconds */

#define NGX_HTTP_ILERT_STORE_LOCK_TIME    5000
#define NGX_HTTP_ILERT_STORE_PAUSE        500
#define NGX_HTTP_ILERT_STORE_DAY          ((int64_t) 24 * 60 * 60 * 1000)
#define NGX_HTTP_ILERT_STORE_DEAD_TIME    (30 * NGX_HTTP_ILERT_STORE_DAY)
#define NGX_HTTP_ILERT_STORE_FORGET_TIME  (7 * NGX_HTTP_ILERT_STORE_DAY)

/* the longest one of a rate */

#define NGX_HTTP_ILERT_STORE_WINDOW       60000

/* there is a "clean" each minute: if not, nobody has been listening */

#define NGX_HTTP_ILERT_STORE_ABSENCE      180000

/* rows that one job may go through beside its own events */

#define NGX_HTTP_ILERT_STORE_ROWS         1000
#define NGX_HTTP_ILERT_STORE_RELEASE      10000

/* bytes of taken events after which a job takes no more */

#define NGX_HTTP_ILERT_STORE_TAKE_SIZE    (1024 * 1024)


/* alert.state */

#define NGX_HTTP_ILERT_STORE_READY        0
#define NGX_HTTP_ILERT_STORE_TAKEN        1
#define NGX_HTTP_ILERT_STORE_WAITING      2

/* the epoch as long as all that ilert was told is known: it begins with 1 */

#define NGX_HTTP_ILERT_STORE_FIRST_EPOCH  1


/* what is left out of a transaction if there is no room for it */

#define NGX_HTTP_ILERT_STORE_NO_ACCEPTS   1
#define NGX_HTTP_ILERT_STORE_NO_DEAD      2


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
    NGX_HTTP_ILERT_STORE_DEAD_BYTES,
    NGX_HTTP_ILERT_STORE_SET_SEEN,
    NGX_HTTP_ILERT_STORE_GET_RESUMED,

    NGX_HTTP_ILERT_STORE_GET_SOURCE,
    NGX_HTTP_ILERT_STORE_ADD_SOURCE,
    NGX_HTTP_ILERT_STORE_NEXT_SOURCE,

    NGX_HTTP_ILERT_STORE_FIND_ALERT,
    NGX_HTTP_ILERT_STORE_GET_ALERT,
    NGX_HTTP_ILERT_STORE_WAITS_ALERT,
    NGX_HTTP_ILERT_STORE_ADD_ALERT,
    NGX_HTTP_ILERT_STORE_SET_ALERT,
    NGX_HTTP_ILERT_STORE_SET_KEY,

    NGX_HTTP_ILERT_STORE_NEXT_EVENT,
    NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
    NGX_HTTP_ILERT_STORE_MIN_URGENCY,
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
    NGX_HTTP_ILERT_STORE_CANDIDATES,
    NGX_HTTP_ILERT_STORE_GET_HEAD,
    NGX_HTTP_ILERT_STORE_SET_TAKEN,

    NGX_HTTP_ILERT_STORE_LATE_ALERTS,
    NGX_HTTP_ILERT_STORE_OLDEST_ALERT,

    NGX_HTTP_ILERT_STORE_OLDEST_DEAD,
    NGX_HTTP_ILERT_STORE_DELETE_DEAD,
    NGX_HTTP_ILERT_STORE_FORGET,
    NGX_HTTP_ILERT_STORE_FORGET_SLOTS,

    NGX_HTTP_ILERT_STORE_NSTMTS
} ngx_http_ilert_store_stmt_e;


/* rows, but for what is of no interest here */

typedef struct {
    int64_t                     id;         /* 0: there is none yet */
    int64_t                     state;
    int64_t                     head;
    int64_t                     urgency;
    int64_t                     next;
    int64_t                     since;
    ngx_http_ilert_shown_t      shown;      /* in this epoch */
    int64_t                     delivered;
    int64_t                     last;
    int64_t                     changed;
} ngx_http_ilert_store_alert_t;


typedef struct {
    int64_t                     seq;        /* 0: there is none */
    int64_t                     since;
    ngx_uint_t                  urgency;
    ngx_http_ilert_said_t       said;
    uint64_t                    id;
    unsigned                    own:1;      /* ours, by "resolve_after" */
} ngx_http_ilert_store_waiting_t;


/* an alert that may go */

typedef struct {
    int64_t                     id;
    int64_t                     head;
    int64_t                     since;
    ngx_uint_t                  urgency;
    ngx_uint_t                  take;
    unsigned                    repeat:1;
} ngx_http_ilert_store_candidate_t;


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
    unsigned        opened:1;               /* it was, so events may wait */
    unsigned        buried:1;               /* a dead letter has been added */
    unsigned        lost:1;                 /* what an earlier database knew */

    /* in a transaction */

    int64_t         epoch;
    unsigned        more:1;                 /* there is more to take */
    size_t          taken;                  /* bytes */
    ngx_uint_t      rows;                   /* that takes may still go */
                                            /* through without taking any */
    int64_t         due;                    /* of what else waits, or 0 */

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
} ngx_http_ilert_store_db_t;


static ngx_http_ilert_store_db_t *ngx_http_ilert_store_create(
    ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_reset(ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_pauses(int64_t since, int64_t now);
static int ngx_http_ilert_store_lock(ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_unlock(ngx_http_ilert_store_t *store);
static int64_t ngx_http_ilert_store_clock(void);
static int ngx_http_ilert_store_busy(void *data, int n);
static void ngx_http_ilert_store_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_uint_t ngx_http_ilert_store_has_work(
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static void ngx_http_ilert_store_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_store_has_room(
    ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_waits(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static ngx_http_ilert_store_waits_e ngx_http_ilert_store_none_waits(
    ngx_http_ilert_store_t *store);

static int ngx_http_ilert_store_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_job(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_epoch(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_releases(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_verdict(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);
static int ngx_http_ilert_store_unsent(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_done(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_again(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);
static int ngx_http_ilert_store_gone(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_delete(ngx_http_ilert_store_db_t *db,
    int64_t seq, uint64_t id);
static int ngx_http_ilert_store_advance(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now);
static int ngx_http_ilert_store_release_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_clean(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_accepts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_accept(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_find(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_store_add(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now);
static ngx_uint_t ngx_http_ilert_store_replaces(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_before(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown);
static int ngx_http_ilert_store_put(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t now);
static void ngx_http_ilert_store_ready(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency);
static int ngx_http_ilert_store_hold(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t until);
static int ngx_http_ilert_store_source(ngx_http_ilert_store_db_t *db,
    ngx_str_t *name, int64_t *id);
static ngx_str_t *ngx_http_ilert_store_fold(ngx_http_ilert_store_db_t *db,
    ngx_str_t *key);

static int ngx_http_ilert_store_budgets(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_next_slot(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static ngx_uint_t ngx_http_ilert_store_may_take(
    ngx_http_ilert_store_take_t *take);
static int ngx_http_ilert_store_affords(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_uint_t repeat,
    ngx_uint_t *affords);
static int ngx_http_ilert_store_candidates(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_candidate(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n, ngx_uint_t urgency,
    ngx_uint_t limit);
static ngx_int_t ngx_http_ilert_store_room(ngx_http_ilert_store_db_t *db);
static int ngx_libc_cdecl ngx_http_ilert_store_cmp(const void *one,
    const void *two);
static int ngx_http_ilert_store_consider(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without);
static int ngx_http_ilert_store_head(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_candidate_t *candidate,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t **evp);
static ngx_http_ilert_store_event_t *ngx_http_ilert_store_read_head(
    sqlite3_stmt *stmt, ngx_str_t *source);
static int ngx_http_ilert_store_judge(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, int64_t now,
    ngx_http_ilert_rule_e *rule, int64_t *until);
static int ngx_http_ilert_store_mark(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_event_t *ev);
static ngx_uint_t ngx_http_ilert_store_expired(
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_shown_t *shown,
    int64_t max_age, int64_t now);
static int ngx_http_ilert_store_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);
static int ngx_http_ilert_store_add_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t id);
static void ngx_http_ilert_store_set_due(ngx_http_ilert_store_db_t *db,
    int64_t due);
static void ngx_http_ilert_store_free(ngx_queue_t *events);

static int ngx_http_ilert_store_get_alert(ngx_http_ilert_store_db_t *db,
    int64_t id, ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_store_set_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert);
static void ngx_http_ilert_store_read_alert(sqlite3_stmt *stmt,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_store_get_event(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, int64_t alert, int64_t seq,
    ngx_http_ilert_store_waiting_t *ev);
static void ngx_http_ilert_store_read_event(sqlite3_stmt *stmt,
    ngx_uint_t column, ngx_http_ilert_store_waiting_t *ev);

static int ngx_http_ilert_store_open(ngx_http_ilert_store_t *store,
    int64_t now);
static int ngx_http_ilert_store_open_once(ngx_http_ilert_store_t *store);
static ngx_uint_t ngx_http_ilert_store_moved(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_create_file(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_open_file(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_identify(ngx_http_ilert_store_db_t *db,
    int *version);
static int ngx_http_ilert_store_pragma(ngx_http_ilert_store_db_t *db,
    const char *sql, int64_t *value);
static int ngx_http_ilert_store_configure(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_migrate(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_prepare(ngx_http_ilert_store_t *store);
static int64_t ngx_http_ilert_store_reserve(int64_t pages);
static void ngx_http_ilert_store_close_file(ngx_http_ilert_store_db_t *db,
    ngx_uint_t damaged);
static int ngx_http_ilert_store_aside(ngx_http_ilert_store_t *store,
    int64_t now);
static void ngx_http_ilert_store_make_ballast(ngx_http_ilert_store_db_t *db,
    int64_t now);
static ngx_int_t ngx_http_ilert_store_write_ballast(
    ngx_http_ilert_store_db_t *db);
static void ngx_http_ilert_store_make_room(ngx_http_ilert_store_db_t *db);

static sqlite3_stmt *ngx_http_ilert_store_bind(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, const char *fmt, va_list args);
static int ngx_http_ilert_store_row(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, sqlite3_stmt **stmt, const char *fmt, ...);
static int ngx_http_ilert_store_next(ngx_http_ilert_store_db_t *db,
    sqlite3_stmt *stmt);
static void ngx_http_ilert_store_end(sqlite3_stmt *stmt);
static int ngx_http_ilert_store_step(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, int64_t *value);
static int ngx_http_ilert_store_exec(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, const char *fmt, ...);
static int ngx_http_ilert_store_get(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, int64_t *value, const char *fmt, ...);
static int ngx_http_ilert_store_error(ngx_http_ilert_store_db_t *db, int rc);
static int ngx_http_ilert_store_system_error(ngx_http_ilert_store_db_t *db,
    ngx_err_t err);
static ngx_uint_t ngx_http_ilert_store_is_damaged(int rc);
static ngx_uint_t ngx_http_ilert_store_is_no_room(ngx_err_t err);
static ngx_uint_t ngx_http_ilert_store_is_full(ngx_http_ilert_store_db_t *db);
static ngx_uint_t ngx_http_ilert_store_is_closed(
    ngx_http_ilert_store_db_t *db);
static void ngx_http_ilert_store_report(ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_report_closed(ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_reason(ngx_http_ilert_store_db_t *db,
    char *text, size_t size);


/*
 * A step for each version of the schema.  What a later one changes must keep
 * these statements working, for during an upgrade workers of both releases
 * run.  It is here in full that what means what shows in "sqlite3 .schema".
 */

static const char  *ngx_http_ilert_store_schema[] = {

    /* 1 */

    "CREATE TABLE source (\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    name       TEXT NOT NULL UNIQUE\n"
    ");\n"

    "CREATE TABLE alert (\n"
    "    -- times are milliseconds since 1970\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    source     INTEGER NOT NULL,  -- source.id\n"
    "    key        TEXT NOT NULL,     -- trimmed, ASCII in lower case\n"
    "    alert_key  TEXT NOT NULL,     -- as it came last\n"
    "    state      INTEGER NOT NULL,  -- 0 may go, 1 taken, 2 until next\n"
    "    head       INTEGER NOT NULL,  -- first waiting event.seq, 0: none\n"
    "    urgency    INTEGER NOT NULL,  -- lower ones go first\n"
    "    next       INTEGER NOT NULL,  -- time, in state 2\n"
    "    shows      INTEGER NOT NULL,  -- 0 unknown, 1 open, 2 resolved\n"
    "    epoch      INTEGER NOT NULL,  -- of shows: unless it is\n"
    "                                  -- total.epoch, shows is unknown\n"
    "    level      INTEGER NOT NULL,  -- last delivered, as event.level\n"
    "    delivered  INTEGER NOT NULL,  -- time, 0: never\n"
    "    changed    INTEGER NOT NULL,  -- time of head, or last verdict\n"
    "    UNIQUE (source, key)\n"
    ");\n"

    "CREATE INDEX alert_ready ON alert (source, urgency, head)\n"
    "    WHERE state = 0 AND head > 0;\n"
    "CREATE INDEX alert_taken ON alert (source) WHERE state = 1;\n"
    "CREATE INDEX alert_waiting ON alert (source) WHERE state = 2;\n"
    "CREATE INDEX alert_next ON alert (next) WHERE state = 2;\n"
    "CREATE INDEX alert_forget ON alert (epoch, changed)\n"
    "    WHERE head = 0 AND state = 0 AND shows = 2;\n"

    "CREATE TABLE event (\n"
    "    -- to discard one by hand: DELETE FROM event WHERE seq = N\n"
    "    seq        INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of delivery\n"
    "    alert      INTEGER NOT NULL,  -- alert.id\n"
    "    id         INTEGER NOT NULL,  -- of the answer to the webhook\n"
    "    type       INTEGER NOT NULL,  -- 1 ALERT, 2 RESOLVE, 3 ACCEPT,\n"
    "                                  -- 4 COMMENT\n"
    "    level      INTEGER NOT NULL,  -- 0 OK, 1 INFO, 2 WARNING,\n"
    "                                  -- 3 CRITICAL\n"
    "    native     INTEGER NOT NULL,  -- 0 ilert's, 1 Kapacitor's body\n"
    "    priority   INTEGER NOT NULL,  -- 0 none, 1 LOW, 2 HIGH\n"
    "    received   INTEGER NOT NULL,  -- time\n"
    "    attempts   INTEGER NOT NULL,\n"
    "    body       BLOB NOT NULL      -- without the integration key\n"
    ");\n"

    "CREATE INDEX event_alert ON event (alert, seq);\n"

    "CREATE TABLE dead (\n"
    "    seq        INTEGER PRIMARY KEY,  -- what was event.seq\n"
    "    id         INTEGER NOT NULL,\n"
    "    source     INTEGER NOT NULL,  -- source.id\n"
    "    alert_key  TEXT NOT NULL,\n"
    "    type       INTEGER NOT NULL,  -- as event.type\n"
    "    level      INTEGER NOT NULL,  -- as event.level\n"
    "    native     INTEGER NOT NULL,\n"
    "    priority   INTEGER NOT NULL,\n"
    "    received   INTEGER NOT NULL,  -- time\n"
    "    died       INTEGER NOT NULL,  -- time\n"
    "    status     INTEGER NOT NULL,  -- of ilert's answer, 0: none\n"
    "    error      TEXT NOT NULL,\n"
    "    body       BLOB NOT NULL\n"
    ");\n"

    "CREATE TRIGGER alert_deleted AFTER DELETE ON alert BEGIN\n"
    "    -- its id may be given to another one\n"
    "    DELETE FROM event WHERE alert = OLD.id;\n"
    "END;\n"

    "CREATE INDEX dead_id ON dead (id);\n"
    "CREATE INDEX dead_died ON dead (died);\n"

    "CREATE TABLE total (\n"
    "    -- one row\n"
    "    epoch      INTEGER NOT NULL,  -- of what is known of ilert\n"
    "    dead_bytes INTEGER NOT NULL,  -- sum of length(dead.body)\n"
    "    recovered  INTEGER NOT NULL   -- time, from an error\n"
    ");\n"

    "CREATE TRIGGER dead_inserted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes + length(NEW.body);\n"
    "END;\n"
    "CREATE TRIGGER dead_deleted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes - length(OLD.body);\n"
    "END;\n"

    "INSERT INTO total VALUES (1, 0, 0);\n",

    /* 2; SQLite keeps comments that are within a column */

    "ALTER TABLE alert ADD COLUMN\n"
    "    priority   INTEGER  -- last delivered, as event.priority\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    told       INTEGER  -- time of the last ALERT or RESOLVE delivered\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    last       INTEGER  -- time of its last event, or of its delivery\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    since      INTEGER  -- time from which it has been waiting\n"
    "               NOT NULL DEFAULT 0;\n"

    "ALTER TABLE event ADD COLUMN\n"
    "    urgency    INTEGER  -- 0 CRITICAL or HIGH, opens or raises,\n"
    "                        -- 1 RESOLVE, 2 opens, 3 update, 4 repeat\n"
    "               NOT NULL DEFAULT 3;\n"
    "ALTER TABLE event ADD COLUMN\n"
    "    since      INTEGER  -- time of the first one that it stands for,\n"
    "                        -- 0: received\n"
    "               NOT NULL DEFAULT 0;\n"

    "ALTER TABLE total ADD COLUMN\n"
    "    seen       INTEGER  -- time when there was a courier\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE total ADD COLUMN\n"
    "    resumed    INTEGER  -- time, after a while without one\n"
    "               NOT NULL DEFAULT 0;\n"

    "UPDATE alert SET last = delivered, told = delivered, since = changed;\n"

    "CREATE INDEX alert_open ON alert (source, last)\n"
    "    WHERE shows < 2 AND state = 0 AND head = 0;\n"
    "CREATE INDEX event_urgency ON event (alert, urgency)\n"
    "    WHERE urgency < 3;\n"

    "CREATE TABLE budget (\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    name       TEXT NOT NULL UNIQUE,  -- of an endpoint, or \"key=\"\n"
    "                                      -- and the digest of a key\n"
    "    paused     INTEGER NOT NULL,  -- time of an answer of 429\n"
    "    pause      INTEGER NOT NULL   -- ms from then on without requests\n"
    ");\n"

    "CREATE TABLE slot (\n"
    "    -- a request that counts\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    budget     INTEGER NOT NULL,  -- budget.id\n"
    "    at         INTEGER NOT NULL   -- time of its verdict, 0: none yet\n"
    ");\n"

    "CREATE INDEX slot_taken ON slot (budget) WHERE at = 0;\n"
    "CREATE INDEX slot_at ON slot (budget, at) WHERE at > 0;\n"
};

#define NGX_HTTP_ILERT_STORE_VERSION                                          \
    (int) (sizeof(ngx_http_ilert_store_schema)                                \
           / sizeof(ngx_http_ilert_store_schema[0]))


/* as ngx_http_ilert_store_read_alert() and .._read_event() read them */

#define NGX_HTTP_ILERT_STORE_ALERT_COLUMNS(epoch)                             \
    "SELECT alert.id, alert.state, alert.head, alert.urgency, alert.next,"    \
    " alert.since, CASE WHEN alert.epoch = " epoch                            \
                  " THEN alert.shows ELSE 0 END,"                             \
    " alert.level, alert.priority, alert.told, alert.delivered, alert.last,"  \
    " alert.changed"

#define NGX_HTTP_ILERT_STORE_EVENT_COLUMNS                                    \
    "SELECT seq, type, level, priority, received, since, urgency,"            \
    " id, length(body)"


/* the terms of alert_open */

#define NGX_HTTP_ILERT_STORE_OPEN                                             \
    "shows < 2 AND state = 0 AND head = 0"


/* all slots that are taken are alike */

#define NGX_HTTP_ILERT_STORE_TAKEN_SLOT                                       \
    " (SELECT id FROM slot INDEXED BY slot_taken"                             \
     " WHERE budget = ?1 AND at = 0 LIMIT 1)"


/*
 * By ngx_http_ilert_store_stmt_e.  None may go through more rows than it is
 * told to: "INDEXED BY" fails where an index is of no use.
 */

static const char  *ngx_http_ilert_store_sql[] = {

    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",

    /* a number below that of its pages lets the database not grow */

    "PRAGMA max_page_count = %lld",
    "PRAGMA max_page_count = 1",
    "PRAGMA max_page_count = %lld",
    "PRAGMA page_count",
    "PRAGMA freelist_count",

    "SELECT epoch FROM total",
    "UPDATE total SET epoch = epoch + 1",
    "UPDATE total SET recovered = ?1",
    "SELECT dead_bytes FROM total",

    "UPDATE total SET seen = ?1, resumed ="
    " CASE WHEN ?1 BETWEEN seen AND seen + ?2 THEN resumed ELSE ?1 END",

    "SELECT resumed FROM total",

    "SELECT id FROM source WHERE name = ?1",
    "INSERT INTO source (name) VALUES (?1)",

    "SELECT name FROM source"
    " WHERE name > ?1 AND length(CAST(name AS BLOB)) <= ?2"
    " AND (EXISTS (SELECT 1 FROM alert INDEXED BY alert_ready"
                 " WHERE source = source.id AND state = 0 AND head > 0)"
     " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_taken"
                 " WHERE source = source.id AND state = 1)"
     " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_waiting"
                 " WHERE source = source.id AND state = 2))"
    " ORDER BY name LIMIT 1",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?3") ", alert_key <> ?4 FROM alert"
    " WHERE source = ?1 AND key = ?2",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?2") " FROM alert WHERE id = ?1",

    "SELECT a.head > 0 AND NOT (a.state = 2 AND a.urgency = 4) FROM source s"
    " JOIN alert a ON a.source = s.id WHERE s.name = ?1 AND a.key = ?2",

    "INSERT INTO alert (source, key, alert_key, state, head, urgency, next,"
    " shows, epoch, level, delivered, changed)"
    " VALUES (?1, ?2, ?3, 0, 0, 3, 0, 0, 0, 0, 0, 0)",

    "UPDATE alert SET state = ?2, head = ?3, urgency = ?4, next = ?5,"
    " since = ?6, shows = ?7, epoch = ?8, level = ?9, priority = ?10,"
    " told = ?11, delivered = ?12, last = ?13, changed = ?14 WHERE id = ?1",

    "UPDATE alert SET alert_key = ?2 WHERE id = ?1",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",

    "SELECT urgency FROM event INDEXED BY event_urgency"
    " WHERE alert = ?1 AND urgency < 3 ORDER BY urgency LIMIT 1",

    "SELECT 1 FROM event WHERE seq = ?1 AND id = ?2",

    "INSERT INTO event (alert, id, type, level, priority, native, received,"
    " since, urgency, attempts, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)",

    "UPDATE event SET id = ?2, type = ?3, level = ?4, priority = ?5,"
    " native = ?6, received = ?7, since = ?8, urgency = ?9, body = ?10"
    " WHERE seq = ?1",

    "UPDATE event SET urgency = ?2 WHERE seq = ?1",
    "UPDATE event SET attempts = attempts + 1 WHERE seq = ?1 AND id = ?2",
    "DELETE FROM event WHERE seq = ?1 AND id = ?2",

    "UPDATE alert INDEXED BY alert_taken SET state = 0, shows = 0"
    " WHERE state = 1",

    "UPDATE alert SET state = 0, next = 0"
    " WHERE id IN (SELECT id FROM alert INDEXED BY alert_waiting"
                 " WHERE source = ?1 AND state = 2 LIMIT ?2)",

    "INSERT OR REPLACE INTO dead (seq, id, source, alert_key, type, level,"
    " native, priority, received, died, status, error, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",

    "SELECT id, paused, pause FROM budget WHERE name = ?1",
    "INSERT INTO budget (name, paused, pause) VALUES (?1, 0, 0)",
    "UPDATE budget SET paused = ?2, pause = ?3 WHERE id = ?1",

    "INSERT INTO slot (budget, at) VALUES (?1, 0)",
    "UPDATE slot SET at = ?2 WHERE id =" NGX_HTTP_ILERT_STORE_TAKEN_SLOT,
    "DELETE FROM slot WHERE id =" NGX_HTTP_ILERT_STORE_TAKEN_SLOT,
    "UPDATE slot INDEXED BY slot_taken SET at = ?1 WHERE at = 0",

    "UPDATE slot SET at = ?2 WHERE id IN"
    " (SELECT id FROM slot INDEXED BY slot_at"
     " WHERE budget = ?1 AND at > 0 AND at > ?2)",

    "DELETE FROM slot WHERE id IN"
    " (SELECT id FROM slot INDEXED BY slot_at"
     " WHERE budget = ?1 AND at > 0 AND at <= ?2 LIMIT ?3)",

    "SELECT (SELECT count(*) FROM slot INDEXED BY slot_taken"
           " WHERE budget = ?1 AND at = 0)"
    " + (SELECT count(*) FROM slot INDEXED BY slot_at"
       " WHERE budget = ?1 AND at > 0)",

    "SELECT at FROM slot INDEXED BY slot_at WHERE budget = ?1 AND at > 0"
    " ORDER BY at LIMIT 1",

    "SELECT next FROM alert INDEXED BY alert_next WHERE state = 2"
    " ORDER BY next LIMIT 1",

    "UPDATE alert SET state = 0, next = 0"
    " WHERE id IN (SELECT id FROM alert INDEXED BY alert_next"
                 " WHERE state = 2 AND next <= ?1 ORDER BY next LIMIT ?2)",

    "SELECT id, head, since FROM alert INDEXED BY alert_ready"
    " WHERE source = ?1 AND state = 0 AND head > 0 AND urgency = ?2"
    " ORDER BY head LIMIT ?3",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?2") ", e.seq, e.type, e.level,"
    " e.priority, e.received, e.since, e.urgency, e.id, length(e.body),"
    " e.native, e.attempts, alert.alert_key, e.body"
    " FROM alert LEFT JOIN event e ON e.seq = alert.head"
    " WHERE alert.id = ?1",

    "UPDATE alert SET state = 1 WHERE id = ?1",

    "UPDATE alert SET last = ?2 WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_open"
     " WHERE source = ?1 AND last > ?2 AND " NGX_HTTP_ILERT_STORE_OPEN
     " LIMIT ?3)",

    "SELECT id, last FROM alert INDEXED BY alert_open"
    " WHERE source = ?1 AND " NGX_HTTP_ILERT_STORE_OPEN
    " ORDER BY last LIMIT 1",

    "SELECT seq, died, length(body) FROM dead INDEXED BY dead_died"
    " ORDER BY died LIMIT 1",

    "DELETE FROM dead WHERE seq = ?1",

    "DELETE FROM alert WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_forget"
     " WHERE head = 0 AND state = 0 AND shows = 2 AND epoch = ?1"
     " AND changed < ?2 LIMIT ?3)",

    /* of budgets that are used no longer: no window is as long */

    "DELETE FROM slot WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT ?2)"
    " AND at > 0 AND at < ?1"
};


ngx_http_ilert_store_state_e
ngx_http_ilert_store_run(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_http_ilert_store_db_t  *db;

    ngx_queue_init(&job->taken);
    ngx_http_ilert_store_reset(job);

    db = ngx_http_ilert_store_create(store);

    if (db == NULL) {
        store->state = NGX_HTTP_ILERT_STORE_FAILED;
        sqlite3_snprintf(sizeof(store->error), store->error, "out of memory");
        ngx_http_ilert_store_waits(store, job);
        return store->state;
    }

    if (store->state == NGX_HTTP_ILERT_STORE_OK
        || !ngx_http_ilert_store_pauses(db->failed, job->now))
    {
        if (ngx_http_ilert_store_lock(store) == SQLITE_OK) {
            ngx_http_ilert_store_write(store, job);
            ngx_http_ilert_store_unlock(store);

        } else {
            db->failed = job->now;
            ngx_http_ilert_store_report(store);
        }
    }

    if (!job->accepted) {
        ngx_http_ilert_store_waits(store, job);
    }

    return store->state;
}


static ngx_http_ilert_store_db_t *
ngx_http_ilert_store_create(ngx_http_ilert_store_t *store)
{
    size_t                      len;
    ngx_http_ilert_store_db_t  *db;

    if (store->private) {
        return store->private;
    }

    len = store->path.len + sizeof("/queue.db");

    db = ngx_alloc(sizeof(ngx_http_ilert_store_db_t) + 2 * len,
                   ngx_cycle->log);
    if (db == NULL) {
        return NULL;
    }

    ngx_memzero(db, sizeof(ngx_http_ilert_store_db_t));

    db->name = (char *) db + sizeof(ngx_http_ilert_store_db_t);
    db->ballast = db->name + len;

    sqlite3_snprintf(len, db->name, "%s/queue.db", store->path.data);
    sqlite3_snprintf(len, db->ballast, "%s/ballast", store->path.data);

    store->private = db;

    return db;
}


/* the outcome so far, whose events are not taken after all */

static void
ngx_http_ilert_store_reset(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t                     i;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    ngx_http_ilert_store_free(&job->taken);

    job->due = 0;
    job->resolved = 0;
    job->coalesced = 0;
    job->expired = 0;
    job->dropped = 0;
    job->more = 0;
    job->held = 0;
    job->accepted = 0;
    job->decided = 0;

    for (i = 0; i < job->ntakes; i++) {
        job->takes[i].taken = 0;
        job->takes[i].coalesced = 0;
        job->takes[i].more = 0;
    }

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);
        ev->coalesced = 0;
    }
}


/* a clock that was set back ends the pause */

static ngx_uint_t
ngx_http_ilert_store_pauses(int64_t since, int64_t now)
{
    return since && now >= since && now - since < NGX_HTTP_ILERT_STORE_PAUSE;
}


static int
ngx_http_ilert_store_lock(ngx_http_ilert_store_t *store)
{
    int                         rc;
    struct timespec             ts;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    db->locked = 0;
    db->deadline = ngx_http_ilert_store_clock()
                   + NGX_HTTP_ILERT_STORE_LOCK_TIME;

    if (store->mutex == NULL) {
        return SQLITE_OK;
    }

    rc = pthread_mutex_trylock(store->mutex);

    if (rc == EBUSY) {
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_sec += NGX_HTTP_ILERT_STORE_LOCK_TIME / 1000;
        rc = pthread_mutex_timedlock(store->mutex, &ts);
    }

    if (rc == ETIMEDOUT) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_LOCKED);
    }

    if (rc == EOWNERDEAD) {
        /* what it left half done SQLite knows how to undo */
        pthread_mutex_consistent(store->mutex);
        rc = 0;
    }

    /* if there is something wrong with it, SQLite has locks of its own */

    db->locked = (rc == 0);

    return SQLITE_OK;
}


static void
ngx_http_ilert_store_unlock(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db->locked) {
        db->locked = 0;
        pthread_mutex_unlock(store->mutex);
    }
}


static int64_t
ngx_http_ilert_store_clock(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


/* others than our processes, as people with a shell */

static int
ngx_http_ilert_store_busy(void *data, int n)
{
    ngx_http_ilert_store_db_t *db = data;

    if (ngx_http_ilert_store_clock() >= db->deadline) {
        return 0;
    }

    usleep(n < 10 ? 500 : 5000);

    return 1;
}


/*
 * If there is no room: without the accepts, next with the ballast gone, next
 * without the dead letters.
 */

static void
ngx_http_ilert_store_write(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    ngx_uint_t                  without;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    without = 0;

    if (db->db) {
        ngx_http_ilert_store_make_ballast(db, job->now);
    }

    if (store->state == NGX_HTTP_ILERT_STORE_FULL
        && ngx_http_ilert_store_pauses(db->full, job->now))
    {
        if (!ngx_http_ilert_store_has_work(job)) {
            job->decided = 1;
            return;
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;
    }

    rc = ngx_http_ilert_store_try(store, job, without);

    if (rc != SQLITE_OK && ngx_http_ilert_store_is_full(db)) {

        if (without == 0 && !ngx_queue_empty(&job->accepts)) {
            db->full = job->now;
            ngx_http_ilert_store_report(store);
        }

        without = NGX_HTTP_ILERT_STORE_NO_ACCEPTS;

        ngx_http_ilert_store_make_room(db);
        rc = ngx_http_ilert_store_try(store, job, without);
    }

    if (rc != SQLITE_OK && ngx_http_ilert_store_is_full(db)) {
        without |= NGX_HTTP_ILERT_STORE_NO_DEAD;

        ngx_http_ilert_store_make_room(db);
        rc = ngx_http_ilert_store_try(store, job, without);
    }

    if (rc == SQLITE_OK) {
        db->failed = 0;
        db->lost = 0;
        ngx_http_ilert_store_written(store, job, without);

    } else {
        db->failed = job->now;
        ngx_http_ilert_store_report(store);
    }
}


/* beside accepts */

static ngx_uint_t
ngx_http_ilert_store_has_work(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->verdicts) || job->ntakes || job->nrelease
           || job->begin || job->unknown || job->clean;
}


/* a database that is found to be damaged is replaced, once in a job */

static int
ngx_http_ilert_store_try(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                         rc;
    ngx_uint_t                  n;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    for (n = 0; n < 2; n++) {

        rc = ngx_http_ilert_store_open(store, job->now);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_transaction(store, job, without);
        }

        if (rc == SQLITE_READONLY_DBMOVED) {
            ngx_http_ilert_store_close_file(db, 0);
            continue;
        }

        if (!ngx_http_ilert_store_is_damaged(rc)
            || ngx_http_ilert_store_aside(store, job->now) != SQLITE_OK)
        {
            break;
        }
    }

    return (rc == SQLITE_OK) ? rc : db->rc;
}


static void
ngx_http_ilert_store_written(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    job->decided = 1;
    job->accepted = (without == 0 || ngx_queue_empty(&job->accepts));

    if (ngx_queue_empty(&job->accepts)) {

        /* has not shown that there is room for one */

        if (store->state == NGX_HTTP_ILERT_STORE_FULL
            && (ngx_http_ilert_store_pauses(db->full, job->now)
                || !ngx_http_ilert_store_has_room(store)))
        {
            return;
        }

    } else if (!job->accepted) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
    db->full = 0;
}


/* for as much as there was none for, and some more */

static ngx_uint_t
ngx_http_ilert_store_has_room(ngx_http_ilert_store_t *store)
{
    int64_t                     need, pages, unused, max;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    max = store->max_size / NGX_HTTP_ILERT_STORE_PAGE;
    max -= ngx_http_ilert_store_reserve(max);

    need = db->size / NGX_HTTP_ILERT_STORE_PAGE
           + (max ? ngx_min(max / 16, NGX_HTTP_ILERT_STORE_MARGIN)
                  : NGX_HTTP_ILERT_STORE_MARGIN);

    if (ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_PAGES, &pages, "")
        != SQLITE_OK
        || ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_FREE_PAGES,
                                    &unused, "")
           != SQLITE_OK)
    {
        return 0;
    }

    if (!db->low && (max == 0 || pages + need < max)) {
        return 1;
    }

    return unused >= need;
}


static void
ngx_http_ilert_store_waits(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                            rc;
    int64_t                        waits;
    ngx_str_t                     *key;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_db_t     *db;
    ngx_http_ilert_store_event_t  *ev;

    db = store->private;

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        if (db == NULL || db->db == NULL) {
            ev->waits = ngx_http_ilert_store_none_waits(store);
            continue;
        }

        key = ngx_http_ilert_store_fold(db, &ev->key);

        rc = key ? ngx_http_ilert_store_get(db,
                                            NGX_HTTP_ILERT_STORE_WAITS_ALERT,
                                            &waits, "tt", &ev->source, key)
                 : SQLITE_NOMEM;

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            ev->waits = NGX_HTTP_ILERT_STORE_NONE_WAITS;

        } else if (rc != SQLITE_OK) {
            ev->waits = NGX_HTTP_ILERT_STORE_CANNOT_SAY;

        } else {
            ev->waits = waits ? NGX_HTTP_ILERT_STORE_WAITS
                              : NGX_HTTP_ILERT_STORE_NONE_WAITS;
        }
    }
}


/*
 * Without an open database.  Where there is none, or never was one for this
 * process, nothing waits.
 */

static ngx_http_ilert_store_waits_e
ngx_http_ilert_store_none_waits(ngx_http_ilert_store_t *store)
{
    ngx_file_info_t             fi;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db) {
        if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {
            if (ngx_errno == NGX_ENOENT) {
                return NGX_HTTP_ILERT_STORE_NONE_WAITS;
            }

        } else if (ngx_file_size(&fi) == 0) {
            return NGX_HTTP_ILERT_STORE_NONE_WAITS;
        }

        if (store->state == NGX_HTTP_ILERT_STORE_CLOSED && !db->opened) {
            return NGX_HTTP_ILERT_STORE_NONE_WAITS;
        }
    }

    return NGX_HTTP_ILERT_STORE_CANNOT_SAY;
}


static int
ngx_http_ilert_store_transaction(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (store->state == NGX_HTTP_ILERT_STORE_OK
        && ngx_queue_empty(&job->accepts)
        && !ngx_http_ilert_store_has_work(job) && !db->lost)
    {
        return SQLITE_OK;
    }

    ngx_set_errno(0);

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_job(store, job, without);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_COMMIT,
                                           "");
        }
    }

    if (rc == SQLITE_OK) {
        return rc;
    }

    rc = db->rc;

    /* which SQLite may have done already; an error of this one is no news */

    if (!sqlite3_get_autocommit(db->db)) {
        (void) sqlite3_step(db->stmts[NGX_HTTP_ILERT_STORE_ROLLBACK]);
        (void) sqlite3_reset(db->stmts[NGX_HTTP_ILERT_STORE_ROLLBACK]);
    }

    (void) sqlite3_step(db->stmts[NGX_HTTP_ILERT_STORE_LIMIT_ALL]);
    (void) sqlite3_reset(db->stmts[NGX_HTTP_ILERT_STORE_LIMIT_ALL]);

    ngx_http_ilert_store_reset(job);

    return rc;
}


static int
ngx_http_ilert_store_job(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                            rc;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_db_t     *db;
    ngx_http_ilert_store_event_t  *ev;

    db = store->private;

    db->more = 0;
    db->taken = 0;
    db->due = 0;
    db->rows = NGX_HTTP_ILERT_STORE_ROWS;

    rc = ngx_http_ilert_store_epoch(store, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (job->begin) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN_TAKEN,
                                       "");
        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_exec(db,
                                           NGX_HTTP_ILERT_STORE_BEGIN_SLOTS,
                                           "i", job->now);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_budgets(db, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_releases(db, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    for (q = ngx_queue_head(&job->verdicts);
         q != ngx_queue_sentinel(&job->verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        rc = ngx_http_ilert_store_verdict(db, job, ev, without);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (job->begin || job->clean) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_SEEN, "ii",
                                       job->now, (int64_t)
                                       NGX_HTTP_ILERT_STORE_ABSENCE);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    /* dead letters are not to take the room of what waits */

    if (job->clean || db->buried) {
        rc = ngx_http_ilert_store_clean(store, job);
        if (rc != SQLITE_OK) {
            return rc;
        }

        db->buried = 0;
    }

    if (!(without & NGX_HTTP_ILERT_STORE_NO_ACCEPTS)
        && !ngx_queue_empty(&job->accepts))
    {
        rc = ngx_http_ilert_store_accepts(db, job);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return ngx_http_ilert_store_takes(db, job, without);
}


/* what is known of ilert is of an epoch; another one, and nothing is known */

static int
ngx_http_ilert_store_epoch(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    rc = SQLITE_OK;

    if (job->unknown || db->lost) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_EPOCH,
                                       "");
    }

    if (rc == SQLITE_OK && store->state != NGX_HTTP_ILERT_STORE_OK) {

        /*
         * to know that writing works there must be something to write, and
         * SQLite does not write what is the same
         */

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_RECOVERED,
                                       "i", job->now);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_EPOCH,
                                      &db->epoch, "");
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return ngx_http_ilert_store_error(db, SQLITE_CORRUPT);
    }

    return rc;
}


static int
ngx_http_ilert_store_releases(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int         rc;
    int64_t     source;
    ngx_uint_t  i;

    for (i = 0; i < job->nrelease; i++) {

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_SOURCE,
                                      &source, "t", &job->release[i]);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            continue;
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_exec(db,
                                           NGX_HTTP_ILERT_STORE_SET_RELEASED,
                                           "ii", source, (int64_t)
                                           NGX_HTTP_ILERT_STORE_RELEASE);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        if (sqlite3_changes(db->db) == NGX_HTTP_ILERT_STORE_RELEASE) {
            job->held = 1;
        }
    }

    return SQLITE_OK;
}


/* an event that is no longer there is one that was discarded by hand */

static int
ngx_http_ilert_store_verdict(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    int  rc;

    rc = ngx_http_ilert_store_release_slots(db, ev, job->now);
    if (rc != SQLITE_OK) {
        return rc;
    }

    switch (ev->verdict) {

    case NGX_HTTP_ILERT_STORE_DONE:
        rc = ngx_http_ilert_store_done(db, ev, job->now);
        break;

    case NGX_HTTP_ILERT_STORE_AGAIN:
        rc = ngx_http_ilert_store_again(db, ev, job->now);
        break;

    case NGX_HTTP_ILERT_STORE_DEAD:
        rc = ngx_http_ilert_store_dead(db, job, ev, without);
        break;

    default: /* NGX_HTTP_ILERT_STORE_UNSENT */
        rc = ngx_http_ilert_store_unsent(db, ev);
        break;
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return ngx_http_ilert_store_gone(db, ev, job->now);
    }

    return rc;
}


static int
ngx_http_ilert_store_unsent(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev)
{
    int                           rc;
    int64_t                       found;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_HAS_EVENT, &found,
                                  "ii", ev->seq, (int64_t) ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (alert.state != NGX_HTTP_ILERT_STORE_TAKEN || alert.head != ev->seq) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    alert.state = NGX_HTTP_ILERT_STORE_READY;

    return ngx_http_ilert_store_set_alert(db, &alert);
}


static int
ngx_http_ilert_store_done(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    ngx_http_ilert_rules_told(&alert.shown, &ev->said, now);

    alert.delivered = now;

    return ngx_http_ilert_store_advance(db, &alert, now, now);
}


static int
ngx_http_ilert_store_again(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    int64_t                       found;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_HAS_EVENT, &found,
                                  "ii", ev->seq, (int64_t) ev->id);

    if (rc == SQLITE_OK && !ev->refused) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_ATTEMPT,
                                       "ii", ev->seq, (int64_t) ev->id);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    alert.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert.next = ev->next;
    alert.changed = now;

    if (ev->maybe) {
        alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    }

    return ngx_http_ilert_store_set_alert(db, &alert);
}


/* the event goes first, which makes room for the letter */

static int
ngx_http_ilert_store_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    int                           rc;
    int64_t                       source;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_advance(db, &alert, ev->said.received,
                                          job->now);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (without & NGX_HTTP_ILERT_STORE_NO_DEAD) {
        job->dropped++;
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_source(db, &ev->source, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    db->buried = 1;

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_DEAD,
                                     "iiitiiiiiiitb", ev->seq,
                                     (int64_t) ev->id, source, &ev->key,
                                     (int64_t) ev->said.type,
                                     (int64_t) ev->said.level,
                                     (int64_t) ev->native,
                                     (int64_t) ev->said.priority,
                                     ev->said.received, job->now,
                                     (int64_t) ev->status, &ev->error,
                                     &ev->body);
}


/*
 * Of an event that is no longer there: unless it is of a database that was
 * moved aside, its alert goes on, and nobody knows what ilert was told.
 */

static int
ngx_http_ilert_store_gone(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                             rc;
    ngx_http_ilert_store_alert_t    alert;
    ngx_http_ilert_store_waiting_t  first;

    rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            ev->alert, 0, &first);
    }

    if (rc != SQLITE_OK || alert.head != ev->seq || first.seq == ev->seq) {
        return rc;
    }

    alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    return ngx_http_ilert_store_advance(db, &alert, 0, now);
}


static int
ngx_http_ilert_store_delete(ngx_http_ilert_store_db_t *db, int64_t seq,
    uint64_t id)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_EVENT,
                                   "ii", seq, (int64_t) id);

    if (rc == SQLITE_OK && sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    return rc;
}


/*
 * The first event of the alert, received at "last", is gone, and the next
 * one is its head.  How urgent that one is was found when it came, by what
 * was to be sent before it, which may have come to something else.
 */

static int
ngx_http_ilert_store_advance(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now)
{
    int                             rc;
    int64_t                         least;
    ngx_uint_t                      urgency;
    ngx_http_ilert_store_waiting_t  first;

    rc = ngx_http_ilert_store_get_event(db, NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                        alert->id, 0, &first);
    if (rc != SQLITE_OK) {
        return rc;
    }

    alert->state = NGX_HTTP_ILERT_STORE_READY;
    alert->next = 0;
    alert->last = ngx_max(alert->last, last);
    alert->changed = now;
    alert->head = first.seq;
    alert->since = first.since;
    alert->urgency = NGX_HTTP_ILERT_UPDATES;

    if (first.seq == 0) {
        return ngx_http_ilert_store_set_alert(db, alert);
    }

    urgency = ngx_http_ilert_rules_urgency(&alert->shown, &first.said);

    if (urgency != first.urgency && !first.said.repeat) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_URGENCY,
                                       "ii", first.seq, (int64_t) urgency);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_MIN_URGENCY,
                                  &least, "i", alert->id);

    if (rc == SQLITE_OK) {
        alert->urgency = least;

    } else if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    return ngx_http_ilert_store_set_alert(db, alert);
}


/* a request that was not made counts no longer */

static int
ngx_http_ilert_store_release_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                             rc;
    ngx_uint_t                      i, made;
    ngx_http_ilert_store_budget_t  *budget;

    made = (ev->verdict == NGX_HTTP_ILERT_STORE_DONE
            || ev->verdict == NGX_HTTP_ILERT_STORE_DEAD
            || (ev->verdict == NGX_HTTP_ILERT_STORE_AGAIN
                && (ev->maybe || ev->refused)));

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = ev->budgets[i];

        if (budget == NULL) {
            continue;
        }

        rc = SQLITE_OK;

        if (budget->rate) {
            rc = made ? ngx_http_ilert_store_exec(db,
                                                 NGX_HTTP_ILERT_STORE_SET_SLOT,
                                                 "ii", budget->id, now)
                      : ngx_http_ilert_store_exec(db,
                                                NGX_HTTP_ILERT_STORE_FREE_SLOT,
                                                "i", budget->id);
        }

        if (rc == SQLITE_OK && i == 0 && ev->pause) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_PAUSE,
                                           "iii", budget->id, now, ev->pause);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_clean(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                         rc;
    int64_t                     seq, died, size, bytes;
    ngx_uint_t                  rows;
    sqlite3_stmt               *stmt;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;
    stmt = db->stmts[NGX_HTTP_ILERT_STORE_OLDEST_DEAD];

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_DEAD_BYTES, &bytes,
                                  "");
    if (rc != SQLITE_OK) {
        return rc;
    }

    for (rows = NGX_HTTP_ILERT_STORE_ROWS; rows; rows--) {

        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
            rc = ngx_http_ilert_store_error(db, rc);
            (void) sqlite3_reset(stmt);
            return rc;
        }

        seq = sqlite3_column_int64(stmt, 0);
        died = sqlite3_column_int64(stmt, 1);
        size = sqlite3_column_int64(stmt, 2);

        (void) sqlite3_reset(stmt);

        if (rc == SQLITE_DONE
            || (died > job->now - NGX_HTTP_ILERT_STORE_DEAD_TIME
                && (store->max_size == 0 || bytes <= store->max_size / 4)))
        {
            break;
        }

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_DEAD,
                                       "i", seq);
        if (rc != SQLITE_OK) {
            return rc;
        }

        bytes -= size;
        job->dropped++;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_FORGET, "iii",
                                   db->epoch, job->now
                                   - NGX_HTTP_ILERT_STORE_FORGET_TIME,
                                   (int64_t) rows);
    if (rc != SQLITE_OK) {
        return rc;
    }

    job->more = ((ngx_uint_t) sqlite3_changes(db->db) == rows);

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_FORGET_SLOTS,
                                     "ii", job->now
                                     - NGX_HTTP_ILERT_STORE_WINDOW,
                                     (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
}


static int
ngx_http_ilert_store_accepts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int                            rc;
    int64_t                        pages;
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    db->size = 0;

    rc = ngx_http_ilert_store_get(db, db->low
                                      ? NGX_HTTP_ILERT_STORE_LIMIT_SIZE
                                      : NGX_HTTP_ILERT_STORE_LIMIT_ACCEPTS,
                                  &pages, "");

    for (q = ngx_queue_head(&job->accepts);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

        db->size += ev->body.len;

        rc = ngx_http_ilert_store_accept(db, ev, job->now);

        job->coalesced += ev->coalesced;
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    return ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_LIMIT_ALL,
                                    &pages, "");
}


static int
ngx_http_ilert_store_accept(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_find(db, ev, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    return ngx_http_ilert_store_add(db, &alert, ev, now);
}


/* the alert of an event, which is made if there is none */

static int
ngx_http_ilert_store_find(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t *alert)
{
    int            rc;
    int64_t        source;
    ngx_str_t     *key;
    ngx_uint_t     changed;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_source(db, &ev->source, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    key = ngx_http_ilert_store_fold(db, &ev->key);
    if (key == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_FIND_ALERT, &stmt,
                                  "itit", source, key, db->epoch, &ev->key);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_alert(stmt, alert);
        changed = sqlite3_column_int(stmt, 13);

        ngx_http_ilert_store_end(stmt);

        return changed ? ngx_http_ilert_store_exec(db,
                                                 NGX_HTTP_ILERT_STORE_SET_KEY,
                                                 "it", alert->id, &ev->key)
                       : SQLITE_OK;
    }

    if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    ngx_memzero(alert, sizeof(ngx_http_ilert_store_alert_t));

    alert->urgency = NGX_HTTP_ILERT_UPDATES;

    /*
     * What ilert shows of an alert that begins it has been told by us, if
     * all that it was told is known: nothing yet.
     */

    if (ev->said.type == NGX_HTTP_ILERT_ALERT
        && db->epoch == NGX_HTTP_ILERT_STORE_FIRST_EPOCH)
    {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_RESOLVED;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_ALERT,
                                   "itt", source, key, &ev->key);

    alert->id = sqlite3_last_insert_rowid(db->db);

    return rc;
}


/*
 * To the events of the alert that wait, or in place of the last of them.  If
 * no other one waits it may be that it need not go, or not yet.
 */

static int
ngx_http_ilert_store_add(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now)
{
    int                              rc;
    int64_t                          until;
    ngx_uint_t                       urgency, alone;
    ngx_http_ilert_rule_e            rule;
    ngx_http_ilert_shown_t           shown;
    ngx_http_ilert_store_alert_t     saved;
    ngx_http_ilert_store_waiting_t   last, *replaced;

    saved = *alert;

    ngx_memzero(&last, sizeof(ngx_http_ilert_store_waiting_t));

    rc = alert->head ? ngx_http_ilert_store_get_event(db,
                                           NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
                                           alert->id, INT64_MAX,
                                           &last)
                     : SQLITE_OK;
    if (rc != SQLITE_OK) {
        return rc;
    }

    replaced = ngx_http_ilert_store_replaces(alert, &last, ev) ? &last : NULL;

    rc = ngx_http_ilert_store_before(db, alert, &last, replaced, &shown);
    if (rc != SQLITE_OK) {
        return rc;
    }

    urgency = ngx_http_ilert_rules_urgency(&shown, &ev->said);

    rule = NGX_HTTP_ILERT_GO;
    alone = (last.seq == 0 || (replaced && last.seq == alert->head));
    ev->said.repeat = 0;
    until = 0;

    if (alone) {
        rule = ngx_http_ilert_rules_judge(&ev->policy, &shown, &ev->said, 0,
                                          now, &until);
    }

    ev->coalesced = (replaced != NULL) + (rule == NGX_HTTP_ILERT_DROP);

    if (rule == NGX_HTTP_ILERT_DROP) {

        if (replaced) {
            rc = ngx_http_ilert_store_delete(db, last.seq, last.id);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }

        return ngx_http_ilert_store_advance(db, alert, ev->said.received, now);
    }

    if (ev->said.repeat) {
        urgency = NGX_HTTP_ILERT_REPEATS;
    }

    rc = ngx_http_ilert_store_put(db, alert, replaced, ev, urgency, now);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (rule == NGX_HTTP_ILERT_HOLD) {
        return ngx_http_ilert_store_hold(db, alert, until);
    }

    ngx_http_ilert_store_ready(alert, alone, urgency);

    /* behind others there is mostly nothing to change */

    if (ngx_memcmp(&saved, alert, sizeof(saved)) == 0) {
        return SQLITE_OK;
    }

    return ngx_http_ilert_store_set_alert(db, alert);
}


/* what is under way is no longer to be changed */

static ngx_uint_t
ngx_http_ilert_store_replaces(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *last, ngx_http_ilert_store_event_t *ev)
{
    if (last->seq == 0 || (alert->state == NGX_HTTP_ILERT_STORE_TAKEN
                           && last->seq == alert->head))
    {
        return 0;
    }

    if (last->own && ngx_http_ilert_rules_is_state(ev->said.type)) {
        /* the alert was taken for a forgotten one, but there it is */

        return 1;
    }

    return ngx_http_ilert_rules_replaces(&ev->policy, &last->said, &ev->said);
}


/*
 * What ilert will show when the event's turn comes, after what waits before
 * it: of that the last one says enough, or, if it says nothing of a state, the
 * first one.
 */

static int
ngx_http_ilert_store_before(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown)
{
    int                             rc;
    ngx_http_ilert_store_waiting_t  first, *before, previous;

    *shown = alert->shown;

    before = last;

    if (replaced) {
        before = &previous;

        rc = ngx_http_ilert_store_get_event(db,
                                         NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
                                         alert->id, last->seq, &previous);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (before->seq && before->seq != alert->head
        && !ngx_http_ilert_rules_is_state(before->said.type))
    {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            alert->id, 0, &first);
        if (rc != SQLITE_OK) {
            return rc;
        }

        ngx_http_ilert_rules_told(shown, &first.said, 0);
    }

    if (before->seq) {
        ngx_http_ilert_rules_told(shown, &before->said, 0);
    }

    return SQLITE_OK;
}


/*
 * As a new one, or in place of another one, whose turn it gets; but not that
 * of a repeat, whose turn is no measure for news.
 */

static int
ngx_http_ilert_store_put(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t now)
{
    int      rc;
    int64_t  since;

    since = now;

    if (replaced && replaced->said.repeat && !ev->said.repeat) {

        rc = ngx_http_ilert_store_delete(db, replaced->seq, replaced->id);
        if (rc != SQLITE_OK) {
            return rc;
        }

        if (alert->head == replaced->seq) {
            alert->head = 0;
        }

        replaced = NULL;
    }

    if (replaced) {
        since = replaced->since;
    }

    rc = ngx_http_ilert_store_exec(db, replaced
                                       ? NGX_HTTP_ILERT_STORE_SET_EVENT
                                       : NGX_HTTP_ILERT_STORE_ADD_EVENT,
                                   "iiiiiiiiib",
                                   replaced ? replaced->seq : alert->id,
                                   (int64_t) ev->id, (int64_t) ev->said.type,
                                   (int64_t) ev->said.level,
                                   (int64_t) ev->said.priority,
                                   (int64_t) ev->native, ev->said.received,
                                   since, (int64_t) urgency, &ev->body);

    ev->alert = alert->id;
    ev->seq = replaced ? replaced->seq : sqlite3_last_insert_rowid(db->db);

    if (alert->head == 0) {
        alert->head = ev->seq;
        alert->since = since;
        alert->changed = now;
    }

    return rc;
}


/*
 * The first event may go, unless it is to be tried again later; for others
 * a repeat does not wait.
 */

static void
ngx_http_ilert_store_ready(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency)
{
    if (alert->state == NGX_HTTP_ILERT_STORE_WAITING
        && alert->urgency == NGX_HTTP_ILERT_REPEATS)
    {
        alert->state = NGX_HTTP_ILERT_STORE_READY;
        alert->next = 0;
    }

    alert->urgency = alone ? (int64_t) urgency
                           : ngx_min(alert->urgency, (int64_t) urgency);
}


/* a repeat waits for its time */

static int
ngx_http_ilert_store_hold(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t until)
{
    alert->state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->next = until;
    alert->urgency = NGX_HTTP_ILERT_REPEATS;
    alert->since = until;

    return ngx_http_ilert_store_set_alert(db, alert);
}


static int
ngx_http_ilert_store_source(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    int64_t *id)
{
    int  rc;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_SOURCE, id,
                                  "t", name);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_SOURCE,
                                       "t", name);
        *id = sqlite3_last_insert_rowid(db->db);
    }

    return rc;
}


/* as ilert compares; it is valid until the next one */

static ngx_str_t *
ngx_http_ilert_store_fold(ngx_http_ilert_store_db_t *db, ngx_str_t *key)
{
    u_char  *p, *last, *out;

    p = key->data;
    last = p + key->len;

    while (p < last && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) {
        p++;
    }

    while (p < last && (last[-1] == ' '
                        || (last[-1] >= '\t' && last[-1] <= '\r')))
    {
        last--;
    }

    out = ngx_alloc(last - p + 1, ngx_cycle->log);
    if (out == NULL) {
        return NULL;
    }

    ngx_free(db->key.data);

    db->key.data = out;
    db->key.len = last - p;

    while (p < last) {
        *out++ = ngx_tolower(*p);
        p++;
    }

    return &db->key;
}


/* finds, or makes, the budgets' rows: verdicts and takes need them */

static int
ngx_http_ilert_store_budgets(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int                             rc;
    ngx_uint_t                      i;
    ngx_http_ilert_store_budget_t  *budget;

    for (i = 0; i < job->nbudgets; i++) {
        budget = &job->budgets[i];

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_BUDGET,
                                      &budget->id, "t", &budget->name);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_BUDGET,
                                           "t", &budget->name);
            budget->id = sqlite3_last_insert_rowid(db->db);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/* what is left of a budget at the moment */

static int
ngx_http_ilert_store_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int            rc;
    int64_t        paused, pause;
    sqlite3_stmt  *stmt;

    budget->used = 0;
    budget->next = 0;
    budget->left = (ngx_uint_t) -1;

    if (budget->rate) {
        rc = ngx_http_ilert_store_slots(db, budget, now);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_BUDGET, &stmt,
                                  "t", &budget->name);
    if (rc != SQLITE_OK) {
        return rc;
    }

    paused = sqlite3_column_int64(stmt, 1);
    pause = sqlite3_column_int64(stmt, 2);

    ngx_http_ilert_store_end(stmt);

    if (paused > now) {
        paused = now;

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_PAUSE,
                                       "iii", budget->id, paused, pause);
    }

    if (paused + pause > now) {
        budget->left = 0;
        budget->next = paused + pause;
    }

    return rc;
}


static int
ngx_http_ilert_store_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int      rc;
    int64_t  used;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_LATE_SLOTS, "ii",
                                   budget->id, now);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_EXPIRE_SLOTS,
                                       "iii", budget->id, now - budget->window,
                                       (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_COUNT_SLOTS,
                                      &used, "i", budget->id);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    budget->used = used;
    budget->left = (budget->used < budget->rate) ? budget->rate - budget->used
                                                 : 0;
    return SQLITE_OK;
}


/* when there will be a request again of a budget that is used up */

static int
ngx_http_ilert_store_next_slot(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int      rc;
    int64_t  at;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_SLOT, &at, "i",
                                  budget->id);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {

        /* all are under way */

        at = now;
        rc = SQLITE_OK;
    }

    budget->next = at + budget->window;

    return rc;
}


static int
ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int         rc;
    ngx_uint_t  i;

    for (i = 0; i < job->nbudgets; i++) {
        rc = ngx_http_ilert_store_budget(db, &job->budgets[i], job->now);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (job->ntakes) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_DUE, "ii",
                                       job->now,
                                       (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_take(db, job, without);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    for (i = 0; i < job->nbudgets; i++) {
        if (job->budgets[i].left == 0 && job->budgets[i].next == 0) {
            rc = ngx_http_ilert_store_next_slot(db, &job->budgets[i],
                                                job->now);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_DUE, &job->due,
                                  "");

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        job->due = 0;
        rc = SQLITE_OK;
    }

    if (db->due && (job->due == 0 || db->due < job->due)) {
        job->due = db->due;
    }

    if (db->more) {
        job->due = job->now;
    }

    return rc;
}


/*
 * The most urgent ones of all sources first, as far as budgets go.  Those
 * that turn out not to go make room for others.
 */

static int
ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                                rc;
    ngx_uint_t                         i, rows, affords;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    for (i = 0; i < job->ntakes; i++) {
        take = &job->takes[i];

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_SOURCE,
                                      &take->id, "t", &take->source);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            take->id = 0;

        } else if (rc != SQLITE_OK) {
            return rc;

        } else if (take->policy.resolve_after) {
            rc = ngx_http_ilert_store_resolve(db, job, take);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }

    do {
        rows = db->rows;

        rc = ngx_http_ilert_store_candidates(db, job);

        for (i = 0; rc == SQLITE_OK && i < db->ncandidates; i++) {
            candidate = &db->candidates[i];
            take = &job->takes[candidate->take];

            if (!ngx_http_ilert_store_may_take(take)) {
                take->more = 1;
                continue;
            }

            if (db->rows == 0 || db->taken >= NGX_HTTP_ILERT_STORE_TAKE_SIZE) {
                db->more = 1;
                return SQLITE_OK;
            }

            rc = ngx_http_ilert_store_affords(db, take, candidate->repeat,
                                              &affords);

            if (rc == SQLITE_OK && affords) {
                rc = ngx_http_ilert_store_consider(db, job, candidate,
                                                   without);
            }
        }

    } while (rc == SQLITE_OK && db->rows < rows);

    return rc;
}


static ngx_uint_t
ngx_http_ilert_store_may_take(ngx_http_ilert_store_take_t *take)
{
    ngx_uint_t  i, n;

    n = take->id ? take->n - take->taken : 0;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        if (take->budgets[i]) {
            n = ngx_min(n, take->budgets[i]->left);
        }
    }

    return n;
}


/* if not, it waits until there is more of the budget */

static int
ngx_http_ilert_store_affords(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_uint_t repeat,
    ngx_uint_t *affords)
{
    int                             rc;
    int64_t                         at;
    ngx_uint_t                      i;
    ngx_http_ilert_store_budget_t  *budget;

    *affords = 1;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = take->budgets[i];

        if (budget == NULL
            || ngx_http_ilert_rules_affords(budget->left, budget->rate,
                                            repeat))
        {
            continue;
        }

        *affords = 0;

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_SLOT, &at,
                                      "i", budget->id);

        if (rc == SQLITE_OK) {
            ngx_http_ilert_store_set_due(db, at + budget->window);

        } else if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
            return rc;
        }
    }

    return SQLITE_OK;
}


/* alerts that may go, in their order; of a source and an urgency one more */

static int
ngx_http_ilert_store_candidates(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int         rc;
    ngx_uint_t  i, n, urgency;

    db->ncandidates = 0;

    for (i = 0; i < job->ntakes; i++) {

        n = ngx_http_ilert_store_may_take(&job->takes[i]);

        for (urgency = 0; n && urgency < NGX_HTTP_ILERT_URGENCIES; urgency++) {
            rc = ngx_http_ilert_store_candidate(db, job, i, urgency, n + 1);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }

    if (db->ncandidates > 1) {
        qsort(db->candidates, db->ncandidates,
              sizeof(ngx_http_ilert_store_candidate_t),
              ngx_http_ilert_store_cmp);
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_candidate(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n, ngx_uint_t urgency,
    ngx_uint_t limit)
{
    int                                rc;
    int64_t                            window;
    sqlite3_stmt                      *stmt;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    take = &job->takes[n];

    window = take->budgets[0] ? take->budgets[0]->window
                              : NGX_HTTP_ILERT_STORE_WINDOW;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_CANDIDATES, &stmt,
                                  "iii", take->id, (int64_t) urgency,
                                  (int64_t) limit);

    while (rc == SQLITE_OK) {

        if (ngx_http_ilert_store_room(db) != NGX_OK) {
            rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
            break;
        }

        candidate = &db->candidates[db->ncandidates++];

        candidate->id = sqlite3_column_int64(stmt, 0);
        candidate->head = sqlite3_column_int64(stmt, 1);
        candidate->since = sqlite3_column_int64(stmt, 2);
        candidate->take = n;
        candidate->repeat = (urgency == NGX_HTTP_ILERT_REPEATS);
        candidate->urgency = ngx_http_ilert_rules_aged(urgency,
                                                       &candidate->since,
                                                       window, job->now);

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    ngx_http_ilert_store_end(stmt);

    return rc;
}


static ngx_int_t
ngx_http_ilert_store_room(ngx_http_ilert_store_db_t *db)
{
    ngx_uint_t                         n;
    ngx_http_ilert_store_candidate_t  *candidates;

    if (db->ncandidates < db->size_candidates) {
        return NGX_OK;
    }

    n = ngx_max(db->size_candidates * 2, 128);

    candidates = ngx_alloc(n * sizeof(ngx_http_ilert_store_candidate_t),
                           ngx_cycle->log);
    if (candidates == NULL) {
        return NGX_ERROR;
    }

    if (db->ncandidates) {
        ngx_memcpy(candidates, db->candidates,
                   db->ncandidates * sizeof(ngx_http_ilert_store_candidate_t));
    }

    ngx_free(db->candidates);

    db->candidates = candidates;
    db->size_candidates = n;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_ilert_store_cmp(const void *one, const void *two)
{
    const ngx_http_ilert_store_candidate_t  *a = one, *b = two;

    if (a->urgency != b->urgency) {
        return (a->urgency < b->urgency) ? -1 : 1;
    }

    if (a->since != b->since) {
        return (a->since < b->since) ? -1 : 1;
    }

    return (a->head < b->head) ? -1 : (a->head > b->head);
}


/* an alert's first event: it is taken, or it turns out not to go */

static int
ngx_http_ilert_store_consider(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without)
{
    int                            rc;
    int64_t                        until;
    ngx_http_ilert_rule_e          rule;
    ngx_http_ilert_store_take_t   *take;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_event_t  *ev;

    take = &job->takes[candidate->take];

    rc = ngx_http_ilert_store_head(db, take, candidate, &alert, &ev);
    if (rc != SQLITE_OK) {
        return rc;
    }

    db->rows--;

    if (ev == NULL) {
        alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
        return ngx_http_ilert_store_advance(db, &alert, 0, job->now);
    }

    rc = ngx_http_ilert_store_judge(db, take, &alert, ev, job->now, &rule,
                                    &until);
    if (rc != SQLITE_OK) {
        ngx_free(ev);
        return rc;
    }

    if (rule == NGX_HTTP_ILERT_GO
        && !ngx_http_ilert_store_expired(ev, &alert.shown, take->max_age,
                                         job->now))
    {
        db->rows++;
        ngx_queue_insert_tail(&job->taken, &ev->queue);

        return ngx_http_ilert_store_mark(db, take, ev);
    }

    if (rule == NGX_HTTP_ILERT_HOLD) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_URGENCY,
                                       "ii", ev->seq,
                                       (int64_t) NGX_HTTP_ILERT_REPEATS);
        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_hold(db, &alert, until);
        }

    } else if (rule == NGX_HTTP_ILERT_GO && !ev->said.repeat) {
        ngx_str_set(&ev->error, "older than max_age");
        job->expired++;

        rc = ngx_http_ilert_store_dead(db, job, ev, without);

    } else {
        take->coalesced++;
        job->coalesced++;

        rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);
        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_advance(db, &alert, ev->said.received,
                                              job->now);
        }
    }

    ngx_free(ev);

    return rc;
}


/* "evp" is set to NULL if the event is not there: discarded by hand */

static int
ngx_http_ilert_store_head(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_candidate_t *candidate,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t **evp)
{
    int                             rc;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_store_event_t   *ev;
    ngx_http_ilert_store_waiting_t  head;

    *evp = NULL;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_HEAD, &stmt,
                                  "ii", candidate->id, db->epoch);

    if (rc != SQLITE_OK) {
        return (rc == NGX_HTTP_ILERT_STORE_MISSING)
               ? ngx_http_ilert_store_error(db, SQLITE_CORRUPT) : rc;
    }

    ngx_http_ilert_store_read_alert(stmt, alert);

    if (sqlite3_column_type(stmt, 13) != SQLITE_NULL) {

        ngx_http_ilert_store_read_event(stmt, 13, &head);

        ev = ngx_http_ilert_store_read_head(stmt, &take->source);

        if (ev) {
            ev->alert = alert->id;
            ev->seq = head.seq;
            ev->id = head.id;
            ev->said = head.said;
            *evp = ev;

        } else {
            rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
        }
    }

    ngx_http_ilert_store_end(stmt);

    return rc;
}


static ngx_http_ilert_store_event_t *
ngx_http_ilert_store_read_head(sqlite3_stmt *stmt, ngx_str_t *source)
{
    size_t                         key, body;
    ngx_http_ilert_store_event_t  *ev;

    key = sqlite3_column_bytes(stmt, 24);
    body = sqlite3_column_bytes(stmt, 25);

    ev = ngx_http_ilert_store_event(source->len, key, body);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memcpy(ev->source.data, source->data, source->len);

    /* of what has no bytes there may be no address */

    if (key) {
        ngx_memcpy(ev->key.data, sqlite3_column_text(stmt, 24), key);
    }

    if (body) {
        ngx_memcpy(ev->body.data, sqlite3_column_blob(stmt, 25), body);
    }

    ev->native = (sqlite3_column_int(stmt, 22) != 0);
    ev->attempts = sqlite3_column_int64(stmt, 23);

    return ev;
}


static int
ngx_http_ilert_store_judge(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, int64_t now,
    ngx_http_ilert_rule_e *rule, int64_t *until)
{
    int                             rc;
    ngx_http_ilert_store_waiting_t  next;

    next.said.type = NGX_HTTP_ILERT_NO_TYPE;

    if (take->policy.coalesce != NGX_HTTP_ILERT_COALESCE_OFF) {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            ev->alert, ev->seq, &next);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    *rule = ngx_http_ilert_rules_judge(&take->policy, &alert->shown, &ev->said,
                                       next.said.type, now, until);

    return SQLITE_OK;
}


/* the event may be sent from now on */

static int
ngx_http_ilert_store_mark(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_event_t *ev)
{
    int                             rc;
    ngx_uint_t                      i;
    ngx_http_ilert_store_budget_t  *budget;

    take->taken++;
    db->taken += ev->body.len;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_TAKEN, "i",
                                   ev->alert);

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = take->budgets[i];
        ev->budgets[i] = budget;

        if (budget && budget->rate && rc == SQLITE_OK) {
            budget->left--;
            budget->used++;

            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_SLOT,
                                           "i", budget->id);
        }
    }

    return rc;
}


/* a RESOLVE, however old, unless ilert has been told another one */

static ngx_uint_t
ngx_http_ilert_store_expired(ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_shown_t *shown, int64_t max_age, int64_t now)
{
    if (max_age == 0 || ev->said.received + max_age > now) {
        return 0;
    }

    return ev->said.type != NGX_HTTP_ILERT_RESOLVE
           || (shown->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED && shown->told);
}


/*
 * Alerts that ilert may show, and of which nothing has been heard for too
 * long while somebody was listening.  Their events are written when they
 * leave.
 */

static int
ngx_http_ilert_store_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    int            rc;
    int64_t        id, end, resumed;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_LATE_ALERTS,
                                   "iii", take->id, job->now,
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_RESUMED,
                                      &resumed, "");
    }

    while (rc == SQLITE_OK) {

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_OLDEST_ALERT,
                                      &stmt, "i", take->id);

        if (rc != SQLITE_OK) {
            break;
        }

        id = sqlite3_column_int64(stmt, 0);
        end = ngx_max(sqlite3_column_int64(stmt, 1), resumed)
              + take->policy.resolve_after;

        ngx_http_ilert_store_end(stmt);

        if (end > job->now) {
            ngx_http_ilert_store_set_due(db, end);
            return SQLITE_OK;
        }

        if (job->resolved == job->nids) {
            db->more = (job->nids != 0);
            return SQLITE_OK;
        }

        rc = ngx_http_ilert_store_add_resolve(db, job, take, id);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


static int
ngx_http_ilert_store_add_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t id)
{
    int                            rc;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_event_t   ev;

    rc = ngx_http_ilert_store_get_alert(db, id, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    ngx_memzero(&ev, sizeof(ngx_http_ilert_store_event_t));

    ev.id = job->ids[job->resolved++];
    ev.said.type = NGX_HTTP_ILERT_RESOLVE;
    ev.said.received = job->now;
    ev.native = take->native;

    return ngx_http_ilert_store_add(db, &alert, &ev, job->now);
}


static int
ngx_http_ilert_store_get_alert(ngx_http_ilert_store_db_t *db, int64_t id,
    ngx_http_ilert_store_alert_t *alert)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_ALERT, &stmt,
                                  "ii", id, db->epoch);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_alert(stmt, alert);
        ngx_http_ilert_store_end(stmt);
    }

    return rc;
}


static int
ngx_http_ilert_store_set_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_ALERT,
                                     "iiiiiiiiiiiiii", alert->id,
                                     alert->state, alert->head, alert->urgency,
                                     alert->next, alert->since,
                                     (int64_t) alert->shown.shows, db->epoch,
                                     (int64_t) alert->shown.level,
                                     (int64_t) alert->shown.priority,
                                     alert->shown.told, alert->delivered,
                                     alert->last, alert->changed);
}


static void
ngx_http_ilert_store_read_alert(sqlite3_stmt *stmt,
    ngx_http_ilert_store_alert_t *alert)
{
    alert->id = sqlite3_column_int64(stmt, 0);
    alert->state = sqlite3_column_int64(stmt, 1);
    alert->head = sqlite3_column_int64(stmt, 2);
    alert->urgency = sqlite3_column_int64(stmt, 3);
    alert->next = sqlite3_column_int64(stmt, 4);
    alert->since = sqlite3_column_int64(stmt, 5);
    alert->shown.shows = sqlite3_column_int(stmt, 6);
    alert->shown.level = sqlite3_column_int(stmt, 7);
    alert->shown.priority = sqlite3_column_int(stmt, 8);
    alert->shown.told = sqlite3_column_int64(stmt, 9);
    alert->delivered = sqlite3_column_int64(stmt, 10);
    alert->last = sqlite3_column_int64(stmt, 11);
    alert->changed = sqlite3_column_int64(stmt, 12);
}


/* the first event of an alert after, or the last one before, that seq */

static int
ngx_http_ilert_store_get_event(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t alert, int64_t seq, ngx_http_ilert_store_waiting_t *ev)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, n, &stmt, "ii", alert, seq);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        ngx_memzero(ev, sizeof(ngx_http_ilert_store_waiting_t));
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_event(stmt, 0, ev);
        ngx_http_ilert_store_end(stmt);
    }

    return rc;
}


static void
ngx_http_ilert_store_read_event(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_http_ilert_store_waiting_t *ev)
{
    ev->seq = sqlite3_column_int64(stmt, column);
    ev->said.type = sqlite3_column_int(stmt, column + 1);
    ev->said.level = sqlite3_column_int(stmt, column + 2);
    ev->said.priority = sqlite3_column_int(stmt, column + 3);
    ev->said.received = sqlite3_column_int64(stmt, column + 4);
    ev->since = sqlite3_column_int64(stmt, column + 5);
    ev->urgency = sqlite3_column_int(stmt, column + 6);
    ev->id = sqlite3_column_int64(stmt, column + 7);

    ev->said.repeat = (ev->urgency == NGX_HTTP_ILERT_REPEATS);
    ev->own = (ev->said.type == NGX_HTTP_ILERT_RESOLVE
               && sqlite3_column_int(stmt, column + 8) == 0);

    if (ev->since == 0) {
        ev->since = ev->said.received;
    }
}


static void
ngx_http_ilert_store_set_due(ngx_http_ilert_store_db_t *db, int64_t due)
{
    if (db->due == 0 || due < db->due) {
        db->due = due;
    }
}


static void
ngx_http_ilert_store_free(ngx_queue_t *events)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(events)) {
        q = ngx_queue_head(events);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_ilert_store_event_t, queue));
    }
}


ngx_int_t
ngx_http_ilert_store_next_source(ngx_http_ilert_store_t *store,
    ngx_str_t *name, size_t size)
{
    int                         rc;
    ngx_int_t                   ret;
    ngx_str_t                   after;
    sqlite3_stmt               *stmt;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db == NULL || db->db == NULL) {
        return NGX_DECLINED;
    }

    after = *name;
    ret = NGX_DECLINED;
    stmt = db->stmts[NGX_HTTP_ILERT_STORE_NEXT_SOURCE];

    db->deadline = ngx_http_ilert_store_clock()
                   + NGX_HTTP_ILERT_STORE_LOCK_TIME;

    sqlite3_bind_text(stmt, 1, after.len ? (char *) after.data : "",
                      after.len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, size);

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        name->len = sqlite3_column_bytes(stmt, 0);
        ngx_memcpy(name->data, sqlite3_column_text(stmt, 0), name->len);
        ret = NGX_OK;
    }

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return ret;
}


/*
 * Opens the database, if it is not open, or is another one by now.  While
 * others begin SQLite does not always wait for them by itself.
 */

static int
ngx_http_ilert_store_open(ngx_http_ilert_store_t *store, int64_t now)
{
    int                         rc, n;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db->db) {
        if (!ngx_http_ilert_store_moved(db)) {
            return SQLITE_OK;
        }

        ngx_http_ilert_store_close_file(db, 0);
        db->lost = 1;
    }

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_ilert_store_open_once(store);

        if (rc == SQLITE_OK) {
            break;
        }

        ngx_http_ilert_store_close_file(db,
                                        ngx_http_ilert_store_is_damaged(rc));

        if (rc < 0 || (rc & 0xff) != SQLITE_BUSY
            || !ngx_http_ilert_store_busy(db, n))
        {
            return rc;
        }
    }

    db->opened = 1;

    ngx_http_ilert_store_make_ballast(db, now);

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_open_once(ngx_http_ilert_store_t *store)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    ngx_set_errno(0);

    rc = ngx_http_ilert_store_create_file(db);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_open_file(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_configure(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_migrate(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_prepare(store);
    }

    return rc;
}


/*
 * Never to be opened and closed here while SQLite has it open: that would
 * let go of SQLite's locks.
 */

static ngx_uint_t
ngx_http_ilert_store_moved(ngx_http_ilert_store_db_t *db)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {
        /* what may pass is no reason to give up the connection */

        return ngx_errno != EIO && ngx_errno != NGX_ENOMEM;
    }

    return fi.st_dev != db->device || fi.st_ino != db->inode;
}


/* SQLite would make it readable for others */

static int
ngx_http_ilert_store_create_file(ngx_http_ilert_store_db_t *db)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno != NGX_ENOENT) {
            return ngx_http_ilert_store_system_error(db, ngx_errno);
        }

        fd = open(db->name, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

        if (fd != NGX_INVALID_FILE) {
            (void) ngx_close_file(fd);

        } else if (ngx_errno != NGX_EEXIST) {
            return ngx_http_ilert_store_system_error(db, ngx_errno);
        }

        if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {
            return ngx_http_ilert_store_system_error(db, ngx_errno);
        }
    }

    db->device = fi.st_dev;
    db->inode = fi.st_ino;

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_open_file(ngx_http_ilert_store_db_t *db)
{
    int  rc;

    rc = sqlite3_open_v2(db->name, &db->db,
                         SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX, NULL);

    if (db->db) {
        sqlite3_extended_result_codes(db->db, 1);
        sqlite3_busy_handler(db->db, ngx_http_ilert_store_busy, db);
    }

    if (rc != SQLITE_OK) {
        return ngx_http_ilert_store_error(db, rc);
    }

    if (sqlite3_db_readonly(db->db, "main")) {
        return ngx_http_ilert_store_error(db, SQLITE_READONLY);
    }

    return SQLITE_OK;
}


/* sets the schema's version: 0 if there is nothing yet */

static int
ngx_http_ilert_store_identify(ngx_http_ilert_store_db_t *db, int *version)
{
    int      rc;
    int64_t  application, number, tables;

    /* tables first: one that makes them at the moment commits all at once */

    rc = ngx_http_ilert_store_pragma(db,
                          "SELECT EXISTS (SELECT 1 FROM sqlite_master)",
                          &tables);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (!tables) {
        *version = 0;
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_pragma(db, "PRAGMA application_id",
                                     &application);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_pragma(db, "PRAGMA user_version", &number);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (application != NGX_HTTP_ILERT_STORE_APPLICATION || number <= 0) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_FOREIGN);
    }

    if (number > NGX_HTTP_ILERT_STORE_VERSION) {
        db->version = number;
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NEWER);
    }

    *version = number;

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_pragma(ngx_http_ilert_store_db_t *db, const char *sql,
    int64_t *value)
{
    int            rc;
    sqlite3_stmt  *stmt;

    *value = 0;

    rc = sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_ROW) {
            *value = sqlite3_column_int64(stmt, 0);
            rc = SQLITE_OK;
        }
    }

    if (rc != SQLITE_OK) {
        rc = ngx_http_ilert_store_error(db, rc);
    }

    (void) sqlite3_finalize(stmt);

    return rc;
}


/* not before one knows that it is ours */

static int
ngx_http_ilert_store_configure(ngx_http_ilert_store_db_t *db)
{
    int            rc, version;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_identify(db, &version);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_prepare_v2(db->db, "PRAGMA journal_mode = WAL", -1, &stmt,
                            NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }

    if (rc != SQLITE_ROW) {
        rc = ngx_http_ilert_store_error(db, rc);

    } else if (ngx_strcmp(sqlite3_column_text(stmt, 0), "wal") != 0) {
        rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NO_WAL);

    } else {
        rc = SQLITE_OK;
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_OK) {
        return rc;
    }

    /*
     * some of these are what SQLite does by itself, unless it has been
     * compiled otherwise
     */

    rc = sqlite3_exec(db->db,
                      "PRAGMA synchronous = FULL;"
                      "PRAGMA wal_autocheckpoint = "
                          NGX_HTTP_ILERT_STORE_CHECKPOINT ";"
                      "PRAGMA journal_size_limit = "
                          NGX_HTTP_ILERT_STORE_LOG_SIZE ";"
                      "PRAGMA secure_delete = OFF;"
                      "PRAGMA foreign_keys = OFF;"
                      "PRAGMA temp_store = MEMORY",
                      NULL, NULL, NULL);

    return (rc == SQLITE_OK) ? rc : ngx_http_ilert_store_error(db, rc);
}


static int
ngx_http_ilert_store_migrate(ngx_http_ilert_store_db_t *db)
{
    int   rc, version;
    char  sql[128];

    rc = ngx_http_ilert_store_identify(db, &version);

    if (rc != SQLITE_OK || version == NGX_HTTP_ILERT_STORE_VERSION) {
        return rc;
    }

    rc = sqlite3_exec(db->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK) {

        /* if another process was first, it has all been done */

        rc = ngx_http_ilert_store_identify(db, &version);

        while (rc == SQLITE_OK && version < NGX_HTTP_ILERT_STORE_VERSION) {
            rc = sqlite3_exec(db->db, ngx_http_ilert_store_schema[version++],
                              NULL, NULL, NULL);
            if (rc == SQLITE_ERROR) {
                /* what there should be in an earlier version is not there */
                rc = NGX_HTTP_ILERT_STORE_FOREIGN;
            }
        }

        if (rc == SQLITE_OK) {
            sqlite3_snprintf(sizeof(sql), sql,
                             "PRAGMA application_id = %d;"
                             "PRAGMA user_version = %d; COMMIT",
                             NGX_HTTP_ILERT_STORE_APPLICATION,
                             NGX_HTTP_ILERT_STORE_VERSION);

            rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
        }
    }

    /* what is not committed goes when the connection is closed */

    return (rc == SQLITE_OK) ? rc : ngx_http_ilert_store_error(db, rc);
}


static int
ngx_http_ilert_store_prepare(ngx_http_ilert_store_t *store)
{
    int                         rc;
    char                        sql[64];
    int64_t                     pages, reserve, used;
    const char                 *text;
    ngx_uint_t                  n;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    pages = store->max_size / NGX_HTTP_ILERT_STORE_PAGE;

    if (pages == 0 || pages > 0x7fffffff) {
        pages = 0x7fffffff;
    }

    reserve = ngx_http_ilert_store_reserve(pages);

    rc = ngx_http_ilert_store_pragma(db, "PRAGMA page_count", &used);
    if (rc != SQLITE_OK) {
        return rc;
    }

    /* max_size was larger */

    used = (used > pages) ? used + reserve : pages;

    for (n = 0; n < NGX_HTTP_ILERT_STORE_NSTMTS; n++) {

        text = ngx_http_ilert_store_sql[n];

        if (n == NGX_HTTP_ILERT_STORE_LIMIT_ACCEPTS) {
            sqlite3_snprintf(sizeof(sql), sql, text, pages - reserve);
            text = sql;

        } else if (n == NGX_HTTP_ILERT_STORE_LIMIT_ALL) {
            sqlite3_snprintf(sizeof(sql), sql, text, used);
            text = sql;
        }

        rc = sqlite3_prepare_v3(db->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                                &db->stmts[n], NULL);
        if (rc == SQLITE_ERROR) {
            /* there is no such table, column or index */
            rc = NGX_HTTP_ILERT_STORE_FOREIGN;
        }

        if (rc != SQLITE_OK) {
            return ngx_http_ilert_store_error(db, rc);
        }
    }

    return ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_LIMIT_ALL,
                                    &pages, "");
}


static int64_t
ngx_http_ilert_store_reserve(int64_t pages)
{
    return ngx_min(pages / 8, NGX_HTTP_ILERT_STORE_RESERVE);
}


/*
 * SQLite writes what is in the log of a damaged database, and so more of it,
 * to the file, unless told not to.
 */

static void
ngx_http_ilert_store_close_file(ngx_http_ilert_store_db_t *db,
    ngx_uint_t damaged)
{
    ngx_uint_t  n;

    if (db->db == NULL) {
        return;
    }

    for (n = 0; n < NGX_HTTP_ILERT_STORE_NSTMTS; n++) {
        (void) sqlite3_finalize(db->stmts[n]);
        db->stmts[n] = NULL;
    }

    if (damaged) {
        (void) sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                 NULL);
    }

    (void) sqlite3_close(db->db);
    db->db = NULL;
}


/*
 * The database last, for without it its log would be taken for one of the
 * new one.  If another process has been here, there is nothing to do.
 */

static int
ngx_http_ilert_store_aside(ngx_http_ilert_store_t *store, int64_t now)
{
    char                       *from, *to, date[32];
    time_t                      sec;
    size_t                      len;
    struct tm                   tm;
    ngx_uint_t                  n;
    ngx_file_info_t             fi;
    ngx_http_ilert_store_db_t  *db;

    static const char          *suffixes[] = { "-wal", "-shm", "" };

    db = store->private;

    if (db->db) {
        ngx_http_ilert_store_close_file(db, 1);
    }

    db->lost = 1;

    if (ngx_http_ilert_store_moved(db)) {
        return SQLITE_OK;
    }

    sec = now / 1000;
    gmtime_r(&sec, &tm);
    strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);

    len = ngx_strlen(db->name) + sizeof(".damaged-") + sizeof(date) + 32;

    from = ngx_alloc(2 * len, ngx_cycle->log);
    if (from == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    to = from + len;
    n = 0;

    sqlite3_snprintf(len, to, "%s.damaged-%s", db->name, date);

    while (ngx_file_info(to, &fi) != NGX_FILE_ERROR) {
        sqlite3_snprintf(len, to, "%s.damaged-%s-%d", db->name, date,
                         (int) ++n);
    }

    sqlite3_snprintf(sizeof(store->notice), store->notice,
                     "\"%s\" is damaged (%s): moved to \"%s\", "
                     "a new one is begun",
                     db->name, db->message, to);

    sqlite3_snprintf(sizeof(date), date, "%s", to + ngx_strlen(db->name));

    for (n = 0; n < 3; n++) {
        sqlite3_snprintf(len, from, "%s%s", db->name, suffixes[n]);
        sqlite3_snprintf(len, to, "%s%s%s", db->name, date, suffixes[n]);

        if (rename(from, to) == -1 && ngx_errno != NGX_ENOENT) {
            store->notice[0] = '\0';
            (void) ngx_http_ilert_store_system_error(db, ngx_errno);
            break;
        }
    }

    ngx_free(from);

    return (n == 3) ? SQLITE_OK : db->rc;
}


/*
 * A file that is there to be removed when the disk is full: what has been
 * delivered can be recorded then.  Until it is there again, the database
 * does not grow by accepts.
 */

static void
ngx_http_ilert_store_make_ballast(ngx_http_ilert_store_db_t *db, int64_t now)
{
    ngx_file_info_t  fi;
    struct statvfs   fs;

    if (ngx_file_info(db->ballast, &fi) != NGX_FILE_ERROR
        && ngx_file_size(&fi) == NGX_HTTP_ILERT_STORE_BALLAST)
    {
        db->low = 0;
        return;
    }

    if (db->low && db->tried && now >= db->tried
        && now - db->tried < NGX_HTTP_ILERT_STORE_BALLAST_TIME)
    {
        return;
    }

    if (statvfs(db->name, &fs) == 0
        && (uint64_t) fs.f_bavail * fs.f_frsize
           < 2 * NGX_HTTP_ILERT_STORE_BALLAST)
    {
        db->low = 1;
        return;
    }

    db->tried = now;

    if (ngx_http_ilert_store_write_ballast(db) == NGX_OK) {
        db->low = 0;
        return;
    }

    db->low = ngx_http_ilert_store_is_no_room(ngx_errno);

    (void) ngx_delete_file(db->ballast);
}


/* no zeros: they would take no room in a file system that compresses */

static ngx_int_t
ngx_http_ilert_store_write_ballast(ngx_http_ilert_store_db_t *db)
{
    off_t      size;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;
    u_char     buf[16384];
    uint32_t   x;

    fd = open(db->ballast, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    x = 1;

    for (size = 0; size < NGX_HTTP_ILERT_STORE_BALLAST; size += n) {

        for (n = 0; n < (ssize_t) sizeof(buf); n++) {
            x = x * 1664525 + 1013904223;
            buf[n] = (u_char) (x >> 24);
        }

        n = write(fd, buf, ngx_min((off_t) sizeof(buf),
                                   NGX_HTTP_ILERT_STORE_BALLAST - size));
        if (n <= 0) {
            err = n ? ngx_errno : NGX_ENOSPC;
            (void) ngx_close_file(fd);
            ngx_set_errno(err);
            return NGX_ERROR;
        }
    }

    return (ngx_close_file(fd) == NGX_FILE_ERROR) ? NGX_ERROR : NGX_OK;
}


/* what is in the log needs the room first, and makes room in the log */

static void
ngx_http_ilert_store_make_room(ngx_http_ilert_store_db_t *db)
{
    if (!db->disk || db->low) {
        return;
    }

    db->low = 1;

    (void) ngx_delete_file(db->ballast);

    if (db->db) {
        (void) sqlite3_wal_checkpoint_v2(db->db, "main",
                                         SQLITE_CHECKPOINT_PASSIVE, NULL,
                                         NULL);
    }
}


/*
 * The arguments are by "fmt": "i", an int64_t, "t", an ngx_str_t * of text,
 * "b", one of bytes, either to live until the statement is done.
 */

static sqlite3_stmt *
ngx_http_ilert_store_bind(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    const char *fmt, va_list args)
{
    int            i;
    char          *data;
    ngx_str_t     *s;
    sqlite3_stmt  *stmt;

    stmt = db->stmts[n];

    for (i = 1; *fmt; i++, fmt++) {

        if (*fmt == 'i') {
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
            continue;
        }

        s = va_arg(args, ngx_str_t *);
        data = s->len ? (char *) s->data : "";

        if (*fmt == 't') {
            sqlite3_bind_text(stmt, i, data, s->len, SQLITE_STATIC);

        } else {
            sqlite3_bind_blob(stmt, i, data, s->len, SQLITE_STATIC);
        }
    }

    return stmt;
}


/*
 * The first row of a statement, which is done with by .._end(), or when there
 * is no next row: NGX_HTTP_ILERT_STORE_MISSING.
 */

static int
ngx_http_ilert_store_row(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    sqlite3_stmt **stmt, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    *stmt = ngx_http_ilert_store_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_store_next(db, *stmt);
}


static int
ngx_http_ilert_store_next(ngx_http_ilert_store_db_t *db, sqlite3_stmt *stmt)
{
    int  rc;

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        return SQLITE_OK;
    }

    rc = (rc == SQLITE_DONE) ? NGX_HTTP_ILERT_STORE_MISSING
                             : ngx_http_ilert_store_error(db, rc);

    ngx_http_ilert_store_end(stmt);

    return rc;
}


static void
ngx_http_ilert_store_end(sqlite3_stmt *stmt)
{
    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);
}


static int
ngx_http_ilert_store_step(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t *value)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = db->stmts[n];

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        if (value) {
            *value = sqlite3_column_int64(stmt, 0);
        }

        rc = SQLITE_OK;

    } else if (rc == SQLITE_DONE) {
        rc = value ? NGX_HTTP_ILERT_STORE_MISSING : SQLITE_OK;

    } else {
        rc = ngx_http_ilert_store_error(db, rc);
    }

    (void) sqlite3_reset(stmt);
    (void) sqlite3_clear_bindings(stmt);

    return rc;
}


static int
ngx_http_ilert_store_exec(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_store_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_store_step(db, n, NULL);
}


/* the first column of the first row, or NGX_HTTP_ILERT_STORE_MISSING */

static int
ngx_http_ilert_store_get(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t *value, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_store_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_store_step(db, n, value);
}


/* keeps what is known of an error, which the next call would forget */

static int
ngx_http_ilert_store_error(ngx_http_ilert_store_db_t *db, int rc)
{
    ngx_err_t    err;
    const char  *text;

    /* sqlite3_system_errno() knows none of a COMMIT */

    err = ngx_errno;

    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) {
        rc = SQLITE_ERROR;
    }

    db->rc = rc;
    db->err = 0;

    if (rc > 0) {
        text = (db->db && sqlite3_extended_errcode(db->db) == rc)
               ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc);

        if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN
            || ngx_http_ilert_store_is_no_room(err))
        {
            db->err = err;
        }

    } else if (rc == NGX_HTTP_ILERT_STORE_FOREIGN) {
        text = "not a queue of this module";

    } else if (rc == NGX_HTTP_ILERT_STORE_NO_WAL) {
        text = "the file system has no shared memory for SQLite";

    } else if (rc == NGX_HTTP_ILERT_STORE_NOMEM) {
        text = "out of memory";

    } else {
        text = "";
    }

    sqlite3_snprintf(sizeof(db->message), db->message, "%s", text);

    return rc;
}


static int
ngx_http_ilert_store_system_error(ngx_http_ilert_store_db_t *db,
    ngx_err_t err)
{
    db->rc = NGX_HTTP_ILERT_STORE_SYSTEM;
    db->err = err;
    db->message[0] = '\0';

    return db->rc;
}


static ngx_uint_t
ngx_http_ilert_store_is_damaged(int rc)
{
    return rc == NGX_HTTP_ILERT_STORE_FOREIGN
           || (rc > 0 && ((rc & 0xff) == SQLITE_CORRUPT
                          || (rc & 0xff) == SQLITE_NOTADB));
}


static ngx_uint_t
ngx_http_ilert_store_is_no_room(ngx_err_t err)
{
    return err == NGX_ENOSPC || err == EDQUOT || err == EFBIG;
}


static ngx_uint_t
ngx_http_ilert_store_is_full(ngx_http_ilert_store_db_t *db)
{
    ngx_uint_t  no_room;

    no_room = ngx_http_ilert_store_is_no_room(db->err);

    if (no_room || (db->rc > 0 && (db->rc & 0xff) == SQLITE_FULL)) {
        db->disk = (no_room || db->low);
        return 1;
    }

    return 0;
}


/* what only people can mend */

static ngx_uint_t
ngx_http_ilert_store_is_closed(ngx_http_ilert_store_db_t *db)
{
    if (db->rc == NGX_HTTP_ILERT_STORE_NEWER
        || db->rc == NGX_HTTP_ILERT_STORE_NO_WAL)
    {
        return 1;
    }

    if (db->rc > 0 && ((db->rc & 0xff) == SQLITE_READONLY
                       || db->rc == SQLITE_CANTOPEN_ISDIR))
    {
        return 1;
    }

    if (db->rc != NGX_HTTP_ILERT_STORE_SYSTEM
        && (db->rc < 0 || (db->rc & 0xff) != SQLITE_CANTOPEN))
    {
        return 0;
    }

    switch (db->err) {
    case NGX_EACCES:
    case NGX_EPERM:
    case NGX_ENOENT:
    case NGX_ENOTDIR:
    case NGX_EISDIR:
    case NGX_ELOOP:
    case EROFS:
        return 1;
    }

    return 0;
}


/* sets the state and the text of the last error */

static void
ngx_http_ilert_store_report(ngx_http_ilert_store_t *store)
{
    char                        text[256];
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (ngx_http_ilert_store_is_full(db)) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;

        if (db->disk) {
            sqlite3_snprintf(sizeof(store->error), store->error,
                             "no room on the disk of \"%s\"", db->name);

        } else {
            sqlite3_snprintf(sizeof(store->error), store->error,
                             "\"%s\" has reached max_size", db->name);
        }

        return;
    }

    if (db->db == NULL && ngx_http_ilert_store_is_closed(db)) {
        store->state = NGX_HTTP_ILERT_STORE_CLOSED;
        ngx_http_ilert_store_report_closed(store);
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_FAILED;

    if (db->rc == NGX_HTTP_ILERT_STORE_LOCKED
        || (db->rc > 0 && (db->rc & 0xff) == SQLITE_BUSY))
    {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "\"%s\" is locked by another process", db->name);
        return;
    }

    ngx_http_ilert_store_reason(db, text, sizeof(text));

    sqlite3_snprintf(sizeof(store->error), store->error, "\"%s\": %s",
                     db->name, text);
}


static void
ngx_http_ilert_store_report_closed(ngx_http_ilert_store_t *store)
{
    char                       *user, buf[1024];
    uid_t                       uid;
    char                        text[256];
    struct passwd               pw, *found;
    ngx_file_info_t             fi;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db->rc == NGX_HTTP_ILERT_STORE_NEWER) {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "\"%s\" has schema %d of a newer release, "
                         "use that release or move the file away",
                         db->name, db->version);
        return;
    }

    if (db->rc == NGX_HTTP_ILERT_STORE_NO_WAL) {
        sqlite3_snprintf(sizeof(store->error), store->error, "\"%s\": %s, "
                         "use a local one", db->name, db->message);
        return;
    }

    if (ngx_file_info(store->path.data, &fi) == NGX_FILE_ERROR
        && ngx_errno == NGX_ENOENT)
    {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "the folder \"%s\" does not exist, reload nginx "
                         "to have it made", store->path.data);
        return;
    }

    ngx_http_ilert_store_reason(db, text, sizeof(text));

    uid = geteuid();

    if (getpwuid_r(uid, &pw, buf, sizeof(buf), &found) == 0 && found) {
        user = pw.pw_name;

    } else {
        sqlite3_snprintf(sizeof(buf), buf, "%u", (unsigned) uid);
        user = buf;
    }

    sqlite3_snprintf(sizeof(store->error), store->error,
                     "\"%s\" cannot be written (%s): the folder and all in "
                     "it must belong to user %s, and the file system be "
                     "writable", db->name, text, user);
}


/* the system's, or SQLite's, or both */

static void
ngx_http_ilert_store_reason(ngx_http_ilert_store_db_t *db, char *text,
    size_t size)
{
    u_char  *p, err[64];

    if (db->err == 0) {
        sqlite3_snprintf(size, text, "%s", db->message);
        return;
    }

    p = ngx_strerror(db->err, err, sizeof(err));

    if (db->rc == NGX_HTTP_ILERT_STORE_SYSTEM
        || (db->rc & 0xff) == SQLITE_CANTOPEN)
    {
        sqlite3_snprintf(size, text, "%.*s", (int) (p - err), err);
        return;
    }

    sqlite3_snprintf(size, text, "%s, %.*s", db->message, (int) (p - err),
                     err);
}


ngx_http_ilert_store_event_t *
ngx_http_ilert_store_event(size_t source, size_t key, size_t body)
{
    u_char                        *p;
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_alloc(sizeof(ngx_http_ilert_store_event_t) + source + key + body,
                   ngx_cycle->log);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memzero(ev, sizeof(ngx_http_ilert_store_event_t));

    p = (u_char *) ev + sizeof(ngx_http_ilert_store_event_t);

    ev->source.data = p;
    ev->source.len = source;

    ev->key.data = p + source;
    ev->key.len = key;

    ev->body.data = p + source + key;
    ev->body.len = body;

    return ev;
}


void
ngx_http_ilert_store_close(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db == NULL) {
        return;
    }

    (void) ngx_http_ilert_store_lock(store);

    ngx_http_ilert_store_close_file(db, 0);

    ngx_http_ilert_store_unlock(store);

    ngx_free(db->candidates);
    ngx_free(db->key.data);
    ngx_free(db);

    store->private = NULL;
    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
}
