
/*
 * A database that is damaged while it is in use, so that SQLite does not say
 * so, or only where it is read; and errors that are none of that.
 */


#include "store_test.h"


static const char *
path(test_t *t, const char *name)
{
    static char  text[600];

    sqlite3_snprintf(sizeof(text), text, "%s/%s", t->path, name);

    return text;
}


/* the first page of a table or index is another one's */

static void
damage_root(test_t *t, const char *name)
{
    int     fd, root;
    char    page[4096];

    root = atoi(sql(t, "SELECT rootpage FROM sqlite_master"
                       " WHERE name = '%q'", name));
    check(root > 1);

    sql(t, "PRAGMA wal_checkpoint(TRUNCATE)");

    memset(page, 0xff, sizeof(page));

    fd = open(path(t, "queue.db"), O_WRONLY);
    check(pwrite(fd, page, sizeof(page), (off_t) (root - 1) * 4096)
          == (ssize_t) sizeof(page));
    close(fd);
}


/* one event a time, until it is accepted; how many seconds that took */

static int
recover(test_t *t)
{
    int       n;
    query_t  *q;

    for (n = 0; n < 10; n++) {
        accept_event(t, "ops", "new", ALERT, "new");
        q = query(t, "", NULL);

        if (run(t) == OK && q->ok) {
            break;
        }

        t->now += SECOND;
    }

    return n;
}


/* the number of the last event is lower than that of one that is there */

static void
test_numbers_again(void)
{
    test_t  t;

    setup(&t, "numbers_again");

    accept_one(&t, "ops", "k", ALERT, "x");
    accept_one(&t, "ops", "l", ALERT, "x");

    sql(&t, "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'event'");

    accept_event(&t, "ops", "new", ALERT, "x");
    check_int(run(&t), FAILED);

    check(recover(&t) <= 4);
    check(strstr(t.store.notice, "numbers of events are used again") != NULL);

    teardown(&t);
}


/* dead letters are written by nobody, and read by who asks */

static void
test_read(void)
{
    test_t    t;
    query_t  *q;

    setup(&t, "damaged_read");

    accept_one(&t, "ops", "k", ALERT, "x");
    damage_root(&t, "dead_died");

    /* with the cache of a connection that had it */

    ngx_http_ilert_store_close(&t.store);
    accept_one(&t, "ops", "k", ALERT, "y");
    check_str(t.store.notice, "");

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check(!q->ok);
    check(strstr(t.store.notice, "is damaged") != NULL);

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check(q->ok);
    check(count_files(&t, "queue.db.damaged-") > 0);

    accept_one(&t, "ops", "k", RESOLVE, "z");
    check_str(drain(&t, "ops"), "k:z");

    teardown(&t);
}


/* errors of which SQLite does not say that the file is damaged */

static void
test_strange(void)
{
    test_t      t;
    ngx_uint_t  i;

    static const char  *damages[] = {
        "DROP INDEX alert_taken",
        "DROP TABLE total",
        "ALTER TABLE event RENAME COLUMN body TO corpse",
    };

    for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        setup(&t, "strange");
        accept_one(&t, "ops", "k", ALERT, "x");

        sql(&t, damages[i]);

        check(recover(&t) <= 3);
        check(strstr(t.store.notice, "is damaged") != NULL);
        check_int(count_files(&t, "queue.db.damaged-") > 0, 1);
        check_int(count_files(&t, "queue.db.damaged-") <= 3, 1);

        teardown(&t);
    }
}


/* numbers that have come to their end look like a disk that is full */

static void
test_numbers(void)
{
    int     i;
    test_t  t;

    for (i = 0; i < 2; i++) {
        setup(&t, "numbers");

        if (i) {
            t.store.max_size = 0;
        }

        accept_one(&t, "ops", "k", ALERT, "x");

        sql(&t, "UPDATE sqlite_sequence SET seq = 9223372036854775807");

        accept_event(&t, "ops", "new", ALERT, "x");
        check_int(run(&t), FULL);

        check(recover(&t) <= 4);
        check(strstr(t.store.notice, "no numbers are left") != NULL);

        teardown(&t);
    }
}


/* a table that nobody reads, and an error that has nothing to do with it */

static void
test_hidden(void)
{
    int     fd;
    test_t  t;

    setup(&t, "hidden");
    accept_one(&t, "ops", "k", ALERT, "x");

    damage_root(&t, "refused");
    sql(&t, "CREATE TRIGGER no BEFORE INSERT ON event BEGIN"
            " SELECT RAISE(ABORT, 'no'); END");

    check(recover(&t) <= 4);
    check(strstr(t.store.notice, "is damaged") != NULL);

    teardown(&t);

    /* a wrong number of free pages, which SQLite reports in two lines */

    setup(&t, "hidden_free");
    accept_one(&t, "ops", "k", ALERT, "x");
    accept_one(&t, "ops", "new", ALERT, "x");

    sql(&t, "CREATE TRIGGER no BEFORE INSERT ON event BEGIN"
            " SELECT RAISE(ABORT, 'no'); END");
    ngx_http_ilert_store_close(&t.store);

    fd = open(path(&t, "queue.db"), O_WRONLY);
    check(pwrite(fd, "\0\0\0\5", 4, 36) == 4);
    close(fd);

    check(recover(&t) <= 4);
    check(strstr(t.store.notice, "is damaged") != NULL);
    check(strchr(t.store.notice, '\n') == NULL);

    teardown(&t);
}


/* the header says of itself that nobody may write */

static void
test_read_only_header(void)
{
    int     fd;
    test_t  t;

    setup(&t, "read_only_header");
    accept_one(&t, "ops", "k", ALERT, "x");
    ngx_http_ilert_store_close(&t.store);

    fd = open(path(&t, "queue.db"), O_WRONLY);
    check(pwrite(fd, "\7", 1, 18) == 1);
    close(fd);

    check(recover(&t) <= 4);
    check(strstr(t.store.notice, "read-only") != NULL);

    teardown(&t);
}


/* a file that is whole stays, however long there are errors */

static void
test_whole(void)
{
    int     n;
    test_t  t;

    setup(&t, "whole");
    accept_one(&t, "ops", "k", ALERT, "x");

    sql(&t, "CREATE TRIGGER no BEFORE INSERT ON event BEGIN"
            " SELECT RAISE(ABORT, 'no'); END");

    /* the check of so many rows takes a while */

    sql(&t, "WITH n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 20000) INSERT INTO refused (time, status, size,"
            " bytes, address, location, error, body)"
            " SELECT 1, 400, 1, 1, 'x', 'x', 'x', 'x' FROM n");

    for (n = 0; n < 200; n++) {
        t.now += (n == 100) ? -DAY : SECOND;
        accept_event(&t, "ops", "new", ALERT, "x");
        check_int(run(&t), FAILED);
    }

    /* nor is it damaged if it cannot be checked */

    for (n = 0; n < 200; n++) {
        t.now += 61 * SECOND;
        accept_event(&t, "ops", "new", ALERT, "x");

        failing_from(EIO);
        check(run(&t) != OK);

        if (failing_until() == 0) {
            break;
        }
    }

    check(n > 3 && n < 200);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged-"), 0);

    sql(&t, "DROP TRIGGER no");
    t.now += 2 * DAY;
    check_int(recover(&t), 0);
    check_str(drain(&t, "ops"), "k:x new:new");

    teardown(&t);
}


/* so does one of a disk that fails, whoever reads */

static void
test_environment(void)
{
    int      n;
    test_t   t;
    fault_e  faults[] = { FAULT_IOERR, FAULT_FULL, FAULT_OPEN };

    setup(&t, "environment");
    accept_one(&t, "ops", "k", ALERT, "x");

    for (n = 0; n < 30; n++) {
        vfs_fault(1, faults[n / 10], n % 2 ? 100000 : rnd(4));

        if (faults[n / 10] == FAULT_OPEN) {
            ngx_http_ilert_store_close(&t.store);
        }

        t.now += SECOND;
        accept_event(&t, "ops", "new", ALERT, "x");
        (void) query(&t, "", NULL);
        run(&t);
        vfs_fault(0, FAULT_NONE, 0);
    }

    t.now += SECOND;
    check_int(recover(&t), 0);
    check_str(t.store.notice, "");
    check_int(count_files(&t, "queue.db.damaged-"), 0);

    teardown(&t);
}


test_case_t  damage_cases[] = {
    { "damage that is found by reading", test_read },
    { "errors that nothing explains", test_strange },
    { "numbers that are used up", test_numbers },
    { "numbers that are used again", test_numbers_again },
    { "damage that nobody reads", test_hidden },
    { "a header that says read-only", test_read_only_header },
    { "a file that is whole stays", test_whole },
    { "trouble of the system is no damage", test_environment },
    { NULL, NULL }
};
