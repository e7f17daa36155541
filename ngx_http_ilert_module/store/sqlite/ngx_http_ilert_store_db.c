
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <pwd.h>
#include <sys/statvfs.h>

#include "ngx_http_ilert_store_db.h"


/*
 * Pages of max_size, at most an eighth, that are not for accepts: taking
 * an event out may need one or two more before it gives back any.
 */

#define NGX_HTTP_ILERT_STORE_RESERVE      256

/* the log is copied to the database when it has this many pages */

#define NGX_HTTP_ILERT_STORE_CHECKPOINT   "250"
#define NGX_HTTP_ILERT_STORE_LOG_SIZE     "16777216"

/* room for a checkpoint and a job or two */

#define NGX_HTTP_ILERT_STORE_BALLAST      (4 * 1024 * 1024)
#define NGX_HTTP_ILERT_STORE_BALLAST_TIME 5000


static int ngx_http_ilert_store_open_once(ngx_http_ilert_store_t *store);
static int ngx_http_ilert_store_create_file(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_open_file(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_identify(ngx_http_ilert_store_db_t *db,
    int *version);
static int ngx_http_ilert_store_pragma(ngx_http_ilert_store_db_t *db,
    const char *sql, int64_t *value);
static int ngx_http_ilert_store_configure(ngx_http_ilert_store_db_t *db);
static int ngx_http_ilert_store_migrate(ngx_http_ilert_store_t *store);
static int ngx_http_ilert_store_sync_folder(ngx_http_ilert_store_t *store);
static int ngx_http_ilert_store_prepare(ngx_http_ilert_store_t *store);
static ngx_int_t ngx_http_ilert_store_write_ballast(
    ngx_http_ilert_store_db_t *db);
static sqlite3_stmt *ngx_http_ilert_store_bind(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, const char *fmt, va_list args);
static int ngx_http_ilert_store_step(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, int64_t *value);
static int ngx_http_ilert_store_system_error(ngx_http_ilert_store_db_t *db,
    ngx_err_t err);
static ngx_uint_t ngx_http_ilert_store_is_no_room(ngx_err_t err);
static ngx_uint_t ngx_http_ilert_store_is_closed(
    ngx_http_ilert_store_db_t *db);
static void ngx_http_ilert_store_report_closed(ngx_http_ilert_store_t *store);
static void ngx_http_ilert_store_reason(ngx_http_ilert_store_db_t *db,
    char *text, size_t size);


/* of waiting events, all of which are gone through */

#define NGX_HTTP_ILERT_STORE_RECOUNT                                          \
    " (critical, resolves, opens, updates, repeats) ="                        \
    " (SELECT ifnull(sum(urgency = 0), 0), ifnull(sum(urgency = 1), 0),"      \
     " ifnull(sum(urgency = 2), 0), ifnull(sum(urgency = 3), 0),"             \
     " ifnull(sum(urgency = 4), 0)"                                           \
     " FROM (SELECT a.source s, e.urgency FROM event e"                       \
           " CROSS JOIN alert a ON a.id = e.alert)"                           \
     " WHERE s = source.id)"

/* the same from version 4 on, in which an event has a source of its own */

#define NGX_HTTP_ILERT_STORE_RECOUNT_EVENTS                                   \
    " (critical, resolves, opens, updates, repeats) ="                        \
    " (SELECT ifnull(sum(urgency <= 0), 0), ifnull(sum(urgency = 1), 0),"     \
     " ifnull(sum(urgency = 2), 0), ifnull(sum(urgency = 3), 0),"             \
     " ifnull(sum(urgency >= 4), 0)"                                          \
     " FROM (SELECT CASE e.source WHEN 0 THEN a.source ELSE e.source END s,"  \
           " e.urgency FROM event e CROSS JOIN alert a ON a.id = e.alert)"    \
     " WHERE s = source.id)"


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
    "DROP INDEX event_alert;\n"
    "CREATE INDEX event_alert ON event (alert, seq, urgency);\n"

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
    "CREATE INDEX slot_at ON slot (budget, at) WHERE at > 0;\n",

    /* 3 */

    "ALTER TABLE source ADD COLUMN\n"
    "    critical   INTEGER  -- events that wait, by event.urgency: 0,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    resolves   INTEGER  -- 1,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    opens      INTEGER  -- 2,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    updates    INTEGER  -- 3,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    repeats    INTEGER  -- 4\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    open       INTEGER  -- alerts whose opened is not 0\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    dead       INTEGER  -- dead letters\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    paused     INTEGER  -- time from which nothing is sent, 0: it is\n"
    "               NOT NULL DEFAULT 0;\n"

    "ALTER TABLE alert ADD COLUMN\n"
    "    opened     INTEGER  -- time of the first ALERT delivered since the\n"
    "                        -- last RESOLVE delivered, 0: none\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    accepted   INTEGER  -- event.received of the last one that is gone\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    gone       INTEGER  -- event.seq of that one\n"
    "               NOT NULL DEFAULT 0;\n"

    "UPDATE alert SET accepted = last,\n"
    "    gone = ifnull((SELECT seq FROM sqlite_sequence"
                      " WHERE name = 'event'), 0),\n"
    "    opened = CASE WHEN shows = 1 THEN max(told, 1) ELSE 0 END;\n"
    "UPDATE source SET" NGX_HTTP_ILERT_STORE_RECOUNT ",\n"
    "    open = (SELECT count(*) FROM alert\n"
    "            WHERE source = source.id AND opened > 0),\n"
    "    dead = (SELECT count(*) FROM dead WHERE source = source.id);\n"

    "CREATE INDEX alert_opened ON alert (source, opened) WHERE opened > 0;\n"
    "DROP INDEX alert_taken;\n"
    "CREATE INDEX alert_taken ON alert (source, urgency, head)\n"
    "    WHERE state = 1;\n"
    "DROP INDEX alert_waiting;\n"
    "CREATE INDEX alert_waiting ON alert (source, urgency, head)\n"
    "    WHERE state = 2;\n"
    "CREATE INDEX dead_source ON dead (source, died);\n"

    "CREATE TRIGGER dead_counted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE source SET dead = dead + 1 WHERE id = NEW.source;\n"
    "END;\n"
    "CREATE TRIGGER dead_uncounted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE source SET dead = dead - 1 WHERE id = OLD.source;\n"
    "END;\n",

    /*
     * 4: an alert belongs to an integration key; alert.source is that of its
     * first waiting event, or, if none waits, of its last one
     */

    "ALTER TABLE source ADD COLUMN\n"
    "    owner      INTEGER  -- budget.id of its integration key, 0: not\n"
    "                        -- known yet\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    owner      INTEGER  -- budget.id of its integration key, 0: that of\n"
    "                        -- its source, which is not known yet\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE event ADD COLUMN\n"
    "    source     INTEGER  -- source.id, 0: that of its alert\n"
    "               NOT NULL DEFAULT 0;\n"

    "CREATE UNIQUE INDEX alert_owner ON alert (owner, key)\n"
    "    WHERE owner > 0;\n"
    "CREATE INDEX alert_stray ON alert (source) WHERE owner = 0;\n"

    "CREATE TABLE session (\n"
    "    -- of an nginx that may have relayed what is not noted here\n"
    "    id         INTEGER PRIMARY KEY\n"
    ");\n"

    "DROP INDEX alert_forget;\n"
    "CREATE INDEX alert_forget ON alert (changed)\n"
    "    WHERE head = 0 AND state = 0 AND shows = 2;\n"

    "ALTER TABLE total ADD COLUMN\n"
    "    courier    INTEGER  -- number of the last one that has begun\n"
    "               NOT NULL DEFAULT 0;\n"
};

#define NGX_HTTP_ILERT_STORE_VERSION                                          \
    (int) (sizeof(ngx_http_ilert_store_schema)                                \
           / sizeof(ngx_http_ilert_store_schema[0]))


/* as ngx_http_ilert_store_read_alert() and .._read_event() read them */

#define NGX_HTTP_ILERT_STORE_ALERT_COLUMNS(epoch)                             \
    "SELECT alert.id, alert.state, alert.head, alert.urgency, alert.next,"    \
    " alert.since, CASE WHEN alert.epoch = " epoch                            \
                  " THEN alert.shows ELSE 3 END,"                             \
    " alert.level, alert.priority, alert.told, alert.delivered, alert.last,"  \
    " alert.changed, alert.source, alert.opened, alert.accepted,"             \
    " alert.gone, alert.owner"

#define NGX_HTTP_ILERT_STORE_EVENT_COLUMNS                                    \
    "SELECT seq, type, level, priority, received, since, urgency,"            \
    " id, length(body), source"


#define NGX_HTTP_ILERT_STORE_DEAD_COLUMNS                                     \
    "SELECT d.seq, d.id, s.name, d.alert_key, d.type, d.level, d.native,"     \
    " d.priority, d.received, d.status, d.error, d.body, d.died"


/* the terms of alert_open, and of alert_forget */

#define NGX_HTTP_ILERT_STORE_OPEN                                             \
    "shows < 2 AND state = 0 AND head = 0"

#define NGX_HTTP_ILERT_STORE_OVER                                             \
    "shows = 2 AND state = 0 AND head = 0"


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
    "BEGIN",
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
    "SELECT 1 FROM session WHERE id = ?1",
    "INSERT INTO session (id) VALUES (?1)",
    "DELETE FROM session",
    "DELETE FROM session WHERE id = ?1",
    "SELECT dead_bytes FROM total",

    "UPDATE total SET seen = ?1, resumed ="
    " CASE WHEN ?1 BETWEEN seen AND seen + ?2 THEN resumed ELSE ?1 END",

    "SELECT resumed FROM total",

    /* by the time: the number is hardly ever that of another database, too */

    "SELECT courier FROM total",
    "UPDATE total SET courier = max(courier + 1, ?1)",

    "SELECT id, paused, owner FROM source WHERE name = ?1",
    "INSERT INTO source (name, owner) VALUES (?1, ?2)",

    "SELECT name FROM source"
    " WHERE name > ?1 AND length(CAST(name AS BLOB)) <= ?2"
    " AND (EXISTS (SELECT 1 FROM alert INDEXED BY alert_ready"
                 " WHERE source = source.id AND state = 0 AND head > 0)"
     " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_taken"
                 " WHERE source = source.id AND state = 1)"
     " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_waiting"
                 " WHERE source = source.id AND state = 2))"
    " ORDER BY name LIMIT 1",

    "UPDATE source SET critical = critical + ?2, resolves = resolves + ?3,"
    " opens = opens + ?4, updates = updates + ?5, repeats = repeats + ?6,"
    " open = open + ?7 WHERE id = ?1",

    "UPDATE source SET" NGX_HTTP_ILERT_STORE_RECOUNT_EVENTS
    ", open = CASE WHEN open < ?1 THEN"
    " (SELECT count(*) FROM alert INDEXED BY alert_opened"
     " WHERE source = source.id AND opened > 0) ELSE open END"
    " WHERE (SELECT count(*) FROM (SELECT 1 FROM event LIMIT ?1)) < ?1",

    "UPDATE source SET paused = ?2 WHERE id = ?1 AND (paused > 0) <> (?2 > 0)",

    "SELECT critical + resolves + opens + updates + repeats + dead FROM source"
    " WHERE name = ?1",

    "UPDATE source SET owner = ?2 WHERE id = ?1",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?3") ", alert_key <> ?4, alert_key"
    " FROM alert INDEXED BY alert_owner"
    " WHERE owner = ?1 AND owner > 0 AND key = ?2",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?3") ", alert_key <> ?4, alert_key"
    " FROM alert WHERE source = ?1 AND key = ?2",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?2") " FROM alert WHERE id = ?1",

    "SELECT head > 0 AND NOT (state = 2 AND urgency = 4)"
    " FROM alert INDEXED BY alert_owner"
    " WHERE owner = ?1 AND owner > 0 AND key = ?2",

    "SELECT head > 0 AND NOT (state = 2 AND urgency = 4)"
    " FROM alert WHERE source = ?1 AND key = ?2",

    /* of whichever source: there are none but for a moment after an upgrade */

    "SELECT 1 FROM alert INDEXED BY alert_stray WHERE owner = 0 AND key = ?1"
    " AND head > 0 AND NOT (state = 2 AND urgency = 4) LIMIT 1",

    "INSERT INTO alert (source, owner, key, alert_key, state, head, urgency,"
    " next, shows, epoch, level, delivered, changed)"
    " VALUES (?1, ?2, ?3, ?4, 0, 0, 3, 0, 0, 0, 0, 0, 0)",

    "UPDATE alert SET state = ?2, head = ?3, urgency = ?4, next = ?5,"
    " since = ?6, shows = ?7, epoch = ?8, level = ?9, priority = ?10,"
    " told = ?11, delivered = ?12, last = ?13, changed = ?14, accepted = ?15,"
    " gone = ?16 WHERE id = ?1",

    /* by itself: its index costs, and it changes seldom */

    "UPDATE alert SET opened = ?2 WHERE id = ?1",

    "UPDATE alert SET alert_key = ?2 WHERE id = ?1",

    /* a stray of that source and key may be there; it is adopted later */

    "UPDATE OR IGNORE alert SET source = ?2 WHERE id = ?1",

    /* alerts find their keys */

    "UPDATE OR IGNORE alert SET owner = ?2"
    " WHERE id IN (SELECT id FROM alert INDEXED BY alert_stray"
                 " WHERE owner = 0 AND source = ?1 LIMIT ?3)",

    "SELECT id, key FROM alert INDEXED BY alert_stray"
    " WHERE owner = 0 AND source = ?1 AND id > ?2 ORDER BY id LIMIT 1",

    "SELECT id, owner, key FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2",

    "SELECT source FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND source <> ?2 LIMIT 1",

    "SELECT 1 FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND source = ?2 LIMIT 1",

    "UPDATE alert SET owner = ?2 WHERE id = ?1",

    "UPDATE event SET alert = ?2 WHERE alert = ?1 AND (?3 = 0 OR source = ?3)",

    "UPDATE event SET source = ?2 WHERE alert = ?1 AND source = 0",

    "DELETE FROM alert WHERE id = ?1",

    "UPDATE alert SET urgency = 3"
    " WHERE id IN (SELECT id FROM alert INDEXED BY alert_ready"
                 " WHERE source = ?1 AND state = 0 AND head > 0"
                 " AND urgency < 0 LIMIT ?2)"
    " OR id IN (SELECT id FROM alert INDEXED BY alert_ready"
              " WHERE source = ?1 AND state = 0 AND head > 0"
              " AND urgency > 4 LIMIT ?2)",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",

    "SELECT min(urgency) FROM (SELECT urgency FROM event"
    " INDEXED BY event_alert WHERE alert = ?1 ORDER BY seq LIMIT ?2)",

    "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'event'",

    "SELECT 1 FROM event WHERE seq = ?1 AND id = ?2",

    "INSERT INTO event (alert, id, type, level, priority, native, received,"
    " since, urgency, source, attempts, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11)",

    "UPDATE event SET id = ?2, type = ?3, level = ?4, priority = ?5,"
    " native = ?6, received = ?7, since = ?8, urgency = ?9, source = ?10,"
    " body = ?11 WHERE seq = ?1",

    "UPDATE event SET urgency = ?2 WHERE seq = ?1",
    "UPDATE event SET attempts = attempts + ?3 WHERE seq = ?1 AND id = ?2",
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

    "UPDATE alert SET state = 0, next = 0"
    " WHERE id IN (SELECT id FROM alert INDEXED BY alert_next"
                 " WHERE state = 2 AND next > ?1 ORDER BY next LIMIT ?2)",

    "SELECT id, head, since FROM alert INDEXED BY alert_ready"
    " WHERE source = ?1 AND state = 0 AND head > 0 AND urgency = ?2"
    " ORDER BY head LIMIT ?3",

    NGX_HTTP_ILERT_STORE_ALERT_COLUMNS("?2") ", e.seq, e.type, e.level,"
    " e.priority, e.received, e.since, e.urgency, e.id, length(e.body),"
    " e.source, e.native, e.attempts, alert.alert_key, e.body"
    " FROM alert LEFT JOIN event e ON e.seq = alert.head"
    " WHERE alert.id = ?1",

    "SELECT a.id, s.name FROM event e JOIN alert a ON a.id = e.alert"
    " JOIN source s ON s.id = CASE e.source WHEN 0 THEN a.source"
    " ELSE e.source END WHERE e.seq = ?1 AND a.head = e.seq",

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

    /* alerts that may be forgotten, unless the last event may be replayed */

    "SELECT id, changed, source, opened,"
    " EXISTS (SELECT 1 FROM dead WHERE seq = alert.gone)"
    " FROM alert WHERE id = ifnull("
    "(SELECT id FROM alert INDEXED BY alert_forget"
    " WHERE changed = ?1 AND id > ?2 AND " NGX_HTTP_ILERT_STORE_OVER
    " ORDER BY id LIMIT 1),"
    " (SELECT id FROM alert INDEXED BY alert_forget"
    " WHERE changed > ?1 AND " NGX_HTTP_ILERT_STORE_OVER
    " ORDER BY changed, id LIMIT 1))",

    "SELECT id, last, source, opened,"
    " EXISTS (SELECT 1 FROM dead WHERE seq = alert.gone)"
    " FROM alert WHERE id = ifnull("
    "(SELECT id FROM alert INDEXED BY alert_open"
    " WHERE source = ?3 AND last = ?1 AND id > ?2"
    " AND " NGX_HTTP_ILERT_STORE_OPEN " ORDER BY id LIMIT 1),"
    " (SELECT id FROM alert INDEXED BY alert_open"
    " WHERE source = ?3 AND last > ?1"
    " AND " NGX_HTTP_ILERT_STORE_OPEN " ORDER BY last, id LIMIT 1))",

    "SELECT id FROM source WHERE id > ?1 ORDER BY id LIMIT 1",
    "DELETE FROM alert WHERE id = ?1",

    /* of budgets that are used no longer: no window is as long */

    "DELETE FROM slot WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT ?2)"
    " AND at > 0 AND at < ?1",

    /* orders */

    NGX_HTTP_ILERT_STORE_DEAD_COLUMNS " FROM dead d INDEXED BY dead_id"
    " JOIN source s ON s.id = d.source"
    " WHERE d.id = ?1 ORDER BY d.seq DESC LIMIT 1",

    NGX_HTTP_ILERT_STORE_DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.id = ?1 AND (d.died, d.seq) > (?2, ?3)"
    " ORDER BY d.died, d.seq LIMIT 1",

    "DELETE FROM dead WHERE seq IN"
    " (SELECT seq FROM dead INDEXED BY dead_source WHERE source = ?1"
     " ORDER BY died LIMIT ?2)",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS ", alert"
    " FROM event INDEXED BY event_alert"
    " WHERE (alert, seq) > (?1, ?2) ORDER BY alert, seq LIMIT 1",

    /* queries */

    "SELECT name, critical, resolves, opens, updates, repeats, open, dead,"
    " paused, id FROM source ORDER BY name",

    "SELECT min(CASE WHEN since > 0 THEN since ELSE received END) FROM event"
    " WHERE seq IN ("
    "SELECT min(head) FROM alert INDEXED BY alert_ready"
    " WHERE source = ?1 AND state = 0 AND head > 0 AND urgency = ?2"
    " UNION ALL SELECT min(head) FROM alert INDEXED BY alert_taken"
    " WHERE source = ?1 AND state = 1 AND urgency = ?2"
    " UNION ALL SELECT min(head) FROM alert INDEXED BY alert_waiting"
    " WHERE source = ?1 AND state = 2 AND urgency = ?2)",

    "SELECT 1 FROM alert INDEXED BY alert_waiting"
    " WHERE source = ?1 AND state = 2 AND urgency < ?2 LIMIT 1",

    "SELECT (SELECT count(*) FROM slot INDEXED BY slot_taken"
           " WHERE budget = budget.id AND at = 0)"
    " + (SELECT count(*) FROM slot INDEXED BY slot_at"
       " WHERE budget = budget.id AND at > 0 AND at > ?2),"
    " CASE WHEN paused <= ?3 THEN paused + pause ELSE ?3 + pause END"
    " FROM budget WHERE name = ?1",

    "SELECT alert_key, level, opened, max(accepted, ifnull("
    "(SELECT CASE WHEN length(body) > 0 THEN received ELSE 0 END"
     " FROM event INDEXED BY event_alert WHERE alert = alert.id"
     " ORDER BY seq DESC LIMIT 1), 0)) FROM alert INDEXED BY alert_opened"
    " WHERE source = ?1 AND opened > 0 ORDER BY opened DESC LIMIT ?2",

    NGX_HTTP_ILERT_STORE_DEAD_COLUMNS " FROM dead d INDEXED BY dead_died"
    " JOIN source s ON s.id = d.source ORDER BY d.died DESC, d.seq DESC"
    " LIMIT ?1",

    NGX_HTTP_ILERT_STORE_DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.name = ?1 ORDER BY d.died DESC, d.seq DESC LIMIT ?2",

    /* keys are compared as by ngx_http_ilert_store_fold() */

    "SELECT * FROM (" NGX_HTTP_ILERT_STORE_DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.name = ?1 ORDER BY d.died DESC, d.seq DESC LIMIT ?4)"
    " WHERE lower(trim(alert_key, char(9, 10, 11, 12, 13, 32))) = ?2"
    " LIMIT ?3",

    NGX_HTTP_ILERT_STORE_EVENT_COLUMNS ", attempts"
    " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 ORDER BY seq LIMIT ?2",

    "SELECT count(*), max(CASE WHEN length > 0 THEN received ELSE 0 END)"
    " FROM (SELECT received, length(body) length FROM event"
    " INDEXED BY event_alert WHERE alert = ?1 ORDER BY seq DESC LIMIT ?2)"
};


ngx_http_ilert_store_db_t *
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


int
ngx_http_ilert_store_lock(ngx_http_ilert_store_t *store)
{
    int                         rc;
    struct timespec             ts;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    db->locked = 0;
    db->deadline = ngx_http_ilert_clock_msec()
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

    if (db->locked && store->locked) {
        store->locked(1);
    }

    return SQLITE_OK;
}


void
ngx_http_ilert_store_unlock(ngx_http_ilert_store_t *store)
{
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    if (db->locked) {

        if (store->locked) {
            store->locked(0);
        }

        db->locked = 0;
        pthread_mutex_unlock(store->mutex);
    }
}


/* others than our processes, as people with a shell */

int
ngx_http_ilert_store_busy(void *data, int n)
{
    ngx_http_ilert_store_db_t *db = data;

    if (ngx_http_ilert_clock_msec() >= db->deadline) {
        return 0;
    }

    usleep(n < 10 ? 500 : 5000);

    return 1;
}


/*
 * Opens the database, if it is not open, or is another one by now.  While
 * others begin SQLite does not always wait for them by itself.
 */

int
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

        /* we must not write to the file of a newer release */

        ngx_http_ilert_store_close_file(db,
                                        ngx_http_ilert_store_is_damaged(rc)
                                        || rc == NGX_HTTP_ILERT_STORE_NEWER);

        if (rc < 0 || (rc & 0xff) != SQLITE_BUSY
            || !ngx_http_ilert_store_busy(db, n))
        {
            return rc;
        }
    }

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
        rc = ngx_http_ilert_store_migrate(store);
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

ngx_uint_t
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

    /* another one than the last time, which was closed after an error */

    if (db->inode && (fi.st_dev != db->device || fi.st_ino != db->inode)) {
        db->lost = 1;
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
ngx_http_ilert_store_migrate(ngx_http_ilert_store_t *store)
{
    int                         rc, version;
    char                        sql[128];
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    rc = ngx_http_ilert_store_identify(db, &version);

    if (rc != SQLITE_OK || version == NGX_HTTP_ILERT_STORE_VERSION) {
        return rc;
    }

    if (version == 0) {
        rc = ngx_http_ilert_store_sync_folder(store);
        if (rc != SQLITE_OK) {
            return rc;
        }
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


/*
 * SQLite syncs the folder that its files are in, but not that folder's own
 * name.  As long as this is not on disk, a loss of power takes away the folder
 * with all that is in it.  Where the directory above cannot be opened, or is
 * of a file system that does not sync directories, nothing can be done.
 */

static int
ngx_http_ilert_store_sync_folder(ngx_http_ilert_store_t *store)
{
    int       rc;
    char     *path;
    ngx_fd_t  fd;

    path = sqlite3_mprintf("%s/..", store->path.data);
    if (path == NULL) {
        return ngx_http_ilert_store_error(store->private,
                                          NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = SQLITE_OK;
    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != NGX_INVALID_FILE) {

        if (fsync(fd) == -1 && ngx_errno != EINVAL) {
            rc = ngx_http_ilert_store_system_error(store->private, ngx_errno);
        }

        (void) ngx_close_file(fd);
    }

    sqlite3_free(path);

    return rc;
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


int64_t
ngx_http_ilert_store_reserve(int64_t pages)
{
    return ngx_min(pages / 8, NGX_HTTP_ILERT_STORE_RESERVE);
}


/*
 * SQLite writes what is in the log of a damaged database, and so more of it,
 * to the file, unless told not to.
 */

void
ngx_http_ilert_store_close_file(ngx_http_ilert_store_db_t *db,
    ngx_uint_t as_is)
{
    ngx_uint_t  n;

    if (db->db == NULL) {
        return;
    }

    for (n = 0; n < NGX_HTTP_ILERT_STORE_NSTMTS; n++) {
        (void) sqlite3_finalize(db->stmts[n]);
        db->stmts[n] = NULL;
    }

    if (as_is) {
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

int
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
    (void) strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);

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

void
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

void
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

int
ngx_http_ilert_store_row(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    sqlite3_stmt **stmt, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    *stmt = ngx_http_ilert_store_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_store_next(db, *stmt);
}


int
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


void
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


int
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

int
ngx_http_ilert_store_get(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t *value, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_store_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_store_step(db, n, value);
}


/* SQLite may have done so already; an error of this one is no news */

void
ngx_http_ilert_store_rollback(ngx_http_ilert_store_db_t *db)
{
    if (!sqlite3_get_autocommit(db->db)) {
        (void) sqlite3_step(db->stmts[NGX_HTTP_ILERT_STORE_ROLLBACK]);
        (void) sqlite3_reset(db->stmts[NGX_HTTP_ILERT_STORE_ROLLBACK]);
    }
}


/* keeps what is known of an error, which the next call would forget */

int
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


ngx_uint_t
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


ngx_uint_t
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

void
ngx_http_ilert_store_report(ngx_http_ilert_store_t *store)
{
    char                        text[256];
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    db->blocked = 0;

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
        db->blocked = 1;

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
