
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENT_DIGEST_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENT_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * The event of a digest, which lists alerts of a source.  The functions are
 * pure, as those of ngx_http_ilert_event.h.
 */


/* bytes of an alert's summary that are kept and listed */

#define NGX_HTTP_ILERT_DIGEST_TEXT     200


/* an alert that is bad */

typedef struct {
    ngx_str_t                   key;        /* the alert key */
    ngx_str_t                   summary;    /* of its last ALERT, or empty */
    ngx_uint_t                  level;
    int64_t                     begun;      /* since when, wall clock, ms */
    unsigned                    fresh:1;    /* no event of the digest has */
                                            /* named it with this level */

    /* set by ngx_http_ilert_event_digest() */

    unsigned                    named:1;    /* the event names it */
    unsigned                    brief:1;    /* only by its key */
    size_t                      full;       /* bytes that it takes */
    size_t                      least;      /* without age and summary */
} ngx_http_ilert_digest_member_t;


typedef struct {
    ngx_str_t                   source;     /* its name */
    ngx_uint_t                  updates;    /* 1: the digest had events, so */
                                            /* this one says what is new */
    int64_t                     opened;     /* since when it is open */
    int64_t                     now;
    int64_t                     bad[NGX_HTTP_ILERT_CRITICAL + 1];
                                            /* numbers of alerts, by level */

    /* of these the most urgent ones, all of a level in a row, in this order */

    ngx_http_ilert_digest_member_t  *members;
    ngx_uint_t                  nmembers;

    size_t                      fence;      /* backticks around keys, set by */
                                            /* ngx_http_ilert_event_digest() */
} ngx_http_ilert_digest_list_t;


/*
 * Makes the alert key of a source's digest.  It is allocated from the pool.
 * Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_digest_key(ngx_str_t *source, ngx_str_t *key,
    ngx_pool_t *pool);

/*
 * Makes the body of an ALERT or RESOLVE of a digest.  ev->type, the priority,
 * and the alert key must have been set; sets the level and the body, which is
 * allocated from the pool and has at most max_size bytes, which must be no
 * less than NGX_HTTP_ILERT_EVENT_MIN_SIZE.  With "passthrough" it is one that
 * Kapacitor could have sent, else an event.  Returns NGX_OK, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_ilert_event_digest(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_digest_list_t *list, ngx_uint_t passthrough,
    size_t max_size, ngx_pool_t *pool);

/*
 * Makes a copy of an event's body, one that ngx_http_ilert_event_map() has
 * made, with priority LOW, whatever it had.  "lower" is allocated from the
 * pool.  Returns NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED if
 * the body is no object.
 */
ngx_int_t ngx_http_ilert_event_lower(ngx_str_t *body, ngx_str_t *lower,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_EVENT_DIGEST_H_INCLUDED_ */
