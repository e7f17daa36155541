
/*
 * What waits for a time, and jobs that have changed nothing, by which the
 * courier finds that there is nothing to do.
 */


#include "kept.h"


static void
check_idle_at(int line, test_t *t, ngx_uint_t idle)
{
    check_int(run(t), OK);

    if (outcome.idle != idle) {
        fail_at(__FILE__, line, idle ? "is idle" : "is not idle", NULL);
    }
}

#define check_idle(t, idle)  check_idle_at(__LINE__, t, idle)


static void
test_idle(void)
{
    test_t    t;
    order_t   o;
    event_t  *ev;

    setup(&t, "idle");

    check_int(run(&t), OK);

    take(&t, "ops", 1, 0);
    check_idle(&t, 1);

    accept_event(&t, "ops", "k", ALERT, "1");
    check_idle(&t, 0);

    (void) query(&t, "", NULL);
    check_idle(&t, 1);

    take(&t, "ops", 1, 0);
    check_idle(&t, 0);
    ev = keep(only(&t));

    take(&t, "ops", 1, 0);
    check_idle(&t, 1);

    verdict(&t, ev, AGAIN);
    ev->next = t.now + SECOND;
    check_idle(&t, 0);

    /* it waits for its time, which comes */

    take(&t, "ops", 1, 0);
    check_idle(&t, 1);
    check_int(outcome.due, t.now + SECOND);

    t.now += SECOND;
    take(&t, "ops", 0, 0);
    check_idle(&t, 0);
    check_int(outcome.due, 0);

    take(&t, "ops", 0, 0);
    check_idle(&t, 1);

    /* what is written by each of them is no reason to run it again */

    t.job.begin = 1;
    t.job.clean = 1;
    check_idle(&t, 1);

    t.now += SECOND;
    t.job.clean = 1;
    check_idle(&t, 1);

    (void) order(&t, &o, PAUSE, "ops", 0);
    check_idle(&t, 0);
    (void) order(&t, &o, PAUSE, "ops", 0);
    check_idle(&t, 1);

    take(&t, "ops", 1, 0);
    check_idle(&t, 1);
    check(outcome.takes[0].paused);

    teardown(&t);
}


/* of a source that is not configured any longer, of which nothing is taken */

static void
test_late(void)
{
    test_t  t;

    setup(&t, "late");

    t.policy.coalesce = REPEATS;
    t.policy.repeat = DAY;

    accept_n(&t, "gone", 1500, ALERT, "x");

    check_int(run(&t), OK);
    (void) drain(&t, "gone");

    accept_n(&t, "gone", 1500, ALERT, "y");

    check_int(run(&t), OK);
    check_int(kept_in_state(&t, 2), 1500);

    /* the longest time there is now is not as long */

    t.job.longest = 300 * SECOND;
    take(&t, "ops", 1, 0);
    check_idle(&t, 0);
    check_int(outcome.due, t.now);

    t.job.longest = 300 * SECOND;
    take(&t, "ops", 1, 0);
    check_idle(&t, 0);
    check_int(outcome.due, 0);

    t.job.longest = 300 * SECOND;
    take(&t, "ops", 1, 0);
    check_idle(&t, 1);
    check_int(outcome.due, 0);

    /* when the source is back they are held again */

    t.job.longest = 2 * DAY;
    take(&t, "gone", 1, 0);
    check_idle(&t, 0);
    check(taken(&t, 0) == NULL);
    check(outcome.due > 0);
    check_counts(&t);

    teardown(&t);
}


/* until the next "clean" the clock is behind the time of the last one */

static void
test_resumed(void)
{
    test_t  t;

    setup(&t, "resumed");

    t.policy.resolve_after = DAY;
    t.job.begin = 1;
    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);

    t.now -= 30 * DAY;
    t.job.longest = DAY;
    take_n(&t, "ops", 1);
    check_int(outcome.due, t.now + DAY);

    teardown(&t);
}


/* with the repeat that was held the alert's time is over */

static void
test_dropped(void)
{
    test_t  t;

    setup(&t, "dropped");

    t.policy.coalesce = REPEATS;
    t.policy.repeat = DAY;
    t.policy.resolve_after = 600 * SECOND;
    t.job.begin = 1;
    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);
    accept_one(&t, "ops", "k", ALERT, "2");

    t.now += 600 * SECOND;
    take_n(&t, "ops", 1);
    check(taken(&t, 0) == NULL);
    check_int(outcome.due, t.now);

    t.job.nids = 1;
    t.ids[0] = 7;
    take_n(&t, "ops", 1);
    check_int(only(&t)->said.type, RESOLVE);

    teardown(&t);
}


test_case_t  wait_cases[] = {
    { "jobs that have changed nothing", test_idle },
    { "times that are too far away", test_late },
    { "the clock is set back, resolve_after", test_resumed },
    { "a repeat that is dropped, resolve_after", test_dropped },
    { NULL, NULL }
};
