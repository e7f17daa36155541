
/*
 * What is held back: when it goes, and what becomes of it when others deal
 * with its alert, or its source.
 */


#include "kept.h"


#define HELD      NGX_HTTP_ILERT_HELD
#define SILENCED  NGX_HTTP_ILERT_SILENCED
#define LISTED    NGX_HTTP_ILERT_LISTED

#define RELEASED  NGX_HTTP_ILERT_STORE_RELEASED
#define MINUTE    (60 * SECOND)


static ngx_http_ilert_store_home_t  homes[1];


/* what is held by nobody any longer goes when its time has come */

static void
begin_store(test_t *t, const char *name)
{
    setup(t, name);

    t->policy.coalesce = REPEATS;
    t->policy.resolve_delay = MINUTE;
}


static void
hold(test_t *t, const char *key, ngx_uint_t urgency, int64_t until)
{
    work_t        work;
    alert_t     **alerts;
    ngx_uint_t    i, n;

    kept_begin(t, &work);

    n = kept_load(&work, key, &alerts);
    check(n > 0);

    for (i = 0; i < n; i++) {
        kept_hold_back(&work, alerts[i], urgency, until);
    }

    kept_end(t, &work);
}


static void
check_all(test_t *t)
{
    check_counts(t);
    check_heads(t);
}


/* "pending held silenced listed" of a source, by a query */

static const char *
waiting(test_t *t, const char *name)
{
    int64_t                         pending;
    query_t                        *q;
    ngx_uint_t                      i, n;
    ngx_http_ilert_store_source_t  *source;

    static char                     text[128];

    q = query(t, "", NULL);
    check_int(run(t), OK);
    check(q->ok);

    source = q->sources.elts;
    text[0] = '\0';

    for (n = 0; n < q->sources.nelts; n++) {

        if (source[n].name.len != strlen(name)
            || memcmp(source[n].name.data, name, source[n].name.len) != 0)
        {
            continue;
        }

        pending = 0;

        for (i = 0; i <= NGX_HTTP_ILERT_REPEATS; i++) {
            pending += source[n].waiting[i];
            check((source[n].waiting[i] != 0) || source[n].oldest[i] == 0);
        }

        check_int(source[n].oldest[HELD], 0);
        check_int(source[n].oldest[SILENCED], 0);
        check_int(source[n].oldest[LISTED], 0);
        check_int(source[n].retries, 0);

        sprintf(text, "%d %d %d %d", (int) pending,
                (int) source[n].waiting[HELD],
                (int) source[n].waiting[SILENCED],
                (int) source[n].waiting[LISTED]);
    }

    return text;
}


static void
test_time(void)
{
    test_t  t;

    begin_store(&t, "holds_time");

    accept_one(&t, "ops", "a", RESOLVE, "1");
    accept_one(&t, "ops", "b", ALERT, "2");
    accept_one(&t, "ops", "c", ALERT, "3");
    hold(&t, "a", HELD, t.now + MINUTE);
    hold(&t, "b", SILENCED, t.now + 2 * MINUTE);
    hold(&t, "c", LISTED, RELEASED);
    check_all(&t);

    check_str(waiting(&t, "ops"), "0 1 1 1");

    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, t.now + MINUTE);

    t.now += MINUTE;
    check_str(drain(&t, "ops"), "a:1");
    check_int(outcome.due, t.now + MINUTE);
    check_str(waiting(&t, "ops"), "0 0 1 1");

    t.now += MINUTE;
    check_str(drain(&t, "ops"), "b:2");
    check_int(outcome.due, 0);
    check_all(&t);

    t.now += DAY;
    check_int(take_n(&t, "ops", 10), 0);

    release(&t, "ops");
    check_str(drain(&t, "ops"), "c:3");
    check_str(waiting(&t, "ops"), "0 0 0 0");
    check_all(&t);

    teardown(&t);
}


/* the clock was set back */

static void
test_late(void)
{
    test_t  t;

    begin_store(&t, "holds_late");

    accept_one(&t, "ops", "a", ALERT, "1");
    accept_one(&t, "ops", "b", ALERT, "2");
    hold(&t, "a", SILENCED, t.now + DAY);
    hold(&t, "b", LISTED, RELEASED);

    t.job.longest = MINUTE;
    take(&t, "ops", 10, 0);
    check_int(run(&t), OK);
    check(memcmp(only(&t)->body.data, "1", 1) == 0);
    check_all(&t);

    teardown(&t);
}


/* only the newest state counts, and it does not wait longer for that */

static void
test_news(void)
{
    test_t    t;
    event_t  *ev;

    begin_store(&t, "holds_news");

    accept_one(&t, "ops", "a", ALERT, "1");
    hold(&t, "a", SILENCED, t.now + MINUTE);
    t.now += SECOND;

    /* what sets no state waits behind it */

    accept_one(&t, "ops", "a", COMMENT, "2");
    check_str(waiting(&t, "ops"), "1 0 1 0");
    check_all(&t);
    check_int(take_n(&t, "ops", 10), 0);

    t.now += MINUTE;
    check_str(drain(&t, "ops"), "a:1 a:2");

    accept_one(&t, "ops", "b", ALERT, "3");
    hold(&t, "b", LISTED, RELEASED);
    ev = level(accept_event(&t, "ops", "b", ALERT, "4"), WARNING);
    check_int(run(&t), OK);
    check_int(ev->coalesced, 1);
    check_str(waiting(&t, "ops"), "1 0 0 0");
    check_all(&t);
    check_str(drain(&t, "ops"), "b:4");

    teardown(&t);
}


/* an operator empties the queue of a source */

static void
test_empty(void)
{
    test_t   t;
    order_t  o;

    begin_store(&t, "holds_empty");

    accept_one(&t, "ops", "shown", ALERT, "1");
    check_str(drain(&t, "ops"), "shown:1");
    accept_event(&t, "ops", "shown", RESOLVE, "2")->id = 2;
    accept_event(&t, "ops", "shown", COMMENT, "3")->id = 3;
    accept_event(&t, "ops", "silenced", ALERT, "4")->id = 4;
    accept_event(&t, "ops", "listed", ALERT, "5")->id = 5;
    accept_event(&t, "ops", "listed", COMMENT, "6")->id = 6;
    accept_event(&t, "dev", "other", ALERT, "7")->id = 7;
    accept_event(&t, "ops", "over", RESOLVE, "8")->id = 8;
    check_int(run(&t), OK);
    hold(&t, "shown", HELD, t.now + MINUTE);
    hold(&t, "over", HELD, t.now + MINUTE);
    hold(&t, "silenced", SILENCED, t.now + MINUTE);
    hold(&t, "other", SILENCED, t.now + MINUTE);
    hold(&t, "listed", LISTED, RELEASED);
    check_all(&t);

    (void) order(&t, &o, EMPTY, "ops", 0);
    check_int(run(&t), OK);
    check_int(o.count, 4);

    /* a RESOLVE of what ilert may show stays, and is held as before */

    check_str(kept_events(&t, "ops"), "2 8");
    check_str(kept_alerts(&t, NULL, "ktu"),
              "shown 2 5,silenced 0 3,listed 0 3,other 2 6,over 2 5");
    check_all(&t);
    check_str(waiting(&t, "ops"), "0 2 0 0");
    check_str(waiting(&t, "dev"), "0 0 1 0");

    t.now += MINUTE;
    check_str(drain(&t, "ops"), "shown:2 over:8");
    check_str(drain(&t, "dev"), "other:7");
    check_all(&t);

    teardown(&t);
}


/* the source of an alert gets another integration key */

static ngx_uint_t
begin_with(test_t *t, const char *owner)
{
    ngx_memzero(&homes[0], sizeof(homes[0]));

    homes[0].source.data = (u_char *) "ops";
    homes[0].source.len = 3;
    homes[0].owner.data = (u_char *) owner;
    homes[0].owner.len = strlen(owner);

    t->job.begin = 1;
    t->job.homes = homes;
    t->job.nhomes = 1;

    return run(t);
}


static void
test_moved(void)
{
    test_t  t;

    begin_store(&t, "holds_moved");

    check_int(begin_with(&t, "one"), OK);
    accept_event(&t, "ops", "a", RESOLVE, "1");
    accept_event(&t, "ops", "b", ALERT, "2");
    accept_event(&t, "ops", "c", ALERT, "3");
    ngx_str_set(&t.accepted->owner, "one");
    check_int(run(&t), OK);

    hold(&t, "a", HELD, t.now + MINUTE);
    hold(&t, "b", SILENCED, t.now + MINUTE);
    hold(&t, "c", LISTED, RELEASED);

    check_int(begin_with(&t, "two"), OK);
    check_all(&t);

    /* nothing is lost, and each is judged again when its turn comes */

    t.now += MINUTE;
    check_str(drain(&t, "ops"), "b:2 c:3 a:1");
    check_all(&t);

    teardown(&t);
}


/* two alerts that become one are as bad as the worse one */

static void
test_united(void)
{
    test_t       t;
    work_t       work;
    alert_t    **alerts;
    ngx_uint_t   n;

    begin_store(&t, "holds_united");

    accept_event(&t, "ops", "k", ALERT, "1")->id = 1;
    accept_event(&t, "dev", "k", ALERT, "2")->id = 2;
    check_int(run(&t), OK);

    kept_begin(&t, &work);
    check_int(kept_load(&work, "k", &alerts), 2);
    alerts[0]->row.bad = CRITICAL;
    alerts[0]->row.begun = NOW - 5;
    alerts[0]->row.named = 7;
    ngx_str_set(&alerts[0]->summary, "worse");
    alerts[0]->retold = 1;
    alerts[1]->row.bad = WARNING;
    alerts[1]->row.begun = NOW - 9;
    ngx_str_set(&alerts[1]->summary, "bad");
    alerts[1]->retold = 1;
    kept_end(&t, &work);

    /* "ops" has the key of "dev" now */

    kept_begin(&t, &work);
    check_int(kept_load(&work, "k", &alerts), 2);
    n = (ngx_uint_t) alerts[1]->row.owner;
    kept_end(&t, &work);
    check(n != 0);

    check_int(begin_with(&t, "dev"), OK);

    kept_begin(&t, &work);
    check_int(kept_load(&work, "k", &alerts), 1);
    check_int(alerts[0]->row.owner, n);
    check_int(alerts[0]->row.bad, CRITICAL);
    check_int(alerts[0]->row.begun, NOW - 5);
    check_int(alerts[0]->row.named, 7);
    check_int(alerts[0]->summary.len, 5);
    check(memcmp(alerts[0]->summary.data, "worse", 5) == 0);
    kept_end(&t, &work);

    teardown(&t);
}


/*
 * A process of an earlier release lets go what is held when its time has come,
 * but leaves its urgency: nothing takes an alert with that.
 */

static void
let_go(test_t *t)
{
    work_t        work;
    alert_t     **alerts;
    ngx_uint_t    i, n;

    kept_begin(t, &work);

    n = kept_load(&work, NULL, &alerts);

    for (i = 0; i < n; i++) {
        alerts[i]->row.state = NGX_HTTP_ILERT_STORE_READY;
        alerts[i]->row.next = 0;
    }

    kept_end(t, &work);
}


static void
test_mended(void)
{
    test_t  t;

    begin_store(&t, "holds_mended");

    accept_event(&t, "ops", "a", ALERT, "1");
    accept_event(&t, "ops", "b", ALERT, "2");
    accept_event(&t, "ops", "c", ALERT, "3");
    check_int(run(&t), OK);

    hold(&t, "a", HELD, t.now + MINUTE);
    hold(&t, "b", SILENCED, t.now + MINUTE);
    hold(&t, "c", LISTED, RELEASED);
    let_go(&t);
    check_int(take_n(&t, "ops", 10), 0);

    /* an event of the alert mends it, and so does a courier that begins */

    accept_one(&t, "ops", "b", COMMENT, "4");
    check_str(drain(&t, "ops"), "b:2 b:4");

    check_int(begin_with(&t, "ops"), OK);
    check_all(&t);
    check_str(drain(&t, "ops"), "a:1 c:3");
    check_all(&t);

    teardown(&t);
}


/* what ilert refused has its turn, however many others are held back */

static void
test_turn(void)
{
    test_t       t;
    work_t       work;
    alert_t    **alerts;

    begin_store(&t, "holds_turn");

    accept_n(&t, "ops", 1010, ALERT, "x");
    check_int(run(&t), OK);
    hold(&t, "*", LISTED, RELEASED);

    accept_one(&t, "ops", "refused", ALERT, "y");

    kept_begin(&t, &work);
    check_int(kept_load(&work, "refused", &alerts), 1);
    alerts[0]->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alerts[0]->row.next = RELEASED;
    kept_end(&t, &work);

    check_int(take_n(&t, "ops", 10), 0);

    take(&t, "ops", 10, 0);
    t.takes[0].probe = 1;
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 1);
    check(memcmp(only(&t)->key.data, "refused", 7) == 0);

    teardown(&t);
}


test_case_t  hold_cases[] = {
    { "held until a time", test_time },
    { "held, and the clock is set back", test_late },
    { "news of what is held", test_news },
    { "what is held is discarded", test_empty },
    { "what is held moves to another key", test_moved },
    { "two alerts that are bad become one", test_united },
    { "held by nobody", test_mended },
    { "the turn of what was refused, beside what is held", test_turn },
    { NULL, NULL }
};
