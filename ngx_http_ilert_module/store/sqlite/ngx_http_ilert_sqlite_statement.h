
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_SQLITE_STATEMENT_H_INCLUDED_
#define _NGX_HTTP_ILERT_SQLITE_STATEMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <sqlite3.h>

#include "ngx_http_ilert_store.h"


typedef ngx_http_ilert_backend_data_t  ngx_http_ilert_sqlite_db_t;


/*
 * The columns of an alert that are numbers.  Each one has the name of a member
 * of store_row_t.  Those of "OFTEN", and "state", change with each event.  The
 * others change seldom; they are in indexes, which makes changes expensive.
 */

#define NGX_HTTP_ILERT_SQLITE_OFTEN(COLUMN)                                   \
    COLUMN(HEAD, head)                                                        \
    COLUMN(URGENCY, urgency)                                                  \
    COLUMN(NEXT, next)                                                        \
    COLUMN(SINCE, since)                                                      \
    COLUMN(SHOWS, shows)                                                      \
    COLUMN(EPOCH, epoch)                                                      \
    COLUMN(LEVEL, level)                                                      \
    COLUMN(PRIORITY, priority)                                                \
    COLUMN(TOLD, told)                                                        \
    COLUMN(DELIVERED, delivered)                                              \
    COLUMN(LAST, last)                                                        \
    COLUMN(CHANGED, changed)                                                  \
    COLUMN(ACCEPTED, accepted)                                                \
    COLUMN(GONE, gone)                                                        \
    COLUMN(SILENCE, silence)                                                  \
    COLUMN(MESSAGE, message)                                                  \
    COLUMN(LOWERED, lowered)                                                  \
    COLUMN(SEVERITY, severity)

#define NGX_HTTP_ILERT_SQLITE_ROW(COLUMN)                                     \
    COLUMN(SOURCE, source)                                                    \
    COLUMN(OWNER, owner)                                                      \
    COLUMN(OPENED, opened)                                                    \
    COLUMN(BAD, bad)                                                          \
    COLUMN(BEGUN, begun)                                                      \
    COLUMN(NAMED, named)                                                      \
    COLUMN(STATE, state)                                                      \
    NGX_HTTP_ILERT_SQLITE_OFTEN(COLUMN)

/* the columns of an event, without its alert, its seq and its body */

#define NGX_HTTP_ILERT_SQLITE_EVENT(COLUMN)                                   \
    COLUMN(ID, id)                                                            \
    COLUMN(TYPE, type)                                                        \
    COLUMN(LEVEL, level)                                                      \
    COLUMN(PRIORITY, priority)                                                \
    COLUMN(NATIVE, native)                                                    \
    COLUMN(RECEIVED, received)                                                \
    COLUMN(ATTEMPTS, attempts)                                                \
    COLUMN(SINCE, since)                                                      \
    COLUMN(URGENCY, urgency)                                                  \
    COLUMN(SOURCE, source)                                                    \
    COLUMN(AGAIN, again)                                                      \
    COLUMN(OWN, own)                                                          \
    COLUMN(MESSAGE, message)                                                  \
    COLUMN(FREED, freed)                                                      \
    COLUMN(SEVERITY, severity)

/* the columns of a dead letter, without its seq and its body */

#define NGX_HTTP_ILERT_SQLITE_LETTER(COLUMN)                                  \
    COLUMN(ID, id)                                                            \
    COLUMN(SOURCE, source)                                                    \
    COLUMN(ALERT_KEY, alert_key)                                              \
    COLUMN(TYPE, type)                                                        \
    COLUMN(LEVEL, level)                                                      \
    COLUMN(NATIVE, native)                                                    \
    COLUMN(PRIORITY, priority)                                                \
    COLUMN(RECEIVED, received)                                                \
    COLUMN(DIED, died)                                                        \
    COLUMN(STATUS, status)                                                    \
    COLUMN(ERROR, error)


/* indexes of the columns in rows of statements that select them */

#define NGX_HTTP_ILERT_SQLITE_ALERT_ENUM(NAME, name)                          \
    NGX_HTTP_ILERT_SQLITE_ALERT_##NAME,

#define NGX_HTTP_ILERT_SQLITE_EVENT_ENUM(NAME, name)                          \
    NGX_HTTP_ILERT_SQLITE_EVENT_##NAME,

#define NGX_HTTP_ILERT_SQLITE_LETTER_ENUM(NAME, name)                         \
    NGX_HTTP_ILERT_SQLITE_LETTER_##NAME,

enum {
    NGX_HTTP_ILERT_SQLITE_ALERT_ID = 0,
    NGX_HTTP_ILERT_SQLITE_ALERT_KEY,
    NGX_HTTP_ILERT_SQLITE_ALERT_ALERT_KEY,
    NGX_HTTP_ILERT_SQLITE_ALERT_SUMMARY,
    NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_ALERT_ENUM)

    /* in lists of idle alerts only: 1 if the last event is a dead letter */

    NGX_HTTP_ILERT_SQLITE_ALERT_LETTER
};

enum {
    NGX_HTTP_ILERT_SQLITE_EVENT_SEQ = 0,
    NGX_HTTP_ILERT_SQLITE_EVENT_SIZE,       /* of the body */
    NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_EVENT_ENUM)

    /* in edges only: the body, or NULL */

    NGX_HTTP_ILERT_SQLITE_EVENT_BODY
};

enum {
    NGX_HTTP_ILERT_SQLITE_LETTER_SEQ = 0,
    NGX_HTTP_ILERT_SQLITE_LETTER_SIZE,      /* of the body */
    NGX_HTTP_ILERT_SQLITE_LETTER_BODY,      /* NULL: it was not asked for */
    NGX_HTTP_ILERT_SQLITE_LETTER_NAME,      /* of its source */
    NGX_HTTP_ILERT_SQLITE_LETTER(NGX_HTTP_ILERT_SQLITE_LETTER_ENUM)
};

enum {
    NGX_HTTP_ILERT_SQLITE_REFUSED_ID = 0,
    NGX_HTTP_ILERT_SQLITE_REFUSED_TIME,
    NGX_HTTP_ILERT_SQLITE_REFUSED_STATUS,
    NGX_HTTP_ILERT_SQLITE_REFUSED_SIZE,     /* of the body as it came */
    NGX_HTTP_ILERT_SQLITE_REFUSED_BYTES,
    NGX_HTTP_ILERT_SQLITE_REFUSED_ADDRESS,
    NGX_HTTP_ILERT_SQLITE_REFUSED_LOCATION,
    NGX_HTTP_ILERT_SQLITE_REFUSED_ERROR,
    NGX_HTTP_ILERT_SQLITE_REFUSED_BODY      /* NULL: it was not asked for */
};

enum {
    NGX_HTTP_ILERT_SQLITE_HEARD_ID = 0,
    NGX_HTTP_ILERT_SQLITE_HEARD_KEY,
    NGX_HTTP_ILERT_SQLITE_HEARD_PLACE,
    NGX_HTTP_ILERT_SQLITE_HEARD_KID,
    NGX_HTTP_ILERT_SQLITE_HEARD_TASK,
    NGX_HTTP_ILERT_SQLITE_HEARD_TIME,
    NGX_HTTP_ILERT_SQLITE_HEARD_LEVEL,
    NGX_HTTP_ILERT_SQLITE_HEARD_AT,
    NGX_HTTP_ILERT_SQLITE_HEARD_ALERT,
    NGX_HTTP_ILERT_SQLITE_HEARD_TOPIC,
    NGX_HTTP_ILERT_SQLITE_HEARD_IGNORED,
    NGX_HTTP_ILERT_SQLITE_HEARD_OVER,
    NGX_HTTP_ILERT_SQLITE_HEARD_DIGESTS
};

enum {
    NGX_HTTP_ILERT_SQLITE_TOPIC_ID = 0,
    NGX_HTTP_ILERT_SQLITE_TOPIC_KAPACITOR,
    NGX_HTTP_ILERT_SQLITE_TOPIC_NAME,
    NGX_HTTP_ILERT_SQLITE_TOPIC_GONE
};

enum {
    NGX_HTTP_ILERT_SQLITE_SILENCE_ID = 0,
    NGX_HTTP_ILERT_SQLITE_SILENCE_SOURCE,
    NGX_HTTP_ILERT_SQLITE_SILENCE_OWNER,
    NGX_HTTP_ILERT_SQLITE_SILENCE_PATTERN,
    NGX_HTTP_ILERT_SQLITE_SILENCE_BEGINS,
    NGX_HTTP_ILERT_SQLITE_SILENCE_ENDS,
    NGX_HTTP_ILERT_SQLITE_SILENCE_COMMENT
};

enum {
    NGX_HTTP_ILERT_SQLITE_DIGEST_SOURCE = 0,
    NGX_HTTP_ILERT_SQLITE_DIGEST_NAME,      /* of its source */
    NGX_HTTP_ILERT_SQLITE_DIGEST_OPENED,
    NGX_HTTP_ILERT_SQLITE_DIGEST_CHANGED,
    NGX_HTTP_ILERT_SQLITE_DIGEST_TOLD,
    NGX_HTTP_ILERT_SQLITE_DIGEST_CALM,
    NGX_HTTP_ILERT_SQLITE_DIGEST_REFILLED,
    NGX_HTTP_ILERT_SQLITE_DIGEST_TOKENS,
    NGX_HTTP_ILERT_SQLITE_DIGEST_URGENT,
    NGX_HTTP_ILERT_SQLITE_DIGEST_ALONE
};

enum {
    NGX_HTTP_ILERT_SQLITE_SOURCE_ID = 0,
    NGX_HTTP_ILERT_SQLITE_SOURCE_NAME,
    NGX_HTTP_ILERT_SQLITE_SOURCE_OWNER,
    NGX_HTTP_ILERT_SQLITE_SOURCE_PAUSED,
    NGX_HTTP_ILERT_SQLITE_SOURCE_REFUSALS,

    /* in lists only: counts of events by urgency, and other counts */

    NGX_HTTP_ILERT_SQLITE_SOURCE_CRITICAL,
    NGX_HTTP_ILERT_SQLITE_SOURCE_RESOLVES,
    NGX_HTTP_ILERT_SQLITE_SOURCE_OPENS,
    NGX_HTTP_ILERT_SQLITE_SOURCE_UPDATES,
    NGX_HTTP_ILERT_SQLITE_SOURCE_REPEATS,
    NGX_HTTP_ILERT_SQLITE_SOURCE_HELD,
    NGX_HTTP_ILERT_SQLITE_SOURCE_SILENCED,
    NGX_HTTP_ILERT_SQLITE_SOURCE_LISTED,
    NGX_HTTP_ILERT_SQLITE_SOURCE_OPEN,
    NGX_HTTP_ILERT_SQLITE_SOURCE_DEAD
};


/* the statements; the first three are also indexes of db->pages */

typedef enum {
    NGX_HTTP_ILERT_SQLITE_LIMIT_ACCEPTS = 0,
    NGX_HTTP_ILERT_SQLITE_LIMIT_SIZE,
    NGX_HTTP_ILERT_SQLITE_LIMIT_ALL,
    NGX_HTTP_ILERT_SQLITE_PAGES,
    NGX_HTTP_ILERT_SQLITE_FREE_PAGES,

    NGX_HTTP_ILERT_SQLITE_BEGIN,
    NGX_HTTP_ILERT_SQLITE_BEGIN_READ,
    NGX_HTTP_ILERT_SQLITE_COMMIT,
    NGX_HTTP_ILERT_SQLITE_ROLLBACK,

    NGX_HTTP_ILERT_SQLITE_GET_TOTAL,
    NGX_HTTP_ILERT_SQLITE_GET_NUMBERS,
    NGX_HTTP_ILERT_SQLITE_SET_TOTAL,
    NGX_HTTP_ILERT_SQLITE_ADD_SESSION,
    NGX_HTTP_ILERT_SQLITE_END_SESSION,
    NGX_HTTP_ILERT_SQLITE_END_OTHERS,

    NGX_HTTP_ILERT_SQLITE_GET_SOURCE,
    NGX_HTTP_ILERT_SQLITE_GET_SOURCE_OF_ID,
    NGX_HTTP_ILERT_SQLITE_HAS_STRAYS,
    NGX_HTTP_ILERT_SQLITE_LIST_SOURCES,
    NGX_HTTP_ILERT_SQLITE_NEXT_SOURCE,
    NGX_HTTP_ILERT_SQLITE_ADD_SOURCE,
    NGX_HTTP_ILERT_SQLITE_SET_SOURCE,
    NGX_HTTP_ILERT_SQLITE_COUNT_SOURCE,
    NGX_HTTP_ILERT_SQLITE_LIST_WAITING,
    NGX_HTTP_ILERT_SQLITE_COUNT_OPENED,

    NGX_HTTP_ILERT_SQLITE_GET_BUDGET,
    NGX_HTTP_ILERT_SQLITE_ADD_BUDGET,
    NGX_HTTP_ILERT_SQLITE_SET_BUDGET,
    NGX_HTTP_ILERT_SQLITE_COUNT_TAKEN,
    NGX_HTTP_ILERT_SQLITE_LIST_SLOTS,
    NGX_HTTP_ILERT_SQLITE_FREE_SLOTS,
    NGX_HTTP_ILERT_SQLITE_END_SLOTS,
    NGX_HTTP_ILERT_SQLITE_END_ALL_SLOTS,
    NGX_HTTP_ILERT_SQLITE_LATE_SLOTS,
    NGX_HTTP_ILERT_SQLITE_EXPIRE_SLOTS,
    NGX_HTTP_ILERT_SQLITE_ADD_SLOT,
    NGX_HTTP_ILERT_SQLITE_FORGET_SLOTS,

    NGX_HTTP_ILERT_SQLITE_GET_ALERT,
    NGX_HTTP_ILERT_SQLITE_FIND_ALERT,
    NGX_HTTP_ILERT_SQLITE_FIND_OF_SOURCE,
    NGX_HTTP_ILERT_SQLITE_LIST_READY,
    NGX_HTTP_ILERT_SQLITE_LIST_STRANGE,
    NGX_HTTP_ILERT_SQLITE_LIST_TAKEN,
    NGX_HTTP_ILERT_SQLITE_LIST_DUE,
    NGX_HTTP_ILERT_SQLITE_LIST_TIMED,
    NGX_HTTP_ILERT_SQLITE_LIST_HELD,
    NGX_HTTP_ILERT_SQLITE_LIST_BAD,
    NGX_HTTP_ILERT_SQLITE_COUNT_BAD,
    NGX_HTTP_ILERT_SQLITE_LIST_OPEN,
    NGX_HTTP_ILERT_SQLITE_LIST_SILENT,
    NGX_HTTP_ILERT_SQLITE_LIST_OVER,
    NGX_HTTP_ILERT_SQLITE_LIST_OPENED,
    NGX_HTTP_ILERT_SQLITE_LIST_STRAYS,
    NGX_HTTP_ILERT_SQLITE_LIST_ALL_STRAYS,
    NGX_HTTP_ILERT_SQLITE_LIST_ALERTS,
    NGX_HTTP_ILERT_SQLITE_ADD_ALERT,
    NGX_HTTP_ILERT_SQLITE_SET_ALERT,
    NGX_HTTP_ILERT_SQLITE_SET_STATE,
    NGX_HTTP_ILERT_SQLITE_SET_NEXT,
    NGX_HTTP_ILERT_SQLITE_SET_ALERT_OPENED,
    NGX_HTTP_ILERT_SQLITE_SET_KEY,
    NGX_HTTP_ILERT_SQLITE_SET_ALERT_SOURCE,
    NGX_HTTP_ILERT_SQLITE_SET_OWNER,
    NGX_HTTP_ILERT_SQLITE_SET_BAD,
    NGX_HTTP_ILERT_SQLITE_SET_NAMED,
    NGX_HTTP_ILERT_SQLITE_SET_SUMMARY,
    NGX_HTTP_ILERT_SQLITE_DELETE_ALERT,
    NGX_HTTP_ILERT_SQLITE_GET_DUE,
    NGX_HTTP_ILERT_SQLITE_HAS_RETRIES,

    NGX_HTTP_ILERT_SQLITE_FIRST_EVENTS,
    NGX_HTTP_ILERT_SQLITE_LAST_EVENTS,
    NGX_HTTP_ILERT_SQLITE_GET_BODY,
    NGX_HTTP_ILERT_SQLITE_LIST_EVENTS,
    NGX_HTTP_ILERT_SQLITE_LATEST_EVENTS,
    NGX_HTTP_ILERT_SQLITE_NEXT_WAITING,
    NGX_HTTP_ILERT_SQLITE_ALERT_OF_HEAD,
    NGX_HTTP_ILERT_SQLITE_OTHERS_SOURCE,
    NGX_HTTP_ILERT_SQLITE_ANY_EVENT,
    NGX_HTTP_ILERT_SQLITE_OLDEST_EVENT,
    NGX_HTTP_ILERT_SQLITE_MIN_URGENCY,
    NGX_HTTP_ILERT_SQLITE_ADD_EVENT,
    NGX_HTTP_ILERT_SQLITE_SET_EVENT,
    NGX_HTTP_ILERT_SQLITE_SET_URGENCY,
    NGX_HTTP_ILERT_SQLITE_SET_ATTEMPT,
    NGX_HTTP_ILERT_SQLITE_DELETE_EVENT,
    NGX_HTTP_ILERT_SQLITE_NAME_EVENTS,
    NGX_HTTP_ILERT_SQLITE_MOVE_EVENTS,
    NGX_HTTP_ILERT_SQLITE_MOVE_OF_SOURCE,

    NGX_HTTP_ILERT_SQLITE_FIND_LETTER,
    NGX_HTTP_ILERT_SQLITE_GET_LETTER,
    NGX_HTTP_ILERT_SQLITE_LIST_LETTERS,
    NGX_HTTP_ILERT_SQLITE_OLDEST_LETTERS,
    NGX_HTTP_ILERT_SQLITE_LATEST_LETTERS,
    NGX_HTTP_ILERT_SQLITE_LATEST_OF_SOURCE,
    NGX_HTTP_ILERT_SQLITE_ADD_LETTER,
    NGX_HTTP_ILERT_SQLITE_DELETE_LETTER,

    NGX_HTTP_ILERT_SQLITE_FIND_REFUSED,
    NGX_HTTP_ILERT_SQLITE_OLDEST_REFUSED,
    NGX_HTTP_ILERT_SQLITE_LATEST_REFUSED,
    NGX_HTTP_ILERT_SQLITE_ADD_REFUSED,
    NGX_HTTP_ILERT_SQLITE_DELETE_REFUSED,

    NGX_HTTP_ILERT_SQLITE_GET_HEARD,
    NGX_HTTP_ILERT_SQLITE_HEARD_OF_ALERT,
    NGX_HTTP_ILERT_SQLITE_HEARD_OF_TOPIC,
    NGX_HTTP_ILERT_SQLITE_LIST_HEARD,
    NGX_HTTP_ILERT_SQLITE_ADD_HEARD,
    NGX_HTTP_ILERT_SQLITE_SET_HEARD,
    NGX_HTTP_ILERT_SQLITE_SET_HEARD_ALERT,
    NGX_HTTP_ILERT_SQLITE_SET_HEARD_TOPIC,
    NGX_HTTP_ILERT_SQLITE_DELETE_HEARD,

    NGX_HTTP_ILERT_SQLITE_LIST_TOPICS,
    NGX_HTTP_ILERT_SQLITE_ADD_TOPIC,
    NGX_HTTP_ILERT_SQLITE_SET_TOPIC,
    NGX_HTTP_ILERT_SQLITE_DELETE_TOPIC,

    NGX_HTTP_ILERT_SQLITE_LIST_SILENCES,
    NGX_HTTP_ILERT_SQLITE_ADD_SILENCE,
    NGX_HTTP_ILERT_SQLITE_DELETE_SILENCE,

    NGX_HTTP_ILERT_SQLITE_LIST_DIGESTS,
    NGX_HTTP_ILERT_SQLITE_ADD_DIGEST,
    NGX_HTTP_ILERT_SQLITE_SET_DIGEST,
    NGX_HTTP_ILERT_SQLITE_DELETE_DIGEST,

    NGX_HTTP_ILERT_SQLITE_NSTMTS
} ngx_http_ilert_sqlite_stmt_e;


/* These prepare, or finalize, all statements of the connection. */
int ngx_http_ilert_sqlite_prepare(ngx_http_ilert_sqlite_db_t *db);
void ngx_http_ilert_sqlite_finalize(ngx_http_ilert_sqlite_db_t *db);

/*
 * These run statements.  "n" is a ngx_http_ilert_sqlite_stmt_e.  "fmt" has
 * a letter for each argument: "i" is an int64_t, "t" is an ngx_str_t * of
 * text, and "b" is an ngx_str_t * of bytes; these strings must live until the
 * statement has ended.
 *
 * row() runs a statement up to its first row, and next() up to the next one.
 * They return NGX_HTTP_ILERT_SQLITE_MISSING, and end the statement, if there
 * is no row.  A caller that wants no more rows calls end().
 */
int ngx_http_ilert_sqlite_row(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    sqlite3_stmt **stmt, const char *fmt, ...);
int ngx_http_ilert_sqlite_next(ngx_http_ilert_sqlite_db_t *db,
    sqlite3_stmt *stmt);
void ngx_http_ilert_sqlite_end(sqlite3_stmt *stmt);

/* Runs a statement that has no rows. */
int ngx_http_ilert_sqlite_exec(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    const char *fmt, ...);

/*
 * Sets "value" to the first column of the first row, or returns
 * NGX_HTTP_ILERT_SQLITE_MISSING.
 */
int ngx_http_ilert_sqlite_get(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    int64_t *value, const char *fmt, ...);

/*
 * These run a statement that writes, within the limit on the database's size
 * that db->accepts implies.  For run() the caller has bound the arguments.
 */
int ngx_http_ilert_sqlite_write(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    const char *fmt, ...);
int ngx_http_ilert_sqlite_run(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n);

/*
 * Limits the database's size for what is written from now on.  Accepted events
 * (db->accepts) have a lower limit, so that they leave room for the rest.
 */
int ngx_http_ilert_sqlite_limit(ngx_http_ilert_sqlite_db_t *db);

/*
 * Copies a text, or bytes, of a row to the pool.  Returns NGX_OK, or NGX_ERROR
 * if there is no memory.
 */
ngx_int_t ngx_http_ilert_sqlite_copy(ngx_pool_t *pool, sqlite3_stmt *stmt,
    ngx_uint_t column, ngx_str_t *text);

/* Sets "text" without a copy: it is valid until next() or end(). */
void ngx_http_ilert_sqlite_text(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_str_t *text);

/*
 * Several numbers in one column, as bytes that are the same on all machines.
 * unpack() reads the last ones that are whole, at most "max" of them, and
 * returns their number.  pack() writes .._UNIT bytes for each one to "buf".
 */

#define NGX_HTTP_ILERT_SQLITE_UNIT   8

ngx_uint_t ngx_http_ilert_sqlite_unpack(sqlite3_stmt *stmt, ngx_uint_t column,
    uint64_t *numbers, ngx_uint_t max);
void ngx_http_ilert_sqlite_pack(uint64_t *numbers, ngx_uint_t n, u_char *buf,
    ngx_str_t *bytes);


#endif /* _NGX_HTTP_ILERT_SQLITE_STATEMENT_H_INCLUDED_ */
