
/*
 * Events at random, and what may become of them.  In memory that a process
 * leaves behind when it is killed.
 *
 *     -  an acknowledged event is delivered, or a dead letter;
 *     -  none is taken while another of its key is, nor before one that was
 *        acknowledged earlier is sent, nor after one that is later;
 *     -  none is taken that was refused, or that is decided.
 */


#include "kept.h"
#include "model.h"

#include <sys/mman.h>


static const char  *model_spelling[] = {
    "key %u", "KEY %u", " Key %u\t", "key %u\n"
};


model_t *
model_new(void)
{
    void  *p;

    p = mmap(NULL, sizeof(model_t), PROT_READ|PROT_WRITE,
             MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    return (p == MAP_FAILED) ? NULL : p;
}


void
model_reset(model_t *m)
{
    memset(m, 0, sizeof(model_t));
}


static void
model_fail(model_event_t *e, const char *what)
{
    char  text[128];

    sqlite3_snprintf(sizeof(text), text, "event %d of key %d", (int) e->number,
                     (int) e->key);
    fail_at(__FILE__, __LINE__, what, text);
}


static model_event_t *
model_event(model_t *m, event_t *ev)
{
    return &m->keys[ev->id >> 32].events[(ev->id & 0xffffffff) - 1];
}


void
model_accept(test_t *t, model_t *m, ngx_uint_t k)
{
    char            key[32], body[2048];
    event_t        *ev;
    ngx_uint_t      n;
    model_key_t    *mk;
    model_event_t  *e;

    mk = &m->keys[k];

    if (mk->n == MODEL_EVENTS) {
        return;
    }

    e = &mk->events[mk->n];
    e->key = k;
    e->number = mk->n;

    sprintf(key, model_spelling[rnd(4)], (unsigned) k);

    /* none has no body, but for those of the store's own */

    n = 1 + rnd(sizeof(body) - 1);
    memset(body, 'x', n);
    body[n] = '\0';

    ev = accept_event(t, "ops", key, rnd(3) ? ALERT : RESOLVE, body);
    ev->id = ((uint64_t) k << 32) | ++mk->n;
    ev->data = e;

    e->offered = 1;
}


static void
model_verdict(test_t *t, event_t *ev)
{
    ngx_uint_t      n;
    model_event_t  *e;

    e = ev->data;
    n = rnd(20);

    if (n < 14) {
        e->sent = 1;
        verdict(t, ev, DONE);

    } else if (n < 16) {
        ev->next = t->now + rnd(3000);
        ev->maybe = rnd(2);
        verdict(t, ev, AGAIN);

    } else if (n < 18) {
        verdict(t, ev, UNSENT);

    } else {
        e->sent = 1;
        ev->status = 400;
        ngx_str_set(&ev->error, "test");
        verdict(t, ev, DEAD);
    }
}


static void
model_taken(model_t *m, event_t *ev)
{
    ngx_uint_t      n;
    model_key_t    *mk;
    model_event_t  *e;

    mk = &m->keys[ev->id >> 32];
    e = model_event(m, ev);
    ev->data = e;

    if (!e->offered) {
        model_fail(e, "never accepted");
    }

    if (e->refused && !m->doubt) {
        model_fail(e, "taken, but it was refused");
    }

    if (e->gone) {
        model_fail(e, "taken, but it is decided");
    }

    if (e->number < mk->last) {
        model_fail(e, "taken after a later one");
    }

    for (n = 0; n < e->number; n++) {
        if (mk->events[n].acknowledged && !mk->events[n].sent) {
            model_fail(e, "taken before an earlier one");
            break;
        }
    }

    if (mk->busy) {
        model_fail(e, "taken while another is");
    }

    mk->last = e->number;
    mk->busy = 1;
}


static void
model_decided(model_t *m, ngx_queue_t *verdicts)
{
    event_t        *ev;
    ngx_queue_t    *q;
    model_event_t  *e;

    for (q = ngx_queue_head(verdicts); q != ngx_queue_sentinel(verdicts);
         q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);
        e = ev->data;

        m->keys[e->key].busy = 0;

        /* what was refused waits, or may do so again, if everything is */

        if (ev->verdict == DONE || (ev->verdict == DEAD && !ev->kept
                                    && !ev->doubtful))
        {
            e->gone = 1;

        } else if (ev->verdict == DEAD && ev->kept) {
            e->sent = 0;
        }

        m->release |= ev->frees;
    }
}


void
model_step(test_t *t, model_t *m, ngx_uint_t first, ngx_uint_t nkeys,
    ngx_uint_t accepts, ngx_uint_t takes)
{
    event_t                     *ev;
    ngx_queue_t                 *q, *next;
    ngx_http_ilert_store_job_t  *job;

    while (accepts--) {
        model_accept(t, m, first + rnd(nkeys));
    }

    if (takes) {
        take(t, "ops", takes, 0);

        if (m->release) {
            release(t, "ops");
        }

        for (q = ngx_queue_head(&m->held); q != ngx_queue_sentinel(&m->held);
             q = next)
        {
            next = ngx_queue_next(q);

            if (rnd(2)) {
                model_verdict(t, ngx_queue_data(q, event_t, queue));
            }
        }
    }

    job = &t->job;
    job->clean = (rnd(8) == 0);
    job->unknown = (rnd(8) == 0);

    run(t);

    for (q = ngx_queue_head(&outcome.accepts);
         q != ngx_queue_sentinel(&outcome.accepts); q = ngx_queue_next(q))
    {
        ev = ngx_queue_data(q, event_t, queue);

        if (outcome.accepted) {
            model_event(m, ev)->acknowledged = 1;

        } else {
            model_event(m, ev)->refused = 1;
            model_waits(m, ev);
        }
    }

    if (outcome.decided) {

        if (takes) {
            m->release = outcome.releasing;
        }

        model_decided(m, &outcome.verdicts);
    }

    while (!ngx_queue_empty(&outcome.taken)) {
        q = ngx_queue_head(&outcome.taken);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&m->held, q);
        model_taken(m, ngx_queue_data(q, event_t, queue));
    }
}


/* it may not say that nothing waits if something does */

void
model_waits(model_t *m, event_t *ev)
{
    ngx_uint_t      n;
    model_key_t    *mk;
    model_event_t  *e;

    e = model_event(m, ev);
    mk = &m->keys[e->key];

    if (ev->waits == CANNOT_SAY) {
        return;
    }

    for (n = 0; n < e->number; n++) {

        if (mk->events[n].acknowledged && !mk->events[n].gone
            && !mk->events[n].sent)
        {
            if (ev->waits != WAITS) {
                model_fail(e, "relayed past a waiting event");
            }

            return;
        }
    }
}


/* what was under way is not known to this process */

void
model_crash(test_t *t, model_t *m)
{
    ngx_uint_t  k;

    for (k = 0; k < MODEL_KEYS; k++) {
        m->keys[k].busy = 0;
    }

    ngx_queue_init(&m->held);
    m->release = 1;
    t->job.begin = 1;
}


void
model_close(test_t *t, model_t *m)
{
    ngx_queue_t  *q, *lists[2];
    ngx_uint_t    i;

    m->doubt |= (t->store.state != OK);

    ngx_http_ilert_store_close(&t->store);

    lists[0] = &m->held;
    lists[1] = &t->job.verdicts;

    for (i = 0; i < 2; i++) {
        while (!ngx_queue_empty(lists[i])) {
            q = ngx_queue_head(lists[i]);
            ngx_queue_remove(q);
            ngx_free(ngx_queue_data(q, event_t, queue));
        }
    }

    model_crash(t, m);
}


/* without faults: what is left goes, and nothing is missing */

void
model_end(test_t *t, model_t *m)
{
    ngx_uint_t   i, k, n;
    model_key_t  *mk;

    for (i = 0; i < 20000; i++) {
        t->now += 1000;
        model_step(t, m, 0, MODEL_KEYS, 0, 8);

        if (i == 0 && t->store.state == OK) {
            check_counts(t);
        }

        if (t->store.state == OK && ngx_queue_empty(&m->held) && i > 10
            && outcome.due == 0 && !m->release)
        {
            break;
        }
    }

    check_int(t->store.state, OK);

    for (k = 0; k < MODEL_KEYS; k++) {
        mk = &m->keys[k];

        for (n = 0; n < mk->n; n++) {
            if (mk->events[n].acknowledged && !mk->events[n].sent) {
                model_fail(&mk->events[n], "acknowledged, and lost");
            }
        }
    }

    if (*kept_events(t, NULL)) {
        fail_at(__FILE__, __LINE__, "events are left", kept_events(t, NULL));
    }

    check_counts(t);

    if (on_sqlite()) {
        check_str(sql(t, "PRAGMA integrity_check"), "ok");
        check_str(sql(t, "SELECT dead_bytes - (SELECT"
                         " ifnull(sum(length(body)), 0) FROM dead)"
                         " FROM total"), "0");
    }
}


ngx_uint_t
model_count(model_t *m)
{
    ngx_uint_t  k, n, count;

    count = 0;

    for (k = 0; k < MODEL_KEYS; k++) {
        for (n = 0; n < m->keys[k].n; n++) {
            count += m->keys[k].events[n].acknowledged;
        }
    }

    return count;
}
