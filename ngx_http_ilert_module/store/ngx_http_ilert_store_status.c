
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_db.h"
#include "ngx_http_ilert_text.h"


/*
 * Nothing here goes through what waits: counts are kept with the source, and
 * the oldest event, or alert, of a kind is at the end of an index.
 */


/* ms that a query waits for others' locks */

#define NGX_HTTP_ILERT_STORE_QUERY_TIME   500

/* of an alert: events that are counted, letters that are looked at */

#define NGX_HTTP_ILERT_STORE_QUERY_ROWS   1000


static int ngx_http_ilert_store_query(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_size(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_budgets(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_sources(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_waiting(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_source_t *source, int64_t id);
static int ngx_http_ilert_store_query_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_source_t *source,
    int64_t id);
static int ngx_libc_cdecl ngx_http_ilert_store_cmp_open(const void *one,
    const void *two);
static int ngx_http_ilert_store_query_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query);
static int ngx_http_ilert_store_query_events(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_store_read_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, int rc, sqlite3_stmt *stmt);
static ngx_uint_t ngx_http_ilert_store_number(sqlite3_stmt *stmt,
    ngx_uint_t column, ngx_uint_t most);
static void *ngx_http_ilert_store_push(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_array_t *array, size_t size,
    int *rc);
static int ngx_http_ilert_store_copy(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_str_t *text);


void
ngx_http_ilert_store_answer(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    query->committed = job->decided
                       && store->state == NGX_HTTP_ILERT_STORE_OK;

    if (query->probe) {
        query->ok = 1;
        return;
    }

    if (db == NULL || db->db == NULL) {
        return;
    }

    db->deadline = ngx_http_ilert_clock_msec()
                   + NGX_HTTP_ILERT_STORE_QUERY_TIME;

    /* what is read is of one moment, whatever other processes write */

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_BEGIN_READ, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_query(store, job, query);

        (void) ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_COMMIT, "");
    }

    query->ok = (rc == SQLITE_OK);

    if (query->ok) {
        db->doubted[NGX_HTTP_ILERT_STORE_READING] = 0;

    } else if (rc == db->rc) {
        ngx_http_ilert_store_doubt(store, NGX_HTTP_ILERT_STORE_READING,
                                   job->now);
    }
}


static int
ngx_http_ilert_store_query(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    int                         rc;
    ngx_http_ilert_store_db_t  *db;

    db = store->private;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_EPOCH,
                                  &db->epoch, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_query_size(db, query);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_query_budgets(db, job, query);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_query_sources(db, query);
    }

    if (rc == SQLITE_OK) {
        rc = query->alert ? ngx_http_ilert_store_query_alert(db, query)
                          : ngx_http_ilert_store_query_dead(db, query);
    }

    return rc;
}


/* without free pages, which are used again */

static int
ngx_http_ilert_store_query_size(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query)
{
    int      rc;
    int64_t  pages, unused;

    unused = 0;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_PAGES, &pages, "");

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_FREE_PAGES,
                                      &unused, "");
    }

    query->bytes = (rc == SQLITE_OK)
                   ? (pages - unused) * NGX_HTTP_ILERT_STORE_PAGE : 0;

    return rc;
}


static int
ngx_http_ilert_store_query_budgets(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query)
{
    int                             rc;
    ngx_uint_t                      i;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_store_budget_t  *budget;

    query->nused = job->nbudgets;
    query->used = ngx_pcalloc(query->pool, query->nused
                                       * sizeof(ngx_http_ilert_store_used_t));
    if (query->used == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    for (i = 0; i < query->nused; i++) {

        budget = &job->budgets[i];
        query->used[i].name = budget->name;

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_USED_SLOTS,
                                      &stmt, "tii", &budget->name,
                                      job->now - budget->window, job->now);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            continue;
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        query->used[i].used = sqlite3_column_int64(stmt, 0);
        query->used[i].until = sqlite3_column_int64(stmt, 1);

        if (query->used[i].until <= job->now) {
            query->used[i].until = 0;
        }

        ngx_http_ilert_store_end(stmt);
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_query_sources(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query)
{
    int                             rc;
    int64_t                         id;
    ngx_uint_t                      i;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_store_source_t  *source;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_LIST_SOURCES, &stmt,
                                  "");

    while (rc == SQLITE_OK) {

        source = ngx_http_ilert_store_push(db, query, &query->sources,
                                      sizeof(ngx_http_ilert_store_source_t),
                                      &rc);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_copy(db, query, stmt, 0, &source->name);
        }

        if (rc != SQLITE_OK) {
            break;
        }

        for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {
            source->waiting[i] = ngx_max(sqlite3_column_int64(stmt, 1 + i), 0);
        }

        source->open = sqlite3_column_int64(stmt, 6);
        source->dead = sqlite3_column_int64(stmt, 7);
        source->paused = sqlite3_column_int64(stmt, 8);
        id = sqlite3_column_int64(stmt, 9);

        rc = ngx_http_ilert_store_query_waiting(db, source, id);

        if (rc == SQLITE_OK && source->open && !query->alert
            && (query->source.len == 0
                || ngx_http_ilert_text_same(&query->source, &source->name)))
        {
            rc = ngx_http_ilert_store_query_open(db, query, source, id);
        }

        if (rc != SQLITE_OK) {
            break;
        }

        rc = ngx_http_ilert_store_next(db, stmt);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            stmt = NULL;
        }
    }

    if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        ngx_http_ilert_store_end(stmt);
        return rc;
    }

    if (query->open.nelts > 1) {
        qsort(query->open.elts, query->open.nelts,
              sizeof(ngx_http_ilert_store_open_t),
              ngx_http_ilert_store_cmp_open);
    }

    query->open.nelts = ngx_min(query->open.nelts,
                                NGX_HTTP_ILERT_STORE_LISTED);

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_query_waiting(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_source_t *source, int64_t id)
{
    int         rc;
    int64_t     found;
    ngx_uint_t  i, waits;

    waits = 0;

    for (i = 0; i < NGX_HTTP_ILERT_URGENCIES; i++) {

        if (i != NGX_HTTP_ILERT_REPEATS) {
            waits |= (source->waiting[i] != 0);
        }
    }

    for (i = 0; waits && i < NGX_HTTP_ILERT_REPEATS; i++) {

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_OLDEST_EVENT,
                                      &source->oldest[i], "ii", id,
                                      (int64_t) i);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_HAS_RETRIES, &found,
                                  "ii", id, (int64_t) NGX_HTTP_ILERT_REPEATS);

    source->retries = (rc == SQLITE_OK);

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


static int
ngx_http_ilert_store_query_open(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_source_t *source,
    int64_t id)
{
    int                           rc;
    sqlite3_stmt                 *stmt;
    ngx_http_ilert_store_open_t  *open;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_LIST_OPEN, &stmt,
                                  "ii", id,
                                  (int64_t) NGX_HTTP_ILERT_STORE_LISTED);

    while (rc == SQLITE_OK) {

        open = ngx_http_ilert_store_push(db, query, &query->open,
                                         sizeof(ngx_http_ilert_store_open_t),
                                         &rc);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_copy(db, query, stmt, 0, &open->key);
        }

        if (rc != SQLITE_OK) {
            ngx_http_ilert_store_end(stmt);
            return rc;
        }

        open->source = source->name;
        open->level = ngx_http_ilert_store_number(stmt, 1,
                                                  NGX_HTTP_ILERT_CRITICAL);
        open->opened = sqlite3_column_int64(stmt, 2);
        open->last = sqlite3_column_int64(stmt, 3);

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


static int ngx_libc_cdecl
ngx_http_ilert_store_cmp_open(const void *one, const void *two)
{
    const ngx_http_ilert_store_open_t  *a = one, *b = two;

    return (a->opened > b->opened) ? -1 : (a->opened < b->opened);
}


static int
ngx_http_ilert_store_query_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query)
{
    int            rc;
    sqlite3_stmt  *stmt;

    if (query->source.len) {
        rc = ngx_http_ilert_store_row(db,
                                      NGX_HTTP_ILERT_STORE_LIST_SOURCE_DEAD,
                                      &stmt, "ti", &query->source, (int64_t)
                                      NGX_HTTP_ILERT_STORE_LISTED);

    } else {
        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_LIST_DEAD,
                                      &stmt, "i", (int64_t)
                                      NGX_HTTP_ILERT_STORE_LISTED);
    }

    return ngx_http_ilert_store_read_dead(db, query, rc, stmt);
}


static int
ngx_http_ilert_store_query_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query)
{
    int                            rc;
    ngx_str_t                     *key;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_ident_t   source;

    key = ngx_http_ilert_store_fold(db, &query->key);
    if (key == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_LIST_ALERT_DEAD,
                                  &stmt, "ttii", &query->source, key,
                                  (int64_t) NGX_HTTP_ILERT_STORE_LISTED,
                                  (int64_t) NGX_HTTP_ILERT_STORE_QUERY_ROWS);

    rc = ngx_http_ilert_store_read_dead(db, query, rc, stmt);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_get_source(db, &query->source, &source);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_find_alert(db, &source, key, &query->key,
                                             &alert, &stmt);
    }

    if (rc != SQLITE_OK) {
        return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
    }

    rc = ngx_http_ilert_store_copy(db, query, stmt,
                                   NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS + 1,
                                   &query->state.key);

    ngx_http_ilert_store_end(stmt);

    query->found = 1;
    query->shown = alert.shown;
    query->delivered = alert.delivered;
    query->state.level = alert.shown.level;
    query->state.opened = alert.opened;
    query->state.last = alert.accepted;

    if (alert.state == NGX_HTTP_ILERT_STORE_WAITING) {
        query->next = alert.next;
    }

    return (rc == SQLITE_OK)
           ? ngx_http_ilert_store_query_events(db, query, &alert) : rc;
}


static int
ngx_http_ilert_store_query_events(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_http_ilert_store_alert_t *alert)
{
    int                              rc;
    sqlite3_stmt                    *stmt;
    ngx_http_ilert_store_listed_t   *listed;
    ngx_http_ilert_store_waiting_t   ev;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_COUNT_EVENTS, &stmt,
                                  "ii", alert->id,
                                  (int64_t) NGX_HTTP_ILERT_STORE_QUERY_ROWS);
    if (rc != SQLITE_OK) {
        return rc;
    }

    query->waiting = sqlite3_column_int64(stmt, 0);
    query->state.last = ngx_max(query->state.last,
                                sqlite3_column_int64(stmt, 1));

    ngx_http_ilert_store_end(stmt);

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_LIST_EVENTS, &stmt,
                                  "ii", alert->id,
                                  (int64_t) NGX_HTTP_ILERT_STORE_LISTED);

    while (rc == SQLITE_OK) {

        listed = ngx_http_ilert_store_push(db, query, &query->events,
                                       sizeof(ngx_http_ilert_store_listed_t),
                                       &rc);
        if (rc != SQLITE_OK) {
            ngx_http_ilert_store_end(stmt);
            return rc;
        }

        ngx_http_ilert_store_read_event(stmt, 0, &ev);

        if (query->events.nelts == 1) {
            query->attempts = sqlite3_column_int64(stmt,
                                         NGX_HTTP_ILERT_STORE_EVENT_NCOLUMNS);
        }

        listed->id = ev.id;
        listed->type = ev.said.type;
        listed->level = ev.said.level;
        listed->urgency = ev.urgency;
        listed->received = ev.said.received;
        listed->inflight = (alert->state == NGX_HTTP_ILERT_STORE_TAKEN
                            && ev.seq == alert->head);

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


/* of a statement whose first row is "stmt", if "rc" is SQLITE_OK */

static int
ngx_http_ilert_store_read_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, int rc, sqlite3_stmt *stmt)
{
    ngx_http_ilert_store_dead_t  *dead;

    while (rc == SQLITE_OK) {

        dead = ngx_http_ilert_store_push(db, query, &query->dead,
                                         sizeof(ngx_http_ilert_store_dead_t),
                                         &rc);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_copy(db, query, stmt, 2, &dead->source);
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_copy(db, query, stmt, 3, &dead->key);
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_copy(db, query, stmt, 10, &dead->error);
        }

        if (rc != SQLITE_OK) {
            ngx_http_ilert_store_end(stmt);
            return rc;
        }

        dead->id = sqlite3_column_int64(stmt, 1);
        dead->type = ngx_http_ilert_store_number(stmt, 4,
                                                 NGX_HTTP_ILERT_COMMENT);
        dead->received = sqlite3_column_int64(stmt, 8);
        dead->status = sqlite3_column_int(stmt, 9);

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


/* what is an index into names here, whatever is in the database */

static ngx_uint_t
ngx_http_ilert_store_number(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_uint_t most)
{
    int  n;

    n = sqlite3_column_int(stmt, column);

    return (n < 0 || (ngx_uint_t) n > most) ? most : (ngx_uint_t) n;
}


static void *
ngx_http_ilert_store_push(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, ngx_array_t *array, size_t size,
    int *rc)
{
    void  *p;

    p = NULL;

    if (array->elts
        || ngx_array_init(array, query->pool, 16, size) == NGX_OK)
    {
        p = ngx_array_push(array);
    }

    if (p == NULL) {
        *rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
        return NULL;
    }

    ngx_memzero(p, size);

    return p;
}


static int
ngx_http_ilert_store_copy(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_query_t *query, sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_str_t *text)
{
    size_t  len;

    len = sqlite3_column_bytes(stmt, column);

    text->data = ngx_pnalloc(query->pool, len + 1);
    if (text->data == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    text->len = len;

    if (len) {
        ngx_memcpy(text->data, sqlite3_column_text(stmt, column), len);
    }

    return SQLITE_OK;
}
