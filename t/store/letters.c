
/*
 * What ilert refuses: dead letters, or everything of a source, whose events
 * wait then, and of which one after the other is a probe.
 */


#include "kept.h"


/* ids of so many events at most that the source sends now */

static const char *
sends(test_t *t, const char *source, ngx_uint_t n, ngx_uint_t probe)
{
    ngx_uint_t   i;
    static char  said[256];

    take(t, source, n, 0);
    t->takes[0].probe = probe;
    check_int(run(t), OK);
    check_heads(t);

    said[0] = '\0';

    for (i = 0; taken(t, i); i++) {
        sprintf(said + strlen(said), "%s%d", i ? "," : "",
                (int) taken(t, i)->id);
    }

    return said;
}


/*
 * Ilert refuses what was sent.  Says of each event "d" if it is a dead letter,
 * "k" if it is kept, and "p" and how many letters return if it parks.
 */

static const char *
refuse(test_t *t)
{
    event_t      *ev;
    ngx_queue_t  *q;
    static char   said[256];

    while ((ev = taken(t, 0))) {
        ev->status = 400;
        ngx_str_set(&ev->error, "no");
        verdict(t, ev, DEAD);
    }

    t->now++;
    check_int(run(t), OK);
    check_counts(t);
    check_heads(t);

    said[0] = '\0';

    for (q = ngx_queue_head(&outcome.verdicts);
         q != ngx_queue_sentinel(&outcome.verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);

        if (ev->verdict != DEAD) {
            continue;
        }

        sprintf(said + strlen(said), "%s", ev->kept ? "k" : "d");

        if (ev->parks) {
            sprintf(said + strlen(said), "p%d", (int) ev->returned);

        } else {
            check_int(ev->returned, 0);
        }
    }

    return said;
}


/* and it takes what was sent */

static void
deliver(test_t *t)
{
    while (taken(t, 0)) {
        verdict(t, taken(t, 0), DONE);
    }

    check_int(run(t), OK);
    check_counts(t);
}


static const char *
letters(test_t *t)
{
    return kept_letters(t, "i");
}


/* an event of each letter: ids are numbers from "id" on */

static void
come_all(test_t *t, const char *source, const char *keys, uint64_t id)
{
    char  key[2] = "x";

    for ( /* void */ ; *keys; keys++) {
        key[0] = *keys;
        accept_id(t, source, key, ALERT, id++);
    }

    check_int(run(t), OK);
}


static void
test_all(void)
{
    test_t  t;

    setup(&t, "letters_all");

    come_all(&t, "ops", "abcdefg", 1);
    check_str(sends(&t, "ops", 4, 0), "1,2,3,4");
    check_str(refuse(&t), "dddd");
    check_str(letters(&t), "1,2,3,4");
    check(kept_dead_bytes(&t) > 0);

    check_str(sends(&t, "ops", 2, 0), "5,6");
    check_str(refuse(&t), "kp4k");
    check_str(letters(&t), "");
    check_int(kept_dead_bytes(&t), 0);
    check_int(kept_in_state(&t, 2), 2);

    /* each is a probe, before any is for the second time */

    check_str(sends(&t, "ops", 1, 1), "7");
    check_str(refuse(&t), "k");
    check_str(sends(&t, "ops", 1, 1), "1");
    check_str(refuse(&t), "k");
    come_all(&t, "ops", "h", 8);
    check_str(sends(&t, "ops", 1, 1), "2");
    check_str(refuse(&t), "k");
    check_str(sends(&t, "ops", 1, 1), "3");
    check_str(refuse(&t), "k");
    check_str(sends(&t, "ops", 1, 1), "4");
    check_str(refuse(&t), "k");
    check_str(sends(&t, "ops", 1, 1), "8");
    check_str(refuse(&t), "k");
    check_str(letters(&t), "");

    /* they wait for no time */

    check_int(kept_in_state(&t, 2), 8);
    t.job.longest = SECOND;
    t.now += 100 * DAY;
    check_str(sends(&t, "other", 8, 1), "");
    check_int(outcome.due, 0);
    check(outcome.idle);
    check_int(kept_in_state(&t, 2), 8);

    /* nor are they released as long as nothing has changed */

    release(&t, "ops");
    check_str(sends(&t, "ops", 1, 1), "5");
    check_str(refuse(&t), "k");
    check_str(sends(&t, "ops", 1, 1), "6");

    /* it is taken: what is refused again is at fault */

    deliver(&t);
    release(&t, "ops");
    check_str(sends(&t, "ops", 8, 0), "5,7,1,2,3,4,8");
    check_str(refuse(&t), "ddddddd");
    check_str(letters(&t), "5,7,1,2,3,4,8");

    /* and says nothing of what comes */

    come_all(&t, "ops", "ijklm", 11);
    check_str(sends(&t, "ops", 8, 0), "11,12,13,14,15");
    check_str(refuse(&t), "ddddkp4");

    teardown(&t);
}


static void
test_few(void)
{
    int     i;
    test_t  t;

    setup(&t, "letters_few");

    /* one alert, again and again */

    for (i = 0; i < 20; i++) {
        come_all(&t, "ops", "a", 100 + i);
        sends(&t, "ops", 1, 0);
        check_str(refuse(&t), "d");
    }

    /* others are taken in between */

    for (i = 0; i < 20; i++) {
        come_all(&t, "ops", "bcde", 200 + 10 * i);
        sends(&t, "ops", 3, 0);
        check_str(refuse(&t), "ddd");
        sends(&t, "ops", 1, 0);
        deliver(&t);
    }

    /* what is too old is not refused, nor is what workers have died of */

    come_all(&t, "ops", "fghi", 500);
    sends(&t, "ops", 4, 0);
    check_str(refuse(&t), "dddd");
    come_all(&t, "ops", "jkl", 600);
    t.now += 10 * SECOND;
    take(&t, "ops", 8, SECOND);
    check_int(run(&t), OK);
    check_int(outcome.expired, 3);
    come_all(&t, "ops", "m", 700);
    check_str(sends(&t, "ops", 8, 0), "700");
    check_str(refuse(&t), "kp4");

    teardown(&t);
}


/* a letter only returns if its alert has seen nothing later */

static void
test_later(void)
{
    test_t  t;

    setup(&t, "letters_later");
    t.policy.coalesce = LATEST;

    come_all(&t, "ops", "abcd", 1);
    sends(&t, "ops", 4, 0);
    check_str(refuse(&t), "dddd");

    /* one waits, one has come to nothing, one is a letter, too */

    accept_id(&t, "ops", "a", RESOLVE, 11);
    accept_id(&t, "ops", "b", RESOLVE, 12);
    check_int(run(&t), OK);
    check_str(sends(&t, "ops", 2, 0), "11,12");
    check_str(refuse(&t), "dd");
    check_str(letters(&t), "1,2,3,4,11,12");
    accept_id(&t, "ops", "b", ALERT, 13);
    check_int(run(&t), OK);

    kept_show(&t, NGX_HTTP_ILERT_SHOWS_RESOLVED);
    accept_id(&t, "ops", "c", RESOLVE, 14);
    check_int(run(&t), OK);
    check_str(kept_events(&t, "ops"), "13");

    come_all(&t, "ops", "e", 15);
    check_str(sends(&t, "ops", 8, 0), "13,15");
    verdict(&t, taken(&t, 0), UNSENT);
    check_str(refuse(&t), "kp2");

    check_str(letters(&t), "1,2,3,12");
    check_str(kept_events(&t, "ops"), "13 15 11 4");

    teardown(&t);
}


static void
test_unknown(void)
{
    test_t   t;
    order_t  o;

    setup(&t, "letters_unknown");

    /* letters that somebody has discarded, or replayed */

    come_all(&t, "ops", "abcd", 1);
    sends(&t, "ops", 4, 0);
    check_str(refuse(&t), "dddd");
    order(&t, &o, DISCARD, "", 1);
    check_int(run(&t), OK);
    order(&t, &o, REPLAY, "", 2);
    check_int(run(&t), OK);
    check_str(sends(&t, "ops", 8, 0), "2");
    check_str(refuse(&t), "d");
    come_all(&t, "ops", "e", 5);
    sends(&t, "ops", 8, 0);
    check_str(refuse(&t), "kp3");
    check_str(letters(&t), "");
    check_str(kept_events(&t, "ops"), "5 2 3 4");

    sends(&t, "ops", 1, 1);
    deliver(&t);
    release(&t, "ops");
    sends(&t, "ops", 8, 0);
    deliver(&t);

    /* events have been relayed of which nobody knows the alerts */

    come_all(&t, "ops", "abcd", 11);
    sends(&t, "ops", 4, 0);
    check_str(refuse(&t), "dddd");
    t.job.unknown = 1;
    check_int(run(&t), OK);
    come_all(&t, "ops", "e", 15);
    sends(&t, "ops", 8, 0);
    check_str(refuse(&t), "kp0");
    check_str(letters(&t), "11,12,13,14");

    teardown(&t);
}


/* what is known outlives a restart, and a new courier tries all */

static void
test_restart(void)
{
    test_t  t;

    setup(&t, "letters_restart");

    come_all(&t, "ops", "abc", 1);
    sends(&t, "ops", 3, 0);
    check_str(refuse(&t), "ddd");
    ngx_http_ilert_store_close(&t.store);

    come_all(&t, "ops", "de", 4);
    sends(&t, "ops", 2, 0);
    check_str(refuse(&t), "dkp4");
    ngx_http_ilert_store_close(&t.store);

    check_str(sends(&t, "ops", 1, 0), "1");
    check_str(refuse(&t), "k");
    ngx_http_ilert_store_close(&t.store);

    t.job.begin = 1;
    release(&t, "ops");
    check_str(sends(&t, "ops", 8, 0), "2,3,4");
    check_str(refuse(&t), "kkk");
    t.job.begin = 1;
    check_str(sends(&t, "ops", 8, 0), "5");
    check_str(refuse(&t), "k");

    /* an event that is taken is soon forgotten, but not that it was */

    sends(&t, "ops", 1, 1);
    deliver(&t);
    ngx_http_ilert_store_close(&t.store);

    release(&t, "ops");
    check_str(sends(&t, "ops", 8, 0), "5,2,3,4");
    check_str(refuse(&t), "dddd");

    teardown(&t);
}


/* sources are counted by themselves, though they have alerts in common */

static void
test_sources(void)
{
    test_t  t;

    setup(&t, "letters_sources");

    come_all(&t, "ops", "abcd", 1);
    come_all(&t, "dev", "efgh", 5);
    sends(&t, "ops", 4, 0);
    check_str(refuse(&t), "dddd");
    sends(&t, "dev", 3, 0);
    check_str(refuse(&t), "ddd");
    check_str(sends(&t, "dev", 1, 0), "8");
    deliver(&t);

    come_all(&t, "ops", "i", 9);
    sends(&t, "ops", 1, 0);
    check_str(refuse(&t), "kp4");
    check_str(letters(&t), "5,6,7");

    /* a probe of one is none of the other */

    take(&t, "dev", 4, 0);
    t.takes[0].probe = 1;
    take(&t, "ops", 1, 0);
    check_int(run(&t), OK);
    check_int(t.takes[0].taken, 0);
    check_int(t.takes[1].taken, 1);
    check_int(only(&t)->id, 1);
    check_str(refuse(&t), "k");

    teardown(&t);
}


/* what comes in place of an event that was refused need not wait for it */

static void
test_replaced(void)
{
    test_t  t;

    setup(&t, "letters_replaced");
    t.policy.coalesce = LATEST;

    come_all(&t, "ops", "abcdefgh", 1);
    sends(&t, "ops", 8, 0);
    check_str(refuse(&t), "ddddkp4kkk");
    check_int(kept_in_state(&t, 2), 4);

    accept_id(&t, "ops", "g", RESOLVE, 11);
    accept_id(&t, "ops", "h", COMMENT, 12);
    check_int(run(&t), OK);
    check_int(kept_in_state(&t, 2), 3);
    check_str(kept_events(&t, "ops"), "5 6 11 8 1 2 3 4 12");

    check_str(sends(&t, "ops", 8, 0), "1,2,3,4,11");
    verdict(&t, taken(&t, 0), DONE);
    check_str(refuse(&t), "dddd");

    teardown(&t);
}


static void
test_damaged(void)
{
    int     i;
    test_t  t;

    static const char  *texts[] = {
        "", "x", "1 x 2", "-1", "0", " 1  2", "1 2 3 4 5 6 7",
        "99999999999999999999", "1,2,3,4"
    };

    setup(&t, "letters_damaged");

    for (i = 0; i < (int) (sizeof(texts) / sizeof(texts[0])); i++) {
        come_all(&t, "ops", "abcdef", 10 * i + 1);
        sql(&t, "UPDATE source SET refusals = '%s'", texts[i]);
        sends(&t, "ops", 1, 0);
        check(refuse(&t)[0] != '\0');
        sends(&t, "ops", 1, 1);
        deliver(&t);
        check_str(sql(&t, "SELECT refusals FROM source"), "");
        release(&t, "ops");
        sends(&t, "ops", 8, 0);
        deliver(&t);
        kept_discard(&t);
    }

    /* of alerts that are not there any longer there is nothing to return */

    come_all(&t, "ops", "a", 1);
    sql(&t, "UPDATE source SET refusals = '1001 1002 1003 1004'");
    sends(&t, "ops", 1, 0);
    check_str(refuse(&t), "kp0");

    teardown(&t);
}


test_case_t  letter_cases[] = {
    { "everything is refused", test_all },
    { "a few are refused", test_few },
    { "... and there is something later", test_later },
    { "... and it is not known if there is", test_unknown },
    { "... and nginx is started anew", test_restart },
    { "... of two sources", test_sources },
    { "... and something else is said", test_replaced },
    { NULL, NULL }
};


/* letters that are damaged, or another source's, do not go back */

static void
test_odd(void)
{
    test_t  t;

    setup(&t, "letters_odd");

    come_all(&t, "dev", "z", 9);
    come_all(&t, "ops", "abcde", 1);
    check_str(sends(&t, "ops", 4, 0), "1,2,3,4");
    check_str(refuse(&t), "dddd");

    sql(&t, "UPDATE dead SET type = 9 WHERE id = 1");
    sql(&t, "UPDATE total SET dead_bytes = dead_bytes - 1");
    sql(&t, "UPDATE dead SET body = '' WHERE id = 2");
    sql(&t, "UPDATE dead SET source = (SELECT id FROM source"
            " WHERE name = 'dev') WHERE id = 3");
    sql(&t, "UPDATE source SET dead = 1 WHERE name = 'dev'");
    sql(&t, "UPDATE source SET dead = 3 WHERE name = 'ops'");

    check_str(sends(&t, "ops", 1, 0), "5");
    check_str(refuse(&t), "kp1");
    check_str(letters(&t), "1,2,3");

    teardown(&t);
}


/* with SQLite's rows */

test_case_t  letter_sqlite_cases[] = {
    { "letters that are odd do not return", test_odd },
    { "refusals that make no sense", test_damaged },
    { NULL, NULL }
};
