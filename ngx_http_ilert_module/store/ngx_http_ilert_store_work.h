
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_
#define _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_backend.h"


/*
 * What the parts of the store share; nobody else includes this.  Each part
 * uses only those below it:
 *
 * store_job.c      runs jobs
 * store_waits.c    what waits of events that could not be accepted
 * store_term.c     epoch, session, and the courier's number
 * store_control.c  orders of operators
 * store_take.c     which events go next
 * store_letter.c   dead letters: what becomes one, and what goes back
 * store_silent.c   which alerts are resolved, as nothing is heard of them
 * store_home.c     which integration key an alert belongs to
 * store_forget.c   what is forgotten
 * store_refused.c  webhooks that were refused
 * store_query.c    what is to be known
 * store_alert.c    what becomes of an alert and its events: decisions only
 * store_budget.c   requests that may be made
 * store_work.c     records of the work at hand, each of which is there once
 *
 * Functions that return ngx_int_t return NGX_OK, NGX_ERROR, after which the
 * transaction is rolled back, or NGX_DECLINED where it is said.
 */


/* store_work.c */

/*
 * create() zeroes a work and makes its pool; destroy() frees the pool, and is
 * called in any case, also if create() has failed.
 */
ngx_int_t ngx_http_ilert_work_create(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_t *store, int64_t now);
void ngx_http_ilert_work_destroy(ngx_http_ilert_store_work_t *work);

/* notes in the store that there is no memory; returns NGX_ERROR */
ngx_int_t ngx_http_ilert_work_no_memory(ngx_http_ilert_store_work_t *work);

/*
 * The source of that name.  If there is none, find_source() returns
 * NGX_DECLINED, and source() makes it.  "owner" is the name of the budget of
 * the source's key, or empty if it is not known.  It counts only as long as
 * the source has no key: later the key is what the last courier to begin has
 * found it to be, whatever this process knows.  For processes of two
 * configurations may run, and must agree on whose alert an event is.
 */
ngx_int_t ngx_http_ilert_work_find_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_ident_t **source);
ngx_int_t ngx_http_ilert_work_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_str_t *owner, ngx_http_ilert_store_ident_t **source);
ngx_int_t ngx_http_ilert_work_set_owner(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *owner);

/*
 * tally() notes that "n" more events of a source and of an urgency wait, and
 * tally_open() that "n" more of its alerts are open; "n" may be negative.
 */
ngx_int_t ngx_http_ilert_work_tally(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t urgency, int64_t n);
ngx_int_t ngx_http_ilert_work_tally_open(ngx_http_ilert_store_work_t *work,
    int64_t source, int64_t n);

/* the budget of that name, which is made if there is none */
ngx_int_t ngx_http_ilert_work_fund(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_fund_t **fund);

/* a copy of an alert key as ilert compares it, of the pool, or NULL */
ngx_str_t *ngx_http_ilert_work_fold(ngx_http_ilert_store_work_t *work,
    ngx_str_t *key);

/*
 * The alert with a key that is folded: of the source's owner, else of the
 * source itself; NGX_DECLINED: there is none.  There is one alert of a source
 * and a name, whose owner may be another one than the source's: none, as
 * a process of an earlier release has made it, or the next one, while
 * a courier moves the alerts of the source.
 */
ngx_int_t ngx_http_ilert_work_find_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key,
    ngx_http_ilert_store_alert_t **alert);
ngx_int_t ngx_http_ilert_work_get_alert(ngx_http_ilert_store_work_t *work,
    int64_t id, ngx_http_ilert_store_alert_t **alert);

/* a new one; what ilert shows of it is unknown */
ngx_int_t ngx_http_ilert_work_add_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t **alert);

/*
 * For backends, which load an alert: the record of that id, in which id, key
 * and alert_key are set (they are copied), and the queues are empty; all else
 * is zeroed.  "known" is set if it was in the work already: such a record is
 * newer than what is kept, and stays as it is.  NULL without memory.
 */
ngx_http_ilert_store_alert_t *ngx_http_ilert_work_alert(
    ngx_http_ilert_store_work_t *work, int64_t id, ngx_str_t *key,
    ngx_str_t *alert_key, ngx_uint_t *known);

/*
 * Each of these saves all, as a backend does not see what has not been saved,
 * and makes the array of what was selected: of pointers to alerts, of dead
 * letters, of refused webhooks, of all sources and what they count.
 */
ngx_int_t ngx_http_ilert_work_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts);
ngx_int_t ngx_http_ilert_work_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters);
ngx_int_t ngx_http_ilert_work_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);
ngx_int_t ngx_http_ilert_work_sources(ngx_http_ilert_store_work_t *work,
    ngx_array_t *sources);

/*
 * At least the first two, or the last two, of the events that wait are known
 * then, or all of them; with "body" the first event has its body.
 */
ngx_int_t ngx_http_ilert_work_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);

/* saves all, and loads these events of the alert anew */
ngx_int_t ngx_http_ilert_work_reload(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);

/*
 * For backends: put a record right that was just loaded, so that all the rest
 * can rely on it, for what is kept may be damaged, or written by hand.  Of an
 * alert alert->shown is set, too, by the epoch; "size" is that of the event's
 * body.
 */
void ngx_http_ilert_work_check_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
void ngx_http_ilert_work_check_event(ngx_http_ilert_store_waiting_t *ev,
    size_t size);

/* copies alert->shown to the row, which is what is saved */
void ngx_http_ilert_work_show(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);

/* whether an event of the alert waits that no other one may overtake */
ngx_uint_t ngx_http_ilert_work_waits(int64_t state, int64_t urgency,
    int64_t head);

/* the first, the second, and the last of the waiting events known, or NULL */
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_first(
    ngx_http_ilert_store_alert_t *alert);
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_second(
    ngx_http_ilert_store_alert_t *alert);
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_last(
    ngx_http_ilert_store_alert_t *alert);

/* notes how a waiting event has changed, for save() to write it */
void ngx_http_ilert_work_change(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev, ngx_http_ilert_store_change_e change);


/*
 * store_alert.c: decides, and changes records only.  The edges of the alerts
 * are loaded.
 */

/*
 * What is to become of a new event of the alert: "replaced" waits, and gives
 * its place to it, or is NULL; "alone": no other event goes before it, and
 * only then there is a rule but GO.
 */

typedef struct {
    ngx_http_ilert_rule_e            rule;
    int64_t                          until;     /* if it is HOLD */
    unsigned                         alone:1;
    ngx_http_ilert_store_waiting_t  *replaced;
} ngx_http_ilert_store_fate_t;

/*
 * Finds that out by ev->said and ev->policy, and sets the urgency and
 * said.repeat.  Changes nothing else.
 */
ngx_int_t ngx_http_ilert_alert_foresee(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_store_fate_t *fate);

/*
 * A new event: sets its alert, seq, urgency, and coalesced.  "ev" has its
 * source_id set, and lives until the work is saved.
 */
ngx_int_t ngx_http_ilert_alert_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);

/*
 * The verdict of the event, which is the alert's first one, or is not there
 * any more, as when it was discarded by hand.
 */
ngx_int_t ngx_http_ilert_alert_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without);

/*
 * The alert's first event has been refused, with all of its source: it waits
 * until it is its turn, or its source is released.
 */
void ngx_http_ilert_alert_keep(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first);

/* the alert's first event need not go: it is removed */
ngx_int_t ngx_http_ilert_alert_drop(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);

/* the alert's first event becomes a dead letter; "ev" has all that is in it */
ngx_int_t ngx_http_ilert_alert_dead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);

/*
 * The first event of the alert, received or delivered at "last", is gone, and
 * the next one is its head.
 */
ngx_int_t ngx_http_ilert_alert_advance(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now);

/* the alert's head is the first event that waits, and may go */
ngx_int_t ngx_http_ilert_alert_rehead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);

/* removes a waiting event, and counts */
ngx_int_t ngx_http_ilert_alert_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);

/* the alert's urgency is to be that of the most urgent event that waits */
void ngx_http_ilert_alert_least(ngx_http_ilert_store_alert_t *alert);

/* an event has become so urgent */
ngx_int_t ngx_http_ilert_alert_set_urgency(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev,
    ngx_uint_t urgency);

/* the alert's first event, a repeat, waits for its time */
void ngx_http_ilert_alert_hold(ngx_http_ilert_store_alert_t *alert,
    int64_t until, int64_t now);

/* the alert's first event may go, whatever it has been waiting for */
void ngx_http_ilert_alert_ready(ngx_http_ilert_store_alert_t *alert);

/* the alert is shown, and judged, as one of this source from now on */
ngx_int_t ngx_http_ilert_alert_set_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source);

/* the source of an event of the alert */
int64_t ngx_http_ilert_alert_source_of(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev);


/* store_budget.c */

/* before anything else is done with budgets in a transaction */
void ngx_http_ilert_budget_begin(ngx_http_ilert_store_job_t *job);

/* the request has its verdict; one that was not made counts no longer */
ngx_int_t ngx_http_ilert_budget_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev);

/* what is left of a budget: sets known, used, next, and left */
ngx_int_t ngx_http_ilert_budget_load(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget);

/* slots whose window is over are removed; none is later than now */
void ngx_http_ilert_budget_expire(ngx_http_ilert_store_fund_t *fund,
    int64_t window, int64_t now);

/* a request is made, of both of the budgets, which may be NULL */
ngx_int_t ngx_http_ilert_budget_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t **budgets);

/* when there may be a request again of a budget that has been loaded */
ngx_int_t ngx_http_ilert_budget_next(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget, int64_t *next);

/* store_term.c */

/* what is known of ilert is of an epoch: begins another one if need be */
void ngx_http_ilert_term_epoch(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/*
 * Sets job->over if the job's courier is not the one that delivers any longer;
 * begins a new one if the job says so: job->begun, job->fresh.
 */
ngx_int_t ngx_http_ilert_term_check(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);

/* somebody is listening now */
void ngx_http_ilert_term_seen(ngx_http_ilert_store_work_t *work);


/*
 * store_waits.c: with the lock, sets "waits" of all accepts of a job that has
 * failed, and store->asked.
 */
void ngx_http_ilert_waits_find(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);


/* store_take.c */

/*
 * The job's takes; sets what its budgets are at, and when more may go.
 * "more": there is more to be done at once.  Saves what comes of it.
 */
ngx_int_t ngx_http_ilert_take_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);

/*
 * Alerts that are selected by "which", of a source or a time, may go from now
 * on.  Sets how many: if it is .._ROWS, there may be others.
 */
ngx_int_t ngx_http_ilert_take_ready(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_which_e which, int64_t source, int64_t time,
    ngx_uint_t *n);

/* the events of job->deadly become dead letters */
ngx_int_t ngx_http_ilert_take_deadly(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);


/*
 * store_silent.c: of the source of a take that is not paused; sets work->due,
 * and work->more.
 */
ngx_int_t ngx_http_ilert_silent_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);


/* store_home.c: sets job->moving as long as there is more to do */
ngx_int_t ngx_http_ilert_home_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/* store_letter.c */

/*
 * As alert_verdict(), but an event that ilert refuses may wait: sets what
 * a verdict of DEAD has come to.
 */
ngx_int_t ngx_http_ilert_letter_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without);

/*
 * It is the turn of that event of the source which has waited longest since it
 * was refused: sets "turn" if there is one.
 */
ngx_int_t ngx_http_ilert_letter_turn(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t *turn);

/*
 * Whether the letter has all that an event needs, and whether nothing is known
 * of its alert that is later: an ALERT must not follow a RESOLVE that has been
 * sent, or dropped, or waits.
 */
ngx_uint_t ngx_http_ilert_letter_is_whole(
    ngx_http_ilert_store_letter_t *letter);
ngx_uint_t ngx_http_ilert_letter_is_last(
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_alert_t *alert);

/*
 * Such a letter, which has its body, is an event again, of that source; with
 * "again" one that was refused with all of its source.
 */
ngx_int_t ngx_http_ilert_letter_replay(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t again);

/* the letter is to be removed; it lives until the work is saved */
void ngx_http_ilert_letter_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter);


/* store_control.c: the job's orders */
ngx_int_t ngx_http_ilert_control_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/* store_forget.c */

/*
 * Dead letters that are too old, or of which there are too many: a bounded
 * number, which is added to job->dropped.
 */
ngx_int_t ngx_http_ilert_forget_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/*
 * Alerts that were resolved, or not heard of, for too long: counts the latter
 * in job->silent, and sets job->more.  Goes through so many records.
 */
ngx_int_t ngx_http_ilert_forget_old(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t rows);

/*
 * Forgets what is oldest in a transaction of its own, so it must not be called
 * within one: alerts that are resolved, else refused webhooks, else the other
 * alerts.  Counts them in job->forgotten or job->evicted, and returns how many
 * there are, or 0 after an error.
 */
ngx_uint_t ngx_http_ilert_forget_oldest(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);


/* store_refused.c */

/*
 * With the lock, when the job is done: keeps its refused webhooks, if it can,
 * and counts them in job->kept.  Whatever becomes of that, the store's state
 * stays as it is.
 */
void ngx_http_ilert_refused_keep(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);

/* removes those that are too old: a bounded number */
ngx_int_t ngx_http_ilert_refused_clean(ngx_http_ilert_store_work_t *work);

/*
 * Removes the oldest ones, at most so many, and none with an id after "last",
 * however old they are; sets how many: "n".
 */
ngx_int_t ngx_http_ilert_refused_remove(ngx_http_ilert_store_work_t *work,
    ngx_uint_t limit, int64_t last, ngx_uint_t *n);


/* store_query.c: answers a query when the job is done */
void ngx_http_ilert_query_answer(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);


/* tells other processes the seq of the event that is at hand; 0: none */

#define ngx_http_ilert_store_at_hand(job, n)                                  \
    if ((job)->at_hand) {                                                     \
        *(job)->at_hand = n;                                                  \
    }


/* what is left out of a transaction if there is no room for it */

#define NGX_HTTP_ILERT_STORE_NO_ACCEPTS   1
#define NGX_HTTP_ILERT_STORE_NO_DEAD      2


#endif /* _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_ */
