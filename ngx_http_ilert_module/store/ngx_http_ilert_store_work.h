
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_
#define _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_backend.h"


/*
 * What the parts of the store share.  Only they and the backends include this.
 * Each part uses only those below it:
 *
 * store_job.c      runs jobs
 * store_waits.c    finds out whether others wait before events that could not
 *                  be accepted
 * store_term.c     epoch, session, and the courier's number
 * store_control.c  carries out orders of operators
 * store_take.c     decides which events go next
 * store_turn.c     finds out what may go, and in which order
 * store_letter.c   decides what becomes a dead letter, and what goes back
 * store_digest.c   makes the events of digests, and decides what they list
 * store_silent.c   resolves alerts of which nothing is heard
 * store_home.c     finds the integration key that an alert belongs to
 * store_forget.c   forgets alerts and dead letters
 * store_refused.c  keeps webhooks that were refused
 * store_look.c     compares what Kapacitor knows with what was heard
 * store_heard.c    remembers what was heard of Kapacitor's ids
 * store_query.c    answers queries
 * store_waiters.c  lists what waits
 * store_accept.c   decides what becomes of a new event
 * store_untold.c   knows of which alerts ilert was told nothing
 * store_silence.c  knows the silences, and which alerts they hold for
 * store_silence_order.c  adds and removes silences
 * store_alert.c    decides what becomes of an alert and its events
 * store_budget.c   counts requests
 * store_work.c     has the records of a transaction, each of them once
 * store_check.c    corrects records that make no sense
 *
 * Functions that return ngx_int_t return NGX_OK; NGX_ERROR, after which the
 * transaction is rolled back; or NGX_DECLINED, only where this is said.
 * Records live as long as the work, unless something else is said.
 */


/* store_work.c */

/*
 * create() zeroes a work and makes its pool.  destroy() frees the pool.  It
 * has to be called in any case, also if create() has failed.
 */
ngx_int_t ngx_http_ilert_work_create(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_t *store, int64_t now);
void ngx_http_ilert_work_destroy(ngx_http_ilert_store_work_t *work);

/*
 * Ends the transaction: commits it if "rc" is NGX_OK, and rolls it back
 * otherwise, or if it cannot be committed.  Returns how it has ended.
 */
ngx_int_t ngx_http_ilert_work_end(ngx_http_ilert_store_work_t *work,
    ngx_int_t rc);

/* Makes a lack of memory the store's last error, and returns NGX_ERROR. */
ngx_int_t ngx_http_ilert_work_no_memory(ngx_http_ilert_store_work_t *work);

/*
 * find_source() finds the source of that name, or returns NGX_DECLINED.
 * source() adds the source if there is none.
 *
 * "owner" is the name of the budget of the source's key, or empty if it is not
 * known.  It is only used if the source has no owner yet.  Later the owner is
 * only changed by a courier that begins, with set_owner(), because processes
 * of two configurations may run at the same time, and must agree on the alert
 * that an event belongs to.
 */
ngx_int_t ngx_http_ilert_work_find_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_ident_t **source);
ngx_int_t ngx_http_ilert_work_source(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_str_t *owner, ngx_http_ilert_store_ident_t **source);
ngx_int_t ngx_http_ilert_work_set_owner(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_ident_t *source, ngx_str_t *owner);

/*
 * tally() notes that "n" more events of a source (by id) and an urgency wait.
 * tally_open() notes that "n" more alerts of a source are open.  "n" may be
 * negative.
 */
ngx_int_t ngx_http_ilert_work_tally(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t urgency, int64_t n);
ngx_int_t ngx_http_ilert_work_tally_open(ngx_http_ilert_store_work_t *work,
    int64_t source, int64_t n);

/* Returns the budget of that name that the work has, or NULL. */
ngx_http_ilert_store_fund_t *ngx_http_ilert_work_known_fund(
    ngx_http_ilert_store_work_t *work, ngx_str_t *name);

/* Finds the budget of that name, or adds it if there is none. */
ngx_int_t ngx_http_ilert_work_fund(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_fund_t **fund);

/*
 * Returns a folded copy of an alert key, in the form in which ilert compares
 * keys: without white space at both ends, ASCII letters in lower case.
 * Returns NULL if there is no memory.
 */
ngx_str_t *ngx_http_ilert_work_fold(ngx_http_ilert_store_work_t *work,
    ngx_str_t *key);

/*
 * find_alert() finds an alert by its folded key: if "owner" is not 0, the one
 * of that owner, otherwise, or if that has none, the one of the source.
 * get_alert() finds an alert by its id.  Both return NGX_DECLINED if there is
 * none.
 *
 * A source has at most one alert with a key.  The owner of that alert may not
 * be that of the source: it is 0 if a process of an earlier release has made
 * the alert, and it differs while a courier moves the source's alerts to
 * another key.
 */
ngx_int_t ngx_http_ilert_work_find_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key,
    ngx_http_ilert_store_alert_t **alert);
ngx_int_t ngx_http_ilert_work_get_alert(ngx_http_ilert_store_work_t *work,
    int64_t id, ngx_http_ilert_store_alert_t **alert);

/*
 * Finds the alert of an event by its source, owner, and key, or adds it.  Sets
 * ev->source_id.  What ilert shows of a new alert is unknown: ilert may have
 * been told of it before this database was made, or the alert may have been
 * forgotten.
 */
ngx_int_t ngx_http_ilert_work_alert_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_alert_t **alert);

/* Adds an alert.  What ilert shows of it is unknown. */
ngx_int_t ngx_http_ilert_work_add_alert(ngx_http_ilert_store_work_t *work,
    int64_t owner, int64_t source, ngx_str_t *key, ngx_str_t *alert_key,
    ngx_http_ilert_store_alert_t **alert);

/*
 * This is for backends that load an alert.  Makes a record with this id, with
 * copies of key and alert_key, and with empty queues; all else is zeroed.  If
 * the work has the alert already, "known" is set, and its record is returned:
 * it is newer than what is kept, and must stay as it is.  Returns NULL if
 * there is no memory.
 */
ngx_http_ilert_store_alert_t *ngx_http_ilert_work_alert(
    ngx_http_ilert_store_work_t *work, int64_t id, ngx_str_t *key,
    ngx_str_t *alert_key, ngx_uint_t *known);

/*
 * These functions select records by a filter.  Each one first saves all
 * changes, since a backend does not see what has not been saved (with
 * work->reading nothing is saved), and then makes an array: of pointers to
 * alerts (store_alert_t *), of dead letters (store_letter_t), of refused
 * webhooks (store_refused_t), or of all sources with their counts
 * (store_counted_t).
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
 * Loads at least the first two, with .._FRONT, or the last two, with .._BACK,
 * of an alert's waiting events, unless they are loaded already.  With "body"
 * the first event gets its body.
 */
ngx_int_t ngx_http_ilert_work_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);

/* Saves all changes, and then loads these events of the alert anew. */
ngx_int_t ngx_http_ilert_work_reload(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);

/* Copies alert->shown to the row, since the row is what is saved. */
void ngx_http_ilert_work_show(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);

/*
 * Returns 1 if an event of an alert with these values waits, unless it is
 * a held repeat: no other event may overtake it.
 */
ngx_uint_t ngx_http_ilert_work_waits(int64_t state, int64_t urgency,
    int64_t head);

/* These return the first, second, or last waiting event loaded, or NULL. */
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_first(
    ngx_http_ilert_store_alert_t *alert);
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_second(
    ngx_http_ilert_store_alert_t *alert);
ngx_http_ilert_store_waiting_t *ngx_http_ilert_work_last(
    ngx_http_ilert_store_alert_t *alert);

/* Notes how a waiting event has changed, so that save() writes it. */
void ngx_http_ilert_work_change(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev, ngx_http_ilert_store_change_e change);

/*
 * These note that a record is removed, so that save() does it.  Its memory
 * must live until then.
 */
void ngx_http_ilert_work_remove_letter(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter);
void ngx_http_ilert_work_remove_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_t *refused);

/* Makes work->due this time, unless something is due before. */
void ngx_http_ilert_work_due(ngx_http_ilert_store_work_t *work, int64_t due);


/*
 * store_check.c is for backends.  What is kept may be damaged, or edited by
 * hand, so these correct a record that was just loaded: all others can rely on
 * its values.  check_alert() also sets alert->shown, for the present epoch.
 * "size" is that of the event's body in bytes.
 */
void ngx_http_ilert_work_check_alert(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);
void ngx_http_ilert_work_check_event(ngx_http_ilert_store_waiting_t *ev,
    size_t size);
void ngx_http_ilert_work_check_known(ngx_http_ilert_store_known_t *known);
void ngx_http_ilert_work_check_topic(ngx_http_ilert_store_topic_t *topic);
void ngx_http_ilert_work_check_silence(
    ngx_http_ilert_store_silence_t *silence);
void ngx_http_ilert_work_check_digest(ngx_http_ilert_store_digest_t *digest);


/*
 * store_alert.c decides, and only changes records.  Before these functions are
 * called, the .._FRONT edges of the alert must have been loaded; those of
 * store_accept.c load what they need.
 */

/*
 * What becomes of a new event of an alert.  "replaced" is a waiting event
 * whose place it takes, or NULL.  "alone" is set if no other event goes before
 * it; only then can the rule be another one than GO, and "hold" not be 0.
 */

typedef struct {
    ngx_http_ilert_rule_e            rule;
    ngx_uint_t                       hold;      /* the urgency by which */
                                                /* it is held back, or 0 */
    int64_t                          until;     /* if it is held */
    unsigned                         alone:1;
    ngx_http_ilert_store_waiting_t  *replaced;
} ngx_http_ilert_store_fate_t;

/*
 * store_accept.c
 *
 * Finds out the fate of a new event by ev->said and ev->policy.  Sets
 * ev->urgency and ev->said.repeat, too, and changes nothing else.
 */
ngx_int_t ngx_http_ilert_alert_foresee(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_store_fate_t *fate);

/*
 * Accepts a new event: sets its alert, seq, urgency, and coalesced.  "ev" must
 * have its source_id set, and must live until the work is saved.
 */
ngx_int_t ngx_http_ilert_alert_accept(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);

/*
 * Carries out the verdict of a taken event.  That is the alert's first event,
 * unless it is gone because somebody has deleted its row.
 */
ngx_int_t ngx_http_ilert_alert_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without);

/*
 * Keeps the alert's first event, which ilert has refused with all of its
 * source: it waits until it is its turn, or until its source is released.
 */
void ngx_http_ilert_alert_keep(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first);

/* Removes the alert's first event, which need not be sent. */
ngx_int_t ngx_http_ilert_alert_drop(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);

/*
 * Makes a dead letter of the alert's first event.  "ev" has the strings and
 * the body of the event, and status and error.
 */
ngx_int_t ngx_http_ilert_alert_dead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *first, ngx_http_ilert_store_event_t *ev,
    ngx_uint_t without);

/*
 * Makes the next event the alert's head, after the first one has been removed.
 * "last" is the time when that one was received or delivered, or 0.
 */
ngx_int_t ngx_http_ilert_alert_advance(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t last, int64_t now);

/* Makes the first waiting event the alert's head, which may go at once. */
ngx_int_t ngx_http_ilert_alert_rehead(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);

/* Removes a waiting event, and notes that in the counts of its source. */
ngx_int_t ngx_http_ilert_alert_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev);

/* Has the alert's urgency set to that of its most urgent waiting event. */
void ngx_http_ilert_alert_least(ngx_http_ilert_store_alert_t *alert);

/* Changes the urgency of a waiting event, and the counts of its source. */
ngx_int_t ngx_http_ilert_alert_set_urgency(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_waiting_t *ev,
    ngx_uint_t urgency);

/*
 * Holds the alert's first event back until a time, which may be .._RELEASED:
 * "urgency", which the event gets, says by what, see the head of
 * store_alert.c.
 */
ngx_int_t ngx_http_ilert_alert_hold(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t urgency, int64_t until);

/*
 * These let the alert's first event go.  With ready() it must not be held back
 * by anything but .._REPEATS, or must have been replaced.  free() finds its
 * urgency anew if it was held, and loads it for that.  If "freed" is 1,
 * "resolve_delay" does not hold it again.
 */
void ngx_http_ilert_alert_ready(ngx_http_ilert_store_alert_t *alert);
ngx_int_t ngx_http_ilert_alert_free(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t freed);

/*
 * Makes the alert one of this source (by id), whose settings hold for it, and
 * with which it is shown.
 */
ngx_int_t ngx_http_ilert_alert_set_source(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source);

/* Returns the id of the source of an event of the alert. */
int64_t ngx_http_ilert_alert_source_of(ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_waiting_t *ev);

/*
 * Returns 1 if the alert is of an ALERT that came without an alert key: most
 * likely no other event is of it, and nobody resolves it.
 */
ngx_uint_t ngx_http_ilert_alert_is_single(
    ngx_http_ilert_store_alert_t *alert);


/* store_turn.c */

/* an alert whose first event may be taken */

typedef struct {
    ngx_http_ilert_store_alert_t  *alert;
    int64_t                          head;
    int64_t                          since;
    ngx_uint_t                       turn;      /* .._TURN_.. */
    ngx_uint_t                       take;      /* index in job->takes */
    ngx_http_ilert_spends_e          spends;
} ngx_http_ilert_store_candidate_t;

/* Returns how many more events of the source may be taken. */
ngx_uint_t ngx_http_ilert_turn_may(ngx_http_ilert_store_take_t *take);

/*
 * Pushes alerts of all takes whose first events may go (store_candidate_t), in
 * the order in which they go.
 */
ngx_int_t ngx_http_ilert_turn_candidates(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_array_t *candidates);

/* Returns what the first event of an alert, which is READY, may spend. */
ngx_http_ilert_spends_e ngx_http_ilert_turn_spends(
    ngx_http_ilert_store_alert_t *alert);


/* store_budget.c */

/*
 * begin() has to be called before all else in a transaction, and end() after
 * it was committed.
 */
void ngx_http_ilert_budget_begin(ngx_http_ilert_store_job_t *job);
void ngx_http_ilert_budget_end(ngx_http_ilert_store_job_t *job);

/*
 * Ends the slots of a taken event by its verdict, and begins a pause if the
 * event says so.  If no request was made, its slots are freed at once.
 */
ngx_int_t ngx_http_ilert_budget_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev);

/* Loads a budget, and sets its known, used, next, left, and kept, to 0. */
ngx_int_t ngx_http_ilert_budget_load(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget);

/*
 * Removes a bounded number of slots whose window, in ms, is over.  A slot
 * whose time is later than "now" gets the time "now".
 */
void ngx_http_ilert_budget_expire(ngx_http_ilert_store_fund_t *fund,
    int64_t window, int64_t now);

/*
 * Returns 1 if all of these budgets, which have been loaded, have a request
 * for an event that spends that.  Otherwise makes work->due the time when they
 * have one.  A budget may be NULL.
 */
ngx_uint_t ngx_http_ilert_budget_affords(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t **budgets, ngx_http_ilert_spends_e spends);

/* Takes a slot of each of these budgets for such an event. */
void ngx_http_ilert_budget_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t **budgets, ngx_http_ilert_spends_e spends);

/*
 * Returns the time when a loaded budget, which has not more than so many
 * requests left, will have more, if none is made until then.
 */
int64_t ngx_http_ilert_budget_next(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_budget_t *budget, ngx_uint_t leaves);

/*
 * store_waiters.c: lists what waits, by the query's "source" and "urgent".
 * Makes an array of store_waiter_t, whose strings are the work's.
 */
ngx_int_t ngx_http_ilert_waiters_list(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query, ngx_array_t *waiters);


/* store_term.c */

/* Begins a new epoch if what is known of ilert does not hold any longer. */
void ngx_http_ilert_term_epoch(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/*
 * Sets job->over if another courier than the job's delivers.  If the job says
 * so, begins a new courier, and sets job->begun and job->fresh.
 */
ngx_int_t ngx_http_ilert_term_check(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);

/*
 * Sets job->away of a courier that begins.  It has to be called before
 * term_seen().
 */
void ngx_http_ilert_term_away(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/* Notes that there is a courier now, which hears of events. */
void ngx_http_ilert_term_seen(ngx_http_ilert_store_work_t *work);


/*
 * store_waits.c: sets "waits" of all accepts of a job that has failed, and
 * sets store->asked if that could be found out.  The caller has the lock.
 */
void ngx_http_ilert_waits_find(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);


/* store_take.c */

/*
 * Takes events for the job's takes, and saves the changes.  Sets the "used"
 * and "next" of its budgets, and job->due.
 */
ngx_int_t ngx_http_ilert_take_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);

/*
 * Selects alerts by "which" and a source, or a time, and lets their first
 * events go.  Sets "n" to the number of alerts; if it is .._ROWS, there may be
 * others.
 */
ngx_int_t ngx_http_ilert_take_ready(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_which_e which, int64_t source, int64_t time,
    ngx_uint_t *n);

/* Makes dead letters of the events of job->deadly. */
ngx_int_t ngx_http_ilert_take_deadly(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t without);


/* store_digest.c, of sources that have a "digest" */

/*
 * Notes in the digest of its source, if that has one, what has become of the
 * alert by an event that was just accepted.
 */
ngx_int_t ngx_http_ilert_digest_accepted(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev);

/*
 * The alert's first event, an ALERT, opens or raises it, and is about to go.
 * Sets "fate" to what becomes of it, and notes that in the digest.
 */

typedef enum {
    NGX_HTTP_ILERT_DIGEST_ALONE = 0,    /* it goes as it is */
    NGX_HTTP_ILERT_DIGEST_LATER,        /* it goes as it is, but leaves */
                                        /* budget->kept free */
    NGX_HTTP_ILERT_DIGEST_LOWER,        /* likewise, with priority LOW */
    NGX_HTTP_ILERT_DIGEST_LISTED,       /* it does not go: it is held until */
                                        /* .._RELEASED */
    NGX_HTTP_ILERT_DIGEST_BEHIND        /* it does not go now: it has become */
                                        /* less urgent, as it is listed */
} ngx_http_ilert_digest_fate_e;

ngx_int_t ngx_http_ilert_digest_opens(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_event_t *ev,
    ngx_http_ilert_digest_fate_e *fate);

/*
 * Is called for each take before its events are looked for: makes an event of
 * the source's digest if it is time to do so, ends it, and sets "kept" of the
 * take's budgets.  Sets work->due to the time when there may be one.
 */
ngx_int_t ngx_http_ilert_digest_take(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);

/* A silence holds the alert's first event: so a digest does not list it. */
ngx_int_t ngx_http_ilert_digest_silenced(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert);

/* Sets "holds" to 1 if the alert is that of the source's open digest. */
ngx_int_t ngx_http_ilert_digest_holds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_take_t *take, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t *holds);

/* Returns the digest of a source, or NULL.  All of them must be loaded. */
ngx_http_ilert_store_digest_t *ngx_http_ilert_digest_of(
    ngx_http_ilert_store_work_t *work, int64_t source);

/* Loads all digests, to work->digests. */
ngx_int_t ngx_http_ilert_digest_load(ngx_http_ilert_store_work_t *work);

/*
 * Finds the alert that the digest of a source, by its name, is at ilert, or
 * returns NGX_DECLINED if there is none.
 */
ngx_int_t ngx_http_ilert_digest_alert(ngx_http_ilert_store_work_t *work,
    ngx_str_t *name, ngx_http_ilert_store_alert_t **alert);

/* Lists the digests that are open in query->digests. */
ngx_int_t ngx_http_ilert_digest_query(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query);


/* store_untold.c */

/* From now on an alert that has no record may have been told to ilert. */
void ngx_http_ilert_untold_doubt(ngx_http_ilert_store_work_t *work);

/*
 * An ALERT was the first that came of the alert, with this "began": notes that
 * ilert was told nothing of the alert, if that is known.  work_show() is to be
 * called afterwards.
 */
void ngx_http_ilert_untold_new(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t began);

/* Adds the alerts of the job's notes of which ilert was told nothing. */
ngx_int_t ngx_http_ilert_untold_notes(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/* store_silence.c */

/*
 * Sets "hold" to .._SILENCED, and "until" to a time, if a silence holds now
 * for the alert, whose event "said" is about to go; else leaves both.
 */
ngx_int_t ngx_http_ilert_silence_holds(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_said_t *said,
    ngx_uint_t *hold, int64_t *until);

/*
 * Of an alert whose first event is held by a silence: sets "held" to 1 if it
 * still is to be, and for how long, otherwise to 0.
 */
ngx_int_t ngx_http_ilert_silence_keeps(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *held);

/*
 * Sets "later" to 1 if an ALERT or a RESOLVE waits behind the alert's first
 * event: then that one is not what is to be told when a silence ends.
 */
ngx_int_t ngx_http_ilert_silence_later(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_uint_t *later);

/*
 * Loads all silences, into work->silences, unless that has been done.  Those
 * that are over may be among them.
 */
ngx_int_t ngx_http_ilert_silence_load(ngx_http_ilert_store_work_t *work);

/* Returns 1 if the silence holds for that alert at the work's time. */
ngx_uint_t ngx_http_ilert_silence_is_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_silence_t *silence,
    ngx_http_ilert_store_alert_t *alert);

/*
 * Sets "silence" to the one that holds for the alert now, and longest of all
 * that do, or to NULL.
 */
ngx_int_t ngx_http_ilert_silence_of(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_silence_t **silence);

/*
 * Lists the silences in an answer, of the query's source or of all, and counts
 * what each of them holds: up to 1,000 alerts are gone through for that.
 */
ngx_int_t ngx_http_ilert_silence_query(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_query_t *query);


/* store_silence_order.c */

/*
 * These carry out a part of an order, .._ADD_SILENCE for a source, or
 * .._END_SILENCE.
 */
ngx_int_t ngx_http_ilert_silence_add(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order, ngx_http_ilert_store_ident_t *source);
ngx_int_t ngx_http_ilert_silence_end(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_order_t *order);

/*
 * Removes silences that are over, and lets a bounded number of alerts go that
 * no silence holds any longer, whatever the reason.
 */
ngx_int_t ngx_http_ilert_silence_clean(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/*
 * store_silent.c: resolves alerts of the take's source, which must not be
 * paused.  Sets work->due to the time when the next one may be resolved, and
 * work->more if there are more of them now.
 */
ngx_int_t ngx_http_ilert_silent_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_take_t *take);


/*
 * store_home.c: brings the owners of alerts in line with job->homes.  Sets
 * job->moving if this is not finished.
 */
ngx_int_t ngx_http_ilert_home_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/* store_letter.c */

/*
 * Does what alert_verdict() does, but an event that ilert refuses may be kept
 * waiting.  Sets what the verdict has come to: frees, or kept, parks,
 * doubtful, and returned.
 */
ngx_int_t ngx_http_ilert_letter_verdict(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_alert_t *alert,
    ngx_http_ilert_store_event_t *ev, ngx_uint_t without);

/*
 * Finds the event of the source that was refused the longest time ago, and
 * lets it go.  Sets "turn" to 1 if there is one.
 */
ngx_int_t ngx_http_ilert_letter_turn(ngx_http_ilert_store_work_t *work,
    int64_t source, ngx_uint_t *turn);

/*
 * is_whole() returns 1 if the letter has all that an event needs.  is_last()
 * returns 1 if its alert has had no later event: an ALERT must not follow
 * a RESOLVE that was sent, or dropped, or waits.
 */
ngx_uint_t ngx_http_ilert_letter_is_whole(
    ngx_http_ilert_store_letter_t *letter);
ngx_uint_t ngx_http_ilert_letter_is_last(
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_alert_t *alert);

/*
 * Makes an event of this source of such a letter, which must have its body,
 * and removes the letter.  With "again" the event is one that was refused with
 * all of its source.
 */
ngx_int_t ngx_http_ilert_letter_replay(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_t *letter,
    ngx_http_ilert_store_ident_t *source, ngx_http_ilert_store_alert_t *alert,
    ngx_uint_t again);


/* store_control.c: carries out a part of each of the job's orders. */
ngx_int_t ngx_http_ilert_control_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);


/* store_forget.c */

/*
 * Removes dead letters that are too old, or too many: a bounded number, which
 * is added to job->dropped.
 */
ngx_int_t ngx_http_ilert_forget_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/*
 * Forgets alerts that were resolved too long ago, or not heard of for too
 * long; the latter are added to job->silent.  Goes through at most "rows"
 * records, or through twice as many if it forgets none of the first ones, and
 * sets job->more if there may be others.
 */
ngx_int_t ngx_http_ilert_forget_old(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job, ngx_uint_t rows);

/*
 * Goes through some records of what was heard, after those of the last call,
 * and forgets those that are too old.
 */
ngx_int_t ngx_http_ilert_forget_heard(ngx_http_ilert_store_work_t *work);

/*
 * Makes room: removes the oldest alerts that are resolved; if there are none,
 * refused webhooks; if there are none, other alerts for which nothing waits.
 * This is a transaction of its own, so it must not be called within one.  Adds
 * their number to job->forgotten or job->evicted, and returns it, or returns 0
 * after an error.
 */
ngx_uint_t ngx_http_ilert_forget_oldest(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);


/* store_refused.c */

/*
 * Keeps the job's refused webhooks if possible, and counts them in job->kept.
 * It is called with the lock, when the job's own transaction is over.  The
 * store's state stays as it is, even after an error.
 */
void ngx_http_ilert_refused_keep(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job);

/* Removes a bounded number of refused webhooks that are too old. */
ngx_int_t ngx_http_ilert_refused_clean(ngx_http_ilert_store_work_t *work);

/*
 * Removes the oldest refused webhooks: at most "limit", and none with an id
 * after "last".  Their age does not matter.  Sets "n" to their number.
 */
ngx_int_t ngx_http_ilert_refused_remove(ngx_http_ilert_store_work_t *work,
    ngx_uint_t limit, int64_t last, ngx_uint_t *n);


/* store_heard.c */

/*
 * Sets ev->news by what was heard before, and "known" to the record of the id,
 * or to NULL if there is none.
 */
ngx_int_t ngx_http_ilert_heard_event(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t **known);

/*
 * Remembers an event that was accepted, "known" being what heard_event() has
 * set, and sets ev->clash.
 */
ngx_int_t ngx_http_ilert_heard_accepted(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_event_t *ev, ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_alert_t *alert);

/* Remembers the job's notes, as far as they are news. */
ngx_int_t ngx_http_ilert_heard_notes(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/* Finds a record, or sets "known" to NULL and returns NGX_DECLINED. */
ngx_int_t ngx_http_ilert_heard_find(ngx_http_ilert_store_work_t *work,
    ngx_str_t *place, ngx_str_t *id, ngx_http_ilert_store_known_t **known);

/*
 * Lists records as the backend's heard_of() does, after saving all changes:
 * makes an array of pointers to those of the work (store_known_t *).
 * heard_first is the key before all others.
 */
ngx_int_t ngx_http_ilert_heard_list(ngx_http_ilert_store_work_t *work,
    int64_t alert, int64_t topic, u_char *after, ngx_uint_t limit,
    ngx_array_t *list);

extern u_char  ngx_http_ilert_heard_first[NGX_HTTP_ILERT_STORE_HEARD_KEY];

/* Forgets a record, and notes in total.yielded what is lost by that. */
void ngx_http_ilert_heard_remove(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_known_t *known);

/*
 * forget() forgets the records of an alert that is forgotten, and move() makes
 * them those of another alert: both do so with a bounded number of records.
 * Those that are left over have no alert any longer.
 */
ngx_int_t ngx_http_ilert_heard_forget(ngx_http_ilert_store_work_t *work,
    int64_t alert);
ngx_int_t ngx_http_ilert_heard_move(ngx_http_ilert_store_work_t *work,
    int64_t from, int64_t to);


/* store_look.c */

/* Answers the job's looks, which are not answered until look_done(). */
ngx_int_t ngx_http_ilert_look_all(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/*
 * reset() takes the answers back, and done() says that they hold, since the
 * transaction has been committed.
 */
void ngx_http_ilert_look_reset(ngx_http_ilert_store_job_t *job);
void ngx_http_ilert_look_done(ngx_http_ilert_store_job_t *job);

/*
 * Is called when a courier begins: forgets topics of Kapacitors that are not
 * configured any longer.
 */
ngx_int_t ngx_http_ilert_look_begin(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_job_t *job);

/* Loads all topics into the work, which has to be done before the next two. */
ngx_int_t ngx_http_ilert_look_topics(ngx_http_ilert_store_work_t *work);

/* These return a topic, or NULL. */
ngx_http_ilert_store_topic_t *ngx_http_ilert_look_topic(
    ngx_http_ilert_store_work_t *work, ngx_str_t *kapacitor,
    ngx_str_t *name);
ngx_http_ilert_store_topic_t *ngx_http_ilert_look_topic_of_id(
    ngx_http_ilert_store_work_t *work, int64_t id);


/* store_query.c: answers a query when the job's transaction is over. */
void ngx_http_ilert_query_answer(ngx_http_ilert_store_t *store,
    ngx_http_ilert_store_job_t *job, ngx_http_ilert_store_query_t *query);


/*
 * Tells other processes with which event the thread is busy, by its seq, or
 * that it is with none, by 0: if it crashes, they know the cause.
 */

#define ngx_http_ilert_store_at_hand(job, n)                                  \
    if ((job)->at_hand) {                                                     \
        *(job)->at_hand = n;                                                  \
    }


/* bits of "without": what is left out of a transaction for lack of room */

#define NGX_HTTP_ILERT_STORE_NO_ACCEPTS   1
#define NGX_HTTP_ILERT_STORE_NO_DEAD      2


#endif /* _NGX_HTTP_ILERT_STORE_WORK_H_INCLUDED_ */
