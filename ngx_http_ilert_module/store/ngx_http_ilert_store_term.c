
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * What holds for all of a job: the epoch of what is known of ilert, the
 * session of the nginx that the job is of, and the courier's number.
 */


/* there is a "clean" each minute: if not, nobody has been listening */

#define NGX_HTTP_ILERT_STORE_ABSENCE  180000


static ngx_uint_t ngx_http_ilert_term_session(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job);
static ngx_int_t ngx_http_ilert_term_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);


/* what is known of ilert is of an epoch; another one, and nothing is known */

void
ngx_http_ilert_term_epoch(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  unknown;

    unknown = ngx_http_ilert_term_session(work, job);

    if (unknown || job->unknown || work->store->lost) {
        work->total.epoch++;
    }

    if (job->probe || work->store->state != NGX_HTTP_ILERT_STORE_OK) {

        /* to know that writing works there must be something to write */

        work->total.recovered = work->now
                                + (work->saved.recovered == work->now);
    }
}


/*
 * Relays are noted in memory that ends with nginx, until a job tells the store
 * of them.  So each nginx has a record as long as it may know of such relays:
 * its first job makes it, and its last one removes it if the store has been
 * told of all.  If the first job finds the record of another nginx, that one
 * is running, as during an upgrade, or has ended without having told: nothing
 * is known then, and the record is removed.  An nginx whose record has been
 * removed makes it again, and beside that of the other one.
 *
 * Returns whether nothing is known.
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
 * Whoever delivers has a number, and each one that begins a higher one.  It
 * may have stood still meanwhile, or be of another master: if the number is
 * not that of its job, it is not the one any longer.  This transaction is
 * where that is decided.
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

    /* if the database is a new one, the courier that is there goes on */

    job->fresh = (courier == 0);

    if ((!job->begin && !job->fresh) || !work->store->backend->lead(job)) {
        job->over = 1;
        return NGX_OK;
    }

    return ngx_http_ilert_term_begin(work, job, without);
}


/* what had been taken may have been sent, and is sent again */

static ngx_int_t
ngx_http_ilert_term_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert;
    ngx_http_ilert_store_filter_t    filter;

    /* by the time: the number is hardly ever that of another database, too */

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

    /* in a new database the numbers of events mean other events */

    return job->fresh ? NGX_OK
                      : ngx_http_ilert_take_deadly(work, job, without);
}


/* somebody is listening; "resumed" is since when, after a while without */

void
ngx_http_ilert_term_seen(ngx_http_ilert_store_work_t *work)
{
    if (work->now < work->total.seen
        || work->now > work->total.seen + NGX_HTTP_ILERT_STORE_ABSENCE)
    {
        work->total.resumed = work->now;
    }

    work->total.seen = work->now;
}
