
/* silences that people make, and what they hold */


#include "store_test.h"
#include "kept.h"


#define MINUTE  (60 * SECOND)
#define HOUR    (60 * MINUTE)

#define ADD     NGX_HTTP_ILERT_STORE_ADD_SILENCE
#define END     NGX_HTTP_ILERT_STORE_END_SILENCE
#define LATER   (5 * MINUTE)        /* the longest that anything waits */

static order_t     last;            /* the last order, after its last job */
static ngx_uint_t  jobs;            /* that it took */


static void
run_now(test_t *t)
{
    t->job.longest = LATER;
    check_int(run(t), OK);
    check_counts(t);
    check_heads(t);
}


/* in as many jobs as it takes; how many alerts, or silences */

static ngx_uint_t
obey(test_t *t)
{
    ngx_uint_t  count;

    count = 0;

    for (jobs = 0; jobs < 100; ) {
        run_now(t);
        jobs++;
        count += last.count;

        if (!last.more) {
            break;
        }

        last.after[0] = last.next[0];
        last.after[1] = last.next[1];
        ngx_queue_insert_tail(&t->job.orders, &last.queue);
    }

    return count;
}


static int64_t
silence(test_t *t, const char *source, const char *pattern, int64_t from,
    int64_t until)
{
    order(t, &last, ADD, source, 0);

    last.owner = last.source;
    last.key.data = (u_char *) pattern;
    last.key.len = strlen(pattern);
    last.from = from;
    last.until = until;
    ngx_str_set(&last.comment, "c");

    last.count = obey(t);

    return last.made;
}


static ngx_uint_t
end_silence(test_t *t, int64_t id)
{
    order(t, &last, END, "", id);

    return obey(t);
}


/* "key:body ..." of what is taken of "ops" now and delivered; '-' a RESOLVE */

static const char *
sent(test_t *t)
{
    char        *p;
    event_t     *ev;
    ngx_uint_t   i, n;

    static char  text[1024];

    p = text;
    *p = '\0';

    for (n = 0; n < 20; n++) {

        take(t, "ops", 100, 0);
        run_now(t);

        if (taken(t, 0) == NULL) {
            break;
        }

        for (i = 0; (ev = taken(t, i)); i++) {
            p += sprintf(p, "%s%.*s%s%.*s", p == text ? "" : " ",
                         (int) ev->key.len, ev->key.data,
                         ev->said.type == RESOLVE ? "-" : ":",
                         (int) ev->body.len, ev->body.data);
        }

        verdicts(t, DONE);
    }

    return text;
}


static event_t *
comes(test_t *t, const char *key, ngx_uint_t type, const char *body)
{
    event_t  *ev;

    ev = accept_event(t, "ops", key, type, body);
    run_now(t);

    return ev;
}


static void
test_silence(void)
{
    test_t  t;

    setup(&t, "silences");
    t.policy.coalesce = LATEST;

    comes(&t, "a1", ALERT, "1");
    comes(&t, "a2", ALERT, "1");
    check_str(sent(&t), "a1:1 a2:1");

    check_int(silence(&t, "ops", " A? ", NOW, NOW + HOUR), 1);
    check_int(last.count, 0);

    /* what ilert shows is raised, repeated, resolved, and opened */

    level(accept_event(&t, "ops", "a1", ALERT, "2"), WARNING);
    comes(&t, "a2", ALERT, "2");
    level(accept_event(&t, "ops", "A3", ALERT, "3"), WARNING);
    accept_event(&t, "ops", "b", ALERT, "b");
    accept_event(&t, "ops", "a", ALERT, "a");
    run_now(&t);
    check_int(outcome.coalesced, 0);

    check_str(kept_alerts(&t, "a1", "tun"), "2 6 300000");
    check_str(sent(&t), "b:b a:a");

    comes(&t, "a1", RESOLVE, "4");
    check_str(sent(&t), "a1-4");

    /* over restarts, and for longer than anything waits */

    ngx_http_ilert_store_close(&t.store);
    t.now += LATER;
    check_str(sent(&t), "");
    check_str(kept_alerts(&t, "a3", "tun"), "2 6 600000");

    t.now = NOW + HOUR - 1;
    check_str(sent(&t), "");
    check_int(outcome.due, NOW + HOUR);

    t.now = NOW + HOUR;
    check_str(sent(&t), "A3:3 a2:2");
    check_int(outcome.due, 0);
    check_str(kept_alerts(&t, NULL, "ktus"),
              "a1 0 3 2,a2 0 3 1,a3 0 3 1,b 0 3 1,a 0 3 1");

    teardown(&t);
}


/* in all modes only the newest state goes, and what is over does not */

static void
test_newest(void)
{
    test_t      t;
    ngx_uint_t  mode;

    for (mode = OFF; mode <= LATEST; mode++) {

        setup(&t, "silences_newest");
        t.policy.coalesce = mode;
        t.policy.repeat = MINUTE;

        comes(&t, "was", ALERT, "1");
        comes(&t, "was", RESOLVE, "2");
        comes(&t, "trap", ALERT, "1");
        comes(&t, "trap", RESOLVE, "2");
        comes(&t, "flap", ALERT, "1");
        comes(&t, "flap", RESOLVE, "2");
        comes(&t, "open", ALERT, "1");
        sent(&t);

        silence(&t, "ops", "*", NOW, NOW + HOUR);

        /* opened, and over */

        comes(&t, "was", ALERT, "3");
        comes(&t, "was", RESOLVE, "4");

        /* traps, of which each one is news */

        comes(&t, "trap", ALERT, "3")->said.message = 3;
        comes(&t, "trap", ALERT, "4")->said.message = 4;
        comes(&t, "trap", ALERT, "5")->said.message = 5;

        comes(&t, "flap", ALERT, "3");
        comes(&t, "flap", RESOLVE, "4");
        level(accept_event(&t, "ops", "flap", ALERT, "5"), WARNING);
        comes(&t, "flap", ALERT, "6");
        comes(&t, "flap", RESOLVE, "7");
        comes(&t, "flap", ALERT, "8");

        level(accept_event(&t, "ops", "open", ALERT, "3"), WARNING);
        level(comes(&t, "open", ALERT, "4"), INFO);

        check_str(sent(&t), "");
        check_int(kept_count(&t, NULL), 4);
        check_str(kept_alerts(&t, "was", "ht"), "0 0");

        t.now = NOW + HOUR;
        check_str(sent(&t), "trap:5 flap:8 open:4");
        teardown(&t);
    }
}


/* what waits is held when a silence is added, but not what is under way */

static void
test_added(void)
{
    test_t      t;
    int64_t     id;
    event_t    *ev;
    ngx_uint_t  mode;

    for (mode = OFF; mode <= LATEST; mode++) {

        setup(&t, "silences_added");
        t.policy.coalesce = mode;

        comes(&t, "old", ALERT, "1");
        check_str(sent(&t), "old:1");

        comes(&t, "way", ALERT, "1");
        take(&t, "ops", 1, 0);
        run_now(&t);
        ev = only(&t);
        keep(ev);

        comes(&t, "new", ALERT, "1");
        level(accept_event(&t, "ops", "new", ALERT, "2"), WARNING);
        run_now(&t);

        /* with all but "latest" the RESOLVE waits behind an ALERT */

        level(accept_event(&t, "ops", "old", ALERT, "2"), WARNING);
        run_now(&t);
        comes(&t, "old", RESOLVE, "3");

        comes(&t, "note", ALERT, "1");
        comes(&t, "note", COMMENT, "2");
        comes(&t, "flap", ALERT, "1");
        comes(&t, "flap", COMMENT, "2");
        comes(&t, "flap", RESOLVE, "3");
        comes(&t, "flap", ALERT, "4");

        id = silence(&t, "ops", "*", NOW, NOW + HOUR);
        check_int(id, 1);
        check_int(last.count, 2);
        check_str(kept_alerts(&t, "way", "tu"), "1 0");
        check_str(kept_alerts(&t, "note", "tu"), "2 6");

        verdict(&t, ev, AGAIN);
        ev->next = NOW + SECOND;
        run_now(&t);
        check_str(sent(&t), mode == LATEST ? "old-3 flap:2"
                                           : "flap:2 old-3 flap-3");
        t.now += SECOND;
        check_str(sent(&t), "");
        check_str(kept_alerts(&t, "way", "tu"), "2 6");

        check_int(end_silence(&t, id + 1), 0);
        check_int(last.missing, 1);
        check_int(end_silence(&t, id), 1);
        check_str(sent(&t), "way:1 note:1 flap:4 new:2 note:2");
        check_int(end_silence(&t, id), 0);
        check_int(last.missing, 1);

        teardown(&t);
    }
}


/* from many to none, in jobs that are not too long; and over a restart */

static void
test_many(void)
{
    int         i;
    char        key[16];
    test_t      t;
    int64_t     id, other;
    event_t    *ev;
    ngx_uint_t  n;

    setup(&t, "silences_many");
    t.policy.coalesce = LATEST;

    for (i = 0; i < 2500; i++) {
        sprintf(key, "%d", i);
        ev = accept_event(&t, i % 5 ? "ops" : "dev", key, ALERT, "x");
        ngx_str_set(&ev->owner, "ops");
    }

    run_now(&t);

    id = silence(&t, "ops", "*", NOW, NOW + DAY);
    check_int(last.count, 2500);
    check_int(jobs, 3);
    check_int(kept_in_state(&t, 2), 2500);
    check_str(sent(&t), "");

    other = silence(&t, "dev", "1*", NOW, NOW + DAY);
    check_int(last.count, 0);

    /* each is looked at again, since nothing waits that long */

    t.now += LATER;
    check_str(sent(&t), "");
    check_int(kept_in_state(&t, 2), 2500);

    check_int(end_silence(&t, id), 1);
    check_int(jobs, 3);
    check_int(kept_in_state(&t, 2), 1111);

    /* the process ends in the middle */

    order(&t, &last, END, "", other);
    run_now(&t);
    check_int(last.more, 1);
    check_int(kept_in_state(&t, 2), 111);
    ngx_http_ilert_store_close(&t.store);

    t.job.clean = 1;
    run_now(&t);
    check_int(kept_in_state(&t, 2), 0);

    for (n = 0, i = 0; i < 60; i++) {
        take(&t, "ops", 100, 0);
        take(&t, "dev", 100, 0);
        run_now(&t);

        if (taken(&t, 0) == NULL) {
            break;
        }

        for ( /* void */ ; taken(&t, 0); n++) {
            verdict(&t, taken(&t, 0), DONE);
        }
    }

    check_int(n, 2500);

    teardown(&t);
}


/* those that are over make room, and are removed */

static void
test_limit(void)
{
    test_t      t;
    int64_t     id, first;
    ngx_uint_t  i, n;

    setup(&t, "silences_limit");

    first = silence(&t, "ops", "a", NOW, NOW + SECOND);
    check(silence(&t, "ops", "b", NOW + MINUTE, NOW + HOUR) > first);

    for (i = 0, n = 0; i < 1000; i++) {
        id = silence(&t, "ops", "c", NOW, NOW + HOUR);
        n += last.refused;
    }

    check_int(n, 2);
    check_int(last.made, 0);
    check_str(last.why, "there are too many silences, 1000 at most");

    check_int(query(&t, "", NULL)->ok, 0);
    run_now(&t);

    t.now += SECOND;
    id = silence(&t, "ops", "d", t.now, NOW + HOUR);
    check(id > 1000);
    check_int(last.refused, 0);
    check_int(silence(&t, "ops", "d", t.now, NOW + HOUR), 0);

    t.now = NOW + HOUR;
    t.job.clean = 1;
    run_now(&t);
    check_int(outcome.lapsed, 1000);
    check_int(outcome.lapsed_id, id);
    t.job.clean = 1;
    run_now(&t);
    check_int(outcome.lapsed, 0);

    check_int(silence(&t, "nothing", "d", t.now, t.now + HOUR), 0);
    check_int(last.missing, 1);
    check(silence(&t, "ops", "d", t.now, t.now + HOUR) > id);

    teardown(&t);
}


/* for a key, whichever source of it, also when that has another key */

static void
test_owner(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "silences_owner");

    silence(&t, "ops", "*", NOW, NOW + HOUR);

    ev = accept_event(&t, "dev", "k", ALERT, "1");
    ngx_str_set(&ev->owner, "ops");
    accept_event(&t, "app", "k", ALERT, "2");
    run_now(&t);

    take(&t, "dev", 9, 0);
    take(&t, "app", 9, 0);
    run_now(&t);
    check_int(only(&t)->source.data[0], 'a');
    verdicts(&t, DONE);
    run_now(&t);

    /* a digest is silenced by its own name alone */

    comes(&t, "ilert-digest:ops", ALERT, "3");
    check_str(sent(&t), "ilert-digest:ops:3");
    silence(&t, "ops", "ilert-digest:*", NOW, NOW + HOUR);
    level(comes(&t, "ilert-digest:ops", ALERT, "4"), WARNING);
    check_str(sent(&t), "");

    teardown(&t);
}


/*
 * By chance: silences come and go, and so do alerts.  No ALERT is taken that
 * a silence holds for, a RESOLVE of what ilert shows is not held, and in the
 * end ilert shows what was said last.
 */

#define KEYS      4
#define SILENCES  6

typedef struct {
    test_t      t;
    ngx_uint_t  said[KEYS];             /* levels; OK: a RESOLVE */
    ngx_uint_t  shows[KEYS];
    struct {
        int64_t     id, from, until;
        const char *pattern;
    }           silences[SILENCES];
} chance_t;


static ngx_uint_t
is_silenced(chance_t *c, ngx_uint_t key)
{
    ngx_uint_t   i;
    const char  *pattern;

    for (i = 0; i < SILENCES; i++) {
        pattern = c->silences[i].pattern;

        if (c->silences[i].id && c->silences[i].from <= c->t.now
            && c->t.now < c->silences[i].until
            && (*pattern == '*' || *pattern == '?'
                || *pattern == (char) ('a' + key)))
        {
            return 1;
        }
    }

    return 0;
}


static void
deliver(chance_t *c, ngx_uint_t most)
{
    event_t     *ev;
    ngx_uint_t   n, key;

    for (n = 0; n < most; n++) {
        take(&c->t, "ops", 1 + rnd(3), 0);
        run_now(&c->t);

        if (taken(&c->t, 0) == NULL) {
            return;
        }

        while ((ev = taken(&c->t, 0))) {
            key = ev->key.data[0] - 'a';

            check(ev->said.type != ALERT || !is_silenced(c, key));

            if (rnd(6) == 0) {
                ev->next = c->t.now + rnd(20) * SECOND;
                verdict(&c->t, ev, AGAIN);
                continue;
            }

            if (ev->said.type != COMMENT) {
                c->shows[key] = ev->said.level;
            }

            verdict(&c->t, ev, DONE);
        }
    }
}


static void
run_chance(ngx_uint_t number)
{
    char        key[2] = "a";
    chance_t    c;
    ngx_uint_t  i, k, n;

    static const char  *patterns[] = { "*", "?", "a", "b*", "c*", "d" };

    memset(&c, 0, sizeof(chance_t));
    setup(&c.t, "silences_chance");
    c.t.policy.coalesce = rnd(3);
    c.t.policy.repeat = rnd(3) * MINUTE;

    for (n = 0; n < 60; n++) {
        i = rnd(SILENCES);

        switch (rnd(8)) {

        case 0:
            if (c.silences[i].id == 0) {
                c.silences[i].pattern = patterns[rnd(6)];
                c.silences[i].from = c.t.now + rnd(3) * 10 * SECOND;
                c.silences[i].until = c.silences[i].from
                                      + (1 + rnd(20)) * 30 * SECOND;
                c.silences[i].id = silence(&c.t, "ops", c.silences[i].pattern,
                                           c.silences[i].from,
                                           c.silences[i].until);
            }

            break;

        case 1:
            if (c.silences[i].id) {
                check_int(end_silence(&c.t, c.silences[i].id)
                          || c.t.now >= c.silences[i].until, 1);
                c.silences[i].id = 0;
            }

            break;

        case 2:
            c.t.now += rnd(40) * SECOND;
            break;

        case 3:
            deliver(&c, 1 + rnd(3));
            break;

        case 4:
            c.t.job.clean = rnd(2);
            run_now(&c.t);

            if (rnd(3) == 0) {
                ngx_http_ilert_store_close(&c.t.store);
            }

            break;

        default:
            k = rnd(KEYS);
            *key = 'a' + k;

            if (rnd(6) == 0) {
                comes(&c.t, key, COMMENT, "m");
                break;
            }

            c.said[k] = rnd(3) ? WARNING + rnd(2) : NGX_HTTP_ILERT_OK;
            level(accept_event(&c.t, "ops", key,
                               c.said[k] ? ALERT : RESOLVE, "x"), c.said[k]);
            run_now(&c.t);
            break;
        }
    }

    for (i = 0; i < 40; i++) {
        c.t.now += MINUTE;
        deliver(&c, 50);
    }

    for (k = 0; k < KEYS; k++) {
        check_int(c.shows[k], c.said[k]);
    }

    check_int(kept_in_state(&c.t, 2), 0);

    teardown(&c.t);
}


static void
test_chance(void)
{
    at_random(on_sqlite() ? 6 : 150, run_chance);
}


test_case_t  silences_cases[] = {
    { "silences: what they hold", test_silence },
    { "silences: only the newest goes", test_newest },
    { "silences: added while events wait", test_added },
    { "silences: many are held, and go", test_many },
    { "silences: as many as there may be", test_limit },
    { "silences: of which key", test_owner },
    { "silences: by chance", test_chance },
    { NULL, NULL }
};
