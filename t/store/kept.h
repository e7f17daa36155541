
#ifndef _KEPT_H_INCLUDED_
#define _KEPT_H_INCLUDED_


#include "store_test.h"

#include "ngx_http_ilert_store_work.h"


/*
 * What a backend keeps, which is read, and changed, by its own functions: so
 * any backend can be looked into.  Texts are good until the eighth call of
 * these functions from then on.
 */

typedef ngx_http_ilert_store_work_t     work_t;
typedef ngx_http_ilert_store_alert_t    alert_t;
typedef ngx_http_ilert_store_letter_t   letter_t;
typedef ngx_http_ilert_store_waiting_t  waiting_t;


/*
 * Alerts by id: of each one the fields, separated by spaces, and a comma
 * between them.  Only those with that folded key, or, if it ends with "*",
 * those that begin so; NULL: all.
 *
 *     k key             h seq of the first event    s what is shown, of this
 *     a alert key       u urgency                     epoch; else 0
 *     t state           n time of the next try      l level
 *     i source's id     d time of delivery          c time of the change
 *     o time when it    g seq of the last one that
 *       was opened        is gone
 *
 * Times are after NOW, or "-" if there is none.
 */
const char *kept_alerts(test_t *t, const char *key, const char *fields);
ngx_uint_t kept_count(test_t *t, const char *key);
/* those in that state, and those of which nothing waits */
ngx_uint_t kept_in_state(test_t *t, int64_t state);
ngx_uint_t kept_idle(test_t *t);

/*
 * Ids of the events that wait, in order of commit; of a source, or of all if
 * that is NULL.
 */
const char *kept_events(test_t *t, const char *source);

typedef struct {
    int64_t     alert;
    int64_t     source;
    waiting_t   ev;
} kept_event_t;

/* the same as an array, by seq; the caller's to free */
kept_event_t *kept_list(test_t *t, ngx_uint_t *n);

/*
 * Dead letters by seq, as alerts above:
 *
 *     q seq             s name of the source        x status
 *     i id              k alert key                 e error
 *     t type            l level                     b body
 *     n passthrough     r time of arrival           d time of death
 */
const char *kept_letters(test_t *t, const char *fields);
int64_t kept_dead_bytes(test_t *t);

/* slots that count, of a budget */
ngx_uint_t kept_slots(test_t *t, const char *budget);


/* changes that no job makes */

void kept_begin(test_t *t, work_t *work);
/* saves, and commits */
void kept_end(test_t *t, work_t *work);
/* alerts of such a key by id; how many */
ngx_uint_t kept_load(work_t *work, const char *key, alert_t ***alerts);

/*
 * The first event of an alert of the work is held back until a time, as the
 * store does it: by .._HELD, and so on.
 */
void kept_hold_back(work_t *work, alert_t *alert, ngx_uint_t urgency,
    int64_t until);

/* all alerts of such a key, see above, wait until "next" */
void kept_hold(test_t *t, const char *key, int64_t next);
/* as if that were known of what ilert shows of all alerts */
void kept_show(test_t *t, ngx_uint_t shows);
void kept_forget(test_t *t, const char *key);
/* so many letters of a source, from that seq on: of the key "x" */
void kept_bury(test_t *t, const char *source, int64_t seq, ngx_uint_t n,
    size_t size, int64_t died, int64_t step);
/* all letters died then; and they are gone */
void kept_died(test_t *t, int64_t died);
void kept_discard(test_t *t);


/* as check_counts() and check_heads() */
void kept_check_counts(test_t *t);
void kept_check_heads(test_t *t);


#endif /* _KEPT_H_INCLUDED_ */
