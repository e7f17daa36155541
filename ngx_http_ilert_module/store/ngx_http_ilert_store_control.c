
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_db.h"


/* letters, or events, that an order goes through in one job */

#define NGX_HTTP_ILERT_STORE_ORDER_LETTERS  100
#define NGX_HTTP_ILERT_STORE_ORDER_EVENTS   1000


static int ngx_http_ilert_store_order(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order);
static int ngx_http_ilert_store_has_left(ngx_http_ilert_store_db_t *db,
    ngx_str_t *name, ngx_uint_t *left);
static int ngx_http_ilert_store_letter(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order);
static int ngx_http_ilert_store_letters(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    int64_t source);
static int ngx_http_ilert_store_replay(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    sqlite3_stmt *stmt);
static void ngx_http_ilert_store_read_text(sqlite3_stmt *stmt,
    ngx_uint_t column, ngx_str_t *text);
static int ngx_http_ilert_store_pause(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    int64_t source);
static int ngx_http_ilert_store_empty(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source);
static int ngx_http_ilert_store_empty_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source,
    ngx_uint_t *left);
static ngx_uint_t ngx_http_ilert_store_stays(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);


int
ngx_http_ilert_store_orders(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int           rc;
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&job->orders);
         q != ngx_queue_sentinel(&job->orders);
         q = ngx_queue_next(q))
    {
        rc = ngx_http_ilert_store_order(db, job, ngx_queue_data(q,
                                        ngx_http_ilert_store_order_t, queue));
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_order(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order)
{
    int                            rc;
    ngx_str_t                      owner;
    ngx_uint_t                     known;
    ngx_http_ilert_store_ident_t   source;

    order->next[0] = order->after[0];
    order->next[1] = order->after[1];

    if (order->id) {
        return ngx_http_ilert_store_letter(db, job, order);
    }

    known = order->known || order->configured(&order->source, order->data);

    if (!known) {
        rc = ngx_http_ilert_store_has_left(db, &order->source, &known);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (!known) {
        order->missing = 1;
        order->why = "there is no such source";
        return SQLITE_OK;
    }

    order->known = 1;

    ngx_str_null(&owner);

    rc = ngx_http_ilert_store_source(db, &order->source, &owner, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    switch (order->action) {

    case NGX_HTTP_ILERT_STORE_REPLAY:
        return ngx_http_ilert_store_letters(db, job, order, source.id);

    case NGX_HTTP_ILERT_STORE_DISCARD:
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DISCARD_DEAD,
                                       "ii", source.id, (int64_t)
                                       NGX_HTTP_ILERT_STORE_ORDER_EVENTS);
        order->count = sqlite3_changes(db->db);
        order->more = (order->count == NGX_HTTP_ILERT_STORE_ORDER_EVENTS);
        return rc;

    case NGX_HTTP_ILERT_STORE_EMPTY:
        return ngx_http_ilert_store_empty(db, order, &source);

    default: /* NGX_HTTP_ILERT_STORE_PAUSE, NGX_HTTP_ILERT_STORE_RESUME */
        return ngx_http_ilert_store_pause(db, job, order, source.id);
    }
}


/* a source that is not configured: whether there are events, or letters */

static int
ngx_http_ilert_store_has_left(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    ngx_uint_t *left)
{
    int      rc;
    int64_t  n;

    n = 0;

    rc = ngx_http_ilert_store_write_counts(db);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_SOURCE_LEFT,
                                      &n, "t", name);
    }

    *left = (rc == SQLITE_OK && n != 0);

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


/* one dead letter */

static int
ngx_http_ilert_store_letter(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order)
{
    int            rc;
    int64_t        seq;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_FIND_DEAD, &stmt,
                                  "i", (int64_t) order->id);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        order->missing = 1;
        order->why = "there is no such dead letter";
        return SQLITE_OK;
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (order->action == NGX_HTTP_ILERT_STORE_REPLAY) {
        return ngx_http_ilert_store_replay(db, job, order, stmt);
    }

    seq = sqlite3_column_int64(stmt, 0);

    ngx_http_ilert_store_end(stmt);

    order->count = 1;

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_DEAD, "i",
                                     seq);
}


/* those of a source that can be replayed, in the order in which they died */

static int
ngx_http_ilert_store_letters(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    int64_t source)
{
    int            rc;
    ngx_uint_t     n;
    sqlite3_stmt  *stmt;

    for (n = 0; n < NGX_HTTP_ILERT_STORE_ORDER_LETTERS; n++) {

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_DEAD,
                                      &stmt, "iii", source, order->next[0],
                                      order->next[1]);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            return SQLITE_OK;
        }

        if (rc == SQLITE_OK) {
            order->next[0] = sqlite3_column_int64(stmt, 12);
            order->next[1] = sqlite3_column_int64(stmt, 0);
            rc = ngx_http_ilert_store_replay(db, job, order, stmt);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    order->more = 1;

    return SQLITE_OK;
}


/*
 * A letter may be replayed as long as nothing is known of its alert that is
 * later: an ALERT must not follow a RESOLVE that has been sent, or dropped, or
 * waits.  Its time, by which "max_age" goes, begins anew.
 */

static int
ngx_http_ilert_store_replay(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    sqlite3_stmt *stmt)
{
    int                            rc;
    int64_t                        seq;
    ngx_str_t                     *key;
    sqlite3_stmt                  *found;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_event_t   ev;
    ngx_http_ilert_store_ident_t   source;

    ngx_memzero(&ev, sizeof(ngx_http_ilert_store_event_t));

    seq = sqlite3_column_int64(stmt, 0);

    ngx_http_ilert_store_read_text(stmt, 2, &ev.source);
    ngx_http_ilert_store_read_text(stmt, 3, &ev.key);
    ngx_http_ilert_store_read_text(stmt, 11, &ev.body);

    ev.id = sqlite3_column_int64(stmt, 1);
    ev.said.type = sqlite3_column_int(stmt, 4);
    ev.said.level = sqlite3_column_int(stmt, 5);
    ev.native = (sqlite3_column_int(stmt, 6) != 0);
    ev.said.priority = sqlite3_column_int(stmt, 7);
    ev.said.received = job->now;

    /* off, as it is to be tried */

    ev.policy.coalesce = NGX_HTTP_ILERT_COALESCE_OFF;

    if (!order->configured(&ev.source, order->data)) {
        order->refused++;
        order->why = "its source is not configured";
        ngx_http_ilert_store_end(stmt);
        return SQLITE_OK;
    }

    if (ev.said.type < NGX_HTTP_ILERT_ALERT
        || ev.said.type > NGX_HTTP_ILERT_COMMENT || ev.body.len == 0)
    {
        order->refused++;
        order->why = "its row is damaged";
        ngx_http_ilert_store_end(stmt);
        return SQLITE_OK;
    }

    found = NULL;

    rc = ngx_http_ilert_store_get_source(db, &ev.source, &source);

    if (rc == SQLITE_OK) {
        ev.source_id = source.id;

        key = ngx_http_ilert_store_fold(db, &ev.key);

        rc = (key == NULL)
             ? ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM)
             : ngx_http_ilert_store_find_alert(db, &source, key, &ev.key,
                                               &alert, &found);
    }

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_end(found);
    }

    /* of another epoch: since then events were sent that one knows not of */

    if (rc == NGX_HTTP_ILERT_STORE_MISSING
        || (rc == SQLITE_OK
            && (alert.head || alert.gone > seq
                || alert.shown.shows == NGX_HTTP_ILERT_SHOWS_ANYTHING)))
    {
        order->refused++;
        order->why = "its alert has seen a later event";
        ngx_http_ilert_store_end(stmt);
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_add(db, &alert, &ev, job->now);
    }

    ngx_http_ilert_store_end(stmt);

    if (rc != SQLITE_OK) {
        return rc;
    }

    order->count++;

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_DEAD, "i",
                                     seq);
}


/* of what has no bytes there may be no address */

static void
ngx_http_ilert_store_read_text(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_str_t *text)
{
    text->data = (u_char *) sqlite3_column_blob(stmt, column);
    text->len = sqlite3_column_bytes(stmt, column);

    if (text->data == NULL) {
        ngx_str_set(text, "");
    }
}


/* what waits for a time the courier lets go when it hears of a resume */

static int
ngx_http_ilert_store_pause(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_order_t *order,
    int64_t source)
{
    int      rc;
    int64_t  paused;

    if (!order->configured(&order->source, order->data)) {
        order->missing = 1;
        order->why = "there is no such source";
        return SQLITE_OK;
    }

    paused = (order->action == NGX_HTTP_ILERT_STORE_PAUSE) ? job->now : 0;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_PAUSED, "ii",
                                   source, paused);

    order->count = sqlite3_changes(db->db);

    return rc;
}


/*
 * Event by event, those of an alert together.  What stays is gone over once:
 * the next job begins after it.
 */

static int
ngx_http_ilert_store_empty(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source)
{
    int         rc;
    ngx_uint_t  left;

    left = NGX_HTTP_ILERT_STORE_ORDER_EVENTS;

    while (left) {
        rc = ngx_http_ilert_store_empty_alert(db, order, source, &left);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            return SQLITE_OK;
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    order->more = 1;

    return SQLITE_OK;
}


/* from order->next on, at most so many; MISSING: there is no other event */

static int
ngx_http_ilert_store_empty_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source,
    ngx_uint_t *left)
{
    int                             rc;
    int64_t                         head, id;
    ngx_uint_t                      n;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_store_alert_t    alert;
    ngx_http_ilert_store_waiting_t  ev;

    n = 0;
    head = 0;

    for ( ;; ) {

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_WAITING,
                                      &stmt, "ii", order->next[0],
                                      order->next[1]);
        if (rc != SQLITE_OK) {
            break;
        }

        ngx_http_ilert_store_read_event(stmt, 0, &ev);
        id = sqlite3_column_int64(stmt, NGX_HTTP_ILERT_STORE_EVENT_NCOLUMNS);

        ngx_http_ilert_store_end(stmt);

        if (n == 0) {
            rc = ngx_http_ilert_store_get_alert(db, id, &alert);
            if (rc != SQLITE_OK) {
                return rc;
            }

        } else if (id != alert.id || *left == 0) {
            break;
        }

        n++;
        (*left)--;

        order->next[0] = id;
        order->next[1] = ev.seq;

        if (alert.source != source->id
            && (alert.owner == 0 || alert.owner != source->owner))
        {
            /* all of the alert's are another source's */

            order->next[1] = INT64_MAX;
            return SQLITE_OK;
        }

        if (ngx_http_ilert_store_source_of(&alert, &ev) != source->id
            || ngx_http_ilert_store_stays(&alert, &ev))
        {
            continue;
        }

        rc = ngx_http_ilert_store_delete(db, ev.seq, ev.id);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_count(db, source->id, ev.urgency, -1);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        order->count++;

        if (!ev.own) {
            alert.accepted = ngx_max(alert.accepted, ev.said.received);
        }

        alert.gone = ngx_max(alert.gone, ev.seq);
        head = (ev.seq == alert.head) ? alert.head : head;
    }

    if (n == 0 || (rc != SQLITE_OK && rc != NGX_HTTP_ILERT_STORE_MISSING)) {
        return rc;
    }

    return head ? ngx_http_ilert_store_advance(db, &alert, alert.accepted,
                                               alert.changed)
                : ngx_http_ilert_store_remain(db, &alert);
}


/* what is in flight, and a RESOLVE without which the alert stays open */

static ngx_uint_t
ngx_http_ilert_store_stays(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev)
{
    if (alert->state == NGX_HTTP_ILERT_STORE_TAKEN) {

        if (ev->seq == alert->head) {
            return 1;
        }

    } else if (alert->shown.shows == NGX_HTTP_ILERT_SHOWS_RESOLVED) {
        return 0;
    }

    return ev->said.type == NGX_HTTP_ILERT_RESOLVE;
}
