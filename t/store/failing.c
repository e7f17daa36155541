
/*
 * Calls that the store makes of SQLite fail in turn.  The linker leads them
 * here: the test program is built with --wrap, see t/store/build.
 */


#include "store_test.h"


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


ngx_uint_t         failing_jobs;

static ngx_uint_t  failing_n;
static ngx_uint_t  failing_after;
static int         failing_code;
static ngx_uint_t  failing_hit;


void
failing_call(ngx_uint_t n, ngx_uint_t after, int rc)
{
    failing_n = n;
    failing_after = after;
    failing_code = rc;

    if (n) {
        failing_hit = 0;
    }
}


ngx_uint_t
failing_calls(void)
{
    return failing_hit;
}


/* the n-th call, and then the one that is so many after it */

static int
fails(void)
{
    if (failing_n == 0) {
        return SQLITE_OK;
    }

    if (--failing_n) {
        return SQLITE_OK;
    }

    failing_n = failing_after;
    failing_after = 0;
    failing_hit++;

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
 * A job that fails has done nothing: so each call that it makes fails in turn,
 * until there is none left that could.  Only the pause after an error, and
 * what is said of it, are taken back.
 */

static ngx_uint_t
run_failing(test_t *t, ngx_uint_t n, query_t *query)
{
    query_t                 asked;
    ngx_http_ilert_store_t  was;

    was = t->store;

    if (query) {
        asked = *query;
    }

    failing_call(n, 0, SQLITE_IOERR);

    (void) ngx_http_ilert_store_run(&t->store, &t->job);

    failing_call(0, 0, SQLITE_OK);

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
    ngx_uint_t                   n;
    ngx_http_ilert_store_job_t  *job;

    job = &t->job;
    query = NULL;

    if (!ngx_queue_empty(&job->queries)) {
        query = ngx_queue_data(ngx_queue_head(&job->queries), query_t, queue);
    }

    if (failing_jobs == 0 || !t->store.open
        || (query && (!ngx_queue_empty(&job->accepts)
                      || !ngx_queue_empty(&job->verdicts)
                      || !ngx_queue_empty(&job->orders) || job->ntakes
                      || job->nrelease || job->nhomes || job->begin
                      || job->unknown || job->clean || job->probe || job->end
                      || t->store.state != OK || t->store.lost)))
    {
        return ngx_http_ilert_store_run(&t->store, job);
    }

    for (n = 1; failing_jobs; n++) {
        failing_jobs--;

        if (!run_failing(t, n, query)) {
            return t->store.state;
        }
    }

    return ngx_http_ilert_store_run(&t->store, job);
}
