
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_STATUS_JSON_WRITE_H_INCLUDED_
#define _NGX_HTTP_ILERT_STATUS_JSON_WRITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"


/*
 * How members and values of the status are written as JSON.  What does not fit
 * is left out, and w->full is set.  Times are wall clock in milliseconds.
 */


/* Writes {"NAME": for the first member of an object, ,"NAME": for others. */
void ngx_http_ilert_status_json_member(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t first, const char *name);

#define ngx_http_ilert_status_json_next(w, name)                              \
    ngx_http_ilert_status_json_member(w, 0, name)
#define ngx_http_ilert_status_json_first(w, name)                             \
    ngx_http_ilert_status_json_member(w, 1, name)

/* Begins the i-th item of a list: each but the first comes after a comma. */
void ngx_http_ilert_status_json_item(ngx_http_ilert_json_writer_t *w,
    ngx_uint_t i);

/* Writes a string, or null if it is empty. */
void ngx_http_ilert_status_json_text(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *text);

/* Writes a number, or null if it is negative, which means not known. */
void ngx_http_ilert_status_json_number(ngx_http_ilert_json_writer_t *w,
    int64_t n);

/* Writes the id of an event, or the like, as a string. */
void ngx_http_ilert_status_json_id(ngx_http_ilert_json_writer_t *w,
    uint64_t id);

/*
 * Writes the seconds from "since" to "now", or 0 if "since" is 0 or has not
 * come yet.
 */
void ngx_http_ilert_status_json_since(ngx_http_ilert_json_writer_t *w,
    int64_t since, int64_t now);

/* Writes a time as RFC 3339 in UTC, or null for 0, which is never. */
void ngx_http_ilert_status_json_time(ngx_http_ilert_json_writer_t *w,
    int64_t time);


#endif /* _NGX_HTTP_ILERT_STATUS_JSON_WRITE_H_INCLUDED_ */
