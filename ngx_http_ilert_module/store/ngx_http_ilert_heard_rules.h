
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_HEARD_RULES_H_INCLUDED_
#define _NGX_HTTP_ILERT_HEARD_RULES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_backend.h"


/*
 * What webhooks, and the states that Kapacitor's API has, mean after what was
 * heard before: docs/design.md, "What was heard".  Pure functions of records;
 * take() and note() change the record that they are given, and nothing else.
 * "known" is the record of the id, or NULL if there is none.
 */


/*
 * What a webhook is.  "stale": its source wants none that is older than the
 * last one.
 */
ngx_http_ilert_store_news_e ngx_http_ilert_heard_news(
    ngx_http_ilert_store_known_t *known, ngx_http_ilert_store_heard_t *heard,
    ngx_uint_t stale);

/*
 * Returns 1 if a webhook, which is to be taken, is not newer than the last one
 * by its time: what it says need not be what Kapacitor knows.
 */
ngx_uint_t ngx_http_ilert_heard_is_late(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard);

/* Remembers a webhook that was accepted as an event of that alert. */
void ngx_http_ilert_heard_take(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t alert, int64_t now);

/*
 * Returns 1 if a webhook that the mapping has ignored is to be remembered, and
 * note() remembers it.  Notes may be late: an older one is not remembered.
 */
ngx_uint_t ngx_http_ilert_heard_is_noted(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard);
void ngx_http_ilert_heard_note(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_heard_t *heard, int64_t now);

/* Returns 1 if these are two tasks; an empty name is no task. */
ngx_uint_t ngx_http_ilert_heard_clashes(ngx_str_t *one, ngx_str_t *two);


/*
 * Returns 1 if it is clear by this state that webhooks of its topic are posted
 * to the place: it is what was heard last.  "foreign": the id is known to be
 * another topic's.
 */
ngx_uint_t ngx_http_ilert_heard_learns(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_state_t *state, ngx_str_t *topic, ngx_uint_t foreign);

/* by what, beside the record, a state is compared */

typedef struct {
    unsigned                    learned:1;  /* its topic takes part */
    unsigned                    foreign:1;  /* as above */
    int64_t                     made;       /* see store_total_t */
    int64_t                     yielded;
    int64_t                     now;
    unsigned                    resolved:1; /* of a record that says OK: it */
                                            /* is known that ilert shows its */
                                            /* alert as resolved */
} ngx_http_ilert_heard_at_t;

ngx_http_ilert_store_look_e ngx_http_ilert_heard_look(
    ngx_http_ilert_store_known_t *known, ngx_http_ilert_store_state_t *state,
    ngx_http_ilert_heard_at_t *at);

/* Returns 1 if an id that Kapacitor does not have is not over yet here. */
ngx_uint_t ngx_http_ilert_heard_is_open(ngx_http_ilert_store_known_t *known);


/*
 * Returns 1 if an alert must not be ended for its silence, since Kapacitor has
 * it open, or cannot be asked.  "topic" is the record's, or NULL.
 */
ngx_uint_t ngx_http_ilert_heard_holds(ngx_http_ilert_store_known_t *known,
    ngx_http_ilert_store_topic_t *topic,
    ngx_http_ilert_store_kapacitor_t *kapacitors, ngx_uint_t n);

/*
 * Returns 1 if an alert of which there is no record may be open at Kapacitor:
 * it was opened, at that time in ms, when an earlier release had the database,
 * which has remembered nothing.  "made" and "yielded" are those of the total.
 */
ngx_uint_t ngx_http_ilert_heard_is_earlier(int64_t opened, int64_t made,
    int64_t yielded);

/*
 * Returns 1 if a record is to be forgotten for its age: as alerts, those that
 * are over after "over" ms, others after "open" ms.
 */
ngx_uint_t ngx_http_ilert_heard_goes(ngx_http_ilert_store_known_t *known,
    int64_t over, int64_t open, int64_t now);


#endif /* _NGX_HTTP_ILERT_HEARD_RULES_H_INCLUDED_ */
