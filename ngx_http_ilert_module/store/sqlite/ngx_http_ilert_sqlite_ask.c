
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/*
 * What waits, of a database that is not open, since it cannot be written, or
 * not in our way.  An event may be relayed only if nothing of its alert waits:
 * else an ALERT that waits would follow its RESOLVE.  So nothing waits where
 * there is no file, or an empty one.  What can be read is asked, and of what
 * cannot be asked nobody can say.
 *
 * Whoever asks keeps all writers out meanwhile, for what a commit that is
 * under way will leave does not show yet: here is the store's mutex, and
 * a lock of SQLite's, which others have as long as they commit.  If a lock
 * cannot be had nobody can say, either.  What has not begun to be committed
 * needs no care: Kapacitor sends the next event of an alert when it has an
 * answer, and what is given up is not committed (store_job.c).
 *
 * How it is opened:
 *
 * SHARED     another process has the database open, so log and index are
 *            there, and their locks are used.  One of a newer release may
 *            have it open and write.
 * EXCLUSIVE  nobody else has it open.  SQLite keeps the index of the log in
 *            memory then, and needs no room on the disk.
 * UNLOCKED   the same of a file that we may not write to, and so not lock.
 * IMMUTABLE  the same without a log, which SQLite would have to make.
 *
 * Nothing is written, and no checkpoint made.  The last two see nothing of
 * a process that begins to write just then.  That it has is seen by the files
 * afterwards, and they are asked once more.
 *
 * The connection is closed when the job is done: it is to hold no lock, and
 * the next job is to see the file that is there then.  The locks of POSIX go
 * when any descriptor of the file is closed in the process, so that all this
 * is done only while the database is not open here.
 */


typedef enum {
    NGX_HTTP_ILERT_SQLITE_ASK_SHARED = 0,
    NGX_HTTP_ILERT_SQLITE_ASK_EXCLUSIVE,
    NGX_HTTP_ILERT_SQLITE_ASK_UNLOCKED,
    NGX_HTTP_ILERT_SQLITE_ASK_IMMUTABLE
} ngx_http_ilert_sqlite_how_e;


typedef struct {
    ngx_file_info_t             db;
    ngx_file_info_t             log;        /* zeros: there is none */
} ngx_http_ilert_sqlite_files_t;


/* the bytes of a database that SQLite locks, by its file format */

#define NGX_HTTP_ILERT_SQLITE_LOCKS        0x40000000
#define NGX_HTTP_ILERT_SQLITE_NLOCKS       512


static int ngx_http_ilert_sqlite_ask_once(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_sqlite_ask_files(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_files_t *files);
static ngx_uint_t ngx_http_ilert_sqlite_ask_is_same(ngx_file_info_t *a,
    ngx_file_info_t *b);
static int ngx_http_ilert_sqlite_ask_how(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_files_t *files, ngx_uint_t writable,
    ngx_http_ilert_sqlite_how_e *how);
static int ngx_http_ilert_sqlite_ask_open(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_how_e how, ngx_uint_t writable, sqlite3 **conn);
static char *ngx_http_ilert_sqlite_ask_uri(const char *path);
static int ngx_http_ilert_sqlite_ask_all(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_job_t *job, sqlite3 *conn);
static int ngx_http_ilert_sqlite_ask_event(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_sqlite_ask_number(sqlite3 *conn, const char *sql,
    int64_t *value);
static void ngx_http_ilert_sqlite_ask_say(ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_waits_e waits);


/*
 * Of whatever source: some may share an integration key, which only a current
 * schema knows.  The columns are in each version of it.
 */

static const char  ngx_http_ilert_sqlite_ask_sql[] =
    "SELECT alert.state, alert.urgency, alert.head FROM source"
    " CROSS JOIN alert ON alert.source = source.id AND alert.key = ?1";


ngx_uint_t
ngx_http_ilert_sqlite_ask(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    int                          rc;
    ngx_uint_t                   n;
    ngx_http_ilert_sqlite_db_t  *db;

    db = store->private;

    if (db->db && ngx_http_ilert_sqlite_moved(db)) {
        ngx_http_ilert_sqlite_close_file(db, 0);
        store->lost = 1;
    }

    if (db->db) {

        if (db->rc < 0 || (db->rc & 0xff) != SQLITE_READONLY) {
            ngx_http_ilert_sqlite_ask_say(job,
                                          NGX_HTTP_ILERT_STORE_CANNOT_SAY);
            return 0;
        }

        /* this connection cannot lock the file: it is asked by another one */

        ngx_http_ilert_sqlite_close_file(db, 1);
    }

    for (n = 0; /* void */ ; n++) {

        rc = ngx_http_ilert_sqlite_ask_once(db, job);

        if (rc < 0 || (rc & 0xff) != SQLITE_BUSY
            || !ngx_http_ilert_sqlite_busy(db, n))
        {
            break;
        }
    }

    if (rc == SQLITE_OK) {
        return 1;
    }

    ngx_http_ilert_sqlite_ask_say(job, NGX_HTTP_ILERT_STORE_CANNOT_SAY);

    return 0;
}


static int
ngx_http_ilert_sqlite_ask_once(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int                            rc;
    sqlite3                       *conn;
    ngx_uint_t                     writable;
    ngx_http_ilert_sqlite_how_e     how;
    ngx_http_ilert_sqlite_files_t   before, after;

    rc = ngx_http_ilert_sqlite_ask_files(db, &before);

    if (rc == NGX_HTTP_ILERT_SQLITE_MISSING) {
        ngx_http_ilert_sqlite_ask_say(job, NGX_HTTP_ILERT_STORE_NONE_WAITS);
        return SQLITE_OK;
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    writable = (access(db->name, W_OK) == 0);

    rc = ngx_http_ilert_sqlite_ask_how(db, &before, writable, &how);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_sqlite_ask_open(db, how, writable, &conn);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_ask_all(db, job, conn);
    }

    (void) sqlite3_close(conn);

    if (how == NGX_HTTP_ILERT_SQLITE_ASK_SHARED
        || how == NGX_HTTP_ILERT_SQLITE_ASK_EXCLUSIVE)
    {
        return rc;
    }

    if (ngx_http_ilert_sqlite_ask_files(db, &after) != SQLITE_OK
        || !ngx_http_ilert_sqlite_ask_is_same(&before.db, &after.db)
        || !ngx_http_ilert_sqlite_ask_is_same(&before.log, &after.log))
    {
        return SQLITE_BUSY;
    }

    return rc;
}


/* NGX_HTTP_ILERT_SQLITE_MISSING: nothing can wait */

static int
ngx_http_ilert_sqlite_ask_files(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_files_t *files)
{
    int    rc;
    char  *name;

    ngx_memzero(files, sizeof(ngx_http_ilert_sqlite_files_t));

    if (ngx_file_info(db->name, &files->db) == NGX_FILE_ERROR) {
        return (ngx_errno == NGX_ENOENT || ngx_errno == NGX_ENOTDIR)
               ? NGX_HTTP_ILERT_SQLITE_MISSING : NGX_HTTP_ILERT_SQLITE_SYSTEM;
    }

    if (!ngx_is_file(&files->db)) {
        return NGX_HTTP_ILERT_SQLITE_FOREIGN;
    }

    if (ngx_file_size(&files->db) == 0) {
        return NGX_HTTP_ILERT_SQLITE_MISSING;
    }

    name = sqlite3_mprintf("%s-wal", db->name);
    if (name == NULL) {
        return NGX_HTTP_ILERT_SQLITE_NOMEM;
    }

    rc = SQLITE_OK;

    if (ngx_file_info(name, &files->log) == NGX_FILE_ERROR) {
        ngx_memzero(&files->log, sizeof(ngx_file_info_t));

        if (ngx_errno != NGX_ENOENT) {
            rc = NGX_HTTP_ILERT_SQLITE_SYSTEM;
        }
    }

    sqlite3_free(name);

    return rc;
}


static ngx_uint_t
ngx_http_ilert_sqlite_ask_is_same(ngx_file_info_t *a, ngx_file_info_t *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}


static int
ngx_http_ilert_sqlite_ask_how(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_files_t *files, ngx_uint_t writable,
    ngx_http_ilert_sqlite_how_e *how)
{
    int           rc;
    ngx_fd_t      fd;
    struct flock  fl;

    fd = open(db->name, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NGX_HTTP_ILERT_SQLITE_SYSTEM;
    }

    ngx_memzero(&fl, sizeof(struct flock));

    fl.l_type = F_WRLCK;
    fl.l_whence = SEEK_SET;
    fl.l_start = NGX_HTTP_ILERT_SQLITE_LOCKS;
    fl.l_len = NGX_HTTP_ILERT_SQLITE_NLOCKS;

    rc = fcntl(fd, F_GETLK, &fl);

    (void) ngx_close_file(fd);

    if (rc == -1) {
        return NGX_HTTP_ILERT_SQLITE_SYSTEM;
    }

    if (fl.l_type != F_UNLCK) {
        *how = NGX_HTTP_ILERT_SQLITE_ASK_SHARED;

    } else if (ngx_file_size(&files->log) == 0) {
        *how = NGX_HTTP_ILERT_SQLITE_ASK_IMMUTABLE;

    } else {
        *how = writable ? NGX_HTTP_ILERT_SQLITE_ASK_EXCLUSIVE
                        : NGX_HTTP_ILERT_SQLITE_ASK_UNLOCKED;
    }

    return SQLITE_OK;
}


/* the connection is to be closed in any case; NULL is fine for that */

static int
ngx_http_ilert_sqlite_ask_open(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_sqlite_how_e how, ngx_uint_t writable, sqlite3 **conn)
{
    int          rc, flags;
    char        *name;
    const char  *vfs, *sql;

    *conn = NULL;

    name = NULL;
    vfs = NULL;
    flags = SQLITE_OPEN_READONLY;
    sql = "BEGIN";

    switch (how) {

    case NGX_HTTP_ILERT_SQLITE_ASK_SHARED:
        if (writable) {
            flags = SQLITE_OPEN_READWRITE;
            sql = "BEGIN IMMEDIATE";
        }

        break;

    case NGX_HTTP_ILERT_SQLITE_ASK_EXCLUSIVE:
        flags = SQLITE_OPEN_READWRITE;
        sql = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE";
        break;

    case NGX_HTTP_ILERT_SQLITE_ASK_UNLOCKED:
        vfs = "unix-none";
        sql = "PRAGMA locking_mode = EXCLUSIVE; BEGIN";
        break;

    default: /* NGX_HTTP_ILERT_SQLITE_ASK_IMMUTABLE */
        name = ngx_http_ilert_sqlite_ask_uri(db->name);
        if (name == NULL) {
            return NGX_HTTP_ILERT_SQLITE_NOMEM;
        }

        flags |= SQLITE_OPEN_URI;
    }

    rc = sqlite3_open_v2(name ? name : db->name, conn,
                         flags|SQLITE_OPEN_NOMUTEX, vfs);

    sqlite3_free(name);

    if (rc != SQLITE_OK) {
        return rc;
    }

    (void) sqlite3_db_config(*conn, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);

    rc = sqlite3_exec(*conn, sql, NULL, NULL, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(*conn, "PRAGMA query_only = ON", NULL, NULL, NULL);
    }

    return rc;
}


static char *
ngx_http_ilert_sqlite_ask_uri(const char *path)
{
    char        *uri, *p;
    const char  *s;

    uri = sqlite3_malloc64(sizeof("file:?immutable=1")
                           + 3 * ngx_strlen(path));
    if (uri == NULL) {
        return NULL;
    }

    p = (char *) ngx_cpymem(uri, "file:", sizeof("file:") - 1);

    for (s = path; *s; s++) {

        if (*s == '%' || *s == '?' || *s == '#') {
            sqlite3_snprintf(4, p, "%%%02X", (unsigned) *s);
            p += 3;

        } else {
            *p++ = *s;
        }
    }

    ngx_memcpy(p, "?immutable=1", sizeof("?immutable=1"));

    return uri;
}


static int
ngx_http_ilert_sqlite_ask_all(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_job_t *job, sqlite3 *conn)
{
    int                           rc;
    int64_t                       n;
    ngx_queue_t                  *q;
    sqlite3_stmt                 *stmt;
    ngx_http_ilert_store_work_t   work;

    rc = ngx_http_ilert_sqlite_ask_number(conn,
                          "SELECT EXISTS (SELECT 1 FROM sqlite_master)", &n);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (n == 0) {
        /* one that made it was killed before there was anything in it */
        ngx_http_ilert_sqlite_ask_say(job, NGX_HTTP_ILERT_STORE_NONE_WAITS);
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_sqlite_ask_number(conn, "PRAGMA application_id", &n);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (n != NGX_HTTP_ILERT_SQLITE_APPLICATION) {
        return NGX_HTTP_ILERT_SQLITE_FOREIGN;
    }

    rc = sqlite3_prepare_v2(conn, ngx_http_ilert_sqlite_ask_sql, -1, &stmt,
                            NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (ngx_http_ilert_work_create(&work, db->store, job->now) != NGX_OK) {
        rc = NGX_HTTP_ILERT_SQLITE_NOMEM;
    }

    for (q = ngx_queue_head(&job->accepts);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        rc = ngx_http_ilert_sqlite_ask_event(&work, stmt, ngx_queue_data(q,
                                        ngx_http_ilert_store_event_t, queue));
    }

    ngx_http_ilert_work_destroy(&work);

    (void) sqlite3_finalize(stmt);

    return rc;
}


static int
ngx_http_ilert_sqlite_ask_event(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_event_t *ev)
{
    int         rc;
    ngx_str_t  *key;
    ngx_uint_t  waits;

    key = ngx_http_ilert_work_fold(work, &ev->key);
    if (key == NULL) {
        return NGX_HTTP_ILERT_SQLITE_NOMEM;
    }

    waits = 0;

    sqlite3_bind_text(stmt, 1, (char *) key->data, key->len, SQLITE_STATIC);

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc != SQLITE_ROW) {
            break;
        }

        waits |= ngx_http_ilert_work_waits(sqlite3_column_int64(stmt, 0),
                                           sqlite3_column_int64(stmt, 1),
                                           sqlite3_column_int64(stmt, 2));
    }

    (void) sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return rc;
    }

    ev->waits = waits ? NGX_HTTP_ILERT_STORE_WAITS
                      : NGX_HTTP_ILERT_STORE_NONE_WAITS;

    return SQLITE_OK;
}


static int
ngx_http_ilert_sqlite_ask_number(sqlite3 *conn, const char *sql,
    int64_t *value)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(conn, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;

    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_ERROR;
    }

    (void) sqlite3_finalize(stmt);

    return rc;
}


static void
ngx_http_ilert_sqlite_ask_say(ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_waits_e waits)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_event_t  *ev;

    for (q = ngx_queue_head(&job->accepts);
         q != ngx_queue_sentinel(&job->accepts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, ngx_http_ilert_store_event_t, queue);
        ev->waits = waits;
    }
}
