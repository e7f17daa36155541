
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_lock.h"
#include "ngx_http_ilert_queue_masters.h"
#include "ngx_http_ilert_rules.h"
#include "ngx_http_ilert_status_gather.h"
#include "ngx_http_ilert_status_state.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_text.h"


/*
 * Some numbers are both in shared memory and in the store's answer.  If the
 * store has answered, its numbers hold.  The states of sources are decided
 * here and nowhere else, so that JSON, the page, and metrics show the same.
 */


/* bytes of "the courier, process NNN, gives no sign of life" */

#define NGX_HTTP_ILERT_STATUS_SILENT  128

/* bytes of a text about the set-up that is found now, at most */

#define NGX_HTTP_ILERT_STATUS_SETUP   2048

/* seconds for which it is told that two tasks have had one alert key */

#define NGX_HTTP_ILERT_STATUS_CLASH   86400


static void ngx_http_ilert_status_queue(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static void ngx_http_ilert_status_fallback(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static void ngx_http_ilert_status_count_refused(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static void ngx_http_ilert_status_add_refused(ngx_http_ilert_status_t *st,
    ngx_http_ilert_counters_code_t *refused);
static ngx_int_t ngx_http_ilert_status_setup(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_status_clash(ngx_http_ilert_status_t *st);
static ngx_int_t ngx_http_ilert_status_kapacitors(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static ngx_int_t ngx_http_ilert_status_source(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source);
static ngx_int_t ngx_http_ilert_status_strangers(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf);
static void ngx_http_ilert_status_waiting(
    ngx_http_ilert_counters_waiting_t *waiting, int64_t *pending,
    int64_t *oldest);
static ngx_uint_t ngx_http_ilert_status_is_held(
    ngx_http_ilert_counters_waiting_t *waiting);
static void ngx_http_ilert_status_sum(ngx_http_ilert_counters_waiting_t *sum,
    ngx_http_ilert_counters_waiting_t *waiting);
static void ngx_http_ilert_status_read(
    ngx_http_ilert_counters_waiting_t *waiting,
    ngx_http_ilert_store_source_t *read);
static ngx_http_ilert_store_source_t *ngx_http_ilert_status_stored(
    ngx_http_ilert_status_t *st, ngx_str_t *name);
static void ngx_http_ilert_status_digest(ngx_http_ilert_status_t *st,
    ngx_str_t *name, ngx_http_ilert_status_source_t *ss);
static void ngx_http_ilert_status_set_budget(
    ngx_http_ilert_status_budget_t *budget, ngx_http_ilert_rate_t *rate,
    ngx_http_ilert_store_used_t *used);
static ngx_str_t ngx_http_ilert_status_name(ngx_http_ilert_status_t *st,
    ngx_str_t *name);


ngx_str_t  ngx_http_ilert_state_names[] = {
    ngx_string("parked"),
    ngx_string("paused"),
    ngx_string("limited"),
    ngx_string("retrying"),
    ngx_string("ok")
};


/* by kapacitor_state_e */

ngx_str_t  ngx_http_ilert_kapacitor_state_names[] = {
    ngx_string("unasked"),
    ngx_string("up"),
    ngx_string("down"),
    ngx_string("refused"),
    ngx_string("behind")
};


/* by fallback_state_e */

ngx_str_t  ngx_http_ilert_fallback_state_names[] = {
    ngx_string("off"),
    ngx_string("ok"),
    ngx_string("late"),
    ngx_string("told"),
    ngx_string("failing")
};


/* by reconciled_e */

ngx_str_t  ngx_http_ilert_reconciled_names[] = {
    ngx_string("alert"),
    ngx_string("resolve"),
    ngx_string("update"),
    ngx_string("ignored")
};


ngx_int_t
ngx_http_ilert_status_gather(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                          i;
    ngx_http_ilert_source_t           **sources;
    ngx_http_ilert_endpoint_t         **endpoints;
    ngx_http_ilert_status_endpoint_t   *se;

    st->counters = imcf->counters;

    ngx_http_ilert_status_queue(st, imcf);
    ngx_http_ilert_status_count_refused(st, imcf);
    ngx_http_ilert_status_fallback(st, imcf);

    if (ngx_http_ilert_status_setup(st, imcf) != NGX_OK
        || ngx_http_ilert_status_kapacitors(st, imcf) != NGX_OK
        || ngx_array_init(&st->sources, st->pool, imcf->sources.nelts + 1,
                          sizeof(ngx_http_ilert_status_source_t))
           != NGX_OK
        || ngx_array_init(&st->endpoints, st->pool, imcf->endpoints.nelts + 1,
                          sizeof(ngx_http_ilert_status_endpoint_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        if (ngx_http_ilert_status_source(st, imcf, sources[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (st->query && ngx_http_ilert_status_strangers(st, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_status_waiting(&st->waiting, &st->pending, &st->oldest);

    endpoints = imcf->endpoints.elts;

    for (i = 0; i < imcf->endpoints.nelts; i++) {

        se = ngx_array_push(&st->endpoints);

        se->name = ngx_http_ilert_status_name(st, &endpoints[i]->name);
        se->down = ngx_http_ilert_counters_get_down(endpoints[i], &se->since);

        ngx_http_ilert_status_set_budget(&se->budget, &endpoints[i]->rate,
                        ngx_http_ilert_status_used(st, &endpoints[i]->name));
    }

    return NGX_OK;
}


static void
ngx_http_ilert_status_queue(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t  trouble;

    st->bytes = -1;

    if (imcf->queue.path.len == 0) {
        ngx_str_set(&st->state, "off");
        return;
    }

    st->path = ngx_http_ilert_status_name(st, &imcf->queue.path);
    st->bytes = st->query ? st->query->bytes
                          : ngx_http_ilert_counters_get(st->counters,
                                                        &st->counters->bytes);

    if (ngx_http_ilert_status_is_silent(&st->error, st->pool)) {
        ngx_str_set(&st->state, "error");
        return;
    }

    trouble = ngx_http_ilert_counters_get_trouble(st->counters, &st->error,
                                                  st->pool);

    if (trouble != NGX_HTTP_ILERT_STORE_OK) {

        if (trouble == NGX_HTTP_ILERT_STORE_FULL) {
            ngx_str_set(&st->state, "full");

        } else {
            ngx_str_set(&st->state, "error");
        }

        return;
    }

    if (ngx_http_ilert_status_is_idle(&st->error)) {
        ngx_str_set(&st->state, "error");
        return;
    }

    if (st->query == NULL) {
        ngx_str_set(&st->state, "error");
        ngx_str_set(&st->error, "the queue does not answer");
        return;
    }

    ngx_str_set(&st->state, "ok");
}


/*
 * Sets the findings about the set-up: those of the start, whether two tasks
 * have had one alert key, and whether another master has workers at the
 * queue's folder now.
 */

static ngx_int_t
ngx_http_ilert_status_setup(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t               i;
    ngx_http_ilert_setup_t  *setup, *found;
#if (NGX_THREADS)
    u_char                  *last;
    ngx_str_t                text;
#endif

    if (ngx_array_init(&st->setup, st->pool, imcf->setup.nelts + 2,
                       sizeof(ngx_http_ilert_setup_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    found = imcf->setup.elts;

    for (i = 0; i < imcf->setup.nelts; i++) {
        setup = ngx_array_push(&st->setup);

        setup->check = found[i].check;
        setup->text = ngx_http_ilert_status_name(st, &found[i].text);
    }

    if (ngx_http_ilert_status_clash(st) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_THREADS)

    if (imcf->queue.path.len == 0) {
        return NGX_OK;
    }

    text.data = ngx_pnalloc(st->pool, NGX_HTTP_ILERT_STATUS_SETUP);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    last = text.data + NGX_HTTP_ILERT_STATUS_SETUP;

    text.len = ngx_http_ilert_queue_masters_another((ngx_cycle_t *) ngx_cycle,
                                                    &imcf->queue, text.data,
                                                    last)
               - text.data;

    if (text.len) {
        setup = ngx_array_push(&st->setup);

        ngx_str_set(&setup->check, "queue_shared");
        setup->text = ngx_http_ilert_status_name(st, &text);
    }

#endif

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_status_clash(ngx_http_ilert_status_t *st)
{
    u_char                           *last;
    ngx_str_t                         text, source, key;
    ngx_http_ilert_setup_t           *setup;
    ngx_http_ilert_counters_clash_t   clash;

    ngx_http_ilert_counters_get_clash(st->counters, &clash);

    if (!ngx_http_ilert_counters_recent((time_t) (clash.time / 1000),
                                        NGX_HTTP_ILERT_STATUS_CLASH))
    {
        return NGX_OK;
    }

    text.data = ngx_pnalloc(st->pool, NGX_HTTP_ILERT_STATUS_SETUP);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    source.data = clash.source.data;
    source.len = clash.source.len;

    key.data = clash.key.data;
    key.len = clash.key.len;

    last = text.data + NGX_HTTP_ILERT_STATUS_SETUP;

    text.len = ngx_slprintf(text.data, last, "alert key \"%V\" of source "
                            "\"%V\" is that of two tasks, \"%*s\" and "
                            "\"%*s\": each of them ends the alerts of the "
                            "other, use ids that have {{ .TaskName }} in them",
                            &key, &source, clash.tasks[0].len,
                            clash.tasks[0].data, clash.tasks[1].len,
                            clash.tasks[1].data)
               - text.data;

    setup = ngx_array_push(&st->setup);

    ngx_str_set(&setup->check, "alert_key");
    setup->text = ngx_http_ilert_status_name(st, &text);

    return NGX_OK;
}


/*
 * Sets what is known of Kapacitors, and of the time in which nginx did not
 * run.  Repairs are counted from the start of nginx on, so they are those
 * since that time.
 */

static ngx_int_t
ngx_http_ilert_status_kapacitors(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_str_t                           error;
    ngx_uint_t                          i, k;
    ngx_http_ilert_kapacitor_t        **kapacitors;
    ngx_http_ilert_status_kapacitor_t  *sk;

    if (ngx_array_init(&st->kapacitors, st->pool, imcf->kapacitors.nelts + 1,
                       sizeof(ngx_http_ilert_status_kapacitor_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_ilert_counters_get_away(st->counters, &st->away);

    st->repaired = imcf->kapacitors.nelts ? 0 : -1;

    kapacitors = imcf->kapacitors.elts;

    for (i = 0; i < imcf->kapacitors.nelts; i++) {

        sk = ngx_array_push(&st->kapacitors);

        sk->name = ngx_http_ilert_status_name(st, &kapacitors[i]->name);

        ngx_http_ilert_counters_get_poll(kapacitors[i], &sk->poll);

        error.data = sk->poll.error;
        error.len = sk->poll.error_len;

        sk->error = ngx_http_ilert_status_name(st, &error);

        for (k = 0; k < NGX_HTTP_ILERT_RECONCILED_N; k++) {
            sk->reconciled[k] = kapacitors[i]->counters->reconciled[k];

            if (k != NGX_HTTP_ILERT_RECONCILED_IGNORED) {
                st->repaired += sk->reconciled[k];
            }
        }
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_status_is_silent(ngx_str_t *error, ngx_pool_t *pool)
{
#if (NGX_THREADS)

    ngx_pid_t  pid;

    pid = ngx_http_ilert_lock_silent();

    if (pid == 0) {
        return 0;
    }

    error->data = ngx_pnalloc(pool, NGX_HTTP_ILERT_STATUS_SILENT);

    if (error->data) {
        error->len = ngx_snprintf(error->data, NGX_HTTP_ILERT_STATUS_SILENT,
                                  "the courier, process %P, gives no sign of "
                                  "life", pid)
                     - error->data;
    }

    return 1;

#else

    return 0;

#endif
}


ngx_uint_t
ngx_http_ilert_status_is_idle(ngx_str_t *error)
{
#if (NGX_THREADS)

    if (!ngx_http_ilert_lock_runs()) {
        ngx_str_set(error, "no worker delivers what is in the queue");
        return 1;
    }

#endif

    return 0;
}


static void
ngx_http_ilert_status_fallback(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_str_t                            error;
    ngx_uint_t                           state;
    ngx_http_ilert_counters_fallback_t  *known;

    if (imcf->fallback == NULL) {
        return;
    }

    known = &st->fallback;

    ngx_http_ilert_counters_get_fallback(imcf->counters, known);

    state = NGX_HTTP_ILERT_FALLBACK_IS_OK;

    if (known->state.fails) {
        state = NGX_HTTP_ILERT_FALLBACK_IS_FAILING;

    } else if (known->state.told) {
        state = NGX_HTTP_ILERT_FALLBACK_IS_TOLD;

    } else if (known->late) {
        state = NGX_HTTP_ILERT_FALLBACK_IS_LATE;
    }

    st->fallback_state = state;

    if (known->state.fails) {
        error.data = known->error.data;
        error.len = known->error.len;

        st->fallback_error = ngx_http_ilert_status_name(st, &error);
    }
}


static void
ngx_http_ilert_status_count_refused(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                 i;
    ngx_http_ilert_source_t  **sources;

    st->rejected = 0;
    st->unavailable = 0;

    ngx_http_ilert_status_add_refused(st, st->counters->refused);

    sources = imcf->sources.elts;

    for (i = 0; i < imcf->sources.nelts; i++) {
        ngx_http_ilert_status_add_refused(st, sources[i]->counters->refused);
    }

    ngx_http_ilert_counters_get_refusal(st->counters, &st->refusal);
}


static void
ngx_http_ilert_status_add_refused(ngx_http_ilert_status_t *st,
    ngx_http_ilert_counters_code_t *refused)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_REFUSED; i++) {

        if (ngx_http_ilert_counters_unavailable(refused[i].code)) {
            st->unavailable += refused[i].n;

        } else {
            st->rejected += refused[i].n;
        }
    }
}


static ngx_int_t
ngx_http_ilert_status_source(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf, ngx_http_ilert_source_t *source)
{
    ngx_str_t                          error;
    ngx_http_ilert_store_source_t     *read;
    ngx_http_ilert_counters_last_t     known;
    ngx_http_ilert_status_source_t     ss, *sp;
    ngx_http_ilert_counters_source_t  *counters;

    ngx_memzero(&ss, sizeof(ngx_http_ilert_status_source_t));

    counters = source->counters;

    ss.counters = counters;
    ss.open = -1;

    /* a source that the store does not know yet has no events there */

    if (imcf->queue.path.len) {
        ss.open = 0;

        if (st->query == NULL) {
            ngx_http_ilert_counters_get_waiting(counters, &ss.waiting);
            ss.open = ss.waiting.open;
        }
    }

    read = ngx_http_ilert_status_stored(st, &source->name);

    if (read) {
        ngx_http_ilert_status_read(&ss.waiting, read);
        ss.open = read->open;
    }

    ngx_http_ilert_status_waiting(&ss.waiting, &ss.pending, &ss.oldest);

    ngx_http_ilert_status_sum(&st->waiting, &ss.waiting);

    if (st->source.len
        && !ngx_http_ilert_text_same(&st->source, &source->name))
    {
        return NGX_OK;
    }

    sp = ngx_array_push(&st->sources);
    if (sp == NULL) {
        return NGX_ERROR;
    }

    *sp = ss;

    ngx_http_ilert_status_digest(st, &source->name, sp);

    sp->name = ngx_http_ilert_status_name(st, &source->name);
    sp->inflight = ngx_min((int64_t) counters->inflight, ss.pending);

    ngx_http_ilert_counters_get_last(counters, &known);

    sp->until = known.until;
    sp->success = known.success;
    sp->error_time = known.error_time;
    sp->error_status = known.error_status;

    error.data = known.error.data;
    error.len = known.error.len;

    sp->error.data = ngx_pstrdup(st->pool, &error);
    if (sp->error.data == NULL) {
        return NGX_ERROR;
    }

    sp->error.len = error.len;

    ngx_http_ilert_status_set_budget(&sp->budget, &source->shared->rate,
                       ngx_http_ilert_status_used(st, &source->shared->name));

    ngx_http_ilert_status_state(st, source, read, &known, sp);

    return NGX_OK;
}


/*
 * Adds sources of the store that are not configured any more, if they still
 * have events, dead letters, or open alerts.
 */

static ngx_int_t
ngx_http_ilert_status_strangers(ngx_http_ilert_status_t *st,
    ngx_http_ilert_main_conf_t *imcf)
{
    ngx_uint_t                       i;
    ngx_http_ilert_store_source_t   *read;
    ngx_http_ilert_status_source_t   ss, *sp;

    read = st->query->sources.elts;

    for (i = 0; i < st->query->sources.nelts; i++) {

        if (ngx_http_ilert_find_source(imcf, &read[i].name)) {
            continue;
        }

        ngx_memzero(&ss, sizeof(ngx_http_ilert_status_source_t));

        ngx_http_ilert_status_read(&ss.waiting, &read[i]);
        ngx_http_ilert_status_waiting(&ss.waiting, &ss.pending, &ss.oldest);

        if (ss.pending == 0 && ss.waiting.dead == 0 && read[i].open == 0
            && !ngx_http_ilert_status_is_held(&ss.waiting))
        {
            continue;
        }

        ngx_http_ilert_status_sum(&st->waiting, &ss.waiting);

        if (st->source.len
            && !ngx_http_ilert_text_same(&st->source, &read[i].name))
        {
            continue;
        }

        sp = ngx_array_push(&st->sources);
        if (sp == NULL) {
            return NGX_ERROR;
        }

        *sp = ss;

        sp->name = ngx_http_ilert_status_name(st, &read[i].name);
        sp->open = read[i].open;
        ngx_http_ilert_status_digest(st, &read[i].name, sp);
        sp->state = NGX_HTTP_ILERT_STATE_PARKED;
        ngx_str_set(&sp->reason, "it is not configured");
        sp->budget.rate = -1;
        sp->budget.used = -1;
    }

    return NGX_OK;
}


/* Adds up what is pending: what is held back is not, nor are repeats. */

static void
ngx_http_ilert_status_waiting(ngx_http_ilert_counters_waiting_t *waiting,
    int64_t *pending, int64_t *oldest)
{
    ngx_uint_t  i;

    *pending = 0;
    *oldest = 0;

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_PENDING; i++) {

        *pending += waiting->waiting[i];

        if (waiting->oldest[i]
            && (*oldest == 0 || waiting->oldest[i] < *oldest))
        {
            *oldest = waiting->oldest[i];
        }
    }
}


/* Returns 1 if something is held back, for whatever reason. */

static ngx_uint_t
ngx_http_ilert_status_is_held(ngx_http_ilert_counters_waiting_t *waiting)
{
    ngx_uint_t  i;

    for (i = NGX_HTTP_ILERT_COUNTERS_PENDING; i < NGX_HTTP_ILERT_URGENCIES;
         i++)
    {
        if (ngx_http_ilert_rules_held(i) && waiting->waiting[i]) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_ilert_status_sum(ngx_http_ilert_counters_waiting_t *sum,
    ngx_http_ilert_counters_waiting_t *waiting)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
        sum->waiting[i] += waiting->waiting[i];
    }

    for (i = 0; i < NGX_HTTP_ILERT_COUNTERS_PENDING; i++) {

        if (waiting->oldest[i]
            && (sum->oldest[i] == 0 || waiting->oldest[i] < sum->oldest[i]))
        {
            sum->oldest[i] = waiting->oldest[i];
        }
    }
}


static void
ngx_http_ilert_status_read(ngx_http_ilert_counters_waiting_t *waiting,
    ngx_http_ilert_store_source_t *read)
{
    ngx_memcpy(waiting->waiting, read->waiting, sizeof(waiting->waiting));
    ngx_memcpy(waiting->oldest, read->oldest, sizeof(waiting->oldest));

    waiting->dead = read->dead;
    waiting->open = read->open;
}


static ngx_http_ilert_store_source_t *
ngx_http_ilert_status_stored(ngx_http_ilert_status_t *st, ngx_str_t *name)
{
    ngx_uint_t                      i;
    ngx_http_ilert_store_source_t  *read;

    if (st->query == NULL) {
        return NULL;
    }

    read = st->query->sources.elts;

    for (i = 0; i < st->query->sources.nelts; i++) {
        if (ngx_http_ilert_text_same(&read[i].name, name)) {
            return &read[i];
        }
    }

    return NULL;
}


static void
ngx_http_ilert_status_digest(ngx_http_ilert_status_t *st, ngx_str_t *name,
    ngx_http_ilert_status_source_t *ss)
{
    ngx_uint_t                       i;
    ngx_http_ilert_store_digests_t  *digest;

    ss->listing = NULL;

    if (st->query == NULL) {
        ss->digest = (st->path.len == 0) ? 0 : -1;
        return;
    }

    digest = st->query->digests.elts;

    for (i = 0; i < st->query->digests.nelts; i++) {
        if (ngx_http_ilert_text_same(&digest[i].source, name)) {
            ss->listing = &digest[i];
        }
    }

    ss->digest = (ss->listing != NULL);
}


/* A budget is shown as requests in a minute, whatever the rate's window is. */

static void
ngx_http_ilert_status_set_budget(ngx_http_ilert_status_budget_t *budget,
    ngx_http_ilert_rate_t *rate, ngx_http_ilert_store_used_t *used)
{
    budget->rate = -1;
    budget->reserve = -1;
    budget->used = -1;

    if (rate->n == 0) {
        return;
    }

    budget->rate = (int64_t) rate->n * 60000 / (int64_t) rate->window;
    budget->reserve = (int64_t) rate->reserve * 60000 / (int64_t) rate->window;

    if (used) {
        budget->used = (int64_t) used->used * 60000 / (int64_t) rate->window;
    }
}


/*
 * Returns the name as valid UTF-8, which a name of the configuration need not
 * be.
 */

static ngx_str_t
ngx_http_ilert_status_name(ngx_http_ilert_status_t *st, ngx_str_t *name)
{
    ngx_str_t  valid;

    valid = *name;

    (void) ngx_http_ilert_text_valid(&valid, st->pool);

    return valid;
}
