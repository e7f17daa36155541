
/* what was heard of Kapacitor's ids, and topics: what a backend keeps */


#include "kept.h"


typedef ngx_http_ilert_store_known_t  known_t;
typedef ngx_http_ilert_store_topic_t  topic_t;

#define NO_TIME  NGX_HTTP_ILERT_STORE_NO_TIME
#define DIGESTS  NGX_HTTP_ILERT_STORE_DIGESTS
#define KEY      NGX_HTTP_ILERT_STORE_HEARD_KEY


/* keys are in the order of "n" */

static u_char *
key_of(int n)
{
    static u_char  key[KEY];

    memset(key, 0xee, KEY);

    key[0] = n >> 8;
    key[1] = n & 0xff;

    return key;
}


static void
set_text(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = strlen(text);
}


static known_t *
add_known(work_t *work, int n, int64_t alert, int64_t topic)
{
    known_t  *known;

    known = ngx_pcalloc(work->pool, sizeof(known_t));
    check(known != NULL);

    memcpy(known->key, key_of(n), KEY);
    set_text(&known->place, "/kapacitor");
    set_text(&known->kid, "cpu:host=a");
    set_text(&known->task, "cpu");
    known->time = 1000 + n;
    known->level = CRITICAL;
    known->at = NOW;
    known->alert = alert;
    known->topic = topic;
    known->added = 1;

    ngx_queue_insert_tail(&work->heard, &known->queue);

    return known;
}


static topic_t *
add_topic(work_t *work, const char *kapacitor, const char *name)
{
    topic_t  *topic;

    topic = ngx_pcalloc(work->pool, sizeof(topic_t));
    check(topic != NULL);

    set_text(&topic->kapacitor, kapacitor);
    set_text(&topic->name, name);
    topic->added = 1;

    ngx_queue_insert_tail(&work->topics, &topic->queue);

    return topic;
}


/* the record of that number, which is in work->heard then, or NULL */

static known_t *
load(work_t *work, int n)
{
    known_t    *known;
    ngx_int_t   rc;

    rc = work->store->backend->heard(work, key_of(n), &known);

    if (rc == NGX_DECLINED) {
        return NULL;
    }

    check_int(rc, NGX_OK);

    ngx_queue_insert_tail(&work->heard, &known->queue);

    return known;
}


/* numbers of those of an alert, or of a topic, or of all, after "n" */

static const char *
heard_of(work_t *work, int64_t alert, int64_t topic, int n, ngx_uint_t limit)
{
    char         *p;
    known_t      *known;
    ngx_uint_t    i;
    ngx_array_t   heard;

    static char   text[4096];

    check(ngx_array_init(&heard, work->pool, 4, sizeof(known_t)) == NGX_OK);
    check_int(work->store->backend->heard_of(work, alert, topic, key_of(n),
                                             limit, &heard),
              NGX_OK);

    p = text;
    *p = '\0';
    known = heard.elts;

    for (i = 0; i < heard.nelts; i++) {
        p += sprintf(p, "%s%d", i ? "," : "",
                     known[i].key[0] << 8 | known[i].key[1]);
    }

    return text;
}


/* "id kapacitor name gone,..." */

static const char *
topics(work_t *work)
{
    char         *p;
    topic_t      *topic;
    ngx_uint_t    i;
    ngx_array_t   list;

    static char   text[4096];

    check(ngx_array_init(&list, work->pool, 1, sizeof(topic_t)) == NGX_OK);
    check_int(work->store->backend->topics(work, &list), NGX_OK);

    p = text;
    *p = '\0';
    topic = list.elts;

    for (i = 0; i < list.nelts; i++) {
        p += sprintf(p, "%s%d %.*s %.*s %d", i ? "," : "", (int) topic[i].id,
                     (int) topic[i].kapacitor.len, topic[i].kapacitor.data,
                     (int) topic[i].name.len, topic[i].name.data,
                     (int) topic[i].gone);
    }

    return text;
}


static ngx_uint_t
is_text(ngx_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


/* with what is on disk, by another connection */

static void
again(test_t *t, work_t *work)
{
    kept_end(t, work);

    ngx_http_ilert_store_close(&t->store);

    kept_begin(t, work);
}


static void
test_roundtrip(void)
{
    test_t       t;
    work_t       work;
    known_t     *known;
    ngx_uint_t   i;

    setup(&t, "heard");
    kept_begin(&t, &work);

    check(load(&work, 7) == NULL);

    known = add_known(&work, 7, 3, 4);
    known->time = INT64_MAX - 1;
    known->ignored = 1;

    known->ndigests = DIGESTS;

    for (i = 0; i < DIGESTS; i++) {
        known->digests[i] = 0xfedcba9876543200 + i;
    }

    known = add_known(&work, 8, 0, 0);
    set_text(&known->place, "");
    set_text(&known->kid, "a \"b\" \xc3\xa4");
    set_text(&known->task, "");
    known->time = NO_TIME;
    known->level = 0;
    known->over = 1;

    again(&t, &work);
    check_int(work.changed, 0);

    known = load(&work, 7);
    check(known != NULL);
    check(memcmp(known->key, key_of(7), KEY) == 0);
    check(is_text(&known->place, "/kapacitor"));
    check(is_text(&known->kid, "cpu:host=a"));
    check(is_text(&known->task, "cpu"));
    check_int(known->time, INT64_MAX - 1);
    check_int(known->level, CRITICAL);
    check_int(known->at, NOW);
    check_int(known->alert, 3);
    check_int(known->topic, 4);
    check_int(known->ignored, 1);
    check_int(known->over, 0);
    check_int(known->added, 0);
    check_int(known->changed, 0);
    check_int(known->removed, 0);
    check_int(known->ndigests, DIGESTS);

    for (i = 0; i < DIGESTS; i++) {
        check(known->digests[i] == 0xfedcba9876543200 + i);
    }

    known = load(&work, 8);
    check(known != NULL);
    check(is_text(&known->place, ""));
    check(is_text(&known->kid, "a \"b\" \xc3\xa4"));
    check(is_text(&known->task, ""));
    check_int(known->time, NO_TIME);
    check_int(known->level, 0);
    check_int(known->alert, 0);
    check_int(known->topic, 0);
    check_int(known->ignored, 0);
    check_int(known->over, 1);
    check_int(known->ndigests, 0);

    check(load(&work, 9) == NULL);

    kept_end(&t, &work);
    teardown(&t);
}


/* in the work that has added it, and in the next one */

static void
test_changes(void)
{
    test_t    t;
    work_t    work;
    known_t  *known, *other;

    setup(&t, "heard_changes");
    kept_begin(&t, &work);

    known = add_known(&work, 1, 5, 0);
    other = add_known(&work, 2, 5, 6);
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 1);
    check_int(known->added, 0);

    known->time = NO_TIME;
    known->level = 1;
    known->at = NOW + 1;
    known->alert = 9;
    known->topic = 8;
    known->ignored = 1;
    known->over = 1;
    known->digests[known->ndigests++] = 42;
    known->changed = 1;
    set_text(&known->task, "other");

    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(known->changed, 0);

    /* what has not been changed is not written */

    other->level = 0;

    again(&t, &work);

    known = load(&work, 1);
    check_int(known->time, NO_TIME);
    check_int(known->level, 1);
    check_int(known->at, NOW + 1);
    check_int(known->alert, 9);
    check_int(known->topic, 8);
    check_int(known->ignored, 1);
    check_int(known->over, 1);
    check_int(known->ndigests, 1);
    check_int(known->digests[0], 42);
    check(is_text(&known->task, "other"));
    check(is_text(&known->kid, "cpu:host=a"));
    check_int(load(&work, 2)->level, CRITICAL);

    check_str(heard_of(&work, 5, 0, 0, 9), "2");
    check_str(heard_of(&work, 9, 0, 0, 9), "1");
    check_str(heard_of(&work, 0, 8, 0, 9), "1");

    /* again, from a record that was loaded */

    known->level = 2;
    known->topic = 0;
    known->ndigests = 0;
    known->changed = 1;
    check_int(work.changed, 0);
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 1);
    check_str(heard_of(&work, 0, 8, 0, 9), "");
    known->topic = 7;
    known->alert = 0;
    known->changed = 1;

    again(&t, &work);

    known = load(&work, 1);
    check_int(known->level, 2);
    check_int(known->alert, 0);
    check_int(known->topic, 7);
    check_int(known->ndigests, 0);
    check_str(heard_of(&work, 0, 7, 0, 9), "1");

    /* removed, before it was saved, and after */

    known->removed = 1;
    known->changed = 1;
    add_known(&work, 3, 0, 0)->removed = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check(ngx_queue_empty(&work.heard));

    again(&t, &work);
    check_str(heard_of(&work, 0, 0, 0, 9), "2");

    /* one that is added twice is the last one */

    add_known(&work, 2, 1, 1)->level = 2;
    again(&t, &work);
    check_str(heard_of(&work, 0, 0, 0, 9), "2");
    check_int(load(&work, 2)->level, 2);
    check_str(heard_of(&work, 5, 0, 0, 9), "");
    check_str(heard_of(&work, 1, 0, 0, 9), "2");

    kept_end(&t, &work);
    teardown(&t);
}


static void
test_of(void)
{
    int      i;
    test_t   t;
    work_t   work;

    setup(&t, "heard_of");
    kept_begin(&t, &work);

    /* not in the order of keys */

    for (i = 1; i <= 20; i++) {
        add_known(&work, i * 7 % 23, i % 3, i % 4);
    }

    check_int(t.store.backend->save(&work), NGX_OK);

    check_str(heard_of(&work, 0, 0, 0, 99),
              "1,2,3,4,5,6,7,8,10,11,12,13,14,15,17,18,19,20,21,22");
    check_str(heard_of(&work, 0, 0, 5, 4), "6,7,8,10");
    check_str(heard_of(&work, 0, 0, 9, 2), "10,11");
    check_str(heard_of(&work, 0, 0, 22, 4), "");

    check_str(heard_of(&work, 1, 0, 0, 99), "1,3,5,7,18,20,22");
    check_str(heard_of(&work, 1, 0, 7, 2), "18,20");
    check_str(heard_of(&work, 1, 0, 22, 2), "");
    check_str(heard_of(&work, 3, 0, 0, 2), "");

    check_str(heard_of(&work, 0, 1, 0, 99), "4,7,12,17,22");
    check_str(heard_of(&work, 0, 1, 7, 2), "12,17");

    /* the alert goes before the topic */

    check_str(heard_of(&work, 2, 1, 0, 99), heard_of(&work, 2, 0, 0, 99));

    kept_end(&t, &work);
    teardown(&t);
}


/* another alert may get the id of one that is gone */

static void
test_alert_removed(void)
{
    int64_t     id;
    test_t      t;
    work_t      work;
    alert_t   **alerts;
    known_t    *known;

    setup(&t, "heard_alert_removed");

    accept_one(&t, "ops", "k", ALERT, "1");
    (void) drain(&t, "ops");

    kept_begin(&t, &work);
    check_int(kept_load(&work, "k", &alerts), 1);
    id = alerts[0]->id;
    add_known(&work, 1, id, 0);
    add_known(&work, 2, id + 1, 0);
    add_known(&work, 3, id, 0);
    kept_end(&t, &work);

    /* with what is saved in the same transaction */

    kept_begin(&t, &work);
    check_int(kept_load(&work, "k", &alerts), 1);
    alerts[0]->removed = 1;
    add_known(&work, 4, id, 0);
    known = load(&work, 1);
    known->level = 1;
    known->changed = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_str(heard_of(&work, id, 0, 0, 9), "");

    known->level = 2;
    known->changed = 1;
    kept_end(&t, &work);

    accept_one(&t, "ops", "new", ALERT, "2");

    kept_begin(&t, &work);
    check_int(kept_load(&work, "new", &alerts), 1);
    check(!on_sqlite() || alerts[0]->id == id);
    check_str(heard_of(&work, id, 0, 0, 9), "");
    check_str(heard_of(&work, id + 1, 0, 0, 9), "2");
    check_int(load(&work, 1)->alert, 0);
    check_int(load(&work, 1)->level, 2);
    check_int(load(&work, 3)->alert, 0);
    check_int(load(&work, 4)->alert, 0);
    kept_end(&t, &work);

    teardown(&t);
}


static void
test_topics(void)
{
    test_t    t;
    work_t    work;
    topic_t  *one, *two, *three;

    setup(&t, "topics");
    kept_begin(&t, &work);

    check_str(topics(&work), "");

    one = add_topic(&work, "/k", "main:cpu:alert2");
    two = add_topic(&work, "/k", "ops");
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 1);
    check_int(one->id, 1);
    check_int(two->id, 2);
    check_int(two->added, 0);

    two->gone = 17;
    two->changed = 1;
    one->gone = 18;

    again(&t, &work);
    check_str(topics(&work), "1 /k main:cpu:alert2 0,2 /k ops 17");

    /* an id is never used again */

    three = add_topic(&work, "/l", "ops");
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(three->id, 3);
    three->removed = 1;
    add_topic(&work, "/l", "no")->removed = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check(ngx_queue_empty(&work.topics));

    again(&t, &work);
    check_str(topics(&work), "1 /k main:cpu:alert2 0,2 /k ops 17");

    three = add_topic(&work, "/l", "");
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(three->id, 4);

    /* one that is added twice */

    one = add_topic(&work, "/k", "ops");
    again(&t, &work);
    check_str(topics(&work),
              "1 /k main:cpu:alert2 0,4 /l  0,5 /k ops 0");

    kept_end(&t, &work);
    teardown(&t);
}


/* nothing of it is left */

static void
test_rollback(void)
{
    test_t    t;
    work_t    work;
    known_t  *known;

    setup(&t, "heard_rollback");
    kept_begin(&t, &work);
    add_known(&work, 1, 1, 1);
    add_known(&work, 2, 1, 1);
    add_topic(&work, "/k", "ops");
    kept_end(&t, &work);

    kept_begin(&t, &work);
    known = load(&work, 1);
    known->level = 0;
    known->alert = 2;
    known->changed = 1;
    load(&work, 2)->removed = 1;
    add_known(&work, 3, 1, 1);
    add_topic(&work, "/k", "dev");
    work.total.yielded = 5;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_str(heard_of(&work, 0, 0, 0, 9), "1,3");
    t.store.backend->rollback(&work);
    ngx_http_ilert_work_destroy(&work);
    t.store.backend->unlock(&t.store);

    kept_begin(&t, &work);
    check_str(heard_of(&work, 1, 0, 0, 9), "1,2");
    check_int(load(&work, 1)->level, CRITICAL);
    check_str(topics(&work), "1 /k ops 0");
    check_int(work.total.yielded, 0);
    kept_end(&t, &work);

    teardown(&t);
}


static void
test_total(void)
{
    test_t  t;
    work_t  work;

    setup(&t, "heard_total");

    kept_begin(&t, &work);
    check_int(work.total.made, NOW);
    check_int(work.total.yielded, 0);
    kept_end(&t, &work);

    t.now += 10;

    kept_begin(&t, &work);
    check_int(work.total.made, NOW);
    work.total.yielded = 1749988800000000001;
    again(&t, &work);
    check_int(work.total.made, NOW);
    check_int(work.total.yielded, 1749988800000000001);
    work.total.made = 0;
    again(&t, &work);
    kept_end(&t, &work);

    teardown(&t);
}


/* accepts have less room than all else */

static void
test_room(void)
{
    int         i;
    test_t      t;
    work_t      work;
    known_t    *known;
    ngx_int_t   rc;

    setup(&t, "heard_room");
    t.store.max_size = 1024 * 1024;

    for (i = 0, rc = NGX_OK; rc == NGX_OK && i < 100; i++) {
        kept_begin(&t, &work);
        work.accepting = 1;

        known = add_known(&work, i, 1, 1);
        known->kid.len = 30000;
        known->kid.data = ngx_pcalloc(work.pool, 30000);
        check(known->kid.data != NULL);

        rc = t.store.backend->save(&work);

        if (rc == NGX_OK) {
            check(t.store.backend->commit(&work) == NGX_OK);

        } else {
            check_int(t.store.fault, NGX_HTTP_ILERT_STORE_NO_SIZE);
            t.store.backend->rollback(&work);
        }

        ngx_http_ilert_work_destroy(&work);
        t.store.backend->unlock(&t.store);
    }

    check(i > 10 && i < 100);

    kept_begin(&t, &work);
    add_known(&work, 1000, 1, 1);
    kept_end(&t, &work);

    teardown(&t);
}


/* all that is done, up to what fails */

static ngx_int_t
do_all(work_t *work, ngx_array_t *heard, ngx_array_t *list)
{
    known_t                   *known;
    topic_t                   *topic;
    ngx_uint_t                 i;
    ngx_http_ilert_backend_t  *backend;

    backend = work->store->backend;

    for (i = 1; i <= 2; i++) {

        if (backend->heard(work, key_of(i), &known) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_queue_insert_tail(&work->heard, &known->queue);

        known->removed = (i == 1);
        known->changed = 1;
        known->level = 0;
        known->alert = 8;
        known->topic = 8;
    }

    if (backend->heard_of(work, 7, 0, key_of(0), 9, heard) != NGX_OK
        || backend->heard_of(work, 0, 7, key_of(0), 9, heard) != NGX_OK
        || backend->heard_of(work, 0, 0, key_of(0), 9, heard) != NGX_OK
        || backend->topics(work, list) != NGX_OK)
    {
        return NGX_ERROR;
    }

    check_int(heard->nelts, 6);
    check_int(list->nelts, 2);

    topic = list->elts;

    for (i = 0; i < 2; i++) {
        topic[i].removed = (i == 0);
        topic[i].changed = 1;
        topic[i].gone = 5;

        ngx_queue_insert_tail(&work->topics, &topic[i].queue);
    }

    return backend->save(work);
}


/* what fails is told, and nothing of it is left */

static ngx_uint_t
do_failing(test_t *t, ngx_uint_t n, ngx_uint_t memory)
{
    work_t       work;
    ngx_int_t    rc;
    ngx_uint_t   failed;
    ngx_array_t  heard, list;

    kept_begin(t, &work);
    add_known(&work, 3, 7, 7);
    add_topic(&work, "/k", "third");
    check(ngx_array_init(&heard, work.pool, 1, sizeof(known_t)) == NGX_OK);
    check(ngx_array_init(&list, work.pool, 1, sizeof(topic_t)) == NGX_OK);

    if (memory) {
        test_alloc_fails = n;

    } else {
        failing_call(n, 0, SQLITE_IOERR);
    }

    rc = do_all(&work, &heard, &list);

    failed = memory ? test_alloc_fails == 0 : failing_calls();

    failing_call(0, 0, SQLITE_OK);
    test_alloc_fails = 0;

    check_int(rc, failed ? NGX_ERROR : NGX_OK);

    t->store.backend->rollback(&work);
    ngx_http_ilert_work_destroy(&work);
    t->store.backend->unlock(&t->store);

    kept_begin(t, &work);
    check_str(heard_of(&work, 7, 0, 0, 9), "1,2");
    check_str(heard_of(&work, 0, 7, 0, 9), "1,2");
    check_str(topics(&work), "1 /k one 0,2 /k two 0");
    kept_end(t, &work);

    return failed;
}


static void
begin_failing(test_t *t, const char *name)
{
    work_t  work;

    setup(t, name);
    kept_begin(t, &work);
    add_known(&work, 1, 7, 7);
    add_known(&work, 2, 7, 7);
    add_topic(&work, "/k", "one");
    add_topic(&work, "/k", "two");
    kept_end(t, &work);
}


static void
test_memory(void)
{
    test_t      t;
    ngx_uint_t  n;

    begin_failing(&t, "heard_memory");

    for (n = 1; do_failing(&t, n, 1); n++) {
        check_int(t.store.fault, NGX_HTTP_ILERT_STORE_OTHER);
        t.store.fault = 0;
    }

    check(n > 15);

    teardown(&t);
}


test_case_t  heard_cases[] = {
    { "what was heard, as it was saved", test_roundtrip },
    { "what was heard changes", test_changes },
    { "what was heard of an alert, or a topic", test_of },
    { "what was heard of an alert that is gone", test_alert_removed },
    { "topics", test_topics },
    { "what was heard, rolled back", test_rollback },
    { "when the database was made", test_total },
    { "room for what was heard", test_room },
    { "what was heard, without memory", test_memory },
    { NULL, NULL }
};


/* what is damaged, or written by hand */

static void
test_damaged(void)
{
    test_t    t;
    work_t    work;
    known_t  *known;

    setup(&t, "heard_damaged");
    kept_begin(&t, &work);
    add_known(&work, 1, 1, 1);
    add_known(&work, 2, 1, 1);
    add_topic(&work, "/k", "ops");
    kept_end(&t, &work);

    sql(&t, "UPDATE heard SET level = 99, at = -5, alert = -1, topic = -7,"
            " ignored = 9, over = 'x', digests = x'0102', task = 5,"
            " place = zeroblob(65536), kid = zeroblob(65535)"
            " WHERE hex(key) LIKE '0001%%'");

    kept_begin(&t, &work);
    known = load(&work, 1);
    check_int(known->level, CRITICAL);
    check_int(known->at, 0);
    check_int(known->alert, 0);
    check_int(known->topic, 0);
    check_int(known->ignored, 1);
    check_int(known->over, 0);
    check_int(known->ndigests, 0);
    check(is_text(&known->task, "5"));
    check_int(known->place.len, 0);
    check_int(known->kid.len, 65535);
    known->changed = 1;
    kept_end(&t, &work);

    check_str(sql(&t, "SELECT level || ' ' || at || ' ' || alert || ' ' ||"
                      " topic || ' ' || ignored || ' ' || over FROM heard"
                      " WHERE hex(key) LIKE '0001%%'"), "3 0 0 0 1 0");

    /* the last 16 of those that are whole */

    sql(&t, "UPDATE heard SET level = -1, alert = 'x', topic = 2.5,"
            " digests = CAST(zeroblob(8) || x'0100000000000000' ||"
            " zeroblob(112) || x'02030405060708ff7f' AS BLOB)"
            " WHERE hex(key) LIKE '0001%%'");

    kept_begin(&t, &work);
    known = load(&work, 1);
    check_int(known->level, 0);
    check_int(known->alert, 0);
    check_int(known->topic, 2);
    check_int(known->ndigests, DIGESTS);
    check_int(known->digests[0], 1);
    check(known->digests[15] == 0xff08070605040302);
    kept_end(&t, &work);

    /* a key that is none hides nothing */

    sql(&t, "UPDATE heard SET key = key || x'00', alert = 1"
            " WHERE hex(key) LIKE '0001%%'");
    sql(&t, "UPDATE topic SET name = zeroblob(70000), gone = -1");

    kept_begin(&t, &work);
    check(load(&work, 1) == NULL);
    check_str(heard_of(&work, 1, 0, 0, 1), "2");
    check_str(heard_of(&work, 0, 0, 0, 1), "2");
    check_str(topics(&work), "1 /k  0");
    kept_end(&t, &work);

    teardown(&t);
}


static void
test_faults(void)
{
    test_t      t;
    ngx_uint_t  n;

    begin_failing(&t, "heard_faults");

    for (n = 1; do_failing(&t, n, 0); n++) { /* void */ }

    /* as many as there are statements, and rows of them */

    check(n > 20);

    teardown(&t);
}


/* a webhook that comes again and again changes its row, and no index */

static ngx_uint_t  heard_updates;

static void
check_indexes(test_t *t, const char *text)
{
    if (strncmp(text, "UPDATE heard ", 13) != 0) {
        return;
    }

    heard_updates++;

    if (strstr(text, "SET task = ?2")) {
        check_str(indexes_of(t, text), "heard ");

    } else if (strstr(text, "SET alert = ")) {
        check_str(indexes_of(t, text), "heard heard_alert ");

    } else {
        check(strstr(text, "SET topic = ") != NULL);
        check_str(indexes_of(t, text), "heard heard_topic ");
    }
}


static void
test_indexes(void)
{
    test_t  t;

    setup(&t, "heard_indexes");

    each_statement(&t, check_indexes);
    check_int(heard_updates, 3);

    teardown(&t);
}


test_case_t  heard_sqlite_cases[] = {
    { "what was heard is damaged", test_damaged },
    { "what was heard, as each statement fails", test_faults },
    { "indexes of what was heard", test_indexes },
    { NULL, NULL }
};
