
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENT_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"


/*
 * ilert's event, which is made of a webhook: the body of "POST /api/events".
 * It is valid by ilert's schema, whatever the webhook has in it.
 *
 * The functions are pure: no request, no I/O, nothing that threads share.
 */


/*
 * The least that the limit on an event's size may be, in bytes.  Any event
 * fits that with its texts cut to the shortest length.
 */

#define NGX_HTTP_ILERT_EVENT_MIN_SIZE  4096


/*
 * This is how the alert key of an event begins that is an alert of its own,
 * since its sender has given no alert key.  The id of the event follows.  No
 * event that comes later is of such an alert, so it never counts as open.
 */

#define NGX_HTTP_ILERT_EVENT_SINGLE    "ilert-event:"


typedef enum {
    NGX_HTTP_ILERT_NO_TYPE = 0,
    NGX_HTTP_ILERT_ALERT,
    NGX_HTTP_ILERT_RESOLVE,
    NGX_HTTP_ILERT_ACCEPT,
    NGX_HTTP_ILERT_COMMENT
} ngx_http_ilert_type_e;


typedef enum {
    NGX_HTTP_ILERT_NO_PRIORITY = 0,
    NGX_HTTP_ILERT_LOW,
    NGX_HTTP_ILERT_HIGH
} ngx_http_ilert_priority_e;


/* The index is a ngx_http_ilert_type_e; the name of NO_TYPE is null. */

extern ngx_str_t  ngx_http_ilert_types[];


/*
 * The directives of the mapping, which say what is in an event.  First come
 * those with one value, then those that may be given many times.
 */

typedef enum {
    NGX_HTTP_ILERT_EVENT_TYPE = 0,
    NGX_HTTP_ILERT_ALERT_KEY,
    NGX_HTTP_ILERT_SUMMARY,
    NGX_HTTP_ILERT_DETAILS,
    NGX_HTTP_ILERT_PRIORITY,
    NGX_HTTP_ILERT_SEVERITY,
    NGX_HTTP_ILERT_ROUTING_KEY,

    NGX_HTTP_ILERT_LABELS,
    NGX_HTTP_ILERT_LINKS,
    NGX_HTTP_ILERT_IMAGES,
    NGX_HTTP_ILERT_SERVICES,
    NGX_HTTP_ILERT_COMMENTS,
    NGX_HTTP_ILERT_CUSTOM_DETAILS,

    NGX_HTTP_ILERT_MAPPING_N
} ngx_http_ilert_mapping_e;

#define NGX_HTTP_ILERT_MAPPING_VALUES  NGX_HTTP_ILERT_LABELS
#define NGX_HTTP_ILERT_MAPPING_LISTS                                          \
    (NGX_HTTP_ILERT_MAPPING_N - NGX_HTTP_ILERT_MAPPING_VALUES)


/*
 * An item has the arguments of one directive of a list.  An argument that was
 * not given is empty.
 */

#define NGX_HTTP_ILERT_ITEM_VALUES     3

typedef struct {
    ngx_str_t                   values[NGX_HTTP_ILERT_ITEM_VALUES];
} ngx_http_ilert_item_t;

typedef struct {
    ngx_http_ilert_item_t      *items;
    ngx_uint_t                  nitems;
} ngx_http_ilert_list_t;


/*
 * The mapping for one event.  All strings are valid UTF-8, and are values that
 * ilert takes.  For a value that is empty, the event has the default.  The
 * index of "lists" is a ngx_http_ilert_mapping_e less NGX_HTTP_ILERT_LABELS.
 */

typedef struct {
    ngx_str_t                   values[NGX_HTTP_ILERT_MAPPING_VALUES];
    ngx_http_ilert_list_t       lists[NGX_HTTP_ILERT_MAPPING_LISTS];
} ngx_http_ilert_mapping_t;


typedef struct ngx_http_ilert_source_s    ngx_http_ilert_source_t;
typedef struct ngx_http_ilert_endpoint_s  ngx_http_ilert_endpoint_t;
typedef struct ngx_http_ilert_event_s     ngx_http_ilert_event_t;


struct ngx_http_ilert_event_s {
    ngx_http_ilert_source_t    *source;
    ngx_http_ilert_type_e       type;
    ngx_str_t                   alert_key;
    ngx_http_ilert_level_e      level;
    ngx_http_ilert_priority_e   priority;
    ngx_uint_t                  severity;   /* 1 to 5, 0: the queue does not */
                                            /* go by it */
    uint64_t                    number;     /* event id */
    ngx_str_t                   id;         /* the same in decimal digits */
    unsigned                    key_cut:1;  /* alert_key is not the whole */
    int64_t                     received;   /* wall clock, ms; set when it */
                                            /* is submitted to the queue */
    int64_t                     silence;    /* ms: the alert is resolved if */
                                            /* nothing is heard of it for so */
                                            /* long; 0: as its source says */
    int64_t                     message;    /* of an ALERT that nothing will */
                                            /* resolve ("recoverable" is */
                                            /* false): digest of its */
                                            /* message, not 0; else 0 */
    int64_t                     began;      /* wall clock, ms: when the */
                                            /* alert has begun, if its first */
                                            /* webhook is this one; else 0 */
    ngx_str_t                   summary;    /* for people */
    unsigned                    prompt:1;   /* it is not held by */
                                            /* "resolve_delay" */

    /*
     * The type and the key that ilert finds in the body.  The queue goes by
     * these.  They differ from those above only if Kapacitor's body goes on
     * unchanged, since then the mapping does not count.  Who makes the event
     * sets them.
     */
    ngx_http_ilert_type_e       ilert_type;
    ngx_str_t                   ilert_key;

    /*
     * A JSON object without the integration key, which is added when the
     * event is sent; or, for a source with a "webhook_url", Kapacitor's body,
     * which goes on unchanged ("passthrough").
     */
    ngx_str_t                   body;
};


/*
 * Sets the id of the event, both as a number and in digits.  Returns NGX_OK,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_set_id(ngx_http_ilert_event_t *ev,
    uint64_t number, ngx_pool_t *pool);


/*
 * Sets the level and the type of the event.  "name" is that of the type; if it
 * is empty, the type follows from the level.
 */
void ngx_http_ilert_event_type(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *name);


/*
 * Sets the alert key to "key", or, if that is blank, to the webhook's.  A key
 * that would take more than half of max_size bytes in the body is cut.
 * Returns NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED with
 * "error" set if there is nothing to make an alert key of.
 */
ngx_int_t ngx_http_ilert_event_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *key, size_t max_size,
    ngx_str_t *error, ngx_pool_t *pool);


/*
 * Sets ev->message: of an ALERT that Kapacitor will not resolve, each message
 * is news.  ev->ilert_type must have been set.
 */
void ngx_http_ilert_event_message(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh);


/*
 * Sets the priority and the body.  The type and the key must have been set
 * before.  The body has at most max_size bytes, which must be no less than
 * NGX_HTTP_ILERT_EVENT_MIN_SIZE.  What does not fit is left out, first rows,
 * then fields, then the ends of texts, and customDetails.truncated says so.
 * The body is allocated from the pool and refers to nothing outside of it.
 * Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_map(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_http_ilert_mapping_t *mapping,
    size_t max_size, ngx_pool_t *pool);


/*
 * Returns the number of bytes that are enough for the body that
 * ngx_http_ilert_event_resolve() writes.
 */
size_t ngx_http_ilert_event_resolve_size(ngx_str_t *key);

/*
 * Writes the body of a RESOLVE that has no webhook.  "own" says why, see
 * ngx_http_ilert_own_e: nothing was heard of the alert for "silence" ms, an
 * operator has said so, or the alert is opened again, since its level is
 * "level" now.  With "passthrough" the body is one that Kapacitor could have
 * sent, else an event.  ev->alert_key must have been set, and ev->body.data
 * must point to memory that ends at "last" and is large enough; sets
 * ev->body.len, the type, and the level.  "now" is the wall clock.
 */
void ngx_http_ilert_event_resolve(ngx_http_ilert_event_t *ev, ngx_uint_t own,
    ngx_uint_t level, ngx_msec_t silence, ngx_uint_t passthrough, time_t now,
    u_char *last);

/*
 * ms after which the alert of a test is resolved, if its RESOLVE was never
 * made since the worker process died, or if ilert has refused that
 */

#define NGX_HTTP_ILERT_EVENT_TEST_SILENCE  (5 * 60 * 1000)

/*
 * Makes the body of an event that only tests the way to ilert: an ALERT of
 * priority LOW, or the RESOLVE of it.  ev->type and ev->alert_key must have
 * been set; sets the level, the priority, the silence, and the body, which is
 * allocated from the pool.  "source" is the source's name; "passthrough" and
 * "now" are as above.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_test(ngx_http_ilert_event_t *ev,
    ngx_str_t *source, ngx_uint_t passthrough, time_t now, ngx_pool_t *pool);


/* A webhook that was refused; only the address need be valid UTF-8. */

typedef struct {
    ngx_str_t                   server;     /* its name */
    ngx_str_t                   location;   /* likewise */
    ngx_str_t                   address;    /* of the client */
    ngx_str_t                   error;      /* why */
    ngx_uint_t                  status;     /* of the answer */
    ngx_str_t                   body;
} ngx_http_ilert_unreadable_t;

/*
 * ms without another one after which the alert of such webhooks is resolved,
 * where something remembers it
 */

#define NGX_HTTP_ILERT_EVENT_UNREADABLE_SILENCE  (15 * 60 * 1000)

/*
 * Makes the event an ALERT that says that the webhook was refused, with one
 * alert key for each location: sets type, level, alert key, silence, and body,
 * which are allocated from the pool.  With "passthrough" the body is one that
 * Kapacitor could have sent at "now", by the wall clock, else an event.
 * Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_unreadable(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_unreadable_t *un, ngx_uint_t passthrough, time_t now,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_EVENT_H_INCLUDED_ */
