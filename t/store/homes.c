
/*
 * Alerts belong to integration keys: sources that share one, sources that get
 * another one, and what was there before anybody knew of keys.  And what is
 * known after another nginx, or another queue, has come to an end.
 */


#include "kept.h"


static ngx_http_ilert_store_home_t  homes[MAX_TAKES];


/* an event of a source with that key */

static event_t *
come(test_t *t, const char *source, const char *owner, const char *key,
    ngx_uint_t type, const char *body)
{
    event_t  *ev;

    ev = accept_event(t, source, key, type, body);
    ev->id = atoi(body);
    ev->owner.data = (u_char *) owner;
    ev->owner.len = strlen(owner);

    return ev;
}


static void
home(test_t *t, const char *source, const char *owner)
{
    ngx_http_ilert_store_home_t  *h;

    h = &homes[t->job.nhomes++];

    memset(h, 0, sizeof(*h));

    h->source.data = (u_char *) source;
    h->source.len = strlen(source);
    h->owner.data = (u_char *) owner;
    h->owner.len = strlen(owner);

    t->job.homes = homes;
}


/* a courier begins with that configuration; how many jobs that takes */

static ngx_uint_t
begin(test_t *t, ...)
{
    va_list      args;
    ngx_uint_t   i, jobs, n;
    const char  *source;

    t->job.begin = 1;

    va_start(args, t);

    while ((source = va_arg(args, const char *))) {
        home(t, source, va_arg(args, const char *));
    }

    va_end(args);

    n = t->job.nhomes;

    for (jobs = 1; ; jobs++) {
        check_int(run(t), OK);
        check_heads(t);

        for (i = 0; i < n; i++) {
            homes[i].after = homes[i].next;
        }

        if (!outcome.moving) {
            return jobs;
        }

        check_int(outcome.due, t->now);

        t->job.homes = homes;
        t->job.nhomes = n;
    }
}


/* takes of all of these sources, and delivers, till the end */

static const char *
drain_all(test_t *t, ...)
{
    char         *p;
    va_list       args;
    event_t      *ev;
    const char   *source;
    static char   text[8192];

    p = text;
    *p = '\0';

    for ( ;; ) {
        va_start(args, t);

        while ((source = va_arg(args, const char *))) {
            take(t, source, 100, 0);
        }

        va_end(args);

        check_int(run(t), OK);

        if (taken(t, 0) == NULL) {
            check_counts(t);
            check_heads(t);
            return text;
        }

        while ((ev = taken(t, 0))) {
            p += sprintf(p, "%s%.*s/%.*s", p == text ? "" : " ",
                         (int) ev->source.len, ev->source.data,
                         (int) ev->body.len, ev->body.data);
            verdict(t, ev, DONE);
        }
    }
}


/* alerts that are open, and shown under that source */

static int64_t
open_of(test_t *t, const char *name)
{
    query_t                        *q;
    ngx_uint_t                      i;
    ngx_http_ilert_store_source_t  *source;

    q = query(t, "", NULL);
    check_int(run(t), OK);

    source = q->sources.elts;

    for (i = 0; i < q->sources.nelts; i++) {
        if (source[i].name.len == strlen(name)
            && memcmp(source[i].name.data, name, strlen(name)) == 0)
        {
            return source[i].open;
        }
    }

    return -1;
}


/* one at a time, in order, whichever source */

static void
test_shared(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "shared");

    come(&t, "a", "K", "k", ALERT, "1");
    come(&t, "b", "K", " K ", RESOLVE, "2");
    come(&t, "a", "K", "k", ALERT, "3");
    come(&t, "c", "L", "k", ALERT, "4");
    check_int(run(&t), OK);
    check_counts(&t);

    check_int(kept_count(&t, NULL), 2);

    take(&t, "a", 10, 0);
    take(&t, "b", 10, 0);
    take_n(&t, "c", 10);
    check_int(outcome.takes[0].taken, 1);
    check_int(outcome.takes[1].taken, 0);
    check_int(outcome.takes[2].taken, 1);

    ev = taken(&t, 0);
    ev->next = t.now + 1000;
    verdict(&t, ev, AGAIN);
    verdict(&t, taken(&t, 0), DONE);
    take_n(&t, "b", 10);
    check(taken(&t, 0) == NULL);

    t.now += 1000;
    check_str(drain_all(&t, "a", "b", "c", NULL), "a/1 b/2 a/3");
    check_int(open_of(&t, "a"), 1);
    check_int(open_of(&t, "b"), 0);
    check_int(open_of(&t, "c"), 1);

    /* it is shown under the source of its last event */

    come(&t, "b", "K", "k", ALERT, "5");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", NULL), "b/5");
    check_int(open_of(&t, "a"), 0);
    check_int(open_of(&t, "b"), 1);

    teardown(&t);
}


/* what one source has told counts for the other */

static void
test_shared_coalesce(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "shared_coalesce");
    t.policy.coalesce = REPEATS;

    come(&t, "crit", "K", "k", ALERT, "1");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "crit", "ok", NULL), "crit/1");

    come(&t, "ok", "K", "k", RESOLVE, "2");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "crit", "ok", NULL), "ok/2");

    /* no repeat: it is a new incident */

    come(&t, "crit", "K", "k", ALERT, "3");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 0);
    check_str(drain_all(&t, "crit", "ok", NULL), "crit/3");

    /* a repeat of another source is one, too, and is judged as its own */

    come(&t, "warn", "K", "k", ALERT, "4");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);

    ev = come(&t, "off", "K", "k", ALERT, "5");
    ev->policy.coalesce = OFF;
    check_int(run(&t), OK);
    t.policy.coalesce = OFF;
    check_str(drain_all(&t, "crit", "ok", "warn", "off", NULL),
              "warn/4 off/5");

    teardown(&t);
}


/* an event of a paused source holds those behind it */

static void
test_shared_paused(void)
{
    test_t   t;
    order_t  o;

    setup(&t, "shared_paused");

    come(&t, "a", "K", "k", ALERT, "1");
    come(&t, "b", "K", "k", RESOLVE, "2");
    come(&t, "b", "K", "other", ALERT, "3");
    order(&t, &o, PAUSE, "a", 0);
    check_int(run(&t), OK);
    check_int(o.count, 1);

    check_str(drain_all(&t, "a", "b", NULL), "b/3");

    order(&t, &o, RESUME, "a", 0);
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", NULL), "a/1 b/2");

    /* only its own are discarded with a source */

    come(&t, "a", "K", "k", ALERT, "4");
    come(&t, "b", "K", "k", ALERT, "5");
    come(&t, "a", "K", "k", COMMENT, "6");
    check_int(run(&t), OK);
    order(&t, &o, EMPTY, "a", 0);
    check_int(run(&t), OK);
    check_int(o.count, 2);
    check_counts(&t);
    check_str(drain_all(&t, "a", "b", NULL), "b/5");

    teardown(&t);
}


static void
test_shared_resolve_after(void)
{
    test_t  t;

    setup(&t, "shared_resolve_after");

    come(&t, "a", "K", "k", ALERT, "1");
    come(&t, "b", "K", "k", ALERT, "2");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", NULL), "a/1 b/2");

    t.now += 100 * SECOND;
    t.job.nids = 1;
    take(&t, "a", 1, 0);
    t.takes[0].policy.resolve_after = SECOND;
    check_int(run(&t), OK);
    check_int(outcome.resolved, 0);

    t.ids[0] = 77;
    t.job.nids = 1;
    take(&t, "b", 1, 0);
    t.takes[0].policy.resolve_after = SECOND;
    check_int(run(&t), OK);
    check_int(outcome.resolved, 1);
    check(only(&t) && only(&t)->id == 77);
    decide(&t, only(&t), DONE);
    check_counts(&t);

    teardown(&t);
}


/*
 * An alert as 0.1.0 keeps it, without an owner; such a source has none until
 * somebody knows it.
 */

static void
stray(test_t *t, const char *source, const char *key, ngx_uint_t shows,
    const char *body)
{
    work_t                         work;
    alert_t                       *alert;
    event_t                       *ev;
    ngx_str_t                      name, empty, *folded;
    waiting_t                     *w;
    ngx_http_ilert_store_ident_t  *ident;

    name.data = (u_char *) source;
    name.len = strlen(source);
    ngx_str_set(&empty, "");

    ev = new_event(source, key, ALERT, body ? body : "");

    kept_begin(t, &work);

    check(ngx_http_ilert_work_source(&work, &name, &empty, &ident) == NGX_OK);

    folded = ngx_http_ilert_work_fold(&work, &ev->key);

    if (ngx_http_ilert_work_find_alert(&work, 0, ident->id, folded, &alert)
        == NGX_DECLINED)
    {
        check(ngx_http_ilert_work_add_alert(&work, 0, ident->id, folded,
                                            &ev->key, &alert)
              == NGX_OK);

        alert->row.shows = shows;
        alert->row.epoch = work.total.epoch;
        alert->row.level = CRITICAL;
        alert->row.delivered = t->now;
        alert->row.changed = t->now;
        alert->row.told = t->now;
        alert->row.last = t->now;
    }

    if (body) {
        check(ngx_http_ilert_work_edges(&work, alert,
                                        NGX_HTTP_ILERT_STORE_FRONT, 0)
              == NGX_OK);

        w = ngx_pcalloc(work.pool, sizeof(waiting_t));

        w->seq = work.next_seq++;
        w->id = atoi(body);
        w->since = t->now;
        w->said.type = ALERT;
        w->said.level = CRITICAL;
        w->said.received = t->now;
        w->ev = ev;
        w->change = NGX_HTTP_ILERT_STORE_ADDED;

        ngx_queue_insert_tail(&alert->waiting, &w->queue);
        ngx_http_ilert_work_change(alert, w, NGX_HTTP_ILERT_STORE_ADDED);

        if (alert->row.head == 0) {
            alert->row.head = w->seq;
        }

        alert->row.urgency = NGX_HTTP_ILERT_CRITICAL_FIRST;

        check(ngx_http_ilert_work_tally(&work, ident->id, w->urgency, 1)
              == NGX_OK);
    }

    kept_end(t, &work);

    ngx_free(ev);
}


/* alerts for which nothing waits; without an owner, or of one */

static void
many(test_t *t, const char *source, const char *owner, int first, int last)
{
    char                           text[32];
    work_t                         work;
    alert_t                       *alert;
    ngx_str_t                      name, key, own;
    ngx_http_ilert_store_ident_t  *ident;

    name.data = (u_char *) source;
    name.len = strlen(source);
    own.data = (u_char *) owner;
    own.len = strlen(owner);
    key.data = (u_char *) text;

    kept_begin(t, &work);

    check(ngx_http_ilert_work_source(&work, &name, &own, &ident) == NGX_OK);

    for ( /* void */ ; first <= last; first++) {
        key.len = sprintf(text, "%d", first);

        check(ngx_http_ilert_work_add_alert(&work, own.len ? ident->owner : 0,
                                            ident->id, &key, &key, &alert)
              == NGX_OK);

        alert->row.shows = NGX_HTTP_ILERT_SHOWS_OPEN;
        alert->row.epoch = 1;
        alert->row.level = CRITICAL;
        alert->row.last = NOW;
    }

    kept_end(t, &work);
}


/* the budget of that name, or 0 */

static int64_t
owner_id(test_t *t, const char *owner)
{
    work_t                        work;
    ngx_int_t                     rc;
    ngx_str_t                     name;
    ngx_http_ilert_store_fund_t   fund;

    name.data = (u_char *) owner;
    name.len = strlen(owner);

    memset(&fund, 0, sizeof(ngx_http_ilert_store_fund_t));

    kept_begin(t, &work);
    rc = t->store.backend->fund(&work, &name, &fund);
    kept_end(t, &work);

    return (rc == NGX_OK) ? fund.id : 0;
}


/* alerts of that key */

static ngx_uint_t
owned(test_t *t, const char *owner)
{
    work_t         work;
    int64_t        id;
    alert_t      **alerts;
    ngx_uint_t     i, n, count;

    id = owner_id(t, owner);

    kept_begin(t, &work);

    n = kept_load(&work, NULL, &alerts);

    for (i = 0, count = 0; i < n; i++) {
        count += (alerts[i]->row.owner == id);
    }

    kept_end(t, &work);

    return count;
}


/* "OWNER KEY ID+ID" of each alert of which something waits */

static const char *
belongings(test_t *t)
{
    char           *p;
    work_t          work;
    int64_t         k;
    alert_t       **alerts;
    ngx_uint_t      i, j, n, nevents, first;
    kept_event_t   *events;

    static char  text[1024];

    p = text;
    *p = '\0';

    k = owner_id(t, "K");
    events = kept_list(t, &nevents);

    kept_begin(t, &work);

    n = kept_load(&work, NULL, &alerts);

    for (i = 0; i < n; i++) {

        if (alerts[i]->row.head == 0) {
            continue;
        }

        p += sprintf(p, "%s%s %.*s ", p == text ? "" : ", ",
                     alerts[i]->row.owner == k ? "K" : "L",
                     (int) alerts[i]->key.len, alerts[i]->key.data);

        for (j = 0, first = 1; j < nevents; j++) {
            if (events[j].alert == alerts[i]->id) {
                p += sprintf(p, "%s%d", first ? "" : "+",
                             (int) events[j].ev.id);
                first = 0;
            }
        }
    }

    free(events);
    kept_end(t, &work);

    return text;
}


/* keys of alerts that have no owner */

static const char *
strays(test_t *t)
{
    char          *p;
    work_t         work;
    ngx_uint_t     i;
    ngx_array_t    alerts;
    alert_t      **alert;

    ngx_http_ilert_store_filter_t  filter;

    static char  text[1024];

    p = text;
    *p = '\0';

    memset(&filter, 0, sizeof(ngx_http_ilert_store_filter_t));
    filter.which = NGX_HTTP_ILERT_ALERTS_STRAYS;
    filter.limit = 10;

    kept_begin(t, &work);

    check(ngx_array_init(&alerts, work.pool, 4, sizeof(alert_t *)) == NGX_OK);
    check(t->store.backend->alerts(&work, &filter, &alerts) == NGX_OK);

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        p += sprintf(p, "%s%.*s", i ? "," : "", (int) alert[i]->key.len,
                     alert[i]->key.data);
    }

    kept_end(t, &work);

    return text;
}


/* those of a database of an earlier release, which find their keys */

static void
test_strays(void)
{
    test_t    t;
    query_t  *q;

    setup(&t, "strays");
    check_int(run(&t), OK);

    stray(&t, "a", "both", NGX_HTTP_ILERT_SHOWS_RESOLVED, "1");
    stray(&t, "b", "both", NGX_HTTP_ILERT_SHOWS_RESOLVED, "2");
    stray(&t, "a", "both", 0, "3");
    stray(&t, "a", "known", NGX_HTTP_ILERT_SHOWS_OPEN, NULL);
    stray(&t, "gone", "known", NGX_HTTP_ILERT_SHOWS_OPEN, "4");
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_counts(&t);

    /* as long as its key is not known an alert is one of its source */

    come(&t, "a", "K", "both", ALERT, "5");
    check_int(run(&t), OK);
    q = query(&t, "a", "both");
    check_int(run(&t), OK);
    check_int(q->waiting, 3);

    check_int(begin(&t, "a", "K", "b", "K", NULL), 1);
    check_counts(&t);
    check_str(strays(&t), "known");

    q = query(&t, "b", "both");
    check_int(run(&t), OK);
    check_int(q->waiting, 4);

    /* in the order in which they came; unknown, for they have become one */

    check_str(kept_alerts(&t, "both", "s"), "0");
    check_str(drain_all(&t, "a", "b", NULL), "a/1 b/2 a/3 a/5");

    /* what was known of one alone is known still */

    t.policy.coalesce = REPEATS;
    come(&t, "b", "K", "known", ALERT, "6");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);
    t.policy.coalesce = OFF;

    /* a process of that release goes on */

    stray(&t, "b", "new", 0, "7");
    come(&t, "a", "K", "new", RESOLVE, "8");
    check_int(run(&t), OK);
    t.job.clean = 1;
    check_int(begin(&t, "a", "K", "b", "K", NULL), 1);
    check_counts(&t);
    check_str(drain_all(&t, "a", "b", NULL), "b/7 a/8");

    /* beside an alert of its source */

    come(&t, "a", "K", "x", ALERT, "9");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", NULL), "a/9");
    stray(&t, "b", "x", 0, "10");
    come(&t, "b", "K", "x", RESOLVE, "11");
    check_int(run(&t), OK);
    t.job.clean = 1;
    check_int(begin(&t, "a", "K", "b", "K", NULL), 1);
    check_str(drain_all(&t, "a", "b", NULL), "b/10 b/11");

    teardown(&t);
}


static void
test_many_strays(void)
{
    test_t  t;

    setup(&t, "many_strays");
    check_int(run(&t), OK);

    stray(&t, "a", "x", 0, "1");
    many(&t, "a", "", 1, 25000);

    t.job.clean = 1;
    check_int(begin(&t, "a", "K", NULL), 3);
    check_str(strays(&t), "");

    /* each of them is another one's already */

    many(&t, "b", "", 1, 2500);

    check_int(begin(&t, "a", "K", "b", "K", NULL), 3);
    check_int(kept_count(&t, NULL), 25001);

    /* and all move */

    check_int(begin(&t, "a", "L", "b", "L", NULL), 51);
    check_int(owned(&t, "L"), 25001);
    check_str(drain_all(&t, "a", NULL), "a/1");

    teardown(&t);
}


/* a source gets another key, as by a reload */

static void
test_moved(void)
{
    test_t  t;

    setup(&t, "moved");
    t.policy.coalesce = REPEATS;

    come(&t, "a", "K", "told", ALERT, "1");
    come(&t, "b", "K", "b's", ALERT, "2");
    come(&t, "c", "L", "united", ALERT, "3");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", "c", NULL), "a/1 b/2 c/3");

    come(&t, "a", "K", "waits", ALERT, "4");
    come(&t, "a", "K", "united", ALERT, "5");
    come(&t, "c", "L", "united", RESOLVE, "6");
    come(&t, "b", "K", "split", ALERT, "7");
    come(&t, "a", "K", "split", RESOLVE, "8");
    come(&t, "b", "K", "split", COMMENT, "9");
    come(&t, "a", "K", "mine first", ALERT, "10");
    come(&t, "b", "K", "mine first", RESOLVE, "11");
    check_int(run(&t), OK);
    check_counts(&t);

    check_int(begin(&t, "a", "L", "b", "K", "c", "L", NULL), 1);
    check_counts(&t);

    check_str(belongings(&t),
              "L united 5+6, L waits 4, K split 7+9, K mine first 11, "
              "L split 8, L mine first 10");

    /* nobody has told it to the new key */

    come(&t, "a", "L", "told", ALERT, "12");
    come(&t, "b", "K", "b's", ALERT, "13");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);
    t.policy.coalesce = OFF;
    check_str(drain_all(&t, "a", NULL), "a/4 a/5 a/10 a/12 a/8");
    check_str(drain_all(&t, "a", "b", "c", NULL),
              "b/7 c/6 b/11 b/9");

    /* an old worker's event belongs to the key that the courier has found */

    come(&t, "a", "K", "told", RESOLVE, "14");
    check_int(run(&t), OK);
    check_int(kept_count(&t, "told"), 1);

    teardown(&t);
}


/* an alert is to be split, and there is a stray of the source that keeps it */

static void
test_split_stray(void)
{
    test_t  t;

    setup(&t, "split_stray");

    come(&t, "a", "K", "x", ALERT, "1");
    come(&t, "b", "K", "x", RESOLVE, "2");
    check_int(run(&t), OK);

    /* a process of an earlier release knows of no alert of "b" */

    stray(&t, "b", "x", 0, "3");

    t.job.clean = 1;
    check_int(begin(&t, "a", "L", "b", "K", NULL), 1);
    check_counts(&t);

    check_str(belongings(&t), "K x 2+3, L x 1");
    check_str(drain_all(&t, "a", "b", NULL), "a/1 b/2 b/3");

    teardown(&t);
}


/* alerts that are open in both places, or in either */

static void
test_united_open(void)
{
    int          i;
    test_t       t;
    query_t     *q;
    const char  *wanted;

    static const char  *cases[][3] = {
        { "a", NULL, "1" }, { NULL, "b", "2" }, { "a", "b", "1" }
    };

    for (i = 0; i < 3; i++) {
        setup(&t, "united_open");

        come(&t, "a", "K", "x", cases[i][0] ? ALERT : COMMENT, "1");
        check_int(run(&t), OK);
        t.now = NOW + 1;
        check_str(drain_all(&t, "a", NULL), "a/1");
        come(&t, "b", "L", "x", cases[i][1] ? ALERT : COMMENT, "2");
        check_int(run(&t), OK);
        t.now = NOW + 2;
        check_str(drain_all(&t, "b", NULL), "b/2");
        check_counts(&t);

        check_int(begin(&t, "a", "L", "b", "L", NULL), 1);
        check_counts(&t);
        check_int(kept_count(&t, "x"), 1);

        q = query(&t, "b", "x");
        check_int(run(&t), OK);
        check(q->found);
        wanted = cases[i][2];
        check_int(q->state.opened, NOW + atoi(wanted));

        teardown(&t);
    }
}


/* the next event is another source's, which may have such an alert, too */

static void
test_shared_next(void)
{
    test_t  t;

    setup(&t, "shared_next");
    t.policy.coalesce = REPEATS;

    come(&t, "a", "K", "x", ALERT, "1");
    come(&t, "b", "K", "x", COMMENT, "2");
    take_n(&t, "a", 1);
    decide(&t, only(&t), DEAD);
    check_str(drain_all(&t, "a", "b", NULL), "b/2");

    come(&t, "a", "K", "x", RESOLVE, "3");
    check_int(run(&t), OK);
    check_str(drain_all(&t, "a", "b", NULL), "a/3");

    come(&t, "b", "K", "x", RESOLVE, "4");
    check_int(run(&t), OK);
    check_int(outcome.coalesced, 1);
    check_str(drain_all(&t, "a", "b", NULL), "");
    check_counts(&t);

    teardown(&t);
}


/* an event of no source of its own, as 0.1.0 makes them, is its alert's */

static void
test_split_unnamed(void)
{
    test_t  t;

    setup(&t, "split_unnamed");
    check_int(run(&t), OK);

    stray(&t, "a", "x", 0, "1");
    t.job.clean = 1;
    check_int(begin(&t, "a", "K", "b", "K", NULL), 1);
    come(&t, "b", "K", "x", RESOLVE, "2");
    come(&t, "a", "K", "x", ALERT, "3");
    check_int(run(&t), OK);

    check_int(begin(&t, "a", "L", "b", "K", NULL), 1);
    check_counts(&t);

    check_str(belongings(&t), "K x 2, L x 1+3");
    check_str(kept_alerts(&t, "x", "i"), "2,1");
    check_str(drain_all(&t, "a", "b", NULL), "a/1 b/2 a/3");

    /* those are another source's than the one that moves */

    stray(&t, "a", "y", 0, "4");
    t.job.clean = 1;
    check_int(begin(&t, "a", "L", "b", "L", NULL), 1);
    come(&t, "b", "L", "y", RESOLVE, "5");
    check_int(run(&t), OK);

    check_int(begin(&t, "a", "L", "b", "K", NULL), 1);
    check_counts(&t);
    check_str(belongings(&t), "L y 4, K y 5");

    teardown(&t);
}


/* nothing is taken before all alerts are where they belong */

static void
test_moving(void)
{
    test_t  t;

    setup(&t, "moving");

    come(&t, "a", "K", "k", ALERT, "1");
    check_int(run(&t), OK);
    many(&t, "a", "K", 1, 1500);

    home(&t, "a", "L");
    take_n(&t, "a", 1);
    check(outcome.moving && taken(&t, 0) == NULL);

    /* it is begun anew: another courier knows nothing of the first one */

    home(&t, "a", "L");
    take_n(&t, "a", 1);
    check(outcome.moving && taken(&t, 0) == NULL);

    homes[0].after = homes[0].next;
    t.job.homes = homes;
    t.job.nhomes = 1;
    take_n(&t, "a", 1);
    check(!outcome.moving && only(&t) != NULL);
    check_int(owned(&t, "K"), 0);

    teardown(&t);
}


/* what is said of the alert "key" while nothing can be written */

static ngx_uint_t
ask_full(test_t *t, const char *source, const char *owner, const char *key)
{
    event_t  *ev;

    t->now += SECOND;
    store_fault(1, FAULT_FULL, 1000);
    come(t, source, owner, key, RESOLVE, "4");
    check(run(t) != OK);
    store_fault(0, FAULT_NONE, 0);

    ev = ngx_queue_data(ngx_queue_head(&outcome.accepts), event_t, queue);

    if (ev->waits == CANNOT_SAY) {

        /* while nothing can be read; half a second later it can */

        come(t, source, owner, key, RESOLVE, "4");
        check(run(t) != OK);
        ev = ngx_queue_data(ngx_queue_head(&outcome.accepts), event_t, queue);
    }

    return ev->waits;
}


/*
 * What comes in the middle of it: of a source and a name there is one alert,
 * wherever it has got to, and it is found.
 */

static void
test_meanwhile(void)
{
    test_t  t;

    setup(&t, "meanwhile");
    check_int(run(&t), OK);

    /* strays that are adopted in parts: some are not strays any longer */

    stray(&t, "a", "1", 0, "1");
    many(&t, "a", "", 2, 10100);

    t.job.begin = 1;
    home(&t, "a", "K");
    come(&t, "a", "K", "1", ALERT, "2");
    check_int(run(&t), OK);
    check(outcome.moving);

    check_int(ask_full(&t, "a", "K", "1"), WAITS);
    check_int(ask_full(&t, "a", "K", "2"), NONE_WAITS);
    t.now += SECOND;

    come(&t, "a", "K", "1", ALERT, "3");
    come(&t, "a", "K", "10100", ALERT, "4");
    check_int(run(&t), OK);

    check_int(begin(&t, "a", "K", NULL), 1);
    check_int(kept_count(&t, NULL), 10100);

    /* alerts that move in parts: some have moved */

    t.job.begin = 1;
    home(&t, "a", "L");
    come(&t, "a", "K", "1", ALERT, "5");
    check_int(run(&t), OK);
    check(outcome.moving);

    check_int(ask_full(&t, "a", "K", "1"), WAITS);
    check_int(ask_full(&t, "a", "K", "2"), NONE_WAITS);
    t.now += SECOND;

    come(&t, "a", "K", "1", ALERT, "6");
    come(&t, "a", "L", "10100", ALERT, "7");
    check_int(run(&t), OK);

    check_int(begin(&t, "a", "L", NULL), 11);
    check_int(owned(&t, "L"), 10100);

    /* a process of an earlier release makes a stray, as it knows no keys */

    stray(&t, "a", "new", 0, "8");
    come(&t, "b", "L", "other", ALERT, "9");
    come(&t, "a", "L", "new", ALERT, "10");
    come(&t, "b", "L", "new", ALERT, "11");
    check_int(run(&t), OK);
    t.job.clean = 1;
    check_int(run(&t), OK);

    check_str(drain_all(&t, "a", "b", NULL),
              "a/8 a/1 a/4 b/9 a/2 a/7 a/10 a/3 b/11 a/5 a/6");
    check_str(strays(&t), "");

    teardown(&t);
}


/* the same, whichever source asks */

static void
test_waits(void)
{
    test_t  t;

    static struct {
        const char  *source;
        const char  *owner;
        ngx_uint_t   waits;
    } asks[] = {
        { "a", "K", WAITS },
        { "b", "K", WAITS },
        { "c", "L", NONE_WAITS },
        { "new", "K", WAITS },
        { "newer", "L", NONE_WAITS },
        { "newest", "M", NONE_WAITS },
        { NULL, NULL, 0 }
    }, *ask;

    setup(&t, "waits");

    come(&t, "a", "K", "k", ALERT, "1");
    come(&t, "b", "K", "other", ALERT, "2");
    come(&t, "c", "L", "other", ALERT, "3");
    check_int(run(&t), OK);

    for (ask = asks; ask->source; ask++) {
        check_int(ask_full(&t, ask->source, ask->owner, "K"), ask->waits);
    }

    teardown(&t);
}


static const char *
shows(test_t *t)
{
    return kept_alerts(t, NULL, "s");
}


static void
session(test_t *t, int64_t id, ngx_uint_t registered)
{
    t->job.session = id;
    t->job.registered = registered;
    t->job.prove = 1;
    check_int(run(t), OK);
    check(outcome.noted);
}


/* an nginx that has ended, and may have relayed something */

static void
test_sessions(void)
{
    test_t  t;

    setup(&t, "sessions");

    session(&t, 1, 0);
    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");
    check_str(shows(&t), "1");

    session(&t, 1, 1);
    session(&t, 1, 0);
    check_str(shows(&t), "1");

    /* it has told all */

    t.job.session = 1;
    t.job.end = 1;
    check_int(run(&t), OK);
    session(&t, 2, 0);
    check_str(shows(&t), "1");

    /* it has not */

    session(&t, 3, 0);
    check_str(shows(&t), "0");

    accept_one(&t, "ops", "k", ALERT, "2");
    drain(&t, "ops");
    check_str(shows(&t), "1");

    /* two at a time: each once */

    session(&t, 4, 0);
    check_str(shows(&t), "0");
    accept_one(&t, "ops", "k", ALERT, "3");
    drain(&t, "ops");
    session(&t, 3, 1);
    check_str(shows(&t), "0");
    accept_one(&t, "ops", "k", ALERT, "4");
    drain(&t, "ops");
    session(&t, 4, 1);
    session(&t, 3, 1);
    session(&t, 4, 1);
    check_str(shows(&t), "1");

    t.job.session = 3;
    t.job.end = 1;
    check_int(run(&t), OK);

    if (on_sqlite()) {
        check_str(sql(&t, "SELECT group_concat(id) FROM session"), "4");
    }

    /* of a job that fails nothing is noted */

    t.now += SECOND;
    t.job.session = 5;
    t.job.prove = 1;
    store_fault(1, FAULT_IOERR, 100000);
    check(run(&t) != OK);
    check(!outcome.noted);
    store_fault(0, FAULT_NONE, 0);

    if (on_sqlite()) {
        check_str(sql(&t, "SELECT group_concat(id) FROM session"), "4");
    }

    teardown(&t);
}


/* an alert that nobody has told of: ilert may show it all the same */

static void
test_new_file(void)
{
    test_t  t;

    setup(&t, "new_file");
    t.policy.coalesce = LATEST;

    accept_event(&t, "ops", "k", ALERT, "1");
    accept_event(&t, "ops", "k", RESOLVE, "2");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "k:2");

    accept_event(&t, "ops", "k", ALERT, "3");
    accept_event(&t, "ops", "k", RESOLVE, "4");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "");

    teardown(&t);
}


/* a copy of yesterday, which somebody has put there after trouble */

static void
test_old_file(void)
{
    char    *data, kept[600];
    test_t   t;
    size_t   len;

    setup(&t, "old_file");

    session(&t, 1, 0);
    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");
    sql(&t, "VACUUM INTO '%q'", file(&t, "copy"));
    accept_one(&t, "ops", "k", RESOLVE, "2");
    drain(&t, "ops");

    sql(&t, "CREATE TRIGGER no BEFORE INSERT ON event BEGIN"
            " SELECT RAISE(ABORT, 'no'); END");
    accept_event(&t, "ops", "k", ALERT, "3");
    check(run(&t) != OK);

    /* it is kept, so that no other file gets its inode */

    sqlite3_snprintf(sizeof(kept), kept, "%s", file(&t, "kept"));
    check(link(file(&t, "queue.db"), kept) == 0);
    forget(&t);
    len = read_file(&t, "copy", &data);
    write_file(file(&t, "queue.db"), data, len);
    free(data);

    t.now += SECOND;
    check_str(sql(&t, "SELECT shows FROM alert"), "1");
    session(&t, 1, 1);
    check_str(shows(&t), "0");

    teardown(&t);
}


/* a RESOLVE that ilert does not take: the next ALERT is no repeat */

static void
test_dead_resolve(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "dead_resolve");
    t.policy.coalesce = REPEATS;

    accept_one(&t, "ops", "k", ALERT, "1");
    check_str(drain(&t, "ops"), "k:1");

    accept_one(&t, "ops", "k", RESOLVE, "2");
    ev = take_one(&t, "ops");
    ev->status = 400;
    ngx_str_set(&ev->error, "no");
    decide(&t, ev, DEAD);

    accept_one(&t, "ops", "k", ALERT, "3");
    check_str(drain(&t, "ops"), "k:3");

    teardown(&t);
}


/* whatever is in a row nothing but that event is lost, and is kept */

static void
test_damaged(void)
{
    int         i;
    test_t      t;
    event_t    *ev;

    static const char  *damages[] = {
        "type = 0", "type = 5", "type = -1", "type = 99999999999",
        "type = 'x'", "level = 4", "level = -2147483649", "priority = 3",
        "urgency = 8", "urgency = -1", "body = x''", NULL
    };

    setup(&t, "damaged");

    for (i = 0; damages[i]; i++) {
        accept_event(&t, "ops", "k", ALERT, "1");
        accept_event(&t, "ops", "k", RESOLVE, "2");
        check_int(run(&t), OK);

        sql(&t, "UPDATE event SET %s WHERE seq = (SELECT min(seq) FROM event)",
            damages[i]);

        take_n(&t, "ops", 10);
        check_int(outcome.damaged, 1);
        check_int(outcome.takes[0].taken, 1);
        ev = only(&t);
        check_int(ev->said.type, RESOLVE);
        check_heads(&t);
        decide(&t, ev, DONE);

        check_str(sql(&t, "SELECT count(*) || ' ' || max(error) FROM dead"),
                  "1 its row in the queue's database is damaged");
        check_int(atoi(sql(&t, "SELECT type BETWEEN 1 AND 4 FROM dead")), 1);
        sql(&t, "DELETE FROM dead");
    }

    /* behind the first one: when its turn comes */

    accept_event(&t, "ops", "k", ALERT, "1");
    accept_event(&t, "ops", "k", RESOLVE, "2");
    accept_event(&t, "ops", "k", ALERT, "3");
    check_int(run(&t), OK);
    sql(&t, "UPDATE event SET type = 77, level = 1000 WHERE body = x'32'");
    accept_one(&t, "ops", "k", COMMENT, "4");
    check_str(drain(&t, "ops"), "k:1 k:3 k:4");
    check_str(sql(&t, "SELECT count(*) FROM dead"), "1");

    /* and of alerts */

    static const char  *alerts[] = {
        "state = 7", "state = -1", "urgency = 9", "urgency = -9", "shows = 9",
        "level = 99", "priority = -5", NULL
    };

    for (i = 0; alerts[i]; i++) {
        sql(&t, "DELETE FROM dead");
        accept_one(&t, "ops", "k", ALERT, "5");
        sql(&t, "UPDATE alert SET %s", alerts[i]);
        check_int(begin(&t, "ops", "ops", NULL), 1);
        accept_one(&t, "ops", "k", ALERT, "6");
        check_str(drain(&t, "ops"), "k:5 k:6");
        check_heads(&t);
    }

    teardown(&t);
}


test_case_t  home_cases[] = {
    { "sources that share a key", test_shared },
    { "shared key: coalescing", test_shared_coalesce },
    { "shared key: paused", test_shared_paused },
    { "shared key: resolve_after", test_shared_resolve_after },
    { "strays find their key", test_strays },
    { "many strays", test_many_strays },
    { "a source gets another key", test_moved },
    { "a stray in the way of others", test_split_stray },
    { "events of no source of their own", test_split_unnamed },
    { "open alerts that become one", test_united_open },
    { "what is next is another source's", test_shared_next },
    { "nothing is taken while alerts move", test_moving },
    { "events that come meanwhile", test_meanwhile },
    { "shared key: what waits", test_waits },
    { "sessions", test_sessions },
    { "a new file knows nothing", test_new_file },
    { "a RESOLVE that is a dead letter", test_dead_resolve },
    { NULL, NULL }
};


/* an alert cannot become another source's: its events stay its own one's */

static void
test_stays(void)
{
    test_t  t;

    setup(&t, "stays");
    check_int(begin(&t, "a", "K", "b", "K", NULL), 1);

    sql(&t, "CREATE TRIGGER stays BEFORE UPDATE OF source ON alert BEGIN"
            " SELECT RAISE(IGNORE); END");

    come(&t, "a", "K", "x", COMMENT, "1");
    come(&t, "b", "K", "x", COMMENT, "2");
    check_int(run(&t), OK);

    check_str(drain_all(&t, "a", NULL), "a/1 a/2");
    check_str(drain_all(&t, "a", "b", NULL), "");

    teardown(&t);
}


/* with SQLite's files, or rows */

test_case_t  home_sqlite_cases[] = {
    { "an old file knows nothing, either", test_old_file },
    { "damaged rows", test_damaged },
    { "an alert that stays its source's", test_stays },
    { NULL, NULL }
};
