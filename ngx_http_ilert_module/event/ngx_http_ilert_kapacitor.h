
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_
#define _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_json.h"


/*
 * The body that Kapacitor's .post() sends, from version 1.0 to today, is
 * parsed to a webhook:
 *
 *     {"id":"cpu:host=a","message":"…","details":"…","time":"RFC 3339",
 *      "duration":NANOSECONDS,"level":"CRITICAL","data":{"series":[{
 *      "name":"cpu","tags":{"host":"a"},"columns":["time","usage"],
 *      "values":[["RFC 3339",95]]}]},"previousLevel":"OK",
 *      "recoverable":true}
 *
 * Members may come in any order.  Each may be null or missing but the level.
 * Other members are ignored.
 *
 * Only the level, and what an alert key is made of, has to be as it should be.
 * All else is decoration: what is of another type is taken as text, or else
 * left out, and webhook->odd says so.  Names may have another case if none has
 * the right one.
 *
 * A webhook takes less than twenty times the memory of its body, whatever is
 * in that.  Texts and rows stay where they are in the body, unless they had to
 * be decoded or mended (see json.h).  A body with too many values is refused,
 * but values in rows do not count, since they take a byte at most.
 *
 * The functions are pure: no request, no I/O, nothing that threads share.
 */


#define NGX_HTTP_ILERT_KAPACITOR_MAX_VALUES  1000000


typedef enum {
    NGX_HTTP_ILERT_OK = 0,
    NGX_HTTP_ILERT_INFO,
    NGX_HTTP_ILERT_WARNING,
    NGX_HTTP_ILERT_CRITICAL
} ngx_http_ilert_level_e;

/* The index is a ngx_http_ilert_level_e. */

extern ngx_str_t  ngx_http_ilert_level_names[];


/*
 * A series is a table: the rows of one group of points.
 *
 * If several tags, or several columns, have the same name, the last one
 * counts.  The name of each other one is set to a null string.
 */

typedef struct {
    ngx_str_t                       name;
    ngx_array_t                     tags;       /* ngx_keyval_t */
    ngx_array_t                     columns;    /* ngx_str_t */

    /* the index of the column "time", or columns.nelts if there is none */
    ngx_uint_t                      time;

    /*
     * The first and the last row, as they stand in a text that ends at "last";
     * first_row is NULL if there are no rows.
     */
    u_char                         *first_row;
    u_char                         *last_row;
    u_char                         *last;

    /*
     * The first "ndense" rows have no white space.  The lengths of their
     * values, a byte for each, are in "lengths", one row after the other.
     */
    u_char                         *lengths;
    ngx_uint_t                      ndense;

    /* not each row has as many values as there are columns */
    unsigned                        uneven:1;
} ngx_http_ilert_series_t;


/* Rows of a series, read one after the other. */

typedef struct {
    ngx_http_ilert_json_reader_t    reader;
    u_char                         *row;        /* the one at hand */
    ngx_str_t                      *values;     /* its values, as tokens */
    ngx_uint_t                      n;          /* how many it has of those */
    ngx_uint_t                      size;       /* how many are wanted */

    /* the lengths of all values of the next rows, and how many rows */
    u_char                         *lengths;
    ngx_uint_t                      ndense;
    ngx_uint_t                      width;      /* values in each of these */

    /*
     * Of the row at hand, NGX_HTTP_ILERT_JSON_SHORT bytes can be read from the
     * beginning of each value on.
     */
    unsigned                        slack:1;
} ngx_http_ilert_rows_t;


/* A string that was missing or null is a null string. */

typedef struct {
    ngx_str_t                       id;
    ngx_str_t                       message;
    ngx_str_t                       details;
    ngx_str_t                       time;
    ngx_str_t                       duration;   /* decimal digits, ns */
    ngx_str_t                       previous_level;
    ngx_str_t                       recoverable;    /* true or false */
    ngx_str_t                       level_name;
    ngx_http_ilert_level_e          level;

    /* ngx_http_ilert_series_t: the first series, and all that have rows */
    ngx_array_t                     series;
    ngx_str_t                       name;       /* that of the trigger */

    /*
     * The row that set the alert off, and its series: the first row whose time
     * is the same instant as the event's.  If there is none, it is the last
     * row of the first series.  Without rows "row" is NULL, and without series
     * "trigger" is NULL, too.
     */
    ngx_http_ilert_series_t        *trigger;
    u_char                         *row;
    ngx_str_t                      *values;     /* of the row, as tokens */
    ngx_uint_t                      nvalues;    /* for the first columns */

    /*
     * The key tells the alert from others.  It is the id, or, if that is
     * blank, name{tag=value,tag=value} of the first series.  It is empty if
     * there is neither.
     */
    ngx_str_t                       key;
    u_char                          key_md5[16];    /* see kapacitor_md5() */

    /* the details as Markdown; empty if they are a dump */
    ngx_str_t                       details_text;

    /*
     * These are only known if the details are Kapacitor's own dump of the
     * alert, as they are unless the user sets them.
     */
    ngx_str_t                       task;
    ngx_str_t                       group;
    ngx_str_t                       server;
    unsigned                        dump:1;

    /*
     * The body as JSON: that which was given, or one in which what made it no
     * JSON, or no UTF-8, has been repaired.
     */
    ngx_str_t                       body;

    /*
     * What was odd, and what has become of it, for a warning: one line of
     * valid UTF-8.  It is a null string if nothing was.
     */
    ngx_str_t                       odd;

    /* it is Chronograf's "Send Test Alert" */
    unsigned                        test:1;

    /*
     * It was not posted, but made of what Kapacitor's API says, because one
     * was lost.  Set after the parsing.
     */
    unsigned                        reconciled:1;
} ngx_http_ilert_webhook_t;


/*
 * Parses a body.  The webhook points into the body, which must stay as it is
 * as long as the webhook is used; all else is allocated from the pool.
 * Returns NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED if this is
 * no body of Kapacitor's.  In that case "error" says what is wrong and where,
 * in one line of valid UTF-8, allocated from the pool.
 */
ngx_int_t ngx_http_ilert_kapacitor_parse(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *body, ngx_str_t *error, ngx_pool_t *pool);


/*
 * Begins to read rows of a series that has some, from "row" on, which is
 * series->first_row or any later row.  "values" has room for one token for
 * each column.  A row may have fewer values; if it has more, they are not
 * read.
 */
void ngx_http_ilert_kapacitor_rows(ngx_http_ilert_rows_t *rows,
    ngx_http_ilert_series_t *series, u_char *row, ngx_str_t *values);

/*
 * Reads the next row, at first the one that was given, and sets rows->row,
 * rows->values, and rows->n.  Returns 0 if there is none, else 1.
 */
ngx_uint_t ngx_http_ilert_kapacitor_next_row(ngx_http_ilert_rows_t *rows);


/*
 * These find a field of the triggering row, or a tag of its series, by the end
 * of a variable's name: case does not count, and a "_" stands for any
 * character but a letter or a digit.  The first one that fits is taken.
 * "value" is decoded, to memory from the pool if need be.  They return NGX_OK,
 * or NGX_DECLINED if there is none or if it is null; for a field NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_http_ilert_kapacitor_field(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *name, ngx_str_t *value, ngx_pool_t *pool);
ngx_int_t ngx_http_ilert_kapacitor_tag(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *name, ngx_str_t *value);


/*
 * Sets the 16 bytes of "md5" to the MD5 of a text.  If the text is the
 * webhook's key and is long, the digest is not computed, but that which was
 * made by ngx_http_ilert_kapacitor_parse(), maybe on a thread, is used.
 */
void ngx_http_ilert_kapacitor_md5(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *text, u_char *md5);


/*
 * Returns the webhook's time in ns since 1970, or INT64_MIN if there is none,
 * if it cannot be read, or if it is beyond 64 bits: before 1677, or after
 * 2262.
 */
int64_t ngx_http_ilert_kapacitor_ns(ngx_http_ilert_webhook_t *wh);

/*
 * Returns when, in ms since 1970, the alert with this key has begun, if the
 * webhook is the first one that says so; "now" is the wall clock in ms.
 * Returns 0 if it is not, since then others were not heard here; if its time
 * cannot be read; or if the key is not Kapacitor's id, so that webhooks of
 * other ids may have come before.
 */
int64_t ngx_http_ilert_kapacitor_began(ngx_http_ilert_webhook_t *wh,
    ngx_str_t *key, int64_t now);

/*
 * Returns the digest by which copies of a webhook are known: the first eight
 * bytes of the MD5 of that time, the level, and the message.  Webhooks without
 * a readable time may have the same digest, and are no copies.
 */
uint64_t ngx_http_ilert_kapacitor_digest(ngx_http_ilert_webhook_t *wh);


/*
 * Returns what an object is that others post, by the names of its members, and
 * after a comma what Kapacitor is to use instead, or NULL if that is not
 * known.
 */
const char *ngx_http_ilert_kapacitor_kind(ngx_str_t *body);


#endif /* _NGX_HTTP_ILERT_KAPACITOR_H_INCLUDED_ */
