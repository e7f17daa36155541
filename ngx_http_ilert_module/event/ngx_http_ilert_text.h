
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_TEXT_H_INCLUDED_
#define _NGX_HTTP_ILERT_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Kapacitor renders an alert's details with Go's html/template; ilert shows
 * text.  Pure; valid UTF-8 in, valid UTF-8 out.
 */


/*
 * Decodes entities: numeric ones and amp, lt, gt, quot, apos, nbsp; others
 * stay as they are.  Allocates from the pool, NGX_ERROR if it can't.
 */
ngx_int_t ngx_http_ilert_text_unescape(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool);


/*
 * The same, and removes tags: the end of a block becomes a line break, the
 * end of a table's cell a space; white space at both ends is trimmed.
 */
ngx_int_t ngx_http_ilert_text_from_html(ngx_str_t *html, ngx_str_t *text,
    ngx_pool_t *pool);


/* writes the character, up to 4 bytes; returns what follows it */
u_char *ngx_http_ilert_text_put(u_char *out, uint32_t code);


/*
 * Returns what follows the character at p, or NULL if it is not UTF-8:
 * ngx_utf8_decode() takes surrogates, and any byte for a continuation.
 */
u_char *ngx_http_ilert_text_next(u_char *p, u_char *last);


/* what stands for a character that is none */

#define NGX_HTTP_ILERT_TEXT_REPLACEMENT  0xfffd


/*
 * Writes the character at *pos, or a replacement, of three bytes, if it is
 * U+0000 or the byte there is of no character.  Sets *pos to what follows in
 * the text, and returns what follows in "out".
 */
u_char *ngx_http_ilert_text_copy(u_char *out, u_char **pos, u_char *last);


/*
 * Makes it valid UTF-8 without U+0000: any byte that is of no character
 * becomes a replacement.  Allocates only for that; NGX_ERROR if it can't.
 */
ngx_int_t ngx_http_ilert_text_valid(ngx_str_t *text, ngx_pool_t *pool);


/* the length of the whole characters in the first "max" bytes */
size_t ngx_http_ilert_text_cut(ngx_str_t *text, size_t max);


/* byte by byte */

static ngx_inline ngx_uint_t
ngx_http_ilert_text_same(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_memcmp(one->data, two->data, one->len) == 0;
}


/* without the white space that ilert trims from alert keys */
void ngx_http_ilert_text_trim(ngx_str_t *text);

/* true if nothing else is in it */
ngx_uint_t ngx_http_ilert_text_blank(ngx_str_t *text);


/* makes an error that quotes a name from outside one line */
void ngx_http_ilert_text_line(ngx_str_t *text);


#endif /* _NGX_HTTP_ILERT_TEXT_H_INCLUDED_ */
