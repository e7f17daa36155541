
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"
#include "ngx_http_ilert_text.h"


/*
 * The records of a transaction.  Each record is loaded once, changed by
 * decisions, and saved.  So whoever looks for it later finds all changes that
 * were decided before, even if they have not been saved.
 */


/* bytes: the size of a work's pool */

#define NGX_HTTP_ILERT_WORK_POOL    16384

/* elements for which a list has room at first */

#define NGX_HTTP_ILERT_WORK_LISTED  16


static ngx_http_ilert_store_ident_t *ngx_http_ilert_work_known_source(
    ngx_http_ilert_store_work_t *work, ngx_str_t *name);
static ngx_int_t ngx_http_ilert_work_add_source(
    ngx_http_ilert_store_work_t *work, ngx_str_t *name, ngx_str_t *owner,
    ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_work_source_of_id(
    ngx_http_ilert_store_work_t *work, int64_t id,
    ngx_http_ilert_store_ident_t **source);
static ngx_int_t ngx_http_ilert_work_load_alert(
    ngx_http_ilert_store_work_t *work, int64_t owner, int64_t source,
    ngx_str_t *key, ngx_http_ilert_store_alert_t **alert);
static ngx_uint_t ngx_http_ilert_work_is_of(
    ngx_http_ilert_store_alert_t *alert, int64_t owner, int64_t source);
static ngx_int_t ngx_http_ilert_work_list(ngx_http_ilert_store_work_t *work,
    ngx_array_t *list, ngx_uint_t limit, size_t size);
static ngx_int_t ngx_http_ilert_work_load_edges(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_edges_e which, ngx_uint_t body);
static ngx_uint_t ngx_http_ilert_work_hash(ngx_str_t *key);
static ngx_int_t ngx_http_ilert_work_copy(ngx_http_ilert_store_work_t *work,
    ngx_str_t *to, ngx_str_t *from);


ngx_int_t
ngx_http_ilert_work_create(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_t *store, int64_t now)
{
    ngx_memzero(work, sizeof(ngx_http_ilert_store_work_t));

    work->store = store;
    work->now = now;

    ngx_queue_init(&work->sources);
    ngx_queue_init(&work->budgets);
    ngx_queue_init(&work->alerts);
    ngx_queue_init(&work->letters);
    ngx_queue_init(&work->refused);
    ngx_queue_init(&work->heard);
    ngx_queue_init(&work->topics);
    ngx_queue_init(&work->silences);
    ngx_queue_init(&work->digests);

    work->pool = ngx_create_pool(NGX_HTTP_ILERT_WORK_POOL, ngx_cycle->log);

    return work->pool ? NGX_OK : ngx_http_ilert_work_no_memory(work);
}


ngx_int_t
ngx_http_ilert_work_end(ngx_http_ilert_store_work_t *work, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        rc = work->store->backend->commit(work);
    }

    if (rc != NGX_OK) {
        work->store->backend->rollback(work);
    }

    return rc;
}


void
ngx_http_ilert_work_destroy(ngx_http_ilert_store_work_t *work)
{
    if (work->pool) {
        ngx_destroy_pool(work->pool);
        work->pool = NULL;
    }
}


ngx_int_t
ngx_http_ilert_work_no_memory(ngx_http_ilert_store_work_t *work)
{
    work->store->backend->no_memory(work->store);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_work_find_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_ident_t **source)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_ident_t  *ident;

    ident = ngx_http_ilert_work_known_source(work, name);

    if (ident == NULL) {

        ident = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_ident_t));

        if (ident == NULL
            || ngx_http_ilert_work_copy(work, &ident->name, name) != NGX_OK)
        {
            return ngx_http_ilert_work_no_memory(work);
        }

        rc = work->store->backend->source(work, &ident->name, ident);

        if (rc == NGX_ERROR) {
            return rc;
        }

        ident->missing = (rc == NGX_DECLINED);

        ngx_queue_insert_tail(&work->sources, &ident->queue);
    }

    *source = ident;

    return ident->missing ? NGX_DECLINED : NGX_OK;
}


static ngx_http_ilert_store_ident_t *
ngx_http_ilert_work_known_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_ident_t  *ident;

    for (q = ngx_queue_head(&work->sources);
         q != ngx_queue_sentinel(&work->sources);
         q = ngx_queue_next(q))
    {
        ident = ngx_queue_data(q, ngx_http_ilert_store_ident_t, queue);

        if (ident->name.data
            && ngx_http_ilert_text_same(&ident->name, name))
        {
            return ident;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_work_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_str_t *owner, ngx_http_ilert_store_ident_t **source)
{
    ngx_int_t  rc;

    rc = ngx_http_ilert_work_find_source(work, name, source);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_work_add_source(work, name, owner, *source);
    }

    if (rc != NGX_OK || (*source)->owner || owner->len == 0
        || (*source)->strays)
    {
        /* if it has strays, the next courier finds their owner first */

        return rc;
    }

    return ngx_http_ilert_work_set_owner(work, *source, owner);
}


static ngx_int_t
ngx_http_ilert_work_add_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_str_t *owner, ngx_http_ilert_store_ident_t *source)
{
    ngx_int_t                     rc;
    ngx_http_ilert_store_fund_t  *fund;

    if (owner->len) {
        rc = ngx_http_ilert_work_fund(work, owner, &fund);
        if (rc != NGX_OK) {
            return rc;
        }

        source->owner = fund->id;
    }

    if (work->next_source == 0
        && work->store->backend->numbers(work) != NGX_OK)
    {
        return NGX_ERROR;
    }

    source->id = work->next_source++;
    source->missing = 0;
    source->added = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_work_set_owner(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *owner)
{
    ngx_int_t                     rc;
    ngx_http_ilert_store_fund_t  *fund;

    rc = ngx_http_ilert_work_fund(work, owner, &fund);

    if (rc == NGX_OK) {
        source->owner = fund->id;
        source->changed = 1;
    }

    return rc;
}


/*
 * Finds the record of a source, or makes one without a name, which is enough
 * to change its counts.
 */

static ngx_int_t
ngx_http_ilert_work_source_of_id(ngx_http_ilert_store_work_t *work,
    int64_t id, ngx_http_ilert_store_ident_t **source)
{
    ngx_queue_t                   *q;
    ngx_http_ilert_store_ident_t  *ident;

    for (q = ngx_queue_head(&work->sources);
         q != ngx_queue_sentinel(&work->sources);
         q = ngx_queue_next(q))
    {
        ident = ngx_queue_data(q, ngx_http_ilert_store_ident_t, queue);

        if (ident->id == id) {
            *source = ident;
            return NGX_OK;
        }
    }

    ident = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_ident_t));
    if (ident == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ident->id = id;
    ngx_queue_insert_tail(&work->sources, &ident->queue);

    *source = ident;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_work_tally(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t urgency, int64_t n)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_ident_t  *ident;

    rc = ngx_http_ilert_work_source_of_id(work, source, &ident);

    if (rc == NGX_OK) {
        ident->waiting[ngx_min(urgency, NGX_HTTP_ILERT_URGENCIES - 1)] += n;
    }

    return rc;
}


ngx_int_t
ngx_http_ilert_work_tally_open(ngx_http_ilert_store_work_t *work,
    int64_t source, int64_t n)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_ident_t  *ident;

    rc = ngx_http_ilert_work_source_of_id(work, source, &ident);

    if (rc == NGX_OK) {
        ident->open += n;
    }

    return rc;
}


ngx_http_ilert_store_fund_t *
ngx_http_ilert_work_known_fund(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name)
{
    ngx_queue_t                  *q;
    ngx_http_ilert_store_fund_t  *fund;

    for (q = ngx_queue_head(&work->budgets);
         q != ngx_queue_sentinel(&work->budgets);
         q = ngx_queue_next(q))
    {
        fund = ngx_queue_data(q, ngx_http_ilert_store_fund_t, queue);

        if (ngx_http_ilert_text_same(&fund->name, name)) {
            return fund;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_ilert_work_fund(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_fund_t **fund)
{
    ngx_int_t                     rc;
    ngx_http_ilert_store_fund_t  *f;

    *fund = ngx_http_ilert_work_known_fund(work, name);

    if (*fund) {
        return NGX_OK;
    }

    f = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_fund_t));

    if (f == NULL || ngx_http_ilert_work_copy(work, &f->name, name) != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    rc = work->store->backend->fund(work, &f->name, f);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED) {

        if (work->next_budget == 0
            && work->store->backend->numbers(work) != NGX_OK)
        {
            return NGX_ERROR;
        }

        f->id = work->next_budget++;
        f->added = 1;
        f->slots = 1;
    }

    ngx_queue_insert_tail(&work->budgets, &f->queue);

    *fund = f;

    return NGX_OK;
}


ngx_str_t *
ngx_http_ilert_work_fold(ngx_http_ilert_store_work_t *work, ngx_str_t *key)
{
    u_char     *p, *last, *out;
    ngx_str_t  *folded;

    p = key->data;
    last = p + key->len;

    while (p < last && (*p == ' ' || (*p >= '\t' && *p <= '\r'))) {
        p++;
    }

    while (p < last && (last[-1] == ' '
                        || (last[-1] >= '\t' && last[-1] <= '\r')))
    {
        last--;
    }

    folded = ngx_palloc(work->pool, sizeof(ngx_str_t) + (last - p) + 1);
    if (folded == NULL) {
        (void) ngx_http_ilert_work_no_memory(work);
        return NULL;
    }

    out = (u_char *) folded + sizeof(ngx_str_t);

    folded->len = last - p;
    folded->data = out;

    while (p < last) {
        *out++ = ngx_tolower(*p);
        p++;
    }

    return folded;
}


ngx_int_t
ngx_http_ilert_work_find_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key,
    ngx_http_ilert_store_alert_t **alert)
{
    ngx_int_t  rc;

    rc = NGX_DECLINED;

    if (owner) {
        rc = ngx_http_ilert_work_load_alert(work, owner, 0, key, alert);
    }

    if (rc == NGX_DECLINED && source) {
        rc = ngx_http_ilert_work_load_alert(work, 0, source, key, alert);
    }

    return rc;
}


static ngx_int_t
ngx_http_ilert_work_load_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key,
    ngx_http_ilert_store_alert_t **alert)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *found;

    for (found = work->by_key[ngx_http_ilert_work_hash(key)];
         found;
         found = found->next_by_key)
    {
        if (ngx_http_ilert_work_is_of(found, owner, source)
            && ngx_http_ilert_text_same(&found->key, key))
        {
            *alert = found;
            return NGX_OK;
        }
    }

    rc = work->store->backend->alert(work, owner, source, key, &found);

    if (rc != NGX_OK) {
        return rc;
    }

    /* the record may have been changed since, and not fit any longer */

    *alert = found;

    return ngx_http_ilert_work_is_of(found, owner, source) ? NGX_OK
                                                           : NGX_DECLINED;
}


/* Returns 1 if the alert is there, and is of that owner, or else source. */

static ngx_uint_t
ngx_http_ilert_work_is_of(ngx_http_ilert_store_alert_t *alert, int64_t owner,
    int64_t source)
{
    return !alert->removed && (owner ? alert->row.owner == owner
                                     : alert->row.source == source);
}


ngx_int_t
ngx_http_ilert_work_alert_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t **alert)
{
    ngx_int_t                      rc;
    ngx_str_t                     *key;
    ngx_http_ilert_store_alert_t  *found;
    ngx_http_ilert_store_ident_t  *source;

    rc = ngx_http_ilert_work_source(work, &ev->source, &ev->owner, &source);
    if (rc != NGX_OK) {
        return rc;
    }

    ev->source_id = source->id;

    key = ngx_http_ilert_work_fold(work, &ev->key);
    if (key == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_find_alert(work, source->owner, source->id, key,
                                        &found);

    if (rc == NGX_DECLINED) {
        return ngx_http_ilert_work_add_alert(work, source->owner, source->id,
                                             key, &ev->key, alert);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_http_ilert_text_same(&found->alert_key, &ev->key)) {
        found->alert_key = ev->key;
        found->renamed = 1;
    }

    if (found->row.owner == 0 && source->owner) {

        /* the owner has no such alert yet, so this stray becomes its alert */

        found->row.owner = source->owner;
    }

    *alert = found;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_work_get_alert(ngx_http_ilert_store_work_t *work, int64_t id,
    ngx_http_ilert_store_alert_t **alert)
{
    ngx_http_ilert_store_alert_t  *found;

    for (found = work->by_id[(ngx_uint_t) id % NGX_HTTP_ILERT_STORE_BUCKETS];
         found;
         found = found->next_by_id)
    {
        if (found->id == id) {
            *alert = found;
            return found->removed ? NGX_DECLINED : NGX_OK;
        }
    }

    return work->store->backend->alert_of_id(work, id, alert);
}


ngx_int_t
ngx_http_ilert_work_add_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t **alert)
{
    ngx_uint_t                     known;
    ngx_http_ilert_store_alert_t  *added;

    added = ngx_http_ilert_work_alert(work, work->next_alert, key, alert_key,
                                      &known);
    if (added == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    work->next_alert++;

    added->row.source = source;
    added->row.owner = owner;
    added->row.urgency = NGX_HTTP_ILERT_UPDATES;
    added->edges = NGX_HTTP_ILERT_STORE_ALL;
    added->added = 1;

    *alert = added;

    return NGX_OK;
}


ngx_http_ilert_store_alert_t *
ngx_http_ilert_work_alert(ngx_http_ilert_store_work_t *work, int64_t id,
    ngx_str_t *key, ngx_str_t *alert_key, ngx_uint_t *known)
{
    ngx_uint_t                      hash;
    ngx_http_ilert_store_alert_t   *alert, **bucket;

    bucket = &work->by_id[(ngx_uint_t) id % NGX_HTTP_ILERT_STORE_BUCKETS];

    for (alert = *bucket; alert; alert = alert->next_by_id) {
        if (alert->id == id) {
            *known = 1;
            return alert;
        }
    }

    *known = 0;

    alert = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_alert_t));

    if (alert == NULL
        || ngx_http_ilert_work_copy(work, &alert->key, key) != NGX_OK
        || ngx_http_ilert_work_copy(work, &alert->alert_key, alert_key)
           != NGX_OK)
    {
        return NULL;
    }

    alert->id = id;

    ngx_queue_init(&alert->waiting);
    ngx_queue_init(&alert->changes);

    alert->next_by_id = *bucket;
    *bucket = alert;

    hash = ngx_http_ilert_work_hash(key);

    alert->next_by_key = work->by_key[hash];
    work->by_key[hash] = alert;

    ngx_queue_insert_tail(&work->alerts, &alert->queue);

    return alert;
}


ngx_int_t
ngx_http_ilert_work_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts)
{
    return (ngx_http_ilert_work_list(work, alerts, filter->limit,
                                     sizeof(ngx_http_ilert_store_alert_t *))
            == NGX_OK)
           ? work->store->backend->alerts(work, filter, alerts) : NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_work_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters)
{
    return (ngx_http_ilert_work_list(work, letters, filter->limit,
                                     sizeof(ngx_http_ilert_store_letter_t))
            == NGX_OK)
           ? work->store->backend->letters(work, filter, letters) : NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_work_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused)
{
    return (ngx_http_ilert_work_list(work, refused, filter->limit,
                                     sizeof(ngx_http_ilert_store_refused_t))
            == NGX_OK)
           ? work->store->backend->refused(work, filter, refused) : NGX_ERROR;
}


ngx_int_t
ngx_http_ilert_work_sources(ngx_http_ilert_store_work_t *work,
    ngx_array_t *sources)
{
    return (ngx_http_ilert_work_list(work, sources,
                                     NGX_HTTP_ILERT_WORK_LISTED,
                                     sizeof(ngx_http_ilert_store_counted_t))
            == NGX_OK)
           ? work->store->backend->sources(work, sources) : NGX_ERROR;
}


/*
 * Saves all changes, unless the work is only reading, and makes an array for
 * up to "limit" elements, with room for the first ones.
 */

static ngx_int_t
ngx_http_ilert_work_list(ngx_http_ilert_store_work_t *work, ngx_array_t *list,
    ngx_uint_t limit, size_t size)
{
    if (ngx_array_init(list, work->pool,
                       ngx_min(limit, NGX_HTTP_ILERT_WORK_LISTED), size)
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    return work->reading ? NGX_OK : work->store->backend->save(work);
}


ngx_int_t
ngx_http_ilert_work_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body)
{
    ngx_http_ilert_store_waiting_t  *first;

    if (alert->edges == NGX_HTTP_ILERT_STORE_NO_EDGES) {
        return ngx_http_ilert_work_load_edges(work, alert, which, body);
    }

    first = ngx_http_ilert_work_first(alert);

    if ((alert->edges == NGX_HTTP_ILERT_STORE_ALL
         || (alert->edges == which
             && first != ngx_http_ilert_work_last(alert)))
        && (!body || first == NULL || first->body.data || first->ev))
    {
        return NGX_OK;
    }

    return ngx_http_ilert_work_reload(work, alert, which, body);
}


ngx_int_t
ngx_http_ilert_work_reload(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body)
{
    ngx_int_t  rc;

    rc = work->store->backend->save(work);

    return (rc == NGX_OK) ? ngx_http_ilert_work_load_edges(work, alert, which,
                                                           body)
                          : rc;
}


static ngx_int_t
ngx_http_ilert_work_load_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body)
{
    ngx_queue_init(&alert->waiting);

    alert->edges = which;

    return work->store->backend->edges(work, alert, which, body);
}


void
ngx_http_ilert_work_change(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev, ngx_http_ilert_store_change_e change)
{
    if (!ev->listed) {
        ev->listed = 1;
        ngx_queue_insert_tail(&alert->changes, &ev->changes);
    }

    if (ev->change == NGX_HTTP_ILERT_STORE_ADDED) {

        /* the backend does not have it, so nothing has to be saved */

        if (change == NGX_HTTP_ILERT_STORE_REMOVED) {
            ev->listed = 0;
            ngx_queue_remove(&ev->changes);
        }

        return;
    }

    if (ev->change != NGX_HTTP_ILERT_STORE_REPLACED
        || change != NGX_HTTP_ILERT_STORE_RERATED)
    {
        ev->change = change;
    }
}


/*
 * A held repeat says what ilert shows already, so the next event may be sent
 * before it.
 */

ngx_uint_t
ngx_http_ilert_work_waits(int64_t state, int64_t urgency, int64_t head)
{
    return head > 0 && !(state == NGX_HTTP_ILERT_STORE_WAITING
                         && urgency == NGX_HTTP_ILERT_REPEATS);
}


void
ngx_http_ilert_work_show(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    alert->row.shows = (alert->shown.shows == NGX_HTTP_ILERT_SHOWS_ANYTHING)
                       ? NGX_HTTP_ILERT_SHOWS_UNKNOWN : alert->shown.shows;
    alert->row.epoch = work->total.epoch;
    alert->row.level = alert->shown.level;
    alert->row.priority = alert->shown.priority;
    alert->row.told = alert->shown.told;
    alert->row.message = alert->shown.message;
    alert->row.lowered = alert->shown.lowered;
    alert->row.severity = alert->shown.severity;
}


static ngx_uint_t
ngx_http_ilert_work_hash(ngx_str_t *key)
{
    size_t      i;
    ngx_uint_t  hash;

    hash = 0;

    for (i = 0; i < key->len; i++) {
        hash = ngx_hash(hash, key->data[i]);
    }

    return hash % NGX_HTTP_ILERT_STORE_BUCKETS;
}


static ngx_int_t
ngx_http_ilert_work_copy(ngx_http_ilert_store_work_t *work, ngx_str_t *to,
    ngx_str_t *from)
{
    to->data = ngx_pnalloc(work->pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    to->len = from->len;

    if (from->len) {
        ngx_memcpy(to->data, from->data, from->len);
    }

    return NGX_OK;
}


ngx_http_ilert_store_waiting_t *
ngx_http_ilert_work_first(ngx_http_ilert_store_alert_t *alert)
{
    if (ngx_queue_empty(&alert->waiting)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_head(&alert->waiting),
                          ngx_http_ilert_store_waiting_t, queue);
}


ngx_http_ilert_store_waiting_t *
ngx_http_ilert_work_second(ngx_http_ilert_store_alert_t *alert)
{
    ngx_queue_t  *q;

    q = ngx_queue_next(ngx_queue_head(&alert->waiting));

    return (q == ngx_queue_sentinel(&alert->waiting)) ? NULL
           : ngx_queue_data(q, ngx_http_ilert_store_waiting_t, queue);
}


ngx_http_ilert_store_waiting_t *
ngx_http_ilert_work_last(ngx_http_ilert_store_alert_t *alert)
{
    if (ngx_queue_empty(&alert->waiting)) {
        return NULL;
    }

    return ngx_queue_data(ngx_queue_last(&alert->waiting),
                          ngx_http_ilert_store_waiting_t, queue);
}


void
ngx_http_ilert_work_remove_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter)
{
    letter->removed = 1;

    ngx_queue_insert_tail(&work->letters, &letter->queue);
}


void
ngx_http_ilert_work_remove_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_t *refused)
{
    refused->removed = 1;

    ngx_queue_insert_tail(&work->refused, &refused->queue);
}


void
ngx_http_ilert_work_due(ngx_http_ilert_store_work_t *work, int64_t due)
{
    if (work->due == 0 || due < work->due) {
        work->due = due;
    }
}
