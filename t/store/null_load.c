
/* the backend in memory: records by their names, which are loaded */


#include "null_kept.h"


null_source_t *
null_source_of_id(null_t *n, int64_t id)
{
    ngx_queue_t    *q;
    null_source_t  *source;

    null_each(q, &n->sources) {
        source = ngx_queue_data(q, null_source_t, queue);

        if (source->counted.id == id) {
            return source;
        }
    }

    return NULL;
}


null_budget_t *
null_budget_of_id(null_t *n, int64_t id)
{
    ngx_queue_t    *q;
    null_budget_t  *budget;

    null_each(q, &n->budgets) {
        budget = ngx_queue_data(q, null_budget_t, queue);

        if (budget->id == id) {
            return budget;
        }
    }

    return NULL;
}


null_alert_t *
null_alert_of_id(null_t *n, int64_t id)
{
    null_alert_t  *alert;

    for (alert = n->by_id[(ngx_uint_t) id % NULL_BUCKETS];
         alert && alert->id != id;
         alert = alert->next_by_id)
    {
        /* void */
    }

    return alert;
}


/* of the owner, or, if that is 0, of the source */

null_alert_t *
null_alert_of_key(null_t *n, int64_t owner, int64_t source, ngx_str_t *key)
{
    null_alert_t  *alert;

    for (alert = n->by_key[null_hash(key)];
         alert;
         alert = alert->next_by_key)
    {
        if ((owner ? alert->row.owner == owner : alert->row.source == source)
            && null_same(&alert->key, key))
        {
            break;
        }
    }

    return alert;
}


null_letter_t *
null_letter_of_seq(null_t *n, int64_t seq)
{
    null_letter_t  *letter;

    for (letter = n->by_seq[(ngx_uint_t) seq % NULL_BUCKETS];
         letter && letter->kept.seq != seq;
         letter = letter->next_by_seq)
    {
        /* void */
    }

    return letter;
}


null_event_t *
null_event_of_seq(null_alert_t *alert, int64_t seq)
{
    ngx_queue_t   *q, *last;
    null_event_t  *ev;

    /* it is near one end, mostly */

    last = ngx_queue_sentinel(&alert->events);

    null_each(q, &alert->events) {
        ev = ngx_queue_data(q, null_event_t, queue);

        if (ev->kept.seq == seq) {
            return ev;
        }

        last = ngx_queue_prev(last);
        ev = ngx_queue_data(last, null_event_t, queue);

        if (ev->kept.seq == seq) {
            return ev;
        }
    }

    return NULL;
}


ngx_uint_t
null_is_idle(null_alert_t *alert)
{
    return alert->row.state == NGX_HTTP_ILERT_STORE_READY
           && alert->row.head == 0;
}


int64_t
null_source_of(null_alert_t *alert, null_event_t *ev)
{
    return ev->kept.source ? ev->kept.source : alert->row.source;
}


ngx_int_t
null_source(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_ident_t *ident)
{
    null_t         *n;
    ngx_queue_t    *q, *a;
    null_alert_t   *alert;
    null_source_t  *source;

    n = null_of(work);

    null_each(q, &n->sources) {
        source = ngx_queue_data(q, null_source_t, queue);

        if (!null_same(&source->counted.name, name)) {
            continue;
        }

        ident->id = source->counted.id;
        ident->owner = source->owner;
        ident->paused = source->counted.paused;
        ident->refusals = source->refusals;
        ident->strays = 0;

        if (source->owner) {
            return NGX_OK;
        }

        null_each(a, &n->alerts) {
            alert = ngx_queue_data(a, null_alert_t, queue);

            if (alert->row.owner == 0 && alert->row.source == ident->id) {
                ident->strays = 1;
                break;
            }
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


ngx_int_t
null_fund(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_fund_t *fund)
{
    null_t         *n;
    ngx_queue_t    *q;
    null_budget_t  *budget;

    n = null_of(work);

    null_each(q, &n->budgets) {
        budget = ngx_queue_data(q, null_budget_t, queue);

        if (null_same(&budget->name, name)) {
            fund->id = budget->id;
            fund->paused = budget->paused;
            fund->pause = budget->pause;

            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
null_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund)
{
    null_budget_t  *budget;

    budget = null_budget_of_id(null_of(work), fund->id);

    fund->slots = 1;

    if (budget == NULL) {
        return NGX_OK;
    }

    fund->underway = budget->underway;
    fund->nat = budget->nat;
    fund->at = ngx_palloc(work->pool, (budget->nat + 1) * sizeof(int64_t));

    if (fund->at == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (budget->nat) {
        memcpy(fund->at, budget->at, budget->nat * sizeof(int64_t));
    }

    return NGX_OK;
}


/* its record in the work, which is newer if there is one */

ngx_int_t
null_load(ngx_http_ilert_store_work_t *work, null_alert_t *kept,
    ngx_http_ilert_store_alert_t **alertp)
{
    ngx_uint_t                     known;
    ngx_http_ilert_store_alert_t  *alert;

    alert = ngx_http_ilert_work_alert(work, kept->id, &kept->key,
                                      &kept->alert_key, &known);
    if (alert == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (!known) {
        alert->row = kept->row;
        alert->saved = kept->row;

        if (kept->summary.len
            && null_give(work, &alert->summary, &kept->summary) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_check_alert(work, alert);
    }

    if (null_is_idle(kept)) {
        alert->letter = (null_letter_of_seq(null_of(work), kept->row.gone)
                         != NULL);
    }

    *alertp = alert;

    return NGX_OK;
}


ngx_int_t
null_alert(ngx_http_ilert_store_work_t *work, int64_t owner, int64_t source,
    ngx_str_t *key, ngx_http_ilert_store_alert_t **alert)
{
    null_alert_t  *kept;

    kept = null_alert_of_key(null_of(work), owner, source, key);

    return kept ? null_load(work, kept, alert) : NGX_DECLINED;
}


ngx_int_t
null_get_alert(ngx_http_ilert_store_work_t *work, int64_t id,
    ngx_http_ilert_store_alert_t **alert)
{
    null_alert_t  *kept;

    kept = null_alert_of_id(null_of(work), id);

    return kept ? null_load(work, kept, alert) : NGX_DECLINED;
}


/* as it is kept, but for its queues and its body */

void
null_read_event(null_event_t *kept, ngx_http_ilert_store_waiting_t *ev)
{
    *ev = kept->kept;

    ngx_str_null(&ev->body);

    ngx_http_ilert_work_check_event(ev, kept->kept.body.len);
}


static ngx_int_t
null_edge(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, null_event_t *kept, ngx_uint_t body)
{
    ngx_http_ilert_store_waiting_t  *ev;

    ev = ngx_palloc(work->pool, sizeof(ngx_http_ilert_store_waiting_t));
    if (ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    null_read_event(kept, ev);

    if (body && null_give(work, &ev->body, &kept->kept.body) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&alert->waiting, &ev->queue);

    return NGX_OK;
}


ngx_int_t
null_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body)
{
    ngx_uint_t     i, n;
    ngx_queue_t   *q;
    null_alert_t  *kept;

    alert->edges = NGX_HTTP_ILERT_STORE_ALL;

    kept = null_alert_of_id(null_of(work), alert->id);

    if (kept == NULL) {
        return NGX_OK;
    }

    n = kept->nevents;
    q = ngx_queue_head(&kept->events);

    if (n > 2) {
        alert->edges = which;
        n = 2;

        if (which == NGX_HTTP_ILERT_STORE_BACK) {
            q = ngx_queue_prev(ngx_queue_last(&kept->events));
        }
    }

    for (i = 0; i < n; i++, q = ngx_queue_next(q)) {

        if (null_edge(work, alert, ngx_queue_data(q, null_event_t, queue),
                      body && i == 0)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
