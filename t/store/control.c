
/* what operators may do with dead letters, sources, and what waits */


#include "kept.h"


#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)

#define NEVER   ((int64_t) 9000000000000000)

static const char  later[] = "0 refused 1: its alert has seen a later event";

static ngx_uint_t  jobs;            /* that the last order took */


/* the outcome: "COUNT", what else there is of it, and why */

static const char *
said(order_t *o, ngx_uint_t count, ngx_uint_t refused)
{
    char  *p;

    static char  text[256];

    p = text;
    p += sprintf(p, "%d", (int) count);

    if (refused) {
        p += sprintf(p, " refused %d", (int) refused);
    }

    if (o->missing) {
        p += sprintf(p, " missing");
    }

    if (o->why) {
        sprintf(p, ": %s", o->why);
    }

    return text;
}


/* in as many jobs as it takes */

static const char *
obey(test_t *t, ngx_uint_t action, const char *source, uint64_t id)
{
    order_t     o;
    ngx_uint_t  count, refused;

    count = 0;
    refused = 0;
    jobs = 0;

    order(t, &o, action, source, id);

    for ( ;; ) {
        check_int(run(t), OK);
        check_counts(t);

        jobs++;
        count += o.count;
        refused += o.refused;

        if (!o.more || jobs > 1000) {
            break;
        }

        o.after[0] = o.next[0];
        o.after[1] = o.next[1];
        ngx_queue_insert_tail(&t->job.orders, &o.queue);
    }

    return said(&o, count, refused);
}


static event_t *
come(test_t *t, const char *source, const char *key, ngx_uint_t type,
    uint64_t id)
{
    char      body[32];
    event_t  *ev;

    sprintf(body, "%d", (int) id);

    ev = accept_event(t, source, key, type, body);
    ev->id = id;

    return ev;
}


/* all that is taken becomes dead letters, and ilert has not refused it */

static void
bury(test_t *t)
{
    event_t  *ev;

    while ((ev = taken(t, 0))) {
        ngx_str_set(&ev->error, "no");
        verdict(t, ev, DEAD);
    }

    check_int(run(t), OK);
}


/* it comes, and what waits of its source dies */

static void
die(test_t *t, const char *source, const char *key, ngx_uint_t type,
    uint64_t id)
{
    come(t, source, key, type, id);
    take_n(t, source, 1000);
    bury(t);
}


/* ids of events and of letters, in their order */

static const char *
waiting(test_t *t)
{
    return kept_events(t, NULL);
}


static const char *
letters(test_t *t)
{
    return kept_letters(t, "i");
}


static void
test_replay(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "replay");

    ev = come(&t, "ops", " Key", ALERT, 0x8000000000000001);
    ev->said.level = WARNING;
    ev->said.priority = NGX_HTTP_ILERT_HIGH;
    ev->said.received = NOW - 5 * HOUR;
    ev->passthrough = 1;
    take_n(&t, "ops", 1000);
    check_int(taken(&t, 0)->attempts, 0);
    bury(&t);

    die(&t, "dev", "k", COMMENT, 2);
    check_str(letters(&t), "-9223372036854775807,2");

    check_str(obey(&t, REPLAY, "", 3),
              "0 missing: there is no such dead letter");

    /* as it was, but for its time */

    t.now += MINUTE;
    check_str(obey(&t, REPLAY, "", 0x8000000000000001), "1");
    check_str(letters(&t), "2");
    check_int(kept_dead_bytes(&t), 1);

    take(&t, "ops", 10, MINUTE);
    check_int(run(&t), OK);
    ev = only(&t);
    check(ev->id == 0x8000000000000001);
    check(ev->key.len == 4 && memcmp(ev->key.data, " Key", 4) == 0);
    check(ev->body.len == 1 && ev->body.data[0] == '1');
    check_int(ev->said.type, ALERT);
    check_int(ev->said.level, WARNING);
    check_int(ev->said.priority, NGX_HTTP_ILERT_HIGH);
    check_int(ev->said.received, t.now);
    check_int(ev->attempts, 0);
    check_int(ev->urgency, NGX_HTTP_ILERT_CRITICAL_FIRST);
    check(ev->passthrough);

    /* it may die again, and be replayed again */

    bury(&t);
    check_str(letters(&t), "2,-9223372036854775807");
    check_str(obey(&t, REPLAY, "", 0x8000000000000001), "1");
    decide(&t, take_one(&t, "ops"), DONE);
    check_str(obey(&t, REPLAY, "", 0x8000000000000001),
              "0 missing: there is no such dead letter");

    check_str(obey(&t, REPLAY, "", 2), "1");
    check_int(take_one(&t, "dev")->said.type, COMMENT);

    teardown(&t);
}


/* it is not too old at once, but by and by */

static void
test_replay_age(void)
{
    test_t  t;

    setup(&t, "replay_age");

    come(&t, "ops", "k", ALERT, 1);
    check_int(run(&t), OK);
    t.now += HOUR;
    take(&t, "ops", 1, MINUTE);
    check_int(run(&t), OK);
    check_int(outcome.expired, 1);

    t.now += HOUR;
    check_str(obey(&t, REPLAY, "", 1), "1");

    t.now += MINUTE - 1;
    take(&t, "ops", 1, MINUTE);
    check_int(run(&t), OK);
    check_int(outcome.expired, 0);
    decide(&t, only(&t), UNSENT);

    t.now++;
    take(&t, "ops", 1, MINUTE);
    check_int(run(&t), OK);
    check_int(outcome.expired, 1);
    check_str(letters(&t), "1");

    teardown(&t);
}


/* whatever is merged: it is to be tried */

static void
test_replay_coalesce(void)
{
    test_t      t;
    ngx_uint_t  mode;

    for (mode = OFF; mode <= LATEST; mode++) {
        setup(&t, "replay_coalesce");
        t.policy.coalesce = mode;

        /* a RESOLVE of what is not open, or may be */

        die(&t, "ops", "k", RESOLVE, 1);
        check_str(obey(&t, REPLAY, "", 1), "1");
        check_str(drain(&t, "ops"), "k:1");

        /* nor if that is known: it had been sent when it died */

        t.policy.coalesce = OFF;
        die(&t, "ops", "k", RESOLVE, 4);
        t.policy.coalesce = mode;
        check_str(obey(&t, REPLAY, "", 4), "1");
        check_str(waiting(&t), "4");

        /* without it the alert might stay open */

        check_str(obey(&t, EMPTY, "ops", 0), "0");
        check_str(drain(&t, "ops"), "k:4");

        /* what is said after it is judged by it */

        die(&t, "ops", "l", ALERT, 2);
        check_str(obey(&t, REPLAY, "", 2), "1");
        come(&t, "ops", "l", ALERT, 3);
        check_int(run(&t), OK);
        check_str(drain(&t, "ops"), mode == OFF ? "l:2 l:3" : "l:3");

        teardown(&t);
    }
}


/* an event that came later, whatever has become of it */

typedef enum {
    WAITING = 0,
    IN_FLIGHT,
    TRIED_AGAIN,
    DELIVERED,
    COMMENTED,
    HELD,
    DROPPED_REPEAT,
    DROPPED_RESOLVE,
    CANCELLED,
    DIED,
    EXPIRED,
    REPLAYED,
    EMPTIED,
    BY_HAND,
    OWN_WAITS,
    OWN_DELIVERED,
    RELAYED,
    FORGOTTEN,
    KINDS
} later_e;


static void
happens(test_t *t, ngx_uint_t kind)
{
    event_t  *ev;

    switch (kind) {

    case WAITING:
        come(t, "ops", "K\n", ALERT, 10);
        break;

    case IN_FLIGHT:
        come(t, "ops", "k", RESOLVE, 10);
        take(t, "ops", 1, 0);
        break;

    case TRIED_AGAIN:
        come(t, "ops", "k", ALERT, 10);
        ev = take_one(t, "ops");
        ev->next = t->now + HOUR;
        verdict(t, ev, AGAIN);
        break;

    case DELIVERED:
        come(t, "ops", "k", RESOLVE, 10);
        drain(t, "ops");
        break;

    case COMMENTED:
        come(t, "ops", "k", COMMENT, 10);
        drain(t, "ops");
        break;

    case HELD:
        kept_show(t, NGX_HTTP_ILERT_SHOWS_OPEN);
        come(t, "ops", "k", ALERT, 10);
        check_int(run(t), OK);
        check_str(kept_alerts(t, NULL, "t"), "2");
        break;

    case DROPPED_REPEAT:
        kept_show(t, NGX_HTTP_ILERT_SHOWS_OPEN);
        come(t, "ops", "k", ALERT, 10)->said.received = t->now - 3 * HOUR;
        check_int(run(t), OK);
        check_int(outcome.coalesced, 1);
        check_str(waiting(t), "");
        break;

    case DROPPED_RESOLVE:
        kept_show(t, NGX_HTTP_ILERT_SHOWS_RESOLVED);
        come(t, "ops", "k", RESOLVE, 10);
        check_int(run(t), OK);
        check_int(outcome.coalesced, 1);
        check_str(waiting(t), "");
        break;

    case CANCELLED:
        kept_show(t, NGX_HTTP_ILERT_SHOWS_RESOLVED);
        t->policy.coalesce = LATEST;
        come(t, "ops", "k", ALERT, 10);
        come(t, "ops", "k", RESOLVE, 11);
        check_int(run(t), OK);
        check_int(outcome.coalesced, 2);
        check_str(waiting(t), "");
        break;

    case DIED:
        die(t, "ops", "k", ALERT, 10);
        break;

    case EXPIRED:
        come(t, "ops", "k", COMMENT, 10)->said.received = NOW - HOUR;
        take(t, "ops", 1, MINUTE);
        check_int(run(t), OK);
        check_int(outcome.expired, 1);
        break;

    case REPLAYED:
        die(t, "ops", "k", ALERT, 10);
        check_str(obey(t, REPLAY, "", 10), "1");
        break;

    case EMPTIED:
        come(t, "ops", "k", ALERT, 10);
        check_int(run(t), OK);
        check_str(obey(t, EMPTY, "ops", 0), "1");
        check_str(waiting(t), "");
        break;

    case BY_HAND:
        come(t, "ops", "k", ALERT, 10);
        check_int(run(t), OK);
        sql(t, "DELETE FROM event");
        drain(t, "ops");
        t->job.clean = 1;
        break;

    case OWN_WAITS:
    case OWN_DELIVERED:
        t->now += 3 * HOUR;
        t->ids[0] = 10;
        t->job.nids = 1;
        take(t, "ops", kind == OWN_DELIVERED, 0);
        check_int(run(t), OK);
        check_int(outcome.resolved, 1);

        if (kind == OWN_DELIVERED) {
            decide(t, only(t), DONE);
        }

        break;

    case RELAYED:
        t->job.unknown = 1;
        break;

    case FORGOTTEN:
        kept_forget(t, NULL);
        break;
    }

    check_int(run(t), OK);
}


/* of an alert that ilert shows as open, or as resolved */

static void
test_refused(void)
{
    test_t      t;
    ngx_uint_t  kind, shown, failures;

    for (kind = 0; kind < KINDS; kind++) {

        if (kind == BY_HAND && !on_sqlite()) {
            continue;
        }

        setup(&t, "replay_refused");
        t.policy.coalesce = REPEATS;
        t.policy.resolve_after = 2 * HOUR;
        failures = test_failures;

        shown = (kind == HELD || kind == DROPPED_REPEAT || kind == OWN_WAITS
                 || kind == OWN_DELIVERED);
        if (shown) {
            come(&t, "ops", "k", ALERT, 1);
            check_int(run(&t), OK);
            drain(&t, "ops");
        }

        level(come(&t, "ops", "k", ALERT, 2), WARNING);
        take_n(&t, "ops", 1000);
        bury(&t);

        happens(&t, kind);

        check_str(obey(&t, REPLAY, "", 2), later);
        check_str(obey(&t, REPLAY, "ops", 0),
                  kind == DIED || kind == EXPIRED ?
                  "1 refused 1: its alert has seen a later event" : later);
        check_int(atoi(letters(&t)), 2);

        if (test_failures > failures) {
            printf("#   of kind %d\n", (int) kind);
        }

        teardown(&t);
    }
}


/* nothing has come: neither are others, nor the time, something later */

static void
test_not_refused(void)
{
    int         i;
    test_t      t;
    ngx_uint_t  failures;

    for (i = 0; i < 5; i++) {
        setup(&t, "replay_not_refused");
        t.policy.coalesce = REPEATS;
        failures = test_failures;

        come(&t, "ops", "k", ALERT, 1);
        check_int(run(&t), OK);
        drain(&t, "ops");
        die(&t, "ops", "k", RESOLVE, 2);

        switch (i) {

        case 0:
            die(&t, "ops", "other", RESOLVE, 3);
            come(&t, "dev", "k", ALERT, 4);
            break;

        case 1:
            t.now += 20 * DAY;
            t.job.clean = 1;
            break;

        case 2:
            t.job.begin = 1;
            ngx_http_ilert_store_close(&t.store);
            break;

        case 3:
            t.now -= 20 * DAY;
            release(&t, "ops");
            break;
        }

        check_int(run(&t), OK);
        check_str(obey(&t, REPLAY, "", 2), "1");
        check_str(drain(&t, "ops"), "k:2");

        if (test_failures > failures) {
            printf("#   case %d\n", i);
        }

        teardown(&t);
    }

    /* relayed before it died */

    setup(&t, "replay_not_refused");
    t.job.unknown = 1;
    die(&t, "ops", "k", ALERT, 1);
    check_str(obey(&t, REPLAY, "", 1), "1");
    teardown(&t);

    /* what was dropped before it is not later, however much that was */

    setup(&t, "replay_not_refused");
    t.policy.coalesce = REPEATS;

    for (i = 0; i < 5; i++) {
        come(&t, "ops", "k", RESOLVE, 1 + i);
        check_int(run(&t), OK);
        drain(&t, "ops");
    }

    die(&t, "ops", "k", ALERT, 6);
    check_str(obey(&t, REPLAY, "", 6), "1");
    check_str(drain(&t, "ops"), "k:6");

    teardown(&t);

    /* nor is it if it came in one job with what it was dropped for */

    setup(&t, "replay_not_refused");
    t.policy.coalesce = LATEST;

    come(&t, "ops", "k", RESOLVE, 1);
    check_int(run(&t), OK);
    drain(&t, "ops");
    kept_show(&t, NGX_HTTP_ILERT_SHOWS_RESOLVED);

    come(&t, "ops", "k", ALERT, 2);
    come(&t, "ops", "k", RESOLVE, 3);
    check_int(run(&t), OK);
    check_str(waiting(&t), "");

    die(&t, "ops", "k", ALERT, 4);
    check_str(obey(&t, REPLAY, "", 4), "1");
    check_str(drain(&t, "ops"), "k:4");

    teardown(&t);
}


/* what may be replayed is kept in mind for as long */

static void
test_forgotten(void)
{
    test_t  t;

    setup(&t, "replay_forgotten");
    t.policy.coalesce = REPEATS;

    come(&t, "ops", "last", ALERT, 1);
    come(&t, "ops", "not last", ALERT, 2);
    come(&t, "ops", "discarded", ALERT, 3);
    come(&t, "ops", "dropped", ALERT, 4);
    come(&t, "ops", "dropped after it", ALERT, 5);
    take_n(&t, "ops", 1000);
    bury(&t);
    check_str(letters(&t), "1,2,3,4,5");

    come(&t, "ops", "not last", ALERT, 6);
    come(&t, "ops", "not last", RESOLVE, 7);
    come(&t, "ops", "dropped after it", RESOLVE, 8);
    check_int(run(&t), OK);
    drain(&t, "ops");
    check_str(obey(&t, DISCARD, "", 3), "1");
    kept_show(&t, NGX_HTTP_ILERT_SHOWS_RESOLVED);

    t.now += 8 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "k"), "last,dropped");

    check_str(obey(&t, REPLAY, "", 1), "1");
    check_str(obey(&t, REPLAY, "", 2), later);
    check_str(obey(&t, REPLAY, "", 4), "1");
    check_str(obey(&t, REPLAY, "", 5), later);

    /* letters are kept for 30 days */

    die(&t, "ops", "new", ALERT, 9);
    drain(&t, "ops");
    kept_show(&t, NGX_HTTP_ILERT_SHOWS_RESOLVED);
    t.now += 31 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(letters(&t), "");
    check_int(kept_count(&t, "new"), 0);

    teardown(&t);
}


static void
test_sources(void)
{
    ngx_uint_t  action;
    test_t      t;
    query_t    *q;

    setup(&t, "control_sources");

    for (action = REPLAY; action <= EMPTY; action++) {
        check_str(obey(&t, action, "nobody", 0),
                  "0 missing: there is no such source");

        /* a source of which nothing has come yet */

        check_str(obey(&t, action, "new", 0),
                  action == PAUSE || action == RESUME ? "1" : "0");
    }

    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check_int(q->sources.nelts, 1);

    /* one that is not configured any longer */

    die(&t, "ops", "k", ALERT, 1);
    die(&t, "ops", "k", ALERT, 2);
    come(&t, "ops", "l", ALERT, 3);
    check_int(run(&t), OK);
    t.removed = "ops";

    check_str(obey(&t, REPLAY, "", 2),
              "0 refused 1: its source is not configured");
    check_str(obey(&t, REPLAY, "ops", 0),
              "0 refused 2: its source is not configured");
    check_str(obey(&t, PAUSE, "ops", 0),
              "0 missing: there is no such source");
    check_str(obey(&t, RESUME, "ops", 0),
              "0 missing: there is no such source");
    check_str(letters(&t), "1,2");
    check_str(obey(&t, DISCARD, "", 2), "1");
    check_str(obey(&t, DISCARD, "ops", 0), "1");
    check_str(obey(&t, EMPTY, "ops", 0), "1");
    check_str(letters(&t), "");
    check_str(waiting(&t), "");

    teardown(&t);
}


/* in their order, but for every tenth */

static void
check_replayed(test_t *t)
{
    uint64_t       last;
    ngx_uint_t     i, n, count;
    kept_event_t  *list;

    last = 0;
    count = 0;
    list = kept_list(t, &n);

    for (i = 0; i < n; i++) {

        if (list[i].ev.id >= 1000 && list[i].ev.id < 2000) {
            check(list[i].ev.id > last);
            check(list[i].ev.id % 10 != 0);

            last = list[i].ev.id;
            count++;
        }
    }

    check_int(count, 225);

    free(list);
}


static void
test_replay_all(void)
{
    int     i;
    char    key[16];
    test_t  t;

    setup(&t, "replay_all");

    check_str(obey(&t, REPLAY, "ops", 0), "0");

    die(&t, "ops", "b", ALERT, 1);
    die(&t, "dev", "a", ALERT, 2);
    die(&t, "ops", "a", RESOLVE, 3);
    die(&t, "ops", "c", COMMENT, 4);
    die(&t, "ops", "a", ALERT, 5);
    come(&t, "ops", "c", ALERT, 6);
    check_int(run(&t), OK);

    check_str(obey(&t, REPLAY, "ops", 0),
              "2 refused 2: its alert has seen a later event");
    check_str(waiting(&t), "6 1 5");
    check_str(letters(&t), "2,3,4");
    check_heads(&t);

    check_str(obey(&t, REPLAY, "dev", 0), "1");
    check_str(drain(&t, "dev"), "a:2");
    check_str(drain(&t, "ops"), "c:6 b:1 a:5");

    /* a hundred at a time, of which every tenth cannot */

    for (i = 0; i < 250; i++) {
        sprintf(key, "%d", i);
        come(&t, "many", key, ALERT, 1000 + i);
    }

    take_n(&t, "many", 1000);
    bury(&t);

    for (i = 0; i < 250; i += 10) {
        sprintf(key, "%d", i);
        come(&t, "many", key, ALERT, 2000 + i);
    }

    check_int(run(&t), OK);
    check_str(obey(&t, REPLAY, "many", 0),
              "225 refused 25: its alert has seen a later event");
    check_int(jobs, 3);
    check_replayed(&t);
    check_heads(&t);

    check_str(obey(&t, REPLAY, "many", 0),
              "0 refused 25: its alert has seen a later event");

    teardown(&t);
}


/* events may be taken by the job that replays them, or buries them */

static void
test_replay_at_once(void)
{
    test_t    t;
    order_t   o;
    event_t  *ev;

    setup(&t, "replay_at_once");

    come(&t, "ops", "k", ALERT, 1);
    take_n(&t, "ops", 1000);
    ev = taken(&t, 0);
    ev->status = 400;
    verdict(&t, ev, DEAD);
    order(&t, &o, REPLAY, "", 1);
    take_n(&t, "ops", 1000);
    check_int(o.count, 1);
    check_int(only(&t)->id, 1);
    check_str(letters(&t), "");

    /* but what comes with the order is later */

    bury(&t);
    order(&t, &o, REPLAY, "", 1);
    come(&t, "ops", "k", RESOLVE, 2);
    check_int(run(&t), OK);
    check_int(o.count, 1);
    check_str(drain(&t, "ops"), "k:1 k:2");

    teardown(&t);
}


static void
test_discard(void)
{
    test_t  t;

    setup(&t, "discard");

    die(&t, "ops", "k", ALERT, 1);
    die(&t, "ops", "k", ALERT, 2);
    die(&t, "dev", "k", ALERT, 3);

    check_str(obey(&t, DISCARD, "", 4),
              "0 missing: there is no such dead letter");
    check_str(obey(&t, DISCARD, "", 2), "1");
    check_str(obey(&t, DISCARD, "", 2),
              "0 missing: there is no such dead letter");
    check_str(letters(&t), "1,3");

    /* a thousand at a time */

    kept_bury(&t, "ops", 101, 1200, 2, NOW, 0);
    kept_bury(&t, "dev", 1301, 1200, 2, NOW, 0);
    check_counts(&t);

    check_str(obey(&t, DISCARD, "ops", 0), "1201");
    check_int(jobs, 2);
    check_int(kept_dead_bytes(&t), 2401);

    check_str(obey(&t, DISCARD, "ops", 0), "0");
    check_str(obey(&t, DISCARD, "dev", 0), "1201");
    check_int(kept_dead_bytes(&t), 0);

    teardown(&t);
}


/* what is given to takes of "ops" and "dev" */

static void
check_takes(test_t *t, ngx_uint_t ops, ngx_uint_t dev, ngx_uint_t paused)
{
    take(t, "ops", 10, 0);
    take_n(t, "dev", 10);

    check_int(outcome.takes[0].taken, ops);
    check_int(outcome.takes[1].taken, dev);
    check_int(outcome.takes[0].paused, paused);
    check_int(outcome.takes[1].paused, 0);
    check_int(outcome.due, 0);

    verdicts(t, UNSENT);

    check_int(run(t), OK);
}


static void
test_pause(void)
{
    test_t    t;
    query_t  *q;
    event_t  *ev;

    setup(&t, "pause");
    t.policy.coalesce = REPEATS;
    t.policy.resolve_after = 2 * HOUR;

    come(&t, "ops", "open", ALERT, 1);
    check_int(run(&t), OK);
    drain(&t, "ops");

    come(&t, "ops", "k", ALERT, 2);
    come(&t, "dev", "k", ALERT, 3);
    ev = keep(take_one(&t, "ops"));

    check_str(obey(&t, PAUSE, "ops", 0), "1");
    t.now++;
    check_str(obey(&t, PAUSE, "ops", 0), "0");

    q = query(&t, "ops", NULL);
    check_int(run(&t), OK);
    check_int(((ngx_http_ilert_store_source_t *) q->sources.elts)[1].paused,
              NOW);

    /* it accepts, and what is in flight has its verdict */

    come(&t, "ops", "l", RESOLVE, 4);
    check_takes(&t, 0, 1, 1);
    decide(&t, ev, DONE);
    check_counts(&t);
    check_takes(&t, 0, 1, 1);

    /* nor are there RESOLVEs of ours */

    t.now += 3 * HOUR;
    t.job.nids = 1;
    t.ids[0] = 100;
    take_n(&t, "ops", 10);
    check_int(outcome.resolved, 0);

    /* whoever asks, and whatever is released */

    release(&t, "ops");
    check_takes(&t, 0, 1, 1);
    ngx_http_ilert_store_close(&t.store);
    t.job.begin = 1;
    check_takes(&t, 0, 1, 1);

    check_str(obey(&t, RESUME, "ops", 0), "1");
    check_str(obey(&t, RESUME, "ops", 0), "0");

    t.policy.resolve_after = 0;
    check_takes(&t, 1, 1, 0);

    /* replayed, and emptied, as if nothing was */

    check_str(obey(&t, PAUSE, "dev", 0), "1");
    check_str(obey(&t, EMPTY, "dev", 0), "1");
    check_str(obey(&t, RESUME, "dev", 0), "1");

    teardown(&t);
}


/* what waits to be tried again wakes nobody up in vain */

static void
test_pause_due(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "pause_due");

    come(&t, "ops", "k", ALERT, 1);
    check_int(run(&t), OK);
    ev = take_one(&t, "ops");
    ev->next = NOW + SECOND;
    decide(&t, ev, AGAIN);

    check_str(obey(&t, PAUSE, "ops", 0), "1");
    t.now += SECOND;
    take_n(&t, "ops", 1);

    /* nothing to be woken up for */

    check_int(outcome.due, 0);

    check_str(obey(&t, RESUME, "ops", 0), "1");
    check_int(take_one(&t, "ops")->id, 1);

    teardown(&t);
}


static void
again(test_t *t, const char *source, ngx_uint_t maybe)
{
    event_t  *ev;

    ev = take_one(t, source);
    ev->maybe = maybe;
    ev->next = t->now + HOUR;
    decide(t, ev, AGAIN);
}


/*
 * Events of one alert each, by what ilert shows of it; ids of what stays are
 * above 100.
 */

static void
fill(test_t *t, const char *source)
{
    event_t  *ev;

    /* unknown, by an earlier epoch: resolved, or open */

    come(t, source, "was resolved", RESOLVE, 1);
    come(t, source, "was open", ALERT, 1);
    check_int(run(t), OK);
    drain(t, source);
    t->job.unknown = 1;
    come(t, source, "was resolved", RESOLVE, 101);
    come(t, source, "was resolved", ALERT, 1);
    come(t, source, "was open", COMMENT, 2);
    come(t, source, "was open", RESOLVE, 102);
    check_int(run(t), OK);
    check_int(outcome.accepted, 1);

    /* known: it is open */

    come(t, source, "open", ALERT, 3);
    check_int(run(t), OK);
    kept_hold(t, "was*", NEVER);
    drain(t, source);
    level(come(t, source, "open", ALERT, 4), WARNING);
    come(t, source, "open", RESOLVE, 103);
    come(t, source, "open", ALERT, 5);
    come(t, source, "open", COMMENT, 6);

    /* a repeat that is held */

    come(t, source, "held", ALERT, 7);
    check_int(run(t), OK);
    kept_hold(t, "open", NEVER);
    drain(t, source);
    t->policy.coalesce = REPEATS;
    come(t, source, "held", ALERT, 8);
    check_int(run(t), OK);
    t->policy.coalesce = OFF;

    /* resolved, with an ALERT that has been tried in vain, or may be open */

    come(t, source, "resolved", RESOLVE, 9);
    check_int(run(t), OK);
    drain(t, source);
    come(t, source, "resolved", ALERT, 10);
    come(t, source, "resolved", RESOLVE, 11);
    check_int(run(t), OK);
    again(t, source, 0);

    come(t, source, "maybe", RESOLVE, 12);
    check_int(run(t), OK);
    drain(t, source);
    come(t, source, "maybe", ALERT, 13);
    come(t, source, "maybe", RESOLVE, 104);
    come(t, source, "maybe", RESOLVE, 105);
    check_int(run(t), OK);
    again(t, source, 1);

    /* in flight */

    come(t, source, "alerted", RESOLVE, 14);
    check_int(run(t), OK);
    drain(t, source);
    come(t, source, "alerted", ALERT, 106);
    come(t, source, "alerted", ALERT, 15);
    come(t, source, "alerted", RESOLVE, 107);
    come(t, source, "alerted", COMMENT, 16);
    ev = take_one(t, source);
    check_int(ev->id, 106);
    ngx_free(keep(ev));

    come(t, source, "ending", ALERT, 17);
    check_int(run(t), OK);
    drain(t, source);
    come(t, source, "ending", RESOLVE, 108);
    come(t, source, "ending", ALERT, 18);
    ev = take_one(t, source);
    check_int(ev->id, 108);
    ngx_free(keep(ev));

    come(t, source, "said", COMMENT, 109);
    come(t, source, "said", COMMENT, 19);
    ngx_free(keep(take_one(t, source)));
}


static ngx_uint_t
count_waiting(test_t *t, const char *source)
{
    ngx_uint_t   n;
    const char  *p;

    n = 0;

    for (p = kept_events(t, source); *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        n++;
    }

    return n;
}


static void
test_empty(void)
{
    test_t  t;

    setup(&t, "empty");

    t.job.unknown = 1;
    check_int(run(&t), OK);
    check_str(obey(&t, EMPTY, "ops", 0), "0");
    fill(&t, "dev");
    fill(&t, "ops");
    check_counts(&t);

    check_int(count_waiting(&t, "dev"), 22);
    check_int(count_waiting(&t, "ops"), 22);

    check_str(obey(&t, EMPTY, "ops", 0), "13");
    check_int(jobs, 1);
    check_heads(&t);

    check_str(kept_events(&t, "ops"), "101 102 103 104 105 106 107 108 109");
    check_int(count_waiting(&t, "dev"), 22);

    check_str(obey(&t, EMPTY, "ops", 0), "0");

    /* what is in flight counts, when it is decided, as if nothing had been */

    t.job.begin = 1;
    check_int(run(&t), OK);
    release(&t, "ops");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"),
              "alerted:106 was resolved:101 was open:102 open:103 maybe:104 "
              "ending:108 said:109 maybe:105 alerted:107");
    check_counts(&t);
    check_heads(&t);

    teardown(&t);
}


/* its verdict, whatever it is, is of an event that is there */

static void
test_empty_flight(void)
{
    test_t      t;
    event_t    *ev;
    ngx_uint_t  v;

    for (v = UNSENT; v <= DEAD; v++) {
        setup(&t, "empty_flight");
        t.policy.coalesce = REPEATS;

        come(&t, "ops", "k", ALERT, 1);
        level(come(&t, "ops", "k", ALERT, 2), WARNING);
        ev = keep(take_one(&t, "ops"));
        come(&t, "ops", "k", RESOLVE, 3);
        come(&t, "ops", "k", ALERT, 4);
        check_int(run(&t), OK);
        check_str(obey(&t, EMPTY, "ops", 0), "2");
        check_str(waiting(&t), "1 3");
        check_heads(&t);

        ev->next = t.now;
        decide(&t, ev, v);
        check_counts(&t);
        check_heads(&t);
        check_str(letters(&t), v == DEAD ? "1" : "");

        come(&t, "ops", "k", ALERT, 5);
        check_int(run(&t), OK);
        check_str(drain(&t, "ops"), v == DONE ? "k:3 k:5"
                                    : v == DEAD ? "k:3 k:5"
                                    : "k:1 k:3 k:5");
        check_counts(&t);

        teardown(&t);
    }
}


/* what has been removed behind it came later */

static void
test_empty_later(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "empty_later");

    come(&t, "ops", "k", ALERT, 1);
    ev = keep(take_one(&t, "ops"));
    come(&t, "ops", "k", ALERT, 2);
    check_int(run(&t), OK);
    check_str(obey(&t, EMPTY, "ops", 0), "1");

    decide(&t, ev, DEAD);
    check_str(letters(&t), "1");
    check_str(obey(&t, REPLAY, "", 1), later);

    teardown(&t);
}


/* who is next when the most urgent events of alerts are gone */

static void
test_empty_urgency(void)
{
    test_t  t;

    setup(&t, "empty_urgency");
    t.job.unknown = 1;

    /* "late" was to go first, "early" last */

    come(&t, "ops", "late", COMMENT, 1);
    come(&t, "ops", "early", COMMENT, 2);
    come(&t, "ops", "early", RESOLVE, 101);
    come(&t, "ops", "late", ALERT, 3);
    come(&t, "ops", "late", RESOLVE, 102);
    come(&t, "ops", "late", COMMENT, 4);
    come(&t, "dev", "late", ALERT, 5);
    check_int(run(&t), OK);

    check_str(kept_alerts(&t, NULL, "ku"), "late 0,early 1,late 0");
    check_str(obey(&t, EMPTY, "ops", 0), "4");
    check_heads(&t);
    check_str(kept_alerts(&t, NULL, "ku"), "late 1,early 1,late 0");

    come(&t, "ops", "new", ALERT, 6);
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "new:6 early:101 late:102");

    /* and is not waited for any longer */

    come(&t, "ops", "early", ALERT, 7);
    come(&t, "ops", "early", ALERT, 8);
    check_int(run(&t), OK);
    again(&t, "ops", 1);
    check_str(obey(&t, EMPTY, "ops", 0), "2");
    come(&t, "ops", "early", ALERT, 9);
    check_int(run(&t), OK);
    check_int(take_one(&t, "ops")->id, 9);
    check_int(only(&t)->attempts, 0);

    teardown(&t);
}


/* a thousand at a time, and what stays is gone over once */

static void
test_empty_many(void)
{
    int            i;
    char           key[16];
    test_t         t;
    order_t        o;
    event_t       *ev;
    uint64_t       id;
    ngx_uint_t     k, n, resolves, others, left;
    kept_event_t  *list;

    setup(&t, "empty_many");
    t.job.unknown = 1;

    for (i = 0; i < 2500; i++) {
        sprintf(key, "%d", i % 500);
        come(&t, i % 7 ? "ops" : "dev", key, i % 3 ? ALERT : RESOLVE, 1 + i);
    }

    for (i = 0; i < 1500; i++) {
        come(&t, "ops", "long", COMMENT, 3000 + i);
    }

    check_int(run(&t), OK);
    ev = keep(take_one(&t, "ops"));
    check_counts(&t);

    order(&t, &o, EMPTY, "ops", 0);

    for (jobs = 0, i = 0; jobs < 100; jobs++) {
        check_int(run(&t), OK);
        check_counts(&t);
        check(o.count <= 1000);
        i += o.count;

        if (!o.more) {
            break;
        }

        /* events go on to come, which does not make it go on for ever */

        o.after[0] = o.next[0];
        o.after[1] = o.next[1];
        ngx_queue_insert_tail(&t.job.orders, &o.queue);
        come(&t, "ops", "long", RESOLVE, 10000 + jobs);
        come(&t, "dev", "long", ALERT, 20000 + jobs);
    }

    check(jobs >= 3 && jobs < 10);
    check_heads(&t);

    /* RESOLVEs stay, and those of the other source */

    list = kept_list(&t, &n);

    for (k = 0, resolves = 0, others = 0, left = 0; k < n; k++) {
        id = list[k].ev.id - 1;
        resolves += (id < 2999 && id % 3 == 0);
        others += (id < 2999 && id % 7 == 0);
        left += (list[k].source == ev->source_id
                 && list[k].ev.said.type != RESOLVE);
    }

    free(list);

    check_int(resolves, 834);
    check_int(others, 358);
    check_int(left, ev->said.type != RESOLVE);

    decide(&t, ev, DONE);

    /* each alert in turn is right */

    while (1) {
        take_n(&t, "ops", 100);

        if (taken(&t, 0) == NULL) {
            break;
        }

        while ((ev = taken(&t, 0))) {
            check_int(ev->said.type, RESOLVE);
            verdict(&t, ev, DONE);
        }

        check_heads(&t);
        check_counts(&t);
    }

    teardown(&t);
}


/* an alert of others is one row, and no more are looked at than may be */

static void
test_empty_others(void)
{
    int     i;
    char    key[16];
    test_t  t;

    setup(&t, "empty_others");

    for (i = 0; i < 2500; i++) {
        sprintf(key, "%d", i);
        come(&t, "dev", key, ALERT, 1 + i);
        come(&t, "dev", "0", COMMENT, 10000 + i);
    }

    come(&t, "ops", "k", ALERT, 5000);
    check_int(run(&t), OK);
    check_str(obey(&t, EMPTY, "ops", 0), "1");
    check_int(jobs, 3);
    check_int(count_waiting(&t, "dev"), 5000);
    check_int(count_waiting(&t, "ops"), 0);

    teardown(&t);
}


/*
 * At random: those letters go again that are the last that has been heard of
 * their alert, and no others.  The id of an event has its alert, and its
 * number among those of it.
 */

#define KEYS     6
#define FLIGHTS  3


typedef struct {
    test_t       t;
    ngx_uint_t   last[KEYS];        /* number of what came last */
    event_t     *flights[FLIGHTS];
    ngx_uint_t   count;             /* replayed */
} random_t;


static void
random_step(random_t *r)
{
    char         key[8];
    event_t     *ev;
    ngx_uint_t   i, k, n;

    r->t.now += rnd(3000);

    if (rnd(25) == 0) {
        for (i = 0; i < FLIGHTS; i++) {
            ngx_free(r->flights[i]);
            r->flights[i] = NULL;
        }

        r->t.job.begin = 1;
    }

    for (n = rnd(3); n; n--) {
        k = rnd(KEYS);
        sprintf(key, rnd(2) ? "Key%d" : "kEY%d ", (int) k);

        ev = come(&r->t, "ops", key, rnd(2) ? ALERT : rnd(5) ? RESOLVE
                                                             : COMMENT,
                  k << 16 | ++r->last[k]);
        ev->said.level = (ev->said.type == RESOLVE) ? 0 : 1 + rnd(3);
    }

    for (n = 0, i = 0; i < FLIGHTS; i++) {
        ev = r->flights[i];

        if (ev && rnd(2)) {
            r->flights[i] = NULL;
            ev->next = r->t.now + rnd(2000);
            ev->maybe = rnd(2);
            verdict(&r->t, ev, rnd(3) ? rnd(DEAD + 1) : DEAD);
        }

        n += (r->flights[i] == NULL);
    }

    r->t.job.clean = (rnd(10) == 0);
    take(&r->t, "ops", n, rnd(4) ? 0 : 20 * SECOND);
    check_int(run(&r->t), OK);
    check_counts(&r->t);

    while ((ev = taken(&r->t, 0))) {
        for (i = 0; r->flights[i]; i++) { /* void */ }
        r->flights[i] = keep(ev);
    }

    /* what takes the place of an event is as old as what was behind it */

    if (rnd(15) == 0 && r->t.policy.coalesce == OFF) {
        obey(&r->t, EMPTY, "ops", 0);
    }
}


static void
random_replay(random_t *r)
{
    char        *id, *end, word[32];
    uint64_t     n;
    ngx_uint_t   last, left;

    static char  before[16384], after[16384];

    sqlite3_snprintf(sizeof(before), before, "%s", letters(&r->t));
    obey(&r->t, REPLAY, "ops", 0);
    sqlite3_snprintf(sizeof(after), after, ",%s,", letters(&r->t));

    for (id = before; *id; id = end + (*end == ',')) {
        n = strtoull(id, &end, 10);
        sprintf(word, ",%d,", (int) n);

        last = ((n & 0xffff) == r->last[n >> 16]);
        left = (strstr(after, word) != NULL);
        r->count += last;

        if (left == last) {
            sprintf(word, "key%d", (int) (n >> 16));
            fail_at(__FILE__, __LINE__, last ? "not replayed" : "replayed",
                    kept_alerts(&r->t, word, "kgh"));
        }
    }

    check_heads(&r->t);
}


static void
test_random(void)
{
    random_t    r;
    ngx_uint_t  mode, i;

    for (mode = OFF; mode <= LATEST; mode++) {
        memset(&r, 0, sizeof(random_t));
        setup(&r.t, "replay_random");
        r.t.policy.coalesce = mode;
        r.t.policy.repeat = 10 * SECOND;

        for (i = 0; i < 200 && test_failures == 0; i++) {
            random_step(&r);

            if (rnd(4) == 0) {
                random_replay(&r);
            }
        }

        check(r.count > 3);

        for (i = 0; i < FLIGHTS; i++) {
            ngx_free(r.flights[i]);
        }

        teardown(&r.t);
    }
}


/* a queue of which there is too much is what one wants to empty */

static void
test_full(void)
{
    char     body[3001];
    test_t   t;
    order_t  o, p;

    setup(&t, "control_full");
    t.store.max_size = 1024 * 1024;
    t.job.unknown = 1;

    die(&t, "ops", "letter", ALERT, 1);
    die(&t, "ops", "discarded", ALERT, 2);

    memset(body, 'x', 3000);
    body[3000] = '\0';

    do {
        accept_event(&t, "ops", "k", COMMENT, body);
    } while (run(&t) == OK);

    check_int(t.store.state, FULL);

    order(&t, &o, REPLAY, "", 1);
    order(&t, &p, DISCARD, "", 2);
    check_int(run(&t), FULL);
    check(outcome.decided);
    check(o.count == 1 && p.count == 1);
    check_str(letters(&t), "");

    order(&t, &o, EMPTY, "ops", 0);
    accept_event(&t, "ops", "k", COMMENT, body);
    run(&t);
    check(outcome.decided && o.count > 100);
    check_counts(&t);

    t.now += SECOND;
    accept_event(&t, "ops", "k", COMMENT, body);
    check_int(run(&t), OK);

    teardown(&t);
}


/* all that orders may change */

static const char *
everything(test_t *t)
{
    char         *p;
    query_t      *q;
    ngx_uint_t    i;

    ngx_http_ilert_store_source_t  *source;

    static char  text[4096];

    p = text;
    p += sprintf(p, "%s; ", kept_events(t, NULL));
    p += sprintf(p, "%s; ", kept_letters(t, "i"));
    p += sprintf(p, "%s;", kept_alerts(t, NULL, "kthug"));

    q = query(t, "", NULL);
    check_int(run(t), OK);

    source = q->sources.elts;

    for (i = 0; i < q->sources.nelts; i++) {
        p += sprintf(p, " %.*s %d", (int) source[i].name.len,
                     source[i].name.data, source[i].paused != 0);
    }

    return text;
}


static void
prepare(test_t *t)
{
    int   i;
    char  key[16];

    for (i = 0; i < 10; i++) {
        sprintf(key, "%d", i);
        come(t, i % 2 ? "ops" : "dev", key, i % 3 ? ALERT : RESOLVE, 1 + i);
    }

    take(t, "ops", 4, 0);
    take_n(t, "dev", 4);
    bury(t);
    come(t, "ops", "1", RESOLVE, 20);
    come(t, "ops", "9", ALERT, 21);
    check_int(run(t), OK);
}


/* an order whose transaction fails has done nothing, and is done when given */

static void
fail_in_turn(ngx_uint_t action, fault_e fault)
{
    char        wanted[4096], outcome_wanted[256];
    test_t      t;
    order_t     o;
    ngx_uint_t  n, failed, tries, count;

    /* as it is without a fault */

    setup(&t, "control_faults");
    prepare(&t);
    sqlite3_snprintf(sizeof(outcome_wanted), outcome_wanted, "%s",
                     obey(&t, action, "ops", 0));
    sqlite3_snprintf(sizeof(wanted), wanted, "%s", everything(&t));
    count = atoi(outcome_wanted);
    check(count > 0);
    teardown(&t);

    for (n = 1, failed = 0; n < 200; n++) {
        setup(&t, "control_faults");
        prepare(&t);

        order(&t, &o, action, "ops", 0);
        store_fault(n, fault, 0);

        for (tries = 0; tries < 10; tries++) {
            run(&t);

            if (outcome.decided) {
                break;
            }

            check(o.count == 0 && o.refused == 0 && o.why == NULL && !o.more);
            failed++;
            t.now += SECOND;
            ngx_queue_insert_tail(&t.job.orders, &o.queue);
        }

        check_str(said(&o, o.count, o.refused), outcome_wanted);
        failed += store_faults();

        if (!store_faults()) {
            store_fault(0, FAULT_NONE, 0);
            teardown(&t);
            break;
        }

        store_fault(0, FAULT_NONE, 0);

        /* it has a later time, then */

        if (action != REPLAY) {
            check_str(everything(&t), wanted);
        }

        check_int(run(&t), OK);
        check_counts(&t);
        check_str(t.store.notice, "");
        teardown(&t);
    }

    check(failed > 0 && n < 200);
}


static void
test_faults(void)
{
    ngx_uint_t  action;

    for (action = REPLAY; action <= EMPTY; action++) {

        if (action != RESUME) {
            fail_in_turn(action, FAULT_IOERR);
            fail_in_turn(action, FAULT_FULL);
        }
    }
}


test_case_t  control_cases[] = {
    { "replay", test_replay },
    { "replay, and max_age", test_replay_age },
    { "replay, and coalescing", test_replay_coalesce },
    { "replay, refused", test_refused },
    { "replay, not refused", test_not_refused },
    { "replay, forgotten alerts", test_forgotten },
    { "replay all", test_replay_all },
    { "replay, at once", test_replay_at_once },
    { "replay, at random", test_random },
    { "control: sources", test_sources },
    { "discard", test_discard },
    { "pause", test_pause },
    { "pause, and what is tried again", test_pause_due },
    { "empty", test_empty },
    { "empty, with an event in flight", test_empty_flight },
    { "empty, behind an event in flight", test_empty_later },
    { "empty, and what is next", test_empty_urgency },
    { "empty, many", test_empty_many },
    { "empty, many of others", test_empty_others },
    { "control: no room", test_full },
    { "control: faults", test_faults },
    { NULL, NULL }
};
