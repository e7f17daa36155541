
/* what was heard of Kapacitor's ids, and what looks are answered */


#include "store_test.h"
#include "kept.h"


#define NEWS       NGX_HTTP_ILERT_STORE_NEWS
#define COPY       NGX_HTTP_ILERT_STORE_COPY
#define STALE      NGX_HTTP_ILERT_STORE_STALE
#define OVERTAKEN  NGX_HTTP_ILERT_STORE_OVERTAKEN

#define AGREES     NGX_HTTP_ILERT_STORE_AGREES
#define NO_MATTER  NGX_HTTP_ILERT_STORE_NO_MATTER
#define DIFFERS    NGX_HTTP_ILERT_STORE_DIFFERS

#define NO_TIME    NGX_HTTP_ILERT_STORE_NO_TIME

/* ns, of the same clock as NOW */

#define T(n)       ((NOW + (n) * SECOND) * 1000000)


typedef ngx_http_ilert_store_heard_t      heard_t;
typedef ngx_http_ilert_store_look_t       look_t;
typedef ngx_http_ilert_store_state_t      state_t;
typedef ngx_http_ilert_store_note_t       note_t;
typedef ngx_http_ilert_store_kapacitor_t  kapacitor_t;


static look_t  *test_look;


static void
set(ngx_str_t *to, const char *text)
{
    to->data = (u_char *) text;
    to->len = strlen(text);
}


static const char *
text_of(ngx_str_t *s)
{
    static char  text[4][128];
    static int   n;

    n = (n + 1) % 4;
    sprintf(text[n], "%.*s", (int) s->len, s->data);

    return text[n];
}


/* the name of a number below 1000 */

static const char *
number(ngx_uint_t n)
{
    static char  names[1000][4];

    sprintf(names[n], "%d", (int) n);

    return names[n];
}


static void
set_heard(heard_t *heard, const char *id, ngx_uint_t level, int64_t time)
{
    memset(heard, 0, sizeof(heard_t));

    set(&heard->place, "/kapacitor");
    set(&heard->id, id);
    set(&heard->task, "");

    heard->time = time;
    heard->level = level;
    heard->digest = (uint64_t) time * 4 + level;
}


/* of an alert that has the id as its key */

static event_t *
hear(test_t *t, const char *id, ngx_uint_t level, int64_t time)
{
    event_t  *ev;

    ev = accept_event(t, "ops", id, level ? ALERT : RESOLVE, id);

    ev->said.level = level;
    set_heard(&ev->heard, id, level, time);

    return ev;
}


/* the same in a job of its own */

static ngx_uint_t
hear_one(test_t *t, const char *id, ngx_uint_t level, int64_t time)
{
    event_t  *ev;

    ev = hear(t, id, level, time);

    check_int(run(t), OK);
    check(outcome.accepted);

    return ev->news;
}


static event_t *
repairs(event_t *ev, ngx_uint_t level, int64_t time)
{
    ev->heard.repair = 1;
    ev->heard.was_time = time;
    ev->heard.was_level = level;

    return ev;
}


/* what the mapping has ignored, in the next job */

static void
note(test_t *t, note_t *note, const char *id, ngx_uint_t level, int64_t time)
{
    set_heard(&note->heard, id, level, time);

    ngx_queue_insert_tail(&t->job.notes, &note->queue);
}


/* in the next job, of main:cpu:alert2, until another one is made */

static look_t *
look(test_t *t)
{
    look_t  *lk;

    if (test_look) {
        ngx_destroy_pool(test_look->pool);
        free(test_look);
    }

    lk = calloc(1, sizeof(look_t));
    lk->pool = ngx_create_pool(1024, NULL);

    set(&lk->place, "/kapacitor");
    set(&lk->kapacitor, "/api/");
    set(&lk->topic, "main:cpu:alert2");

    lk->states.pool = lk->pool;
    lk->states.size = sizeof(state_t);
    lk->states.nalloc = 4;
    lk->states.elts = ngx_pcalloc(lk->pool, 4 * sizeof(state_t));

    ngx_queue_insert_tail(&t->job.looks, &lk->queue);

    test_look = lk;

    return lk;
}


static void
add_state(look_t *lk, const char *id, ngx_uint_t level, int64_t time)
{
    state_t  *state;

    state = ngx_array_push(&lk->states);
    memset(state, 0, sizeof(state_t));

    set(&state->id, id);
    state->level = level;
    state->time = time;
}


static state_t *
state_of(look_t *lk, ngx_uint_t n)
{
    return (state_t *) lk->states.elts + n;
}


/* the answer to one state, in a job of its own */

static state_t *
look_at(test_t *t, const char *id, ngx_uint_t level, int64_t time)
{
    look_t  *lk;

    lk = look(t);
    add_state(lk, id, level, time);

    check_int(run(t), OK);
    check(lk->ok);

    return state_of(lk, 0);
}


/* "id id ..." of those that are open here, with "+" if there are more */

static const char *
absent(test_t *t)
{
    char         *p;
    look_t       *lk;
    ngx_uint_t    i;
    static char   text[1024];

    lk = look(t);
    lk->absent = 1;

    check_int(run(t), OK);
    check(lk->ok);

    p = text;
    *p = '\0';

    for (i = 0; i < lk->states.nelts; i++) {
        p += sprintf(p, "%s%s", i ? " " : "",
                     text_of(&state_of(lk, i)->id));
    }

    return text;
}


/* the topics that the Kapacitor has, in a job of its own */

static void
listed(test_t *t, const char *kapacitor, const char *one, const char *two)
{
    look_t       *lk;
    ngx_str_t    *name;
    ngx_array_t   names;

    lk = look(t);
    set(&lk->kapacitor, kapacitor);

    names.pool = lk->pool;
    names.size = sizeof(ngx_str_t);
    names.nelts = 0;
    names.nalloc = 2;
    names.elts = ngx_pcalloc(lk->pool, 2 * sizeof(ngx_str_t));

    if (one) {
        name = ngx_array_push(&names);
        set(name, one);
    }

    if (two) {
        name = ngx_array_push(&names);
        set(name, two);
    }

    lk->listed = &names;

    check_int(run(t), OK);
    check(lk->ok);
}


/* a courier begins, with these Kapacitors */

static void
begin(test_t *t, kapacitor_t *kapacitors, ngx_uint_t n)
{
    t->job.begin = 1;
    t->job.kapacitors = kapacitors;
    t->job.nkapacitors = n;

    check_int(run(t), OK);
    check(outcome.decided && outcome.begun);
}


static void
test_copies(void)
{
    int       i;
    test_t    t;
    event_t  *ev;

    setup(&t, "heard_copies");

    check_int(hear_one(&t, "cpu", CRITICAL, T(0)), NEWS);
    check_str(drain(&t, "ops"), "cpu:cpu");
    check_int(hear_one(&t, "cpu", CRITICAL, T(0)), COPY);
    check_str(drain(&t, "ops"), "");

    /* another level, message, or time, id, or place */

    check_int(hear_one(&t, "cpu", WARNING, T(0)), NEWS);

    ev = hear(&t, "cpu", CRITICAL, T(0));
    ev->heard.digest++;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    check_int(hear_one(&t, "mem", CRITICAL, T(0)), NEWS);

    ev = hear(&t, "cpu", CRITICAL, T(0));
    set(&ev->heard.place, "/other");
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    ev = hear(&t, "cpu", CRITICAL, T(0));
    set(&ev->heard.place, "/other");
    check_int(run(&t), OK);
    check_int(ev->news, COPY);

    /* the place and the id are no one text */

    ev = hear(&t, "rcpu", CRITICAL, T(0));
    set(&ev->heard.place, "/othe");
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    /* the last 16, also as they are kept */

    for (i = 1; i <= 16; i++) {
        check_int(hear_one(&t, "disk", CRITICAL, T(i)), NEWS);
    }

    ngx_http_ilert_store_close(&t.store);

    for (i = 16; i >= 1; i--) {
        check_int(hear_one(&t, "disk", CRITICAL, T(i)), COPY);
    }

    check_int(hear_one(&t, "disk", CRITICAL, T(17)), NEWS);
    check_int(hear_one(&t, "disk", CRITICAL, T(2)), COPY);
    check_int(hear_one(&t, "disk", CRITICAL, T(1)), NEWS);
    check_int(hear_one(&t, "disk", CRITICAL, T(2)), NEWS);

    /* an older one was taken after it */

    check_int(hear_one(&t, "net", CRITICAL, T(2)), NEWS);
    check_int(hear_one(&t, "net", NGX_HTTP_ILERT_OK, T(3)), NEWS);
    check_int(hear_one(&t, "net", CRITICAL, T(1)), NEWS);
    check_int(hear_one(&t, "net", CRITICAL, T(1)), COPY);
    check_int(hear_one(&t, "net", CRITICAL, T(2)), NEWS);
    check_int(hear_one(&t, "net", NGX_HTTP_ILERT_OK, T(3)), NEWS);
    check_int(hear_one(&t, "net", NGX_HTTP_ILERT_OK, T(3)), COPY);

    /* a second Kapacitor says the same, and its data were late, too */

    check_int(hear_one(&t, "late", CRITICAL, T(5)), NEWS);
    check_int(hear_one(&t, "late", NGX_HTTP_ILERT_OK, T(3)), NEWS);
    check_int(hear_one(&t, "late", CRITICAL, T(5)), NEWS);
    check_int(hear_one(&t, "late", NGX_HTTP_ILERT_OK, T(3)), NEWS);
    check_int(hear_one(&t, "late", NGX_HTTP_ILERT_OK, T(3)), COPY);

    teardown(&t);
}


/* of one job */

static void
test_copies_at_once(void)
{
    test_t    t;
    event_t  *ev[5];

    setup(&t, "heard_at_once");

    ev[0] = hear(&t, "cpu", CRITICAL, T(1));
    ev[1] = hear(&t, "mem", CRITICAL, T(1));
    ev[2] = hear(&t, "cpu", CRITICAL, T(1));
    ev[3] = hear(&t, "cpu", NGX_HTTP_ILERT_OK, T(2));
    ev[4] = hear(&t, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check(outcome.accepted);

    check_int(ev[0]->news, NEWS);
    check_int(ev[1]->news, NEWS);
    check_int(ev[2]->news, COPY);
    check_int(ev[3]->news, NEWS);
    check_int(ev[4]->news, COPY);

    check_str(drain(&t, "ops"), "cpu:cpu mem:mem cpu:cpu");

    /* one that is late is not heard */

    ev[0] = hear(&t, "cpu", WARNING, T(3));
    ev[0]->withdrawn = 1;
    check_int(run(&t), OK);
    check(ev[0]->late);
    check_int(hear_one(&t, "cpu", WARNING, T(3)), NEWS);

    /* without a place nothing is remembered */

    ev[0] = hear(&t, "none", WARNING, T(3));
    ev[0]->heard.place.len = 0;
    ev[1] = hear(&t, "none", WARNING, T(3));
    ev[1]->heard.place.len = 0;
    check_int(run(&t), OK);
    check_int(ev[1]->news, NEWS);
    check_int(hear_one(&t, "none", WARNING, T(3)), NEWS);

    teardown(&t);
}


static void
test_no_time(void)
{
    test_t    t;
    state_t  *state;

    setup(&t, "heard_no_time");

    check_int(hear_one(&t, "cpu", CRITICAL, NO_TIME), NEWS);
    check_int(hear_one(&t, "cpu", CRITICAL, NO_TIME), NEWS);
    check_int(hear_one(&t, "cpu", WARNING, T(1)), NEWS);
    check_int(hear_one(&t, "cpu", CRITICAL, NO_TIME), NEWS);

    /* its time stays, its level does not */

    state = look_at(&t, "cpu", WARNING, T(1));
    check_int(state->look, NO_MATTER);
    check_int(state->was_time, T(1));
    check_int(state->was_level, CRITICAL);
    check_int(hear_one(&t, "cpu", WARNING, T(1)), COPY);

    teardown(&t);
}


static void
test_stale(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "heard_stale");

    check_int(hear_one(&t, "cpu", CRITICAL, T(5)), NEWS);

    ev = hear(&t, "cpu", WARNING, T(4));
    ev->stale = 1;
    check_int(run(&t), OK);
    check_int(ev->news, STALE);

    ev = hear(&t, "cpu", WARNING, NO_TIME);
    ev->stale = 1;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    ev = hear(&t, "cpu", WARNING, T(5));
    ev->stale = 1;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    check_int(hear_one(&t, "cpu", WARNING, T(4)), NEWS);

    /* now the last one is older */

    ev = hear(&t, "cpu", CRITICAL, T(4) + 1);
    ev->stale = 1;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    teardown(&t);
}


/* of what is not newer it is said which topic has to be compared again */

static void
test_late(void)
{
    int64_t   topic;
    test_t    t;
    event_t  *ev;

    setup(&t, "heard_late");

    check_int(hear_one(&t, "cpu", CRITICAL, T(5)), NEWS);

    ev = hear(&t, "cpu", WARNING, T(4));
    check_int(run(&t), OK);
    check_int(ev->topic, 0);

    check_int(look_at(&t, "cpu", WARNING, T(4))->look, AGREES);
    topic = test_look->number;
    check(topic > 0);
    (void) absent(&t);
    check_int(test_look->number, topic);

    ev = hear(&t, "cpu", CRITICAL, T(6));
    check_int(run(&t), OK);
    check_int(ev->topic, 0);

    ev = hear(&t, "cpu", WARNING, T(6));
    check_int(run(&t), OK);
    check_int(ev->topic, topic);

    ev = hear(&t, "cpu", NGX_HTTP_ILERT_OK, T(3));
    check_int(run(&t), OK);
    check_int(ev->topic, topic);

    ev = hear(&t, "cpu", CRITICAL, NO_TIME);
    check_int(run(&t), OK);
    check_int(ev->topic, topic);

    /* a copy, or what repairs, changes nothing that is not known */

    ev = hear(&t, "cpu", NGX_HTTP_ILERT_OK, T(3));
    check_int(run(&t), OK);
    check_int(ev->news, COPY);
    check_int(ev->topic, 0);

    ev = repairs(hear(&t, "cpu", WARNING, T(3)), CRITICAL, T(3));
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);
    check_int(ev->topic, 0);

    teardown(&t);
}


static void
test_overtaken(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "heard_overtaken");

    /* nothing was remembered, and still is not */

    ev = repairs(hear(&t, "cpu", CRITICAL, T(1)), 0, 0);
    ev->heard.unheard = 1;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);
    check_str(drain(&t, "ops"), "cpu:cpu");

    /* the webhook itself comes late */

    check_int(hear_one(&t, "cpu", CRITICAL, T(1)), COPY);

    ev = repairs(hear(&t, "cpu", CRITICAL, T(2)), 0, 0);
    ev->heard.unheard = 1;
    check_int(run(&t), OK);
    check_int(ev->news, OVERTAKEN);

    ev = repairs(hear(&t, "mem", CRITICAL, T(2)), CRITICAL, T(1));
    check_int(run(&t), OK);
    check_int(ev->news, OVERTAKEN);

    ev = repairs(hear(&t, "cpu", WARNING, T(3)), CRITICAL, T(2));
    check_int(run(&t), OK);
    check_int(ev->news, OVERTAKEN);

    ev = repairs(hear(&t, "cpu", WARNING, T(3)), WARNING, T(1));
    check_int(run(&t), OK);
    check_int(ev->news, OVERTAKEN);
    check_str(drain(&t, "ops"), "");

    /* in one job with the webhook that overtakes it */

    hear(&t, "cpu", WARNING, T(3));
    ev = repairs(hear(&t, "cpu", WARNING, T(3)), CRITICAL, T(1));
    check_int(run(&t), OK);
    check_int(ev->news, OVERTAKEN);

    /* one that is known as a copy: it is what an older one has undone */

    check_int(hear_one(&t, "cpu", CRITICAL, T(2)), NEWS);
    ev = repairs(hear(&t, "cpu", WARNING, T(3)), CRITICAL, T(2));
    ev->stale = 1;
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);

    /* of an id that is absent */

    ev = repairs(hear(&t, "cpu", NGX_HTTP_ILERT_OK, T(3)), WARNING, T(3));
    check_int(run(&t), OK);
    check_int(ev->news, NEWS);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(3))->look, AGREES);

    teardown(&t);
}


static void
test_notes(void)
{
    note_t    one, two;
    test_t    t;
    state_t  *state;

    setup(&t, "heard_notes");

    note(&t, &one, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check(!outcome.idle);

    state = look_at(&t, "cpu", CRITICAL, T(9));
    check_int(state->look, AGREES);
    check(state->heard && state->ignored);
    check_int(state->was_time, T(1));

    /* neither its level nor that it was ignored differ, or it is late */

    note(&t, &one, "cpu", CRITICAL, T(9));
    note(&t, &two, "cpu", WARNING, T(0));
    check_int(run(&t), OK);
    check(outcome.idle);

    note(&t, &one, "cpu", WARNING, T(10));
    check_int(run(&t), OK);
    state = look_at(&t, "cpu", WARNING, T(10));
    check_int(state->was_time, T(10));
    check_int(state->was_level, WARNING);

    /* it is no copy of one that was ignored, and goes after it */

    note(&t, &one, "cpu", CRITICAL, T(11));
    check_int(hear_one(&t, "cpu", CRITICAL, T(11)), NEWS);
    state = look_at(&t, "cpu", CRITICAL, T(11));
    check(!state->ignored);

    note(&t, &one, "cpu", CRITICAL, T(11));
    check_int(run(&t), OK);
    check(look_at(&t, "cpu", CRITICAL, T(11))->ignored);

    /* an OK of what was never told to ilert */

    note(&t, &one, "mem", CRITICAL, T(11));
    check_int(run(&t), OK);
    check_int(look_at(&t, "mem", CRITICAL, T(11))->look, AGREES);
    check_int(look_at(&t, "mem", NGX_HTTP_ILERT_OK, T(12))->look, NO_MATTER);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(12))->look, DIFFERS);
    check_str(absent(&t), "cpu");

    teardown(&t);
}


static void
test_clash(void)
{
    test_t    t;
    event_t  *ev;

    setup(&t, "heard_clash");

    ev = hear(&t, "k", CRITICAL, T(1));
    set(&ev->heard.task, "cpu");
    check_int(run(&t), OK);
    check_int(ev->clash_len, 0);

    /* a task that is not known is none */

    ev = hear(&t, "k", CRITICAL, T(2));
    check_int(run(&t), OK);
    check_int(ev->clash_len, 0);

    ev = hear(&t, "k", CRITICAL, T(3));
    set(&ev->heard.task, "mem");
    check_int(run(&t), OK);
    check(ev->clash_len == 3 && memcmp(ev->clash, "cpu", 3) == 0);

    ev = hear(&t, "k", CRITICAL, T(4));
    set(&ev->heard.task, "mem");
    check_int(run(&t), OK);
    check_int(ev->clash_len, 0);

    /* two ids share a key: when one joins, and at the first of each job */

    ev = hear(&t, "k", CRITICAL, T(5));
    set(&ev->heard.id, "other");
    set(&ev->heard.task, "disk");
    check_int(run(&t), OK);
    check(ev->clash_len == 3 && memcmp(ev->clash, "mem", 3) == 0);

    ev = hear(&t, "k", CRITICAL, T(6));
    set(&ev->heard.task, "mem");
    check_int(run(&t), OK);
    check(ev->clash_len == 4 && memcmp(ev->clash, "disk", 4) == 0);

    ev = hear(&t, "k", CRITICAL, T(7));
    set(&ev->heard.id, "third");
    set(&ev->heard.task, "mem");
    check_int(run(&t), OK);
    check(ev->clash_len == 4 && memcmp(ev->clash, "disk", 4) == 0);

    /* a new alert, in one job */

    ev = hear(&t, "new", CRITICAL, T(7));
    set(&ev->heard.task, "cpu");
    ev = hear(&t, "new", CRITICAL, T(7));
    set(&ev->heard.id, "second");
    set(&ev->heard.task, "mem");
    check_int(run(&t), OK);
    check(ev->clash_len == 3 && memcmp(ev->clash, "cpu", 3) == 0);

    /* no more than there is room for, and no half character */

    ev = hear(&t, "long", CRITICAL, T(7));
    set(&ev->heard.task, "012345678901234567890123456789012345678901234567890"
                         "123456789012\xc3\xa9");
    ev = hear(&t, "long", CRITICAL, T(8));
    set(&ev->heard.task, "x");
    check_int(run(&t), OK);
    check_int(ev->clash_len, 63);

    teardown(&t);
}


static void
test_looks(void)
{
    test_t    t;
    look_t   *lk;
    event_t  *ev;
    state_t  *state;

    setup(&t, "looks");

    /* no topic takes part yet */

    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, NO_MATTER);
    check(outcome.idle);
    check(!test_look->learned);

    ev = hear(&t, "cpu", CRITICAL, T(1));
    set(&ev->heard.task, "cpu");
    check_int(run(&t), OK);

    check_int(look_at(&t, "cpu", CRITICAL, T(2))->look, NO_MATTER);
    check(outcome.idle);
    check(!test_look->learned);

    /* the state is what was heard, but the topic is another task's */

    lk = look(&t);
    set(&lk->topic, "main:mem:alert2");
    add_state(lk, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check(outcome.idle);
    check(!lk->learned);
    check_int(state_of(lk, 0)->look, AGREES);

    /* it is learned, and what the same look has besides */

    lk = look(&t);
    add_state(lk, "new", CRITICAL, T(1));
    add_state(lk, "over", NGX_HTTP_ILERT_OK, T(1));
    add_state(lk, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check(!outcome.idle);
    check(lk->learned);
    check_int(state_of(lk, 0)->look, DIFFERS);
    check(!state_of(lk, 0)->heard);
    check_int(state_of(lk, 1)->look, NO_MATTER);
    check_int(state_of(lk, 2)->look, AGREES);

    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);
    check(outcome.idle);
    check(test_look->learned);

    /* a level that was lost, an update, and an OK */

    state = look_at(&t, "cpu", WARNING, T(2));
    check_int(state->look, DIFFERS);
    check(state->heard && !state->ignored);
    check_int(state->was_time, T(1));
    check_int(state->was_level, CRITICAL);
    check_int(state->at, NOW);
    check_str(text_of(&state->source), "ops");
    check_str(text_of(&state->alert_key), "cpu");

    check_int(look_at(&t, "cpu", WARNING, T(1))->look, DIFFERS);
    check_int(look_at(&t, "cpu", CRITICAL, T(2))->look, DIFFERS);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(2))->look, DIFFERS);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(0))->look, NO_MATTER);
    check(outcome.idle);

    /* of an OK nothing is news but another level */

    check_int(hear_one(&t, "cpu", NGX_HTTP_ILERT_OK, T(3)), NEWS);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(4))->look, NO_MATTER);
    check_int(look_at(&t, "cpu", INFO, T(4))->look, DIFFERS);

    /* or an OK, if it may have been relayed that it was open between */

    drain(&t, "ops");
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(4))->look, NO_MATTER);
    t.job.unknown = 1;
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(4))->look, DIFFERS);
    check_int(look_at(&t, "cpu", NGX_HTTP_ILERT_OK, T(3))->look, AGREES);

    /* after the accepts of its job */

    hear(&t, "cpu", INFO, T(4));
    check_int(look_at(&t, "cpu", INFO, T(4))->look, AGREES);

    /* one that is named takes part before it is learned */

    lk = look(&t);
    set(&lk->topic, "ops");
    lk->named = 1;
    add_state(lk, "new", CRITICAL, T(1));
    add_state(lk, "over", NGX_HTTP_ILERT_OK, T(1));
    check_int(run(&t), OK);
    check(outcome.idle);
    check(lk->learned);
    check_int(state_of(lk, 0)->look, DIFFERS);

    teardown(&t);
}


/* the same id in two topics, and at two Kapacitors */

static void
test_topics(void)
{
    test_t        t;
    look_t       *lk;
    kapacitor_t   kapacitors[2];

    setup(&t, "topics");

    memset(kapacitors, 0, sizeof(kapacitors));
    set(&kapacitors[0].name, "/api/");
    set(&kapacitors[1].name, "/api2/");

    hear(&t, "cpu", CRITICAL, T(1));
    hear(&t, "mem", CRITICAL, T(1));
    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);

    /* another topic takes part by another id */

    lk = look(&t);
    set(&lk->topic, "ops");
    add_state(lk, "mem", CRITICAL, T(1));
    add_state(lk, "cpu", WARNING, T(2));
    check_int(run(&t), OK);
    check(lk->learned);
    check_int(state_of(lk, 0)->look, AGREES);
    check_int(state_of(lk, 1)->look, NO_MATTER);

    check_int(look_at(&t, "cpu", WARNING, T(2))->look, DIFFERS);
    check_str(absent(&t), "cpu");

    /* the same topic elsewhere takes part, and the ids stay where they are */

    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    add_state(lk, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check(lk->learned);

    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    add_state(lk, "cpu", WARNING, T(2));
    check_int(run(&t), OK);
    check(outcome.idle);
    check_int(state_of(lk, 0)->look, DIFFERS);

    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    lk->absent = 1;
    check_int(run(&t), OK);
    check(lk->learned);
    check_int(lk->states.nelts, 0);
    check_str(absent(&t), "cpu");

    /* the Kapacitors that are there keep theirs */

    begin(&t, kapacitors, 2);
    check_str(absent(&t), "cpu");

    /* it is gone: another one takes its place */

    listed(&t, "/api/", "ops", NULL);
    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    add_state(lk, "cpu", CRITICAL, T(1));
    check_int(run(&t), OK);
    check_str(absent(&t), "");

    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    lk->absent = 1;
    check_int(run(&t), OK);
    check_int(lk->states.nelts, 1);

    /* its Kapacitor is not configured any longer: it is learned again */

    begin(&t, kapacitors, 1);
    lk = look(&t);
    set(&lk->kapacitor, "/api2/");
    add_state(lk, "cpu", WARNING, T(2));
    check_int(run(&t), OK);
    check(!lk->learned);
    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);
    check_str(absent(&t), "cpu");

    begin(&t, kapacitors, 0);
    check_str(absent(&t), "");
    check(!test_look->learned);

    /* one that is gone for long is forgotten */

    begin(&t, kapacitors, 1);
    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);
    check(test_look->learned);
    listed(&t, "/api/", NULL, NULL);
    check(!outcome.idle);
    t.now += 90 * DAY;
    listed(&t, "/api/", NULL, NULL);
    check(outcome.idle);
    t.now++;
    listed(&t, "/api/", NULL, NULL);
    check_str(absent(&t), "");
    check(!test_look->learned);

    teardown(&t);
}


static void
test_absent(void)
{
    int         i;
    test_t      t;
    look_t     *lk;
    u_char      after[NGX_HTTP_ILERT_STORE_HEARD_KEY];
    ngx_uint_t  n;

    setup(&t, "absent");

    hear(&t, "a", CRITICAL, T(1));
    hear(&t, "b", NGX_HTTP_ILERT_OK, T(1));
    hear(&t, "c", CRITICAL, T(1));

    lk = look(&t);
    add_state(lk, "a", CRITICAL, T(1));
    add_state(lk, "b", NGX_HTTP_ILERT_OK, T(1));
    check_int(run(&t), OK);
    check(lk->learned);

    check_str(absent(&t), "a");
    check(!test_look->more);
    check(outcome.idle);
    check_str(text_of(&state_of(test_look, 0)->source), "ops");
    check_str(text_of(&state_of(test_look, 0)->alert_key), "a");
    check_int(state_of(test_look, 0)->was_time, T(1));
    check_int(state_of(test_look, 0)->was_level, CRITICAL);

    /* of another place: the configuration was changed */

    lk = look(&t);
    lk->absent = 1;
    set(&lk->place, "/other");
    check_int(run(&t), OK);
    check_int(lk->states.nelts, 0);

    /* in parts */

    for (n = 0; n < 3; n++) {
        for (i = 0; i < 300; i++) {
            hear(&t, number(n * 300 + i), WARNING, T(2));
        }

        check_int(run(&t), OK);

        lk = look(&t);

        for (i = 0; i < 300; i++) {
            add_state(lk, number(n * 300 + i), WARNING, T(2));
        }

        check_int(run(&t), OK);
    }

    memset(after, 0, sizeof(after));
    n = 0;

    do {
        lk = look(&t);
        lk->absent = 1;
        memcpy(lk->after, after, sizeof(after));
        check_int(run(&t), OK);
        check(lk->ok);
        n += lk->states.nelts;
        memcpy(after, lk->after, sizeof(after));

    } while (lk->more);

    check_int(n, 901);

    teardown(&t);
}


/* more than a look may have, and a job that fails */

static void
test_looks_fail(void)
{
    int      i;
    test_t   t;
    look_t  *lk;

    setup(&t, "looks_fail");

    lk = look(&t);

    for (i = 0; i <= NGX_HTTP_ILERT_STORE_STATES; i++) {
        add_state(lk, "x", CRITICAL, T(1));
    }

    check_int(run(&t), OK);
    check(!lk->ok);

    hear_one(&t, "cpu", CRITICAL, T(1));

    lk = look(&t);
    add_state(lk, "cpu", CRITICAL, T(1));
    store_fault(1, FAULT_IOERR, 1000);
    check(run(&t) != OK);
    store_fault(0, FAULT_NONE, 0);
    check(!lk->ok);
    check(!lk->learned);

    t.now += SECOND;
    check_int(run(&t), OK);
    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);
    check(test_look->learned);

    teardown(&t);
}


/* of a new database it is not known what ilert shows */

static void
test_made(void)
{
    test_t   t;
    look_t  *lk;

    setup(&t, "made");

    t.now += 10 * SECOND;

    lk = look(&t);
    lk->named = 1;
    add_state(lk, "before", NGX_HTTP_ILERT_OK, T(9));
    add_state(lk, "after", NGX_HTTP_ILERT_OK, T(11));
    add_state(lk, "open", CRITICAL, T(-1000));
    check_int(run(&t), OK);

    check_int(state_of(lk, 0)->look, DIFFERS);
    check_int(state_of(lk, 1)->look, NO_MATTER);
    check_int(state_of(lk, 2)->look, DIFFERS);

    /* the last time before an OK that was repaired may have been forgotten */

    t.now += 7 * DAY;

    lk = look(&t);
    lk->named = 1;
    add_state(lk, "before", NGX_HTTP_ILERT_OK, T(9));
    add_state(lk, "open", CRITICAL, T(-1000));
    check_int(run(&t), OK);
    check_int(state_of(lk, 0)->look, NO_MATTER);
    check_int(state_of(lk, 1)->look, DIFFERS);

    teardown(&t);
}


#define MINUTE   (60 * SECOND)
#define QUIET    (15 * MINUTE)


/* how many of "ops" end, for nothing was heard of them */

static ngx_uint_t
ends(test_t *t, kapacitor_t *kapacitor)
{
    t->policy.resolve_after = QUIET;
    t->job.kapacitors = kapacitor;
    t->job.nkapacitors = kapacitor ? 1 : 0;
    take_stale(t, 10, 4);
    t->policy.resolve_after = 0;

    verdicts(t, UNSENT);

    return outcome.resolved;
}


/* a look that says of "cpu", and of an unknown id, that they are over */

static void
says_over(test_t *t)
{
    ngx_str_t     ids[2];
    ngx_array_t   over;

    set(&ids[0], "cpu");
    set(&ids[1], "unheard");

    over.elts = ids;
    over.nelts = 2;

    look(t)->over = &over;
    check_int(run(t), OK);
    check(!outcome.idle);

    test_look->over = NULL;
}


static void
test_silence_held(void)
{
    test_t        t;
    kapacitor_t   kapacitor;

    setup(&t, "silence_held_open");
    t.policy.coalesce = LATEST;

    memset(&kapacitor, 0, sizeof(kapacitor));
    set(&kapacitor.name, "/api/");
    set(&kapacitor.place, "/kapacitor");
    kapacitor.up = 1;

    hear(&t, "cpu", CRITICAL, T(1));
    hear(&t, "mem", CRITICAL, T(1));
    accept_event(&t, "ops", "none", ALERT, "none");
    check_int(look_at(&t, "cpu", CRITICAL, T(1))->look, AGREES);
    drain(&t, "ops");

    /* of the topic that has it open nothing ends; none of the others is */

    t.now = NOW + QUIET;
    check_int(ends(&t, &kapacitor), 2);
    check_int(outcome.due, t.now + QUIET);
    drain(&t, "ops");

    t.now += QUIET - 1;
    check_int(ends(&t, &kapacitor), 0);
    t.now++;
    check_int(ends(&t, &kapacitor), 0);
    check_int(outcome.due, t.now + QUIET);

    /* its topic is gone, but Kapacitor cannot be asked */

    listed(&t, "/api/", "ops", NULL);
    t.now += QUIET;
    kapacitor.up = 0;
    check_int(ends(&t, &kapacitor), 0);
    t.now += QUIET;
    listed(&t, "/api/", "main:cpu:alert2", "ops");
    kapacitor.up = 1;
    check_int(ends(&t, &kapacitor), 0);
    t.now += QUIET;
    listed(&t, "/api/", "ops", NULL);
    check_int(ends(&t, &kapacitor), 1);
    drain(&t, "ops");

    /* Kapacitor has it no more, and this is only watched */

    listed(&t, "/api/", "main:cpu:alert2", "ops");
    hear(&t, "cpu", CRITICAL, t.now * 1000000);
    check_int(run(&t), OK);
    drain(&t, "ops");

    says_over(&t);

    t.now += QUIET;
    check_int(ends(&t, &kapacitor), 1);
    drain(&t, "ops");

    /* it is open there again, of which no webhook has come */

    hear(&t, "cpu", CRITICAL, t.now * 1000000);
    check_int(run(&t), OK);
    drain(&t, "ops");
    says_over(&t);
    look_at(&t, "cpu", WARNING, t.now * 1000000 - 1);
    t.now += QUIET;
    look_at(&t, "cpu", CRITICAL, t.now * 1000000);
    check_int(ends(&t, &kapacitor), 0);
    says_over(&t);
    t.now += QUIET;
    check_int(ends(&t, &kapacitor), 1);
    drain(&t, "ops");

    /* it is heard again, and resolved, and nobody is asked any longer */

    hear(&t, "cpu", CRITICAL, t.now * 1000000);
    check_int(run(&t), OK);
    drain(&t, "ops");
    t.now += QUIET;
    check_int(ends(&t, &kapacitor), 0);

    t.now += QUIET;
    check_int(ends(&t, NULL), 1);

    teardown(&t);
}


/* of how many ids from "0" on something is remembered */

static ngx_uint_t
remembered(test_t *t, ngx_uint_t n)
{
    look_t      *lk;
    ngx_uint_t   i, found;

    lk = look(t);

    for (i = 0; i < n; i++) {
        add_state(lk, number(i), CRITICAL, T(200));
    }

    check_int(run(t), OK);
    check(lk->ok);

    found = 0;

    for (i = 0; i < n; i++) {
        found += state_of(lk, i)->heard;
    }

    return found;
}


static void
test_forget(void)
{
    int         i;
    note_t      notes[150];
    test_t      t;
    ngx_uint_t  n;

    setup(&t, "forget_heard");

    hear(&t, "over", NGX_HTTP_ILERT_OK, T(1));
    hear(&t, "open", CRITICAL, T(2));
    check_int(look_at(&t, "open", CRITICAL, T(2))->look, AGREES);
    drain(&t, "ops");

    /* with their alerts */

    t.now = NOW + 7 * DAY + SECOND;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check(!look_at(&t, "over", WARNING, T(2))->heard);
    check(look_at(&t, "open", WARNING, T(2))->heard);
    check_int(look_at(&t, "new", WARNING, T(2))->look, DIFFERS);

    t.now = NOW + 90 * DAY + SECOND;
    t.job.clean = 1;
    check_int(run(&t), OK);
    check(!look_at(&t, "open", WARNING, T(2))->heard);

    /* what may have been forgotten is no news */

    check_int(look_at(&t, "new", WARNING, T(2))->look, NO_MATTER);
    check_int(look_at(&t, "new", WARNING, T(2) + 1)->look, DIFFERS);

    /* those without one, a part at a time */

    for (i = 0; i < 150; i++) {
        note(&t, &notes[i], number(i), i % 2 ? CRITICAL : 0, T(i));
    }

    check_int(run(&t), OK);

    t.now += 7 * DAY + 1;
    t.job.clean = 1;
    check_int(run(&t), OK);
    n = remembered(&t, 150);
    check(n > 75 && n < 150);

    t.job.clean = 1;
    check_int(run(&t), OK);
    check_int(remembered(&t, 150), 75);
    check(look_at(&t, number(1), CRITICAL, T(200))->heard);

    teardown(&t);
}


/* since when there was none, whether its nginx is new or not */

static void
test_away(void)
{
    test_t   t;
    int64_t  term;

    setup(&t, "away");

    t.job.begin = 1;
    t.job.session = 5;
    check_int(run(&t), OK);
    check_int(outcome.away, 0);
    term = outcome.begun;

    /* what it commits tells the time */

    t.now += 30 * SECOND;
    t.job.term = term;
    t.job.session = 5;
    t.job.registered = 1;
    hear_one(&t, "cpu", CRITICAL, T(1));

    /* a job that changes nothing does not, nor that of somebody else */

    t.now += SECOND;
    t.job.term = term;
    t.job.session = 5;
    t.job.registered = 1;
    check_int(run(&t), OK);
    hear_one(&t, "cpu", CRITICAL, T(2));

    t.now += SECOND;
    t.job.begin = 1;
    t.job.session = 5;
    t.job.registered = 1;
    check_int(run(&t), OK);
    check_int(outcome.away, NOW + 30 * SECOND);

    t.now += 2 * MINUTE;
    t.job.begin = 1;
    t.job.session = 6;
    check_int(run(&t), OK);
    check_int(outcome.away, NOW + 32 * SECOND);

    /* the last one says when it leaves; a clock that was set back */

    t.now += 10 * SECOND;
    t.job.session = 6;
    t.job.registered = 1;
    t.job.end = 1;
    check_int(run(&t), OK);

    t.now += 10 * SECOND;
    t.job.begin = 1;
    t.job.session = 7;
    check_int(run(&t), OK);
    check_int(outcome.away, t.now - 10 * SECOND);

    t.now -= 10 * SECOND;
    t.job.begin = 1;
    t.job.session = 8;
    check_int(run(&t), OK);
    check_int(outcome.away, 0);

    teardown(&t);
}


test_case_t  heard_job_cases[] = {
    { "copies of what was heard", test_copies },
    { "copies in one job", test_copies_at_once },
    { "what was heard has no time", test_no_time },
    { "what is stale", test_stale },
    { "what is late", test_late },
    { "repairs that are overtaken", test_overtaken },
    { "notes of what is ignored", test_notes },
    { "two tasks of one alert", test_clash },
    { "looks", test_looks },
    { "topics of looks", test_topics },
    { "what is absent", test_absent },
    { "looks that fail", test_looks_fail },
    { "looks in a new database", test_made },
    { "silence, and what Kapacitor has open", test_silence_held },
    { "what was heard is forgotten", test_forget },
    { "no courier for a while", test_away },
    { NULL, NULL }
};
