
/*
 * Who delivers: the number of a courier, the lock that it needs, and events
 * of which workers have died.
 */


#include "kept.h"


static int64_t
begin(test_t *t)
{
    t->job.begin = 1;

    check_int(run(t), OK);
    check(outcome.decided);

    return outcome.begun;
}


/* the lock's file as the courier knows it */

static void
hold(test_t *t, const char *name)
{
    struct stat  st;

    check(stat(name, &st) == 0);

    t->job.lock = (u_char *) name;
    t->job.lock_device = st.st_dev;
    t->job.lock_inode = st.st_ino;
}


static void
test_term(void)
{
    test_t    t;
    int64_t   first, second;
    event_t  *ev;

    setup(&t, "term");

    accept_one(&t, "ops", "k", ALERT, "1");
    first = begin(&t);
    check(first >= NOW);
    check(outcome.fresh);

    t.job.term = first;
    take_n(&t, "ops", 10);
    check(!outcome.over);
    ev = keep(only(&t));
    check_str(kept_alerts(&t, NULL, "t"), "1");

    /* another one begins: what had been taken is ready again */

    second = begin(&t);
    check_int(second, first + 1);
    check(!outcome.fresh);
    check_str(kept_alerts(&t, NULL, "ts"), "0 0");

    /* the first one wakes up: its verdict does not count, it takes nothing */

    verdict(&t, ev, DONE);
    t.job.term = first;
    t.job.clean = 1;
    release(&t, "ops");
    take(&t, "ops", 10, 0);
    accept_event(&t, "ops", "new", ALERT, "2");
    check_int(run(&t), OK);

    check(outcome.over);
    check(outcome.decided);
    check(outcome.accepted);
    check_int(outcome.begun, 0);
    check(taken(&t, 0) == NULL);
    check_str(kept_alerts(&t, NULL, "th"), "0 1,0 2");

    /* the second one goes on */

    t.job.term = second;
    take_n(&t, "ops", 10);
    check(!outcome.over);
    check_int(outcome.takes[0].taken, 2);
    check_counts(&t);

    teardown(&t);
}


/* a clock that is set back does not make it lower */

static void
test_clock(void)
{
    test_t   t;
    int64_t  first;

    setup(&t, "clock_of_courier");

    first = begin(&t);
    t.now -= 1000 * SECOND;
    check_int(begin(&t), first + 1);
    t.now += 5000 * SECOND;
    check_int(begin(&t), t.now);

    teardown(&t);
}


/* the one that is there goes on in a new database, if it has its lock */

static void
test_fresh(void)
{
    char     *lock;
    test_t    t;
    int64_t   term;

    setup(&t, "fresh");
    lock = sqlite3_mprintf("%s/courier.lock", t.path);
    write_file(lock, "", 0);

    hold(&t, lock);
    term = begin(&t);

    forget(&t);
    t.now += SECOND;

    hold(&t, lock);
    t.job.term = term;
    accept_event(&t, "ops", "k", ALERT, "1");
    take_n(&t, "ops", 10);
    check(!outcome.over);
    check(outcome.fresh);
    check_int(outcome.begun, t.now);
    check_int(outcome.takes[0].taken, 1);

    /* a database in which another one has begun is no new one */

    sql(&t, "UPDATE total SET courier = 7");
    hold(&t, lock);
    t.job.term = term;
    take_n(&t, "ops", 10);
    check(outcome.over);

    sqlite3_free(lock);
    teardown(&t);
}


/* without the lock of its folder none begins */

static void
test_lock(void)
{
    char    *lock, *old;
    test_t   t;

    setup(&t, "lock");
    lock = sqlite3_mprintf("%s/courier.lock", t.path);
    old = sqlite3_mprintf("%s/old.lock", t.path);
    write_file(lock, "", 0);

    hold(&t, lock);
    check(begin(&t) > 0);

    /* made anew by another one */

    hold(&t, lock);
    check(rename(lock, old) == 0);
    write_file(lock, "", 0);
    take(&t, "ops", 10, 0);
    check_int(begin(&t), 0);
    check(outcome.over);

    /* gone */

    hold(&t, lock);
    check(remove(lock) == 0);
    check_int(begin(&t), 0);
    check(outcome.over);

    write_file(lock, "", 0);
    hold(&t, lock);
    check(begin(&t) > 0);
    check(!outcome.over);

    sqlite3_free(old);
    sqlite3_free(lock);
    teardown(&t);
}


/* of these workers have died */

static void
test_deadly(void)
{
    int64_t            seqs[3] = { 1, 99, 3 };
    test_t             t;
    event_t           *ev;
    ngx_queue_t       *q;
    volatile int64_t   seq;

    setup(&t, "deadly");
    begin(&t);

    accept_one(&t, "ops", "bad", ALERT, "1");
    accept_one(&t, "ops", "bad", RESOLVE, "2");
    accept_one(&t, "dev", "worse", ALERT, "3");

    seq = 7;
    t.job.at_hand = &seq;
    t.job.deadly = seqs;
    t.job.ndeadly = 3;
    take(&t, "ops", 10, 0);
    take(&t, "dev", 10, 0);
    begin(&t);

    check_int(seq, 0);
    check_str(kept_letters(&t, "qe"),
              "1 a worker has died three times while it was handled,"
              "3 a worker has died three times while it was handled");

    /* what is behind it goes at once */

    ev = only(&t);
    check_int(ev->seq, 2);
    check_int(outcome.expired, 0);

    q = ngx_queue_head(&outcome.buried);
    ev = ngx_queue_data(q, event_t, queue);
    check_int(ev->seq, 1);
    check_int(ev->source.len, 3);
    q = ngx_queue_next(q);
    ev = ngx_queue_data(q, event_t, queue);
    check_int(ev->seq, 3);
    check(ngx_queue_next(q) == ngx_queue_sentinel(&outcome.buried));

    check_counts(&t);
    check_heads(&t);

    teardown(&t);
}


/* numbers of events begin anew with a database: those are of another one */

static void
test_deadly_fresh(void)
{
    int64_t  seq = 1;
    test_t   t;

    setup(&t, "deadly_fresh");

    accept_one(&t, "ops", "k", ALERT, "1");

    t.job.deadly = &seq;
    t.job.ndeadly = 1;
    begin(&t);

    check(outcome.fresh);
    check(ngx_queue_empty(&outcome.buried));
    check_str(drain(&t, "ops"), "k:1");

    teardown(&t);
}


test_case_t  courier_cases[] = {
    { "a courier's number", test_term },
    { "... and the clock", test_clock },
    { "events of which workers died", test_deadly },
    { "... in another database", test_deadly_fresh },
    { NULL, NULL }
};


/* deadly events without a source of their own, or that are not the first */

static void
test_deadly_rows(void)
{
    int64_t   seqs[2] = { 1, 3 };
    test_t    t;
    event_t  *ev;

    setup(&t, "deadly_rows");
    begin(&t);

    accept_one(&t, "ops", "bad", ALERT, "1");
    accept_one(&t, "ops", "worse", ALERT, "2");
    accept_one(&t, "ops", "worse", ALERT, "3");
    sql(&t, "UPDATE event SET source = 0");
    sql(&t, "UPDATE alert SET head = 3 WHERE key = 'worse'");

    t.job.deadly = seqs;
    t.job.ndeadly = 2;
    begin(&t);

    check_str(kept_letters(&t, "q"), "1");
    ev = ngx_queue_data(ngx_queue_head(&outcome.buried), event_t, queue);
    check_int(ev->source.len, 3);
    check(memcmp(ev->source.data, "ops", 3) == 0);

    teardown(&t);
}


/* with SQLite's files, or rows */

test_case_t  courier_sqlite_cases[] = {
    { "... in a new database", test_fresh },
    { "a courier's lock", test_lock },
    { "... whose rows are odd", test_deadly_rows },
    { NULL, NULL }
};
