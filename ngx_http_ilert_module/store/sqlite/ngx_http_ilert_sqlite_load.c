
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


/* how many events edges() loads, from the front or from the back */

#define NGX_HTTP_ILERT_SQLITE_EDGES  2


static void ngx_http_ilert_sqlite_read_refusals(sqlite3_stmt *stmt,
    ngx_http_ilert_refusals_t *refusals);
static ngx_http_ilert_store_waiting_t *ngx_http_ilert_sqlite_add_waiting(
    ngx_http_ilert_store_work_t *work, sqlite3_stmt *stmt);
static int ngx_http_ilert_sqlite_body(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_waiting_t *ev);


ngx_int_t
ngx_http_ilert_sqlite_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_ident_t *source)
{
    int                          rc;
    int64_t                      found;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_SOURCE, &stmt,
                                   "t", name);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_read_source(work, stmt, source);
        ngx_http_ilert_sqlite_end(stmt);
    }

    if (rc != SQLITE_OK || source->owner) {
        return ngx_http_ilert_sqlite_result(rc);
    }

    rc = ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_HAS_STRAYS,
                                   &found, "i", source->id);

    source->strays = (rc == SQLITE_OK);

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


int
ngx_http_ilert_sqlite_read_source(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_http_ilert_store_ident_t *source)
{
    source->id = sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_SOURCE_ID);
    source->owner = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_SOURCE_OWNER);
    source->paused = sqlite3_column_int64(stmt,
                                          NGX_HTTP_ILERT_SQLITE_SOURCE_PAUSED);

    ngx_http_ilert_sqlite_read_refusals(stmt, &source->refusals);

    if (source->name.data == NULL
        && ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                      NGX_HTTP_ILERT_SQLITE_SOURCE_NAME,
                                      &source->name)
           != NGX_OK)
    {
        return ngx_http_ilert_sqlite_nomem(work->store->private);
    }

    return SQLITE_OK;
}


/* Reads ids such as "1 2 3", up to the first that makes no sense. */

static void
ngx_http_ilert_sqlite_read_refusals(sqlite3_stmt *stmt,
    ngx_http_ilert_refusals_t *refusals)
{
    char     *p, *end;
    int64_t   id;

    refusals->n = 0;

    p = (char *) sqlite3_column_text(stmt,
                                     NGX_HTTP_ILERT_SQLITE_SOURCE_REFUSALS);

    while (p && refusals->n < NGX_HTTP_ILERT_REFUSALS) {

        id = strtoll(p, &end, 10);

        if (end == p || id <= 0) {
            return;
        }

        refusals->alerts[refusals->n++] = id;
        p = end;
    }
}


ngx_int_t
ngx_http_ilert_sqlite_fund(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_fund_t *fund)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_sqlite_row(work->store->private,
                                   NGX_HTTP_ILERT_SQLITE_GET_BUDGET, &stmt,
                                   "t", name);

    if (rc == SQLITE_OK) {
        fund->id = sqlite3_column_int64(stmt, 0);
        fund->paused = sqlite3_column_int64(stmt, 1);
        fund->pause = sqlite3_column_int64(stmt, 2);

        ngx_http_ilert_sqlite_end(stmt);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund)
{
    int                          rc;
    int64_t                      taken, *at;
    ngx_array_t                  slots;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_COUNT_TAKEN,
                                   &taken, "i", fund->id);
    if (rc != SQLITE_OK) {
        return ngx_http_ilert_sqlite_result(rc);
    }

    if (ngx_array_init(&slots, work->pool, 64, sizeof(int64_t)) != NGX_OK) {
        return ngx_http_ilert_sqlite_result(
                                         ngx_http_ilert_sqlite_nomem(db));
    }

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_SLOTS, &stmt,
                                   "i", fund->id);

    while (rc == SQLITE_OK) {

        at = ngx_array_push(&slots);

        if (at == NULL) {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            break;
        }

        *at = sqlite3_column_int64(stmt, 0);

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    if (rc != NGX_HTTP_ILERT_SQLITE_MISSING) {
        return ngx_http_ilert_sqlite_result(rc);
    }

    fund->underway = taken;
    fund->at = slots.elts;
    fund->nat = slots.nelts;
    fund->slots = 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_sqlite_alert(ngx_http_ilert_store_work_t *work, int64_t owner,
    int64_t source, ngx_str_t *key, ngx_http_ilert_store_alert_t **alert)
{
    int                          rc;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db,
                                   owner ? NGX_HTTP_ILERT_SQLITE_FIND_ALERT
                                       : NGX_HTTP_ILERT_SQLITE_FIND_OF_SOURCE,
                                   &stmt, "it", owner ? owner : source, key);

    if (rc == SQLITE_OK) {
        *alert = ngx_http_ilert_sqlite_read_alert(work, stmt);

        ngx_http_ilert_sqlite_end(stmt);

        if (*alert == NULL) {
            rc = ngx_http_ilert_sqlite_nomem(db);
        }
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_alert_of_id(ngx_http_ilert_store_work_t *work,
    int64_t id, ngx_http_ilert_store_alert_t **alert)
{
    int                          rc;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_ALERT, &stmt,
                                   "i", id);

    if (rc == SQLITE_OK) {
        *alert = ngx_http_ilert_sqlite_read_alert(work, stmt);

        ngx_http_ilert_sqlite_end(stmt);

        if (*alert == NULL) {
            rc = ngx_http_ilert_sqlite_nomem(db);
        }
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_http_ilert_store_alert_t *
ngx_http_ilert_sqlite_read_alert(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt)
{
    ngx_str_t                      key, alert_key;
    ngx_uint_t                     known;
    ngx_http_ilert_store_alert_t  *alert;

    ngx_http_ilert_sqlite_text(stmt, NGX_HTTP_ILERT_SQLITE_ALERT_KEY, &key);
    ngx_http_ilert_sqlite_text(stmt, NGX_HTTP_ILERT_SQLITE_ALERT_ALERT_KEY,
                               &alert_key);

    alert = ngx_http_ilert_work_alert(work,
                             sqlite3_column_int64(stmt,
                                            NGX_HTTP_ILERT_SQLITE_ALERT_ID),
                             &key, &alert_key, &known);

    if (alert == NULL || known) {
        return alert;
    }

#define NGX_HTTP_ILERT_SQLITE_READ(NAME, name)                                \
    alert->row.name = sqlite3_column_int64(stmt,                              \
                                          NGX_HTTP_ILERT_SQLITE_ALERT_##NAME);

    NGX_HTTP_ILERT_SQLITE_ROW(NGX_HTTP_ILERT_SQLITE_READ)

#undef NGX_HTTP_ILERT_SQLITE_READ

    alert->saved = alert->row;

    if (sqlite3_column_bytes(stmt, NGX_HTTP_ILERT_SQLITE_ALERT_SUMMARY)
        && ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                      NGX_HTTP_ILERT_SQLITE_ALERT_SUMMARY,
                                      &alert->summary)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_http_ilert_work_check_alert(work, alert);

    return alert;
}


ngx_int_t
ngx_http_ilert_sqlite_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body)
{
    int                              rc;
    ngx_uint_t                       n, front;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_waiting_t  *ev, *first;

    db = work->store->private;
    first = NULL;
    front = (which == NGX_HTTP_ILERT_STORE_FRONT);

    ngx_queue_init(&alert->waiting);

    alert->edges = NGX_HTTP_ILERT_STORE_ALL;

    /* if there is one more event than was asked for, others wait, too */

    rc = ngx_http_ilert_sqlite_row(db, front
                                       ? NGX_HTTP_ILERT_SQLITE_FIRST_EVENTS
                                       : NGX_HTTP_ILERT_SQLITE_LAST_EVENTS,
                                   &stmt, "iii", alert->id,
                                   body ? alert->row.head : 0, (int64_t)
                                   (NGX_HTTP_ILERT_SQLITE_EDGES + 1));

    for (n = 0; rc == SQLITE_OK; n++) {

        if (n == NGX_HTTP_ILERT_SQLITE_EDGES) {
            alert->edges = which;
            ngx_http_ilert_sqlite_end(stmt);
            break;
        }

        ev = ngx_http_ilert_sqlite_add_waiting(work, stmt);

        if (ev == NULL
            || (body && ev->seq == alert->row.head
                && ngx_http_ilert_sqlite_copy(work->pool, stmt,
                                             NGX_HTTP_ILERT_SQLITE_EVENT_BODY,
                                             &ev->body)
                   != NGX_OK))
        {
            ngx_http_ilert_sqlite_end(stmt);
            (void) ngx_http_ilert_sqlite_nomem(db);
            return NGX_ERROR;
        }

        if (front) {
            ngx_queue_insert_tail(&alert->waiting, &ev->queue);

        } else {
            /* the statement has the last one first */
            ngx_queue_insert_head(&alert->waiting, &ev->queue);
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    if (rc == NGX_HTTP_ILERT_SQLITE_MISSING) {
        rc = SQLITE_OK;
    }

    first = ngx_http_ilert_work_first(alert);

    if (rc == SQLITE_OK && body && first && first->body.data == NULL) {

        /* the first event is not row.head, so its body was not selected */

        rc = ngx_http_ilert_sqlite_body(work, first);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


static ngx_http_ilert_store_waiting_t *
ngx_http_ilert_sqlite_add_waiting(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt)
{
    ngx_http_ilert_store_waiting_t  *ev;

    ev = ngx_palloc(work->pool, sizeof(ngx_http_ilert_store_waiting_t));

    if (ev) {
        ngx_http_ilert_sqlite_read_event(stmt, ev);
    }

    return ev;
}


void
ngx_http_ilert_sqlite_read_event(sqlite3_stmt *stmt,
    ngx_http_ilert_store_waiting_t *ev)
{
    ngx_memzero(ev, sizeof(ngx_http_ilert_store_waiting_t));

#define NGX_HTTP_ILERT_SQLITE_READ(NAME)                                      \
    sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_EVENT_##NAME)

    ev->seq = NGX_HTTP_ILERT_SQLITE_READ(SEQ);
    ev->id = NGX_HTTP_ILERT_SQLITE_READ(ID);
    ev->since = NGX_HTTP_ILERT_SQLITE_READ(SINCE);
    ev->urgency = NGX_HTTP_ILERT_SQLITE_READ(URGENCY);
    ev->source = NGX_HTTP_ILERT_SQLITE_READ(SOURCE);
    ev->attempts = NGX_HTTP_ILERT_SQLITE_READ(ATTEMPTS);
    ev->again = (NGX_HTTP_ILERT_SQLITE_READ(AGAIN) != 0);
    ev->passthrough = (NGX_HTTP_ILERT_SQLITE_READ(NATIVE) != 0);
    ev->said.type = NGX_HTTP_ILERT_SQLITE_READ(TYPE);
    ev->said.level = NGX_HTTP_ILERT_SQLITE_READ(LEVEL);
    ev->said.priority = NGX_HTTP_ILERT_SQLITE_READ(PRIORITY);
    ev->said.received = NGX_HTTP_ILERT_SQLITE_READ(RECEIVED);
    ev->said.own = NGX_HTTP_ILERT_SQLITE_READ(OWN);
    ev->said.message = NGX_HTTP_ILERT_SQLITE_READ(MESSAGE);
    ev->said.freed = (NGX_HTTP_ILERT_SQLITE_READ(FREED) != 0);
    ev->said.severity = NGX_HTTP_ILERT_SQLITE_READ(SEVERITY);

    ngx_http_ilert_work_check_event(ev, NGX_HTTP_ILERT_SQLITE_READ(SIZE));

#undef NGX_HTTP_ILERT_SQLITE_READ
}


static int
ngx_http_ilert_sqlite_body(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_waiting_t *ev)
{
    int                          rc;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_BODY, &stmt,
                                   "i", ev->seq);

    if (rc == SQLITE_OK) {

        if (ngx_http_ilert_sqlite_copy(work->pool, stmt, 0, &ev->body)
            != NGX_OK)
        {
            rc = ngx_http_ilert_sqlite_nomem(db);
        }

        ngx_http_ilert_sqlite_end(stmt);
    }

    /* it may be in the index, but not in the table */

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? ngx_http_ilert_sqlite_error(db, SQLITE_CORRUPT) : rc;
}


ngx_int_t
ngx_http_ilert_sqlite_alert_of_head(ngx_http_ilert_store_work_t *work,
    int64_t seq, int64_t *alert, ngx_http_ilert_store_ident_t *source)
{
    int                          rc;
    int64_t                      id;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_ALERT_OF_HEAD,
                                   &stmt, "i", seq);
    if (rc != SQLITE_OK) {
        return ngx_http_ilert_sqlite_result(rc);
    }

    *alert = sqlite3_column_int64(stmt, 0);
    id = sqlite3_column_int64(stmt, 2);

    if (id == 0) {
        id = sqlite3_column_int64(stmt, 1);
    }

    ngx_http_ilert_sqlite_end(stmt);

    ngx_memzero(source, sizeof(ngx_http_ilert_store_ident_t));

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_SOURCE_OF_ID,
                                   &stmt, "i", id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_read_source(work, stmt, source);
        ngx_http_ilert_sqlite_end(stmt);
    }

    return ngx_http_ilert_sqlite_result(rc);
}
