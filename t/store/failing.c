
/*
 * Calls that the store makes of SQLite fail in turn.  The linker leads them
 * here: the test program is built with --wrap, see t/store/build.
 */


#include "store_test.h"

#include <execinfo.h>
#include <sys/mman.h>


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


void
failing_init(ngx_uint_t times)
{
    failing_times = times;

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
    digest = failing_hit;

    for (i = 0; i < n; i++) {
        digest = (digest ^ (uintptr_t) address[i]) * 0x9e3779b97f4a7c15;
        digest ^= digest >> 29;
    }

    return digest;
}


/*
 * The n-th call, and then the one that is so many after it; or, if "new" is
 * set, the first call from a place that has not failed often enough.  With a
 * first place that is the one to fail before, and the new one is after it.
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

    if (*times >= failing_times) {
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

    if (failing_hit == 0 || (query == NULL && t->job.decided)) {
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


/* queries come after the transaction, and fail only if they are alone */

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

    if (failing_times == 0 || failing_idle == IDLE || !t->store.open
        || (query && (!ngx_queue_empty(&job->accepts)
                      || !ngx_queue_empty(&job->verdicts)
                      || !ngx_queue_empty(&job->orders) || job->ntakes
                      || job->nrelease || job->nhomes || job->begin
                      || job->unknown || job->clean || job->probe || job->end
                      || t->store.state != OK || t->store.lost)))
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
