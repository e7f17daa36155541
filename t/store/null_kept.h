
#ifndef _NULL_KEPT_H_INCLUDED_
#define _NULL_KEPT_H_INCLUDED_


#include "null.h"

#include "ngx_http_ilert_store_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/*
 * What the backend in memory keeps, and what its files share; for nobody else.
 *
 * Records are in queues, and in hash tables by what they are looked up by; who
 * selects goes through all of them.  A transaction works on what is kept, and
 * keeps a journal: before anything in memory is changed, its old bytes are
 * noted down by null_note().  A rollback puts them back, last ones first, and
 * frees what was allocated meanwhile; what is given up is freed by the commit.
 */


#define NULL_BUCKETS  4096


/* memory of the journal: a note of old bytes, or a piece of memory */

typedef struct null_note_s  null_note_t;

struct null_note_s {
    null_note_t        *next;
    void               *address;
    size_t              size;
    u_char              bytes[];
};

typedef struct null_piece_s  null_piece_t;

struct null_piece_s {
    null_piece_t       *next;
    void               *data;
};


typedef struct {
    ngx_queue_t         queue;              /* by name */

    ngx_http_ilert_store_counted_t  counted;
    int64_t             owner;
    ngx_http_ilert_refusals_t  refusals;
} null_source_t;

typedef struct {
    ngx_queue_t         queue;

    int64_t             id;
    ngx_str_t           name;
    int64_t             paused;
    int64_t             pause;

    ngx_uint_t          underway;           /* slots; and the others, */
    int64_t            *at;                 /* in ascending order */
    ngx_uint_t          nat;
    ngx_uint_t          size;               /* there is room for so many */
} null_budget_t;

typedef struct null_alert_s  null_alert_t;

struct null_alert_s {
    ngx_queue_t         queue;              /* of all, by id */
    ngx_queue_t         busy;               /* of those that are not idle */
    null_alert_t       *next_by_id;
    null_alert_t       *next_by_key;

    int64_t             id;
    ngx_str_t           key;
    ngx_str_t           alert_key;
    ngx_str_t           summary;
    ngx_http_ilert_store_row_t  row;

    ngx_queue_t         events;             /* by seq */
    ngx_uint_t          nevents;
    unsigned            listed:1;           /* "busy" is in the queue */
};

typedef struct {
    ngx_queue_t         queue;              /* of its alert */

    /* without queues, "ev", and what is to be saved */
    ngx_http_ilert_store_waiting_t  kept;
} null_event_t;

typedef struct null_letter_s  null_letter_t;

struct null_letter_s {
    ngx_queue_t         queue;              /* by died and seq */
    null_letter_t      *next_by_seq;

    ngx_http_ilert_store_letter_t  kept;    /* without the source's name */
};

typedef struct {
    ngx_queue_t         queue;              /* by id */

    ngx_http_ilert_store_refused_t  kept;
} null_refused_t;

typedef struct null_known_s  null_known_t;

struct null_known_s {
    ngx_queue_t         queue;              /* of all */
    null_known_t       *next_by_key;

    ngx_http_ilert_store_known_t  kept;
};

typedef struct {
    ngx_queue_t         queue;              /* by id */

    ngx_http_ilert_store_topic_t  kept;
} null_topic_t;

typedef struct {
    ngx_queue_t         queue;              /* by id */

    ngx_http_ilert_store_silence_t  kept;
} null_silence_t;

typedef struct {
    ngx_queue_t         queue;

    ngx_http_ilert_store_digest_t  kept;    /* without the source's name */
} null_digest_t;

typedef struct null_session_s  null_session_t;

struct null_session_s {
    null_session_t     *next;
    int64_t             id;
};


typedef ngx_http_ilert_backend_data_t  null_t;

struct ngx_http_ilert_backend_data_s {
    null_t             *next;
    ngx_str_t           path;

    ngx_http_ilert_store_total_t  total;
    null_session_t     *sessions;

    int64_t             next_seq;
    int64_t             next_alert;
    int64_t             next_source;
    int64_t             next_budget;
    int64_t             next_refused;
    int64_t             next_topic;
    int64_t             next_silence;

    int64_t             bytes;

    ngx_queue_t         sources;
    ngx_queue_t         budgets;
    ngx_queue_t         alerts;
    ngx_queue_t         busy;
    ngx_queue_t         letters;
    ngx_queue_t         refused;
    ngx_queue_t         heard;
    ngx_queue_t         topics;
    ngx_queue_t         silences;
    ngx_queue_t         digests;

    null_alert_t       *by_id[NULL_BUCKETS];
    null_alert_t       *by_key[NULL_BUCKETS];
    null_letter_t      *by_seq[NULL_BUCKETS];
    null_known_t       *heard_by_key[NULL_BUCKETS];

    /* the journal */

    unsigned            begun:1;
    null_note_t        *notes;
    null_piece_t       *added;
    null_piece_t       *removed;
};


#define null_of(work)   ((work)->store->private)

#define null_each(q, list)                                                    \
    for (q = ngx_queue_head(list);                                            \
         q != ngx_queue_sentinel(list);                                       \
         q = ngx_queue_next(q))

/* a member of what is kept gets a value */

#define null_set(n, member, value)                                            \
    (null_note(n, &(member), sizeof(member)), (member) = (value))


/* null.c: the journal, by which a rollback undoes what was changed */

void null_note(null_t *n, void *address, size_t size);
void *null_new(null_t *n, size_t size);
void null_free(null_t *n, void *data);
void null_add(null_t *n, int64_t bytes);
void null_insert_after(null_t *n, ngx_queue_t *at, ngx_queue_t *q);
void null_remove(null_t *n, ngx_queue_t *q);
void null_copy(null_t *n, ngx_str_t *to, ngx_str_t *from);
ngx_int_t null_give(ngx_http_ilert_store_work_t *work, ngx_str_t *to,
    ngx_str_t *from);
ngx_uint_t null_same(ngx_str_t *one, ngx_str_t *two);
int null_compare(ngx_str_t *one, ngx_str_t *two);
ngx_uint_t null_hash(ngx_str_t *key);
int64_t null_used(null_t *n);
int64_t null_limit(ngx_http_ilert_store_t *store);
ngx_uint_t null_fails(ngx_http_ilert_store_work_t *work);

/* null_load.c: records by their names */

null_source_t *null_source_of_id(null_t *n, int64_t id);
null_budget_t *null_budget_of_id(null_t *n, int64_t id);
null_alert_t *null_alert_of_id(null_t *n, int64_t id);
null_alert_t *null_alert_of_key(null_t *n, int64_t owner, int64_t source,
    ngx_str_t *key);
null_letter_t *null_letter_of_seq(null_t *n, int64_t seq);
null_event_t *null_event_of_seq(null_alert_t *alert, int64_t seq);
ngx_uint_t null_is_idle(null_alert_t *alert);
int64_t null_source_of(null_alert_t *alert, null_event_t *ev);
void null_read_event(null_event_t *kept, ngx_http_ilert_store_waiting_t *ev);
ngx_int_t null_load(ngx_http_ilert_store_work_t *work, null_alert_t *kept,
    ngx_http_ilert_store_alert_t **alertp);
ngx_int_t null_source(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_ident_t *ident);
ngx_int_t null_fund(ngx_http_ilert_store_work_t *work, ngx_str_t *name,
    ngx_http_ilert_store_fund_t *fund);
ngx_int_t null_slots(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_fund_t *fund);
ngx_int_t null_alert(ngx_http_ilert_store_work_t *work, int64_t owner,
    int64_t source, ngx_str_t *key, ngx_http_ilert_store_alert_t **alert);
ngx_int_t null_get_alert(ngx_http_ilert_store_work_t *work, int64_t id,
    ngx_http_ilert_store_alert_t **alert);
ngx_int_t null_edges(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, ngx_http_ilert_store_edges_e which,
    ngx_uint_t body);

/* null_save.c */

void null_insert_event(null_t *n, null_alert_t *alert, null_event_t *ev);
void null_take_event(null_t *n, null_alert_t *alert, null_event_t *ev);
void null_expire_slots(null_t *n, null_budget_t *budget, ngx_uint_t number);
ngx_uint_t null_is_later(null_letter_t *letter, int64_t died, int64_t seq);
ngx_int_t null_save(ngx_http_ilert_store_work_t *work);

/* null_select.c */

ngx_int_t null_alerts(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_filter_t *filter, ngx_array_t *alerts);
ngx_int_t null_events(ngx_http_ilert_store_work_t *work, int64_t alert,
    int64_t seq, ngx_uint_t limit, ngx_array_t *events);
ngx_int_t null_count(ngx_http_ilert_store_work_t *work, int64_t alert,
    ngx_uint_t limit, int64_t *number, int64_t *received);
ngx_int_t null_next_waiting(ngx_http_ilert_store_work_t *work, int64_t *alert,
    int64_t *seq);
ngx_int_t null_alert_of_head(ngx_http_ilert_store_work_t *work, int64_t seq,
    int64_t *alert, ngx_http_ilert_store_ident_t *ident);
ngx_int_t null_move(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *from, ngx_http_ilert_store_alert_t *to,
    int64_t source);
ngx_int_t null_others(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_alert_t *alert, int64_t source, int64_t *other,
    ngx_uint_t *own);
ngx_int_t null_letters(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_letter_filter_t *filter, ngx_array_t *letters);
ngx_int_t null_refused(ngx_http_ilert_store_work_t *work,
    ngx_http_ilert_store_refused_filter_t *filter, ngx_array_t *refused);
ngx_int_t null_sources(ngx_http_ilert_store_work_t *work,
    ngx_array_t *sources);
ngx_int_t null_oldest(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t urgency, int64_t *since);
ngx_int_t null_due(ngx_http_ilert_store_work_t *work, int64_t *due);
ngx_int_t null_retries(ngx_http_ilert_store_work_t *work, int64_t source,
    ngx_uint_t *retries);
ngx_int_t null_tidy(ngx_http_ilert_store_work_t *work);

/* null_heard.c */

void null_save_heard(ngx_http_ilert_store_work_t *work, null_t *n);
void null_save_topics(ngx_http_ilert_store_work_t *work, null_t *n);
void null_unhear(null_t *n, int64_t alert);
void null_free_heard(null_t *n);
ngx_int_t null_heard(ngx_http_ilert_store_work_t *work, u_char *key,
    ngx_http_ilert_store_known_t **heard);
ngx_int_t null_heard_of(ngx_http_ilert_store_work_t *work, int64_t alert,
    int64_t topic, u_char *after, ngx_uint_t limit, ngx_array_t *heard);
ngx_int_t null_topics(ngx_http_ilert_store_work_t *work, ngx_array_t *topics);

/* null_digest.c */

void null_save_silences(ngx_http_ilert_store_work_t *work, null_t *n);
void null_save_digests(ngx_http_ilert_store_work_t *work, null_t *n);
void null_free_digests(null_t *n);
ngx_int_t null_silences(ngx_http_ilert_store_work_t *work,
    ngx_array_t *silences);
ngx_int_t null_digests(ngx_http_ilert_store_work_t *work,
    ngx_array_t *digests);
ngx_int_t null_bad(ngx_http_ilert_store_work_t *work, int64_t source,
    int64_t *counts);


#endif /* _NULL_KEPT_H_INCLUDED_ */
