
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
 * What the parts of the backend share; for nobody else.  Each part uses only
 * those below it:
 *
 * sqlite.c            the table of functions, and transactions
 * sqlite_tidy.c       puts right what others have left
 * sqlite_select.c     finds records
 * sqlite_load.c       reads them
 * sqlite_save.c       writes what has changed of them
 * sqlite_refused.c    finds, reads and writes refused webhooks
 * sqlite_ask.c        asks what waits in a database that cannot be opened
 * sqlite_check.c      finds damage
 * sqlite_file.c       opens, closes and moves the file, and keeps the ballast
 * sqlite_schema.c     makes the tables, or brings them up to date
 * sqlite_lock.c       waits for other processes
 * sqlite_statement.c  the statements, and how one is run
 * sqlite_error.c      keeps the last error, and says what it is
 *
 * Functions that return an int return SQLITE_OK, a code of SQLite's, or one
 * of those below, and keep what there is to say of it in db.
 */


/* "ilrt", for file(1) */

#define NGX_HTTP_ILERT_SQLITE_APPLICATION  0x696c7274

#define NGX_HTTP_ILERT_SQLITE_PAGE         4096

/* ms that a job, and a query, waits for locks */

#define NGX_HTTP_ILERT_SQLITE_LOCK_TIME    5000
#define NGX_HTTP_ILERT_SQLITE_QUERY_TIME   500

/* numbers of events end here: a file that has come so far is damaged */

#define NGX_HTTP_ILERT_SQLITE_LAST_SEQ     ((int64_t) 1 << 62)


/* what is in doubt about the file */

#define NGX_HTTP_ILERT_SQLITE_WRITING      0
#define NGX_HTTP_ILERT_SQLITE_READING      1


/* beside the codes of SQLite, all of which are positive */

#define NGX_HTTP_ILERT_SQLITE_MISSING      -1   /* no such row */
#define NGX_HTTP_ILERT_SQLITE_NOMEM        -2
#define NGX_HTTP_ILERT_SQLITE_SYSTEM       -3   /* db->err of a system call */
#define NGX_HTTP_ILERT_SQLITE_FOREIGN      -4   /* not a queue of ours */
#define NGX_HTTP_ILERT_SQLITE_NEWER        -5   /* schema */
#define NGX_HTTP_ILERT_SQLITE_NO_WAL       -6
#define NGX_HTTP_ILERT_SQLITE_LOCKED       -7   /* the mutex */
#define NGX_HTTP_ILERT_SQLITE_OLDER        -8   /* schema of no release */


/*
 * The versions of the schema.  The first step makes the first version in an
 * empty database, and each other one makes the next version of the one before.
 */

typedef struct {
    int                      first;
    ngx_uint_t               nsteps;
    const char             **steps;
} ngx_http_ilert_sqlite_schema_t;


/* store->private */

struct ngx_http_ilert_backend_data_s {
    ngx_http_ilert_store_t  *store;

    /* that of this release, but tests of the steps have their own */

    ngx_http_ilert_sqlite_schema_t  *schema;

    sqlite3                 *db;            /* NULL: not open */
    sqlite3_stmt            *stmts[NGX_HTTP_ILERT_SQLITE_NSTMTS];

    char                    *name;          /* of the database */
    char                    *ballast;
    dev_t                    device;        /* of the open database */
    ino_t                    inode;

    ngx_uint_t               limit;         /* the statement that has set */
                                            /* the size, or .._NSTMTS */
    int64_t                  pages[3];      /* by LIMIT_ACCEPTS, and so on */

    int64_t                  tried;         /* when the ballast was made */
    int64_t                  deadline;      /* of waiting for locks */
    unsigned                 accepts:1;     /* what is written is of events */
                                            /* that come in */
    unsigned                 locked:1;      /* we have the mutex */
    unsigned                 ballasted:1;   /* the ballast has been looked */
                                            /* at since then */
    unsigned                 low:1;         /* the ballast was needed: the */
                                            /* database may not grow */
    unsigned                 damaged:1;     /* as has been found by reading */
    unsigned                 reopen:1;      /* after an error that nothing */
                                            /* explains */
    int64_t                  doubted[2];    /* since when there are such */
                                            /* ones, of writing, of reading */
    int64_t                  checked;       /* the last time, then */

    /* of the last error */

    int                      rc;            /* extended, or one of ours */
    ngx_err_t                err;
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
 * A record of a row: a source whose name is set keeps it, and an alert is
 * a record of the work, or NULL without memory.
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

/* so many events and alerts of a source more than are kept, or fewer */
int ngx_http_ilert_sqlite_write_counts(ngx_http_ilert_sqlite_db_t *db,
    int64_t source, int64_t *waiting, int64_t open);


/* sqlite_refused.c: a function of backend.h, and what save() calls */

ngx_int_t ngx_http_ilert_sqlite_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);
int ngx_http_ilert_sqlite_save_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_t *refused);


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

/* opens the database, if it is not open, or is another one by now */
int ngx_http_ilert_sqlite_open(ngx_http_ilert_sqlite_db_t *db, int64_t now);

/* it is not the file of that name any longer */
ngx_uint_t ngx_http_ilert_sqlite_moved(ngx_http_ilert_sqlite_db_t *db);

/* pages of so many that are not for accepts */
int64_t ngx_http_ilert_sqlite_reserve(int64_t pages);

/* with "as_is" what is in the log is not written to the database */
void ngx_http_ilert_sqlite_close_file(ngx_http_ilert_sqlite_db_t *db,
    ngx_uint_t as_is);

/*
 * Moves a damaged database aside, unless another process has done so, and says
 * so in store->notice.
 */
int ngx_http_ilert_sqlite_aside(ngx_http_ilert_sqlite_db_t *db, int64_t now);

/* a file that is there to be removed when the disk is full, and its removal */
void ngx_http_ilert_sqlite_make_ballast(ngx_http_ilert_sqlite_db_t *db,
    int64_t now);
void ngx_http_ilert_sqlite_make_room(ngx_http_ilert_sqlite_db_t *db);


/* sqlite_schema.c */

extern ngx_http_ilert_sqlite_schema_t  ngx_http_ilert_sqlite_schema;

/* settings of the connection, once one knows that the file is ours */
int ngx_http_ilert_sqlite_configure(ngx_http_ilert_sqlite_db_t *db);

/* makes the tables, or brings those of an earlier release up to date */
int ngx_http_ilert_sqlite_migrate(ngx_http_ilert_sqlite_db_t *db);

/* the number in the first column of the first row, or 0 */
int ngx_http_ilert_sqlite_pragma(ngx_http_ilert_sqlite_db_t *db,
    const char *sql, int64_t *value);


/* sqlite_lock.c */

/* takes the mutex of the processes of this nginx, up to .._LOCK_TIME later */
int ngx_http_ilert_sqlite_take_mutex(ngx_http_ilert_sqlite_db_t *db);

/* a function of backend.h: lets the mutex go, if we have it */
void ngx_http_ilert_sqlite_unlock(ngx_http_ilert_store_t *store);

/*
 * SQLite's handler for locks of others: "data" is the db.  Waits a little, for
 * the n-th time; false if there is no time left for it.
 */
int ngx_http_ilert_sqlite_busy(void *data, int n);


/* sqlite_error.c */

/*
 * Keeps what is known of an error, which the next call would forget, and sets
 * store->fault.  Returns "rc", or SQLITE_ERROR if that is none.
 */
int ngx_http_ilert_sqlite_error(ngx_http_ilert_sqlite_db_t *db, int rc);
int ngx_http_ilert_sqlite_system_error(ngx_http_ilert_sqlite_db_t *db,
    ngx_err_t err);
int ngx_http_ilert_sqlite_nomem(ngx_http_ilert_sqlite_db_t *db);

ngx_uint_t ngx_http_ilert_sqlite_is_no_room(ngx_err_t err);
ngx_uint_t ngx_http_ilert_sqlite_is_damaged(int rc);

/* by the last error */
ngx_uint_t ngx_http_ilert_sqlite_is_full(ngx_http_ilert_sqlite_db_t *db);

/* what a function of backend.h returns */
ngx_int_t ngx_http_ilert_sqlite_result(int rc);

/* functions of backend.h */
void ngx_http_ilert_sqlite_report(ngx_http_ilert_store_t *store);
void ngx_http_ilert_sqlite_no_memory(ngx_http_ilert_store_t *store);


#endif /* _NGX_HTTP_ILERT_SQLITE_DB_H_INCLUDED_ */
