
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

/* rows that one job may go through beside its own events */

#define NGX_HTTP_ILERT_STORE_ROWS         1000
#define NGX_HTTP_ILERT_STORE_RELEASE      10000

/* bytes of taken events after which a job takes no more */

#define NGX_HTTP_ILERT_STORE_TAKE_SIZE    (1024 * 1024)


/* alert.state */

#define NGX_HTTP_ILERT_STORE_READY        "0"
#define NGX_HTTP_ILERT_STORE_TAKEN        "1"
#define NGX_HTTP_ILERT_STORE_WAITING      "2"


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

    NGX_HTTP_ILERT_STORE_GET_SOURCE,
    NGX_HTTP_ILERT_STORE_ADD_SOURCE,
    NGX_HTTP_ILERT_STORE_NEXT_SOURCE,

    NGX_HTTP_ILERT_STORE_GET_ALERT,
    NGX_HTTP_ILERT_STORE_GET_HEAD,
    NGX_HTTP_ILERT_STORE_ADD_ALERT,
    NGX_HTTP_ILERT_STORE_ADD_EVENT,
    NGX_HTTP_ILERT_STORE_ADDED,

    NGX_HTTP_ILERT_STORE_BEGIN_TAKEN,
    NGX_HTTP_ILERT_STORE_SET_RELEASED,
    NGX_HTTP_ILERT_STORE_SET_UNSENT,
    NGX_HTTP_ILERT_STORE_SET_ATTEMPT,
    NGX_HTTP_ILERT_STORE_SET_AGAIN,
    NGX_HTTP_ILERT_STORE_DELETE_EVENT,
    NGX_HTTP_ILERT_STORE_SET_DONE,
    NGX_HTTP_ILERT_STORE_SET_DEAD,
    NGX_HTTP_ILERT_STORE_SET_GONE,
    NGX_HTTP_ILERT_STORE_ADD_DEAD,

    NGX_HTTP_ILERT_STORE_GET_DUE,
    NGX_HTTP_ILERT_STORE_SET_DUE,
    NGX_HTTP_ILERT_STORE_GET_HEADS,
    NGX_HTTP_ILERT_STORE_SET_TAKEN,

    NGX_HTTP_ILERT_STORE_OLDEST_DEAD,
    NGX_HTTP_ILERT_STORE_DELETE_DEAD,
    NGX_HTTP_ILERT_STORE_FORGET,

    NGX_HTTP_ILERT_STORE_NSTMTS
} ngx_http_ilert_store_stmt_e;


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

    /* in a transaction */

    int64_t         epoch;
    unsigned        more:1;                 /* there is more to take */
    size_t          taken;                  /* bytes */

    /* of the last error */

    int             rc;                     /* extended, or one of ours */
    ngx_err_t       err;
    int             version;                /* the newer schema */
    char            message[128];

    ngx_str_t       key;                    /* a buffer for a folded one */
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
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_clean(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_accepts(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_accept(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_source(ngx_http_ilert_store_db_t *db,
    ngx_str_t *name, int64_t *id);
static ngx_str_t *ngx_http_ilert_store_fold(ngx_http_ilert_store_db_t *db,
    ngx_str_t *key);
static int ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_uint_t *rows, ngx_uint_t without);
static int ngx_http_ilert_store_heads(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t source, ngx_queue_t *heads);
static ngx_http_ilert_store_event_t *ngx_http_ilert_store_head(
    sqlite3_stmt *stmt, ngx_str_t *source);
static ngx_uint_t ngx_http_ilert_store_expired(
    ngx_http_ilert_store_event_t *ev, ngx_uint_t shows, int64_t max_age,
    int64_t now);
static int ngx_http_ilert_store_pass(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);
static void ngx_http_ilert_store_free(ngx_queue_t *events);

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

    "INSERT INTO total VALUES (1, 0, 0);\n"
};

#define NGX_HTTP_ILERT_STORE_VERSION                                          \
    (int) (sizeof(ngx_http_ilert_store_schema)                                \
           / sizeof(ngx_http_ilert_store_schema[0]))


#define NGX_HTTP_ILERT_STORE_NEXT_EVENT(alert)                                \
    "ifnull((SELECT seq FROM event INDEXED BY event_alert"                    \
            " WHERE alert = " alert " ORDER BY seq LIMIT 1), 0)"


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

    "SELECT id FROM alert WHERE source = ?1 AND key = ?2",

    "SELECT a.head FROM source s JOIN alert a ON a.source = s.id"
    " WHERE s.name = ?1 AND a.key = ?2",

    "INSERT INTO alert (source, key, alert_key, state, head, urgency, next,"
    " shows, epoch, level, delivered, changed)"
    " VALUES (?1, ?2, ?3, 0, 0, 0, 0, 0, 0, 0, 0, ?4)",

    "INSERT INTO event (alert, id, type, level, native, priority, received,"
    " attempts, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",

    "UPDATE alert SET alert_key = ?3, changed = ?4,"
    " head = CASE WHEN head = 0 THEN ?2 ELSE head END"
    " WHERE id = ?1 AND (head = 0 OR alert_key <> ?3)",

    "UPDATE alert INDEXED BY alert_taken SET state = 0, shows = 0"
    " WHERE state = 1",

    "UPDATE alert SET state = 0, next = 0 WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_waiting"
     " WHERE source = ?1 AND state = 2 LIMIT ?2)",

    "UPDATE alert SET state = 0 WHERE id = ?1 AND state = 1 AND head = ?2"
    " AND EXISTS (SELECT 1 FROM event WHERE seq = ?2 AND id = ?3)",

    "UPDATE event SET attempts = attempts + 1 WHERE seq = ?1 AND id = ?2",

    "UPDATE alert SET state = 2, next = ?2, changed = ?3,"
    " shows = CASE ?4 WHEN 0 THEN shows ELSE 0 END WHERE id = ?1",

    "DELETE FROM event WHERE seq = ?1 AND id = ?2",

    "UPDATE alert SET state = 0, next = 0, changed = ?2, delivered = ?2,"
    " level = ?3, shows = ifnull(?4, shows), epoch = ifnull(?5, epoch),"
    " head = " NGX_HTTP_ILERT_STORE_NEXT_EVENT("?1") " WHERE id = ?1",

    "UPDATE alert SET state = 0, next = 0, changed = ?2,"
    " head = " NGX_HTTP_ILERT_STORE_NEXT_EVENT("?1") " WHERE id = ?1",

    "UPDATE alert SET state = 0, next = 0, shows = 0,"
    " head = " NGX_HTTP_ILERT_STORE_NEXT_EVENT("?1")
    " WHERE id = ?1 AND head = ?2"
    " AND NOT EXISTS (SELECT 1 FROM event WHERE seq = ?2)",

    "INSERT OR REPLACE INTO dead (seq, id, source, alert_key, type, level,"
    " native, priority, received, died, status, error, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",

    "SELECT next FROM alert INDEXED BY alert_next WHERE state = 2"
    " ORDER BY next LIMIT 1",

    "UPDATE alert SET state = 0, next = 0 WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_next"
     " WHERE state = 2 AND next <= ?1 ORDER BY next LIMIT ?2)",

    "SELECT a.id, a.head, e.id, e.type, e.level, e.native, e.priority,"
    " e.received, e.attempts,"
    " CASE WHEN a.epoch = ?3 THEN a.shows ELSE 0 END,"
    " a.alert_key, e.body"
    " FROM alert a INDEXED BY alert_ready"
    " LEFT JOIN event e ON e.seq = a.head"
    " WHERE a.source = ?1 AND a.state = 0 AND a.head > 0"
    " ORDER BY a.urgency, a.head LIMIT ?2",

    "UPDATE alert SET state = 1 WHERE id = ?1",

    "SELECT seq, died, length(body) FROM dead INDEXED BY dead_died"
    " ORDER BY died LIMIT 1",

    "DELETE FROM dead WHERE seq = ?1",

    "DELETE FROM alert WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_forget"
     " WHERE head = 0 AND state = 0 AND shows = 2 AND epoch = ?1"
     " AND changed < ?2 LIMIT ?3)"
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
    ngx_uint_t  i;

    ngx_http_ilert_store_free(&job->taken);

    job->due = 0;
    job->expired = 0;
    job->dropped = 0;
    job->more = 0;
    job->held = 0;
    job->accepted = 0;
    job->decided = 0;

    for (i = 0; i < job->ntakes; i++) {
        job->takes[i].taken = 0;
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
    int64_t                        head;
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

        rc = key ? ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_HEAD,
                                            &head, "tt", &ev->source, key)
                 : SQLITE_NOMEM;

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            ev->waits = NGX_HTTP_ILERT_STORE_NONE_WAITS;

        } else if (rc != SQLITE_OK) {
            ev->waits = NGX_HTTP_ILERT_STORE_CANNOT_SAY;

        } else {
            ev->waits = head ? NGX_HTTP_ILERT_STORE_WAITS
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
        && !ngx_http_ilert_store_has_work(job))
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

    rc = ngx_http_ilert_store_epoch(store, job);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (job->begin) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN_TAKEN,
                                       "");
        if (rc != SQLITE_OK) {
            return rc;
        }
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

    if (job->unknown) {
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
        return ngx_http_ilert_store_gone(db, ev);
    }

    return rc;
}


static int
ngx_http_ilert_store_unsent(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_UNSENT, "iii",
                                   ev->alert, ev->seq, (int64_t) ev->id);

    if (rc == SQLITE_OK && sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    return rc;
}


static int
ngx_http_ilert_store_done(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int          rc;
    int64_t      shows;
    const char  *fmt;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_EVENT,
                                   "ii", ev->seq, (int64_t) ev->id);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    shows = NGX_HTTP_ILERT_SHOWS_OPEN;
    fmt = "iiiii";

    if (ev->type == NGX_HTTP_ILERT_RESOLVE) {
        shows = NGX_HTTP_ILERT_SHOWS_RESOLVED;

    } else if (ev->type != NGX_HTTP_ILERT_ALERT) {
        /* neither opens nor closes */
        fmt = "iii";
    }

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_DONE, fmt,
                                     ev->alert, now, (int64_t) ev->level,
                                     shows, db->epoch);
}


static int
ngx_http_ilert_store_again(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_ATTEMPT, "ii",
                                   ev->seq, (int64_t) ev->id);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_AGAIN,
                                     "iiii", ev->alert, ev->next, now,
                                     (int64_t) ev->maybe);
}


/* the event goes first, which makes room for the letter */

static int
ngx_http_ilert_store_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    int      rc;
    int64_t  source;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_EVENT,
                                   "ii", ev->seq, (int64_t) ev->id);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_DEAD, "ii",
                                   ev->alert, job->now);
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
                                     (int64_t) ev->type, (int64_t) ev->level,
                                     (int64_t) ev->native,
                                     (int64_t) (ev->low ? 1
                                                        : ev->high ? 2 : 0),
                                     ev->received, job->now,
                                     (int64_t) ev->status, &ev->error,
                                     &ev->body);
}


/* unless it is of a database that was moved aside: nothing waits for it */

static int
ngx_http_ilert_store_gone(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev)
{
    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_GONE, "ii",
                                     ev->alert, ev->seq);
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

    return SQLITE_OK;
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
    int         rc;
    int64_t     source, alert;
    ngx_str_t  *key;

    rc = ngx_http_ilert_store_source(db, &ev->source, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    key = ngx_http_ilert_store_fold(db, &ev->key);
    if (key == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_ALERT, &alert,
                                  "it", source, key);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_ALERT,
                                       "itti", source, key, &ev->key, now);
        alert = sqlite3_last_insert_rowid(db->db);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_EVENT,
                                   "iiiiiiib", alert, (int64_t) ev->id,
                                   (int64_t) ev->type, (int64_t) ev->level,
                                   (int64_t) ev->native,
                                   (int64_t) (ev->low ? 1 : ev->high ? 2 : 0),
                                   ev->received, &ev->body);
    if (rc != SQLITE_OK) {
        return rc;
    }

    ev->alert = alert;
    ev->seq = sqlite3_last_insert_rowid(db->db);

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADDED, "iiti",
                                     alert, ev->seq, &ev->key, now);
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


static int
ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int         rc;
    ngx_uint_t  i, rows;

    if (job->ntakes) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_DUE, "ii",
                                       job->now,
                                       (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rows = NGX_HTTP_ILERT_STORE_ROWS;

    for (i = 0; i < job->ntakes; i++) {
        rc = ngx_http_ilert_store_take(db, job, &job->takes[i], &rows,
                                       without);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_DUE, &job->due,
                                  "");

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        job->due = 0;
        rc = SQLITE_OK;
    }

    if (db->more) {
        job->due = job->now;
    }

    return rc;
}


static int
ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_uint_t *rows, ngx_uint_t without)
{
    int                            rc;
    int64_t                        source;
    ngx_queue_t                    heads, *q;
    ngx_http_ilert_store_event_t  *ev;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_SOURCE,
                                  &source, "t", &take->source);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    while (rc == SQLITE_OK && take->taken < take->n) {

        if (*rows == 0 || db->taken >= NGX_HTTP_ILERT_STORE_TAKE_SIZE) {
            db->more = 1;
            break;
        }

        ngx_queue_init(&heads);

        rc = ngx_http_ilert_store_heads(db, job, take, source, &heads);

        if (rc == SQLITE_OK && ngx_queue_empty(&heads)) {
            break;
        }

        while (rc == SQLITE_OK && *rows && !ngx_queue_empty(&heads)) {
            q = ngx_queue_head(&heads);
            ngx_queue_remove(q);
            ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);

            if (ev->verdict == NGX_HTTP_ILERT_STORE_UNSENT) {
                ngx_queue_insert_tail(&job->taken, q);
                take->taken++;
                db->taken += ev->body.len;

                rc = ngx_http_ilert_store_exec(db,
                                               NGX_HTTP_ILERT_STORE_SET_TAKEN,
                                               "i", ev->alert);
                continue;
            }

            rc = ngx_http_ilert_store_pass(db, job, ev, without);

            ngx_free(ev);
            (*rows)--;
        }

        ngx_http_ilert_store_free(&heads);
    }

    return rc;
}


/*
 * The first waiting events of a source, with what is to become of them as
 * their verdict: UNSENT, they are to be taken, DEAD, they are too old, or
 * DONE, there is none, for it was discarded by hand.
 */

static int
ngx_http_ilert_store_heads(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t source, ngx_queue_t *heads)
{
    int                            rc;
    size_t                         size;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_store_event_t  *ev;

    stmt = db->stmts[NGX_HTTP_ILERT_STORE_GET_HEADS];

    sqlite3_bind_int64(stmt, 1, source);
    sqlite3_bind_int64(stmt, 2, take->n - take->taken);
    sqlite3_bind_int64(stmt, 3, db->epoch);

    size = db->taken;

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW) {
            break;
        }

        ev = ngx_http_ilert_store_head(stmt, &take->source);

        if (ev == NULL) {
            (void) sqlite3_reset(stmt);
            return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
        }

        ngx_queue_insert_tail(heads, &ev->queue);

        if (sqlite3_column_type(stmt, 2) == SQLITE_NULL) {
            ev->verdict = NGX_HTTP_ILERT_STORE_DONE;

        } else if (ngx_http_ilert_store_expired(ev,
                                                sqlite3_column_int(stmt, 9),
                                                take->max_age, job->now))
        {
            ev->verdict = NGX_HTTP_ILERT_STORE_DEAD;
            ngx_str_set(&ev->error, "older than max_age");
        }

        size += ev->body.len;

        if (size >= NGX_HTTP_ILERT_STORE_TAKE_SIZE) {
            rc = SQLITE_DONE;
            break;
        }
    }

    if (rc != SQLITE_DONE) {
        rc = ngx_http_ilert_store_error(db, rc);

    } else {
        rc = SQLITE_OK;
    }

    (void) sqlite3_reset(stmt);

    return rc;
}


static ngx_http_ilert_store_event_t *
ngx_http_ilert_store_head(sqlite3_stmt *stmt, ngx_str_t *source)
{
    size_t                         key, body;
    ngx_int_t                      priority;
    ngx_http_ilert_store_event_t  *ev;

    key = sqlite3_column_bytes(stmt, 10);
    body = sqlite3_column_bytes(stmt, 11);

    ev = ngx_http_ilert_store_event(source->len, key, body);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memcpy(ev->source.data, source->data, source->len);

    /* of what has no bytes there may be no address */

    if (key) {
        ngx_memcpy(ev->key.data, sqlite3_column_text(stmt, 10), key);
    }

    if (body) {
        ngx_memcpy(ev->body.data, sqlite3_column_blob(stmt, 11), body);
    }

    ev->alert = sqlite3_column_int64(stmt, 0);
    ev->seq = sqlite3_column_int64(stmt, 1);
    ev->id = sqlite3_column_int64(stmt, 2);
    ev->type = sqlite3_column_int(stmt, 3);
    ev->level = sqlite3_column_int(stmt, 4);
    ev->native = (sqlite3_column_int(stmt, 5) != 0);

    priority = sqlite3_column_int(stmt, 6);
    ev->low = (priority == 1);
    ev->high = (priority == 2);

    ev->received = sqlite3_column_int64(stmt, 7);
    ev->attempts = sqlite3_column_int64(stmt, 8);

    return ev;
}


/* a RESOLVE, however old, if ilert may show the alert */

static ngx_uint_t
ngx_http_ilert_store_expired(ngx_http_ilert_store_event_t *ev,
    ngx_uint_t shows, int64_t max_age, int64_t now)
{
    if (max_age == 0 || ev->received + max_age > now) {
        return 0;
    }

    return ev->type != NGX_HTTP_ILERT_RESOLVE
           || shows == NGX_HTTP_ILERT_SHOWS_RESOLVED;
}


/* of a head that is not taken: the next event is its alert's head */

static int
ngx_http_ilert_store_pass(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    if (ev->verdict == NGX_HTTP_ILERT_STORE_DEAD) {
        job->expired++;
    }

    if (ev->verdict == NGX_HTTP_ILERT_STORE_DONE) {
        return ngx_http_ilert_store_gone(db, ev);
    }

    return ngx_http_ilert_store_dead(db, job, ev, without);
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

    return (rc <= 0) ? rc : ngx_http_ilert_store_error(db, rc);
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

    ngx_free(db->key.data);
    ngx_free(db);

    store->private = NULL;
    store->state = NGX_HTTP_ILERT_STORE_OK;
    store->error[0] = '\0';
}
