
/* the backend in memory: what is selected, counted, and moved */


#include "null_kept.h"


/* what is found: in the order of two numbers */

typedef struct {
    int64_t             first;
    int64_t             second;
    ngx_uint_t          place;
    void               *data;
} null_found_t;

typedef struct {
    null_found_t       *elts;
    ngx_uint_t          n;
    ngx_uint_t          size;
} null_list_t;


/* lists of what is found */

static void
null_found(null_list_t *list, int64_t first, int64_t second, void *data)
{
    null_found_t  *elts;

    if (list->n == list->size) {
        list->size = list->size ? 2 * list->size : 64;

        elts = realloc(list->elts, list->size * sizeof(null_found_t));

        if (elts == NULL) {
            abort();
        }

        list->elts = elts;
    }

    list->elts[list->n].first = first;
    list->elts[list->n].second = second;
    list->elts[list->n].place = list->n;
    list->elts[list->n].data = data;
    list->n++;
}


static int
null_order(const void *one, const void *two)
{
    const null_found_t  *a = one, *b = two;

    if (a->first != b->first) {
        return (a->first < b->first) ? -1 : 1;
    }

    if (a->second != b->second) {
        return (a->second < b->second) ? -1 : 1;
    }

    /* alerts are gone through by id */

    return (a->place > b->place) - (a->place < b->place);
}


/* in order, and not more than so many */

static void
null_sort(null_list_t *list, ngx_uint_t limit)
{
    ngx_uint_t  i;

    for (i = 1; i < list->n; i++) {
        if (null_order(&list->elts[i - 1], &list->elts[i]) > 0) {
            qsort(list->elts, list->n, sizeof(null_found_t), null_order);
            break;
        }
    }

    list->n = ngx_min(list->n, limit);
}


static ngx_uint_t
null_after(int64_t time, int64_t id, ngx_http_ilert_store_filter_t *filter)
{
    return time > filter->time || (time == filter->time && id > filter->id);
}


/* whether it is selected, and the numbers that it is in order by */

static ngx_uint_t
null_matches(null_alert_t *alert, ngx_http_ilert_store_filter_t *filter,
    int64_t *first, int64_t *second)
{
    ngx_http_ilert_store_row_t  *row;

    row = &alert->row;
    *second = alert->id;

    switch (filter->which) {

    case NGX_HTTP_ILERT_ALERTS_READY:
        *first = row->head;
        return row->state == NGX_HTTP_ILERT_STORE_READY && row->head > 0
               && row->source == filter->source
               && row->urgency == (int64_t) filter->urgency;

    case NGX_HTTP_ILERT_ALERTS_STRANGE:
        *first = row->head;
        return row->state == NGX_HTTP_ILERT_STORE_READY && row->head > 0
               && row->source == filter->source
               && (row->urgency < 0 || row->urgency > NGX_HTTP_ILERT_REPEATS);

    case NGX_HTTP_ILERT_ALERTS_TAKEN:
        *first = row->head;
        return row->state == NGX_HTTP_ILERT_STORE_TAKEN;

    case NGX_HTTP_ILERT_ALERTS_DUE:
        *first = row->next;
        return row->state == NGX_HTTP_ILERT_STORE_WAITING
               && row->next <= filter->time;

    case NGX_HTTP_ILERT_ALERTS_LATE:
        *first = row->next;
        return row->state == NGX_HTTP_ILERT_STORE_WAITING
               && row->next > filter->time
               && row->next != NGX_HTTP_ILERT_STORE_RELEASED;

    case NGX_HTTP_ILERT_ALERTS_TIMED:
        *first = row->urgency;
        *second = row->head;
        return row->state == NGX_HTTP_ILERT_STORE_WAITING
               && row->urgency != NGX_HTTP_ILERT_SILENCED
               && row->source == filter->source;

    case NGX_HTTP_ILERT_ALERTS_HELD:
        *first = row->head;
        return row->state == NGX_HTTP_ILERT_STORE_WAITING
               && row->source == filter->source
               && row->urgency == (int64_t) filter->urgency
               && row->head > filter->id;

    case NGX_HTTP_ILERT_ALERTS_BAD:
        *first = -row->bad;
        *second = row->begun;
        return row->bad > 0 && row->source == filter->source;

    case NGX_HTTP_ILERT_ALERTS_OPEN:
        *first = row->last;
        return null_is_idle(alert)
               && row->shows < NGX_HTTP_ILERT_SHOWS_RESOLVED
               && row->source == filter->source
               && null_after(row->last, alert->id, filter);

    case NGX_HTTP_ILERT_ALERTS_SILENT:
        *first = row->last;
        return null_is_idle(alert) && row->silence > 0
               && row->shows < NGX_HTTP_ILERT_SHOWS_RESOLVED
               && row->source == filter->source
               && null_after(row->last, alert->id, filter);

    case NGX_HTTP_ILERT_ALERTS_OVER:
        *first = row->changed;
        return null_is_idle(alert)
               && row->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED
               && null_after(row->changed, alert->id, filter);

    case NGX_HTTP_ILERT_ALERTS_OPENED:
        *first = -row->opened;
        return row->opened != 0 && row->source == filter->source;

    case NGX_HTTP_ILERT_ALERTS_STRAYS:
        *first = alert->id;
        return row->owner == 0 && alert->id > filter->id
               && (filter->source == 0 || row->source == filter->source);

    default: /* NGX_HTTP_ILERT_ALERTS_ALL */
        *first = alert->id;
        return alert->id > filter->id;
    }
}


ngx_int_t
null_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts)
{
    null_t                         *n;
    int64_t                         first, second;
    ngx_int_t                       rc;
    ngx_uint_t                      i, busy;
    null_list_t                     list;
    ngx_queue_t                    *q, *all;
    null_alert_t                   *alert;
    ngx_http_ilert_store_alert_t  **p;

    n = null_of(work);

    busy = (filter->which <= NGX_HTTP_ILERT_ALERTS_HELD);
    all = busy ? &n->busy : &n->alerts;

    ngx_memzero(&list, sizeof(null_list_t));

    null_each(q, all) {
        alert = busy ? ngx_queue_data(q, null_alert_t, busy)
                     : ngx_queue_data(q, null_alert_t, queue);

        if (null_matches(alert, filter, &first, &second)) {
            null_found(&list, first, second, alert);
        }
    }

    null_sort(&list, filter->limit);

    rc = NGX_OK;

    for (i = 0; i < list.n && rc == NGX_OK; i++) {
        p = ngx_array_push(alerts);

        rc = p ? null_load(work, list.elts[i].data, p)
               : ngx_http_ilert_work_no_memory(work);
    }

    free(list.elts);

    return rc;
}


ngx_int_t
null_events(ngx_http_ilert_store_work_t *work, int64_t alert, int64_t seq,
    ngx_uint_t limit, ngx_array_t *events)
{
    ngx_queue_t                     *q;
    null_alert_t                    *kept;
    null_event_t                    *ev;
    ngx_http_ilert_store_waiting_t  *p;

    kept = null_alert_of_id(null_of(work), alert);

    if (kept == NULL) {
        return NGX_OK;
    }

    null_each(q, &kept->events) {
        ev = ngx_queue_data(q, null_event_t, queue);

        if (ev->kept.seq <= seq) {
            continue;
        }

        if (limit-- == 0) {
            break;
        }

        p = ngx_array_push(events);
        if (p == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        null_read_event(ev, p);
    }

    return NGX_OK;
}


ngx_int_t
null_count(ngx_http_ilert_store_work_t *work, int64_t alert, ngx_uint_t limit,
    int64_t *number, int64_t *received)
{
    ngx_queue_t   *q;
    null_alert_t  *kept;
    null_event_t  *ev;

    *number = 0;
    *received = 0;

    kept = null_alert_of_id(null_of(work), alert);

    if (kept == NULL) {
        return NGX_OK;
    }

    for (q = ngx_queue_last(&kept->events);
         q != ngx_queue_sentinel(&kept->events) && limit;
         q = ngx_queue_prev(q), limit--)
    {
        ev = ngx_queue_data(q, null_event_t, queue);

        ++*number;

        if (ev->kept.body.len) {
            *received = ngx_max(*received, ev->kept.said.received);
        }
    }

    return NGX_OK;
}


ngx_int_t
null_next_waiting(ngx_http_ilert_store_work_t *work, int64_t *alert,
    int64_t *seq)
{
    ngx_queue_t   *q, *e;
    null_alert_t  *kept;
    null_event_t  *ev;

    null_each(q, &null_of(work)->alerts) {
        kept = ngx_queue_data(q, null_alert_t, queue);

        if (kept->id < *alert) {
            continue;
        }

        null_each(e, &kept->events) {
            ev = ngx_queue_data(e, null_event_t, queue);

            if (kept->id > *alert || ev->kept.seq > *seq) {
                *alert = kept->id;
                *seq = ev->kept.seq;
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


ngx_int_t
null_alert_of_head(ngx_http_ilert_store_work_t *work, int64_t seq,
    int64_t *alert, ngx_http_ilert_store_ident_t *ident)
{
    null_t         *n;
    ngx_queue_t    *q;
    null_alert_t   *kept;
    null_event_t   *ev;
    null_source_t  *source;

    n = null_of(work);

    null_each(q, &n->busy) {
        kept = ngx_queue_data(q, null_alert_t, busy);

        if (kept->row.head != seq) {
            continue;
        }

        ev = null_event_of_seq(kept, seq);
        source = ev ? null_source_of_id(n, null_source_of(kept, ev)) : NULL;

        if (source == NULL) {
            break;
        }

        *alert = kept->id;

        ident->id = source->counted.id;
        ident->owner = source->owner;
        ident->paused = source->counted.paused;
        ident->refusals = source->refusals;

        return null_give(work, &ident->name, &source->counted.name);
    }

    return NGX_DECLINED;
}


static void
null_name_events(null_t *n, null_alert_t *alert)
{
    ngx_queue_t   *q;
    null_event_t  *ev;

    null_each(q, &alert->events) {
        ev = ngx_queue_data(q, null_event_t, queue);

        if (ev->kept.source == 0) {
            null_set(n, ev->kept.source, alert->row.source);
        }
    }
}


ngx_int_t
null_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
    int64_t source)
{
    null_t        *n;
    ngx_queue_t   *q, *next;
    null_alert_t  *one, *two;
    null_event_t  *ev;

    n = null_of(work);

    one = null_alert_of_id(n, from->id);
    two = null_alert_of_id(n, to->id);

    if (one == NULL || two == NULL) {
        return NGX_OK;
    }

    work->changed = 1;

    null_name_events(n, one);
    null_name_events(n, two);

    for (q = ngx_queue_head(&one->events);
         q != ngx_queue_sentinel(&one->events);
         q = next)
    {
        next = ngx_queue_next(q);
        ev = ngx_queue_data(q, null_event_t, queue);

        if (source == 0 || ev->kept.source == source) {
            null_take_event(n, one, ev);
            null_insert_event(n, two, ev);
        }
    }

    return NGX_OK;
}


ngx_int_t
null_others(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
    ngx_uint_t *own)
{
    int64_t        id;
    ngx_int_t      rc;
    ngx_queue_t   *q;
    null_alert_t  *kept;

    *own = 0;

    rc = NGX_DECLINED;
    kept = null_alert_of_id(null_of(work), alert->id);

    if (kept == NULL) {
        return rc;
    }

    null_each(q, &kept->events) {
        id = null_source_of(kept, ngx_queue_data(q, null_event_t, queue));

        if (id == source) {
            *own = 1;

        } else if (rc == NGX_DECLINED) {
            *other = id;
            rc = NGX_OK;
        }
    }

    return rc;
}


static ngx_uint_t
null_letter_matches(null_letter_t *letter,
    ngx_http_ilert_store_letter_filter_t *filter)
{
    switch (filter->which) {

    case NGX_HTTP_ILERT_LETTERS_OF_ID:
        return letter->kept.id == filter->id;

    case NGX_HTTP_ILERT_LETTERS_OF_SEQ:
        return letter->kept.seq == filter->seq;

    case NGX_HTTP_ILERT_LETTERS_OF_SOURCE:
        return letter->kept.source_id == filter->source
               && null_is_later(letter, filter->died, filter->seq);

    case NGX_HTTP_ILERT_LETTERS_LATEST:
        return filter->source == 0 || letter->kept.source_id == filter->source;

    default: /* NGX_HTTP_ILERT_LETTERS_OLDEST */
        return 1;
    }
}


static ngx_int_t
null_read_letter(ngx_http_ilert_store_work_t *work, null_letter_t *kept,
    ngx_uint_t body, ngx_http_ilert_store_letter_t *letter)
{
    null_source_t  *source;

    *letter = kept->kept;

    source = null_source_of_id(null_of(work), kept->kept.source_id);

    if ((source && null_give(work, &letter->source, &source->counted.name)
                   != NGX_OK)
        || null_give(work, &letter->key, &kept->kept.key) != NGX_OK
        || null_give(work, &letter->error, &kept->kept.error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (body) {
        return null_give(work, &letter->body, &kept->kept.body);
    }

    ngx_str_null(&letter->body);

    return NGX_OK;
}


ngx_int_t
null_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters)
{
    null_t                         *n;
    ngx_uint_t                      limit, last;
    ngx_queue_t                    *q;
    null_letter_t                  *letter, *found;
    ngx_http_ilert_store_letter_t  *p;

    n = null_of(work);

    found = NULL;
    limit = filter->limit;
    last = (filter->which == NGX_HTTP_ILERT_LETTERS_LATEST);

    for (q = last ? ngx_queue_last(&n->letters) : ngx_queue_head(&n->letters);
         q != ngx_queue_sentinel(&n->letters) && limit;
         q = last ? ngx_queue_prev(q) : ngx_queue_next(q))
    {
        letter = ngx_queue_data(q, null_letter_t, queue);

        if (!null_letter_matches(letter, filter)) {
            continue;
        }

        if (filter->which == NGX_HTTP_ILERT_LETTERS_OF_ID) {

            /* the last event of them, not the one that died last */

            if (found == NULL || letter->kept.seq > found->kept.seq) {
                found = letter;
            }

            continue;
        }

        limit--;

        p = ngx_array_push(letters);
        if (p == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        if (null_read_letter(work, letter, filter->body, p) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (found == NULL) {
        return NGX_OK;
    }

    p = ngx_array_push(letters);
    if (p == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    return null_read_letter(work, found, filter->body, p);
}


static ngx_int_t
null_read_refused(ngx_http_ilert_store_work_t *work, null_refused_t *kept,
    ngx_uint_t body, ngx_http_ilert_store_refused_t *refused)
{
    *refused = kept->kept;

    if (null_give(work, &refused->from, &kept->kept.from) != NGX_OK
        || null_give(work, &refused->location, &kept->kept.location) != NGX_OK
        || null_give(work, &refused->error, &kept->kept.error) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (body) {
        return null_give(work, &refused->body, &kept->kept.body);
    }

    ngx_str_null(&refused->body);

    return NGX_OK;
}


ngx_int_t
null_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused)
{
    null_t                          *n;
    ngx_uint_t                       last;
    ngx_queue_t                     *q;
    null_refused_t                  *kept;
    ngx_http_ilert_store_refused_t  *p;

    n = null_of(work);
    last = (filter->which == NGX_HTTP_ILERT_REFUSED_LATEST);

    for (q = last ? ngx_queue_last(&n->refused) : ngx_queue_head(&n->refused);
         q != ngx_queue_sentinel(&n->refused)
         && refused->nelts < filter->limit;
         q = last ? ngx_queue_prev(q) : ngx_queue_next(q))
    {
        kept = ngx_queue_data(q, null_refused_t, queue);

        if (filter->which == NGX_HTTP_ILERT_REFUSED_OF_ID
            && kept->kept.id != filter->id)
        {
            continue;
        }

        p = ngx_array_push(refused);
        if (p == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        if (null_read_refused(work, kept, filter->body, p) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
null_sources(ngx_http_ilert_store_work_t *work, ngx_array_t *sources)
{
    ngx_queue_t                     *q;
    null_source_t                   *source;
    ngx_http_ilert_store_counted_t  *p;

    null_each(q, &null_of(work)->sources) {
        source = ngx_queue_data(q, null_source_t, queue);

        p = ngx_array_push(sources);
        if (p == NULL) {
            return ngx_http_ilert_work_no_memory(work);
        }

        *p = source->counted;

        if (null_give(work, &p->name, &source->counted.name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* of each state the first one has waited longest */

ngx_int_t
null_oldest(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t urgency, int64_t *since)
{
    int64_t        time;
    ngx_uint_t     i;
    ngx_queue_t   *q;
    null_alert_t  *alert, *first[3];
    null_event_t  *ev;

    *since = 0;
    ngx_memzero(first, sizeof(first));

    null_each(q, &null_of(work)->busy) {
        alert = ngx_queue_data(q, null_alert_t, busy);
        i = alert->row.state;

        if (alert->row.head && i < 3 && alert->row.source == source
            && alert->row.urgency == (int64_t) urgency
            && (first[i] == NULL || alert->row.head < first[i]->row.head))
        {
            first[i] = alert;
        }
    }

    for (i = 0; i < 3; i++) {

        if (first[i] == NULL) {
            continue;
        }

        ev = null_event_of_seq(first[i], first[i]->row.head);

        if (ev == NULL) {
            continue;
        }

        time = ev->kept.since ? ev->kept.since : ev->kept.said.received;

        if (*since == 0 || time < *since) {
            *since = time;
        }
    }

    return NGX_OK;
}


ngx_int_t
null_due(ngx_http_ilert_store_work_t *work, int64_t *due)
{
    ngx_queue_t   *q;
    null_alert_t  *alert;

    *due = 0;

    null_each(q, &null_of(work)->busy) {
        alert = ngx_queue_data(q, null_alert_t, busy);

        if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
            && alert->row.next != NGX_HTTP_ILERT_STORE_RELEASED
            && (*due == 0 || alert->row.next < *due))
        {
            *due = alert->row.next;
        }
    }

    return NGX_OK;
}


ngx_int_t
null_retries(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t *retries)
{
    ngx_queue_t   *q;
    null_alert_t  *alert;

    *retries = 0;

    null_each(q, &null_of(work)->busy) {
        alert = ngx_queue_data(q, null_alert_t, busy);

        if (alert->row.state == NGX_HTTP_ILERT_STORE_WAITING
            && alert->row.source == source
            && alert->row.urgency < NGX_HTTP_ILERT_REPEATS)
        {
            *retries = 1;
            break;
        }
    }

    return NGX_OK;
}


ngx_int_t
null_tidy(ngx_http_ilert_store_work_t *work)
{
    null_t         *n;
    ngx_uint_t      i, rows;
    ngx_queue_t    *q;
    null_budget_t  *budget;

    n = null_of(work);
    rows = NGX_HTTP_ILERT_STORE_ROWS;

    null_each(q, &n->budgets) {
        budget = ngx_queue_data(q, null_budget_t, queue);

        for (i = 0; i < budget->nat && rows
                    && budget->at[i] < work->now - NGX_HTTP_ILERT_STORE_WINDOW;
             i++, rows--)
        {
            work->changed = 1;
        }

        null_expire_slots(n, budget, i);
    }

    return NGX_OK;
}
