
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_JSON_H_INCLUDED_
#define _NGX_HTTP_ILERT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * JSON in without loss, JSON out within bounds.  Pure: no request, no I/O,
 * nothing that two threads share.
 *
 * A text is read where it stands, in one pass, and no tree is made of it:
 * the smallest values have two bytes of text, and a node for each would take
 * fifty times the memory of the text.  Who reads asks for one value after the
 * other, knows what may come, and skips what it does not want.  All that has
 * been read is valid (RFC 8259): tokens, their order, and the depth.
 *
 * A token is a scalar as it stands in the text, a string with its quotes.
 * Numbers keep their digits that way.  A string that is wanted is decoded;
 * \u0000, lone surrogates and invalid UTF-8 become U+FFFD.
 */


#define NGX_HTTP_ILERT_JSON_MAX_DEPTH   64

#define NGX_HTTP_ILERT_JSON_ANY_NUMBER  NGX_MAX_SIZE_T_VALUE


/* of what is copied by ngx_http_ilert_json_short(), in bytes */

#define NGX_HTTP_ILERT_JSON_SHORT       16


typedef struct {
    u_char                     *pos;        /* what comes next */
    u_char                     *last;
    ngx_uint_t                  depth;      /* of what has been entered */

    /* reading ends when there are more values than that: each scalar, */
    /* object and array is one, but those in a row are not counted */
    ngx_uint_t                  nvalues;
    ngx_uint_t                  max_values;

    const char                 *error;      /* what is wrong at pos */
    unsigned                    unclean:1;  /* a string that has been read */
                                            /* has to be mended */
} ngx_http_ilert_json_reader_t;


void ngx_http_ilert_json_init(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *text, ngx_uint_t max_values);


/*
 * The first byte of the value that comes next, which tells what it is, if it
 * is valid; a null at the end of the text.
 */
u_char ngx_http_ilert_json_peek(ngx_http_ilert_json_reader_t *r);


/*
 * Each of these reads what its name says.  NGX_DECLINED: something else has
 * come, or nothing, or too many values.
 *
 * An object or array is entered by its opening bracket, and after each member
 * or value there is a next one.  NGX_DONE: there is none, and the closing
 * bracket has been read.  A member is a name, which takes the colon with it,
 * and a value.
 */
ngx_int_t ngx_http_ilert_json_enter(ngx_http_ilert_json_reader_t *r,
    u_char open);
ngx_int_t ngx_http_ilert_json_next(ngx_http_ilert_json_reader_t *r,
    u_char close);
ngx_int_t ngx_http_ilert_json_name(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *token);
ngx_int_t ngx_http_ilert_json_scalar(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *token);

/* any value; "error" is set if there is none */
ngx_int_t ngx_http_ilert_json_skip(ngx_http_ilert_json_reader_t *r);

/* the end of the text; "error" is set if it is not there */
ngx_int_t ngx_http_ilert_json_end(ngx_http_ilert_json_reader_t *r);


/*
 * A row, an array of scalars: sets "n" to their number, and the first
 * "size" of them in "values".  If it is declined, n is the number of those
 * before what was not expected.
 */
ngx_int_t ngx_http_ilert_json_row(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *values, ngx_uint_t size, ngx_uint_t *n);

/* the same for a row that has been read before, and so is known to be one */
void ngx_http_ilert_json_row_again(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *values, ngx_uint_t size);


/*
 * Sets the values of those members of an object that are named, as tokens:
 * for a text of which little is wanted.  A value stays as it is if there is no
 * such member.  NGX_DECLINED if the text is no object; all else in it is only
 * checked as far as needed to find its end.
 */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;
} ngx_http_ilert_json_member_t;

ngx_int_t ngx_http_ilert_json_pick(ngx_str_t *text,
    ngx_http_ilert_json_member_t *members, ngx_uint_t n);


/*
 * Decodes a token: a string without quotes and escapes, in valid UTF-8,
 * anything else as it stands.  The value points into the token unless it has
 * escapes or has to be mended; NGX_ERROR if there is no memory for that.
 */
ngx_int_t ngx_http_ilert_json_decode(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool);

/*
 * Replaces in all strings of a valid text what has no place in a valid text
 * of UTF-8.  NGX_HTTP_ILERT_JSON_SHORT bytes can be read behind it.
 */
ngx_int_t ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended,
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
