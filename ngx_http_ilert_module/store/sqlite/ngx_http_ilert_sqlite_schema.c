
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/*
 * The log is copied to the database when it has this many pages, 2 MB.  With
 * a lower number more pages would be copied more than once.  With a higher one
 * the ballast would have to be larger: when it is removed, there must be room
 * for such a copy and one or two jobs.  A log that has grown beyond
 * .._LOG_SIZE bytes is cut after that.
 */

#define NGX_HTTP_ILERT_SQLITE_CHECKPOINT  "500"
#define NGX_HTTP_ILERT_SQLITE_LOG_SIZE    "16777216"

/* since this version it is known up to when there is doubt: total.doubted */

#define NGX_HTTP_ILERT_SQLITE_DOUBTED     9


static int ngx_http_ilert_sqlite_last_version(
    ngx_http_ilert_sqlite_db_t *db);
static int ngx_http_ilert_sqlite_identify(ngx_http_ilert_sqlite_db_t *db,
    int *version);
static int ngx_http_ilert_sqlite_sync_folder(ngx_http_ilert_sqlite_db_t *db);


/*
 * The first step makes the tables of release 0.1.0, which had version 3 of the
 * schema.  Each other step makes one version of the version before it.  After
 * a step the statements of the previous release must still work, because
 * workers of both releases run during an upgrade.
 *
 * The comments on columns are in the SQL, so that ".schema" of sqlite3 shows
 * them.  SQLite only keeps the comment on an added column if it is within the
 * column's definition.
 */

static const char  *ngx_http_ilert_sqlite_steps[] = {

    /* 3 */

    "CREATE TABLE source (\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    name       TEXT NOT NULL UNIQUE,\n"
    "    critical   INTEGER  -- events that wait, by event.urgency: 0,\n"
    "               NOT NULL DEFAULT 0,\n"
    "    resolves   INTEGER  -- 1,\n"
    "               NOT NULL DEFAULT 0,\n"
    "    opens      INTEGER  -- 2,\n"
    "               NOT NULL DEFAULT 0,\n"
    "    updates    INTEGER  -- 3,\n"
    "               NOT NULL DEFAULT 0,\n"
    "    repeats    INTEGER  -- 4\n"
    "               NOT NULL DEFAULT 0,\n"
    "    open       INTEGER  -- alerts whose opened is not 0\n"
    "               NOT NULL DEFAULT 0,\n"
    "    dead       INTEGER  -- dead letters\n"
    "               NOT NULL DEFAULT 0,\n"
    "    paused     INTEGER  -- time from which nothing is sent, 0: it is\n"
    "               NOT NULL DEFAULT 0\n"
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
    "    priority   INTEGER  -- last delivered, as event.priority\n"
    "               NOT NULL DEFAULT 0,\n"
    "    told       INTEGER  -- time of the last ALERT or RESOLVE delivered\n"
    "               NOT NULL DEFAULT 0,\n"
    "    last       INTEGER  -- time of its last event, or of its delivery\n"
    "               NOT NULL DEFAULT 0,\n"
    "    since      INTEGER  -- time from which it has been waiting\n"
    "               NOT NULL DEFAULT 0,\n"
    "    opened     INTEGER  -- time of the first ALERT delivered since the\n"
    "                        -- last RESOLVE delivered, 0: none\n"
    "               NOT NULL DEFAULT 0,\n"
    "    accepted   INTEGER  -- event.received of the last one that is gone\n"
    "               NOT NULL DEFAULT 0,\n"
    "    gone       INTEGER  -- event.seq of that one\n"
    "               NOT NULL DEFAULT 0,\n"
    "    UNIQUE (source, key)\n"
    ");\n"

    "CREATE INDEX alert_ready ON alert (source, urgency, head)\n"
    "    WHERE state = 0 AND head > 0;\n"
    "CREATE INDEX alert_taken ON alert (source, urgency, head)\n"
    "    WHERE state = 1;\n"
    "CREATE INDEX alert_waiting ON alert (source, urgency, head)\n"
    "    WHERE state = 2;\n"
    "CREATE INDEX alert_next ON alert (next) WHERE state = 2;\n"
    "CREATE INDEX alert_forget ON alert (epoch, changed)\n"
    "    WHERE head = 0 AND state = 0 AND shows = 2;\n"
    "CREATE INDEX alert_open ON alert (source, last)\n"
    "    WHERE shows < 2 AND state = 0 AND head = 0;\n"
    "CREATE INDEX alert_opened ON alert (source, opened) WHERE opened > 0;\n"

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
    "    body       BLOB NOT NULL,     -- without the integration key\n"
    "    urgency    INTEGER  -- 0 CRITICAL or HIGH, opens or raises,\n"
    "                        -- 1 RESOLVE, 2 opens, 3 update, 4 repeat\n"
    "               NOT NULL DEFAULT 3,\n"
    "    since      INTEGER  -- time of the first one that it stands for,\n"
    "                        -- 0: received\n"
    "               NOT NULL DEFAULT 0\n"
    ");\n"

    "CREATE INDEX event_alert ON event (alert, seq, urgency);\n"

    "CREATE TRIGGER alert_deleted AFTER DELETE ON alert BEGIN\n"
    "    -- its id may be given to another one\n"
    "    DELETE FROM event WHERE alert = OLD.id;\n"
    "END;\n"

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

    "CREATE INDEX dead_id ON dead (id);\n"
    "CREATE INDEX dead_died ON dead (died);\n"
    "CREATE INDEX dead_source ON dead (source, died);\n"

    "CREATE TABLE total (\n"
    "    -- one row\n"
    "    epoch      INTEGER NOT NULL,  -- of what is known of ilert\n"
    "    dead_bytes INTEGER NOT NULL,  -- sum of length(dead.body)\n"
    "    recovered  INTEGER NOT NULL,  -- time, from an error\n"
    "    seen       INTEGER  -- time when there was a courier\n"
    "               NOT NULL DEFAULT 0,\n"
    "    resumed    INTEGER  -- time, after a while without one\n"
    "               NOT NULL DEFAULT 0\n"
    ");\n"

    "CREATE TRIGGER dead_inserted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes + length(NEW.body);\n"
    "END;\n"
    "CREATE TRIGGER dead_deleted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE total SET dead_bytes = dead_bytes - length(OLD.body);\n"
    "END;\n"
    "CREATE TRIGGER dead_counted AFTER INSERT ON dead BEGIN\n"
    "    UPDATE source SET dead = dead + 1 WHERE id = NEW.source;\n"
    "END;\n"
    "CREATE TRIGGER dead_uncounted AFTER DELETE ON dead BEGIN\n"
    "    UPDATE source SET dead = dead - 1 WHERE id = OLD.source;\n"
    "END;\n"

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

    "INSERT INTO total (epoch, dead_bytes, recovered) VALUES (1, 0, 0);\n",

    /*
     * 4: an alert belongs to an integration key; alert.source is the source of
     * its first waiting event, or of its last one if none waits
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
    "               NOT NULL DEFAULT 0;\n",

    /* 5: webhooks that were refused are kept */

    "CREATE TABLE refused (\n"
    "    id         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    time       INTEGER NOT NULL,\n"
    "    status     INTEGER NOT NULL,  -- of the answer\n"
    "    size       INTEGER NOT NULL,  -- bytes of the body as it came\n"
    "    bytes      INTEGER NOT NULL,  -- that the row counts as\n"
    "    address    TEXT NOT NULL,     -- of the client\n"
    "    location   TEXT NOT NULL,\n"
    "    error      TEXT NOT NULL,\n"
    "    body       BLOB NOT NULL      -- the first bytes of it\n"
    ");\n"

    "ALTER TABLE total ADD COLUMN\n"
    "    refused    INTEGER  -- rows of that table\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE total ADD COLUMN\n"
    "    refused_bytes INTEGER  -- sum of refused.bytes\n"
    "               NOT NULL DEFAULT 0;\n"

    "CREATE TRIGGER refused_inserted AFTER INSERT ON refused BEGIN\n"
    "    UPDATE total SET refused = refused + 1,\n"
    "        refused_bytes = refused_bytes + NEW.bytes;\n"
    "END;\n"
    "CREATE TRIGGER refused_deleted AFTER DELETE ON refused BEGIN\n"
    "    UPDATE total SET refused = refused - 1,\n"
    "        refused_bytes = refused_bytes - OLD.bytes;\n"
    "END;\n",

    /* 6: an alert has its own "silence", after which it is resolved */

    "ALTER TABLE alert ADD COLUMN\n"
    "    silence    INTEGER  -- ms after which it is resolved if nothing is\n"
    "                        -- heard of it, 0: as its source says\n"
    "               NOT NULL DEFAULT 0;\n"

    "CREATE INDEX alert_silent ON alert (source, last)\n"
    "    WHERE silence > 0 AND shows < 2 AND state = 0 AND head = 0;\n",

    /* 7: what ilert refuses of a source; alert.next may be 2^63 - 1: never */

    "ALTER TABLE source ADD COLUMN\n"
    "    refusals   TEXT  -- alert.id of those that ilert has refused since\n"
    "                     -- it took an event last; five: it refuses all\n"
    "               NOT NULL DEFAULT '';\n"
    "ALTER TABLE event ADD COLUMN\n"
    "    again      INTEGER  -- 1: ilert has refused it, with all of its\n"
    "                        -- source\n"
    "               NOT NULL DEFAULT 0;\n",

    /*
     * 8: what was heard of the ids of Kapacitor, and topics.  Rows are in the
     * order in which they were made: ids that are heard of together mostly
     * came together before, so they share pages.
     */

    "CREATE TABLE heard (\n"
    "    -- what Kapacitor has said of an id, by webhooks to a place\n"
    "    id         INTEGER PRIMARY KEY,\n"
    "    key        BLOB NOT NULL UNIQUE,  -- digest of place and kid\n"
    "    place      TEXT NOT NULL,     -- the location\n"
    "    kid        TEXT NOT NULL,     -- Kapacitor's id\n"
    "    task       TEXT NOT NULL,     -- of the last webhook\n"
    "    time       INTEGER NOT NULL,  -- of the last webhook by Kapacitor,\n"
    "                                  -- ns since 1970, -2^63: none\n"
    "    level      INTEGER NOT NULL,  -- of that one, as event.level\n"
    "    at         INTEGER NOT NULL,  -- time when it was taken\n"
    "    alert      INTEGER NOT NULL,  -- alert.id, 0: none\n"
    "    topic      INTEGER NOT NULL,  -- topic.id, 0 or gone: not known\n"
    "    ignored    INTEGER NOT NULL,  -- 1: the last webhook was\n"
    "    over       INTEGER NOT NULL,  -- 1: Kapacitor has it no more\n"
    "    digests    BLOB NOT NULL      -- of the last 16 webhooks, 8 bytes\n"
    "                                  -- each, little endian, oldest first\n"
    ");\n"

    "CREATE INDEX heard_alert ON heard (alert, key) WHERE alert > 0;\n"
    "CREATE INDEX heard_topic ON heard (topic, key) WHERE topic > 0;\n"

    "CREATE TRIGGER alert_unheard AFTER DELETE ON alert BEGIN\n"
    "    -- its id may be given to another one\n"
    "    UPDATE heard SET alert = 0 WHERE alert = OLD.id AND alert > 0;\n"
    "END;\n"

    "CREATE TABLE topic (\n"
    "    -- of Kapacitor's, whose ids come here\n"
    "    id         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    kapacitor  TEXT NOT NULL,     -- location with ilert_reconcile\n"
    "    name       TEXT NOT NULL,\n"
    "    gone       INTEGER NOT NULL,  -- time since when Kapacitor does not\n"
    "                                  -- list it, 0: it does\n"
    "    UNIQUE (kapacitor, name)\n"
    ");\n"

    "ALTER TABLE total ADD COLUMN\n"
    "    made       INTEGER  -- time when the database was made, 0: it was\n"
    "                        -- made by an earlier release\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE total ADD COLUMN\n"
    "    yielded    INTEGER  -- the last heard.time of what was forgotten\n"
    "                        -- although its level was not OK\n"
    "               NOT NULL DEFAULT 0;\n",

    /*
     * 9: what waits may be held back: in state 2, alert.urgency may be 5 to 7,
     * as event.urgency, and 2^63 - 1 in alert.next means until it is let go
     */

    "ALTER TABLE source ADD COLUMN\n"
    "    held       INTEGER  -- 5, a RESOLVE that \"resolve_delay\" holds,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    silenced   INTEGER  -- 6, an ALERT that a silence holds,\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE source ADD COLUMN\n"
    "    listed     INTEGER  -- 7, one that a digest lists instead\n"
    "               NOT NULL DEFAULT 0;\n"

    "ALTER TABLE event ADD COLUMN\n"
    "    own        INTEGER  -- made by: 0 a webhook, 1 silence for too\n"
    "                        -- long, 2 an operator, 4 a digest\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE event ADD COLUMN\n"
    "    message    INTEGER  -- digest of the message, if nothing will\n"
    "                        -- resolve the ALERT, else 0\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE event ADD COLUMN\n"
    "    freed      INTEGER  -- 1: neither \"resolve_delay\" nor a digest\n"
    "                        -- holds it any longer\n"
    "               NOT NULL DEFAULT 0;\n"

    "ALTER TABLE alert ADD COLUMN\n"
    "    message    INTEGER  -- last delivered, as event.message\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    lowered    INTEGER  -- 1: it was opened with priority LOW\n"
    "               NOT NULL DEFAULT 0;\n"
    "UPDATE alert SET lowered = 1 WHERE opened > 0 AND priority = 1;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    bad        INTEGER  -- level of its last ALERT, of a source with\n"
    "                        -- a digest; 0: over, or silenced\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    begun      INTEGER  -- time since when it is bad\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    named      INTEGER  -- the digest that has named it last:\n"
    "                        -- time of its opening, times 8, plus level\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    summary    TEXT  -- of its last ALERT, while it is bad\n"
    "               NOT NULL DEFAULT '';\n"

    "CREATE INDEX alert_bad ON alert (source, bad DESC, begun)\n"
    "    WHERE bad > 0;\n"

    "CREATE TABLE silence (\n"
    "    -- ALERTs of the alerts that match are not sent\n"
    "    id         INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    source     TEXT NOT NULL,     -- source.name it was made for\n"
    "    owner      INTEGER NOT NULL,  -- budget.id of its integration key,\n"
    "                                  -- 0: that of its source\n"
    "    pattern    TEXT NOT NULL,     -- of alert.key: * any characters, ?\n"
    "                                  -- one\n"
    "    begins     INTEGER NOT NULL,  -- time\n"
    "    ends       INTEGER NOT NULL,  -- time\n"
    "    comment    TEXT NOT NULL\n"
    ");\n"

    "CREATE TABLE digest (\n"
    "    -- of a source: one alert that lists others; times are 0: none\n"
    "    source     INTEGER PRIMARY KEY,  -- source.id\n"
    "    opened     INTEGER NOT NULL,  -- time since when it is open\n"
    "    changed    INTEGER NOT NULL,  -- time of a change not told yet\n"
    "    told       INTEGER NOT NULL,  -- time of its last event\n"
    "    calm       INTEGER NOT NULL,  -- time since when it could end\n"
    "    refilled   INTEGER NOT NULL,  -- time when tokens was right\n"
    "    tokens     INTEGER NOT NULL,  -- events that may go at once\n"
    "    urgent     INTEGER NOT NULL,  -- bits: 1 a CRITICAL is not named\n"
    "                                  -- yet, 2 it is HIGH, 4 not LOW\n"
    "    alone      BLOB NOT NULL      -- times when alerts opened by\n"
    "                                  -- themselves, 8 bytes each, little\n"
    "                                  -- endian, oldest first\n"
    ");\n"

    "ALTER TABLE total ADD COLUMN\n"
    "    doubted    INTEGER  -- time up to which ilert may have been told of\n"
    "                        -- alerts that are not in that table\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE total ADD COLUMN\n"
    "    silences   INTEGER  -- rows of that table\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE total ADD COLUMN\n"
    "    digests    INTEGER  -- rows of that table\n"
    "               NOT NULL DEFAULT 0;\n"

    "CREATE TRIGGER silence_inserted AFTER INSERT ON silence BEGIN\n"
    "    UPDATE total SET silences = silences + 1;\n"
    "END;\n"
    "CREATE TRIGGER silence_deleted AFTER DELETE ON silence BEGIN\n"
    "    UPDATE total SET silences = silences - 1;\n"
    "END;\n"
    "CREATE TRIGGER digest_inserted AFTER INSERT ON digest BEGIN\n"
    "    UPDATE total SET digests = digests + 1;\n"
    "END;\n"
    "CREATE TRIGGER digest_deleted AFTER DELETE ON digest BEGIN\n"
    "    UPDATE total SET digests = digests - 1;\n"
    "END;\n",

    /* 10: events of other senders may have a severity */

    "ALTER TABLE event ADD COLUMN\n"
    "    severity   INTEGER  -- 1 to 5, as its sender has set it, 0: not\n"
    "               NOT NULL DEFAULT 0;\n"
    "ALTER TABLE alert ADD COLUMN\n"
    "    severity   INTEGER  -- last delivered, as event.severity\n"
    "               NOT NULL DEFAULT 0;\n"
};

ngx_http_ilert_sqlite_schema_t  ngx_http_ilert_sqlite_schema = {
    3,
    sizeof(ngx_http_ilert_sqlite_steps)
        / sizeof(ngx_http_ilert_sqlite_steps[0]),
    ngx_http_ilert_sqlite_steps
};


static int
ngx_http_ilert_sqlite_last_version(ngx_http_ilert_sqlite_db_t *db)
{
    return db->schema->first + (int) db->schema->nsteps - 1;
}


/*
 * Makes sure that the database is ours, and sets "version" to that of its
 * schema, or to 0 if it is empty.
 */

static int
ngx_http_ilert_sqlite_identify(ngx_http_ilert_sqlite_db_t *db, int *version)
{
    int      rc;
    int64_t  application, number, tables;

    /*
     * Tables are counted first: a process that makes them at this moment
     * commits them together with the application id.
     */

    rc = ngx_http_ilert_sqlite_pragma(db,
                          "SELECT EXISTS (SELECT 1 FROM sqlite_master)",
                          &tables);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (!tables) {
        *version = 0;
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_sqlite_pragma(db, "PRAGMA application_id",
                                     &application);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_sqlite_pragma(db, "PRAGMA user_version", &number);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (application != NGX_HTTP_ILERT_SQLITE_APPLICATION || number <= 0) {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_FOREIGN);
    }

    db->version = number;

    if (number < db->schema->first) {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_OLDER);
    }

    if (number > ngx_http_ilert_sqlite_last_version(db)) {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_NEWER);
    }

    *version = number;

    return SQLITE_OK;
}


int
ngx_http_ilert_sqlite_pragma(ngx_http_ilert_sqlite_db_t *db, const char *sql,
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
        rc = ngx_http_ilert_sqlite_error(db, rc);
    }

    (void) sqlite3_finalize(stmt);

    return rc;
}


int
ngx_http_ilert_sqlite_configure(ngx_http_ilert_sqlite_db_t *db)
{
    int            rc, version;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_sqlite_identify(db, &version);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_prepare_v2(db->db, "PRAGMA journal_mode = WAL", -1, &stmt,
                            NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }

    if (rc != SQLITE_ROW) {
        rc = ngx_http_ilert_sqlite_error(db, rc);

    } else if (ngx_strcmp(sqlite3_column_text(stmt, 0), "wal") != 0) {
        rc = ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_NO_WAL);

    } else {
        rc = SQLITE_OK;
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_OK) {
        return rc;
    }

    /*
     * Some of these are SQLite's defaults, but it may have been compiled with
     * others.
     */

    rc = sqlite3_exec(db->db,
                      "PRAGMA synchronous = FULL;"
                      "PRAGMA wal_autocheckpoint = "
                          NGX_HTTP_ILERT_SQLITE_CHECKPOINT ";"
                      "PRAGMA journal_size_limit = "
                          NGX_HTTP_ILERT_SQLITE_LOG_SIZE ";"
                      "PRAGMA secure_delete = OFF;"
                      "PRAGMA foreign_keys = OFF;"
                      "PRAGMA temp_store = MEMORY",
                      NULL, NULL, NULL);

    return (rc == SQLITE_OK) ? rc : ngx_http_ilert_sqlite_error(db, rc);
}


int
ngx_http_ilert_sqlite_migrate(ngx_http_ilert_sqlite_db_t *db, int64_t now)
{
    int                              rc, last, version;
    char                             sql[256];
    int64_t                          made, doubted;
    ngx_http_ilert_sqlite_schema_t  *schema;

    schema = db->schema;
    last = ngx_http_ilert_sqlite_last_version(db);

    rc = ngx_http_ilert_sqlite_identify(db, &version);

    if (rc != SQLITE_OK || version == last) {
        return rc;
    }

    if (version == 0) {
        rc = ngx_http_ilert_sqlite_sync_folder(db);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = sqlite3_exec(db->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK) {

        /* another process may have made the tables meanwhile */

        rc = ngx_http_ilert_sqlite_identify(db, &version);

        made = 0;
        doubted = (version < NGX_HTTP_ILERT_SQLITE_DOUBTED) ? now : 0;

        if (version == 0) {
            version = schema->first - 1;
            made = now;
        }

        while (rc == SQLITE_OK && version < last) {
            rc = sqlite3_exec(db->db,
                              schema->steps[++version - schema->first],
                              NULL, NULL, NULL);
            if (rc == SQLITE_ERROR) {
                /* the database lacks something that its version should have */
                rc = NGX_HTTP_ILERT_SQLITE_FOREIGN;
            }
        }

        if (rc == SQLITE_OK) {
            sqlite3_snprintf(sizeof(sql), sql,
                             "UPDATE total SET made = max(made, %lld),"
                             " doubted = max(doubted, %lld);"
                             "PRAGMA application_id = %d;"
                             "PRAGMA user_version = %d; COMMIT",
                             made, doubted,
                             NGX_HTTP_ILERT_SQLITE_APPLICATION, last);

            rc = sqlite3_exec(db->db, sql, NULL, NULL, NULL);
        }
    }

    /* after an error the caller closes the database, which rolls back */

    return (rc == SQLITE_OK) ? rc : ngx_http_ilert_sqlite_error(db, rc);
}


/*
 * SQLite syncs the folder that its files are in, but not the directory above,
 * which has the folder's name.  Until that is on disk, a loss of power can
 * take away the folder with all that is in it.  If the directory cannot be
 * opened, or its file system does not sync directories, nothing can be done.
 */

static int
ngx_http_ilert_sqlite_sync_folder(ngx_http_ilert_sqlite_db_t *db)
{
    int       rc;
    char     *path;
    ngx_fd_t  fd;

    path = sqlite3_mprintf("%s/..", db->store->path.data);
    if (path == NULL) {
        return ngx_http_ilert_sqlite_nomem(db);
    }

    rc = SQLITE_OK;
    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd != NGX_INVALID_FILE) {

        if (fsync(fd) == -1 && ngx_errno != EINVAL) {
            rc = ngx_http_ilert_sqlite_system_error(db, ngx_errno);
        }

        (void) ngx_close_file(fd);
    }

    sqlite3_free(path);

    return rc;
}
