
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DIFFER_H_INCLUDED_
#define _NGX_HTTP_ILERT_DIFFER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_topics.h"


/*
 * Differences between what Kapacitor knows of its alerts and what was heard of
 * them, and which of these are due to a webhook that was lost.  A webhook may
 * still be on its way: so a difference is remembered from one poll to the
 * next, with what has happened meanwhile.  This is in the memory of one
 * worker; when another one becomes the courier it begins anew.
 */


/* differences that are remembered of a topic, at most */

#define NGX_HTTP_ILERT_DIFFER_MAX    50000

/* of an alert that a topic does not have any more: polls, and ms of uptime */

#define NGX_HTTP_ILERT_DIFFER_ABSENT_POLLS  3
#define NGX_HTTP_ILERT_DIFFER_ABSENT_TIME   60000


#define NGX_HTTP_ILERT_DIFFER_KEY    16     /* bytes: MD5 of Kapacitor's id */


/* a difference of one alert in one topic */

typedef struct {
    ngx_rbtree_node_t           node;
    ngx_queue_t                 queue;      /* of differ->list */
    u_char                      key[NGX_HTTP_ILERT_DIFFER_KEY];

    int64_t                     time;       /* what Kapacitor has; of one */
    ngx_uint_t                  level;      /* that is absent: time as heard */
    int64_t                     was_time;   /* what was heard */
    ngx_uint_t                  was_level;
    unsigned                    heard:1;    /* something was */
    unsigned                    absent:1;   /* the topic does not have it */
    unsigned                    later:1;    /* since the first poll, one of */
                                            /* the topic's webhooks with a */
                                            /* later time has come */
    unsigned                    elsewhere:1; /* of rc->missing: another */
                                            /* topic has it */
    int64_t                     since;      /* of rc->missing: when the */
                                            /* first of the polls asked, ms */
    ngx_uint_t                  polls;      /* in a row that have seen it */
    ngx_uint_t                  poll;       /* number of the last of these */

    /* what a repair needs; valid only if "kept" is the number of the poll */

    ngx_uint_t                  kept;
    ngx_http_ilert_topics_element_t  *element;  /* or NULL */
    ngx_str_t                   source;
    ngx_str_t                   alert_key;
} ngx_http_ilert_difference_t;


/* those of one topic */

typedef struct {
    ngx_rbtree_t                tree;
    ngx_rbtree_node_t           sentinel;
    ngx_queue_t                 list;
    ngx_uint_t                  n;
} ngx_http_ilert_differ_t;


void ngx_http_ilert_differ_init(ngx_http_ilert_differ_t *differ);

/* Sets the key of an id. */
void ngx_http_ilert_differ_key(ngx_str_t *id, u_char *key);

/* Returns the difference with that key, or NULL. */
ngx_http_ilert_difference_t *ngx_http_ilert_differ_find(
    ngx_http_ilert_differ_t *differ, u_char *key);

/*
 * Notes that a poll has seen a difference.  If it is not the same as in the
 * poll before, it begins anew.  Returns it, or NULL if there is no memory, or
 * if there are too many.
 */
ngx_http_ilert_difference_t *ngx_http_ilert_differ_note(
    ngx_http_ilert_differ_t *differ, u_char *key, ngx_uint_t poll,
    ngx_http_ilert_store_state_t *state, ngx_uint_t absent);

void ngx_http_ilert_differ_remove(ngx_http_ilert_differ_t *differ,
    ngx_http_ilert_difference_t *d);

/* Removes those that the poll has not seen; 0: all. */
void ngx_http_ilert_differ_clean(ngx_http_ilert_differ_t *differ,
    ngx_uint_t poll);


/* what has happened in a topic since the poll before */

typedef struct {
    int64_t                     latest;     /* the latest time of a webhook */
                                            /* that was taken, ns; or */
                                            /* INT64_MIN: none was */
    unsigned                    taken:1;    /* one was taken */
    unsigned                    moved:1;    /* "collected" has moved */
    int64_t                     up;         /* ms since Kapacitor, or the */
                                            /* topic, was seen to begin */
} ngx_http_ilert_differ_facts_t;

/*
 * Returns 1 if the webhook is lost: of two polls or more have seen the
 * difference, and it cannot be on its way, as Kapacitor posts the webhooks of
 * a topic one after the other.
 */
ngx_uint_t ngx_http_ilert_differ_is_lost(ngx_http_ilert_difference_t *d,
    ngx_http_ilert_differ_facts_t *facts);

/*
 * Returns 1 if a state of another topic, which is not OK, is the alert that is
 * absent: it agrees with what was heard, or that topic takes part and has it
 * later.
 */
ngx_uint_t ngx_http_ilert_differ_is_there(ngx_http_ilert_difference_t *d,
    ngx_http_ilert_store_state_t *state, ngx_uint_t learned);

/* Returns 1 if it is no news but in its time or its texts. */
ngx_uint_t ngx_http_ilert_differ_is_update(ngx_http_ilert_difference_t *d);

/* Returns 1 if a text is that of the pattern, see "topics=". */
ngx_uint_t ngx_http_ilert_differ_matches(ngx_str_t *pattern, ngx_str_t *text);


#endif /* _NGX_HTTP_ILERT_DIFFER_H_INCLUDED_ */
