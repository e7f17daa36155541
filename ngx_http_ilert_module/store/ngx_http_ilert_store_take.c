
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_store_db.h"


/* bytes of taken events after which a job takes no more */

#define NGX_HTTP_ILERT_STORE_TAKE_SIZE    (1024 * 1024)

/* what GET_HEAD has beside the columns of alert and event */

#define NGX_HTTP_ILERT_STORE_HEAD_COLUMN                                      \
    (NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS                                      \
     + NGX_HTTP_ILERT_STORE_EVENT_NCOLUMNS)

static int ngx_http_ilert_store_find_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t *paused, int64_t *pause);
static int ngx_http_ilert_store_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_next_slot(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now);
static int ngx_http_ilert_store_due(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);
static int ngx_http_ilert_store_begin_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);
static ngx_uint_t ngx_http_ilert_store_may_take(
    ngx_http_ilert_store_take_t *take);
static int ngx_http_ilert_store_affords(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_uint_t repeat, int64_t now,
    ngx_uint_t *affords);
static int ngx_http_ilert_store_candidates(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job);
static int ngx_http_ilert_store_candidate(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n, ngx_uint_t urgency,
    ngx_uint_t limit);
static ngx_int_t ngx_http_ilert_store_room(ngx_http_ilert_store_db_t *db);
static int ngx_libc_cdecl ngx_http_ilert_store_cmp(const void *one,
    const void *two);
static int ngx_http_ilert_store_consider(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without);
static int ngx_http_ilert_store_head(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_candidate_t *candidate,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t **evp);
static int ngx_http_ilert_store_bury_event(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, int64_t seq, ngx_uint_t without);
static ngx_http_ilert_store_event_t *ngx_http_ilert_store_read_head(
    sqlite3_stmt *stmt, ngx_str_t *source);
static int ngx_http_ilert_store_judge(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, int64_t now, ngx_http_ilert_rule_e *rule,
    int64_t *until);
static int ngx_http_ilert_store_mark(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_event_t *ev);
static ngx_uint_t ngx_http_ilert_store_expired(
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_shown_t *shown,
    int64_t max_age, int64_t now);
static int ngx_http_ilert_store_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);
static int ngx_http_ilert_store_add_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t id);
static void ngx_http_ilert_store_set_due(ngx_http_ilert_store_db_t *db,
    int64_t due);


/* a request that was not made counts no longer */

int
ngx_http_ilert_store_release_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_event_t *ev, int64_t now)
{
    int                             rc;
    int64_t                         paused, pause;
    ngx_uint_t                      i, made;
    ngx_http_ilert_store_budget_t  *budget;

    made = (ev->verdict == NGX_HTTP_ILERT_STORE_DONE
            || ev->verdict == NGX_HTTP_ILERT_STORE_DEAD
            || (ev->verdict == NGX_HTTP_ILERT_STORE_AGAIN
                && (ev->maybe || ev->refused)));

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = ev->budgets[i];

        if (budget == NULL) {
            continue;
        }

        rc = budget->id ? SQLITE_OK
                        : ngx_http_ilert_store_find_budget(db, budget, &paused,
                                                           &pause);

        if (rc == SQLITE_OK && budget->rate) {
            rc = made ? ngx_http_ilert_store_exec(db,
                                                 NGX_HTTP_ILERT_STORE_SET_SLOT,
                                                 "ii", budget->id, now)
                      : ngx_http_ilert_store_exec(db,
                                                NGX_HTTP_ILERT_STORE_FREE_SLOT,
                                                "i", budget->id);
        }

        if (rc == SQLITE_OK && i == 0 && ev->pause) {
            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_PAUSE,
                                           "iii", budget->id, now, ev->pause);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        if (!made) {
            budget->next = 0;
        }
    }

    return SQLITE_OK;
}


/* what is known of budgets is known in a transaction: it is begun anew */

void
ngx_http_ilert_store_budgets(ngx_http_ilert_store_job_t *job)
{
    ngx_uint_t  i;

    for (i = 0; i < job->nbudgets; i++) {
        job->budgets[i].id = 0;
        job->budgets[i].known = 0;
    }
}


/* finds, or makes, its row; sets when it was paused, and for how long */

static int
ngx_http_ilert_store_find_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t *paused, int64_t *pause)
{
    int            rc;
    sqlite3_stmt  *stmt;

    *paused = 0;
    *pause = 0;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_BUDGET, &stmt,
                                  "t", &budget->name);

    if (rc == SQLITE_OK) {
        budget->id = sqlite3_column_int64(stmt, 0);
        *paused = sqlite3_column_int64(stmt, 1);
        *pause = sqlite3_column_int64(stmt, 2);

        ngx_http_ilert_store_end(stmt);

    } else if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_BUDGET,
                                       "t", &budget->name);
        budget->id = sqlite3_last_insert_rowid(db->db);
    }

    return rc;
}


int
ngx_http_ilert_store_owner(ngx_http_ilert_store_db_t *db, ngx_str_t *name,
    int64_t *id)
{
    int                            rc;
    int64_t                        paused, pause;
    ngx_http_ilert_store_budget_t  budget;

    budget.name = *name;

    rc = ngx_http_ilert_store_find_budget(db, &budget, &paused, &pause);

    if (rc == SQLITE_OK) {
        *id = budget.id;
    }

    return rc;
}


/* what is left of a budget at the moment */

static int
ngx_http_ilert_store_budget(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int      rc;
    int64_t  paused, pause;

    budget->known = 1;
    budget->used = 0;
    budget->next = 0;
    budget->left = (ngx_uint_t) -1;

    rc = ngx_http_ilert_store_find_budget(db, budget, &paused, &pause);

    if (rc == SQLITE_OK && budget->rate) {
        rc = ngx_http_ilert_store_slots(db, budget, now);
    }

    if (rc == SQLITE_OK && paused > now) {
        paused = now;

        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_PAUSE,
                                       "iii", budget->id, paused, pause);
    }

    if (paused + pause > now) {
        budget->left = 0;
        budget->next = paused + pause;
    }

    return rc;
}


static int
ngx_http_ilert_store_slots(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int      rc;
    int64_t  used;

    used = 0;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_LATE_SLOTS, "ii",
                                   budget->id, now);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_EXPIRE_SLOTS,
                                       "iii", budget->id, now - budget->window,
                                       (int64_t) NGX_HTTP_ILERT_STORE_ROWS);
    }

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_COUNT_SLOTS,
                                      &used, "i", budget->id);
    }

    if (rc != SQLITE_OK) {
        return rc;
    }

    budget->used = used;
    budget->left = (budget->used < budget->rate) ? budget->rate - budget->used
                                                 : 0;
    return SQLITE_OK;
}


/* when there will be a request again of a budget that is used up */

static int
ngx_http_ilert_store_next_slot(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_budget_t *budget, int64_t now)
{
    int      rc;
    int64_t  at;

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_SLOT, &at, "i",
                                  budget->id);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {

        /* all are under way */

        at = now;
        rc = SQLITE_OK;
    }

    budget->next = at + budget->window;

    return rc;
}


int
ngx_http_ilert_store_takes(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int         rc;
    ngx_uint_t  i;

    if (job->ntakes && !job->moving) {
        rc = ngx_http_ilert_store_due(db, job);

        if (rc == SQLITE_OK) {
            rc = ngx_http_ilert_store_take(db, job, without);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    for (i = 0; i < job->nbudgets; i++) {
        if (job->budgets[i].known && job->budgets[i].left == 0
            && job->budgets[i].next == 0)
        {
            rc = ngx_http_ilert_store_next_slot(db, &job->budgets[i],
                                                job->now);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }

    rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_DUE, &job->due,
                                  "");

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        job->due = 0;
        rc = SQLITE_OK;
    }

    if (db->due && (job->due == 0 || db->due < job->due)) {
        job->due = db->due;
    }

    if (db->more || job->moving) {
        job->due = job->now;
    }

    return rc;
}


/*
 * Those whose time has come may go, of whatever source they are, and so may
 * those whose time is farther away than any that is set: the clock has been
 * set back.
 */

static int
ngx_http_ilert_store_due(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int  rc;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_DUE, "ii",
                                   job->now,
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

    if (rc != SQLITE_OK || job->longest == 0) {
        return rc;
    }

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_LATE, "ii",
                                   job->now + job->longest,
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

    if (rc == SQLITE_OK
        && sqlite3_changes(db->db) == NGX_HTTP_ILERT_STORE_ROWS)
    {
        db->more = 1;
    }

    return rc;
}


/*
 * The most urgent ones of all sources first, as far as budgets go.  Those
 * that turn out not to go make room for others.
 */

static int
ngx_http_ilert_store_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int                                rc;
    ngx_uint_t                         i, rows, affords;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    for (i = 0; i < job->ntakes; i++) {
        rc = ngx_http_ilert_store_begin_take(db, job, &job->takes[i]);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    do {
        rows = db->rows;

        rc = ngx_http_ilert_store_candidates(db, job);

        for (i = 0; rc == SQLITE_OK && i < db->ncandidates; i++) {
            candidate = &db->candidates[i];
            take = &job->takes[candidate->take];

            if (!ngx_http_ilert_store_may_take(take)) {
                take->more = 1;
                continue;
            }

            if (db->rows == 0 || db->taken >= NGX_HTTP_ILERT_STORE_TAKE_SIZE) {
                db->more = 1;
                return SQLITE_OK;
            }

            rc = ngx_http_ilert_store_affords(db, take, candidate->repeat,
                                              job->now, &affords);

            if (rc == SQLITE_OK && affords) {
                ngx_http_ilert_store_mark_event(job, candidate->head);

                rc = ngx_http_ilert_store_consider(db, job, candidate,
                                                   without);

                ngx_http_ilert_store_mark_event(job, 0);
            }
        }

    } while (rc == SQLITE_OK && db->rows < rows);

    return rc;
}


static int
ngx_http_ilert_store_begin_take(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    int                            rc;
    ngx_uint_t                     i;
    ngx_http_ilert_store_ident_t   source;

    take->id = 0;

    rc = ngx_http_ilert_store_get_source(db, &take->source, &source);

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    if (rc == SQLITE_OK) {
        take->paused = (source.paused != 0);
        take->id = take->paused ? 0 : source.id;
    }

    for (i = 0; rc == SQLITE_OK && i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        if (take->budgets[i] && !take->budgets[i]->known) {
            rc = ngx_http_ilert_store_budget(db, take->budgets[i], job->now);
        }
    }

    if (rc == SQLITE_OK && take->id && take->policy.resolve_after) {
        rc = ngx_http_ilert_store_resolve(db, job, take);
    }

    return rc;
}


static ngx_uint_t
ngx_http_ilert_store_may_take(ngx_http_ilert_store_take_t *take)
{
    ngx_uint_t  i, n;

    n = take->id ? take->n - take->taken : 0;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        if (take->budgets[i]) {
            n = ngx_min(n, take->budgets[i]->left);
        }
    }

    return n;
}


/* if not, it waits until there is more of the budget */

static int
ngx_http_ilert_store_affords(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_uint_t repeat, int64_t now,
    ngx_uint_t *affords)
{
    int                             rc;
    int64_t                         at;
    ngx_uint_t                      i;
    ngx_http_ilert_store_budget_t  *budget;

    *affords = 1;

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = take->budgets[i];

        if (budget == NULL
            || ngx_http_ilert_rules_affords(budget->left, budget->rate,
                                            repeat))
        {
            continue;
        }

        *affords = 0;

        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_NEXT_SLOT, &at,
                                      "i", budget->id);

        if (rc == NGX_HTTP_ILERT_STORE_MISSING) {

            /* all its requests are under way, maybe of other sources */

            at = now;
            rc = SQLITE_OK;
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        ngx_http_ilert_store_set_due(db, at + budget->window);
    }

    return SQLITE_OK;
}


/* alerts that may go, in their order; of a source and an urgency one more */

static int
ngx_http_ilert_store_candidates(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job)
{
    int         rc;
    ngx_uint_t  i, n, urgency;

    db->ncandidates = 0;

    for (i = 0; i < job->ntakes; i++) {

        n = ngx_http_ilert_store_may_take(&job->takes[i]);

        for (urgency = 0; n && urgency < NGX_HTTP_ILERT_URGENCIES; urgency++) {
            rc = ngx_http_ilert_store_candidate(db, job, i, urgency, n + 1);
            if (rc != SQLITE_OK) {
                return rc;
            }
        }
    }

    if (db->ncandidates > 1) {
        qsort(db->candidates, db->ncandidates,
              sizeof(ngx_http_ilert_store_candidate_t),
              ngx_http_ilert_store_cmp);
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_candidate(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t n, ngx_uint_t urgency,
    ngx_uint_t limit)
{
    int                                rc;
    int64_t                            window;
    sqlite3_stmt                      *stmt;
    ngx_http_ilert_store_take_t       *take;
    ngx_http_ilert_store_candidate_t  *candidate;

    take = &job->takes[n];

    window = take->budgets[0] ? take->budgets[0]->window
                              : NGX_HTTP_ILERT_STORE_WINDOW;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_CANDIDATES, &stmt,
                                  "iii", take->id, (int64_t) urgency,
                                  (int64_t) limit);

    while (rc == SQLITE_OK) {

        if (ngx_http_ilert_store_room(db) != NGX_OK) {
            rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
            break;
        }

        candidate = &db->candidates[db->ncandidates++];

        candidate->id = sqlite3_column_int64(stmt, 0);
        candidate->head = sqlite3_column_int64(stmt, 1);
        candidate->since = sqlite3_column_int64(stmt, 2);
        candidate->take = n;
        candidate->repeat = (urgency == NGX_HTTP_ILERT_REPEATS);
        candidate->urgency = ngx_http_ilert_rules_aged(urgency,
                                                       &candidate->since,
                                                       window, job->now);

        rc = ngx_http_ilert_store_next(db, stmt);
    }

    if (rc == NGX_HTTP_ILERT_STORE_MISSING) {
        return SQLITE_OK;
    }

    ngx_http_ilert_store_end(stmt);

    return rc;
}


static ngx_int_t
ngx_http_ilert_store_room(ngx_http_ilert_store_db_t *db)
{
    ngx_uint_t                         n;
    ngx_http_ilert_store_candidate_t  *candidates;

    if (db->ncandidates < db->size_candidates) {
        return NGX_OK;
    }

    n = ngx_max(db->size_candidates * 2, 128);

    candidates = ngx_alloc(n * sizeof(ngx_http_ilert_store_candidate_t),
                           ngx_cycle->log);
    if (candidates == NULL) {
        return NGX_ERROR;
    }

    if (db->ncandidates) {
        ngx_memcpy(candidates, db->candidates,
                   db->ncandidates * sizeof(ngx_http_ilert_store_candidate_t));
    }

    ngx_free(db->candidates);

    db->candidates = candidates;
    db->size_candidates = n;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_ilert_store_cmp(const void *one, const void *two)
{
    const ngx_http_ilert_store_candidate_t  *a = one, *b = two;

    if (a->urgency != b->urgency) {
        return (a->urgency < b->urgency) ? -1 : 1;
    }

    if (a->since != b->since) {
        return (a->since < b->since) ? -1 : 1;
    }

    return (a->head < b->head) ? -1 : (a->head > b->head);
}


/* an alert's first event: it is taken, or it turns out not to go */

static int
ngx_http_ilert_store_consider(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job,
    ngx_http_ilert_store_candidate_t *candidate, ngx_uint_t without)
{
    int                            rc;
    int64_t                        until;
    ngx_uint_t                     counted;
    ngx_http_ilert_rule_e          rule;
    ngx_http_ilert_store_take_t   *take;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_event_t  *ev;

    take = &job->takes[candidate->take];

    rc = ngx_http_ilert_store_head(db, take, candidate, &alert, &ev);
    if (rc != SQLITE_OK) {
        return rc;
    }

    db->rows--;

    if (ev == NULL) {
        alert.shown.shows = NGX_HTTP_ILERT_SHOWS_UNKNOWN;
        return ngx_http_ilert_store_advance(db, &alert, 0, job->now);
    }

    /* a repeat has been counted as coalesced */

    counted = ev->said.repeat;

    if (ev->damaged) {
        ngx_str_set(&ev->error, "its row in the queue's database is damaged");
        job->damaged++;

        rc = ngx_http_ilert_store_dead(db, job, ev, without);

        ngx_free(ev);

        return rc;
    }

    rc = ngx_http_ilert_store_judge(db, take, &alert, ev, job->now, &rule,
                                    &until);
    if (rc != SQLITE_OK) {
        ngx_free(ev);
        return rc;
    }

    if (rule == NGX_HTTP_ILERT_GO
        && !ngx_http_ilert_store_expired(ev, &alert.shown, take->max_age,
                                         job->now))
    {
        db->rows++;
        ngx_queue_insert_tail(&job->taken, &ev->queue);

        return ngx_http_ilert_store_mark(db, take, ev);
    }

    if (rule == NGX_HTTP_ILERT_GO && !ev->said.repeat) {
        ngx_str_set(&ev->error, "older than max_age");
        take->expired++;
        job->expired++;

        rc = ngx_http_ilert_store_dead(db, job, ev, without);

    } else {

        if (!counted) {
            take->coalesced++;
            job->coalesced++;
        }

        if (rule == NGX_HTTP_ILERT_HOLD) {
            rc = ngx_http_ilert_store_set_urgency(db, ev->source_id, ev->seq,
                                                  ev->urgency,
                                                  NGX_HTTP_ILERT_REPEATS);
            if (rc == SQLITE_OK) {
                rc = ngx_http_ilert_store_hold(db, &alert, until, job->now);
            }

        } else {
            rc = ngx_http_ilert_store_drop(db, &alert, ev, job->now);

            /* the alert may be one to be resolved now */

            db->more |= (take->policy.resolve_after != 0);
        }
    }

    ngx_free(ev);

    return rc;
}


/* "evp" is set to NULL if the event is not there: discarded by hand */

static int
ngx_http_ilert_store_head(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_candidate_t *candidate,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t **evp)
{
    int                             rc;
    sqlite3_stmt                   *stmt;
    ngx_http_ilert_store_event_t   *ev;
    ngx_http_ilert_store_waiting_t  head;

    *evp = NULL;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_GET_HEAD, &stmt,
                                  "ii", candidate->id, db->epoch);

    if (rc != SQLITE_OK) {
        return (rc == NGX_HTTP_ILERT_STORE_MISSING)
               ? ngx_http_ilert_store_error(db, SQLITE_CORRUPT) : rc;
    }

    ngx_http_ilert_store_read_alert(stmt, alert);

    if (sqlite3_column_type(stmt, NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS)
        != SQLITE_NULL)
    {

        ngx_http_ilert_store_read_event(stmt,
                                        NGX_HTTP_ILERT_STORE_ALERT_NCOLUMNS,
                                        &head);

        ev = ngx_http_ilert_store_read_head(stmt, &take->source);

        if (ev) {
            ev->alert = alert->id;
            ev->seq = head.seq;
            ev->id = head.id;
            ev->urgency = head.urgency;
            ev->said = head.said;
            ev->source_id = ngx_http_ilert_store_source_of(alert, &head);
            ev->damaged = head.damaged;
            *evp = ev;

        } else {
            rc = ngx_http_ilert_store_error(db, NGX_HTTP_ILERT_STORE_NOMEM);
        }
    }

    ngx_http_ilert_store_end(stmt);

    return rc;
}


int
ngx_http_ilert_store_bury(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without)
{
    int         rc;
    ngx_uint_t  i;

    for (i = 0; i < job->ndeadly; i++) {

        ngx_http_ilert_store_mark_event(job, job->deadly[i]);

        rc = ngx_http_ilert_store_bury_event(db, job, job->deadly[i],
                                             without);

        ngx_http_ilert_store_mark_event(job, 0);

        if (rc != SQLITE_OK && rc != NGX_HTTP_ILERT_STORE_MISSING) {
            return rc;
        }
    }

    return SQLITE_OK;
}


static int
ngx_http_ilert_store_bury_event(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, int64_t seq, ngx_uint_t without)
{
    int                                rc;
    sqlite3_stmt                      *stmt;
    ngx_http_ilert_store_take_t        take;
    ngx_http_ilert_store_alert_t       alert;
    ngx_http_ilert_store_event_t      *ev;
    ngx_http_ilert_store_candidate_t   candidate;

    rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_FIND_EVENT, &stmt,
                                  "i", seq);
    if (rc != SQLITE_OK) {
        return rc;
    }

    candidate.id = sqlite3_column_int64(stmt, 0);
    take.source.len = sqlite3_column_bytes(stmt, 1);
    take.source.data = (u_char *) sqlite3_column_text(stmt, 1);

    rc = ngx_http_ilert_store_head(db, &take, &candidate, &alert, &ev);

    ngx_http_ilert_store_end(stmt);

    if (rc != SQLITE_OK || ev == NULL) {
        return rc;
    }

    ngx_queue_insert_tail(&job->buried, &ev->queue);

    ngx_str_set(&ev->error,
                "a worker has died three times while it was handled");

    return ngx_http_ilert_store_dead(db, job, ev, without);
}


static ngx_http_ilert_store_event_t *
ngx_http_ilert_store_read_head(sqlite3_stmt *stmt, ngx_str_t *source)
{
    size_t                         key, body;
    ngx_http_ilert_store_event_t  *ev;

    key = sqlite3_column_bytes(stmt, NGX_HTTP_ILERT_STORE_HEAD_COLUMN + 2);
    body = sqlite3_column_bytes(stmt, NGX_HTTP_ILERT_STORE_HEAD_COLUMN + 3);

    ev = ngx_http_ilert_store_event(source->len, key, body);
    if (ev == NULL) {
        return NULL;
    }

    ngx_memcpy(ev->source.data, source->data, source->len);

    /* of what has no bytes there may be no address */

    if (key) {
        ngx_memcpy(ev->key.data,
                   sqlite3_column_text(stmt,
                                       NGX_HTTP_ILERT_STORE_HEAD_COLUMN + 2),
                   key);
    }

    if (body) {
        ngx_memcpy(ev->body.data,
                   sqlite3_column_blob(stmt,
                                       NGX_HTTP_ILERT_STORE_HEAD_COLUMN + 3),
                   body);
    }

    ev->native = (sqlite3_column_int(stmt, NGX_HTTP_ILERT_STORE_HEAD_COLUMN)
                  != 0);
    ev->attempts = sqlite3_column_int64(stmt,
                                        NGX_HTTP_ILERT_STORE_HEAD_COLUMN + 1);

    return ev;
}


static int
ngx_http_ilert_store_judge(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, int64_t now,
    ngx_http_ilert_rule_e *rule, int64_t *until)
{
    int                             rc;
    ngx_http_ilert_store_waiting_t  next;

    next.said.type = NGX_HTTP_ILERT_NO_TYPE;

    if (take->policy.coalesce != NGX_HTTP_ILERT_COALESCE_OFF) {
        rc = ngx_http_ilert_store_get_event(db,
                                            NGX_HTTP_ILERT_STORE_NEXT_EVENT,
                                            ev->alert, ev->seq, &next);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    *rule = ngx_http_ilert_rules_judge(&take->policy, &alert->shown, &ev->said,
                                       next.said.type, now, until);

    return SQLITE_OK;
}


/* the event may be sent from now on */

static int
ngx_http_ilert_store_mark(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_event_t *ev)
{
    int                             rc;
    ngx_uint_t                      i;
    ngx_http_ilert_store_budget_t  *budget;

    take->taken++;
    db->taken += ev->body.len;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_SET_TAKEN, "i",
                                   ev->alert);

    for (i = 0; i < NGX_HTTP_ILERT_STORE_BUDGETS; i++) {
        budget = take->budgets[i];
        ev->budgets[i] = budget;

        if (budget && budget->rate && rc == SQLITE_OK) {
            budget->left--;
            budget->used++;

            rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_ADD_SLOT,
                                           "i", budget->id);
        }
    }

    return rc;
}


/* a RESOLVE, however old, unless ilert has been told another one */

static ngx_uint_t
ngx_http_ilert_store_expired(ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_shown_t *shown, int64_t max_age, int64_t now)
{
    if (max_age == 0 || ev->said.received + max_age > now) {
        return 0;
    }

    return ev->said.type != NGX_HTTP_ILERT_RESOLVE
           || (shown->shows == NGX_HTTP_ILERT_SHOWS_RESOLVED && shown->told);
}


/*
 * Alerts that ilert may show, and of which nothing has been heard for too
 * long while somebody was listening.  Their events are written when they
 * leave.
 */

static int
ngx_http_ilert_store_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take)
{
    int            rc;
    int64_t        id, end, resumed;
    sqlite3_stmt  *stmt;

    resumed = 0;

    rc = ngx_http_ilert_store_exec(db, NGX_HTTP_ILERT_STORE_LATE_ALERTS,
                                   "iii", take->id, job->now,
                                   (int64_t) NGX_HTTP_ILERT_STORE_ROWS);

    if (rc == SQLITE_OK) {
        rc = ngx_http_ilert_store_get(db, NGX_HTTP_ILERT_STORE_GET_RESUMED,
                                      &resumed, "");
    }

    /* the time may be of before the clock was set back */

    resumed = (rc == SQLITE_OK) ? ngx_min(resumed, job->now) : 0;

    while (rc == SQLITE_OK) {

        rc = ngx_http_ilert_store_row(db, NGX_HTTP_ILERT_STORE_OLDEST_ALERT,
                                      &stmt, "i", take->id);

        if (rc != SQLITE_OK) {
            break;
        }

        id = sqlite3_column_int64(stmt, 0);
        end = ngx_max(sqlite3_column_int64(stmt, 1), resumed)
              + take->policy.resolve_after;

        ngx_http_ilert_store_end(stmt);

        if (end > job->now) {
            ngx_http_ilert_store_set_due(db, end);
            return SQLITE_OK;
        }

        if (job->resolved == job->nids) {
            db->more = (job->nids != 0);
            return SQLITE_OK;
        }

        rc = ngx_http_ilert_store_add_resolve(db, job, take, id);
    }

    return (rc == NGX_HTTP_ILERT_STORE_MISSING) ? SQLITE_OK : rc;
}


static int
ngx_http_ilert_store_add_resolve(ngx_http_ilert_store_db_t *db,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    int64_t id)
{
    int                            rc;
    ngx_http_ilert_store_alert_t   alert;
    ngx_http_ilert_store_event_t   ev;

    rc = ngx_http_ilert_store_get_alert(db, id, &alert);
    if (rc != SQLITE_OK) {
        return rc;
    }

    ngx_memzero(&ev, sizeof(ngx_http_ilert_store_event_t));

    ev.id = job->ids[job->resolved++];
    ev.said.type = NGX_HTTP_ILERT_RESOLVE;
    ev.said.received = job->now;
    ev.native = take->native;
    ev.source_id = take->id;

    return ngx_http_ilert_store_add(db, &alert, &ev, job->now);
}


static void
ngx_http_ilert_store_set_due(ngx_http_ilert_store_db_t *db, int64_t due)
{
    if (db->due == 0 || due < db->due) {
        db->due = due;
    }
}
