
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_heard_rules.h"
#include "ngx_http_ilert_store_work.h"


/*
 * Alerts for which nothing waits are forgotten after a time, or to make room
 * for events.  To know them saves requests, and no more: what ilert shows of
 * an alert that was forgotten is unknown.  So the oldest ones are forgotten
 * first, and those that are resolved before those that may be open.
 *
 * An alert whose last event is a dead letter is kept as long as the letter,
 * which could not be replayed otherwise.  There may be many such alerts, and
 * they have to be passed over.  So a search goes on where the last one has
 * ended: a mark in the store is the last alert that was gone through.
 *
 * Dead letters are forgotten after a time, too; or the oldest ones, if the
 * bodies of all take more than a quarter of max_size.
 *
 * What was heard of Kapacitor's ids is forgotten with the alerts of these.  An
 * id whose alert is still known may be over for long, or may have no alert,
 * since the mapping has ignored all of it: so records are also gone through in
 * the order of their keys, a few at a time, and those that are as old as an
 * alert may be are forgotten.
 *
 * Refused webhooks are only for people to look at.  They make room before
 * alerts that may be open.
 */

#define NGX_HTTP_ILERT_FORGET_DAY         ((int64_t) 24 * 60 * 60 * 1000)
#define NGX_HTTP_ILERT_FORGET_OVER        (7 * NGX_HTTP_ILERT_FORGET_DAY)
#define NGX_HTTP_ILERT_FORGET_OPEN        (90 * NGX_HTTP_ILERT_FORGET_DAY)
#define NGX_HTTP_ILERT_FORGET_LETTERS     (30 * NGX_HTTP_ILERT_FORGET_DAY)

/* records of what was heard that are gone through at a time */

#define NGX_HTTP_ILERT_FORGET_HEARD       100

/* refused webhooks that are removed at a time to make room */

#define NGX_HTTP_ILERT_FORGET_REFUSED     64

/* alerts that are loaded at a time, after the first one of a list */

#define NGX_HTTP_ILERT_FORGET_PAGE        64


/*
 * A list of alerts in the order of a time, loaded page by page.  The first
 * page has one alert, which mostly is too young, so that none is forgotten.
 */

typedef struct {
    ngx_http_ilert_store_filter_t  filter;  /* selects the next page */
    ngx_array_t                 page;       /* store_alert_t * */
    ngx_uint_t                  n;          /* index of the next alert */
    unsigned                    end:1;      /* there is no other page */
} ngx_http_ilert_forget_list_t;


static ngx_int_t ngx_http_ilert_forget_oldest_letters(
    ngx_http_ilert_store_work_t *work, ngx_http_ilert_store_job_t *job,
    ngx_uint_t limit, ngx_uint_t *n);
static ngx_int_t ngx_http_ilert_forget_portion(
    ngx_http_ilert_store_work_t *work, ngx_uint_t *n, ngx_uint_t *refused);
static ngx_int_t ngx_http_ilert_forget_over(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n);
static ngx_int_t ngx_http_ilert_forget_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n);
static ngx_int_t ngx_http_ilert_forget_lists(ngx_http_ilert_store_work_t *work,
    ngx_array_t *lists, ngx_http_ilert_store_mark_t *mark, int64_t before,
    ngx_uint_t *rows, ngx_uint_t *n);
static ngx_int_t ngx_http_ilert_forget_add_list(
    ngx_http_ilert_store_work_t *work, ngx_array_t *lists,
    ngx_http_ilert_store_which_e which, int64_t source,
    ngx_http_ilert_store_mark_t *mark);
static ngx_int_t ngx_http_ilert_forget_load(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_forget_list_t *list);
static ngx_http_ilert_forget_list_t *ngx_http_ilert_forget_first(
    ngx_array_t *lists);
static ngx_http_ilert_store_alert_t *ngx_http_ilert_forget_alert(
    ngx_http_ilert_forget_list_t *list);
static int64_t ngx_http_ilert_forget_time(ngx_http_ilert_forget_list_t *list,
    ngx_http_ilert_store_alert_t *alert);
static ngx_int_t ngx_http_ilert_forget_one(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *n);


/*
 * Mostly there is no letter to be forgotten, so at first only the oldest one
 * is loaded.
 */

ngx_int_t
ngx_http_ilert_forget_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  n;

    if (ngx_http_ilert_forget_oldest_letters(work, job, 1, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    return n ? ngx_http_ilert_forget_oldest_letters(work, job,
                                           NGX_HTTP_ILERT_STORE_ROWS - 1, &n)
             : NGX_OK;
}


/* Removes letters that are too old, or too many, the oldest ones first. */

static ngx_int_t
ngx_http_ilert_forget_oldest_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t limit, ngx_uint_t *n)
{
    off_t                                 max_size;
    ngx_uint_t                            i;
    ngx_array_t                           letters;
    ngx_http_ilert_store_letter_t        *letter;
    ngx_http_ilert_store_letter_filter_t  filter;

    *n = 0;
    max_size = work->store->max_size;

    ngx_memzero(&filter, sizeof(ngx_http_ilert_store_letter_filter_t));

    filter.which = NGX_HTTP_ILERT_LETTERS_OLDEST;
    filter.limit = limit;

    if (ngx_http_ilert_work_letters(work, &filter, &letters) != NGX_OK) {
        return NGX_ERROR;
    }

    letter = letters.elts;

    for (i = 0; i < letters.nelts; i++) {

        if (letter[i].died > work->now - NGX_HTTP_ILERT_FORGET_LETTERS
            && (max_size == 0 || work->total.dead_bytes <= max_size / 4))
        {
            break;
        }

        ngx_http_ilert_work_remove_letter(work, &letter[i]);

        work->total.dead_bytes -= letter[i].size;
        job->dropped++;
        (*n)++;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_ilert_forget_old(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t rows)
{
    ngx_int_t                     rc;
    ngx_uint_t                    n, left;
    ngx_http_ilert_store_mark_t  *marks;

    n = 0;
    left = rows;
    marks = work->store->old;

    rc = ngx_http_ilert_forget_over(work, &marks[0],
                                    work->now - NGX_HTTP_ILERT_FORGET_OVER,
                                    &left, &n);

    /* if none was forgotten, the others get a whole share of records */

    if (n == 0) {
        left = rows;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_ilert_forget_open(work, &marks[1],
                                        work->now - NGX_HTTP_ILERT_FORGET_OPEN,
                                        &left, &job->silent);
    }

    job->more = (left == 0 && (n || job->silent || job->dropped));

    return rc;
}


ngx_int_t
ngx_http_ilert_forget_heard(ngx_http_ilert_store_work_t *work)
{
    ngx_uint_t                      i;
    ngx_array_t                     list;
    ngx_http_ilert_store_known_t  **known;

    if (ngx_http_ilert_heard_list(work, 0, 0, work->store->heard,
                                  NGX_HTTP_ILERT_FORGET_HEARD, &list)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    known = list.elts;

    for (i = 0; i < list.nelts; i++) {
        if (ngx_http_ilert_heard_goes(known[i], NGX_HTTP_ILERT_FORGET_OVER,
                                      NGX_HTTP_ILERT_FORGET_OPEN, work->now))
        {
            ngx_http_ilert_heard_remove(work, known[i]);
        }
    }

    /* if this was the end, the mark is the beginning */

    if (list.nelts == NGX_HTTP_ILERT_FORGET_HEARD) {
        ngx_memcpy(work->mark, known[list.nelts - 1]->key,
                   NGX_HTTP_ILERT_STORE_HEARD_KEY);
    }

    work->passed = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_http_ilert_forget_oldest(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job)
{
    ngx_int_t                    rc;
    ngx_uint_t                   n, refused;
    ngx_http_ilert_store_work_t  work;

    n = 0;
    refused = 0;

    rc = ngx_http_ilert_work_create(&work, store, job->now);

    if (rc == NGX_OK) {
        rc = store->backend->begin(&work);

        if (rc == NGX_OK) {
            rc = ngx_http_ilert_forget_portion(&work, &n, &refused);
            rc = ngx_http_ilert_work_end(&work, rc);
        }
    }

    ngx_http_ilert_work_destroy(&work);

    if (rc != NGX_OK) {
        return 0;
    }

    job->forgotten += n;
    job->evicted += refused;

    return n + refused;
}


/*
 * Forgets alerts, or refused webhooks, whatever their age.  Sets "n" to the
 * number of alerts, and "refused" to that of webhooks.
 */

static ngx_int_t
ngx_http_ilert_forget_portion(ngx_http_ilert_store_work_t *work, ngx_uint_t *n,
    ngx_uint_t *refused)
{
    ngx_uint_t                    rows;
    ngx_http_ilert_store_mark_t  *marks;

    rows = NGX_HTTP_ILERT_STORE_ROWS;
    marks = work->store->oldest;

    if (ngx_http_ilert_forget_over(work, &marks[0], INT64_MAX, &rows, n)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (*n == 0) {
        rows = NGX_HTTP_ILERT_STORE_ROWS;

        if (work->total.refused
            && ngx_http_ilert_refused_remove(work,
                                             NGX_HTTP_ILERT_FORGET_REFUSED,
                                             INT64_MAX, refused)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (*refused == 0
        && ngx_http_ilert_forget_open(work, &marks[1], INT64_MAX, &rows, n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return work->store->backend->save(work);
}


/*
 * Forgets alerts that are resolved, in whatever epoch, and have not changed
 * since "before".  Lowers "rows", the number of records that may still be gone
 * through, and raises "n", the number of alerts that are forgotten.
 */

static ngx_int_t
ngx_http_ilert_forget_over(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n)
{
    ngx_array_t  lists;

    if (*rows == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&lists, work->pool, 1,
                       sizeof(ngx_http_ilert_forget_list_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (ngx_http_ilert_forget_add_list(work, &lists,
                                       NGX_HTTP_ILERT_ALERTS_OVER, 0, mark)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_ilert_forget_lists(work, &lists, mark, before, rows, n);
}


/* Does the same with alerts that ilert may show, of all sources. */

static ngx_int_t
ngx_http_ilert_forget_open(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_mark_t *mark, int64_t before, ngx_uint_t *rows,
    ngx_uint_t *n)
{
    ngx_uint_t                       i;
    ngx_array_t                      lists, sources;
    ngx_http_ilert_store_counted_t  *source;

    if (*rows == 0) {
        return NGX_OK;
    }

    if (ngx_array_init(&lists, work->pool, 16,
                       sizeof(ngx_http_ilert_forget_list_t))
        != NGX_OK)
    {
        return ngx_http_ilert_work_no_memory(work);
    }

    if (ngx_http_ilert_work_sources(work, &sources) != NGX_OK) {
        return NGX_ERROR;
    }

    source = sources.elts;

    for (i = 0; i < sources.nelts; i++) {
        if (ngx_http_ilert_forget_add_list(work, &lists,
                                           NGX_HTTP_ILERT_ALERTS_OPEN,
                                           source[i].id, mark)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_ilert_forget_lists(work, &lists, mark, before, rows, n);
}


/*
 * Forgets the oldest alerts of all lists together.  If it comes to the end, it
 * clears the mark, so that the next search begins at the beginning.
 */

static ngx_int_t
ngx_http_ilert_forget_lists(ngx_http_ilert_store_work_t *work,
    ngx_array_t *lists, ngx_http_ilert_store_mark_t *mark, int64_t before,
    ngx_uint_t *rows, ngx_uint_t *n)
{
    int64_t                        time;
    ngx_int_t                      rc;
    ngx_http_ilert_forget_list_t  *list;
    ngx_http_ilert_store_alert_t  *alert;

    while (*rows) {

        list = ngx_http_ilert_forget_first(lists);

        alert = list ? ngx_http_ilert_forget_alert(list) : NULL;
        time = alert ? ngx_http_ilert_forget_time(list, alert) : 0;

        if (alert == NULL || time >= before) {
            ngx_memzero(mark, sizeof(ngx_http_ilert_store_mark_t));
            return NGX_OK;
        }

        mark->time = time;
        mark->id = alert->id;

        (*rows)--;
        list->n++;

        rc = ngx_http_ilert_forget_one(work, alert, n);

        if (rc == NGX_OK) {
            rc = ngx_http_ilert_forget_load(work, list);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Adds a list of the alerts after the mark. */

static ngx_int_t
ngx_http_ilert_forget_add_list(ngx_http_ilert_store_work_t *work,
    ngx_array_t *lists, ngx_http_ilert_store_which_e which, int64_t source,
    ngx_http_ilert_store_mark_t *mark)
{
    ngx_http_ilert_forget_list_t  *list;

    list = ngx_array_push(lists);
    if (list == NULL) {
        return ngx_http_ilert_work_no_memory(work);
    }

    ngx_memzero(list, sizeof(ngx_http_ilert_forget_list_t));

    list->filter.which = which;
    list->filter.source = source;
    list->filter.time = mark->time;
    list->filter.id = mark->id;
    list->filter.limit = 1;

    return ngx_http_ilert_forget_load(work, list);
}


/* Loads the next page, if there is one and the last one has been used up. */

static ngx_int_t
ngx_http_ilert_forget_load(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_forget_list_t *list)
{
    ngx_http_ilert_store_alert_t  **alert;

    if (list->n < list->page.nelts || list->end) {
        return NGX_OK;
    }

    if (ngx_http_ilert_work_alerts(work, &list->filter, &list->page)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    list->n = 0;
    list->end = (list->page.nelts < list->filter.limit);

    if (list->page.nelts == 0) {
        return NGX_OK;
    }

    alert = list->page.elts;
    alert += list->page.nelts - 1;

    list->filter.time = ngx_http_ilert_forget_time(list, *alert);
    list->filter.id = (*alert)->id;
    list->filter.limit = ngx_min(2 * list->filter.limit,
                                 NGX_HTTP_ILERT_FORGET_PAGE);

    return NGX_OK;
}


/* Returns the list whose next alert is the oldest one, or NULL. */

static ngx_http_ilert_forget_list_t *
ngx_http_ilert_forget_first(ngx_array_t *lists)
{
    int64_t                        time, oldest;
    ngx_uint_t                     i;
    ngx_http_ilert_forget_list_t  *list, *first;
    ngx_http_ilert_store_alert_t  *alert;

    first = NULL;
    oldest = 0;
    list = lists->elts;

    for (i = 0; i < lists->nelts; i++) {

        alert = ngx_http_ilert_forget_alert(&list[i]);

        if (alert == NULL) {
            continue;
        }

        time = ngx_http_ilert_forget_time(&list[i], alert);

        if (first == NULL || time < oldest
            || (time == oldest
                && alert->id < ngx_http_ilert_forget_alert(first)->id))
        {
            first = &list[i];
            oldest = time;
        }
    }

    return first;
}


/* Returns the next alert of the list, or NULL. */

static ngx_http_ilert_store_alert_t *
ngx_http_ilert_forget_alert(ngx_http_ilert_forget_list_t *list)
{
    ngx_http_ilert_store_alert_t  **alert;

    alert = list->page.elts;

    return (list->n < list->page.nelts) ? alert[list->n] : NULL;
}


/* Returns the time by which the list is in order. */

static int64_t
ngx_http_ilert_forget_time(ngx_http_ilert_forget_list_t *list,
    ngx_http_ilert_store_alert_t *alert)
{
    return (list->filter.which == NGX_HTTP_ILERT_ALERTS_OVER)
           ? alert->row.changed : alert->row.last;
}


static ngx_int_t
ngx_http_ilert_forget_one(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *n)
{
    if (alert->letter) {
        return NGX_OK;
    }

    if (ngx_http_ilert_heard_forget(work, alert->id) != NGX_OK) {
        return NGX_ERROR;
    }

    /* what was resolved in another epoch is in doubt since that has ended */

    if (alert->row.shows != NGX_HTTP_ILERT_SHOWS_RESOLVED) {
        ngx_http_ilert_untold_doubt(work);
    }

    alert->removed = 1;
    (*n)++;

    return (alert->row.opened > 0)
           ? ngx_http_ilert_work_tally_open(work, alert->row.source, -1)
           : NGX_OK;
}
