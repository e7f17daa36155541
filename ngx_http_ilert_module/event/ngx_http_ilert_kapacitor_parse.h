
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_KAPACITOR_PARSE_H_INCLUDED_
#define _NGX_HTTP_ILERT_KAPACITOR_PARSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_ilert_kapacitor.h"
#include "ngx_http_ilert_kapacitor_time.h"


/*
 * Parsing a body of Kapacitor's.  This header is for the files kapacitor*.c
 * only.
 *
 * kapacitor.c reads the object at the top, and calls all others.
 * kapacitor_series.c reads the series, and kapacitor_table.c their rows.  They
 * read with what kapacitor_member.c has.  When all has been read,
 * kapacitor_dump.c looks at the details, kapacitor_row.c finds the row that
 * set the alert off, and kapacitor_key.c makes the key.  If the body cannot be
 * taken, kapacitor_refuse.c says why, and what the body may be instead.
 */


typedef struct {
    ngx_http_ilert_webhook_t       *webhook;
    ngx_http_ilert_json_reader_t    reader;
    ngx_str_t                      *error;
    ngx_pool_t                     *pool;

    ngx_uint_t                      nseries;    /* read so far */

    /*
     * Tags and columns of the series at hand are collected here, and the
     * memory is used again for the next series.  A series that is kept gets
     * a copy of just the size it needs.
     */
    ngx_array_t                     tags;       /* ngx_keyval_t */
    ngx_array_t                     columns;    /* ngx_str_t */
    ngx_array_t                     sorted;     /* ngx_str_t * */

    /*
     * The search for the triggering row while rows are read: the event's time
     * as text and as instant, and the first row of that time.
     */
    ngx_str_t                       time;
    ngx_http_ilert_kapacitor_time_t  instant;
    ngx_uint_t                      trigger;    /* number of its series */
    u_char                         *row;        /* NULL: not found */

    /* the rows of the series at hand: values in the first one, */
    ngx_uint_t                      width;

    /* the first one of another width, or 0, and its values */
    ngx_uint_t                      uneven;
    ngx_uint_t                      uneven_width;

    /* where the lengths of the values of the next table go */
    u_char                         *length;
    u_char                         *last_length;

    /* the name of the member at hand, or a null string */
    ngx_str_t                       member;

    ngx_uint_t                      nodd;       /* of all that was odd */

    /* one of them is no array */
    unsigned                        odd_row:1;

    /* ctx->time could be parsed, so ctx->instant is set */
    unsigned                        timed:1;

    /* the row must be searched for again when all has been read */
    unsigned                        search:1;
} ngx_http_ilert_kapacitor_ctx_t;


typedef struct ngx_http_ilert_kapacitor_member_s
    ngx_http_ilert_kapacitor_member_t;

/*
 * Reads the value of a member, whatever it is.  "data" is the address at
 * m->offset of what ngx_http_ilert_kapacitor_members() was given.  Returns
 * NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED if the text is not
 * JSON.
 */
typedef ngx_int_t (*ngx_http_ilert_kapacitor_pt)(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);

struct ngx_http_ilert_kapacitor_member_s {
    ngx_str_t                       name;
    ngx_http_ilert_kapacitor_pt     handler;
    size_t                          offset;
};


/*
 * kapacitor_member.c
 */

/* A message shows at most this many bytes of a name from the body. */

#define NGX_HTTP_ILERT_KAPACITOR_ERROR_NAME  64

/*
 * Reads an object.  "members" is a table whose last name is empty; members
 * that are not in it are skipped.  Returns what handlers do.
 */
ngx_int_t ngx_http_ilert_kapacitor_members(
    ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *members, void *data);

/*
 * Reads any value as text.  A string is decoded; a number and a boolean are
 * their own text; null, an object, and an array set "text" to a null string.
 * Sets "first" to the first byte of the value, which tells its type.  Returns
 * NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED if the text is not
 * JSON.
 */
ngx_int_t ngx_http_ilert_kapacitor_text(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_str_t *text, u_char *first);

/*
 * Skips any value, and notes that it is left out, unless it is null; "member"
 * is a format.  Returns as _text() does.
 */
ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_skip(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *member, ...);

/*
 * Notes that a member is odd, and what becomes of it: "MEMBER: TYPE, WHAT".
 * "member" is a format as of ngx_sprintf(), and "first" is the first byte of
 * the value.  If "what" is NULL it is what _text() has made of the value.
 * Only the first few are noted, all are counted.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_odd(
    ngx_http_ilert_kapacitor_ctx_t *ctx, u_char first, const char *what,
    const char *member, ...);

/* Does the same for "WHAT", a format, without a type. */
ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_note(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *what, ...);

/* Makes webhook->odd what it says; called when all has been noted. */
void ngx_http_ilert_kapacitor_end_notes(ngx_http_ilert_kapacitor_ctx_t *ctx);

/*
 * Sets ctx->error, as ngx_sprintf() would write it, and returns NGX_DECLINED,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_cdecl ngx_http_ilert_kapacitor_error(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *fmt, ...);


/*
 * kapacitor_refuse.c.  These set ctx->error: "ERROR; this is WHAT, use OTHER",
 * if the body is a known mistake, else "ERROR".  They return as _error() does.
 */

/* Refuses webhook->body, which is JSON, or at least begins as it. */
ngx_int_t ngx_http_ilert_kapacitor_refuse(ngx_http_ilert_kapacitor_ctx_t *ctx,
    const char *error);

/* Refuses it if it is not JSON, because of what is at byte "at". */
ngx_int_t ngx_http_ilert_kapacitor_refuse_text(
    ngx_http_ilert_kapacitor_ctx_t *ctx, const char *error, size_t at);


/*
 * kapacitor_series.c
 */

/* Is the handler of the member "data" at the top of a body; see above. */
ngx_int_t ngx_http_ilert_kapacitor_data(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);

/* Frees what is not needed any longer when all has been read. */
void ngx_http_ilert_kapacitor_end_series(ngx_http_ilert_kapacitor_ctx_t *ctx);


/*
 * kapacitor_table.c
 */

/*
 * Is the handler of the member "values" of a series, "data".  The columns may
 * come before or after.
 */
ngx_int_t ngx_http_ilert_kapacitor_values(ngx_http_ilert_kapacitor_ctx_t *ctx,
    ngx_http_ilert_kapacitor_member_t *m, void *data);


/*
 * These work on what has been read.  They return NGX_OK, or NGX_ERROR if there
 * is no memory.
 */

/* kapacitor_row.c: this sets trigger, row and values of the webhook. */
ngx_int_t ngx_http_ilert_kapacitor_trigger(
    ngx_http_ilert_kapacitor_ctx_t *ctx);

/*
 * kapacitor_dump.c: this sets dump, task, group and server of the webhook if
 * the details are Kapacitor's own dump of the alert.
 */
ngx_int_t ngx_http_ilert_kapacitor_dump(ngx_http_ilert_webhook_t *wh,
    ngx_pool_t *pool);

/* kapacitor_key.c: this sets key and key_md5 of the webhook. */
ngx_int_t ngx_http_ilert_kapacitor_key(ngx_http_ilert_webhook_t *wh,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_ILERT_KAPACITOR_PARSE_H_INCLUDED_ */
