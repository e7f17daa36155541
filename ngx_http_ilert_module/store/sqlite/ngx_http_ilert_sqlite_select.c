
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_sqlite_db.h"


static int ngx_http_ilert_sqlite_select(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_filter_t *filter, ngx_uint_t *n,
    sqlite3_stmt **stmt);
static int ngx_http_ilert_sqlite_any(ngx_http_ilert_sqlite_db_t *db,
    int64_t alert, int64_t source, ngx_uint_t *any);
static ngx_int_t ngx_http_ilert_sqlite_read_letter(
    ngx_http_ilert_store_work_t *work, sqlite3_stmt *stmt, ngx_uint_t body,
    ngx_http_ilert_store_letter_t *letter);


ngx_int_t
ngx_http_ilert_sqlite_sources(ngx_http_ilert_store_work_t *work,
    ngx_array_t *sources)
{
    int                              rc;
    ngx_uint_t                       i;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_ident_t     ident;
    ngx_http_ilert_store_counted_t  *counted;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_SOURCES,
                                   &stmt, "");

    while (rc == SQLITE_OK) {

        ngx_str_null(&ident.name);

        rc = ngx_http_ilert_sqlite_read_source(work, stmt, &ident);

        counted = (rc == SQLITE_OK) ? ngx_array_push(sources) : NULL;

        if (counted == NULL) {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            break;
        }

        counted->id = ident.id;
        counted->name = ident.name;
        counted->paused = ident.paused;

        for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
            counted->waiting[i] = sqlite3_column_int64(stmt,
                                     NGX_HTTP_ILERT_SQLITE_SOURCE_CRITICAL
                                     + i);
        }

        counted->open = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_SOURCE_OPEN);
        counted->dead = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_SQLITE_SOURCE_DEAD);

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts)
{
    int                             rc;
    int64_t                         limit;
    ngx_uint_t                      n, idle, all;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_sqlite_db_t     *db;
    ngx_http_ilert_store_alert_t   *alert, **pushed;

    db = work->store->private;
    limit = filter->limit;
    all = 0;

    idle = (filter->which == NGX_HTTP_ILERT_ALERTS_OPEN
            || filter->which == NGX_HTTP_ILERT_ALERTS_OVER);

    rc = ngx_http_ilert_sqlite_select(db, filter, &n, &stmt);

    for ( ;; ) {

        if (rc == NGX_HTTP_ILERT_SQLITE_MISSING) {

            if (filter->which != NGX_HTTP_ILERT_ALERTS_STRANGE || all
                || limit == 0)
            {
                return NGX_OK;
            }

            /* after urgencies below the lowest come those above the highest */

            all = 1;
            rc = ngx_http_ilert_sqlite_row(db, n, &stmt, "iiii",
                                           filter->source, (int64_t)
                                           NGX_HTTP_ILERT_REPEATS + 1,
                                           (int64_t) INT64_MAX, limit);
            continue;
        }

        if (rc != SQLITE_OK) {
            return ngx_http_ilert_sqlite_result(rc);
        }

        alert = ngx_http_ilert_sqlite_read_alert(work, stmt);
        pushed = alert ? ngx_array_push(alerts) : NULL;

        if (pushed == NULL) {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            continue;
        }

        if (idle) {
            alert->letter = sqlite3_column_int(stmt,
                                          NGX_HTTP_ILERT_SQLITE_ALERT_LETTER);
        }

        *pushed = alert;
        limit--;

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }
}


/*
 * Runs the statement for the filter up to its first row, and sets "n" to its
 * number.  With .._STRANGE it selects urgencies below the lowest one only.
 */

static int
ngx_http_ilert_sqlite_select(ngx_http_ilert_sqlite_db_t *db,
    ngx_http_ilert_store_filter_t *filter, ngx_uint_t *n, sqlite3_stmt **stmt)
{
    int64_t  limit;

    limit = filter->limit;

    switch (filter->which) {

    case NGX_HTTP_ILERT_ALERTS_READY:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_READY;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iii", filter->source,
                                         (int64_t) filter->urgency, limit);

    case NGX_HTTP_ILERT_ALERTS_STRANGE:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_STRANGE;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iiii", filter->source,
                                         (int64_t) INT64_MIN, (int64_t) -1,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_TAKEN:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_TAKEN;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "i", limit);

    case NGX_HTTP_ILERT_ALERTS_DUE:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_DUE;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iii",
                                         (int64_t) INT64_MIN, filter->time,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_LATE:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_DUE;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iii", filter->time + 1,
                                         (int64_t)
                                         NGX_HTTP_ILERT_STORE_RELEASED - 1,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_TIMED:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_TIMED;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "ii", filter->source,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_HELD:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_HELD;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iiii", filter->source,
                                         (int64_t) filter->urgency, filter->id,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_BAD:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_BAD;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "ii", filter->source,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_OPEN:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_OPEN;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iiii", filter->source,
                                         filter->time, filter->id, limit);

    case NGX_HTTP_ILERT_ALERTS_SILENT:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_SILENT;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iiii", filter->source,
                                         filter->time, filter->id, limit);

    case NGX_HTTP_ILERT_ALERTS_OVER:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_OVER;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "iii", filter->time,
                                         filter->id, limit);

    case NGX_HTTP_ILERT_ALERTS_OPENED:
        *n = NGX_HTTP_ILERT_SQLITE_LIST_OPENED;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "ii", filter->source,
                                         limit);

    case NGX_HTTP_ILERT_ALERTS_STRAYS:

        if (filter->source) {
            *n = NGX_HTTP_ILERT_SQLITE_LIST_STRAYS;
            return ngx_http_ilert_sqlite_row(db, *n, stmt, "iii",
                                             filter->source, filter->id,
                                             limit);
        }

        *n = NGX_HTTP_ILERT_SQLITE_LIST_ALL_STRAYS;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "ii", filter->id,
                                         limit);

    default: /* NGX_HTTP_ILERT_ALERTS_ALL */
        *n = NGX_HTTP_ILERT_SQLITE_LIST_ALERTS;
        return ngx_http_ilert_sqlite_row(db, *n, stmt, "ii", filter->id,
                                         limit);
    }
}


ngx_int_t
ngx_http_ilert_sqlite_due(ngx_http_ilert_store_work_t *work, int64_t *due)
{
    int  rc;

    rc = ngx_http_ilert_sqlite_get(work->store->private,
                                   NGX_HTTP_ILERT_SQLITE_GET_DUE, due, "");

    if (rc == NGX_HTTP_ILERT_SQLITE_MISSING) {
        *due = 0;
        return NGX_OK;
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_retries(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t *retries)
{
    int      rc;
    int64_t  found;

    rc = ngx_http_ilert_sqlite_get(work->store->private,
                                   NGX_HTTP_ILERT_SQLITE_HAS_RETRIES, &found,
                                   "ii", source,
                                   (int64_t) NGX_HTTP_ILERT_REPEATS);

    *retries = (rc == SQLITE_OK);

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_events(ngx_http_ilert_store_work_t *work, int64_t alert,
    int64_t seq, ngx_uint_t limit, ngx_array_t *events)
{
    int                              rc;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_sqlite_db_t      *db;
    ngx_http_ilert_store_waiting_t  *ev;

    db = work->store->private;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_EVENTS,
                                   &stmt, "iii", alert, seq, (int64_t) limit);

    while (rc == SQLITE_OK) {

        ev = ngx_array_push(events);

        if (ev == NULL) {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            break;
        }

        ngx_http_ilert_sqlite_read_event(stmt, ev);

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_count(ngx_http_ilert_store_work_t *work, int64_t alert,
    ngx_uint_t limit, int64_t *n, int64_t *received)
{
    int                          rc;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    *n = 0;
    *received = 0;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LATEST_EVENTS,
                                   &stmt, "ii", alert, (int64_t) limit);

    while (rc == SQLITE_OK) {

        (*n)++;

        /* a RESOLVE of ours has no body, and was not received */

        if (sqlite3_column_int64(stmt, 1)) {
            *received = ngx_max(*received, sqlite3_column_int64(stmt, 0));
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_next_waiting(ngx_http_ilert_store_work_t *work,
    int64_t *alert, int64_t *seq)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_sqlite_row(work->store->private,
                                   NGX_HTTP_ILERT_SQLITE_NEXT_WAITING, &stmt,
                                   "ii", *alert, *seq);

    if (rc == SQLITE_OK) {
        *alert = sqlite3_column_int64(stmt, 0);
        *seq = sqlite3_column_int64(stmt, 1);

        ngx_http_ilert_sqlite_end(stmt);
    }

    return ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_others(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
    ngx_uint_t *own)
{
    int                          rc;
    ngx_uint_t                   unnamed;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    unnamed = 0;

    rc = ngx_http_ilert_sqlite_any(db, alert->id, source, own);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_sqlite_any(db, alert->id, 0, &unnamed);
    }

    if (rc != SQLITE_OK) {
        return ngx_http_ilert_sqlite_result(rc);
    }

    if (unnamed && alert->row.source == source) {
        *own = 1;

    } else if (unnamed) {
        *other = alert->row.source;
        return NGX_OK;
    }

    rc = ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_OTHERS_SOURCE,
                                   other, "ii", alert->id, source);

    return ngx_http_ilert_sqlite_result(rc);
}


/* Sets "any" to 1 if the alert has an event whose source is exactly this. */

static int
ngx_http_ilert_sqlite_any(ngx_http_ilert_sqlite_db_t *db, int64_t alert,
    int64_t source, ngx_uint_t *any)
{
    int      rc;
    int64_t  found;

    rc = ngx_http_ilert_sqlite_get(db, NGX_HTTP_ILERT_SQLITE_ANY_EVENT, &found,
                                   "ii", alert, source);

    *any = (rc == SQLITE_OK);

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING) ? SQLITE_OK : rc;
}


ngx_int_t
ngx_http_ilert_sqlite_oldest(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t urgency, int64_t *since)
{
    int                          rc;
    int64_t                      time;
    sqlite3_stmt                *stmt;
    ngx_http_ilert_sqlite_db_t  *db;

    db = work->store->private;

    *since = 0;

    rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_OLDEST_EVENT,
                                   &stmt, "ii", source, (int64_t) urgency);

    while (rc == SQLITE_OK) {

        time = sqlite3_column_int64(stmt, 0);

        if (time <= 0) {
            time = sqlite3_column_int64(stmt, 1);
        }

        if (*since == 0 || time < *since) {
            *since = time;
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


ngx_int_t
ngx_http_ilert_sqlite_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters)
{
    int                             rc;
    int64_t                         body, limit;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_sqlite_db_t     *db;
    ngx_http_ilert_store_letter_t  *letter;

    db = work->store->private;
    body = filter->body;
    limit = filter->limit;

    switch (filter->which) {

    case NGX_HTTP_ILERT_LETTERS_OF_ID:
        rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_FIND_LETTER,
                                       &stmt, "ii", body,
                                       (int64_t) filter->id);
        break;

    case NGX_HTTP_ILERT_LETTERS_OF_SEQ:
        rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_GET_LETTER,
                                       &stmt, "ii", body, filter->seq);
        break;

    case NGX_HTTP_ILERT_LETTERS_OF_SOURCE:
        rc = ngx_http_ilert_sqlite_row(db, NGX_HTTP_ILERT_SQLITE_LIST_LETTERS,
                                       &stmt, "iiiii", body, filter->source,
                                       filter->died, filter->seq, limit);
        break;

    case NGX_HTTP_ILERT_LETTERS_OLDEST:
        rc = ngx_http_ilert_sqlite_row(db,
                                       NGX_HTTP_ILERT_SQLITE_OLDEST_LETTERS,
                                       &stmt, "ii", body, limit);
        break;

    default: /* NGX_HTTP_ILERT_LETTERS_LATEST */

        if (filter->source) {
            rc = ngx_http_ilert_sqlite_row(db,
                                       NGX_HTTP_ILERT_SQLITE_LATEST_OF_SOURCE,
                                       &stmt, "iii", body, filter->source,
                                       limit);
            break;
        }

        rc = ngx_http_ilert_sqlite_row(db,
                                       NGX_HTTP_ILERT_SQLITE_LATEST_LETTERS,
                                       &stmt, "ii", body, limit);
        break;
    }

    while (rc == SQLITE_OK) {

        letter = ngx_array_push(letters);

        if (letter == NULL
            || ngx_http_ilert_sqlite_read_letter(work, stmt, filter->body,
                                                 letter)
               != NGX_OK)
        {
            ngx_http_ilert_sqlite_end(stmt);
            rc = ngx_http_ilert_sqlite_nomem(db);
            break;
        }

        rc = ngx_http_ilert_sqlite_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_SQLITE_MISSING)
           ? NGX_OK : ngx_http_ilert_sqlite_result(rc);
}


static ngx_int_t
ngx_http_ilert_sqlite_read_letter(ngx_http_ilert_store_work_t *work,
    sqlite3_stmt *stmt, ngx_uint_t body, ngx_http_ilert_store_letter_t *letter)
{
    ngx_uint_t   i;

    struct {
        ngx_str_t   *text;
        ngx_uint_t   column;
    } texts[] = {
        { &letter->source, NGX_HTTP_ILERT_SQLITE_LETTER_NAME },
        { &letter->key, NGX_HTTP_ILERT_SQLITE_LETTER_ALERT_KEY },
        { &letter->error, NGX_HTTP_ILERT_SQLITE_LETTER_ERROR },
        { &letter->body, NGX_HTTP_ILERT_SQLITE_LETTER_BODY }
    };

    ngx_memzero(letter, sizeof(ngx_http_ilert_store_letter_t));

    for (i = 0; i < (body ? 4 : 3); i++) {
        if (ngx_http_ilert_sqlite_copy(work->pool, stmt, texts[i].column,
                                       texts[i].text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

#define NGX_HTTP_ILERT_SQLITE_READ(NAME)                                      \
    sqlite3_column_int64(stmt, NGX_HTTP_ILERT_SQLITE_LETTER_##NAME)

    letter->seq = NGX_HTTP_ILERT_SQLITE_READ(SEQ);
    letter->size = NGX_HTTP_ILERT_SQLITE_READ(SIZE);
    letter->id = NGX_HTTP_ILERT_SQLITE_READ(ID);
    letter->source_id = NGX_HTTP_ILERT_SQLITE_READ(SOURCE);
    letter->said.type = NGX_HTTP_ILERT_SQLITE_READ(TYPE);
    letter->said.level = NGX_HTTP_ILERT_SQLITE_READ(LEVEL);
    letter->said.priority = NGX_HTTP_ILERT_SQLITE_READ(PRIORITY);
    letter->said.received = NGX_HTTP_ILERT_SQLITE_READ(RECEIVED);
    letter->passthrough = (NGX_HTTP_ILERT_SQLITE_READ(NATIVE) != 0);
    letter->died = NGX_HTTP_ILERT_SQLITE_READ(DIED);
    letter->status = NGX_HTTP_ILERT_SQLITE_READ(STATUS);

#undef NGX_HTTP_ILERT_SQLITE_READ

    return NGX_OK;
}
