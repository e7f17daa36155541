
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_clock.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_event_digest.h"
#include "ngx_http_ilert_monotonic.h"
#include "ngx_http_ilert_queue_wait.h"
#include "ngx_http_ilert_relay.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"


#if (NGX_THREADS)

/* ms; it has to be less than the 30 seconds for which Kapacitor waits */

#define NGX_HTTP_ILERT_QUEUE_DEADLINE  20000

/* seconds between two lines about two tasks with the same alert key */

#define NGX_HTTP_ILERT_QUEUE_CLASH_PERIOD  3600


/* a webhook that waits for its event to be committed */

typedef struct {
    ngx_queue_t                         queue;
    ngx_http_ilert_store_event_t       *stored;
    ngx_http_ilert_event_t             *event;
    ngx_http_ilert_answer_handler_pt    handler;
    void                               *data;
    ngx_pool_t                         *pool;
    ngx_msec_t                          deadline;   /* by ngx_current_msec */
    int64_t                             submitted;  /* usec, monotonic */
    unsigned                            given:1;    /* to a job */
    unsigned                            repair:1;
} ngx_http_ilert_queue_waiter_t;


static ngx_http_ilert_store_event_t *ngx_http_ilert_queue_wait_store_event(
    ngx_http_ilert_event_t *ev, ngx_http_ilert_store_heard_t *heard);
static void ngx_http_ilert_queue_wait_clash(ngx_http_ilert_store_event_t *se);
static void ngx_http_ilert_queue_wait_accepted(
    ngx_http_ilert_queue_waiter_t *w, ngx_uint_t news);
static void ngx_http_ilert_queue_wait_refuse(ngx_http_ilert_queue_waiter_t *w,
    ngx_http_ilert_store_waits_e waits);
static void ngx_http_ilert_queue_wait_relayed(ngx_http_ilert_answer_t *answer,
    void *data);
static void ngx_http_ilert_queue_wait_late(ngx_http_ilert_queue_waiter_t *w);
static void ngx_http_ilert_queue_wait_finish(ngx_http_ilert_queue_waiter_t *w,
    ngx_uint_t status, ngx_uint_t news, const char *result, const char *error);
static void ngx_http_ilert_queue_wait_deadline_handler(ngx_event_t *ev);
static void ngx_http_ilert_queue_wait_withdraw(
    ngx_http_ilert_store_event_t *se, ngx_uint_t given);
static void ngx_http_ilert_queue_wait_set_deadline(void);


static ngx_http_ilert_queue_wait_t  ngx_http_ilert_queue_waiting;


void
ngx_http_ilert_queue_wait_init(ngx_http_ilert_counters_t *counters,
    ngx_http_ilert_queue_shctx_t *sh)
{
    ngx_http_ilert_queue_wait_t  *qw;

    qw = &ngx_http_ilert_queue_waiting;

    ngx_memzero(qw, sizeof(ngx_http_ilert_queue_wait_t));

    qw->counters = counters;
    qw->sh = sh;

    ngx_queue_init(&qw->waiters);

    ngx_http_ilert_clock_init_event(&qw->deadline,
                                    ngx_http_ilert_queue_wait_deadline_handler,
                                    0);
}


ngx_http_ilert_store_event_t *
ngx_http_ilert_queue_wait(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_store_heard_t *heard,
    ngx_http_ilert_answer_handler_pt handler, void *data, ngx_pool_t *pool)
{
    ngx_http_ilert_queue_wait_t    *qw;
    ngx_http_ilert_queue_waiter_t  *w;

    qw = &ngx_http_ilert_queue_waiting;

    w = ngx_pcalloc(pool, sizeof(ngx_http_ilert_queue_waiter_t));
    if (w == NULL) {
        return NULL;
    }

    ev->received = ngx_http_ilert_clock_now();

    w->stored = ngx_http_ilert_queue_wait_store_event(ev, heard);
    if (w->stored == NULL) {
        return NULL;
    }

    w->event = ev;
    w->handler = handler;
    w->data = data;
    w->pool = pool;
    w->repair = (heard && heard->repair);
    w->deadline = ngx_current_msec + NGX_HTTP_ILERT_QUEUE_DEADLINE;
    w->submitted = ngx_http_ilert_clock_usec();

    w->stored->data = w;
    w->stored->deadline = w->submitted / 1000 + NGX_HTTP_ILERT_QUEUE_DEADLINE;

    ngx_queue_insert_tail(&qw->waiters, &w->queue);

    ngx_http_ilert_queue_wait_set_deadline();

    return w->stored;
}


/*
 * Makes a copy of the event, since the thread may still use it when the
 * webhook's request has ended.
 */

static ngx_http_ilert_store_event_t *
ngx_http_ilert_queue_wait_store_event(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_store_heard_t *heard)
{
    size_t                         summary;
    ngx_http_ilert_store_event_t  *se;

    summary = ev->source->policy.digest.n
              ? ngx_http_ilert_text_cut(&ev->summary,
                                        NGX_HTTP_ILERT_DIGEST_TEXT)
              : 0;

    se = ngx_http_ilert_store_event(ev->source->name.len, ev->ilert_key.len,
                                    ev->body.len, summary, heard);
    if (se == NULL) {
        return NULL;
    }

    if (summary) {
        ngx_memcpy(se->summary.data, ev->summary.data, summary);
    }

    ngx_memcpy(se->source.data, ev->source->name.data, ev->source->name.len);
    ngx_memcpy(se->key.data, ev->ilert_key.data, ev->ilert_key.len);
    ngx_memcpy(se->body.data, ev->body.data, ev->body.len);

    se->owner = ev->source->shared->name;
    se->id = ev->number;
    se->passthrough = ev->source->passthrough;

    se->said.type = ev->ilert_type;
    se->said.level = ev->level;
    se->said.priority = ev->priority;
    se->said.severity = ev->severity;
    se->said.received = ev->received;
    se->said.message = ev->message;
    se->said.freed = ev->prompt;
    se->began = ev->began;

    se->policy = ev->source->policy;
    se->stale = (ev->source->policy.stale != 0);
    se->silence = ev->silence;

    if (ev->silence) {
        se->policy.resolve_after = ev->silence;
    }

    return se;
}


void
ngx_http_ilert_queue_wait_given(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_queue_waiter_t  *w;

    w = se->data;
    w->given = 1;
}


/* se->data is the waiter, or the source if the event was withdrawn. */

ngx_http_ilert_source_t *
ngx_http_ilert_queue_wait_source(ngx_http_ilert_store_event_t *se)
{
    ngx_http_ilert_queue_waiter_t  *w;

    if (se->withdrawn) {
        return se->data;
    }

    w = se->data;

    return w->event->source;
}


void
ngx_http_ilert_queue_wait_answer(ngx_queue_t *accepts, ngx_uint_t accepted)
{
    ngx_uint_t                      late, news, withdrawn;
    ngx_queue_t                    *link;
    ngx_http_ilert_source_t        *source;
    ngx_http_ilert_queue_wait_t    *qw;
    ngx_http_ilert_store_event_t   *se;
    ngx_http_ilert_store_waits_e    waits;
    ngx_http_ilert_queue_waiter_t  *w;

    qw = &ngx_http_ilert_queue_waiting;

    while (!ngx_queue_empty(accepts)) {

        link = ngx_queue_head(accepts);
        ngx_queue_remove(link);

        se = ngx_queue_data(link, ngx_http_ilert_store_event_t, queue);
        w = se->data;
        withdrawn = (se->withdrawn != 0);
        late = se->late;
        waits = se->waits;
        news = se->news;

        if (accepted && se->coalesced) {
            source = ngx_http_ilert_queue_wait_source(se);
            ngx_http_ilert_counters_add(source->counters->coalesced,
                                        se->coalesced);
        }

        if (accepted && se->silenced) {
            source = ngx_http_ilert_queue_wait_source(se);
            ngx_http_ilert_counters_add(source->counters->silenced, 1);
        }

        if (accepted && se->clash_len) {
            ngx_http_ilert_queue_wait_clash(se);
        }

        if (accepted && se->topic) {
            (void) ngx_atomic_fetch_add(
                      ngx_http_ilert_counters_late(qw->counters, se->topic),
                      1);
        }

        ngx_free(se);

        if (withdrawn) {

            /* the webhook was answered at its deadline */

            continue;
        }

        ngx_queue_remove(&w->queue);

        if (ngx_queue_empty(&qw->waiters)) {
            ngx_del_timer(&qw->deadline);
        }

        if (late) {
            ngx_http_ilert_queue_wait_late(w);

        } else if (accepted) {
            ngx_http_ilert_queue_wait_accepted(w, news);

        } else {
            ngx_http_ilert_queue_wait_refuse(w, waits);
        }
    }
}


/*
 * Webhooks of an alert key come from two tasks: what one of them says replaces
 * what the other has said.  This is noted for the status, and logged at times.
 */

static void
ngx_http_ilert_queue_wait_clash(ngx_http_ilert_store_event_t *se)
{
    ngx_str_t                     key, task, other;
    ngx_http_ilert_counters_t    *counters;

    counters = ngx_http_ilert_queue_waiting.counters;

    key = se->key;
    task = se->heard.task;

    other.data = se->clash;
    other.len = se->clash_len;

    ngx_http_ilert_counters_set_clash(counters, &se->source, &key, &task,
                                      &other);

    if (!ngx_http_ilert_counters_due(&counters->clash_logged,
                                     NGX_HTTP_ILERT_QUEUE_CLASH_PERIOD))
    {
        return;
    }

    /* the event is about to be freed, so its strings may be changed */

    key.len = ngx_http_ilert_text_cut(&key, NGX_HTTP_ILERT_COUNTERS_TEXT);
    task.len = ngx_http_ilert_text_cut(&task, NGX_HTTP_ILERT_COUNTERS_TEXT);

    ngx_http_ilert_text_line(&key);
    ngx_http_ilert_text_line(&task);
    ngx_http_ilert_text_line(&other);

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "ilert alert key \"%V\" of source \"%V\" has webhooks of "
                  "two tasks, \"%V\" and \"%V\": an OK of one ends the "
                  "alert of the other; give their alerts different ids, for "
                  "example with {{ .TaskName }}, or set \"ilert_alert_key\" "
                  "to \"$kapacitor_task $kapacitor_id\"",
                  &key, &se->source, &other, &task);
}


static void
ngx_http_ilert_queue_wait_accepted(ngx_http_ilert_queue_waiter_t *w,
    ngx_uint_t news)
{
    ngx_http_ilert_queue_wait_t  *qw;

    qw = &ngx_http_ilert_queue_waiting;

    ngx_http_ilert_counters_observe(&qw->counters->commit,
                                    ngx_http_ilert_counters_commit_buckets,
                                    ngx_http_ilert_clock_usec()
                                    - w->submitted);

    if (news != NGX_HTTP_ILERT_STORE_NEWS) {
        ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_ACCEPTED, news,
                                         "IGNORED", "");
        return;
    }

    ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_ACCEPTED, news, "ACCEPTED",
                                     "");
}


/*
 * The event is not on disk.  It is relayed, if no other event of its alert
 * waits that it would overtake.  And if this process has stood still for so
 * long that Kapacitor does not wait any more, newer events may have come by
 * other workers, and the event is not relayed either.
 */

static void
ngx_http_ilert_queue_wait_refuse(ngx_http_ilert_queue_waiter_t *w,
    ngx_http_ilert_store_waits_e waits)
{
    ngx_http_ilert_queue_wait_t  *qw;

    qw = &ngx_http_ilert_queue_waiting;

    if (ngx_http_ilert_clock_usec() - w->submitted
        >= (int64_t) NGX_HTTP_ILERT_QUEUE_DEADLINE * 1000)
    {
        ngx_http_ilert_queue_wait_late(w);
        return;
    }

    if (w->repair) {
        ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE, 0,
                                    "UNAVAILABLE",
                                    "the queue cannot be written to");
        return;
    }

    switch (waits) {

    case NGX_HTTP_ILERT_STORE_NONE_WAITS:
        break;

    case NGX_HTTP_ILERT_STORE_WAITS:
        ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE, 0,
                                    "UNAVAILABLE",
                                    "the queue cannot be written to, and "
                                    "earlier events of the alert wait in it");
        return;

    default:
        ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE, 0,
                                    "UNAVAILABLE",
                                    "the queue can be neither written to nor "
                                    "asked for earlier events of the alert");
        return;
    }

    (void) ngx_atomic_fetch_add(&qw->sh->relayed, 1);

    if (ngx_http_ilert_relay(w->event, ngx_http_ilert_queue_wait_relayed, w,
                             w->pool)
        != NGX_OK)
    {
        ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_BAD_GATEWAY, 0,
                                         "UNAVAILABLE", "no memory");
    }
}


static void
ngx_http_ilert_queue_wait_relayed(ngx_http_ilert_answer_t *answer, void *data)
{
    ngx_http_ilert_queue_waiter_t *w = data;

    /*
     * The relay is counted again when it has ended.  A job that was made while
     * it was under way has told the store of it too early: only now ilert may
     * show something else.
     */

    (void) ngx_atomic_fetch_add(&ngx_http_ilert_queue_waiting.sh->relayed, 1);

    w->handler(answer, w->data);
}


static void
ngx_http_ilert_queue_wait_late(ngx_http_ilert_queue_waiter_t *w)
{
    ngx_http_ilert_queue_wait_finish(w, NGX_HTTP_SERVICE_UNAVAILABLE, 0,
                                "UNAVAILABLE",
                                "the event could not be committed in time");
}


static void
ngx_http_ilert_queue_wait_finish(ngx_http_ilert_queue_waiter_t *w,
    ngx_uint_t status, ngx_uint_t news, const char *result, const char *error)
{
    ngx_http_ilert_answer_t  answer;

    answer.status = status;
    answer.news = news;

    answer.result.data = (u_char *) result;
    answer.result.len = ngx_strlen(result);

    answer.error.data = (u_char *) error;
    answer.error.len = ngx_strlen(error);

    w->handler(&answer, w->data);
}


static void
ngx_http_ilert_queue_wait_deadline_handler(ngx_event_t *ev)
{
    ngx_queue_t                    *link;
    ngx_http_ilert_queue_wait_t    *qw;
    ngx_http_ilert_queue_waiter_t  *w;

    qw = &ngx_http_ilert_queue_waiting;

    while (!ngx_queue_empty(&qw->waiters)) {

        link = ngx_queue_head(&qw->waiters);
        w = ngx_queue_data(link, ngx_http_ilert_queue_waiter_t, queue);

        if ((ngx_msec_int_t) (w->deadline - ngx_current_msec) > 0) {
            break;
        }

        ngx_queue_remove(link);

        ngx_http_ilert_queue_wait_withdraw(w->stored, w->given);

        ngx_http_ilert_queue_wait_late(w);
    }

    ngx_http_ilert_queue_wait_set_deadline();
}


/*
 * The webhook is about to be answered, so no commit of its event may begin any
 * more.  A commit that has begun may still end; then the event is delivered.
 */

static void
ngx_http_ilert_queue_wait_withdraw(ngx_http_ilert_store_event_t *se,
    ngx_uint_t given)
{
    ngx_http_ilert_queue_waiter_t  *w;

    if (!given) {
        ngx_queue_remove(&se->queue);
        ngx_free(se);
        return;
    }

    /* the waiter is in the pool of the request, which ends with the answer */

    w = se->data;
    se->data = w->event->source;

    (void) ngx_atomic_cmp_set(&se->withdrawn, 0, 1);
}


static void
ngx_http_ilert_queue_wait_set_deadline(void)
{
    ngx_queue_t                    *link;
    ngx_msec_int_t                  timer;
    ngx_http_ilert_queue_wait_t    *qw;
    ngx_http_ilert_queue_waiter_t  *w;

    qw = &ngx_http_ilert_queue_waiting;

    if (qw->deadline.timer_set || ngx_queue_empty(&qw->waiters)) {
        return;
    }

    link = ngx_queue_head(&qw->waiters);
    w = ngx_queue_data(link, ngx_http_ilert_queue_waiter_t, queue);

    timer = w->deadline - ngx_current_msec;

    ngx_add_timer(&qw->deadline, timer > 0 ? timer : 1);
}

#endif
