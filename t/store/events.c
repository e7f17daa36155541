
/* what the store does with events when nothing is wrong */


#include "kept.h"


static void
test_roundtrip(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "roundtrip");

    ev = accept_event(&t, "ops", " \xc3\x84 Key\t", ALERT, "{\"a\":1}");
    ev->id = 0x8000000000000001;
    ev->said.level = NGX_HTTP_ILERT_WARNING;
    ev->said.priority = NGX_HTTP_ILERT_HIGH;
    ev->said.received = NOW - 5;
    ev->passthrough = 1;

    ev = accept_event(&t, "ops", "low", RESOLVE, "");
    ev->said.priority = NGX_HTTP_ILERT_LOW;

    check_int(run(&t), OK);

    take_n(&t, "ops", 10);
    check_int(outcome.takes[0].taken, 2);

    ev = taken(&t, 0);
    check(ev->source.len == 3 && memcmp(ev->source.data, "ops", 3) == 0);
    check(ev->key.len == 8
          && memcmp(ev->key.data, " \xc3\x84 Key\t", 8) == 0);
    check(ev->body.len == 7 && memcmp(ev->body.data, "{\"a\":1}", 7) == 0);
    check(ev->id == 0x8000000000000001);
    check_int(ev->said.type, ALERT);
    check_int(ev->said.level, NGX_HTTP_ILERT_WARNING);
    check_int(ev->said.received, NOW - 5);
    check_int(ev->attempts, 0);
    check_int(ev->said.priority, NGX_HTTP_ILERT_HIGH);
    check(ev->passthrough);
    check_int(ev->seq, 1);

    ev = taken(&t, 1);
    check_int(ev->body.len, 0);
    check_int(ev->said.type, RESOLVE);
    check_int(ev->said.priority, NGX_HTTP_ILERT_LOW);
    check(!ev->passthrough);
    check_int(ev->seq, 2);

    teardown(&t);
}


/* one at a time and in order of commit, whatever the spelling of the key */

static void
test_order(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "order");

    accept_event(&t, "ops", "Disk", ALERT, "1");
    accept_event(&t, "ops", " dISK\n", ALERT, "2");
    accept_event(&t, "ops", "\v\f\r\tdisk", RESOLVE, "3");
    accept_event(&t, "ops", "dis k", ALERT, "4");
    accept_event(&t, "dev", "disk", ALERT, "5");
    accept_event(&t, "ops", "\xc3\x84", ALERT, "6");
    accept_event(&t, "ops", "\xc3\xa4", ALERT, "7");
    check_int(run(&t), OK);

    check_str(kept_alerts(&t, NULL, "h"), "1,4,5,6,7");
    check_str(kept_alerts(&t, "disk", "ka"), "disk \v\f\r\tdisk,disk disk");

    ev = take_one(&t, "ops");
    check_int(ev->seq, 1);

    take(&t, "ops", 10, 0);
    take(&t, "dev", 10, 0);
    take(&t, "none", 10, 0);
    verdict(&t, ev, UNSENT);
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 4);
    check_int(outcome.takes[1].taken, 1);
    check_int(outcome.takes[2].taken, 0);
    check_int(taken(&t, 0)->seq, 1);
    check_int(taken(&t, 1)->seq, 4);
    check_int(taken(&t, 2)->seq, 5);
    check_int(taken(&t, 4)->seq, 7);

    /* while the first is under way there is no second */

    ev = keep(taken(&t, 0));
    accept_one(&t, "ops", "DISK", ALERT, "8");
    take_n(&t, "ops", 10);
    check(taken(&t, 0) == NULL);

    verdict(&t, ev, DONE);
    take_n(&t, "ops", 10);
    check_int(only(&t)->seq, 2);

    t.job.begin = 1;
    verdict(&t, taken(&t, 0), DONE);
    check_int(run(&t), OK);

    check_str(drain(&t, "ops"),
              "DISK:3 dis k:4 \xc3\x84:6 \xc3\xa4:7 DISK:8");
    check_str(drain(&t, "dev"), "disk:5");
    check_str(kept_events(&t, NULL), "");

    teardown(&t);
}


static void
test_take_order(void)
{
    test_t  t;

    setup(&t, "take_order");

    level(accept_event(&t, "ops", "a", ALERT, "1"), WARNING);
    accept_event(&t, "ops", "b", RESOLVE, "2");
    accept_event(&t, "ops", "c", RESOLVE, "3");
    accept_event(&t, "ops", "d", ALERT, "4");
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "ku"), "a 2,b 1,c 1,d 0");

    take_n(&t, "ops", 3);
    check_int(outcome.takes[0].taken, 3);
    check(outcome.takes[0].more);
    check_int(taken(&t, 0)->seq, 4);
    check_int(taken(&t, 1)->seq, 2);
    check_int(taken(&t, 2)->seq, 3);

    verdicts(&t, DONE);

    take_n(&t, "ops", 0);
    check(taken(&t, 0) == NULL);

    take_n(&t, "ops", 1);
    check_int(only(&t)->seq, 1);
    check(!outcome.takes[0].more);

    teardown(&t);
}


/* "STATE HEAD next SHOWS LEVEL delivered changed" */

static const char *
state(test_t *t, const char *key)
{
    return kept_alerts(t, key, "thnsldc");
}


static void
test_done(void)
{
    test_t  t;

    setup(&t, "done");

    accept_one(&t, "ops", "k", ALERT, "1");
    check_str(state(&t, "k"), "0 1 - 0 0 - 0");

    t.now++;
    accept_one(&t, "ops", "k", COMMENT, "2");
    accept_one(&t, "ops", "k", RESOLVE, "3");
    check_str(state(&t, "k"), "0 1 - 0 0 - 0");

    t.now++;
    take_one(&t, "ops");
    check_str(state(&t, "k"), "1 1 - 0 0 - 0");

    t.now++;
    decide(&t, only(&t), DONE);
    check_str(state(&t, "k"), "0 2 - 1 3 3 3");

    t.now++;
    decide(&t, take_one(&t, "ops"), DONE);
    check_str(state(&t, "k"), "0 3 - 1 3 4 4");

    t.now++;
    decide(&t, take_one(&t, "ops"), DONE);
    check_str(state(&t, "k"), "0 0 - 2 0 5 5");

    teardown(&t);
}


static void
test_unsent(void)
{
    test_t  t;

    setup(&t, "unsent");

    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), UNSENT);
    check_str(state(&t, "k"), "0 1 - 0 0 - 0");

    check_int(take_one(&t, "ops")->attempts, 0);

    teardown(&t);
}


static void
test_again(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "again");

    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);
    accept_one(&t, "ops", "k", ALERT, "2");
    accept_one(&t, "ops", "k", RESOLVE, "3");
    accept_one(&t, "ops", "l", RESOLVE, "4");

    ev = take_one(&t, "ops");
    ev->next = NOW + 10;
    t.now++;
    decide(&t, ev, AGAIN);
    check_str(state(&t, "k"), "2 2 10 1 3 0 1");
    check_int(outcome.due, NOW + 10);

    /* holds its own key back, no other */

    t.now = NOW + 9;
    ev = take_one(&t, "ops");
    check_int(ev->seq, 4);
    check_int(outcome.due, NOW + 10);
    ev->next = NOW + 5;
    ev->maybe = 1;
    keep(ev);

    /* a time that has passed */

    verdict(&t, ev, AGAIN);
    take_n(&t, "ops", 1);
    check_int(only(&t)->seq, 4);
    check_int(only(&t)->attempts, 1);

    t.now = NOW + 10;
    ev = only(&t);
    ev->next = NOW + 20;
    verdict(&t, ev, AGAIN);
    take_n(&t, "ops", 10);
    ev = only(&t);
    check_int(ev->seq, 2);
    check_int(ev->attempts, 1);
    check_int(outcome.due, NOW + 20);
    check_str(state(&t, "k"), "1 2 - 1 3 0 1");

    /* ilert may have it: what it shows is unknown */

    ev->next = NOW + 30;
    ev->maybe = 1;
    decide(&t, ev, AGAIN);
    check_str(state(&t, "k"), "2 2 30 0 3 0 10");

    t.now = NOW + 30;
    take_n(&t, "ops", 10);
    check_int(outcome.takes[0].taken, 2);
    check_int(taken(&t, 0)->seq, 2);
    check_int(taken(&t, 0)->attempts, 2);
    check_int(outcome.due, 0);

    teardown(&t);
}


static void
test_dead(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "dead");

    accept_event(&t, "ops", "K", ALERT, "1234");
    accept_event(&t, "ops", "k", RESOLVE, "2");
    check_int(run(&t), OK);

    ev = take_one(&t, "ops");
    ev->status = 400;
    ngx_str_set(&ev->error, "no summary");
    t.now += 5;
    decide(&t, ev, DEAD);

    check_str(state(&t, "k"), "0 2 - 0 0 - 5");
    check_str(kept_letters(&t, "qsktlnrdxeb"),
              "1 ops k 1 3 0 0 5 400 no summary 1234");
    check_int(kept_dead_bytes(&t), 4);

    /* nor does it matter who removes one */

    if (on_sqlite()) {
        sql(&t, "DELETE FROM dead");
        check_str(sql(&t, "SELECT dead_bytes FROM total"), "0");
    }

    check_int(take_one(&t, "ops")->seq, 2);

    teardown(&t);
}


/* by somebody with a shell, or with the database that was moved aside */

static void
test_gone(void)
{
    test_t      t;
    event_t    *ev;
    ngx_uint_t  v;

    setup(&t, "gone");

    for (v = UNSENT; v <= DEAD; v++) {
        accept_one(&t, "ops", "k", ALERT, "1");
        accept_one(&t, "ops", "k", ALERT, "2");

        ev = take_one(&t, "ops");
        sql(&t, "DELETE FROM event WHERE seq = %lld", ev->seq);
        decide(&t, ev, v);
        check_str(drain(&t, "ops"), "k:2");
    }

    /* one that ilert has refused meanwhile */

    accept_one(&t, "ops", "k", ALERT, "1");
    accept_one(&t, "ops", "k", ALERT, "2");

    ev = take_one(&t, "ops");
    ev->status = 400;
    sql(&t, "DELETE FROM event WHERE seq = %lld", ev->seq);
    decide(&t, ev, DEAD);
    check_str(sql(&t, "SELECT refusals FROM source"), "");
    check_str(drain(&t, "ops"), "k:2");

    /* the only one, and one in whose place there is another one */

    accept_one(&t, "ops", "k", ALERT, "1");
    ev = take_one(&t, "ops");
    ev->status = 400;
    sql(&t, "DELETE FROM event WHERE seq = %lld", ev->seq);
    decide(&t, ev, DEAD);

    accept_one(&t, "ops", "k", ALERT, "1");
    ev = take_one(&t, "ops");
    ev->status = 400;
    sql(&t, "UPDATE event SET id = 12345 WHERE seq = %lld", ev->seq);
    decide(&t, ev, DEAD);

    check_str(sql(&t, "SELECT refusals FROM source"), "");
    t.job.begin = 1;
    check_str(drain(&t, "ops"), "k:1");

    check_str(kept_letters(&t, "i"), "");

    /* not yet taken */

    accept_one(&t, "ops", "k", ALERT, "1");
    accept_one(&t, "ops", "k", ALERT, "2");
    accept_one(&t, "ops", "l", ALERT, "3");
    sql(&t, "DELETE FROM event WHERE body = CAST('1' AS BLOB)");
    check_str(drain(&t, "ops"), "l:3 k:2");

    /* all of them: those that come later go */

    accept_one(&t, "ops", "k", ALERT, "1");
    sql(&t, "DELETE FROM event");
    accept_one(&t, "ops", "k", ALERT, "2");
    check_str(drain(&t, "ops"), "k:2");

    /* with its alert, whose number the next one gets */

    accept_one(&t, "ops", "x", ALERT, "1");
    accept_one(&t, "ops", "x", ALERT, "2");
    ev = keep(take_one(&t, "ops"));
    sql(&t, "DELETE FROM alert WHERE key = 'x'");
    check_str(sql(&t, "SELECT count(*) FROM event"), "0");
    accept_one(&t, "ops", "y", ALERT, "3");
    decide(&t, ev, DONE);
    check_str(drain(&t, "ops"), "y:3");

    teardown(&t);
}


/* of another database: same numbers, another event */

static void
test_other(void)
{
    test_t      t;
    event_t    *ev;
    ngx_uint_t  v;

    setup(&t, "other");

    for (v = UNSENT; v <= DEAD; v++) {
        accept_one(&t, "ops", "k", ALERT, "1");
        ev = take_one(&t, "ops");
        ev->id += 1000;
        decide(&t, ev, v);
        check_str(kept_alerts(&t, "k", "t"), "1");
        t.job.begin = 1;
        run(&t);
        check_str(drain(&t, "ops"), "k:1");
    }

    teardown(&t);
}


static void
test_begin(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "begin");

    accept_one(&t, "ops", "k", ALERT, "1");
    decide(&t, take_one(&t, "ops"), DONE);
    accept_one(&t, "ops", "k", ALERT, "2");
    accept_one(&t, "ops", "w", COMMENT, "3");

    ev = take_one(&t, "ops");
    check_str(state(&t, "k"), "1 2 - 1 3 0 0");

    ev = take_one(&t, "ops");
    ev->next = NOW + 1000;
    decide(&t, ev, AGAIN);

    t.job.begin = 1;
    check_int(run(&t), OK);
    check_str(state(&t, "k"), "0 2 - 0 3 0 0");
    check_int(atoi(state(&t, "w")), 2);

    teardown(&t);
}


static void
test_unknown(void)
{
    test_t  t;

    setup(&t, "unknown");

    accept_one(&t, "ops", "k", ALERT, "1");
    accept_one(&t, "ops", "l", RESOLVE, "2");
    drain(&t, "ops");
    check_str(state(&t, "k"), "0 0 - 1 3 0 0");
    check_str(state(&t, "l"), "0 0 - 2 0 0 0");

    t.job.unknown = 1;
    check_int(run(&t), OK);
    check_str(state(&t, "k"), "0 0 - 0 3 0 0");
    check_str(state(&t, "l"), "0 0 - 0 0 0 0");

    /* verdicts of the same job are later */

    accept_one(&t, "ops", "k", ALERT, "3");
    take_one(&t, "ops");
    t.job.unknown = 1;
    decide(&t, only(&t), DONE);
    check_str(state(&t, "k"), "0 0 - 1 3 0 0");
    check_str(state(&t, "l"), "0 0 - 0 0 0 0");

    teardown(&t);
}


static void
test_release(void)
{
    char      key[32];
    test_t    t;
    event_t  *ev;
    int       i;

    setup(&t, "release");

    accept_event(&t, "ops", "a", ALERT, "1");
    accept_event(&t, "ops", "b", ALERT, "2");
    accept_event(&t, "dev", "c", ALERT, "3");
    take(&t, "ops", 10, 0);
    take_n(&t, "dev", 10);

    while ((ev = taken(&t, 0))) {
        ev->next = NOW + 1000 * ev->seq;
        verdict(&t, ev, AGAIN);
    }

    check_int(run(&t), OK);
    check_int(outcome.due, NOW + 1000);

    release(&t, "ops");
    take(&t, "ops", 10, 0);
    take_n(&t, "dev", 10);
    check_int(outcome.takes[0].taken, 2);
    check_int(outcome.takes[1].taken, 0);
    check_int(outcome.due, NOW + 3000);
    check(!outcome.releasing);

    release(&t, "nobody");
    check_int(run(&t), OK);
    check(!outcome.releasing);

    /* a bounded number at a time */

    for (i = 0; i < 10500; i++) {
        sprintf(key, "many %d", i);
        accept_event(&t, "many", key, ALERT, "x");
    }

    check_int(run(&t), OK);
    kept_hold(&t, "many*", NOW + 60000);

    release(&t, "many");
    check_int(run(&t), OK);
    check(outcome.releasing);
    check_int(kept_in_state(&t, 2), 501);

    release(&t, "many");
    check_int(run(&t), OK);
    check(!outcome.releasing);
    check_int(kept_in_state(&t, 2), 1);

    /* so it is with those whose time has come */

    kept_hold(&t, "many*", NOW + 100);

    take_n(&t, "ops", 1);
    check_int(kept_in_state(&t, 2), 10501);

    t.now = NOW + 100;
    take_n(&t, "ops", 1);
    check_int(kept_in_state(&t, 2), 9501);
    check_int(outcome.due, NOW + 100);

    teardown(&t);
}


static void
test_max_age(void)
{
    test_t  t;
    int     i;
    char    key[32];

    setup(&t, "max_age");

    received(accept_event(&t, "ops", "old", ALERT, "1"), NOW - 1000);
    received(accept_event(&t, "ops", "old", ALERT, "2"), NOW - 1000);
    received(accept_event(&t, "ops", "old", ALERT, "3"), NOW - 999);
    received(accept_event(&t, "ops", "old", ALERT, "4"), NOW - 5000);
    received(accept_event(&t, "ops", "future", ALERT, "5"), NOW + 5000);
    received(accept_event(&t, "ops", "resolve", RESOLVE, "6"), NOW - 5000);
    received(accept_event(&t, "ops", "comment", COMMENT, "7"), NOW - 5000);
    check_int(run(&t), OK);

    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 3);
    check_int(outcome.expired, 3);
    check_int(taken(&t, 0)->seq, 5);
    check_int(taken(&t, 1)->seq, 6);
    check_int(taken(&t, 2)->seq, 3);

    check_str(kept_letters(&t, "qxeb"),
              "1 0 older than max_age 1,2 0 older than max_age 2,"
              "7 0 older than max_age 7");
    check_int(kept_dead_bytes(&t), 3);

    /* what ilert shows as resolved need not be resolved */

    verdict(&t, taken(&t, 1), DONE);
    received(accept_event(&t, "ops", "resolve", RESOLVE, "8"), NOW - 5000);
    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check(taken(&t, 0) == NULL);
    check_int(outcome.expired, 1);

    /* unless that is no longer known */

    t.job.unknown = 1;
    received(accept_event(&t, "ops", "resolve", RESOLVE, "9"), NOW - 5000);
    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check_int(only(&t)->seq, 9);

    /* no max_age, and a bounded number at a time */

    for (i = 0; i < 1500; i++) {
        sprintf(key, "%d", i);
        received(accept_event(&t, "many", key, ALERT, "x"), NOW - 5000);
    }

    accept_event(&t, "many", "new", ALERT, "x");
    check_int(run(&t), OK);

    take(&t, "many", 3, 1000);
    check_int(run(&t), OK);
    check_int(outcome.expired, 1000);
    check_int(outcome.takes[0].taken, 0);
    check_int(outcome.due, NOW);

    take_n(&t, "many", 3);
    check_int(outcome.expired, 0);
    check_int(outcome.takes[0].taken, 3);

    take(&t, "many", 3, 1000);
    check_int(run(&t), OK);
    check_int(outcome.expired, 497);
    check_int(outcome.takes[0].taken, 1);
    check_int(outcome.due, 0);

    teardown(&t);
}


/* who never was told of an alert may have been by others */

static void
test_max_age_resolve(void)
{
    test_t  t;

    setup(&t, "max_age_resolve");

    received(accept_event(&t, "ops", "k", ALERT, "1"), NOW - 5000);
    received(accept_event(&t, "ops", "k", RESOLVE, "2"), NOW - 5000);
    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check_int(outcome.expired, 1);
    check_int(only(&t)->seq, 2);

    teardown(&t);
}


/* a repeat says nothing that is lost: no letter */

static void
test_max_age_repeat(void)
{
    test_t  t;

    setup(&t, "max_age_repeat");
    t.policy.coalesce = REPEATS;

    accept_one(&t, "ops", "k", ALERT, "1");
    drain(&t, "ops");
    accept_one(&t, "ops", "k", ALERT, "2");
    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check(taken(&t, 0) == NULL);

    t.now += DAY;
    take(&t, "ops", 10, 1000);
    check_int(run(&t), OK);
    check(taken(&t, 0) == NULL);
    check_int(outcome.expired, 0);
    check_int(outcome.coalesced, 0);
    check_int(outcome.takes[0].coalesced, 0);
    check_str(kept_events(&t, NULL), "");
    check_str(kept_letters(&t, "i"), "");

    teardown(&t);
}


/* many large bodies are not for one job */

static void
test_take_size(void)
{
    char    *body;
    test_t   t;
    size_t   size;

    setup(&t, "take_size");

    size = 400 * 1024;
    body = malloc(size + 1);
    memset(body, 'x', size);
    body[size] = '\0';

    accept_n(&t, "ops", 5, ALERT, body);

    check_int(run(&t), OK);

    take(&t, "ops", 5, 0);
    take_n(&t, "dev", 5);
    check_int(outcome.takes[0].taken, 3);
    check_int(outcome.due, NOW);

    take_n(&t, "ops", 5);
    check_int(outcome.takes[0].taken, 2);
    check_int(taken(&t, 1)->body.len, size);
    check_int(outcome.due, 0);

    free(body);
    teardown(&t);
}


static void
test_clean_dead(void)
{
    test_t  t;

    setup(&t, "clean_dead");
    t.store.max_size = 4 * 1024 * 1024;

    check_int(run(&t), OK);

    /* the oldest go, till 1 MB is left, 1000 at a time */

    kept_bury(&t, "ops", 1, 2500, 1024, NOW + 4999, -1);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 1000);
    check(outcome.more);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 476);
    check(!outcome.more);
    check_int(kept_dead_bytes(&t), 1048576);
    check_int(atoi(strrchr(kept_letters(&t, "q"), ',') + 1), 1024);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 0);

    /* 30 days */

    t.now = NOW + 30 * DAY + 5000 - 1024;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 1);

    t.now = NOW + 31 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 1000);
    check(outcome.more);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(outcome.dropped, 23);
    check(!outcome.more);
    check_int(kept_dead_bytes(&t), 0);

    teardown(&t);
}


static void
test_clean_alerts(void)
{
    test_t  t;

    setup(&t, "clean_alerts");

    accept_event(&t, "ops", "open", ALERT, "1");
    accept_event(&t, "ops", "comment", COMMENT, "1");
    accept_event(&t, "ops", "waits", RESOLVE, "1");
    accept_event(&t, "ops", "a", RESOLVE, "1");
    check_int(run(&t), OK);
    check_str(drain(&t, "ops"), "open:1 waits:1 a:1 comment:1");

    t.now += DAY;
    accept_event(&t, "ops", "later", RESOLVE, "1");
    check_int(run(&t), OK);
    drain(&t, "ops");

    accept_one(&t, "ops", "waits", ALERT, "1");

    t.now = NOW + 7 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "k"),
              "open,comment,waits,a,later");

    t.now++;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "k"),
              "open,comment,waits,later");
    check(!outcome.more);

    /* what is not known to be resolved is kept for longer */

    t.now = NOW + 90 * DAY;
    t.job.unknown = 1;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "k"),
              "open,comment,waits");
    check_int(outcome.silent, 0);

    t.now++;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check_str(kept_alerts(&t, NULL, "k"),
              "waits");
    check_int(outcome.silent, 2);
    check_counts(&t);

    drain(&t, "ops");

    accept_n(&t, "ops", 1500, RESOLVE, "x");

    check_int(run(&t), OK);
    drain(&t, "ops");

    t.now += 8 * DAY;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check(outcome.more);
    check_int(kept_count(&t, NULL), 501);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check(!outcome.more);
    check_int(kept_count(&t, NULL), 1);

    teardown(&t);
}


static void
test_next_source(void)
{
    char       buf[8];
    test_t     t;
    event_t   *ev;
    ngx_str_t  name;

    setup(&t, "next_source");

    name.data = (u_char *) buf;
    name.len = 0;
    check_int(ngx_http_ilert_store_next_source(&t.store, &name, 8),
              NGX_DECLINED);

    accept_event(&t, "idle", "k", ALERT, "1");
    accept_event(&t, "taken", "k", ALERT, "1");
    accept_event(&t, "waits", "k", ALERT, "1");
    take(&t, "taken", 1, 0);
    take(&t, "waits", 1, 0);
    take_n(&t, "idle", 1);

    ev = taken(&t, 2);
    ev->next = NOW + 1000;
    verdict(&t, ev, AGAIN);
    verdict(&t, taken(&t, 0), DONE);
    accept_event(&t, "too long a name", "k", ALERT, "1");
    accept_event(&t, "ready", "k", ALERT, "1");
    check_int(run(&t), OK);

    name.len = 0;
    check_int(ngx_http_ilert_store_next_source(&t.store, &name, 8), NGX_OK);
    check(name.len == 5 && memcmp(buf, "ready", 5) == 0);
    check_int(ngx_http_ilert_store_next_source(&t.store, &name, 8), NGX_OK);
    check(name.len == 5 && memcmp(buf, "taken", 5) == 0);
    check_int(ngx_http_ilert_store_next_source(&t.store, &name, 8), NGX_OK);
    check(name.len == 5 && memcmp(buf, "waits", 5) == 0);
    check_int(ngx_http_ilert_store_next_source(&t.store, &name, 8),
              NGX_DECLINED);

    teardown(&t);
}


static void
test_reopen(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "reopen");

    accept_one(&t, "ops", "k", ALERT, "1");
    accept_one(&t, "ops", "k", ALERT, "2");
    decide(&t, take_one(&t, "ops"), DONE);

    ngx_http_ilert_store_close(&t.store);
    ngx_http_ilert_store_close(&t.store);

    ev = take_one(&t, "ops");
    check_int(ev->seq, 2);
    keep(ev);

    ngx_http_ilert_store_close(&t.store);

    verdict(&t, ev, DONE);
    check_int(run(&t), OK);

    /* numbers are not used again, or a late verdict would meet another */

    accept_one(&t, "ops", "k", ALERT, "3");
    check_int(take_one(&t, "ops")->seq, 3);
    check_str(t.store.notice, "");

    teardown(&t);
}


test_case_t  event_cases[] = {
    { "events as they came", test_roundtrip },
    { "order of a key", test_order },
    { "order of keys", test_take_order },
    { "done", test_done },
    { "unsent", test_unsent },
    { "again", test_again },
    { "dead letters", test_dead },
    { "verdicts of another database", test_other },
    { "a courier begins", test_begin },
    { "unknown", test_unknown },
    { "release", test_release },
    { "max_age", test_max_age },
    { "max_age of a RESOLVE", test_max_age_resolve },
    { "max_age of a repeat", test_max_age_repeat },
    { "large bodies", test_take_size },
    { "old dead letters", test_clean_dead },
    { "forgotten alerts", test_clean_alerts },
    { "names of sources", test_next_source },
    { "reopen", test_reopen },
    { NULL, NULL }
};


/* with SQLite's files, or rows */

test_case_t  event_sqlite_cases[] = {
    { "discarded by hand", test_gone },
    { NULL, NULL }
};
