
/*
 * Calls that the store makes of SQLite, and of the system, fail in turn.  The
 * linker leads them here: the test program is built with --wrap, see
 * t/store/build.  Calls of the system fail only in cases that ask for it, as
 * the store can often go on without them.
 */


#include "store_test.h"

#include <execinfo.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/statvfs.h>


int __real_sqlite3_step(sqlite3_stmt *stmt);
int __wrap_sqlite3_step(sqlite3_stmt *stmt);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned int flags, sqlite3_stmt **stmt, const char **tail);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned int flags, sqlite3_stmt **stmt, const char **tail);
int __real_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error);

int __real_stat64(const char *name, struct stat *st);
int __wrap_stat64(const char *name, struct stat *st);
int __real_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...);
int __real_fcntl64(int fd, int cmd, ...);
int __wrap_fcntl64(int fd, int cmd, ...);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_statvfs64(const char *name, struct statvfs *fs);
int __wrap_statvfs64(const char *name, struct statvfs *fs);
ssize_t __real_write(int fd, const void *buf, size_t size);
ssize_t __wrap_write(int fd, const void *buf, size_t size);
int __real_close(int fd);
int __wrap_close(int fd);
int __real_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size,
    struct passwd **found);
int __wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size,
    struct passwd **found);


/*
 * A place is a call with all that called it, by a digest of the addresses that
 * it returns to.  How often each place has failed is known to all cases, which
 * are processes of their own: so each path to SQLite fails some times in a
 * run, and what cases have in common does not fail again in each of them.
 */

#define PLACES  (1024 * 1024)
#define DEPTH   32

/* when so many jobs have had no new place, the case goes on as it is */

#define IDLE    200


ngx_uint_t         failing_times;

static u_char     *failing_place;
static ngx_uint_t  failing_n;
static ngx_uint_t  failing_after;
static int         failing_code;
static ngx_uint_t  failing_new;
static uint64_t    failing_first;
static ngx_uint_t  failing_hit;
static ngx_uint_t  failing_idle;
static int         failing_errno;

static ngx_uint_t  stat_n;
static ngx_uint_t  stat_calls;
static changed_e   stat_changed;
static ngx_uint_t  write_n;
static size_t      write_size;


void
failing_init(ngx_uint_t times)
{
    failing_times = times;

    if (failing_place) {
        return;
    }

    failing_place = mmap(NULL, PLACES, PROT_READ|PROT_WRITE,
                         MAP_ANON|MAP_SHARED, -1, 0);

    if (failing_place == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
}


void
failing_call(ngx_uint_t n, ngx_uint_t after, int rc)
{
    failing_n = n;
    failing_after = after;
    failing_code = rc;
    failing_new = 0;

    if (n) {
        failing_hit = 0;
    }
}


ngx_uint_t
failing_calls(void)
{
    return failing_hit;
}


static uint64_t
place(void)
{
    int       i, n;
    void     *address[DEPTH];
    uint64_t  digest;

    n = backtrace(address, DEPTH);
    digest = failing_hit + 16 * failing_errno;

    for (i = 0; i < n; i++) {
        digest = (digest ^ (uintptr_t) address[i]) * 0x9e3779b97f4a7c15;
        digest ^= digest >> 29;
    }

    return digest;
}


/*
 * Returns an error code if this call is to fail: if it is the n-th one, and
 * then if it is so many after that one; or, if failing_new is set, if it is
 * the first one from a place that has not failed often enough.  If there is
 * a failing_first, the call from that place fails first, and then a new one.
 */

static int
fails(void)
{
    u_char    *times;
    uint64_t   digest;

    if (failing_n) {

        if (--failing_n) {
            return SQLITE_OK;
        }

        failing_n = failing_after;
        failing_after = 0;
        failing_hit++;

        return failing_code;
    }

    if (!failing_new) {
        return SQLITE_OK;
    }

    digest = place();

    if (failing_first && failing_hit == 0) {

        if (digest != failing_first) {
            return SQLITE_OK;
        }

        failing_hit = 1;

        return failing_code;
    }

    times = &failing_place[digest % PLACES];

    if (*times >= (failing_errno ? 1 : failing_times)) {
        return SQLITE_OK;
    }

    (*times)++;

    failing_new = 0;
    failing_hit++;

    if (failing_hit == 1) {
        failing_first = digest;
    }

    return failing_code;
}


/* Returns 1, and sets errno, if this call of the system is to fail. */

static ngx_uint_t
system_fails(void)
{
    if (failing_errno == 0 || fails() == SQLITE_OK) {
        return 0;
    }

    errno = failing_errno;

    return 1;
}


void
failing_from(int err)
{
    failing_init(failing_times);

    failing_errno = err;
    failing_code = (err == ENOSPC) ? SQLITE_FULL : SQLITE_IOERR;
    failing_first = 0;
    failing_hit = 0;
    failing_new = 1;
}


ngx_uint_t
failing_until(void)
{
    failing_errno = 0;
    failing_new = 0;

    return failing_hit;
}


/* a ROLLBACK that fails would be one of a transaction that is over */

int
__wrap_sqlite3_step(sqlite3_stmt *stmt)
{
    int  rc;

    rc = strcmp(sqlite3_sql(stmt), "ROLLBACK") ? fails() : SQLITE_OK;

    return (rc == SQLITE_OK) ? __real_sqlite3_step(stmt) : rc;
}


int
__wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len,
    unsigned int flags, sqlite3_stmt **stmt, const char **tail)
{
    int  rc;

    rc = fails();

    if (rc != SQLITE_OK) {
        *stmt = NULL;
        return rc;
    }

    return __real_sqlite3_prepare_v3(db, sql, len, flags, stmt, tail);
}


int
__wrap_sqlite3_exec(sqlite3 *db, const char *sql,
    int (*callback)(void *, int, char **, char **), void *data, char **error)
{
    int  rc;

    rc = fails();

    return (rc == SQLITE_OK)
           ? __real_sqlite3_exec(db, sql, callback, data, error) : rc;
}


void
failing_stat(ngx_uint_t n, changed_e changed)
{
    stat_n = n;
    stat_calls = 0;
    stat_changed = changed;
}


ngx_uint_t
failing_stats(void)
{
    return stat_calls;
}


int
__wrap_stat64(const char *name, struct stat *st)
{
    stat_calls++;

    if (system_fails() || __real_stat64(name, st) == -1) {
        return -1;
    }

    if (stat_n == 0 || --stat_n) {
        return 0;
    }

    switch (stat_changed) {

    case CHANGED_DEVICE:
        st->st_dev++;
        break;

    case CHANGED_INODE:
        st->st_ino++;
        break;

    case CHANGED_SIZE:
        st->st_size++;
        break;

    case CHANGED_SECONDS:
        st->st_mtim.tv_sec++;
        break;

    default: /* CHANGED_NANOSECONDS */
        st->st_mtim.tv_nsec++;
    }

    return 0;
}


int
__wrap_open64(const char *name, int flags, ...)
{
    int      mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, int) : 0;
    va_end(args);

    return system_fails() ? -1 : __real_open64(name, flags, mode);
}


int
__wrap_fcntl64(int fd, int cmd, ...)
{
    void     *arg;
    va_list   args;

    va_start(args, cmd);
    arg = va_arg(args, void *);
    va_end(args);

    return system_fails() ? -1 : __real_fcntl64(fd, cmd, arg);
}


int
__wrap_fsync(int fd)
{
    return system_fails() ? -1 : __real_fsync(fd);
}


int
__wrap_rename(const char *from, const char *to)
{
    return system_fails() ? -1 : __real_rename(from, to);
}


int
__wrap_statvfs64(const char *name, struct statvfs *fs)
{
    return system_fails() ? -1 : __real_statvfs64(name, fs);
}


void
failing_write(ngx_uint_t n, size_t size)
{
    write_n = n;
    write_size = size;
}


ssize_t
__wrap_write(int fd, const void *buf, size_t size)
{
    if (system_fails()) {
        return -1;
    }

    if (write_n && --write_n == 0) {
        size = ngx_min(size, write_size);
    }

    return __real_write(fd, buf, size);
}


int
__wrap_close(int fd)
{
    int  rc;

    rc = __real_close(fd);

    return system_fails() ? -1 : rc;
}


/* it says by its value what is wrong */

int
__wrap_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t size,
    struct passwd **found)
{
    return system_fails() ? errno
                          : __real_getpwuid_r(uid, pw, buf, size, found);
}


/* beside queries, and webhooks that were refused */

static ngx_uint_t
has_work(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->accepts) || !ngx_queue_empty(&job->verdicts)
           || !ngx_queue_empty(&job->orders) || job->ntakes || job->nrelease
           || job->nhomes || job->begin || job->unknown || job->clean
           || job->prove || job->end;
}


/*
 * Webhooks that were refused are kept in a transaction of their own, whose
 * failure is none of the job's.
 */

static ngx_uint_t
keeps_none(ngx_http_ilert_store_job_t *job)
{
    return !ngx_queue_empty(&job->refused) && job->kept == 0;
}


/*
 * A job that fails has done nothing, and can be run again: only the pause
 * after an error, and what is said of it, are taken back.  Returns 1 if that
 * is so.
 */

static ngx_uint_t
run_failing(test_t *t, query_t *query)
{
    query_t                 asked;
    ngx_http_ilert_store_t  was;

    was = t->store;

    if (query) {
        asked = *query;
    }

    failing_hit = 0;
    failing_code = SQLITE_IOERR;
    failing_new = 1;

    (void) ngx_http_ilert_store_run(&t->store, &t->job);

    failing_new = 0;

    if (failing_hit == 0
        || (query == NULL && t->job.decided && !keeps_none(&t->job)))
    {
        return 0;
    }

    if (query) {
        check(!query->ok);
        *query = asked;
    }

    t->store.state = was.state;
    t->store.fault = was.fault;
    t->store.failed = was.failed;
    t->store.full = was.full;
    t->store.blocked = was.blocked;
    t->store.asked = was.asked;
    memcpy(t->store.error, was.error, sizeof(was.error));

    /* where the search goes on is no matter of the transaction */

    memcpy(t->store.old, was.old, sizeof(was.old));
    memcpy(t->store.oldest, was.oldest, sizeof(was.oldest));

    return 1;
}


/*
 * Queries come after the transaction, and so do webhooks that were refused:
 * they fail only if they are alone.
 */

ngx_uint_t
run_job(test_t *t)
{
    query_t                     *query;
    uint64_t                     first;
    ngx_http_ilert_store_job_t  *job;

    job = &t->job;
    query = NULL;

    if (!ngx_queue_empty(&job->queries)) {
        query = ngx_queue_data(ngx_queue_head(&job->queries), query_t, queue);
    }

    if (failing_times == 0 || failing_errno || failing_idle == IDLE
        || !t->store.open
        || (!ngx_queue_empty(&job->refused) && (query || has_work(job)))
        || (query && (has_work(job) || t->store.state != OK
                      || t->store.lost)))
    {
        return ngx_http_ilert_store_run(&t->store, job);
    }

    failing_idle++;

    for (failing_first = 0; /* void */ ; failing_idle = 0) {
        first = failing_first;

        if (!run_failing(t, query)) {
            break;
        }

        /* the same again, until all that is done about it has failed, too */

        if (first && failing_hit == 1) {
            failing_first = 0;
        }
    }

    return t->store.state;
}
