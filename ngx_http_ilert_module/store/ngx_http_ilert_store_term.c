
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * What has to be clear before all else in a job: the epoch, the session, and
 * the courier's number.
 */


/*
 * ms: a courier has a "clean" each minute.  If there was none for this time,
 * there was no courier.
 */

#define NGX_HTTP_ILERT_STORE_ABSENCE  180000


static ngx_uint_t ngx_http_ilert_term_session(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_term_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);


/*
 * What is known of ilert was noted in an epoch.  In a new epoch all of it is
 * unknown.
 */

void
ngx_http_ilert_term_epoch(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  unknown;

    unknown = ngx_http_ilert_term_session(work, job);

    if (unknown || job->unknown || work->store->lost) {
        work->total.epoch++;
        ngx_http_ilert_untold_doubt(work);
    }

    /* if the clock was set back, all up to now is in doubt, and no more */

    if (work->total.doubted > work->now) {
        ngx_http_ilert_untold_doubt(work);
    }

    if (job->prove || work->store->state != NGX_HTTP_ILERT_STORE_OK) {

        /* a commit only proves that writing works if something is written */

        work->total.recovered = work->now
                                + (work->saved.recovered == work->now);
    }
}


/*
 * A relay is noted in shared memory until a job tells the store of it.  That
 * memory is lost when nginx ends.  So each nginx has a row, its session, as
 * long as it may have such notes: its first job adds the row, and its last one
 * removes it if the store has been told of all relays.
 *
 * If the first job finds the row of another nginx, that nginx still runs, as
 * during an upgrade, or has ended without telling the store.  In both cases
 * what ilert shows becomes unknown, and the other row is removed.  If the
 * other nginx still runs, it finds that, and adds its row again, beside ours.
 *
 * Returns 1 if what ilert shows becomes unknown.
 */

static ngx_uint_t
ngx_http_ilert_term_session(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    if (job->session == 0) {
        return 0;
    }

    if (job->end) {
        work->end_session = work->has_session;
        return 0;
    }

    job->noted = 1;

    if (work->has_session) {
        return 0;
    }

    work->add_session = 1;

    if (job->registered) {
        return 1;
    }

    work->end_others = work->others;

    return work->others;
}


/*
 * Each courier that begins gets a higher number, which the database keeps.  A
 * courier may have been stopped for a while, or belong to another master, and
 * not know that another one has begun.  But if the number in its job is not
 * the one in the database, its job does nothing, since both are compared in
 * the transaction itself.
 */

ngx_int_t
ngx_http_ilert_term_check(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int64_t  courier;

    courier = work->total.courier;

    if (!job->begin && (job->term == 0 || job->term == courier)) {
        return NGX_OK;
    }

    /* if the database is new, the present courier begins again */

    job->fresh = (courier == 0);

    if ((!job->begin && !job->fresh) || !work->store->backend->lead(job)) {
        job->over = 1;
        return NGX_OK;
    }

    return ngx_http_ilert_term_begin(work, job, without);
}


/*
 * Begins a courier.  Events that the last one had taken may have been sent.
 * They go again, and what ilert shows of their alerts becomes unknown.
 */

static ngx_int_t
ngx_http_ilert_term_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    /*
     * The number is the time, if that is higher: so it is hardly ever one that
     * an earlier database has had.
     */

    work->total.courier = ngx_max(work->total.courier + 1, work->now);
    work->end_slots = 1;

    job->begun = work->total.courier;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_TAKEN;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    do {
        if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
            return NGX_ERROR;
        }

        alert = alerts.elts;

        for (i = 0; i < alerts.nelts; i++) {
            alert[i]->row.state = NGX_HTTP_ILERT_STORE_READY;
            alert[i]->row.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;

            if (alert[i]->shown.shows != NGX_HTTP_ILERT_SHOWS_ANYTHING) {
                alert[i]->shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
            }
        }

    } while (alerts.nelts == NGX_HTTP_ILERT_STORE_ROWS);

    /* in a new database the same seq is another event's */

    return job->fresh ? NGX_OK
                      : ngx_http_ilert_take_deadly(work, job, without);
}


void
ngx_http_ilert_term_away(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    if (work->total.seen < work->now) {
        job->away = work->total.seen;
    }
}


/*
 * "resumed" becomes the time when a courier came after a time without any, or
 * when the clock was set back by so much.  A job has the time at which its
 * worker asked for it, and the first job of a courier may have been asked for
 * before the last job of the courier before it.  So "now" may be a little
 * before "seen", which means nothing.
 */

void
ngx_http_ilert_term_seen(ngx_http_ilert_store_work_t *work)
{
    if (work->now < work->total.seen - NGX_HTTP_ILERT_STORE_ABSENCE
        || work->now > work->total.seen + NGX_HTTP_ILERT_STORE_ABSENCE)
    {
        work->total.resumed = work->now;
    }

    work->total.seen = work->now;
}
