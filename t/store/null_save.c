
/* the backend in memory: what has changed is saved */


#include "null_kept.h"


static void
null_save_sessions(ngx_http_ilert_store_work_t *work, null_t *n)
{
    null_session_t  *s, **p;

    if (!work->end_others && !work->add_session && !work->end_session) {
        return;
    }

    work->changed = 1;

    for (p = &n->sessions; (s = *p); /* void */ ) {

        if ((s->id == work->session) ? work->end_session : work->end_others) {
            null_set(n, *p, s->next);
            null_free(n, s);
            continue;
        }

        p = &s->next;
    }

    if (work->add_session) {
        s = null_new(n, sizeof(null_session_t));
        s->id = work->session;
        s->next = n->sessions;
        null_set(n, n->sessions, s);
    }

    work->has_session = (work->has_session || work->add_session)
                        && !work->end_session;
    work->others = work->others && !work->end_others;

    work->add_session = 0;
    work->end_session = 0;
    work->end_others = 0;
}


/* what is counted, of letters and so on, is ours */

static void
null_save_total(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_http_ilert_store_total_t  total;

    if (memcmp(&work->total, &work->saved,
               sizeof(ngx_http_ilert_store_total_t))
        == 0)
    {
        return;
    }

    work->changed = 1;

    total = work->total;
    total.dead_bytes = n->total.dead_bytes;
    total.refused = n->total.refused;
    total.refused_bytes = n->total.refused_bytes;
    total.silences = n->total.silences;
    total.digests = n->total.digests;

    null_set(n, n->total, total);

    work->saved = work->total;
}


static null_source_t *
null_add_source(null_t *n, ngx_http_ilert_store_ident_t *ident)
{
    ngx_queue_t    *q;
    null_source_t  *source;

    source = null_new(n, sizeof(null_source_t));

    source->counted.id = ident->id;
    null_copy(n, &source->counted.name, &ident->name);

    for (q = ngx_queue_last(&n->sources);
         q != ngx_queue_sentinel(&n->sources)
         && null_compare(&(ngx_queue_data(q, null_source_t, queue))
                         ->counted.name, &ident->name)
            > 0;
         q = ngx_queue_prev(q))
    {
        /* void */
    }

    null_insert_after(n, q, &source->queue);

    null_add(n, sizeof(null_source_t) + ident->name.len);
    null_set(n, n->next_source, ngx_max(n->next_source, ident->id + 1));

    return source;
}


static void
null_save_source(ngx_http_ilert_store_work_t *work, null_t *n,
    ngx_http_ilert_store_ident_t *ident)
{
    ngx_uint_t                       i, counts;
    null_source_t                   *source;
    ngx_http_ilert_store_counted_t   counted;

    counts = (ident->open != 0);

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
        counts |= (ident->waiting[i] != 0);
    }

    if (ident->missing || (!ident->added && !ident->changed && !counts)) {
        return;
    }

    work->changed = 1;

    source = ident->added ? null_add_source(n, ident)
                          : null_source_of_id(n, ident->id);

    if (source) {

        if (ident->added || ident->changed) {
            null_set(n, source->owner, ident->owner);
            null_set(n, source->counted.paused, ident->paused);
            null_set(n, source->refusals, ident->refusals);
        }

        counted = source->counted;

        for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
            counted.waiting[i] += ident->waiting[i];
        }

        counted.open += ident->open;

        null_set(n, source->counted, counted);
    }

    ngx_memzero(ident->waiting, sizeof(ident->waiting));

    ident->open = 0;
    ident->added = 0;
    ident->changed = 0;
}


/* so many that have had their verdict, at "at", more */

static void
null_add_slots(null_t *n, null_budget_t *budget, ngx_uint_t number, int64_t at)
{
    int64_t     *copy;
    ngx_uint_t   i, after;

    if (number == 0) {
        return;
    }

    if (budget->nat + number > budget->size) {

        null_set(n, budget->size, 2 * (budget->nat + number));
        copy = null_new(n, budget->size * sizeof(int64_t));

        if (budget->nat) {
            memcpy(copy, budget->at, budget->nat * sizeof(int64_t));
        }

        null_free(n, budget->at);
        null_set(n, budget->at, copy);
    }

    for (i = budget->nat; i && budget->at[i - 1] > at; i--) { /* void */ }

    after = budget->nat - i;

    null_note(n, &budget->at[i], (after + number) * sizeof(int64_t));
    memmove(&budget->at[i + number], &budget->at[i], after * sizeof(int64_t));

    for (after = 0; after < number; after++) {
        budget->at[i + after] = at;
    }

    null_set(n, budget->nat, budget->nat + number);
    null_add(n, (int64_t) number * 32);
}


/* of those that have had their verdict the first ones are removed */

void
null_expire_slots(null_t *n, null_budget_t *budget, ngx_uint_t number)
{
    if (number == 0) {
        return;
    }

    null_note(n, budget->at, budget->nat * sizeof(int64_t));
    memmove(budget->at, &budget->at[number],
            (budget->nat - number) * sizeof(int64_t));

    null_set(n, budget->nat, budget->nat - number);
    null_add(n, (int64_t) number * -32);
}


static void
null_end_slots(null_t *n, null_budget_t *budget, ngx_uint_t number,
    int64_t now)
{
    number = ngx_min(number, budget->underway);

    null_set(n, budget->underway, budget->underway - number);
    null_add_slots(n, budget, number, now);
}


static null_budget_t *
null_add_budget(null_t *n, ngx_http_ilert_store_fund_t *fund)
{
    null_budget_t  *budget;

    budget = null_new(n, sizeof(null_budget_t));

    budget->id = fund->id;
    null_copy(n, &budget->name, &fund->name);

    null_insert_after(n, ngx_queue_last(&n->budgets), &budget->queue);

    null_add(n, sizeof(null_budget_t) + fund->name.len);
    null_set(n, n->next_budget, ngx_max(n->next_budget, fund->id + 1));

    return budget;
}


static void
null_save_fund(ngx_http_ilert_store_work_t *work, null_t *n,
    ngx_http_ilert_store_fund_t *fund)
{
    ngx_uint_t      i;
    null_budget_t  *budget;

    if (!fund->added && !fund->changed && !fund->freed && !fund->ended
        && !fund->late && !fund->expired && !fund->begun)
    {
        return;
    }

    budget = fund->added ? null_add_budget(n, fund)
                         : null_budget_of_id(n, fund->id);

    if (fund->added || fund->changed) {
        work->changed = 1;
        null_set(n, budget->paused, fund->paused);
        null_set(n, budget->pause, fund->pause);
    }

    if (fund->freed || fund->ended || fund->begun) {
        work->changed = 1;
    }

    null_set(n, budget->underway,
             budget->underway - ngx_min(fund->freed, budget->underway));

    null_end_slots(n, budget, fund->ended, work->now);

    for (i = budget->nat; fund->late && i && budget->at[i - 1] > fund->late;
         i--)
    {
        work->changed = 1;
        null_set(n, budget->at[i - 1], fund->late);
    }

    if (fund->expired) {
        for (i = 0; i < budget->nat && i < fund->nexpired
                    && budget->at[i] <= fund->expired; i++)
        {
            work->changed = 1;
        }

        null_expire_slots(n, budget, i);
    }

    null_set(n, budget->underway, budget->underway + fund->begun);

    fund->freed = 0;
    fund->ended = 0;
    fund->late = 0;
    fund->expired = 0;
    fund->nexpired = 0;
    fund->begun = 0;
    fund->added = 0;
    fund->changed = 0;
}


static void
null_save_slots(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t    *q;
    null_budget_t  *budget;

    if (work->end_slots) {
        work->end_slots = 0;

        null_each(q, &n->budgets) {
            budget = ngx_queue_data(q, null_budget_t, queue);

            if (budget->underway) {
                work->changed = 1;
                null_end_slots(n, budget, budget->underway, work->now);
            }
        }
    }

    null_each(q, &work->budgets) {
        null_save_fund(work, n, ngx_queue_data(q, ngx_http_ilert_store_fund_t,
                                               queue));
    }
}


/* after the last one whose seq is smaller */

void
null_insert_event(null_t *n, null_alert_t *alert, null_event_t *ev)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_last(&alert->events);
         q != ngx_queue_sentinel(&alert->events)
         && (ngx_queue_data(q, null_event_t, queue))->kept.seq > ev->kept.seq;
         q = ngx_queue_prev(q))
    {
        /* void */
    }

    null_insert_after(n, q, &ev->queue);
    null_set(n, alert->nevents, alert->nevents + 1);
}


static void
null_write_event(null_t *n, null_event_t *ev,
    ngx_http_ilert_store_waiting_t *from)
{
    ngx_http_ilert_store_waiting_t  kept;

    kept = *from;

    kept.seq = ev->kept.seq;
    kept.attempts = ev->kept.attempts;
    kept.body = ev->kept.body;

    kept.change = NGX_HTTP_ILERT_STORE_KEPT;
    kept.listed = 0;
    kept.attempted = 0;
    kept.ev = NULL;

    null_set(n, ev->kept, kept);

    null_add(n, (int64_t) from->ev->body.len - (int64_t) ev->kept.body.len);
    null_copy(n, &ev->kept.body, &from->ev->body);
}


static void
null_add_event(null_t *n, null_alert_t *alert,
    ngx_http_ilert_store_waiting_t *from)
{
    null_event_t  *ev;

    ev = null_new(n, sizeof(null_event_t));

    ev->kept.seq = from->seq;

    null_write_event(n, ev, from);
    null_insert_event(n, alert, ev);

    null_add(n, 100);
    null_set(n, n->next_seq, ngx_max(n->next_seq, from->seq + 1));
}


void
null_take_event(null_t *n, null_alert_t *alert, null_event_t *ev)
{
    null_remove(n, &ev->queue);
    null_set(n, alert->nevents, alert->nevents - 1);
}


static void
null_remove_event(null_t *n, null_alert_t *alert, null_event_t *ev)
{
    null_take_event(n, alert, ev);

    null_add(n, -100 - (int64_t) ev->kept.body.len);

    null_free(n, ev->kept.body.data);
    null_free(n, ev);
}


static void
null_save_event(null_t *n, null_alert_t *alert,
    ngx_http_ilert_store_waiting_t *change)
{
    null_event_t  *ev;

    if (change->change == NGX_HTTP_ILERT_STORE_ADDED) {
        null_add_event(n, alert, change);
        return;
    }

    ev = null_event_of_seq(alert, change->seq);

    if (ev == NULL) {
        return;
    }

    switch (change->change) {

    case NGX_HTTP_ILERT_STORE_REPLACED:
        null_write_event(n, ev, change);
        break;

    case NGX_HTTP_ILERT_STORE_RERATED:
        null_set(n, ev->kept.urgency, change->urgency);
        null_note(n, &ev->kept, sizeof(ev->kept));
        ev->kept.said.freed = change->said.freed;
        break;

    case NGX_HTTP_ILERT_STORE_REMOVED:
        null_remove_event(n, alert, ev);
        return;

    default:
        break;
    }

    if (change->attempted) {
        null_set(n, ev->kept.attempts, ev->kept.attempts + 1);
        null_note(n, &ev->kept, sizeof(ev->kept));
        ev->kept.again = change->again;
    }
}


static int64_t
null_least(null_alert_t *alert)
{
    int64_t        least;
    ngx_uint_t     i;
    ngx_queue_t   *q;
    null_event_t  *ev;

    i = 0;
    least = NGX_HTTP_ILERT_UPDATES;

    null_each(q, &alert->events) {
        ev = ngx_queue_data(q, null_event_t, queue);

        if (i++ == NGX_HTTP_ILERT_STORE_ROWS) {
            break;
        }

        least = ngx_min(least, (int64_t) ev->kept.urgency);
    }

    return least;
}


static null_alert_t *
null_add_alert(null_t *n, ngx_http_ilert_store_alert_t *from)
{
    null_alert_t  *alert, **bucket;

    alert = null_new(n, sizeof(null_alert_t));

    alert->id = from->id;
    null_copy(n, &alert->key, &from->key);
    null_copy(n, &alert->alert_key, &from->alert_key);
    null_copy(n, &alert->summary, &from->summary);

    ngx_queue_init(&alert->events);

    null_insert_after(n, ngx_queue_last(&n->alerts), &alert->queue);

    bucket = &n->by_id[(ngx_uint_t) from->id % NULL_BUCKETS];
    alert->next_by_id = *bucket;
    null_set(n, *bucket, alert);

    bucket = &n->by_key[null_hash(&from->key)];
    alert->next_by_key = *bucket;
    null_set(n, *bucket, alert);

    null_add(n, 140 + (int64_t) (3 * from->key.len + from->alert_key.len
                                 + from->summary.len));
    null_set(n, n->next_alert, ngx_max(n->next_alert, from->id + 1));

    return alert;
}


static void
null_remove_alert(null_t *n, null_alert_t *alert)
{
    null_alert_t  **p;

    while (!ngx_queue_empty(&alert->events)) {
        null_remove_event(n, alert,
                          ngx_queue_data(ngx_queue_head(&alert->events),
                                         null_event_t, queue));
    }

    null_unhear(n, alert->id);

    null_remove(n, &alert->queue);

    if (alert->listed) {
        null_remove(n, &alert->busy);
    }

    p = &n->by_id[(ngx_uint_t) alert->id % NULL_BUCKETS];

    while (*p != alert) {
        p = &(*p)->next_by_id;
    }

    null_set(n, *p, alert->next_by_id);

    p = &n->by_key[null_hash(&alert->key)];

    while (*p != alert) {
        p = &(*p)->next_by_key;
    }

    null_set(n, *p, alert->next_by_key);

    null_add(n, -140 - (int64_t) (3 * alert->key.len + alert->alert_key.len
                                  + alert->summary.len));

    null_free(n, alert->key.data);
    null_free(n, alert->alert_key.data);
    null_free(n, alert->summary.data);
    null_free(n, alert);
}


/* there is one alert of an owner and a key, and one of a source and a key */

static void
null_write_row(null_t *n, null_alert_t *alert,
    ngx_http_ilert_store_row_t *from)
{
    null_alert_t                *other;
    ngx_http_ilert_store_row_t   row;

    row = *from;

    if (row.source != alert->row.source) {
        other = null_alert_of_key(n, 0, row.source, &alert->key);

        if (other && other != alert) {
            row.source = alert->row.source;
        }
    }

    if (row.owner && row.owner != alert->row.owner) {
        other = null_alert_of_key(n, row.owner, 0, &alert->key);

        if (other && other != alert) {
            row.owner = alert->row.owner;
        }
    }

    null_set(n, alert->row, row);

    if (alert->listed == !null_is_idle(alert)) {
        return;
    }

    if (alert->listed) {
        null_remove(n, &alert->busy);

    } else {
        null_insert_after(n, ngx_queue_last(&n->busy), &alert->busy);
    }

    null_note(n, alert, sizeof(null_alert_t));
    alert->listed = !alert->listed;
}


static void
null_save_alert(ngx_http_ilert_store_work_t *work, null_t *n,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_queue_t                     *q;
    null_alert_t                    *kept;
    ngx_http_ilert_store_waiting_t  *ev;

    if (!alert->added && !alert->renamed && !alert->retold && !alert->damaged
        && ngx_queue_empty(&alert->changes)
        && memcmp(&alert->row, &alert->saved,
                  sizeof(ngx_http_ilert_store_row_t))
           == 0)
    {
        return;
    }

    work->changed = 1;

    kept = alert->added ? null_add_alert(n, alert)
                        : null_alert_of_id(n, alert->id);

    while (!ngx_queue_empty(&alert->changes)) {
        q = ngx_queue_head(&alert->changes);
        ngx_queue_remove(q);

        ev = ngx_queue_data(q, ngx_http_ilert_store_waiting_t, changes);

        if (kept) {
            null_save_event(n, kept, ev);
        }

        ev->change = NGX_HTTP_ILERT_STORE_KEPT;
        ev->listed = 0;
        ev->attempted = 0;
    }

    if (kept) {

        if (alert->row.urgency == NGX_HTTP_ILERT_STORE_LEAST) {
            alert->row.urgency = null_least(kept);
        }

        if (alert->renamed) {
            null_add(n, (int64_t) alert->alert_key.len
                        - (int64_t) kept->alert_key.len);
            null_copy(n, &kept->alert_key, &alert->alert_key);
        }

        if (alert->retold) {
            null_add(n, (int64_t) alert->summary.len
                        - (int64_t) kept->summary.len);
            null_copy(n, &kept->summary, &alert->summary);
        }

        null_write_row(n, kept, &alert->row);
    }

    alert->saved = alert->row;
    alert->added = 0;
    alert->renamed = 0;
    alert->retold = 0;
    alert->damaged = 0;
}


static void
null_save_alerts(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                   *q;
    null_alert_t                  *kept;
    ngx_http_ilert_store_alert_t  *alert;

    /* the names of those that are gone are free for others */

    null_each(q, &work->alerts) {
        alert = ngx_queue_data(q, ngx_http_ilert_store_alert_t, queue);

        if (alert->removed) {
            kept = null_alert_of_id(n, alert->id);

            if (kept) {
                work->changed = 1;
                null_remove_alert(n, kept);
            }
        }
    }

    null_each(q, &work->alerts) {
        alert = ngx_queue_data(q, ngx_http_ilert_store_alert_t, queue);

        if (!alert->removed) {
            null_save_alert(work, n, alert);
        }
    }
}


static void
null_count_letter(null_t *n, null_letter_t *letter, int number)
{
    null_source_t  *source;

    source = null_source_of_id(n, letter->kept.source_id);

    if (source) {
        null_set(n, source->counted.dead, source->counted.dead + number);
    }

    null_set(n, n->total.dead_bytes,
             n->total.dead_bytes + number * (int64_t) letter->kept.size);

    null_add(n, number * (150 + (int64_t) (letter->kept.key.len
                                           + letter->kept.error.len
                                           + letter->kept.size)));
}


static void
null_remove_letter(null_t *n, null_letter_t *letter)
{
    null_letter_t  **p;

    p = &n->by_seq[(ngx_uint_t) letter->kept.seq % NULL_BUCKETS];

    while (*p != letter) {
        p = &(*p)->next_by_seq;
    }

    null_set(n, *p, letter->next_by_seq);
    null_remove(n, &letter->queue);

    null_count_letter(n, letter, -1);

    null_free(n, letter->kept.key.data);
    null_free(n, letter->kept.error.data);
    null_free(n, letter->kept.body.data);
    null_free(n, letter);
}


ngx_uint_t
null_is_later(null_letter_t *letter, int64_t died, int64_t seq)
{
    return letter->kept.died > died
           || (letter->kept.died == died && letter->kept.seq > seq);
}


static void
null_add_letter(null_t *n, ngx_http_ilert_store_letter_t *from)
{
    ngx_queue_t    *q;
    null_letter_t  *letter, **bucket;

    letter = null_new(n, sizeof(null_letter_t));

    letter->kept = *from;
    letter->kept.size = from->body.len;

    ngx_str_null(&letter->kept.source);
    ngx_str_null(&letter->kept.key);
    ngx_str_null(&letter->kept.error);
    ngx_str_null(&letter->kept.body);

    null_copy(n, &letter->kept.key, &from->key);
    null_copy(n, &letter->kept.error, &from->error);
    null_copy(n, &letter->kept.body, &from->body);

    for (q = ngx_queue_last(&n->letters);
         q != ngx_queue_sentinel(&n->letters)
         && null_is_later(ngx_queue_data(q, null_letter_t, queue), from->died,
                          from->seq);
         q = ngx_queue_prev(q))
    {
        /* void */
    }

    null_insert_after(n, q, &letter->queue);

    bucket = &n->by_seq[(ngx_uint_t) from->seq % NULL_BUCKETS];
    letter->next_by_seq = *bucket;
    null_set(n, *bucket, letter);

    null_count_letter(n, letter, 1);
}


static void
null_save_letters(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                    *q;
    null_letter_t                  *old;
    ngx_http_ilert_store_letter_t  *letter;

    while (!ngx_queue_empty(&work->letters)) {
        q = ngx_queue_head(&work->letters);
        ngx_queue_remove(q);

        letter = ngx_queue_data(q, ngx_http_ilert_store_letter_t, queue);

        old = null_letter_of_seq(n, letter->seq);

        if (old) {
            work->changed = 1;
            null_remove_letter(n, old);
        }

        if (!letter->removed) {
            work->changed = 1;
            null_add_letter(n, letter);
        }
    }
}


static void
null_count_refused(null_t *n, null_refused_t *refused, int number)
{
    null_set(n, n->total.refused, n->total.refused + number);
    null_set(n, n->total.refused_bytes,
             n->total.refused_bytes + number * refused->kept.bytes);

    null_add(n, number * (100 + refused->kept.bytes));
}


static void
null_add_refused(null_t *n, ngx_http_ilert_store_refused_t *from)
{
    null_refused_t  *refused;

    refused = null_new(n, sizeof(null_refused_t));

    refused->kept = *from;
    refused->kept.id = n->next_refused;

    null_set(n, n->next_refused, n->next_refused + 1);

    ngx_str_null(&refused->kept.from);
    ngx_str_null(&refused->kept.location);
    ngx_str_null(&refused->kept.error);
    ngx_str_null(&refused->kept.body);

    null_copy(n, &refused->kept.from, &from->from);
    null_copy(n, &refused->kept.location, &from->location);
    null_copy(n, &refused->kept.error, &from->error);
    null_copy(n, &refused->kept.body, &from->body);

    null_insert_after(n, ngx_queue_last(&n->refused), &refused->queue);
    null_count_refused(n, refused, 1);
}


static void
null_remove_refused(null_t *n, int64_t id)
{
    ngx_queue_t     *q;
    null_refused_t  *refused;

    null_each(q, &n->refused) {
        refused = ngx_queue_data(q, null_refused_t, queue);

        if (refused->kept.id != id) {
            continue;
        }

        null_remove(n, q);
        null_count_refused(n, refused, -1);

        null_free(n, refused->kept.from.data);
        null_free(n, refused->kept.location.data);
        null_free(n, refused->kept.error.data);
        null_free(n, refused->kept.body.data);
        null_free(n, refused);

        return;
    }
}


static void
null_save_refused(ngx_http_ilert_store_work_t *work, null_t *n)
{
    ngx_queue_t                     *q;
    ngx_http_ilert_store_refused_t  *refused;

    while (!ngx_queue_empty(&work->refused)) {
        q = ngx_queue_head(&work->refused);
        ngx_queue_remove(q);

        refused = ngx_queue_data(q, ngx_http_ilert_store_refused_t, queue);

        work->changed = 1;

        if (refused->removed) {
            null_remove_refused(n, refused->id);

        } else {
            null_add_refused(n, refused);
        }
    }
}


ngx_int_t
null_save(ngx_http_ilert_store_work_t *work)
{
    null_t       *n;
    int64_t       bytes;
    ngx_queue_t  *q;

    n = null_of(work);
    bytes = n->bytes;

    null_save_sessions(work, n);
    null_save_total(work, n);

    null_each(q, &work->sources) {
        null_save_source(work, n,
                         ngx_queue_data(q, ngx_http_ilert_store_ident_t,
                                        queue));
    }

    null_save_slots(work, n);
    null_save_topics(work, n);
    null_save_heard(work, n);
    null_save_silences(work, n);
    null_save_digests(work, n);
    null_save_alerts(work, n);
    null_save_letters(work, n);
    null_save_refused(work, n);

    if (null_fails(work)) {
        return NGX_ERROR;
    }

    if (work->accepting && work->store->max_size && n->bytes > bytes
        && null_used(n) > null_limit(work->store))
    {
        work->store->fault = NGX_HTTP_ILERT_STORE_NO_SIZE;
        return NGX_ERROR;
    }

    return NGX_OK;
}
