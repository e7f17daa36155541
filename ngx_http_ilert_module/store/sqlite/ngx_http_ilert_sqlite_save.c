
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/* bytes of the longest text of a source's refusals, with a zero byte */

#define NGX_HTTP_ILERT_SQLITE_REFUSALS                                        \
    (NGX_HTTP_ILERT_REFUSALS * (NGX_INT64_LEN + 1) + 1)


static int ngx_http_ilert_sqlite_save_total(ngx_http_ilert_store_work_t *work);
static int ngx_http_ilert_sqlite_save_sessions(
    ngx_http_ilert_store_work_t *work);
static int ngx_http_ilert_sqlite_save_fund(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund);
static int ngx_http_ilert_sqlite_save_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund);
static int ngx_http_ilert_sqlite_save_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source);
static void ngx_http_ilert_sqlite_refusals(
    ngx_http_ilert_refusals_t *refusals, char *buf, ngx_str_t *text);
static int ngx_http_ilert_sqlite_save_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_save_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);
static int ngx_http_ilert_sqlite_write_event(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);
static int ngx_http_ilert_sqlite_save_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_least(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_add_alert(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_set_seldom(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_set_listed(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_sqlite_set_often(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
static ngx_uint_t ngx_http_ilert_sqlite_same(ngx_http_ilert_store_row_t *one,
    ngx_http_ilert_store_row_t *two);
static int ngx_http_ilert_sqlite_remove_alerts(
    ngx_http_ilert_store_work_t *work);
static int ngx_http_ilert_sqlite_save_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter);


/* a loop over a queue of records, which ends when "rc" is an error */

#define ngx_http_ilert_sqlite_each(q, queue)                                  \
    for ((q) = ngx_queue_head(queue);                                         \
         rc == SQLITE_OK && (q) != ngx_queue_sentinel(queue);                 \
         (q) = ngx_queue_next(q))


ngx_int_t
ngx_http_ilert_sqlite_save(ngx_http_ilert_store_work_t *work)
{
    int                            rc;
    ngx_queue_t                   *q;
    ngx_http_ilert_sqlite_db_t    *db;
    ngx_http_ilert_store_alert_t  *alert;

    db = work->store->private;
    db->accepts = work->accepting;

    rc = ngx_http_ilert_sqlite_save_total(work);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_save_sessions(work);
    }

    if (rc == SQLITE_OK && work->end_slots) {
        rc = ngx_http_ilert_sqlite_write(db,
                                         NGX_HTTP_ILERT_SQLITE_END_ALL_SLOTS,
                                         "i", work->now);
        work->end_slots = 0;
        work->changed = 1;
    }

    ngx_http_ilert_sqlite_each(q, &work->budgets) {
        rc = ngx_http_ilert_sqlite_save_fund(work, ngx_queue_data(q,
                                         ngx_http_ilert_store_fund_t, queue));
    }

    ngx_http_ilert_sqlite_each(q, &work->sources) {
        rc = ngx_http_ilert_sqlite_save_source(work, ngx_queue_data(q,
                                        ngx_http_ilert_store_ident_t, queue));
    }

    ngx_http_ilert_sqlite_each(q, &work->alerts) {

        alert = ngx_queue_data(q, ngx_http_ilert_store_alert_t, queue);

        if (alert->removed) {
            continue;
        }

        rc = ngx_http_ilert_sqlite_save_events(work, alert);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_sqlite_save_alert(work, alert);
        }
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_save_topics(work);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_save_heard(work);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_save_silences(work);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_save_digests(work);
    }

    /*
     * Removed alerts come last, after their events have been moved.  Their ids
     * are removed from what was heard of them.
     */

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_remove_alerts(work);
    }

    ngx_http_ilert_sqlite_each(q, &work->letters) {
        rc = ngx_http_ilert_sqlite_save_letter(work, ngx_queue_data(q,
                                       ngx_http_ilert_store_letter_t, queue));
    }

    ngx_queue_init(&work->letters);

    ngx_http_ilert_sqlite_each(q, &work->refused) {
        rc = ngx_http_ilert_sqlite_save_refused(work, ngx_queue_data(q,
                                      ngx_http_ilert_store_refused_t, queue));
    }

    ngx_queue_init(&work->refused);

    return ngx_http_ilert_sqlite_result(rc);
}


/*
 * Neither this function nor the next one sets work->changed: a job that
 * changes nothing else is idle.
 */

static int
ngx_http_ilert_sqlite_save_total(ngx_http_ilert_store_work_t *work)
{
    ngx_http_ilert_store_total_t  *total, *saved;

    total = &work->total;
    saved = &work->saved;

    if (total->epoch == saved->epoch && total->recovered == saved->recovered
        && total->seen == saved->seen && total->resumed == saved->resumed
        && total->courier == saved->courier && total->made == saved->made
        && total->yielded == saved->yielded
        && total->doubted == saved->doubted)
    {
        return SQLITE_OK;
    }

    *saved = *total;

    return ngx_http_ilert_sqlite_write(work->store->private,
                                       NGX_HTTP_ILERT_SQLITE_SET_TOTAL,
                                       "iiiiiiii", total->epoch,
                                       total->recovered, total->seen,
                                       total->resumed, total->courier,
                                       total->made, total->yielded,
                                       total->doubted);
}


static int
ngx_http_ilert_sqlite_save_sessions(ngx_http_ilert_store_work_t *work)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    if (work->end_others) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_END_OTHERS,
                                         "i", work->session);
        work->end_others = 0;
        work->others = 0;
    }

    if (rc == SQLITE_OK && work->end_session) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_END_SESSION,
                                         "i", work->session);
        work->end_session = 0;
        work->has_session = 0;
    }

    if (rc == SQLITE_OK && work->add_session) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_SESSION,
                                         "i", work->session);
        work->add_session = 0;
        work->has_session = 1;
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_fund(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    if (fund->added) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_BUDGET,
                                         "itii", fund->id, &fund->name,
                                         fund->paused, fund->pause);
        work->changed = 1;

    } else if (fund->changed) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_BUDGET,
                                         "iii", fund->id, fund->paused,
                                         fund->pause);
        work->changed = 1;
    }

    fund->added = 0;
    fund->changed = 0;

    return (rc == SQLITE_OK) ? ngx_http_ilert_sqlite_save_slots(work, fund)
                             : rc;
}


static int
ngx_http_ilert_sqlite_save_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    if (!fund->freed && !fund->ended && !fund->late && !fund->nexpired
        && !fund->begun)
    {
        return SQLITE_OK;
    }

    if (fund->freed) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_FREE_SLOTS,
                                         "ii", fund->id,
                                         (int64_t) fund->freed);
    }

    if (rc == SQLITE_OK && fund->ended) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_END_SLOTS,
                                         "iii", fund->id,
                                         (int64_t) fund->ended, work->now);
    }

    if (rc == SQLITE_OK && fund->late) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_LATE_SLOTS,
                                         "ii", fund->id, fund->late);
    }

    if (rc == SQLITE_OK && fund->nexpired) {
        rc = ngx_http_ilert_sqlite_write(db,
                                         NGX_HTTP_ILERT_SQLITE_EXPIRE_SLOTS,
                                         "iii", fund->id, fund->expired,
                                         (int64_t) fund->nexpired);
    }

    for ( /* void */ ; rc == SQLITE_OK && fund->begun; fund->begun--) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_SLOT,
                                         "i", fund->id);
    }

    fund->freed = 0;
    fund->ended = 0;
    fund->late = 0;
    fund->expired = 0;
    fund->nexpired = 0;

    work->changed = 1;

    return rc;
}


static int
ngx_http_ilert_sqlite_save_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source)
{
    int                          rc;
    char                         buf[NGX_HTTP_ILERT_SQLITE_REFUSALS];
    ngx_str_t                    refused;
    ngx_uint_t                   i, counted;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    ngx_http_ilert_sqlite_refusals(&source->refusals, buf, &refused);

    if (source->added) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_ADD_SOURCE,
                                         "itiit", source->id, &source->name,
                                         source->owner, source->paused,
                                         &refused);
        work->changed = 1;

    } else if (source->changed) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_SOURCE,
                                         "iiit", source->id, source->owner,
                                         source->paused, &refused);
        work->changed = 1;
    }

    source->added = 0;
    source->changed = 0;

    /* an event that came and left in this job does not change the counts */

    counted = (source->open != 0);

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
        counted |= (source->waiting[i] != 0);
    }

    if (rc != SQLITE_OK || !counted) {
        return rc;
    }

    rc = ngx_http_ilert_sqlite_write_counts(db, source->id, source->waiting,
                                            source->open);

    ngx_memzero(source->waiting, sizeof(source->waiting));

    source->open = 0;
    work->changed = 1;

    return rc;
}


static void
ngx_http_ilert_sqlite_refusals(ngx_http_ilert_refusals_t *refusals, char *buf,
    ngx_str_t *text)
{
    char        *p, *last;
    ngx_uint_t   i;

    p = buf;
    last = buf + NGX_HTTP_ILERT_SQLITE_REFUSALS;

    *p = '\0';

    for (i = 0; i < refusals->n; i++) {
        sqlite3_snprintf(last - p, p, i ? " %lld" : "%lld",
                         refusals->alerts[i]);
        p += ngx_strlen(p);
    }

    text->data = (u_char *) buf;
    text->len = p - buf;
}


static int
ngx_http_ilert_sqlite_save_events(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int                              rc;
    ngx_queue_t                     *q;
    ngx_http_ilert_store_waiting_t  *ev;

    rc = SQLITE_OK;

    ngx_http_ilert_sqlite_each(q, &alert->changes) {

        ev = ngx_queue_data(q, ngx_http_ilert_store_waiting_t, changes);

        rc = ngx_http_ilert_sqlite_save_event(work, alert, ev);

        if (ev->change != NGX_HTTP_ILERT_STORE_REMOVED) {
            ev->change = NGX_HTTP_ILERT_STORE_KEPT;
        }

        ev->listed = 0;
        ev->attempted = 0;

        work->changed = 1;
    }

    ngx_queue_init(&alert->changes);

    return rc;
}


static int
ngx_http_ilert_sqlite_save_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    switch (ev->change) {

    case NGX_HTTP_ILERT_STORE_REMOVED:
        return ngx_http_ilert_sqlite_write(db,
                                           NGX_HTTP_ILERT_SQLITE_DELETE_EVENT,
                                           "i", ev->seq);

    case NGX_HTTP_ILERT_STORE_ADDED:
    case NGX_HTTP_ILERT_STORE_REPLACED:
        rc = ngx_http_ilert_sqlite_write_event(db, alert, ev);
        break;

    case NGX_HTTP_ILERT_STORE_RERATED:
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_URGENCY,
                                         "iii", ev->seq, (int64_t) ev->urgency,
                                         (int64_t) ev->said.freed);
        break;

    default: /* NGX_HTTP_ILERT_STORE_KEPT */
        break;
    }

    if (rc == SQLITE_OK && ev->attempted) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_ATTEMPT,
                                         "ii", ev->seq, (int64_t) ev->again);
        ev->attempts++;
    }

    return rc;
}


/* Adds an event, or replaces one, whose attempts stay. */

static int
ngx_http_ilert_sqlite_write_event(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev)
{
    int            i;
    ngx_str_t      body;
    ngx_uint_t     n, added;
    sqlite3_stmt  *stmt;

    added = (ev->change == NGX_HTTP_ILERT_STORE_ADDED);

    if (added && (ev->seq <= 0 || ev->seq > NGX_HTTP_ILERT_SQLITE_LAST_SEQ)) {

        /* this is SQLite's error if it has no rowid left */

        return ngx_http_ilert_sqlite_error(db, SQLITE_FULL);
    }

    n = added ? NGX_HTTP_ILERT_SQLITE_ADD_EVENT
              : NGX_HTTP_ILERT_SQLITE_SET_EVENT;

    stmt = db->stmts[n];

    ngx_str_set(&body, "");

    if (ev->ev && ev->ev->body.len) {
        body = ev->ev->body;
    }

    i = 1;

    if (added) {
        sqlite3_bind_int64(stmt, i++, ev->seq);
        sqlite3_bind_int64(stmt, i++, alert->id);
    }

    sqlite3_bind_blob(stmt, i++, body.data, body.len, SQLITE_STATIC);

#define NGX_HTTP_ILERT_SQLITE_VALUE_ID        ev->id
#define NGX_HTTP_ILERT_SQLITE_VALUE_TYPE      ev->said.type
#define NGX_HTTP_ILERT_SQLITE_VALUE_LEVEL     ev->said.level
#define NGX_HTTP_ILERT_SQLITE_VALUE_PRIORITY  ev->said.priority
#define NGX_HTTP_ILERT_SQLITE_VALUE_NATIVE    ev->passthrough
#define NGX_HTTP_ILERT_SQLITE_VALUE_RECEIVED  ev->said.received
#define NGX_HTTP_ILERT_SQLITE_VALUE_ATTEMPTS  ev->attempts
#define NGX_HTTP_ILERT_SQLITE_VALUE_SINCE     ev->since
#define NGX_HTTP_ILERT_SQLITE_VALUE_URGENCY   ev->urgency
#define NGX_HTTP_ILERT_SQLITE_VALUE_SOURCE    ev->source
#define NGX_HTTP_ILERT_SQLITE_VALUE_AGAIN     ev->again
#define NGX_HTTP_ILERT_SQLITE_VALUE_OWN       ev->said.own
#define NGX_HTTP_ILERT_SQLITE_VALUE_MESSAGE   ev->said.message
#define NGX_HTTP_ILERT_SQLITE_VALUE_FREED     ev->said.freed
#define NGX_HTTP_ILERT_SQLITE_VALUE_SEVERITY  ev->said.severity

#define NGX_HTTP_ILERT_SQLITE_BIND(NAME, name)                                \
    sqlite3_bind_int64(stmt, i++,                                             \
                       (int64_t) NGX_HTTP_ILERT_SQLITE_VALUE_##NAME);

    NGX_HTTP_ILERT_SQLITE_EVENT(NGX_HTTP_ILERT_SQLITE_BIND)

#undef NGX_HTTP_ILERT_SQLITE_BIND

    if (!added) {
        sqlite3_bind_int64(stmt, i++, ev->seq);
    }

    return ngx_http_ilert_sqlite_run(db, n);
}


static int
ngx_http_ilert_sqlite_save_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    if (!alert->added && !alert->renamed && !alert->retold && !alert->damaged
        && ngx_http_ilert_sqlite_same(&alert->row, &alert->saved))
    {
        return SQLITE_OK;
    }

    db = work->store->private;

    if (alert->row.urgency == NGX_HTTP_ILERT_STORE_LEAST) {
        rc = ngx_http_ilert_sqlite_least(db, alert);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (alert->added) {
        work->changed = 1;
        rc = ngx_http_ilert_sqlite_add_alert(db, alert);

    } else {

        rc = ngx_http_ilert_sqlite_set_seldom(work, alert);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_sqlite_set_often(work, alert);
        }
    }

    alert->saved = alert->row;
    alert->added = 0;
    alert->renamed = 0;
    alert->retold = 0;
    alert->damaged = 0;

    return rc;
}


/*
 * Finds out the urgency of an alert.  A repeat that is not held counts as an
 * update.
 */

static int
ngx_http_ilert_sqlite_least(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int            rc;
    int64_t        least;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_MIN_URGENCY,
                                   &stmt, "ii", alert->id,
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
    if (rc != SQLITE_OK) {
        return rc;
    }

    least = NGX_HTTP_ILERT_UPDATES;

    if (sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
        least = ngx_min(least, sqlite3_column_int64(stmt, 0));
        least = ngx_max(least, 0);
    }

    ngx_http_ilert_sqlite_end(stmt);

    alert->row.urgency = least;

    return SQLITE_OK;
}


#define NGX_HTTP_ILERT_SQLITE_BIND(NAME, name)                                \
    sqlite3_bind_int64(stmt, i++, alert->row.name);


static int
ngx_http_ilert_sqlite_add_alert(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int            i;
    ngx_uint_t     k;
    sqlite3_stmt  *stmt;

    ngx_str_t  *texts[] = { &alert->key, &alert->alert_key, &alert->summary };

    stmt = db->stmts[NGX_HTTP_ILERT_SQLITE_ADD_ALERT];

    i = 1;

    sqlite3_bind_int64(stmt, i++, alert->id);

    for (k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {
        sqlite3_bind_text(stmt, i++, texts[k]->len ? (char *) texts[k]->data
                                                   : "",
                          texts[k]->len, SQLITE_STATIC);
    }

    NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_BIND)

    return ngx_http_ilert_sqlite_run(db, NGX_HTTP_ILERT_SQLITE_ADD_ALERT);
}


/*
 * Sets columns that change seldom, one by one: they are in indexes, whose
 * entries would be written anew even if the column did not change.
 */

static int
ngx_http_ilert_sqlite_set_seldom(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    if (alert->renamed) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_KEY,
                                         "it", alert->id, &alert->alert_key);
        work->changed = 1;
    }

    if (rc == SQLITE_OK && alert->row.source != alert->saved.source) {
        rc = ngx_http_ilert_sqlite_write(db,
                                       NGX_HTTP_ILERT_SQLITE_SET_ALERT_SOURCE,
                                       "ii", alert->id, alert->row.source);

        if (rc == SQLITE_OK && sqlite3_changes(db->db) == 0) {
            alert->row.source = alert->saved.source;
        }

        work->changed = 1;
    }

    if (rc == SQLITE_OK && alert->row.owner != alert->saved.owner) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_OWNER,
                                         "ii", alert->id, alert->row.owner);
        work->changed = 1;
    }

    return (rc == SQLITE_OK) ? ngx_http_ilert_sqlite_set_listed(work, alert)
                             : rc;
}


/* Sets what is kept for the digest of its source. */

static int
ngx_http_ilert_sqlite_set_listed(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    rc = SQLITE_OK;
    db = work->store->private;

    if (alert->row.bad != alert->saved.bad
        || alert->row.begun != alert->saved.begun)
    {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_BAD,
                                         "iii", alert->id, alert->row.bad,
                                         alert->row.begun);
        work->changed = 1;
    }

    if (rc == SQLITE_OK && alert->row.named != alert->saved.named) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_NAMED,
                                         "ii", alert->id, alert->row.named);
        work->changed = 1;
    }

    if (rc == SQLITE_OK && alert->retold) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_SUMMARY,
                                         "it", alert->id, &alert->summary);
        work->changed = 1;
    }

    return rc;
}


/* Sets the other columns, by the shortest statement that has those changed. */

static int
ngx_http_ilert_sqlite_set_often(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    int                          i;
    ngx_uint_t                   n;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;
    ngx_http_ilert_store_row_t   saved;

    db = work->store->private;
    saved = alert->saved;

    saved.source = alert->row.source;
    saved.owner = alert->row.owner;
    saved.bad = alert->row.bad;
    saved.begun = alert->row.begun;
    saved.named = alert->row.named;

    if (!alert->damaged && ngx_http_ilert_sqlite_same(&alert->row, &saved)) {
        return SQLITE_OK;
    }

    work->changed = 1;

    saved.state = alert->row.state;

    if (ngx_http_ilert_sqlite_same(&alert->row, &saved)) {
        return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_STATE,
                                           "ii", alert->id, alert->row.state);
    }

    saved.next = alert->row.next;
    saved.changed = alert->row.changed;

    if (ngx_http_ilert_sqlite_same(&alert->row, &saved)) {
        return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_SET_NEXT,
                                           "iiii", alert->id, alert->row.state,
                                           alert->row.next,
                                           alert->row.changed);
    }

    i = 1;
    n = NGX_HTTP_ILERT_SQLITE_SET_ALERT;

    if (alert->row.opened != alert->saved.opened) {
        n = NGX_HTTP_ILERT_SQLITE_SET_ALERT_OPENED;
        sqlite3_bind_int64(db->stmts[n], i++, alert->row.opened);
    }

    stmt = db->stmts[n];

    sqlite3_bind_int64(stmt, i++, alert->row.state);

    NGX_HTTP_ILERT_SQLITE_OFTEN(NGX_HTTP_ILERT_SQLITE_BIND)

    sqlite3_bind_int64(stmt, i++, alert->id);

    return ngx_http_ilert_sqlite_run(db, n);
}


#undef NGX_HTTP_ILERT_SQLITE_BIND


/* All members have 64 bits, so there is no padding between them. */

static ngx_uint_t
ngx_http_ilert_sqlite_same(ngx_http_ilert_store_row_t *one,
    ngx_http_ilert_store_row_t *two)
{
    return ngx_memcmp(one, two, sizeof(ngx_http_ilert_store_row_t)) == 0;
}


/* Removes alerts from the database, and then from work->alerts. */

static int
ngx_http_ilert_sqlite_remove_alerts(ngx_http_ilert_store_work_t *work)
{
    int                            rc;
    ngx_queue_t                   *q, *next;
    ngx_http_ilert_store_alert_t  *alert;

    rc = SQLITE_OK;

    for (q = ngx_queue_head(&work->alerts);
         rc == SQLITE_OK && q != ngx_queue_sentinel(&work->alerts);
         q = next)
    {
        next = ngx_queue_next(q);

        alert = ngx_queue_data(q, ngx_http_ilert_store_alert_t, queue);

        if (!alert->removed) {
            continue;
        }

        if (!alert->added) {
            rc = ngx_http_ilert_sqlite_write(work->store->private,
                                           NGX_HTTP_ILERT_SQLITE_DELETE_ALERT,
                                           "i", alert->id);
            work->changed = 1;
        }

        ngx_queue_init(&alert->changes);

        ngx_queue_remove(q);
        ngx_queue_init(q);
    }

    return rc;
}


static int
ngx_http_ilert_sqlite_save_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter)
{
    int                          i;
    ngx_str_t                   *text;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    work->changed = 1;

    if (letter->removed) {
        return ngx_http_ilert_sqlite_write(db,
                                           NGX_HTTP_ILERT_SQLITE_DELETE_LETTER,
                                           "i", letter->seq);
    }

    stmt = db->stmts[NGX_HTTP_ILERT_SQLITE_ADD_LETTER];

    i = 1;

    sqlite3_bind_int64(stmt, i++, letter->seq);
    sqlite3_bind_blob(stmt, i++, letter->body.len ? letter->body.data
                                                  : (u_char *) "",
                      letter->body.len, SQLITE_STATIC);

#define NGX_HTTP_ILERT_SQLITE_NUMBER(value)                                   \
    sqlite3_bind_int64(stmt, i++, (int64_t) (value))

#define NGX_HTTP_ILERT_SQLITE_TEXT(value)                                     \
    text = (value);                                                           \
    sqlite3_bind_text(stmt, i++, text->len ? (char *) text->data : "",        \
                      text->len, SQLITE_STATIC)

#define NGX_HTTP_ILERT_SQLITE_PUT_ID                                          \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->id)
#define NGX_HTTP_ILERT_SQLITE_PUT_SOURCE                                      \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->source_id)
#define NGX_HTTP_ILERT_SQLITE_PUT_ALERT_KEY                                   \
    NGX_HTTP_ILERT_SQLITE_TEXT(&letter->key)
#define NGX_HTTP_ILERT_SQLITE_PUT_TYPE                                        \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->said.type)
#define NGX_HTTP_ILERT_SQLITE_PUT_LEVEL                                       \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->said.level)
#define NGX_HTTP_ILERT_SQLITE_PUT_NATIVE                                      \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->passthrough)
#define NGX_HTTP_ILERT_SQLITE_PUT_PRIORITY                                    \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->said.priority)
#define NGX_HTTP_ILERT_SQLITE_PUT_RECEIVED                                    \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->said.received)
#define NGX_HTTP_ILERT_SQLITE_PUT_DIED                                        \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->died)
#define NGX_HTTP_ILERT_SQLITE_PUT_STATUS                                      \
    NGX_HTTP_ILERT_SQLITE_NUMBER(letter->status)
#define NGX_HTTP_ILERT_SQLITE_PUT_ERROR                                       \
    NGX_HTTP_ILERT_SQLITE_TEXT(&letter->error)

#define NGX_HTTP_ILERT_SQLITE_PUT(NAME, name)                                 \
    NGX_HTTP_ILERT_SQLITE_PUT_##NAME;

    NGX_HTTP_ILERT_SQLITE_LETTER(NGX_HTTP_ILERT_SQLITE_PUT)

    return ngx_http_ilert_sqlite_run(db, NGX_HTTP_ILERT_SQLITE_ADD_LETTER);
}


ngx_int_t
ngx_http_ilert_sqlite_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
    int64_t source)
{
    int                          rc;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    work->changed = 1;

    db->accepts = 0;

    rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_NAME_EVENTS,
                                     "ii", from->id, from->row.source);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_NAME_EVENTS,
                                         "ii", to->id, to->row.source);
    }

    if (rc == SQLITE_OK && source) {
        rc = ngx_http_ilert_sqlite_write(db,
                                         NGX_HTTP_ILERT_SQLITE_MOVE_OF_SOURCE,
                                         "iii", from->id, to->id, source);

    } else if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_MOVE_EVENTS,
                                         "ii", from->id, to->id);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


int
ngx_http_ilert_sqlite_write_counts(ngx_http_ilert_sqlite_db_t *db,
    int64_t source, int64_t *waiting, int64_t open)
{
    return ngx_http_ilert_sqlite_write(db, NGX_HTTP_ILERT_SQLITE_COUNT_SOURCE,
                                       "iiiiiiiiii", source,
                                       waiting[NGX_HTTP_ILERT_CRITICAL_FIRST],
                                       waiting[NGX_HTTP_ILERT_RESOLVES],
                                       waiting[NGX_HTTP_ILERT_OPENS],
                                       waiting[NGX_HTTP_ILERT_UPDATES],
                                       waiting[NGX_HTTP_ILERT_REPEATS],
                                       waiting[NGX_HTTP_ILERT_HELD],
                                       waiting[NGX_HTTP_ILERT_SILENCED],
                                       waiting[NGX_HTTP_ILERT_LISTED], open);
}
