
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * Lists what waits, for a query, and for what each alert waits.
 *
 * Of each source and urgency the alerts are selected in the order of their
 * first events, and no more than a list can have.  So the time that this takes
 * does not depend on how much waits.
 */


/*
 * alerts that are looked at, at most: those that are under way, those that
 * a digest may have named, and those of letters
 */

#define NGX_HTTP_ILERT_WAITERS_ROWS       1000


/* a source, and what is found out about its digest */

typedef struct {
    ngx_http_ilert_store_counted_t  *counted;
    ngx_http_ilert_digest_t         *digest;    /* the open one, if ilert */
                                            /* has taken what it says, or */
                                            /* NULL; known if "looked" */
    unsigned                         looked:1;
} ngx_http_ilert_waiters_source_t;


/* an alert that may be in the list */

typedef struct {
    ngx_http_ilert_store_alert_t     *alert;
    ngx_http_ilert_waiters_source_t  *source;
    int64_t                           since;
    ngx_uint_t                        named;    /* level that the digest */
                                            /* names, or 0 */
    unsigned                          last:1;   /* it comes after others */
    ngx_http_ilert_store_letter_t    *letter;   /* or NULL */
} ngx_http_ilert_waiters_found_t;


typedef struct {
    ngx_http_ilert_store_work_t      *work;
    ngx_http_ilert_store_query_t     *query;
    int64_t                           waiting[NGX_HTTP_ILERT_URGENCIES];
                                                /* events of all sources */
    ngx_array_t                       sources;  /* waiters_source_t */
    ngx_array_t                       taken;    /* store_alert_t * */
    ngx_array_t                       found;    /* waiters_found_t, of one */
                                                /* urgency */
    ngx_array_t                      *waiters;
} ngx_http_ilert_waiters_t;


static ngx_int_t ngx_http_ilert_waiters_begin(ngx_http_ilert_waiters_t *wt);
static ngx_int_t ngx_http_ilert_waiters_of(ngx_http_ilert_waiters_t *wt,
    ngx_uint_t urgency);
static ngx_int_t ngx_http_ilert_waiters_select(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_source_t *source, ngx_uint_t urgency,
    ngx_http_ilert_store_which_e which);
static ngx_int_t ngx_http_ilert_waiters_find(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_waiters_source_t *source,
    ngx_http_ilert_store_letter_t *letter);
static ngx_int_t ngx_http_ilert_waiters_named(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_source_t *source);
static ngx_int_t ngx_http_ilert_waiters_digest(ngx_http_ilert_waiters_t *wt,
    ngx_str_t *name, ngx_uint_t *taken);
static ngx_int_t ngx_http_ilert_waiters_letters(ngx_http_ilert_waiters_t *wt);
static ngx_int_t ngx_http_ilert_waiters_letter(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_store_letter_t *letter);
static ngx_int_t ngx_http_ilert_waiters_add(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_found_t *found);
static ngx_int_t ngx_http_ilert_waiters_event(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_found_t *found,
    ngx_http_ilert_store_waiter_t *waiter);
static void ngx_http_ilert_waiters_for(ngx_http_ilert_waiters_found_t *found,
    ngx_http_ilert_store_waiter_t *waiter);
static ngx_http_ilert_waiters_source_t *ngx_http_ilert_waiters_source(
    ngx_http_ilert_waiters_t *wt, int64_t id);
static int ngx_libc_cdecl ngx_http_ilert_waiters_cmp(const void *one,
    const void *two);
static int ngx_libc_cdecl ngx_http_ilert_waiters_cmp_urgent(const void *one,
    const void *two);


ngx_int_t
ngx_http_ilert_waiters_list(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_array_t *waiters)
{
    ngx_uint_t                urgency, last;
    ngx_http_ilert_waiters_t  wt;

    wt.work = work;
    wt.query = query;
    wt.waiters = waiters;

    if (ngx_http_ilert_waiters_begin(&wt) != NGX_OK) {
        return NGX_ERROR;
    }

    last = query->urgent ? NGX_HTTP_ILERT_CRITICAL_FIRST
                         : NGX_HTTP_ILERT_URGENCIES - 1;

    for (urgency = 0;
         urgency <= last && waiters->nelts < NGX_HTTP_ILERT_STORE_LISTED;
         urgency++)
    {
        if (urgency != NGX_HTTP_ILERT_REPEATS
            && ngx_http_ilert_waiters_of(&wt, urgency) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (query->urgent && waiters->nelts > 1) {

        /* an urgent event may have come after the first one of its alert */

        ngx_qsort(waiters->elts, waiters->nelts,
                  sizeof(ngx_http_ilert_store_waiter_t),
                  ngx_http_ilert_waiters_cmp_urgent);
    }

    return NGX_OK;
}


/* Finds the sources that are asked for, and what is under way. */

static ngx_int_t
ngx_http_ilert_waiters_begin(ngx_http_ilert_waiters_t *wt)
{
    ngx_uint_t                        i, k;
    ngx_array_t                       sources;
    ngx_http_ilert_store_filter_t     filter;
    ngx_http_ilert_store_counted_t   *counted;
    ngx_http_ilert_waiters_source_t  *source;

    if (ngx_http_ilert_work_sources(wt->work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_array_init(&wt->sources, wt->work->pool, sources.nelts + 1,
                       sizeof(ngx_http_ilert_waiters_source_t))
        != NGX_OK
        || ngx_array_init(&wt->found, wt->work->pool,
                          NGX_HTTP_ILERT_STORE_LISTED,
                          sizeof(ngx_http_ilert_waiters_found_t))
           != NGX_OK
        || ngx_array_init(wt->waiters, wt->work->pool, 16,
                          sizeof(ngx_http_ilert_store_waiter_t))
           != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(wt->work);
    }

    counted = sources.elts;

    ngx_memzero(wt->waiting, sizeof(wt->waiting));

    for (i = 0; i < sources.nelts; i++) {

        for (k = 0; k < NGX_HTTP_ILERT_URGENCIES; k++) {
            wt->waiting[k] += ngx_max(counted[i].waiting[k], 0);
        }

        if (wt->query->source.len
            && !ngx_http_ilert_text_same(&wt->query->source,
                                         &counted[i].name))
        {
            continue;
        }

        source = ngx_array_push(&wt->sources);

        ngx_memzero(source, sizeof(ngx_http_ilert_waiters_source_t));

        source->counted = &counted[i];
    }

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_TAKEN;
    filter.limit = NGX_HTTP_ILERT_WAITERS_ROWS;

    return ngx_http_ilert_work_alerts(wt->work, &filter, &wt->taken);
}


/* Adds what waits with that urgency, the oldest first. */

static ngx_int_t
ngx_http_ilert_waiters_of(ngx_http_ilert_waiters_t *wt, ngx_uint_t urgency)
{
    ngx_uint_t                        i;
    ngx_http_ilert_store_alert_t    **taken;
    ngx_http_ilert_waiters_found_t   *found;
    ngx_http_ilert_waiters_source_t  *source;

    wt->found.nelts = 0;
    taken = wt->taken.elts;

    for (i = 0; i < wt->taken.nelts; i++) {
        source = ngx_http_ilert_waiters_source(wt, taken[i]->row.source);

        if (source && taken[i]->row.urgency == (int64_t) urgency
            && ngx_http_ilert_waiters_find(wt, taken[i], source, NULL)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    source = wt->sources.elts;

    /*
     * An alert is urgent by any of its events, which may be of other sources
     * than the first one, whose alert it is.
     */

    for (i = 0; wt->waiting[urgency] > 0 && i < wt->sources.nelts; i++) {

        if (ngx_http_ilert_waiters_select(wt, &source[i], urgency,
                                          NGX_HTTP_ILERT_ALERTS_HELD)
            != NGX_OK
            || (!ngx_http_ilert_rules_held(urgency)
                && ngx_http_ilert_waiters_select(wt, &source[i], urgency,
                                                 NGX_HTTP_ILERT_ALERTS_READY)
                   != NGX_OK))
        {
            return NGX_ERROR;
        }
    }

    if (wt->query->urgent && ngx_http_ilert_waiters_letters(wt) != NGX_OK) {
        return NGX_ERROR;
    }

    if (wt->found.nelts > 1) {
        ngx_qsort(wt->found.elts, wt->found.nelts,
                  sizeof(ngx_http_ilert_waiters_found_t),
                  ngx_http_ilert_waiters_cmp);
    }

    found = wt->found.elts;

    for (i = 0;
         i < wt->found.nelts
         && wt->waiters->nelts < NGX_HTTP_ILERT_STORE_LISTED;
         i++)
    {
        if (ngx_http_ilert_waiters_add(wt, &found[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_waiters_select(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_source_t *source, ngx_uint_t urgency,
    ngx_http_ilert_store_which_e which)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = which;
    filter.source = source->counted->id;
    filter.urgency = urgency;
    filter.limit = NGX_HTTP_ILERT_STORE_LISTED;

    /* those that a digest has named come last: others may be behind them */

    if (wt->query->urgent && wt->work->total.digests) {
        filter.limit = NGX_HTTP_ILERT_WAITERS_ROWS;
    }

    if (ngx_http_ilert_work_alerts(wt->work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        if (ngx_http_ilert_waiters_find(wt, alert[i], source, NULL)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Notes an alert that waits, or, if "letter" is not NULL, one whose last event
 * is that letter.  What a person has paused, or a digest has named, is not
 * what a query with "urgent" is after, so it comes last.
 */

static ngx_int_t
ngx_http_ilert_waiters_find(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_waiters_source_t *source,
    ngx_http_ilert_store_letter_t *letter)
{
    ngx_http_ilert_waiters_found_t  *found;

    if (alert->row.named && ngx_http_ilert_waiters_named(wt, source) != NGX_OK)
    {
        return NGX_ERROR;
    }

    found = ngx_array_push(&wt->found);
    if (found == NULL) {
        return ngx_http_ilert_work_no_memory(wt->work);
    }

    found->alert = alert;
    found->source = source;
    found->letter = letter;
    found->since = letter ? letter->said.received : alert->row.since;
    found->named = 0;

    if (alert->row.named && source->digest) {
        found->named = ngx_http_ilert_digest_named(source->digest,
                                                   alert->row.named);
    }

    found->last = wt->query->urgent
                  && (found->named
                      || (letter == NULL && source->counted->paused));

    return NGX_OK;
}


/* Finds out whether ilert has taken what the digest of a source says. */

static ngx_int_t
ngx_http_ilert_waiters_named(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_source_t *source)
{
    ngx_uint_t                      taken;
    ngx_http_ilert_store_digest_t  *digest;

    if (source->looked) {
        return NGX_OK;
    }

    source->looked = 1;

    if (ngx_http_ilert_digest_load(wt->work) != NGX_OK) {
        return NGX_ERROR;
    }

    digest = ngx_http_ilert_digest_of(wt->work, source->counted->id);

    if (digest == NULL || digest->state.opened == 0) {
        return NGX_OK;
    }

    if (ngx_http_ilert_waiters_digest(wt, &source->counted->name, &taken)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    source->digest = taken ? &digest->state : NULL;

    return NGX_OK;
}


/* Sets "taken" to 1 if no event of the digest's own alert waits. */

static ngx_int_t
ngx_http_ilert_waiters_digest(ngx_http_ilert_waiters_t *wt, ngx_str_t *name,
    ngx_uint_t *taken)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *alert;

    *taken = 0;
    alert = NULL;

    rc = ngx_http_ilert_digest_alert(wt->work, name, &alert);

    if (rc == NGX_OK) {
        *taken = (alert->row.head == 0
                  && alert->shown.shows == NGX_HTTP_ILERT_SHOWS_OPEN);
    }

    return (rc == NGX_DECLINED) ? NGX_OK : rc;
}


/* Notes alerts whose last event is an urgent one, and a dead letter. */

static ngx_int_t
ngx_http_ilert_waiters_letters(ngx_http_ilert_waiters_t *wt)
{
    ngx_uint_t                             i, dead;
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_t         *letter;
    ngx_http_ilert_waiters_source_t       *source;
    ngx_http_ilert_store_letter_filter_t   filter;

    dead = 0;
    source = wt->sources.elts;

    for (i = 0; i < wt->sources.nelts; i++) {
        dead |= (source[i].counted->dead > 0);
    }

    if (!dead) {
        return NGX_OK;
    }

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_LATEST;
    filter.limit = NGX_HTTP_ILERT_WAITERS_ROWS;

    if (ngx_http_ilert_work_letters(wt->work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    letter = letters.elts;

    for (i = 0; i < letters.nelts; i++) {
        if (ngx_http_ilert_waiters_letter(wt, &letter[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_waiters_letter(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_store_letter_t *letter)
{
    ngx_int_t                         rc;
    ngx_str_t                        *folded;
    ngx_http_ilert_shown_t            none;
    ngx_http_ilert_store_alert_t     *alert;
    ngx_http_ilert_store_ident_t     *ident;
    ngx_http_ilert_waiters_source_t  *source;

    /* what ilert shows was unknown from then on */

    ngx_memzero(&none, sizeof(ngx_http_ilert_shown_t));

    source = ngx_http_ilert_waiters_source(wt, letter->source_id);

    if (source == NULL
        || ngx_http_ilert_rules_urgency(&none, &letter->said)
           != NGX_HTTP_ILERT_CRITICAL_FIRST)
    {
        return NGX_OK;
    }

    folded = ngx_http_ilert_work_fold(wt->work, &letter->key);
    if (folded == NULL) {
        return NGX_ERROR;
    }

    alert = NULL;

    rc = ngx_http_ilert_work_find_source(wt->work, &letter->source, &ident);

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_work_find_alert(wt->work, ident->owner, ident->id,
                                            folded, &alert);
    }

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    if (alert->row.head || alert->row.gone != letter->seq) {

        /* something has come since */

        return NGX_OK;
    }

    return ngx_http_ilert_waiters_find(wt, alert, source, letter);
}


static ngx_int_t
ngx_http_ilert_waiters_add(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_found_t *found)
{
    ngx_int_t                        rc;
    ngx_http_ilert_store_waiter_t   *waiter;
    ngx_http_ilert_store_silence_t  *silence;

    waiter = ngx_array_push(wt->waiters);
    if (waiter == NULL) {
        return ngx_http_ilert_work_no_memory(wt->work);
    }

    ngx_memzero(waiter, sizeof(ngx_http_ilert_store_waiter_t));

    waiter->source = found->source->counted->name;
    waiter->key = found->alert->alert_key;
    waiter->since = found->since;

    if (found->letter) {
        waiter->type = found->letter->said.type;
        waiter->level = found->letter->said.level;
        waiter->priority = found->letter->said.priority;
        waiter->waits = NGX_HTTP_ILERT_FOR_REPLAY;
        waiter->error = found->letter->error;

    } else {
        waiter->urgency = found->alert->row.urgency;
        ngx_http_ilert_waiters_for(found, waiter);

        if (waiter->waits == NGX_HTTP_ILERT_FOR_SILENCE) {

            rc = ngx_http_ilert_silence_of(wt->work, found->alert, &silence);
            if (rc != NGX_OK) {
                return rc;
            }

            if (silence) {
                waiter->next = silence->until;
            }
        }

        rc = ngx_http_ilert_waiters_event(wt, found, waiter);

        if (rc == NGX_DECLINED) {

            /* its event was deleted by hand */

            wt->waiters->nelts--;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    waiter->named = (found->named && found->named >= waiter->level);

    return NGX_OK;
}


/*
 * Sets what the alert's first event is, or, with "urgent", the first one of
 * that urgency, which may have come later.  Returns NGX_DECLINED if there is
 * none.
 */

static ngx_int_t
ngx_http_ilert_waiters_event(ngx_http_ilert_waiters_t *wt,
    ngx_http_ilert_waiters_found_t *found,
    ngx_http_ilert_store_waiter_t *waiter)
{
    ngx_uint_t                       i, k;
    ngx_array_t                      events;
    ngx_http_ilert_store_waiting_t  *ev;

    if (ngx_array_init(&events, wt->work->pool, 1,
                       sizeof(ngx_http_ilert_store_waiting_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(wt->work);
    }

    if (wt->work->store->backend->events(wt->work, found->alert->id, 0,
                                         wt->query->urgent
                                         ? NGX_HTTP_ILERT_STORE_LISTED : 1,
                                         &events)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (events.nelts == 0) {
        return NGX_DECLINED;
    }

    ev = events.elts;
    k = 0;

    for (i = 0; wt->query->urgent && i < events.nelts; i++) {

        if (ev[i].urgency == NGX_HTTP_ILERT_CRITICAL_FIRST) {
            k = i;
            break;
        }
    }

    waiter->type = ev[k].said.type;
    waiter->level = ev[k].said.level;
    waiter->priority = ev[k].said.priority;

    if (k) {
        waiter->since = ev[k].since;
    }

    return NGX_OK;
}


/* Sets for what the alert waits, and until when, if that is known. */

static void
ngx_http_ilert_waiters_for(ngx_http_ilert_waiters_found_t *found,
    ngx_http_ilert_store_waiter_t *waiter)
{
    ngx_http_ilert_store_row_t  *row;

    row = &found->alert->row;

    waiter->waits = NGX_HTTP_ILERT_FOR_TURN;

    if (row->state == NGX_HTTP_ILERT_STORE_TAKEN) {
        waiter->waits = NGX_HTTP_ILERT_FOR_VERDICT;

    } else if (row->state == NGX_HTTP_ILERT_STORE_WAITING) {

        switch (row->urgency) {

        case NGX_HTTP_ILERT_HELD:
            waiter->waits = NGX_HTTP_ILERT_FOR_DELAY;
            break;

        case NGX_HTTP_ILERT_SILENCED:
            waiter->waits = NGX_HTTP_ILERT_FOR_SILENCE;
            break;

        case NGX_HTTP_ILERT_LISTED:
            waiter->waits = NGX_HTTP_ILERT_FOR_DIGEST;
            break;

        default:
            waiter->waits = (row->next == NGX_HTTP_ILERT_STORE_RELEASED)
                            ? NGX_HTTP_ILERT_FOR_RELEASE
                            : NGX_HTTP_ILERT_FOR_RETRY;
        }

        if (row->next != NGX_HTTP_ILERT_STORE_RELEASED) {
            waiter->next = row->next;
        }
    }

    /* a pause holds all but what is under way or held anyhow */

    if (found->source->counted->paused
        && row->state != NGX_HTTP_ILERT_STORE_TAKEN
        && !ngx_http_ilert_rules_held(row->urgency))
    {
        waiter->waits = NGX_HTTP_ILERT_FOR_RESUME;
        waiter->next = 0;
    }
}


/* Returns the source of that id, if it is asked for, or NULL. */

static ngx_http_ilert_waiters_source_t *
ngx_http_ilert_waiters_source(ngx_http_ilert_waiters_t *wt, int64_t id)
{
    ngx_uint_t                        i;
    ngx_http_ilert_waiters_source_t  *source;

    source = wt->sources.elts;

    for (i = 0; i < wt->sources.nelts; i++) {
        if (source[i].counted->id == id) {
            return &source[i];
        }
    }

    return NULL;
}


static int ngx_libc_cdecl
ngx_http_ilert_waiters_cmp(const void *one, const void *two)
{
    const ngx_http_ilert_waiters_found_t  *a = one, *b = two;

    if (a->last != b->last) {
        return a->last ? 1 : -1;
    }

    if (a->since != b->since) {
        return (a->since < b->since) ? -1 : 1;
    }

    return (a->alert->id < b->alert->id) ? -1 : (a->alert->id > b->alert->id);
}


static int ngx_libc_cdecl
ngx_http_ilert_waiters_cmp_urgent(const void *one, const void *two)
{
    ngx_uint_t                            a_last, b_last;
    const ngx_http_ilert_store_waiter_t  *a = one, *b = two;

    a_last = (a->named || a->waits == NGX_HTTP_ILERT_FOR_RESUME);
    b_last = (b->named || b->waits == NGX_HTTP_ILERT_FOR_RESUME);

    if (a_last != b_last) {
        return a_last ? 1 : -1;
    }

    return (a->since < b->since) ? -1 : (a->since > b->since);
}
