
/* digests: alerts of a storm, of which one alert of the store's own tells */


#include "store_test.h"
#include "kept.h"


#define MINUTE   (60 * SECOND)

#define LOWER    NGX_HTTP_ILERT_MEMBERS_LOW
#define LATER    NGX_HTTP_ILERT_MEMBERS_LATER
#define NONE     NGX_HTTP_ILERT_MEMBERS_NONE


/* a source whose digest begins with the fourth alert in a minute */

static void
setup_digest(test_t *t, const char *name, ngx_uint_t members)
{
    setup(t, name);

    t->policy.coalesce = LATEST;
    t->policy.repeat = 5 * MINUTE;
    t->policy.digest.n = 3;
    t->policy.digest.interval = 15 * SECOND;
    t->policy.digest.members = members;
    t->policy.digest.max_size = 65536;
}


static event_t *
says(test_t *t, const char *key, ngx_uint_t type, ngx_uint_t n)
{
    static ngx_str_t  text = ngx_string("what it says");

    event_t  *ev;

    ev = level(accept_event(t, "ops", key, type, "{\"summary\":\"of it\"}"),
               type == RESOLVE ? NGX_HTTP_ILERT_OK : n);
    ev->summary = text;

    return ev;
}


static void
bad(test_t *t, const char *key)
{
    (void) says(t, key, ALERT, CRITICAL);
    check_int(run(t), OK);
}


static void
warns(test_t *t, const char *key)
{
    (void) says(t, key, ALERT, WARNING);
    check_int(run(t), OK);
}


static void
good(test_t *t, const char *key)
{
    (void) says(t, key, RESOLVE, 0);
    check_int(run(t), OK);
}


/* so many that are CRITICAL, in one job: "a0", "a1", ... */

static void
storm_of(test_t *t, ngx_uint_t n)
{
    char        key[32];
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        sprintf(key, "a%d", (int) i);
        (void) says(t, key, ALERT, CRITICAL);
    }

    check_int(run(t), OK);
}


/* takes what may go, in the next job, with ids for events of its own */

static void
take_all(test_t *t, ngx_uint_t n)
{
    ngx_uint_t       i;
    static uint64_t  id = 1000;

    for (i = 0; i < MAX_IDS; i++) {
        t->ids[i] = id++;
    }

    t->job.nids = MAX_IDS;

    take(t, "ops", n, 0);
    check_int(run(t), OK);
}


static char  last_body[256 * 1024];


/* what has been taken: its key, "." for a RESOLVE, "-" if it is LOW */

static char *
describe(char *p, event_t *ev)
{
    memcpy(last_body, ev->body.data, ngx_min(ev->body.len,
                                             sizeof(last_body) - 1));
    last_body[ngx_min(ev->body.len, sizeof(last_body) - 1)] = '\0';

    if (ev->said.own == NGX_HTTP_ILERT_OWN_DIGEST) {
        check(ngx_memcmp(ev->key.data, "ilert-digest:ops", ev->key.len) == 0);

        return p + sprintf(p, " DIGEST%s%s",
                           ev->said.type == RESOLVE ? "." : "",
                           ev->said.priority == NGX_HTTP_ILERT_HIGH
                           || ev->said.type == RESOLVE ? ""
                           : ev->said.priority == NGX_HTTP_ILERT_LOW
                             ? "-" : "?");
    }

    check_int(ev->lower, strstr(last_body, "\"priority\":\"LOW\"") != NULL);

    return p + sprintf(p, " %.*s%s%s", (int) ev->key.len, ev->key.data,
                       ev->said.type == RESOLVE ? "." : "",
                       ev->lower ? "-" : "");
}


/* takes and delivers all that may go now; the store is closed in between */

static const char *
play(test_t *t)
{
    char         *p;
    event_t      *ev;
    ngx_uint_t    i;
    static char   text[65536];

    p = text;
    *p = '\0';

    for (i = 0; i < 300; i++) {

        take_all(t, 8);

        if (taken(t, 0) == NULL && outcome.due != t->now) {
            break;
        }

        while ((ev = taken(t, 0))) {

            if (p - text < (ssize_t) sizeof(text) - 1024) {
                p = describe(p, ev);
            }

            verdict(t, ev, DONE);
        }

        ngx_http_ilert_store_close(&t->store);
    }

    check(i < 300);
    check_counts(t);
    check_heads(t);

    return text[0] ? text + 1 : text;
}


static int64_t
waits_as(test_t *t, ngx_uint_t urgency)
{
    query_t                        *q;
    ngx_http_ilert_store_source_t  *source;

    q = query(t, "ops", NULL);
    check_int(run(t), OK);
    check(q->ok);

    source = q->sources.elts;

    return q->sources.nelts ? source->waiting[urgency] : -1;
}


/* of the digest, if one is open: "since told ends C W I", in seconds */

static const char *
state(test_t *t)
{
    query_t                         *q;
    static char                      text[128];
    ngx_http_ilert_store_digests_t  *digest;

    q = query(t, "ops", NULL);
    check_int(run(t), OK);
    check(q->ok);

    digest = q->digests.elts;

    if (q->digests.nelts == 0) {
        return "";
    }

    sqlite3_snprintf(sizeof(text), text, "%d %d %d %d %d %d",
                     (int) ((digest->opened - NOW) / SECOND),
                     (int) ((digest->told - NOW) / SECOND),
                     digest->calm ? (int) ((digest->calm - NOW) / SECOND) : -1,
                     (int) digest->bad[CRITICAL], (int) digest->bad[WARNING],
                     (int) digest->bad[INFO]);

    return text;
}


/* members=none: the digest is all that ilert hears */

static void
test_none(void)
{
    test_t  t;

    setup_digest(&t, "none", NONE);

    bad(&t, "a");
    bad(&t, "b");
    warns(&t, "c");
    check_str(play(&t), "a b c");
    check_str(state(&t), "");

    bad(&t, "d");
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "4 alerts are bad: 3 CRITICAL, 1 WARNING"));
    check(strstr(last_body, "`d` 0s: what it says"));
    check_str(state(&t), "0 0 -1 3 1 0");
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 1);

    /* a CRITICAL at once, a WARNING with the interval */

    t.now += SECOND;
    bad(&t, "e");
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "1 new: CRITICAL e; 5 alerts are bad"));
    check(strstr(last_body, "\"comments\":[{"));

    t.now += SECOND;
    warns(&t, "f");
    check_str(play(&t), "");
    check_int(outcome.due, t.now + 15 * SECOND);
    t.now += 15 * SECOND - 1;
    check_str(play(&t), "");
    t.now++;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "1 new: WARNING f; 6 alerts are bad"));
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 3);

    /* its ends are told with the interval; nothing of it was sent */

    good(&t, "f");
    check_str(play(&t), "f.");
    good(&t, "a");
    check_str(play(&t), "a.");
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "nothing new; 4 alerts are bad"));

    /* a WARNING that is raised is news, too */

    (void) says(&t, "c", ALERT, CRITICAL);
    check_int(run(&t), OK);
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "1 new: CRITICAL c; 4 alerts are bad: "
                 "4 CRITICAL"));

    /* two minutes after the last one that only the digest shows */

    good(&t, "c");
    good(&t, "d");
    check_str(play(&t), "c. d.");
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    t.now += 10 * MINUTE;
    check_str(play(&t), "");
    good(&t, "e");
    check_str(play(&t), "e.");
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 0);
    t.now += 105 * SECOND - 1;
    check_str(play(&t), "");
    check_int(outcome.due, t.now + 1);
    t.now++;
    check_str(play(&t), "DIGEST.");
    check(strstr(last_body, "is over after 12m; 1 alert is bad: 1 CRITICAL"));
    check_str(state(&t), "");

    t.now += DAY;
    check_str(play(&t), "");
    check_int(outcome.due, 0);

    /* and the next storm begins anew */

    storm_of(&t, 5);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    teardown(&t);
}


/* what is new to an open digest opens by itself, three times in a minute */

static void
test_strangers(void)
{
    test_t  t;

    setup_digest(&t, "strangers", NONE);

    storm_of(&t, 6);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    t.now += MINUTE;
    bad(&t, "x");
    check_str(play(&t), "x");
    check_str(state(&t), "0 0 -1 7 0 0");

    /* not one that was there: it was named */

    good(&t, "a4");
    check_str(play(&t), "a4.");
    bad(&t, "a4");
    check_str(play(&t), "");

    bad(&t, "y");
    bad(&t, "z");
    check_str(play(&t), "y z");
    bad(&t, "last");
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "CRITICAL x, y, z, last"));
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 4);

    teardown(&t);
}


/* three events at once, then one each five seconds */

static void
test_tokens(void)
{
    int       i;
    char      key[16];
    event_t  *ev;
    test_t    t;

    setup_digest(&t, "tokens", NONE);

    storm_of(&t, 4);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    for (i = 0; i < 2; i++) {
        sprintf(key, "x%d", i);
        bad(&t, key);
        check_str(play(&t), "DIGEST");
    }

    bad(&t, "x2");
    check_str(play(&t), "");
    check_int(outcome.due, t.now + 5 * SECOND);
    bad(&t, "x3");
    t.now += 5 * SECOND;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "2 new: CRITICAL x2, x3; 8 alerts"));

    /* while one is under way the next one is made, and goes after it */

    bad(&t, "x4");
    t.now += 5 * SECOND;
    take_all(&t, 8);
    ev = keep(only(&t));

    t.now += 5 * SECOND;
    bad(&t, "x5");
    check_str(play(&t), "");
    t.now += 5 * SECOND;
    bad(&t, "x6");
    check_str(play(&t), "");

    decide(&t, ev, DONE);
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "1 new: CRITICAL x6; 11 alerts"));

    teardown(&t);
}


/* members=low: they follow, and nobody is called for them */

static void
test_low(void)
{
    test_t  t;

    setup_digest(&t, "low", LOWER);

    storm_of(&t, 5);
    check_str(play(&t), "a0 a1 a2 DIGEST a3- a4-");

    warns(&t, "w");
    check_str(play(&t), "w-");

    good(&t, "a3");
    check_str(play(&t), "a3.");
    bad(&t, "a3");
    check_str(play(&t), "a3-");

    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");

    /* it ends, since nothing waits */

    t.now += 105 * SECOND;
    check_str(play(&t), "DIGEST.");
    check(strstr(last_body, "6 alerts are bad"));

    /* repeats stay LOW; what is raised is closed before, and pages */

    t.now += 5 * MINUTE;
    bad(&t, "a0");
    bad(&t, "a4");
    warns(&t, "w");
    check_str(play(&t), "a0 a4- w-");

    bad(&t, "w");
    check_str(play(&t), "w. w");
    bad(&t, "w");
    good(&t, "a4");
    check_str(play(&t), "a4.");
    bad(&t, "a4");
    check_str(play(&t), "a4");

    teardown(&t);
}


/* nor if nobody knows what ilert shows */

static void
test_low_unknown(void)
{
    test_t  t;

    setup_digest(&t, "low_unknown", LOWER);

    storm_of(&t, 5);
    check_str(play(&t), "a0 a1 a2 DIGEST a3- a4-");
    t.now += 2 * MINUTE;
    check_str(play(&t), "DIGEST.");

    t.job.unknown = 1;
    check_int(run(&t), OK);

    storm_of(&t, 5);
    check_str(play(&t), "a0 a1 a2 a3- a4-");

    teardown(&t);
}


/* members=later: as they are, after what is new */

static void
test_later(void)
{
    test_t  t;

    setup_digest(&t, "later", LATER);

    storm_of(&t, 5);
    check_str(play(&t), "a0 a1 a2 DIGEST a3 a4");
    check_str(state(&t), "0 0 0 5 0 0");

    teardown(&t);
}


/*
 * The budget: members leave ten requests, or half of them.  What is new goes
 * before those that wait.
 */

static void
test_budget(void)
{
    test_t  t;

    setup_digest(&t, "budget", LATER);
    budget(&t, "key", 12, MINUTE);

    storm_of(&t, 20);
    (void) play(&t);
    check(waits_as(&t, NGX_HTTP_ILERT_OPENS) >= 20 - 3 - 6);
    check_int(waits_as(&t, NGX_HTTP_ILERT_CRITICAL_FIRST), 0);
    check_int(t.budgets[0].left, 6);

    t.now += MINUTE - 1;
    bad(&t, "x");
    check_str(play(&t), "DIGEST");

    /* with more waiting than N/2 it does not end */

    t.now += SECOND;
    check(strcmp(state(&t), "0 59 -1 21 0 0") == 0);

    teardown(&t);
}


/* whatever the priority of the first, something to page for comes later */

static void
test_priority(void)
{
    int       i;
    char      key[16];
    event_t  *ev;
    test_t    t;

    setup_digest(&t, "priority", NONE);

    for (i = 0; i < 5; i++) {
        sprintf(key, "w%d", i);
        ev = says(&t, key, ALERT, WARNING);
        ev->said.priority = NGX_HTTP_ILERT_LOW;
    }

    check_int(run(&t), OK);
    check_str(play(&t), "w0 w1 w2 DIGEST-");

    /* nothing that pages */

    ev = says(&t, "x", ALERT, CRITICAL);
    ev->said.priority = NGX_HTTP_ILERT_LOW;
    check_int(run(&t), OK);
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST-");

    /* it is closed, and opened again */

    bad(&t, "y");
    take_all(&t, 8);
    ev = only(&t);
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_REOPEN);
    check_int(ev->said.type, RESOLVE);
    decide(&t, ev, DONE);
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "\"priority\":\"HIGH\""));

    /* and stays as it is */

    good(&t, "y");
    check_str(play(&t), "y.");
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");

    teardown(&t);
}


/* of WARNINGs without a priority: as ilert's alert source says */

static void
test_warnings(void)
{
    int     i;
    char    key[16];
    test_t  t;

    setup_digest(&t, "warnings", NONE);

    for (i = 0; i < 5; i++) {
        sprintf(key, "w%d", i);
        warns(&t, key);
    }

    check_str(play(&t), "w0 w1 w2 DIGEST?");

    teardown(&t);
}


/* "digest" is taken out: what was listed is opened */

static void
test_removed(void)
{
    test_t  t;

    setup_digest(&t, "removed", NONE);

    storm_of(&t, 6);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    t.policy.digest.n = 0;
    check_str(play(&t), "DIGEST. a3 a4 a5");
    check_str(state(&t), "");
    check_str(play(&t), "");
    check_int(outcome.due, 0);

    /* what is heard without it is forgotten when it comes back */

    good(&t, "a0");
    good(&t, "a1");
    check_str(play(&t), "a0. a1.");

    t.policy.digest.n = 3;
    t.now += MINUTE;
    (void) says(&t, "b0", ALERT, CRITICAL);
    (void) says(&t, "b1", ALERT, CRITICAL);
    (void) says(&t, "b2", ALERT, CRITICAL);
    bad(&t, "b3");
    check_str(play(&t), "b0 b1 b2 DIGEST");
    check(strstr(last_body, "8 alerts are bad"));

    /* "members" is changed: what was listed follows */

    t.policy.digest.members = LOWER;
    check_str(play(&t), "b3-");
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 0);

    teardown(&t);
}


/* silences at once hold what is listed, or what is to be sent when it comes */

static void
test_silenced(void)
{
    test_t   t;
    order_t  o;

    setup_digest(&t, "silenced", NONE);

    storm_of(&t, 6);
    check_str(play(&t), "a0 a1 a2 DIGEST");
    check(strstr(last_body, "6 alerts are bad"));

    order(&t, &o, NGX_HTTP_ILERT_STORE_ADD_SILENCE, "ops", 0);
    o.owner = o.source;
    o.key.data = (u_char *) "a5";
    o.key.len = 2;
    o.from = t.now;
    o.until = t.now + 3600 * SECOND;
    check_int(run(&t), OK);
    check_int(waits_as(&t, NGX_HTTP_ILERT_SILENCED), 1);

    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "5 alerts are bad"));

    order(&t, &o, NGX_HTTP_ILERT_STORE_ADD_SILENCE, "ops", 0);
    o.owner = o.source;
    o.key.data = (u_char *) "a0";
    o.key.len = 2;
    o.from = t.now;
    o.until = t.now + 3600 * SECOND;
    check_int(run(&t), OK);

    (void) says(&t, "a0", ALERT, WARNING);
    check_int(run(&t), OK);
    check_int(waits_as(&t, NGX_HTTP_ILERT_SILENCED), 2);

    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "4 alerts are bad"));

    teardown(&t);
}


/* more than one job frees */

static void
test_removed_many(void)
{
    ngx_uint_t  n;
    test_t      t;

    setup_digest(&t, "removed_many", NONE);

    storm_of(&t, 2500);
    check_str(play(&t), "a0 a1 a2 DIGEST");
    check(strstr(last_body, "2500 alerts are bad"));
    check(strlen(last_body) <= 65536);
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 2497);

    t.policy.digest.n = 0;

    for (n = 0; n < 2498; n += outcome.takes[0].taken) {
        take_all(&t, 100);

        if (taken(&t, 0) == NULL) {
            break;
        }

        verdicts(&t, DONE);
    }

    check_int(n, 2498);
    check_int(run(&t), OK);
    check_int(waits_as(&t, NGX_HTTP_ILERT_LISTED), 0);
    check_str(state(&t), "");

    check_counts(&t);
    teardown(&t);
}


/* what is refused, or ended by hand, does not stop it */

static void
test_refused(void)
{
    event_t  *ev;
    test_t    t;

    setup_digest(&t, "refused", NONE);

    storm_of(&t, 4);
    take_all(&t, 3);
    verdicts(&t, DONE);
    take_all(&t, 8);
    ev = only(&t);
    check_int(ev->said.own, NGX_HTTP_ILERT_OWN_DIGEST);
    ev->status = 400;
    ngx_str_set(&ev->error, "no");
    decide(&t, ev, DEAD);
    check_int(run(&t), OK);

    bad(&t, "b");
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "\"eventType\":\"ALERT\""));

    /* one that waits is replaced by the next one, also after a failure */

    bad(&t, "c");
    take_all(&t, 8);
    ev = only(&t);
    ev->next = t.now + 20 * SECOND;
    ev->maybe = 1;
    decide(&t, ev, AGAIN);
    check_int(run(&t), OK);

    t.now += 10 * SECOND;
    bad(&t, "d");
    check_str(play(&t), "");
    check_int(waits_as(&t, NGX_HTTP_ILERT_CRITICAL_FIRST)
              + waits_as(&t, NGX_HTTP_ILERT_UPDATES), 1);
    t.now += 10 * SECOND;
    check_str(play(&t), "DIGEST");
    check(strstr(last_body, "`d`"));

    teardown(&t);
}


/* "resolve_after" and "max_age" do not end it, nor does a lack of ids */

static void
test_stays(void)
{
    test_t  t;

    setup_digest(&t, "stays", NONE);
    t.policy.resolve_after = 10 * MINUTE;

    storm_of(&t, 4);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    t.now += 10 * MINUTE;
    check_str(play(&t), "a0. a1. a2.");
    check_str(state(&t), "0 0 -1 1 0 0");

    /* without an id there is no event */

    t.now += 15 * SECOND;
    take(&t, "ops", 8, 0);
    check_int(run(&t), OK);
    check(taken(&t, 0) == NULL);
    check_str(play(&t), "DIGEST");
    check_str(state(&t), "0 615 -1 1 0 0");

    /* it is not too old when its turn comes */

    good(&t, "a3");
    check_str(play(&t), "a3.");
    t.now += 15 * SECOND;
    t.job.nids = MAX_IDS;
    take(&t, "ops", 0, SECOND);
    check_int(run(&t), OK);
    t.now += MINUTE;
    take(&t, "ops", 8, SECOND);
    check_int(run(&t), OK);
    check_int(only(&t)->said.own, NGX_HTTP_ILERT_OWN_DIGEST);

    teardown(&t);
}


/* a source that is paused opens nothing, and tells nothing */

static void
test_paused(void)
{
    order_t  o;
    test_t   t;

    setup_digest(&t, "paused", NONE);

    storm_of(&t, 4);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    (void) order(&t, &o, PAUSE, "ops", 0);
    check_int(run(&t), OK);

    bad(&t, "b");
    t.now += MINUTE;
    check_str(play(&t), "");

    (void) order(&t, &o, RESUME, "ops", 0);
    check_int(run(&t), OK);
    check_str(play(&t), "DIGEST b");

    teardown(&t);
}


/* the clock is set back by an hour */

static void
test_clock(void)
{
    test_t  t;

    setup_digest(&t, "clock", NONE);

    storm_of(&t, 4);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    t.now -= 60 * MINUTE;
    bad(&t, "b");
    check_str(play(&t), "DIGEST");
    good(&t, "b");
    check_str(play(&t), "b.");
    check_int(outcome.due, t.now + 15 * SECOND);
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");

    good(&t, "a3");
    check_str(play(&t), "a3.");
    t.now += 15 * SECOND;
    check_str(play(&t), "DIGEST");
    t.now += 2 * MINUTE;
    check_str(play(&t), "DIGEST.");

    teardown(&t);
}


/* two sources of one key have digests of their own */

static void
test_two(void)
{
    int       i;
    char      key[16];
    event_t  *ev;
    test_t    t;

    setup_digest(&t, "two", NONE);
    budget(&t, "key", 50, MINUTE);

    storm_of(&t, 4);
    check_str(play(&t), "a0 a1 a2 DIGEST");

    for (i = 0; i < 4; i++) {
        sprintf(key, "b%d", i);
        ev = level(accept_event(&t, "dev", key, ALERT, "{\"a\":1}"), CRITICAL);
        ev->owner = t.budgets[0].name;
    }

    check_int(run(&t), OK);

    for (i = 0; i < 4; i++) {
        t.ids[i] = 5000 + i;
    }

    t.job.nids = 4;
    take(&t, "dev", 10, 0);
    check_int(run(&t), OK);
    check_int(outcome.takes[0].taken, 4);

    for (i = 0; i < 4; i++) {
        check(taken(&t, i)->said.own != NGX_HTTP_ILERT_OWN_DIGEST
              || ngx_memcmp(taken(&t, i)->key.data, "ilert-digest:dev", 16)
                 == 0);
    }

    verdicts(&t, DONE);
    check_int(run(&t), OK);
    check_counts(&t);

    teardown(&t);
}


test_case_t  digest_cases[] = {
    { "digest: members=none", test_none },
    { "digest: strangers", test_strangers },
    { "digest: tokens", test_tokens },
    { "digest: members=low", test_low },
    { "digest: members=low, and what ilert shows is unknown",
      test_low_unknown },
    { "digest: members=later", test_later },
    { "digest: the budget", test_budget },
    { "digest: the priority", test_priority },
    { "digest: only warnings", test_warnings },
    { "digest: it is removed", test_removed },
    { "digest: it is removed, and lists many", test_removed_many },
    { "digest: what is silenced", test_silenced },
    { "digest: it is refused", test_refused },
    { "digest: it stays", test_stays },
    { "digest: the source is paused", test_paused },
    { "digest: the clock is set back", test_clock },
    { "digest: two sources", test_two },
    { NULL, NULL }
};
