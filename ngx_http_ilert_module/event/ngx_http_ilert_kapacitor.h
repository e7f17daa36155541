
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_
#define _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"


/*
 * The body that Kapacitor's .post() sends, from 1.0 to today: bytes in,
 * a webhook out.  Pure: no request, no I/O; fuzzed.
 *
 *     {"id":"cpu:host=a","message":"…","details":"…","time":"RFC 3339",
 *      "duration":NANOSECONDS,"level":"CRITICAL","data":{"series":[{
 *      "name":"cpu","tags":{"host":"a"},"columns":["time","usage"],
 *      "values":[["RFC 3339",95]]}]},"previousLevel":"OK",
 *      "recoverable":true}
 *
 * Members may come in any order, may be null and, but for the level, absent;
 * others are ignored.  Memory is less than twenty times the body, whatever it
 * is: texts and rows stay where they are in it, unless they had to be decoded
 * or mended (see json.h), and a body with more values than the limit is
 * refused.  The many values in the rows of a batch take no memory and do not
 * count.
 */


#define NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES  1000000


typedef enum {
    NGX_HTTP_ILERT_OK = 0,
    NGX_HTTP_ILERT_INFO,
    NGX_HTTP_ILERT_WARNING,
    NGX_HTTP_ILERT_CRITICAL
} ngx_http_ilert_level_e;

/* by that */

extern ngx_str_t  ngx_http_ilert_level_names[];


/*
 * A tag or a column whose name came again has lost it: data is NULL, the
 * last one of a name holds.
 */

typedef struct {
    ngx_str_t                       name;
    ngx_array_t                     tags;       /* ngx_keyval_t */
    ngx_array_t                     columns;    /* ngx_str_t */
    ngx_uint_t                      time;       /* column, or columns.nelts */

    /* rows as they are in the text, which ends at "last"; NULL without any */
    u_char                         *first_row;
    u_char                         *last_row;
    u_char                         *last;
} ngx_http_ilert_series_t;


/* reads rows of a series one after the other */

typedef struct {
    ngx_http_ilert_json_reader_t    reader;
    u_char                         *row;        /* the one at hand */
    ngx_str_t                      *values;     /* its values, as tokens, */
    ngx_uint_t                      size;       /* so many of them */

    /* NGX_HTTP_ILERT_JSON_SHORT bytes can be read from each value on */
    unsigned                        slack:1;
} ngx_http_ilert_rows_t;


/* of a string that did not come, or came as null, data is NULL */

typedef struct {
    ngx_str_t                       id;
    ngx_str_t                       message;
    ngx_str_t                       details;
    ngx_str_t                       time;
    ngx_str_t                       duration;   /* ns, digits */
    ngx_str_t                       previous_level;
    ngx_str_t                       recoverable;    /* true or false */
    ngx_str_t                       level_name;
    ngx_http_ilert_level_e          level;

    /* ngx_http_ilert_series_t: the first one, and all that have rows */
    ngx_array_t                     series;
    ngx_str_t                       name;       /* the trigger's measurement */

    /*
     * what set the alert off: the first row whose time is the event's
     * instant, else the last one of the first series; NULL without any
     */
    ngx_http_ilert_series_t        *trigger;
    u_char                         *row;
    ngx_str_t                      *values;     /* of the row, as tokens */

    /*
     * what tells the alert from others: the id, or, if that is blank, the
     * first series' name{tag=value,tag=value}; empty if there is neither
     */
    ngx_str_t                       key;
    u_char                          key_md5[16];    /* of a long one */

    /* details without their HTML, unless they are the dump */
    ngx_str_t                       details_text;

    /* known only from the dump that details are unless the user sets them */
    ngx_str_t                       task;
    ngx_str_t                       group;
    ngx_str_t                       server;
    unsigned                        dump:1;     /* details are that dump */

    /* Chronograf's "Send Test Alert" */
    unsigned                        test:1;
} ngx_http_ilert_webhook_t;


/*
 * Parses the body, which must stay as it is as long as the webhook is used;
 * all else is allocated from the pool.  Returns NGX_OK, NGX_ERROR if there
 * is no memory, or NGX_DECLINED if the body is none of Kapacitor's: "error"
 * then says what is wrong and where, in one line of valid UTF-8.
 */
ngx_int_t ngx_http_ilert_kapacitor_parse(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *body, ngx_str_t *error, ngx_pool_t *pool);


/*
 * Begins with the first row of a series, or another that is known; "values"
 * has room for as many as there are columns.  The next one, which is there
 * at first, is read to "row" and "values": false if there is none.
 */
void ngx_http_ilert_kapacitor_rows(ngx_http_ilert_rows_t *rows,
    ngx_http_ilert_series_t *series, u_char *row, ngx_str_t *values);
ngx_uint_t ngx_http_ilert_kapacitor_next_row(ngx_http_ilert_rows_t *rows);


/*
 * The field of the triggering row, or the tag of its series, of that name:
 * compared without case, any character but a letter or a digit reads as
 * "_"; of several the first.  "value" is decoded.  Returns NGX_OK,
 * NGX_DECLINED if there is none or it is null, NGX_ERROR without memory.
 */
ngx_int_t ngx_http_ilert_kapacitor_field(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *name, ngx_str_t *value, ngx_pool_t *pool);
ngx_int_t ngx_http_ilert_kapacitor_tag(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *name, ngx_str_t *value);


/*
 * The MD5 of a text, in 16 bytes; that of the webhook's key, if it is long, is
 * known since the webhook was parsed, which may have been on a thread.
 */
void ngx_http_ilert_kapacitor_md5(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *text, u_char *md5);


#endif /* _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_ */
