
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_EVENT_WRITE_H_INCLUDED_
#define _NGX_HTTP_ILERT_EVENT_WRITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_event.h"
#include "ngx_http_ilert_json.h"


/*
 * Writing an event.  This header is for the files event*.c only.
 *
 * event.c decides how often an event is written, and with which limits.  It
 * calls event_rows.c, which writes the triggering row and all other rows, and
 * event_members.c, which writes everything else and is below both.
 *
 * Events that have no webhook are made by event_resolve.c, event_test.c, and
 * event_unreadable.c, and written by event_own.c.
 */


typedef struct {
    ngx_http_ilert_json_writer_t    writer;
    ngx_http_ilert_event_t         *event;
    ngx_http_ilert_webhook_t       *webhook;
    ngx_http_ilert_mapping_t       *mapping;
    ngx_pool_t                     *pool;

    ngx_str_t                       summary;
    ngx_str_t                       details;

    /*
     * the list of "ilert_custom_detail": a member of that name hides the one
     * that we would write.  Only the first "ncustom" have been written.
     */
    ngx_http_ilert_list_t           custom;
    ngx_uint_t                      ncustom;

    /*
     * memory for one row of any series: the names of its fields, each as it
     * has been written in the first row of the series (,"name":), and the
     * values of the row at hand.  NULL until it is needed.
     */
    ngx_str_t                      *names;
    ngx_str_t                      *values;

    size_t                          max_text;   /* bytes, of any text */
    u_char                         *buf;
    size_t                          size;       /* of buf */

    /* rows and fields that do not fit are left out, instead of an error */
    unsigned                        drop:1;

    /* and so are tags and items of the mapping */
    unsigned                        drop_items:1;

    unsigned                        texts_only:1;   /* no rows, no fields */
    unsigned                        truncated:1;    /* something is missing */
} ngx_http_ilert_event_ctx_t;


/*
 * event_members.c.  These functions write to ctx->writer; "full" tells that
 * something did not fit.  They set ctx->truncated if they have cut a text or
 * have left something out.
 */

/* Begins the event: writes its members from "eventType" to "routingKey". */
void ngx_http_ilert_event_head(ngx_http_ilert_event_ctx_t *ctx);

/*
 * Writes "labels", "links", and the other lists of the mapping, and begins
 * "customDetails".
 */
void ngx_http_ilert_event_lists(ngx_http_ilert_event_ctx_t *ctx);

/*
 * Writes the members of customDetails that are texts, then "reconciled" and
 * those that the mapping adds, then the tags of the triggering series.
 */
void ngx_http_ilert_event_texts(ngx_http_ilert_event_ctx_t *ctx);

/*
 * Writes the name of a member of customDetails, given as ,"name": with its
 * comma and colon.  Returns 0, and writes nothing, if the mapping has a member
 * of the same name, which takes its place; else 1.
 */
ngx_uint_t ngx_http_ilert_event_begin(ngx_http_ilert_event_ctx_t *ctx,
    ngx_str_t *name);

/* Writes a string of JSON, cut to ctx->max_text bytes before it is escaped. */
void ngx_http_ilert_event_string(ngx_http_ilert_event_ctx_t *ctx,
    ngx_str_t *value);

/* Writes the tags of a series as an object. */
void ngx_http_ilert_event_tags(ngx_http_ilert_event_ctx_t *ctx,
    ngx_http_ilert_series_t *series);

/*
 * Returns 1, and takes back all that has been written since the mark, if that
 * did not fit or left no room for the bracket that follows; else 0.
 */
ngx_uint_t ngx_http_ilert_event_left_out(ngx_http_ilert_event_ctx_t *ctx,
    u_char *mark);


/*
 * event_rows.c.  Writes the members "fields" and "rows" of customDetails.
 * Returns NGX_OK, also if they do not fit, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_event_data(ngx_http_ilert_event_ctx_t *ctx);


/*
 * event_own.c.  Returns the number of bytes that are enough for the body of an
 * event without a webhook, whose alert key has so many bytes, and so has its
 * text, with its details.
 */
size_t ngx_http_ilert_event_own_size(size_t key, size_t text);

/*
 * Writes such a body from ev->body.data on, where "last" is the end of memory
 * that is large enough, and sets ev->body.len.  With "passthrough" it is one
 * that Kapacitor could have sent at "now", by the wall clock, else an event.
 * The type, the level, the priority, and the alert key must have been set; the
 * text, which is valid UTF-8, says what the event is.  The details, which are
 * too, may be empty; Kapacitor's are HTML, those of an event Markdown.
 */
void ngx_http_ilert_event_own(ngx_http_ilert_event_t *ev,
    ngx_uint_t passthrough, ngx_str_t *text, ngx_str_t *details, time_t now,
    u_char *last);


#endif /* _NGX_HTTP_ILERT_EVENT_WRITE_H_INCLUDED_ */
