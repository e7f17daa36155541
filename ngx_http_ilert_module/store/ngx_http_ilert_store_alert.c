
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_db.h"


static int ngx_http_ilert_store_unsent(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_done(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_told(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said,
    int64_t now);
static int ngx_http_ilert_store_taken_out(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_again(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_gone(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now);
static int ngx_http_ilert_store_least(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert);
static int ngx_http_ilert_store_find(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t *alert);
static ngx_uint_t ngx_http_ilert_store_replaces(
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_event_t *ev);
static int ngx_http_ilert_store_before(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown);
static int ngx_http_ilert_store_put(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t urgency, int64_t now);
static int ngx_http_ilert_store_remove(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);
static void ngx_http_ilert_store_ready(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency);
static int ngx_http_ilert_store_counts(ngx_http_ilert_store_db_t *db,
    int64_t source, ngx_http_ilert_store_count_t **count);
static ngx_uint_t ngx_http_ilert_store_range(int64_t n, int64_t least,
    int64_t most, ngx_uint_t *damaged);


/* an event that is no longer there is one that was discarded by hand */

int
ngx_http_ilert_store_verdict(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    int  rc;

    rc = ngx_http_ilert_store_release_slots(db, ev, job->now);
    if (rc != SQLITE_OK) {
        return rc;
    }

    switch (ev->verdict) {

    case NGX_HTTP_ILERT_STORE_DONE:
        rc = ngx_http_ilert_store_done(db, ev, job->now);
        break;

    case NGX_HTTP_ILERT_STORE_AGAIN:
        rc = ngx_http_ilert_store_again(db, ev, job->now);
        break;

    case NGX_HTTP_ILERT_STORE_DEAD:
        rc = ngx_http_ilert_store_dead(db, job, ev, without);
        break;

    default: /* NGX_HTTP_ILERT_STORE_UNSENT */
        rc = ngx_http_ilert_store_unsent(db, ev);
        break;
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return ngx_http_ilert_store_gone(db, ev, job->now);
    }

    return rc;
}


static int
ngx_http_ilert_store_unsent(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev)
{
    int                           rc;
    int64_t                       found;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_HAS_EVENT, &found,
                                  "ii", ev->seq, (int64_t) ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (alert.state != NGX_HTTP_ILERT_STORE_TAKEN || alert.head != ev->seq) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    alert.state = NGX_HTTP_ILERT_STORE_READY;

    return ngx_http_ilert_store_set_alert(db, &alert);
}


static int
ngx_http_ilert_store_done(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    rc = ngx_http_ilert_store_taken_out(db, &alert, ev);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_told(db, &alert, &ev->said, now);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    alert.delivered = now;

    return ngx_http_ilert_store_advance(db, &alert, now, now);
}


/* whether ilert shows the alert, if it believes us, whatever else is known */

static int
ngx_http_ilert_store_told(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said,
    int64_t now)
{
    int  rc, opens;

    ngx_http_ilert_rules_told(&alert->shown, said, now);

    opens = (said->type == NGX_HTTP_ILERT_ALERT && alert->opened == 0);

    if (!opens && (said->type != NGX_HTTP_ILERT_RESOLVE || !alert->opened)) {
        return SQLITE_OK;
    }

    alert->opened = opens ? now : 0;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_OPENED, "ii",
                                   alert->id, alert->opened);

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_count_open(db,
                                                               alert->source,
                                                               opens ? 1 : -1)
                             : rc;
}


/* an event that had been taken, or was to be, has left the queue */

static int
ngx_http_ilert_store_taken_out(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev)
{
    if (ev->body.len) {
        alert->accepted = ngx_max(alert->accepted, ev->said.received);
    }

    return ngx_http_ilert_store_count(db, ev->source_id, ev->urgency, -1);
}


static int
ngx_http_ilert_store_again(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    ngx_http_ilert_store_alert_t  alert;

    /* a refusal is no attempt, but tells whether the event is there */

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_ATTEMPT, "iii",
                                   ev->seq, (int64_t) ev->id,
                                   (int64_t) !ev->refused);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    alert.state = NGX_HTTP_ILERT_STORE_WAITING;
    alert.next = ev->next;
    alert.changed = now;

    if (ev->maybe) {
        alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    }

    return ngx_http_ilert_store_set_alert(db, &alert);
}


/*
 * The event goes first, which makes room for the letter.  What ilert shows is
 * not known any longer: it may have refused a RESOLVE of what it shows, and
 * the next ALERT must not be taken for a repeat then.
 */

int
ngx_http_ilert_store_dead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without)
{
    int                            rc;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_ident_t   source;

    rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);

    if (rc == SQLITE_OK) {
        alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
        rc = ngx_http_ilert_store_drop(db, &alert, ev, job->now);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    if (without & NGX_HTTP_ILERT_STORE_NO_DEAD) {
        job->dropped++;
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_source(db, &ev->source, &ev->owner, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    db->buried = 1;

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_DEAD,
                                     "iiitiiiiiiitb", ev->seq,
                                     (int64_t) ev->id, source.id, &ev->key,
                                     (int64_t) ev->said.type,
                                     (int64_t) ev->said.level,
                                     (int64_t) ev->native,
                                     (int64_t) ev->said.priority,
                                     ev->said.received, job->now,
                                     (int64_t) ev->status, &ev->error,
                                     &ev->body);
}


int
ngx_http_ilert_store_drop(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now)
{
    int  rc;

    rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_taken_out(db, alert, ev);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_advance(db, alert, ev->said.received, now);
    }

    return rc;
}


/*
 * Of an event that is no longer there: unless it is of a database that was
 * moved aside, its alert goes on, and nobody knows what ilert was told.
 */

static int
ngx_http_ilert_store_gone(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                             rc;
    ngx_http_ilert_store_alert_t    alert;
    ngx_http_ilert_store_waiting_t  first;

    rc = ngx_http_ilert_store_get_alert(db, ev->alert, &alert);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            ev->alert, 0, &first);
    }

    if (rc != SQLITE_OK || alert.head != ev->seq || first.seq == ev->seq) {
        return rc;
    }

    alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    return ngx_http_ilert_store_advance(db, &alert, 0, now);
}


int
ngx_http_ilert_store_delete(ngx_http_ilert_store_db_t *db, int64_t seq,
    uint64_t id)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_DELETE_EVENT,
                                   "ii", seq, (int64_t) id);

    if (rc == SQLITE_OK && sqlite3_changes(db->db) == 0) {
        return NGX_HTTP_ILERT_STORE_MISSING;
    }

    return rc;
}


/*
 * The first event of the alert, received at "last", is gone, and the next
 * one is its head.  How urgent that one is was found when it came, by what
 * was to be sent before it, which may have come to something else.
 */

int
ngx_http_ilert_store_advance(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now)
{
    alert->gone = ngx_max(alert->gone, alert->head);
    alert->last = ngx_max(alert->last, last);
    alert->changed = now;

    return ngx_http_ilert_store_rehead(db, alert);
}


/* the first event that waits is the alert's head, and may go */

int
ngx_http_ilert_store_rehead(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int                             rc;
    ngx_uint_t                      urgency;
    ngx_http_ilert_store_waiting_t  first;

    rc = ngx_http_ilert_store_get_event(db, NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                        alert->id, 0, &first);
    if (rc != SQLITE_OK) {
        return rc;
    }

    alert->state = NGX_HTTP_ILERT_STORE_READY;
    alert->next = 0;
    alert->head = first.seq;
    alert->since = first.since;
    alert->urgency = NGX_HTTP_ILERT_UPDATES;

    if (first.seq == 0) {
        return ngx_http_ilert_store_set_alert(db, alert);
    }

    urgency = ngx_http_ilert_rules_urgency(&alert->shown, &first.said);

    if (urgency != first.urgency && !first.said.repeat) {
        rc = ngx_http_ilert_store_set_urgency(db,
                                 ngx_http_ilert_store_source_of(alert, &first),
                                 first.seq, first.urgency, urgency);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_set_source(db, alert, first.source);

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_remain(db, alert) : rc;
}


/*
 * Without an effect if the process of an earlier release has made an alert of
 * the same name and source meanwhile: until that one is adopted all stays as
 * it is, and the event is delivered as one of the other source, with the same
 * key.
 */

int
ngx_http_ilert_store_set_source(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t source)
{
    int  rc;

    if (source == 0 || source == alert->source) {
        return SQLITE_OK;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_SOURCE, "ii",
                                   alert->id, source);

    if (rc != SQLITE_OK || sqlite3_changes(db->db) == 0) {
        return rc;
    }

    if (alert->opened) {
        rc = ngx_http_ilert_store_count_open(db, alert->source, -1);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_count_open(db, source, 1);
        }
    }

    alert->source = source;

    /* those who take events of that source may not know that there is one */

    db->more = 1;

    return rc;
}


int64_t
ngx_http_ilert_store_source_of(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev)
{
    return ev->source ? ev->source : alert->source;
}


int
ngx_http_ilert_store_remain(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int  rc;

    rc = ngx_http_ilert_store_least(db, alert);

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_set_alert(db, alert) : rc;
}


/* sets the alert's urgency: that of its most urgent event */

static int
ngx_http_ilert_store_least(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int      rc;
    int64_t  least;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_MIN_URGENCY,
                                  &least, "ii", alert->id,
                                  (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
    if (rc != SQLITE_OK) {
        return rc;
    }

    alert->urgency = ngx_min(least, NGX_HTTP_ILERT_UPDATES);

    return SQLITE_OK;
}


int
ngx_http_ilert_store_set_urgency(ngx_http_ilert_store_db_t *db,
    int64_t source, int64_t seq, ngx_uint_t was, ngx_uint_t urgency)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_URGENCY, "ii",
                                   seq, (int64_t) urgency);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_count(db, source, was, -1);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_count(db, source, urgency, 1);
    }

    return rc;
}


int
ngx_http_ilert_store_accept(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                           rc;
    ngx_http_ilert_store_alert_t  alert;

    rc = ngx_http_ilert_store_find(db, ev, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    return ngx_http_ilert_store_add(db, &alert, ev, now);
}


/*
 * The alert of an event, which is made if there is none.  What ilert shows of
 * a new one is not known: it may have been told before there was this file, or
 * what was known may have been forgotten.
 */

static int
ngx_http_ilert_store_find(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t *alert)
{
    int                            rc;
    ngx_str_t                     *key;
    ngx_uint_t                     changed;
    sqlite3_stmt                  *stmt;
    ngx_http_ilert_store_ident_t   source;

    rc = ngx_http_ilert_store_source(db, &ev->source, &ev->owner, &source);
    if (rc != SQLITE_OK) {
        return rc;
    }

    ev->source_id = source.id;

    key = ngx_http_ilert_store_fold(db, &ev->key);
    if (key == NULL) {
        return ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
    }

    rc = ngx_http_ilert_store_find_alert(db, &source, key, &ev->key, alert,
                                         &stmt);

    if (rc == SQLITE_OK) {
        changed = sqlite3_column_int(stmt,
                                     NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS);

        ngx_http_ilert_store_end(stmt);

        if (changed) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_KEY,
                                           "it", alert->id, &ev->key);
        }

        if (rc == SQLITE_OK && alert->owner == 0 && source.owner) {

            /* a stray, which has no other alert in its way */

            alert->owner = source.owner;
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_MOVE_ALERT,
                                           "ii", alert->id, alert->owner);
        }

        return rc;
    }

    if (rc != NGX_HTTP_ILERT_STORE_MISSING) {
        return rc;
    }

    return ngx_http_ilert_store_add_alert(db, &source, key, &ev->key, alert);
}


/*
 * There is one alert of a source and a name, whose owner may be another one
 * than the source's: none, as a process of an earlier release has made it, or
 * the next one, while a courier moves the alerts of the source.
 */

int
ngx_http_ilert_store_find_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t *alert, sqlite3_stmt **stmt)
{
    int  rc;

    rc = NGX_HTTP_ILERT_STORE_MISSING;

    if (source->owner) {
        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_FIND_ALERT,
                                      stmt, "itit", source->owner, key,
                                      db->epoch, alert_key);
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING && source->id) {
        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_FIND_OF_SOURCE,
                                      stmt, "itit", source->id, key,
                                      db->epoch, alert_key);
    }

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_alert(*stmt, alert);
    }

    return rc;
}


int
ngx_http_ilert_store_add_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t *alert)
{
    int  rc;

    ngx_memzero(alert, sizeof(ngx_http_ilert_store_alert_t));

    alert->source = source->id;
    alert->owner = source->owner;
    alert->urgency = NGX_HTTP_ILERT_UPDATES;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_ALERT, "iitt",
                                   source->id, source->owner, key, alert_key);

    alert->id = sqlite3_last_insert_rowid(db->db);

    return rc;
}


/*
 * To the events of the alert that wait, or in place of the last of them.  If
 * no other one waits it may be that it need not go, or not yet.
 */

int
ngx_http_ilert_store_add(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    int64_t now)
{
    int                              rc;
    int64_t                          until;
    ngx_uint_t                       urgency, alone;
    ngx_http_ilert_rule_e            rule;
    ngx_http_ilert_shown_t           shown;
    ngx_http_ilert_store_alert_t     saved;
    ngx_http_ilert_store_waiting_t   last, *replaced;

    saved = *alert;

    ngx_memzero(&last, sizeof(ngx_http_ilert_store_waiting_t));

    rc = alert->head ? ngx_http_ilert_store_get_event(db,
                                           NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
                                           alert->id, INT64_MAX,
                                           &last)
                     : SQLITE_OK;
    if (rc != SQLITE_OK) {
        return rc;
    }

    replaced = ngx_http_ilert_store_replaces(alert, &last, ev) ? &last : NULL;

    rc = ngx_http_ilert_store_before(db, alert, &last, replaced, &shown);
    if (rc != SQLITE_OK) {
        return rc;
    }

    urgency = ngx_http_ilert_rules_urgency(&shown, &ev->said);
    ev->urgency = urgency;

    rule = NGX_HTTP_ILERT_GO;
    alone = (last.seq == 0 || (replaced && last.seq == alert->head));
    ev->said.repeat = 0;
    until = 0;

    if (alone) {
        rule = ngx_http_ilert_rules_judge(&ev->policy, &shown, &ev->said, 0,
                                          now, &until);
    }

    /* a repeat that waits has been counted when it was found to be one */

    ev->coalesced = (replaced && !last.said.repeat)
                    + (rule != NGX_HTTP_ILERT_GO);

    if (rule == NGX_HTTP_ILERT_DROP) {

        if (replaced) {
            rc = ngx_http_ilert_store_remove(db, alert, &last);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }

        /* it is gone, too, and later than all that there has been */

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_SEQ,
                                      &alert->gone, "");

        if (rc != SQLITE_OK && rc != NGX_HTTP_ILERT_STORE_MISSING) {
            return rc;
        }

        if (ev->body.len) {
            alert->accepted = ngx_max(alert->accepted, ev->said.received);
        }

        rc = ngx_http_ilert_store_set_source(db, alert, ev->source_id);

        return (rc == SQLITE_OK)
               ? ngx_http_ilert_store_advance(db, alert, ev->said.received,
                                              now)
               : rc;
    }

    if (ev->said.repeat) {
        urgency = NGX_HTTP_ILERT_REPEATS;
    }

    rc = ngx_http_ilert_store_put(db, alert, replaced, ev, urgency, now);
    if (rc != SQLITE_OK) {
        return rc;
    }

    if (rule == NGX_HTTP_ILERT_HOLD) {
        return ngx_http_ilert_store_hold(db, alert, until, now);
    }

    ngx_http_ilert_store_ready(alert, alone, urgency);

    if (replaced && !alone) {

        /* what was the most urgent one may be gone */

        rc = ngx_http_ilert_store_least(db, alert);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    /* behind others there is mostly nothing to change */

    if (!alert->damaged && ngx_memcmp(&saved, alert, sizeof(saved)) == 0) {
        return SQLITE_OK;
    }

    return ngx_http_ilert_store_set_alert(db, alert);
}


/* what is under way is no longer to be changed */

static ngx_uint_t
ngx_http_ilert_store_replaces(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *last, ngx_http_ilert_store_event_t *ev)
{
    if (last->seq == 0 || (alert->state == NGX_HTTP_ILERT_STORE_TAKEN
                           && last->seq == alert->head))
    {
        return 0;
    }

    if (last->own && ngx_http_ilert_rules_is_state(ev->said.type)) {
        /* the alert was taken for a forgotten one, but there it is */

        return 1;
    }

    return ngx_http_ilert_rules_replaces(&ev->policy, &last->said, &ev->said);
}


/*
 * What ilert will show when the event's turn comes, after what waits before
 * it: of that the last one says enough, or, if it says nothing of a state, the
 * first one.
 */

static int
ngx_http_ilert_store_before(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *last,
    ngx_http_ilert_store_waiting_t *replaced, ngx_http_ilert_shown_t *shown)
{
    int                             rc;
    ngx_http_ilert_store_waiting_t  first, *before, previous;

    *shown = alert->shown;

    before = last;

    if (replaced) {
        before = &previous;

        rc = ngx_http_ilert_store_get_event(db,
                                         NGX_HTTP_ILERT_STORE_PREVIOUS_EVENT,
                                         alert->id, last->seq, &previous);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    if (before->seq && before->seq != alert->head
        && !ngx_http_ilert_rules_is_state(before->said.type))
    {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            alert->id, 0, &first);
        if (rc != SQLITE_OK) {
            return rc;
        }

        ngx_http_ilert_rules_told(shown, &first.said, 0);
    }

    if (before->seq) {
        ngx_http_ilert_rules_told(shown, &before->said, 0);
    }

    return SQLITE_OK;
}


/*
 * As a new one, or in place of another one, whose turn it gets; but not that
 * of a repeat, whose turn is no measure for news.
 */

static int
ngx_http_ilert_store_put(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *replaced,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t urgency, int64_t now)
{
    int      rc;
    int64_t  since;

    since = now;

    if (replaced && replaced->said.repeat && !ev->said.repeat) {

        rc = ngx_http_ilert_store_remove(db, alert, replaced);
        if (rc != SQLITE_OK) {
            return rc;
        }

        if (alert->head == replaced->seq) {
            alert->head = 0;
        }

        replaced = NULL;
    }

    if (replaced) {
        since = replaced->since;

        rc = ngx_http_ilert_store_count(db,
                               ngx_http_ilert_store_source_of(alert, replaced),
                               replaced->urgency, -1);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    rc = ngx_http_ilert_store_exec(db, replaced
                                       ? NGX_HTTP_ILERT_STORE_SET_EVENT
                                       : NGX_HTTP_ILERT_STORE_ADD_EVENT,
                                   "iiiiiiiiiib",
                                   replaced ? replaced->seq : alert->id,
                                   (int64_t) ev->id, (int64_t) ev->said.type,
                                   (int64_t) ev->said.level,
                                   (int64_t) ev->said.priority,
                                   (int64_t) ev->native, ev->said.received,
                                   since, (int64_t) urgency, ev->source_id,
                                   &ev->body);

    ev->alert = alert->id;
    ev->seq = replaced ? replaced->seq : sqlite3_last_insert_rowid(db->db);

    if (alert->head == 0) {
        alert->head = ev->seq;
        alert->since = since;
        alert->changed = now;
    }

    if (rc == SQLITE_OK && alert->head == ev->seq) {
        rc = ngx_http_ilert_store_set_source(db, alert, ev->source_id);
    }

    return (rc == SQLITE_OK) ? ngx_http_ilert_store_count(db, ev->source_id,
                                                          urgency, 1)
                             : rc;
}


static int
ngx_http_ilert_store_remove(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev)
{
    int  rc;

    rc = ngx_http_ilert_store_delete(db, ev->seq, ev->id);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_count(db,
                                     ngx_http_ilert_store_source_of(alert, ev),
                                     ev->urgency, -1);
    }

    return rc;
}


/*
 * The first event may go, unless it is to be tried again later; for others
 * a repeat does not wait.
 */

static void
ngx_http_ilert_store_ready(ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t alone, ngx_uint_t urgency)
{
    if (alert->state == NGX_HTTP_ILERT_STORE_WAITING
        && alert->urgency == NGX_HTTP_ILERT_REPEATS)
    {
        alert->state = NGX_HTTP_ILERT_STORE_READY;
        alert->next = 0;
    }

    alert->urgency = alone ? (int64_t) urgency
                           : ngx_min(alert->urgency, (int64_t) urgency);
}


/*
 * A repeat waits for its time.  A clock that was set back since ilert was told
 * begins that time anew, but only once.
 */

int
ngx_http_ilert_store_hold(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert, int64_t until, int64_t now)
{
    alert->state = NGX_HTTP_ILERT_STORE_WAITING;
    alert->next = until;
    alert->urgency = NGX_HTTP_ILERT_REPEATS;
    alert->since = until;
    alert->shown.told = ngx_min(alert->shown.told, now);

    return ngx_http_ilert_store_set_alert(db, alert);
}


int
ngx_http_ilert_store_get_source(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    ngx_http_ilert_store_ident_t *source)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_SOURCE, &stmt,
                                  "t", name);

    if (rc == SQLITE_OK) {
        source->id = sqlite3_column_int64(stmt, 0);
        source->paused = sqlite3_column_int64(stmt, 1);
        source->owner = sqlite3_column_int64(stmt, 2);

        ngx_http_ilert_store_end(stmt);
    }

    return rc;
}


/*
 * The key of a source that has a row is what the last courier to begin has
 * found it to be, not what this process knows: processes of two configurations
 * may run, and they must agree on whose alert an event is.
 */

int
ngx_http_ilert_store_source(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    ngx_str_t *owner, ngx_http_ilert_store_ident_t *source)
{
    int      rc;
    int64_t  id;

    rc = ngx_http_ilert_store_get_source(db, name, source);

    if ((rc != SQLITE_OK && rc != NGX_HTTP_ILERT_STORE_MISSING)
        || (rc == SQLITE_OK && (source->owner || owner->len == 0)))
    {
        return rc;
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_STRAY, &id,
                                      "ii", source->id, (int64_t) 0);

        /* with strays it is for the next courier to find their key */

        return (rc == NGX_HTTP_ILERT_STORE_MISSING)
               ? ngx_http_ilert_store_set_owner(db, source, owner) : rc;
    }

    id = 0;
    rc = owner->len ? ngx_http_ilert_store_owner(db, owner, &id) : SQLITE_OK;

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_SOURCE,
                                       "ti", name, id);
        source->id = sqlite3_last_insert_rowid(db->db);
        source->owner = id;
        source->paused = 0;
    }

    return rc;
}


int
ngx_http_ilert_store_set_owner(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *owner)
{
    int  rc;

    rc = ngx_http_ilert_store_owner(db, owner, &source->owner);

    return (rc == SQLITE_OK)
           ? ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_OWNER,
                                       "ii", source->id, source->owner)
           : rc;
}


/* as ilert compares; it is valid until the next one */

ngx_str_t *
ngx_http_ilert_store_fold(ngx_http_ilert_store_db_t *db, ngx_str_t *key)
{
    u_char  *p, *last, *out;

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

    out = ngx_alloc(last - p + 1, ngx_cycle->log);
    if (out == NULL) {
        return NULL;
    }

    ngx_free(db->key.data);

    db->key.data = out;
    db->key.len = last - p;

    while (p < last) {
        *out++ = ngx_tolower(*p);
        p++;
    }

    return &db->key;
}


/* of so many sources at a time; they are written when there is another one */

static int
ngx_http_ilert_store_counts(ngx_http_ilert_store_db_t *db, int64_t source,
    ngx_http_ilert_store_count_t **count)
{
    int         rc;
    ngx_uint_t  i;

    for (i = 0; i < db->ncounts; i++) {
        if (db->counts[i].source == source) {
            *count = &db->counts[i];
            return SQLITE_OK;
        }
    }

    if (db->ncounts == NGX_HTTP_ILERT_STORE_COUNTS) {
        rc = ngx_http_ilert_store_write_counts(db);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    *count = &db->counts[db->ncounts++];

    ngx_memzero(*count, sizeof(ngx_http_ilert_store_count_t));

    (*count)->source = source;

    return SQLITE_OK;
}


int
ngx_http_ilert_store_count(ngx_http_ilert_store_db_t *db, int64_t source,
    ngx_uint_t urgency, int64_t n)
{
    int                            rc;
    ngx_http_ilert_store_count_t  *count;

    rc = ngx_http_ilert_store_counts(db, source, &count);

    if (rc == SQLITE_OK) {
        count->waiting[ngx_min(urgency, NGX_HTTP_ILERT_URGENCIES - 1)] += n;
    }

    return rc;
}


int
ngx_http_ilert_store_count_open(ngx_http_ilert_store_db_t *db, int64_t source,
    int64_t n)
{
    int                            rc;
    ngx_http_ilert_store_count_t  *count;

    rc = ngx_http_ilert_store_counts(db, source, &count);

    if (rc == SQLITE_OK) {
        count->open += n;
    }

    return rc;
}


int
ngx_http_ilert_store_write_counts(ngx_http_ilert_store_db_t *db)
{
    int                            rc;
    ngx_uint_t                     i, k, n, changed;
    ngx_http_ilert_store_count_t  *count;

    n = db->ncounts;
    db->ncounts = 0;

    for (i = 0; i < n; i++) {
        count = &db->counts[i];

        /* where events go as they come there is nothing to write */

        changed = (count->open != 0);

        for (k = 0; k < NGX_HTTP_ILERT_URGENCIES; k++) {
            changed |= (count->waiting[k] != 0);
        }

        if (!changed) {
            continue;
        }

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_COUNT_SOURCE,
                           "iiiiiii", count->source,
                           count->waiting[NGX_HTTP_ILERT_CRITICAL_FIRST],
                           count->waiting[NGX_HTTP_ILERT_RESOLVES],
                           count->waiting[NGX_HTTP_ILERT_OPENS],
                           count->waiting[NGX_HTTP_ILERT_UPDATES],
                           count->waiting[NGX_HTTP_ILERT_REPEATS],
                           count->open);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return SQLITE_OK;
}


int
ngx_http_ilert_store_get_alert(ngx_http_ilert_store_db_t *db, int64_t id,
    ngx_http_ilert_store_alert_t *alert)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_ALERT, &stmt,
                                  "ii", id, db->epoch);

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_alert(stmt, alert);
        ngx_http_ilert_store_end(stmt);
    }

    return rc;
}


int
ngx_http_ilert_store_set_alert(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_alert_t *alert)
{
    int64_t  shows;

    shows = alert->shown.shows;

    if (shows == NGX_HTTP_ILERT_SHOWS_ANYTHING) {
        shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    }

    return ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_ALERT,
                                     "iiiiiiiiiiiiiiii", alert->id,
                                     alert->state, alert->head, alert->urgency,
                                     alert->next, alert->since, shows,
                                     db->epoch,
                                     (int64_t) alert->shown.level,
                                     (int64_t) alert->shown.priority,
                                     alert->shown.told, alert->delivered,
                                     alert->last, alert->changed,
                                     alert->accepted, alert->gone);
}


/*
 * Rows may be damaged, or written by hand: here, and in read_event(), their
 * numbers are made such that all the rest can rely on them.
 */

void
ngx_http_ilert_store_read_alert(sqlite3_stmt *stmt,
    ngx_http_ilert_store_alert_t *alert)
{
    ngx_uint_t  damaged;

    damaged = 0;

    alert->id = sqlite3_column_int64(stmt, 0);
    alert->state = sqlite3_column_int64(stmt, 1);
    alert->head = sqlite3_column_int64(stmt, 2);
    alert->urgency = ngx_http_ilert_store_range(sqlite3_column_int64(stmt, 3),
                                                0, NGX_HTTP_ILERT_REPEATS,
                                                &damaged);
    alert->next = sqlite3_column_int64(stmt, 4);
    alert->since = sqlite3_column_int64(stmt, 5);
    alert->shown.shows = ngx_http_ilert_store_range(
                                            sqlite3_column_int64(stmt, 6), 0,
                                            NGX_HTTP_ILERT_SHOWS_ANYTHING,
                                            &damaged);
    alert->shown.level = ngx_http_ilert_store_range(
                                            sqlite3_column_int64(stmt, 7), 0,
                                            NGX_HTTP_ILERT_CRITICAL, &damaged);
    alert->shown.priority = ngx_http_ilert_store_range(
                                            sqlite3_column_int64(stmt, 8), 0,
                                            NGX_HTTP_ILERT_HIGH, &damaged);
    alert->shown.told = sqlite3_column_int64(stmt, 9);
    alert->delivered = sqlite3_column_int64(stmt, 10);
    alert->last = sqlite3_column_int64(stmt, 11);
    alert->changed = sqlite3_column_int64(stmt, 12);
    alert->source = sqlite3_column_int64(stmt, 13);
    alert->opened = sqlite3_column_int64(stmt, 14);
    alert->accepted = sqlite3_column_int64(stmt, 15);
    alert->gone = sqlite3_column_int64(stmt, 16);
    alert->owner = sqlite3_column_int64(stmt, 17);

    if (alert->state < NGX_HTTP_ILERT_STORE_READY
        || alert->state > NGX_HTTP_ILERT_STORE_WAITING)
    {
        alert->state = NGX_HTTP_ILERT_STORE_READY;
        damaged = 1;
    }

    alert->damaged = damaged;

    if (damaged) {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
    }
}


/* the first event of an alert after, or the last one before, that seq */

int
ngx_http_ilert_store_get_event(ngx_http_ilert_store_db_t *db, ngx_uint_t n,
    int64_t alert, int64_t seq, ngx_http_ilert_store_waiting_t *ev)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = ngx_http_ilert_store_row(db, n, &stmt, "ii", alert, seq);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        ngx_memzero(ev, sizeof(ngx_http_ilert_store_waiting_t));
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        ngx_http_ilert_store_read_event(stmt, 0, ev);
        ngx_http_ilert_store_end(stmt);
    }

    return rc;
}


void
ngx_http_ilert_store_read_event(sqlite3_stmt *stmt, ngx_uint_t column,
    ngx_http_ilert_store_waiting_t *ev)
{
    int64_t     size;
    ngx_uint_t  damaged;

    damaged = 0;

    ev->seq = sqlite3_column_int64(stmt, column);
    ev->said.type = ngx_http_ilert_store_range(
                                   sqlite3_column_int64(stmt, column + 1),
                                   NGX_HTTP_ILERT_ALERT,
                                   NGX_HTTP_ILERT_COMMENT, &damaged);
    ev->said.level = ngx_http_ilert_store_range(
                                   sqlite3_column_int64(stmt, column + 2), 0,
                                   NGX_HTTP_ILERT_CRITICAL, &damaged);
    ev->said.priority = ngx_http_ilert_store_range(
                                   sqlite3_column_int64(stmt, column + 3), 0,
                                   NGX_HTTP_ILERT_HIGH, &damaged);
    ev->said.received = sqlite3_column_int64(stmt, column + 4);
    ev->since = sqlite3_column_int64(stmt, column + 5);
    ev->urgency = ngx_http_ilert_store_range(
                                   sqlite3_column_int64(stmt, column + 6), 0,
                                   NGX_HTTP_ILERT_REPEATS, &damaged);
    ev->id = sqlite3_column_int64(stmt, column + 7);
    size = sqlite3_column_int64(stmt, column + 8);
    ev->source = sqlite3_column_int64(stmt, column + 9);

    ev->said.repeat = (ev->urgency == NGX_HTTP_ILERT_REPEATS);
    ev->own = (ev->said.type == NGX_HTTP_ILERT_RESOLVE && size == 0);
    ev->damaged = (damaged || (size == 0 && !ev->own));

    if (ev->since == 0) {
        ev->since = ev->said.received;
    }
}


/* a number that is none of those that there are is the nearest one of them */

static ngx_uint_t
ngx_http_ilert_store_range(int64_t n, int64_t least, int64_t most,
    ngx_uint_t *damaged)
{
    if (n < least || n > most) {
        *damaged = 1;
        return (n < least) ? least : most;
    }

    return n;
}
