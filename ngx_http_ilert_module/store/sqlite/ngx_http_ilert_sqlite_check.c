
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/*
 * Finds out whether a database is damaged.  SQLite reports some damage as
 * such.  Other damage can cause any error: a constraint, a missing table,
 * a file that is full or read-only.  An error is strange if nothing outside of
 * the file explains it.  If strange errors go on for a while, the file is
 * checked, and only the result of the check counts.
 */

/*
 * ms from the first strange error to the check, from one check to the next,
 * and the longest time of a check
 */

#define NGX_HTTP_ILERT_SQLITE_DOUBT        2000
#define NGX_HTTP_ILERT_SQLITE_CHECKED      60000
#define NGX_HTTP_ILERT_SQLITE_CHECK_TIME   10000

/* instructions of SQLite's after which a check looks at the clock */

#define NGX_HTTP_ILERT_SQLITE_STEPS        100000


static void ngx_http_ilert_sqlite_doubt(ngx_http_ilert_sqlite_db_t *db,
    ngx_uint_t n, int64_t now);
static void ngx_http_ilert_sqlite_clear(ngx_http_ilert_sqlite_db_t *db);
static ngx_uint_t ngx_http_ilert_sqlite_is_strange(
    ngx_http_ilert_sqlite_db_t *db, int rc);
static ngx_uint_t ngx_http_ilert_sqlite_is_really_full(
    ngx_http_ilert_sqlite_db_t *db);
static off_t ngx_http_ilert_sqlite_file_size(ngx_http_ilert_sqlite_db_t *db,
    const char *suffix);
static ngx_uint_t ngx_http_ilert_sqlite_is_writable(
    ngx_http_ilert_sqlite_db_t *db);
static ngx_uint_t ngx_http_ilert_sqlite_is_whole(
    ngx_http_ilert_sqlite_db_t *db);
static int ngx_http_ilert_sqlite_check(ngx_http_ilert_sqlite_db_t *db,
    sqlite3 *handle, const char *sql);
static int ngx_http_ilert_sqlite_late(void *data);


void
ngx_http_ilert_sqlite_trust(ngx_http_ilert_store_t *store, ngx_uint_t reading,
    ngx_int_t rc, int64_t now)
{
    ngx_uint_t                   n;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    n = reading ? NGX_HTTP_ILERT_SQLITE_READING
                : NGX_HTTP_ILERT_SQLITE_WRITING;

    if (rc == NGX_OK) {
        db->doubted[n] = 0;

    } else {
        ngx_http_ilert_sqlite_doubt(db, n, now);
    }
}


static void
ngx_http_ilert_sqlite_doubt(ngx_http_ilert_sqlite_db_t *db, ngx_uint_t n,
    int64_t now)
{
    if (ngx_http_ilert_sqlite_is_damaged(db->rc)) {

        /* after damage found by writing, mend() has moved the file aside */

        db->damaged = (n == NGX_HTTP_ILERT_SQLITE_READING);
        return;
    }

    if (!ngx_http_ilert_sqlite_is_strange(db, db->rc)) {
        db->doubted[n] = 0;
        return;
    }

    if (db->doubted[n] == 0 || now < db->doubted[n]) {
        db->doubted[n] = now;
    }

    /* some damage is only found when the file is opened anew */

    db->reopen = ((db->rc & 0xff) != SQLITE_FULL);
}


void
ngx_http_ilert_sqlite_verify(ngx_http_ilert_store_t *store, int64_t now)
{
    int64_t                      since;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db == NULL) {
        return;
    }

    if (db->reopen) {
        db->reopen = 0;
        ngx_http_ilert_sqlite_close_file(db, 1);
    }

    if (!db->damaged) {

        since = db->doubted[NGX_HTTP_ILERT_SQLITE_WRITING];

        if (since == 0) {
            since = db->doubted[NGX_HTTP_ILERT_SQLITE_READING];
        }

        if (since == 0 || now - since < NGX_HTTP_ILERT_SQLITE_DOUBT
            || (db->checked && now >= db->checked
                && now - db->checked < NGX_HTTP_ILERT_SQLITE_CHECKED))
        {
            return;
        }

        db->checked = now;

        if (ngx_http_ilert_sqlite_is_whole(db)) {
            return;
        }
    }

    /* aside() does nothing if another process has moved the file already */

    if (ngx_http_ilert_sqlite_take_mutex(db) == SQLITE_OK) {

        if (ngx_http_ilert_sqlite_aside(db, now) == SQLITE_OK) {
            ngx_http_ilert_sqlite_clear(db);
        }

        ngx_http_ilert_sqlite_unlock(store);
    }
}


/* Ends all doubt. */

static void
ngx_http_ilert_sqlite_clear(ngx_http_ilert_sqlite_db_t *db)
{
    db->doubted[NGX_HTTP_ILERT_SQLITE_WRITING] = 0;
    db->doubted[NGX_HTTP_ILERT_SQLITE_READING] = 0;
    db->damaged = 0;
    db->checked = 0;
}


/* Returns 1 if nothing outside of the file explains the error. */

static ngx_uint_t
ngx_http_ilert_sqlite_is_strange(ngx_http_ilert_sqlite_db_t *db, int rc)
{
    if (rc <= 0) {
        return 0;
    }

    switch (rc & 0xff) {

    case SQLITE_FULL:
        return !ngx_http_ilert_sqlite_is_really_full(db);

    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_SHORT_READ;

    case SQLITE_READONLY:
        return ngx_http_ilert_sqlite_is_writable(db);

    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return 0;
    }

    return 1;
}


/*
 * Returns 1 if SQLITE_FULL is explained by the disk, or by the number of pages
 * and max_size.
 */

static ngx_uint_t
ngx_http_ilert_sqlite_is_really_full(ngx_http_ilert_sqlite_db_t *db)
{
    int64_t  max, pages;

    if (db->store->fault != NGX_HTTP_ILERT_STORE_NO_SIZE || db->low
        || db->db == NULL
        || ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_PAGES, &pages,
                                     "")
           != SQLITE_OK)
    {
        return 1;
    }

    max = db->store->max_size / NGX_HTTP_ILERT_SQLITE_PAGE;

    if (max == 0) {
        return 0;
    }

    max -= ngx_http_ilert_sqlite_reserve(max);

    /* events may need more pages than their bytes alone, so be generous */

    if (pages + 2 * (int64_t) db->store->size / NGX_HTTP_ILERT_SQLITE_PAGE
        + max / 8
        < max)
    {
        return 0;
    }

    return pages * NGX_HTTP_ILERT_SQLITE_PAGE
           <= ngx_http_ilert_sqlite_file_size(db, "")
              + ngx_http_ilert_sqlite_file_size(db, "-wal");
}


static off_t
ngx_http_ilert_sqlite_file_size(ngx_http_ilert_sqlite_db_t *db,
    const char *suffix)
{
    char             name[NGX_MAX_PATH];
    ngx_file_info_t  fi;

    sqlite3_snprintf(sizeof(name), name, "%s%s", db->name, suffix);

    return (ngx_file_info(name, &fi) == NGX_FILE_ERROR) ? 0
                                                        : ngx_file_size(&fi);
}


/*
 * Returns 1 if we may write to the file.  SQLite can say that we may not,
 * because of bytes in the file.
 */

static ngx_uint_t
ngx_http_ilert_sqlite_is_writable(ngx_http_ilert_sqlite_db_t *db)
{
    return access(db->name, R_OK|W_OK) == 0
           && access((char *) db->store->path.data, W_OK|X_OK) == 0;
}


/*
 * Returns 0 if a check finds damage.  If the file cannot be checked, it counts
 * as whole.  The check has a connection of its own, because the fault may be
 * in ours.
 */

static ngx_uint_t
ngx_http_ilert_sqlite_is_whole(ngx_http_ilert_sqlite_db_t *db)
{
    int       rc;
    int64_t   deadline;
    sqlite3  *handle;

    rc = sqlite3_open_v2(db->name, &handle,
                         SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK) {
        deadline = ngx_http_ilert_clock_msec()
                   + NGX_HTTP_ILERT_SQLITE_CHECK_TIME;

        sqlite3_extended_result_codes(handle, 1);
        sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        sqlite3_progress_handler(handle, NGX_HTTP_ILERT_SQLITE_STEPS,
                                 ngx_http_ilert_sqlite_late, &deadline);

        /* quick_check is much faster, integrity_check finds more */

        rc = ngx_http_ilert_sqlite_check(db, handle, "PRAGMA quick_check(1)");

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_sqlite_check(db, handle,
                                            "PRAGMA integrity_check(1)");
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_sqlite_check(db, handle,
                           "SELECT CASE WHEN max(seq) > 1 << 62"
                           " THEN 'no numbers are left for events'"
                           " ELSE 'ok' END FROM sqlite_sequence");
        }

        /* the next event would get the number of one that is there */

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_sqlite_check(db, handle,
                           "SELECT CASE WHEN ifnull((SELECT max(seq)"
                           " FROM sqlite_sequence WHERE name = 'event'), 0)"
                           " < max(ifnull((SELECT max(seq) FROM event), 0),"
                           " ifnull((SELECT max(seq) FROM dead), 0))"
                           " THEN 'numbers of events are used again'"
                           " ELSE 'ok' END");
        }

        if (rc == SQLITE_OK && sqlite3_db_readonly(handle, "main")
            && ngx_http_ilert_sqlite_is_writable(db))
        {
            sqlite3_snprintf(sizeof(db->message), db->message,
                             "it says that it is read-only");
            rc = SQLITE_CORRUPT;
        }
    }

    (void) sqlite3_close(handle);

    return !ngx_http_ilert_sqlite_is_damaged(rc)
           && !ngx_http_ilert_sqlite_is_strange(db, rc);
}


/* Returns SQLITE_CORRUPT, and sets db->message, if damage is found. */

static int
ngx_http_ilert_sqlite_check(ngx_http_ilert_sqlite_db_t *db, sqlite3 *handle,
    const char *sql)
{
    int            rc;
    char          *p;
    const char    *text;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }

    if (rc == SQLITE_ROW) {
        text = (const char *) sqlite3_column_text(stmt, 0);
        rc = SQLITE_OK;

        if (text && ngx_strcmp(text, "ok") != 0) {
            rc = SQLITE_CORRUPT;
        }

    } else {
        text = sqlite3_errmsg(handle);
    }

    if (rc != SQLITE_OK) {
        sqlite3_snprintf(sizeof(db->message), db->message, "%s", text);

        for (p = db->message; *p; p++) {
            if (*p == '\n') {
                *p = ' ';
            }
        }
    }

    (void) sqlite3_finalize(stmt);

    return rc;
}


static int
ngx_http_ilert_sqlite_late(void *data)
{
    int64_t *deadline = data;

    return ngx_http_ilert_clock_msec() > *deadline;
}
