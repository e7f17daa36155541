
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_POSTED_H_INCLUDED_
#define _NGX_HTTP_ILERT_POSTED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"


/*
 * An event that another sender has posted, as it would post it to ilert: the
 * body of "POST /api/events".  It is checked by ilert's schema, since ilert
 * answers only a part of what it cannot use with an error, and the sender is
 * gone when the event leaves.
 *
 * The functions are pure: no request, no I/O, nothing that threads share.
 */


/* the members that ilert knows; others go on as they are */

typedef enum {
    NGX_HTTP_ILERT_POSTED_KEY = 0,
    NGX_HTTP_ILERT_POSTED_OLD_KEY,          /* as it was called in v1 */
    NGX_HTTP_ILERT_POSTED_TYPE,
    NGX_HTTP_ILERT_POSTED_SUMMARY,
    NGX_HTTP_ILERT_POSTED_ALERT_KEY,
    NGX_HTTP_ILERT_POSTED_OLD_ALERT_KEY,    /* likewise */
    NGX_HTTP_ILERT_POSTED_PRIORITY,
    NGX_HTTP_ILERT_POSTED_SEVERITY,

    /* from here on the queue does not look at the values */

    NGX_HTTP_ILERT_POSTED_DETAILS,
    NGX_HTTP_ILERT_POSTED_IMAGES,
    NGX_HTTP_ILERT_POSTED_LINKS,
    NGX_HTTP_ILERT_POSTED_COMMENTS,
    NGX_HTTP_ILERT_POSTED_LABELS,
    NGX_HTTP_ILERT_POSTED_SERVICES,
    NGX_HTTP_ILERT_POSTED_CUSTOM_DETAILS,
    NGX_HTTP_ILERT_POSTED_ROUTING_KEY,

    NGX_HTTP_ILERT_POSTED_N
} ngx_http_ilert_posted_e;


/* All that is in it lives as long as the text and the pool. */

typedef struct {
    ngx_http_ilert_type_e       type;
    ngx_http_ilert_priority_e   priority;
    ngx_uint_t                  severity;   /* 1 to 5, 0: none */

    /* decoded, valid UTF-8; empty: there is none */
    ngx_str_t                   key;        /* the integration key, which */
                                            /* must be in no message */
    ngx_str_t                   summary;
    ngx_str_t                   alert_key;  /* trimmed, as ilert does */

    const char                 *odd;        /* what was mended, or NULL */

    ngx_str_t                   text;       /* the body, mended */

    /* the members; of one that is not there, or is null, the length is 0 */
    ngx_str_t                   values[NGX_HTTP_ILERT_POSTED_N];
    ngx_array_t                 others;     /* ngx_str_t, with their names */
} ngx_http_ilert_posted_t;


/*
 * Reads and checks the body.  Bytes that are no UTF-8, control characters in
 * strings, and a byte order mark are mended as those of a webhook.  Returns
 * NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED with "error", which
 * is one line of valid UTF-8 that names the member and says what is allowed.
 */
ngx_int_t ngx_http_ilert_posted_parse(ngx_http_ilert_posted_t *posted,
    ngx_str_t *body, ngx_str_t *error, ngx_pool_t *pool);

/*
 * Sets what the queue goes by: type, level, priority, severity, summary, and
 * alert key.  An ALERT without an alert key, each of which ilert would make
 * a new alert, gets one of its own.  ev->id must have been set.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_posted_says(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, ngx_pool_t *pool);

/*
 * Makes the body of the event, whose alert key must have been set.  It has the
 * members as they came, but the integration key, and a summary in any case.
 * Returns NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED with
 * "error" set if it is larger than "max_size" bytes, or if the alert key takes
 * more than half of that: it is never cut.
 */
ngx_int_t ngx_http_ilert_posted_body(ngx_http_ilert_posted_t *posted,
    ngx_http_ilert_event_t *ev, size_t max_size, ngx_str_t *error,
    ngx_pool_t *pool);

/*
 * Overwrites integration keys, and the keys of the old names, in a text that
 * nearly is an event, so that it can be shown to people.
 */
void ngx_http_ilert_posted_hide(ngx_str_t *text);


/* posted_check.c: for posted.c only */

/* The index is a ngx_http_ilert_posted_e. */

extern ngx_str_t  ngx_http_ilert_posted_names[];

/*
 * Checks the types of all values, which must be valid JSON.  Returns NGX_OK,
 * NGX_ERROR, or NGX_DECLINED as above.
 */
ngx_int_t ngx_http_ilert_posted_check(ngx_http_ilert_posted_t *posted,
    ngx_str_t *error, ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_POSTED_H_INCLUDED_ */
