
/*
 * The list of what waits, and for what.
 */


#include "store_test.h"


#define MINUTE  (60 * SECOND)
#define LISTED  NGX_HTTP_ILERT_STORE_LISTED

typedef ngx_http_ilert_store_waiter_t  waiter_t;


static const char  *words[] = { "turn", "verdict", "retry", "release",
                                "resume", "delay", "silence", "digest",
                                "replay" };

static const char  *levels[] = { "OK", "INFO", "WARNING", "CRITICAL" };

static const char  *types[] = { "-", "ALERT", "RESOLVE", "ACCEPT",
                                "COMMENT" };


/* "SOURCE/KEY TYPE LEVEL SINCE for WORD NEXT; ..." with times after NOW */

static const char *
list(query_t *q)
{
    char        *p;
    waiter_t    *w;
    ngx_uint_t   i;

    static char  buf[16384];

    p = buf;
    *p = '\0';
    w = q->waiters.elts;

    for (i = 0; i < q->waiters.nelts; i++, w++) {

        p += sprintf(p, "%s%.*s/%.*s %s %s %lld for %s", i ? "; " : "",
                     (int) w->source.len, w->source.data, (int) w->key.len,
                     w->key.data, types[w->type], levels[w->level],
                     (long long) (w->since - NOW), words[w->waits]);

        if (w->next) {
            p += sprintf(p, " %lld", (long long) (w->next - NOW));
        }

        if (w->named) {
            p += sprintf(p, " named");
        }

        if (w->error.len) {
            p += sprintf(p, ", %.*s", (int) w->error.len, w->error.data);
        }
    }

    return buf;
}


static const char *
waits(test_t *t, const char *source, ngx_uint_t urgent)
{
    query_t  *q;

    q = query(t, source, NULL);
    q->urgent = urgent;

    check_int(run(t), OK);
    check(q->ok);
    check(!urgent || (q->dead.nelts == 0 && q->open.nelts == 0));

    return list(q);
}


static void
comes(test_t *t, int64_t at, const char *source, const char *key,
    ngx_uint_t type, ngx_uint_t said)
{
    t->now = NOW + at;
    level(accept_event(t, source, key, type, "x"), said);
    check_int(run(t), OK);
}


static void
give(test_t *t, ngx_uint_t how, int64_t next)
{
    event_t  *ev;

    ev = only(t);
    ev->next = next;
    ev->status = 400;
    ngx_str_set(&ev->error, "ilert said no");
    verdict(t, ev, how);
}


static void
test_order(void)
{
    test_t  t;

    setup(&t, "waiters_order");

    check_str(waits(&t, "", 0), "");
    check_str(waits(&t, "", 1), "");
    check_str(waits(&t, "gone", 1), "");

    comes(&t, 1, "ops", "warning", ALERT, WARNING);
    comes(&t, 2, "ops", "over", RESOLVE, 0);
    comes(&t, 3, "dev", "Second", ALERT, CRITICAL);
    comes(&t, 4, "ops", "third", ALERT, CRITICAL);
    comes(&t, 5, "ops", "said", COMMENT, INFO);
    comes(&t, 6, "ops", "SECOND", ALERT, CRITICAL);

    check_str(waits(&t, "", 0),
              "dev/Second ALERT CRITICAL 3 for turn; "
              "ops/third ALERT CRITICAL 4 for turn; "
              "ops/SECOND ALERT CRITICAL 6 for turn; "
              "ops/over RESOLVE OK 2 for turn; "
              "ops/warning ALERT WARNING 1 for turn; "
              "ops/said COMMENT INFO 5 for turn");
    check_str(waits(&t, "", 1),
              "dev/Second ALERT CRITICAL 3 for turn; "
              "ops/third ALERT CRITICAL 4 for turn; "
              "ops/SECOND ALERT CRITICAL 6 for turn");
    check_str(waits(&t, "dev", 0), "dev/Second ALERT CRITICAL 3 for turn");

    /* an urgent event behind another one: its alert is urgent */

    comes(&t, 7, "ops", "over", ALERT, CRITICAL);
    check_str(waits(&t, "ops", 0),
              "ops/over RESOLVE OK 2 for turn; "
              "ops/third ALERT CRITICAL 4 for turn; "
              "ops/SECOND ALERT CRITICAL 6 for turn; "
              "ops/warning ALERT WARNING 1 for turn; "
              "ops/said COMMENT INFO 5 for turn");

    /* but only that one counts, since it came */

    check_str(waits(&t, "ops", 1),
              "ops/third ALERT CRITICAL 4 for turn; "
              "ops/SECOND ALERT CRITICAL 6 for turn; "
              "ops/over ALERT CRITICAL 7 for turn");

    teardown(&t);
}


static void
test_for(void)
{
    test_t   t;
    order_t  o;

    setup(&t, "waiters_for");

    comes(&t, 1, "ops", "k", ALERT, CRITICAL);
    t.now = NOW + 2;
    take_n(&t, "ops", 1);
    check_str(waits(&t, "", 0), "ops/k ALERT CRITICAL 1 for verdict");
    check_str(waits(&t, "", 1), "ops/k ALERT CRITICAL 1 for verdict");

    take_n(&t, "ops", 1);
    teardown(&t);

    setup(&t, "waiters_for");
    comes(&t, 1, "ops", "k", ALERT, CRITICAL);
    t.now = NOW + 2;
    take_n(&t, "ops", 1);
    give(&t, AGAIN, NOW + 5000);
    check_str(waits(&t, "", 0), "ops/k ALERT CRITICAL 1 for retry 5000");
    check_str(waits(&t, "", 1), "ops/k ALERT CRITICAL 1 for retry 5000");

    t.now = NOW + 5000;
    take_n(&t, "ops", 1);
    give(&t, AGAIN, NGX_HTTP_ILERT_STORE_RELEASED);
    check_str(waits(&t, "", 0), "ops/k ALERT CRITICAL 1 for release");
    check_str(waits(&t, "", 1), "ops/k ALERT CRITICAL 1 for release");

    /* what a person has paused comes after what is not, if that is asked */

    comes(&t, 6000, "dev", "l", ALERT, CRITICAL);
    order(&t, &o, PAUSE, "ops", 0);
    check_str(waits(&t, "", 0),
              "ops/k ALERT CRITICAL 1 for resume; "
              "dev/l ALERT CRITICAL 6000 for turn");
    check_str(waits(&t, "", 1),
              "dev/l ALERT CRITICAL 6000 for turn; "
              "ops/k ALERT CRITICAL 1 for resume");

    order(&t, &o, RESUME, "ops", 0);
    check_str(waits(&t, "ops", 0), "ops/k ALERT CRITICAL 1 for release");

    teardown(&t);
}


/* "PRIORITY LEVEL of an ALERT", and whether that is urgent */

static void
test_urgent(void)
{
    test_t      t;
    event_t    *ev;
    ngx_uint_t  i;

    static struct {
        ngx_uint_t  priority;
        ngx_uint_t  level;
        ngx_uint_t  urgent;
    } cases[] = {
        { 0, INFO, 0 },
        { 0, WARNING, 0 },
        { 0, CRITICAL, 1 },
        { NGX_HTTP_ILERT_LOW, CRITICAL, 0 },
        { NGX_HTTP_ILERT_LOW, WARNING, 0 },
        { NGX_HTTP_ILERT_HIGH, INFO, 1 },
        { NGX_HTTP_ILERT_HIGH, CRITICAL, 1 }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {

        setup(&t, "waiters_urgent");

        ev = accept_event(&t, "ops", "k", ALERT, "x");
        ev->said.level = cases[i].level;
        ev->said.priority = cases[i].priority;
        check_int(run(&t), OK);

        check_int(waits(&t, "", 1)[0] != '\0', cases[i].urgent);
        check(waits(&t, "", 0)[0] != '\0');

        /* and the same as a dead letter */

        take_n(&t, "ops", 1);
        give(&t, DEAD, 0);
        check_int(waits(&t, "", 1)[0] != '\0', cases[i].urgent);
        check_str(waits(&t, "", 0), "");

        teardown(&t);
    }

    /* an update of what ilert shows is not: people know of it */

    setup(&t, "waiters_urgent");
    accept_one(&t, "ops", "k", ALERT, "x");
    decide(&t, take_one(&t, "ops"), DONE);
    accept_one(&t, "ops", "k", ALERT, "x");
    check_str(waits(&t, "", 1), "");
    check_str(waits(&t, "", 0), "ops/k ALERT CRITICAL 0 for turn");
    teardown(&t);
}


static void
test_letters(void)
{
    test_t    t;
    order_t   o;
    event_t  *ev;

    setup(&t, "waiters_letters");

    comes(&t, 1, "ops", "k", ALERT, CRITICAL);
    comes(&t, 2, "ops", "l", ALERT, CRITICAL);
    t.now = NOW + 3;

    while (take_n(&t, "ops", 1)) {
        give(&t, DEAD, 0);
    }

    check_str(waits(&t, "", 1),
              "ops/k ALERT CRITICAL 1 for replay, ilert said no; "
              "ops/l ALERT CRITICAL 2 for replay, ilert said no");
    check_str(waits(&t, "dev", 1), "");

    /* with what waits, the oldest first */

    comes(&t, 1, "dev", "m", ALERT, CRITICAL);
    comes(&t, 4, "dev", "n", ALERT, CRITICAL);
    check_str(waits(&t, "", 1),
              "ops/k ALERT CRITICAL 1 for replay, ilert said no; "
              "dev/m ALERT CRITICAL 1 for turn; "
              "ops/l ALERT CRITICAL 2 for replay, ilert said no; "
              "dev/n ALERT CRITICAL 4 for turn");
    drain(&t, "dev");

    /* something has come since, and waits, or was taken */

    comes(&t, 5, "ops", "k", RESOLVE, 0);
    check_str(waits(&t, "", 1),
              "ops/l ALERT CRITICAL 2 for replay, ilert said no");
    drain(&t, "ops");
    check_str(waits(&t, "", 1),
              "ops/l ALERT CRITICAL 2 for replay, ilert said no");

    /* a second letter of an alert counts once */

    comes(&t, 6, "ops", "l", ALERT, CRITICAL);
    take_n(&t, "ops", 1);
    give(&t, DEAD, 0);
    check_str(waits(&t, "", 1),
              "ops/l ALERT CRITICAL 6 for replay, ilert said no");

    /* replayed, it waits; discarded, it does not */

    order(&t, &o, REPLAY, "ops", 0);
    check_int(run(&t), OK);
    check_str(waits(&t, "", 1), "ops/l ALERT CRITICAL 6 for turn");

    take_n(&t, "ops", 1);
    ev = only(&t);
    check_int(ev->said.level, CRITICAL);
    give(&t, DEAD, 0);
    order(&t, &o, DISCARD, "ops", 0);
    check_int(run(&t), OK);
    check_str(waits(&t, "", 1), "");

    teardown(&t);
}


/* there are more than a list can have: the most urgent and oldest are in it */

static void
test_many(void)
{
    test_t       t;
    query_t     *q;
    waiter_t    *w;
    char         key[32];
    ngx_uint_t   i, n;

    setup(&t, "waiters_many");

    for (i = 0; i < 2 * LISTED; i++) {
        sprintf(key, "w%d", (int) i);
        t.now = NOW + i;
        level(accept_event(&t, i % 2 ? "ops" : "dev", key, ALERT, "x"),
              WARNING);
    }

    for (i = 0; i < LISTED / 2; i++) {
        sprintf(key, "c%d", (int) i);
        t.now = NOW + 1000 + i;
        accept_event(&t, i % 2 ? "ops" : "dev", key, ALERT, "x");
    }

    check_int(run(&t), OK);

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check_int(q->waiters.nelts, LISTED);

    w = q->waiters.elts;

    for (i = 0; i < LISTED; i++) {
        n = (i < LISTED / 2) ? i : i - LISTED / 2;
        sprintf(key, "%c%d", (i < LISTED / 2) ? 'c' : 'w', (int) n);
        check_int(w[i].key.len, strlen(key));
        check(memcmp(w[i].key.data, key, strlen(key)) == 0);
    }

    q = query(&t, "", NULL);
    q->urgent = 1;
    check_int(run(&t), OK);
    check_int(q->waiters.nelts, LISTED / 2);

    teardown(&t);
}


/* a RESOLVE that "resolve_delay" holds: after all others, never urgent */

static void
test_held(void)
{
    test_t   t;
    order_t  o;

    setup(&t, "waiters_held");

    accept_one(&t, "ops", "k", ALERT, "x");
    decide(&t, take_one(&t, "ops"), DONE);

    t.policy.resolve_delay = MINUTE;
    comes(&t, 5, "ops", "k", RESOLVE, 0);
    comes(&t, 6, "ops", "said", COMMENT, INFO);
    take_n(&t, "ops", 0);

    check_str(waits(&t, "", 0),
              "ops/said COMMENT INFO 6 for turn; "
              "ops/k RESOLVE OK 5 for delay 60005");
    check_str(waits(&t, "", 1), "");

    /* the pause of its source is not what it waits for */

    order(&t, &o, PAUSE, "ops", 0);
    check_str(waits(&t, "", 0),
              "ops/said COMMENT INFO 6 for resume; "
              "ops/k RESOLVE OK 5 for delay 60005");

    teardown(&t);
}


/* takes one event, and has it delivered unless "keep" is set */

static void
take_next(test_t *t, const char *source, ngx_uint_t keep)
{
    event_t  *ev;

    t->ids[0]++;
    t->job.nids = 1;

    check_int(take_n(t, source, 1), 1);

    if (!keep) {
        ev = only(t);
        verdict(t, ev, DONE);
        check_int(run(t), OK);
    }
}


static void
has_digest(test_t *t)
{
    t->ids[0] = 1000;
    t->policy.coalesce = LATEST;
    t->policy.digest.n = 3;
    t->policy.digest.interval = 15 * SECOND;
    t->policy.digest.members = NGX_HTTP_ILERT_MEMBERS_LATER;
    t->policy.digest.max_size = 65536;
}


/*
 * What a digest has named is not urgent: the digest's own alert is, until
 * ilert has taken it.
 */

static void
test_named(void)
{
    test_t       t;
    char         key[32];
    event_t     *ev;
    ngx_uint_t   i;

    setup(&t, "waiters_named");

    has_digest(&t);

    for (i = 0; i < 5; i++) {
        sprintf(key, "%d", (int) i);
        level(accept_event(&t, "ops", key, ALERT, "{}"),
              i == 4 ? CRITICAL : WARNING)->said.priority
            = i == 4 ? 0 : NGX_HTTP_ILERT_HIGH;
    }

    check_int(run(&t), OK);

    for (i = 0; i < 3; i++) {
        take_next(&t, "ops", 0);
    }

    take_next(&t, "ops", 1);
    ev = keep(only(&t));
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_DIGEST);
    check_str(waits(&t, "", 0),
              "ops/ilert-digest:ops ALERT CRITICAL 0 for verdict; "
              "ops/3 ALERT WARNING 0 for turn; "
              "ops/4 ALERT CRITICAL 0 for turn");
    check_str(waits(&t, "", 1),
              "ops/ilert-digest:ops ALERT CRITICAL 0 for verdict");

    verdict(&t, ev, DONE);
    check_int(run(&t), OK);
    check_str(waits(&t, "", 0),
              "ops/3 ALERT WARNING 0 for turn named; "
              "ops/4 ALERT CRITICAL 0 for turn named");
    check_str(waits(&t, "", 1), "");

    /* a level that it has not named, and an alert that is new to it */

    comes(&t, 5, "ops", "3", ALERT, CRITICAL);
    comes(&t, 6, "ops", "5", ALERT, CRITICAL);
    check_str(waits(&t, "", 1),
              "ops/3 ALERT CRITICAL 0 for turn; "
              "ops/5 ALERT CRITICAL 6 for turn");

    teardown(&t);
}


/* an alert is that of its first event, and urgent by another source's */

static void
test_shared(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "waiters_shared");

    level(accept_event(&t, "warn", "a", ALERT, "{}"), WARNING);
    ev = accept_event(&t, "crit", "a", ALERT, "{}");
    ngx_str_set(&ev->owner, "warn");

    check_int(run(&t), OK);

    check_str(waits(&t, "", 0), "warn/a ALERT WARNING 0 for turn");
    check_str(waits(&t, "warn", 0), "warn/a ALERT WARNING 0 for turn");
    check_str(waits(&t, "", 1), "warn/a ALERT CRITICAL 0 for turn");

    teardown(&t);
}


/* the alert key of a digest has not all of a long name of its source */

static void
test_named_long(void)
{
    char         name[301], key[32];
    test_t       t;
    ngx_uint_t   i;

    setup(&t, "waiters_named_long");

    has_digest(&t);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';

    for (i = 0; i < 5; i++) {
        sprintf(key, "%d", (int) i);
        level(accept_event(&t, name, key, ALERT, "{}"), CRITICAL);
    }

    check_int(run(&t), OK);

    for (i = 0; i < 4; i++) {
        take_next(&t, name, 0);
    }

    check(strstr(waits(&t, "", 0), " for turn named") != NULL);

    teardown(&t);
}


test_case_t  waiter_cases[] = {
    { "waiters: order", test_order },
    { "waiters: for what", test_for },
    { "waiters: urgent ones", test_urgent },
    { "waiters: dead letters", test_letters },
    { "waiters: what is held", test_held },
    { "waiters: of sources that share a key", test_shared },
    { "waiters: what a digest names", test_named },
    { "waiters: what a digest with a long name names", test_named_long },
    { "waiters: many", test_many },
    { NULL, NULL }
};
