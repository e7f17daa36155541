
/* what the store does when something is wrong with its folder or its file */


#include "store_test.h"
#include "model.h"

#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/wait.h>


#define contains(text, part)                                                  \
    (strstr(text, part) ? (void) 0                                            \
                        : fail_at(__FILE__, __LINE__, "no \"" part "\"",      \
                                  text))


char *
file(test_t *t, const char *name)
{
    static char  path[600];

    sqlite3_snprintf(sizeof(path), path, "%s/%s", t->path, name);

    return path;
}


/* read and written, not in one piece with what has it open */

size_t
read_file(test_t *t, const char *name, char **data)
{
    int          fd;
    size_t       len;
    struct stat  st;

    fd = open(file(t, name), O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1) {
        fail_at(__FILE__, __LINE__, "open", strerror(errno));
        return 0;
    }

    len = st.st_size;
    *data = malloc(len + 1);

    check(read(fd, *data, len) == (ssize_t) len);
    close(fd);

    return len;
}


/* what has been moved aside in this second */

static void
remove_aside(test_t *t)
{
    ngx_uint_t  i;

    static const char  *names[] = {
        "queue.db.damaged-20250615-120000",
        "queue.db.damaged-20250615-120000-wal",
        "queue.db.damaged-20250615-120000-shm"
    };

    for (i = 0; i < 3; i++) {
        unlink(file(t, names[i]));
    }
}


static off_t
used_size(test_t *t)
{
    off_t        size;
    ngx_uint_t   i;
    struct stat  st;

    static const char  *names[] = { "queue.db", "queue.db-wal",
                                    "queue.db-shm" };

    for (size = 0, i = 0; i < 3; i++) {
        if (stat(file(t, names[i]), &st) == 0) {
            size += st.st_size;
        }
    }

    return size;
}


ngx_uint_t
try_one(test_t *t, const char *key)
{
    accept_event(t, "ops", key, ALERT, "x");

    return run(t);
}


event_t *
refused(test_t *t)
{
    check(!outcome.accepted);

    return ngx_queue_data(ngx_queue_head(&outcome.accepts), event_t, queue);
}


/* so many events, at most, one at a time; how many there were */

static ngx_uint_t
deliver(test_t *t, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        take(t, "ops", 1, 0);
        run(t);
        check(outcome.decided);

        if (taken(t, 0) == NULL) {
            break;
        }

        verdicts(t, DONE);
    }

    return i;
}


static void
fill(test_t *t, ngx_uint_t events, size_t size)
{
    char        *body, key[32];
    ngx_uint_t   n;

    body = malloc(size + 1);
    memset(body, 'x', size);
    body[size] = '\0';

    for (n = 0; n < events; n++) {
        sprintf(key, "%d", (int) n);
        accept_event(t, "ops", key, ALERT, body);
    }

    check_int(run(t), OK);
    free(body);
}


/* one event at a time, each of another alert */

static void
fill_until_full(test_t *t, size_t size)
{
    char        *body, key[32];
    ngx_uint_t   n;

    body = malloc(size + 1);
    memset(body, 'x', size);
    body[size] = '\0';

    for (n = 0; n < 10000; n++) {
        sprintf(key, "more %d", (int) n);
        accept_event(t, "ops", key, ALERT, body);

        if (run(t) != OK) {
            break;
        }
    }

    check_int(t->store.state, FULL);
    free(body);
}


/* whatever the state is: takes and verdicts go on */

static void
drain_full(test_t *t)
{
    for ( ;; ) {
        take(t, "ops", 10, 0);
        run(t);
        check(outcome.decided);

        if (taken(t, 0) == NULL) {
            break;
        }

        verdicts(t, DONE);
    }
}


static void
test_newer(void)
{
    int      version;
    char    *before, *after;
    size_t   len;
    test_t   t;

    setup(&t, "newer");

    accept_one(&t, "ops", "k", ALERT, "1");
    ngx_http_ilert_store_close(&t.store);
    version = atoi(sql(&t, "PRAGMA user_version"));
    sql(&t, "PRAGMA user_version = 77");
    len = read_file(&t, "queue.db", &before);

    check_int(try_one(&t, "k"), CLOSED);
    check_int(refused(&t)->waits, WAITS);
    contains(t.store.error, "/newer/queue.db\" has schema 77 of a newer "
                            "release, use that release or move the file away");
    check_str(t.store.notice, "");

    t.now += SECOND;
    check_int(try_one(&t, "k"), CLOSED);

    check_int(read_file(&t, "queue.db", &after), len);
    check(memcmp(before, after, len) == 0);
    check_int(count_files(&t, "queue.db.damaged"), 0);

    sql(&t, "PRAGMA user_version = %d", version);

    check_int(try_one(&t, "k"), CLOSED);
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:1 k:x");

    free(before);
    free(after);
    teardown(&t);
}


static void
test_no_folder(void)
{
    test_t  t;

    setup(&t, "no_folder");
    rmdir(t.path);

    check_int(try_one(&t, "k"), CLOSED);
    check_int(refused(&t)->waits, NONE_WAITS);
    contains(t.store.error, "/no_folder\" does not exist");

    mkdir(t.path, 0700);
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);

    /* it goes away while it is in use */

    unlink(file(&t, "queue.db"));
    unlink(file(&t, "queue.db-wal"));
    unlink(file(&t, "queue.db-shm"));
    unlink(file(&t, "ballast"));
    rmdir(t.path);

    check_int(try_one(&t, "k"), CLOSED);
    check_int(refused(&t)->waits, NONE_WAITS);

    mkdir(t.path, 0700);
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:x");

    teardown(&t);
}


static void
foreign(const char *name, const char *data, size_t len)
{
    char    *aside, *left;
    test_t   t;

    setup(&t, name);

    if (data) {
        write_file(file(&t, "queue.db"), data, len);

    } else {
        sql(&t, "SELECT 1");
    }

    check_int(try_one(&t, "k"), OK);
    contains(t.store.notice, "/queue.db\" is ");
    contains(t.store.notice, "/queue.db.damaged-20250615-120000\", a new one "
                             "is begun");
    check_int(count_files(&t, "queue.db.damaged-20250615-120000"), 1);
    check_str(drain(&t, "ops"), "k:x");

    aside = "queue.db.damaged-20250615-120000";
    check_int(read_file(&t, aside, &left), len);
    check(memcmp(left, data, len) == 0);

    free(left);
    teardown(&t);
}


static void
test_foreign(void)
{
    char    *data;
    size_t   len;
    test_t   t;

    /* somebody else's database */

    setup(&t, "foreign");
    write_file(file(&t, "queue.db"), "", 0);
    sql(&t, "CREATE TABLE theirs (x)");
    len = read_file(&t, "queue.db", &data);
    teardown(&t);

    foreign("foreign_database", data, len);

    free(data);

    foreign("foreign_text", "hello", 5);

    /* one of ours that somebody has changed */

    setup(&t, "changed");
    accept_one(&t, "ops", "k", ALERT, "x");
    ngx_http_ilert_store_close(&t.store);
    sql(&t, "DROP INDEX alert_ready");
    check_int(try_one(&t, "k"), OK);
    contains(t.store.notice, "(not a queue of this module)");
    teardown(&t);

    data = malloc(100000);
    memset(data, 'x', 100000);
    foreign("foreign_file", data, 100000);
    memset(data, 0, 100000);
    foreign("foreign_zeros", data, 100000);
    free(data);

    /* nothing in it: it may have been made by one that was killed then */

    setup(&t, "empty");
    write_file(file(&t, "queue.db"), "", 0);
    accept_one(&t, "ops", "k", ALERT, "x");
    check_str(t.store.notice, "");
    teardown(&t);

    /* or a log without a database */

    setup(&t, "log");
    data = malloc(100000);
    memset(data, 'x', 100000);
    write_file(file(&t, "queue.db-wal"), data, 100000);
    write_file(file(&t, "queue.db-shm"), data, 32768);
    accept_one(&t, "ops", "k", ALERT, "x");
    check_str(drain(&t, "ops"), "k:x");
    teardown(&t);
    free(data);
}


static void
test_aside_twice(void)
{
    test_t  t;

    setup(&t, "aside_twice");

    write_file(file(&t, "queue.db"), "one, not a database", 19);
    check_int(try_one(&t, "k"), OK);
    contains(t.store.notice, "damaged-20250615-120000\"");
    ngx_http_ilert_store_close(&t.store);

    write_file(file(&t, "queue.db"), "two, not a database", 19);
    check_int(try_one(&t, "k"), OK);
    contains(t.store.notice, "damaged-20250615-120000-1\"");

    check_int(count_files(&t, "queue.db.damaged"), 2);

    teardown(&t);
}


/* cut off somewhere: noticed, and gone on with a new one */

static void
test_truncated(void)
{
    char    *data;
    size_t   len, size;
    test_t   t;

    setup(&t, "truncated");

    fill(&t, 500, 1000);
    ngx_http_ilert_store_close(&t.store);
    len = read_file(&t, "queue.db", &data);
    check(len > 500000);

    /*
     * SQLite takes a file of one byte for an empty one, and a last page that
     * is missing is noticed only when it is read.
     */

    for (size = 2; size < len - 4096; size += size / 3 + 1) {
        write_file(file(&t, "queue.db"), data, size);
        t.store.notice[0] = '\0';
        t.now += SECOND;

        accept_event(&t, "ops", "new", ALERT, "new");
        check_int(run(&t), OK);
        contains(t.store.notice, "moved to");
        check_str(drain(&t, "ops"), "new:new");
        ngx_http_ilert_store_close(&t.store);
    }

    free(data);
    teardown(&t);
}


/*
 * Not all that is changed can be noticed.  But it does not stop the store,
 * which is open or not when it happens.
 */

static void
test_flipped(void)
{
    int          fd, flips;
    char        *data;
    size_t       len;
    test_t       t;
    ngx_uint_t   n, i, moved;

    setup(&t, "flipped");

    fill(&t, 300, 1000);
    ngx_http_ilert_store_close(&t.store);
    len = read_file(&t, "queue.db", &data);

    moved = 0;

    for (n = 0; n < 150; n++) {
        write_file(file(&t, "queue.db"), data, len);
        t.store.notice[0] = '\0';
        t.now += SECOND;

        if (n % 2) {
            check_int(run(&t), OK);
        }

        fd = open(file(&t, "queue.db"), O_WRONLY);

        /* the first pages hold the schema, and the roots of trees */

        for (flips = 1 + rnd(20); flips; flips--) {
            i = rnd(n % 3 ? len : 16 * 4096);
            check(pwrite(fd, &"\xff\x00\x01\x10\x80"[rnd(5)], 1, i) == 1);
        }

        close(fd);

        for (i = 0; i < 6; i++) {
            t.now += SECOND;
            accept_event(&t, "ops", "new", ALERT, "new");
            take(&t, "ops", 100, 0);
            t.job.clean = 1;
            t.job.begin = 1;
            run(&t);

            verdicts(&t, DONE);
        }

        if (t.store.state != OK && t.store.state != CLOSED) {
            fail_at(__FILE__, __LINE__, "is not OK", t.store.error);
        }

        moved += (t.store.notice[0] != '\0');
        ngx_http_ilert_store_close(&t.store);
        unlink(file(&t, "queue.db"));
        unlink(file(&t, "queue.db-wal"));
        unlink(file(&t, "queue.db-shm"));

        while (!ngx_queue_empty(&t.job.verdicts)) {
            ngx_queue_t *q = ngx_queue_head(&t.job.verdicts);
            ngx_queue_remove(q);
            ngx_free(ngx_queue_data(q, event_t, queue));
        }
    }

    printf("# %d of %d were moved aside\n", (int) moved, (int) n);
    check(moved > n / 5);

    free(data);
    teardown(&t);
}


/* what cannot be moved aside stays, and it is not said that it was moved */

static void
test_aside_fails(void)
{
    test_t      t;
    ngx_uint_t  n, hits;

    setup(&t, "aside_fails");

    for (n = 0; n < 200; n++) {
        write_file(file(&t, "queue.db"), "no, not a database", 18);

        failing_from(EACCES);
        try_one(&t, "k");
        hits = failing_until();

        if (t.store.notice[0] == '\0') {
            check_int(count_files(&t, "queue.db.damaged"), 0);
            check(t.store.state != OK);
        }

        ngx_http_ilert_store_close(&t.store);
        t.store.notice[0] = '\0';
        remove_aside(&t);
        forget(&t);

        if (hits == 0) {
            break;
        }
    }

    check(n > 3 && n < 200);

    teardown(&t);
}


/*
 * SQLite says by itself that its file has been moved, if that happens while it
 * writes; and a statement without its row is an error.
 */

static void
test_said(void)
{
    test_t  t;

    setup(&t, "said");

    accept_one(&t, "ops", "k", ALERT, "1");
    failing_call(1, 0, SQLITE_READONLY_DBMOVED);
    accept_one(&t, "ops", "k", ALERT, "2");
    check_int(failing_calls(), 1);
    check_str(drain(&t, "ops"), "k:1 k:2");

    ngx_http_ilert_store_close(&t.store);
    failing_call(1, 0, SQLITE_DONE);
    check_int(try_one(&t, "k"), FAILED);
    check_int(failing_calls(), 1);
    contains(t.store.error, "SQL logic error");
    check_str(t.store.notice, "");

    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);

    teardown(&t);
}


/* two that have it open: one finds the damage, the other follows */

static void
test_follow(void)
{
    int     fd;
    test_t  t, u;

    setup(&t, "follow");

    fill(&t, 3000, 1200);

    u = t;
    memset(&u.store, 0, sizeof(u.store));
    u.store.backend = t.store.backend;
    u.store.path = t.store.path;
    ngx_queue_init(&u.job.accepts);
    ngx_queue_init(&u.job.verdicts);
    ngx_queue_init(&u.job.orders);
    ngx_queue_init(&u.job.queries);
    ngx_queue_init(&u.job.notes);
    ngx_queue_init(&u.job.looks);
    ngx_queue_init(&u.job.refused);
    check_int(try_one(&u, "u"), OK);

    fd = open(file(&t, "queue.db"), O_WRONLY);
    check(fd != -1);

    /* no close: it would let go of our own locks */

    for (off_t i = 40; i < 400; i++) {
        check(pwrite(fd, "damaged", 7, i * 4096) == 7);
    }

    t.now += SECOND;
    u.now = t.now;

    take(&t, "ops", 3000, 0);
    check_int(try_one(&t, "new"), OK);
    contains(t.store.notice, "damaged-");
    check_int(only(&t)->seq, 1);

    check_int(try_one(&u, "new"), OK);
    check_str(u.store.notice, "");
    check_str(sql(&t, "SELECT count(*) FROM event"), "2");
    check_int(count_files(&t, "queue.db.damaged-"), 3);

    /* and keep what is theirs when they let go of the old one */

    ngx_http_ilert_store_close(&u.store);
    check_int(try_one(&t, "newer"), OK);
    check_str(sql(&t, "SELECT count(*) FROM event"), "3");

    close(fd);
    teardown(&t);
}


/* what is in its log may be all that can be rescued */

static void
test_log_kept(void)
{
    int          fd;
    off_t        i;
    test_t       t;
    struct stat  st;

    setup(&t, "log_kept");

    fill(&t, 3000, 1200);
    accept_one(&t, "ops", "last", ALERT, "x");
    check(stat(file(&t, "queue.db-wal"), &st) == 0 && st.st_size > 0);

    fd = open(file(&t, "queue.db"), O_WRONLY);

    for (i = 40; i < 400; i++) {
        check(pwrite(fd, "damaged", 7, i * 4096) == 7);
    }

    take_n(&t, "ops", 3000);
    contains(t.store.notice, "/queue.db\" is damaged (database disk image is "
                             "malformed): moved to \"");

    check(stat(file(&t, "queue.db.damaged-20250615-120000-wal"), &st) == 0
          && st.st_size > 0);

    close(fd);
    teardown(&t);
}


static void
test_removed(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "removed");

    accept_one(&t, "ops", "k", ALERT, "1");
    ev = take_one(&t, "ops");

    unlink(file(&t, "queue.db"));

    verdict(&t, ev, DONE);
    accept_event(&t, "ops", "k", ALERT, "2");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "k:2");
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    teardown(&t);
}


/* to be run by one that is not root, in the folder of one that is not */

void
as_nobody(test_t *t, void (*test)(test_t *t))
{
    int             status;
    pid_t           pid;
    struct passwd  *pw;

    fflush(stdout);

    pid = fork();

    if (pid == 0) {

        if (geteuid() == 0) {
            pw = getpwnam("nobody");

            if (pw == NULL || chown(t->path, pw->pw_uid, pw->pw_gid) == -1
                || chmod(test_dir, 0755) == -1 || setgroups(0, NULL) == -1
                || setgid(pw->pw_gid) == -1 || setuid(pw->pw_uid) == -1)
            {
                printf("# cannot become nobody\n");
                fflush(stdout);
                _exit(0);
            }
        }

        if (access(t->path, W_OK) == -1) {
            printf("# %s is out of reach\n", t->path);
            fflush(stdout);
            _exit(0);
        }

        test(t);
        fflush(stdout);
        _exit(test_failures ? 1 : 0);
    }

    waitpid(pid, &status, 0);
    check(status == 0);
}


static void
read_only(test_t *t)
{
    char            user[64], other[600];
    struct passwd  *pw;

    pw = getpwuid(geteuid());
    sqlite3_snprintf(sizeof(user), user, "user %s", pw ? pw->pw_name : "?");

    /* an empty folder that cannot be written to */

    chmod(t->path, 0500);
    check_int(try_one(t, "k"), CLOSED);
    check_int(refused(t)->waits, NONE_WAITS);
    contains(t->store.error, "/queue.db\" cannot be written "
                              "(Permission denied): ");
    check(strstr(t->store.error, user) != NULL);

    chmod(t->path, 0700);
    t->now += SECOND;
    check_int(try_one(t, "k"), OK);
    check_str(t->store.error, "");
    ngx_http_ilert_store_close(&t->store);

    /* one with a database in it */

    chmod(t->path, 0500);
    t->now += SECOND;
    check_int(try_one(t, "k"), CLOSED);
    check_int(refused(t)->waits, WAITS);
    contains(t->store.error, "cannot be written");
    chmod(t->path, 0700);

    /* a database that cannot be written to, or read */

    chmod(file(t, "queue.db"), 0400);
    t->now += SECOND;
    check_int(try_one(t, "k"), CLOSED);
    contains(t->store.error, "cannot be written (attempt to write a "
                              "readonly database): ");
    check(strstr(t->store.error, user) != NULL);

    chmod(file(t, "queue.db"), 0);
    t->now += SECOND;
    check_int(try_one(t, "k"), CLOSED);
    contains(t->store.error, "cannot be written");

    chmod(file(t, "queue.db"), 0600);
    t->now += SECOND;
    check_int(try_one(t, "k"), OK);

    /* a folder that goes out of reach: who knows whether the file is there */

    chmod(t->path, 0);
    check_int(try_one(t, "k"), CLOSED);
    check_int(refused(t)->waits, CANNOT_SAY);
    chmod(t->path, 0700);
    t->now += SECOND;

    check_str(drain(t, "ops"), "k:x k:x");

    /* another one in its place that cannot be opened: of what was known */

    accept_one(t, "ops", "k", ALERT, "x");
    rename(file(t, "queue.db"), sqlite3_snprintf(sizeof(other), other,
                                                 "%s/other", t->path));
    write_file(file(t, "queue.db"), "x", 1);
    chmod(file(t, "queue.db"), 0);
    check_int(try_one(t, "k"), CLOSED);
    check_int(refused(t)->waits, CANNOT_SAY);

    ngx_http_ilert_store_close(&t->store);
    unlink(other);
    check_int(count_files(t, "queue.db.damaged"), 0);
}


static void
test_read_only(void)
{
    test_t  t;

    setup(&t, "read_only");
    as_nobody(&t, read_only);
    teardown(&t);
}


static void
test_is_folder(void)
{
    test_t  t;

    setup(&t, "is_folder");

    mkdir(file(&t, "queue.db"), 0700);

    check_int(try_one(&t, "k"), CLOSED);
    contains(t.store.error, "/queue.db\" cannot be written");

    rmdir(file(&t, "queue.db"));
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);

    teardown(&t);
}


/* some file systems have no shared memory, as some of a network */

static void
test_no_shared_memory(void)
{
    test_t  t;

    setup(&t, "no_shared_memory");

    vfs_no_memory = 1;
    check_int(try_one(&t, "k"), CLOSED);
    check_int(refused(&t)->waits, NONE_WAITS);
    contains(t.store.error, "/queue.db\": the file system has no shared "
                            "memory for SQLite, use a local one");
    check_str(t.store.notice, "");

    vfs_no_memory = 0;
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:x");

    teardown(&t);
}


/* too many open files is no fault of the folder's */

static void
test_no_files(void)
{
    test_t         t;
    struct rlimit  was, rl;

    setup(&t, "no_files");

    accept_one(&t, "ops", "k", ALERT, "x");
    ngx_http_ilert_store_close(&t.store);

    getrlimit(RLIMIT_NOFILE, &was);
    rl = was;
    rl.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &rl);

    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, CANNOT_SAY);
    contains(t.store.error, "/queue.db\": ");

    setrlimit(RLIMIT_NOFILE, &was);
    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:x k:x");

    teardown(&t);
}


/* somebody with a shell */

static void
test_locked(void)
{
    double    start;
    test_t    t;
    event_t  *ev;
    sqlite3  *db;

    setup(&t, "locked");

    accept_one(&t, "ops", "k", ALERT, "x");

    check(sqlite3_open(file(&t, "queue.db"), &db) == SQLITE_OK);
    check(sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0) == SQLITE_OK);

    start = seconds();
    accept_event(&t, "ops", " K", ALERT, "x");
    accept_event(&t, "ops", "l", ALERT, "x");
    check_int(run(&t), FAILED);
    check(seconds() - start > 3 && seconds() - start < 8);
    contains(t.store.error, "/queue.db\" is locked by another process");

    /* what is being committed, and will wait, does not show yet */

    check_int(refused(&t)->waits, CANNOT_SAY);

    ev = ngx_queue_data(ngx_queue_last(&outcome.accepts), event_t, queue);
    check_int(ev->waits, CANNOT_SAY);

    /* until it is tried again nobody waits */

    start = seconds();
    t.now += 499;
    check_int(try_one(&t, "l"), FAILED);
    check(seconds() - start < 1);
    check_int(refused(&t)->waits, CANNOT_SAY);

    /* a clock that is set back does not make that longer */

    check(sqlite3_exec(db, "COMMIT", 0, 0, 0) == SQLITE_OK);
    t.now -= DAY;
    check_int(try_one(&t, "k"), OK);

    check(sqlite3_exec(db, "BEGIN; SELECT * FROM alert", 0, 0, 0)
          == SQLITE_OK);
    check_int(try_one(&t, "k"), OK);
    check(sqlite3_close(db) == SQLITE_OK);

    check_str(drain(&t, "ops"), "k:x k:x k:x");

    teardown(&t);
}


static int  locks;

static void
count_locks(ngx_uint_t locked)
{
    locks += locked ? 1 : -1;
    check(locks == 0 || locks == 1);
}


static void
test_mutex(void)
{
    int      status;
    pid_t    pid;
    double   start;
    test_t   t;

    setup(&t, "mutex");
    t.store.mutex = shared_mutex();
    t.store.locked = count_locks;

    accept_one(&t, "ops", "k", ALERT, "x");
    check_int(locks, 0);

    /* it is held by one that is stopped */

    pid = fork();

    if (pid == 0) {
        pthread_mutex_lock(t.store.mutex);
        raise(SIGSTOP);
        pthread_mutex_unlock(t.store.mutex);
        _exit(0);
    }

    waitpid(pid, &status, WUNTRACED);

    start = seconds();
    check_int(try_one(&t, "k"), FAILED);
    check(seconds() - start > 4 && seconds() - start < 8);
    contains(t.store.error, "/queue.db\" is locked by another process");
    check_int(refused(&t)->waits, CANNOT_SAY);

    /* or dies */

    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);

    t.now += SECOND;
    check_int(try_one(&t, "k"), OK);
    check_int(try_one(&t, "k"), OK);
    check_str(drain(&t, "ops"), "k:x k:x k:x");

    teardown(&t);
}


/* accepts stop, all else goes on, and what is given back is used */

static void
test_max_size(void)
{
    char         key[32], body[3001];
    off_t        size;
    event_t     *ev;
    ngx_uint_t   n, round, state;
    struct stat  st;
    test_t       t;

    setup(&t, "max_size");
    t.store.max_size = 2 * 1024 * 1024;

    memset(body, 'x', 3000);
    body[3000] = '\0';

    n = 0;

    do {
        sprintf(key, "%d", (int) n++);
        accept_event(&t, "ops", key, ALERT, body);
        take(&t, "ops", n % 10 ? 0 : 1, 0);
        state = run(&t);
    } while (state == OK && n < 100000);

    check_int(state, FULL);
    contains(t.store.error, "/queue.db\" has reached max_size");
    check(n > 300 && n < 520);
    check(!outcome.accepted && outcome.decided);
    check_int(refused(&t)->waits, NONE_WAITS);
    check(exists(&t, "ballast"));

    accept_event(&t, "ops", "1", ALERT, body);
    check_int(run(&t), FULL);
    check_int(refused(&t)->waits, WAITS);

    /* takes and verdicts, with accepts that have no room */

    for (round = 0; round < 2; round++) {
        accept_event(&t, "ops", "new", ALERT, body);
        accept_event(&t, "ops", "new", ALERT, body);
        accept_event(&t, "ops", "new", ALERT, body);
        take(&t, "ops", 20, 0);
        check_int(run(&t), FULL);
        check(!outcome.accepted && outcome.decided);
        check_int(outcome.takes[0].taken, 20);

        t.now += SECOND * round;

        while ((ev = taken(&t, 0))) {
            verdict(&t, ev, ev->seq % 2 ? AGAIN : UNSENT);
        }

        check_int(run(&t), FULL);
        check(outcome.decided);
    }

    /* not for another 500 ms, but then, as soon as there is room */

    t.now += SECOND;
    accept_event(&t, "ops", "new", ALERT, body);
    accept_event(&t, "ops", "new", ALERT, body);
    accept_event(&t, "ops", "new", ALERT, body);
    check_int(run(&t), FULL);

    take(&t, "ops", 150, 0);
    check_int(run(&t), FULL);

    verdicts(&t, DONE);

    check_int(run(&t), FULL);
    t.now += 499;
    check_int(try_one(&t, "new"), FULL);
    t.now += 1;
    check_int(try_one(&t, "new"), OK);

    /* it fills up, and is found to have room again without an accept */

    do {
        accept_event(&t, "ops", "new", ALERT, body);
    } while (run(&t) == OK);

    t.now += SECOND;
    take(&t, "ops", 1, 0);
    check_int(run(&t), FULL);

    while (run(&t) == FULL) {
        t.now += SECOND;

        verdicts(&t, DONE);

        take(&t, "ops", 50, 0);
    }

    check_str(sql(&t, "SELECT count(*) > 0 FROM event"), "1");
    check_int(try_one(&t, "new"), OK);

    t.job.begin = 1;

    for (n = 0; n < 20000; n++) {

        verdicts(&t, DONE);

        take(&t, "ops", 100, 0);

        if (run(&t) == OK && taken(&t, 0) == NULL) {
            break;
        }
    }

    check_str(sql(&t, "SELECT count(*) FROM event"), "0");

    check(stat(file(&t, "queue.db"), &st) == 0);
    size = st.st_size;
    check(size <= 2 * 1024 * 1024 + 256 * 4096);

    teardown(&t);
}


/* so it is with one that is larger than it may be now */

static void
test_max_size_smaller(void)
{
    test_t  t;

    setup(&t, "max_size_smaller");

    fill(&t, 2000, 2000);
    ngx_http_ilert_store_close(&t.store);

    t.store.max_size = 1024 * 1024;

    fill_until_full(&t, 2000);
    contains(t.store.error, "/queue.db\" has reached max_size");

    drain_full(&t);
    check_str(sql(&t, "SELECT count(*) FROM event"), "0");

    t.now += SECOND;
    check_int(try_one(&t, "new"), OK);

    teardown(&t);
}


/* dead letters at max_size: those that have no room are dropped */

static void
test_max_size_dead(void)
{
    char         body[1001], key[32];
    event_t     *ev;
    ngx_uint_t   n, dropped;
    test_t       t;

    setup(&t, "max_size_dead");
    t.store.max_size = 1024 * 1024;

    memset(body, 'x', 1000);
    body[1000] = '\0';

    n = 0;

    do {
        sprintf(key, "%d", (int) n++);
        accept_event(&t, "ops", key, ALERT, body);
    } while (run(&t) == OK);

    dropped = 0;

    for (n = 0; n < 1000; n++) {
        take(&t, "ops", 100, 0);
        run(&t);
        check(outcome.decided);
        dropped += outcome.dropped;

        if (taken(&t, 0) == NULL) {
            break;
        }

        while ((ev = taken(&t, 0))) {
            ngx_str_set(&ev->error, "an error that is longer than what the "
                        "row of the event had beside its body, so that the "
                        "letters take more room than the events had "
                        "...........................................");
            verdict(&t, ev, DEAD);
        }
    }

    check_str(sql(&t, "SELECT count(*) FROM event"), "0");
    printf("# %d dropped, %s kept\n", (int) dropped,
           sql(&t, "SELECT count(*) FROM dead"));

    t.now += SECOND;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(atoi(sql(&t, "SELECT count(*) FROM dead")), 262);
    check_int(try_one(&t, "new"), OK);

    teardown(&t);
}


/*
 * A disk of 12 MB beside the ballast that another file fills: what is
 * delivered is recorded, freed pages are used, and when there is room again
 * all is as before.
 */

static void
test_disk_full(void)
{
    char        key[32], body[3001];
    ngx_uint_t  n, i, state;
    test_t      t;

    setup(&t, "disk_full");

    check_int(run(&t), OK);
    check(exists(&t, "ballast"));

    vfs_quota(&t, 8 * 1024 * 1024);

    memset(body, 'x', 3000);
    body[3000] = '\0';

    n = 0;

    do {
        sprintf(key, "%d", (int) n++);
        accept_event(&t, "ops", key, ALERT, body);
        state = run(&t);
    } while (state == OK && n < 100000);

    check_int(state, FULL);
    contains(t.store.error, "no room on the disk of \"");
    check(n > 300);
    check(outcome.decided && !outcome.accepted);
    check(!exists(&t, "ballast"));
    printf("# %d accepted\n", (int) n - 1);

    /* the ballast's room is not for accepts */

    for (i = 0; i < 5; i++) {
        t.now += SECOND;
        accept_event(&t, "ops", "1", ALERT, body);
        accept_event(&t, "ops", "1", ALERT, body);
        accept_event(&t, "ops", "1", ALERT, body);
        check_int(run(&t), FULL);
        check_int(refused(&t)->waits, WAITS);
    }

    check(used_size(&t) < 4 * 1024 * 1024 + 512 * 1024);

    /* the queue can be drained */

    check_int(deliver(&t, n - 1), n - 1);
    run(&t);
    check(outcome.decided);
    check_str(sql(&t, "SELECT count(*) FROM event"), "0");

    /* what was freed is used, although the disk is full */

    t.now += SECOND;
    vfs_quota(&t, used_size(&t));
    check_int(try_one(&t, "x"), OK);
    check_str(drain(&t, "ops"), "x:x");

    t.now += 60 * SECOND;
    check_int(try_one(&t, "x"), OK);
    check(!exists(&t, "ballast"));

    /* room */

    vfs_quota(&t, 100 * 1024 * 1024);
    check_int(try_one(&t, "x"), OK);
    check(exists(&t, "ballast"));

    /* and again: it is not made again before a minute has gone */

    vfs_quota(&t, 8 * 1024 * 1024);

    do {
        accept_event(&t, "ops", key, ALERT, body);
    } while (run(&t) == OK);

    check(!exists(&t, "ballast"));
    vfs_quota(&t, 100 * 1024 * 1024);
    t.now += SECOND;
    run(&t);
    check(!exists(&t, "ballast"));
    t.now += 59 * SECOND;
    check_int(try_one(&t, "x"), OK);
    check(exists(&t, "ballast"));

    /* no room from the start */

    teardown(&t);
    setup(&t, "disk_full");
    vfs_quota(&t, 5000);

    check_int(try_one(&t, "x"), FULL);
    check(!outcome.accepted && !outcome.decided);

    t.now += SECOND;
    vfs_quota(&t, 6 * 1024 * 1024);
    accept_event(&t, "ops", "1", ALERT, body);
    accept_event(&t, "ops", "2", ALERT, body);
    accept_event(&t, "ops", "3", ALERT, body);
    check_int(run(&t), FULL);
    check(outcome.decided);
    contains(t.store.error, "no room on the disk of \"");
    check(!exists(&t, "ballast"));

    t.now += SECOND;
    vfs_quota(&t, 0);
    check_int(try_one(&t, "x"), OK);
    check(exists(&t, "ballast"));

    teardown(&t);
}


/* the room of the ballast is not for the accepts of others either */

static void
test_disk_full_others(void)
{
    char        key[32], body[3001];
    ngx_uint_t  n, i;
    test_t      t, u;

    setup(&t, "disk_full_others");

    u = t;
    u.store.path.data = (u_char *) u.path;
    ngx_queue_init(&u.job.accepts);
    ngx_queue_init(&u.job.verdicts);
    ngx_queue_init(&u.job.orders);
    ngx_queue_init(&u.job.queries);
    ngx_queue_init(&u.job.notes);
    ngx_queue_init(&u.job.looks);
    ngx_queue_init(&u.job.refused);
    u.job.takes = u.takes;

    check_int(run(&u), OK);
    check_int(run(&t), OK);

    vfs_quota(&t, 6 * 1024 * 1024);

    memset(body, 'x', 3000);
    body[3000] = '\0';

    n = 0;

    do {
        sprintf(key, "%d", (int) n++);
        accept_event(&t, "ops", key, ALERT, body);
    } while (run(&t) == OK && n < 10000);

    check_int(t.store.state, FULL);
    check(!exists(&t, "ballast"));

    for (i = 0; i < 2000; i++) {
        u.now += SECOND;
        accept_event(&u, "ops", "others", ALERT, body);
        run(&u);
        n += outcome.accepted;
    }

    check_int(u.store.state, FULL);
    contains(u.store.error, "no room on the disk of \"");
    check(used_size(&t) < 3 * 1024 * 1024);

    /* nor for those of one that begins */

    ngx_http_ilert_store_close(&u.store);

    for (i = 0; i < 100; i++) {
        u.now += SECOND;
        accept_event(&u, "ops", "others", ALERT, body);
        run(&u);
        n += outcome.accepted;
    }

    check_int(u.store.state, FULL);
    check(used_size(&t) < 3 * 1024 * 1024);

    check_int(deliver(&t, n), n - 1);

    /* one of them makes it again, all go on */

    vfs_quota(&t, 100 * 1024 * 1024);
    t.now += 61 * SECOND;
    u.now += 61 * SECOND;
    check_int(try_one(&t, "k"), OK);
    check(exists(&t, "ballast"));

    for (i = 0; i < 500; i++) {
        accept_event(&u, "ops", "others", ALERT, body);
        check_int(run(&u), OK);
    }

    ngx_http_ilert_store_close(&u.store);
    teardown(&t);
}


/* a write() may write less than it was asked to, and even nothing */

static void
test_short_writes(void)
{
    test_t       t;
    struct stat  st;

    setup(&t, "short_writes");

    failing_write(3, 100);
    accept_one(&t, "ops", "k", ALERT, "x");
    check(stat(file(&t, "ballast"), &st) == 0);
    check_int(st.st_size, 4 * 1024 * 1024);

    /* nothing is as when there is no room */

    ngx_http_ilert_store_close(&t.store);
    unlink(file(&t, "ballast"));

    failing_write(5, 0);
    accept_one(&t, "ops", "k", ALERT, "x");
    check(!exists(&t, "ballast"));

    t.now += 4999;
    accept_one(&t, "ops", "k", ALERT, "x");
    check(!exists(&t, "ballast"));

    t.now++;
    accept_one(&t, "ops", "k", ALERT, "x");
    check(exists(&t, "ballast"));

    teardown(&t);
}


/*
 * A quota is as a full disk; and where a folder cannot be synced nothing can
 * be done.  Each path of one that begins fails so.
 */

static void
fails_to_begin(const char *name, int err, ngx_uint_t state)
{
    test_t      t;
    ngx_uint_t  n, states, hits;

    setup(&t, name);

    states = 0;

    for (n = 0; n < 200; n++) {
        failing_from(err);
        try_one(&t, "k");
        hits = failing_until();
        states += (t.store.state == state);

        if (t.store.state == FULL) {
            contains(t.store.error, "no room on the disk of \"");
        }

        ngx_http_ilert_store_close(&t.store);
        forget(&t);
        unlink(file(&t, "ballast"));

        if (hits == 0) {
            break;
        }
    }

    check(n > 5 && n < 200);
    check(states > 1);
    check_int(try_one(&t, "k"), OK);

    teardown(&t);
}


static void
test_fails_to_begin(void)
{
    fails_to_begin("quota", EDQUOT, FULL);
    fails_to_begin("no_sync", EINVAL, OK);
}


/* a limit of the process: another error than that of a full disk */

static void
test_file_limit(void)
{
    char           body[3001];
    test_t         t;
    ngx_uint_t     n, state;
    struct rlimit  was, rl;

    setup(&t, "file_limit");

    signal(SIGXFSZ, SIG_IGN);

    check_int(run(&t), OK);

    getrlimit(RLIMIT_FSIZE, &was);
    rl = was;
    rl.rlim_cur = 1024 * 1024;
    setrlimit(RLIMIT_FSIZE, &rl);

    memset(body, 'x', 3000);
    body[3000] = '\0';

    n = 0;

    do {
        n++;
        state = try_one(&t, body);
    } while (state == OK && n < 100000);

    check_int(state, FULL);
    contains(t.store.error, "no room on the disk of \"");

    setrlimit(RLIMIT_FSIZE, &was);

    t.now += 61 * SECOND;
    check_int(try_one(&t, "x"), OK);

    check_int(atoi(sql(&t, "SELECT count(*) FROM event")), n);
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");

    teardown(&t);
}


/* nothing is written for half a second after a failure */

static void
test_pause(void)
{
    test_t      t;
    ngx_uint_t  n;

    setup(&t, "pause");

    accept_one(&t, "ops", "k", ALERT, "x");

    vfs_fault(1, FAULT_IOERR, 1000000);

    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, CANNOT_SAY);
    contains(t.store.error, "/queue.db\": ");
    n = vfs_calls();
    check(n > 0);

    vfs_fault(0, FAULT_IOERR, 0);

    take(&t, "ops", 1, 0);
    t.now += 499;
    check_int(try_one(&t, "k"), FAILED);
    check_int(refused(&t)->waits, WAITS);
    check(!outcome.decided && taken(&t, 0) == NULL);
    check(vfs_calls() < 16);

    /* an empty job is enough to find out that all is well, or is not */

    t.now++;
    vfs_fault(1, FAULT_IOERR, 1000000);
    check_int(run(&t), FAILED);
    vfs_fault(0, FAULT_NONE, 0);
    check_int(run(&t), FAILED);

    /* a job that changes nothing has to show that writing works, too */

    vfs_fault(1, FAULT_IOERR, 1000000);
    t.now += 500;
    check_int(run(&t), FAILED);
    t.now += 500;
    vfs_fault(1, FAULT_FULL, 1000000);
    take(&t, "dev", 1, 0);
    check_int(run(&t), FULL);
    check(!outcome.decided);
    vfs_fault(0, FAULT_NONE, 0);

    t.now += 60 * SECOND;
    take_n(&t, "dev", 1);
    check_str(drain(&t, "ops"), "k:x");

    teardown(&t);
}


static void
test_no_memory(void)
{
    test_t      t;
    model_t    *m;
    uint32_t    seed;
    ngx_uint_t  n, i, failed;

    m = model_new();
    seed = 1 + rnd(1000000);

    for (n = 0; /* void */ ; n++) {
        setup(&t, "no_memory");
        model_reset(m);
        model_crash(&t, m);
        rnd_seed(seed);

        for (i = 0; i < 12; i++) {
            t.now += 600;

            /* those that the test makes are not to fail */

            model_accept(&t, m, rnd(4));
            model_accept(&t, m, rnd(4));

            test_alloc_fails = (i == n % 12) ? 1 + n / 12 : 0;
            model_step(&t, m, 0, 4, 0, 1 + rnd(3));
            test_alloc_fails = 0;
        }

        failed = (n / 12 < 16);
        model_end(&t, m);
        teardown(&t);

        if (!failed || test_failures) {
            break;
        }
    }

    check_int(test_failures, 0);
}


test_case_t  trouble_cases[] = {
    { "newer schema", test_newer },
    { "no folder", test_no_folder },
    { "foreign files", test_foreign },
    { "moved aside twice", test_aside_twice },
    { "truncated", test_truncated },
    { "changed bytes", test_flipped },
    { "what cannot be moved aside", test_aside_fails },
    { "what SQLite says while it is used", test_said },
    { "another process moves it aside", test_follow },
    { "the log of a damaged one", test_log_kept },
    { "removed", test_removed },
    { "read-only", test_read_only },
    { "a folder in its place", test_is_folder },
    { "no shared memory", test_no_shared_memory },
    { "too many open files", test_no_files },
    { "locked by others", test_locked },
    { "a process is stopped", test_mutex },
    { "max_size", test_max_size },
    { "a smaller max_size", test_max_size_smaller },
    { "dead letters at max_size", test_max_size_dead },
    { "disk full", test_disk_full },
    { "disk full, several processes", test_disk_full_others },
    { "short writes", test_short_writes },
    { "a quota, and a folder that cannot be synced", test_fails_to_begin },
    { "limit of a file's size", test_file_limit },
    { "pause", test_pause },
    { "no memory", test_no_memory },
    { NULL, NULL }
};
