
/*
 * What waits and is held back, what is kept for digests, and silences: what
 * a backend keeps
 */


#include "kept.h"


typedef ngx_http_ilert_store_silence_t  silence_t;
typedef ngx_http_ilert_store_digest_t   digest_t;

#define HELD      NGX_HTTP_ILERT_HELD
#define SILENCED  NGX_HTTP_ILERT_SILENCED
#define LISTED    NGX_HTTP_ILERT_LISTED

#define RELEASED  NGX_HTTP_ILERT_STORE_RELEASED


static void
set_text(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = strlen(text);
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
roll_back(test_t *t, work_t *work)
{
    t->store.backend->rollback(work);

    ngx_http_ilert_work_destroy(work);
    t->store.backend->unlock(&t->store);
}


static alert_t *
load(work_t *work, const char *key)
{
    alert_t  **alerts;

    check_int(kept_load(work, key, &alerts), 1);

    return alerts[0];
}


/* the first event of an alert, which is loaded */

static waiting_t *
load_first(work_t *work, alert_t *alert)
{
    waiting_t  *first;

    check(ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT,
                                    0)
          == NGX_OK);

    first = ngx_http_ilert_work_first(alert);
    check(first != NULL);

    return first;
}


static void
hold(work_t *work, const char *key, ngx_uint_t urgency, int64_t until)
{
    kept_hold_back(work, load(work, key), urgency, until);
}


/* keys of the alerts that are selected */

static const char *
select_alerts(work_t *work, ngx_http_ilert_store_which_e which, int64_t source,
    ngx_uint_t urgency, int64_t id, ngx_uint_t limit)
{
    char                            *p;
    alert_t                        **alert;
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_filter_t    filter;

    static char                      text[4096];

    memset(&filter, 0, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = which;
    filter.source = source;
    filter.urgency = urgency;
    filter.id = id;
    filter.limit = limit;

    check(ngx_array_init(&alerts, work->pool, 1, sizeof(alert_t *)) == NGX_OK);
    check_int(work->store->backend->alerts(work, &filter, &alerts), NGX_OK);

    p = text;
    *p = '\0';
    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        p += sprintf(p, "%s%.*s", i ? "," : "", (int) alert[i]->key.len,
                     alert[i]->key.data);
    }

    return text;
}


/* "held silenced listed" of each source, as it is kept */

static const char *
counts(work_t *work)
{
    char                            *p;
    ngx_uint_t                       i;
    ngx_array_t                      sources;
    ngx_http_ilert_store_counted_t  *source;

    static char                      text[4096];

    check(ngx_array_init(&sources, work->pool, 1,
                         sizeof(ngx_http_ilert_store_counted_t))
          == NGX_OK);
    check_int(work->store->backend->sources(work, &sources), NGX_OK);

    p = text;
    *p = '\0';
    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {
        p += sprintf(p, "%s%.*s %d %d %d", i ? "," : "",
                     (int) source[i].name.len, source[i].name.data,
                     (int) source[i].waiting[HELD],
                     (int) source[i].waiting[SILENCED],
                     (int) source[i].waiting[LISTED]);
    }

    return text;
}


/* of "ops", the first source, and of "dev", the second one */

static void
accept_all(test_t *t)
{
    accept_event(t, "ops", "a", ALERT, "1");
    accept_event(t, "dev", "b", ALERT, "2");
    accept_event(t, "ops", "c", RESOLVE, "3");
    accept_event(t, "ops", "d", RESOLVE, "4");
    accept_event(t, "ops", "e", RESOLVE, "5");
    accept_event(t, "ops", "f", ALERT, "6");
    check_int(run(t), OK);
}


static void
test_alerts(void)
{
    test_t    t;
    work_t    work;
    alert_t  *alert;

    setup(&t, "held_alerts");
    accept_all(&t);

    kept_begin(&t, &work);
    alert = load(&work, "a");
    check_int(alert->row.message, 0);
    check_int(alert->row.lowered, 0);
    check_int(alert->row.bad, 0);
    check_int(alert->row.begun, 0);
    check_int(alert->row.named, 0);
    check_int(alert->summary.len, 0);

    alert->row.message = INT64_MIN;
    alert->row.lowered = 1;
    alert->row.bad = 2;
    alert->row.begun = NOW - 7;
    alert->row.named = INT64_MAX;
    set_text(&alert->summary, "disk \xc3\xa4 \"full\"");
    alert->retold = 1;

    again(&t, &work);
    check_int(work.changed, 0);

    alert = load(&work, "a");
    check(alert->row.message == INT64_MIN);
    check(alert->shown.message == INT64_MIN);
    check_int(alert->row.lowered, 1);
    check_int(alert->shown.lowered, 1);
    check_int(alert->row.bad, 2);
    check_int(alert->row.begun, NOW - 7);
    check(alert->row.named == INT64_MAX);
    check(is_text(&alert->summary, "disk \xc3\xa4 \"full\""));
    check_int(alert->retold, 0);

    /* the others have none of it */

    alert = load(&work, "f");
    check_int(alert->row.message, 0);
    check_int(alert->row.bad, 0);
    check_int(alert->summary.len, 0);

    /* each of them alone, and the text alone */

    alert = load(&work, "a");
    set_text(&alert->summary, "");
    alert->retold = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 1);
    check_int(alert->retold, 0);

    alert->row.begun = NOW;
    check_int(t.store.backend->save(&work), NGX_OK);
    alert->row.named = 0;
    check_int(t.store.backend->save(&work), NGX_OK);
    alert->row.lowered = 0;
    check_int(t.store.backend->save(&work), NGX_OK);

    /* a text that is not said to have changed is not saved */

    set_text(&alert->summary, "lost");

    again(&t, &work);

    alert = load(&work, "a");
    check(alert->row.message == INT64_MIN);
    check_int(alert->row.lowered, 0);
    check_int(alert->row.bad, 2);
    check_int(alert->row.begun, NOW);
    check_int(alert->row.named, 0);
    check_int(alert->summary.len, 0);

    kept_end(&t, &work);
    teardown(&t);
}


/* an alert that is new has all of it in one go */

static void
test_new_alert(void)
{
    test_t      t;
    work_t      work;
    alert_t    *alert;
    ngx_str_t   key;

    setup(&t, "held_new");
    accept_all(&t);

    kept_begin(&t, &work);

    set_text(&key, "new");
    check(ngx_http_ilert_work_add_alert(&work, 1, 1, &key, &key, &alert)
          == NGX_OK);

    alert->row.bad = CRITICAL;
    alert->row.begun = 5;
    alert->row.named = 6;
    alert->row.message = 7;
    alert->row.lowered = 1;
    alert->row.severity = 4;
    set_text(&alert->summary, "text");
    alert->retold = 1;

    again(&t, &work);

    alert = load(&work, "new");
    check_int(alert->row.bad, CRITICAL);
    check_int(alert->row.begun, 5);
    check_int(alert->row.named, 6);
    check_int(alert->row.message, 7);
    check_int(alert->row.lowered, 1);
    check_int(alert->row.severity, 4);
    check_int(alert->shown.severity, 4);
    check(is_text(&alert->summary, "text"));

    kept_end(&t, &work);
    teardown(&t);
}


static void
test_events(void)
{
    test_t      t;
    work_t      work;
    alert_t    *alert;
    event_t    *ev;
    waiting_t  *first;

    setup(&t, "held_events");

    ev = accept_event(&t, "ops", "a", ALERT, "1");
    ev->said.message = -77;
    ev->said.severity = 5;
    ev = accept_event(&t, "ops", "b", RESOLVE, "2");
    ev->said.own = NGX_HTTP_ILERT_OWN_ORDER;
    ev = accept_event(&t, "ops", "c", ALERT, "3");
    ev->said.own = NGX_HTTP_ILERT_OWN_DIGEST;
    check_int(run(&t), OK);

    kept_begin(&t, &work);

    first = load_first(&work, load(&work, "a"));
    check_int(first->said.message, -77);
    check_int(first->said.severity, 5);
    check_int(first->said.own, NGX_HTTP_ILERT_OWN_NONE);
    check_int(first->said.freed, 0);

    alert = load(&work, "b");
    first = load_first(&work, alert);
    check_int(first->said.message, 0);
    check_int(first->said.own, NGX_HTTP_ILERT_OWN_ORDER);
    check_int(first->said.freed, 0);

    /* rated anew, it is held no longer */

    first->said.freed = 1;
    check(ngx_http_ilert_alert_set_urgency(&work, alert, first,
                                           NGX_HTTP_ILERT_RESOLVES)
          == NGX_OK);

    check_int(load_first(&work, load(&work, "c"))->said.own,
              NGX_HTTP_ILERT_OWN_DIGEST);

    again(&t, &work);

    first = load_first(&work, load(&work, "b"));
    check_int(first->said.freed, 1);
    check_int(first->said.own, NGX_HTTP_ILERT_OWN_ORDER);

    kept_end(&t, &work);

    /* an event that takes its place has its own numbers */

    accept_one(&t, "ops", "d", ALERT, "4");

    kept_begin(&t, &work);
    alert = load(&work, "d");
    first = load_first(&work, alert);
    first->said.freed = 1;
    check(ngx_http_ilert_alert_set_urgency(&work, alert, first,
                                           NGX_HTTP_ILERT_OPENS)
          == NGX_OK);
    kept_end(&t, &work);

    t.policy.coalesce = LATEST;
    ev = level(accept_event(&t, "ops", "d", ALERT, "5"), WARNING);
    check_int(run(&t), OK);
    check_int(ev->coalesced, 1);

    kept_begin(&t, &work);
    first = load_first(&work, load(&work, "d"));
    check_int(first->said.level, WARNING);
    check_int(first->said.freed, 0);
    kept_end(&t, &work);

    teardown(&t);
}


/* those that are held, by what holds them, in the order of their events */

static void
test_held(void)
{
    test_t      t;
    work_t      work;
    int64_t     head, due, since;
    ngx_uint_t  retries;

    setup(&t, "held_held");
    accept_all(&t);

    kept_begin(&t, &work);
    hold(&work, "a", SILENCED, NOW + 5000);
    hold(&work, "b", SILENCED, NOW + 1000);
    hold(&work, "e", HELD, NOW + 2000);
    hold(&work, "c", HELD, NOW + 3000);
    hold(&work, "d", HELD, NOW + 1000);
    hold(&work, "f", LISTED, RELEASED);
    again(&t, &work);

    check_str(counts(&work), "dev 0 1 0,ops 3 1 1");

    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, HELD, 0, 9),
              "c,d,e");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, HELD, 0, 2),
              "c,d");

    head = load(&work, "c")->row.head;

    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, HELD, head,
                            9), "d,e");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, SILENCED, 0,
                            9), "a");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 2, SILENCED, 0,
                            9), "b");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, LISTED, 0,
                            9), "f");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 2, LISTED, 0,
                            9), "");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1,
                            NGX_HTTP_ILERT_REPEATS, 0, 9), "");

    /* none of them is to be tried again, and LISTED is due at no time */

    check_int(t.store.backend->retries(&work, 1, &retries), NGX_OK);
    check_int(retries, 0);
    check_int(t.store.backend->due(&work, &due), NGX_OK);
    check_int(due, NOW + 1000);

    check_int(t.store.backend->oldest(&work, 1, HELD, &since), NGX_OK);
    check_int(since, NOW);
    check_int(t.store.backend->oldest(&work, 2, HELD, &since), NGX_OK);
    check_int(since, 0);

    /* those that may go are others */

    check(ngx_http_ilert_alert_free(&work, load(&work, "d"), 1) == NGX_OK);
    again(&t, &work);

    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_HELD, 1, HELD, 0, 9),
              "c,e");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_READY, 1,
                            NGX_HTTP_ILERT_RESOLVES, 0, 9), "d");
    check_int(load(&work, "d")->row.next, 0);
    check_int(load_first(&work, load(&work, "d"))->said.freed, 1);
    check_str(counts(&work), "dev 0 1 0,ops 2 1 1");

    kept_end(&t, &work);

    check_counts(&t);
    check_heads(&t);

    teardown(&t);
}


static void
make_bad(work_t *work, const char *key, int64_t bad, int64_t begun)
{
    alert_t  *alert;

    alert = load(work, key);
    alert->row.bad = bad;
    alert->row.begun = begun;
}


static const char *
bad(work_t *work, int64_t source)
{
    char         *p;
    int64_t       count[CRITICAL + 1];
    ngx_uint_t    i;

    static char   text[256];

    memset(count, 0xee, sizeof(count));

    check_int(work->store->backend->bad(work, source, count), NGX_OK);

    p = text;

    for (i = 1; i <= CRITICAL; i++) {
        p += sprintf(p, "%s%d", i > 1 ? " " : "", (int) count[i]);
    }

    return text;
}


static void
test_bad(void)
{
    test_t  t;
    work_t  work;

    setup(&t, "held_bad");
    accept_all(&t);

    kept_begin(&t, &work);

    check_str(bad(&work, 1), "0 0 0");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 1, 0, 0, 9), "");

    make_bad(&work, "a", WARNING, NOW - 9);
    make_bad(&work, "b", CRITICAL, NOW);
    make_bad(&work, "c", CRITICAL, NOW - 3);
    make_bad(&work, "d", CRITICAL, NOW - 5);
    make_bad(&work, "e", INFO, NOW - 9);
    make_bad(&work, "f", CRITICAL, NOW - 5);

    again(&t, &work);

    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 1, 0, 0, 9),
              "d,f,c,a,e");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 1, 0, 0, 2),
              "d,f");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 2, 0, 0, 9),
              "b");
    check_str(bad(&work, 1), "1 1 3");
    check_str(bad(&work, 2), "0 0 1");
    check_str(bad(&work, 3), "0 0 0");

    make_bad(&work, "d", 0, 0);
    make_bad(&work, "f", WARNING, NOW - 5);
    load(&work, "c")->removed = 1;

    again(&t, &work);

    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 1, 0, 0, 9),
              "a,f,e");
    check_str(bad(&work, 1), "1 2 0");

    roll_back(&t, &work);
    teardown(&t);
}


static silence_t *
add_silence(work_t *work, const char *pattern, int64_t from, int64_t until)
{
    silence_t  *silence;

    silence = ngx_pcalloc(work->pool, sizeof(silence_t));
    check(silence != NULL);

    set_text(&silence->source, "ops");
    set_text(&silence->pattern, pattern);
    set_text(&silence->comment, "maintenance");
    silence->owner = 2;
    silence->from = from;
    silence->until = until;
    silence->added = 1;

    ngx_queue_insert_tail(&work->silences, &silence->queue);

    return silence;
}


/* "id pattern from until,...", the times after NOW */

static const char *
silences(work_t *work)
{
    char         *p;
    silence_t    *silence;
    ngx_uint_t    i;
    ngx_array_t   list;

    static char   text[4096];

    check(ngx_array_init(&list, work->pool, 1, sizeof(silence_t)) == NGX_OK);
    check_int(work->store->backend->silences(work, &list), NGX_OK);

    p = text;
    *p = '\0';
    silence = list.elts;

    for (i = 0; i < list.nelts; i++) {

        check_int(silence[i].added, 0);
        check_int(silence[i].removed, 0);

        p += sprintf(p, "%s%d %.*s %d %d", i ? "," : "", (int) silence[i].id,
                     (int) silence[i].pattern.len, silence[i].pattern.data,
                     (int) (silence[i].from - NOW),
                     (int) (silence[i].until - NOW));
    }

    return text;
}


/* the one with that id is removed */

static void
remove_silence(work_t *work, int64_t id)
{
    silence_t    *silence;
    ngx_uint_t    i;
    ngx_array_t   list;

    check(ngx_array_init(&list, work->pool, 1, sizeof(silence_t)) == NGX_OK);
    check_int(work->store->backend->silences(work, &list), NGX_OK);

    silence = list.elts;

    for (i = 0; i < list.nelts; i++) {
        if (silence[i].id == id) {
            silence[i].removed = 1;
            ngx_queue_insert_tail(&work->silences, &silence[i].queue);
        }
    }
}


static void
test_silences(void)
{
    test_t       t;
    work_t       work;
    silence_t   *silence;
    ngx_array_t  list;

    setup(&t, "held_silences");
    kept_begin(&t, &work);

    check_int(work.total.silences, 0);
    check_str(silences(&work), "");

    silence = add_silence(&work, "cpu:*", NOW, NOW + 100);
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(silence->id, 1);
    check_int(silence->added, 0);
    check_int(work.changed, 1);

    /* it stays in the work, and is not added again */

    check_int(t.store.backend->save(&work), NGX_OK);

    silence = add_silence(&work, "\xc3\xa4", NOW - 9, NOW + 9);
    set_text(&silence->comment, "");
    silence->owner = 0;

    again(&t, &work);

    check_int(work.total.silences, 2);
    check_str(silences(&work), "1 cpu:* 0 100,2 \xc3\xa4 -9 9");

    check(ngx_array_init(&list, work.pool, 1, sizeof(silence_t)) == NGX_OK);
    check_int(t.store.backend->silences(&work, &list), NGX_OK);
    silence = list.elts;
    check(is_text(&silence[0].source, "ops"));
    check_int(silence[0].owner, 2);
    check(is_text(&silence[0].comment, "maintenance"));
    check_int(silence[1].owner, 0);
    check(is_text(&silence[1].comment, ""));

    /* an id is never that of another one, not even over a restart */

    remove_silence(&work, 2);
    check_int(t.store.backend->save(&work), NGX_OK);
    check_str(silences(&work), "1 cpu:* 0 100");

    again(&t, &work);

    check_int(work.total.silences, 1);
    silence = add_silence(&work, "x", NOW, NOW + 1);
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(silence->id, 3);

    /* one that is removed at once never was */

    silence = add_silence(&work, "y", NOW, NOW + 1);
    silence->removed = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_str(silences(&work), "1 cpu:* 0 100,3 x 0 1");

    remove_silence(&work, 1);
    check_int(t.store.backend->save(&work), NGX_OK);
    roll_back(&t, &work);

    kept_begin(&t, &work);
    check_int(work.total.silences, 1);
    check_str(silences(&work), "1 cpu:* 0 100");
    kept_end(&t, &work);

    teardown(&t);
}


static digest_t *
add_digest(work_t *work, int64_t source)
{
    digest_t  *digest;

    digest = ngx_pcalloc(work->pool, sizeof(digest_t));
    check(digest != NULL);

    digest->source = source;
    digest->added = 1;

    ngx_queue_insert_tail(&work->digests, &digest->queue);

    return digest;
}


/* the record of a source, which is in work->digests then, or NULL */

static digest_t *
load_digest(work_t *work, int64_t source)
{
    digest_t     *digest;
    ngx_uint_t    i;
    ngx_array_t   list;

    check(ngx_array_init(&list, work->pool, 1, sizeof(digest_t)) == NGX_OK);
    check_int(work->store->backend->digests(work, &list), NGX_OK);
    check_int(list.nelts, work->total.digests);

    digest = list.elts;

    for (i = 0; i < list.nelts; i++) {

        if (digest[i].source == source) {
            check_int(digest[i].added, 0);
            check_int(digest[i].changed, 0);
            check_int(digest[i].removed, 0);

            ngx_queue_insert_tail(&work->digests, &digest[i].queue);
            return &digest[i];
        }
    }

    return NULL;
}


static void
test_digests(void)
{
    test_t                    t;
    work_t                    work;
    digest_t                 *digest;
    ngx_uint_t                i;
    ngx_http_ilert_digest_t   state;

    setup(&t, "held_digests");
    accept_all(&t);

    kept_begin(&t, &work);

    check(load_digest(&work, 1) == NULL);

    memset(&state, 0, sizeof(ngx_http_ilert_digest_t));

    state.opened = NOW - 3;
    state.changed = NOW - 2;
    state.told = NOW - 1;
    state.calm = NOW;
    state.refilled = NOW + 1;
    state.tokens = NGX_HTTP_ILERT_DIGEST_TOKENS;
    state.urgent = NGX_HTTP_ILERT_DIGEST_UNNAMED
                   |NGX_HTTP_ILERT_DIGEST_LOUD;
    state.nalone = NGX_HTTP_ILERT_DIGEST_MAX;

    for (i = 0; i < NGX_HTTP_ILERT_DIGEST_MAX; i++) {
        state.alone[i] = NOW - NGX_HTTP_ILERT_DIGEST_MAX + (int64_t) i;
    }

    digest = add_digest(&work, 1);
    digest->state = state;
    (void) add_digest(&work, 2);

    again(&t, &work);

    check_int(work.total.digests, 2);

    digest = load_digest(&work, 1);
    check(digest != NULL);
    check(is_text(&digest->name, "ops"));
    check(memcmp(&digest->state, &state, sizeof(state)) == 0);

    digest = load_digest(&work, 2);
    check(digest != NULL);
    check(is_text(&digest->name, "dev"));
    memset(&state, 0, sizeof(ngx_http_ilert_digest_t));
    check(memcmp(&digest->state, &state, sizeof(state)) == 0);

    /* what has not been changed is not written */

    digest->state.told = 5;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 0);

    digest = load_digest(&work, 1);
    digest->state.nalone = 1;
    digest->state.opened = 0;
    digest->state.tokens = 1;
    digest->changed = 1;
    check_int(t.store.backend->save(&work), NGX_OK);
    check_int(work.changed, 1);
    check_int(digest->changed, 0);

    again(&t, &work);

    check_int(load_digest(&work, 2)->state.told, 0);
    digest = load_digest(&work, 1);
    check_int(digest->state.nalone, 1);
    check_int(digest->state.alone[0], NOW - NGX_HTTP_ILERT_DIGEST_MAX);
    check_int(digest->state.opened, 0);
    check_int(digest->state.tokens, 1);
    check_int(digest->state.told, NOW - 1);

    digest->removed = 1;
    digest = add_digest(&work, 3);
    digest->removed = 1;

    again(&t, &work);

    check_int(work.total.digests, 1);
    check(load_digest(&work, 1) == NULL);
    check(load_digest(&work, 2) != NULL);

    (void) add_digest(&work, 1);
    check_int(t.store.backend->save(&work), NGX_OK);
    roll_back(&t, &work);

    kept_begin(&t, &work);
    check_int(work.total.digests, 1);
    check(load_digest(&work, 1) == NULL);
    kept_end(&t, &work);

    teardown(&t);
}


static void
test_doubted(void)
{
    test_t  t;
    work_t  work;

    setup(&t, "held_doubted");

    kept_begin(&t, &work);
    check_int(work.total.doubted, NOW);
    kept_end(&t, &work);

    t.now += 10;

    kept_begin(&t, &work);
    check_int(work.total.doubted, NOW);
    work.total.doubted = NOW + 5;
    again(&t, &work);
    check_int(work.total.doubted, NOW + 5);
    check_int(work.total.made, NOW);
    kept_end(&t, &work);

    teardown(&t);
}


/* all that is done, up to what fails */

static ngx_int_t
do_all(work_t *work, ngx_array_t *list, ngx_array_t *digests)
{
    int64_t                    counts[CRITICAL + 1];
    digest_t                  *digest;
    silence_t                 *silence;
    ngx_uint_t                 i;
    ngx_http_ilert_backend_t  *backend;

    backend = work->store->backend;

    if (backend->silences(work, list) != NGX_OK
        || backend->digests(work, digests) != NGX_OK
        || backend->bad(work, 1, counts) != NGX_OK)
    {
        return NGX_ERROR;
    }

    check_int(list->nelts, 2);
    check_int(digests->nelts, 2);
    check_int(counts[CRITICAL], 1);

    silence = list->elts;
    silence[0].removed = 1;
    ngx_queue_insert_tail(&work->silences, &silence[0].queue);

    digest = digests->elts;

    for (i = 0; i < 2; i++) {
        digest[i].state.told = 5;
        digest[i].removed = (i == 0);
        digest[i].changed = 1;

        ngx_queue_insert_tail(&work->digests, &digest[i].queue);
    }

    return backend->save(work);
}


/* what fails is told, and nothing of it is left */

static ngx_uint_t
do_failing(test_t *t, ngx_uint_t n, ngx_uint_t memory)
{
    work_t       work;
    alert_t     *alert;
    ngx_int_t    rc;
    ngx_uint_t   failed;
    ngx_array_t  list, digests;

    kept_begin(t, &work);

    alert = load(&work, "a");
    alert->row.bad = 0;
    alert->row.named = 3;
    set_text(&alert->summary, "");
    alert->retold = 1;

    (void) add_silence(&work, "third", NOW, NOW + 1);
    (void) add_digest(&work, 3);

    check(ngx_array_init(&list, work.pool, 1, sizeof(silence_t)) == NGX_OK);
    check(ngx_array_init(&digests, work.pool, 1, sizeof(digest_t)) == NGX_OK);

    if (memory) {
        test_alloc_fails = n;

    } else {
        failing_call(n, 0, SQLITE_IOERR);
    }

    rc = do_all(&work, &list, &digests);

    failed = memory ? test_alloc_fails == 0 : failing_calls();

    failing_call(0, 0, SQLITE_OK);
    test_alloc_fails = 0;

    check_int(rc, failed ? NGX_ERROR : NGX_OK);

    roll_back(t, &work);

    kept_begin(t, &work);
    check_str(silences(&work), "1 one 0 1,2 two 0 1");
    check_int(load_digest(&work, 1)->state.told, 0);
    check_int(load_digest(&work, 2)->state.told, 0);
    check_str(bad(&work, 1), "0 0 1");
    check(is_text(&load(&work, "a")->summary, "text"));
    kept_end(t, &work);

    return failed;
}


static void
begin_failing(test_t *t, const char *name)
{
    work_t    work;
    alert_t  *alert;

    setup(t, name);
    accept_all(t);

    kept_begin(t, &work);
    (void) add_silence(&work, "one", NOW, NOW + 1);
    (void) add_silence(&work, "two", NOW, NOW + 1);
    (void) add_digest(&work, 1);
    (void) add_digest(&work, 2);

    alert = load(&work, "a");
    alert->row.bad = CRITICAL;
    set_text(&alert->summary, "text");
    alert->retold = 1;
    kept_end(t, &work);
}


static void
test_memory(void)
{
    test_t      t;
    ngx_uint_t  n;

    begin_failing(&t, "held_memory");

    for (n = 1; do_failing(&t, n, 1); n++) {
        check_int(t.store.fault, NGX_HTTP_ILERT_STORE_OTHER);
        t.store.fault = 0;
    }

    check(n > 8);

    teardown(&t);
}


test_case_t  held_cases[] = {
    { "what is kept of alerts for digests", test_alerts },
    { "a new alert of a digest", test_new_alert },
    { "what is kept of events that are held", test_events },
    { "alerts that are held", test_held },
    { "alerts that are bad", test_bad },
    { "silences are kept", test_silences },
    { "digests are kept", test_digests },
    { "up to when there is doubt", test_doubted },
    { "silences and digests, without memory", test_memory },
    { NULL, NULL }
};


static void
test_faults(void)
{
    test_t      t;
    ngx_uint_t  n;

    begin_failing(&t, "held_faults");

    for (n = 1; do_failing(&t, n, 0); n++) { /* void */ }

    /* as many as there are statements, and rows of them */

    check(n > 15);

    teardown(&t);
}


/* what is damaged, or written by hand */

static void
test_damaged(void)
{
    test_t       t;
    work_t       work;
    alert_t     *alert;
    digest_t    *digest;
    silence_t   *silence;
    waiting_t   *first;
    ngx_uint_t   i;
    ngx_array_t  list;

    begin_failing(&t, "held_damaged");

    sql(&t, "UPDATE alert SET bad = 9, begun = 'x', named = -1, message = 'y',"
            " lowered = 5, summary = zeroblob(70000) WHERE key = 'a'");
    sql(&t, "UPDATE alert SET bad = -1 WHERE key = 'b'");
    sql(&t, "UPDATE event SET own = 99, message = 3, freed = 7,"
            " type = CASE body WHEN x'34' THEN 4 ELSE type END");
    sql(&t, "UPDATE silence SET pattern = '', ends = 2 * ends, owner = -3,"
            " comment = zeroblob(65536) WHERE id = 1");
    sql(&t, "UPDATE silence SET begins = -1, ends = -2 WHERE id = 2");
    sql(&t, "UPDATE digest SET opened = -1, changed = 'x', told = -5,"
            " calm = -1, refilled = -9, tokens = 99, urgent = 255,"
            " alone = CAST(x'0500000000000000' || x'0400000000000000' ||"
            " x'ffffffffffffffff' || x'01' AS BLOB) WHERE source = 1");
    sql(&t, "UPDATE digest SET tokens = -1, urgent = -8,"
            " alone = zeroblob(8 * 51) WHERE source = 2");

    kept_begin(&t, &work);

    /* it counts as it is read */

    check_str(bad(&work, 1), "0 0 1");
    check_str(bad(&work, 2), "0 0 0");
    check_str(select_alerts(&work, NGX_HTTP_ILERT_ALERTS_BAD, 1, 0, 0, 9),
              "a");

    alert = load(&work, "a");
    check_int(alert->row.bad, CRITICAL);
    check_int(alert->row.begun, 0);
    check_int(alert->row.named, -1);
    check_int(alert->row.message, 0);
    check_int(alert->shown.lowered, 1);
    check_int(alert->summary.len, 0);
    check_int(load(&work, "b")->row.bad, 0);

    /* what it is not for does not count */

    first = load_first(&work, alert);
    check_int(first->said.own, NGX_HTTP_ILERT_OWN_NONE);
    check_int(first->said.message, 3);
    check_int(first->said.freed, 1);
    check_int(first->damaged, 0);

    first = load_first(&work, load(&work, "c"));
    check_int(first->said.own, NGX_HTTP_ILERT_OWN_NONE);
    check_int(first->said.message, 0);
    check_int(first->said.freed, 1);
    check_int(first->damaged, 0);

    first = load_first(&work, load(&work, "d"));
    check_int(first->said.type, COMMENT);
    check_int(first->said.freed, 0);
    check_int(first->damaged, 0);

    check(ngx_array_init(&list, work.pool, 1, sizeof(silence_t)) == NGX_OK);
    check_int(t.store.backend->silences(&work, &list), NGX_OK);
    silence = list.elts;

    check_int(list.nelts, 2);
    check_int(silence[0].until, NOW);
    check_int(silence[0].owner, 0);
    check_int(silence[0].comment.len, 0);
    check_int(silence[1].from, 0);
    check_int(silence[1].until, 0);

    digest = load_digest(&work, 1);
    check_int(digest->state.opened, 0);
    check_int(digest->state.changed, 0);
    check_int(digest->state.told, 0);
    check_int(digest->state.calm, 0);
    check_int(digest->state.refilled, 0);
    check_int(digest->state.tokens, NGX_HTTP_ILERT_DIGEST_TOKENS);
    check_int(digest->state.urgent, 7);
    check_int(digest->state.nalone, 3);

    for (i = 0; i < 3; i++) {
        check_int(digest->state.alone[i], 5);
    }

    digest = load_digest(&work, 2);
    check_int(digest->state.tokens, 0);
    check_int(digest->state.urgent, 0);
    check_int(digest->state.nalone, NGX_HTTP_ILERT_DIGEST_MAX);

    kept_end(&t, &work);

    /* a source that is not there has no digest */

    sql(&t, "UPDATE digest SET source = 77 WHERE source = 1");

    kept_begin(&t, &work);
    check(ngx_array_init(&list, work.pool, 1, sizeof(digest_t)) == NGX_OK);
    check_int(t.store.backend->digests(&work, &list), NGX_OK);
    check_int(list.nelts, 1);
    kept_end(&t, &work);

    teardown(&t);
}


/* counts that another program has made wrong are put right */

static void
test_tidy(void)
{
    test_t  t;
    work_t  work;

    setup(&t, "held_tidy");
    accept_all(&t);

    kept_begin(&t, &work);
    hold(&work, "c", HELD, NOW + 3000);
    hold(&work, "d", HELD, NOW + 1000);
    hold(&work, "a", SILENCED, NOW + 1000);
    hold(&work, "f", LISTED, RELEASED);
    (void) add_silence(&work, "a", NOW, NOW + DAY);
    kept_end(&t, &work);

    sql(&t, "DELETE FROM event WHERE alert ="
            " (SELECT id FROM alert WHERE key = 'd')");
    sql(&t, "UPDATE source SET silenced = 9, listed = -2");

    t.job.clean = 1;
    check_int(run(&t), OK);

    kept_begin(&t, &work);
    check_str(counts(&work), "dev 0 0 0,ops 1 1 1");
    kept_end(&t, &work);

    check_counts(&t);

    teardown(&t);
}


/* an event of a source without a digest writes nothing of digests */

static ngx_uint_t  alert_updates;

static void
check_indexes(test_t *t, const char *text)
{
    const char  *indexes;

    if (strncmp(text, "UPDATE alert SET ", 17) != 0) {
        return;
    }

    alert_updates++;
    indexes = indexes_of(t, text);

    if (strstr(text, "SET bad = ")) {
        check_str(indexes, "alert alert_bad ");

    } else if (strstr(text, "SET named = ") || strstr(text, "SET summary = ")
               || strstr(text, "SET alert_key = "))
    {
        check_str(indexes, "alert ");

    } else {
        check(strstr(indexes, "alert_bad") == NULL);
    }
}


static void
test_indexes(void)
{
    test_t  t;

    setup(&t, "held_indexes");

    each_statement(&t, check_indexes);
    check_int(alert_updates, 9);

    teardown(&t);
}


test_case_t  held_sqlite_cases[] = {
    { "silences and digests, as each statement fails", test_faults },
    { "what is held is damaged", test_damaged },
    { "what is held is counted anew", test_tidy },
    { "indexes of what is kept for digests", test_indexes },
    { NULL, NULL }
};
