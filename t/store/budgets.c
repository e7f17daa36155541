
/*
 * What goes first, how many requests there may be, and alerts of which
 * nothing more is heard.
 */


#include "kept.h"


#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)


/* "source:body ..." of what has been taken, in order */

static const char *
all_taken(void)
{
    char         *p;
    event_t      *ev;
    ngx_queue_t  *q;
    static char   text[4096];

    p = text;
    *p = '\0';

    for (q = ngx_queue_head(&outcome.taken);
         q != ngx_queue_sentinel(&outcome.taken);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);
        p += sprintf(p, "%s%.*s:%.*s", p == text ? "" : " ",
                     (int) ev->source.len, ev->source.data,
                     (int) ev->body.len, ev->body.data);
    }

    return text;
}


/* so many of another alert each */

static void
accept_many(test_t *t, const char *source, ngx_uint_t n)
{
    char        key[32];
    static int  number;

    while (n--) {
        sprintf(key, "many %d", number++);
        accept_event(t, source, key, ALERT, "x");
    }

    check_int(run(t), OK);
}


/* of two sources, one of which has been told of some alerts */

static void
test_urgency(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "urgency");

    level(accept_event(&t, "a", "open W", ALERT, "x"), WARNING);
    accept_event(&t, "a", "open C", ALERT, "x");
    level(accept_event(&t, "b", "open too", ALERT, "x"), WARNING);
    check_int(run(&t), OK);
    drain(&t, "a");
    drain(&t, "b");

    /* in the order of arrival: the worst one first */

    accept_event(&t, "a", "open C", COMMENT, "1:update");
    level(accept_event(&t, "a", "open too", ALERT, "2:opens"), WARNING);
    level(accept_event(&t, "b", "new", ALERT, "3:opens"), INFO);
    accept_event(&t, "a", "gone", RESOLVE, "4:resolve");
    accept_event(&t, "b", "open too", RESOLVE, "5:resolve");
    accept_event(&t, "a", "open W", ALERT, "6:raises");
    accept_event(&t, "b", "high", ALERT, "7:high")->said.priority
        = NGX_HTTP_ILERT_HIGH;
    accept_event(&t, "b", "low", ALERT, "8:low opens")->said.priority
        = NGX_HTTP_ILERT_LOW;
    accept_event(&t, "b", "critical", ALERT, "9:opens");
    check_int(run(&t), OK);

    take(&t, "a", 10, 0);
    take_n(&t, "b", 10);
    check_str(all_taken(), "a:6:raises b:7:high b:9:opens a:4:resolve "
              "b:5:resolve a:2:opens b:3:opens b:8:low opens a:1:update");

    verdicts(&t, DONE);
    check_int(run(&t), OK);

    /* the highest of an alert's; but in its order */

    level(accept_event(&t, "a", "many", ALERT, "1"), INFO);
    accept_event(&t, "a", "resolve", RESOLVE, "2");
    accept_event(&t, "a", "many", COMMENT, "3");
    accept_event(&t, "a", "many", ALERT, "4");
    accept_event(&t, "a", "critical", ALERT, "5");
    check_int(run(&t), OK);

    take_n(&t, "a", 10);
    check_str(all_taken(), "a:1 a:5 a:2");
    ev = keep(taken(&t, 0));
    verdicts(&t, DONE);
    verdict(&t, ev, DONE);
    accept_event(&t, "a", "other", RESOLVE, "6");
    take_n(&t, "a", 1);
    check_str(all_taken(), "a:3");

    verdicts(&t, DONE);
    take_n(&t, "a", 1);
    check_str(all_taken(), "a:4");

    /* what a replaced event was does not change what the others are */

    teardown(&t);
    setup(&t, "urgency");
    t.policy.coalesce = REPEATS;

    accept_event(&t, "a", "flaps", ALERT, "1");
    accept_event(&t, "a", "flaps", RESOLVE, "2");
    accept_event(&t, "a", "flaps", ALERT, "3");
    check_int(run(&t), OK);
    decide(&t, take_one(&t, "a"), DONE);
    accept_one(&t, "a", "resolve", RESOLVE, "4");
    accept_one(&t, "a", "flaps", ALERT, "5");
    take_n(&t, "a", 10);
    check_str(all_taken(), "a:2 a:4");

    teardown(&t);
}


/* nothing starves; but what has waited for long is not urgent by that */

static void
test_ageing(void)
{
    test_t  t;

    setup(&t, "ageing");
    budget(&t, "key", 50, MINUTE);

    accept_one(&t, "ops", "comment", COMMENT, "1");
    t.now += MINUTE;
    accept_one(&t, "ops", "resolve", RESOLVE, "2");

    t.now = NOW + 5 * MINUTE;
    accept_one(&t, "ops", "critical", ALERT, "3");
    take_n(&t, "ops", 10);
    check_str(all_taken(), "ops:3 ops:2 ops:1");
    verdicts(&t, UNSENT);

    t.now++;
    accept_event(&t, "ops", "new", ALERT, "4");
    take_n(&t, "ops", 10);
    check_str(all_taken(), "ops:3 ops:4 ops:1 ops:2");
    verdicts(&t, UNSENT);

    t.now = NOW + 6 * MINUTE + 1;
    accept_event(&t, "ops", "newer", ALERT, "5");
    accept_event(&t, "ops", "newest", RESOLVE, "6");
    take_n(&t, "ops", 10);
    check_str(all_taken(), "ops:3 ops:4 ops:5 ops:1 ops:2 ops:6");

    teardown(&t);
}


/* a request counts from when it is taken till a window after its verdict */

static void
test_budget(void)
{
    test_t     t;
    event_t   *ev[3];
    budget_t  *b;

    setup(&t, "budget");
    b = budget(&t, "key", 3, MINUTE);
    accept_many(&t, "ops", 12);

    check_int(take_n(&t, "ops", 10), 3);
    check_int(b->used, 3);
    ev[0] = keep(taken(&t, 0));
    ev[1] = keep(taken(&t, 0));
    ev[2] = keep(taken(&t, 0));

    t.now += 2 * MINUTE;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->used, 3);

    verdict(&t, ev[0], DONE);
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->next, t.now + MINUTE);

    t.now += 30 * SECOND;
    ev[1]->status = 400;
    verdict(&t, ev[1], DEAD);
    check_int(take_n(&t, "ops", 10), 0);

    t.now += 30 * SECOND - 1;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->next, t.now + 1);

    t.now++;
    check_int(take_n(&t, "ops", 10), 1);
    ev[0] = keep(taken(&t, 0));

    t.now += 30 * SECOND;
    check_int(take_n(&t, "ops", 10), 1);
    ev[1] = keep(taken(&t, 0));

    /* not sent: it is not one */

    verdict(&t, ev[0], UNSENT);
    check_int(take_n(&t, "ops", 10), 1);
    ev[0] = keep(taken(&t, 0));

    ev[0]->next = t.now;
    verdict(&t, ev[0], AGAIN);
    check_int(take_n(&t, "ops", 10), 1);
    ev[0] = keep(taken(&t, 0));

    /* or may have been */

    ev[0]->next = t.now;
    ev[0]->maybe = 1;
    verdict(&t, ev[0], AGAIN);
    ev[1]->next = t.now;
    ev[1]->refused = 1;
    verdict(&t, ev[1], AGAIN);
    verdict(&t, ev[2], DONE);
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->used, 3);

    t.now += MINUTE;
    check_int(take_n(&t, "ops", 10), 3);

    teardown(&t);
}


/* another rate or another window, after a reload */

static void
test_budget_changed(void)
{
    test_t     t;
    budget_t  *b;

    setup(&t, "budget_changed");
    b = budget(&t, "key", 3, MINUTE);
    accept_many(&t, "ops", 30);

    check_int(take_n(&t, "ops", 10), 3);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    b->rate = 5;
    check_int(take_n(&t, "ops", 10), 2);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    b->rate = 2;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->used, 5);

    t.now += SECOND;
    b->window = SECOND;
    check_int(take_n(&t, "ops", 10), 2);
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    t.now += 999;
    check_int(take_n(&t, "ops", 10), 0);
    t.now++;
    check_int(take_n(&t, "ops", 10), 2);
    verdicts(&t, DONE);

    b->rate = 0;
    check_int(take_n(&t, "ops", 10), 10);
    check_int(b->next, 0);

    teardown(&t);
}


/* two keys, and all of the endpoint; two sources with one key */

static void
test_budgets(void)
{
    test_t     t;
    budget_t  *key, *endpoint, *other;

    setup(&t, "budgets");
    key = budget(&t, "key", 3, MINUTE);
    endpoint = budget(&t, "endpoint", 4, MINUTE);
    other = budget(&t, "other", 3, MINUTE);

    accept_many(&t, "a", 5);
    accept_many(&t, "b", 5);

    take(&t, "a", 10, 0);
    take(&t, "b", 10, 0);
    t.takes[1].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 3);
    check_int(outcome.takes[1].taken, 1);
    check_int(key->used, 3);
    check_int(other->used, 1);
    check_int(endpoint->used, 4);
    check(taken(&t, 3)->budgets[0] == other);
    check(taken(&t, 3)->budgets[1] == endpoint);
    verdicts(&t, DONE);

    take(&t, "b", 10, 0);
    t.takes[0].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 0);

    t.now += MINUTE;
    take(&t, "a", 10, 0);
    take(&t, "b", 10, 0);
    t.takes[1].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 2);
    check_int(outcome.takes[1].taken, 2);
    verdicts(&t, DONE);

    /* the same one */

    accept_many(&t, "a", 3);
    t.now += MINUTE;
    take(&t, "b", 10, 0);
    take_n(&t, "a", 10);
    check_int(outcome.takes[0].taken, 2);
    check_int(outcome.takes[1].taken, 1);
    verdicts(&t, DONE);

    /* and none */

    take(&t, "a", 10, 0);
    t.takes[0].budgets[0] = NULL;
    t.takes[0].budgets[1] = NULL;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 2);
    check(taken(&t, 0)->budgets[0] == NULL);
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_int(key->used, 3);

    teardown(&t);
}


/* of those that are used no longer nothing stays */

static void
test_budget_gone(void)
{
    test_t  t;

    setup(&t, "budget_gone");
    budget(&t, "key", 100, MINUTE);

    accept_many(&t, "ops", 10);
    check_int(take_n(&t, "ops", 10), 10);
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_int(kept_slots(&t, "key"), 10);

    t.nbudgets = 0;
    t.job.nbudgets = 0;
    t.now += DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(kept_slots(&t, "key"), 0);

    teardown(&t);
}


/* the next process, or the next courier, knows of them */

static void
test_budget_restart(void)
{
    test_t     t;
    budget_t  *b;

    setup(&t, "budget_restart");
    b = budget(&t, "key", 4, MINUTE);
    accept_many(&t, "ops", 10);

    check_int(take_n(&t, "ops", 10), 4);
    verdict(&t, taken(&t, 0), DONE);
    verdict(&t, taken(&t, 0), DONE);
    check_int(run(&t), OK);

    t.now += 20 * SECOND;
    ngx_http_ilert_store_close(&t.store);
    t.job.begin = 1;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->used, 4);

    t.now += 40 * SECOND;
    check_int(take_n(&t, "ops", 10), 2);
    verdicts(&t, DONE);

    t.now += 20 * SECOND - 1;
    check_int(take_n(&t, "ops", 10), 0);
    t.now++;
    check_int(take_n(&t, "ops", 10), 2);

    /* it begins twice, and the clock is set back in between */

    t.now += 2 * MINUTE;
    t.job.begin = 1;
    check_int(take_n(&t, "ops", 10), 2);
    t.now -= HOUR;
    t.job.begin = 1;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(b->used, 4);
    t.now += MINUTE - 1;
    check_int(take_n(&t, "ops", 10), 0);
    t.now++;
    check_int(take_n(&t, "ops", 10), 4);

    teardown(&t);
}


/* 429: all that share the key, and no other */

static void
test_pause(void)
{
    test_t     t;
    event_t   *ev;
    budget_t  *key, *other;

    setup(&t, "pause_budget");
    key = budget(&t, "key", 50, MINUTE);
    budget(&t, "endpoint", 700, MINUTE);
    other = budget(&t, "other", 0, MINUTE);
    accept_many(&t, "a", 4);
    accept_many(&t, "b", 4);

    ev = take_one(&t, "a");
    ev->next = t.now;
    ev->refused = 1;
    ev->pause = 10 * SECOND;
    verdict(&t, ev, AGAIN);

    take(&t, "a", 10, 0);
    take(&t, "b", 1, 0);
    t.takes[1].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 0);
    check_int(outcome.takes[1].taken, 1);
    check_int(key->next, t.now + 10 * SECOND);
    check_int(other->next, 0);
    verdicts(&t, DONE);

    ngx_http_ilert_store_close(&t.store);
    t.job.begin = 1;
    t.now += 10 * SECOND - 1;
    check_int(take_n(&t, "a", 10), 0);
    check_int(take_n(&t, "b", 10), 0);
    check_int(key->next, t.now + 1);

    /* its clock is set back: not longer than it was meant */

    t.now -= HOUR;
    check_int(take_n(&t, "a", 10), 0);
    check_int(key->next, t.now + 10 * SECOND);
    t.now += 10 * SECOND;
    check_int(take_n(&t, "a", 10), 4);
    verdicts(&t, DONE);

    /* without a rate there are pauses, too */

    take(&t, "b", 1, 0);
    t.takes[0].budgets[0] = other;
    check_int(run(&t), OK);
    ev = taken(&t, 0);
    ev->next = t.now;
    ev->refused = 1;
    ev->pause = 10 * SECOND;
    verdict(&t, ev, AGAIN);

    take(&t, "b", 1, 0);
    t.takes[0].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 0);
    check_int(other->next, t.now + 10 * SECOND);

    t.now += 10 * SECOND;
    take(&t, "b", 1, 0);
    t.takes[0].budgets[0] = other;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 1);
    check_int(other->next, 0);

    /* it counts as no attempt that the event made */

    check_int(taken(&t, 0)->attempts, 0);

    teardown(&t);
}


/* so many of another alert each, none of which is urgent */

static void
accept_lesser(test_t *t, const char *source, ngx_uint_t n)
{
    char        key[32];
    static int  number;

    while (n--) {
        sprintf(key, "lesser %d", number++);
        accept_event(t, source, key, RESOLVE, "r");
    }

    check_int(run(t), OK);
}


/* goes on until something is due: how many were taken then */

static ngx_uint_t
next_due(test_t *t)
{
    ngx_uint_t  n;

    verdicts(t, DONE);
    check_int(run(t), OK);

    check_int(take_n(t, "ops", 10), 0);
    check(outcome.due > t->now);

    t->now = outcome.due - 1;
    check_int(take_n(t, "ops", 10), 0);
    check_int(outcome.due, t->now + 1);

    t->now++;
    n = take_n(t, "ops", 10);
    verdicts(t, DONE);
    check_int(run(t), OK);

    return n;
}


/* what is not urgent leaves room for what is */

static void
test_reserve(void)
{
    int        i;
    test_t     t;
    budget_t  *b;

    setup(&t, "reserve");
    b = budget(&t, "key", 10, MINUTE);
    b->reserve = 2;

    accept_lesser(&t, "ops", 30);

    /* half of it at once, and then three more, evenly */

    check_int(take_n(&t, "ops", 20), 5);
    check_int(outcome.takes[0].more, 0);

    for (i = 0; i < 3; i++) {
        check_int(next_due(&t), 1);
        check_int(t.now, NOW + 15 * SECOND * (i + 1));
        check_int(b->next, 0);
    }

    check_int(b->used, 8);

    /* the rest is for those that are urgent, and they do not wait */

    accept_many(&t, "ops", 1);
    check_int(take_n(&t, "ops", 20), 1);
    check_str(all_taken(), "ops:x");
    verdicts(&t, DONE);
    accept_many(&t, "ops", 2);
    check_int(take_n(&t, "ops", 20), 1);
    check_str(all_taken(), "ops:x");
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_int(take_n(&t, "ops", 20), 0);
    check_int(b->used, 10);
    check_int(b->next, NOW + MINUTE);

    /* five are free: the urgent one, one since the last gap is over */

    t.now = NOW + MINUTE;
    check_int(take_n(&t, "ops", 20), 2);
    check_str(all_taken(), "ops:x ops:r");
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_int(next_due(&t), 1);

    teardown(&t);
}


/* however long it has waited */

static void
test_reserve_aged(void)
{
    test_t       t;
    budget_t    *b;
    ngx_uint_t   n, sent;

    setup(&t, "reserve_aged");
    b = budget(&t, "key", 10, MINUTE);
    b->reserve = 2;

    accept_lesser(&t, "ops", 100);

    for (sent = take_n(&t, "ops", 20); t.now < NOW + 8 * MINUTE; sent += n) {
        n = next_due(&t);
        check(b->used <= 8);
    }

    check(sent >= 8 * 8);

    accept_many(&t, "ops", 1);
    check(take_n(&t, "ops", 20) >= 1);
    check(strncmp(all_taken(), "ops:x", 5) == 0);
    verdicts(&t, DONE);

    teardown(&t);
}


/* the endpoint's is one of them; and that of another source has no more */

static void
test_reserve_endpoint(void)
{
    test_t     t;
    budget_t  *key, *endpoint;

    setup(&t, "reserve_endpoint");
    key = budget(&t, "key", 50, MINUTE);
    endpoint = budget(&t, "endpoint", 10, MINUTE);
    endpoint->reserve = 1;

    accept_lesser(&t, "a", 20);
    accept_lesser(&t, "b", 20);

    take(&t, "a", 3, 0);
    check_int(take_n(&t, "b", 20), 2);
    check_int(outcome.takes[0].taken, 3);
    check_int(endpoint->used, 5);
    check_int(key->used, 5);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    take(&t, "a", 3, 0);
    check_int(take_n(&t, "b", 20), 0);
    check_int(outcome.due, NOW + 12 * SECOND);

    /* the clock is set back: not longer than a gap */

    t.now = NOW - HOUR;
    check_int(take_n(&t, "b", 20), 0);
    check_int(outcome.due, t.now + 12 * SECOND);
    t.now += 12 * SECOND;
    check_int(take_n(&t, "b", 20), 1);
    verdicts(&t, DONE);

    teardown(&t);
}


/* an event of a digest goes before all, and may use all */

static void
test_reserve_digest(void)
{
    test_t     t;
    budget_t  *b;

    setup(&t, "reserve_digest");
    t.policy.digest.n = 10;
    b = budget(&t, "key", 4, MINUTE);
    b->reserve = 1;

    accept_lesser(&t, "ops", 5);
    accept_many(&t, "ops", 5);
    accept_event(&t, "ops", "ilert-digest:ops", ALERT, "D");
    check_int(take_n(&t, "ops", 2), 2);
    check_str(all_taken(), "ops:D ops:x");
    verdicts(&t, DONE);

    /* an update of it, too */

    level(accept_event(&t, "ops", "ilert-digest:ops", ALERT, "E"), WARNING);
    check_int(take_n(&t, "ops", 1), 1);
    check_str(all_taken(), "ops:E");
    verdicts(&t, DONE);
    check_int(take_n(&t, "ops", 2), 1);
    check_str(all_taken(), "ops:x");
    verdicts(&t, DONE);

    t.now += MINUTE;
    accept_event(&t, "ops", "ilert-digest:ops", RESOLVE, "F");
    check_int(take_n(&t, "ops", 1), 1);
    check_str(all_taken(), "ops:F");
    verdicts(&t, DONE);

    teardown(&t);
}


/* half of the budget is for news */

static void
test_repeats(void)
{
    test_t  t;

    setup(&t, "repeats_budget");
    t.policy.coalesce = REPEATS;
    budget(&t, "key", 4, MINUTE);

    accept_n(&t, "ops", 4, ALERT, "first");

    check_int(run(&t), OK);
    check_int(take_n(&t, "ops", 10), 4);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    t.now += MINUTE;

    accept_n(&t, "ops", 4, ALERT, "again");

    check_int(run(&t), OK);
    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, NOW + 5 * MINUTE);

    t.now = NOW + 5 * MINUTE;
    check_int(take_n(&t, "ops", 10), 2);
    check_str(all_taken(), "ops:again ops:again");
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    accept_event(&t, "ops", "new", COMMENT, "new");
    accept_event(&t, "ops", "newer", RESOLVE, "newer");
    accept_event(&t, "ops", "newest", ALERT, "newest");
    check_int(take_n(&t, "ops", 10), 2);
    check_str(all_taken(), "ops:newest ops:newer");
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    /* and are not urgent, however long they have waited */

    t.now += 59 * MINUTE;
    accept_event(&t, "ops", "late", COMMENT, "late");
    check_int(run(&t), OK);
    check_int(take_n(&t, "ops", 10), 2);
    check_str(all_taken(), "ops:new ops:again");
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    /* beyond half of it they are spread */

    t.now += 20 * SECOND - 1;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, t.now + 1);
    t.now++;
    check_int(take_n(&t, "ops", 10), 1);
    check_str(all_taken(), "ops:late");
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    t.now += 40 * SECOND;
    check_int(take_n(&t, "ops", 10), 1);
    check_str(all_taken(), "ops:again");

    teardown(&t);
}


/* what the news of another source leave of it, while they are under way */

static void
test_repeats_under_way(void)
{
    test_t    t;
    event_t  *ev[2];

    setup(&t, "repeats_under_way");
    t.policy.coalesce = REPEATS;
    budget(&t, "key", 4, MINUTE);

    accept_one(&t, "a", "told", ALERT, "first");
    drain(&t, "a");

    t.now += 5 * MINUTE;
    accept_event(&t, "a", "told", ALERT, "again");
    accept_event(&t, "b", "one", ALERT, "news");
    accept_event(&t, "b", "two", ALERT, "news");
    check_int(run(&t), OK);

    check_int(take_n(&t, "b", 10), 2);
    ev[0] = keep(taken(&t, 0));
    ev[1] = keep(taken(&t, 0));

    check_int(take_n(&t, "a", 10), 0);
    check_int(outcome.due, t.now + MINUTE);

    verdict(&t, ev[0], DONE);
    verdict(&t, ev[1], DONE);
    check_int(run(&t), OK);

    t.now += MINUTE;
    check_int(take_n(&t, "a", 10), 1);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    teardown(&t);
}


static void
test_resolve_after(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "resolve_after");
    t.policy.coalesce = REPEATS;
    t.policy.resolve_after = 2 * HOUR;

    accept_event(&t, "ops", "K", ALERT, "1");
    accept_event(&t, "ops", "gone", RESOLVE, "2");
    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now = NOW + HOUR;
    accept_one(&t, "ops", "K", ALERT, "3");
    drain(&t, "ops");

    /* from the last event, or when it was delivered */

    t.now = NOW + 3 * HOUR - 1;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check(taken(&t, 0) == NULL);
    check_int(outcome.due, NOW + 3 * HOUR);

    t.now++;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    ev = only(&t);
    check_int(ev->id, 100);
    check_int(ev->said.type, RESOLVE);
    check_int(ev->said.level, 0);
    check_int(ev->said.received, t.now);
    check_int(ev->body.len, 0);
    check(ev->key.len == 1 && ev->key.data[0] == 'K');
    decide(&t, ev, DONE);

    t.now += 10 * HOUR;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check(taken(&t, 0) == NULL);

    /* a later one opens it again */

    accept_one(&t, "ops", "k", ALERT, "4");
    check_str(drain(&t, "ops"), "k:4");

    /* off */

    t.policy.resolve_after = 0;
    t.now += 10 * HOUR;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, 0);

    teardown(&t);
}


static void
test_resolve_after_held(void)
{
    test_t  t;
    int     i;

    setup(&t, "resolve_held");
    t.policy.coalesce = REPEATS;
    t.policy.repeat = 10 * HOUR;
    t.policy.resolve_after = 2 * HOUR;

    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");
    t.now = NOW + HOUR;
    accept_one(&t, "ops", "k", ALERT, "2");
    take_stale(&t, 10, 1);
    check_int(outcome.due, NOW + 3 * HOUR);

    t.now = NOW + 3 * HOUR - 1;
    take_stale(&t, 10, 1);
    check(taken(&t, 0) == NULL);

    t.now++;

    for (i = 0; i < 3 && taken(&t, 0) == NULL; i++) {
        take_stale(&t, 10, 1);
    }

    check_int(only(&t)->said.type, RESOLVE);
    check_int(only(&t)->body.len, 0);

    /* under way: what comes is after it */

    accept_event(&t, "ops", "k", ALERT, "3");
    verdict(&t, taken(&t, 0), DONE);
    check_str(drain(&t, "ops"), "k:3");

    teardown(&t);
}


/* it waits, and an event comes after all */

static void
test_resolve_after_late(void)
{
    test_t      t;
    ngx_uint_t  mode;

    for (mode = OFF; mode <= LATEST; mode++) {
        setup(&t, "resolve_late");
        t.policy.coalesce = mode;
        t.policy.resolve_after = 2 * HOUR;

        accept_event(&t, "ops", "same", ALERT, "1");
        accept_event(&t, "ops", "another", ALERT, "2");
        accept_event(&t, "ops", "end", ALERT, "3");
        accept_event(&t, "ops", "comment", ALERT, "4");
        check_int(run(&t), OK);
        drain(&t, "ops");

        t.now = NOW + 2 * HOUR;
        take_stale(&t, 0, 4);
        check_int(outcome.resolved, 4);

        accept_event(&t, "ops", "same", ALERT, "5");
        level(accept_event(&t, "ops", "another", ALERT, "6"), WARNING);
        accept_event(&t, "ops", "end", RESOLVE, "7");
        accept_event(&t, "ops", "comment", COMMENT, "8");
        check_int(run(&t), OK);

        /* a repeat that is due: ilert was told hours ago */

        take_n(&t, "ops", 10);
        check_int(outcome.takes[0].taken, 4);
        check_str(all_taken(), "ops:7 ops: ops:5 ops:6");
        verdicts(&t, DONE);
        check_str(drain(&t, "ops"), "comment:8");

        teardown(&t);
    }
}


/* so many at a time as there are ids for */

static void
test_resolve_after_many(void)
{
    test_t  t;

    setup(&t, "resolve_many");
    t.policy.resolve_after = 2 * HOUR;

    accept_many(&t, "ops", 5);
    drain(&t, "ops");
    t.now += 2 * HOUR;

    take_stale(&t, 10, 0);
    check_int(outcome.resolved, 0);
    check(taken(&t, 0) == NULL);

    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 2);
    check_int(outcome.takes[0].taken, 2);
    check_int(outcome.due, t.now);
    verdicts(&t, DONE);

    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 3);
    check_int(outcome.takes[0].taken, 3);
    verdicts(&t, DONE);
    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, 0);

    /* what is not known may be shown, too */

    accept_many(&t, "ops", 1);
    drain(&t, "ops");
    t.job.unknown = 1;
    t.now += 2 * HOUR;
    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 1);
    verdicts(&t, DONE);
    t.now += 2 * HOUR;
    take_stale(&t, 10, 8);
    check_int(outcome.resolved, 0);

    teardown(&t);
}


/* while nobody listens nothing is heard, which says nothing */

static void
test_resolve_after_absence(void)
{
    int     i;
    test_t  t;

    setup(&t, "resolve_absence");
    t.policy.resolve_after = 2 * HOUR;

    t.job.begin = 1;
    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");

    t.now = NOW + 10 * HOUR;
    t.job.begin = 1;
    take_stale(&t, 10, 1);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, NOW + 12 * HOUR);

    for (i = 0; i < 120; i++) {
        take_stale(&t, 10, 1);
        check_int(outcome.resolved, 0);
        t.now += MINUTE;
        t.job.clean = 1;
    }

    take_stale(&t, 10, 1);
    check_int(outcome.resolved, 1);

    teardown(&t);
}


/* a new courier's first job may be a little older than the last one's last */

static void
test_resolve_after_overtaken(void)
{
    test_t  t;

    setup(&t, "resolve_overtaken");
    t.policy.resolve_after = 2 * HOUR;

    t.job.begin = 1;
    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");

    t.now = NOW + MINUTE;
    t.job.clean = 1;
    take_stale(&t, 10, 1);

    t.now -= SECOND;
    t.job.begin = 1;
    take_stale(&t, 10, 1);
    check_int(outcome.resolved, 0);
    check_int(outcome.due, NOW + 2 * HOUR);

    teardown(&t);
}


test_case_t  budget_cases[] = {
    { "urgency", test_urgency },
    { "nothing starves", test_ageing },
    { "budget", test_budget },
    { "another rate", test_budget_changed },
    { "budgets of keys, and of an endpoint", test_budgets },
    { "budget that is gone", test_budget_gone },
    { "budget, after a restart", test_budget_restart },
    { "a key's pause", test_pause },
    { "reserve", test_reserve },
    { "reserve, what has waited for long", test_reserve_aged },
    { "reserve of an endpoint", test_reserve_endpoint },
    { "reserve, and a digest", test_reserve_digest },
    { "half is for news", test_repeats },
    { "half is for news, which are under way", test_repeats_under_way },
    { "resolve_after", test_resolve_after },
    { "resolve_after, a held repeat", test_resolve_after_held },
    { "resolve_after, a late event", test_resolve_after_late },
    { "resolve_after, many", test_resolve_after_many },
    { "resolve_after, after an absence", test_resolve_after_absence },
    { "resolve_after, a courier that is behind",
      test_resolve_after_overtaken },
    { NULL, NULL }
};
