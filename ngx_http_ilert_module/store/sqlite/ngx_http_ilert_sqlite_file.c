
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include <sys/statvfs.h>

#include "ngx_http_ilert_sqlite_db.h"


/*
 * Pages of max_size, but at most an eighth of it, that accepts must not use.
 * To remove an event may need a page or two before it frees others.
 */

#define NGX_HTTP_ILERT_SQLITE_RESERVE      256

/*
 * bytes: room for a checkpoint and one or two jobs; and ms from one try to
 * make the ballast to the next one
 */

#define NGX_HTTP_ILERT_SQLITE_BALLAST      (4 * 1024 * 1024)
#define NGX_HTTP_ILERT_SQLITE_BALLAST_TIME 5000


static int ngx_http_ilert_sqlite_open_once(ngx_http_ilert_sqlite_db_t *db,
    int64_t now);
static int ngx_http_ilert_sqlite_create_file(ngx_http_ilert_sqlite_db_t *db);
static int ngx_http_ilert_sqlite_open_file(ngx_http_ilert_sqlite_db_t *db);
static int ngx_http_ilert_sqlite_set_limits(ngx_http_ilert_sqlite_db_t *db);
static ngx_int_t ngx_http_ilert_sqlite_write_ballast(
    ngx_http_ilert_sqlite_db_t *db);


ngx_http_ilert_sqlite_db_t *
ngx_http_ilert_sqlite_create(ngx_http_ilert_store_t *store)
{
    size_t                       len;
    ngx_http_ilert_sqlite_db_t  *db;

    if (store->private) {
        return store->private;
    }

    len = store->path.len + sizeof("/queue.db");

    db = ngx_alloc(sizeof(ngx_http_ilert_sqlite_db_t) + 2 * len,
                   ngx_cycle->log);
    if (db == NULL) {
        return NULL;
    }

    ngx_memzero(db, sizeof(ngx_http_ilert_sqlite_db_t));

    db->store = store;
    db->schema = &ngx_http_ilert_sqlite_schema;
    db->name = (char *) db + sizeof(ngx_http_ilert_sqlite_db_t);
    db->ballast = db->name + len;

    sqlite3_snprintf(len, db->name, "%s/queue.db", store->path.data);
    sqlite3_snprintf(len, db->ballast, "%s/ballast", store->path.data);

    store->private = db;

    return db;
}


/*
 * While another process opens the database, SQLite may return SQLITE_BUSY
 * without waiting, so this tries it again.
 */

int
ngx_http_ilert_sqlite_open(ngx_http_ilert_sqlite_db_t *db, int64_t now)
{
    int  rc, n;

    if (db->db) {
        if (!ngx_http_ilert_sqlite_moved(db)) {
            return SQLITE_OK;
        }

        ngx_http_ilert_sqlite_close_file(db, 0);
        db->store->lost = 1;
    }

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_ilert_sqlite_open_once(db, now);

        if (rc == SQLITE_OK) {
            break;
        }

        /*
         * If the file is damaged, or its schema is unknown to us, we must not
         * write to it, not even the log.
         */

        ngx_http_ilert_sqlite_close_file(db,
                                         ngx_http_ilert_sqlite_is_damaged(rc)
                                         || rc == NGX_HTTP_ILERT_SQLITE_OLDER
                                         || rc == NGX_HTTP_ILERT_SQLITE_NEWER);

        if (rc < 0 || (rc & 0xff) != SQLITE_BUSY
            || !ngx_http_ilert_sqlite_busy(db, n))
        {
            return rc;
        }
    }

    db->store->open = 1;

    ngx_http_ilert_sqlite_make_ballast(db, now);

    return SQLITE_OK;
}


static int
ngx_http_ilert_sqlite_open_once(ngx_http_ilert_sqlite_db_t *db, int64_t now)
{
    int  rc;

    ngx_set_errno(0);

    rc = ngx_http_ilert_sqlite_create_file(db);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_open_file(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_configure(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_migrate(db, now);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_set_limits(db);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_prepare(db);
    }

    if (rc == SQLITE_OK) {
        db->accepts = 0;
        rc = ngx_http_ilert_sqlite_limit(db);
    }

    return rc;
}


/*
 * This does not open the file: to close it would drop SQLite's locks on it in
 * this process.
 */

ngx_uint_t
ngx_http_ilert_sqlite_moved(ngx_http_ilert_sqlite_db_t *db)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {
        /* an error that may pass is no reason to close the database */

        return ngx_errno != EIO && ngx_errno != NGX_ENOMEM;
    }

    return fi.st_dev != db->device || fi.st_ino != db->inode;
}


/* We create the file, because SQLite would make it readable for others. */

static int
ngx_http_ilert_sqlite_create_file(ngx_http_ilert_sqlite_db_t *db)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno != NGX_ENOENT) {
            return ngx_http_ilert_sqlite_system_error(db, ngx_errno);
        }

        fd = open(db->name, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

        if (fd != NGX_INVALID_FILE) {
            (void) ngx_close_file(fd);

        } else if (ngx_errno != NGX_EEXIST) {
            return ngx_http_ilert_sqlite_system_error(db, ngx_errno);
        }

        if (ngx_file_info(db->name, &fi) == NGX_FILE_ERROR) {
            return ngx_http_ilert_sqlite_system_error(db, ngx_errno);
        }
    }

    /* it is another file than before, which was closed after an error */

    if (db->inode && (fi.st_dev != db->device || fi.st_ino != db->inode)) {
        db->store->lost = 1;
    }

    db->device = fi.st_dev;
    db->inode = fi.st_ino;

    return SQLITE_OK;
}


static int
ngx_http_ilert_sqlite_open_file(ngx_http_ilert_sqlite_db_t *db)
{
    int  rc;

    rc = sqlite3_open_v2(db->name, &db->db,
                         SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX, NULL);

    if (db->db) {
        sqlite3_extended_result_codes(db->db, 1);
        sqlite3_busy_handler(db->db, ngx_http_ilert_sqlite_busy, db);
    }

    if (rc != SQLITE_OK) {
        return ngx_http_ilert_sqlite_error(db, rc);
    }

    if (sqlite3_db_readonly(db->db, "main")) {
        return ngx_http_ilert_sqlite_error(db, SQLITE_READONLY);
    }

    return SQLITE_OK;
}


/* Sets db->pages: how many pages the database may have, for each limit. */

static int
ngx_http_ilert_sqlite_set_limits(ngx_http_ilert_sqlite_db_t *db)
{
    int      rc;
    int64_t  pages, reserve, used;

    pages = db->store->max_size / NGX_HTTP_ILERT_SQLITE_PAGE;

    if (pages == 0 || pages > 0x7fffffff) {
        pages = 0x7fffffff;
    }

    reserve = ngx_http_ilert_sqlite_reserve(pages);

    rc = ngx_http_ilert_sqlite_pragma(db, "PRAGMA page_count", &used);
    if (rc != SQLITE_OK) {
        return rc;
    }

    db->limit = NGX_HTTP_ILERT_SQLITE_NSTMTS;

    db->pages[NGX_HTTP_ILERT_SQLITE_LIMIT_ACCEPTS] = pages - reserve;

    /* with a limit below its present size, the database does not grow */

    db->pages[NGX_HTTP_ILERT_SQLITE_LIMIT_SIZE] = 1;

    /* the database may be larger than max_size, if that was lowered */

    db->pages[NGX_HTTP_ILERT_SQLITE_LIMIT_ALL] = (used > pages)
                                                 ? used + reserve : pages;
    return SQLITE_OK;
}


int64_t
ngx_http_ilert_sqlite_reserve(int64_t pages)
{
    return ngx_min(pages / 8, NGX_HTTP_ILERT_SQLITE_RESERVE);
}


/*
 * When SQLite closes a file, it copies the log to the database.  With "as_is"
 * it does not: the log may be damaged, and would damage the database more.
 */

void
ngx_http_ilert_sqlite_close_file(ngx_http_ilert_sqlite_db_t *db,
    ngx_uint_t as_is)
{
    if (db->db == NULL) {
        return;
    }

    ngx_http_ilert_sqlite_finalize(db);

    if (as_is) {
        (void) sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                                 NULL);
    }

    (void) sqlite3_close(db->db);

    db->db = NULL;
    db->store->open = 0;
}


/*
 * The log is renamed first, and the database last: otherwise the log could be
 * taken for that of a new database.  If another process has moved the database
 * already, there is nothing to do.
 */

int
ngx_http_ilert_sqlite_aside(ngx_http_ilert_sqlite_db_t *db, int64_t now)
{
    char                    *from, *to, date[32];
    time_t                   sec;
    size_t                   len;
    struct tm                tm;
    ngx_uint_t               n;
    ngx_file_info_t          fi;
    ngx_http_ilert_store_t  *store;

    static const char       *suffixes[] = { "-wal", "-shm", "" };

    store = db->store;

    ngx_http_ilert_sqlite_close_file(db, 1);

    store->lost = 1;

    if (ngx_http_ilert_sqlite_moved(db)) {
        return SQLITE_OK;
    }

    sec = now / 1000;
    gmtime_r(&sec, &tm);
    (void) strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);

    len = ngx_strlen(db->name) + sizeof(".damaged-") + sizeof(date) + 32;

    from = ngx_alloc(2 * len, ngx_cycle->log);
    if (from == NULL) {
        return ngx_http_ilert_sqlite_error(db, NGX_HTTP_ILERT_SQLITE_NOMEM);
    }

    to = from + len;
    n = 0;

    sqlite3_snprintf(len, to, "%s.damaged-%s", db->name, date);

    while (ngx_file_info(to, &fi) != NGX_FILE_ERROR) {
        sqlite3_snprintf(len, to, "%s.damaged-%s-%d", db->name, date,
                         (int) ++n);
    }

    sqlite3_snprintf(sizeof(store->notice), store->notice,
                     "\"%s\" is damaged (%s): moved to \"%s\", "
                     "a new one is begun",
                     db->name, db->message, to);

    sqlite3_snprintf(sizeof(date), date, "%s", to + ngx_strlen(db->name));

    for (n = 0; n < 3; n++) {
        sqlite3_snprintf(len, from, "%s%s", db->name, suffixes[n]);
        sqlite3_snprintf(len, to, "%s%s%s", db->name, date, suffixes[n]);

        if (rename(from, to) == -1 && ngx_errno != NGX_ENOENT) {
            store->notice[0] = '\0';
            (void) ngx_http_ilert_sqlite_system_error(db, ngx_errno);
            break;
        }
    }

    ngx_free(from);

    return (n == 3) ? SQLITE_OK : db->rc;
}


/*
 * Makes the ballast, if it does not exist and there is room for it.  As long
 * as there is none, "low" is set, so that accepts do not let the database
 * grow.
 */

void
ngx_http_ilert_sqlite_make_ballast(ngx_http_ilert_sqlite_db_t *db, int64_t now)
{
    ngx_file_info_t  fi;
    struct statvfs   fs;

    if (ngx_file_info(db->ballast, &fi) != NGX_FILE_ERROR
        && ngx_file_size(&fi) == NGX_HTTP_ILERT_SQLITE_BALLAST)
    {
        db->low = 0;
        return;
    }

    if (db->low && db->tried && now >= db->tried
        && now - db->tried < NGX_HTTP_ILERT_SQLITE_BALLAST_TIME)
    {
        return;
    }

    if (statvfs(db->name, &fs) == 0
        && (uint64_t) fs.f_bavail * fs.f_frsize
           < 2 * NGX_HTTP_ILERT_SQLITE_BALLAST)
    {
        db->low = 1;
        return;
    }

    db->tried = now;

    if (ngx_http_ilert_sqlite_write_ballast(db) == NGX_OK) {
        db->low = 0;
        return;
    }

    db->low = ngx_http_ilert_sqlite_is_no_room(ngx_errno);

    (void) ngx_delete_file(db->ballast);
}


/* A file of zeros would take no room in a file system that compresses. */

static ngx_int_t
ngx_http_ilert_sqlite_write_ballast(ngx_http_ilert_sqlite_db_t *db)
{
    off_t      size;
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;
    u_char     buf[16384];
    uint32_t   x;

    fd = open(db->ballast, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    x = 1;

    for (size = 0; size < NGX_HTTP_ILERT_SQLITE_BALLAST; size += n) {

        for (n = 0; n < (ssize_t) sizeof(buf); n++) {
            x = x * 1664525 + 1013904223;
            buf[n] = (u_char) (x >> 24);
        }

        n = write(fd, buf, ngx_min((off_t) sizeof(buf),
                                   NGX_HTTP_ILERT_SQLITE_BALLAST - size));
        if (n <= 0) {
            err = n ? ngx_errno : NGX_ENOSPC;
            (void) ngx_close_file(fd);
            ngx_set_errno(err);
            return NGX_ERROR;
        }
    }

    return (ngx_close_file(fd) == NGX_FILE_ERROR) ? NGX_ERROR : NGX_OK;
}


/*
 * Removes the ballast, and uses the room for a checkpoint: after that, the log
 * has room for more.
 */

void
ngx_http_ilert_sqlite_make_room(ngx_http_ilert_sqlite_db_t *db)
{
    if (db->store->fault != NGX_HTTP_ILERT_STORE_NO_DISK || db->low) {
        return;
    }

    db->low = 1;

    (void) ngx_delete_file(db->ballast);

    if (db->db) {
        (void) sqlite3_wal_checkpoint_v2(db->db, "main",
                                         SQLITE_CHECKPOINT_PASSIVE, NULL,
                                         NULL);
    }
}
