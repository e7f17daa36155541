
/* webhooks that were refused: which ones are kept, and what becomes of them */


#include "store_test.h"


#define FORGET   NGX_HTTP_ILERT_STORE_FORGET

#define goes     ngx_http_ilert_rules_refused_goes


refused_t *
refuse_webhook(test_t *t, const char *error, const char *body,
    size_t size)
{
    refused_t  *refused;

    if (body) {
        size = strlen(body);
    }

    refused = calloc(1, sizeof(refused_t) + size + 1);

    refused->time = t->now;
    refused->status = 400;
    refused->size = size;

    ngx_str_set(&refused->from, "192.0.2.1");
    ngx_str_set(&refused->location, "/kapacitor");

    refused->error.data = (u_char *) error;
    refused->error.len = strlen(error);

    refused->body.data = (u_char *) refused + sizeof(refused_t);
    refused->body.len = size;

    if (body) {
        memcpy(refused->body.data, body, size);

    } else {
        memset(refused->body.data, 'x', size);
    }

    ngx_queue_insert_tail(&t->job.refused, &refused->queue);

    return refused;
}


static void
refuse_n(test_t *t, ngx_uint_t n, size_t size)
{
    while (n--) {
        refuse_webhook(t, "e", NULL, size);
    }
}


/* ids of those that are listed, the last one first */

static const char *
listed(test_t *t, int64_t *n)
{
    char            *p;
    query_t         *q;
    refused_t       *kept;
    ngx_uint_t       i;

    static char      text[2048];

    q = query(t, "", NULL);
    check_int(run(t), OK);
    check(q->ok);

    p = text;
    *p = '\0';
    kept = q->kept.elts;

    for (i = 0; i < q->kept.nelts; i++) {
        p += sprintf(p, "%s%lld", i ? "," : "", (long long) kept[i].id);
        check_int(kept[i].body.len, 0);
    }

    if (n) {
        *n = q->nkept;
    }

    return text;
}


/* the one of that id, with its body, or NULL */

static refused_t *
get(test_t *t, int64_t id)
{
    query_t  *q;

    q = query(t, "", NULL);
    q->refused = id;
    check_int(run(t), OK);
    check(q->ok);
    check_int(q->sources.nelts, 0);
    check(q->kept.nelts <= 1);

    return q->kept.nelts ? q->kept.elts : NULL;
}


static ngx_uint_t
is_text(ngx_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


/* the rule, at its edges */

static void
test_rule(void)
{
    check(!goes(1000, 0, 0, NOW, NOW));
    check(goes(1001, 0, 0, NOW, NOW));

    check(!goes(1, 1000, 10000, NOW, NOW));
    check(goes(1, 1001, 10000, NOW, NOW));
    check(!goes(1, INT64_MAX, 0, NOW, NOW));

    check(!goes(1, 0, 0, NOW - 30 * DAY + 1, NOW));
    check(goes(1, 0, 0, NOW - 30 * DAY, NOW));

    /* the clock was set back */
    check(!goes(1, 0, 0, NOW + DAY, NOW));
}


static void
test_roundtrip(void)
{
    test_t      t;
    int64_t     n;
    refused_t  *r;

    setup(&t, "refused");

    check(strcmp(listed(&t, &n), "") == 0);
    check_int(n, 0);

    r = refuse_webhook(&t, "level: missing", "{}", 0);
    r->time = NOW - 5;
    r->status = 422;
    r->size = 70000;
    ngx_str_set(&r->from, "2001:db8::1");
    ngx_str_set(&r->location, "/other");

    refuse_webhook(&t, "", "", 0);
    refuse_webhook(&t, "json", "a\"b\n\xff", 0);

    check_int(run(&t), OK);
    check_int(outcome.kept, 3);

    check_str(listed(&t, &n), "3,2,1");
    check_int(n, 3);

    ngx_http_ilert_store_close(&t.store);
    check_int(run(&t), OK);

    r = get(&t, 1);
    check(r != NULL);
    check_int(r->id, 1);
    check_int(r->time, NOW - 5);
    check_int(r->status, 422);
    check_int(r->size, 70000);
    check(is_text(&r->from, "2001:db8::1"));
    check(is_text(&r->location, "/other"));
    check(is_text(&r->error, "level: missing"));
    check(is_text(&r->body, "{}"));

    r = get(&t, 2);
    check_int(r->body.len, 0);
    check_int(r->error.len, 0);

    r = get(&t, 3);
    check(is_text(&r->body, "a\"b\n\xff"));
    check_int(r->size, 5);

    check(get(&t, 4) == NULL);
    check(get(&t, -1) == NULL);

    teardown(&t);
}


/* it is the last ones that are kept, of a job or of many */

static void
test_number(void)
{
    int      i;
    test_t   t;
    int64_t  n;

    setup(&t, "number");

    refuse_n(&t, 1, 0);
    check_int(run(&t), OK);

    refuse_n(&t, 1100, 10);
    check_int(run(&t), OK);
    check_int(outcome.kept, 1000);
    check(get(&t, 1) == NULL);
    check(get(&t, 2) != NULL);

    refuse_n(&t, 3, 10);
    check_int(run(&t), OK);
    check_int(outcome.kept, 3);
    check(get(&t, 4) == NULL);
    check(get(&t, 5) != NULL);

    listed(&t, &n);
    check_int(n, 1000);

    for (i = 0; i < 20; i++) {
        refuse_n(&t, 100, 1);
        check_int(run(&t), OK);
        check_int(outcome.kept, 100);
    }

    check(strncmp(listed(&t, &n), "3004,3003,", 10) == 0);
    check_int(n, 1000);

    /* all of them are new */

    refuse_n(&t, 1000, 1);
    check_int(run(&t), OK);
    check_int(outcome.kept, 1000);
    check(strncmp(listed(&t, &n), "4004,4003,", 10) == 0);
    check_int(n, 1000);

    teardown(&t);
}


/* a tenth of max_size, with what else there is in a row */

static void
test_size(void)
{
    test_t   t;
    int64_t  n;

    setup(&t, "size");
    t.store.max_size = 1024 * 1024;

    refuse_n(&t, 3, 34000);
    check_int(run(&t), OK);
    check_int(outcome.kept, 3);

    refuse_n(&t, 1, 10000);
    check_int(run(&t), OK);
    check_str(listed(&t, &n), "4,3,2");
    check_int(n, 3);

    refuse_n(&t, 4, 34000);
    check_int(run(&t), OK);
    check_int(outcome.kept, 3);
    check_str(listed(&t, NULL), "7,6,5");

    /* one that is too large by itself is not worth all the others */

    refuse_n(&t, 1, 110000);
    check_int(run(&t), OK);
    check_int(outcome.kept, 0);
    check_str(listed(&t, NULL), "7,6,5");

    teardown(&t);
}


static void
test_age(void)
{
    test_t   t;
    int64_t  n;

    setup(&t, "age");

    refuse_n(&t, 70, 1);
    check_int(run(&t), OK);

    t.now += DAY;
    refuse_n(&t, 1, 1);
    check_int(run(&t), OK);

    t.now = NOW + 30 * DAY - 1;
    t.job.clean = 1;
    check_int(run(&t), OK);
    listed(&t, &n);
    check_int(n, 71);

    t.now++;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 0);
    check_str(listed(&t, NULL), "71");

    t.now += DAY;
    refuse_n(&t, 1, 1);
    check_int(run(&t), OK);
    check_str(listed(&t, NULL), "72");

    t.now += 30 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(listed(&t, &n), "");
    check_int(n, 0);

    /* nothing is to be cleaned */

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(run(&t), OK);

    teardown(&t);
}


/* events of the same job do not depend on it, and nor does the state */

static void
test_faults(void)
{
    test_t      t;
    fault_e     fault;
    ngx_uint_t  n, failed, lost;

    failed = 0;
    lost = 0;

    for (fault = FAULT_IOERR; fault <= FAULT_FULL; fault++) {

        for (n = 1; n < 200; n++) {
            setup(&t, "refused_faults");
            accept_one(&t, "ops", "k", ALERT, "1");

            refuse_webhook(&t, "e", NULL, 20000);
            refuse_webhook(&t, "e", NULL, 20000);
            store_fault(n, fault, 0);

            check_int(run(&t), OK);

            failed += store_faults();

            if (store_faults()) {
                check(outcome.kept == 0 || outcome.kept == 2);
                lost += (outcome.kept == 0);
            }

            store_fault(0, FAULT_NONE, 0);

            check_str(t.store.error, "");

            if (failed == 0 || outcome.kept == 2) {
                check_str(listed(&t, NULL), "2,1");

            } else {
                check_str(listed(&t, NULL), "");
            }

            accept_one(&t, "ops", "k", ALERT, "2");
            refuse_n(&t, 1, 1);
            check_int(run(&t), OK);
            check_int(outcome.kept, 1);
            check_str(drain(&t, "ops"), "k:1 k:2");

            teardown(&t);

            if (failed + 1 < n) {
                break;
            }
        }
    }

    check(failed > 1);
    check(lost > 1);
}


/* a job whose events find no room keeps nothing, and nor does one after it */

static void
test_trouble(void)
{
    test_t  t;

    setup(&t, "refused_trouble");
    accept_one(&t, "ops", "k", ALERT, "1");

    store_fault(1, FAULT_FULL, 1000);
    accept_event(&t, "ops", "k", ALERT, "2");
    refuse_n(&t, 2, 10);
    check(run(&t) != OK);
    check_int(outcome.kept, 0);

    refuse_n(&t, 2, 10);
    check(run(&t) != OK);
    check_int(outcome.kept, 0);
    store_fault(0, FAULT_NONE, 0);

    t.now += SECOND;
    accept_event(&t, "ops", "k", ALERT, "2");
    refuse_n(&t, 2, 10);
    check_int(run(&t), OK);
    check_int(outcome.kept, 2);
    check_str(listed(&t, NULL), "2,1");

    teardown(&t);
}


/* they give way to events, before alerts that are open */

static void
test_room(void)
{
    int         i;
    char        key[16], *body;
    test_t      t;
    ngx_uint_t  evicted;

    /* room is made in transactions of its own, which a failure leaves done */

    failing_times = 0;

    setup(&t, "refused_room");
    t.store.max_size = 1024 * 1024;

    accept_one(&t, "ops", "open", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);

    refuse_n(&t, 10, 10000);
    check_int(run(&t), OK);
    check_int(outcome.kept, 10);

    body = malloc(10001);
    memset(body, 'x', 10000);
    body[10000] = '\0';

    evicted = 0;

    for (i = 0; i < 200 && evicted == 0; i++) {
        sprintf(key, "%d", i);
        accept_event(&t, "ops", key, ALERT, body);
        check_int(run(&t), OK);
        check_int(outcome.forgotten, 0);
        evicted = outcome.evicted;
    }

    check_int(evicted, 10);
    check(i > 40);
    check_str(listed(&t, NULL), "");

    /* with no room they are not kept, and events go on */

    for ( /* void */ ; i < 200; i++) {
        sprintf(key, "%d", i);
        accept_event(&t, "ops", key, ALERT, body);
        refuse_n(&t, 1, 20000);

        if (run(&t) != OK) {
            break;
        }
    }

    check_int(t.store.state, FULL);
    check_int(outcome.kept, 0);

    take(&t, "ops", 3, 0);
    check_int(run(&t), FULL);
    check(taken(&t, 2) != NULL);

    free(body);
    teardown(&t);
}


static void
test_discard(void)
{
    test_t      t;
    int64_t     n;
    order_t     o;
    ngx_uint_t  jobs, count;

    setup(&t, "refused_discard");

    order(&t, &o, FORGET, "", 1);
    check_int(run(&t), OK);
    check(o.missing);
    check_str(o.why, "there is no such refused webhook");

    order(&t, &o, FORGET, "", 0);
    check_int(run(&t), OK);
    check_int(o.count, 0);
    check(!o.missing && !o.more);

    refuse_n(&t, 250, 10);
    check_int(run(&t), OK);

    order(&t, &o, FORGET, "", 249);
    check_int(run(&t), OK);
    check_int(o.count, 1);
    check(!o.missing && !o.more);
    check(get(&t, 249) == NULL);
    check(get(&t, 250) != NULL);

    order(&t, &o, FORGET, "", 249);
    check_int(run(&t), OK);
    check_int(o.count, 0);
    check(o.missing);

    /* in parts; what comes in meanwhile stays */

    jobs = 0;
    count = 0;
    order(&t, &o, FORGET, "", 0);

    do {
        refuse_n(&t, 100, 10);
        check_int(run(&t), OK);
        check(!o.missing);

        jobs++;
        count += o.count;

        o.after[0] = o.next[0];
        o.after[1] = o.next[1];

        if (o.more) {
            ngx_queue_insert_tail(&t.job.orders, &o.queue);
        }

    } while (o.more && jobs < 10);

    check_int(jobs, 3);
    check_int(count, 249);

    listed(&t, &n);
    check_int(n, 300);

    /* numbers are not used again */

    order(&t, &o, FORGET, "", 550);
    check_int(run(&t), OK);
    refuse_n(&t, 1, 10);
    check_int(run(&t), OK);
    check(get(&t, 550) == NULL);
    check(get(&t, 551) != NULL);

    order(&t, &o, FORGET, "", 0);
    check_int(run(&t), OK);
    check_int(o.count, 100);
    check(o.more);

    teardown(&t);
}


/* all that is listed is a hundred */

static void
test_listed(void)
{
    test_t    t;
    int64_t   n;
    query_t  *q;

    setup(&t, "refused_listed");

    accept_one(&t, "ops", "k", ALERT, "1");
    refuse_n(&t, 103, 1);
    check_int(run(&t), OK);

    check(strncmp(listed(&t, &n), "103,102,", 8) == 0);
    check_int(n, 103);

    q = query(&t, "ops", NULL);
    check_int(run(&t), OK);
    check_int(q->kept.nelts, 100);

    q = query(&t, "ops", "k");
    check_int(run(&t), OK);
    check(q->found);
    check_int(q->kept.nelts, 0);

    teardown(&t);
}


test_case_t  refused_cases[] = {
    { "which refused webhooks go", test_rule },
    { "refused webhooks as they came", test_roundtrip },
    { "the last refused webhooks", test_number },
    { "the size of refused webhooks", test_size },
    { "old refused webhooks", test_age },
    { "refused webhooks that cannot be kept", test_faults },
    { "refused webhooks in trouble", test_trouble },
    { "refused webhooks give way", test_room },
    { "refused webhooks are discarded", test_discard },
    { "refused webhooks are listed", test_listed },
    { NULL, NULL }
};


/* counts that somebody has made wrong */

static void
test_miscounted(void)
{
    test_t  t;

    setup(&t, "refused_miscounted");

    refuse_n(&t, 3, 10);
    check_int(run(&t), OK);
    check_str(sql(&t, "SELECT refused || ' ' || refused_bytes FROM total"),
              "3 282");
    check_str(sql(&t, "SELECT sum(bytes) FROM refused"), "282");

    sql(&t, "UPDATE total SET refused = 1000000, refused_bytes = -1");

    refuse_n(&t, 2, 10);
    check_int(run(&t), OK);
    check_int(outcome.kept, 2);
    check_str(listed(&t, NULL), "5,4");

    /* by hand */

    sql(&t, "UPDATE total SET refused = 2, refused_bytes = 188");
    sql(&t, "DELETE FROM refused WHERE id = 4");
    check_str(sql(&t, "SELECT refused || ' ' || refused_bytes FROM total"),
              "1 94");

    teardown(&t);
}


test_case_t  refused_sqlite_cases[] = {
    { "refused webhooks that are miscounted", test_miscounted },
    { NULL, NULL }
};
