
/*
 * The store, without nginx.
 *
 *     store_test DIR [NAME ...]      cases, or groups of them: prints "ok
 *                                    CASE" or "not ok CASE", and what was
 *                                    wrong
 *     store_test bench DIR [ARG ...]
 *     store_test storm DIR [ARG ...]
 *
 * Each case runs in a process and in a folder of its own below DIR.  The
 * environment: TEST_SEED, of what is random; it is printed.  TEST_BACKEND:
 * "sqlite", or "null", of which only those cases are that any backend has to
 * pass.  TEST_FAILING: how many times each path to SQLite fails; see
 * failing.c.
 */


#include "kept.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/wait.h>


char                         test_dir[256];
ngx_uint_t                   test_failures;
ngx_uint_t                   test_alloc_fails;
ngx_http_ilert_backend_t    *test_backend = &ngx_http_ilert_sqlite;

ngx_http_ilert_store_job_t   outcome;

volatile ngx_cycle_t        *ngx_cycle;

static ngx_cycle_t           test_cycle;
static uint32_t              test_random = 1;
static uint64_t              test_id;


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    if (test_alloc_fails && --test_alloc_fails == 0) {
        return NULL;
    }

    return malloc(size);
}


/*
 * As nginx's, of whose sources there are only headers.  Each piece is
 * allocated by itself, so that the sanitizers see it; where time is measured
 * small ones are of a block, as nginx's are.
 */

ngx_pool_t *
ngx_create_pool(size_t size, ngx_log_t *log)
{
    return calloc(1, sizeof(ngx_pool_t));
}


void
ngx_destroy_pool(ngx_pool_t *pool)
{
    ngx_pool_large_t  *large, *next;

    for (large = pool->large; large; large = next) {
        next = large->next;
        free(large);
    }

    free(pool);
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    ngx_pool_large_t  *large;

#if (TEST_BENCH)

    static const size_t  block = 16384;

    u_char  *p;

    if (size < block / 4) {
        p = ngx_align_ptr(pool->d.last, sizeof(uint64_t));

        if (pool->d.last && p + size <= pool->d.end) {
            pool->d.last = p + size;
            return p;
        }

        large = malloc(sizeof(ngx_pool_large_t) + block);
        large->next = pool->large;
        pool->large = large;

        p = (u_char *) (large + 1);
        pool->d.last = p + size;
        pool->d.end = p + block;

        return p;
    }

#endif

    large = ngx_alloc(sizeof(ngx_pool_large_t) + size, NULL);

    if (large == NULL) {
        return NULL;
    }

    large->next = pool->large;
    pool->large = large;

    return large + 1;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = ngx_palloc(pool, size);

    return p ? memset(p, 0, size) : NULL;
}


u_char *
ngx_pstrdup(ngx_pool_t *pool, ngx_str_t *src)
{
    u_char  *p;

    p = ngx_palloc(pool, src->len + 1);

    return (p && src->len) ? memcpy(p, src->data, src->len) : p;
}


void *
ngx_array_push(ngx_array_t *a)
{
    void  *elts;

    if (a->nelts == a->nalloc) {

        elts = ngx_palloc(a->pool, 2 * a->nalloc * a->size);
        if (elts == NULL) {
            return NULL;
        }

        memcpy(elts, a->elts, a->nelts * a->size);

        a->elts = elts;
        a->nalloc *= 2;
    }

    return (char *) a->elts + a->size * a->nelts++;
}


u_char *
ngx_strerror(ngx_err_t err, u_char *buf, size_t size)
{
    return buf + snprintf((char *) buf, size, "%s", strerror(err));
}


void
fail_at(const char *file, int line, const char *what, const char *got)
{
    const char  *p;

    if (++test_failures > 20) {
        return;
    }

    p = strrchr(file, '/');

    printf("# %s:%d: %s%s%s\n", p ? p + 1 : file, line, what,
           got ? ": " : "", got ? got : "");
}


void
check_int_at(const char *file, int line, const char *what, int64_t got,
    int64_t wanted)
{
    char  text[128];

    if (got != wanted) {
        sqlite3_snprintf(sizeof(text), text, "%lld, not %lld", got, wanted);
        fail_at(file, line, what, text);
    }
}


void
check_str_at(const char *file, int line, const char *what, const char *got,
    const char *wanted)
{
    char  *text;

    if (strcmp(got, wanted) != 0) {
        text = sqlite3_mprintf("\"%s\", not \"%s\"", got, wanted);
        fail_at(file, line, what, text);
        sqlite3_free(text);
    }
}


static void
begin_job(test_t *t)
{
    memset(&t->job, 0, sizeof(t->job));

    ngx_queue_init(&t->job.verdicts);
    ngx_queue_init(&t->job.orders);
    ngx_queue_init(&t->job.queries);
    ngx_queue_init(&t->job.notes);
    ngx_queue_init(&t->job.looks);
    ngx_queue_init(&t->job.refused);
    ngx_queue_init(&t->job.accepts);
    ngx_queue_init(&t->job.taken);

    t->job.takes = t->takes;
    t->job.release = t->release;
    t->job.budgets = t->budgets;
    t->job.nbudgets = t->nbudgets;
    t->job.ids = t->ids;
    t->accepted = NULL;
}


static void
free_events(ngx_queue_t *events)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(events)) {
        q = ngx_queue_head(events);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, event_t, queue));
    }
}


static void
free_refused(ngx_queue_t *refused)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(refused)) {
        q = ngx_queue_head(refused);
        ngx_queue_remove(q);
        ngx_free(ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue));
    }
}


static void
remove_files(const char *path)
{
    DIR            *dir;
    char           *name;
    struct dirent  *de;

    dir = opendir(path);
    if (dir == NULL) {
        return;
    }

    while ((de = readdir(dir))) {
        if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0) {
            name = sqlite3_mprintf("%s/%s", path, de->d_name);
            unlink(name);
            sqlite3_free(name);
        }
    }

    closedir(dir);
    rmdir(path);
}


void
setup(test_t *t, const char *name)
{
    memset(t, 0, sizeof(test_t));

    sqlite3_snprintf(sizeof(t->path), t->path, "%s/%s", test_dir, name);

    remove_files(t->path);

    if (mkdir(t->path, 0700) == -1) {
        fail_at(__FILE__, __LINE__, "mkdir", strerror(errno));
    }

    t->store.backend = test_backend;
    t->store.path.data = (u_char *) t->path;
    t->store.path.len = strlen(t->path);
    t->store.max_size = 1024 * 1024 * 1024;

    null_forget(&t->store.path);

    t->now = NOW;
    t->policy.repeat = 300 * SECOND;

    ngx_queue_init(&outcome.taken);
    ngx_queue_init(&outcome.buried);
    ngx_queue_init(&outcome.accepts);
    ngx_queue_init(&outcome.verdicts);
    begin_job(t);
}


void
teardown(test_t *t)
{
    ngx_http_ilert_store_close(&t->store);
    null_forget(&t->store.path);

    free_events(&t->job.verdicts);
    free_events(&t->job.accepts);
    free_refused(&t->job.refused);
    free_events(&outcome.taken);
    free_events(&outcome.accepts);
    free_events(&outcome.buried);
    free_events(&outcome.verdicts);

    remove_files(t->path);
}


event_t *
new_event(const char *source, const char *key, ngx_uint_t type,
    const char *body)
{
    event_t  *ev;

    ev = ngx_http_ilert_store_event(strlen(source), strlen(key),
                                    strlen(body), 0, NULL);

    memcpy(ev->source.data, source, strlen(source));
    memcpy(ev->key.data, key, strlen(key));
    memcpy(ev->body.data, body, strlen(body));

    /* each has a key of its own, unless a test says otherwise */

    ev->owner = ev->source;

    ev->said.type = type;
    ev->said.level = (type == RESOLVE) ? NGX_HTTP_ILERT_OK
                                       : NGX_HTTP_ILERT_CRITICAL;
    ev->id = ++test_id;

    return ev;
}


event_t *
accept_event(test_t *t, const char *source, const char *key, ngx_uint_t type,
    const char *body)
{
    event_t  *ev;

    ev = new_event(source, key, type, body);
    ev->said.received = t->now;
    ev->policy = t->policy;

    ngx_queue_insert_tail(&t->job.accepts, &ev->queue);

    if (t->accepted == NULL) {
        t->accepted = ev;
    }

    return ev;
}


event_t *
accept_id(test_t *t, const char *source, const char *key, ngx_uint_t type,
    uint64_t id)
{
    event_t  *ev;

    ev = accept_event(t, source, key, type, "x");
    ev->id = id;

    return ev;
}


void
accept_n(test_t *t, const char *source, ngx_uint_t n, ngx_uint_t type,
    const char *body)
{
    char        key[32];
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        sprintf(key, "%d", (int) i);
        accept_event(t, source, key, type, body);
    }
}


event_t *
received(event_t *ev, int64_t time)
{
    ev->said.received = time;

    return ev;
}


event_t *
level(event_t *ev, ngx_uint_t level)
{
    ev->said.level = level;

    return ev;
}


void
take(test_t *t, const char *source, ngx_uint_t n, int64_t max_age)
{
    ngx_uint_t                    i;
    ngx_http_ilert_store_take_t  *take;

    take = &t->takes[t->job.ntakes++];

    memset(take, 0, sizeof(ngx_http_ilert_store_take_t));

    take->source.data = (u_char *) source;
    take->source.len = strlen(source);
    take->n = n;
    take->policy = t->policy;
    take->policy.max_age = max_age;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        take->budgets[i] = (i < t->nbudgets) ? &t->budgets[i] : NULL;
    }
}


budget_t *
budget(test_t *t, const char *name, ngx_uint_t rate, int64_t window)
{
    budget_t  *b;

    b = &t->budgets[t->nbudgets++];

    memset(b, 0, sizeof(budget_t));

    b->name.data = (u_char *) name;
    b->name.len = strlen(name);
    b->rate = rate;
    b->window = window;

    t->job.nbudgets = t->nbudgets;

    return b;
}


void
release(test_t *t, const char *source)
{
    t->release[0].data = (u_char *) source;
    t->release[0].len = strlen(source);
    t->job.nrelease = 1;
}


static ngx_uint_t
is_configured(ngx_str_t *name, void *data)
{
    test_t *t = data;

    /* what never was one begins so */

    if (name->len >= 2 && memcmp(name->data, "no", 2) == 0) {
        return 0;
    }

    return t->removed == NULL || name->len != strlen(t->removed)
           || memcmp(name->data, t->removed, name->len) != 0;
}


order_t *
order(test_t *t, order_t *order, ngx_uint_t action, const char *source,
    uint64_t id)
{
    memset(order, 0, sizeof(order_t));

    order->action = action;
    order->id = id;
    order->source.data = (u_char *) source;
    order->source.len = strlen(source);
    order->configured = is_configured;
    order->data = t;

    ngx_queue_insert_tail(&t->job.orders, &order->queue);

    return order;
}


query_t *
query(test_t *t, const char *source, const char *key)
{
    static query_t  q;

    if (q.pool) {
        ngx_destroy_pool(q.pool);
    }

    memset(&q, 0, sizeof(query_t));

    q.pool = ngx_create_pool(1024, NULL);
    q.source.data = (u_char *) source;
    q.source.len = strlen(source);
    t->job.nbudgets = t->nbudgets;

    if (key) {
        q.key.data = (u_char *) key;
        q.key.len = strlen(key);
        q.alert = 1;
    }

    ngx_queue_insert_tail(&t->job.queries, &q.queue);

    return &q;
}


void
verdict(test_t *t, event_t *ev, ngx_uint_t verdict)
{
    ngx_queue_remove(&ev->queue);
    ngx_queue_insert_tail(&t->job.verdicts, &ev->queue);

    ev->verdict = verdict;
}


static void
move_events(ngx_queue_t *to, ngx_queue_t *from)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(from)) {
        q = ngx_queue_head(from);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(to, q);
    }
}


/* what was not decided goes to the next job */

ngx_uint_t
run(test_t *t)
{
    ngx_uint_t   state;
    ngx_queue_t  undecided;

    t->job.now = t->now;

    state = run_job(t);

    check_int(t->store.state, state);
    check((state == OK) == (t->store.error[0] == '\0'));
    check(state != OK || (t->job.accepted && t->job.decided));
    check(!t->job.accepted || t->job.decided
          || ngx_queue_empty(&t->job.accepts));
    check(strchr(t->store.error, '\n') == NULL);

    free_events(&outcome.taken);
    free_events(&outcome.accepts);
    free_events(&outcome.buried);
    free_events(&outcome.verdicts);
    free_refused(&t->job.refused);

    outcome = t->job;

    ngx_queue_init(&outcome.verdicts);

    ngx_queue_init(&outcome.buried);
    move_events(&outcome.buried, &t->job.buried);

    ngx_queue_init(&outcome.taken);
    ngx_queue_init(&outcome.accepts);
    move_events(&outcome.taken, &t->job.taken);
    move_events(&outcome.accepts, &t->job.accepts);

    ngx_queue_init(&undecided);

    move_events(t->job.decided ? &outcome.verdicts : &undecided,
                &t->job.verdicts);

    begin_job(t);
    move_events(&t->job.verdicts, &undecided);

    if (!outcome.decided) {
        t->job.begin = outcome.begin;
        t->job.unknown = outcome.unknown;
    }

    return state;
}


event_t *
taken(test_t *t, ngx_uint_t n)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&outcome.taken);
         q != ngx_queue_sentinel(&outcome.taken);
         q = ngx_queue_next(q))
    {
        if (n-- == 0) {
            return ngx_queue_data(q, event_t, queue);
        }
    }

    return NULL;
}


event_t *
only(test_t *t)
{
    check(taken(t, 1) == NULL);

    return taken(t, 0);
}


event_t *
keep(event_t *ev)
{
    ngx_queue_remove(&ev->queue);
    ngx_queue_init(&ev->queue);

    return ev;
}


void
accept_one(test_t *t, const char *source, const char *key, ngx_uint_t type,
    const char *body)
{
    accept_event(t, source, key, type, body);

    check_int(run(t), OK);
    check(outcome.accepted);
}


ngx_uint_t
take_n(test_t *t, const char *source, ngx_uint_t n)
{
    take(t, source, n, 0);

    n = t->job.ntakes - 1;

    check_int(run(t), OK);

    return outcome.takes[n].taken;
}


void
take_stale(test_t *t, ngx_uint_t n, ngx_uint_t nids)
{
    ngx_uint_t  i;

    for (i = 0; i < nids; i++) {
        t->ids[i] = 100 + i;
    }

    t->job.nids = nids;
    take_n(t, "ops", n);
}


event_t *
take_one(test_t *t, const char *source)
{
    (void) take_n(t, source, 1);

    return only(t);
}


void
verdicts(test_t *t, ngx_uint_t v)
{
    while (taken(t, 0)) {
        verdict(t, taken(t, 0), v);
    }
}


void
decide(test_t *t, event_t *ev, ngx_uint_t v)
{
    if (ev == NULL) {
        fail_at(__FILE__, __LINE__, "nothing was taken", NULL);
        return;
    }

    verdict(t, ev, v);

    check_int(run(t), OK);
    check(outcome.decided);
}


const char *
drain(test_t *t, const char *source)
{
    char         *p;
    event_t      *ev;
    static char   text[65536];

    p = text;
    *p = '\0';

    for ( ;; ) {
        take(t, source, 100, 0);

        if (run(t) != OK || taken(t, 0) == NULL) {
            break;
        }

        while ((ev = taken(t, 0))) {

            if (p - text < (ssize_t) sizeof(text) - 1024) {
                p += sprintf(p, "%s%.*s:%.*s", p == text ? "" : " ",
                             (int) ev->key.len, ev->key.data,
                             (int) ngx_min(ev->body.len, 64), ev->body.data);
            }

            verdict(t, ev, DONE);
        }
    }

    return text;
}


const char *
sql(test_t *t, const char *fmt, ...)
{
    int            rc;
    char          *name, *text;
    va_list        args;
    sqlite3       *db;
    sqlite3_stmt  *stmt;
    static char    result[8][16384];
    static int     n;

    va_start(args, fmt);
    text = sqlite3_vmprintf(fmt, args);
    va_end(args);

    n = (n + 1) % 8;
    result[n][0] = '\0';

    name = sqlite3_mprintf("%s/queue.db", t->path);

    rc = sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE, "unix");

    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db, 5000);
        rc = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
    }

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_ROW) {
            if (sqlite3_column_bytes(stmt, 0)) {
                sqlite3_snprintf(sizeof(result[n]), result[n], "%s",
                                 sqlite3_column_text(stmt, 0));
            }

            while (rc == SQLITE_ROW) {
                rc = sqlite3_step(stmt);
            }
        }

        sqlite3_finalize(stmt);
    }

    if (rc != SQLITE_OK && rc != SQLITE_DONE) {
        fail_at(__FILE__, __LINE__, text, sqlite3_errmsg(db));
    }

    sqlite3_close(db);
    sqlite3_free(name);
    sqlite3_free(text);

    return result[n];
}


void
check_counts(test_t *t)
{
    if (!on_sqlite()) {
        kept_check_counts(t);
        return;
    }

    check_str(sql(t,
        "SELECT group_concat(name || ' ' || kept || ', not ' || counted)"
        " FROM (SELECT name, critical || ' ' || resolves || ' ' || opens"
        " || ' ' || updates || ' ' || repeats || ' ' || held || ' ' ||"
        " silenced || ' ' || listed || ' ' || open || ' ' || dead"
        " AS kept, (SELECT ifnull(sum(e.urgency = 0), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 1), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 2), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 3), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 4), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 5), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 6), 0) || ' ' ||"
        " ifnull(sum(e.urgency = 7), 0)"
        " FROM alert a JOIN event e ON e.alert = a.id WHERE s.id ="
        " CASE e.source WHEN 0 THEN a.source ELSE e.source END)"
        " || ' ' || (SELECT count(*) FROM alert WHERE source = s.id"
        " AND opened > 0) || ' ' || (SELECT count(*) FROM dead"
        " WHERE source = s.id) AS counted FROM source s)"
        " WHERE kept <> counted"), "");
}


void
check_heads(test_t *t)
{
    if (!on_sqlite()) {
        kept_check_heads(t);
        return;
    }

    check_str(sql(t,
        "SELECT group_concat(a.id || ' ' || state || ' ' || head || ' '"
        " || urgency) FROM alert a WHERE head <> ifnull((SELECT min(seq)"
        " FROM event WHERE alert = a.id), 0)"
        " OR (head = 0 AND state <> 0)"
        " OR (head > 0 AND urgency <= 4 AND min(urgency, 3) <>"
        " (SELECT min(3, min(urgency)) FROM event WHERE alert = a.id))"
        " OR (urgency > 4 AND (state <> 2 OR urgency <> (SELECT urgency"
        " FROM event WHERE seq = head)))"), "");
}


void
store_fault(ngx_uint_t n, fault_e fault, ngx_uint_t more)
{
    if (on_sqlite()) {
        vfs_fault(n, fault, more);

    } else {
        null_fault(n, fault == FAULT_FULL ? NGX_HTTP_ILERT_STORE_NO_DISK
                                          : NGX_HTTP_ILERT_STORE_OTHER, more);
    }
}


ngx_uint_t
store_faults(void)
{
    return on_sqlite() ? vfs_failed() : null_failed();
}


double
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


void
write_file(const char *path, const void *data, size_t len)
{
    int  fd;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);

    check(fd != -1 && write(fd, data, len) == (ssize_t) len);

    close(fd);
}


ngx_uint_t
exists(test_t *t, const char *name)
{
    char  *path;
    int    rc;

    path = sqlite3_mprintf("%s/%s", t->path, name);
    rc = access(path, F_OK);
    sqlite3_free(path);

    return rc == 0;
}


ngx_uint_t
count_files(test_t *t, const char *prefix)
{
    DIR            *dir;
    ngx_uint_t      n;
    struct dirent  *de;

    n = 0;
    dir = opendir(t->path);

    while (dir && (de = readdir(dir))) {
        n += (strncmp(de->d_name, prefix, strlen(prefix)) == 0);
    }

    if (dir) {
        closedir(dir);
    }

    return n;
}


void
forget(test_t *t)
{
    char        path[600];
    ngx_uint_t  i;

    static const char  *names[] = { "queue.db", "queue.db-wal",
                                    "queue.db-shm" };

    for (i = 0; i < 3; i++) {
        sqlite3_snprintf(sizeof(path), path, "%s/%s", t->path, names[i]);
        unlink(path);
    }
}


pthread_mutex_t *
shared_mutex(void)
{
    pthread_mutex_t      *mutex;
    pthread_mutexattr_t   attr;

    mutex = mmap(NULL, sizeof(pthread_mutex_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(mutex, &attr);

    return mutex;
}


void
rnd_seed(uint32_t seed)
{
    test_random = seed ? seed : 1;
}


uint32_t
rnd(uint32_t n)
{
    test_random ^= test_random << 13;
    test_random ^= test_random >> 17;
    test_random ^= test_random << 5;

    return test_random % n;
}


void
at_random(ngx_uint_t runs, void (*run)(ngx_uint_t n))
{
    uint32_t    seed;
    ngx_uint_t  i;

    for (i = 0; i < runs; i++) {
        seed = 1 + rnd(1000000);
        rnd_seed(seed);
        run(i);

        if (test_failures) {
            printf("# run %d, seed %u\n", (int) i, seed);
            break;
        }

        rnd_seed(seed + i);
    }
}


static int
run_case(test_case_t *tc, uint32_t seed)
{
    int    status;
    pid_t  pid;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {
        rnd_seed(seed);
        tc->run();
        fflush(stdout);
        exit(test_failures ? 1 : 0);
    }

    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) { /* void */ }

    if (WIFSIGNALED(status)) {
        printf("# signal %d\n", WTERMSIG(status));
    }

    printf("%sok %s%s\n", status ? "not " : "", tc->name,
           on_sqlite() ? "" : ", null backend");

    return status != 0;
}


static int
wanted(const char *group, const char *name, int argc, char **argv)
{
    int  i;

    for (i = 2; i < argc; i++) {
        if (strcmp(group, argv[i]) == 0 || strcmp(name, argv[i]) == 0) {
            return 1;
        }
    }

    return argc == 2;
}


int
main(int argc, char **argv)
{
    int           failed;
    char         *seed, *backend;
    uint32_t      number;
    ngx_uint_t    i;
    test_case_t  *tc;

    /* the first ones are those that any backend has to pass */

    static struct {
        const char   *name;
        test_case_t  *cases;
        unsigned      sqlite:1;
    } groups[] = {
        { "rules", rule_cases, 0 },
        { "rules", heard_rule_cases, 0 },
        { "rules", fallback_cases, 0 },
        { "rules", digest_rule_cases, 0 },
        { "rules", pattern_cases, 0 },
        { "events", event_cases, 0 },
        { "coalesce", coalesce_cases, 0 },
        { "coalesce", delay_cases, 0 },
        { "budgets", budget_cases, 0 },
        { "homes", home_cases, 0 },
        { "waits", wait_cases, 0 },
        { "forget", forget_cases, 0 },
        { "status", status_cases, 0 },
        { "status", waiter_cases, 0 },
        { "control", control_cases, 0 },
        { "refused", refused_cases, 0 },
        { "silence", silence_cases, 0 },
        { "silences", silences_cases, 0 },
        { "couriers", courier_cases, 0 },
        { "letters", letter_cases, 0 },
        { "heard", heard_cases, 0 },
        { "storm", storm_cases, 0 },
        { "heard", heard_job_cases, 0 },
        { "held", held_cases, 0 },
        { "held", hold_cases, 0 },
        { "digests", digest_cases, 0 },

        { "events", event_sqlite_cases, 1 },
        { "homes", home_sqlite_cases, 1 },
        { "forget", forget_sqlite_cases, 1 },
        { "status", status_sqlite_cases, 1 },
        { "refused", refused_sqlite_cases, 1 },
        { "silence", silence_sqlite_cases, 1 },
        { "couriers", courier_sqlite_cases, 1 },
        { "letters", letter_sqlite_cases, 1 },
        { "heard", heard_sqlite_cases, 1 },
        { "held", held_sqlite_cases, 1 },
        { "sqlite", sqlite_cases, 1 },
        { "versions", version_cases, 1 },
        { "damage", damage_cases, 1 },
        { "trouble", trouble_cases, 1 },
        { "ask", ask_cases, 1 },
        { "processes", process_cases, 1 },
        { "faults", fault_cases, 1 },
        { NULL, NULL, 0 }
    };

    ngx_cycle = &test_cycle;

    backend = getenv("TEST_BACKEND");

    if (backend && strcmp(backend, "null") == 0) {
        test_backend = &ngx_http_ilert_null;
    }

    if (getenv("TEST_FAILING")) {
        failing_init(strtoul(getenv("TEST_FAILING"), NULL, 10));
    }

    if (argc >= 3 && strcmp(argv[1], "bench") == 0) {
        return bench(argc - 2, argv + 2);
    }

    if (argc >= 3 && strcmp(argv[1], "storm") == 0) {
        return storm(argc - 2, argv + 2);
    }

    if (argc < 2) {
        fprintf(stderr, "store_test DIR [CASE ...] | bench DIR [ARG ...]"
                        " | storm DIR [ARG ...]\n");
        return 2;
    }

    sqlite3_snprintf(sizeof(test_dir), test_dir, "%s", argv[1]);

    seed = getenv("TEST_SEED");
    number = seed ? strtoul(seed, NULL, 10)
                  : (uint32_t) time(NULL) ^ (uint32_t) getpid() << 16;

    printf("# TEST_SEED=%u\n", number);

    vfs_init();

    failed = 0;

    for (i = 0; groups[i].name; i++) {

        if (groups[i].sqlite && !on_sqlite()) {
            continue;
        }

        for (tc = groups[i].cases; tc->name; tc++) {
            if (wanted(groups[i].name, tc->name, argc, argv)) {
                failed |= run_case(tc, number);
            }
        }
    }

    return failed;
}
