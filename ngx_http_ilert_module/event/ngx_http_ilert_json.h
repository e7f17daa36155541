
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_JSON_H_INCLUDED_
#define _NGX_HTTP_ILERT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * JSON: reading it without loss (json_read.c), decoding strings
 * (json_decode.c), picking single members (json_pick.c), writing it within
 * bounds (json_write.c), and making it of what nearly is it (json_repair.c).
 *
 * The functions are pure: no request, no I/O, nothing that threads share.
 *
 * A text is read where it stands, in one pass, and no tree is made of it: the
 * smallest values have two bytes of text, and a node for each would take fifty
 * times the memory of the text.  The caller asks for one value after the
 * other, knows what may come, and skips what it does not want.  All that has
 * been read is valid by RFC 8259: the tokens, their order, and the depth.
 *
 * A token is a string, number, boolean or null as it stands in the text; a
 * string has its quotes.  A number keeps its digits that way.  A string must
 * be decoded before it is used; \u0000, half a surrogate pair, and bytes that
 * are no UTF-8 become U+FFFD.
 */


#define NGX_HTTP_ILERT_JSON_MAX_DEPTH   1000

#define NGX_HTTP_ILERT_JSON_ANY_NUMBER  NGX_MAX_SIZE_T_VALUE


/*
 * ngx_http_ilert_json_short() always copies this many bytes, if it has fewer
 * to write.
 */

#define NGX_HTTP_ILERT_JSON_SHORT       16


typedef struct {
    u_char                     *pos;        /* what comes next */
    u_char                     *last;       /* the end of the text */

    /*
     * The same, but before the white space there, if a bracket is the last
     * byte then; else NULL.
     */
    u_char                     *closed;

    ngx_uint_t                  depth;      /* entered, and not left yet */

    /*
     * Reading is declined when there are more values than max_values.  Each
     * scalar, object and array counts as one, but scalars in a row do not.
     */
    ngx_uint_t                  nvalues;
    ngx_uint_t                  max_values;

    const char                 *error;      /* says what is wrong at pos */

    /*
     * Where the lengths of the values of the next row go, a byte for each, and
     * the end of that memory, which is the caller's.  Both are NULL if the
     * lengths are not wanted.
     */
    u_char                     *length;
    u_char                     *last_length;

    /* a string that has been read must be mended */
    ngx_uint_t                  unclean;    /* unsigned  unclean:1; */

    /* a row that has been read has an object or an array in it */
    unsigned                    nested:1;

    /*
     * The lengths of the values of the last row have been noted: it has no
     * white space, no value of more than 255 bytes, and there was room.
     */
    unsigned                    dense:1;
} ngx_http_ilert_json_reader_t;


/*
 * Begins to read a text, which must stay as it is as long as the reader or a
 * token is used.
 */
void ngx_http_ilert_json_init(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *text, ngx_uint_t max_values);


/*
 * Skips white space, and returns the first byte of the value that comes next,
 * which tells its type if it is valid, or '\0' at the end of the text.
 */
u_char ngx_http_ilert_json_peek(ngx_http_ilert_json_reader_t *r);


/*
 * The functions below read what their names say.  They return NGX_OK, or
 * NGX_DECLINED if something else comes next, or the end of the text, or if
 * there are too many values.
 *
 * An object or an array is read like this:
 *
 *     rc = ngx_http_ilert_json_enter(r, '{');
 *
 *     while (rc == NGX_OK) {
 *         read a name and a value, or only a value if it is an array
 *         rc = ngx_http_ilert_json_next(r, '}');
 *     }
 *
 * Both functions return NGX_DONE when they have read the closing bracket.
 * Reading a name includes the colon behind it.
 */
ngx_int_t ngx_http_ilert_json_enter(ngx_http_ilert_json_reader_t *r,
    u_char open);
ngx_int_t ngx_http_ilert_json_next(ngx_http_ilert_json_reader_t *r,
    u_char close);
ngx_int_t ngx_http_ilert_json_name(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *token);
ngx_int_t ngx_http_ilert_json_scalar(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *token);

/*
 * Reads any value, and checks it.  If it is not valid, returns NGX_DECLINED,
 * with "error" set but for too many values, and "pos" where the error is.
 */
ngx_int_t ngx_http_ilert_json_skip(ngx_http_ilert_json_reader_t *r);

/* Reads the end of the text; "error" is set if something else comes next. */
ngx_int_t ngx_http_ilert_json_end(ngx_http_ilert_json_reader_t *r);


/*
 * Reads a row, which is an array.  Sets "n" to the number of its values, and
 * "first" to the first one if there is one.  The values are scalars, and so
 * tokens, unless it sets r->nested.  If r->length is not NULL, notes their
 * lengths there, and sets r->dense, or leaves r->length as it is.
 */
ngx_int_t ngx_http_ilert_json_row(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *first, ngx_uint_t *n);

/*
 * Reads a row of scalars that has been read before, and returns the number of
 * its values.  Nothing is checked, so the row must not have changed.
 */
ngx_uint_t ngx_http_ilert_json_row_again(ngx_http_ilert_json_reader_t *r,
    ngx_str_t *values, ngx_uint_t size);


/*
 * Looks for n members of an object by their names, and sets their values: a
 * token, or an object or array as it stands in the text.  The value of a
 * member that is not found stays as it is.  This is for a text of which little
 * is wanted: other values are only checked as far as it takes to find their
 * ends.  Returns NGX_OK, or NGX_DECLINED if the text is no object.
 */

typedef struct {
    ngx_str_t                   name;
    ngx_str_t                   value;
} ngx_http_ilert_json_member_t;

ngx_int_t ngx_http_ilert_json_pick(ngx_str_t *text,
    ngx_http_ilert_json_member_t *members, ngx_uint_t n);


/*
 * Decodes a token that has been read.  The value of a string has no quotes and
 * no escapes, and is valid UTF-8; any other token is its own value.  The value
 * points into the token, unless it had escapes or had to be mended, and so is
 * allocated from the pool.  "token" and "value" may be the same.  Returns
 * NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_json_decode(ngx_str_t *token, ngx_str_t *value,
    ngx_pool_t *pool);

/*
 * Copies a text that has been read, with U+FFFD in the place of all that is no
 * character: \u0000, half a surrogate pair, and bytes that are no UTF-8.
 * "mended" is allocated from the pool; behind its end there are
 * NGX_HTTP_ILERT_JSON_SHORT more bytes, which are zero.  Returns NGX_OK, or
 * NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_json_mend(ngx_str_t *text, ngx_str_t *mended,
    ngx_pool_t *pool);


/*
 * Makes JSON of a text that is none only because it begins with a byte order
 * mark, or has control characters in its strings: the mark is skipped, and the
 * characters are escaped.  "repaired" is allocated from the pool, or is
 * a part of the text; if that has another fault, so has "repaired".  Returns
 * NGX_OK, NGX_ERROR if there is no memory, or NGX_DECLINED if there was
 * nothing to repair.
 */
ngx_int_t ngx_http_ilert_json_repair(ngx_str_t *text, ngx_str_t *repaired,
    ngx_pool_t *pool);

/*
 * Returns where in the text that was repaired the byte stands that is the one
 * with the number "at" of the repaired text.
 */
size_t ngx_http_ilert_json_repaired_at(ngx_str_t *text, size_t at);


/*
 * Writing.  A piece that does not fit between "pos" and "last" is left out as
 * a whole, and "full" is set; later pieces that fit are still written.  So
 * "full" need not be checked after each call.
 */

typedef struct {
    u_char                     *pos;
    u_char                     *last;
    unsigned                    full:1;
} ngx_http_ilert_json_writer_t;


#define ngx_http_ilert_json_literal(w, text)                                  \
    ngx_http_ilert_json_raw(w, (u_char *) text, sizeof(text) - 1)

/* Writes bytes as they are. */

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
 * Does the same, faster, for the many short pieces of a batch, where a call of
 * memcpy() takes longer than the copy.  Whatever the length is, it must be
 * allowed to read NGX_HTTP_ILERT_JSON_SHORT bytes from "data" on.
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


/* Writes a string, which must be valid UTF-8, in quotes and escaped. */
void ngx_http_ilert_json_string(ngx_http_ilert_json_writer_t *w,
    ngx_str_t *value);


#endif /* _NGX_HTTP_ILERT_JSON_H_INCLUDED_ */
