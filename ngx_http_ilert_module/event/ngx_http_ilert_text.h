
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_TEXT_H_INCLUDED_
#define _NGX_HTTP_ILERT_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Texts: UTF-8, white space, and the entities of HTML.
 *
 * The functions are pure: no request, no I/O, nothing that threads share.
 * Unless a function says otherwise, it takes valid UTF-8 and leaves valid
 * UTF-8.
 */


/* U+FFFD, the replacement character, stands for what is no character. */

#define NGX_HTTP_ILERT_TEXT_REPLACEMENT  0xfffd


/*
 * Decodes the entity of HTML at p, a "&": one with a number, or with a name of
 * HTML 4.  Writes its character to *out, in no more bytes than the entity has,
 * and moves *out.  Returns the place behind the entity, or NULL if there is
 * none or if its name is not known.
 */
u_char *ngx_http_ilert_text_entity(u_char *p, u_char *last, u_char **out);


/*
 * Decodes all entities; what is no entity stays.  "text" is allocated from the
 * pool.  Returns NGX_OK, or NGX_ERROR if there is no memory.
 */
ngx_int_t ngx_http_ilert_text_unescape(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool);


/*
 * Writes a character as UTF-8, in at most 4 bytes.  Returns the place behind
 * it.  "code" must be a character; surrogates are not checked for.
 */
u_char *ngx_http_ilert_text_put(u_char *out, uint32_t code);


/*
 * Returns the place behind the character at p, which is before "last", or
 * NULL if there is no valid character of UTF-8.  nginx's ngx_utf8_decode()
 * does not do, since it accepts surrogates, and any byte as a continuation.
 */
u_char *ngx_http_ilert_text_next(u_char *p, u_char *last);


/*
 * Copies the character at *pos, or writes a replacement, of three bytes, if it
 * is U+0000 or if the byte at *pos begins no valid character.  Sets *pos to
 * the place behind what has been read, and returns the place behind what has
 * been written.
 */
u_char *ngx_http_ilert_text_copy(u_char *out, u_char **pos, u_char *last);


/*
 * Makes any bytes valid UTF-8 without U+0000: each byte that belongs to no
 * character becomes a replacement.  The text is only copied, to memory from
 * the pool, if there is such a byte.  Returns NGX_OK, or NGX_ERROR if there is
 * no memory.
 */
ngx_int_t ngx_http_ilert_text_valid(ngx_str_t *text, ngx_pool_t *pool);


/*
 * Returns the length, in bytes, of those characters that are whole within the
 * first "max" bytes.
 */
size_t ngx_http_ilert_text_cut(ngx_str_t *text, size_t max);


/*
 * Returns true if both texts have the same bytes; case counts.  A text of no
 * bytes may have no address.
 */

static ngx_inline ngx_uint_t
ngx_http_ilert_text_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && (one->len == 0
               || ngx_memcmp(one->data, two->data, one->len) == 0);
}


/*
 * Copies "len" bytes at p of a text that ends at "last", and returns the place
 * behind them.  "out" must have room for all of the text from p on: for the
 * short pieces between escapes a call of memcpy() takes longer than the copy.
 */

static ngx_inline u_char *
ngx_http_ilert_text_piece(u_char *out, u_char *p, size_t len, u_char *last)
{
    if (len > 16 || last - p < 16) {
        return ngx_cpymem(out, p, len);
    }

    ngx_memcpy(out, p, 16);

    return out + len;
}


/*
 * Makes the text begin and end where it has no more of the white space that
 * ilert trims from alert keys: space, tab, CR and LF.  No byte is changed.
 */
void ngx_http_ilert_text_trim(ngx_str_t *text);

/* Returns true if the text is empty or has nothing but such white space. */
ngx_uint_t ngx_http_ilert_text_blank(ngx_str_t *text);


/*
 * Makes the text one line, in place, so that it can go to a log: all control
 * characters become spaces, also those from U+0080 to U+009F in UTF-8, which
 * some terminals obey.
 */
void ngx_http_ilert_text_line(ngx_str_t *text);


/* bytes of the text that the next function makes; what is longer is cut */

#define NGX_HTTP_ILERT_TEXT_ERROR  512

/*
 * Sets "error" to a text that says why something is declined, in one line.
 * The format is that of ngx_sprintf().  Returns NGX_DECLINED, or NGX_ERROR if
 * there is no memory.
 */
ngx_int_t ngx_cdecl ngx_http_ilert_text_error(ngx_str_t *error,
    ngx_pool_t *pool, const char *fmt, ...);


#endif /* _NGX_HTTP_ILERT_TEXT_H_INCLUDED_ */
