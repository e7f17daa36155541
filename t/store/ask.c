
/* what may be said of what waits, whatever the database lets us do with it */


#include "store_test.h"

#include <sys/wait.h>


/* of each event of the job, which was refused */

static const char *
said(void)
{
    char         *p;
    event_t      *ev;
    ngx_queue_t  *q;
    static char   text[256];

    static const char  *names[] = { "none", "waits", "?" };

    check(!outcome.accepted);

    p = text;
    *p = '\0';

    for (q = ngx_queue_head(&outcome.accepts);
         q != ngx_queue_sentinel(&outcome.accepts); q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);
        p += sprintf(p, "%s%s", p > text ? " " : "", names[ev->waits]);
    }

    return text;
}


/*
 * Of an alert that waits, of the same in another source, of others, and of
 * those that are held back: only a repeat lets others pass.
 */

static const char *
ask(test_t *t)
{
    t->now += SECOND;

    accept_event(t, "ops", " K\n", RESOLVE, "x");
    accept_event(t, "dev", "k", RESOLVE, "x");
    accept_event(t, "ops", "gone", RESOLVE, "x");
    accept_event(t, "ops", "repeat", RESOLVE, "x");
    accept_event(t, "ops", "new", RESOLVE, "x");
    accept_event(t, "ops", "delayed", ALERT, "x");
    accept_event(t, "ops", "silenced", RESOLVE, "x");
    accept_event(t, "ops", "listed", RESOLVE, "x");

    run(t);

    return said();
}

#define ALL_SAID   "waits waits none none none waits waits waits"
#define NOTHING_SAID  "none none none none none none none none"
#define NONE_SAID  "? ? ? ? ? ? ? ?"


/*
 * By a process that is killed, so that all of it is in the log.  "hold": it
 * lives on until release_process().
 */

static pid_t
leave(test_t *t, int version, ngx_uint_t hold)
{
    int    status;
    pid_t  pid;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {
        accept_one(t, "ops", "gone", ALERT, "x");
        drain(t, "ops");
        accept_one(t, "ops", "k", ALERT, "x");
        accept_one(t, "ops", "repeat", ALERT, "x");
        accept_one(t, "ops", "delayed", RESOLVE, "x");
        accept_one(t, "ops", "silenced", ALERT, "x");
        accept_one(t, "ops", "listed", ALERT, "x");
        sql(t, "UPDATE alert SET state = 2, next = 1, urgency = CASE key"
               " WHEN 'repeat' THEN 4 WHEN 'delayed' THEN 5"
               " WHEN 'silenced' THEN 6 ELSE 7 END WHERE key IN"
               " ('repeat', 'delayed', 'silenced', 'listed')");

        if (version) {
            sql(t, "PRAGMA user_version = %d", version);
        }

        fflush(stdout);
        raise(hold ? SIGSTOP : SIGKILL);
        pause();
    }

    check(waitpid(pid, &status, WUNTRACED) == pid);
    check(hold ? WIFSTOPPED(status) : WIFSIGNALED(status));

    return pid;
}


static void
release_process(pid_t pid)
{
    int  status;

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}


static void
has_log(test_t *t)
{
    struct stat  st;

    check(stat(file(t, "queue.db-wal"), &st) == 0 && st.st_size > 0);
}


/* the current one, as far as it goes, with another number */

#define NEWER  99

static void
test_newer(void)
{
    char        *db, *log, *data;
    size_t       ndb, nlog;
    test_t       t;
    ngx_uint_t   n;

    setup(&t, "ask_newer");

    leave(&t, NEWER, 0);
    has_log(&t);
    ndb = read_file(&t, "queue.db", &db);
    nlog = read_file(&t, "queue.db-wal", &log);

    for (n = 0; n < 3; n++) {
        check_str(ask(&t), ALL_SAID);
        check_int(t.store.state, CLOSED);
        check(t.store.asked);
    }

    /* in the pause */

    t.now -= 700;
    check_str(ask(&t), ALL_SAID);

    ngx_http_ilert_store_close(&t.store);

    /* nothing has been written */

    check_int(read_file(&t, "queue.db", &data), ndb);
    check(memcmp(data, db, ndb) == 0);
    free(data);

    check_int(read_file(&t, "queue.db-wal", &data), nlog);
    check(memcmp(data, log, nlog) == 0);
    free(data);

    /* without a log */

    sql(&t, "PRAGMA wal_checkpoint(TRUNCATE)");
    check_str(ask(&t), ALL_SAID);

    unlink(file(&t, "queue.db-wal"));
    unlink(file(&t, "queue.db-shm"));
    check_str(ask(&t), ALL_SAID);

    /* without what all versions have had so far */

    sql(&t, "ALTER TABLE alert RENAME TO alerts");
    check_str(ask(&t), NONE_SAID);

    free(db);
    free(log);
    teardown(&t);
}


/* one of the newer release has it open, and may be about to commit */

static void
test_newer_in_use(void)
{
    pid_t    pid;
    test_t   t;

    setup(&t, "ask_newer_in_use");

    pid = leave(&t, NEWER, 1);
    check_str(ask(&t), ALL_SAID);
    check_str(ask(&t), ALL_SAID);
    ngx_http_ilert_store_close(&t.store);

    /* our locks are gone, and its are kept */

    sql(&t, "UPDATE alert SET head = 0 WHERE key <> 'repeat'");
    check_str(ask(&t), NOTHING_SAID);

    release_process(pid);
    teardown(&t);
}


/* another process has begun to write, and gets no further */

static pid_t
write_lock(test_t *t)
{
    int       status;
    pid_t     pid;
    sqlite3  *db;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {
        sqlite3_open_v2(file(t, "queue.db"), &db, SQLITE_OPEN_READWRITE,
                        "unix");
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        raise(SIGSTOP);
        pause();
    }

    check(waitpid(pid, &status, WUNTRACED) == pid);

    return pid;
}


static void
test_newer_locked(void)
{
    pid_t   pid;
    test_t  t;

    setup(&t, "ask_newer_locked");

    leave(&t, NEWER, 0);
    pid = write_lock(&t);

    check_str(ask(&t), NONE_SAID);
    check(!t.store.asked);

    release_process(pid);
    check_str(ask(&t), ALL_SAID);
    check(t.store.asked);

    teardown(&t);
}


/* an index of the log cannot be made, as on a full disk, or be written */

static void
test_no_index(void)
{
    pid_t    pid;
    test_t   t;
    sqlite3  *db;

    setup(&t, "ask_no_index");

    leave(&t, 0, 0);
    unlink(file(&t, "queue.db-shm"));
    check(symlink("none/none", file(&t, "queue.db-shm")) == 0);

    check_str(ask(&t), ALL_SAID);
    check_str(ask(&t), ALL_SAID);
    check(t.store.state != OK);

    /* it has no lock any more */

    unlink(file(&t, "queue.db-shm"));
    pid = write_lock(&t);
    check(sqlite3_open_v2(file(&t, "queue.db"), &db, SQLITE_OPEN_READWRITE,
                          "unix") == SQLITE_OK);
    check_int(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
              SQLITE_BUSY);
    check(sqlite3_close(db) == SQLITE_OK);
    release_process(pid);

    t.now += SECOND;
    check_int(run(&t), OK);
    ngx_http_ilert_store_close(&t.store);

    /* SQLite opens a folder for reading */

    leave(&t, 0, 0);
    unlink(file(&t, "queue.db-shm"));
    mkdir(file(&t, "queue.db-shm"), 0700);

    check_str(ask(&t), ALL_SAID);
    check_str(ask(&t), ALL_SAID);
    check(t.store.state != OK);

    rmdir(file(&t, "queue.db-shm"));
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");
    t.now += SECOND;
    check_int(run(&t), OK);

    teardown(&t);
}


/* a file, and a folder, that we may read */

static void
not_writable(test_t *t)
{
    leave(t, 0, 0);
    has_log(t);

    /* a file of somebody else's, and its folder as well */

    chmod(file(t, "queue.db"), 0400);
    check_str(ask(t), ALL_SAID);
    check_int(t->store.state, CLOSED);

    unlink(file(t, "queue.db-shm"));
    chmod(file(t, "queue.db-wal"), 0400);
    chmod(t->path, 0500);
    check_str(ask(t), ALL_SAID);
    check_str(ask(t), ALL_SAID);
    check(!exists(t, "queue.db-shm"));

    /* what cannot be read */

    chmod(file(t, "queue.db-wal"), 0);
    check_str(ask(t), NONE_SAID);
    check(!t->store.asked);

    chmod(file(t, "queue.db-wal"), 0600);
    chmod(file(t, "queue.db"), 0);
    check_str(ask(t), NONE_SAID);

    chmod(file(t, "queue.db"), 0400);
    chmod(t->path, 0);
    check_str(ask(t), NONE_SAID);

    /* no log, and then neither a database */

    chmod(t->path, 0700);
    chmod(file(t, "queue.db"), 0600);
    sql(t, "PRAGMA user_version");
    ngx_http_ilert_store_close(&t->store);
    check(!exists(t, "queue.db-wal"));

    chmod(file(t, "queue.db"), 0400);
    chmod(t->path, 0500);
    check_str(ask(t), ALL_SAID);
    check(!exists(t, "queue.db-wal") && !exists(t, "queue.db-shm"));

    chmod(t->path, 0700);
    unlink(file(t, "queue.db"));
    chmod(t->path, 0500);
    check_str(ask(t), NOTHING_SAID);
    check(t->store.asked);

    chmod(t->path, 0700);
}


/*
 * Files that change while they are asked, by one that begins to write just
 * then: they are asked once more.  Two are looked at before, and two after.
 */

static void
changing(test_t *t)
{
    changed_e   changed;
    ngx_uint_t  n;

    leave(t, 0, 0);
    chmod(file(t, "queue.db"), 0400);
    unlink(file(t, "queue.db-shm"));
    chmod(file(t, "queue.db-wal"), 0400);
    chmod(t->path, 0500);
    check_str(ask(t), ALL_SAID);

    for (n = 3; n <= 4; n++) {

        for (changed = CHANGED_DEVICE; changed <= CHANGED_NANOSECONDS;
             changed++)
        {
            t->now -= SECOND;
            failing_stat(n, changed);
            check_str(ask(t), ALL_SAID);
            check_int(failing_stats(), 8);
        }
    }

    /* in the pause nothing else is looked at */

    t->now -= SECOND;
    failing_stat(0, 0);
    check_str(ask(t), ALL_SAID);
    check_int(failing_stats(), 4);

    chmod(t->path, 0700);
}


static void
test_changing(void)
{
    test_t  t;

    setup(&t, "ask_changing");
    as_nobody(&t, changing);
    teardown(&t);
}


static void
test_not_writable(void)
{
    test_t  t;

    setup(&t, "ask_not_writable");
    as_nobody(&t, not_writable);
    teardown(&t);

    /* a path that is not a URI */

    setup(&t, "ask %41?a=#b");
    as_nobody(&t, not_writable);
    teardown(&t);
}


/* another process has it open, which may write */

static void
not_writable_in_use(test_t *t)
{
    pid_t  pid;

    pid = leave(t, 0, 1);

    chmod(file(t, "queue.db"), 0400);
    chmod(t->path, 0500);

    check_str(ask(t), ALL_SAID);
    check_str(ask(t), ALL_SAID);

    release_process(pid);
    chmod(t->path, 0700);
    chmod(file(t, "queue.db"), 0600);
    t->now += SECOND;
    check_int(run(t), OK);
    check_str(drain(t, "ops"),
              "k:x silenced:x listed:x delayed:x repeat:x");
    ngx_http_ilert_store_close(&t->store);
}


static void
test_not_writable_in_use(void)
{
    test_t  t;

    setup(&t, "ask_not_writable_in_use");
    as_nobody(&t, not_writable_in_use);
    teardown(&t);
}


/* what is none of ours, and cannot be moved aside */

static void
foreign(test_t *t)
{
    char         noise[10000];
    struct stat  st;

    write_file(file(t, "queue.db"), "", 0);
    sql(t, "CREATE TABLE alert (source, key, head, state, urgency)");
    chmod(file(t, "queue.db"), 0400);
    chmod(t->path, 0500);
    check_str(ask(t), NONE_SAID);

    chmod(t->path, 0700);
    unlink(file(t, "queue.db"));
    memset(noise, 'x', sizeof(noise));
    write_file(file(t, "queue.db"), noise, sizeof(noise));
    chmod(file(t, "queue.db"), 0400);
    chmod(t->path, 0500);
    check_str(ask(t), NONE_SAID);

    chmod(t->path, 0700);
    unlink(file(t, "queue.db"));
    mkdir(file(t, "queue.db"), 0700);
    chmod(t->path, 0500);
    check_str(ask(t), NONE_SAID);

    /* one in which there is nothing yet: who made it was killed */

    chmod(t->path, 0700);
    rmdir(file(t, "queue.db"));
    write_file(file(t, "queue.db"), "", 0);
    chmod(file(t, "queue.db"), 0400);
    check_str(ask(t), NOTHING_SAID);

    chmod(file(t, "queue.db"), 0600);
    sql(t, "PRAGMA journal_mode = WAL");
    check(stat(file(t, "queue.db"), &st) == 0 && st.st_size > 0);
    chmod(file(t, "queue.db"), 0400);
    check_str(ask(t), NOTHING_SAID);
}


static void
test_foreign(void)
{
    test_t  t;

    setup(&t, "ask_foreign");
    as_nobody(&t, foreign);
    teardown(&t);
}


/*
 * A database that is open: it is asked with both locks, for one that commits
 * at the moment has them.
 */

static void
test_locks(void)
{
    int     status;
    pid_t   pid;
    test_t  t;

    setup(&t, "ask_locks");
    t.store.mutex = shared_mutex();

    accept_one(&t, "ops", "k", ALERT, "x");

    vfs_fault(1, FAULT_IOERR, 1000000);
    check_int(try_one(&t, "k"), FAILED);
    vfs_fault(0, FAULT_NONE, 0);
    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, WAITS);
    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, NONE_WAITS);
    check(t.store.asked);

    pid = write_lock(&t);
    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, CANNOT_SAY);
    check(!t.store.asked);
    release_process(pid);

    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, NONE_WAITS);

    pid = fork();

    if (pid == 0) {
        pthread_mutex_lock(t.store.mutex);
        raise(SIGSTOP);
        pause();
    }

    waitpid(pid, &status, WUNTRACED);

    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, CANNOT_SAY);

    release_process(pid);

    /* but for the pause, in which it is not tried again */

    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, CANNOT_SAY);
    t.now += SECOND;
    check_int(try_one(&t, "l"), OK);

    teardown(&t);
}


/* another file in its place, before it is opened again */

static void
test_replaced(void)
{
    char    other[600];
    test_t  t;

    setup(&t, "ask_replaced");

    accept_one(&t, "ops", "k", ALERT, "x");
    ngx_http_ilert_store_close(&t.store);
    strcpy(other, file(&t, "other"));
    check(rename(file(&t, "queue.db"), other) == 0);

    accept_one(&t, "ops", "l", ALERT, "x");

    vfs_fault(1, FAULT_IOERR, 1000000);
    check_int(try_one(&t, "k"), FAILED);
    vfs_fault(0, FAULT_NONE, 0);
    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, NONE_WAITS);

    check(rename(other, file(&t, "queue.db")) == 0);
    unlink(file(&t, "queue.db-wal"));
    unlink(file(&t, "queue.db-shm"));

    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, WAITS);
    check_int(try_one(&t, "l"), FAILED);
    check_int(refused(&t)->waits, NONE_WAITS);

    t.now += SECOND;
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "k:x");

    teardown(&t);
}


/* what has been answered, or is about to be, is not committed any more */

static void
test_late(void)
{
    test_t            t;
    int64_t           now;
    event_t          *ev;
    ngx_queue_t      *q;
    struct timespec   ts;

    setup(&t, "ask_late");

    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    accept_event(&t, "ops", "a", ALERT, "x")->deadline = now + 60000;
    accept_event(&t, "ops", "b", ALERT, "x")->deadline = now - 1;
    accept_event(&t, "ops", "c", ALERT, "x")->withdrawn = 1;
    accept_event(&t, "ops", "d", ALERT, "x");

    check_int(run(&t), OK);
    check(outcome.accepted && outcome.decided);

    for (q = ngx_queue_head(&outcome.accepts);
         q != ngx_queue_sentinel(&outcome.accepts); q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);
        check_int(ev->late, ev->key.data[0] == 'b' || ev->key.data[0] == 'c');
    }

    check_str(drain(&t, "ops"), "a:x d:x");
    check_counts(&t);

    teardown(&t);
}


/*
 * Each path to SQLite, and to the system, fails while it is asked: what is
 * said is right, or it is not said at all.
 */

static void
paths(test_t *t)
{
    ngx_uint_t   n, hits;
    const char  *text;

    for (n = 0; n < 200; n++) {
        failing_from(EIO);
        text = ask(t);
        hits = failing_until();

        if (hits == 0) {
            break;
        }

        check(strcmp(text, ALL_SAID) == 0 || strcmp(text, NONE_SAID) == 0);
        check(strcmp(text, NONE_SAID) != 0 || !t->store.asked);
    }

    check(n > 5);
    check_str(ask(t), ALL_SAID);
    ngx_http_ilert_store_close(&t->store);
    printf("# %d times\n", (int) n);
}


static void
paths_nobody(test_t *t)
{
    leave(t, 0, 0);
    chmod(file(t, "queue.db"), 0400);
    paths(t);

    unlink(file(t, "queue.db-shm"));
    chmod(file(t, "queue.db-wal"), 0400);
    chmod(t->path, 0500);
    paths(t);
}


static void
test_paths(void)
{
    pid_t   pid;
    test_t  t;

    setup(&t, "ask_paths");

    leave(&t, NEWER, 0);
    paths(&t);

    sql(&t, "PRAGMA wal_checkpoint(TRUNCATE)");
    paths(&t);

    teardown(&t);

    setup(&t, "ask_paths_in_use");
    pid = leave(&t, NEWER, 1);
    paths(&t);
    release_process(pid);
    teardown(&t);

    setup(&t, "ask_paths_nobody");
    as_nobody(&t, paths_nobody);
    teardown(&t);
}


test_case_t  ask_cases[] = {
    { "asks a newer schema", test_newer },
    { "asks a newer schema in use", test_newer_in_use },
    { "asks a newer schema that is locked", test_newer_locked },
    { "asks without room for an index", test_no_index },
    { "asks what it cannot write", test_not_writable },
    { "asks what others write", test_not_writable_in_use },
    { "asks what changes once more", test_changing },
    { "asks no foreign file", test_foreign },
    { "asks with all locks", test_locks },
    { "asks the file that is there", test_replaced },
    { "commits nothing that is late", test_late },
    { "ask: each path fails", test_paths },
    { NULL, NULL }
};
