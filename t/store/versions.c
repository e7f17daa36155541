
/*
 * A database of an earlier release, which is brought up to date when it is
 * opened, and what that release does to it while both run.
 */


#include "store_test.h"


/* version 1 */

static const char  schema_1[] =
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

    "INSERT INTO total VALUES (1, 0, 0);\n";


/* what version 2 added */

static const char  schema_2[] =
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
    "CREATE INDEX slot_at ON slot (budget, at) WHERE at > 0;\n";


/* its statements */

#define ALERT_COLUMNS(epoch)                                                  \
    "SELECT alert.id, alert.state, alert.head, alert.urgency, alert.next,"    \
    " alert.since, CASE WHEN alert.epoch = " epoch                            \
                  " THEN alert.shows ELSE 3 END,"                             \
    " alert.level, alert.priority, alert.told, alert.delivered, alert.last,"  \
    " alert.changed"

#define EVENT_COLUMNS                                                         \
    "SELECT seq, type, level, priority, received, since, urgency,"            \
    " id, length(body)"

#define OPEN                                                                  \
    "shows < 2 AND state = 0 AND head = 0"

#define TAKEN_SLOT                                                            \
    " (SELECT id FROM slot INDEXED BY slot_taken"                             \
     " WHERE budget = ?1 AND at = 0 LIMIT 1)"

static const char  *statements_2[] = {
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
    " told = ?11, delivered = ?12, last = ?13, changed = ?14 WHERE id = ?1",
    "UPDATE alert SET alert_key = ?2 WHERE id = ?1",
    EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq > ?2 ORDER BY seq LIMIT 1",
    EVENT_COLUMNS " FROM event INDEXED BY event_alert"
    " WHERE alert = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1",
    "SELECT min(urgency) FROM (SELECT urgency FROM event"
    " INDEXED BY event_alert WHERE alert = ?1 ORDER BY seq LIMIT ?2)",
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
     " AND changed < ?2 LIMIT ?3)",
    "DELETE FROM slot WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT ?2)"
    " AND at > 0 AND at < ?1"
};


/* those of version 1, which do on version 2 as well */

#define ADD_ALERT                                                             \
    "INSERT INTO alert (source, key, alert_key, state, head, urgency, next,"  \
    " shows, epoch, level, delivered, changed)"                               \
    " VALUES (1, '%q', '%q', 0, 0, 0, 0, 0, 0, 0, 0, %lld)"

#define ADD_EVENT                                                             \
    "INSERT INTO event (alert, id, type, level, native, priority, received,"  \
    " attempts, body) VALUES ((SELECT id FROM alert WHERE key = '%q'), %d,"   \
    " %d, %d, 0, 0, %lld, 0, CAST('%q' AS BLOB))"

#define ADDED                                                                 \
    "UPDATE alert SET changed = %lld, head = CASE WHEN head = 0"              \
    " THEN (SELECT max(seq) FROM event WHERE alert = alert.id) ELSE head END" \
    " WHERE key = '%q' AND head = 0"

#define SET_TAKEN                                                             \
    "UPDATE alert SET state = 1 WHERE key = '%q'"

#define DELETE_EVENT                                                          \
    "DELETE FROM event WHERE seq = (SELECT head FROM alert WHERE key = '%q')"

#define SET_DONE                                                              \
    "UPDATE alert SET state = 0, next = 0, changed = %lld,"                   \
    " delivered = %lld, level = %d, shows = %d,"                             \
    " epoch = (SELECT epoch FROM total),"                                     \
    " head = ifnull((SELECT seq FROM event INDEXED BY event_alert"            \
                   " WHERE alert = alert.id ORDER BY seq LIMIT 1), 0)"        \
    " WHERE key = '%q'"


static void
old_accept(test_t *t, const char *key, ngx_uint_t type, const char *body)
{
    static int  id = 1000;

    if (atoi(sql(t, "SELECT count(*) FROM alert WHERE key = '%q'", key))
        == 0)
    {
        sql(t, ADD_ALERT, key, key, t->now);
    }

    sql(t, ADD_EVENT, key, ++id, (int) type, type == RESOLVE ? 0 : CRITICAL,
        t->now, body);
    sql(t, ADDED, t->now, key);
}


static void
old_deliver(test_t *t, const char *key, ngx_uint_t level, ngx_uint_t shows)
{
    sql(t, SET_TAKEN, key);
    sql(t, DELETE_EVENT, key);
    sql(t, SET_DONE, t->now, t->now, (int) level, (int) shows, key);
}


/* of one source, "ops", and of version 2 another one, "dev" */

static void
old_database(test_t *t, int version)
{
    char     *name;
    sqlite3  *db;

    name = sqlite3_mprintf("%s/queue.db", t->path);

    check(sqlite3_open(name, &db) == SQLITE_OK);
    check(sqlite3_exec(db, "PRAGMA journal_mode = WAL;"
                           "PRAGMA application_id = 1768714868;"
                           "PRAGMA user_version = 1;", NULL, NULL, NULL)
          == SQLITE_OK);
    check(sqlite3_exec(db, schema_1, NULL, NULL, NULL) == SQLITE_OK);
    check(sqlite3_exec(db, "INSERT INTO source (name) VALUES ('ops')", NULL,
                       NULL, NULL) == SQLITE_OK);

    if (version == 2) {
        check(sqlite3_exec(db, schema_2, NULL, NULL, NULL) == SQLITE_OK);
        check(sqlite3_exec(db, "PRAGMA user_version = 2;"
                               "INSERT INTO source (name) VALUES ('dev')",
                           NULL, NULL, NULL) == SQLITE_OK);
    }

    sqlite3_close(db);
    sqlite3_free(name);

    chmod(t->path, 0700);
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


static void
test_migrate(void)
{
    test_t  t;

    setup(&t, "migrate");
    old_database(&t, 1);

    old_accept(&t, "waits", ALERT, "1");
    old_accept(&t, "waits", RESOLVE, "2");
    old_accept(&t, "taken", ALERT, "3");
    sql(&t, SET_TAKEN, "taken");
    old_accept(&t, "again", ALERT, "4");
    sql(&t, "UPDATE alert SET state = 2, next = %lld WHERE key = 'again'",
        NOW + 1000);
    old_accept(&t, "open", ALERT, "5");
    old_deliver(&t, "open", CRITICAL, NGX_HTTP_ILERT_SHOWS_OPEN);
    old_accept(&t, "resolved", RESOLVE, "6");
    old_deliver(&t, "resolved", 0, NGX_HTTP_ILERT_SHOWS_RESOLVED);
    sql(&t, "INSERT INTO dead VALUES (99, 99, 1, 'k', 1, 3, 0, 0, %lld, %lld,"
            " 400, 'no', CAST('body' AS BLOB))", NOW, NOW);

    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_str(sql(&t, "PRAGMA user_version"), "4");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    check_str(counts(&t, "ops"), "0 0 0 4 0 1 1 0");
    check_str(gone(&t, "open"), "0 0 6");
    check_str(gone(&t, "resolved"), "- 0 6");
    check_str(gone(&t, "waits"), "- - 6");

    t.job.begin = 1;
    take_n(&t, "ops", 10);

    /* what waited goes, and what was under way goes again */

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

    check_str(sql(&t, "SELECT dead_bytes || ' ' || (SELECT error FROM dead)"
                      " FROM total"), "4 no");

    /* what ilert shows is known still */

    t.policy.coalesce = REPEATS;
    accept_event(&t, "ops", "open", ALERT, "7");
    accept_event(&t, "ops", "resolved", RESOLVE, "8");
    take_n(&t, "ops", 10);
    check(taken(&t, 0) == NULL);
    check_int(outcome.due, NOW + 300 * SECOND);
    check_counts(&t);

    teardown(&t);
}


/* an alert in rows of version 2, of which so many events have been */

static void
add_alert_2(test_t *t, const char *source, const char *key, ngx_uint_t shows,
    int64_t told, int64_t last)
{
    sql(t, "INSERT INTO alert (source, key, alert_key, state, head, urgency,"
           " next, shows, epoch, level, delivered, changed, told, last, since)"
           " VALUES ((SELECT id FROM source WHERE name = '%q'), '%q', '%q',"
           " 0, 0, 3, 0, %d, 1, 3, %lld, %lld, %lld, %lld, 0)",
        source, key, key, (int) shows, told, last, told, last);
}


static void
add_event_2(test_t *t, const char *key, ngx_uint_t urgency, const char *body)
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
}


static void
deliver_2(test_t *t, const char *key, ngx_uint_t shows)
{
    sql(t, "UPDATE alert SET state = 1 WHERE key = '%q'", key);
    sql(t, DELETE_EVENT, key);
    sql(t, "UPDATE alert SET state = 0, next = 0, told = %lld, last = %lld,"
           " delivered = %lld, changed = %lld, level = 3, shows = %d,"
           " epoch = (SELECT epoch FROM total), head ="
           " ifnull((SELECT seq FROM event INDEXED BY event_alert"
           " WHERE alert = alert.id ORDER BY seq LIMIT 1), 0)"
           " WHERE key = '%q'", t->now, t->now, t->now, t->now, (int) shows,
        key);
}


static void
add_dead_2(test_t *t, int seq, const char *source)
{
    sql(t, "INSERT OR REPLACE INTO dead (seq, id, source, alert_key, type,"
           " level, native, priority, received, died, status, error, body)"
           " VALUES (%d, %d, (SELECT id FROM source WHERE name = '%q'), 'k',"
           " 1, 3, 0, 0, %lld, %lld, 400, 'no', CAST('body' AS BLOB))",
        seq, seq, source, t->now, t->now);
}


static void
test_migrate_2(void)
{
    test_t  t;

    setup(&t, "migrate_2");
    old_database(&t, 2);

    add_alert_2(&t, "ops", "open", NGX_HTTP_ILERT_SHOWS_OPEN, NOW - 5,
                NOW - 4);
    add_alert_2(&t, "ops", "open too", NGX_HTTP_ILERT_SHOWS_OPEN, 0, 0);
    add_alert_2(&t, "ops", "resolved", NGX_HTTP_ILERT_SHOWS_RESOLVED, NOW - 3,
                NOW - 3);
    add_alert_2(&t, "dev", "unknown", NGX_HTTP_ILERT_SHOWS_UNKNOWN, NOW - 2,
                NOW - 2);

    add_event_2(&t, "open", NGX_HTTP_ILERT_REPEATS, "1");
    add_event_2(&t, "open too", NGX_HTTP_ILERT_RESOLVES, "2");
    add_event_2(&t, "open too", NGX_HTTP_ILERT_CRITICAL_FIRST, "3");
    add_event_2(&t, "resolved", NGX_HTTP_ILERT_OPENS, "4");
    add_event_2(&t, "resolved", NGX_HTTP_ILERT_UPDATES, "5");
    add_event_2(&t, "resolved", NGX_HTTP_ILERT_UPDATES, "6");
    add_event_2(&t, "unknown", NGX_HTTP_ILERT_RESOLVES, "7");
    add_dead_2(&t, 91, "ops");
    add_dead_2(&t, 92, "ops");
    add_dead_2(&t, 93, "dev");

    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_str(sql(&t, "PRAGMA user_version"), "4");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    check_str(counts(&t, "ops"), "1 1 1 2 1 2 2 0");
    check_str(counts(&t, "dev"), "0 1 0 0 0 0 1 0");
    check_counts(&t);

    check_str(gone(&t, "open"), "-5 -4 7");
    check_str(gone(&t, "open too"), "-1749988799999 - 7");
    check_str(gone(&t, "resolved"), "- -3 7");
    check_str(gone(&t, "unknown"), "- -2 7");

    check_str(drain(&t, "ops"), "open too:2 resolved:4 open:1 open too:3 "
                                "resolved:5 resolved:6");
    check_str(drain(&t, "dev"), "unknown:7");
    check_counts(&t);

    teardown(&t);
}


/* workers of that release, as after an upgrade of the binary */

static void
test_beside(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "beside");
    old_database(&t, 1);

    t.policy.coalesce = REPEATS;
    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);

    /* they accept, we deliver */

    old_accept(&t, "k", RESOLVE, "2");
    check_str(drain(&t, "ops"), "k:2");

    old_accept(&t, "new", ALERT, "3");
    old_accept(&t, "new", ALERT, "4");
    old_accept(&t, "new", RESOLVE, "5");
    check_str(drain(&t, "ops"), "new:3 new:5");

    /* while one is under way, behind what is ours */

    accept_one(&t, "ops", "k", ALERT, "6");
    ev = keep(take_one(&t, "ops"));
    old_accept(&t, "k", RESOLVE, "7");
    accept_one(&t, "ops", "k", ALERT, "8");
    verdict(&t, ev, DONE);
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "k:7 k:8");

    /* we accept, they deliver */

    accept_one(&t, "ops", "k", RESOLVE, "9");
    accept_one(&t, "ops", "other", ALERT, "10");
    old_deliver(&t, "k", 0, NGX_HTTP_ILERT_SHOWS_RESOLVED);
    old_deliver(&t, "other", CRITICAL, NGX_HTTP_ILERT_SHOWS_OPEN);
    check_str(drain(&t, "ops"), "");

    accept_event(&t, "ops", "k", RESOLVE, "11");
    accept_event(&t, "ops", "other", RESOLVE, "12");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "other:12");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    teardown(&t);
}


/* each statement has the columns and indexes that it names */

static void
test_statements_2(void)
{
    char          *name;
    test_t         t;
    sqlite3       *db;
    ngx_uint_t     i;
    sqlite3_stmt  *stmt;

    setup(&t, "statements_2");
    check_int(run(&t), OK);

    name = sqlite3_mprintf("%s/queue.db", t.path);
    check(sqlite3_open(name, &db) == SQLITE_OK);

    for (i = 0; i < sizeof(statements_2) / sizeof(statements_2[0]); i++) {

        if (sqlite3_prepare_v2(db, statements_2[i], -1, &stmt, NULL)
            != SQLITE_OK)
        {
            fail_at(__FILE__, __LINE__, statements_2[i], sqlite3_errmsg(db));
        }

        sqlite3_finalize(stmt);
    }

    sqlite3_close(db);
    sqlite3_free(name);

    teardown(&t);
}


/* they do not count: that is made good with the next "clean" */

static void
test_beside_2(void)
{
    test_t                          t;
    query_t                        *q;
    ngx_http_ilert_store_source_t  *source;

    setup(&t, "beside_2");
    old_database(&t, 2);
    check_int(run(&t), OK);

    /* they accept, we deliver */

    add_alert_2(&t, "ops", "k", NGX_HTTP_ILERT_SHOWS_RESOLVED, 0, 0);
    add_event_2(&t, "k", NGX_HTTP_ILERT_CRITICAL_FIRST, "1");
    add_event_2(&t, "k", NGX_HTTP_ILERT_UPDATES, "2");
    add_dead_2(&t, 99, "ops");
    check_str(counts(&t, "ops"), "0 0 0 0 0 0 1 0");

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(counts(&t, "ops"), "1 0 0 1 0 0 1 0");

    add_event_2(&t, "k", NGX_HTTP_ILERT_RESOLVES, "3");
    check_str(drain(&t, "ops"), "k:1 k:2 k:3");
    check_str(counts(&t, "ops"), "0 -1 0 0 0 0 1 0");

    /* of what has been taken without being counted nothing is left */

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check(q->ok);
    check_int(q->sources.nelts, 2);
    source = q->sources.elts;
    check_int(source[1].waiting[NGX_HTTP_ILERT_RESOLVES], 0);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_counts(&t);

    /* we accept, they deliver */

    accept_one(&t, "ops", "k", ALERT, "4");
    accept_one(&t, "ops", "k", RESOLVE, "5");
    deliver_2(&t, "k", NGX_HTTP_ILERT_SHOWS_OPEN);
    check_str(counts(&t, "ops"), "1 1 0 0 0 0 1 0");

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(counts(&t, "ops"), "0 1 0 0 0 0 1 0");

    sql(&t, "DELETE FROM dead WHERE seq = 99");
    check_str(drain(&t, "ops"), "k:5");
    check_counts(&t);
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    teardown(&t);
}


/* ... as far as it costs little */

static void
test_recount(void)
{
    int     i;
    char    key[16];
    test_t  t;

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
    { "version 1 is brought up to date", test_migrate },
    { "version 1 beside this one", test_beside },
    { "version 2 is brought up to date", test_migrate_2 },
    { "version 2's statements", test_statements_2 },
    { "version 2 beside this one", test_beside_2 },
    { "counts are put right", test_recount },
    { NULL, NULL }
};
