
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


static sqlite3_stmt *ngx_http_ilert_sqlite_bind(
    ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n, const char *fmt,
    va_list args);
static int ngx_http_ilert_sqlite_step(ngx_http_ilert_sqlite_db_t *db,
    ngx_uint_t n, int64_t *value);


/* parts of statements, which are made of the lists of columns */

#define NGX_HTTP_ILERT_SQLITE_OF_ALERT(NAME, name)   ", alert." #name
#define NGX_HTTP_ILERT_SQLITE_OF_EVENT(NAME, name)   ", event." #name
#define NGX_HTTP_ILERT_SQLITE_OF_LETTER(NAME, name)  ", dead." #name
#define NGX_HTTP_ILERT_SQLITE_NAME(NAME, name)       ", " #name
#define NGX_HTTP_ILERT_SQLITE_VALUE(NAME, name)      ", ?"
#define NGX_HTTP_ILERT_SQLITE_SET(NAME, name)        ", " #name " = ?"

#define NGX_HTTP_ILERT_SQLITE_SELECT_ALERT                                    \
    "SELECT alert.id, alert.key, alert.alert_key, alert.summary"              \
    NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_OF_ALERT)

#define NGX_HTTP_ILERT_SQLITE_SELECT_EVENT                                    \
    "SELECT event.seq, length(event.body)"                                    \
    NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_OF_EVENT)

/* the body of a letter is NULL unless the first parameter is 1 */

#define NGX_HTTP_ILERT_SQLITE_SELECT_LETTER                                   \
    "SELECT dead.seq, length(dead.body), CASE ?1 WHEN 1 THEN dead.body END,"  \
    " source.name"                                                            \
    NGX_HTTP_ILERT_SQLITE_LETTER(NGX_HTTP_ILERT_SQLITE_OF_LETTER)

/* the same holds for the body of a refused webhook */

#define NGX_HTTP_ILERT_SQLITE_SELECT_REFUSED                                  \
    "SELECT id, time, status, size, bytes, address, location, error,"         \
    " CASE ?1 WHEN 1 THEN body END"

/* a key of another length is nobody's */

#define NGX_HTTP_ILERT_SQLITE_SELECT_HEARD                                    \
    "SELECT id, key, place, kid, task, time, level, at, alert, topic,"        \
    " ignored, over, digests FROM heard"

#define NGX_HTTP_ILERT_SQLITE_HEARD_AFTER                                     \
    " AND key > ?2 AND length(key) = 16 ORDER BY key LIMIT ?3"

#define NGX_HTTP_ILERT_SQLITE_SELECT_SOURCE                                   \
    "SELECT id, name, owner, paused, refusals"

/*
 * The conditions of partial indexes.  SQLite only uses such an index if the
 * statement has the same numbers, and no parameters in their place.  The
 * conditions only select; decisions are made by the rules.
 */

#define NGX_HTTP_ILERT_SQLITE_IS_READY    "state = 0 AND head > 0"
#define NGX_HTTP_ILERT_SQLITE_IS_TAKEN    "state = 1"
#define NGX_HTTP_ILERT_SQLITE_IS_WAITING  "state = 2"
#define NGX_HTTP_ILERT_SQLITE_IS_OPEN                                         \
    "shows < 2 AND state = 0 AND head = 0"
#define NGX_HTTP_ILERT_SQLITE_IS_SILENT                                       \
    "silence > 0 AND " NGX_HTTP_ILERT_SQLITE_IS_OPEN
#define NGX_HTTP_ILERT_SQLITE_IS_OVER                                         \
    "shows = 2 AND state = 0 AND head = 0"
#define NGX_HTTP_ILERT_SQLITE_IS_BAD      "bad > 0"


/*
 * No statement may go through more rows than its limit.  "INDEXED BY" makes
 * sure that an index is used: otherwise the statement cannot be prepared.
 */

static const char  *ngx_http_ilert_sqlite_sql[NGX_HTTP_ILERT_SQLITE_NSTMTS] = {

    /* "%lld" is the number in db->pages when it is prepared */

    [NGX_HTTP_ILERT_SQLITE_LIMIT_ACCEPTS] = "PRAGMA max_page_count = %lld",
    [NGX_HTTP_ILERT_SQLITE_LIMIT_SIZE] = "PRAGMA max_page_count = %lld",
    [NGX_HTTP_ILERT_SQLITE_LIMIT_ALL] = "PRAGMA max_page_count = %lld",

    [NGX_HTTP_ILERT_SQLITE_PAGES] = "PRAGMA page_count",
    [NGX_HTTP_ILERT_SQLITE_FREE_PAGES] = "PRAGMA freelist_count",

    [NGX_HTTP_ILERT_SQLITE_BEGIN] = "BEGIN IMMEDIATE",
    [NGX_HTTP_ILERT_SQLITE_BEGIN_READ] = "BEGIN",
    [NGX_HTTP_ILERT_SQLITE_COMMIT] = "COMMIT",
    [NGX_HTTP_ILERT_SQLITE_ROLLBACK] = "ROLLBACK",

    /* the total, with sessions and the last numbers of records */

    [NGX_HTTP_ILERT_SQLITE_GET_TOTAL] =
        "SELECT epoch, recovered, seen, resumed, courier, made, yielded,"
        " doubted, dead_bytes, refused, refused_bytes, silences, digests,"
        " EXISTS (SELECT 1 FROM session WHERE id = ?1),"
        " EXISTS (SELECT 1 FROM session WHERE id < ?1)"
        " OR EXISTS (SELECT 1 FROM session WHERE id > ?1),"
        " (SELECT max(seq) FROM sqlite_sequence WHERE name = 'event'),"
        " (SELECT max(id) FROM alert) FROM total",

    [NGX_HTTP_ILERT_SQLITE_GET_NUMBERS] =
        "SELECT (SELECT max(id) FROM source), (SELECT max(id) FROM budget)",

    [NGX_HTTP_ILERT_SQLITE_SET_TOTAL] =
        "UPDATE total SET epoch = ?1, recovered = ?2, seen = ?3, resumed = ?4,"
        " courier = ?5, made = ?6, yielded = ?7, doubted = ?8",

    [NGX_HTTP_ILERT_SQLITE_ADD_SESSION] =
        "INSERT OR IGNORE INTO session (id) VALUES (?1)",

    [NGX_HTTP_ILERT_SQLITE_END_SESSION] = "DELETE FROM session WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_END_OTHERS] =
        "DELETE FROM session WHERE id < ?1 OR id > ?1",

    /* sources */

    [NGX_HTTP_ILERT_SQLITE_GET_SOURCE] =
        NGX_HTTP_ILERT_SQLITE_SELECT_SOURCE " FROM source WHERE name = ?1",

    [NGX_HTTP_ILERT_SQLITE_GET_SOURCE_OF_ID] =
        NGX_HTTP_ILERT_SQLITE_SELECT_SOURCE " FROM source WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_HAS_STRAYS] =
        "SELECT 1 FROM alert INDEXED BY alert_stray"
        " WHERE owner = 0 AND source = ?1 LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_LIST_SOURCES] =
        NGX_HTTP_ILERT_SQLITE_SELECT_SOURCE
        ", critical, resolves, opens, updates, repeats, held, silenced,"
        " listed, open, dead"
        " FROM source ORDER BY name",

    [NGX_HTTP_ILERT_SQLITE_NEXT_SOURCE] =
        "SELECT name FROM source"
        " WHERE name > ?1 AND length(CAST(name AS BLOB)) <= ?2"
        " AND (EXISTS (SELECT 1 FROM alert INDEXED BY alert_ready"
                     " WHERE source = source.id"
                     " AND " NGX_HTTP_ILERT_SQLITE_IS_READY ")"
         " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_taken"
                     " WHERE source = source.id"
                     " AND " NGX_HTTP_ILERT_SQLITE_IS_TAKEN ")"
         " OR EXISTS (SELECT 1 FROM alert INDEXED BY alert_waiting"
                     " WHERE source = source.id"
                     " AND " NGX_HTTP_ILERT_SQLITE_IS_WAITING "))"
        " ORDER BY name LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_ADD_SOURCE] =
        "INSERT INTO source (id, name, owner, paused, refusals)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",

    [NGX_HTTP_ILERT_SQLITE_SET_SOURCE] =
        "UPDATE source SET owner = ?2, paused = ?3, refusals = ?4"
        " WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_COUNT_SOURCE] =
        "UPDATE source SET critical = critical + ?2, resolves = resolves + ?3,"
        " opens = opens + ?4, updates = updates + ?5, repeats = repeats + ?6,"
        " held = held + ?7, silenced = silenced + ?8, listed = listed + ?9,"
        " open = open + ?10 WHERE id = ?1",

    /* all waiting events, to be counted if they are few */

    [NGX_HTTP_ILERT_SQLITE_LIST_WAITING] =
        "SELECT event.source, alert.source, event.urgency FROM event"
        " CROSS JOIN alert ON alert.id = event.alert LIMIT ?1",

    [NGX_HTTP_ILERT_SQLITE_COUNT_OPENED] =
        "SELECT count(*) FROM alert INDEXED BY alert_opened"
        " WHERE source = ?1 AND opened > 0",

    /* budgets, and their slots; slots under way (at = 0) are all alike */

    [NGX_HTTP_ILERT_SQLITE_GET_BUDGET] =
        "SELECT id, paused, pause FROM budget WHERE name = ?1",

    [NGX_HTTP_ILERT_SQLITE_ADD_BUDGET] =
        "INSERT INTO budget (id, name, paused, pause) VALUES (?1, ?2, ?3, ?4)",

    [NGX_HTTP_ILERT_SQLITE_SET_BUDGET] =
        "UPDATE budget SET paused = ?2, pause = ?3 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_COUNT_TAKEN] =
        "SELECT count(*) FROM slot INDEXED BY slot_taken"
        " WHERE budget = ?1 AND at = 0",

    [NGX_HTTP_ILERT_SQLITE_LIST_SLOTS] =
        "SELECT at FROM slot INDEXED BY slot_at"
        " WHERE budget = ?1 AND at > 0 ORDER BY at",

    [NGX_HTTP_ILERT_SQLITE_FREE_SLOTS] =
        "DELETE FROM slot WHERE id IN"
        " (SELECT id FROM slot INDEXED BY slot_taken"
         " WHERE budget = ?1 AND at = 0 LIMIT ?2)",

    [NGX_HTTP_ILERT_SQLITE_END_SLOTS] =
        "UPDATE slot SET at = ?3 WHERE id IN"
        " (SELECT id FROM slot INDEXED BY slot_taken"
         " WHERE budget = ?1 AND at = 0 LIMIT ?2)",

    [NGX_HTTP_ILERT_SQLITE_END_ALL_SLOTS] =
        "UPDATE slot INDEXED BY slot_taken SET at = ?1 WHERE at = 0",

    [NGX_HTTP_ILERT_SQLITE_LATE_SLOTS] =
        "UPDATE slot SET at = ?2 WHERE id IN"
        " (SELECT id FROM slot INDEXED BY slot_at"
         " WHERE budget = ?1 AND at > 0 AND at > ?2)",

    [NGX_HTTP_ILERT_SQLITE_EXPIRE_SLOTS] =
        "DELETE FROM slot WHERE id IN"
        " (SELECT id FROM slot INDEXED BY slot_at"
         " WHERE budget = ?1 AND at > 0 AND at <= ?2 LIMIT ?3)",

    [NGX_HTTP_ILERT_SQLITE_ADD_SLOT] =
        "INSERT INTO slot (budget, at) VALUES (?1, 0)",

    [NGX_HTTP_ILERT_SQLITE_FORGET_SLOTS] =
        "DELETE FROM slot"
        " WHERE id IN (SELECT id FROM slot ORDER BY id LIMIT ?2)"
        " AND at > 0 AND at < ?1",

    /* alerts */

    [NGX_HTTP_ILERT_SQLITE_GET_ALERT] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT " FROM alert WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_FIND_ALERT] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_owner"
        " WHERE owner = ?1 AND owner > 0 AND key = ?2",

    [NGX_HTTP_ILERT_SQLITE_FIND_OF_SOURCE] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert WHERE source = ?1 AND key = ?2",

    [NGX_HTTP_ILERT_SQLITE_LIST_READY] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_ready"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_READY
        " AND urgency = ?2 ORDER BY head LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LIST_STRANGE] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_ready"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_READY
        " AND urgency BETWEEN ?2 AND ?3 LIMIT ?4",

    [NGX_HTTP_ILERT_SQLITE_LIST_TAKEN] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_taken"
        " WHERE " NGX_HTTP_ILERT_SQLITE_IS_TAKEN " LIMIT ?1",

    [NGX_HTTP_ILERT_SQLITE_LIST_DUE] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_next"
        " WHERE " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND next BETWEEN ?1 AND ?2 ORDER BY next LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LIST_TIMED] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_waiting"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND urgency IS NOT 6 ORDER BY urgency, head LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LIST_HELD] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_waiting"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND urgency = ?2 AND head > ?3 ORDER BY head LIMIT ?4",

    [NGX_HTTP_ILERT_SQLITE_LIST_BAD] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_bad"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_BAD
        " ORDER BY bad DESC, begun, id LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_COUNT_BAD] =
        "SELECT bad, count(*) FROM alert INDEXED BY alert_bad"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_BAD " GROUP BY bad",

    [NGX_HTTP_ILERT_SQLITE_LIST_OPEN] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        ", EXISTS (SELECT 1 FROM dead WHERE seq = alert.gone)"
        " FROM alert INDEXED BY alert_open"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_OPEN
        " AND (last, id) > (?2, ?3) ORDER BY last, id LIMIT ?4",

    [NGX_HTTP_ILERT_SQLITE_LIST_SILENT] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_silent"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_SILENT
        " AND (last, id) > (?2, ?3) ORDER BY last, id LIMIT ?4",

    [NGX_HTTP_ILERT_SQLITE_LIST_OVER] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        ", EXISTS (SELECT 1 FROM dead WHERE seq = alert.gone)"
        " FROM alert INDEXED BY alert_forget"
        " WHERE " NGX_HTTP_ILERT_SQLITE_IS_OVER
        " AND (changed, id) > (?1, ?2) ORDER BY changed, id LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LIST_OPENED] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_opened"
        " WHERE source = ?1 AND opened > 0 ORDER BY opened DESC LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LIST_STRAYS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert INDEXED BY alert_stray"
        " WHERE owner = 0 AND source = ?1 AND id > ?2 ORDER BY id LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LIST_ALL_STRAYS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert WHERE id IN (SELECT id FROM alert INDEXED BY alert_stray"
                                " WHERE owner = 0 AND id > ?1)"
        " ORDER BY id LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LIST_ALERTS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_ALERT
        " FROM alert WHERE id > ?1 ORDER BY id LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_ADD_ALERT] =
        "INSERT INTO alert (id, key, alert_key, summary"
        NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_NAME)
        ") VALUES (?, ?, ?, ?"
        NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_VALUE) ")",

    /*
     * SQLite writes the entries of all indexes that have a column which is
     * set, even if its value does not change.  So there are several
     * statements, and columns that are in indexes of all alerts have their
     * own.  "opened", which is in a partial index, is set with the others.
     */

    [NGX_HTTP_ILERT_SQLITE_SET_ALERT] =
        "UPDATE alert SET state = ?"
        NGX_HTTP_ILERT_SQLITE_OFTEN(NGX_HTTP_ILERT_SQLITE_SET)
        " WHERE id = ?",

    [NGX_HTTP_ILERT_SQLITE_SET_ALERT_OPENED] =
        "UPDATE alert SET opened = ?, state = ?"
        NGX_HTTP_ILERT_SQLITE_OFTEN(NGX_HTTP_ILERT_SQLITE_SET)
        " WHERE id = ?",

    [NGX_HTTP_ILERT_SQLITE_SET_STATE] =
        "UPDATE alert SET state = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_NEXT] =
        "UPDATE alert SET state = ?2, next = ?3, changed = ?4 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_KEY] =
        "UPDATE alert SET alert_key = ?2 WHERE id = ?1",

    /* ignored if the source has a stray with this key, adopted later */

    [NGX_HTTP_ILERT_SQLITE_SET_ALERT_SOURCE] =
        "UPDATE OR IGNORE alert SET source = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_OWNER] =
        "UPDATE alert SET owner = ?2 WHERE id = ?1",

    /* most alerts are of sources without a digest, and need none of these */

    [NGX_HTTP_ILERT_SQLITE_SET_BAD] =
        "UPDATE alert SET bad = ?2, begun = ?3 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_NAMED] =
        "UPDATE alert SET named = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_SUMMARY] =
        "UPDATE alert SET summary = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_DELETE_ALERT] = "DELETE FROM alert WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_GET_DUE] =
        "SELECT next FROM alert INDEXED BY alert_next"
        " WHERE " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND next < 9223372036854775807 ORDER BY next LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_HAS_RETRIES] =
        "SELECT 1 FROM alert INDEXED BY alert_waiting"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND urgency < ?2 LIMIT 1",

    /* events; only one body is selected, since bodies may be large */

    [NGX_HTTP_ILERT_SQLITE_FIRST_EVENTS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_EVENT
        ", CASE event.seq WHEN ?2 THEN event.body END"
        " FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 ORDER BY seq LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LAST_EVENTS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_EVENT
        ", CASE event.seq WHEN ?2 THEN event.body END"
        " FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 ORDER BY seq DESC LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_GET_BODY] = "SELECT body FROM event WHERE seq = ?1",

    [NGX_HTTP_ILERT_SQLITE_LIST_EVENTS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_EVENT
        " FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_LATEST_EVENTS] =
        "SELECT received, length(body) FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 ORDER BY seq DESC LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_NEXT_WAITING] =
        "SELECT alert, seq FROM event INDEXED BY event_alert"
        " WHERE (alert, seq) > (?1, ?2) ORDER BY alert, seq LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_ALERT_OF_HEAD] =
        "SELECT alert.id, alert.source, event.source FROM event"
        " CROSS JOIN alert ON alert.id = event.alert"
        " WHERE event.seq = ?1 AND alert.head = event.seq",

    [NGX_HTTP_ILERT_SQLITE_OTHERS_SOURCE] =
        "SELECT source FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 AND source <> ?2 AND source <> 0 LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_ANY_EVENT] =
        "SELECT 1 FROM event INDEXED BY event_alert"
        " WHERE alert = ?1 AND source = ?2 LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_OLDEST_EVENT] =
        "SELECT since, received FROM event WHERE seq IN ("
        "SELECT min(head) FROM alert INDEXED BY alert_ready"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_READY
        " AND urgency = ?2"
        " UNION ALL SELECT min(head) FROM alert INDEXED BY alert_taken"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_TAKEN
        " AND urgency = ?2"
        " UNION ALL SELECT min(head) FROM alert INDEXED BY alert_waiting"
        " WHERE source = ?1 AND " NGX_HTTP_ILERT_SQLITE_IS_WAITING
        " AND urgency = ?2)",

    [NGX_HTTP_ILERT_SQLITE_MIN_URGENCY] =
        "SELECT min(urgency) FROM"
        " (SELECT urgency FROM event INDEXED BY event_alert"
         " WHERE alert = ?1 ORDER BY seq LIMIT ?2)",

    [NGX_HTTP_ILERT_SQLITE_ADD_EVENT] =
        "INSERT INTO event (seq, alert, body"
        NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_NAME)
        ") VALUES (?, ?, ?"
        NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_VALUE) ")",

    [NGX_HTTP_ILERT_SQLITE_SET_EVENT] =
        "UPDATE event SET body = ?"
        NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_SET)
        " WHERE seq = ?",

    [NGX_HTTP_ILERT_SQLITE_SET_URGENCY] =
        "UPDATE event SET urgency = ?2, freed = ?3 WHERE seq = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_ATTEMPT] =
        "UPDATE event SET attempts = attempts + 1, again = ?2"
        " WHERE seq = ?1",

    [NGX_HTTP_ILERT_SQLITE_DELETE_EVENT] = "DELETE FROM event WHERE seq = ?1",

    [NGX_HTTP_ILERT_SQLITE_NAME_EVENTS] =
        "UPDATE event SET source = ?2 WHERE alert = ?1 AND source = 0",

    [NGX_HTTP_ILERT_SQLITE_MOVE_EVENTS] =
        "UPDATE event SET alert = ?2 WHERE alert = ?1",

    [NGX_HTTP_ILERT_SQLITE_MOVE_OF_SOURCE] =
        "UPDATE event SET alert = ?2 WHERE alert = ?1 AND source = ?3",

    /* dead letters; the oldest ones include those whose source is missing */

    [NGX_HTTP_ILERT_SQLITE_FIND_LETTER] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM dead INDEXED BY dead_id JOIN source ON source.id = dead.source"
        " WHERE dead.id = ?2 ORDER BY dead.seq DESC LIMIT 1",

    [NGX_HTTP_ILERT_SQLITE_GET_LETTER] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM dead JOIN source ON source.id = dead.source"
        " WHERE dead.seq = ?2",

    [NGX_HTTP_ILERT_SQLITE_LIST_LETTERS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM source"
        " CROSS JOIN dead INDEXED BY dead_source ON dead.source = source.id"
        " WHERE source.id = ?2 AND (dead.died, dead.seq) > (?3, ?4)"
        " ORDER BY dead.died, dead.seq LIMIT ?5",

    [NGX_HTTP_ILERT_SQLITE_OLDEST_LETTERS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM dead INDEXED BY dead_died"
        " LEFT JOIN source ON source.id = dead.source"
        " ORDER BY dead.died LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LATEST_LETTERS] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM dead INDEXED BY dead_died"
        " JOIN source ON source.id = dead.source"
        " ORDER BY dead.died DESC, dead.seq DESC LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LATEST_OF_SOURCE] =
        NGX_HTTP_ILERT_SQLITE_SELECT_LETTER
        " FROM source"
        " CROSS JOIN dead INDEXED BY dead_source ON dead.source = source.id"
        " WHERE source.id = ?2"
        " ORDER BY dead.died DESC, dead.seq DESC LIMIT ?3",

    [NGX_HTTP_ILERT_SQLITE_ADD_LETTER] =
        "INSERT OR REPLACE INTO dead (seq, body"
        NGX_HTTP_ILERT_SQLITE_LETTER(NGX_HTTP_ILERT_SQLITE_NAME)
        ") VALUES (?, ?"
        NGX_HTTP_ILERT_SQLITE_LETTER(NGX_HTTP_ILERT_SQLITE_VALUE) ")",

    [NGX_HTTP_ILERT_SQLITE_DELETE_LETTER] = "DELETE FROM dead WHERE seq = ?1",

    /* refused webhooks */

    [NGX_HTTP_ILERT_SQLITE_FIND_REFUSED] =
        NGX_HTTP_ILERT_SQLITE_SELECT_REFUSED " FROM refused WHERE id = ?2",

    [NGX_HTTP_ILERT_SQLITE_OLDEST_REFUSED] =
        NGX_HTTP_ILERT_SQLITE_SELECT_REFUSED
        " FROM refused ORDER BY id LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_LATEST_REFUSED] =
        NGX_HTTP_ILERT_SQLITE_SELECT_REFUSED
        " FROM refused ORDER BY id DESC LIMIT ?2",

    [NGX_HTTP_ILERT_SQLITE_ADD_REFUSED] =
        "INSERT INTO refused (time, status, size, bytes, address, location,"
        " error, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",

    [NGX_HTTP_ILERT_SQLITE_DELETE_REFUSED] =
        "DELETE FROM refused WHERE id = ?1",

    /*
     * What was heard.  The alert and the topic, which are in indexes, change
     * seldom, so they have their own statements, as above.
     */

    [NGX_HTTP_ILERT_SQLITE_GET_HEARD] =
        NGX_HTTP_ILERT_SQLITE_SELECT_HEARD " WHERE key = ?1",

    [NGX_HTTP_ILERT_SQLITE_HEARD_OF_ALERT] =
        NGX_HTTP_ILERT_SQLITE_SELECT_HEARD " INDEXED BY heard_alert"
        " WHERE alert = ?1 AND alert > 0" NGX_HTTP_ILERT_SQLITE_HEARD_AFTER,

    [NGX_HTTP_ILERT_SQLITE_HEARD_OF_TOPIC] =
        NGX_HTTP_ILERT_SQLITE_SELECT_HEARD " INDEXED BY heard_topic"
        " WHERE topic = ?1 AND topic > 0" NGX_HTTP_ILERT_SQLITE_HEARD_AFTER,

    [NGX_HTTP_ILERT_SQLITE_LIST_HEARD] =
        NGX_HTTP_ILERT_SQLITE_SELECT_HEARD
        " INDEXED BY sqlite_autoindex_heard_1"
        " WHERE ?1 = 0" NGX_HTTP_ILERT_SQLITE_HEARD_AFTER,

    [NGX_HTTP_ILERT_SQLITE_ADD_HEARD] =
        "INSERT OR REPLACE INTO heard (key, place, kid, task, time, level, at,"
        " alert, topic, ignored, over, digests)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",

    [NGX_HTTP_ILERT_SQLITE_SET_HEARD] =
        "UPDATE heard SET task = ?2, time = ?3, level = ?4, at = ?5,"
        " ignored = ?6, over = ?7, digests = ?8 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_HEARD_ALERT] =
        "UPDATE heard SET alert = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_SET_HEARD_TOPIC] =
        "UPDATE heard SET topic = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_DELETE_HEARD] = "DELETE FROM heard WHERE key = ?1",

    [NGX_HTTP_ILERT_SQLITE_LIST_TOPICS] =
        "SELECT id, kapacitor, name, gone FROM topic ORDER BY id",

    [NGX_HTTP_ILERT_SQLITE_ADD_TOPIC] =
        "INSERT OR REPLACE INTO topic (kapacitor, name, gone)"
        " VALUES (?1, ?2, ?3)",

    [NGX_HTTP_ILERT_SQLITE_SET_TOPIC] =
        "UPDATE topic SET gone = ?2 WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_DELETE_TOPIC] = "DELETE FROM topic WHERE id = ?1",

    /* silences, and digests */

    [NGX_HTTP_ILERT_SQLITE_LIST_SILENCES] =
        "SELECT id, source, owner, pattern, begins, ends, comment"
        " FROM silence ORDER BY id",

    [NGX_HTTP_ILERT_SQLITE_ADD_SILENCE] =
        "INSERT INTO silence (source, owner, pattern, begins, ends, comment)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",

    [NGX_HTTP_ILERT_SQLITE_DELETE_SILENCE] =
        "DELETE FROM silence WHERE id = ?1",

    [NGX_HTTP_ILERT_SQLITE_LIST_DIGESTS] =
        "SELECT digest.source, source.name, opened, changed, told, calm,"
        " refilled, tokens, urgent, alone FROM digest"
        " JOIN source ON source.id = digest.source ORDER BY digest.source",

    [NGX_HTTP_ILERT_SQLITE_ADD_DIGEST] =
        "INSERT OR IGNORE INTO digest (source, opened, changed, told, calm,"
        " refilled, tokens, urgent, alone)"
        " VALUES (?1, 0, 0, 0, 0, 0, 0, 0, x'')",

    [NGX_HTTP_ILERT_SQLITE_SET_DIGEST] =
        "UPDATE digest SET opened = ?2, changed = ?3, told = ?4, calm = ?5,"
        " refilled = ?6, tokens = ?7, urgent = ?8, alone = ?9"
        " WHERE source = ?1",

    [NGX_HTTP_ILERT_SQLITE_DELETE_DIGEST] =
        "DELETE FROM digest WHERE source = ?1"
};


int
ngx_http_ilert_sqlite_prepare(ngx_http_ilert_sqlite_db_t *db)
{
    int          rc;
    char         sql[64];
    ngx_uint_t   n;
    const char  *text;

    for (n = 0; n < NGX_HTTP_ILERT_SQLITE_NSTMTS; n++) {

        text = ngx_http_ilert_sqlite_sql[n];

        if (n <= NGX_HTTP_ILERT_SQLITE_LIMIT_ALL) {
            sqlite3_snprintf(sizeof(sql), sql, text, db->pages[n]);
            text = sql;
        }

        rc = sqlite3_prepare_v3(db->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                                &db->stmts[n], NULL);
        if (rc == SQLITE_ERROR) {
            /* the database lacks a table, a column, or an index */
            rc = NGX_HTTP_ILERT_SQLITE_FOREIGN;
        }

        if (rc != SQLITE_OK) {
            return ngx_http_ilert_sqlite_error(db, rc);
        }
    }

    return SQLITE_OK;
}


void
ngx_http_ilert_sqlite_finalize(ngx_http_ilert_sqlite_db_t *db)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_ILERT_SQLITE_NSTMTS; n++) {
        (void) sqlite3_finalize(db->stmts[n]);
        db->stmts[n] = NULL;
    }
}


static sqlite3_stmt *
ngx_http_ilert_sqlite_bind(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
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


int
ngx_http_ilert_sqlite_row(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    sqlite3_stmt **stmt, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    *stmt = ngx_http_ilert_sqlite_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_sqlite_next(db, *stmt);
}


int
ngx_http_ilert_sqlite_next(ngx_http_ilert_sqlite_db_t *db, sqlite3_stmt *stmt)
{
    int  rc;

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        return SQLITE_OK;
    }

    rc = (rc == SQLITE_DONE) ? NGX_HTTP_ILERT_SQLITE_MISSING
                             : ngx_http_ilert_sqlite_error(db, rc);

    ngx_http_ilert_sqlite_end(stmt);

    return rc;
}


void
ngx_http_ilert_sqlite_end(sqlite3_stmt *stmt)
{
    (void) sqlite3_reset(stmt);
}


static int
ngx_http_ilert_sqlite_step(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
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
        rc = value ? NGX_HTTP_ILERT_SQLITE_MISSING : SQLITE_OK;

    } else {
        rc = ngx_http_ilert_sqlite_error(db, rc);
    }

    (void) sqlite3_reset(stmt);

    return rc;
}


int
ngx_http_ilert_sqlite_exec(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_sqlite_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_sqlite_step(db, n, NULL);
}


int
ngx_http_ilert_sqlite_get(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    int64_t *value, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_sqlite_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_sqlite_step(db, n, value);
}


int
ngx_http_ilert_sqlite_write(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    (void) ngx_http_ilert_sqlite_bind(db, n, fmt, args);
    va_end(args);

    return ngx_http_ilert_sqlite_run(db, n);
}


int
ngx_http_ilert_sqlite_run(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n)
{
    int  rc;

    rc = ngx_http_ilert_sqlite_limit(db);

    return (rc == SQLITE_OK) ? ngx_http_ilert_sqlite_step(db, n, NULL) : rc;
}


/* SQLite returns NULL for an empty text. */

void
ngx_http_ilert_sqlite_text(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_str_t *text)
{
    text->data = (u_char *) sqlite3_column_blob(stmt, column);
    text->len = sqlite3_column_bytes(stmt, column);

    if (text->data == NULL) {
        ngx_str_set(text, "");
    }
}


ngx_int_t
ngx_http_ilert_sqlite_copy(ngx_pool_t *pool, sqlite3_stmt *stmt,
    ngx_uint_t column, ngx_str_t *text)
{
    ngx_str_t  value;

    ngx_http_ilert_sqlite_text(stmt, column, &value);

    text->data = ngx_pnalloc(pool, value.len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = value.len;
    ngx_memcpy(text->data, value.data, value.len);

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_sqlite_unpack(sqlite3_stmt *stmt, ngx_uint_t column,
    uint64_t *numbers, ngx_uint_t max)
{
    u_char      *p;
    uint64_t     number;
    ngx_int_t    i;
    ngx_str_t    bytes;
    ngx_uint_t   k, n;

    ngx_http_ilert_sqlite_text(stmt, column, &bytes);

    n = bytes.len / NGX_HTTP_ILERT_SQLITE_UNIT;
    max = ngx_min(n, max);

    p = bytes.data + (n - max) * NGX_HTTP_ILERT_SQLITE_UNIT;

    for (k = 0; k < max; k++) {

        number = 0;

        for (i = NGX_HTTP_ILERT_SQLITE_UNIT - 1; i >= 0; i--) {
            number = number << 8 | p[i];
        }

        numbers[k] = number;

        p += NGX_HTTP_ILERT_SQLITE_UNIT;
    }

    return max;
}


void
ngx_http_ilert_sqlite_pack(uint64_t *numbers, ngx_uint_t n, u_char *buf,
    ngx_str_t *bytes)
{
    u_char      *p;
    uint64_t     number;
    ngx_uint_t   i, k;

    p = buf;

    for (k = 0; k < n; k++) {

        number = numbers[k];

        for (i = 0; i < NGX_HTTP_ILERT_SQLITE_UNIT; i++) {
            *p++ = (u_char) (number & 0xff);
            number >>= 8;
        }
    }

    bytes->data = buf;
    bytes->len = p - buf;
}


/*
 * If the limit is lower than the number of pages, SQLite sets it to that
 * number, so that the database does not grow.  Another process may have let it
 * grow since, so such a limit is set anew each time.
 */

int
ngx_http_ilert_sqlite_limit(ngx_http_ilert_sqlite_db_t *db)
{
    int         rc;
    int64_t     pages;
    ngx_uint_t  n;

    n = NGX_HTTP_ILERT_SQLITE_LIMIT_ALL;

    if (db->accepts) {
        n = db->low ? NGX_HTTP_ILERT_SQLITE_LIMIT_SIZE
                    : NGX_HTTP_ILERT_SQLITE_LIMIT_ACCEPTS;
    }

    if (n == db->limit) {
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_sqlite_get(db, n, &pages, "");

    db->limit = (rc == SQLITE_OK && pages == db->pages[n])
                ? n : NGX_HTTP_ILERT_SQLITE_NSTMTS;

    return rc;
}
