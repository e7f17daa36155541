
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENT_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"


/*
 * What a webhook is to ilert: the event of "POST /api/events", valid by
 * ilert's schema whatever the webhook holds.  Pure: no request, no I/O.
 */


/* an event of 4k has room for its members at their shortest */

#define NGX_HTTP_ILERT_EVENT_MIN_SIZE  4096


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


/* names of the types, by ngx_http_ilert_type_e; that of no type is null */

extern ngx_str_t  ngx_http_ilert_types[];


/* what directives say of an event: first single values, then lists */

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


/* a directive's arguments: those of an item that are not given are empty */

#define NGX_HTTP_ILERT_ITEM_VALUES     3

typedef struct {
    ngx_str_t                   values[NGX_HTTP_ILERT_ITEM_VALUES];
} ngx_http_ilert_item_t;

typedef struct {
    ngx_http_ilert_item_t      *items;
    ngx_uint_t                  nitems;
} ngx_http_ilert_list_t;


/* valid UTF-8, and values that ilert takes; an empty one is the default */

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
    uint64_t                    number;     /* event id; set by queue.c */
    ngx_str_t                   id;         /* the same, decimal */
    unsigned                    key_cut:1;  /* it was longer */
    int64_t                     received;   /* wall clock, ms; by queue.c */

    /* as ilert finds them in the body, which for a native source is its own */
    /* affair: what the queue goes by; set by handler.c */
    ngx_http_ilert_type_e       ilert_type;
    ngx_str_t                   ilert_key;

    /*
     * a JSON object without the integration key, which is added when the
     * event leaves; or, for a native source, Kapacitor's body as it came
     */
    ngx_str_t                   body;
};


/* sets the level and the type: the one of that name, if it is not empty */
void ngx_http_ilert_event_type(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *name);


/*
 * Sets the alert key: "key", unless that is blank.  It is cut if it takes
 * more than half of max_size in the body.  Returns NGX_OK, NGX_ERROR if
 * there is no memory, or NGX_DECLINED with "error" set if there is nothing
 * to make an alert key of.
 */
ngx_int_t ngx_http_ilert_event_key(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_str_t *key, size_t max_size,
    ngx_str_t *error, ngx_pool_t *pool);


/*
 * Sets the priority, and the body, of at most max_size bytes, which are
 * NGX_HTTP_ILERT_EVENT_MIN_SIZE or more: what does not fit is left out, first
 * rows, then fields, then ends of texts, and customDetails.truncated says so.
 * Strings are copied: neither the webhook nor the mapping is needed any
 * longer.  Returns NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_ilert_event_map(ngx_http_ilert_event_t *ev,
    ngx_http_ilert_webhook_t *wh, ngx_http_ilert_mapping_t *mapping,
    size_t max_size, ngx_pool_t *pool);


/*
 * Writes the body of a RESOLVE of which there is no webhook, for nothing was
 * heard of the alert for "silence" ms: an event, or, for a native source, what
 * Kapacitor would send.  It is written from body.data on, to "last" at most,
 * for which the size is enough.
 */
size_t ngx_http_ilert_event_silent_size(ngx_str_t *key);
void ngx_http_ilert_event_silent(ngx_http_ilert_event_t *ev,
    ngx_uint_t native, ngx_msec_t silence, time_t now, u_char *last);


#endif /* _NGX_HTTP_ILERT_EVENT_H_INCLUDED_ */
