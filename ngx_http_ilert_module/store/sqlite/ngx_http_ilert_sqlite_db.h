
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_SQLITE_DB_H_INCLUDED_
#define _NGX_HTTP_ILERT_SQLITE_DB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <sqlite3.h>

#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_sqlite.h"
#include "ngx_http_ilert_sqlite_statement.h"


/*
 * What the parts of the backend share.  Only they include this.  Each part
 * uses only those below it:
 *
 * sqlite.c            the table of functions, and transactions
 * sqlite_tidy.c       corrects counts, and removes old slots
 * sqlite_select.c     selects records
 * sqlite_load.c       reads records
 * sqlite_save.c       writes what has changed in records
 * sqlite_refused.c    selects, reads and writes refused webhooks
 * sqlite_heard.c      the same of what was heard of Kapacitor's ids, and of
 *                     topics
 * sqlite_digest.c     the same of digests, with the alerts that they list, and
 *                     of silences
 * sqlite_ask.c        finds out what waits if the database cannot be opened
 * sqlite_check.c      finds damage
 * sqlite_file.c       opens, closes and moves the file, and keeps the ballast
 * sqlite_schema.c     makes the tables, or brings them up to date
 * sqlite_lock.c       waits for other processes
 * sqlite_statement.c  has the statements, and runs them
 * sqlite_error.c      keeps the last error, and describes it
 *
 * Functions that return an int return SQLITE_OK, an error code of SQLite's, or
 * one of those below.  What else is known of an error is kept in db.
 */


/* the application id of our databases, "ilrt", by which file(1) tells them */

#define NGX_HTTP_ILERT_SQLITE_APPLICATION  0x696c7274

/* bytes of a page */

#define NGX_HTTP_ILERT_SQLITE_PAGE         4096

/* for how many ms a job, and a query, waits for locks */

#define NGX_HTTP_ILERT_SQLITE_LOCK_TIME    5000
#define NGX_HTTP_ILERT_SQLITE_QUERY_TIME   500

/* the largest seq of an event; a file with a larger one is damaged */

#define NGX_HTTP_ILERT_SQLITE_LAST_SEQ     ((int64_t) 1 << 62)


/* indexes of db->doubted: by which kind of errors the file is in doubt */

#define NGX_HTTP_ILERT_SQLITE_WRITING      0
#define NGX_HTTP_ILERT_SQLITE_READING      1


/* our own error codes; those of SQLite are positive */

#define NGX_HTTP_ILERT_SQLITE_MISSING      -1   /* there is no such row */
#define NGX_HTTP_ILERT_SQLITE_NOMEM        -2
#define NGX_HTTP_ILERT_SQLITE_SYSTEM       -3   /* of the system: db->err */
#define NGX_HTTP_ILERT_SQLITE_FOREIGN      -4   /* it is no queue of ours */
#define NGX_HTTP_ILERT_SQLITE_NEWER        -5   /* the schema is of a later */
                                                /* release */
#define NGX_HTTP_ILERT_SQLITE_NO_WAL       -6   /* there can be no log */
#define NGX_HTTP_ILERT_SQLITE_LOCKED       -7   /* others have the mutex */
#define NGX_HTTP_ILERT_SQLITE_OLDER        -8   /* the schema is older than */
                                                /* the first release */


/*
 * The versions of the schema.  The first step makes the tables of the version
 * "first" in an empty database.  Each other step changes one version to the
 * next.
 */

typedef struct {
    int                      first;
    ngx_uint_t               nsteps;
    const char             **steps;
} ngx_http_ilert_sqlite_schema_t;


/* store->private */

struct ngx_http_ilert_backend_data_s {
    ngx_http_ilert_store_t  *store;

    /* the schema of this release; tests of the steps set another one */

    ngx_http_ilert_sqlite_schema_t  *schema;

    sqlite3                 *db;            /* NULL: not open */
    sqlite3_stmt            *stmts[NGX_HTTP_ILERT_SQLITE_NSTMTS];

    char                    *name;          /* path of the database */
    char                    *ballast;       /* path of the ballast */
    dev_t                    device;        /* of the open database */
    ino_t                    inode;

    ngx_uint_t               limit;         /* the .._LIMIT_.. statement by */
                                            /* which the size is limited, */
                                            /* or .._NSTMTS */
    int64_t                  pages[3];      /* the limits, in pages, by */
                                            /* .._LIMIT_ACCEPTS, and so on */

    int64_t                  tried;         /* when a ballast was tried to */
                                            /* be made */
    int64_t                  deadline;      /* of waiting for locks, by */
                                            /* ngx_http_ilert_clock_msec() */
    unsigned                 accepts:1;     /* what is written belongs to */
                                            /* accepted events */
    unsigned                 locked:1;      /* we have the mutex */
    unsigned                 ballasted:1;   /* the ballast was checked since */
                                            /* we have the lock */
    unsigned                 low:1;         /* the ballast has been used, so */
                                            /* accepts must not let the */
                                            /* database grow */
    unsigned                 damaged:1;     /* reading has found damage */
    unsigned                 reopen:1;      /* the file is opened anew after */
                                            /* a strange error, see */
                                            /* sqlite_check.c */
    int64_t                  doubted[2];    /* since when there are strange */
                                            /* errors, of writing and of */
                                            /* reading; 0: there are none */
    int64_t                  checked;       /* when the file was checked */

    /* the last error */

    int                      rc;            /* an extended code of SQLite, */
                                            /* or one of ours */
    ngx_err_t                err;           /* of the system, or 0 */
    int                      version;       /* of the database's schema */
    char                     message[128];
};


/* sqlite_select.c: functions of backend.h */

ngx_int_t ngx_http_ilert_sqlite_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts);
ngx_int_t ngx_http_ilert_sqlite_events(ngx_http_ilert_store_work_t *work,
    int64_t alert, int64_t seq, ngx_uint_t limit, ngx_array_t *events);
ngx_int_t ngx_http_ilert_sqlite_count(ngx_http_ilert_store_work_t *work,
    int64_t alert, ngx_uint_t limit, int64_t *n, int64_t *received);
ngx_int_t ngx_http_ilert_sqlite_next_waiting(ngx_http_ilert_store_work_t *work,
    int64_t *alert, int64_t *seq);
ngx_int_t ngx_http_ilert_sqlite_others(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
    ngx_uint_t *own);
ngx_int_t ngx_http_ilert_sqlite_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters);
ngx_int_t ngx_http_ilert_sqlite_sources(ngx_http_ilert_store_work_t *work,
    ngx_array_t *sources);
ngx_int_t ngx_http_ilert_sqlite_oldest(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t urgency, int64_t *since);
ngx_int_t ngx_http_ilert_sqlite_due(ngx_http_ilert_store_work_t *work,
    int64_t *due);
ngx_int_t ngx_http_ilert_sqlite_retries(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t *retries);


/* sqlite_load.c: functions of backend.h */

ngx_int_t ngx_http_ilert_sqlite_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_ident_t *source);
ngx_int_t ngx_http_ilert_sqlite_fund(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_fund_t *fund);
ngx_int_t ngx_http_ilert_sqlite_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund);
ngx_int_t ngx_http_ilert_sqlite_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key,
    ngx_http_ilert_store_alert_t **alert);
ngx_int_t ngx_http_ilert_sqlite_alert_of_id(ngx_http_ilert_store_work_t *work,
    int64_t id, ngx_http_ilert_store_alert_t **alert);
ngx_int_t ngx_http_ilert_sqlite_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);
ngx_int_t ngx_http_ilert_sqlite_alert_of_head(
    ngx_http_ilert_store_work_t *work, int64_t seq, int64_t *alert,
    ngx_http_ilert_store_ident_t *source);

/*
 * These make records of a row.  If the name of a source is set already, it
 * stays.  An alert becomes a record of the work, or is the one that the work
 * has already; it is NULL if there is no memory.
 */
int ngx_http_ilert_sqlite_read_source(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_ident_t *source);
ngx_http_ilert_store_alert_t *ngx_http_ilert_sqlite_read_alert(
    ngx_http_ilert_store_work_t *work, sqlite3_stmt *stmt);
void ngx_http_ilert_sqlite_read_event(sqlite3_stmt *stmt,
    ngx_http_ilert_store_waiting_t *ev);


/* sqlite_save.c: functions of backend.h */

ngx_int_t ngx_http_ilert_sqlite_save(ngx_http_ilert_store_work_t *work);
ngx_int_t ngx_http_ilert_sqlite_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
    int64_t source);

/*
 * Adds to the counts of a source: "waiting" has the numbers of events for each
 * urgency, and "open" is the number of alerts.  They may be negative.
 */
int ngx_http_ilert_sqlite_write_counts(ngx_http_ilert_sqlite_db_t *db,
    int64_t source, int64_t *waiting, int64_t open);


/* sqlite_refused.c: a function of backend.h, and what save() calls */

ngx_int_t ngx_http_ilert_sqlite_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);
int ngx_http_ilert_sqlite_save_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_t *refused);


/* sqlite_heard.c: functions of backend.h, and what save() calls */

ngx_int_t ngx_http_ilert_sqlite_heard(ngx_http_ilert_store_work_t *work,
    u_char *key, ngx_http_ilert_store_known_t **heard);
ngx_int_t ngx_http_ilert_sqlite_heard_of(ngx_http_ilert_store_work_t *work,
    int64_t alert, int64_t topic, u_char *after, ngx_uint_t limit,
    ngx_array_t *heard);
ngx_int_t ngx_http_ilert_sqlite_topics(ngx_http_ilert_store_work_t *work,
    ngx_array_t *topics);
int ngx_http_ilert_sqlite_save_heard(ngx_http_ilert_store_work_t *work);
int ngx_http_ilert_sqlite_save_topics(ngx_http_ilert_store_work_t *work);


/* sqlite_digest.c: functions of backend.h, and what save() calls */

ngx_int_t ngx_http_ilert_sqlite_silences(ngx_http_ilert_store_work_t *work,
    ngx_array_t *silences);
ngx_int_t ngx_http_ilert_sqlite_digests(ngx_http_ilert_store_work_t *work,
    ngx_array_t *digests);
ngx_int_t ngx_http_ilert_sqlite_bad(ngx_http_ilert_store_work_t *work,
    int64_t source, int64_t *counts);
int ngx_http_ilert_sqlite_save_silences(ngx_http_ilert_store_work_t *work);
int ngx_http_ilert_sqlite_save_digests(ngx_http_ilert_store_work_t *work);


/* sqlite_tidy.c: a function of backend.h */

ngx_int_t ngx_http_ilert_sqlite_tidy(ngx_http_ilert_store_work_t *work);


/* sqlite_ask.c: a function of backend.h */

ngx_uint_t ngx_http_ilert_sqlite_ask(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);


/* sqlite_check.c: functions of backend.h */

void ngx_http_ilert_sqlite_trust(ngx_http_ilert_store_t *store,
    ngx_uint_t reading, ngx_int_t rc, int64_t now);
void ngx_http_ilert_sqlite_verify(ngx_http_ilert_store_t *store, int64_t now);


/* sqlite_file.c */

ngx_http_ilert_sqlite_db_t *ngx_http_ilert_sqlite_create(
    ngx_http_ilert_store_t *store);

/*
 * Opens the database, if it is not open, or if its file has been replaced.
 */
int ngx_http_ilert_sqlite_open(ngx_http_ilert_sqlite_db_t *db, int64_t now);

/* Returns 1 if the name of the open database belongs to another file now. */
ngx_uint_t ngx_http_ilert_sqlite_moved(ngx_http_ilert_sqlite_db_t *db);

/* Returns how many of max_size's "pages" accepts must not use. */
int64_t ngx_http_ilert_sqlite_reserve(int64_t pages);

/* Closes the file.  With "as_is" the log is not copied to the database. */
void ngx_http_ilert_sqlite_close_file(ngx_http_ilert_sqlite_db_t *db,
    ngx_uint_t as_is);

/*
 * Moves a damaged database aside, and says so in store->notice; or does
 * nothing if another process has done so.
 */
int ngx_http_ilert_sqlite_aside(ngx_http_ilert_sqlite_db_t *db, int64_t now);

/*
 * The ballast is a file that is removed if the disk is full, so that there is
 * room for verdicts.  make_ballast() makes it, if need be; make_room() removes
 * it if the last error is a lack of room on the disk.
 */
void ngx_http_ilert_sqlite_make_ballast(ngx_http_ilert_sqlite_db_t *db,
    int64_t now);
void ngx_http_ilert_sqlite_make_room(ngx_http_ilert_sqlite_db_t *db);


/* sqlite_schema.c */

extern ngx_http_ilert_sqlite_schema_t  ngx_http_ilert_sqlite_schema;

/*
 * Makes sure that the file is empty or one of ours, and then makes the
 * settings of the connection.
 */
int ngx_http_ilert_sqlite_configure(ngx_http_ilert_sqlite_db_t *db);

/* Makes the tables, or brings those of an earlier release up to date. */
int ngx_http_ilert_sqlite_migrate(ngx_http_ilert_sqlite_db_t *db, int64_t now);

/*
 * Sets "value" to the number in the first column of the first row, or to 0 if
 * there is none.
 */
int ngx_http_ilert_sqlite_pragma(ngx_http_ilert_sqlite_db_t *db,
    const char *sql, int64_t *value);


/* sqlite_lock.c */

/*
 * Takes the mutex of the processes of this nginx.  Waits for it for at most
 * .._LOCK_TIME.
 */
int ngx_http_ilert_sqlite_take_mutex(ngx_http_ilert_sqlite_db_t *db);

/* This is a function of backend.h.  Lets the mutex go, if we have it. */
void ngx_http_ilert_sqlite_unlock(ngx_http_ilert_store_t *store);

/*
 * SQLite calls this if another process has a lock; "data" is the db.  Waits
 * a little, for the n-th time, and returns 1.  Returns 0 after db->deadline,
 * which makes SQLite give up.
 */
int ngx_http_ilert_sqlite_busy(void *data, int n);


/* sqlite_error.c */

/*
 * These keep what is known of an error, before the next call of SQLite
 * forgets it, and set store->fault.  error() returns "rc", or SQLITE_ERROR if
 * that is no error code.
 */
int ngx_http_ilert_sqlite_error(ngx_http_ilert_sqlite_db_t *db, int rc);
int ngx_http_ilert_sqlite_system_error(ngx_http_ilert_sqlite_db_t *db,
    ngx_err_t err);
int ngx_http_ilert_sqlite_nomem(ngx_http_ilert_sqlite_db_t *db);

/* These return 1 if an error means what their names say. */
ngx_uint_t ngx_http_ilert_sqlite_is_no_room(ngx_err_t err);
ngx_uint_t ngx_http_ilert_sqlite_is_damaged(int rc);

/* Returns 1 if the last error is a lack of room. */
ngx_uint_t ngx_http_ilert_sqlite_is_full(ngx_http_ilert_sqlite_db_t *db);

/* Returns what a function of backend.h has to return. */
ngx_int_t ngx_http_ilert_sqlite_result(int rc);

/* functions of backend.h */
void ngx_http_ilert_sqlite_report(ngx_http_ilert_store_t *store);
void ngx_http_ilert_sqlite_no_memory(ngx_http_ilert_store_t *store);


#endif /* _NGX_HTTP_ILERT_SQLITE_DB_H_INCLUDED_ */
