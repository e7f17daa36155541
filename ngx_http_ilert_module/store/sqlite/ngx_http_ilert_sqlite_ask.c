
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/*
 * Finds out what waits in a database that cannot be opened as usual, mostly
 * since it cannot be written.  An event may only be relayed if nothing of its
 * alert waits, otherwise an ALERT that waits would be sent after its RESOLVE.
 * If there is no file, or an empty one, nothing waits.  If the file can be
 * read, it is asked.  If not, the answer is CANNOT_SAY.
 *
 * All writers must be kept out meanwhile, because events of a commit that is
 * under way cannot be seen yet.  This is done by the store's mutex, and by
 * a lock of SQLite's, which others hold while they commit.  If a lock cannot
 * be taken, the answer is CANNOT_SAY, too.  A commit that has not begun needs
 * no care: Kapacitor sends the next event of an alert after it has got an
 * answer, and events that were given up are not committed (see store_job.c).
 *
 * The file is opened in one of these ways:
 *
 * SHARED     Another process has the database open, perhaps one of a newer
 *            release that also writes.  So the log and its index exist, and
 *            their locks are used.
 * EXCLUSIVE  Nobody else has it open.  Then SQLite keeps the index of the log
 *            in memory, and needs no room on the disk.
 * UNLOCKED   The same for a file that we may not write to, and so cannot lock.
 * IMMUTABLE  The same if there is no log either, which SQLite would have to
 *            make.
 *
 * Nothing is written, and there is no checkpoint.  With the last two, we do
 * not notice a process that begins to write at that time.  So the files are
 * compared afterwards, and if they have changed, all is asked once more.
 *
 * The connection is closed when the job is done, so that it holds no lock, and
 * the next job sees the file of its own time.  All this is done only while the
 * database is not open in this process: POSIX drops the locks of a file when
 * the process closes any descriptor of it.
 */


typedef enum {
    NGX_HTTP_ILERT_SQLITE_ASK_SHARED = 0,
    NGX_HTTP_ILERT_SQLITE_ASK_EXCLUSIVE,
    NGX_HTTP_ILERT_SQLITE_ASK_UNLOCKED,
    NGX_HTTP_ILERT_SQLITE_ASK_IMMUTABLE
} ngx_http_ilert_sqlite_how_e;


typedef struct {
    ngx_file_info_t             db;
    ngx_file_info_t             log;        /* zeroed: there is no log */
} ngx_http_ilert_sqlite_files_t;


/* the range of bytes in a database that SQLite locks, see its file format */

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
 * Selects the alerts of all sources with a folded key.  Only some of these
 * sources share an integration key, but this statement has to work with all
 * versions of the schema, and earlier ones do not know integration keys.
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

    if (db->db) {

        if (db->rc < 0 || (db->rc & 0xff) != SQLITE_READONLY) {
            ngx_http_ilert_sqlite_ask_say(job,
                                          NGX_HTTP_ILERT_STORE_CANNOT_SAY);
            return 0;
        }

        /* this connection cannot lock the file, so another one is opened */

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


/* Returns .._MISSING if there is no file, or an empty one: nothing waits. */

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


/*
 * The caller has to close the connection even after an error; it may be NULL.
 */

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
        /* a process was killed after it made the file, before its tables */
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
