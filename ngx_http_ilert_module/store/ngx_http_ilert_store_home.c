
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_db.h"


/*
 * ilert knows alerts by integration key and alert key, whatever we call the
 * source.  So an alert belongs to a key, its "owner", and the sources that
 * share the key share its alerts.
 *
 * Which source has which key is in the configuration.  A courier that begins
 * brings the database in line with it before it takes anything, a bounded part
 * of the work in each job:
 *
 *     -  Strays are alerts whose owner is not known: those of a database of an
 *        earlier release, and those that a process of such a release makes
 *        while nginx is being upgraded.  They are adopted by the key of their
 *        source.
 *
 *     -  If a source has got another key, its alerts, and its events that wait
 *        in alerts of several sources, move to that key.
 *
 * Where the key has an alert of that name already the two become one, whose
 * events are in the order of their commits.  What ilert shows of an alert that
 * has moved, or that has become one with another, is not known.
 */


/* rows that one job goes through: in one statement, or one by one */

#define NGX_HTTP_ILERT_STORE_ADOPTED  10000


typedef struct {
    int64_t                     id;
    int64_t                     owner;
} ngx_http_ilert_store_row_t;


static int ngx_http_ilert_store_home(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home);
static int ngx_http_ilert_store_adopt(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_ident_t *source,
    int64_t owner);
static int ngx_http_ilert_store_move(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home,
    ngx_http_ilert_store_ident_t *source, int64_t owner);
static int ngx_http_ilert_store_next_alerts(ngx_http_ilert_store_db_t *db,
    int64_t after, ngx_http_ilert_store_row_t *rows, ngx_uint_t *n);
static int ngx_http_ilert_store_move_alert(ngx_http_ilert_store_db_t *db,
    int64_t id, ngx_http_ilert_store_ident_t *source, int64_t owner);
static int ngx_http_ilert_store_has_event(ngx_http_ilert_store_db_t *db,
    ngx_uint_t n, int64_t alert, int64_t source, ngx_uint_t *has);
static int ngx_http_ilert_store_other(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t owner,
    ngx_http_ilert_store_alert_t *other);
static int ngx_http_ilert_store_read_key(ngx_http_ilert_store_db_t *db,
    int64_t id, ngx_str_t *key);
static int ngx_http_ilert_store_unite(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_alert_t *other);
static int ngx_http_ilert_store_split(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_ident_t *source,
    int64_t owner);
static int ngx_http_ilert_store_leave(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_ident_t *source,
    ngx_str_t *key);


/* sets job->moving as long as there is more to do */

int
ngx_http_ilert_store_homes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int         rc;
    ngx_uint_t  i;

    for (i = 0; i < job->nhomes; i++) {

        rc = ngx_http_ilert_store_home(db, job, &job->homes[i]);

        if (rc != SQLITE_OK || job->moving) {
            return rc;
        }
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_home(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home)
{
    int                            rc;
    int64_t                        owner;
    ngx_http_ilert_store_ident_t   source;

    owner = 0;

    rc = ngx_http_ilert_store_source(db, &home->source, &home->owner, &source);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_owner(db, &home->owner, &owner);
    }

    /* an alert whose urgency makes no sense would be nobody's candidate */

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MEND_URGENCY,
                                       "ii", source.id, (int64_t)
                                       NGX_HTTP_ILERT_STORE_ROWS);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_adopt(db, job, &source,
                                        source.owner ? source.owner : owner);
    }

    if (rc != SQLITE_OK || job->moving) {
        return rc;
    }

    if (source.owner && source.owner != owner) {
        rc = ngx_http_ilert_store_move(db, job, home, &source, owner);
    }

    if (rc != SQLITE_OK || job->moving || source.owner == owner) {
        return rc;
    }

    return ngx_http_ilert_store_set_owner(db, &source, &home->owner);
}


/* most of the strays have no other alert in their way */

static int
ngx_http_ilert_store_adopt(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_ident_t *source,
    int64_t owner)
{
    int                            rc;
    int64_t                        id;
    ngx_uint_t                     rows;
    ngx_http_ilert_store_alert_t   alert, other;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADOPT, "iii",
                                   source->id, owner, (int64_t)
                                   NGX_HTTP_ILERT_STORE_ADOPTED);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_changes(db->db) == NGX_HTTP_ILERT_STORE_ADOPTED) {
        job->moving = 1;
        return SQLITE_OK;
    }

    id = 0;

    for (rows = NGX_HTTP_ILERT_STORE_ROWS; rows; rows--) {

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_STRAY, &id,
                                      "ii", source->id, id);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            return SQLITE_OK;
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_get_alert(db, id, &alert);
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_other(db, &alert, owner, &other);
        }

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MOVE_ALERT,
                                           "ii", id, owner);

        } else if (rc == SQLITE_OK
                   && alert.state != NGX_HTTP_ILERT_STORE_TAKEN
                   && other.state != NGX_HTTP_ILERT_STORE_TAKEN)
        {
            rc = ngx_http_ilert_store_unite(db, &alert, &other);
        }

        /* what is under way stays a stray until another courier begins */

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    job->moving = 1;

    return SQLITE_OK;
}


/* goes through all alerts in the order of their ids, some in each job */

static int
ngx_http_ilert_store_move(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home,
    ngx_http_ilert_store_ident_t *source, int64_t owner)
{
    int                          rc;
    ngx_uint_t                   i, n;
    ngx_http_ilert_store_row_t   rows[NGX_HTTP_ILERT_STORE_ROWS];

    rc = ngx_http_ilert_store_next_alerts(db, home->after, rows, &n);
    if (rc != SQLITE_OK) {
        return rc;
    }

    for (i = 0; i < n; i++) {

        if (rows[i].owner != source->owner) {
            continue;
        }

        rc = ngx_http_ilert_store_move_alert(db, rows[i].id, source, owner);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    job->moving = (n == NGX_HTTP_ILERT_STORE_ROWS);
    home->next = job->moving ? rows[n - 1].id : 0;

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_next_alerts(ngx_http_ilert_store_db_t *db, int64_t after,
    ngx_http_ilert_store_row_t *rows, ngx_uint_t *n)
{
    int            rc;
    sqlite3_stmt  *stmt;

    *n = 0;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_ALERTS, &stmt,
                                  "ii", after, (int64_t)
                                  NGX_HTTP_ILERT_STORE_ROWS);

    while (rc == SQLITE_OK) {
        rows[*n].id = sqlite3_column_int64(stmt, 0);
        rows[*n].owner = sqlite3_column_int64(stmt, 1);
        (*n)++;

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


static int
ngx_http_ilert_store_move_alert(ngx_http_ilert_store_db_t *db, int64_t id,
    ngx_http_ilert_store_ident_t *source, int64_t owner)
{
    int                            rc;
    ngx_uint_t                     mine, others;
    ngx_http_ilert_store_alert_t   alert, other;

    rc = ngx_http_ilert_store_get_alert(db, id, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    mine = 0;
    others = 0;

    if (alert.head == 0) {
        mine = (alert.source == source->id);

    } else {

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_NAME_EVENTS,
                                       "ii", alert.id, alert.source);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_has_event(db,
                                               NGX_HTTP_ILERT_STORE_ANY_EVENT,
                                               id, source->id, &mine);
        }

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_has_event(db,
                                            NGX_HTTP_ILERT_STORE_OTHERS_SOURCE,
                                            id, source->id, &others);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (!mine) {
        return SQLITE_OK;
    }

    if (others) {
        return ngx_http_ilert_store_split(db, &alert, source, owner);
    }

    rc = ngx_http_ilert_store_other(db, &alert, owner, &other);

    if (rc == SQLITE_OK) {
        return ngx_http_ilert_store_unite(db, &alert, &other);
    }

    if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MOVE_ALERT, "ii",
                                   id, owner);
    if (rc != SQLITE_OK) {
        return rc;
    }

    alert.owner = owner;
    alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    return alert.head ? ngx_http_ilert_store_rehead(db, &alert)
                      : ngx_http_ilert_store_set_alert(db, &alert);
}


static int
ngx_http_ilert_store_has_event(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t alert, int64_t source, ngx_uint_t *has)
{
    int      rc;
    int64_t  found;

    rc = ngx_http_ilert_store_get(db, n, &found, "ii", alert, source);

    *has = (rc == SQLITE_OK);

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


/* the alert of that name which the key has already, or MISSING */

static int
ngx_http_ilert_store_other(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t owner,
    ngx_http_ilert_store_alert_t *other)
{
    int                            rc;
    ngx_str_t                      key;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_store_ident_t   ident;

    rc = ngx_http_ilert_store_read_key(db, alert->id, &key);
    if (rc != SQLITE_OK) {
        return rc;
    }

    ngx_memzero(&ident, sizeof(ngx_http_ilert_store_ident_t));

    ident.owner = owner;

    rc = ngx_http_ilert_store_find_alert(db, &ident, &key, &key, other, &stmt);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_end(stmt);
    }

    ngx_free(key.data);

    return rc;
}


/* its folded key, to be freed */

static int
ngx_http_ilert_store_read_key(ngx_http_ilert_store_db_t *db, int64_t id,
    ngx_str_t *key)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_NEXT_ALERTS, &stmt,
                                  "ii", id - 1, (int64_t) 1);
    if (rc != SQLITE_OK) {
        return (rc == NGX_HTTP_ILERT_STORE_MISSING)
               ? ngx_http_ilert_store_error(db, SQLITE_CORRUPT) : rc;
    }

    key->len = sqlite3_column_bytes(stmt, 2);
    key->data = ngx_alloc(key->len + 1, ngx_cycle->log);

    if (key->data == NULL) {
        rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);

    } else if (key->len) {
        ngx_memcpy(key->data, sqlite3_column_text(stmt, 2), key->len);
    }

    ngx_http_ilert_store_end(stmt);

    return rc;
}


/* the first one is no longer there: all that it was is the other one's */

static int
ngx_http_ilert_store_unite(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_alert_t *other)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_NAME_EVENTS, "ii",
                                   alert->id, alert->source);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_NAME_EVENTS,
                                       "ii", other->id, other->source);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MOVE_EVENTS,
                                       "iii", alert->id, other->id,
                                       (int64_t) 0);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_ALERT,
                                       "i", alert->id);
    }

    if (rc == SQLITE_OK && alert->opened) {
        rc = ngx_http_ilert_store_count_open(db, alert->source, -1);
    }

    if (rc == SQLITE_OK && alert->opened
        && (other->opened == 0 || alert->opened < other->opened))
    {
        if (other->opened == 0) {
            rc = ngx_http_ilert_store_count_open(db, other->source, 1);
        }

        if (rc == SQLITE_OK) {
            other->opened = alert->opened;
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_OPENED,
                                           "ii", other->id, other->opened);
        }
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    other->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    other->delivered = ngx_max(alert->delivered, other->delivered);
    other->last = ngx_max(alert->last, other->last);
    other->changed = ngx_max(alert->changed, other->changed);
    other->accepted = ngx_max(alert->accepted, other->accepted);
    other->gone = ngx_max(alert->gone, other->gone);

    return ngx_http_ilert_store_rehead(db, other);
}


/*
 * Events of several sources wait: those of the source that has another key
 * move, and the others stay.  The alert is theirs first, since there may be
 * one alert of a source and a name only.
 */

static int
ngx_http_ilert_store_split(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_ident_t *source,
    int64_t owner)
{
    int                            rc;
    int64_t                        id;
    ngx_str_t                      key;
    ngx_http_ilert_store_alert_t   other;
    ngx_http_ilert_store_ident_t   ident;

    id = alert->id;

    rc = ngx_http_ilert_store_other(db, alert, owner, &other);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {

        rc = ngx_http_ilert_store_read_key(db, id, &key);
        if (rc != SQLITE_OK) {
            return rc;
        }

        rc = ngx_http_ilert_store_leave(db, alert, source, &key);
        if (rc != SQLITE_OK) {
            ngx_free(key.data);
            return rc;
        }

        ident = *source;
        ident.owner = owner;

        rc = ngx_http_ilert_store_add_alert(db, &ident, &key, &key, &other);

        ngx_free(key.data);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_NAME_EVENTS,
                                       "ii", other.id, other.source);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MOVE_EVENTS,
                                       "iii", id, other.id, source->id);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    other.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    other.last = ngx_max(alert->last, other.last);

    rc = ngx_http_ilert_store_rehead(db, alert);

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_rehead(db, &other) : rc;
}


/*
 * The alert is one of another source whose events wait in it.  An alert of
 * that source and name, as a stray, becomes one with it.
 */

static int
ngx_http_ilert_store_leave(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_ident_t *source,
    ngx_str_t *key)
{
    int                            rc;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_store_alert_t   stray;
    ngx_http_ilert_store_ident_t   ident;

    ngx_memzero(&ident, sizeof(ngx_http_ilert_store_ident_t));

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_OTHERS_SOURCE,
                                  &ident.id, "ii", alert->id, source->id);
    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_find_alert(db, &ident, key, key, &stray, &stmt);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_end(stmt);

        if (stray.id != alert->id) {
            rc = ngx_http_ilert_store_unite(db, &stray, alert);
        }

    } else if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        rc = SQLITE_OK;
    }

    return (rc == SQLITE_OK)
           ? ngx_http_ilert_store_set_source(db, alert, ident.id) : rc;
}
