
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_JSON_H_INCLUDED_
#define _NGX_HTTP_ILERT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <cjson/cJSON.h>


/*
 * JSON in without loss, JSON out within bounds.  Pure: no request, no I/O.
 *
 * cJSON does the parsing, but by itself it would turn 9223372036854775807
 * into a double, end a string at \u0000, refuse a lone surrogate, pass
 * invalid UTF-8 and control characters on, and build a node of 64 bytes for
 * each of the many numbers of a large batch.  So it is not given the text
 * itself, but a copy made in one linear pass, in which
 *
 *     -  tokens and their order have been checked (RFC 8259), and depth
 *        counted: errors are found here, with their place in the text;
 *     -  \u0000, lone surrogates and invalid UTF-8 are U+FFFD;
 *     -  a number is a string that starts with NGX_HTTP_ILERT_JSON_NUMBER,
 *        a byte that occurs in no UTF-8: its digits are kept as they came;
 *     -  a table, an array of arrays of scalars, is set aside if it is at
 *        depth table_depth, where the rows of a batch are: its place in the
 *        copy is taken by its index in "tables", a number, the only ones
 *        that cJSON gets to see.
 *
 * The values of a table are tokens, as they stand in the text: most of them
 * can be copied to an event unread.
 *
 * cJSON's nodes and strings are allocated from the pool; a tree is never
 * given to cJSON_Delete().
 */


#define NGX_HTTP_ILERT_JSON_NUMBER     0xff
#define NGX_HTTP_ILERT_JSON_MAX_DEPTH  64

#define ngx_http_ilert_json_is_number(item)                                   \
    (cJSON_IsString(item)                                                     \
     && (u_char) (item)->valuestring[0] == NGX_HTTP_ILERT_JSON_NUMBER)

#define ngx_http_ilert_json_is_string(item)                                   \
    (cJSON_IsString(item) && !ngx_http_ilert_json_is_number(item))


/* of what is copied by ngx_http_ilert_json_short(), in bytes */

#define NGX_HTTP_ILERT_JSON_SHORT      16


typedef struct {
    ngx_str_t                  *values;     /* a string with its quotes */
    ngx_uint_t                  nvalues;
    unsigned                    slack:1;    /* as many bytes can be read */
                                            /* from the start of each value */
} ngx_http_ilert_json_row_t;


typedef struct {
    cJSON                      *root;
    ngx_array_t                 tables;     /* ngx_array_t of */
                                            /* ngx_http_ilert_json_row_t */

    const char                 *error;      /* what is wrong, and at which */
    size_t                      offset;     /* byte of the text */
} ngx_http_ilert_json_t;


/*
 * Parses "text", which must stay as it is as long as the tables are used.
 * table_depth is 0 when nothing is to be set aside.  Returns NGX_OK,
 * NGX_DECLINED with error and offset set if the text is not JSON,
 * or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_json_parse(ngx_http_ilert_json_t *json,
    ngx_str_t *text, ngx_uint_t table_depth, ngx_pool_t *pool);


/*
 * Sets the values of those members of an object that are named, as tokens:
 * for a text of which little is wanted, and too often to build a tree of it.
 * A value stays as it is if there is no such member.  NGX_DECLINED if the
 * text is no object; all else in it is only checked as far as needed to
 * find its end.
 */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;
} ngx_http_ilert_json_member_t;

ngx_int_t ngx_http_ilert_json_pick(ngx_str_t *text,
    ngx_http_ilert_json_member_t *members, ngx_uint_t n);


/*
 * Decodes a token: a string without quotes and escapes, anything
 * else as it stands.  Allocates only for escapes; NGX_ERROR if it can't.
 */
ngx_int_t ngx_http_ilert_json_decode(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool);


/*
 * Writing: what does not fit between pos and last is left out altogether,
 * and "full" is set; there is no error to check after each call.
 */

typedef struct {
    u_char                     *pos;
    u_char                     *last;
    unsigned                    full:1;
} ngx_http_ilert_json_writer_t;


#define ngx_http_ilert_json_literal(w, text)                                  \
    ngx_http_ilert_json_raw(w, (u_char *) text, sizeof(text) - 1)

/* bytes as they are */

static ngx_inline void
ngx_http_ilert_json_raw(ngx_http_ilert_json_writer_t *w, u_char *data,
    size_t len)
{
    if ((size_t) (w->last - w->pos) < len) {
        w->full = 1;
        return;
    }

    w->pos = ngx_cpymem(w->pos, data, len);
}


/*
 * The same for the many short pieces of a batch, where a call of memcpy()
 * takes longer than the copy: from data NGX_HTTP_ILERT_JSON_SHORT bytes can
 * be read, whatever the length.
 */

static ngx_inline void
ngx_http_ilert_json_short(ngx_http_ilert_json_writer_t *w, u_char *data,
    size_t len)
{
    if (len > NGX_HTTP_ILERT_JSON_SHORT
        || w->last - w->pos < NGX_HTTP_ILERT_JSON_SHORT)
    {
        ngx_http_ilert_json_raw(w, data, len);
        return;
    }

    ngx_memcpy(w->pos, data, NGX_HTTP_ILERT_JSON_SHORT);
    w->pos += len;
}


/* valid UTF-8, in quotes and escaped */
void ngx_http_ilert_json_string(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_JSON_H_INCLUDED_ */
