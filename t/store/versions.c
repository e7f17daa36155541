
/*
 * A database of an earlier version, which is brought up to date when it is
 * opened, and what the release of that version does to it while both run.
 */


#include "store_test.h"
#include "ngx_http_ilert_sqlite_db.h"

#include <sys/wait.h>


/* version 3, as sqlite3 shows what release 0.1.0 has made */

static const char  schema_3[] =
    "CREATE TABLE source (\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    name       TEXT NOT NULL UNIQUE\n"
    ", critical   INTEGER  -- events that wait, by event.urgency: 0,\n"
    "               NOT NULL DEFAULT 0, resolves   INTEGER  -- 1,\n"
    "               NOT NULL DEFAULT 0, opens      INTEGER  -- 2,\n"
    "               NOT NULL DEFAULT 0, updates    INTEGER  -- 3,\n"
    "               NOT NULL DEFAULT 0, repeats    INTEGER  -- 4\n"
    "               NOT NULL DEFAULT 0, open       INTEGER  --"
        " alerts whose opened is not 0\n"
    "               NOT NULL DEFAULT 0, dead       INTEGER  -- dead letters\n"
    "               NOT NULL DEFAULT 0, paused     INTEGER  --"
        " time from which nothing is sent, 0: it is\n"
    "               NOT NULL DEFAULT 0);\n"

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
    "    changed    INTEGER NOT NULL, priority   INTEGER  --"
        " last delivered, as event.priority\n"
    "               NOT NULL DEFAULT 0, told       INTEGER  --"
        " time of the last ALERT or RESOLVE delivered\n"
    "               NOT NULL DEFAULT 0, last       INTEGER  --"
        " time of its last event, or of its delivery\n"
    "               NOT NULL DEFAULT 0, since      INTEGER  --"
        " time from which it has been waiting\n"
    "               NOT NULL DEFAULT 0, opened     INTEGER  --"
        " time of the first ALERT delivered since the\n"
    "                        -- last RESOLVE delivered, 0: none\n"
    "               NOT NULL DEFAULT 0, accepted   INTEGER  --"
        " event.received of the last one that is gone\n"
    "               NOT NULL DEFAULT 0, gone       INTEGER  --"
        " event.seq of that one\n"
    "               NOT NULL DEFAULT 0,  -- time of head, or last verdict\n"
    "    UNIQUE (source, key)\n"
    ");\n"

    "CREATE INDEX alert_ready ON alert (source, urgency, head)\n"
    "    WHERE state = 0 AND head > 0;\n"

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
    ", urgency    INTEGER  -- 0 CRITICAL or HIGH, opens or raises,\n"
    "                        -- 1 RESOLVE, 2 opens, 3 update, 4 repeat\n"
    "               NOT NULL DEFAULT 3, since      INTEGER  --"
        " time of the first one that it stands for,\n"
    "                        -- 0: received\n"
    "               NOT NULL DEFAULT 0);\n"

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
    ", seen       INTEGER  -- time when there was a courier\n"
    "               NOT NULL DEFAULT 0, resumed    INTEGER  --"
        " time, after a while without one\n"
    "               NOT NULL DEFAULT 0);\n"

    "CREATE TRIGGER dead_inserted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes + length(NEW.body);\n"
    "END;\n"

    "CREATE TRIGGER dead_deleted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes - length(OLD.body);\n"
    "END;\n"

    "CREATE INDEX alert_open ON alert (source, last)\n"
    "    WHERE shows < 2 AND state = 0 AND head = 0;\n"

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

    "CREATE INDEX slot_at ON slot (budget, at) WHERE at > 0;\n"

    "CREATE INDEX alert_opened ON alert (source, opened) WHERE opened > 0;\n"

    "CREATE INDEX alert_taken ON alert (source, urgency, head)\n"
    "    WHERE state = 1;\n"

    "CREATE INDEX alert_waiting ON alert (source, urgency, head)\n"
    "    WHERE state = 2;\n"

    "CREATE INDEX dead_source ON dead (source, died);\n"

    "CREATE TRIGGER dead_counted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE source SET dead = dead + 1 WHERE id = NEW.source;\n"
    "END;\n"

    "CREATE TRIGGER dead_uncounted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE source SET dead = dead - 1 WHERE id = OLD.source;\n"
    "END;\n"

    "INSERT INTO total (epoch, dead_bytes, recovered) VALUES (1, 0, 0);\n";


/* the statements of release 0.1.0 */

#define RECOUNT                                                               \
    " (critical, resolves, opens, updates, repeats) ="                        \
    " (SELECT ifnull(sum(urgency = 0), 0), ifnull(sum(urgency = 1), 0),"      \
     " ifnull(sum(urgency = 2), 0), ifnull(sum(urgency = 3), 0),"             \
     " ifnull(sum(urgency = 4), 0)"                                           \
     " FROM (SELECT a.source s, e.urgency FROM event e"                       \
           " CROSS JOIN alert a ON a.id = e.alert)"                           \
     " WHERE s = source.id)"

#define ALERT_COLUMNS(epoch)                                                  \
    "SELECT alert.id, alert.state, alert.head, alert.urgency, alert.next,"    \
    " alert.since, CASE WHEN alert.epoch = " epoch                            \
                  " THEN alert.shows ELSE 3 END,"                             \
    " alert.level, alert.priority, alert.told, alert.delivered, alert.last,"  \
    " alert.changed, alert.source, alert.opened, alert.accepted, alert.gone"

#define EVENT_COLUMNS                                                         \
    "SELECT seq, type, level, priority, received, since, urgency,"            \
    " id, length(body)"

#define DEAD_COLUMNS                                                          \
    "SELECT d.seq, d.id, s.name, d.alert_key, d.type, d.level, d.native,"     \
    " d.priority, d.received, d.status, d.error, d.body, d.died"

#define OPEN                                                                  \
    "shows < 2 AND state = 0 AND head = 0"

#define TAKEN_SLOT                                                            \
    " (SELECT id FROM slot INDEXED BY slot_taken"                             \
     " WHERE budget = ?1 AND at = 0 LIMIT 1)"

static const char  *statements_3[] = {

    "SELECT epoch FROM total",
    "UPDATE total SET epoch = epoch + 1",
    "UPDATE total SET recovered = ?1",
    "SELECT dead_bytes FROM total",

    "UPDATE total SET seen = ?1, resumed ="
    " CASE WHEN ?1 BETWEEN seen AND seen + ?2 THEN resumed ELSE ?1 END",

    "SELECT resumed FROM total",

    "SELECT id, paused FROM source WHERE name = ?1",
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

    "UPDATE source SET critical = critical + ?2, resolves = resolves + ?3,"
    " opens = opens + ?4, updates = updates + ?5, repeats = repeats + ?6,"
    " open = open + ?7 WHERE id = ?1",

    "UPDATE source SET" RECOUNT
    ", open = CASE WHEN open < ?1 THEN"
    " (SELECT count(*) FROM alert INDEXED BY alert_opened"
     " WHERE source = source.id AND opened > 0) ELSE open END"
    " WHERE (SELECT count(*) FROM (SELECT 1 FROM event LIMIT ?1)) < ?1",

    "UPDATE source SET paused = ?2 WHERE id = ?1 AND (paused > 0) <> (?2 > 0)",

    "SELECT critical + resolves + opens + updates + repeats + dead FROM source"
    " WHERE name = ?1",

    ALERT_COLUMNS("?3") ", alert_key <> ?4 FROM alert"
    " WHERE source = ?1 AND key = ?2",

    ALERT_COLUMNS("?2") " FROM alert WHERE id = ?1",

    "SELECT a.head > 0 AND NOT (a.state = 2 AND a.urgency = 4) FROM source s"
    " JOIN alert a ON a.source = s.id WHERE s.name = ?1 AND a.key = ?2",

    "INSERT INTO alert (source, key, alert_key, state, head, urgency, next,"
    " shows, epoch, level, delivered, changed)"
    " VALUES (?1, ?2, ?3, 0, 0, 3, 0, 0, 0, 0, 0, 0)",

    "UPDATE alert SET state = ?2, head = ?3, urgency = ?4, next = ?5,"
    " since = ?6, shows = ?7, epoch = ?8, level = ?9, priority = ?10,"
    " told = ?11, delivered = ?12, last = ?13, changed = ?14, accepted = ?15,"
    " gone = ?16 WHERE id = ?1",

    "UPDATE alert SET opened = ?2 WHERE id = ?1",

    "UPDATE alert SET alert_key = ?2 WHERE id = ?1",

    EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",

    EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",

    "SELECT min(urgency) FROM (SELECT urgency FROM event"
    " INDEXED BY event_alert WHERE alert = ?1 ORDER BY seq LIMIT ?2)",

    "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'event'",

    "SELECT 1 FROM event WHERE seq = ?1 AND id = ?2",

    "INSERT INTO event (alert, id, type, level, priority, native, received,"
    " since, urgency, attempts, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10)",

    "UPDATE event SET id = ?2, type = ?3, level = ?4, priority = ?5,"
    " native = ?6, received = ?7, since = ?8, urgency = ?9, body = ?10"
    " WHERE seq = ?1",

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
    "UPDATE slot SET at = ?2 WHERE id =" TAKEN_SLOT,
    "DELETE FROM slot WHERE id =" TAKEN_SLOT,
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

    ALERT_COLUMNS("?2") ", e.seq, e.type, e.level,"
    " e.priority, e.received, e.since, e.urgency, e.id, length(e.body),"
    " e.native, e.attempts, alert.alert_key, e.body"
    " FROM alert LEFT JOIN event e ON e.seq = alert.head"
    " WHERE alert.id = ?1",

    "UPDATE alert SET state = 1 WHERE id = ?1",

    "UPDATE alert SET last = ?2 WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_open"
     " WHERE source = ?1 AND last > ?2 AND " OPEN
     " LIMIT ?3)",

    "SELECT id, last FROM alert INDEXED BY alert_open"
    " WHERE source = ?1 AND " OPEN
    " ORDER BY last LIMIT 1",

    "SELECT seq, died, length(body) FROM dead INDEXED BY dead_died"
    " ORDER BY died LIMIT 1",

    "DELETE FROM dead WHERE seq = ?1",

    "DELETE FROM alert WHERE id IN"
    " (SELECT id FROM alert INDEXED BY alert_forget"
     " WHERE head = 0 AND state = 0 AND shows = 2 AND epoch = ?1"
     " AND changed < ?2"

     " AND NOT EXISTS (SELECT 1 FROM dead WHERE seq = alert.gone) LIMIT ?3)",

    "DELETE FROM slot WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT ?2)"
    " AND at > 0 AND at < ?1",

    ALERT_COLUMNS("?3") ", alert_key"
    " FROM source s JOIN alert ON alert.source = s.id"
    " WHERE s.name = ?1 AND alert.key = ?2",

    DEAD_COLUMNS " FROM dead d INDEXED BY dead_id"
    " JOIN source s ON s.id = d.source"
    " WHERE d.id = ?1 ORDER BY d.seq DESC LIMIT 1",

    DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.id = ?1 AND (d.died, d.seq) > (?2, ?3)"
    " ORDER BY d.died, d.seq LIMIT 1",

    "DELETE FROM dead WHERE seq IN"
    " (SELECT seq FROM dead INDEXED BY dead_source WHERE source = ?1"
     " ORDER BY died LIMIT ?2)",

    EVENT_COLUMNS ", alert"
    " FROM event INDEXED BY event_alert"
    " WHERE (alert, seq) > (?1, ?2) ORDER BY alert, seq LIMIT 1",

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

    DEAD_COLUMNS " FROM dead d INDEXED BY dead_died"
    " JOIN source s ON s.id = d.source ORDER BY d.died DESC, d.seq DESC"
    " LIMIT ?1",

    DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.name = ?1 ORDER BY d.died DESC, d.seq DESC LIMIT ?2",

    "SELECT * FROM (" DEAD_COLUMNS " FROM source s"
    " JOIN dead d INDEXED BY dead_source ON d.source = s.id"
    " WHERE s.name = ?1 ORDER BY d.died DESC, d.seq DESC LIMIT ?4)"
    " WHERE lower(trim(alert_key, char(9, 10, 11, 12, 13, 32))) = ?2"
    " LIMIT ?3",

    EVENT_COLUMNS ", attempts"
    " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 ORDER BY seq LIMIT ?2",

    "SELECT count(*), max(CASE WHEN length > 0 THEN received ELSE 0 END)"
    " FROM (SELECT received, length(body) length FROM event"
    " INDEXED BY event_alert WHERE alert = ?1 ORDER BY seq DESC LIMIT ?2)"
};


typedef ngx_http_ilert_sqlite_schema_t  schema_t;

#define MAX_STEPS  16

#define last_version()                                                        \
    (ngx_http_ilert_sqlite_schema.first                                       \
     + (int) ngx_http_ilert_sqlite_schema.nsteps - 1)


static int
old_exec(test_t *t, const char *text)
{
    int       rc;
    char     *name;
    sqlite3  *db;

    name = sqlite3_mprintf("%s/queue.db", t->path);

    rc = sqlite3_open(name, &db);

    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    }

    sqlite3_close(db);
    sqlite3_free(name);

    return rc;
}


/* as release 0.1.0 makes it, of two sources, and with that number */

static void
old_database(test_t *t, int version)
{
    check_int(old_exec(t, "PRAGMA journal_mode = WAL;"
                          "PRAGMA application_id = 1768714868"), SQLITE_OK);
    check_int(old_exec(t, schema_3), SQLITE_OK);

    sql(t, "PRAGMA user_version = %d", version);
    sql(t, "INSERT INTO source (name) VALUES ('ops'), ('dev')");

    chmod(t->path, 0700);
}


/* an alert for which nothing waits */

static void
old_alert(test_t *t, const char *source, const char *key, ngx_uint_t shows,
    int64_t time)
{
    sql(t, "INSERT INTO alert (source, key, alert_key, state, head, urgency,"
           " next, shows, epoch, level, delivered, changed, told, last,"
           " accepted, opened)"
           " VALUES ((SELECT id FROM source WHERE name = '%q'), '%q', '%q',"
           " 0, 0, 3, 0, %d, 1, 3, %lld, %lld, %lld, %lld, %lld, %lld)",
        source, key, key, (int) shows, time, time, time, time, time,
        shows == NGX_HTTP_ILERT_SHOWS_OPEN ? time : (int64_t) 0);

    if (shows == NGX_HTTP_ILERT_SHOWS_OPEN) {
        sql(t, "UPDATE source SET open = open + 1 WHERE name = '%q'", source);
    }
}


static void
old_count(test_t *t, const char *key, ngx_uint_t urgency, int n)
{
    static const char  *columns[] = {
        "critical", "resolves", "opens", "updates", "repeats"
    };

    sql(t, "UPDATE source SET %s = %s + %d"
           " WHERE id = (SELECT source FROM alert WHERE key = '%q')",
        columns[urgency], columns[urgency], n, key);
}


static void
old_accept(test_t *t, const char *key, ngx_uint_t urgency, const char *body)
{
    static int  id = 2000;

    sql(t, "INSERT INTO event (alert, id, type, level, priority, native,"
           " received, since, urgency, attempts, body) VALUES"
           " ((SELECT id FROM alert WHERE key = '%q'), %d, %d, %d, 0, 0,"
           " %lld, %lld, %d, 0, CAST('%q' AS BLOB))",
        key, ++id, urgency == NGX_HTTP_ILERT_RESOLVES ? RESOLVE : ALERT,
        urgency == NGX_HTTP_ILERT_RESOLVES ? 0 : CRITICAL, t->now, t->now,
        (int) urgency, body);

    sql(t, "UPDATE alert SET head = (SELECT min(seq) FROM event"
           " WHERE alert = alert.id), urgency = min(3, (SELECT min(urgency)"
           " FROM event WHERE alert = alert.id)), since = %lld,"
           " changed = %lld WHERE key = '%q'", t->now, t->now, key);

    old_count(t, key, urgency, 1);
}


static void
old_take(test_t *t, const char *key)
{
    sql(t, "UPDATE alert SET state = 1 WHERE key = '%q'", key);
}


/* takes its first event, and notes that ilert shows the alert so */

static void
old_deliver(test_t *t, const char *key, ngx_uint_t shows)
{
    int  urgency;

    urgency = atoi(sql(t, "SELECT urgency FROM event WHERE seq ="
                          " (SELECT head FROM alert WHERE key = '%q')", key));

    old_take(t, key);
    sql(t, "DELETE FROM event WHERE seq ="
           " (SELECT head FROM alert WHERE key = '%q')", key);
    sql(t, "UPDATE alert SET state = 0, next = 0, told = %lld, last = %lld,"
           " delivered = %lld, changed = %lld, accepted = %lld, level = %d,"
           " gone = head, shows = %d, epoch = (SELECT epoch FROM total),"
           " head = ifnull((SELECT seq FROM event INDEXED BY event_alert"
           " WHERE alert = alert.id ORDER BY seq LIMIT 1), 0)"
           " WHERE key = '%q'", t->now, t->now, t->now, t->now, t->now,
        shows == NGX_HTTP_ILERT_SHOWS_OPEN ? CRITICAL : 0, (int) shows, key);

    sql(t, "UPDATE source SET open = open - (SELECT count(*) FROM alert"
           " WHERE key = '%q' AND source = source.id AND opened > 0)", key);
    sql(t, "UPDATE alert SET opened = %lld WHERE key = '%q'",
        shows == NGX_HTTP_ILERT_SHOWS_OPEN ? t->now : (int64_t) 0, key);
    sql(t, "UPDATE source SET open = open + (SELECT count(*) FROM alert"
           " WHERE key = '%q' AND source = source.id AND opened > 0)", key);

    old_count(t, key, urgency, -1);
}


static void
old_dead(test_t *t, int seq, const char *source)
{
    sql(t, "INSERT OR REPLACE INTO dead (seq, id, source, alert_key, type,"
           " level, native, priority, received, died, status, error, body)"
           " VALUES (%d, %d, (SELECT id FROM source WHERE name = '%q'), 'k',"
           " 1, 3, 0, 0, %lld, %lld, 400, 'no', CAST('body' AS BLOB))",
        seq, seq, source, t->now, t->now);
}


/* what is kept with a source */

static const char *
counts(test_t *t, const char *source)
{
    return sql(t, "SELECT critical || ' ' || resolves || ' ' || opens || ' '"
                  " || updates || ' ' || repeats || ' ' || open || ' ' ||"
                  " dead || ' ' || paused FROM source WHERE name = '%q'",
               source);
}


/* "-" if it is 0, and what is gone */

static const char *
gone(test_t *t, const char *key)
{
    return sql(t, "SELECT CASE opened WHEN 0 THEN '-' ELSE opened - %lld END"
                  " || ' ' || CASE accepted WHEN 0 THEN '-'"
                  " ELSE accepted - %lld END || ' ' || gone"
                  " FROM alert WHERE key = '%q'", NOW, NOW, key);
}


static const char *
tables(test_t *t)
{
    return sql(t, "SELECT group_concat(name || ' ' || text, char(10)) FROM"
                  " (SELECT m.name, group_concat(c.name || ' ' || c.type"
                  " || c.\"notnull\" || ifnull(c.dflt_value, '') || c.pk)"
                  " text FROM sqlite_master m, pragma_table_info(m.name) c"
                  " WHERE m.type = 'table' GROUP BY m.name"
                  " UNION ALL SELECT name, sql FROM sqlite_master"
                  " WHERE type <> 'table' ORDER BY name)");
}


/* a new database is like one of release 0.1.0 that is up to date */

static void
test_same(void)
{
    test_t       old, new;
    const char  *text;

    setup(&old, "same_old");
    old_database(&old, 3);
    check_int(run(&old), OK);

    setup(&new, "same_new");
    check_int(run(&new), OK);

    text = tables(&new);
    check(strstr(text, "alert_owner") != NULL);
    check(strstr(text, "courier INTEGER10") != NULL);
    check_str(tables(&old), text);

    check_str(sql(&old, "SELECT made FROM total"), "0");
    check_int(atoll(sql(&new, "SELECT made FROM total")), NOW);
    check_int(atoll(sql(&old, "SELECT doubted FROM total")), NOW);
    check_int(atoll(sql(&new, "SELECT doubted FROM total")), NOW);

    check_str(sql(&old, "SELECT epoch || ' ' || dead_bytes || ' ' || recovered"
                        " FROM total"),
              sql(&new, "SELECT epoch || ' ' || dead_bytes || ' ' || recovered"
                        " FROM total"));

    teardown(&old);
    teardown(&new);
}


static void
test_migrate(void)
{
    test_t  t;

    setup(&t, "migrate");
    old_database(&t, 3);

    old_alert(&t, "ops", "open", NGX_HTTP_ILERT_SHOWS_OPEN, NOW - 5);
    old_alert(&t, "ops", "open too", NGX_HTTP_ILERT_SHOWS_OPEN, NOW - 4);
    old_alert(&t, "ops", "resolved", NGX_HTTP_ILERT_SHOWS_RESOLVED, NOW - 3);
    old_alert(&t, "dev", "unknown", NGX_HTTP_ILERT_SHOWS_UNKNOWN, NOW - 2);
    old_alert(&t, "dev", "told", NGX_HTTP_ILERT_SHOWS_OPEN, NOW - 1);

    old_accept(&t, "open", NGX_HTTP_ILERT_REPEATS, "1");
    old_accept(&t, "open too", NGX_HTTP_ILERT_RESOLVES, "2");
    old_accept(&t, "open too", NGX_HTTP_ILERT_CRITICAL_FIRST, "3");
    old_accept(&t, "resolved", NGX_HTTP_ILERT_OPENS, "4");
    old_accept(&t, "resolved", NGX_HTTP_ILERT_UPDATES, "5");
    old_accept(&t, "resolved", NGX_HTTP_ILERT_UPDATES, "6");
    old_accept(&t, "unknown", NGX_HTTP_ILERT_RESOLVES, "7");
    old_dead(&t, 91, "ops");
    old_dead(&t, 92, "ops");
    old_dead(&t, 93, "dev");

    sql(&t, "UPDATE source SET paused = 7 WHERE name = 'dev'");
    sql(&t, "UPDATE alert SET priority = 1 WHERE key IN ('open too',"
            " 'resolved')");

    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    check_str(counts(&t, "ops"), "1 1 1 2 1 2 2 0");
    check_str(counts(&t, "dev"), "0 1 0 0 0 1 1 7");
    check_counts(&t);
    check_heads(&t);

    /* nobody knows when it was made */

    check_str(sql(&t, "SELECT made || ' ' || yielded FROM total"), "0 0");

    /* what was told last is all that is known of how it was opened */

    check_str(sql(&t, "SELECT group_concat(key) FROM alert WHERE lowered"),
              "open too");
    /* nor what ilert was told before */

    check_int(atoll(sql(&t, "SELECT doubted FROM total")), NOW);

    /* nor what ilert was told before */

    check_int(atoll(sql(&t, "SELECT doubted FROM total")), NOW);

    check_str(gone(&t, "open"), "-5 -5 0");
    check_str(gone(&t, "resolved"), "- -3 0");

    check_str(sql(&t, "SELECT dead_bytes || ' ' || (SELECT error FROM dead)"
                      " FROM total"), "12 no");

    check_str(drain(&t, "ops"), "open too:2 resolved:4 open:1 open too:3 "
                                "resolved:5 resolved:6");
    check_str(drain(&t, "dev"), "");
    sql(&t, "UPDATE source SET paused = 0");
    check_str(drain(&t, "dev"), "unknown:7");

    /* what ilert shows is known still */

    t.policy.coalesce = REPEATS;
    accept_event(&t, "dev", "told", ALERT, "8");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);
    check_counts(&t);

    teardown(&t);
}


/* an alert of which an earlier release has not remembered what was heard */

static void
test_migrate_silent(void)
{
    test_t                            t;
    ngx_http_ilert_store_kapacitor_t  kapacitor;

    setup(&t, "migrate_silent");
    old_database(&t, 3);

    old_alert(&t, "ops", "open", NGX_HTTP_ILERT_SHOWS_OPEN, NOW);
    sql(&t, "UPDATE alert SET opened = %lld, last = %lld", NOW, NOW);

    memset(&kapacitor, 0, sizeof(kapacitor));
    ngx_str_set(&kapacitor.name, "/api/");
    ngx_str_set(&kapacitor.place, "/kapacitor");
    kapacitor.up = 1;

    t.policy.resolve_after = 60 * SECOND;
    t.now += 3600 * SECOND;
    t.job.kapacitors = &kapacitor;
    t.job.nkapacitors = 1;
    take_stale(&t, 10, 4);
    verdicts(&t, UNSENT);
    check_int(outcome.resolved, 0);

    /* nobody is asked */

    t.now += 3600 * SECOND;
    t.job.nkapacitors = 0;
    take_stale(&t, 10, 4);
    check_int(outcome.resolved, 1);

    teardown(&t);
}


/* what waits for its time, and what was under way, which goes again */

static void
test_migrate_taken(void)
{
    test_t  t;

    setup(&t, "migrate_taken");
    old_database(&t, 3);

    old_alert(&t, "ops", "waits", NGX_HTTP_ILERT_SHOWS_UNKNOWN, NOW);
    old_alert(&t, "ops", "taken", NGX_HTTP_ILERT_SHOWS_UNKNOWN, NOW);
    old_alert(&t, "ops", "again", NGX_HTTP_ILERT_SHOWS_UNKNOWN, NOW);

    old_accept(&t, "waits", NGX_HTTP_ILERT_UPDATES, "1");
    old_accept(&t, "waits", NGX_HTTP_ILERT_RESOLVES, "2");
    old_accept(&t, "taken", NGX_HTTP_ILERT_UPDATES, "3");
    old_take(&t, "taken");
    old_accept(&t, "again", NGX_HTTP_ILERT_UPDATES, "4");
    sql(&t, "UPDATE alert SET state = 2, next = %lld WHERE key = 'again'",
        NOW + 1000);

    t.job.begin = 1;
    take_n(&t, "ops", 10);

    check_int(outcome.takes[0].taken, 2);
    check_int(taken(&t, 0)->seq, 1);
    check_int(taken(&t, 0)->said.type, ALERT);
    check_int(taken(&t, 0)->said.level, CRITICAL);
    check_int(taken(&t, 0)->said.received, NOW);
    check_int(taken(&t, 1)->seq, 3);
    check_int(outcome.due, NOW + 1000);

    verdicts(&t, DONE);

    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "waits:2");

    t.now += 1000;
    check_str(drain(&t, "ops"), "again:4");
    check_counts(&t);

    teardown(&t);
}


/* each statement has the columns and indexes that it names */

static void
test_statements(void)
{
    char          *name;
    test_t         t;
    sqlite3       *db;
    ngx_uint_t     i;
    sqlite3_stmt  *stmt;

    setup(&t, "statements");
    check_int(run(&t), OK);

    name = sqlite3_mprintf("%s/queue.db", t.path);
    check(sqlite3_open(name, &db) == SQLITE_OK);

    for (i = 0; i < sizeof(statements_3) / sizeof(statements_3[0]); i++) {

        if (sqlite3_prepare_v2(db, statements_3[i], -1, &stmt, NULL)
            != SQLITE_OK)
        {
            fail_at(__FILE__, __LINE__, statements_3[i], sqlite3_errmsg(db));
        }

        sqlite3_finalize(stmt);
    }

    sqlite3_close(db);
    sqlite3_free(name);

    teardown(&t);
}


/* workers of release 0.1.0, as after an upgrade of the binary */

static void
test_beside(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "beside");
    old_database(&t, 3);

    t.policy.coalesce = REPEATS;
    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);

    /* they accept, we deliver */

    old_accept(&t, "k", NGX_HTTP_ILERT_RESOLVES, "2");
    check_str(drain(&t, "ops"), "k:2");

    old_alert(&t, "ops", "new", NGX_HTTP_ILERT_SHOWS_UNKNOWN, 0);
    old_accept(&t, "new", NGX_HTTP_ILERT_CRITICAL_FIRST, "3");
    old_accept(&t, "new", NGX_HTTP_ILERT_UPDATES, "4");
    old_accept(&t, "new", NGX_HTTP_ILERT_RESOLVES, "5");
    old_dead(&t, 99, "ops");
    check_counts(&t);
    check_str(drain(&t, "ops"), "new:3 new:5");
    check_str(counts(&t, "ops"), "0 0 0 0 0 0 1 0");

    /* while one is under way, behind what is ours */

    accept_one(&t, "ops", "k", ALERT, "6");
    ev = keep(take_one(&t, "ops"));
    old_accept(&t, "k", NGX_HTTP_ILERT_RESOLVES, "7");
    accept_one(&t, "ops", "k", ALERT, "8");
    verdict(&t, ev, DONE);
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "k:7 k:8");
    check_counts(&t);

    /* we accept, they deliver */

    accept_one(&t, "ops", "k", RESOLVE, "9");
    accept_one(&t, "ops", "other", ALERT, "10");
    old_deliver(&t, "k", NGX_HTTP_ILERT_SHOWS_RESOLVED);
    old_deliver(&t, "other", NGX_HTTP_ILERT_SHOWS_OPEN);
    check_counts(&t);
    check_str(drain(&t, "ops"), "");

    accept_event(&t, "ops", "k", RESOLVE, "11");
    accept_event(&t, "ops", "other", RESOLVE, "12");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "other:12");
    check_counts(&t);
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    teardown(&t);
}


/*
 * What is held back, and a worker of release 0.1.0, which knows nothing of
 * that: it lets go what is due, takes an event's place, and counts.
 */

static void
test_beside_held(void)
{
    test_t  t;

    setup(&t, "beside_held");
    old_database(&t, 3);

    accept_event(&t, "ops", "due", ALERT, "1");
    accept_event(&t, "ops", "replaced", RESOLVE, "2");
    accept_event(&t, "ops", "listed", ALERT, "3");
    check_int(run(&t), OK);

    sql(&t, "UPDATE alert SET state = 2, next = %lld, urgency = 6"
            " WHERE key = 'due'", t.now);
    sql(&t, "UPDATE alert SET state = 2, next = %lld, urgency = 5"
            " WHERE key = 'replaced'", t.now + 1000);
    sql(&t, "UPDATE alert SET state = 2, next = 9223372036854775807,"
            " urgency = 7 WHERE key = 'listed'");
    sql(&t, "UPDATE event SET urgency = (SELECT urgency FROM alert"
            " WHERE id = event.alert)");
    sql(&t, "UPDATE event SET own = 2, freed = 1 WHERE urgency = 5");
    sql(&t, "UPDATE source SET critical = 0, resolves = 0, opens = 0,"
            " held = 1, silenced = 1, listed = 1 WHERE name = 'ops'");
    check_counts(&t);
    check_heads(&t);

    sql(&t, "UPDATE alert SET state = 0, next = 0"
            " WHERE id IN (SELECT id FROM alert INDEXED BY alert_next"
            " WHERE state = 2 AND next <= %lld ORDER BY next LIMIT 9)", t.now);

    sql(&t, "UPDATE event SET id = 77, type = 1, level = 3, priority = 0,"
            " native = 0, received = %lld, since = %lld, urgency = 0,"
            " body = CAST('4' AS BLOB) WHERE urgency = 5", t.now, t.now);
    sql(&t, "UPDATE alert SET state = 0, next = 0, urgency = 0"
            " WHERE key = 'replaced'");
    sql(&t, "UPDATE source SET critical = critical + 1, resolves ="
            " resolves - 1 WHERE name = 'ops'");

    check_str(drain(&t, "ops"), "replaced:4");

    /* the next courier, or what comes for the alert, lets it go */

    t.job.begin = 1;
    check_int(run(&t), OK);
    accept_one(&t, "ops", "due", COMMENT, "5");
    check_str(drain(&t, "ops"), "due:1 due:5");
    check_heads(&t);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_counts(&t);

    /* it reads as another urgency what it does not know */

    sql(&t, "UPDATE source SET" RECOUNT);
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_counts(&t);

    teardown(&t);
}


/* of a version that no release had it is left as it is, and where it is */

static void
test_older(void)
{
    char    *before, *after;
    size_t   len;
    test_t   t;

    setup(&t, "older");
    old_database(&t, 2);
    old_alert(&t, "ops", "k", NGX_HTTP_ILERT_SHOWS_UNKNOWN, 0);
    old_accept(&t, "k", NGX_HTTP_ILERT_UPDATES, "1");
    len = read_file(&t, "queue.db", &before);

    check_int(try_one(&t, "new"), CLOSED);
    check_int(refused(&t)->waits, NONE_WAITS);
    check(strstr(t.store.error, "/older/queue.db\" has schema 2 of a version "
                                "before the first release, move the file "
                                "away") != NULL);
    check_str(t.store.notice, "");

    t.now += SECOND;
    check_int(try_one(&t, "k"), CLOSED);
    check_int(refused(&t)->waits, WAITS);

    check_int(read_file(&t, "queue.db", &after), len);
    check(memcmp(before, after, len) == 0);
    check_int(count_files(&t, "queue.db.damaged"), 0);

    /* somebody moves it away */

    forget(&t);
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:x");

    free(before);
    free(after);
    teardown(&t);
}


/*
 * Steps of a made-up schema: release 0.1.0 has version 2 of it, and the step
 * that is to be tested makes the last version that there is.
 */

static schema_t
made_up(const char *text)
{
    schema_t            schema;
    ngx_uint_t          i, n;
    static const char  *steps[MAX_STEPS];

    n = ngx_http_ilert_sqlite_schema.nsteps;

    check(n < MAX_STEPS);

    for (i = 0; i < n; i++) {
        steps[i] = ngx_http_ilert_sqlite_schema.steps[i];
    }

    steps[n] = text;

    schema.first = 2;
    schema.nsteps = n + 1;
    schema.steps = steps;

    return schema;
}


/* an earlier version in which an event waits, and a store of that schema */

static void
begin_steps(test_t *t, const char *name, int version, schema_t *schema)
{
    setup(t, name);
    old_database(t, version);
    old_alert(t, "ops", "k", NGX_HTTP_ILERT_SHOWS_UNKNOWN, 0);
    old_accept(t, "k", NGX_HTTP_ILERT_UPDATES, "1");

    ngx_http_ilert_sqlite_create(&t->store)->schema = schema;
}


static void
test_steps(void)
{
    test_t    t;
    schema_t  schema;

    schema = made_up("CREATE TABLE extra (x)");

    begin_steps(&t, "steps", 2, &schema);
    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(sql(&t, "SELECT count(*) FROM extra"), "0");
    check_str(drain(&t, "ops"), "k:1");
    teardown(&t);

    /* only what is missing */

    begin_steps(&t, "steps_last", 2, &schema);
    check_int(old_exec(&t, schema.steps[1]), SQLITE_OK);
    check_int(old_exec(&t, schema.steps[2]), SQLITE_OK);
    check_int(old_exec(&t, schema.steps[3]), SQLITE_OK);
    sql(&t, "PRAGMA user_version = 5");
    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(sql(&t, "SELECT count(*) FROM extra"), "0");
    check_str(drain(&t, "ops"), "k:1");
    teardown(&t);

    /* all of them */

    setup(&t, "steps_new");
    ngx_http_ilert_sqlite_create(&t.store)->schema = &schema;
    accept_one(&t, "ops", "k", ALERT, "1");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(sql(&t, "SELECT count(*) FROM extra"), "0");
    check_str(drain(&t, "ops"), "k:1");
    teardown(&t);
}


/* all that is kept was there before; nothing of it is held back */

static void
test_migrate_8(void)
{
    test_t      t;
    ngx_uint_t  i;

    setup(&t, "migrate_8");
    old_database(&t, 3);

    for (i = 1; i + ngx_http_ilert_sqlite_schema.first <= 8; i++) {
        check_int(old_exec(&t, ngx_http_ilert_sqlite_schema.steps[i]),
                  SQLITE_OK);
    }

    sql(&t, "PRAGMA user_version = 8");
    sql(&t, "UPDATE total SET made = 5");

    old_alert(&t, "ops", "k", NGX_HTTP_ILERT_SHOWS_OPEN, NOW);
    old_accept(&t, "k", NGX_HTTP_ILERT_RESOLVES, "1");
    old_alert(&t, "ops", "silent", NGX_HTTP_ILERT_SHOWS_OPEN, NOW);
    old_accept(&t, "silent", NGX_HTTP_ILERT_RESOLVES, "");

    t.now += 7;
    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_counts(&t);
    check_heads(&t);

    check_str(sql(&t, "SELECT made || ' ' || (doubted - %lld) || ' ' ||"
                      " silences || ' ' || digests FROM total", NOW),
              "5 7 0 0");
    check_str(sql(&t, "SELECT held || ' ' || silenced || ' ' || listed"
                      " FROM source WHERE name = 'ops'"), "0 0 0");

    /* once, and not when it is opened again */

    ngx_http_ilert_store_close(&t.store);
    t.now += 100;
    check_str(drain(&t, "ops"), "k:1 silent:");
    check_str(sql(&t, "SELECT doubted - %lld FROM total", NOW), "7");
    check_counts(&t);

    teardown(&t);
}


/* nothing is left of the steps before, and they are tried again */

static void
test_step_fails(void)
{
    test_t    t;
    schema_t  schema;

    schema = made_up("CREATE TABLE extra (x NOT NULL);"
                     "INSERT INTO extra VALUES (NULL)");

    begin_steps(&t, "step_fails", 2, &schema);
    check_int(run(&t), FAILED);
    check(strstr(t.store.error, "NOT NULL constraint failed") != NULL);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged"), 0);

    check_str(sql(&t, "PRAGMA user_version"), "2");
    check_str(sql(&t, "SELECT count(*) FROM sqlite_master"
                      " WHERE name IN ('extra', 'session', 'refused')"),
              "0");
    check_str(sql(&t, "SELECT count(*) FROM pragma_table_info('event')"
                      " WHERE name = 'source'"), "0");

    schema = made_up("CREATE TABLE extra (x)");
    t.now += SECOND;
    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(drain(&t, "ops"), "k:1");

    teardown(&t);
}


/* it is not what its number says */

static void
test_step_foreign(void)
{
    test_t  t;

    begin_steps(&t, "step_foreign", 3, &ngx_http_ilert_sqlite_schema);
    sql(&t, "ALTER TABLE event ADD COLUMN source");

    check_int(run(&t), OK);
    check(strstr(t.store.notice, "(not a queue of this module)") != NULL);
    check(count_files(&t, "queue.db.damaged-") > 0);
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());

    teardown(&t);
}


/* each call of the system fails in turn, or the process is killed in it */

static void
fail_in_turn(const char *name, fault_e fault)
{
    int         status;
    pid_t       pid;
    test_t      t;
    ngx_uint_t  i, n, failed;

    for (n = 1, failed = 1; failed && n < 1000; n++) {

        begin_steps(&t, name, 3, &ngx_http_ilert_sqlite_schema);

        if (fault == FAULT_KILL) {
            fflush(stdout);
            pid = fork();

            if (pid == 0) {
                vfs_fault(n, fault, 0);
                _exit(run(&t) == OK ? 0 : 1);
            }

            check(waitpid(pid, &status, 0) == pid);
            failed = WIFSIGNALED(status);
            check(failed || WEXITSTATUS(status) == 0);

        } else {
            vfs_fault(n, fault, 0);
            (void) run(&t);
            failed = vfs_failed();
            vfs_fault(0, FAULT_NONE, 0);
        }

        check_str(t.store.notice, "");

        for (i = 0; i < 10 && run(&t) != OK; i++) {
            t.now += SECOND;
        }

        check_str(t.store.notice, "");
        check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
        check_str(sql(&t, "PRAGMA integrity_check"), "ok");
        check_str(drain(&t, "ops"), "k:1");
        check_int(count_files(&t, "queue.db.damaged"), 0);

        teardown(&t);
        forget(&t);
        unlink(file(&t, "ballast"));
        rmdir(t.path);
    }

    check(n > 5);
    printf("# %s: %d calls\n", name, (int) n);
}


static void
test_faults(void)
{
    fail_in_turn("step_ioerr", FAULT_IOERR);
    fail_in_turn("step_full", FAULT_FULL);
    fail_in_turn("step_busy", FAULT_BUSY);
}


static void
test_killed(void)
{
    fail_in_turn("step_killed", FAULT_KILL);
}


/* another process, which takes the steps at the last moment */

static struct {
    test_t      *t;
    int          version;
    ngx_uint_t   done;
} other;


static int
go_first(unsigned type, void *data, void *stmt, void *text)
{
    ngx_uint_t  i;

    if (strcmp(text, "BEGIN IMMEDIATE") == 0 && !other.done) {
        other.done = 1;

        for (i = 1; i < ngx_http_ilert_sqlite_schema.nsteps; i++) {
            check_int(old_exec(other.t,
                               ngx_http_ilert_sqlite_schema.steps[i]),
                      SQLITE_OK);
        }

        sql(other.t, "PRAGMA user_version = %d", other.version);
    }

    return 0;
}


static int
watch(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    sqlite3_cancel_auto_extension((void (*)(void)) watch);

    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, go_first, NULL);
}


static void
test_other_first(void)
{
    test_t  t;

    begin_steps(&t, "other_first", 3, &ngx_http_ilert_sqlite_schema);

    other.t = &t;
    other.version = last_version();
    other.done = 0;

    sqlite3_auto_extension((void (*)(void)) watch);
    check_int(run(&t), OK);
    check_int(other.done, 1);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged"), 0);
    check_str(drain(&t, "ops"), "k:1");
    teardown(&t);

    /* one of a newer release */

    begin_steps(&t, "newer_first", 3, &ngx_http_ilert_sqlite_schema);

    other.t = &t;
    other.version = last_version() + 1;
    other.done = 0;

    sqlite3_auto_extension((void (*)(void)) watch);
    check_int(run(&t), CLOSED);
    check_int(other.done, 1);
    check(strstr(t.store.error, " of a newer release") != NULL);
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version() + 1);
    check_int(count_files(&t, "queue.db.damaged"), 0);
    teardown(&t);
}


/* all workers at once */

static void
test_together(void)
{
    int     i, status;
    test_t  t;

    begin_steps(&t, "together", 3, &ngx_http_ilert_sqlite_schema);

    fflush(stdout);

    for (i = 0; i < 4; i++) {
        if (fork() == 0) {
            _exit(run(&t) == OK ? 0 : 1);
        }
    }

    for (i = 0; i < 4; i++) {
        check(wait(&status) > 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged"), 0);
    check_int(atoi(sql(&t, "PRAGMA user_version")), last_version());
    check_str(drain(&t, "ops"), "k:1");

    teardown(&t);
}


/* counts are put right with the next "clean", as far as it costs little */

static void
test_recount(void)
{
    int                             i;
    char                            key[16];
    test_t                          t;
    query_t                        *q;
    ngx_http_ilert_store_source_t  *source;

    setup(&t, "recount");

    for (i = 0; i < 1000; i++) {
        sprintf(key, "%d", i);
        accept_event(&t, i % 2 ? "odd" : "even", key, ALERT, "x");
    }

    check_int(run(&t), OK);
    check_counts(&t);
    sql(&t, "UPDATE source SET critical = 7, repeats = 3");

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(counts(&t, "odd"), "7 0 0 0 3 0 0 0");

    sql(&t, "DELETE FROM event WHERE seq = 1");
    accept_event(&t, "odd", "new", RESOLVE, "x");
    sql(&t, "DELETE FROM event WHERE seq = 3");
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(counts(&t, "odd"), "500 1 0 0 0 0 0 0");
    check_str(counts(&t, "even"), "498 0 0 0 0 0 0 0");
    check_counts(&t);

    /* of what has been taken without being counted nothing is left */

    sql(&t, "UPDATE source SET resolves = -1 WHERE name = 'even'");
    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check(q->ok);
    check_int(q->sources.nelts, 2);
    source = q->sources.elts;
    check_int(source[0].waiting[NGX_HTTP_ILERT_RESOLVES], 0);
    sql(&t, "UPDATE source SET resolves = 0 WHERE name = 'even'");

    /* an open alert that somebody removes */

    drain(&t, "odd");
    check_str(counts(&t, "odd"), "0 0 0 0 0 500 0 0");
    sql(&t, "DELETE FROM alert WHERE id IN (SELECT id FROM alert"
            " WHERE opened > 0 LIMIT 7)");
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(counts(&t, "odd"), "0 0 0 0 0 493 0 0");
    check_counts(&t);

    teardown(&t);
}


test_case_t  version_cases[] = {
    { "a new database is as version 3 brought up to date", test_same },
    { "version 3 is brought up to date", test_migrate },
    { "version 3 with events under way", test_migrate_taken },
    { "version 3, and silence", test_migrate_silent },
    { "version 3's statements", test_statements },
    { "version 3 beside this one", test_beside },
    { "version 3 beside what is held", test_beside_held },
    { "version 8 is brought up to date", test_migrate_8 },
    { "a version before the first release", test_older },
    { "several steps", test_steps },
    { "a step that fails", test_step_fails },
    { "a step that cannot be taken", test_step_foreign },
    { "errors while steps are taken", test_faults },
    { "killed while steps are taken", test_killed },
    { "another process takes the steps first", test_other_first },
    { "processes that take the steps at once", test_together },
    { "counts are put right", test_recount },
    { NULL, NULL }
};
