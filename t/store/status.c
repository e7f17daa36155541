
/*
 * What the store tells of itself, and that the counts it keeps are what
 * counting says, whatever happens.
 */


#include "kept.h"


#define MINUTE  (60 * SECOND)

#define elts(array)  ((void *) (array).elts)

typedef ngx_http_ilert_store_source_t  source_t;
typedef ngx_http_ilert_store_open_t    open_t;
typedef ngx_http_ilert_store_dead_t    dead_t;
typedef ngx_http_ilert_store_listed_t  listed_t;


/* text that is built piece by piece */

typedef struct {
    size_t  len;
    char    data[32768];
} text_t;


static void
add(text_t *text, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    sqlite3_vsnprintf(sizeof(text->data) - text->len, text->data + text->len,
                      fmt, args);
    va_end(args);

    text->len += strlen(text->data + text->len);
}


static text_t *
new_text(void)
{
    static text_t  texts[4];
    static int     n;

    n = (n + 1) % 4;
    texts[n].len = 0;
    texts[n].data[0] = '\0';

    return &texts[n];
}


/* a time, after NOW, or "-" */

static void
add_time(text_t *text, int64_t time)
{
    if (time) {
        add(text, " %lld", time - NOW);

    } else {
        add(text, " -");
    }
}


/* what is held back, if there is any */

static void
add_held(text_t *text, int64_t *waiting)
{
    if (waiting[NGX_HTTP_ILERT_HELD] || waiting[NGX_HTTP_ILERT_SILENCED]
        || waiting[NGX_HTTP_ILERT_LISTED])
    {
        add(text, " held %lld %lld %lld", waiting[NGX_HTTP_ILERT_HELD],
            waiting[NGX_HTTP_ILERT_SILENCED], waiting[NGX_HTTP_ILERT_LISTED]);
    }
}


/* "NAME events OLDEST times OPEN DEAD paused retries" of each source */

static const char *
sources(query_t *q)
{
    text_t      *text;
    source_t    *s;
    ngx_uint_t   i, n;

    text = new_text();
    s = elts(q->sources);

    for (n = 0; n < q->sources.nelts; n++, s++) {

        add(text, "%s%.*s", n ? "; " : "", (int) s->name.len, s->name.data);

        for (i = 0; i <= NGX_HTTP_ILERT_REPEATS; i++) {
            add(text, " %lld", s->waiting[i]);
        }

        add_held(text, s->waiting);
        add(text, " oldest");

        for (i = 0; i <= NGX_HTTP_ILERT_REPEATS; i++) {
            add_time(text, s->oldest[i]);
        }

        /* what is held back has no age */

        for ( /* void */ ; i < NGX_HTTP_ILERT_URGENCIES; i++) {
            check_int(s->oldest[i], 0);
        }

        add(text, " open %lld dead %lld%s%s", s->open, s->dead,
            s->paused ? " paused" : "", s->retries ? " retries" : "");
    }

    return text->data;
}


/* the same by rows that are gone through */

#define COUNT(n)                                                              \
    "(SELECT count(*) FROM alert a JOIN event e ON e.alert = a.id"            \
    " WHERE a.source = s.id AND e.urgency = " n ")"

#define OLDEST(n)                                                             \
    "ifnull((SELECT min(CASE e.since WHEN 0 THEN e.received ELSE e.since END" \
    ") - %lld FROM alert a JOIN event e ON e.seq = a.head"                    \
    " WHERE a.source = s.id AND a.urgency = " n "), '-')"

static const char *
slow_rows(test_t *t)
{
    return sql(t, "SELECT group_concat(text, '; ') FROM (SELECT name || ' ' ||"
                  COUNT("0") " || ' ' || " COUNT("1") " || ' ' || "
                  COUNT("2") " || ' ' || " COUNT("3") " || ' ' || "
                  COUNT("4") " || CASE WHEN " COUNT("5") " + " COUNT("6")
                  " + " COUNT("7") " THEN ' held ' || " COUNT("5")
                  " || ' ' || " COUNT("6") " || ' ' || " COUNT("7")
                  " ELSE '' END || ' oldest ' || "
                  OLDEST("0") " || ' ' || " OLDEST("1") " || ' ' || "
                  OLDEST("2") " || ' ' || " OLDEST("3") " || ' -' ||"
                  " ' open ' || (SELECT count(*) FROM alert"
                               " WHERE source = s.id AND opened > 0) ||"
                  " ' dead ' || (SELECT count(*) FROM dead"
                               " WHERE source = s.id) ||"
                  " CASE paused WHEN 0 THEN '' ELSE ' paused' END ||"
                  " CASE WHEN EXISTS (SELECT 1 FROM alert a"
                                    " WHERE a.source = s.id AND state = 2"
                                    " AND urgency < 4)"
                  " THEN ' retries' ELSE '' END AS text FROM source s"
                  " ORDER BY name)", NOW, NOW, NOW, NOW);
}


/* the same by what a backend says of alerts and events */

static void
add_source(text_t *text, work_t *work, kept_event_t *events,
    ngx_uint_t nevents, ngx_http_ilert_store_counted_t *source)
{
    int64_t       waiting[NGX_HTTP_ILERT_URGENCIES];
    int64_t       oldest[NGX_HTTP_ILERT_URGENCIES], open, retries;
    alert_t     **alerts, *a;
    ngx_uint_t    i, j, n;

    memset(waiting, 0, sizeof(waiting));
    memset(oldest, 0, sizeof(oldest));

    open = 0;
    retries = 0;

    n = kept_load(work, NULL, &alerts);

    for (i = 0; i < n; i++) {
        a = alerts[i];

        if (a->row.source != source->id) {
            continue;
        }

        open += (a->row.opened > 0);
        retries += (a->row.state == NGX_HTTP_ILERT_STORE_WAITING
                    && a->row.urgency < NGX_HTTP_ILERT_REPEATS);

        for (j = 0; j < nevents; j++) {

            if (events[j].alert != a->id) {
                continue;
            }

            waiting[events[j].ev.urgency]++;

            if (events[j].ev.seq == a->row.head
                && a->row.urgency < NGX_HTTP_ILERT_REPEATS
                && (oldest[a->row.urgency] == 0
                    || events[j].ev.since < oldest[a->row.urgency]))
            {
                oldest[a->row.urgency] = events[j].ev.since;
            }
        }
    }

    add(text, "%s%.*s", text->len ? "; " : "", (int) source->name.len,
        source->name.data);

    for (i = 0; i <= NGX_HTTP_ILERT_REPEATS; i++) {
        add(text, " %lld", waiting[i]);
    }

    add_held(text, waiting);
    add(text, " oldest");

    for (i = 0; i <= NGX_HTTP_ILERT_REPEATS; i++) {
        add_time(text, oldest[i]);
    }

    /* letters are counted by check_counts() */

    add(text, " open %lld dead %lld%s%s", open, source->dead,
        source->paused ? " paused" : "", retries ? " retries" : "");
}


static const char *
slow_sources(test_t *t)
{
    text_t                          *text;
    work_t                           work;
    ngx_uint_t                       i, n;
    ngx_array_t                      sources;
    kept_event_t                    *events;
    ngx_http_ilert_store_counted_t  *source;

    if (on_sqlite()) {
        return slow_rows(t);
    }

    text = new_text();
    events = kept_list(t, &n);

    kept_begin(t, &work);

    check(ngx_array_init(&sources, work.pool, 16,
                         sizeof(ngx_http_ilert_store_counted_t))
          == NGX_OK);
    check(t->store.backend->sources(&work, &sources) == NGX_OK);

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {
        add_source(text, &work, events, n, &source[i]);
    }

    kept_end(t, &work);
    free(events);

    return text->data;
}


/* "SOURCE/KEY LEVEL opened last" of each alert that is open */

static const char *
open_alerts(query_t *q)
{
    open_t      *open;
    text_t      *text;
    ngx_uint_t   n;

    text = new_text();
    open = elts(q->open);

    for (n = 0; n < q->open.nelts; n++, open++) {
        add(text, "%s%.*s/%.*s %d", n ? "; " : "", (int) open->source.len,
            open->source.data, (int) open->key.len, open->key.data,
            (int) open->level);
        add_time(text, open->opened);
        add_time(text, open->last);
    }

    return text->data;
}


/* "ID SOURCE/KEY TYPE received STATUS ERROR" of each dead letter */

static const char *
letters(query_t *q)
{
    dead_t      *dead;
    text_t      *text;
    ngx_uint_t   n;

    text = new_text();
    dead = elts(q->dead);

    for (n = 0; n < q->dead.nelts; n++, dead++) {
        add(text, "%s%llu %.*s/%.*s %d", n ? "; " : "", dead->id,
            (int) dead->source.len, dead->source.data, (int) dead->key.len,
            dead->key.data, (int) dead->type);
        add_time(text, dead->received);
        add(text, " %d %.*s", (int) dead->status, (int) dead->error.len,
            dead->error.data);
    }

    return text->data;
}


/*
 * "SHOWS level L opened last delivered next attempts waiting; ID TYPE L
 * urgency received" of each event, "*" if it is in flight, and the ids of
 * letters
 */

static const char *
an_alert(query_t *q)
{
    text_t      *text;
    dead_t      *dead;
    listed_t    *ev;
    ngx_uint_t   n;

    static const char  *shows[] = { "unknown", "open", "resolved",
                                    "anything" };

    text = new_text();

    if (q->found) {
        add(text, "%s %d", shows[q->shown.shows], (int) q->state.level);
        add_time(text, q->state.opened);
        add_time(text, q->state.last);
        add_time(text, q->delivered);
        add_time(text, q->next);
        add(text, " %d %lld", (int) q->attempts, q->waiting);
    }

    ev = elts(q->events);

    for (n = 0; n < q->events.nelts; n++, ev++) {
        add(text, "; %llu %d %d %d", ev->id, (int) ev->type, (int) ev->level,
            (int) ev->urgency);
        add_time(text, ev->received);
        add(text, ev->inflight ? " *" : "");
    }

    dead = elts(q->dead);

    for (n = 0; n < q->dead.nelts; n++, dead++) {
        add(text, "; dead %llu", dead->id);
    }

    return text->data;
}


/* asks, of what is there */

static query_t *
ask(test_t *t, const char *source, const char *key)
{
    query_t  *q;

    q = query(t, source, key);
    check_int(run(t), OK);
    check(q->ok);

    return q;
}


static void
check_sources(test_t *t)
{
    const char  *answer;

    answer = sources(ask(t, "", NULL));

    check_str(answer, slow_sources(t));
    check_counts(t);
}


static void
give_back(test_t *t, event_t *ev, int64_t next)
{
    ev->next = next;
    verdict(t, ev, AGAIN);
}


static void
bury(test_t *t, event_t *ev, ngx_uint_t status, const char *error)
{
    ev->status = status;
    ev->error.data = (u_char *) error;
    ev->error.len = strlen(error);
    verdict(t, ev, DEAD);
}


#define DEV  "dev 0 0 0 1 0 oldest - - - 4 - open 0 dead 0; "

static void
test_sources(void)
{
    test_t    t;
    query_t  *q;
    order_t   o;
    event_t  *ev;

    setup(&t, "status_sources");
    t.policy.coalesce = REPEATS;

    /* nothing, and nothing of what is not there */

    q = ask(&t, "", NULL);
    check_str(sources(q), "");
    check_str(open_alerts(q), "");
    check_str(letters(q), "");
    check(q->bytes > 4096 && q->bytes % 4096 == 0);

    /* an event of each class */

    accept_event(&t, "ops", "open", ALERT, "x");
    check_int(run(&t), OK);
    drain(&t, "ops");
    check_str(sources(ask(&t, "", NULL)),
              "ops 0 0 0 0 0 oldest - - - - - open 1 dead 0");

    t.now = NOW + 1;
    accept_event(&t, "ops", "open", ALERT, "repeat");
    accept_event(&t, "ops", "new", ALERT, "critical");
    check_int(run(&t), OK);
    t.now = NOW + 2;
    accept_event(&t, "ops", "new", RESOLVE, "behind it");
    accept_event(&t, "ops", "gone", RESOLVE, "resolve");
    t.now = NOW + 3;
    level(accept_event(&t, "ops", "warning", ALERT, "opens"), WARNING);
    t.now = NOW + 4;
    accept_event(&t, "ops", "said", COMMENT, "update");
    accept_event(&t, "dev", "said", COMMENT, "update");
    check_int(run(&t), OK);

    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 2 1 1 1 oldest 1 4 4 4 - open 1 dead 0");
    check_sources(&t);

    /* what is taken waits as well, and what is to be tried again */

    ev = keep(take_one(&t, "ops"));
    check_int(ev->urgency, NGX_HTTP_ILERT_CRITICAL_FIRST);
    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 2 1 1 1 oldest 1 4 4 4 - open 1 dead 0");

    t.now = NOW + 10;
    give_back(&t, ev, NOW + 2000);
    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 2 1 1 1 oldest 1 4 4 4 - open 1 dead 0 retries");

    /* the same event that stands for another since then */

    accept_event(&t, "ops", "gone", RESOLVE, "resolve");
    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 2 1 1 1 oldest 1 4 4 4 - open 1 dead 0 retries");

    order(&t, &o, PAUSE, "ops", 0);
    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 2 1 1 1 oldest 1 4 4 4 - open 1 dead 0"
              " paused retries");

    q = ask(&t, "", NULL);
    check_int(((source_t *) q->sources.elts)[1].paused, NOW + 10);

    order(&t, &o, RESUME, "ops", 0);
    take_n(&t, "ops", 10);
    check_int(outcome.takes[0].taken, 3);

    while ((ev = taken(&t, 0))) {
        bury(&t, ev, 400, "no");
    }

    check_str(sources(ask(&t, "", NULL)),
              DEV "ops 1 1 0 0 1 oldest 1 - - - - open 1 dead 3 retries");
    check_sources(&t);

    teardown(&t);
}


/* one that is replaced makes its alert no longer urgent */

static void
test_replaced(void)
{
    test_t  t;

    setup(&t, "status_replaced");
    t.policy.coalesce = LATEST;

    accept_event(&t, "ops", "k", COMMENT, "x");
    accept_event(&t, "ops", "k", ALERT, "x");
    accept_event(&t, "ops", "l", RESOLVE, "x");
    check_str(sources(ask(&t, "", NULL)),
              "ops 1 1 0 1 0 oldest 0 0 - - - open 0 dead 0");

    t.now = NOW + 1;
    level(accept_event(&t, "ops", "k", ALERT, "x"), WARNING);
    check_str(sources(ask(&t, "", NULL)),
              "ops 0 1 1 1 0 oldest - 0 0 - - open 0 dead 0");

    take_n(&t, "ops", 10);
    check_int(taken(&t, 0)->said.type, RESOLVE);
    check_int(taken(&t, 1)->said.type, COMMENT);
    check_counts(&t);

    teardown(&t);
}


/* more of them than counts are kept in mind at a time */

static void
test_many_sources(void)
{
    int     i, n;
    char    name[16], key[16], names[MAX_TAKES][16];
    test_t  t;

    setup(&t, "status_many");

    for (n = 0; n < 3; n++) {
        for (i = 0; i < 40; i++) {
            sprintf(name, "%02d", (i * 7) % 40);
            sprintf(key, "%d", rnd(2));
            level(accept_event(&t, name, key, rnd(3) ? ALERT : RESOLVE, "x"),
                  1 + rnd(3));
        }

        check_sources(&t);
        t.now += 100;
    }

    check_int(ask(&t, "", NULL)->sources.nelts, 40);

    for (n = 0; n < 15; n++) {
        for (i = 0; i < MAX_TAKES; i++) {
            sprintf(names[i], "%02d", n % 5 * MAX_TAKES + i);
            take(&t, names[i], 3, 0);
        }

        check_int(run(&t), OK);

        verdicts(&t, DONE);

        check_sources(&t);
    }

    teardown(&t);
}


static void
test_open(void)
{
    int       i;
    char      key[16];
    test_t    t;
    query_t  *q;

    setup(&t, "status_open");

    accept_one(&t, "ops", "One", ALERT, "x");
    level(accept_event(&t, "dev", "two", ALERT, "x"), WARNING);
    check_int(run(&t), OK);
    t.now = NOW + 10;
    drain(&t, "ops");
    t.now = NOW + 20;
    drain(&t, "dev");

    check_str(open_alerts(ask(&t, "", NULL)),
              "dev/two 2 20 0; ops/One 3 10 0");
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/One 3 10 0");
    check_str(open_alerts(ask(&t, "o", NULL)), "");

    /* what is heard of it, and what it was told last */

    t.now = NOW + 30;
    level(accept_event(&t, "ops", "ONE", ALERT, "x"), INFO);
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/ONE 3 10 30");
    drain(&t, "ops");
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/ONE 1 10 30");

    t.now = NOW + 40;
    accept_one(&t, "ops", "one", COMMENT, "x");
    drain(&t, "ops");
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/one 1 10 40");

    /* a RESOLVE that waits, or may have been taken, does not end it */

    t.now = NOW + 50;
    accept_one(&t, "ops", "one", RESOLVE, "x");
    give_back(&t, take_one(&t, "ops"), NOW);
    t.job.unknown = 1;
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/one 1 10 50");
    drain(&t, "ops");
    check_str(open_alerts(ask(&t, "ops", NULL)), "");
    check_counts(&t);

    /* and begins anew */

    t.now = NOW + 60;
    accept_one(&t, "ops", "one", ALERT, "x");
    drain(&t, "ops");
    check_str(open_alerts(ask(&t, "", NULL)),
              "ops/one 3 60 60; dev/two 2 20 0");

    /* which the letters do not change */

    t.now = NOW + 70;
    accept_one(&t, "ops", "one", RESOLVE, "x");
    bury(&t, take_one(&t, "ops"), 400, "no");
    check_str(open_alerts(ask(&t, "ops", NULL)), "ops/one 3 60 70");

    /* the last ones of all sources */

    for (i = 0; i < 300; i++) {
        sprintf(key, "%d", i);
        accept_one(&t, i % 3 ? "ops" : "dev", key, ALERT, "x");
        t.now++;
        drain(&t, i % 3 ? "ops" : "dev");
    }

    q = ask(&t, "", NULL);
    check_int(q->open.nelts, 100);

    for (i = 0; i < 100; i++) {
        check_int(((open_t *) q->open.elts)[i].opened, NOW + 70 + 300 - i);
    }

    q = ask(&t, "dev", NULL);
    check_int(q->open.nelts, 100);
    check_int(((open_t *) q->open.elts)[0].opened, NOW + 70 + 298);
    check_int(((open_t *) q->open.elts)[99].opened, NOW + 70 + 1);
    check_int(((source_t *) q->sources.elts)[0].open, 101);
    check_int(((source_t *) q->sources.elts)[1].open, 201);
    check_counts(&t);

    teardown(&t);
}


/* a RESOLVE of ours is not heard from the other side */

static void
test_open_last(void)
{
    test_t  t;

    setup(&t, "status_last");
    t.policy.resolve_after = MINUTE;

    accept_one(&t, "ops", "k", ALERT, "x");
    drain(&t, "ops");

    t.now += 2 * MINUTE;
    t.job.nids = 1;
    t.ids[0] = 100;
    take(&t, "ops", 0, 0);
    check_str(open_alerts(ask(&t, "", NULL)), "ops/k 3 0 0");
    check_int(outcome.resolved, 1);

    check_str(an_alert(ask(&t, "ops", "k")),
              "open 3 0 0 0 - 0 1; 100 2 0 1 120000");

    teardown(&t);
}


static void
test_dead_list(void)
{
    int       i;
    char      key[16];
    test_t    t;
    dead_t   *dead;
    query_t  *q;

    setup(&t, "status_dead");

    accept_id(&t, "ops", "a", ALERT, 1);
    accept_id(&t, "dev", "B", RESOLVE, UINT64_MAX)->said.received = NOW - 7;
    accept_id(&t, "ops", "c", COMMENT, 3);
    check_int(run(&t), OK);

    /* those that died last, not those that came last */

    bury(&t, take_one(&t, "dev"), 400, "");
    t.now = NOW + 10;
    take_n(&t, "ops", 2);
    give_back(&t, keep(taken(&t, 0)), NOW + 11);
    bury(&t, taken(&t, 0), 0, "older than max_age");
    check_int(run(&t), OK);
    t.now = NOW + 20;
    bury(&t, take_one(&t, "ops"), 422, "no \"summary\"");

    check_str(letters(ask(&t, "", NULL)),
              "1 ops/a 1 0 422 no \"summary\"; "
              "3 ops/c 4 0 0 older than max_age; "
              "18446744073709551615 dev/B 2 -7 400 ");
    check_str(letters(ask(&t, "dev", NULL)),
              "18446744073709551615 dev/B 2 -7 400 ");
    check_str(letters(ask(&t, "none", NULL)), "");

    for (i = 0; i < 250; i++) {
        sprintf(key, "%d", i);
        accept_id(&t, i % 2 ? "ops" : "dev", key, ALERT, 1000 + i);
        check_int(run(&t), OK);
        bury(&t, take_one(&t, i % 2 ? "ops" : "dev"), 0, "no");
        t.now++;
    }

    check_int(run(&t), OK);
    q = ask(&t, "", NULL);
    check_int(q->dead.nelts, 100);
    dead = elts(q->dead);

    for (i = 0; i < 100; i++) {
        check_int(dead[i].id, 1249 - i);
    }

    q = ask(&t, "dev", NULL);
    check_int(q->dead.nelts, 100);
    dead = elts(q->dead);

    for (i = 0; i < 100; i++) {
        check_int(dead[i].id, 1248 - 2 * i);
    }

    check_int(((source_t *) q->sources.elts)[0].dead, 126);
    check_counts(&t);

    teardown(&t);
}


static void
test_used(void)
{
    test_t     t;
    query_t   *q;
    event_t   *ev;

    setup(&t, "status_used");
    budget(&t, "key", 10, MINUTE);
    budget(&t, "endpoint", 0, MINUTE);
    budget(&t, "other", 10, 6 * SECOND);

    /* before anything was taken */

    q = ask(&t, "", NULL);
    check_int(q->used[0].used, 0);
    check_int(q->used[0].until, 0);
    check(q->used[2].name.data == t.budgets[2].name.data);

    accept_id(&t, "ops", "a", ALERT, 1);
    accept_id(&t, "ops", "b", ALERT, 2);
    accept_id(&t, "ops", "c", ALERT, 3);
    take(&t, "ops", 3, 0);
    q = ask(&t, "", NULL);
    check_int(q->used[0].used, 3);
    check_int(q->used[1].used, 0);
    check_int(q->used[2].used, 0);

    /* in flight they count, however long it takes */

    t.now += 10 * MINUTE;
    verdict(&t, taken(&t, 0), DONE);
    ev = keep(taken(&t, 0));
    verdict(&t, taken(&t, 0), UNSENT);
    check_int(ask(&t, "", NULL)->used[0].used, 2);

    t.now += MINUTE - 1;
    check_int(ask(&t, "", NULL)->used[0].used, 2);
    t.now++;
    check_int(ask(&t, "", NULL)->used[0].used, 1);

    /* a pause, which an earlier clock does not make longer */

    ev->pause = 10 * SECOND;
    ev->refused = 1;
    give_back(&t, ev, t.now);
    q = ask(&t, "", NULL);
    check_int(q->used[0].until, t.now + 10 * SECOND);
    check_int(q->used[1].until, 0);

    t.now += 9999;
    check_int(ask(&t, "", NULL)->used[0].until, t.now + 1);
    t.now -= 10 * MINUTE;
    check_int(ask(&t, "", NULL)->used[0].until, t.now + 10 * SECOND);
    t.now += 10 * MINUTE + 1;
    check_int(ask(&t, "", NULL)->used[0].until, 0);

    /* a query needs none */

    t.nbudgets = 0;
    check(ask(&t, "", NULL)->ok);

    teardown(&t);
}


static void
test_alert(void)
{
    test_t    t;
    order_t   o;
    query_t  *q;

    setup(&t, "status_alert");
    t.policy.coalesce = REPEATS;

    check_str(an_alert(ask(&t, "ops", "k")), "");
    check_int(ask(&t, "ops", "k")->found, 0);

    /* nothing of it, though there are others */

    accept_id(&t, "ops", "other", ALERT, 1);
    accept_id(&t, "dev", "k", ALERT, 2);
    check_int(run(&t), OK);
    check_int(ask(&t, "ops", "k")->found, 0);
    drain(&t, "ops");
    drain(&t, "dev");

    /* it waits, is taken, and told, whatever the spelling */

    t.now = NOW + 1;
    accept_id(&t, "ops", " \tKey\v\r\n", ALERT, 3);
    check_int(run(&t), OK);
    q = ask(&t, "ops", "kEY");
    check_str(an_alert(q), "unknown 0 - 1 - - 0 1; 3 1 3 0 1");
    check(q->state.key.len == 8
          && memcmp(q->state.key.data, " \tKey\v\r\n", 8) == 0);
    check_int(ask(&t, "ops", "k ey")->found, 0);

    take_one(&t, "ops");
    check_str(an_alert(ask(&t, "ops", "\f key ")),
              "unknown 0 - 1 - - 0 1; 3 1 3 0 1 *");

    take_one(&t, "ops");
    t.job.begin = 1;
    check_str(an_alert(ask(&t, "ops", "key")),
              "unknown 0 - 1 - - 0 1; 3 1 3 0 1");

    t.now = NOW + 2;
    give_back(&t, take_one(&t, "ops"), NOW + 1000);
    check_str(an_alert(ask(&t, "ops", "key")),
              "unknown 0 - 1 - 1000 1 1; 3 1 3 0 1");

    /* with others behind it */

    t.now = NOW + 3;
    level(accept_id(&t, "ops", "key", ALERT, 4), WARNING);
    accept_id(&t, "ops", "key", RESOLVE, 5);
    accept_id(&t, "ops", "key", COMMENT, 6);
    check_str(an_alert(ask(&t, "ops", "key")),
              "unknown 0 - 3 - 1000 1 4; 3 1 3 0 1; 4 1 2 3 3; 5 2 0 1 3; "
              "6 4 3 3 3");

    t.now = NOW + 1000;
    decide(&t, take_one(&t, "ops"), DONE);
    check_str(an_alert(ask(&t, "ops", "key")),
              "open 3 1000 3 1000 - 0 3; 4 1 2 3 3; 5 2 0 1 3; 6 4 3 3 3");

    t.now = NOW + 1001;
    take_one(&t, "ops");
    bury(&t, only(&t), 400, "no");
    check_str(an_alert(ask(&t, "ops", "key")),
              "unknown 3 1000 3 1000 - 0 2; 5 2 0 1 3; 6 4 3 3 3; dead 4");

    decide(&t, take_one(&t, "ops"), DONE);
    check_str(an_alert(ask(&t, "ops", "key")),
              "resolved 0 - 3 1001 - 0 1; 6 4 3 3 3; dead 4");

    t.now = NOW + 1002;
    drain(&t, "ops");
    check_str(an_alert(ask(&t, "ops", "key")),
              "resolved 0 - 3 1002 - 0 0; dead 4");

    /* a repeat that waits for its time, and one that is dropped */

    accept_id(&t, "ops", "key", ALERT, 7);
    check_int(run(&t), OK);
    drain(&t, "ops");
    t.now = NOW + 1010;
    accept_id(&t, "ops", "key", ALERT, 8);
    check_str(an_alert(ask(&t, "ops", "key")),
              "open 3 1002 1010 1002 301002 0 1; 8 1 3 4 1010; dead 4");

    t.now = NOW + 1020;
    accept_id(&t, "ops", "key", RESOLVE, 9);
    check_int(run(&t), OK);
    drain(&t, "ops");
    accept_id(&t, "ops", "key", RESOLVE, 10)->said.received = NOW + 1019;
    check_str(an_alert(ask(&t, "ops", "key")),
              "resolved 0 - 1020 1020 - 0 0; dead 4");
    accept_id(&t, "ops", "key", RESOLVE, 11)->said.received = NOW + 1021;
    check_str(an_alert(ask(&t, "ops", "key")),
              "resolved 0 - 1021 1020 - 0 0; dead 4");

    /* when nothing is known any longer of what ilert shows */

    t.job.unknown = 1;
    check_str(an_alert(ask(&t, "ops", "key")),
              "anything 0 - 1021 1020 - 0 0; dead 4");

    /* and nothing else than letters */

    kept_forget(&t, "key");
    check_str(an_alert(ask(&t, "ops", " KEY")), "; dead 4");
    check_int(ask(&t, "dev", "key")->dead.nelts, 0);

    /* not those that are older than many others */

    kept_bury(&t, "ops", 1001, 1000, 1, t.now + 1001, 1);
    check_int(ask(&t, "ops", "key")->dead.nelts, 0);
    check_int(ask(&t, "ops", "X\n")->dead.nelts, 100);
    order(&t, &o, DISCARD, "", 2000);
    check_str(an_alert(ask(&t, "ops", " KEY")), "; dead 4");

    check_counts(&t);
    teardown(&t);
}


/* a key with letters that are no ASCII, with none, and a very long one */

static void
test_alert_keys(void)
{
    char      key[5001];
    test_t    t;
    query_t  *q;

    setup(&t, "status_keys");

    memset(key, 'K', 5000);
    key[5000] = '\0';

    accept_id(&t, "ops", "\xc3\x84 a", ALERT, 1);
    accept_id(&t, "ops", "", ALERT, 2);
    accept_id(&t, "ops", key, ALERT, 3);
    accept_id(&t, "ops", "'", ALERT, 4);
    check_int(run(&t), OK);

    check_int(ask(&t, "ops", "\xc3\xa4 a")->found, 0);
    check_int(ask(&t, "ops", " \xc3\x84 A ")->found, 1);
    check_int(ask(&t, "ops", " ")->found, 1);
    check_int(ask(&t, "ops", "'")->found, 1);

    memset(key, 'k', 5000);
    q = ask(&t, "ops", key);
    check_int(q->found, 1);
    check_int(q->state.key.len, 5000);
    check_int(q->state.key.data[4999], 'K');

    /* and their letters */

    take_n(&t, "ops", 10);
    check_int(outcome.takes[0].taken, 4);

    while (taken(&t, 0)) {
        bury(&t, taken(&t, 0), 400, "no");
    }

    check_int(run(&t), OK);
    check_int(ask(&t, "ops", "\xc3\xa4 a")->dead.nelts, 0);
    check_int(ask(&t, "ops", " \xc3\x84 A\n")->dead.nelts, 1);
    check_int(ask(&t, "ops", "")->dead.nelts, 1);
    check_int(ask(&t, "ops", key)->dead.nelts, 1);

    teardown(&t);
}


static void
test_alert_long(void)
{
    int        i;
    test_t     t;
    query_t   *q;
    listed_t  *ev;

    setup(&t, "status_long");

    for (i = 0; i < 1200; i++) {
        accept_id(&t, "ops", "k", COMMENT, 1 + i)->said.received = NOW + i;
    }

    q = ask(&t, "ops", "k");
    check_int(q->events.nelts, 100);
    check_int(q->waiting, 1000);
    check_int(q->state.last, NOW + 1199);
    ev = elts(q->events);

    for (i = 0; i < 100; i++) {
        check_int(ev[i].id, 1 + i);
        check_int(ev[i].received, NOW + i);
    }

    /* the first one only is in flight */

    take_one(&t, "ops");
    ev = elts(ask(&t, "ops", "k")->events);
    check(ev[0].inflight && !ev[1].inflight && !ev[99].inflight);

    teardown(&t);
}


/* as somebody sees who asks in the middle of a job with much work */

static void
test_after(void)
{
    test_t    t;
    query_t  *q;

    setup(&t, "status_after");

    accept_id(&t, "ops", "k", ALERT, 1);
    take(&t, "ops", 1, 0);
    q = query(&t, "", NULL);
    check_int(run(&t), OK);
    check_str(sources(q), "ops 1 0 0 0 0 oldest 0 - - - - open 0 dead 0");
    check(q->committed);

    q = query(&t, "", NULL);
    verdict(&t, taken(&t, 0), DONE);
    check_int(run(&t), OK);
    check_str(sources(q), "ops 0 0 0 0 0 oldest - - - - - open 1 dead 0");

    /* not of a transaction that has failed */

    accept_id(&t, "ops", "l", ALERT, 2);
    store_fault(1, FAULT_FULL, 1000);
    q = query(&t, "", NULL);
    check_int(run(&t), FULL);
    store_fault(0, FAULT_NONE, 0);
    check(q->ok && !q->committed);
    check_str(sources(q), "ops 0 0 0 0 0 oldest - - - - - open 1 dead 0");

    t.now += SECOND;
    accept_id(&t, "ops", "l", ALERT, 2);
    check_int(run(&t), OK);
    check_sources(&t);

    teardown(&t);
}


/* whether there can be a commit is found out by one */

static query_t *
prove(test_t *t)
{
    query_t  *q;

    t->now += SECOND;
    t->job.prove = 1;
    q = query(t, "", NULL);
    q->prove = 1;
    run(t);

    check(q->ok);
    check_int(q->sources.nelts, 0);
    check_int(outcome.decided && t->store.state == OK, q->committed);

    return q;
}


static void
test_prove(void)
{
    char    path[600];
    test_t  t;

    setup(&t, "status_prove");

    /* at once after it was opened, and each time */

    check(prove(&t)->committed);

    vfs_syncs = 0;
    check(prove(&t)->committed);
    check(vfs_syncs > 0 && vfs_unsynced == 0);
    check_str(sql(&t, "SELECT recovered - %lld FROM total", t.now), "0");

    vfs_syncs = 0;
    check(prove(&t)->committed);
    check(vfs_syncs > 0 && vfs_unsynced == 0);

    /* an answer alone needs none */

    vfs_syncs = 0;
    ask(&t, "", NULL);
    check_int(vfs_syncs, 0);

    /* disks that are broken, or full, and that heal */

    vfs_fault(1, FAULT_IOERR, 1000000);
    check(!prove(&t)->committed);
    check_int(t.store.state, FAILED);
    check(!prove(&t)->committed);
    vfs_fault(1, FAULT_FULL, 1000000);
    check(!prove(&t)->committed);
    check_int(t.store.state, FULL);
    check(!prove(&t)->committed);
    vfs_fault(0, FAULT_NONE, 0);

    /* its ballast is not there again before a minute has gone */

    check(!prove(&t)->committed);
    t.now += MINUTE;
    check(prove(&t)->committed);

    /* not in the pause after an error */

    vfs_fault(1, FAULT_IOERR, 1000000);
    check(!prove(&t)->committed);
    vfs_fault(0, FAULT_NONE, 0);
    t.now -= SECOND;
    check(!prove(&t)->committed);
    check(prove(&t)->committed);

    /* no folder */

    ngx_http_ilert_store_close(&t.store);
    sqlite3_snprintf(sizeof(path), path, "%s.moved", t.path);
    check(rename(t.path, path) == 0);
    check(!prove(&t)->committed);
    check_int(t.store.state, CLOSED);
    check(rename(path, t.path) == 0);
    check(prove(&t)->committed);

    teardown(&t);
}


/* no room for accepts, while all else goes on */

static void
test_prove_full(void)
{
    char      body[3001];
    test_t    t;
    int64_t   bytes;
    query_t  *q;

    setup(&t, "status_full");
    t.store.max_size = 1024 * 1024;

    memset(body, 'x', 3000);
    body[3000] = '\0';

    do {
        accept_event(&t, "ops", "k", COMMENT, body);
    } while (run(&t) == OK);

    check_int(t.store.state, FULL);
    t.now -= SECOND;
    check(!prove(&t)->committed);
    check(!prove(&t)->committed);

    q = query(&t, "", NULL);
    check_int(run(&t), FULL);
    check(q->ok && q->bytes > 800 * 1024);
    bytes = q->bytes;

    /* it is drained */

    do {
        t.now += SECOND;
        take(&t, "ops", 1, 0);
        run(&t);

        if (taken(&t, 0)) {
            verdict(&t, taken(&t, 0), DONE);
        }

    } while (t.store.state == FULL);

    check(ask(&t, "", NULL)->bytes < bytes);
    check(prove(&t)->committed);

    teardown(&t);
}


/* no answer, and soon */

static void
ask_in_vain(test_t *t, ngx_uint_t state)
{
    double    start;
    query_t  *q;

    start = seconds();

    q = query(t, "", NULL);
    check_int(run(t), state);
    check(!q->ok);

    check(seconds() - start < 1);
}


static void
test_no_answer(void)
{
    int       fd;
    char      path[600], page[4096];
    double    start;
    off_t     root;
    test_t    t;
    query_t  *q;
    sqlite3  *db;

    setup(&t, "status_in_vain");
    sqlite3_snprintf(sizeof(path), path, "%s/queue.db", t.path);

    /* no folder */

    check_int(rmdir(t.path), 0);
    ask_in_vain(&t, CLOSED);
    check_int(mkdir(t.path, 0700), 0);
    t.now += SECOND;

    accept_one(&t, "ops", "k", ALERT, "x");
    accept_one(&t, "ops", "l", ALERT, "x");

    /* who writes keeps nobody from reading */

    check(sqlite3_open(path, &db) == SQLITE_OK);
    check(sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0) == SQLITE_OK);
    start = seconds();
    check_str(sources(ask(&t, "", NULL)),
              "ops 2 0 0 0 0 oldest 1000 - - - - open 0 dead 0");
    check(seconds() - start < 0.4);
    check(sqlite3_close(db) == SQLITE_OK);

    /*
     * who has it for himself does, if we do not have it open: it is waited
     * for once, by a job, and then it is said at once
     */

    ngx_http_ilert_store_close(&t.store);
    check(sqlite3_open(path, &db) == SQLITE_OK);
    check(sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE;"
                           "COMMIT", 0, 0, 0) == SQLITE_OK);
    check_int(run(&t), FAILED);

    t.now += 499;
    ask_in_vain(&t, FAILED);

    check(sqlite3_close(db) == SQLITE_OK);
    t.now++;
    check_sources(&t);

    /* reads that fail: of what is not in memory yet */

    ngx_http_ilert_store_close(&t.store);
    check_int(run(&t), OK);
    vfs_fault(1, FAULT_IOERR, 1000000);
    ask_in_vain(&t, OK);
    check(vfs_failed());
    vfs_fault(0, FAULT_NONE, 0);
    check_sources(&t);

    /* damage, which the next job with work finds, too */

    root = atoi(sql(&t, "SELECT rootpage FROM sqlite_master"
                        " WHERE name = 'source'"));
    ngx_http_ilert_store_close(&t.store);
    memset(page, 0xff, sizeof(page));
    fd = open(path, O_WRONLY);
    check(pwrite(fd, page, 4096, (root - 1) * 4096) == 4096);
    close(fd);

    ask_in_vain(&t, OK);

    q = query(&t, "", NULL);
    accept_id(&t, "ops", "k", ALERT, 1);
    check_int(run(&t), OK);
    check(t.store.notice[0] != '\0');
    check(q->ok);
    check_str(sources(q), slow_sources(&t));

    teardown(&t);
}


/* without memory there is no answer, and the next one is right */

static void
test_no_memory(void)
{
    int       i, n, kind;
    char      key[16];
    test_t    t;
    query_t  *q;

    setup(&t, "status_memory");
    budget(&t, "key", 100, MINUTE);

    for (i = 0; i < 40; i++) {
        sprintf(key, "%d", i);
        accept_id(&t, i % 2 ? "ops" : "dev", key, ALERT, 1 + i);
        accept_id(&t, "ops", "many", COMMENT, 100 + i);
    }

    check_int(run(&t), OK);
    take(&t, "dev", 20, 0);
    take_n(&t, "ops", 10);
    check(outcome.takes[0].taken == 20 && outcome.takes[1].taken == 10);

    for (i = 0; i < 20; i++) {
        verdict(&t, taken(&t, 0), DONE);
    }

    while (taken(&t, 0)) {
        bury(&t, taken(&t, 0), 400, "no");
    }

    check_int(run(&t), OK);

    for (kind = 0; kind < 4; kind++) {

        for (n = 1; n < 1000; n++) {
            q = query(&t, kind ? "ops" : "", kind == 2 ? "many"
                                             : kind == 3 ? "1" : NULL);
            test_alloc_fails = n;
            check_int(run(&t), OK);

            if (test_alloc_fails) {
                break;
            }

            check(!q->ok);
        }

        test_alloc_fails = 0;
        check(q->ok);
        check(n > 3 && n < 1000);
        check_sources(&t);
    }

    teardown(&t);
}


/* several who ask at once */

static void
test_several(void)
{
    int       i;
    test_t    t;
    query_t  *last, all[3];

    setup(&t, "status_several");

    accept_id(&t, "ops", "k", ALERT, 1);
    accept_id(&t, "dev", "k", RESOLVE, 2);

    for (i = 0; i < 3; i++) {
        memset(&all[i], 0, sizeof(query_t));
        all[i].pool = ngx_create_pool(1024, NULL);
        ngx_queue_insert_tail(&t.job.queries, &all[i].queue);
    }

    ngx_str_set(&all[1].source, "dev");
    all[2].prove = 1;
    last = query(&t, "ops", "K");

    check_int(run(&t), OK);
    check(all[0].ok && all[1].ok && all[2].ok && last->ok);
    check_str(sources(&all[0]), slow_sources(&t));
    check_str(sources(&all[1]), slow_sources(&t));
    check_str(sources(last), slow_sources(&t));
    check_int(all[2].sources.nelts, 0);
    check_str(an_alert(last), "unknown 0 - 0 - - 0 1; 1 1 3 0 0");

    for (i = 0; i < 3; i++) {
        ngx_destroy_pool(all[i].pool);
    }

    teardown(&t);
}


/*
 * At random: events of many sources and policies, verdicts, orders, couriers
 * that die, disks that fail, and the counts after each job.
 */

#define SOURCES   20
#define KEYS      6
#define STEPS     150
#define FLIGHTS   24
#define ORDERS    3
#define MANY      1000


typedef struct {
    test_t       t;
    event_t     *flights[FLIGHTS];
    order_t      orders[ORDERS];
    ngx_uint_t   ordered[ORDERS];   /* it is not done yet */
    uint64_t     id;
    ngx_uint_t   many;              /* so much waits that none is recounted */
    ngx_uint_t   faults;
    ngx_uint_t   jumps;             /* of the clock, backwards */
    ngx_uint_t   done;              /* orders that did something */
} random_t;


static const char *
random_source(ngx_uint_t n)
{
    static char  names[SOURCES][8];

    sqlite3_snprintf(sizeof(names[n]), names[n], "s%02d", (int) n);

    return names[n];
}


static void
set_policy(random_t *r, ngx_uint_t source)
{
    r->t.policy.coalesce = source % 3;
    r->t.policy.repeat = 60 * SECOND;
    r->t.policy.resolve_after = (source % 4) ? 0 : 2 * MINUTE;
}


static void
random_accept(random_t *r)
{
    char         key[16];
    event_t     *ev;
    ngx_uint_t   n, source;

    static const char  *spelling[] = { "key%d", " KEY%d", "Key%d\n" };

    /* of a few sources there is more */

    source = rnd(3) ? rnd(4) : rnd(SOURCES);
    set_policy(r, source);

    sqlite3_snprintf(sizeof(key), key, spelling[rnd(3)], (int) rnd(KEYS));

    n = rnd(20);

    ev = accept_id(&r->t, random_source(source), key, n < 11 ? ALERT
                   : n < 17 ? RESOLVE : n < 19 ? COMMENT : ACCEPT, ++r->id);

    ev->said.level = (ev->said.type == RESOLVE) ? 0 : 1 + rnd(3);
    ev->said.priority = rnd(4) ? 0 : rnd(3);
    ev->said.received -= rnd(50);
}


static void
random_verdict(random_t *r, ngx_uint_t i)
{
    event_t  *ev;

    ev = r->flights[i];
    r->flights[i] = NULL;

    switch (rnd(10)) {

    case 0:
        verdict(&r->t, ev, UNSENT);
        break;

    case 1:
        ev->refused = 1;
        ev->pause = rnd(2) * SECOND;
        give_back(&r->t, ev, r->t.now + rnd(3000));
        break;

    case 2:
        ev->maybe = rnd(2);
        give_back(&r->t, ev, r->t.now + rnd(3000));
        break;

    case 3:
    case 4:
        bury(&r->t, ev, 400, "no");
        break;

    default:
        verdict(&r->t, ev, DONE);
    }
}


static void
random_takes(random_t *r, ngx_uint_t room)
{
    ngx_uint_t  i, n, source;

    source = rnd(SOURCES);

    for (i = 0; i < MAX_TAKES && room; i++) {
        n = 1 + rnd(room);
        room -= n;

        set_policy(r, source);
        take(&r->t, random_source(source), n, rnd(4) ? 0 : 30 * SECOND);

        source = (source + 1 + rnd(2)) % SOURCES;
    }

    for (i = 0; i < MAX_IDS; i++) {
        r->t.ids[i] = ++r->id;
    }

    r->t.job.nids = rnd(4);
}


/* of one that there is, mostly */

static uint64_t
random_letter(random_t *r)
{
    uint64_t     id;
    ngx_uint_t   n;
    const char  *p;

    id = 0;

    if (rnd(5)) {
        p = kept_letters(&r->t, "i");

        for (n = rnd(4); n && strchr(p, ','); n--) {
            p = strchr(p, ',') + 1;
        }

        id = atoi(p);
    }

    return id ? id : 1 + rnd(100);
}


/* one that has not been obeyed to its end is given again */

static void
random_orders(random_t *r)
{
    order_t     *o;
    ngx_uint_t   i, action, letter;

    for (i = 0; i < ORDERS; i++) {
        o = &r->orders[i];

        if (r->ordered[i]) {
            ngx_queue_insert_tail(&r->t.job.orders, &o->queue);

        } else if (rnd(8) == 0) {
            action = rnd(EMPTY + 1);
            letter = (action <= DISCARD && rnd(2)) ? random_letter(r) : 0;

            if (action == EMPTY && rnd(4)) {
                continue;
            }

            order(&r->t, o, action, random_source(rnd(3) ? rnd(4)
                                                         : rnd(SOURCES)),
                  letter);
            r->ordered[i] = 1;
        }
    }
}


static void
random_obeyed(random_t *r)
{
    order_t     *o;
    ngx_uint_t   i;

    for (i = 0; i < ORDERS; i++) {
        o = &r->orders[i];

        if (!r->ordered[i]) {
            continue;
        }

        if (outcome.decided) {
            o->after[0] = o->next[0];
            o->after[1] = o->next[1];
            r->ordered[i] = o->more;
            r->done += (o->count != 0);

        } else {
            check(o->count == 0 && o->refused == 0 && o->why == NULL
                  && !o->more && !o->missing);
        }
    }
}


static void
random_crash(random_t *r)
{
    ngx_uint_t  i;

    for (i = 0; i < FLIGHTS; i++) {
        ngx_free(r->flights[i]);
        r->flights[i] = NULL;
    }

    while (!ngx_queue_empty(&r->t.job.verdicts)) {
        verdict(&r->t, ngx_queue_data(ngx_queue_head(&r->t.job.verdicts),
                                      event_t, queue), UNSENT);
        ngx_free(keep(ngx_queue_data(ngx_queue_last(&r->t.job.verdicts),
                                     event_t, queue)));
    }

    if (rnd(2)) {
        ngx_http_ilert_store_close(&r->t.store);
    }

    r->t.job.begin = 1;
}


/* of what is listed the times, for there may be several of one */

static void
check_lists(test_t *t, query_t *q)
{
    text_t      *text;
    ngx_uint_t   i;

    text = new_text();

    for (i = 0; i < q->open.nelts; i++) {
        add(text, "%s%lld", i ? "," : "",
            ((open_t *) q->open.elts)[i].opened);
    }

    check_str(text->data,
              sql(t, "SELECT group_concat(opened) FROM (SELECT opened FROM"
                     " alert WHERE opened > 0 ORDER BY opened DESC"
                     " LIMIT 100)"));

    text = new_text();

    for (i = 0; i < q->dead.nelts; i++) {
        add(text, "%s%lld", i ? "," : "", ((dead_t *) q->dead.elts)[i].id);
    }

    check_str(text->data,
              sql(t, "SELECT group_concat(id) FROM (SELECT id FROM dead"
                     " ORDER BY died DESC, seq DESC LIMIT 100)"));
}


static void
random_check(random_t *r, query_t *q)
{
    check_counts(&r->t);
    check_heads(&r->t);

    if (!q->ok) {
        check(store_faults() || r->t.store.state != OK);
        return;
    }

    if (!r->jumps) {
        check_str(sources(q), slow_sources(&r->t));
    }

    if (on_sqlite()) {
        check_lists(&r->t, q);
    }
}


static void
random_step(random_t *r, ngx_uint_t accepts)
{
    event_t     *ev;
    query_t     *q;
    ngx_uint_t   i, room;

    r->t.now += rnd(5) ? rnd(2000) : rnd(100) * SECOND;

    if (r->jumps && rnd(10) == 0) {
        r->t.now -= rnd(200) * SECOND;
    }

    if (rnd(30) == 0) {
        random_crash(r);
    }

    r->t.job.unknown = (rnd(40) == 0);
    r->t.job.clean = (rnd(15) == 0);
    r->t.job.prove = (rnd(15) == 0);

    if (rnd(20) == 0) {
        release(&r->t, random_source(rnd(SOURCES)));
    }

    while (accepts--) {
        random_accept(r);
    }

    for (room = 0, i = 0; i < FLIGHTS; i++) {
        if (r->flights[i] && rnd(2)) {
            random_verdict(r, i);
        }

        room += (r->flights[i] == NULL);
    }

    random_orders(r);
    random_takes(r, room);

    if (r->faults && rnd(4) == 0) {
        store_fault(1 + rnd(40), rnd(2) ? FAULT_IOERR : FAULT_FULL,
                  rnd(2) * rnd(20));
    }

    q = query(&r->t, "", NULL);
    run(&r->t);

    check(r->t.store.state == OK || store_faults() || r->faults);
    random_obeyed(r);
    random_check(r, q);
    store_fault(0, FAULT_NONE, 0);

    while ((ev = taken(&r->t, 0))) {
        for (i = 0; r->flights[i]; i++) { /* void */ }
        r->flights[i] = keep(ev);
    }
}


static void
random_run(ngx_uint_t n)
{
    ngx_uint_t       i;
    static random_t  r;

    memset(&r, 0, sizeof(random_t));
    setup(&r.t, "status_random");

    r.many = n % 2;
    r.faults = n / 2 % 2;
    r.jumps = (n % 3 == 2);

    budget(&r.t, "key", 60, 10 * SECOND);
    check_int(run(&r.t), OK);

    for (i = 0; r.many && i < MANY; i++) {
        accept_id(&r.t, "z", "key", COMMENT, ++r.id);
    }

    for (i = 0; i < STEPS && test_failures == 0; i++) {
        random_step(&r, rnd(20) ? rnd(8) : 60);
    }

    check_str(r.t.store.notice, "");
    check(r.done > 0 || test_failures);

    random_crash(&r);
    teardown(&r.t);
}


static void
test_random(void)
{
    at_random(12, random_run);
}


test_case_t  status_cases[] = {
    { "status: sources", test_sources },
    { "status: many sources", test_many_sources },
    { "status: what is replaced", test_replaced },
    { "status: open alerts", test_open },
    { "status: open alerts, when they were heard of", test_open_last },
    { "status: dead letters", test_dead_list },
    { "status: budgets", test_used },
    { "status: an alert", test_alert },
    { "status: keys of alerts", test_alert_keys },
    { "status: an alert with many events", test_alert_long },
    { "status: after the transaction", test_after },
    { "status: prove, no room", test_prove_full },
    { "status: no memory", test_no_memory },
    { "status: several queries", test_several },
    { "status: at random", test_random },
    { NULL, NULL }
};


/* an answer writes nothing: no new budget, and no row that was mended */

static void
test_writes_nothing(void)
{
    char      path[600];
    test_t    t;
    query_t  *q;
    sqlite3  *db;

    setup(&t, "status_writes_nothing");
    sqlite3_snprintf(sizeof(path), path, "%s/queue.db", t.path);

    accept_one(&t, "ops", "k", ALERT, "x");
    decide(&t, take_one(&t, "ops"), DONE);
    sql(&t, "UPDATE alert SET level = 99");
    budget(&t, "unused", 5, SECOND);

    check(sqlite3_open(path, &db) == SQLITE_OK);
    check(sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0) == SQLITE_OK);
    q = ask(&t, "", NULL);
    check_int(q->nused, 1);
    check_int(q->open.nelts, 1);
    check(sqlite3_close(db) == SQLITE_OK);

    teardown(&t);
}


/* events of an earlier release, which did not say since when they wait */

static void
test_no_since(void)
{
    test_t  t;

    setup(&t, "status_no_since");

    accept_id(&t, "ops", "k", ALERT, 1);
    t.now += SECOND;
    accept_id(&t, "ops", "l", ALERT, 2);
    check_int(run(&t), OK);

    sql(&t, "UPDATE event SET since = 0");
    check_sources(&t);

    teardown(&t);
}


/* with SQLite's files */

test_case_t  status_sqlite_cases[] = {
    { "status: prove", test_prove },
    { "status: no answer", test_no_answer },
    { "status: an answer writes nothing", test_writes_nothing },
    { "status: events without a time", test_no_since },
    { NULL, NULL }
};
