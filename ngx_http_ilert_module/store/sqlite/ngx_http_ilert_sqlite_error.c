
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <pwd.h>

#include "ngx_http_ilert_sqlite_db.h"


static void ngx_http_ilert_sqlite_set_fault(ngx_http_ilert_sqlite_db_t *db);
static ngx_uint_t ngx_http_ilert_sqlite_is_blocked(
    ngx_http_ilert_sqlite_db_t *db);
static ngx_uint_t ngx_http_ilert_sqlite_is_closed(
    ngx_http_ilert_sqlite_db_t *db);
static void ngx_http_ilert_sqlite_report_closed(
    ngx_http_ilert_sqlite_db_t *db);
static void ngx_http_ilert_sqlite_reason(ngx_http_ilert_sqlite_db_t *db,
    char *text, size_t size);


int
ngx_http_ilert_sqlite_error(ngx_http_ilert_sqlite_db_t *db, int rc)
{
    ngx_err_t    err;
    const char  *text;

    /* errno is kept: sqlite3_system_errno() does not have it after a COMMIT */

    err = ngx_errno;

    if (rc == SQLITE_DONE) {

        /* a statement that should have had a row */

        rc = SQLITE_ERROR;
    }

    db->rc = rc;
    db->err = 0;

    if (rc > 0) {
        text = (db->db && sqlite3_extended_errcode(db->db) == rc)
               ? sqlite3_errmsg(db->db) : sqlite3_errstr(rc);

        if ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN
            || ngx_http_ilert_sqlite_is_no_room(err))
        {
            db->err = err;
        }

    } else if (rc == NGX_HTTP_ILERT_SQLITE_FOREIGN) {
        text = "not a queue of this module";

    } else if (rc == NGX_HTTP_ILERT_SQLITE_NO_WAL) {
        text = "the file system has no shared memory for SQLite";

    } else if (rc == NGX_HTTP_ILERT_SQLITE_NOMEM) {
        text = "out of memory";

    } else {
        text = "";
    }

    sqlite3_snprintf(sizeof(db->message), db->message, "%s", text);

    ngx_http_ilert_sqlite_set_fault(db);

    return rc;
}


int
ngx_http_ilert_sqlite_nomem(ngx_http_ilert_sqlite_db_t *db)
{
    return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_NOMEM);
}


int
ngx_http_ilert_sqlite_system_error(ngx_http_ilert_sqlite_db_t *db,
    ngx_err_t err)
{
    db->rc = NGX_HTTP_ILERT_SQLITE_SYSTEM;
    db->err = err;
    db->message[0] = '\0';

    ngx_http_ilert_sqlite_set_fault(db);

    return db->rc;
}


static void
ngx_http_ilert_sqlite_set_fault(ngx_http_ilert_sqlite_db_t *db)
{
    ngx_uint_t  fault;

    if (ngx_http_ilert_sqlite_is_full(db)) {

        /* once the ballast has been used, the disk is what is full */

        fault = (db->low || ngx_http_ilert_sqlite_is_no_room(db->err))
                ? NGX_HTTP_ILERT_STORE_NO_DISK : NGX_HTTP_ILERT_STORE_NO_SIZE;

    } else if (ngx_http_ilert_sqlite_is_blocked(db)) {
        fault = NGX_HTTP_ILERT_STORE_BLOCKED;

    } else {
        fault = NGX_HTTP_ILERT_STORE_OTHER;
    }

    db->store->fault = fault;
}


ngx_uint_t
ngx_http_ilert_sqlite_is_damaged(int rc)
{
    return rc == NGX_HTTP_ILERT_SQLITE_FOREIGN
           || (rc > 0 && ((rc & 0xff) == SQLITE_CORRUPT
                          || (rc & 0xff) == SQLITE_NOTADB));
}


ngx_uint_t
ngx_http_ilert_sqlite_is_no_room(ngx_err_t err)
{
    return err == NGX_ENOSPC || err == EDQUOT || err == EFBIG;
}


ngx_uint_t
ngx_http_ilert_sqlite_is_full(ngx_http_ilert_sqlite_db_t *db)
{
    return ngx_http_ilert_sqlite_is_no_room(db->err)
           || (db->rc > 0 && (db->rc & 0xff) == SQLITE_FULL);
}


static ngx_uint_t
ngx_http_ilert_sqlite_is_blocked(ngx_http_ilert_sqlite_db_t *db)
{
    return db->rc == NGX_HTTP_ILERT_SQLITE_LOCKED
           || (db->rc > 0 && (db->rc & 0xff) == SQLITE_BUSY);
}


/* Returns 1 if the last error can only be mended by people. */

static ngx_uint_t
ngx_http_ilert_sqlite_is_closed(ngx_http_ilert_sqlite_db_t *db)
{
    if (db->rc == NGX_HTTP_ILERT_SQLITE_OLDER
        || db->rc == NGX_HTTP_ILERT_SQLITE_NEWER
        || db->rc == NGX_HTTP_ILERT_SQLITE_NO_WAL)
    {
        return 1;
    }

    if (db->rc > 0 && ((db->rc & 0xff) == SQLITE_READONLY
                       || db->rc == SQLITE_CANTOPEN_ISDIR))
    {
        return 1;
    }

    if (db->rc != NGX_HTTP_ILERT_SQLITE_SYSTEM
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


/* Sets the store's state and error by the last error. */

void
ngx_http_ilert_sqlite_report(ngx_http_ilert_store_t *store)
{
    char                         text[256];
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db == NULL) {
        store->state = NGX_HTTP_ILERT_STORE_FAILED;
        sqlite3_snprintf(sizeof(store->error), store->error, "out of memory");
        return;
    }

    if (ngx_http_ilert_sqlite_is_full(db)) {
        store->state = NGX_HTTP_ILERT_STORE_FULL;

        if (store->fault == NGX_HTTP_ILERT_STORE_NO_DISK) {
            sqlite3_snprintf(sizeof(store->error), store->error,
                             "no room on the disk of \"%s\"", db->name);

        } else {
            sqlite3_snprintf(sizeof(store->error), store->error,
                             "\"%s\" has reached max_size", db->name);
        }

        return;
    }

    if (db->db == NULL && ngx_http_ilert_sqlite_is_closed(db)) {
        store->state = NGX_HTTP_ILERT_STORE_CLOSED;
        ngx_http_ilert_sqlite_report_closed(db);
        return;
    }

    store->state = NGX_HTTP_ILERT_STORE_FAILED;

    if (ngx_http_ilert_sqlite_is_blocked(db)) {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "\"%s\" is locked by another process", db->name);
        return;
    }

    ngx_http_ilert_sqlite_reason(db, text, sizeof(text));

    sqlite3_snprintf(sizeof(store->error), store->error, "\"%s\": %s",
                     db->name, text);
}


static void
ngx_http_ilert_sqlite_report_closed(ngx_http_ilert_sqlite_db_t *db)
{
    char                    *user, buf[1024];
    uid_t                    uid;
    char                     text[256];
    struct passwd            pw, *found;
    ngx_file_info_t          fi;
    ngx_http_ilert_store_t  *store;

    store = db->store;

    if (db->rc == NGX_HTTP_ILERT_SQLITE_OLDER) {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "\"%s\" has schema %d of a version before the first "
                         "release, move the file away",
                         db->name, db->version);
        return;
    }

    if (db->rc == NGX_HTTP_ILERT_SQLITE_NEWER) {
        sqlite3_snprintf(sizeof(store->error), store->error,
                         "\"%s\" has schema %d of a newer release, "
                         "use that release or move the file away",
                         db->name, db->version);
        return;
    }

    if (db->rc == NGX_HTTP_ILERT_SQLITE_NO_WAL) {
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

    ngx_http_ilert_sqlite_reason(db, text, sizeof(text));

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


/* Writes the system's text of the last error, or SQLite's, or both. */

static void
ngx_http_ilert_sqlite_reason(ngx_http_ilert_sqlite_db_t *db, char *text,
    size_t size)
{
    u_char  *p, err[64];

    if (db->err == 0) {
        sqlite3_snprintf(size, text, "%s", db->message);
        return;
    }

    p = ngx_strerror(db->err, err, sizeof(err));

    if (db->rc == NGX_HTTP_ILERT_SQLITE_SYSTEM
        || (db->rc & 0xff) == SQLITE_CANTOPEN)
    {
        sqlite3_snprintf(size, text, "%.*s", (int) (p - err), err);
        return;
    }

    sqlite3_snprintf(size, text, "%s, %.*s", db->message, (int) (p - err),
                     err);
}


void
ngx_http_ilert_sqlite_no_memory(ngx_http_ilert_store_t *store)
{
    (void) ngx_http_ilert_sqlite_nomem(store->private);
}


ngx_int_t
ngx_http_ilert_sqlite_result(int rc)
{
    if (rc == SQLITE_OK) {
        return NGX_OK;
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING) ? NGX_DECLINED : NGX_ERROR;
}
