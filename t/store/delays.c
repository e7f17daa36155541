
/* RESOLVEs that wait for "resolve_delay", or are an operator's */


#include "kept.h"


#define MINUTE   (60 * SECOND)
#define DELAY    (2 * MINUTE)

#define END      NGX_HTTP_ILERT_STORE_END_ALERT


static void
setup_delay(test_t *t, const char *name)
{
    setup(t, name);

    t->policy.coalesce = LATEST;
    t->policy.resolve_delay = DELAY;
}


/* so many alerts, "0", "1", ..., are open, and their RESOLVEs are held */

static void
hold(test_t *t, ngx_uint_t n)
{
    accept_n(t, "ops", n, ALERT, "A");
    check_int(run(t), OK);

    while (take_n(t, "ops", 1000)) {
        verdicts(t, DONE);
        check_int(run(t), OK);
    }

    accept_n(t, "ops", n, RESOLVE, "R");
    check_int(run(t), OK);
    check_int(outcome.coalesced, 0);
}


static ngx_uint_t
held(test_t *t)
{
    ngx_http_ilert_store_source_t  *source;

    query_t  *q;

    q = query(t, "ops", NULL);
    check_int(run(t), OK);

    source = q->sources.elts;

    return q->sources.nelts ? source->waiting[NGX_HTTP_ILERT_HELD] : 0;
}


/* how many jobs it takes */

static ngx_uint_t
resume(test_t *t, ngx_uint_t *count)
{
    order_t     o;
    ngx_uint_t  n;

    order(t, &o, RESUME, "ops", 0);

    *count = 0;

    for (n = 1; n < 100; n++) {
        check_int(run(t), OK);
        *count += o.count;

        if (!o.more) {
            break;
        }

        o.after[0] = o.next[0];
        o.after[1] = o.next[1];
        ngx_queue_insert_tail(&t->job.orders, &o.queue);
    }

    return n;
}


/* its RESOLVE goes as soon as something is taken */

static const char *
end_alert(test_t *t, const char *source, const char *key, uint64_t id)
{
    order_t  o;

    order(t, &o, END, source, id);

    o.key.data = (u_char *) key;
    o.key.len = strlen(key);
    o.owner = o.source;
    o.policy = t->policy;

    check_int(run(t), OK);
    check_counts(t);
    check_heads(t);

    return o.why ? o.why : o.count == 1 ? "ok" : "";
}


static void
test_due(void)
{
    test_t  t;

    setup_delay(&t, "delay_due");
    hold(&t, 3);
    check_int(held(&t), 3);

    /* nobody is woken up before, and each goes but once */

    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, NOW + DELAY);

    t.now += DELAY - 1;
    check_int(take_n(&t, "ops", 10), 0);
    t.now++;
    check_int(take_n(&t, "ops", 10), 3);
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_int(held(&t), 0);

    t.now += DAY;
    check_int(take_n(&t, "ops", 10), 0);
    check_str(kept_events(&t, NULL), "");

    teardown(&t);
}


static void
test_resume(void)
{
    test_t      t;
    ngx_uint_t  count;

    setup_delay(&t, "delay_resume");
    hold(&t, 2500);
    check_int(held(&t), 2500);
    check_int(take_n(&t, "ops", 1000), 0);

    /* in portions, and for good */

    check_int(resume(&t, &count), 3);
    check(count);
    check_int(held(&t), 0);
    check_counts(&t);

    release(&t, "ops");
    check_int(run(&t), OK);
    ngx_http_ilert_store_close(&t.store);
    t.job.begin = 1;
    check_int(run(&t), OK);

    check_int(take_n(&t, "ops", 3000), 2500);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    check_int(resume(&t, &count), 1);
    check_int(count, 0);

    /* those that come later are held */

    hold(&t, 2);
    check_int(held(&t), 2);

    teardown(&t);
}


/* another configuration: what a new courier releases goes by its time */

static void
test_changed(void)
{
    test_t  t;

    setup_delay(&t, "delay_changed");
    hold(&t, 3);

    t.now += MINUTE;
    t.policy.resolve_delay = 3 * MINUTE;
    release(&t, "ops");
    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, NOW + 3 * MINUTE);
    check_int(held(&t), 3);

    t.policy.resolve_delay = MINUTE + 1;
    release(&t, "ops");
    check_int(take_n(&t, "ops", 10), 0);
    check_int(outcome.due, NOW + MINUTE + 1);

    t.policy.resolve_delay = 0;
    release(&t, "ops");
    check_int(take_n(&t, "ops", 10), 3);
    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_counts(&t);

    teardown(&t);
}


/* a clock that is set back costs the time once, and no more */

static void
test_clock(void)
{
    test_t  t;

    setup_delay(&t, "delay_clock");
    hold(&t, 1);

    t.now -= DAY;
    t.job.longest = DELAY;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(held(&t), 1);

    t.now += DELAY - 1;
    t.job.longest = DELAY;
    check_int(take_n(&t, "ops", 10), 0);

    t.now++;
    t.job.longest = DELAY;
    check_int(take_n(&t, "ops", 10), 1);

    teardown(&t);

    /* likewise, if another one comes meanwhile */

    setup_delay(&t, "delay_clock_2");
    hold(&t, 1);

    t.now -= DAY;
    accept_event(&t, "ops", "0", RESOLVE, "again");
    t.job.longest = DELAY;
    check_int(take_n(&t, "ops", 10), 0);

    t.now += DELAY;
    t.job.longest = DELAY;
    check_int(take_n(&t, "ops", 10), 1);

    teardown(&t);
}


/* however old: it was not sent before because it is held */

static void
test_age(void)
{
    test_t  t;

    setup_delay(&t, "delay_age");
    hold(&t, 1);

    t.now += DELAY;
    take(&t, "ops", 10, MINUTE);
    check_int(run(&t), OK);
    check(taken(&t, 0) != NULL);
    check_int(outcome.expired, 0);

    teardown(&t);
}


/* neither what silence ends, nor what is sent again */

static void
test_others(void)
{
    event_t  *ev;
    test_t    t;
    order_t   o;

    setup_delay(&t, "delay_others");

    accept_one(&t, "ops", "quiet", ALERT, "1");
    accept_one(&t, "ops", "dies", ALERT, "2");
    drain(&t, "ops");

    accept_event(&t, "ops", "dies", RESOLVE, "3")->id = 77;
    check_int(run(&t), OK);
    t.now += DELAY;
    ev = take_one(&t, "ops");
    ev->status = 400;
    ngx_str_set(&ev->error, "no");
    decide(&t, ev, DEAD);
    check_str(kept_letters(&t, "i"), "77");

    order(&t, &o, REPLAY, "ops", 77);
    check_int(run(&t), OK);
    check_int(o.count, 1);
    check_int(take_n(&t, "ops", 10), 1);
    verdicts(&t, DONE);
    check_int(run(&t), OK);

    t.policy.resolve_after = MINUTE;
    t.now += MINUTE;
    take_stale(&t, 10, 2);
    check_int(outcome.resolved, 1);
    check_int(only(&t)->said.own, NGX_HTTP_ILERT_OWN_SILENT);

    teardown(&t);
}


/* a paused source keeps it, and all it has held goes when it is resumed */

static void
test_pause(void)
{
    test_t      t;
    order_t     o;
    ngx_uint_t  count;

    setup_delay(&t, "delay_pause");
    hold(&t, 2);

    order(&t, &o, PAUSE, "ops", 0);
    check_int(run(&t), OK);

    t.now += MINUTE;
    check_int(take_n(&t, "ops", 10), 0);
    check_int(held(&t), 2);

    resume(&t, &count);
    check_int(count, 1);
    check_int(take_n(&t, "ops", 10), 2);

    teardown(&t);
}


/* discarding does not take it, since ilert shows the alert */

static void
test_empty(void)
{
    test_t   t;
    order_t  o;

    setup_delay(&t, "delay_empty");
    hold(&t, 1);
    accept_event(&t, "ops", "0", COMMENT, "M");
    check_int(run(&t), OK);
    check_heads(&t);

    order(&t, &o, EMPTY, "ops", 0);
    check_int(run(&t), OK);
    check_int(o.count, 1);
    check_counts(&t);
    check_heads(&t);
    check_int(held(&t), 1);

    t.now += DELAY;
    check_int(take_n(&t, "ops", 10), 1);

    teardown(&t);
}


/* an event of the alert must not be relayed before what is held */

static void
test_waits(void)
{
    ngx_uint_t  urgency;

    for (urgency = 0; urgency < NGX_HTTP_ILERT_URGENCIES; urgency++) {
        check_int(ngx_http_ilert_work_waits(NGX_HTTP_ILERT_STORE_WAITING,
                                            urgency, 5),
                  urgency != NGX_HTTP_ILERT_REPEATS);
    }
}


/* what has been held for long is not old, and has no turn by that */

static void
test_turn(void)
{
    test_t  t;

    setup_delay(&t, "delay_turn");
    hold(&t, 1);

    t.policy.resolve_delay = 60 * MINUTE;
    t.now += MINUTE;
    release(&t, "ops");
    take_n(&t, "ops", 1);

    t.now = NOW + 60 * MINUTE;
    level(accept_event(&t, "ops", "new", ALERT, "A"), CRITICAL);
    check_int(take_n(&t, "ops", 1), 1);
    check(taken(&t, 0)->key.data[0] == 'n');

    teardown(&t);
}


static void
test_end(void)
{
    test_t    t;
    event_t  *ev;

    setup_delay(&t, "end");

    /* whatever is known: nothing at all, first */

    check_str(end_alert(&t, "ops", " Key\t", 50), "ok");
    ev = take_one(&t, "ops");
    check_int(ev->id, 50);
    check_int(ev->said.type, RESOLVE);
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_ORDER);
    check_int(ev->body.len, 0);
    decide(&t, ev, DONE);

    /* as it is kept, also over a restart; it is never too old */

    check_str(end_alert(&t, "ops", "KEY", 51), "ok");
    ngx_http_ilert_store_close(&t.store);
    t.now += DAY;
    take(&t, "ops", 10, MINUTE);
    check_int(run(&t), OK);
    ev = only(&t);
    check_int(ev->id, 51);
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_ORDER);
    decide(&t, ev, DONE);

    /* an ALERT of it that was never sent */

    accept_one(&t, "ops", "key", ALERT, "A");
    check_str(end_alert(&t, "ops", "key", 52), "ok");
    ev = take_one(&t, "ops");
    check_int(ev->id, 52);
    decide(&t, ev, DONE);
    check_str(kept_events(&t, NULL), "");

    /* the key stays as it was written */

    accept_one(&t, "ops", "Key", ALERT, "A");
    decide(&t, take_one(&t, "ops"), DONE);
    check_str(end_alert(&t, "ops", "KEY", 53), "ok");
    ev = take_one(&t, "ops");
    check(ev->key.len == 3 && memcmp(ev->key.data, "Key", 3) == 0);
    decide(&t, ev, DONE);

    check_str(end_alert(&t, "none", "key", 54), "there is no such source");

    /* one that is not configured any more cannot send it */

    accept_one(&t, "ops", "key", ALERT, "A");
    t.removed = "ops";
    check_str(end_alert(&t, "ops", "key", 55), "there is no such source");

    teardown(&t);
}


/* a RESOLVE and its ALERT take two requests, and wait for the second one */

static void
test_raise(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "raise");
    t.policy.coalesce = LATEST;
    budget(&t, "key", 1, MINUTE);

    ev = level(accept_event(&t, "ops", "k", ALERT, "1"), WARNING);
    ev->said.priority = NGX_HTTP_ILERT_LOW;
    check_int(run(&t), OK);
    decide(&t, take_one(&t, "ops"), DONE);

    accept_one(&t, "ops", "k", ALERT, "2");
    check_int(take_n(&t, "ops", 1), 0);

    t.now += MINUTE;
    ev = take_one(&t, "ops");
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_REOPEN);
    check_int(ev->urgency, NGX_HTTP_ILERT_CRITICAL_FIRST);
    check_int(ev->attempts, 0);
    decide(&t, ev, DONE);

    check_str(kept_alerts(&t, NULL, "so"), "2 -");
    check_int(take_n(&t, "ops", 1), 0);
    ngx_http_ilert_store_close(&t.store);

    /* a digest has let it go already */

    t.now += MINUTE;
    ev = take_one(&t, "ops");
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_NONE);
    check_int(ev->said.freed, 1);
    check_int(ev->urgency, NGX_HTTP_ILERT_CRITICAL_FIRST);
    check_int(ev->attempts, 0);
    decide(&t, ev, DONE);

    check_counts(&t);
    teardown(&t);
}


test_case_t  delay_cases[] = {
    { "delay: due", test_due },
    { "delay: resume", test_resume },
    { "delay: changed", test_changed },
    { "delay: clock", test_clock },
    { "delay: age", test_age },
    { "delay: what is not held", test_others },
    { "delay: pause", test_pause },
    { "delay: discard", test_empty },
    { "delay: no relay", test_waits },
    { "delay: turn", test_turn },
    { "delay: an operator's", test_end },
    { "delay: raise", test_raise },
    { NULL, NULL }
};
