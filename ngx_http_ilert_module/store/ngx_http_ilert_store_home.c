
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_work.h"


/*
 * ilert knows an alert by its integration key and its alert key, and does not
 * know our sources.  So an alert belongs to an integration key, its "owner",
 * and sources that share a key share the key's alerts.
 *
 * The configuration says which source has which key, and may have changed.  A
 * courier that begins brings the database in line with it before it takes
 * anything, a bounded part of the work in each job:
 *
 *     -  Strays are alerts whose owner is not known.  They come from
 *        a database of an earlier release, or from a process of such a release
 *        while nginx is being upgraded.  They are adopted: their owner becomes
 *        the key of their source.
 *
 *     -  If a source has got another key, its alerts move to that key.  If
 *        events of several sources wait in an alert, only its own events move.
 *
 * If the key has an alert with the same alert key already, the two are united,
 * and their events are in the order of their commits.  What ilert shows of an
 * alert that was moved or united becomes unknown.
 */


/* strays that a job adopts, if they need not be united with other alerts */

#define NGX_HTTP_ILERT_HOME_ADOPTED       10000


static ngx_int_t ngx_http_ilert_home_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home);
static ngx_int_t ngx_http_ilert_home_mend(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source);
static ngx_int_t ngx_http_ilert_home_adopt(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_ident_t *source,
    int64_t owner);
static ngx_int_t ngx_http_ilert_home_adopt_alert(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    int64_t owner, ngx_uint_t *adopted);
static ngx_int_t ngx_http_ilert_home_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home,
    ngx_http_ilert_store_ident_t *source, int64_t owner);
static ngx_int_t ngx_http_ilert_home_move_alert(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    int64_t source, int64_t owner);
static ngx_int_t ngx_http_ilert_home_unite(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_alert_t *other);
static ngx_int_t ngx_http_ilert_home_unite_opened(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_alert_t *other);
static void ngx_http_ilert_home_unite_bad(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_alert_t *other);
static ngx_int_t ngx_http_ilert_home_split(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t owner);
static ngx_int_t ngx_http_ilert_home_leave(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source);
static ngx_int_t ngx_http_ilert_home_rehead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);


ngx_int_t
ngx_http_ilert_home_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; i < job->nhomes; i++) {

        rc = ngx_http_ilert_home_source(work, job, &job->homes[i]);

        if (rc != NGX_OK) {
            return rc;
        }

        if (job->moving) {
            break;
        }
    }

    /* this is saved before accepts, which must leave some room free */

    return job->nhomes ? work->store->backend->save(work) : NGX_OK;
}


static ngx_int_t
ngx_http_ilert_home_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_fund_t   *fund;
    ngx_http_ilert_store_ident_t  *source;

    if (ngx_http_ilert_work_source(work, &home->source, &home->owner, &source)
        != NGX_OK
        || ngx_http_ilert_work_fund(work, &home->owner, &fund) != NGX_OK
        || ngx_http_ilert_home_mend(work, source) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_home_adopt(work, job, source,
                                   source->owner ? source->owner : fund->id);

    if (rc != NGX_OK || job->moving) {
        return rc;
    }

    if (source->owner && source->owner != fund->id) {
        rc = ngx_http_ilert_home_move(work, job, home, source, fund->id);
    }

    if (rc != NGX_OK || job->moving || source->owner == fund->id) {
        return rc;
    }

    return ngx_http_ilert_work_set_owner(work, source, &home->owner);
}


/*
 * Mends alerts with an urgency that does not exist, or that are READY but have
 * one of those that are held back: such an alert would never be taken.
 */

static ngx_int_t
ngx_http_ilert_home_mend(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_STRANGE;
    filter.source = source->id;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {
        /* as one that was held back it is rated anew */

        alert[i]->row.urgency = NGX_HTTP_ILERT_LISTED;
        alert[i]->damaged = 1;

        if (ngx_http_ilert_alert_free(work, alert[i], 0) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_ilert_work_show(work, alert[i]);
    }

    return NGX_OK;
}


/*
 * Adopts strays.  To unite two alerts takes longer than to change an owner, so
 * a job unites at most .._STORE_ROWS.
 */

static ngx_int_t
ngx_http_ilert_home_adopt(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_ident_t *source,
    int64_t owner)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, adopted, rows;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_STRAYS;
    filter.source = source->id;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    adopted = 0;
    rows = 0;

    do {
        if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
            return NGX_ERROR;
        }

        alert = alerts.elts;

        for (i = 0; i < alerts.nelts; i++) {

            filter.id = alert[i]->id;

            rc = ngx_http_ilert_home_adopt_alert(work, alert[i], owner,
                                                 &adopted);
            if (rc == NGX_ERROR) {
                return rc;
            }

            rows += (rc == NGX_DECLINED);

            if (adopted == NGX_HTTP_ILERT_HOME_ADOPTED
                || rows == NGX_HTTP_ILERT_STORE_ROWS)
            {
                job->moving = 1;
                return NGX_OK;
            }
        }

    } while (alerts.nelts == filter.limit);

    return NGX_OK;
}


/*
 * Adopts a stray.  If the owner has an alert with that key already, unites the
 * two, and returns NGX_DECLINED.
 */

static ngx_int_t
ngx_http_ilert_home_adopt_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t owner, ngx_uint_t *adopted)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_alert_t  *other;

    rc = ngx_http_ilert_work_find_alert(work, owner, 0, &alert->key, &other);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED) {
        alert->row.owner = owner;
        (*adopted)++;

        return NGX_OK;
    }

    /* if an event is under way, this waits until another courier begins */

    if (alert->row.state != NGX_HTTP_ILERT_STORE_TAKEN
        && other->row.state != NGX_HTTP_ILERT_STORE_TAKEN
        && ngx_http_ilert_home_unite(work, alert, other) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * Moves alerts of a source to another owner.  All alerts are gone through in
 * the order of their ids, some of them in each job.
 */

static ngx_int_t
ngx_http_ilert_home_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_home_t *home,
    ngx_http_ilert_store_ident_t *source, int64_t owner)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_ALL;
    filter.id = home->after;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;

    for (i = 0; i < alerts.nelts; i++) {

        if (alert[i]->removed || alert[i]->row.owner != source->owner) {
            continue;
        }

        if (ngx_http_ilert_home_move_alert(work, alert[i], source->id, owner)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    job->moving = (alerts.nelts == NGX_HTTP_ILERT_STORE_ROWS);
    home->next = job->moving ? alert[alerts.nelts - 1]->id : 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_ilert_home_move_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t owner)
{
    int64_t                        foreign;
    ngx_int_t                      rc;
    ngx_uint_t                     own;
    ngx_http_ilert_store_alert_t  *other;

    if (alert->row.head == 0) {
        own = (alert->row.source == source);

    } else {
        own = 0;

        rc = work->store->backend->others(work, alert, source, &foreign, &own);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (own && rc == NGX_OK) {
            return ngx_http_ilert_home_split(work, alert, source, owner);
        }
    }

    if (!own) {
        return NGX_OK;
    }

    rc = ngx_http_ilert_work_find_alert(work, owner, 0, &alert->key, &other);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_OK) {
        return ngx_http_ilert_home_unite(work, alert, other);
    }

    alert->row.owner = owner;
    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    if (alert->row.head == 0) {
        ngx_http_ilert_work_show(work, alert);
        return NGX_OK;
    }

    if (ngx_http_ilert_work_edges(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_rehead(work, alert);
}


/* Moves all events of "alert" to the other one, and removes it. */

static ngx_int_t
ngx_http_ilert_home_unite(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_alert_t *other)
{
    if (work->store->backend->save(work) != NGX_OK
        || work->store->backend->move(work, alert, other, 0) != NGX_OK
        || ngx_http_ilert_heard_move(work, alert->id, other->id) != NGX_OK
        || ngx_http_ilert_home_unite_opened(work, alert, other) != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->removed = 1;

    other->row.delivered = ngx_max(alert->row.delivered,
                                   other->row.delivered);
    other->row.last = ngx_max(alert->row.last, other->row.last);
    other->row.changed = ngx_max(alert->row.changed, other->row.changed);
    other->row.accepted = ngx_max(alert->row.accepted, other->row.accepted);
    other->row.gone = ngx_max(alert->row.gone, other->row.gone);
    other->row.silence = ngx_max(alert->row.silence, other->row.silence);

    ngx_http_ilert_home_unite_bad(alert, other);

    return ngx_http_ilert_home_rehead(work, other);
}


/* The united alert is open if one of the two was, since the earlier time. */

static ngx_int_t
ngx_http_ilert_home_unite_opened(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_alert_t *other)
{
    if (alert->row.opened == 0) {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_tally_open(work, alert->row.source, -1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (other->row.opened == 0) {
        other->row.opened = alert->row.opened;
        return ngx_http_ilert_work_tally_open(work, other->row.source, 1);
    }

    other->row.opened = ngx_min(alert->row.opened, other->row.opened);

    return NGX_OK;
}


/* The united alert is as bad as the worse of the two. */

static void
ngx_http_ilert_home_unite_bad(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_alert_t *other)
{
    if (alert->row.bad > other->row.bad) {
        other->row.bad = alert->row.bad;
        other->row.begun = alert->row.begun;
        other->row.named = alert->row.named;
        other->summary = alert->summary;
        other->retold = 1;
    }
}


/*
 * Events of several sources wait in the alert: those of the source with the
 * new key move to the new owner, and the others stay.  A source can only have
 * one alert with a key, and the old one may still be of this source.  So an
 * alert that is added has the source 0 at first.
 */

static ngx_int_t
ngx_http_ilert_home_split(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t owner)
{
    ngx_int_t                      rc;
    ngx_uint_t                     added;
    ngx_http_ilert_store_alert_t  *other;

    rc = ngx_http_ilert_work_find_alert(work, owner, 0, &alert->key, &other);

    if (rc == NGX_ERROR) {
        return rc;
    }

    added = (rc == NGX_DECLINED);

    if (added
        && ngx_http_ilert_work_add_alert(work, owner, 0, &alert->key,
                                         &alert->key, &other)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (work->store->backend->save(work) != NGX_OK
        || work->store->backend->move(work, alert, other, source) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (added && ngx_http_ilert_home_leave(work, alert, source) != NGX_OK) {
        return NGX_ERROR;
    }

    other->row.last = ngx_max(alert->row.last, other->row.last);

    if (ngx_http_ilert_home_rehead(work, alert) != NGX_OK
        || work->store->backend->save(work) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (added) {
        other->row.source = source;
    }

    return ngx_http_ilert_home_rehead(work, other);
}


/*
 * The alert becomes one of another source whose events wait in it.  If that
 * source has an alert with this key, such as a stray, the two are united.
 */

static ngx_int_t
ngx_http_ilert_home_leave(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source)
{
    int64_t                        foreign;
    ngx_int_t                      rc;
    ngx_uint_t                     own;
    ngx_http_ilert_store_alert_t  *stray;

    rc = work->store->backend->others(work, alert, source, &foreign, &own);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    rc = ngx_http_ilert_work_find_alert(work, 0, foreign, &alert->key, &stray);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_OK && stray != alert
        && ngx_http_ilert_home_unite(work, stray, alert) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_set_source(work, alert, foreign);
}


/*
 * Events were moved to the alert, or away from it.  Its first event may go
 * now, and what ilert shows becomes unknown.
 */

static ngx_int_t
ngx_http_ilert_home_rehead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert)
{
    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

    if (ngx_http_ilert_work_reload(work, alert, NGX_HTTP_ILERT_STORE_FRONT, 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_alert_rehead(work, alert);
}
