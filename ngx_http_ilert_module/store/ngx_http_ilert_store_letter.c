
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Decides whether an event that ilert refuses becomes a dead letter, and how
 * a dead letter becomes an event again.
 *
 * An event that ilert refuses becomes a dead letter, and those behind it go
 * on.  But if events of several alerts of a source are refused one after the
 * other, and none is delivered in between, the configuration is probably at
 * fault, and not the events.  So from then on refused events of the source
 * wait, and the first ones of them, which are dead letters already, go back to
 * the queue.
 */


static ngx_int_t ngx_http_ilert_letter_refused(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);
static ngx_int_t ngx_http_ilert_letter_return_all(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_ident_t *source,
    ngx_http_ilert_store_event_t *ev);
static ngx_int_t ngx_http_ilert_letter_return(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_ident_t *source,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *returned);


ngx_int_t
ngx_http_ilert_letter_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without)
{
    ngx_int_t                      rc;
    ngx_http_ilert_store_ident_t  *source;

    /* a RESOLVE of ours that goes before an ALERT is no event of the queue */

    if (ev->verdict == NGX_HTTP_ILERT_STORE_DEAD && ev->status
        && ev->said.own != NGX_HTTP_ILERT_OWN_REOPEN)
    {
        return ngx_http_ilert_letter_refused(work, job, alert, ev, without);
    }

    if (ev->verdict == NGX_HTTP_ILERT_STORE_DONE) {

        rc = ngx_http_ilert_work_find_source(work, &ev->source, &source);

        if (rc == NGX_ERROR) {
            return rc;
        }

        if (rc == NGX_OK) {
            ev->frees = ngx_http_ilert_rules_refuses_all(&source->refusals);
            source->changed |= ngx_http_ilert_rules_taken(&source->refusals);
        }
    }

    return ngx_http_ilert_alert_verdict(work, job, alert, ev, without);
}


/*
 * Carries out the verdict of an event that ilert has refused.  If somebody has
 * deleted the event's row meanwhile, the refusal is not noted.
 */

static ngx_int_t
ngx_http_ilert_letter_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without)
{
    ngx_int_t                        rc;
    ngx_uint_t                       n, dead, noted;
    ngx_http_ilert_store_ident_t    *source;
    ngx_http_ilert_store_waiting_t  *first;

    first = ngx_http_ilert_work_first(alert);

    rc = ngx_http_ilert_work_find_source(work, &ev->source, &source);

    if (rc == NGX_ERROR) {
        return rc;
    }

    if (rc == NGX_DECLINED
        || first == NULL || first->seq != ev->seq || first->id != ev->id)
    {
        return ngx_http_ilert_alert_verdict(work, job, alert, ev, without);
    }

    n = source->refusals.n;
    dead = ngx_http_ilert_rules_refused(&source->refusals, alert->id,
                                        first->again);

    noted = (source->refusals.n != n);
    source->changed |= noted;

    if (dead) {
        ev->doubtful = noted;

        return ngx_http_ilert_alert_verdict(work, job, alert, ev, without);
    }

    ev->kept = 1;
    ev->parks = noted;

    ngx_http_ilert_alert_keep(work, alert, first);

    /* if there is no room for letters, there is none for their events */

    if (!ev->parks || (without & NGX_HTTP_ILERT_STORE_NO_DEAD)) {
        return NGX_OK;
    }

    return ngx_http_ilert_letter_return_all(work, source, ev);
}


/*
 * Makes events again of the dead letters among the source's refusals, of which
 * "ev" is the last one.
 */

static ngx_int_t
ngx_http_ilert_letter_return_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_event_t *ev)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    ngx_http_ilert_store_alert_t  *alert;

    for (i = 0; i < source->refusals.n; i++) {

        if (source->refusals.alerts[i] == ev->alert) {
            continue;
        }

        rc = ngx_http_ilert_work_get_alert(work, source->refusals.alerts[i],
                                           &alert);

        if (rc == NGX_OK) {
            rc = ngx_http_ilert_letter_return(work, source, alert,
                                              &ev->returned);
        }

        if (rc == NGX_ERROR) {
            return rc;
        }
    }

    return NGX_OK;
}


/*
 * Makes an event again of the alert's last event, if that is a dead letter
 * that ilert has refused.  If the alert has had a later event, the letter
 * stays.
 */

static ngx_int_t
ngx_http_ilert_letter_return(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *returned)
{
    ngx_array_t                            letters;
    ngx_http_ilert_store_letter_t         *letter;
    ngx_http_ilert_store_letter_filter_t   filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OF_SEQ;
    filter.seq = alert->row.gone;
    filter.limit = 1;
    filter.body = 1;

    if (ngx_http_ilert_work_letters(work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    letter = letters.elts;

    if (letters.nelts == 0 || letter->source_id != source->id
        || letter->status == 0 || !ngx_http_ilert_letter_is_whole(letter)
        || !ngx_http_ilert_letter_is_last(letter, alert))
    {
        return NGX_OK;
    }

    (*returned)++;

    return ngx_http_ilert_letter_replay(work, letter, source, alert, 1);
}


/* Only the first .._STORE_ROWS waiting alerts are looked at. */

ngx_int_t
ngx_http_ilert_letter_turn(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t *turn)
{
    ngx_uint_t                       i;
    ngx_array_t                      alerts;
    ngx_http_ilert_store_alert_t   **alert, *first;
    ngx_http_ilert_store_filter_t    filter;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_filter_t));

    filter.which = NGX_HTTP_ILERT_ALERTS_TIMED;
    filter.source = source;
    filter.limit = NGX_HTTP_ILERT_STORE_ROWS;

    if (ngx_http_ilert_work_alerts(work, &filter, &alerts) != NGX_OK) {
        return NGX_ERROR;
    }

    alert = alerts.elts;
    first = NULL;

    for (i = 0; i < alerts.nelts; i++) {

        if (alert[i]->row.next == NGX_HTTP_ILERT_STORE_RELEASED
            && !ngx_http_ilert_rules_held(alert[i]->row.urgency)
            && (first == NULL || alert[i]->row.changed < first->row.changed))
        {
            first = alert[i];
        }
    }

    if (first) {
        ngx_http_ilert_alert_ready(first);
        work->rows--;
        *turn = 1;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_letter_is_whole(ngx_http_ilert_store_letter_t *letter)
{
    return letter->said.type >= NGX_HTTP_ILERT_ALERT
           && letter->said.type <= NGX_HTTP_ILERT_COMMENT
           && letter->body.len != 0;
}


/* Since another epoch, events may have been sent that we do not know of. */

ngx_uint_t
ngx_http_ilert_letter_is_last(ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_alert_t *alert)
{
    return alert->row.head == 0 && alert->row.gone <= letter->seq
           && alert->shown.shows != NGX_HTTP_ILERT_SHOWS_ANYTHING;
}


ngx_int_t
ngx_http_ilert_letter_replay(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t again)
{
    ngx_http_ilert_store_event_t  *ev;

    ev = ngx_pcalloc(work->pool, sizeof(ngx_http_ilert_store_event_t));
    if (ev == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ev->source = letter->source;
    ev->key = letter->key;
    ev->body = letter->body;
    ev->id = letter->id;
    ev->said = letter->said;
    ev->passthrough = letter->passthrough;
    ev->source_id = source->id;
    ev->again = again;

    /* the event has to be sent, so it is not coalesced, nor held */

    ev->policy.coalesce = NGX_HTTP_ILERT_COALESCE_OFF;
    ev->said.freed = (ev->said.type == NGX_HTTP_ILERT_RESOLVE);

    if (ngx_http_ilert_alert_accept(work, alert, ev) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_ilert_work_remove_letter(work, letter);

    return NGX_OK;
}
