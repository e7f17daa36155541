
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_RECONCILE_POLL_H_INCLUDED_
#define _NGX_HTTP_ILERT_RECONCILE_POLL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_call.h"
#include "ngx_http_ilert_conf.h"
#include "ngx_http_ilert_counters.h"
#include "ngx_http_ilert_differ.h"
#include "ngx_http_ilert_repair.h"
#include "ngx_http_ilert_store.h"
#include "ngx_http_ilert_topics.h"


/*
 * What the files reconcile*.c share.  Each of them uses those below it:
 *
 * reconcile.c         begins a poll, and asks for the topics
 * reconcile_topic.c   reads the events of one topic, and compares them
 * reconcile_repair.c  repairs what was lost of that topic
 * reconcile_poll.c    asks Kapacitor and the store, and ends the poll
 */


/* states in one look */

#define NGX_HTTP_ILERT_RECONCILE_STATES    500

/* topics of one Kapacitor, at most */

#define NGX_HTTP_ILERT_RECONCILE_TOPICS    10000

/* repairs that are under way at a time, at most */

#define NGX_HTTP_ILERT_RECONCILE_REPAIRS   16

/* bytes of alerts that may be repaired, at most, in one poll of a topic */

#define NGX_HTTP_ILERT_RECONCILE_KEPT      (16 * 1024 * 1024)

/* bytes of a list of handlers, at most */

#define NGX_HTTP_ILERT_RECONCILE_HANDLERS  (256 * 1024)


/*
 * Polls that read a topic once more although it does not move.  When it was
 * read, webhooks may have been on their way, and it may not move again for
 * long: but what was heard has to be compared, so that it is known which ids
 * belong to the topic, and whether it takes part.
 */

#define NGX_HTTP_ILERT_RECONCILE_AGAIN     2


/* a topic, remembered from poll to poll */

typedef struct {
    ngx_str_node_t               sn;        /* its name */
    ngx_queue_t                  queue;     /* of rc->list */

    uint64_t                     collected; /* by the list of this poll */
    uint64_t                     read;      /* when it was read last */
    int64_t                      asked;     /* when that began, ms; or 0 */
    int64_t                      since;     /* since when it has gone on */
                                            /* without a new beginning, ms */
                                            /* of .._clock_msec() */
    ngx_uint_t                   poll;      /* number of the last one that */
                                            /* has it */
    ngx_uint_t                   again;     /* polls that read it although */
                                            /* it does not move */
    int64_t                      number;    /* the store's; 0: not known */
    ngx_atomic_uint_t            late;      /* late webhooks of it, when it */
                                            /* was read last */
    ngx_uint_t                   compared;  /* alerts */
    ngx_uint_t                   watched;   /* differences that stay */
    ngx_http_ilert_differ_t      differ;
    unsigned                     named:1;   /* the configuration names it */
    unsigned                     learned:1; /* it takes part */
    unsigned                     behind:1;  /* webhooks are on their way */
} ngx_http_ilert_reconcile_topic_t;


typedef struct ngx_http_ilert_reconcile_poll_s
    ngx_http_ilert_reconcile_poll_t;


/* a Kapacitor, in a worker */

typedef struct ngx_http_ilert_reconcile_s  ngx_http_ilert_reconcile_t;

struct ngx_http_ilert_reconcile_s {
    ngx_http_ilert_kapacitor_t  *conf;
    ngx_http_ilert_counters_t   *counters;
    ngx_event_t                  timer;
    ngx_uint_t                   number;    /* of polls */
    ngx_http_ilert_reconcile_poll_t  *poll; /* under way, or NULL */

    ngx_rbtree_t                 topics;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  list;
    ngx_uint_t                   ntopics;
    int64_t                      up;        /* since when polls have been */
                                            /* complete, likewise; 0: the */
                                            /* last one was not */
    uint32_t                     listed;    /* checksum of the topics that */
                                            /* the store knows; 0: none */
    ngx_uint_t                   hunt;      /* number of the last poll that */
                                            /* has to read all topics */
    int64_t                      hunted;    /* when the last one began that */
                                            /* has read them all, ms; or 0 */
    ngx_http_ilert_differ_t      missing;   /* ids that are absent from */
                                            /* their topics */
    ngx_http_ilert_reconcile_t  *other;     /* a ring of those that post */
                                            /* to the same location */
    ngx_http_ilert_counters_poll_t  seen;

    /* mere updates have a tenth of the rate, by tokens of one ms each */

    int64_t                      tokens;
    ngx_msec_t                   filled;
};


/*
 * A poll.  It is destroyed when nothing of it is under way, and either it has
 * ended or it was abandoned.
 */

struct ngx_http_ilert_reconcile_poll_s {
    ngx_http_ilert_reconcile_t  *rc;        /* NULL: it was abandoned */
    ngx_pool_t                  *pool;
    ngx_uint_t                   pending;   /* calls, looks, and repairs */
                                            /* under way */
    ngx_http_ilert_call_t        call;
    ngx_http_ilert_topics_t      reader;
    unsigned                     reading:1; /* the reader has to be closed */
    unsigned                     hunts:1;   /* it reads all topics */
    int64_t                      began;     /* ms */
    ngx_array_t                  listed;    /* ngx_str_t: all topics to be */
                                            /* compared */
    ngx_uint_t                   nlisted;   /* all topics */
    ngx_uint_t                   nanew;     /* that have begun anew */
    ngx_queue_t                 *next;      /* of rc->list: the next topic */
    void                       (*go_on)(ngx_http_ilert_reconcile_poll_t *poll);
                                            /* takes the next topic, or ends */
                                            /* the poll */

    /* of the topic at hand */

    ngx_http_ilert_reconcile_topic_t  *topic;
    ngx_pool_t                  *topic_pool;
    int64_t                      asked;
    ngx_atomic_uint_t            late;      /* when it was asked */
    ngx_queue_t                  looks;     /* store_look_t */
    ngx_array_t                  keys;      /* of all ids in the answer, */
                                            /* .._DIFFER_KEY bytes each */
    size_t                       kept;      /* bytes of elements */
    ngx_http_ilert_differ_facts_t  facts;
    ngx_array_t                  moved;     /* ngx_str_t: ids that are in */
                                            /* another topic now */
    ngx_array_t                  lost;      /* ngx_http_ilert_difference_t * */
    ngx_uint_t                   begun;     /* elements of "lost" */
    ngx_uint_t                   repaired;  /* of these */
    ngx_str_t                    handlers;  /* the answer so far */
};


/* Makes a poll, or returns NULL if there is no memory. */
ngx_http_ilert_reconcile_poll_t *ngx_http_ilert_reconcile_create(
    ngx_http_ilert_reconcile_t *rc);

/* Destroys a poll, of which nothing is under way. */
void ngx_http_ilert_reconcile_destroy(ngx_http_ilert_reconcile_poll_t *poll);

/* Makes a call of the poll; "handler" and "read" are those of the call. */
ngx_int_t ngx_http_ilert_reconcile_call(ngx_http_ilert_reconcile_poll_t *poll,
    const char *path, ngx_str_t *topic, const char *more,
    ngx_int_t (*read)(ngx_http_ilert_call_t *call, u_char *data, size_t len),
    ngx_http_ilert_call_handler_pt handler);

/*
 * One thing of the poll is not under way any more.  Returns the poll, or NULL
 * if it was abandoned; then it may have been destroyed.
 */
ngx_http_ilert_reconcile_poll_t *ngx_http_ilert_reconcile_came(
    ngx_http_ilert_reconcile_poll_t *poll);

/*
 * Ends the poll, which is not complete.  "reason" is one line; if it is empty,
 * the reason is that of the call.
 */
void ngx_http_ilert_reconcile_fail(ngx_http_ilert_reconcile_poll_t *poll,
    const char *reason);

/* The "read" of calls whose answer goes to the reader of the poll. */
ngx_int_t ngx_http_ilert_reconcile_read(ngx_http_ilert_call_t *call,
    u_char *data, size_t len);

/*
 * The answer has come.  If it is complete, closes the reader, and returns
 * NGX_OK; otherwise ends the poll, and returns NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_reconcile_read_end(
    ngx_http_ilert_reconcile_poll_t *poll);

/* Closes the reader, if it is open. */
void ngx_http_ilert_reconcile_read_close(
    ngx_http_ilert_reconcile_poll_t *poll);

/* Copies a text.  Returns NGX_OK, or NGX_ERROR if there is no memory. */
ngx_int_t ngx_http_ilert_reconcile_copy(ngx_pool_t *pool, ngx_str_t *to,
    ngx_str_t *from);

/* Returns a look about the topic at hand, or NULL if there is no memory. */
ngx_http_ilert_store_look_t *ngx_http_ilert_reconcile_look(
    ngx_http_ilert_reconcile_poll_t *poll, ngx_uint_t n,
    void (*handler)(ngx_http_ilert_store_look_t *look));

/* Asks the store.  If that is not possible, ends the poll. */
void ngx_http_ilert_reconcile_ask(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_store_look_t *look);

/* Sets what is known of all topics that take part, as after a whole poll. */
void ngx_http_ilert_reconcile_sum(ngx_http_ilert_reconcile_t *rc,
    ngx_http_ilert_counters_poll_t *seen);

/*
 * Ends the poll: publishes what is known, logs a change of state, and sets the
 * timer.  The poll must not be used after that.
 */
void ngx_http_ilert_reconcile_end_poll(ngx_http_ilert_reconcile_poll_t *poll,
    ngx_http_ilert_counters_poll_t *seen);


#endif /* _NGX_HTTP_ILERT_RECONCILE_POLL_H_INCLUDED_ */
