
/* alerts for which nothing waits, which give way to what does */


#include "kept.h"


#define SIZE  (4 * 1024 * 1024)


/* so many alerts, from the n-th on, are told to ilert */

static ngx_uint_t
tell(test_t *t, const char *source, ngx_uint_t type, int n, int end)
{
    char        key[64];
    ngx_uint_t  forgotten;

    forgotten = 0;

    while (n < end) {

        do {
            sprintf(key, "host %05d: cpu is too high", n++);
            accept_event(t, source, key, type, "{\"summary\":\"x\"}");
        } while (n % 100 && n < end);

        t->now += 10;
        check_int(run(t), OK);
        check(outcome.accepted);
        forgotten += outcome.forgotten;

        take_n(t, source, 100);

        verdicts(t, DONE);

        check_int(run(t), OK);
    }

    return forgotten;
}


/* more of them than there is room for */

static void
test_never_resolved(void)
{
    test_t       t;
    query_t     *q;
    ngx_uint_t   forgotten, known;

    /* room is made in transactions of its own, which a failure leaves done */

    failing_times = 0;

    setup(&t, "never_resolved");
    t.store.max_size = SIZE;

    forgotten = tell(&t, "ops", ALERT, 0, 30000);
    known = kept_count(&t, NULL);
    printf("# %d alerts are known of 30000\n", (int) known);

    check(forgotten > 10000 && forgotten < 25000);
    check_int(known + forgotten, 30000);
    check_int(kept_count(&t, "host 25*") + kept_count(&t, "host 26*")
              + kept_count(&t, "host 27*") + kept_count(&t, "host 28*")
              + kept_count(&t, "host 29*"), 5000);

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check_int(((ngx_http_ilert_store_source_t *) q->sources.elts)[0].open,
              known);

    /* of one that was forgotten it is unknown what ilert shows */

    t.policy.coalesce = REPEATS;
    accept_event(&t, "ops", "host 00001: cpu is too high", RESOLVE, "1");
    accept_event(&t, "ops", "host 29999: cpu is too high", ALERT, "2");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "host 00001: cpu is too high:1");

    check_counts(&t);
    check_heads(&t);

    if (on_sqlite()) {
        check_str(sql(&t, "PRAGMA integrity_check"), "ok");
    }

    teardown(&t);
}


/* what waits is not lost by it, nor a letter that may be replayed */

static void
test_kept(void)
{
    int         i;
    char        key[32];
    test_t      t;
    order_t     o;
    ngx_uint_t  n;

    setup(&t, "kept");
    t.store.max_size = SIZE;

    for (i = 0; i < 1500; i++) {
        sprintf(key, "letter %d", i);
        accept_event(&t, "ops", key, ALERT, "x");
        sprintf(key, "taken %d", i);
        accept_event(&t, "dev", key, ALERT, "x");
        sprintf(key, "waits %d", i);
        accept_event(&t, "lab", key, ALERT, "x");
    }

    take_n(&t, "ops", 1500);
    take(&t, "dev", 1500, 0);

    verdicts(&t, DEAD);

    check_int(run(&t), OK);

    while (taken(&t, 0)) {
        ngx_free(keep(taken(&t, 0)));
    }

    check(tell(&t, "more", ALERT, 0, 25000) > 0);

    check_int(kept_count(&t, "letter *"), 1500);
    free(kept_list(&t, &n));
    check_int(n, 3000);
    check_counts(&t);
    check_heads(&t);

    (void) order(&t, &o, REPLAY, "ops", 0);
    check_int(run(&t), OK);
    check_int(o.count, 100);
    check_int(o.refused, 0);

    t.job.begin = 1;
    take_n(&t, "dev", 1500);
    check_int(outcome.takes[0].taken, 1500);
    take_n(&t, "lab", 1500);
    check_int(outcome.takes[0].taken, 1500);

    teardown(&t);
}


static void
fill_up(test_t *t)
{
    char  body[2001], key[32];
    int   i;

    memset(body, 'x', 2000);
    body[2000] = '\0';

    for (i = 0; i < 20000; i++) {
        sprintf(key, "waits %d", i);
        accept_event(t, "lab", key, ALERT, body);

        if (run(t) != OK || outcome.forgotten) {
            break;
        }
    }
}


/* resolved ones first, then the oldest ones of all sources */

static void
test_order(void)
{
    int     i;
    test_t  t;

    /* room is made in transactions of its own, which a failure leaves done */

    failing_times = 0;

    setup(&t, "order");
    t.store.max_size = SIZE;

    for (i = 0; i < 3000; i += 100) {
        tell(&t, i % 200 ? "dev" : "ops", ALERT, i, i + 100);
    }

    tell(&t, "ops", ALERT, 8000, 8500);
    tell(&t, "ops", RESOLVE, 8000, 8500);

    fill_up(&t);
    check_int(t.store.state, OK);
    check_int(outcome.forgotten, 1000);
    check_int(kept_count(&t, "host 08*"), 0);
    check_int(kept_count(&t, "host *"), 2500);
    check_int(kept_count(&t, "host 004*"), 0);
    check_int(kept_count(&t, "host 00500*"), 1);
    check_counts(&t);

    /* until there is nothing left but what waits */

    while (t.store.state == OK) {
        fill_up(&t);
    }

    check_int(t.store.state, FULL);
    check_int(kept_idle(&t), 0);
    check_counts(&t);

    teardown(&t);
}


/* full, and nobody comes, as they are told that it is not ready */

static void
test_nobody_comes(void)
{
    int     n, events;
    test_t  t;

    /* room is made in transactions of its own, which a failure leaves done */

    failing_times = 0;

    setup(&t, "nobody_comes");
    t.store.max_size = SIZE;

    fill_up(&t);
    check_int(t.store.state, FULL);
    check_int(outcome.forgotten, 0);

    sql(&t, "UPDATE alert SET head = 0 WHERE id %% 2");
    sql(&t, "DELETE FROM event WHERE alert %% 2");
    sql(&t, "WITH n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n"
            " WHERE i < 20000) INSERT INTO alert (source, key, alert_key,"
            " state, head, urgency, next, shows, epoch, level, delivered,"
            " changed, opened) SELECT 1, 'k' || i, 'k', 0, 0, 3, 0, 1, 1, 3,"
            " 1, 1, 1 FROM n");
    sql(&t, "UPDATE source SET open = open + 20000,"
            " critical = (SELECT count(*) FROM event)");
    check_counts(&t);
    events = atoi(sql(&t, "SELECT count(*) FROM event"));

    for (n = 0; n < 20; n++) {
        t.now += SECOND;
        t.job.prove = 1;

        if (run(&t) == OK) {
            break;
        }

        check_int(outcome.forgotten, 1000);
    }

    check(n > 0);
    check_int(t.store.state, OK);
    check_int(atoi(sql(&t, "SELECT count(*) FROM event")), events);
    check_counts(&t);

    teardown(&t);
}


/* whatever the epoch; those with a letter are passed over, not gone through */

static void
test_old(void)
{
    int     i;
    char    key[32];
    test_t  t;

    setup(&t, "old");

    for (i = 0; i < 2500; i++) {
        sprintf(key, "letter %d", i);
        accept_event(&t, "ops", key, RESOLVE, "x");
        sprintf(key, "open %d", i);
        accept_event(&t, "ops", key, ALERT, "x");
    }

    check_int(run(&t), OK);
    (void) drain(&t, "ops");

    for (i = 0; i < 2500; i++) {
        sprintf(key, "letter %d", i);
        accept_event(&t, "ops", key, COMMENT, "x");
        sprintf(key, "open %d", i);
        accept_event(&t, "ops", key, COMMENT, "x");
    }

    take_n(&t, "ops", 5000);

    verdicts(&t, DEAD);

    check_int(run(&t), OK);

    t.now++;
    accept_one(&t, "ops", "resolved", RESOLVE, "x");
    accept_one(&t, "ops", "open", ALERT, "x");
    (void) drain(&t, "ops");
    t.job.unknown = 1;
    check_int(run(&t), OK);

    kept_died(&t, NOW + 365 * DAY);
    t.now = NOW + 100 * DAY;

    for (i = 0; i < 8; i++) {
        t.job.clean = 1;
        check_int(run(&t), OK);
    }

    check_int(kept_count(&t, "resolved"), 0);
    check_int(kept_count(&t, "open"), 0);
    check_int(kept_count(&t, NULL), 5000);

    /* and, when the letters are gone, in bounded parts */

    kept_discard(&t);

    for (i = 0; i < 12; i++) {
        t.job.clean = 1;
        check_int(run(&t), OK);
    }

    check_int(kept_count(&t, NULL), 0);
    check_counts(&t);

    teardown(&t);
}


/* trouble while room is made: an error is told, nothing is half done */

static void
test_faults(void)
{
    int     n;
    test_t  t;

    setup(&t, "forget_faults");
    t.store.max_size = SIZE;

    (void) tell(&t, "ops", ALERT, 0, 15000);

    for (n = 1; n < 400; n++) {
        t.now += SECOND;
        vfs_fault(n, FAULT_IOERR, 0);
        fill_up(&t);
        vfs_fault(0, FAULT_NONE, 0);

        t.now += SECOND;
        accept_event(&t, "lab", "again", ALERT, "x");

        if (run(&t) == FULL) {
            break;
        }

        check_int(t.store.state, OK);
        check_counts(&t);
    }

    check(n > 10);
    check_str(sql(&t, "PRAGMA integrity_check"), "ok");
    check_counts(&t);

    teardown(&t);
}


/* sends all that waits, and returns the number of events */

static ngx_uint_t
send_all(test_t *t)
{
    ngx_uint_t  n;

    n = 0;

    do {
        t->now += SECOND;
        take(t, "ops", 1000, 0);
        run(t);
        n += outcome.takes[0].taken;
        verdicts(t, DONE);

    } while (outcome.takes[0].taken);

    return n;
}


/* the same of each path to SQLite: what was accepted is there */

static void
test_paths(void)
{
    int          n, i, rounds;
    char         body[2001], key[32];
    test_t       t;
    ngx_uint_t   accepted, sent, hits;

    setup(&t, "forget_paths");
    t.store.max_size = 1024 * 1024;

    memset(body, 'x', 2000);
    body[2000] = '\0';

    n = 0;
    accepted = 0;
    sent = 0;

    for (rounds = 0; rounds < 100; rounds++) {
        hits = 0;

        /* room is made by alerts that are resolved, webhooks, open alerts */

        do {
            sprintf(key, "%d", n++);
            accept_event(&t, "ops", key, (rounds % 3) ? ALERT : RESOLVE, body);

            failing_from(EIO);
            run(&t);
            hits += failing_until();

            accepted += outcome.accepted;
            t.now += SECOND;

        } while (t.store.state != FULL);

        sent += send_all(&t);

        for (i = 0; i < 10; i++) {
            (void) refuse_webhook(&t, "e", NULL, 5000);
        }

        check_int(run(&t), OK);

        if (hits == 0 && rounds > 10) {
            break;
        }
    }

    printf("# %d times\n", n);
    check(rounds < 100);
    check_int(sent, accepted);
    check_counts(&t);
    check_heads(&t);

    teardown(&t);
}


/* whether the end of a new alert that began then is told */

static ngx_uint_t
tells_end(test_t *t, const char *key, int64_t began)
{
    accept_event(t, "ops", key, ALERT, "1")->began = began;
    accept_event(t, "ops", key, RESOLVE, "2")->began = began;
    check_int(run(t), OK);

    return drain(t, "ops")[0] != '\0';
}


/*
 * When an alert is forgotten that ilert may show, others of which nothing is
 * known may be that one.  One that is resolved is not.
 */

static void
test_doubt(void)
{
    int64_t  forgotten;
    test_t   t;

    setup(&t, "doubt");
    t.policy.coalesce = LATEST;

    accept_one(&t, "ops", "open", ALERT, "x");
    accept_one(&t, "ops", "over", RESOLVE, "x");
    accept_one(&t, "ops", "maybe", ALERT, "x");
    check_str(drain(&t, "ops"), "open:x maybe:x over:x");

    t.now += 61 * SECOND;
    check(!tells_end(&t, "a", t.now));
    check(tells_end(&t, "b", NOW + 60 * SECOND));

    t.now = NOW + 8 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(kept_count(&t, NULL), 2);
    check(!tells_end(&t, "over", t.now));
    check(!tells_end(&t, "c", NOW + DAY));

    t.now = NOW + 91 * DAY;
    forgotten = t.now;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.silent, 2);
    check(tells_end(&t, "open", t.now));
    check(tells_end(&t, "d", NOW + DAY));

    /* also after a restart */

    ngx_http_ilert_store_close(&t.store);

    t.now += DAY;
    check(tells_end(&t, "maybe", forgotten + 60 * SECOND));
    check(!tells_end(&t, "e", forgotten + 61 * SECOND));

    teardown(&t);
}


test_case_t  forget_cases[] = {
    { "alerts that are never resolved", test_never_resolved },
    { "what waits is not forgotten", test_kept },
    { "the oldest ones are forgotten", test_order },
    { "old alerts are forgotten", test_old },
    { "what was forgotten is in doubt", test_doubt },
    { NULL, NULL }
};


/* with SQLite's files, or rows */

test_case_t  forget_sqlite_cases[] = {
    { "room is made, and nobody comes", test_nobody_comes },
    { "trouble while alerts are forgotten", test_faults },
    { "each path fails: room is made", test_paths },
    { NULL, NULL }
};
