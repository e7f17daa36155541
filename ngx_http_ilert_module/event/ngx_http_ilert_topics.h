
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_TOPICS_H_INCLUDED_
#define _NGX_HTTP_ILERT_TOPICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"


/*
 * Reads two answers of Kapacitor's API as they arrive, in pieces of any size,
 * and hands on what is in them, one element after the other:
 *
 *     GET /kapacitor/v1/alerts/topics             {"topics":[{"id":…,
 *                                                 "collected":7,…},…]}
 *     GET /kapacitor/v1/alerts/topics/T/events    {"topic":"T","events":[
 *                                                 {"id":…,"state":{…}},…]}
 *
 * Memory is bounded: an element is kept until it is complete, and may have
 * NGX_HTTP_ILERT_TOPICS_ELEMENT bytes at most.  An answer of another form is
 * an error.  Elements before the error have been handed on by then, so nothing
 * can be said about what is missing until ngx_http_ilert_topics_end() has
 * returned NGX_OK.
 */


#define NGX_HTTP_ILERT_TOPICS_ELEMENT  (1024 * 1024)


/*
 * An element: a topic, which has an id and "collected", or an alert, which has
 * all others.  The strings are decoded, and valid only during the call of the
 * handler.  The id of an alert is empty if Kapacitor was told to make it so;
 * then it says nothing about which alert of the topic this is.
 */

typedef struct {
    ngx_str_t                   id;
    uint64_t                    collected;

    ngx_str_t                   message;
    ngx_str_t                   details;
    ngx_str_t                   time;       /* RFC 3339, as Kapacitor has it */
    ngx_str_t                   duration;   /* such as "1m3s" */
    int64_t                     ns;         /* the time, ns since 1970; */
                                            /* INT64_MIN: beyond 64 bits */
    ngx_http_ilert_level_e      level;
} ngx_http_ilert_topics_element_t;


typedef struct ngx_http_ilert_topics_s  ngx_http_ilert_topics_t;
typedef struct ngx_http_ilert_topics_reader_s  ngx_http_ilert_topics_reader_t;

/* Returns NGX_OK, or NGX_ERROR, after which reading ends with NGX_ERROR. */
typedef ngx_int_t (*ngx_http_ilert_topics_handler_pt)(
    ngx_http_ilert_topics_t *topics, ngx_http_ilert_topics_element_t *el);


struct ngx_http_ilert_topics_s {
    ngx_http_ilert_topics_handler_pt  handler;
    void                       *data;       /* the caller's */
    const char                 *error;      /* what is wrong, in words that */
                                            /* fit behind a colon, or NULL */

    /*
     * The topic whose events were asked for, set by the caller after _init().
     * An answer about another one, or about none, is an error.  It is not
     * looked at if this is a null string.
     */
    ngx_str_t                   topic;

    ngx_http_ilert_topics_reader_t  *reader;    /* of topics.c only */
};


/*
 * Begins to read a list of topics, or, with "events", the events of a topic.
 * Allocates from the pool what it needs.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_ilert_topics_init(ngx_http_ilert_topics_t *topics,
    ngx_uint_t events, ngx_http_ilert_topics_handler_pt handler, void *data,
    ngx_pool_t *pool);

/*
 * Reads the next bytes.  Returns NGX_OK, or NGX_ERROR if there is no memory,
 * if the handler has failed, or, with "error" set, if the answer is no such
 * answer.
 */
ngx_int_t ngx_http_ilert_topics_read(ngx_http_ilert_topics_t *topics,
    u_char *data, size_t len);

/* Returns NGX_OK if the answer is complete, else NGX_ERROR, as above. */
ngx_int_t ngx_http_ilert_topics_end(ngx_http_ilert_topics_t *topics);

/*
 * Frees what is not the pool's.  It may be called again, but neither within
 * a call of the handler nor before ngx_http_ilert_topics_init().
 */
void ngx_http_ilert_topics_close(ngx_http_ilert_topics_t *topics);


/*
 * Makes the body of the webhook that Kapacitor would post for such a state,
 * from what is in it: with series, tags, fields if the details are Kapacitor's
 * own dump.  "previous" is the level that was heard before; "none" is 1 if
 * there was none.  The body is allocated from the pool.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_topics_webhook(ngx_http_ilert_topics_element_t *el,
    ngx_http_ilert_level_e previous, ngx_uint_t none, ngx_str_t *body,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_TOPICS_H_INCLUDED_ */
