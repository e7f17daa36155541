
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


/* its statements */

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


static void
old_database(test_t *t)
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

    sqlite3_close(db);
    sqlite3_free(name);

    chmod(t->path, 0700);
}


static void
test_migrate(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "migrate");
    old_database(&t);

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

    t.job.begin = 1;
    take(&t, "ops", 10, 0);
    check_int(run(&t), OK);
    check_str(t.store.notice, "");
    check_str(sql(&t, "PRAGMA user_version"), "2");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    /* what waited goes, and what was under way goes again */

    check_int(outcome.takes[0].taken, 2);
    check_int(taken(&t, 0)->seq, 1);
    check_int(taken(&t, 0)->said.type, ALERT);
    check_int(taken(&t, 0)->said.level, CRITICAL);
    check_int(taken(&t, 0)->said.received, NOW);
    check_int(taken(&t, 1)->seq, 3);
    check_int(outcome.due, NOW + 1000);

    while ((ev = taken(&t, 0))) {
        verdict(&t, ev, DONE);
    }

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
    take(&t, "ops", 10, 0);
    check_int(run(&t), OK);
    check(taken(&t, 0) == NULL);
    check_int(outcome.due, NOW + 300 * SECOND);

    teardown(&t);
}


/* workers of that release, as after an upgrade of the binary */

static void
test_beside(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "beside");
    old_database(&t);

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


test_case_t  version_cases[] = {
    { "version 1 is brought up to date", test_migrate },
    { "version 1 beside this one", test_beside },
    { NULL, NULL }
};
