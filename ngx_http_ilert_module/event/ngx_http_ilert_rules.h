
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RULES_H_INCLUDED_
#define _NGX_HTTP_ILERT_RULES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * What goes first, and what need not go at all: docs/design.md, "Urgency" and
 * "Coalescing".  Pure functions of what ilert shows, of events, and of the
 * time, which is wall clock in milliseconds.  What Kapacitor believes to have
 * been the level before ("previousLevel") is of no interest here.
 */


/* what ilert shows of an alert, as far as one knows */

#define NGX_HTTP_ILERT_SHOWS_UNKNOWN   0    /* it may have taken an event */
#define NGX_HTTP_ILERT_SHOWS_OPEN      1
#define NGX_HTTP_ILERT_SHOWS_RESOLVED  2
#define NGX_HTTP_ILERT_SHOWS_ANYTHING  3    /* others may have been sent */

typedef struct {
    ngx_uint_t                  shows;
    ngx_uint_t                  level;      /* that it was told last, by an */
    ngx_uint_t                  priority;   /* ALERT or a RESOLVE */
    ngx_uint_t                  severity;   /* likewise, as in said_t */
    int64_t                     told;       /* and when; 0: it was told */
                                            /* nothing, "shows" is known */
    int64_t                     message;    /* of that ALERT, as in said_t */
    unsigned                    lowered:1;  /* it was opened with priority */
                                            /* LOW, by its event or since a */
                                            /* digest lists it: so it pages */
                                            /* nobody, whatever it was told */
                                            /* later */
} ngx_http_ilert_shown_t;


/* who has made an event, if it is not that of a webhook */

typedef enum {
    NGX_HTTP_ILERT_OWN_NONE = 0,
    NGX_HTTP_ILERT_OWN_SILENT,  /* a RESOLVE, since nothing was heard */
    NGX_HTTP_ILERT_OWN_ORDER,   /* a RESOLVE, by an operator: always sent */
    NGX_HTTP_ILERT_OWN_REOPEN,  /* a RESOLVE before an ALERT that pages, */
                                /* see "raise"; it is never kept */
    NGX_HTTP_ILERT_OWN_DIGEST   /* an ALERT or a RESOLVE of a digest */
} ngx_http_ilert_own_e;


typedef struct {
    ngx_uint_t                  type;       /* ngx_http_ilert_type_e */
    ngx_uint_t                  level;      /* ngx_http_ilert_level_e */
    ngx_uint_t                  priority;   /* ngx_http_ilert_priority_e */
    ngx_uint_t                  severity;   /* 1 to 5, if the sender of the */
                                            /* event has set it, else 0 */
    int64_t                     received;
    int64_t                     since;      /* for judge(): when it came, or */
                                            /* the first that it stands for */
    ngx_uint_t                  own;        /* ngx_http_ilert_own_e */
    int64_t                     message;    /* of an ALERT that nothing will */
                                            /* resolve: digest of its */
                                            /* message, not 0; else 0 */
    unsigned                    repeat:1;   /* it was found to be one */
    unsigned                    freed:1;    /* of a RESOLVE: it is not held */
                                            /* by "resolve_delay"; of an */
                                            /* ALERT: it goes, whatever a */
                                            /* digest lists */
} ngx_http_ilert_said_t;


typedef enum {
    NGX_HTTP_ILERT_COALESCE_OFF = 0,
    NGX_HTTP_ILERT_COALESCE_REPEATS,
    NGX_HTTP_ILERT_COALESCE_LATEST
} ngx_http_ilert_coalesce_e;

/* "raise": what goes before an ALERT that is to page, but only updates */

typedef enum {
    NGX_HTTP_ILERT_RAISE_REOPEN = 0,    /* a RESOLVE of ours */
    NGX_HTTP_ILERT_RAISE_UPDATE         /* nothing */
} ngx_http_ilert_raise_e;


/* "members=" of "digest": what becomes of the alerts that a digest lists */

typedef enum {
    NGX_HTTP_ILERT_MEMBERS_LOW = 0,     /* they are sent with priority LOW */
    NGX_HTTP_ILERT_MEMBERS_LATER,       /* they are sent as they are */
    NGX_HTTP_ILERT_MEMBERS_NONE         /* they are not sent while it lasts */
} ngx_http_ilert_members_e;

#define NGX_HTTP_ILERT_DIGEST_MAX      50   /* of "n" below */

typedef struct {
    ngx_uint_t                  n;          /* alerts that may open by */
                                            /* themselves in a minute; 0: */
                                            /* there is no digest */
    int64_t                     interval;   /* ms from a change to its event */
    ngx_uint_t                  members;    /* ngx_http_ilert_members_e */
    size_t                      max_size;   /* of an event's body, bytes */
} ngx_http_ilert_digest_policy_t;


/*
 * What a source wants, by the directives of these names: set in place when the
 * configuration is read, and handed on as a whole.  "retry" has two values.
 */

typedef struct {
    ngx_uint_t                  coalesce;   /* ngx_http_ilert_coalesce_e */
    int64_t                     repeat;         /* ms */
    int64_t                     resolve_after;  /* ms; 0: off */
    int64_t                     resolve_delay;  /* ms; 0: none */
    ngx_uint_t                  raise;      /* ngx_http_ilert_raise_e */
    ngx_http_ilert_digest_policy_t  digest;
    int64_t                     max_age;        /* ms; 0: any */
    ngx_uint_t                  stale;          /* 1: "stale drop" */
    ngx_uint_t                  concurrency;    /* requests at a time */
    ngx_msec_t                  retry_first;
    ngx_msec_t                  retry_longest;
} ngx_http_ilert_policy_t;


/*
 * Lower ones go first; that of an alert is the lowest of what waits.  A repeat
 * is an update that says what ilert shows.
 */

#define NGX_HTTP_ILERT_CRITICAL_FIRST  0    /* opens, or raises, what is */
                                            /* CRITICAL or of priority HIGH */
#define NGX_HTTP_ILERT_RESOLVES        1
#define NGX_HTTP_ILERT_OPENS           2
#define NGX_HTTP_ILERT_UPDATES         3
#define NGX_HTTP_ILERT_REPEATS         4

/*
 * These do not go, and do not count as pending.  An alert has one of them only
 * while its state is WAITING; before it goes, its urgency is found anew.
 */

#define NGX_HTTP_ILERT_HELD            5    /* by "resolve_delay" */
#define NGX_HTTP_ILERT_SILENCED        6    /* by a silence */
#define NGX_HTTP_ILERT_LISTED          7    /* a digest lists it instead */

#define NGX_HTTP_ILERT_URGENCIES       8

/* The index is one of these. */

extern ngx_str_t  ngx_http_ilert_urgency_names[];


/*
 * The order in which what waits takes its turn: lower ones go first, and of
 * the same number what has waited longest.
 */

#define NGX_HTTP_ILERT_TURN_DIGEST     0    /* an event of a digest */
#define NGX_HTTP_ILERT_TURN_CRITICAL   1    /* .._CRITICAL_FIRST */
#define NGX_HTTP_ILERT_TURN_AGED       2    /* it has waited for too long */
#define NGX_HTTP_ILERT_TURN_LESSER     3    /* all else: plus its urgency */


/* what an event may spend of a budget */

typedef enum {
    NGX_HTTP_ILERT_SPENDS_ALL = 0,      /* it is urgent, or of a digest */
    NGX_HTTP_ILERT_SPENDS_MEMBER,       /* a digest lists it already */
    NGX_HTTP_ILERT_SPENDS_LESSER,       /* it is not urgent */
    NGX_HTTP_ILERT_SPENDS_REPEAT
} ngx_http_ilert_spends_e;


typedef enum {
    NGX_HTTP_ILERT_GO = 0,
    NGX_HTTP_ILERT_HOLD,        /* it is a repeat: not before "until" */
    NGX_HTTP_ILERT_DELAY,       /* it is a RESOLVE: not before "until", see */
                                /* "resolve_delay" */
    NGX_HTTP_ILERT_DROP,        /* it need not go */
    NGX_HTTP_ILERT_EXPIRE       /* it is too old to go */
} ngx_http_ilert_rule_e;


/*
 * What ilert has refused of a source, with an error of its own, since it has
 * taken an event of the source last: of which alerts, by their ids.  Of so
 * many alerts it is no longer the fault of the events.
 */

#define NGX_HTTP_ILERT_REFUSALS        5

typedef struct {
    ngx_uint_t                  n;
    int64_t                     alerts[NGX_HTTP_ILERT_REFUSALS];
} ngx_http_ilert_refusals_t;


/* of an ALERT or a RESOLVE: others change nothing of what ilert shows */
ngx_uint_t ngx_http_ilert_rules_is_state(ngx_uint_t type);

/* the urgency of an event that goes when ilert shows that */
ngx_uint_t ngx_http_ilert_rules_urgency(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said);

/* what ilert shows when it has taken the event */
void ngx_http_ilert_rules_told(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said, int64_t now);

/* whether a new event takes the place of one that waits, just before it */
ngx_uint_t ngx_http_ilert_rules_replaces(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_said_t *waits, ngx_http_ilert_said_t *said);

/*
 * What is to become of the first of an alert's waiting events, none of which
 * is under way; "next" is the type of the one after it, or 0.  Sets
 * said->repeat of one that says what ilert shows.
 */
ngx_http_ilert_rule_e ngx_http_ilert_rules_judge(
    ngx_http_ilert_policy_t *policy, ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said, ngx_uint_t next, int64_t now,
    int64_t *until);

/*
 * Whether it is known that ilert was told nothing of an alert without
 * a record, which has begun at that time, or 0: that is not known.  Only then
 * ilert need not be told that it is over.  "doubted" is the last time up to
 * which such an alert may have been told, or 0: at any time.
 */
ngx_uint_t ngx_http_ilert_rules_untold(int64_t doubted, int64_t began,
    int64_t now);

/*
 * Whether an event that goes is an ALERT that ilert would only take for an
 * update of an alert that pages nobody, although it is to page.
 */
ngx_uint_t ngx_http_ilert_rules_raises(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said);

/*
 * Whether an event that goes is an ALERT of an alert that ilert may show with
 * priority LOW, since a digest has listed it, and says nothing worse than it
 * was told: it goes with priority LOW, too.
 */
ngx_uint_t ngx_http_ilert_rules_stays_low(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said);

/*
 * Whether an event that goes is an ALERT that opens an alert, or raises one:
 * one of those that a digest counts.
 */
ngx_uint_t ngx_http_ilert_rules_opens(ngx_http_ilert_shown_t *shown,
    ngx_http_ilert_said_t *said);

/*
 * Whether an event that waits is one of those that are held back, by its
 * urgency: it does not count as pending.
 */
ngx_uint_t ngx_http_ilert_rules_held(ngx_uint_t urgency);

/*
 * Whether an event is older than the policy's "max_age".  A RESOLVE goes
 * however old it is, unless ilert has been told another one, and so does an
 * event of a digest.
 */
ngx_uint_t ngx_http_ilert_rules_expired(ngx_http_ilert_policy_t *policy,
    ngx_http_ilert_shown_t *shown, ngx_http_ilert_said_t *said, int64_t now);

/*
 * Returns the turn, .._TURN_.., of what waits since then with that urgency;
 * "digest" is 1 for an event of a digest.  No news starves: after five windows
 * it goes before all that is not urgent, but after what was in that place
 * before, so "since" is set to when its place began.  A repeat, which is no
 * news, goes with the updates.
 */
ngx_uint_t ngx_http_ilert_rules_turn(ngx_uint_t urgency, ngx_uint_t digest,
    int64_t *since, int64_t window, int64_t now);

/*
 * Returns how many requests of a budget of "rate", which is not 0, an event
 * leaves free.  Of these "reserve" are for what is urgent, and "kept" for
 * a digest and for alerts that are new to it.  Repeats have one half, and
 * nothing while a digest is open, when "kept" is not 0.
 */
ngx_uint_t ngx_http_ilert_rules_leaves(ngx_http_ilert_spends_e spends,
    ngx_uint_t rate, ngx_uint_t reserve, ngx_uint_t kept);

/*
 * Returns the time from which on a request for what is not urgent may be made,
 * which is not later than "next"; 0 is any time.  Beyond half of the rate such
 * requests are spread over the time until "next", when there will be one more
 * than the "left" ones, of which they leave "leaves" free.  The last such
 * request was made at "last".
 */
int64_t ngx_http_ilert_rules_spread(ngx_uint_t left, ngx_uint_t leaves,
    ngx_uint_t rate, int64_t window, int64_t next, int64_t last);

/*
 * Whether everything of the source is refused, which is the configuration's
 * fault.  Then no event becomes a dead letter.
 */
ngx_uint_t ngx_http_ilert_rules_refuses_all(
    ngx_http_ilert_refusals_t *refusals);

/*
 * Ilert has refused an event of the alert: notes it, and returns whether the
 * event is to be a dead letter.  If not, it waits.  "again": it had waited for
 * that reason before, and ilert has taken another event since, so this one is
 * at fault, and says nothing about the source.
 */
ngx_uint_t ngx_http_ilert_rules_refused(ngx_http_ilert_refusals_t *refusals,
    int64_t alert, ngx_uint_t again);

/* ilert has taken an event of the source: whether that changes anything */
ngx_uint_t ngx_http_ilert_rules_taken(ngx_http_ilert_refusals_t *refusals);

/*
 * How many ms to wait after the n-th answer of 429 in a row (from 0) that
 * says nothing of it: "window" is that of the rate.
 */
int64_t ngx_http_ilert_rules_limited(ngx_uint_t n, int64_t window);


/*
 * Webhooks that were refused are kept, so many of them, for so many ms, and of
 * the body of each so many bytes.
 */

#define NGX_HTTP_ILERT_REFUSED_NUMBER  1000
#define NGX_HTTP_ILERT_REFUSED_TIME    ((int64_t) 30 * 24 * 60 * 60 * 1000)
#define NGX_HTTP_ILERT_REFUSED_BODY    65536

/*
 * Whether the oldest one of "n" that are kept, which take so many bytes, is to
 * go: it was refused at "time".  They have a tenth of "max_size", or as many
 * bytes as they like if that is 0.
 */
ngx_uint_t ngx_http_ilert_rules_refused_goes(int64_t n, int64_t bytes,
    int64_t max_size, int64_t time, int64_t now);


#endif /* _NGX_HTTP_ILERT_RULES_H_INCLUDED_ */
