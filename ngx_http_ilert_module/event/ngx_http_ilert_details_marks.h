
/*
 * Copyright (C) 2026 the ngx_http_ilert_module authors
 */


#ifndef _NGX_HTTP_ILERT_DETAILS_MARKS_H_INCLUDED_
#define _NGX_HTTP_ILERT_DETAILS_MARKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * HTML becomes a text with marks, and that becomes Markdown.  This header is
 * for the files details*.c only.
 *
 * The text is what a reader sees, entities are decoded.  Of control characters
 * it only has tab and line feed, so others can be marks, one byte each, which
 * stand for the tags.
 */

typedef enum {
    NGX_HTTP_ILERT_DETAILS_LINE = 0x01,     /* here begins a line, */
    NGX_HTTP_ILERT_DETAILS_PARAGRAPH,       /* and before it is an empty one */
    NGX_HTTP_ILERT_DETAILS_BREAK,           /* ends a line, even if empty */
    NGX_HTTP_ILERT_DETAILS_BULLETS,         /* a list begins */
    NGX_HTTP_ILERT_DETAILS_NUMBERS,         /* a list with numbers begins */
    NGX_HTTP_ILERT_DETAILS_LIST_END,
    NGX_HTTP_ILERT_DETAILS_ITEM,
    NGX_HTTP_ILERT_DETAILS_ITEM_END,

    /* Here are tab, line feed, and carriage return. */

    NGX_HTTP_ILERT_DETAILS_CODE = 0x0e,     /* white space counts from here */
    NGX_HTTP_ILERT_DETAILS_CODE_END,

    /* LINK, a URL, URL_END, a text, LINK_END; likewise with an image */

    NGX_HTTP_ILERT_DETAILS_LINK,
    NGX_HTTP_ILERT_DETAILS_LINK_END,
    NGX_HTTP_ILERT_DETAILS_IMAGE,
    NGX_HTTP_ILERT_DETAILS_IMAGE_END,
    NGX_HTTP_ILERT_DETAILS_URL_END
} ngx_http_ilert_details_mark_e;


typedef struct {
    u_char                         *pos;
    u_char                         *last;

    /*
     * There are blocks, or line breaks, in the HTML: its white space is only
     * white space.  Otherwise the text's own line feeds end lines.
     */
    ngx_uint_t                      blocks;     /* unsigned  blocks:1; */
} ngx_http_ilert_details_marked_t;


/*
 * details_html.c.  Sets marked->last and marked->blocks.  At marked->pos there
 * must be room for as many bytes as the HTML has.
 */
void ngx_http_ilert_details_html(ngx_http_ilert_details_marked_t *marked,
    ngx_str_t *html);

/*
 * details_write.c.  Writes Markdown to "out", at most to "end", and returns
 * the place behind it.
 */
u_char *ngx_http_ilert_details_write(ngx_http_ilert_details_marked_t *marked,
    u_char *out, u_char *end);


/*
 * details_url.c.
 *
 * Returns true if a link may lead to the URL: it has one of a few schemes, of
 * which none can run a script, or, if "relative", none at all.
 */
ngx_uint_t ngx_http_ilert_details_allowed(u_char *p, u_char *last,
    ngx_uint_t relative);

/*
 * Returns the place behind the URL at p, with http://, https://, ftp://, or
 * www., or NULL if there is none.  Marks of punctuation behind a URL are not
 * part of it; *stop is set to the place behind them.
 */
u_char *ngx_http_ilert_details_bare(u_char *p, u_char *last, u_char **stop);

/*
 * Returns the place behind the link [text](url) or [text](url "title") at p,
 * which is a "[", or NULL if there is none that may stay as it is.
 */
u_char *ngx_http_ilert_details_written(u_char *p, u_char *last);

/* Returns true if Markdown would take the "&" at p for an entity. */
ngx_uint_t ngx_http_ilert_details_entity(u_char *p, u_char *last);


#define ngx_http_ilert_details_digit(ch)  ((ch) >= '0' && (ch) <= '9')

#define ngx_http_ilert_details_letter(ch)                                     \
    (((ch) | 0x20) >= 'a' && ((ch) | 0x20) <= 'z')

#define ngx_http_ilert_details_alnum(ch)                                      \
    (ngx_http_ilert_details_letter(ch) || ngx_http_ilert_details_digit(ch))


#endif /* _NGX_HTTP_ILERT_DETAILS_MARKS_H_INCLUDED_ */
