
/* what a backend keeps, see kept.h */


#include "kept.h"


#define SIZE  65536
#define ALL   10000000


typedef struct {
    char   *p;
    char   *last;
    char   *begin;
} out_t;


static out_t
out_begin(void)
{
    out_t         out;
    static char   text[8][SIZE];
    static int    n;

    n = (n + 1) % 8;

    out.begin = text[n];
    out.p = text[n];
    out.last = text[n] + SIZE - 1;

    *out.p = '\0';

    return out;
}


static void
out_text(out_t *out, const u_char *data, size_t len)
{
    len = ngx_min(len, (size_t) (out->last - out->p));

    if (len) {
        memcpy(out->p, data, len);
    }

    out->p += len;
    *out->p = '\0';
}


static void
out_number(out_t *out, int64_t n)
{
    char  text[32];

    out_text(out, (u_char *) text, sprintf(text, "%lld", (long long) n));
}


static void
out_time(out_t *out, int64_t time)
{
    if (time) {
        out_number(out, time - NOW);

    } else {
        out_text(out, (u_char *) "-", 1);
    }
}


/* between records, and between their fields */

static void
out_gap(out_t *out, ngx_uint_t first)
{
    if (out->p > out->begin) {
        out_text(out, (u_char *) (first ? "," : " "), 1);
    }
}


void
kept_begin(test_t *t, work_t *work)
{
    check(t->store.backend->lock(&t->store) == NGX_OK);

    check(ngx_http_ilert_work_create(work, &t->store, t->now) == NGX_OK);
    check(t->store.backend->begin(work) == NGX_OK);
}


void
kept_end(test_t *t, work_t *work)
{
    check(t->store.backend->save(work) == NGX_OK);
    check(t->store.backend->commit(work) == NGX_OK);

    ngx_http_ilert_work_destroy(work);

    t->store.backend->unlock(&t->store);
}


static void
kept_read(test_t *t, work_t *work)
{
    check(t->store.backend->lock(&t->store) == NGX_OK);
    check(t->store.backend->open(&t->store, t->now) == NGX_OK);

    check(ngx_http_ilert_work_create(work, &t->store, t->now) == NGX_OK);
    work->reading = 1;
    check(t->store.backend->begin(work) == NGX_OK);
}


static void
kept_done(test_t *t, work_t *work)
{
    t->store.backend->rollback(work);

    ngx_http_ilert_work_destroy(work);

    t->store.backend->unlock(&t->store);
}


static ngx_uint_t
is_of(alert_t *alert, const char *key)
{
    size_t  len;

    if (key == NULL) {
        return 1;
    }

    len = strlen(key);

    if (len && key[len - 1] == '*') {
        return alert->key.len >= len - 1
               && memcmp(alert->key.data, key, len - 1) == 0;
    }

    return alert->key.len == len && memcmp(alert->key.data, key, len) == 0;
}


/* those of such a key, by id */

ngx_uint_t
kept_load(work_t *work, const char *key, alert_t ***alerts)
{
    ngx_uint_t                       i, n;
    ngx_array_t                     *a;
    ngx_http_ilert_store_filter_t    filter;

    a = ngx_palloc(work->pool, sizeof(ngx_array_t));

    check(a != NULL
          && ngx_array_init(a, work->pool, 64, sizeof(alert_t *)) == NGX_OK);

    memset(&filter, 0, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_ALL;
    filter.limit = ALL;

    check(work->store->backend->alerts(work, &filter, a) == NGX_OK);

    *alerts = a->elts;

    for (i = 0, n = 0; i < a->nelts; i++) {
        if (is_of((*alerts)[i], key)) {
            (*alerts)[n++] = (*alerts)[i];
        }
    }

    return n;
}


static void
out_alert(out_t *out, work_t *work, alert_t *alert, char field)
{
    switch (field) {

    case 'k':
        out_text(out, alert->key.data, alert->key.len);
        break;

    case 'a':
        out_text(out, alert->alert_key.data, alert->alert_key.len);
        break;

    case 't':
        out_number(out, alert->row.state);
        break;

    case 'h':
        out_number(out, alert->row.head);
        break;

    case 'u':
        out_number(out, alert->row.urgency);
        break;

    case 'n':
        out_time(out, alert->row.next);
        break;

    case 's':
        out_number(out, alert->row.epoch == work->total.epoch
                        ? alert->row.shows : 0);
        break;

    case 'l':
        out_number(out, alert->row.level);
        break;

    case 'd':
        out_time(out, alert->row.delivered);
        break;

    case 'c':
        out_time(out, alert->row.changed);
        break;

    case 'o':
        out_time(out, alert->row.opened);
        break;

    case 'g':
        out_number(out, alert->row.gone);
        break;

    case 'i':
        out_number(out, alert->row.source);
        break;
    }
}


const char *
kept_alerts(test_t *t, const char *key, const char *fields)
{
    out_t         out;
    work_t        work;
    alert_t     **alerts;
    ngx_uint_t    i, n;
    const char   *f;

    kept_read(t, &work);

    out = out_begin();
    n = kept_load(&work, key, &alerts);

    for (i = 0; i < n; i++) {
        for (f = fields; *f; f++) {
            out_gap(&out, f == fields);
            out_alert(&out, &work, alerts[i], *f);
        }
    }

    kept_done(t, &work);

    return out.begin;
}


/* in that state, or in any if it is -1; "idle": nothing waits */

static ngx_uint_t
count_alerts(test_t *t, const char *key, int64_t state, ngx_uint_t idle)
{
    work_t        work;
    alert_t     **alerts;
    ngx_uint_t    i, n, count;

    kept_read(t, &work);

    n = kept_load(&work, key, &alerts);

    for (i = 0, count = 0; i < n; i++) {
        count += ((state == -1 || alerts[i]->row.state == state)
                  && (!idle || alerts[i]->row.head == 0));
    }

    kept_done(t, &work);

    return count;
}


ngx_uint_t
kept_count(test_t *t, const char *key)
{
    return count_alerts(t, key, -1, 0);
}


ngx_uint_t
kept_in_state(test_t *t, int64_t state)
{
    return count_alerts(t, NULL, state, 0);
}


ngx_uint_t
kept_idle(test_t *t)
{
    return count_alerts(t, NULL, -1, 1);
}


static int
by_seq(const void *one, const void *two)
{
    const kept_event_t  *a = one, *b = two;

    return (a->ev.seq > b->ev.seq) - (a->ev.seq < b->ev.seq);
}


static kept_event_t *
load_events(work_t *work, ngx_uint_t *number)
{
    alert_t      **alerts;
    waiting_t     *ev;
    ngx_uint_t     i, j, n, size;
    ngx_array_t    events;
    kept_event_t  *list;

    *number = 0;
    size = 64;
    list = malloc(size * sizeof(kept_event_t));

    n = kept_load(work, NULL, &alerts);

    for (i = 0; i < n; i++) {

        check(ngx_array_init(&events, work->pool, 16, sizeof(waiting_t))
              == NGX_OK);
        check(work->store->backend->events(work, alerts[i]->id, 0, ALL,
                                           &events)
              == NGX_OK);

        ev = events.elts;

        for (j = 0; j < events.nelts; j++) {

            if (*number == size) {
                size *= 2;
                list = realloc(list, size * sizeof(kept_event_t));
            }

            list[*number].alert = alerts[i]->id;
            list[*number].source = ev[j].source ? ev[j].source
                                                : alerts[i]->row.source;
            list[*number].ev = ev[j];
            ++*number;
        }
    }

    qsort(list, *number, sizeof(kept_event_t), by_seq);

    return list;
}


kept_event_t *
kept_list(test_t *t, ngx_uint_t *n)
{
    work_t         work;
    kept_event_t  *list;

    kept_read(t, &work);
    list = load_events(&work, n);
    kept_done(t, &work);

    return list;
}


/* its id, or 0 if there is none */

static int64_t
source_id(work_t *work, const char *name)
{
    ngx_int_t                      rc;
    ngx_str_t                      s;
    ngx_http_ilert_store_ident_t  *source;

    s.data = (u_char *) name;
    s.len = strlen(name);

    rc = ngx_http_ilert_work_find_source(work, &s, &source);

    check(rc != NGX_ERROR);

    return (rc == NGX_OK) ? source->id : 0;
}


const char *
kept_events(test_t *t, const char *source)
{
    out_t          out;
    work_t         work;
    int64_t        id;
    ngx_uint_t     i, n;
    kept_event_t  *list;

    kept_read(t, &work);

    out = out_begin();
    id = source ? source_id(&work, source) : 0;
    list = load_events(&work, &n);

    for (i = 0; i < n; i++) {
        if (source == NULL || list[i].source == id) {
            out_gap(&out, 0);
            out_number(&out, (int64_t) list[i].ev.id);
        }
    }

    free(list);
    kept_done(t, &work);

    return out.begin;
}


static int
letters_by_seq(const void *one, const void *two)
{
    const letter_t  *a = one, *b = two;

    return (a->seq > b->seq) - (a->seq < b->seq);
}


/* all of them, by seq */

static letter_t *
load_letters(work_t *work, ngx_uint_t *n)
{
    ngx_array_t                          *a;
    ngx_http_ilert_store_letter_filter_t  filter;

    a = ngx_palloc(work->pool, sizeof(ngx_array_t));

    check(a != NULL
          && ngx_array_init(a, work->pool, 64, sizeof(letter_t)) == NGX_OK);

    memset(&filter, 0, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OLDEST;
    filter.limit = ALL;
    filter.body = 1;

    check(work->store->backend->letters(work, &filter, a) == NGX_OK);

    qsort(a->elts, a->nelts, sizeof(letter_t), letters_by_seq);

    *n = a->nelts;

    return a->elts;
}


static void
out_letter(out_t *out, letter_t *letter, char field)
{
    switch (field) {

    case 'q':
        out_number(out, letter->seq);
        break;

    case 'i':
        out_number(out, (int64_t) letter->id);
        break;

    case 't':
        out_number(out, letter->said.type);
        break;

    case 'n':
        out_number(out, letter->passthrough);
        break;

    case 's':
        out_text(out, letter->source.data, letter->source.len);
        break;

    case 'k':
        out_text(out, letter->key.data, letter->key.len);
        break;

    case 'l':
        out_number(out, letter->said.level);
        break;

    case 'r':
        out_time(out, letter->said.received);
        break;

    case 'd':
        out_time(out, letter->died);
        break;

    case 'x':
        out_number(out, letter->status);
        break;

    case 'e':
        out_text(out, letter->error.data, letter->error.len);
        break;

    case 'b':
        out_text(out, letter->body.data, letter->body.len);
        break;
    }
}


const char *
kept_letters(test_t *t, const char *fields)
{
    out_t        out;
    work_t       work;
    letter_t    *letters;
    ngx_uint_t   i, n;
    const char  *f;

    kept_read(t, &work);

    out = out_begin();
    letters = load_letters(&work, &n);

    for (i = 0; i < n; i++) {
        for (f = fields; *f; f++) {
            out_gap(&out, f == fields);
            out_letter(&out, &letters[i], *f);
        }
    }

    kept_done(t, &work);

    return out.begin;
}


int64_t
kept_dead_bytes(test_t *t)
{
    work_t    work;
    int64_t   bytes;

    kept_read(t, &work);
    bytes = work.total.dead_bytes;
    kept_done(t, &work);

    return bytes;
}


ngx_uint_t
kept_slots(test_t *t, const char *budget)
{
    work_t                        work;
    ngx_str_t                     name;
    ngx_uint_t                    n;
    ngx_http_ilert_store_fund_t   fund;

    name.data = (u_char *) budget;
    name.len = strlen(budget);
    n = 0;

    kept_read(t, &work);

    memset(&fund, 0, sizeof(ngx_http_ilert_store_fund_t));

    if (t->store.backend->fund(&work, &name, &fund) == NGX_OK) {
        check(t->store.backend->slots(&work, &fund) == NGX_OK);
        n = fund.underway + fund.nat;
    }

    kept_done(t, &work);

    return n;
}


/* changes */

static void
change_alerts(test_t *t, const char *key,
    void (*change)(work_t *work, alert_t *alert, int64_t n), int64_t n)
{
    work_t        work;
    alert_t     **alerts;
    ngx_uint_t    i, count;

    kept_begin(t, &work);

    count = kept_load(&work, key, &alerts);

    for (i = 0; i < count; i++) {
        change(&work, alerts[i], n);
    }

    kept_end(t, &work);
}


static void
hold(work_t *work, alert_t *alert, int64_t next)
{
    alert->row.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->row.next = next;
}


static void
show(work_t *work, alert_t *alert, int64_t shows)
{
    alert->row.shows = shows;
    alert->row.epoch = work->total.epoch;
    alert->row.level = NGX_HTTP_ILERT_CRITICAL;
    alert->row.told = work->now;
}


static void
remove_alert(work_t *work, alert_t *alert, int64_t n)
{
    alert->removed = 1;

    if (alert->row.opened) {
        check(ngx_http_ilert_work_tally_open(work, alert->row.source, -1)
              == NGX_OK);
    }
}


void
kept_hold_back(work_t *work, alert_t *alert, ngx_uint_t urgency, int64_t until)
{
    check(ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
          == NGX_OK);
    check(ngx_http_ilert_work_first(alert) != NULL);
    check(ngx_http_ilert_alert_hold(work, alert, urgency, until) == NGX_OK);
}


void
kept_hold(test_t *t, const char *key, int64_t next)
{
    change_alerts(t, key, hold, next);
}


void
kept_show(test_t *t, ngx_uint_t shows)
{
    change_alerts(t, NULL, show, shows);
}


void
kept_forget(test_t *t, const char *key)
{
    change_alerts(t, key, remove_alert, 0);
}


void
kept_bury(test_t *t, const char *source, int64_t seq, ngx_uint_t n,
    size_t size, int64_t died, int64_t step)
{
    work_t                         work;
    letter_t                      *letter;
    ngx_str_t                      name, empty;
    ngx_uint_t                     i;
    ngx_http_ilert_store_ident_t  *ident;

    name.data = (u_char *) source;
    name.len = strlen(source);
    ngx_str_set(&empty, "");

    kept_begin(t, &work);

    check(ngx_http_ilert_work_source(&work, &name, &empty, &ident) == NGX_OK);

    for (i = 0; i < n; i++) {
        letter = ngx_pcalloc(work.pool, sizeof(letter_t));

        letter->seq = seq + i;
        letter->id = seq + i;
        letter->source_id = ident->id;
        letter->said.type = ALERT;
        letter->said.level = CRITICAL;
        letter->died = died + i * step;
        letter->status = 400;
        letter->size = size;

        ngx_str_set(&letter->key, "x");
        ngx_str_set(&letter->error, "e");

        letter->body.len = size;
        letter->body.data = ngx_pcalloc(work.pool, size);

        ngx_queue_insert_tail(&work.letters, &letter->queue);
    }

    kept_end(t, &work);
}


/* the same letters, but for that time; 0: they are gone */

static void
change_letters(test_t *t, int64_t died)
{
    work_t       work;
    letter_t    *letters;
    ngx_uint_t   i, n;

    kept_begin(t, &work);

    letters = load_letters(&work, &n);

    for (i = 0; i < n; i++) {
        letters[i].removed = 1;
        ngx_queue_insert_tail(&work.letters, &letters[i].queue);
    }

    check(t->store.backend->save(&work) == NGX_OK);

    for (i = 0; i < n && died; i++) {
        letters[i].removed = 0;
        letters[i].died = died;
        ngx_queue_insert_tail(&work.letters, &letters[i].queue);
    }

    kept_end(t, &work);
}


void
kept_died(test_t *t, int64_t died)
{
    change_letters(t, died);
}


void
kept_discard(test_t *t)
{
    change_letters(t, 0);
}


/* invariants, as check_counts() and check_heads() say */

static void
kept_count_source(work_t *work, ngx_http_ilert_store_counted_t *source,
    kept_event_t *events, ngx_uint_t nevents)
{
    char           text[256];
    alert_t      **alerts;
    int64_t        waiting[NGX_HTTP_ILERT_URGENCIES], open, dead;
    letter_t      *letters;
    ngx_uint_t     i, n;

    memset(waiting, 0, sizeof(waiting));

    for (i = 0; i < nevents; i++) {
        if (events[i].source == source->id) {
            waiting[events[i].ev.urgency]++;
        }
    }

    n = kept_load(work, NULL, &alerts);

    for (i = 0, open = 0; i < n; i++) {
        open += (alerts[i]->row.source == source->id
                 && alerts[i]->row.opened > 0);
    }

    letters = load_letters(work, &n);

    for (i = 0, dead = 0; i < n; i++) {
        dead += (letters[i].source_id == source->id);
    }

    if (memcmp(waiting, source->waiting, sizeof(waiting)) == 0
        && open == source->open && dead == source->dead)
    {
        return;
    }

    snprintf(text, sizeof(text), "%.*s: open %d dead %d, not %d %d",
             (int) source->name.len, source->name.data, (int) source->open,
             (int) source->dead, (int) open, (int) dead);

    fail_at(__FILE__, __LINE__, "counts", text);

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
        check_int(source->waiting[i], waiting[i]);
    }
}


void
kept_check_counts(test_t *t)
{
    work_t                           work;
    ngx_uint_t                       i, n;
    ngx_array_t                      sources;
    kept_event_t                    *events;
    ngx_http_ilert_store_counted_t  *source;

    kept_read(t, &work);

    events = load_events(&work, &n);

    check(ngx_array_init(&sources, work.pool, 16,
                         sizeof(ngx_http_ilert_store_counted_t))
          == NGX_OK);
    check(t->store.backend->sources(&work, &sources) == NGX_OK);

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {
        kept_count_source(&work, &source[i], events, n);
    }

    free(events);
    kept_done(t, &work);
}


void
kept_check_heads(test_t *t)
{
    char           text[128];
    work_t         work;
    int64_t        head, urgency, first;
    alert_t      **alerts;
    ngx_uint_t     i, j, n, nevents;
    kept_event_t  *events;

    kept_read(t, &work);

    events = load_events(&work, &nevents);
    n = kept_load(&work, NULL, &alerts);

    for (i = 0; i < n; i++) {

        head = 0;
        first = 0;
        urgency = NGX_HTTP_ILERT_UPDATES;

        for (j = 0; j < nevents; j++) {
            if (events[j].alert == alerts[i]->id) {
                first = head ? first : (int64_t) events[j].ev.urgency;
                head = head ? head : events[j].ev.seq;
                urgency = ngx_min(urgency, (int64_t) events[j].ev.urgency);
            }
        }

        if (alerts[i]->row.urgency > NGX_HTTP_ILERT_REPEATS) {

            /* the first event is held back */

            check_int(alerts[i]->row.state, NGX_HTTP_ILERT_STORE_WAITING);
            check_int(alerts[i]->row.urgency, first);
            check_int(alerts[i]->row.head, head);
            continue;
        }

        if (alerts[i]->row.head != head
            || (head == 0 && alerts[i]->row.state)
            || (head && ngx_min(alerts[i]->row.urgency, NGX_HTTP_ILERT_UPDATES)
                        != urgency))
        {
            snprintf(text, sizeof(text), "%d state %d head %d urgency %d, not"
                     " %d %d", (int) alerts[i]->id,
                     (int) alerts[i]->row.state, (int) alerts[i]->row.head,
                     (int) alerts[i]->row.urgency, (int) head, (int) urgency);
            fail_at(__FILE__, __LINE__, "head", text);
        }
    }

    free(events);
    kept_done(t, &work);
}
