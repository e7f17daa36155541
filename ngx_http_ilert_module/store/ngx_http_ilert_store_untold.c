
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store_work.h"


/*
 * An alert of which ilert was told nothing does not end there, either.  That
 * nothing was told is known if the alert has begun when nothing was in doubt
 * any longer, and if its first webhook came to us: since then each alert that
 * had an event has a row, and this one has none.  It gets a row that says that
 * it is resolved, and was never told (told is 0).  So its RESOLVE is dropped
 * as any other that says what ilert shows.
 *
 * The row is added with the first webhook, whether that is an ALERT or the
 * mapping ignores it.
 */


static ngx_int_t ngx_http_ilert_untold_note(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_note_t *note);


void
ngx_http_ilert_untold_doubt(ngx_http_ilert_store_work_t *work)
{
    work->total.doubted = work->now;
}


void
ngx_http_ilert_untold_new(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t began)
{
    if (ngx_http_ilert_rules_untold(work->total.doubted, began, work->now)) {
        alert->shown.shows = NGX_HTTP_ILERT_SHOWS_RESOLVED;
    }
}


ngx_int_t
ngx_http_ilert_untold_notes(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_queue_t                  *q;
    ngx_http_ilert_store_note_t  *note;

    for (q = ngx_queue_head(&job->notes);
         q != ngx_queue_sentinel(&job->notes);
         q = ngx_queue_next(q))
    {
        note = ngx_queue_data(q, ngx_http_ilert_store_note_t, queue);

        if (note->source.len
            && ngx_http_ilert_rules_untold(work->total.doubted, note->began,
                                           work->now)
            && ngx_http_ilert_untold_note(work, note) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Adds the alert, unless there is one: then nothing is to be written. */

static ngx_int_t
ngx_http_ilert_untold_note(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_note_t *note)
{
    ngx_int_t                      rc;
    ngx_str_t                     *key;
    ngx_http_ilert_store_alert_t  *alert;
    ngx_http_ilert_store_ident_t  *source;

    key = ngx_http_ilert_work_fold(work, &note->key);

    if (key == NULL
        || ngx_http_ilert_work_source(work, &note->source, &note->owner,
                                      &source)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_ilert_work_find_alert(work, source->owner, source->id, key,
                                        &alert);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_ilert_work_add_alert(work, source->owner, source->id, key,
                                      &note->key, &alert)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    alert->row.last = work->now;
    alert->row.changed = work->now;
    alert->shown.shows = NGX_HTTP_ILERT_SHOWS_RESOLVED;

    ngx_http_ilert_work_show(work, alert);

    return NGX_OK;
}
