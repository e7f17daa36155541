
/* alerts that are resolved by themselves, as their events have said */


#include "store_test.h"
#include "kept.h"


#define MINUTE   (60 * SECOND)
#define QUIET    (15 * MINUTE)


/* one of an alert that is to be resolved when nothing more is heard of it */

static event_t *
accept_quiet(test_t *t, const char *key, const char *body)
{
    event_t  *ev;

    ev = accept_event(t, "ops", key, ALERT, body);

    ev->silence = QUIET;
    ev->policy.resolve_after = QUIET;

    return ev;
}


/* it alone, of all alerts of the source */

static void
test_silence(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "silence");
    t.policy.coalesce = LATEST;

    accept_event(&t, "ops", "other", ALERT, "0");
    accept_quiet(&t, "K", "1");
    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now = NOW + 10 * MINUTE;
    level(accept_quiet(&t, "K", "2"), WARNING);
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "K:2");

    /* as it is kept, not as this process knows */

    ngx_http_ilert_store_close(&t.store);

    t.now = NOW + 25 * MINUTE - 1;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check(taken(&t, 0) == NULL);
    check_int(outcome.due, NOW + 25 * MINUTE);

    t.now++;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    ev = only(&t);
    check(ev->key.len == 1 && ev->key.data[0] == 'K');
    check_int(ev->said.type, RESOLVE);
    check_int(ev->body.len, 0);
    check_int(ev->silence, QUIET);
    decide(&t, ev, DONE);

    t.now += DAY;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, 0);

    /* once more */

    accept_quiet(&t, "K", "3");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "K:3");
    t.now += QUIET;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    check_counts(&t);
    teardown(&t);
}


/* a repeat that is held does not put it off for longer than it says */

static void
test_silence_held(void)
{
    int     i;
    test_t  t;

    setup(&t, "silence_held");
    t.policy.coalesce = REPEATS;
    t.policy.repeat = 60 * MINUTE;

    accept_quiet(&t, "k", "1");
    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now = NOW + 5 * MINUTE;
    accept_quiet(&t, "k", "2");
    take_stale(&t, 10, 1);
    check_int(outcome.due, NOW + 20 * MINUTE);

    t.now = NOW + 20 * MINUTE - 1;
    take_stale(&t, 10, 1);
    check(taken(&t, 0) == NULL);

    t.now++;

    for (i = 0; i < 3 && taken(&t, 0) == NULL; i++) {
        take_stale(&t, 10, 1);
    }

    check_int(only(&t)->said.type, RESOLVE);
    check_int(only(&t)->body.len, 0);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    teardown(&t);
}


/* the shorter one of its own time and its source's */

static void
test_silence_of_source(void)
{
    test_t  t;

    setup(&t, "silence_of_source");

    t.policy.resolve_after = 60 * MINUTE;
    accept_event(&t, "ops", "other", ALERT, "1");
    accept_quiet(&t, "k", "2");
    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now = NOW + QUIET;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    check(only(&t)->key.data[0] == 'k');
    check_int(outcome.due, NOW + 60 * MINUTE);
    verdicts(&t, DONE);

    t.now = NOW + 60 * MINUTE;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    check(only(&t)->key.data[0] == 'o');
    check_int(only(&t)->silence, 0);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    t.policy.resolve_after = MINUTE;
    accept_quiet(&t, "k", "3");
    check_int(run(&t), OK);
    drain(&t, "ops");
    t.now += MINUTE;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    teardown(&t);
}


/* more than there are ids for, and a clock that was set back */

static void
test_silence_many(void)
{
    int     i;
    char    key[16];
    test_t  t;

    setup(&t, "silence_many");

    for (i = 0; i < 5; i++) {
        sprintf(key, "%d", i);
        accept_quiet(&t, key, "x");
    }

    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now = NOW - DAY;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, t.now + QUIET);

    t.now += QUIET;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 2);
    check_int(outcome.due, t.now);
    verdicts(&t, DONE);
    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 3);
    verdicts(&t, DONE);
    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, 0);

    teardown(&t);
}


test_case_t  silence_cases[] = {
    { "an alert of which nothing is heard", test_silence },
    { "nothing is heard, and a repeat is held", test_silence_held },
    { "nothing is heard, and resolve_after", test_silence_of_source },
    { "nothing is heard of many", test_silence_many },
    { NULL, NULL }
};


/* what is kept makes no sense */

static void
test_silence_damaged(void)
{
    test_t  t;

    setup(&t, "silence_damaged");

    accept_quiet(&t, "k", "1");
    check_int(run(&t), OK);
    drain(&t, "ops");

    sql(&t, "UPDATE alert SET silence = 1 << 60");
    t.now += DAY;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    accept_one(&t, "ops", "k", ALERT, "2");
    drain(&t, "ops");
    sql(&t, "UPDATE alert SET silence = -1");
    t.now += DAY;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);

    teardown(&t);
}


test_case_t  silence_sqlite_cases[] = {
    { "a time that makes no sense", test_silence_damaged },
    { NULL, NULL }
};
